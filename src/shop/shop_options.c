/* The configuration's section `shop`. */
#include "shop/generate.h"

#include "base/banned.h"

const struct config_option shop_options[] = {
    {.section = "shop",
     .name = "data",
     .type = CONFIG_LIST,
     .flags = CONFIG_PATH,
     .help = "Files and folders that `up` loads and whose products `generate` sells. Unset: the "
	     "catalogue that ships with AetherMart."},
    {.section = "shop",
     .name = "customers",
     .type = CONFIG_INT,
     .fallback = "2000",
     .max = SHOP_GENERATE_ROWS_MAX,
     .help = "How many customers `up` and `generate` invent."},
    {.section = "shop",
     .name = "orders",
     .type = CONFIG_INT,
     .fallback = "10000",
     .max = SHOP_GENERATE_ROWS_MAX,
     .help = "How many orders they place over three years."},
    {.section = "shop",
     .name = "reviews",
     .type = CONFIG_INT,
     .fallback = "8000",
     .max = SHOP_GENERATE_ROWS_MAX,
     .help = "How many reviews they write about what they bought."},
    {.section = "shop",
     .name = "seed",
     .type = CONFIG_INT,
     .fallback = "1",
     .max = INT64_MAX,
     .help = "Another seed gives another shop; the same seed gives the same bytes."},
    {.section = "shop",
     .name = "defects",
     .type = CONFIG_TEXT,
     .fallback = "0.02",
     .help = "Share of generated rows with a defect for cleaning to find, from 0 to 1."},
    {0},
};
