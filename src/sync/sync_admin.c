/*
 * What operators do to the sync: see sync_admin.h. Statements that name a queue are made here, the
 * others are files of sql/.
 */
#include "sync/sync_admin.h"

#include "sync/sync_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define DRAIN_POLL_US 20000

static int no_collection(const char *collection, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, "no collection \"%s\" is installed",
		collection ? collection : "");
	return err_hint(err, "aethermart sync status lists them");
}

int sync_pause(struct maria *db, const char *collection, bool pause, struct err *err)
{
	int64_t n = 0;
	int r = maria_query_int(db, sync_sql_collection_exists,
				(struct maria_value[]){MARIA_S(collection ? collection : "")}, 1,
				&n, err);

	if (r == 0 && !n)
		return no_collection(collection, err);
	if (r == 0)
		r = maria_run(
		    db, sync_sql_collection_pause,
		    (struct maria_value[]){MARIA_I(pause), MARIA_S(collection ? collection : "")},
		    2, NULL, err);
	return r;
}

/* --- drain ----------------------------------------------------------------------------------- */

static int say_why_it_waits(struct maria *db, const struct mapping *m, struct err *err)
{
	int64_t is_paused = 0, has_holder = 0;

	(void)!maria_query_int(db, sync_sql_collection_is_paused, &MARIA_S(mapping_collection(m)),
			       1, &is_paused, NULL);
	(void)!maria_query_int(db, sync_sql_lease_is_held, NULL, 0, &has_holder, NULL);
	if (is_paused)
		return err_hint(err, "the collection is paused: aethermart sync resume");
	if (!has_holder)
		return err_hint(err, "no worker runs: aethermart up, or aethermart serve");
	return err_hint(err, "aethermart status and aethermart logs say what the worker does");
}

static int queue_number(struct maria *db, const struct mapping *m, const char *what,
			const char *where, const struct maria_value *param, int64_t *ret,
			struct err *err)
{
	struct strbuf b = STRBUF_INIT(0);
	int r;

	strbuf_addf(&b, "SELECT %s FROM ", what);
	maria_add_identifier(&b, mapping_queue(m));
	strbuf_addstr(&b, where);
	r = maria_query_int(db, strbuf_str(&b), param, param ? 1 : 0, ret, err);
	strbuf_done(&b);
	return r;
}

/*
 * Everything that is queued now: rows up to the highest id seen. Expansions put their documents
 * behind that, so a second wait covers what the first one made.
 */
int sync_drain_one(struct maria *db, const struct mapping *m, int64_t timeout_ms, struct err *err)
{
	int64_t deadline = clock_monotonic_us() + timeout_ms * 1000;

	for (int pass = 0; pass < 2; pass++) {
		int64_t highest = 0, left = 0;
		int r = queue_number(db, m, "IFNULL(MAX(id), 0)", "", NULL, &highest, err);

		for (;;) {
			if (r == 0)
				r = queue_number(db, m, "COUNT(*)", " WHERE id <= ?",
						 &MARIA_I(highest), &left, err);
			if (r < 0)
				return r;
			if (!left)
				break;
			if (clock_monotonic_us() > deadline) {
				err_set(err, ERR_TIMEOUT,
					"%" PRId64
					" changes of \"%s\" are still queued after %" PRId64
					" seconds",
					left, mapping_collection(m), timeout_ms / 1000);
				return say_why_it_waits(db, m, err);
			}
			usleep(DRAIN_POLL_US);
		}
	}
	return 0;
}

int sync_drain(struct maria *db, const struct mapping_set *mappings, const char *collection,
	       int64_t timeout_ms, struct err *err)
{
	int64_t until = clock_monotonic_us() + timeout_ms * 1000;
	bool found = false;

	for (size_t i = 0; i < mappings->len; i++) {
		const struct mapping *m = mappings->items[i];
		int64_t left_ms = (until - clock_monotonic_us()) / 1000;
		int r;

		if (collection && !cstr_equal(collection, mapping_collection(m)))
			continue;
		found = true;
		r = sync_drain_one(db, m, left_ms > 0 ? left_ms : 0, err);
		if (r < 0)
			return r;
	}
	return found ? 0 : no_collection(collection, err);
}

/* --- migration ------------------------------------------------------------------------------- */

static int is_target_empty(struct mongo *mongo, const struct mapping *m, bool *ret, struct err *err)
{
	mongoc_client_t *client;
	mongoc_collection_t *c;
	bson_t filter = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	const bson_t *doc;
	bson_error_t e;
	int r = 0;

	client = mongo_pop(mongo);
	c = mongoc_client_get_collection(client, mongo_database(mongo), mapping_collection(m));
	cursor = mongoc_collection_find_with_opts(c, &filter, NULL, NULL);
	*ret = !mongoc_cursor_next(cursor, &doc);
	if (mongoc_cursor_error(cursor, &e))
		r = mongo_error(err, &e, NULL, "looking into the collection");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	mongoc_collection_destroy(c);
	mongo_push(mongo, client);
	return r;
}

