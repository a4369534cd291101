/* A pid file must never let us end a process that is not ours. */
#include "base/file.h"
#include "base/mem.h"
#include "cluster/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

static char dir[] = "/tmp/aethermart-test-XXXXXX";
static char pid_path[64], log_path[64];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(pid_path, sizeof(pid_path), "%s/x.pid", dir);
	(void)snprintf(log_path, sizeof(log_path), "%s/x.log", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return dir_remove(dir, NULL);
}

static void start(const char *script, struct process *ret)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct process_spec spec = {.name = "sh",
				    .program = "/bin/sh",
				    .argv = argv,
				    .log_path = log_path,
				    .pid_path = pid_path};
	struct err err = {0};

	if (process_start(&spec, ret, &err) < 0)
		fail_msg("%s", err.message);
}

static void test_start_find_stop(void **state)
{
	struct process p = {0}, found = {0};
	bool is_killed = true;

	(void)state;
	start("exec sleep 60", &p);
	assert_int_equal(process_find(pid_path, &found, NULL), 0);
	assert_int_equal(found.pid, p.pid);
	assert_true(process_is_alive(&p));
	assert_int_equal(process_stop("sh", pid_path, 5000, &is_killed, NULL), 0);
	assert_false(is_killed);
	assert_false(process_is_alive(&p));
	assert_false(file_exists(pid_path));
	assert_int_equal(process_stop("sh", pid_path, 5000, NULL, NULL), 0);
}

static void test_stop_kills_who_does_not_listen(void **state)
{
	struct process p = {0};
	bool is_killed = false;

	(void)state;
	start("trap '' TERM; echo ready; while :; do sleep 1; done", &p);
	for (int i = 0; i < 200 && process_wait(&p, 10, NULL) < 0; i++) {
		_cleanup_(mem_freep) char *tail = process_log_tail(log_path, 1);

		if (strstr(tail, "ready"))
			break;
	}
	assert_int_equal(process_stop("sh", pid_path, 50, &is_killed, NULL), 0);
	assert_true(is_killed);
	assert_false(process_is_alive(&p));
}

/* The pid lives, but it is another process: it began at another time. */
static void test_recycled_pid_is_left_alone(void **state)
{
	struct process p = {0}, found = {0};
	char text[256];
	struct strbuf b = STRBUF_INIT(256);
	unsigned long long started;
	char boot[64];
	int pid;

	(void)state;
	start("exec sleep 60", &p);
	assert_int_equal(file_read(pid_path, &b, NULL), 0);
	assert_int_equal(sscanf(strbuf_str(&b), "%d %llu %63s", &pid, &started, boot), 3);
	(void)snprintf(text, sizeof(text), "%d %llu %s\n", pid, started + 1, boot);
	assert_int_equal(file_write_atomic(pid_path, text, strlen(text), 0600, NULL), 0);
	assert_int_equal(process_find(pid_path, &found, NULL), -ERR_NOT_FOUND);
	assert_int_equal(process_stop("sh", pid_path, 100, NULL, NULL), 0);
	assert_true(process_is_alive(&p));
	/* Another boot. */
	(void)snprintf(text, sizeof(text), "%d %llu %s\n", pid, started, "other-boot");
	assert_int_equal(file_write_atomic(pid_path, text, strlen(text), 0600, NULL), 0);
	assert_int_equal(process_find(pid_path, &found, NULL), -ERR_NOT_FOUND);
	assert_int_equal(kill(p.pid, SIGKILL), 0);
	assert_int_equal(process_wait(&p, 5000, NULL), 0);
	strbuf_done(&b);
}

static void test_find_refuses_what_is_no_pid_file(void **state)
{
	static const char *const texts[] = {
	    "", "1\n", "x y z\n", "1 2 boot\n", "12 13 boot more\n", "-5 7 boot\n"};
	struct process p = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(
		    file_write_atomic(pid_path, texts[i], strlen(texts[i]), 0600, NULL), 0);
		assert_int_equal(process_find(pid_path, &p, NULL), -ERR_CORRUPTED);
		assert_int_equal(process_stop("sh", pid_path, 100, NULL, NULL), -ERR_CORRUPTED);
	}
	assert_int_equal(unlink(pid_path), 0);
	assert_int_equal(process_find(pid_path, &p, NULL), -ERR_NOT_FOUND);
}

