/*
 * A request's life, and the one place where method, length, token, parameters and rights are
 * checked, in this order.
 *
 * MHD calls http_request_new() with the request line, http_request_handle() once when the header is
 * there, then with pieces of the body, then once more at its end, and http_request_done(). What can
 * be refused by the header alone is refused at the first call, so that no body is read for it. A
 * body that turns out too long (chunked: no length is announced) is dropped as it comes and
 * answered with 413 at its end; one that goes on far beyond is cut off.
 *
 * A token that has to be looked up suspends the connection at the first call, and so does one that
 * is none, for its answer comes late. MHD then repeats the first call: no body is read until it is
 * known who sends it.
 *
 * The request has an arena: its line, its parameters, and with them the question that a thread of
 * the pool works on. The connection is suspended meanwhile, so the request outlives the work.
 */
#include "http/http_routes.h"
#include "http/http_server_int.h"

#include <stdio.h>
#include <strings.h>

#include "base/banned.h"

#define DROPPED_BODY_MAX (1 << 20) /* a body beyond its limit by this much loses the connection */

enum phase {
	PHASE_NEW,
	PHASE_ASKED,	/* the token is being looked up */
	PHASE_LATE,	/* it is none, and the answer waits */
	PHASE_ADMITTED, /* nothing speaks against it */
};

struct request {
	struct arena arena;
	struct http_uri uri;
	enum phase phase;
	const struct http_route *route;
	struct str segment; /* of the path */
	struct http_ticket ticket;
	struct http_work *lookup;
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

static void count_refusal(const char *why)
{
	metric_add(metric_series(METRIC_COUNTER, "aethermart_http_refusals_total",
				 "Requests that were refused by who asks.", "reason", why),
		   1);
}

static enum MHD_Result refuse_token(struct MHD_Connection *c, bool is_given)
{
	count_refusal(is_given ? "wrong_token" : "no_token");
	return http_answer_problem(
	    c,
	    &(struct http_problem){
		.code = ERR_PERMISSION,
		.status = MHD_HTTP_UNAUTHORIZED,
		.detail = is_given ? "the token is none, was revoked or has expired"
				   : "this path needs the header \"Authorization: Bearer TOKEN\"",
		.hint = "`aethermart token create` makes one; the operator's is in the file "
			"http.token in stack.dir",
		.header = "WWW-Authenticate",
		.header_value = is_given ? "Bearer realm=\"aethermart\", error=\"invalid_token\""
					 : "Bearer realm=\"aethermart\""});
}

/* A visitor may come back with a token. */
static enum MHD_Result refuse_right(struct MHD_Connection *c, const struct http_guest *guest)
{
	if (guest->is_visitor)
		return refuse_token(c, false);
	count_refusal("right");
	return http_answer_problem(
	    c, &(struct http_problem){.code = ERR_PERMISSION,
				      .detail = "the role of this token may not ask for this",
				      .hint = "rules/access.yaml says what a role may"});
}

static enum MHD_Result refuse_for(struct MHD_Connection *c, const char *detail, unsigned status,
				  unsigned seconds)
{
	char after[16];

	(void)snprintf(after, sizeof(after), "%u", seconds);
	return http_answer_problem(
	    c, &(struct http_problem){
		   .code = status == MHD_HTTP_TOO_MANY_REQUESTS ? ERR_LIMIT : ERR_UNAVAILABLE,
		   .status = status,
		   .detail = detail,
		   .header = "Retry-After",
		   .header_value = after});
}

static enum MHD_Result refuse_away(struct MHD_Connection *c)
{
	count_refusal("away");
	return refuse_for(c, "whose the token is cannot be looked up now",
			  MHD_HTTP_SERVICE_UNAVAILABLE, 1);
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

static const struct http_guest operator_guest = {
    .rights = ACCESS_HTTP_ALL, .is_operator = true, .sees_personal = true, .role = "operator"};

static bool is_open(const struct http_server *s, const struct http_route *route)
{
	return route->access == HTTP_ACCESS_OPEN ||
	       (route->access == HTTP_ACCESS_METRICS && s->options.is_metrics_open);
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

/* --- who asks -------------------------------------------------------------------------------- */

static const struct sockaddr *address_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info ? info->client_addr : NULL;
}

struct headers {
	size_t n;
	const char *last;
};

static enum MHD_Result note_header(void *cls, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	struct headers *h = cls;

	(void)kind;
	if (strcasecmp(name, "Authorization") == 0) {
		h->n++;
		h->last = value;
	}
	return MHD_YES;
}

/* What the header says: admitted, unknown (a ticket was made), or no token; of two headers one may
 * be somebody else's. */
static enum http_verdict read_authorization(const struct http_server *s, struct MHD_Connection *c,
					    struct request *r, bool *ret_given)
{
	struct headers h = {0};
	struct str token;

