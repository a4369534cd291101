/* Dates in all their forms. */
#include "shop/clean_date.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/banned.h"

static void forms_are_understood(void **state)
{
	static const char *const cases[][2] = {
	    {"2025-03-04", "2025-03-04 00:00:00"},
	    {"2025/03/04", "2025-03-04 00:00:00"},
	    {"2025.03.04", "2025-03-04 00:00:00"},
	    {"20250304", "2025-03-04 00:00:00"},
	    {"04.03.2025", "2025-03-04 00:00:00"},
	    {"25/03/2025", "2025-03-25 00:00:00"},
	    {"03/25/2025", "2025-03-25 00:00:00"},
	    {"25-03-25", "2025-03-25 00:00:00"},
	    {"4 March 2025", "2025-03-04 00:00:00"},
	    {"4-Mar-2025", "2025-03-04 00:00:00"},
	    {"March 4th, 2025", "2025-03-04 00:00:00"},
	    {"Tue, 04 Mar 2025 15:16:17 GMT", "2025-03-04 15:16:17"},
	    {"1741046400", "2025-03-04 00:00:00"},
	    {"2025-03-04T15:16:17.123Z", "2025-03-04 15:16:17"},
	    {"2025-03-04 01:30+02:00", "2025-03-03 23:30:00"},
	    {"03/25/2025 3:16 PM", "2025-03-25 15:16:00"},
	    {"2024-02-29", "2024-02-29 00:00:00"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(0);
		struct clean_date d;

		assert_true(clean_date_parse(str_from(cases[i][0]), CLEAN_DATE_MONTH_FIRST, &d));
		assert_false(d.is_ambiguous);
		clean_date_format(&d, true, &out);
		assert_string_equal(strbuf_str(&out), cases[i][1]);
		strbuf_done(&out);
	}
}

static void what_does_not_exist_is_refused(void **state)
{
	static const char *const cases[] = {
	    "2025-02-29", "2025-13-01", "31/04/2025",	    "yesterday",  "",		"2025-03",
	    "12345",	  "1850-01-01", "2025-03-04 25:00", "13/13/2025", "2025-03-04x"};
	struct clean_date d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_false(clean_date_parse(str_from(cases[i]), CLEAN_DATE_DAY_FIRST, &d));
}

static void the_other_dates_decide(void **state)
{
	struct clean_date_evidence e = {0};
	struct clean_date d;

	(void)state;
	assert_int_equal(clean_date_decide(&e, CLEAN_DATE_MONTH_FIRST), CLEAN_DATE_MONTH_FIRST);
	clean_date_look(str_from("25/03/2025"), &e);
	clean_date_look(str_from("03/04/2025"), &e); /* tells nothing */
	clean_date_look(str_from("2025-03-25"), &e); /* nor this */
	clean_date_look(str_from("25.03.2025"), &e); /* dots are day first anyway */
	assert_int_equal(e.day_first, 1);
	assert_int_equal(e.month_first, 0);
	assert_int_equal(clean_date_decide(&e, CLEAN_DATE_MONTH_FIRST), CLEAN_DATE_DAY_FIRST);
	assert_true(clean_date_parse(str_from("03/04/2025"), CLEAN_DATE_DAY_FIRST, &d));
	assert_true(d.is_ambiguous);
	assert_int_equal(d.month, 4);
	assert_true(clean_date_parse(str_from("03/04/2025"), CLEAN_DATE_MONTH_FIRST, &d));
	assert_int_equal(d.month, 3);
	assert_true(clean_date_parse(str_from("03/03/2025"), CLEAN_DATE_MONTH_FIRST, &d));
	assert_false(d.is_ambiguous);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forms_are_understood),
	    cmocka_unit_test(what_does_not_exist_is_refused),
	    cmocka_unit_test(the_other_dates_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
