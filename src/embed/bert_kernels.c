/*
 * The encoder's own arithmetic: see bert_kernels.h.
 *
 * One source, compiled three times by meson with other flags: without vectors (lanes of 1, which is
 * the reference and what any CPU runs), with AVX2 and FMA (8 lanes), and with AVX-512 (16 lanes).
 * GCC's vector types carry the arithmetic; the few operations that they lack (maximum, permutation,
 * narrowing, sums across lanes) are intrinsics below. Nothing here is chosen at run time: that is
 * bert_dispatch.c.
 *
 * GELU. x * Phi(x) = max(x, 0) - h(|x|) with h(t) = t * (1 - Phi(t)), which is smooth, has its
 * values between 0 and 0.17 and vanishes from 5.3 on. h is cut into as many intervals as a register
 * has numbers, each a polynomial around the interval's middle, interpolated at the zeros of the
 * Chebyshev polynomial: 16 of degree 4 (error 2e-7), or 8 of degree 6 (2e-8). The coefficients of
 * an interval are found by one permutation of a register each: cheaper than the exponential or the
 * division that other forms of erf need, and it is the largest piece of work beside the matrix
 * products: 9,216 values a token.
 *
 * Softmax is taken with powers of two: the queries carry the factor log2(e). 2^n goes into the
 * exponent's bits, 2^f is a polynomial of degree 5 (as above; relative error 1e-7), and the
 * difference f needs no second constant to be exact.
 *
 * Attention. A head's keys are transposed once, so that scores of one query are a row of whole
 * vectors; four queries at a time share what is loaded. The last block of four overlaps the one
 * before it instead of being shorter.
 */
#include "embed/bert_kernels.h"

#include <math.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "base/banned.h"

#if defined(__AVX512F__)
#define LANES	16
#define KERNELS bert_kernels_avx512
#define NAME	"avx512"
#elif defined(__AVX2__)
#define LANES	8
#define KERNELS bert_kernels_avx2
#define NAME	"avx2"
#else
#define LANES	1
#define KERNELS bert_kernels_scalar
#define NAME	"scalar"
#endif

/* A table of GELU has as many intervals as a vector has lanes, without vectors 16. */
#define GELU_INTERVALS (LANES == 8 ? 8 : 16)

#define INLINE	       static inline __attribute__((always_inline))

#if LANES > 1
typedef float vfloat __attribute__((vector_size(4 * LANES)));
typedef int32_t vint __attribute__((vector_size(4 * LANES)));
typedef float vfloat_any __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t vint_any __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

INLINE vfloat splat(float x)
{
	return x - (vfloat){0};
}

INLINE vfloat to_float(vint x)
{
	return __builtin_convertvector(x, vfloat);
}
#else
typedef float vfloat;
typedef int32_t vint;
typedef float vfloat_any __attribute__((may_alias));
typedef int32_t vint_any __attribute__((may_alias));

INLINE vfloat splat(float x)
{
	return x;
}

INLINE vfloat to_float(vint x)
{
	return (float)x;
}
#endif

INLINE vfloat load(const float *p)
{
	return *(const vfloat_any *)p;
}

INLINE void store(float *p, vfloat x)
{
	*(vfloat_any *)p = x;
}

INLINE vint load_int(const int32_t *p)
{
	return *(const vint_any *)p;
}

INLINE vint bits_of(vfloat x)
{
	vint i;

	memcpy(&i, &x, sizeof(i));
	return i;
}

