/* The cache of embeddings: what is made once, what is released, what is erased, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "config_of.h"
#include "embed/embed_cache.h"
#include "fake_local.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static struct {
	char folder[64];
	char *path;
	struct config *config;
	struct embedder *e;
	struct embed_cache *c;
} t;

static struct embedder *embedder_of(const char *yaml, struct config **ret)
{
	struct embedder *e = NULL;
	struct err err = {0};

	*ret = config_of(yaml);
	if (embedder_open(*ret, &e, &err) < 0)
		fail_msg("%s", err.message);
	return e;
}

static void open_cache(void)
{
	struct err err = {0};

	if (embed_cache_open(t.path, &t.c, &err) < 0)
		fail_msg("%s", err.message);
}

static void reopen(void)
{
	t.c = embed_cache_free(t.c);
	open_cache();
}

static int set_up(void **state)
{
	(void)state;
	fake = (struct fake){0};
	snprintf(t.folder, sizeof(t.folder), "/tmp/aethermart-cache-XXXXXX");
	if (!mkdtemp(t.folder))
		return -1;
	t.path = mem_printf("%s/cache.db", t.folder);
	t.e = embedder_of("", &t.config);
	open_cache();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	t.c = embed_cache_free(t.c);
	embedder_free(t.e);
	config_free(t.config);
	mem_free(t.path);
	return dir_remove(t.folder, NULL);
}

static struct embed_item item(const char *text, const char *owner)
{
	return (struct embed_item){str_from(text), str_from(owner)};
}

/* How many were made. */
static size_t embed(const struct embed_item *items, size_t n, float *ret)
{
	struct err err = {0};
	size_t made = 0;

	if (embed_cache_embed(t.c, t.e, items, n, ret, &made, &err) < 0)
		fail_msg("%s", err.message);
	return made;
}

static size_t embed_one(const char *text, const char *owner)
{
	struct embed_item one = item(text, owner);
	float v[FAKE_DIMENSION];

	return embed(&one, 1, v);
}

static size_t uses(const char *owner)
{
	size_t n = SIZE_MAX;

	assert_int_equal(embed_cache_uses(t.c, str_from(owner), &n, NULL), 0);
	return n;
}

static struct embed_cache_stats stats(void)
{
	struct embed_cache_stats s = {0};

	assert_int_equal(embed_cache_stats(t.c, &s, NULL), 0);
	return s;
}

/* --- reading and storing --------------------------------------------------------------------- */

static void nothing_is_embedded_twice_not_even_after_a_restart(void **state)
{
	struct embed_item items[] = {item("a", "p:1"), item("b", "p:2"), item("a", "p:3"),
				     item("", "p:4")};
	float v[4 * FAKE_DIMENSION], w[4 * FAKE_DIMENSION], direct[FAKE_DIMENSION];

	(void)state;
	assert_int_equal(embed(items, 4, v), 3); /* equal texts once */
	assert_int_equal(fake.texts, 3);
	assert_memory_equal(v, v + 2 * FAKE_DIMENSION, FAKE_DIMENSION * sizeof(float));
	assert_int_equal(embed(items, 4, w), 0);
	assert_memory_equal(v, w, sizeof(v));
	reopen();
	memset(w, 0, sizeof(w));
	assert_int_equal(embed(items, 4, w), 0);
	assert_memory_equal(v, w, sizeof(v));
	assert_int_equal(fake.texts, 3);
	assert_int_equal(embedder_embed(t.e, EMBED_DOCUMENT, &items[1].text, 1, direct, NULL), 0);
	assert_memory_equal(direct, v + FAKE_DIMENSION, sizeof(direct));
}

static void an_owner_uses_the_vector_of_its_present_text(void **state)
{
	(void)state;
	assert_int_equal(embed_one("old", "p:1"), 1);
	assert_int_equal(embed_one("old", "p:2"), 0);
	assert_int_equal(embed_one("new", "p:1"), 1);
	assert_int_equal(stats().vectors, 2); /* p:2 still has the old one */
	assert_int_equal(embed_one("new", "p:2"), 0);
	assert_int_equal(stats().vectors, 1);
	assert_int_equal(stats().uses, 2);
	assert_int_equal(embed_one("old", "p:1"), 1); /* it is gone, indeed */
}

