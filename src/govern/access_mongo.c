/* How a MongoDB differs from the file, and how it is brought about: see access_mongo.h. */
#include "govern/access_mongo_int.h"
#include "govern/govern_sql_int.h"

#include <stdlib.h>

#include "base/banned.h"

#define NAMESPACE_EXISTS    48
#define USER_NOT_FOUND	    11
#define ROLE_NOT_FOUND	    31
#define NAMESPACE_NOT_FOUND 26

int access_mongo_plan(const struct access *a, const struct mapping_set *set,
		      const struct access_mongo_server *s, const char *breach,
		      struct access_mongo *ret, struct err *err)
{
	*ret = (struct access_mongo){.database = mongo_database(s->mongo), .breach = breach};
	ret->users = access_mongo_users(s, &ret->arena);
	return access_mongo_plan_roles(a, set, ret, err);
}

/* --- commands -------------------------------------------------------------------------------- */

/* "database.name" in two; no database has a dot in its name. */
struct name {
	char *database;
	const char *rest;
};

static struct name split(struct arena *arena, const char *full)
{
	size_t len = strcspn(full, ".");

	return (struct name){arena_strndup(arena, full, len), full + len + (full[len] == '.')};
}

static bson_t *view_command(const char *verb, const char *name, const char *definition)
{
	bson_t *command = BCON_NEW(verb, BCON_UTF8(name)), own;

	if (bson_init_from_json(&own, definition, -1, NULL)) {
		bson_concat(command, &own);
		bson_destroy(&own);
	}
	return command;
}

/* A right on a collection, or on another resource, which is written as JSON. */
static bson_t *privilege_command(const char *verb, const char *role, const char *database,
				 const struct access_item *i)
{
	const char *object = strchr(i->object, ' ') + 1;
	bson_t resource = BSON_INITIALIZER, *command;

	if (str_starts(str_from(i->object), "COLLECTION ")) {
		BSON_APPEND_UTF8(&resource, "db", database);
		BSON_APPEND_UTF8(&resource, "collection", object);
	} else {
		bson_destroy(&resource);
		if (!bson_init_from_json(&resource, object, -1, NULL))
			bson_init(&resource);
	}
	command =
	    BCON_NEW(verb, BCON_UTF8(role), "privileges", "[", "{", "resource",
		     BCON_DOCUMENT(&resource), "actions", "[", BCON_UTF8(i->right), "]", "}", "]");
	bson_destroy(&resource);
	return command;
}

static bson_t *role_command(const char *verb, const char *who, const char *role,
			    const char *database)
{
	return BCON_NEW(verb, BCON_UTF8(who), "roles", "[", "{", "role", BCON_UTF8(role), "db",
			BCON_UTF8(database), "}", "]");
}

static bson_t *grant_command(const struct access_item *i, struct name who, bool is_made)
{
	if (!str_starts(str_from(i->object), "DATABASE "))
		return privilege_command(is_made ? "grantPrivilegesToRole"
						 : "revokePrivilegesFromRole",
					 who.rest, who.database, i);
	return role_command(is_made ? "grantRolesToRole" : "revokeRolesFromRole", who.rest,
			    i->right, strchr(i->object, ' ') + 1);
}

/* What makes the item, or takes it away; `ret_database`: where it is run. An account's password
 * comes when it runs. */
static bson_t *make_command(struct arena *arena, const struct access_item *i, bool is_made,
			    const char **ret_database)
{
	struct name who = split(arena, i->who), right = split(arena, i->right);

	*ret_database = who.database;
	switch (i->kind) {
	case ACCESS_ROLE:
		return is_made ? BCON_NEW("createRole", BCON_UTF8(who.rest), "privileges", "[", "]",
					  "roles", "[", "]")
			       : BCON_NEW("dropRole", BCON_UTF8(who.rest));
	case ACCESS_VIEW:
		return is_made ? view_command("create", who.rest, i->sql)
			       : BCON_NEW("drop", BCON_UTF8(who.rest));
	case ACCESS_ACCOUNT:
		return is_made ? BCON_NEW("createUser", BCON_UTF8(who.rest), "roles", "[", "]")
			       : BCON_NEW("dropUser", BCON_UTF8(who.rest));
	case ACCESS_GRANT:
		return grant_command(i, who, is_made);
	case ACCESS_MEMBER:
		return role_command(is_made ? "grantRolesToUser" : "revokeRolesFromUser", who.rest,
				    right.rest, right.database);
	case ACCESS_DEFAULT:
	case ACCESS_PERSON:
	case ACCESS_KEY:
	case ACCESS_LOGIN:
	case ACCESS_DEFINITION:
	case ACCESS_KINDS:
		break;
	}
	bug_if(true);
}

