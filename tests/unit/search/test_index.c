/* One generation of the index: what survives, what is repaired, scans, what is set aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "search/search_index_int.h"

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

#define DIMENSION    8

#define NUMBERING(n) (&(struct search_numbering){.space = (n), .known = UINT32_MAX})

struct fixture {
	char dir[64];
	struct search_index_options options;
	struct search_index *ix;
	size_t c; /* collection "things" */
	struct arena arena;
	struct map numbers; /* of keys, and one */
	uint32_t n_numbers;
};

static void ok(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s", err->message);
}

static void reopen(struct fixture *f)
{
	struct err err = {0};

	f->ix = search_index_free(f->ix);
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_collection(f->ix, "things", NUMBERING(1), &f->c, NULL, &err), &err);
}

static int set_up(void **state)
{
	static const char template[] = "/tmp/aethermart-test-index-XXXXXX";
	struct fixture *f = MEM_NEW(struct fixture);

	memcpy(f->dir, template, sizeof(template));
	if (!mkdtemp(f->dir))
		return -1;
	f->options = (struct search_index_options){
	    .dir = arena_printf(&f->arena, "%s/g1", f->dir), .model = "m", .dimension = DIMENSION};
	reopen(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int r;

	search_index_free(f->ix);
	r = dir_remove(f->dir, NULL);
	map_done(&f->numbers);
	arena_done(&f->arena);
	mem_free(f);
	return r;
}

/* A vector of its own for each number below DIMENSION. */
static const float *vector_of(size_t i)
{
	static float v[DIMENSION];

	memset(v, 0, sizeof(v));
	v[i] = 1;
	return v;
}

/* As a corpus would: each key of the test has a number for good. */
static uint32_t number_of(struct fixture *f, struct str key)
{
	uintptr_t known = (uintptr_t)map_get(&f->numbers, key);

	if (known)
		return (uint32_t)known - 1;
	key.data = arena_strndup(&f->arena, key.len ? key.data : "", key.len);
	*map_put(&f->numbers, key) = (void *)(uintptr_t)++f->n_numbers;
	return f->n_numbers - 1;
}

static void apply(struct fixture *f, struct search_change change)
{
	struct err err = {0};

	change.number = number_of(f, change.key);

	ok(search_index_apply(f->ix, f->c, &change, 1, &err), &err);
}

static void put(struct fixture *f, const char *key, size_t i)
{
	apply(f, (struct search_change){.key = str_from(key),
					.action = SEARCH_PUT,
					.made_of = 100 + i,
					.title = str_from(key),
					.vector = vector_of(i)});
}

static void drop(struct fixture *f, const char *key)
{
	apply(f, (struct search_change){.key = str_from(key), .action = SEARCH_REMOVE});
}

/* The key that is nearest, "" when there is none. */
static const char *nearest(struct fixture *f, size_t i)
{
	struct search_question q = {.collection = "things", .vector = vector_of(i), .k = 1};
	struct search_hit hit = {0};
	struct err err = {0};
	size_t n = 0;

	ok(search_index_query(f->ix, &q, &f->arena, &hit, &n, &err), &err);
	return n ? hit.key.data : "";
}

static struct search_figures figures(struct fixture *f)
{
	struct search_figures figures;
	struct err err = {0};

	ok(search_index_figures(f->ix, f->c, &figures, &err), &err);
	return figures;
}

static struct search_known known(struct fixture *f, const char *key)
{
	struct search_known k;
	struct err err = {0};

	ok(search_index_known(f->ix, f->c, str_from(key), &k, &err), &err);
	return k;
}

/* Runs SQL on the state, as a crash would have left it. */
static void state_sql(struct fixture *f, const char *sql)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/state.db", f->options.dir);
	sqlite3 *db = NULL;

	f->ix = search_index_free(f->ix);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* --- documents -------------------------------------------------------------------------------- */

static void what_was_put_is_found_and_survives(void **state)
{
	struct fixture *f = *state;

	put(f, "a", 0);
	put(f, "b", 1);
	put(f, "a", 2); /* another text */
	drop(f, "b");
	put(f, "\xc3\xa4:%3A", 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(figures(f).vectors, 2);
		assert_string_equal(nearest(f, 2), "a");
		assert_string_equal(nearest(f, 3), "\xc3\xa4:%3A");
		assert_int_equal(known(f, "a").made_of, 102);
		assert_false(known(f, "b").is_there);
		reopen(f);
	}
}

static void removing_what_is_not_there_is_no_error(void **state)
{
	struct fixture *f = *state;

	drop(f, "nobody");
	assert_int_equal(figures(f).vectors, 0);
	assert_string_equal(nearest(f, 0), "");
}

static void a_query_of_another_collection_says_so(void **state)
{
	struct fixture *f = *state;
	struct search_question q = {.collection = "nothings", .vector = vector_of(0), .k = 1};
	struct search_hit hit;
	struct err err = {0};
	size_t n;

	assert_int_equal(search_index_query(f->ix, &q, &f->arena, &hit, &n, &err), -ERR_NOT_FOUND);
}

static void what_leaves_loses_its_vector_and_what_is_set_aside_keeps_it(void **state)
{
	struct fixture *f = *state;

	put(f, "a", 0);
	put(f, "b", 1);
	apply(f, (struct search_change){
		     .key = str_from("a"), .action = SEARCH_LEAVE, .kind = "pii", .reason = "x"});
	apply(f, (struct search_change){
		     .key = str_from("b"), .action = SEARCH_ASIDE, .kind = "error", .reason = "y"});
	assert_int_equal(figures(f).vectors, 1);
	assert_int_equal(figures(f).pii, 1);
	assert_int_equal(figures(f).errors, 1);
	assert_int_equal(known(f, "b").made_of, 101);
	assert_true(known(f, "a").is_there);
	put(f, "a", 0);
	apply(f, (struct search_change){.key = str_from("b"), .action = SEARCH_TOUCH});
	assert_int_equal(figures(f).pii + figures(f).errors, 0);
	assert_int_equal(figures(f).vectors, 2);
}

static size_t due(struct fixture *f, int64_t in_us)
{
	struct str items[4];
	struct search_keys keys = {.arena = &f->arena, .limit = 4, .items = items};
	struct err err = {0};

	ok(search_index_due(f->ix, f->c, clock_wall_us() + in_us, &keys, &err), &err);
	return keys.n;
}

static void what_was_set_aside_is_due_again_later_each_time(void **state)
{
	static const int64_t second = 1000000;
	struct fixture *f = *state;
	struct search_change c = {
	    .key = str_from("a"), .action = SEARCH_ASIDE, .kind = "error", .reason = "y"};

	apply(f, c);
	assert_int_equal(due(f, 25 * second), 0);
	assert_int_equal(due(f, 31 * second), 1);
	apply(f, c);
	assert_int_equal(due(f, 55 * second), 0);
	assert_int_equal(due(f, 61 * second), 1);
	for (int i = 0; i < 40; i++)
		apply(f, c);
	assert_int_equal(due(f, 3500 * second), 0);
	assert_int_equal(due(f, 3601 * second), 1);
}

static void a_full_index_sets_aside_and_goes_on(void **state)
{
	struct fixture *f = *state;
	char key[16];

	f->options.memory_max = 1 << 20; /* an empty graph has some memory of its own */
	reopen(f);
	for (size_t i = 0; figures(f).errors == 0 && i < 100000; i++) {
		(void)snprintf(key, sizeof(key), "%zu", i);
		put(f, key, i % DIMENSION);
	}
	assert_int_equal(figures(f).errors, 1);
	assert_true(figures(f).vectors > 0);
	assert_true(figures(f).memory_bytes <= 1 << 20);
	drop(f, "0");
	f->options.memory_max = 0;
	reopen(f);
	put(f, key, 0);
	assert_int_equal(figures(f).errors, 0);
}

/* --- what a crash or a damage leaves ---------------------------------------------------------- */

static void a_number_without_a_vector_is_done_again(void **state)
{
	struct fixture *f = *state;

	put(f, "a", 0);
	state_sql(f, "INSERT INTO document (collection, key, id) VALUES (1, x'62', 7)");
	reopen(f);
	assert_int_equal(figures(f).phase, SEARCH_PHASE_PAGES); /* it is new: from its making */
	assert_int_equal(known(f, "b").made_of, 0);
	put(f, "b", 1);
	assert_string_equal(nearest(f, 1), "b");
	drop(f, "b");
	drop(f, "a");
	assert_int_equal(figures(f).vectors, 0);
}

/* Fails like the apply of a process that dies, or of a full disk, behind the vectors. */
static void apply_fails(struct fixture *f, struct search_change *changes, size_t n)
{
	struct err err = {0};

	for (size_t i = 0; i < n; i++)
		changes[i].number = number_of(f, changes[i].key);
	assert_true(search_index_apply(f->ix, f->c, changes, n, &err) < 0);
	assert_non_null(strstr(err.message, "injected"));
}

static void end_scan(struct fixture *f)
{
	struct err err = {0};

	ok(search_index_scan_advance(f->ix, f->c, (struct str){"", 0}, 0, &err), &err);
	ok(search_index_scan_end(f->ix, f->c, &err), &err);
}

static void repaired(struct fixture *f, const char *message)
{
	struct err why = {0}, err = {0};

	f->ix = search_index_free(f->ix);
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_collection(f->ix, "things", NUMBERING(1), &f->c, &why, &err), &err);
	assert_non_null(strstr(why.message, message));
	assert_int_equal(figures(f).vectors, 0);
	assert_int_equal(figures(f).phase, SEARCH_PHASE_PAGES);
	assert_int_equal(known(f, "a").made_of, 0);
	put(f, "a", 0);
	assert_string_equal(nearest(f, 0), "a");
}

