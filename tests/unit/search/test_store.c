/* The file of records: what is kept when it is cut at any byte, damaged in any bit, when the disk
 * is full, and when the process that writes is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "search/search_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

#define NUMBERS	 200
#define HASH	 77
#define HEADER	 48 /* bytes */
#define RECORD	 24
#define TEXT_MAX 64
#define KILLS	 25
#define DISK_MAX (256UL << 10)

struct seen { /* one call of `each` */
	uint32_t number;
	char key[TEXT_MAX], content[TEXT_MAX]; /* "" without a document */
	struct search_stored at;
};

static struct fixture {
	char dir[64];
	char *path;
	struct search_store *store;
	struct seen seen[1000];
	size_t n;
	struct seen last[NUMBERS]; /* of each number; key "": none */
	uint32_t numbers;
} f;

static int open_dir(void **state)
{
	static const char template[] = "/dev/shm/aethermart-test-store-XXXXXX";

	(void)state;
	f = (struct fixture){0};
	memcpy(f.dir, template, sizeof(template));
	if (!mkdtemp(f.dir))
		return -1;
	f.path = mem_printf("%s/a.records", f.dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	search_store_free(f.store);
	mem_free(f.path);
	return dir_remove(f.dir, NULL);
}

static void take_text(char *to, struct str s)
{
	bug_if(s.len >= TEXT_MAX);
	memcpy(to, s.data, s.len);
	to[s.len] = '\0';
}

static int see(void *arg, uint32_t number, struct str key, const struct search_stored *at,
	       const struct str *content, struct err *err)
{
	struct seen *s = &f.seen[f.n < ARRAY_LEN(f.seen) - 1 ? f.n++ : f.n];

	(void)arg;
	if (number >= NUMBERS || key.len >= TEXT_MAX || (content && content->len >= TEXT_MAX))
		return err_set(err, ERR_CORRUPTED, "not one of ours");
	*s = (struct seen){.number = number, .at = *at};
	take_text(s->key, key);
	if (content)
		take_text(s->content, *content);
	else
		s->at.size = 0;
	f.last[number] = *s;
	f.numbers = number >= f.numbers ? number + 1 : f.numbers;
	return 0;
}

static int try_open(const char *path, uint64_t hash, struct err *err)
{
	const struct search_store_options options = {.path = path, .hash = hash, .each = see};

	f.store = search_store_free(f.store);
	f.n = f.numbers = 0;
	memset(f.last, 0, sizeof(f.last));
	return search_store_open(&options, &f.store, err);
}

static void reopen(void)
{
	struct err err = {0};

	if (try_open(f.path, HASH, &err) < 0)
		fail_msg("%s", err.message);
}

static int try_put(uint32_t number, const char *content, struct err *err)
{
	char *key = mem_printf("key %u", number);
	struct str text = str_from(content);
	struct search_stored at = {0};
	int r = search_store_put(f.store, number, str_from(key), content ? &text : NULL,
				 &f.last[number].at, &at, err);

	if (r == 0) {
		f.last[number] = (struct seen){.number = number, .at = at};
		take_text(f.last[number].key, str_from(key));
		take_text(f.last[number].content, content ? text : (struct str){"", 0});
		f.numbers = number >= f.numbers ? number + 1 : f.numbers;
	}
	mem_free(key);
	return r;
}

static void put(uint32_t number, const char *content)
{
	struct err err = {0};

	if (try_put(number, content, &err) < 0)
		fail_msg("%s", err.message);
}

static void sync_store(void)
{
	assert_int_equal(search_store_sync(f.store, NULL), 0);
}

/* What is at each number's place is what `each` told, or was put. */
static void check_places(void)
{
	for (uint32_t i = 0; i < f.numbers; i++) {
		struct strbuf b = STRBUF_INIT(0);

		if (!f.last[i].at.size)
			continue;
		assert_int_equal(search_store_read(f.store, &f.last[i].at, &b, NULL), 0);
		assert_string_equal(strbuf_str(&b), f.last[i].content);
		strbuf_done(&b);
	}
}

static void expect(uint32_t number, const char *content)
{
	char *key = mem_printf("key %u", number);

	assert_string_equal(f.last[number].key, key);
	assert_string_equal(f.last[number].content, content);
	mem_free(key);
}

static void read_whole(struct strbuf *b)
{
	strbuf_clear(b);
	assert_int_equal(file_read(f.path, b, NULL), 0);
}

static void write_whole(const char *data, size_t n)
{
	FILE *file = fopen(f.path, "w");

	assert_true(file && fwrite(data, 1, n, file) == n && fclose(file) == 0);
}

static bool is_on_disk(const char *text)
{
	struct strbuf b = STRBUF_INIT(0);
	bool is;

	read_whole(&b);
	is = memmem(b.data, b.len, text, strlen(text)) != NULL;
	strbuf_done(&b);
	return is;
}

/* --- keeping --------------------------------------------------------------------------------- */

static void numbers_stay_and_the_last_record_counts(void **state)
{
	uint64_t space;

	(void)state;
	reopen();
	space = search_store_space(f.store);
	put(0, "zero");
	put(1, NULL);
	put(2, "two");
	put(0, "zero again");
	put(2, NULL);
	put(1, "one");
	check_places();
	sync_store();
	reopen();
	assert_int_equal(f.n, 6);
	assert_int_equal(f.numbers, 3);
	expect(0, "zero again");
	expect(1, "one");
	expect(2, "");
	check_places();
	assert_true(search_store_space(f.store) == space);
	assert_false(search_store_is_stale(f.store));
}

static void a_new_file_says_so_until_it_is_used(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) { /* killed each time before it was looked at */
		reopen();
		assert_true(search_store_is_stale(f.store));
	}
	put(0, "zero");
	reopen();
	assert_true(search_store_is_stale(f.store));
	expect(0, "zero");
	sync_store();
	assert_true(search_store_is_stale(f.store));
	reopen();
	assert_false(search_store_is_stale(f.store));
	expect(0, "zero");
}

