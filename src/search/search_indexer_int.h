/* Insides of the indexer, shared by search_indexer.c (the thread) and search_take.c (documents). */
#pragma once

#include "base/metrics.h"
#include "search/search_indexer.h"
#include "search/search_text.h"
#include "sync/sync_reader.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEARCH_REASONS_MAX 5 /* that status shows, the most frequent ones */

struct search_target { /* a collection that is indexed; under the indexer's mutex for readers */
	const struct search_collection *rules; /* NULL: not indexed at present */
	const char *name;
	size_t number; /* in the index */
	struct metric *m_documents, *m_vectors, *m_waiting, *m_aside, *m_embedded, *m_seconds;
	bool wants_rebuild;
	struct err scan_failed; /* of the thread: its last page */
	/* What status shows. */
	int64_t documents, waiting;
	struct search_figures figures;
	int64_t scan_started_us, scan_done;
	int64_t embedded;
	json_t *reasons;
};

struct search_indexer {
	struct search_indexer_options options;
	struct sync_reader *reader;
	struct search_rules *rules;
	pthread_t thread;
	atomic_bool stop;
	atomic_bool is_serving;
	atomic_bool wants_forget;
	_Atomic int64_t round_since_us; /* of the round that runs; 0: it waits */
	_Atomic(const char *const *) consumers;
	bool is_built;		   /* told */
	bool is_renumbered;	   /* documents have other numbers than those of the vectors */
	size_t next_scan;	   /* whose turn it is */
	struct strbuf text, title; /* scratch */
	struct err refusal;	   /* of the embedder in this round, which does not ask it again */

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t stopping;
	bool has_ended; /* the thread; it can be joined at once */
	size_t n;
	struct search_target targets[SEARCH_COLLECTIONS_MAX];
	enum err_code failed; /* of the last round; 0: it went well */
	char error[ERR_MESSAGE_MAX], hint[ERR_HINT_MAX];
};

/* Documents of one collection: see sync_reader_options.take. */
int search_take(struct search_indexer *x, struct search_target *t,
		const struct mapping_document *documents, size_t n, struct err *err) _must_check_;
/* What the cache keeps of a collection's texts. */
int search_take_forget_all(struct search_indexer *x, const char *collection, struct err *err)
    _must_check_;
