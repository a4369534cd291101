/*
 * Verification: see sync_verify.h.
 *
 * Two passes, each in the key order of the side that it walks, so that no order of texts has to be
 * the same on both sides: pages of rows, whose documents are fetched by _id and compared; then
 * pages of documents, whose rows are looked up. What differs is a suspect. Suspects are judged in
 * rounds: wait until everything queued now is acknowledged, read both sides again. It is a true
 * difference when the snapshot of the row shows nothing queued for it, and row and document (with
 * its mark, which tells one write from another) are as they were in the rounds before: values that
 * come back are changes in flight, not differences.
 */
#include "sync/sync_verify.h"

#include "sync/sync_int.h"

#include "base/banned.h"

#define PAGE		500
#define ROUNDS		50 /* hot keys change between any two looks; within the waiting time */
#define PAGE_BYTES_MAX	((size_t)16 << 20)
#define WAIT_MS_DEFAULT 30000
#define SUSPECTS_MAX	100000 /* beyond, the rest is counted without a second look */
#define READ_BYTES_MAX	((size_t)256 << 20)
#define SAME_LOOKS	2     /* in a row, behind the first one */
#define PENDING_MAX	10000 /* queued rows that are looked at; with more, all is in flight */

struct suspect {
	struct str key;
	uint64_t row_hash, have_hash; /* of what the row makes, of what is there with its mark */
	unsigned n_same;	      /* looks in a row that showed the same */
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
	uint64_t n_strays; /* marked documents that no row can have */
	struct map suspected;
	struct arena lists;
	const char *const *retired; /* fields of a former mapping that still have to go */
	bool wants_pending;	    /* whether looks say what is queued */
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
	bool differs, has_row, is_refused;
	bool is_pending; /* something is queued for it; only with wants_pending */
	enum sync_difference_kind kind;
	uint64_t row_hash, have_hash;
	char *paths; /* owned */
};

static bool has_left(const bson_t *doc)
{
	return bson_has_field(doc, "_sync.left_at");
}

/* Paths that differ, with fields of a former mapping that are still there; NULL: none. */
static char *diff(const struct verify *v, const bson_t *want, const bson_t *have)
{
	char *paths = sync_diff_documents(want, have);

	for (const char *const *f = v->retired; *f; f++) {
		char *longer;

		if (!bson_has_field(have, SYNC_MARK) || !bson_has_field(have, *f))
			continue;
		longer = mem_printf("%s%s%s", paths ? paths : "", paths ? ", " : "", *f);
		mem_free(paths);
		paths = longer;
	}
	return paths;
}

static uint64_t hash_of(const bson_t *doc)
{
	return doc ? map_hash((struct str){(const char *)bson_get_data(doc), doc->len}) : 0;
}

static void judge(const struct verify *v, const struct mapping_document *d, const bson_t *have,
		  struct look *ret)
{
	bool is_marked = have && bson_has_field(have, SYNC_MARK);

	ret->has_row = d->state == MAPPING_PRESENT;
	ret->is_refused = d->state == MAPPING_REFUSED;
	ret->have_hash = hash_of(have);
	if (d->state == MAPPING_PRESENT) {
		ret->row_hash = hash_of(d->document);
		ret->paths = have ? diff(v, d->document, have) : NULL;
		ret->differs = !have || ret->paths;
		ret->kind = have ? SYNC_DIFFERENT : SYNC_MISSING;
	} else if (d->state == MAPPING_ABSENT) {
		ret->differs = is_marked && !(mapping_keeps_on_leave(v->mapping) && has_left(have));
		ret->kind = SYNC_EXTRA;
	}
}

/* Which of the keys have something queued, as the snapshot that is open shows it. */
static int find_pending(struct verify *v, const struct str *keys, size_t n, struct look *looks,
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
		struct str key = maria_rows_str(rows, 1);

		/* What an expansion touches is not known before it is through. */
		is_all |= maria_rows_uint(rows, 0) != MAPPING_PATH_ROOT || ++n_rows == PENDING_MAX;
		key.data = arena_strndup(&v->arena, key.data, key.len);
		*map_put(&queued, key) = v;
	}
	for (size_t i = 0; i < n; i++)
		looks[i].is_pending = is_all || map_get(&queued, keys[i]);
	map_done(&queued);
	return r;
}

static void append_wanted(const struct verify *v, const struct str *keys, size_t n, bson_t *filter)
{
	bson_t in, ids;

	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &ids);
	for (size_t i = 0; i < n; i++) {
		char buf[16];
		const char *index;

		(void)bson_uint32_to_string((uint32_t)i, &index, buf, sizeof(buf));
		/* A key that cannot be an _id has no document. */
		(void)!mapping_key_append(v->mapping, keys[i], &ids, index, NULL);
	}
	bson_append_array_end(&in, &ids);
	bson_append_document_end(filter, &in);
}

/* Only what is compared: users may have put megabytes beside it. */
static void append_projection(const struct verify *v, bson_t *opts)
{
	const char *const *lists[] = {mapping_owned_fields(v->mapping), v->retired};
	bson_t fields;

	BSON_APPEND_DOCUMENT_BEGIN(opts, "projection", &fields);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (const char *const *f = lists[i]; *f; f++)
			BSON_APPEND_INT32(&fields, *f, 1);
	}
	BSON_APPEND_INT32(&fields, SYNC_MARK, 1);
	bson_append_document_end(opts, &fields);
}

/* The documents as they are. The sink has such a query too; verification trusts none of its code.
 */