static void other_rules_keep_the_numbers_only(void **state)
{
	uint64_t space, hash = 0;

	(void)state;
	reopen();
	space = search_store_space(f.store);
	put(0, "zero");
	put(1, "one");
	sync_store();
	for (int i = 0; i < 3; i++) { /* also when it was killed right after */
		assert_int_equal(try_open(f.path, HASH + 1, NULL), 0);
		assert_true(search_store_is_stale(f.store));
		expect(0, "");
		expect(1, "");
	}
	put(1, "another");
	sync_store();
	assert_int_equal(try_open(f.path, HASH + 1, NULL), 0);
	assert_false(search_store_is_stale(f.store));
	expect(0, "");
	expect(1, "another");
	check_places();
	assert_int_equal(try_open(f.path, HASH, NULL), 0); /* and back */
	assert_true(search_store_is_stale(f.store));
	expect(1, "");
	assert_true(search_store_space(f.store) == space);
	assert_int_equal(search_store_peek(f.path, &hash, NULL), 0);
	assert_int_equal(hash, HASH);
}

static void what_is_too_large_is_told(void **state)
{
	size_t size = (size_t)9 << 20;
	char *large = mem_alloc_array(size, 1);
	struct str content = {large, size}, key = {large, 1UL << 16}, small = {"x", 1};
	struct search_stored at;
	struct err err = {0};

	(void)state;
	reopen();
	put(0, "zero");
	assert_int_equal(search_store_put(f.store, 1, small, &content, NULL, &at, &err),
			 -ERR_LIMIT);
	assert_int_equal(search_store_put(f.store, 1, key, &small, NULL, &at, &err), -ERR_LIMIT);
	put(1, "one");
	sync_store();
	reopen();
	expect(0, "zero");
	expect(1, "one");
	mem_free(large);
}

/* --- cut and damaged ------------------------------------------------------------------------- */

/* Documents, one that changed and was overwritten, one that changed, one that went, a number. */
static void make_example(void)
{
	reopen();
	put(0, "zero");
	put(1, "the first one");
	put(2, NULL);
	put(1, "the second one");
	sync_store();
	assert_int_equal(search_store_wipe(f.store, 0, NULL), 0);
	put(3, "three");
	put(0, "zero again");
	put(3, NULL);
	put(4, "four");
	sync_store();
	reopen();
	assert_false(search_store_is_stale(f.store));
	assert_int_equal(f.n, 7);
}

