/* Roles, accounts and views of MongoDB as a list: see access_mongo.h. */
#include "govern/access_mongo_int.h"

#include <assert.h>
#include <sodium.h>

#include "base/banned.h"

#define VIEW_MAX       ((size_t)1 << 20)
#define NAME_MAX_BYTES 160 /* Access_Objects.object_name */

/* --- masks ----------------------------------------------------------------------------------- */

/* The same texts as those of access_mask.c; ~ stands for the field, ' for ". */
static const char initial[] =
    "{'$cond':[{'$lt':[{'$strLenCP':~},2]},'***',{'$concat':[{'$substrCP':[~,0,1]},'***']}]}";

static const char end[] = "{'$cond':[{'$lt':[{'$strLenCP':~},7]},'***',{'$concat':['***',"
			  "{'$substrCP':[~,{'$subtract':[{'$strLenCP':~},2]},2]}]}]}";

static const char email[] = "{'$cond':[{'$regexMatch':{'input':~,"
			    "'regex':'^[^@]{3,}@[^@.]{3,}[.](.*[.])?[A-Za-z]{2,}$'}},"
			    "{'$concat':[{'$substrCP':[~,0,1]},'***@',"
			    "{'$substrCP':[{'$arrayElemAt':[{'$split':[~,'@']},-1]},0,1]},'***.',"
			    "{'$arrayElemAt':[{'$split':[~,'.']},-1]}]},'***']}";

/* "before 1940" as ACCESS_OLDEST has it. */
static const char age_band[] =
    "{'$let':{'vars':{'year':{'$year':~}},'in':{'$cond':[{'$lt':['$$year',1940]},'before 1940',"
    "{'$concat':[{'$toString':{'$subtract':['$$year',{'$mod':['$$year',10]}]}},'-',"
    "{'$toString':{'$add':[{'$subtract':['$$year',{'$mod':['$$year',10]}]},9]}}]}]}}}";
static_assert(ACCESS_OLDEST == 1940, "the same year as in the text above");

static const char month[] = "{'$dateToString':{'format':'%Y-%m','date':~}}";

static void add_expression(struct strbuf *b, const char *text, const char *field)
{
	_cleanup_(mem_freep) char *path = mem_printf("$%s", field);

	for (; *text; text++) {
		if (*text == '~')
			strbuf_add_json(b, path, strlen(path));
		else
			strbuf_addch(b, *text == '\'' ? '"' : *text);
	}
}

/* A value of another type, an array say, has nothing that a mask could leave. */
static void add_mask(struct strbuf *b, enum access_mask mask, const char *pii, const char *field)
{
	const char *text = cstr_equal(pii, "email") ? email : end, *type = "'string'";

	if (mask == ACCESS_INITIAL) {
		text = initial;
	} else if (mask == ACCESS_AGE_BAND) {
		text = age_band;
		type = "'date'";
	} else if (mask == ACCESS_MONTH) {
		text = month;
		type = "'date'";
	}
	add_expression(b, "{'$switch':{'branches':[{'case':{'$eq':[{'$type':~},", field);
	add_expression(b, type, field);
	add_expression(b, "]},'then':", field);
	add_expression(b, text, field);
	add_expression(b,
		       "},{'case':{'$in':[{'$type':~},['null','missing']]},'then':null}],"
		       "'default':'***'}}",
		       field);
}

/* --- fields ---------------------------------------------------------------------------------- */

struct field {
	const char *path, *pii;
	enum access_mask mask;
};

struct viewing { /* a role and a collection */
	const struct access *access;
	const struct access_role *role;
	struct field *fields;
	size_t n, cap;
	bool is_all_readable; /* each table of it */
	const char **closed;  /* paths of objects and arrays whose table may not be read */
	size_t n_closed, closed_cap;
};

static void note_table(void *arg, const char *path, const char *table)
{
	struct viewing *v = arg;

	if (access_may_read(v->role, table))
		return;
	v->is_all_readable = false;
	mem_grow(&v->closed, &v->closed_cap, v->n_closed + 1, sizeof(*v->closed));
	v->closed[v->n_closed++] = path;
}

/* Where a field stands tells of the rows around it: the products of an order, what was ordered. */
static bool is_closed(const struct viewing *v, const char *field)
{
	for (size_t i = 0; i < v->n_closed; i++) {
		size_t len = strlen(v->closed[i]);

		if (!len ||
		    (strncmp(field, v->closed[i], len) == 0 && (field[len] == '.' || !field[len])))
			return true;
	}
	return false;
}

