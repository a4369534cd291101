/*
 * The data dictionary: each column of the shop with its type, meaning, class of personal data, the
 * document fields that it is a part of and the roles that read it. Made from what the program knows
 * already (schema, mappings, a bound plan of access), so it cannot drift from it but by being old.
 * Table data_dictionary holds it for those who ask by SQL. One connection, one thread.
 */
#pragma once

#include "govern/access.h"

struct dictionary_entry {
	const char *table, *column, *type, *meaning;
	size_t position;
	bool is_nullable;
	const char *pii; /* "open", a class, or NULL: not classed */
	const char
	    *fields; /* "product_catalog.price, customer_profiles.recent_orders.items.price" */
	const char *readers; /* "marketing_analyst partial, operations_manager plain" */
};
typedef int (*dictionary_fn)(void *arg, const struct dictionary_entry *e, struct err *err);

/* Tables and views in the order of their names, masked views of a plan left out; of one table,
 * unless `table` is NULL. The texts live for the call. */
int dictionary_each(const struct access *a, const struct schema *s, const struct mapping_set *set,
		    const char *table, dictionary_fn fn, void *arg, struct err *err) _must_check_;

/* Appends the roles that read columns of a table, and how: "marketing_analyst partial". `classes`:
 * "open", or what a column has, of which a role has to see each; NULL: nobody has classed it. */
void dictionary_readers(const struct access *a, const char *table, const char *const *classes,
			size_t n, struct strbuf *b);

/* Writes data_dictionary anew, in one transaction. */
int dictionary_write(const struct access *a, const struct schema *s, const struct mapping_set *set,
		     struct maria *m, size_t *ret_columns, struct err *err) _must_check_;