INLINE vfloat float_of(vint bits)
{
	vfloat x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* Adding 1.5 * 2^23 leaves no bits for a fraction: the whole number, rounded to the nearest, stands
 * in the low bits of the sum. For |x| below 2^22. */
#define ROUND_MAGIC 12582912.0f

/* --- what vector types lack ------------------------------------------------------------------ */

#if LANES == 16
INLINE vfloat vmax(vfloat a, vfloat b)
{
	return (vfloat)_mm512_max_ps((__m512)a, (__m512)b);
}

INLINE vfloat vmin(vfloat a, vfloat b)
{
	return (vfloat)_mm512_min_ps((__m512)a, (__m512)b);
}

INLINE float sum_of(vfloat x)
{
	return _mm512_reduce_add_ps((__m512)x);
}

INLINE float max_of(vfloat x)
{
	return _mm512_reduce_max_ps((__m512)x);
}

/* table[i] of each lane, by the low bits of i */
INLINE vfloat pick(const float *table, vint i)
{
	return (vfloat)_mm512_permutexvar_ps((__m512i)i, _mm512_loadu_ps(table));
}

/* The low byte of each lane. */
INLINE void store_bytes(uint8_t *p, vint x)
{
	_mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8((__m512i)x));
}

INLINE void store_high_halves(uint16_t *p, vint x)
{
	_mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32((__m512i)x, 16)));
}
#elif LANES == 8
INLINE vfloat vmax(vfloat a, vfloat b)
{
	return (vfloat)_mm256_max_ps((__m256)a, (__m256)b);
}

INLINE vfloat vmin(vfloat a, vfloat b)
{
	return (vfloat)_mm256_min_ps((__m256)a, (__m256)b);
}

INLINE __m128 halves_sum(vfloat x)
{
	return _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
}

INLINE float sum_of(vfloat x)
{
	__m128 s = halves_sum(x);

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

INLINE float max_of(vfloat x)
{
	__m128 s =
	    _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));

	s = _mm_max_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

INLINE vfloat pick(const float *table, vint i)
{
	return (vfloat)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)i);
}

INLINE __m128i to_words(vint x) /* of numbers below 2^16 */
{
	return _mm_packus_epi32(_mm256_castsi256_si128((__m256i)x),
				_mm256_extracti128_si256((__m256i)x, 1));
}

INLINE void store_bytes(uint8_t *p, vint x)
{
	__m128i words = to_words(x & 0xFF);

	_mm_storel_epi64((void *)p, _mm_packus_epi16(words, words));
}

INLINE void store_high_halves(uint16_t *p, vint x)
{
	_mm_storeu_si128((void *)p, to_words((vint)_mm256_srli_epi32((__m256i)x, 16)));
}
#else
INLINE vfloat vmax(vfloat a, vfloat b)
{
	return a > b ? a : b;
}

INLINE vfloat vmin(vfloat a, vfloat b)
{
	return a < b ? a : b;
}

INLINE float sum_of(vfloat x)
{
	return x;
}

INLINE float max_of(vfloat x)
{
	return x;
}

INLINE vfloat pick(const float *table, vint i)
{
	return table[i & (GELU_INTERVALS - 1)];
}

INLINE void store_bytes(uint8_t *p, vint x)
{
	*p = (uint8_t)x;
}

INLINE void store_high_halves(uint16_t *p, vint x)
{
	*p = (uint16_t)((uint32_t)x >> 16);
}
#endif

INLINE vfloat vabs(vfloat x)
{
	return float_of(bits_of(x) & 0x7FFFFFFF);
}

/* --- functions ------------------------------------------------------------------------------- */

#define GELU_END 5.3333333f    /* 16 / 3 */
#define GELU_LOW (-0.1700417f) /* no value is below */

/* h(t) = t * (1 - Phi(t)), t from 0 to GELU_END, in equal intervals. A line is a power of u, a
 * column an interval; u goes from -1/2 to 1/2 in each. */
