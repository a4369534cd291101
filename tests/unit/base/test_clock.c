/* Clocks and time texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/macro.h"

#include "base/banned.h"

static void times_are_utc_with_milliseconds(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
	    {0, "1970-01-01T00:00:00.000Z"},
	    {999, "1970-01-01T00:00:00.000Z"}, /* cut, not rounded */
	    {1000, "1970-01-01T00:00:00.001Z"},
	    {1582934400000000, "2020-02-29T00:00:00.000Z"},
	    {1795403364123999, "2026-11-23T03:09:24.123Z"},
	    {2147483648000000, "2038-01-19T03:14:08.000Z"},
	};
	char buf[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(clock_format(cases[i].us, buf), cases[i].text);
}

static void durations_have_two_units_at_most(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
	    {0, "0ms"},
	    {999, "0ms"},
	    {850000, "850ms"},
	    {999999, "999ms"},
	    {1000000, "1.0s"},
	    {4200000, "4.2s"},
	    {60000000, "1m 0s"},
	    {190000000, "3m 10s"},
	    {3599999999, "59m 59s"},
	    {7500000000, "2h 5m"},
	    {360000000000, "100h 0m"},
	};
	char buf[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(clock_format_duration(cases[i].us, buf), cases[i].text);
}

static void clocks_go_forward(void **state)
{
	int64_t a = clock_monotonic_us(), b = clock_monotonic_us();

	(void)state;
	assert_true(b >= a);
	assert_true(clock_wall_us() > 1700000000000000); /* microseconds, not milliseconds */
}

static void only_times_that_exist_are_times(void **state)
{
	static const char *const good[] = {"2026-01-31", "2028-02-29", "2026-12-31 23:59:59",
					   "1970-01-01 00:00:00"};
	static const char *const bad[] = {"",
					  "garbage",
					  "99",
					  "2026-1-1",
					  "2026-13-01",
					  "2026-11-31",
					  "2027-02-29",
					  "2026-01-01 ",
					  "2026-01-01 25:00:00",
					  "2026-01-01 10:00",
					  "2026-01-01T10:00:00",
					  "2026-01-01 10:00:00.5"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(clock_is_time(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(clock_is_time(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(times_are_utc_with_milliseconds),
	    cmocka_unit_test(durations_have_two_units_at_most),
	    cmocka_unit_test(clocks_go_forward),
	    cmocka_unit_test(only_times_that_exist_are_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
