/*
 * A run: checks of rows in one read-only snapshot of MariaDB, so that they all speak of one moment;
 * then what is no matter of a snapshot (when InnoDB saw a commit), documents, other stores. Nothing
 * is written before all have been looked at.
 */
#include "govern/govern_sql_int.h"
#include "govern/quality_int.h"

#include "base/clock.h"

#include "base/banned.h"

const char *quality_outcome_name(enum quality_outcome outcome)
{
	static const char *const names[] = {"passed", "warned", "failed", "error"};

	return names[outcome];
}

bool quality_result_counts(const struct quality_result *r)
{
	return !r->check->is_warning && !r->ack_id &&
	       (r->outcome == QUALITY_FAILED || r->outcome == QUALITY_ERROR);
}

void quality_run_done(struct quality_run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const void *keys = r->results[i].keys;

		mem_free((void *)(uintptr_t)keys);
	}
	mem_free(r->results);
	arena_done(&r->arena);
	*r = (struct quality_run){0};
}

/* --- pieces of checks ------------------------------------------------------------------------ */

size_t quality_keys_max(const struct quality_check *c)
{
	return c->quarantines ? QUALITY_QUARANTINE_MAX : QUALITY_SAMPLE;
}

void quality_add_failed(struct quality_runner *rn, struct quality_keys *keys, struct str key)
{
	if (keys->n == keys->max)
		return;
	mem_grow(&keys->items, &keys->cap, keys->n + 1, sizeof(*keys->items));
	keys->items[keys->n++] =
	    key.data ? arena_strndup(&rn->run->arena, key.data, key.len) : "NULL";
}

void quality_keep_baseline(struct quality_runner *rn, const char *check, struct str text)
{
	mem_grow(&rn->baselines, &rn->cap_baselines, rn->n_baselines + 1, sizeof(*rn->baselines));
	rn->baselines[rn->n_baselines++] =
	    (struct quality_baseline){check, arena_str(&rn->run->arena, text)};
}

int quality_read_baseline(struct quality_runner *rn, const char *check, const char **ret,
			  struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(rn->stores->db, govern_sql_quality_baseline, MARIA_ARGS(MARIA_S(check)),
			    &rows, err);

	*ret = NULL;
	if (r == 0 && (r = maria_rows_next(rows, err)) > 0)
		*ret = arena_str(&rn->run->arena, maria_rows_str(rows, 0)).data;
	return r < 0 ? r : 0;
}

const char *quality_entity(const struct quality_check *c)
{
	if (c->table)
		return c->table;
	if (c->collection)
		return c->collection;
	return c->store == QUALITY_WAREHOUSE ? "(warehouse)" : "(schema)";
}

const char *quality_columns_text(const struct quality_check *c, struct arena *arena)
{
	const char *text = c->field;

	for (size_t i = 0; i < c->n_columns; i++)
		text = arena_printf(arena, "%s%s%s", i ? text : "", i ? ", " : "", c->columns[i]);
	return text;
}

/* --- checks of rows -------------------------------------------------------------------------- */

static int count_failed(struct quality_runner *rn, const char *sql, struct quality_result *r,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int rc = maria_query_row(rn->stores->db, sql, NULL, 0, &rows, err);

	if (rc <= 0)
		return rc;
	r->checked = maria_rows_uint(rows, 0);
	r->failed = maria_rows_uint(rows, 1);
	return 0;
}

static int list_failed(struct quality_runner *rn, const char *sql, struct quality_result *r,
		       struct err *err)
{
	struct quality_keys keys = {.max = quality_keys_max(r->check)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int rc = maria_query(rn->stores->db, sql, NULL, 0, &rows, err);

