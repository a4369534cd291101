/* What words find: phrases, excluded, misspelled, joined and split ones, and none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "corpus_fixture.h"
#include "search/search_find.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

static const char rules_text[] = "collections:\n"
				 "  c:\n"
				 "    title: name\n"
				 "    texts: [{parts: [{say: x}]}]\n"
				 "    fields: {name: {parts: [{field: name}]}}\n";

static struct fixture {
	struct corpus_fixture of;
	struct search_corpus *corpus;
	struct arena arena;
} f;

static int make_all(void **state)
{
	(void)state;
	corpus_fixture_start(&f.of, rules_text);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	return corpus_fixture_end(&f.of);
}

static int forget(void **state)
{
	(void)state;
	f.corpus = search_corpus_free(f.corpus);
	arena_done(&f.arena);
	return 0;
}

/* A corpus of these names, each with its place as key. */
static void put_names(const char *const *names, size_t n)
{
	static unsigned corpora;
	_cleanup_(mem_freep) char *name = mem_printf("%u", corpora++);

	search_corpus_free(f.corpus);
	f.corpus = corpus_fixture_open(&f.of, name, 1);
	for (uint32_t i = 0; i < n; i++) {
		bson_t b = BSON_INITIALIZER;

		BSON_APPEND_UTF8(&b, "name", names[i]);
		corpus_fixture_put(f.corpus, i, &b);
		bson_destroy(&b);
	}
}

/* The keys of all hits, in order of their numbers: "0 3 ". */
static const char *hits_of(const char *query)
{
	const struct search_understanding how = {.only_words = true};
	struct search_understood u;
	const struct search_find q = {.corpus = f.corpus,
				      .analyzer = f.of.analyzer,
				      .understood = &u,
				      .mode = SEARCH_LEXICAL,
				      .limit = 64};
	struct strbuf b = STRBUF_INIT(0);
	struct search_results r;
	bool has[64] = {0};
	struct err err = {0};
	char *text;

	search_query_understand(f.of.vocabulary, str_from(query), &how, &f.arena, &u);
	if (search_find(&q, &f.arena, &r, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(r.n, r.total);
	for (size_t i = 0; i < r.n; i++)
		has[r.hits[i].number] = true;
	for (unsigned i = 0; i < ARRAY_LEN(has); i++) {
		if (has[i])
			strbuf_addf(&b, "%u ", i);
	}
	text = arena_strdup(&f.arena, strbuf_str(&b));
	strbuf_done(&b);
	return text;
}

struct expected {
	const char *query, *hits;
};

static void expect(const struct expected *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!cstr_equal(hits_of(list[i].query), list[i].hits))
			fail_msg("%s: %s instead of %s", list[i].query, hits_of(list[i].query),
				 list[i].hits);
	}
}

static void exact_phrases_stand_in_order(void **state)
{
	static const char *const names[] = {
	    "gaming mouse pad",	    "mouse for gaming",	      "pad, gaming mouse",
	    "Graphics RTX4060 8GB", "Graphics RTX 4060 8 GB", "4060 RTX",
	    "Router WiFi 6",	    "Router Wi-Fi 6",	      "a fi wi router",
	    "HP-4550N toner",	    "HP 4550 N toner",	      "gaming gaming mouse",
	};
	static const struct expected list[] = {
	    {"\"gaming mouse\"", "0 2 11 "},
	    {"\"mouse gaming\"", ""},
	    {"\"mouse for gaming\"", "1 "},
	    {"\"gaming mouse pad\"", "0 "},
	    {"\"RTX 4060\"", "3 4 "},
	    {"\"RTX4060\"", "3 4 "},
	    {"\"4060 RTX\"", "5 "},
	    {"\"graphics rtx 4060 8 gb\"", "3 4 "},
	    {"\"wi-fi\"", "6 7 "},
	    {"\"router wi-fi 6\"", "6 7 "},
	    {"\"wi fi 6\"", "7 "},
	    {"\"HP 4550 N toner\"", "9 10 "},
	    {"\"HP-4550N toner\"", "9 10 "},
	    {"\"gaming mouse\" pad", "0 2 11 "},
	    {"\"gaming mouse\" \"mouse pad\"", "0 "},
	    {"\"unheardof mouse\"", ""},
	};

	(void)state;
	put_names(names, ARRAY_LEN(names));
	expect(list, ARRAY_LEN(list));
}

static void excluded_words_are_not_there(void **state)
{
	static const char *const names[] = {
	    "gaming mouse wired",    "gaming mouse wireless", "mouse pad for gaming",
	    "wireless gaming mouse", "Wi-Fi mouse",	      "WiFi mouse",
	};
	static const struct expected list[] = {
	    {"mouse -wireless", "0 2 4 5 "},
	    {"mouse -\"gaming mouse\"", "2 4 5 "},
	    {"mouse -\"mouse gaming\"", "0 1 2 3 4 5 "},
	    {"mouse -wi-fi", "0 1 2 3 "},
	    {"mouse -wifi", "0 1 2 3 "},
	    {"mouse -unheardof", "0 1 2 3 4 5 "},
	    {"-gaming", "4 5 "},
	    {"\"gaming mouse\" -wired", "1 3 "},
	};

	(void)state;
	put_names(names, ARRAY_LEN(names));
	expect(list, ARRAY_LEN(list));
}

