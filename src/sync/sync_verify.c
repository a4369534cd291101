/*
 * Verification: see sync_verify.h.
 *
 * Two passes, each in the key order of the side that it walks, so that no order of texts has to be
 * the same on both sides: pages of rows, whose documents the store looks up and compares; then
 * pages of what is in the store, whose rows are looked up. What differs is a suspect. Suspects are
 * judged in rounds: wait until everything queued now is acknowledged, read both sides again. It is
 * a true difference when the snapshot of the row shows nothing queued for it, nor in the hand-off
 * by which it would come to the store, and row and document are as they were in the rounds before:
 * values that come back are changes in flight, not differences.
 */
#include "sync/sync_verify.h"

#include "sync/sync_int.h"

#include <poll.h>

#include "base/banned.h"

#define PAGE		500
#define ROUNDS		50 /* hot keys change between any two looks; within the waiting time */
#define PAGE_BYTES_MAX	((size_t)16 << 20)
#define WAIT_MS_DEFAULT 30000
#define SUSPECTS_MAX	100000 /* beyond, the rest is counted without a second look */
#define READ_BYTES_MAX	((size_t)256 << 20)
#define SAME_LOOKS	2     /* in a row, behind the first one */
#define PENDING_MAX	10000 /* queued rows that are looked at; with more, all is in flight */
#define LOOK_MS		50    /* between two looks at a store that is behind */

struct suspect {
	struct str key;
	uint64_t row_hash, have_hash; /* of what the row makes, of what is there with its mark */
	unsigned n_same;	      /* looks in a row that showed the same */
	bool is_true, is_settled, is_late;
	enum sync_difference_kind kind;
	char *paths;
};

struct verify {
	struct maria *db;
	const struct mapping *mapping;
	const struct sync_store *store;
	const struct sync_verify_options *options;
	struct sync_verify_result *result;
	struct mapping_batch batch;
	struct arena arena; /* of the page in hand */
	struct suspect *suspects;
	size_t n_suspects, cap_suspects;
	struct map suspected;
	bool wants_waiting; /* whether looks say what is queued */
	uint64_t total;
};

/* --- looking at both sides of some keys ------------------------------------------------------ */

static uint64_t hash_of(const bson_t *doc)
{
	return doc ? map_hash((struct str){(const char *)bson_get_data(doc), doc->len}) : 0;
}

static void note_key(struct verify *v, struct map *queued, struct str key)
{
	key.data = arena_strndup(&v->arena, key.data, key.len);
	*map_put(queued, key) = v;
}

static void note_waiting(const struct map *queued, bool is_all, uint32_t bit,
			 const struct str *keys, size_t n, struct sync_look *looks)
{
	for (size_t i = 0; i < n; i++) {
		if (is_all || map_get(queued, keys[i]))
			looks[i].waiting |= bit;
	}
}

/* Which of the keys have something queued, as the snapshot that is open shows it. */
static int find_queued(struct verify *v, const struct str *keys, size_t n, struct sync_look *looks,
		       struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	struct map queued = {0};
	size_t n_rows = 0;
	bool is_all = false;
	int r;

	strbuf_addstr(&sql, "SELECT path, `key` FROM ");
	maria_add_identifier(&sql, mapping_queue(v->mapping));
	strbuf_addf(&sql, " LIMIT %d", PENDING_MAX);
	r = maria_query(v->db, strbuf_str(&sql), NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		/* What an expansion touches is not known before it is through. */
		is_all |= maria_rows_uint(rows, 0) != MAPPING_PATH_ROOT || ++n_rows == PENDING_MAX;
		note_key(v, &queued, maria_rows_str(rows, 1));
	}
	note_waiting(&queued, is_all, SYNC_QUEUED, keys, n, looks);
	map_done(&queued);
	return r;
}

/* And which of them wait for a consumer. */
static int find_handed_off(struct verify *v, size_t consumer, const struct str *keys, size_t n,
			   struct sync_look *looks, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct maria_value params[] = {MARIA_S(v->store->consumers[consumer]),
				       MARIA_S(mapping_collection(v->mapping)), MARIA_S(""),
				       MARIA_U(PENDING_MAX)};
	struct map queued = {0};
	size_t n_rows = 0;
	int r = maria_query(v->db, sync_sql_handoff_page, params, ARRAY_LEN(params), &rows, err);

	for (; r >= 0 && (r = maria_rows_next(rows, err)) > 0; n_rows++)
		note_key(v, &queued, maria_rows_str(rows, 0));
	note_waiting(&queued, n_rows == PENDING_MAX, 1U << consumer, keys, n, looks);
	map_done(&queued);
	return r;
}

