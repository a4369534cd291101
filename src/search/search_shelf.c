/*
 * What the words keep (search_words.h), and who borrows it: corpora on shelves, their vocabularies
 * and suggestions, each freed by whoever is the last to use it.
 */
#include "search/search_words_int.h"

#include "base/clock.h"
#include "search/search_learn.h"

#include "base/banned.h"

/* What is made now and then, by the thread that takes changes, must not keep them waiting: so many
 * times as long as it takes lie between. */
#define REST	     50
#define LEARN_US     2000000  /* at least, between two vocabularies, when there are other values */
#define RECOUNT_US   60000000 /* when there are as many others of their documents */
#define SUGGEST_US   5000000  /* between two makings of suggestions, when documents change */
#define SUGGEST_STEP 512      /* documents between two looks for changes */

/* --- shelves --------------------------------------------------------------------------------- */

static void drop_thesaurus(struct search_words *w, struct search_thesaurus *t)
{
	bool is_last;

	if (!t)
		return;
	pthread_mutex_lock(&w->mutex);
	is_last = --t->refs == 0;
	pthread_mutex_unlock(&w->mutex);
	if (!is_last)
		return;
	search_synonyms_free(t->synonyms);
	mem_free(t);
}

static struct search_lexicon *free_lexicon(struct search_words *w, struct search_lexicon *l)
{
	if (!l)
		return NULL;
	drop_thesaurus(w, l->thesaurus);
	search_vocabulary_free(l->vocabulary);
	mem_free(l);
	return NULL;
}

static void free_prompter(struct search_prompter *p)
{
	if (!p)
		return;
	search_suggestions_free(p->suggestions);
	mem_free(p);
}

static void close_book(struct search_words *w, struct search_book *b)
{
	free_lexicon(w, b->lexicon);
	free_prompter(b->prompter);
	search_suggest_maker_free(b->maker);
	search_corpus_free(b->corpus);
	strbuf_done(&b->cursor);
}

struct search_shelf *search_shelf_free(struct search_words *w, struct search_shelf *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		close_book(w, &s->books[i]);
	drop_thesaurus(w, s->thesaurus);
	search_rules_free(s->rules);
	mem_free(s);
	return NULL;
}

/* Mutex held; returns what the caller frees without it. */
struct search_shelf *search_shelf_unref(struct search_shelf *s)
{
	return s && --s->refs == 0 ? s : NULL;
}

struct search_book *search_shelf_find(struct search_shelf *s, const char *collection)
{
	for (size_t i = 0; s && i < s->n; i++) {
		if (cstr_equal(s->books[i].rules->name, collection))
			return &s->books[i];
	}
	return NULL;
}

/* --- the vocabulary -------------------------------------------------------------------------- */

/* By the thread that alone changes corpora: nobody waits for it. */
static void learn(struct search_words *w, const struct search_shelf *s, struct search_book *b)
{
	struct search_corpus_view view;
	struct search_lexicon *fresh = MEM_NEW(struct search_lexicon), *former;
	int64_t since = clock_monotonic_us(), now, rest_us;

	search_corpus_view(b->corpus, &view);
	fresh->vocabulary = search_learn(&view, SEARCH_LANGUAGE);
	fresh->refs = 1;
	pthread_mutex_lock(&w->mutex);
	fresh->thesaurus = s->thesaurus;
	if (fresh->thesaurus)
		fresh->thesaurus->refs++;
	former = b->lexicon && --b->lexicon->refs == 0 ? b->lexicon : NULL;
	b->lexicon = fresh;
	pthread_mutex_unlock(&w->mutex);
	free_lexicon(w, former);
	now = clock_monotonic_us();
	rest_us = REST * (now - since);
	b->learned = b->changes;
	b->learned_values = search_columns_values_sum(view.columns);
	b->next_learn_us = now + LEARN_US + rest_us;
	b->next_recount_us = now + RECOUNT_US + rest_us;
}

static bool may_learn(const struct search_book *b, int64_t now)
{
	struct search_corpus_view view;

	if (b->learned == b->changes || now < b->next_learn_us)
		return false;
	search_corpus_view(b->corpus, &view);
	return now >= b->next_recount_us ||
	       search_columns_values_sum(view.columns) != b->learned_values;
}

