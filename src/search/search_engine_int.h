/* Insides of the engine, shared by search_engine.c (generations), search_ask.c (queries) and those
 * that answer other questions: search_similar.c, search_suggest_ask.c, search_recommend.c. */
#pragma once

#include "search/search_analyzer.h"
#include "search/search_engine.h"
#include "search/search_indexer.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEARCH_ANALYZERS_MAX 8

struct generation {
	unsigned number;
	const char *name, *dir, *consumer;
	struct search_index *index;
	struct embedder *embedder;
	struct search_indexer *indexer;
	unsigned refs; /* of queries; under the engine's mutex */
};

struct search_engine {
	struct search_engine_options options;
	struct arena arena; /* of the control thread */
	const char *id;
	int lock_fd;
	struct search_words *words; /* from the first bring-up on */
	struct arena words_arena;   /* its texts */
	const char *words_consumer;
	struct search_orders *orders; /* locks itself */
	struct embed_cache *cache;
	pthread_t thread;
	atomic_bool stop;
	_Atomic int64_t rests_until_us; /* before it no query is given to a remote provider */
	bool is_stuck; /* of the control thread: a generation that was replaced does not end */

	pthread_mutex_t mutex; /* guards all below, and the generations' refs */
	pthread_cond_t changed;
	struct generation *serving, *building; /* whichever is there */
	bool is_built;			       /* `building` has all documents */
	bool is_up;
	struct search_analyzer *analyzers[SEARCH_ANALYZERS_MAX]; /* that nobody uses */
	size_t n_analyzers;
	struct err failed; /* why it is not up; of the old model, why it cannot be asked */
};

/* The one that answers, or will; NULL: none is there yet. To be put back. */
struct generation *search_engine_take_ref(struct search_engine *e);
void search_engine_drop_ref(struct search_engine *e, struct generation *g);
/* NULL: not there yet; else it lives as long as the engine. */
struct search_words *search_engine_words(struct search_engine *e);
/* ERR_UNAVAILABLE, with why. */
int search_engine_not_there(struct search_engine *e, struct err *err);

/* What a question works with (search_ask.c). One thread. */
struct search_desk {
	struct search_engine *e;
	struct arena arena;
	struct search_lent lent;
	struct generation *generation; /* NULL: there are no vectors */
	struct search_analyzer *analyzer;
};
/* `in` names a scope or a collection. To be closed, also when it fails. ERR_NOT_FOUND, UNAVAILABLE.
 */
int search_desk_open(struct search_engine *e, const char *in, struct search_desk *d,
		     struct err *err) _must_check_;
void search_desk_close(struct search_desk *d);

/* The query asks for what is like a document ("customers like 15"), and is answered so. */
bool search_similar_is_asked(struct search_desk *d, const struct search_request *q);
int search_similar_answer(struct search_desk *d, const struct search_request *q,
			  struct strbuf *json, const char **ret_wrong, struct err *err)
    _must_check_;