static int find_waiting(struct verify *v, const struct str *keys, size_t n, struct sync_look *looks,
			struct err *err)
{
	int r = find_queued(v, keys, n, looks, err);

	for (size_t i = 0; i < SYNC_VERIFY_CONSUMERS && v->store->consumers[i] && r == 0; i++)
		r = find_handed_off(v, i, keys, n, looks, err);
	return r;
}

static void clear_looks(struct sync_look *looks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mem_free(looks[i].paths);
	memset(looks, 0, n * sizeof(*looks));
}

/* Both sides of these keys. The looks are empty before; the caller clears them, also after an
 * error. */
static int look_at(struct verify *v, const struct str *keys, size_t n, struct sync_look *looks,
		   struct err *err)
{
	int r = maria_snapshot_begin(v->db, err);

	mapping_batch_clear(&v->batch);
	if (r == 0)
		r = mapping_read(v->mapping, v->db, keys, n, READ_BYTES_MAX, &v->batch, err);
	if (r == 0 && v->wants_waiting)
		r = find_waiting(v, keys, n, looks, err);
	if (!maria_is_lost(v->db))
		sync_rollback(v->db);
	if (r == -ERR_LIMIT && n > 1) {
		err_clear(err);
		r = look_at(v, keys, n / 2, looks, err);
		return r < 0 ? r : look_at(v, keys + n / 2, n - n / 2, looks + n / 2, err);
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct mapping_document *d = &v->batch.items[i];

		looks[i].has_row = d->state == MAPPING_PRESENT;
		looks[i].is_refused = d->state == MAPPING_REFUSED;
		looks[i].row_hash = looks[i].has_row ? hash_of(d->document) : 0;
	}
	return r == 0 ? v->store->look(v->store->arg, v->batch.items, n, looks, err) : r;
}

/* --- the two passes -------------------------------------------------------------------------- */

static void add_suspect(struct verify *v, struct str key, struct sync_look *look)
{
	struct suspect *s;

	if (map_get(&v->suspected, key))
		return; /* both passes came by it */
	if (v->n_suspects == SUSPECTS_MAX) {
		v->result->pending++; /* said, but not looked at again */
		return;
	}
	mem_grow(&v->suspects, &v->cap_suspects, v->n_suspects + 1, sizeof(*v->suspects));
	s = &v->suspects[v->n_suspects++];
	s->key = arena_str(&v->result->arena, key);
	s->row_hash = look->row_hash;
	s->have_hash = look->have_hash;
	s->kind = look->kind;
	s->paths = TAKE_PTR(look->paths);
	*map_put(&v->suspected, s->key) = v;
}

static void progress(const struct verify *v)
{
	if (v->options->on_progress)
		v->options->on_progress(v->options->on_progress_arg,
					v->result->rows + v->result->documents, v->total);
}

static int pass_rows(struct verify *v, struct err *err)
{
	struct sync_look looks[PAGE] = {0};
	struct mapping_keys keys = {0};
	struct strbuf after = STRBUF_INIT(MAPPING_KEY_MAX);
	int r;

	for (;;) {
		arena_clear(&v->arena);
		keys.len = 0;
		r = mapping_page(v->mapping, v->db, strbuf_slice(&after), PAGE, &v->arena, &keys,
				 err);
		if (r < 0 || !keys.len)
			break;
		r = look_at(v, keys.items, keys.len, looks, err);
		for (size_t i = 0; i < keys.len && r == 0; i++) {
			v->result->rows += looks[i].has_row;
			v->result->refused += looks[i].is_refused;
			v->result->late += looks[i].is_late && !looks[i].differs;
			if (looks[i].differs)
				add_suspect(v, keys.items[i], &looks[i]);
		}
		clear_looks(looks, keys.len);
		if (r < 0)
			break;
		strbuf_clear(&after);
		strbuf_add(&after, keys.items[keys.len - 1].data, keys.items[keys.len - 1].len);
		progress(v);
		if (keys.len < PAGE)
			break; /* behind "" would be the first page again */
	}
	strbuf_done(&after);
	mapping_keys_done(&keys);
	return r;
}

static int check_page(struct verify *v, const struct mapping_keys *keys, struct err *err)
{
	bool *present = arena_alloc(&v->arena, keys->len + 1);
	int r = mapping_present(v->mapping, v->db, keys->items, keys->len, present, err);

	for (size_t i = 0; i < keys->len && r == 0; i++) {
		struct sync_look look = {.kind = SYNC_EXTRA};

		if (!present[i])
			add_suspect(v, keys->items[i], &look);
	}
	return r;
}

