/*
 * What a reader of the hand-off (sync_reader.h) keeps in memory beside its tables: documents that
 * were offered and not taken yet, and which versions it has taken. Both are bounded; what does not
 * fit, or is forgotten, is read from MariaDB when its row comes. Guarded by whoever has them.
 */
#pragma once

#include "base/map.h"
#include "mapping/mapping.h"

struct sync_offer {
	const struct mapping *mapping; /* of the reader; NULL: it was looked at */
	struct str key;
	bson_t *document; /* NULL: it is gone */
	uint64_t version;
};

struct sync_offers { /* in the order in which they came; zeroed: none */
	struct arena arena;
	struct sync_offer *items;
	size_t n, cap, size_bytes;
};
/* Copies the document, if there is room; one that is REFUSED comes with its row. */
void sync_offers_add(struct sync_offers *o, const struct mapping *m,
		     const struct mapping_document *d, uint64_t version);
void sync_offers_done(struct sync_offers *o); /* empty and reusable */

/* Offers of one collection, each key once, with the last that was offered. */
struct sync_offer_page {
	const struct mapping *mapping;
	struct mapping_document *documents;
	uint64_t *versions;
	size_t n;
};
/* The next ones, without those of a version below `least`; false: none are left. Lives as long as
 * the offers. */
bool sync_offers_next(struct sync_offers *o, uint64_t least, struct sync_offer_page *ret);

/* The highest version of each document that was taken. Two generations: when the younger is full,
 * the older one is forgotten. */
struct sync_known_part {
	struct arena arena;
	struct map versions;
};
struct sync_known { /* zeroed: nothing is */
	struct sync_known_part young, old;
	struct strbuf name; /* that is looked for */
};
void sync_known_note(struct sync_known *k, const char *collection, struct str key,
		     uint64_t version);
/* 0: it is not known. */
uint64_t sync_known_version(struct sync_known *k, const char *collection, struct str key);
void sync_known_done(struct sync_known *k); /* empty and reusable */