static void two_owners_change_their_texts_in_one_call(void **state)
{
	struct embed_item before[] = {item("x", "p:1"), item("y", "p:2")};
	struct embed_item after[] = {item("y", "p:1"), item("x", "p:2")};
	float v[2 * FAKE_DIMENSION], w[2 * FAKE_DIMENSION];

	(void)state;
	assert_int_equal(embed(before, 2, v), 2);
	assert_int_equal(embed(after, 2, w), 0);
	assert_memory_equal(v, w + FAKE_DIMENSION, FAKE_DIMENSION * sizeof(float));
	assert_int_equal(stats().vectors, 2);
	assert_int_equal(stats().uses, 2);
	assert_int_equal(embed(before, 2, w), 0);
	assert_memory_equal(v, w, sizeof(v));
}

static void of_an_owner_that_is_named_twice_the_last_text_counts(void **state)
{
	struct embed_item items[] = {item("first", "p:1"), item("other", "p:2"),
				     item("last", "p:1")};
	float v[3 * FAKE_DIMENSION];

	(void)state;
	assert_int_equal(embed(items, 3, v), 3);
	assert_int_equal(stats().vectors, 2);
	assert_int_equal(embed_one("last", "p:9"), 0);
	assert_int_equal(embed_one("first", "p:9"), 1);
}

static void models_and_dimensions_are_kept_apart(void **state)
{
	static const char *const yamls[] = {"embed: {model: m1}", "embed: {model: m2}",
					    "embed: {model: m2, dimension: 4}"};
	struct embed_item one = item("text", "p:1");
	float v[3][FAKE_DIMENSION];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct config *config;
		struct embedder *e = embedder_of(yamls[i], &config);
		size_t made = 0;

		assert_int_equal(embed_cache_embed(t.c, e, &one, 1, v[i], &made, NULL), 0);
		assert_int_equal(made, 1);
		embedder_free(e);
		config_free(config);
	}
	assert_int_equal(stats().models, 3);
	assert_int_equal(uses("p:1"), 3);
	assert_int_equal(stats().vectors, 3);
	assert_int_equal(embed_cache_forget(t.c, str_from("p:1"), NULL), 0);
	assert_int_equal(stats().vectors, 0);
}

/* More texts than a transaction takes, a provider that goes away in the middle, and another try. */
static void what_was_made_before_a_failure_is_not_made_again(void **state)
{
	enum { N = 1000 };
	struct embed_item *items = mem_alloc_array(N, sizeof(*items));
	float *v = mem_alloc_array(N, FAKE_DIMENSION * sizeof(float));
	struct arena arena = {0};
	struct err err = {0};
	size_t stored;

	(void)state;
	for (size_t i = 0; i < N; i++)
		items[i] =
		    item(arena_printf(&arena, "text %zu", i), arena_printf(&arena, "p:%zu", i));
	memset(v, 0x22, N * FAKE_DIMENSION * sizeof(float));
	fake.fail_from = 3;
	assert_int_equal(embed_cache_embed(t.c, t.e, items, N, v, NULL, &err), -ERR_UNAVAILABLE);
	assert_int_equal(((unsigned char *)v)[0], 0x22);
	stored = stats().vectors;
	assert_true(stored > 0 && stored < N);
	fake.fail_from = 0;
	assert_int_equal(embed(items, N, v), N - stored);
	assert_int_equal(embed(items, N, v), 0);
	assert_int_equal(embed_cache_forget_all(t.c, "p:99", NULL), 0);
	assert_int_equal(stats().vectors, N - 11); /* p:99 and p:990 to p:999 */
	assert_int_equal(uses("p:98") + uses("p:1"), 2);
	assert_int_equal(embed_cache_forget_all(t.c, "q:", NULL), 0);
	assert_int_equal(stats().vectors, N - 11);
	assert_int_equal(embed_cache_forget_all(t.c, "p:", NULL), 0);
	assert_int_equal(stats().vectors + stats().uses, 0);
	mem_free(items);
	mem_free(v);
	arena_done(&arena);
}

