/* Terms of texts: each rule by examples, and what holds for any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_analyzer.h"

#include "base/banned.h"

static struct search_analyzer *english(void)
{
	struct search_analyzer *a = NULL;

	assert_int_equal(search_analyzer_new("english", &a, NULL), 0);
	return a;
}

/* Tokens as a line: term, its kind (W, N, M, J), its position, "+" and its width when that is not
 * 1, "p" for a piece, "s" for a stop word: "wifi:J0+2 wi:W0p fi:W1p". */
static char *line_of(const struct search_tokens *t)
{
	struct strbuf b = STRBUF_INIT(0);

	for (size_t i = 0; i < t->n; i++) {
		const struct search_token *k = &t->items[i];

		strbuf_addf(&b, "%s%.*s:%c%u", i ? " " : "", STR_ARGS(k->term), "WNMJ"[k->kind],
			    k -> position);
		if (k->width != 1)
			strbuf_addf(&b, "+%u", k->width);
		strbuf_addf(&b, "%s%s", k->is_piece ? "p" : "", k->is_stop ? "s" : "");
	}
	return strbuf_take(&b);
}

struct example {
	const char *text, *line;
};

static void check_examples(const struct example *examples, size_t n)
{
	struct search_analyzer *a = english();
	struct search_tokens t = {0};

	for (size_t i = 0; i < n; i++) {
		char *line;

		search_analyze(a, str_from(examples[i].text), &t);
		line = line_of(&t);
		if (!cstr_equal(line, examples[i].line))
			fail_msg("\"%s\" gives \"%s\" instead of \"%s\"", examples[i].text, line,
				 examples[i].line);
		mem_free(line);
	}
	search_tokens_done(&t);
	search_analyzer_free(a);
}

#define CHECK(examples) check_examples((examples), ARRAY_LEN(examples))

static void words_are_stemmed_and_stop_words_marked(void **state)
{
	static const struct example examples[] = {
	    {"", ""},
	    {" \t\n-.,'+&#", ""},
	    {"Wireless Keyboards", "wireless:W0 keyboard:W1"},
	    {"running for the cables", "run:W0 for:W1s the:W2s cabl:W3"},
	    {"all in one, no fan", "all:W0 in:W1s one:W2 no:W3 fan:W4"},
	};

	(void)state;
	CHECK(examples);
}

static void compounds_are_kept_whole_and_in_pieces(void **state)
{
	static const struct example examples[] = {
	    {"Wi-Fi router", "wifi:J0+2 wi:W0p fi:W1p router:W2"},
	    {"usb-c usb_c usb+c", "usbc:J0+2 usb:W0p c:W1p usbc:J2+2 usb:W2p c:W3p usbc:J4+2 "
				  "usb:W4p c:W5p"},
	    {"AT&T", "att:J0+2 at:W0ps t:W1p"},
	    {"e-readers", "eread:J0+2 e:W0p reader:W1p"},
	    {"CF-19", "cf19:J0+2 cf:W0p 19:N1p"},
	    {"HP-4550N x", "hp4550n:J0+3 hp:W0p 4550n:M1+2p 4550:N1p n:W2p x:W3"},
	    {"dv7-1211ea", "dv71211ea:J0+4 dv7:M0+2p dv:W0p 7:N1p 1211ea:M2+2p 1211:N2p ea:W3p"},
	    {"006-9032", "0069032:J0+2 006:N0p 9032:N1p"},
	    {"-x- a--b b-.c", "x:W0 a:W1s b:W2 b:W3 c:W4"},
	    {"10/100/1000", "10:N0 100:N1 1000:N2"},
	};

	(void)state;
	CHECK(examples);
}

static void apostrophes_end_possessives_and_join_names(void **state)
{
	static const struct example examples[] = {
	    {"driver's drivers' PS5's", "driver:W0 driver:W1 ps5:M2+2 ps:W2p 5:N3p"},
	    {"men\xE2\x80\x99s women`s kids\xC2\xB4s", "men:W0 women:W1 kid:W2"},
	    {"L'Or\xC3\xA9"
	     "al",
	     "loreal:J0+2 l:W0p oreal:W1p"},
	    {"driver's-seat", "driverseat:J0+2 driver:W0p seat:W1p"},
	    {"'s 'quoted'", "s:W0s quot:W1"},
	};

	(void)state;
	CHECK(examples);
}