void sync_verify_list(struct sync_verify_result *r, enum sync_difference_kind kind, struct str key,
		      const char *paths)
{
	if (!r->differences)
		r->differences = mem_alloc_array(SYNC_VERIFY_LISTED, sizeof(*r->differences));
	if (r->n_differences < SYNC_VERIFY_LISTED)
		r->differences[r->n_differences++] = (struct sync_difference){
		    kind, key, paths ? arena_strdup(&r->arena, paths) : NULL};
}

struct sync_walk {
	struct verify *v;
	struct mapping_keys keys;
};

static int end_page(struct sync_walk *w, struct err *err)
{
	int r = check_page(w->v, &w->keys, err);

	w->keys.len = 0;
	arena_clear(&w->v->arena);
	progress(w->v);
	return r;
}

int sync_walk_add(struct sync_walk *w, struct str key, struct err *err)
{
	struct mapping_keys *k = &w->keys;

	w->v->result->documents++;
	mem_grow(&k->items, &k->cap, k->len + 1, sizeof(*k->items));
	k->items[k->len++] = arena_str(&w->v->arena, key);
	return k->len == PAGE || w->v->arena.used_bytes > PAGE_BYTES_MAX ? end_page(w, err) : 0;
}

void sync_walk_count(struct sync_walk *w, bool is_foreign)
{
	w->v->result->documents++;
	w->v->result->foreign += is_foreign;
}

static int pass_documents(struct verify *v, struct err *err)
{
	struct sync_walk walk = {.v = v};
	int r;

	arena_clear(&v->arena);
	r = v->store->walk(v->store->arg, &walk, err);
	if (r == 0)
		r = end_page(&walk, err);
	mapping_keys_done(&walk.keys);
	return r;
}

/* --- judging suspects ------------------------------------------------------------------------ */

static void judge_again(struct suspect *s, struct sync_look *look)
{
	bool is_same = look->row_hash == s->row_hash && look->have_hash == s->have_hash;

	s->n_same =
	    is_same && !(look->waiting & (look->comes_by | SYNC_QUEUED)) ? s->n_same + 1 : 0;
	s->is_settled = !look->differs || s->n_same >= SAME_LOOKS;
	s->is_true = look->differs && s->is_settled;
	s->is_late = look->is_late;
	s->row_hash = look->row_hash;
	s->have_hash = look->have_hash;
	s->kind = look->kind;
	mem_free(s->paths);
	s->paths = TAKE_PTR(look->paths);
}

/* Looks again at the suspects that are not settled. */
static int look_again(struct verify *v, size_t *ret_open, struct err *err)
{
	struct sync_look looks[PAGE] = {0};
	struct str keys[PAGE];
	size_t index[PAGE], n = 0;
	int r = 0;

	*ret_open = 0;
	for (size_t i = 0; i <= v->n_suspects && r == 0; i++) {
		if (i < v->n_suspects && !v->suspects[i].is_settled) {
			keys[n] = v->suspects[i].key;
			index[n++] = i;
		}
		if (!n || (n < PAGE && i < v->n_suspects))
			continue;
		arena_clear(&v->arena);
		r = look_at(v, keys, n, looks, err);
		for (size_t k = 0; k < n && r == 0; k++) {
			judge_again(&v->suspects[index[k]], &looks[k]);
			*ret_open += !v->suspects[index[k]].is_settled;
		}
		clear_looks(looks, n);
		n = 0;
	}
	return r;
}

static bool has_worker(struct verify *v)
{
	int64_t n = 0;

	return maria_query_int(v->db, sync_sql_lease_is_held, NULL, 0, &n, NULL) == 0 && n;
}

/* Waits for what is queued. False: it does not drain, so nothing can be told for sure. */
static int settle_queue(struct verify *v, bool *ret_drained, struct err *err)
{
	int64_t wait_ms = v->options->wait_ms ? v->options->wait_ms : WAIT_MS_DEFAULT;
	int r = sync_drain_one(v->db, v->mapping, has_worker(v) ? wait_ms : 0, err);

	*ret_drained = r == 0;
	if (r == -ERR_TIMEOUT && err->native == 0) {
		err_clear(err);
		return 0;
	}
	return r;
}

/* A migration on its way is a change in flight, and so is a store that is being filled. */
static bool is_migrating(struct verify *v)
{
	int64_t n = 0;

	if (v->store->is_filling && v->store->is_filling(v->store->arg))
		return true;
	return maria_query_int(v->db, sync_sql_collection_is_migrating,
			       &MARIA_S(mapping_collection(v->mapping)), 1, &n, NULL) == 0 &&
	       n;
}

