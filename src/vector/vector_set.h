/*
 * Sets of vectors in files: NumPy's .npy (32-bit floats, two dimensions, C order) and .fvecs (each
 * vector as its dimension, a 32-bit number, and its floats). The file is mapped and checked; its
 * vectors are borrowed from it. Immutable; any thread.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct vector_set {
	size_t n;
	unsigned dimension;
	const uint8_t *first; /* of the first vector's floats */
	size_t stride;	      /* bytes from one vector to the next */
	void *map;
	size_t map_bytes;
};

/* The kind of file is seen from its start. ERR_CORRUPTED names file and reason. */
int vector_set_open(const char *path, struct vector_set *ret, struct err *err) _must_check_;
/* The same from memory that outlives the set; `name` is for messages. */
int vector_set_read(const char *name, const uint8_t *data, size_t size, struct vector_set *ret,
		    struct err *err) _must_check_;
void vector_set_close(struct vector_set *s);

static inline const float *vector_set_at(const struct vector_set *s, size_t i)
{
	return (const float *)(const void *)(s->first + i * s->stride);
}

/* Ids, one a vector: a text file with one number a line. `ret` is the caller's (mem_free). */
int vector_ids_read(const char *path, uint32_t **ret, size_t *ret_n, struct err *err) _must_check_;
