/* Which build of the kernels this CPU can run: see bert_kernels.h. */
#include "embed/bert_kernels.h"

#include <stdbool.h>

#include "base/banned.h"

#ifdef BERT_HAS_X86
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

const struct bert_kernels *bert_kernels_at(size_t i)
{
	const struct bert_kernels *list[4] = {0};
	size_t n = 0;

#ifdef BERT_HAS_X86
	__builtin_cpu_init();
	if (has_avx512())
		list[n++] = &bert_kernels_avx512;
	if (has_avx2())
		list[n++] = &bert_kernels_avx2;
#endif
	list[n] = &bert_kernels_scalar;
	return i <= n ? list[i] : NULL;
}

const struct bert_kernels *bert_kernels_get(void)
{
	return bert_kernels_at(0);
}
