/* The model's folder, for tests that need it: it is where tools/setup puts it. */
#pragma once

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "embed/embed_local.h"

#include <stdio.h>

/* Text is the section's body: "precision: f32". */
static inline struct config *model_config(const char *text)
{
	static const struct config_option *const tables[] = {embed_options, NULL};
	_cleanup_(mem_freep) char *yaml = mem_printf("embed: {%s}\n", text);
	struct config *c = NULL;
	struct err err = {0};

	if (config_parse(tables, "test.yaml", yaml, strlen(yaml), &c, &err) < 0)
		bug_at(__FILE__, __LINE__, err.message);
	return c;
}

/* The path of one of the model's files; NULL, and a message, when there is no model. */
static inline char *model_file(const char *name)
{
	struct config *c = model_config("");
	struct arena arena = {0};
	const char *dir = embed_local_dir(c, &arena);
	char *path = dir ? mem_printf("%s/%s", dir, name) : NULL;

	if (path && !file_exists(path)) {
		mem_free(path);
		path = NULL;
	}
	if (!path)
		printf("skipped: the model is not there; tools/setup gets it\n");
	arena_done(&arena);
	config_free(c);
	return path;
}
