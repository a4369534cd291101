/* Connections that do not get on: see http_watch.h. */
#include "http/http_watch.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include "base/banned.h"

#define LOOK_US 250000

struct http_watched {
	struct http_watched *next, *previous;
	int fd;
	struct http_place from;
	int64_t until_us;
};

struct http_watch {
	unsigned per_place;
	struct metric *cut;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t stopping;
	bool stops;
	struct http_watched *first;
};

void http_place_of(const struct sockaddr *a, struct http_place *ret)
{
	struct in6_addr v6;

	*ret = (struct http_place){.key = "a", .len = 1, .text = "local"};
	if (a && a->sa_family == AF_INET) {
		const struct in_addr *v4 = &((const struct sockaddr_in *)(const void *)a)->sin_addr;

		memcpy(ret->key + 1, v4, sizeof(*v4));
		ret->len += sizeof(*v4);
		(void)inet_ntop(AF_INET, v4, ret->text, sizeof(ret->text));
	} else if (a && a->sa_family == AF_INET6) {
		v6 = ((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(&v6)) {
			memcpy(ret->key + 1, &v6.s6_addr[12], 4);
			ret->len += 4;
			(void)inet_ntop(AF_INET, &v6.s6_addr[12], ret->text, sizeof(ret->text));
			return;
		}
		memset(&v6.s6_addr[8], 0, 8);
		memcpy(ret->key + 1, v6.s6_addr, 8);
		ret->len += 8;
		(void)inet_ntop(AF_INET6, &v6, ret->text, INET6_ADDRSTRLEN);
		memcpy(ret->text + strlen(ret->text), "/64", 4);
	}
}

static int64_t deadline(int64_t within_s)
{
	return within_s ? clock_monotonic_us() + within_s * 1000000 : INT64_MAX;
}

/* Mutex held. The number of its file is its own until it is removed. */
static void cut(struct http_watch *w, struct http_watched *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
	c->until_us = INT64_MAX;
	metric_add(w->cut, 1);
}

static void *watch(void *arg)
{
	struct http_watch *w = arg;

	pthread_mutex_lock(&w->mutex);
	while (!w->stops) {
		int64_t now = clock_monotonic_us();

		for (struct http_watched *c = w->first; c; c = c->next)
			if (c->until_us <= now)
				cut(w, c);
		(void)clock_cond_wait(&w->stopping, &w->mutex, now + LOOK_US);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

struct http_watch *http_watch_new(unsigned per_place)
{
	struct http_watch *w = MEM_NEW(struct http_watch);

	w->per_place = per_place;
	w->cut = metric_series(METRIC_COUNTER, "aethermart_http_connections_cut_total",
			       "Connections that were too slow, or too many from one place.", NULL,
			       NULL);
	bug_if(pthread_mutex_init(&w->mutex, NULL) != 0);
	clock_cond_init(&w->stopping);
	bug_if(pthread_create(&w->thread, NULL, watch, w) != 0);
	return w;
}

struct http_watch *http_watch_free(struct http_watch *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->mutex);
	w->stops = true;
	pthread_cond_signal(&w->stopping);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	bug_if(w->first);
	pthread_cond_destroy(&w->stopping);
	pthread_mutex_destroy(&w->mutex);
	mem_free(w);
	return NULL;
}

struct http_watched *http_watch_add(struct http_watch *w, int fd, const struct sockaddr *from,
				    int64_t within_s)
{
	struct http_watched *c = MEM_NEW(struct http_watched);
	unsigned n = 0;

	c->fd = fd;
	http_place_of(from, &c->from);
	c->until_us = deadline(within_s);
	pthread_mutex_lock(&w->mutex);
	for (const struct http_watched *o = w->first; o && w->per_place; o = o->next)
		n += o->from.len == c->from.len &&
		     memcmp(o->from.key, c->from.key, c->from.len) == 0;
	c->next = w->first;
	if (c->next)
		c->next->previous = c;
	w->first = c;
	if (w->per_place && n >= w->per_place)
		cut(w, c);
	pthread_mutex_unlock(&w->mutex);
	return c;
}

void http_watch_within(struct http_watch *w, struct http_watched *c, int64_t within_s)
{
	pthread_mutex_lock(&w->mutex);
	c->until_us = deadline(within_s);
	pthread_mutex_unlock(&w->mutex);
}

void http_watch_remove(struct http_watch *w, struct http_watched *c)
{
	pthread_mutex_lock(&w->mutex);
	if (c->previous)
		c->previous->next = c->next;
	else
		w->first = c->next;
	if (c->next)
		c->next->previous = c->previous;
	pthread_mutex_unlock(&w->mutex);
	mem_free(c);
}