#if LANES == 8
#define GELU_STEPS  1.5f /* intervals for each 1 of t */
#define GELU_DEGREE 6
static const float gelu_table[GELU_DEGREE + 1][GELU_INTERVALS] = {

    {1.231471134e-01f, 1.586552539e-01f, 7.965058712e-02f, 2.290243347e-02f, 4.049694095e-03f,
     4.505100965e-04f, 3.182150329e-05f, 1.433257859e-06f},
    {1.624315496e-01f, -5.554352284e-02f, -7.867008409e-02f, -3.424607264e-02f, -7.963728872e-03f,
     -1.092079568e-03f, -9.151165401e-05f, -4.765325088e-06f},
    {-1.584077309e-01f, -5.377133019e-02f, 1.719357954e-02f, 2.007109519e-02f, 6.893983498e-03f,
     1.221426466e-03f, 1.244199125e-04f, 7.598952961e-06f},
    {2.414963976e-02f, 3.584353831e-02f, 1.001212441e-02f, -4.363688894e-03f, -3.284001566e-03f,
     -8.214546234e-04f, -1.054475546e-04f, -7.686720471e-06f},
    {1.004528162e-02f, -3.981196239e-03f, -6.327561443e-03f, -9.651474138e-04f, 8.025684399e-04f,
     3.583768108e-04f, 6.183701728e-05f, 5.550056686e-06f},
    {-2.250211404e-03f, -2.092450538e-03f, 8.380880136e-04f, 8.173130153e-04f, 9.233608872e-06f,
     -9.717713623e-05f, -2.669020341e-05f, -3.178932218e-06f},
    {-5.653201726e-04f, 5.161235747e-04f, 2.625509102e-04f, -1.651334068e-04f, -6.884801212e-05f,
     1.138356538e-05f, 7.849334455e-06f, 1.289597033e-06f},
};
#else
#define GELU_STEPS  3.0f
#define GELU_DEGREE 4
static const float gelu_table[GELU_DEGREE + 1][GELU_INTERVALS] = {
    {7.230269456e-02f, 1.542687694e-01f, 1.686069841e-01f, 1.419512553e-01f, 1.002108019e-01f,
     6.119026391e-02f, 3.278197002e-02f, 1.552416331e-02f, 6.525920706e-03f, 2.441451817e-03f,
     8.142017766e-04f, 2.423020555e-04f, 6.439290368e-05f, 1.528952906e-05f, 3.244754203e-06f,
     6.156230755e-07f},
    {1.227484001e-01f, 4.417008822e-02f, -1.086436094e-02f, -3.799677273e-02f, -4.248994618e-02f,
     -3.428757136e-02f, -2.251193309e-02f, -1.253737207e-02f, -6.038086750e-03f, -2.541211869e-03f,
     -9.405189290e-04f, -3.073613350e-04f, -8.893949569e-05f, -2.283310340e-05f, -5.208283781e-06f,
     -1.056730917e-06f},
    {-4.310812196e-02f, -3.422849190e-02f, -2.044741655e-02f, -7.169888285e-03f, 1.798724967e-03f,
     5.619178736e-03f, 5.711157063e-03f, 4.138678575e-03f, 2.413186582e-03f, 1.182313179e-03f,
     4.969429355e-04f, 1.812937954e-04f, 5.782539801e-05f, 1.620409364e-05f, 4.003036469e-06f,
     8.739880449e-07f},
    {1.595468916e-03f, 4.046058426e-03f, 4.766381586e-03f, 3.826529676e-03f, 2.102124952e-03f,
     5.484382885e-04f, -3.441006621e-04f, -6.031278621e-04f, -5.063350306e-04f, -3.130884890e-04f,
     -1.566342460e-04f, -6.581701399e-05f, -2.367633516e-05f, -7.373902095e-06f, -2.002808985e-06f,
     -4.767756027e-07f},
    {7.664749381e-04f, 4.174970051e-04f, -5.326485675e-05f, -3.789687104e-04f, -4.434605199e-04f,
     -3.141531217e-04f, -1.345386830e-04f, -7.032614349e-06f, 4.488680864e-05f, 4.668839396e-05f,
     3.068842151e-05f, 1.554903145e-05f, 6.461139251e-06f, 2.265267462e-06f, 6.807221089e-07f,
     1.770586711e-07f},
};
#endif

