/* Cleaning of texts and values. */
#include "shop/clean.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/banned.h"

struct text_case {
	const char *in, *out;
	unsigned changes;
};

static void check_texts(const struct text_case *cases, size_t n,
			const struct clean_text_options *options)
{
	struct clean clean = {0};
	struct strbuf out = STRBUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		strbuf_clear(&out);
		unsigned changes = clean_text(&clean, str_from(cases[i].in), options, &out);

		assert_string_equal(strbuf_str(&out), cases[i].out);
		assert_int_equal(changes, cases[i].changes);
		/* what is clean stays as it is */
		struct strbuf again = STRBUF_INIT(0);

		(void)clean_text(&clean, strbuf_slice(&out),
				 &(struct clean_text_options){.lines = options->lines}, &again);
		assert_string_equal(strbuf_str(&again), cases[i].out);
		strbuf_done(&again);
	}
	strbuf_done(&out);
	clean_done(&clean);
}

static void encodings_are_repaired(void **state)
{
	static const struct text_case cases[] = {
	    {"plain text", "plain text", 0},
	    {"Caf\xC3\xA9", "Caf\xC3\xA9", 0},
	    {"Caf\xE9", "Caf\xC3\xA9", CLEAN_ENCODING},				  /* Latin-1 */
	    {"\x93quoted\x94", "\xE2\x80\x9Cquoted\xE2\x80\x9D", CLEAN_ENCODING}, /* 1252 */
	    {"Caf\xC3\x83\xC2\xA9", "Caf\xC3\xA9", CLEAN_ENCODING},		  /* mojibake */
	    {"it\xC3\xA2\xE2\x82\xAC\xE2\x84\xA2s", "it\xE2\x80\x99s", CLEAN_ENCODING},
	    {"CAF\xC3\x89\xC2\xAE", "CAF\xC3\x89\xC2\xAE", 0}, /* looks like it, is none */
	    {"Intel\xC2\xAE Core\xE2\x84\xA2", "Intel\xC2\xAE Core\xE2\x84\xA2", 0},
	    {"e\xCC\x81", "\xC3\xA9", CLEAN_NFC},
	    {"cut \xE2\x82", "cut \xC3\xA2\xE2\x80\x9A", CLEAN_ENCODING}, /* half a euro sign */
	    {"\xC3\xA9\xE9", "\xC3\xA9\xC3\xA9", CLEAN_ENCODING},	  /* both */
	};

	(void)state;
	check_texts(cases, ARRAY_LEN(cases), &(struct clean_text_options){0});
}

static void html_becomes_text(void **state)
{
	static const struct text_case cases[] = {
	    {"<b>Fast</b> &amp; quiet", "Fast & quiet", CLEAN_HTML},
	    {"one<br/>two<p>three</p>", "one\ntwo\nthree", CLEAN_HTML},
	    {"a <script>alert(1)</script>b", "a b", CLEAN_HTML},
	    {"&#1057;artridge&nbsp;&eacute;",
	     "\xD0\xA1"
	     "artridge \xC3\xA9",
	     CLEAN_HTML},
	    {"size < 5 and > 3", "size < 5 and > 3", 0},
	    {"AT&T &unknown; &", "AT&T &unknown; &", 0},
	    {"<!-- gone -->x", "x", CLEAN_HTML},
	    {"&#x41;&#X2f;&#150;", "A/\xE2\x80\x93", CLEAN_HTML},
	    {"&#xD800; &#x110000; &#; &#x; &#4a;", "&#xD800; &#x110000; &#; &#x; &#4a;", 0},
	};

	(void)state;
	check_texts(cases, ARRAY_LEN(cases),
		    &(struct clean_text_options){.html = true, .lines = true});
}

static void space_and_control_characters_settle(void **state)
{
	static const struct text_case cases[] = {
	    {"  a \t b\xC2\xA0 c ", "a b c", CLEAN_SPACE},
	    {"a\nb", "a b", CLEAN_SPACE},
	    {"a\x01\x02"
	     "b\x7F",
	     "ab", CLEAN_CONTROL},
	    {"\xEF\xBB\xBFx\xE2\x80\x8By", "xy", CLEAN_CONTROL},
	    {"", "", 0},
	};

	(void)state;
	check_texts(cases, ARRAY_LEN(cases), &(struct clean_text_options){0});
}

static void long_texts_are_cut_at_characters(void **state)
{
	static const struct text_case cases[] = {
	    {"abcdef", "abcd", CLEAN_CUT},
	    {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 0},
	    {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9x", "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", CLEAN_CUT},
	    {"abc def", "abc", CLEAN_CUT},
	};

	(void)state;
	check_texts(cases, ARRAY_LEN(cases), &(struct clean_text_options){.max_chars = 4});
}

struct value_case {
	const char *in, *out; /* out NULL: BAD */
	enum clean_result result;
};

static void check_values(const struct value_case *cases, size_t n,
			 enum clean_result (*fn)(struct str, struct strbuf *))
{
	struct strbuf out = STRBUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		strbuf_clear(&out);
		assert_int_equal(fn(str_from(cases[i].in), &out), cases[i].result);
		assert_string_equal(strbuf_str(&out), cases[i].out ? cases[i].out : "");
	}
	strbuf_done(&out);
}

