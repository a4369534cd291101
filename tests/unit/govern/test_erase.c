/* What is searched for at an erasure, its seal, certificates; values that stand in for others. */
#include "govern/erase_int.h"
#include "govern/stand_in.h"

#include <sodium.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/banned.h"

static const unsigned char key[ERASE_KEY_SIZE] = "a key of fewer than 32 bytes";
static const unsigned char other[ERASE_KEY_SIZE] = "another key";

static void add(struct erase_sought *s, enum erase_kind kind, const char *text)
{
	erase_sought_add(s, kind, str_from(text));
}

static bool holds(const struct erase_sought *s, struct str text)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_sought_match(s);

	erase_match_begin(m, ERASE_LINE);
	return erase_match_look(m, text) != ERASE_NONE;
}

static void what_tells_nobody_is_counted_and_not_searched_for(void **state)
{
	static const struct {
		enum erase_kind kind;
		const char *text;
		enum erase_left_out left_out;
	} cases[] = {
	    {ERASE_EMAIL, "a@b.c", ERASE_SHORT},
	    {ERASE_EMAIL, "  a@b.cd ", ERASE_SEARCHED},
	    {ERASE_KEY, "E1", ERASE_SHORT},
	    {ERASE_KEY, "E-1", ERASE_SEARCHED},
	    {ERASE_KEY, "1234567", ERASE_NUMBER},
	    {ERASE_PHONE, "+1 23 45", ERASE_SHORT},
	    {ERASE_PHONE, "123-4567", ERASE_SEARCHED},
	    {ERASE_NAME, "Bo\x1fLi", ERASE_SEARCHED},
	    {ERASE_NAME, "Maria", ERASE_SHORT},
	    {ERASE_NAME, "Madonna", ERASE_SEARCHED},
	    {ERASE_ADDRESS, "Utrecht", ERASE_SHORT},
	    /* Signs that are not seen make nothing longer. */
	    {ERASE_EMAIL, "\u200b\u200b\u200b\u200b\u200b\u200b", ERASE_SHORT},
	    {ERASE_KEY, "\u200bE1", ERASE_SHORT},
	    {ERASE_KEY, "\uff11\uff12\uff13", ERASE_NUMBER},
	    {ERASE_PHONE, "\uff11\uff12\uff13-4567", ERASE_SEARCHED},
	    {ERASE_ADDRESS, "Kingston upon Hull", ERASE_SHORT}, /* a town is everybody's */
	    {ERASE_ADDRESS, "12 Unheard Of Lane", ERASE_SEARCHED},
	    {ERASE_WRITTEN, "Great product, thank yo", ERASE_SHORT},
	    {ERASE_WRITTEN, "Great product, thank you", ERASE_SEARCHED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(erase_sought_done) struct erase_sought s = {0};

		add(&s, cases[i].kind, cases[i].text);
		add(&s, cases[i].kind, cases[i].text);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.texts[0].left_out, cases[i].left_out);
		assert_int_equal(erase_sought_count(&s, cases[i].left_out), 1);
		assert_int_equal(holds(&s, str_from(cases[i].text)),
				 cases[i].left_out == ERASE_SEARCHED);
	}
}

/* It ends between two characters. */
static void a_long_text_is_found_by_its_begin(void **state)
{
	_cleanup_(erase_sought_done) struct erase_sought s = {0};
	char written[400];

	(void)state;
	for (size_t i = 0; i < sizeof(written) - 2; i += 2)
		memcpy(written + i, "\xc3\xa9", 2);
	erase_sought_add(&s, ERASE_WRITTEN, (struct str){written, 160});
	erase_sought_add(&s, ERASE_WRITTEN, (struct str){written, 162});
	assert_int_equal(s.n, 1);
	assert_int_equal(s.texts[0].text.len, 160);
	erase_sought_add(&s, ERASE_OTHER, (struct str){written, 390});
	assert_int_equal(s.texts[1].text.len, 160);
	assert_int_equal(s.texts[1].flags, ERASE_CUT);
	assert_true(holds(&s, (struct str){written, 300}));
}

