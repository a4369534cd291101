/* The encoder's kernels: each build that this CPU can run, against plain sums in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "embed/bert_kernels.h"

#include <math.h>

#include "base/banned.h"

#define N 96 /* columns: whole vectors of every build, and not a power of two */

static uint64_t random_state;

/* In -1..1, the same on every run. */
static float next_random(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (float)(int32_t)(random_state >> 32) / 2147483648.0f;
}

static void fill(float *x, size_t n, float scale)
{
	for (size_t i = 0; i < n; i++)
		x[i] = next_random() * scale;
}

static void close_to(const struct bert_kernels *k, double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%s: %.9g instead of %.9g", k->name, got, want);
}

/* Runs a test once for each build; there is always the scalar one. */
static void for_each_build(void (*test)(const struct bert_kernels *k))
{
	const struct bert_kernels *k;

	for (size_t i = 0; (k = bert_kernels_at(i)); i++) {
		random_state = 1;
		test(k);
	}
	assert_string_equal(bert_kernels_at(0)->name, bert_kernels_get()->name);
}

static double gelu(double x)
{
	return 0.5 * x * erfc(-x / sqrt(2));
}

static void check_gelu(const struct bert_kernels *k)
{
	static const float zeros[N];
	const struct bert_columns c = {.bias = zeros};
	float x[N], y[N];

	for (float from = -12; from < 12; from += 0.25f) {
		struct bert_range range;
		float low = INFINITY, high = -INFINITY;

		for (size_t i = 0; i < N; i++)
			x[i] = y[i] = from + 0.25f * (float)i / N;
		range = k->finish_gelu(y, N, (struct bert_row){0}, &c);
		for (size_t i = 0; i < N; i++) {
			close_to(k, (double)y[i], gelu((double)x[i]),
				 6e-7 + 1e-7 * fabs((double)x[i]));
			low = fminf(low, y[i]);
			high = fmaxf(high, y[i]);
		}
		assert_true(range.low == low && range.high == high);
	}
}

static void gelu_is_the_exact_one(void **state)
{
	(void)state;
	for_each_build(check_gelu);
}

static void check_quantize(const struct bert_kernels *k, unsigned max)
{
	float x[N];
	uint8_t q[N];
	struct bert_range range;
	struct bert_row row;

	fill(x, N, 3);
	x[17] = 9;
	range = k->range(x, N);
	row = k->quantize(x, N, range, max, q);
	assert_true(range.high == 9);
	assert_int_equal(q[17], max);
	for (size_t i = 0; i < N; i++) {
		assert_true(q[i] <= max);
		close_to(k, (double)(row.low + row.scale * (float)q[i]), (double)x[i],
			 (double)row.scale * 0.501);
	}
}

static void check_quantize_all(const struct bert_kernels *k)
{
	float same[N];
	uint8_t q[N];
	struct bert_row row;

	check_quantize(k, 255);
	check_quantize(k, 127);
	for (size_t i = 0; i < N; i++)
		same[i] = -2.5f;
	row = k->quantize(same, N, k->range(same, N), 255, q);
	assert_true(row.low == -2.5f && row.scale == 0);
	assert_int_equal(q[3], 0);
}

static void bytes_are_within_half_a_step(void **state)
{
	(void)state;
	for_each_build(check_quantize_all);
}

static void check_bf16(const struct bert_kernels *k)
{
	static const struct {
		uint32_t bits;
		uint16_t want;
	} cases[] = {{0x3F800000, 0x3F80}, {0x3F808000, 0x3F80}, {0x3F818000, 0x3F82},
		     {0x3F808001, 0x3F81}, {0xBF80FFFF, 0xBF81}, {0x00000000, 0x0000}};
	float x[N] = {0};
	uint16_t h[N];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		memcpy(&x[i * 16], &cases[i].bits, sizeof(float));
	k->to_bf16(x, N, h);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(h[i * 16], cases[i].want);
}

static void bfloat16_rounds_to_the_nearest_even(void **state)
{
	(void)state;
	for_each_build(check_bf16);
}

static void check_finish(const struct bert_kernels *k)
{
	int32_t products[N];
	float scale[N], sum[N], bias[N], out[N];
	const struct bert_columns c = {.scale = scale, .sum = sum, .bias = bias};
	const struct bert_row row = {.scale = 0.013f, .low = -1.7f};

	fill(scale, N, 0.01f);
	fill(sum, N, 2);
	fill(bias, N, 1);
	for (size_t i = 0; i < N; i++)
		products[i] = (int32_t)(next_random() * 1e6f);
	memcpy(out, products, sizeof(out));
	k->finish(out, N, row, &c);
	for (size_t i = 0; i < N; i++)
		close_to(k, (double)out[i],
			 (double)products[i] * (double)row.scale * (double)scale[i] +
			     (double)row.low * (double)sum[i] + (double)bias[i],
			 1e-4);
}

static void integer_products_become_numbers(void **state)
{
	(void)state;
	for_each_build(check_finish);
}

