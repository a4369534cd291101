/* The rules of search: what is a mistake and where it is named, binding, what is personal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../mapping/fixture.h"
#include "search/search_rules.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define PEOPLE                                                                                    \
	"collection: people\ntable: customer\nkey: id\nqueue: people_queue\n"                     \
	"fields:\n"                                                                               \
	"  id: id\n"                                                                              \
	"  name: {column: name, pii: name}\n"                                                     \
	"  born: born\n"                                                                          \
	"  home: {object: purchase, on: {customer: id}, order: [id], pii: address, fields: {no: " \
	"id}}\n"

static struct search_rules *parse(const char *text)
{
	struct search_rules *rules = NULL;
	struct err err = {0};

	if (search_rules_parse("s.yaml", str_from(text), &rules, &err) < 0)
		fail_msg("%s", err.message);
	return rules;
}

static struct mapping *people_of(const char *text)
{
	struct mapping *m = NULL;
	struct err err = {0};

	if (mapping_parse("m.yaml", text, strlen(text), &m, &err) < 0 ||
	    mapping_bind(m, fixture_schema(), &err) < 0)
		fail_msg("%s", err.message);
	return m;
}

static struct mapping *people(void)
{
	return people_of(PEOPLE);
}

#define ONE(part) "collections:\n  people:\n    texts:\n      - parts:\n          - " part "\n"

struct mistake {
	const char *text, *message; /* the message has it */
};

static void expect_mistakes(const struct mistake *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct search_rules *rules = NULL;
		struct err err = {0};

		assert_int_equal(
		    search_rules_parse("s.yaml", str_from(cases[i].text), &rules, &err),
		    -ERR_INVALID_ARGUMENT);
		if (!strstr(err.message, cases[i].message))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].message, err.message);
	}
}

static void each_mistake_is_named_by_its_place(void **state)
{
	static const struct mistake cases[] = {
	    {"colections: {}", "s.yaml:1:1: "},
	    {"collections: []", "s.yaml:1:14: \"collections\" has to be a map"},
	    {"collections: {a: {txts: []}}", "did you mean \"texts\"?"},
	    {"collections: {a: {texts: []}}", "s.yaml:1:26: a collection needs a list of texts"},
	    {"collections: {a: {words: 0, texts: [{parts: [{say: x}]}]}}", "s.yaml:1:26: "},
	    {"collections: {a: {texts: [{parts: []}]}}",
	     "s.yaml:1:35: a text needs a list of parts"},
	    {ONE("{label: x}"), "s.yaml:5:13: a part needs one of say, field and pairs"},
	    {ONE("{say: x, field: y}"), "s.yaml:5:22: a part is one of say, field and pairs"},
	    {ONE("{field: name, skip: [a]}"), "s.yaml:5:27: \"skip\" goes with \"pairs\" only"},
	    {ONE("{pairs: name, once: true}"), "s.yaml:5:27: \"once\" goes with \"field\" only"},
	    {ONE("{field: name, words: many}"), "s.yaml:5:34: "},
	    {ONE("{field: name, words_for: [a]}"), "has to be a map from values to words"},
	    {ONE("{field: name, lable: x}"), "did you mean \"label\"?"},
	    {"collections: {a: {texts: [{when: {k: 1}, parts: [{say: x}]}]}}",
	     "the last text is for all other documents"},
	    {"collections: {a: {texts: [{parts: [{say: x}]}, {parts: [{say: y}]}]}}",
	     "it has to be the last one"},
	    {"collections: {a: {texts: [{when: [k], parts: [{say: x}]}, {parts: [{say: y}]}]}}",
	     "\"when\" has to be a map of one field"},
	};

	(void)state;
	expect_mistakes(cases, ARRAY_LEN(cases));
}

#define WITH(columns) "collections:\n  people:\n    texts: [{parts: [{say: x}]}]\n    " columns "\n"
#define ATTRIBUTE(a)  WITH("attributes: {x: {" a "}}")

