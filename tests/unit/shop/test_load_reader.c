/* Reading feed files: records, broken files, limits. */
#include "base/mem.h"
#include "shop/load_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/banned.h"

static int read_all(struct load_reader *r, struct strbuf *out, struct err *err)
{
	struct load_record record;
	int rc;

	while ((rc = load_reader_record(r, &record, err)) > 0) {
		strbuf_addf(out, "%d:", (int)load_reader_line_number(r));
		for (size_t i = 0; i < record.n_fields; i++)
			strbuf_addf(out, "[%.*s]", STR_ARGS(record.fields[i]));
	}
	return rc;
}

static int read_text(struct str text, struct strbuf *out, struct err *err)
{
	struct load_reader *r = load_reader_memory("t.csv", text);
	int rc = read_all(r, out, err);

	load_reader_close(r);
	return rc;
}

static void records_are_cut_by_rfc_4180(void **state)
{
	static const char *const cases[][2] = {
	    {"a,b\nc,d\n", "1:[a][b]2:[c][d]"},
	    {"a,b\r\nc,d", "1:[a][b]2:[c][d]"},
	    {"\xEF\xBB\xBF"
	     "a\n",
	     "1:[a]"},
	    {"\"a,\"\"b\"\"\",c\n", "1:[a,\"b\"][c]"},
	    {"\"two\nlines\",x\ny,z\n", "1:[two\nlines][x]3:[y][z]"},
	    {"a,,\n,b,\n", "1:[a][][]2:[][b][]"},
	    {"a\n\n\nb\n", "1:[a]4:[b]"},
	    {"\"\"\n", "1:[]"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(0);
		struct err err = {0};

		assert_int_equal(read_text(str_from(cases[i][0]), &out, &err), 0);
		assert_string_equal(strbuf_str(&out), cases[i][1]);
		strbuf_done(&out);
	}
}

static void broken_files_name_their_line(void **state)
{
	static const struct {
		struct str text;
		int code;
		const char *message;
	} cases[] = {
	    {{"a\n\"b\n", 5}, ERR_CORRUPTED, "t.csv:2: a quote is opened and never closed"},
	    {{"a\nb\"c\"\n", 7},
	     ERR_CORRUPTED,
	     "t.csv:2: a quote stands inside a field that is not quoted"},
	    {{"\"a\"b\n", 5}, ERR_CORRUPTED, "t.csv:1: text follows the closing quote of a field"},
	    {{"a\nb\0c\n", 6}, ERR_CORRUPTED, "t.csv:2: the line holds a NUL byte"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(0);
		struct err err = {0};

		assert_int_equal(read_text(cases[i].text, &out, &err), -cases[i].code);
		assert_string_equal(err.message, cases[i].message);
		strbuf_done(&out);
	}
}

static void a_line_has_a_limit(void **state)
{
	size_t n = 3 * LOAD_LINE_MAX;
	char *text = mem_alloc(n);
	struct strbuf out = STRBUF_INIT(0);
	struct err err = {0};

	(void)state;
	memset(text, 'x', n);
	assert_int_equal(read_text((struct str){text, n}, &out, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.message, "t.csv:1: line longer than 1048576 bytes"));
	text[LOAD_LINE_MAX] = '\n';
	assert_int_equal(read_text((struct str){text, LOAD_LINE_MAX + 1}, &out, &err), 0);
	mem_free(text);
	strbuf_done(&out);
}

static void a_truncated_gzip_is_an_error(void **state)
{
	char path[] = "/tmp/test_load_reader.XXXXXX";
	int fd = mkstemp(path);
	gzFile gz = gzdopen(dup(fd), "wb");
	struct load_reader *r = NULL;
	struct strbuf out = STRBUF_INIT(0);
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 20000; i++)
		assert_true(gzprintf(gz, "row %d,%d\n", i, i * 7919) > 0);
	assert_int_equal(gzclose(gz), Z_OK);
	assert_int_equal(load_reader_open(path, &r, &err), 0);
	assert_int_equal(read_all(r, &out, &err), 0);
	load_reader_close(r);

	assert_int_equal(ftruncate(fd, 20000), 0);
	assert_int_equal(load_reader_open(path, &r, &err), 0);
	assert_int_equal(read_all(r, &out, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "gzip"));
	load_reader_close(r);
	strbuf_done(&out);
	(void)close(fd);
	(void)unlink(path);
}

/* Names, "PATH:LINE: ", in the message; the line. */
static long line_of(const struct err *err, const char *path)
{
	size_t n = strlen(path);

	if (strncmp(err->message, path, n) != 0 || err->message[n] != ':')
		fail_msg("no file in: %s", err->message);
	return strtol(err->message + n + 1, NULL, 10);
}

static void a_damaged_gzip_names_its_file_and_line(void **state)
{
	char path[] = "/tmp/test_load_reader.XXXXXX";
	int fd = mkstemp(path);
	gzFile gz = gzdopen(dup(fd), "wb");
	struct load_reader *r = NULL;
	struct strbuf out = STRBUF_INIT(0);
	struct err err = {0};
	off_t size;

	(void)state;
	for (int i = 0; i < 60000; i++)
		assert_true(gzprintf(gz, "row %d,%d\n", i, i * 7919) > 0);
	assert_int_equal(gzclose(gz), Z_OK);
	size = lseek(fd, 0, SEEK_END);
	/* Three quarters in, so is the line: at most some thousand short lines before. */
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, size / 4 * 3), 8);
	assert_int_equal(load_reader_open(path, &r, &err), 0);
	assert_int_equal(read_all(r, &out, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "the gzip file is damaged"));
	assert_null(strstr(err.message, "fd:"));
	assert_in_range(line_of(&err, path), 35000, 60000);
	load_reader_close(r);

	assert_int_equal(ftruncate(fd, size / 4 * 3), 0);
	err = (struct err){0};
	assert_int_equal(load_reader_open(path, &r, &err), 0);
	assert_int_equal(read_all(r, &out, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "ends too early"));
	assert_in_range(line_of(&err, path), 35000, 60000);
	load_reader_close(r);
	strbuf_done(&out);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_cut_by_rfc_4180),
	    cmocka_unit_test(broken_files_name_their_line),
	    cmocka_unit_test(a_line_has_a_limit),
	    cmocka_unit_test(a_truncated_gzip_is_an_error),
	    cmocka_unit_test(a_damaged_gzip_names_its_file_and_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
