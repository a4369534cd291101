/*
 * Installation: the sync's tables, a queue a mapping, triggers, and in MongoDB collections with
 * their validators and indexes. Repeatable; a second run changes nothing.
 *
 * Triggers are made one by one with a short lock time-out and tried again: CREATE TRIGGER behind
 * somebody's open transaction would otherwise stall every writer of the table behind it.
 *
 * A changed mapping: triggers first, so that nothing is missed from then on; the collection's state
 * becomes "reproject", and its validator is widened until the re-projection is through.
 */
#include "sync/sync_int.h"

#include <jansson.h>

#include "base/banned.h"

#define TRIGGER_ATTEMPTS 60 /* of a second each */
#define UNKNOWN_PAGE	 1000

struct trigger {
	const char *name, *table, *event, *body;
	bool is_ours; /* by its body: others may begin their triggers' names as we do */
	bool is_wanted;
};

struct trigger_list {
	struct arena arena;
	struct trigger *items;
	size_t len, cap;
};

static void trigger_list_done(struct trigger_list *l)
{
	arena_done(&l->arena);
	mem_free(l->items);
}

static int list_triggers(struct maria *db, struct trigger_list *l, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, sync_sql_triggers, NULL, 0, &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0) {
		struct trigger *t;

		mem_grow(&l->items, &l->cap, l->len + 1, sizeof(*l->items));
		t = &l->items[l->len++];
		t->name = arena_strdup(&l->arena, maria_rows_str(rows, 0).data);
		t->table = arena_strdup(&l->arena, maria_rows_str(rows, 1).data);
		t->event = arena_strdup(&l->arena, maria_rows_str(rows, 2).data);
		t->body = arena_strdup(&l->arena, maria_rows_str(rows, 3).data);
		t->is_ours = maria_rows_int(rows, 4) != 0;
	}
	return r;
}

/* 1: present and as it must be, 0: absent, -1: present but otherwise. */
static int find_trigger(struct trigger_list *l, const struct mapping_trigger *want)
{
	for (size_t i = 0; i < l->len; i++) {
		struct trigger *t = &l->items[i];

		if (!cstr_equal(t->name, want->name))
			continue;
		t->is_wanted = true;
		return cstr_equal(t->table, want->table) && cstr_equal(t->event, want->event) &&
			       cstr_equal(t->body, want->body)
			   ? 1
			   : -1;
	}
	return 0;
}

/* DDL that waits at most a second for the table at a time. */
static int run_ddl(struct maria *db, const char *sql, struct err *err)
{
	int r = 0;

	for (int attempt = 0; attempt < TRIGGER_ATTEMPTS; attempt++) {
		r = maria_exec(db, sql, err);
		if (r != -ERR_TIMEOUT && r != -ERR_RETRY)
			return r;
	}
	return err_hint(err,
			"an open transaction holds the table; end it (SHOW PROCESSLIST) and run "
			"this again");
}

static int drop_trigger(struct maria *db, const char *name, struct err *err)
{
	struct strbuf b = STRBUF_INIT(0);
	int r;

	strbuf_addstr(&b, "DROP TRIGGER IF EXISTS ");
	maria_add_identifier(&b, name);
	r = run_ddl(db, strbuf_str(&b), err);
	strbuf_done(&b);
	return r;
}

static int install_triggers(struct maria *db, const struct mapping *m, struct trigger_list *l,
			    struct sync_install_report *report, struct err *err)
{
	const struct mapping_trigger *triggers;
	size_t n = mapping_triggers(m, &triggers);

	for (size_t i = 0; i < n; i++) {
		int r;

		if (find_trigger(l, &triggers[i]) > 0) {
			report->triggers_kept++;
			continue;
		}
		r = run_ddl(db, triggers[i].create_sql, err);
		if (r < 0)
			return err_context(err, "trigger \"%s\" on \"%s\"", triggers[i].name,
					   triggers[i].table);
		report->triggers_made++;
	}
	return 0;
}

