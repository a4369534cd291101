/* Somebody else's folder and a copy are never taken for a run-time folder of ours. */
#include "base/file.h"
#include "base/mem.h"
#include "cluster/home.h"
#include "cluster/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

static char dir[] = "/tmp/aethermart-test-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return dir_remove(dir, NULL);
}

static const char *path(const char *name)
{
	static char buf[4][128];
	static unsigned i;

	i = (i + 1) % ARRAY_LEN(buf);
	(void)snprintf(buf[i], sizeof(buf[i]), "%s/%s", dir, name);
	return buf[i];
}

static void write_text(const char *where, const char *text)
{
	assert_int_equal(file_write_atomic(where, text, strlen(text), 0644, NULL), 0);
}

static void copy_mark(const char *from, const char *to)
{
	_cleanup_(mem_freep) char *source = mem_printf("%s/aethermart.home", from);
	_cleanup_(mem_freep) char *target = mem_printf("%s/aethermart.home", to);
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	assert_int_equal(mkdir(to, 0755), 0);
	assert_int_equal(file_read(source, &b, NULL), 0);
	write_text(target, strbuf_str(&b));
}

static void assert_is(const char *where, enum home_state want)
{
	enum home_state state = HOME_FOREIGN;

	assert_int_equal(home_check(where, &state, NULL), 0);
	assert_int_equal(state, want);
}

static void test_absent_and_empty_become_ours(void **state)
{
	struct stat st;

	(void)state;
	assert_is(path("new"), HOME_ABSENT);
	assert_false(file_exists(path("new")));
	assert_int_equal(home_claim(path("new"), NULL), 0);
	assert_int_equal(stat(path("new"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_is(path("new"), HOME_OWN);
	assert_int_equal(mkdir(path("empty"), 0755), 0);
	assert_int_equal(mkdir(path("empty/lost+found"), 0700), 0);
	write_text(path("empty/aethermart.home.17.tmp"), "/");
	assert_is(path("empty"), HOME_EMPTY);
	assert_int_equal(home_claim(path("empty"), NULL), 0);
	assert_is(path("empty"), HOME_OWN);
}

static void test_a_folder_with_other_things_is_refused_untouched(void **state)
{
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(path("theirs"), 0755), 0);
	write_text(path("theirs/file"), "x");
	assert_int_equal(home_claim(path("theirs"), &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.message, "is not a run-time folder"));
	assert_non_null(strstr(err.hint, "stack.dir"));
	assert_int_equal(stat(path("theirs"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_false(file_exists(path("theirs/aethermart.home")));
	write_text(path("theirs/aethermart.home"), "no path\n");
	assert_int_equal(home_check(path("theirs"), NULL, NULL), -ERR_CONFLICT);
}

static void test_a_copy_is_refused_while_the_original_is_there(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(home_claim(path("first"), NULL), 0);
	copy_mark(path("first"), path("second"));
	assert_int_equal(home_claim(path("second"), &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.message, path("first")));
	assert_is(path("first"), HOME_OWN);
	assert_int_equal(dir_remove(path("first"), NULL), 0);
	assert_is(path("second"), HOME_MOVED);
	assert_int_equal(home_claim(path("second"), NULL), 0);
	assert_is(path("second"), HOME_OWN);
}

static void test_a_folder_from_before_there_were_marks_gets_one(void **state)
{
	_cleanup_(mem_freep) char *old = mem_printf("%s/old", dir),
				  *other = mem_printf("%s/o", dir);
	_cleanup_(mem_freep) char *server = mem_printf("%s/mariadb", old);
	struct state s = {.created = "2026-11-23T03:09:24.123Z",
			  .account = "aethermart",
			  .mariadb = {.dir = server, .socket = "/s", .version = "1", .port = 3307}};

	(void)state;
	assert_int_equal(mkdir(old, 0755), 0);
	assert_int_equal(mkdir(other, 0755), 0);
	assert_int_equal(state_write(old, &s, NULL), 0);
	assert_int_equal(state_write(other, &s, NULL), 0);
	assert_is(old, HOME_UNMARKED);
	assert_int_equal(home_check(other, NULL, NULL), -ERR_CONFLICT); /* a copy of it */
	assert_int_equal(home_claim(old, NULL), 0);
	assert_is(old, HOME_OWN);
}

static void test_a_moved_folder_is_ours_by_any_path(void **state)
{
	(void)state;
	assert_int_equal(home_claim(path("here"), NULL), 0);
	assert_int_equal(symlink(path("here"), path("link")), 0);
	assert_is(path("link"), HOME_OWN);
	assert_int_equal(rename(path("here"), path("there")), 0);
	assert_is(path("there"), HOME_MOVED);
	write_text(path("here"), "a file now");
	assert_is(path("there"), HOME_MOVED);
	assert_int_equal(home_claim(path("there"), NULL), 0);
	assert_is(path("there"), HOME_OWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_absent_and_empty_become_ours),
	    cmocka_unit_test(test_a_folder_with_other_things_is_refused_untouched),
	    cmocka_unit_test(test_a_copy_is_refused_while_the_original_is_there),
	    cmocka_unit_test(test_a_folder_from_before_there_were_marks_gets_one),
	    cmocka_unit_test(test_a_moved_folder_is_ours_by_any_path),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