static void each_mistake_in_fields_and_attributes_is_named_by_its_place(void **state)
{
	static const struct mistake cases[] = {
	    {WITH("fields: []"), "s.yaml:4:13: \"fields\" has to be a map"},
	    {WITH("fields: {a: {wieght: 1}}"), "did you mean \"weight\"?"},
	    {WITH("fields: {a: {weight: -1, parts: [{say: x}]}}"),
	     "s.yaml:4:26: expected a number from 0 to 1000, not \"-1\""},
	    {WITH("fields: {a: {b: 1.5, parts: [{say: x}]}}"), "from 0 to 1, not \"1.5\""},
	    {WITH("fields: {a: {weight: 1}}"), "s.yaml:4:17: a field needs a list of parts"},
	    {WITH("fields: {a: &1 {}}"), "s.yaml:4"},
	    {WITH("attributes: []"), "\"attributes\" has to be a map"},
	    {WITH("attributes: {Price: {field: id, type: number}}"),
	     "s.yaml:4:18: an attribute's name is of a-z"},
	    {WITH("attributes: {relevance: {field: id, type: number}}"), "is not \"relevance\""},
	    {ATTRIBUTE("field: id, tpe: number"), "did you mean \"type\"?"},
	    {ATTRIBUTE("field: id"), "s.yaml:4:21: an attribute needs a type"},
	    {ATTRIBUTE("type: text"), "an attribute needs one of field and pairs"},
	    {ATTRIBUTE("field: id, pairs: id"), "an attribute needs one of field and pairs"},
	    {ATTRIBUTE("pairs: id, ask: boost"), "s.yaml:4:33: \"ask\" does not go with \"pairs\""},
	    {ATTRIBUTE("field: id, type: int"),
	     "s.yaml:4:39: \"type\" is one of number, text, boolean, date, not \"int\""},
	    {ATTRIBUTE("field: id, type: text, ask: yes"), "is one of no, filter, boost"},
	    {ATTRIBUTE("field: id, type: text, units: {gb: 1}"),
	     "s.yaml:4:45: \"units\" does not go with type text"},
	    {ATTRIBUTE("field: id, type: number, above: 1"), "does not go with type number"},
	    {ATTRIBUTE("field: id, type: number, units: {gb: 0}"),
	     "s.yaml:4:59: expected a number"},
	    {ATTRIBUTE("field: id, type: number, units: {gb: nan}"), "not \"nan\""},
	    {ATTRIBUTE("field: id, type: number, usual: [1]"), "has to be a list of two numbers"},
	    {ATTRIBUTE("field: id, type: number, valid: [2, 1]"),
	     "the first number is above the second"},
	    {ATTRIBUTE("field: id, type: number, means: {bad: {}}"),
	     "a meaning needs \"min\" or \"max\""},
	    {ATTRIBUTE("field: id, type: boolean, values: {yes: [a]}"),
	     "s.yaml:4:57: values of a boolean are \"true\" and \"false\""},
	    {ATTRIBUTE("field: id, type: text, values: {a: []}"), "the list is empty"},
	    {ATTRIBUTE("field: id, type: number, prefer: 1"),
	     "only a boolean, or a number with \"valid\" bounds, can be preferred"},
	    {ATTRIBUTE("field: id, type: text, within: {a: [b], c: [d]}"),
	     "has to be a map of one attribute"},
	    {WITH("attributes: {kind: {field: id, type: text}, x: {field: id, type: text, within: "
		  "{knd: [a]}}}"),
	     "there is no attribute \"knd\"; did you mean \"kind\"?"},
	};

	(void)state;
	expect_mistakes(cases, ARRAY_LEN(cases));
}

#define LIKE(similar)                                                                          \
	WITH("attributes: {size: {field: id, type: number}, made: {field: born, type: date}, " \
	     "kind: {field: name, type: text}}\n    " similar)

