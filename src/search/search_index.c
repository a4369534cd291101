/*
 * A generation of the index: see search_index.h. Here: its life, its collections, scans, reading;
 * documents are put and removed in search_apply.c.
 *
 * The writer has one connection to state.db, under `writer`; queries share another one, under
 * `reader`, so that they never wait for a flush.
 *
 * Lock order: reader, then writer.
 */
#include "search/search_index_int.h"

#include "base/file.h"

#include <inttypes.h>

#include "base/banned.h"

#define FORMAT	  2 /* numbers are the corpora's */
#define KEY_BYTES 4096

/* --- opening --------------------------------------------------------------------------------- */

static int get_meta(struct search_index *ix, const char *name, sqlite3_stmt **ret, struct err *err)
{
	int r = search_state_prepare(&ix->state, SEARCH_S_GET, ret, err, "t", name);

	return r < 0 ? r : search_state_step(&ix->state, *ret, err);
}

static int set_text(struct search_index *ix, const char *name, const char *value, struct err *err)
{
	return search_state_run(&ix->state, SEARCH_S_SET, err, "tt", name, value);
}

static int make_state(struct search_index *ix, struct err *err)
{
	const struct search_index_options *o = &ix->options;
	int r = search_state_begin(&ix->state, err);

	if (r == 0)
		r = set_text(ix, "model", o->model, err);
	if (r == 0)
		r = search_state_run(&ix->state, SEARCH_S_SET, err, "ti", "dimension",
				     (int64_t)o->dimension);
	if (r == 0)
		r = search_state_run(&ix->state, SEARCH_S_SET, err, "ti", "format",
				     (int64_t)FORMAT);
	return search_state_end(&ix->state, r, err);
}

static int check_state(struct search_index *ix, struct err *err)
{
	_cleanup_(mem_freep) char *model = NULL;
	sqlite3_stmt *s = NULL;
	int64_t dimension = 0, format = 0;
	int r = get_meta(ix, "model", &s, err);

	if (r == 0)
		return make_state(ix, err);
	if (r < 0)
		return r;
	model = mem_strdup((const char *)sqlite3_column_text(s, 0));
	(void)sqlite3_reset(s);
	r = search_index_get(ix, "dimension", &dimension, err);
	if (r == 0)
		r = search_index_get(ix, "format", &format, err);
	if (r < 0)
		return r;
	if (format != FORMAT)
		return err_set(err, ERR_CORRUPTED, "\"%s/state.db\" has format %" PRId64 ", not %d",
			       ix->state.dir, format, FORMAT);
	if (!cstr_equal(model, ix->options.model) || dimension != (int64_t)ix->options.dimension)
		return err_set(err, ERR_CONFLICT,
			       "\"%s\" holds vectors of \"%s\" with %" PRId64
			       " dimensions, not of \"%s\" with %u",
			       ix->state.dir, model, dimension, ix->options.model,
			       ix->options.dimension);
	return 0;
}

static int open_writer(struct search_index *ix, const char *path, struct err *err)
{
	int r = search_state_open(&ix->state, path, err);

	return r < 0 ? r : check_state(ix, err);
}

static int open_reader(struct search_index *ix, const char *path, struct err *err)
{
	static const char by_id[] = "SELECT key, title FROM document WHERE collection = ?1"
				    " AND id = ?2";
	int r =
	    search_state_open_file(path, SQLITE_OPEN_READONLY, &ix->read_db, ix->state.dir, err);

	if (r == 0 && sqlite3_prepare_v3(ix->read_db, by_id, -1, SQLITE_PREPARE_PERSISTENT,
					 &ix->read_key, NULL) != SQLITE_OK)
		r = search_state_error(ix->read_db, ix->state.dir, err);
	return r;
}

int search_index_open(const struct search_index_options *options, struct search_index **ret,
		      struct err *err)
{
	_cleanup_(search_index_freep) struct search_index *ix = MEM_NEW(struct search_index);
	const char *path;
	int r;