static struct field *find_field(struct viewing *v, const char *path)
{
	for (size_t i = 0; i < v->n; i++)
		if (cstr_equal(v->fields[i].path, path))
			return &v->fields[i];
	return NULL;
}

/* Of what a view can mask; the rest is plain or left out. */
static enum access_mask mask_of(const struct viewing *v, const struct mapping_column *c,
				const char *pii)
{
	const struct access_clearance *clearance = v->role->clearance;
	enum access_mask mask = access_mask_in(clearance, pii);

	if (!access_may_read(v->role, c->table) || is_closed(v, c->field) ||
	    access_mask_in(clearance, access_class(v->access, c->table, c->column)) != mask)
		return ACCESS_HIDDEN;
	if (mask == ACCESS_PSEUDONYM || (mask != ACCESS_PLAIN && strchr(c->field, '.')))
		return ACCESS_HIDDEN;
	return mask;
}

static void see_column(void *arg, const struct mapping_column *c)
{
	struct viewing *v = arg;
	const char *pii = c->pii ? c->pii : access_class(v->access, c->table, c->column);
	enum access_mask mask = mask_of(v, c, pii);
	struct field *f = find_field(v, c->field);

	if (f) { /* made of several columns */
		if (f->mask != mask)
			f->mask = ACCESS_HIDDEN;
		return;
	}
	mem_grow(&v->fields, &v->cap, v->n + 1, sizeof(*v->fields));
	v->fields[v->n++] = (struct field){c->field, pii ? pii : "", mask};
}

/* The _id is the key; it is seen when it is plain as such. */
static bool sees_id(const struct viewing *v, const struct mapping *m)
{
	const char *table = mapping_root_table(m), *column;

	for (size_t i = 0; (column = mapping_key_column(m, i)); i++)
		if (!access_may_read(v->role, table) ||
		    access_mask_in(v->role->clearance, access_class(v->access, table, column)) !=
			ACCESS_PLAIN)
			return false;
	return true;
}

/* --- views ----------------------------------------------------------------------------------- */

const char *access_mongo_view_hash(struct arena *arena, const bson_t *definition)
{
	unsigned char hash[16];
	char *hex = arena_alloc(arena, 2 * sizeof(hash) + 1);
	size_t len;
	char *json = bson_as_canonical_extended_json(definition, &len);

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)json, len, NULL, 0);
	sodium_bin2hex(hex, 2 * sizeof(hash) + 1, hash, sizeof(hash));
	bson_free(json);
	return hex;
}

static void add_definition(struct strbuf *b, const struct viewing *v, const struct mapping *m)
{
	strbuf_addstr(b, "{\"viewOn\":");
	strbuf_add_json(b, mapping_collection(m), strlen(mapping_collection(m)));
	strbuf_addf(b, ",\"pipeline\":[{\"$project\":{\"_id\":%d", sees_id(v, m));
	for (size_t i = 0; i < v->n; i++) {
		const struct field *f = &v->fields[i];

		if (f->mask == ACCESS_HIDDEN)
			continue;
		strbuf_addch(b, ',');
		strbuf_add_json(b, f->path, strlen(f->path));
		strbuf_addch(b, ':');
		if (f->mask == ACCESS_PLAIN)
			strbuf_addch(b, '1');
		else
			add_mask(b, f->mask, f->pii, f->path);
	}
	strbuf_addstr(b, "}}]}");
}

static int add_view(struct access_mongo *a, const struct viewing *v, const struct mapping *m,
		    const char *name, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(VIEW_MAX);
	bson_error_t e;
	bson_t definition;
	int r;

	add_definition(&b, v, m);
	r = strbuf_check(&b, name, err);
	if (r < 0)
		return r;
	if (!bson_init_from_json(&definition, strbuf_str(&b), (ssize_t)b.len, &e))
		return err_set(err, ERR_INVALID_ARGUMENT, "view \"%s\" cannot be made: %s", name,
			       e.message);
	access_items_add(&a->wanted, (struct access_item){
					 .kind = ACCESS_VIEW,
					 .who = name,
					 .right = access_mongo_view_hash(&a->arena, &definition),
					 .object = "",
					 .sql = arena_strdup(&a->arena, strbuf_str(&b))});
	bson_destroy(&definition);
	return 0;
}

