/* The dispatcher: texts before, vectors after, queries remembered, spaces opened by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "config_of.h"
#include "fake_local.h"

#include <math.h>

#include "base/banned.h"

static int reset(void **state)
{
	(void)state;
	fake = (struct fake){0};
	return 0;
}

static struct embedder *opened(struct config *c)
{
	struct embedder *e = NULL;
	struct err err = {0};

	if (embedder_open(c, &e, &err) < 0)
		fail_msg("%s", err.message);
	return e;
}

static double norm(const float *v, unsigned n)
{
	double sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += (double)v[i] * (double)v[i];
	return sqrt(sum);
}

static void vectors_have_unit_length_whatever_the_provider_makes(void **state)
{
	struct config *c = config_of("");
	struct embedder *e = opened(c);
	struct str texts[] = {str_from("one"), str_from("two"), {NULL, 0}};
	float v[3 * FAKE_DIMENSION];

	(void)state;
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, texts, 3, v, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_true(fabs(norm(v + i * FAKE_DIMENSION, FAKE_DIMENSION) - 1) < 1e-6);
	assert_string_equal(embedder_info(e)->model, "local/fake");
	assert_int_equal(fake.calls, 1);
	embedder_free(e);
	config_free(c);
}

static void no_text_is_no_call(void **state)
{
	struct config *c = config_of("");
	struct embedder *e = opened(c);

	(void)state;
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, NULL, 0, NULL, NULL), 0);
	assert_int_equal(fake.calls, 0);
	embedder_free(e);
	config_free(c);
}

static void a_vector_that_is_none_is_refused_and_nothing_is_returned(void **state)
{
	struct config *c = config_of("");
	struct embedder *e = opened(c);
	struct str texts[] = {str_from("one"), str_from("two")};
	float v[2 * FAKE_DIMENSION], bad[] = {NAN, INFINITY, -INFINITY, 3e38f};
	struct err err = {0};

	(void)state;
	memset(v, 0x11, sizeof(v));
	fake.is_bad = true;
	for (size_t i = 0; i < 3; i++) {
		fake.bad = bad[i];
		assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, texts, 2, v, &err),
				 -ERR_CORRUPTED);
		assert_non_null(strstr(err.message, "text 1"));
	}
	for (size_t i = 0; i < sizeof(v); i++)
		assert_int_equal(((unsigned char *)v)[i], 0x11);
	fake.bad = bad[3]; /* its square is beyond float, not beyond double */
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, texts, 2, v, &err), 0);
	assert_true(fabs(norm(v + FAKE_DIMENSION, FAKE_DIMENSION) - 1) < 1e-6);
	fake.is_bad = false;
	fake.is_zero = true;
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, texts, 2, v, &err), -ERR_CORRUPTED);
	embedder_free(e);
	config_free(c);
}

static void bytes_that_are_no_text_count_as_the_replacement_character(void **state)
{
	struct config *c = config_of("");
	struct embedder *e = opened(c);
	struct str broken = {"a\xff\xc3(", 4}, mended = str_from("a\xEF\xBF\xBD\xEF\xBF\xBD(");
	float v[FAKE_DIMENSION], w[FAKE_DIMENSION];

	(void)state;
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, &broken, 1, v, NULL), 0);
	assert_string_equal(fake.last_text, mended.data);
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, &mended, 1, w, NULL), 0);
	assert_memory_equal(v, w, sizeof(v));
	embedder_free(e);
	config_free(c);
}

static void a_text_above_the_limit_is_refused_by_number(void **state)
{
	struct config *c = config_of("");
	struct embedder *e = opened(c);
	char *big = mem_alloc(EMBED_TEXT_MAX + 1);
	struct str texts[] = {str_from("x"), {big, EMBED_TEXT_MAX + 1}};
	float v[2 * FAKE_DIMENSION];
	struct err err = {0};

	(void)state;
	memset(big, 0xff, EMBED_TEXT_MAX + 1);
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, texts, 2, v, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.message, "text 1"));
	texts[1].len--; /* all of it becomes U+FFFD */
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, texts, 2, v, &err), 0);
	mem_free(big);
	embedder_free(e);
	config_free(c);
}

static int64_t counted(const char *name)
{
	return metric_value(metric_series(METRIC_COUNTER, name, "", NULL, NULL));
}

