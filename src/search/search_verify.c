/*
 * The index as a store that is verified: see search_verify.h.
 *
 * A document's record and the text of its vector are made again and only their hashes compared. A
 * vector that is not that of the text is a difference only when its consumer has nothing of the
 * document left to do; while a model is being asked, hangs or is missing, it is late.
 */
#include "search/search_verify.h"

#include "base/clock.h"
#include "base/map.h"
#include "search/search_record.h"
#include "search/search_text.h"

#include <inttypes.h>
#include <poll.h>

#include "base/banned.h"

#define KEYS_BYTES_MAX	((size_t)2048) /* of a request, which is a line of HTTP */
#define KEYS_MAX	256
#define WAIT_MS_DEFAULT 30000
#define LOOK_MS		100
#define BY_WORDS	1U /* consumers, as bits */
#define BY_MEANING	2U

struct index_store {
	const struct search_collection *rules;
	const struct search_verify_options *options;
	struct sync_store store;
	uint64_t hash; /* of the rules */
	struct arena arena, names;
	struct strbuf text, title, bytes;
	char space[17]; /* of the last answer, as all below */
	bool is_live, has_meaning, is_meaning_live, may_see_pii;
};

/* --- keys ------------------------------------------------------------------------------------ */

void search_verify_add_key(struct strbuf *b, struct str key)
{
	for (size_t i = 0; i < key.len; i++)
		strbuf_addf(b, "%02x", (unsigned char)key.data[i]);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool search_verify_read_key(struct str hex, struct arena *arena, struct str *ret)
{
	char *bytes = arena_alloc(arena, hex.len / 2 + 1);

	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		int high = digit_of(hex.data[i]), low = digit_of(hex.data[i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i / 2] = (char)(high * 16 + low);
	}
	bytes[hex.len / 2] = 0;
	*ret = (struct str){bytes, hex.len / 2};
	return hex.len % 2 == 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static uint64_t hash_of(const json_t *o, const char *name)
{
	return strtoull(text_of(o, name), NULL, 16);
}

static void read_consumers(struct index_store *x, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "consumers");

	for (size_t i = 0; i < SYNC_VERIFY_CONSUMERS; i++) {
		const char **name = &x->store.consumers[i];
		const char *now = json_string_value(json_array_get(list, i));

		if (now && (!*name || !cstr_equal(*name, now)))
			*name = arena_strdup(&x->names, now);
		else if (!now)
			*name = NULL;
	}
}

static int read_state(struct index_store *x, const json_t *answer, struct err *err)
{
	const json_t *meaning = json_object_get(answer, "meaning");

	if (hash_of(answer, "rules") != x->hash) {
		(void)err_set(err, ERR_CONFLICT,
			      "the index was made by other rules than those that are there now");
		return err_hint(err, "`aethermart index rebuild` has it made again");
	}
	(void)snprintf(x->space, sizeof(x->space), "%s", text_of(answer, "space"));
	x->is_live = json_is_true(json_object_get(answer, "is_live"));
	x->has_meaning = json_is_object(meaning);
	x->is_meaning_live = json_is_true(json_object_get(meaning, "is_live"));
	x->may_see_pii = json_is_true(json_object_get(meaning, "may_see_pii"));
	read_consumers(x, answer);
	return 0;
}

static int ask(struct index_store *x, const struct str *keys, size_t n, uint32_t from, json_t **ret,
	       struct err *err)
{
	json_t *answer = NULL;
	int r = x->options->ask(x->options->arg, x->rules->name, keys, n, from, &answer, err);

	if (r == 0)
		r = read_state(x, answer, err);
	if (r < 0) {
		json_decref(answer);
		return r;
	}
	*ret = answer;
	return 0;
}

/* --- documents ------------------------------------------------------------------------------- */

struct have { /* what the index has of a key */
	bool has_record, is_aside;
	uint64_t record, made_of;
};

static int note_documents(struct index_store *x, const json_t *answer, struct map *by_key,
			  struct err *err)
{
	const json_t *list = json_object_get(answer, "documents");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		struct have *h = arena_alloc(&x->arena, sizeof(*h));
		struct str key;

		*h = (struct have){
		    .has_record = json_object_get(o, "record") != NULL,
		    .is_aside = json_is_true(json_object_get(o, "is_aside")),
		    .record = hash_of(o, "record"),
		    .made_of = hash_of(o, "made_of"),
		};
		if (!search_verify_read_key(str_from(text_of(o, "key")), &x->arena, &key))
			return err_set(err, ERR_CORRUPTED, "the worker told of a key that is none");
		*map_put(by_key, key) = h;
	}
	return 0;
}