static void vectors_that_the_state_does_not_know_are_thrown_away(void **state)
{
	struct fixture *f = *state;

	put(f, "a", 0);
	put(f, "b", 1);
	end_scan(f);
	state_sql(f, "DELETE FROM document WHERE key = x'62'");
	repaired(f, "are not those that");
}

static void what_dies_behind_a_deleted_vector_keeps_the_others(void **state)
{
	struct fixture *f = *state;
	struct search_change c = {.key = str_from("a"), .action = SEARCH_REMOVE};
	struct err why = {0}, err = {0};

	put(f, "a", 0);
	put(f, "b", 1);
	end_scan(f);
	state_sql(f, "CREATE TRIGGER t BEFORE DELETE ON document BEGIN "
		     "SELECT RAISE(ABORT, 'injected'); END");
	reopen(f);
	apply_fails(f, &c, 1);
	state_sql(f, "DROP TRIGGER t");
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_collection(f->ix, "things", NUMBERING(1), &f->c, &why, &err), &err);
	assert_string_equal(why.message, ""); /* nothing was thrown away */
	assert_int_equal(figures(f).phase, SEARCH_PHASE_LIVE);
	assert_string_equal(nearest(f, 1), "b");
	apply(f, c);
	assert_false(known(f, "a").is_there);
}

