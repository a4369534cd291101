/* Embedded SQL of this folder: src/store/sql, a file a statement. */
#pragma once

extern const char store_sql_database[];
extern const char store_sql_flush_log[];
extern const char store_sql_has_right[];
extern const char store_sql_has_table[];
extern const char store_sql_read_only[];
extern const char store_sql_schema_columns[];
extern const char store_sql_schema_foreign_keys[];
extern const char store_sql_schema_indexes[];
extern const char store_sql_schema_json_columns[];
extern const char store_sql_schema_tables[];
extern const char store_sql_wsrep_ready[];
