/* The dictionary beside exhaustive answers: numbers, prefixes, misspelled words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "base/banned.h"

#define WORD_MAX 64

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* Words of syllables, so that many are near each other; some with a letter that is not ASCII. */
static struct str make_word(uint64_t *seed, char *buf)
{
	static const char *const syllables[] = {"ka",	    "bel", "ke",  "bo", "ard",
						"scre",	    "en",  "mon", "i",	"tor",
						"\xC3\xB1", "a",   "un",  "da", "ta"};
	size_t n = 0;

	for (uint64_t left = 1 + next(seed) % 6; left; left--) {
		const char *s = syllables[next(seed) % ARRAY_LEN(syllables)];

		memcpy(buf + n, s, strlen(s));
		n += strlen(s);
	}
	return (struct str){buf, n};
}

/* `reserved`: how many were said to come. */
static struct search_terms *reserved_dictionary(size_t words, size_t reserved)
{
	struct search_terms *t = search_terms_new();
	uint64_t seed = 1;
	char buf[WORD_MAX];

	search_terms_reserve(t, reserved);
	while (search_terms_count(t) < words)
		(void)search_terms_add(t, make_word(&seed, buf));
	return t;
}

static struct search_terms *dictionary(size_t words)
{
	return reserved_dictionary(words, 0);
}

/* --- numbers --------------------------------------------------------------------------------- */

static void a_term_keeps_its_number_and_its_place(void **state)
{
	struct search_terms *t = search_terms_new();
	const char *first;
	char buf[WORD_MAX];

	(void)state;
	assert_int_equal(search_terms_find(t, str_from("0x")), SEARCH_TERM_NONE);
	assert_int_equal(search_terms_add(t, str_from("0x")), 0);
	first = search_terms_text(t, 0).data;
	for (uint32_t i = 0; i < 20000; i++) { /* over every growth */
		int n = snprintf(buf, sizeof(buf), "%ux", i);

		assert_int_equal(search_terms_add(t, (struct str){buf, (size_t)n}), i);
	}
	assert_ptr_equal(search_terms_text(t, 0).data, first);
	for (uint32_t i = 0; i < 20000; i += 7) {
		int n = snprintf(buf, sizeof(buf), "%ux", i);
		struct str term = {buf, (size_t)n};

		assert_int_equal(search_terms_find(t, term), i);
		assert_int_equal(search_terms_add(t, term), i);
		assert_true(str_equal(search_terms_text(t, i), term));
	}
	assert_int_equal(search_terms_count(t), 20000);
	assert_int_equal(search_terms_find(t, str_from("20000x")), SEARCH_TERM_NONE);
	assert_int_equal(search_terms_find(t, str_from("")), SEARCH_TERM_NONE);
	search_terms_free(t);
}

static void the_longest_term_is_kept_whole(void **state)
{
	struct search_terms *t = search_terms_new();
	char text[SEARCH_TERMS_BYTES_MAX];
	struct str term = {text, sizeof(text)};
	uint32_t ids[4];

	(void)state;
	memset(text, 'y', sizeof(text));
	for (int i = 0; i < 2000; i++) { /* more than one chunk */
		text[i % 200] = (char)('a' + i % 13);
		text[254] = (char)('a' + i / 100);
		(void)search_terms_add(t, term);
		assert_true(str_equal(search_terms_text(t, search_terms_find(t, term)), term));
	}
	assert_int_equal(search_terms_prefix(t, term, ids, 4), 1);
	search_terms_free(t);
}

static void memory_is_counted_and_bounded(void **state)
{
	struct search_terms *t = search_terms_new();
	size_t empty = search_terms_memory(t);

	(void)state;
	search_terms_free(t);
	t = dictionary(4000);
	assert_true(search_terms_memory(t) > empty + (size_t)4000 * 60);
	assert_true(search_terms_memory(t) < ((size_t)1 << 20) + (size_t)4000 * 500);
	search_terms_free(t);
}

/* --- prefixes -------------------------------------------------------------------------------- */

static const struct search_terms *sorting; /* qsort() has no argument of its own */

