/* What the text of views and procedures says of what is made of what; events; processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/proc.h"
#include "govern/lineage_int.h"

#include "base/banned.h"

static struct lineage_graph *g;

static size_t add(enum lineage_kind kind, const char *name, const char *const *columns)
{
	size_t node = lineage_add_node(g, kind, name, "");

	for (; *columns; columns++)
		(void)lineage_add_column(g, node, *columns);
	return node;
}

static int set_up(void **state)
{
	static const char *const products[] = {"id", "name", "price", NULL};
	static const char *const orders[] = {"id", "product", "amount", "at", NULL};
	static const char *const fact[] = {"id", "amount", "name", NULL};

	(void)state;
	g = MEM_NEW(struct lineage_graph);
	(void)add(LINEAGE_TABLE, "Products", products);
	(void)add(LINEAGE_TABLE, "Orders", orders);
	(void)add(LINEAGE_WAREHOUSE, "Fact", fact);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	g = lineage_graph_free(g);
	return 0;
}

/* "Products.price>v.total IDENTITY" of each edge into a dataset, a line each. */
static const char *edges_into(const char *name)
{
	static struct strbuf b;

	strbuf_done(&b);
	b.max = 10000;
	for (size_t i = 0; i < g->n_edges; i++) {
		const struct lineage_column *from = &g->columns[g->edges[i].from];
		const struct lineage_column *to = &g->columns[g->edges[i].to];

		if (cstr_equal(g->nodes[to->node].name, name))
			strbuf_addf(&b, "%s.%s>%s %s\n", g->nodes[from->node].name, from->name,
				    to->name, lineage_use_name(g->edges[i].use));
	}
	return strbuf_str(&b);
}

static void read_view(const char *definition, const char *const *columns)
{
	lineage_read_view(g, "shop", add(LINEAGE_VIEW, "v", columns), str_from(definition));
}

/* --- views ----------------------------------------------------------------------------------- */

static void test_a_view_by_column(void **state)
{
	static const char *const columns[] = {"id", "total", "label", NULL};

	(void)state;
	read_view("select `p`.`id` AS `id`,sum(`o`.`amount` * `p`.`price`) AS `total`,"
		  "'a `b`, (c' AS `label` from (`shop`.`Products` `p` join `shop`.`Orders` `o` "
		  "on(`o`.`product` = `p`.`id`)) group by `p`.`id`",
		  columns);
	assert_string_equal(edges_into("v"), "Products.id>id IDENTITY\n"
					     "Orders.amount>total TRANSFORMATION\n"
					     "Products.price>total TRANSFORMATION\n"
					     "Orders.product> FILTER\n"
					     "Products.id> FILTER\n");
}

static void test_a_view_without_aliases(void **state)
{
	static const char *const columns[] = {"name", NULL};

	(void)state;
	read_view("select `shop`.`Products`.`name` AS `name` from `shop`.`Products`", columns);
	assert_string_equal(edges_into("v"), "Products.name>name IDENTITY\n");
}

static void test_what_a_subquery_selects_is_found_by_its_name(void **state)
{
	static const char *const columns[] = {"top", NULL};

	(void)state;
	read_view("select `x`.`most` AS `top` from (select max(`o`.`amount`) AS `most`,`o`.`at` AS "
		  "`at` from `shop`.`Orders` `o`) `x`",
		  columns);
	assert_non_null(strstr(edges_into("v"), "Orders.amount>top IDENTITY\n"));
	assert_null(strstr(edges_into("v"), "Orders.at>top"));
}

static void test_the_second_part_of_a_union_counts_by_its_place(void **state)
{
	static const char *const columns[] = {"id", "what", NULL};

	(void)state;
	read_view(
	    "select `p`.`id` AS `id`,`p`.`name` AS `what` from `shop`.`Products` `p` union all "
	    "select `o`.`id` AS `id`,`o`.`at` AS `at` from `shop`.`Orders` `o`",
	    columns);
	assert_string_equal(edges_into("v"), "Products.id>id IDENTITY\n"
					     "Products.name>what IDENTITY\n"
					     "Orders.id>id IDENTITY\n"
					     "Orders.at>what IDENTITY\n");
}

/* --- procedures ------------------------------------------------------------------------------ */

static void read_procedure(const char *text)
{
	lineage_read_procedure(g, &(struct lineage_databases){"shop", "dw", true}, str_from(text));
	lineage_read_procedure(g, &(struct lineage_databases){"shop", "dw", false}, str_from(text));
}

