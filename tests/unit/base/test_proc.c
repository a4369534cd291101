/* Names of processes: proc.h. */
#include "base/mem.h"
#include "base/proc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

static void a_process_that_runs_has_not_ended(void **state)
{
	_cleanup_(mem_freep) char *name = proc_name();
	uint64_t started;
	char letter;

	(void)state;
	assert_true(strlen(name) < 128);
	assert_false(proc_name_has_ended(name));
	assert_int_equal(proc_stat(getpid(), &letter, &started), 0);
	assert_true(started > 0 && strchr("RSD", letter));
}

/* A child that tells its name and waits. */
static pid_t start_child(char *name, size_t size)
{
	int pipe_fds[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *own = proc_name();

		n = write(pipe_fds[1], own, strlen(own));
		for (;;)
			(void)pause();
	}
	n = read(pipe_fds[0], name, size - 1);
	assert_true(n > 0);
	name[n] = 0;
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return pid;
}

static void a_process_that_was_killed_has_ended(void **state)
{
	char name[256];
	pid_t pid = start_child(name, sizeof(name));
	siginfo_t info;

	(void)state;
	assert_false(proc_name_has_ended(name));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(proc_name_has_ended(name)); /* nobody has waited for it yet */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(proc_name_has_ended(name));
}

static void another_process_of_the_same_number_is_another_one(void **state)
{
	_cleanup_(mem_freep) char *own = proc_name();
	char host[256];
	uint64_t started, place;
	int pid;
	char other[400];

	(void)state;
	assert_int_equal(
	    sscanf(own, "%255[^:]:%d:%" SCNu64 ":%" SCNx64, host, &pid, &started, &place), 4);
	assert_true(place != 0);
	(void)snprintf(other, sizeof(other), "%s:%d:%" PRIu64 ":%016" PRIx64, host, pid,
		       started - 1, place);
	assert_true(proc_name_has_ended(other));
	/* Another boot, machine or container: there it may run. */
	(void)snprintf(other, sizeof(other), "%s:%d:%" PRIu64 ":%016" PRIx64, host, pid,
		       started - 1, place ^ 1);
	assert_false(proc_name_has_ended(other));
}

/* With the place that is ours, so that it is not for that. */
static void of_other_texts_nothing_is_certain(void **state)
{
	static const char *const starts[] = {
	    "",	      "host",  "host:1",	  ":1:",   "h:1:0",
	    "h:-5:1", "h:0:1", "h:99999999999:1", "h:x:1", "h:1:x",
	};
	_cleanup_(mem_freep) char *own = proc_name();
	const char *place = strrchr(own, ':');
	char text[256];

	(void)state;
	(void)snprintf(text, sizeof(text), "h:4194305:1%s", place); /* above all pids */
	assert_true(proc_name_has_ended(text));
	(void)snprintf(text, sizeof(text), "h:4194305:1%sx", place);
	assert_false(proc_name_has_ended(text));
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", starts[i], place);
		assert_false(proc_name_has_ended(text));
		assert_false(proc_name_has_ended(starts[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_that_runs_has_not_ended),
	    cmocka_unit_test(a_process_that_was_killed_has_ended),
	    cmocka_unit_test(another_process_of_the_same_number_is_another_one),
	    cmocka_unit_test(of_other_texts_nothing_is_certain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
