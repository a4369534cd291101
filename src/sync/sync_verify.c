/*
 * Verification: see sync_verify.h.
 *
 * Two passes, each in the key order of the side that it walks, so that no order of texts has to be
 * the same on both sides: pages of rows, whose documents are fetched by _id and compared; then
 * pages of documents, whose rows are looked up. What differs is a suspect. Suspects are judged in
 * rounds: wait until everything queued now is acknowledged, read both sides again. A suspect whose
 * row is as it was the round before and whose document still differs is a true difference; one
 * whose row changed in between gets another round.
 */
#include "sync/sync_verify.h"

#include "sync/sync_int.h"

#include "base/banned.h"

#define PAGE		500
#define ROUNDS		50 /* hot keys change between any two looks; within the waiting time */
#define WAIT_MS_DEFAULT 30000
#define SUSPECTS_MAX	100000 /* beyond, the rest is counted without a second look */
#define READ_BYTES_MAX	((size_t)256 << 20)

enum verdict { AGREES, DIFFERS };

struct suspect {
	struct str key;
	uint64_t row_hash,
	    have_hash; /* of what the row makes, of what is there with its mark; 0: none */
	bool is_true, is_settled;
	enum sync_difference_kind kind;
	char *paths;
};

struct verify {
	struct maria *db;
	mongoc_client_t *client;
	mongoc_collection_t *collection;
	const struct mapping *mapping;
	const struct sync_verify_options *options;
	struct sync_verify_result *result;
	struct mapping_batch batch;
	struct arena arena; /* of the page in hand */
	struct suspect *suspects;
	size_t n_suspects, cap_suspects;
	struct map suspected;
	uint64_t total;
};

/* --- comparing two documents ----------------------------------------------------------------- */

#define PATHS_MAX 10

struct paths {
	struct strbuf text;
	unsigned n;
};

static void add_path(struct paths *p, const char *prefix, const char *name)
{
	if (++p->n > PATHS_MAX)
		return;
	if (p->text.len)
		strbuf_addstr(&p->text, ", ");
	strbuf_addf(&p->text, "%s%s%s", prefix, prefix[0] ? "." : "", name);
}

static void diff_value(const bson_iter_t *a, const bson_iter_t *b, const char *prefix,
		       struct paths *p);

/* Fields of a that b lacks or holds otherwise, then fields that only b has. Names may hold dots, so
 * they are looked up as they are. */
static void diff_containers(const bson_t *a, const bson_t *b, const char *prefix, struct paths *p)
{
	bson_iter_t it, other;

	if (!bson_iter_init(&it, a))
		return;
	while (bson_iter_next(&it)) {
		if (!bson_iter_init_find(&other, b, bson_iter_key(&it)))
			add_path(p, prefix, bson_iter_key(&it));
		else
			diff_value(&it, &other, prefix, p);
	}
	if (!bson_iter_init(&it, b))
		return;
	while (bson_iter_next(&it)) {
		if (!bson_iter_init_find(&other, a, bson_iter_key(&it)))
			add_path(p, prefix, bson_iter_key(&it));
	}
}

static bool as_document(const bson_iter_t *it, bson_t *ret)
{
	const uint8_t *data;
	uint32_t len;

	if (BSON_ITER_HOLDS_DOCUMENT(it))
		bson_iter_document(it, &len, &data);
	else if (BSON_ITER_HOLDS_ARRAY(it))
		bson_iter_array(it, &len, &data);
	else
		return false;
	return bson_init_static(ret, data, len);
}

static void diff_value(const bson_iter_t *a, const bson_iter_t *b, const char *prefix,
		       struct paths *p)
{
	bson_t da, db;

	if (sync_is_same_value(a, b) || p->n > PATHS_MAX)
		return;
	if (bson_iter_type(a) == bson_iter_type(b) && as_document(a, &da) && as_document(b, &db)) {
		_cleanup_(mem_freep) char *path =
		    mem_printf("%s%s%s", prefix, prefix[0] ? "." : "", bson_iter_key(a));
		unsigned before = p->n;

		diff_containers(&da, &db, path, p);
		if (p->n == before) /* the same fields in another order */
			add_path(p, prefix, bson_iter_key(a));
		return;
	}
	add_path(p, prefix, bson_iter_key(a));
}

