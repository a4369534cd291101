/* Remote providers without a network: settings, what is sent, what is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "config_of.h"
#include "embed/embed_remote_int.h"

#include <stdlib.h>

#include "base/banned.h"

/* --- settings -------------------------------------------------------------------------------- */

static void an_endpoint_is_a_plain_address(void **state)
{
	static const struct {
		const char *url, *base;
		bool is_loopback, is_plain, has_path;
	} good[] = {
	    {"https://api.openai.com/v1/", "https://api.openai.com/v1", false, false, true},
	    {"http://localhost:11434", "http://localhost:11434", true, true, false},
	    {"http://127.9.9.9//", "http://127.9.9.9", true, true, false},
	    {"http://[::1]:80/x", "http://[::1]:80/x", true, true, true},
	    {"http://localhost.example.com", "http://localhost.example.com", false, true, false},
	    {"http://127.0.0.1.example.com", "http://127.0.0.1.example.com", false, true, false},
	    {"http://10.0.0.1", "http://10.0.0.1", false, true, false},
	};
	static const char *const bad[] = {"",
					  "localhost:8080",
					  "ftp://host",
					  "file:///etc/passwd",
					  "https://user@host",
					  "https://user:key@host/v1",
					  "https://host/v1?key=1",
					  "https://host/#x",
					  "https://",
					  "https://host:99999"};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct embed_endpoint e = {0};
		struct err err = {0};

		if (embed_endpoint_parse(good[i].url, &arena, &e, &err) < 0)
			fail_msg("%s: %s", good[i].url, err.message);
		assert_string_equal(e.base, good[i].base);
		assert_int_equal(e.is_loopback, good[i].is_loopback);
		assert_int_equal(e.is_plain, good[i].is_plain);
		assert_int_equal(e.has_path, good[i].has_path);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct embed_endpoint e = {0};
		struct err err = {0};

		if (embed_endpoint_parse(bad[i], &arena, &e, &err) != -ERR_INVALID_ARGUMENT)
			fail_msg("%s is taken", bad[i]);
		assert_null(strstr(err.message, "key=1"));
		assert_null(strstr(err.message, ":key"));
	}
	arena_done(&arena);
}

static void a_host_is_of_a_domain_by_whole_labels(void **state)
{
	(void)state;
	assert_true(embed_host_is_of("googleapis.com", "googleapis.com"));
	assert_true(embed_host_is_of("x.GoogleApis.com", "googleapis.com"));
	assert_false(embed_host_is_of("notgoogleapis.com", "googleapis.com"));
	assert_false(embed_host_is_of("googleapis.com.evil.org", "googleapis.com"));
	assert_false(embed_host_is_of("com", "googleapis.com"));
}

static int try_open(const char *yaml, struct err *err)
{
	struct config *c = config_of(yaml);
	struct embed_provider *p = NULL;
	int r;

	*err = (struct err){0};
	r = cstr_equal(config_text(c, "embed.provider"), "gemini") ? embed_gemini_open(c, &p, err)
								   : embed_openai_open(c, &p, err);
	if (r == 0)
		embed_provider_free(p);
	config_free(c);
	return r;
}

