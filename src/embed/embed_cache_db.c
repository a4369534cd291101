/*
 * The file of the cache: an SQLite database in WAL mode.
 *
 *	meta     the key of the hashes
 *	models   a vector space each: name and dimension
 *	vectors  by (model, hash of the text); the vector is `dimension` little-endian floats;
 *	         when it was made, in seconds since 1970
 *	uses     which owner uses which vector, one of each model
 *
 * It is recognised by its application_id ("AMec") before anything is written to it: a database of
 * somebody else is refused, not converted. A format that changes raises user_version: version 1 did
 * not say when a vector was made; its vectors count as made when the file was converted.
 *
 * synchronous=FULL, as a commit in WAL mode would else not survive a power cut. secure_delete, for
 * erasure. Not trusted: the schema of a file that somebody else could have put there
 * (trusted_schema=OFF, defensive mode), and cells are checked while they are read.
 */
#include "embed/embed_cache_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

#define APPLICATION_ID	0x414d6563 /* "AMec" */
#define FORMAT_VERSION	2
#define BUSY_TIMEOUT_MS 5000
#define CACHE_PAGES_KIB "-8192"
#define LOG_PAGES	"1000"

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER NOT NULL,"
    "  UNIQUE (name, dimension));"
    "CREATE TABLE vectors (id INTEGER PRIMARY KEY, model INTEGER NOT NULL, hash BLOB NOT NULL,"
    "  vector BLOB NOT NULL, made_at INTEGER NOT NULL, UNIQUE (model, hash));"
    "CREATE INDEX vectors_by_age ON vectors (made_at);" /* what is too old */
    "CREATE TABLE uses (owner BLOB NOT NULL, model INTEGER NOT NULL, vector INTEGER NOT NULL,"
    "  PRIMARY KEY (owner, model)) WITHOUT ROWID;"
    "CREATE INDEX uses_by_vector ON uses (vector);"; /* whether anybody still uses one */

static const char *const statements[CACHE_SQL_COUNT] = {
    [CACHE_BEGIN] = "BEGIN IMMEDIATE",
    [CACHE_COMMIT] = "COMMIT",
    [CACHE_ROLLBACK] = "ROLLBACK",
    [CACHE_FIND_MODEL] = "SELECT id FROM models WHERE name = ?1 AND dimension = ?2",
    [CACHE_ADD_MODEL] = "INSERT INTO models (name, dimension) VALUES (?1, ?2) RETURNING id",
    [CACHE_FIND_VECTOR] = "SELECT id, vector FROM vectors WHERE model = ?1 AND hash = ?2",
    [CACHE_ADD_VECTOR] =
	"INSERT INTO vectors (model, hash, vector, made_at) VALUES (?1, ?2, ?3, ?4) RETURNING id",
    [CACHE_MEND_VECTOR] = "UPDATE vectors SET vector = ?2, made_at = ?3 WHERE id = ?1",
    [CACHE_FIND_USE] = "SELECT vector FROM uses WHERE owner = ?1 AND model = ?2",
    [CACHE_SET_USE] = "INSERT INTO uses (owner, model, vector) VALUES (?1, ?2, ?3) "
		      "ON CONFLICT (owner, model) DO UPDATE SET vector = excluded.vector",
    [CACHE_DROP_UNUSED] = "DELETE FROM vectors WHERE id = ?1 AND NOT EXISTS "
			  "(SELECT 1 FROM uses WHERE uses.vector = ?1)",
    [CACHE_LIST_USES] = "SELECT vector FROM uses WHERE owner = ?1",
    [CACHE_LIST_OWNERS] = "SELECT DISTINCT owner FROM uses WHERE owner >= ?1 ORDER BY owner "
			  "LIMIT ?2",
    [CACHE_COUNT_USES] = "SELECT count(*) FROM uses WHERE owner = ?1",
    [CACHE_DROP_USES] = "DELETE FROM uses WHERE owner = ?1",
    [CACHE_LIST_OLD] = "SELECT id FROM vectors WHERE made_at < ?1 "
		       "ORDER BY made_at LIMIT ?2",
    [CACHE_COUNT_OLD] = "SELECT count(*) FROM vectors WHERE made_at < ?1",
    [CACHE_DROP_USES_OF] = "DELETE FROM uses WHERE vector = ?1",
    [CACHE_DROP_VECTOR] = "DELETE FROM vectors WHERE id = ?1",
    [CACHE_STATS] = "SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM vectors), "
		    "(SELECT count(*) FROM uses), page_count * page_size "
		    "FROM pragma_page_count(), pragma_page_size()",
};

/* --- statements ------------------------------------------------------------------------------ */

