/*
 * The sync engine: carries every committed change of the mapped tables to MongoDB.
 *
 * One process holds the lease and writes; others stand by. See ARCHITECTURE.md for what it
 * promises, README.md in this folder for how.
 */
#pragma once

#include "base/config.h"
#include "mapping/mapping.h"
#include "store/mongo.h"

extern const struct config_option sync_options[]; /* section "sync" */

/* --- installation: tables of the sync, queues, triggers, validators, indexes ----------------- */

struct sync_install_report {
	unsigned triggers_made, triggers_kept, collections_changed;
};
/* Idempotent. `admin` owns the schema. Collections whose mapping changed go to "reproject". */
int sync_install(struct maria *admin, struct mongo *mongo, const struct mapping_set *mappings,
		 struct sync_install_report *ret, struct err *err) _must_check_;
/* Drops triggers, queues and the sync's tables; documents stay. The queues are those of the
 * mappings and those that were recorded at their installation: without any mapping all goes too. */
int sync_uninstall(struct maria *admin, const struct mapping_set *mappings, struct err *err)
    _must_check_;

/* What is wrong with the installation, a line each with its fix; 0 lines: all is well. */
typedef void (*sync_problem_fn)(void *arg, const char *what, const char *fix);
int sync_check(struct maria *db, struct mongo *mongo, const struct mapping_set *mappings,
	       sync_problem_fn fn, void *arg, struct err *err) _must_check_;

/* --- the engine ------------------------------------------------------------------------------ */

struct sync_change {
	int64_t applied_us; /* wall clock */
	const char *collection;
	struct str key;
	const char *operation; /* "upsert", "delete", "unchanged", "refused" */
	int64_t lag_us;	       /* from queued_at to the acknowledged write */
};

struct sync_engine_options {
	const struct config *config;
	const struct maria_options *maria; /* copied by the engine's connections */
	const struct mongo_options *mongo;
	const char *mapping_dir;
	/* For each document that was written, or found as it was to be, on worker threads: quick,
	 * without blocking. May be NULL. */
	void (*on_change)(void *arg, const struct sync_change *change);
	void *on_change_arg;
	/* When the documents of a batch have been read, before they are written: a reader of the
	 * hand-off in this process may be offered them (sync_reader_offer), where they will be at
	 * this version. As on_change. */
	void (*on_read)(void *arg, const struct mapping *m,
			const struct mapping_document *documents, size_t n, uint64_t version);
	void *on_read_arg;
	/* When a batch has been written: its documents, those that the target refused, too. For
	 * each key in the order of its changes. As on_change. */
	void (*on_written)(void *arg, const struct mapping *m,
			   const struct mapping_document *documents, size_t n);
	void *on_written_arg;
	/* For `migrate` without a running worker: return when all work is done; ERR_CONFLICT at
	 * once when another process holds the lease. */
	bool exit_when_migrated;
	/* Each 100 ms on the calling thread, for progress; may be NULL. */
	void (*on_tick)(void *arg);
	void *on_tick_arg;
};

struct sync_engine;

int sync_engine_new(const struct sync_engine_options *options, struct sync_engine **ret,
		    struct err *err) _must_check_;
/* Blocks: stands by for the lease, works, goes back to standing by when it loses it. Returns 0
 * after sync_engine_stop() and an error only for what cannot heal by itself (wrong config, no
 * grants). */
int sync_engine_run(struct sync_engine *e, struct err *err) _must_check_;
/* Any thread, and signal handlers: finishes the batches in hand, releases the lease, ends run. */
void sync_engine_stop(struct sync_engine *e);
struct sync_engine *sync_engine_free(struct sync_engine *e);

bool sync_engine_is_ready(const struct sync_engine *e); /* holds the lease and both stores answer */
/* Live state as a JSON object: role, term, workers; by collection lag p50/p99 (ms), counts,
 * retries. */
void sync_engine_status(struct sync_engine *e, struct strbuf *json);

/* --- durable state, readable by any process -------------------------------------------------- */

struct sync_queue_status {
	const char *collection;
	const char *queue;
	const char *state; /* "live", "reproject", "migrating", "paused" */
	int64_t pending, oldest_age_ms, applied, failed, dead_letters;
	int64_t migrated, migrate_total; /* of a running migration; total -1: none */
	const char *mapping_hash;	 /* as installed */
};
struct sync_status {
	struct arena arena;
	bool has_holder;
	const char *holder;
	int64_t term;
	size_t len;
	struct sync_queue_status *items;
	const char *verified_at;     /* NULL: never */
	const char *verified_result; /* "equal in 3 collections", or what differs in one */
	size_t n_equal;		     /* collections found equal, while none differed */
};
int sync_status_read(struct maria *db, struct sync_status *ret, struct err *err) _must_check_;
void sync_status_done(struct sync_status *s);
