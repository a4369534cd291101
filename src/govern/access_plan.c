/* What has to be on the server, as a list: see access.h. */
#include "govern/access_int.h"

#include "govern/govern_sql_int.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/banned.h"

#define VIEW_MAX      ((size_t)1 << 20)
#define VIEW_NAME_MAX 64

/* What "everything" is: rights without GRANT OPTION, since this file alone says who may do what,
 * and without those to make code (routines, views, triggers, events): the program calls the shop's
 * procedures as the owner of the schema, so who writes one acts as the owner. */
static const char *const database_rights[] = {
    "SELECT", "CREATE", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "SHOW VIEW",
};

/* Of the warehouse's database; of the shop's table by table, since a right on a database has no
 * exceptions: who may write the program's own records could have them say anything. */
static const char *const table_rights[] = {"INSERT", "UPDATE", "DELETE",    "DROP",
					   "INDEX",  "ALTER",  "REFERENCES"};

/* --- lists ----------------------------------------------------------------------------------- */

int access_item_compare(const struct access_item *a, const struct access_item *b)
{
	int order = (a->kind > b->kind) - (a->kind < b->kind);

	if (!order)
		order = strcmp(a->who, b->who);
	if (!order)
		order = strcmp(a->right, b->right);
	return order ? order : strcmp(a->object, b->object);
}

static int by_item(const void *a, const void *b)
{
	return access_item_compare(a, b);
}

bool access_items_has(const struct access_items *list, enum access_kind kind, const char *who)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].kind == kind && cstr_equal(list->items[i].who, who))
			return true;
	return false;
}

