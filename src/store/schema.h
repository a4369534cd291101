/*
 * Introspection of a MariaDB database: tables, columns, keys and foreign keys as information_schema
 * shows them. A snapshot without link to the server; immutable after loading.
 */
#pragma once

#include "base/mem.h"
#include "store/maria.h"

enum schema_type {
	SCHEMA_INT, /* all integer types, BIT, YEAR */
	SCHEMA_DECIMAL,
	SCHEMA_DOUBLE, /* FLOAT and DOUBLE */
	SCHEMA_TEXT,   /* CHAR, VARCHAR, TEXT family, ENUM, SET, UUID, INET4, INET6 */
	SCHEMA_JSON,   /* LONGTEXT with the JSON check */
	SCHEMA_DATE,
	SCHEMA_DATETIME, /* DATETIME and TIMESTAMP */
	SCHEMA_TIME,
	SCHEMA_BYTES, /* BINARY, VARBINARY, BLOB family */
	SCHEMA_OTHER, /* geometry and what we do not know */
};

struct schema_column {
	const char *name;
	enum schema_type type;
	const char *sql_type;  /* "decimal(12,2)", "bigint(20) unsigned" */
	const char *data_type; /* "decimal" */
	bool is_unsigned, is_nullable;
	const char *charset, *collation; /* NULL when not text */
	/* Equal values are equal bytes: numbers, dates, binary collations without padding. */
	bool is_byte_exact;
	const char *fallback; /* default expression, NULL: none */
	const char *comment;
};

struct schema_index {
	const char *name; /* "PRIMARY" */
	bool is_unique;
	size_t n_columns;
	const struct schema_column **columns;
	const char *comment;
};

struct schema_table;

struct schema_foreign_key {
	const char *name;
	size_t n_columns;
	const struct schema_column **columns;
	const char *to_table;
	const char **to_columns;
	const char *on_update, *on_delete; /* "RESTRICT", "CASCADE", "SET NULL", "NO ACTION" */
};

struct schema_table {
	const char *name;
	const char *comment;
	const char *engine;
	bool is_view;
	int64_t rows_estimate;
	size_t n_columns, n_indexes, n_foreign_keys;
	struct schema_column *columns;
	struct schema_index *indexes;
	struct schema_foreign_key *foreign_keys;
};

struct schema {
	struct arena arena;
	const char *database;
	size_t n_tables;
	struct schema_table *tables; /* by name */
};

int schema_load(struct maria *m, const char *database, struct schema **ret, struct err *err)
    _must_check_;
struct schema *schema_free(struct schema *s);
DEFINE_CLEANUP(struct schema *, schema_free)

/* By exact name; NULL when absent. */
const struct schema_table *schema_find_table(const struct schema *s, const char *name);
const struct schema_column *schema_find_column(const struct schema_table *t, const char *name);
const struct schema_index *schema_primary_key(const struct schema_table *t); /* NULL: none */
/* Whether an index begins with these columns, in any order among them. */
bool schema_has_index_on(const struct schema_table *t, const char *const *columns, size_t n);
/* Nearest name for suggestions, or NULL. */
const char *schema_nearest_table(const struct schema *s, const char *name);
const char *schema_nearest_column(const struct schema_table *t, const char *name);
