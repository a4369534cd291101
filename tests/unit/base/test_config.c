/* Options: types, ranges, order of origins, messages, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static const struct config_option shop_options[] = {
    {.section = "shop",
     .name = "name",
     .type = CONFIG_TEXT,
     .fallback = "corner",
     .environment = "TEST_SHOP_NAME",
     .help = "What it is called."},
    {.section = "shop",
     .name = "port",
     .type = CONFIG_INT,
     .fallback = "80",
     .min = 1,
     .max = 65535,
     .help = "Where it listens."},
    {.section = "shop", .name = "open", .type = CONFIG_BOOL, .fallback = "no", .help = "Now."},
    {.section = "shop",
     .name = "wait",
     .type = CONFIG_DURATION,
     .fallback = "5s",
     .min = 1,
     .max = 600000,
     .environment = "TEST_SHOP_WAIT",
     .help = "How long."},
    {.section = "shop", .name = "room", .type = CONFIG_SIZE, .fallback = "64M", .help = "Space."},
    {.section = "shop",
     .name = "kind",
     .type = CONFIG_CHOICE,
     .choices = "small|large",
     .help = "How large."},
    {.section = "shop",
     .name = "doors",
     .type = CONFIG_LIST,
     .fallback = "front, back",
     .help = "Which."},
    {0},
};

static const struct config_option till_options[] = {
    {.section = "till",
     .name = "code",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "TEST_TILL_CODE",
     .help = "Opens it."},
    {.section = "till", .name = "uri", .type = CONFIG_TEXT, .flags = CONFIG_URI, .help = "Where."},
    {.section = "till", .name = "file", .type = CONFIG_TEXT, .flags = CONFIG_PATH, .help = "Log."},
    {.section = "till",
     .name = "papers",
     .type = CONFIG_LIST,
     .flags = CONFIG_PATH,
     .help = "Papers."},
    {0},
};

static const struct config_option *const tables[] = {shop_options, till_options, NULL};

static char folder[] = "/tmp/aethermart-test-config-XXXXXX";
static char *file;

static int set_up(void **state)
{
	(void)state;
	unsetenv("TEST_SHOP_NAME");
	unsetenv("TEST_TILL_CODE");
	if (!mkdtemp(folder))
		return -1;
	file = mem_printf("%s/c.yaml", folder);
	return chdir(folder);
}

static int tear_down(void **state)
{
	(void)state;
	mem_free(file);
	return dir_remove(folder, NULL);
}

static void write_file(const char *text, mode_t mode)
{
	assert_int_equal(file_write_atomic(file, text, strlen(text), mode, NULL), 0);
}

static struct config *good(const char *path, const struct config_flag *flags, size_t n)
{
	struct config *c = NULL;
	struct err err = {0};

	if (config_load(tables, path, flags, n, &c, &err) < 0)
		fail_msg("%s", err.message);
	return c;
}

static void refuse(const char *text, const char *message, const char *hint)
{
	struct config *c = NULL;
	struct err err = {0};

	assert_int_equal(config_parse(tables, "c.yaml", text, strlen(text), &c, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message, message);
	if (hint)
		assert_string_equal(err.hint, hint);
	assert_null(c);
}

static void defaults_hold_without_a_file(void **state)
{
	struct config *c = good(NULL, NULL, 0);
	const char *const *doors = config_list(c, "shop.doors");

	(void)state;
	assert_string_equal(config_text(c, "shop.name"), "corner");
	assert_int_equal(config_int(c, "shop.port"), 80);
	assert_false(config_bool(c, "shop.open"));
	assert_int_equal(config_int(c, "shop.wait"), 5000);
	assert_int_equal(config_int(c, "shop.room"), 64 << 20);
	assert_null(config_text(c, "shop.kind"));
	assert_string_equal(doors[0], "front");
	assert_string_equal(doors[1], "back");
	assert_null(doors[2]);
	assert_null(config_list(c, "till.papers")[0]);
	assert_false(config_is_set(c, "shop.name"));
	assert_null(config_file_path(c));
	config_free(c);
}

static void flag_goes_before_environment_before_file(void **state)
{
	struct config_flag flag = {"shop.name", "from flag"};
	const struct config_item *items;
	struct config *c;

	(void)state;
	write_file("shop:\n  name: from file\n  port: 81\n", 0644);
	c = good(file, NULL, 0);
	assert_string_equal(config_text(c, "shop.name"), "from file");
	assert_int_equal(config_items(c, &items), 11);
	assert_non_null(strstr(items[0].origin, "c.yaml:2"));
	config_free(c);
	setenv("TEST_SHOP_NAME", "from environment", 1);
	c = good(file, NULL, 0);
	assert_string_equal(config_text(c, "shop.name"), "from environment");
	config_items(c, &items);
	assert_string_equal(items[0].origin, "environment TEST_SHOP_NAME");
	config_free(c);
	c = good(file, &flag, 1);
	assert_string_equal(config_text(c, "shop.name"), "from flag");
	assert_int_equal(config_int(c, "shop.port"), 81);
	assert_true(config_is_set(c, "shop.name"));
	config_items(c, &items);
	assert_string_equal(items[0].origin, "flag");
	config_free(c);
	setenv("TEST_SHOP_NAME", "", 1);
	c = good(file, NULL, 0);
	assert_string_equal(config_text(c, "shop.name"), "from file");
	config_free(c);
	unsetenv("TEST_SHOP_NAME");
}

static void the_file_in_the_folder_is_found_and_a_named_one_must_exist(void **state)
{
	struct config *c = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(file_write_atomic("aethermart.yaml", "shop: {port: 99}\n", 17, 0644, NULL),
			 0);
	c = good(NULL, NULL, 0);
	assert_int_equal(config_int(c, "shop.port"), 99);
	assert_string_equal(config_file_path(c), "aethermart.yaml");
	c = config_free(c);
	unlink("aethermart.yaml");
	assert_int_equal(config_load(tables, "absent.yaml", NULL, 0, &c, &err), -ERR_NOT_FOUND);
}

static void unknown_names_are_suggested(void **state)
{
	(void)state;
	refuse("shop:\n  prot: 80\n",
	       "c.yaml:2:3: \"prot\" is not an option of \"shop\"; did you mean \"port\"?",
	       "\"shop\" has name, port, open, wait, room, kind, doors");
	refuse("shp:\n  port: 80\n", "c.yaml:1:1: \"shp\" is not a section; did you mean \"shop\"?",
	       "sections are shop, till");
	refuse("shop:\n  code: 1\n",
	       "c.yaml:2:3: \"code\" is not an option of \"shop\"; it is one of \"till\"", NULL);
	refuse("shop:\n  zzzzzzzz: 1\n", "c.yaml:2:3: \"zzzzzzzz\" is not an option of \"shop\"",
	       NULL);
	refuse("shop: 5\n", "c.yaml:1:7: \"shop\" must be a map of options, found \"5\"", NULL);
	refuse("- shop\n", "c.yaml:1:1: a configuration is a map of sections, found a list", NULL);
}

static void values_are_checked_with_type_and_range(void **state)
{
	(void)state;
	refuse("shop:\n  port: 0\n",
	       "c.yaml:2:9: shop.port must be a whole number from 1 to 65535; found \"0\"",
	       "shop.port: Where it listens.");
	refuse("shop: {port: abc}\n",
	       "c.yaml:1:14: shop.port must be a whole number from 1 to 65535; found \"abc\"",
	       NULL);
	refuse("shop: {port: [1]}\n",
	       "c.yaml:1:14: shop.port must be a whole number from 1 to 65535; found a list", NULL);
	refuse("shop: {open: maybe}\n",
	       "c.yaml:1:14: shop.open must be true or false; found \"maybe\"", NULL);
	refuse("shop: {wait: 5}\n",
	       "c.yaml:1:14: shop.wait must be a duration such as 20ms, 5s, 10m, 2h or 30d, from "
	       "1ms to 10m; found \"5\"",
	       NULL);
	refuse("shop: {wait: 11m}\n",
	       "c.yaml:1:14: shop.wait must be a duration such as 20ms, 5s, 10m, 2h or 30d, from "
	       "1ms to 10m; found \"11m\"",
	       NULL);
	refuse("shop: {room: -1}\n",
	       "c.yaml:1:14: shop.room must be a size such as 512K, 64M or 2G, at least 0; found "
	       "\"-1\"",
	       NULL);
	refuse("shop: {kind: huge}\n",
	       "c.yaml:1:14: shop.kind must be one of small, large; found \"huge\"", NULL);
	refuse("shop: {kind: ''}\n",
	       "c.yaml:1:14: shop.kind must be one of small, large; found \"\"", NULL);
	refuse("shop: {doors: front}\n",
	       "c.yaml:1:15: shop.doors must be a list of texts; found \"front\"", NULL);
	refuse("shop: {doors: [a, {b: c}]}\n", "c.yaml:1:19: expected a text, found a map", NULL);
}

static void environment_and_flags_are_checked_too(void **state)
{
	struct config_flag flags[] = {{"shop.port", "70000"}, {"shop.prt", "1"}};
	struct config *c = NULL;
	struct err err = {0};

	(void)state;
	assert_true(config_load(tables, NULL, flags, 1, &c, &err) < 0);
	assert_string_equal(
	    err.message,
	    "--shop.port: shop.port must be a whole number from 1 to 65535; found \"70000\"");
	assert_true(config_load(tables, NULL, flags + 1, 1, &c, &err) < 0);
	assert_string_equal(err.message,
			    "\"--shop.prt\" is not an option of the configuration; did "
			    "you mean \"--shop.port\"?");
	setenv("TEST_SHOP_WAIT", "soon", 1);
	assert_true(config_load(tables, NULL, NULL, 0, &c, &err) < 0);
	assert_memory_equal(err.message, "environment TEST_SHOP_WAIT: shop.wait must be", 45);
	setenv("TEST_SHOP_WAIT", "1s\xff", 1);
	assert_true(config_load(tables, NULL, NULL, 0, &c, &err) < 0);
	unsetenv("TEST_SHOP_WAIT");
}

static void a_check_finds_every_mistake(void **state)
{
	static const char *const found[] = {
	    ":1:1: \"shp\" is not a section; did you mean \"shop\"?",
	    ":3:9: shop.port must be a whole number",
	    ":4:3: \"prt\" is not an option of \"shop\"; did you mean \"port\"?",
	    ":6:7: \"till\" must be a map of options",
	    "environment TEST_SHOP_WAIT: ",
	    "\"--shop.prt\" is not an option",
	};
	struct config_flag flags[] = {{"shop.prt", "1"}, {"shop.name", "mall"}};
	struct config_mistakes m = {0};
	struct config *c = NULL;

	(void)state;
	write_file("shp: {port: 1}\nshop:\n  port: 0\n  prt: 1\n  open: yes\ntill: 1\n", 0600);
	setenv("TEST_SHOP_WAIT", "soon", 1);
	config_check(tables, file, flags, 2, &m, &c);
	unsetenv("TEST_SHOP_WAIT");
	assert_int_equal(m.len, ARRAY_LEN(found));
	for (size_t i = 0; i < m.len; i++)
		assert_non_null(strstr(m.items[i].message, found[i]));
	assert_true(config_bool(c, "shop.open")); /* what was right counts */
	assert_int_equal(config_int(c, "shop.port"), 80);
	assert_string_equal(config_text(c, "shop.name"), "mall");
	config_mistakes_done(&m);
	config_free(c);

	write_file("shop: [\n", 0600);
	config_check(tables, file, NULL, 0, &m, &c);
	assert_int_equal(m.len, 1);
	config_mistakes_done(&m);
	config_free(c);
	write_file("shop: {port: 1}\n", 0600);
	config_check(tables, file, NULL, 0, &m, &c);
	assert_int_equal(m.len, 0);
	config_free(c);
}

