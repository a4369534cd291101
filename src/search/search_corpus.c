/*
 * A corpus: see search_corpus.h. Here: numbers, writing, tidying, reading; opening is in
 * search_corpus_load.c.
 *
 * Two locks. `writing` orders those that append to the files: the writer, and whoever asks for a
 * number. `lock` guards what is in memory: `writing` is taken first, and what readers wait for is
 * only the change in memory, never the disk.
 *
 * A document's content in the file is its terms (search_forward.h) and its record. The terms only
 * save work: where they are not of the dictionary that there is, the texts are analysed again.
 *
 * Lengths of fields are in bytes: only their relation to the average counts, and that is known
 * from the records without analysing them.
 */
#include "search/search_corpus_int.h"

#include "base/bits.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define WIPE_AGE_US 10000000 /* far longer than a query reads a record */
#define DRIFT	    0.1	     /* of an average length, before scores are made anew */

/* --- bits ------------------------------------------------------------------------------------ */

static void set_bit(uint64_t *bits, uint32_t number, bool value)
{
	uint64_t bit = UINT64_C(1) << (number % 64);

	bits[number / 64] = value ? bits[number / 64] | bit : bits[number / 64] & ~bit;
}

void search_corpus_set_live(struct search_corpus *c, uint32_t number, bool value)
{
	set_bit(c->live, number, value);
}

/* --- numbers --------------------------------------------------------------------------------- */

static void reserve_slot(struct search_corpus *c, uint32_t number)
{
	size_t words = number / 64UL + 1, cap = c->words;

	mem_grow(&c->slots, &c->cap, number + 1UL, sizeof(*c->slots));
	mem_grow(&c->live, &cap, words, sizeof(*c->live));
	cap = c->words;
	mem_grow(&c->seen, &cap, words, sizeof(*c->seen));
	c->words = cap;
	c->n = number + 1UL > c->n ? number + 1UL : c->n;
}

/* Locked for writing. */
void search_corpus_name_slot(struct search_corpus *c, uint32_t number, struct str key)
{
	void **entry;

	reserve_slot(c, number);
	if (c->slots[number].key.data)
		return;
	c->slots[number].key = arena_str(&c->arena, key);
	entry = map_put(&c->numbers, c->slots[number].key);
	*entry = (void *)(uintptr_t)(number + 1UL);
}

bool search_corpus_find_number(const struct search_corpus *c, struct str key, uint32_t *ret)
{
	uintptr_t found = (uintptr_t)map_get(&c->numbers, key);

	if (found)
		*ret = (uint32_t)(found - 1);
	return found != 0;
}

bool search_corpus_find(struct search_corpus *c, struct str key, uint32_t *ret)
{
	bool is_there;

	pthread_rwlock_rdlock(&c->lock);
	is_there = search_corpus_find_number(c, key, ret);
	pthread_rwlock_unlock(&c->lock);
	return is_there;
}

/* The number that a new key gets; `writing` is held. */
static int next_number(const struct search_corpus *c, uint32_t *ret, struct err *err)
{
	if (c->n > SEARCH_NUMBERS_MAX)
		return err_set(err, ERR_LIMIT, "the index has %u documents, as many as it can",
			       SEARCH_NUMBERS_MAX);
	*ret = (uint32_t)c->n;
	return 0;
}

static int make_number(struct search_corpus *c, struct str key, uint32_t *ret, struct err *err)
{
	struct search_stored at;
	int r;

	if (search_corpus_find(c, key, ret))
		return search_store_sync(c->store, err);
	r = next_number(c, ret, err);
	if (r == 0)
		r = search_store_put(c->store, *ret, key, NULL, NULL, &at, err);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&c->lock);
	search_corpus_name_slot(c, *ret, key);
	pthread_rwlock_unlock(&c->lock);
	return search_store_sync(c->store, err);
}

int search_corpus_number(struct search_corpus *c, struct str key, uint32_t *ret, struct err *err)
{
	int r;

	pthread_mutex_lock(&c->writing);
	r = make_number(c, key, ret, err);
	pthread_mutex_unlock(&c->writing);
	return r;
}

uint64_t search_corpus_space(const struct search_corpus *c)
{
	return search_store_space(c->store);
}

uint32_t search_corpus_known(const struct search_corpus *c)
{
	return c->known;
}