static void each_mistake_in_what_is_similar_and_recommended_is_named_by_its_place(void **state)
{
	static const struct mistake cases[] = {
	    {LIKE("similar: {sam: {}}"), "did you mean \"same\"?"},
	    {LIKE("similar: {same: [size]}"), "s.yaml:5:21: \"same\" has to be a map"},
	    {LIKE("similar: {same: {siz: 1}}"),
	     "there is no attribute \"siz\"; did you mean \"size\"?"},
	    {LIKE("similar: {same: {made: 1}}"), "\"made\" is neither text, number nor boolean"},
	    {LIKE("similar: {same: {size: 2}}"), "from 0 to 1, not \"2\""},
	    {LIKE("similar: {twin: 1.1}"), "from 0 to 1"},
	    {LIKE("similar: {apart: [size]}"), "\"size\" is no text"},
	    {LIKE("similar: {fields: [title]}"), "there is no field \"title\""},
	    {LIKE("recommend: {only: [siz=1]}"), "did you mean \"size\"?"},
	    {LIKE("recommend: {only: [size]}"), "s.yaml:5:"},
	    {LIKE("recommend: {popular: -1}"), "from 0 to 1"},
	};

	(void)state;
	expect_mistakes(cases, ARRAY_LEN(cases));
}

#define SCOPE(filter)                        \
	ATTRIBUTE("field: id, type: number") \
	"scopes: {s: {collection: people, filter: [" filter "]}}\n"

static void a_filter_of_a_scope_is_a_condition_on_what_is_there(void **state)
{
	static const struct mistake cases[] = {
	    {SCOPE("y<3"), "s.yaml:5:42: \"people\" has no attribute \"y\""},
	    {SCOPE("x<"), "s.yaml:5:42: condition \"x<\""},
	};
	struct search_rules *rules = parse(SCOPE("x<3"));

	(void)state;
	assert_string_equal(search_rules_scope(rules, "s")->filters[0], "x<3");
	search_rules_free(rules);
	expect_mistakes(cases, ARRAY_LEN(cases));
}

static void attributes_say_what_they_are_called(void **state)
{
	struct search_rules *rules = parse(WITH(
	    "fields: {a: {weight: 2, parts: [{say: x}]}, b: {b: 0, parts: [{say: y}]}}\n"
	    "    attributes:\n"
	    "      kind: {field: [id, name], type: text, split: \",/\", kind: true, keep: true,\n"
	    "             values: {a: [one, two], b: two}}\n"
	    "      size: {field: id, type: number, ask: filter, unit: GB, units: {gb: 1, tb: "
	    "1e3},\n"
	    "             usual: [1, 64], valid: [0, 100], near: 0.5, less: [smaller],\n"
	    "             means: {tiny: {max: 1}}, within: {kind: [a]}}\n"
	    "      sold: {field: id, type: boolean, above: 0, title: is sold}\n"
	    "      all: {pairs: name}"));
	const struct search_collection *c = search_rules_find(rules, "people");
	const struct search_attribute *a = c->attributes;

	(void)state;
	assert_int_equal(c->n_fields, 2);
	assert_true(c->fields[0].weight == 2 && c->fields[0].b == 0.75);
	assert_true(c->fields[1].weight == 1 && c->fields[1].b == 0);
	assert_int_equal(c->n_attributes, 4);
	assert_true(a[0].n_paths == 2 && a[0].is_kind && a[0].keeps_words && a[0].n_values == 3);
	assert_string_equal(a[0].values[2].value, "b");
	assert_string_equal(a[0].values[2].word, "two");
	assert_true(a[1].ask == SEARCH_ASK_FILTER && a[1].units[1].factor == 1000);
	assert_true(a[1].has_usual && a[1].usual_max == 64 && a[1].valid_max == 100);
	assert_true(a[1].meanings[0].max == 1 && isinf(a[1].meanings[0].min));
	assert_string_equal(a[1].within, "kind");
	assert_true(a[2].is_above && a[2].ask == SEARCH_ASK_NO);
	assert_string_equal(a[2].title, "is sold");
	assert_true(a[3].is_pairs && cstr_equal(a[3].title, "all"));
	search_rules_free(rules);
}

