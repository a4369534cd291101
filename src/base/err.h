/*
 * Errors: one table of classes, one value that carries a message up the call chain.
 *
 * A fallible function returns 0 or the negative class (-ERR_NOT_FOUND) and fills the `struct err`
 * that its caller passed as last parameter. The caller adds what only it knows with err_context()
 * and passes the code on. Library code neither logs nor exits.
 *
 * Message: lower case, one line, no final period, names in double quotes, always the reason. What
 * the reader can do about it goes into the hint.
 *
 * `struct err` is plain memory without an owner: declare it `= {0}`, reuse it after err_clear().
 * Messages longer than the buffer are cut at its end with "...".
 */
#pragma once

#include "base/macro.h"

#include <stdbool.h>

/*   name               text                     http exit retry */
#define ERR_TABLE(X)                                              \
	X(INVALID_ARGUMENT, "invalid argument", 400, 2, false)    \
	X(NOT_FOUND, "not found", 404, 3, false)                  \
	X(CONFLICT, "conflict", 409, 4, false)                    \
	X(UNAVAILABLE, "service unavailable", 503, 5, true)       \
	X(CORRUPTED, "data corrupted", 500, 6, false)             \
	X(PERMISSION, "permission denied", 403, 7, false)         \
	X(LIMIT, "limit exceeded", 413, 8, false)                 \
	X(NO_MEMORY, "out of memory", 503, 9, true)               \
	X(TIMEOUT, "timed out", 504, 10, true)                    \
	X(INTERRUPTED, "interrupted", 503, 11, false)             \
	X(FENCED, "superseded by another holder", 409, 12, false) \
	X(UNSUPPORTED, "not supported", 501, 13, false)           \
	X(DIFFERENT, "stores differ", 409, 14, false)             \
	X(IO, "input or output failed", 500, 15, false)           \
	X(RETRY, "repeat the transaction", 503, 16, true)         \
	X(DOCUMENT, "document refused", 422, 17, false)           \
	X(INTERNAL, "internal error", 500, 70, false)

enum err_code {
	ERR_OK = 0,
#define X(name, text, http, exit, retry) ERR_##name,
	ERR_TABLE(X)
#undef X
	    ERR_COUNT
};

#define ERR_MESSAGE_MAX 1024
#define ERR_HINT_MAX	512

struct err {
	enum err_code code;
	int native; /* error number of the store or of errno, 0 when there is none */
	const char *file;
	int line;
	char message[ERR_MESSAGE_MAX];
	char hint[ERR_HINT_MAX];
};

/* Sets code and message; an earlier message and hint go. Returns -code. `err` may be NULL. */
#define err_set(err, code, ...) err_set_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)
int err_set_at(struct err *err, enum err_code code, const char *file, int line, const char *fmt,
	       ...) _printf_(5, 6);

/* Puts "context: " before the message. Returns -code of the error. */
int err_context(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* Sets what the reader can do about it. Returns -code of the error. */
int err_hint(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* Adds "; did you mean "near"?" to the message, nothing when it is NULL (cstr_nearest()). Returns
 * -code of the error. */
int err_near(struct err *err, const char *near);

void err_clear(struct err *err);

/* Properties of a class; `code` may be negative or positive. */
const char *err_name(int code);	 /* "NOT_FOUND" */
const char *err_text(int code);	 /* "not found" */
int err_http_status(int code);	 /* 404 */
int err_exit_status(int code);	 /* 3; 0 for ERR_OK */
bool err_is_retryable(int code); /* the same call may succeed later */

/* A broken invariant of the program itself: prints where, and aborts, in every build. */
#define bug_if(cond)                                       \
	do {                                               \
		if (__builtin_expect(!!(cond), 0))         \
			bug_at(__FILE__, __LINE__, #cond); \
	} while (0)
_noreturn_ void bug_at(const char *file, int line, const char *what);

/* Of two steps that do not wait for each other: keeps the first error, `r` in `err` or `next` in
 * `why`, which is cleared for the next one. */
int err_first(int r, int next, struct err *why, struct err *err);
