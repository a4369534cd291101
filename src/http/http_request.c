/*
 * A request's life, and the one place where method, token, length and parameters are checked.
 *
 * MHD calls http_request_new() with the request line, http_request_handle() once when the header is
 * there, then with pieces of the body, then once more at its end, and http_request_done(). What can
 * be refused by the header alone is refused at the first call, so that no body is read for it. A
 * body that turns out too long (chunked: no length is announced) is dropped as it comes and
 * answered with 413 at its end; one that goes on far beyond is cut off.
 *
 * The request has an arena: its line, its parameters, and with them the question that a thread of
 * the pool works on. The connection is suspended meanwhile, so the request outlives the work.
 */
#include "http/http_routes.h"
#include "http/http_server_int.h"

#include <stdio.h>

#include "base/banned.h"

#define DROPPED_BODY_MAX (1 << 20) /* a body beyond its limit by this much loses the connection */

struct request {
	struct arena arena;
	struct http_uri uri;
	const struct http_route *route; /* once nothing speaks against it */
	struct http_question question;
	size_t body_bytes;
	struct strbuf body; /* of a route that takes one */
	bool is_too_long;
	struct http_work *work; /* the connection is suspended until it is done */
};

/* --- refusing -------------------------------------------------------------------------------- */

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, int code,
			      const char *detail)
{
	return http_answer_problem(
	    c, &(struct http_problem){.code = code, .status = status, .detail = detail});
}

static enum MHD_Result refuse_length(const struct http_server *s, const struct http_route *route,
				     struct MHD_Connection *c)
{
	char detail[96];

	if (!route->takes_body)
		return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, ERR_LIMIT,
			      "this request takes no body");
	snprintf(detail, sizeof(detail), "the body is longer than %zu bytes", s->options.body_max);
	return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, ERR_LIMIT, detail);
}

static enum MHD_Result refuse_method(struct MHD_Connection *c, const char *allow)
{
	return http_answer_problem(
	    c, &(struct http_problem){.code = ERR_UNSUPPORTED,
				      .status = MHD_HTTP_METHOD_NOT_ALLOWED,
				      .detail = "this path does not know the method",
				      .header = "Allow",
				      .header_value = allow});
}

static enum MHD_Result refuse_token(struct MHD_Connection *c)
{
	return http_answer_problem(
	    c, &(struct http_problem){
		   .code = ERR_PERMISSION,
		   .status = MHD_HTTP_UNAUTHORIZED,
		   .detail = "this path needs the header \"Authorization: Bearer TOKEN\"",
		   .hint = "the token is in the file http.token in stack.dir",
		   .header = "WWW-Authenticate",
		   .header_value = "Bearer realm=\"aethermart\""});
}

static enum MHD_Result refuse_parameters(struct MHD_Connection *c, const struct err *err,
					 const struct http_mistakes *mistakes)
{
	return http_answer_problem(c, &(struct http_problem){.code = (int)err->code,
							     .detail = err->message,
							     .hint = err->hint,
							     .mistakes = mistakes});
}

/* --- checking -------------------------------------------------------------------------------- */

static bool is_method(const struct http_route *route, const char *method)
{
	/* MHD answers HEAD by leaving out the body. */
	return cstr_equal(route->method, method) ||
	       (cstr_equal(route->method, "GET") && cstr_equal(method, "HEAD"));
}

/* A path that exists with other methods: `allow` collects them. */
static const struct http_route *find_route(const char *method, struct str path,
					   struct str *ret_segment, struct strbuf *allow)
{
	for (const struct http_route *route = http_routes; route->method; route++) {
		if (!http_uri_matches(path, route->path, ret_segment))
			continue;
		if (is_method(route, method))
			return route;
		strbuf_addf(allow, "%s%s%s", allow->len ? ", " : "", route->method,
			    cstr_equal(route->method, "GET") ? ", HEAD" : "");
	}
	return NULL;
}

static bool is_allowed(const struct http_listener *l, const struct http_route *route,
		       struct MHD_Connection *c)
{
	const struct http_server *s = l->server;

