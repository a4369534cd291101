/* Metrics: values, quantiles of the last minute, and the text that Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/metrics.h"

#include <pthread.h>
#include <regex.h>

#include "base/banned.h"

static void series_are_found_again(void **state)
{
	struct metric *a = metric_series(METRIC_COUNTER, "t_found_total", "Help.", "queue", "a");
	struct metric *b = metric_series(METRIC_COUNTER, "t_found_total", "Help.", "queue", "b");

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(a, metric_series(METRIC_COUNTER, "t_found_total", "Help.", "queue", "a"));
	metric_add(a, 3);
	metric_add(a, 4);
	assert_int_equal(metric_value(a), 7);
	assert_int_equal(metric_value(b), 0);
}

static void gauges_go_both_ways(void **state)
{
	struct metric *g = metric_series(METRIC_GAUGE, "t_gauge", "Help.", NULL, NULL);

	(void)state;
	metric_set(g, 5);
	metric_set(g, -2);
	assert_int_equal(metric_value(g), -2);
}

static void quantiles_are_of_the_last_minute(void **state)
{
	struct metric *h = metric_series(METRIC_HISTOGRAM, "t_lag_seconds", "Help.", NULL, NULL);
	int64_t now = 1000000000, p50, p99;

	(void)state;
	assert_int_equal(metric_quantile_at(h, 0.5, now), -1);
	for (int i = 1; i <= 1000; i++)
		metric_observe_at(h, i * 100, now);
	p50 = metric_quantile_at(h, 0.5, now);
	p99 = metric_quantile_at(h, 0.99, now);
	assert_in_range(p50, 46000, 54000);
	assert_in_range(p99, 92000, 106000);
	assert_in_range(metric_quantile_at(h, 1.0, now), 94000, 107000);
	metric_observe_at(h, 7, now + 30000000);
	assert_in_range(metric_quantile_at(h, 0.5, now + 30000000), 46000, 54000);
	assert_int_equal(metric_quantile_at(h, 0.5, now + 80000000), 7);
	assert_int_equal(metric_quantile_at(h, 0.5, now + 200000000), -1);
	assert_int_equal(metric_value(h), 1001);
}

static void any_value_has_a_bucket(void **state)
{
	static const int64_t values[] = {INT64_MIN, -1, 0, 7, 8, 9, 15, 16, 1000000, INT64_MAX};
	struct metric *h = metric_series(METRIC_HISTOGRAM, "t_any_seconds", "Help.", NULL, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		metric_observe_at(h, values[i], 50000000);
	assert_int_equal(metric_value(h), ARRAY_LEN(values));
	assert_true(metric_quantile_at(h, 1.0, 50000000) > 0);
}

static void *count_much(void *arg)
{
	struct metric **m = arg;

	for (int i = 0; i < 20000; i++) {
		metric_add(m[0], 1);
		metric_observe(m[1], i);
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct metric *m[] = {
	    metric_series(METRIC_COUNTER, "t_threads_total", "Help.", NULL, NULL),
	    metric_series(METRIC_HISTOGRAM, "t_threads_seconds", "Help.", NULL, NULL)};
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_much, m), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric_value(m[0]), 80000);
	assert_int_equal(metric_value(m[1]), 80000);
}

/* The text format 0.0.4, line by line, as its specification says. */
static void assert_exposition(const char *text)
{
	static const char pattern[] =
	    "^(# HELP [a-zA-Z_:][a-zA-Z0-9_:]* .*|"
	    "# TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (counter|gauge|histogram)|"
	    "[a-zA-Z_:][a-zA-Z0-9_:]*(\\{[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\]|\\\\[\\\\\"n])*\""
	    "(,[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\]|\\\\[\\\\\"n])*\")*\\})? "
	    "(-?[0-9]+(\\.[0-9]+)?|[+]Inf))$";
	regex_t re;
	size_t lines = 0;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	while (*text) {
		const char *end = strchr(text, '\n');
		char *line;

		assert_non_null(end); /* the last line ends too */
		line = mem_strndup(text, (size_t)(end - text));
		if (regexec(&re, line, 0, NULL, 0) != 0)
			fail_msg("not a line of the format: %s", line);
		mem_free(line);
		text = end + 1;
		lines++;
	}
	regfree(&re);
	assert_true(lines > 10);
}

static size_t occurrences(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part))) {
		n++;
		text++;
	}
	return n;
}

static void the_export_is_what_prometheus_reads(void **state)
{
	struct metric *c = metric_series(METRIC_COUNTER, "t_export_total",
					 "Lines\nand \\ \"quotes\".", "queue", "a\"b\\c\nd");
	struct metric *d = metric_series(METRIC_COUNTER, "t_export_total", "Later.", "queue", "e");
	struct metric *h =
	    metric_series(METRIC_HISTOGRAM, "t_export_seconds", "Time.", "part", "apply");
	struct strbuf b = STRBUF_INIT(0);

	(void)state;
	metric_add(c, 18);
	metric_add(d, 1);
	metric_observe(h, 999);
	metric_observe(h, 1000);
	metric_observe(h, 1001);
	metric_observe(h, 59999999);
	metric_observe(h, 90000000);
	metrics_export(&b);
	assert_exposition(strbuf_str(&b));
	assert_non_null(strstr(b.data, "# HELP t_export_total Lines\\nand \\\\ \"quotes\".\n"
				       "# TYPE t_export_total counter\n"
				       "t_export_total{queue=\"a\\\"b\\\\c\\nd\"} 18\n"
				       "t_export_total{queue=\"e\"} 1\n"));
	assert_non_null(strstr(b.data, "t_export_seconds_bucket{part=\"apply\",le=\"0.001\"} 2\n"));
	assert_non_null(
	    strstr(b.data, "t_export_seconds_bucket{part=\"apply\",le=\"0.0025\"} 3\n"));
	assert_non_null(strstr(b.data, "t_export_seconds_bucket{part=\"apply\",le=\"30\"} 3\n"));
	assert_non_null(strstr(b.data, "t_export_seconds_bucket{part=\"apply\",le=\"60\"} 4\n"));
	assert_non_null(strstr(b.data, "t_export_seconds_bucket{part=\"apply\",le=\"+Inf\"} 5\n"));
	assert_non_null(strstr(b.data, "t_export_seconds_sum{part=\"apply\"} 150.002999\n"));
	assert_non_null(strstr(b.data, "t_export_seconds_count{part=\"apply\"} 5\n"));
	assert_int_equal(occurrences(b.data, "# TYPE t_export_total "), 1);
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(series_are_found_again),
	    cmocka_unit_test(gauges_go_both_ways),
	    cmocka_unit_test(quantiles_are_of_the_last_minute),
	    cmocka_unit_test(any_value_has_a_bucket),
	    cmocka_unit_test(threads_lose_nothing),
	    cmocka_unit_test(the_export_is_what_prometheus_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