static void a_query_is_made_once_a_document_each_time(void **state)
{
	struct config *c = config_of("embed: {query_cache: 2}");
	struct embedder *e = opened(c);
	struct str abc[] = {str_from("a"), str_from("b"), str_from("c")};
	float v[3 * FAKE_DIMENSION], w[3 * FAKE_DIMENSION];
	int64_t hits = counted("aethermart_embed_query_cache_hits_total");

	(void)state;
	assert_int_equal(embedder_embed(e, EMBED_QUERY, abc, 2, v, NULL), 0);
	assert_int_equal(embedder_embed(e, EMBED_QUERY, abc, 2, w, NULL), 0);
	assert_memory_equal(v, w, 2 * FAKE_DIMENSION * sizeof(float));
	assert_int_equal(fake.calls, 1);
	assert_int_equal(counted("aethermart_embed_query_cache_hits_total") - hits, 2);
	/* "c" is missing and takes the place of the one that was asked for least recently */
	assert_int_equal(embedder_embed(e, EMBED_QUERY, abc, 3, w, NULL), 0);
	assert_int_equal(fake.last_n, 1);
	assert_memory_equal(v, w, 2 * FAKE_DIMENSION * sizeof(float));
	assert_int_equal(embedder_embed(e, EMBED_QUERY, &abc[1], 1, w, NULL), 0);
	assert_int_equal(fake.calls, 2);
	assert_int_equal(embedder_embed(e, EMBED_QUERY, &abc[0], 1, w, NULL), 0);
	assert_int_equal(fake.calls, 3);
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, abc, 1, w, NULL), 0);
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, abc, 1, w, NULL), 0);
	assert_int_equal(fake.calls, 5);
	embedder_free(e);
	config_free(c);
}

static void a_cache_of_no_queries_keeps_none(void **state)
{
	struct config *c = config_of("embed: {query_cache: 0}");
	struct embedder *e = opened(c);
	struct str a = str_from("a");
	float v[FAKE_DIMENSION];

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(embedder_embed(e, EMBED_QUERY, &a, 1, v, NULL), 0);
		assert_int_equal(fake.calls, i);
	}
	embedder_free(e);
	config_free(c);
}

static void a_failed_query_is_not_remembered(void **state)
{
	struct config *c = config_of("");
	struct embedder *e = opened(c);
	struct str a = str_from("a");
	float v[FAKE_DIMENSION];

	(void)state;
	fake.fail_from = 1;
	assert_int_equal(embedder_embed(e, EMBED_QUERY, &a, 1, v, NULL), -ERR_UNAVAILABLE);
	fake.fail_from = 0;
	assert_int_equal(embedder_embed(e, EMBED_QUERY, &a, 1, v, NULL), 0);
	assert_int_equal(fake.calls, 2);
	embedder_free(e);
	config_free(c);
}

static void pii_is_for_the_local_model_unless_the_configuration_says_otherwise(void **state)
{
	static const struct {
		const char *yaml;
		bool may;
	} cases[] = {
	    {"", true},
	    {"embed: {pii: remote}", true},
	    {"embed: {provider: openai, model: m, dimension: 8, endpoint: 'http://127.0.0.1:1'}",
	     false}, /* who knows where that hands it */
	    {"embed: {provider: openai, model: m, dimension: 8, endpoint: 'https://host', pii: "
	     "remote}",
	     true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = config_of(cases[i].yaml);
		struct embedder *e = opened(c);

		assert_int_equal(embedder_may_see_pii(e), cases[i].may);
		assert_int_equal(embedder_info(e)->is_remote, i >= 2);
		embedder_free(e);
		config_free(c);
	}
}

static int open_as(const char *yaml, const char *model, unsigned dimension, struct embedder **ret,
		   struct err *err)
{
	struct config *c = config_of(yaml);
	int r = embedder_open_as(c, model, dimension, ret, err);

	if (r < 0)
		config_free(c); /* else the embedder may borrow from it for as long as the test */
	return r;
}

static void a_recorded_space_opens_whatever_is_configured(void **state)
{
	static const char gemini[] = "embed: {provider: gemini, model: gemini-embedding-2, "
				     "dimension: 768, api_key: k}";
	struct config *c = config_of(gemini);
	struct embedder *e = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(embedder_open_as(c, "local/old-model", 8, &e, &err), 0);
	assert_string_equal(embedder_info(e)->model, "local/old-model");
	assert_int_equal(embedder_info(e)->dimension, 8);
	embedder_free(e);
	assert_int_equal(embedder_open_as(c, "gemini/gemini-embedding-001", 256, &e, &err), 0);
	assert_string_equal(embedder_info(e)->model, "gemini/gemini-embedding-001");
	assert_int_equal(embedder_info(e)->dimension, 256);
	assert_string_equal(embedder_info(e)->endpoint,
			    "https://generativelanguage.googleapis.com/v1beta");
	embedder_free(e);
	config_free(c);
}

/* Else the new files would answer under the old name, and fill the cache with it. */
static void a_former_local_model_is_not_looked_for_in_the_folder_of_the_new_one(void **state)
{
	struct config *c = config_of("embed: {model: new, dir: /models/new}");
	struct embedder *e = NULL;
	struct err err = {0};

	(void)state;
	e = opened(c);
	assert_true(fake.had_dir);
	embedder_free(e);
	assert_int_equal(embedder_open_as(c, "local/new", 8, &e, &err), 0);
	assert_true(fake.had_dir);
	embedder_free(e);
	assert_int_equal(embedder_open_as(c, "local/old", 8, &e, &err), 0);
	assert_false(fake.had_dir);
	embedder_free(e);
	config_free(c);
}

static void the_name_of_a_model_has_a_limit(void **state)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	struct embedder *e = NULL;
	struct config *c;
	struct err err = {0};

	(void)state;
	strbuf_addstr(&b, "embed: {dir: /models/x, model: ");
	for (size_t i = 0; i < EMBED_MODEL_MAX; i++)
		strbuf_addch(&b, 'm');
	strbuf_addstr(&b, "}");
	c = config_of(strbuf_str(&b));
	assert_int_equal(embedder_open(c, &e, &err), -ERR_INVALID_ARGUMENT);
	assert_null(e);
	config_free(c);
}

