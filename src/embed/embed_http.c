/*
 * Requests to a remote provider: see embed_remote_int.h.
 *
 * One call of the embedder is n requests to one URL. They run on libcurl's multi interface in the
 * thread of the caller: no pool of threads, and the bound on parallel requests is the number of
 * slots. A slot takes the next request, writes its body, and sees it through all its tries; what
 * waits for its next try only has a time when it is due, and the one place that waits
 * (curl_multi_poll) wakes for the nearest.
 *
 * Time: a request has options.timeout_ms from its first start to its end, waits included, and a try
 * at most half of that, so that one that hangs leaves time for another. A wait that would not end
 * in time is not begun: the call fails at once and says what was asked. A rate limit holds back the
 * other slots as well, for it is the account's and not the request's. The first failure for good
 * ends the call; what is under way is dropped. When a provider asked for more time than the call
 * had, the next calls fail at once, without asking it, until that time is over.
 *
 * Connections outlive a call: a query would else pay for a TLS handshake each time. libcurl keeps
 * them in the multi handle, and a handle serves one thread at a time, so there is a small pool.
 *
 * The key is in a header and nowhere else; redirects are not followed, as they would carry it, and
 * the texts, to where nobody decided to send them.
 */
#include "embed/embed_remote_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#include "base/banned.h"

#define BODY_MAX	   ((size_t)64 << 20) /* a batch of the longest texts, escaped */
#define FAILURE_BODY_MAX   ((size_t)64 << 10) /* of an answer that is no success */
#define CONNECT_TIMEOUT_MS 5000
#define POOL_MAX	   8 /* connections of so many threads are kept */
#define POLL_MAX_MS	   1000
#define HOLD_MAX_MS	   900000 /* however long a provider wants to be left alone */

struct embed_http {
	char *who;
	char *tls_ca;
	struct curl_slist *headers;
	bool is_loopback, is_plain;
	unsigned parallel, retries;
	int64_t timeout_ms;
	_Atomic int64_t hold_us; /* no request is sent before */
	pthread_mutex_t mutex;
	CURLM *pool[POOL_MAX]; /* protected by `mutex` */
	size_t n_pool;
	struct metric *requests, *repeats, *failures, *seconds;
};

enum slot_state { SLOT_IDLE, SLOT_WAITING, SLOT_ACTIVE };

struct slot {
	struct run *run;
	CURL *easy;
	enum slot_state state;
	size_t item;
	unsigned tries;
	int64_t deadline_us; /* 0: not started yet */
	int64_t due_us;	     /* WAITING: when it may start */
	int64_t started_us;
	struct strbuf body, answer;
};

struct run {
	struct embed_http *http;
	const struct embed_http_work *work;
	struct embed_failure *failure;
	struct err *err;
	CURLM *multi;
	struct slot *slots;
	size_t n_slots, next, n_done;
	unsigned long n_ended; /* tries */
	int64_t hold_us;       /* no request starts before */
};

/* --- life ------------------------------------------------------------------------------------ */

static void init_library(void)
{
	bug_if(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK);
}

static void add_header(struct embed_http *h, const char *text)
{
	struct curl_slist *list = curl_slist_append(h->headers, text);

	bug_if(!list);
	h->headers = list;
}

struct embed_http *embed_http_new(const struct embed_http_options *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct embed_http *h = MEM_NEW(struct embed_http);

	(void)pthread_once(&once, init_library);
	h->who = mem_strdup(options->who);
	h->tls_ca = options->tls_ca ? mem_strdup(options->tls_ca) : NULL;
	h->is_loopback = options->is_loopback;
	h->is_plain = options->is_plain;
	h->parallel = options->parallel;
	h->retries = options->retries;
	h->timeout_ms = options->timeout_ms;
	add_header(h, "Content-Type: application/json");
	add_header(h, "Accept: application/json");
	add_header(h, "Expect:"); /* no round trip before the body */
	if (options->key_header)
		add_header(h, options->key_header);
	bug_if(pthread_mutex_init(&h->mutex, NULL) != 0);
	h->requests =
	    metric_series(METRIC_COUNTER, "aethermart_embed_requests_total",
			  "Requests sent to a remote provider of embeddings.", NULL, NULL);
	h->repeats = metric_series(METRIC_COUNTER, "aethermart_embed_retries_total",
				   "Requests that were repeated.", NULL, NULL);
	h->failures = metric_series(METRIC_COUNTER, "aethermart_embed_failures_total",
				    "Calls of a remote provider that failed for good.", NULL, NULL);
	h->seconds = metric_series(METRIC_HISTOGRAM, "aethermart_embed_request_seconds",
				   "How long a request to a remote provider took.", NULL, NULL);
	return h;
}