static void check_usable(void)
{
	uint32_t number = f.numbers;

	put(number, "one more");
	sync_store();
	reopen();
	assert_false(search_store_is_stale(f.store));
	expect(number, "one more");
	check_places();
}

/* As after a crash in the middle of appending: what was written to its end is there. */
static void each_cut_keeps_what_is_before(void **state)
{
	static struct seen whole[16];
	struct strbuf b = STRBUF_INIT(0);
	uint64_t space;
	size_t n;

	(void)state;
	make_example();
	n = f.n;
	memcpy(whole, f.seen, sizeof(whole));
	space = search_store_space(f.store);
	read_whole(&b);
	for (size_t cut = 0; cut < b.len; cut++) {
		size_t kept = 0;

		while (kept < n && whole[kept].at.offset + strlen(whole[kept].content) <= cut)
			kept++;
		write_whole(b.data, cut);
		reopen();
		assert_int_equal(f.n, cut < HEADER ? 0 : kept);
		assert_memory_equal(f.seen, whole, f.n * sizeof(*whole));
		assert_true(cut < HEADER || search_store_space(f.store) == space ||
			    search_store_is_stale(f.store));
		if (!search_store_is_stale(f.store)) /* between two records */
			assert_int_equal(cut, search_store_bytes(f.store));
		check_usable();
	}
	strbuf_done(&b);
}

static bool is_same_end(const struct seen *last)
{
	for (uint32_t i = 0; i < NUMBERS; i++) {
		if (!cstr_equal(last[i].key, f.last[i].key) ||
		    !cstr_equal(last[i].content, f.last[i].content))
			return false;
	}
	return true;
}

/* Everything before the damage is told, nothing that was not there. */
static void check_damaged(const struct seen *whole, size_t n, size_t at)
{
	size_t k = 0;

	for (size_t i = 0; i < f.n; i++) {
		while (k < n && memcmp(&whole[k], &f.seen[i], sizeof(*whole)) != 0) {
			size_t end = whole[k].at.offset + strlen(whole[k].content);

			if (end <= at)
				fail_msg("byte %zu: record %zu is not told", at, k);
			k++;
		}
		if (k++ == n)
			fail_msg("byte %zu: \"%s\" \"%s\" is told", at, f.seen[i].key,
				 f.seen[i].content);
	}
	for (; k < n; k++)
		assert_true(whole[k].at.offset + strlen(whole[k].content) > at);
}

static void each_flipped_bit_is_noticed_or_harmless(void **state)
{
	static struct seen whole[16], last[NUMBERS];
	struct strbuf b = STRBUF_INIT(0);
	uint64_t space;
	size_t n, noticed = 0;

	(void)state;
	make_example();
	n = f.n;
	memcpy(whole, f.seen, sizeof(whole));
	memcpy(last, f.last, sizeof(last));
	space = search_store_space(f.store);
	read_whole(&b);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		struct err err = {0};
		bool is_noticed;
		int r;

		b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << (bit % 8));
		write_whole(b.data, b.len);
		b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << (bit % 8));
		r = try_open(f.path, HASH, &err);
		if (bit < 8UL * HEADER) {
			assert_int_equal(r, -ERR_CORRUPTED);
			continue;
		}
		assert_int_equal(r, 0);
		check_damaged(whole, n, bit / 8);
		is_noticed = search_store_is_stale(f.store) && search_store_space(f.store) != space;
		if (!is_noticed && !is_same_end(last))
			fail_msg("bit %zu of byte %zu is not noticed", bit % 8, bit / 8);
		noticed += is_noticed;
		if (is_noticed) { /* and remembered */
			uint64_t other = search_store_space(f.store);

			reopen();
			assert_true(search_store_is_stale(f.store) &&
				    search_store_space(f.store) == other);
		}
		if (bit % 5 == 0)
			check_usable();
	}
	assert_true(noticed > 7UL * 8 * RECORD);
	strbuf_done(&b);
}

