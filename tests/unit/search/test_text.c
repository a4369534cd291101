/* Texts of documents: parts, cleaning, limits, choices; the shipped rules on real documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "search/search_text.h"

#include <stdlib.h>

#include "base/banned.h"

static bson_t *document(const char *json)
{
	bson_error_t e;
	bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &e);

	if (!b)
		fail_msg("%s: %s", json, e.message);
	return b;
}

static void check(const char *rules_text, const char *json, const char *want,
		  const char *want_title)
{
	struct strbuf text = STRBUF_INIT(SEARCH_TEXT_MAX), title = STRBUF_INIT(SEARCH_TITLE_MAX);
	struct search_rules *rules = NULL;
	bson_t *b = document(json);
	struct err err = {0};

	if (search_rules_parse("s.yaml", str_from(rules_text), &rules, &err) < 0)
		fail_msg("%s", err.message);
	for (int again = 0; again < 2; again++) { /* the same bytes each time */
		(void)search_text_make(search_rules_find(rules, "c"), b, &text, &title);
		assert_string_equal(strbuf_str(&text), want);
		assert_string_equal(strbuf_str(&title), want_title);
	}
	strbuf_done(&text);
	strbuf_done(&title);
	search_rules_free(rules);
	bson_destroy(b);
}

#define RULES(parts) "collections: {c: {texts: [{parts: [" parts "]}]}}"

static void parts_become_sentences_and_leave_no_trace_when_empty(void **state)
{
	(void)state;
	check(RULES("{field: a}, {field: b}, {field: c, label: 'by'}, {say: 'end'}"),
	      "{\"a\": \"One\", \"b\": null, \"c\": \"us\"}", "One. by us. end", "");
	check(RULES("{field: a}, {field: b}"), "{\"a\": \"Really?\", \"b\": \"Yes\"}",
	      "Really? Yes", "");
	check(RULES("{field: a, none: 'nothing at all'}"), "{}", "nothing at all", "");
	check(RULES("{field: a}"), "{}", "", "");
	check("collections: {c: {title: n.t, texts: [{parts: [{say: x}]}]}}",
	      "{\"n\": {\"t\": \"  A <b>title</b> \"}}", "x", "A title");
}

static void values_of_every_type_have_a_text(void **state)
{
	(void)state;
	check(RULES("{field: v, join: '|'}"),
	      "{\"v\": [7, {\"$numberLong\": \"-5\"}, 1.5, {\"$numberDecimal\": \"19.90\"}, true, "
	      "{\"$date\": \"2024-02-29T23:59:59Z\"}, null, {\"x\": 1}, \"t\"]}",
	      "7|-5|1.5|19.90|true|2024-02-29|t", "");
	check(RULES("{field: v}"), "{\"v\": {\"$date\": {\"$numberLong\": \"-1\"}}}", "1969-12-31",
	      "");
}

static void arrays_are_walked_and_the_same_is_said_once(void **state)
{
	(void)state;
	check(RULES("{field: o.i.n, join: '; ', limit: 3}"),
	      "{\"o\": [{\"i\": [{\"n\": \"pen\"}, {\"n\": \"ink\"}]}, {\"i\": [{\"n\": \"pen\"}, "
	      "{\"n\": \"cup\"}, {\"n\": \"jar\"}]}]}",
	      "pen; ink; cup", "");
	check(RULES("{field: n}, {field: s, label: by, once: true}"),
	      "{\"n\": \"OKI drum\", \"s\": \"OKI\"}", "OKI drum", "");
	check(RULES("{field: n}, {field: s, label: by, once: true}"), /* a part of a word is none */
	      "{\"n\": \"BOOKING drum\", \"s\": \"OKI\"}", "BOOKING drum. by OKI", "");
}

static void values_can_have_other_words(void **state)
{
	(void)state;
	check(RULES("{field: r, words_for: {\"5\": very good, \"1\": very bad}}"), "{\"r\": 5}",
	      "very good", "");
	check(RULES("{field: r, words_for: {\"5\": very good}}"), "{\"r\": 4}", "4", "");
}

