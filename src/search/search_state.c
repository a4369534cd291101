/*
 * The statements of state.db: see search_state.h. They are prepared once, and all of them stand
 * here, with the tables they are about.
 *
 * A write-ahead log, synchronous=FULL and secure_delete: what was committed survives a loss of
 * power, what was deleted is overwritten.
 */
#include "search/search_state.h"

#include "base/banned.h"

#define BUSY_MS 5000

static const char *const sql[SEARCH_STATEMENTS] = {
    [SEARCH_S_BEGIN] = "BEGIN IMMEDIATE",
    [SEARCH_S_COMMIT] = "COMMIT",
    [SEARCH_S_ROLLBACK] = "ROLLBACK",
    [SEARCH_S_GET] = "SELECT value FROM meta WHERE name = ?1",
    [SEARCH_S_SET] = "INSERT INTO meta (name, value) VALUES (?1, ?2)"
		     " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    [SEARCH_S_COLLECTION] =
	"SELECT id, scan, phase, forced, cursor, done FROM collection WHERE name = ?1",
    [SEARCH_S_COLLECTIONS] = "SELECT id, name FROM collection ORDER BY id LIMIT ?1",
    [SEARCH_S_COLLECTION_ADD] = "INSERT INTO collection (name) VALUES (?1)",
    [SEARCH_S_COLLECTION_SAVE] =
	"UPDATE collection SET scan = ?2, phase = ?3, forced = ?4, cursor = ?5,"
	" done = ?6 WHERE id = ?1",
    [SEARCH_S_COLLECTIONS_SCAN] = "UPDATE collection SET scan = scan + 1, phase = 1, cursor = x'',"
				  " done = 0",
    [SEARCH_S_COLLECTION_DROP] = "DELETE FROM collection WHERE id = ?1",
    [SEARCH_S_DOCUMENT] =
	"SELECT id, made_of, scan FROM document WHERE collection = ?1 AND key = ?2",
    [SEARCH_S_DOCUMENT_ADD] = "INSERT INTO document (collection, key, id) VALUES (?1, ?2, ?3)",
    [SEARCH_S_DOCUMENT_SEEN] = "UPDATE document SET scan = ?3 WHERE collection = ?1 AND key = ?2",
    [SEARCH_S_DOCUMENT_DONE] = "UPDATE document SET scan = ?3, made_of = ?4, title = ?5"
			       " WHERE collection = ?1 AND key = ?2",
    [SEARCH_S_DOCUMENT_DROP] = "DELETE FROM document WHERE collection = ?1 AND key = ?2",
    [SEARCH_S_DOCUMENT_FORGET] =
	"UPDATE document SET made_of = 0 WHERE collection = ?1 AND key = ?2",
    [SEARCH_S_DOCUMENTS] = "SELECT id, made_of FROM document WHERE collection = ?1 ORDER BY id",
    [SEARCH_S_DOCUMENTS_DROP] = "DELETE FROM document WHERE collection = ?1",
    [SEARCH_S_UNSEEN] = "SELECT key FROM document WHERE collection = ?1 AND scan <> ?2 LIMIT ?3",
    [SEARCH_S_ASIDE] = "SELECT attempts FROM aside WHERE collection = ?1 AND key = ?2",
    [SEARCH_S_ASIDE_SET] =
	"INSERT INTO aside (collection, key, kind, reason, attempts, due_us)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (collection, key) DO UPDATE SET"
	" kind = excluded.kind, reason = excluded.reason,"
	" attempts = excluded.attempts, due_us = excluded.due_us",
    [SEARCH_S_ASIDE_DROP] = "DELETE FROM aside WHERE collection = ?1 AND key = ?2",
    [SEARCH_S_ASIDE_DUE] = "SELECT key FROM aside WHERE collection = ?1 AND kind = 'error'"
			   " AND (due_us <= ?2 OR due_us > ?2 + ?4)" /* by a clock that was wrong */
			   " ORDER BY due_us LIMIT ?3",
    [SEARCH_S_ASIDE_COUNT] = "SELECT kind, COUNT(*) FROM aside WHERE collection = ?1 GROUP BY kind",
    [SEARCH_S_ASIDE_REASONS] = "SELECT kind, reason, COUNT(*) FROM aside WHERE collection = ?1"
			       " GROUP BY kind, reason ORDER BY 3 DESC, 2 LIMIT ?2",
    [SEARCH_S_LEFT_OUT_DROP] =
	"DELETE FROM aside WHERE kind <> 'error' AND (collection = ?1 OR ?1 = 0)",
    [SEARCH_S_ASIDES_DROP] = "DELETE FROM aside WHERE collection = ?1",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS collection ("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, scan INTEGER NOT NULL DEFAULT 1,"
    " phase INTEGER NOT NULL DEFAULT 1, forced INTEGER NOT NULL DEFAULT 0,"
    " cursor BLOB NOT NULL DEFAULT x'', done INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS document ("
    " collection INTEGER NOT NULL, key BLOB NOT NULL, id INTEGER NOT NULL,"
    " made_of INTEGER NOT NULL DEFAULT 0, scan INTEGER NOT NULL DEFAULT 0, title TEXT,"
    " PRIMARY KEY (collection, key)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS document_id ON document (collection, id);"
    "CREATE TABLE IF NOT EXISTS aside ("
    " collection INTEGER NOT NULL, key BLOB NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, due_us INTEGER NOT NULL,"
    " PRIMARY KEY (collection, key)) WITHOUT ROWID;";

int search_state_error(sqlite3 *db, const char *dir, struct err *err)
{
	int code = sqlite3_errcode(db);
	enum err_code class = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERR_CORRUPTED
			      : code == SQLITE_BUSY			      ? ERR_UNAVAILABLE
									      : ERR_IO;

	(void)err_set(err, class, "\"%s/state.db\": %s", dir, sqlite3_errmsg(db));
	if (class == ERR_CORRUPTED)
		(void)err_hint(err,
			       "stop the worker, remove \"%s\" and start it again: the index is "
			       "made anew, from the cache of embeddings",
			       dir);
	else if (class == ERR_IO)
		(void)err_hint(err,
			       "mostly a full disk: make room, and indexing goes on by itself");
	return -(int)class;
}

/* The error of the last call. */
static int fail(const struct search_state *s, struct err *err)
{
	return search_state_error(s->db, s->dir, err);
}

/* Ready to be bound. Prepared once. */
static int get(struct search_state *s, enum search_statement which, sqlite3_stmt **ret,
	       struct err *err)
{
	sqlite3_stmt **st = &s->statements[which];

	if (!*st && sqlite3_prepare_v3(s->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, st,
				       NULL) != SQLITE_OK)
		return fail(s, err);
	(void)sqlite3_reset(*st);
	(void)sqlite3_clear_bindings(*st);
	*ret = *st;
	return 0;
}

static void bind(sqlite3_stmt *st, const char *types, va_list ap)
{
	for (int i = 1; *types; types++, i++) {
		if (*types == 'i') {
			(void)sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
		} else if (*types == 'b') {
			const struct str *b = va_arg(ap, const struct str *);

			(void)sqlite3_bind_blob64(st, i, b->len ? b->data : "", b->len,
						  SQLITE_TRANSIENT);
		} else {
			(void)sqlite3_bind_text(st, i, va_arg(ap, const char *), -1,
						SQLITE_TRANSIENT);
		}
	}
}

int search_state_prepare(struct search_state *s, enum search_statement which, sqlite3_stmt **ret,
			 struct err *err, const char *types, ...)
{
	va_list ap;
	int r = get(s, which, ret, err);

	if (r < 0)
		return r;
	va_start(ap, types);
	bind(*ret, types, ap);
	va_end(ap);
	return 0;
}

int search_state_step(struct search_state *s, sqlite3_stmt *st, struct err *err)
{
	int r = sqlite3_step(st);

	if (r == SQLITE_ROW)
		return 1;
	r = r == SQLITE_DONE ? 0 : fail(s, err);
	(void)sqlite3_reset(st);
	return r;
}

int search_state_run(struct search_state *s, enum search_statement which, struct err *err,
		     const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	int r = get(s, which, &st, err);

	if (r < 0)
		return r;
	va_start(ap, types);
	bind(st, types, ap);
	va_end(ap);
	r = search_state_step(s, st, err);
	(void)sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int search_state_begin(struct search_state *s, struct err *err)
{
	return search_state_run(s, SEARCH_S_BEGIN, err, "");
}

int search_state_end(struct search_state *s, int r, struct err *err)
{
	if (r == 0)
		r = search_state_run(s, SEARCH_S_COMMIT, err, "");
	if (r < 0 && !sqlite3_get_autocommit(s->db))
		(void)(search_state_run(s, SEARCH_S_ROLLBACK, NULL, "") < 0);
	return r;
}

int search_state_truncate_log(struct search_state *s, struct err *err)
{
	int code = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (code == SQLITE_BUSY)
		return 1;
	return code == SQLITE_OK ? 0 : fail(s, err);
}

struct str search_state_blob(sqlite3_stmt *st, int column)
{
	return (struct str){sqlite3_column_blob(st, column),
			    (size_t)sqlite3_column_bytes(st, column)};
}

int search_state_open_file(const char *path, int flags, sqlite3 **ret, const char *dir,
			   struct err *err)
{
	if (sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return search_state_error(*ret, dir, err);
	(void)sqlite3_busy_timeout(*ret, BUSY_MS);
	return 0;
}

int search_state_open(struct search_state *s, const char *path, struct err *err)
{
	static const char pragmas[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				      "PRAGMA secure_delete = ON; PRAGMA foreign_keys = OFF;";
	int r = search_state_open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->db,
				       s->dir, err);

	if (r < 0)
		return r;
	if (sqlite3_exec(s->db, pragmas, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return fail(s, err);
	return 0;
}

void search_state_done(struct search_state *s)
{
	for (size_t i = 0; i < SEARCH_STATEMENTS; i++)
		(void)sqlite3_finalize(s->statements[i]);
	(void)sqlite3_close(s->db);
}
