/* What data_lineage_tracker holds, for people; and how old events go. */
#include "govern/lineage_int.h"

#include "govern/govern_sql_int.h"

#include "base/banned.h"

#define PURGE_AT_ONCE 1000

static const char *text_at(const struct maria_rows *rows, size_t column)
{
	const char *s = maria_rows_str(rows, column).data;

	return s ? s : "";
}

int lineage_list(struct maria *db, const char *job, size_t limit, lineage_listed_fn fn, void *arg,
		 struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(
	    db, govern_sql_lineage_list,
	    MARIA_ARGS(MARIA_S(job ? job : ""), MARIA_S(job ? job : ""), MARIA_U(limit)), &rows,
	    err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		const struct lineage_listed listed = {.run = text_at(rows, 0),
						      .job = text_at(rows, 1),
						      .started_at = text_at(rows, 2),
						      .state = text_at(rows, 3),
						      .ended_at = text_at(rows, 4),
						      .rows_read = text_at(rows, 5),
						      .rows_written = text_at(rows, 6),
						      .inputs = text_at(rows, 7),
						      .outputs = text_at(rows, 8),
						      .error_class = text_at(rows, 9),
						      .is_open = maria_rows_int(rows, 10) != 0};

		r = fn(arg, &listed, err);
	}
	return r;
}

int lineage_show(struct maria *db, const char *run, lineage_shown_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	bool is_found = false;
	int r = maria_query(db, govern_sql_lineage_show, MARIA_ARGS(MARIA_S(run)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		const struct lineage_shown shown = {.id = maria_rows_uint(rows, 0),
						    .type = text_at(rows, 1),
						    .time = text_at(rows, 2),
						    .rows_read = text_at(rows, 3),
						    .rows_written = text_at(rows, 4),
						    .gtid = text_at(rows, 5),
						    .error_class = text_at(rows, 6),
						    .exported_at = text_at(rows, 7),
						    .event = maria_rows_str(rows, 8)};

		is_found = true;
		r = fn(arg, &shown, err);
	}
	if (r < 0 || is_found)
		return r;
	(void)err_set(err, ERR_NOT_FOUND, "there is no run \"%.60s\"", run);
	return err_hint(err, "`aethermart lineage list` has their numbers");
}

/* A comparison with what is no time would be true of anything. */
int lineage_check_day(struct maria *db, const char *day, struct err *err)
{
	_cleanup_(mem_freep) char *text = NULL;
	int r = maria_query_text(db, govern_sql_lineage_day, MARIA_ARGS(MARIA_S(day)), &text, err);

	if (r < 0 || text)
		return r;
	(void)err_set(err, ERR_INVALID_ARGUMENT, "\"%.40s\" is no day", day);
	return err_hint(err, "2026-01-01, or \"2026-01-01 12:00:00\", UTC");
}

int lineage_purge(struct maria *db, const char *before, uint64_t *ret_n, struct err *err)
{
	uint64_t n = PURGE_AT_ONCE;
	int r = lineage_check_day(db, before, err);

	*ret_n = 0;
	while (r == 0 && n == PURGE_AT_ONCE) {
		r = maria_run(db, govern_sql_lineage_purge,
			      MARIA_ARGS(MARIA_S(before), MARIA_S(before), MARIA_U(PURGE_AT_ONCE)),
			      &n, err);
		*ret_n += r == 0 ? n : 0;
	}
	return r;
}