struct embed_http *embed_http_free(struct embed_http *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < h->n_pool; i++)
		(void)curl_multi_cleanup(h->pool[i]);
	for (struct curl_slist *s = h->headers; s; s = s->next)
		sodium_memzero(s->data, strlen(s->data)); /* one of them is the key */
	curl_slist_free_all(h->headers);
	(void)pthread_mutex_destroy(&h->mutex);
	mem_free(h->who);
	mem_free(h->tls_ca);
	mem_free(h);
	return NULL;
}

static CURLM *take_multi(struct embed_http *h)
{
	CURLM *multi = NULL;

	(void)pthread_mutex_lock(&h->mutex);
	if (h->n_pool)
		multi = h->pool[--h->n_pool];
	(void)pthread_mutex_unlock(&h->mutex);
	if (multi)
		return multi;
	multi = curl_multi_init();
	bug_if(!multi);
	(void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)h->parallel);
	return multi;
}

static void give_multi(struct embed_http *h, CURLM *multi)
{
	bool is_kept;

	(void)pthread_mutex_lock(&h->mutex);
	is_kept = h->n_pool < POOL_MAX;
	if (is_kept)
		h->pool[h->n_pool++] = multi;
	(void)pthread_mutex_unlock(&h->mutex);
	if (!is_kept)
		(void)curl_multi_cleanup(multi);
}

/* --- one try --------------------------------------------------------------------------------- */

static size_t take_data(char *data, size_t size, size_t n, void *arg)
{
	struct slot *s = arg;
	size_t max = s->run->work->answer_max;
	long status = 0;

	(void)curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status >= 300)
		max = FAILURE_BODY_MAX;
	size *= n;
	if (size > max - s->answer.len)
		return 0; /* libcurl then ends with CURLE_WRITE_ERROR */
	strbuf_add(&s->answer, data, size);
	return size;
}

static void set_options(struct slot *s, int64_t left_ms)
{
	const struct embed_http *h = s->run->http;
	CURL *c = s->easy;

	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, s->run->work->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, h->is_plain ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->tls_ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, h->tls_ca);
	if (h->is_loopback)
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(left_ms < CONNECT_TIMEOUT_MS ? left_ms : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)left_ms);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, strbuf_str(&s->body));
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body.len);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(c, CURLOPT_PRIVATE, s);
}

static void start(struct run *run, struct slot *s)
{
	const struct embed_http *h = run->http;
	int64_t now = clock_monotonic_us(), left_ms, try_ms, all_ms = h->timeout_ms;

	if (run->work->timeout_ms && run->work->timeout_ms < all_ms)
		all_ms = run->work->timeout_ms;
	if (s->deadline_us == 0)
		s->deadline_us = now + all_ms * 1000;
	left_ms = (s->deadline_us - now) / 1000;
	try_ms = h->retries ? all_ms / 2 : all_ms;
	if (try_ms > left_ms)
		try_ms = left_ms;
	s->tries++;
	s->started_us = now;
	s->state = SLOT_ACTIVE;
	strbuf_clear(&s->answer);
	set_options(s, try_ms > 1 ? try_ms : 1); /* 0 would be no limit at all */
	bug_if(curl_multi_add_handle(run->multi, s->easy) != CURLM_OK);
	metric_add(h->requests, 1);
	if (s->tries > 1)
		metric_add(h->repeats, 1);
}

/* --- how a try ended ------------------------------------------------------------------------- */

/* Whether another try may help, for a transfer that has no answer. */
static bool is_passing_transfer(CURLcode code)
{
	switch ((unsigned)code) {
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_SSL_CONNECT_ERROR:
		return true;
	default:
		return false;
	}
}