static int by_length_then_bytes(const void *a, const void *b)
{
	struct str x = search_terms_text(sorting, *(const uint32_t *)a);
	struct str y = search_terms_text(sorting, *(const uint32_t *)b);

	return x.len != y.len ? (x.len < y.len ? -1 : 1) : str_compare(x, y);
}

static void check_prefix(const struct search_terms *t, struct str prefix, size_t max)
{
	uint32_t want[4000], got[4000];
	size_t n = 0;

	for (uint32_t i = 0; i < search_terms_count(t); i++) {
		struct str s = search_terms_text(t, i);

		if (s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0)
			want[n++] = i;
	}
	sorting = t;
	qsort(want, n, sizeof(*want), by_length_then_bytes);
	if (n > max)
		n = max;
	assert_int_equal(search_terms_prefix(t, prefix, got, max), n);
	if (n)
		assert_memory_equal(got, want, n * sizeof(*want));
}

/* Of 3,000. Without a reservation they are beyond one merge and have an unsorted rest. */
static void check_prefixes(struct search_terms *t)
{
	for (uint32_t i = 0; i < 3000; i += 31) {
		struct str s = search_terms_text(t, i);

		for (size_t n = 1; n <= s.len; n += 1 + n / 4)
			check_prefix(t, (struct str){s.data, n}, 1 + i % 50);
	}
	check_prefix(t, str_from(""), 4000);
	check_prefix(t, str_from("ka"), 4000);
	check_prefix(t, str_from("kabelscreenx"), 10);
	check_prefix(t, str_from("\xFF"), 10);
	search_terms_free(t);
}

static void prefixes_find_what_an_exhaustive_look_finds(void **state)
{
	(void)state;
	check_prefixes(dictionary(3000));
}

static void prefixes_are_found_when_fewer_or_more_come_than_were_said_to(void **state)
{
	static const size_t reserved[] = {1, 1500, 3000, 3001, 5000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		check_prefixes(reserved_dictionary(3000, reserved[i]));
}

static void the_term_itself_comes_first(void **state)
{
	static const char *const terms[] = {"keyboards", "key", "keyboard", "keys", "kez", "ke"};
	struct search_terms *t = search_terms_new();
	uint32_t ids[3];

	(void)state;
	assert_int_equal(search_terms_prefix(t, str_from("k"), ids, 3), 0);
	for (size_t i = 0; i < ARRAY_LEN(terms); i++)
		(void)search_terms_add(t, str_from(terms[i]));
	assert_int_equal(search_terms_prefix(t, str_from("key"), ids, 3), 3);
	assert_int_equal(ids[0], 1);
	assert_int_equal(ids[1], 3);
	assert_int_equal(ids[2], 2);
	assert_int_equal(search_terms_prefix(t, str_from("key"), ids, 0), 0);
	search_terms_free(t);
}

/* --- misspelled words ------------------------------------------------------------------------ */

static size_t characters(struct str s, int32_t *c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; n++)
		i += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)s.data + i,
					      (utf8proc_ssize_t)(s.len - i), &c[n]);
	return n;
}

/* Optimal string alignment by its definition, the whole table. */
static size_t distance(struct str a, struct str b)
{
	int32_t ca[WORD_MAX], cb[WORD_MAX];
	size_t na = characters(a, ca), nb = characters(b, cb);
	size_t d[WORD_MAX][WORD_MAX];

	for (size_t i = 0; i <= na; i++) {
		for (size_t j = 0; j <= nb; j++) {
			size_t least = i + j;

			if (i && j) {
				least = d[i - 1][j - 1] + (ca[i - 1] != cb[j - 1]);
				if (d[i - 1][j] + 1 < least)
					least = d[i - 1][j] + 1;
				if (d[i][j - 1] + 1 < least)
					least = d[i][j - 1] + 1;
			}
			if (i > 1 && j > 1 && ca[i - 1] == cb[j - 2] && ca[i - 2] == cb[j - 1] &&
			    d[i - 2][j - 2] + 1 < least)
				least = d[i - 2][j - 2] + 1;
			d[i][j] = least;
		}
	}
	return d[na][nb];
}

static bool can_be_found(struct str s)
{
	int32_t c[WORD_MAX];
	size_t n = characters(s, c);

	return n >= 4 && n <= 24;
}