static void an_owner_needs_a_name(void **state)
{
	struct embed_item none = item("text", "");
	char *big = mem_alloc(EMBED_OWNER_MAX + 1);
	struct embed_item wide = {str_from("text"), {big, EMBED_OWNER_MAX + 1}};
	float v[FAKE_DIMENSION];

	(void)state;
	memset(big, 'x', EMBED_OWNER_MAX + 1);
	assert_int_equal(embed_cache_embed(t.c, t.e, &none, 1, v, NULL, NULL),
			 -ERR_INVALID_ARGUMENT);
	assert_int_equal(embed_cache_embed(t.c, t.e, &wide, 1, v, NULL, NULL),
			 -ERR_INVALID_ARGUMENT);
	wide.owner.len--;
	assert_int_equal(embed(&wide, 1, v), 1);
	assert_int_equal(embed(NULL, 0, v), 0);
	mem_free(big);
}

/* --- erasure --------------------------------------------------------------------------------- */

static bool is_in_file(const char *path, const void *what, size_t len)
{
	struct strbuf b = STRBUF_INIT(0);
	bool found;

	if (!file_exists(path))
		return false;
	assert_int_equal(file_read(path, &b, NULL), 0);
	found = memmem(strbuf_str(&b), b.len, what, len) != NULL;
	strbuf_done(&b);
	return found;
}

static bool is_on_disk(const void *what, size_t len)
{
	char *log = mem_printf("%s-wal", t.path);
	bool found = is_in_file(t.path, what, len) || is_in_file(log, what, len);

	mem_free(log);
	return found;
}

static void what_is_forgotten_is_not_in_the_file_any_more(void **state)
{
	static const char text[] = "Jane Doe of Leeds, a text of many bytes";
	struct embed_item jane = item(text, "customer_profiles:77341");
	float v[FAKE_DIMENSION];

	(void)state;
	(void)embed_one("another text", "p:1");
	assert_int_equal(embed(&jane, 1, v), 1);
	assert_false(is_on_disk(text, strlen(text)));
	assert_true(is_on_disk(v, sizeof(v)));
	assert_true(is_on_disk(jane.owner.data, jane.owner.len));
	assert_int_equal(embed_cache_forget(t.c, jane.owner, NULL), 0);
	assert_false(is_on_disk(v, sizeof(v)));
	assert_false(is_on_disk(jane.owner.data, jane.owner.len));
	assert_int_equal(uses("customer_profiles:77341"), 0);
	assert_int_equal(stats().vectors, 1);
	assert_int_equal(embed_cache_forget(t.c, jane.owner, NULL), 0);
	assert_int_equal(stats().vectors, 1);
}

static void a_vector_that_others_use_stays(void **state)
{
	(void)state;
	(void)embed_one("same", "p:1");
	(void)embed_one("same", "p:2");
	assert_int_equal(embed_cache_forget(t.c, str_from("p:1"), NULL), 0);
	assert_int_equal(stats().vectors, 1);
	assert_int_equal(embed_one("same", "p:3"), 0);
	assert_int_equal(uses("p:1"), 0);
}

static void forget_p1(void *arg)
{
	(void)arg;
	assert_int_equal(embed_cache_forget(t.c, str_from("p:1"), NULL), 0);
}

static void an_owner_that_is_forgotten_meanwhile_does_not_come_back(void **state)
{
	struct embed_item items[] = {item("a", "p:1"), item("b", "p:2")};
	float v[2 * FAKE_DIMENSION];

	(void)state;
	fake.hook = forget_p1;
	assert_int_equal(embed(items, 2, v), 2);
	fake.hook = NULL;
	assert_int_equal(uses("p:1"), 0);
	assert_int_equal(uses("p:2"), 1);
	assert_int_equal(stats().vectors, 1);
	assert_int_equal(embed(items, 1, v), 1); /* later is later */
	assert_int_equal(uses("p:1"), 1);
}

static void hashes_of_two_files_cannot_be_compared(void **state)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	unsigned char hashes[2][32];

	(void)state;
	for (int i = 0; i < 2; i++) {
		(void)embed_one("Jane Doe", "p:1");
		t.c = embed_cache_free(t.c);
		assert_int_equal(sqlite3_open(t.path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_prepare_v2(db, "SELECT hash FROM vectors", -1, &s, NULL),
				 SQLITE_OK);
		assert_int_equal(sqlite3_step(s), SQLITE_ROW);
		assert_int_equal(sqlite3_column_bytes(s, 0), 32);
		memcpy(hashes[i], sqlite3_column_blob(s, 0), 32);
		sqlite3_finalize(s);
		sqlite3_close(db);
		assert_int_equal(unlink(t.path), 0);
		open_cache();
	}
	assert_memory_not_equal(hashes[0], hashes[1], 32);
}