INLINE vfloat gelu(vfloat x)
{
	vfloat t = vmin(vabs(x), splat(GELU_END - 0.001f)) * GELU_STEPS - 0.5f;
	vfloat rounded = t + ROUND_MAGIC, u = t - (rounded - ROUND_MAGIC);
	vint i = bits_of(rounded);
	vfloat h = pick(gelu_table[GELU_DEGREE], i);

	for (int k = GELU_DEGREE - 1; k >= 0; k--)
		h = h * u + pick(gelu_table[k], i);
	return vmax(x, splat(0)) - h;
}

/* 2^x for x <= 0; below -125 it stays at 2^-125. */
INLINE vfloat power_of_two(vfloat x)
{
	static const float p[] = {1.000000075f,	    6.931471880e-01f, 2.402210749e-01f,
				  5.550357114e-02f, 9.676031918e-03f, 1.339086336e-03f};
	vfloat rounded, f, y;

	x = vmax(x, splat(-125.0f));
	rounded = x + ROUND_MAGIC;
	f = x - (rounded - ROUND_MAGIC);
	y = p[5] * f + p[4];
	for (int k = 3; k >= 0; k--)
		y = y * f + p[k];
	return float_of(bits_of(y) + (bits_of(rounded) << 23)); /* added to the exponent */
}

/* --- rows ------------------------------------------------------------------------------------ */

/* Numbers below and above which none of a row lies, as they are gathered. */
struct bounds {
	vfloat low, high;
};

INLINE void widen(struct bounds *b, vfloat x)
{
	b->low = vmin(b->low, x);
	b->high = vmax(b->high, x);
}

INLINE struct bert_range range_of(const struct bounds *b)
{
	return (struct bert_range){.low = -max_of(-b->low), .high = max_of(b->high)};
}

#define NO_BOUNDS ((struct bounds){splat(INFINITY), splat(-INFINITY)})

static struct bert_range range(const float *x, size_t n)
{
	struct bounds bounds = NO_BOUNDS;

	for (size_t i = 0; i < n; i += LANES)
		widen(&bounds, load(x + i));
	return range_of(&bounds);
}

static struct bert_row quantize(const float *x, size_t n, struct bert_range range, unsigned max,
				uint8_t *ret)
{
	float width = range.high - range.low;
	float factor = width > 0 ? (float)max / width : 0; /* equal numbers: all bytes are 0 */

	for (size_t i = 0; i < n; i += LANES)
		store_bytes(ret + i, bits_of((load(x + i) - range.low) * factor + ROUND_MAGIC));
	return (struct bert_row){.scale = width / (float)max, .low = range.low};
}

#if defined(__GNUC__) && !defined(__clang__) /* its analyzer counts a vector's lanes as bits */
#pragma GCC diagnostic ignored "-Wanalyzer-shift-count-overflow"
#endif

static void to_bf16(const float *x, size_t n, uint16_t *ret)
{
	for (size_t i = 0; i < n; i += LANES) {
		vint b = bits_of(load(x + i));

		store_high_halves(ret + i, b + 0x7FFF + ((b >> 16) & 1));
	}
}

/* Numbers i.. of a product's row. */
INLINE vfloat finished(const void *products, size_t i, struct bert_row row,
		       const struct bert_columns *c)
{
	if (!c->scale)
		return load((const float *)products + i) + load(c->bias + i);
	return to_float(load_int((const int32_t *)products + i)) *
		   (load(c->scale + i) * row.scale) +
	       (load(c->sum + i) * row.low + load(c->bias + i));
}

static void finish(void *products, size_t n, struct bert_row row, const struct bert_columns *c)
{
	for (size_t i = 0; i < n; i += LANES)
		store((float *)products + i, finished(products, i, row, c));
}