static size_t near_by_looking_at_all(const struct search_terms *t, struct str word, size_t max,
				     struct search_near *ret)
{
	int32_t c[WORD_MAX];
	size_t n = 0, tolerance = search_terms_tolerance(characters(word, c));

	for (size_t d = 1; d <= tolerance && can_be_found(word); d++) {
		for (uint32_t i = 0; i < search_terms_count(t) && n < max; i++) {
			struct str s = search_terms_text(t, i);

			if (can_be_found(s) && s.len < word.len + 5 && word.len < s.len + 5 &&
			    distance(word, s) == d)
				ret[n++] = (struct search_near){i, (uint8_t)d};
		}
	}
	return n;
}

static void check_near(const struct search_terms *t, struct str word, size_t max)
{
	struct search_near want[64], got[64];
	size_t n = near_by_looking_at_all(t, word, max, want);
	size_t m = search_terms_near(t, word, 2, got, max);

	for (size_t i = 0; i < n && i < m; i++) {
		if (want[i].term != got[i].term || want[i].distance != got[i].distance)
			fail_msg("\"%.*s\": %zu. is \"%.*s\" instead of \"%.*s\"", STR_ARGS(word),
				 i + 1, STR_ARGS(search_terms_text(t, got[i].term)),
				 STR_ARGS(search_terms_text(t, want[i].term)));
	}
	if (n != m)
		fail_msg("\"%.*s\": %zu terms instead of %zu", STR_ARGS(word), m, n);
}

/* One to three edits at places of their own; bytes of characters that are not ASCII are left. */
static struct str misspell(uint64_t *seed, struct str word, char *buf)
{
	size_t n = word.len;

	memcpy(buf, word.data, n);
	for (uint64_t left = 1 + next(seed) % 3; left; left--) {
		size_t at = (size_t)(next(seed) % n);

		if (n < 3 || at + 1 >= n || buf[at] & 0x80 || buf[at + 1] & 0x80)
			continue;
		switch (next(seed) % 4) {
		case 0:
			memmove(buf + at, buf + at + 1, n - at - 1);
			n--;
			break;
		case 1:
			memmove(buf + at + 1, buf + at, n - at);
			buf[at] = (char)('a' + next(seed) % 26);
			n++;
			break;
		case 2:
			buf[at] = (char)('a' + next(seed) % 26);
			break;
		default: {
			char c = buf[at];

			buf[at] = buf[at + 1];
			buf[at + 1] = c;
		}
		}
	}
	return (struct str){buf, n};
}

static void misspelled_words_find_what_an_exhaustive_look_finds(void **state)
{
	struct search_terms *t = dictionary(1500); /* over several doublings of the buckets */
	uint64_t seed = 3;
	char buf[2 * WORD_MAX];

	(void)state;
	for (uint32_t i = 0; i < 1500; i += 6)
		check_near(t, misspell(&seed, search_terms_text(t, i), buf), 1 + i % 60);
	for (uint32_t i = 0; i < 1500; i += 50)
		check_near(t, search_terms_text(t, i), 60);
	search_terms_free(t);
}

/* The alphabet's beginnings, and each of them with an edit at each of its places. */
static void edits_of_every_kind_are_found_at_every_length(void **state)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
	struct search_terms *t = search_terms_new();
	char buf[WORD_MAX];

	(void)state;
	for (size_t n = 2; n <= 26; n++)
		(void)search_terms_add(t, (struct str){alphabet, n});
	for (size_t n = 3; n <= 26; n++) {
		for (size_t at = 0; at < n; at++) {
			memcpy(buf, alphabet, n); /* another letter */
			buf[at] = 'q';
			check_near(t, (struct str){buf, n}, 10);
			memcpy(buf + at, alphabet + at + 1, n - at - 1); /* one less */
			check_near(t, (struct str){buf, n - 1}, 10);
			memcpy(buf + at + 1, alphabet + at, n - at); /* one more */
			check_near(t, (struct str){buf, n + 1}, 10);
			memcpy(buf, alphabet, n); /* two swapped, and the last one missing */
			buf[at] = alphabet[(at + 1) % n];
			buf[(at + 1) % n] = alphabet[at];
			check_near(t, (struct str){buf, n}, 10);
			check_near(t, (struct str){buf, n - 1}, 10);
		}
	}
	search_terms_free(t);
}