static void letters_and_digits_part_and_stay_whole(void **state)
{
	static const struct example examples[] = {
	    {"RTX4060", "rtx4060:M0+2 rtx:W0p 4060:N1p"},
	    {"16GB 16 GB", "16gb:M0+2 16:N0p gb:W1p 16:N2 gb:W3"},
	    {"802.11ac", "802.11ac:M0+2 802.11:N0p ac:W1p"},
	    {"v1.5.", "v1.5:M0+2 v:W0p 1.5:N1p"},
	    /* what multiplies is no piece; "1920 x 1080" as a phrase is found by the places */
	    {"1920x1080", "1920x1080:M0+3 1920:N0p 1080:N2p"},
	    {"1440\xC3\x97"
	     "900",
	     "1440x900:M0+3 1440:N0p 900:N2p"},
	    {"2x usb", "2x:M0+2 2:N0p x:W1p usb:W2"},
	};

	(void)state;
	CHECK(examples);
}

static void numbers_lose_commas_of_thousands_and_nothing_else(void **state)
{
	static const struct example examples[] = {
	    {"3.5 3.50 007", "3.5:N0 3.50:N1 007:N2"},
	    {"1,000 1,234,567.89", "1000:N0 1234567.89:N1"},
	    {"10,100,1000", "10:N0 100:N1 1000:N2"},
	    {"2,4 1,2,3 1,", "2:N0 4:N1 1:N2 2:N3 3:N4 1:N5"},
	    {"1200,150 1.5,000", "1200:N0 150:N1 1.5:N2 000:N3"},
	    {"17\" 5'6 256+512 1&2 .5", "17:N0 5:N1 6:N2 256:N3 512:N4 1:N5 2:N6 5:N7"},
	    {"4711123456789", "4711123456789:N0"},
	    {"16:9", "16:N0 9:N1"},
	};

	(void)state;
	CHECK(examples);
}

static void names_of_one_letter_keep_their_marks(void **state)
{
	static const struct example examples[] = {
	    {"C++ c# C", "c++:W0 c#:W1 c:W2"},
	    {"A+++ A+ C++17", "a+++:W0 a:W1s c++:W2 17:N3"},
	    {"notepad++ PoE++, AA#ABB", "notepad:W0 poe:W1 aa:W2 abb:W3"},
	};

	(void)state;
	CHECK(examples);
}

static void case_accents_and_compatible_forms_do_not_matter(void **state)
{
	static const struct example examples[] = {
	    {"CAF\xC3\x89 caf\xC3\xA9 cafe\xCC\x81", "cafe:W0 cafe:W1 cafe:W2"},
	    {"\xEF\xAC\x81ne", "fine:W0"},			/* ligature fi */
	    {"\xEF\xBC\xA1\xEF\xBC\xB3\xEF\xBC\xA9", "asi:W0"}, /* full width */
	    {"Stra\xC3\x9F"
	     "e",
	     "strass:W0"},
	    {"\xC3\x98lan \xC3\x86ther \xC5\x81ukasz", "olan:W0 aether:W1 lukasz:W2"},
	    {"\xC2\xBD 3\xC2\xBD", "1:N0 2:N1 3:N2 1:N3 2:N4"},
	    {"Core\xE2\x84\xA2"
	     "2 Duo\xC2\xAE",
	     "core:W0 2:N1 duo:W2"},
	    {"5\xE3\x8E\x8F", "5kg:M0+2 5:N0p kg:W1p"},
	    {"\xD9\xA3\xD9\xA4", "34:N0"}, /* Arabic digits */
	    {"wi\xE2\x80\x91"
	     "fi",
	     "wifi:J0+2 wi:W0p fi:W1p"}, /* a hyphen that does not break */
	    {"2010\xE2\x80\x93"
	     "2012",
	     "2010:N0 2012:N1"}, /* en dash */
	};

	(void)state;
	CHECK(examples);
}