static void test_insert_select_by_place(void **state)
{
	(void)state;
	read_procedure("INSERT INTO Fact (name, amount) SELECT p.name, o.amount * p.price "
		       "FROM shop.Orders o JOIN shop.Products p ON p.id = o.product;");
	assert_string_equal(edges_into("Fact"), "Products.name>name IDENTITY\n"
						"Orders.amount>amount TRANSFORMATION\n"
						"Products.price>amount TRANSFORMATION\n"
						"Products.id> FILTER\n"
						"Orders.product> FILTER\n");
}

static void test_a_temporary_table_passes_on(void **state)
{
	struct lineage_reaches reaches = {0};
	size_t products = lineage_find_node(g, LINEAGE_TABLE, "Products");

	(void)state;
	read_procedure("INSERT INTO Fact (amount) SELECT t.price FROM Page t;"
		       "CREATE OR REPLACE TEMPORARY TABLE Page (id INT PRIMARY KEY, price INT,"
		       " KEY (price)) ENGINE=InnoDB; -- INSERT INTO Fact SELECT\n"
		       "INSERT INTO Page SELECT id, price FROM shop.Products;");
	lineage_impact(g, lineage_find_column(g, products, "price"), &reaches);
	assert_int_equal(reaches.len, 2);
	assert_string_equal(g->columns[reaches.items[1].column].name, "amount");
	assert_true(reaches.items[1].is_direct);
	mem_free(reaches.items);
}

static void test_update_writes_the_table_that_set_names(void **state)
{
	(void)state;
	read_procedure("UPDATE shop.Orders o JOIN Fact f ON f.id = o.id SET f.amount = o.amount "
		       "WHERE o.at > 0");
	assert_string_equal(edges_into("Fact"), "Orders.id> FILTER\n"
						"Orders.amount>amount IDENTITY\n"
						"Orders.at> FILTER\n");
	assert_string_equal(edges_into("Orders"), "");
}

static void test_a_star_is_of_all_that_is_named(void **state)
{
	(void)state;
	read_procedure(
	    "INSERT INTO Fact WITH x AS (SELECT name FROM shop.Products) SELECT * FROM x");
	assert_string_equal(edges_into("Fact"), "Products.name> TRANSFORMATION\n");
}

/* --- impact and names ------------------------------------------------------------------------ */

static void test_a_class_goes_with_the_value_alone(void **state)
{
	static const char *const columns[] = {"name", "n", NULL};
	size_t products = lineage_find_node(g, LINEAGE_TABLE, "Products");
	size_t name = lineage_find_column(g, products, "name");
	struct lineage_reaches reaches = {0};

	(void)state;
	g->columns[name].pii = "name";
	read_view("select `p`.`name` AS `name`,count(0) AS `n` from `shop`.`Products` `p` where "
		  "`p`.`name` <> ''",
		  columns);
	lineage_impact(g, name, &reaches);
	assert_int_equal(reaches.len, 2);
	assert_string_equal(reaches.items[0].pii, "name");
	assert_null(reaches.items[1].pii); /* which rows the view has */
	mem_free(reaches.items);
}

static void test_names_as_people_type_them(void **state)
{
	struct err err = {0};
	size_t column = 0;

	(void)state;
	assert_int_equal(lineage_parse_name(g, "products.PRICE", &column, &err), 0);
	assert_string_equal(g->columns[column].name, "price");
	assert_int_equal(lineage_parse_name(g, "warehouse:Fact", &column, &err), 0);
	assert_string_equal(g->columns[column].name, "");
	assert_int_equal(lineage_parse_name(g, "table:Fact", &column, &err), -ERR_NOT_FOUND);
	assert_int_equal(lineage_parse_name(g, "Products.prize", &column, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "did you mean \"price\""));
}

/* --- events ---------------------------------------------------------------------------------- */

static json_t *event(const struct lineage_fact *fact)
{
	const struct lineage_place place = {.version = "1.0",
					    .job_namespace = "here",
					    .maria = "mysql://db:3306",
					    .mongo = "mongodb://docs:27017",
					    .database = "shop",
					    .mongo_database = "profiles",
					    .warehouse = "dw",
					    .graph = g};

	return lineage_event_json(&place, fact);
}

static const char *text_at(const json_t *json, const char *a, const char *b)
{
	return json_string_value(json_object_get(json_object_get(json, a), b));
}