/* So many keys as one request holds. */
static size_t chunk(const struct mapping_document *rows, size_t n, struct str *keys)
{
	size_t bytes = 0, i = 0;

	for (; i < n && i < KEYS_MAX; i++) {
		bytes += 2 * rows[i].key.len + strlen("&key=");
		if (i && bytes > KEYS_BYTES_MAX)
			break;
		keys[i] = rows[i].key;
	}
	return i;
}

static int fetch(struct index_store *x, const struct mapping_document *rows, size_t n,
		 struct map *by_key, struct err *err)
{
	struct str keys[KEYS_MAX];
	int r = 0;

	for (size_t done = 0, some; done < n && r == 0; done += some) {
		json_t *answer = NULL;

		some = chunk(rows + done, n - done, keys);
		r = ask(x, keys, some, 0, &answer, err);
		if (r == 0)
			r = note_documents(x, answer, by_key, err);
		json_decref(answer);
	}
	return r;
}

/* The hash of the record that should be there. 0: none, it would be too large. */
static int record_of(struct index_store *x, const bson_t *doc, uint64_t *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_record record;
	int r;

	strbuf_clear(&x->bytes);
	search_record_make(x->rules, doc, &arena, &record);
	r = search_record_write(x->rules, &record, &x->bytes, err);
	if (r == -ERR_LIMIT) {
		err_clear(err);
		x->bytes.overflow = false;
		*ret = 0;
		return 0;
	}
	*ret = map_hash(strbuf_slice(&x->bytes));
	return r;
}

/* 0: there should be no vector. */
static uint64_t meaning_of(struct index_store *x, const bson_t *doc)
{
	const struct search_composition *c = search_text_make(x->rules, doc, &x->text, &x->title);

	if (!x->text.len || (c->pii && !x->may_see_pii))
		return 0;
	return search_text_hash(&x->text, &x->title);
}

static void differ(struct sync_look *ret, enum sync_difference_kind kind, uint32_t comes_by)
{
	ret->differs = true;
	ret->kind = kind;
	ret->comes_by = comes_by;
	if (kind == SYNC_DIFFERENT)
		ret->paths = mem_strdup(comes_by == BY_WORDS ? "record" : "vector");
}

static void compare_meaning(struct index_store *x, const bson_t *doc, const struct have *h,
			    struct sync_look *ret)
{
	if (meaning_of(x, doc) == h->made_of)
		return;
	ret->is_late = true;
	if (x->is_meaning_live && !h->is_aside)
		differ(ret, SYNC_DIFFERENT, BY_MEANING);
}

static int compare(struct index_store *x, const struct mapping_document *d, const struct have *h,
		   struct sync_look *ret, struct err *err)
{
	static const struct have nothing;
	uint64_t record = 0;
	int r = 0;

	h = h ? h : &nothing;
	ret->have_hash = h->record * 31 + h->made_of;
	if (d->state == MAPPING_REFUSED)
		return 0;
	if (d->state == MAPPING_PRESENT)
		r = record_of(x, d->document, &record, err);
	if (r < 0)
		return r;
	if (!record && h->has_record)
		differ(ret, SYNC_EXTRA, BY_WORDS);
	else if (!record && h->made_of && d->state == MAPPING_ABSENT)
		differ(ret, SYNC_EXTRA, BY_MEANING);
	else if (record && !h->has_record)
		differ(ret, SYNC_MISSING, BY_WORDS);
	else if (record != h->record)
		differ(ret, SYNC_DIFFERENT, BY_WORDS);
	else if (record)
		compare_meaning(x, d->document, h, ret);
	return 0;
}