	ix->options = *options;
	ix->state.dir = arena_strdup(&ix->arena, options->dir);
	ix->options.dir = ix->state.dir;
	ix->options.model = arena_strdup(&ix->arena, options->model);
	pthread_mutex_init(&ix->writer, NULL);
	pthread_mutex_init(&ix->reader, NULL);
	path = arena_printf(&ix->arena, "%s/state.db", ix->state.dir);
	r = dir_make(ix->state.dir, 0700, err);
	if (r == 0)
		r = open_writer(ix, path, err);
	if (r == 0)
		r = open_reader(ix, path, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(ix);
	return 0;
}

int search_index_peek(const char *dir, struct arena *arena, const char **ret_model,
		      unsigned *ret_dimension, struct err *err)
{
	static const char ask[] = "SELECT (SELECT value FROM meta WHERE name = 'model'),"
				  " (SELECT value FROM meta WHERE name = 'dimension')";
	const char *path = arena_printf(arena, "%s/state.db", dir), *model;
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int r;

	if (!file_exists(path))
		return err_set(err, ERR_NOT_FOUND, "there is no index in \"%s\"", dir);
	/* Not read-only: the log of a process that was killed may have to be looked through. */
	r = search_state_open_file(path, SQLITE_OPEN_READWRITE, &db, dir, err);
	if (r == 0 && (sqlite3_prepare_v2(db, ask, -1, &s, NULL) != SQLITE_OK ||
		       sqlite3_step(s) != SQLITE_ROW))
		/* A process that ended while it made the file left it without tables. */
		r = sqlite3_errcode(db) == SQLITE_ERROR
			? err_set(err, ERR_NOT_FOUND, "the index in \"%s\" was never begun", dir)
			: search_state_error(db, dir, err);
	model = r == 0 ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (r == 0 && !model)
		r = err_set(err, ERR_NOT_FOUND, "the index in \"%s\" was never begun", dir);
	if (r == 0) {
		*ret_model = arena_strdup(arena, model);
		*ret_dimension = (unsigned)sqlite3_column_int64(s, 1);
	}
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(db);
	return r;
}

static void close_collection(struct search_index_collection *c)
{
	c->reader = vector_reader_free(c->reader);
	c->own = vector_reader_free(c->own);
	(void)(vector_close(c->vectors, NULL) < 0); /* the log has what was confirmed */
	c->vectors = NULL;
	strbuf_done(&c->cursor);
}

struct search_index *search_index_free(struct search_index *ix)
{
	if (!ix)
		return NULL;
	for (size_t i = 0; i < ix->n; i++)
		close_collection(&ix->collections[i]);
	(void)sqlite3_finalize(ix->read_key);
	(void)sqlite3_close(ix->read_db);
	search_state_done(&ix->state);
	pthread_mutex_destroy(&ix->reader);
	pthread_mutex_destroy(&ix->writer);
	arena_done(&ix->arena);
	mem_free(ix);
	return NULL;
}

int search_index_get(struct search_index *ix, const char *name, int64_t *ret, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r;

	pthread_mutex_lock(&ix->writer);
	r = get_meta(ix, name, &s, err);
	if (r >= 0)
		*ret = r > 0 ? sqlite3_column_int64(s, 0) : 0;
	if (r > 0)
		(void)sqlite3_reset(s);
	pthread_mutex_unlock(&ix->writer);
	return r < 0 ? r : 0;
}

int search_index_set(struct search_index *ix, const char *name, int64_t value, struct err *err)
{
	int r;

	pthread_mutex_lock(&ix->writer);
	r = search_state_run(&ix->state, SEARCH_S_SET, err, "ti", name, value);
	pthread_mutex_unlock(&ix->writer);
	return r;
}

/* --- collections ----------------------------------------------------------------------------- */

static int save(struct search_index *ix, const struct search_index_collection *c, struct err *err)
{
	struct str cursor = strbuf_slice(&c->cursor);

	return search_state_run(&ix->state, SEARCH_S_COLLECTION_SAVE, err, "iiiibi", c->row,
				c->scan, (int64_t)c->phase, (int64_t)c->is_forced, &cursor,
				c->done);
}

static void start_scan(struct search_index_collection *c, bool is_forced)
{
	c->scan++;
	c->phase = SEARCH_PHASE_PAGES;
	c->is_forced = is_forced;
	c->done = 0;
	strbuf_clear(&c->cursor);
}

static char *folder_of(const struct search_index *ix, const char *name)
{
	return mem_printf("%s/%s", ix->state.dir, name);
}

static int load_row(struct search_index *ix, struct search_index_collection *c, bool *ret_found,
		    struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r = search_state_prepare(&ix->state, SEARCH_S_COLLECTION, &s, err, "t", c->name);

	if (r == 0)
		r = search_state_step(&ix->state, s, err);
	*ret_found = r > 0;
	if (r <= 0)
		return r;
	c->row = sqlite3_column_int64(s, 0);
	c->scan = sqlite3_column_int64(s, 1);
	c->phase = (enum search_phase)sqlite3_column_int(s, 2);
	c->is_forced = sqlite3_column_int(s, 3) != 0;
	strbuf_add(&c->cursor, search_state_blob(s, 4).data, search_state_blob(s, 4).len);
	c->done = sqlite3_column_int64(s, 5);
	(void)sqlite3_reset(s);
	return 0;
}

static int make_row(struct search_index *ix, struct search_index_collection *c, struct err *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(ix, c->name);
	bool found;
	int r = dir_remove(folder, err); /* vectors without numbers say nothing */

	if (r == 0)
		r = search_state_run(&ix->state, SEARCH_S_COLLECTION_ADD, err, "t", c->name);
	return r < 0 ? r : load_row(ix, c, &found, err);
}

static int open_vectors(struct search_index *ix, struct search_index_collection *c, struct err *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(ix, c->name);
	struct vector_options options = {.dimension = ix->options.dimension,
					 .metric = VECTOR_COSINE,
					 .kind = VECTOR_GRAPH,
					 .model = ix->options.model,
					 .memory_max_bytes = ix->options.memory_max};
	int r = vector_open(folder, &options, &c->vectors, err);

	if (r == 0)
		r = vector_reader_new(c->vectors, &c->own, err);
	return r < 0 ? r : vector_reader_new(c->vectors, &c->reader, err);
}

/* Whether each document that has a vector is there, and no other. */
static int check_numbers(struct search_index *ix, struct search_index_collection *c,
			 struct err *err)
{
	struct vector_stats stats;
	sqlite3_stmt *s = NULL;
	uint64_t n = 0;
	bool is_whole = true, is_known = true;
	int r = search_state_prepare(&ix->state, SEARCH_S_DOCUMENTS, &s, err, "i", c->row);

