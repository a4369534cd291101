/* The paths of the search: what the callback gets, what becomes of its errors, and problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "http/http_client.h"
#include "http/http_routes.h"
#include "http/http_server_int.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/banned.h"

struct fixture {
	char dir[64];
	char socket_path[80];
	struct http_server *server;
};

static void write_text(struct strbuf *b, const char *name, const char *text)
{
	if (!text)
		return;
	strbuf_addf(b, ",\"%s\":", name);
	strbuf_add_json(b, text, strlen(text));
}

static void write_texts(struct strbuf *b, const char *name, const struct http_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		write_text(b, name, texts->items[i]);
}

/* Answers with the request as it got it; some queries fail. */
static int search(void *arg, const struct http_search *q, struct strbuf *json, struct err *err)
{
	(void)arg;
	if (q->q && cstr_equal(q->q, "away"))
		return err_set(err, ERR_UNAVAILABLE, "the index is away");
	if (q->filters.n && cstr_equal(q->filters.items[0], "price<")) {
		*q->wrong = "filter";
		return err_set(err, ERR_INVALID_ARGUMENT, "\"price<\" ends too early");
	}
	strbuf_addf(json, "{\"kind\":%d", (int)q->kind);
	write_text(json, "id", q->id);
	write_text(json, "q", q->q);
	write_text(json, "in", q->in);
	write_texts(json, "filter", &q->filters);
	write_texts(json, "facet", &q->facets);
	write_text(json, "sort", q->sort);
	write_text(json, "mode", q->mode);
	write_text(json, "fusion", q->fusion);
	write_text(json, "customer", q->customer);
	write_text(json, "product", q->product);
	for (size_t i = 0; i < q->without.n; i++)
		strbuf_addf(json, ",\"without\":%" PRId64, q->without.items[i]);
	strbuf_addf(json, ",\"limit\":%" PRId64 ",\"offset\":%" PRId64 "%s%s}", q->limit, q->offset,
		    q->explains ? ",\"explains\"" : "", q->is_literal ? ",\"literal\"" : "");
	return 0;
}

static int set_up(void **state)
{
	static const char template[] = "/tmp/aethermart-test-http-XXXXXX";
	struct fixture *f = MEM_NEW(struct fixture);
	struct http_server_options options = {
	    .dir = f->dir, .socket_path = f->socket_path, .search = search};
	struct err err = {0};

	memcpy(f->dir, template, sizeof(template));
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->socket_path, sizeof(f->socket_path), "%s/a.sock", f->dir);
	*state = f;
	return http_server_start(&options, &f->server, &err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int r;

	f->server = http_server_stop(f->server);
	r = dir_remove(f->dir, NULL);
	mem_free(f);
	return r;
}

static void get(const struct fixture *f, const char *path, const char *want)
{
	struct strbuf body = STRBUF_INIT(0);
	struct err err = {0};

	if (http_client_get(f->socket_path, path, &body, &err) < 0)
		fail_msg("%s: %s", path, err.message);
	assert_string_equal(strbuf_str(&body), want);
	strbuf_done(&body);
}

static void get_error(const struct fixture *f, const char *path, int code, const char *part)
{
	struct strbuf body = STRBUF_INIT(0);
	struct err err = {0};

	assert_int_equal(http_client_get(f->socket_path, path, &body, &err), -code);
	if (!strstr(err.message, part))
		fail_msg("%s: no %s in %s", path, part, err.message);
	strbuf_done(&body);
}

/* --- requests --------------------------------------------------------------------------------- */

static void a_search_arrives_whole(void **state)
{
	get(*state,
	    "/v1/search?q=quiet+keyboard&in=services&filter=price%3C100&filter=brand=Sony|LG"
	    "&sort=-price&mode=vector&limit=0&offset=10000&facets=brand&facets=color&explain=true"
	    "&without=17&without=0&literal=yes&fusion=rrf",
	    "{\"kind\":0,\"q\":\"quiet keyboard\",\"in\":\"services\",\"filter\":\"price<100\","
	    "\"filter\":\"brand=Sony|LG\",\"facet\":\"brand\",\"facet\":\"color\","
	    "\"sort\":\"-price\",\"mode\":\"vector\",\"fusion\":\"rrf\",\"without\":17,"
	    "\"without\":0,\"limit\":0,\"offset\":10000,\"explains\",\"literal\"}\n");
}

