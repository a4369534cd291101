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

static float largest(const float *vector, size_t n)
{
	float max = 0;

	for (size_t i = 0; i < n; i++)
		max = fmaxf(max, fabsf(vector[i]));
	return max;
}

float code_query_make(const float *vector, size_t n, size_t padded, int8_t *ret, int32_t *ret_bias)
{
	float max = largest(vector, n), inverse = max > 0 ? CODE_LARGEST / max : 0;
	int32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		ret[i] = (int8_t)lrintf(vector[i] * inverse);
		sum += ret[i];
	}
	memset(ret + n, 0, padded - n);
	*ret_bias = 128 * sum;
	return max / CODE_LARGEST;
}

float code_make(const float *vector, size_t n, size_t padded, uint8_t *ret_code)
{
	float max = largest(vector, n), inverse = max > 0 ? CODE_LARGEST / max : 0;

	for (size_t i = 0; i < n; i++)
		ret_code[i] = (uint8_t)(lrintf(vector[i] * inverse) + 128);
	memset(ret_code + n, 128, padded - n);
	return max / CODE_LARGEST;
}

float vector_norm2(const float *vector, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)vector[i] * (double)vector[i];
	return sum > (double)HUGE_VALF || !isfinite(sum) ? 0 : (float)sum;
}
