/* The feed of changes: see http_feed.h. */
#include "http/http_feed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "http/http_server.h"

#include <inttypes.h>
#include <pthread.h>

#include "base/banned.h"

#define FETCH_BYTES 32768 /* taken from the ring at a time, at most one line more */

struct slot {
	char *line; /* NULL: too long, left out */
	size_t len;
};

struct http_reader {
	struct http_feed *feed;
	struct http_reader *next; /* guarded by the feed's mutex, as are the next three */
	uint64_t cursor;	  /* number of the next change to read */
	bool is_parked, wants_heartbeat;
	void (*park)(void *arg);
	void (*wake)(void *arg);
	void *arg;
	struct strbuf pending; /* fetched; the reader's own */
	size_t sent;	       /* of `pending` */
};

struct http_feed {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	struct slot *ring;
	size_t cap;
	int64_t heartbeat_ms;
	uint64_t head; /* number of the next change to come */
	struct http_reader *readers;
	unsigned n_readers;
	bool has_news, is_ended;
	struct metric *published, *missed, *readers_now;
};

/* Mutex held. */
static void wake_parked(struct http_feed *f)
{
	for (struct http_reader *r = f->readers; r; r = r->next) {
		if (!r->is_parked)
			continue;
		r->is_parked = false;
		r->wake(r->arg);
	}
}

static void *wake_readers(void *arg)
{
	struct http_feed *f = arg;

	pthread_mutex_lock(&f->mutex);
	while (!f->is_ended) {
		int64_t until = clock_monotonic_us() + f->heartbeat_ms * 1000;
		bool is_silent = false;

		while (!f->has_news && !f->is_ended && !is_silent)
			is_silent = !clock_cond_wait(&f->changed, &f->mutex, until);
		for (struct http_reader *reader = f->readers; reader && is_silent;
		     reader = reader->next)
			reader->wants_heartbeat = true;
		f->has_news = false;
		wake_parked(f);
	}
	pthread_mutex_unlock(&f->mutex);
	return NULL;
}

struct http_feed *http_feed_new(size_t kept, int64_t heartbeat_ms)
{
	struct http_feed *f = MEM_NEW(struct http_feed);

	f->ring = mem_alloc_array(kept, sizeof(*f->ring));
	f->cap = kept;
	f->heartbeat_ms = heartbeat_ms;
	f->published = metric_series(METRIC_COUNTER, "aethermart_http_changes_published_total",
				     "Changes put into the feed.", NULL, NULL);
	f->missed =
	    metric_series(METRIC_COUNTER, "aethermart_http_changes_missed_total",
			  "Changes that readers of the feed were too slow for.", NULL, NULL);
	f->readers_now = metric_series(METRIC_GAUGE, "aethermart_http_feed_readers",
				       "Readers of the feed of changes.", NULL, NULL);
	bug_if(pthread_mutex_init(&f->mutex, NULL) != 0);
	clock_cond_init(&f->changed);
	bug_if(pthread_create(&f->thread, NULL, wake_readers, f) != 0);
	return f;
}

void http_feed_end(struct http_feed *f)
{
	pthread_mutex_lock(&f->mutex);
	f->is_ended = true;
	wake_parked(f);
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->mutex);
}

struct http_feed *http_feed_free(struct http_feed *f)
{
	if (!f)
		return NULL;
	http_feed_end(f);
	pthread_join(f->thread, NULL);
	bug_if(f->readers);
	for (size_t i = 0; i < f->cap; i++)
		mem_free(f->ring[i].line);
	mem_free(f->ring);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->mutex);
	mem_free(f);
	return NULL;
}