static void what_dies_behind_a_new_vector_is_done_again(void **state)
{
	struct fixture *f = *state;
	struct search_change c = {.key = str_from("a"),
				  .action = SEARCH_PUT,
				  .made_of = 102,
				  .title = str_from("a"),
				  .vector = (const float[DIMENSION]){[2] = 1}};

	put(f, "a", 0);
	state_sql(f, "CREATE TRIGGER t BEFORE UPDATE OF title ON document BEGIN "
		     "SELECT RAISE(ABORT, 'injected'); END");
	reopen(f);
	apply_fails(f, &c, 1);
	/* The vector is the new text's: the hash of the old one must not vouch for it. */
	assert_int_equal(known(f, "a").made_of, 0);
	state_sql(f, "DROP TRIGGER t");
	reopen(f);
	assert_int_equal(known(f, "a").made_of, 0);
	put(f, "a", 0);
	assert_int_equal(known(f, "a").made_of, 100);
}

static void documents_that_were_numbered_anew_have_no_vectors(void **state)
{
	struct fixture *f = *state;
	struct err err = {0}, why = {0};

	put(f, "a", 0);
	end_scan(f);
	f->ix = search_index_free(f->ix);
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_collection(f->ix, "things", NUMBERING(2), &f->c, &why, &err), &err);
	assert_non_null(strstr(why.message, "numbered anew"));
	assert_int_equal(figures(f).vectors, 0);
	assert_int_equal(figures(f).phase, SEARCH_PHASE_PAGES);
	assert_false(known(f, "a").is_there);
	why = (struct err){0};
	ok(search_index_collection(f->ix, "things", NUMBERING(3), &f->c, &why, &err), &err);
	assert_non_null(strstr(why.message, "numbered anew")); /* while it is open, too */
}

