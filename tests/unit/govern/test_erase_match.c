/* In which other forms a text of a person is found, and where it is not. */
#include "govern/erase_match.h"

#include "base/clock.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/banned.h"

struct pair {
	enum erase_kind kind;
	const char *text, *in;
};

static enum erase_kind look(enum erase_unit unit, const struct pair *p, unsigned flags)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();

	assert_true(erase_match_add(m, p->kind, str_from(p->text), flags));
	erase_match_begin(m, unit);
	return erase_match_look(m, str_from(p->in));
}

static void all_are(const struct pair *pairs, size_t n, bool is_found)
{
	for (size_t i = 0; i < n; i++)
		if ((look(ERASE_VALUES, &pairs[i], 0) != ERASE_NONE) != is_found)
			fail_msg("\"%s\" is%s found in \"%s\"", pairs[i].text,
				 is_found ? " not" : "", pairs[i].in);
}

static void a_text_is_found_in_each_spelling(void **state)
{
	static const struct pair pairs[] = {
	    {ERASE_EMAIL, "zenobia.q@example.org", "write to ZENOBIA.Q@Example.ORG, please"},
	    {ERASE_EMAIL, "zenobia.q@example.org", "?to=zenobia.q%40example.org&x=1"},
	    {ERASE_EMAIL, "zenobia.q@example.org", "{\"to\":\"\\u007aenobia.q@example.org\"}"},
	    {ERASE_EMAIL, "zenobia.q@example.org", "zenobia.q&#64;example.org"},
	    {ERASE_EMAIL, "zenobia.q@example.org", "zenobia.q&#x40;example.org"},
	    {ERASE_EMAIL, "zenobia.q@example.org", "x'7a656e6f6269612e71406578616d706c652e6f7267'"},
	    {ERASE_EMAIL, "zenobia.q@example.org", "0x7A656E6F6269612E71406578616D706C652E6F7267"},
	    {ERASE_NAME, "J\xc3\xbcrgen\x1fM\xc3\xbcller", "ju\xcc\x88rgen  MU\xcc\x88LLER"},
	    {ERASE_NAME, "J\xc3\xbcrgen\x1fM\xc3\xbcller", "M&uuml;ller, J&uuml;rgen"},
	    {ERASE_NAME, "J\xc3\xbcrgen\x1fM\xc3\xbcller", "\"J\\u00fcrgen M\\u00fcller\""},
	    {ERASE_NAME, "J\xc3\xbcrgen\x1fM\xc3\xbcller", "J\xc3\xbcrgen\xc2\xa0M\xc3\xbcller"},
	    {ERASE_NAME, "J\xc3\xbcrgen\x1fM\xc3\xbcller", "q=J%C3%BCrgen+M%C3%BCller"},
	    {ERASE_NAME, "Zenobia\x1fQuartermain", "Quartermain, Zenobia"},
	    {ERASE_NAME, "Zenobia\x1fQuartermain", "Dear Quartermain Zenobia!"},
	    {ERASE_NAME, "Zenobia\x1fQuartermain", "7,\"Zenobia\",\"Quartermain\",x"},
	    {ERASE_NAME, "Zenobia\x1fQuartermain", "Zenobia\r\n\tQuartermain"},
	    {ERASE_NAME, "Zenobia\x1fQuartermain", "Zenobia_Quartermain.jpg"},
	    {ERASE_NAME,
	     "Jordi\x1f"
	     "Alonso Gallego",
	     "Alonso Gallego, Jordi"},
	    {ERASE_NAME, "Conor\x1fO'Brien", "Conor O''Brien"},
	    {ERASE_NAME, "Conor\x1fO'Brien", "Conor O\\'Brien"},
	    {ERASE_NAME, "Conor\x1fO'Brien", "Conor O\\\\\\'Brien"},
	    {ERASE_NAME, "Conor\x1fO'Brien",
	     "Conor O\xe2\x80\x99"
	     "Brien"},
	    {ERASE_NAME, "Bo\x1fLi", "thanks, Bo Li."},
	    {ERASE_NAME, "Bo\x1fLi", "Li, Bo"},
	    {ERASE_NAME, "\xe5\xb1\xb1\xe7\x94\xb0\x1f\xe5\xa4\xaa\xe9\x83\x8e",
	     "\xe3\x81\xaf\xe5\xb1\xb1\xe7\x94\xb0 \xe5\xa4\xaa\xe9\x83\x8e\xe3\x81\x95"},
	    {ERASE_PHONE, "+1 555 010 0003", "call +1 (555) 010-0003 now"},
	    {ERASE_PHONE, "+1 555 010 0003", "15550100003"},
	    {ERASE_PHONE, "+1 555 010 0003", "tel:+1.555.010.0003;ext=1"},
	    {ERASE_PHONE, "+1 555 010 0003", "2024 15550100003 7"},
	    {ERASE_PHONE, "+1 555 010 0003", "%2B1%20555%20010%200003"},
	    {ERASE_PHONE, "+49 170 5550199", "call 0049 (170) 5550199"},
	    {ERASE_PHONE, "0049 170 5550199", "call +49 (170) 5550199"},
	    {ERASE_PHONE, "12345", "phone: 12345"},
	    {ERASE_ADDRESS,
	     "K\xc3\xb6nigstra\xc3\x9f"
	     "e 12",
	     "K\xc3\x96NIGSTRASSE 12"},
	    {ERASE_ADDRESS, "12 Unheard Of Lane", "12  unheard\nof LANE"},
	    {ERASE_ADDRESS, "12 Unheard Of Lane", "12+Unheard+Of+Lane"},
	    {ERASE_WRITTEN, "She said \"never again\" twice",
	     "[\"She said \\\"never again\\\" twice\"]"},
	    {ERASE_WRITTEN, "one line\nand another one of it",
	     "{\"t\":\"one line\\nand another one of it\"}"},
	    {ERASE_KEY, "P-1", "(p-1)"},
	    {ERASE_OTHER, "caf\xe9 of Latin-1", "the caf\xe9 of Latin-1"},
	};

	(void)state;
	all_are(pairs, ARRAY_LEN(pairs), true);
}

