/*
 * The kernels in plain C, and the choice. The plain ones are the specification that the others are
 * tested against, and what runs on a processor without AVX2.
 */
#include "vector/vector_kernels.h"

#include <math.h>
#include <stdbool.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/banned.h"

static int32_t dot_query(const uint8_t *code, const int8_t *query, int32_t bias, size_t n)
{
	int32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (int32_t)code[i] * query[i];
	return sum - bias;
}

static void dot_query_many(const uint8_t *const *codes, size_t count, const int8_t *query,
			   int32_t bias, size_t n, int32_t *ret)
{
	for (size_t i = 0; i < count; i++)
		ret[i] = dot_query(codes[i], query, bias, n);
}

static int32_t dot_pair(const uint8_t *a, const uint8_t *b, size_t n)
{
	int32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ((int32_t)a[i] - 128) * ((int32_t)b[i] - 128);
	return sum;
}

static float largest(const float *values, size_t n)
{
	float max = 0;

	for (size_t i = 0; i < n; i++)
		max = fmaxf(max, fabsf(values[i]));
	return max;
}

static float quantize(const float *values, float factor, size_t n, int8_t *ret, int32_t *ret_sum)
{
	float error = 0;

	*ret_sum = 0;
	for (size_t i = 0; i < n; i++) {
		float value = values[i] * factor, rounded = rintf(value);

		ret[i] = (int8_t)rounded;
		*ret_sum += ret[i];
		error += (value - rounded) * (value - rounded);
	}
	return error;
}

static float dot_f32(const float *a, const float *b, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static float l2_f32(const float *a, const float *b, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

/* binary16 by its bits: sign, five bits of exponent, ten of fraction. */
static float half_to_float(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000U) << 16;
	uint32_t exponent = (half >> 10) & 31U, fraction = half & 1023U;
	union {
		uint32_t bits;
		float value;
	} u;

	if (exponent == 0) { /* zero and subnormal: fraction * 2^-24, exact in a float */
		u.value = (float)fraction * 0x1p-24F;
		u.bits |= sign;
		return u.value;
	}
	if (exponent == 31)
		u.bits = sign | 0x7f800000U | fraction << 13;
	else
		u.bits = sign | (exponent + 112) << 23 | fraction << 13;
	return u.value;
}

/* To the nearest, ties to even; what is too large becomes infinity. */
static uint16_t float_to_half(float value)
{
	union {
		float value;
		uint32_t bits;
	} u = {value};
	uint32_t sign = u.bits >> 16 & 0x8000U, magnitude = u.bits & 0x7fffffffU;

	if (magnitude > 0x7f800000U) /* not a number */
		return (uint16_t)(sign | 0x7e00U);
	if (magnitude >= 0x47800000U) /* 65,536 and above */
		return (uint16_t)(sign | 0x7c00U);
	if (magnitude < 0x38800000U) { /* below 2^-14: the sum rounds it to a multiple of 2^-24 */
		u.bits = magnitude;
		u.value += 0.5F;
		return (uint16_t)(sign | (u.bits - 0x3f000000U));
	}
	magnitude += 0xfffU + (magnitude >> 13 & 1U);
	return (uint16_t)(sign | ((magnitude >> 13) - (112U << 10)));
}

static float dot_f16(const uint16_t *a, const float *b, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += half_to_float(a[i]) * b[i];
	return sum;
}

static float l2_f16(const uint16_t *a, const float *b, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++) {
		float difference = half_to_float(a[i]) - b[i];

		sum += difference * difference;
	}
	return sum;
}

static void to_f16(const float *values, uint16_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = float_to_half(values[i]);
}

static void from_f16(const uint16_t *values, float *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = half_to_float(values[i]);
}

const struct vector_kernels vector_kernels_scalar = {
    .name = "scalar",
    .dot_query = dot_query,
    .dot_query_many = dot_query_many,
    .dot_pair = dot_pair,
    .largest = largest,
    .quantize = quantize,
    .dot_f32 = dot_f32,
    .dot_f16 = dot_f16,
    .l2_f32 = l2_f32,
    .l2_f16 = l2_f16,
    .to_f16 = to_f16,
    .from_f16 = from_f16,
};

#if defined(__x86_64__)
/* By the processor's own word: clang 14 has no name for it. */
static bool has_f16c(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

size_t vector_kernels_all(const struct vector_kernels *ret[VECTOR_KERNELS_MAX])
{
	size_t n = 0;

	ret[n++] = &vector_kernels_scalar;
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
		ret[n++] = &vector_kernels_avx2;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vnni"))
		ret[n++] = &vector_kernels_avx512;
#endif
	return n;
}

const struct vector_kernels *vector_kernels_best(void)
{
	const struct vector_kernels *all[VECTOR_KERNELS_MAX];

	return all[vector_kernels_all(all) - 1];
}