static void what_cannot_work_is_refused_at_opening(void **state)
{
	static const struct {
		const char *yaml, *message, *hint;
	} cases[] = {
	    {"embed: {provider: gemini, api_key: k}", "embed.model is unset", "gemini-embedding-2"},
	    {"embed: {provider: gemini, model: gemini-embedding-2}", "there is no key for gemini",
	     "GEMINI_API_KEY"},
	    {"embed: {provider: gemini, model: models/gemini-embedding-2, api_key: k}",
	     "no name of a model", "without \"models/\""},
	    {"embed: {provider: gemini, model: 'x?y', api_key: k}", "no name of a model", ""},
	    {"embed: {provider: gemini, model: unheard-of, api_key: k}", "not known here",
	     "embed.dimension"},
	    {"embed: {provider: openai, model: text-embedding-3-small}",
	     "there is no key for openai", "OPENAI_API_KEY"},
	    {"embed: {provider: openai, model: 'a b', endpoint: 'https://h'}", "has a character",
	     ""},
	    {"embed: {provider: openai, model: m, dimension: 4, endpoint: 'http://10.0.0.1:1'}",
	     "not encrypted", "embed.plain_http"},
	    {"embed: {provider: openai, model: m, dimension: 4, endpoint: 'https://h', api_key: "
	     "\"a\\nX-Evil: 1\"}",
	     "at position 2", ""},
	    {"embed: {provider: openai, model: m, dimension: 4, endpoint: 'https://h', "
	     "api_key_file: /nonexistent/key}",
	     "embed.api_key_file", ""},
	    {"embed: {provider: gemini, model: gemini-embedding-2, endpoint: 'https://evil.org', "
	     "gemini_api_key: k}",
	     "there is no key for gemini at \"https://evil.org\"", "googleapis.com"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(try_open(cases[i].yaml, &err) < 0);
		if (!strstr(err.message, cases[i].message) || !strstr(err.hint, cases[i].hint))
			fail_msg("%s: %s / %s", cases[i].yaml, err.message, err.hint);
	}
}

static void what_can_work_opens(void **state)
{
	static const char *const yamls[] = {
	    "embed: {provider: gemini, model: gemini-embedding-2, gemini_api_key: k}",
	    "embed: {provider: gemini, model: gemini-embedding-2, gemini_api_key: k, endpoint: "
	    "'http://localhost:1'}",
	    "embed: {provider: gemini, model: g-3, dimension: 5, api_key: k, endpoint: "
	    "'https://proxy'}",
	    "embed: {provider: openai, model: text-embedding-3-small, openai_api_key: k}",
	    "embed: {provider: openai, model: 'nomic-embed-text:latest', endpoint: "
	    "'http://localhost:11434'}",
	    "embed: {provider: openai, model: BAAI/bge-m3, endpoint: 'http://10.0.0.1:1', "
	    "plain_http: true}",
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yamls); i++)
		if (try_open(yamls[i], &err) < 0)
			fail_msg("%s: %s", yamls[i], err.message);
}

static void a_key_is_read_from_the_first_line_of_its_file(void **state)
{
	char folder[] = "/tmp/aethermart-embed-XXXXXX";
	char *path, *yaml;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	path = mem_printf("%s/key", folder);
	yaml = mem_printf("embed: {provider: gemini, model: gemini-embedding-2, api_key_file: %s}",
			  path);
	assert_int_equal(file_write_atomic(path, "abc\r\nmore\n", 10, 0600, NULL), 0);
	assert_int_equal(try_open(yaml, &err), 0);
	assert_int_equal(file_write_atomic(path, "\n", 1, 0600, NULL), 0);
	assert_int_equal(try_open(yaml, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "is empty"));
	mem_free(path);
	mem_free(yaml);
	assert_int_equal(dir_remove(folder, NULL), 0);
}

/* --- requests -------------------------------------------------------------------------------- */

static struct embed_remote remote(const struct embed_dialect *d, const char *base,
				  const char *model, unsigned dimension)
{
	return (struct embed_remote){.dialect = d,
				     .base = base,
				     .has_path = strchr(base + 8, '/') != NULL,
				     .model = model,
				     .dimension = dimension};
}

