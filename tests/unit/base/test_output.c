/* What people see: tables and the progress line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/table.h"

#include <locale.h>

#include "base/banned.h"

static char *printed(struct table *t)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	table_print(t, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void numbers_go_right_and_texts_left(void **state)
{
	static const char *const titles[] = {"NAME", ">ROWS", NULL};
	struct table *t = table_new(titles);
	char *text;

	(void)state;
	table_add(t, (const char *const[]){"Customers", "2000"});
	table_add(t, (const char *const[]){"M\xc3\xb6"
					   "bel",
					   NULL});
	table_add_numbers(t, "Orders", (const uint64_t[]){7});
	text = printed(t);
	assert_string_equal(text, "NAME      ROWS\nCustomers 2000\nM\xc3\xb6"
				  "bel     \n"
				  "Orders       7\n");
	mem_free(text);
	table_free(t);
}

static void nothing_is_cut_outside_a_terminal(void **state)
{
	static const char *const titles[] = {"TEXT", "MORE", NULL};
	struct table *t = table_new(titles);
	char wide[301];
	char *text;

	(void)state;
	memset(wide, 'x', 300);
	wide[300] = '\0';
	table_add(t, (const char *const[]){wide, wide});
	text = printed(t);
	assert_true(strlen(text) > 600);
	mem_free(text);
	table_free(t);
}

static void a_table_without_lines_prints_nothing(void **state)
{
	static const char *const titles[] = {"TEXT", NULL};
	struct table *t = table_new(titles);
	char *text = printed(t);

	(void)state;
	assert_string_equal(text, "");
	mem_free(text);
	table_free(t);
	assert_null(table_free(NULL));
}

static void progress_says_rate_and_time_left(void **state)
{
	struct progress p = {.label = "load", .unit = "rows", .total = 1000, .done = 500};
	struct strbuf b = STRBUF_INIT(200);

	(void)state;
	progress_line(&p, 2000000, &b);
	assert_string_equal(strbuf_str(&b), "load: 500 of 1000 rows (50%), 250/s, 2.0s left");
	strbuf_clear(&b);
	p.total = 0;
	progress_line(&p, 2000000, &b);
	assert_string_equal(strbuf_str(&b), "load: 500 rows, 250/s");
	strbuf_clear(&b);
	progress_line(&p, 0, &b);
	assert_string_equal(strbuf_str(&b), "load: 500 rows, 0/s");
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_go_right_and_texts_left),
	    cmocka_unit_test(nothing_is_cut_outside_a_terminal),
	    cmocka_unit_test(a_table_without_lines_prints_nothing),
	    cmocka_unit_test(progress_says_rate_and_time_left),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
