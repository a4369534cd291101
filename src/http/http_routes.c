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
#define INDEX_K_DEFAULT	 10
#define INDEX_K_MAX	 1000

enum access { ACCESS_OPEN, ACCESS_TOKEN, ACCESS_METRICS };

struct route {
	const char *method;
	const char *path;
	enum access access;
	bool takes_body;
	enum MHD_Result (*answer)(struct http_server *s, struct MHD_Connection *c);
	/* Instead of it, for what takes a while: the question of the request, and its answer. */
	int (*ask)(struct http_server *s, struct MHD_Connection *c, void **ret_question,
		   struct err *err);
	http_work_fn work;
};

/* What is known of a request between MHD's calls. */
struct request {
	const struct route *route;
	size_t body_bytes;
	bool is_too_long;
	struct http_work *work; /* the connection is suspended until it is done */
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

static struct MHD_Response *hinted_response(int code, const char *message, const char *hint)
{
	struct strbuf b = STRBUF_INIT((size_t)16 << 10);

	strbuf_addf(&b, "{\"error\":{\"code\":\"%s\",\"message\":", err_name(code));
	strbuf_add_json(&b, message, strlen(message));
	if (hint[0]) {
		strbuf_addstr(&b, ",\"hint\":");
		strbuf_add_json(&b, hint, strlen(hint));
	}
	strbuf_addstr(&b, "}}\n");
	return response_of(&b);
}

static struct MHD_Response *error_response(int code, const char *message)
{
	return hinted_response(code, message, "");
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, int code,
			      const char *message)
{
	return queue(c, status, error_response(code, message), "application/json");
}

static enum MHD_Result refuse_error(struct MHD_Connection *c, const struct err *err)
{
	int code = (int)err->code;

	return queue(
	    c, (unsigned)err_http_status(code),
	    hinted_response(code, err->message[0] ? err->message : err_text(code), err->hint),
	    "application/json");
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

/* --- the index ------------------------------------------------------------------------------- */

static const char *argument(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

static int check_index(const struct http_server *s, struct err *err)
{
	if (s->options.index_status && s->options.index_rebuild && s->options.index_query)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "this worker keeps no index");
}

static enum MHD_Result get_index_status(struct http_server *s, struct MHD_Connection *c)
{
	struct strbuf b = STRBUF_INIT(HTTP_STATUS_MAX);
	struct err err = {0};

	if (check_index(s, &err) < 0)
		return refuse_error(c, &err);
	s->options.index_status(s->options.arg, &b);
	strbuf_addch(&b, '\n');
	return answer_text(c, &b, "application/json");
}

static enum MHD_Result post_index_rebuild(struct http_server *s, struct MHD_Connection *c)
{
	struct strbuf b = STRBUF_INIT(64);
	struct err err = {0};
	int r = check_index(s, &err);

	if (r == 0)
		r = s->options.index_rebuild(s->options.arg, argument(c, "collection"), &err);
	if (r < 0)
		return refuse_error(c, &err);
	strbuf_addstr(&b, "{\"status\":\"accepted\"}\n");
	return queue(c, MHD_HTTP_ACCEPTED, response_of(&b), "application/json");
}

/* The question in one piece of memory: the texts behind the struct. */
static struct http_index_query *make_question(const char *collection, const char *text, int64_t k)
{
	size_t n = strlen(collection) + 1, n_text = strlen(text) + 1;
	struct http_index_query *q = mem_alloc(sizeof(*q) + n + n_text);

	q->collection = memcpy(q + 1, collection, n);
	q->text = memcpy((char *)(q + 1) + n, text, n_text);
	q->k = (size_t)k;
	return q;
}

static int ask_index_query(struct http_server *s, struct MHD_Connection *c, void **ret_question,
			   struct err *err)
{
	const char *collection = argument(c, "collection"), *text = argument(c, "text");
	const char *k_text = argument(c, "k");
	int64_t k = INDEX_K_DEFAULT;
	int r = check_index(s, err);

	if (r < 0)
		return r;
	if (!collection || !text)
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is missing",
			       collection ? "text" : "collection");
	if (k_text && parse_int64(str_from(k_text), 1, INDEX_K_MAX, &k, err) < 0)
		return err_context(err, "k");
	*ret_question = make_question(collection, text, k);
	return 0;
}

static int work_index_query(void *arg, void *question, struct strbuf *answer, struct err *err)
{
	const struct http_server *s = arg;
	int r = s->options.index_query(s->options.arg, question, answer, err);

	strbuf_addch(answer, '\n');
	return r;
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct route routes[] = {
    {.method = "GET", .path = "/healthz", .access = ACCESS_OPEN, .answer = get_health},
    {.method = "GET", .path = "/readyz", .access = ACCESS_OPEN, .answer = get_ready},
    {.method = "GET", .path = "/metrics", .access = ACCESS_METRICS, .answer = get_metrics},
    {.method = "GET", .path = "/v1/status", .access = ACCESS_TOKEN, .answer = get_status},
    {.method = "GET", .path = "/v1/changes", .access = ACCESS_TOKEN, .answer = get_changes},
    {.method = "GET",
     .path = "/v1/index/status",
     .access = ACCESS_TOKEN,
     .answer = get_index_status},
    {.method = "POST",
     .path = "/v1/index/rebuild",
     .access = ACCESS_TOKEN,
     .answer = post_index_rebuild},
    {.method = "GET",
     .path = "/v1/index/query",
     .access = ACCESS_TOKEN,
     .ask = ask_index_query,
     .work = work_index_query},
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

/* The connection sleeps until the work is done; MHD then asks again. */
static enum MHD_Result start_work(struct http_server *s, struct request *r,
				  struct MHD_Connection *c)
{
	struct http_work_call call = {.run = r->route->work,
				      .arg = s,
				      .answer_max = HTTP_STATUS_MAX,
				      .wake = wake,
				      .wake_arg = c};
	struct err err = {0};

	if (r->route->ask(s, c, &call.question, &err) < 0)
		return refuse_error(c, &err);
	r->work = http_work_new(s->pool, &call);
	if (!r->work) {
		mem_free(call.question);
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, ERR_UNAVAILABLE,
			      "too many questions wait for an answer");
	}
	MHD_suspend_connection(c);
	http_work_start(s->pool, r->work);
	return MHD_YES;
}

static enum MHD_Result answer_work(struct request *r, struct MHD_Connection *c)
{
	struct strbuf *answer;
	const struct err *err;

	if (http_work_result(r->work, &answer, &err) < 0)
		return refuse_error(c, err);
	return answer_text(c, answer, "application/json");
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
	if (r->work)
		return answer_work(r, c);
	return r->route->work ? start_work(l->server, r, c) : r->route->answer(l->server, c);
}

void http_routes_done(void *cls, struct MHD_Connection *c, void **request,
		      enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)c;
	(void)why;
	if (*request)
		(void)http_work_free(((struct request *)*request)->work);
	mem_free(*request);
	*request = NULL;
}
