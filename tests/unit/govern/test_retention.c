/* The table of stores agrees with the options and with itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "govern/retention.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_store_says_why_and_how),
	    cmocka_unit_test(each_option_is_of_a_store),
	    cmocka_unit_test(what_is_said_is_what_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
