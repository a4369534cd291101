/*
 * The kernels for AVX-512 with VNNI, whose vpdpbusd multiplies 64 pairs of bytes, one side
 * unsigned, and adds them to 16 sums. Codes are stored unsigned for it: the sum over (value + 128)
 * * query is too large by 128 times the sum of the query, which the caller knows (`bias`). Compiled
 * with -mavx512f -mavx512bw -mavx512vnni; called only where the processor has them.
 */
#include "vector/vector_kernels.h"

#include <immintrin.h>

#include "base/banned.h"

static int32_t dot_query(const uint8_t *code, const int8_t *query, int32_t bias, size_t n)
{
	__m512i a = _mm512_setzero_si512(), b = a;
	size_t i = 0;

	for (; i + 128 <= n; i += 128) {
		a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(code + i),
					_mm512_loadu_si512(query + i));
		b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(code + i + 64),
					_mm512_loadu_si512(query + i + 64));
	}
	if (i < n)
		a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(code + i),
					_mm512_loadu_si512(query + i));
	return _mm512_reduce_add_epi32(_mm512_add_epi32(a, b)) - bias;
}

/* Sums of four registers, one in each lane. */
static inline __m128i sum4(__m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
	__m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
	__m512i all =
	    _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
	__m256i half =
	    _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));

	return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Four codes at a time share the loads of the query and the work of adding lanes up; and their
 * cache misses overlap. */
static void dot_query_many(const uint8_t *const *codes, size_t count, const int8_t *query,
			   int32_t bias, size_t n, int32_t *ret)
{
	size_t i = 0;

	for (; i + 4 <= count; i += 4) {
		const uint8_t *p = codes[i], *q = codes[i + 1], *r = codes[i + 2],
			      *s = codes[i + 3];
		__m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;

		for (size_t j = 0; j < n; j += 64) {
			__m512i x = _mm512_loadu_si512(query + j);

			a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(p + j), x);
			b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(q + j), x);
			c = _mm512_dpbusd_epi32(c, _mm512_loadu_si512(r + j), x);
			d = _mm512_dpbusd_epi32(d, _mm512_loadu_si512(s + j), x);
		}
		_mm_storeu_si128((__m128i *)(void *)(ret + i),
				 _mm_sub_epi32(sum4(a, b, c, d), _mm_set1_epi32(bias)));
	}
	for (; i < count; i++)
		ret[i] = dot_query(codes[i], query, bias, n);
}

static int32_t dot_pair(const uint8_t *a, const uint8_t *b, size_t n)
{
	const __m512i flip = _mm512_set1_epi8((char)0x80);
	__m512i sum = _mm512_setzero_si512(), bias = sum;

	for (size_t i = 0; i < n; i += 64) {
		__m512i y = _mm512_xor_si512(_mm512_loadu_si512(b + i), flip);

		sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(a + i), y);
		bias = _mm512_dpbusd_epi32(bias, flip, y); /* 128 as unsigned */
	}
	return _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, bias));
}

static inline __mmask16 tail(size_t n)
{
	return (__mmask16)((1U << n) - 1U);
}

static float largest(const float *values, size_t n)
{
	__m512 most = _mm512_setzero_ps();

	for (size_t i = 0; i < n; i += 16) {
		__mmask16 m = n - i < 16 ? tail(n - i) : (__mmask16)0xffff;

		most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_maskz_loadu_ps(m, values + i)));
	}
	return _mm512_reduce_max_ps(most);
}

static float quantize(const float *values, float factor, size_t n, int8_t *ret, int32_t *ret_sum)
{
	__m512 scale = _mm512_set1_ps(factor), errors = _mm512_setzero_ps();
	__m512i sums = _mm512_setzero_si512();

	for (size_t i = 0; i < n; i += 16) {
		__mmask16 m = n - i < 16 ? tail(n - i) : (__mmask16)0xffff;
		__m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, values + i), scale);
		__m512i q = _mm512_cvtps_epi32(value);
		__m512 d = _mm512_sub_ps(value, _mm512_cvtepi32_ps(q));

		errors = _mm512_fmadd_ps(d, d, errors);
		sums = _mm512_add_epi32(sums, q);
		_mm512_mask_cvtepi32_storeu_epi8(ret + i, m, q);
	}
	*ret_sum = _mm512_reduce_add_epi32(sums);
	return _mm512_reduce_add_ps(errors);
}

static float dot_f32(const float *a, const float *b, size_t n)
{
	__m512 s0 = _mm512_setzero_ps(), s1 = s0;
	size_t i = 0;

	for (; i + 32 <= n; i += 32) {
		s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
		s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
	}
	for (; i < n; i += 16) {
		__mmask16 m = n - i < 16 ? tail(n - i) : (__mmask16)0xffff;

		s0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + i),
				     _mm512_maskz_loadu_ps(m, b + i), s0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static float l2_f32(const float *a, const float *b, size_t n)
{
	__m512 s = _mm512_setzero_ps();

	for (size_t i = 0; i < n; i += 16) {
		__mmask16 m = n - i < 16 ? tail(n - i) : (__mmask16)0xffff;
		__m512 d =
		    _mm512_sub_ps(_mm512_maskz_loadu_ps(m, a + i), _mm512_maskz_loadu_ps(m, b + i));

		s = _mm512_fmadd_ps(d, d, s);
	}
	return _mm512_reduce_add_ps(s);
}

static inline __m512 load_half(const uint16_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline float half(uint16_t h)
{
	return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

static float dot_f16(const uint16_t *a, const float *b, size_t n)
{
	__m512 s0 = _mm512_setzero_ps(), s1 = s0;
	size_t i = 0;
	float sum;

	for (; i + 32 <= n; i += 32) {
		s0 = _mm512_fmadd_ps(load_half(a + i), _mm512_loadu_ps(b + i), s0);
		s1 = _mm512_fmadd_ps(load_half(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
	}
	sum = _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
	for (; i < n; i++)
		sum += half(a[i]) * b[i];
	return sum;
}

static float l2_f16(const uint16_t *a, const float *b, size_t n)
{
	__m512 s = _mm512_setzero_ps();
	size_t i = 0;
	float sum;

	for (; i + 16 <= n; i += 16) {
		__m512 d = _mm512_sub_ps(load_half(a + i), _mm512_loadu_ps(b + i));

		s = _mm512_fmadd_ps(d, d, s);
	}
	sum = _mm512_reduce_add_ps(s);
	for (; i < n; i++) {
		float difference = half(a[i]) - b[i];

		sum += difference * difference;
	}
	return sum;
}

static void to_f16(const float *values, uint16_t *ret, size_t n)
{
	size_t i = 0;

	for (; i + 16 <= n; i += 16)
		_mm256_storeu_si256((__m256i *)(void *)(ret + i),
				    _mm512_cvtps_ph(_mm512_loadu_ps(values + i), 0));
	for (; i < n; i++)
		ret[i] = (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(values[i]), 0));
}

static void from_f16(const uint16_t *values, float *ret, size_t n)
{
	size_t i = 0;

	for (; i + 16 <= n; i += 16)
		_mm512_storeu_ps(ret + i, load_half(values + i));
	for (; i < n; i++)
		ret[i] = half(values[i]);
}

const struct vector_kernels vector_kernels_avx512 = {
    .name = "avx512-vnni",
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
