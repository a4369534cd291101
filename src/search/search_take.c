/*
 * From documents to durable vectors: one page of one collection.
 *
 * Each document becomes a change of the index: put, touched (its text is what its vector was made
 * of), removed, left out (personal, and its embedder is not to see it; or without text) or set
 * aside. Texts that are new are embedded in one call. When the provider refuses the call for a
 * reason that one text may be the cause of, it is halved until that text stands alone; before it is
 * blamed, a harmless text is tried, so that a provider that refuses everything sets nothing aside.
 */
#include "search/search_indexer_int.h"
#include "search/search_trace.h"

#include "base/clock.h"
#include "base/map.h"

#include <inttypes.h>

#include "base/banned.h"

struct pending { /* a text to be embedded */
	struct search_change *change;
	struct embed_item item;
};

struct taking {
	struct search_indexer *x;
	struct search_target *t;
	struct arena arena;
	struct search_change *changes;
	size_t n_changes;
	struct pending *pending;
	struct embed_item *items; /* of the call in hand */
	size_t n_pending;
	float *vectors;
	size_t embedded;
	struct search_scan scan;
};

static struct str owner_of(struct taking *k, struct str key)
{
	return search_trace_owner(k->t->name, key, &k->arena);
}

int search_take_forget_all(struct search_indexer *x, const char *collection, struct err *err)
{
	_cleanup_(mem_freep) char *owners = mem_printf("%s:", collection);

	return embed_cache_forget_all(x->options.cache, owners, err);
}

static struct search_change *add_change(struct taking *k, struct str key, enum search_action action)
{
	struct search_change *c = &k->changes[k->n_changes++];

	*c = (struct search_change){.key = key, .action = action};
	return c;
}

/* It loses its vector, and what the cache has of its former text. */
static int leave(struct taking *k, struct str key, const char *kind, const char *reason,
		 struct err *err)
{
	struct search_change *c = add_change(k, key, SEARCH_LEAVE);
	struct embed_cache *cache = k->x->options.cache;
	struct str owner = owner_of(k, key);
	size_t uses = 0;
	int r = embed_cache_uses(cache, owner, &uses, err);

	c->kind = kind;
	c->reason = reason;
	return r == 0 && uses ? embed_cache_forget(cache, owner, err) : r;
}

static void set_aside(struct search_change *c, const char *reason)
{
	c->action = SEARCH_ASIDE;
	c->kind = "error";
	c->reason = reason;
}

static const char *pii_reason(struct taking *k, const char *pii)
{
	const struct embedder_info *info = embedder_info(k->x->options.embedder);

	return arena_printf(&k->arena,
			    "made from personal fields, %s, which %s is not to see "
			    "(embed.pii is \"local\")",
			    pii, info->provider);
}

static struct str copy(struct taking *k, const struct strbuf *b)
{
	return arena_str(&k->arena, strbuf_slice(b));
}

static int number_document(struct taking *k, struct search_change *change, struct err *err)
{
	struct search_indexer *x = k->x;
	struct search_number number = {0};
	int r = search_words_number(x->options.words, k->t->name, change->key, &number, err);

	change->number = number.value;
	if (r < 0 || number.space == search_index_space(x->options.index, k->t->number))
		return r;
	x->is_renumbered = true;
	return err_set(err, ERR_CONFLICT, "the documents of \"%s\" were numbered anew", k->t->name);
}

static int take_present(struct taking *k, const struct mapping_document *d, struct err *err)
{
	struct search_indexer *x = k->x;
	const struct search_composition *c =
	    search_text_make(k->t->rules, d->document, &x->text, &x->title);
	struct search_known known;
	struct search_change *change;
	int r;

	if (!x->text.len)
		return leave(k, d->key, "empty", "the rules make no text of it", err);
	if (c->pii && !embedder_may_see_pii(x->options.embedder))
		return leave(k, d->key, "pii", pii_reason(k, c->pii), err);
	r = search_index_known(x->options.index, k->t->number, d->key, &known, err);
	if (r < 0)
		return r;
	change = add_change(k, d->key, SEARCH_TOUCH);
	change->made_of = search_text_hash(&x->text, &x->title);
	if (known.made_of == change->made_of && (!k->scan.is_forced || known.is_seen))
		return 0;
	r = number_document(k, change, err);
	if (r < 0)
		return r;
	change->action = SEARCH_PUT;
	change->title = copy(k, &x->title);
	k->pending[k->n_pending++] = (struct pending){
	    .change = change,
	    .item = {.text = copy(k, &x->text), .owner = owner_of(k, d->key)},
	};
	return 0;
}

