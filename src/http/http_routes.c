/*
 * The table of routes, their parameters and their handlers. A handler is called when its request
 * was checked against the table and has ended; it gets the parameters as a filled struct.
 *
 * One struct for the five paths of the search, so that each parameter stands once and the other
 * side of the callback reads one form.
 */
#include "http/http_routes.h"

#include "http/http_server_int.h"

#include "base/banned.h"

#define METRICS_MAX	(16 << 20)
#define OPENAPI_MAX	(1 << 20)
#define FEED_BLOCK	8192
#define INDEX_K_MAX	1000
#define COLLECTION_MAX	128  /* bytes of a collection's name */
#define KEY_MAX		1024 /* bytes of a document's key, as in the queues */
#define KEYS_MAX	256  /* of one question */
#define KEY_TEXT_MAX	64   /* characters of an idempotency key */
#define ATTRIBUTE_MAX	128  /* bytes of an attribute's name, with what orders by it */
#define TEXT_MAX	4096 /* bytes of what is looked for */
#define TEXT_CHARS	1000
#define PREFIX_MAX	256 /* bytes of what a person has typed so far */
#define FILTERS_MAX	32
#define FILTER_MAX	1024 /* bytes */
#define PARTS_MAX	18   /* of a query that can be taken back: search_query.h */
#define HITS_MAX	100
#define DEPTH_MAX	10000 /* a page further down costs as much as all before it */
#define SUGGESTIONS_MAX 20

/* --- handlers -------------------------------------------------------------------------------- */

static enum MHD_Result get_health(struct http_server *s, struct MHD_Connection *c,
				  const void *values)
{
	struct strbuf b = STRBUF_INIT(64);

	(void)s;
	(void)values;
	strbuf_addstr(&b, "{\"status\":\"ok\"}\n");
	return http_answer_text(c, MHD_HTTP_OK, &b, HTTP_TYPE_JSON);
}

static enum MHD_Result get_ready(struct http_server *s, struct MHD_Connection *c,
				 const void *values)
{
	struct strbuf b = STRBUF_INIT(64);

	(void)values;
	if (s->options.is_ready && !s->options.is_ready(s->options.arg))
		return http_answer_problem(
		    c, &(struct http_problem){
			   .code = ERR_UNAVAILABLE,
			   .detail = "not ready: standing by, or a store does not answer"});
	strbuf_addstr(&b, "{\"status\":\"ready\"}\n");
	return http_answer_text(c, MHD_HTTP_OK, &b, HTTP_TYPE_JSON);
}

static enum MHD_Result get_metrics(struct http_server *s, struct MHD_Connection *c,
				   const void *values)
{
	struct strbuf b = STRBUF_INIT(METRICS_MAX);

	(void)values;
	if (s->options.refresh_metrics)
		s->options.refresh_metrics(s->options.arg);
	metrics_export(&b);
	return http_answer_text(c, MHD_HTTP_OK, &b, "text/plain; version=0.0.4; charset=utf-8");
}

static enum MHD_Result get_openapi(struct http_server *s, struct MHD_Connection *c,
				   const void *values)
{
	struct strbuf b = STRBUF_INIT(OPENAPI_MAX);

	(void)s;
	(void)values;
	http_openapi_write(&b);
	return http_answer_text(c, MHD_HTTP_OK, &b, HTTP_TYPE_JSON);
}

static enum MHD_Result get_status(struct http_server *s, struct MHD_Connection *c,
				  const void *values)
{
	struct strbuf b = STRBUF_INIT(HTTP_STATUS_MAX);

	(void)values;
	if (s->options.status)
		s->options.status(s->options.arg, &b);
	else
		strbuf_addstr(&b, "{}");
	strbuf_addch(&b, '\n');
	return http_answer_text(c, MHD_HTTP_OK, &b, HTTP_TYPE_JSON);
}

static void park(void *arg)
{
	MHD_suspend_connection(arg);
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

static enum MHD_Result get_changes(struct http_server *s, struct MHD_Connection *c,
				   const void *values)
{
	struct http_reader *reader = http_reader_new(s->feed, park, http_request_wake, c);
	struct MHD_Response *response;

	(void)values;
	if (!reader)
		return http_answer_problem(
		    c, &(struct http_problem){.code = ERR_LIMIT,
					      .status = MHD_HTTP_SERVICE_UNAVAILABLE,
					      .detail = "the feed has as many readers as it may "
							"have, or the server stops"});
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, FEED_BLOCK, read_feed,
						     reader, free_reader);
	if (!response)
		(void)http_reader_free(reader);
	return http_answer(c, MHD_HTTP_OK, response, "application/x-ndjson");
}

