/* The provider `local`: documents over threads come back in their order, and what is missing is
 * said with its remedy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden.h"
#include "model.h"

#include <math.h>

#include "base/banned.h"

#define N 100 /* texts: the golden ones, and some of them again */

static void embed_with(const char *options, const struct str *texts, size_t n, float *ret)
{
	struct config *c = model_config(options);
	struct embedder *e = NULL;
	struct err err = {0};

	if (embedder_open(c, &e, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(embedder_info(e)->model, "local/all-MiniLM-L6-v2");
	assert_false(embedder_info(e)->is_remote);
	assert_int_equal(embedder_embed(e, EMBED_DOCUMENT, texts, n, ret, NULL), 0);
	embedder_free(e);
	config_free(c);
}

static void threads_change_nothing(void **state)
{
	size_t size = N * (size_t)GOLDEN_DIMENSION;
	char *path = model_file("");
	float *one, *four;
	struct str texts[N];
	struct golden g;

	(void)state;
	if (!path)
		skip();
	golden_init(&g);
	one = mem_alloc_array(size, sizeof(float));
	four = mem_alloc_array(size, sizeof(float));
	for (size_t i = 0; i < N; i++)
		texts[i] = g.texts[i * 7 % GOLDEN_TEXTS];
	embed_with("threads: 1, precision: int8", texts, N, one);
	embed_with("threads: 4, precision: int8", texts, N, four);
	for (size_t i = 0; i < size; i++)
		assert_true(fabsf(one[i] - four[i]) < 1e-6f);
	mem_free(four);
	mem_free(one);
	golden_done(&g);
	mem_free(path);
}

static void a_missing_model_is_said_with_its_remedy(void **state)
{
	struct config *c = model_config("dir: /nowhere, model: mine");
	struct embedder *e = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(embedder_open(c, &e, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "/nowhere/config.json"));
	assert_non_null(strstr(err.hint, "tools/setup"));
	config_free(c);
}

static void a_folder_without_the_name_of_its_model_is_refused(void **state)
{
	struct config *c = model_config("dir: /nowhere");
	struct embedder *e = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(embedder_open(c, &e, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.hint, "embed.model"));
	config_free(c);
	c = model_config("model: nonsense");
	assert_int_equal(embedder_open(c, &e, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "there is no local model \"nonsense\""));
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_change_nothing),
	    cmocka_unit_test(a_missing_model_is_said_with_its_remedy),
	    cmocka_unit_test(a_folder_without_the_name_of_its_model_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
