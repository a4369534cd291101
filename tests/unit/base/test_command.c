/* The command tree: walking, options, counts, suggestions, help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/command.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <stdlib.h>

#include "base/banned.h"

static int run_nothing(const struct command_line *line, struct err *err)
{
	(void)line;
	(void)err;
	return 0;
}

static const struct command list = {
    .name = "list",
    .summary = "lists what is there",
    .arguments = "[QUEUE...]",
    .max_args = 2,
    .options =
	(const struct command_option[]){
	    {.name = "limit",
	     .type = COMMAND_NUMBER,
	     .argument = "N",
	     .fallback = "20",
	     .min = 1,
	     .max = 100,
	     .help = "at most that many"},
	    {.name = "from", .type = COMMAND_TEXT, .argument = "KEY", .help = "starts there"},
	    {.name = "all", .help = "also old ones"},
	    {0}},
    .help = "A paragraph that is\nlonger than one line and is wrapped at the width of the help, as "
	    "it should be wherever the words fall.\n\n  queue list customers\n",
    .run = run_nothing,
};
static const struct command show = {.name = "show",
				    .summary = "shows one",
				    .arguments = "KEY",
				    .min_args = 1,
				    .max_args = 1,
				    .run = run_nothing};
static const struct command secret = {
    .name = "secret", .summary = "hidden", .run = run_nothing, .hidden = true};
static const struct command *const queue_children[] = {&list, &show, &secret, NULL};
static const struct command queue = {
    .name = "queue", .summary = "the queue", .children = queue_children};
static const struct command heading = {.name = "", .summary = "Work"};
static const struct command version = {
    .name = "version", .summary = "the version", .run = run_nothing};
static const struct command empty = {.name = "", .summary = "Empty"};
static const struct command *const root_children[] = {&empty, &heading, &queue, &version, NULL};
static const struct command root = {
    .name = "prog", .summary = "A program.", .children = root_children};

#define WORDS(...) ((char *[]){(char[]){"prog"}, __VA_ARGS__, NULL})
#define W(s)	   ((char[]){s})

static int count(char **argv)
{
	int n = 0;

	while (argv[n])
		n++;
	return n;
}

static void good(char **argv, struct command_line *line)
{
	struct err err = {0};

	if (command_parse(&root, count(argv), argv, line, &err) < 0)
		fail_msg("%s", err.message);
}

static void refuse(char **argv, const char *message, const char *hint)
{
	struct command_line line;
	struct err err = {0};

	assert_int_equal(command_parse(&root, count(argv), argv, &line, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message, message);
	assert_string_equal(err.hint, hint);
	command_line_done(&line);
}

static void words_walk_the_tree(void **state)
{
	struct command_line line;

	(void)state;
	good(WORDS(W("--json"), W("queue"), W("list"), W("a"), W("--limit=5"), W("b"), W("--from"),
		   W("-1"), W("--quiet"), W("--config"), W("c.yaml")),
	     &line);
	assert_ptr_equal(line.command, &list);
	assert_string_equal(line.path, "queue list");
	assert_int_equal(line.argc, 2);
	assert_string_equal(line.argv[0], "a");
	assert_string_equal(line.argv[1], "b");
	assert_int_equal(command_number(&line, "limit"), 5);
	assert_string_equal(command_text(&line, "from"), "-1");
	assert_false(command_has(&line, "all"));
	assert_true(line.json && line.quiet && !line.verbose && !line.help);
	assert_string_equal(line.config_path, "c.yaml");
	command_line_done(&line);
}

static void what_is_not_given_is_the_default(void **state)
{
	struct command_line line;

	(void)state;
	good(WORDS(W("queue"), W("list"), W("--all")), &line);
	assert_int_equal(command_number(&line, "limit"), 20);
	assert_null(command_text(&line, "from"));
	assert_true(command_has(&line, "all"));
	assert_false(command_has(&line, "limit"));
	command_line_done(&line);
}

static void options_of_the_configuration_have_a_dot(void **state)
{
	struct command_line line;

	(void)state;
	good(WORDS(W("--http.port"), W("0"), W("queue"), W("list"), W("--shop.data=a=b,c")), &line);
	assert_int_equal(line.n_flags, 2);
	assert_string_equal(line.flags[0].name, "http.port");
	assert_string_equal(line.flags[0].value, "0");
	assert_string_equal(line.flags[1].name, "shop.data");
	assert_string_equal(line.flags[1].value, "a=b,c");
	command_line_done(&line);
	refuse(WORDS(W("queue"), W("list"), W("--http.port")),
	       "\"--http.port\" needs a value (VALUE)", "see \"prog queue list --help\"");
}

static void too_many_options_of_the_configuration_are_refused(void **state)
{
	char *argv[COMMAND_FLAGS_MAX + 4] = {W("prog"), W("version")};
	char flag[] = "--a.b=c";
	struct command_line line;
	struct err err = {0};

	(void)state;
	for (size_t i = 2; i < COMMAND_FLAGS_MAX + 3; i++)
		argv[i] = flag;
	assert_int_equal(command_parse(&root, count(argv), argv, &line, &err), -ERR_LIMIT);
	command_line_done(&line);
}

static void after_two_dashes_all_words_are_arguments(void **state)
{
	struct command_line line;

	(void)state;
	good(WORDS(W("queue"), W("list"), W("--"), W("--limit"), W("--help")), &line);
	assert_int_equal(line.argc, 2);
	assert_string_equal(line.argv[0], "--limit");
	assert_false(line.help);
	command_line_done(&line);
}

static void wrong_words_are_named_and_suggested(void **state)
{
	static const char hint[] = "see \"prog queue list --help\"";

	(void)state;
	refuse(WORDS(W("queu")), "unknown command \"queu\"; did you mean \"queue\"?",
	       "see \"prog --help\"");
	refuse(WORDS(W("queue"), W("lst")),
	       "queue: unknown command \"lst\"; did you mean \"list\"?",
	       "see \"prog queue --help\"");
	refuse(WORDS(W("queue"), W("xyzzyx")), "queue: unknown command \"xyzzyx\"",
	       "see \"prog queue --help\"");
	refuse(WORDS(W("")), "unknown command \"\"", "see \"prog --help\"");
	refuse(WORDS(W("queue")), "\"prog queue\" needs a command: list, show",
	       "see \"prog queue --help\"");
	refuse(WORDS(W("queue"), W("list"), W("--limt"), W("3")),
	       "unknown option \"--limt\"; did you mean \"--limit\"?", hint);
	refuse(WORDS(W("queue"), W("list"), W("-x")), "unknown option \"-x\"", hint);
	refuse(WORDS(W("queue"), W("list"), W("--limit"), W("0")),
	       "\"--limit\": 0 is out of range (1 to 100)", hint);
	refuse(WORDS(W("queue"), W("list"), W("--limit"), W("x")),
	       "\"--limit\": \"x\" is not a whole number", hint);
	refuse(WORDS(W("queue"), W("list"), W("--limit")), "\"--limit\" needs a value (N)", hint);
	refuse(WORDS(W("queue"), W("list"), W("--from"), W("--all")),
	       "\"--from\" needs a value (KEY)", hint);
	refuse(WORDS(W("queue"), W("list"), W("--from=a"), W("--from=b")),
	       "\"--from\" is given twice", hint);
	refuse(WORDS(W("queue"), W("list"), W("--from"), W("a\xe9")),
	       "the value of \"--from\" is no UTF-8", hint);
	refuse(WORDS(W("queue"), W("list"), W("--all=1")), "\"--all\" takes no value", hint);
	refuse(WORDS(W("queue"), W("list"), W("--json=1")), "\"--json\" takes no value", hint);
	refuse(WORDS(W("queue"), W("list"), W("a"), W("b"), W("c")),
	       "\"queue list\" takes [QUEUE...]; \"c\" is too much", hint);
	refuse(WORDS(W("queue"), W("show")), "\"queue show\" needs KEY; 0 given",
	       "see \"prog queue show --help\"");
	refuse(WORDS(W("version"), W("x")), "\"version\" takes no arguments; \"x\" is too much",
	       "see \"prog version --help\"");
}

static void hidden_commands_run_but_are_not_shown(void **state)
{
	struct command_line line;

	(void)state;
	good(WORDS(W("queue"), W("secret")), &line);
	assert_ptr_equal(line.command, &secret);
	command_line_done(&line);
}

static void version_is_also_an_option(void **state)
{
	struct command_line line;

	(void)state;
	good(WORDS(W("--version")), &line);
	assert_ptr_equal(line.command, &version);
	command_line_done(&line);
}

static char *help_of(char **argv)
{
	struct command_line line;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	good(argv, &line);
	assert_true(line.help);
	command_print_help(&root, &line, f);
	assert_int_equal(fclose(f), 0);
	command_line_done(&line);
	return text;
}

static void help_needs_no_arguments_and_lists_what_there_is(void **state)
{
	char *text = help_of(WORDS(W("queue"), W("show"), W("-h")));

	(void)state;
	assert_non_null(strstr(text, "Usage: prog queue show KEY\n"));
	mem_free(text);
	text = help_of(WORDS(W("queue"), W("--help")));
	assert_non_null(strstr(text, "\nCommands:\n  list"));
	assert_null(strstr(text, "secret"));
	mem_free(text);
	text = help_of(WORDS(W("--help")));
	assert_non_null(strstr(text, "\nWork:\n  queue"));
	assert_null(strstr(text, "Empty"));
	assert_non_null(strstr(text, "--SECTION.NAME VALUE"));
	mem_free(text);
	text = help_of(WORDS(W("queue"), W("list"), W("--help")));
	assert_non_null(strstr(text,
			       "A paragraph that is longer than one line and is wrapped at the "
			       "width of the\nhelp,"));
	assert_non_null(strstr(text, "\n  queue list customers\n"));
	assert_non_null(strstr(text, "--limit N               at most that many (default: 20)\n"));
	mem_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_walk_the_tree),
	    cmocka_unit_test(what_is_not_given_is_the_default),
	    cmocka_unit_test(options_of_the_configuration_have_a_dot),
	    cmocka_unit_test(too_many_options_of_the_configuration_are_refused),
	    cmocka_unit_test(after_two_dashes_all_words_are_arguments),
	    cmocka_unit_test(wrong_words_are_named_and_suggested),
	    cmocka_unit_test(hidden_commands_run_but_are_not_shown),
	    cmocka_unit_test(version_is_also_an_option),
	    cmocka_unit_test(help_needs_no_arguments_and_lists_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
