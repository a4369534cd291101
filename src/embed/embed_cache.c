/*
 * The cache of embeddings: see embed_cache.h. The file and its tables: embed_cache_db.c.
 *
 * A call looks up all of its texts under the mutex, makes the missing vectors without it, and
 * stores them in pieces of STORE_TEXTS, each a transaction with its owners: a provider that goes
 * away after an hour has not worked in vain. An owner's former vector is released in the same
 * transaction.
 *
 * Texts are found by BLAKE2b with 32 bytes, keyed with random bytes that stand in the file. A plain
 * hash of a short text ("Jane Doe, Leeds") can be guessed by hashing candidates, from a table made
 * once for all installations, and equal texts could be seen in two files. The key takes that away.
 * It does not protect against who has the whole file: the key is in it, and vectors themselves tell
 * much of their texts. Therefore the file is for its owner only (mode 0600), and erasure removes
 * vector and hash, not only the link to the owner. Owners are stored as they are: erasure and
 * people who look for what is stored need them, and a row's key is no text.
 *
 * forget() may come while a call is making vectors of the owner's text, which it read before. The
 * call must not bring back what was erased: forget() notes the owner for the calls that are under
 * way, and they leave it out when they store. In another process nobody tells; there the erasure
 * has to come after the hand-off that removes the document from that process's index.
 *
 * A stored vector is checked when it is read (length, unit norm): one flipped bit would else be a
 * wrong answer forever. A bad one is a miss, and is written anew.
 */
#include "embed/embed_cache_int.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <math.h>
#include <poll.h>

#include "base/banned.h"

#define STORE_TEXTS    256  /* seconds of work on a slow provider, milliseconds of a transaction */
#define DROP_OWNERS    512  /* or vectors, in one transaction; others wait so long */
#define REST_MS_MAX    50   /* half of the time of a purge is others' */
#define NORM_TOLERANCE 1e-3 /* rounding of 4096 floats is far below */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "vectors are stored as they lie in memory");

/* --- life ------------------------------------------------------------------------------------ */

int embed_cache_open(const char *path, struct embed_cache **ret, struct err *err)
{
	_cleanup_(embed_cache_freep) struct embed_cache *c = MEM_NEW(struct embed_cache);
	int r;

	bug_if(pthread_mutex_init(&c->mutex, NULL) != 0);
	c->path = mem_strdup(path);
	c->hits = metric_series(METRIC_COUNTER, "aethermart_embed_cache_hits_total",
				"Texts whose vector was stored.", NULL, NULL);
	c->misses = metric_series(METRIC_COUNTER, "aethermart_embed_cache_misses_total",
				  "Texts whose vector had to be made.", NULL, NULL);
	c->mended = metric_series(METRIC_COUNTER, "aethermart_embed_cache_mended_total",
				  "Stored vectors that were damaged and made anew.", NULL, NULL);
	r = sodium_init() < 0 ? err_set(err, ERR_INTERNAL, "libsodium does not start")
			      : cache_db_open(c, err);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

static void clear_forgotten(struct embed_cache *c)
{
	for (size_t i = 0; i < c->n_forgotten; i++)
		mem_free(c->forgotten[i].owner);
	c->n_forgotten = 0;
}

struct embed_cache *embed_cache_free(struct embed_cache *c)
{
	if (!c)
		return NULL;
	cache_db_close(c);
	clear_forgotten(c);
	mem_free(c->forgotten);
	mem_free(c->path);
	(void)pthread_mutex_destroy(&c->mutex);
	sodium_memzero(c->key, sizeof(c->key));
	mem_free(c);
	return NULL;
}

static void lock(struct embed_cache *c)
{
	bug_if(pthread_mutex_lock(&c->mutex) != 0);
}

static void unlock(struct embed_cache *c)
{
	bug_if(pthread_mutex_unlock(&c->mutex) != 0);
}

/* --- a call ---------------------------------------------------------------------------------- */

/* A text of the call, however many items have it. */
struct entry {
	unsigned char hash[CACHE_HASH_BYTES];
	size_t first;	    /* item that has it, and the place of its vector */
	size_t items;	    /* chain of the items that have it, through call.next */
	int64_t damaged;    /* id of a stored vector that must be written anew; 0: none */
	bool is_stored;	    /* its vector was read */
	bool is_incomplete; /* an owner's use has to be written */
};

#define NO_ITEM SIZE_MAX

struct call {
	struct embed_cache *cache;
	const struct embedder_info *info;
	const struct embed_item *items;
	size_t n;
	struct entry *entries;
	size_t n_entries;
	size_t *next;	/* of each item: the next one with the same text */
	bool *is_last;	/* of each item: no later one has its owner */
	float *vectors; /* of each item */
	uint64_t began; /* on the cache's clock */
	int64_t model;	/* id; 0: the file has none yet */
};

static float *vector_of(const struct call *call, size_t item)
{
	return call->vectors + item * call->info->dimension;
}

static int check_items(const struct embed_item *items, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (items[i].owner.len == 0 || items[i].owner.len > EMBED_OWNER_MAX)
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "the owner of text %zu has %zu bytes, not 1 to %d", i,
				       items[i].owner.len, EMBED_OWNER_MAX);
	return 0;
}