static void emails(void **state)
{
	static const struct value_case cases[] = {
	    {"john@example.com", "john@example.com", CLEAN_OK},
	    {"John@Example.com", "john@example.com", CLEAN_CORRECTED},
	    {"John Doe <john@example.com>", "john@example.com", CLEAN_CORRECTED},
	    {"mailto:john@example.com", "john@example.com", CLEAN_CORRECTED},
	    {"john(at)example.com", "john@example.com", CLEAN_CORRECTED},
	    {"john@@example.com", "john@example.com", CLEAN_CORRECTED},
	    {"john@example,com.", "john@example.com", CLEAN_CORRECTED},
	    {"john@example", NULL, CLEAN_BAD},
	    {"john.example.com", NULL, CLEAN_BAD},
	    {"@example.com", NULL, CLEAN_BAD},
	    {"john@-example.com", NULL, CLEAN_BAD},
	    {"a@b@example.com", NULL, CLEAN_BAD},
	};

	(void)state;
	check_values(cases, ARRAY_LEN(cases), clean_email);
}

static void article_numbers(void **state)
{
	static const struct value_case cases[] = {
	    {"4006381333931", "4006381333931", CLEAN_OK},
	    {"4006381333932", NULL, CLEAN_BAD},
	    {"036000291452", "0036000291452", CLEAN_CORRECTED},
	    {"04006381333931", "4006381333931", CLEAN_CORRECTED},
	    {"400-6381 333931", "4006381333931", CLEAN_CORRECTED},
	    {"96385074", "96385074", CLEAN_OK},
	    {"0000000000000", NULL, CLEAN_BAD},
	    {"400638133393X", NULL, CLEAN_BAD},
	    {"12345", NULL, CLEAN_BAD},
	};

	(void)state;
	check_values(cases, ARRAY_LEN(cases), clean_ean);
}

static void amounts(void **state)
{
	static const struct {
		const char *in;
		enum clean_result result;
		int64_t cents;
	} cases[] = {
	    {"12.50", CLEAN_OK, 1250},
	    {"12", CLEAN_OK, 1200},
	    {"-3.00", CLEAN_OK, -300},
	    {"1,299.00", CLEAN_CORRECTED, 129900},
	    {"1.299,00", CLEAN_CORRECTED, 129900},
	    {"$ 12.5", CLEAN_CORRECTED, 1250},
	    {"-$9", CLEAN_CORRECTED, -900},
	    {"(9.00)", CLEAN_CORRECTED, -900},
	    {"+9", CLEAN_CORRECTED, 900},
	    {".5", CLEAN_CORRECTED, 50},
	    {"$", CLEAN_BAD, 0},
	    {"12,5 EUR", CLEAN_CORRECTED, 1250},
	    {"1,299", CLEAN_CORRECTED, 129900},
	    {"0.125", CLEAN_CORRECTED, 13},
	    {"1.2.3", CLEAN_BAD, 0},
	    {"1O", CLEAN_BAD, 0},
	    {"abc", CLEAN_BAD, 0},
	    {"", CLEAN_BAD, 0},
	    {"12-5", CLEAN_BAD, 0},
	    {"1.000.000", CLEAN_CORRECTED, 100000000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t n = 0;

		assert_int_equal(clean_decimal(str_from(cases[i].in), &n), cases[i].result);
		if (cases[i].result != CLEAN_BAD)
			assert_int_equal(n, cases[i].cents);
	}
}

static enum clean_result mode(struct str s, struct strbuf *out)
{
	return clean_choice(s, "on_site|remote|in_store", out);
}

static void words_and_codes(void **state)
{
	static const struct value_case modes[] = {
	    {"remote", "remote", CLEAN_OK},
	    {"On Site", "on_site", CLEAN_CORRECTED},
	    {"online", "remote", CLEAN_CORRECTED},
	    {"anywhere", NULL, CLEAN_BAD},
	};
	static const struct value_case countries[] = {
	    {"DE", "DE", CLEAN_OK},
	    {"de", "DE", CLEAN_CORRECTED},
	    {"Germany", "DE", CLEAN_CORRECTED},
	    {"UK", "GB", CLEAN_CORRECTED},
	    {"D3", NULL, CLEAN_BAD},
	};
	static const struct value_case phones[] = {
	    {"(404) 555-0147", "(404) 555-0147", CLEAN_OK},
	    {"tel:+49 30 12345", "+49 30 12345", CLEAN_CORRECTED},
	    {"call me", NULL, CLEAN_BAD},
	};

	(void)state;
	check_values(modes, ARRAY_LEN(modes), mode);
	check_values(countries, ARRAY_LEN(countries), clean_country);
	check_values(phones, ARRAY_LEN(phones), clean_phone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encodings_are_repaired),
	    cmocka_unit_test(html_becomes_text),
	    cmocka_unit_test(space_and_control_characters_settle),
	    cmocka_unit_test(long_texts_are_cut_at_characters),
	    cmocka_unit_test(emails),
	    cmocka_unit_test(article_numbers),
	    cmocka_unit_test(amounts),
	    cmocka_unit_test(words_and_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
