/* Stands where the local transformer comes: says that it is not there. */
#include "embed/embed_int.h"

#include "base/banned.h"

int embed_local_open(const struct config *config, struct embed_provider **ret, struct err *err)
{
	(void)config;
	(void)ret;
	return err_set(err, ERR_NOT_FOUND, "this build has no local model");
}
