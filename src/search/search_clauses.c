/*
 * From the words of a query to clauses: see search_find.h.
 *
 * Each word is a clause; what it may also be are its variants: a compound or a model number in one
 * piece or in several, two words that the catalogue writes as one, one word that it writes as two,
 * and, when no document has it, what it may have been meant to be.
 */
#include "search/search_find.h"

#include "base/banned.h"

#define VARIANTS_MAX 12
#define NEAR_MAX     64	  /* candidates for a misspelled word */
#define NEAR_KEPT    6	  /* of them the most frequent */
#define RARE_SHARE   0.02 /* a word so much rarer than a neighbour is taken for its misspelling */
#define SYNONYM	     0.5F
#define PIECES	     0.7F
#define ONE_EDIT     0.8F
#define TWO_EDITS    0.6F

struct making {
	const struct search_corpus_view *view;
	struct search_analyzer *analyzer;
	const struct search_synonyms *synonyms;
	struct search_tokens tokens;
	struct arena *arena;
	struct search_clauses *ret;
	bool takes_stops; /* the query has no other words */
};

struct draft { /* a clause that is being made */
	struct search_variant variants[VARIANTS_MAX];
	size_t n;
	struct strbuf names;
};

static uint32_t documents_of(const struct making *m, uint32_t term)
{
	return term == SEARCH_TERM_NONE ? 0 : search_lexical_documents(m->view->lexical, term);
}

static uint32_t find_term(const struct making *m, struct str text)
{
	uint32_t term = search_terms_find(m->view->terms, text);

	return documents_of(m, term) ? term : SEARCH_TERM_NONE;
}

static void name_variant(struct making *m, struct draft *d, const uint32_t *terms, size_t n)
{
	strbuf_addstr(&d->names, d->names.len ? "; " : "");
	for (size_t i = 0; i < n; i++) {
		struct str text = search_terms_text(m->view->terms, terms[i]);

		strbuf_addf(&d->names, "%s%.*s", i ? " " : "", STR_ARGS(text));
	}
}

static void add_variant(struct making *m, struct draft *d, const uint32_t *terms, size_t n,
			float weight)
{
	uint32_t *copy;

	if (!n || d->n == VARIANTS_MAX)
		return;
	copy = arena_alloc(m->arena, n * sizeof(*copy));
	memcpy(copy, terms, n * sizeof(*copy));
	name_variant(m, d, terms, n);
	d->variants[d->n++] = (struct search_variant){.terms = copy, .n = n, .weight = weight};
}

static void add_term(struct making *m, struct draft *d, struct str text, float weight)
{
	uint32_t term = find_term(m, text);

	if (term != SEARCH_TERM_NONE)
		add_variant(m, d, &term, 1, weight);
}

/* --- variants -------------------------------------------------------------------------------- */

/* Most frequent first among those of one distance. */
static bool is_better(const struct making *m, const struct search_near *a,
		      const struct search_near *b)
{
	if (a->distance != b->distance)
		return a->distance < b->distance;
	return documents_of(m, a->term) > documents_of(m, b->term);
}

static void add_near(struct making *m, struct draft *d, struct str word, uint32_t documents)
{
	struct search_near near[NEAR_MAX];
	unsigned tolerance = search_terms_tolerance(utf8_count(word));
	size_t n, kept = 0;

	n = tolerance ? search_terms_near(m->view->terms, word, tolerance, near, NEAR_MAX) : 0;
	for (size_t i = 1; i < n; i++) { /* few, and nearly in order */
		struct search_near one = near[i];
		size_t k = i;

		for (; k && is_better(m, &one, &near[k - 1]); k--)
			near[k] = near[k - 1];
		near[k] = one;
	}
	for (size_t i = 0; i < n && kept < NEAR_KEPT; i++) {
		uint32_t found = documents_of(m, near[i].term);

		if (near[i].distance > near[0].distance || !found || documents > found * RARE_SHARE)
			break;
		add_variant(m, d, &near[i].term, 1, near[i].distance > 1 ? TWO_EDITS : ONE_EDIT);
		kept++;
	}
}

/* "powerbank": the two words of the catalogue that it consists of, where the rarer one is most
 * frequent. */
static void add_split(struct making *m, struct draft *d, struct str folded)
{
	uint32_t best[2] = {SEARCH_TERM_NONE, SEARCH_TERM_NONE}, most = 1;

	for (size_t i = 3; i + 3 <= folded.len; i++) {
		struct str left, right;
		uint32_t terms[2], n;

		if (((unsigned char)folded.data[i] & 0xC0) == 0x80)
			continue;
		terms[0] = find_term(m, (struct str){folded.data, i});
		left = search_analyzer_stem(m->analyzer, (struct str){folded.data, i});
		if (terms[0] == SEARCH_TERM_NONE)
			terms[0] = find_term(m, left);
		right = search_analyzer_stem(m->analyzer,
					     (struct str){folded.data + i, folded.len - i});
		terms[1] = find_term(m, right);
		n = documents_of(m, terms[0]) < documents_of(m, terms[1])
			? documents_of(m, terms[0])
			: documents_of(m, terms[1]);
		if (n <= most)
			continue;
		most = n;
		memcpy(best, terms, sizeof(best));
	}
	if (best[0] != SEARCH_TERM_NONE)
		add_variant(m, d, best, 2, PIECES);
}

