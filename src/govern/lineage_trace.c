/* Where one document comes from: see lineage_trace.h. */
#include "govern/lineage_trace.h"

#include "base/clock.h"
#include "govern/govern_sql_int.h"

#include "base/banned.h"

#define MARK	      "_sync"
#define NO_SUCH_TABLE 1146 /* the sync is not installed */

void lineage_trace_done(struct lineage_trace *t)
{
	mem_free(t->rows);
	arena_done(&t->arena);
}

/* "" is nothing. */
static const char *text_at(struct lineage_trace *t, const struct maria_rows *rows, size_t column)
{
	struct str s = maria_rows_str(rows, column);

	return s.len ? arena_strndup(&t->arena, s.data, s.len) : NULL;
}

/* --- the rows -------------------------------------------------------------------------------- */

static int add_row(void *arg, const struct mapping_row_of *row, struct err *err)
{
	struct lineage_trace *t = arg;

	(void)err;
	mem_grow(&t->rows, &t->rows_cap, t->n_rows + 1, sizeof(*t->rows));
	t->rows[t->n_rows++] = (struct lineage_row){
	    .field = arena_strdup(&t->arena, row->field),
	    .table = arena_strdup(&t->arena, row->table),
	    .key = arena_strndup(&t->arena, row->key.data, row->key.len),
	    .is_cut = row->is_cut,
	};
	return 0;
}

static int find_rows(const struct mapping *m, struct maria *db, struct str key,
		     struct lineage_trace *t, struct err *err)
{
	struct err ignored = {0};
	int r = maria_snapshot_begin(db, err);

	if (r < 0)
		return r;
	r = mapping_trace(m, db, key, add_row, t, err);
	t->has_row = r == 0;
	if (r == -ERR_NOT_FOUND) {
		err_clear(err);
		r = 0;
	}
	if (r == 0)
		return maria_snapshot_end(db, err);
	if (!maria_is_lost(db) && maria_snapshot_end(db, &ignored) < 0)
		err_clear(&ignored);
	return r;
}

/* --- the document's mark --------------------------------------------------------------------- */

static const char *date_text(struct lineage_trace *t, const bson_iter_t *at)
{
	char text[CLOCK_TEXT_SIZE];

	if (!BSON_ITER_HOLDS_DATE_TIME(at))
		return NULL;
	(void)clock_format(bson_iter_date_time(at) * 1000, text);
	/* As MariaDB writes it: "2026-11-27 16:20:00.123". */
	text[10] = ' ';
	text[strcspn(text, "Z")] = 0;
	return arena_strdup(&t->arena, text);
}

static void read_mark(struct lineage_trace *t, const bson_t *doc)
{
	bson_iter_t iter, mark;

	if (!bson_iter_init_find(&iter, doc, MARK) || !BSON_ITER_HOLDS_DOCUMENT(&iter) ||
	    !bson_iter_recurse(&iter, &mark))
		return;
	while (bson_iter_next(&mark)) {
		if (BSON_ITER_IS_KEY(&mark, "version") && BSON_ITER_HOLDS_UTF8(&mark))
			t->version = arena_strdup(&t->arena, bson_iter_utf8(&mark, NULL));
		else if (BSON_ITER_IS_KEY(&mark, "term"))
			t->term = bson_iter_as_int64(&mark);
		else if (BSON_ITER_IS_KEY(&mark, "at"))
			t->written_at = date_text(t, &mark);
		else if (BSON_ITER_IS_KEY(&mark, "left_at"))
			t->left_at = date_text(t, &mark);
	}
}

static int find_document(const struct mapping *m, struct mongo *mongo, struct str key,
			 struct lineage_trace *t, struct err *err)
{
	bson_t filter = BSON_INITIALIZER, *opts = BCON_NEW("projection", "{", MARK, BCON_INT32(1),
							   "}", "limit", BCON_INT64(1));
	int r = mapping_key_append(m, key, &filter, "_id", err);

	if (r == 0) {
		mongoc_client_t *client = mongo_pop(mongo);
		mongoc_collection_t *c = mongoc_client_get_collection(client, mongo_database(mongo),
								      mapping_collection(m));
		mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &filter, opts, NULL);
		const bson_t *doc = NULL;
		bson_error_t error;

		if (mongoc_cursor_next(cursor, &doc)) {
			t->has_document = true;
			read_mark(t, doc);
		} else if (mongoc_cursor_error(cursor, &error)) {
			r = mongo_error(err, &error, NULL, "reading the document");
		}
		mongoc_cursor_destroy(cursor);
		mongoc_collection_destroy(c);
		mongo_push(mongo, client);
	}
	bson_destroy(&filter);
	bson_destroy(opts);
	return r;
}

/* --- what the sync knows --------------------------------------------------------------------- */

static int find_mapping(const struct mapping *m, struct maria *db, struct lineage_trace *t,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(db, govern_sql_lineage_installed,
				MARIA_ARGS(MARIA_S(mapping_collection(m))), &rows, err);

	if (r <= 0)
		return r;
	t->mapping_hash = text_at(t, rows, 0);
	t->mapping_version = maria_rows_int(rows, 1);
	t->state = text_at(t, rows, 2);
	t->installed_at = text_at(t, rows, 3);
	t->migrated_at = text_at(t, rows, 4);
	t->is_current =
	    t->version && t->mapping_hash && str_starts(str_from(t->mapping_hash), t->version);
	return 0;
}