static void the_seal_keeps_texts_and_tells_another_key(void **state)
{
	_cleanup_(erase_sought_done) struct erase_sought s = {0}, back = {0}, wrong = {0};
	_cleanup_(strbuf_done) struct strbuf sealed = STRBUF_INIT(0);
	struct err err = {0};

	(void)state;
	add(&s, ERASE_EMAIL, "zenobia.q@example.org");
	add(&s, ERASE_NAME, "Zenobia\x1fQuartermain");
	s.texts[0].flags = ERASE_LEFT;
	s.texts[1].left_out = ERASE_SHARED;
	erase_sought_seal(&s, key, &sealed);
	assert_null(memmem(sealed.data, sealed.len, "enobia", 6));
	assert_int_equal(erase_sought_unseal(strbuf_slice(&sealed), key, &back, &err), 0);
	assert_int_equal(back.n, 2);
	assert_int_equal(back.texts[0].flags, ERASE_LEFT);
	assert_int_equal(back.texts[0].left_out, ERASE_SEARCHED);
	assert_int_equal(back.texts[1].left_out, ERASE_SHARED);
	assert_string_equal(back.texts[0].text.data, "zenobia.q@example.org");
	assert_int_equal(erase_sought_unseal(strbuf_slice(&sealed), other, &wrong, &err),
			 -ERR_CORRUPTED);
	for (size_t i = 0; i < sealed.len; i++) { /* each byte counts, and each length */
		sealed.data[i] ^= 1;
		assert_int_equal(erase_sought_unseal(strbuf_slice(&sealed), key, &wrong, &err),
				 -ERR_CORRUPTED);
		sealed.data[i] ^= 1;
		assert_int_equal(
		    erase_sought_unseal((struct str){sealed.data, i}, key, &wrong, &err),
		    -ERR_CORRUPTED);
	}
}

/* By a program of before: no documents, and the classes of the rules. */
static void a_seal_from_before_is_opened(void **state)
{
	static const char former[] = "[[\"email\",\"zenobia.q@example.org\",false],"
				     "[\"name\",\"Quartermain\",true],"
				     "[\"birth_date\",\"1971-02-03\",false],"
				     "[\"free_text\",\"Great\",false]]";
	static const struct {
		enum erase_kind kind;
		enum erase_left_out left_out;
	} wanted[] = {
	    {ERASE_EMAIL, ERASE_SEARCHED},
	    {ERASE_NAME, ERASE_SHARED},
	    {ERASE_OTHER, ERASE_SEARCHED},
	    {ERASE_WRITTEN, ERASE_SHORT},
	};
	unsigned char sealed[256];
	const size_t size =
	    crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + sizeof(former) - 1;
	_cleanup_(erase_sought_done) struct erase_sought s = {0};
	struct err err = {0};

	(void)state;
	assert_in_range(size, 1, sizeof(sealed));
	randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const unsigned char *)former,
			      sizeof(former) - 1, sealed, key);
	assert_int_equal(
	    erase_sought_unseal((struct str){(const char *)sealed, size}, key, &s, &err), 0);
	assert_int_equal(s.n, ARRAY_LEN(wanted));
	for (size_t i = 0; i < s.n; i++) {
		assert_int_equal(s.texts[i].kind, wanted[i].kind);
		assert_int_equal(s.texts[i].left_out, wanted[i].left_out);
	}
	assert_int_equal(s.n_documents, 0);
}

/* A purpose stays for ever; so does a reason. */
static void a_text_that_says_who_somebody_is_is_told(void **state)
{
	static const struct {
		const char *text;
		bool is_named;
	} cases[] = {
	    {"letter of 12 May", false},
	    {"", false},
	    {"case 4711", false}, /* their key is a number, as many other things are */
	    {"letter of LI  Wu", true},
	    {"Wu, Li asked for it", true},
	    {"Li asked, by Wu", true},
	    {"Liwu and Wuli", false},
	    {"as li.wu@example.org wrote", true},
	    {"call of 001 (555) 01012", true},
	    {"of Ann", true}, /* too short to be searched for */
	    {"of Annabel", false},
	};
	_cleanup_(erase_sought_done) struct erase_sought s = {0};

	(void)state;
	add(&s, ERASE_NAME, "Li\x1fWu");
	add(&s, ERASE_NAME, "Ann");
	add(&s, ERASE_EMAIL, "li.wu@example.org");
	add(&s, ERASE_PHONE, "+1 555 01012");
	add(&s, ERASE_KEY, "4711");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (erase_sought_names(&s, str_from(cases[i].text)) != cases[i].is_named)
			fail_msg("\"%s\"", cases[i].text);
}