/* --- orders ---------------------------------------------------------------------------------- */

static int check_orders(const struct http_server *s, struct err *err)
{
	return s->options.place_order
		   ? 0
		   : err_set(err, ERR_UNSUPPORTED, "this worker takes no orders");
}

static bool is_key(const char *key)
{
	size_t n = 0;

	while (key && key[n] >= ' ' && key[n] <= '~')
		n++;
	return n > 0 && n <= KEY_TEXT_MAX && !key[n];
}

static int work_order(void *arg, void *question, struct strbuf *answer, struct err *err)
{
	struct http_server *s = arg;
	struct http_question *q = question;

	if (!is_key(q->key)) {
		q->wrong = "Idempotency-Key";
		return err_set(err, ERR_INVALID_ARGUMENT, "the header \"%s\" %s", q->wrong,
			       q->key ? "is not 1 to 64 ASCII characters" : "is missing");
	}
	return s->options.place_order(
	    s->options.arg,
	    &(struct http_order){.body = q->body,
				 .key = q->key,
				 .customer =
				     q->guest->rights & ACCESS_HTTP_ORDERS ? 0 : q->guest->customer,
				 .guest = q->guest},
	    answer, err);
}

static const struct http_member order_body[] = {
    {"customer_id", "integer", "Who orders."},
    {"lines", "array",
     "Objects with product_id and quantity, and as they are wanted price (the one that was "
     "quoted) and date (of a service)."},
    {"address_id", "integer", "Where it goes; the default address when not given."},
    {"cart_id", "integer", "A cart of the customer whose reservation becomes the order."},
    {"quoted_prices", "object", "Prices by product, which have to be those of now."},
    {"channel", "string", "How it came; \"api\" when not given."},
    {0}};

static const struct http_member order_members[] = {
    {"order_id", "integer", "Its number."},
    {"total_amount", "number", "What is to be paid."},
    {"currency", "string", "ISO 4217."},
    {"placed_at", "string", "UTC."},
    {0}};

/* --- the index ------------------------------------------------------------------------------- */

static int no_index(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "this worker keeps no index");
}

static int check_index(const struct http_server *s, struct err *err)
{
	const struct http_server_options *o = &s->options;

	return o->index_status && o->index_rebuild && o->index_forget && o->index_query &&
		       o->index_inventory
		   ? 0
		   : no_index(err);
}

static int check_search(const struct http_server *s, struct err *err)
{
	return s->options.search ? 0 : no_index(err);
}

static enum MHD_Result get_index_status(struct http_server *s, struct MHD_Connection *c,
					const void *values)
{
	struct strbuf b = STRBUF_INIT(HTTP_STATUS_MAX);

	(void)values;
	s->options.index_status(s->options.arg, &b);
	strbuf_addch(&b, '\n');
	return http_answer_text(c, MHD_HTTP_OK, &b, HTTP_TYPE_JSON);
}

static enum MHD_Result answer_accepted(struct MHD_Connection *c, int r, const struct err *err)
{
	struct strbuf b = STRBUF_INIT(64);

	if (r < 0)
		return http_answer_error(c, err);
	strbuf_addstr(&b, "{\"status\":\"accepted\"}\n");
	return http_answer_text(c, MHD_HTTP_ACCEPTED, &b, HTTP_TYPE_JSON);
}

static enum MHD_Result post_index_rebuild(struct http_server *s, struct MHD_Connection *c,
					  const void *values)
{
	const struct http_index_query *q = values;
	struct err err = {0};

	return answer_accepted(c, s->options.index_rebuild(s->options.arg, q->collection, &err),
			       &err);
}

static enum MHD_Result post_index_forget(struct http_server *s, struct MHD_Connection *c,
					 const void *values)
{
	struct err err = {0};

	(void)values;
	return answer_accepted(c, s->options.index_forget(s->options.arg, &err), &err);
}

static int work_index_query(void *arg, void *question, struct strbuf *answer, struct err *err)
{
	const struct http_server *s = arg;
	const struct http_question *x = question;
	struct http_index_query *q = x->values;
	int r;

	q->guest = x->guest;
	r = s->options.index_query(s->options.arg, q, answer, err);

	strbuf_addch(answer, '\n');
	return r;
}

