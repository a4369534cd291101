/*
 * Reader of safetensors files: see safetensors.h.
 *
 * The header is parsed by jansson, which refuses doubled names, and checked entry by entry: type,
 * shape, the product of the dimensions (overflow), the byte range against shape and file,
 * alignment. At the end the ranges, sorted, must cover the data exactly; so a byte belongs to one
 * tensor, and no two names can alias one another.
 *
 * Alignment: the format does not ask for it, but every writer pads its header so that it holds. We
 * refuse what is not aligned rather than copy it.
 */
#include "embed/safetensors.h"

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"

#include <endian.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define LENGTH_BYTES 8

static const struct {
	const char *name;
	unsigned size;
} dtypes[] = {
    [SAFETENSORS_BOOL] = {"BOOL", 1}, [SAFETENSORS_U8] = {"U8", 1},
    [SAFETENSORS_I8] = {"I8", 1},     [SAFETENSORS_F16] = {"F16", 2},
    [SAFETENSORS_BF16] = {"BF16", 2}, [SAFETENSORS_I16] = {"I16", 2},
    [SAFETENSORS_U16] = {"U16", 2},   [SAFETENSORS_F32] = {"F32", 4},
    [SAFETENSORS_I32] = {"I32", 4},   [SAFETENSORS_U32] = {"U32", 4},
    [SAFETENSORS_F64] = {"F64", 8},   [SAFETENSORS_I64] = {"I64", 8},
    [SAFETENSORS_U64] = {"U64", 8},
};

struct safetensors {
	char *file; /* its name, for messages */
	void *map;  /* what munmap() gets; NULL when the memory is the caller's */
	size_t map_size;
	const unsigned char *data; /* behind the header */
	size_t data_size;
	json_t *header; /* owns the names */
	struct safetensor *items;
	size_t n_items;
	struct map by_name;
};

static int corrupted(const struct safetensors *s, const char *tensor, const char *what,
		     struct err *err)
{
	if (!tensor)
		return err_set(err, ERR_CORRUPTED, "\"%s\" is no safetensors file: %s", s->file,
			       what);
	return err_set(err, ERR_CORRUPTED, "\"%s\": tensor \"%.200s\" %s", s->file, tensor, what);
}

/* --- one entry ------------------------------------------------------------------------------- */

static int read_dtype(const json_t *entry, enum safetensors_dtype *ret)
{
	const char *name = json_string_value(json_object_get(entry, "dtype"));

	for (size_t i = 0; name && i < ARRAY_LEN(dtypes); i++) {
		if (cstr_equal(dtypes[i].name, name)) {
			*ret = (enum safetensors_dtype)i;
			return 0;
		}
	}
	return -1;
}

/* A whole number from 0 up; false for anything else. */
static bool read_size(const json_t *value, size_t *ret)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (size_t)json_integer_value(value);
	return true;
}

/* Shape, and `size` as it says. */
static const char *read_shape(const json_t *entry, struct safetensor *t)
{
	const json_t *shape = json_object_get(entry, "shape");
	size_t rank = json_array_size(shape);

	if (!json_is_array(shape))
		return "has no shape";
	if (rank > SAFETENSORS_RANK_MAX)
		return "has too many dimensions";
	t->rank = (unsigned)rank;
	t->size = dtypes[t->dtype].size;
	for (size_t i = 0; i < rank; i++) {
		if (!read_size(json_array_get(shape, i), &t->shape[i]))
			return "has a dimension that is no whole number";
		if (__builtin_mul_overflow(t->size, t->shape[i], &t->size))
			return "has a shape beyond all memory";
	}
	return NULL;
}

/* What is wrong with the entry, NULL for nothing. */
static const char *read_entry(const struct safetensors *s, const json_t *entry,
			      struct safetensor *t)
{
	const json_t *offsets = json_object_get(entry, "data_offsets");
	const char *wrong;
	size_t begin, end;

	if (!json_is_object(entry))
		return "is not described by an object";
	if (read_dtype(entry, &t->dtype) < 0)
		return "has a type that is unknown";
	wrong = read_shape(entry, t);
	if (wrong)
		return wrong;
	if (json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &begin) ||
	    !read_size(json_array_get(offsets, 1), &end))
		return "has no two data_offsets";
	if (begin > end || end > s->data_size)
		return "lies outside of the file";
	if (end - begin != t->size)
		return "has another number of bytes than its shape says";
	t->data = s->data + begin;
	if ((uintptr_t)t->data % dtypes[t->dtype].size)
		return "is not aligned";
	return NULL;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct safetensor *x = a, *y = b;

	if (x->data != y->data)
		return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size; /* empty ones first */
}

static int check_cover(struct safetensors *s, struct err *err)
{
	const unsigned char *at = s->data;

	if (s->n_items)
		qsort(s->items, s->n_items, sizeof(*s->items), by_place);
	for (size_t i = 0; i < s->n_items; i++) {
		if (s->items[i].data != at)
			return corrupted(s, s->items[i].name,
					 (const unsigned char *)s->items[i].data > at
					     ? "begins behind a gap"
					     : "overlaps another one",
					 err);
		at += s->items[i].size;
	}
	if (at != s->data + s->data_size)
		return corrupted(s, NULL, "there are bytes behind the last tensor", err);
	return 0;
}

