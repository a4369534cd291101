/*
 * What the files of the sink share: sync_sink.c (client, fence, transaction), sync_sink_apply.c
 * (batches), sync_sink_move.c (other _id's, pages). One thread: the worker that owns the sink.
 */
#pragma once

#include "sync/sync_int.h"

struct sync_sink {
	struct mongo *mongo;
	mongoc_client_t *client;
	mongoc_client_session_t *session;
	mongoc_transaction_opt_t *options;
	mongoc_collection_t *fences;
	mongoc_collection_t *collection; /* of the last mapping used */
	const struct mapping *mapping;
	unsigned fence;
	bool is_uncertain; /* the last commit failed, and may yet become visible */
};

struct sync_found {
	const struct mapping *mapping;
	struct arena *arena;
	struct map by_key; /* key -> const bson_t in the arena */
};

struct sync_plan {
	mongoc_bulk_operation_t *bulk;
	size_t *index; /* of each operation: its write */
	size_t n, n_updates;
};

#define CODE_BAD_VALUE 2 /* also of a command that is not understood: names no document */

/* Borrowed, until another mapping is asked for. */
mongoc_collection_t *sync_sink_collection(struct sync_sink *s, const struct mapping *m);

/* Calls fn for each document; what it returns other than 0 ends the reading and is returned. */
int sync_sink_each(mongoc_collection_t *c, const bson_t *filter, const bson_t *opts,
		   int (*fn)(void *, const bson_t *, struct err *), void *arg, struct err *err)
    _must_check_;
/* Fills f->by_key with the documents of these keys, whole or what is compared; in the transaction
 * that is open, if one is. */
int sync_sink_find(struct sync_sink *s, const struct sync_sink_context *c,
		   const struct sync_write *writes, size_t n, bool only_owned, struct sync_found *f,
		   struct err *err) _must_check_;

bool sync_has_field(const bson_t *doc, const char *name); /* `doc` may be NULL */
bool sync_is_left(const bson_t *have);			  /* it stayed when its row left */
/* Only documents that the sync made are ever touched without being compared. */
void sync_append_marked(bson_t *filter);

/* Operations of a plan; errors are the driver's, which cannot encode the document. */
int sync_plan_insert(struct sync_plan *p, const bson_t *doc, struct err *err) _must_check_;
int sync_plan_update(struct sync_plan *p, const struct mapping *m, struct str key,
		     const bson_t *update, struct err *err) _must_check_;
int sync_plan_delete(struct sync_plan *p, const struct mapping *m, struct str key, struct err *err)
    _must_check_;

int sync_sink_begin(struct sync_sink *s, struct err *err) _must_check_;
void sync_sink_roll_back(struct sync_sink *s); /* nothing when none is open */
int sync_sink_settle(struct sync_sink *s, int64_t term, struct err *err) _must_check_;
mongoc_bulk_operation_t *sync_sink_new_bulk(struct sync_sink *s, const struct mapping *m,
					    bool ordered);
/* The fence and the operations, as one transaction that was begun. *ret_refused is the index of the
 * operation that the server refused (ERR_DOCUMENT), or -1. */
int sync_sink_run(struct sync_sink *s, int64_t term, struct sync_plan *p, int64_t *ret_refused,
		  struct err *err) _must_check_;
