/* An index in a folder: what survives closing, killing and damage. */
#include "base/file.h"
#include "fixture.h"
#include "vector/vector_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VECTORS	  600U
#define DIMENSION 24U

static struct fixture vectors, queries;
static const struct vector_options options = {.dimension = DIMENSION, .model = "test/one"};

static int make_fixtures(void **state)
{
	(void)state;
	fixture_make(&vectors, VECTORS, DIMENSION, 1);
	fixture_make(&queries, 30, DIMENSION, 2);
	return 0;
}

static int drop_fixtures(void **state)
{
	(void)state;
	fixture_done(&vectors);
	fixture_done(&queries);
	return 0;
}

static struct vector_index *open_index(const char *dir)
{
	struct vector_index *ix;
	struct err err = {0};

	assert_ok(vector_open(dir, &options, &ix, &err));
	return ix;
}

static void put_range(struct vector_index *ix, uint32_t from, uint32_t to)
{
	struct err err = {0};

	for (uint32_t i = from; i < to; i++)
		assert_ok(vector_put(ix, i, fixture_at(&vectors, i), &err));
}

static void assert_holds(struct vector_index *ix, uint32_t from, uint32_t to)
{
	struct vector_reader *r;
	float back[DIMENSION];
	struct err err = {0};

	assert_ok(vector_reader_new(ix, &r, &err));
	for (uint32_t i = from; i < to; i++) {
		assert_ok(vector_get(r, i, back, &err));
		assert_true(fixture_score(VECTOR_COSINE, back, fixture_at(&vectors, i), DIMENSION) >
			    0.9999);
	}
	(void)vector_reader_free(r);
	assert_int_equal(vector_check(ix, NULL, NULL), 0);
}

static void remove_dir(char *dir)
{
	struct err err = {0};

	assert_ok(dir_remove(dir, &err));
	free(dir);
}

