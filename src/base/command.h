/*
 * The command line as a const tree: `aethermart sync dead-letter list --json`. A node has children
 * or a run function. Parsing never exits and prints nothing: it fills a struct command_line, so
 * that it is unit-tested. stdout is for results, stderr for everything else.
 *
 * Global options, understood everywhere: --config FILE, --json, --help, --SECTION.NAME VALUE for
 * every configuration option, --quiet, --verbose. `--name value` and `--name=value` are the same; a
 * value that starts with "--" needs the second form. An option with a value is given once, unless
 * it is a list. After
 * "--" all words are arguments.
 */
#pragma once

#include "base/config.h"

#include <stdio.h>

enum command_option_type { COMMAND_FLAG, COMMAND_TEXT, COMMAND_NUMBER, COMMAND_LIST };

struct command_option {
	const char *name; /* "customers": --customers N */
	enum command_option_type type;
	const char *argument; /* "N"; for help */
	const char *fallback; /* default; NULL: none */
	int64_t min, max;     /* NUMBER; both 0: 0 and up */
	const char *help;
};

struct command_line;

/* A child whose name is "" is a heading in the list of commands: its summary is the title. */
struct command {
	const char *name;
	const char *summary;
	const char *arguments;		      /* "FILE...", "COLLECTION KEY", NULL: none */
	int min_args, max_args;		      /* max_args < 0: any number */
	const struct command_option *options; /* ended by a NULL name; NULL: none */
	const char *help;		      /* paragraphs and examples for --help; NULL: none */
	int (*run)(const struct command_line *line, struct err *err);
	const struct command *const *children; /* ended by NULL; NULL: a leaf */
	bool hidden;
	bool no_config;	 /* runs without a configuration, and with a broken one */
	bool is_service; /* runs until it is stopped: its log tells what happens */
};

#define COMMAND_FLAGS_MAX 64

struct command_line {
	const struct command *command;
	const char *path;	     /* "sync dead-letter list" */
	const struct config *config; /* set before run */
	bool json, help, quiet, verbose;
	const char *config_path; /* --config, NULL when not given */
	struct config_flag flags[COMMAND_FLAGS_MAX];
	size_t n_flags;
	int argc; /* positional arguments; after "--" all the rest */
	const char *const *argv;
	/* By index in command->options; "" for a FLAG given; of a LIST the first. */
	const char **values;
	struct command_more {
		size_t option;
		const char *value;
	} more[COMMAND_FLAGS_MAX]; /* of LISTs, in order, behind the first */
	size_t n_more;
	char *path_buffer;
	const char **arg_buffer;
};

/*
 * Parses argv[1..]; finds the command by walking `root`. Errors are INVALID_ARGUMENT, name the
 * wrong word, suggest the nearest and point to --help. `line` is released by command_line_done(),
 * also after an error. With --help, `line->command` is set and arguments are not checked.
 */
int command_parse(const struct command *root, int argc, char **argv, struct command_line *line,
		  struct err *err) _must_check_;
void command_line_done(struct command_line *line);

bool command_has(const struct command_line *line, const char *option);
const char *command_text(const struct command_line *line, const char *option); /* or fallback */
/* All values of a LIST, in order: how many; `ret` has room for COMMAND_FLAGS_MAX + 1. */
size_t command_list(const struct command_line *line, const char *option, const char **ret);
int64_t command_number(const struct command_line *line, const char *option); /* checked by parse */

/*
 * Help of line->command, at most 80 columns wide. In `help` texts, lines that start with white
 * space stay as they are; others are joined to paragraphs and wrapped.
 */
void command_print_help(const struct command *root, const struct command_line *line, FILE *f);