static void a_text_within_another_word_is_not_found(void **state)
{
	static const struct pair pairs[] = {
	    {ERASE_EMAIL, "ann.lee@example.com", "joann.lee@example.com"},
	    {ERASE_EMAIL, "ann.lee@example.com", "ann.lee@example.common"},
	    {ERASE_EMAIL, "ann.lee@example.com",
	     "\xc3\xa4"
	     "ann.lee@example.com"},
	    {ERASE_EMAIL, "ann.lee@example.com", "joann.lee%40example.com"},
	    {ERASE_ADDRESS, "1 Main Street", "11 Main Street"},
	    {ERASE_KEY, "P-1", "P-10"},
	    {ERASE_PHONE, "555 010 0003", "15550100003"},
	    {ERASE_PHONE, "555 010 0003", "555 010 00031"},
	    {ERASE_PHONE, "555 010 0003", "555 010, 0003"},
	    {ERASE_PHONE, "555 010 0003", "x5550100003"},
	    {ERASE_PHONE, "+49 170 5550199", "10049 170 5550199"},
	    {ERASE_NAME, "Ann\x1fLee", "Joann Lee"},
	    {ERASE_NAME, "Ann\x1fLee", "Ann Leerman"},
	    {ERASE_NAME, "Ann\x1fLee", "Ann and Mr. Lee"},
	};

	(void)state;
	all_are(pairs, ARRAY_LEN(pairs), false);
}

static void what_is_too_short_is_told(void **state)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();

	(void)state;
	assert_false(erase_match_add(m, ERASE_KEY, str_from("P1"), 0));
	assert_false(erase_match_add(m, ERASE_NAME, str_from(""), 0));
	assert_true(erase_match_add(m, ERASE_NAME,
				    str_from("A\x1f"
					     "B"),
				    0));
	erase_match_begin(m, ERASE_VALUES);
	assert_int_equal(erase_match_look(m, (struct str){0}), ERASE_NONE);
	assert_int_equal(erase_match_look(m, str_from("")), ERASE_NONE);
}

