/* Any bytes as a text: terms that are valid, in order, the same again, and found in a dictionary.
 */
#include "fuzz.h"
#include "search/search_analyzer.h"
#include "search/search_terms.h"

#include "base/banned.h"

const char fuzz_corpus[] = "analyzer";

static void check(const struct search_tokens *t, size_t i, size_t text_len)
{
	const struct search_token *k = &t->items[i];

	bug_if(!k->term.len || k->term.len > SEARCH_TERM_MAX);
	bug_if(!k->folded.len || k->folded.len > SEARCH_TERM_MAX);
	bug_if(!utf8_is_valid(k->term.data, k->term.len));
	bug_if(!utf8_is_valid(k->folded.data, k->folded.len));
	bug_if(k->start >= k->end || k->end > text_len);
	bug_if(!k->width || k->position + k->width > t->positions);
	if (!i)
		return;
	bug_if(k->start < k[-1].start || k->position < k[-1].position);
	bug_if(!k->is_piece && k->position < k[-1].position + k[-1].width);
}

static void check_dictionary(const struct search_tokens *t)
{
	struct search_terms *terms = search_terms_new();

	for (size_t i = 0; i < t->n; i++) {
		uint32_t number = search_terms_add(terms, t->items[i].term);

		bug_if(!str_equal(search_terms_text(terms, number), t->items[i].term));
	}
	for (size_t i = 0; i < t->n; i++) {
		struct search_near near[4];
		uint32_t ids[4];
		size_t n = search_terms_near(terms, t->items[i].folded, 2, near, 4);

		for (size_t k = 0; k < n; k++)
			bug_if(near[k].term >= search_terms_count(terms) || !near[k].distance);
		n = search_terms_prefix(terms, t->items[i].term, ids, 4);
		bug_if(!n || ids[0] != search_terms_find(terms, t->items[i].term));
	}
	search_terms_free(terms);
}

/* A first byte of 'n' asks for words that are not stemmed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct search_analyzer *analyzers[2];
	struct str text = {(const char *)data, size};
	struct search_tokens t = {0}, again = {0};
	struct search_analyzer *a;

	if (!analyzers[0])
		bug_if(search_analyzer_new("english", &analyzers[0], NULL) < 0 ||
		       search_analyzer_new(NULL, &analyzers[1], NULL) < 0);
	a = analyzers[size && data[0] == 'n'];
	search_analyze(a, text, &t);
	search_analyze(a, text, &again);
	bug_if(t.n != again.n || t.positions != again.positions);
	for (size_t i = 0; i < t.n; i++) {
		check(&t, i, size);
		bug_if(!str_equal(t.items[i].term, again.items[i].term));
	}
	check_dictionary(&t);
	search_tokens_done(&t);
	search_tokens_done(&again);
	return 0;
}