static void a_search_without_parameters_has_defaults(void **state)
{
	get(*state, "/v1/search",
	    "{\"kind\":0,\"q\":\"\",\"in\":\"products\",\"limit\":10,\"offset\":0}\n");
}

static void each_path_has_its_kind(void **state)
{
	get(*state, "/v1/suggest?q=key", "{\"kind\":1,\"q\":\"key\",\"limit\":8,\"offset\":0}\n");
	get(*state, "/v1/similar/a%2Fb%3A1?in=customers",
	    "{\"kind\":2,\"id\":\"a/b:1\",\"in\":\"customers\",\"limit\":10,\"offset\":0}\n");
	get(*state, "/v1/recommendations?customer=15&limit=3",
	    "{\"kind\":3,\"customer\":\"15\",\"limit\":3,\"offset\":0}\n");
	get(*state, "/v1/recommendations?product=7",
	    "{\"kind\":3,\"product\":\"7\",\"limit\":10,\"offset\":0}\n");
	get(*state, "/v1/products/15", "{\"kind\":4,\"id\":\"15\",\"limit\":0,\"offset\":0}\n");
}

static void limits_hold_for_each_path(void **state)
{
	static const char *const wrong[][2] = {
	    {"/v1/search?limit=101", "from 0 to 100"},
	    {"/v1/search?offset=10001", "from 0 to 10000"},
	    {"/v1/search?without=18", "from 0 to 17"},
	    {"/v1/search?in=orders", "products, services, reviews, customers"},
	    {"/v1/search?order=a", "is not known here"},
	    {"/v1/suggest", "\"q\" is missing"},
	    {"/v1/suggest?q=a&limit=0", "from 1 to 20"},
	    {"/v1/similar/1?q=a", "is not known here"},
	    {"/v1/recommendations", "exactly one"},
	    {"/v1/recommendations?customer=1&product=2", "exactly one"},
	    {"/v1/products/%ff", "\"id\" is not valid UTF-8"},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		get_error(*state, wrong[i][0], ERR_INVALID_ARGUMENT, wrong[i][1]);
	get_error(*state, "/v1/products/", ERR_NOT_FOUND, "no such path");
}

/* What fits the limits fits the header. */
static void the_longest_query_arrives(void **state)
{
	struct strbuf path = STRBUF_INIT(0), answer = STRBUF_INIT(0);
	struct fixture *f = *state;
	struct err err = {0};

	strbuf_addstr(&path, "/v1/search?q=");
	for (int i = 0; i < 1000; i++)
		strbuf_addstr(&path, "%F0%9F%98%80");
	assert_int_equal(http_client_get(f->socket_path, strbuf_str(&path), &answer, &err), 0);
	assert_non_null(strstr(strbuf_str(&answer), "\xf0\x9f\x98\x80\",\"in\""));
	strbuf_addstr(&path, "a");
	get_error(f, strbuf_str(&path), ERR_INVALID_ARGUMENT, "at most 1000 characters");
	strbuf_done(&answer);
	strbuf_done(&path);
}

static void errors_of_the_search_become_problems(void **state)
{
	get_error(*state, "/v1/search?q=away", ERR_UNAVAILABLE, "the index is away");
	get_error(*state, "/v1/search?filter=price%3C", ERR_INVALID_ARGUMENT, "ends too early");
}

/* --- problems --------------------------------------------------------------------------------- */

static json_t *written(const struct http_problem *p)
{
	struct strbuf b = STRBUF_INIT(0);
	json_t *json;

	http_problem_write(p, &b);
	json = json_loadb(strbuf_str(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	strbuf_done(&b);
	return json;
}

static void assert_member(const json_t *json, const char *name, const char *want)
{
	assert_string_equal(json_string_value(json_object_get(json, name)), want);
}

static void a_problem_says_what_the_standard_asks(void **state)
{
	json_t *json = written(&(struct http_problem){
	    .code = ERR_INVALID_ARGUMENT, .detail = "a \"b\"\n\xff", .hint = "do c"});

	(void)state;
	assert_member(json, "type", "urn:aethermart:problem:invalid-argument");
	assert_member(json, "title", "invalid argument");
	assert_int_equal(json_integer_value(json_object_get(json, "status")), 400);
	assert_member(json, "detail", "a \"b\"\n" UTF8_REPLACEMENT);
	assert_member(json, "code", "INVALID_ARGUMENT");
	assert_member(json, "hint", "do c");
	assert_null(json_object_get(json, "errors"));
	json_decref(json);
}

static void a_problem_names_every_parameter(void **state)
{
	const struct http_mistakes mistakes = {
	    .n = 2, .items = {{"a", "is missing"}, {"\xff\"", "is not known here"}}};
	json_t *json = written(&(struct http_problem){
	    .code = ERR_LIMIT, .status = 500, .detail = "x", .hint = "", .mistakes = &mistakes});
	const json_t *errors = json_object_get(json, "errors");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json, "status")), 500);
	assert_null(json_object_get(json, "hint"));
	assert_int_equal(json_array_size(errors), 2);
	assert_member(json_array_get(errors, 0), "parameter", "a");
	assert_member(json_array_get(errors, 0), "detail", "is missing");
	assert_member(json_array_get(errors, 1), "parameter", UTF8_REPLACEMENT "\"");
	json_decref(json);
}

