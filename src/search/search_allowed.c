/* Sets of documents: see search_allowed.h. */
#include "search/search_allowed.h"

#include <roaring/roaring.h>

#include "base/banned.h"

#define BLOCK 1024 /* numbers handed over at a time */

uint64_t *search_allowed_new(const struct search_corpus_view *view, struct arena *arena)
{
	uint64_t *bits = arena_alloc(arena, (view->words + 1) * sizeof(*bits));

	if (view->words)
		memcpy(bits, view->live, view->words * sizeof(*bits));
	return bits;
}

int search_allowed_only(const struct search_corpus_view *view, const char *const *filters, size_t n,
			struct arena *arena, uint64_t *bits, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct search_filter f;

		r = search_filter_parse(str_from(filters[i]), arena, &f, err);
		if (r == 0)
			r = search_columns_filter(view->columns, &f, bits, view->words, err);
	}
	return r;
}

void search_allowed_drop(const struct search_corpus_view *view, uint64_t *bits, uint32_t number)
{
	if (number / 64 < view->words)
		bits[number / 64] &= ~(UINT64_C(1) << (number % 64));
}

bool search_allowed_has(const struct search_corpus_view *view, const uint64_t *bits,
			uint32_t number)
{
	return number / 64 < view->words && (bits[number / 64] >> (number % 64) & 1);
}

uint32_t search_allowed_count(const struct search_corpus_view *view, const uint64_t *bits)
{
	uint32_t n = 0;

	for (size_t i = 0; i < view->words; i++)
		n += (uint32_t)__builtin_popcountll(bits[i]);
	return n;
}

struct roaring_bitmap_s *search_allowed_bitmap(const struct search_corpus_view *view,
					       const uint64_t *bits)
{
	roaring_bitmap_t *bitmap = roaring_bitmap_create();
	uint32_t block[BLOCK];
	size_t n = 0;

	for (size_t i = 0; i < view->words; i++) {
		for (uint64_t rest = bits[i]; rest; rest &= rest - 1) {
			block[n++] = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(rest);
			if (n == BLOCK) {
				roaring_bitmap_add_many(bitmap, n, block);
				n = 0;
			}
		}
	}
	roaring_bitmap_add_many(bitmap, n, block);
	return bitmap;
}
