/*
 * What tests of one corpus share: a folder in memory, the rules of its collection "c", an analyzer,
 * and the vocabulary of these rules, which knows no values of documents. Mistakes fail the test.
 */
#pragma once

#include "search/search_corpus.h"
#include "search/search_query.h"

struct corpus_fixture {
	char dir[64];
	struct search_rules *rules;
	const struct search_collection *collection;
	struct search_analyzer *analyzer;
	struct search_vocabulary *vocabulary;
};

/* `rules` lives as long as the fixture. */
void corpus_fixture_start(struct corpus_fixture *f, const char *rules);
/* Corpora are freed before. 0, as teardowns return it. */
int corpus_fixture_end(struct corpus_fixture *f);
/* Opens its corpus of this name in the folder; the caller frees it. */
struct search_corpus *corpus_fixture_open(const struct corpus_fixture *f, const char *name,
					  uint64_t hash);
void corpus_fixture_put(struct search_corpus *c, uint32_t key, const bson_t *b);