static void words_are_found_misspelled_joined_and_split(void **state)
{
	static const char *const names[] = {
	    "wifi router",	"wi-fi router",	     "power bank",
	    "power bank small", "powerbank slim",    "keyboard",
	    "RTX4060 graphics", "RTX 4060 graphics", "cables",
	};
	static const struct expected list[] = {
	    {"keybord", "5 "},	      {"keyborad", "5 "},  {"wi fi", "0 1 "},
	    {"wifi", "0 1 "},	      {"wi-fi", "0 1 "},   {"powerbank", "4 "},
	    {"power-bank", "2 3 4 "}, {"rtx4060", "6 7 "}, {"rtx 4060", "6 7 "},
	    {"rtx4061", ""},	      {"cable", "8 "},
	};

	(void)state;
	put_names(names, ARRAY_LEN(names));
	expect(list, ARRAY_LEN(list));
	put_names(names, 4); /* nobody writes it as one */
	assert_string_equal(hits_of("powerbank"), "2 3 ");
}

static void stop_words_alone_are_words(void **state)
{
	static const char *const names[] = {"the who", "for the mouse", "mouse"};
	static const struct expected list[] = {
	    {"the", "0 1 "}, {"for the", "0 1 "}, {"the mouse", "1 2 "}, {"\"the mouse\"", "1 "}};

	(void)state;
	put_names(names, ARRAY_LEN(names));
	expect(list, ARRAY_LEN(list));
}

static void no_words_find_all_documents(void **state)
{
	static const char *const names[] = {"one", "two"};

	(void)state;
	put_names(names, 2);
	assert_string_equal(hits_of(""), "0 1 ");
	assert_string_equal(hits_of("  !?  "), "0 1 ");
}

static void nothing_is_found_among_nothing(void **state)
{
	(void)state;
	put_names(NULL, 0);
	assert_string_equal(hits_of("mouse"), "");
	assert_string_equal(hits_of(""), "");
	assert_string_equal(hits_of("\"a mouse\" -pad"), "");
}

/* --- phrases --------------------------------------------------------------------------------- */

static bool has_phrase(const char *text, const char *phrase)
{
	struct search_tokens a = {0}, b = {0};
	bool has;

	search_analyze(f.of.analyzer, str_from(text), &a);
	search_analyze(f.of.analyzer, str_from(phrase), &b);
	has = search_has_phrase(&a, &b);
	search_tokens_done(&a);
	search_tokens_done(&b);
	return has;
}

static void phrases_are_read_as_wholes_and_in_pieces(void **state)
{
	static const struct {
		const char *text, *phrase;
		bool has;
	} cases[] = {
	    {"a b c", "b c", true},
	    {"a b c", "a c", false},
	    {"a b a b c", "a b c", true},
	    {"a a a b", "a a b", true},
	    {"a b", "a b c", false},
	    {"", "a", false},
	    {"a", "", false},
	    {"RTX4060", "RTX 4060", true},
	    {"RTX 4060", "RTX4060", true},
	    {"RTX4060", "4060 RTX", false},
	    {"RTX4060", "RTX", true},
	    {"RTX4060 Ti", "4060 Ti", true},
	    {"the RTX-4060Ti card", "rtx 4060 ti card", true},
	    {"the RTX 4060 Ti card", "rtx-4060ti card", true},
	    {"wi-fi 6", "wifi 6", true},
	    {"wi-fi 6", "wi 6", false},
	    {"wi-fi", "wi", true},
	    {"HP-4550N", "4550n", true},
	    {"HP-4550N", "hp 4550n", true},
	    {"HP 4550N", "hp-4550 n", true},
	    {"1920x1080 px", "1920 x 1080 px", true},
	    {"1920 x 1080 px", "1920x1080 px", true},
	    {"1920x1080", "1920x1080", true},
	    {"1920 by 1080", "1920x1080", false},
	    {"1920x1080", "1920 by 1080", false},
	    {"1920x1080", "1920 1080", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (has_phrase(cases[i].text, cases[i].phrase) != cases[i].has)
			fail_msg("\"%s\" in \"%s\"", cases[i].phrase, cases[i].text);
	}
}

/* Each compound may be read in two ways, which multiply where each reading is tried. */
static void a_phrase_of_many_compounds_is_answered_at_once(void **state)
{
	struct strbuf text = STRBUF_INIT(0), phrase = STRBUF_INIT(0);

	(void)state;
	for (int i = 0; i < 400; i++)
		strbuf_addstr(&text, "x1-y2 ");
	for (int i = 0; i < 300; i++)
		strbuf_addstr(&phrase, "x1-y2 ");
	assert_true(has_phrase(strbuf_str(&text), strbuf_str(&phrase)));
	strbuf_addstr(&phrase, "z");
	assert_false(has_phrase(strbuf_str(&text), strbuf_str(&phrase)));
	strbuf_done(&text);
	strbuf_done(&phrase);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
	const struct CMUnitTest tests[] = {
	    TEST(exact_phrases_stand_in_order),
	    TEST(excluded_words_are_not_there),
	    TEST(words_are_found_misspelled_joined_and_split),
	    TEST(stop_words_alone_are_words),
	    TEST(no_words_find_all_documents),
	    TEST(nothing_is_found_among_nothing),
	    TEST(phrases_are_read_as_wholes_and_in_pieces),
	    TEST(a_phrase_of_many_compounds_is_answered_at_once),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
