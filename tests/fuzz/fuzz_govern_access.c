/* Any bytes as rules of access: rules in which everything that is named is there, or an error that
 * says where. */
#include "fuzz.h"
#include "govern/access.h"

#include "base/banned.h"

const char fuzz_corpus[] = "govern_access";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct access *a = NULL;
	struct err err = {0};

	if (access_parse("fuzz.yaml", (const char *)data, size, &a, &err) < 0) {
		bug_if(!err.message[0] || a);
		return 0;
	}
	for (size_t i = 0; i < a->n_roles; i++) {
		const struct access_role *role = &a->roles[i];

		bug_if(!role->clearance || (role->has_everything && !role->clearance->is_full));
		bug_if(access_mask_in(role->clearance, NULL) != ACCESS_HIDDEN &&
		       !role->clearance->is_full);
		for (size_t v = ACCESS_INSERT; v < ACCESS_CALL; v++)
			bug_if(role->verbs[v].n && !role->clearance->is_full);
	}
	for (size_t i = 0; i < a->n_people; i++)
		bug_if(!a->people[i].role || !a->people[i].host[0]);
	access_free(a);
	return 0;
}