	while (r >= 0 && (r = search_state_step(&ix->state, s, err)) > 0) {
		uint32_t id = (uint32_t)sqlite3_column_int64(s, 0);
		bool has = vector_has(c->own, id);

		n += has;
		is_known &= id < c->known;
		is_whole &= has || sqlite3_column_int64(s, 1) == 0;
	}
	if (r < 0)
		return r;
	if (!is_known)
		return err_set(err, ERR_CORRUPTED, "numbers of documents of \"%s\" were lost",
			       c->name);
	vector_stats(c->vectors, &stats);
	if (is_whole && stats.vectors == n)
		return 0;
	return err_set(err, ERR_CORRUPTED,
		       "the vectors of \"%s\" are not those that \"%s/state.db\" knows", c->name,
		       ix->state.dir);
}

static char *space_meta(const char *collection)
{
	return mem_printf("space:%s", collection);
}

static int check_space(struct search_index *ix, const struct search_index_collection *c,
		       struct err *err)
{
	_cleanup_(mem_freep) char *meta = space_meta(c->name);
	sqlite3_stmt *s = NULL;
	int r = get_meta(ix, meta, &s, err);
	bool is_same = r > 0 && (uint64_t)sqlite3_column_int64(s, 0) == c->space;

	(void)sqlite3_reset(s);
	if (r < 0 || is_same)
		return r < 0 ? r : 0;
	return err_set(err, ERR_CORRUPTED, "the documents of \"%s\" were numbered anew", c->name);
}

static int note_space(struct search_index *ix, const struct search_index_collection *c,
		      struct err *err)
{
	_cleanup_(mem_freep) char *meta = space_meta(c->name);

