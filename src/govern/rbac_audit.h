/*
 * The outside witness: the file of MariaDB's plugin server_audit, which sees what people do by SQL,
 * whatever they came with. It is followed into table rbac_audit, texts of statements without their
 * literals (rbac_line.h), and it is scrubbed when a person is erased. Statements that only steer a
 * connection (COMMIT, SET NAMES) are left out.
 *
 * The server renames a full file "server_audit.log" to ".1", that to ".2", and so on. Where the
 * follower is, file and byte, stands in rbac_audit_position and moves in the transaction that
 * writes the rows: nothing is taken twice, and nothing is lost while the renamed files are there.
 * What was gone before it was taken is a row of its own, "GAP"; what cannot be read, or is dated
 * outside of its file, "UNREADABLE".
 *
 * Scrubbing overwrites lines in their place, in files the server still writes too: a file stays the
 * file it was, for server and follower, and the bytes do not live on in free blocks of the disk.
 * What is left of such a line is its time, and asterisks.
 *
 * What the account that follows does is left out, by the plugin (its file would grow each second)
 * and here. Scrubbing sends no text to the server, for the plugin would write it down again.
 */
#pragma once

#include "base/config.h"
#include "govern/erase_match.h"
#include "store/maria.h"

extern const struct config_option audit_options[]; /* section "audit" */

#define RBAC_FILE "server_audit.log"

struct rbac_follow {
	const char *dir; /* where the files are */
	/* The role that an account has by the rules; NULL: none. The file does not tell it. */
	const char *(*role_of)(void *arg, const char *user);
	bool (*goes_on)(void *arg); /* asked between pieces of a mebibyte; NULL: it does */
	void *arg;
};

/* Takes all that stands in the files now, or pieces of it until it is not to go on. `ret_rows`
 * counts also what could not be read. */
int rbac_audit_follow(struct maria *m, const struct rbac_follow *f, uint64_t *ret_rows,
		      struct err *err) _must_check_;

/* Each of the plugin's variables, in lower case, and its value; none: it is not there. */
typedef void (*rbac_variable_fn)(void *arg, const char *name, const char *value);
int rbac_audit_variables(struct maria *m, rbac_variable_fn fn, void *arg, struct err *err)
    _must_check_;

struct rbac_scrub_question {
	const char *dir; /* where the files are; NULL: none of ours */
	/* Texts that are looked for in each line, and in each row. */
	struct erase_match *match;
	const char *actor, *subject; /* for the audit; subject NULL: nobody's */
};

/*
 * Overwrites the lines that hold a text, and what rbac_audit holds of such rows, and appends an
 * event "rbac.scrub" with their number to the audit. Texts are found as erase_match.h says, through
 * the escapes of the plugin and of SQL, in hexadecimal, and a name where each part stands alone.
 * What is not yet taken into rbac_audit is not waited for: follow first. Repeatable.
 */
int rbac_audit_scrub(struct maria *m, const struct rbac_scrub_question *q, uint64_t *ret_lines,
		     uint64_t *ret_rows, struct err *err) _must_check_;

/* How many lines and rows still hold a text. */
int rbac_audit_scan(struct maria *m, const struct rbac_scrub_question *q, uint64_t *ret_found,
		    struct err *err) _must_check_;

/* Appends the rights that the account which follows needs beside SELECT. */
void rbac_audit_add_grant(struct strbuf *b, const char *database, const char *user);