static void what_is_no_such_file_is_refused(void **state)
{
	static const char other[] = "SQLite format 3, or whatever else may stand in the folder....";
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};
	uint64_t hash;

	(void)state;
	write_whole(other, sizeof(other));
	assert_int_equal(try_open(f.path, HASH, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "is no file of records"));
	read_whole(&b);
	assert_memory_equal(b.data, other, sizeof(other)); /* and left as it is */
	assert_int_equal(search_store_peek(f.path, &hash, NULL), -ERR_CORRUPTED);
	assert_int_equal(try_open("/nowhere/x", HASH, &err), -ERR_NOT_FOUND);
	strbuf_done(&b);
}

/* Numbers come in order: a file that names others would ask for room for all of them. */
static void a_number_beyond_the_records_is_damage(void **state)
{
	struct str content = {"x", 1}, key = {"k", 1};
	struct search_stored at;

	(void)state;
	reopen();
	put(0, "zero");
	assert_int_equal(search_store_put(f.store, 9, key, &content, NULL, &at, NULL), 0);
	sync_store();
	reopen();
	assert_true(search_store_is_stale(f.store));
	assert_int_equal(f.n, 1);
	expect(0, "zero");
}

/* --- overwriting ----------------------------------------------------------------------------- */

static void what_was_replaced_is_overwritten_on_disk(void **state)
{
	(void)state;
	reopen();
	put(0, "a secret");
	put(1, "another secret");
	put(0, "no longer");
	put(1, NULL);
	put(2, "kept");
	sync_store();
	assert_int_equal(search_store_wipe(f.store, INT64_C(3600) * 1000000, NULL), 0);
	assert_true(is_on_disk("a secret")); /* somebody may be reading it */
	assert_int_equal(search_store_wipe(f.store, 0, NULL), 0);
	assert_false(is_on_disk("secret"));
	assert_true(is_on_disk("no longer") && is_on_disk("kept"));
	check_places();
	reopen();
	assert_false(search_store_is_stale(f.store));
	expect(0, "no longer");
	expect(1, "");
	expect(2, "kept");
	assert_int_equal(search_store_wipe(f.store, 0, NULL), 0); /* once more */
	check_usable();
}

static int count_key(void *arg, struct str key, struct err *err)
{
	size_t *counts = arg;

	(void)err;
	assert_int_equal(key.len, strlen("key 0"));
	counts[key.data[4] - '0']++;
	return 0;
}

/* Its key alone, which a number without a document keeps, is no record. */
static void a_key_has_a_record_until_it_is_overwritten(void **state)
{
	size_t counts[3] = {0}, after[3] = {0};

	(void)state;
	assert_int_equal(search_store_each_key(f.path, count_key, counts, NULL), 0);
	reopen();
	put(0, "a secret");
	put(1, "another secret");
	put(0, "no longer");
	put(1, NULL);
	put(2, "kept");
	sync_store();
	assert_int_equal(search_store_each_key(f.path, count_key, counts, NULL), 0);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 1);
	assert_int_equal(search_store_wipe(f.store, 0, NULL), 0);
	assert_int_equal(search_store_each_key(f.path, count_key, after, NULL), 0);
	assert_int_equal(after[0], 1);
	assert_int_equal(after[1], 0);
	assert_int_equal(after[2], 1);
}

/* Who looks for a key in a file whose rest cannot be read has not found that it is not there. */
static void damage_is_no_end_to_who_looks_for_a_key(void **state)
{
	struct strbuf whole = STRBUF_INIT(0);
	size_t counts[3] = {0};

	(void)state;
	reopen();
	put(0, "zero");
	put(1, "one");
	sync_store();
	read_whole(&whole);
	write_whole(whole.data, whole.len - 1); /* as after a crash */
	assert_int_equal(search_store_each_key(f.path, count_key, counts, NULL), 0);
	assert_int_equal(counts[0], 1);
	for (size_t i = 0; i < RECORD - sizeof(uint64_t); i++) { /* of the first one's header */
		struct err err = {0};

		whole.data[HEADER + i] ^= 1;
		write_whole(whole.data, whole.len);
		counts[0] = counts[1] = 0;
		assert_int_equal(search_store_each_key(f.path, count_key, counts, &err),
				 -ERR_CORRUPTED);
		assert_non_null(strstr(err.message, "damaged at byte 48"));
		assert_int_equal(counts[0] + counts[1], 0);
		whole.data[HEADER + i] ^= 1;
	}
	strbuf_done(&whole);
}

