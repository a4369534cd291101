/* Files and folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static char folder[] = "/tmp/aethermart-file-XXXXXX";
static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return dir_remove(folder, NULL);
}

static const char *in(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

static void what_is_written_is_read(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(file_write_atomic(in("a"), "one\0two", 7, 0600, &err), 0);
	assert_int_equal(file_read(in("a"), &b, &err), 0);
	assert_int_equal(b.len, 7);
	assert_memory_equal(b.data, "one\0two", 7);
	assert_int_equal(file_read(in("a"), &b, &err), 0); /* appended */
	assert_int_equal(b.len, 14);
	strbuf_done(&b);
	assert_int_equal(stat(in("a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_write_replaces_the_whole_file_and_its_mode_and_leaves_nothing_beside(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(file_write_atomic(in("b"), "a long text", 11, 0644, &err), 0);
	assert_int_equal(file_write_atomic(in("b"), "x", 1, 0640, &err), 0);
	assert_int_equal(file_read(in("b"), &b, &err), 0);
	assert_string_equal(strbuf_str(&b), "x");
	strbuf_done(&b);
	assert_int_equal(stat(in("b"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_false(file_exists(arena_printf(&arena, "%s.%d.tmp", in("b"), (int)getpid())));
}

static void a_link_in_the_way_of_a_write_is_not_followed(void **state)
{
	const char *tmp = arena_printf(&arena, "%s.%d.tmp", in("d"), (int)getpid());
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};

	(void)state;
	assert_int_equal(file_write_atomic(in("victim"), "precious", 8, 0600, &err), 0);
	assert_int_equal(symlink(in("victim"), tmp), 0);
	assert_int_equal(file_write_atomic(in("d"), "new", 3, 0644, &err), 0);
	assert_int_equal(file_read(in("victim"), &b, &err), 0);
	assert_string_equal(strbuf_str(&b), "precious");
	strbuf_clear(&b);
	assert_int_equal(file_read(in("d"), &b, &err), 0);
	assert_string_equal(strbuf_str(&b), "new");
	/* Nor is a file of somebody else written into: a reader of it would read along. */
	assert_int_equal(link(in("victim"), tmp), 0);
	assert_int_equal(file_write_atomic(in("d"), "newer", 5, 0644, &err), 0);
	strbuf_clear(&b);
	assert_int_equal(file_read(in("victim"), &b, &err), 0);
	assert_string_equal(strbuf_str(&b), "precious");
	strbuf_done(&b);
}

static void errors_name_the_path_and_the_reason(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};

	(void)state;
	assert_int_equal(file_read(in("none"), &b, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.message, arena_printf(&arena, "could not open \"%s\": %s",
						      in("none"), "No such file or directory"));
	assert_int_equal(file_read(folder, &b, &err), -ERR_IO);
	assert_non_null(strstr(err.message, "Is a directory"));
	assert_int_equal(file_write_atomic(in("none/x"), "", 0, 0600, &err), -ERR_NOT_FOUND);
	assert_int_equal(file_write_atomic(in("a"), "x", 1, 0600, &err), 0);
	assert_int_equal(dir_make(in("a/b"), 0700, &err), -ERR_IO); /* a file is in the way */
	assert_non_null(strstr(err.message, "could not create folder"));
	strbuf_done(&b);
}

static void a_file_above_the_buffers_maximum_is_refused(void **state)
{
	struct strbuf b = STRBUF_INIT(4);
	struct err err = {0};

	(void)state;
	assert_int_equal(file_write_atomic(in("c"), "12345", 5, 0600, &err), 0);
	assert_int_equal(file_read(in("c"), &b, &err), -ERR_LIMIT);
	strbuf_done(&b);
}

static void folders_are_made_with_their_parents_and_again(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(dir_make(in("x/y/z"), 0700, &err), 0);
	assert_int_equal(dir_make(in("x/y/z"), 0700, &err), 0);
	assert_int_equal(dir_make(in("x/y/z/"), 0700, &err), 0);
	assert_true(file_exists(in("x/y/z")));
}

static void removing_a_folder_follows_no_link(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(dir_make(in("gone/deep"), 0700, &err), 0);
	assert_int_equal(dir_make(in("stays"), 0700, &err), 0);
	assert_int_equal(file_write_atomic(in("stays/file"), "x", 1, 0600, &err), 0);
	assert_int_equal(symlink(in("stays"), in("gone/link")), 0);
	assert_int_equal(symlink("nowhere", in("gone/deep/dangling")), 0);
	assert_int_equal(dir_remove(in("gone"), &err), 0);
	assert_false(file_exists(in("gone")));
	assert_true(file_exists(in("stays/file")));
	assert_int_equal(dir_remove(in("gone"), &err), 0); /* absent is fine */
}

static void passwords_are_letters_and_digits_and_differ(void **state)
{
	_cleanup_(mem_freep) char *a = random_password(32), *b = random_password(32),
				  *none = random_password(0);

	(void)state;
	assert_int_equal(strlen(a), 32);
	assert_int_equal(
	    strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), 32);
	assert_string_not_equal(a, b);
	assert_string_equal(none, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(
		a_write_replaces_the_whole_file_and_its_mode_and_leaves_nothing_beside),
	    cmocka_unit_test(a_link_in_the_way_of_a_write_is_not_followed),
	    cmocka_unit_test(errors_name_the_path_and_the_reason),
	    cmocka_unit_test(a_file_above_the_buffers_maximum_is_refused),
	    cmocka_unit_test(folders_are_made_with_their_parents_and_again),
	    cmocka_unit_test(removing_a_folder_follows_no_link),
	    cmocka_unit_test(passwords_are_letters_and_digits_and_differ),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
