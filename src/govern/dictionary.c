/* The data dictionary: see dictionary.h. */
#include "govern/dictionary.h"

#include "govern/access_int.h"
#include "govern/govern_sql_int.h"

#include <strings.h>

#include "base/banned.h"

#define TEXT_MAX 60000 /* bytes of a TEXT column */

struct fields {
	struct arena arena;
	struct map by_column; /* "table\0column" to struct strbuf */
	const char *collection;
};

static void add_field(void *arg, const struct mapping_column *c)
{
	struct fields *f = arg;
	void **slot = map_put(&f->by_column, access_column_key(&f->arena, c->table, c->column));
	struct strbuf *b = *slot;

	if (!b) {
		*slot = b = arena_alloc(&f->arena, sizeof(*b));
		b->max = TEXT_MAX;
	}
	strbuf_addf(b, "%s%s.%s", b->len ? ", " : "", f->collection, c->field);
}

static void find_fields(struct fields *f, const struct mapping_set *set)
{
	for (size_t i = 0; i < set->len; i++) {
		f->collection = mapping_collection(set->items[i]);
		mapping_each_column(set->items[i], add_field, f);
	}
}

static void fields_done(struct fields *f)
{
	for (size_t i = 0; i < f->by_column.cap; i++)
		if (f->by_column.entries[i].value)
			strbuf_done(f->by_column.entries[i].value);
	map_done(&f->by_column);
	arena_done(&f->arena);
}

/* Of several classes: what is not plain is told, and one that is hidden hides it. */
static enum access_mask mask_of(const struct access_role *role, const char *const *classes,
				size_t n)
{
	enum access_mask mask = ACCESS_PLAIN;

	for (size_t i = 0; i < n && mask != ACCESS_HIDDEN; i++) {
		enum access_mask of_class = access_mask_in(role->clearance, classes[i]);

		if (of_class != ACCESS_PLAIN)
			mask = of_class;
	}
	return mask;
}

void dictionary_readers(const struct access *a, const char *table, const char *const *classes,
			size_t n, struct strbuf *b)
{
	for (size_t i = 0; i < a->n_roles; i++) {
		const struct access_role *role = &a->roles[i];
		enum access_mask mask = mask_of(role, classes, n);

		if (mask != ACCESS_HIDDEN && access_may_read(role, table))
			strbuf_addf(b, "%s%s %s", b->len ? ", " : "", role->name,
				    access_mask_name(mask));
	}
}

static int each_column(const struct access *a, const struct schema_table *t, struct fields *f,
		       dictionary_fn fn, void *arg, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf readers = STRBUF_INIT(TEXT_MAX);
	_cleanup_(arena_done) struct arena arena = {0};
	int r = 0;

	for (size_t i = 0; i < t->n_columns && r == 0; i++) {
		const struct schema_column *c = &t->columns[i];
		const struct strbuf *fields =
		    map_get(&f->by_column, access_column_key(&arena, t->name, c->name));
		struct dictionary_entry e = {.table = t->name,
					     .column = c->name,
					     .type = c->sql_type,
					     .meaning = c->comment ? c->comment : "",
					     .position = i + 1,
					     .is_nullable = c->is_nullable,
					     .pii = access_class(a, t->name, c->name),
					     .fields = fields ? strbuf_str(fields) : ""};

		strbuf_clear(&readers);
		dictionary_readers(a, t->name, &e.pii, 1, &readers);
		e.readers = strbuf_str(&readers);
		r = fn(arg, &e, err);
	}
	return r;
}

/* Masked views repeat their tables. */
static bool is_masked_view(const struct access *a, const char *name)
{
	const struct access_items *wanted = access_plan_items(a);

	for (size_t i = 0; i < wanted->n; i++)
		if (wanted->items[i].kind == ACCESS_VIEW && cstr_equal(wanted->items[i].who, name))
			return true;
	return false;
}

int dictionary_each(const struct access *a, const struct schema *s, const struct mapping_set *set,
		    const char *table, dictionary_fn fn, void *arg, struct err *err)
{
	_cleanup_(fields_done) struct fields f = {0};
	int r = 0;

	find_fields(&f, set);
	for (size_t i = 0; i < s->n_tables && r == 0; i++) {
		const struct schema_table *t = &s->tables[i];

		if (table ? strcasecmp(t->name, table) == 0 : !is_masked_view(a, t->name))
			r = each_column(a, t, &f, fn, arg, err);
	}
	return r;
}

/* --- the table ------------------------------------------------------------------------------- */

struct writer {
	struct maria *m;
	size_t n;
};

static int write_entry(void *arg, const struct dictionary_entry *e, struct err *err)
{
	struct writer *w = arg;
	const struct maria_value params[] = {MARIA_S(e->table),
					     MARIA_S(e->column),
					     MARIA_U(e->position),
					     MARIA_S(e->type),
					     MARIA_I(e->is_nullable),
					     MARIA_S(e->meaning), /* 1,024 characters, as there */
					     e->pii ? MARIA_S(e->pii) : MARIA_N,
					     MARIA_S(e->fields),
					     MARIA_S(e->readers)};

	w->n++;
	return maria_run(w->m, govern_sql_dictionary_add, params, ARRAY_LEN(params), NULL, err);
}

int dictionary_write(const struct access *a, const struct schema *s, const struct mapping_set *set,
		     struct maria *m, size_t *ret_columns, struct err *err)
{
	struct writer w = {.m = m};
	int r = maria_exec(m, "START TRANSACTION", err);

	if (r == 0)
		r = maria_run(m, govern_sql_dictionary_clear, NULL, 0, NULL, err);
	if (r == 0)
		r = dictionary_each(a, s, set, NULL, write_entry, &w, err);
	r = maria_finish(m, r, err);
	*ret_columns = w.n;
	return r < 0 ? err_context(err, "writing the data dictionary") : 0;
}