static void check_norm(const struct bert_kernels *k)
{
	float x[N], products[N], bias[N], gamma[N], beta[N], y[N];
	const struct bert_columns c = {.bias = bias};
	const struct bert_norm norm = {gamma, beta, 1e-12f};
	double mean = 0, variance = 0;
	struct bert_range range;

	fill(x, N, 2);
	fill(products, N, 3);
	fill(bias, N, 1);
	fill(gamma, N, 1);
	fill(beta, N, 1);
	memcpy(y, x, sizeof(y));
	range = k->finish_norm(products, N, (struct bert_row){0}, &c, &norm, y);
	for (size_t i = 0; i < N; i++)
		mean += ((double)x[i] + (double)products[i] + (double)bias[i]) / N;
	for (size_t i = 0; i < N; i++)
		variance += pow((double)x[i] + (double)products[i] + (double)bias[i] - mean, 2) / N;
	for (size_t i = 0; i < N; i++) {
		double v = (double)x[i] + (double)products[i] + (double)bias[i];

		close_to(k, (double)y[i],
			 (v - mean) / sqrt(variance) * (double)gamma[i] + (double)beta[i], 3e-6);
		assert_true(y[i] >= range.low && y[i] <= range.high);
	}
}

static void layer_norm_has_mean_and_variance(void **state)
{
	(void)state;
	for_each_build(check_norm);
}

static void attend_plainly(const struct bert_head *h, size_t row, double *ret)
{
	double sum = 0, top = -HUGE_VAL;
	double scores[256];

	for (size_t j = 0; j < h->n; j++) {
		scores[j] = 0;
		for (size_t d = 0; d < h->dim; d++)
			scores[j] += (double)h->query[row * h->stride + d] *
				     (double)h->key[j * h->stride + d];
		top = fmax(top, scores[j]);
	}
	for (size_t j = 0; j < h->n; j++)
		sum += scores[j] = exp2(scores[j] - top);
	for (size_t d = 0; d < h->dim; d++) {
		ret[d] = 0;
		for (size_t j = 0; j < h->n; j++)
			ret[d] += scores[j] / sum * (double)h->value[j * h->stride + d];
	}
}

static void check_head(const struct bert_kernels *k, size_t n, size_t dim, float scale)
{
	size_t stride = 3 * dim + 5;
	float *project = mem_alloc_array(n * stride, sizeof(float));
	float *ret = mem_alloc_array(n * dim, sizeof(float));
	float *scratch = mem_alloc_array(bert_head_scratch(n, dim), sizeof(float));
	double *want = mem_alloc_array(dim, sizeof(double));
	const struct bert_head h = {.query = project,
				    .key = project + dim,
				    .value = project + 2 * dim,
				    .stride = stride,
				    .n = n,
				    .dim = dim,
				    .ret = ret,
				    .ret_stride = dim,
				    .scratch = scratch};

	fill(project, n * stride, scale);
	k->attend(&h);
	for (size_t i = 0; i < n; i++) {
		attend_plainly(&h, i, want);
		for (size_t d = 0; d < dim; d++)
			close_to(k, (double)ret[i * dim + d], want[d], 2e-5 * (double)scale);
	}
	mem_free(want);
	mem_free(scratch);
	mem_free(ret);
	mem_free(project);
}

static void check_attention(const struct bert_kernels *k)
{
	static const size_t lengths[] = {1,  2,	 3,  4,	 5,  15, 16,  17,
					 31, 32, 33, 37, 48, 49, 255, 256};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		check_head(k, lengths[i], 32, 1);
	check_head(k, 21, 64, 1);
	check_head(k, 21, 32, 6); /* scores far apart: most weights vanish */
}

static void attention_is_the_same_at_every_length(void **state)
{
	(void)state;
	for_each_build(check_attention);
}

static void check_pool(const struct bert_kernels *k)
{
	float x[3 * N], y[N];
	double mean[N], length = 0;

	fill(x, 3 * (size_t)N, 2);
	k->pool(x, 3, N, y);
	for (size_t i = 0; i < N; i++) {
		mean[i] = ((double)x[i] + (double)x[N + i] + (double)x[2 * N + i]) / 3;
		length += mean[i] * mean[i];
	}
	for (size_t i = 0; i < N; i++)
		close_to(k, (double)y[i], mean[i] / sqrt(length), 1e-6);
}

static void a_texts_vector_is_the_mean_of_length_1(void **state)
{
	(void)state;
	for_each_build(check_pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gelu_is_the_exact_one),
	    cmocka_unit_test(bytes_are_within_half_a_step),
	    cmocka_unit_test(bfloat16_rounds_to_the_nearest_even),
	    cmocka_unit_test(integer_products_become_numbers),
	    cmocka_unit_test(layer_norm_has_mean_and_variance),
	    cmocka_unit_test(attention_is_the_same_at_every_length),
	    cmocka_unit_test(a_texts_vector_is_the_mean_of_length_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
