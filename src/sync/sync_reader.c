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
 *
 * Offers. The worker of a key offers its documents in the order of its snapshots, each before its
 * row is committed, and at versions that rise. From that follows:
 *
 * - A row at a version that is not above the last one that was taken of its document has nothing
 *   new: it is acknowledged unread.
 * - Offers are taken once more between reading the rows and reading documents, so an offer of the
 *   version of a row, or below, is never taken behind the document that we read for that row.
 * - One above it may be, though its snapshot is older than ours. What it lacks was committed behind
 *   that snapshot, has rows in the queue, and so comes with a later batch.
 * - Not so when another process carries those, because ours has lost the lease and a worker of it
 *   was slow to notice. So no offer is taken of a term that is below that of a row that was seen,
 *   or of the lease behind our registration: a later holder's row comes to whoever is registered.
 *
 * What is dropped, or fails to be taken, comes with its row.
 */
#include "sync/sync_reader.h"

#include "store/schema.h"
#include "sync/sync_admin.h"
#include "sync/sync_int.h"
#include "sync/sync_offer.h"

#include <inttypes.h>

#include "base/banned.h"

#define READ_BYTES_MAX ((size_t)64 << 20)
#define DONE_ATTEMPTS  10
#define PAGES_BEHIND   16      /* one that is not taken; so long a step may be at most */
#define SEEN_US	       5000000 /* how often a consumer says that it is alive */
#define TAKEN_MAX      64      /* documents, before they are acknowledged */
#define LOOKS_MAX      8       /* as many times as long */
#define LOOK_PAGES     2      /* rows that one statement reads; a page of one collection is taken */
#define LOOK_US	       100000 /* without a wake, while offers come */

struct row { /* of the hand-off, but for the consumer */
	const char *collection;
	struct str key;
	uint64_t version;
};

struct sync_reader {
	struct sync_reader_options options;
	struct maria *db;
	struct mapping_set mappings;
	struct mapping_batch batch;
	struct arena arena; /* of a step */
	struct row *taken;  /* and not acknowledged yet */
	size_t n_taken, cap_taken;
	struct sync_known known; /* offered, and taken */
	uint64_t least;		 /* version of an offer that is taken */
	uint64_t registry;	 /* of the mappings that are loaded; 0: none */
	int64_t next_seen_us, looked_us;
	bool is_behind; /* the last look found something: there may be more */

	pthread_mutex_t mutex; /* guards all below, and `mappings` against being replaced */
	pthread_cond_t woken;
	bool is_woken;
	bool has_news; /* woken, but not by offers, since the last look */
	bool *wanted;  /* of each mapping, when the last step began */
	struct sync_offers offers;
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
	sync_known_done(&r->known);
	sync_offers_done(&r->offers);
	mem_free(r->wanted);
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

/* What was offered, and taken, goes with the former ones. Nothing is known to be wanted until the
 * next step. */
static void replace_mappings(struct sync_reader *r, struct mapping_set *fresh)
{
	struct mapping_set former = r->mappings;

	pthread_mutex_lock(&r->mutex);
	sync_offers_done(&r->offers);
	r->mappings = *fresh;
	mem_free(r->wanted);
	r->wanted = mem_alloc_array(fresh->len + 1, sizeof(*r->wanted));
	pthread_mutex_unlock(&r->mutex);
	sync_known_done(&r->known);
	mapping_set_done(&former);
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
	replace_mappings(r, &fresh);
	r->registry = registry;
	*ret_changed = true;
	return 0;
}

/* Whoever holds the lease now may offer, and who took it later. */
static int read_term(struct sync_reader *r, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int e = maria_query(r->db, sync_sql_lease_read, NULL, 0, &rows, err);

	if (e == 0)
		e = maria_rows_next(rows, err);
	if (e >= 0)
		r->least = e ? maria_rows_uint(rows, 1) * SYNC_VERSIONS_A_TERM : 0;
	return e < 0 ? e : 0;
}

static void forget_offers(struct sync_reader *r)
{
	sync_known_done(&r->known);
	pthread_mutex_lock(&r->mutex);
	sync_offers_done(&r->offers);
	pthread_mutex_unlock(&r->mutex);
}

/* Offers of before are forgotten behind it: a batch that is offered from now on has its rows for
 * us. Versions may begin anew with the tables. */
static int register_anew(struct sync_reader *r, const struct maria_value *params, struct err *err)
{
	int e = r->options.begin ? r->options.begin(r->options.arg, err) : 0;

	if (e == 0)
		e = maria_run(r->db, sync_sql_consumer_add, params, 2, NULL, err);
	forget_offers(r);
	return e;
}

/* One that is known is never added: dropped at this moment, it would not learn what it missed. */
static int register_consumer(struct sync_reader *r, struct err *err)
{
	struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(r->options.kind)};
	struct maria_value seen[] = {params[1], params[0]};
	int64_t is_known = 0;
	int e = maria_query_int(r->db, sync_sql_consumer_exists, params, 1, &is_known, err);