static void a_secret_is_never_shown(void **state)
{
	struct config_flag flag = {"till.code", "hush"};
	const struct config_item *items;
	struct config *c = NULL;
	struct err err = {0};

	(void)state;
	setenv("TEST_TILL_CODE", "hush", 1);
	c = good(NULL, NULL, 0);
	assert_string_equal(config_text(c, "till.code"), "hush");
	config_items(c, &items);
	assert_string_equal(items[7].value, "(secret)");
	c = config_free(c);
	unsetenv("TEST_TILL_CODE");
	assert_true(config_load(tables, NULL, &flag, 1, &c, &err) < 0);
	assert_null(strstr(err.message, "hush"));
	assert_non_null(strstr(err.hint, "TEST_TILL_CODE"));
}

static void a_uri_may_not_hold_a_password(void **state)
{
	static const char *const bad[] = {
	    "x://me:hidden@h/",
	    "x://me:hid/den@h/",
	    "x://me:hid@den@h:1,i:2/a?b=c",
	    "x://me:hid?den@h/?b=c",
	    "x://me:hid=den@h",
	    "me:hidden@h",
	    "x://me:@h",
	};
	static const char *const fine[] = {
	    "x://h/", "x://h:1,i:2/a?b=c", "x://me@h:1/", "x://h:1/?name=a@b", "x://h/?t=a:b@c",
	    "h:1",
	};
	struct config *c = NULL;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct config_flag flag = {"till.uri", bad[i]};

		assert_int_equal(config_load(tables, NULL, &flag, 1, &c, &err),
				 -ERR_INVALID_ARGUMENT);
		assert_string_equal(err.message, "--till.uri: till.uri holds a password");
		assert_null(strstr(err.hint, "hid"));
	}
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		struct config_flag flag = {"till.uri", fine[i]};

		assert_int_equal(config_load(tables, NULL, &flag, 1, &c, &err), 0);
		assert_string_equal(config_text(c, "till.uri"), fine[i]);
		c = config_free(c);
	}
}