static int transfer_error(const struct run *run, CURLcode code, struct err *err)
{
	const char *who = run->http->who;
	int r;

	switch ((unsigned)code) {
	case CURLE_OPERATION_TIMEDOUT:
		r = err_set(err, ERR_TIMEOUT, "%s does not answer in time", who);
		(void)err_hint(err, "embed.timeout is how long a request may take");
		return r;
	case CURLE_WRITE_ERROR:
		return err_set(err, ERR_CORRUPTED, "%s answers with more than %zu bytes", who,
			       run->work->answer_max);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		r = err_set(err, ERR_UNAVAILABLE, "the certificate of %s is not trusted: %s", who,
			    curl_easy_strerror(code));
		(void)err_hint(err, "set embed.tls_ca to the file of the authority that signed it");
		return r;
	default:
		return err_set(err, ERR_UNAVAILABLE, "could not reach %s: %s", who,
			       curl_easy_strerror(code));
	}
}

/* Never shorter than another call was told. */
static void hold(struct embed_http *h, int64_t asked_ms)
{
	int64_t ms = asked_ms < HOLD_MAX_MS ? asked_ms : HOLD_MAX_MS;
	int64_t until = clock_monotonic_us() + ms * 1000, before = atomic_load(&h->hold_us);

	while (before < until && !atomic_compare_exchange_weak(&h->hold_us, &before, until))
		;
}

/* 0: it may be asked. */
static int check_hold(struct embed_http *h, struct err *err)
{
	int64_t left_us = atomic_load(&h->hold_us) - clock_monotonic_us();
	char wait[CLOCK_TEXT_SIZE];

	if (left_us <= 0)
		return 0;
	metric_add(h->failures, 1);
	(void)err_set(err, ERR_UNAVAILABLE, "%s asked to be left alone", h->who);
	return err_hint(err, "it is asked again in %s", clock_format_duration(left_us, wait));
}

static int fail(struct run *run, struct slot *s, CURLcode code)
{
	struct embed_failure *f = run->failure;
	int r;

	metric_add(run->http->failures, 1);
	if (code == CURLE_OK && f->wait_ms > 0 && embed_failure_is_passing(f))
		hold(run->http, f->wait_ms);
	if (code == CURLE_OK && run->work->is_quoted(run->work->arg, s->item, f))
		f->message[0] = 0;
	r = code == CURLE_OK ? embed_failure_error(f, run->http->who, run->err)
			     : transfer_error(run, code, run->err);
	if (s->tries > 1)
		(void)err_context(run->err, "after %u tries", s->tries);
	return r;
}

/* Sets the time of the next try; false when there is none any more. */
static bool wait_for_next(struct run *run, struct slot *s)
{
	const struct embed_failure *f = run->failure;
	int64_t now = clock_monotonic_us();
	uint32_t random;

	if (s->tries > run->http->retries)
		return false;
	random_bytes(&random, sizeof(random));
	s->due_us = now + embed_retry_wait_ms(s->tries, f->wait_ms, random) * 1000;
	if (s->due_us >= s->deadline_us)
		return false;
	if (f->status == 429 && s->due_us > run->hold_us)
		run->hold_us = s->due_us;
	s->state = SLOT_WAITING;
	return true;
}

static void read_failure(struct run *run, struct slot *s, long status)
{
	struct embed_failure *f = run->failure;
	curl_off_t seconds = 0;

	embed_failure_read(status, strbuf_slice(&s->answer), f);
	/* Seconds or a date, which libcurl turns into seconds; 0 when there is none. */
	if (curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0 &&
	    seconds < INT32_MAX && (int64_t)seconds * 1000 > f->wait_ms)
		f->wait_ms = (int64_t)seconds * 1000;
}

static int finish(struct run *run, struct slot *s, CURLcode code)
{
	long status = 0;
	int r;

	(void)curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	metric_observe(run->http->seconds, clock_monotonic_us() - s->started_us);
	/* A failure's body that is too long was cut off on purpose: the status says enough. */
	if (code == CURLE_WRITE_ERROR && (status < 200 || status >= 300))
		code = CURLE_OK;
	*run->failure = (struct embed_failure){.wait_ms = -1};
	if (code == CURLE_OK && status >= 200 && status < 300) {
		r = run->work->read(run->work->arg, s->item, strbuf_slice(&s->answer), run->err);
		s->state = SLOT_IDLE;
		run->n_done++;
		return r < 0 ? err_context(run->err, "the answer of %s", run->http->who) : 0;
	}
	if (code == CURLE_OK)
		read_failure(run, s, status);
	if ((code == CURLE_OK ? embed_failure_is_passing(run->failure)
			      : is_passing_transfer(code)) &&
	    wait_for_next(run, s))
		return 0;
	return fail(run, s, code);
}

