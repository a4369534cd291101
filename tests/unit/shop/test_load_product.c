/* JSON lines: each field becomes a value or a finding, never nothing. */
#include "shop/load_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/banned.h"

static struct load_file file = {.path = (char[]){"p.jsonl"}, .entity = LOAD_PRODUCTS};

static int parse(struct load_row *row, const char *line, struct err *err)
{
	load_row_begin(row, &file, 7);
	return load_product_parse(row, str_from(line), NULL, err);
}

static void assert_raw(const struct load_row *row, const char *column, const char *wanted)
{
	struct str raw = row->raw[load_entity_column(row->entity, column)];

	if (!wanted)
		assert_null(raw.data);
	else if (!raw.data || !str_equal(raw, str_from(wanted)))
		fail_msg("%s: %.*s, wanted %s", column, STR_ARGS(raw), wanted);
}

/* Findings as "rule column before;". */
static void assert_findings(const struct load_row *row, const char *wanted)
{
	struct strbuf b = STRBUF_INIT(0);

	for (size_t i = 0; i < row->n_findings; i++) {
		const struct load_finding *f = &row->findings[i];

		strbuf_addf(&b, "%s %s %.*s;", quality_rule_get(f->rule)->name,
			    f->column ? f->column : "-", STR_ARGS(f->before));
	}
	assert_string_equal(strbuf_str(&b), wanted);
	strbuf_done(&b);
}

static void article_numbers_are_texts_or_numbers(void **state)
{
	static const struct {
		const char *line, *ean, *specifications, *findings;
	} cases[] = {
	    {"{\"ean\": \"4006381333931\"}", "4006381333931", NULL, ""},
	    {"{\"ean\": 4006381333931}", "4006381333931", NULL, ""},
	    {"{\"ean\": [4006381333931]}", "4006381333931", NULL, ""},
	    {"{\"ean\": [\"x\", 4006381333931, \"y\"]}", "4006381333931",
	     "{\"further_eans\":[\"x\",\"y\"]}", ""},
	    {"{\"ean\": [\"x\", null, {\"gtin\": 1}]}", "x", NULL,
	     "value_dropped ean {\"gtin\":1};"},
	    {"{\"ean\": {\"gtin\": 1}}", "", NULL, "value_dropped ean {\"gtin\":1};"},
	    {"{\"ean\": true}", "", NULL, "value_dropped ean true;"},
	    {"{\"ean\": null}", NULL, NULL, ""},
	    {"{\"ean\": []}", NULL, NULL, ""},
	    {"{}", NULL, NULL, ""},
	};
	struct load_row row = {0};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(&row, cases[i].line, &err), 0);
		assert_raw(&row, "ean", cases[i].ean);
		assert_raw(&row, "specifications", cases[i].specifications);
		assert_findings(&row, cases[i].findings);
	}
	load_row_done(&row);
}

static void specifications_are_attributes_or_a_map(void **state)
{
	static const struct {
		const char *line, *specifications, *findings;
	} cases[] = {
	    {"{\"attr_t_x__Y_\": \"a\", \"attr_n_n\": 2.0, \"attr_b_b\": true}",
	     "{\"b\":true,\"n\":2,\"x_y\":\"a\"}", ""},
	    {"{\"specifications\": {\"Screen Size\": 15.6, \"a\": \"b\", \"none\": null}}",
	     "{\"a\":\"b\",\"screen_size\":15.6}", ""},
	    {"{\"specifications\": {\"x\": 1}, \"attr_t_x\": \"a\", \"attr_t_w\": \"v\"}",
	     "{\"w\":\"v\",\"x\":\"a\",\"x_2\":1}", ""},
	    {"{\"specifications\": {\"ports\": [\"USB\", {\"b\": 2, \"a\": 1}]},"
	     " \"attr_t_colours\": [\"red\"]}",
	     "{\"colours\":[\"red\"],\"ports\":[\"USB\",{\"a\":1,\"b\":2}]}", ""},
	    {"{\"specifications\": \"{\\\"a\\\": 1}\"}", "{\"a\":1}", ""},
	    {"{\"specifications\": {}}", "{}", ""},
	    {"{\"specifications\": \"red\"}", "", "json_invalid specifications red;"},
	    {"{\"specifications\": [1], \"attr_t_a\": \"b\"}", "{\"a\":\"b\"}",
	     "json_invalid specifications [1];"},
	    {"{\"specifications\": null}", NULL, ""},
	};
	struct load_row row = {0};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(&row, cases[i].line, &err), 0);
		assert_raw(&row, "specifications", cases[i].specifications);
		assert_findings(&row, cases[i].findings);
	}
	load_row_done(&row);
}