static int request_one(struct maria *db, struct mongo *mongo, const struct mapping *m,
		       struct err *err)
{
	bool is_empty = true;
	int64_t total = 0;
	int r = mapping_has_target(m) ? is_target_empty(mongo, m, &is_empty, err) : 0;

	if (r == 0)
		r = maria_count_rows(db, mapping_root_table(m), &total, err);
	if (r == 0)
		r = maria_run(db, sync_sql_migration_request,
			      (struct maria_value[]){MARIA_I(total), MARIA_I(!is_empty),
						     MARIA_S(mapping_collection(m))},
			      3, NULL, err);
	return r;
}

/* Whether a migration is on its way; an error when none can be. */
static int read_migrating(struct maria *db, const struct mapping *m, bool *ret, struct err *err)
{
	_cleanup_(mem_freep) char *state = NULL;
	int r = maria_query_text(
	    db, sync_sql_collection_state,
	    (struct maria_value[]){MARIA_S(mapping_hash(m)), MARIA_S(mapping_collection(m))}, 2,
	    &state, err);

	if (r == -ERR_NOT_FOUND)
		return no_collection(mapping_collection(m), err);
	if (r < 0)
		return r;
	*ret = cstr_equal(state, "migrating");
	if (!cstr_equal(state, "mapping_changed"))
		return 0;
	err_set(err, ERR_CONFLICT, "the mapping of \"%s\" changed since it was installed",
		mapping_collection(m));
	return err_hint(err, "run aethermart sync install first");
}

int sync_migrate_request(struct maria *db, struct mongo *mongo, const struct mapping_set *mappings,
			 const char *collection, bool only_unfinished, unsigned *ret_requested,
			 struct err *err)
{
	unsigned n = 0;

	for (size_t i = 0; i < mappings->len; i++) {
		const struct mapping *m = mappings->items[i];
		bool is_running = false;
		int r;

		if (collection && !cstr_equal(collection, mapping_collection(m)))
			continue;
		r = read_migrating(db, m, &is_running, err);
		if (r == 0 && !is_running && only_unfinished)
			continue;
		if (r == 0 && !is_running)
			r = request_one(db, mongo, m, err);
		if (r < 0)
			return r;
		n++;
	}
	if (collection && !n && !only_unfinished)
		return no_collection(collection, err);
	*ret_requested = n;
	return 0;
}

/* --- dead letters ---------------------------------------------------------------------------- */

int sync_dead_letter_each(struct maria *db, const char *collection, int64_t id,
			  sync_dead_letter_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r =
	    maria_query(db, sync_sql_dead_letter_list,
			(struct maria_value[]){MARIA_S(collection ? collection : ""), MARIA_I(id)},
			2, &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0) {
		struct sync_dead_letter d = {
		    .id = maria_rows_int(rows, 0),
		    .collection = maria_rows_str(rows, 1).data,
		    .path = (uint32_t)maria_rows_uint(rows, 2),
		    .key = maria_rows_str(rows, 3),
		    .error = maria_rows_str(rows, 4).data,
		    .attempts = maria_rows_int(rows, 5),
		    .first_at = maria_rows_str(rows, 6).data,
		    .last_at = maria_rows_str(rows, 7).data,
		    .replayed_at = maria_rows_str(rows, 8).data,
		};

		r = fn(arg, &d, err);
		if (r < 0)
			return r;
	}
	return r;
}

/*
 * Queues dead letters again. `mark_sql` notes the time in those that are meant, and thereby locks
 * them; the time then says which they were.
 */
static int requeue(struct maria *db, const struct mapping *m, const char *mark_sql, int64_t id,
		   uint64_t *ret_n, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	_cleanup_(mem_freep) char *now = NULL;
	int r = maria_query_text(db, "SELECT CURRENT_TIMESTAMP", NULL, 0, &now, err);

	strbuf_addstr(&b, "INSERT INTO ");
	maria_add_identifier(&b, mapping_queue(m));
	strbuf_addstr(&b, " (path, `key`, queued_at) SELECT path, `key`, SYSDATE(6)"
			  " FROM sync_dead_letter WHERE collection = ? AND replayed_at = ?");
	if (r == 0)
		r = maria_exec(db, "START TRANSACTION", err);
	if (r < 0)
		return r;

	const char *collection = mapping_collection(m);
	struct maria_value mark[] = {MARIA_S(now), MARIA_S(collection), MARIA_I(id)};
	struct maria_value which[] = {MARIA_S(collection), MARIA_S(now)};

	r = maria_run(db, mark_sql, mark, ARRAY_LEN(mark), NULL, err);
	if (r == 0)
		r = maria_run(db, strbuf_str(&b), which, ARRAY_LEN(which), ret_n, err);
	return sync_end(db, r, err);
}

int sync_dead_letter_replay(struct maria *db, const struct mapping_set *mappings,
			    const char *collection, int64_t id, uint64_t *ret_n, struct err *err)
{
	*ret_n = 0;
	for (size_t i = 0; i < mappings->len; i++) {
		uint64_t n = 0;
		int r;

		if (collection && !cstr_equal(collection, mapping_collection(mappings->items[i])))
			continue;
		r = requeue(db, mappings->items[i], sync_sql_dead_letter_replayed, id, &n, err);
		if (r < 0)
			return r;
		*ret_n += n;
	}
	return 0;
}

