/*
 * Tokens of the HTTP API: made, listed, revoked, found.
 *
 * A token is am_ID_SECRET: an open part of 8 letters and digits, by which it is found, listed and
 * revoked, and 43 that nobody can guess. It is told once, when it is made. Table Access_Tokens
 * keeps BLAKE2b (libsodium's generichash, 256 bits) of all of it, so that a row's hash is of no use
 * under another id. No slow hash of passwords: those make up for secrets that can be guessed, and
 * at each request this one would cost a tenth of a second to protect 256 random bits that no
 * dictionary has.
 *
 * Making and revoking are written into the audit, in the same transaction.
 *
 * A keeper has connections of its own and is asked from any thread; all else is one connection, one
 * thread.
 */
#pragma once

#include "base/mem.h"
#include "govern/audit.h"
#include "store/maria_pool.h"

#define TOKEN_ID_LEN   8
#define TOKEN_TEXT_LEN 55 /* am_ID_SECRET */
#define TOKEN_ROLE_MAX 64 /* bytes of a role's name */
#define TOKEN_NAME_MAX 64 /* bytes of what a token is for */

/* Whether a text is written as a token is; then its open part. */
bool token_parse(struct str text, char ret_id[TOKEN_ID_LEN + 1]);

/* What is kept of a token, and compared by sodium_memcmp(). */
#define TOKEN_HASH_SIZE 32
void token_hash(struct str text, unsigned char ret[TOKEN_HASH_SIZE]);

/* "10/s", "600/m", "1000/h": so many requests in so many seconds. */
struct token_rate {
	unsigned count, seconds; /* 0: not said */
};
#define TOKEN_RATE_MAX 1000000
int token_parse_rate(struct str text, struct token_rate *ret, struct err *err) _must_check_;
/* "10/s", "" */
void token_add_rate(struct strbuf *b, const struct token_rate *rate);

struct token_wish { /* texts: NULL is the empty one */
	const char *role, *name, *person, *actor;
	uint64_t customer;  /* 0: speaks for none */
	int64_t lifetime_s; /* 0: for ever */
	struct token_rate rate;
};
/* The token is told here, and nowhere again. */
int token_create(struct maria *m, const struct token_wish *wish, char ret[TOKEN_TEXT_LEN + 1],
		 struct err *err) _must_check_;

struct token_row { /* texts live for the call; times are UTC, "" without one */
	const char *id, *role, *name, *person, *created_at, *created_by, *expires_at, *revoked_at,
	    *last_used_at;
	uint64_t customer;
	struct token_rate rate;
	bool is_expired;
};
typedef int (*token_row_fn)(void *arg, const struct token_row *row, struct err *err);
int token_list(struct maria *m, token_row_fn fn, void *arg, struct err *err) _must_check_;

/* ERR_NOT_FOUND: there is no such token. One that is revoked already stays so, and that is no
 * error. */
int token_revoke(struct maria *m, const char *id, const char *actor, struct err *err) _must_check_;

/* --- for the server --------------------------------------------------------------------------- */

struct token_found {
	char id[TOKEN_ID_LEN + 1];
	char role[TOKEN_ROLE_MAX + 1];
	char name[TOKEN_NAME_MAX + 1];
	uint64_t customer; /* 0: none */
	struct token_rate rate;
	int64_t left_us; /* until it expires */
};

/* Connections for those below, whose clients wait. Texts are borrowed as long as they live. */
struct maria_pool *token_keeper_connections(const struct maria_options *maria);
/* ERR_PERMISSION: there is none, or it is revoked or expired; which of these is not told. Other
 * errors: it cannot be known now. */
int token_keeper_find(struct maria_pool *p, struct str text, struct token_found *ret,
		      struct err *err) _must_check_;
/* Tokens that were none, from one address: an event of the audit. */
int token_keeper_tried(struct maria_pool *p, const char *address, uint64_t tries, struct err *err)
    _must_check_;

enum token_keys { TOKEN_KEYS_NONE, TOKEN_KEYS_CUSTOMERS, TOKEN_KEYS_REVIEWS };
/*
 * What was asked for and is about to be shown, as events of the audit: one for each person whose
 * documents are among those with these keys (a review is its author's), `rows` of each being how
 * many these are; one about nobody, with its own `rows`, when there is none. All or none is
 * written.
 */
int token_keeper_saw(struct maria_pool *p, const struct audit_event *event, enum token_keys kind,
		     const uint64_t *keys, size_t n, struct err *err) _must_check_;
/* Appends the rights that the account of a keeper needs beside reading, as lines of SQL. */
void token_keeper_add_grants(struct strbuf *b, const char *database, const char *user);
