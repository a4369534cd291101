/*
 * Opening a corpus: see search_corpus.h.
 *
 * First the files are read through: which number each key has, where its last record is, and the
 * terms of the dictionary. Then two threads go through the documents: one puts their terms into the
 * postings, the other makes the dictionary and the columns; neither needs what the other makes.
 * Documents whose terms are of another dictionary are analysed at the end, and written anew; those
 * of personal texts, whose words are kept nowhere, at each start.
 *
 * The average lengths of fields, by which postings are weighed, are taken from a sample of the
 * documents: they are needed before all of them were seen.
 */
#include "search/search_corpus_int.h"

#include "base/bits.h"
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

#include "base/banned.h"

#define SAMPLE		 4000
#define ANALYZER_VERSION 1 /* raise it when search_analyzer.c or analyze() make other terms */

/* --- opening --------------------------------------------------------------------------------- */

/* The last record of a key is its document. */
static int load_record(void *arg, uint32_t number, struct str key, const struct search_stored *at,
		       const struct str *content, struct err *err)
{
	struct search_corpus *c = arg;
	uint32_t known = number;

	if ((number < c->n && c->slots[number].key.data && !str_equal(c->slots[number].key, key)) ||
	    (search_corpus_find_number(c, key, &known) && known != number))
		return err_set(err, ERR_CORRUPTED, "two documents have one number");
	search_corpus_name_slot(c, number, key);
	c->slots[number].at = content ? *at : (struct search_stored){0};
	return 0;
}

/* Nothing but the keys' numbers is left. */
static int forget_documents(struct search_corpus *c, struct err *err)
{
	struct search_live *all = mem_alloc_array(c->n + 1, sizeof(*all));
	int r;

	for (uint32_t i = 0; i < c->n; i++)
		all[i] = (struct search_live){.number = i, .key = c->slots[i].key};
	r = search_store_rewrite(c->store, all, c->n, err);
	mem_free(all);
	return r;
}

void search_corpus_read_weights(struct search_corpus *c)
{
	const struct search_collection *rules = c->options.rules;

	c->weights.k1 = rules->ranking.k1;
	c->weights.n_fields = rules->n_fields;
	for (size_t f = 0; f < rules->n_fields; f++) {
		c->weights.fields[f].weight = rules->fields[f].weight;
		c->weights.fields[f].b = rules->fields[f].b;
	}
}

/* --- postings -------------------------------------------------------------------------------- */

static bool is_readable(const struct search_corpus *c, uint32_t number)
{
	return c->slots[number].at.size && bits_has(c->live, number);
}

static void rate(const struct search_corpus *c, struct str record,
		 const struct search_forward *terms, struct search_opinion *opinion)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_rated rated;
	struct search_record r;

	if (search_record_read(c->options.rules, record, &arena, &r, NULL) < 0)
		return;
	rated = search_corpus_rated(c, &r, terms);
	search_opinion_add(opinion, &rated);
}

/* One document: false when its terms are of another dictionary. */
static bool weigh_one(struct search_corpus *c, uint32_t number, struct search_weighing *w,
		      struct strbuf *b, struct search_forward *scratch)
{
	uint32_t lengths[SEARCH_FIELDS_MAX];
	struct search_content content;

	if (search_corpus_content(c, &c->slots[number].at, b, &content, NULL) < 0 ||
	    !search_record_lengths(content.record, c->options.rules->n_fields, lengths)) {
		w->n_unreadable++; /* while opening, the other thread finds it too */
		return true;
	}
	if (!search_dictionary_is_kept(c->dictionary) ||
	    content.space != search_dictionary_space(c->dictionary) ||
	    !search_forward_read(content.terms, w->n_terms, scratch))
		return false;
	search_lexical_put(c->making, number, scratch->items, scratch->n, lengths);
	if (w->opinion)
		rate(c, content.record, scratch, w->opinion);
	return true;
}

