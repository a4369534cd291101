/*
 * CRC32C (Castagnoli, polynomial 0x1EDC6F41, reflected): the checksum of every file here. By the
 * processor's instruction where there is one (SSE 4.2), else by a table of 256 entries.
 */
#include "vector/vector_file.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include "base/banned.h"

static uint32_t step(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (int i = 0; i < 8; i++)
		crc = crc >> 1 ^ (crc & 1U ? 0x82f63b78U : 0);
	return crc;
}

static uint32_t crc32c_plain(uint32_t crc, const uint8_t *p, size_t n)
{
	static _Atomic uint32_t table[256]; /* entry 1 is not 0 once it is made */

	if (!atomic_load_explicit(&table[1], memory_order_acquire)) {
		for (unsigned i = 256; i-- > 0;)
			atomic_store_explicit(&table[i], step(i, 0), memory_order_release);
	}
	for (size_t i = 0; i < n; i++)
		crc = crc >> 8 ^
		      atomic_load_explicit(&table[(crc ^ p[i]) & 255U], memory_order_relaxed);
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p,
							       size_t n)
{
	uint64_t wide = crc, word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, sizeof(word));
		wide = _mm_crc32_u64(wide, word);
	}
	crc = (uint32_t)wide;
	for (; n > 0; n--, p++)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(~crc, data, n);
#endif
	return ~crc32c_plain(~crc, data, n);
}
