/* Buckets of requests and counts of tries: by time that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http_meter.h"

#include <stdio.h>

#include "base/banned.h"

#define SECOND INT64_C(1000000)

static unsigned take(struct http_meter *m, const char *who, struct token_rate rate, int64_t now)
{
	return http_meter_take(m, str_from(who), &rate, now);
}

static void a_bucket_gives_what_the_rate_says_and_fills_up_again(void **state)
{
	const struct token_rate rate = {3, 60};
	struct http_meter *m = http_meter_new(64);
	int64_t now = SECOND;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(m, "a", rate, now), 0);
	assert_int_equal(take(m, "a", rate, now), 20);
	assert_int_equal(take(m, "b", rate, now), 0);
	assert_int_equal(take(m, "a", rate, now + 19 * SECOND), 1);
	assert_int_equal(take(m, "a", rate, now + 20 * SECOND), 0);
	assert_int_equal(take(m, "a", rate, now + 20 * SECOND), 20);
	now += 1000 * SECOND; /* it never holds more than the rate */
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(m, "a", rate, now), 0);
	assert_int_equal(take(m, "a", rate, now), 20);
	assert_int_equal(take(m, "a", (struct token_rate){600, 60}, now + SECOND), 0);
	(void)http_meter_free(m);
}

static void each_failure_waits_twice_as_long_and_they_are_forgotten(void **state)
{
	struct http_meter *m = http_meter_new(64);
	struct str who = str_from("a");

	(void)state;
	assert_int_equal(http_meter_fail(m, who, SECOND), 100);
	assert_int_equal(http_meter_fail(m, who, SECOND), 200);
	assert_int_equal(http_meter_fail(m, who, SECOND), 400);
	assert_int_equal(http_meter_fail(m, str_from("b"), SECOND), 100);
	for (int i = 0; i < 5000; i++)
		assert_in_range(http_meter_fail(m, who, SECOND), 800, HTTP_DELAY_MAX_MS);
	assert_int_equal(http_meter_fail(m, who, SECOND), HTTP_DELAY_MAX_MS);
	assert_int_equal(http_meter_fail(m, who, SECOND + 3600 * SECOND), 100);
	(void)http_meter_free(m);
}

static void many_who_ask_take_no_more_room_and_the_newest_are_known(void **state)
{
	const struct token_rate rate = {1, 3600};
	struct http_meter *m = http_meter_new(64);
	char who[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(who, sizeof(who), "%d", i);
		assert_int_equal(take(m, who, rate, SECOND + i), 0);
		assert_int_equal(take(m, who, rate, SECOND + i), 3600);
	}
	(void)http_meter_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bucket_gives_what_the_rate_says_and_fills_up_again),
	    cmocka_unit_test(each_failure_waits_twice_as_long_and_they_are_forgotten),
	    cmocka_unit_test(many_who_ask_take_no_more_room_and_the_newest_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
