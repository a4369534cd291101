/* Section "index" of the configuration. */
#include "search/search_engine.h"

#include "base/banned.h"

const struct config_option search_options[] = {
    {.section = "index",
     .name = "enabled",
     .type = CONFIG_BOOL,
     .fallback = "true",
     .help = "Whether \"aethermart serve\" keeps an index by which products, services, reviews and "
	     "customers are found, by words and by meaning."},
    {.section = "index",
     .name = "rules",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "The file that says which collections are indexed and what text stands for a "
	     "document. Unset: rules/search.yaml of the installation."},
    {.section = "index",
     .name = "synonyms",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "The file of words that mean the same to who searches. Unset: rules/synonyms.txt of "
	     "the installation."},
    {.section = "index",
     .name = "collections",
     .type = CONFIG_LIST,
     .help = "Collections to index. Unset: all of the rules that a mapping makes."},
    {.section = "index",
     .name = "batch",
     .type = CONFIG_INT,
     .fallback = "256",
     .min = 2,
     .max = 1024,
     .help = "Documents read, embedded and written at a time. What changes meanwhile waits for as "
	     "long."},
    {.section = "index",
     .name = "forget_after",
     .type = CONFIG_DURATION,
     .fallback = "5m",
     .min = 1000,
     .max = 86400000,
     .help = "How long what was deleted or changed may stand in files of the index, where nobody "
	     "finds it any more, until it is overwritten."},
    {.section = "index",
     .name = "memory_max",
     .type = CONFIG_SIZE,
     .fallback = "1G",
     .min = 1 << 20,
     .max = (int64_t)1 << 40,
     .help = "Memory of the vectors of one collection. Documents beyond it are set aside, and "
	     "\"aethermart index status\" says so."},
    {0},
};
