/*
 * Random numbers: xoshiro256** by Blackman and Vigna (public domain), seeded by SplitMix64 as its
 * authors advise. Only integers, so that every machine draws the same.
 */
#include "shop/generate_int.h"

#include "base/banned.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15) /* SplitMix64's increment */

uint64_t gen_hash(uint64_t seed, enum gen_stream stream, uint64_t index)
{
	return mix(mix(mix(seed + GOLDEN) + (uint64_t)stream * GOLDEN) + index * GOLDEN + 1);
}

void gen_rng_init(struct gen_rng *rng, uint64_t seed, enum gen_stream stream, uint64_t index)
{
	uint64_t x = gen_hash(seed, stream, index);

	for (size_t i = 0; i < ARRAY_LEN(rng->s); i++) {
		x += GOLDEN;
		rng->s[i] = mix(x);
	}
}

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t gen_next(struct gen_rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

/* Multiply and shift; the bias is below n / 2^64, which no test of ours can see. */
uint64_t gen_below(struct gen_rng *rng, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)gen_next(rng) * n) >> 64);
}

uint64_t gen_between(struct gen_rng *rng, uint64_t lo, uint64_t hi)
{
	return lo + gen_below(rng, hi - lo + 1);
}

bool gen_chance(struct gen_rng *rng, uint32_t ppm)
{
	return gen_below(rng, 1000000) < ppm;
}

size_t gen_pick_sum(struct gen_rng *rng, const uint64_t *sums, size_t from, size_t to)
{
	uint64_t draw = sums[from] + gen_below(rng, sums[to] - sums[from]);

	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (sums[middle] <= draw)
			from = middle;
		else
			to = middle;
	}
	return from;
}

uint64_t gen_zipf_weight(uint64_t rank)
{
	return (UINT64_C(1) << 40) / (rank + 1);
}