/* As a person would type it. */
static const char *command_text(struct arena *arena, const struct access_item *i, bool is_made)
{
	const char *database, *text;
	bson_t *command = make_command(arena, i, is_made, &database);
	char *json = bson_as_relaxed_extended_json(command, NULL);

	text = arena_printf(arena, "db.getSiblingDB(\"%s\").runCommand(%s)", database, json);
	bson_free(json);
	bson_destroy(command);
	return text;
}

/* --- differences ----------------------------------------------------------------------------- */

struct comparer {
	const struct access_mongo *a;
	struct map records, touching;
	struct access_items found;
	struct arena arena;
	struct access_diff *diff;
};

static void comparer_done(struct comparer *c)
{
	mem_free(c->found.items);
	map_done(&c->records);
	map_done(&c->touching);
	arena_done(&c->arena);
}

static void add_difference(struct comparer *c, enum access_state state,
			   const struct access_item *item)
{
	bool is_command = state == ACCESS_MISSING || state == ACCESS_BEYOND;

	access_diff_add(c->diff, state, item,
			is_command ? command_text(&c->diff->arena, item, state == ACCESS_MISSING)
				   : NULL);
}

/* The one whom an item is about was made here, or is named by the file. */
static bool is_about_ours(const struct comparer *c, const struct access_item *i)
{
	enum access_kind kind = i->kind;

	if (kind == ACCESS_VIEW)
		return true; /* only those that are recorded or wanted were found */
	if (kind == ACCESS_GRANT || kind == ACCESS_MEMBER) {
		kind = kind == ACCESS_GRANT ? ACCESS_ROLE : ACCESS_ACCOUNT;
		if (access_items_has(&c->a->wanted, kind, i->who))
			return true;
	}
	return access_mongo_is_recorded(&c->records, kind, i->who);
}

static bool is_touching(const struct comparer *c, const char *role)
{
	size_t len = strlen(c->a->database);

	return (strncmp(role, c->a->database, len) == 0 && role[len] == '.') ||
	       map_get(&c->touching, str_from(role)) != NULL;
}

static void compare_found(struct comparer *c, const struct access_item *i)
{
	if (is_about_ours(c, i)) {
		/* A view of another definition is changed, not dropped before. */
		if (i->kind != ACCESS_VIEW || !access_items_has(&c->a->wanted, ACCESS_VIEW, i->who))
			add_difference(c, ACCESS_BEYOND, i);
	} else if (i->kind == ACCESS_MEMBER && is_touching(c, i->right)) {
		add_difference(c, ACCESS_FOREIGN, i); /* a role that nobody has harms nobody */
	}
}

static int by_item(const void *a, const void *b)
{
	return access_item_compare(a, b);
}

static bool is_in(const struct access_items *list, const struct access_item *i)
{
	return list->n && bsearch(i, list->items, list->n, sizeof(*list->items), by_item);
}

/* What goes does so first, in the other order. */
static void compare(struct comparer *c)
{
	const struct access_items *wanted = &c->a->wanted;

	for (size_t i = c->found.n; i-- > 0;)
		if (!is_in(wanted, &c->found.items[i]))
			compare_found(c, &c->found.items[i]);
	for (size_t i = 0; i < wanted->n; i++) {
		const struct access_item *item = &wanted->items[i];

		if (!is_in(&c->found, item))
			add_difference(c, ACCESS_MISSING, item);
		if (item->kind > ACCESS_ACCOUNT ||
		    !access_items_has(&c->found, item->kind, item->who) ||
		    access_mongo_is_recorded(&c->records, item->kind, item->who))
			continue;
		access_diff_add_stranger(c->diff, item);
	}
}

int access_mongo_compare(const struct access_mongo *a, const struct access_mongo_server *s,
			 struct access_diff *ret, struct err *err)
{
	_cleanup_(comparer_done) struct comparer c = {.a = a, .diff = ret};
	int r;

	*ret = (struct access_diff){0};
	r = access_load_records(s->records, govern_sql_access_mongo_records, &c.arena, &c.records,
				err);
	if (r == 0)
		r = access_mongo_load(a, s->mongo, &c.records, &c.arena, &c.found, &c.touching,
				      err);
	if (r == 0)
		compare(&c);
	return r;
}

/* --- apply ----------------------------------------------------------------------------------- */

struct applying {
	const struct access_mongo *a;
	const struct access_mongo_server *s;
	const struct access_apply *how;
};

static int add_password(struct applying *ap, const char *account, bson_t *command, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *password;
	int r =
	    ap->how->password(ap->how->arg, split(&arena, account).rest, &arena, &password, err);

	if (r == 0)
		BSON_APPEND_UTF8(command, "pwd", password);
	return r;
}

/* A view that is there is changed in one step, so that nobody meets a moment without it. */
static int replace_view(struct applying *ap, const struct access_item *i, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct name who = split(&arena, i->who);

	return access_mongo_run(ap->s->mongo, who.database,
				view_command("collMod", who.rest, i->sql), err);
}

