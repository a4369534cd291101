/*
 * Reading the hand-off: see sync_reader.h.
 *
 * Versions are read first, by a statement of their own, then the documents in a snapshot that is
 * opened behind it: what the snapshot shows is at least as new as the versions. The snapshot is
 * closed before the consumer gets the documents, because it may take its time.
 *
 * A page always begins at the smallest key: rows go when they are done, and one that came back is
 * as good as a new one.
 *
 * What was taken is acknowledged when nothing new is found behind it: where somebody always writes,
 * the next change does not wait for the commit of the one before.
 */
#include "sync/sync_reader.h"

#include "store/schema.h"
#include "sync/sync_admin.h"
#include "sync/sync_int.h"

#include "base/banned.h"

#define READ_BYTES_MAX ((size_t)64 << 20)
#define DONE_ATTEMPTS  10
#define PAGES_BEHIND   16      /* one that is not taken; so long a step may be at most */
#define SEEN_US	       5000000 /* how often a consumer says that it is alive */
#define TAKEN_MAX      64      /* documents, before they are acknowledged */
#define LOOKS_MAX      8       /* as many times as long */
#define FORETOLD_MAX   64      /* documents; others come with their rows */
#define KNOWN_MAX      256     /* whose rows are known when they come */

struct taken { /* and not acknowledged yet */
	const char *collection;
	struct str key;
	uint64_t version;
};

struct foretold {
	struct arena arena;
	struct taken items[FORETOLD_MAX];
	size_t n;
};

struct sync_reader {
	struct sync_reader_options options;
	struct maria *db;
	struct mapping_set mappings;
	struct mapping_batch batch;
	struct arena arena; /* of a step */
	struct taken *taken;
	size_t n_taken, cap_taken;
	struct known {
		char *collection, *key;
		size_t len;
		uint64_t version;
	} known[KNOWN_MAX]; /* foretold, and taken; the oldest goes first */
	size_t n_known;	    /* ever */
	uint64_t registry;  /* of the mappings that are loaded; 0: none */
	int64_t next_seen_us;

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t woken;
	bool is_woken;
	struct foretold foretold;
};

struct sync_reader *sync_reader_new(const struct sync_reader_options *options)
{
	struct sync_reader *r = MEM_NEW(struct sync_reader);

	r->options = *options;
	pthread_mutex_init(&r->mutex, NULL);
	clock_cond_init(&r->woken);
	return r;
}

struct sync_reader *sync_reader_free(struct sync_reader *r)
{
	if (!r)
		return NULL;
	maria_close(r->db);
	mapping_set_done(&r->mappings);
	mapping_batch_done(&r->batch);
	mem_free(r->taken);
	arena_done(&r->arena);
	arena_done(&r->foretold.arena);
	for (size_t i = 0; i < KNOWN_MAX; i++) {
		mem_free(r->known[i].collection);
		mem_free(r->known[i].key);
	}
	pthread_cond_destroy(&r->woken);
	pthread_mutex_destroy(&r->mutex);
	mem_free(r);
	return NULL;
}

bool sync_reader_is_lost(const struct sync_reader *r)
{
	return !r->db || maria_is_lost(r->db);
}

const struct mapping_set *sync_reader_mappings(const struct sync_reader *r)
{
	return &r->mappings;
}

struct maria *sync_reader_maria(struct sync_reader *r)
{
	return r->db;
}

/* --- connecting ------------------------------------------------------------------------------ */

static int connect_db(struct sync_reader *r, struct err *err)
{
	int e;

	if (!sync_reader_is_lost(r))
		return 0;
	r->db = maria_close(r->db);
	r->next_seen_us = 0;
	e = maria_open(r->options.maria, &r->db, err);
	return e < 0 ? e : sync_session_init(r->db, err);
}

/* A hash over what is installed; 0: nothing is. */
static int read_registry(struct sync_reader *r, uint64_t *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	uint64_t hash = 0;
	int e = maria_query(r->db, sync_sql_collection_states, NULL, 0, &rows, err);

	while (e >= 0 && (e = maria_rows_next(rows, err)) > 0)
		hash = (hash + 1) * 31 + map_hash(maria_rows_str(rows, 0)) * 7 +
		       map_hash(maria_rows_str(rows, 1));
	*ret = hash;
	return e;
}

