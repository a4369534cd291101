/*
 * Memory: see mem.h. The only file that calls the allocator, therefore without banned.h.
 *
 * Arena blocks start at 8 KiB and double to 1 MiB; an allocation above a quarter of a block gets a
 * block of its own behind the current one, so that it wastes nothing of it.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK_MIN ((size_t)8 << 10)
#define ARENA_BLOCK_MAX ((size_t)1 << 20)
#define ARENA_ALIGN	((size_t)16)

static _noreturn_ void out_of_memory(size_t size)
{
	fprintf(stderr, "aethermart: out of memory: could not allocate %zu bytes\n", size);
	abort();
}

void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *mem_alloc_array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *mem_realloc_array(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n ? n : 1, size ? size : 1);

	if (!q)
		out_of_memory(size);
	return q;
}

int mem_try_alloc(size_t size, size_t limit, void **ret, struct err *err)
{
	void *p;

	if (size > limit)
		return err_set(err, ERR_LIMIT, "%zu bytes are above the limit of %zu", size, limit);
	p = malloc(size ? size : 1);
	if (!p)
		return err_set(err, ERR_NO_MEMORY, "could not allocate %zu bytes", size);
	*ret = p;
	return 0;
}

void mem_free(void *p)
{
	free(p);
}

void *mem_dup(const void *p, size_t size)
{
	void *q = mem_alloc(size);

	if (size)
		memcpy(q, p, size);
	return q;
}

char *mem_strndup(const char *s, size_t len)
{
	char *q = mem_alloc(len + 1);

	if (len)
		memcpy(q, s, len);
	q[len] = '\0';
	return q;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory(0);
	return s;
}

void mem_grow(void *array, size_t *cap, size_t need, size_t item_size)
{
	size_t n = *cap ? *cap : 8;
	void *p;

	if (need <= *cap)
		return;
	while (n < need) {
		bug_if(n > SIZE_MAX / 2);
		n *= 2;
	}
	memcpy(&p, array, sizeof(p));
	p = mem_realloc_array(p, n, item_size);
	memset((char *)p + *cap * item_size, 0, (n - *cap) * item_size);
	memcpy(array, &p, sizeof(p));
	*cap = n;
}

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	size_t pad; /* keeps data 16-aligned */
	char data[];
};

static struct arena_block *block_new(size_t size)
{
	struct arena_block *b = mem_alloc(sizeof(*b) + size);

	*b = (struct arena_block){.size = size};
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	void *p;

	bug_if(size > SIZE_MAX / 2);
	size = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (!size)
		size = ARENA_ALIGN;
	if (!b || b->size - b->used < size) {
		size_t want = b ? b->size * 2 : ARENA_BLOCK_MIN;

		if (want > ARENA_BLOCK_MAX)
			want = ARENA_BLOCK_MAX;
		if (size > want / 4) { /* own block, behind the current one */
			struct arena_block *own = block_new(size);

			if (b) {
				own->next = b->next;
				b->next = own;
			} else {
				a->blocks = own;
			}
			b = own;
		} else {
			struct arena_block *fresh = block_new(want);

			fresh->next = b;
			a->blocks = b = fresh;
		}
	}
	p = b->data + b->used;
	b->used += size;
	a->used_bytes += size;
	return memset(p, 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (len)
		memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	bug_if(n < 0);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

static void free_blocks(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_clear(struct arena *a)
{
	struct arena_block *b = a->blocks;

	a->used_bytes = 0;
	if (!b)
		return;
	if (b->size > ARENA_BLOCK_MAX) { /* one huge allocation must not stay */
		arena_done(a);
		return;
	}
	free_blocks(b->next);
	b->next = NULL;
	b->used = 0;
}

void arena_done(struct arena *a)
{
	free_blocks(a->blocks);
	*a = (struct arena){0};
}