void search_shelf_learn(struct search_words *w, struct search_shelf *s, bool at_once)
{
	int64_t now = clock_monotonic_us();

	for (size_t i = 0; i < s->n; i++) {
		struct search_book *b = &s->books[i];

		if (!b->lexicon || at_once || may_learn(b, now))
			learn(w, s, b);
	}
}

/* --- suggestions ----------------------------------------------------------------------------- */

static void take_prompter(struct search_words *w, struct search_book *b)
{
	struct search_prompter *fresh = MEM_NEW(struct search_prompter), *former;

	fresh->suggestions = search_suggest_maker_end(TAKE_PTR(b->maker), b->corpus);
	fresh->refs = 1;
	pthread_mutex_lock(&w->mutex);
	former = b->prompter && --b->prompter->refs == 0 ? b->prompter : NULL;
	b->prompter = fresh;
	pthread_mutex_unlock(&w->mutex);
	free_prompter(former);
}

/* Some documents more, so that changes never wait long. True: there is more to do. */
static bool suggest_step(struct search_words *w, struct search_book *b)
{
	int64_t since = clock_monotonic_us();
	struct err unused = {0};
	bool is_due = b->prompted != b->changes || !b->prompter;

	if (!search_suggest_may(b->rules) ||
	    (!b->maker && (!is_due || since < b->next_prompter_us)))
		return false;
	if (!b->maker) {
		b->prompted = b->changes;
		b->made_for_us = 0;
		if (search_suggest_maker_new(b->rules, SEARCH_LANGUAGE, &b->maker, &unused) < 0)
			return false;
	}
	if (!search_suggest_maker_step(b->maker, b->corpus, SUGGEST_STEP))
		take_prompter(w, b);
	b->made_for_us += clock_monotonic_us() - since;
	if (b->maker)
		return true;
	b->next_prompter_us = clock_monotonic_us() + SUGGEST_US + REST * b->made_for_us;
	return false;
}

bool search_shelf_suggest(struct search_words *w, struct search_shelf *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (suggest_step(w, &s->books[i]))
			return true;
	}
	return false;
}

/* --- lending --------------------------------------------------------------------------------- */

static int not_there(const struct search_words *w, struct err *err)
{
	(void)err_set(err, ERR_UNAVAILABLE, "the index is not there yet%s%s", w->failed ? ": " : "",
		      w->failed ? w->error : "");
	return err_hint(err, "%s",
			w->failed && w->hint[0] ? w->hint
						: "`aethermart index status` shows how far it is");
}

int search_words_lend(struct search_words *w, const char *name, struct search_lent *ret,
		      struct err *err)
{
	const struct search_scope *scope = NULL;
	struct search_book *b = NULL;
	int r = 0;

	pthread_mutex_lock(&w->mutex);
	if (w->answering) {
		scope = search_rules_scope(w->answering->rules, name);
		b = search_shelf_find(w->answering, scope ? scope->collection : name);
	}
	if (!w->answering) {
		r = not_there(w, err);
	} else if (!b) {
		r = err_set(err, ERR_NOT_FOUND, "\"%s\" is not indexed", name);
	} else {
		w->answering->refs++;
		b->lexicon->refs++;
		if (b->prompter)
			b->prompter->refs++;
		*ret = (struct search_lent){
		    .shelf = w->answering,
		    .corpus = b->corpus,
		    .rules = b->rules,
		    .scope = scope,
		    .vocabulary = b->lexicon->vocabulary,
		    .lexicon = b->lexicon,
		    .prompter = b->prompter,
		    .suggestions = b->prompter ? b->prompter->suggestions : NULL,
		    .synonyms = b->lexicon->thesaurus ? b->lexicon->thesaurus->synonyms : NULL,
		    .hash = w->answering->hash,
		    .is_whole = w->answering->is_whole,
		    .is_live = w->answering == w->current && b->phase == SEARCH_PHASE_LIVE};
	}
	pthread_mutex_unlock(&w->mutex);
	return r;
}