void access_items_add(struct access_items *list, struct access_item item)
{
	mem_grow(&list->items, &list->cap, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = item;
}

void access_items_sort(struct access_items *list)
{
	size_t kept = 0;

	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_item);
	for (size_t i = 0; i < list->n; i++)
		if (!kept || access_item_compare(&list->items[kept - 1], &list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	list->n = kept;
}

const struct access_items *access_plan_items(const struct access *a)
{
	return &a->plan->wanted;
}

void access_item_text(const struct access_item *i, struct strbuf *b)
{
	switch (i->kind) {
	case ACCESS_ROLE:
		strbuf_addf(b, "role %s", i->who);
		break;
	case ACCESS_VIEW:
		strbuf_addf(b, "view %s", i->who);
		break;
	case ACCESS_ACCOUNT:
		strbuf_addf(b, "account %s", i->who);
		break;
	case ACCESS_GRANT:
		strbuf_addf(b, "%s may %s on %s", i->who, i->right, i->object);
		break;
	case ACCESS_MEMBER:
		strbuf_addf(b, "%s has role %s", i->who, i->right);
		break;
	case ACCESS_DEFAULT:
		strbuf_addf(b, "%s begins as %s", i->who, i->right);
		break;
	case ACCESS_PERSON:
		strbuf_addf(b, "%s is customer %s", i->who, i->right);
		break;
	case ACCESS_KEY:
	case ACCESS_LOGIN:
	case ACCESS_DEFINITION:
		strbuf_addf(b, "%s %s", i->who, i->right);
		break;
	case ACCESS_KINDS:
		break;
	}
}

/* --- classes --------------------------------------------------------------------------------- */

struct str access_column_key(struct arena *arena, const char *table, const char *column)
{
	size_t n = strlen(table) + 1, len = n + strlen(column);
	char *key = arena_alloc(arena, len + 1);

	memcpy(key, table, n);
	memcpy(key + n, column, len - n + 1);
	return (struct str){key, len};
}

const char *access_class(const struct access *a, const char *table, const char *column)
{
	_cleanup_(arena_done) struct arena arena = {0};

	return map_get(&a->plan->classes, access_column_key(&arena, table, column));
}

struct classing {
	struct access *a;
	struct access_plan *plan;
};

/* Of two fields of one column the one that is personal counts. */
static void add_mapped(void *arg, const struct mapping_column *column)
{
	struct classing *c = arg;
	void **slot = map_put(&c->plan->classes,
			      access_column_key(&c->a->arena, column->table, column->column));

	if (!*slot || column->pii)
		*slot = (void *)(uintptr_t)(column->pii ? column->pii : ACCESS_OPEN);
}

static int add_own(struct classing *c, const struct schema_table *t, const struct ynode *columns,
		   struct err *err)
{
	const struct ynode *others = ynode_get(columns, "*");

	for (size_t i = 0; i < columns->len; i++) {
		const struct ynode *n = &columns->children[i];
		void **slot;

		if (n == others)
			continue;
		if (!schema_find_column(t, n->key))
			return ynode_key_error(n, err, "%s has no column \"%.60s\"", t->name,
					       n->key);
		slot = map_put(&c->plan->classes, access_column_key(&c->a->arena, t->name, n->key));
		if (*slot && !cstr_equal(*slot, ACCESS_OPEN) && !cstr_equal(*slot, n->text))
			return ynode_error(n, err, "the mapping says that %s.%s is of class \"%s\"",
					   t->name, n->key, (const char *)*slot);
		*slot = (void *)(uintptr_t)n->text;
	}
	for (size_t i = 0; others && i < t->n_columns; i++) {
		void **slot = map_put(&c->plan->classes,
				      access_column_key(&c->a->arena, t->name, t->columns[i].name));

		if (!*slot)
			*slot = (void *)(uintptr_t)others->text;
	}
	return 0;
}

int access_class_columns(struct access *a, const struct mapping_set *set, const struct schema *s,
			 struct err *err)
{
	struct classing c = {.a = a, .plan = a->plan};
	int r = 0;

	for (size_t i = 0; i < set->len; i++)
		mapping_each_column(set->items[i], add_mapped, &c);
	for (size_t i = 0; a->columns && i < a->columns->len && r == 0; i++) {
		const struct ynode *n = &a->columns->children[i];
		const struct schema_table *t = schema_find_table(s, n->key);

		r = t ? add_own(&c, t, n, err)
		      : ynode_key_error(n, err, "there is no table or view \"%.60s\"", n->key);
	}
	return r;
}

/* --- views ----------------------------------------------------------------------------------- */

struct planner {
	struct access *a;
	struct access_plan *plan;
	const struct schema *schema;
	struct map routines;	   /* names of procedures */
	const char **routine_list; /* the same, NULL at its end */
	size_t n_routines, routines_cap;
	struct err *err;
};

/* v_customers_masked; a name that begins so itself keeps it: v_toproducts_masked. */
static const char *view_name(struct planner *p, const char *table, const char *clearance)
{
	const char *rest = strncasecmp(table, "v_", 2) == 0 ? table + 2 : table;
	char *name = arena_printf(&p->a->arena, "v_%s_%s", rest, clearance);

	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return name;
}

/* How many columns a clearance sees; `ret_plain`: all of them, as they are. */
static size_t count_seen(const struct access *a, const struct access_clearance *c,
			 const struct schema_table *t, bool *ret_plain)
{
	size_t n = 0;

	*ret_plain = true;
	for (size_t i = 0; i < t->n_columns; i++) {
		const char *pii = access_class(a, t->name, t->columns[i].name);
		enum access_mask mask = access_mask_in(c, pii);

		n += mask != ACCESS_HIDDEN;
		*ret_plain = *ret_plain && mask == ACCESS_PLAIN;
	}
	return n;
}

static int check_mask(struct planner *p, const struct access_clearance *c, const char *pii,
		      const struct schema_table *t, const struct schema_column *column)
{
	enum access_mask mask = access_mask_in(c, pii);

	if ((mask != ACCESS_AGE_BAND && mask != ACCESS_MONTH) || column->type == SCHEMA_DATE ||
	    column->type == SCHEMA_DATETIME)
		return 0;
	return ynode_error(ynode_get(c->node, pii), p->err, "%s.%s is no date: it has no %s",
			   t->name, column->name, mask == ACCESS_MONTH ? "month" : "age band");
}

static int add_view(struct planner *p, const struct access_clearance *c,
		    const struct schema_table *t, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(VIEW_MAX);
	unsigned char hash[16];
	char hex[2 * sizeof(hash) + 1];
	bool has_key = false;
	const char *comma = "";
	int r = 0;

	MARIA_ADD(&b,
		  "CREATE OR REPLACE ALGORITHM=TEMPTABLE SQL SECURITY DEFINER VIEW # AS SELECT ",
		  name);
	for (size_t i = 0; i < t->n_columns && r == 0; i++) {
		const struct schema_column *column = &t->columns[i];
		const char *pii = access_class(p->a, t->name, column->name);
		enum access_mask mask = access_mask_in(c, pii);

		if (mask == ACCESS_HIDDEN)
			continue;
		r = check_mask(p, c, pii, t, column);
		has_key = has_key || mask == ACCESS_PSEUDONYM;
		strbuf_addstr(&b, comma);
		access_add_mask(&b, mask, pii, column);
		comma = ", ";
	}
	MARIA_ADD(&b, " FROM # t", t->name);
	if (has_key)
		strbuf_addstr(&b, " JOIN Access_Keys k ON k.key_name = 'pseudonym'");
	if (r == 0)
		r = strbuf_check(&b, name, p->err);
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)strbuf_str(&b), b.len, NULL,
			   0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	access_items_add(&p->plan->wanted,
			 (struct access_item){.kind = ACCESS_VIEW,
					      .who = name,
					      .right = arena_strdup(&p->a->arena, hex),
					      .object = "",
					      .sql = arena_strdup(&p->a->arena, strbuf_str(&b))});
	return r;
}

/* --- rights ---------------------------------------------------------------------------------- */

static void grant(struct planner *p, const char *who, const char *right, const char *kind,
		  const char *name)
{
	access_items_add(
	    &p->plan->wanted,
	    (struct access_item){.kind = ACCESS_GRANT,
				 .who = who,
				 .right = right,
				 .object = arena_printf(&p->a->arena, "%s %s", kind, name)});
}

static int no_object(struct planner *p, const struct ynode *at, const char *name, bool is_call)
{
	const char *near =
	    is_call ? cstr_nearest(name, p->routine_list) : schema_nearest_table(p->schema, name);

	(void)ynode_error(at, p->err, "there is no %s \"%.60s\"",
			  is_call ? "procedure" : "table or view", name);
	return near ? err_hint(p->err, "did you mean \"%s\"?", near) : -ERR_INVALID_ARGUMENT;
}

static int plan_read(struct planner *p, const struct access_role *role, const char *object,
		     const struct ynode *at)
{
	const struct schema_table *t = schema_find_table(p->schema, object);
	const char *name;
	bool is_plain;
	int r;

	if (!t)
		return no_object(p, at, object, false);
	if (!count_seen(p->a, role->clearance, t, &is_plain))
		return ynode_error(at, p->err, "clearance \"%s\" sees no column of %s: class them",
				   role->clearance->name, object);
	/* A view of ours, of which all is plain, needs none before it. */
	if (role->clearance->is_full || (is_plain && t->is_view)) {
		grant(p, role->name, "SELECT", "TABLE", t->name);
		return 0;
	}
	name = view_name(p, t->name, role->clearance->name);
	if (strlen(name) > VIEW_NAME_MAX)
		return ynode_error(at, p->err, "\"%s\" is too long for a view's name", name);
	r = add_view(p, role->clearance, t, name);
	grant(p, role->name, "SELECT", "TABLE", name);
	return r;
}

static int plan_object(struct planner *p, const struct access_role *role, enum access_verb verb,
		       const char *object, const struct ynode *at)
{
	static const char *const rights[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE"};
	const struct schema_table *t;

	if (verb == ACCESS_READ)
		return plan_read(p, role, object, at);
	if (verb == ACCESS_CALL) {
		if (!map_get(&p->routines, str_from(object)))
			return no_object(p, at, object, true);
		grant(p, role->name, rights[verb], "PROCEDURE", object);
		return 0;
	}
	t = schema_find_table(p->schema, object);
	if (!t)
		return no_object(p, at, object, false);
	grant(p, role->name, rights[verb], "TABLE", t->name);
	return 0;
}

/* A name of a database is a pattern where rights are granted: aethermart\_db and nothing else. */
static const char *database_pattern(struct planner *p, const char *name)
{
	char *pattern = arena_alloc(&p->a->arena, 2 * strlen(name) + 1), *to = pattern;

	for (const char *c = name; *c; c++) {
		if (*c == '_' || *c == '%' || *c == '\\')
			*to++ = '\\';
		*to++ = *c;
	}
	return pattern;
}

static void plan_everything(struct planner *p, const struct access_role *role)
{
	const char *shop = database_pattern(p, p->plan->shop);
	const char *warehouse = database_pattern(p, p->plan->warehouse);

	for (size_t i = 0; i < ARRAY_LEN(database_rights); i++) {
		grant(p, role->name, database_rights[i], "DATABASE", shop);
		grant(p, role->name, database_rights[i], "DATABASE", warehouse);
	}
	for (size_t i = 0; i < ARRAY_LEN(table_rights); i++) {
		grant(p, role->name, table_rights[i], "DATABASE", warehouse);
		for (size_t j = 0; j < p->schema->n_tables; j++) {
			const struct schema_table *t = &p->schema->tables[j];

			if (!t->is_view && !access_is_record(p->a, t->name))
				grant(p, role->name, table_rights[i], "TABLE", t->name);
		}
	}
}

static int plan_role(struct planner *p, const struct access_role *role)
{
	int r = 0;

	access_items_add(&p->plan->wanted,
			 (struct access_item){ACCESS_ROLE, role->name, "", "", NULL});
	if (role->has_everything)
		plan_everything(p, role);
	for (size_t i = 0; i < ACCESS_VERBS; i++)
		for (size_t j = 0; j < role->verbs[i].n && r == 0; j++)
			r = plan_object(p, role, (enum access_verb)i, role->verbs[i].names[j],
					role->verbs[i].nodes[j]);
	return r;
}

static void plan_person(struct planner *p, const struct access_person *person)
{
	const char *account = arena_printf(&p->a->arena, "%s@%s", person->name, person->host);
	struct access_items *wanted = &p->plan->wanted;

	access_items_add(wanted, (struct access_item){ACCESS_ACCOUNT, account, "", "", NULL});
	access_items_add(
	    wanted, (struct access_item){ACCESS_MEMBER, account, person->role->name, "", NULL});
	access_items_add(
	    wanted, (struct access_item){ACCESS_DEFAULT, account, person->role->name, "", NULL});
	if (person->customer_id)
		access_items_add(wanted, (struct access_item){
					     ACCESS_PERSON, account,
					     arena_printf(&p->a->arena, "%llu",
							  (unsigned long long)person->customer_id),
					     "", NULL});
}

static void add_routine(struct planner *p, const char *name)
{
	mem_grow(&p->routine_list, &p->routines_cap, p->n_routines + 1, sizeof(*p->routine_list));
	p->routine_list[p->n_routines++] = name;
}

static int load_routines(struct planner *p, struct maria *m)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_access_procedures,
			    MARIA_ARGS(MARIA_S(p->schema->database)), &rows, p->err);

	while (r >= 0 && (r = maria_rows_next(rows, p->err)) > 0) {
		struct str name = arena_str(&p->a->arena, maria_rows_str(rows, 0));

		*map_put(&p->routines, name) = (void *)(uintptr_t)name.data;
		add_routine(p, name.data);
	}
	add_routine(p, NULL);
	return r;
}