void search_corpus_weigh(struct search_corpus *c, struct search_weighing *w)
{
	struct strbuf b = STRBUF_INIT(SEARCH_CONTENT_MAX);
	struct search_forward scratch = {0};
	size_t cap = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		if (!c->slots[i].at.size || weigh_one(c, i, w, &b, &scratch))
			continue;
		mem_grow(&w->bad, &cap, w->n_bad + 1, sizeof(*w->bad));
		w->bad[w->n_bad++] = i;
	}
	search_forward_done(&scratch);
	strbuf_done(&b);
}

/* --- columns --------------------------------------------------------------------------------- */

typedef void (*record_fn)(struct search_corpus *c, uint32_t number, const struct search_record *r);

/* Every `step`th document; one that cannot be read is left out. */
static void each_record(struct search_corpus *c, uint32_t step, record_fn fn)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct strbuf b = STRBUF_INIT(SEARCH_CONTENT_MAX);

	for (uint32_t i = 0; i < c->n; i += step) {
		struct search_content content;
		struct search_record r;

		if (!c->slots[i].at.size)
			continue;
		arena_clear(&arena);
		if (search_corpus_content(c, &c->slots[i].at, &b, &content, NULL) == 0 &&
		    search_record_read(c->options.rules, content.record, &arena, &r, NULL) == 0)
			fn(c, i, &r);
	}
	strbuf_done(&b);
}

static void measure_record(struct search_corpus *c, uint32_t number, const struct search_record *r)
{
	(void)number;
	c->documents++;
	search_corpus_count_lengths(c, r, false);
}

static void take_sample(struct search_corpus *c)
{
	uint32_t step = (uint32_t)(c->n / SAMPLE) + 1;

	each_record(c, step, measure_record);
	search_corpus_take_averages(c);
	memset(c->lengths, 0, sizeof(c->lengths));
	c->documents = 0;
}

static void column_record(struct search_corpus *c, uint32_t number, const struct search_record *r)
{
	search_corpus_set_live(c, number, true);
	measure_record(c, number, r);
	search_columns_put(c->columns, number, r->data, r->n_data);
}

/* --- all of it ------------------------------------------------------------------------------- */

struct weighing {
	struct search_corpus *c;
	struct search_weighing w;
};

static void *weigh_main(void *arg)
{
	struct weighing *k = arg;

	search_corpus_weigh(k->c, &k->w);
	return NULL;
}

int search_corpus_weigh_texts(struct search_corpus *c, uint32_t number, struct arena *arena,
			      struct search_record *ret, struct err *err)
{
	uint32_t lengths[SEARCH_FIELDS_MAX];
	int r = search_corpus_record(c, number, arena, ret, err);

	if (r < 0)
		return r;
	search_corpus_analyze(c, ret, &c->fresh);
	for (size_t f = 0; f < c->options.rules->n_fields; f++)
		lengths[f] = (uint32_t)ret->texts[f].len;
	search_lexical_put(c->making, number, c->fresh.items, c->fresh.n, lengths);
	return 0;
}

/* That its terms are written anew saves the next start some work: a full disk is no reason to find
 * nothing. */
static int analyze_again(struct search_corpus *c, uint32_t number, bool *may_save, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_record r;
	int result;

	if (!is_readable(c, number))
		return 0;
	result = search_corpus_weigh_texts(c, number, &arena, &r, err);
	if (result < 0)
		return result;
	if (c->opinion) {
		struct search_rated rated = search_corpus_rated(c, &r, &c->fresh);

		search_opinion_add(c->opinion, &rated);
	}
	*may_save = *may_save && search_corpus_save_terms(c, number, &r, NULL) == 0;
	return 0;
}

/* They are read again, with all others. */
static void drop_unreadable(struct search_corpus *c)
{
	bool is_sound = true;

	for (uint32_t i = 0; i < c->n; i++) {
		if (!c->slots[i].at.size || bits_has(c->live, i))
			continue;
		c->slots[i].at = (struct search_stored){0};
		is_sound = false;
	}
	if (!is_sound)
		search_store_set_stale(c->store);
}

