/* What the files of the embedded stack share: see stack.h. */
#pragma once

#include "cluster/cluster_sql_int.h"
#include "cluster/folder.h"
#include "cluster/process.h"
#include "cluster/stack.h"
#include "cluster/state.h"

struct stack {
	const struct config *config;
	const struct stack_callbacks *callbacks;
	const char *var_dir;
	struct folder_account account;
	struct state state; /* written back by stack_remember() */
	struct arena arena;
	unsigned n_started;
};

/* Tells a step; `since_us` is when it began. */
void stack_step(const struct stack *s, const char *part, int64_t since_us, const char *fmt, ...)
    _printf_(4, 5);
int stack_remember(const struct stack *s, struct err *err) _must_check_;

/*
 * A port for a server that is about to start: the remembered one, or another when there is none or
 * somebody else has it (which is told).
 */
int stack_choose_port(struct stack *s, const char *part, unsigned *port, struct err *err)
    _must_check_;

/*
 * Waits until `is_ready` holds, the process has ended or the time of stack.start_timeout is over.
 * The errors of both cases end with the last lines of the log.
 */
int stack_wait_ready(const struct stack *s, const char *part, const struct process *p,
		     bool (*is_ready)(void *arg), void *arg, struct err *err) _must_check_;

/* ERR_UNAVAILABLE: "WHAT; its log ends with: ...", and where the log is. */
int stack_log_error(const char *what, const char *log, struct err *err);

/* Whether `dir`, where a server was started (NULL: none was), is still the server's folder. */
bool stack_is_at(const struct stack *s, const char *part, const char *dir);

/* Whether a process was started with these arguments, ended by NULL; also when that cannot be seen.
 */
bool stack_runs_as(const struct process *p, const char *const *argv);

/* Whether something accepts connections there; of a socket, whether it is that process (0: any). */
bool stack_accepts_socket(const char *path, pid_t pid);
bool stack_accepts_port(unsigned port);

/* The error of a program that an option names and that cannot be run; errno says why. */
int stack_no_program(const char *option, const char *program, struct err *err);
/* Whether the program of a server that does not run is installed: asked of both before either is
 * started. */
int stack_mariadb_look(struct stack *s, struct err *err) _must_check_;
int stack_mongodb_look(struct stack *s, struct err *err) _must_check_;
int stack_mariadb_up(struct stack *s, struct err *err) _must_check_;
int stack_mongodb_up(struct stack *s, struct err *err) _must_check_;
