/* Documents that are offered, and versions that are known: see sync_offer.h. */
#include "sync/sync_offer.h"

#include "base/banned.h"

/* Some batches of all workers. A consumer that is slower than they are would only take them late.
 */
#define OFFERS_MAX	4096
#define OFFER_BYTES_MAX ((size_t)8 << 20)
#define KNOWN_MAX	4096 /* of a generation; a row comes some milliseconds after its offer */

/* --- offers ---------------------------------------------------------------------------------- */

void sync_offers_add(struct sync_offers *o, const struct mapping *m,
		     const struct mapping_document *d, uint64_t version)
{
	bool is_present = d->state == MAPPING_PRESENT;
	size_t size = sizeof(struct sync_offer) + d->key.len + (is_present ? d->document->len : 0);

	if (d->state == MAPPING_REFUSED || o->n == OFFERS_MAX ||
	    size > OFFER_BYTES_MAX - o->size_bytes)
		return;
	mem_grow(&o->items, &o->cap, o->n + 1, sizeof(*o->items));
	o->items[o->n++] = (struct sync_offer){
	    .mapping = m,
	    .key = arena_str(&o->arena, d->key),
	    .document = is_present ? bson_copy(d->document) : NULL,
	    .version = version,
	};
	o->size_bytes += size;
}

void sync_offers_done(struct sync_offers *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->items[i].document)
			bson_destroy(o->items[i].document);
	}
	mem_free(o->items);
	arena_done(&o->arena);
	*o = (struct sync_offers){0};
}

static void add_to_page(struct sync_offer_page *p, struct map *seen, const struct sync_offer *it)
{
	void **at = map_put(seen, it->key);
	struct mapping_document *d;

	if (!*at)
		*at = &p->documents[p->n++];
	d = *at;
	*d = (struct mapping_document){
	    .key = it->key,
	    .state = it->document ? MAPPING_PRESENT : MAPPING_ABSENT,
	    .document = it->document,
	};
	p->versions[d - p->documents] = it->version;
}

bool sync_offers_next(struct sync_offers *o, uint64_t least, struct sync_offer_page *ret)
{
	struct sync_offer_page p = {0};
	struct map seen = {0};

	for (size_t i = 0; i < o->n; i++) {
		struct sync_offer *it = &o->items[i];

		if (it->version < least)
			it->mapping = NULL;
		if (!it->mapping || (p.mapping && it->mapping != p.mapping))
			continue;
		if (!p.mapping) {
			p.mapping = it->mapping;
			p.documents = arena_alloc(&o->arena, (o->n - i) * sizeof(*p.documents));
			p.versions = arena_alloc(&o->arena, (o->n - i) * sizeof(*p.versions));
		}
		add_to_page(&p, &seen, it);
		it->mapping = NULL;
	}
	map_done(&seen);
	*ret = p;
	return p.n > 0;
}

/* --- known versions -------------------------------------------------------------------------- */

/* A document's name among those of all collections. */
static struct str name_of(struct sync_known *k, const char *collection, struct str key)
{
	strbuf_clear(&k->name);
	strbuf_add(&k->name, collection, strlen(collection) + 1);
	strbuf_add(&k->name, key.data, key.len);
	return strbuf_slice(&k->name);
}

void sync_known_note(struct sync_known *k, const char *collection, struct str key, uint64_t version)
{
	struct str name = name_of(k, collection, key);
	uint64_t *at = map_get(&k->young.versions, name);

	if (!at && k->young.versions.len == KNOWN_MAX) {
		map_done(&k->old.versions);
		arena_done(&k->old.arena);
		k->old = k->young;
		k->young = (struct sync_known_part){0};
	}
	if (!at) {
		at = arena_alloc(&k->young.arena, sizeof(*at));
		*map_put(&k->young.versions, arena_str(&k->young.arena, name)) = at;
	}
	*at = version;
}

uint64_t sync_known_version(struct sync_known *k, const char *collection, struct str key)
{
	struct str name = name_of(k, collection, key);
	const uint64_t *at = map_get(&k->young.versions, name);

	if (!at)
		at = map_get(&k->old.versions, name);
	return at ? *at : 0;
}

void sync_known_done(struct sync_known *k)
{
	map_done(&k->young.versions);
	map_done(&k->old.versions);
	arena_done(&k->young.arena);
	arena_done(&k->old.arena);
	strbuf_done(&k->name);
	*k = (struct sync_known){0};
}
