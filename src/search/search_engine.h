/*
 * Search as `aethermart serve` runs it, by words and by meaning: which generations of the index
 * there are, which of them answers, and when one takes over from another.
 *
 * A generation holds the vectors of one model (search_index.h). Normally there is one. When the
 * configuration names another model or dimension, a second one is built from all documents while
 * the first goes on answering, and being kept up to date as long as its own model can still be
 * asked; when the second has all documents, it takes over at once and the first is removed.
 *
 *	<dir>/lock           held by the one process that has the index
 *	<dir>/serving        name of the generation that answers
 *	<dir>/g1/ ...        generations
 *	<dir>/words/         the corpora (search_words.h), beside all generations
 *	<dir>/embeddings.db  cache of embeddings (embed/embed_cache.h)
 *	<id_path>            the folder's own name among the consumers of the hand-off
 *
 * Nothing here fails for the caller: what is wrong shows in the status, and is tried again.
 *
 * Threads: start and stop from one; the others from any thread in between.
 */
#pragma once

#include "base/config.h"
#include "base/mem.h"
#include "mapping/mapping.h"
#include "search/search_query.h"
#include "store/maria.h"

extern const struct config_option search_options[]; /* section "index" */

struct search_engine_options {	     /* all live as long as the engine */
	const struct config *config; /* sections "index" and "embed" */
	const struct maria_options *maria;
	const char *mapping_dir;
	const char *rules_path;
	const char *synonyms_path; /* search_synonyms.h; NULL: none */
	const char *dir;
	const char *id_path;
};

struct search_engine;

/* Returns at once; all work is done by threads. With index.enabled false it only drops this
 * folder's consumers, for which changes would gather; when it is true again, all documents are read
 * anew. */
struct search_engine *search_engine_start(const struct search_engine_options *options);
/*
 * Ends the threads and frees the engine. False: one of them still waits for a provider or a server
 * after some seconds; nothing was freed, and the process should end now. State on disk is safe.
 */
bool search_engine_stop(struct search_engine *e);

void search_engine_wake(struct search_engine *e); /* a change was acknowledged; cheap */
/* These are being carried: as sync_reader_offer(), for the words and all generations. */
void search_engine_offer(struct search_engine *e, const struct mapping *m,
			 const struct mapping_document *documents, size_t n, uint64_t version);

/* A JSON object: state, model, collections of the generation that answers and of one being built.
 */
void search_engine_status(struct search_engine *e, struct strbuf *json);
/* ERR_NOT_FOUND: no such collection; ERR_UNAVAILABLE: the index is not there yet. */
int search_engine_rebuild(struct search_engine *e, const char *collection, struct err *err)
    _must_check_;
/* What is gone is overwritten in files now: search_words_forget(). ERR_UNAVAILABLE likewise. */
int search_engine_forget(struct search_engine *e, struct err *err) _must_check_;
/* Appends {"collection", "model", "hits": [{"key", "title", "score"}]}. May take as long as the
 * embedder of the configuration does. */
int search_engine_query(struct search_engine *e, const char *collection, struct str text, size_t k,
			struct strbuf *json, struct err *err) _must_check_;

/*
 * What the index holds, for verification (search_verify.h, which reads the answer): of these keys,
 * or, with none, the next documents from a number on.
 */
struct search_inventory {
	const char *collection;
	size_t n_keys;
	const struct str *keys;
	uint32_t from;
};
#define SEARCH_INVENTORY_PAGE 2000
/* ERR_NOT_FOUND: the collection is not indexed. ERR_UNAVAILABLE: nothing is there yet. */
int search_engine_inventory(struct search_engine *e, const struct search_inventory *q,
			    struct strbuf *json, struct err *err) _must_check_;

/* --- search ---------------------------------------------------------------------------------- */

/* Whom an answer tells of, though it shows only some: all that its total or a facet counts. */
struct search_matched {
	size_t max;
	struct arena *arena;
	uint64_t n;
	struct str *keys; /* NULL: there are more than `max`, or none were asked for */
};

struct search_request { /* texts live for the call */
	const char *in; /* a scope of the rules, or a collection */
	struct str query;
	const char *mode;   /* "hybrid", "lexical", "vector"; NULL: hybrid */
	const char *fusion; /* "sum", "rrf"; NULL: sum */
	const char *const *filters, *const
					*facets; /* as written; facets NULL: those of the rules */
	size_t n_filters, n_facets;
	const char *sort; /* as written; NULL: what is understood, or by relevance */
	size_t limit, offset;
	uint32_t without; /* constraints that are not to be made, as bits */
	bool explains, is_literal;
	bool collapses;			/* things whose titles say the same are one hit */
	struct search_matched *matched; /* NULL: not asked for */
};
/*
 * Appends the answer (search_answer.h). ERR_INVALID_ARGUMENT: a filter, order or facet is none;
 * `ret_wrong` (may be NULL) then names which: "filter", "sort", "facets", "in", "mode".
 * ERR_UNAVAILABLE: there is no index yet, or `mode` is "vector" and its provider does not answer;
 * with "hybrid" words alone answer then, and a note says so.
 */
int search_engine_search(struct search_engine *e, const struct search_request *q,
			 struct strbuf *json, const char **ret_wrong, struct err *err) _must_check_;
/* Appends the document as the index has it. ERR_NOT_FOUND. */
int search_engine_document(struct search_engine *e, const char *in, struct str key,
			   struct strbuf *json, struct err *err) _must_check_;

struct search_like {
	const char *in;
	struct str key; /* of the document that others are like */
	const char *const *filters;
	size_t n_filters, limit, offset;
};
/* Appends {"id", "hits": [...]}: documents like this one, each with its reason; by words as long as
 * there is no vector of it. ERR_NOT_FOUND: there is no such document. */
int search_engine_similar(struct search_engine *e, const struct search_like *q, struct strbuf *json,
			  const char **ret_wrong, struct err *err) _must_check_;

struct search_suggest {
	const char *in;
	struct str typed;     /* so far; a space behind the last word says that it is complete */
	const char *document; /* what a document is called: "product" */
	size_t limit;
};
/* Appends {"query", "suggestions": [{"text", "kind", "filter", "documents"}]}: none where anything
 * is personal, and until the first ones are made. */
int search_engine_suggest(struct search_engine *e, const struct search_suggest *q,
			  struct strbuf *json, struct err *err) _must_check_;

struct search_wish {
	const char *in;
	struct str customer, product; /* keys; one of them is empty */
	uint64_t before; /* orders from this number on do not count; UINT64_MAX: all do */
	size_t limit;
};
/* Appends {"customer" or "product", "hits": [...]}: what is recommended, each with its reason.
 * ERR_NOT_FOUND: there is no such customer or product. ERR_UNAVAILABLE also without MariaDB. */
int search_engine_recommend(struct search_engine *e, const struct search_wish *q,
			    struct strbuf *json, struct err *err) _must_check_;

/* Whether anything of a scope that is searched or shown is personal, by the classes of the
 * mappings. */
int search_engine_is_personal(struct search_engine *e, const char *in, bool *ret, struct err *err)
    _must_check_;
