/* What a run found, into the tables of 150-quality-rules.sql, all of it in one transaction: a run
 * is there with all its results, or not at all. */
#include "govern/govern_sql_int.h"
#include "govern/quality_int.h"

#include <inttypes.h>

#include "base/banned.h"

/* --- acknowledgements ------------------------------------------------------------------------ */

/* More is worse. Age grows by itself, so it is never worse; drift is, by a tenth. */
static double weight_of(const struct quality_result *r)
{
	if (r->check->kind == QUALITY_DISTRIBUTION)
		return r->measured;
	return r->check->kind == QUALITY_FRESHNESS ? 0 : (double)r->failed;
}

static int end_acks(struct maria *db, const char *check, const char *why, struct err *err)
{
	return maria_run(db, govern_sql_quality_ack_end, MARIA_ARGS(MARIA_S(why), MARIA_S(check)),
			 NULL, err);
}

struct known {
	uint64_t id;
	double weight;
	bool is_same; /* outcome */
};

static int find_ack(struct maria *db, const struct quality_result *r, struct known *ret,
		    struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int rc = maria_query_row(db, govern_sql_quality_ack_holds,
				 MARIA_ARGS(MARIA_S(r->check->name)), &rows, err);

	if (rc <= 0)
		return rc;
	ret->id = maria_rows_uint(rows, 0);
	ret->is_same =
	    str_equal(maria_rows_str(rows, 1), str_from(quality_outcome_name(r->outcome)));
	return parse_double(maria_rows_str(rows, 2), &ret->weight, err);
}

static int judge_ack(struct maria *db, struct quality_result *r, struct err *err)
{
	double slack = r->check->kind == QUALITY_DISTRIBUTION ? 1.1 : 1;
	struct known known = {0};
	int rc;

	if (r->outcome == QUALITY_PASSED)
		return end_acks(db, r->check->name, "passed", err);
	rc = find_ack(db, r, &known, err);
	if (rc < 0 || !known.id)
		return rc;
	if (!known.is_same || weight_of(r) > known.weight * slack)
		return end_acks(db, r->check->name, "worse", err);
	r->ack_id = known.id;
	return 0;
}

/* --- results --------------------------------------------------------------------------------- */

static int add_run(struct quality_runner *rn, struct err *err)
{
	uint64_t n[QUALITY_ERROR + 1] = {0};
	int64_t id = 0;
	int r;

	for (size_t i = 0; i < rn->run->n; i++)
		n[rn->run->results[i].outcome]++;
	r = maria_run(rn->stores->db, govern_sql_quality_run_add,
		      MARIA_ARGS(MARIA_S(rn->run->started_at), MARIA_S(rn->how->actor),
				 MARIA_U(n[QUALITY_PASSED]), MARIA_U(n[QUALITY_WARNED]),
				 MARIA_U(n[QUALITY_FAILED]), MARIA_U(n[QUALITY_ERROR])),
		      NULL, err);
	if (r == 0)
		r = maria_query_int(rn->stores->db, govern_sql_quality_last_id, NULL, 0, &id, err);
	rn->run->id = (uint64_t)id;
	return r;
}

static const char *severity_of(const struct quality_result *r)
{
	if (r->outcome == QUALITY_PASSED)
		return "info";
	return r->check->is_warning ? "warning" : "error";
}

static int add_result(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	const struct quality_check *c = r->check;
	const char *columns = quality_columns_text(c, &rn->run->arena);
	char measured[40], weight[40];
	int64_t id = 0;
	int rc;

	(void)snprintf(measured, sizeof(measured), "%.17g", r->measured);
	(void)snprintf(weight, sizeof(weight), "%.17g", weight_of(r));
	rc = maria_run(
	    rn->stores->db, govern_sql_quality_log_add,
	    (struct maria_value[]){MARIA_S(c->name), MARIA_S(severity_of(r)),
				   MARIA_S(quality_entity(c)), columns ? MARIA_S(columns) : MARIA_N,
				   MARIA_U(rn->run->id), MARIA_S(quality_outcome_name(r->outcome)),
				   MARIA_S(c->owner), MARIA_U(r->checked), MARIA_U(r->failed),
				   r->has_measure ? MARIA_S(measured) : MARIA_N, MARIA_S(weight),
				   MARIA_I(r->run_us), r->details ? MARIA_S(r->details) : MARIA_N,
				   r->ack_id ? MARIA_U(r->ack_id) : MARIA_N},
	    14, NULL, err);
	if (rc == 0)
		rc = maria_query_int(rn->stores->db, govern_sql_quality_last_id, NULL, 0, &id, err);
	r->log_id = (uint64_t)id;
	return rc;
}

static int add_samples(struct quality_runner *rn, const struct quality_result *r, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->n_keys && i < QUALITY_SAMPLE && rc == 0; i++)
		rc = maria_run(rn->stores->db, govern_sql_quality_sample_add,
			       MARIA_ARGS(MARIA_U(r->log_id), MARIA_S(quality_entity(r->check)),
					  MARIA_S(r->keys[i])),
			       NULL, err);
	return rc;
}

