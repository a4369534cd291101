/* What a MongoDB grants, as a list: see access_mongo.h. */
#include "govern/access_mongo_int.h"

#include "base/banned.h"

#define UNAUTHORIZED 13	   /* the server's error */
#define BATCH	     10000 /* of a list of collections; the shop has a hundredth of it */

/* --- commands -------------------------------------------------------------------------------- */

static int hint_rights(int r, struct err *err)
{
	/* Not where the login itself was refused. */
	if (r == -ERR_PERMISSION && err->native == UNAUTHORIZED)
		(void)err_hint(err,
			       "the account that applies needs the role userAdminAnyDatabase of "
			       "\"admin\" beside readWrite and dbAdmin of the documents' database");
	return r;
}

int access_mongo_run(struct mongo *mongo, const char *database, bson_t *command, struct err *err)
{
	int r = mongo_command(mongo, database, command, NULL, err);

	bson_destroy(command);
	return hint_rights(r, err);
}

static int each_document(bson_iter_t *array, access_mongo_fn fn, void *arg, struct err *err)
{
	int r = 0;

	while (r == 0 && bson_iter_next(array)) {
		const uint8_t *data;
		uint32_t len;
		bson_t doc;

		if (!BSON_ITER_HOLDS_DOCUMENT(array))
			continue;
		bson_iter_document(array, &len, &data);
		if (bson_init_static(&doc, data, len))
			r = fn(arg, &doc, err);
	}
	return r;
}

int access_mongo_each(struct mongo *mongo, const char *database, bson_t *command, const char *array,
		      access_mongo_fn fn, void *arg, struct err *err)
{
	bson_iter_t it, found, items;
	bson_t reply;
	int r = mongo_command(mongo, database, command, &reply, err);

	bson_destroy(command);
	if (r < 0)
		return hint_rights(r, err);
	if (bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, array, &found) &&
	    BSON_ITER_HOLDS_ARRAY(&found) && bson_iter_recurse(&found, &items))
		r = each_document(&items, fn, arg, err);
	else /* an empty list would look as if nobody had a right */
		r = err_set(err, ERR_CORRUPTED, "MongoDB answers without \"%s\"", array);
	bson_destroy(&reply);
	return r;
}

bson_t *access_mongo_list_users(void)
{
	return BCON_NEW("usersInfo", "{", "forAllDBs", BCON_BOOL(true), "}");
}

bson_t *access_mongo_list_collections(const char *type, const char *prefix)
{
	_cleanup_(mem_freep) char *regex = mem_printf("^%s", prefix);

	return BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "type", BCON_UTF8(type),
			"name", "{", "$regex", BCON_UTF8(regex), "}", "}", "cursor", "{",
			"batchSize", BCON_INT32(BATCH), "}");
}

const char *access_mongo_text(const bson_t *doc, const char *field)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, doc, field) && BSON_ITER_HOLDS_UTF8(&it)
		   ? bson_iter_utf8(&it, NULL)
		   : "";
}

/* --- lists ----------------------------------------------------------------------------------- */

struct loading {
	const struct access_mongo *a;
	const struct map *records;
	struct arena *arena;
	struct access_items *list;
	struct map *touching;
	const char *who; /* the role or account whose parts are read */
};

static void add(struct loading *l, enum access_kind kind, const char *right, const char *object)
{
	access_items_add(l->list, (struct access_item){kind, l->who, right, object, NULL});
}

/* Calls for each document of a field of `doc` that is a list. */
static int each_part(const bson_t *doc, const char *field, access_mongo_fn fn, struct loading *l,
		     struct err *err)
{
	bson_iter_t it, items;

	return bson_iter_init_find(&it, doc, field) && BSON_ITER_HOLDS_ARRAY(&it) &&
		       bson_iter_recurse(&it, &items)
		   ? each_document(&items, fn, l, err)
		   : 0;
}

static const char *full_name(struct loading *l, const bson_t *doc, const char *field)
{
	return arena_printf(l->arena, "%s.%s", access_mongo_text(doc, "db"),
			    access_mongo_text(doc, field));
}

/* --- roles ----------------------------------------------------------------------------------- */

/* "COLLECTION orders", or all of it as JSON, by which it can be taken back. */
static const char *resource_name(struct loading *l, const bson_t *resource)
{
	const char *collection = access_mongo_text(resource, "collection"), *name;
	char *json;

	if (*collection && cstr_equal(access_mongo_text(resource, "db"), l->a->database))
		return arena_printf(l->arena, "COLLECTION %s", collection);
	json = bson_as_canonical_extended_json(resource, NULL);
	name = arena_printf(l->arena, "RESOURCE %s", json);
	bson_free(json);
	return name;
}

static bool get_document(const bson_t *doc, const char *field, bson_t *ret)
{
	const uint8_t *data;
	bson_iter_t it;
	uint32_t len;

	if (!bson_iter_init_find(&it, doc, field) || !BSON_ITER_HOLDS_DOCUMENT(&it))
		return false;
	bson_iter_document(&it, &len, &data);
	return bson_init_static(ret, data, len);
}

static int add_privilege(void *arg, const bson_t *privilege, struct err *err)
{
	struct loading *l = arg;
	bson_iter_t it, actions;
	bson_t resource;

	(void)err;
	if (!get_document(privilege, "resource", &resource) ||
	    !bson_iter_init_find(&it, privilege, "actions") || !BSON_ITER_HOLDS_ARRAY(&it) ||
	    !bson_iter_recurse(&it, &actions))
		return 0;
	while (bson_iter_next(&actions))
		if (BSON_ITER_HOLDS_UTF8(&actions))
			add(l, ACCESS_GRANT, arena_strdup(l->arena, bson_iter_utf8(&actions, NULL)),
			    resource_name(l, &resource));
	return 0;
}

