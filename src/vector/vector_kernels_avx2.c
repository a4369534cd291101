/*
 * The kernels for AVX2. Products of bytes go by pmaddubsw, which takes one side unsigned and adds
 * two products in 16 bits: with |a| and b carrying a's sign, both within 127, the sum of two stays
 * below 2^15 (127 * 127 * 2 = 32,258), so nothing saturates. Compiled with -mavx2 -mfma -mf16c;
 * called only where the processor has them.
 */
#include "vector/vector_kernels.h"

#include <immintrin.h>
#include <math.h>

#include "base/banned.h"

static inline int32_t sum_i32(__m256i v)
{
	__m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return _mm_cvtsi128_si32(s);
}

static inline float sum_f32(__m256 v)
{
	__m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	s = _mm_add_ss(s, _mm_movehdup_ps(s));
	return _mm_cvtss_f32(s);
}

static inline __m256i load(const void *p)
{
	return _mm256_loadu_si256((const __m256i *)p);
}

/* 32 products of signed bytes, none of them -128, added to eight sums. */
static inline __m256i add_products(__m256i sum, __m256i a, __m256i b)
{
	__m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));

	return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline __m256i load_code(const uint8_t *code)
{
	return _mm256_xor_si256(load(code), _mm256_set1_epi8((char)0x80));
}

static int32_t dot_query(const uint8_t *code, const int8_t *query, int32_t bias, size_t n)
{
	__m256i a = _mm256_setzero_si256(), b = a;

	(void)bias; /* the code is made signed here */
	for (size_t i = 0; i < n; i += 64) {
		a = add_products(a, load_code(code + i), load(query + i));
		b = add_products(b, load_code(code + i + 32), load(query + i + 32));
	}
	return sum_i32(_mm256_add_epi32(a, b));
}

static void dot_query_many(const uint8_t *const *codes, size_t count, const int8_t *query,
			   int32_t bias, size_t n, int32_t *ret)
{
	for (size_t i = 0; i < count; i++)
		ret[i] = dot_query(codes[i], query, bias, n);
}

static int32_t dot_pair(const uint8_t *a, const uint8_t *b, size_t n)
{
	__m256i sum = _mm256_setzero_si256();

	for (size_t i = 0; i < n; i += 32)
		sum = add_products(sum, load_code(a + i), load_code(b + i));
	return sum_i32(sum);
}

static float largest(const float *values, size_t n)
{
	const __m256 sign = _mm256_set1_ps(-0.0F);
	__m256 most = _mm256_setzero_ps();
	__m128 half;
	size_t i = 0;
	float max;

	for (; i + 8 <= n; i += 8)
		most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_loadu_ps(values + i)));
	half = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
	half = _mm_max_ps(half, _mm_movehl_ps(half, half));
	max = _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
	for (; i < n; i++)
		max = fmaxf(max, fabsf(values[i]));
	return max;
}

static float quantize(const float *values, float factor, size_t n, int8_t *ret, int32_t *ret_sum)
{
	__m256 scale = _mm256_set1_ps(factor), errors = _mm256_setzero_ps();
	__m256i sums = _mm256_setzero_si256();
	size_t i = 0;
	float error;

	for (; i + 8 <= n; i += 8) {
		__m256 value = _mm256_mul_ps(_mm256_loadu_ps(values + i), scale);
		__m256i q = _mm256_cvtps_epi32(value);
		__m256 d = _mm256_sub_ps(value, _mm256_cvtepi32_ps(q));
		__m128i words =
		    _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));

		errors = _mm256_fmadd_ps(d, d, errors);
		sums = _mm256_add_epi32(sums, q);
		_mm_storel_epi64((__m128i *)(void *)(ret + i), _mm_packs_epi16(words, words));
	}
	error = sum_f32(errors);
	*ret_sum = sum_i32(sums);
	for (; i < n; i++) {
		float value = values[i] * factor, rounded = rintf(value);

		ret[i] = (int8_t)rounded;
		*ret_sum += ret[i];
		error += (value - rounded) * (value - rounded);
	}
	return error;
}

static float dot_f32(const float *a, const float *b, size_t n)
{
	__m256 s0 = _mm256_setzero_ps(), s1 = s0;
	size_t i = 0;
	float sum;

	for (; i + 16 <= n; i += 16) {
		s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
		s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
	}
	sum = sum_f32(_mm256_add_ps(s0, s1));
	for (; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static float l2_f32(const float *a, const float *b, size_t n)
{
	__m256 s = _mm256_setzero_ps();
	size_t i = 0;
	float sum;

	for (; i + 8 <= n; i += 8) {
		__m256 d = _mm256_sub_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));

		s = _mm256_fmadd_ps(d, d, s);
	}
	sum = sum_f32(s);
	for (; i < n; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

static inline __m256 load_half(const uint16_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static float dot_f16(const uint16_t *a, const float *b, size_t n)
{
	__m256 s = _mm256_setzero_ps();
	size_t i = 0;
	float sum;

	for (; i + 8 <= n; i += 8)
		s = _mm256_fmadd_ps(load_half(a + i), _mm256_loadu_ps(b + i), s);
	sum = sum_f32(s);
	for (; i < n; i++)
		sum += _cvtsh_ss(a[i]) * b[i];
	return sum;
}

static float l2_f16(const uint16_t *a, const float *b, size_t n)
{
	__m256 s = _mm256_setzero_ps();
	size_t i = 0;
	float sum;

	for (; i + 8 <= n; i += 8) {
		__m256 d = _mm256_sub_ps(load_half(a + i), _mm256_loadu_ps(b + i));

		s = _mm256_fmadd_ps(d, d, s);
	}
	sum = sum_f32(s);
	for (; i < n; i++) {
		float difference = _cvtsh_ss(a[i]) - b[i];

		sum += difference * difference;
	}
	return sum;
}

static void to_f16(const float *values, uint16_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = _cvtss_sh(values[i], 0);
}

static void from_f16(const uint16_t *values, float *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = _cvtsh_ss(values[i]);
}

const struct vector_kernels vector_kernels_avx2 = {
    .name = "avx2",
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
