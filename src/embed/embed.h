/*
 * Embeddings: texts become vectors of unit length whose dot product says how near their meanings
 * are.
 *
 * One interface, three providers: `local` (our own transformer, embed/bert.h), `gemini`, and
 * `openai` (any endpoint that speaks its API: Ollama, vLLM, TEI). Which one, with which model and
 * dimension, says the configuration's section `embed`.
 *
 * An embedder is immutable after embedder_open() and may be used by any number of threads at once;
 * scratch memory is each call's own. Calls block until all vectors are there: a remote provider is
 * asked by several requests in parallel within the call, bounded by embed.parallel.
 */
#pragma once

#include "base/config.h"
#include "base/strbuf.h"

extern const struct config_option embed_options[]; /* section "embed" */

#define EMBED_DIMENSION_MAX 4096
#define EMBED_MODEL_MAX	    128		      /* bytes of a model's name, with its NUL */
#define EMBED_TEXT_MAX	    ((size_t)1 << 20) /* bytes of one text; longer: ERR_LIMIT */

/* What the vectors are for: some models want a query and a document told apart. */
enum embed_task { EMBED_QUERY, EMBED_DOCUMENT };

struct embedder;

struct embedder_info {
	const char *provider; /* "local", "gemini", "openai" */
	/* Names the vector space: two vectors may be compared when this text and the dimension are
	 * the same. "local/all-MiniLM-L6-v2", "gemini/gemini-embedding-2". Stored with every
	 * vector. */
	const char *model;
	unsigned dimension;
	bool is_remote;	      /* texts leave this program, and for all it knows the machine */
	const char *endpoint; /* where to, without credentials; NULL when local */
};

/*
 * Opens what the configuration names. A remote provider is not asked yet. ERR_NOT_FOUND: the local
 * model's files are not there (the hint says how to get them); ERR_INVALID_ARGUMENT: a remote one
 * without key or model; ERR_CORRUPTED: the model's files are damaged.
 */
int embedder_open(const struct config *config, struct embedder **ret, struct err *err) _must_check_;

/*
 * Opens the embedder of a recorded vector space, whatever embed.provider and embed.model say, so
 * that an index of the former model can be asked while the new one is built. `model` is an
 * embedder_info's: "local/all-MiniLM-L6-v2".
 *
 * What leaves the machine stays what the configuration names: a remote provider is opened only when
 * it is the configured one, or when that is `local` and embed.endpoint is set; ERR_PERMISSION
 * otherwise. ERR_NOT_FOUND: what opens is another space (other dimension, other local model). Else
 * as embedder_open().
 */
int embedder_open_as(const struct config *config, const char *model, unsigned dimension,
		     struct embedder **ret, struct err *err) _must_check_;
struct embedder *embedder_free(struct embedder *e);
DEFINE_CLEANUP(struct embedder *, embedder_free)

const struct embedder_info *embedder_info(const struct embedder *e); /* borrowed */

/*
 * Whether a text made from a field with a PII class may be given to it: to `local` always, to a
 * remote one when embed.pii is `remote`. The caller asks; embedder_embed() does not know where a
 * text comes from.
 */
bool embedder_may_see_pii(const struct embedder *e);

/*
 * The vectors of n texts (UTF-8; other bytes count as U+FFFD), one after the other: `ret` has room
 * for n * dimension floats, each vector with an L2 norm of 1. What a model has no room for is cut
 * off. All or nothing.
 *
 * The vectors of queries are kept in memory, as many as embed.query_cache says.
 *
 * ERR_UNAVAILABLE, ERR_TIMEOUT: the provider, after all tries, or a rate limit (the hint says when
 * it asks to come back); ERR_LIMIT: its quota is used up (the message says which), or a text is too
 * long; ERR_PERMISSION: it refuses the key; ERR_NOT_FOUND: it does not know the model;
 * ERR_INVALID_ARGUMENT: it refuses the request; ERR_CORRUPTED: it answered with something that is
 * no vector of the asked dimension.
 */
int embedder_embed(struct embedder *e, enum embed_task task, const struct str *texts, size_t n,
		   float *ret, struct err *err) _must_check_;