static void test_an_event_says_what_is_known(void **state)
{
	const struct lineage_dataset input = {.kind = LINEAGE_TABLE, .name = "Products"};
	const struct lineage_dataset output = {
	    .kind = LINEAGE_FILE, .name = "/feed/\xff.csv", .is_counted = true, .rows = 7};
	json_t *json = event(&(struct lineage_fact){.type = LINEAGE_FAIL,
						    .time = "2026-11-27 16:20:00.123456",
						    .run = "r",
						    .job = "load",
						    .error = "no",
						    .io = {&input, &output, 1, 1}});
	const json_t *table = json_array_get(json_object_get(json, "inputs"), 0);
	const json_t *file = json_array_get(json_object_get(json, "outputs"), 0);
	const json_t *facets = json_object_get(json_object_get(json, "run"), "facets");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json, "eventTime")),
			    "2026-11-27T16:20:00.123456Z");
	assert_string_equal(json_string_value(json_object_get(table, "name")), "shop.Products");
	assert_string_equal(json_string_value(json_object_get(table, "namespace")),
			    "mysql://db:3306");
	assert_null(json_object_get(table, "inputFacets")); /* nobody counted */
	assert_int_equal(
	    json_array_size(json_object_get(
		json_object_get(json_object_get(table, "facets"), "schema"), "fields")),
	    3);
	assert_string_equal(json_string_value(json_object_get(file, "name")),
			    "/feed/" UTF8_REPLACEMENT ".csv");
	assert_string_equal(text_at(facets, "errorMessage", "message"), "no");
	json_decref(json);
}

static void test_between_start_and_end_only_counts_are_told(void **state)
{
	const struct lineage_dataset output = {
	    .kind = LINEAGE_TABLE, .name = "Products", .is_counted = true, .rows = 0};
	json_t *json = event(&(struct lineage_fact){.type = LINEAGE_RUNNING,
						    .time = "2026-11-27 16:20:00",
						    .run = "r",
						    .job = "j",
						    .io = {.outputs = &output, .n_outputs = 1}});
	const json_t *table = json_array_get(json_object_get(json, "outputs"), 0);

	(void)state;
	assert_null(json_object_get(table, "facets"));
	assert_int_equal(
	    json_integer_value(json_object_get(
		json_object_get(json_object_get(table, "outputFacets"), "outputStatistics"),
		"rowCount")),
	    0);
	json_decref(json);
}

static void test_assertions_are_of_what_was_read(void **state)
{
	const struct lineage_assertion checks[] = {
	    {.assertion = "not_null", .column = "name", .success = true},
	    {.assertion = "row_count", .severity = "warn", .name = "few", .success = false}};
	const struct lineage_dataset input = {
	    .kind = LINEAGE_TABLE, .name = "Products", .assertions = checks, .n_assertions = 2};
	json_t *json = event(&(struct lineage_fact){.type = LINEAGE_COMPLETE,
						    .time = "2026-11-27 16:20:00",
						    .run = "r",
						    .job = "quality",
						    .io = {.inputs = &input, .n_inputs = 1}});
	const json_t *facet = json_object_get(
	    json_object_get(json_array_get(json_object_get(json, "inputs"), 0), "inputFacets"),
	    "dataQualityAssertions");
	const json_t *second = json_array_get(json_object_get(facet, "assertions"), 1);

	(void)state;
	assert_true(json_is_false(json_object_get(second, "success")));
	assert_string_equal(json_string_value(json_object_get(second, "name")), "few");
	assert_null(json_object_get(second, "column"));
	json_decref(json);
}

/* --- processes ------------------------------------------------------------------------------- */

static void test_only_who_is_known_to_be_gone_is_gone(void **state)
{
	_cleanup_(mem_freep) char *us = proc_name();

	(void)state;
	assert_false(lineage_is_gone(us, 7 * 24 * 3600));
	assert_true(lineage_is_gone(us, 8 * 24 * 3600));
	assert_true(lineage_is_gone("", 8 * 24 * 3600));
	assert_false(lineage_is_gone("", 0));
	assert_false(lineage_is_gone("machine/boot/names/1/1", 3600)); /* as it was written once */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_view_by_column),
	    TEST(test_a_view_without_aliases),
	    TEST(test_what_a_subquery_selects_is_found_by_its_name),
	    TEST(test_the_second_part_of_a_union_counts_by_its_place),
	    TEST(test_insert_select_by_place),
	    TEST(test_a_temporary_table_passes_on),
	    TEST(test_update_writes_the_table_that_set_names),
	    TEST(test_a_star_is_of_all_that_is_named),
	    TEST(test_a_class_goes_with_the_value_alone),
	    TEST(test_names_as_people_type_them),
	    TEST(test_an_event_says_what_is_known),
	    TEST(test_between_start_and_end_only_counts_are_told),
	    TEST(test_assertions_are_of_what_was_read),
	    TEST(test_only_who_is_known_to_be_gone_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
