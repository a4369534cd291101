/*
 * What the files of an index hold of documents, read as files: for proving that an erased document
 * is in none of them, by its key and not by its texts. The index may be in use meanwhile, or by
 * nobody. One thread.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

struct search_trace_question {
	const char *dir; /* of the index; not there: nothing is held */
	size_t n;
	const char *const *collections; /* of each document */
	const struct str *keys;
	/* Document `i` has a record, a vector or a use of one in this file, below `dir`. */
	int (*fn)(void *arg, const char *file, size_t i, struct err *err);
	void *arg;
};

/* Whether there are any files of an index. */
bool search_trace_has_files(const char *dir);
/* ERR_IO, ERR_CORRUPTED: a file cannot be read, which proves nothing. */
int search_trace(const struct search_trace_question *q, struct err *err) _must_check_;

/* By which name the cache of embeddings knows who uses a vector: "reviews:12". */
struct str search_trace_owner(const char *collection, struct str key, struct arena *arena);
