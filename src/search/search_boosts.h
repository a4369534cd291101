/*
 * What puts some hits before others without being a condition: boosts that a query is understood
 * as, and what the shop prefers (`prefer` in the rules).
 *
 * Thread-safe; the corpus is locked from search_boosts_prefer() on as long as they are used.
 */
#pragma once

#include "search/search_corpus.h"

struct search_boosts {
	const struct search_corpus_view *view; /* borrowed, as the arena */
	struct arena *arena;
	struct search_boost *items;
	size_t n, cap;
	struct search_preference *preferences;
	size_t n_preferences;
	float most; /* that a document can have */
};

/* Room for `n` that are added, besides those of the rules. */
void search_boosts_init(struct search_boosts *b, const struct search_corpus_view *view, size_t n,
			struct arena *arena);
/* Documents that fulfil the condition have `weight` more. ERR_INVALID_ARGUMENT: search_columns.h */
int search_boosts_add(struct search_boosts *b, const struct search_filter *f, double weight,
		      struct err *err) _must_check_;
int search_boosts_prefer(struct search_boosts *b, struct err *err) _must_check_;
float search_boosts_of(const struct search_boosts *b, uint32_t document);