static int work_index_inventory(void *arg, void *question, struct strbuf *answer, struct err *err)
{
	const struct http_server *s = arg;
	const struct http_question *x = question;
	int r = s->options.index_inventory(s->options.arg, x->values, answer, err);

	strbuf_addch(answer, '\n');
	return r;
}

static int work_search(void *arg, void *question, struct strbuf *answer, struct err *err)
{
	const struct http_server *s = arg;
	struct http_question *x = question;
	struct http_search *q = x->values;
	int r;

	q->kind = x->route->kind;
	q->guest = x->guest;
	q->wrong = &x->wrong;
	r = s->options.search(s->options.arg, q, answer, err);
	strbuf_addch(answer, '\n');
	return r;
}

/* --- rights ---------------------------------------------------------------------------------- */

static unsigned need_place(const void *values, const struct http_guest *guest)
{
	const struct http_search *q = values;

	(void)guest;
	return cstr_equal(q->in, "reviews")	? ACCESS_HTTP_REVIEWS
	       : cstr_equal(q->in, "customers") ? ACCESS_HTTP_CUSTOMERS
						: ACCESS_HTTP_CATALOGUE;
}

/* What a customer bought shows in what is recommended: to that customer, and who may see it. */
static unsigned need_recommendations(const void *values, const struct http_guest *guest)
{
	const struct http_search *q = values;
	uint64_t customer;

	/* What was known before an order, less what is known behind it, is that order. */
	if (q->before)
		return ACCESS_HTTP_CUSTOMERS;
	if (!q->customer ||
	    (guest->customer &&
	     parse_uint64(str_from(q->customer), UINT64_MAX, &customer, NULL) == 0 &&
	     customer == guest->customer))
		return ACCESS_HTTP_CATALOGUE;
	return ACCESS_HTTP_CUSTOMERS;
}

/* Who may order for one customer only has to be one. */
static unsigned need_orders(const void *values, const struct http_guest *guest)
{
	(void)values;
	return ACCESS_HTTP_ORDERS | (guest->customer ? ACCESS_HTTP_OWN_ORDERS : 0U);
}

/* --- parameters ------------------------------------------------------------------------------ */

#define OF_INDEX(field)	 .offset = offsetof(struct http_index_query, field)
#define OF_SEARCH(field) .offset = offsetof(struct http_search, field)

static const struct http_parameter rebuild_parameters[] = {
    {.name = "collection",
     .type = HTTP_TYPE_TEXT,
     .min = 1,
     .max = COLLECTION_MAX,
     OF_INDEX(collection),
     .help = "Only this collection."},
    {0},
};

static const struct http_parameter index_query_parameters[] = {
    {.name = "collection",
     .type = HTTP_TYPE_TEXT,
     .is_required = true,
     .min = 1,
     .max = COLLECTION_MAX,
     OF_INDEX(collection),
     .help = "The collection whose documents are looked at."},
    {.name = "text",
     .type = HTTP_TYPE_TEXT,
     .is_required = true,
     .min = 1,
     .max = TEXT_MAX,
     OF_INDEX(text),
     .help = "What the documents have to be near to."},
    {.name = "k",
     .type = HTTP_TYPE_INTEGER,
     .min = 1,
     .max = INDEX_K_MAX,
     .fallback = "10",
     OF_INDEX(k),
     .help = "How many documents."},
    {0},
};

static const struct http_parameter index_inventory_parameters[] = {
    {.name = "collection",
     .type = HTTP_TYPE_TEXT,
     .is_required = true,
     .min = 1,
     .max = COLLECTION_MAX,
     OF_INDEX(collection),
     .help = "The collection whose documents are told."},
    {.name = "key",
     .type = HTTP_TYPE_TEXT,
     .count_max = KEYS_MAX,
     .max = 2L * KEY_MAX,
     OF_INDEX(keys),
     .help = "Only the document of this key, whose bytes are written in hexadecimal."},
    {.name = "from",
     .type = HTTP_TYPE_INTEGER,
     .min = 0,
     .max = UINT32_MAX,
     .fallback = "0",
     OF_INDEX(from),
     .help = "Where the page begins: next of the answer before."},
    {0},
};

static const char *const places[] = {"products", "services", "reviews", "customers", NULL};
static const char *const modes[] = {"lexical", "vector", "hybrid", NULL};
static const char *const fusions[] = {"sum", "rrf", NULL};

