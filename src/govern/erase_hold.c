/* Data that has to be kept, and the list of what is kept and what is erased: see erase.h. */
#include "govern/erase_int.h"

#include "base/clock.h"
#include "govern/audit.h"
#include "govern/govern_sql_int.h"

#include <inttypes.h>

#include "base/banned.h"

static int audit_hold(const struct eraser *e, const char *subject, const char *action,
		      const char *reason, struct err *err)
{
	return audit_append(e->m,
			    &(struct audit_event){.actor = e->actor,
						  .action = action,
						  .object = e->a->subject_table,
						  .purpose = reason,
						  .rows = 1,
						  .outcome = "done",
						  .subject = subject},
			    err);
}

/* A hold that is over protects nobody. */
static int check_day(const struct eraser *e, const char *until, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(until), MARIA_S(until)};
	int64_t is_good = 0;
	int r = 0;

	if (clock_is_time(until))
		r = maria_query_int(e->m, govern_sql_erase_hold_day, params, ARRAY_LEN(params),
				    &is_good, err);
	if (r < 0 || is_good)
		return r;
	return err_set(err, ERR_INVALID_ARGUMENT,
		       "\"%.40s\" is not a day to come such as 2030-01-31", until);
}

/* In a transaction. */
static int add_hold(const struct eraser *e, const char *subject, const char *reason,
		    const char *until, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject), MARIA_S(reason), MARIA_S(e->actor),
					     until ? MARIA_S(until) : MARIA_N};
	_cleanup_(erase_record_done) struct record rec = {0};
	_cleanup_(erase_sought_done) struct erase_sought s = {0};
	int r = erase_lock_subject(e, subject, err);

	if (r >= 0)
		r = erase_record_read(e->m, subject, &rec, err);
	if (r >= 0 && rec.id)
		return err_set(err, ERR_CONFLICT, "%.60s is erased: there is nothing to hold",
			       subject);
	if (r >= 0)
		r = erase_sought_read(e, subject, &s, err); /* whether they are there at all */
	if (r == 0 && until)
		r = check_day(e, until, err);
	return r < 0 ? r
		     : maria_run(e->m, govern_sql_erase_hold, params, ARRAY_LEN(params), NULL, err);
}

int erase_hold(const struct eraser *e, const char *subject, const char *reason, const char *until,
	       struct err *err)
{
	int r = maria_exec(e->m, "START TRANSACTION", err);

	if (r == 0)
		r = maria_finish(e->m, add_hold(e, subject, reason, until, err), err);
	return r < 0 ? r : audit_hold(e, subject, "privacy.hold", reason, err);
}

int erase_release(const struct eraser *e, const char *subject, uint64_t hold, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject), MARIA_U(hold), MARIA_U(hold)};
	int64_t holds = 0;
	uint64_t n = 0;
	int r = maria_query_int(e->m, govern_sql_erase_holds, params, 1, &holds, err);

	if (r == 0 && !hold && holds > 1) {
		(void)err_set(err, ERR_CONFLICT,
			      "the data of %.60s is held for %" PRId64 " reasons", subject, holds);
		return err_hint(err, "say which: --hold NUMBER, of `aethermart privacy erasures`");
	}
	if (r == 0)
		r = maria_run(e->m, govern_sql_erase_release, params, ARRAY_LEN(params), &n, err);
	if (r == 0 && !n)
		return hold ? err_set(err, ERR_NOT_FOUND,
				      "the data of %.60s is not held by number %" PRIu64, subject,
				      hold)
			    : err_set(err, ERR_NOT_FOUND, "the data of %.60s is not held", subject);
	return r < 0 ? r : audit_hold(e, subject, "privacy.release", NULL, err);
}

int erase_list(struct maria *m, erase_record_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_erase_list, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		const struct erase_record rec = {.id = maria_rows_uint(rows, 0),
						 .subject = maria_rows_str(rows, 1).data,
						 .state = maria_rows_str(rows, 2).data,
						 .by = maria_rows_str(rows, 3).data,
						 .why = maria_rows_str(rows, 4).data,
						 .since = maria_rows_str(rows, 5).data,
						 .until = maria_rows_str(rows, 6).data,
						 .hold = maria_rows_uint(rows, 7)};

		r = fn(arg, &rec, err);
	}
	return r;
}
