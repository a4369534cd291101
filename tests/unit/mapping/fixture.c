#include "fixture.h"

#include "base/banned.h"

#define INT(n, t)                                                                        \
	{                                                                                \
		.name = (n), .type = SCHEMA_INT, .sql_type = (t), .data_type = "bigint", \
		.is_unsigned = true, .is_byte_exact = true                               \
	}
#define NULLABLE(n)                                                                               \
	{                                                                                         \
		.name = (n), .type = SCHEMA_INT, .sql_type = "bigint(20)", .data_type = "bigint", \
		.is_nullable = true, .is_byte_exact = true                                        \
	}
#define TEXT(n)                                                                                  \
	{                                                                                        \
		.name = (n), .type = SCHEMA_TEXT, .sql_type = "varchar(80)",                     \
		.data_type = "varchar", .charset = "utf8mb4", .collation = "utf8mb4_general_ci", \
		.is_nullable = true                                                              \
	}
#define OF(n, t, sql, data)                                                       \
	{                                                                         \
		.name = (n), .type = (t), .sql_type = (sql), .data_type = (data), \
		.is_byte_exact = true                                             \
	}

static struct schema_column customer[] = {
    INT("id", "bigint(20) unsigned"),
    TEXT("name"),
    OF("born", SCHEMA_DATE, "date", "date"),
    {.name = "state",
     .type = SCHEMA_TEXT,
     .sql_type = "enum('new','old','it''s')",
     .data_type = "enum",
     .charset = "utf8mb4",
     .collation = "utf8mb4_general_ci"},
};
static struct schema_column kind[] = {
    INT("id", "bigint(20) unsigned"),
    NULLABLE("up"),
    TEXT("name"),
};
static struct schema_column land[] = {TEXT("code"), TEXT("name")};
static struct schema_column line[] = {
    INT("id", "bigint(20) unsigned"),
    INT("purchase", "bigint(20) unsigned"),
    INT("product", "bigint(20) unsigned"),
    OF("price", SCHEMA_DECIMAL, "decimal(12,2)", "decimal"),
    OF("weight", SCHEMA_DOUBLE, "float", "float"),
};
static struct schema_column product[] = {
    INT("id", "bigint(20) unsigned"),
    NULLABLE("kind"),
    TEXT("name"),
    OF("seen", SCHEMA_DATETIME, "timestamp(6)", "timestamp"),
    OF("place", SCHEMA_OTHER, "point", "point"),
};
static struct schema_column purchase[] = {
    INT("id", "bigint(20) unsigned"),
    NULLABLE("customer"),
    OF("at", SCHEMA_DATETIME, "datetime", "datetime"),
    TEXT("note"),
};
static struct schema_column town[] = {INT("id", "int(10) unsigned"), TEXT("land"), TEXT("name")};

#define INDEX(n, unique, ...)                                                        \
	{                                                                            \
		.name = (n), .is_unique = (unique),                                  \
		.n_columns = sizeof((const struct schema_column *[]){__VA_ARGS__}) / \
			     sizeof(struct schema_column *),                         \
		.columns = (const struct schema_column *[])                          \
		{                                                                    \
			__VA_ARGS__                                                  \
		}                                                                    \
	}

static struct schema_index customer_indexes[] = {INDEX("PRIMARY", true, &customer[0])};
static struct schema_index kind_indexes[] = {INDEX("PRIMARY", true, &kind[0]),
					     INDEX("ix", false, &kind[1])};
static struct schema_index land_indexes[] = {INDEX("PRIMARY", true, &land[0])};
static struct schema_index line_indexes[] = {INDEX("PRIMARY", true, &line[0]),
					     INDEX("ix", false, &line[1], &line[2]),
					     INDEX("iy", false, &line[2])};
static struct schema_index product_indexes[] = {INDEX("PRIMARY", true, &product[0]),
						INDEX("ix", false, &product[1])};
static struct schema_index purchase_indexes[] = {INDEX("PRIMARY", true, &purchase[0]),
						 INDEX("ix", false, &purchase[1])};
static struct schema_index town_indexes[] = {INDEX("PRIMARY", true, &town[0]),
					     INDEX("ix", false, &town[1])};

static struct schema_foreign_key cascade[] = {
    {.name = "fk_cascade",
     .n_columns = 1,
     .columns = (const struct schema_column *[]){&line[1]},
     .to_table = "purchase",
     .to_columns = (const char *[]){"id"},
     .on_update = "RESTRICT",
     .on_delete = "CASCADE"},
};

#define TABLE(t, c, x)                                                                            \
	{                                                                                         \
		.name = (t), .engine = "InnoDB", .rows_estimate = 100, .n_columns = ARRAY_LEN(c), \
		.columns = (c), .n_indexes = ARRAY_LEN(x), .indexes = (x)                         \
	}

static struct schema_table tables[] = {
    {.name = "cascading",
     .engine = "InnoDB",
     .n_columns = ARRAY_LEN(line),
     .columns = line,
     .n_indexes = ARRAY_LEN(line_indexes),
     .indexes = line_indexes,
     .n_foreign_keys = 1,
     .foreign_keys = cascade},
    TABLE("customer", customer, customer_indexes),
    {.name = "keyless", .engine = "InnoDB", .n_columns = ARRAY_LEN(line), .columns = line},
    TABLE("kind", kind, kind_indexes),
    TABLE("land", land, land_indexes),
    TABLE("line", line, line_indexes),
    {.name = "logged", .engine = "MyISAM", .n_columns = ARRAY_LEN(line), .columns = line},
    TABLE("old_line", line, line_indexes),
    TABLE("product", product, product_indexes),
    TABLE("purchase", purchase, purchase_indexes),
    TABLE("town", town, town_indexes),
    {.name = "view", .engine = "", .is_view = true, .n_columns = ARRAY_LEN(line), .columns = line},
};

const struct schema *fixture_schema(void)
{
	static struct schema schema = {
	    .database = "test", .n_tables = ARRAY_LEN(tables), .tables = tables};

	land[0].is_nullable = false;
	return &schema;
}
