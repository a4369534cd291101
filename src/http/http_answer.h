/*
 * Answers: texts, and problems as RFC 9457 has them. Each function queues a response on the
 * connection and counts it; what it returns goes back to MHD. On threads of MHD, inside its
 * callbacks.
 */
#pragma once

#include "http/http_parameters.h"

#include <microhttpd.h>

#define HTTP_TYPE_JSON	  "application/json"
#define HTTP_TYPE_PROBLEM "application/problem+json"

/* Takes the response, which may be NULL: then the connection is closed. */
enum MHD_Result http_answer(struct MHD_Connection *c, unsigned status,
			    struct MHD_Response *response, const char *type);

/* Takes the text out of the buffer. One that was cut becomes a problem of status 500. */
enum MHD_Result http_answer_text(struct MHD_Connection *c, unsigned status, struct strbuf *b,
				 const char *type);

/*
 * {"type":"urn:aethermart:problem:not-found","title":"not found","status":404,"detail":"…",
 * "code":"NOT_FOUND"}, with "hint" where there is one, and with "errors":[{"parameter","detail"}]
 * for parameters. `type` and `title` follow from the class of the error (base/err.h), `code` is its
 * name. The type is a name, not an address: where a server is reached, and by whom, it cannot know.
 */
struct http_problem {
	int code;
	unsigned status; /* 0: that of the class */
	const char *detail;
	const char *hint;		      /* NULL or "": none */
	const struct http_mistakes *mistakes; /* NULL: none */
	const char *header, *header_value;    /* NULL, or one more */
};
void http_problem_write(const struct http_problem *p, struct strbuf *b);
enum MHD_Result http_answer_problem(struct MHD_Connection *c, const struct http_problem *p);
/* The status of its class, its message and hint. */
enum MHD_Result http_answer_error(struct MHD_Connection *c, const struct err *err);
