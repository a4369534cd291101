/*
 * Keeps the corpora (search_corpus.h), one for each collection of the rules, in step with MariaDB:
 * a thread with a connection of its own that reads the hand-off as one consumer
 * (sync/sync_reader.h). Nothing is embedded here, so that what changed is found by its words, and
 * filtered by its attributes, some milliseconds after it was acknowledged, whatever the provider of
 * vectors does.
 *
 *	<dir>/<collection>.records        search_store.h
 *	<dir>/<collection>.records.terms  its dictionary (search_forward.h)
 *	<dir>/scan                        while it is there, all documents have to be read
 *
 * When the rules have changed, corpora are made anew from all documents while those of the former
 * rules go on answering with what they have.
 *
 * Threads: new, start, stop and free from one; the others from any.
 */
#pragma once

#include "search/search_corpus.h"
#include "search/search_index.h"
#include "search/search_query.h"
#include "search/search_suggest.h"
#include "search/search_synonyms.h"
#include "store/maria.h"

#include <jansson.h>

#define SEARCH_LANGUAGE "english" /* of the analyzers, as libstemmer names it */

struct search_words_options { /* texts live as long as the words */
	const struct maria_options *maria;
	const char *mapping_dir;
	const char *rules_path;
	const char *synonyms_path; /* search_synonyms.h; NULL: none */
	const char *dir;
	const char *consumer;		/* of the hand-off */
	const char *const *collections; /* NULL-terminated; NULL: those of the rules */
	size_t batch;			/* documents at a time */
	int64_t forget_ms;		/* after which nothing of what is gone is in a file */
};

struct search_words;

struct search_words *search_words_new(const struct search_words_options *options);
void search_words_start(struct search_words *w);
/* Waits at most `ms`. False: it still waits for its server, and must be left as it is. */
bool search_words_stop(struct search_words *w, int64_t ms);
struct search_words *search_words_free(struct search_words *w); /* it has ended */

/* Waits until there is something to be asked, or why there is not is known; at most `ms`. */
bool search_words_wait(struct search_words *w, int64_t ms);
void search_words_wake(struct search_words *w); /* something was acknowledged; cheap */
/* As sync_reader_offer(). */
void search_words_offer(struct search_words *w, const struct mapping *m,
			const struct mapping_document *documents, size_t n, uint64_t version);
/* Reads every document anew; NULL: of all collections. ERR_NOT_FOUND, ERR_UNAVAILABLE. */
int search_words_rebuild(struct search_words *w, const char *collection, struct err *err)
    _must_check_;
/* What is gone is overwritten in files soon instead of within forget_ms: once, what is old enough
 * by then (records of documents: ten seconds, for a query may still read them). */
void search_words_forget(struct search_words *w);
/* {"ok", "error", "hint", "collections": [...]}; the caller owns it. */
json_t *search_words_status(struct search_words *w);

/* A collection to be asked. The corpus, its rules and the vocabulary live until it is put back. */
struct search_shelf;
struct search_lexicon;
struct search_prompter;
struct search_lent {
	struct search_shelf *shelf; /* to be put back */
	struct search_corpus *corpus;
	const struct search_collection *rules;
	const struct search_scope *scope; /* NULL: all of the collection */
	const struct search_vocabulary *vocabulary;
	const struct search_synonyms *synonyms;	      /* NULL: none */
	struct search_lexicon *lexicon;		      /* whose the vocabulary is */
	const struct search_suggestions *suggestions; /* NULL: none, or not yet */
	struct search_prompter *prompter;	      /* whose they are */
	uint64_t hash;				      /* of the rules */
	bool is_whole;				      /* all documents are in it */
	bool is_live;				      /* and it is the one that is kept in step */
};
/* By the name of a scope or of a collection. ERR_NOT_FOUND: there is neither; ERR_UNAVAILABLE: not
 * there yet. */
int search_words_lend(struct search_words *w, const char *name, struct search_lent *ret,
		      struct err *err) _must_check_;
void search_words_return(struct search_words *w, struct search_lent *l);

/* The number of a document, for its vector: that of the corpora that are kept in step.
 * ERR_UNAVAILABLE: they are not there yet. */
struct search_number {
	uint64_t space; /* search_corpus_space() */
	uint32_t value;
};
int search_words_number(struct search_words *w, const char *collection, struct str key,
			struct search_number *ret, struct err *err) _must_check_;
int search_words_space(struct search_words *w, const char *collection, struct search_numbering *ret,
		       struct err *err) _must_check_;
