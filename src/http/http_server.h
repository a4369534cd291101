/*
 * The HTTP API of a running `aethermart serve`: health, metrics, live state, the feed of applied
 * changes. No rule of the business is here: what is answered comes from callbacks.
 *
 * Paths, rights, parameters and answers stand in the table of routes (http_routes.c), from which
 * /v1/openapi.json is made. HEAD is answered wherever GET is.
 *
 * Two doors lead to it: TCP (http.listen, http.port; TLS with http.tls_cert) and the Unix socket,
 * mode 0600. Through the socket no token is asked for: the file's mode is the guard. Over TCP a
 * token goes into `Authorization: Bearer TOKEN`: that of the folder, <dir>/http.token (0600, made
 * when missing), which may all, or one that the callback find_token() knows, which has the rights
 * that it tells (http_door.h). Without a token a visitor has those of `visitor`.
 *
 * Errors are problems as RFC 9457 has them (http_answer.h), with 400, 401, 403, 404, 405, 413, 429
 * or the status of the error's class (base/err.h). What the HTTP library refuses itself, before
 * there is a request (431, 414, what is no HTTP), it answers as HTML.
 *
 * The feed: each line is an object that was published, or {"missed":N} for a reader that was too
 * slow for the ring buffer, or {"heartbeat":true} after ten seconds without a change.
 *
 * Threads: start and stop from one thread; http_server_publish_change() from any. Callbacks run on
 * the server's two threads, must not block for long and must be safe beside the rest of the
 * program until http_server_stop() has returned. index_query(), index_inventory() and search() may
 * take their time, on threads of their own (http_work.h).
 */
#pragma once

#include "base/config.h"
#include "http/http_door.h"
#include "http/http_parameters.h"

#define HTTP_TOKEN_NAME	 "http.token"
#define HTTP_PORT_NAME	 "http.port"

#define HTTP_CHANGE_MAX	 16384	   /* bytes of one published change */
#define HTTP_STATUS_MAX	 (1 << 20) /* bytes of what a callback writes */
#define HTTP_READERS_MAX 64	   /* readers of the feed at a time */

extern const struct config_option http_options[]; /* section "http" */

/* Of a request, checked; texts are valid UTF-8 and live as long as the call. */
struct http_index_query {
	const char *collection, *text;
	int64_t k, from;
	struct http_texts keys;		/* in hexadecimal */
	const struct http_guest *guest; /* set by the server, no parameter */
};

enum http_search_kind {
	HTTP_SEARCH, /* q, in, filters, sort, mode, fusion, limit, offset, facets, without, flags */
	HTTP_SUGGEST,	/* q, limit */
	HTTP_SIMILAR,	/* id, in, limit */
	HTTP_RECOMMEND, /* customer or product, before, limit */
	HTTP_PRODUCT,	/* id */
};

/*
 * A request to the search, checked against the table of routes; a field that does not belong to the
 * kind is zero. Texts are valid UTF-8 without NUL and live as long as the call.
 */
struct http_search {
	enum http_search_kind kind;
	const char *id;		   /* of the path: a document's key */
	const char *q;		   /* may be "" for HTTP_SEARCH only */
	const char *in;		   /* "products", "services", "reviews", "customers" */
	struct http_texts filters; /* as written: "price<100" */
	struct http_texts facets;  /* names of attributes */
	const char *sort;	   /* as written: "-price"; NULL: not given */
	const char *mode;	   /* "lexical", "vector", "hybrid"; NULL: not given */
	const char *fusion;	   /* "sum", "rrf"; NULL: not given */
	int64_t limit, offset;
	struct http_integers without; /* constraints that are given up, by place: 0..15 */
	bool explains;
	bool is_literal;		/* nothing is understood, all of `q` is words */
	bool collapses;			/* things whose titles say the same are one hit */
	const char *customer, *product; /* keys; one of them is NULL */
	const struct http_guest *guest; /* set by the server, no parameter */
	int64_t before;			/* orders from this number on do not count; 0: all do */
	/* Where a callback that returns ERR_INVALID_ARGUMENT may put the name of the parameter
	 * which that is about, as in the table: "filter". A literal. */
	const char **wrong;
};

struct http_order {
	struct str body;
	const char *key;   /* the header "Idempotency-Key" */
	uint64_t customer; /* whose it has to be; 0: anybody's */
	const struct http_guest *guest;
};

struct http_server_options {
	const char *dir;	 /* stack.dir: token, remembered port; made when absent */
	const char *socket_path; /* of the Unix socket, in that folder or in one that is there */
	const char *listen; /* numeric address or "localhost"; NULL or "": the Unix socket only */
	uint16_t port;	    /* 0: the remembered one if it is free, else any that is */
	bool is_metrics_open;
	bool is_plaintext_allowed;	/* on another address than loopback, without TLS */
	const char *tls_cert, *tls_key; /* PEM files; NULL: no TLS */
	struct token_rate rate, visitor_rate;
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
	int (*index_forget)(void *arg, struct err *err);
	int (*index_query)(void *arg, const struct http_index_query *q, struct strbuf *json,
			   struct err *err);
	int (*index_inventory)(void *arg, const struct http_index_query *q, struct strbuf *json,
			       struct err *err);
	/* One JSON object; NULL: this worker keeps no index, and the paths of the search say so. */
	int (*search)(void *arg, const struct http_search *q, struct strbuf *json, struct err *err);
	/* One JSON object for an order that was placed, by anybody (customer 0) or for this
	 * customer only; NULL: this worker takes none. */
	int (*place_order)(void *arg, const struct http_order *order, struct strbuf *json,
			   struct err *err);
	http_find_token_fn find_token;
	http_tell_tries_fn tell_tries;
	const struct http_guest *visitor;   /* what requests without a token may; NULL: nothing */
	void (*refresh_metrics)(void *arg); /* before each /metrics: sets gauges; may be NULL */
	void *arg;
};

/* Fills all but `dir`, `socket_path` and the callbacks from section "http". */
int http_server_options_read(const struct config *config, struct http_server_options *ret,
			     struct err *err) _must_check_;

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