static int run(struct applying *ap, const struct access_difference *d, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	bool is_made = d->state == ACCESS_MISSING;
	const char *database;
	bson_t *command = make_command(&arena, &d->item, is_made, &database);
	struct err why = {0};
	int r = 0;

	if (is_made && d->item.kind == ACCESS_ACCOUNT)
		r = add_password(ap, d->item.who, command, err);
	if (r < 0) {
		bson_destroy(command);
		return r;
	}
	r = access_mongo_run(ap->s->mongo, database, command, &why);
	if (r < 0 && is_made && d->item.kind == ACCESS_VIEW && why.native == NAMESPACE_EXISTS)
		return replace_view(ap, &d->item, err);
	if (r < 0 && err)
		*err = why;
	return r;
}

static int record(struct maria *m, const char *sql, const struct access_item *i, struct err *err)
{
	return access_record(m, sql, access_mongo_record_kind(i->kind), i->who, err);
}

/* The record stands before what it tells of is made, and goes after it. */
static int bring_about(struct applying *ap, const struct access_difference *d, struct err *err)
{
	bool is_object = d->item.kind <= ACCESS_ACCOUNT;
	bool is_made = d->state == ACCESS_MISSING;
	int r = 0;

	if (is_object && is_made)
		r = record(ap->s->records, govern_sql_access_record, &d->item, err);
	if (r == 0)
		r = run(ap, d, err);
	if (r == 0 && is_object && !is_made)
		r = record(ap->s->records, govern_sql_access_drop_record, &d->item, err);
	return r < 0 ? err_context(err, "MongoDB's \"%s\"", d->item.who) : 0;
}

static int adopt(struct applying *ap, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < ap->a->wanted.n && r == 0; i++)
		if (ap->a->wanted.items[i].kind <= ACCESS_ACCOUNT)
			r = record(ap->s->records, govern_sql_access_record,
				   &ap->a->wanted.items[i], err);
	return r;
}

static int apply_locked(struct applying *ap, size_t *ret_changes, struct err *err)
{
	_cleanup_(access_diff_done) struct access_diff diff = {0};
	int r = access_mongo_compare(ap->a, ap->s, &diff, err);

	if (r == 0 && diff.stranger && !ap->how->adopts)
		return access_refuse_stranger(&diff, "in MongoDB", err);
	if (r == 0 && diff.stranger)
		r = adopt(ap, err);
	for (size_t i = 0; i < diff.n && r == 0; i++) {
		if (!diff.items[i].sql)
			continue;
		r = bring_about(ap, &diff.items[i], err);
		*ret_changes += r == 0;
	}
	return r;
}

int access_mongo_apply(const struct access_mongo *a, const struct access_mongo_server *s,
		       const struct access_apply *how, size_t *ret_changes, struct err *err)
{
	struct applying ap = {a, s, how};
	int r = access_lock(s->records, err);

	*ret_changes = 0;
	return r < 0 ? r : access_unlock(s->records, apply_locked(&ap, ret_changes, err), err);
}

/* --- remove ---------------------------------------------------------------------------------- */

/* A record of an account of the system, by whomever, drops none. */
static bool is_spared(const struct access *a, const struct access_item *i)
{
	const char *dot = strchr(i->who, '.');

	return i->kind == ACCESS_ACCOUNT && dot && access_is_system_name(a, dot + 1);
}

static int drop_recorded(struct maria *m, struct mongo *mongo, const struct access_item *i,
			 struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct err why = {0};
	const char *database;
	bson_t *command = make_command(&arena, i, false, &database);
	int r = access_mongo_run(mongo, database, command, &why);

	if (r < 0 && why.native != USER_NOT_FOUND && why.native != ROLE_NOT_FOUND &&
	    why.native != NAMESPACE_NOT_FOUND) {
		if (err)
			*err = why;
		return err_context(err, "MongoDB's \"%s\"", i->who);
	}
	return record(m, govern_sql_access_drop_record, i, err);
}

static int list_records(struct maria *m, struct arena *arena, struct access_items *ret,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_access_mongo_records, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct access_item item = {.who = arena_str(arena, maria_rows_str(rows, 1)).data,
					   .right = "",
					   .object = ""};

		while (item.kind < ACCESS_ACCOUNT &&
		       !str_equal(maria_rows_str(rows, 0),
				  str_from(access_mongo_record_kind(item.kind))))
			item.kind++;
		access_items_add(ret, item);
	}
	return r;
}

int access_mongo_remove(const struct access *a, struct maria *m, struct mongo *mongo,
			struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct access_items items = {0};
	bool has_table = false;
	int r = maria_has_table(m, "Access_Objects", &has_table, err);

	if (r == 0 && has_table)
		r = list_records(m, &arena, &items, err);
	for (size_t i = 0; i < items.n && r == 0; i++)
		if (!is_spared(a, &items.items[i]))
			r = drop_recorded(m, mongo, &items.items[i], err);
	mem_free(items.items);
	return r;
}
