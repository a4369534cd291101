/* The section `embed` from YAML, for tests; the caller frees it. Behind cmocka.h. */
#pragma once

#include "embed/embed.h"

static inline struct config *config_of(const char *yaml)
{
	static const struct config_option *const tables[] = {embed_options, NULL};
	struct config *c = NULL;
	struct err err = {0};

	if (config_parse(tables, "/etc/test.yaml", yaml, strlen(yaml), &c, &err) < 0)
		fail_msg("%s", err.message);
	return c;
}
