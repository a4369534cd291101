/*
 * What verbs ask a server about itself, our account and a database. Identifiers cannot be
 * parameters: statements with names in them are made here, of quoted names; the others are files of
 * sql/.
 */
#include "store/maria_int.h"
#include "store/store_sql_int.h"

#include "base/banned.h"

int maria_database(struct maria *m, char **ret, struct err *err)
{
	return maria_query_text(m, store_sql_database, NULL, 0, ret, err);
}

int maria_is_read_only(struct maria *m, bool *ret, struct err *err)
{
	int64_t value;
	int r = maria_query_int(m, store_sql_read_only, NULL, 0, &value, err);

	if (r == 0)
		*ret = value != 0;
	return r;
}

int maria_flush_log(struct maria *m, int64_t *ret, struct err *err)
{
	return maria_query_int(m, store_sql_flush_log, NULL, 0, ret, err);
}

int maria_has_right(struct maria *m, const char *right, bool *ret, struct err *err)
{
	int64_t n;
	int r = maria_query_int(m, store_sql_has_right, MARIA_ARGS(MARIA_S(right)), &n, err);

	if (r == 0)
		*ret = n > 0;
	return r;
}

int maria_has_table(struct maria *m, const char *name, bool *ret, struct err *err)
{
	int64_t n;
	int r = maria_query_int(m, store_sql_has_table, MARIA_ARGS(MARIA_S(name)), &n, err);

	if (r == 0)
		*ret = n > 0;
	return r;
}

int maria_count_rows(struct maria *m, const char *table, int64_t *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);

	MARIA_ADD(&sql, "SELECT COUNT(*) FROM #", table);
	return maria_query_int(m, strbuf_str(&sql), NULL, 0, ret, err);
}

int maria_make_database(struct maria *m, const char *name, const char *collation, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);

	MARIA_ADD(&sql, "CREATE DATABASE IF NOT EXISTS # COLLATE #", name, collation);
	return maria_exec(m, strbuf_str(&sql), err);
}

void maria_add_grant(struct strbuf *b, const char *rights, const char *database, const char *table,
		     const char *user)
{
	strbuf_addf(b, "GRANT %s ON ", rights);
	if (table)
		MARIA_ADD(b, "#.# TO ", database, table);
	else
		MARIA_ADD(b, "#.* TO ", database);
	maria_add_literal(b, str_from(user));
	strbuf_addstr(b, "@'%';\n");
}
