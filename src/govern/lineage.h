/*
 * Lineage: which run made which data of which, as events of OpenLineage (spec 2-0-2) in table
 * data_lineage_tracker, from where they can be sent to any endpoint that takes them.
 *
 * A run of a job (load, migrate, sync.COLLECTION, index.COLLECTION, warehouse, erase, quality) has
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

#include "govern/access.h"

extern const struct config_option lineage_options[]; /* section "lineage" */

#define LINEAGE_JOB_MAX 190 /* bytes of a job's name */

/* Where the stores are, and what is known of what is in them. */
struct lineage_place {
	const char *version;	   /* of this program */
	const char *job_namespace; /* "aethermart" */
	const char *maria, *mongo; /* "mysql://db.example:3306", "mongodb://aethermart" */
	const char *database, *mongo_database, *warehouse;
	/* Each may be NULL: what it would say is left out. */
	const struct schema *schema;
	const struct mapping_set *mappings;
	const struct access *access;
};

enum lineage_kind {
	LINEAGE_TABLE,	    /* of the shop */
	LINEAGE_COLLECTION, /* of MongoDB */
	LINEAGE_INDEX,	    /* of a collection */
	LINEAGE_WAREHOUSE,  /* a table of it */
	LINEAGE_FILE,
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
	enum lineage_kind kind;
	const char *name; /* "Products", "product_catalog"; of a file its path */
	bool is_counted;
	uint64_t rows;				    /* read or written, when they were counted */
	const struct lineage_assertion *assertions; /* of what is read */
	size_t n_assertions;
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
};

/* Writes START, and ABORT for runs of this job whose process is gone. */
int lineage_run_begin(struct maria *db, const struct lineage_place *place,
		      const struct lineage_job *job, struct lineage_run *ret, struct err *err)
    _must_check_;

/* RUNNING: counts since the last one. */
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
 * START and COMPLETE. In a transaction of its own.
 */
int lineage_quality_event(struct maria *db, const struct lineage_place *place,
			  const struct lineage_dataset *datasets, size_t n, struct err *err)
    _must_check_;

/* Ends runs of the job (NULL: of all) whose process is gone. */
int lineage_abort_dead(struct maria *db, const struct lineage_place *place, const char *job,
		       uint64_t *ret_n, struct err *err) _must_check_;

/* Appends the rights that an account needs which writes lineage, as lines of SQL. */
void lineage_add_grants(struct strbuf *b, const char *database, const char *user);