/* What several paths know. */
#define PARAMETER_IN                                                                               \
	{                                                                                          \
		.name = "in", .type = HTTP_TYPE_CHOICE, .choices = places, .fallback = "products", \
		OF_SEARCH(in), .help = "What is searched."                                         \
	}
#define PARAMETER_ID(about)                                                                 \
	{                                                                                   \
		.name = "id", .type = HTTP_TYPE_TEXT, .in_path = true, .is_required = true, \
		.min = 1, .max = KEY_MAX, OF_SEARCH(id), .help = (about)                    \
	}
#define PARAMETER_LIMIT(least, most, usual)                                                  \
	{                                                                                    \
		.name = "limit", .type = HTTP_TYPE_INTEGER, .min = (least), .max = (most),   \
		.fallback = (usual), OF_SEARCH(limit), .help = "How many are told, at most." \
	}

static const struct http_parameter search_parameters[] = {
    {.name = "q",
     .type = HTTP_TYPE_TEXT,
     .max = TEXT_MAX,
     .characters_max = TEXT_CHARS,
     .fallback = "",
     OF_SEARCH(q),
     .help = "What is looked for, in a person's words. Empty: everything that passes the filters."},
    PARAMETER_IN,
    {.name = "filter",
     .type = HTTP_TYPE_TEXT,
     .count_max = FILTERS_MAX,
     .min = 1,
     .max = FILTER_MAX,
     OF_SEARCH(filters),
     .help = "A condition on an attribute, such as price<100 or brand=Sony|LG; all of them hold."},
    {.name = "sort",
     .type = HTTP_TYPE_TEXT,
     .min = 1,
     .max = ATTRIBUTE_MAX,
     OF_SEARCH(sort),
     .help = "An attribute to order by, with - before it from high to low; or relevance."},
    {.name = "mode",
     .type = HTTP_TYPE_CHOICE,
     .choices = modes,
     OF_SEARCH(mode),
     .help = "By words, by meaning, or by both."},
    PARAMETER_LIMIT(0, HITS_MAX, "10"),
    {.name = "offset",
     .type = HTTP_TYPE_INTEGER,
     .min = 0,
     .max = DEPTH_MAX,
     .fallback = "0",
     OF_SEARCH(offset),
     .help = "How many hits are skipped."},
    {.name = "facets",
     .type = HTTP_TYPE_TEXT,
     .count_max = FILTERS_MAX,
     .min = 1,
     .max = ATTRIBUTE_MAX,
     OF_SEARCH(facets),
     .help = "An attribute whose values are counted."},
    {.name = "explain",
     .type = HTTP_TYPE_BOOLEAN,
     .fallback = "false",
     OF_SEARCH(explains),
     .help = "Whether the answer tells how it came about."},
    {.name = "without",
     .type = HTTP_TYPE_INTEGER,
     .count_max = PARTS_MAX,
     .min = 0,
     .max = PARTS_MAX - 1,
     OF_SEARCH(without),
     .help = "A part of the query that is not to be understood, by its \"number\" in a former "
	     "answer: its words are then words."},
    {.name = "literal",
     .type = HTTP_TYPE_BOOLEAN,
     .fallback = "false",
     OF_SEARCH(is_literal),
     .help = "Whether nothing in q is understood as a constraint."},
    {.name = "collapse",
     .type = HTTP_TYPE_BOOLEAN,
     .fallback = "false",
     OF_SEARCH(collapses),
     .help = "Whether things whose titles say the same, but for numbers and values such as "
	     "colours, are one hit: the best of them, with the keys of the others as "
	     "\"variants\". The total and the facets count all of them."},
    {.name = "fusion",
     .type = HTTP_TYPE_CHOICE,
     .choices = fusions,
     OF_SEARCH(fusion),
     .help = "How words and meaning become one order: a weighted sum, or reciprocal ranks."},
    {0},
};

static const struct http_parameter suggest_parameters[] = {
    {.name = "q",
     .type = HTTP_TYPE_TEXT,
     .is_required = true,
     .min = 1,
     .max = PREFIX_MAX,
     OF_SEARCH(q),
     .help = "What was typed so far."},
    PARAMETER_LIMIT(1, SUGGESTIONS_MAX, "8"),
    {0},
};

static const struct http_parameter similar_parameters[] = {
    PARAMETER_ID("The key of the document that others are compared with."),
    PARAMETER_IN,
    PARAMETER_LIMIT(1, HITS_MAX, "10"),
    {0},
};