/* A column may hold any character. */
static void the_seal_keeps_a_text_with_a_zero_in_it(void **state)
{
	static const char text[] = "twelve bytes\0and more";
	_cleanup_(erase_sought_done) struct erase_sought s = {0}, back = {0};
	_cleanup_(strbuf_done) struct strbuf sealed = STRBUF_INIT(0);
	struct err err = {0};

	(void)state;
	erase_sought_add(&s, ERASE_OTHER, (struct str){text, sizeof(text) - 1});
	assert_int_equal(s.texts[0].text.len, sizeof(text) - 1);
	erase_sought_seal(&s, key, &sealed);
	assert_int_equal(erase_sought_unseal(strbuf_slice(&sealed), key, &back, &err), 0);
	assert_true(str_equal(back.texts[0].text, s.texts[0].text));
}

/* One that was begun before records had the mark of a key, which a load gives to it. */
static void a_record_that_was_marked_since_opens_still(void **state)
{
	struct eraser e = {.key = key}, stranger = {.key = other};
	struct err err = {0};

	(void)state;
	for (int is_marked = 0; is_marked < 2; is_marked++) {
		_cleanup_(erase_sought_done) struct erase_sought s = {0}, back = {0}, no = {0};
		char subject[] = "15";
		struct record rec = {.id = 3, .subject = subject, .is_marked = is_marked};

		add(&s, ERASE_EMAIL, "zenobia.q@example.org");
		erase_sought_seal(&s, key, &rec.sought);
		assert_int_equal(erase_record_unseal(&e, &rec, &back, &err), 0);
		assert_string_equal(back.texts[0].text.data, "zenobia.q@example.org");
		assert_int_equal(erase_record_unseal(&stranger, &rec, &no, &err), -ERR_CORRUPTED);
		strbuf_done(&rec.sought);
	}
}

/* RFC 4231, test case 2, has a shorter key; libsodium's own are trusted for the rest. */
static void a_fingerprint_is_an_hmac(void **state)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	char got[65], wanted[65];

	(void)state;
	crypto_auth_hmacsha256(mac, (const unsigned char *)"what do ya want", 15, key);
	sodium_bin2hex(wanted, sizeof(wanted), mac, sizeof(mac));
	erase_fingerprint(key, str_from("what do ya want"), got);
	assert_string_equal(got, wanted);
	erase_fingerprint(other, str_from("what do ya want"), got);
	assert_string_not_equal(got, wanted);
}

static void a_certificate_is_checked_byte_by_byte(void **state)
{
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	json_t *content = json_pack("{s:s,s:i}", "subject", "15", "erasure", 3);
	_cleanup_(mem_freep) char *text = NULL;
	struct err err = {0};
	size_t changed = 0;

	(void)state;
	crypto_sign_seed_keypair(public_key, secret, key);
	text = erase_certificate_sign(content, secret);
	json_decref(content);
	assert_int_equal(erase_certificate_check(text, public_key, &err), 0);
	assert_int_equal(erase_certificate_is_of(text, "15", 3, &err), 0);
	assert_int_equal(erase_certificate_is_of(text, "15", 0, &err), 0);
	assert_int_equal(erase_certificate_is_of(text, "15", 4, &err), -ERR_CORRUPTED);
	assert_int_equal(erase_certificate_is_of(text, "1", 3, &err), -ERR_CORRUPTED);
	assert_int_equal(erase_certificate_is_of("{}", "15", 3, &err), -ERR_CORRUPTED);
	for (size_t i = 0; text[i]; i++) {
		char before = text[i];

		if (before == ' ' || before == '\n')
			continue;
		text[i] = before == '1' ? '2' : '1';
		assert_int_equal(erase_certificate_check(text, public_key, &err), -ERR_CORRUPTED);
		text[i] = before;
		changed++;
	}
	assert_true(changed > 200);
	crypto_sign_seed_keypair(public_key, secret, other);
	assert_int_equal(erase_certificate_check(text, public_key, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "another key"));
}