static int find_batch(const struct mapping *m, struct maria *db, struct lineage_trace *t,
		      struct err *err)
{
	const char *at = t->written_at ? t->written_at : t->left_at;
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = 0;

	if (!at || !t->version)
		return 0;
	r = maria_query_row(db, govern_sql_lineage_batch,
			    MARIA_ARGS(MARIA_S(mapping_collection(m)), MARIA_S(t->version),
				       MARIA_I(t->term), MARIA_S(at), MARIA_S(at)),
			    &rows, err);
	if (r <= 0)
		return r;
	t->source = text_at(t, rows, 0);
	t->batch_at = text_at(t, rows, 1);
	t->first_queued_at = text_at(t, rows, 2);
	t->last_queued_at = text_at(t, rows, 3);
	return 0;
}

static bool is_migrated(const struct lineage_trace *t)
{
	return t->source && cstr_equal(t->source, "migration");
}

/* Without the batch nobody knows when its first change was queued, nor whether it was one. */
static int find_out_whether_kept(struct maria *db, struct lineage_trace *t, struct err *err)
{
	const char *at = t->written_at ? t->written_at : t->left_at;
	int64_t is_kept = 1;
	int r = 0;

	if (at && !t->source)
		r = maria_query_int(db, govern_sql_lineage_kept,
				    MARIA_ARGS(MARIA_S(at), MARIA_S(at)), &is_kept, err);
	t->is_forgotten = !is_kept;
	return r;
}

/*
 * Of a change: the event of the sync behind it, and the one before its batch, whose first change
 * may have been queued in an earlier window. Of a migration: its run, up to whose end the binary
 * log tells all that was read.
 */
static int find_window(const struct mapping *m, struct maria *db, struct lineage_trace *t,
		       struct err *err)
{
	const char *at = t->written_at ? t->written_at : t->left_at;
	const char *job = arena_printf(&t->arena, "sync.%s", mapping_collection(m));
	const char *before = t->first_queued_at ? t->first_queued_at : at;
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = 0;

	if (!at || t->is_forgotten)
		return 0;
	if (is_migrated(t))
		r = maria_query_row(
		    db, govern_sql_lineage_migration,
		    MARIA_ARGS(MARIA_S(at), MARIA_S(at), MARIA_S(mapping_collection(m))), &rows,
		    err);
	else
		r = maria_query_row(db, govern_sql_lineage_window,
				    MARIA_ARGS(MARIA_S(job), MARIA_S(at), MARIA_S(at), MARIA_S(job),
					       MARIA_S(before)),
				    &rows, err);
	if (r <= 0)
		return r;
	t->run = text_at(t, rows, 0);
	t->until = text_at(t, rows, 1);
	t->until_gtid = text_at(t, rows, 2);
	t->after = text_at(t, rows, 3);
	t->after_gtid = text_at(t, rows, 4);
	return 0;
}

static int find_pending(const struct mapping *m, struct maria *db, struct str key,
			struct lineage_trace *t, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	MARIA_ADD(&sql, "SELECT COUNT(*) FROM # WHERE path = 0 AND `key` = ?", mapping_queue(m));
	r = maria_query_int(db, strbuf_str(&sql), MARIA_ARGS(MARIA_B(key)), &t->pending, err);
	if (r == 0)
		r = maria_query_row(db, govern_sql_lineage_dead_letter,
				    MARIA_ARGS(MARIA_S(mapping_collection(m)), MARIA_B(key)), &rows,
				    err);
	if (r > 0)
		t->dead_letter = text_at(t, rows, 0);
	return r < 0 ? r : 0;
}

static int find_sync(const struct mapping *m, struct maria *db, struct str key,
		     struct lineage_trace *t, struct err *err)
{
	int r = find_mapping(m, db, t, err);

	if (r == 0)
		r = find_batch(m, db, t, err);
	if (r == 0)
		r = find_out_whether_kept(db, t, err);
	if (r == 0)
		r = find_window(m, db, t, err);
	if (r == 0)
		r = find_pending(m, db, key, t, err);
	if (r < 0 && err && err->native == NO_SUCH_TABLE) { /* rows can be told all the same */
		err_clear(err);
		r = 0;
	}
	return r;
}

int lineage_trace(const struct mapping *m, struct maria *db, struct mongo *mongo, struct str key,
		  struct lineage_trace *ret, struct err *err)
{
	int r = 0;

	ret->key = arena_strndup(&ret->arena, key.data, key.len);
	if (mongo)
		r = find_document(m, mongo, key, ret, err);
	if (r == 0)
		r = find_rows(m, db, key, ret, err);
	if (r == 0 && !ret->has_document && !ret->has_row)
		return err_set(err, ERR_NOT_FOUND,
			       "neither a row nor a document of \"%s\" has key \"%s\"",
			       mapping_collection(m), ret->key);
	return r == 0 ? find_sync(m, db, key, ret, err) : r;
}
