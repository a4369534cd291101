/* The tree of all commands, the reference of all options, and how errors are printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"

#include <stdlib.h>

#include "base/banned.h"

#define DEPTH_MAX 4

typedef void (*visit_fn)(const struct command *c, const char *path, int depth);

static void visit(const struct command *c, const char *path, int depth, visit_fn fn)
{
	assert_true(depth <= DEPTH_MAX);
	fn(c, path, depth);
	for (const struct command *const *child = c->children; child && *child; child++) {
		char *below = mem_printf("%s%s%s", path, path[0] ? " " : "", (*child)->name);

		visit(*child, below, depth + 1, fn);
		mem_free(below);
	}
}

static void check_command(const struct command *c, const char *path, int depth)
{
	if (!c->summary || !c->summary[0])
		fail_msg("\"%s\" has no summary", path);
	if (!c->name[0]) /* a heading */
		return;
	if (!c->run && !c->children)
		fail_msg("\"%s\" has neither children nor a function", path);
	if (c->max_args >= 0 && c->max_args < c->min_args)
		fail_msg("\"%s\" takes fewer arguments than it needs", path);
	if ((c->max_args != 0) != (c->arguments != NULL))
		fail_msg("\"%s\": names of arguments and their number disagree", path);
	for (const struct command_option *o = c->options; o && o->name; o++) {
		if (!o->help)
			fail_msg("\"%s --%s\" has no help", path, o->name);
		if (o->type != COMMAND_FLAG && !o->argument)
			fail_msg("\"%s --%s\" does not name its value", path, o->name);
		if (strchr(o->name, '.'))
			fail_msg("\"%s --%s\" looks like an option of the configuration", path,
				 o->name);
	}
	(void)depth;
}

static void every_command_is_complete(void **state)
{
	(void)state;
	visit(&cli_root_command, "", 0, check_command);
}

static void check_help(const struct command *c, const char *path, int depth)
{
	struct command_line line = {.command = c, .path = path};
	char *text = NULL, *start;
	size_t len;
	FILE *f;

	(void)depth;
	if (!c->name[0])
		return;
	f = open_memstream(&text, &len);
	command_print_help(&cli_root_command, &line, f);
	assert_int_equal(fclose(f), 0);
	start = text;
	for (char *end; (end = strchr(start, '\n')); start = end + 1) {
		if (end - start > 80)
			fail_msg("help of \"%s\" is wider than 80 columns: %.*s", path,
				 (int)(end - start), start);
	}
	mem_free(text);
}

static void every_help_fits_80_columns(void **state)
{
	(void)state;
	visit(&cli_root_command, "", 0, check_help);
}

static struct config *defaults(void)
{
	struct config *c = NULL;
	struct err err = {0};

	if (config_parse(cli_config_tables, "none.yaml", "", 0, &c, &err) < 0)
		fail_msg("%s", err.message);
	return c;
}

static void every_option_has_a_valid_default_and_help(void **state)
{
	struct config *c = defaults(); /* aborts on a default that is out of range */
	const struct config_item *items;
	size_t n = config_items(c, &items);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = items[i].option;

		if (!o->help || !o->help[0] || o->help[strlen(o->help) - 1] != '.')
			fail_msg("help of %s.%s is no sentence", o->section, o->name);
		if (o->flags & CONFIG_SECRET && o->fallback)
			fail_msg("the secret %s.%s has a default", o->section, o->name);
	}
	config_free(c);
}

static void the_reference_in_docs_is_up_to_date(void **state)
{
	const char *root = getenv("AETHERMART_SOURCE_ROOT");
	struct strbuf made = STRBUF_INIT(4 << 20), kept = STRBUF_INIT(4 << 20);
	struct config *c = defaults();
	char *path;

	(void)state;
	if (!root)
		fail_msg("AETHERMART_SOURCE_ROOT is not set: run it with meson test");
	path = mem_printf("%s/docs/configuration.md", root);
	assert_int_equal(file_read(path, &kept, NULL), 0);
	cli_config_docs(c, &made);
	if (!cstr_equal(strbuf_str(&made), strbuf_str(&kept)))
		fail_msg("docs/configuration.md differs from the options; run "
			 "build/aethermart config docs > docs/configuration.md");
	strbuf_done(&made);
	strbuf_done(&kept);
	mem_free(path);
	config_free(c);
}

static void texts_of_any_bytes_are_json(void **state)
{
	static const struct {
		struct str text;
		const char *json;
	} cases[] = {
	    {{"Zo\xc3\xab \"x\"", 8}, "\"Zo\xc3\xab \\\"x\\\"\""},
	    {{"Zo\xeb", 3}, "\"Zo\xef\xbf\xbd\""},
	    {{"\xff\0\xff", 3}, "\"\xef\xbf\xbd\\u0000\xef\xbf\xbd\""},
	    {{"", 0}, "\"\""},
	    {{NULL, 0}, "null"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *json = cli_json_text(cases[i].text);
		char *text = json_dumps(json, JSON_ENCODE_ANY);

		assert_non_null(text);
		assert_string_equal(text, cases[i].json);
		mem_free(text);
		json_decref(json);
	}
}

static void errors_are_text_or_one_line_of_json(void **state)
{
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};
	json_t *whole, *json;

	(void)state;
	(void)err_set(&err, ERR_NOT_FOUND, "no \"%s\"", "x\n");
	cli_format_error(&err, false, &b);
	assert_string_equal(strbuf_str(&b), "aethermart: no \"x\n\"\n");
	(void)err_hint(&err, "look elsewhere");
	strbuf_clear(&b);
	cli_format_error(&err, false, &b);
	assert_string_equal(strbuf_str(&b), "aethermart: no \"x\n\"\nhint: look elsewhere\n");
	strbuf_clear(&b);
	cli_format_error(&err, true, &b);
	assert_ptr_equal(strchr(strbuf_str(&b), '\n'), strbuf_str(&b) + b.len - 1);
	whole = json_loads(strbuf_str(&b), 0, NULL);
	json = json_object_get(whole, "error");
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "code")), "NOT_FOUND");
	assert_string_equal(json_string_value(json_object_get(json, "message")), "no \"x\n\"");
	assert_string_equal(json_string_value(json_object_get(json, "hint")), "look elsewhere");
	assert_int_equal(json_integer_value(json_object_get(json, "exit_status")), 3);
	json_decref(whole);
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_command_is_complete),
	    cmocka_unit_test(every_help_fits_80_columns),
	    cmocka_unit_test(every_option_has_a_valid_default_and_help),
	    cmocka_unit_test(the_reference_in_docs_is_up_to_date),
	    cmocka_unit_test(texts_of_any_bytes_are_json),
	    cmocka_unit_test(errors_are_text_or_one_line_of_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