/* Of another installation, and of other mappings. */
static void forget_known(struct sync_reader *r)
{
	r->n_known = 0;
}

static int load_mappings(struct sync_reader *r, bool *ret_changed, struct err *err)
{
	_cleanup_(schema_freep) struct schema *schema = NULL;
	struct mapping_set fresh = {0};
	uint64_t registry = 0;
	int e = read_registry(r, &registry, err);

	if (e == 0 && !registry)
		e = err_set(err, ERR_UNAVAILABLE, "the sync is not installed yet");
	if (e < 0 || (r->registry == registry && r->mappings.len))
		return e;
	e = schema_load(r->db, r->options.maria->database, &schema, err);
	if (e == 0)
		e = mapping_set_load(r->options.mapping_dir, schema, &fresh, err);
	if (e < 0)
		return e;
	mapping_set_done(&r->mappings);
	r->mappings = fresh;
	r->registry = registry;
	forget_known(r);
	*ret_changed = true;
	return 0;
}

/* One that is known is never added: dropped at this moment, it would not learn what it missed. */
static int register_consumer(struct sync_reader *r, struct err *err)
{
	struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(r->options.kind)};
	struct maria_value seen[] = {params[1], params[0]};
	int64_t is_known = 0;
	int e = maria_query_int(r->db, sync_sql_consumer_exists, params, 1, &is_known, err);

	if (!is_known) /* versions may begin anew with the tables */
		forget_known(r);
	if (e == 0 && !is_known && r->options.begin)
		e = r->options.begin(r->options.arg, err);
	if (e == 0)
		e = is_known ? maria_run(r->db, sync_sql_consumer_seen, seen, 2, NULL, err)
			     : maria_run(r->db, sync_sql_consumer_add, params, 2, NULL, err);
	return e < 0 ? err_context(err, "registering as a consumer") : 0;
}

int sync_reader_connect(struct sync_reader *r, bool *ret_changed, struct err *err)
{
	int e = connect_db(r, err);

	*ret_changed = false;
	if (e < 0 || clock_monotonic_us() < r->next_seen_us)
		return e;
	e = load_mappings(r, ret_changed, err);
	if (e == 0)
		e = register_consumer(r, err);
	if (e == 0)
		r->next_seen_us = clock_monotonic_us() + SEEN_US;
	return e;
}

/* --- documents ------------------------------------------------------------------------------- */

static int read_snapshot(struct sync_reader *r, const struct mapping *m, const struct str *keys,
			 size_t n, struct err *err)
{
	int e = maria_snapshot_begin(r->db, err);

	if (e == 0)
		e = mapping_read(m, r->db, keys, n, READ_BYTES_MAX, &r->batch, err);
	if (!maria_is_lost(r->db))
		sync_rollback(r->db);
	return e;
}

/* A row that is too large to be read alone comes as one that makes no document. */
static int take_unreadable(struct sync_reader *r, const struct mapping *m, struct str key,
			   struct err *err)
{
	struct err why = *err;
	struct mapping_document d = {.key = key, .state = MAPPING_REFUSED, .error = &why};

	err_clear(err);
	return r->options.take(r->options.arg, m, &d, 1, err);
}

int sync_reader_read(struct sync_reader *r, const struct mapping *m, const struct str *keys,
		     size_t n, struct err *err)
{
	int e;

	if (!n)
		return 0;
	mapping_batch_clear(&r->batch);
	e = read_snapshot(r, m, keys, n, err);
	if (e == -ERR_LIMIT && !maria_is_lost(r->db)) {
		if (n == 1)
			return take_unreadable(r, m, keys[0], err);
		err_clear(err);
		e = sync_reader_read(r, m, keys, n / 2, err);
		return e < 0 ? e : sync_reader_read(r, m, keys + n / 2, n - n / 2, err);
	}
	if (e < 0)
		return err_context(err, "reading %s", mapping_collection(m));
	return r->options.take(r->options.arg, m, r->batch.items, r->batch.len, err);
}