/* --- a document's terms ---------------------------------------------------------------------- */

struct numbering {
	const struct search_terms *terms;
	struct search_terms
	    *adds; /* the same, when new terms may be added; NULL: they are left out */
	struct search_analyzer *analyzer;
	struct search_tokens *tokens;
	struct search_forward *ret;
	uint8_t field;
};

static void add_term(struct numbering *k, struct str text, uint16_t count)
{
	uint32_t term =
	    k->adds ? search_terms_add(k->adds, text) : search_terms_find(k->terms, text);

	if (term != SEARCH_TERM_NONE)
		search_forward_add(k->ret, term, k->field, count);
}

/* "RTX 4060" is found as "RTX4060" too: a word, a space and a number. */
static void add_model(struct numbering *k, size_t at)
{
	const struct search_token *a = &k->tokens->items[at], *b = a + 1;
	char text[2 * SEARCH_TERM_MAX];

	if (at + 1 == k->tokens->n || a->kind != SEARCH_TOKEN_WORD || a->is_stop ||
	    b->kind != SEARCH_TOKEN_NUMBER || b->position != a->position + 1 ||
	    b->start != a->end + 1 || a->folded.len + b->folded.len > SEARCH_TERM_MAX)
		return;
	memcpy(text, a->folded.data, a->folded.len);
	memcpy(text + a->folded.len, b->folded.data, b->folded.len);
	add_term(k, (struct str){text, a->folded.len + b->folded.len}, SEARCH_COUNT_WORD);
}

static void number_texts(struct numbering *k, const struct search_record *r, size_t n_fields)
{
	k->ret->n = 0;
	for (size_t f = 0; f < n_fields; f++) {
		k->field = (uint8_t)f;
		search_analyze(k->analyzer, r->texts[f], k->tokens);
		for (size_t i = 0; i < k->tokens->n; i++) {
			const struct search_token *t = &k->tokens->items[i];

			add_term(k, t->term, t->is_piece ? SEARCH_COUNT_PIECE : SEARCH_COUNT_WORD);
			add_model(k, i);
		}
	}
	search_forward_sum(k->ret);
}

struct search_rated search_corpus_rated(const struct search_corpus *c,
					const struct search_record *r,
					const struct search_forward *terms)
{
	const struct search_collection *rules = c->options.rules;
	struct search_rated ret = {
	    .terms = terms, .fields = rules->opinion_fields, .rating = (double)NAN};

	for (size_t i = 0; i < r->n_data; i++) {
		if (r->data[i].attribute == rules->opinion && r->data[i].is_number)
			ret.rating = r->data[i].number;
	}
	return ret;
}

void search_corpus_analyze(struct search_corpus *c, const struct search_record *r,
			   struct search_forward *ret)
{
	struct numbering k = {.terms = c->terms,
			      .adds = c->terms,
			      .analyzer = c->analyzer,
			      .tokens = &c->tokens,
			      .ret = ret};

	number_texts(&k, r, c->options.rules->n_fields);
}

static void lengths_of(const struct search_corpus *c, const struct search_record *r, uint32_t *ret)
{
	for (size_t f = 0; f < c->options.rules->n_fields; f++)
		ret[f] = (uint32_t)r->texts[f].len;
}

void search_corpus_count_lengths(struct search_corpus *c, const struct search_record *r,
				 bool is_gone)
{
	for (size_t f = 0; f < c->options.rules->n_fields; f++) {
		if (is_gone)
			c->lengths[f] -= r->texts[f].len;
		else
			c->lengths[f] += r->texts[f].len;
	}
}

static double average(const struct search_corpus *c, size_t field)
{
	return c->documents ? (double)c->lengths[field] / c->documents : 0;
}

void search_corpus_take_averages(struct search_corpus *c)
{
	for (size_t f = 0; f < c->weights.n_fields; f++)
		c->weights.fields[f].average = average(c, f);
}

static bool has_drifted(const struct search_corpus *c)
{
	for (size_t f = 0; f < c->weights.n_fields; f++) {
		double now = average(c, f), then = c->weights.fields[f].average;

		if (now > then * (1 + DRIFT) || now < then * (1 - DRIFT))
			return true;
	}
	return false;
}

/* --- writing --------------------------------------------------------------------------------- */

