/* Checks of data quality: what a file may say, documents that are judged, drift. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "govern/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct quality_checks *read_checks(const char *text)
{
	struct quality_checks *c = NULL;
	struct err err = {0};

	if (quality_parse("q.yaml", text, strlen(text), &c, &err) < 0)
		fail_msg("%s", err.message);
	return c;
}

static void assert_refused(const char *text, const char *where, const char *why)
{
	struct quality_checks *c = NULL;
	struct err err = {0};

	assert_int_equal(quality_parse("q.yaml", text, strlen(text), &c, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_null(c);
	if (strncmp(err.message, where, strlen(where)) != 0 || !strstr(err.message, why))
		fail_msg("\"%s\" says not \"%s ... %s\"", err.message, where, why);
}

#define CHECK "owner: x\nrules:\n  a:\n    about: b\n    "

static void a_check_says_what_it_is_of_and_whose(void **state)
{
	struct quality_checks *c = read_checks("owner: finance\n"
					       "rules:\n"
					       "  total:\n"
					       "    about: totals are sums\n"
					       "    kind: sql\n"
					       "    table: Orders\n"
					       "    severity: warn\n"
					       "    quarantine: yes\n"
					       "    allow: 2.5%\n"
					       "    timeout: 5s\n"
					       "    sql: SELECT order_id FROM Orders\n"
					       "  email:\n"
					       "    about: has one\n"
					       "    kind: missing\n"
					       "    owner: sales\n"
					       "    table: Customers\n"
					       "    column: email\n"
					       "    allow: 3\n");

	(void)state;
	assert_int_equal(c->n, 2);
	assert_string_equal(c->items[0].owner, "finance");
	assert_true(c->items[0].is_warning && c->items[0].quarantines);
	assert_true(fabs(c->items[0].allowed_percent - 2.5) < 1e-9);
	assert_int_equal(c->items[0].timeout_ms, 5000);
	assert_string_equal(c->items[1].owner, "sales");
	assert_false(c->items[1].is_warning || c->items[1].streams);
	assert_int_equal(c->items[1].allowed_rows, 3);
	quality_free(c);
}

static void a_mistake_is_told_with_its_place_and_the_nearest_word(void **state)
{
	(void)state;
	assert_refused(CHECK "kind: mising\n    table: T\n    column: c\n",
		       "q.yaml:5:11:", "did you mean \"missing\"?");
	assert_refused(CHECK "kind: missing\n    table: T\n    colum: c\n",
		       "q.yaml:7:5:", "column");
	assert_refused(CHECK "kind: missing\n    table: T\n", "q.yaml:3:3:", "names no column");
	assert_refused(CHECK "kind: missing\n    column: c\n",
		       "q.yaml:3:3:", "names no table or collection");
	assert_refused(CHECK "kind: missing\n    table: T\n    field: c\n",
		       "q.yaml:3:3:", "is of a table");
	assert_refused(CHECK "kind: missing\n    collection: t\n    column: c\n",
		       "q.yaml:3:3:", "is of a collection");
	assert_refused(CHECK "kind: missing\n    table: T\n    column: c\n    stream: yes\n",
		       "q.yaml:3:3:", "has to be of a collection");
	assert_refused(CHECK "kind: reconciliation\n", "q.yaml:3:3:", "names no collection");
	assert_refused(CHECK "kind: reconciliation\n    store: idx\n    collection: c\n",
		       "q.yaml:6:12:", "did you mean \"index\"");
	assert_refused(CHECK "kind: reconciliation\n    store: index\n",
		       "q.yaml:3:3:", "names no collection");
	assert_refused(CHECK "kind: reconciliation\n    store: warehouse\n    collection: c\n",
		       "q.yaml:3:3:", "has no collections");
	assert_refused(CHECK "kind: reconciliation\n    store: warehouse\n    quarantine: yes\n",
		       "q.yaml:3:3:", "quarantine");
	assert_refused(CHECK "kind: missing\n    store: index\n", "q.yaml:6:5:", "store");
	assert_refused(CHECK "kind: row_count\n    table: T\n    change: 3\n",
		       "q.yaml:7:13:", "is a percentage");
	assert_refused(CHECK "kind: row_count\n    table: T\n",
		       "q.yaml:3:3:", "has none of min, max, change");
	assert_refused(CHECK "kind: invalid\n    table: T\n    column: c\n",
		       "q.yaml:3:3:", "that it is valid");
	assert_refused(CHECK "kind: invalid\n    table: T\n    column: c\n    pattern: '(a'\n",
		       "q.yaml:8:14:", "no regular expression: missing closing parenthesis");
	assert_refused(CHECK "kind: invalid\n    table: T\n    column: c\n    format: emial\n",
		       "q.yaml:8:13:", "did you mean \"email\"?");
	assert_refused(CHECK "kind: invalid\n    table: T\n    column: c\n    min: 1 OR 1\n",
		       "q.yaml:8:10:", "is no number");
	assert_refused(CHECK "kind: freshness\n    table: T\n    within: soon\n",
		       "q.yaml:7:13:", "is no duration");
	assert_refused(CHECK "kind: sql\n    sql: SELECT 1;\n", "q.yaml:6:10:", "without \";\"");
	assert_refused(CHECK "kind: sql\n    quarantine: yes\n    sql: SELECT 1\n",
		       "q.yaml:3:3:", "name the table of its keys");
	assert_refused(CHECK "kind: reference\n    table: T\n    column: c\n    to: {table: U, "
			     "column: [a, b]}\n",
		       "q.yaml:8:9:", "1 columns refer to 2");
	assert_refused("rules:\n  a:\n    about: b\n    kind: schema\n",
		       "q.yaml:2:3:", "has no owner");
	assert_refused("owner: x\nrules:\n  a:\n    kind: schema\n", "q.yaml:3:3:", "\"about\"");
	assert_refused("owner: x\nrules:\n  A b:\n    kind: schema\n",
		       "q.yaml:3:3:", "the name of a check");
	assert_refused(CHECK "kind: missing\n    table: T\n    column: c\n    allow: 200%\n",
		       "q.yaml:8:12:", "more than 100%");
}

/* --- documents ------------------------------------------------------------------------------- */