int sync_reader_page(struct sync_reader *r, const struct mapping *m, struct str after, size_t limit,
		     struct arena *arena, struct mapping_keys *ret, struct err *err)
{
	return mapping_page(m, r->db, after, limit, arena, ret, err);
}

/* --- the hand-off ---------------------------------------------------------------------------- */

struct page {
	struct str *keys;
	uint64_t *versions;
	size_t n;
	size_t known; /* rows of documents that need not be read, which are taken */
};

static bool is_taken(const struct sync_reader *r, const char *collection, struct str key,
		     uint64_t version)
{
	for (size_t i = 0; i < r->n_taken; i++) {
		const struct taken *t = &r->taken[i];

		if (t->version == version && str_equal(t->key, key) &&
		    cstr_equal(t->collection, collection))
			return true;
	}
	return false;
}

static void remember(struct sync_reader *r, const struct taken *t)
{
	struct known *f = &r->known[r->n_known++ % KNOWN_MAX];

	mem_free(f->collection);
	mem_free(f->key);
	*f = (struct known){mem_strdup(t->collection), mem_dup(t->key.data, t->key.len), t->key.len,
			    t->version};
}

static bool remembers(const struct sync_reader *r, const char *collection, struct str key,
		      uint64_t version)
{
	for (size_t i = 0; i < KNOWN_MAX && i < r->n_known; i++) {
		const struct known *f = &r->known[i];

		if (f->version == version && str_equal((struct str){f->key, f->len}, key) &&
		    cstr_equal(f->collection, collection))
			return true;
	}
	return false;
}

static void add_taken(struct sync_reader *r, struct taken t)
{
	mem_grow(&r->taken, &r->cap_taken, r->n_taken + 1, sizeof(*r->taken));
	r->taken[r->n_taken++] = t;
}

/* Without those that are taken already. */
static int read_page(struct sync_reader *r, const char *collection, struct str lowest,
		     struct page *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(collection),
				       MARIA_B(lowest), MARIA_U(r->options.page)};
	int e = maria_query(r->db, sync_sql_handoff_page, params, ARRAY_LEN(params), &rows, err);

	*ret = (struct page){
	    .keys = arena_alloc(&r->arena, (r->options.page + 1) * sizeof(*ret->keys)),
	    .versions = arena_alloc(&r->arena, (r->options.page + 1) * sizeof(*ret->versions))};
	while (e >= 0 && ret->n < r->options.page && (e = maria_rows_next(rows, err)) > 0) {
		struct taken t = {collection, maria_rows_str(rows, 0), maria_rows_uint(rows, 1)};

		if (is_taken(r, collection, t.key, t.version))
			continue;
		t.key = arena_str(&r->arena, t.key);
		if (remembers(r, collection, t.key, t.version)) {
			add_taken(r, t);
			ret->known++;
			continue;
		}
		ret->keys[ret->n] = t.key;
		ret->versions[ret->n++] = t.version;
	}
	return e < 0 ? e : 0;
}

static int by_key(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	int c = strcmp(x->collection, y->collection);

	return c ? c : str_compare(x->key, y->key);
}

static int done_once(struct sync_reader *r, struct err *err)
{
	int e = maria_exec(r->db, "START TRANSACTION", err);

	for (size_t i = 0; i < r->n_taken && e == 0; i++) {
		const struct taken *t = &r->taken[i];
		struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(t->collection),
					       MARIA_B(t->key), MARIA_U(t->version)};

		e = maria_run(r->db, sync_sql_handoff_done, params, ARRAY_LEN(params), NULL, err);
	}
	return sync_end(r->db, e, err);
}

/* In the order in which others lock these rows. */
static int done(struct sync_reader *r, struct err *err)
{
	int e = 0;

	if (r->n_taken)
		qsort(r->taken, r->n_taken, sizeof(*r->taken), by_key);
	for (int attempt = 0; r->n_taken && attempt < DONE_ATTEMPTS; attempt++) {
		err_clear(err);
		e = done_once(r, err);
		if (e != -ERR_RETRY && e != -ERR_TIMEOUT)
			break;
	}
	r->n_taken = 0;
	return e < 0 ? err_context(err, "acknowledging the hand-off") : 0;
}