static void what_was_replaced_before_a_restart_is_overwritten_too(void **state)
{
	(void)state;
	reopen();
	put(0, "a secret");
	put(0, "no longer");
	put(1, "another secret");
	put(1, NULL);
	sync_store();
	reopen();
	assert_int_equal(search_store_wipe(f.store, 0, NULL), 0);
	assert_false(is_on_disk("secret"));
	reopen();
	expect(0, "no longer");
	expect(1, "");
	assert_false(search_store_is_stale(f.store));
}

static void a_file_that_is_mostly_waste_is_worth_writing_anew(void **state)
{
	const size_t size = 1 << 20;
	char *large = mem_alloc_array(size, 1);
	struct str content = {large, size}, key = {"k", 1};
	struct search_stored at = {0};

	(void)state;
	reopen();
	for (int i = 0; i < 16; i++)
		assert_int_equal(search_store_put(f.store, 0, key, &content, &at, &at, NULL), 0);
	assert_false(search_store_is_wasteful(f.store));
	for (int i = 0; i < 2; i++)
		assert_int_equal(search_store_put(f.store, 0, key, &content, &at, &at, NULL), 0);
	assert_true(search_store_is_wasteful(f.store));
	sync_store();
	f.store = search_store_free(f.store);
	mem_free(large);
}

/* --- writing anew ---------------------------------------------------------------------------- */

static int rewrite(struct err *err)
{
	struct search_live live[NUMBERS];
	int r;

	for (uint32_t i = 0; i < f.numbers; i++) {
		const char *key = f.last[i].key;

		live[i] = (struct search_live){i, *key ? str_from(key) : (struct str){NULL, 0},
					       f.last[i].at};
	}
	r = search_store_rewrite(f.store, live, f.numbers, err);
	for (uint32_t i = 0; r == 0 && i < f.numbers; i++)
		f.last[i].at = live[i].at;
	return r;
}

static void a_file_is_written_anew_with_what_is_valid(void **state)
{
	uint64_t space, bytes;

	(void)state;
	make_example();
	space = search_store_space(f.store);
	bytes = search_store_bytes(f.store);
	assert_int_equal(rewrite(NULL), 0);
	assert_true(search_store_bytes(f.store) < bytes);
	check_places();
	assert_false(is_on_disk("the first one"));
	put(1, "the third one");
	put(5, "five");
	check_places();
	sync_store();
	reopen();
	assert_int_equal(f.n, 7);
	expect(0, "zero again");
	expect(1, "the third one");
	expect(2, "");
	expect(3, "");
	expect(5, "five");
	assert_true(search_store_space(f.store) == space && !search_store_is_stale(f.store));
	check_places();
}

/* Of a file whose last records are lost: the numbers behind must not move. */
static void a_number_that_no_key_has_stays_free(void **state)
{
	(void)state;
	reopen();
	put(0, "zero");
	put(1, "one");
	put(2, "two");
	f.last[1] = (struct seen){0};
	assert_int_equal(rewrite(NULL), 0);
	sync_store();
	reopen();
	assert_false(search_store_is_stale(f.store));
	assert_int_equal(f.n, 2);
	expect(2, "two");
	assert_string_equal(f.last[1].key, "");
	assert_int_equal(rewrite(NULL), 0);
	reopen();
	expect(2, "two");
	check_usable();
}

static void a_new_file_that_is_written_anew_still_says_so(void **state)
{
	(void)state;
	reopen();
	put(0, "zero");
	assert_int_equal(rewrite(NULL), 0);
	reopen();
	assert_true(search_store_is_stale(f.store));
	sync_store();
	reopen();
	assert_false(search_store_is_stale(f.store));
	expect(0, "zero");
}