static void documents_whose_numbers_were_lost_have_no_vectors(void **state)
{
	struct fixture *f = *state;
	struct search_numbering numbering = {.space = 1, .known = 1};
	struct err err = {0}, why = {0};

	put(f, "a", 0);
	put(f, "b", 1);
	end_scan(f);
	f->ix = search_index_free(f->ix);
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_collection(f->ix, "things", &numbering, &f->c, &why, &err), &err);
	assert_non_null(strstr(why.message, "were lost"));
	assert_int_equal(figures(f).vectors, 0);
	assert_int_equal(figures(f).phase, SEARCH_PHASE_PAGES);
}

static void missing_vectors_are_noticed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *folder = mem_printf("%s/things", f->options.dir);

	put(f, "a", 0);
	end_scan(f);
	f->ix = search_index_free(f->ix);
	assert_int_equal(dir_remove(folder, NULL), 0);
	repaired(f, "are not those that");
}

static void damaged_vectors_are_thrown_away(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *folder = mem_printf("%s/things", f->options.dir);
	const struct dirent *e;
	DIR *d;

	put(f, "a", 0);
	end_scan(f);
	f->ix = search_index_free(f->ix);
	d = opendir(folder);
	assert_non_null(d);
	while ((e = readdir(d))) { /* each file of it begins with garbage */
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, e->d_name);
		static const char garbage[] = "\xad\xde\0\0 no index at all";

		if (e->d_name[0] != '.')
			assert_int_equal(
			    file_write_atomic(path, garbage, sizeof(garbage), 0600, NULL), 0);
	}
	closedir(d);
	repaired(f, "/things/graph");
}

static void another_model_is_refused(void **state)
{
	struct fixture *f = *state;
	struct search_index *other = NULL;
	struct search_index_options o = f->options;
	struct err err = {0};
	const char *model;
	unsigned dimension = 0;

	f->ix = search_index_free(f->ix);
	o.model = "other";
	assert_int_equal(search_index_open(&o, &other, &err), -ERR_CONFLICT);
	o = f->options;
	o.dimension++;
	assert_int_equal(search_index_open(&o, &other, &err), -ERR_CONFLICT);
	ok(search_index_peek(f->options.dir, &f->arena, &model, &dimension, &err), &err);
	assert_string_equal(model, "m");
	assert_int_equal(dimension, DIMENSION);
	assert_int_equal(search_index_peek(f->dir, &f->arena, &model, &dimension, &err),
			 -ERR_NOT_FOUND);
}

/* What search_index_peek() says of a state with these bytes; the index is closed. */
static int peek_at_state(struct fixture *f, const char *bytes, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/state.db", f->options.dir);
	const char *model;
	unsigned dimension;

	f->ix = search_index_free(f->ix);
	ok(file_write_atomic(path, bytes, strlen(bytes), 0600, err), err);
	return search_index_peek(f->options.dir, &f->arena, &model, &dimension, err);
}