static int index_documents(struct search_corpus *c, struct err *err)
{
	struct weighing k = {
	    .c = c,
	    .w = {.n_terms = search_dictionary_count(c->dictionary), .opinion = c->opinion}};
	bool may_save = search_dictionary_is_kept(c->dictionary);
	pthread_t thread;
	int r = 0;

	take_sample(c);
	search_lexical_free(c->lexical);
	c->making = search_lexical_new(&c->weights);
	bug_if(pthread_create(&thread, NULL, weigh_main, &k) != 0);
	search_dictionary_load(c->dictionary, c->terms);
	search_columns_start_load(c->columns);
	each_record(c, 1, column_record);
	search_columns_end_load(c->columns);
	pthread_join(thread, NULL);
	drop_unreadable(c);
	for (size_t i = 0; i < k.w.n_bad && r == 0; i++)
		r = analyze_again(c, k.w.bad[i], &may_save, err);
	mem_free(k.w.bad);
	c->lexical = TAKE_PTR(c->making);
	return r;
}

/* A dictionary keeps the words of texts that are gone: not those of people. */
static bool has_personal_words(const struct search_collection *rules)
{
	for (size_t i = 0; i < rules->n_fields; i++) {
		if (rules->fields[i].pii)
			return true;
	}
	return false;
}

static int open_dictionary(struct search_corpus *c, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s.terms", c->options.path);
	const char *language = c->options.language ? c->options.language : "";
	bool is_kept = !has_personal_words(c->options.rules);

	if (!is_kept && unlink(path) < 0 && errno != ENOENT)
		return file_error("remove", path, err);
	return search_dictionary_open(is_kept ? path : NULL,
				      map_hash(str_from(language)) + ANALYZER_VERSION,
				      &c->dictionary, err);
}

static int load(struct search_corpus *c, struct err *err)
{
	struct search_store_options options = {
	    .path = c->options.path, .hash = c->options.hash, .each = load_record, .arg = c};
	int r = search_store_open(&options, &c->store, err);
	bool has_documents = false;

	if (r == 0)
		r = open_dictionary(c, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n && !has_documents; i++)
		has_documents = c->slots[i].at.size != 0;
	if (search_store_is_stale(c->store) && c->n && !has_documents) {
		search_dictionary_load(c->dictionary, c->terms);
		return forget_documents(c, err);
	}
	return index_documents(c, err);
}

static void init_locks(struct search_corpus *c)
{
	pthread_rwlockattr_t attr;

	(void)pthread_rwlockattr_init(&attr);
	(void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&c->lock, &attr);
	(void)pthread_rwlockattr_destroy(&attr);
	(void)pthread_mutex_init(&c->writing, NULL);
}

int search_corpus_open(const struct search_corpus_options *options, struct search_corpus **ret,
		       struct err *err)
{
	_cleanup_(search_corpus_freep) struct search_corpus *c = MEM_NEW(struct search_corpus);
	int r;

	c->options = *options;
	c->options.path = arena_strdup(&c->arena, options->path);
	init_locks(c);
	search_corpus_read_weights(c);
	c->terms = search_terms_new();
	c->lexical = search_lexical_new(&c->weights);
	c->columns = search_columns_new(options->rules);
	if (options->rules->opinion_fields)
		c->opinion = search_opinion_new();
	r = search_analyzer_new(options->language, &c->analyzer, err);
	if (r == 0)
		r = load(c, err);
	if (r < 0)
		return r;
	c->known = (uint32_t)c->n;
	*ret = TAKE_PTR(c);
	return 0;
}

struct search_corpus *search_corpus_free(struct search_corpus *c)
{
	if (!c)
		return NULL;
	search_store_free(c->store);
	search_dictionary_free(c->dictionary);
	search_analyzer_free(c->analyzer);
	search_terms_free(c->terms);
	search_lexical_free(c->lexical);
	search_columns_free(c->columns);
	search_opinion_free(c->opinion);
	search_tokens_done(&c->tokens);
	map_done(&c->numbers);
	search_forward_done(&c->fresh);
	search_forward_done(&c->former);
	mem_free(c->slots);
	mem_free(c->live);
	mem_free(c->seen);
	(void)pthread_rwlock_destroy(&c->lock);
	(void)pthread_mutex_destroy(&c->writing);
	arena_done(&c->arena);
	mem_free(c);
	return NULL;
}

bool search_corpus_is_stale(const struct search_corpus *c)
{
	return search_store_is_stale(c->store);
}