static void invisible_characters_part_no_word(void **state)
{
	static const struct example examples[] = {
	    {"sen\xC2\xADsor", "sensor:W0"},
	    {"a\xE2\x80\x8D"
	     "b\xE2\x80\x8B"
	     "c",
	     "abc:W0"},
	    {"\xE2\x80\xAErtl\xE2\x80\x8F\xE2\x81\xA6x\xEF\xBB\xBF", "rtlx:W0"},
	    {"\xCC\x81 \xCC\x81\xCC\x82 -\xCC\x81", ""}, /* marks of nothing */
	    {"\xE0\xA4\xBF \xE2\x83\xA3", ""},
	};

	(void)state;
	CHECK(examples);
}

static void scripts_without_spaces_have_a_term_a_character(void **state)
{
	static const struct example examples[] = {
	    {"\xE6\x97\xA5\xE6\x9C\xAC usb", "\xE6\x97\xA5:W0 \xE6\x9C\xAC:W1 usb:W2"},
	    {"\xE6\x97\xA5usb\xE6\x9C\xAC-5", "\xE6\x97\xA5:W0 usb:W1 \xE6\x9C\xAC:W2 5:N3"},
	    /* kana with its voice mark: as one character, as two, half width */
	    {"\xE3\x81\x8C\xE3\x81\x8B\xE3\x82\x99", "\xE3\x81\x8C:W0 \xE3\x81\x8C:W1"},
	    {"\xEF\xBD\xB6\xEF\xBE\x9E", "\xE3\x82\xAC:W0"},
	    /* Thai vowel signs stay with their letters */
	    {"\xE0\xB8\x97\xE0\xB8\xB5\xE0\xB9\x88", "\xE0\xB8\x97\xE0\xB8\xB5\xE0\xB9\x88:W0"},
	    /* Korean has spaces; composed or not */
	    {"\xED\x95\x9C\xEA\xB8\x80", "\xED\x95\x9C\xEA\xB8\x80:W0"},
	    {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C:W0"},
	};

	(void)state;
	CHECK(examples);
}

static void what_is_no_utf8_parts_words(void **state)
{
	static const struct example examples[] = {
	    {"ab\xFF"
	     "cd",
	     "ab:W0 cd:W1"},
	    {"ab\xC3", "ab:W0"},
	    {"a1\xED\xA0\x80"
	     "b",
	     "a1:M0+2 a:W0ps 1:N1p b:W2"},
	};

	(void)state;
	CHECK(examples);
}

static void folded_is_what_was_typed_and_offsets_say_where(void **state)
{
	static const char text[] = "The caf\xC3\xA9's KEYBOARDS, wi\xC2\xAD-fi\xE2\x84\xA2";
	static const struct {
		const char *folded;
		uint32_t start, end;
	} want[] = {{"the", 0, 3},    {"cafe", 4, 9}, {"keyboards", 12, 21},
		    {"wifi", 23, 30}, {"wi", 23, 25}, {"fi", 28, 30}};
	struct search_analyzer *a = english();
	struct search_tokens t = {0};

	(void)state;
	search_analyze(a, str_from(text), &t);
	assert_int_equal(t.n, ARRAY_LEN(want));
	assert_int_equal(t.positions, 5);
	for (size_t i = 0; i < t.n; i++) {
		if (!str_equal(t.items[i].folded, str_from(want[i].folded)))
			fail_msg("token %zu is \"%.*s\"", i, STR_ARGS(t.items[i].folded));
		assert_int_equal(t.items[i].start, want[i].start);
		assert_int_equal(t.items[i].end, want[i].end);
	}
	search_tokens_done(&t);
	search_analyzer_free(a);
}

static void long_words_are_cut_at_a_character(void **state)
{
	struct search_analyzer *a = english();
	struct search_tokens t = {0};
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	strbuf_addch(&b, 'q');
	for (int i = 0; i < 40; i++)
		strbuf_addstr(&b, "\xD1\x8F"); /* two bytes each: 64 is amid one */
	search_analyze(a, strbuf_slice(&b), &t);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.items[0].folded.len, 63);
	assert_int_equal(t.items[0].end, 81);

	strbuf_clear(&b);
	for (int i = 0; i < 100; i++)
		strbuf_addstr(&b, i % 10 ? "zz" : "7-");
	search_analyze(a, strbuf_slice(&b), &t);
	for (size_t i = 0; i < t.n; i++)
		assert_in_range(t.items[i].term.len, 1, SEARCH_TERM_MAX);

	strbuf_clear(&b);
	for (int i = 0; i < 1000; i++)
		strbuf_addstr(&b, "-ab");
	search_analyze(a, strbuf_slice(&b), &t);
	assert_int_equal(t.positions, 1000); /* in several words */
	strbuf_done(&b);
	search_tokens_done(&t);
	search_analyzer_free(a);
}