/* Which items have the same text, and which is the last of its owner. */
static void group(struct call *call)
{
	struct map by_hash = {0}, by_owner = {0};

	for (size_t i = 0; i < call->n; i++) {
		struct entry *e = &call->entries[call->n_entries];
		struct str text = call->items[i].text;
		void **slot;

		(void)crypto_generichash(e->hash, sizeof(e->hash), (const unsigned char *)text.data,
					 text.len, call->cache->key, sizeof(call->cache->key));
		slot = map_put(&by_hash, (struct str){(const char *)e->hash, sizeof(e->hash)});
		if (*slot) {
			e = *slot;
		} else {
			*slot = e;
			e->first = i;
			e->items = NO_ITEM;
			call->n_entries++;
		}
		call->next[i] = e->items;
		e->items = i;
		slot = map_put(&by_owner, call->items[i].owner);
		if (*slot)
			*(bool *)*slot = false;
		*slot = &call->is_last[i];
		call->is_last[i] = true;
	}
	map_done(&by_hash);
	map_done(&by_owner);
}

/* --- reading --------------------------------------------------------------------------------- */

static int find_model(struct embed_cache *c, const struct embedder_info *info, int64_t *ret,
		      struct err *err)
{
	sqlite3_stmt *s = cache_sql(c, CACHE_FIND_MODEL);
	int r;

	bug_if(sqlite3_bind_text(s, 1, info->model, -1, SQLITE_STATIC) != SQLITE_OK);
	cache_bind_int(s, 2, info->dimension);
	r = cache_step(c, s, err);
	*ret = r > 0 ? sqlite3_column_int64(s, 0) : 0;
	(void)sqlite3_reset(s);
	return r < 0 ? r : 0;
}

static bool take_vector(sqlite3_stmt *s, int column, unsigned dimension, float *ret)
{
	size_t bytes = dimension * sizeof(float);
	double sum = 0;

	if ((size_t)sqlite3_column_bytes(s, column) != bytes)
		return false;
	memcpy(ret, sqlite3_column_blob(s, column), bytes);
	for (unsigned i = 0; i < dimension; i++)
		sum += (double)ret[i] * (double)ret[i];
	return fabs(sum - 1) < NORM_TOLERANCE; /* false for what is not a number */
}

static int find_use(struct call *call, size_t item, int64_t *ret, struct err *err)
{
	sqlite3_stmt *s = cache_sql(call->cache, CACHE_FIND_USE);
	struct str owner = call->items[item].owner;
	int r;

	cache_bind_blob(s, 1, owner.data, owner.len);
	cache_bind_int(s, 2, call->model);
	r = cache_step(call->cache, s, err);
	*ret = r > 0 ? sqlite3_column_int64(s, 0) : 0;
	(void)sqlite3_reset(s);
	return r < 0 ? r : 0;
}

static int check_uses(struct call *call, struct entry *e, int64_t vector, struct err *err)
{
	for (size_t i = e->items; i != NO_ITEM && !e->is_incomplete; i = call->next[i]) {
		int64_t used = 0;
		int r = call->is_last[i] ? find_use(call, i, &used, err) : 0;

		if (r < 0)
			return r;
		e->is_incomplete = call->is_last[i] && used != vector;
	}
	return 0;
}

