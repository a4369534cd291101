/* The encoder: the oracle's vectors in every precision, packs, threads, damaged folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "embed/bert.h"
#include "golden.h"
#include "model.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "base/banned.h"

#define D GOLDEN_DIMENSION

/* NULL, and the test is skipped, without a model. */
static struct bert_model *open_model(enum bert_precision precision)
{
	const struct bert_options options = {.precision = precision};
	char *path = model_file("");
	struct bert_model *m = NULL;
	struct err err = {0};

	if (!path)
		return NULL;
	if (bert_model_open(path, &options, &m, &err) < 0) {
		mem_free(path);
		if (precision != BERT_BF16 || err.code != ERR_UNSUPPORTED)
			fail_msg("%s", err.message);
		printf("skipped: %s\n", err.message);
		return NULL;
	}
	assert_int_equal(bert_model_info(m)->dimension, D);
	mem_free(path);
	return m;
}

static void encode(struct bert_model *m, const struct str *texts, size_t n, float *ret)
{
	struct bert_context *c = NULL;

	assert_int_equal(bert_context_new(m, &c, NULL), 0);
	assert_int_equal(bert_encode(c, texts, n, ret, NULL), 0);
	bert_context_free(c);
}

struct distance {
	double mean, lowest;	   /* cosine */
	double largest_difference; /* of a number */
};

static struct distance distance_to_oracle(const struct golden *g, const float *v)
{
	struct distance d = {.lowest = 1};

	for (size_t i = 0; i < GOLDEN_TEXTS; i++) {
		double cosine = 0;

		for (size_t k = 0; k < D; k++) {
			double want = golden_number(g, i, k), got = (double)v[i * D + k];

			cosine += want * got;
			d.largest_difference = fmax(d.largest_difference, fabs(want - got));
		}
		d.mean += cosine / GOLDEN_TEXTS;
		d.lowest = fmin(d.lowest, cosine);
	}
	return d;
}

static bool measure(enum bert_precision precision, struct distance *ret)
{
	struct bert_model *m = open_model(precision);
	float *v = mem_alloc_array(GOLDEN_TEXTS * (size_t)D, sizeof(float));
	struct golden g;

	if (m) {
		golden_init(&g);
		encode(m, g.texts, GOLDEN_TEXTS, v);
		*ret = distance_to_oracle(&g, v);
		printf("%s on %s: cosine %.6f in the mean, %.6f at worst, difference %.2g\n",
		       bert_model_info(m)->precision_name, bert_model_info(m)->kernels, ret->mean,
		       ret->lowest, ret->largest_difference);
		golden_done(&g);
	}
	mem_free(v);
	bert_model_free(m);
	return m != NULL;
}

static void f32_gives_the_oracles_vectors(void **state)
{
	struct distance d;

	(void)state;
	if (!measure(BERT_F32, &d))
		skip();
	assert_true(d.lowest >= 0.99999);
	assert_true(d.largest_difference < 1e-5);
}

static void bf16_is_near_to_it(void **state)
{
	struct distance d;

	(void)state;
	if (!measure(BERT_BF16, &d))
		skip();
	assert_true(d.mean >= 0.9999);
	assert_true(d.lowest >= 0.999);
}

static void int8_is_near_enough(void **state)
{
	struct distance d;

	(void)state;
	if (!measure(BERT_INT8, &d))
		skip();
	assert_true(d.mean >= 0.99);
	assert_true(d.lowest >= 0.97);
}

/* Many texts at once, in packs, are what each is alone. */
static void check_packs(enum bert_precision precision, double tolerance)
{
	struct bert_model *m = open_model(precision);
	float *all = mem_alloc_array(GOLDEN_TEXTS * (size_t)D, sizeof(float)), one[D];
	struct golden g;

	if (!m) {
		mem_free(all);
		skip();
	}
	golden_init(&g);
	encode(m, g.texts, GOLDEN_TEXTS, all);
	for (size_t i = 0; i < GOLDEN_TEXTS; i++) {
		double length = 0;

		encode(m, &g.texts[i], 1, one);
		for (size_t k = 0; k < D; k++) {
			length += (double)one[k] * (double)one[k];
			assert_true(fabs((double)one[k] - (double)all[i * D + k]) <= tolerance);
		}
		assert_true(fabs(length - 1) < 1e-5);
	}
	golden_done(&g);
	bert_model_free(m);
	mem_free(all);
}

static void a_text_has_the_same_vector_in_any_pack(void **state)
{
	(void)state;
	check_packs(BERT_F32, 1e-6);
	check_packs(BERT_INT8, 0); /* integer sums have no order */
}

