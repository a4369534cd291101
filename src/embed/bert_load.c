/*
 * The matrices of a model: from the file's floats to what products multiply.
 *
 * Query, key and value of a layer become one matrix, so that a layer needs four products. The
 * queries' rows are divided by the root of a head's size here, which attention would otherwise do
 * for every score, and multiplied by log2(e), since it takes powers of two.
 *
 * int8: each output has a scale of its own, the largest of its weights over 127. Activations are
 * low + scale * byte, so that a product is
 *
 *	sum((low + s * a) * (t * w)) = s * t * sum(a * w) + low * t * sum(w)
 *
 * of which sum(a * w) is the integer product and t * sum(w) is computed here, once an output.
 */
#include "embed/bert_int.h"

#include "base/mem.h"

#include <math.h>

#include "base/banned.h"

#define WEIGHT_MAX 127
#define LOG2_E	   1.44269504088896341f

/* "weight" or "bias" of one part of layer i; `rows` 0: a vector. */
static int load_part(const struct bert_model *m, size_t layer, const char *part, size_t rows,
		     size_t columns, const float **ret, struct err *err)
{
	_cleanup_(mem_freep) char *name = mem_printf("encoder.layer.%zu.%s", layer, part);

	return safetensors_floats(m->file, name, rows, columns, ret, err);
}

/* A linear layer of the file and where its numbers go: n rows of k weights, and the bias. */
struct source {
	size_t layer;
	const char *part;
	size_t n, k;
	float *rows, *bias;
};

static int load_rows(const struct bert_model *m, const struct source *s, struct err *err)
{
	_cleanup_(mem_freep) char *weight_name = mem_printf("%s.weight", s->part);
	_cleanup_(mem_freep) char *bias_name = mem_printf("%s.bias", s->part);
	const float *from = NULL;
	int r = load_part(m, s->layer, weight_name, s->n, s->k, &from, err);

	if (r < 0)
		return r;
	memcpy(s->rows, from, s->n * s->k * sizeof(float));
	r = load_part(m, s->layer, bias_name, 0, s->n, &from, err);
	if (r < 0)
		return r;
	memcpy(s->bias, from, s->n * sizeof(float));
	return 0;
}

static int load_norm(const struct bert_model *m, size_t layer, const char *part,
		     struct bert_norm *ret, struct err *err)
{
	_cleanup_(mem_freep) char *gamma = mem_printf("%s.weight", part);
	_cleanup_(mem_freep) char *beta = mem_printf("%s.bias", part);
	int r = load_part(m, layer, gamma, 0, m->hidden, &ret->gamma, err);

	ret->epsilon = m->epsilon;
	return r < 0 ? r : load_part(m, layer, beta, 0, m->hidden, &ret->beta, err);
}

/* --- to the type of the products ------------------------------------------------------------- */

/* Adding and taking away 1.5 * 2^23 rounds to a whole number; unlike lrintf() it is done for
 * several numbers at a time. For |x| below 2^22. */
static inline float rounded(float x)
{
	return (x + 12582912.0f) - 12582912.0f;
}

#define LANES 16 /* k is a multiple; loops of constant length become vectors */

static float largest_of(const float *row, size_t k)
{
	float largest[LANES] = {0}, ret = 0;

	for (size_t i = 0; i < k; i += LANES)
		for (size_t j = 0; j < LANES; j++) {
			float size = fabsf(row[i + j]);

			largest[j] = size > largest[j] ? size : largest[j];
		}
	for (size_t j = 0; j < LANES; j++)
		ret = largest[j] > ret ? largest[j] : ret;
	return ret;
}

/* One output's weights as bytes; its scale, and scale * sum of the bytes. */
static void quantize_output(const float *row, size_t k, int8_t *ret, float *scale, float *sum)
{
	float largest = largest_of(row, k);
	float inverse = largest > 0 ? WEIGHT_MAX / largest : 0;
	int32_t totals[LANES] = {0}, total = 0;

	for (size_t i = 0; i < k; i += LANES)
		for (size_t j = 0; j < LANES; j++) {
			int32_t q = (int32_t)rounded(row[i + j] * inverse);

			ret[i + j] = (int8_t)q;
			totals[j] += q;
		}
	for (size_t j = 0; j < LANES; j++)
		total += totals[j];
	*scale = largest / WEIGHT_MAX;
	*sum = *scale * (float)total;
}