	if (l->is_unix || route->access == HTTP_ACCESS_OPEN ||
	    (route->access == HTTP_ACCESS_METRICS && s->options.is_metrics_open))
		return true;
	return http_token_matches(s->token,
				  MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization"));
}

static size_t body_limit(const struct http_server *s, const struct http_route *route)
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

/* The first call: header only. The request gets its route when nothing speaks against it. */
static enum MHD_Result start(const struct http_listener *l, struct MHD_Connection *c,
			     const char *method, struct request *r)
{
	static const struct http_parameter none[] = {{0}};
	_cleanup_(strbuf_done) struct strbuf allow = STRBUF_INIT(256);
	struct http_input input = {.query = r->uri.query};
	const struct http_route *route = find_route(method, r->uri.path, &input.segment, &allow);
	struct http_mistakes mistakes;
	struct err err = {0};

	if (!route && allow.len)
		return refuse_method(c, strbuf_str(&allow));
	if (!route)
		return refuse(c, MHD_HTTP_NOT_FOUND, ERR_NOT_FOUND, "no such path");
	if (!is_allowed(l, route, c))
		return refuse_token(c);
	if (announced_length(c) > body_limit(l->server, route))
		return refuse_length(l->server, route, c);
	r->question = (struct http_question){.route = route,
					     .values = arena_alloc(&r->arena, route->values_size)};
	if (http_parameters_read(route->parameters ? route->parameters : none, &input, &r->arena,
				 r->question.values, &mistakes, &err) < 0)
		return refuse_parameters(c, &err, &mistakes);
	if (route->check && route->check(l->server, &err) < 0)
		return http_answer_error(c, &err);
	r->route = route;
	return MHD_YES;
}

/* --- answering ------------------------------------------------------------------------------- */

void http_request_wake(void *connection)
{
	MHD_resume_connection(connection);
}

/* NULL when it is not there. */
static const char *copy_header(struct request *r, struct MHD_Connection *c, const char *name)
{
	const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);

	return value ? arena_strdup(&r->arena, value) : NULL;
}

/* The connection sleeps until the work is done; MHD then asks again. */
static enum MHD_Result start_work(struct http_server *s, struct request *r,
				  struct MHD_Connection *c)
{
	const struct http_work_call call = {.run = r->route->work,
					    .arg = s,
					    .question = &r->question,
					    .answer_max = HTTP_STATUS_MAX,
					    .wake = http_request_wake,
					    .wake_arg = c};

	r->question.body = strbuf_slice(&r->body);
	r->question.key = copy_header(r, c, "Idempotency-Key");
	r->work = http_work_new(s->pool, &call);
	if (!r->work)
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, ERR_UNAVAILABLE,
			      "too many questions wait for an answer");
	MHD_suspend_connection(c);
	http_work_start(s->pool, r->work);
	return MHD_YES;
}

static enum MHD_Result answer_work(struct request *r, struct MHD_Connection *c)
{
	struct strbuf *answer;
	const struct err *err;

	if (http_work_result(r->work, &answer, &err) == 0)
		return http_answer_text(
		    c, r->route->answer_status ? r->route->answer_status : MHD_HTTP_OK, answer,
		    HTTP_TYPE_JSON);
	if (err->code == ERR_INVALID_ARGUMENT && r->question.wrong)
		return refuse_parameters(
		    c, err,
		    &(struct http_mistakes){.n = 1, .items = {{r->question.wrong, err->message}}});
	return http_answer_error(c, err);
}

/* --- MHD's callbacks ------------------------------------------------------------------------- */

/*
 * MHD would go on to keep every parameter in the connection's memory, some seventy bytes for each
 * "&a": when that is full, 0.9.75 neither answers nor closes until the time is out. They are read
 * from our copy, so it is let find none: the text is its own buffer, in which it writes next.
 */
static void hide_query(const char *uri, size_t at)
{
	char *text = (char *)(uintptr_t)uri; /* not constant but by this callback's type */

	text[at] = '\0';
}

void *http_request_new(void *cls, const char *uri, struct MHD_Connection *c)
{
	const struct http_listener *l = cls;
	struct request *r = MEM_NEW(struct request);

	r->body.max = l->server->options.body_max;
	(void)c;
	r->uri = http_uri_split(arena_strdup(&r->arena, uri));
	if (r->uri.query.len)
		hide_query(uri, r->uri.path.len + 1);
	return r;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of the library's type */
enum MHD_Result http_request_handle(void *cls, struct MHD_Connection *c, const char *url,
				    const char *method, const char *version, const char *data,
				    size_t *size, void **request)
{
	const struct http_listener *l = cls;
	struct request *r = *request;
	size_t limit;

	(void)url;
	(void)version;
	if (!r->route)
		return start(l, c, method, r);
	limit = body_limit(l->server, r->route);
	if (*size) {
		r->body_bytes += *size;
		r->is_too_long |= r->body_bytes > limit;
		if (!r->is_too_long)
			strbuf_add(&r->body, data, *size);
		*size = 0;
		return r->body_bytes > limit + DROPPED_BODY_MAX ? MHD_NO : MHD_YES;
	}
	if (r->is_too_long)
		return refuse_length(l->server, r->route, c);
	if (r->work)
		return answer_work(r, c);
	return r->route->work ? start_work(l->server, r, c)
			      : r->route->answer(l->server, c, r->question.values);
}

void http_request_done(void *cls, struct MHD_Connection *c, void **request,
		       enum MHD_RequestTerminationCode why)
{
	struct request *r = *request;

	(void)cls;
	(void)c;
	(void)why;
	if (!r)
		return;
	(void)http_work_free(r->work);
	strbuf_done(&r->body);
	arena_done(&r->arena);
	mem_free(r);
	*request = NULL;
}
