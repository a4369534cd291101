/*
 * The sink against a real server: fences, refused and foreign documents, moves, pages. Skipped
 * unless AETHERMART_TEST_MONGODB_URI names a MongoDB that may be written without an account.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "people.h"
#include "sync/sync_int.h"

#include <stdlib.h>

#include "base/banned.h"

#define DATABASE "aethermart_sink_test"
#define TERM	 7

static const char *const no_fields[] = {NULL};

static struct mongo *mongo;
static struct mapping *people, *keepers;
static mongoc_client_t *client; /* somebody else's */

static void ok(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s (%s)", err->message, err->hint);
}

static mongoc_collection_t *collection(const char *name)
{
	return mongoc_client_get_collection(client, DATABASE, name);
}

static void run(const char *command_json)
{
	bson_t *command = people_json(command_json);
	struct err err = {0};

	ok(mongo_command(mongo, NULL, command, NULL, &err), &err);
	bson_destroy(command);
}

static void put(const char *name, const char *text)
{
	mongoc_collection_t *c = collection(name);
	bson_t *doc = people_json(text);
	bson_error_t e;

	if (!mongoc_collection_insert_one(c, doc, NULL, NULL, &e))
		fail_msg("%s", e.message);
	bson_destroy(doc);
	mongoc_collection_destroy(c);
}

/* Every document, by _id. */
static void expect(const char *name, const char *wanted)
{
	mongoc_collection_t *c = collection(name);
	bson_t filter = BSON_INITIALIZER;
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &filter, opts, NULL);
	struct strbuf got = STRBUF_INIT(0);
	const bson_t *doc;

	while (mongoc_cursor_next(cursor, &doc))
		strbuf_addf(&got, "%s%s", got.len ? "\n" : "", people_text(doc));
	assert_string_equal(strbuf_str(&got), wanted);
	strbuf_done(&got);
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(&filter);
	mongoc_collection_destroy(c);
}

static void set_fence(int fence, int64_t term)
{
	mongoc_collection_t *c = collection(SYNC_FENCE_COLLECTION);
	bson_t *filter = BCON_NEW("_id", BCON_INT32(fence));
	bson_t *update = BCON_NEW("$set", "{", "term", BCON_INT64(term), "}");
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_error_t e;

	if (!mongoc_collection_update_one(c, filter, update, opts, NULL, &e))
		fail_msg("%s", e.message);
	bson_destroy(opts);
	bson_destroy(update);
	bson_destroy(filter);
	mongoc_collection_destroy(c);
}

static int set_up(void **state)
{
	struct mongo_options options = {.uri = getenv("AETHERMART_TEST_MONGODB_URI"),
					.database = DATABASE};
	struct err err = {0};

	(void)state;
	people = people_mapping(PEOPLE_HEAD PEOPLE_FIELDS, NULL);
	keepers = people_mapping("collection: keepers\ntable: customer\nkey: id\n"
				 "queue: keepers_queue\non_leave: keep\n" PEOPLE_FIELDS,
				 NULL);
	ok(mongo_open(&options, &mongo, &err), &err);
	client = mongo_pop(mongo);
	return 0;
}

/* Each test begins with empty collections, and fences at our term. */
static int begin(void **state)
{
	struct err err = {0};

	(void)state;
	run("{\"dropDatabase\": 1}");
	ok(sync_target_prepare(mongo, people, true, &err), &err);
	ok(sync_target_prepare(mongo, keepers, true, &err), &err);
	set_fence(0, TERM);
	set_fence(1, TERM);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	run("{\"dropDatabase\": 1}");
	mongo_push(mongo, client);
	mongo_close(mongo);
	mapping_free(people);
	mapping_free(keepers);
	return 0;
}

struct wish { /* of a document: its name, or NULL: there is no row */
	const char *key, *name;
	enum sync_outcome outcome;
};

/* Applies wishes as one batch and compares what became of each; the sink's result. */
static int apply(const struct mapping *m, int64_t term, const struct wish *wishes, size_t n,
		 struct err *err)
{
	struct sync_sink_context c = {.mapping = m, .retired = no_fields, .term = term};
	struct mapping_document *docs = mem_alloc_array(n, sizeof(*docs));
	struct sync_write *writes = mem_alloc_array(n, sizeof(*writes));
	struct arena arena = {0};
	struct sync_sink *sink = NULL;
	int r;