/* The pieces of the whole at `at`, which follow it. */
static void add_pieces(struct making *m, struct draft *d, size_t at)
{
	uint32_t terms[8];
	size_t n = 0;

	for (size_t i = at + 1; i < m->tokens.n && m->tokens.items[i].is_piece; i++) {
		uint32_t term = find_term(m, m->tokens.items[i].term);

		if (term == SEARCH_TERM_NONE || n == ARRAY_LEN(terms))
			return; /* one that no document has: neither do all */
		terms[n++] = term;
	}
	add_variant(m, d, terms, n, PIECES);
}

/* "wi fi": what stands at `at` and the word behind it, written as one, as `wifi` is. */
static void add_joined(struct making *m, struct draft *d, size_t at, size_t next)
{
	const struct search_token *a = &m->tokens.items[at], *b = &m->tokens.items[next];
	char text[2 * SEARCH_TERM_MAX];
	size_t n = a->folded.len + b->folded.len;

	if (n > SEARCH_TERM_MAX || a->is_stop || b->is_stop)
		return;
	memcpy(text, a->folded.data, a->folded.len);
	memcpy(text + a->folded.len, b->folded.data, b->folded.len);
	add_term(m, d, (struct str){text, n}, 1);
	if (a->kind == SEARCH_TOKEN_WORD && b->kind == SEARCH_TOKEN_WORD && !d->n)
		add_term(m, d, search_analyzer_stem(m->analyzer, (struct str){text, n}), 1);
}

/* --- clauses --------------------------------------------------------------------------------- */

static bool is_whole(const struct search_token *t)
{
	return !t->is_piece;
}

static size_t next_whole(const struct making *m, size_t at)
{
	for (at++; at < m->tokens.n && !is_whole(&m->tokens.items[at]);)
		at++;
	return at;
}

static void add_clause(struct making *m, const struct search_token *t, struct draft *d)
{
	struct search_clauses *ret = m->ret;
	struct search_variant *copy;
	uint32_t documents = 0;

	if (ret->n == SEARCH_CLAUSES_MAX)
		return;
	copy = arena_alloc(m->arena, (d->n + 1) * sizeof(*copy));
	memcpy(copy, d->variants, d->n * sizeof(*copy));
	for (size_t i = 0; i < d->n; i++) {
		if (copy[i].n == 1)
			documents += documents_of(m, copy[i].terms[0]);
	}
	ret->used[ret->n] = (struct search_word_used){
	    .word = arena_strndup(m->arena, t->folded.data, t->folded.len),
	    .variants = arena_strdup(m->arena, strbuf_str(&d->names)),
	    .documents = documents,
	};
	ret->items[ret->n++] = (struct search_clause){.variants = copy, .n = d->n, .weight = 1};
}

/* A word of the query on its way to a clause. */
struct word {
	size_t token;
	struct draft draft;
};

static void draft_word(struct making *m, struct draft *d, size_t at, size_t before)
{
	const struct search_token *t = &m->tokens.items[at];
	size_t next = next_whole(m, at);

	d->names = (struct strbuf)STRBUF_INIT(1024);
	add_term(m, d, t->term, 1);
	if (t->kind == SEARCH_TOKEN_JOINED)
		add_pieces(m, d, at);
	if (next < m->tokens.n)
		add_joined(m, d, at, next);
	if (before != SIZE_MAX)
		add_joined(m, d, before, at);
}

/* What stands for several words counts for each of them. */
static void add_synonyms(struct making *m, struct word *words, size_t n)
{
	struct str *terms = arena_alloc(m->arena, (n + 1) * sizeof(*terms));

	for (size_t i = 0; i < n; i++)
		terms[i] = m->tokens.items[words[i].token].term;
	for (size_t i = 0, len; i < n; i += len ? len : 1) {
		const struct search_synonym *list;
		size_t n_list = 0;

		len = search_synonyms_find(m->synonyms, terms + i, n - i, &list, &n_list);
		for (size_t k = 0; len && k < n_list; k++) {
			uint32_t numbers[SEARCH_SYNONYM_WORDS];
			size_t found = 0;

			while (found < list[k].n) {
				numbers[found] = find_term(m, list[k].terms[found]);
				if (numbers[found++] == SEARCH_TERM_NONE)
					break;
			}
			if (!found || numbers[found - 1] == SEARCH_TERM_NONE)
				continue;
			for (size_t w = i; w < i + len; w++)
				add_variant(m, &words[w].draft, numbers, found, SYNONYM);
		}
	}
}

