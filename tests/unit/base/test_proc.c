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
	assert_true(strlen(name) < 160);
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

static char *name_of(const char *host, int pid, uint64_t started, const char *rest)
{
	return mem_printf("%s:%d:%" PRIu64 "%s", host, pid, started, rest);
}

/* ":machine:boot:namespace" of ours, with one hexadecimal digit of a part changed. */
static char *place_with(int changed)
{
	_cleanup_(mem_freep) char *own = proc_name();
	char *at = own, *place;

	for (int i = 0; i < 3; i++)
		at = strchr(at + (i > 0), ':');
	place = mem_strdup(at);
	for (char *part = place; changed >= 0; changed--, part = strchr(part + 1, ':'))
		if (changed == 0)
			part[1] = part[1] == '0' ? '1' : '0';
	return place;
}

static void another_process_of_the_same_number_is_another_one(void **state)
{
	_cleanup_(mem_freep) char *here = place_with(-1), *boot = place_with(1),
				  *names = place_with(2);
	_cleanup_(mem_freep) char *same = name_of("h", getpid(), 1, here);
	_cleanup_(mem_freep) char *elsewhere = name_of("h", getpid(), 1, boot);
	_cleanup_(mem_freep) char *inside = name_of("h", getpid(), 1, names);

	(void)state;
	assert_true(proc_name_has_ended(same));
	/* Another boot, machine or container: there it may run. */
	assert_false(proc_name_has_ended(elsewhere));
	assert_false(proc_name_has_ended(inside));
}

static void before_the_last_start_of_a_machine_all_have_ended(void **state)
{
	char host[65] = "";
	_cleanup_(mem_freep) char *own = proc_name(), *here = place_with(-1), *boot = place_with(1),
				  *machine = place_with(0);

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_false(proc_name_is_of_former_boot(own));
	if (strstr(here, ":00000000:") == here) /* this machine has no number */
		return;
	{
		_cleanup_(mem_freep) char *former = name_of(host, 1, 1, boot);
		_cleanup_(mem_freep) char *renamed = name_of("other", 1, 1, boot);
		_cleanup_(mem_freep) char *another = name_of(host, 1, 1, machine);

		assert_true(proc_name_is_of_former_boot(former));
		assert_false(proc_name_is_of_former_boot(renamed));
		assert_false(proc_name_is_of_former_boot(another));
	}
}

/* With the place that is ours, so that it is not for that. */
static void of_other_texts_nothing_is_certain(void **state)
{
	static const char *const starts[] = {
	    "",	      "host",  "host:1",	  ":1:",   "h:1:0",
	    "h:-5:1", "h:0:1", "h:99999999999:1", "h:x:1", "h:1:x",
	};
	_cleanup_(mem_freep) char *place = place_with(-1);
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

static void a_process_has_the_arguments_that_it_was_started_with(void **state)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	const char *const same[] = {"server", "--port=1", "", NULL};
	const char *const fewer[] = {"server", "--port=1", NULL};
	const char *const more[] = {"server", "--port=1", "", "--audit", NULL};
	const char *const other[] = {"server", "--port=2", "", NULL};
	const struct str text = {"server\0--port=1\0", sizeof("server\0--port=1\0")};

	(void)state;
	assert_true(proc_has_arguments(text, same));
	assert_false(proc_has_arguments(text, fewer));
	assert_false(proc_has_arguments(text, more));
	assert_false(proc_has_arguments(text, other));
	assert_int_equal(proc_arguments(getpid(), &b), 0);
	assert_non_null(memmem(b.data, b.len, "test_base_proc", strlen("test_base_proc")));
	assert_int_equal(proc_arguments(4194305, &b), -ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_that_runs_has_not_ended),
	    cmocka_unit_test(a_process_that_was_killed_has_ended),
	    cmocka_unit_test(another_process_of_the_same_number_is_another_one),
	    cmocka_unit_test(before_the_last_start_of_a_machine_all_have_ended),
	    cmocka_unit_test(of_other_texts_nothing_is_certain),
	    cmocka_unit_test(a_process_has_the_arguments_that_it_was_started_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
