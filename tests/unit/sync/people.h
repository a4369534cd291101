/* A small mapping for tests of the sync, and documents from and to JSON texts. */
#pragma once

#include "mapping/mapping.h"

#define PEOPLE_HEAD   "collection: people\ntable: customer\nkey: id\nqueue: people_queue\n"
#define PEOPLE_FIELDS "fields: {id: id, name: name}\nmongodb: {likes: 0, tags: []}\n"

/* Bound to the hand-made schema of the mapping's tests, or to `schema`; freed by the caller. */
struct mapping *people_mapping(const char *yaml, const struct schema *schema);

bson_t *people_json(const char *text);

/* Relaxed JSON; the mark is `<at>` or `<left_at>`. Valid until the next call. */
const char *people_text(const bson_t *b);
