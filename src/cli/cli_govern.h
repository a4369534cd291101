/* What the verbs of governance share: the file of access, bound to the shop's schema. */
#pragma once

#include "cli/cli.h"
#include "govern/access.h"
#include "govern/audit.h"
#include "store/schema.h"

struct cli_govern {
	struct arena arena;
	struct cli_shop shop; /* of the schema's owner */
	struct access *access;
};

/* Where the file is: access.rules, or that of the installation. Lives as long as the arena. */
const char *cli_access_rules(const struct command_line *line, struct arena *arena);
int cli_govern_open(const struct command_line *line, struct cli_govern *ret, struct err *err)
    _must_check_;
void cli_govern_done(struct cli_govern *g); /* also after an error of cli_govern_open() */

/* 32 bytes made of the text of secrets/NAME in the run-time folder, which is made when missing. */
int cli_govern_key(const struct command_line *line, const char *name, unsigned char ret[32],
		   struct err *err) _must_check_;
/* MariaDB with the file, and its key of pseudonyms with secrets/pseudonym, which is not made. */
int cli_access_compare(const struct command_line *line, const struct cli_govern *g,
		       struct access_diff *ret, struct err *err) _must_check_;

/* The pair that signs what the audit and certificates say, made of secrets/audit. Who has used the
 * secret key wipes it. */
int cli_audit_keys(const struct command_line *line, unsigned char ret_public[32],
		   unsigned char ret_secret[64], struct err *err) _must_check_;

/* Where the run-time folder keeps how far the audit was, and the keys of its checkpoints
 * (cli_audit_head.c). */
struct cli_audit_head {
	struct arena arena;
	unsigned char public_key[32], secret_key[64];
	struct audit_witness witness;
};
int cli_audit_head(const struct command_line *line, struct cli_audit_head *ret, struct err *err)
    _must_check_;
void cli_audit_head_done(struct cli_audit_head *h); /* also after an error */
/* Moves it to where the audit ends; a warning says what was wrong. */
void cli_audit_follow(const struct command_line *line, struct maria *db);

/* Writes into the audit what this verb did, by whom, in the shop's database, and moves the head. */
int cli_govern_audit(const struct command_line *line, struct maria *db,
		     const struct audit_event *event, struct err *err) _must_check_;

/* Options of verbs that see or change what is somebody's. */
#define CLI_OPTION_PURPOSE                                                   \
	{                                                                    \
		.name = "purpose", .type = COMMAND_TEXT, .argument = "TEXT", \
		.help = "for what, for the audit",                           \
	}
#define CLI_OPTION_AS                                                                         \
	{                                                                                     \
		.name = "as", .type = COMMAND_TEXT, .argument = "ROLE", .help = "whose eyes", \
	}
