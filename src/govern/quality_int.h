/* What the files of quality.h share. */
#pragma once

#include "govern/quality.h"

#define QUALITY_STATEMENT_MAX ((size_t)1 << 20)

/* --- regular expressions (quality_pattern.c) -------------------------------------------------- */

int quality_pattern_new(const char *text, struct quality_pattern **ret, const char **ret_why,
			struct arena *arena) _must_check_; /* -1: it is none, and why */
bool quality_pattern_matches(const struct quality_pattern *p, struct str text);
void quality_pattern_free(struct quality_pattern *p);
/* The regular expression of a named format, NULL: there is none of that name. */
const char *quality_format(const char *name);
extern const char *const quality_format_names[]; /* NULL-terminated */

/* --- checks of rows as SQL (quality_plan.c) --------------------------------------------------- */

/* Of checks that count what is wrong among the rows of a table, and of SQL. */
struct quality_plan {
	char *count_sql; /* rows, and how many are wrong */
	char *keys_sql;	 /* their keys, at most as many as asked for */
};
void quality_plan_done(struct quality_plan *p);
int quality_plan_make(const struct quality_check *c, const struct schema *s, size_t limit,
		      struct quality_plan *ret, struct err *err) _must_check_;
/* " FROM table t WHERE where" */
void quality_add_from(struct strbuf *b, const struct quality_check *c);
/* Appends the key of a row of alias t as a text. */
void quality_add_key(struct strbuf *b, const struct schema_table *t);

/* --- a run ----------------------------------------------------------------------------------- */

struct quality_runner {
	const struct quality_stores *stores;
	const struct quality_how *how;
	struct quality_run *run;
	int64_t timeout_ms; /* that the session has */
	/* Baselines to be written with the results. */
	struct quality_baseline {
		const char *check;
		struct str text;
	} * baselines;
	size_t n_baselines, cap_baselines;
};
void quality_keep_baseline(struct quality_runner *rn, const char *check, struct str text);
/* NULL when none is recorded. In the run's arena. */
int quality_read_baseline(struct quality_runner *rn, const char *check, const char **ret,
			  struct err *err) _must_check_;
/* Notes a key of what failed, as long as there is room. */
struct quality_keys {
	const char **items;
	size_t n, cap, max;
};
void quality_add_failed(struct quality_runner *rn, struct quality_keys *keys, struct str key);
size_t quality_keys_max(const struct quality_check *c);

/* Each fills a result but for its outcome, which follows from what was found. */
int quality_measure_rows(struct quality_runner *rn, struct quality_result *r, struct err *err)
    _must_check_;
int quality_measure_freshness(struct quality_runner *rn, struct quality_result *r, struct err *err)
    _must_check_;
int quality_measure_schema(struct quality_runner *rn, struct quality_result *r, struct err *err)
    _must_check_;
int quality_measure_distribution(struct quality_runner *rn, struct quality_result *r,
				 struct err *err) _must_check_;
int quality_measure_documents(struct quality_runner *rn, struct quality_result *r, struct err *err)
    _must_check_;
int quality_reconcile(struct quality_runner *rn, struct quality_result *r, struct err *err)
    _must_check_;

/* All of it in one transaction. */
int quality_keep(struct quality_runner *rn, struct err *err) _must_check_;

/* The columns or the field, for the tables. */
const char *quality_columns_text(const struct quality_check *c, struct arena *arena);
