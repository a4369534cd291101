/*
 * Whether a MongoDB keeps an account to its rights: see access_mongo.h.
 *
 * An account that may find in one collection and nothing else tries to do more. Only an answer that
 * says no counts as one; whatever else comes, a breach it is. Before and after, the account has to
 * be able to do what it may: a role that somebody removes meanwhile would be refused everything.
 *
 * Users and roles of this prefix with a role on the documents' database, roles of it there, and
 * collections of it are the probe's: it begins and ends with removing them.
 */
#include "govern/access_mongo_int.h"
#include "govern/govern_sql_int.h"

#include <sodium.h>

#include "base/file.h"

#include "base/banned.h"

#define PREFIX		  "aethermart_probe_"
#define COMMAND_NOT_FOUND 59 /* of a server before 8.0, which has no bulkWrite */
#define NAME_BYTES	  16
#define PASSWORD_BYTES	  32

struct probe {
	const struct access_mongo_server *s;
	const char *database, *users;
	struct arena arena;
	struct mongo *mongo; /* as the account that is tried */
	const char *name;    /* of role, account and collection */
	const char *breach;
};

const char *access_mongo_users(const struct access_mongo_server *s, struct arena *arena)
{
	const char *name = "admin";
	mongoc_client_t *client;

	if (!s->options->user) /* then the URI's database would be told */
		return name;
	client = mongo_pop(s->mongo);
	name = arena_strdup(arena, mongoc_uri_get_auth_source(mongoc_client_get_uri(client)));
	mongo_push(s->mongo, client);
	return name;
}

/* --- what is left over ----------------------------------------------------------------------- */

static int drop_user(void *arg, const bson_t *user, struct err *err)
{
	struct probe *p = arg;
	const char *name = access_mongo_text(user, "user");
	bson_iter_t it, role;

	if (!str_starts(str_from(name), PREFIX) ||
	    !cstr_equal(access_mongo_text(user, "db"), p->users))
		return 0;
	/* One without a role is of a probe whose role went first, or was never made. */
	if (bson_iter_init(&it, user) && bson_iter_find_descendant(&it, "roles.0.db", &role) &&
	    !cstr_equal(bson_iter_utf8(&role, NULL), p->database))
		return 0;
	return access_mongo_run(p->s->mongo, p->users, BCON_NEW("dropUser", BCON_UTF8(name)), err);
}

static int drop_role(void *arg, const bson_t *role, struct err *err)
{
	struct probe *p = arg;
	const char *name = access_mongo_text(role, "role");

	return str_starts(str_from(name), PREFIX)
		   ? access_mongo_run(p->s->mongo, p->database,
				      BCON_NEW("dropRole", BCON_UTF8(name)), err)
		   : 0;
}

static int drop_collection(void *arg, const bson_t *collection, struct err *err)
{
	struct probe *p = arg;

	return access_mongo_run(p->s->mongo, p->database,
				BCON_NEW("drop", BCON_UTF8(access_mongo_text(collection, "name"))),
				err);
}

static int sweep(struct probe *p, struct err *err)
{
	struct mongo *m = p->s->mongo;
	int r =
	    access_mongo_each(m, p->users, access_mongo_list_users(), "users", drop_user, p, err);

	if (r == 0)
		r = access_mongo_each(m, p->database, BCON_NEW("rolesInfo", BCON_INT32(1)), "roles",
				      drop_role, p, err);
	if (r == 0)
		r = access_mongo_each(m, p->database,
				      access_mongo_list_collections("collection", PREFIX),
				      "cursor.firstBatch", drop_collection, p, err);
	return r;
}

/* --- trying ---------------------------------------------------------------------------------- */

static int make(struct probe *p, const char *password, struct err *err)
{
	int r = access_mongo_run(p->s->mongo, p->database,
				 BCON_NEW("createRole", BCON_UTF8(p->name), "privileges", "[", "{",
					  "resource", "{", "db", BCON_UTF8(p->database),
					  "collection", BCON_UTF8(p->name), "}", "actions", "[",
					  BCON_UTF8("find"), "]", "}", "]", "roles", "[", "]"),
				 err);

	if (r < 0)
		return r;
	return access_mongo_run(
	    p->s->mongo, p->users,
	    BCON_NEW("createUser", BCON_UTF8(p->name), "pwd", BCON_UTF8(password), "roles", "[",
		     "{", "role", BCON_UTF8(p->name), "db", BCON_UTF8(p->database), "}", "]"),
	    err);
}

