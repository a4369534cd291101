/* What is suggested for what was typed: completed, corrected, narrowed, and never what leads
 * nowhere or is personal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "corpus_fixture.h"
#include "search/search_suggest.h"

#include <stdlib.h>

#include "base/banned.h"

static const char rules_text[] =
    "collections:\n"
    "  c:\n"
    "    title: name\n"
    "    texts: [{parts: [{say: x}]}]\n"
    "    fields:\n"
    "      name: {weight: 8, b: 0.5, parts: [{field: name}]}\n"
    "      about: {parts: [{field: about}]}\n"
    "    attributes:\n"
    "      brand: {field: brand, type: text, ask: filter, facet: true}\n"
    "      category:\n"
    "        {field: category, type: text, ask: filter, facet: true, kind: true,\n"
    "         values: {Laptops: [notebook]}}\n"
    "      switches: {field: switches, type: text, ask: filter,\n"
    "                 values: {Mechanical key switch: [mechanical]}}\n"
    "      secret: {field: secret, type: text}\n";

static const struct {
	const char *name, *about, *brand, *category;
} documents[] = {
    {"Acme wireless keyboard KB100", "with mechanical switches", "Acme", "Keyboards"},
    {"Acme wireless keyboard KB200", "small", "Acme", "Keyboards"},
    {"Acme keyboards, a pair", "two of them", "Acme", "Keyboards"},
    {"Logi wireless keyboard", "slim", "Logi", "Keyboards"},
    {"Logi gaming mouse", "silent", "Logi", "Mice"},
    {"Logi gaming mouse, wireless", "fast", "Logi", "Mice"},
    {"Zoom gaming mouse", "wired", "Zoom", "Mice"},
    {"Zoom RX900 graphics card", "fast", "Zoom", "Graphics Cards"},
    {"Zoom RX950 graphics card", "faster", "Zoom", "Graphics Cards"},
    {"Zoom RX990 graphics card", "fastest", "Zoom", "Graphics Cards"},
    {"Acme laptop 14", "light", "Acme", "Laptops"},
    {"Acme laptop 15", "heavy", "Acme", "Laptops"},
    {"Acme laptop stand", "of wood", "Acme", "Stands"},
};

static struct fixture {
	struct corpus_fixture of;
	struct search_corpus *corpus;
	struct search_suggestions *suggestions;
	struct arena arena;
	struct search_prompted found[SEARCH_SUGGESTIONS_MAX];
	size_t n;
} f;

static struct str key_of(size_t i)
{
	char *text = arena_printf(&f.arena, "%zu", i + 1);

	return str_from(text);
}

static void learn(void)
{
	struct search_suggest_maker *m = NULL;
	struct err err = {0};

	search_suggestions_free(f.suggestions);
	if (search_suggest_maker_new(f.of.collection, "english", &m, &err) < 0)
		fail_msg("%s", err.message);
	while (search_suggest_maker_step(m, f.corpus, 3))
		;
	f.suggestions = search_suggest_maker_end(m, f.corpus);
}

static int start(void **state)
{
	struct err err = {0};

	(void)state;
	f = (struct fixture){0};
	corpus_fixture_start(&f.of, rules_text);
	f.corpus = corpus_fixture_open(&f.of, "a.records", 1);
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		bson_t *b = BCON_NEW("name", documents[i].name, "about", documents[i].about,
				     "brand", documents[i].brand, "category", documents[i].category,
				     "secret", "keystone");

		if (search_corpus_put(f.corpus, key_of(i), b, &err) < 0)
			fail_msg("%s", err.message);
		bson_destroy(b);
	}
	learn();
	return 0;
}

static int end(void **state)
{
	(void)state;
	search_suggestions_free(f.suggestions);
	search_corpus_free(f.corpus);
	arena_done(&f.arena);
	return corpus_fixture_end(&f.of);
}

static void type_bytes(const char *bytes, size_t len, size_t limit)
{
	struct search_corpus_view view;
	struct search_prompt p = {.suggestions = f.suggestions,
				  .view = &view,
				  .corpus = f.corpus,
				  .analyzer = f.of.analyzer,
				  .typed = {bytes, len},
				  .limit = limit};

	search_corpus_lock(f.corpus);
	search_corpus_view(f.corpus, &view);
	f.n = search_prompt(&p, &f.arena, f.found);
	search_corpus_unlock(f.corpus);
}

static void type(const char *text)
{
	type_bytes(text, strlen(text), SEARCH_SUGGESTIONS_MAX);
}

static const struct search_prompted *find(enum search_prompted_kind kind, const char *text,
					  const char *value)
{
	for (size_t i = 0; i < f.n; i++) {
		const struct search_prompted *p = &f.found[i];

		if (p->kind == kind && cstr_equal(p->text, text) &&
		    (!value || (p->value && cstr_equal(p->value, value))))
			return p;
	}
	return NULL;
}

static uint32_t documents_of(enum search_prompted_kind kind, const char *text, const char *value)
{
	const struct search_prompted *p = find(kind, text, value);

	return p ? p->documents : 0;
}

static const char *attribute_of(enum search_prompted_kind kind, const char *text, const char *value)
{
	const struct search_prompted *p = find(kind, text, value);

	return p && p->attribute ? p->attribute : "";
}

#define WORD  SEARCH_PROMPTED_WORD
#define VALUE SEARCH_PROMPTED_VALUE
#define SCOPE SEARCH_PROMPTED_SCOPE

/* --- tests ----------------------------------------------------------------------------------- */