static void a_path_that_no_mapping_produces_is_a_mistake(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {ONE("{field: nam}"),
	     "s.yaml:5:21: \"nam\": documents of \"people\" have no field \"nam\"; did you mean "
	     "\"name\"?"},
	    {ONE("{field: home.non}"), "no field \"non\"; did you mean \"no\"?"},
	    {ONE("{field: name.first}"), "no field \"first\""},
	    {ONE("{field: home}"), "\"home\" is an object: name a field of it"},
	    {"collections: {people: {title: nme, texts: [{parts: [{say: x}]}]}}",
	     "s.yaml:1:31: \"nme\""},
	    {"collections: {people: {texts: [{when: {knd: a}, parts: [{say: x}]}, {parts: [{say: "
	     "y}]}]}}",
	     "s.yaml:1:45: \"knd\""},
	    {WITH("fields: {a: {parts: [{field: nam}]}}"), "s.yaml:4:34: \"nam\""},
	    {ATTRIBUTE("field: [id, nam], type: text"), "s.yaml:4:34: \"nam\""},
	    {ATTRIBUTE("field: home, type: text"), "\"home\" is an object"},
	    {ATTRIBUTE("pairs: homes"), "no field \"homes\"; did you mean \"home\"?"},
	};
	struct mapping *m = people();
	struct mapping_set set = {.len = 1, .items = &m};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct search_rules *rules = parse(cases[i].text);
		struct err err = {0};

		assert_int_equal(search_rules_bind(rules, &set, &err), -ERR_INVALID_ARGUMENT);
		if (!strstr(err.message, cases[i].message))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].message, err.message);
		search_rules_free(rules);
	}
	mapping_free(m);
}

static void a_collection_without_a_mapping_is_left_alone(void **state)
{
	struct search_rules *rules =
	    parse("collections: {ghosts: {texts: [{parts: [{field: x}]}]}}");
	struct mapping *m = people();
	struct mapping_set set = {.len = 1, .items = &m};
	struct err err = {0};

	(void)state;
	assert_int_equal(search_rules_bind(rules, &set, &err), 0);
	assert_null(search_rules_find(rules, "ghosts")->mapping);
	search_rules_free(rules);
	mapping_free(m);
}

static const char *pii_of(const struct search_rules *rules, size_t composition)
{
	return search_rules_find(rules, "people")->compositions[composition].pii;
}

static void what_is_personal_is_known_for_each_composition(void **state)
{
	struct search_rules *rules = parse("collections:\n"
					   "  people:\n"
					   "    title: name\n" /* shown here, sent nowhere */
					   "    texts:\n"
					   "      - {when: {id: 1}, parts: [{field: born}]}\n"
					   "      - {when: {id: 2}, parts: [{field: name}]}\n"
					   "      - {when: {id: 3}, parts: [{field: home.no}]}\n"
					   "      - {parts: [{say: name}]}\n");
	struct mapping *m = people();
	struct mapping_set set = {.len = 1, .items = &m};
	struct err err = {0};

	(void)state;
	assert_int_equal(search_rules_bind(rules, &set, &err), 0);
	assert_null(pii_of(rules, 0));
	assert_string_equal(pii_of(rules, 1), "name (name)");
	assert_non_null(strstr(pii_of(rules, 2), "address"));
	assert_null(pii_of(rules, 3));
	assert_string_equal(search_rules_find(rules, "people")->title_pii, "name (name)");
	search_rules_free(rules);
	mapping_free(m);
}