static int look(void *arg, const struct mapping_document *rows, size_t n, struct sync_look *ret,
		struct err *err)
{
	struct index_store *x = arg;
	struct map by_key = {0};
	int r;

	arena_clear(&x->arena);
	r = fetch(x, rows, n, &by_key, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = compare(x, &rows[i], map_get(&by_key, rows[i].key), &ret[i], err);
	map_done(&by_key);
	return r;
}

/* --- all that is there ----------------------------------------------------------------------- */

static int walk_page(struct index_store *x, struct sync_walk *w, const json_t *answer,
		     struct err *err)
{
	const json_t *list = json_object_get(answer, "documents");
	int r = 0;

	arena_clear(&x->arena);
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
		struct str hex = str_from(text_of(json_array_get(list, i), "key")), key;

		r = search_verify_read_key(hex, &x->arena, &key)
			? sync_walk_add(w, key, err)
			: err_set(err, ERR_CORRUPTED, "the worker told of a key that is none");
	}
	return r;
}

static int walk(void *arg, struct sync_walk *w, struct err *err)
{
	struct index_store *x = arg;
	char space[sizeof(x->space)] = "";
	uint32_t from = 0;
	int r;

	do {
		json_t *answer = NULL;

		r = ask(x, NULL, 0, from, &answer, err);
		if (r == 0 && from && !cstr_equal(space, x->space))
			r = err_set(err, ERR_CONFLICT,
				    "the index was made anew while it was compared");
		if (r == 0)
			r = walk_page(x, w, answer, err);
		memcpy(space, x->space, sizeof(space));
		from = (uint32_t)json_integer_value(json_object_get(answer, "next"));
		json_decref(answer);
	} while (r == 0 && from);
	return r;
}

/* One that does not answer is looked at again, which tells. */
static bool is_filling(void *arg)
{
	struct index_store *x = arg;
	struct err unused = {0};
	json_t *answer = NULL;

	if (ask(x, NULL, 0, UINT32_MAX, &answer, &unused) < 0)
		return false;
	json_decref(answer);
	return !x->is_live;
}

/* A worker that has just begun has no index yet, and one whose rules have changed makes another. */
static int wait_until_there(struct index_store *x, struct err *err)
{
	int64_t wait_ms = x->options->verify.wait_ms ? x->options->verify.wait_ms : WAIT_MS_DEFAULT;
	int64_t until = clock_monotonic_us() + wait_ms * 1000;

	for (;;) {
		json_t *answer = NULL;
		int r = ask(x, NULL, 0, UINT32_MAX, &answer, err);
		bool may_come = r == -ERR_UNAVAILABLE || r == -ERR_CONFLICT;

		json_decref(answer);
		if ((r < 0 && !may_come) || (r == 0 && x->is_live) || clock_monotonic_us() > until)
			return r;
		err_clear(err);
		(void)poll(NULL, 0, LOOK_MS);
	}
}

int search_verify(struct maria *db, const struct search_rules *rules, const struct mapping *mapping,
		  const struct search_verify_options *options, struct sync_verify_result *ret,
		  struct err *err)
{
	struct index_store x = {
	    .rules = search_rules_find(rules, mapping_collection(mapping)),
	    .options = options,
	    .store = {.look = look, .walk = walk, .is_filling = is_filling},
	    .hash = search_rules_hash(rules),
	    .text = STRBUF_INIT(SEARCH_TEXT_MAX),
	    .title = STRBUF_INIT(SEARCH_TITLE_MAX),
	    .bytes = STRBUF_INIT(2 * SEARCH_RECORD_MAX),
	};
	int r;

	x.store.arg = &x;
	bug_if(!x.rules);
	*ret = (struct sync_verify_result){.collection = mapping_collection(mapping)};
	r = wait_until_there(&x, err);
	if (r == 0)
		r = sync_verify_store(db, mapping, &x.store, &options->verify, ret, err);
	strbuf_done(&x.text);
	strbuf_done(&x.title);
	strbuf_done(&x.bytes);
	arena_done(&x.arena);
	arena_done(&x.names);
	return r < 0 ? err_context(err, "comparing the index") : 0;
}