static bool has_same_texts(const struct search_corpus *c, const struct search_record *a,
			   const struct search_record *b)
{
	for (size_t f = 0; f < c->options.rules->n_fields; f++) {
		if (!str_equal(a->texts[f], b->texts[f]))
			return false;
	}
	return true;
}

/* Terms of the former document that the new one has no longer; into `former`, n numbers. */
static uint32_t *vanished(struct search_corpus *c, size_t *ret_n)
{
	uint32_t *ret = mem_alloc_array(c->former.n + 1, sizeof(*ret));
	size_t k = 0;

	*ret_n = 0;
	for (size_t i = 0; i < c->former.n; i++) {
		uint32_t term = c->former.items[i].term;

		while (k < c->fresh.n && c->fresh.items[k].term < term)
			k++;
		if (k < c->fresh.n && c->fresh.items[k].term == term)
			continue;
		if (!*ret_n || ret[*ret_n - 1] != term)
			ret[(*ret_n)++] = term;
	}
	return ret;
}

struct change {
	uint32_t number;
	struct str key;
	struct search_stored at;
	const struct search_record *old, *now; /* NULL: none */
	bool keeps_terms;		       /* `fresh` is `former` */
};

static void change_words(struct search_corpus *c, const struct change *h)
{
	uint32_t lengths[SEARCH_FIELDS_MAX], *gone;
	size_t n = 0;

	if (h->keeps_terms)
		return;
	gone = vanished(c, &n);
	search_lexical_remove(c->lexical, h->number, gone, n);
	mem_free(gone);
	if (!h->now)
		return;
	lengths_of(c, h->now, lengths);
	search_lexical_put(c->lexical, h->number, c->fresh.items, c->fresh.n, lengths);
}

/* The document's rating, and the words that it goes with. */
static void change_opinion(struct search_corpus *c, const struct search_record *r,
			   const struct search_forward *terms, bool is_added)
{
	struct search_rated rated;

	if (!c->opinion || !r)
		return;
	rated = search_corpus_rated(c, r, terms);
	if (is_added)
		search_opinion_add(c->opinion, &rated);
	else
		search_opinion_remove(c->opinion, &rated);
}

/* What readers see, at once. */
static void change_memory(struct search_corpus *c, const struct change *h)
{
	pthread_rwlock_wrlock(&c->lock);
	search_corpus_name_slot(c, h->number, h->key);
	c->slots[h->number].at = h->at;
	change_words(c, h);
	change_opinion(c, h->old, &c->former, false);
	change_opinion(c, h->now, h->keeps_terms ? &c->former : &c->fresh, true);
	if (h->old) {
		search_columns_remove(c->columns, h->number, h->old->data, h->old->n_data);
		search_corpus_count_lengths(c, h->old, true);
		c->documents--;
	}
	if (h->now) {
		search_columns_put(c->columns, h->number, h->now->data, h->now->n_data);
		search_corpus_count_lengths(c, h->now, false);
		c->documents++;
	}
	set_bit(c->live, h->number, h->now != NULL);
	set_bit(c->seen, h->number, true);
	pthread_rwlock_unlock(&c->lock);
}

static void note_seen(struct search_corpus *c, uint32_t number)
{
	pthread_rwlock_wrlock(&c->lock);
	set_bit(c->seen, number, true);
	pthread_rwlock_unlock(&c->lock);
}

/* The dictionary may get new terms, which are in its file before a document is that has them. */
static int analyze(struct search_corpus *c, const struct search_record *r,
		   struct search_forward *ret, struct err *err)
{
	pthread_rwlock_wrlock(&c->lock);
	search_corpus_analyze(c, r, ret);
	pthread_rwlock_unlock(&c->lock);
	return search_dictionary_save(c->dictionary, c->terms, ret, err);
}

int search_corpus_content(const struct search_corpus *c, const struct search_stored *at,
			  struct strbuf *b, struct search_content *ret, struct err *err)
{
	int r;

	strbuf_clear(b);
	r = search_store_read(c->store, at, b, err);
	if (r == 0)
		r = search_forward_split(strbuf_slice(b), &ret->terms, &ret->space, &ret->record,
					 err);
	return r;
}

struct former { /* what the document was */
	bool is_there;
	struct arena arena;
	struct strbuf bytes;
	struct search_content content;
	struct search_record record;
};

static void former_done(struct former *f)
{
	arena_done(&f->arena);
	strbuf_done(&f->bytes);
}

