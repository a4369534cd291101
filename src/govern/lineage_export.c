/* Sending events to an endpoint: see lineage_export.h. */
#include "govern/lineage_export.h"

#include "base/clock.h"
#include "base/mem.h"
#include "govern/govern_sql_int.h"
#include "govern/lineage_int.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/banned.h"

#define PAGE	      50
#define TIMEOUT_MS    30000
#define CONNECT_MS    10000
#define FIRST_WAIT_MS 200
#define MOST_WAIT_MS  10000
#define LOOK_US	      50000

struct sender {
	const struct lineage_export *how;
	struct arena arena;
	const char *url; /* as it is told */
	CURL *curl;
	struct curl_slist *headers;
	char reason[CURL_ERROR_SIZE];
};

struct event {
	uint64_t id;
	char *text;
};

struct page {
	size_t n;
	struct event items[PAGE];
};

static void page_clear(struct page *p)
{
	for (size_t i = 0; i < p->n; i++)
		mem_free(p->items[i].text);
	p->n = 0;
}

/* --- the endpoint ---------------------------------------------------------------------------- */

/* What it says besides its status is of no use here. */
static size_t drop_body(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static bool is_stopped(const struct sender *s)
{
	return s->how->stops && *s->how->stops;
}

/* Called by libcurl at least once a second: an endpoint that is silent holds up nobody who stops.
 */
static int look_out(void *arg, curl_off_t down, curl_off_t down_now, curl_off_t up,
		    curl_off_t up_now)
{
	(void)down;
	(void)down_now;
	(void)up;
	(void)up_now;
	return is_stopped(arg);
}

/* Without name and password, which may stand before its host. */
static const char *shown_url(const char *url, struct arena *arena)
{
	const char *host = strstr(url, "://"), *at;
	size_t len;

	if (!host)
		return url;
	host += 3;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	return at ? arena_printf(arena, "%.*s%s", (int)(host - url), url, at + 1) : url;
}

static void sender_done(struct sender *s)
{
	arena_done(&s->arena);
	curl_slist_free_all(s->headers);
	curl_easy_cleanup(s->curl);
}

static int sender_init(struct sender *s, const struct lineage_export *how, struct err *err)
{
	bool is_http =
	    str_starts(str_from(how->url), "http://") || str_starts(str_from(how->url), "https://");

	s->url = shown_url(how->url, &s->arena);
	if (!is_http)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the URL \"%.200s\" begins neither with http:// nor https://",
			       s->url);
	s->curl = curl_easy_init();
	bug_if(!s->curl);
	s->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (how->token)
		s->headers = curl_slist_append(
		    s->headers, arena_printf(&s->arena, "Authorization: Bearer %s", how->token));
	curl_easy_setopt(s->curl, CURLOPT_URL, how->url);
	curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(s->curl, CURLOPT_FOLLOWLOCATION, 0L); /* the token is for this one */
	curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
	curl_easy_setopt(s->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, drop_body);
	curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, s->reason);
	curl_easy_setopt(s->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(s->curl, CURLOPT_XFERINFOFUNCTION, look_out);
	curl_easy_setopt(s->curl, CURLOPT_XFERINFODATA, s);
	return 0;
}

/* 0, or an error of which ERR_UNAVAILABLE alone may heal. */
static int post(struct sender *s, const struct event *e, struct err *err)
{
	CURLcode c;
	long status = 0;

	s->reason[0] = 0;
	curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, e->text);
	curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(e->text));
	c = curl_easy_perform(s->curl);
	if (c == CURLE_URL_MALFORMAT || c == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%.200s\" is no URL", s->url);
	if (c == CURLE_ABORTED_BY_CALLBACK)
		return err_set(err, ERR_INTERRUPTED, "stopped before all was exported");
	if (c != CURLE_OK)
		return err_set(err, ERR_UNAVAILABLE, "the endpoint does not answer: %s",
			       s->reason[0] ? s->reason : curl_easy_strerror(c));
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return 0;
	if (status == 401 || status == 403) {
		(void)err_set(err, ERR_PERMISSION, "the endpoint answers with status %ld", status);
		return err_hint(err, "name the file that holds its token: --token-file FILE");
	}
	if (status == 408 || status == 429 || status >= 500)
		return err_set(err, ERR_UNAVAILABLE, "the endpoint answers with status %ld",
			       status);
	return err_set(err, ERR_DOCUMENT, "the endpoint answers with status %ld to event %" PRIu64,
		       status, e->id);
}