static int set_int8(struct bert_model *m, struct bert_linear *l, const float *rows, struct err *err)
{
	_cleanup_(mem_freep) int8_t *bytes = mem_alloc_array(l->n, l->k);
	float *scale = l->numbers + l->n, *sum = l->numbers + 2 * l->n;

	for (size_t i = 0; i < l->n; i++)
		quantize_output(rows + i * l->k, l->k, bytes + i * l->k, &scale[i], &sum[i]);
	l->columns.scale = scale;
	l->columns.sum = sum;
	return gemm_weights_new(m->pool, bytes, l->n, l->k, &l->weights, err);
}

static int set_bf16(struct bert_model *m, struct bert_linear *l, const float *rows, struct err *err)
{
	_cleanup_(mem_freep) uint16_t *halves = mem_alloc_array(l->n * l->k, sizeof(*halves));

	m->kernels->to_bf16(rows, l->n * l->k, halves);
	return gemm_weights_new(m->pool, halves, l->n, l->k, &l->weights, err);
}

/* Takes rows and bias of `l` (l->numbers begins with the bias). */
static int set_weights(struct bert_model *m, struct bert_linear *l, const float *rows,
		       struct err *err)
{
	static const unsigned sizes[] = {[GEMM_F32] = 4, [GEMM_BF16] = 2, [GEMM_INT8] = 1};

	l->columns.bias = l->numbers;
	m->info.weights_size += l->n * l->k * sizes[m->type];
	if (m->type == GEMM_INT8)
		return set_int8(m, l, rows, err);
	if (m->type == GEMM_BF16)
		return set_bf16(m, l, rows, err);
	return gemm_weights_new(m->pool, rows, l->n, l->k, &l->weights, err);
}

static void linear_init(struct bert_linear *l, size_t n, size_t k)
{
	l->n = n;
	l->k = k;
	l->numbers = mem_alloc_array(n * 3, sizeof(float)); /* bias, scale, sum */
}

static int load_linear(struct bert_model *m, size_t layer, const char *part, struct bert_linear *l,
		       struct err *err)
{
	_cleanup_(mem_freep) float *rows = mem_alloc_array(l->n * l->k, sizeof(*rows));
	const struct source source = {layer, part, l->n, l->k, rows, l->numbers};
	int r = load_rows(m, &source, err);

	return r < 0 ? r : set_weights(m, l, rows, err);
}

static int load_projection(struct bert_model *m, size_t layer, struct bert_linear *l,
			   struct err *err)
{
	static const char *const parts[] = {"attention.self.query", "attention.self.key",
					    "attention.self.value"};
	size_t n = m->hidden;
	_cleanup_(mem_freep) float *rows = mem_alloc_array(l->n * l->k, sizeof(*rows));
	float factor = LOG2_E / sqrtf((float)m->head_dim);

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const struct source source = {layer, parts[i],	       n,
					      n,     rows + i * n * n, l->numbers + i * n};
		int r = load_rows(m, &source, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n * n; i++)
		rows[i] *= factor;
	for (size_t i = 0; i < n; i++)
		l->numbers[i] *= factor;
	return set_weights(m, l, rows, err);
}

static int load_layer(struct bert_model *m, size_t i, struct bert_layer *l, struct err *err)
{
	int r;

	linear_init(&l->project, 3 * m->hidden, m->hidden);
	linear_init(&l->mix, m->hidden, m->hidden);
	linear_init(&l->up, m->inner, m->hidden);
	linear_init(&l->down, m->hidden, m->inner);
	r = load_projection(m, i, &l->project, err);
	if (r == 0)
		r = load_linear(m, i, "attention.output.dense", &l->mix, err);
	if (r == 0)
		r = load_norm(m, i, "attention.output.LayerNorm", &l->mix_norm, err);
	if (r == 0)
		r = load_linear(m, i, "intermediate.dense", &l->up, err);
	if (r == 0)
		r = load_linear(m, i, "output.dense", &l->down, err);
	if (r == 0)
		r = load_norm(m, i, "output.LayerNorm", &l->down_norm, err);
	return r;
}

int bert_load_layers(struct bert_model *m, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < m->n_layers && r == 0; i++)
		r = load_layer(m, i, &m->layers[i], err);
	return r;
}

static void linear_done(struct bert_linear *l)
{
	(void)gemm_weights_free(l->weights);
	mem_free(l->numbers);
}

void bert_layer_done(struct bert_layer *l)
{
	linear_done(&l->project);
	linear_done(&l->mix);
	linear_done(&l->up);
	linear_done(&l->down);
}