static struct bert_range finish_gelu(void *products, size_t n, struct bert_row row,
				     const struct bert_columns *c)
{
	vfloat high = splat(GELU_LOW);

	for (size_t i = 0; i < n; i += LANES) {
		vfloat x = gelu(finished(products, i, row, c));

		store((float *)products + i, x);
		high = vmax(high, x);
	}
	return (struct bert_range){.low = GELU_LOW, .high = max_of(high)};
}

static struct bert_range finish_norm(const void *products, size_t n, struct bert_row row,
				     const struct bert_columns *c, const struct bert_norm *norm,
				     float *x)
{
	struct bounds bounds = NO_BOUNDS;
	vfloat sum = splat(0), even = splat(0), odd = splat(0);
	float mean, factor;

	for (size_t i = 0; i < n; i += LANES) {
		vfloat v = load(x + i) + finished(products, i, row, c);

		store(x + i, v);
		sum += v;
	}
	mean = sum_of(sum) / (float)n;
	for (size_t i = 0; i < n;
	     i += (size_t)2 * LANES) { /* two sums: one would wait for itself */
		vfloat v = load(x + i) - mean, w = load(x + i + LANES) - mean;

		even += v * v;
		odd += w * w;
	}
	factor = 1.0f / sqrtf(sum_of(even + odd) / (float)n + norm->epsilon);
	for (size_t i = 0; i < n; i += LANES) {
		vfloat v =
		    (load(x + i) - mean) * factor * load(norm->gamma + i) + load(norm->beta + i);

		store(x + i, v);
		widen(&bounds, v);
	}
	return range_of(&bounds);
}

static void pool(const float *x, size_t rows, size_t n, float *ret)
{
	vfloat squares = splat(0);
	float length;

	for (size_t i = 0; i < n; i += LANES) {
		vfloat sum = load(x + i);

		for (size_t r = 1; r < rows; r++)
			sum += load(x + r * n + i);
		sum = sum * (1.0f / (float)rows);
		store(ret + i, sum);
		squares += sum * sum;
	}
	length = sqrtf(sum_of(squares));
	for (size_t i = 0; i < n && length > 0; i += LANES)
		store(ret + i, load(ret + i) * (1.0f / length));
}

/* --- attention ------------------------------------------------------------------------------- */

