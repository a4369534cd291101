/* Every set of kernels that this processor can run gives what the plain one gives. */
#include "fixture.h"
#include "vector/vector_kernels.h"

#include <math.h>

#define N_MAX 1024

struct buffers {
	uint8_t a[N_MAX], b[N_MAX];
	int8_t q[N_MAX];
	float x[N_MAX], y[N_MAX];
	uint16_t h[N_MAX];
};

static int32_t fill(struct buffers *b, uint64_t seed, size_t n)
{
	int32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		b->a[i] = (uint8_t)(1 + fixture_random(&seed) % 255); /* -127 to 127 */
		b->b[i] = (uint8_t)(1 + fixture_random(&seed) % 255);
		b->q[i] = (int8_t)((int)(fixture_random(&seed) % 255) - 127);
		sum += b->q[i];
		b->x[i] = (float)((double)(int64_t)fixture_random(&seed) * 0x1p-63);
		b->y[i] = (float)((double)(int64_t)fixture_random(&seed) * 0x1p-63);
	}
	return 128 * sum;
}

static void products_of_bytes_are_the_same_integers(void **state)
{
	const struct vector_kernels *all[VECTOR_KERNELS_MAX];
	size_t n_kernels = vector_kernels_all(all);
	static struct buffers b;

	(void)state;
	for (size_t n = VECTOR_CODE_ALIGN; n <= N_MAX; n += VECTOR_CODE_ALIGN) {
		int32_t bias = fill(&b, n, n), many[7];
		const uint8_t *codes[7] = {b.a, b.b, b.a, b.b, b.b, b.a, b.b};

		for (size_t i = 1; i < n_kernels; i++) {
			assert_int_equal(all[i]->dot_query(b.a, b.q, bias, n),
					 all[0]->dot_query(b.a, b.q, bias, n));
			assert_int_equal(all[i]->dot_pair(b.a, b.b, n),
					 all[0]->dot_pair(b.a, b.b, n));
			for (size_t count = 0; count <= 7; count++) {
				all[i]->dot_query_many(codes, count, b.q, bias, n, many);
				for (size_t j = 0; j < count; j++)
					assert_int_equal(many[j],
							 all[0]->dot_query(codes[j], b.q, bias, n));
			}
		}
	}
}

/* The largest values there are must not overflow where 16 bits are used on the way. */
static void extreme_bytes_do_not_saturate(void **state)
{
	const struct vector_kernels *all[VECTOR_KERNELS_MAX];
	size_t n_kernels = vector_kernels_all(all);
	static struct buffers b;
	int32_t bias = 128 * 127 * N_MAX;

	(void)state;
	memset(b.a, 255, N_MAX);
	memset(b.b, 1, N_MAX);
	memset(b.q, 127, N_MAX);
	for (size_t i = 0; i < n_kernels; i++) {
		assert_int_equal(all[i]->dot_query(b.a, b.q, bias, N_MAX), 127 * 127 * N_MAX);
		assert_int_equal(all[i]->dot_query(b.b, b.q, bias, N_MAX), -127 * 127 * N_MAX);
		assert_int_equal(all[i]->dot_pair(b.a, b.b, N_MAX), -127 * 127 * N_MAX);
		assert_int_equal(all[i]->dot_pair(b.a, b.a, N_MAX), 127 * 127 * N_MAX);
	}
}

static void floats_agree_but_for_the_order_of_sums(void **state)
{
	const struct vector_kernels *all[VECTOR_KERNELS_MAX];
	size_t n_kernels = vector_kernels_all(all);
	static struct buffers b;

	(void)state;
	for (size_t n = 1; n <= 100; n++) { /* every length of a rest */
		(void)fill(&b, n, n);
		all[0]->to_f16(b.x, b.h, n);
		for (size_t i = 1; i < n_kernels; i++) {
			double e = 1e-5 * (double)n;

			assert_true(fabs((double)all[i]->dot_f32(b.x, b.y, n) -
					 (double)all[0]->dot_f32(b.x, b.y, n)) < e);
			assert_true(fabs((double)all[i]->l2_f32(b.x, b.y, n) -
					 (double)all[0]->l2_f32(b.x, b.y, n)) < e);
			assert_true(fabs((double)all[i]->dot_f16(b.h, b.y, n) -
					 (double)all[0]->dot_f16(b.h, b.y, n)) < e);
			assert_true(fabs((double)all[i]->l2_f16(b.h, b.y, n) -
					 (double)all[0]->l2_f16(b.h, b.y, n)) < e);
		}
	}
}