static void damage_is_not_written_anew(void **state)
{
	FILE *file;

	(void)state;
	make_example();
	file = fopen(f.path, "r+");
	assert_true(file && fseek(file, (long)f.last[4].at.offset, SEEK_SET) == 0 &&
		    fputc('F', file) == 'F' && fclose(file) == 0);
	assert_int_equal(rewrite(NULL), -ERR_CORRUPTED);
	put(5, "five"); /* all is as before */
	sync_store();
	reopen();
	assert_true(search_store_is_stale(f.store)); /* an opening sees it */
	expect(0, "zero again");
}

static void what_a_rewriting_left_behind_is_removed(void **state)
{
	char *half = mem_printf("%s.new", f.path);

	(void)state;
	assert_int_equal(file_write_atomic(half, "secret", 6, 0600, NULL), 0);
	reopen();
	assert_false(file_exists(half));
	mem_free(half);
}

/* --- a full disk ----------------------------------------------------------------------------- */

static struct rlimit limit_disk(rlim_t bytes)
{
	struct rlimit before, now;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	now = before;
	now.rlim_cur = bytes; /* no file of this process becomes larger */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	return before;
}

static void a_write_that_fails_leaves_all_usable(void **state)
{
	char *large = mem_alloc_array(DISK_MAX, 1);
	struct str content = {large, DISK_MAX}, key = {"large", 5};
	struct search_stored at = {0};
	struct rlimit before;
	struct err err = {0};
	uint64_t bytes;

	(void)state;
	memset(large, 'x', DISK_MAX);
	make_example();
	bytes = search_store_bytes(f.store);
	before = limit_disk(DISK_MAX);
	assert_int_equal(search_store_put(f.store, f.numbers, key, &content, NULL, &at, &err),
			 -ERR_IO);
	assert_true(search_store_bytes(f.store) == bytes && at.size == 0);
	put(1, "the third one"); /* shorter than what was left */
	sync_store();
	check_places();
	assert_int_equal(search_store_put(f.store, f.numbers, key, &content, NULL, &at, &err),
			 -ERR_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	f.store = search_store_free(f.store); /* ends here */
	reopen();
	assert_false(search_store_is_stale(f.store));
	assert_int_equal(f.n, 8);
	expect(1, "the third one");
	check_usable();
	mem_free(large);
}

static void a_rewriting_that_fails_leaves_all_as_it_was(void **state)
{
	struct rlimit before;
	struct err err = {0};

	(void)state;
	make_example();
	before = limit_disk(HEADER + 2 * RECORD);
	assert_int_equal(rewrite(&err), -ERR_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	check_places();
	put(1, "the third one");
	sync_store();
	reopen();
	assert_int_equal(f.n, 8);
	expect(1, "the third one");
	check_usable();
}

/* --- killed ---------------------------------------------------------------------------------- */

static uint32_t mix(uint32_t i)
{
	i = (i ^ i >> 16) * 0x45d9f3bU;
	i = (i ^ i >> 16) * 0x45d9f3bU;
	return i ^ i >> 16;
}

/* Operation i writes this number: a new one, or one that is there; every fifth has no document. */
static uint32_t number_of(uint32_t i, uint32_t numbers)
{
	uint32_t number = mix(i) % 60;

	return number > numbers ? numbers : number;
}

static void operate(uint32_t i)
{
	char text[TEXT_MAX];

	(void)snprintf(text, sizeof(text), "operation %u %.*s", i, (int)(mix(i) % 30),
		       "..............................");
	if (try_put(number_of(i, f.numbers), mix(i + 7) % 5 ? text : NULL, NULL) < 0)
		_exit(2);
}

/* What a process does that is killed: tells the operations that are confirmed. */
static void work(uint32_t from, int confirmed_fd)
{
	for (uint32_t i = from;; i++) {
		operate(i);
		if (mix(i + 1) % 4)
			continue;
		if (search_store_sync(f.store, NULL) < 0 ||
		    write(confirmed_fd, &i, sizeof(i)) != sizeof(i))
			_exit(2);
		if (mix(i + 2) % 8 == 0 && search_store_wipe(f.store, 0, NULL) < 0)
			_exit(2);
		if (mix(i + 3) % 20 == 0 && rewrite(NULL) < 0)
			_exit(2);
	}
}

/* The last operation that was confirmed before it was killed; `from` - 1: none. */
static uint32_t kill_one(uint32_t from, unsigned after_us)
{
	uint32_t i, last = from - 1;
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(fds[0]);
		work(from, fds[1]);
	}
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &i, sizeof(i)), sizeof(i)); /* it has begun */
	last = i;
	(void)usleep(after_us);
	assert_int_equal(kill(child, SIGKILL), 0);
	while (read(fds[0], &i, sizeof(i)) == sizeof(i))
		last = i;
	(void)close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return last;
}

