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

/* "name phone " */
static const char *classes_of(size_t column)
{
	static struct strbuf b;
	const char *names[LINEAGE_CLASSES];
	size_t n = lineage_class_names(g->columns[column].classes, names);

	strbuf_done(&b);
	b.max = 100;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&b, "%s ", names[i]);
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
	struct lineage_routine routine = {.shop = "shop",
					  .warehouse = "dw",
					  .home = LINEAGE_WAREHOUSE,
					  .node = LINEAGE_NONE,
					  .table = LINEAGE_NONE};

	for (int pass = 0; pass < 2; pass++) {
		routine.only_tables = pass == 0;
		lineage_read_routine(g, &routine, str_from(text));
	}
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
	lineage_contract(g);
	lineage_impact(g, lineage_find_column(g, products, "price"), &reaches);
	assert_int_equal(reaches.len, 1);
	assert_string_equal(g->columns[reaches.items[0].column].name, "amount");
	assert_true(reaches.items[0].is_direct);
	mem_free(reaches.items);
}

static void test_update_writes_the_table_that_set_names(void **state)
{
	(void)state;
	read_procedure("UPDATE shop.Orders o JOIN Fact f ON f.id = o.id SET f.amount = o.amount "
		       "WHERE o.at > 0");
	assert_string_equal(edges_into("Fact"), "Orders.amount>amount IDENTITY\n"
						"Orders.id> FILTER\n"
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

/* --- routines of the shop -------------------------------------------------------------------- */

/* Declares it, with its parameters: "IN a", "OUT b", "" "RETURN". */
static size_t declare(const char *name, const char *const parameters[][2])
{
	size_t node = lineage_add_passing(g, LINEAGE_ROUTINE, name);

	for (; parameters && (*parameters)[1]; parameters++)
		g->columns[lineage_add_column(g, node, (*parameters)[1])].type = (*parameters)[0];
	return node;
}

static void read_of_shop(const char *name, const char *trigger_of, const char *text)
{
	struct lineage_routine routine = {
	    .shop = "shop",
	    .warehouse = "dw",
	    .home = LINEAGE_TABLE,
	    .node = declare(name, NULL),
	    .table = trigger_of ? lineage_find_node(g, LINEAGE_TABLE, trigger_of) : LINEAGE_NONE};

	for (int pass = 0; pass < 2; pass++) {
		routine.only_tables = pass == 0;
		lineage_read_routine(g, &routine, str_from(text));
	}
}

static void test_a_trigger_calls_a_procedure_that_writes(void **state)
{
	static const char *const parameters[][2] = {{"IN", "p_id"}, {"IN", "p_price"}, {0}};

	(void)state;
	(void)declare("procedure sp_Count", parameters);
	read_of_shop("trigger tr_came", "Products", "CALL sp_Count(NEW.id, 1 + NEW.price)");
	read_of_shop("procedure sp_Count", NULL,
		     "BEGIN\n"
		     "  INSERT INTO Orders (product, amount) VALUES (p_id, p_price)\n"
		     "  ON DUPLICATE KEY UPDATE amount = amount + VALUES(amount);\n"
		     "END");
	lineage_contract(g);
	assert_string_equal(edges_into("Orders"), "Products.id>product IDENTITY\n"
						  "Products.price>amount IDENTITY\n");
}

static void test_variables_carry_values(void **state)
{
	(void)state;
	read_of_shop("procedure p", NULL,
		     "BEGIN\n"
		     "  DECLARE v_price, v_name INT DEFAULT 0;\n"
		     "  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN SET @x = NULL; RESIGNAL; END;\n"
		     "  IF v_name IS NULL THEN\n"
		     "    SELECT MAX(price), name INTO v_price, v_name FROM Products FOR UPDATE;\n"
		     "    SET @sum = v_price * 2, v_name = UPPER(v_name);\n"
		     "  END IF;\n"
		     "  UPDATE Orders SET amount = @sum WHERE id = 7;\n"
		     "END");
	lineage_contract(g);
	assert_string_equal(edges_into("Orders"), "Products.price>amount TRANSFORMATION\n");
}

static void test_rows_of_a_loop_and_of_a_cursor(void **state)
{
	(void)state;
	read_of_shop("procedure p", NULL,
		     "BEGIN\n"
		     "  DECLARE v_at INT;\n"
		     "  DECLARE c CURSOR FOR SELECT id, price FROM Products;\n"
		     "  FOR r IN (SELECT p.name AS label FROM Products p) DO\n"
		     "    INSERT INTO Orders (product) VALUES (r.label);\n"
		     "  END FOR;\n"
		     "  l: LOOP\n"
		     "    FETCH c INTO v_at, v_at;\n"
		     "    INSERT INTO Orders (at) SELECT v_at;\n"
		     "  END LOOP;\n"
		     "END");
	lineage_contract(g);
	assert_string_equal(edges_into("Orders"), "Products.name>product IDENTITY\n"
						  "Products.price>at IDENTITY\n"
						  "Products.id>at IDENTITY\n");
}

static void test_what_comes_out_of_a_procedure_and_of_a_function(void **state)
{
	static const char *const out[][2] = {{"IN", "p_id"}, {"OUT", "ret_price"}, {0}};
	static const char *const function[][2] = {{"IN", "p_id"}, {"", LINEAGE_RETURN}, {0}};

	(void)state;
	(void)declare("procedure sp_Price", out);
	(void)declare("function f_name", function);
	read_of_shop("procedure sp_Price", NULL,
		     "SELECT price INTO ret_price FROM Products WHERE id = p_id");
	read_of_shop("function f_name", NULL, "RETURN (SELECT name FROM Products WHERE id = p_id)");
	read_of_shop("procedure p", NULL,
		     "BEGIN DECLARE v INT; CALL sp_Price(7, v);"
		     " UPDATE Orders SET amount = v, at = f_name(7); END");
	lineage_contract(g);
	assert_non_null(strstr(edges_into("Orders"), "Products.price>amount IDENTITY\n"));
	assert_non_null(strstr(edges_into("Orders"), "Products.name>at "));
	assert_null(strstr(edges_into("Orders"), "Products.id>amount"));
}

static void test_where_of_a_subquery_is_no_value(void **state)
{
	(void)state;
	read_of_shop("procedure p", NULL,
		     "UPDATE Orders SET amount = (SELECT ROUND(price, 2) FROM Products "
		     "WHERE name = 'x') WHERE id = 7");
	assert_string_equal(edges_into("Orders"), "Products.price>amount TRANSFORMATION\n"
						  "Products.name> FILTER\n");
}

static void test_a_derived_table_is_known_by_its_names(void **state)
{
	(void)state;
	read_of_shop("procedure p", NULL,
		     "UPDATE Orders o JOIN (SELECT p.id, SUM(p.price) AS total FROM Products p "
		     "GROUP BY p.id) held ON held.id = o.product SET o.amount = held.total");
	assert_non_null(strstr(edges_into("Orders"), "Products.price>amount "));
	assert_null(strstr(edges_into("Orders"), "Products.id>amount"));
}

static void test_of_a_statement_made_at_run_time_names_tell(void **state)
{
	(void)state;
	read_of_shop("procedure p", NULL,
		     "BEGIN DECLARE v TEXT;"
		     " SELECT GROUP_CONCAT('(', id, ',', price, ')') INTO v FROM Products;"
		     " EXECUTE IMMEDIATE CONCAT('INSERT INTO Orders (product, id) VALUES ', v);"
		     " END");
	lineage_contract(g);
	assert_string_equal(edges_into("Orders"), "Products.id>id TRANSFORMATION\n"
						  "Products.price> FILTER\n");
}

static void test_who_reads_is_told(void **state)
{
	struct lineage_reaches reaches = {0};
	const struct lineage_reader *list;
	struct arena arena = {0};
	size_t products = lineage_find_node(g, LINEAGE_TABLE, "Products"), n;

	(void)state;
	read_of_shop("procedure sp_Show", NULL, "SELECT name, id FROM Products WHERE id = 1");
	read_of_shop("procedure sp_All", NULL, "SELECT * FROM Products");
	read_of_shop("trigger tr_moved", "Products",
		     "IF NEW.name <> OLD.name THEN SET @moved = 1; END IF");
	read_of_shop("procedure sp_Other", NULL, "SELECT price FROM Products");
	n = lineage_readers(g, lineage_find_column(g, products, "name"), &reaches, &arena, &list);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].routine, "procedure sp_All");
	assert_string_equal(list[1].routine, "procedure sp_Show");
	assert_string_equal(list[2].routine, "trigger tr_moved");
	arena_done(&arena);
}