/* Of more keys than are kept nothing can be said of those that were left out. */
static int quarantine(struct quality_runner *rn, const struct quality_result *r, struct err *err)
{
	const char *entity = quality_entity(r->check);
	int rc = 0;

	if (!r->check->quarantines || r->outcome == QUALITY_ERROR)
		return 0;
	for (size_t i = 0; i < r->n_keys && rc == 0; i++)
		rc = maria_run(rn->stores->db, govern_sql_quality_quarantine_add,
			       MARIA_ARGS(MARIA_S(r->check->name), MARIA_S(entity),
					  MARIA_S(r->keys[i]), MARIA_S(r->check->about),
					  MARIA_S("run"), MARIA_S(rn->run->started_at)),
			       NULL, err);
	if (rc < 0 || r->n_keys < r->failed)
		return rc;
	return maria_run(
	    rn->stores->db, govern_sql_quality_quarantine_resolve,
	    MARIA_ARGS(MARIA_S(r->check->name), MARIA_S(entity), MARIA_S(rn->run->started_at)),
	    NULL, err);
}

static int keep_result(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	int rc = judge_ack(rn->stores->db, r, err);

	if (rc == 0)
		rc = add_result(rn, r, err);
	if (rc == 0)
		rc = add_samples(rn, r, err);
	return rc < 0 ? rc : quarantine(rn, r, err);
}

static int keep_all(struct quality_runner *rn, struct err *err)
{
	int r = add_run(rn, err);

	for (size_t i = 0; i < rn->run->n && r == 0; i++)
		r = keep_result(rn, &rn->run->results[i], err);
	for (size_t i = 0; i < rn->n_baselines && r == 0; i++)
		r = maria_run(
		    rn->stores->db, govern_sql_quality_baseline_keep,
		    MARIA_ARGS(MARIA_S(rn->baselines[i].check), MARIA_STR(rn->baselines[i].text)),
		    NULL, err);
	return r;
}

int quality_keep(struct quality_runner *rn, struct err *err)
{
	struct maria *db = rn->stores->db;
	int r = maria_exec(db, "START TRANSACTION", err);

	if (r == 0)
		r = keep_all(rn, err);
	return maria_finish(db, r, err) < 0 ? err_context(err, "keeping what the checks found") : 0;
}

/* --- who knows ------------------------------------------------------------------------------- */

struct found {
	uint64_t log_id;
	const char *check, *outcome;
};

static int find_result(struct maria *db, const char *what, struct arena *arena, struct found *ret,
		       struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	uint64_t id = 0;
	int r;

	if (parse_uint64(str_from(what), UINT64_MAX, &id, NULL) < 0)
		id = 0;
	r = maria_query_row(db, govern_sql_quality_find_result,
			    MARIA_ARGS(MARIA_S(what), MARIA_U(id)), &rows, err);
	if (r == 0) {
		r = err_set(err, ERR_NOT_FOUND, "there is no result of \"%.64s\"", what);
		(void)err_hint(err, "`aethermart quality report` shows what was found");
	}
	if (r < 0)
		return r;
	ret->log_id = maria_rows_uint(rows, 0);
	ret->check = arena_str(arena, maria_rows_str(rows, 1)).data;
	ret->outcome = arena_str(arena, maria_rows_str(rows, 2)).data;
	return 0;
}

static int add_ack(struct maria *db, const struct quality_ack *ack, const struct found *found,
		   struct err *err)
{
	int64_t id = 0;
	int r = end_acks(db, found->check, "replaced", err);

	if (r == 0)
		r = maria_run(db, govern_sql_quality_ack_add,
			      MARIA_ARGS(MARIA_S(ack->by), MARIA_S(ack->note),
					 ack->until ? MARIA_S(ack->until) : MARIA_N,
					 MARIA_U(found->log_id)),
			      NULL, err);
	if (r == 0)
		r = maria_query_int(db, govern_sql_quality_last_id, NULL, 0, &id, err);
	if (r == 0)
		r = maria_run(db, govern_sql_quality_ack_marks,
			      MARIA_ARGS(MARIA_I(id), MARIA_U(found->log_id)), NULL, err);
	return r;
}

int quality_acknowledge(struct maria *db, const struct quality_ack *ack, struct arena *arena,
			const char **ret_check, struct err *err)
{
	struct found found = {0};
	int r = find_result(db, ack->what, arena, &found, err);

	if (r < 0)
		return r;
	if (cstr_equal(found.outcome, "passed"))
		return err_set(err, ERR_CONFLICT, "\"%s\" passed the last time", found.check);
	r = maria_exec(db, "START TRANSACTION", err);
	if (r == 0)
		r = add_ack(db, ack, &found, err);
	r = maria_finish(db, r, err);
	if (r == 0)
		*ret_check = found.check;
	return r;
}