	(void)MHD_get_connection_values(c, MHD_HEADER_KIND, note_header, &h);
	*ret_given = h.n > 0;
	if (!h.n && s->options.visitor) {
		r->ticket.guest = s->visitor;
		r->ticket.guest.is_visitor = true;
		return HTTP_ADMITTED;
	}
	if (h.n != 1 || !h.last || !http_token_read(h.last, &token))
		return HTTP_NO_TOKEN;
	if (http_token_matches(s->token, token)) {
		r->ticket.guest = operator_guest;
		return HTTP_ADMITTED;
	}
	r->ticket.token = (struct str){arena_strndup(&r->arena, token.data, token.len), token.len};
	return http_door_knows(s->door, &r->ticket) ? r->ticket.verdict : HTTP_UNKNOWN;
}

/* The right is known: parameters, and what they need; the limit of requests. */
static enum MHD_Result admit(const struct http_listener *l, struct MHD_Connection *c,
			     struct request *r)
{
	static const struct http_parameter none[] = {{0}};
	const struct http_input input = {.query = r->uri.query, .segment = r->segment};
	const struct http_guest *guest = &r->ticket.guest;
	const struct http_route *route = r->route;
	struct http_mistakes mistakes;
	struct err err = {0};
	unsigned seconds;

	if (!is_open(l->server, route)) {
		seconds = http_door_take(l->server->door, guest, address_of(c));
		if (seconds) {
			count_refusal("rate");
			return refuse_for(c, "too many requests", MHD_HTTP_TOO_MANY_REQUESTS,
					  seconds);
		}
		if (!guest->is_operator && !(route->rights & guest->rights))
			return refuse_right(c, guest);
	}
	r->question = (struct http_question){
	    .route = route, .guest = guest, .values = arena_alloc(&r->arena, route->values_size)};
	if (http_parameters_read(route->parameters ? route->parameters : none, &input, &r->arena,
				 r->question.values, &mistakes, &err) < 0)
		return refuse_parameters(c, &err, &mistakes);
	if (route->needs && !guest->is_operator &&
	    !(route->needs(r->question.values, guest) & guest->rights))
		return refuse_right(c, guest);
	if (route->check && route->check(l->server, &err) < 0)
		return http_answer_error(c, &err);
	r->phase = PHASE_ADMITTED;
	return MHD_YES;
}

/* The answer waits; the door wakes the connection. */
static enum MHD_Result refuse_late(const struct http_listener *l, struct MHD_Connection *c,
				   struct request *r)
{
	struct http_late late;

