/*
 * What the encoder computes beside matrix products, a row or an attention head at a time: three
 * builds of one source (bert_kernels.c) for what a CPU has. Internal to embed/ and its tests.
 *
 * Numbers of columns are multiples of 32, as the model's loader demands. Rows need no alignment.
 * Everything is pure: no state, no allocation.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A row of numbers as bytes q: each number is low + scale * q. */
struct bert_row {
	float scale, low;
};

/* The smallest and the largest number of a row. */
struct bert_range {
	float low, high;
};

/* What turns a product's row into numbers: column by column, `bias` is added. int8 weights also
 * have `scale` (a weight is scale * its byte) and `sum` (scale * the sum of the column's bytes);
 * both NULL: the products are floats already. */
struct bert_columns {
	const float *scale, *sum, *bias;
};

struct bert_norm {
	const float *gamma, *beta;
	float epsilon;
};

/* One head of one text: n rows of `dim` numbers each, `stride` numbers apart. The queries are
 * scaled by log2(e)/sqrt(dim) already. */
struct bert_head {
	const float *query, *key, *value;
	size_t stride, n, dim;
	float *ret;
	size_t ret_stride;
	float *scratch; /* bert_head_scratch() numbers */
};

#define BERT_HEAD_ROWS 4  /* rows of scores at a time: with two vectors each, 8 accumulators */
#define BERT_HEAD_PAD  32 /* columns of scores are rounded up to this */

static inline size_t bert_head_scratch(size_t n, size_t dim)
{
	size_t padded = (n + BERT_HEAD_PAD - 1) / BERT_HEAD_PAD * BERT_HEAD_PAD;

	return padded * (dim + BERT_HEAD_ROWS + 1);
}

struct bert_kernels {
	const char *name;
	struct bert_range (*range)(const float *x, size_t n);
	/* x, which lies in `range`, to bytes 0..max. */
	struct bert_row (*quantize)(const float *x, size_t n, struct bert_range range, unsigned max,
				    uint8_t *ret);
	/* x to bfloat16, to the nearest even. */
	void (*to_bf16)(const float *x, size_t n, uint16_t *ret);
	/* A product's row to numbers in place: int32 (with c->scale) or float. `row` is that of the
	 * left operand. */
	void (*finish)(void *products, size_t n, struct bert_row row, const struct bert_columns *c);
	/* The same, then GELU: x * Phi(x), with Phi the distribution function of the normal
	 * distribution (the exact one, by erf; absolute error below 1e-6). */
	struct bert_range (*finish_gelu)(void *products, size_t n, struct bert_row row,
					 const struct bert_columns *c);
	/* x = layer_norm(x + finished products) */
	struct bert_range (*finish_norm)(const void *products, size_t n, struct bert_row row,
					 const struct bert_columns *c, const struct bert_norm *norm,
					 float *x);
	/* ret = softmax(query * key') * value, with 2 instead of e */
	void (*attend)(const struct bert_head *h);
	/* The mean of `rows` rows of n numbers, divided by its length. */
	void (*pool)(const float *x, size_t rows, size_t n, float *ret);
};

extern const struct bert_kernels bert_kernels_scalar;
#ifdef BERT_HAS_X86
extern const struct bert_kernels bert_kernels_avx2;
extern const struct bert_kernels bert_kernels_avx512;
#endif

/* The best that this CPU has. */
const struct bert_kernels *bert_kernels_get(void);
/* All that this CPU can run, for tests: by index until NULL. */
const struct bert_kernels *bert_kernels_at(size_t i);
