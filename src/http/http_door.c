/*
 * Who asks: see http_door.h.
 *
 * One mutex guards the table of tokens, the meters, late answers and tries; it is held for
 * microseconds, and never while a callback runs, but for waking, as in http_feed.c. Two threads
 * look tokens up (http_work.h), one gives late answers, one tells of tries: so a database that
 * hangs delays nothing but what needs it.
 */
#include "http/http_door.h"

#include "http/http_watch.h"

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <pthread.h>
#include <sodium.h>

#include "base/banned.h"

#define TOKENS	     1024    /* that are remembered; another one is looked up again */
#define PLACES	     4096    /* of addresses and tokens whose requests are counted */
#define LATE_MAX     256     /* answers that wait; at most a quarter of the connections */
#define LATE_PLACE   8	     /* of one place */
#define AWAY_US	     1000000 /* until a server that was away is asked again */
#define ADDRESSES    64	     /* whose tries are told in a second; the others' as one */
#define ADDRESS_SIZE sizeof(((struct http_place *)0)->text)
#define TELL_US	     1000000

struct known { /* by its hash; a free one has until_us 0 */
	unsigned char hash[TOKEN_HASH_SIZE];
	int64_t until_us;
	enum http_verdict verdict;
	struct http_guest guest;
};

struct late { /* a free one has from.len 0; a promised one no `wake` yet */
	struct http_place from;
	int64_t due_us;
	void (*wake)(void *arg);
	void *arg;
};

struct tries {
	char address[ADDRESS_SIZE];
	uint64_t n;
};

struct http_door {
	struct http_door_options options;
	struct http_pool *pool;
	pthread_t late_thread, tell_thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed, stopping;
	struct known known[TOKENS];
	struct http_meter *meter;
	struct late late[LATE_MAX];
	size_t late_max;
	bool is_away, is_asking; /* the last lookup could not be made; one tries whether it can */
	int64_t ask_again_us;
	struct tries tries[ADDRESSES + 1];
	size_t n_tries;
	bool is_stopping;
	struct metric *lookups, *failed, *delayed;
};

/* --- tokens ---------------------------------------------------------------------------------- */

/* The hash is nobody's to choose a place by: who has a token's hash has the token. */
static struct known *known_place(struct http_door *d, const unsigned char *hash)
{
	uint64_t number;

	memcpy(&number, hash, sizeof(number));
	return &d->known[number % TOKENS];
}

bool http_door_knows(struct http_door *d, struct http_ticket *t)
{
	unsigned char hash[TOKEN_HASH_SIZE];
	const struct known *k;
	bool is_known;

	token_hash(t->token, hash);
	k = known_place(d, hash);
	pthread_mutex_lock(&d->mutex);
	is_known =
	    k->until_us > clock_monotonic_us() && sodium_memcmp(k->hash, hash, sizeof(hash)) == 0;
	if (is_known) {
		t->verdict = k->verdict;
		t->guest = k->guest;
	}
	pthread_mutex_unlock(&d->mutex);
	return is_known;
}

/* Until then the answer counts: since the question was put, not since it was answered. */
static void remember(struct http_door *d, const struct http_ticket *t, int64_t asked_us)
{
	int64_t lasts = HTTP_KNOWN_US;
	struct known k = {.verdict = t->verdict, .guest = t->guest};

	if (t->verdict == HTTP_ADMITTED && t->guest.left_us < lasts)
		lasts = t->guest.left_us;
	token_hash(t->token, k.hash);
	k.until_us = asked_us + lasts;
	pthread_mutex_lock(&d->mutex);
	*known_place(d, k.hash) = k;
	pthread_mutex_unlock(&d->mutex);
}

/* While the server is away one request at a time finds out whether it is there again: the others
 * would wait behind it, each as long. */
static bool may_ask(struct http_door *d)
{
	bool may;

	pthread_mutex_lock(&d->mutex);
	may = !d->is_away || (!d->is_asking && clock_monotonic_us() >= d->ask_again_us);
	d->is_asking |= may && d->is_away;
	pthread_mutex_unlock(&d->mutex);
	return may;
}

static void note_asked(struct http_door *d, bool is_away)
{
	pthread_mutex_lock(&d->mutex);
	d->is_away = is_away;
	d->is_asking = false;
	d->ask_again_us = clock_monotonic_us() + AWAY_US;
	pthread_mutex_unlock(&d->mutex);
}

