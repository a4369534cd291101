/* Insides of a generation, shared by search_index.c (life, scans, reading) and search_apply.c. */
#pragma once

#include "search/search_index.h"
#include "search/search_state.h"
#include "vector/vector.h"

#include <pthread.h>

struct search_index_collection {
	const char *name;
	int64_t row;
	uint64_t space;		      /* what the numbers mean */
	uint32_t known;		      /* they were below when it was opened */
	struct vector_index *vectors; /* NULL: it was not kept */
	struct vector_reader *reader; /* under index.reader */
	struct vector_reader *own;    /* the writer's */
	/* Of the scan; as in state. */
	int64_t scan;
	enum search_phase phase;
	bool is_forced;
	struct strbuf cursor;
	int64_t done;
	bool holds_deleted; /* vectors and texts that documents had, overwritten by the next compact
			     */
};

struct search_index {
	struct arena arena;
	struct search_index_options options;
	struct search_state state;
	pthread_mutex_t writer; /* guards state, the collections' scans */
	bool log_holds_deleted; /* that of the state */

	pthread_mutex_t reader; /* guards those below, and the collections' readers */
	sqlite3 *read_db;
	sqlite3_stmt *read_key;
	size_t n; /* written under both */
	struct search_index_collection collections[SEARCH_COLLECTIONS_MAX];
};

/* The place of a collection; search_index.n: there is none. Under the writer's mutex or the
 * reader's. */
size_t search_index_find(const struct search_index *ix, const char *name);

/* The keys that a statement, already bound, returns. */
int search_index_take_keys(struct search_index *ix, sqlite3_stmt *s, struct search_keys *ret,
			   struct err *err) _must_check_;
