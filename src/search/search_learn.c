/* Vocabularies of corpora: see search_learn.h. */
#include "search/search_learn.h"

#include "base/banned.h"

struct learning {
	const struct search_corpus_view *view;
	struct search_analyzer *analyzer;
	/* Of the call in hand. */
	void (*each)(void *to, const struct search_value *v);
	void *to;
};

static void tell_value(void *arg, const char *value, uint32_t documents)
{
	const struct learning *l = arg;

	l->each(l->to, &(struct search_value){.text = value, .documents = documents});
}

static void tell_values(void *arg, size_t attribute,
			void (*each)(void *to, const struct search_value *v), void *to)
{
	struct learning *l = arg;

	l->each = each;
	l->to = to;
	search_columns_values(l->view->columns, attribute, tell_value, l);
}

static uint32_t count_word(void *arg, struct str word)
{
	const struct learning *l = arg;
	uint32_t term = search_terms_find(l->view->terms, search_analyzer_stem(l->analyzer, word));

	return term == SEARCH_TERM_NONE ? 0 : search_lexical_documents(l->view->lexical, term);
}

struct search_vocabulary *search_learn(const struct search_corpus_view *view, const char *language)
{
	struct learning l = {.view = view};
	struct search_catalogue catalogue = {.rules = view->rules,
					     .documents = view->documents,
					     .values = tell_values,
					     .word = count_word,
					     .arg = &l};
	struct search_vocabulary *ret;

	if (search_analyzer_new(language, &l.analyzer, NULL) < 0)
		catalogue.word = NULL; /* not of this language: its corpus has none either */
	ret = search_vocabulary_new(&catalogue);
	search_analyzer_free(l.analyzer);
	return ret;
}
