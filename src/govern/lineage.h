/*
 * Lineage: which run made which data of which, as events of OpenLineage (spec 2-0-2) in table
 * data_lineage_tracker, from where they can be sent to any endpoint that takes them.
 *
 * A run of a job (load, migrate, sync.COLLECTION, index.words.COLLECTION, index.meaning.COLLECTION,
 * warehouse, erase, quality) has
 * one START and one end: COMPLETE, FAIL, or ABORT when it was stopped or killed. While it goes on
 * it stands in Lineage_Runs with the process that runs it; one whose process is gone is ended by
 * the next run of its job, or by lineage_abort_dead(). START and end carry all that is known of
 * the datasets (schema, column lineage of the mapping, version, classes of personal data), what is
 * between them only counts.
 *
 * An event holds names and counts, never a value or a key of a row. What nobody counted is left
 * out, not said to be zero.
 *
 * Lineage is never a reason for a verb to fail: the caller tells the error as a warning and goes
 * on (cli/cli_lineage.h does both). One connection, one thread. No transaction is open.
 */
#pragma once

#include "base/config.h"
#include "store/maria.h"

extern const struct config_option lineage_options[]; /* section "lineage" */

#define LINEAGE_JOB_MAX 190 /* bytes of a job's name */

struct lineage_graph;

/* Where the stores are, and what is known of what is in them. */
struct lineage_place {
	const char *version;	   /* of this program */
	const char *job_namespace; /* "aethermart" */
	const char *maria, *mongo; /* "mysql://db.example:3306", "mongodb://aethermart" */
	const char *database, *mongo_database, *warehouse;
	const struct lineage_graph *graph; /* NULL: events name datasets and say no more */
};

enum lineage_kind {
	LINEAGE_TABLE,	    /* of the shop */
	LINEAGE_VIEW,	    /* of the shop */
	LINEAGE_COLLECTION, /* of MongoDB */
	LINEAGE_INDEX,	    /* of a collection */
	LINEAGE_WAREHOUSE,  /* a table of it */
	LINEAGE_FILE,
	LINEAGE_ROUTINE, /* procedure, function, trigger: while a graph is made */
	LINEAGE_KINDS
};

struct lineage_assertion {     /* a check and whether it held */
	const char *assertion; /* "not_null", "row_count", "reference" */
	const char *column;    /* NULL: of the whole dataset */
	const char *name;      /* of the check; NULL: none */
	const char *severity;  /* "error", "warn"; NULL: not said */
	bool success;
};

struct lineage_dataset {
	const char *name; /* "Products", "product_catalog"; of a file its path */
	uint64_t rows;	  /* read or written, when they were counted */
	const struct lineage_assertion *assertions; /* of what is read */
	size_t n_assertions;
	enum lineage_kind kind;
	bool is_counted;
};

struct lineage_io { /* texts and arrays live for the call */
	const struct lineage_dataset *inputs, *outputs;
	size_t n_inputs, n_outputs;
};

struct lineage_job {
	const char *name; /* "load" */
	const char *what; /* one sentence for people; NULL: none */
	bool is_stream;	  /* else a batch */
	struct lineage_io io;
};

struct lineage_run {
	char id[37]; /* UUID; "": it was not begun, and the calls below do nothing */
	char job[LINEAGE_JOB_MAX + 1];
	bool is_stream;
};

/* Writes START, and ABORT for runs of this job whose process is gone. */
int lineage_run_begin(struct maria *db, const struct lineage_place *place,
		      const struct lineage_job *job, struct lineage_run *ret, struct err *err)
    _must_check_;

/* RUNNING: counts since the last one. `io` NULL: nothing happened, and no event tells so; that the
 * run goes on is noted. */
int lineage_run_progress(struct maria *db, const struct lineage_place *place,
			 const struct lineage_run *run, const struct lineage_io *io,
			 struct err *err) _must_check_;

/* The end: COMPLETE when `r` is 0, ABORT for ERR_INTERRUPTED, else FAIL with class and message of
 * `why`. `io` has what was read and written in all. The run is over, also after an error. */
struct lineage_outcome {
	int r;
	const struct err *why; /* NULL when r is 0 */
};
int lineage_run_end(struct maria *db, const struct lineage_place *place, struct lineage_run *run,
		    const struct lineage_io *io, const struct lineage_outcome *outcome,
		    struct err *err) _must_check_;

/*
 * A run of job "quality" that is over: datasets with the assertions that were checked of them, as
 * START and COMPLETE.
 */
int lineage_quality_event(struct maria *db, const struct lineage_place *place,
			  const struct lineage_dataset *datasets, size_t n, struct err *err)
    _must_check_;

/* Ends runs of the job (NULL: of all) whose process is gone. */
int lineage_abort_dead(struct maria *db, const struct lineage_place *place, const char *job,
		       uint64_t *ret_n, struct err *err) _must_check_;

/* --- reading --------------------------------------------------------------------------------- */

struct lineage_listed { /* a run; texts live for the call, "" where there is nothing to tell */
	const char *run, *job, *started_at, *state; /* START's time; type of the last event */
	const char *ended_at, *inputs, *outputs, *error_class;
	const char *rows_read, *rows_written; /* "": nobody counted */
	bool is_open;			      /* it goes on, or was killed */
};
typedef int (*lineage_listed_fn)(void *arg, const struct lineage_listed *run, struct err *err);
/* The newest first; job NULL: of all. */
int lineage_list(struct maria *db, const char *job, size_t limit, lineage_listed_fn fn, void *arg,
		 struct err *err) _must_check_;

struct lineage_shown { /* an event */
	uint64_t id;
	const char *type, *time, *rows_read, *rows_written, *gtid, *error_class, *exported_at;
	struct str event; /* JSON */
};
typedef int (*lineage_shown_fn)(void *arg, const struct lineage_shown *event, struct err *err);
/* In order. ERR_NOT_FOUND: there is no such run. */
int lineage_show(struct maria *db, const char *run, lineage_shown_fn fn, void *arg, struct err *err)
    _must_check_;

/* Deletes events of runs that are over from before a time ("2026-01-01", UTC), in pieces. */
int lineage_purge(struct maria *db, const char *before, uint64_t *ret_n, struct err *err)
    _must_check_;

/* Appends the rights that an account needs which writes lineage, as lines of SQL. */
void lineage_add_grants(struct strbuf *b, const char *database, const char *user);