static enum err_code class_of(const struct embed_cache *c, int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPTED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_UNAVAILABLE;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return ERR_PERMISSION;
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(c->db) == ENOENT ? ERR_NOT_FOUND : ERR_PERMISSION;
	case SQLITE_NOMEM:
		return ERR_NO_MEMORY;
	case SQLITE_FULL:
	case SQLITE_IOERR:
		return ERR_IO;
	default:
		return ERR_INTERNAL;
	}
}

static int damaged(const struct embed_cache *c, const char *what, struct err *err)
{
	(void)err_set(err, ERR_CORRUPTED, "\"%s\" %s", c->path, what);
	return err_hint(err, "move it away: the cache is made anew, and what is needed is embedded "
			     "again");
}

int cache_error(struct embed_cache *c, int code, struct err *err)
{
	enum err_code class = class_of(c, code);
	const char *reason = sqlite3_errmsg(c->db);
	int r;

	if ((code & 0xff) == SQLITE_NOTADB)
		return damaged(c, "is no cache of embeddings", err);
	if (class == ERR_CORRUPTED)
		return damaged(c, "is damaged", err);
	r = err_set(err, class, "the cache of embeddings \"%s\": %s", c->path, reason);
	if (err)
		err->native = code;
	if (class == ERR_IO)
		(void)err_hint(err, "make room on the disk; what is stored can still be read");
	else if (class == ERR_UNAVAILABLE)
		(void)err_hint(err, "another process uses it; try again");
	return r;
}

sqlite3_stmt *cache_sql(struct embed_cache *c, enum cache_sql which)
{
	sqlite3_stmt *s = c->statements[which];

	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return s;
}

int cache_step(struct embed_cache *c, sqlite3_stmt *s, struct err *err)
{
	int code = sqlite3_step(s), r;

	if (code == SQLITE_ROW)
		return 1;
	r = code == SQLITE_DONE ? 0 : cache_error(c, code, err);
	(void)sqlite3_reset(s);
	return r;
}

int cache_run(struct embed_cache *c, sqlite3_stmt *s, struct err *err)
{
	int r = cache_step(c, s, err);

	bug_if(r > 0);
	return r;
}

int cache_begin(struct embed_cache *c, struct err *err)
{
	return cache_run(c, cache_sql(c, CACHE_BEGIN), err);
}

int cache_end(struct embed_cache *c, int r, struct err *err)
{
	if (r == 0)
		r = cache_run(c, cache_sql(c, CACHE_COMMIT), err);
	/* A full disk may have rolled back already; after a failed commit it must be done. */
	if (r < 0 && !sqlite3_get_autocommit(c->db))
		(void)!cache_run(c, cache_sql(c, CACHE_ROLLBACK), NULL);
	return r;
}

int cache_truncate_log(struct embed_cache *c, struct err *err)
{
	int code = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	return code == SQLITE_OK ? 0 : cache_error(c, code, err);
}

/* Parameters are bounded far below what SQLite takes; only memory could be missing. */
void cache_bind_blob(sqlite3_stmt *s, int i, const void *data, size_t len)
{
	bug_if(sqlite3_bind_blob64(s, i, len ? data : "", len, SQLITE_STATIC) != SQLITE_OK);
}

void cache_bind_int(sqlite3_stmt *s, int i, int64_t v)
{
	bug_if(sqlite3_bind_int64(s, i, v) != SQLITE_OK);
}

/* --- opening --------------------------------------------------------------------------------- */

static int run_script(struct embed_cache *c, const char *sql, struct err *err)
{
	int code = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : cache_error(c, code, err);
}

static int read_number(struct embed_cache *c, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(c->db, sql, -1, &s, NULL);
	int r;

	if (code != SQLITE_OK)
		return cache_error(c, code, err);
	r = cache_step(c, s, err);
	if (r > 0)
		*ret = sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s);
	return r < 0 ? r : 0;
}

/* A new file is for us alone; SQLite gives its log the same mode. An existing one stays as it is,
 * and is not opened here: closing it would release the locks of another connection of this process.
 */