char *sync_diff_documents(const bson_t *want, const bson_t *have)
{
	struct paths p = {.text = STRBUF_INIT(4096)};
	bson_iter_t w, h;

	bug_if(!bson_iter_init(&w, want));
	while (bson_iter_next(&w)) {
		if (cstr_equal(bson_iter_key(&w), "_id"))
			continue;
		if (!bson_iter_init_find(&h, have, bson_iter_key(&w)))
			add_path(&p, "", bson_iter_key(&w));
		else
			diff_value(&w, &h, "", &p);
	}
	if (p.n > PATHS_MAX) /* how many is not known: the search ends early */
		strbuf_addstr(&p.text, " and more");
	return p.n ? strbuf_take(&p.text) : NULL;
}

/* --- looking at both sides of some keys ------------------------------------------------------ */

struct look { /* what one key looks like on both sides */
	bool differs, has_row, has_document, is_foreign, is_refused;
	enum sync_difference_kind kind;
	uint64_t row_hash, have_hash;
	char *paths; /* owned */
};

static bool has_left(const bson_t *doc)
{
	return bson_has_field(doc, "_sync.left_at");
}

static void judge(const struct verify *v, const struct mapping_document *d, const bson_t *have,
		  struct look *ret)
{
	bool is_marked = have && bson_has_field(have, SYNC_MARK);

	*ret = (struct look){.has_row = d->state == MAPPING_PRESENT, .has_document = have != NULL};
	if (have)
		ret->have_hash =
		    map_hash((struct str){(const char *)bson_get_data(have), have->len});
	ret->is_refused = d->state == MAPPING_REFUSED;
	if (d->state == MAPPING_PRESENT) {
		ret->row_hash = map_hash(
		    (struct str){(const char *)bson_get_data(d->document), d->document->len});
		ret->paths = have ? sync_diff_documents(d->document, have) : NULL;
		ret->differs = !have || ret->paths;
		ret->kind = have ? SYNC_DIFFERENT : SYNC_MISSING;
	} else if (d->state == MAPPING_ABSENT && have) {
		ret->is_foreign = !is_marked;
		ret->differs = is_marked && !(mapping_keeps_on_leave(v->mapping) && has_left(have));
		ret->kind = SYNC_EXTRA;
	}
}

static int fetch(struct verify *v, const struct str *keys, size_t n, struct map *by_key,
		 struct err *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, in, ids;
	mongoc_cursor_t *cursor;
	const bson_t *doc;
	bson_error_t e;
	int r = 0;

	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &ids);
	for (size_t i = 0; i < n; i++) {
		char buf[16];
		const char *index;

		(void)bson_uint32_to_string((uint32_t)i, &index, buf, sizeof(buf));
		/* A key that cannot be an _id has no document. */
		(void)!mapping_key_append(v->mapping, keys[i], &ids, index, NULL);
	}
	bson_append_array_end(&in, &ids);
	bson_append_document_end(&filter, &in);
	BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &in);
	for (const char *const *f = mapping_owned_fields(v->mapping); *f; f++)
		BSON_APPEND_INT32(&in, *f, 1);
	BSON_APPEND_INT32(&in, SYNC_MARK, 1);
	bson_append_document_end(&opts, &in);
	cursor = mongoc_collection_find_with_opts(v->collection, &filter, &opts, NULL);
	while (mongoc_cursor_next(cursor, &doc)) {
		void *bytes = arena_alloc(&v->arena, doc->len);
		bson_t *copy = arena_alloc(&v->arena, sizeof(*copy));
		bson_iter_t id;
		struct str key;

		memcpy(bytes, bson_get_data(doc), doc->len);
		bug_if(!bson_init_static(copy, bytes, doc->len));
		if (bson_iter_init_find(&id, copy, "_id") &&
		    mapping_key_of_id(v->mapping, &id, &v->arena, &key, NULL) == 0)
			*map_put(by_key, key) = copy;
	}
	if (mongoc_cursor_error(cursor, &e))
		r = mongo_error(err, &e, NULL, "reading documents");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return r;
}

