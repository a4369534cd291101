/*
 * A small blocking client for verbs that need a running `aethermart serve`: it talks to its Unix
 * socket, so it needs no token. Any thread; nothing is shared between calls.
 *
 * Errors: ERR_UNAVAILABLE with a hint when no server listens there; ERR_PERMISSION when the socket
 * belongs to somebody else; ERR_TIMEOUT when it does not answer; for an answer that is no success,
 * the class and the message that the server sent.
 */
#pragma once

#include "base/strbuf.h"

/* GET, and POST without a body: appends the answer. */
int http_client_get(const char *socket_path, const char *path, struct strbuf *body, struct err *err)
    _must_check_;
int http_client_post(const char *socket_path, const char *path, struct strbuf *body,
		     struct err *err) _must_check_;
/* Appends a value for a path's query, escaped. */
void http_client_add_escaped(struct strbuf *path, const char *value);

/*
 * GET of a stream of lines, for each of which `line` is called (without the newline,
 * NUL-terminated, valid during the call). It returns 0 to go on, 1 to end the call with 0, or a
 * negative class, which the call returns with `err` as `line` left it. Returns 0 too when the
 * server ends the stream.
 */
typedef int (*http_client_line_fn)(void *arg, struct str line, struct err *err);
int http_client_stream(const char *socket_path, const char *path, http_client_line_fn line,
		       void *arg, struct err *err) _must_check_;