/* Columns i.. of `rows` rows (of LANES; the others count as 0) become rows of `ret`. */
#if LANES == 16
INLINE void transpose_block(const float *from, size_t stride, size_t rows, float *ret,
			    size_t ret_stride)
{
	__m512 r[16], t[16];

	for (size_t i = 0; i < 16; i++)
		r[i] = i < rows ? _mm512_loadu_ps(from + i * stride) : _mm512_setzero_ps();
	for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
	}
	/* r[4 * i + k]: in quarter q, column 4 * q + k of rows 4 * i .. 4 * i + 3 */
	for (int i = 0; i < 16; i += 4) {
		r[i] = (__m512)_mm512_unpacklo_pd((__m512d)t[i], (__m512d)t[i + 2]);
		r[i + 1] = (__m512)_mm512_unpackhi_pd((__m512d)t[i], (__m512d)t[i + 2]);
		r[i + 2] = (__m512)_mm512_unpacklo_pd((__m512d)t[i + 1], (__m512d)t[i + 3]);
		r[i + 3] = (__m512)_mm512_unpackhi_pd((__m512d)t[i + 1], (__m512d)t[i + 3]);
	}
	for (size_t k = 0; k < 4; k++) {
		__m512 low01 = _mm512_shuffle_f32x4(r[k], r[4 + k], 0x44);
		__m512 high01 = _mm512_shuffle_f32x4(r[k], r[4 + k], 0xEE);
		__m512 low23 = _mm512_shuffle_f32x4(r[8 + k], r[12 + k], 0x44);
		__m512 high23 = _mm512_shuffle_f32x4(r[8 + k], r[12 + k], 0xEE);

		ret += k ? ret_stride : 0;
		_mm512_storeu_ps(ret, _mm512_shuffle_f32x4(low01, low23, 0x88));
		_mm512_storeu_ps(ret + 4 * ret_stride, _mm512_shuffle_f32x4(low01, low23, 0xDD));
		_mm512_storeu_ps(ret + 8 * ret_stride, _mm512_shuffle_f32x4(high01, high23, 0x88));
		_mm512_storeu_ps(ret + 12 * ret_stride, _mm512_shuffle_f32x4(high01, high23, 0xDD));
	}
}
#elif LANES == 8
INLINE void transpose_block(const float *from, size_t stride, size_t rows, float *ret,
			    size_t ret_stride)
{
	__m256 r[8], t[8];

	for (size_t i = 0; i < 8; i++)
		r[i] = i < rows ? _mm256_loadu_ps(from + i * stride) : _mm256_setzero_ps();
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	/* r[4 * i + k]: in half h, column 4 * h + k of rows 4 * i .. 4 * i + 3 */
	for (int i = 0; i < 8; i += 4) {
		r[i] = (__m256)_mm256_unpacklo_pd((__m256d)t[i], (__m256d)t[i + 2]);
		r[i + 1] = (__m256)_mm256_unpackhi_pd((__m256d)t[i], (__m256d)t[i + 2]);
		r[i + 2] = (__m256)_mm256_unpacklo_pd((__m256d)t[i + 1], (__m256d)t[i + 3]);
		r[i + 3] = (__m256)_mm256_unpackhi_pd((__m256d)t[i + 1], (__m256d)t[i + 3]);
	}
	for (size_t k = 0; k < 4; k++) {
		_mm256_storeu_ps(ret + k * ret_stride,
				 _mm256_permute2f128_ps(r[k], r[4 + k], 0x20));
		_mm256_storeu_ps(ret + (4 + k) * ret_stride,
				 _mm256_permute2f128_ps(r[k], r[4 + k], 0x31));
	}
}
#else
INLINE void transpose_block(const float *from, size_t stride, size_t rows, float *ret,
			    size_t ret_stride)
{
	(void)stride;
	(void)rows;
	(void)ret_stride;
	*ret = *from;
}
#endif

static void transpose_keys(const struct bert_head *h, float *ret, size_t columns)
{
	for (size_t j = 0; j < columns; j += LANES)
		for (size_t d = 0; d < h->dim; d += LANES)
			transpose_block(h->key + j * h->stride + d, h->stride, h->n - j,
					ret + d * columns + j, columns);
}

/* What attend() lays out in the scratch memory. `masks` holds 0, and minus infinity for columns
 * that have no key. */
struct plan {
	size_t columns; /* of scores: whole vectors */
	float *keys, *masks, *scores;
};

/* Scores of `rows` queries with the `vectors` * LANES keys from `first` on. */
INLINE void score_block(const struct bert_head *h, const struct plan *p, const float *query,
			size_t first, const size_t rows, const size_t vectors)
{
	vfloat sum[BERT_HEAD_ROWS][2];

	for (size_t r = 0; r < rows; r++)
		for (size_t v = 0; v < vectors; v++)
			sum[r][v] = load(p->masks + first + v * LANES);
	for (size_t d = 0; d < h->dim; d++) {
		const float *keys = p->keys + d * p->columns + first;

		for (size_t r = 0; r < rows; r++)
			for (size_t v = 0; v < vectors; v++)
				sum[r][v] += load(keys + v * LANES) * query[r * h->stride + d];
	}
	for (size_t r = 0; r < rows; r++)
		for (size_t v = 0; v < vectors; v++)
			store(p->scores + r * p->columns + first + v * LANES, sum[r][v]);
}

/* Rows of scores to weights that are not divided by their sums yet; `factors` are 1 / sum. The rows
 * go side by side, so that the processor has independent work. */