/* Both sides of these keys; looks are valid until the batch is cleared, their paths are owned. */
static int look_at(struct verify *v, const struct str *keys, size_t n, struct look *looks,
		   struct err *err)
{
	struct map by_key = {0};
	int r = maria_snapshot_begin(v->db, err);

	mapping_batch_clear(&v->batch);
	if (r == 0)
		r = mapping_read(v->mapping, v->db, keys, n, READ_BYTES_MAX, &v->batch, err);
	if (!maria_is_lost(v->db))
		sync_rollback(v->db);
	if (r == -ERR_LIMIT && n > 1) {
		err_clear(err);
		r = look_at(v, keys, n / 2, looks, err);
		return r < 0 ? r : look_at(v, keys + n / 2, n - n / 2, looks + n / 2, err);
	}
	if (r == 0)
		r = fetch(v, keys, n, &by_key, err);
	for (size_t i = 0; i < n && r == 0; i++)
		judge(v, &v->batch.items[i], map_get(&by_key, keys[i]), &looks[i]);
	map_done(&by_key);
	return r;
}

/* --- the two passes -------------------------------------------------------------------------- */

static void add_suspect(struct verify *v, struct str key, struct look *look)
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
	s->key = (struct str){arena_strndup(&v->result->arena, key.data, key.len), key.len};
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
	struct look looks[PAGE];
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
		memset(looks, 0, sizeof(looks));
		r = look_at(v, keys.items, keys.len, looks, err);
		if (r < 0)
			break;
		for (size_t i = 0; i < keys.len; i++) {
			v->result->rows += looks[i].has_row;
			v->result->refused += looks[i].is_refused;
			if (looks[i].differs)
				add_suspect(v, keys.items[i], &looks[i]);
			mem_free(looks[i].paths);
		}
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
		struct look look = {.kind = SYNC_EXTRA};

		if (!present[i])
			add_suspect(v, keys->items[i], &look);
	}
	return r;
}

static int pass_documents(struct verify *v, struct err *err)
{
	bson_t filter = BSON_INITIALIZER;
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "projection", "{", "_id",
				BCON_INT32(1), SYNC_MARK, BCON_INT32(1), "}");
	mongoc_cursor_t *cursor =
	    mongoc_collection_find_with_opts(v->collection, &filter, opts, NULL);
	struct mapping_keys keys = {0};
	const bson_t *doc;
	bson_error_t e;
	int r = 0;

	arena_clear(&v->arena);
	while (r == 0 && mongoc_cursor_next(cursor, &doc)) {
		bson_iter_t id;
		struct str key;

		v->result->documents++;
		if (!bson_has_field(doc, SYNC_MARK) || !bson_iter_init_find(&id, doc, "_id") ||
		    mapping_key_of_id(v->mapping, &id, &v->arena, &key, NULL) < 0) {
			v->result->foreign++;
			continue;
		}
		if (has_left(doc))
			continue;
		mem_grow(&keys.items, &keys.cap, keys.len + 1, sizeof(*keys.items));
		keys.items[keys.len++] = key;
		if (keys.len == PAGE) {
			r = check_page(v, &keys, err);
			keys.len = 0;
			arena_clear(&v->arena);
			progress(v);
		}
	}
	if (r == 0 && mongoc_cursor_error(cursor, &e))
		r = mongo_error(err, &e, NULL, "reading documents");
	if (r == 0)
		r = check_page(v, &keys, err);
	mapping_keys_done(&keys);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(opts);
	return r;
}

/* --- judging suspects ------------------------------------------------------------------------ */

