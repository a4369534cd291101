/* Variants of one thing: see search_twins.h. */
#include "search/search_twins.h"

#include "base/banned.h"

#define WORDS_MIN  3 /* of a title, for it to say what a thing is */
#define WORDS_MAX  64
#define NOT_UNLIKE 0.85F /* vectors of one thing whose titles say so */

/* Each word of a value: "dark grey". */
static void add_value(void *arg, const char *value, uint32_t documents)
{
	struct search_twins *t = arg;

	(void)documents;
	search_analyze(t->analyzer, str_from(value), &t->tokens);
	for (size_t i = 0; i < t->tokens.n; i++) {
		struct str word = t->tokens.items[i].folded;

		if (!map_get(&t->apart, word))
			*map_put(&t->apart, arena_str(t->arena, word)) = t;
	}
}

void search_twins_init(struct search_twins *t, const struct search_corpus_view *view,
		       struct search_analyzer *analyzer, struct arena *arena)
{
	*t = (struct search_twins){
	    .rules = &view->rules->likeness, .analyzer = analyzer, .arena = arena};
	for (size_t i = 0; i < t->rules->n_apart; i++)
		search_columns_values(view->columns, t->rules->apart[i], add_value, t);
}

void search_twins_done(struct search_twins *t)
{
	search_tokens_done(&t->tokens);
	map_done(&t->apart);
}

/* Says what the thing is: no number, no size, no colour. */
static bool is_telling(const struct search_twins *t, const struct search_token *k)
{
	if (k->is_piece || k->is_stop)
		return false;
	for (size_t i = 0; i < k->folded.len; i++) {
		if (k->folded.data[i] >= '0' && k->folded.data[i] <= '9')
			return false;
	}
	return !map_get(&t->apart, k->folded);
}

const char *search_twins_title(struct search_twins *t, struct str title)
{
	struct strbuf b = STRBUF_INIT((size_t)WORDS_MAX * (SEARCH_TERM_MAX + 1));
	const char *ret = NULL;
	size_t n = 0;

	search_analyze(t->analyzer, title, &t->tokens);
	for (size_t i = 0; i < t->tokens.n && n < WORDS_MAX; i++) {
		const struct search_token *k = &t->tokens.items[i];

		if (is_telling(t, k))
			strbuf_addf(&b, "%s%.*s", n++ ? " " : "", STR_ARGS(k->term));
	}
	if (n >= WORDS_MIN)
		ret = arena_strdup(t->arena, strbuf_str(&b));
	strbuf_done(&b);
	return ret;
}

bool search_twins_are_one(const struct search_twins *t, const struct search_twin *a,
			  const struct search_twin *b)
{
	float cosine = 1;

	if (t->rules->twin <= 0)
		return false;
	if (a->vector && b->vector) {
		cosine = 0;
		for (unsigned i = 0; i < t->dimension; i++)
			cosine += a->vector[i] * b->vector[i];
		if (cosine >= (float)t->rules->twin)
			return true;
	}
	return a->title && b->title && cosine >= NOT_UNLIKE && cstr_equal(a->title, b->title);
}
