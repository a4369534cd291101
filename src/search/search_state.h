/*
 * The state of a generation, in SQLite: the statements that there are, and one way to run them. For
 * the files of the index only. One thread at a time (the caller's lock).
 *
 * Parameters are given by their types, a letter each: "i" an int64_t, "b" a struct str *, "t" a
 * text.
 */
#pragma once

#include "base/strbuf.h"

#include <sqlite3.h>

enum search_statement {
	SEARCH_S_BEGIN,
	SEARCH_S_COMMIT,
	SEARCH_S_ROLLBACK,
	SEARCH_S_GET,
	SEARCH_S_SET,
	SEARCH_S_COLLECTION,
	SEARCH_S_COLLECTIONS,
	SEARCH_S_COLLECTION_ADD,
	SEARCH_S_COLLECTION_SAVE,
	SEARCH_S_COLLECTION_DROP,
	SEARCH_S_COLLECTIONS_SCAN,
	SEARCH_S_DOCUMENT,
	SEARCH_S_DOCUMENT_ADD,
	SEARCH_S_DOCUMENT_SEEN,
	SEARCH_S_DOCUMENT_DONE,
	SEARCH_S_DOCUMENT_DROP,
	SEARCH_S_DOCUMENT_FORGET,
	SEARCH_S_DOCUMENTS,
	SEARCH_S_DOCUMENTS_DROP,
	SEARCH_S_UNSEEN,
	SEARCH_S_ASIDE,
	SEARCH_S_ASIDE_SET,
	SEARCH_S_ASIDE_DROP,
	SEARCH_S_ASIDE_DUE,
	SEARCH_S_ASIDE_COUNT,
	SEARCH_S_ASIDE_REASONS,
	SEARCH_S_LEFT_OUT_DROP,
	SEARCH_S_ASIDES_DROP,
	SEARCH_STATEMENTS
};

struct search_state {
	sqlite3 *db;
	const char *dir; /* for messages */
	sqlite3_stmt *statements[SEARCH_STATEMENTS];
};

/* Opens `path`, which is made; its tables too. */
int search_state_open(struct search_state *s, const char *path, struct err *err) _must_check_;
void search_state_done(struct search_state *s);

/* A statement ready to step. */
int search_state_prepare(struct search_state *s, enum search_statement which, sqlite3_stmt **ret,
			 struct err *err, const char *types, ...) _must_check_;
/* 1 row, 0 end. */
int search_state_step(struct search_state *s, sqlite3_stmt *st, struct err *err) _must_check_;
/* One without rows. */
int search_state_run(struct search_state *s, enum search_statement which, struct err *err,
		     const char *types, ...) _must_check_;
int search_state_begin(struct search_state *s, struct err *err) _must_check_;
/* Commits when `r` is 0; else, or when that fails, rolls back. Returns the first error. */
int search_state_end(struct search_state *s, int r, struct err *err) _must_check_;
int search_state_error(sqlite3 *db, const char *dir, struct err *err);
/* Empties the write-ahead log, in which what was deleted still stands. 1: a query reads it at this
 * moment; to be done again. */
int search_state_truncate_log(struct search_state *s, struct err *err) _must_check_;
struct str search_state_blob(sqlite3_stmt *st, int column);
int search_state_open_file(const char *path, int flags, sqlite3 **ret, const char *dir,
			   struct err *err) _must_check_;
