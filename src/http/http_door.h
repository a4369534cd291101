/*
 * Who asks: tokens, visitors, limits, and what becomes of tokens that are none.
 *
 * A token is looked up by a callback (a database answers it), on threads of the door's own while
 * the connection is suspended, and its answer counts for a second: so a revoked token opens nothing
 * a second later, and a database that is away is a 503 and never a yes. What was found is kept in a
 * bounded table.
 *
 * A token that is none is answered late, the later the more of them came from the address, and told
 * to another callback, once a second and address with how many they were. Late answers wait in a
 * bounded list, their connections suspended; when it is full, or has eight of the address, they are
 * refused at once. While the database is away one lookup at a time finds out whether it still is.
 *
 * Any thread.
 */
#pragma once

#include "govern/access.h"
#include "http/http_meter.h"
#include "http/http_work.h"

#include <sys/socket.h>

#define HTTP_GUEST_NAME_MAX 64
#define HTTP_KNOWN_US	    1000000 /* how long an answer about a token counts */

struct http_guest {
	unsigned rights;    /* bits of enum access_http */
	bool is_operator;   /* the folder's own token, or the Unix socket: may all */
	bool sees_personal; /* by full clearance */
	bool is_visitor;    /* came without a token */
	uint64_t customer;  /* whom it speaks for; 0: nobody */
	char role[TOKEN_ROLE_MAX + 1];
	char name[TOKEN_NAME_MAX + 1]; /* what the token is for */
	struct token_rate rate;	       /* 0: the usual one */
	char id[HTTP_GUEST_NAME_MAX];  /* of the token */
	int64_t left_us;	       /* until it expires */
};

/* ERR_PERMISSION: there is no such token. Other errors: it cannot be known now. */
typedef int (*http_find_token_fn)(void *arg, struct str token, struct http_guest *ret,
				  struct err *err);
typedef int (*http_tell_tries_fn)(void *arg, const char *address, uint64_t tries, struct err *err);

struct http_door_options {
	http_find_token_fn find_token; /* NULL: none but the operator's */
	http_tell_tries_fn tell_tries; /* NULL: nobody is told */
	void *arg;
	struct token_rate rate, visitor_rate;
	unsigned connections; /* of which late answers may hold a quarter */
};

struct http_door;

struct http_door *http_door_new(const struct http_door_options *options);
/* Late answers are given now, and lookups end with ERR_INTERRUPTED: no connection is suspended
 * afterwards. */
void http_door_stop(struct http_door *d);
struct http_door *http_door_free(struct http_door *d); /* stopped, and all works freed */

/* --- tokens ---------------------------------------------------------------------------------- */

enum http_verdict { HTTP_UNKNOWN, HTTP_ADMITTED, HTTP_NO_TOKEN, HTTP_AWAY };

struct http_ticket {
	struct str token;
	enum http_verdict verdict;
	struct http_guest guest; /* when admitted */
};

/* Whether the answer is known; then it is in the ticket. */
bool http_door_knows(struct http_door *d, struct http_ticket *t);
/* Finds it out on a thread of the door; `wake` as in http_work.h. NULL when too many wait. The
 * ticket is filled before `wake`; when it still says HTTP_UNKNOWN, the door stops. */
struct http_work *http_door_ask(struct http_door *d, struct http_ticket *t, void (*wake)(void *arg),
				void *arg) _must_check_;
void http_door_start(struct http_door *d, struct http_work *w);

/* --- limits ---------------------------------------------------------------------------------- */

/* 0, or the seconds that a guest has to wait. `address` is that of the connection. */
unsigned http_door_take(struct http_door *d, const struct http_guest *g,
			const struct sockaddr *address);

/*
 * A token from this address was none. True: the caller suspends the connection and calls
 * http_door_delay() with what it got, which wakes it then. False: too many wait already.
 */
struct http_late {
	size_t slot;
	unsigned ms;
};
bool http_door_fail(struct http_door *d, const struct sockaddr *address, struct http_late *ret);
void http_door_delay(struct http_door *d, const struct http_late *late, void (*wake)(void *arg),
		     void *arg);