	for (size_t i = 0; i < n; i++) {
		docs[i].key = str_from(wishes[i].key);
		writes[i].document = &docs[i];
		if (!wishes[i].name)
			continue;
		docs[i].state = MAPPING_PRESENT;
		docs[i].document = people_json(arena_printf(
		    &arena,
		    "{\"_id\": {\"$numberLong\": \"%s\"}, \"id\": {\"$numberLong\": \"%s\"},"
		    " \"name\": %s}",
		    wishes[i].key, wishes[i].key, wishes[i].name));
	}
	ok(sync_sink_new(mongo, 0, &sink, err), err);
	r = sync_sink_apply(sink, &c, writes, n, &arena, err);
	sync_sink_free(sink);
	for (size_t i = 0; i < n; i++) {
		if (r == 0 && writes[i].outcome != wishes[i].outcome)
			fail_msg("%s: %d, %s", wishes[i].key, (int)writes[i].outcome,
				 writes[i].error ? writes[i].error : "");
		if (r == 0 && writes[i].outcome == SYNC_REFUSED) {
			assert_non_null(writes[i].error);
			assert_null(strstr(writes[i].error, "secret"));
		}
		if (docs[i].document)
			bson_destroy(docs[i].document);
	}
	mem_free(docs);
	mem_free(writes);
	arena_done(&arena);
	return r;
}

static void a_batch_inserts_updates_and_deletes_and_then_changes_nothing(void **state)
{
	static const struct wish first[] = {{"1", "\"A\"", SYNC_INSERTED},
					    {"2", "\"B\"", SYNC_INSERTED},
					    {"3", NULL, SYNC_UNCHANGED}};
	static const struct wish second[] = {{"2", NULL, SYNC_DELETED},
					     {"1", "\"A2\"", SYNC_UPDATED},
					     {"3", "\"C\"", SYNC_INSERTED}};
	static const struct wish third[] = {{"1", "\"A2\"", SYNC_UNCHANGED},
					    {"2", NULL, SYNC_UNCHANGED},
					    {"3", "\"C\"", SYNC_UNCHANGED}};
	struct err err = {0};

	(void)state;
	ok(apply(people, TERM, first, ARRAY_LEN(first), &err), &err);
	ok(apply(people, TERM, second, ARRAY_LEN(second), &err), &err);
	ok(apply(people, TERM, third, ARRAY_LEN(third), &err), &err);
	expect("people",
	       "{ \"_id\" : 1, \"id\" : 1, \"name\" : \"A2\", \"likes\" : 0, \"tags\" : [  ],"
	       " \"_sync\" : <at> }\n"
	       "{ \"_id\" : 3, \"id\" : 3, \"name\" : \"C\", \"likes\" : 0, \"tags\" : [  ],"
	       " \"_sync\" : <at> }");
}

static void a_fence_of_another_term_refuses_the_whole_batch(void **state)
{
	static const struct wish wishes[] = {{"1", "\"A\"", SYNC_INSERTED}};
	struct err err = {0};

	(void)state;
	set_fence(0, TERM + 1); /* somebody took over */
	assert_int_equal(apply(people, TERM, wishes, 1, &err), -ERR_FENCED);
	assert_string_equal(err.message, "MongoDB's fence 0 no longer holds the term 7");
	expect("people", "");
	err_clear(&err);
	ok(apply(people, TERM + 1, wishes, 1, &err), &err);
}

static void a_batch_without_a_difference_needs_no_fence(void **state)
{
	static const struct wish first[] = {{"1", "\"A\"", SYNC_INSERTED}};
	static const struct wish again[] = {{"1", "\"A\"", SYNC_UNCHANGED}};
	struct err err = {0};

	(void)state;
	ok(apply(people, TERM, first, 1, &err), &err);
	set_fence(0, TERM + 1);
	ok(apply(people, TERM, again, 1, &err), &err);
}

static void refused_documents_are_set_aside_and_the_rest_is_written(void **state)
{
	static const struct wish wishes[] = {
	    {"1", "\"A\"", SYNC_INSERTED},	 {"2", "[\"secret\"]", SYNC_REFUSED},
	    {"3", "\"C\"", SYNC_INSERTED},	 {"4", "{\"secret\": 1}", SYNC_REFUSED},
	    {"no number", NULL, SYNC_UNCHANGED}, {"5", "\"E\"", SYNC_INSERTED}};
	struct err err = {0};

	(void)state;
	ok(apply(people, TERM, wishes, ARRAY_LEN(wishes), &err), &err);
	expect("people",
	       "{ \"_id\" : 1, \"id\" : 1, \"name\" : \"A\", \"likes\" : 0, \"tags\" : [  ],"
	       " \"_sync\" : <at> }\n"
	       "{ \"_id\" : 3, \"id\" : 3, \"name\" : \"C\", \"likes\" : 0, \"tags\" : [  ],"
	       " \"_sync\" : <at> }\n"
	       "{ \"_id\" : 5, \"id\" : 5, \"name\" : \"E\", \"likes\" : 0, \"tags\" : [  ],"
	       " \"_sync\" : <at> }");
}

