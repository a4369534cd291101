/* How far people stand out at a clearance (k-anonymity, Sweeney 2002): see privacy.h. */
#include "govern/privacy.h"

#include "govern/access_int.h"

#include <inttypes.h>

#include "base/banned.h"

#define STATEMENT_MAX ((size_t)1 << 20)
#define COLUMNS_MAX   64

struct crowd_search {
	const struct access *a;
	const struct schema_table *table;
	struct maria *m;
	const struct privacy_anonymity *q;
	size_t n;
	const struct schema_column *columns[COLUMNS_MAX];
};

static enum access_mask mask_of(const struct crowd_search *s, const struct schema_column *c)
{
	return access_mask_in(s->q->clearance, access_class(s->a, s->table->name, c->name));
}

/* Pseudonyms are of one person each by intent, and say nothing that somebody could know. */
static int choose_all(struct crowd_search *s, struct err *err)
{
	for (size_t i = 0; i < s->table->n_columns; i++) {
		const struct schema_column *c = &s->table->columns[i];
		enum access_mask mask = mask_of(s, c);

		if (mask == ACCESS_HIDDEN || mask == ACCESS_PSEUDONYM ||
		    cstr_equal(c->name, s->a->subject_key))
			continue;
		if (s->n == COLUMNS_MAX)
			return err_set(err, ERR_LIMIT, "%s has more than %d columns to compare",
				       s->table->name, COLUMNS_MAX);
		s->columns[s->n++] = c;
	}
	return 0;
}

static int choose_named(struct crowd_search *s, struct err *err)
{
	for (size_t i = 0; s->q->columns[i]; i++) {
		const struct schema_column *c = schema_find_column(s->table, s->q->columns[i]);

		if (!c) {
			(void)err_set(err, ERR_NOT_FOUND, "%s has no column \"%.64s\"",
				      s->table->name, s->q->columns[i]);
			return err_near(err, schema_nearest_column(s->table, s->q->columns[i]));
		}
		if (mask_of(s, c) == ACCESS_HIDDEN)
			return err_set(err, ERR_NOT_FOUND, "clearance \"%s\" does not see %s.%s",
				       s->q->clearance->name, s->table->name, c->name);
		if (s->n == COLUMNS_MAX)
			return err_set(err, ERR_LIMIT, "%d columns are compared at most",
				       COLUMNS_MAX);
		s->columns[s->n++] = c;
	}
	return 0;
}

/* Groups people by the columns from `first` to before `end`, without `but`. */
static int count(const struct crowd_search *s, size_t first, size_t end, size_t but,
		 struct privacy_crowd *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	strbuf_addstr(&sql, "SELECT SUM(n), COUNT(*), MIN(n), SUM(IF(n < ?, n, 0)) FROM"
			    " (SELECT COUNT(*) AS n FROM (SELECT ");
	for (size_t i = first; i < end; i++) {
		if (i == but)
			continue;
		access_add_mask(&sql, mask_of(s, s->columns[i]),
				access_class(s->a, s->table->name, s->columns[i]->name),
				s->columns[i]);
		strbuf_addstr(&sql, ", ");
	}
	MARIA_ADD(&sql,
		  "1 AS `one of them` FROM # t JOIN Access_Keys k ON k.key_name = 'pseudonym'",
		  s->table->name);
	if (schema_find_column(s->table, PRIVACY_ERASED_AT))
		strbuf_addstr(&sql, " WHERE t." PRIVACY_ERASED_AT " IS NULL");
	strbuf_addstr(&sql, ") seen GROUP BY ");
	for (size_t i = first; i < end; i++) {
		if (i == but)
			continue;
		/* As bytes: a reader tells "É" from "E", whatever the collation says. */
		MARIA_ADD(&sql, "BINARY #, ", s->columns[i]->name);
	}
	strbuf_addstr(&sql, "`one of them`) crowds");
	r = strbuf_check(&sql, "the columns that are compared", err);
	if (r == 0)
		r = maria_query_row(s->m, strbuf_str(&sql), MARIA_ARGS(MARIA_U(s->q->k)), &rows,
				    err);
	if (r > 0)
		*ret = (struct privacy_crowd){.n_people = maria_rows_uint(rows, 0),
					      .n_groups = maria_rows_uint(rows, 1),
					      .smallest = maria_rows_uint(rows, 2),
					      .n_below = maria_rows_uint(rows, 3)};
	return r < 0 ? r : 0;
}

int privacy_anonymity(const struct access *a, const struct schema *schema, struct maria *m,
		      const struct privacy_anonymity *q, struct privacy_crowd *ret, struct err *err)
{
	struct crowd_search s = {.a = a, .m = m, .q = q};
	int r;

	if (!a->subject_table)
		return ynode_error(
		    ydoc_root(a->doc), err,
		    "the file does not say whose data it is: \"subject\" is missing");
	s.table = schema_find_table(schema, a->subject_table);
	r = q->columns ? choose_named(&s, err) : choose_all(&s, err);
	if (r == 0 && !s.n)
		return err_set(err, ERR_NOT_FOUND, "clearance \"%s\" sees nothing of %s",
			       q->clearance->name, s.table->name);
	if (r == 0)
		r = count(&s, 0, s.n, SIZE_MAX, ret, err);
	for (size_t i = 0; i < s.n && r == 0; i++) {
		struct privacy_column c = {.name = s.columns[i]->name,
					   .mask = mask_of(&s, s.columns[i])};

		r = count(&s, i, i + 1, SIZE_MAX, &c.alone, err);
		if (r == 0)
			r = count(&s, 0, s.n, i, &c.without, err);
		if (r == 0)
			r = q->fn(q->arg, &c, err);
	}
	return r;
}