static const struct http_parameter recommendation_parameters[] = {
    {.name = "customer",
     .type = HTTP_TYPE_TEXT,
     .is_alternative = true,
     .min = 1,
     .max = KEY_MAX,
     OF_SEARCH(customer),
     .help = "The key of the customer to whom products are recommended."},
    {.name = "product",
     .type = HTTP_TYPE_TEXT,
     .is_alternative = true,
     .min = 1,
     .max = KEY_MAX,
     OF_SEARCH(product),
     .help = "The key of the product beside which others are recommended."},
    {.name = "before",
     .type = HTTP_TYPE_INTEGER,
     .min = 0,
     .max = INT64_MAX,
     .fallback = "0",
     OF_SEARCH(before),
     .help = "The number of an order: it and all later ones count as not placed. For measuring "
	     "how good recommendations are; 0 means that all count."},
    PARAMETER_LIMIT(1, HITS_MAX, "10"),
    {0},
};

static const struct http_parameter product_parameters[] = {
    PARAMETER_ID("The product's key."),
    {0},
};

/* --- the table ------------------------------------------------------------------------------- */

static const struct http_member state_members[] = {
    {"status", "string", "\"ok\", \"ready\" or \"accepted\"."},
    {0},
};

static const struct http_member search_members[] = {
    {"query", "string", "q as it was given."},
    {"parsed", "object", "How it was understood: text, filters, sort."},
    {"total", "integer", "How many documents are hits."},
    {"hits", "array", "The best of them, in order."},
    {"took_us", "integer", "Microseconds that the answer took."},
    {0},
};

static const struct http_member suggest_members[] = {
    {"query", "string", "q as it was given."},
    {"suggestions", "array", "What may be meant: text, kind, filter, documents."},
    {0},
};

static const struct http_member hits_members[] = {
    {"hits", "array", "Documents, the best one first."},
    {0},
};

static const struct http_member inventory_members[] = {
    {"documents", "array", "Keys, and hashes of what is there of them."},
    {"next", "integer", "Where the next page begins; not there: this is the last."},
    {0},
};

/* What the five paths of the search have in common. */
#define SEARCH_ROUTE(which)                                                          \
	.method = "GET", .values_size = sizeof(struct http_search), .kind = (which), \
	.check = check_search, .work = work_search
#define PLACES (ACCESS_HTTP_CATALOGUE | ACCESS_HTTP_REVIEWS | ACCESS_HTTP_CUSTOMERS)