static void what_others_wrote_stays(void **state)
{
	static const struct wish wishes[] = {{"1", NULL, SYNC_UNCHANGED},
					     {"2", "\"B\"", SYNC_UPDATED}};
	struct err err = {0};

	(void)state;
	run("{\"collMod\": \"people\", \"validator\": {}}");
	put("people", "{\"_id\": {\"$numberLong\": \"1\"}, \"mine\": 1}");
	put("people", "{\"_id\": {\"$numberLong\": \"2\"}, \"mine\": 2}");
	put("people", "{\"_id\": \"x\", \"mine\": 3}");
	ok(apply(people, TERM, wishes, ARRAY_LEN(wishes), &err), &err);
	/* the server adds fields in an order of its own */
	expect("people",
	       "{ \"_id\" : 1, \"mine\" : 1 }\n"
	       "{ \"_id\" : 2, \"mine\" : 2, \"_sync\" : <at>, \"id\" : 2, \"name\" : \"B\" }\n"
	       "{ \"_id\" : \"x\", \"mine\" : 3 }");
}

static void a_document_may_stay_when_its_row_leaves_and_come_back(void **state)
{
	static const struct wish come[] = {{"1", "\"A\"", SYNC_INSERTED}};
	static const struct wish leave[] = {{"1", NULL, SYNC_DELETED}};
	static const struct wish left[] = {{"1", NULL, SYNC_UNCHANGED}};
	static const struct wish back[] = {{"1", "\"A\"", SYNC_UPDATED}};
	struct err err = {0};

	(void)state;
	ok(apply(keepers, TERM, come, 1, &err), &err);
	ok(apply(keepers, TERM, leave, 1, &err), &err);
	ok(apply(keepers, TERM, left, 1, &err), &err);
	expect("keepers", "{ \"_id\" : 1, \"likes\" : 0, \"tags\" : [  ], \"_sync\" : <left_at> }");
	ok(apply(keepers, TERM, back, 1, &err), &err);
	expect("keepers", "{ \"_id\" : 1, \"likes\" : 0, \"tags\" : [  ], \"_sync\" : <at>, \"id\" "
			  ": 1, \"name\" : \"A\" }");
}

/* --- moves and pages -------------------------------------------------------------------------- */

static int move(const char *from, const char *to, int64_t term, struct err *err)
{
	struct sync_sink_context c = {.mapping = people, .retired = no_fields, .term = term};
	struct sync_sink *sink = NULL;
	int r;

	ok(sync_sink_new(mongo, 1, &sink, err), err);
	r = sync_sink_move(sink, &c,
			   &(struct sync_move){.old_key = str_from(from), .new_key = str_from(to)},
			   1, err);
	sync_sink_free(sink);
	return r;
}

static void a_document_moves_with_all_that_its_users_added(void **state)
{
	static const struct wish wishes[] = {{"1", "\"A\"", SYNC_INSERTED}};
	struct err err = {0};

	(void)state;
	ok(apply(people, TERM, wishes, 1, &err), &err);
	run("{\"update\": \"people\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$set\": "
	    "{\"likes\": 5, \"mine\": {\"x\": 1}}}}]}");
	ok(move("1", "2", TERM, &err), &err);
	expect("people",
	       "{ \"_id\" : 2, \"id\" : 1, \"name\" : \"A\", \"likes\" : 5, \"tags\" : [  "
	       "], \"_sync\" : <at>, \"mine\" : { \"x\" : 1 } }");
	ok(move("1", "2", TERM, &err), &err); /* again: there is nothing to move */
	ok(move("7", "8", TERM, &err), &err);
}

static void a_move_to_a_document_that_is_there_takes_the_users_fields_along(void **state)
{
	static const struct wish wishes[] = {{"1", "\"A\"", SYNC_INSERTED},
					     {"2", "\"B\"", SYNC_INSERTED}};
	struct err err = {0};

	(void)state;
	ok(apply(people, TERM, wishes, 2, &err), &err);
	run("{\"update\": \"people\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$set\": "
	    "{\"likes\": 5}, \"$unset\": {\"tags\": \"\"}}}]}");
	ok(move("1", "2", TERM, &err), &err);
	expect("people",
	       "{ \"_id\" : 2, \"id\" : 2, \"name\" : \"B\", \"likes\" : 5, \"_sync\" : <at> }");
}

static void a_move_is_fenced_and_leaves_foreign_documents(void **state)
{
	static const struct wish wishes[] = {{"1", "\"A\"", SYNC_INSERTED}};
	struct err err = {0};

	(void)state;
	run("{\"collMod\": \"people\", \"validator\": {}}");
	put("people", "{\"_id\": {\"$numberLong\": \"5\"}, \"mine\": 1}");
	ok(move("5", "6", TERM, &err), &err);
	ok(apply(people, TERM, wishes, 1, &err), &err);
	set_fence(1, TERM + 1);
	assert_int_equal(move("1", "2", TERM, &err), -ERR_FENCED);
	expect("people",
	       "{ \"_id\" : 1, \"id\" : 1, \"name\" : \"A\", \"likes\" : 0, \"tags\" : [  "
	       "], \"_sync\" : <at> }\n"
	       "{ \"_id\" : 5, \"mine\" : 1 }");
}

