/* The table of stores agrees with the options and with itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "govern/retention_int.h"

static bool has_option(const char *name)
{
	for (const struct config_option *o = retention_options; o->section; o++)
		if (cstr_equal(o->name, name))
			return true;
	return false;
}

static bool has_store_with(const char *option)
{
	for (const struct retention_store *s = retention_stores; s->name; s++)
		if (s->option && str_starts(str_from(s->option), "retention.") &&
		    cstr_equal(s->option + strlen("retention."), option))
			return true;
	return false;
}

static void each_store_says_why_and_how(void **state)
{
	(void)state;
	for (const struct retention_store *s = retention_stores; s->name; s++) {
		bool is_table = s->kind == RETENTION_TABLE || s->kind == RETENTION_CHAIN;

		assert_non_null(s->why);
		assert_true(is_table == (s->table != NULL) && is_table == (s->time != NULL));
		assert_true(is_table || (!s->key && !s->child && !s->condition));
		/* Children of rows that the condition keeps would go. */
		assert_false(s->child && s->condition);
		if (s->option && str_starts(str_from(s->option), "retention."))
			assert_true(has_option(s->option + strlen("retention.")));
	}
}

static void each_option_is_of_a_store(void **state)
{
	(void)state;
	for (const struct config_option *o = retention_options; o->section; o++) {
		if (cstr_equal(o->name, "purge") || cstr_equal(o->name, "every"))
			continue;
		assert_true(has_store_with(o->name));
		assert_int_equal(o->type, CONFIG_DURATION);
	}
}

static void what_is_said_is_what_is_kept(void **state)
{
	static const struct config_option *const tables[] = {retention_options, NULL};
	static const char text[] = "retention: {audit: 2d, price_history: 0d}";
	struct config *config = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(config_parse(tables, "test", text, sizeof(text) - 1, &config, &err), 0);
	for (const struct retention_store *s = retention_stores; s->name; s++) {
		if (cstr_equal(s->name, "audit"))
			assert_int_equal(retention_of(config, s), 2 * 86400000);
		if (cstr_equal(s->name, "price_history") ||
		    cstr_equal(s->name, "stock_movements") || cstr_equal(s->name, "order_events"))
			assert_int_equal(retention_of(config, s), 0);
	}
	config_free(config);
}

/* --- the forecast ---------------------------------------------------------------------------- */

#define GB   1000000000ULL
#define DAYS 90
#define STEP 3600

/* One sample an hour for a quarter, of `size` gigabytes at a day. */
static struct retention_forecast foresee(double (*size)(double day), uint64_t free_bytes)
{
	static struct retention_point points[DAYS * 24 + 1];
	struct retention_forecast f;

	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		points[i] =
		    (struct retention_point){.at = ((int64_t)i - DAYS * 24) * STEP,
					     .bytes = (uint64_t)(size((double)i / 24) * 1e9)};
	retention_fit(points, ARRAY_LEN(points), free_bytes, &f);
	assert_true(f.is_known);
	return f;
}

static double flat(double day)
{
	(void)day;
	return 100;
}

static double flat_then_steep(double day)
{
	return day < 87 ? 100 : 100 + (day - 87) * 100;
}

static double emptied_then_growing(double day)
{
	return day < 60 ? 900 : 100 + (day - 60) * 5;
}

static double steady(double day)
{
	return 100 + day * 10;
}

static void what_does_not_grow_does_not_fill(void **state)
{
	struct retention_forecast f = foresee(flat, 100 * GB);

	(void)state;
	assert_true(f.bytes_a_day <= 0 && f.days_left <= 0);
}

static void steady_growth_is_told_as_it_is(void **state)
{
	struct retention_forecast f = foresee(steady, 100 * GB);

	(void)state;
	assert_true(f.days_left > 9.9 && f.days_left < 10.1);
	assert_true(f.days_seen > 89.9 && f.days_seen < 90.1);
}

/* In one day the disk is full; a line through the quarter says in years. */
static void growth_of_the_last_days_is_not_hidden_by_a_quiet_quarter(void **state)
{
	struct retention_forecast f = foresee(flat_then_steep, 100 * GB);

	(void)state;
	assert_true(f.days_left > 0 && f.days_left < 4);
}

static void one_purge_does_not_hide_growth(void **state)
{
	struct retention_forecast f = foresee(emptied_then_growing, 100 * GB);

	(void)state;
	assert_true(f.days_left > 19 && f.days_left < 21);
}

static void a_sample_of_a_wrong_clock_is_left_out(void **state)
{
	struct retention_point points[48];
	struct retention_forecast f, with;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		points[i] = (struct retention_point){.at = ((int64_t)i - 47) * STEP,
						     .bytes = (100 + i) * GB};
	retention_fit(points, ARRAY_LEN(points) - 1, 100 * GB, &f);
	points[47].at = (int64_t)64 * 365 * 86400;
	retention_fit(points, ARRAY_LEN(points), 100 * GB, &with);
	assert_memory_equal(&f, &with, sizeof(f));
	assert_true(f.is_known && f.days_left > 4 && f.days_left < 5);
}

static void few_samples_foretell_nothing(void **state)
{
	struct retention_point points[13];
	struct retention_forecast f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		points[i] = (struct retention_point){.at = ((int64_t)i - 13) * STEP, .bytes = i};
	retention_fit(points, ARRAY_LEN(points), GB, &f); /* of half a day */
	assert_false(f.is_known);
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		points[i].at *= 24;
	retention_fit(points, 11, GB, &f);
	assert_false(f.is_known);
	retention_fit(NULL, 0, GB, &f);
	assert_false(f.is_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_store_says_why_and_how),
	    cmocka_unit_test(each_option_is_of_a_store),
	    cmocka_unit_test(what_is_said_is_what_is_kept),
	    cmocka_unit_test(what_does_not_grow_does_not_fill),
	    cmocka_unit_test(steady_growth_is_told_as_it_is),
	    cmocka_unit_test(growth_of_the_last_days_is_not_hidden_by_a_quiet_quarter),
	    cmocka_unit_test(one_purge_does_not_hide_growth),
	    cmocka_unit_test(a_sample_of_a_wrong_clock_is_left_out),
	    cmocka_unit_test(few_samples_foretell_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
