/*
 * Connections, and until when each has to have got on: libmicrohttpd's own limit is one of silence,
 * so a client that sends a byte now and then would keep a connection for days. One that is late is
 * shut down; the library then closes it. Of IPv6 it counts connections by their network of 64 bits,
 * where the library counts addresses.
 *
 * Any thread.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct http_place {  /* where a connection comes from */
	char key[9]; /* a letter, and what tells one customer of a provider from another */
	size_t len;
	char text[52]; /* for people */
};
/* Of IPv6 the network of 64 bits: who has one address of it has all. NULL: local. */
void http_place_of(const struct sockaddr *a, struct http_place *ret);

struct http_watch;
struct http_watched;

/* `per_place`: connections from one place; 0: any number. */
struct http_watch *http_watch_new(unsigned per_place);
struct http_watch *http_watch_free(struct http_watch *w); /* when all were removed */

/* One that is too many is shut down, and removed as any other. */
struct http_watched *http_watch_add(struct http_watch *w, int fd, const struct sockaddr *from,
				    int64_t within_s);
/* Counted from now; 0: without end. */
void http_watch_within(struct http_watch *w, struct http_watched *c, int64_t within_s);
void http_watch_remove(struct http_watch *w, struct http_watched *c); /* before its fd is closed */
