/* Any bytes as a file of vectors: refused with its name, or every float can be read. */
#include "base/mem.h"
#include "fuzz.h"
#include "vector/vector_set.h"

#include "base/banned.h"

const char fuzz_corpus[] = "vector_set";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* As a mapped file: at an address that floats like, and not a byte longer. */
	uint8_t *copy = mem_dup(data, size);
	struct vector_set s;
	struct err err = {0};
	float sum = 0;

	if (vector_set_read("fuzz.npy", copy, size, &s, &err) < 0) {
		bug_if(!strstr(err.message, "fuzz.npy"));
	} else {
		for (size_t i = 0; i < s.n; i++) {
			for (unsigned j = 0; j < s.dimension; j++)
				sum += vector_set_at(&s, i)[j];
		}
	}
	mem_free(copy);
	return sum > 1e30F; /* so that reading is not left out */
}