static int look_up(void *arg, void *question, struct strbuf *answer, struct err *err)
{
	struct http_door *d = arg;
	struct http_ticket *t = question;
	int64_t now = clock_monotonic_us();
	int r = 0;

	(void)answer;
	/* Others may have asked the same meanwhile. */
	if (http_door_knows(d, t))
		return 0;
	if (!may_ask(d)) {
		t->verdict = HTTP_AWAY;
		return 0;
	}
	metric_add(d->lookups, 1);
	r = d->options.find_token ? d->options.find_token(d->options.arg, t->token, &t->guest, err)
				  : -ERR_PERMISSION;
	t->verdict = r == 0 ? HTTP_ADMITTED : r == -ERR_PERMISSION ? HTTP_NO_TOKEN : HTTP_AWAY;
	if (t->verdict == HTTP_AWAY)
		logger_error(LOGGER_WARN, "http", "could not look up a token", err);
	note_asked(d, t->verdict == HTTP_AWAY);
	/* One that waited for a server that is away would be asked about again at once. */
	remember(d, t, t->verdict == HTTP_AWAY ? clock_monotonic_us() : now);
	return 0;
}

struct http_work *http_door_ask(struct http_door *d, struct http_ticket *t, void (*wake)(void *arg),
				void *arg)
{
	const struct http_work_call call = {.run = look_up,
					    .arg = d,
					    .question = t,
					    .answer_max = 1,
					    .wake = wake,
					    .wake_arg = arg};

	return http_work_new(d->pool, &call);
}

void http_door_start(struct http_door *d, struct http_work *w)
{
	http_work_start(d->pool, w);
}

/* --- limits ---------------------------------------------------------------------------------- */

unsigned http_door_take(struct http_door *d, const struct http_guest *g,
			const struct sockaddr *address)
{
	struct token_rate rate = g->rate.count ? g->rate : d->options.rate;
	struct str key = str_from(g->id);
	struct http_place place;
	unsigned seconds;

	if (g->is_operator)
		return 0;
	if (g->is_visitor) {
		http_place_of(address, &place);
		key = (struct str){place.key, place.len};
		rate = d->options.visitor_rate;
	}
	pthread_mutex_lock(&d->mutex);
	seconds = http_meter_take(d->meter, key, &rate, clock_monotonic_us());
	pthread_mutex_unlock(&d->mutex);
	return seconds;
}

/* Mutex held. */
static void note_tries(struct http_door *d, const char *address, uint64_t n)
{
	size_t i = 0;

	while (i < d->n_tries && !cstr_equal(d->tries[i].address, address))
		i++;
	if (i == d->n_tries && i < ADDRESSES) {
		d->tries[i] = (struct tries){0};
		memcpy(d->tries[i].address, address, strlen(address) + 1);
		d->n_tries++;
	} else if (i == d->n_tries) {
		i = ADDRESSES;
		memcpy(d->tries[i].address, "others", sizeof("others"));
	}
	d->tries[i].n += n;
}

/* Mutex held: a free one, unless too many wait, or too many of one place. */
static struct late *reserve_late(struct http_door *d, const struct http_place *from)
{
	struct late *free_one = NULL;
	size_t n = 0, n_here = 0;

	for (size_t i = 0; i < LATE_MAX; i++) {
		struct late *l = &d->late[i];

		if (!l->from.len)
			free_one = l;
		n += l->from.len > 0;
		n_here +=
		    l->from.len == from->len && memcmp(l->from.key, from->key, from->len) == 0;
	}
	if (!free_one || d->is_stopping || n >= d->late_max || n_here >= LATE_PLACE)
		return NULL;
	free_one->from = *from;
	free_one->wake = NULL;
	return free_one;
}

bool http_door_fail(struct http_door *d, const struct sockaddr *address, struct http_late *ret)
{
	struct http_place place;
	struct late *l;

	http_place_of(address, &place);
	metric_add(d->failed, 1);
	pthread_mutex_lock(&d->mutex);
	ret->ms =
	    http_meter_fail(d->meter, (struct str){place.key, place.len}, clock_monotonic_us());
	note_tries(d, place.text, 1);
	l = reserve_late(d, &place);
	ret->slot = l ? (size_t)(l - d->late) : 0;
	pthread_mutex_unlock(&d->mutex);
	return l != NULL;
}

void http_door_delay(struct http_door *d, const struct http_late *late, void (*wake)(void *arg),
		     void *arg)
{
	struct late *l = &d->late[late->slot];

	pthread_mutex_lock(&d->mutex);
	l->due_us = clock_monotonic_us() + (int64_t)late->ms * 1000;
	l->arg = arg;
	if (d->is_stopping) {
		l->from.len = 0;
		wake(arg);
	} else {
		l->wake = wake;
		pthread_cond_signal(&d->changed);
	}
	pthread_mutex_unlock(&d->mutex);
}