static void attributes_beyond_the_limit_are_named(void **state)
{
	struct strbuf line = STRBUF_INIT(0);
	struct load_row row = {0};
	struct err err = {0};

	(void)state;
	strbuf_addch(&line, '{');
	for (int i = 0; i < 2003; i++)
		strbuf_addf(&line, "%s\"attr_n_k%d\":%d", i ? "," : "", i, i);
	strbuf_addch(&line, '}');
	assert_int_equal(parse(&row, strbuf_str(&line), &err), 0);
	assert_findings(&row, "value_dropped specifications 3 beyond 2000, the first \"k2000\";");
	strbuf_clear(&line);
	strbuf_addstr(&line, "{\"specifications\": {\"deep\": ");
	for (int i = 0; i < 50; i++)
		strbuf_addch(&line, '[');
	for (int i = 0; i < 50; i++)
		strbuf_addch(&line, ']');
	strbuf_addstr(&line, ", \"a\": 1}}");
	assert_int_equal(parse(&row, strbuf_str(&line), &err), 0);
	assert_raw(&row, "specifications", "{\"a\":1}");
	assert_int_equal(row.n_findings, 1);
	assert_string_equal(row.findings[0].column, "specifications.deep");
	strbuf_done(&line);
	load_row_done(&row);
}

static void a_field_of_another_type_is_dropped_by_name(void **state)
{
	struct load_row row = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(parse(&row,
			       "{\"name\": [\"M\"], \"stock\": {}, \"category\": [1],"
			       " \"description\": [\"d\"], \"short_description\": \"s\","
			       " \"service\": \"repair\", \"currency\": null}",
			       &err),
			 0);
	assert_raw(&row, "model_name", "");
	assert_raw(&row, "stock_quantity", "");
	assert_raw(&row, "product_description", "s");
	assert_raw(&row, "currency", NULL);
	assert_findings(&row, "value_dropped model_name [\"M\"];value_dropped stock_quantity {};"
			      "value_dropped product_description [\"d\"];"
			      "value_dropped service \"repair\";value_dropped category_path [1];");
	load_row_done(&row);
}

static void an_unknown_field_is_noted_once_a_file(void **state)
{
	static const char line[] =
	    "{\"colour\": \"red\", \"attr_x\": 1, \"service\": {\"fee\": 5}}";
	struct load_file other = file;
	struct load_row row = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(parse(&row, line, &err), 0);
	assert_findings(&row, "field_unknown service.fee 5;field_unknown colour \"red\";"
			      "field_unknown attr_x 1;");
	assert_int_equal(parse(&row, line, &err), 0);
	assert_findings(&row, "");
	load_row_begin(&row, &other, 1);
	assert_int_equal(load_product_parse(&row, str_from("{\"colour\": []}"), NULL, &err), 0);
	assert_findings(&row, "field_unknown colour [];");
	load_row_done(&row);
}

static void a_feed_of_unknown_fields_only_is_refused(void **state)
{
	struct load_row row = {0};
	struct err err = {0};
	int r = 0;

	(void)state;
	for (int i = 0; i < 2000 && r == 0; i++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "{\"field%d\": 1}", i);
		r = parse(&row, line, &err);
	}
	assert_int_equal(r, -ERR_LIMIT);
	assert_non_null(strstr(err.message, "p.jsonl:7: "));
	load_row_done(&row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(article_numbers_are_texts_or_numbers),
	    cmocka_unit_test(specifications_are_attributes_or_a_map),
	    cmocka_unit_test(attributes_beyond_the_limit_are_named),
	    cmocka_unit_test(a_field_of_another_type_is_dropped_by_name),
	    cmocka_unit_test(an_unknown_field_is_noted_once_a_file),
	    cmocka_unit_test(a_feed_of_unknown_fields_only_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