/* `Low_Stock` and `v_low_stock` would have one masked view. */
static int check_views(struct planner *p)
{
	const struct access_items *wanted = &p->plan->wanted;

	for (size_t i = 1; i < wanted->n; i++) {
		const struct access_item *one = &wanted->items[i - 1], *other = &wanted->items[i];

		if (other->kind == ACCESS_VIEW && one->kind == ACCESS_VIEW &&
		    cstr_equal(one->who, other->who))
			return ynode_error(ydoc_root(p->a->doc), p->err,
					   "two tables or views would be masked as %s: one of them "
					   "needs another name",
					   one->who);
	}
	return 0;
}

static int check_subject(struct planner *p)
{
	const struct ynode *at = ynode_get(ydoc_root(p->a->doc), "subject");
	const struct schema_table *t;
	const char *erase = p->a->subject_erase;

	if (!at)
		return 0;
	t = schema_find_table(p->schema, p->a->subject_table);
	if (!t)
		return no_object(p, ynode_get(at, "table"), p->a->subject_table, false);
	if (erase && !map_get(&p->routines, str_from(erase)))
		return no_object(p, ynode_get(at, "erase"), erase, true);
	return schema_find_column(t, p->a->subject_key)
		   ? 0
		   : ynode_error(ynode_get(at, "key"), p->err, "%s has no column \"%.60s\"",
				 t->name, p->a->subject_key);
}

