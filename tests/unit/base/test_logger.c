/* The log: levels, one JSON object a line, repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/logger.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "base/banned.h"

/* Stderr goes to a pipe between listen() and listen_end(), which gives back what was written. */
static int pipe_fds[2], real_stderr;

static void listen_begin(void)
{
	real_stderr = dup(STDERR_FILENO);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
}

static char *listen_end(void)
{
	static char buf[60000];
	ssize_t n;

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(pipe_fds[1]);
	n = read(pipe_fds[0], buf, sizeof(buf) - 1);
	close(pipe_fds[0]);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static size_t lines_of(const char *s)
{
	size_t n = 0;

	while ((s = strchr(s, '\n'))) {
		s++;
		n++;
	}
	return n;
}

static const char *field(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "(absent)";
}

static void a_pipe_gets_one_json_object_a_line(void **state)
{
	json_t *o;
	char *out;

	(void)state;
	listen_begin();
	logger_init(LOGGER_INFO, -1); /* stderr is no terminal: JSON */
	logger_event(LOGGER_WARN, "sync", "lease taken", "term", "7", "holder",
		     "a \"host\"\nwith\ttwo lines", "none", NULL, "latin", "Caf\xe9\n", NULL);
	out = listen_end();
	assert_int_equal(lines_of(out), 1);
	o = json_loads(out, 0, NULL);
	assert_non_null(o);
	assert_string_equal(field(o, "level"), "warn");
	assert_string_equal(field(o, "component"), "sync");
	assert_string_equal(field(o, "event"), "lease taken");
	assert_string_equal(field(o, "term"), "7");
	assert_string_equal(field(o, "holder"), "a \"host\"\nwith\ttwo lines");
	assert_string_equal(field(o, "none"), "");
	assert_string_equal(field(o, "latin"), "Caf\\xe9\\n"); /* JSON is UTF-8 */
	assert_int_equal(strlen(field(o, "time")), strlen("2026-11-23T03:09:24.123Z"));
	json_decref(o);
}

static void text_has_its_pairs_behind_it(void **state)
{
	char *out;

	(void)state;
	listen_begin();
	logger_init(LOGGER_INFO, 0);
	logger_event(LOGGER_INFO, "http", "listening", "port", "80", NULL);
	out = listen_end();
	assert_non_null(strstr(out, "Z info  http: listening port=80\n"));
}

static void a_text_event_is_one_line_without_controls(void **state)
{
	char *out;

	(void)state;
	listen_begin();
	logger_init(LOGGER_INFO, 0);
	logger_event(LOGGER_WARN, "sync", "refused", "error", "two\nlines\tand \033[2Jclear\r\x7f",
		     "c1", "\xc2\x9b[2J", "latin", "Caf\xe9 \x9b", "name",
		     "J\xc3\xb6rg \\ \xe2\x82\xac", "cut", "\xe2\x82", NULL);
	out = listen_end();
	assert_int_equal(lines_of(out), 1);
	assert_non_null(strstr(out, " error=two\\nlines\\tand \\x1b[2Jclear\\r\\x7f"
				    " c1=\\xc2\\x9b[2J latin=Caf\\xe9 \\x9b"
				    " name=J\xc3\xb6rg \\ \xe2\x82\xac cut=\\xe2\\x82\n"));
}

static void what_is_below_the_level_is_not_written(void **state)
{
	char *out;

	(void)state;
	listen_begin();
	logger_init(LOGGER_WARN, 1);
	logger_event(LOGGER_INFO, "a", "not this", NULL);
	logger_event(LOGGER_DEBUG, "a", "nor this", NULL);
	logger_event(LOGGER_ERROR, "a", "but this", NULL);
	out = listen_end();
	assert_int_equal(lines_of(out), 1);
	assert_non_null(strstr(out, "but this"));
	assert_true(logger_is_on(LOGGER_ERROR));
	assert_true(logger_is_on(LOGGER_WARN));
	assert_false(logger_is_on(LOGGER_INFO));
}

static void an_error_is_written_whole(void **state)
{
	struct err err = {0};
	json_t *o;
	char *out;

	(void)state;
	err_set(&err, ERR_UNAVAILABLE, "no answer");
	err.native = 2013;
	err_hint(&err, "start it");
	listen_begin();
	logger_init(LOGGER_INFO, 1);
	logger_error(LOGGER_ERROR, "sync", "a round failed", &err);
	out = listen_end();
	o = json_loads(out, 0, NULL);
	assert_non_null(o);
	assert_string_equal(field(o, "error"), "no answer");
	assert_string_equal(field(o, "class"), "UNAVAILABLE");
	assert_string_equal(field(o, "native"), "2013");
	assert_string_equal(field(o, "hint"), "start it");
	json_decref(o);
}

static void a_text_that_repeats_is_counted_instead(void **state)
{
	static const char text[] = "over and over"; /* known by its address */
	json_t *o;
	char *out;

	(void)state;
	listen_begin();
	logger_init(LOGGER_INFO, 1);
	for (int i = 0; i < LOGGER_REPEATS_MAX + 5; i++)
		logger_event(LOGGER_INFO, "a", text, NULL);
	out = listen_end();
	assert_int_equal(lines_of(out), LOGGER_REPEATS_MAX);
	usleep(1100000); /* the next one after a second says how many were left out */
	listen_begin();
	logger_event(LOGGER_INFO, "a", text, NULL);
	out = listen_end();
	assert_int_equal(lines_of(out), 1);
	o = json_loads(out, 0, NULL);
	assert_non_null(o);
	assert_string_equal(field(o, "repeats_left_out"), "5");
	json_decref(o);
}

static void levels_have_names(void **state)
{
	enum logger_level level = LOGGER_TRACE;
	struct err err = {0};

	(void)state;
	assert_int_equal(logger_level_parse("error", &level, &err), 0);
	assert_int_equal(level, LOGGER_ERROR);
	assert_int_equal(logger_level_parse("trace", &level, &err), 0);
	assert_int_equal(level, LOGGER_TRACE);
	assert_int_equal(logger_level_parse("loud", &level, &err), -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message,
			    "\"loud\" is not a log level (error, warn, info, debug, trace)");
	assert_int_equal(level, LOGGER_TRACE); /* written only on success */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pipe_gets_one_json_object_a_line),
	    cmocka_unit_test(text_has_its_pairs_behind_it),
	    cmocka_unit_test(a_text_event_is_one_line_without_controls),
	    cmocka_unit_test(what_is_below_the_level_is_not_written),
	    cmocka_unit_test(an_error_is_written_whole),
	    cmocka_unit_test(a_text_that_repeats_is_counted_instead),
	    cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