/* --- pictures -------------------------------------------------------------------------------- */

static void test_a_name_is_not_cut_within_a_letter(void **state)
{
	static const char *const columns[] = {"name", NULL};
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	struct lineage_picture picture;
	size_t view = add(LINEAGE_VIEW,
			  "V_x\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
			  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
			  "\xc3\xa9\xc3\xa9\xc3\xa9",
			  columns);
	size_t products = lineage_find_node(g, LINEAGE_TABLE, "Products");

	(void)state;
	lineage_add_edge(g, g->nodes[products].columns[2], g->nodes[view].columns[1], LINEAGE_SAME);
	lineage_picture_init(&picture, g, NULL);
	lineage_picture_svg(&picture, &b);
	assert_true(utf8_is_valid(strbuf_str(&b), b.len));
	lineage_picture_done(&picture);
}

/* --- impact and names ------------------------------------------------------------------------ */

static void test_a_class_goes_with_the_value_alone(void **state)
{
	static const char *const columns[] = {"name", "n", NULL};
	size_t products = lineage_find_node(g, LINEAGE_TABLE, "Products");
	size_t name = lineage_find_column(g, products, "name");
	struct lineage_reaches reaches = {0};

	(void)state;
	lineage_set_class(g, name, "name");
	read_view("select `p`.`name` AS `name`,count(0) AS `n` from `shop`.`Products` `p` where "
		  "`p`.`name` <> ''",
		  columns);
	lineage_carry_classes(g);
	lineage_impact(g, name, &reaches);
	assert_int_equal(reaches.len, 2);
	assert_string_equal(classes_of(reaches.items[0].column), "name ");
	assert_string_equal(classes_of(reaches.items[1].column), ""); /* which rows it has */
	mem_free(reaches.items);
}