static void check_body(const struct embed_remote *r, bool is_plain, enum embed_task task, size_t n,
		       const char *expected)
{
	struct str texts[] = {str_from("a \"b\"\n"), str_from("\xC3\xA9")};
	struct strbuf b = STRBUF_INIT(0);
	json_t *made, *wanted;

	r->dialect->add_body(r, is_plain, task, texts, n, &b);
	made = json_loads(strbuf_str(&b), JSON_REJECT_DUPLICATES, NULL);
	wanted = json_loads(expected, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(wanted);
	if (!json_equal(made, wanted))
		fail_msg("%s\ninstead of\n%s", strbuf_str(&b), expected);
	json_decref(made);
	json_decref(wanted);
	strbuf_done(&b);
}

static void gemini_2_has_its_task_in_the_text(void **state)
{
	struct embed_remote r =
	    remote(&embed_gemini_dialect, "https://h", "gemini-embedding-2", 768);

	(void)state;
	check_body(&r, true, EMBED_QUERY, 1,
		   "{\"model\":\"models/gemini-embedding-2\",\"content\":{\"parts\":[{\"text\":"
		   "\"task: search result | query: a \\\"b\\\"\\n\"}]},\"embedContentConfig\":{"
		   "\"outputDimensionality\":768}}");
	check_body(
	    &r, false, EMBED_DOCUMENT, 2,
	    "{\"requests\":[{\"model\":\"models/gemini-embedding-2\",\"content\":{\"parts\":[{"
	    "\"text\":\"title: none | text: a \\\"b\\\"\\n\"}]},\"embedContentConfig\":{"
	    "\"outputDimensionality\":768}},"
	    "{\"model\":\"models/gemini-embedding-2\",\"content\":{\"parts\":[{\"text\":"
	    "\"title: none | text: \\u00e9\"}]},\"embedContentConfig\":{"
	    "\"outputDimensionality\":768}}]}");
}

static void gemini_001_has_its_task_in_a_parameter(void **state)
{
	struct embed_remote r =
	    remote(&embed_gemini_dialect, "https://h", "gemini-embedding-001", 256);

	(void)state;
	check_body(&r, true, EMBED_QUERY, 1,
		   "{\"model\":\"models/gemini-embedding-001\",\"content\":{\"parts\":[{\"text\":"
		   "\"a \\\"b\\\"\\n\"}]},\"taskType\":\"RETRIEVAL_QUERY\","
		   "\"outputDimensionality\":256}");
}

static void openai_is_asked_for_a_dimension_only_when_it_is_not_the_models_own(void **state)
{
	struct embed_remote r = remote(&embed_openai_dialect, "https://h", "m/\"x\"", 5);

	(void)state;
	check_body(&r, false, EMBED_QUERY, 2,
		   "{\"model\":\"m/\\\"x\\\"\",\"input\":[\"a \\\"b\\\"\\n\",\"\\u00e9\"],"
		   "\"encoding_format\":\"float\"}");
	r.asks_dimension = true;
	check_body(&r, false, EMBED_DOCUMENT, 1,
		   "{\"model\":\"m/\\\"x\\\"\",\"input\":[\"a \\\"b\\\"\\n\"],"
		   "\"encoding_format\":\"float\",\"dimensions\":5}");
	check_body(&r, true, EMBED_DOCUMENT, 1,
		   "{\"model\":\"m/\\\"x\\\"\",\"input\":[\"a \\\"b\\\"\\n\"],"
		   "\"encoding_format\":\"float\"}");
}

static void paths_are_completed(void **state)
{
	static const struct {
		const struct embed_dialect *d;
		const char *base, *url;
		bool is_plain;
	} cases[] = {
	    {&embed_openai_dialect, "http://l:1", "http://l:1/v1/embeddings", false},
	    {&embed_openai_dialect, "http://l:1/v1", "http://l:1/v1/embeddings", false},
	    {&embed_openai_dialect, "http://l:1/v1/embeddings", "http://l:1/v1/embeddings", true},
	    {&embed_openai_dialect, "https://l/openai/v1", "https://l/openai/v1/embeddings", true},
	    {&embed_gemini_dialect, "https://g", "https://g/v1beta/models/m:batchEmbedContents",
	     false},
	    {&embed_gemini_dialect, "https://g/v1", "https://g/v1/models/m:embedContent", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct embed_remote r = remote(cases[i].d, cases[i].base, "m", 4);
		struct strbuf b = STRBUF_INIT(0);

		r.dialect->add_url(&r, cases[i].is_plain, &b);
		assert_string_equal(strbuf_str(&b), cases[i].url);
		strbuf_done(&b);
	}
}

static void texts_are_cut_between_characters(void **state)
{
	struct str text = str_from("a\xC3\xA9\xE2\x82\xAC");

	(void)state;
	static const size_t lengths[] = {0, 1, 1, 3, 3, 3, 6, 6};

	for (size_t max = 0; max < ARRAY_LEN(lengths); max++)
		assert_int_equal(embed_text_cut(text, max).len, lengths[max]);
}

/* --- answers --------------------------------------------------------------------------------- */

static int answer(const struct embed_dialect *d, const char *text, size_t n, float *ret,
		  struct err *err)
{
	struct embed_remote r = remote(d, "https://h", "m", 2);

	*err = (struct err){0};
	return embed_remote_read(&r, str_from(text), n, ret, err);
}

static void vectors_are_read_in_the_order_of_the_texts(void **state)
{
	float v[4];
	struct err err;

	(void)state;
	assert_int_equal(
	    answer(&embed_openai_dialect,
		   "{\"object\":\"list\",\"data\":[{\"index\":1,\"embedding\":[3,4e0]},"
		   "{\"index\":0,\"embedding\":[1,-2.5]}],\"usage\":{}}",
		   2, v, &err),
	    0);
	assert_true(v[0] == 1 && v[1] == -2.5f && v[2] == 3 && v[3] == 4);
	assert_int_equal(answer(&embed_gemini_dialect,
				"{\"embeddings\":[{\"values\":[5,6]},{\"values\":[7,8]}]}", 2, v,
				&err),
			 0);
	assert_true(v[0] == 5 && v[1] == 6 && v[2] == 7 && v[3] == 8);
	assert_int_equal(
	    answer(&embed_gemini_dialect, "{\"embedding\":{\"values\":[9,10]}}", 1, v, &err), 0);
	assert_true(v[0] == 9 && v[1] == 10);
}

static void an_answer_that_is_not_what_was_asked_for_is_refused(void **state)
{
	static const struct {
		const struct embed_dialect *d;
		const char *text, *message;
	} cases[] = {
	    {&embed_openai_dialect, "", "no JSON"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[1,", "no JSON"},
	    {&embed_openai_dialect, "[]", "no list"},
	    {&embed_openai_dialect, "{\"data\":{}}", "no list"},
	    {&embed_openai_dialect, "{\"data\":[]}", "0 vectors for 1"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0},{\"index\":1}]}", "2 vectors for 1"},
	    {&embed_openai_dialect, "{\"data\":[{\"embedding\":[1,2]}]}", "without an index"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":1,\"embedding\":[1,2]}]}", "an index"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":-1,\"embedding\":[1,2]}]}", "an index"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0.5,\"embedding\":[1,2]}]}", "an index"},
	    {&embed_openai_dialect, "{\"data\":[7]}", "an index"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0}]}", "no list of numbers"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":\"AAAA\"}]}",
	     "no list of numbers"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[1]}]}",
	     "1 numbers instead of 2"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[1,2,3]}]}",
	     "3 numbers instead of 2"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[1,null]}]}",
	     "position 1"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[1,\"2\"]}]}",
	     "position 1"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[NaN,1]}]}", "no JSON"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[1e39,1]}]}",
	     "position 0"},
	    {&embed_openai_dialect, "{\"data\":[{\"index\":0,\"embedding\":[1e999,1]}]}",
	     "no JSON"},
	    {&embed_openai_dialect, "{\"data\":[],\"data\":[{\"index\":0,\"embedding\":[1,2]}]}",
	     "no JSON"},
	    {&embed_gemini_dialect, "{}", "no list"},
	    {&embed_gemini_dialect, "{\"embedding\":{}}", "no list of numbers"},
	    {&embed_gemini_dialect, "{\"embeddings\":[{\"values\":[1,2]},{\"values\":[1,2]}]}",
	     "2 vectors for 1"},
	    {&embed_gemini_dialect, "{\"embeddings\":[[1,2]]}", "vector 0: no list"},
	    {&embed_gemini_dialect, "{\"embeddings\":[{\"values\":[true,2]}]}", "position 0"},
	};
	float v[2];
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (answer(cases[i].d, cases[i].text, 1, v, &err) != -ERR_CORRUPTED ||
		    !strstr(err.message, cases[i].message))
			fail_msg("%s: %s", cases[i].text, err.message);
	assert_int_equal(answer(&embed_openai_dialect,
				"{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":0,"
				"\"embedding\":[1,2]}]}",
				2, (float[4]){0}, &err),
			 -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "vector 0 twice"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_endpoint_is_a_plain_address),
	    cmocka_unit_test(a_host_is_of_a_domain_by_whole_labels),
	    cmocka_unit_test(what_cannot_work_is_refused_at_opening),
	    cmocka_unit_test(what_can_work_opens),
	    cmocka_unit_test(a_key_is_read_from_the_first_line_of_its_file),
	    cmocka_unit_test(gemini_2_has_its_task_in_the_text),
	    cmocka_unit_test(gemini_001_has_its_task_in_a_parameter),
	    cmocka_unit_test(openai_is_asked_for_a_dimension_only_when_it_is_not_the_models_own),
	    cmocka_unit_test(paths_are_completed),
	    cmocka_unit_test(texts_are_cut_between_characters),
	    cmocka_unit_test(vectors_are_read_in_the_order_of_the_texts),
	    cmocka_unit_test(an_answer_that_is_not_what_was_asked_for_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