static void pairs_are_names_and_values(void **state)
{
	static const char json[] = "{\"p\": {\"memory_type\": \"DDR5\", \"cores\": 14, \"rgb\": "
				   "false, \"wifi\": true, \"warranty\": \"2 y\", \"none\": null}}";

	(void)state;
	check(RULES("{pairs: p, skip: [warranty]}"), json, "memory type DDR5, cores 14, wifi", "");
	check(RULES("{pairs: p, numbers: false, limit: 2}"), json, "memory type DDR5, wifi", "");
}

static void the_first_text_whose_condition_holds_is_made(void **state)
{
	static const char rules[] = "collections: {c: {texts: [{when: {k: [a, b]}, parts: [{say: "
				    "first}]}, {when: {n: 3}, parts: [{say: second}]}, {parts: "
				    "[{say: third}]}]}}";

	(void)state;
	check(rules, "{\"k\": \"b\", \"n\": 3}", "first", "");
	check(rules, "{\"k\": \"c\", \"n\": 3}", "second", "");
	check(rules, "{\"k\": null}", "third", "");
}

static void words_bound_parts_and_the_whole(void **state)
{
	(void)state;
	check(RULES("{field: a, words: 2}, {say: z}"), "{\"a\": \"one two three\"}", "one two. z",
	      "");
	check("collections: {c: {words: 3, texts: [{parts: [{field: a, join: ', '}]}]}}",
	      "{\"a\": [\"one\", \"two\", \"three\", \"four\"]}", "one, two, three", "");
}

static void text_beyond_the_bound_is_cut_at_a_word(void **state)
{
	struct strbuf json = STRBUF_INIT(0), text = STRBUF_INIT(SEARCH_TEXT_MAX),
		      title = STRBUF_INIT(SEARCH_TITLE_MAX);
	struct search_rules *rules = NULL;
	bson_t *b;

	(void)state;
	strbuf_addstr(&json, "{\"a\": \"");
	for (size_t i = 0; i < SEARCH_TEXT_MAX / 4; i++)
		strbuf_addstr(&json, "\xc3\xa4\xc3\xb6\xe2\x82\xac ");
	strbuf_addstr(&json, "\"}");
	b = document(strbuf_str(&json));
	assert_int_equal(search_rules_parse("s.yaml",
					    str_from("collections: {c: {title: a, words: 5000, "
						     "texts: [{parts: [{field: a}]}]}}"),
					    &rules, NULL),
			 0);
	(void)search_text_make(search_rules_find(rules, "c"), b, &text, &title);
	assert_int_equal(text.len, 5000 * 8 - 1);
	assert_true(title.len <= SEARCH_TITLE_MAX && title.len > SEARCH_TITLE_MAX - 8);
	assert_true(utf8_is_valid(text.data, text.len) && utf8_is_valid(title.data, title.len));
	bson_destroy(b);
	search_rules_free(rules);
	strbuf_done(&json);
	strbuf_done(&text);
	strbuf_done(&title);
}

static void markup_and_white_space_are_cleaned(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"  a\t\r\n b\xc2\xa0\xe2\x80\x83"
	     "c ",
	     "a b c"},
	    {"<p>Fast &amp; <b>quiet</b></p>", "Fast & quiet"},
	    {"5 < 6 and 7 > 2, <3", "5 < 6 and 7 > 2, <3"},
	    {"&lt;b&gt; &#39;x&quot; &nbsp;y &unknown;", "<b> 'x\" y &unknown;"},
	    {"<!-- no -->yes<br/>no", "yes no"},
	    {"a\xff\xfe"
	     "b\xc3",
	     "a b"},
	    {"\xed\xa0\x80x\x01y\xef\xbf\xbdz", "x y z"},
	    {"unclosed <b", "unclosed <b"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf b = STRBUF_INIT(0);

		search_text_clean(str_from(cases[i].in), 0, &b);
		assert_string_equal(strbuf_str(&b), cases[i].out);
		strbuf_done(&b);
	}
}