/* Mutex held: answers what is due; when the next one is. A handful: no order is kept. */
static int64_t wake_due(struct http_door *d, int64_t now)
{
	int64_t next = INT64_MAX, n = 0;

	for (size_t i = 0; i < LATE_MAX; i++) {
		struct late *l = &d->late[i];

		if (!l->from.len || !l->wake)
			continue;
		if (l->due_us <= now || d->is_stopping) {
			l->from.len = 0;
			l->wake(l->arg);
			continue;
		}
		next = l->due_us < next ? l->due_us : next;
		n++;
	}
	metric_set(d->delayed, n);
	return next;
}

static void *answer_late(void *arg)
{
	struct http_door *d = arg;

	pthread_mutex_lock(&d->mutex);
	while (!d->is_stopping) {
		int64_t next = wake_due(d, clock_monotonic_us());

		if (next == INT64_MAX)
			pthread_cond_wait(&d->changed, &d->mutex);
		else
			(void)clock_cond_wait(&d->changed, &d->mutex, next);
	}
	(void)wake_due(d, 0);
	pthread_mutex_unlock(&d->mutex);
	return NULL;
}

/* --- tries ----------------------------------------------------------------------------------- */

/* Takes them all; those that could not be told are counted again. */
static void tell(struct http_door *d)
{
	struct tries taken[ADDRESSES + 1];
	struct err err = {0};
	size_t n = 0, told = 0;

	pthread_mutex_lock(&d->mutex);
	for (size_t i = 0; i <= ADDRESSES; i++) {
		if (d->tries[i].n)
			taken[n++] = d->tries[i];
		d->tries[i].n = 0;
	}
	d->n_tries = 0;
	pthread_mutex_unlock(&d->mutex);
	while (told < n &&
	       d->options.tell_tries(d->options.arg, taken[told].address, taken[told].n, &err) == 0)
		told++;
	if (told == n)
		return;
	logger_error(LOGGER_WARN, "http", "could not tell of tokens that were none", &err);
	pthread_mutex_lock(&d->mutex);
	for (size_t i = told; i < n; i++)
		note_tries(d, taken[i].address, taken[i].n);
	pthread_mutex_unlock(&d->mutex);
}

static void *tell_tries(void *arg)
{
	struct http_door *d = arg;
	bool is_stopping = false;

	while (!is_stopping) {
		int64_t until = clock_monotonic_us() + TELL_US;

		pthread_mutex_lock(&d->mutex);
		while (!d->is_stopping && clock_cond_wait(&d->stopping, &d->mutex, until))
			;
		is_stopping = d->is_stopping;
		pthread_mutex_unlock(&d->mutex);
		if (d->options.tell_tries)
			tell(d);
	}
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

struct http_door *http_door_new(const struct http_door_options *options)
{
	struct http_door *d = MEM_NEW(struct http_door);

	d->options = *options;
	d->late_max = options->connections / 4 < LATE_MAX ? options->connections / 4 : LATE_MAX;
	d->pool = http_pool_new();
	d->meter = http_meter_new(PLACES);
	d->lookups = metric_series(METRIC_COUNTER, "aethermart_http_token_lookups_total",
				   "Tokens that were looked up in the database.", NULL, NULL);
	d->failed = metric_series(METRIC_COUNTER, "aethermart_http_token_failures_total",
				  "Requests with a token that is none.", NULL, NULL);
	d->delayed = metric_series(METRIC_GAUGE, "aethermart_http_delayed_answers",
				   "Answers to such requests that wait.", NULL, NULL);
	bug_if(pthread_mutex_init(&d->mutex, NULL) != 0);
	clock_cond_init(&d->changed);
	clock_cond_init(&d->stopping);
	bug_if(pthread_create(&d->late_thread, NULL, answer_late, d) != 0);
	bug_if(pthread_create(&d->tell_thread, NULL, tell_tries, d) != 0);
	return d;
}

void http_door_stop(struct http_door *d)
{
	pthread_mutex_lock(&d->mutex);
	d->is_stopping = true;
	pthread_cond_broadcast(&d->changed);
	pthread_cond_broadcast(&d->stopping);
	pthread_mutex_unlock(&d->mutex);
	http_pool_stop(d->pool);
	pthread_join(d->late_thread, NULL);
	pthread_join(d->tell_thread, NULL);
}

struct http_door *http_door_free(struct http_door *d)
{
	if (!d)
		return NULL;
	(void)http_pool_free(d->pool);
	(void)http_meter_free(d->meter);
	pthread_cond_destroy(&d->changed);
	pthread_cond_destroy(&d->stopping);
	pthread_mutex_destroy(&d->mutex);
	mem_free(d);
	return NULL;
}