static int take_one(struct taking *k, const struct mapping_document *d, struct err *err)
{
	struct search_known known;
	int r;

	switch (d->state) {
	case MAPPING_PRESENT:
		return take_present(k, d, err);
	case MAPPING_REFUSED:
		set_aside(add_change(k, d->key, SEARCH_ASIDE),
			  arena_strdup(&k->arena, d->error->message));
		return 0;
	case MAPPING_ABSENT:
		break;
	}
	r = search_index_known(k->x->options.index, k->t->number, d->key, &known, err);
	if (r == 0 && known.is_there)
		(void)add_change(k, d->key, SEARCH_REMOVE);
	/* Also one that never came so far may have been embedded. */
	return r == 0 ? embed_cache_forget(k->x->options.cache, owner_of(k, d->key), err) : r;
}

/* --- embedding ------------------------------------------------------------------------------- */

/* Whether one text of a call may be the cause: of a refusal, and of a failure or a silence too, for
 * servers fail at certain texts each time. */
static bool may_be_a_text(int r)
{
	return r == -ERR_INVALID_ARGUMENT || r == -ERR_CORRUPTED || r == -ERR_DOCUMENT ||
	       r == -ERR_UNAVAILABLE || r == -ERR_TIMEOUT;
}

/* Or the cache is what is damaged. */
static bool refuses_everything(const struct search_indexer_options *o)
{
	const struct str harmless = {"a", 1};
	struct embed_cache_stats stats;
	_cleanup_(mem_freep) float *vector =
	    mem_alloc_array(embedder_info(o->embedder)->dimension, sizeof(*vector));

	return embed_cache_stats(o->cache, &stats, NULL) < 0 ||
	       embedder_embed(o->embedder, EMBED_DOCUMENT, &harmless, 1, vector, NULL) < 0;
}

static int embed_range(struct taking *k, size_t first, size_t n, struct err *err)
{
	const struct search_indexer_options *o = &k->x->options;
	unsigned dimension = embedder_info(o->embedder)->dimension;
	float *vectors = k->vectors + first * dimension;
	size_t embedded = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		k->items[i] = k->pending[first + i].item;
	r = embed_cache_embed(o->cache, o->embedder, k->items, n, vectors, &embedded, err);
	k->embedded += r == 0 ? embedded : 0;
	for (size_t i = 0; i < n && r == 0; i++)
		k->pending[first + i].change->vector = vectors + i * dimension;
	if (r == 0 || !may_be_a_text(r) || refuses_everything(o))
		return r;
	if (n == 1) {
		set_aside(k->pending[first].change, arena_strdup(&k->arena, err->message));
		err_clear(err);
		return 0;
	}
	err_clear(err);
	r = embed_range(k, first, n / 2, err);
	return r < 0 ? r : embed_range(k, first + n / 2, n - n / 2, err);
}

static int embed_all(struct taking *k, struct err *err)
{
	size_t dimension = embedder_info(k->x->options.embedder)->dimension;
	int r;

	if (!k->n_pending)
		return 0;
	if (k->x->refusal.code) {
		*err = k->x->refusal;
		return -(int)err->code;
	}
	k->vectors = mem_alloc_array(k->n_pending * dimension, sizeof(*k->vectors));
	k->items = arena_alloc(&k->arena, k->n_pending * sizeof(*k->items));
	r = embed_range(k, 0, k->n_pending, err);
	if (r == 0)
		return 0;
	r = err_context(err, "embedding");
	k->x->refusal = *err;
	return r;
}

/* What needs no vector does not wait for the provider: a document that is gone, or that has become
 * personal, is not to be found any more. Done again with the page, which changes nothing then. */
static void apply_departures(struct taking *k)
{
	struct err unused = {0};
	size_t n = 0;

	for (size_t i = 0; i < k->n_changes; i++) {
		if (k->changes[i].action == SEARCH_REMOVE || k->changes[i].action == SEARCH_LEAVE)
			k->changes[n++] = k->changes[i];
	}
	(void)(search_index_apply(k->x->options.index, k->t->number, k->changes, n, &unused) < 0);
}

int search_take(struct search_indexer *x, struct search_target *t,
		const struct mapping_document *documents, size_t n, struct err *err)
{
	struct taking k = {.x = x, .t = t};
	int64_t since = clock_monotonic_us();
	int r = 0;

	k.changes = arena_alloc(&k.arena, (n + 1) * sizeof(*k.changes));
	k.pending = arena_alloc(&k.arena, (n + 1) * sizeof(*k.pending));
	search_index_scan(x->options.index, t->number, &k.scan);
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_one(&k, &documents[i], err);
	if (r == 0) {
		r = embed_all(&k, err);
		if (r < 0)
			apply_departures(&k);
	}
	if (r == 0)
		r = search_index_apply(x->options.index, t->number, k.changes, k.n_changes, err);
	metric_add(t->m_embedded, k.embedded);
	metric_observe(t->m_seconds, clock_monotonic_us() - since);
	pthread_mutex_lock(&x->mutex);
	t->embedded += (int64_t)k.embedded;
	pthread_mutex_unlock(&x->mutex);
	mem_free(k.vectors);
	arena_done(&k.arena);
	return r;
}