static void what_is_personal_is_known_for_each_field_and_attribute(void **state)
{
	struct search_rules *rules = parse(WITH(
	    "fields: {a: {parts: [{field: id}]}, b: {parts: [{field: id}, {field: name}]}}\n"
	    "    attributes: {c: {field: born, type: date}, d: {field: home.no, type: number},\n"
	    "                 e: {pairs: home}}"));
	const struct search_collection *c = search_rules_find(rules, "people");
	struct mapping *m = people();
	struct mapping_set set = {.len = 1, .items = &m};
	struct err err = {0};

	(void)state;
	assert_int_equal(search_rules_bind(rules, &set, &err), 0);
	assert_null(c->fields[0].pii);
	assert_string_equal(c->fields[1].pii, "name (name)");
	assert_null(c->attributes[0].pii);
	assert_non_null(strstr(c->attributes[1].pii, "address"));
	assert_non_null(strstr(c->attributes[2].pii, "address"));
	search_rules_free(rules);
	mapping_free(m);
}

static void another_file_has_another_hash(void **state)
{
	struct search_rules *a = parse(ONE("{field: name}")), *b = parse(ONE("{field: name}")),
			    *c = parse(ONE("{field: born}"));

	(void)state;
	assert_true(search_rules_hash(a) == search_rules_hash(b));
	assert_true(search_rules_hash(a) != search_rules_hash(c));
	search_rules_free(a);
	search_rules_free(b);
	search_rules_free(c);
}

/* The same rules make other texts, or may show them to others. */
static void another_mapping_has_another_hash(void **state)
{
	static const char *const texts[] = {
	    PEOPLE "  birthday: born\n",
	    "collection: people\ntable: customer\nkey: id\nqueue: people_queue\n"
	    "fields:\n  id: id\n  name: name\n  born: born\n",
	};
	struct search_rules *rules = parse(ONE("{field: name}"));
	struct mapping *m = people();
	struct mapping_set set = {.len = 1, .items = &m}, empty = {0};
	uint64_t unbound = search_rules_hash(rules), bound;

	(void)state;
	assert_int_equal(search_rules_bind(rules, &set, NULL), 0);
	bound = search_rules_hash(rules);
	assert_true(bound != unbound);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct mapping *other = people_of(texts[i]);
		struct mapping_set others = {.len = 1, .items = &other};

		assert_int_equal(search_rules_bind(rules, &others, NULL), 0);
		assert_true(search_rules_hash(rules) != bound);
		mapping_free(other);
	}
	assert_int_equal(search_rules_bind(rules, &empty, NULL), 0);
	assert_true(search_rules_hash(rules) == unbound);
	assert_int_equal(search_rules_bind(rules, &set, NULL), 0);
	assert_true(search_rules_hash(rules) == bound);
	search_rules_free(rules);
	mapping_free(m);
}

static void the_shipped_rules_can_be_read(void **state)
{
	_cleanup_(mem_freep) char *path =
	    mem_printf("%s/rules/search.yaml", getenv("AETHERMART_SOURCE_ROOT"));
	struct search_rules *rules = NULL;
	const struct search_collection *list;
	struct err err = {0};

	(void)state;
	if (search_rules_load(path, &rules, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(search_rules_collections(rules, &list), 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(list[i].n_fields && list[i].n_attributes);
	search_rules_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mistake_is_named_by_its_place),
	    cmocka_unit_test(each_mistake_in_fields_and_attributes_is_named_by_its_place),
	    cmocka_unit_test(each_mistake_in_what_is_similar_and_recommended_is_named_by_its_place),
	    cmocka_unit_test(a_filter_of_a_scope_is_a_condition_on_what_is_there),
	    cmocka_unit_test(attributes_say_what_they_are_called),
	    cmocka_unit_test(a_path_that_no_mapping_produces_is_a_mistake),
	    cmocka_unit_test(a_collection_without_a_mapping_is_left_alone),
	    cmocka_unit_test(what_is_personal_is_known_for_each_composition),
	    cmocka_unit_test(what_is_personal_is_known_for_each_field_and_attribute),
	    cmocka_unit_test(another_file_has_another_hash),
	    cmocka_unit_test(another_mapping_has_another_hash),
	    cmocka_unit_test(the_shipped_rules_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