/* A process that ended while it made the state left a file without tables, or an empty one. */
static void an_index_that_was_never_begun_is_made(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	assert_int_equal(peek_at_state(f, "", &err), -ERR_NOT_FOUND);
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_collection(f->ix, "things", NUMBERING(1), &f->c, NULL, &err), &err);
	put(f, "a", 0);
	assert_string_equal(nearest(f, 0), "a");
}

static bool file_has(const char *path, const void *bytes, size_t n)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(64 << 20);
	int r = file_read(path, &b, NULL);

	assert_true(r == 0 || r == -ERR_NOT_FOUND);
	return b.len && memmem(b.data, b.len, bytes, n) != NULL;
}

/* Whether any file of the index holds it. */
static bool is_on_disk(struct fixture *f, const void *bytes, size_t n)
{
	static const char *const names[] = {"state.db",	      "state.db-wal", "things/graph",
					    "things/vectors", "things/log.1", "things/log.2",
					    "things/log.3"};
	bool has = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", f->options.dir, names[i]);

		has |= file_has(path, bytes, n);
	}
	return has;
}

static void what_was_deleted_or_replaced_is_in_no_file_after_compact(void **state)
{
	static const char keys[][20] = {"a-secret-remark", "a-changed-remark"};
	struct fixture *f = *state;
	float v[2][DIMENSION];
	struct err err = {0};

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < DIMENSION; j++)
			v[i][j] = j >= 4 ? 0 : i == 0 || j % 2 ? 0.5F : -0.5F; /* of length 1 */
		apply(f, (struct search_change){.key = str_from(keys[i]),
						.action = SEARCH_PUT,
						.made_of = 7,
						.title = str_from(keys[i]),
						.vector = v[i]});
		assert_true(is_on_disk(f, v[i], sizeof(v[i])));
	}
	drop(f, keys[0]);
	put(f, keys[1], 1);
	assert_true(is_on_disk(f, v[0], sizeof(v[0])));
	ok(search_index_compact(f->ix, &err), &err);
	assert_false(is_on_disk(f, keys[0], strlen(keys[0])));
	assert_true(is_on_disk(f, keys[1], strlen(keys[1])));
	for (size_t i = 0; i < 2; i++)
		assert_false(is_on_disk(f, v[i], sizeof(v[i])));
	assert_string_equal(nearest(f, 1), keys[1]);
}

static void a_damaged_state_is_named(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	assert_int_equal(peek_at_state(f, "this is no database, not at all....", &err),
			 -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "state.db"));
	assert_int_equal(search_index_open(&f->options, &f->ix, &err), -ERR_CORRUPTED);
}

static void a_scan_goes_on_where_it_was_and_finds_what_it_did_not_see(void **state)
{
	struct fixture *f = *state;
	struct search_scan scan;
	struct str items[8];
	struct search_keys keys = {.arena = &f->arena, .limit = 8, .items = items};
	struct err err = {0};

	put(f, "a", 0);
	put(f, "b", 1);
	put(f, "gone", 2);
	end_scan(f);
	ok(search_index_rebuild(f->ix, f->c, &err), &err);
	apply(f, (struct search_change){.key = str_from("a"), .action = SEARCH_TOUCH});
	assert_true(known(f, "a").is_seen);
	ok(search_index_scan_advance(f->ix, f->c, str_from("a"), 1, &err), &err);
	reopen(f);
	search_index_scan(f->ix, f->c, &scan);
	assert_int_equal(scan.phase, SEARCH_PHASE_PAGES);
	assert_true(scan.is_forced);
	assert_true(str_equal(scan.cursor, str_from("a")));
	assert_int_equal(scan.done, 1);
	assert_false(known(f, "b").is_seen);
	put(f, "b", 3);
	ok(search_index_scan_advance(f->ix, f->c, (struct str){"", 0}, 0, &err), &err);
	ok(search_index_unseen(f->ix, f->c, &keys, &err), &err);
	assert_int_equal(keys.n, 1);
	assert_true(str_equal(items[0], str_from("gone")));
	drop(f, "gone");
	ok(search_index_unseen(f->ix, f->c, &keys, &err), &err);
	assert_int_equal(keys.n, 0);
	ok(search_index_scan_end(f->ix, f->c, &err), &err);
	reopen(f);
	search_index_scan(f->ix, f->c, &scan);
	assert_int_equal(scan.phase, SEARCH_PHASE_LIVE);
	assert_int_equal(figures(f).vectors, 2);
}