static void test_all_classes_that_flow_together_go_along(void **state)
{
	static const char *const columns[] = {"what", NULL};
	size_t products = lineage_find_node(g, LINEAGE_TABLE, "Products");

	(void)state;
	lineage_set_class(g, lineage_find_column(g, products, "price"), "phone");
	lineage_set_class(g, lineage_find_column(g, products, "name"), "name");
	read_view("select case when `p`.`price` is null then 'x' else `p`.`name` end AS `what` "
		  "from `shop`.`Products` `p`",
		  columns);
	lineage_carry_classes(g);
	assert_string_equal(
	    classes_of(g->nodes[lineage_find_node(g, LINEAGE_VIEW, "v")].columns[1]),
	    "name phone ");
}

static void test_what_somebody_has_classed_stays(void **state)
{
	static const char *const columns[] = {"initial", NULL};
	size_t products = lineage_find_node(g, LINEAGE_TABLE, "Products"), view;

	(void)state;
	lineage_set_class(g, lineage_find_column(g, products, "name"), "name");
	view = add(LINEAGE_VIEW, "v", columns);
	lineage_set_class(g, g->nodes[view].columns[1], "open");
	read_view("select left(`p`.`name`,1) AS `initial` from `shop`.`Products` `p`", columns);
	lineage_carry_classes(g);
	assert_string_equal(classes_of(g->nodes[view].columns[1]), "");
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
	    TEST(test_a_trigger_calls_a_procedure_that_writes),
	    TEST(test_variables_carry_values),
	    TEST(test_rows_of_a_loop_and_of_a_cursor),
	    TEST(test_what_comes_out_of_a_procedure_and_of_a_function),
	    TEST(test_where_of_a_subquery_is_no_value),
	    TEST(test_a_derived_table_is_known_by_its_names),
	    TEST(test_of_a_statement_made_at_run_time_names_tell),
	    TEST(test_who_reads_is_told),
	    TEST(test_a_name_is_not_cut_within_a_letter),
	    TEST(test_a_class_goes_with_the_value_alone),
	    TEST(test_all_classes_that_flow_together_go_along),
	    TEST(test_what_somebody_has_classed_stays),
	    TEST(test_names_as_people_type_them),
	    TEST(test_an_event_says_what_is_known),
	    TEST(test_between_start_and_end_only_counts_are_told),
	    TEST(test_assertions_are_of_what_was_read),
	    TEST(test_only_who_is_known_to_be_gone_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
