/* Words that mean the same: what a file says, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_synonyms.h"

#include <stdio.h>

#include "base/banned.h"

static struct search_synonyms *parse(const char *text)
{
	struct search_synonyms *s = NULL;
	struct err err = {0};

	if (search_synonyms_parse("s.txt", str_from(text), "english", &s, &err) < 0)
		fail_msg("%s", err.message);
	return s;
}

/* The words, in one text, that may be said instead of the first of `words`; NULL: none. */
static const char *instead(const struct search_synonyms *s, const char *words, size_t *ret_used)
{
	static char text[512];
	struct str terms[8];
	const struct search_synonym *found = NULL;
	size_t n = 0, n_found = 0, len = 0;

	for (struct str rest = str_from(words); rest.len; n++) {
		const char *space = memchr(rest.data, ' ', rest.len);
		size_t k = space ? (size_t)(space - rest.data) : rest.len;

		terms[n] = (struct str){rest.data, k};
		k += space != NULL;
		rest = (struct str){rest.data + k, rest.len - k};
	}
	*ret_used = search_synonyms_find(s, terms, n, &found, &n_found);
	for (size_t i = 0; i < n_found; i++) {
		for (size_t t = 0; t < found[i].n; t++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s",
						t   ? " "
						: i ? ", "
						    : "",
						(int)found[i].terms[t].len, found[i].terms[t].data);
	}
	return *ret_used ? text : NULL;
}

static void expect(const char *file, const char *words, size_t used, const char *want)
{
	struct search_synonyms *s = parse(file);
	size_t n = 0;
	const char *got = instead(s, words, &n);

	assert_int_equal(n, used);
	if (want)
		assert_string_equal(got ? got : "(none)", want);
	else
		assert_null(got);
	search_synonyms_free(s);
}

static void words_beside_commas_find_each_other(void **state)
{
	(void)state;
	expect("tv, telly, set\n", "tv", 1, "telli, set");
	expect("tv, telly, set\n", "set", 1, "tv, telli");
	expect("tv, telly\n", "radio", 0, NULL);
}

static void an_arrow_goes_one_way(void **state)
{
	(void)state;
	expect("cell phone => mobile phone, handy", "cell phone", 2, "mobil phone, handi");
	expect("cell phone => mobile phone", "mobil phone", 0, NULL);
}

static void the_longest_run_counts(void **state)
{
	static const char file[] = "hard disk, hdd\nhard, solid\n";

	(void)state;
	expect(file, "hard disk drive", 2, "hdd");
	expect(file, "hard drive", 1, "solid");
}

static void what_is_said_twice_is_there_once(void **state)
{
	(void)state;
	expect("# both\n\ntv, telly\r\n  TV ,telly\ntv => Telly\n", "tv", 1, "telli");
	expect("keyboard, Keyboards\nkeyboard, clavier", "keyboard", 1, "clavier");
}

static void mistakes_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"tv, telly\nradio\n", "s.txt:2: one word alone means nothing else"},
	    {"tv, ,telly", "s.txt:1: a side without a word"},
	    {"tv => ", "s.txt:1: a side without a word"},
	    {"one two three four five six seven, b", "s.txt:1: a side has too many words"},
	    {"t\xff, b", "\"s.txt\" is not UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search_synonyms *s = NULL;
		struct err err = {0};

		assert_int_equal(
		    search_synonyms_parse("s.txt", str_from(cases[i].text), "english", &s, &err),
		    -ERR_INVALID_ARGUMENT);
		if (!strstr(err.message, cases[i].message))
			fail_msg("\"%s\" instead of \"%s\"", err.message, cases[i].message);
		assert_null(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_beside_commas_find_each_other),
	    cmocka_unit_test(an_arrow_goes_one_way),
	    cmocka_unit_test(the_longest_run_counts),
	    cmocka_unit_test(what_is_said_twice_is_there_once),
	    cmocka_unit_test(mistakes_are_named_with_their_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
