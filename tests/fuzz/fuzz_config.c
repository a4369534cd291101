/* Any bytes as a configuration: values within their limits, or an error. */
#include "base/config.h"
#include "fuzz.h"

#include "base/banned.h"

const char fuzz_corpus[] = "config";

static const struct config_option options[] = {
    {.section = "a", .name = "text", .type = CONFIG_TEXT, .flags = CONFIG_PATH, .help = "Text."},
    {.section = "a",
     .name = "int",
     .type = CONFIG_INT,
     .fallback = "5",
     .min = 1,
     .max = 10,
     .help = "Number."},
    {.section = "a", .name = "bool", .type = CONFIG_BOOL, .fallback = "no", .help = "Flag."},
    {.section = "a",
     .name = "wait",
     .type = CONFIG_DURATION,
     .fallback = "1s",
     .min = 1000,
     .max = 60000,
     .help = "Time."},
    {.section = "b", .name = "size", .type = CONFIG_SIZE, .fallback = "1M", .help = "Size."},
    {.section = "b", .name = "kind", .type = CONFIG_CHOICE, .choices = "x|y", .help = "Choice."},
    {.section = "b", .name = "list", .type = CONFIG_LIST, .flags = CONFIG_PATH, .help = "List."},
    {.section = "b", .name = "code", .type = CONFIG_TEXT, .flags = CONFIG_SECRET, .help = "Key."},
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_option *const tables[] = {options, NULL};
	const struct config_item *items;
	struct config *c = NULL;
	struct err err = {0};
	size_t n;

	if (config_parse(tables, "/x/fuzz.yaml", (const char *)data, size, &c, &err) < 0) {
		bug_if(!err.message[0]);
		return 0;
	}
	bug_if(config_int(c, "a.int") < 1 || config_int(c, "a.int") > 10);
	bug_if(config_int(c, "a.wait") < 1000 || config_int(c, "a.wait") > 60000);
	bug_if(config_int(c, "b.size") < 0);
	for (const char *const *s = config_list(c, "b.list"); *s; s++)
		bug_if(strlen(*s) > size + sizeof("/x/"));
	n = config_items(c, &items);
	for (size_t i = 0; i < n; i++)
		bug_if(!items[i].origin);
	config_free(c);
	return 0;
}
