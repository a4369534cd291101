/* The tokenizer: the oracle's ids, and each of its rules on a vocabulary that fits on a page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "embed/wordpiece.h"
#include "golden.h"
#include "model.h"

#include "base/banned.h"

/* Ids are the lines' numbers from 0. */
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nab\n##c\n##cd\nx\n!\n"
				 "\xE4\xB8\xAD\n##\ncafe\n\xC3\xB0\n##\xC3\xB0\n";
enum { PAD, UNK, CLS, SEP, MASK, A, AB, C_, CD_, X, BANG, ZHONG, HASHES, CAFE, ETH, ETH_ };

#define NONE UINT32_MAX

static struct wordpiece *small(void)
{
	struct wordpiece *w = NULL;

	assert_int_equal(wordpiece_parse("small", str_from(vocabulary), &w, NULL), 0);
	return w;
}

/* The ids of `text` are [CLS], those given up to NONE, [SEP]. */
static void expect(const struct wordpiece *w, struct str text, const uint32_t *ids)
{
	uint32_t got[64];
	size_t n = wordpiece_encode(w, text, got, 64), want = 0;

	while (ids[want] != NONE)
		want++;
	assert_int_equal(n, want + 2);
	assert_int_equal(got[0], CLS);
	assert_int_equal(got[n - 1], SEP);
	for (size_t i = 0; i < want; i++)
		assert_int_equal(got[i + 1], ids[i]);
}

#define EXPECT(w, text, ...)                                \
	expect((w), (struct str){(text), sizeof(text) - 1}, \
	       (const uint32_t[]){__VA_ARGS__ __VA_OPT__(, ) NONE})

static void every_golden_text_has_the_oracles_ids(void **state)
{
	char *path = model_file("vocab.txt");
	struct wordpiece *w = NULL;
	struct golden g;
	uint32_t ids[256];

	(void)state;
	if (!path)
		skip();
	golden_init(&g);
	assert_int_equal(wordpiece_open(path, &w, NULL), 0);
	assert_int_equal(wordpiece_size(w), 30522);
	for (size_t i = 0; i < GOLDEN_TEXTS; i++) {
		const json_t *want = json_object_get(g.lines[i], "token_ids");
		size_t n = wordpiece_encode(w, g.texts[i], ids, 256);

		if (n != json_array_size(want))
			fail_msg("text %zu has %zu ids instead of %zu", i, n,
				 json_array_size(want));
		for (size_t k = 0; k < n; k++)
			if (ids[k] != json_integer_value(json_array_get(want, k)))
				fail_msg("text %zu: id %zu is %u", i, k, ids[k]);
	}
	golden_done(&g);
	wordpiece_free(w);
	mem_free(path);
}

static void the_longest_piece_goes_first(void **state)
{
	struct wordpiece *w = small();

	(void)state;
	EXPECT(w, "");
	EXPECT(w, "a ab abc abcd abcdc", A, AB, AB, C_, AB, CD_, AB, CD_, C_);
	EXPECT(w, "ac", A, C_);
	wordpiece_free(w);
}

static void a_word_that_has_no_piece_somewhere_is_unknown_as_a_whole(void **state)
{
	struct wordpiece *w = small();

	(void)state;
	EXPECT(w, "abq", UNK);
	EXPECT(w, "a abcq a", A, UNK, A);
	EXPECT(w, "c", UNK); /* is known as a continuation only */
	wordpiece_free(w);
}

static void case_and_accents_do_not_matter(void **state)
{
	struct wordpiece *w = small();

	(void)state;
	EXPECT(w, "AB CAF\xC3\x89 cafe\xCC\x81", AB, CAFE, CAFE);
	EXPECT(w, "\xC3\x90\xC3\xB0", ETH, ETH_); /* a letter that has no decomposition */
	wordpiece_free(w);
}

static void punctuation_and_ideographs_are_words(void **state)
{
	struct wordpiece *w = small();

	(void)state;
	EXPECT(w, "a!a!!", A, BANG, A, BANG, BANG);
	EXPECT(w,
	       "a\xE4\xB8\xAD"
	       "a",
	       A, ZHONG, A);
	wordpiece_free(w);
}

static void control_characters_are_dropped_and_spaces_split(void **state)
{
	struct wordpiece *w = small();

	(void)state;
	EXPECT(w,
	       "a\0b a\x07"
	       "b a\xE2\x80\x8B"
	       "b \xEF\xBB\xBF"
	       "ab",
	       AB, AB, AB, AB);
	EXPECT(w,
	       "a\ta\na\xC2\xA0"
	       "a\xE3\x80\x80"
	       "a",
	       A, A, A, A, A);
	wordpiece_free(w);
}

