/* Memory: growing arrays, limits for sizes from input, arenas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#include "base/banned.h"

static void a_grown_array_keeps_its_items_and_zeroes_the_new_ones(void **state)
{
	int *items = NULL;
	size_t cap = 0;

	(void)state;
	mem_grow(&items, &cap, 1, sizeof(*items));
	assert_int_equal(cap, 8);
	for (int i = 0; i < 8; i++)
		items[i] = i + 1;
	mem_grow(&items, &cap, 8, sizeof(*items));
	assert_int_equal(cap, 8); /* enough already */
	mem_grow(&items, &cap, 33, sizeof(*items));
	assert_int_equal(cap, 64); /* doubled until it suffices */
	for (int i = 0; i < 64; i++)
		assert_int_equal(items[i], i < 8 ? i + 1 : 0);
	mem_free(items);
}

static void a_size_from_input_has_a_limit(void **state)
{
	struct err err = {0};
	void *p = NULL;

	(void)state;
	assert_int_equal(mem_try_alloc(100, 99, &p, &err), -ERR_LIMIT);
	assert_string_equal(err.message, "100 bytes are above the limit of 99");
	assert_null(p);
	assert_int_equal(mem_try_alloc(100, 100, &p, &err), 0);
	assert_non_null(p);
	mem_free(p);
	assert_int_equal(mem_try_alloc(0, 0, &p, &err), 0); /* no bytes are memory too */
	assert_non_null(p);
	mem_free(p);
}

static void copies_belong_to_the_caller(void **state)
{
	_cleanup_(mem_freep) char *whole = mem_strdup("text");
	_cleanup_(mem_freep) char *begin = mem_strndup("text", 2);
	_cleanup_(mem_freep) char *none = mem_strndup(NULL, 0);
	_cleanup_(mem_freep) char *made = mem_printf("%s-%d", "a", 7);
	_cleanup_(mem_freep) char *bytes = mem_dup("a\0b", 3);

	(void)state;
	assert_string_equal(whole, "text");
	assert_string_equal(begin, "te");
	assert_string_equal(none, "");
	assert_string_equal(made, "a-7");
	assert_memory_equal(bytes, "a\0b", 3);
}

static void new_objects_are_zero(void **state)
{
	struct {
		int a;
		char *b;
	} *object = mem_alloc_array(3, sizeof(*object));

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(object[i].a, 0);
		assert_null(object[i].b);
	}
	mem_free(object);
}

static void moving_a_pointer_empties_its_variable(void **state)
{
	char *a = mem_strdup("x");
	_cleanup_(mem_freep) char *b = TAKE_PTR(a);

	(void)state;
	assert_null(a);
	assert_string_equal(b, "x");
}

/* --- arena ------------------------------------------------------------------------------------ */

static void arena_memory_is_zeroed_aligned_and_its_own(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 4000, 9000, 100, 300000, 2000000, 8};
	_cleanup_(arena_done) struct arena a = {0};
	unsigned char *got[ARRAY_LEN(sizes)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		got[i] = arena_alloc(&a, sizes[i]);
		assert_int_equal((uintptr_t)got[i] % 16, 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(got[i][k], 0);
		memset(got[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) { /* none lies on another */
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(got[i][k], i + 1);
	}
}

static void an_arena_counts_what_it_gave(void **state)
{
	struct arena a = {0};

	(void)state;
	arena_alloc(&a, 1);
	assert_int_equal(a.used_bytes, 16);
	arena_alloc(&a, 100000);
	assert_int_equal(a.used_bytes, 100016);
	arena_clear(&a);
	assert_int_equal(a.used_bytes, 0);
	arena_done(&a);
	assert_null(a.blocks);
}

static void a_cleared_arena_reuses_its_block_and_zeroes_again(void **state)
{
	_cleanup_(arena_done) struct arena a = {0};
	char *first = arena_alloc(&a, 64), *again;

	(void)state;
	memset(first, 'x', 64);
	arena_clear(&a);
	again = arena_alloc(&a, 64);
	assert_ptr_equal(first, again);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(again[i], 0);
}

static void a_huge_block_does_not_stay(void **state)
{
	struct arena a = {0};

	(void)state;
	arena_alloc(&a, (size_t)4 << 20);
	arena_clear(&a);
	assert_null(a.blocks);
	arena_clear(&a); /* an empty one may be cleared */
	arena_done(&a);
}

static void arena_texts_end_in_nul(void **state)
{
	_cleanup_(arena_done) struct arena a = {0};

	(void)state;
	assert_string_equal(arena_strdup(&a, "abc"), "abc");
	assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
	assert_string_equal(arena_strndup(&a, NULL, 0), "");
	assert_string_equal(arena_printf(&a, "%d of %s", 3, "many"), "3 of many");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_grown_array_keeps_its_items_and_zeroes_the_new_ones),
	    cmocka_unit_test(a_size_from_input_has_a_limit),
	    cmocka_unit_test(copies_belong_to_the_caller),
	    cmocka_unit_test(new_objects_are_zero),
	    cmocka_unit_test(moving_a_pointer_empties_its_variable),
	    cmocka_unit_test(arena_memory_is_zeroed_aligned_and_its_own),
	    cmocka_unit_test(an_arena_counts_what_it_gave),
	    cmocka_unit_test(a_cleared_arena_reuses_its_block_and_zeroes_again),
	    cmocka_unit_test(a_huge_block_does_not_stay),
	    cmocka_unit_test(arena_texts_end_in_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
