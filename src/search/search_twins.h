/*
 * Which documents are one thing in several variants: the same mug in red and in blue, the same
 * cable of one metre and of two. A list of things shows one of them.
 *
 * Two are one when their vectors are as good as equal, or when their titles say the same words but
 * for numbers and values of some attributes, and their vectors do not contradict (search_rules.h,
 * `twin` and `apart`). A title that is hardly more than a number says nothing: many are codes.
 *
 * One thread; everything lives in the arena.
 */
#pragma once

#include "base/map.h"
#include "search/search_corpus.h"

struct search_twins {
	const struct search_likeness *rules;
	struct search_analyzer *analyzer;
	struct arena *arena;
	struct search_tokens tokens;
	struct map apart; /* words that make no difference */
	unsigned dimension;
};
/* The corpus is locked. */
void search_twins_init(struct search_twins *t, const struct search_corpus_view *view,
		       struct search_analyzer *analyzer, struct arena *arena);
void search_twins_done(struct search_twins *t);

struct search_twin {
	const char *title;   /* what is left of it; NULL: too little */
	const float *vector; /* of length 1; NULL: there is none */
};
/* What is left of a title: "hp ink cartridge" of "HP 301 black ink cartridge". NULL: too little. */
const char *search_twins_title(struct search_twins *t, struct str title);
bool search_twins_are_one(const struct search_twins *t, const struct search_twin *a,
			  const struct search_twin *b);
