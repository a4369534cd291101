/*
 * Data quality: checks that stand in the files of rules/quality (language: docs/quality.md), run on
 * the stores (quality_run), or on each document that the sync writes (quality_stream.h).
 *
 * A check looks at rows of a table or documents of a collection and counts what is wrong; or it
 * measures something, as rows, age or drift, and compares it with a limit. What is wrong is told by
 * keys, never by values: rows keep their values where they are, and results may be read by people
 * who may not see these.
 *
 * Results are rows of data_quality_logs, one a check and run. With `quarantine: yes` each key that
 * fails stands in Quality_Quarantine, with the reason, until it passes again; nothing is taken out
 * of any store, since MariaDB is what the others have to equal.
 *
 * Checks are immutable once read; any number of threads may use them. A run belongs to one thread.
 */
#pragma once

#include "base/mem.h"
#include "base/ydoc.h"
#include "mapping/mapping.h"
#include "shop/warehouse.h"
#include "sync/sync_verify.h"

extern const struct config_option quality_options[]; /* section "quality" */

/* --- checks ---------------------------------------------------------------------------------- */

enum quality_kind {
	QUALITY_ROW_COUNT,	/* how many there are */
	QUALITY_MISSING,	/* NULL or empty */
	QUALITY_UNIQUE,		/* two rows have the same */
	QUALITY_INVALID,	/* of another form, range or list */
	QUALITY_REFERENCE,	/* names a row that is not there */
	QUALITY_FRESHNESS,	/* how long ago the last change was committed */
	QUALITY_SCHEMA,		/* columns are others than recorded */
	QUALITY_DISTRIBUTION,	/* values are spread otherwise than recorded */
	QUALITY_RECONCILIATION, /* a store has other things than rows make them */
	QUALITY_SQL,		/* own SQL gives the keys of what is wrong */
	QUALITY_KINDS
};
const char *quality_kind_name(enum quality_kind kind);

enum quality_measure { QUALITY_PSI, QUALITY_KL };

/* What is reconciled with the rows. */
enum quality_store { QUALITY_DOCUMENTS, QUALITY_INDEX, QUALITY_WAREHOUSE };

#define QUALITY_NAME_MAX    64 /* of a check; the width of its columns */
#define QUALITY_COLUMNS_MAX 8
#define QUALITY_KEY_MAX	    255 /* characters of a key in the tables; what is longer is cut */

struct quality_pattern; /* a compiled regular expression */

/* What a value has to be. What is not set is not asked. */
struct quality_form {
	const char *pattern;		  /* as written, or of a named format; NULL: any */
	struct quality_pattern *compiled; /* matches anywhere, as REGEXP does */
	const char *const *list;	  /* NULL: any */
	size_t n_list;
	const char *min, *max; /* as written; NULL: any */
	double min_number, max_number;
	int64_t min_length, max_length; /* characters; -1: any */
};

struct quality_check {
	const char *name, *about, *owner;
	enum quality_kind kind;
	bool is_warning; /* severity: warn */
	bool quarantines, streams;
	const char *table; /* one of both is set; SCHEMA and SQL: none, too */
	const char *collection;
	const char *columns[QUALITY_COLUMNS_MAX]; /* of the table */
	size_t n_columns;
	const char *field; /* of the collection, a dotted path; through arrays, all elements */
	const char *where; /* SQL; NULL: all rows */
	const char *sql;
	int64_t timeout_ms;
	/* What may be wrong without a finding: so many rows, or this share of all; -1: not set. */
	int64_t allowed_rows;
	double allowed_percent;
	struct quality_form form; /* INVALID */
	const char *to_table;	  /* REFERENCE */
	const char *to_columns[QUALITY_COLUMNS_MAX];
	size_t n_to_columns;
	int64_t min_rows, max_rows;   /* ROW_COUNT; -1: not set */
	double max_change;	      /* percent, against the run before; -1: not set */
	int64_t within_ms;	      /* FRESHNESS */
	const char *const *tables;    /* SCHEMA; NULL-terminated; NULL: all */
	enum quality_measure measure; /* DISTRIBUTION */
	double max_drift;
	enum quality_store store; /* RECONCILIATION */
	const struct ynode *node; /* for messages */
};

struct quality_checks {
	struct arena arena;
	size_t n;
	struct quality_check *items; /* by file, then as written */
	size_t n_docs;
	struct ydoc **docs;
};

/* All *.yaml of a folder. Errors name file:line:column, with the nearest word. */
int quality_load(const char *dir, struct quality_checks **ret, struct err *err) _must_check_;
int quality_parse(const char *file, const char *text, size_t len, struct quality_checks **ret,
		  struct err *err) _must_check_;
/* Whether tables, columns and collections are there. `schema` or `mappings` may be NULL. */
int quality_bind(const struct quality_checks *checks, const struct schema *schema,
		 const struct mapping_set *mappings, struct err *err) _must_check_;
struct quality_checks *quality_free(struct quality_checks *c);
DEFINE_CLEANUP(struct quality_checks *, quality_free)
/* NULL, and ERR_NOT_FOUND with the nearest name. */
const struct quality_check *quality_find(const struct quality_checks *c, const char *name,
					 struct err *err);

/* What a check is of: the table, the collection, "(schema)" or "(warehouse)". */
const char *quality_entity(const struct quality_check *c);

/* Whether a document passes a check of the kinds MISSING and INVALID. */
bool quality_judge(const struct quality_check *c, const bson_t *document);

/* --- drift ----------------------------------------------------------------------------------- */

