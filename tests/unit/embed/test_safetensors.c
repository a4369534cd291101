/* Safetensors: a good file is read as it is, and each way of being damaged is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "embed/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

/* A file of this header, padded to 8, and so many floats 0, 1, 2, …; aligned. */
static struct strbuf make(const char *header, size_t n_floats)
{
	struct strbuf b = STRBUF_INIT(0);
	uint64_t length = (strlen(header) + 7) / 8 * 8;

	strbuf_add(&b, &length, sizeof(length));
	strbuf_addstr(&b, header);
	while (b.len < length + 8)
		strbuf_addch(&b, ' ');
	for (size_t i = 0; i < n_floats; i++) {
		float f = (float)i;

		strbuf_add(&b, &f, sizeof(f));
	}
	return b;
}

#define GOOD                                                                \
	"{\"__metadata__\":{\"format\":\"pt\"},"                            \
	"\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}," \
	"\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}"

static void tensors_are_found_by_name(void **state)
{
	struct strbuf b = make(GOOD, 8);
	struct safetensors *s = NULL;
	const float *x = NULL;

	(void)state;
	assert_int_equal(safetensors_parse("f", b.data, b.len, &s, NULL), 0);
	assert_int_equal(safetensors_count(s), 2);
	assert_string_equal(safetensors_at(s, 0)->name, "a");
	assert_int_equal(safetensors_floats(s, "a", 2, 3, &x, NULL), 0);
	assert_true(x[0] == 0 && x[5] == 5);
	assert_int_equal(safetensors_floats(s, "b", 0, 2, &x, NULL), 0);
	assert_true(x[1] == 7);
	assert_null(safetensors_find(s, "c"));
	safetensors_free(s);
	strbuf_done(&b);
}

static void another_shape_than_asked_for_is_refused_by_name(void **state)
{
	struct strbuf b = make(GOOD, 8);
	struct safetensors *s = NULL;
	const float *x = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(safetensors_parse("f", b.data, b.len, &s, NULL), 0);
	assert_int_equal(safetensors_floats(s, "a", 3, 2, &x, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "\"f\""));
	assert_non_null(strstr(err.message, "\"a\""));
	assert_int_equal(safetensors_floats(s, "a", 0, 6, &x, &err), -ERR_CORRUPTED);
	assert_int_equal(safetensors_floats(s, "c", 0, 6, &x, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "\"c\" is missing"));
	assert_null(x);
	safetensors_free(s);
	strbuf_done(&b);
}

static void a_value_that_is_not_finite_is_refused(void **state)
{
	static const float bad[] = {INFINITY, -INFINITY, NAN};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct strbuf b = make(GOOD, 8);
		struct safetensors *s = NULL;
		const float *x = NULL;

		memcpy(b.data + b.len - sizeof(float), &bad[i], sizeof(float));
		assert_int_equal(safetensors_parse("f", b.data, b.len, &s, NULL), 0);
		assert_int_equal(safetensors_floats(s, "a", 2, 3, &x, NULL), 0);
		assert_int_equal(safetensors_floats(s, "b", 0, 2, &x, NULL), -ERR_CORRUPTED);
		safetensors_free(s);
		strbuf_done(&b);
	}
}

#define ENTRY(dtype, shape, offsets) \
	"{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void each_kind_of_damage_is_named(void **state)
{
	static const struct {
		const char *header;
		size_t n_floats;
		const char *message;
	} wrong[] = {
	    {"[]", 0, "no JSON object"},
	    {"{", 0, "no safetensors file"},
	    {"{\"t\":1}", 0, "\"t\" is not described by an object"},
	    {ENTRY("F33", "[1]", "[0,4]"), 1, "\"t\" has a type that is unknown"},
	    {ENTRY("F32", "1", "[0,4]"), 1, "\"t\" has no shape"},
	    {ENTRY("F32", "[-1]", "[0,4]"), 1, "\"t\" has a dimension"},
	    {ENTRY("F32", "[1.0]", "[0,4]"), 1, "\"t\" has a dimension"},
	    {ENTRY("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 1, "\"t\" has too many dimensions"},
	    {ENTRY("F32", "[4611686018427387904,4]", "[0,4]"), 1, "\"t\" has a shape beyond"},
	    {ENTRY("F32", "[1]", "[0,8]"), 2, "\"t\" has another number of bytes"},
	    {ENTRY("F32", "[1]", "[4,8]"), 2, "\"t\" begins behind a gap"},
	    {ENTRY("F32", "[1]", "[0,4]"), 2, "bytes behind the last tensor"},
	    {ENTRY("F32", "[2]", "[0,8]"), 1, "\"t\" lies outside"},
	    {ENTRY("F32", "[1]", "[4,0]"), 1, "\"t\" lies outside"},
	    {ENTRY("F32", "[1]", "[-4,0]"), 1, "\"t\" has no two data_offsets"},
	    {ENTRY("F32", "[1]", "[0,4,4]"), 1, "\"t\" has no two data_offsets"},
	    {"{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
	     "\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
	     1, "duplicate"},
	    {"{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
	     "\"u\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
	     1, "overlaps"},
	    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
	     "\"u\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}",
	     2, "\"u\" is not aligned"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct strbuf b = make(wrong[i].header, wrong[i].n_floats);
		struct safetensors *s = NULL;
		struct err err = {0};

		assert_int_equal(safetensors_parse("f", b.data, b.len, &s, &err), -ERR_CORRUPTED);
		assert_null(s);
		assert_non_null(strstr(err.message, "\"f\""));
		if (!strstr(err.message, wrong[i].message))
			fail_msg("\"%s\" instead of \"%s\"", err.message, wrong[i].message);
		strbuf_done(&b);
	}
}

static void a_header_beyond_the_file_is_refused(void **state)
{
	static const uint64_t lengths[] = {1, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
	struct safetensors *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		assert_int_equal(safetensors_parse("f", &lengths[i], 8, &s, NULL), -ERR_CORRUPTED);
	assert_int_equal(safetensors_parse("f", lengths, 7, &s, NULL), -ERR_CORRUPTED);
}

static void files_are_mapped_and_truncated_ones_refused(void **state)
{
	struct strbuf b = make(GOOD, 8);
	char path[] = "/tmp/am-safetensors-XXXXXX";
	struct safetensors *s = NULL;
	struct err err = {0};

	(void)state;
	close(mkstemp(path));
	for (size_t len = 0; len < b.len; len += 5) {
		assert_int_equal(file_write_atomic(path, b.data, len, 0600, NULL), 0);
		assert_int_equal(safetensors_open(path, &s, &err), -ERR_CORRUPTED);
		assert_non_null(strstr(err.message, path));
	}
	assert_int_equal(file_write_atomic(path, b.data, b.len, 0600, NULL), 0);
	assert_int_equal(safetensors_open(path, &s, &err), 0);
	safetensors_free(s);
	unlink(path);
	assert_int_equal(safetensors_open(path, &s, &err), -ERR_NOT_FOUND);
	assert_int_equal(safetensors_open("/tmp", &s, &err), -ERR_CORRUPTED);
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tensors_are_found_by_name),
	    cmocka_unit_test(another_shape_than_asked_for_is_refused_by_name),
	    cmocka_unit_test(a_value_that_is_not_finite_is_refused),
	    cmocka_unit_test(each_kind_of_damage_is_named),
	    cmocka_unit_test(a_header_beyond_the_file_is_refused),
	    cmocka_unit_test(files_are_mapped_and_truncated_ones_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