/* Only for a word that is not known, or hardly. */
static void correct_word(struct making *m, struct word *w)
{
	const struct search_token *t = &m->tokens.items[w->token];
	struct draft *d = &w->draft;
	uint32_t documents = d->n ? documents_of(m, d->variants[0].terms[0]) : 0;

	if (t->kind != SEARCH_TOKEN_WORD && t->kind != SEARCH_TOKEN_JOINED)
		return;
	if (!d->n)
		add_split(m, d, t->folded);
	if (d->n <= 1)
		add_near(m, d, t->term, documents);
}

static void make_clauses(struct making *m)
{
	struct word *words = arena_alloc(m->arena, (m->tokens.n + 1) * sizeof(*words));
	size_t before = SIZE_MAX, n = 0;

	for (size_t i = 0; i < m->tokens.n && n < SEARCH_CLAUSES_MAX; i = next_whole(m, i)) {
		if (m->tokens.items[i].is_stop && !m->takes_stops) {
			before = SIZE_MAX;
			continue;
		}
		words[n].token = i;
		draft_word(m, &words[n++].draft, i, before);
		before = i;
	}
	add_synonyms(m, words, n);
	for (size_t i = 0; i < n; i++) {
		correct_word(m, &words[i]);
		add_clause(m, &m->tokens.items[words[i].token], &words[i].draft);
		strbuf_done(&words[i].draft.names);
	}
}

/* All words of a sequence; with `in_pieces`, compounds by what they consist of. */
static void add_set(struct making *m, bool in_pieces, struct search_sequence *ret)
{
	uint32_t *terms = arena_alloc(m->arena, (m->tokens.n + 1) * sizeof(*terms));
	size_t n = 0;

	for (size_t i = 0; i < m->tokens.n; i++) {
		const struct search_token *t = &m->tokens.items[i];

		if (in_pieces ? t->width > 1 : t->is_piece)
			continue;
		terms[n] = find_term(m, t->term);
		if (terms[n++] == SEARCH_TERM_NONE)
			return;
	}
	ret->sets[ret->n++] = (struct search_variant){.terms = terms, .n = n, .weight = 1};
}

static void add_sequence(struct making *m, struct str text, struct search_sequence *list, size_t *n)
{
	struct search_sequence *ret = &list[*n];
	bool has_compounds = false;

	if (*n == SEARCH_CLAUSES_MAX)
		return;
	for (size_t i = 0; i < m->tokens.n; i++)
		has_compounds |= m->tokens.items[i].width > 1;
	*ret = (struct search_sequence){.text = text, .has_order = m->tokens.positions > 1};
	add_set(m, false, ret);
	if (has_compounds)
		add_set(m, true, ret);
	++*n;
}

static void make_phrase(struct making *m, struct str text, const struct search_phrase *p)
{
	struct search_clauses *ret = m->ret;

	search_analyze(m->analyzer, text, &m->tokens);
	if (!m->tokens.n)
		return;
	if (p->is_excluded) {
		add_sequence(m, text, ret->excluded, &ret->n_excluded);
		return;
	}
	make_clauses(m);
	if (p->is_exact)
		add_sequence(m, text, ret->required, &ret->n_required);
}

static struct str text_of(const struct search_understood *u, const struct search_phrase *p)
{
	return (struct str){u->query + p->span.start, p->span.end - p->span.start};
}

static bool has_only_stops(struct making *m, const struct search_understood *u)
{
	for (size_t i = 0; i < u->n_phrases; i++) {
		if (u->phrases[i].is_excluded)
			continue;
		search_analyze(m->analyzer, text_of(u, &u->phrases[i]), &m->tokens);
		for (size_t k = 0; k < m->tokens.n; k++) {
			if (!m->tokens.items[k].is_stop)
				return false;
		}
	}
	return u->n_constraints == 0;
}

void search_clauses_make(const struct search_corpus_view *view, const struct search_find *f,
			 struct arena *arena, struct search_clauses *ret)
{
	const struct search_understood *u = f->understood;
	struct making m = {.view = view,
			   .analyzer = f->analyzer,
			   .synonyms = f->synonyms,
			   .arena = arena,
			   .ret = ret};

	memset(ret, 0, sizeof(*ret));
	m.takes_stops = has_only_stops(&m, u);
	for (size_t i = 0; i < u->n_phrases; i++)
		make_phrase(&m, text_of(u, &u->phrases[i]), &u->phrases[i]);
	search_tokens_done(&m.tokens);
}
