/*
 * Searching every store for what is left of a person: see erase.h.
 *
 * MariaDB: each text and each byte column of each base table, of the shop and of the warehouse, is
 * read and looked through here, so that one comparison, that of bytes, holds for all stores.
 * MongoDB: each text of each document of each collection, those of others too, and whose a document
 * says that it is. Files: every byte below the run-time folder, but for those of the servers, which
 * were asked.
 */
#include "govern/erase_int.h"

#include "base/file.h"
#include "govern/privacy.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define FILE_BLOCK ((size_t)1 << 20)
#define FILE_MIN   5  /* bytes of a text: shorter ones stand in the numbers of an index by chance */
#define DEPTH_MAX  32 /* of folders: they are ours, and are not nested so deep */

/* Whether any text of the person, of `least` bytes, that nobody shares stands in it; the first one.
 */
static struct erase_text *find_text(const struct erase_sought *s, struct str in, size_t least)
{
	for (size_t i = 0; i < s->n; i++) {
		struct erase_text *t = &s->texts[i];

		if (!t->is_shared && t->text.len >= least && t->text.len <= in.len &&
		    memmem(in.data, in.len, t->text.data, t->text.len))
			return t;
	}
	return NULL;
}

static int tell(const struct erase_search *s, const struct erase_place *p, struct err *err)
{
	return s->fn ? s->fn(s->arg, p, err) : 0;
}

/* --- MariaDB --------------------------------------------------------------------------------- */

struct table_search {
	const struct eraser *e;
	const struct erase_search *s;
	const struct schema_table *table;
	size_t n_columns; /* that are read, behind the key */
	bool has_key;
	bool is_master; /* the shop's goods: what stands there is nobody's */
};

/* A table that documents are made of and that does not say whose its rows are: products, brands. */
struct master_search {
	const char *table;
	bool is_found;
};

static void note_master(void *arg, const struct mapping_column *c)
{
	struct master_search *m = arg;

	m->is_found = m->is_found || cstr_equal(c->table, m->table);
}

static bool is_master(const struct eraser *e, const struct schema_table *t)
{
	struct master_search m = {.table = t->name};

	for (size_t i = 0; i < e->mappings->len; i++)
		mapping_each_column(e->mappings->items[i], note_master, &m);
	return m.is_found && !schema_find_column(t, e->a->subject_key);
}

static void add_columns(struct table_search *ts, const char *database, struct strbuf *sql)
{
	const struct schema_table *t = ts->table;

	strbuf_addstr(sql, "SELECT ");
	if (ts->has_key)
		maria_add_identifier(sql, ts->e->a->subject_key);
	else
		strbuf_addstr(sql, "NULL");
	for (size_t i = 0; i < t->n_columns; i++) {
		enum schema_type type = t->columns[i].type;

		if (type != SCHEMA_TEXT && type != SCHEMA_JSON && type != SCHEMA_BYTES)
			continue;
		ts->n_columns++;
		strbuf_addstr(sql, ", ");
		maria_add_identifier(sql, t->columns[i].name);
	}
	strbuf_addstr(sql, " FROM ");
	maria_add_identifier(sql, database);
	strbuf_addch(sql, '.');
	maria_add_identifier(sql, t->name);
}

/* Whether the row holds something that is to be counted. */
static bool look_at_row(const struct table_search *ts, const struct maria_rows *rows)
{
	struct str key = maria_rows_str(rows, 0);
	bool is_others = ts->is_master || (key.data && !str_equal(key, str_from(ts->s->subject)));
	bool is_found = false;

	if (is_others && !ts->s->marks_shared)
		return false;
	for (size_t i = 0; i < ts->n_columns; i++) {
		struct str value = maria_rows_str(rows, i + 1);
		struct erase_text *t;

		while (value.data && (t = find_text(ts->s->sought, value, 1))) {
			is_found = true;
			if (!is_others)
				break;
			t->is_shared = true;
			ts->s->sought->n_shared++;
		}
	}
	return is_found && !is_others;
}

