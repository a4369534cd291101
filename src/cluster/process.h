/*
 * Child processes that outlive the command that started them: in a session of their own, output to
 * a log file, known by a pid file.
 *
 * A pid file names a process for certain: it holds the pid, the start time from /proc/PID/stat and
 * the boot's id. A pid that was given to another process after a crash or a reboot therefore never
 * matches, and is never signalled. The file is written before the program begins, so that no crash
 * of ours leaves a server that nobody knows.
 *
 * Any thread; a process has one starter. Nothing here prints.
 */
#pragma once

#include "base/strbuf.h"

#include <sys/types.h>

struct process {
	pid_t pid;
	uint64_t started; /* clock ticks since boot */
};

struct process_spec {
	const char *name;	 /* "mariadb": for messages */
	const char *program;	 /* path; opened before the account changes, so it may be private */
	const char *const *argv; /* argv[0] too, ended by NULL */
	const char *dir;	 /* working folder, NULL: "/" */
	const char *log_path;	 /* appended to; NULL: /dev/null */
	const char *pid_path;	 /* NULL: none */
	struct str input;	 /* what it reads from stdin; kept in memory only */
	bool is_own_environment; /* pass ours on; else only PATH, LANG=C.UTF-8 and TZ=UTC */
	bool ends_with_us;	 /* SIGKILL when this process, or the thread that starts it, ends */
	bool has_account;	 /* run as uid and gid, without other groups */
	uid_t uid;
	gid_t gid;
};

/*
 * Starts it. ERR_NOT_FOUND or ERR_PERMISSION when the program cannot be run, ERR_IO when the system
 * refuses a process or a file. On an error nothing is left: no process, no pid file.
 */
int process_start(const struct process_spec *spec, struct process *ret, struct err *err)
    _must_check_;

/*
 * The process of a pid file when it is alive. ERR_NOT_FOUND when there is no file, or the process
 * of which it speaks is gone (the stale file is left for process_start() to replace);
 * ERR_CORRUPTED when the file holds something else.
 */
int process_find(const char *pid_path, struct process *ret, struct err *err) _must_check_;

bool process_is_alive(const struct process *p); /* a zombie is not; reaps a child of ours */

/* Blocks until it has ended or the time is over (ERR_TIMEOUT). */
int process_wait(const struct process *p, int64_t timeout_ms, struct err *err) _must_check_;

/*
 * SIGTERM, and SIGKILL when it has not ended after `timeout_ms`; removes the pid file. Returns 0
 * also when it was gone already. `ret_killed` (may be NULL) tells whether it took SIGKILL.
 */
int process_stop(const char *name, const char *pid_path, int64_t timeout_ms, bool *ret_killed,
		 struct err *err) _must_check_;

/* Starts, waits for the end, and answers its exit status (128 + n for signal n). ERR_TIMEOUT: it
 * was killed. It does not outlive us. */
int process_run(const struct process_spec *spec, int64_t timeout_ms, int *ret_status,
		struct err *err) _must_check_;

/* On the PATH, then in the sbin folders; NULL: none. Owned by the caller. */
char *process_find_program(const char *name);

/* The last `lines` lines of a log, whole ones, of 16 MiB at most; "" when it cannot be read. Owned
 * by the caller. */
char *process_log_tail(const char *log_path, unsigned lines);
/* The same of an open log up to its byte `size`. */
char *process_log_tail_fd(int fd, uint64_t size, unsigned lines);