	return search_state_run(&ix->state, SEARCH_S_SET, err, "ti", meta, (int64_t)c->space);
}

/* Throws the vectors away; the documents are scanned again. */
static int repair(struct search_index *ix, struct search_index_collection *c, struct err *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(ix, c->name);
	int r;

	c->reader = vector_reader_free(c->reader);
	c->own = vector_reader_free(c->own);
	(void)(vector_close(c->vectors, NULL) < 0);
	c->vectors = NULL;
	r = dir_remove(folder, err);
	if (r == 0)
		r = search_state_begin(&ix->state, err);
	if (r < 0)
		return r;
	r = search_state_run(&ix->state, SEARCH_S_DOCUMENTS_DROP, err, "i", c->row);
	if (r == 0)
		r = note_space(ix, c, err);
	start_scan(c, false);
	if (r == 0)
		r = save(ix, c, err);
	r = search_state_end(&ix->state, r, err);
	return r < 0 ? r : open_vectors(ix, c, err);
}

static int open_collection(struct search_index *ix, struct search_index_collection *c,
			   struct err *ret_repaired, struct err *err)
{
	struct err why = {0};
	bool is_known = false;
	int r = load_row(ix, c, &is_known, err);

	if (r == 0 && !is_known)
		r = make_row(ix, c, err);
	if (r == 0 && !is_known)
		r = note_space(ix, c, err);
	if (r < 0)
		return r;
	r = open_vectors(ix, c, &why);
	if (r == 0)
		r = check_space(ix, c, &why);
	if (r == 0)
		r = check_numbers(ix, c, &why);
	if (r == -ERR_CORRUPTED || r == -ERR_INVALID_ARGUMENT) { /* damaged, or not as we make it */
		r = repair(ix, c, err);
		if (ret_repaired)
			*ret_repaired = why;
	} else if (r < 0 && err) {
		*err = why;
	}
	return r;
}

size_t search_index_find(const struct search_index *ix, const char *name)
{
	size_t i = 0;

	while (i < ix->n && !cstr_equal(ix->collections[i].name, name))
		i++;
	return i;
}

/* Nobody finds it from now on. Its place stays: it has the number again when it comes back. */
static void shut(struct search_index *ix, const char *name)
{
	size_t i = search_index_find(ix, name);
	struct search_index_collection c;

	if (i == ix->n || !ix->collections[i].vectors)
		return;
	pthread_mutex_lock(&ix->reader);
	pthread_mutex_lock(&ix->writer);
	c = ix->collections[i];
	ix->collections[i] = (struct search_index_collection){.name = c.name};
	pthread_mutex_unlock(&ix->writer);
	pthread_mutex_unlock(&ix->reader);
	close_collection(&c); /* queries need not wait for its last checkpoint */
}

uint64_t search_index_space(const struct search_index *ix, size_t collection)
{
	return ix->collections[collection].space;
}

int search_index_collection(struct search_index *ix, const char *name,
			    const struct search_numbering *numbering, size_t *ret,
			    struct err *ret_repaired, struct err *err)
{
	size_t i = search_index_find(ix, name);
	struct search_index_collection c = {.space = numbering->space,
					    .known = numbering->known,
					    .cursor = STRBUF_INIT(KEY_BYTES),
					    .holds_deleted =
						true}; /* of a process that was killed */
	int r;

	*ret = i;
	if (i < ix->n && ix->collections[i].space != numbering->space)
		shut(ix, name);
	if (i < ix->n && ix->collections[i].vectors)
		return 0;
	if (i == SEARCH_COLLECTIONS_MAX)
		return err_set(err, ERR_LIMIT, "there are more than %d collections to index",
			       SEARCH_COLLECTIONS_MAX);
	if (!name[0] || name[0] == '.' || strchr(name, '/') ||
	    str_starts(str_from(name), "state.db"))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%s\" cannot be the name of an indexed collection", name);
	pthread_mutex_lock(&ix->writer);
	c.name = arena_strdup(&ix->arena, name);
	r = open_collection(ix, &c, ret_repaired, err);
	pthread_mutex_unlock(&ix->writer);
	if (r < 0) {
		close_collection(&c);
		return r;
	}
	pthread_mutex_lock(&ix->reader);
	pthread_mutex_lock(&ix->writer);
	ix->collections[i] = c;
	ix->n += i == ix->n;
	pthread_mutex_unlock(&ix->writer);
	pthread_mutex_unlock(&ix->reader);
	return 0;
}

static int drop_rows(struct search_index *ix, int64_t row, struct err *err)
{
	int r = search_state_begin(&ix->state, err);

	if (r < 0)
		return r;
	r = search_state_run(&ix->state, SEARCH_S_DOCUMENTS_DROP, err, "i", row);
	if (r == 0)
		r = search_state_run(&ix->state, SEARCH_S_ASIDES_DROP, err, "i", row);
	if (r == 0)
		r = search_state_run(&ix->state, SEARCH_S_COLLECTION_DROP, err, "i", row);
	return search_state_end(&ix->state, r, err);
}