static void the_last_word_is_completed_with_the_number_of_its_documents(void **state)
{
	(void)state;
	type("keyb");
	assert_int_equal(documents_of(WORD, "keyboard", NULL), 4);
	type("wireless k");
	assert_int_equal(documents_of(WORD, "wireless keyboard", NULL), 3);
	type("silent mou");
	assert_int_equal(documents_of(WORD, "silent mouse", NULL), 1);
	type("gaming ");
	assert_int_equal(documents_of(WORD, "gaming", NULL), 3);
	assert_int_equal(documents_of(WORD, "gaming mouse", NULL), 3);
}

static void more_documents_come_first(void **state)
{
	(void)state;
	type("a");
	assert_true(f.n > 0);
	type("l");
	for (size_t i = 1; i < f.n; i++)
		assert_true(f.found[i - 1].documents >= f.found[i].documents);
}

static void values_are_found_by_any_of_their_words_and_names(void **state)
{
	(void)state;
	type("card");
	assert_int_equal(documents_of(VALUE, "Graphics Cards", "Graphics Cards"), 3);
	assert_string_equal(attribute_of(VALUE, "Graphics Cards", NULL), "category");
	type("notebo");
	assert_int_equal(documents_of(VALUE, "Laptops", NULL), 2);
	type("zo");
	assert_string_equal(attribute_of(VALUE, "Zoom", NULL), "brand");
}

static void misspelled_words_are_corrected(void **state)
{
	static const char *const typed[] = {"keyboadr", "keybaord", "keybord", "kexboa"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
		type(typed[i]);
		if (!find(WORD, "keyboard", NULL))
			fail_msg("\"%s\" does not suggest \"keyboard\"", typed[i]);
	}
	type("wirelss keyb");
	assert_int_equal(documents_of(WORD, "wireless keyboard", NULL), 3);
	/* A word that only the rules and descriptions know. */
	type("mechnical keyb");
	assert_int_equal(documents_of(WORD, "mechanical keyboard", NULL), 1);
	/* Another number is another thing. */
	type("KB101");
	assert_int_equal(f.n, 0);
}

static void an_unknown_word_is_left_out(void **state)
{
	(void)state;
	type("qqqqqqqq lapt");
	assert_int_equal(documents_of(WORD, "laptop", NULL), 3);
	type("qqqqqqqq");
	assert_int_equal(f.n, 0);
}

static void words_that_no_document_has_together_are_counted_by_the_completed_one(void **state)
{
	(void)state;
	type("silent keyb");
	assert_int_equal(documents_of(WORD, "silent keyboard", NULL), 4);
}

static void words_are_narrowed_to_the_values_that_fit_them(void **state)
{
	(void)state;
	type("wireless");
	assert_int_equal(documents_of(SCOPE, "wireless", "Keyboards"), 3);
	/* "laptop in Laptops" says no more than "Laptops". */
	type("lapto");
	assert_null(find(SCOPE, "laptop", "Laptops"));
	assert_int_equal(documents_of(VALUE, "Laptops", NULL), 2);
	/* A value behind other words. */
	type("gaming log");
	assert_int_equal(documents_of(SCOPE, "gaming", "Logi"), 2);
	assert_string_equal(attribute_of(SCOPE, "gaming", "Logi"), "brand");
}