/* --- damage ---------------------------------------------------------------------------------- */

static void change(const char *sql)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	assert_int_equal(sqlite3_open(t.path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

static void a_damaged_vector_is_made_anew(void **state)
{
	static const char *const damages[] = {
	    "UPDATE vectors SET vector = zeroblob(32)",
	    "UPDATE vectors SET vector = x'00'",
	    "UPDATE vectors SET vector = x'0000c07f' || substr(vector, 5)", /* NaN */
	    "UPDATE vectors SET vector = substr(vector, 1, 28)",
	    "UPDATE vectors SET vector = 'text'",
	};
	struct embed_item one = item("a", "p:1");
	float v[FAKE_DIMENSION], w[FAKE_DIMENSION];

	(void)state;
	(void)embed(&one, 1, v);
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		change(damages[i]);
		assert_int_equal(embed(&one, 1, w), 1);
		assert_memory_equal(v, w, sizeof(v));
		assert_int_equal(embed(&one, 1, w), 0);
		assert_int_equal(stats().vectors, 1);
	}
}

static int open_error(struct err *err)
{
	struct embed_cache *c = NULL;

	*err = (struct err){0};
	t.c = embed_cache_free(t.c);
	return embed_cache_open(t.path, &c, err);
}

static void a_file_that_is_no_cache_is_refused_and_left_alone(void **state)
{
	char garbage[8192], header[8192];
	struct strbuf b = STRBUF_INIT(0);
	struct err err;

	(void)state;
	memset(garbage, 'x', sizeof(garbage));
	t.c = embed_cache_free(t.c);
	assert_int_equal(file_write_atomic(t.path, garbage, sizeof(garbage), 0600, NULL), 0);
	assert_int_equal(open_error(&err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, t.path));
	assert_true(err.hint[0]);
	assert_int_equal(file_read(t.path, &b, NULL), 0);
	assert_int_equal(b.len, sizeof(garbage));
	assert_memory_equal(b.data, garbage, sizeof(garbage));
	strbuf_done(&b);
	/* a database of somebody else */
	assert_int_equal(unlink(t.path), 0);
	change("CREATE TABLE theirs (x)");
	assert_int_equal(open_error(&err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "no cache of embeddings"));
	change("INSERT INTO theirs VALUES (1)");
	/* the head of a database, and nothing behind it */
	assert_int_equal(unlink(t.path), 0);
	memset(header, 0xff, sizeof(header));
	memcpy(header, "SQLite format 3\0\x10\x00\x01\x01\x00\x40\x20\x20", 24);
	assert_int_equal(file_write_atomic(t.path, header, sizeof(header), 0600, NULL), 0);
	assert_int_equal(open_error(&err), -ERR_CORRUPTED);
}

static void a_cache_that_lost_a_part_is_refused(void **state)
{
	static const char *const losses[] = {"DROP TABLE uses", "DELETE FROM meta",
					     "PRAGMA user_version = 0"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
		change(losses[i]);
		assert_int_equal(open_error(&err), -ERR_CORRUPTED);
		assert_int_equal(unlink(t.path), 0);
		open_cache();
	}
	change("PRAGMA user_version = 3");
	assert_int_equal(open_error(&err), -ERR_UNSUPPORTED);
}

static void a_damaged_page_is_told_by_the_file(void **state)
{
	struct err err = {0};
	struct arena arena = {0};
	float v[FAKE_DIMENSION];
	char noise[4096];
	struct stat st;
	FILE *f;
	int r = 0;

	(void)state;
	for (int i = 0; i < 500; i++)
		(void)embed_one(arena_printf(&arena, "t%d", i), arena_printf(&arena, "p:%d", i));
	t.c = embed_cache_free(t.c); /* the log goes into the file */
	assert_int_equal(stat(t.path, &st), 0);
	memset(noise, 0xa5, sizeof(noise));
	f = fopen(t.path, "r+");
	assert_non_null(f);
	for (long at = 7 * 4096; at < st.st_size; at += 4096) {
		fseek(f, at, SEEK_SET);
		assert_int_equal(fwrite(noise, 1, sizeof(noise), f), sizeof(noise));
	}
	fclose(f);
	open_cache();
	for (int i = 0; i < 500 && r == 0; i++) {
		struct embed_item one =
		    item(arena_printf(&arena, "t%d", i), arena_printf(&arena, "p:%d", i));

		r = embed_cache_embed(t.c, t.e, &one, 1, v, NULL, &err);
	}
	assert_int_equal(r, -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, t.path));
	arena_done(&arena);
}

