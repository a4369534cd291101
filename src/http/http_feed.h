/*
 * The feed of applied changes: a ring buffer into which any thread puts lines, and any number of
 * readers with a place of their own. A reader that finds nothing is parked; a thread of the feed
 * wakes parked readers when something came, and now and then for a heartbeat. That thread does
 * the waking so that who publishes does no more than to store a line.
 *
 * One mutex guards ring and readers. It is taken with no other lock held, and `park` and `wake` are
 * called with it: they may take locks of the HTTP library, which never calls back under them.
 */
#pragma once

#include "base/strbuf.h"

#define HTTP_HEARTBEAT_MS 10000

struct http_feed;
struct http_reader;

/* `kept` lines; a heartbeat after `heartbeat_ms` without a line. */
struct http_feed *http_feed_new(size_t kept, int64_t heartbeat_ms);
struct http_feed *http_feed_free(struct http_feed *f); /* no reader may be left */

void http_feed_publish(struct http_feed *f, const char *line, size_t len);

/* Wakes all readers for good: from now on they read the end. */
void http_feed_end(struct http_feed *f);

/*
 * A reader that starts behind the newest change; NULL when there are HTTP_READERS_MAX of them
 * already or the feed has ended. `park` is called by http_reader_read() when there is nothing,
 * `wake` from the feed's thread when there may be something again.
 */
struct http_reader *http_reader_new(struct http_feed *f, void (*park)(void *arg),
				    void (*wake)(void *arg), void *arg);
struct http_reader *http_reader_free(struct http_reader *r);
unsigned http_feed_readers(struct http_feed *f);

/* Up to `size` bytes of lines; 0: nothing now, and `park` was called; -1: the feed has ended. */
ptrdiff_t http_reader_read(struct http_reader *r, char *buf, size_t size);
