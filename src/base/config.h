/*
 * Configuration: typed tables of options, and the values that file, environment and flags give
 * them.
 *
 * Each module declares one `struct config_option[]` (ended by a NULL section); main collects them.
 * From the tables come the reader of the YAML file, environment names, flags (--section.name
 * VALUE), `config show|check`, redaction and the documentation. Order: default < file < environment
 * < flag.
 *
 * The file has one map a section: `mariadb: {port: 3307}`. Unknown keys, wrong types and values out
 * of range are errors that name file:line:column, what was found, what is allowed and the nearest
 * key. An option with CONFIG_SECRET is never printed; it is normally the path of a file
 * (`password_file`), or comes from the environment. A secret's value is refused in flags, and in a
 * file that others than its owner may read.
 *
 * A key without a value (`port:`) and an empty environment variable leave the option as it is.
 *
 * A loaded configuration is immutable: any number of threads may read. Texts live as long as it.
 */
#pragma once

#include "base/strbuf.h"

enum config_type {
	CONFIG_TEXT,
	CONFIG_INT,
	CONFIG_BOOL,
	CONFIG_DURATION, /* milliseconds; "20ms", "5s", "10m", "2h", "30d" */
	CONFIG_SIZE,	 /* bytes; "64M" */
	CONFIG_CHOICE,	 /* one of `choices`, separated by '|' */
	CONFIG_LIST,	 /* YAML list of texts; in environment and flags separated by commas */
};

enum config_flags {
	CONFIG_SECRET = 1 << 0,
	CONFIG_PATH = 1 << 1, /* relative paths in the file are relative to the file's folder */
	CONFIG_URI = 1 << 2,  /* shown and handed on: one with a password in it is refused */
	CONFIG_LATER =
	    1 << 3, /* of a path: need not be there yet, as all others for config_check() */
};

struct config_option {
	const char *section;
	const char *name;
	enum config_type type;
	unsigned flags;
	const char *fallback; /* default as it would be written; NULL: unset */
	int64_t min, max;     /* INT, DURATION (ms), SIZE (bytes); both 0: unbounded (0 and up) */
	const char *choices;  /* CHOICE: "error|warn|info" */
	const char *environment; /* NULL: none */
	const char *help;	 /* one or two sentences */
};

struct config;

struct config_flag {	  /* from the command line */
	const char *name; /* "section.name" */
	const char *value;
};

/*
 * `tables` ends with NULL. `path` NULL: ./aethermart.yaml when it exists. A `path` that does not
 * exist is an error. `flags` may be NULL when n_flags is 0.
 */
int config_load(const struct config_option *const *tables, const char *path,
		const struct config_flag *flags, size_t n_flags, struct config **ret,
		struct err *err) _must_check_;
/*
 * The same for a person who wants to know all that is wrong: each mistake, in the order of the
 * file, then the environment's and the flags'. A file that is no YAML, or names a key twice, is
 * one; so is a path that cannot be read by who checks. `ret` holds what was right.
 */
struct config_mistakes {
	size_t len, cap;
	struct err *items;
};
void config_check(const struct config_option *const *tables, const char *path,
		  const struct config_flag *flags, size_t n_flags,
		  struct config_mistakes *ret_mistakes, struct config **ret);
void config_mistakes_done(struct config_mistakes *m);
/* A file's text alone, without environment and flags; `file` names it in messages. */
int config_parse(const struct config_option *const *tables, const char *file, const char *text,
		 size_t len, struct config **ret, struct err *err) _must_check_;
struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free)

/* By "section.name"; an unknown name or another type is a bug. Unset text is NULL. */
const char *config_text(const struct config *c, const char *name); /* TEXT, CHOICE */
int64_t config_int(const struct config *c, const char *name);	   /* INT, DURATION, SIZE */
bool config_bool(const struct config *c, const char *name);
const char *const *config_list(const struct config *c, const char *name); /* NULL-terminated */
bool config_is_set(const struct config *c, const char *name); /* by file, environment or flag */
const char *config_file_path(const struct config *c);	      /* NULL when there was none */

/* For config show and the documentation: every option in table order. Secrets read "(secret)". */
struct config_item {
	const struct config_option *option;
	const char *value;  /* as text; NULL when unset */
	const char *origin; /* "default", "environment NAME", "flag", "FILE:LINE" */
};
size_t config_items(const struct config *c, const struct config_item **ret); /* borrowed */

/* Appends what values an option takes: "a whole number from 1 to 65535". */
void config_option_allowed(const struct config_option *o, struct strbuf *b);
