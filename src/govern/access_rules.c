/* rules/access.yaml: see access.h; the language is specified in docs/governance.md. */
#include "govern/access_int.h"

#include <assert.h>
#include <strings.h>

#include "base/banned.h"

#define NAME_MAX_BYTES 32 /* short enough for a role, an account and the end of a view's name */
#define HOST_MAX_BYTES 60
#define OBJECTS_MAX    1000 /* of one verb of a role; the shop has a tenth of it */
#define ROLES_MAX      1000
#define PEOPLE_MAX     10000

static const char *const mask_names[] = {"hidden",   "plain", "initial",   "partial",
					 "age_band", "month", "pseudonym", NULL};
static const char *const verb_names[] = {"read", "insert", "update", "delete", "call"};

/* By bit; those that show what a mask hides are for full clearance only. */
static const char *const http_names[] = {"catalogue", "reviews",    "customers",
					 "orders",    "own_orders", "status",
					 "metrics",   "index",	    NULL};
#define HTTP_FULL \
	(ACCESS_HTTP_REVIEWS | ACCESS_HTTP_CUSTOMERS | ACCESS_HTTP_ORDERS | ACCESS_HTTP_INDEX)

static_assert(ARRAY_LEN(verb_names) == ACCESS_VERBS, "a name for each verb");
static_assert(1 << (ARRAY_LEN(http_names) - 1) == ACCESS_HTTP_ALL + 1, "a name for each right");

const char *access_http_name(unsigned bit)
{
	size_t i = 0;

	while (http_names[i + 1] && bit >> i != 1)
		i++;
	return http_names[i];
}

const char *access_verb_name(enum access_verb verb)
{
	return verb_names[verb];
}

const char *access_mask_name(enum access_mask mask)
{
	return mask_names[mask];
}

const struct config_option access_options[] = {
    {.section = "access",
     .name = "rules",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "The file of roles, people and what they may see. Unset: rules/access.yaml of the "
	     "installation."},
    {0},
};

/* --- pieces ---------------------------------------------------------------------------------- */

static int need(const struct ynode *n, enum ynode_kind kind, const char *what, struct err *err)
{
	static const char *const kinds[] = {"a text", "a list", "a map"};

	if (n->kind == kind)
		return 0;
	return ynode_error(n, err, "%s is %s", what, kinds[kind]);
}

/* Names become identifiers of accounts and ends of view names. */
static int check_name(const struct ynode *n, const char *name, struct err *err)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (len && !name[len] && len <= NAME_MAX_BYTES)
		return 0;
	return ynode_key_error(n, err, "a name has a to z, 0 to 9 and _, at most %d of them",
			       NAME_MAX_BYTES);
}