static void a_stand_in_has_the_form_and_is_the_same_each_time(void **state)
{
	static const struct {
		const char *pii, *value, *form; /* a: letter, 9: digit, others themselves */
	} cases[] = {
	    {"open", "as it is", "as it is"},
	    {"financial", "12.50", "12.50"},
	    {"region", "Bavaria", "Bavaria"},
	    {"birth_date", "1980-02-03", "1980-01-01"},
	    {"moment", "2024-05-17 08:09:10", "2024-05-01"},
	    {"phone", "+1 555 010-7777", "+9 999 999-9999"},
	    {"address", "12 Elm St\xc3\xa9", "99 Aaa Aax"},
	    {"free_text", "It's mine, 100%!", "Aa'a aaaa, 999%!"},
	    {"name", "Ada", "Aaaaaa"},
	    {"name", "", "Aaaaaa"},
	    {"address", "", ""},
	    {NULL, "nobody classed it", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0), c = STRBUF_INIT(0);
		bool is_kept = !strpbrk(cases[i].form, "9Aa") ||
			       cstr_equal(cases[i].form, cases[i].value) ||
			       (cases[i].pii && (cstr_equal(cases[i].pii, "birth_date") ||
						 cstr_equal(cases[i].pii, "moment")));

		stand_in_add(&b, key, cases[i].pii, "T.c", str_from(cases[i].value));
		stand_in_add(&c, key, cases[i].pii, "T.c", str_from(cases[i].value));
		assert_string_equal(strbuf_str(&b), strbuf_str(&c));
		assert_int_equal(b.len, strlen(cases[i].form));
		for (size_t j = 0; j < b.len && !is_kept; j++) {
			char got = b.data[j], form = cases[i].form[j];

			assert_true(form == '9'	  ? got >= '0' && got <= '9'
				    : form == 'a' ? got >= 'a' && got <= 'z'
				    : form == 'A' ? got >= 'A' && got <= 'Z'
						  : got == form);
		}
		assert_true(!is_kept || cstr_equal(strbuf_str(&b), cases[i].form));
	}
}

static void stand_ins_of_other_keys_and_columns_are_others(void **state)
{
	_cleanup_(strbuf_done) struct strbuf a = STRBUF_INIT(0), b = STRBUF_INIT(0),
					     c = STRBUF_INIT(0), d = STRBUF_INIT(0);

	(void)state;
	stand_in_add(&a, key, "identifier", "T.c", str_from("15"));
	stand_in_add(&b, other, "identifier", "T.c", str_from("15"));
	stand_in_add(&c, key, "identifier", "T.d", str_from("15"));
	stand_in_add(&d, key, "identifier", "T.c", str_from("16"));
	assert_int_equal(a.len, 24);
	assert_string_not_equal(strbuf_str(&a), strbuf_str(&b));
	assert_string_not_equal(strbuf_str(&a), strbuf_str(&c));
	assert_string_not_equal(strbuf_str(&a), strbuf_str(&d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_tells_nobody_is_counted_and_not_searched_for),
	    cmocka_unit_test(a_long_text_is_found_by_its_begin),
	    cmocka_unit_test(the_seal_keeps_texts_and_tells_another_key),
	    cmocka_unit_test(a_seal_from_before_is_opened),
	    cmocka_unit_test(a_text_that_says_who_somebody_is_is_told),
	    cmocka_unit_test(the_seal_keeps_a_text_with_a_zero_in_it),
	    cmocka_unit_test(a_record_that_was_marked_since_opens_still),
	    cmocka_unit_test(a_fingerprint_is_an_hmac),
	    cmocka_unit_test(a_certificate_is_checked_byte_by_byte),
	    cmocka_unit_test(a_stand_in_has_the_form_and_is_the_same_each_time),
	    cmocka_unit_test(stand_ins_of_other_keys_and_columns_are_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
