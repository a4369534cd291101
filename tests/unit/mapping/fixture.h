/* A schema made by hand, for tests that bind mappings without a server. */
#pragma once

#include "store/schema.h"

/*
 * Tables: a shop in miniature (customer, purchase, line, product, kind as a tree, old_line), and
 * `land` with a key whose collation ignores case, `town` below it.
 */
const struct schema *fixture_schema(void);
