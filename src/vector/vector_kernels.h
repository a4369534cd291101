/*
 * Distance kernels: the inner loops of the engine, once in plain C and once for each instruction
 * set, chosen at run time by what the processor has. All give the same integers; floats differ in
 * the order of their sums only.
 *
 * A code is int8 values stored as value + 128 (the instruction for eight-bit products takes one
 * side unsigned), padded with 128 to a multiple of VECTOR_CODE_ALIGN bytes; `n` is that length. The
 * query's side is plain int8, padded with 0. Immutable; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VECTOR_CODE_ALIGN 64

struct vector_kernels {
	const char *name;
	/* Sum of (code - 128) * query; `bias` is 128 times the sum of query. */
	int32_t (*dot_query)(const uint8_t *code, const int8_t *query, int32_t bias, size_t n);
	/* The same for several codes at once. */
	void (*dot_query_many)(const uint8_t *const *codes, size_t count, const int8_t *query,
			       int32_t bias, size_t n, int32_t *ret);
	/* Sum of (a - 128) * (b - 128). */
	int32_t (*dot_pair)(const uint8_t *a, const uint8_t *b, size_t n);
	/* n values of any number: the largest magnitude; and value * factor, rounded, which must be
	 * within 127, with its sum in *ret_sum. Returns the sum of the squares of what rounding
	 * took. */
	float (*largest)(const float *values, size_t n);
	float (*quantize)(const float *values, float factor, size_t n, int8_t *ret,
			  int32_t *ret_sum);
	/* Half precision is IEEE binary16. */
	float (*dot_f32)(const float *a, const float *b, size_t n);
	float (*dot_f16)(const uint16_t *a, const float *b, size_t n);
	float (*l2_f32)(const float *a, const float *b, size_t n); /* squared distance */
	float (*l2_f16)(const uint16_t *a, const float *b, size_t n);
	void (*to_f16)(const float *values, uint16_t *ret, size_t n);
	void (*from_f16)(const uint16_t *values, float *ret, size_t n);
};

extern const struct vector_kernels vector_kernels_scalar;
#if defined(__x86_64__)
extern const struct vector_kernels vector_kernels_avx2;	  /* AVX2, FMA, F16C */
extern const struct vector_kernels vector_kernels_avx512; /* AVX-512 F, BW, VNNI */
#endif

/* The fastest that this processor has. */
const struct vector_kernels *vector_kernels_best(void);

/* All that this processor can run, the plain one first: for tests. Returns how many. */
#define VECTOR_KERNELS_MAX 3
size_t vector_kernels_all(const struct vector_kernels *ret[VECTOR_KERNELS_MAX]);