static int look_up(struct call *call, struct entry *e, struct err *err)
{
	sqlite3_stmt *s = cache_sql(call->cache, CACHE_FIND_VECTOR);
	int64_t id = 0;
	int r;

	cache_bind_int(s, 1, call->model);
	cache_bind_blob(s, 2, e->hash, sizeof(e->hash));
	r = cache_step(call->cache, s, err);
	if (r <= 0)
		return r;
	id = sqlite3_column_int64(s, 0);
	e->is_stored = take_vector(s, 1, call->info->dimension, vector_of(call, e->first));
	(void)sqlite3_reset(s);
	if (!e->is_stored) {
		e->damaged = id;
		metric_add(call->cache->mended, 1);
		return 0;
	}
	return check_uses(call, e, id, err);
}

static int look_up_all(struct call *call, struct err *err)
{
	int r = find_model(call->cache, call->info, &call->model, err);

	for (size_t i = 0; i < call->n_entries && r == 0 && call->model; i++)
		r = look_up(call, &call->entries[i], err);
	return r;
}

/* --- storing --------------------------------------------------------------------------------- */

static bool is_forgotten(const struct call *call, struct str owner)
{
	const struct embed_cache *c = call->cache;

	for (size_t i = 0; i < c->n_forgotten; i++)
		if (c->forgotten[i].at > call->began &&
		    str_equal(owner, (struct str){c->forgotten[i].owner, c->forgotten[i].len}))
			return true;
	return false;
}

static bool is_recorded(const struct call *call, size_t item)
{
	return call->is_last[item] && !is_forgotten(call, call->items[item].owner);
}

static int add_model(struct call *call, struct err *err)
{
	sqlite3_stmt *s;
	int r = find_model(call->cache, call->info, &call->model, err);

	if (r < 0 || call->model)
		return r;
	s = cache_sql(call->cache, CACHE_ADD_MODEL);
	bug_if(sqlite3_bind_text(s, 1, call->info->model, -1, SQLITE_STATIC) != SQLITE_OK);
	cache_bind_int(s, 2, call->info->dimension);
	r = cache_step(call->cache, s, err);
	if (r > 0)
		call->model = sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return r < 0 ? r : 0;
}

/* The id of the entry's vector, which is written when it is not there or damaged. */
static int put_vector(struct call *call, const struct entry *e, int64_t *ret, struct err *err)
{
	struct embed_cache *c = call->cache;
	size_t bytes = call->info->dimension * sizeof(float);
	sqlite3_stmt *s = cache_sql(c, CACHE_FIND_VECTOR);
	int r;

	cache_bind_int(s, 1, call->model);
	cache_bind_blob(s, 2, e->hash, sizeof(e->hash));
	r = cache_step(c, s, err);
	*ret = r > 0 ? sqlite3_column_int64(s, 0) : 0;
	(void)sqlite3_reset(s);
	if (r < 0 || (r > 0 && *ret != e->damaged))
		return r < 0 ? r : 0;
	s = cache_sql(c, r > 0 ? CACHE_MEND_VECTOR : CACHE_ADD_VECTOR);
	if (r > 0) {
		cache_bind_int(s, 1, *ret);
		cache_bind_blob(s, 2, vector_of(call, e->first), bytes);
		cache_bind_int(s, 3, clock_wall_us() / 1000000);
		return cache_run(c, s, err);
	}
	cache_bind_int(s, 1, call->model);
	cache_bind_blob(s, 2, e->hash, sizeof(e->hash));
	cache_bind_blob(s, 3, vector_of(call, e->first), bytes);
	cache_bind_int(s, 4, clock_wall_us() / 1000000);
	r = cache_step(c, s, err);
	if (r > 0)
		*ret = sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return r < 0 ? r : 0;
}

static int drop_unused(struct embed_cache *c, int64_t vector, struct err *err)
{
	sqlite3_stmt *s = cache_sql(c, CACHE_DROP_UNUSED);

	cache_bind_int(s, 1, vector);
	return cache_run(c, s, err);
}

/* The owner uses this vector from now on; the one before goes when nobody else uses it. */
static int put_use(struct call *call, size_t item, int64_t vector, struct err *err)
{
	struct str owner = call->items[item].owner;
	int64_t before;
	sqlite3_stmt *s;
	int r = find_use(call, item, &before, err);

	if (r < 0 || before == vector)
		return r;
	s = cache_sql(call->cache, CACHE_SET_USE);
	cache_bind_blob(s, 1, owner.data, owner.len);
	cache_bind_int(s, 2, call->model);
	cache_bind_int(s, 3, vector);
	r = cache_run(call->cache, s, err);
	return r == 0 && before ? drop_unused(call->cache, before, err) : r;
}

