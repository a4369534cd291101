/*
 * The verbs of the command line and what they share. A verb is a `const struct command` (see
 * base/command.h); it reads its options, calls a module and prints the answer. It holds no rule of
 * the business.
 *
 * Output: results go to stdout, everything else to stderr. With --json the result is JSON on stdout
 * and nothing else is written there. An error is never printed by a verb: it returns it, and main()
 * prints it on stderr, as text or (--json) as one line
 * {"error":{"code":"NOT_FOUND","message":"…","hint":"…","exit_status":3}}. The exit status is
 * err_exit_status() of the error; 0 means done and true.
 *
 * One thread: verbs run on the main thread. SIGPIPE is ignored in this process; a verb that prints
 * without end calls cli_flush() after each piece, which tells when the reader is gone, and one that
 * starts a child resets the signal before exec.
 */
#pragma once

#include "base/command.h"
#include "base/mem.h"
#include "cluster/endpoint.h"
#include "mapping/mapping.h"

#include <jansson.h>

/* The tree, and the tables of all options; both in cli_root.c. */
extern const struct command cli_root_command;
extern const struct config_option *const cli_config_tables[];

/* Verbs, sorted. */
extern const struct command command_access;
extern const struct command command_audit;
extern const struct command command_config;
extern const struct command command_connection;
extern const struct command command_dictionary;
extern const struct command command_doc;
extern const struct command command_doctor;
extern const struct command command_down;
extern const struct command command_embed;
extern const struct command command_eval;
extern const struct command command_generate;
extern const struct command command_help;
extern const struct command command_index;
extern const struct command command_lineage;
extern const struct command command_load;
extern const struct command command_logs;
extern const struct command command_mapping;
extern const struct command command_migrate;
extern const struct command command_order;
extern const struct command command_privacy;
extern const struct command command_quality;
extern const struct command command_recommend;
extern const struct command command_report;
extern const struct command command_warehouse;
extern const struct command command_reset;
extern const struct command command_retention;
extern const struct command command_schema;
extern const struct command command_search;
extern const struct command command_serve;
extern const struct command command_shell;
extern const struct command command_similar;
extern const struct command command_status;
extern const struct command command_suggest;
extern const struct command command_sync;
extern const struct command command_token;
extern const struct command command_tune;
extern const struct command command_up;
extern const struct command command_vector;
extern const struct command command_verify;
extern const struct command command_version;
extern const struct command command_watch;

/* Parts of `sync` (cli_dead_letter.c). */
extern const struct command command_consumer;
extern const struct command command_dead_letter;

/* Parts of `privacy` (cli_erase.c). */
extern const struct command command_privacy_certificate;
extern const struct command command_privacy_erase;
extern const struct command command_privacy_erasures;
extern const struct command command_privacy_hold;
extern const struct command command_privacy_release;

/* Part of `vector` (cli_vector_bench.c). */
extern const struct command command_vector_bench;

/* Part of `embed` (cli_embed_bench.c). */
extern const struct command command_embed_bench;

/* Options of this folder. */
extern const struct config_option log_options[];   /* section "log" */
extern const struct config_option share_options[]; /* section "share" */

/* --- output ---------------------------------------------------------------------------------- */

/*
 * Prints a value, which it takes, and flushes: indented, keys in order of insertion. ERR_INTERNAL
 * for NULL, which is what packing a text that is not UTF-8 makes; else as cli_flush().
 */
int cli_print_json(json_t *steal, struct err *err) _must_check_;
/* The same in one line: for streams. */
int cli_print_json_line(json_t *steal, struct err *err) _must_check_;
/* Text from data, a server or a path, which may be anything: bytes that are no UTF-8 become U+FFFD.
 * null without data. For json_pack's "o"; its "s" would make nothing of the whole entry. */
json_t *cli_json_text(struct str text);
/*
 * A line of `lead` and `text`, on stdout; on a terminal wrapped to its width, with what follows
 * below the beginning of `text`. To files and other programs it is one line.
 */
void cli_print_line(const char *lead, const char *text);
/* A paragraph and a line's end: on a terminal broken between words at its width, further lines with
 * `indent` blanks before them; elsewhere in one line. */
void cli_print_wrapped(int indent, const char *fmt, ...) _printf_(2, 3);
/* Flushes stdout. ERR_IO with the reason: the disk is full, the reader gone. */
int cli_flush(struct err *err) _must_check_;

/* --- questions ------------------------------------------------------------------------------- */

