/*
 * Routes: a table of method, path, who may, and who answers; one function that checks all of it
 * before a handler runs.
 *
 * MHD calls http_routes_handle() once when the header is there, then with pieces of the body, then
 * once more at its end. What can be refused by the header alone is refused at the first call, so
 * that no body is read for it. A body that turns out too long (chunked: no length is announced) is
 * dropped as it comes and answered with 413 at its end; one that goes on far beyond is cut off.
 */
#include "http/http_server_int.h"

#include "base/mem.h"

#include <stdio.h>

#include "base/banned.h"

#define DROPPED_BODY_MAX (1 << 20) /* a body beyond its limit by this much loses the connection */
#define METRICS_MAX	 (16 << 20)
#define FEED_BLOCK	 8192

enum access { ACCESS_OPEN, ACCESS_TOKEN, ACCESS_METRICS };

struct route {
	const char *method;
	const char *path;
	enum access access;
	bool takes_body;
	enum MHD_Result (*answer)(struct http_server *s, struct MHD_Connection *c);
};

/* What is known of a request between MHD's calls. */
struct request {
	const struct route *route;
	size_t body_bytes;
	bool is_too_long;
};

/* --- answers --------------------------------------------------------------------------------- */

static void count_answer(unsigned status)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", status);
	metric_add(metric_series(METRIC_COUNTER, "aethermart_http_requests_total",
				 "Requests by status of the answer.", "status", text),
		   1);
}

static enum MHD_Result queue(struct MHD_Connection *c, unsigned status,
			     struct MHD_Response *response, const char *type)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	r = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	count_answer(status);
	return r;
}

/* Takes the text out of the buffer. */
static struct MHD_Response *response_of(struct strbuf *b)
{
	size_t len = b->len;

	return MHD_create_response_from_buffer_with_free_callback(len, strbuf_take(b), mem_free);
}

static struct MHD_Response *error_response(int code, const char *message)
{
	struct strbuf b = STRBUF_INIT(4096);

	strbuf_addf(&b, "{\"error\":{\"code\":\"%s\",\"message\":", err_name(code));
	strbuf_add_json(&b, message, strlen(message));
	strbuf_addstr(&b, "}}\n");
	return response_of(&b);
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, int code,
			      const char *message)
{
	return queue(c, status, error_response(code, message), "application/json");
}

static enum MHD_Result answer_text(struct MHD_Connection *c, struct strbuf *b, const char *type)
{
	struct err err = {0};

	if (strbuf_check(b, "the answer", &err) < 0) {
		strbuf_done(b);
		return refuse(c, MHD_HTTP_INTERNAL_SERVER_ERROR, ERR_LIMIT, err.message);
	}
	return queue(c, MHD_HTTP_OK, response_of(b), type);
}

/* --- handlers -------------------------------------------------------------------------------- */

static enum MHD_Result get_health(struct http_server *s, struct MHD_Connection *c)
{
	struct strbuf b = STRBUF_INIT(64);

	(void)s;
	strbuf_addstr(&b, "{\"status\":\"ok\"}\n");
	return answer_text(c, &b, "application/json");
}

static enum MHD_Result get_ready(struct http_server *s, struct MHD_Connection *c)
{
	struct strbuf b = STRBUF_INIT(64);

	if (s->options.is_ready && !s->options.is_ready(s->options.arg))
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, ERR_UNAVAILABLE,
			      "not ready: standing by, or a store does not answer");
	strbuf_addstr(&b, "{\"status\":\"ready\"}\n");
	return answer_text(c, &b, "application/json");
}

static enum MHD_Result get_metrics(struct http_server *s, struct MHD_Connection *c)
{
	struct strbuf b = STRBUF_INIT(METRICS_MAX);

	if (s->options.refresh_metrics)
		s->options.refresh_metrics(s->options.arg);
	metrics_export(&b);
	return answer_text(c, &b, "text/plain; version=0.0.4; charset=utf-8");
}

static enum MHD_Result get_status(struct http_server *s, struct MHD_Connection *c)
{
	struct strbuf b = STRBUF_INIT(HTTP_STATUS_MAX);

	if (s->options.status)
		s->options.status(s->options.arg, &b);
	else
		strbuf_addstr(&b, "{}");
	strbuf_addch(&b, '\n');
	return answer_text(c, &b, "application/json");
}

static void park(void *arg)
{
	MHD_suspend_connection(arg);
}

static void wake(void *arg)
{
	MHD_resume_connection(arg);
}

static ssize_t read_feed(void *cls, uint64_t position, char *buf, size_t size)
{
	ptrdiff_t n = http_reader_read(cls, buf, size);

	(void)position;
	return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)n;
}

static void free_reader(void *cls)
{
	(void)http_reader_free(cls);
}

static enum MHD_Result get_changes(struct http_server *s, struct MHD_Connection *c)
{
	struct http_reader *reader = http_reader_new(s->feed, park, wake, c);
	struct MHD_Response *response;