void http_feed_publish(struct http_feed *f, const char *line, size_t len)
{
	struct slot fresh = {0}, old, *slot;

	if (len <= HTTP_CHANGE_MAX)
		fresh = (struct slot){mem_dup(line, len), len};
	pthread_mutex_lock(&f->mutex);
	slot = &f->ring[f->head++ % f->cap];
	old = *slot;
	*slot = fresh;
	if (!f->has_news && f->readers) {
		f->has_news = true;
		pthread_cond_signal(&f->changed);
	}
	pthread_mutex_unlock(&f->mutex);
	mem_free(old.line);
	metric_add(f->published, 1);
}

struct http_reader *http_reader_new(struct http_feed *f, void (*park)(void *arg),
				    void (*wake)(void *arg), void *arg)
{
	struct http_reader *r = NULL;

	pthread_mutex_lock(&f->mutex);
	if (!f->is_ended && f->n_readers < HTTP_READERS_MAX) {
		r = MEM_NEW(struct http_reader);
		*r = (struct http_reader){.feed = f,
					  .next = f->readers,
					  .cursor = f->head,
					  .park = park,
					  .wake = wake,
					  .arg = arg,
					  .pending = STRBUF_INIT(0)};
		f->readers = r;
		f->n_readers++;
		metric_set(f->readers_now, (int64_t)f->n_readers);
	}
	pthread_mutex_unlock(&f->mutex);
	return r;
}

struct http_reader *http_reader_free(struct http_reader *r)
{
	struct http_feed *f;
	struct http_reader **p;

	if (!r)
		return NULL;
	f = r->feed;
	pthread_mutex_lock(&f->mutex);
	for (p = &f->readers; *p != r; p = &(*p)->next)
		;
	*p = r->next;
	f->n_readers--;
	metric_set(f->readers_now, (int64_t)f->n_readers);
	pthread_mutex_unlock(&f->mutex);
	strbuf_done(&r->pending);
	mem_free(r);
	return NULL;
}

unsigned http_feed_readers(struct http_feed *f)
{
	unsigned n;

	pthread_mutex_lock(&f->mutex);
	n = f->n_readers;
	pthread_mutex_unlock(&f->mutex);
	return n;
}

/* Mutex held: moves what there is from the ring to `pending`. */
static void fetch(struct http_reader *r)
{
	struct http_feed *f = r->feed;
	uint64_t missed = 0;

	strbuf_clear(&r->pending);
	r->sent = 0;
	if (f->head - r->cursor > f->cap) {
		missed = f->head - r->cursor - f->cap;
		r->cursor += missed;
	}
	while (r->cursor < f->head && r->pending.len < FETCH_BYTES) {
		const struct slot *slot = &f->ring[r->cursor++ % f->cap];

		if (!slot->line) {
			missed++;
			continue;
		}
		if (missed) {
			strbuf_addf(&r->pending, "{\"missed\":%" PRIu64 "}\n", missed);
			metric_add(f->missed, missed);
			missed = 0;
		}
		strbuf_add(&r->pending, slot->line, slot->len);
		strbuf_addch(&r->pending, '\n');
	}
	if (missed) {
		strbuf_addf(&r->pending, "{\"missed\":%" PRIu64 "}\n", missed);
		metric_add(f->missed, missed);
	}
	if (!r->pending.len && r->wants_heartbeat)
		strbuf_addstr(&r->pending, "{\"heartbeat\":true}\n");
	r->wants_heartbeat = false;
}

ptrdiff_t http_reader_read(struct http_reader *r, char *buf, size_t size)
{
	struct http_feed *f = r->feed;
	size_t n;

	if (r->sent == r->pending.len) {
		bool is_ended;

		pthread_mutex_lock(&f->mutex);
		fetch(r);
		is_ended = f->is_ended;
		if (!r->pending.len && !is_ended) {
			r->is_parked = true;
			r->park(r->arg);
		}
		pthread_mutex_unlock(&f->mutex);
		if (!r->pending.len)
			return is_ended ? -1 : 0;
	}
	n = r->pending.len - r->sent;
	if (n > size)
		n = size;
	memcpy(buf, r->pending.data + r->sent, n);
	r->sent += n;
	return (ptrdiff_t)n;
}