static int make_file(struct embed_cache *c, struct err *err)
{
	int fd = open(c->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	int e = errno;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (e == EEXIST)
		return 0;
	return err_set(err,
		       e == ENOENT				 ? ERR_NOT_FOUND
		       : e == EACCES || e == EPERM || e == EROFS ? ERR_PERMISSION
								 : ERR_IO,
		       "could not make the cache of embeddings \"%s\": %s", c->path, strerror(e));
}

static int fill_new(struct embed_cache *c, struct err *err)
{
	unsigned char key[crypto_generichash_KEYBYTES];
	sqlite3_stmt *s = NULL;
	int code, r = run_script(c, schema, err);

	if (r < 0)
		return r;
	code = sqlite3_prepare_v2(c->db, "INSERT INTO meta VALUES ('key', ?1)", -1, &s, NULL);
	if (code != SQLITE_OK)
		return cache_error(c, code, err);
	random_bytes(key, sizeof(key));
	cache_bind_blob(s, 1, key, sizeof(key));
	r = cache_run(c, s, err);
	(void)sqlite3_finalize(s);
	if (r < 0)
		return r;
	return run_script(c, "PRAGMA application_id = 1095591267; PRAGMA user_version = 2", err);
}

/* A constant default writes no row: a file of many gigabytes is converted at once. */
static int convert_first(struct embed_cache *c, struct err *err)
{
	_cleanup_(mem_freep) char *sql =
	    mem_printf("ALTER TABLE vectors ADD COLUMN made_at INTEGER NOT NULL DEFAULT %lld;"
		       "CREATE INDEX vectors_by_age ON vectors (made_at);"
		       "PRAGMA user_version = 2",
		       (long long)(clock_wall_us() / 1000000));

	return run_script(c, sql, err);
}

/* Looks, and makes what an empty file lacks; in one transaction, as two may come at once. */
static int check_format(struct embed_cache *c, struct err *err)
{
	int64_t id = 0, version = 0, objects = 0;
	int r = read_number(c, "PRAGMA application_id", &id, err);

	_Static_assert(APPLICATION_ID == 1095591267, "as in fill_new()");
	if (r == 0)
		r = read_number(c, "PRAGMA user_version", &version, err);
	if (r == 0)
		r = read_number(c, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (r < 0)
		return r;
	if (id == 0 && version == 0 && objects == 0)
		return fill_new(c, err);
	if (id != APPLICATION_ID)
		return damaged(c, "is a database, but no cache of embeddings", err);
	if (version > FORMAT_VERSION) {
		(void)err_set(err, ERR_UNSUPPORTED, "\"%s\" was made by a newer version", c->path);
		return err_hint(err, "use that version, or move the file away");
	}
	if (version == 1)
		return convert_first(c, err);
	return version == FORMAT_VERSION ? 0 : damaged(c, "has no version", err);
}

static int read_key(struct embed_cache *c, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int code =
	    sqlite3_prepare_v2(c->db, "SELECT value FROM meta WHERE name = 'key'", -1, &s, NULL);
	bool is_good;
	int r;

	if (code != SQLITE_OK)
		return cache_error(c, code, err);
	r = cache_step(c, s, err);
	is_good = r > 0 && sqlite3_column_bytes(s, 0) == (int)sizeof(c->key);
	if (is_good)
		memcpy(c->key, sqlite3_column_blob(s, 0), sizeof(c->key));
	(void)sqlite3_finalize(s);
	if (r < 0)
		return r;
	return is_good ? 0 : damaged(c, "has no key", err);
}

static int prepare_all(struct embed_cache *c, struct err *err)
{
	for (int i = 0; i < CACHE_SQL_COUNT; i++) {
		int code = sqlite3_prepare_v3(c->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
					      &c->statements[i], NULL);

		if (code == SQLITE_ERROR) /* a table or a column is not there */
			return damaged(c, "lacks tables of a cache of embeddings", err);
		if (code != SQLITE_OK)
			return cache_error(c, code, err);
	}
	return 0;
}

static int check_in_transaction(struct embed_cache *c, struct err *err)
{
	int r = run_script(c, "BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	r = check_format(c, err);
	if (r == 0)
		return run_script(c, "COMMIT", err);
	(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int cache_db_open(struct embed_cache *c, struct err *err)
{
	int code, r = make_file(c, err);

	if (r < 0)
		return r;
	code = sqlite3_open_v2(c->path, &c->db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			       NULL);
	bug_if(!c->db); /* no memory for the handle itself */
	if (code != SQLITE_OK)
		return cache_error(c, code, err);
	(void)sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS);
	(void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	r = check_in_transaction(c, err);
	if (r == 0)
		r = run_script(c,
			       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			       "PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;"
			       "PRAGMA cache_size = " CACHE_PAGES_KIB
			       "; PRAGMA wal_autocheckpoint = " LOG_PAGES,
			       err);
	if (r == 0)
		r = read_key(c, err);
	return r == 0 ? prepare_all(c, err) : r;
}

void cache_db_close(struct embed_cache *c)
{
	for (int i = 0; i < CACHE_SQL_COUNT; i++)
		(void)sqlite3_finalize(c->statements[i]);
	(void)sqlite3_close(c->db);
}