static void a_scan_of_all_is_one_of_those_that_are_not_open_too(void **state)
{
	struct fixture *f = *state;
	struct search_scan scan;
	struct err err = {0};

	put(f, "a", 0);
	end_scan(f);
	f->ix = search_index_free(f->ix);
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_scan_all(f->ix, &err), &err);
	ok(search_index_collection(f->ix, "things", NUMBERING(1), &f->c, NULL, &err), &err);
	search_index_scan(f->ix, f->c, &scan);
	assert_int_equal(scan.phase, SEARCH_PHASE_PAGES);
	assert_false(known(f, "a").is_seen);
	assert_int_equal(known(f, "a").made_of, 100);
}

static void a_collection_that_is_not_kept_goes(void **state)
{
	struct fixture *f = *state;
	static const char *const keep[] = {"others", NULL};
	_cleanup_(mem_freep) char *folder = mem_printf("%s/things", f->options.dir);
	struct err err = {0};
	size_t other;

	put(f, "a", 0);
	f->ix = search_index_free(f->ix);
	ok(search_index_open(&f->options, &f->ix, &err), &err);
	ok(search_index_collection(f->ix, "others", NUMBERING(1), &other, NULL, &err), &err);
	ok(search_index_keep(f->ix, keep, NULL, &err), &err);
	assert_false(file_exists(folder));
	ok(search_index_collection(f->ix, "things", NUMBERING(1), &f->c, NULL, &err), &err);
	assert_false(known(f, "a").is_there);
}

static int note_drop(void *arg, const char *collection, struct err *err)
{
	unsigned *calls = arg;

	assert_string_equal(collection, "things");
	return (*calls)++ ? 0 : err_set(err, ERR_UNAVAILABLE, "not yet");
}

/* While it is open; the first try fails in the middle. */
static void one_that_is_not_kept_does_not_answer_any_more(void **state)
{
	struct fixture *f = *state;
	static const char *const none[] = {NULL};
	_cleanup_(mem_freep) char *folder = mem_printf("%s/things", f->options.dir);
	_cleanup_(arena_done) struct arena arena = {0};
	const struct search_question q = {
	    .collection = "things", .vector = (const float[DIMENSION]){1}, .k = 5};
	unsigned calls = 0;
	struct search_dropping dropping = {note_drop, &calls};
	struct search_hit hits[5];
	struct err err = {0};
	size_t n, again;

	put(f, "a", 0);
	put(f, "b", 1);
	drop(f, "b"); /* its number is free */
	assert_int_equal(search_index_keep(f->ix, none, &dropping, &err), -ERR_UNAVAILABLE);
	assert_int_equal(search_index_query(f->ix, &q, &arena, hits, &n, &err), -ERR_NOT_FOUND);
	ok(search_index_scan_all(f->ix, &err), &err);
	ok(search_index_keep(f->ix, none, &dropping, &err), &err);
	ok(search_index_keep(f->ix, none, &dropping, &err), &err);
	assert_int_equal(calls, 2);
	assert_false(file_exists(folder));
	ok(search_index_collection(f->ix, "things", NUMBERING(1), &again, NULL, &err), &err);
	assert_int_equal(again, f->c);
	ok(search_index_query(f->ix, &q, &arena, hits, &n, &err), &err);
	assert_int_equal(n, 0);
	put(f, "a", 0);
	ok(search_index_query(f->ix, &q, &arena, hits, &n, &err), &err);
	assert_int_equal(n, 1);
	put(f, "b", 1);
	drop(f, "b");
	ok(search_index_keep(f->ix, none, NULL, &err), &err); /* and so it ends */
}