static int search_table(const struct table_search *base, const char *database, struct err *err)
{
	struct table_search ts = *base;
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX),
					     where = STRBUF_INIT(1024);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct erase_place place = {.store = "MariaDB"};
	int r;

	ts.has_key = schema_find_column(ts.table, ts.e->a->subject_key) != NULL;
	add_columns(&ts, database, &sql);
	if (!ts.n_columns)
		return 0;
	r = strbuf_check(&sql, ts.table->name, err);
	if (r == 0)
		r = maria_query(ts.e->m, strbuf_str(&sql), NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		place.n_searched++;
		place.n_found += look_at_row(&ts, rows);
	}
	rows = maria_rows_close(rows);
	if (r < 0)
		return err_context(err, "searching %s.%s", database, ts.table->name);
	strbuf_addf(&where, "%s.%s", database, ts.table->name);
	place.where = strbuf_str(&where);
	return tell(ts.s, &place, err);
}

static int search_database(const struct eraser *e, const struct erase_search *s,
			   const struct schema *schema, struct err *err)
{
	bool is_shop = cstr_equal(schema->database, e->schema->database);
	int r = 0;

	for (size_t i = 0; i < schema->n_tables && r == 0; i++) {
		const struct schema_table *t = &schema->tables[i];

		if (!t->is_view)
			r = search_table(
			    &(struct table_search){.e = e,
						   .s = s,
						   .table = t,
						   .is_master = is_shop && is_master(e, t)},
			    schema->database, err);
	}
	return r;
}

int erase_search_maria(const struct eraser *e, const struct erase_search *s, struct err *err)
{
	_cleanup_(schema_freep) struct schema *now = NULL, *warehouse = NULL;
	/* As it is now: a table may have come since. */
	int r = schema_load(e->m, e->schema->database, &now, err);

	if (r < 0)
		return r;
	r = search_database(e, s, now, err);
	if (r < 0)
		return r;
	r = schema_load(e->m, e->warehouse, &warehouse, err);
	return r < 0 ? r : search_database(e, s, warehouse, err);
}

/* --- MongoDB --------------------------------------------------------------------------------- */

static bool look_at_document(const struct erase_sought *s, bson_iter_t *it, int depth)
{
	bson_iter_t below;

	while (bson_iter_next(it)) {
		uint32_t len;
		const char *text;

		if (BSON_ITER_HOLDS_UTF8(it)) {
			text = bson_iter_utf8(it, &len);
			if (find_text(s, (struct str){text, len}, 1))
				return true;
		} else if ((BSON_ITER_HOLDS_DOCUMENT(it) || BSON_ITER_HOLDS_ARRAY(it)) &&
			   depth < DEPTH_MAX * 4 && bson_iter_recurse(it, &below) &&
			   look_at_document(s, &below, depth + 1)) {
			return true;
		}
	}
	return false;
}

static bool is_theirs(const bson_t *doc, const char *field, const char *subject)
{
	char text[64] = "";
	bson_iter_t it;

	if (!field || !bson_iter_init_find(&it, doc, field))
		return false;
	if (BSON_ITER_HOLDS_UTF8(&it))
		return cstr_equal(bson_iter_utf8(&it, NULL), subject);
	if (BSON_ITER_HOLDS_INT(&it))
		(void)snprintf(text, sizeof(text), "%" PRId64, bson_iter_as_int64(&it));
	return cstr_equal(text, subject);
}

static int search_collection(const struct eraser *e, const struct erase_search *s,
			     mongoc_collection_t *c, struct err *err)
{
	const struct mapping *mapping =
	    mapping_set_find(e->mappings, mongoc_collection_get_name(c));
	const char *owner = mapping ? privacy_owner_field(e->a, mapping) : NULL;
	_cleanup_(strbuf_done) struct strbuf where = STRBUF_INIT(1024);
	bson_t all = BSON_INITIALIZER;
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &all, NULL, NULL);
	struct erase_place place = {.store = "MongoDB"};
	const bson_t *doc;
	bson_error_t error;
	bson_iter_t it;
	int r = 0;

	while (mongoc_cursor_next(cursor, &doc)) {
		place.n_searched++;
		place.n_found += is_theirs(doc, owner, s->subject) ||
				 (bson_iter_init(&it, doc) && look_at_document(s->sought, &it, 0));
	}
	if (mongoc_cursor_error(cursor, &error))
		r = mongo_error(err, &error, NULL, "searching the documents");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&all);
	strbuf_addf(&where, "%s.%s", mongo_database(e->mongo), mongoc_collection_get_name(c));
	place.where = strbuf_str(&where);
	return r < 0 ? err_context(err, "collection \"%s\"", mongoc_collection_get_name(c))
		     : tell(s, &place, err);
}

