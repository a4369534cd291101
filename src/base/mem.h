/*
 * Memory. Two tiers: mem_alloc() and its relatives are for small, bounded sizes and abort when the
 * system has none (state is crash-safe, so a restart is the recovery); mem_try_alloc() is for sizes
 * that come from input and returns ERR_NO_MEMORY. Thread-safe. Everything is released by
 * mem_free(), which is also what releases memory that a library took from malloc for us.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <string.h>

/* Uninitialised memory of at least one byte. Aborts when there is none. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));

/* n * size zeroed bytes, overflow checked. */
void *mem_alloc_array(size_t n, size_t size) __attribute__((malloc, returns_nonnull));

/* Resizes to n * size bytes, overflow checked; new bytes are uninitialised. */
void *mem_realloc_array(void *p, size_t n, size_t size) __attribute__((returns_nonnull));

/* As mem_alloc(), but answers ERR_NO_MEMORY, and ERR_LIMIT above `limit` bytes. */
int mem_try_alloc(size_t size, size_t limit, void **ret, struct err *err) _must_check_;

void mem_free(void *p);

char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
void *mem_dup(const void *p, size_t size) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *fmt, ...) _printf_(1, 2) __attribute__((malloc, returns_nonnull));

/* Zeroed object of a type. */
#define MEM_NEW(type) ((type *)mem_alloc_array(1, sizeof(type)))

/*
 * Makes room for `need` items in a growing array, doubling. `array` is the address of the pointer,
 * `cap` its capacity in items. New items are zeroed.
 */
void mem_grow(void *array, size_t *cap, size_t need, size_t item_size);

/* For _cleanup_(mem_freep) on any pointer. */
static inline void mem_freep(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	mem_free(p);
}

/*
 * Arena: many small allocations with one end. A unit of work (a batch, a request) has one; nothing
 * from it outlives arena_clear() or arena_done(). Not thread-safe.
 */
struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used_bytes; /* of all blocks, for metrics and limits */
};
void *arena_alloc(struct arena *a, size_t size)
    __attribute__((returns_nonnull)); /* zeroed, 16-aligned */
char *arena_strndup(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3)
    __attribute__((returns_nonnull));
void arena_clear(struct arena *a); /* keeps one block for reuse */
void arena_done(struct arena *a);
