/* The stack's memory: what is written is read again, and nothing else is believed. */
#include "base/file.h"
#include "cluster/layout.h"
#include "cluster/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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

static void test_round_trip(void **state)
{
	struct state s = {.created = "2026-11-23T00:00:00.000Z",
			  .account = "aethermart",
			  .mariadb = {.dir = "/a/m", .socket = "/a/m/s", .port = 3307},
			  .mongodb = {.dir = "/a/g",
				      .kind = "mongod",
				      .version = "7.0.1",
				      .port = 27018,
				      .has_users = true}};
	struct state t = {0};
	struct arena arena = {0};
	char path[64];
	struct stat st;

	(void)state;
	assert_int_equal(state_read(dir, &arena, &t, NULL), -ERR_NOT_FOUND);
	assert_int_equal(state_write(dir, &s, NULL), 0);
	assert_int_equal(state_read(dir, &arena, &t, NULL), 0);
	assert_string_equal(t.account, "aethermart");
	assert_string_equal(t.mariadb.socket, "/a/m/s");
	assert_null(t.mariadb.version);
	assert_int_equal(t.mariadb.port, 3307);
	assert_string_equal(t.mongodb.kind, "mongod");
	assert_true(t.mongodb.has_users);
	(void)snprintf(path, sizeof(path), "%s/stack.json", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Half a stack: the servers are made one after the other. */
	s.mongodb.dir = NULL;
	assert_int_equal(state_write(dir, &s, NULL), 0);
	t = (struct state){0};
	assert_int_equal(state_read(dir, &arena, &t, NULL), 0);
	assert_null(t.mongodb.dir);
	arena_done(&arena);
}

/* JSON cannot hold it; a file without its part would read as a stack without that server. */
static void test_a_path_that_is_no_text_is_refused(void **state)
{
	struct state servers[] = {
	    {.created = "2026-11-23T00:00:00.000Z",
	     .mariadb = {.dir = "/a/\xff/m", .socket = "/a/s", .port = 3307}},
	    {.created = "2026-11-23T00:00:00.000Z",
	     .mongodb = {.dir = "/a/\xff/g", .kind = "mongod", .port = 27018}},
	};
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/stack.json", dir);
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		struct err err = {0};

		(void)remove(path);
		assert_int_equal(state_write(dir, &servers[i], &err), -ERR_INVALID_ARGUMENT);
		assert_non_null(strstr(err.message, "no UTF-8"));
		assert_false(file_exists(path));
	}
}

static void test_broken_files(void **state)
{
	static const char *const texts[] = {
	    "",
	    "{",
	    "[]",
	    "{\"format\": 2}",
	    "{\"format\": 1, \"account\": 5}",
	    "{\"format\": 1, \"mariadb\": {\"dir\": \"/a\", \"socket\": \"/s\", \"port\": 70000}}",
	    "{\"format\": 1, \"mariadb\": {\"dir\": \"a\", \"socket\": \"/s\", \"port\": 7}}",
	    "{\"format\": 1, \"mariadb\": {\"dir\": \"/a\", \"port\": 7}}",
	    "{\"format\": 1, \"mongodb\": {\"dir\": \"/a\", \"kind\": \"mongod\", \"port\": 7}}",
	    "{\"format\": 1, \"mongodb\": []}",
	    "{\"format\": 1, \"format\": 1}",
	};
	struct arena arena = {0};
	struct state t = {0};
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/stack.json", dir);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err err = {0};

		assert_int_equal(file_write_atomic(path, texts[i], strlen(texts[i]), 0600, NULL),
				 0);
		if (state_read(dir, &arena, &t, &err) != -ERR_CORRUPTED)
			fail_msg("accepted: %s", texts[i]);
		assert_non_null(strstr(err.message, path));
		assert_true(err.hint[0] != '\0');
	}
	arena_done(&arena);
}

static void test_socket_paths(void **state)
{
	struct arena arena = {0};
	char *deep = arena_alloc(&arena, 201);

	(void)state;
	memset(deep, 'x', 200);
	deep[0] = '/';
	assert_string_equal(layout_socket(&arena, "/srv/shop/var", "serve.sock"),
			    "/srv/shop/var/serve.sock");
	assert_true(strlen(layout_socket(&arena, deep, "serve.sock")) <= LAYOUT_SOCKET_MAX);
	assert_string_equal(layout_socket(&arena, deep, "serve.sock"),
			    layout_socket(&arena, deep, "serve.sock"));
	arena_done(&arena);
}

static void test_absolute(void **state)
{
	struct arena arena = {0};

	(void)state;
	assert_string_equal(layout_absolute(&arena, NULL, "/nonexistent/a/"), "/nonexistent/a");
	assert_string_equal(layout_absolute(&arena, "/nonexistent", "var"), "/nonexistent/var");
	assert_string_equal(layout_absolute(&arena, NULL, "/usr/../usr/x-y"), "/usr/x-y");
	assert_string_equal(layout_absolute(&arena, NULL, "/"), "/");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_a_path_that_is_no_text_is_refused),
	    cmocka_unit_test(test_broken_files),
	    cmocka_unit_test(test_socket_paths),
	    cmocka_unit_test(test_absolute),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