	while (rc >= 0 && (rc = maria_rows_next(rows, err)) > 0)
		quality_add_failed(rn, &keys, maria_rows_str(rows, 0));
	r->keys = keys.items;
	r->n_keys = keys.n;
	return rc;
}

static int count_wrong(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	_cleanup_(quality_plan_done) struct quality_plan plan = {0};
	int rc =
	    quality_plan_make(r->check, rn->stores->schema, quality_keys_max(r->check), &plan, err);

	if (rc == 0)
		rc = count_failed(rn, plan.count_sql, r, err);
	if (rc == 0 && r->failed)
		rc = list_failed(rn, plan.keys_sql, r, err);
	return rc;
}

static int measure(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	if (r->check->kind == QUALITY_RECONCILIATION)
		return quality_reconcile(rn, r, err);
	if (r->check->collection && r->check->kind != QUALITY_FRESHNESS)
		return quality_measure_documents(rn, r, err);
	switch (r->check->kind) {
	case QUALITY_ROW_COUNT:
		return quality_measure_rows(rn, r, err);
	case QUALITY_FRESHNESS:
		return quality_measure_freshness(rn, r, err);
	case QUALITY_SCHEMA:
		return quality_measure_schema(rn, r, err);
	case QUALITY_DISTRIBUTION:
		return quality_measure_distribution(rn, r, err);
	case QUALITY_MISSING:
	case QUALITY_UNIQUE:
	case QUALITY_INVALID:
	case QUALITY_REFERENCE:
	case QUALITY_SQL:
		return count_wrong(rn, r, err);
	case QUALITY_RECONCILIATION:
	case QUALITY_KINDS:
		break;
	}
	return err_set(err, ERR_INTERNAL, "a check of an unknown kind");
}

/* --- one check ------------------------------------------------------------------------------- */

static bool is_allowed(const struct quality_result *r)
{
	const struct quality_check *c = r->check;

	if (c->allowed_rows >= 0)
		return r->failed <= (uint64_t)c->allowed_rows;
	return (double)r->failed <= (double)r->checked * c->allowed_percent / 100;
}

/* A bound text is refused there. */
static int limit_time(struct quality_runner *rn, int64_t ms, struct err *err)
{
	char sql[80];
	int r;

	if (rn->timeout_ms == ms)
		return 0;
	(void)snprintf(sql, sizeof(sql), "SET SESSION max_statement_time = %lld.%03lld",
		       (long long)(ms / 1000), (long long)(ms % 1000));
	r = maria_exec(rn->stores->db, sql, err);
	rn->timeout_ms = r == 0 ? ms : -1;
	return r;
}

static bool was_its_time_up(const struct quality_result *r, int rc)
{
	return rc == -ERR_TIMEOUT && r->run_us >= r->check->timeout_ms * 1000;
}

static const char *tell_time(struct quality_runner *rn, const struct quality_result *r,
			     const struct err *why)
{
	char time[CLOCK_TEXT_SIZE];

	return arena_printf(
	    &rn->run->arena,
	    "its time of %s was up (`timeout` of the check, %s:%zu, gives more): %s",
	    clock_format_duration(r->check->timeout_ms * 1000, time), r->check->node->file,
	    r->check->node->key_line, why->message);
}

/* An error is a result like others, unless there is nobody left to ask. */
static int run_check(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	struct err why = {0};
	int64_t began = clock_monotonic_us();
	int rc;

	if (rn->how->on_check)
		rn->how->on_check(rn->how->arg, r->check);
	rc = limit_time(rn, r->check->timeout_ms, &why);
	if (rc == 0)
		rc = measure(rn, r, &why);
	r->run_us = clock_monotonic_us() - began;
	if (rc < 0 && maria_is_lost(rn->stores->db)) {
		if (err)
			*err = why;
		return rc;
	}
	if (rc < 0) {
		r->outcome = QUALITY_ERROR;
		r->details = was_its_time_up(r, rc) ? tell_time(rn, r, &why)
						    : arena_strdup(&rn->run->arena, why.message);
	} else if (is_allowed(r)) {
		r->outcome = QUALITY_PASSED;
	} else {
		r->outcome = r->check->is_warning ? QUALITY_WARNED : QUALITY_FAILED;
	}
	return 0;
}

/* What MariaDB's snapshot shows. */
static bool is_of_snapshot(const struct quality_check *c)
{
	return !c->collection && c->kind != QUALITY_FRESHNESS && c->kind != QUALITY_RECONCILIATION;
}

static int run_half(struct quality_runner *rn, bool of_snapshot, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < rn->run->n && r == 0; i++)
		if (is_of_snapshot(rn->run->results[i].check) == of_snapshot)
			r = run_check(rn, &rn->run->results[i], err);
	return r;
}

static int read_start(struct quality_runner *rn, struct err *err)
{
	_cleanup_(mem_freep) char *now = NULL;
	bool has_tables = false;
	int r = maria_has_table(rn->stores->db, "Quality_Runs", &has_tables, err);

	if (r == 0 && !has_tables) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no table \"Quality_Runs\" for results");
		return err_hint(err, "run `aethermart schema apply`");
	}
	if (r == 0)
		r = maria_query_text(rn->stores->db, govern_sql_quality_now, NULL, 0, &now, err);
	if (r == 0)
		rn->run->started_at = arena_strdup(&rn->run->arena, now);
	return r;
}

static int run_all(struct quality_runner *rn, struct err *err)
{
	struct maria *db = rn->stores->db;
	struct err why = {0};
	int r = read_start(rn, err);

	if (r == 0)
		r = maria_snapshot_begin(db, err);
	if (r == 0) {
		r = run_half(rn, true, err);
		if (!maria_is_lost(db))
			r = err_first(r, maria_snapshot_end(db, &why), &why, err);
	}
	if (r == 0)
		r = run_half(rn, false, err);
	if (r == 0)
		r = limit_time(rn, 0, err);
	return r < 0 ? r : quality_keep(rn, err);
}

int quality_run(const struct quality_stores *stores, const struct quality_how *how,
		struct quality_run *ret, struct err *err)
{
	struct quality_run run = {.n = how->n,
				  .results = mem_alloc_array(how->n + 1, sizeof(*run.results))};
	struct quality_runner rn = {.stores = stores, .how = how, .run = &run, .timeout_ms = -1};
	int r;

	for (size_t i = 0; i < how->n; i++)
		run.results[i].check = how->checks[i];
	r = run_all(&rn, err);
	mem_free(rn.baselines);
	if (r < 0) {
		quality_run_done(&run);
		return r;
	}
	*ret = run;
	return 0;
}