static int read_former(struct search_corpus *c, uint32_t number, struct former *f, struct err *err)
{
	struct search_stored at = {0};
	int r;

	f->bytes = (struct strbuf)STRBUF_INIT(SEARCH_CONTENT_MAX);
	c->former.n = 0;
	if (number < c->n)
		at = c->slots[number].at;
	f->is_there = at.size != 0;
	if (!f->is_there)
		return 0;
	r = search_corpus_content(c, &at, &f->bytes, &f->content, err);
	if (r == 0)
		r = search_record_read(c->options.rules, f->content.record, &f->arena, &f->record,
				       err);
	return r;
}

/* Its terms, into `former`. */
static int read_former_terms(struct search_corpus *c, struct former *f, struct err *err)
{
	if (search_dictionary_is_kept(c->dictionary) &&
	    f->content.space == search_dictionary_space(c->dictionary) &&
	    search_forward_read(f->content.terms, search_terms_count(c->terms), &c->former))
		return 0;
	return analyze(c, &f->record, &c->former, err);
}

static int write_change(struct search_corpus *c, struct change *h, struct str record,
			struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(SEARCH_CONTENT_MAX);
	const struct search_stored *old = h->number < c->n ? &c->slots[h->number].at : NULL;
	struct str content;
	int r;

	if (h->now) {
		static const struct search_forward none;
		const struct search_forward *terms = h->keeps_terms ? &c->former : &c->fresh;

		search_forward_write(search_dictionary_is_kept(c->dictionary) ? terms : &none,
				     search_dictionary_space(c->dictionary), &b);
		strbuf_add(&b, record.data, record.len);
	}
	content = strbuf_slice(&b);
	r = strbuf_check(&b, "a document's terms", err);
	if (r == 0)
		r = search_store_put(c->store, h->number, h->key, h->now ? &content : NULL, old,
				     &h->at, err);
	if (r == 0)
		change_memory(c, h);
	return r;
}

static int put(struct search_corpus *c, struct str key, const struct search_record *now,
	       struct str record, struct err *err)
{
	_cleanup_(former_done) struct former f = {0};
	struct change h = {.key = key, .now = now};
	int r = search_corpus_find(c, key, &h.number) ? 0 : next_number(c, &h.number, err);

	if (r == 0)
		r = read_former(c, h.number, &f, err);
	if (r < 0)
		return r;
	if (f.is_there && str_equal(f.content.record, record)) {
		note_seen(c, h.number);
		return 0;
	}
	h.old = f.is_there ? &f.record : NULL;
	h.keeps_terms = f.is_there && has_same_texts(c, &f.record, now);
	if (f.is_there)
		r = read_former_terms(c, &f, err);
	if (r == 0 && !h.keeps_terms)
		r = analyze(c, now, &c->fresh, err);
	return r == 0 ? write_change(c, &h, record, err) : r;
}

int search_corpus_put(struct search_corpus *c, struct str key, const bson_t *document,
		      struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(2 * SEARCH_RECORD_MAX);
	struct search_record now;
	int r;

	search_record_make(c->options.rules, document, &arena, &now);
	r = search_record_write(c->options.rules, &now, &b, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&c->writing);
	r = put(c, key, &now, strbuf_slice(&b), err);
	pthread_mutex_unlock(&c->writing);
	return r;
}

static int remove_document(struct search_corpus *c, struct str key, struct err *err)
{
	_cleanup_(former_done) struct former f = {0};
	struct change h = {.key = key, .old = &f.record};
	int r;

	if (!search_corpus_find(c, key, &h.number))
		return 0;
	r = read_former(c, h.number, &f, err);
	if (r == 0 && f.is_there)
		r = read_former_terms(c, &f, err);
	if (r < 0 || !f.is_there)
		return r;
	c->fresh.n = 0;
	return write_change(c, &h, (struct str){"", 0}, err);
}

int search_corpus_remove(struct search_corpus *c, struct str key, struct err *err)
{
	int r;

	pthread_mutex_lock(&c->writing);
	r = remove_document(c, key, err);
	pthread_mutex_unlock(&c->writing);
	return r;
}

