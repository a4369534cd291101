/*
 * Embeddings that were made once, kept in a file: by model and text, with the owners that use each
 * ("product_catalog:42"), so that a restart or a rebuild of an index embeds nothing twice and an
 * erasure finds what was made of somebody's texts.
 *
 * Not a text is stored, only its keyed hash; what the key is good for, and what not, says
 * embed_cache.c. An owner uses one vector of each model: that of its text.
 *
 * Thread-safe: one mutex, which is not held while vectors are made. Several processes may have the
 * same file open.
 */
#pragma once

#include "embed/embed.h"

#define EMBED_OWNER_MAX 1024 /* bytes; none has 0 */

struct embed_cache;

/*
 * Opens the file, or makes it, readable by its owner only; its folder must exist. ERR_CORRUPTED:
 * the file is no cache of embeddings, or is damaged; ERR_UNSUPPORTED: a newer version made it;
 * ERR_PERMISSION, ERR_NOT_FOUND, ERR_IO: the system says so.
 */
int embed_cache_open(const char *path, struct embed_cache **ret, struct err *err) _must_check_;
struct embed_cache *embed_cache_free(struct embed_cache *c);
DEFINE_CLEANUP(struct embed_cache *, embed_cache_free)

struct embed_item {
	struct str text;
	struct str owner;
};

/*
 * The vectors of n texts, as embedder_embed() gives them for EMBED_DOCUMENT: those that are stored
 * are read, the others made (equal texts once) and stored, durably, in pieces, so that what was
 * made before a failure is there at the next try. Each owner then uses its text's vector and no
 * longer that of its former text. An owner that is named twice has the last text.
 *
 * An owner that is forgotten while this runs stays forgotten: its vector is returned and not
 * stored. A stored vector that is damaged is made anew.
 *
 * `ret_embedded` (may be NULL): how many were made. Errors: of embedder_embed(); ERR_IO: the disk
 * is full or fails, and reading goes on; ERR_CORRUPTED: the file is damaged; ERR_UNAVAILABLE:
 * another process holds it; ERR_INVALID_ARGUMENT: an owner without a name or one that is too long.
 */
int embed_cache_embed(struct embed_cache *c, struct embedder *e, const struct embed_item *items,
		      size_t n, float *ret, size_t *ret_embedded, struct err *err) _must_check_;

/*
 * Erasure: the owner's uses in every model, and the vectors that nobody else uses. Their bytes are
 * overwritten in the file, and the write-ahead log is emptied. ERR_UNAVAILABLE: the uses are gone,
 * but another process reads and keeps the log from being emptied; repeat it.
 */
int embed_cache_forget(struct embed_cache *c, struct str owner, struct err *err) _must_check_;
/* The same for all owners whose names begin so, in pieces: it may take a while, and others are let
 * in between. One that is being embedded while it runs may stay. `prefix` is not empty. */
int embed_cache_forget_all(struct embed_cache *c, const char *prefix, struct err *err) _must_check_;

/* How many vectors the owner uses: one for each model at most. */
int embed_cache_uses(struct embed_cache *c, struct str owner, size_t *ret, struct err *err)
    _must_check_;

/*
 * Retention: vectors that were made before `before`, in seconds since 1970, go with their uses, in
 * pieces: others are let in between, and `pause` (may be NULL) is called; false ends it. Who needs
 * such a vector has it made again. `ret_n`: how many are gone, also when it fails.
 */
int embed_cache_purge(struct embed_cache *c, int64_t before, bool (*pause)(void *arg), void *arg,
		      uint64_t *ret_n, struct err *err) _must_check_;
/* How many would go. */
int embed_cache_count_old(struct embed_cache *c, int64_t before, uint64_t *ret, struct err *err)
    _must_check_;

struct embed_cache_stats {
	size_t models, vectors, uses;
	uint64_t bytes; /* of the file, without its log */
};
int embed_cache_stats(struct embed_cache *c, struct embed_cache_stats *ret, struct err *err)
    _must_check_;