	if (e == 0)
		e = is_known ? maria_run(r->db, sync_sql_consumer_seen, seen, 2, NULL, err)
			     : register_anew(r, params, err);
	if (e == 0)
		e = read_term(r, err);
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

static bool wants(const struct sync_reader *r, const char *collection)
{
	return !r->options.wants || r->options.wants(r->options.arg, collection);
}

/* --- offers ---------------------------------------------------------------------------------- */

/* The rules may have changed. */
static void note_wanted(struct sync_reader *r)
{
	bool *wanted = arena_alloc(&r->arena, r->mappings.len * sizeof(*wanted));

	for (size_t i = 0; i < r->mappings.len; i++)
		wanted[i] = wants(r, mapping_collection(r->mappings.items[i]));
	pthread_mutex_lock(&r->mutex);
	if (r->mappings.len)
		memcpy(r->wanted, wanted, r->mappings.len * sizeof(*wanted));
	pthread_mutex_unlock(&r->mutex);
}

static void take_offered(struct sync_reader *r, const struct sync_offer_page *p)
{
	const char *collection = mapping_collection(p->mapping);

	for (size_t i = 0, n; i < p->n; i += n) {
		struct err unused = {0};

		n = p->n - i < r->options.page ? p->n - i : r->options.page;
		if (r->options.take(r->options.arg, p->mapping, &p->documents[i], n, &unused) < 0)
			return;
		for (size_t k = i; k < i + n; k++)
			sync_known_note(&r->known, collection, p->documents[k].key, p->versions[k]);
	}
}

/* Returns whether there were any. What fails here is told of when the rows come. */
static bool take_offers(struct sync_reader *r)
{
	struct sync_offers offers;
	struct sync_offer_page page;
	bool had_some;

	pthread_mutex_lock(&r->mutex);
	offers = r->offers;
	r->offers = (struct sync_offers){0};
	pthread_mutex_unlock(&r->mutex);
	had_some = offers.n;
	while (sync_offers_next(&offers, r->least, &page)) {
		if (wants(r, mapping_collection(page.mapping)))
			take_offered(r, &page);
	}
	sync_offers_done(&offers);
	return had_some;
}

/* Mutex held. */
static void wake(struct sync_reader *r)
{
	if (!r->is_woken)
		pthread_cond_signal(&r->woken);
	r->is_woken = true;
}

/* Ours, made of the same file and schema, if it is wanted. Mutex held. */
static const struct mapping *find_wanted(const struct sync_reader *r, const struct mapping *m)
{
	for (size_t i = 0; i < r->mappings.len; i++) {
		const struct mapping *own = r->mappings.items[i];

		if (r->wanted[i] && cstr_equal(mapping_collection(own), mapping_collection(m)) &&
		    cstr_equal(mapping_hash(own), mapping_hash(m)))
			return own;
	}
	return NULL;
}

void sync_reader_offer(struct sync_reader *r, const struct mapping *m,
		       const struct mapping_document *documents, size_t n, uint64_t version)
{
	const struct mapping *own;

	pthread_mutex_lock(&r->mutex);
	own = find_wanted(r, m);
	for (size_t i = 0; i < n && own; i++)
		sync_offers_add(&r->offers, own, &documents[i], version);
	if (own)
		wake(r);
	pthread_mutex_unlock(&r->mutex);
}

/* --- the hand-off ---------------------------------------------------------------------------- */

struct rows {
	struct row *items;
	size_t n;
	bool is_full; /* there may be more */
};

struct page {
	struct str *keys;
	uint64_t *versions;
	size_t n;
	size_t known; /* rows of documents that need not be read, which are taken */
};

/* A version of a later term than the offers that were taken so far. */
static void note_term(struct sync_reader *r, uint64_t version)
{
	uint64_t first = version - version % SYNC_VERSIONS_A_TERM;

	if (first > r->least)
		r->least = first;
}

/* The last parameter is the limit; columns are key, version and, unless `collection` says it, the
 * collection. Behind it, what was offered up to the versions that were read has been taken. */
static int read_rows(struct sync_reader *r, const char *sql, const struct maria_value *params,
		     const char *collection, struct rows *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t limit = (collection ? 1 : LOOK_PAGES) * r->options.page;
	int e = maria_query(r->db, sql, params, collection ? 4 : 3, &rows, err);

	*ret = (struct rows){.items = arena_alloc(&r->arena, (limit + 1) * sizeof(*ret->items))};
	while (e >= 0 && ret->n < limit && (e = maria_rows_next(rows, err)) > 0) {
		struct row *row = &ret->items[ret->n++];

		row->key = arena_str(&r->arena, maria_rows_str(rows, 0));
		row->version = maria_rows_uint(rows, 1);
		row->collection =
		    collection ? collection : arena_strdup(&r->arena, maria_rows_str(rows, 2).data);
		note_term(r, row->version);
	}
	rows = maria_rows_close(rows);
	ret->is_full = ret->n == limit;
	if (ret->n)
		(void)take_offers(r);
	return e < 0 ? e : 0;
}

static bool is_taken(const struct sync_reader *r, const struct row *row)
{
	for (size_t i = 0; i < r->n_taken; i++) {
		const struct row *t = &r->taken[i];

		if (t->version == row->version && str_equal(t->key, row->key) &&
		    cstr_equal(t->collection, row->collection))
			return true;
	}
	return false;
}

static void add_taken(struct sync_reader *r, struct row row)
{
	mem_grow(&r->taken, &r->cap_taken, r->n_taken + 1, sizeof(*r->taken));
	r->taken[r->n_taken++] = row;
}

/* As it was at the row's version, or later. */
static bool is_known(struct sync_reader *r, const struct row *row)
{
	uint64_t version = sync_known_version(&r->known, row->collection, row->key);

	return version && version >= row->version;
}

/* A page of these rows that is to be read. */
static struct page choose(struct sync_reader *r, const struct row *rows, size_t n)
{
	size_t limit = r->options.page;
	struct page p = {.keys = arena_alloc(&r->arena, (limit + 1) * sizeof(*p.keys)),
			 .versions = arena_alloc(&r->arena, (limit + 1) * sizeof(*p.versions))};