static bool is_kept(const char *const *keep, const char *name)
{
	while (*keep && !cstr_equal(*keep, name))
		keep++;
	return *keep != NULL;
}

struct stored { /* a collection in the state */
	int64_t row;
	const char *name;
};

/* The row goes last: without it nobody would look for the rest any more. */
static int drop_collection(struct search_index *ix, const struct stored *c,
			   const struct search_dropping *dropping, struct err *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(ix, c->name);
	int r;

	shut(ix, c->name);
	r = dropping ? dropping->run(dropping->arg, c->name, err) : 0;
	if (r == 0)
		r = dir_remove(folder, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&ix->writer);
	r = drop_rows(ix, c->row, err);
	pthread_mutex_unlock(&ix->writer);
	return r;
}

static int list_stored(struct search_index *ix, struct stored *ret, size_t *ret_n,
		       struct arena *arena, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r;

	*ret_n = 0;
	pthread_mutex_lock(&ix->writer);
	r = search_state_prepare(&ix->state, SEARCH_S_COLLECTIONS, &s, err, "i",
				 (int64_t)SEARCH_COLLECTIONS_MAX);
	while (r >= 0 && (r = search_state_step(&ix->state, s, err)) > 0)
		ret[(*ret_n)++] =
		    (struct stored){sqlite3_column_int64(s, 0),
				    arena_strdup(arena, (const char *)sqlite3_column_text(s, 1))};
	pthread_mutex_unlock(&ix->writer);
	return r;
}

int search_index_keep(struct search_index *ix, const char *const *keep,
		      const struct search_dropping *dropping, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct stored list[SEARCH_COLLECTIONS_MAX];
	size_t n = 0;
	int r = list_stored(ix, list, &n, &arena, err);

	for (size_t i = 0; i < n && r == 0; i++) {
		if (!is_kept(keep, list[i].name))
			r = drop_collection(ix, &list[i], dropping, err);
	}
	return r;
}

int search_index_compact(struct search_index *ix, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&ix->writer);
	for (size_t i = 0; i < ix->n; i++) {
		struct search_index_collection *c = &ix->collections[i];
		struct err why = {0};

		if (!c->vectors || !c->holds_deleted)
			continue;
		ix->log_holds_deleted = true;
		c->holds_deleted = vector_compact(c->vectors, &why) < 0;
		if (!c->holds_deleted || r < 0)
			continue;
		*err = why;
		r = -(int)why.code;
	}
	if (r == 0 && ix->log_holds_deleted) {
		r = search_state_truncate_log(&ix->state, err);
		ix->log_holds_deleted = r != 0;
	}
	pthread_mutex_unlock(&ix->writer);
	return r < 0 ? r : 0;
}

/* --- scans ----------------------------------------------------------------------------------- */

void search_index_scan(struct search_index *ix, size_t collection, struct search_scan *ret)
{
	const struct search_index_collection *c = &ix->collections[collection];

	pthread_mutex_lock(&ix->writer);
	*ret = (struct search_scan){.phase = c->phase,
				    .is_forced = c->is_forced,
				    .cursor = strbuf_slice(&c->cursor),
				    .done = c->done};
	pthread_mutex_unlock(&ix->writer);
}

/* What is left out is noted again by the scan, if it is still there. */
static int forget_left_out(struct search_index *ix, int64_t row, struct err *err)
{
	return search_state_run(&ix->state, SEARCH_S_LEFT_OUT_DROP, err, "i", row);
}

static int begin_all(struct search_index *ix, struct err *err)
{
	int r = search_state_run(&ix->state, SEARCH_S_COLLECTIONS_SCAN, err, "");

	if (r == 0)
		r = forget_left_out(ix, 0, err);
	for (size_t i = 0; i < ix->n && r == 0; i++) {
		struct search_index_collection *c = &ix->collections[i];

		if (c->vectors)
			start_scan(c, c->is_forced);
	}
	return r;
}

static int begin_one(struct search_index *ix, struct search_index_collection *c, struct err *err)
{
	int r;

	start_scan(c, true);
	r = save(ix, c, err);
	return r < 0 ? r : forget_left_out(ix, c->row, err);
}