static void no_texts_are_no_work(void **state)
{
	struct bert_model *m = open_model(BERT_AUTO);
	float v[1] = {7};

	(void)state;
	if (!m)
		skip();
	encode(m, NULL, 0, v);
	assert_true(v[0] == 7);
	assert_int_equal(bert_count_tokens(m, str_from("")), 2);
	assert_int_equal(bert_model_info(m)->layers, 6);
	bert_model_free(m);
}

struct worker {
	struct bert_model *model;
	const struct golden *golden;
	size_t first; /* which texts: each thread meets other shapes first */
	float v[D * 8];
};

#define THREADS 4

static void *encode_eight(void *arg)
{
	struct worker *w = arg;

	for (int round = 0; round < 3; round++)
		encode(w->model, w->golden->texts + w->first, 8, w->v);
	return NULL;
}

static void threads_share_a_model(void **state)
{
	struct bert_model *m = open_model(BERT_AUTO);
	static struct worker workers[THREADS];
	pthread_t ids[THREADS];
	struct golden g;
	float v[D * 8];

	(void)state;
	if (!m)
		skip();
	golden_init(&g);
	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.model = m, .golden = &g, .first = i * 8 % 32};
		assert_int_equal(pthread_create(&ids[i], NULL, encode_eight, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	for (size_t i = 0; i < THREADS; i++) {
		encode(m, g.texts + workers[i].first, 8, v);
		assert_memory_equal(v, workers[i].v, sizeof(v));
	}
	golden_done(&g);
	bert_model_free(m);
}

/* --- folders that are wrong ------------------------------------------------------------------- */

#define CONFIG_TEXT                                                                   \
	"{\"model_type\":\"bert\",\"hidden_act\":\"gelu\",\"hidden_size\":%s,"        \
	"\"intermediate_size\":64,\"num_attention_heads\":2,\"num_hidden_layers\":1," \
	"\"vocab_size\":5,\"max_position_embeddings\":512,\"type_vocab_size\":2,"     \
	"\"layer_norm_eps\":1e-12}"

static void put(const char *dir, const char *name, const char *text, size_t len)
{
	char *path = mem_printf("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(path, text, len, 0600, NULL), 0);
	mem_free(path);
}

static void put_config(const char *dir, const char *hidden)
{
	char *text = mem_printf(CONFIG_TEXT, hidden);

	put(dir, "config.json", text, strlen(text));
	mem_free(text);
}

static void expect_refusal(const char *dir, int code, const char *words)
{
	struct bert_model *m = NULL;
	struct err err = {0};

	assert_int_equal(bert_model_open(dir, NULL, &m, &err), -code);
	assert_null(m);
	if (!strstr(err.message, words))
		fail_msg("\"%s\" has no \"%s\"", err.message, words);
}

static void a_folder_that_does_not_fit_is_refused_by_name(void **state)
{
	static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
	static const char longer[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nx\n";
	static const char tensors[] = "\2\0\0\0\0\0\0\0{}";
	char dir[] = "/tmp/am-bert-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	expect_refusal(dir, ERR_NOT_FOUND, "config.json");
	put(dir, "config.json", "[", 1);
	expect_refusal(dir, ERR_CORRUPTED, "config.json");
	put(dir, "config.json", "{\"model_type\":\"gpt2\"}", 21);
	expect_refusal(dir, ERR_UNSUPPORTED, "gpt2");
	put_config(dir, "0");
	expect_refusal(dir, ERR_CORRUPTED, "\"hidden_size\"");
	put_config(dir, "1e3");
	expect_refusal(dir, ERR_CORRUPTED, "\"hidden_size\"");
	put_config(dir, "100");
	expect_refusal(dir, ERR_UNSUPPORTED, "multiples of 64");
	put_config(dir, "64");
	expect_refusal(dir, ERR_NOT_FOUND, "vocab.txt");
	put(dir, "vocab.txt", vocabulary, sizeof(vocabulary) - 1);
	expect_refusal(dir, ERR_NOT_FOUND, "model.safetensors");
	put(dir, "model.safetensors", tensors, sizeof(tensors) - 1);
	expect_refusal(dir, ERR_CORRUPTED, "word_embeddings.weight\" is missing");
	put(dir, "vocab.txt", longer, sizeof(longer) - 1);
	expect_refusal(dir, ERR_CORRUPTED, "has 6 tokens and the model 5");
	assert_int_equal(dir_remove(dir, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(f32_gives_the_oracles_vectors),
	    cmocka_unit_test(bf16_is_near_to_it),
	    cmocka_unit_test(int8_is_near_enough),
	    cmocka_unit_test(a_text_has_the_same_vector_in_any_pack),
	    cmocka_unit_test(no_texts_are_no_work),
	    cmocka_unit_test(threads_share_a_model),
	    cmocka_unit_test(a_folder_that_does_not_fit_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