static int make_queue(struct maria *db, const struct mapping *m, struct err *err)
{
	struct strbuf b = STRBUF_INIT(0);
	int r;

	strbuf_addstr(&b, "CREATE TABLE IF NOT EXISTS ");
	maria_add_identifier(&b, mapping_queue(m));
	strbuf_addf(
	    &b,
	    " (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,"
	    " path INT UNSIGNED NOT NULL COMMENT '0: key of a document; else a way through the "
	    "mapping',"
	    " `key` VARBINARY(%d) NOT NULL,"
	    " `cursor` VARBINARY(%d) NULL COMMENT 'how far an expansion is',"
	    " queued_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),"
	    " PRIMARY KEY (id)) ENGINE=InnoDB COMMENT='Changes that MongoDB does not have yet'",
	    MAPPING_KEY_MAX, MAPPING_KEY_MAX);
	r = maria_exec(db, strbuf_str(&b), err);
	strbuf_done(&b);
	return r;
}

/*
 * Rows of ways that the mapping no longer has: the re-projection covers them. They are read without
 * a lock and deleted by id: a DELETE by path would wait for every open transaction that has queued
 * something.
 */
static int drop_unknown_paths(struct maria *db, const struct mapping *m, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	const struct mapping_path *paths;
	uint64_t ids[UNKNOWN_PAGE];
	struct sync_queue q;
	size_t n = mapping_paths(m, &paths), n_ids;
	int r;

	strbuf_addstr(&b, "SELECT id FROM ");
	maria_add_identifier(&b, mapping_queue(m));
	strbuf_addstr(&b, " WHERE path NOT IN (0");
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&b, ",%u", paths[i].id);
	strbuf_addf(&b, ") LIMIT %d", UNKNOWN_PAGE);
	sync_queue_init(&q, m, 0, 1);
	do {
		_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;

		n_ids = 0;
		r = maria_query(db, strbuf_str(&b), NULL, 0, &rows, err);
		while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
			ids[n_ids++] = maria_rows_uint(rows, 0);
		rows = maria_rows_close(rows);
		if (r == 0)
			r = sync_queue_delete(&q, db, ids, n_ids, err);
	} while (r == 0 && n_ids == UNKNOWN_PAGE);
	sync_queue_done(&q);
	return r;
}

/* --- the registry of collections ------------------------------------------------------------- */

static bool list_has(const char *const *list, const char *s)
{
	for (; *list; list++) {
		if (cstr_equal(*list, s))
			return true;
	}
	return false;
}

static char *take_json(json_t *list)
{
	char *text = json_dumps(list, JSON_COMPACT);

	json_decref(list);
	return text;
}

/* Fields that the sync owned: neither does it own them now, nor are they MongoDB's from now on. */
static void add_retired(json_t *list, const struct mapping *m, const char *const *fields)
{
	const bson_t *initial = mapping_initial_fields(m);

	for (; fields && *fields; fields++) {
		if (!list_has(mapping_owned_fields(m), *fields) &&
		    !(initial && bson_has_field(initial, *fields)))
			json_array_append_new(list, json_string(*fields));
	}
}

struct registered {
	bool exists, has_queue_changed;
	char hash[65];
	const char *const *owned;
	const char *const *retired;
};

static int read_registered(struct maria *db, const struct mapping *m, struct arena *arena,
			   struct registered *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct str hash;
	int r = maria_query(
	    db, sync_sql_collection_read,
	    (struct maria_value[]){MARIA_S(mapping_queue(m)), MARIA_S(mapping_collection(m))}, 2,
	    &rows, err);

	if (r < 0)
		return r;
	r = maria_rows_next(rows, err);
	if (r <= 0)
		return r;
	ret->exists = true;
	hash = maria_rows_str(rows, 0);
	memcpy(ret->hash, hash.data, hash.len < 64 ? hash.len : 64);
	ret->owned = sync_list_of_json(arena, maria_rows_str(rows, 1));
	ret->retired = sync_list_of_json(arena, maria_rows_str(rows, 2));
	ret->has_queue_changed = maria_rows_int(rows, 3) != 0;
	return 0;
}

static int register_collection(struct maria *db, const struct mapping *m,
			       const struct registered *was, struct err *err)
{
	json_t *owned = json_array(), *retired = json_array();
	_cleanup_(mem_freep) char *owned_json = NULL, *retired_json = NULL;
	struct maria_value params[] = {MARIA_S(mapping_collection(m)), MARIA_S(mapping_queue(m)),
				       MARIA_S(mapping_hash(m)), MARIA_N, MARIA_N};

	for (const char *const *f = mapping_owned_fields(m); *f; f++)
		json_array_append_new(owned, json_string(*f));
	add_retired(retired, m, was->owned);
	add_retired(retired, m, was->retired);
	params[3] = MARIA_S(owned_json = take_json(owned));
	params[4] = MARIA_S(retired_json = take_json(retired));
	return maria_run(db, sync_sql_collection_register, params, ARRAY_LEN(params), NULL, err);
}