	for (size_t i = 0; i < n && p.n < limit; i++) {
		const struct row *row = &rows[i];

		if (is_taken(r, row))
			continue;
		if (is_known(r, row)) {
			add_taken(r, *row);
			p.known++;
			continue;
		}
		p.keys[p.n] = row->key;
		p.versions[p.n++] = row->version;
	}
	return p;
}

static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = strcmp(x->collection, y->collection);

	return c ? c : str_compare(x->key, y->key);
}

static int done_one(struct sync_reader *r, struct err *err)
{
	const struct row *t = r->taken;
	struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(t->collection),
				       MARIA_B(t->key), MARIA_U(t->version)};

	return maria_run(r->db, sync_sql_handoff_done, params, ARRAY_LEN(params), NULL, err);
}

/* One statement, and so one commit. */
static int done_once(struct sync_reader *r, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT(0);
	struct maria_value params[2];

	if (r->n_taken == 1)
		return done_one(r, err);
	for (size_t i = 0; i < r->n_taken; i++) {
		const struct row *t = &r->taken[i];

		strbuf_addstr(&list, i ? ",[" : "[[");
		strbuf_add_json(&list, t->collection, strlen(t->collection));
		strbuf_addstr(&list, ",\"");
		for (size_t k = 0; k < t->key.len; k++)
			strbuf_addf(&list, "%02X", (unsigned char)t->key.data[k]);
		strbuf_addf(&list, "\",%" PRIu64 "]", t->version);
	}
	strbuf_addch(&list, ']');
	params[0] = MARIA_S(strbuf_str(&list));
	params[1] = MARIA_S(r->options.consumer);
	return maria_run(r->db, sync_sql_handoff_done_many, params, ARRAY_LEN(params), NULL, err);
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
		add_taken(r, (struct row){mapping_collection(m), p->keys[i], p->versions[i]});
	return e;
}

struct looked {	       /* what came of looks so far */
	size_t n;      /* rows that are done */
	bool has_read; /* documents, which takes time */
};

/* Some of what waits behind a page that is not taken may be: a consumer that cannot take new
 * documents may still remove those that are gone. */
static void take_behind(struct sync_reader *r, const struct mapping *m, struct page page,
			struct looked *l)
{
	for (int i = 0; i < PAGES_BEHIND && page.n == r->options.page; i++) {
		const char *collection = mapping_collection(m);
		struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(collection),
					       MARIA_B(behind(r, &page)), MARIA_U(r->options.page)};
		struct err unused = {0};
		struct rows rows;

