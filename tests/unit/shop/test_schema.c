/* Migrations and the diagram without a server: names, checksums, statements, picture. */
#include "shop/schema_graph.h"
#include "shop/schema_int.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/banned.h"

static void a_file_begins_with_its_number(void **state)
{
	struct err err = {0};
	unsigned n = 0;

	(void)state;
	assert_int_equal(shop_schema_number("010-catalog.sql", &n, &err), 0);
	assert_int_equal(n, 10);
	assert_int_equal(shop_schema_number("catalog.sql", &n, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(shop_schema_number("x1-catalog.sql", &n, &err), -ERR_INVALID_ARGUMENT);
}

static void a_checksum_is_sha256(void **state)
{
	char sum[SHOP_SCHEMA_CHECKSUM_SIZE];

	(void)state;
	shop_schema_checksum("abc", sum);
	assert_string_equal(sum,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void statements_are_counted(void **state)
{
	(void)state;
	assert_int_equal(shop_schema_count(""), 0);
	assert_int_equal(shop_schema_count("-- only; a comment\n"), 0);
	assert_int_equal(shop_schema_count("CREATE TABLE a (b INT COMMENT ';'); DROP TABLE a;\n"),
			 2);
	assert_int_equal(shop_schema_count("DELIMITER //\nIF a; THEN b; END IF//\nDELIMITER ;\nx;"),
			 2);
}

static void rows_are_changed_in_transactions(void **state)
{
	(void)state;
	assert_true(shop_schema_is_ddl(str_from("CREATE TABLE a (b INT)")));
	assert_true(shop_schema_is_ddl(str_from("CREATE OR REPLACE TRIGGER t")));
	assert_false(shop_schema_is_ddl(str_from("insert INTO a VALUES (1)")));
	assert_false(shop_schema_is_ddl(str_from("UPDATE a SET b = 1")));
	assert_true(shop_schema_happened(1050));
	assert_false(shop_schema_happened(1064));
}

static bool is_embedded(const char *name)
{
	for (const struct embedded_file *f = shop_schema_files; f->name; f++) {
		if (cstr_equal(f->name, name))
			return true;
	}
	return false;
}

static void every_file_of_sql_is_embedded_in_order(void **state)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/sql", getenv("AETHERMART_SOURCE_ROOT"));
	DIR *dir = opendir(path);

	(void)state;
	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		size_t len = strlen(e->d_name);

		if (len > 4 && cstr_equal(e->d_name + len - 4, ".sql") && !is_embedded(e->d_name))
			fail_msg("sql/%s is not listed in src/shop/meson.build", e->d_name);
	}
	(void)closedir(dir);
	for (const struct embedded_file *f = shop_schema_files; f->name && f[1].name; f++)
		assert_true(strcmp(f->name, f[1].name) < 0);
}

static void what_a_statement_makes_is_known(void **state)
{
	static const struct {
		const char *statement, *name, *kind;
	} cases[] = {{"CREATE TABLE Orders (\n  order_id INT)", "Orders", "TABLE"},
		     {"create table if not exists `Orders`(order_id INT)", "Orders", "TABLE"},
		     {"CREATE OR REPLACE VIEW v_orders AS SELECT 1", "v_orders", "VIEW"},
		     {"CREATE VIEW v_orders\nAS SELECT 1", "v_orders", "VIEW"},
		     {"CREATE PROCEDURE sp_A(p INT)", "sp_A", "PROCEDURE"},
		     {"CREATE OR REPLACE PROCEDURE sp_A(p INT)", "sp_A", "PROCEDURE"},
		     {"CREATE FUNCTION f_a(p INT)", "f_a", "FUNCTION"},
		     {"CREATE OR REPLACE FUNCTION f_a(p INT)", "f_a", "FUNCTION"},
		     {"CREATE EVENT ev_a ON SCHEDULE EVERY 1 DAY", "ev_a", "EVENT"},
		     {"CREATE OR REPLACE EVENT ev_a ON SCHEDULE EVERY 1 DAY", "ev_a", "EVENT"},
		     {"CREATE OR REPLACE TRIGGER tr_order BEFORE INSERT ON Orders", "", ""},
		     {"INSERT INTO Orders VALUES (1)", "", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *kind = "";
		struct str name = shop_schema_created(str_from(cases[i].statement), &kind);

		assert_true(str_equal(name, str_from(cases[i].name)));
		assert_string_equal(kind, cases[i].kind);
	}
}

static void machines_tables_are_left_out(void **state)
{
	(void)state;
	assert_true(shop_schema_is_core("Customers"));
	assert_true(shop_schema_is_core("data_quality_logs"));
	assert_false(shop_schema_is_core("Staging_Customers"));
	assert_false(shop_schema_is_core("customer_sync_queue"));
	assert_false(shop_schema_is_core("sync_lease"));
	assert_false(shop_schema_is_core("schema_migrations"));
}

/* Two tables: B.a_id may be NULL and points to A.id. */
struct tiny {
	struct schema_column a[1], b[2];
	const struct schema_column *a_key[1], *b_key[1], *b_ref[1];
	struct schema_index a_index, b_index;
	const char *to[1];
	struct schema_foreign_key ref;
	struct schema_table tables[2];
	struct schema schema;
};

static void tiny_init(struct tiny *t)
{
	const struct schema_column id = {.name = "id",
					 .type = SCHEMA_INT,
					 .sql_type = "bigint(20) unsigned",
					 .data_type = "bigint",
					 .is_unsigned = true};

	*t = (struct tiny){.a = {id}, .b = {id, id}, .to = {"id"}};
	t->b[1].name = "a_id";
	t->b[1].is_nullable = true;
	t->a_key[0] = &t->a[0];
	t->b_key[0] = &t->b[0];
	t->b_ref[0] = &t->b[1];
	t->a_index = (struct schema_index){"PRIMARY", true, 1, t->a_key, ""};
	t->b_index = (struct schema_index){"PRIMARY", true, 1, t->b_key, ""};
	t->ref = (struct schema_foreign_key){"fk", 1, t->b_ref, "A", t->to, "RESTRICT", "RESTRICT"};
	t->tables[0] = (struct schema_table){
	    .name = "A", .n_columns = 1, .columns = t->a, .n_indexes = 1, .indexes = &t->a_index};
	t->tables[1] = (struct schema_table){.name = "B",
					     .n_columns = 2,
					     .columns = t->b,
					     .n_indexes = 1,
					     .indexes = &t->b_index,
					     .n_foreign_keys = 1,
					     .foreign_keys = &t->ref};
	t->schema = (struct schema){.database = "d", .n_tables = 2, .tables = t->tables};
}

static void mermaid_shows_keys_and_lines(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	struct tiny t;

	(void)state;
	tiny_init(&t);
	shop_schema_graph(&t.schema, &(struct shop_graph_options){.format = SHOP_GRAPH_MERMAID},
			  &b);
	assert_string_equal(strbuf_str(&b), "erDiagram\n"
					    "    A {\n"
					    "        bigint_unsigned id PK\n"
					    "    }\n"
					    "    B {\n"
					    "        bigint_unsigned id PK\n"
					    "        bigint_unsigned a_id FK \"null\"\n"
					    "    }\n"
					    "    A |o--o{ B : \"a_id\"\n");
	strbuf_done(&b);
}

static void dot_has_a_line_between_the_columns(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	struct tiny t;

	(void)state;
	tiny_init(&t);
	shop_schema_graph(&t.schema, &(struct shop_graph_options){.format = SHOP_GRAPH_DOT}, &b);
	assert_non_null(strstr(strbuf_str(&b), "\"A\":\"r_id\":e -> \"B\":\"l_a_id\":w"));
	assert_non_null(strstr(strbuf_str(&b), "bigint unsigned"));
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_begins_with_its_number),
	    cmocka_unit_test(a_checksum_is_sha256),
	    cmocka_unit_test(statements_are_counted),
	    cmocka_unit_test(rows_are_changed_in_transactions),
	    cmocka_unit_test(every_file_of_sql_is_embedded_in_order),
	    cmocka_unit_test(what_a_statement_makes_is_known),
	    cmocka_unit_test(machines_tables_are_left_out),
	    cmocka_unit_test(mermaid_shows_keys_and_lines),
	    cmocka_unit_test(dot_has_a_line_between_the_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
