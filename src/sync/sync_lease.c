/*
 * The lease: which process writes, proven at both stores.
 *
 * In MariaDB a row with holder, term and expiry, taken by a conditional UPDATE that raises the
 * term. In MongoDB SYNC_FENCES documents that hold the term; every transaction of worker i writes
 * document i on condition of its term. A new holder first raises the term in all of them: from then
 * on a transaction of the old holder either finds another term, or conflicts with the raise.
 *
 * MongoDB may have been restored or used with another MariaDB: when a fence holds a higher term,
 * the lease's term is raised above it first.
 */
#include "sync/sync_int.h"

#include "base/logger.h"
#include "base/proc.h"

#include <inttypes.h>

#include "base/banned.h"

static mongoc_collection_t *fences(mongoc_client_t *client, struct mongo *mongo)
{
	return mongoc_client_get_collection(client, mongo_database(mongo), SYNC_FENCE_COLLECTION);
}

/* The highest term in the fences, -1 when there are none, and the sessions that signed them. */
static int read_fences(mongoc_collection_t *c, int64_t *ret, bson_t *sessions, struct err *err)
{
	bson_t filter = BSON_INITIALIZER;
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &filter, NULL, NULL);
	const bson_t *doc, *reply = NULL;
	bson_error_t e;
	bson_iter_t it;
	char buf[16];
	const char *index;
	uint32_t n = 0;
	int r = 0;

	*ret = -1;
	while (mongoc_cursor_next(cursor, &doc)) {
		if (bson_iter_init_find(&it, doc, "term") && bson_iter_as_int64(&it) > *ret)
			*ret = bson_iter_as_int64(&it);
		if (bson_iter_init_find(&it, doc, "session") && BSON_ITER_HOLDS_DOCUMENT(&it)) {
			(void)bson_uint32_to_string(n++, &index, buf, sizeof(buf));
			bson_append_iter(sessions, index, -1, &it);
		}
	}
	if (mongoc_cursor_error_document(cursor, &e, &reply))
		r = mongo_error(err, &e, reply, "reading the fences");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	return r;
}

int sync_has_fences(struct mongo *mongo, bool *ret, struct err *err)
{
	mongoc_client_t *client = mongo_pop(mongo);
	mongoc_collection_t *c = fences(client, mongo);
	bson_t sessions = BSON_INITIALIZER;
	int64_t highest = -1;
	int r = read_fences(c, &highest, &sessions, err);

	*ret = highest >= 0;
	bson_destroy(&sessions);
	mongoc_collection_destroy(c);
	mongo_push(mongo, client);
	return r;
}

/*
 * A former holder that was killed or stopped inside a transaction holds its fence until the server
 * gives the transaction up, after a minute by default. It may not write any more: so its sessions
 * are ended. They are of our account, which may do that; if not, raising the fences waits.
 */
static void end_sessions(struct mongo *mongo, const bson_t *sessions)
{
	bson_t *command = BCON_NEW("killSessions", BCON_ARRAY(sessions));

	if (!bson_empty(sessions))
		(void)!mongo_command(mongo, "admin", command, NULL, NULL);
	bson_destroy(command);
}

static int write_fences(mongoc_collection_t *c, int64_t term, struct err *err)
{
	mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(c, NULL);
	bson_t reply;
	bson_error_t e;
	int r = 0;

	for (int32_t i = 0; i < SYNC_FENCES; i++) {
		bson_t *filter = BCON_NEW("_id", BCON_INT32(i));
		bson_t *update = BCON_NEW("$max", "{", "term", BCON_INT64(term), "}");
		bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));

		(void)mongoc_bulk_operation_update_one_with_opts(bulk, filter, update, opts, NULL);
		bson_destroy(filter);
		bson_destroy(update);
		bson_destroy(opts);
	}
	if (!mongoc_bulk_operation_execute(bulk, &reply, &e))
		r = mongo_error(err, &e, &reply, "raising the fences");
	bson_destroy(&reply);
	mongoc_bulk_operation_destroy(bulk);
	return r;
}

static int raise_fences(struct sync_lease *l, struct maria *db, struct mongo *mongo,
			struct err *err)
{
	mongoc_client_t *client = mongo_pop(mongo);
	mongoc_collection_t *c = fences(client, mongo);
	bson_t sessions = BSON_INITIALIZER;
	int64_t highest;
	uint64_t changed;
	int r = read_fences(c, &highest, &sessions, err);