/* All words of two letters: every way of taking out one of several equal neighbours. */
static void repeated_letters_are_found_like_others(void **state)
{
	struct search_terms *t = search_terms_new();
	char buf[WORD_MAX];

	(void)state;
	for (unsigned n = 6; n <= 8; n++) {
		for (unsigned bits = 0; bits < 1u << n; bits++) {
			for (unsigned k = 0; k < n; k++)
				buf[k] = bits >> k & 1 ? 'b' : 'a';
			if (bits % 3 == 0)
				(void)search_terms_add(t, (struct str){buf, n});
			else if (bits % 5 == 0)
				check_near(t, (struct str){buf, n}, 64);
		}
	}
	search_terms_free(t);
}

static void numbers_are_never_corrected(void **state)
{
	static const char *const terms[] = {"rtx4060", "4060",	 "40600",
					    "c++x",    "usb3.2", "keyboard"};
	struct search_terms *t = search_terms_new();
	struct search_near near[4];

	(void)state;
	assert_int_equal(search_terms_near(t, str_from("keybord"), 2, near, 4), 0);
	for (size_t i = 0; i < ARRAY_LEN(terms); i++)
		(void)search_terms_add(t, str_from(terms[i]));
	assert_int_equal(search_terms_near(t, str_from("rtx4070"), 2, near, 4), 0);
	assert_int_equal(search_terms_near(t, str_from("rtxx"), 2, near, 4), 0);
	assert_int_equal(search_terms_near(t, str_from("40601"), 2, near, 4), 0);
	assert_int_equal(search_terms_near(t, str_from("keybo4rd"), 2, near, 4), 0);
	assert_int_equal(search_terms_near(t, str_from("keybord"), 2, near, 4), 1);
	assert_int_equal(near[0].term, 5);
	assert_int_equal(near[0].distance, 1);
	assert_int_equal(search_terms_near(t, str_from("keybord"), 2, near, 0), 0);
	assert_int_equal(search_terms_near(t, str_from("keybord"), 0, near, 4), 0);
	assert_int_equal(search_terms_near(t, str_from("\xFF\xFE\xFD\xFC"), 2, near, 4), 0);
	search_terms_free(t);
}

static void tolerance_grows_with_the_word(void **state)
{
	(void)state;
	assert_int_equal(search_terms_tolerance(3), 0);
	assert_int_equal(search_terms_tolerance(4), 1);
	assert_int_equal(search_terms_tolerance(7), 1);
	assert_int_equal(search_terms_tolerance(8), 2);
}

/* All in the same buckets: what a hostile catalogue can do to a lookup. */
static void thousands_of_terms_with_one_beginning_are_answered(void **state)
{
	struct search_terms *t = search_terms_new();
	struct search_near near[8];
	char buf[WORD_MAX] = "internationa";
	size_t n = strlen(buf);

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		for (uint32_t k = 0, x = i; k < 3; k++, x /= 26)
			buf[n + k] = (char)('a' + x % 26);
		(void)search_terms_add(t, (struct str){buf, n + 3});
	}
	assert_int_equal(search_terms_near(t, str_from("internationaaqa"), 2, near, 8), 8);
	assert_int_equal(near[0].distance, 1);
	search_terms_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_term_keeps_its_number_and_its_place),
	    cmocka_unit_test(the_longest_term_is_kept_whole),
	    cmocka_unit_test(memory_is_counted_and_bounded),
	    cmocka_unit_test(prefixes_find_what_an_exhaustive_look_finds),
	    cmocka_unit_test(prefixes_are_found_when_fewer_or_more_come_than_were_said_to),
	    cmocka_unit_test(the_term_itself_comes_first),
	    cmocka_unit_test(misspelled_words_find_what_an_exhaustive_look_finds),
	    cmocka_unit_test(edits_of_every_kind_are_found_at_every_length),
	    cmocka_unit_test(repeated_letters_are_found_like_others),
	    cmocka_unit_test(numbers_are_never_corrected),
	    cmocka_unit_test(tolerance_grows_with_the_word),
	    cmocka_unit_test(thousands_of_terms_with_one_beginning_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