int sync_dead_letter_heal(struct maria *db, const struct mapping *m, struct err *err)
{
	uint64_t n = 0;

	return requeue(db, m, sync_sql_dead_letter_heal, 0, &n, err);
}

int sync_dead_letter_drop(struct maria *db, const char *collection, int64_t id, uint64_t *ret_n,
			  struct err *err)
{
	return maria_run(db, sync_sql_dead_letter_drop,
			 (struct maria_value[]){MARIA_S(collection ? collection : ""), MARIA_I(id)},
			 2, ret_n, err);
}

/* --- consumers ------------------------------------------------------------------------------- */

int sync_consumer_add(struct maria *db, const char *consumer, const char *kind, struct err *err)
{
	return maria_run(db, sync_sql_consumer_add,
			 (struct maria_value[]){MARIA_S(consumer), MARIA_S(kind)}, 2, NULL, err);
}

int sync_consumer_drop(struct maria *db, const char *consumer, struct err *err)
{
	uint64_t n = 0;
	/* Most of it before the consumer's row is locked, on which acknowledgements wait. */
	int r = maria_run(db, sync_sql_handoff_drop, &MARIA_S(consumer), 1, NULL, err);

	if (r == 0)
		r = maria_exec(db, "START TRANSACTION", err);
	if (r == 0)
		r = maria_run(db, sync_sql_consumer_drop, &MARIA_S(consumer), 1, &n, err);
	if (r == 0)
		r = maria_run(db, sync_sql_handoff_drop, &MARIA_S(consumer), 1, NULL, err);
	r = sync_end(db, r, err);
	if (r == 0 && !n)
		return err_set(err, ERR_NOT_FOUND, "no consumer \"%s\"", consumer);
	return r;
}

int sync_consumer_each(struct maria *db, sync_consumer_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, sync_sql_consumer_list, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct sync_consumer c = {
		    .consumer = maria_rows_str(rows, 0).data,
		    .kind = maria_rows_str(rows, 1).data,
		    .seen_at = maria_rows_str(rows, 2).data,
		    .waiting = maria_rows_int(rows, 3),
		    .unseen_seconds = maria_rows_int(rows, 4),
		};

		r = fn(arg, &c, err);
	}
	return r;
}

/* --- rights ---------------------------------------------------------------------------------- */

void sync_add_read_grant(struct strbuf *b, const char *database, const char *user)
{
	maria_add_grant(b, "SELECT, SHOW VIEW, TRIGGER", database, NULL, user);
}

int sync_add_write_grants(struct strbuf *b, struct maria *db, const struct mapping_set *mappings,
			  const char *database, const char *user, struct err *err)
{
	static const char write[] = "SELECT, INSERT, UPDATE, DELETE";
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	for (size_t i = 0; i < mappings->len; i++)
		maria_add_grant(b, write, database, mapping_queue(mappings->items[i]), user);
	r = maria_query(db, sync_sql_own_tables, NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		maria_add_grant(b, write, database, maria_rows_str(rows, 0).data, user);
	return r;
}

/* --- leaving MongoDB ------------------------------------------------------------------------- */

static int delete_marked(struct mongo *mongo, const char *collection, struct err *err)
{
	mongoc_client_t *client = mongo_pop(mongo);
	mongoc_collection_t *c =
	    mongoc_client_get_collection(client, mongo_database(mongo), collection);
	bson_t *filter = BCON_NEW(SYNC_MARK, "{", "$exists", BCON_BOOL(true), "}");
	bson_t reply;
	bson_error_t e;
	int r = 0;

	if (!mongoc_collection_delete_many(c, filter, NULL, &reply, &e))
		r = mongo_error(err, &e, &reply, "deleting documents");
	bson_destroy(&reply);
	bson_destroy(filter);
	mongoc_collection_destroy(c);
	mongo_push(mongo, client);
	return r;
}

int sync_uninstall_target(struct maria *db, struct mongo *mongo, const struct mapping_set *mappings,
			  struct err *err)
{
	_cleanup_(sync_record_done) struct sync_record record = {0};
	bson_t *drop;
	struct err why = {0};
	int r = db ? sync_record_read(db, &record, err) : 0;

	for (size_t i = 0; r == 0 && i < record.len; i++)
		r = delete_marked(mongo, record.items[i].collection, err);
	for (size_t i = 0; r == 0 && i < mappings->len; i++)
		if (mapping_has_target(mappings->items[i]))
			r = delete_marked(mongo, mapping_collection(mappings->items[i]), err);
	if (r < 0)
		return r;
	drop = BCON_NEW("drop", BCON_UTF8(SYNC_FENCE_COLLECTION));
	r = mongo_command(mongo, NULL, drop, NULL, &why);
	bson_destroy(drop);
	if (r < 0 && r != -ERR_NOT_FOUND && err)
		*err = why;
	return r == -ERR_NOT_FOUND ? 0 : r;
}
