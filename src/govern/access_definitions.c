/*
 * Views, routines, triggers and events of the shop, and whether they are as migrations made them:
 * see access.h.
 *
 * Migrations are not the only ones who run statements here, and the server does not say who did. So
 * it is told by time: before_hash, of all that are known, stands while migrations are applied; what
 * is another one at the end was made so by one of them.
 */
#include "govern/access_int.h"
#include "govern/govern_sql_int.h"

#include "base/banned.h"

int access_definitions_begin(struct maria *m, struct err *err)
{
	bool has_table = false;
	int r = maria_has_table(m, "Access_Definitions", &has_table, err);

	if (r == 0 && has_table)
		r = maria_run(m, govern_sql_access_definitions_begin, NULL, 0, NULL, err);
	return r < 0 ? err_context(err, "before migrations") : 0;
}

/* In a transaction. */
static int settle(struct maria *m, struct err *err)
{
	static const char *const steps[] = {
	    govern_sql_access_definitions_changed, govern_sql_access_definitions_gone,
	    govern_sql_access_definitions_new, govern_sql_access_definitions_end};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(steps) && r == 0; i++)
		r = maria_run(m, steps[i], NULL, 0, NULL, err);
	return r;
}

int access_definitions_end(struct maria *m, struct err *err)
{
	int64_t is_begun = 0;
	int r = maria_query_int(m, govern_sql_access_definitions_begun, NULL, 0, &is_begun, err);

	if (r == 0 && is_begun)
		r = maria_exec(m, "START TRANSACTION", err);
	if (r < 0 || !is_begun)
		return r;
	r = maria_finish(m, settle(m, err), err);
	return r < 0 ? err_context(err, "recording views, routines, triggers and events") : 0;
}

int access_definitions_accept(struct maria *m, struct err *err)
{
	int r = maria_exec(m, "START TRANSACTION", err);

	if (r < 0)
		return r;
	r = maria_run(m, govern_sql_access_definitions_accept, NULL, 0, NULL, err);
	return maria_finish(m, r < 0 ? r : settle(m, err), err);
}

int access_definitions_load(struct maria *m, struct arena *arena, struct access_items *ret,
			    struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_access_definitions_found, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		access_items_add(
		    ret, (struct access_item){.kind = ACCESS_DEFINITION,
					      .who = arena_str(arena, maria_rows_str(rows, 0)).data,
					      .right = "was altered or dropped by hand",
					      .object = ""});
	return r;
}
