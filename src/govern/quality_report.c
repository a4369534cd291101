/* What runs found, read from the tables. */
#include "govern/govern_sql_int.h"
#include "govern/quality_int.h"

#include "base/banned.h"

/* Texts live until the next row. */
static int tell_row(const struct maria_rows *rows, quality_row_fn fn, void *arg, struct err *err)
{
	struct quality_row row = {.log_id = maria_rows_uint(rows, 0),
				  .run_id = maria_rows_uint(rows, 1),
				  .check = maria_rows_str(rows, 2).data,
				  .entity = maria_rows_str(rows, 3).data,
				  .column = maria_rows_str(rows, 4).data,
				  .outcome = maria_rows_str(rows, 5).data,
				  .owner = maria_rows_str(rows, 6).data,
				  .checked = maria_rows_uint(rows, 7),
				  .failed = maria_rows_uint(rows, 8),
				  .run_us = maria_rows_int(rows, 10),
				  .details = maria_rows_str(rows, 11).data,
				  .is_acked = maria_rows_int(rows, 12) != 0,
				  .at = maria_rows_str(rows, 13).data};

	row.has_measure = parse_double(maria_rows_str(rows, 9), &row.measured, NULL) == 0;
	return fn(arg, &row, err);
}

static int find_run(struct maria *db, uint64_t run, struct arena *arena,
		    struct quality_run_head *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(db, govern_sql_quality_run_find,
				MARIA_ARGS(MARIA_U(run), MARIA_U(run)), &rows, err);

	if (r < 0)
		return r;
	if (r == 0) {
		(void)(run ? err_set(err, ERR_NOT_FOUND, "there is no run %llu",
				     (unsigned long long)run)
			   : err_set(err, ERR_NOT_FOUND, "the checks were never run"));
		return err_hint(err, "run `aethermart quality run`");
	}
	*ret = (struct quality_run_head){maria_rows_uint(rows, 0),
					 arena_str(arena, maria_rows_str(rows, 1)).data,
					 arena_str(arena, maria_rows_str(rows, 2)).data,
					 arena_str(arena, maria_rows_str(rows, 3)).data};
	return 0;
}

int quality_report(struct maria *db, uint64_t run, struct arena *arena,
		   struct quality_run_head *ret, quality_row_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = find_run(db, run, arena, ret, err);

	if (r == 0)
		r = maria_query(db, govern_sql_quality_results, MARIA_ARGS(MARIA_U(ret->id)), &rows,
				err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		r = tell_row(rows, fn, arg, err);
	return r;
}

int quality_samples(struct maria *db, uint64_t log_id, quality_key_fn fn, void *arg,
		    struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r =
	    maria_query(db, govern_sql_quality_samples, MARIA_ARGS(MARIA_U(log_id)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		r = fn(arg, maria_rows_str(rows, 0).data, maria_rows_str(rows, 1).data, err);
	return r;
}

int quality_trend(struct maria *db, const char *check, size_t limit, quality_row_fn fn, void *arg,
		  struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, govern_sql_quality_trend,
			    MARIA_ARGS(MARIA_S(check), MARIA_U(limit)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		r = tell_row(rows, fn, arg, err);
	return r;
}

int quality_quarantine(struct maria *db, const struct quality_wanted *wanted,
		       quality_quarantined_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	const char *check = wanted->check ? wanted->check : "";
	int r = maria_query(db, govern_sql_quality_quarantine,
			    MARIA_ARGS(MARIA_S(check), MARIA_S(check), MARIA_I(wanted->all),
				       MARIA_U(wanted->limit)),
			    &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct quality_quarantined q = {
		    maria_rows_str(rows, 0).data, maria_rows_str(rows, 1).data,
		    maria_rows_str(rows, 2).data, maria_rows_str(rows, 3).data,
		    maria_rows_str(rows, 4).data, maria_rows_str(rows, 5).data,
		    maria_rows_str(rows, 6).data, maria_rows_str(rows, 7).data};

		r = fn(arg, &q, err);
	}
	return r;
}
