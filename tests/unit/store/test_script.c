/* Scripts cut into statements as the mariadb client does it; identifiers and literals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/maria.h"

#include "base/banned.h"

/* "line:statement|line:statement|" */
static int add_statement(void *arg, struct str statement, size_t line, struct err *err)
{
	(void)err;
	strbuf_addf(arg, "%zu:%.*s|", line, STR_ARGS(statement));
	return 0;
}

static void split(const char *text, const char *wanted)
{
	struct strbuf got = STRBUF_INIT(0);
	struct err err = {0};

	assert_int_equal(maria_script_split(text, add_statement, &got, &err), 0);
	assert_string_equal(strbuf_str(&got), wanted);
	strbuf_done(&got);
}

static void statements_end_at_the_semicolon(void **state)
{
	(void)state;
	split("", "");
	split(" \n\t\r\n", "");
	split("SELECT 1", "1:SELECT 1|"); /* the last one needs none */
	split("SELECT 1;", "1:SELECT 1|");
	split("SELECT 1;SELECT 2;\n", "1:SELECT 1|1:SELECT 2|");
	split("\n\nSELECT\n 1 ;\n  SELECT 2", "3:SELECT\n 1|5:SELECT 2|");
	split(";; ;SELECT 1;;", "1:SELECT 1|"); /* empty ones are none */
}

static void quoted_semicolons_are_text(void **state)
{
	(void)state;
	split("SELECT ';';SELECT 2", "1:SELECT ';'|1:SELECT 2|");
	split("SELECT \";\";SELECT 2", "1:SELECT \";\"|1:SELECT 2|");
	split("SELECT `;`;SELECT 2", "1:SELECT `;`|1:SELECT 2|");
	split("SELECT 'it''s;';SELECT 2", "1:SELECT 'it''s;'|1:SELECT 2|");
	split("SELECT 'a\\';';SELECT 2", "1:SELECT 'a\\';'|1:SELECT 2|");
	split("SELECT 'a\\\\';SELECT 2", "1:SELECT 'a\\\\'|1:SELECT 2|");
	split("SELECT `a\\`;SELECT 2", "1:SELECT `a\\`|1:SELECT 2|"); /* no escape in backquotes */
	split("SELECT `a``;`;SELECT 2", "1:SELECT `a``;`|1:SELECT 2|");
	split("SELECT '/* -- #;';SELECT 2", "1:SELECT '/* -- #;'|1:SELECT 2|");
	split("SELECT 'open; end", "1:SELECT 'open; end|"); /* the server will say what is wrong */
	split("SELECT 'a\\", "1:SELECT 'a\\|");
}

static void comments_before_a_statement_are_left_out_and_count_as_lines(void **state)
{
	(void)state;
	split("-- one;\n# two;\n/* three;\n */ SELECT 1;", "4:SELECT 1|");
	split("--\nSELECT 1", "2:SELECT 1|");
	split("--", "");
	split("/* never closed", "");
	split("SELECT 1; -- the end;", "1:SELECT 1|");
}

static void comments_within_a_statement_hide_their_semicolons(void **state)
{
	(void)state;
	split("SELECT 1 -- a;b\n+ 2;SELECT 3", "1:SELECT 1 -- a;b\n+ 2|2:SELECT 3|");
	split("SELECT 1 # it's; so\n;SELECT 3", "1:SELECT 1 # it's; so|2:SELECT 3|");
	split("SELECT /* ;' */ 1;SELECT 3", "1:SELECT /* ;' */ 1|1:SELECT 3|");
	split("SELECT 5--3;SELECT 3", "1:SELECT 5--3|1:SELECT 3|"); /* no comment without a space */
}

static void a_comment_of_two_dashes_needs_white_space_of_any_kind(void **state)
{
	(void)state;
	split("--\tit's; one\nSELECT 1", "2:SELECT 1|");
	split("--\r\nSELECT 1;\r\n", "2:SELECT 1|");
	split("SELECT 1 --\t;\n;", "1:SELECT 1 --\t;|");
}

static void comments_that_the_server_executes_are_statements(void **state)
{
	(void)state;
	split("/*!40101 SET a = ';' */;SELECT 1", "1:/*!40101 SET a = ';' */|1:SELECT 1|");
	split("/*M!100100 SET a = 1 */;SELECT 1", "1:/*M!100100 SET a = 1 */|1:SELECT 1|");
}

