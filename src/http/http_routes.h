/*
 * The table of routes: all that is known of a path stands in its entry. Requests are checked and
 * answered by it (http_request.c), and the description of the API is made from it (http_openapi.c).
 */
#pragma once

#include "http/http_answer.h"
#include "http/http_server.h"
#include "http/http_work.h"

enum http_access {
	HTTP_ACCESS_TOKEN,
	HTTP_ACCESS_OPEN,
	HTTP_ACCESS_METRICS, /* a token, unless http.metrics_open */
};

/* A member of an answer that is an object; there may be more than are named. */
struct http_member {
	const char *name, *type; /* a type of JSON Schema */
	const char *help;
};

struct http_route {
	const char *method, *path; /* the last segment may be a parameter: "/v1/products/{id}" */
	const struct http_parameter *parameters; /* NULL: none */
	size_t values_size;			 /* of the struct that they fill */
	enum http_search_kind kind;		 /* of the paths of the search */
	enum http_access access;
	unsigned rights; /* bits of enum access_http, one of them is needed; 0: the operator's */
	/* Which of them this request needs; NULL: any. */
	unsigned (*needs)(const void *values, const struct http_guest *guest);
	const struct http_member *body; /* members of the body's object, as `members` */

	/* ERR_UNSUPPORTED when this worker does not know what it is about; NULL: it does. */
	int (*check)(const struct http_server *s, struct err *err);
	/* `values` is the filled struct. */
	enum MHD_Result (*answer)(struct http_server *s, struct MHD_Connection *c,
				  const void *values);
	/* Instead of it, for what takes a while: on the pool, with a struct http_question. */
	http_work_fn work;

	const char *summary;
	const char *answer_help, *answer_type; /* NULL: an object as JSON */
	const struct http_member *members;     /* ends with a name of NULL; NULL: none are told */
	unsigned answer_status;		       /* 0: 200 */
	unsigned statuses[6]; /* of problems, but for those that every route has; ends with 0 */
	bool is_endless;      /* the answer goes on until the client leaves */
	bool takes_body;      /* JSON; with a header "Idempotency-Key" */
};
extern const struct http_route http_routes[]; /* ends with a method of NULL */

/* What the pool works on. */
struct http_question {
	const struct http_route *route;
	void *values;
	struct str body;
	const char *key; /* the header "Idempotency-Key"; NULL: none */
	const struct http_guest *guest;
	const char *wrong; /* the parameter that an ERR_INVALID_ARGUMENT of the answer is about */
};

/* The description of the table as OpenAPI 3.1 (http_openapi.c). */
void http_openapi_write(struct strbuf *b);
