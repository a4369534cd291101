/*
 * A set of documents of a corpus, a bit for each number: those that a question may find.
 * Thread-safe; the corpus is locked while it is made.
 */
#pragma once

#include "search/search_corpus.h"

struct roaring_bitmap_s;

/* All that are there; in the arena, as many words as the view has, and one. */
uint64_t *search_allowed_new(const struct search_corpus_view *view, struct arena *arena);
/* Takes out those that do not fulfil the conditions, as written. ERR_INVALID_ARGUMENT. */
int search_allowed_only(const struct search_corpus_view *view, const char *const *filters, size_t n,
			struct arena *arena, uint64_t *bits, struct err *err) _must_check_;
void search_allowed_drop(const struct search_corpus_view *view, uint64_t *bits, uint32_t number);
bool search_allowed_has(const struct search_corpus_view *view, const uint64_t *bits,
			uint32_t number);
uint32_t search_allowed_count(const struct search_corpus_view *view, const uint64_t *bits);
/* For the vectors; to be freed with roaring_bitmap_free(). */
struct roaring_bitmap_s *search_allowed_bitmap(const struct search_corpus_view *view,
					       const uint64_t *bits);