static void a_full_disk_fails_the_call_and_nothing_else(void **state)
{
	enum { N = 4000 };
	struct embed_item *items = mem_alloc_array(N, sizeof(*items)), small = item("small", "p:s");
	float *v = mem_alloc_array(N, FAKE_DIMENSION * sizeof(float));
	struct rlimit before, limit;
	struct arena arena = {0};
	struct err err = {0};
	size_t stored;

	(void)state;
	(void)embed(&small, 1, v);
	for (size_t i = 0; i < N; i++)
		items[i] = item(arena_printf(&arena, "%zu", i), arena_printf(&arena, "p:%zu", i));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 256 << 10; /* no file of this process becomes larger */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(embed_cache_embed(t.c, t.e, items, N, v, NULL, &err), -ERR_IO);
	assert_true(err.hint[0]);
	assert_int_equal(embed(&small, 1, v), 0); /* what is stored can be read */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	stored = stats().vectors;
	assert_true(stored < N);
	assert_int_equal(embed(items, N, v), N + 1 - stored);
	assert_int_equal(stats().vectors, N + 1);
	mem_free(items);
	mem_free(v);
	arena_done(&arena);
}

static void the_file_is_for_its_owner_only(void **state)
{
	char *log = mem_printf("%s-wal", t.path);
	struct embed_cache *c = NULL;
	struct err err = {0};
	struct stat st;

	(void)state;
	(void)embed_one("a", "p:1");
	assert_int_equal(stat(t.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	mem_free(log);
	assert_int_equal(embed_cache_open("/nonexistent/x.db", &c, &err), -ERR_NOT_FOUND);
	assert_true(embed_cache_open(t.folder, &c, &err) < 0);
	assert_null(c);
}

/* --- threads --------------------------------------------------------------------------------- */

static void *work(void *arg)
{
	unsigned me = *(unsigned *)arg;
	char text[32], owner[32];
	float v[FAKE_DIMENSION];
	int failures = 0;

	for (unsigned i = 0; i < 60; i++) {
		struct embed_item one;

		snprintf(text, sizeof(text), "text %u", (i * (me + 1)) % 20);
		snprintf(owner, sizeof(owner), "t%u:%u", me, i % 7);
		one = item(text, owner);
		failures += embed_cache_embed(t.c, t.e, &one, 1, v, NULL, NULL) < 0;
		if (i % 9 == 0)
			failures += embed_cache_forget(t.c, one.owner, NULL) < 0;
	}
	return failures ? arg : NULL;
}

static void threads_share_it(void **state)
{
	unsigned numbers[] = {0, 1, 2, 3};
	pthread_t threads[4];
	struct embed_cache_stats s;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failed = NULL;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	s = stats();
	assert_true(s.uses <= 28 && s.vectors <= 20 && s.vectors > 0);
	for (size_t i = 0; i < 4; i++)
		for (unsigned k = 0; k < 7; k++) {
			char owner[32];

			snprintf(owner, sizeof(owner), "t%zu:%u", i, k);
			assert_int_equal(embed_cache_forget(t.c, str_from(owner), NULL), 0);
		}
	assert_int_equal(stats().vectors + stats().uses, 0); /* none is left without a user */
}

static void two_may_have_the_file_open(void **state)
{
	struct embed_cache *other = NULL;
	struct embed_item one = item("a", "p:1"), two = item("b", "p:2");
	float v[FAKE_DIMENSION];
	size_t made = 9;

	(void)state;
	assert_int_equal(embed_cache_open(t.path, &other, NULL), 0);
	assert_int_equal(embed(&one, 1, v), 1);
	assert_int_equal(embed_cache_embed(other, t.e, &one, 1, v, &made, NULL), 0);
	assert_int_equal(made, 0);
	assert_int_equal(embed_cache_embed(other, t.e, &two, 1, v, &made, NULL), 0);
	assert_int_equal(embed(&two, 1, v), 0);
	assert_int_equal(embed_cache_forget(other, one.owner, NULL), 0);
	assert_int_equal(uses("p:1"), 0);
	embed_cache_free(other);
}

/* --- age ------------------------------------------------------------------------------------- */

static bool never_again(void *arg)
{
	++*(int *)arg;
	return false;
}

static uint64_t old_ones(int64_t before)
{
	uint64_t n = UINT64_MAX;

	assert_int_equal(embed_cache_count_old(t.c, before, &n, NULL), 0);
	return n;
}

static void what_is_too_old_goes_with_its_uses(void **state)
{
	int64_t now = clock_wall_us() / 1000000;
	uint64_t n = 9;

	(void)state;
	(void)embed_one("old", "p:1");
	(void)embed_one("old", "p:2");
	change("UPDATE vectors SET made_at = 1000");
	(void)embed_one("new", "p:3");
	assert_int_equal(old_ones(1000), 0);
	assert_int_equal(old_ones(1001), 1);
	assert_int_equal(embed_cache_purge(t.c, now - 3600, NULL, NULL, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(uses("p:1") + uses("p:2"), 0);
	assert_int_equal(uses("p:3"), 1);
	assert_int_equal(stats().vectors, 1);
	assert_int_equal(embed_one("old", "p:1"), 1); /* it is made again, and is young */
	assert_int_equal(old_ones(now - 3600), 0);
}

static void many_old_ones_go_in_pieces_and_a_pause_may_end_it(void **state)
{
	_cleanup_(arena_done) struct arena arena = {0};
	int pauses = 0;
	uint64_t n = 9;

	(void)state;
	for (int i = 0; i < 600; i++)
		(void)embed_one(arena_printf(&arena, "t%d", i), arena_printf(&arena, "p:%d", i));
	change("UPDATE vectors SET made_at = 1000");
	assert_int_equal(embed_cache_purge(t.c, 2000, never_again, &pauses, &n, NULL), 0);
	assert_int_equal(pauses, 1);
	assert_in_range(n, 1, 599);
	assert_int_equal(old_ones(2000), 600 - n);
	assert_int_equal(embed_cache_purge(t.c, 2000, NULL, NULL, &n, NULL), 0);
	assert_int_equal(stats().vectors + stats().uses, 0);
}

static void vectors_of_the_first_format_count_as_made_when_it_is_converted(void **state)
{
	int64_t before = clock_wall_us() / 1000000;

	(void)state;
	(void)embed_one("a", "p:1");
	change("DROP INDEX vectors_by_age; ALTER TABLE vectors DROP COLUMN made_at;"
	       "PRAGMA user_version = 1");
	reopen();
	assert_int_equal(old_ones(before), 0);
	assert_int_equal(old_ones(clock_wall_us() / 1000000 + 1), 1);
	assert_int_equal(embed_one("a", "p:1"), 0);
	assert_int_equal(embed_one("b", "p:2"), 1);
	reopen();
	assert_int_equal(stats().vectors, 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(nothing_is_embedded_twice_not_even_after_a_restart),
	    CASE(an_owner_uses_the_vector_of_its_present_text),
	    CASE(two_owners_change_their_texts_in_one_call),
	    CASE(of_an_owner_that_is_named_twice_the_last_text_counts),
	    CASE(models_and_dimensions_are_kept_apart),
	    CASE(what_was_made_before_a_failure_is_not_made_again),
	    CASE(an_owner_needs_a_name),
	    CASE(what_is_forgotten_is_not_in_the_file_any_more),
	    CASE(a_vector_that_others_use_stays),
	    CASE(an_owner_that_is_forgotten_meanwhile_does_not_come_back),
	    CASE(hashes_of_two_files_cannot_be_compared),
	    CASE(a_damaged_vector_is_made_anew),
	    CASE(a_file_that_is_no_cache_is_refused_and_left_alone),
	    CASE(a_cache_that_lost_a_part_is_refused),
	    CASE(a_damaged_page_is_told_by_the_file),
	    CASE(a_full_disk_fails_the_call_and_nothing_else),
	    CASE(the_file_is_for_its_owner_only),
	    CASE(threads_share_it),
	    CASE(two_may_have_the_file_open),
	    CASE(what_is_too_old_goes_with_its_uses),
	    CASE(many_old_ones_go_in_pieces_and_a_pause_may_end_it),
	    CASE(vectors_of_the_first_format_count_as_made_when_it_is_converted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