const struct http_route http_routes[] = {
    {.method = "GET",
     .path = "/healthz",
     .access = HTTP_ACCESS_OPEN,
     .answer = get_health,
     .summary = "Whether the process lives.",
     .members = state_members},
    {.method = "GET",
     .path = "/readyz",
     .access = HTTP_ACCESS_OPEN,
     .answer = get_ready,
     .summary = "Whether it writes, and both stores answer.",
     .members = state_members,
     .statuses = {MHD_HTTP_SERVICE_UNAVAILABLE}},
    {.method = "GET",
     .path = "/metrics",
     .rights = ACCESS_HTTP_METRICS,
     .access = HTTP_ACCESS_METRICS,
     .answer = get_metrics,
     .summary = "Counters, gauges and histograms.",
     .answer_help = "Prometheus text format 0.0.4.",
     .answer_type = "text/plain"},
    /* Open: it tells what the program can do, which is no secret, and nothing of the shop; who
     * makes a client of it has no token yet. */
    {.method = "GET",
     .path = "/v1/openapi.json",
     .access = HTTP_ACCESS_OPEN,
     .answer = get_openapi,
     .summary = "This API as OpenAPI 3.1.",
     .answer_help = "An OpenAPI document."},
    {.method = "GET",
     .path = "/v1/status",
     .rights = ACCESS_HTTP_STATUS,
     .answer = get_status,
     .summary = "Role, lag and counts by collection."},
    {.method = "GET",
     .path = "/v1/changes",
     .answer = get_changes,
     .is_endless = true,
     .summary = "Each change as it is applied, without end.",
     .answer_help = "One JSON object a line: a change, {\"missed\":N} for a reader that was too "
		    "slow, or {\"heartbeat\":true}.",
     .answer_type = "application/x-ndjson",
     .statuses = {MHD_HTTP_SERVICE_UNAVAILABLE}},
    {.method = "GET",
     .path = "/v1/index/status",
     .rights = ACCESS_HTTP_STATUS,
     .check = check_index,
     .answer = get_index_status,
     .summary = "What the index holds, and how far it is.",
     .statuses = {MHD_HTTP_NOT_IMPLEMENTED}},
    {.method = "POST",
     .path = "/v1/index/rebuild",
     .rights = ACCESS_HTTP_INDEX,
     .parameters = rebuild_parameters,
     .values_size = sizeof(struct http_index_query),
     .check = check_index,
     .answer = post_index_rebuild,
     .summary = "Has every document read again.",
     .answer_status = MHD_HTTP_ACCEPTED,
     .answer_help = "It has begun.",
     .members = state_members,
     .statuses = {MHD_HTTP_NOT_FOUND, MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {.method = "POST",
     .path = "/v1/index/forget",
     .rights = ACCESS_HTTP_INDEX,
     .check = check_index,
     .answer = post_index_forget,
     .summary = "Has what was deleted or changed overwritten in files now.",
     .answer_status = MHD_HTTP_ACCEPTED,
     .answer_help = "It begins; what is not yet ten seconds old waits for the next time.",
     .members = state_members,
     .statuses = {MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {.method = "GET",
     .path = "/v1/index/query",
     .rights = ACCESS_HTTP_INDEX,
     .parameters = index_query_parameters,
     .values_size = sizeof(struct http_index_query),
     .check = check_index,
     .work = work_index_query,
     .summary = "The documents whose meaning is nearest to a text.",
     .members = hits_members,
     .statuses = {MHD_HTTP_NOT_FOUND, MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE,
		  MHD_HTTP_GATEWAY_TIMEOUT}},
    {.method = "GET",
     .path = "/v1/index/inventory",
     .rights = ACCESS_HTTP_INDEX,
     .parameters = index_inventory_parameters,
     .values_size = sizeof(struct http_index_query),
     .check = check_index,
     .work = work_index_inventory,
     .summary = "Which documents the index holds, with hashes of their content: for verify.",
     .members = inventory_members,
     .statuses = {MHD_HTTP_NOT_FOUND, MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {SEARCH_ROUTE(HTTP_SEARCH), .path = "/v1/search", .rights = PLACES, .needs = need_place,
     .parameters = search_parameters, .summary = "Documents by a person's words.",
     .members = search_members,
     .statuses = {MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {SEARCH_ROUTE(HTTP_SUGGEST), .path = "/v1/suggest", .rights = ACCESS_HTTP_CATALOGUE,
     .parameters = suggest_parameters, .summary = "What a person who types may mean.",
     .members = suggest_members,
     .statuses = {MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {SEARCH_ROUTE(HTTP_SIMILAR), .path = "/v1/similar/{id}", .rights = PLACES, .needs = need_place,
     .parameters = similar_parameters, .summary = "Documents like one that is there.",
     .members = hits_members,
     .statuses = {MHD_HTTP_NOT_FOUND, MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {SEARCH_ROUTE(HTTP_RECOMMEND), .path = "/v1/recommendations",
     .rights = ACCESS_HTTP_CATALOGUE | ACCESS_HTTP_CUSTOMERS, .needs = need_recommendations,
     .parameters = recommendation_parameters,
     .summary = "Products for a customer, or beside a product.", .members = hits_members,
     .statuses = {MHD_HTTP_NOT_FOUND, MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {.method = "POST",
     .path = "/v1/orders",
     .rights = ACCESS_HTTP_ORDERS | ACCESS_HTTP_OWN_ORDERS,
     .needs = need_orders,
     .takes_body = true,
     .body = order_body,
     .check = check_orders,
     .work = work_order,
     .summary = "Places an order.",
     .answer_status = MHD_HTTP_CREATED,
     .answer_help = "It is placed; asked again with the same key, the first answer.",
     .members = order_members,
     .statuses = {MHD_HTTP_NOT_FOUND, MHD_HTTP_CONFLICT, MHD_HTTP_NOT_IMPLEMENTED,
		  MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_GATEWAY_TIMEOUT}},
    {SEARCH_ROUTE(HTTP_PRODUCT), .path = "/v1/products/{id}", .rights = ACCESS_HTTP_CATALOGUE,
     .parameters = product_parameters, .summary = "One product.",
     .statuses = {MHD_HTTP_NOT_FOUND, MHD_HTTP_NOT_IMPLEMENTED, MHD_HTTP_SERVICE_UNAVAILABLE}},
    {0},
};