static bool passes(const char *check, const char *json)
{
	char text[600];
	struct quality_checks *c;
	bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, NULL);
	bool good;

	assert_non_null(doc);
	(void)snprintf(text, sizeof(text), CHECK "collection: t\n    %s\n", check);
	c = read_checks(text);
	good = quality_judge(&c->items[0], doc);
	bson_destroy(doc);
	quality_free(c);
	return good;
}

static void a_document_has_what_must_not_be_missing(void **state)
{
	static const char name[] = "kind: missing\n    field: a.b";

	(void)state;
	assert_true(passes(name, "{\"a\": {\"b\": \"x\"}}"));
	assert_true(passes(name, "{\"a\": {\"b\": 0}}"));
	assert_false(passes(name, "{\"a\": {\"b\": null}}"));
	assert_false(passes(name, "{\"a\": {\"b\": \"  \"}}"));
	assert_false(passes(name, "{\"a\": {\"c\": 1}}"));
	assert_false(passes(name, "{\"a\": 1}"));
	assert_false(passes(name, "{}"));
}

static void of_an_array_each_element_is_judged(void **state)
{
	static const char zip[] = "kind: missing\n    field: addresses.zip";

	(void)state;
	assert_true(passes(zip, "{\"addresses\": []}"));
	assert_true(passes(zip, "{\"addresses\": [{\"zip\": \"1\"}, {\"zip\": \"2\"}]}"));
	assert_false(passes(zip, "{\"addresses\": [{\"zip\": \"1\"}, {\"zip\": null}]}"));
	assert_false(passes(zip, "{\"addresses\": [7]}"));
	assert_false(passes("kind: invalid\n    field: tags\n    list: [a, b]",
			    "{\"tags\": [\"a\", \"c\"]}"));
}

static void a_value_has_its_form_and_what_is_missing_is_another_matter(void **state)
{
	static const char price[] = "kind: invalid\n    field: p\n    min: 0\n    max: 99.5";
	static const char email[] = "kind: invalid\n    field: p\n    format: email";

	(void)state;
	assert_true(passes(price, "{\"p\": {\"$numberDecimal\": \"99.50\"}}"));
	assert_false(passes(price, "{\"p\": {\"$numberDecimal\": \"99.51\"}}"));
	assert_false(passes(price, "{\"p\": {\"$numberDecimal\": \"NaN\"}}"));
	assert_false(passes(price, "{\"p\": -1}"));
	assert_false(passes(price, "{\"p\": \"7\"}"));
	assert_true(passes(price, "{\"p\": null}"));
	assert_true(passes(price, "{}"));
	assert_true(passes(email, "{\"p\": \"a.b@x.example\"}"));
	assert_false(passes(email, "{\"p\": \"a.b@x\"}"));
	assert_false(passes(email, "{\"p\": \"a@b@x.example\"}"));
	assert_false(passes(email, "{\"p\": 5}"));
	assert_true(passes("kind: invalid\n    field: p\n    list: [1, 2]", "{\"p\": 2}"));
	assert_false(passes("kind: invalid\n    field: p\n    list: [us]", "{\"p\": \"US\"}"));
	assert_true(passes("kind: invalid\n    field: p\n    max_length: 2", "{\"p\": \"üß\"}"));
	assert_false(passes("kind: invalid\n    field: p\n    min_length: 3", "{\"p\": \"üß\"}"));
}