static void a_file_with_a_secret_is_its_owners_alone(void **state)
{
	struct config *c = NULL;
	struct err err = {0};

	(void)state;
	write_file("till: {code: hush}\n", 0644);
	assert_int_equal(config_load(tables, file, NULL, 0, &c, &err), -ERR_PERMISSION);
	assert_null(strstr(err.message, "hush"));
	write_file("till: {code: hush}\n", 0600);
	c = good(file, NULL, 0);
	assert_string_equal(config_text(c, "till.code"), "hush");
	config_free(c);
}

static void paths_in_the_file_start_at_its_folder(void **state)
{
	struct config_flag flag = {"till.file", "here.log"};
	struct config *c;
	char *want = mem_printf("%s/logs/t.log", folder);

	(void)state;
	write_file("till: {file: logs/t.log, papers: [/a, logs/t.log]}\n", 0644);
	c = good(file, NULL, 0);
	assert_string_equal(config_text(c, "till.file"), want);
	assert_string_equal(config_list(c, "till.papers")[0], "/a");
	assert_string_equal(config_list(c, "till.papers")[1], want);
	config_free(c);
	c = good(file, &flag, 1);
	assert_string_equal(config_text(c, "till.file"), "here.log");
	config_free(c);
	mem_free(want);
}

static void a_key_without_value_says_nothing(void **state)
{
	struct config *c = NULL;

	(void)state;
	write_file("shop:\n  port:\n  name: ~\ntill:\n", 0644);
	c = good(file, NULL, 0);
	assert_int_equal(config_int(c, "shop.port"), 80);
	assert_false(config_is_set(c, "shop.port"));
	assert_string_equal(config_text(c, "shop.name"), "corner");
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_hold_without_a_file),
	    cmocka_unit_test(flag_goes_before_environment_before_file),
	    cmocka_unit_test(the_file_in_the_folder_is_found_and_a_named_one_must_exist),
	    cmocka_unit_test(unknown_names_are_suggested),
	    cmocka_unit_test(values_are_checked_with_type_and_range),
	    cmocka_unit_test(environment_and_flags_are_checked_too),
	    cmocka_unit_test(a_check_finds_every_mistake),
	    cmocka_unit_test(a_secret_is_never_shown),
	    cmocka_unit_test(a_uri_may_not_hold_a_password),
	    cmocka_unit_test(a_file_with_a_secret_is_its_owners_alone),
	    cmocka_unit_test(paths_in_the_file_start_at_its_folder),
	    cmocka_unit_test(a_key_without_value_says_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
