/*
 * What only grows, and how long it is kept: one table of stores, from which come the options
 * retention.NAME, `retention show` and `purge`, what `serve` deletes each hour, the metrics of size
 * and the forecast of when the disk is full.
 *
 * A purge deletes the oldest in pieces of some thousand rows, found by primary key, each a
 * transaction of its own at READ COMMITTED: nobody who appends waits for it longer than for a
 * piece. Between pieces it asks its caller for a pause. A table that is not there is an empty
 * store. What was deleted is told to the audit.
 *
 * A table does not become smaller: the space is used for new rows.
 */
#pragma once

#include "base/config.h"
#include "govern/audit.h"

extern const struct config_option retention_options[]; /* section "retention" */

enum retention_kind {
	RETENTION_TABLE,
	RETENTION_CHAIN,   /* the audit: behind a signed checkpoint */
	RETENTION_BINLOGS, /* of the embedded server; elsewhere they are its keeper's */
	RETENTION_WITNESS, /* renamed files of server_audit */
	RETENTION_LOGS,	   /* of the run-time folder */
	RETENTION_CACHE,   /* of embeddings */
};

struct retention_store {
	const char *name;
	enum retention_kind kind;
	bool is_warehouse;		/* its table is there, not in the shop's database */
	const char *table, *key, *time; /* key NULL: `time` has an index, and rows go by it */
	const char *child;	/* a table with the same key column that goes first; NULL: none */
	const char *condition;	/* of the row, besides its age; NULL: none */
	const char *option;	/* NULL: it is kept, or goes by other rules */
	int64_t option_unit_ms; /* 0: a duration */
	const char *why;	/* it is kept so long, or for ever */
};
extern const struct retention_store retention_stores[]; /* ended by a NULL name */

/* Milliseconds; 0: for ever. */
int64_t retention_of(const struct config *config, const struct retention_store *s);

struct retention_place {
	struct maria *db; /* of the schema's owner, at READ COMMITTED (retention_prepare()) */
	const struct config *config;
	const char *log_dir, *witness_dir, *cache_path; /* NULL: none of ours */
	bool has_own_server;
	struct audit_witness witness; /* of the audit's chain */
	const unsigned char *secret_key;
	const char *actor;
	bool (*pause)(void *arg); /* between pieces; false: end here. NULL: none */
	void *arg;
};

/* Sets up the session of place->db. */
int retention_prepare(struct maria *db, struct err *err) _must_check_;

struct retention_size {
	bool is_there;
	bool is_estimate;     /* of the rows: few are counted, of many the server has an idea */
	uint64_t bytes, rows; /* rows of a table, or files */
	char oldest[20];      /* "2026-11-27 16:30:27", UTC; "" : none */
};
int retention_look(const struct retention_place *p, const struct retention_store *s,
		   struct retention_size *ret, struct err *err) _must_check_;

/* Deletes what is older than its retention, or counts it (`is_dry`). 0 where it is for ever. */
int retention_purge(const struct retention_place *p, const struct retention_store *s, bool is_dry,
		    uint64_t *ret_n, struct err *err) _must_check_;

/* Writes down how large each store and the disk of `dir` is now, and sets the metrics. */
int retention_sample(const struct retention_place *p, const char *dir, struct err *err)
    _must_check_;

struct retention_forecast {
	uint64_t samples;
	double days_seen, bytes_a_day; /* by all samples or by the last week, whichever is more */
	double days_left; /* until the disk is full; 0: too few samples, or it does not fill */
	bool is_known;	  /* at least a day of samples, a dozen */
};
/* Of a store's name, or RETENTION_DISK; `free_bytes` for days_left. */
#define RETENTION_DISK "(disk)"
int retention_foresee(struct maria *db, const char *name, uint64_t free_bytes,
		      struct retention_forecast *ret, struct err *err) _must_check_;
