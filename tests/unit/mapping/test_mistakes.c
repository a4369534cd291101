/* Every mistake in a mapping file has a place, a reason and, where there is one, a suggestion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "mapping/mapping.h"

#include <stdlib.h>

#include "base/banned.h"

#define HEAD  "collection: c\ntable: customer\nkey: id\nqueue: q\n"
#define LINES HEAD "fields:\n  p:\n    array: purchase\n    on: {customer: id}\n    fields:\n"

static const struct {
	const char *yaml, *message, *hint;
} mistakes[] = {
    {"table: customer\n", "m.yaml:1:1: the mapping has no \"collection\"", ""},
    {HEAD "fields: {id: id}\nfeilds: {}\n", "feilds", "fields"},
    {HEAD "fields: {}\n", "m.yaml:5:9: \"fields\" is empty", ""},
    {HEAD "fields: {_id: id}\n", "m.yaml:5:10: field \"_id\" is set by the sync itself", ""},
    {HEAD "fields: {$a: id}\n",
     "m.yaml:5:10: field \"$a\" begins with \"$\", which MongoDB reserves", ""},
    {HEAD "fields: {a.b: id}\n",
     "m.yaml:5:10: field \"a.b\" has a dot, which MongoDB reads as a path", ""},
    {HEAD "fields: {a: {pii: name}}\n",
     "m.yaml:5:13: field \"a\" says nothing of where it comes from", ""},
    {HEAD "fields: {a: {column: name, pii: nam}}\n", "the PII class is \"nam\"", "name"},
    {HEAD "fields: {a: id}\nmongodb: {a: 1}\n", "m.yaml:6:11: the name \"a\" is used twice", ""},
    {HEAD "fields: {a: id}\nindexes: [{key: {b: 1}}]\n",
     "m.yaml:6:18: an index of \"b\": the mapping has no field \"b\"", ""},
    {HEAD "fields: {a: id}\nwhere: {id: {like: 1}}\n", "like", ""},
    {HEAD "fields: {a: id}\nwhere: {id: {'<': null}}\n", "null can only be tested by = and !=", ""},
    {HEAD "fields: {t: {path: kind, on: {id: id}, parent: id, field: name}}\n", "a cycle", ""},
    {HEAD "fields: {a: {array: line, on: {purchase: id}, value: {constant: 1}}}\n",
     "the value of an array is a column or a \"concat\"", ""},
    {HEAD
     "fields: {s: {aggregate: line, on: {purchase: id}, values: {a: {sum: price, avg: price}}}}\n",
     "a figure has only one function", ""},
    /* With the schema. */
    {"collection: c\ntable: custmer\nkey: id\nqueue: q\nfields: {id: id}\n",
     "m.yaml:2:8: database \"test\" has no table \"custmer\"", "customer"},
    {HEAD "fields: {n: nam}\n", "m.yaml:5:13: table \"customer\" has no column \"nam\"", "name"},
    {HEAD "fields: {n: {column: born, type: bool}}\n",
     "column \"born\" of type date can not become bool", ""},
    {HEAD "fields: {n: name}\nwhere: {state: nwe}\n",
     "m.yaml:6:16: \"nwe\" is no value of column \"state\"", ""},
    {HEAD "fields: {n: name}\nwhere: {id: abc}\n",
     "m.yaml:6:13: \"abc\" is no value of column \"id\"", ""},
    {"collection: c\ntable: customer\nkey: name\nqueue: q\nfields: {n: name}\n",
     "m.yaml:3:6: no index of table \"customer\" begins with (name)", "CREATE INDEX"},
    {"collection: c\ntable: line\nkey: purchase\nqueue: q\nfields: {n: price}\n",
     "m.yaml:3:6: the key of table \"line\" is not unique and NOT NULL", ""},
    {"collection: c\ntable: keyless\nkey: id\nqueue: q\nfields: {n: price}\n",
     "table \"keyless\" has no primary key", "add one"},
    {"collection: c\ntable: view\nkey: id\nqueue: q\nfields: {n: price}\n", "\"view\" is a view",
     ""},
    {"collection: c\ntable: logged\nkey: id\nqueue: q\nfields: {n: price}\n",
     "table \"logged\" is kept by MyISAM", ""},
    {"collection: c\ntable: cascading\nkey: id\nqueue: q\nfields: {n: price}\n",
     "foreign key \"fk_cascade\" of table \"cascading\" is ON DELETE CASCADE", "RESTRICT"},
    {"collection: c\ntable: product\nkey: id\nqueue: q\nfields: {n: place}\n",
     "column \"place\" of table \"product\" has the type point", ""},
    {"collection: c\ntable: product\nkey: seen\nqueue: q\nfields: {n: name}\n",
     "column \"seen\" is a TIMESTAMP", "DATETIME"},
    {"collection: c\ntable: product\nkey: id\nqueue: product\nfields: {n: name}\n",
     "the queue is named as a mapped table", ""},
    {LINES "      note: note\n      x: {object: town, on: {id: note}, fields: {n: name}}\n",
     "m.yaml:11:34: column \"id\" (int(10) unsigned) and column \"note\" (varchar(80)"
     " utf8mb4_general_ci) differ in type",
     "one type"},
    {LINES "      x: {object: customer, on: {id: customer}, fields: {n: name}}\n",
     "a cycle: \"p.x\" goes back to table \"customer\"", ""},
    {LINES "      x: {object: town, on: {name: note}, fields: {n: name}}\n",
     "no index of table \"town\" begins with (name), by which \"p.x\" is read", "CREATE INDEX"},
    {LINES "      x: {object: land, on: {code: note}, fields: {n: name}}\n",
     "no index of table \"purchase\" begins with (note), by which \"p.x\" is traced back", ""},
    {HEAD "fields: {s: {aggregate: line, on: {purchase: id}, values: {a: {sum: weight}}}}\n",
     "the figure of column \"weight\" of type float is not determined", "DECIMAL"},
    {HEAD "fields: {s: {aggregate: purchase, on: {customer: id}, values: {a: {min: note}}}}\n",
     "is not determined", "number"},
};

static void each_mistake_is_named_where_it_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		_cleanup_(mapping_freep) struct mapping *m = NULL;
		struct err err = {0};
		int r =
		    mapping_parse("m.yaml", mistakes[i].yaml, strlen(mistakes[i].yaml), &m, &err);

		if (r == 0)
			r = mapping_bind(m, fixture_schema(), &err);
		if (r == 0 || !strstr(err.message, mistakes[i].message) ||
		    !strstr(err.hint, mistakes[i].hint))
			fail_msg("mistake %zu\n%s\nwanted: %s (%s)\ngot:    %s (%s)", i,
				 mistakes[i].yaml, mistakes[i].message, mistakes[i].hint,
				 err.message, err.hint);
		assert_int_equal(r, -ERR_INVALID_ARGUMENT);
	}
}

static void nesting_ends_at_four_levels(void **state)
{
	static const char yaml[] = HEAD
	    "fields:\n"
	    " a: {array: purchase, on: {customer: id}, fields: {b: {array: line, on: {purchase: "
	    "id},"
	    " fields: {c: {object: product, on: {id: product}, fields: {d: {object: kind, on: {id:"
	    " kind}, fields: {e: {object: kind, on: {id: up}, fields: {n: name}}}}}}}}}}\n";
	struct mapping *m = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(mapping_parse("m.yaml", yaml, strlen(yaml), &m, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "\"a.b.c.d.e\" is nested deeper than 4 levels"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mistake_is_named_where_it_stands),
	    cmocka_unit_test(nesting_ends_at_four_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