static int fetch(struct verify *v, const struct str *keys, size_t n, struct map *by_key,
		 struct err *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	const bson_t *doc;
	bson_error_t e;
	int r = 0;

	append_wanted(v, keys, n, &filter);
	append_projection(v, &opts);
	cursor = mongoc_collection_find_with_opts(v->collection, &filter, &opts, NULL);
	while (mongoc_cursor_next(cursor, &doc)) {
		bson_iter_t id;
		struct str key;

		if (bson_iter_init_find(&id, doc, "_id") &&
		    mapping_key_of_id(v->mapping, &id, &v->arena, &key, NULL) == 0)
			*map_put(by_key, key) = mongo_copy_document(doc, &v->arena);
	}
	if (mongoc_cursor_error(cursor, &e))
		r = mongo_error(err, &e, NULL, "reading documents");
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return r;
}

static void clear_looks(struct look *looks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mem_free(looks[i].paths);
	memset(looks, 0, n * sizeof(*looks));
}

/* Both sides of these keys. The looks are empty before; the caller clears them, also after an
 * error. */
static int look_at(struct verify *v, const struct str *keys, size_t n, struct look *looks,
		   struct err *err)
{
	struct map by_key = {0};
	int r = maria_snapshot_begin(v->db, err);

	mapping_batch_clear(&v->batch);
	if (r == 0)
		r = mapping_read(v->mapping, v->db, keys, n, READ_BYTES_MAX, &v->batch, err);
	if (r == 0 && v->wants_pending)
		r = find_pending(v, keys, n, looks, err);
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
	struct look looks[PAGE] = {0};
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
		struct look look = {.kind = SYNC_EXTRA};

		if (!present[i])
			add_suspect(v, keys->items[i], &look);
	}
	return r;
}

static void list_difference(struct sync_verify_result *r, enum sync_difference_kind kind,
			    struct str key, const char *paths)
{
	if (!r->differences)
		r->differences = mem_alloc_array(SYNC_VERIFY_LISTED, sizeof(*r->differences));
	if (r->n_differences < SYNC_VERIFY_LISTED)
		r->differences[r->n_differences++] = (struct sync_difference){
		    kind, key, paths ? arena_strdup(&r->arena, paths) : NULL};
}

/* A marked document whose _id no row can have: no change in flight can make it right. */
static void add_stray(struct verify *v, const bson_t *doc)
{
	bson_t id = BSON_INITIALIZER;
	char *json;

	v->n_strays++;
	if (v->result->n_differences == SYNC_VERIFY_LISTED)
		return;
	bson_copy_to_excluding_noinit(doc, &id, SYNC_MARK, (char *)NULL);
	json = bson_as_relaxed_extended_json(&id, NULL);
	list_difference(v->result, SYNC_EXTRA, str_from(arena_strdup(&v->result->arena, json)),
			NULL);
	bson_free(json);
	bson_destroy(&id);
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
		if (!bson_has_field(doc, SYNC_MARK) || !bson_iter_init_find(&id, doc, "_id")) {
			v->result->foreign++;
			continue;
		}
		if (mapping_key_of_id(v->mapping, &id, &v->arena, &key, NULL) < 0) {
			add_stray(v, doc);
			continue;
		}
		if (has_left(doc))
			continue;
		mem_grow(&keys.items, &keys.cap, keys.len + 1, sizeof(*keys.items));
		keys.items[keys.len++] = key;
		if (keys.len == PAGE || v->arena.used_bytes > PAGE_BYTES_MAX) {
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

static void judge_again(struct suspect *s, struct look *look)
{
	bool is_same = look->row_hash == s->row_hash && look->have_hash == s->have_hash;

	s->n_same = is_same && !look->is_pending ? s->n_same + 1 : 0;
	s->is_settled = !look->differs || s->n_same >= SAME_LOOKS;
	s->is_true = look->differs && s->is_settled;
	s->row_hash = look->row_hash;
	s->have_hash = look->have_hash;
	s->kind = look->kind;
	mem_free(s->paths);
	s->paths = TAKE_PTR(look->paths);
}

/* Looks again at the suspects that are not settled. */
static int look_again(struct verify *v, size_t *ret_open, struct err *err)
{
	struct look looks[PAGE] = {0};
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

	v->wants_pending = true;
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

		if (!s->is_settled)
			res->pending++;
		if (!s->is_true)
			continue;
		++*counters[s->kind];
		list_difference(res, s->kind, s->key, s->paths);
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

static int read_retired(struct verify *v, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct maria_value params[] = {MARIA_S(mapping_queue(v->mapping)),
				       MARIA_S(mapping_collection(v->mapping))};
	int r = maria_query(v->db, sync_sql_collection_read, params, ARRAY_LEN(params), &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r >= 0)
		v->retired = sync_list_of_json(&v->lists, r > 0 ? maria_rows_str(rows, 2)
								: (struct str){NULL, 0});
	return r < 0 ? r : 0;
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
		r = read_retired(&v, err);
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
		*(is_migrating(&v) ? &ret->pending : &ret->extra) += v.n_strays;
		count_suspects(&v);
		r = record(&v, err);
	}
	for (size_t i = 0; i < v.n_suspects; i++)
		mem_free(v.suspects[i].paths);
	mem_free(v.suspects);
	map_done(&v.suspected);
	mapping_batch_done(&v.batch);
	arena_done(&v.arena);
	arena_done(&v.lists);
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
