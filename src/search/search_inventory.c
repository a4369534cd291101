/*
 * What the index holds, as the worker tells it for verification: see search_verify.h, where the
 * answer is described.
 *
 * Records are hashed as they are on disk, and by whatever number they stand under: nothing of what
 * is in memory is believed but where they are.
 */
#include "search/search_engine_int.h"

#include "base/map.h"
#include "search/search_verify.h"

#include <inttypes.h>

#include "base/banned.h"

#define PAGE_BYTES ((size_t)512 << 10) /* of the answer; another document is told beyond it */

struct taking {
	struct search_engine *e;
	const char *collection;
	struct search_lent lent;
	struct generation *generation; /* NULL: there is none */
	struct strbuf *json;
	size_t n;
};

static int hash_record(struct taking *t, uint32_t number, uint64_t *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	struct str record = {"", 0};
	int r;

	search_corpus_lock(t->lent.corpus);
	r = search_corpus_bytes(t->lent.corpus, number, &b, &record, err);
	search_corpus_unlock(t->lent.corpus);
	if (r == -ERR_NOT_FOUND) {
		err_clear(err);
		return 0;
	}
	*ret = map_hash(record);
	return r < 0 ? r : 1;
}

/* A collection may have no vectors yet. */
static int look(struct taking *t, struct str key, struct search_known *ret, bool *ret_is_aside,
		struct err *err)
{
	int r;

	*ret = (struct search_known){0};
	*ret_is_aside = false;
	if (!t->generation)
		return 0;
	r = search_index_look(t->generation->index, t->collection, key, ret, ret_is_aside, err);
	if (r != -ERR_NOT_FOUND)
		return r;
	err_clear(err);
	return 0;
}

static int add_document(struct taking *t, uint32_t number, struct str key, struct err *err)
{
	struct search_known known;
	bool is_aside = false;
	uint64_t record = 0;
	int has_record = hash_record(t, number, &record, err);
	int r = has_record < 0 ? has_record : look(t, key, &known, &is_aside, err);

	if (r < 0 || (!has_record && !known.is_there))
		return r;
	strbuf_addstr(t->json, t->n++ ? ",{\"key\":\"" : "{\"key\":\"");
	search_verify_add_key(t->json, key);
	strbuf_addch(t->json, '"');
	if (has_record)
		strbuf_addf(t->json, ",\"record\":\"%016" PRIx64 "\"", record);
	if (known.made_of)
		strbuf_addf(t->json, ",\"made_of\":\"%016" PRIx64 "\"", known.made_of);
	strbuf_addstr(t->json, is_aside ? ",\"is_aside\":true}" : "}");
	return 0;
}

static int add_keys(struct taking *t, const struct search_inventory *q, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < q->n_keys && r == 0; i++) {
		uint32_t number;

		if (search_corpus_find(t->lent.corpus, q->keys[i], &number))
			r = add_document(t, number, q->keys[i], err);
	}
	return r;
}

static uint32_t copy_keys(struct taking *t, uint32_t from, struct arena *arena, struct str *ret)
{
	struct search_corpus_view view;
	uint32_t n = 0;

	search_corpus_lock(t->lent.corpus);
	search_corpus_view(t->lent.corpus, &view);
	for (; n < SEARCH_INVENTORY_PAGE && from < view.numbers && n < view.numbers - from; n++) {
		struct str key = search_corpus_key(t->lent.corpus, from + n);

		ret[n] = arena_str(arena, key);
	}
	search_corpus_unlock(t->lent.corpus);
	return n;
}

static int add_page(struct taking *t, uint32_t from, uint32_t *ret_next, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct str *keys = arena_alloc(&arena, SEARCH_INVENTORY_PAGE * sizeof(*keys));
	uint32_t n = copy_keys(t, from, &arena, keys), i = 0;
	int r = 0;

	for (; i < n && t->json->len < PAGE_BYTES && r == 0; i++)
		r = add_document(t, from + i, keys[i], err);
	*ret_next = i < n || n == SEARCH_INVENTORY_PAGE ? from + i : 0;
	return r;
}

static void add_state(struct taking *t, const struct search_engine *e)
{
	struct strbuf *b = t->json;
	struct generation *g = t->generation;

	strbuf_addf(b, "{\"rules\":\"%016" PRIx64 "\",\"space\":\"%016" PRIx64 "\",\"is_live\":%s",
		    t->lent.hash, search_corpus_space(t->lent.corpus),
		    t->lent.is_live ? "true" : "false");
	strbuf_addf(b, ",\"consumers\":[\"%s\"", e->words_consumer);
	if (g)
		strbuf_addf(b, ",\"%s\"", g->consumer);
	strbuf_addstr(b, "],\"meaning\":");
	if (g)
		strbuf_addf(b, "{\"is_live\":%s,\"may_see_pii\":%s}",
			    search_indexer_is_live(g->indexer, t->collection) ? "true" : "false",
			    embedder_may_see_pii(g->embedder) ? "true" : "false");
	else
		strbuf_addstr(b, "null");
}

static int take(struct taking *t, const struct search_inventory *q, struct err *err)
{
	uint32_t next = 0;
	int r;

	add_state(t, t->e);
	strbuf_addstr(t->json, ",\"documents\":[");
	r = q->n_keys ? add_keys(t, q, err) : add_page(t, q->from, &next, err);
	strbuf_addstr(t->json, "]");
	if (next)
		strbuf_addf(t->json, ",\"next\":%" PRIu32, next);
	strbuf_addch(t->json, '}');
	return r;
}

int search_engine_inventory(struct search_engine *e, const struct search_inventory *q,
			    struct strbuf *json, struct err *err)
{
	struct taking t = {.e = e, .collection = q->collection, .json = json};
	struct search_words *words = search_engine_words(e);
	int r = words ? search_words_lend(words, q->collection, &t.lent, err)
		      : search_engine_not_there(e, err);

	if (r < 0)
		return r;
	bug_if(!t.lent.rules);
	t.generation = search_engine_take_ref(e);
	if (cstr_equal(t.lent.rules->name, q->collection))
		r = take(&t, q, err);
	else /* the name of a scope */
		r = err_set(err, ERR_NOT_FOUND, "\"%s\" is not indexed", q->collection);
	if (t.generation)
		search_engine_drop_ref(e, t.generation);
	search_words_return(words, &t.lent);
	return r;
}