	if (!reader)
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, ERR_LIMIT,
			      "the feed has as many readers as it may have, or the server stops");
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, FEED_BLOCK, read_feed,
						     reader, free_reader);
	if (!response)
		(void)http_reader_free(reader);
	return queue(c, MHD_HTTP_OK, response, "application/x-ndjson");
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct route routes[] = {
    {"GET", "/healthz", ACCESS_OPEN, false, get_health},
    {"GET", "/readyz", ACCESS_OPEN, false, get_ready},
    {"GET", "/metrics", ACCESS_METRICS, false, get_metrics},
    {"GET", "/v1/status", ACCESS_TOKEN, false, get_status},
    {"GET", "/v1/changes", ACCESS_TOKEN, false, get_changes},
};

static bool is_method(const struct route *route, const char *method)
{
	/* MHD answers HEAD by leaving out the body. */
	return cstr_equal(route->method, method) ||
	       (cstr_equal(route->method, "GET") && cstr_equal(method, "HEAD"));
}

/* A path that exists with other methods: `allow` collects them. */
static const struct route *find_route(const char *method, const char *path, struct strbuf *allow)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!cstr_equal(routes[i].path, path))
			continue;
		if (is_method(&routes[i], method))
			return &routes[i];
		strbuf_addf(allow, "%s%s%s", allow->len ? ", " : "", routes[i].method,
			    cstr_equal(routes[i].method, "GET") ? ", HEAD" : "");
	}
	return NULL;
}

static bool is_allowed(const struct http_listener *l, const struct route *route,
		       struct MHD_Connection *c)
{
	const struct http_server *s = l->server;

	if (l->is_unix || route->access == ACCESS_OPEN ||
	    (route->access == ACCESS_METRICS && s->options.is_metrics_open))
		return true;
	return http_token_matches(s->token,
				  MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization"));
}

static size_t body_limit(const struct http_server *s, const struct route *route)
{
	return route->takes_body ? s->options.body_max : 0;
}

/* An announced length; a chunked body has none. What is no number counts as too long. */
static uint64_t announced_length(struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	uint64_t n = 0;

	if (text && parse_uint64(str_from(text), UINT64_MAX, &n, NULL) < 0)
		return UINT64_MAX;
	return n;
}

static enum MHD_Result refuse_length(const struct http_server *s, const struct route *route,
				     struct MHD_Connection *c)
{
	char message[96];

	if (!route->takes_body)
		return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, ERR_LIMIT,
			      "this request takes no body");
	snprintf(message, sizeof(message), "the body is longer than %zu bytes",
		 s->options.body_max);
	return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, ERR_LIMIT, message);
}

static enum MHD_Result refuse_method(struct MHD_Connection *c, const char *allow)
{
	struct MHD_Response *response =
	    error_response(ERR_UNSUPPORTED, "this path does not know the method");

	if (response)
		(void)MHD_add_response_header(response, "Allow", allow);
	return queue(c, MHD_HTTP_METHOD_NOT_ALLOWED, response, "application/json");
}

static enum MHD_Result refuse_token(struct MHD_Connection *c)
{
	struct MHD_Response *response =
	    error_response(ERR_PERMISSION, "this path needs the header \"Authorization: Bearer "
					   "TOKEN\"; the token is in the file http.token");

	if (response)
		(void)MHD_add_response_header(response, "WWW-Authenticate",
					      "Bearer realm=\"aethermart\"");
	return queue(c, MHD_HTTP_UNAUTHORIZED, response, "application/json");
}

/* The first call: header only. Keeps the request when nothing speaks against it. */
static enum MHD_Result start(const struct http_listener *l, struct MHD_Connection *c,
			     const char *method, const char *path, void **ret_request)
{
	_cleanup_(strbuf_done) struct strbuf allow = STRBUF_INIT(256);
	const struct route *route = find_route(method, path, &allow);
	struct request *request;

	if (!route && allow.len)
		return refuse_method(c, strbuf_str(&allow));
	if (!route)
		return refuse(c, MHD_HTTP_NOT_FOUND, ERR_NOT_FOUND, "no such path");
	if (!is_allowed(l, route, c))
		return refuse_token(c);
	if (announced_length(c) > body_limit(l->server, route))
		return refuse_length(l->server, route, c);
	request = MEM_NEW(struct request);
	request->route = route;
	*ret_request = request;
	return MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of the library's type */
enum MHD_Result http_routes_handle(void *cls, struct MHD_Connection *c, const char *url,
				   const char *method, const char *version, const char *data,
				   size_t *size, void **request)
{
	const struct http_listener *l = cls;
	struct request *r = *request;
	size_t limit;

	(void)version;
	(void)data;
	if (!r)
		return start(l, c, method, url, request);
	limit = body_limit(l->server, r->route);
	if (*size) {
		r->body_bytes += *size;
		*size = 0;
		r->is_too_long |= r->body_bytes > limit;
		return r->body_bytes > limit + DROPPED_BODY_MAX ? MHD_NO : MHD_YES;
	}
	if (r->is_too_long)
		return refuse_length(l->server, r->route, c);
	return r->route->answer(l->server, c);
}

void http_routes_done(void *cls, struct MHD_Connection *c, void **request,
		      enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)c;
	(void)why;
	mem_free(*request);
	*request = NULL;
}
