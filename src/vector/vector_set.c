/*
 * Reading sets of vectors. The header of a .npy file is the text of a Python dictionary, of which
 * just three keys are there and one form is written by NumPy; that one is read.
 */
#include "vector/vector_set.h"

#include "base/file.h"
#include "base/mem.h"
#include "vector/vector.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define IDS_FILE_MAX ((size_t)1 << 30)

static int refuse(const char *name, struct err *err, const char *why)
{
	(void)err_set(err, ERR_CORRUPTED, "\"%s\" is no set of vectors: %s", name, why);
	return err_hint(err, "a .npy of 32-bit floats in two dimensions, or an .fvecs");
}

/* The number after the text, or -1. */
static int64_t number_at(struct str *s)
{
	int64_t value = 0;
	size_t i = 0;

	while (i < s->len && s->data[i] == ' ')
		i++;
	if (i == s->len || s->data[i] < '0' || s->data[i] > '9')
		return -1;
	for (; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
		if (value > INT64_MAX / 100)
			return -1;
		value = value * 10 + (s->data[i] - '0');
	}
	*s = (struct str){s->data + i, s->len - i};
	return value;
}

/* What follows a key of the dictionary. */
static bool value_of(struct str header, const char *key, struct str *ret)
{
	const char *at = memmem(header.data, header.len, key, strlen(key));

	if (!at)
		return false;
	at += strlen(key);
	*ret = (struct str){at, header.len - (size_t)(at - header.data)};
	return true;
}

static int read_npy_header(const char *name, struct str header, struct vector_set *s,
			   struct err *err)
{
	struct str descr, order, shape;
	int64_t n, dimension;

	if (!value_of(header, "'descr': ", &descr) ||
	    !value_of(header, "'fortran_order': ", &order) ||
	    !value_of(header, "'shape': (", &shape))
		return refuse(name, err, "its header is not NumPy's");
	if (!str_starts(descr, "'<f4'"))
		return refuse(name, err, "its values are not 32-bit floats, little-endian");
	if (!str_starts(order, "False"))
		return refuse(name, err, "it is in Fortran's order");
	n = number_at(&shape);
	if (n < 0 || !str_starts(shape, ","))
		return refuse(name, err, "its shape cannot be read");
	shape = (struct str){shape.data + 1, shape.len - 1};
	dimension = number_at(&shape);
	if (dimension < 1 || dimension > VECTOR_DIMENSION_MAX || !str_starts(shape, ")"))
		return refuse(name, err, "it has not two dimensions, the second up to 4096");
	s->n = (size_t)n;
	s->dimension = (unsigned)dimension;
	s->stride = (size_t)dimension * sizeof(float);
	return 0;
}

static int read_npy(const char *name, const uint8_t *data, size_t size, struct vector_set *s,
		    struct err *err)
{
	size_t at = data[6] == 1 ? 10 : 12,
	       len; /* version 1 has a length of two bytes, later four */
	int r;

	if (size < at)
		return refuse(name, err, "it ends within its header");
	len = data[8] | (size_t)data[9] << 8;
	if (data[6] != 1)
		len |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
	if (size - at < len)
		return refuse(name, err, "it ends within its header");
	r = read_npy_header(name, (struct str){(const char *)data + at, len}, s, err);
	if (r < 0)
		return r;
	s->first = data + at + len;
	if ((uintptr_t)s->first % sizeof(float) != 0)
		return refuse(name, err, "its values are not aligned");
	if (s->stride == 0 || (size - at - len) / s->stride < s->n)
		return refuse(name, err, "it ends before its last vector");
	return 0;
}

static int read_fvecs(const char *name, const uint8_t *data, size_t size, struct vector_set *s,
		      struct err *err)
{
	uint32_t dimension, here;

	memcpy(&dimension, data, sizeof(dimension));
	if (dimension < 1 || dimension > VECTOR_DIMENSION_MAX)
		return refuse(name, err, "it does not begin as one");
	s->dimension = dimension;
	s->stride = sizeof(uint32_t) + (size_t)dimension * sizeof(float);
	s->n = size / s->stride;
	s->first = data + sizeof(uint32_t);
	if (size % s->stride != 0)
		return refuse(name, err, "it ends within a vector");
	for (size_t i = 0; i < s->n; i++) {
		memcpy(&here, data + i * s->stride, sizeof(here));
		if (here != dimension)
			return refuse(name, err, "its vectors have not all the same dimension");
	}
	return 0;
}

int vector_set_read(const char *name, const uint8_t *data, size_t size, struct vector_set *ret,
		    struct err *err)
{
	struct vector_set s = {0};
	int r;

	if (size < 8)
		return refuse(name, err, "it is too short");
	r = memcmp(data, "\x93NUMPY", 6) == 0 ? read_npy(name, data, size, &s, err)
					      : read_fvecs(name, data, size, &s, err);
	if (r == 0)
		*ret = s;
	return r;
}

int vector_set_open(const char *path, struct vector_set *ret, struct err *err)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;
	int r;

	if (fd < 0)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			       "could not open \"%s\": %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is not a file", path);
	if (st.st_size < 8)
		return refuse(path, err, "it is too short");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_set(err, ERR_IO, "could not map \"%s\": %s", path, strerror(errno));
	r = vector_set_read(path, map, (size_t)st.st_size, ret, err);
	if (r < 0) {
		(void)munmap(map, (size_t)st.st_size);
		return r;
	}
	ret->map = map;
	ret->map_bytes = (size_t)st.st_size;
	return 0;
}

void vector_set_close(struct vector_set *s)
{
	if (s->map)
		(void)munmap(s->map, s->map_bytes);
	*s = (struct vector_set){0};
}

static int read_id(const char *path, size_t line, struct str text, uint32_t *ret, struct err *err)
{
	uint64_t id;

	if (parse_uint64(text, VECTOR_ID_NONE - 1, &id, err) < 0) {
		(void)err_context(err, "%s:%zu", path, line);
		return err_hint(err, "one id a line, from 0 to %u", VECTOR_ID_NONE - 1);
	}
	*ret = (uint32_t)id;
	return 0;
}

int vector_ids_read(const char *path, uint32_t **ret, size_t *ret_n, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(IDS_FILE_MAX);
	uint32_t *ids = NULL;
	size_t n = 0, cap = 0, line = 0;
	const char *p, *end;
	int r = file_read(path, &b, err);

	if (r < 0)
		return r;
	end = strbuf_str(&b) + b.len;
	for (p = strbuf_str(&b); p < end && r == 0; line++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		struct str text = {p, (size_t)((stop ? stop : end) - p)};

		mem_grow(&ids, &cap, n + 1, sizeof(*ids));
		r = read_id(path, line + 1, str_trim(text), &ids[n++], err);
		p = stop ? stop + 1 : end;
	}
	if (r < 0) {
		mem_free(ids);
		return r;
	}
	*ret = ids;
	*ret_n = n;
	return 0;
}
