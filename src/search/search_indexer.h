/*
 * Keeps one generation of the index (search_index.h) in step with MariaDB: a thread of its own with
 * a connection of its own, which reads the hand-off as one consumer (sync/sync_reader.h), makes
 * texts by the rules, has them embedded through the cache, and writes the vectors. Whatever its
 * embedder does, hang or fail, holds up nothing but this index.
 *
 * Errors. What concerns everything (a server or a provider that is away, a quota) repeats the page
 * after a pause that grows to a minute; `status` shows it. What concerns one document sets that
 * document aside: it is tried again later and never holds up the others.
 *
 * Threads: new, start, stop and free from one; the others from any.
 */
#pragma once

#include "embed/embed.h"
#include "embed/embed_cache.h"
#include "search/search_index.h"
#include "search/search_rules.h"
#include "search/search_words.h"

#include <jansson.h>

#define SEARCH_CONSUMER_KIND "search" /* in sync_consumer */

struct search_indexer_options {
	const struct maria_options *maria;
	const char *mapping_dir;
	const char *rules_path;
	const char *consumer;		/* of the hand-off */
	const char *consumer_prefix;	/* of this folder's consumers */
	const char *const *collections; /* NULL-terminated; NULL: those of the rules */
	size_t batch;			/* documents at a time */
	int64_t forget_ms;		/* after which nothing of what is gone is in a file */
	struct search_index *index;
	struct search_words *words; /* who numbers the documents */
	struct embedder *embedder;
	struct embed_cache *cache;
	/* Once, on its thread, when all documents are in for the first time. May be NULL. */
	void (*on_built)(void *arg);
	void *arg;
};

struct search_indexer;

/* Texts and objects of `options` live as long as the indexer. */
struct search_indexer *search_indexer_new(const struct search_indexer_options *options);
void search_indexer_start(struct search_indexer *x);
/* Asks the thread to end; waits at most `ms`. False: it still waits for its provider or server, and
 * the indexer must be left as it is. */
bool search_indexer_stop(struct search_indexer *x, int64_t ms);
struct search_indexer *search_indexer_free(struct search_indexer *x); /* it has ended */

/* Whether it is the one that answers queries (its figures are the metrics), and which of this
 * folder's consumers are to stay (NULL-terminated; the list lives as long as the indexer). */
void search_indexer_set_role(struct search_indexer *x, bool is_serving,
			     const char *const *consumers);
/* Something was acknowledged. Cheap. */
void search_indexer_wake(struct search_indexer *x);
/* As sync_reader_offer(). */
void search_indexer_offer(struct search_indexer *x, const struct mapping *m,
			  const struct mapping_document *documents, size_t n, uint64_t version);
/* As search_words_forget(). */
void search_indexer_forget(struct search_indexer *x);
/* Embeds and puts every document anew; NULL: of all collections. ERR_NOT_FOUND. */
int search_indexer_rebuild(struct search_indexer *x, const char *collection, struct err *err)
    _must_check_;
/* All documents of the collection were taken, but for those that wait or are set aside, and nothing
 * is wrong. */
bool search_indexer_is_live(struct search_indexer *x, const char *collection);
/* {"ok", "error", "hint", "round_seconds" (how long the round in hand has taken so far),
 * "collections": [...]}; the caller owns it. */
json_t *search_indexer_status(struct search_indexer *x);