/* --- the target ------------------------------------------------------------------------------ */

/* Code of MongoDB for a collection that exists already. */
#define CODE_NAMESPACE_EXISTS 48

static int create_collection(struct mongo *mongo, const struct mapping *m, struct err *err)
{
	bson_t *command = BCON_NEW("create", BCON_UTF8(mapping_collection(m)));
	int r = mongo_command(mongo, NULL, command, NULL, err);

	bson_destroy(command);
	if (r < 0 && err->native == CODE_NAMESPACE_EXISTS) {
		err_clear(err);
		r = 0;
	}
	return r;
}

static int set_validator(struct mongo *mongo, const struct mapping *m, bool narrow, struct err *err)
{
	bson_t none = BSON_INITIALIZER;
	bson_t *command = BCON_NEW("collMod", BCON_UTF8(mapping_collection(m)), "validator",
				   BCON_DOCUMENT(narrow ? mapping_validator(m) : &none),
				   "validationLevel", BCON_UTF8("moderate"));
	int r = mongo_command(mongo, NULL, command, NULL, err);

	bson_destroy(command);
	bson_destroy(&none);
	return r < 0 ? err_context(err, "validator of \"%s\"", mapping_collection(m)) : 0;
}

static int create_indexes(struct mongo *mongo, const struct mapping *m, struct err *err)
{
	bson_t *command;
	int r;

	if (!mapping_indexes(m) || bson_empty(mapping_indexes(m)))
		return 0;
	command = BCON_NEW("createIndexes", BCON_UTF8(mapping_collection(m)), "indexes",
			   BCON_ARRAY(mapping_indexes(m)));
	r = mongo_command(mongo, NULL, command, NULL, err);
	bson_destroy(command);
	return r < 0 ? err_context(err, "indexes of \"%s\"", mapping_collection(m)) : 0;
}

