/*
 * Safetensors: named arrays of numbers in one file, read in place through mmap.
 *
 * Layout: 8 bytes, little endian: the header's length N; N bytes of JSON, an object of
 * {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}} and an optional
 * "__metadata__"; then the data, which the tensors cover without a gap or an overlap. Offsets count
 * from the end of the header.
 *
 * A file is taken as hostile: all of this is checked at opening, and nothing is read beyond it
 * later. What mmap cannot exclude: a file that another process cuts short while it is open. Replace
 * files by rename.
 *
 * An opened file is immutable: any number of threads may read.
 */
#pragma once

#include "base/strbuf.h"

#define SAFETENSORS_HEADER_MAX	((size_t)16 << 20) /* bytes of JSON; our model has 11 KB */
#define SAFETENSORS_TENSORS_MAX 65536
#define SAFETENSORS_RANK_MAX	8

enum safetensors_dtype {
	SAFETENSORS_BOOL,
	SAFETENSORS_U8,
	SAFETENSORS_I8,
	SAFETENSORS_F16,
	SAFETENSORS_BF16,
	SAFETENSORS_I16,
	SAFETENSORS_U16,
	SAFETENSORS_F32,
	SAFETENSORS_I32,
	SAFETENSORS_U32,
	SAFETENSORS_F64,
	SAFETENSORS_I64,
	SAFETENSORS_U64,
};

struct safetensor {
	const char *name;
	enum safetensors_dtype dtype;
	unsigned rank;
	size_t shape[SAFETENSORS_RANK_MAX];
	const void *data; /* aligned to the type's size */
	size_t size;	  /* bytes */
};

struct safetensors;

/*
 * ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO: the file; ERR_CORRUPTED: the file is not what is described
 * above (the message names file and tensor); ERR_LIMIT: more than SAFETENSORS_TENSORS_MAX.
 */
int safetensors_open(const char *path, struct safetensors **ret, struct err *err) _must_check_;
/* The same of memory that outlives it, aligned to 8; `name` stands for the file in messages. */
int safetensors_parse(const char *name, const void *data, size_t size, struct safetensors **ret,
		      struct err *err) _must_check_;
struct safetensors *safetensors_free(struct safetensors *s);
DEFINE_CLEANUP(struct safetensors *, safetensors_free)

size_t safetensors_count(const struct safetensors *s);
const struct safetensor *safetensors_at(const struct safetensors *s, size_t i); /* borrowed */

/* NULL when there is none of that name. */
const struct safetensor *safetensors_find(const struct safetensors *s, const char *name);

/*
 * Numbers of a tensor that must be F32 of shape [rows, columns], or [columns] when `rows` is 0.
 * ERR_CORRUPTED, naming file and tensor: absent, of another type or shape, or with a value that is
 * not finite.
 */
int safetensors_floats(const struct safetensors *s, const char *name, size_t rows, size_t columns,
		       const float **ret, struct err *err) _must_check_;