static void what_leads_to_the_same_documents_is_said_once(void **state)
{
	size_t n = 0;

	(void)state;
	type("keybo");
	for (size_t i = 0; i < f.n; i++)
		n += f.found[i].kind == WORD && str_starts(str_from(f.found[i].text), "keyboard") &&
		     !strchr(f.found[i].text, ' ');
	assert_int_equal(n, 1);
}

static void titles_are_suggested_when_few_are_left(void **state)
{
	const struct search_prompted *p;

	(void)state;
	type("graphics rx95");
	p = find(SEARCH_PROMPTED_DOCUMENT, "Zoom RX950 graphics card", NULL);
	assert_true(p && str_equal(p->key, str_from("9")));
}

static void nothing_is_suggested_that_is_gone(void **state)
{
	struct err err = {0};

	(void)state;
	for (size_t i = 7; i < 10; i++) {
		if (search_corpus_remove(f.corpus, key_of(i), &err) < 0)
			fail_msg("%s", err.message);
	}
	/* Also before they are made again. */
	type("graph");
	assert_null(find(WORD, "graphics", NULL));
	assert_null(find(WORD, "graphics card", NULL));
	learn();
	type("graph");
	assert_int_equal(f.n, 0);
}

static void only_titles_and_values_that_are_asked_for_are_suggested(void **state)
{
	(void)state;
	type("keysto");
	assert_null(find(WORD, "keystone", NULL));
	assert_null(find(VALUE, "keystone", NULL));
}

static void collections_with_something_personal_have_none(void **state)
{
	struct search_field field = {.name = "name"};
	struct search_attribute attribute = {.name = "city"};
	struct search_composition text = {0};
	struct search_collection c = {.n_fields = 1,
				      .fields = &field,
				      .n_attributes = 1,
				      .attributes = &attribute,
				      .n_compositions = 1,
				      .compositions = &text};

	(void)state;
	assert_true(search_suggest_may(&c));
	field.pii = "name (full_name)";
	assert_false(search_suggest_may(&c));
	field.pii = NULL;
	attribute.pii = "address (city)";
	assert_false(search_suggest_may(&c));
	attribute.pii = NULL;
	text.pii = "free_text (text)";
	assert_false(search_suggest_may(&c));
	text.pii = NULL;
	c.title_pii = "name (full_name)";
	assert_false(search_suggest_may(&c));
}

static void as_many_as_asked_for_whatever_is_typed(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t round = 0; round < 3000; round++) {
		char bytes[200];
		size_t len;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		len = (seed >> 40) % sizeof(bytes);
		for (size_t i = 0; i < len; i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			bytes[i] = (char)(seed >> 56);
			if (round % 2) /* letters and spaces */
				bytes[i] = "aceghklmoprst   "[(seed >> 33) % 16];
		}
		type_bytes(bytes, len, 1 + round % SEARCH_SUGGESTIONS_MAX);
		assert_true(f.n <= 1 + round % SEARCH_SUGGESTIONS_MAX);
		for (size_t i = 0; i < f.n; i++)
			assert_true(f.found[i].documents > 0);
		arena_clear(&f.arena);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_last_word_is_completed_with_the_number_of_its_documents),
	    TEST(more_documents_come_first),
	    TEST(values_are_found_by_any_of_their_words_and_names),
	    TEST(misspelled_words_are_corrected),
	    TEST(an_unknown_word_is_left_out),
	    TEST(words_that_no_document_has_together_are_counted_by_the_completed_one),
	    TEST(words_are_narrowed_to_the_values_that_fit_them),
	    TEST(what_leads_to_the_same_documents_is_said_once),
	    TEST(titles_are_suggested_when_few_are_left),
	    TEST(nothing_is_suggested_that_is_gone),
	    TEST(only_titles_and_values_that_are_asked_for_are_suggested),
	    cmocka_unit_test(collections_with_something_personal_have_none),
	    TEST(as_many_as_asked_for_whatever_is_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
