/* Any bytes as a YAML file: a tree whose every text can be read, or an error. */
#include "base/strbuf.h"
#include "base/ydoc.h"
#include "fuzz.h"

#include "base/banned.h"

const char fuzz_corpus[] = "ydoc";

static size_t walk(const struct ynode *n)
{
	char shown[TEXT_SHOWN_SIZE];
	size_t sum = n->line + n->column + strlen(ynode_shown(n, shown));

	bug_if(!n->line || !n->column || !n->file);
	if (n->kind == YNODE_SCALAR)
		return sum + strlen(n->text);
	for (size_t i = 0; i < n->len; i++) {
		const struct ynode *child = &n->children[i];

		if (n->kind == YNODE_MAP)
			bug_if(!ynode_get(n, child->key));
		sum += walk(child);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const allowed[] = {"name", "fields", NULL};
	struct ydoc *doc = NULL;
	struct err err = {0};

	if (ydoc_parse("fuzz.yaml", (const char *)data, size, &doc, &err) < 0) {
		bug_if(!err.message[0]);
		return 0;
	}
	bug_if(!walk(ydoc_root(doc)));
	(void)(ynode_check_keys(ydoc_root(doc), "a file", allowed, &err) < 0);
	ydoc_free(doc);
	return 0;
}
