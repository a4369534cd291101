/*
 * Which category a product of a feed without categories belongs to, by rules in a file: the format
 * is described at the top of rules/categories.yaml.
 *
 * A categorizer is built once and asked for each product; it holds scratch memory, so it belongs to
 * one thread. Texts of the answer live as long as it does.
 */
#pragma once

#include "base/strbuf.h"

struct categorizer;

struct categorize_attribute {
	struct str name; /* as in the feed, "attr_t_product_type" */
	struct str text; /* data == NULL: not a text */
};

struct categorize_product {
	struct str title, description, brand;
	struct str type; /* attr_t_product_type; data == NULL: none */
	const struct categorize_attribute *attributes;
	size_t n_attributes;
};

/* A mistake in the file is an error with file, line and column. */
int categorizer_load(const char *path, struct categorizer **ret, struct err *err) _must_check_;
int categorizer_parse(const char *file, struct str text, struct categorizer **ret, struct err *err)
    _must_check_;
struct categorizer *categorizer_free(struct categorizer *c);
DEFINE_CLEANUP(struct categorizer *, categorizer_free)

/* The path, "Computers > Laptops"; the fallback when no rule fits. Never NULL. */
const char *categorizer_find(struct categorizer *c, const struct categorize_product *product);
size_t categorizer_rules(const struct categorizer *c);
