/* The queue without a server: owners, statements, the floor; lists of fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "people.h"
#include "sync/sync_int.h"

#include "base/banned.h"

static void a_key_belongs_to_the_worker_that_mariadbs_crc32_names(void **state)
{
	static const struct {
		struct str key;
		uint32_t crc; /* SELECT CRC32(key) */
	} cases[] = {
	    {{"", 0}, 0},
	    {{NULL, 0}, 0},
	    {{"1", 1}, 2212294583},
	    {{"123456789", 9}, 3421780262},
	    {{"MySQL", 5}, 3259397556},
	    {{"mysql", 5}, 2501908538},
	    {{"MariaDB", 7}, 4227209140},
	    {{"\0", 1}, 3523407757},
	    {{"\xff\xff\xff\xff", 4}, 4294967295},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned owners = 1; owners <= SYNC_FENCES; owners++)
			assert_int_equal(sync_owner_of(cases[i].key, owners),
					 cases[i].crc % owners);
	}
}

static size_t count(const char *s, char c)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

static void a_queue_has_few_texts_for_any_number_of_rows(void **state)
{
	static const size_t inserts[] = {128, 16, 1};
	struct mapping *m = people_mapping(PEOPLE_HEAD PEOPLE_FIELDS, NULL);
	struct sync_queue q;

	(void)state;
	sync_queue_init(&q, m, 2, 4);
	assert_non_null(
	    strstr(q.claim_sql[0], "FROM `people_queue` q WHERE id > ? AND CRC32(`key`) % ? = ? "));
	assert_non_null(strstr(q.claim_sql[1], " ORDER BY id LIMIT ?"));
	assert_string_equal(q.move_sql, "UPDATE `people_queue` SET `cursor` = ? WHERE id = ?");
	assert_string_equal(q.delete_one_sql, "DELETE FROM `people_queue` WHERE id = ?");
	assert_non_null(
	    strstr(q.delete_sql, " STRAIGHT_JOIN `people_queue` q FORCE INDEX (PRIMARY)"));
	assert_int_equal(ARRAY_LEN(q.insert_sql), ARRAY_LEN(inserts));
	for (size_t i = 0; i < ARRAY_LEN(inserts); i++)
		assert_int_equal(count(q.insert_sql[i], '?'), 2 * inserts[i]); /* key, time */
	assert_string_equal(q.insert_sql[2], "INSERT INTO `people_queue` (path, `key`, queued_at)"
					     " VALUES (0, ?, FROM_UNIXTIME(? * 0.000001))");
	sync_queue_done(&q);
	assert_null(q.claim_sql[0]);
	sync_queue_done(&q);
	mapping_free(m);
}

static void the_floor_is_what_was_acknowledged_two_full_looks_ago(void **state)
{
	struct sync_queue q = {0};

	(void)state;
	q.acked_max = 10;
	sync_queue_rotate(&q);
	assert_int_equal(q.floor, 0);
	q.acked_max = 20;
	sync_queue_rotate(&q);
	assert_int_equal(q.floor, 10);
	sync_queue_rotate(&q);
	assert_int_equal(q.floor, 20);
}

static void lists_of_fields_are_json(void **state)
{
	static const char *const empty[] = {"", "[]", "{}", "null", "no json", "[\"a\""};
	_cleanup_(arena_done) struct arena arena = {0};
	const char *const *list =
	    sync_list_of_json(&arena, str_from("[\"a\", \"it's\", \"\xc3\xbc\"]"));

	(void)state;
	assert_string_equal(list[0], "a");
	assert_string_equal(list[1], "it's");
	assert_string_equal(list[2], "\xc3\xbc");
	assert_null(list[3]);
	for (size_t i = 0; i < ARRAY_LEN(empty); i++)
		assert_null(sync_list_of_json(&arena, str_from(empty[i]))[0]);
	assert_null(sync_list_of_json(&arena, (struct str){NULL, 0})[0]);
}

static void a_claim_is_reusable(void **state)
{
	struct sync_claim c = {0};

	(void)state;
	sync_claim_clear(&c);
	arena_alloc(&c.arena, 100);
	c.len = 3;
	sync_claim_clear(&c);
	assert_int_equal(c.len, 0);
	assert_int_equal(c.arena.used_bytes, 0);
	sync_claim_done(&c);
	sync_claim_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_belongs_to_the_worker_that_mariadbs_crc32_names),
	    cmocka_unit_test(a_queue_has_few_texts_for_any_number_of_rows),
	    cmocka_unit_test(the_floor_is_what_was_acknowledged_two_full_looks_ago),
	    cmocka_unit_test(lists_of_fields_are_json),
	    cmocka_unit_test(a_claim_is_reusable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