/* What comes to a store through the hand-off is behind the queue. */
static void wait_for_store(struct verify *v, int64_t until, int round)
{
	if (!v->store->consumers[0])
		return;
	while (is_migrating(v) && clock_monotonic_us() < until)
		(void)poll(NULL, 0, LOOK_MS);
	if (round)
		(void)poll(NULL, 0, LOOK_MS * round);
}

static int judge_suspects(struct verify *v, struct err *err)
{
	int64_t wait_ms = v->options->wait_ms ? v->options->wait_ms : WAIT_MS_DEFAULT;
	int64_t until = clock_monotonic_us() + wait_ms * 1000;
	size_t open = v->n_suspects;
	bool drained = true;

	v->wants_waiting = true;
	for (int round = 0; round < ROUNDS && open && clock_monotonic_us() < until; round++) {
		int r;

		wait_for_store(v, until, round);
		r = settle_queue(v, &drained, err);

		if (r == 0)
			r = look_again(v, &open, err);
		if (r < 0)
			return r;
		if (!drained)
			break;
	}
	if (drained && !is_migrating(v))
		return 0;
	for (size_t i = 0; i < v->n_suspects; i++) { /* changes or a migration wait: not for sure */
		if (v->suspects[i].is_true)
			v->suspects[i].is_settled = v->suspects[i].is_true = false;
	}
	return 0;
}

static int repair(struct verify *v, struct err *err)
{
	struct sync_queue q;
	size_t n = 0;
	int r = maria_exec(v->db, "START TRANSACTION", err);

	sync_queue_init(&q, v->mapping, 0, 1);
	for (size_t i = 0; i < v->n_suspects && r == 0; i++) {
		if (!v->suspects[i].is_true)
			continue;
		r = sync_queue_insert(&q, v->db, &v->suspects[i].key, 1, clock_wall_us(), err);
		v->suspects[i].is_settled = v->suspects[i].is_true = false;
		v->suspects[i].n_same = 0;
		n++;
	}
	r = sync_end(v->db, r, err);
	sync_queue_done(&q);
	if (r < 0 || !n)
		return r;
	r = judge_suspects(v, err);
	v->result->repaired = n;
	for (size_t i = 0; i < v->n_suspects; i++)
		v->result->repaired -= v->suspects[i].is_true || !v->suspects[i].is_settled;
	return r;
}

static void count_suspects(struct verify *v)
{
	struct sync_verify_result *res = v->result;

	for (size_t i = 0; i < v->n_suspects; i++) {
		const struct suspect *s = &v->suspects[i];
		uint64_t *counters[] = {&res->missing, &res->extra, &res->different};

		if (s->is_late && !s->is_true)
			res->late++;
		else if (!s->is_settled)
			res->pending++;
		if (!s->is_true)
			continue;
		++*counters[s->kind];
		sync_verify_list(res, s->kind, s->key, s->paths);
	}
}

int sync_verify_store(struct maria *db, const struct mapping *mapping,
		      const struct sync_store *store, const struct sync_verify_options *options,
		      struct sync_verify_result *ret, struct err *err)
{
	struct verify v = {
	    .db = db, .mapping = mapping, .store = store, .options = options, .result = ret};
	int r = sync_session_init(db, err);

	*ret = (struct sync_verify_result){.collection = mapping_collection(mapping)};
	if (r == 0)
		r = pass_rows(&v, err);
	v.total = ret->rows * 2;
	if (r == 0)
		r = pass_documents(&v, err);
	if (r == 0)
		r = judge_suspects(&v, err);
	if (r == 0 && options->repair)
		r = repair(&v, err);
	if (r == 0)
		count_suspects(&v);
	for (size_t i = 0; i < v.n_suspects; i++)
		mem_free(v.suspects[i].paths);
	mem_free(v.suspects);
	map_done(&v.suspected);
	mapping_batch_done(&v.batch);
	arena_done(&v.arena);
	return r < 0 ? err_context(err, "verifying %s", mapping_collection(mapping)) : 0;
}

bool sync_verify_is_equal(const struct sync_verify_result *r)
{
	return !r->missing && !r->extra && !r->different && !r->pending && !r->refused;
}

void sync_verify_result_done(struct sync_verify_result *r)
{
	mem_free(r->differences);
	arena_done(&r->arena);
	*r = (struct sync_verify_result){0};
}