/* Goes into the option table of a verb that asks. */
#define CLI_OPTION_YES                                                                     \
	{                                                                                  \
		.name = "yes", .type = COMMAND_FLAG, .help = "do it without asking first", \
	}

/* True with --yes, which the verb must know, or when a person at a terminal answers yes. Asks on
 * stderr; false without one. */
bool cli_confirm(const struct command_line *line, const char *question);
/* The same for a verb that has nothing else to say: ERR_INTERRUPTED, "nothing was done". */
int cli_ask(const struct command_line *line, const char *question, struct err *err) _must_check_;
/* A person has to type `word` (the name of a database). --yes does not stand for it. */
bool cli_confirm_word(const char *question, const char *word);

/* For verbs that delete what is old, and the day, which has to be one; asked before the question.
 */
#define CLI_OPTION_BEFORE                                                  \
	{                                                                  \
		.name = "before", .type = COMMAND_TEXT, .argument = "DAY", \
		.help = "what is older goes: 2026-01-01, UTC"              \
	}
int cli_day_before(const struct command_line *line, const char **ret, struct err *err) _must_check_;

/* For verbs that list events. */
#define CLI_OPTION_NEWEST(count)                                                          \
	{                                                                                 \
		.name = "limit", .type = COMMAND_NUMBER, .argument = "N", .min = 1,       \
		.max = 1000000, .fallback = (count), .help = "how many, the newest first" \
	}

/* When a command has appended to the audit: audit.head moves to its end (cli_audit_head.c). */
void cli_audit_keep(const struct command_line *line);

/* --- connections (cli_open.c) ---------------------------------------------------------------- */

/* Database selected. */
int cli_open_maria(const struct command_line *line, enum endpoint_role role, struct maria **ret,
		   struct err *err) _must_check_;
int cli_open_mongo(const struct command_line *line, enum endpoint_role role, struct mongo **ret,
		   struct err *err) _must_check_;

/* The shop: its schema, and the mappings bound to it. `db` may be open already. */
struct schema;
struct cli_shop {
	struct maria *db;
	struct schema *schema;
	struct mapping_set mappings;
};
int cli_shop_open(const struct command_line *line, enum endpoint_role role, struct cli_shop *ret,
		  struct err *err) _must_check_;
void cli_shop_close(struct cli_shop *s); /* also after an error of cli_shop_open() */

/* All mappings, bound to the schema that `db` has. The caller releases with mapping_set_done(). */
int cli_load_mappings(const struct command_line *line, struct maria *db, struct mapping_set *ret,
		      struct err *err) _must_check_;

/* Goes into the option table of a verb that can be about one collection. */
#define CLI_OPTION_COLLECTION                                                   \
	{                                                                       \
		.name = "collection", .type = COMMAND_TEXT, .argument = "NAME", \
		.help = "only this collection"                                  \
	}

/* The mapping of --collection; NULL without the option. ERR_NOT_FOUND, with the nearest name. */
int cli_find_collection(const struct command_line *line, const struct mapping_set *set,
			const struct mapping **ret, struct err *err) _must_check_;

/* The collection that somebody who wrote `name` may have meant; NULL: none. Lives as `set`. */
const char *cli_nearest_collection(const struct mapping_set *set, const char *name);

/* Where the mappings are: mapping.dir, or those of the installation. Lives as long as the arena. */
const char *cli_mapping_dir(const struct command_line *line, struct arena *arena);

/* --- the sync engine in this process (cli_serve.c) ------------------------------------------ */

struct cli_engine {
	struct arena arena;
	struct maria_options maria;
	struct mongo_options mongo;
	struct sync_engine *engine;
};
struct sync_engine_options;
/* `extra` holds callbacks and flags; the rest comes from the configuration. */
int cli_open_engine(const struct command_line *line, const struct sync_engine_options *extra,
		    struct cli_engine *ret, struct err *err) _must_check_;
void cli_close_engine(struct cli_engine *e); /* also after an error of cli_open_engine() */
/* SIGTERM and SIGINT finish what is in hand. */
void cli_stop_on_signals(struct sync_engine *engine);

/* --- pieces that tests and documents use ------------------------------------------------------ */

/* docs/configuration.md: every option of the tables, as Markdown. */
void cli_config_docs(const struct config *config, struct strbuf *b);
/* The error as main() prints it. */
void cli_format_error(const struct err *err, bool json, struct strbuf *b);
/* To stderr; on a terminal its lines are broken as cli_print_wrapped() does. */
void cli_print_error(const struct err *err, bool json);
