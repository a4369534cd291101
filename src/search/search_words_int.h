/* Insides of the words, shared by search_words.c (the thread) and search_shelf.c (what it keeps,
 * and who borrows it). */
#pragma once

#include "base/metrics.h"
#include "search/search_index.h"
#include "search/search_suggest.h"
#include "search/search_words.h"
#include "sync/sync_reader.h"

#include <pthread.h>
#include <stdatomic.h>

struct search_thesaurus {
	struct search_synonyms *synonyms;
	unsigned refs; /* of the shelf and of lexicons; under the mutex */
};

struct search_lexicon { /* what queries are understood by, while they are; under the mutex */
	struct search_vocabulary *vocabulary;
	struct search_thesaurus *thesaurus; /* NULL: none */
	unsigned refs;			    /* of queries, and of its book */
};

struct search_prompter { /* suggestions, while somebody looks; under the mutex */
	struct search_suggestions *suggestions;
	unsigned refs; /* of questions, and of its book */
};

struct search_book { /* a collection */
	const struct search_collection *rules;
	const struct mapping *mapping; /* the reader's, which may load others; of the thread */
	struct search_corpus *corpus;
	struct search_lexicon *lexicon; /* under the mutex */
	enum search_phase phase;
	struct strbuf cursor;
	int64_t done, since_us;
	uint64_t changes;		  /* documents put and removed */
	uint64_t learned, learned_values; /* of them in the vocabulary; its values */
	int64_t next_learn_us, next_recount_us;
	struct search_prompter *prompter;   /* under the mutex; NULL: none */
	struct search_suggest_maker *maker; /* NULL: none are being made */
	uint64_t prompted;		    /* of the changes in suggestions */
	int64_t next_prompter_us, made_for_us;
	int64_t documents, waiting, refused; /* what status shows */
	struct metric *m_documents, *m_waiting, *m_refused;
};

struct search_shelf {
	struct search_rules *rules;
	uint64_t hash; /* of the rules, as they were bound */
	struct search_thesaurus *thesaurus;
	size_t n;
	struct search_book books[SEARCH_COLLECTIONS_MAX];
	unsigned refs; /* of queries, of `current` and of `answering`; under the mutex */
	bool is_whole; /* all scans are done */
};

struct search_words {
	struct search_words_options options;
	struct sync_reader *reader;
	pthread_t thread;
	atomic_bool stop;
	atomic_bool wants_forget;
	/* Of the thread. */
	bool is_loaded;
	bool has_scan;	  /* one that has not ended */
	size_t next_scan; /* whose turn it is */
	bool is_damaged;  /* a corpus turned out to be: all of them are opened anew */
	int64_t pause_ms, next_tidy_us, next_count_us;

	/* Held while a number is given, and while files are opened anew: what was given by the
	 * corpora before is in them. Locked before the mutex. */
	pthread_mutex_t numbering;

	pthread_mutex_t mutex;	/* guards all below, and what books say is under it */
	pthread_cond_t changed; /* stop, has_ended, current, failed */
	bool has_ended;
	bool is_detached; /* the files are no longer those that `current` has open */
	bool wants_rebuild[SEARCH_COLLECTIONS_MAX]; /* by place in `current` */
	struct search_shelf *current;		    /* kept in step; NULL: not there yet */
	struct search_shelf *answering;
	enum err_code failed;
	char error[ERR_MESSAGE_MAX], hint[ERR_HINT_MAX];
};

/* Frees it, and all that stands on it; NULL is fine. Not with the mutex held. */
struct search_shelf *search_shelf_free(struct search_words *w, struct search_shelf *s);
/* Mutex held; returns what the caller frees without it, or NULL. */
struct search_shelf *search_shelf_unref(struct search_shelf *s);
struct search_book *search_shelf_find(struct search_shelf *s, const char *collection);
/* Makes the vocabularies of collections whose values changed, or of all. */
void search_shelf_learn(struct search_words *w, struct search_shelf *s, bool at_once);
/* A step of making suggestions of what changed; true: there is more to do. */
bool search_shelf_suggest(struct search_words *w, struct search_shelf *s);