INLINE void softmax(const struct plan *p, const size_t rows, float *factors)
{
	vfloat highest[BERT_HEAD_ROWS], sum[BERT_HEAD_ROWS];
	float top[BERT_HEAD_ROWS];

	for (size_t r = 0; r < rows; r++) {
		highest[r] = load(p->scores + r * p->columns);
		sum[r] = splat(0);
	}
	for (size_t j = LANES; j < p->columns; j += LANES)
		for (size_t r = 0; r < rows; r++)
			highest[r] = vmax(highest[r], load(p->scores + r * p->columns + j));
	for (size_t r = 0; r < rows; r++)
		top[r] = max_of(highest[r]);
	for (size_t j = 0; j < p->columns; j += LANES)
		for (size_t r = 0; r < rows; r++) {
			float *at = p->scores + r * p->columns + j;
			vfloat w = power_of_two(load(at) - top[r]);

			store(at, w);
			sum[r] += w;
		}
	for (size_t r = 0; r < rows; r++)
		factors[r] = 1.0f / sum_of(sum[r]);
}

/* ret = weights * value, for two vectors of columns */
INLINE void mix_block(const struct bert_head *h, const struct plan *p, const float *factors,
		      const size_t rows, const float *value, float *ret)
{
	vfloat sum[BERT_HEAD_ROWS][2];

	for (size_t r = 0; r < rows; r++)
		sum[r][0] = sum[r][1] = splat(0);
	for (size_t j = 0; j < h->n; j++) {
		vfloat v0 = load(value + j * h->stride), v1 = load(value + j * h->stride + LANES);

		for (size_t r = 0; r < rows; r++) {
			float w = p->scores[r * p->columns + j];

			sum[r][0] += v0 * w;
			sum[r][1] += v1 * w;
		}
	}
	for (size_t r = 0; r < rows; r++) {
		store(ret + r * h->ret_stride, sum[r][0] * factors[r]);
		store(ret + r * h->ret_stride + LANES, sum[r][1] * factors[r]);
	}
}

INLINE void attend_rows(const struct bert_head *h, const struct plan *p, size_t first,
			const size_t rows)
{
	const float *query = h->query + first * h->stride;
	size_t j = 0;
	float factors[BERT_HEAD_ROWS];

	for (; j + (size_t)2 * LANES <= p->columns; j += (size_t)2 * LANES)
		score_block(h, p, query, j, rows, 2);
	if (j < p->columns)
		score_block(h, p, query, j, rows, 1);
	softmax(p, rows, factors);
	for (size_t d = 0; d < h->dim; d += (size_t)2 * LANES)
		mix_block(h, p, factors, rows, h->value + d, h->ret + first * h->ret_stride + d);
}

static void attend(const struct bert_head *h)
{
	struct plan p = {.columns = (h->n + LANES - 1) / LANES * LANES, .keys = h->scratch};
	size_t i = 0;

	p.masks = p.keys + h->dim * p.columns;
	p.scores = p.masks + p.columns;
	for (size_t j = 0; j < p.columns; j++)
		p.masks[j] = j < h->n ? 0 : -INFINITY;
	transpose_keys(h, p.keys, p.columns);
	if (h->n < BERT_HEAD_ROWS) {
		for (; i < h->n; i++)
			attend_rows(h, &p, i, 1);
		return;
	}
	for (; i + BERT_HEAD_ROWS <= h->n; i += BERT_HEAD_ROWS)
		attend_rows(h, &p, i, BERT_HEAD_ROWS);
	if (i < h->n)
		attend_rows(h, &p, h->n - BERT_HEAD_ROWS, BERT_HEAD_ROWS);
}

const struct bert_kernels KERNELS = {
    .name = NAME,
    .range = range,
    .quantize = quantize,
    .to_bf16 = to_bf16,
    .finish = finish,
    .finish_gelu = finish_gelu,
    .finish_norm = finish_norm,
    .attend = attend,
    .pool = pool,
};