static void pages_list_the_marked_documents_in_order(void **state)
{
	static const struct wish wishes[] = {{"10", "\"A\"", SYNC_INSERTED},
					     {"9", "\"B\"", SYNC_INSERTED},
					     {"100", "\"C\"", SYNC_INSERTED}};
	struct sync_sink *sink = NULL;
	struct strbuf got = STRBUF_INIT(0);
	struct str after = {0};
	struct arena arena = {0};
	struct err err = {0};
	bool is_last = false;

	(void)state;
	run("{\"collMod\": \"people\", \"validator\": {}}");
	put("people", "{\"_id\": {\"$numberLong\": \"50\"}, \"mine\": 1}");
	ok(apply(people, TERM, wishes, ARRAY_LEN(wishes), &err), &err);
	ok(sync_sink_new(mongo, 0, &sink, &err), &err);
	while (!is_last) {
		struct sync_page page = SYNC_PAGE_INIT;

		ok(sync_sink_page(sink, people, after, 2, &arena, &page, &err), &err);
		for (size_t i = 0; i < page.keys.len; i++) {
			after = page.keys.items[i];
			strbuf_addf(&got, "%.*s ", STR_ARGS(after));
		}
		strbuf_addstr(&got, "| ");
		is_last = page.is_last;
		sync_page_done(&page);
	}
	assert_string_equal(strbuf_str(&got), "9 10 | 100 | ");
	strbuf_done(&got);
	sync_sink_free(sink);
	arena_done(&arena);
}

static void marked_documents_that_no_row_can_have_are_strays_and_can_be_removed(void **state)
{
	struct sync_sink_context context = {.mapping = people, .term = TERM};
	struct sync_page same = {.strays = BSON_INITIALIZER, .max_strays = 100};
	struct sync_page others = {.strays = BSON_INITIALIZER, .max_strays = 100};
	struct sync_sink *sink = NULL;
	struct arena arena = {0};
	struct err err = {0};

	(void)state;
	run("{\"collMod\": \"people\", \"validator\": {}}");
	put("people", "{\"_id\": {\"$numberLong\": \"1\"}, \"_sync\": {\"x\": 1}}");
	put("people", "{\"_id\": 1.5, \"_sync\": {\"x\": 1}}");
	put("people", "{\"_id\": \"a\", \"_sync\": {\"x\": 1}}");
	put("people", "{\"_id\": {\"x\": 1}, \"_sync\": {\"x\": 1}}");
	put("people", "{\"_id\": \"foreign\", \"mine\": 1}");
	ok(sync_sink_new(mongo, 0, &sink, &err), &err);
	ok(sync_sink_page(sink, people, (struct str){0}, 100, &arena, &same, &err), &err);
	assert_int_equal(same.keys.len, 1);
	ok(sync_sink_strays(sink, people, 100, &arena, &others, &err), &err);
	assert_int_equal(others.keys.len, 0);
	assert_int_equal(others.n_strays, 2);
	ok(sync_sink_remove(sink, &context, &same.strays, &err), &err);
	ok(sync_sink_remove(sink, &context, &others.strays, &err), &err);
	expect("people", "{ \"_id\" : 1, \"_sync\" : <at>\n"
			 "{ \"_id\" : \"foreign\", \"mine\" : 1 }");
	ok(sync_sink_release(sink, &context, str_from("1"), &err), &err);
	expect("people", "{ \"_id\" : 1 }\n{ \"_id\" : \"foreign\", \"mine\" : 1 }");
	sync_page_done(&same);
	sync_page_done(&others);
	sync_sink_free(sink);
	arena_done(&arena);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
	    TEST(a_batch_inserts_updates_and_deletes_and_then_changes_nothing),
	    TEST(a_fence_of_another_term_refuses_the_whole_batch),
	    TEST(a_batch_without_a_difference_needs_no_fence),
	    TEST(refused_documents_are_set_aside_and_the_rest_is_written),
	    TEST(what_others_wrote_stays),
	    TEST(a_document_may_stay_when_its_row_leaves_and_come_back),
	    TEST(a_document_moves_with_all_that_its_users_added),
	    TEST(a_move_to_a_document_that_is_there_takes_the_users_fields_along),
	    TEST(a_move_is_fenced_and_leaves_foreign_documents),
	    TEST(pages_list_the_marked_documents_in_order),
	    TEST(marked_documents_that_no_row_can_have_are_strays_and_can_be_removed),
	};

	if (!getenv("AETHERMART_TEST_MONGODB_URI"))
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
