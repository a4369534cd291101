/*
 * What the verbs about the servers share: steps on the screen, this program as a child, the whole
 * of other verbs. Used by this folder's files only; one thread.
 */
#pragma once

#include "cli/cli.h"
#include "cluster/stack.h"
#include "shop/warehouse.h"

/* Callbacks that write a line a step to stderr ("mariadb   started (0.5s)"); --quiet: none. */
struct stack_callbacks cli_steps(const struct command_line *line);
void cli_step(const struct command_line *line, const char *part, int64_t took_us, const char *fmt,
	      ...) _printf_(4, 5);

/*
 * The words that run another verb of this program with our configuration: argv[0], `words`, then
 * --config and the configuration flags as we got them. NULL-terminated, in the arena.
 */
const char *const *cli_self_argv(const struct command_line *line, struct arena *arena,
				 const char *const *words);

/*
 * Runs a verb of this program and waits: its stdout goes to log/up.log, its stderr (progress,
 * errors) to ours, or there too with --json. It stays in our process group, so that Ctrl-C reaches
 * it, and gets SIGTERM when we are killed. An exit status other than 0 becomes an error of that
 * class.
 */
int cli_run_self(const struct command_line *line, const char *const *words, struct err *err)
    _must_check_;

/*
 * `verify` of all collections, without its report: 0 when all is equal, ERR_DIFFERENT. ERR_TIMEOUT
 * with `ret_pending` above 0 (it is left alone else): all that could be judged is equal.
 */
int cli_verify(const struct command_line *line, uint64_t *ret_pending, struct err *err)
    _must_check_;

/* Prints the table (or JSON) of `status`. */
int cli_status_print(const struct command_line *line, struct err *err) _must_check_;

/* The warehouse of the configuration, as shop/warehouse.h says. */
int cli_warehouse_install(const struct command_line *line, struct err *err) _must_check_;
int cli_warehouse_may_drop(const struct command_line *line, struct err *err) _must_check_;
int cli_warehouse_drop(const struct command_line *line, struct err *err) _must_check_;
int cli_warehouse_check(const struct command_line *line, int64_t timeout_ms, shop_warehouse_fn fn,
			void *arg, struct err *err) _must_check_;

enum cli_up_flags {
	CLI_UP_SHOP = 1 << 0,  /* load the default shop */
	CLI_UP_ASKED = 1 << 1, /* the person has agreed already */
};

/* For the option table of a verb that may load the default shop. */
#define CLI_OPTIONS_SHOP                                                                           \
	{.name = "with-shop",                                                                      \
	 .type = COMMAND_FLAG,                                                                     \
	 .help = "load the default shop also into your own MariaDB"},                              \
	{                                                                                          \
		.name = "no-shop", .type = COMMAND_FLAG, .help = "load no shop: tables stay empty" \
	}

/* What they say; without them, an embedded MariaDB gets the shop. ERR_INVALID_ARGUMENT: both. */
int cli_wants_shop(const struct command_line *line, bool *ret, struct err *err) _must_check_;

/* All that `up` does; wants the stack's lock. The verb must have the option --yes. */
int cli_up(const struct command_line *line, unsigned flags, struct err *err) _must_check_;