static bool wants(const struct sync_reader *r, const char *collection)
{
	return !r->options.wants || r->options.wants(r->options.arg, collection);
}

/* Nobody wants it, or no mapping makes it any more. */
static int drop(struct sync_reader *r, const char *collection, struct err *err)
{
	return maria_run(r->db, sync_sql_handoff_drop_collection,
			 (struct maria_value[]){MARIA_S(r->options.consumer), MARIA_S(collection)},
			 2, NULL, err);
}

/* The lowest key behind the page. */
static struct str behind(struct sync_reader *r, const struct page *p)
{
	struct str last = p->keys[p->n - 1];
	char *key = arena_alloc(&r->arena, last.len + 1);

	memcpy(key, last.data, last.len);
	key[last.len] = 0;
	return (struct str){key, last.len + 1};
}

static int take_page(struct sync_reader *r, const struct mapping *m, const struct page *p,
		     struct err *err)
{
	int e = sync_reader_read(r, m, p->keys, p->n, err);

	for (size_t i = 0; i < p->n && e == 0; i++)
		add_taken(r, (struct taken){mapping_collection(m), p->keys[i], p->versions[i]});
	return e;
}

/* Some of what waits behind a page that is not taken may be: a consumer that cannot take new
 * documents may still remove those that are gone. */
static void take_behind(struct sync_reader *r, const struct mapping *m, struct page page,
			size_t *ret_n)
{
	for (int i = 0; i < PAGES_BEHIND && page.n == r->options.page; i++) {
		struct str lowest = behind(r, &page);
		struct err unused = {0};

		if (maria_is_lost(r->db) ||
		    read_page(r, mapping_collection(m), lowest, &page, &unused) < 0)
			return;
		if (page.n && take_page(r, m, &page, &unused) == 0)
			*ret_n += page.n;
	}
}

static int step_collection(struct sync_reader *r, const char *collection, size_t *ret_n,
			   struct err *err)
{
	const struct mapping *m = mapping_set_find(&r->mappings, collection);
	struct page page;
	int e;

	if (!m || !wants(r, collection))
		return drop(r, collection, err);
	e = read_page(r, collection, (struct str){"", 0}, &page, err);
	if (e < 0)
		return e;
	*ret_n += page.known;
	e = take_page(r, m, &page, err);
	if (e == 0)
		*ret_n += page.n;
	else
		take_behind(r, m, page, ret_n);
	return e;
}

/* 1: the next collection of which something waits, in the arena; 0: there is none. */
static int next_collection(struct sync_reader *r, const char **name, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(*name)};
	int e = maria_query(r->db, sync_sql_handoff_next, params, ARRAY_LEN(params), &rows, err);

	if (e == 0)
		e = maria_rows_next(rows, err);
	if (e > 0)
		*name = arena_strdup(&r->arena, maria_rows_str(rows, 0).data);
	return e;
}

/* One page of each collection. */
static int look(struct sync_reader *r, size_t *ret_n, struct err *err)
{
	struct err first = {0};
	const char *name = "";
	int e;

	while ((e = next_collection(r, &name, err)) > 0) {
		struct err why = {0};

		if (step_collection(r, name, ret_n, &why) < 0 && !first.code)
			first = why;
		if (maria_is_lost(r->db))
			break;
	}
	if (e < 0 || !first.code)
		return e < 0 ? e : 0;
	if (err)
		*err = first;
	return -(int)first.code;
}

static struct foretold take_foretold(struct sync_reader *r)
{
	struct foretold f;

	pthread_mutex_lock(&r->mutex);
	f = r->foretold;
	r->foretold = (struct foretold){0};
	pthread_mutex_unlock(&r->mutex);
	return f;
}

/* What fails here is told of when the rows come. */
static void read_foretold(struct sync_reader *r)
{
	struct foretold f = take_foretold(r);
	struct str keys[FORETOLD_MAX];

	for (size_t i = 0, n; i < f.n && !maria_is_lost(r->db); i += n) {
		const char *collection = f.items[i].collection;
		const struct mapping *m = mapping_set_find(&r->mappings, collection);
		struct err unused = {0};

		for (n = 0; i + n < f.n && cstr_equal(f.items[i + n].collection, collection); n++)
			keys[n] = f.items[i + n].key;
		if (!m || !wants(r, collection) || sync_reader_read(r, m, keys, n, &unused) < 0)
			continue;
		for (size_t k = 0; k < n; k++)
			remember(r, &f.items[i + k]);
	}
	arena_done(&f.arena);
}