/* --- the loop -------------------------------------------------------------------------------- */

static int take_next(struct run *run, struct slot *s)
{
	s->item = run->next++;
	s->tries = 0;
	s->deadline_us = 0;
	s->due_us = 0;
	s->state = SLOT_WAITING;
	strbuf_clear(&s->body);
	run->work->write(run->work->arg, s->item, &s->body);
	return strbuf_check(&s->body, "a request of embeddings", run->err);
}

/* The account's limit, met by another slot, leaves this one no time. */
static int held_back(const struct run *run)
{
	(void)err_set(run->err, ERR_UNAVAILABLE, "%s limits our rate", run->http->who);
	metric_add(run->http->failures, 1);
	return err_hint(run->err, "lower embed.parallel, or raise embed.timeout");
}

/* Gives work to idle slots and starts what is due. `ret_ms`: how long nothing else is due. */
static int feed(struct run *run, int *ret_ms)
{
	int64_t now = clock_monotonic_us(), nearest_us = now + POLL_MAX_MS * 1000LL;
	int r = 0;

	for (size_t i = 0; i < run->n_slots && r == 0; i++) {
		struct slot *s = &run->slots[i];
		int64_t due_us;

		if (s->state == SLOT_IDLE && run->next < run->work->n)
			r = take_next(run, s);
		if (s->state != SLOT_WAITING)
			continue;
		due_us = s->due_us > run->hold_us ? s->due_us : run->hold_us;
		if (s->deadline_us && due_us >= s->deadline_us)
			r = held_back(run);
		else if (due_us <= now)
			start(run, s);
		else if (due_us < nearest_us)
			nearest_us = due_us;
	}
	*ret_ms = (int)((nearest_us - now + 999) / 1000);
	return r;
}

static int take_ended(struct run *run)
{
	CURLMsg *m;
	int left, r = 0;

	while (r == 0 && (m = curl_multi_info_read(run->multi, &left))) {
		CURLcode code;
		struct slot *s = NULL;
		char *private = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
		memcpy(&s, &private, sizeof(s));
		(void)curl_multi_remove_handle(run->multi, s->easy);
		run->n_ended++;
		r = finish(run, s, code);
	}
	return r;
}

static int loop(struct run *run)
{
	while (run->n_done < run->work->n) {
		int running = 0, wait_ms = 0;
		unsigned long before = run->n_ended;
		CURLMcode code;
		int r = feed(run, &wait_ms);

		if (r < 0)
			return r;
		code = curl_multi_perform(run->multi, &running);
		r = take_ended(run);
		if (r < 0)
			return r;
		if (code == CURLM_OK && run->n_ended == before)
			code = curl_multi_poll(run->multi, NULL, 0, wait_ms, NULL);
		if (code != CURLM_OK)
			return err_set(run->err, ERR_INTERNAL, "requests to %s: %s", run->http->who,
				       curl_multi_strerror(code));
	}
	return 0;
}

static void end(struct run *run)
{
	for (size_t i = 0; i < run->n_slots; i++) {
		struct slot *s = &run->slots[i];

		if (s->state == SLOT_ACTIVE)
			(void)curl_multi_remove_handle(run->multi, s->easy);
		curl_easy_cleanup(s->easy);
		strbuf_done(&s->body);
		strbuf_done(&s->answer);
	}
	mem_free(run->slots);
	give_multi(run->http, run->multi);
}

int embed_http_run(struct embed_http *h, const struct embed_http_work *work,
		   struct embed_failure *ret_failure, struct err *err)
{
	struct run run = {.http = h,
			  .work = work,
			  .failure = ret_failure,
			  .err = err,
			  .n_slots = work->n < h->parallel ? work->n : h->parallel};
	int r = check_hold(h, err);

	if (r < 0)
		return r;
	run.multi = take_multi(h);
	run.slots = mem_alloc_array(run.n_slots, sizeof(*run.slots));
	for (size_t i = 0; i < run.n_slots; i++) {
		run.slots[i].run = &run;
		run.slots[i].body.max = BODY_MAX;
		run.slots[i].answer.max = work->answer_max + FAILURE_BODY_MAX;
		run.slots[i].easy = curl_easy_init();
		bug_if(!run.slots[i].easy);
	}
	r = loop(&run);
	end(&run);
	return r;
}
