/* Answers: see http_answer.h. */
#include "http/http_answer.h"

#include "base/metrics.h"

#include <ctype.h>
#include <stdio.h>

#include "base/banned.h"

/* Beyond what the texts of an error and HTTP_MISTAKES_MAX mistakes come to, escaped. */
#define PROBLEM_MAX ((size_t)64 << 10)

static void count_answer(unsigned status)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", status);
	metric_add(metric_series(METRIC_COUNTER, "aethermart_http_requests_total",
				 "Requests by status of the answer.", "status", text),
		   1);
}

enum MHD_Result http_answer(struct MHD_Connection *c, unsigned status,
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

static void add_member(struct strbuf *b, const char *name, const char *text)
{
	strbuf_addf(b, ",\"%s\":", name);
	strbuf_add_json(b, text, strlen(text));
}

static void add_mistakes(struct strbuf *b, const struct http_mistakes *m)
{
	strbuf_addstr(b, ",\"errors\":[");
	for (size_t i = 0; i < m->n; i++) {
		strbuf_addstr(b, i ? ",{\"parameter\":" : "{\"parameter\":");
		strbuf_add_json(b, m->items[i].parameter, strlen(m->items[i].parameter));
		add_member(b, "detail", m->items[i].detail);
		strbuf_addch(b, '}');
	}
	strbuf_addch(b, ']');
}

static unsigned status_of(const struct http_problem *p)
{
	return p->status ? p->status : (unsigned)err_http_status(p->code);
}

void http_problem_write(const struct http_problem *p, struct strbuf *b)
{
	strbuf_addstr(b, "{\"type\":\"urn:aethermart:problem:");
	for (const char *s = err_name(p->code); *s; s++)
		strbuf_addch(b, *s == '_' ? '-' : (char)tolower((unsigned char)*s));
	strbuf_addf(b, "\",\"title\":\"%s\",\"status\":%u", err_text(p->code), status_of(p));
	add_member(b, "detail", p->detail);
	add_member(b, "code", err_name(p->code));
	if (p->hint && p->hint[0])
		add_member(b, "hint", p->hint);
	if (p->mistakes && p->mistakes->n)
		add_mistakes(b, p->mistakes);
	strbuf_addstr(b, "}\n");
}

enum MHD_Result http_answer_problem(struct MHD_Connection *c, const struct http_problem *p)
{
	struct strbuf b = STRBUF_INIT(PROBLEM_MAX);
	struct MHD_Response *response;

	http_problem_write(p, &b);
	bug_if(b.overflow);
	response = response_of(&b);
	if (response && p->header)
		(void)MHD_add_response_header(response, p->header, p->header_value);
	return http_answer(c, status_of(p), response, HTTP_TYPE_PROBLEM);
}

enum MHD_Result http_answer_error(struct MHD_Connection *c, const struct err *err)
{
	int code = (int)err->code;

	return http_answer_problem(
	    c, &(struct http_problem){.code = code,
				      .detail = err->message[0] ? err->message : err_text(code),
				      .hint = err->hint});
}

enum MHD_Result http_answer_text(struct MHD_Connection *c, unsigned status, struct strbuf *b,
				 const char *type)
{
	struct err err = {0};

	if (strbuf_check(b, "the answer", &err) < 0) {
		strbuf_done(b);
		return http_answer_problem(
		    c, &(struct http_problem){.code = ERR_LIMIT,
					      .status = MHD_HTTP_INTERNAL_SERVER_ERROR,
					      .detail = err.message});
	}
	return http_answer(c, status, response_of(b), type);
}
