/*
 * The HTTP API of a running `aethermart serve`: health, metrics, live state, the feed of applied
 * changes. No rule of the business is here: what is answered comes from callbacks.
 *
 *	method path         token  answer
 *	GET    /healthz     no     200 while the process lives
 *	GET    /readyz      no     200 when is_ready() says so, else 503
 *	GET    /metrics     yes    Prometheus text 0.0.4 (no token with http.metrics_open)
 *	GET    /v1/status   yes    a JSON object, made by the callback
 *	GET    /v1/changes  yes    one JSON object a line, without end, for each applied change
 *	GET    /v1/index/status             yes  a JSON object, made by the callback
 *	POST   /v1/index/rebuild            yes  202; ?collection=NAME for one of them
 *	GET    /v1/index/query              yes  ?collection=NAME&text=WORDS&k=10
 *
 * Two doors lead to it: TCP (http.listen, http.port) and the Unix socket, mode
 * 0600. Through the socket no token is asked for: the file's mode is the guard. The token is in
 * <dir>/http.token (0600, made when missing) and goes into `Authorization: Bearer TOKEN`.
 *
 * Errors are JSON: {"error":{"code":"NOT_FOUND","message":"…"}} with 401, 404, 405, 413 or the
 * status of the error's class (base/err.h), and with a "hint" where there is one.
 *
 * The feed: each line is an object that was published, or {"missed":N} for a reader that was too
 * slow for the ring buffer, or {"heartbeat":true} after ten seconds without a change.
 *
 * Threads: start and stop from one thread; http_server_publish_change() from any. Callbacks run on
 * the server's two threads, must not block for long and must be safe beside the rest of the
 * program until http_server_stop() has returned. index_query() may take its time: it runs on
 * threads of its own (http_work.h).
 */
#pragma once

#include "base/config.h"

#define HTTP_TOKEN_NAME	 "http.token"
#define HTTP_PORT_NAME	 "http.port"

#define HTTP_CHANGE_MAX	 16384	 /* bytes of one published change */
#define HTTP_STATUS_MAX	 1 << 20 /* bytes of what the status callback writes */
#define HTTP_READERS_MAX 64	 /* readers of the feed at a time */

extern const struct config_option http_options[]; /* section "http" */

struct http_index_query { /* of a request; what it does not name is NULL */
	const char *collection, *text;
	size_t k;
};

struct http_server_options {
	const char *dir;	 /* stack.dir: token, remembered port; made when absent */
	const char *socket_path; /* of the Unix socket, in that folder or in one that is there */
	const char *listen; /* numeric address or "localhost"; NULL or "": the Unix socket only */
	uint16_t port;	    /* 0: the remembered one if it is free, else any that is */
	bool is_metrics_open;
	size_t header_max, body_max;
	unsigned connections_max, connections_per_address;
	unsigned timeout_s;    /* without a byte, either way */
	unsigned changes_kept; /* size of the ring buffer */
	bool stands_by; /* while another server runs in the folder: wait, open when it is gone */

	bool (*is_ready)(void *arg);			/* NULL: always */
	void (*status)(void *arg, struct strbuf *json); /* NULL: {} */
	/* Of the index by meaning; NULL: there is none, and its paths say so. */
	void (*index_status)(void *arg, struct strbuf *json);
	int (*index_rebuild)(void *arg, const char *collection, struct err *err);
	int (*index_query)(void *arg, const struct http_index_query *q, struct strbuf *json,
			   struct err *err);
	void (*refresh_metrics)(void *arg); /* before each /metrics: sets gauges; may be NULL */
	void *arg;
};

/* Fills all but `dir`, `socket_path` and the callbacks from section "http". */
void http_server_options_read(const struct config *config, struct http_server_options *ret);

struct http_server;

/*
 * Listens and answers from now on. ERR_CONFLICT: the port is taken, or another server runs in
 * the folder. ERR_PERMISSION: the token's file may be read by others. ERR_CORRUPTED: it holds no
 * token. ERR_INVALID_ARGUMENT: no such address, or a path too long for a socket.
 *
 * With `stands_by`, a folder in which another server runs is no error: the start succeeds, nothing
 * listens, and within a second after the other one's process has ended the doors open. What goes
 * wrong then is logged.
 */
int http_server_start(const struct http_server_options *options, struct http_server **ret,
		      struct err *err) _must_check_;

/* Ends the feeds, finishes what is being answered, removes the socket. Returns NULL. */
struct http_server *http_server_stop(struct http_server *s);
DEFINE_CLEANUP(struct http_server *, http_server_stop)

uint16_t http_server_port(const struct http_server *s); /* 0: no TCP */
unsigned http_server_readers(struct http_server *s);	/* of the feed, now */

/*
 * Appends a change (a JSON object in one line, without the newline) to the feed. Never waits for a
 * reader: the oldest change is dropped when the ring is full. One longer than HTTP_CHANGE_MAX is
 * left out and counts as missed.
 */
void http_server_publish_change(struct http_server *s, const char *json);