void search_words_return(struct search_words *w, struct search_lent *l)
{
	struct search_shelf *former;
	struct search_prompter *prompter = NULL;
	struct search_lexicon *lexicon;

	pthread_mutex_lock(&w->mutex);
	if (l->prompter && --l->prompter->refs == 0)
		prompter = l->prompter;
	lexicon = --l->lexicon->refs == 0 ? l->lexicon : NULL;
	former = search_shelf_unref(l->shelf);
	pthread_mutex_unlock(&w->mutex);
	free_lexicon(w, lexicon);
	free_prompter(prompter);
	search_shelf_free(w, former);
	*l = (struct search_lent){0};
}

/* The book that is kept in step, to be put back by drop_shelf(); NULL: that is the error. */
static int hold(struct search_words *w, const char *collection, struct search_shelf **ret_shelf,
		struct search_book **ret, struct err *err)
{
	int r;

	pthread_mutex_lock(&w->mutex);
	*ret_shelf = w->current;
	*ret = w->is_detached ? NULL : search_shelf_find(w->current, collection);
	if (*ret)
		w->current->refs++;
	r = *ret ? 0 : not_there(w, err);
	pthread_mutex_unlock(&w->mutex);
	return r;
}

static void drop_shelf(struct search_words *w, struct search_shelf *s)
{
	struct search_shelf *former;

	pthread_mutex_lock(&w->mutex);
	former = search_shelf_unref(s);
	pthread_mutex_unlock(&w->mutex);
	search_shelf_free(w, former);
}

int search_words_number(struct search_words *w, const char *collection, struct str key,
			struct search_number *ret, struct err *err)
{
	struct search_shelf *s = NULL;
	struct search_book *b = NULL;
	int r;

	pthread_mutex_lock(&w->numbering);
	r = hold(w, collection, &s, &b, err);
	if (b) {
		ret->space = search_corpus_space(b->corpus);
		r = search_corpus_number(b->corpus, key, &ret->value, err);
		drop_shelf(w, s);
	}
	pthread_mutex_unlock(&w->numbering);
	return r;
}

int search_words_space(struct search_words *w, const char *collection, struct search_numbering *ret,
		       struct err *err)
{
	struct search_shelf *s = NULL;
	struct search_book *b = NULL;
	int r = hold(w, collection, &s, &b, err);

	if (!b)
		return r;
	*ret = (struct search_numbering){.space = search_corpus_space(b->corpus),
					 .known = search_corpus_known(b->corpus)};
	drop_shelf(w, s);
	return 0;
}

/* --- status ---------------------------------------------------------------------------------- */

/* Until the scans of all have ended, queries are understood as they were before. */
static json_t *book_status(const struct search_book *b, bool is_whole)
{
	bool is_scanning = !is_whole || b->phase != SEARCH_PHASE_LIVE;
	struct search_corpus_stats stats;
	double s = (double)(clock_monotonic_us() - b->since_us) / 1e6;
	json_t *o;

	search_corpus_stats(b->corpus, &stats);
	o = json_pack(
	    "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "collection", b->rules->name, "state",
	    is_scanning	 ? "indexing"
	    : b->waiting ? "catching up"
			 : "live",
	    "documents", (json_int_t)stats.documents, "waiting", (json_int_t)b->waiting, "refused",
	    (json_int_t)b->refused, "terms", (json_int_t)stats.terms, "memory_bytes",
	    (json_int_t)stats.memory_bytes, "disk_bytes", (json_int_t)stats.disk_bytes);
	if (is_scanning)
		json_object_set_new(o, "scan",
				    json_pack("{s:I, s:I, s:f}", "done", (json_int_t)b->done,
					      "total", (json_int_t)b->documents, "per_second",
					      s > 0 ? (double)b->done / s : 0.0));
	return o;
}

json_t *search_words_status(struct search_words *w)
{
	json_t *list = json_array(), *o;

	pthread_mutex_lock(&w->mutex);
	for (size_t i = 0; w->current && i < w->current->n; i++)
		json_array_append_new(list,
				      book_status(&w->current->books[i],
						  w->current->is_whole && !w->wants_rebuild[i]));
	o = json_pack("{s:b, s:s?, s:s?, s:o}", "ok", w->failed == 0, "error",
		      w->failed ? w->error : NULL, "hint", w->failed && w->hint[0] ? w->hint : NULL,
		      "collections", list);
	pthread_mutex_unlock(&w->mutex);
	return o;
}