static bson_t *find(const char *collection)
{
	return BCON_NEW("find", BCON_UTF8(collection), "limit", BCON_INT32(1));
}

/* What it may do. */
static int check_control(struct probe *p, struct err *err)
{
	int r = access_mongo_run(p->mongo, p->database, find(p->name), err);

	return r < 0 ? err_context(err, "trying an account that may find in one collection") : 0;
}

/* What it may not do; destroys the command. */
static int attempt(struct probe *p, const char *database, bson_t *command, const char *breach,
		   struct err *err)
{
	struct err why = {0};
	int r = mongo_command(p->mongo, database, command, NULL, &why);

	bson_destroy(command);
	if (r == -ERR_UNAVAILABLE || r == -ERR_TIMEOUT) {
		if (err)
			*err = why;
		return err_context(err, "trying an account");
	}
	if (r != -ERR_PERMISSION && why.native != COMMAND_NOT_FOUND && !p->breach)
		p->breach = breach;
	return 0;
}

static int attempt_all(struct probe *p, struct err *err)
{
	static const char reads[] = "an account that may read one collection can read others";
	static const char writes[] = "an account that may only read can write";
	static const char changes[] = "an account that may only read can change a collection";
	const char *other = arena_printf(&p->arena, "%s_other", p->name);
	const char *ns = arena_printf(&p->arena, "%s.%s", p->database, p->name);
	int r = attempt(p, p->database, find(other), reads, err);

	if (r == 0)
		r = attempt(p, p->database,
			    BCON_NEW("aggregate", BCON_UTF8(p->name), "pipeline", "[", "{",
				     "$unionWith", BCON_UTF8(other), "}", "]", "cursor", "{", "}"),
			    reads, err);
	if (r == 0)
		r = attempt(p, p->database,
			    BCON_NEW("insert", BCON_UTF8(p->name), "documents", "[", "{", "_id",
				     BCON_INT32(1), "}", "]"),
			    writes, err);
	if (r == 0)
		r = attempt(p, "admin",
			    BCON_NEW("bulkWrite", BCON_INT32(1), "ops", "[", "{", "insert",
				     BCON_INT32(0), "document", "{", "_id", BCON_INT32(2), "}", "}",
				     "]", "nsInfo", "[", "{", "ns", BCON_UTF8(ns), "}", "]"),
			    writes, err);
	if (r == 0)
		r = attempt(p, p->database,
			    BCON_NEW("collMod", BCON_UTF8(p->name), "validator", "{", "}"), changes,
			    err);
	return r;
}

static int try_account(struct probe *p, struct err *err)
{
	_cleanup_(mem_freep) char *name = random_password(NAME_BYTES);
	_cleanup_(mem_freep) char *password = random_password(PASSWORD_BYTES);
	struct mongo_options options = *p->s->options;
	int r;

	p->name = arena_printf(&p->arena, PREFIX "%s", name);
	options.user = p->name;
	options.password = password;
	options.pool_max = 1;
	r = make(p, password, err);
	if (r == 0)
		r = mongo_open(&options, &p->mongo, err);
	if (r == 0)
		r = check_control(p, err);
	if (r == 0)
		r = attempt_all(p, err);
	if (r == 0)
		r = check_control(p, err);
	p->mongo = mongo_close(p->mongo);
	sodium_memzero(password, strlen(password));
	return r;
}

static int try_locked(struct probe *p, struct err *err)
{
	struct err local = {0};
	int r = sweep(p, err);

	if (r < 0)
		return r;
	r = try_account(p, err);
	return err_first(r, sweep(p, &local), &local, err);
}

int access_mongo_probe(const struct access_mongo_server *s, const char **ret_breach,
		       struct err *err)
{
	struct probe p = {.s = s, .database = mongo_database(s->mongo)};
	struct err local = {0};
	int64_t has_lock = 0;
	int r = maria_query_int(s->records, govern_sql_access_probe_lock, NULL, 0, &has_lock, err);

	if (r < 0)
		return r;
	if (!has_lock)
		return err_set(err, ERR_CONFLICT,
			       "somebody else tries MongoDB's accounts just now");
	p.users = access_mongo_users(s, &p.arena);
	r = try_locked(&p, err);
	arena_done(&p.arena);
	r = err_first(
	    r,
	    maria_is_lost(s->records)
		? 0
		: maria_run(s->records, govern_sql_access_probe_unlock, NULL, 0, NULL, &local),
	    &local, err);
	if (r == 0)
		*ret_breach = p.breach;
	return r;
}