static int store_entry(struct call *call, const struct entry *e, struct err *err)
{
	int64_t vector = 0;
	int r = 0;

	for (size_t i = e->items; i != NO_ITEM && r == 0; i = call->next[i]) {
		if (!is_recorded(call, i))
			continue;
		/* Again for each owner: releasing the former vector of one may have dropped it. */
		r = put_vector(call, e, &vector, err);
		if (r == 0)
			r = put_use(call, i, vector, err);
	}
	return r;
}

static int store(struct call *call, struct entry *const *entries, size_t n, struct err *err)
{
	int r;

	if (n == 0)
		return 0;
	lock(call->cache);
	r = cache_begin(call->cache, err);
	if (r == 0) {
		r = add_model(call, err);
		for (size_t i = 0; i < n && r == 0; i++)
			r = store_entry(call, entries[i], err);
		r = cache_end(call->cache, r, err);
	}
	unlock(call->cache);
	return r;
}

/* --- making ---------------------------------------------------------------------------------- */

static int make(struct call *call, struct embedder *e, struct entry *const *entries, size_t n,
		struct err *err)
{
	size_t dimension = call->info->dimension;
	_cleanup_(mem_freep) struct str *texts = mem_alloc_array(n, sizeof(*texts));
	_cleanup_(mem_freep) float *made = mem_alloc_array(n, dimension * sizeof(float));
	int r;

	for (size_t i = 0; i < n; i++)
		texts[i] = call->items[entries[i]->first].text;
	r = embedder_embed(e, EMBED_DOCUMENT, texts, n, made, err);
	for (size_t i = 0; i < n && r == 0; i++)
		memcpy(vector_of(call, entries[i]->first), made + i * dimension,
		       dimension * sizeof(float));
	return r;
}

static int make_missing(struct call *call, struct embedder *e, struct entry **list, size_t *ret,
			struct err *err)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < call->n_entries; i++)
		if (!call->entries[i].is_stored)
			list[n++] = &call->entries[i];
	for (size_t i = 0; i < n && r == 0; i += STORE_TEXTS) {
		size_t piece = n - i < STORE_TEXTS ? n - i : STORE_TEXTS;

		r = make(call, e, list + i, piece, err);
		if (r == 0)
			r = store(call, list + i, piece, err);
	}
	metric_add(call->cache->misses, n);
	metric_add(call->cache->hits, call->n_entries - n);
	*ret = n;
	return r;
}

static int record_uses(struct call *call, struct entry **list, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < call->n_entries; i++)
		if (call->entries[i].is_stored && call->entries[i].is_incomplete)
			list[n++] = &call->entries[i];
	return store(call, list, n, err);
}

static void copy_to_equal_texts(struct call *call)
{
	for (size_t k = 0; k < call->n_entries; k++) {
		const struct entry *e = &call->entries[k];

		for (size_t i = e->items; i != NO_ITEM; i = call->next[i])
			if (i != e->first)
				memcpy(vector_of(call, i), vector_of(call, e->first),
				       call->info->dimension * sizeof(float));
	}
}

static int begin_call(struct call *call, struct err *err)
{
	int r;

	lock(call->cache);
	call->cache->in_flight++;
	call->began = call->cache->clock;
	r = look_up_all(call, err);
	unlock(call->cache);
	return r;
}

static void end_call(struct call *call)
{
	lock(call->cache);
	if (--call->cache->in_flight == 0)
		clear_forgotten(call->cache);
	unlock(call->cache);
}