/* Documents of whose terms the file of the dictionary was not told yet would be analysed again. */
int search_corpus_sync(struct search_corpus *c, struct err *err)
{
	int r;

	pthread_mutex_lock(&c->writing);
	r = search_dictionary_sync(c->dictionary, err);
	if (r == 0)
		r = search_store_sync(c->store, err);
	pthread_mutex_unlock(&c->writing);
	return r;
}

int search_corpus_save_terms(struct search_corpus *c, uint32_t number,
			     const struct search_record *now, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(SEARCH_CONTENT_MAX);
	struct search_slot *slot = &c->slots[number];
	struct search_stored at;
	struct str content;
	int r = search_dictionary_save(c->dictionary, c->terms, &c->fresh, err);

	search_forward_write(&c->fresh, search_dictionary_space(c->dictionary), &b);
	if (r == 0)
		r = search_record_write(c->options.rules, now, &b, err);
	content = strbuf_slice(&b);
	if (r == 0)
		r = search_store_put(c->store, number, slot->key, &content, &slot->at, &at, err);
	if (r == 0)
		slot->at = at;
	return r;
}

/* --- tidying --------------------------------------------------------------------------------- */

/* Readers wait for the change only, not for the copy. */
static int rewrite(struct search_corpus *c, struct err *err)
{
	struct search_live *all = mem_alloc_array(c->n + 1, sizeof(*all));
	struct search_store *to = NULL;
	int r;

	for (uint32_t i = 0; i < c->n; i++)
		all[i] =
		    (struct search_live){.number = i, .key = c->slots[i].key, .at = c->slots[i].at};
	r = search_store_copy(c->store, all, c->n, &to, err);
	if (r == 0) {
		pthread_rwlock_wrlock(&c->lock);
		search_store_change(c->store, to);
		for (size_t i = 0; i < c->n; i++)
			c->slots[i].at = all[i].at;
		pthread_rwlock_unlock(&c->lock);
	}
	mem_free(all);
	return r;
}

/* A new index beside the one that answers. The dictionary has all the terms, and stays as it is. */
static int weigh_again(struct search_corpus *c, struct err *err)
{
	struct search_weighing w = {.n_terms = search_terms_count(c->terms)};
	struct search_lexical *former = c->lexical;
	int r = 0;

	search_corpus_take_averages(c);
	c->making = search_lexical_new(&c->weights);
	search_corpus_weigh(c, &w);
	for (size_t i = 0; i < w.n_bad && r == 0; i++) {
		_cleanup_(arena_done) struct arena arena = {0};
		struct search_record record;

		r = search_corpus_weigh_texts(c, w.bad[i], &arena, &record, err);
	}
	mem_free(w.bad);
	if (r == 0 && w.n_unreadable)
		r = err_set(err, ERR_CORRUPTED, "%zu records of \"%s\" cannot be read",
			    w.n_unreadable, c->options.path);
	if (r < 0) { /* the former one finds what this one would not */
		c->making = search_lexical_free(c->making);
		return r;
	}
	pthread_rwlock_wrlock(&c->lock);
	c->lexical = TAKE_PTR(c->making);
	pthread_rwlock_unlock(&c->lock);
	search_lexical_free(former);
	return 0;
}

int search_corpus_tidy(struct search_corpus *c, struct err *err)
{
	int r;

	pthread_mutex_lock(&c->writing);
	r = search_store_wipe(c->store, WIPE_AGE_US, err);
	if (r == 0 && search_store_is_wasteful(c->store))
		r = rewrite(c, err);
	if (r == 0 && has_drifted(c))
		r = weigh_again(c, err);
	if (r == 0)
		r = search_dictionary_forget(c->dictionary, c->terms, c->lexical, err);
	pthread_mutex_unlock(&c->writing);
	return r;
}

int search_corpus_reweigh(struct search_corpus *c, struct err *err)
{
	int r;

	pthread_mutex_lock(&c->writing);
	search_corpus_read_weights(c);
	r = weigh_again(c, err);
	pthread_mutex_unlock(&c->writing);
	return r;
}

void search_corpus_see(struct search_corpus *c, struct str key)
{
	uint32_t number;

	pthread_mutex_lock(&c->writing);
	if (search_corpus_find(c, key, &number))
		note_seen(c, number);
	pthread_mutex_unlock(&c->writing);
}

/* --- scans ----------------------------------------------------------------------------------- */