/* The codes in a file are compared byte by byte, whatever kernel made them. */
static void codes_are_the_same_for_all(void **state)
{
	const struct vector_kernels *all[VECTOR_KERNELS_MAX];
	size_t n_kernels = vector_kernels_all(all);
	static struct buffers b;
	int8_t plain[N_MAX], fast[N_MAX];

	(void)state;
	for (size_t n = 1; n <= 200; n++) {
		float largest, lost;
		int32_t plain_sum, fast_sum;

		(void)fill(&b, n, n);
		largest = all[0]->largest(b.x, n);
		lost = all[0]->quantize(b.x, 127 / largest, n, plain, &plain_sum);
		for (size_t i = 1; i < n_kernels; i++) {
			assert_true(all[i]->largest(b.x, n) >= largest);
			assert_true(all[i]->largest(b.x, n) <= largest);
			assert_true(fabsf(all[i]->quantize(b.x, 127 / largest, n, fast, &fast_sum) -
					  lost) <= 1e-4F * (1 + lost));
			assert_memory_equal(plain, fast, n);
			assert_int_equal(plain_sum, fast_sum);
		}
	}
}

/* In rows as long as the widest registers and a rest. */
static void halves_in_rows_are_the_same_for_all(void **state)
{
	const struct vector_kernels *all[VECTOR_KERNELS_MAX];
	size_t n_kernels = vector_kernels_all(all);
	static struct buffers b;
	uint16_t fast[N_MAX];
	float plain_back[N_MAX], fast_back[N_MAX];

	(void)state;
	for (size_t n = 1; n <= 100; n++) {
		(void)fill(&b, n, n);
		all[0]->to_f16(b.x, b.h, n);
		all[0]->from_f16(b.h, plain_back, n);
		for (size_t i = 1; i < n_kernels; i++) {
			all[i]->to_f16(b.x, fast, n);
			assert_memory_equal(fast, b.h, n * sizeof(*fast));
			all[i]->from_f16(b.h, fast_back, n);
			assert_memory_equal(fast_back, plain_back, n * sizeof(*fast_back));
		}
	}
}

/* All 65,536 halves there and back; and floats around each of them. */
static void halves_are_the_same_for_all(void **state)
{
	const struct vector_kernels *all[VECTOR_KERNELS_MAX];
	size_t n_kernels = vector_kernels_all(all);

	(void)state;
	for (uint32_t h = 0; h < 65536; h++) {
		uint16_t half = (uint16_t)h, back;
		float value, near[3];

		all[0]->from_f16(&half, &value, 1);
		if (isnan(value))
			continue;
		all[0]->to_f16(&value, &back, 1);
		assert_int_equal(back, half);
		near[0] = value * 1.0003F;
		near[1] = value * 0.9998F;
		near[2] = value;
		for (size_t i = 1; i < n_kernels; i++) {
			float other;

			all[i]->from_f16(&half, &other, 1);
			assert_memory_equal(&other, &value, sizeof(value));
			for (size_t j = 0; j < 3; j++) {
				uint16_t plain, fast;

				all[0]->to_f16(&near[j], &plain, 1);
				all[i]->to_f16(&near[j], &fast, 1);
				assert_int_equal(plain, fast);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(products_of_bytes_are_the_same_integers),
	    cmocka_unit_test(extreme_bytes_do_not_saturate),
	    cmocka_unit_test(floats_agree_but_for_the_order_of_sums),
	    cmocka_unit_test(codes_are_the_same_for_all),
	    cmocka_unit_test(halves_in_rows_are_the_same_for_all),
	    cmocka_unit_test(halves_are_the_same_for_all),
	};

	return cmocka_run_group_tests_name("vector/kernels", tests, NULL, NULL);
}