int erase_search_mongo(const struct eraser *e, const struct erase_search *s, struct err *err)
{
	mongoc_client_t *client = mongo_pop(e->mongo);
	mongoc_database_t *db = mongoc_client_get_database(client, mongo_database(e->mongo));
	bson_error_t error;
	char **names = mongoc_database_get_collection_names_with_opts(db, NULL, &error);
	int r = names ? 0 : mongo_error(err, &error, NULL, "listing the collections");

	for (size_t i = 0; names && names[i] && r == 0; i++) {
		mongoc_collection_t *c = mongoc_database_get_collection(db, names[i]);

		if (strncmp(names[i], "system.", strlen("system.")) != 0)
			r = search_collection(e, s, c, err);
		mongoc_collection_destroy(c);
	}
	bson_strfreev(names);
	mongoc_database_destroy(db);
	mongo_push(e->mongo, client);
	return r;
}

/* --- files ----------------------------------------------------------------------------------- */

struct file_search {
	const struct eraser *e;
	const struct erase_search *s;
	char *block; /* FILE_BLOCK and what may hang over */
};

/* Blocks overlap by what a text that lies across their border needs. */
static int look_at_file(struct file_search *f, int fd, struct erase_place *place)
{
	size_t keep = 0, overlap = f->s->sought->longest ? f->s->sought->longest - 1 : 0;
	ssize_t n;

	while ((n = read(fd, f->block + keep, FILE_BLOCK)) > 0) {
		size_t len = keep + (size_t)n;

		place->n_searched += (uint64_t)n;
		if (find_text(f->s->sought, (struct str){f->block, len}, FILE_MIN)) {
			place->n_found = 1;
			return 0;
		}
		keep = len < overlap ? len : overlap;
		memmove(f->block, f->block + len - keep, keep);
	}
	return n < 0 ? -1 : 0;
}

/* A file that went meanwhile holds nothing. */
static int search_file(struct file_search *f, int folder, const char *name, const char *path,
		       struct err *err)
{
	struct erase_place place = {.store = "files", .where = path};
	_cleanup_(closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return 0;
	if (fd < 0 || look_at_file(f, fd, &place) < 0)
		return file_error("read", path, err);
	return tell(f->s, &place, err);
}

static bool is_skipped(const struct eraser *e, const char *name)
{
	for (size_t i = 0; e->skipped[i]; i++)
		if (cstr_equal(name, e->skipped[i]))
			return true;
	return false;
}

static int search_folder(struct file_search *f, int fd, const char *path, int depth,
			 struct err *err);

/* What went meanwhile holds nothing; what cannot be looked at is no proof that it holds nothing. */
static int search_entry(struct file_search *f, int folder, const char *name, const char *path,
			int depth, struct err *err)
{
	struct stat st;
	int fd;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : file_error("look at", path, err);
	if (S_ISREG(st.st_mode))
		return search_file(f, folder, name, path, err);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (depth == DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "\"%s\" is nested deeper than %d folders", path,
			       DEPTH_MAX);
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : file_error("open", path, err);
	return search_folder(f, fd, path, depth + 1, err);
}

static int search_folder(struct file_search *f, int fd, const char *path, int depth,
			 struct err *err)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		close(fd);
		return file_error("list", path, err);
	}
	while (r == 0 && (entry = readdir(dir))) {
		_cleanup_(mem_freep) char *below =
		    mem_printf("%s%s%s", path, path[0] ? "/" : "", entry->d_name);

		if (cstr_equal(entry->d_name, ".") || cstr_equal(entry->d_name, "..") ||
		    (depth == 0 && is_skipped(f->e, entry->d_name)))
			continue;
		r = search_entry(f, dirfd(dir), entry->d_name, below, depth, err);
	}
	closedir(dir);
	return r;
}

int erase_search_files(const struct eraser *e, const struct erase_search *s, struct err *err)
{
	struct file_search f = {.e = e, .s = s};
	int r, fd = open(e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : file_error("open", e->dir, err);
	f.block = mem_alloc(FILE_BLOCK + s->sought->longest);
	r = search_folder(&f, fd, "", 0, err);
	mem_free(f.block);
	return r;
}