/* The most that can be wrong, with what escapes to the longest: it must fit, as it is answered. */
static void the_longest_problem_fits(void **state)
{
	struct strbuf path = STRBUF_INIT(0);
	struct fixture *f = *state;

	strbuf_addstr(&path, "/v1/search?");
	for (int i = 0; i < 40; i++) {
		strbuf_addf(&path, "%d", i);
		for (int k = 0; k < 64; k++)
			strbuf_addstr(&path, "%01");
		strbuf_addstr(&path, "&");
	}
	get_error(f, strbuf_str(&path), ERR_INVALID_ARGUMENT, "is not known here");
	strbuf_done(&path);
}

/* --- the table -------------------------------------------------------------------------------- */

static void every_default_is_one_that_would_be_taken(void **state)
{
	(void)state;
	for (const struct http_route *route = http_routes; route->method; route++) {
		struct arena arena = {0};
		void *values = arena_alloc(&arena, route->values_size);
		struct http_input input = {.segment = str_from("1")};
		struct http_mistakes mistakes;
		struct err err;

		if (route->parameters && http_parameters_read(route->parameters, &input, &arena,
							      values, &mistakes, &err) < 0) {
			for (size_t i = 0; i < mistakes.n; i++)
				assert_null(strstr(mistakes.items[i].detail, "must"));
		}
		arena_done(&arena);
	}
}

static void the_description_names_every_route(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	json_t *json;

	(void)state;
	http_openapi_write(&b);
	json = json_loadb(strbuf_str(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	for (const struct http_route *route = http_routes; route->method; route++) {
		const json_t *item = json_object_get(json_object_get(json, "paths"), route->path);

		assert_non_null(item);
		assert_non_null(
		    json_object_get(item, cstr_equal(route->method, "GET") ? "get" : "post"));
	}
	json_decref(json);
	strbuf_done(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_search_arrives_whole),
	    TEST(a_search_without_parameters_has_defaults),
	    TEST(each_path_has_its_kind),
	    TEST(limits_hold_for_each_path),
	    TEST(the_longest_query_arrives),
	    TEST(errors_of_the_search_become_problems),
	    TEST(the_longest_problem_fits),
	    cmocka_unit_test(a_problem_says_what_the_standard_asks),
	    cmocka_unit_test(a_problem_names_every_parameter),
	    cmocka_unit_test(every_default_is_one_that_would_be_taken),
	    cmocka_unit_test(the_description_names_every_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
