/*
 * The table of routes as an OpenAPI 3.1 document, so that it can never say something else than what
 * is checked. Lengths: OpenAPI counts characters, we count bytes as well; what is only in bytes is
 * told in words, and maxLength is then a bound that no valid text exceeds.
 *
 * What a schema cannot say (exactly one of two parameters) is told in words too.
 */
#include "http/http_routes.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/banned.h"

#define PROBLEM_REF "#/components/schemas/Problem"

static json_t *text(const char *s)
{
	return json_string(s);
}

/* --- parameters ------------------------------------------------------------------------------ */

static json_t *choices_of(const struct http_parameter *p)
{
	json_t *list = json_array();

	for (const char *const *choice = p->choices; *choice; choice++)
		json_array_append_new(list, text(*choice));
	return list;
}

static json_t *value_schema(const struct http_parameter *p)
{
	switch (p->type) {
	case HTTP_TYPE_INTEGER:
	case HTTP_TYPE_NUMBER:
		return json_pack("{s:s, s:I, s:I}", "type",
				 p->type == HTTP_TYPE_INTEGER ? "integer" : "number", "minimum",
				 (json_int_t)p->min, "maximum", (json_int_t)p->max);
	case HTTP_TYPE_BOOLEAN:
		return json_pack("{s:s}", "type", "boolean");
	case HTTP_TYPE_CHOICE:
		return json_pack("{s:s, s:o}", "type", "string", "enum", choices_of(p));
	case HTTP_TYPE_TEXT:
		break;
	}
	return json_pack("{s:s, s:I, s:I}", "type", "string", "minLength", (json_int_t)p->min,
			 "maxLength", (json_int_t)(p->characters_max ? p->characters_max : p->max));
}

/* As JSON, where the table has it as it would be written. */
static json_t *fallback_of(const struct http_parameter *p)
{
	if (p->type == HTTP_TYPE_TEXT || p->type == HTTP_TYPE_CHOICE)
		return text(p->fallback);
	return json_loads(p->fallback, JSON_DECODE_ANY, NULL);
}

static json_t *schema_of(const struct http_parameter *p)
{
	json_t *schema = value_schema(p);

	if (p->count_max)
		return json_pack("{s:s, s:o, s:I}", "type", "array", "items", schema, "maxItems",
				 (json_int_t)p->count_max);
	if (p->fallback)
		json_object_set_new(schema, "default", fallback_of(p));
	return schema;
}

static json_t *parameter_of(const struct http_parameter *p)
{
	_cleanup_(strbuf_done) struct strbuf help = STRBUF_INIT(0);

	strbuf_addstr(&help, p->help);
	if (p->type == HTTP_TYPE_TEXT)
		strbuf_addf(&help, " At most %" PRId64 " bytes of UTF-8.", p->max);
	if (p->is_alternative)
		strbuf_addstr(&help, " Exactly one of the parameters with this remark is given.");
	return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", p->name, "in",
			 p->in_path ? "path" : "query", "required", p->is_required, "description",
			 strbuf_str(&help), "schema", schema_of(p));
}

static json_t *parameters_of(const struct http_route *route)
{
	json_t *list = json_array();

	for (const struct http_parameter *p = route->parameters; p && p->name; p++)
		json_array_append_new(list, parameter_of(p));
	if (route->takes_body)
		json_array_append_new(
		    list,
		    json_pack("{s:s, s:s, s:b, s:s, s:{s:s, s:i, s:i}}", "name", "Idempotency-Key",
			      "in", "header", "required", 1, "description",
			      "1 to 64 ASCII characters, new for each thing that is asked for: "
			      "asked again with it, nothing happens twice.",
			      "schema", "type", "string", "minLength", 1, "maxLength", 64));
	return list;
}

/* --- answers --------------------------------------------------------------------------------- */

static void add_members(json_t *schema, const struct http_member *list)
{
	json_t *members = json_object();

	for (const struct http_member *m = list; m && m->name; m++)
		json_object_set_new(
		    members, m->name,
		    json_pack("{s:s, s:s}", "type", m->type, "description", m->help));
	if (json_object_size(members))
		json_object_set(schema, "properties", members);
	json_decref(members);
}

