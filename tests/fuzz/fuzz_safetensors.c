/* Any bytes as a safetensors file: tensors within its bytes, or an error that names it. */
#include "base/mem.h"
#include "embed/safetensors.h"
#include "fuzz.h"

#include "base/banned.h"

const char fuzz_corpus[] = "safetensors";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *copy = mem_dup(data, size); /* aligned, and its end is watched */
	struct safetensors *s = NULL;
	struct err err = {0};
	const float *x = NULL;
	size_t sum = 0;

	if (safetensors_parse("fuzz", copy, size, &s, &err) < 0) {
		bug_if(!strstr(err.message, "\"fuzz\""));
		mem_free(copy);
		return 0;
	}
	for (size_t i = 0; i < safetensors_count(s); i++) {
		const struct safetensor *t = safetensors_at(s, i);
		const unsigned char *at = t->data;

		bug_if(at < copy || at + t->size > copy + size);
		sum += t->size;
		if (t->rank == 1)
			(void)(safetensors_floats(s, t->name, 0, t->shape[0], &x, &err) < 0);
		if (t->rank == 2 && t->shape[0])
			(void)(safetensors_floats(s, t->name, t->shape[0], t->shape[1], &x, &err) <
			       0);
	}
	bug_if(sum > size);
	safetensors_free(s);
	mem_free(copy);
	return 0;
}