static void a_closed_index_opens_with_the_same_answers(void **state)
{
	char *dir = fixture_dir();
	struct vector_index *ix = open_index(dir);
	struct fixture_search s = {
	    .index = ix, .vectors = &vectors, .queries = &queries, .k = 10, .ef = 40};
	struct vector_stats before, after;
	struct err err = {0};
	uint64_t edges;
	double recall;

	(void)state;
	put_range(ix, 0, VECTORS);
	recall = fixture_recall(&s);
	vector_stats(ix, &before);
	edges = vector_count_edges(ix);
	assert_ok(vector_close(ix, &err));
	s.index = ix = open_index(dir);
	vector_stats(ix, &after);
	assert_int_equal(after.vectors, VECTORS);
	assert_int_equal(after.replayed, 0);
	assert_int_equal(vector_count_edges(ix), edges);
	assert_int_equal(after.memory_bytes, before.memory_bytes);
	assert_true(fixture_recall(&s) >= recall - 0.001);
	assert_holds(ix, 0, VECTORS);
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

static void options_that_the_index_does_not_have_are_refused(void **state)
{
	char *dir = fixture_dir();
	struct vector_index *ix = open_index(dir);
	struct vector_options o = options;
	struct err err = {0};

	(void)state;
	assert_ok(vector_close(ix, &err));
	o.model = "test/two";
	assert_int_equal(vector_open(dir, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "of the model \"test/one\", not \"test/two\""));
	o = options;
	o.dimension = 48;
	assert_int_equal(vector_open(dir, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "holds vectors of 24 values, not 48"));
	o = options;
	o.metric = VECTOR_L2;
	assert_int_equal(vector_open(dir, &o, &ix, &err), -ERR_INVALID_ARGUMENT);
	remove_dir(dir);
}

static void one_process_at_a_time_has_it_open(void **state)
{
	char *dir = fixture_dir();
	struct vector_index *ix = open_index(dir), *other;
	struct err err = {0};

	(void)state;
	assert_int_equal(vector_open(dir, &options, &other, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.message, "open in another process"));
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

/* --- killed at every point ------------------------------------------------------------------- */

struct killer {
	unsigned left; /* points until death */
};

static void count_down(void *arg, const char *point)
{
	struct killer *k = arg;

	(void)point;
	if (k->left-- == 0)
		(void)raise(SIGKILL);
}

/* What a process does that is killed: writes in groups, says after each that it is confirmed,
 * with deletions, replacements and checkpoints in between. */
static void work(const char *dir, struct killer *killer, int confirmed_fd)
{
	struct vector_hook hook = {.at = count_down, .arg = killer};
	struct vector_index *ix;
	struct err err = {0};

	if (vector_open_hooked(dir, &options, &hook, &ix, &err) < 0)
		_exit(2);
	for (uint32_t i = 0; i < 200; i++) {
		if (vector_put(ix, i, fixture_at(&vectors, i), &err) < 0)
			_exit(2);
		if (i % 3 == 0 && vector_delete(ix, i, &err) < 0)
			_exit(2);
		if (i % 20 != 19)
			continue;
		if (vector_sync(ix, &err) < 0)
			_exit(2);
		if (write(confirmed_fd, &i, sizeof(i)) != sizeof(i))
			_exit(2);
		if (i % 60 == 59 && vector_checkpoint(ix, &err) < 0)
			_exit(2);
	}
	_exit(vector_close(ix, &err) < 0 ? 2 : 0);
}

static bool is_dead_by_signal(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* Every vector confirmed is there, every deletion confirmed has happened. */
static void assert_confirmed(const char *dir, uint32_t n)
{
	struct vector_index *ix = open_index(dir);
	struct vector_reader *r;
	struct err err = {0};

	assert_ok(vector_reader_new(ix, &r, &err));
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(vector_has(r, i), i % 3 != 0);
	(void)vector_reader_free(r);
	assert_int_equal(vector_check(ix, NULL, NULL), 0);
	put_range(ix, 0, 200); /* and it can go on */
	assert_holds(ix, 0, 200);
	assert_ok(vector_close(ix, &err));
}

static void killed_at_any_point_nothing_confirmed_is_lost(void **state)
{
	bool was_killed = true;
	unsigned points = 0;

	(void)state;
	for (; was_killed; points++) {
		char *dir = fixture_dir();
		struct killer killer = {points};
		uint32_t last, n = 0;
		int pipes[2];
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			work(dir, &killer, pipes[1]);
		(void)close(pipes[1]);
		was_killed = is_dead_by_signal(child);
		while (read(pipes[0], &last, sizeof(last)) == sizeof(last))
			n = last + 1;
		(void)close(pipes[0]);
		assert_confirmed(dir, n);
		remove_dir(dir);
	}
	assert_true(points > 40); /* flushes, sections, renames of four checkpoints */
}

/* A process that ends without closing leaves its log; what was not flushed may be lost. */
static void the_log_is_applied_at_opening(void **state)
{
	char *dir = fixture_dir();
	struct vector_stats stats;
	struct vector_index *ix;
	struct err err = {0};
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct err e = {0};

		if (vector_open(dir, &options, &ix, &e) < 0)
			_exit(1);
		for (uint32_t i = 0; i < 100; i++) {
			if (vector_put(ix, i, fixture_at(&vectors, i), &e) < 0)
				_exit(1);
		}
		if (vector_delete(ix, 5, &e) < 0 || vector_sync(ix, &e) < 0)
			_exit(1);
		_exit(0);
	}
	assert_false(is_dead_by_signal(child));
	ix = open_index(dir);
	vector_stats(ix, &stats);
	assert_int_equal(stats.replayed, 101);
	assert_int_equal(stats.vectors, 99);
	assert_holds(ix, 6, 100);
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

/* --- flushes that fail ----------------------------------------------------------------------- */

struct flushes {
	const char *failing; /* NULL: none */
	unsigned well;	     /* so many of those go well before */
	unsigned logs;
};

static bool fail_flush(void *arg, const char *flush)
{
	struct flushes *f = arg;

	f->logs += strcmp(flush, "log") == 0;
	if (!f->failing || strcmp(flush, f->failing) != 0)
		return false;
	if (f->well == 0)
		return true;
	f->well--;
	return false;
}

/* A process that dies (by return: exit status 0) after `work` on an index. */
static void in_process(const char *dir, bool (*job)(struct vector_index *ix, struct flushes *f))
{
	pid_t child = fork();

	if (child == 0) {
		struct flushes flushes = {0};
		struct vector_hook hook = {.fails = fail_flush, .arg = &flushes};
		struct vector_index *ix;
		struct err e = {0};

		if (vector_open_hooked(dir, &options, &hook, &ix, &e) < 0)
			_exit(1);
		_exit(!job(ix, &flushes));
	}
	assert_false(is_dead_by_signal(child));
}

static bool put_all(struct vector_index *ix, uint32_t from, uint32_t to)
{
	struct err e = {0};

	for (uint32_t i = from; i < to; i++) {
		if (vector_put(ix, i, fixture_at(&vectors, i), &e) < 0)
			return false;
	}
	return true;
}

static bool is_synced(struct vector_index *ix)
{
	struct err e = {0};

	return vector_sync(ix, &e) == 0;
}

static void a_checkpoint_that_fails_by_itself_is_told(void **state)
{
	struct vector_options small = options;
	char *dir = fixture_dir();
	struct vector_index *ix;
	struct vector_stats stats;
	char path[256];
	struct err err = {0};

	(void)state;
	small.log_max_bytes = 50 * DIMENSION * sizeof(float);
	assert_ok(vector_open(dir, &small, &ix, &err));
	(void)snprintf(path, sizeof(path), "%s/graph.new", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put_range(ix, 0, 60);
	assert_ok(vector_sync(ix, &err)); /* the log has them */
	vector_stats(ix, &stats);
	assert_int_equal(stats.checkpoint_failures, 1);
	assert_non_null(strstr(stats.checkpoint_error, "graph.new"));
	assert_int_equal(rmdir(path), 0);
	put_range(ix, 60, 80);
	assert_ok(vector_sync(ix, &err)); /* not yet: twice as long a log is tried next */
	vector_stats(ix, &stats);
	assert_non_null(stats.checkpoint_error);
	put_range(ix, 80, 150);
	assert_ok(vector_sync(ix, &err));
	vector_stats(ix, &stats);
	assert_int_equal(stats.checkpoint_failures, 1);
	assert_null(stats.checkpoint_error);
	assert_int_equal(stats.log_bytes, 0);
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

/* The kernel forgets what it could not write: so does this, before the second try. */
static bool lose_what_was_not_flushed(struct vector_index *ix, struct flushes *f)
{
	char path[256];

	f->failing = "log";
	if (!put_all(ix, 0, 50) || is_synced(ix))
		return false;
	(void)snprintf(path, sizeof(path), "%s/log.1", ix->dir);
	if (truncate(path, 32) < 0)
		return false;
	f->failing = NULL;
	return is_synced(ix);
}

static void a_flush_that_failed_is_done_again_from_the_start(void **state)
{
	char *dir = fixture_dir();
	struct vector_index *ix;
	struct err err = {0};

	(void)state;
	in_process(dir, lose_what_was_not_flushed);
	ix = open_index(dir);
	assert_holds(ix, 0, 50);
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

/* The new log is worth nothing while the disk may still have the old checkpoint. */
static bool sync_without_the_folder(struct vector_index *ix, struct flushes *f)
{
	struct err e = {0};

	f->failing = "folder";
	f->well = 1; /* before the rename; behind it, it fails */
	if (!put_all(ix, 0, 50) || vector_checkpoint(ix, &e) == 0 || !put_all(ix, 50, 60) ||
	    is_synced(ix))
		return false;
	f->failing = NULL;
	return is_synced(ix) && vector_checkpoint(ix, &e) == 0;
}

static void nothing_is_confirmed_before_the_folder_is_flushed(void **state)
{
	char *dir = fixture_dir();
	struct vector_index *ix;
	struct err err = {0};

	(void)state;
	in_process(dir, sync_without_the_folder);
	ix = open_index(dir);
	assert_holds(ix, 0, 60);
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

static bool checkpoint_after_vectors_failed(struct vector_index *ix, struct flushes *f)
{
	struct err e = {0};

	f->failing = "vectors";
	if (!put_all(ix, 0, 50) || vector_checkpoint(ix, &e) == 0)
		return false;
	f->failing = NULL;
	return vector_checkpoint(ix, &e) < 0 && strstr(e.message, "it failed before") &&
	       is_synced(ix);
}

static void after_a_failed_flush_of_vectors_only_the_log_counts(void **state)
{
	char *dir = fixture_dir();
	struct vector_index *ix;
	struct err err = {0};

	(void)state;
	in_process(dir, checkpoint_after_vectors_failed);
	ix = open_index(dir);
	assert_holds(ix, 0, 50);
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

static bool put_some(struct vector_index *ix, struct flushes *f)
{
	(void)f;
	return put_all(ix, 0, 50) && is_synced(ix);
}

/* What is there after opening may be built upon: "put again, synced" must mean durable. */
static bool opening_has_flushed(struct vector_index *ix, struct flushes *f)
{
	return f->logs == 1 && put_all(ix, 0, 50) && is_synced(ix);
}

static void what_a_killed_process_wrote_is_flushed_at_opening(void **state)
{
	char *dir = fixture_dir();

	(void)state;
	in_process(dir, put_some);
	in_process(dir, opening_has_flushed);
	remove_dir(dir);
}

/* --- damage ---------------------------------------------------------------------------------- */

/* Copies of the files of a good index, to be damaged one way each. */
struct file {
	const char *name;
	uint8_t *data;
	size_t size;
};

static void read_file(const char *dir, struct file *f)
{
	char path[256];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, f->name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	f->size = (size_t)st.st_size;
	f->data = malloc(f->size + 1);
	assert_int_equal(read(fd, f->data, f->size), f->size);
	(void)close(fd);
}

static void write_file(const char *dir, const char *name, const void *data, size_t size)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	(void)close(fd);
}

/* A good index whose log (log.1: the first checkpoint is the empty one) holds all. */
static char *make_good(bool checkpointed, struct file files[3])
{
	char *dir = fixture_dir();
	struct vector_index *ix;
	struct err err = {0};
	pid_t child = fork();

	if (child == 0) {
		struct err e = {0};

		if (vector_open(dir, &options, &ix, &e) < 0)
			_exit(1);
		for (uint32_t i = 0; i < 100; i++) {
			if (vector_put(ix, i, fixture_at(&vectors, i), &e) < 0)
				_exit(1);
		}
		_exit(vector_sync(ix, &e) < 0);
	}
	assert_false(is_dead_by_signal(child));
	if (checkpointed) {
		ix = open_index(dir);
		assert_ok(vector_checkpoint(ix, &err));
		assert_ok(vector_close(ix, &err));
	}
	files[0] = (struct file){.name = "graph"};
	files[1] = (struct file){.name = checkpointed ? "log.2" : "log.1"};
	files[2] = (struct file){.name = "vectors"};
	for (size_t i = 0; i < 3; i++)
		read_file(dir, &files[i]);
	return dir;
}

static void restore(const char *dir, const struct file files[3])
{
	for (size_t i = 0; i < 3; i++)
		write_file(dir, files[i].name, files[i].data, files[i].size);
}

static void drop_good(char *dir, struct file files[3])
{
	for (size_t i = 0; i < 3; i++)
		free(files[i].data);
	remove_dir(dir);
}

/* Refused with the file's name, or opened and then sound. */
static bool is_refused(const char *dir, const char *name)
{
	struct vector_index *ix;
	struct err err = {0};
	int r = vector_open(dir, &options, &ix, &err);

	if (r == 0) {
		assert_ok(vector_close(ix, &err));
		return false;
	}
	assert_int_equal(r, -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, name));
	return true;
}

static void a_damaged_checkpoint_is_refused_by_name(void **state)
{
	struct file files[3];
	char *dir = make_good(true, files);

	(void)state;
	for (size_t at = 0; at < files[0].size; at += at < 344 ? 1 : 97) {
		if (at >= 344 && at < 4096)
			continue; /* behind the head: nothing stands there */
		files[0].data[at] ^= 0x40U;
		restore(dir, files);
		assert_true(is_refused(dir, "graph"));
		files[0].data[at] ^= 0x40U;
	}
	restore(dir, files);
	assert_false(is_refused(dir, "graph"));
	drop_good(dir, files);
}

static void a_truncated_file_is_refused_by_name(void **state)
{
	struct file files[3];
	char *dir = make_good(true, files);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t size = files[i].size;

		for (size_t j = 0; j < 8; j++) {
			files[i].size = i == 2 ? j * 500 : size * j / 8;
			restore(dir, files);
			assert_true(is_refused(dir, files[i].name));
		}
		files[i].size = size;
		restore(dir, files);
		assert_int_equal(
		    unlinkat(AT_FDCWD,
			     strcat(strcat(strcpy((char[256]){0}, dir), "/"), files[i].name), 0),
		    0);
		assert_true(is_refused(dir, files[i].name));
	}
	drop_good(dir, files);
}

static void halves_are_said_in_the_file_and_stay(void **state)
{
	struct vector_options halves = options;
	char *dir = fixture_dir();
	struct file graph = {.name = "graph"};
	struct vector_index *ix;
	struct vector_stats stats;
	struct err err = {0};

	(void)state;
	halves.precision = VECTOR_F16;
	assert_ok(vector_open(dir, &halves, &ix, &err));
	put_range(ix, 0, 100);
	assert_ok(vector_close(ix, &err));
	read_file(dir, &graph);
	assert_int_equal(graph.data[20], 0); /* docs/formats/vector.md */
	free(graph.data);
	ix = open_index(dir);
	vector_stats(ix, &stats);
	assert_int_equal(stats.precision, VECTOR_F16);
	assert_int_equal(stats.mapped_bytes, 100 * DIMENSION * sizeof(uint16_t));
	assert_holds(ix, 0, 100);
	assert_ok(vector_close(ix, &err));
	remove_dir(dir);
}

/* The last record is torn: the rest counts. */
static void a_torn_end_of_the_log_is_cut_off(void **state)
{
	struct file files[3];
	char *dir = make_good(false, files);
	size_t record = 16 + DIMENSION * sizeof(float);

	(void)state;
	assert_int_equal(files[1].size, 32 + 100 * record);
	for (size_t cut = 1; cut < record; cut += 13) {
		struct vector_index *ix;
		struct vector_stats stats;
		struct err err = {0};

		files[1].size -= cut;
		restore(dir, files);
		files[1].size += cut;
		ix = open_index(dir);
		vector_stats(ix, &stats);
		assert_int_equal(stats.vectors, 99);
		assert_int_equal(stats.dropped_bytes, record - cut);
		assert_ok(vector_close(ix, &err));
	}
	drop_good(dir, files);
}

static void a_log_of_another_index_is_refused(void **state)
{
	struct file files[3];
	char *dir = make_good(false, files);

	(void)state;
	for (size_t at = 0; at < 32; at++) {
		files[1].data[at] ^= 1U;
		restore(dir, files);
		assert_true(is_refused(dir, "log.1"));
		files[1].data[at] ^= 1U;
	}
	drop_good(dir, files);
}

/* A bit that the disk flipped in a stored vector is found by `check`, not by opening. */
static void check_finds_a_damaged_vector(void **state)
{
	struct file files[3];
	char *dir = make_good(true, files);
	struct vector_index *ix;
	struct err err = {0};

	(void)state;
	files[2].data[4096 + 7 * DIMENSION * sizeof(float) + 3] ^= 0x10U;
	restore(dir, files);
	ix = open_index(dir);
	assert_int_equal(vector_check(ix, NULL, NULL), 1);
	assert_ok(vector_close(ix, &err));
	drop_good(dir, files);
}

static bool contains(const struct file *f, const void *bytes, size_t n)
{
	return memmem(f->data, f->size, bytes, n) != NULL;
}

static void a_deleted_vector_is_in_no_file_after_compact(void **state)
{
	struct file files[3];
	char *dir = make_good(true, files);
	struct vector_index *ix = open_index(dir);
	struct vector_reader *r;
	float stored[DIMENSION];
	uint8_t code[DIMENSION];
	struct err err = {0};

	(void)state;
	assert_ok(vector_reader_new(ix, &r, &err));
	assert_ok(vector_get(r, 42, stored, &err));
	(void)vector_reader_free(r);
	memcpy(code, slot_code(ix, ids_get(ix, 42)), DIMENSION);
	assert_true(contains(&files[2], stored, sizeof(stored)));
	assert_true(contains(&files[0], code, sizeof(code)));
	assert_ok(vector_delete(ix, 42, &err));
	assert_ok(vector_compact(ix, &err));
	for (size_t i = 0; i < 3; i++) {
		free(files[i].data);
		files[i].name = i == 1 ? "log.3" : files[i].name;
		read_file(dir, &files[i]);
		assert_false(contains(&files[i], stored, sizeof(stored)));
		assert_false(contains(&files[i], code, sizeof(code)));
	}
	assert_ok(vector_close(ix, &err));
	drop_good(dir, files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_closed_index_opens_with_the_same_answers),
	    cmocka_unit_test(options_that_the_index_does_not_have_are_refused),
	    cmocka_unit_test(one_process_at_a_time_has_it_open),
	    cmocka_unit_test(killed_at_any_point_nothing_confirmed_is_lost),
	    cmocka_unit_test(the_log_is_applied_at_opening),
	    cmocka_unit_test(a_checkpoint_that_fails_by_itself_is_told),
	    cmocka_unit_test(a_flush_that_failed_is_done_again_from_the_start),
	    cmocka_unit_test(nothing_is_confirmed_before_the_folder_is_flushed),
	    cmocka_unit_test(after_a_failed_flush_of_vectors_only_the_log_counts),
	    cmocka_unit_test(what_a_killed_process_wrote_is_flushed_at_opening),
	    cmocka_unit_test(a_damaged_checkpoint_is_refused_by_name),
	    cmocka_unit_test(a_truncated_file_is_refused_by_name),
	    cmocka_unit_test(halves_are_said_in_the_file_and_stay),
	    cmocka_unit_test(a_torn_end_of_the_log_is_cut_off),
	    cmocka_unit_test(a_log_of_another_index_is_refused),
	    cmocka_unit_test(check_finds_a_damaged_vector),
	    cmocka_unit_test(a_deleted_vector_is_in_no_file_after_compact),
	};

	return cmocka_run_group_tests_name("vector/files", tests, make_fixtures, drop_fixtures);
}