static void bytes_that_are_no_utf8_are_dropped(void **state)
{
	struct wordpiece *w = small();

	(void)state;
	EXPECT(w,
	       "a\xFF"
	       "b a\xC3",
	       AB, A);
	EXPECT(w,
	       "\xED\xA0\x80"
	       "ab",
	       AB);
	wordpiece_free(w);
}

static void literals_of_special_tokens_are_those_tokens(void **state)
{
	struct wordpiece *w = small();

	(void)state;
	EXPECT(w, "a[MASK]b [SEP][PAD]", A, MASK, UNK, SEP, PAD);
	EXPECT(w, "[mask", UNK, UNK); /* '[' and "mask" */
	wordpiece_free(w);
}

static void a_word_above_100_characters_is_unknown(void **state)
{
	struct wordpiece *w = NULL;
	struct strbuf b = STRBUF_INIT(0);
	uint32_t ids[300];

	(void)state;
	assert_int_equal(wordpiece_parse("v",
					 str_from("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\n"),
					 &w, NULL),
			 0);
	for (int i = 0; i < 100; i++)
		strbuf_addch(&b, 'a');
	assert_int_equal(wordpiece_encode(w, strbuf_slice(&b), ids, 300), 102);
	strbuf_addstr(&b, "\xCC\x81"); /* an accent is no character of the word */
	assert_int_equal(wordpiece_encode(w, strbuf_slice(&b), ids, 300), 102);
	strbuf_addch(&b, 'a');
	assert_int_equal(wordpiece_encode(w, strbuf_slice(&b), ids, 300), 3);
	assert_int_equal(ids[1], 1);
	strbuf_done(&b);
	wordpiece_free(w);
}

static void what_is_too_much_is_cut_off_before_the_last_token(void **state)
{
	struct wordpiece *w = small();
	uint32_t ids[5] = {0, 0, 0, 0, 99};

	(void)state;
	assert_int_equal(wordpiece_encode(w, str_from("a abcdc a"), ids, 4), 4);
	assert_int_equal(ids[0], CLS);
	assert_int_equal(ids[2], AB);
	assert_int_equal(ids[3], SEP);
	assert_int_equal(ids[4], 99);
	assert_int_equal(wordpiece_encode(w, str_from("abq a a"), ids, 4), 4);
	assert_int_equal(ids[1], UNK); /* not the pieces that were found before it failed */
	assert_int_equal(wordpiece_encode(w, str_from("a"), ids, 2), 2);
	wordpiece_free(w);
}

static void a_vocabulary_that_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *message;
	} wrong[] = {
	    {"", "\"[PAD]\" is missing"},
	    {"[PAD]\n[UNK]\n[CLS]\n[SEP]\n", "\"[MASK]\" is missing"},
	    {"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n", "v:7: the token stands in line 6"},
	    {"[PAD]\n\n[UNK]\n", "v:2: an empty token"},
	    {"[PAD]\n\xFF\n", "v:2: the token is not UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct wordpiece *w = NULL;
		struct err err = {0};

		assert_int_equal(wordpiece_parse("v", str_from(wrong[i].text), &w, &err),
				 -ERR_CORRUPTED);
		assert_null(w);
		if (!strstr(err.message, wrong[i].message))
			fail_msg("\"%s\" instead of \"%s\"", err.message, wrong[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_golden_text_has_the_oracles_ids),
	    cmocka_unit_test(the_longest_piece_goes_first),
	    cmocka_unit_test(a_word_that_has_no_piece_somewhere_is_unknown_as_a_whole),
	    cmocka_unit_test(case_and_accents_do_not_matter),
	    cmocka_unit_test(punctuation_and_ideographs_are_words),
	    cmocka_unit_test(control_characters_are_dropped_and_spaces_split),
	    cmocka_unit_test(bytes_that_are_no_utf8_are_dropped),
	    cmocka_unit_test(literals_of_special_tokens_are_those_tokens),
	    cmocka_unit_test(a_word_above_100_characters_is_unknown),
	    cmocka_unit_test(what_is_too_much_is_cut_off_before_the_last_token),
	    cmocka_unit_test(a_vocabulary_that_is_wrong_is_refused_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