int sync_target_prepare(struct mongo *mongo, const struct mapping *m, bool narrow, struct err *err)
{
	int r;

	if (!mapping_has_target(m))
		return 0;
	r = create_collection(mongo, m, err);
	if (r == 0)
		r = set_validator(mongo, m, narrow, err);
	return r == 0 ? create_indexes(mongo, m, err) : r;
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool is_changed(const struct registered *was, const struct mapping *m)
{
	return !was->exists || !cstr_equal(was->hash, mapping_hash(m)) || was->has_queue_changed;
}

struct installation {
	struct maria *admin;
	struct mongo *mongo;
	struct trigger_list triggers;
	struct sync_install_report report;
};

static int install_one(struct installation *in, const struct mapping *m, struct err *err)
{
	struct arena arena = {0};
	struct registered was = {0};
	unsigned made = in->report.triggers_made;
	int r = read_registered(in->admin, m, &arena, &was, err);
	bool changed = is_changed(&was, m);

	if (r == 0)
		r = make_queue(in->admin, m, err);
	if (r == 0)
		r = sync_target_prepare(in->mongo, m, !(was.exists && changed), err);
	/* Before the triggers: from here on a worker of the former mapping claims nothing. */
	if (r == 0 && changed)
		r = register_collection(in->admin, m, &was, err);
	if (r == 0)
		r = install_triggers(in->admin, m, &in->triggers, &in->report, err);
	made = in->report.triggers_made - made;
	if (r == 0 && !changed && made) /* changes were missed while triggers were missing */
		r = maria_run(in->admin, sync_sql_collection_reproject,
			      &MARIA_S(mapping_collection(m)), 1, NULL, err);
	in->report.collections_changed += r == 0 && (changed || made);
	arena_done(&arena);
	return r < 0 ? err_context(err, "installing \"%s\"", mapping_collection(m)) : 0;
}

static int make_status_view(struct maria *db, const struct mapping_set *mappings, struct err *err)
{
	struct strbuf b = STRBUF_INIT(0);
	int r;

	strbuf_addstr(&b, "CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_sync_status AS ");
	for (size_t i = 0; i < mappings->len; i++) {
		strbuf_addf(&b,
			    "%sSELECT c.collection, c.queue, c.state, c.is_paused,"
			    " (SELECT COUNT(*) FROM ",
			    i ? " UNION ALL " : "");
		maria_add_identifier(&b, mapping_queue(mappings->items[i]));
		strbuf_addstr(&b, ") AS pending, c.applied_total AS done, c.failed_total AS failed,"
				  " (SELECT COUNT(*) FROM sync_dead_letter d WHERE d.collection ="
				  " c.collection) AS dead_letters FROM sync_collection c"
				  " WHERE c.collection = ");
		maria_add_literal(&b, str_from(mapping_collection(mappings->items[i])));
	}
	r = mappings->len ? maria_exec(db, strbuf_str(&b), err) : 0;
	strbuf_done(&b);
	return r;
}

/* Triggers of ours that no mapping wants: of paths or collections that are gone. */
static int drop_unwanted(struct maria *admin, const struct trigger_list *l, struct err *err)
{
	for (size_t i = 0; i < l->len; i++) {
		const struct trigger *t = &l->items[i];
		int r = t->is_ours && !t->is_wanted ? drop_trigger(admin, t->name, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int sync_install(struct maria *admin, struct mongo *mongo, const struct mapping_set *mappings,
		 struct sync_install_report *ret, struct err *err)
{
	struct installation in = {.admin = admin, .mongo = mongo};
	bool has_fences = false;
	int r = maria_exec(admin, "SET SESSION lock_wait_timeout = 1", err);

	if (r == 0)
		r = maria_script(admin, "sync/010-tables.sql", sync_sql_010_tables, err);
	if (r == 0)
		r = list_triggers(admin, &in.triggers, err);
	if (r == 0)
		r = sync_has_fences(mongo, &has_fences, err);
	if (r == 0 && !has_fences) /* what was filled was another MongoDB */
		r = maria_run(admin, sync_sql_target_is_new, NULL, 0, NULL, err);
	for (size_t i = 0; i < mappings->len && r == 0; i++)
		r = install_one(&in, mappings->items[i], err);
	if (r == 0)
		r = drop_unwanted(admin, &in.triggers, err);
	/* Behind the last trigger that queues them: dropping it has waited for its writers. */
	for (size_t i = 0; i < mappings->len && r == 0; i++)
		r = drop_unknown_paths(admin, mappings->items[i], err);
	if (r == 0)
		r = make_status_view(admin, mappings, err);
	if (r == 0)
		*ret = in.report;
	trigger_list_done(&in.triggers);
	return r;
}

static const char *const own_tables[] = {
    "sync_lease",	"sync_collection", "sync_migration", "sync_key_change",
    "sync_dead_letter", "sync_consumer",   "sync_handoff",   "sync_audit_log",
};

static int drop_object(struct maria *db, const char *kind, const char *name, struct err *err)
{
	struct strbuf b = STRBUF_INIT(0);
	int r;

	strbuf_addf(&b, "DROP %s IF EXISTS ", kind);
	maria_add_identifier(&b, name);
	r = run_ddl(db, strbuf_str(&b), err);
	strbuf_done(&b);
	return r;
}

int sync_record_read(struct maria *db, struct sync_record *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	bool has_table = false;
	int r = maria_has_table(db, "sync_collection", &has_table, err);

	if (r < 0 || !has_table)
		return r;
	r = maria_query(db, sync_sql_collection_queues, NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		mem_grow(&ret->items, &ret->cap, ret->len + 1, sizeof(*ret->items));
		ret->items[ret->len].collection =
		    arena_strdup(&ret->arena, maria_rows_str(rows, 0).data);
		ret->items[ret->len++].queue =
		    arena_strdup(&ret->arena, maria_rows_str(rows, 1).data);
	}
	return r;
}

void sync_record_done(struct sync_record *r)
{
	mem_free(r->items);
	arena_done(&r->arena);
}

int sync_uninstall(struct maria *admin, const struct mapping_set *mappings, struct err *err)
{
	_cleanup_(trigger_list_done) struct trigger_list triggers = {0};
	_cleanup_(sync_record_done) struct sync_record record = {0};
	int r = maria_exec(admin, "SET SESSION lock_wait_timeout = 1", err);

	if (r == 0)
		r = sync_record_read(admin, &record, err);
	if (r == 0)
		r = list_triggers(admin, &triggers, err);
	if (r == 0)
		r = drop_unwanted(admin, &triggers, err); /* none is wanted now */
	if (r == 0)
		r = drop_object(admin, "VIEW", "v_sync_status", err);
	for (size_t i = 0; i < record.len && r == 0; i++)
		r = drop_object(admin, "TABLE", record.items[i].queue, err);
	for (size_t i = 0; i < mappings->len && r == 0; i++)
		r = drop_object(admin, "TABLE", mapping_queue(mappings->items[i]), err);
	for (size_t i = 0; i < ARRAY_LEN(own_tables) && r == 0; i++)
		r = drop_object(admin, "TABLE", own_tables[i], err);
	/* Which gave the hand-off its versions once. */
	return r == 0 ? drop_object(admin, "SEQUENCE", "sync_handoff_version", err) : r;
}

/* --- check ----------------------------------------------------------------------------------- */

struct check {
	sync_problem_fn fn;
	void *arg;
};

static void problem(const struct check *c, const char *fix, const char *fmt, ...) _printf_(3, 4);
static void problem(const struct check *c, const char *fix, const char *fmt, ...)
{
	struct strbuf b = STRBUF_INIT(0);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&b, fmt, ap);
	va_end(ap);
	c->fn(c->arg, strbuf_str(&b), fix);
	strbuf_done(&b);
}

static void check_triggers(const struct check *c, const struct mapping *m, struct trigger_list *l)
{
	const struct mapping_trigger *triggers;
	size_t n = mapping_triggers(m, &triggers);

	for (size_t i = 0; i < n; i++) {
		int found = find_trigger(l, &triggers[i]);

		if (found <= 0)
			problem(
			    c,
			    "aethermart sync install, then aethermart migrate: changes were missed",
			    "trigger \"%s\" on \"%s\" %s", triggers[i].name, triggers[i].table,
			    found ? "is not the one of this mapping" : "is missing");
	}
}

static int check_collection(const struct check *c, struct maria *db, const struct mapping *m,
			    struct trigger_list *l, struct err *err)
{
	struct arena arena = {0};
	struct registered was = {0};
	int r = read_registered(db, m, &arena, &was, err);

	if (r == 0 && !was.exists)
		problem(c, "aethermart sync install", "collection \"%s\" is not installed",
			mapping_collection(m));
	else if (r == 0 && !cstr_equal(was.hash, mapping_hash(m)))
		problem(c, "aethermart sync install, then aethermart migrate",
			"the mapping of \"%s\" changed since it was installed",
			mapping_collection(m));
	if (r == 0)
		check_triggers(c, m, l);
	arena_done(&arena);
	return r;
}

static int check_target(const struct check *c, struct mongo *mongo, struct err *err)
{
	struct mongo_server server;
	bool has_fences = false;
	int r = mongo_probe(mongo, &server, err);

	if (r == 0)
		r = sync_has_fences(mongo, &has_fences, err);
	if (r == 0 && !has_fences)
		problem(c, "aethermart up, or sync install and migrate",
			"no worker has written to this MongoDB yet: it is a new one, or another");
	if (r == 0 && !server.has_transactions)
		problem(c,
			"run mongod with --replSet rs0 and rs.initiate() once: a one-node replica "
			"set has them",
			"the MongoDB server (version %s) has no transactions", server.version);
	return r;
}

int sync_check(struct maria *db, struct mongo *mongo, const struct mapping_set *mappings,
	       sync_problem_fn fn, void *arg, struct err *err)
{
	_cleanup_(trigger_list_done) struct trigger_list triggers = {0};
	struct check c = {fn, arg};
	bool has_tables = false;
	int r = maria_has_table(db, "sync_collection", &has_tables, err);

	if (r == 0 && !has_tables) {
		problem(&c, "aethermart sync install", "the sync is not installed");
		return 0;
	}
	if (r == 0)
		r = list_triggers(db, &triggers, err);
	for (size_t i = 0; i < mappings->len && r == 0; i++)
		r = check_collection(&c, db, mappings->items[i], &triggers, err);
	for (size_t i = 0; i < triggers.len && r == 0; i++) {
		if (triggers.items[i].is_ours && !triggers.items[i].is_wanted)
			problem(&c, "aethermart sync install",
				"trigger \"%s\" belongs to no mapping", triggers.items[i].name);
	}
	return r < 0 ? r : check_target(&c, mongo, err);
}
