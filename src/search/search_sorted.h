/*
 * Numbers of documents in order, changed in place: pieces of at most 512 pairs, found by halving.
 * The owner's lock guards it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct search_pair {
	double value; /* never NaN */
	uint32_t document;
};

struct search_piece {
	struct search_pair *items;
	uint16_t n, cap;
};

struct search_sorted {
	struct search_piece *pieces; /* none is empty */
	size_t n, cap;
	size_t len;	  /* pairs */
	bool by_document; /* else by value, then by document */
};

void search_sorted_done(struct search_sorted *s);
/* Into one that is empty, in any order, which is changed. Repeated pairs are taken once. */
void search_sorted_fill(struct search_sorted *s, struct search_pair *pairs, size_t n);
/* A pair that is there already stays once. */
void search_sorted_put(struct search_sorted *s, struct search_pair p);
void search_sorted_remove(struct search_sorted *s, struct search_pair p);
size_t search_sorted_memory(const struct search_sorted *s);

/* A place in it: pairs from there on are at `*search_sorted_next()`, until NULL. */
struct search_place {
	size_t piece, item;
};
/* The first pair that is not below. */
struct search_place search_sorted_seek(const struct search_sorted *s, struct search_pair p);
static inline const struct search_pair *search_sorted_next(const struct search_sorted *s,
							   struct search_place *at)
{
	const struct search_piece *piece;

	if (at->piece == s->n)
		return NULL;
	piece = &s->pieces[at->piece];
	if (at->item < piece->n)
		return &piece->items[at->item++];
	at->item = 0;
	if (++at->piece == s->n)
		return NULL;
	return &s->pieces[at->piece].items[at->item++];
}