static int add_inherited(void *arg, const bson_t *role, struct err *err)
{
	struct loading *l = arg;

	(void)err;
	add(l, ACCESS_GRANT, arena_strdup(l->arena, access_mongo_text(role, "role")),
	    arena_printf(l->arena, "DATABASE %s", access_mongo_text(role, "db")));
	return 0;
}

static int add_role(void *arg, const bson_t *role, struct err *err)
{
	struct loading *l = arg;
	int r;

	l->who = full_name(l, role, "role");
	add(l, ACCESS_ROLE, "", "");
	r = each_part(role, "privileges", add_privilege, l, err);
	return r < 0 ? r : each_part(role, "roles", add_inherited, l, err);
}

/* A resource of ours, or of any database. */
static int note_privilege(void *arg, const bson_t *privilege, struct err *err)
{
	struct loading *l = arg;
	bson_t resource;
	const char *database;

	(void)err;
	if (!get_document(privilege, "resource", &resource))
		return 0;
	database = access_mongo_text(&resource, "db");
	if (cstr_equal(database, l->a->database) ||
	    (!*database && !bson_has_field(&resource, "cluster")))
		*map_put(l->touching, str_from(l->who)) = l;
	return 0;
}

static int note_role(void *arg, const bson_t *role, struct err *err)
{
	struct loading *l = arg;

	l->who = full_name(l, role, "role");
	return each_part(role, "inheritedPrivileges", note_privilege, l, err);
}

static bson_t *list_roles(void)
{
	return BCON_NEW("rolesInfo", BCON_INT32(1), "showPrivileges", BCON_BOOL(true));
}

/* Roles that reach the documents from another database can only be in "admin". */
static int load_touching(struct loading *l, struct mongo *mongo, struct err *err)
{
	static const char *const built_in[] = {"admin.root",
					       "admin.__system",
					       "admin.readAnyDatabase",
					       "admin.readWriteAnyDatabase",
					       "admin.dbAdminAnyDatabase",
					       "admin.userAdminAnyDatabase",
					       "admin.backup",
					       "admin.restore",
					       "admin.dbOwner",
					       "admin.userAdmin"};

	for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
		*map_put(l->touching, str_from(built_in[i])) = l;
	return access_mongo_each(mongo, "admin", list_roles(), "roles", note_role, l, err);
}

/* --- accounts -------------------------------------------------------------------------------- */

static int add_membership(void *arg, const bson_t *role, struct err *err)
{
	struct loading *l = arg;

	(void)err;
	add(l, ACCESS_MEMBER, full_name(l, role, "role"), "");
	return 0;
}

static int add_user(void *arg, const bson_t *user, struct err *err)
{
	struct loading *l = arg;

	/* One of the same name in another database is another one. */
	if (cstr_equal(access_mongo_text(user, "db"), l->a->users) &&
	    access_is_system_name(l->a->access, access_mongo_text(user, "user")))
		return 0;
	l->who = full_name(l, user, "user");
	add(l, ACCESS_ACCOUNT, "", "");
	return each_part(user, "roles", add_membership, l, err);
}

/* --- views ----------------------------------------------------------------------------------- */

const char *access_mongo_record_kind(enum access_kind kind)
{
	static const char *const words[] = {"mongo_role", "mongo_view", "mongo_account"};

	bug_if(kind > ACCESS_ACCOUNT);
	return words[kind];
}

bool access_mongo_is_recorded(const struct map *records, enum access_kind kind, const char *name)
{
	_cleanup_(mem_freep) char *key = NULL;

	if (kind > ACCESS_ACCOUNT)
		return false;
	key = mem_printf("%s %s", access_mongo_record_kind(kind), name);
	return map_get(records, str_from(key)) != NULL;
}

/* The definition as ours are written; with a collation it is another one. */
static const char *found_hash(struct loading *l, const bson_t *options)
{
	bson_t definition = BSON_INITIALIZER;
	bson_iter_t it;
	const char *hash;

	if (bson_iter_init_find(&it, options, "viewOn"))
		bson_append_iter(&definition, NULL, -1, &it);
	if (bson_iter_init_find(&it, options, "pipeline"))
		bson_append_iter(&definition, NULL, -1, &it);
	hash = access_mongo_view_hash(l->arena, &definition);
	bson_destroy(&definition);
	return bson_has_field(options, "collation") ? "" : hash;
}

static int add_view(void *arg, const bson_t *view, struct err *err)
{
	struct loading *l = arg;
	bson_t options;

	(void)err;
	l->who = arena_printf(l->arena, "%s.%s", l->a->database, access_mongo_text(view, "name"));
	if (get_document(view, "options", &options) &&
	    (access_items_has(&l->a->wanted, ACCESS_VIEW, l->who) ||
	     access_mongo_is_recorded(l->records, ACCESS_VIEW, l->who)))
		add(l, ACCESS_VIEW, found_hash(l, &options), "");
	return 0;
}

int access_mongo_load(const struct access_mongo *a, struct mongo *mongo, const struct map *records,
		      struct arena *arena, struct access_items *ret, struct map *ret_touching,
		      struct err *err)
{
	struct loading l = {
	    .a = a, .records = records, .arena = arena, .list = ret, .touching = ret_touching};
	int r = load_touching(&l, mongo, err);

	if (r == 0)
		r = access_mongo_each(mongo, a->database, list_roles(), "roles", add_role, &l, err);
	if (r == 0)
		r = access_mongo_each(mongo, "admin", access_mongo_list_users(), "users", add_user,
				      &l, err);
	if (r == 0)
		r = access_mongo_each(mongo, a->database, access_mongo_list_collections("view", ""),
				      "cursor.firstBatch", add_view, &l, err);
	access_items_sort(ret);
	return r;
}
