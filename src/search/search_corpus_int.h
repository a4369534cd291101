/* Insides of a corpus, shared by search_corpus.c (writing, reading) and search_corpus_load.c
 * (opening). */
#pragma once

#include "base/map.h"
#include "search/search_corpus.h"
#include "search/search_forward.h"
#include "search/search_opinion.h"
#include "search/search_store.h"

#include <pthread.h>

#define SEARCH_CONTENT_MAX (4 * SEARCH_RECORD_MAX) /* bytes of a record with its terms */

struct search_slot {
	struct str key;
	struct search_stored at; /* size 0: no document */
};

struct search_corpus {
	struct search_corpus_options options;
	struct search_store *store;
	struct search_dictionary *dictionary;
	struct search_analyzer *analyzer; /* the writer's */
	struct search_tokens tokens;
	struct search_forward fresh, former; /* scratch of the writer */

	pthread_mutex_t writing; /* guards the store's end */
	pthread_rwlock_t lock;	 /* guards all below */
	struct arena arena;	 /* keys */
	struct map numbers;	 /* by key: the number and one */
	struct search_slot *slots;
	size_t n, cap;
	uint32_t known; /* of them when it was opened; immutable */
	uint64_t *live, *seen;
	size_t words;
	uint32_t documents;
	struct search_terms *terms;
	struct search_lexical *lexical;
	struct search_lexical *making; /* the writer's: filled before it takes the other's place */
	struct search_columns *columns;
	struct search_opinion *opinion;	     /* NULL: the rules ask for none */
	struct search_weights weights;	     /* with the averages that `lexical` was made with */
	uint64_t lengths[SEARCH_FIELDS_MAX]; /* of all documents */
};

/* Locked for writing, or before anybody reads. */
void search_corpus_name_slot(struct search_corpus *c, uint32_t number, struct str key);
bool search_corpus_find_number(const struct search_corpus *c, struct str key, uint32_t *ret);
void search_corpus_set_live(struct search_corpus *c, uint32_t number, bool value);
/* A document's terms from its texts; the dictionary may get new ones: locked for writing. */
void search_corpus_analyze(struct search_corpus *c, const struct search_record *r,
			   struct search_forward *ret);
struct search_rated search_corpus_rated(const struct search_corpus *c,
					const struct search_record *r,
					const struct search_forward *terms);
/* Averages of the documents that are counted. */
void search_corpus_take_averages(struct search_corpus *c);
void search_corpus_count_lengths(struct search_corpus *c, const struct search_record *r,
				 bool is_gone);
/* Writes the content of a document anew, with the terms in `fresh`, which it has already in memory.
 */
int search_corpus_save_terms(struct search_corpus *c, uint32_t number,
			     const struct search_record *r, struct err *err) _must_check_;

/* A content as it is in the file. */
struct search_content {
	struct str terms, record;
	uint64_t space;
};
/* The bytes go to `b`, which is emptied before. */
int search_corpus_content(const struct search_corpus *c, const struct search_stored *at,
			  struct strbuf *b, struct search_content *ret, struct err *err)
    _must_check_;
/* Puts all documents into `making`; those whose terms are of another dictionary go to `bad`
 * (mem_free). */
struct search_weighing {
	size_t n_terms;			/* of the dictionary */
	struct search_opinion *opinion; /* learns from them; NULL: none, or it has */
	uint32_t *bad;
	size_t n_bad, n_unreadable;
};
void search_corpus_weigh(struct search_corpus *c, struct search_weighing *w);
/* Puts one into `making` by its texts, of which the terms are in `fresh` then. */
int search_corpus_weigh_texts(struct search_corpus *c, uint32_t number, struct arena *arena,
			      struct search_record *ret, struct err *err) _must_check_;
void search_corpus_read_weights(struct search_corpus *c); /* from the rules */