		if (maria_is_lost(r->db) ||
		    read_rows(r, sync_sql_handoff_page, params, collection, &rows, &unused) < 0)
			return;
		page = choose(r, rows.items, rows.n);
		l->n += page.known;
		if (page.n && take_page(r, m, &page, &unused) == 0)
			l->n += page.n;
	}
}

static int step_collection(struct sync_reader *r, const struct row *rows, size_t n,
			   struct looked *l, struct err *err)
{
	const char *collection = rows->collection;
	const struct mapping *m = mapping_set_find(&r->mappings, collection);
	struct page page;
	int e;

	if (!m || !wants(r, collection))
		return drop(r, collection, err);
	page = choose(r, rows, n);
	l->n += page.known;
	if (!page.n)
		return 0;
	l->has_read = true;
	e = take_page(r, m, &page, err);
	if (e == 0)
		l->n += page.n;
	else
		take_behind(r, m, page, l);
	return e;
}

static size_t count_same(const struct rows *rows, size_t i)
{
	size_t n = 1;

	while (i + n < rows->n &&
	       cstr_equal(rows->items[i + n].collection, rows->items[i].collection))
		n++;
	return n;
}

/* A page of each collection of these rows. Of the last one there may be more rows: unless they are
 * all its own, it is left to the next statement. Returns the last one that was looked at. */
static const char *step_rows(struct sync_reader *r, const struct rows *rows, struct looked *l,
			     struct err *first)
{
	const char *last = "";

	for (size_t i = 0, n; i < rows->n && !maria_is_lost(r->db); i += n) {
		struct err why = {0};

		n = count_same(rows, i);
		if (rows->is_full && i && i + n == rows->n)
			break;
		if (step_collection(r, &rows->items[i], n, l, &why) < 0 && !first->code)
			*first = why;
		last = rows->items[i].collection;
	}
	return last;
}

/* One page of each collection. Mostly few rows wait, and one statement shows all of them. */
static int look(struct sync_reader *r, struct looked *l, struct err *err)
{
	struct rows rows = {.is_full = true};
	struct err first = {0};
	const char *last = "";
	int e = 0;

	while (rows.is_full && e == 0 && !maria_is_lost(r->db)) {
		struct maria_value params[] = {MARIA_S(r->options.consumer), MARIA_S(last),
					       MARIA_U(LOOK_PAGES * r->options.page)};

		e = read_rows(r, sync_sql_handoff_look, params, NULL, &rows, err);
		if (e == 0)
			last = step_rows(r, &rows, l, &first);
	}
	if (e < 0 || !first.code)
		return e;
	if (err)
		*err = first;
	return -(int)first.code;
}

static bool has_news(struct sync_reader *r)
{
	bool has;

	pthread_mutex_lock(&r->mutex);
	has = r->has_news;
	pthread_mutex_unlock(&r->mutex);
	return has;
}

static void begin_look(struct sync_reader *r)
{
	r->looked_us = clock_monotonic_us();
	pthread_mutex_lock(&r->mutex);
	r->has_news = false;
	pthread_mutex_unlock(&r->mutex);
}

/* Looks until nothing new is found. */
static int look_around(struct sync_reader *r, size_t *ret_n, struct err *err)
{
	bool goes_on = true;
	int e = 0;

	for (int i = 0; i < LOOKS_MAX && goes_on && e == 0 && r->n_taken < TAKEN_MAX; i++) {
		struct looked l = {0};

		begin_look(r);
		e = look(r, &l, err);
		*ret_n += l.n;
		goes_on = l.has_read || has_news(r);
	}
	r->is_behind = *ret_n || e < 0;
	return e;
}

/* Rows may wait, not only come. */
static bool is_time_to_look(struct sync_reader *r)
{
	return r->is_behind || has_news(r) || clock_monotonic_us() - r->looked_us >= LOOK_US;
}

int sync_reader_step(struct sync_reader *r, size_t *ret_n, struct err *err)
{
	struct err why = {0};
	int e, acknowledged;

	*ret_n = 0;
	arena_clear(&r->arena);
	note_wanted(r);
	/* Who offers a change, wakes again when its row is there; a migration does not. */
	if (take_offers(r) && !is_time_to_look(r))
		return 0;
	e = look_around(r, ret_n, err);
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

void sync_reader_wake(struct sync_reader *r)
{
	pthread_mutex_lock(&r->mutex);
	r->has_news = true;
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
