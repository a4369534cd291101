/*
 * Answers that take a while: a few threads of the server's own make them while the connection is
 * suspended, so that the threads that talk to clients never wait. Bounded: when all threads are
 * busy and as many requests wait as may, the next one is refused.
 *
 * Any thread may make and start works. The work belongs to its request, which lives until
 * http_work_free().
 */
#pragma once

#include "base/strbuf.h"

#define HTTP_WORK_THREADS 2
#define HTTP_WORK_WAITING 64

struct http_pool;
struct http_work;

typedef int (*http_work_fn)(void *arg, void *question, struct strbuf *answer, struct err *err);

struct http_pool *http_pool_new(void);
/* What waits fails with ERR_INTERRUPTED, what is being made is waited for. No connection is
 * suspended afterwards. */
void http_pool_stop(struct http_pool *p);
struct http_pool *http_pool_free(struct http_pool *p); /* stopped, and all works freed */

struct http_work_call {
	http_work_fn run; /* on a thread of the pool */
	void *arg;
	void *question; /* the caller's, until http_work_free() */
	size_t answer_max;
	void (*wake)(void *arg); /* the answer is there; nothing of the work is used behind it */
	void *wake_arg;
};
/* NULL when too many wait. */
struct http_work *http_work_new(struct http_pool *p, const struct http_work_call *call);
/* Once. `wake` may be called before this returns. */
void http_work_start(struct http_pool *p, struct http_work *w);
/* After `wake`: 0 and the answer, to be taken out of the buffer; or its error. */
int http_work_result(struct http_work *w, struct strbuf **ret, const struct err **ret_err);
struct http_work *http_work_free(struct http_work *w);