/* What the endpoint asks for with its last answer, or `usual`. */
static int64_t pause_ms(const struct sender *s, int64_t usual)
{
	curl_off_t asked_s = 0;

	curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &asked_s);
	return asked_s > 0 && asked_s < INT32_MAX ? asked_s * 1000 : usual;
}

/* Pauses that double, or as the endpoint says, until the time is over. */
static int post_until(struct sender *s, const struct event *e, struct err *err)
{
	int64_t until_us = clock_monotonic_us() + s->how->retry_ms * 1000;
	int64_t usual_ms = FIRST_WAIT_MS;
	int r;

	while ((r = post(s, e, err)) == -ERR_UNAVAILABLE) {
		int64_t next_us = clock_monotonic_us() + pause_ms(s, usual_ms) * 1000;

		if (next_us > until_us)
			break;
		while (!is_stopped(s) && clock_monotonic_us() < next_us)
			usleep(LOOK_US);
		if (is_stopped(s))
			break;
		usual_ms = usual_ms * 2 < MOST_WAIT_MS ? usual_ms * 2 : MOST_WAIT_MS;
	}
	if (r == -ERR_UNAVAILABLE && is_stopped(s))
		return err_set(err, ERR_INTERRUPTED, "stopped before all was exported");
	if (r == -ERR_UNAVAILABLE)
		(void)err_hint(err, "what it took is noted: the same command goes on from there");
	return r;
}

/* --- pages ----------------------------------------------------------------------------------- */

static int read_page(struct maria *db, const struct lineage_export *how, uint64_t after,
		     struct page *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, how->all ? govern_sql_lineage_all : govern_sql_lineage_unsent,
			    MARIA_ARGS(MARIA_S(how->since ? how->since : "1000-01-01"),
				       MARIA_U(after), MARIA_U(PAGE)),
			    &rows, err);

	while (r >= 0 && ret->n < PAGE && (r = maria_rows_next(rows, err)) > 0) {
		struct str text = maria_rows_str(rows, 1);

		ret->items[ret->n++] =
		    (struct event){maria_rows_uint(rows, 0), mem_strndup(text.data, text.len)};
	}
	return r < 0 ? r : 0;
}

static int send_page(struct maria *db, struct sender *s, const struct page *p, uint64_t *ret_n,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < p->n && r == 0; i++) {

		if (is_stopped(s))
			return err_set(err, ERR_INTERRUPTED, "stopped before all was exported");
		r = post_until(s, &p->items[i], err);
		if (r == 0)
			r = maria_run(db, govern_sql_lineage_sent,
				      MARIA_ARGS(MARIA_U(p->items[i].id)), NULL, err);
		*ret_n += r == 0;
	}
	return r;
}

static int export_locked(struct maria *db, const struct lineage_export *how, uint64_t *ret_n,
			 struct err *err)
{
	_cleanup_(sender_done) struct sender s = {.how = how};
	_cleanup_(page_clear) struct page page = {0};
	uint64_t after = 0;
	int r = sender_init(&s, how, err);

	*ret_n = 0;
	if (r == 0 && how->since)
		r = lineage_check_day(db, how->since, err);
	do {
		page_clear(&page);
		if (r == 0)
			r = read_page(db, how, after, &page, err);
		if (r == 0)
			r = send_page(db, &s, &page, ret_n, err);
		if (page.n)
			after = page.items[page.n - 1].id;
	} while (r == 0 && page.n == PAGE);
	return r;
}

int lineage_export(struct maria *db, const struct lineage_export *how, uint64_t *ret_n,
		   struct err *err)
{
	struct err unused = {0};
	int64_t holder = 0;
	int r = maria_query_int(db, govern_sql_lineage_export_lock, NULL, 0, &holder, err);

	*ret_n = 0;
	if (r == 0 && holder)
		return err_set(err, ERR_CONFLICT,
			       "somebody else exports just now: connection %lld of MariaDB",
			       (long long)holder);
	if (r < 0)
		return r;
	r = export_locked(db, how, ret_n, err);
	(void)!maria_run(db, govern_sql_lineage_export_unlock, NULL, 0, NULL, &unused);
	return r;
}
