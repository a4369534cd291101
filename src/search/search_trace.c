/*
 * See search_trace.h. Three kinds of files (docs/formats/index.md): records of the words, where
 * what was replaced counts until it is overwritten; the state of each generation, whose row of a
 * document goes after its vector; the cache of embeddings, where uses stand by the owner's name.
 */
#include "search/search_trace.h"

#include "base/file.h"
#include "base/map.h"
#include "embed/embed_cache.h"
#include "search/search_state.h"
#include "search/search_store.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>

#include "base/banned.h"

#define WORDS	   "words"
#define RECORDS	   ".records"
#define EMBEDDINGS "embeddings.db"
#define STATE	   "state.db"

/* --- records --------------------------------------------------------------------------------- */

struct reading {
	const struct search_trace_question *q;
	const char *file;
	struct map keys; /* of one collection: its place in `q`, from 1 */
};

static void note_keys(struct reading *g, const char *collection)
{
	for (size_t i = 0; i < g->q->n; i++)
		if (cstr_equal(g->q->collections[i], collection))
			*map_put(&g->keys, g->q->keys[i]) = (void *)(uintptr_t)(i + 1);
}

static int compare_record(void *arg, struct str key, struct err *err)
{
	const struct reading *g = arg;
	uintptr_t at = (uintptr_t)map_get(&g->keys, key);

	return at ? g->q->fn(g->q->arg, g->file, at - 1, err) : 0;
}

static int look_into_records(const struct search_trace_question *q, const char *name,
			     struct err *err)
{
	size_t len = strlen(name), end = strlen(RECORDS);
	_cleanup_(mem_freep) char *file = mem_printf("%s/%s", WORDS, name),
				  *path = mem_printf("%s/%s", q->dir, file), *collection = NULL;
	struct reading g = {.q = q, .file = file};
	int r = 0;

	if (len <= end || !cstr_equal(name + len - end, RECORDS))
		return 0;
	collection = mem_strndup(name, len - end);
	note_keys(&g, collection);
	if (g.keys.len)
		r = search_store_each_key(path, compare_record, &g, err);
	map_done(&g.keys);
	return r;
}

/* --- generations ----------------------------------------------------------------------------- */

static int look_for_rows(const struct search_trace_question *q, sqlite3 *db, sqlite3_stmt *s,
			 const char *file, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < q->n && r == 0; i++) {
		int code;

		(void)sqlite3_reset(s);
		(void)sqlite3_bind_text(s, 1, q->collections[i], -1, SQLITE_STATIC);
		(void)sqlite3_bind_blob64(s, 2, q->keys[i].data, q->keys[i].len, SQLITE_STATIC);
		code = sqlite3_step(s);
		if (code == SQLITE_ROW)
			r = q->fn(q->arg, file, i, err);
		else if (code != SQLITE_DONE)
			r = search_state_error(db, q->dir, err);
	}
	return r;
}

static int look_into_state(const struct search_trace_question *q, const char *generation,
			   struct err *err)
{
	static const char sql[] =
	    "SELECT 1 FROM document d JOIN collection c ON c.id = d.collection "
	    "WHERE c.name = ?1 AND d.key = ?2";
	_cleanup_(mem_freep) char *file = mem_printf("%s/%s", generation, STATE),
				  *path = mem_printf("%s/%s", q->dir, file);
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int r;

	if (!file_exists(path))
		return 0;
	r = search_state_open_file(path, SQLITE_OPEN_READWRITE, &db, q->dir, err);
	if (r == 0 && sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		r = search_state_error(db, q->dir, err);
	if (r == 0)
		r = look_for_rows(q, db, s, file, err);
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(db);
	return r;
}

/* --- the cache ------------------------------------------------------------------------------- */

/* A key too long for a name is named by its hash. */
struct str search_trace_owner(const char *collection, struct str key, struct arena *arena)
{
	if (strlen(collection) + 1 + key.len <= EMBED_OWNER_MAX)
		return str_from(arena_printf(arena, "%s:%.*s", collection, STR_ARGS(key)));
	return str_from(arena_printf(arena, "%s:~%016" PRIx64, collection, map_hash(key)));
}

static int look_into_cache(const struct search_trace_question *q, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", q->dir, EMBEDDINGS);
	_cleanup_(embed_cache_freep) struct embed_cache *c = NULL;
	int r = 0;

	if (!file_exists(path))
		return 0;
	r = embed_cache_open(path, &c, err);
	for (size_t i = 0; i < q->n && r == 0; i++) {
		_cleanup_(arena_done) struct arena arena = {0};
		size_t uses = 0;

		r = embed_cache_uses(c, search_trace_owner(q->collections[i], q->keys[i], &arena),
				     &uses, err);
		if (r == 0 && uses)
			r = q->fn(q->arg, EMBEDDINGS, i, err);
	}
	return r;
}

/* --- all ------------------------------------------------------------------------------------- */

static bool is_generation(const char *name)
{
	return name[0] == 'g' && name[1] && strspn(name + 1, "0123456789") == strlen(name + 1);
}

typedef int (*name_fn)(const struct search_trace_question *q, const char *name, struct err *err);

static int each_generation(const struct search_trace_question *q, const char *name, struct err *err)
{
	return is_generation(name) ? look_into_state(q, name, err) : 0;
}

/* A folder that is not there has nothing. */
static int each_name(const struct search_trace_question *q, const char *folder, name_fn fn,
		     struct err *err)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : file_error("list", folder, err);
	while (r == 0 && (entry = readdir(dir)))
		r = fn(q, entry->d_name, err);
	closedir(dir);
	return r;
}

int search_trace(const struct search_trace_question *q, struct err *err)
{
	_cleanup_(mem_freep) char *words = mem_printf("%s/%s", q->dir, WORDS);
	int r = each_name(q, words, look_into_records, err);

	if (r == 0)
		r = each_name(q, q->dir, each_generation, err);
	return r < 0 ? r : look_into_cache(q, err);
}

static int count_file(const struct search_trace_question *q, const char *name, struct err *err)
{
	size_t *n = q->arg;

	(void)err;
	*n += name[0] != '.' &&
	      (is_generation(name) || cstr_equal(name, EMBEDDINGS) || cstr_equal(name, WORDS));
	return 0;
}

bool search_trace_has_files(const char *dir)
{
	size_t n = 0;
	const struct search_trace_question q = {.arg = &n};
	struct err unused = {0};

	return each_name(&q, dir, count_file, &unused) == 0 && n;
}
