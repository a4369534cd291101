/* The sink's decisions, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "people.h"
#include "sync/sync_int.h"

#include "base/banned.h"

static const char *const no_fields[] = {NULL};

#define WANT \
	"{\"_id\": {\"$numberLong\": \"1\"}, \"id\": {\"$numberLong\": \"1\"}, \"name\": \"A\"}"
#define MARK	 "\"_sync\": {\"version\": \"0\", \"term\": {\"$numberLong\": \"1\"}}"
#define LEFT	 "\"_sync\": {\"version\": \"0\", \"left_at\": {\"$date\": {\"$numberLong\": \"1\"}}}"
#define ID	 "\"_id\": {\"$numberLong\": \"1\"}"
#define OWNED(n) "\"id\": {\"$numberLong\": \"1\"}, \"name\": \"" n "\""

struct decision {
	const char *name;
	enum mapping_state state;
	const char *have; /* NULL: nothing */
	enum sync_outcome outcome;
	const char *update;
};

static void decide_all(const char *yaml, const char *const *retired, const struct decision *cases,
		       size_t n)
{
	struct mapping *m = people_mapping(yaml, NULL);
	struct sync_sink_context c = {.mapping = m, .retired = retired, .term = 7};

	for (size_t i = 0; i < n; i++) {
		struct mapping_document d = {.key = str_from("1"), .state = cases[i].state};
		struct sync_write w = {.document = &d};
		bson_t *have = cases[i].have ? people_json(cases[i].have) : NULL;
		bson_t update = BSON_INITIALIZER;
		enum sync_outcome outcome;

		d.document = d.state == MAPPING_PRESENT ? people_json(WANT) : NULL;
		outcome = sync_sink_decide(&c, &w, have, &update);
		if (outcome != cases[i].outcome ||
		    strcmp(people_text(&update), cases[i].update) != 0)
			fail_msg("%s: %d, %s", cases[i].name, (int)outcome, people_text(&update));
		bson_destroy(&update);
		if (have)
			bson_destroy(have);
		if (d.document)
			bson_destroy(d.document);
	}
	mapping_free(m);
}

static void what_becomes_of_a_document(void **state)
{
	static const struct decision cases[] = {
	    {"new", MAPPING_PRESENT, NULL, SYNC_INSERTED, "{ }"},
	    {"as it should be", MAPPING_PRESENT, "{" ID "," OWNED("A") "," MARK "}", SYNC_UNCHANGED,
	     "{ }"},
	    {"as it should be, with fields of others", MAPPING_PRESENT,
	     "{" ID ", \"likes\": 9," OWNED("A") "," MARK ", \"x\": {\"y\": 1}}", SYNC_UNCHANGED,
	     "{ }"},
	    {"another value", MAPPING_PRESENT, "{" ID "," OWNED("B") "," MARK "}", SYNC_UPDATED,
	     "{ \"$set\" : { \"name\" : \"A\", \"_sync\" : <at> } }"},
	    {"another type", MAPPING_PRESENT, "{" ID ", \"id\": 1, \"name\": \"A\"," MARK "}",
	     SYNC_UPDATED, "{ \"$set\" : { \"id\" : 1, \"_sync\" : <at> } }"},
	    {"a field is missing", MAPPING_PRESENT,
	     "{" ID ", \"id\": {\"$numberLong\": \"1\"}," MARK "}", SYNC_UPDATED,
	     "{ \"$set\" : { \"name\" : \"A\", \"_sync\" : <at> } }"},
	    {"foreign, and now a row has its key", MAPPING_PRESENT, "{" ID "," OWNED("A") "}",
	     SYNC_UPDATED, "{ \"$set\" : { \"_sync\" : <at> } }"},
	    {"gone, and never there", MAPPING_ABSENT, NULL, SYNC_UNCHANGED, "{ }"},
	    {"gone", MAPPING_ABSENT, "{" ID "," OWNED("A") "," MARK "}", SYNC_DELETED, "{ }"},
	    {"foreign, without a row", MAPPING_ABSENT, "{" ID "," OWNED("A") "}", SYNC_UNCHANGED,
	     "{ }"},
	};

	(void)state;
	decide_all(PEOPLE_HEAD PEOPLE_FIELDS, no_fields, cases, ARRAY_LEN(cases));
}

static void a_document_that_stays_loses_what_the_mapping_owns(void **state)
{
	static const struct decision cases[] = {
	    {"gone", MAPPING_ABSENT, "{" ID "," OWNED("A") ", \"likes\": 3," MARK "}", SYNC_DELETED,
	     "{ \"$set\" : { \"_sync\" : <left_at> }, \"$unset\" : { \"id\" : \"\", \"name\" : "
	     "\"\" } }"},
	    {"gone already", MAPPING_ABSENT, "{" ID ", \"likes\": 3," LEFT "}", SYNC_UNCHANGED,
	     "{ }"},
	    {"never there", MAPPING_ABSENT, NULL, SYNC_UNCHANGED, "{ }"},
	    {"foreign", MAPPING_ABSENT, "{" ID "," OWNED("A") "}", SYNC_UNCHANGED, "{ }"},
	    {"back again", MAPPING_PRESENT, "{" ID ", \"likes\": 3," LEFT "}", SYNC_UPDATED,
	     "{ \"$set\" : { \"id\" : 1, \"name\" : \"A\", \"_sync\" : <at> } }"},
	    {"back, and nobody touched its fields", MAPPING_PRESENT,
	     "{" ID "," OWNED("A") "," LEFT "}", SYNC_UPDATED,
	     "{ \"$set\" : { \"_sync\" : <at> } }"},
	};

	(void)state;
	decide_all(PEOPLE_HEAD "on_leave: keep\n" PEOPLE_FIELDS, no_fields, cases,
		   ARRAY_LEN(cases));
}

