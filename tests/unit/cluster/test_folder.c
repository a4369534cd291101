/* Ports, passwords, and which folders another account can reach. */
#include "base/file.h"
#include "cluster/folder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
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

static void test_ports(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	unsigned port = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(port_pick(&port, NULL), 0);
	assert_true(port >= 20000 && port < 32768);
	assert_true(port_is_free(port));
	a.sin_port = htons((uint16_t)port);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_false(port_is_free(port));
	close(fd);
	assert_true(port_is_free(port));
}

static void test_secret_is_made_once(void **state)
{
	struct arena arena = {0};
	const char *path = arena_printf(&arena, "%s/secret", dir);
	const char *first = NULL, *second = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(folder_secret(path, &arena, &first, NULL), 0);
	assert_int_equal(folder_secret(path, &arena, &second, NULL), 0);
	assert_string_equal(first, second);
	assert_int_equal(strlen(first), 32);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(file_write_atomic(path, "\n", 1, 0600, NULL), 0);
	assert_int_equal(folder_secret(path, &arena, &second, NULL), -ERR_CORRUPTED);
	arena_done(&arena);
}

static void test_reach(void **state)
{
	struct folder_account other = {.name = "other", .uid = 12345678, .gid = 12345678};
	struct folder_account me = {.name = "me", .uid = geteuid(), .gid = getegid()};
	struct arena arena = {0};
	const char *inside = arena_printf(&arena, "%s/a/b", dir);
	const char *barrier = NULL;

	(void)state;
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(mkdir(arena_printf(&arena, "%s/a", dir), 0755), 0);
	assert_true(folder_is_reachable(inside, &me, &arena, NULL));
	assert_false(folder_is_reachable(inside, &other, &arena, &barrier));
	assert_string_equal(barrier, dir);
	assert_int_equal(chmod(dir, 0711), 0);
	assert_true(folder_is_reachable(inside, &other, &arena, NULL));
	arena_done(&arena);
}

static void test_server_folder(void **state)
{
	struct folder_account me = {.name = "me", .uid = geteuid(), .gid = getegid()};
	struct arena arena = {0};
	const char *first = NULL, *second = NULL;
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(folder_server(dir, "mariadb", &me, &arena, &first, NULL), 0);
	assert_int_equal(folder_server(dir, "mariadb", &me, &arena, &second, NULL), 0);
	assert_string_equal(first, second);
	assert_int_equal(stat(first, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(folder_server_remove(dir, "mariadb", NULL), 0);
	assert_false(file_exists(first));
	/* A link that leads nowhere: its data must not be made anew in silence. */
	assert_int_equal(symlink("/nonexistent/x", arena_printf(&arena, "%s/mongodb", dir)), 0);
	assert_int_equal(folder_server(dir, "mongodb", &me, &arena, &first, &err), -ERR_NOT_FOUND);
	assert_true(err.hint[0] != '\0');
	arena_done(&arena);
}

/* What a link of the user's points to is not ours to delete. */
static void test_remove_spares_foreign_links(void **state)
{
	struct arena arena = {0};
	const char *target = arena_printf(&arena, "%s/precious", dir);

	(void)state;
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(symlink(target, arena_printf(&arena, "%s/linked", dir)), 0);
	assert_int_equal(folder_server_remove(dir, "linked", NULL), 0);
	assert_true(file_exists(target));
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ports),
	    cmocka_unit_test(test_secret_is_made_once),
	    cmocka_unit_test(test_reach),
	    cmocka_unit_test(test_server_folder),
	    cmocka_unit_test(test_remove_spares_foreign_links),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