void search_corpus_scan_begin(struct search_corpus *c)
{
	pthread_rwlock_wrlock(&c->lock);
	if (c->words)
		memset(c->seen, 0, c->words * sizeof(*c->seen));
	pthread_rwlock_unlock(&c->lock);
}

size_t search_corpus_unseen(struct search_corpus *c, struct arena *arena, struct str *ret,
			    size_t max)
{
	size_t n = 0;

	pthread_rwlock_rdlock(&c->lock);
	for (uint32_t i = 0; i < c->n && n < max; i++) {
		if (!bits_has(c->live, i) || bits_has(c->seen, i))
			continue;
		ret[n++] = arena_str(arena, c->slots[i].key);
	}
	pthread_rwlock_unlock(&c->lock);
	return n;
}

/* --- reading --------------------------------------------------------------------------------- */

void search_corpus_lock(struct search_corpus *c)
{
	pthread_rwlock_rdlock(&c->lock);
}

void search_corpus_unlock(struct search_corpus *c)
{
	pthread_rwlock_unlock(&c->lock);
}

void search_corpus_view(const struct search_corpus *c, struct search_corpus_view *ret)
{
	*ret = (struct search_corpus_view){
	    .rules = c->options.rules,
	    .terms = c->terms,
	    .lexical = c->lexical,
	    .columns = c->columns,
	    .live = c->live,
	    .words = c->words,
	    .documents = c->documents,
	    .numbers = (uint32_t)c->n,
	};
}

struct str search_corpus_key(const struct search_corpus *c, uint32_t number)
{
	return c->slots[number].key;
}

static int read_record(const struct search_corpus *c, const struct search_stored *at,
		       struct arena *arena, struct search_record *ret, struct err *err)
{
	struct strbuf b = STRBUF_INIT(SEARCH_CONTENT_MAX);
	struct search_content content;
	int r = search_corpus_content(c, at, &b, &content, err);

	if (r == 0) {
		struct str record = content.record;

		record.data = arena_strndup(arena, record.data, record.len);
		r = search_record_read(c->options.rules, record, arena, ret, err);
	}
	strbuf_done(&b);
	return r;
}

int search_corpus_record(const struct search_corpus *c, uint32_t number, struct arena *arena,
			 struct search_record *ret, struct err *err)
{
	if (number >= c->n || !c->slots[number].at.size)
		return err_set(err, ERR_NOT_FOUND, "there is no such document");
	return read_record(c, &c->slots[number].at, arena, ret, err);
}

int search_corpus_bytes(const struct search_corpus *c, uint32_t number, struct strbuf *b,
			struct str *ret, struct err *err)
{
	struct search_content content;
	int r;

	if (number >= c->n || !c->slots[number].at.size)
		return err_set(err, ERR_NOT_FOUND, "there is no such document");
	r = search_corpus_content(c, &c->slots[number].at, b, &content, err);
	if (r == 0)
		*ret = content.record;
	return r;
}

double search_corpus_infer(const struct search_corpus *c, struct search_analyzer *analyzer,
			   const struct search_record *r)
{
	struct search_forward terms = {0};
	struct search_tokens tokens = {0};
	struct numbering k = {
	    .terms = c->terms, .analyzer = analyzer, .tokens = &tokens, .ret = &terms};
	struct search_rated rated;
	double ret;

	if (!c->opinion)
		return (double)NAN;
	number_texts(&k, r, c->options.rules->n_fields);
	rated = search_corpus_rated(c, r, &terms);
	ret = search_opinion_infer(c->opinion, &rated);
	search_tokens_done(&tokens);
	search_forward_done(&terms);
	return ret;
}

void search_corpus_stats(struct search_corpus *c, struct search_corpus_stats *ret)
{
	pthread_rwlock_rdlock(&c->lock);
	*ret = (struct search_corpus_stats){
	    .documents = c->documents,
	    .numbers = (uint32_t)c->n,
	    .terms = search_terms_count(c->terms),
	    .memory_bytes = search_terms_memory(c->terms) + search_lexical_memory(c->lexical) +
			    search_columns_memory(c->columns) +
			    (c->opinion ? search_opinion_memory(c->opinion) : 0) +
			    c->cap * sizeof(*c->slots) + c->numbers.cap * sizeof(struct map_entry) +
			    c->arena.used_bytes,
	    .disk_bytes = search_store_bytes(c->store),
	};
	pthread_rwlock_unlock(&c->lock);
}
