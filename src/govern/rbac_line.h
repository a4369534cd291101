/*
 * A line of the file of server_audit, and what of a statement's text may be kept.
 *
 * TIME,SERVER,USER,HOST,CONNECTION,QUERY,OPERATION,DATABASE,OBJECT,CODE
 *
 * A statement stands in quotes, with escapes; its end may be cut off at 1,024 bytes. Names are not
 * quoted: they may hold commas, and a user name of a refused login line breaks (the plugin escapes
 * none), so that whoever reaches the server's port can write lines that look genuine. A line that
 * does not fit is not guessed at.
 *
 * Pure functions; any bytes are fine.
 */
#pragma once

#include "base/strbuf.h"

#define RBAC_TIME_BYTES 17 /* "20261127 16:30:27" */

struct rbac_line {
	char happened_at[20]; /* "2026-11-27 16:30:27" */
	struct str user, host, action, database, object;
	uint64_t connection, query;
	struct str statement; /* as it stands there, escaped; data NULL: not a statement */
	bool has_code;	      /* of tables there is none */
	int64_t code;	      /* of the server's error; 0: done */
};

/* Slices of `line`, which has no line break at its end. False: it is none. */
bool rbac_line_parse(struct str line, struct rbac_line *ret);

/* What scrubbing leaves of a line: its time and asterisks. */
bool rbac_line_is_scrubbed(struct str line);

/* "done", "denied", "failed 1064"; "" where the file does not tell. At least 24 bytes. */
void rbac_line_outcome(const struct rbac_line *l, char *ret, size_t size);

/*
 * The statement without what somebody typed as a value: words, plain names in backquotes and marks
 * stay, texts, numbers and other names become "?", comments go. It ends with the first thing that
 * is not surely understood in every SQL mode and character set, or that may be followed by a
 * password; false then: there is more. Of a statement that failed, except for want of rights, its
 * first word stays: its words need not be names of anything.
 */
bool rbac_line_statement(const struct rbac_line *l, struct strbuf *b);
/* The same of a plain text. */
bool rbac_statement_without_literals(struct str sql, struct strbuf *b);

/*
 * Of such a text: whether it only steers its connection, as BEGIN, COMMIT, SET NAMES or one user
 * variable do, which stand around each statement. Not what changes what others see, who somebody is
 * or what is logged (SET GLOBAL, PASSWORD, ROLE, sql_log_bin), nor what may read rows.
 */
bool rbac_statement_is_noise(struct str text);