static json_t *answer_schema(const struct http_route *route)
{
	json_t *schema = json_pack("{s:s}", "type", route->answer_type ? "string" : "object");

	add_members(schema, route->members);
	return schema;
}

static json_t *body_of(const struct http_route *route)
{
	json_t *schema = json_pack("{s:s}", "type", "object");

	add_members(schema, route->body);
	return json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", HTTP_TYPE_JSON, "schema",
			 schema);
}

static json_t *answer_of(const struct http_route *route)
{
	return json_pack("{s:s, s:{s:{s:o}}}", "description",
			 route->answer_help ? route->answer_help : "The answer.", "content",
			 route->answer_type ? route->answer_type : HTTP_TYPE_JSON, "schema",
			 answer_schema(route));
}

static void add_problem(json_t *responses, const char *status, const char *help)
{
	json_object_set_new(responses, status,
			    json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", help, "content",
				      HTTP_TYPE_PROBLEM, "schema", "$ref", PROBLEM_REF));
}

static const char *help_of(unsigned status)
{
	switch (status) {
	case MHD_HTTP_NOT_FOUND:
		return "There is no such thing, or something that is named is not there.";
	case MHD_HTTP_CONFLICT:
		return "It cannot be done as things stand: the detail says why.";
	case MHD_HTTP_NOT_IMPLEMENTED:
		return "This worker does not do this.";
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return "Not now: what is needed is away or not ready, or too many wait.";
	case MHD_HTTP_GATEWAY_TIMEOUT:
		return "What was asked did not answer in time.";
	default:
		bug_if(true);
	}
}

static json_t *responses_of(const struct http_route *route)
{
	json_t *responses = json_object();
	char status[16];

	snprintf(status, sizeof(status), "%u",
		 route->answer_status ? route->answer_status : (unsigned)MHD_HTTP_OK);
	json_object_set_new(responses, status, answer_of(route));
	add_problem(responses, "400", "Parameters are wrong: all of them are told in errors.");
	if (route->access != HTTP_ACCESS_OPEN) {
		add_problem(responses, "401",
			    "The token is missing, is none, was revoked or has expired.");
		add_problem(responses, "403", "The role of the token may not ask for this.");
		add_problem(responses, "429", "Too many requests: Retry-After tells the seconds.");
		add_problem(responses, "503", help_of(MHD_HTTP_SERVICE_UNAVAILABLE));
	}
	add_problem(responses, "413",
		    route->takes_body ? "The body is too long." : "There is a body.");
	for (const unsigned *s = route->statuses; *s; s++) {
		snprintf(status, sizeof(status), "%u", *s);
		add_problem(responses, status, help_of(*s));
	}
	add_problem(responses, "default", "Something else is wrong.");
	return responses;
}

/* --- the document ---------------------------------------------------------------------------- */

/* get_v1_products_id */
static json_t *operation_id(const struct http_route *route)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	for (const char *s = route->method; *s; s++)
		strbuf_addch(&b, (char)tolower((unsigned char)*s));
	for (const char *s = route->path; *s; s++) {
		if (isalnum((unsigned char)*s))
			strbuf_addch(&b, *s);
		else if (*s == '/' || *s == '.')
			strbuf_addch(&b, '_');
	}
	return text(strbuf_str(&b));
}

/* Behind an open door none is asked for; "{}" is an alternative without one. */
static json_t *security_of(const struct http_route *route)
{
	if (route->access == HTTP_ACCESS_OPEN)
		return json_array();
	if (route->access == HTTP_ACCESS_METRICS || route->rights & ACCESS_HTTP_CATALOGUE)
		return json_pack("[{s:[]}, {}]", "bearer");
	return json_pack("[{s:[]}]", "bearer");
}