static void retired_fields_are_unset(void **state)
{
	static const char *const retired[] = {"old", "name", NULL};
	static const struct decision cases[] = {
	    {"has one", MAPPING_PRESENT, "{" ID "," OWNED("A") ", \"old\": 1," MARK "}",
	     SYNC_UPDATED, "{ \"$set\" : { \"_sync\" : <at> }, \"$unset\" : { \"old\" : \"\" } }"},
	    {"has none; the mapping owns \"name\" again", MAPPING_PRESENT,
	     "{" ID "," OWNED("A") "," MARK "}", SYNC_UNCHANGED, "{ }"},
	    {"a field of the same name deeper is another", MAPPING_PRESENT,
	     "{" ID "," OWNED("A") ", \"mine\": {\"old\": 1}," MARK "}", SYNC_UNCHANGED, "{ }"},
	    {"new", MAPPING_PRESENT, NULL, SYNC_INSERTED, "{ }"},
	};

	(void)state;
	decide_all(PEOPLE_HEAD PEOPLE_FIELDS, retired, cases, ARRAY_LEN(cases));
}

static void a_new_document_has_owned_then_first_values_then_the_mark(void **state)
{
	struct mapping *m = people_mapping(PEOPLE_HEAD PEOPLE_FIELDS, NULL);
	struct sync_sink_context c = {.mapping = m, .retired = no_fields, .term = 7};
	bson_t *want = people_json(WANT), doc = BSON_INITIALIZER;
	bson_iter_t it, field;

	(void)state;
	sync_sink_make_document(&c, want, &doc);
	assert_string_equal(people_text(&doc),
			    "{ \"_id\" : 1, \"id\" : 1, \"name\" : \"A\", \"likes\" : 0, \"tags\" "
			    ": [  ], \"_sync\" : <at> }");
	assert_true(bson_iter_init(&it, &doc));
	assert_true(bson_iter_find_descendant(&it, "_sync.version", &field));
	assert_memory_equal(bson_iter_utf8(&field, NULL), mapping_hash(m), SYNC_VERSION_LEN);
	assert_int_equal(strlen(bson_iter_utf8(&field, NULL)), SYNC_VERSION_LEN);
	assert_true(bson_iter_init(&it, &doc));
	assert_true(bson_iter_find_descendant(&it, "_sync.term", &field));
	assert_true(BSON_ITER_HOLDS_INT64(&field));
	assert_int_equal(bson_iter_int64(&field), 7);
	assert_true(bson_iter_init(&it, &doc));
	assert_true(bson_iter_find_descendant(&it, "_sync.at", &field));
	assert_true(clock_wall_us() / 1000 - bson_iter_date_time(&field) < 10000);
	bson_destroy(want);
	bson_destroy(&doc);
	mapping_free(m);
}

static void a_moved_document_takes_what_its_users_added(void **state)
{
	static const char *const cases[][3] = {
	    {"{" ID "," OWNED("A") ", \"likes\": 3," MARK "}", "{" ID "," OWNED("B") "," MARK "}",
	     "{ \"$set\" : { \"likes\" : 3 } }"},
	    {"{" ID "," OWNED("A") ", \"likes\": 3}", "{" ID ", \"likes\": 0, \"tags\": []}",
	     "{ \"$set\" : { \"likes\" : 3 }, \"$unset\" : { \"tags\" : \"\" } }"},
	    {"{" ID "," OWNED("A") "," MARK "}", "{" ID ", \"tags\": []," MARK "}",
	     "{ \"$unset\" : { \"tags\" : \"\" } }"},
	    {"{" ID "," OWNED("A") "," MARK "}", "{" ID "," OWNED("B") "," MARK "}", "{ }"},
	    {"{" ID ", \"x\": {\"y\": [1]}}", "{" ID ", \"x\": null}",
	     "{ \"$set\" : { \"x\" : { \"y\" : [ 1 ] } } }"},
	};
	struct mapping *m = people_mapping(PEOPLE_HEAD PEOPLE_FIELDS, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bson_t *from = people_json(cases[i][0]), *to = people_json(cases[i][1]);
		bson_t update = BSON_INITIALIZER;

		sync_sink_make_adopt(m, from, to, &update);
		assert_string_equal(people_text(&update), cases[i][2]);
		bson_destroy(&update);
		bson_destroy(from);
		bson_destroy(to);
	}
	mapping_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_becomes_of_a_document),
	    cmocka_unit_test(a_document_that_stays_loses_what_the_mapping_owns),
	    cmocka_unit_test(retired_fields_are_unset),
	    cmocka_unit_test(a_new_document_has_owned_then_first_values_then_the_mark),
	    cmocka_unit_test(a_moved_document_takes_what_its_users_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
