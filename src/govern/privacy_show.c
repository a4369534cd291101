/* What is held of one subject, as a role sees it: see privacy.h. */
#include "govern/privacy.h"

#include "govern/access_int.h"

#include "base/banned.h"

#define STATEMENT_MAX ((size_t)1 << 20)

struct shower {
	const struct access *a;
	const struct privacy_question *q;
};

static enum access_mask mask_of(const struct shower *s, const struct schema_table *t,
				const struct schema_column *c, const char **ret_pii)
{
	*ret_pii = access_class(s->a, t->name, c->name);
	return access_mask_in(s->q->role->clearance, *ret_pii);
}

/* The same expressions as in the views; a hidden column is NULL, so that positions are kept. */
static void add_statement(const struct shower *s, const struct schema_table *t, struct strbuf *b)
{
	const struct schema_index *key = schema_primary_key(t);
	bool has_pseudonym = false;

	strbuf_addstr(b, "SELECT ");
	for (size_t i = 0; i < t->n_columns; i++) {
		const char *pii;
		enum access_mask mask = mask_of(s, t, &t->columns[i], &pii);

		strbuf_addstr(b, i ? ", " : "");
		has_pseudonym = has_pseudonym || mask == ACCESS_PSEUDONYM;
		if (mask == ACCESS_HIDDEN)
			strbuf_addstr(b, "NULL");
		else
			access_add_mask(b, mask, pii, &t->columns[i]);
	}
	MARIA_ADD(b, " FROM # t", t->name);
	if (has_pseudonym)
		strbuf_addstr(b, " JOIN Access_Keys k ON k.key_name = 'pseudonym'");
	MARIA_ADD(b, " WHERE t.# = ?", s->a->subject_key);
	for (size_t i = 0; key && i < key->n_columns; i++)
		MARIA_ADD(b, i ? ", t.# DESC" : " ORDER BY t.# DESC", key->columns[i]->name);
	strbuf_addf(b, " LIMIT %d", PRIVACY_ROWS_MAX);
}

static int tell_row(struct shower *s, const struct schema_table *t, const struct maria_rows *rows,
		    size_t row, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < t->n_columns && r == 0; i++) {
		struct privacy_value v = {.table = t->name,
					  .column = t->columns[i].name,
					  .row = row,
					  .is_first = i == 0,
					  .text = maria_rows_str(rows, i)};

		v.mask = mask_of(s, t, &t->columns[i], &v.pii);
		r = s->q->fn(s->q->arg, &v, err);
	}
	return r;
}

static int show_table(struct shower *s, const struct schema_table *t, struct maria *m,
		      size_t *ret_rows, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	*ret_rows = 0;
	add_statement(s, t, &sql);
	r = strbuf_check(&sql, t->name, err);
	if (r == 0)
		r = maria_query(m, strbuf_str(&sql), MARIA_ARGS(MARIA_S(s->q->subject)), &rows,
				err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		r = tell_row(s, t, rows, ++*ret_rows, err);
	return r;
}

static int check_key(const struct shower *s, struct maria *m, struct err *err)
{
	bool is_needed = false;
	int64_t n = 1;
	int r = 0;

	for (size_t i = 0; mapping_pii_classes[i]; i++)
		is_needed = is_needed || access_mask_in(s->q->role->clearance,
							mapping_pii_classes[i]) == ACCESS_PSEUDONYM;
	if (is_needed)
		r = maria_query_int(m, "SELECT COUNT(*) FROM Access_Keys", NULL, 0, &n, err);
	if (r < 0 || n)
		return r;
	(void)err_set(err, ERR_NOT_FOUND, "there is no key for pseudonyms yet");
	return err_hint(err, "`aethermart access apply` makes it");
}

int privacy_check_subject(const struct access *a, struct maria *m, const char *subject,
			  struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	_cleanup_(mem_freep) char *key = NULL;
	int r;

	if (!a->subject_table)
		return ynode_error(
		    ydoc_root(a->doc), err,
		    "the file does not say whose data it is: \"subject\" is missing");
	MARIA_ADD(&sql, "SELECT CAST(# AS CHAR) FROM # WHERE # = ?", a->subject_key,
		  a->subject_table, a->subject_key);
	r = maria_query_text(m, strbuf_str(&sql), MARIA_ARGS(MARIA_S(subject)), &key, err);
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	if (r == 0 && key && cstr_equal(key, subject))
		return 0;
	(void)err_set(err, ERR_NOT_FOUND, "%s has no row with %s %.60s", a->subject_table,
		      a->subject_key, subject);
	return r == 0 && key ? err_hint(err, "is it %.60s?", key) : -ERR_NOT_FOUND;
}

struct owner_search {
	const char *root, *key, *field;
};

static void note_owner(void *arg, const struct mapping_column *c)
{
	struct owner_search *o = arg;

	if (cstr_equal(c->table, o->root) && cstr_equal(c->column, o->key) &&
	    !strchr(c->field, '.'))
		o->field = c->field;
}

const char *privacy_owner_field(const struct access *a, const struct mapping *m)
{
	struct owner_search o = {.root = mapping_root_table(m), .key = a->subject_key};

	if (o.key)
		mapping_each_column(m, note_owner, &o);
	return o.field;
}

/* Who has everything reads views, too, which repeat the tables. */
static bool is_shown(const struct shower *s, const struct schema_table *t)
{
	const struct access_role *role = s->q->role;

	return schema_find_column(t, s->a->subject_key) &&
	       (t->is_view ? !role->has_everything && access_may_read(role, t->name)
			   : access_may_read(role, t->name));
}

int privacy_show(const struct access *a, const struct schema *schema, struct maria *m,
		 const struct privacy_question *q, struct err *err)
{
	struct shower s = {.a = a, .q = q};
	const struct schema_table *own;
	size_t n;
	int r = privacy_check_subject(a, m, q->subject, err);

	if (r == 0)
		r = check_key(&s, m, err);
	if (r < 0)
		return r;
	own = schema_find_table(schema, a->subject_table);
	if (is_shown(&s, own))
		r = show_table(&s, own, m, &n, err);
	for (size_t i = 0; i < schema->n_tables && r == 0; i++)
		if (&schema->tables[i] != own && is_shown(&s, &schema->tables[i]))
			r = show_table(&s, &schema->tables[i], m, &n, err);
	return r;
}