static void an_unknown_language_is_refused_with_those_that_are_known(void **state)
{
	struct search_analyzer *a = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(search_analyzer_new("klingon", &a, &err), -ERR_INVALID_ARGUMENT);
	assert_null(a);
	assert_non_null(strstr(err.message, "\"klingon\""));
	assert_non_null(strstr(err.hint, "english"));
	assert_non_null(strstr(err.hint, "turkish"));
}

static void without_a_language_words_are_their_own_terms(void **state)
{
	struct search_analyzer *a = NULL;
	struct search_tokens t = {0};
	char *line;

	(void)state;
	assert_int_equal(search_analyzer_new(NULL, &a, NULL), 0);
	search_analyze(a, str_from("The Keyboards"), &t);
	line = line_of(&t);
	assert_string_equal(line, "the:W0s keyboards:W1");
	mem_free(line);
	search_tokens_done(&t);
	search_analyzer_free(a);
}

static void a_single_word_has_the_stem_that_texts_have(void **state)
{
	static const char *const words[][2] = {{"keyboards", "keyboard"},
					       {"running", "run"},
					       {"16gb", "16gb"},
					       {"3.5", "3.5"},
					       {"", ""},
					       {"c++", "c++"}};
	struct search_analyzer *a = english();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct str s = search_analyzer_stem(a, str_from(words[i][0]));

		s = search_analyzer_stem(a, s); /* of its own memory */
		if (!str_equal(s, str_from(words[i][1])))
			fail_msg("\"%s\" has the stem \"%.*s\"", words[i][0], STR_ARGS(s));
	}
	search_analyzer_free(a);
}

/* Many more words than the cache has entries: each has the same stem again. */
static void stems_do_not_depend_on_what_was_cached(void **state)
{
	struct search_analyzer *a = english(), *fresh;
	struct search_tokens t = {0}, again = {0};
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		char word[8];

		for (unsigned k = 0, x = i; k < 4; k++, x /= 16)
			word[k] = (char)('a' + x % 16);
		strbuf_add(&b, word, 4);
		strbuf_addstr(&b, i % 2 ? "ing " : "s ");
	}
	search_analyze(a, strbuf_slice(&b), &again);
	search_analyze(a, strbuf_slice(&b), &t);
	fresh = english();
	b.len = b.len / 2;
	search_analyze(fresh, (struct str){b.data + b.len, b.len}, &again);
	for (size_t i = 1; i < 1000; i++) /* from behind; the first word is cut */
		assert_true(str_equal(t.items[t.n - i].term, again.items[again.n - i].term));
	strbuf_done(&b);
	search_tokens_done(&t);
	search_tokens_done(&again);
	search_analyzer_free(a);
	search_analyzer_free(fresh);
}

/* --- properties ------------------------------------------------------------------------------ */

static const char *const fragments[] = {
    "wi",
    "-",
    "fi",
    "4060",
    "RTX",
    ".",
    ",",
    "000",
    "'",
    "s",
    "&",
    "+",
    "++",
    "#",
    "_",
    "/",
    "\"",
    "\xC3\xA9",
    "\xCC\x81",
    "\xE2\x84\xA2",
    "\xE6\x97\xA5",
    "\xE3\x82\x99",
    "\xE2\x80\x8D",
    "\xC2\xBD",
    "\xEF\xBD\xB6",
    "\xC3\x97",
    "x",
    "\xFF",
    "\xE2\x80",
    "\xEF\xB7\xBA",
    "\xD9\xA3",
    "\xE1\x84\x92",
    "\xE1\x85\xA1",
    "\xE0\xA4\xBF",
    "keyboards",
    "\xE2\x81\x84",
    "K",
    "1",
    "\xC2\xB4",
};

