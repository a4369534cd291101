/*
 * Search by meaning as `aethermart serve` runs it: which generations of the index there are, which
 * of them answers, and when one takes over from another.
 *
 * A generation holds the vectors of one model (search_index.h). Normally there is one. When the
 * configuration names another model or dimension, a second one is built from all documents while
 * the first goes on answering, and being kept up to date as long as its own model can still be
 * asked; when the second has all documents, it takes over at once and the first is removed.
 *
 *	<dir>/lock           held by the one process that has the index
 *	<dir>/serving        name of the generation that answers
 *	<dir>/g1/ ...        generations
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
#include "search/search_query.h"
#include "store/maria.h"

extern const struct config_option search_options[]; /* section "index" */

struct search_engine_options {	     /* all live as long as the engine */
	const struct config *config; /* sections "index" and "embed" */
	const struct maria_options *maria;
	const char *mapping_dir;
	const char *rules_path;
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

/* A JSON object: state, model, collections of the generation that answers and of one being built.
 */
void search_engine_status(struct search_engine *e, struct strbuf *json);
/* ERR_NOT_FOUND: no such collection; ERR_UNAVAILABLE: the index is not there yet. */
int search_engine_rebuild(struct search_engine *e, const char *collection, struct err *err)
    _must_check_;
/* Appends {"collection", "model", "hits": [{"key", "title", "score"}]}. May take as long as the
 * embedder of the configuration does. */
int search_engine_query(struct search_engine *e, const char *collection, struct str text, size_t k,
			struct strbuf *json, struct err *err) _must_check_;