/* One transaction around what `collection` (NULL: all) needs. */
static int begin_scan(struct search_index *ix, struct search_index_collection *c, struct err *err)
{
	int r;

	pthread_mutex_lock(&ix->writer);
	r = search_state_begin(&ix->state, err);
	if (r == 0) {
		r = c ? begin_one(ix, c, err) : begin_all(ix, err);
		r = search_state_end(&ix->state, r, err);
	}
	pthread_mutex_unlock(&ix->writer);
	return r;
}

int search_index_scan_all(struct search_index *ix, struct err *err)
{
	return begin_scan(ix, NULL, err);
}

int search_index_rebuild(struct search_index *ix, size_t collection, struct err *err)
{
	return begin_scan(ix, &ix->collections[collection], err);
}

int search_index_scan_advance(struct search_index *ix, size_t collection, struct str key, size_t n,
			      struct err *err)
{
	struct search_index_collection *c = &ix->collections[collection];
	int r;

	pthread_mutex_lock(&ix->writer);
	strbuf_clear(&c->cursor);
	strbuf_add(&c->cursor, key.data, key.len);
	c->done += (int64_t)n;
	if (!key.len)
		c->phase = SEARCH_PHASE_SWEEP;
	r = save(ix, c, err);
	pthread_mutex_unlock(&ix->writer);
	return r;
}

int search_index_unseen(struct search_index *ix, size_t collection, struct search_keys *ret,
			struct err *err)
{
	const struct search_index_collection *c = &ix->collections[collection];
	sqlite3_stmt *s = NULL;
	int r;

	ret->n = 0;
	pthread_mutex_lock(&ix->writer);
	r = search_state_prepare(&ix->state, SEARCH_S_UNSEEN, &s, err, "iii", c->row, c->scan,
				 (int64_t)ret->limit);
	if (r == 0)
		r = search_index_take_keys(ix, s, ret, err);
	pthread_mutex_unlock(&ix->writer);
	return r;
}

int search_index_scan_end(struct search_index *ix, size_t collection, struct err *err)
{
	struct search_index_collection *c = &ix->collections[collection];
	int r;

	pthread_mutex_lock(&ix->writer);
	c->phase = SEARCH_PHASE_LIVE;
	c->is_forced = false;
	strbuf_clear(&c->cursor);
	r = save(ix, c, err);
	pthread_mutex_unlock(&ix->writer);
	return r;
}

/* --- reading --------------------------------------------------------------------------------- */

/* The key and title of a number: 1, or 0 when its document has just gone. */
static int look_up(struct search_index *ix, const struct search_index_collection *c, uint32_t id,
		   struct arena *arena, struct search_hit *ret, struct err *err)
{
	sqlite3_stmt *s = ix->read_key;
	const char *title;
	int step, r = 0;

	(void)sqlite3_bind_int64(s, 1, c->row);
	(void)sqlite3_bind_int64(s, 2, (int64_t)id);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		struct str key = search_state_blob(s, 0);

		title = (const char *)sqlite3_column_text(s, 1);
		ret->key = arena_str(arena, key);
		ret->title = arena_strdup(arena, title ? title : "");
		r = 1;
	} else if (step != SQLITE_DONE) {
		r = search_state_error(ix->read_db, ix->state.dir, err);
	}
	(void)sqlite3_reset(s);
	return r;
}

/* Fewer than `k` only where a document goes at this moment. */
static int look_up_all(struct search_index *ix, const struct search_index_collection *c,
		       const struct search_question *question, struct arena *arena,
		       struct search_hit *ret, size_t *ret_n, struct err *err)
{
	struct vector_hit *hits = arena_alloc(arena, (question->k + 1) * sizeof(*hits));
	struct vector_query q = {.vector = question->vector, .k = question->k};
	size_t n = 0;
	int r = vector_search(c->reader, &q, hits, &n, NULL, err);

	*ret_n = 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		ret[*ret_n].score = hits[i].score;
		r = look_up(ix, c, hits[i].id, arena, &ret[*ret_n], err);
		*ret_n += r > 0;
	}
	return r < 0 ? r : 0;
}

int search_index_query(struct search_index *ix, const struct search_question *q,
		       struct arena *arena, struct search_hit *ret, size_t *ret_n, struct err *err)
{
	size_t i;
	int r;