/*
 * How far `now` is from `before`, counts in the same n classes. Population stability index: the
 * sum of (a - b) ln(a / b) over shares (Siddiqi, Credit Risk Scorecards, 2006, who calls below 0.1
 * no change and above 0.25 a great one). Kullback-Leibler: the sum of a ln(a / b), in nats. A class
 * without values counts as half a value, so that both stay finite. 0 when either side is empty.
 */
double quality_drift(enum quality_measure measure, const uint64_t *before, const uint64_t *now,
		     size_t n);

/* --- a run ----------------------------------------------------------------------------------- */

enum quality_outcome {
	QUALITY_PASSED,
	QUALITY_WARNED, /* wrong, and the check says warn */
	QUALITY_FAILED,
	QUALITY_ERROR, /* it could not be judged: `details` says why */
};
const char *quality_outcome_name(enum quality_outcome outcome);

#define QUALITY_SAMPLE	       20     /* keys of a result that are kept with it */
#define QUALITY_QUARANTINE_MAX 100000 /* keys a check and run */

struct quality_result {
	const struct quality_check *check;
	enum quality_outcome outcome;
	bool has_measure;
	double measured; /* rows, seconds, drift */
	uint64_t checked, failed;
	int64_t run_us;
	const char *details; /* in words, without values of rows */
	size_t n_keys;	     /* of what failed: the sample, or with `quarantine` all of them */
	const char *const *keys;
	uint64_t log_id; /* in data_quality_logs, once it is kept */
	uint64_t ack_id; /* not 0: it is acknowledged, and no worse since */
};
/* Whether a result makes a run fail. */
bool quality_result_counts(const struct quality_result *r);

struct quality_run {
	struct arena arena;
	uint64_t id;
	const char *started_at; /* UTC, of the server */
	size_t n;
	struct quality_result *results;
};
void quality_run_done(struct quality_run *r);

struct quality_stores {
	struct maria *db; /* of the schema's owner: rows are read, results written */
	const struct schema *schema;
	const struct mapping_set *mappings;
	/* For documents: the sync's own account. NULL: such checks cannot be judged. */
	struct maria *sync;
	struct mongo *mongo;
	const char *without; /* why not */
	/* What the index is asked through, and where the warehouse is, the caller knows. Both are
	 * the comparisons of `verify` and `warehouse check`; an error: it could not be judged. */
	int (*verify_index)(void *arg, const struct mapping *m,
			    const struct sync_verify_options *options,
			    struct sync_verify_result *ret, struct err *err);
	int (*check_warehouse)(void *arg, int64_t timeout_ms, shop_warehouse_fn fn, void *fn_arg,
			       struct err *err);
	void *arg;
};

struct quality_how {
	const struct quality_check *const *checks;
	size_t n;
	bool records; /* what drift is compared with is written anew */
	const char *actor;
	void (*on_check)(void *arg, const struct quality_check *c); /* before each; may be NULL */
	void *arg;
};

/*
 * Runs the checks: what MariaDB can tell in one snapshot, then documents; then writes all results
 * in one transaction. A check that fails, or cannot be judged, stops no other; an error is returned
 * when MariaDB is lost or the results cannot be written, and then nothing was.
 */
int quality_run(const struct quality_stores *stores, const struct quality_how *how,
		struct quality_run *ret, struct err *err) _must_check_;

/* --- what was found -------------------------------------------------------------------------- */

struct quality_row {
	uint64_t log_id, run_id, checked, failed;
	int64_t run_us;
	bool has_measure, is_acked;
	double measured;
	const char *check, *entity, *column, *outcome, *owner, *details, *at;
};
typedef int (*quality_row_fn)(void *arg, const struct quality_row *row, struct err *err);
typedef int (*quality_key_fn)(void *arg, const char *entity, const char *key, struct err *err);

struct quality_run_head {
	uint64_t id;
	const char *started_at, *finished_at, *actor;
};
/* Results of a run, 0: the last. ERR_NOT_FOUND: there is none. Texts live in the arena. */
int quality_report(struct maria *db, uint64_t run, struct arena *arena,
		   struct quality_run_head *ret, quality_row_fn fn, void *arg, struct err *err)
    _must_check_;
int quality_samples(struct maria *db, uint64_t log_id, quality_key_fn fn, void *arg,
		    struct err *err) _must_check_;
/* The last `limit` results of a check, the newest first. */
int quality_trend(struct maria *db, const char *check, size_t limit, quality_row_fn fn, void *arg,
		  struct err *err) _must_check_;

struct quality_quarantined {
	const char *check, *entity, *key, *reason, *found_by, *first_seen, *last_seen, *resolved_at;
};
typedef int (*quality_quarantined_fn)(void *arg, const struct quality_quarantined *q,
				      struct err *err);
/* The newest first; of one check unless it is NULL; those that pass again, too, with `all`. */
struct quality_wanted {
	const char *check;
	size_t limit;
	bool all;
};
int quality_quarantine(struct maria *db, const struct quality_wanted *wanted,
		       quality_quarantined_fn fn, void *arg, struct err *err) _must_check_;

/*
 * Says that somebody knows of a failing check. While it holds, results of the check fail no run:
 * until it passes once, until more is wrong than when it was acknowledged, until the end of the day
 * `until` ("2026-12-31", UTC; NULL: no such day).
 */
struct quality_ack {
	const char *what; /* name of a check, or number of a result */
	const char *by, *note, *until;
};
int quality_acknowledge(struct maria *db, const struct quality_ack *ack, struct arena *arena,
			const char **ret_check, struct err *err) _must_check_;