/* What the model of the operations has after number `until`, beside what the file has. */
struct replayed {
	uint32_t by; /* the operation that wrote it last, and one */
	bool has_document;
};

static uint32_t replay(struct replayed *r, uint32_t numbers, uint32_t from, uint32_t until)
{
	for (uint32_t i = from; i <= until; i++) {
		uint32_t number = number_of(i, numbers);

		numbers += number == numbers;
		r[number] = (struct replayed){i + 1, mix(i + 7) % 5 != 0};
	}
	return numbers;
}

static bool is_as(const struct replayed *r, uint32_t number)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text), "operation %u ", r->by - 1);

	if (!r->by)
		return !f.last[number].key[0];
	return f.last[number].key[0] &&
	       (r->has_document ? strncmp(f.last[number].content, text, (size_t)n) == 0
				: !f.last[number].content[0]);
}

/* All is as after one of the operations, which is not before the last that was confirmed. */
static uint32_t check_killed(struct replayed *r, uint32_t *numbers, uint32_t from, uint32_t last)
{
	*numbers = replay(r, *numbers, from, last);
	for (uint32_t until = last;; until++) {
		bool is_all = true;

		for (uint32_t k = 0; k < 60; k++)
			is_all &= is_as(&r[k], k);
		if (is_all)
			return until + 1;
		if (until == last + 100)
			fail_msg("what was confirmed until operation %u is not there", last);
		*numbers = replay(r, *numbers, until + 1, until + 1);
	}
}

static void what_was_confirmed_is_there_whenever_it_was_killed(void **state)
{
	struct replayed r[NUMBERS] = {0};
	uint32_t numbers = 0, next = 0;
	uint64_t space;

	(void)state;
	reopen();
	space = search_store_space(f.store);
	for (uint32_t i = 0; i < KILLS; i++) {
		uint32_t last = kill_one(next, mix(i) % 8000);

		reopen();
		assert_true(search_store_space(f.store) == space);
		next = check_killed(r, &numbers, next, last);
		check_places();
		assert_int_equal(f.numbers, numbers);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_dir, remove_dir)
	const struct CMUnitTest tests[] = {
	    TEST(numbers_stay_and_the_last_record_counts),
	    TEST(a_new_file_says_so_until_it_is_used),
	    TEST(other_rules_keep_the_numbers_only),
	    TEST(what_is_too_large_is_told),
	    TEST(each_cut_keeps_what_is_before),
	    TEST(each_flipped_bit_is_noticed_or_harmless),
	    TEST(what_is_no_such_file_is_refused),
	    TEST(a_number_beyond_the_records_is_damage),
	    TEST(what_was_replaced_is_overwritten_on_disk),
	    TEST(a_key_has_a_record_until_it_is_overwritten),
	    TEST(damage_is_no_end_to_who_looks_for_a_key),
	    TEST(what_was_replaced_before_a_restart_is_overwritten_too),
	    TEST(a_file_that_is_mostly_waste_is_worth_writing_anew),
	    TEST(a_file_is_written_anew_with_what_is_valid),
	    TEST(a_number_that_no_key_has_stays_free),
	    TEST(a_new_file_that_is_written_anew_still_says_so),
	    TEST(damage_is_not_written_anew),
	    TEST(what_a_rewriting_left_behind_is_removed),
	    TEST(a_write_that_fails_leaves_all_usable),
	    TEST(a_rewriting_that_fails_leaves_all_as_it_was),
	    TEST(what_was_confirmed_is_there_whenever_it_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