static void a_provider_that_is_no_longer_configured_gets_no_texts(void **state)
{
	static const char local_with_endpoint[] =
	    "embed: {provider: local, endpoint: 'http://127.0.0.1:9'}";
	struct embedder *e = NULL;
	struct config *c;
	struct err err = {0};

	(void)state;
	assert_int_equal(open_as("", "openai/m", 8, &e, &err), -ERR_PERMISSION);
	assert_int_equal(open_as("embed: {provider: gemini, model: g, dimension: 8, api_key: k}",
				 "openai/m", 8, &e, &err),
			 -ERR_PERMISSION);
	c = config_of(local_with_endpoint); /* somebody said where it may be asked */
	assert_int_equal(embedder_open_as(c, "openai/m", 8, &e, &err), 0);
	assert_string_equal(embedder_info(e)->endpoint, "http://127.0.0.1:9");
	embedder_free(e);
	config_free(c);
}

static void what_is_no_space_is_refused(void **state)
{
	static const char *const wrong[] = {"", "local", "local/", "/x", "nobody/m"};
	struct embedder *e = NULL;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_true(open_as("", wrong[i], 8, &e, &err) < 0);
	assert_int_equal(open_as("", "local/m", 0, &e, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(open_as("", "local/m", EMBED_DIMENSION_MAX + 1, &e, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_null(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(vectors_have_unit_length_whatever_the_provider_makes, reset),
	    cmocka_unit_test_setup(no_text_is_no_call, reset),
	    cmocka_unit_test_setup(a_vector_that_is_none_is_refused_and_nothing_is_returned, reset),
	    cmocka_unit_test_setup(bytes_that_are_no_text_count_as_the_replacement_character,
				   reset),
	    cmocka_unit_test_setup(a_text_above_the_limit_is_refused_by_number, reset),
	    cmocka_unit_test_setup(a_query_is_made_once_a_document_each_time, reset),
	    cmocka_unit_test_setup(a_cache_of_no_queries_keeps_none, reset),
	    cmocka_unit_test_setup(a_failed_query_is_not_remembered, reset),
	    cmocka_unit_test_setup(
		pii_is_for_the_local_model_unless_the_configuration_says_otherwise, reset),
	    cmocka_unit_test_setup(a_recorded_space_opens_whatever_is_configured, reset),
	    cmocka_unit_test_setup(
		a_former_local_model_is_not_looked_for_in_the_folder_of_the_new_one, reset),
	    cmocka_unit_test_setup(the_name_of_a_model_has_a_limit, reset),
	    cmocka_unit_test_setup(a_provider_that_is_no_longer_configured_gets_no_texts, reset),
	    cmocka_unit_test_setup(what_is_no_space_is_refused, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
