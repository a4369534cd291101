/* Any bytes as a mapping file: an unbound plan, or an error with a message. */
#include "fuzz.h"
#include "mapping/mapping.h"

#include "base/banned.h"

const char fuzz_corpus[] = "mapping";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mapping *m = NULL;
	struct err err = {0};

	if (mapping_parse("fuzz.yaml", (const char *)data, size, &m, &err) < 0) {
		bug_if(!err.message[0]);
		return 0;
	}
	bug_if(!mapping_collection(m) || !mapping_queue(m) || !mapping_root_table(m));
	bug_if(!bson_validate(mapping_initial_fields(m), BSON_VALIDATE_NONE, NULL));
	bug_if(!bson_validate(mapping_indexes(m), BSON_VALIDATE_NONE, NULL));
	mapping_free(m);
	return 0;
}
