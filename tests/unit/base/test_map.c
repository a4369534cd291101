/* The hash map: bytes to pointers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

#include "base/banned.h"

static int values[5000];

static void an_empty_map_answers_null(void **state)
{
	struct map m = {0};

	(void)state;
	assert_null(map_get(&m, str_from("a")));
	map_done(&m);
}

static void a_slot_is_made_once_and_found_again(void **state)
{
	struct map m = {0};

	(void)state;
	*map_put(&m, str_from("a")) = &values[1];
	*map_put(&m, str_from("a")) = &values[2];
	assert_int_equal(m.len, 1);
	assert_ptr_equal(map_get(&m, str_from("a")), &values[2]);
	assert_null(map_get(&m, str_from("b")));
	map_done(&m);
}

static void keys_are_bytes(void **state)
{
	struct map m = {0};

	(void)state;
	*map_put(&m, (struct str){"a\0b", 3}) = &values[1];
	*map_put(&m, (struct str){"a\0c", 3}) = &values[2];
	*map_put(&m, (struct str){"a", 1}) = &values[3];
	assert_ptr_equal(map_get(&m, (struct str){"a\0b", 3}), &values[1]);
	assert_ptr_equal(map_get(&m, (struct str){"a\0c", 3}), &values[2]);
	assert_ptr_equal(map_get(&m, str_from("a")), &values[3]);
	assert_null(map_get(&m, str_from("A")));
	map_done(&m);
}

static void the_empty_text_is_a_key(void **state)
{
	struct map m = {0};

	(void)state;
	*map_put(&m, (struct str){NULL, 0}) = &values[1];
	assert_ptr_equal(map_get(&m, str_from("")), &values[1]);
	*map_put(&m, str_from("")) = &values[2];
	assert_int_equal(m.len, 1);
	map_done(&m);
}

static void it_grows_and_loses_nothing(void **state)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct map m = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		*map_put(&m, str_from(arena_printf(&arena, "key %zu", i))) = &values[i];
	assert_int_equal(m.len, ARRAY_LEN(values));
	assert_true(m.len * 4 <= m.cap * 3);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_ptr_equal(map_get(&m, str_from(arena_printf(&arena, "key %zu", i))),
				 &values[i]);
	map_done(&m);
}

static void a_map_that_is_done_is_empty_and_usable(void **state)
{
	struct map m = {0};

	(void)state;
	*map_put(&m, str_from("a")) = &values[1];
	map_done(&m);
	assert_int_equal(m.len, 0);
	assert_null(m.entries);
	assert_null(*map_put(&m, str_from("a"))); /* a new slot holds NULL */
	map_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_map_answers_null),
	    cmocka_unit_test(a_slot_is_made_once_and_found_again),
	    cmocka_unit_test(keys_are_bytes),
	    cmocka_unit_test(the_empty_text_is_a_key),
	    cmocka_unit_test(it_grows_and_loses_nothing),
	    cmocka_unit_test(a_map_that_is_done_is_empty_and_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
