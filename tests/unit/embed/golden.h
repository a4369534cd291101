/* The oracle's texts, token ids and vectors: tests/data/minilm, see its SOURCE.md. */
#pragma once

#include "base/file.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>

#define GOLDEN_TEXTS	 52
#define GOLDEN_DIMENSION 384

struct golden {
	json_t *lines[GOLDEN_TEXTS];
	struct str texts[GOLDEN_TEXTS];
};

static inline void golden_init(struct golden *g)
{
	char *path =
	    mem_printf("%s/tests/data/minilm/golden.jsonl", getenv("AETHERMART_SOURCE_ROOT"));
	struct strbuf b = STRBUF_INIT(0);
	const char *at;

	bug_if(file_read(path, &b, NULL) < 0);
	at = strbuf_str(&b);
	for (size_t i = 0; i < GOLDEN_TEXTS; i++) {
		const char *end = strchr(at, '\n');
		const json_t *text;

		bug_if(!end);
		g->lines[i] = json_loadb(at, (size_t)(end - at), JSON_ALLOW_NUL, NULL);
		text = json_object_get(g->lines[i], "text");
		g->texts[i] = (struct str){json_string_value(text), json_string_length(text)};
		at = end + 1;
	}
	bug_if(*at);
	strbuf_done(&b);
	mem_free(path);
}

static inline void golden_done(struct golden *g)
{
	for (size_t i = 0; i < GOLDEN_TEXTS; i++)
		json_decref(g->lines[i]);
}

static inline double golden_number(const struct golden *g, size_t text, size_t i)
{
	return json_number_value(json_array_get(json_object_get(g->lines[text], "embedding"), i));
}