/* Or everybody who is called Ali would be Ali Ali. */
static void one_value_is_one_part_of_a_name(void **state)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();

	(void)state;
	(void)erase_match_add(m, ERASE_NAME,
			      str_from("Ali\x1f"
				       "Ali"),
			      0);
	erase_match_begin(m, ERASE_VALUES);
	assert_int_equal(erase_match_look(m, str_from("Ali")), ERASE_NONE);
	assert_int_equal(erase_match_look(m, str_from("Khan")), ERASE_NONE);
	assert_int_equal(erase_match_look(m, str_from("Ali")), ERASE_NAME);
	erase_match_begin(m, ERASE_LINE);
	assert_int_equal(
	    erase_match_look(m, str_from("WHERE first_name=\\'Ali\\' AND x=\\'\\u0041\\'")),
	    ERASE_NONE);
	erase_match_begin(m, ERASE_LINE);
	assert_int_equal(erase_match_look(m, str_from("to Ali Ali")), ERASE_NAME);
}

static void parts_of_a_name_are_found_apart(void **state)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();

	(void)state;
	(void)erase_match_add(m, ERASE_NAME,
			      str_from("Jordi\x1f"
				       "Alonso Gallego"),
			      0);
	erase_match_begin(m, ERASE_VALUES);
	assert_int_equal(erase_match_look(m, str_from(" JORDI ")), ERASE_NONE);
	assert_int_equal(erase_match_look(m, str_from("alonso  gallego")), ERASE_NAME);
	erase_match_begin(m, ERASE_VALUES); /* the next row */
	assert_int_equal(erase_match_look(m, str_from("Alonso Gallego")), ERASE_NONE);
	assert_int_equal(erase_match_look(m, str_from("with Jordi")), ERASE_NONE);
	erase_match_begin(m, ERASE_LINE);
	assert_int_equal(erase_match_look(m, str_from("WHERE first_name=\\'Jordi\\' AND "
						      "last_name=\\'Alonso Gallego\\'")),
			 ERASE_NAME);
	erase_match_begin(m, ERASE_LINE);
	assert_int_equal(erase_match_look(m, str_from("'Jordina' 'Alonso Gallego'")), ERASE_NONE);
	erase_match_begin(m, ERASE_BYTES);
	assert_int_equal(erase_match_look(m, str_from("Jordi, then Alonso Gallego")), ERASE_NONE);
}

static enum erase_kind in_pieces(struct erase_match *m, struct str in, size_t size)
{
	size_t overlap = erase_match_overlap(m), from = 0, to;
	enum erase_kind found = ERASE_NONE;

	erase_match_begin(m, ERASE_BYTES);
	do {
		to = in.len - from < size + overlap ? in.len : from + size + overlap;
		found = erase_match_piece(
		    m, &(struct erase_piece){{in.data + from, to - from}, from == 0, to == in.len});
		from += size;
	} while (to < in.len);
	return found;
}

/* Wherever the border is, and a word that is cut there is no word. */
static void a_file_is_searched_across_its_pieces(void **state)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();
	static const char theirs[] = "to ann.lee%40example.com, 1",
			  others[] = "joann.lee@example.com1";

	(void)state;
	(void)erase_match_add(m, ERASE_EMAIL, str_from("ann.lee@example.com"), 0);
	for (size_t before = 0; before < 700; before++) {
		_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0), c = STRBUF_INIT(0);

		for (size_t i = 0; i < before; i++)
			strbuf_addch(&b, i % 7 ? '.' : ' ');
		strbuf_add(&c, b.data, b.len);
		strbuf_addstr(&b, theirs);
		strbuf_addstr(&c, others);
		for (size_t i = 0; i < 300; i++) {
			strbuf_addch(&b, ' ');
			strbuf_addch(&c, ' ');
		}
		assert_int_equal(in_pieces(m, strbuf_slice(&b), 50), ERASE_EMAIL);
		assert_int_equal(in_pieces(m, strbuf_slice(&c), 50), ERASE_NONE);
	}
}

static void edges_do_not_count_in_bytes(void **state)
{
	static const char bytes[] = "\0\0\x15joann.lee@example.com5550100003Ann";
	const struct str in = {bytes, sizeof(bytes) - 1};
	const struct {
		enum erase_kind kind;
		const char *text;
		unsigned flags;
		bool is_found;
	} cases[] = {
	    {ERASE_EMAIL, "ann.lee@example.com", 0, true},
	    {ERASE_EMAIL, "ann.lee@example.com", ERASE_LEFT, false},
	    {ERASE_EMAIL, "joann.lee@example.com", ERASE_LEFT, true},
	    {ERASE_EMAIL, "joann.lee@example.com", ERASE_RIGHT, false},
	    {ERASE_PHONE, "5550100003", 0, true},
	    {ERASE_KEY, "Ann", 0, false}, /* by chance */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();

		(void)erase_match_add(m, cases[i].kind, str_from(cases[i].text), cases[i].flags);
		assert_int_equal(in_pieces(m, in, 4096) != ERASE_NONE, cases[i].is_found);
	}
}