static void test_start_failures_leave_nothing(void **state)
{
	const char *argv[] = {"x", NULL};
	struct process_spec spec = {
	    .name = "x", .program = "/nonexistent/x", .argv = argv, .pid_path = pid_path};
	struct process p = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(process_start(&spec, &p, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "/nonexistent/x"));
	spec.program = "/etc/passwd";
	assert_int_equal(process_start(&spec, &p, &err), -ERR_PERMISSION);
	spec.program = "/bin/sh";
	spec.dir = "/nonexistent";
	assert_true(process_start(&spec, &p, &err) < 0);
	assert_non_null(strstr(err.message, "/nonexistent"));
	assert_false(file_exists(pid_path));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_run_gives_input_and_status(void **state)
{
	const char *argv[] = {"sh", "-c", "read x; test \"$x\" = secret || exit 9; exit 3", NULL};
	const char *slow[] = {"sleep", "60", NULL};
	struct process_spec spec = {
	    .name = "sh", .program = "/bin/sh", .argv = argv, .input = str_from("secret\n")};
	int status = -1;

	(void)state;
	assert_int_equal(process_run(&spec, 5000, &status, NULL), 0);
	assert_int_equal(status, 3);
	spec = (struct process_spec){.name = "sleep", .program = "/bin/sleep", .argv = slow};
	assert_int_equal(process_run(&spec, 20, &status, NULL), -ERR_TIMEOUT);
}

static void test_a_script_is_a_program_too(void **state)
{
	_cleanup_(mem_freep) char *script = mem_printf("%s/script", dir);
	static const char text[] = "#!/bin/sh\nexit $1\n";
	const char *argv[] = {"script", "7", NULL};
	struct process_spec spec = {.name = "script", .program = script, .argv = argv};
	struct err err = {0};
	int status = 0;

	(void)state;
	assert_int_equal(file_write_atomic(script, text, strlen(text), 0755, NULL), 0);
	if (process_run(&spec, 5000, &status, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(status, 7);
}

/* As when `up` is killed while a server makes its data. */
static void test_run_does_not_outlive_us(void **state)
{
	const char *argv[] = {"sh", "-c", "echo $$ >&2; exec sleep 60", NULL};
	struct process_spec spec = {
	    .name = "sh", .program = "/bin/sh", .argv = argv, .log_path = log_path};
	int status = 0, pid = 0;
	pid_t us;

	(void)state;
	(void)unlink(log_path);
	us = fork();
	if (us == 0)
		_exit(process_run(&spec, 60000, &status, NULL) < 0 ? 1 : 0);
	for (int i = 0; i < 500 && !pid; i++) {
		_cleanup_(mem_freep) char *tail = process_log_tail(log_path, 1);

		pid = (int)strtol(tail, NULL, 10);
		(void)usleep(10000);
	}
	assert_true(pid > 1);
	assert_int_equal(kill(us, SIGKILL), 0);
	assert_int_equal(waitpid(us, NULL, 0), us);
	for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
		(void)usleep(10000);
	assert_int_equal(kill(pid, 0), -1);
}

static void test_log_tail(void **state)
{
	static const char text[] = "one\ntwo\nthree\n";
	char *tail;

	(void)state;
	assert_int_equal(file_write_atomic(log_path, text, strlen(text), 0600, NULL), 0);
	tail = process_log_tail(log_path, 2);
	assert_string_equal(tail, "two\nthree");
	mem_free(tail);
	tail = process_log_tail(log_path, 9);
	assert_string_equal(tail, "one\ntwo\nthree");
	mem_free(tail);
	tail = process_log_tail("/nonexistent", 2);
	assert_string_equal(tail, "");
	mem_free(tail);
}

static void test_log_tail_reads_as_far_back_as_it_takes(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	size_t begin = 0;
	char *tail;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		if (i == 39000)
			begin = b.len;
		strbuf_addf(&b, "line %d of a log, which is some sixty characters long\n", i);
	}
	assert_int_equal(file_write_atomic(log_path, b.data, b.len, 0600, NULL), 0);
	tail = process_log_tail(log_path, 1000);
	assert_int_equal(strlen(tail), b.len - begin - 1);
	assert_memory_equal(tail, b.data + begin, b.len - begin - 1);
	mem_free(tail);
	tail = process_log_tail(log_path, 50000);
	assert_int_equal(strlen(tail), b.len - 1);
	mem_free(tail);
	/* More than it reads: whole lines all the same. */
	while (b.len < (size_t)20 << 20)
		strbuf_addstr(&b, "a line that stands here very often\n");
	assert_int_equal(file_write_atomic(log_path, b.data, b.len, 0600, NULL), 0);
	tail = process_log_tail(log_path, 2000000);
	assert_true(strlen(tail) > (size_t)15 << 20);
	assert_int_equal(strncmp(tail, "a line that", 11), 0);
	mem_free(tail);
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_start_find_stop),
	    cmocka_unit_test(test_stop_kills_who_does_not_listen),
	    cmocka_unit_test(test_recycled_pid_is_left_alone),
	    cmocka_unit_test(test_find_refuses_what_is_no_pid_file),
	    cmocka_unit_test(test_start_failures_leave_nothing),
	    cmocka_unit_test(test_run_gives_input_and_status),
	    cmocka_unit_test(test_a_script_is_a_program_too),
	    cmocka_unit_test(test_run_does_not_outlive_us),
	    cmocka_unit_test(test_log_tail),
	    cmocka_unit_test(test_log_tail_reads_as_far_back_as_it_takes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