int embed_cache_embed(struct embed_cache *c, struct embedder *e, const struct embed_item *items,
		      size_t n, float *ret, size_t *ret_embedded, struct err *err)
{
	const struct embedder_info *info = embedder_info(e);
	_cleanup_(mem_freep) struct entry *entries = mem_alloc_array(n, sizeof(*entries));
	_cleanup_(mem_freep) struct entry **list = mem_alloc_array(n, sizeof(*list));
	_cleanup_(mem_freep) size_t *next = mem_alloc_array(n, sizeof(*next));
	_cleanup_(mem_freep) bool *is_last = mem_alloc_array(n, sizeof(*is_last));
	_cleanup_(mem_freep) float *vectors = mem_alloc_array(n, info->dimension * sizeof(float));
	struct call call = {.cache = c,
			    .info = info,
			    .items = items,
			    .n = n,
			    .entries = entries,
			    .next = next,
			    .is_last = is_last,
			    .vectors = vectors};
	size_t embedded = 0;
	int r = check_items(items, n, err);

	if (r < 0)
		return r;
	group(&call);
	r = begin_call(&call, err);
	if (r == 0)
		r = make_missing(&call, e, list, &embedded, err);
	if (r == 0)
		r = record_uses(&call, list, err);
	end_call(&call);
	if (r < 0)
		return err_context(err, "embedding %zu texts", n);
	copy_to_equal_texts(&call);
	memcpy(ret, vectors, n * info->dimension * sizeof(float));
	if (ret_embedded)
		*ret_embedded = embedded;
	return 0;
}

/* --- erasure --------------------------------------------------------------------------------- */

static void note_forgotten(struct embed_cache *c, struct str owner)
{
	c->clock++;
	if (c->in_flight == 0)
		return;
	mem_grow(&c->forgotten, &c->cap_forgotten, c->n_forgotten + 1, sizeof(*c->forgotten));
	c->forgotten[c->n_forgotten++] = (struct cache_forgotten){
	    .owner = mem_strndup(owner.data, owner.len), .len = owner.len, .at = c->clock};
}

struct id_list {
	int64_t *ids;
	size_t len, cap;
};

/* What the statement answers, ids. */
static int read_ids(struct embed_cache *c, sqlite3_stmt *s, struct id_list *list, struct err *err)
{
	int r;

	while ((r = cache_step(c, s, err)) > 0) {
		mem_grow(&list->ids, &list->cap, list->len + 1, sizeof(*list->ids));
		list->ids[list->len++] = sqlite3_column_int64(s, 0);
	}
	return r;
}

static int list_uses(struct embed_cache *c, struct str owner, struct id_list *list, struct err *err)
{
	sqlite3_stmt *s = cache_sql(c, CACHE_LIST_USES);

	cache_bind_blob(s, 1, owner.data, owner.len);
	return read_ids(c, s, list, err);
}

static int drop_uses(struct embed_cache *c, struct str owner, struct err *err)
{
	struct id_list list = {0};
	int r = list_uses(c, owner, &list, err);

	if (r == 0) {
		sqlite3_stmt *s = cache_sql(c, CACHE_DROP_USES);

		cache_bind_blob(s, 1, owner.data, owner.len);
		r = cache_run(c, s, err);
	}
	for (size_t i = 0; i < list.len && r == 0; i++)
		r = drop_unused(c, list.ids[i], err);
	mem_free(list.ids);
	return r;
}

int embed_cache_forget(struct embed_cache *c, struct str owner, struct err *err)
{
	int r;

	lock(c);
	note_forgotten(c, owner);
	r = cache_begin(c, err);
	if (r == 0)
		r = cache_end(c, drop_uses(c, owner, err), err);
	if (r == 0)
		r = cache_truncate_log(c, err);
	unlock(c);
	if (r < 0)
		return err_context(err, "forgetting \"%.*s\"", STR_ARGS(owner));
	return 0;
}

/* The next owners that begin so; bytes in the arena. */
static int list_owners(struct embed_cache *c, const char *prefix, struct arena *arena,
		       struct str *ret, size_t *ret_n, struct err *err)
{
	sqlite3_stmt *s = cache_sql(c, CACHE_LIST_OWNERS);
	int r;

	*ret_n = 0;
	cache_bind_blob(s, 1, prefix, strlen(prefix));
	cache_bind_int(s, 2, DROP_OWNERS);
	while ((r = cache_step(c, s, err)) > 0) {
		struct str owner = {sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)};

		if (!str_starts(owner, prefix))
			continue;
		ret[(*ret_n)++] = arena_str(arena, owner);
	}
	return r;
}

static int forget_piece(struct embed_cache *c, const char *prefix, size_t *ret_n, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct str *owners = arena_alloc(&arena, DROP_OWNERS * sizeof(*owners));
	int r = list_owners(c, prefix, &arena, owners, ret_n, err);

	if (r < 0 || *ret_n == 0)
		return r;
	r = cache_begin(c, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < *ret_n && r == 0; i++) {
		note_forgotten(c, owners[i]);
		r = drop_uses(c, owners[i], err);
	}
	return cache_end(c, r, err);
}