static void random_word(uint64_t *seed, struct strbuf *b)
{
	for (unsigned n = 1 + (unsigned)(*seed >> 33) % 9; n; n--) {
		*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
		strbuf_addstr(b, fragments[(*seed >> 33) % ARRAY_LEN(fragments)]);
	}
}

static void check_token(const struct search_tokens *t, size_t i, size_t text_len)
{
	const struct search_token *k = &t->items[i];

	assert_in_range(k->term.len, 1, SEARCH_TERM_MAX);
	assert_in_range(k->folded.len, 1, SEARCH_TERM_MAX);
	assert_true(utf8_is_valid(k->term.data, k->term.len));
	assert_true(utf8_is_valid(k->folded.data, k->folded.len));
	assert_true(k->start < k->end && k->end <= text_len);
	assert_true(k->width >= 1 && k->position + k->width <= t->positions);
	if (!i)
		return;
	assert_true(k->start >= k[-1].start && k->position >= k[-1].position);
	assert_true(k->is_piece || k->position >= k[-1].position + k[-1].width);
}

static void any_text_has_terms_that_are_valid_and_in_order(void **state)
{
	struct search_analyzer *a = english();
	struct search_tokens t = {0};
	struct strbuf b = STRBUF_INIT(0);
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		strbuf_clear(&b);
		random_word(&seed, &b);
		search_analyze(a, strbuf_slice(&b), &t);
		for (size_t i = 0; i < t.n; i++)
			check_token(&t, i, b.len);
	}
	strbuf_done(&b);
	search_tokens_done(&t);
	search_analyzer_free(a);
}

static void a_text_has_the_terms_of_its_words(void **state)
{
	struct search_analyzer *a = english();
	struct search_tokens whole = {0}, part = {0};
	uint64_t seed = 77;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct strbuf b = STRBUF_INIT(0), words[4] = {{0}};
		size_t at = 0;

		for (int i = 0; i < 4; i++) {
			random_word(&seed, &words[i]);
			strbuf_addf(&b, "%s%s", i ? " " : "", strbuf_str(&words[i]));
		}
		search_analyze(a, strbuf_slice(&b), &whole);
		for (int i = 0; i < 4; i++) {
			search_analyze(a, strbuf_slice(&words[i]), &part);
			for (size_t k = 0; k < part.n; k++, at++)
				assert_true(at < whole.n &&
					    str_equal(whole.items[at].term, part.items[k].term));
			strbuf_done(&words[i]);
		}
		assert_int_equal(at, whole.n);
		strbuf_done(&b);
	}
	search_tokens_done(&whole);
	search_tokens_done(&part);
	search_analyzer_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_are_stemmed_and_stop_words_marked),
	    cmocka_unit_test(compounds_are_kept_whole_and_in_pieces),
	    cmocka_unit_test(apostrophes_end_possessives_and_join_names),
	    cmocka_unit_test(letters_and_digits_part_and_stay_whole),
	    cmocka_unit_test(numbers_lose_commas_of_thousands_and_nothing_else),
	    cmocka_unit_test(names_of_one_letter_keep_their_marks),
	    cmocka_unit_test(case_accents_and_compatible_forms_do_not_matter),
	    cmocka_unit_test(invisible_characters_part_no_word),
	    cmocka_unit_test(scripts_without_spaces_have_a_term_a_character),
	    cmocka_unit_test(what_is_no_utf8_parts_words),
	    cmocka_unit_test(folded_is_what_was_typed_and_offsets_say_where),
	    cmocka_unit_test(long_words_are_cut_at_a_character),
	    cmocka_unit_test(an_unknown_language_is_refused_with_those_that_are_known),
	    cmocka_unit_test(without_a_language_words_are_their_own_terms),
	    cmocka_unit_test(a_single_word_has_the_stem_that_texts_have),
	    cmocka_unit_test(stems_do_not_depend_on_what_was_cached),
	    cmocka_unit_test(any_text_has_terms_that_are_valid_and_in_order),
	    cmocka_unit_test(a_text_has_the_terms_of_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