	pthread_mutex_lock(&ix->reader);
	i = search_index_find(ix, q->collection);
	if (i == ix->n || !ix->collections[i].vectors)
		r = err_set(err, ERR_NOT_FOUND, "the collection \"%s\" is not indexed",
			    q->collection);
	else
		r = look_up_all(ix, &ix->collections[i], q, arena, ret, ret_n, err);
	pthread_mutex_unlock(&ix->reader);
	return r;
}

/* The collection's vectors, with `reader` held; NULL: it has none, and nothing is held. */
static struct search_index_collection *enter(struct search_index *ix, const char *collection)
{
	size_t i;

	pthread_mutex_lock(&ix->reader);
	i = search_index_find(ix, collection);
	if (i < ix->n && ix->collections[i].vectors)
		return &ix->collections[i];
	pthread_mutex_unlock(&ix->reader);
	return NULL;
}

static int no_vectors(const char *collection, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "the collection \"%s\" has no vectors", collection);
}

bool search_index_has(struct search_index *ix, const char *collection, uint64_t space)
{
	struct search_index_collection *c = enter(ix, collection);
	bool has;

	if (!c)
		return false;
	has = c->space == space;
	pthread_mutex_unlock(&ix->reader);
	return has;
}

int search_index_nearest(struct search_index *ix, const struct search_nearest *q,
			 struct vector_hit *ret, size_t *ret_n, struct err *err)
{
	struct vector_query query = {.vector = q->vector, .k = q->k, .filter = q->filter};
	struct search_index_collection *c = enter(ix, q->collection);
	int r;

	if (!c)
		return no_vectors(q->collection, err);
	r = vector_search(c->reader, &query, ret, ret_n, NULL, err);
	pthread_mutex_unlock(&ix->reader);
	return r;
}

int search_index_vector(struct search_index *ix, const char *collection, uint32_t number,
			float *ret, struct err *err)
{
	struct search_index_collection *c = enter(ix, collection);
	int r;

	if (!c)
		return no_vectors(collection, err);
	r = vector_get(c->reader, number, ret, err);
	pthread_mutex_unlock(&ix->reader);
	return r;
}

int search_index_cosines(struct search_index *ix, const char *collection, const float *vector,
			 const uint32_t *numbers, size_t n, float *ret, struct err *err)
{
	unsigned dimension = ix->options.dimension;
	_cleanup_(mem_freep) float *other = mem_alloc_array(dimension, sizeof(*other));
	struct search_index_collection *c = enter(ix, collection);

	if (!c)
		return no_vectors(collection, err);
	for (size_t i = 0; i < n; i++) {
		float sum = 0;

		if (vector_get(c->reader, numbers[i], other, NULL) == 0) {
			for (unsigned k = 0; k < dimension; k++)
				sum += vector[k] * other[k];
		}
		ret[i] = sum;
	}
	pthread_mutex_unlock(&ix->reader);
	return 0;
}

static int count_asides(struct search_index *ix, const struct search_index_collection *c,
			struct search_figures *ret, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r = search_state_prepare(&ix->state, SEARCH_S_ASIDE_COUNT, &s, err, "i", c->row);

	while (r >= 0 && (r = search_state_step(&ix->state, s, err)) > 0) {
		const char *kind = (const char *)sqlite3_column_text(s, 0);
		int64_t *counter = cstr_equal(kind, "pii")     ? &ret->pii
				   : cstr_equal(kind, "empty") ? &ret->empty
							       : &ret->errors;

		*counter += sqlite3_column_int64(s, 1);
	}
	return r;
}

int search_index_figures(struct search_index *ix, size_t collection, struct search_figures *ret,
			 struct err *err)
{
	const struct search_index_collection *c = &ix->collections[collection];
	struct vector_stats stats;
	int r;

	*ret = (struct search_figures){0};
	pthread_mutex_lock(&ix->writer);
	vector_stats(c->vectors, &stats);
	ret->vectors = stats.vectors;
	ret->memory_bytes = stats.memory_bytes;
	ret->mapped_bytes = stats.mapped_bytes;
	ret->log_bytes = stats.log_bytes;
	if (stats.checkpoint_error)
		(void)snprintf(ret->checkpoint_error, sizeof(ret->checkpoint_error), "%s",
			       stats.checkpoint_error);
	ret->phase = c->phase;
	ret->done = c->done;
	r = count_asides(ix, c, ret, err);
	pthread_mutex_unlock(&ix->writer);
	return r;
}
