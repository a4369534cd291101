/* Insides of schema.c, for it and its unit tests. */
#pragma once

#include "shop/schema.h"
#include "shop/shop_schema_int.h"
#include "shop/shop_sql_int.h"

#define SHOP_SCHEMA_CHECKSUM_SIZE 65 /* SHA-256 in hex digits */

/* ERR_INVALID_ARGUMENT for a name that does not begin with a number and '-'. */
int shop_schema_number(const char *name, unsigned *ret, struct err *err) _must_check_;
void shop_schema_checksum(const char *text, char ret[SHOP_SCHEMA_CHECKSUM_SIZE]);
uint64_t shop_schema_count(const char *text);
/* The name of what a statement makes that has to be dropped by itself, and its kind: "TABLE",
 * "VIEW", "PROCEDURE", "FUNCTION", "EVENT". Triggers go with their tables. len 0: it makes none. */
struct str shop_schema_created(struct str statement, const char **ret_kind);
/* Whether a statement changes the schema (and so commits by itself). */
bool shop_schema_is_ddl(struct str statement);
/* Whether the error of a repeated statement says that it happened before. */
bool shop_schema_happened(int native);