static int read_entries(struct safetensors *s, struct err *err)
{
	const char *name;
	json_t *entry;
	int r;

	if (json_object_size(s->header) > SAFETENSORS_TENSORS_MAX)
		return err_set(err, ERR_LIMIT, "\"%s\": above %d tensors", s->file,
			       SAFETENSORS_TENSORS_MAX);
	s->items = mem_alloc_array(json_object_size(s->header), sizeof(*s->items));
	json_object_foreach(s->header, name, entry)
	{
		struct safetensor *t = &s->items[s->n_items];
		const char *wrong;

		if (cstr_equal(name, "__metadata__"))
			continue;
		t->name = name;
		wrong = read_entry(s, entry, t);
		if (wrong)
			return corrupted(s, name, wrong, err);
		s->n_items++;
	}
	r = check_cover(s, err);
	for (size_t i = 0; i < s->n_items && r == 0; i++)
		*map_put(&s->by_name, str_from(s->items[i].name)) = &s->items[i];
	return r;
}

static int read_file(struct safetensors *s, const unsigned char *bytes, size_t size,
		     struct err *err)
{
	uint64_t length;
	json_error_t error;

	if (size < LENGTH_BYTES)
		return corrupted(s, NULL, "it has less than 8 bytes", err);
	memcpy(&length, bytes, sizeof(length));
	length = le64toh(length);
	if (length > size - LENGTH_BYTES)
		return corrupted(s, NULL, "its header is longer than the file", err);
	if (length > SAFETENSORS_HEADER_MAX)
		return corrupted(s, NULL, "its header is too long", err);
	s->data = bytes + LENGTH_BYTES + length;
	s->data_size = size - LENGTH_BYTES - (size_t)length;
	s->header = json_loadb((const char *)bytes + LENGTH_BYTES, (size_t)length,
			       JSON_REJECT_DUPLICATES, &error);
	if (!s->header)
		return corrupted(s, NULL, error.text, err);
	if (!json_is_object(s->header))
		return corrupted(s, NULL, "its header is no JSON object", err);
	return read_entries(s, err);
}

int safetensors_parse(const char *name, const void *data, size_t size, struct safetensors **ret,
		      struct err *err)
{
	_cleanup_(safetensors_freep) struct safetensors *s = MEM_NEW(struct safetensors);
	int r;

	s->file = mem_strdup(name);
	r = read_file(s, data, size, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

int safetensors_open(const char *path, struct safetensors **ret, struct err *err)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct safetensors *s = NULL;
	struct stat st;
	void *map;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return file_error("open", path, err);
	if (!S_ISREG(st.st_mode) || st.st_size < LENGTH_BYTES)
		return err_set(err, ERR_CORRUPTED, "\"%s\" is no safetensors file: %s", path,
			       S_ISREG(st.st_mode) ? "it has less than 8 bytes"
						   : "it is not a regular file");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return file_error("map", path, err);
	r = safetensors_parse(path, map, (size_t)st.st_size, &s, err);
	if (r < 0) {
		(void)munmap(map, (size_t)st.st_size);
		return r;
	}
	s->map = map;
	s->map_size = (size_t)st.st_size;
	*ret = s;
	return 0;
}

struct safetensors *safetensors_free(struct safetensors *s)
{
	if (!s)
		return NULL;
	map_done(&s->by_name);
	mem_free(s->items);
	json_decref(s->header);
	if (s->map)
		(void)munmap(s->map, s->map_size);
	mem_free(s->file);
	mem_free(s);
	return NULL;
}

size_t safetensors_count(const struct safetensors *s)
{
	return s->n_items;
}

const struct safetensor *safetensors_at(const struct safetensors *s, size_t i)
{
	bug_if(i >= s->n_items);
	return &s->items[i];
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
	return map_get(&s->by_name, str_from(name));
}

#define LANES 16 /* a loop of constant length is what the compiler makes vectors of */

/* Whether one of LANES numbers has an exponent of all ones: is infinite, or no number. */
static uint32_t is_any_bad(const float *x)
{
	uint32_t bits[LANES], bad = 0;

	memcpy(bits, x, sizeof(bits));
	for (size_t i = 0; i < LANES; i++)
		bad |= (bits[i] & 0x7F800000u) == 0x7F800000u;
	return bad;
}

static bool all_finite(const float *x, size_t n)
{
	float rest[LANES] = {0};
	uint32_t bad = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		bad |= is_any_bad(x + i);
	if (i < n) /* also: there may be no numbers, and no place where they would be */
		memcpy(rest, x + i, (n - i) * sizeof(*x));
	return !(bad | is_any_bad(rest));
}

int safetensors_floats(const struct safetensors *s, const char *name, size_t rows, size_t columns,
		       const float **ret, struct err *err)
{
	const struct safetensor *t = safetensors_find(s, name);

	if (!t)
		return corrupted(s, name, "is missing", err);
	if (t->dtype != SAFETENSORS_F32)
		return corrupted(s, name, "is not of type F32", err);
	if (t->rank != (rows ? 2 : 1) || t->shape[t->rank - 1] != columns ||
	    (rows && t->shape[0] != rows))
		return corrupted(s, name, "has another shape than the configuration says", err);
	if (!all_finite(t->data, t->size / sizeof(float)))
		return corrupted(s, name, "has a value that is not finite", err);
	*ret = t->data;
	return 0;
}