/* Which rights open it. */
static json_t *description_of(const struct http_route *route)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	if (route->access == HTTP_ACCESS_OPEN)
		return text("Open to all.");
	for (unsigned bit = 1; bit <= ACCESS_HTTP_ALL; bit <<= 1)
		if (route->rights & bit)
			strbuf_addf(&b, "%s%s", b.len ? " or " : "Needs the right ",
				    access_http_name(bit));
	strbuf_addstr(&b, b.len ? ", by the role of the token" : "For the operator's token alone");
	if (route->rights & ACCESS_HTTP_CATALOGUE)
		strbuf_addstr(&b, "; the catalogue also for visitors, where they are let in");
	strbuf_addch(&b, '.');
	return text(strbuf_str(&b));
}

static json_t *operation_of(const struct http_route *route)
{
	json_t *operation = json_pack(
	    "{s:o, s:s, s:o, s:o, s:o, s:o}", "operationId", operation_id(route), "summary",
	    route->summary, "description", description_of(route), "parameters",
	    parameters_of(route), "responses", responses_of(route), "security", security_of(route));

	if (route->takes_body)
		json_object_set_new(operation, "requestBody", body_of(route));
	return operation;
}

static json_t *paths(void)
{
	json_t *all = json_object();

	for (const struct http_route *route = http_routes; route->method; route++) {
		json_t *item = json_object_get(all, route->path);
		char method[16] = "";

		for (size_t i = 0; route->method[i] && i + 1 < sizeof(method); i++)
			method[i] = (char)tolower((unsigned char)route->method[i]);
		if (!item) {
			item = json_object();
			json_object_set_new(all, route->path, item);
		}
		json_object_set_new(item, method, operation_of(route));
	}
	return all;
}

static json_t *codes(void)
{
	json_t *list = json_array();

	for (int code = 1; code < ERR_COUNT; code++)
		json_array_append_new(list, text(err_name(code)));
	return list;
}

static json_t *string_schema(const char *help)
{
	return json_pack("{s:s, s:s}", "type", "string", "description", help);
}

static json_t *problem_schema(void)
{
	json_t *mistake =
	    json_pack("{s:s, s:[s, s], s:{s:o, s:o}}", "type", "object", "required", "parameter",
		      "detail", "properties", "parameter", string_schema("Its name."), "detail",
		      string_schema("What it is not, such as \"is missing\"."));
	json_t *properties = json_pack(
	    "{s:o, s:o, s:{s:s, s:s}, s:o, s:{s:s, s:o, s:s}, s:o, s:{s:s, s:o, s:s}}", "type",
	    string_schema("urn:aethermart:problem: and the code in small letters."), "title",
	    string_schema("The class of the problem in words."), "status", "type", "integer",
	    "description", "The answer's status.", "detail",
	    string_schema("What is wrong this time."), "code", "type", "string", "enum", codes(),
	    "description", "The class of the problem.", "hint",
	    string_schema("What can be done about it."), "errors", "type", "array", "items",
	    mistake, "description", "Parameters that are wrong.");

	return json_pack("{s:s, s:s, s:[s, s, s, s, s], s:o}", "type", "object", "description",
			 "A problem (RFC 9457).", "required", "type", "title", "status", "detail",
			 "code", "properties", properties);
}

static json_t *components(void)
{
	return json_pack(
	    "{s:{s:o}, s:{s:{s:s, s:s, s:s}}}", "schemas", "Problem", problem_schema(),
	    "securitySchemes", "bearer", "type", "http", "scheme", "bearer", "description",
	    "A token of `aethermart token create`, which may what its role may, or the "
	    "content of the file http.token in the run-time folder, which may all. "
	    "Through the Unix socket none is asked for.");
}

void http_openapi_write(struct strbuf *b)
{
	json_t *document =
	    json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info", "title",
		      "AetherMart", "version", AETHERMART_VERSION, "description",
		      "The API of a running worker. HEAD is answered wherever GET is.", "paths",
		      paths(), "components", components());
	char *written = json_dumps(document, JSON_COMPACT);

	bug_if(!written); /* all of it is constant */
	strbuf_addstr(b, written);
	strbuf_addch(b, '\n');
	mem_free(written);
	json_decref(document);
}
