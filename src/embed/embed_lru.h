/*
 * Vectors of the latest queries: a map from text to vector with a fixed number of places. Who is
 * asked for least recently makes room. Thread-safe: one mutex, held for a lookup and a copy.
 */
#pragma once

#include "base/strbuf.h"

/* Longer texts are not kept: they are no queries that somebody types twice. */
#define EMBED_LRU_TEXT_MAX 1024

struct embed_lru;

/* NULL when `capacity` is 0: the functions below then find and keep nothing. */
struct embed_lru *embed_lru_new(size_t capacity, unsigned dimension);
struct embed_lru *embed_lru_free(struct embed_lru *l);
DEFINE_CLEANUP(struct embed_lru *, embed_lru_free)

bool embed_lru_get(struct embed_lru *l, struct str text, float *ret);
void embed_lru_put(struct embed_lru *l, struct str text, const float *vector);
size_t embed_lru_len(struct embed_lru *l);
