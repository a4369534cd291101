/*
 * The embedded stack: a private MariaDB and a private MongoDB server under the run-time folder, for
 * what the configuration does not name, and the worker. They run in the background, owned by an
 * unprivileged account, reachable only from this machine, and outlive the command that starts them.
 *
 * Everything can be repeated: stack_up() finds what runs and starts only what is missing; after a
 * crash it clears away stale pid files and waits for the servers' own recovery. A command that
 * changes the stack holds its lock for its whole duration.
 *
 * One thread. Nothing here prints: what happens is told through the callbacks.
 */
#pragma once

#include "base/config.h"
#include "base/mem.h"

#include <sys/types.h>

struct stack_callbacks {
	/* A step is done. `part`: "mariadb", "mongodb", "worker", "stack"; `text`: one line. */
	void (*step)(void *arg, const char *part, const char *text, int64_t took_us);
	void *arg;
};

/*
 * Makes the run-time folder with all its parts, private. ERR_CONFLICT, before anything is touched:
 * the folder is somebody else's, or a copy of another run-time folder (home.h).
 */
int stack_prepare(const struct config *config, struct err *err) _must_check_;
/* Of it, only the folder itself and that of the worker's socket, when it is elsewhere
 * (endpoint_socket_path()). */
int stack_prepare_socket(const struct config *config, struct err *err) _must_check_;

/* Whether there is a run-time folder; makes none. ERR_CONFLICT as stack_prepare(). */
int stack_exists(const struct config *config, bool *ret, struct err *err) _must_check_;

struct stack_lock;

/*
 * Prepares the run-time folder and locks it, waiting for another command that has it (which the
 * callback tells). The lock ends with the process at the latest; children do not inherit it.
 */
int stack_lock_take(const struct config *config, const struct stack_callbacks *callbacks,
		    struct stack_lock **ret, struct err *err) _must_check_;
struct stack_lock *stack_lock_free(struct stack_lock *lock);
DEFINE_CLEANUP(struct stack_lock *, stack_lock_free)

/*
 * Starts the servers that the configuration does not name and waits until they answer. One that
 * runs with other options than it would be started with now, or a MongoDB that does not let its own
 * administrator log in, is stopped first: its clients come back by themselves. The first time it
 * makes their data, accounts and passwords. `ret_started` (may be NULL): how many had to be
 * started. Errors name the server's log. Wants the lock.
 */
int stack_up(const struct config *config, const struct stack_callbacks *callbacks,
	     unsigned *ret_started, struct err *err) _must_check_;

/* What the embedded MariaDB is told about its outside witness when it starts, so that who looks
 * later can tell what was changed since: variable and value, ended by a NULL name. */
struct stack_setting {
	const char *name, *value;
};
extern const struct stack_setting stack_witness_settings[];

/*
 * Stops the worker, then the servers, all that stack_up() and stack_worker_start() started and
 * nothing else. `ret_stopped` (may be NULL): how many ran. Goes on after an error and returns the
 * first. Wants the lock.
 */
int stack_down(const struct config *config, const struct stack_callbacks *callbacks,
	       unsigned *ret_stopped, struct err *err) _must_check_;

/*
 * Deletes data, passwords and memory of the embedded servers; logs stay. ERR_CONFLICT while one
 * runs. Wants the lock.
 */
int stack_destroy(const struct config *config, struct err *err) _must_check_;

/*
 * Stops a worker that was started with another configuration than this, by another program, or when
 * servers were elsewhere: a hash of all is beside its pid file. Wants the lock.
 */
int stack_worker_stop_other(const struct config *config, bool *ret_stopped, struct err *err)
    _must_check_;
/*
 * Starts this program again with `argv` (argv[0] too, ended by NULL) as the worker in the
 * background, and waits until it listens on its socket serve.sock. Nothing happens when it runs
 * already (`ret_started` false). Wants the lock.
 */
int stack_worker_start(const struct config *config, const char *const *argv, bool *ret_started,
		       struct err *err) _must_check_;
/* Whether the worker that was started still runs: ERR_UNAVAILABLE with the last lines of its log
 * when it has ended. */
int stack_worker_check(const struct config *config, struct err *err) _must_check_;
int stack_worker_stop(const struct config *config, bool *ret_stopped, struct err *err) _must_check_;

enum stack_part { STACK_MARIADB, STACK_MONGODB, STACK_WORKER, STACK_PARTS };

struct stack_server {
	const char *name;    /* "mariadb", "mongodb", "worker" */
	const char *kind;    /* "mariadbd", "mongod", "secantusd-rs", "aethermart serve" */
	const char *version; /* NULL: not known */
	const char *address; /* "127.0.0.1:PORT", a socket, or what the configuration names */
	const char *dir;     /* its own folder; NULL: not embedded, or not made yet */
	const char *log;     /* NULL: not embedded */
	bool is_embedded;
	bool is_running; /* embedded ones: by pid file; for others nothing was asked: true */
	pid_t pid;	 /* 0: does not run, or not embedded */
	int64_t uptime_s;
	int64_t memory_bytes; /* resident */
};

struct stack_status {
	struct arena arena;
	const char *created; /* NULL: nothing was ever started */
	const char *account;
	struct stack_server servers[STACK_PARTS];
};

/* What there is, read from files and /proc; connects to nothing. ERR_CONFLICT as stack_prepare().
 */
int stack_status_read(const struct config *config, struct stack_status *ret, struct err *err)
    _must_check_;
void stack_status_done(struct stack_status *s);