static void a_name_that_is_a_path_is_refused(void **state)
{
	static const char *const names[] = {"../x", "a/b", ".x", "", "state.db", "state.db-wal"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct err err = {0};
		size_t c;

		assert_int_equal(
		    search_index_collection(f->ix, names[i], NUMBERING(1), &c, NULL, &err),
		    -ERR_INVALID_ARGUMENT);
	}
}

/* --- threads ---------------------------------------------------------------------------------- */

struct asking {
	struct fixture *f;
	atomic_bool stop;
	unsigned answers, wrong;
};

/* "stays" is always there and nearest to itself; numbers of others come and go. */
static void *ask_on(void *arg)
{
	struct asking *a = arg;
	const struct search_question q = {
	    .collection = "things", .vector = (const float[DIMENSION]){1}, .k = 5};

	do {
		struct arena arena = {0};
		struct search_hit hits[5];
		struct search_figures figures;
		size_t n = 0;

		if (search_index_query(a->f->ix, &q, &arena, hits, &n, NULL) < 0 || n == 0 ||
		    !str_equal(hits[0].key, str_from("stays")) ||
		    search_index_figures(a->f->ix, a->f->c, &figures, NULL) < 0)
			a->wrong++;
		a->answers++;
		arena_done(&arena);
	} while (!atomic_load(&a->stop));
	return NULL;
}

static void queries_run_beside_the_writer(void **state)
{
	struct fixture *f = *state;
	struct asking asking[2] = {{.f = f}, {.f = f}};
	pthread_t threads[2];
	char key[16];

	put(f, "stays", 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &asking[i]), 0);
	for (int i = 0; i < 60; i++) {
		(void)snprintf(key, sizeof(key), "%d", i % 7);
		put(f, key, 1 + (size_t)i % (DIMENSION - 1));
		if (i % 3 == 0)
			drop(f, key);
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		atomic_store(&asking[i].stop, true);
		pthread_join(threads[i], NULL);
		assert_int_equal(asking[i].wrong, 0);
		assert_true(asking[i].answers > 0);
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_was_put_is_found_and_survives),
	    TEST(removing_what_is_not_there_is_no_error),
	    TEST(a_query_of_another_collection_says_so),
	    TEST(what_leaves_loses_its_vector_and_what_is_set_aside_keeps_it),
	    TEST(what_was_set_aside_is_due_again_later_each_time),
	    TEST(a_full_index_sets_aside_and_goes_on),
	    TEST(a_number_without_a_vector_is_done_again),
	    TEST(vectors_that_the_state_does_not_know_are_thrown_away),
	    TEST(what_dies_behind_a_deleted_vector_keeps_the_others),
	    TEST(what_dies_behind_a_new_vector_is_done_again),
	    TEST(documents_that_were_numbered_anew_have_no_vectors),
	    TEST(documents_whose_numbers_were_lost_have_no_vectors),
	    TEST(missing_vectors_are_noticed),
	    TEST(damaged_vectors_are_thrown_away),
	    TEST(another_model_is_refused),
	    TEST(a_damaged_state_is_named),
	    TEST(an_index_that_was_never_begun_is_made),
	    TEST(what_was_deleted_or_replaced_is_in_no_file_after_compact),
	    TEST(a_scan_goes_on_where_it_was_and_finds_what_it_did_not_see),
	    TEST(a_scan_of_all_is_one_of_those_that_are_not_open_too),
	    TEST(a_collection_that_is_not_kept_goes),
	    TEST(one_that_is_not_kept_does_not_answer_any_more),
	    TEST(a_name_that_is_a_path_is_refused),
	    TEST(queries_run_beside_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
