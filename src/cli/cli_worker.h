/* Asking the running worker over its socket, and reading its answers. One thread. */
#pragma once

#include "cli/cli.h"

/* GET, or POST without a body; the caller owns the answer. ERR_CORRUPTED: it is no JSON. */
int cli_worker_ask(const struct command_line *line, const char *path, bool is_post, json_t **ret,
		   struct err *err) _must_check_;

/* GET; NULL when no worker runs or the answer is no JSON. */
json_t *cli_worker_json(const struct command_line *line, const char *path);
/* The whole of a verb that asks: GET, then with --json the answer as it is, else `print`. */
int cli_worker_show(const struct command_line *line, const char *path,
		    void (*print)(const struct command_line *line, const json_t *answer),
		    struct err *err) _must_check_;

/* Members of an object: "" and 0 when they are not there. */
const char *cli_text_of(const json_t *o, const char *name);
int64_t cli_int_of(const json_t *o, const char *name);
double cli_number_of(const json_t *o, const char *name);

/* Appends "&name=value", or "?name=value" as the first; `value` is escaped. */
void cli_add_parameter(struct strbuf *path, const char *name, const char *value);
/* The words of the command line from `first` on, with a space between them. */
void cli_add_words(const struct command_line *line, int first, struct strbuf *b);