	if (!http_door_fail(l->server->door, address_of(c), &late)) {
		count_refusal("rate");
		return refuse_for(c, "too many tokens that are none", MHD_HTTP_TOO_MANY_REQUESTS,
				  5);
	}
	r->phase = PHASE_LATE;
	MHD_suspend_connection(c);
	http_door_delay(l->server->door, &late, http_request_wake, c);
	return MHD_YES;
}

static enum MHD_Result ask_for_token(const struct http_listener *l, struct MHD_Connection *c,
				     struct request *r)
{
	r->lookup = http_door_ask(l->server->door, &r->ticket, http_request_wake, c);
	if (!r->lookup)
		return refuse_away(c);
	r->phase = PHASE_ASKED;
	MHD_suspend_connection(c);
	http_door_start(l->server->door, r->lookup);
	return MHD_YES;
}

static enum MHD_Result judge(const struct http_listener *l, struct MHD_Connection *c,
			     struct request *r, enum http_verdict verdict)
{
	switch (verdict) {
	case HTTP_ADMITTED:
		return admit(l, c, r);
	case HTTP_NO_TOKEN:
		return refuse_late(l, c, r);
	case HTTP_UNKNOWN:
	case HTTP_AWAY:
		break;
	}
	return refuse_away(c);
}

/* The first call: header only. */
static enum MHD_Result start(const struct http_listener *l, struct MHD_Connection *c,
			     const char *method, struct request *r)
{
	_cleanup_(strbuf_done) struct strbuf allow = STRBUF_INIT(256);
	bool is_given = false;
	enum http_verdict verdict = HTTP_ADMITTED;

	r->route = find_route(method, r->uri.path, &r->segment, &allow);
	if (!r->route && allow.len)
		return refuse_method(c, strbuf_str(&allow));
	if (!r->route)
		return refuse(c, MHD_HTTP_NOT_FOUND, ERR_NOT_FOUND, "no such path");
	if (announced_length(c) > body_limit(l->server, r->route))
		return refuse_length(l->server, r->route, c);
	if (l->is_unix)
		r->ticket.guest = operator_guest;
	else if (!is_open(l->server, r->route))
		verdict = read_authorization(l->server, c, r, &is_given);
	if (verdict == HTTP_UNKNOWN)
		return ask_for_token(l, c, r);
	if (verdict == HTTP_NO_TOKEN && !is_given)
		return refuse_token(c, false);
	return judge(l, c, r, verdict);
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

/* The last call: all of the request is there. */
static enum MHD_Result finish(const struct http_listener *l, struct MHD_Connection *c,
			      struct request *r)
{
	if (r->is_too_long)
		return refuse_length(l->server, r->route, c);
	if (r->work)
		return answer_work(r, c);
	return r->route->work ? start_work(l->server, r, c)
			      : r->route->answer(l->server, c, r->question.values);
}

static enum MHD_Result take_body(const struct http_listener *l, struct request *r, const char *data,
				 size_t *size)
{
	size_t limit = body_limit(l->server, r->route);

	r->body_bytes += *size;
	r->is_too_long |= r->body_bytes > limit;
	if (!r->is_too_long)
		strbuf_add(&r->body, data, *size);
	*size = 0;
	return r->body_bytes > limit + DROPPED_BODY_MAX ? MHD_NO : MHD_YES;
}

/* --- how long it may take -------------------------------------------------------------------- */

#define ANSWER_S 300 /* for making it and for reading it: a provider may be slow, or a client */

static void allow(const struct http_listener *l, struct MHD_Connection *c, int64_t seconds)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info && info->socket_context)
		http_watch_within(l->server->watch, info->socket_context, seconds);
}

void http_request_notify(void *cls, struct MHD_Connection *c, void **context,
			 enum MHD_ConnectionNotificationCode code)
{
	const struct http_listener *l = cls;
	const union MHD_ConnectionInfo *fd =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (l->is_unix || !fd)
		return;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = http_watch_add(l->server->watch, fd->connect_fd, address_of(c),
					  l->server->options.timeout_s);
	} else if (*context) {
		http_watch_remove(l->server->watch, *context);
		*context = NULL;
	}
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

	(void)url;
	(void)version;
	switch (r->phase) {
	case PHASE_NEW:
		allow(l, c, (int64_t)l->server->options.timeout_s + HTTP_DELAY_MAX_MS / 1000);
		return start(l, c, method, r);
	case PHASE_ASKED:
		return judge(l, c, r, r->ticket.verdict);
	case PHASE_LATE:
		return refuse_token(c, true);
	case PHASE_ADMITTED:
		break;
	}
	if (*size)
		return take_body(l, r, data, size);
	allow(l, c, r->route->is_endless ? 0 : ANSWER_S);
	return finish(l, c, r);
}

void http_request_done(void *cls, struct MHD_Connection *c, void **request,
		       enum MHD_RequestTerminationCode why)
{
	const struct http_listener *l = cls;
	struct request *r = *request;

	(void)why;
	/* For the next one: silence before it, and its header. */
	allow(l, c, 2 * (int64_t)l->server->options.timeout_s);
	if (!r)
		return;
	(void)http_work_free(r->work);
	(void)http_work_free(r->lookup);
	strbuf_done(&r->body);
	arena_done(&r->arena);
	mem_free(r);
	*request = NULL;
}
