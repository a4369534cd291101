/* Insides of the cache of embeddings: the file and its statements (embed_cache_db.c), and what is
 * done with them (embed_cache.c). Everything here is called with the mutex held, but for opening
 * and closing. */
#pragma once

#include "embed/embed_cache.h"

#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>

#define CACHE_HASH_BYTES 32

enum cache_sql {
	CACHE_BEGIN,
	CACHE_COMMIT,
	CACHE_ROLLBACK,
	CACHE_FIND_MODEL,
	CACHE_ADD_MODEL,
	CACHE_FIND_VECTOR,
	CACHE_ADD_VECTOR,
	CACHE_MEND_VECTOR,
	CACHE_FIND_USE,
	CACHE_SET_USE,
	CACHE_DROP_UNUSED,
	CACHE_LIST_USES,
	CACHE_LIST_OWNERS,
	CACHE_COUNT_USES,
	CACHE_DROP_USES,
	CACHE_LIST_OLD,
	CACHE_COUNT_OLD,
	CACHE_DROP_USES_OF,
	CACHE_DROP_VECTOR,
	CACHE_STATS,
	CACHE_SQL_COUNT
};

struct embed_cache {
	pthread_mutex_t mutex;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[CACHE_SQL_COUNT];
	unsigned char key[crypto_generichash_KEYBYTES];
	/* Owners that were forgotten while vectors are being made, and when on `clock`. */
	size_t in_flight;
	uint64_t clock;
	struct cache_forgotten {
		char *owner;
		size_t len;
		uint64_t at;
	} * forgotten;
	size_t n_forgotten, cap_forgotten;
	struct metric *hits, *misses, *mended;
};

int cache_db_open(struct embed_cache *c, struct err *err) _must_check_;
void cache_db_close(struct embed_cache *c);

/* The statement, ready for new parameters. */
sqlite3_stmt *cache_sql(struct embed_cache *c, enum cache_sql which);
/* 1: a row is there, 0: none is left (the statement is reset), negative: error (reset as well). */
int cache_step(struct embed_cache *c, sqlite3_stmt *s, struct err *err) _must_check_;
/* Runs one that gives no rows, without parameters or with those that are bound. */
int cache_run(struct embed_cache *c, sqlite3_stmt *s, struct err *err) _must_check_;
int cache_begin(struct embed_cache *c, struct err *err) _must_check_;
/* Commits when r is 0, else rolls back. Returns the first error. */
int cache_end(struct embed_cache *c, int r, struct err *err) _must_check_;
/* Empties the write-ahead log. */
int cache_truncate_log(struct embed_cache *c, struct err *err) _must_check_;
int cache_error(struct embed_cache *c, int code, struct err *err);

void cache_bind_blob(sqlite3_stmt *s, int i, const void *data, size_t len);
void cache_bind_int(sqlite3_stmt *s, int i, int64_t v);
