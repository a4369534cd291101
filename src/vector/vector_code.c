/*
 * Codes: a vector as int8 values with one scale, so that 384 floats become 384 bytes and comparing
 * two becomes integer arithmetic. The scale is each vector's own (its largest value becomes 127),
 * because one scale for all lets a single outlier spoil every other vector.
 */
#include "vector/vector_int.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

#define CODE_LARGEST 127.0F

/* A little more than the norm of what rounding took, for what floats round on the way. */
static float residual_of(float squares, float scale)
{
	return sqrtf(squares) * scale * 1.0001F;
}

struct code_facts code_query_make(const struct vector_index *ix, const float *vector, int8_t *ret)
{
	float max = ix->kernels->largest(vector, ix->dimension);
	float factor = CODE_LARGEST / max, squares;
	int32_t sum;

	if (!isfinite(factor)) { /* zeros, or so small that no float scales them up: all residual */
		memset(ret, 0, ix->code_bytes);
		return (struct code_facts){.residual = max * sqrtf((float)ix->dimension)};
	}

	squares = ix->kernels->quantize(vector, factor, ix->dimension, ret, &sum);
	memset(ret + ix->dimension, 0, ix->code_bytes - ix->dimension);
	return (struct code_facts){.scale = max / CODE_LARGEST,
				   .residual = residual_of(squares, max / CODE_LARGEST),
				   .bias = 128 * sum};
}

struct code_facts code_make(const struct vector_index *ix, const float *vector, uint8_t *ret)
{
	struct code_facts facts = code_query_make(ix, vector, (int8_t *)ret);

	for (size_t i = 0; i < ix->code_bytes; i++)
		ret[i] ^= 0x80U; /* value + 128 */
	return facts;
}

float vector_norm2(const struct vector_index *ix, const float *vector)
{
	float norm2 = ix->kernels->dot_f32(vector, vector, ix->dimension);

	return isfinite(norm2) ? norm2 : 0;
}
