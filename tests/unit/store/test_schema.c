/* Looking things up in a schema made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/schema.h"

#include "base/banned.h"

static struct schema_column columns[] = {
    {.name = "id"}, {.name = "tenant"}, {.name = "name"}, {.name = "note"}};

#define COLUMNS(...)                     \
	(const struct schema_column *[]) \
	{                                \
		__VA_ARGS__              \
	}

static struct schema_index indexes[] = {
    {.name = "PRIMARY", .is_unique = true, .n_columns = 1, .columns = COLUMNS(&columns[0])},
    {.name = "ix", .n_columns = 3, .columns = COLUMNS(&columns[1], &columns[2], &columns[0])},
};

static struct schema_table tables[] = {
    {.name = "Customers", .n_columns = 4, .columns = columns, .n_indexes = 2, .indexes = indexes},
    {.name = "keyless", .n_columns = 4, .columns = columns, .n_indexes = 1, .indexes = &indexes[1]},
    {.name = "nothing"},
};

static const struct schema schema = {
    .database = "test", .n_tables = ARRAY_LEN(tables), .tables = tables};

static void names_are_exact(void **state)
{
	(void)state;
	assert_ptr_equal(schema_find_table(&schema, "Customers"), &tables[0]);
	assert_null(schema_find_table(&schema, "customers"));
	assert_null(schema_find_table(&schema, ""));
	assert_ptr_equal(schema_find_column(&tables[0], "note"), &columns[3]);
	assert_null(schema_find_column(&tables[0], "Note"));
	assert_null(schema_find_column(&tables[2], "id"));
}

static void the_primary_key_has_a_fixed_name(void **state)
{
	(void)state;
	assert_ptr_equal(schema_primary_key(&tables[0]), &indexes[0]);
	assert_null(schema_primary_key(&tables[1]));
	assert_null(schema_primary_key(&tables[2]));
}

#define HAS(table, ...)                                                  \
	schema_has_index_on((table), (const char *const[]){__VA_ARGS__}, \
			    ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void an_index_serves_the_columns_that_it_begins_with(void **state)
{
	(void)state;
	assert_true(HAS(&tables[0], "id"));
	assert_true(HAS(&tables[0], "tenant"));
	assert_true(HAS(&tables[0], "tenant", "name"));
	assert_true(HAS(&tables[0], "tenant", "name", "id"));
	assert_false(HAS(&tables[0], "name")); /* second in its index */
	assert_false(HAS(&tables[0], "tenant", "id"));
	assert_false(HAS(&tables[0], "note"));
	assert_false(HAS(&tables[0], "id", "tenant"));
	assert_false(HAS(&tables[0], "tenant", "name", "id", "note")); /* longer than any */
}

static void the_order_of_the_columns_among_them_does_not_matter(void **state)
{
	(void)state;
	assert_true(HAS(&tables[0], "name", "tenant"));
	assert_true(HAS(&tables[0], "id", "name", "tenant"));
}

static void a_table_without_indexes_serves_nothing(void **state)
{
	(void)state;
	assert_false(HAS(&tables[2], "id"));
	assert_false(HAS(&tables[1], "id")); /* there last in an index */
}

static void a_slip_of_the_pen_finds_the_nearest_name(void **state)
{
	(void)state;
	assert_string_equal(schema_nearest_table(&schema, "Custmers"), "Customers");
	assert_null(schema_nearest_table(&schema, "zzzzzzzzzzzzzz"));
	assert_string_equal(schema_nearest_column(&tables[0], "tenat"), "tenant");
	assert_null(schema_nearest_column(&tables[2], "id"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_exact),
	    cmocka_unit_test(the_primary_key_has_a_fixed_name),
	    cmocka_unit_test(an_index_serves_the_columns_that_it_begins_with),
	    cmocka_unit_test(the_order_of_the_columns_among_them_does_not_matter),
	    cmocka_unit_test(a_table_without_indexes_serves_nothing),
	    cmocka_unit_test(a_slip_of_the_pen_finds_the_nearest_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
