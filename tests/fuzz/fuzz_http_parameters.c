/*
 * Any bytes as a request's target: it belongs to no route, or its parameters are within what the
 * table says, or a problem in valid JSON names what is wrong.
 */
#include "fuzz.h"
#include "http/http_routes.h"

#include <jansson.h>

#include "base/banned.h"

const char fuzz_corpus[] = "http_parameters";

static void check_text(const struct http_parameter *p, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	bug_if(!utf8_is_valid(text, len));
	bug_if(text && ((int64_t)len < p->min || (int64_t)len > p->max));
}

static void check_values(const struct http_parameter *p, const char *field)
{
	struct http_texts texts = {0};
	const char *text;
	int64_t n;

	if (p->type == HTTP_TYPE_TEXT && p->count_max) {
		memcpy(&texts, field, sizeof(texts));
		bug_if(texts.n > p->count_max);
		for (size_t i = 0; i < texts.n; i++)
			check_text(p, texts.items[i]);
	} else if (p->type == HTTP_TYPE_TEXT) {
		memcpy(&text, field, sizeof(text));
		bug_if(!text && (p->is_required || p->fallback));
		check_text(p, text);
	} else if (p->type == HTTP_TYPE_INTEGER && !p->count_max) {
		memcpy(&n, field, sizeof(n));
		bug_if(n < p->min || n > p->max);
	}
}

static void check_problem(const struct err *err, const struct http_mistakes *mistakes)
{
	struct strbuf b = STRBUF_INIT(0);
	json_t *json;

	bug_if(err->code != ERR_INVALID_ARGUMENT || !err->message[0]);
	bug_if(!mistakes->n || mistakes->n > HTTP_MISTAKES_MAX);
	http_problem_write(&(struct http_problem){.code = (int)err->code,
						  .detail = err->message,
						  .mistakes = mistakes},
			   &b);
	json = json_loadb(strbuf_str(&b), b.len, 0, NULL);
	bug_if(!json || json_array_size(json_object_get(json, "errors")) != mistakes->n);
	json_decref(json);
	strbuf_done(&b);
}

static void ask(const struct http_route *route, const struct http_input *input)
{
	struct http_mistakes mistakes;
	struct arena arena = {0};
	struct err err = {0};
	char *values = arena_alloc(&arena, route->values_size);

	if (http_parameters_read(route->parameters, input, &arena, values, &mistakes, &err) < 0) {
		check_problem(&err, &mistakes);
	} else {
		for (const struct http_parameter *p = route->parameters; p->name; p++)
			check_values(p, values + p->offset);
	}
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	struct http_uri uri = http_uri_split(text);
	struct http_input input = {.query = uri.query};

	for (const struct http_route *route = http_routes; route->method; route++) {
		if (http_uri_matches(uri.path, route->path, &input.segment) && route->parameters)
			ask(route, &input);
	}
	mem_free(text);
	return 0;
}