	if (r == 0 && highest >= l->term) {
		struct maria_value params[] = {MARIA_I(highest + 1), MARIA_S(l->holder),
					       MARIA_I(l->term)};

		r = maria_run(db, sync_sql_lease_raise, params, ARRAY_LEN(params), &changed, err);
		if (r == 0 && changed != 1)
			r = err_set(err, ERR_CONFLICT, "the lease was taken by another process");
		else if (r == 0)
			l->term = highest + 1;
	}
	if (r == 0 && highest < 0)
		r = maria_run(db, sync_sql_target_is_new, NULL, 0, NULL, err);
	if (r == 0) {
		end_sessions(mongo, &sessions);
		r = write_fences(c, l->term, err);
	}
	bson_destroy(&sessions);
	mongoc_collection_destroy(c);
	mongo_push(mongo, client);
	return r;
}

static int try_to_take(struct sync_lease *l, struct maria *db, bool *ret_taken, struct err *err)
{
	struct maria_value params[] = {MARIA_S(l->holder), MARIA_I(l->duration_us),
				       MARIA_S(l->holder)};
	uint64_t changed = 0;
	int r = maria_run(db, sync_sql_lease_take, params, ARRAY_LEN(params), &changed, err);

	*ret_taken = r == 0 && changed == 1;
	return r;
}

/* A holder that was killed on this machine gives nothing back: it is done in its place, and nobody
 * has to wait for the expiry. Should it be alive against all evidence, the fences refuse it. */
static int release_ended(struct maria *db, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) char *holder = NULL;
	int64_t term;
	int r = maria_query(db, sync_sql_lease_read, NULL, 0, &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r <= 0)
		return r;
	holder = mem_strdup(maria_rows_str(rows, 0).data);
	term = maria_rows_int(rows, 1);
	rows = maria_rows_close(rows);
	if (!proc_name_has_ended(holder))
		return 0;
	logger_event(LOGGER_INFO, "sync",
		     "the holder of the lease has ended without giving it back", "holder", holder,
		     NULL);
	return maria_run(db, sync_sql_lease_release,
			 (struct maria_value[]){MARIA_S(holder), MARIA_I(term)}, 2, NULL, err);
}

static int read_term(struct sync_lease *l, struct maria *db, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, sync_sql_lease_read, NULL, 0, &rows, err);

	if (r < 0)
		return r;
	r = maria_rows_next(rows, err);
	if (r < 0)
		return r;
	if (r == 0 || !str_equal(maria_rows_str(rows, 0), str_from(l->holder)))
		return err_set(err, ERR_CONFLICT, "the lease was taken by another process");
	l->term = maria_rows_int(rows, 1);
	return 0;
}

int sync_lease_take(struct sync_lease *l, struct maria *db, struct mongo *mongo, struct err *err)
{
	int64_t before = clock_monotonic_us();
	bool is_taken = false;
	int r = try_to_take(l, db, &is_taken, err);

	if (r == 0 && !is_taken)
		r = release_ended(db, err);
	if (r == 0 && !is_taken)
		r = try_to_take(l, db, &is_taken, err);
	if (r < 0)
		return r;
	if (!is_taken)
		return err_set(err, ERR_CONFLICT, "another process holds the lease");
	r = read_term(l, db, err);
	if (r == 0)
		r = raise_fences(l, db, mongo, err);
	if (r < 0) {
		sync_lease_release(l, db);
		return r;
	}
	l->held_until_us = before + l->duration_us;
	return 0;
}

int sync_lease_renew(struct sync_lease *l, struct maria *db, struct err *err)
{
	struct maria_value params[] = {MARIA_I(l->duration_us), MARIA_S(l->holder),
				       MARIA_I(l->term)};
	int64_t before = clock_monotonic_us();
	uint64_t changed;
	int r = maria_run(db, sync_sql_lease_renew, params, ARRAY_LEN(params), &changed, err);

	if (r < 0)
		return r;
	if (changed != 1)
		return err_set(err, ERR_FENCED,
			       "the lease of term %" PRId64 " was taken by another process",
			       l->term);
	l->held_until_us = before + l->duration_us;
	return 0;
}

void sync_lease_release(struct sync_lease *l, struct maria *db)
{
	struct maria_value params[] = {MARIA_S(l->holder), MARIA_I(l->term)};

	/* When it fails, the lease expires by itself. */
	(void)!maria_run(db, sync_sql_lease_release, params, ARRAY_LEN(params), NULL, NULL);
	l->term = 0;
}

int sync_lease_guard(struct maria *db, const char *holder, int64_t term, struct err *err)
{
	struct maria_value params[] = {MARIA_S(holder), MARIA_I(term)};
	int64_t found;
	int r = maria_query_int(db, sync_sql_lease_guard, params, ARRAY_LEN(params), &found, err);

	if (r == -ERR_NOT_FOUND && err && err->native == 0)
		return err_set(err, ERR_FENCED,
			       "the lease of term %" PRId64 " is held by another process", term);
	return r;
}