static void a_cut_text_goes_on(void **state)
{
	const struct pair p = {ERASE_WRITTEN, "it ends in the mid", "It ends in the middle."};

	(void)state;
	assert_int_equal(look(ERASE_VALUES, &p, ERASE_CUT), ERASE_WRITTEN);
	assert_int_equal(look(ERASE_VALUES, &p, 0), ERASE_NONE);
	assert_int_equal(
	    look(ERASE_VALUES, &(struct pair){ERASE_OTHER, "ends", "it endsome"}, ERASE_ANYWHERE),
	    ERASE_OTHER);
}

/* Not of speed: that it is at all. How fast it is, says docs/privacy.md. */
static void a_hundred_texts_cost_one_pass(void **state)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT((size_t)128 << 20);
	int64_t before;

	(void)state;
	for (int i = 0; i < 100; i++) {
		char text[80];

		(void)snprintf(text, sizeof(text), "%d the text that nobody has written yet", i);
		(void)erase_match_add(m, ERASE_WRITTEN, str_from(text), 0);
	}
	(void)erase_match_add(m, ERASE_PHONE, str_from("+1 555 010 7777"), 0);
	(void)erase_match_add(m, ERASE_EMAIL, str_from("zenobia.q@example.org"), 0);
	(void)erase_match_add(m, ERASE_NAME, str_from("Zenobia\x1fQuartermain"), 0);
	while (b.len < (size_t)1 << 20)
		strbuf_addf(
		    &b,
		    "{\"id\": %zu, \"name\": \"Some Body %zu\", \"note\": \"it is \\\"fine\\\", "
		    "the text is of M\xc3\xbcller\"}\n",
		    b.len, b.len * 7);
	before = clock_monotonic_us();
	for (int i = 0; i < 10; i++)
		assert_int_equal(in_pieces(m, strbuf_slice(&b), (size_t)1 << 20), ERASE_NONE);
	print_message("%.0f MB/s\n", (double)b.len * 10 / (double)(clock_monotonic_us() - before));
}

/* As a log does that keeps so many bytes of a statement. */
static void the_beginning_of_a_text_is_found_where_a_value_was_cut_off(void **state)
{
	static const struct {
		const char *value;
		bool is_cut;
	} cases[] = {
	    {"WHERE email = \\'ann.lee@exam", true},
	    {"WHERE email = \\'ANN.L", true},
	    {"WHERE email = \\'ann.", false},		     /* too little to be anybody's */
	    {"WHERE email = \\'joann.lee@exam", false},	     /* another word */
	    {"WHERE email = \\'ann.lee@example.net", false}, /* another end */
	    {"WHERE last_name = \\'O\\'Bri\\", true},
	    {"WHERE last_name = \\'O\\'Bri\xc3", true},
	    {"call +49 170 55", true},
	    {"call +49 17", false},
	    {"", false},
	};
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();

	(void)state;
	assert_true(erase_match_add(m, ERASE_EMAIL, str_from("ann.lee@example.com"), 0));
	assert_true(erase_match_add(m, ERASE_OTHER, str_from("O'Brien-Witness"), 0));
	assert_true(erase_match_add(m, ERASE_PHONE, str_from("+49 170 5550199"), 0));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (erase_match_is_cut(m, str_from(cases[i].value)) != cases[i].is_cut)
			fail_msg("%s", cases[i].value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_text_is_found_in_each_spelling),
	    cmocka_unit_test(a_text_within_another_word_is_not_found),
	    cmocka_unit_test(what_is_too_short_is_told),
	    cmocka_unit_test(parts_of_a_name_are_found_apart),
	    cmocka_unit_test(one_value_is_one_part_of_a_name),
	    cmocka_unit_test(a_file_is_searched_across_its_pieces),
	    cmocka_unit_test(edges_do_not_count_in_bytes),
	    cmocka_unit_test(a_cut_text_goes_on),
	    cmocka_unit_test(the_beginning_of_a_text_is_found_where_a_value_was_cut_off),
	    cmocka_unit_test(a_hundred_texts_cost_one_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
