/*
 * What operators do to the sync: durable switches, dead letters, rights. Rows in MariaDB that the
 * running worker notices within a second; nothing here needs a running worker. One connection, one
 * thread.
 */
#pragma once

#include "sync/sync.h"

/* NULL: all collections. ERR_NOT_FOUND: no such collection. */
int sync_pause(struct maria *db, const char *collection, bool pause, struct err *err) _must_check_;

/* Waits until all that is queued now has been acknowledged. ERR_TIMEOUT says how much is left. */
int sync_drain(struct maria *db, const struct mapping_set *mappings, const char *collection,
	       int64_t timeout_ms, struct err *err) _must_check_;

/* Asks the holder of the lease to project every row again; NULL: all. What is paused waits. */
int sync_migrate_request(struct maria *db, struct mongo *mongo, const struct mapping_set *mappings,
			 const char *collection, bool only_unfinished, unsigned *ret_requested,
			 struct err *err) _must_check_;

struct sync_dead_letter {
	int64_t id;
	const char *collection;
	uint32_t path;
	struct str key;
	const char *error, *first_at, *last_at, *replayed_at; /* replayed_at may be NULL */
	int64_t attempts;
};
typedef int (*sync_dead_letter_fn)(void *arg, const struct sync_dead_letter *d, struct err *err);
/* In id order; collection NULL: all; id 0: all. */
int sync_dead_letter_each(struct maria *db, const char *collection, int64_t id,
			  sync_dead_letter_fn fn, void *arg, struct err *err) _must_check_;
/* Queues them again; each goes when its key succeeds. */
int sync_dead_letter_replay(struct maria *db, const struct mapping_set *mappings,
			    const char *collection, int64_t id, uint64_t *ret_n, struct err *err)
    _must_check_;
/* Forgets them: the documents stay as they are. */
int sync_dead_letter_drop(struct maria *db, const char *collection, int64_t id, uint64_t *ret_n,
			  struct err *err) _must_check_;

/* Consumers of the hand-off. */
int sync_consumer_add(struct maria *db, const char *consumer, const char *kind, struct err *err)
    _must_check_;
int sync_consumer_drop(struct maria *db, const char *consumer, struct err *err) _must_check_;
struct sync_consumer { /* texts live for the call */
	const char *consumer, *kind, *seen_at;
	int64_t waiting;	/* documents */
	int64_t unseen_seconds; /* since it was last there */
};
typedef int (*sync_consumer_fn)(void *arg, const struct sync_consumer *c, struct err *err);
/* By name. Stops when fn fails. */
int sync_consumer_each(struct maria *db, sync_consumer_fn fn, void *arg, struct err *err)
    _must_check_;

/*
 * The other half of sync_uninstall(), to be called before it: deletes the documents that carry the
 * sync's mark, and the fences. The collections are those of the mappings and those that are
 * recorded in `db` (NULL: none). Documents that others made stay, and so do collections.
 */
int sync_uninstall_target(struct maria *db, struct mongo *mongo, const struct mapping_set *mappings,
			  struct err *err) _must_check_;

/*
 * The least rights of the worker's account, as GRANT statements, a line each. It reads the database
 * and sees its triggers, which it compares with the mappings; it writes only queues and the sync's
 * own tables, which must be there already. Granting what is granted changes nothing.
 */
void sync_add_read_grant(struct strbuf *b, const char *database, const char *user);
int sync_add_write_grants(struct strbuf *b, struct maria *db, const struct mapping_set *mappings,
			  const char *database, const char *user, struct err *err) _must_check_;