int embed_cache_forget_all(struct embed_cache *c, const char *prefix, struct err *err)
{
	size_t n;
	int r;

	do {
		n = 0;
		lock(c);
		r = forget_piece(c, prefix, &n, err);
		if (r == 0 && n == 0)
			r = cache_truncate_log(c, err);
		unlock(c);
	} while (r == 0 && n);
	if (r < 0)
		return err_context(err, "forgetting all of \"%s\"", prefix);
	return 0;
}

int embed_cache_uses(struct embed_cache *c, struct str owner, size_t *ret, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	lock(c);
	s = cache_sql(c, CACHE_COUNT_USES);
	cache_bind_blob(s, 1, owner.data, owner.len);
	r = cache_step(c, s, err);
	if (r > 0)
		*ret = (size_t)sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	unlock(c);
	return r < 0 ? r : 0;
}

/* --- retention ------------------------------------------------------------------------------- */

/* Its uses first: SQLite gives the number of a deleted vector away again. */
static int drop_vector(struct embed_cache *c, int64_t id, struct err *err)
{
	sqlite3_stmt *s = cache_sql(c, CACHE_DROP_USES_OF);
	int r;

	cache_bind_int(s, 1, id);
	r = cache_run(c, s, err);
	if (r < 0)
		return r;
	s = cache_sql(c, CACHE_DROP_VECTOR);
	cache_bind_int(s, 1, id);
	return cache_run(c, s, err);
}

static int purge_piece(struct embed_cache *c, int64_t before, size_t *ret_n, struct err *err)
{
	sqlite3_stmt *s = cache_sql(c, CACHE_LIST_OLD);
	struct id_list list = {0};
	int r = cache_begin(c, err);

	*ret_n = 0;
	if (r < 0)
		return r;
	cache_bind_int(s, 1, before);
	cache_bind_int(s, 2, DROP_OWNERS);
	r = read_ids(c, s, &list, err);
	for (size_t i = 0; i < list.len && r == 0; i++)
		r = drop_vector(c, list.ids[i], err);
	r = cache_end(c, r, err);
	*ret_n = r == 0 ? list.len : 0;
	mem_free(list.ids);
	return r;
}

int embed_cache_purge(struct embed_cache *c, int64_t before, bool (*pause)(void *arg), void *arg,
		      uint64_t *ret_n, struct err *err)
{
	int64_t rest_ms;
	size_t n;
	int r;

	*ret_n = 0;
	do {
		int64_t began = clock_monotonic_us();

		lock(c);
		r = purge_piece(c, before, &n, err);
		unlock(c);
		*ret_n += n;
		/* SQLite has no queue: who waits tries again by and by, and would find it locked by
		 * the next piece for seconds. */
		rest_ms = (clock_monotonic_us() - began) / 1000 + 1;
		(void)poll(NULL, 0, rest_ms < REST_MS_MAX ? (int)rest_ms : REST_MS_MAX);
	} while (r == 0 && n == DROP_OWNERS && (!pause || pause(arg)));
	return r;
}

int embed_cache_count_old(struct embed_cache *c, int64_t before, uint64_t *ret, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	lock(c);
	s = cache_sql(c, CACHE_COUNT_OLD);
	cache_bind_int(s, 1, before);
	r = cache_step(c, s, err);
	if (r > 0)
		*ret = (uint64_t)sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	unlock(c);
	return r < 0 ? r : 0;
}

/* --- figures ---------------------------------------------------------------------------------- */

int embed_cache_stats(struct embed_cache *c, struct embed_cache_stats *ret, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	lock(c);
	s = cache_sql(c, CACHE_STATS);
	r = cache_step(c, s, err);
	if (r > 0)
		*ret = (struct embed_cache_stats){
		    .models = (size_t)sqlite3_column_int64(s, 0),
		    .vectors = (size_t)sqlite3_column_int64(s, 1),
		    .uses = (size_t)sqlite3_column_int64(s, 2),
		    .bytes = (uint64_t)sqlite3_column_int64(s, 3),
		};
	(void)sqlite3_reset(s);
	unlock(c);
	return r < 0 ? r : 0;
}