/* Looks again at the suspects that are not settled. */
static int look_again(struct verify *v, size_t *ret_open, struct err *err)
{
	struct look looks[PAGE];
	struct str keys[PAGE];
	size_t index[PAGE], n = 0;

	*ret_open = 0;
	for (size_t i = 0; i <= v->n_suspects; i++) {
		int r;

		if (i < v->n_suspects && !v->suspects[i].is_settled) {
			keys[n] = v->suspects[i].key;
			index[n++] = i;
		}
		if (!n || (n < PAGE && i < v->n_suspects))
			continue;
		arena_clear(&v->arena);
		memset(looks, 0, sizeof(looks));
		r = look_at(v, keys, n, looks, err);
		for (size_t k = 0; k < n && r == 0; k++) {
			struct suspect *s = &v->suspects[index[k]];

			s->is_settled = !looks[k].differs || (looks[k].row_hash == s->row_hash &&
							      looks[k].have_hash == s->have_hash);
			s->is_true = looks[k].differs && s->is_settled;
			s->row_hash = looks[k].row_hash;
			s->have_hash = looks[k].have_hash;
			s->kind = looks[k].kind;
			mem_free(s->paths);
			s->paths = TAKE_PTR(looks[k].paths);
			*ret_open += !s->is_settled;
		}
		if (r < 0)
			return r;
		n = 0;
	}
	return 0;
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

/* A migration on its way is a change in flight. */
static bool is_migrating(struct verify *v)
{
	int64_t n = 0;

	return maria_query_int(v->db, sync_sql_collection_is_migrating,
			       &MARIA_S(mapping_collection(v->mapping)), 1, &n, NULL) == 0 &&
	       n;
}

static int judge_suspects(struct verify *v, struct err *err)
{
	int64_t wait_ms = v->options->wait_ms ? v->options->wait_ms : WAIT_MS_DEFAULT;
	int64_t until = clock_monotonic_us() + wait_ms * 1000;
	size_t open = v->n_suspects;
	bool drained = true;

	for (int round = 0; round < ROUNDS && open && clock_monotonic_us() < until; round++) {
		int r = settle_queue(v, &drained, err);

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
		v->suspects[i].row_hash = 0; /* two more looks */
		n++;
	}
	if (r == 0)
		r = maria_exec(v->db, "COMMIT", err);
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

	res->differences = mem_alloc_array(SYNC_VERIFY_LISTED, sizeof(*res->differences));
	for (size_t i = 0; i < v->n_suspects; i++) {
		const struct suspect *s = &v->suspects[i];
		uint64_t *counters[] = {&res->missing, &res->extra, &res->different};

		if (!s->is_settled)
			res->pending++;
		if (!s->is_true)
			continue;
		++*counters[s->kind];
		if (res->n_differences < SYNC_VERIFY_LISTED)
			res->differences[res->n_differences++] = (struct sync_difference){
			    s->kind, s->key, s->paths ? arena_strdup(&res->arena, s->paths) : NULL};
	}
}

static int record(struct verify *v, struct err *err)
{
	const struct sync_verify_result *r = v->result;
	_cleanup_(mem_freep) char *text =
	    sync_verify_is_equal(r)
		? mem_printf("equal (%llu rows)", (unsigned long long)r->rows)
		: mem_printf("missing %llu, extra %llu, different %llu, pending %llu",
			     (unsigned long long)r->missing, (unsigned long long)r->extra,
			     (unsigned long long)r->different, (unsigned long long)r->pending);

	return maria_run(v->db, sync_sql_collection_verified,
			 (struct maria_value[]){MARIA_S(text), MARIA_S(r->collection)}, 2, NULL,
			 err);
}

int sync_verify(struct maria *db, struct mongo *mongo, const struct mapping *mapping,
		const struct sync_verify_options *options, struct sync_verify_result *ret,
		struct err *err)
{
	struct verify v = {.db = db, .mapping = mapping, .options = options, .result = ret};
	int r = sync_session_init(db, err);

	*ret = (struct sync_verify_result){.collection = mapping_collection(mapping)};
	v.client = mongo_pop(mongo);
	v.collection = mongoc_client_get_collection(v.client, mongo_database(mongo),
						    mapping_collection(mapping));
	if (r == 0)
		r = pass_rows(&v, err);
	v.total = ret->rows * 2;
	if (r == 0)
		r = pass_documents(&v, err);
	if (r == 0)
		r = judge_suspects(&v, err);
	if (r == 0 && options->repair)
		r = repair(&v, err);
	if (r == 0) {
		count_suspects(&v);
		r = record(&v, err);
	}
	for (size_t i = 0; i < v.n_suspects; i++)
		mem_free(v.suspects[i].paths);
	mem_free(v.suspects);
	map_done(&v.suspected);
	mapping_batch_done(&v.batch);
	arena_done(&v.arena);
	mongoc_collection_destroy(v.collection);
	mongo_push(mongo, v.client);
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