/* Between itself and itself: one that is read the least bit otherwise is invalid. */
static void a_decimal_is_the_number_that_its_text_is(void **state)
{
	static const char *const numbers[] = {"0",
					      "-0.00",
					      "0.07",
					      "0.1",
					      "-12.30",
					      "999999.99",
					      "1E+3",
					      "1E-20",
					      "9007199254740991.5",
					      "0.123456789012345",
					      "1E-15",
					      "9007199254740993",
					      "123456789012345678901234.5"};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const char *n = numbers[i];

		if (!passes(arena_printf(&arena,
					 "kind: invalid\n    field: p\n    min: %s\n    max: %s", n,
					 n),
			    arena_printf(&arena, "{\"p\": {\"$numberDecimal\": \"%s\"}}", n)))
			fail_msg("%s is not itself", n);
	}
	assert_false(passes("kind: invalid\n    field: p\n    max: 9e15",
			    "{\"p\": {\"$numberDecimal\": \"Infinity\"}}"));
	arena_done(&arena);
}

static void a_pattern_that_takes_too_long_does_not_match(void **state)
{
	(void)state;
	assert_false(passes("kind: invalid\n    field: p\n    pattern: '^(a+)+$'",
			    "{\"p\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"}"));
}

/* --- drift ----------------------------------------------------------------------------------- */

static void assert_near(double a, double b)
{
	if (fabs(a - b) > 1e-6)
		fail_msg("%.9f is not %.9f", a, b);
}

static void drift_is_what_its_formula_says(void **state)
{
	static const uint64_t before[] = {50, 30, 20}, now[] = {30, 30, 40};

	(void)state;
	assert_near(quality_drift(QUALITY_PSI, before, before, 3), 0);
	assert_near(quality_drift(QUALITY_PSI, before, now, 3),
		    (0.3 - 0.5) * log(0.3 / 0.5) + (0.4 - 0.2) * log(0.4 / 0.2));
	assert_near(quality_drift(QUALITY_KL, before, now, 3),
		    0.3 * log(0.3 / 0.5) + 0.4 * log(0.4 / 0.2));
}

static void drift_is_of_shares_and_stays_finite(void **state)
{
	static const uint64_t before[] = {500, 300, 200, 0}, half[] = {250, 150, 100, 0},
			      new_one[] = {0, 300, 200, 500}, none[] = {0, 0, 0, 0};
	double d = quality_drift(QUALITY_PSI, before, new_one, 4);

	(void)state;
	assert_true(quality_drift(QUALITY_PSI, before, half, 4) < 0.001);
	assert_true(isfinite(d) && d > 1);
	assert_near(quality_drift(QUALITY_PSI, before, none, 4), 0);
	assert_near(quality_drift(QUALITY_KL, none, before, 4), 0);
}

/* --- what ships ------------------------------------------------------------------------------ */

static void the_checks_that_ship_are_well_written(void **state)
{
	char path[4096];
	struct quality_checks *c = NULL;
	struct err err = {0};
	bool kinds[QUALITY_KINDS] = {false};

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/rules/quality", getenv("AETHERMART_SOURCE_ROOT"));
	if (quality_load(path, &c, &err) < 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < c->n; i++)
		kinds[c->items[i].kind] = true;
	for (size_t i = 0; i < QUALITY_KINDS; i++)
		if (!kinds[i])
			fail_msg("no check of the kind %s ships",
				 quality_kind_name((enum quality_kind)i));
	assert_null(quality_find(c, "order_totl", &err));
	assert_non_null(strstr(err.message, "did you mean \"order_total\"?"));
	quality_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_check_says_what_it_is_of_and_whose),
	    cmocka_unit_test(a_mistake_is_told_with_its_place_and_the_nearest_word),
	    cmocka_unit_test(a_document_has_what_must_not_be_missing),
	    cmocka_unit_test(of_an_array_each_element_is_judged),
	    cmocka_unit_test(a_decimal_is_the_number_that_its_text_is),
	    cmocka_unit_test(a_value_has_its_form_and_what_is_missing_is_another_matter),
	    cmocka_unit_test(a_pattern_that_takes_too_long_does_not_match),
	    cmocka_unit_test(drift_is_what_its_formula_says),
	    cmocka_unit_test(drift_is_of_shares_and_stays_finite),
	    cmocka_unit_test(the_checks_that_ship_are_well_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