/* --- real documents of the default shop ------------------------------------------------------- */

static void check_real(const char *collection, const char *file, const char *want,
		       const char *want_title)
{
	const char *root = getenv("AETHERMART_SOURCE_ROOT");
	_cleanup_(mem_freep) char *rules_path = mem_printf("%s/rules/search.yaml", root);
	_cleanup_(mem_freep) char *path = mem_printf("%s/tests/data/search/%s", root, file);
	struct strbuf json = STRBUF_INIT(0), text = STRBUF_INIT(SEARCH_TEXT_MAX),
		      title = STRBUF_INIT(SEARCH_TITLE_MAX);
	struct search_rules *rules = NULL;
	struct err err = {0};
	bson_t *b;

	if (search_rules_load(rules_path, &rules, &err) < 0 || file_read(path, &json, &err) < 0)
		fail_msg("%s", err.message);
	b = document(strbuf_str(&json));
	(void)search_text_make(search_rules_find(rules, collection), b, &text, &title);
	assert_string_equal(strbuf_str(&text), want);
	assert_string_equal(strbuf_str(&title), want_title);
	bson_destroy(b);
	search_rules_free(rules);
	strbuf_done(&json);
	strbuf_done(&text);
	strbuf_done(&title);
}

static void products_services_reviews_and_customers_have_good_texts(void **state)
{
	(void)state;
	check_real("product_catalog", "product_9000.json",
		   "Canon BCI-1401BK Original Black. category: Printers > Ink Cartridges. "
		   "BCI-1401BK Ink Tank Black for W7250/W6400D. colour, compatibility "
		   "W7250/6400D, ink type Pigment-based ink, print technology Inkjet printing, "
		   "printing colours Black, type Original",
		   "Canon BCI-1401BK Original Black");
	check_real("product_catalog", "product_143.json",
		   "AetherMart Gaming PC Buying Advice. service: Services > Consultations. done "
		   "remotely. consultation. Half an hour by video with somebody who builds these "
		   "machines. You name budget, games and monitor; you get a written list of parts, "
		   "with honest remarks on what not to buy.",
		   "AetherMart Gaming PC Buying Advice");
	check_real("reviews", "review_6.json",
		   "five stars of five, very good. First-class quality from Gigabyte. about: "
		   "Gigabyte GM-M5050 mouse USB Type-A Optical 800 DPI. Where do I start? It "
		   "simply works. The black finish looks nice. It feels sturdy, good materials. "
		   "You hardly hear it. Well done, Gigabyte.",
		   "First-class quality from Gigabyte");
	check_real("customer_profiles", "customer_7.json",
		   "a customer who bought: TP-LINK TL-SG1210P network switch Gigabit Ethernet "
		   "(10/100/1000) Gray Power over Ethernet (PoE); APC Line-R voltage regulator 230 "
		   "V 4 AC outlet(s) Beige; ACT High quality DVI-D Dual Link connection cable "
		   "male-male; C2G 6in Cable Ties - Black 100pk cable tie",
		   "Priya Garcia");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parts_become_sentences_and_leave_no_trace_when_empty),
	    cmocka_unit_test(values_of_every_type_have_a_text),
	    cmocka_unit_test(arrays_are_walked_and_the_same_is_said_once),
	    cmocka_unit_test(values_can_have_other_words),
	    cmocka_unit_test(pairs_are_names_and_values),
	    cmocka_unit_test(the_first_text_whose_condition_holds_is_made),
	    cmocka_unit_test(words_bound_parts_and_the_whole),
	    cmocka_unit_test(text_beyond_the_bound_is_cut_at_a_word),
	    cmocka_unit_test(markup_and_white_space_are_cleaned),
	    cmocka_unit_test(products_services_reviews_and_customers_have_good_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