static void delimiter_lines_change_what_ends_a_statement(void **state)
{
	(void)state;
	split("DELIMITER $$\nBEGIN; END$$\ndelimiter ;\nSELECT 1;", "2:BEGIN; END|4:SELECT 1|");
	split("SELECT 1;\n-- a comment\nDELIMITER //\nSELECT 2; SELECT 3//\n",
	      "1:SELECT 1|4:SELECT 2; SELECT 3|");
	split("DELIMITER ;;\r\nA; B;;\r\nDELIMITER ;\r\nC;", "2:A; B|4:C|");
	split("DELIMITER $$\nSELECT '$$' $$ SELECT 2 $$", "2:SELECT '$$'|2:SELECT 2|");
	split("DELIMITER end_of_it\nA; B end_of_it\nDELIMITER ;\nC;", "2:A; B|4:C|");
	split("DELIMITER ================================================================\n"
	      "A; B=\n================================================================\nC",
	      "2:A; B=|4:C|");
	split("DELIMITER \nSELECT 1;", "2:SELECT 1|"); /* without one: as before */
	split("SELECT delimiter FROM t;", "1:SELECT delimiter FROM t|");
}

static int refuse_second(void *arg, struct str statement, size_t line, struct err *err)
{
	int *n = arg;

	(void)statement;
	return ++*n == 2 ? err_set(err, ERR_CONFLICT, "line %zu", line) : 0;
}

static void it_stops_where_the_caller_does(void **state)
{
	struct err err = {0};
	int n = 0;

	(void)state;
	assert_int_equal(maria_script_split("A;\nB;\nC;", refuse_second, &n, &err), -ERR_CONFLICT);
	assert_int_equal(n, 2);
	assert_string_equal(err.message, "line 2");
}

static void identifiers_cannot_end_their_quotes(void **state)
{
	static const char *const cases[][2] = {
	    {"name", "`name`"},
	    {"", "``"},
	    {"a`; DROP TABLE t; --", "`a``; DROP TABLE t; --`"},
	    {"`", "````"},
	    {"it's \"so\"\\", "`it's \"so\"\\`"},
	    {"\xc3\xbc", "`\xc3\xbc`"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf b = STRBUF_INIT(0);

		maria_add_identifier(&b, cases[i][0]);
		assert_string_equal(strbuf_str(&b), cases[i][1]);
		strbuf_done(&b);
	}
}

static void each_sharp_stands_for_a_name(void **state)
{
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	MARIA_ADD(&b, "SELECT # FROM #.# WHERE x = ?", "a", "#", "b`");
	assert_string_equal(strbuf_str(&b), "SELECT `a` FROM `#`.`b``` WHERE x = ?");
	strbuf_done(&b);
}

static void literals_cannot_end_their_quotes(void **state)
{
	static const struct {
		struct str text;
		const char *wanted;
	} cases[] = {
	    {{"plain", 5}, "'plain'"}, {{"", 0}, "''"},
	    {{NULL, 0}, "''"},	       {{"it's", 4}, "'it''s'"},
	    {{"\\", 1}, "'\\\\'"},     {{"\\'", 2}, "'\\\\'''"},
	    {{"a\0b", 3}, "'a\\0b'"},  {{"a\0007", 3}, "'a\\07'"},
	    {{"\"`\n", 3}, "'\"`\n'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf b = STRBUF_INIT(0);

		maria_add_literal(&b, cases[i].text);
		assert_string_equal(strbuf_str(&b), cases[i].wanted);
		strbuf_done(&b);
	}
}

static void quoted_texts_are_one_piece_of_a_script(void **state)
{
	static const char *const texts[] = {"it's;", "\\';", "a\\", "`;`", "-- ;\n", "/*;"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct strbuf b = STRBUF_INIT(0);
		_cleanup_(mem_freep) char *wanted = NULL;

		maria_add_literal(&b, str_from(texts[i]));
		maria_add_identifier(&b, texts[i]);
		wanted = mem_printf("1:%s|", strbuf_str(&b));
		split(strbuf_str(&b), wanted);
		strbuf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(statements_end_at_the_semicolon),
	    cmocka_unit_test(quoted_semicolons_are_text),
	    cmocka_unit_test(comments_before_a_statement_are_left_out_and_count_as_lines),
	    cmocka_unit_test(comments_within_a_statement_hide_their_semicolons),
	    cmocka_unit_test(a_comment_of_two_dashes_needs_white_space_of_any_kind),
	    cmocka_unit_test(comments_that_the_server_executes_are_statements),
	    cmocka_unit_test(delimiter_lines_change_what_ends_a_statement),
	    cmocka_unit_test(it_stops_where_the_caller_does),
	    cmocka_unit_test(identifiers_cannot_end_their_quotes),
	    cmocka_unit_test(each_sharp_stands_for_a_name),
	    cmocka_unit_test(literals_cannot_end_their_quotes),
	    cmocka_unit_test(quoted_texts_are_one_piece_of_a_script),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