int sync_reader_step(struct sync_reader *r, size_t *ret_n, struct err *err)
{
	struct err why = {0};
	size_t n = 1;
	int e = 0, acknowledged;

	*ret_n = 0;
	arena_clear(&r->arena);
	read_foretold(r);
	for (int i = 0; i < LOOKS_MAX && n && e == 0 && r->n_taken < TAKEN_MAX; i++) {
		n = 0;
		e = look(r, &n, err);
		*ret_n += n;
	}
	acknowledged = maria_is_lost(r->db) ? 0 : done(r, &why);
	r->n_taken = 0; /* what is not acknowledged comes again */
	if (e < 0 || acknowledged == 0)
		return e;
	if (err)
		*err = why;
	return acknowledged;
}

int sync_reader_waiting(struct sync_reader *r, const char *collection, int64_t *ret,
			struct err *err)
{
	return maria_query_int(
	    r->db, sync_sql_handoff_count,
	    (struct maria_value[]){MARIA_S(r->options.consumer), MARIA_S(collection)}, 2, ret, err);
}

/* --- waking ---------------------------------------------------------------------------------- */

void sync_reader_wait(struct sync_reader *r, int64_t ms)
{
	int64_t until = clock_monotonic_us() + ms * 1000;

	pthread_mutex_lock(&r->mutex);
	while (!r->is_woken) {
		if (!clock_cond_wait(&r->woken, &r->mutex, until))
			break;
	}
	r->is_woken = false;
	pthread_mutex_unlock(&r->mutex);
}

/* Mutex held. */
static void wake(struct sync_reader *r)
{
	if (!r->is_woken)
		pthread_cond_signal(&r->woken);
	r->is_woken = true;
}

void sync_reader_wake(struct sync_reader *r)
{
	pthread_mutex_lock(&r->mutex);
	wake(r);
	pthread_mutex_unlock(&r->mutex);
}

void sync_reader_foretell(struct sync_reader *r, const char *collection, const struct str *keys,
			  size_t n, uint64_t version)
{
	struct foretold *f = &r->foretold;

	pthread_mutex_lock(&r->mutex);
	for (size_t i = 0; i < n && f->n < FORETOLD_MAX; i++) {
		f->items[f->n++] = (struct taken){arena_strdup(&f->arena, collection),
						  arena_str(&f->arena, keys[i]), version};
	}
	wake(r);
	pthread_mutex_unlock(&r->mutex);
}

/* --- consumers that are gone ----------------------------------------------------------------- */

struct prune {
	const char *kind, *prefix;
	const char *const *keep;
	struct arena arena;
	const char **names;
	size_t n, cap;
};

static int note_stale(void *arg, const struct sync_consumer *c, struct err *err)
{
	struct prune *p = arg;

	(void)err;
	if (!cstr_equal(c->kind, p->kind) || !str_starts(str_from(c->consumer), p->prefix))
		return 0;
	for (size_t i = 0; p->keep[i]; i++) {
		if (cstr_equal(p->keep[i], c->consumer))
			return 0;
	}
	mem_grow(&p->names, &p->cap, p->n + 1, sizeof(*p->names));
	p->names[p->n++] = arena_strdup(&p->arena, c->consumer);
	return 0;
}

int sync_consumer_prune(struct maria *db, const char *kind, const char *prefix,
			const char *const *keep, struct err *err)
{
	struct prune p = {.kind = kind, .prefix = prefix, .keep = keep};
	int r = sync_consumer_each(db, note_stale, &p, err);

	for (size_t i = 0; i < p.n && r == 0; i++) {
		r = sync_consumer_drop(db, p.names[i], err);
		if (r == -ERR_NOT_FOUND) { /* somebody else did */
			err_clear(err);
			r = 0;
		}
	}
	mem_free(p.names);
	arena_done(&p.arena);
	return r;
}