static int check_records(struct planner *p)
{
	const struct access_objects *records = &p->a->records;

	for (size_t i = 0; i < records->n; i++) {
		/* Those of the sync are made later than the rights. */
		if (schema_find_table(p->schema, records->names[i]) ||
		    str_starts(str_from(records->names[i]), "sync_"))
			continue;
		(void)no_object(p, records->nodes[i], records->names[i], false);
		return err_hint(p->err, "`aethermart schema apply` makes the program's own tables");
	}
	return 0;
}

int access_bind(struct access *a, const struct mapping_set *set,
		const struct access_databases *databases, struct maria *m, struct err *err)
{
	struct planner p = {.a = a, .schema = databases->shop, .err = err};
	int r;

	a->plan = arena_alloc(&a->arena, sizeof(*a->plan));
	a->plan->shop = arena_strdup(&a->arena, databases->shop->database);
	a->plan->warehouse = arena_strdup(&a->arena, databases->warehouse);
	p.plan = a->plan;
	r = access_class_columns(a, set, databases->shop, err);
	if (r == 0)
		r = load_routines(&p, m);
	if (r == 0)
		r = check_subject(&p);
	if (r == 0)
		r = check_records(&p);
	for (size_t i = 0; i < a->n_roles && r == 0; i++)
		r = plan_role(&p, &a->roles[i]);
	for (size_t i = 0; i < a->n_people && r == 0; i++)
		plan_person(&p, &a->people[i]);
	access_items_sort(&a->plan->wanted);
	map_done(&p.routines);
	mem_free(p.routine_list);
	return r < 0 ? r : check_views(&p);
}