/* --- roles and people ------------------------------------------------------------------------ */

static void grant(struct access_mongo *a, const char *role, const char *right, const char *kind,
		  const char *name)
{
	access_items_add(&a->wanted, (struct access_item){
					 .kind = ACCESS_GRANT,
					 .who = role,
					 .right = right,
					 .object = arena_printf(&a->arena, "%s %s", kind, name)});
}

/* Two roles and collections may come to one name, or to that of a collection. */
static int check_view_name(const struct access_mongo *a, const struct mapping_set *set,
			   const struct ynode *at, const char *name, struct err *err)
{
	const char *view = strchr(name, '.') + 1;

	if (strlen(name) > NAME_MAX_BYTES)
		return ynode_error(at, err, "\"%s\" is too long for a view's name", view);
	if (mapping_set_find(set, view) || access_items_has(&a->wanted, ACCESS_VIEW, name))
		return ynode_error(
		    at, err, "the view \"%s\" has the name of another collection or view", view);
	return 0;
}

static int plan_collection(struct access_mongo *a, const struct mapping_set *set,
			   const struct access_role *role, const char *role_name,
			   const struct mapping *m, struct err *err)
{
	struct viewing v = {.access = a->access, .role = role, .is_all_readable = true};
	size_t n_seen = 0;
	const char *name =
	    arena_printf(&a->arena, "%s.%s_%s", a->database, mapping_collection(m), role->name);
	int r = 0;

	mapping_each_table(m, note_table, &v);
	mapping_each_column(m, see_column, &v);
	for (size_t i = 0; i < v.n; i++)
		n_seen += v.fields[i].mask != ACCESS_HIDDEN;
	if (role->clearance->is_full && v.is_all_readable) {
		grant(a, role_name, "find", "COLLECTION", mapping_collection(m));
	} else if (n_seen) {
		r = check_view_name(a, set, role->node, name, err);
		if (r == 0)
			r = add_view(a, &v, m, name, err);
		grant(a, role_name, "find", "COLLECTION", strchr(name, '.') + 1);
	}
	mem_free(v.fields);
	mem_free(v.closed);
	return r;
}

static int plan_role(struct access_mongo *a, const struct mapping_set *set,
		     const struct access_role *role, struct err *err)
{
	const char *name = arena_printf(&a->arena, "%s.%s", a->database, role->name);
	size_t before = a->wanted.n;
	int r = 0;

	if (role->has_everything)
		grant(a, name, "readWrite", "DATABASE", a->database);
	for (size_t i = 0; i < set->len && r == 0 && !role->has_everything; i++)
		if (mapping_has_target(set->items[i]))
			r = plan_collection(a, set, role, name, set->items[i], err);
	if (a->wanted.n > before) /* who has nothing here needs no role */
		access_items_add(&a->wanted, (struct access_item){ACCESS_ROLE, name, "", "", NULL});
	return r;
}

static void plan_person(struct access_mongo *a, const struct access_person *person)
{
	const char *role = arena_printf(&a->arena, "%s.%s", a->database, person->role->name);
	const char *account = arena_printf(&a->arena, "%s.%s", a->users, person->name);

	if (!access_items_has(&a->wanted, ACCESS_ROLE, role))
		return;
	if (a->breach && !person->role->has_everything) {
		a->n_withheld++;
		return;
	}
	if (!cstr_equal(person->host, "%")) {
		a->n_bound++;
		return;
	}
	access_items_add(&a->wanted, (struct access_item){ACCESS_ACCOUNT, account, "", "", NULL});
	access_items_add(&a->wanted, (struct access_item){ACCESS_MEMBER, account, role, "", NULL});
}

int access_mongo_plan_roles(const struct access *a, const struct mapping_set *set,
			    struct access_mongo *ret, struct err *err)
{
	int r = 0;

	ret->access = a;
	for (size_t i = 0; i < a->n_roles && r == 0; i++)
		r = plan_role(ret, set, &a->roles[i], err);
	for (size_t i = 0; i < a->n_people && r == 0; i++)
		plan_person(ret, &a->people[i]);
	access_items_sort(&ret->wanted);
	return r;
}

void access_mongo_done(struct access_mongo *a)
{
	mem_free(a->wanted.items);
	arena_done(&a->arena);
	*a = (struct access_mongo){0};
}