/* `names` ends with NULL. */
static int no_such(const struct ynode *at, const char *what, const char *name,
		   const char *const *names, struct err *err)
{
	const char *near = cstr_nearest(name, names);

	return ynode_error(at, err, "there is no %s \"%.60s\"%s%s%s", what, name,
			   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int find_name(const char *const *names, const struct ynode *at, const char *what,
		     size_t *ret, struct err *err)
{
	const char *text;
	int r = ynode_text(at, &text, err);

	for (size_t i = 0; r == 0 && names[i]; i++) {
		if (cstr_equal(names[i], text)) {
			*ret = i;
			return 0;
		}
	}
	return r < 0 ? r : no_such(at, what, text, names, err);
}

/* Both end with NULL, and are freed by the caller. */
static const char **list_clearances(const struct access *a)
{
	const char **names = mem_alloc_array(a->n_clearances + 1, sizeof(*names));

	for (size_t i = 0; i < a->n_clearances; i++)
		names[i] = a->clearances[i].name;
	return names;
}

static const char **list_roles(const struct access *a)
{
	const char **names = mem_alloc_array(a->n_roles + 1, sizeof(*names));

	for (size_t i = 0; i < a->n_roles; i++)
		names[i] = a->roles[i].name;
	return names;
}

/* --- clearances ------------------------------------------------------------------------------ */

static size_t class_number(const char *name)
{
	size_t i = 0;

	while (mapping_pii_classes[i] && !cstr_equal(mapping_pii_classes[i], name))
		i++;
	return i;
}

static size_t n_classes(void)
{
	return class_number("");
}

enum access_mask access_mask_in(const struct access_clearance *c, const char *pii)
{
	if (c->is_full)
		return ACCESS_PLAIN;
	if (!pii)
		return ACCESS_HIDDEN;
	return cstr_equal(pii, ACCESS_OPEN) ? ACCESS_PLAIN : c->masks[class_number(pii)];
}

static int read_clearance(struct access *a, const struct ynode *n, struct access_clearance *c,
			  struct err *err)
{
	int r = check_name(n, n->key, err);

	if (r == 0)
		r = need(n, YNODE_MAP, "a clearance", err);
	if (r == 0)
		r = ynode_check_keys(n, "a class of personal data", mapping_pii_classes, err);
	c->name = n->key;
	c->node = n;
	c->masks = arena_alloc(&a->arena, n_classes() * sizeof(*c->masks));
	c->is_full = r == 0;
	for (size_t i = 0; i < n->len && r == 0; i++) {
		size_t mask = 0;

		r = find_name(mask_names, &n->children[i], "mask", &mask, err);
		c->masks[class_number(n->children[i].key)] = (enum access_mask)mask;
	}
	for (size_t i = 0; i < n_classes(); i++)
		c->is_full = c->is_full && c->masks[i] == ACCESS_PLAIN;
	return r;
}

/* --- classes of columns ---------------------------------------------------------------------- */

static int check_columns(const struct ynode *columns, struct err *err)
{
	int r = need(columns, YNODE_MAP, "\"columns\"", err);

	for (size_t i = 0; i < columns->len && r == 0; i++) {
		const struct ynode *table = &columns->children[i];

		r = need(table, YNODE_MAP, "what stands under a table", err);
		for (size_t j = 0; j < table->len && r == 0; j++) {
			const char *text;

			r = ynode_text(&table->children[j], &text, err);
			if (r == 0 && !cstr_equal(text, ACCESS_OPEN) &&
			    !mapping_pii_classes[class_number(text)])
				r = no_such(&table->children[j], "class", text, mapping_pii_classes,
					    err);
		}
	}
	return r;
}

/* --- roles ----------------------------------------------------------------------------------- */

struct reader {
	struct access *a;
	const struct ynode *groups;
	struct err *err;
};

static int add_object(struct reader *rd, struct access_objects *list, const struct ynode *n,
		      const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (cstr_equal(list->names[i], name))
			return 0;
	if (list->n == OBJECTS_MAX)
		return ynode_error(n, rd->err, "a role has %d objects of a verb at most",
				   OBJECTS_MAX);
	if (!list->names) {
		list->names = arena_alloc(&rd->a->arena, OBJECTS_MAX * sizeof(*list->names));
		list->nodes = arena_alloc(&rd->a->arena, OBJECTS_MAX * sizeof(*list->nodes));
	}
	list->names[list->n] = name;
	list->nodes[list->n++] = n;
	return 0;
}

/* Names of objects, or of groups of them, which do not nest. */
static int read_objects(struct reader *rd, const struct ynode *n, struct access_objects *ret)
{
	int r = need(n, YNODE_LIST, "what a role may be given", rd->err);

	for (size_t i = 0; i < n->len && r == 0; i++) {
		const struct ynode *group;
		const char *name;

		r = ynode_text(&n->children[i], &name, rd->err);
		if (r < 0)
			return r;
		group = rd->groups ? ynode_get(rd->groups, name) : NULL;
		if (!group)
			r = add_object(rd, ret, &n->children[i], name);
		for (size_t j = 0; group && j < group->len && r == 0; j++) {
			r = ynode_text(&group->children[j], &name, rd->err);
			if (r == 0)
				r = add_object(rd, ret, &group->children[j], name);
		}
	}
	return r;
}

static int read_clearance_of(struct reader *rd, const struct ynode *n, struct access_role *role)
{
	_cleanup_(mem_freep) const char **names = list_clearances(rd->a);
	const struct ynode *at = ynode_get(n, "clearance");
	const char *name = "";
	int r;

	if (!at)
		return ynode_key_error(n, rd->err, "role \"%s\" has no clearance", n->key);
	r = ynode_text(at, &name, rd->err);
	for (size_t i = 0; i < rd->a->n_clearances && r == 0; i++)
		if (cstr_equal(rd->a->clearances[i].name, name))
			role->clearance = &rd->a->clearances[i];
	if (r == 0 && !role->clearance)
		r = no_such(at, "clearance", name, names, rd->err);
	return r;
}

bool access_is_record(const struct access *a, const char *name)
{
	for (size_t i = 0; i < a->records.n; i++)
		if (strcasecmp(a->records.names[i], name) == 0)
			return true;
	return false;
}

/* Whoever could write what was made here, or what was done, could have it believed. */
static int check_records(struct reader *rd, const struct access_objects *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (access_is_record(rd->a, list->names[i]))
			return ynode_error(list->nodes[i], rd->err,
					   "%s is a record that the program alone writes",
					   list->names[i]);
	return 0;
}

/* Rights to write, and all rights, would show what a mask hides. */
static int check_full(struct reader *rd, const struct access_role *role, const struct ynode *at,
		      const char *what)
{
	if (role->clearance->is_full)
		return 0;
	return ynode_key_error(at, rd->err, "only a role that sees everything plain can %s", what);
}

static int read_verbs(struct reader *rd, const struct ynode *n, struct access_role *role)
{
	int r = 0;

	for (size_t i = 0; i < ACCESS_VERBS && r == 0; i++) {
		const struct ynode *list = ynode_get(n, verb_names[i]);

		if (!list)
			continue;
		r = read_objects(rd, list, &role->verbs[i]);
		if (r == 0 && i != ACCESS_READ && i != ACCESS_CALL)
			r = check_full(rd, role, list, verb_names[i]);
		if (r == 0 && i != ACCESS_READ && i != ACCESS_CALL)
			r = check_records(rd, &role->verbs[i]);
	}
	return r;
}

static int read_http(struct reader *rd, const struct ynode *list, struct access_role *role)
{
	int r = need(list, YNODE_LIST, "what a role may ask for over HTTP", rd->err);

	for (size_t i = 0; i < list->len && r == 0; i++) {
		const struct ynode *n = &list->children[i];
		size_t which = 0;

		r = find_name(http_names, n, "right over HTTP", &which, rd->err);
		role->http |= 1U << which;
		if (r == 0 && (HTTP_FULL & 1U << which) && !role->clearance->is_full)
			r = ynode_error(n, rd->err,
					"only a role that sees everything plain can have \"%s\"",
					http_names[which]);
	}
	return r;
}

static int read_everything(struct reader *rd, const struct ynode *n, struct access_role *role)
{
	int r = ynode_bool(n, &role->has_everything, rd->err);

	if (r == 0 && role->has_everything) {
		role->http = ACCESS_HTTP_ALL;
		r = check_full(rd, role, n, "have everything");
	}
	return r;
}

static int read_role(struct reader *rd, const struct ynode *n, struct access_role *role)
{
	static const char *const keys[] = {"clearance", "everything", "read", "insert", "update",
					   "delete",	"call",	      "http", NULL};
	const struct ynode *http = ynode_get(n, "http");
	const struct ynode *everything;
	int r = check_name(n, n->key, rd->err);

	role->name = n->key;
	role->node = n;
	if (r == 0)
		r = ynode_check_keys(n, "a role", keys, rd->err);
	if (r == 0)
		r = read_clearance_of(rd, n, role);
	if (r == 0)
		r = read_verbs(rd, n, role);
	everything = r == 0 ? ynode_get(n, "everything") : NULL;
	if (everything)
		r = read_everything(rd, everything, role);
	return r < 0 || !http ? r : read_http(rd, http, role);
}

static int find_role(struct reader *rd, const struct ynode *n, struct access_person *p)
{
	_cleanup_(mem_freep) const char **names = list_roles(rd->a);
	const struct ynode *at = ynode_get(n, "role");
	const char *name = "";
	int r;

	if (!at)
		return ynode_key_error(n, rd->err, "person \"%s\" has no role", n->key);
	r = ynode_text(at, &name, rd->err);
	if (r == 0)
		p->role = access_find_role(rd->a, name);
	if (r == 0 && !p->role)
		r = no_such(at, "role", name, names, rd->err);
	return r;
}

static int check_host(const struct ynode *n, const char *host, struct err *err)
{
	if (*host && strlen(host) <= HOST_MAX_BYTES && !strchr(host, '@'))
		return 0;
	return ynode_error(n, err, "a host has 1 to %d characters and no @", HOST_MAX_BYTES);
}

static int read_host(struct reader *rd, const struct ynode *n, struct access_person *p)
{
	int r = ynode_text(n, &p->host, rd->err);

	return r < 0 ? r : check_host(n, p->host, rd->err);
}

static int read_person(struct reader *rd, const struct ynode *n, struct access_person *p)
{
	static const char *const keys[] = {"role", "host", "customer", NULL};
	const struct ynode *host = ynode_get(n, "host"), *customer = ynode_get(n, "customer");
	int64_t id = 0;
	int r = check_name(n, n->key, rd->err);

	*p = (struct access_person){.name = n->key, .host = "%", .node = n};
	if (r == 0)
		r = ynode_check_keys(n, "a person", keys, rd->err);
	if (r == 0)
		r = find_role(rd, n, p);
	if (r == 0 && host)
		r = read_host(rd, host, p);
	if (r == 0 && customer)
		r = ynode_int(customer, 1, INT64_MAX, &id, rd->err);
	p->customer_id = (uint64_t)id;
	return r;
}

/* "root@localhost"; without a host, as MariaDB has it, of any: "root@%". */
static int read_system_account(struct access *a, const struct ynode *n, struct err *err)
{
	const char *text, *at;
	int r = ynode_text(n, &text, err);

	if (r < 0)
		return r;
	at = strrchr(text, '@');
	if (!*text || at == text)
		return ynode_error(n, err, "an account has a name");
	a->system[a->n_system++] = at ? text : arena_printf(&a->arena, "%s@%%", text);
	return at ? check_host(n, at + 1, err) : 0;
}

static int read_system(struct access *a, const struct ynode *n, struct err *err)
{
	int r = need(n, YNODE_LIST, "\"system\"", err);

	a->system = arena_alloc(&a->arena, (n->len + 1) * sizeof(*a->system));
	for (size_t i = 0; i < n->len && r == 0; i++)
		r = read_system_account(a, &n->children[i], err);
	return r;
}

static bool is_named(const char *account, const char *name)
{
	size_t len = strlen(name);

	return strncmp(account, name, len) == 0 && strrchr(account, '@') == account + len;
}

/* Of one name twice: a role may not be called like a person, since the server has one name space of
 * them for GRANT. */
static int check_names(const struct access *a, struct err *err)
{
	for (size_t i = 0; i < a->n_people; i++)
		for (size_t j = 0; j < a->n_roles; j++)
			if (cstr_equal(a->people[i].name, a->roles[j].name))
				return ynode_key_error(a->people[i].node, err,
						       "\"%s\" is a role already",
						       a->people[i].name);
	for (size_t i = 0; i < a->n_system; i++) {
		for (size_t j = 0; j < a->n_people; j++)
			if (is_named(a->system[i], a->people[j].name))
				return ynode_key_error(a->people[j].node, err,
						       "\"%s\" is an account of the system",
						       a->people[j].name);
	}
	return 0;
}

static int read_subject(struct access *a, const struct ynode *n, struct err *err)
{
	static const char *const keys[] = {"table", "key", "erase", NULL};
	const struct ynode *table = ynode_get(n, "table"), *key = ynode_get(n, "key"),
			   *erase = ynode_get(n, "erase");
	int r = ynode_check_keys(n, "the subject", keys, err);

	if (r == 0 && (!table || !key))
		r = ynode_error(n, err, "the subject is a table and a key");
	if (r == 0)
		r = ynode_text(table, &a->subject_table, err);
	if (r == 0)
		r = ynode_text(key, &a->subject_key, err);
	return r < 0 || !erase ? r : ynode_text(erase, &a->subject_erase, err);
}

static int read_part(const struct ynode *root, const char *key, const struct ynode **ret,
		     struct err *err)
{
	*ret = ynode_get(root, key);
	if (!*ret)
		return ynode_error(root, err, "\"%s\" is missing", key);
	return need(*ret, YNODE_MAP, key, err);
}

static int read_groups(struct reader *rd, const struct ynode *root)
{
	int r;

	rd->groups = ynode_get(root, "objects");
	r = rd->groups ? need(rd->groups, YNODE_MAP, "\"objects\"", rd->err) : 0;
	for (size_t i = 0; rd->groups && i < rd->groups->len && r == 0; i++)
		r = need(&rd->groups->children[i], YNODE_LIST, "a group of objects", rd->err);
	return r;
}

static int read_people(struct reader *rd, const struct ynode *roles, const struct ynode *people)
{
	struct access *a = rd->a;
	int r = 0;

	if (roles->len > ROLES_MAX)
		return ynode_error(roles, rd->err, "there are %d roles at most", ROLES_MAX);
	if (people->len > PEOPLE_MAX)
		return ynode_error(people, rd->err, "there are %d people at most", PEOPLE_MAX);
	a->roles = arena_alloc(&a->arena, (roles->len + 1) * sizeof(*a->roles));
	for (size_t i = 0; i < roles->len && r == 0; i++)
		r = read_role(rd, &roles->children[i], &a->roles[a->n_roles++]);
	a->people = arena_alloc(&a->arena, (people->len + 1) * sizeof(*a->people));
	for (size_t i = 0; i < people->len && r == 0; i++)
		r = read_person(rd, &people->children[i], &a->people[a->n_people++]);
	return r;
}

static int read_clearances(struct reader *rd, const struct ynode *n)
{
	struct access *a = rd->a;
	int r = 0;

	a->clearances = arena_alloc(&a->arena, (n->len + 1) * sizeof(*a->clearances));
	for (size_t i = 0; i < n->len && r == 0; i++)
		r = read_clearance(a, &n->children[i], &a->clearances[a->n_clearances++], rd->err);
	return r;
}

/* What need not be there. */
static int read_extras(struct reader *rd, const struct ynode *root)
{
	const struct ynode *subject = ynode_get(root, "subject"),
			   *system = ynode_get(root, "system"),
			   *records = ynode_get(root, "records");
	struct access *a = rd->a;
	int r = subject ? read_subject(a, subject, rd->err) : 0;

	a->columns = ynode_get(root, "columns");
	if (r == 0 && a->columns)
		r = check_columns(a->columns, rd->err);
	if (r == 0 && system)
		r = read_system(a, system, rd->err);
	if (r == 0)
		r = read_groups(rd, root);
	return r < 0 || !records ? r : read_objects(rd, records, &a->records);
}

static int read_all(struct access *a, struct err *err)
{
	static const char *const keys[] = {"clearances", "columns", "subject", "objects", "records",
					   "roles",	 "people",  "system",  NULL};
	const struct ynode *root = ydoc_root(a->doc), *clearances, *roles, *people;
	struct reader rd = {.a = a, .err = err};
	int r = ynode_check_keys(root, "the access file", keys, err);

	if (r < 0 || (r = read_part(root, "clearances", &clearances, err)) < 0 ||
	    (r = read_part(root, "roles", &roles, err)) < 0 ||
	    (r = read_part(root, "people", &people, err)) < 0)
		return r;
	r = read_clearances(&rd, clearances);
	if (r == 0)
		r = read_extras(&rd, root);
	if (r == 0)
		r = read_people(&rd, roles, people);
	return r < 0 ? r : check_names(a, err);
}

const struct access_role *access_find_role(const struct access *a, const char *name)
{
	for (size_t i = 0; i < a->n_roles; i++)
		if (cstr_equal(a->roles[i].name, name))
			return &a->roles[i];
	return NULL;
}

bool access_may_read(const struct access_role *role, const char *object)
{
	const struct access_objects *read = &role->verbs[ACCESS_READ];

	for (size_t i = 0; i < read->n; i++)
		if (strcasecmp(read->names[i], object) == 0)
			return true;
	return role->has_everything;
}

bool access_is_system(const struct access *a, const char *account)
{
	for (size_t i = 0; i < a->n_system; i++)
		if (cstr_equal(a->system[i], account))
			return true;
	return false;
}

bool access_is_system_name(const struct access *a, const char *name)
{
	for (size_t i = 0; i < a->n_system; i++)
		if (is_named(a->system[i], name))
			return true;
	return false;
}

const struct access_role *access_want_role(const struct access *a, const char *name,
					   struct err *err)
{
	_cleanup_(mem_freep) const char **names = list_roles(a);
	const struct access_role *role = access_find_role(a, name);

	if (role)
		return role;
	(void)err_set(err, ERR_NOT_FOUND, "there is no role \"%.60s\"", name);
	(void)err_near(err, cstr_nearest(name, names));
	(void)err_hint(err, "`aethermart access show` lists them");
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

static int read_doc(struct ydoc *doc, struct access **ret, struct err *err)
{
	_cleanup_(access_freep) struct access *a = MEM_NEW(struct access);
	int r;

	a->doc = doc;
	r = read_all(a, err);
	if (r == 0)
		*ret = TAKE_PTR(a);
	return r;
}

int access_load(const char *path, struct access **ret, struct err *err)
{
	struct ydoc *doc;
	int r = ydoc_load(path, &doc, err);

	return r < 0 ? r : read_doc(doc, ret, err);
}

int access_parse(const char *file, const char *text, size_t len, struct access **ret,
		 struct err *err)
{
	struct ydoc *doc;
	int r = ydoc_parse(file, text, len, &doc, err);

	return r < 0 ? r : read_doc(doc, ret, err);
}

struct access *access_free(struct access *a)
{
	if (!a)
		return NULL;
	if (a->plan) {
		map_done(&a->plan->classes);
		mem_free(a->plan->wanted.items);
	}
	ydoc_free(a->doc);
	arena_done(&a->arena);
	mem_free(a);
	return NULL;
}
