/* What failures of remote providers mean, by the bodies that they send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "embed/embed_remote_int.h"

#include <stdio.h>

#include "base/banned.h"

#define GOOGLE(code, status, details)                                          \
	"{\"error\":{\"code\":" code ",\"message\":\"m\",\"status\":\"" status \
	"\",\"details\":[" details "]}}"

static struct embed_failure failure(long status, const char *body)
{
	struct embed_failure f;

	embed_failure_read(status, str_from(body), &f);
	return f;
}

struct sample {
	long status;
	const char *body;
	bool is_passing;
	enum err_code code;
	int64_t wait_ms;
};

static const struct sample samples[] = {
    {400, GOOGLE("400", "INVALID_ARGUMENT", ""), false, ERR_INVALID_ARGUMENT, -1},
    {400, GOOGLE("400", "INVALID_ARGUMENT", "{\"reason\":\"API_KEY_INVALID\"}"), false,
     ERR_PERMISSION, -1},
    {401,
     "{\"error\":{\"message\":\"Incorrect API key provided: sk-1\",\"code\":\"invalid_api_key\"}}",
     false, ERR_PERMISSION, -1},
    {403, GOOGLE("403", "PERMISSION_DENIED", ""), false, ERR_PERMISSION, -1},
    {404, GOOGLE("404", "NOT_FOUND", ""), false, ERR_NOT_FOUND, -1},
    {404, "<html>nginx</html>", false, ERR_NOT_FOUND, -1},
    {408, "", true, ERR_UNAVAILABLE, -1},
    {413,
     "{\"error\":\"batch size 100 > maximum allowed batch size 32\",\"error_type\":\"Validation\"}",
     false, ERR_INVALID_ARGUMENT, -1},
    /* a rate limit */
    {429,
     GOOGLE("429", "RESOURCE_EXHAUSTED",
	    "{\"violations\":[{\"quotaId\":\"EmbedContentRequestsPerMinutePerProject\"}]},"
	    "{\"retryDelay\":\"22.5s\"}"),
     true, ERR_UNAVAILABLE, 22500},
    {429, "{\"error\":{\"message\":\"Rate limit reached\",\"code\":\"rate_limit_exceeded\"}}", true,
     ERR_UNAVAILABLE, -1},
    {429, "[" GOOGLE("429", "RESOURCE_EXHAUSTED", "{\"retryDelay\":\"3s\"}") "]", true,
     ERR_UNAVAILABLE, 3000},
    {429, "", true, ERR_UNAVAILABLE, -1},
    /* used up, whatever delay it names */
    {429,
     GOOGLE("429", "RESOURCE_EXHAUSTED",
	    "{\"violations\":[{\"quotaId\":\"EmbedContentRequestsPerDayPerUserPerProjectPerModel-"
	    "FreeTier\"}]},{\"retryDelay\":\"22s\"}"),
     false, ERR_LIMIT, 22000},
    {429,
     GOOGLE(
	 "429", "RESOURCE_EXHAUSTED",
	 "{\"reason\":\"RATE_LIMIT_EXCEEDED\",\"metadata\":{\"quota_limit\":\"RequestsPerDay\"}}"),
     false, ERR_LIMIT, -1},
    {429,
     "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":"
     "\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
     false, ERR_LIMIT, -1},
    {402, "", false, ERR_LIMIT, -1},
    /* the server's */
    {500, "{\"error\":{\"message\":\"per day\"}}", true, ERR_UNAVAILABLE, -1},
    {501, "", false, ERR_UNSUPPORTED, -1},
    {503, GOOGLE("503", "UNAVAILABLE", ""), true, ERR_UNAVAILABLE, -1},
    {504, "", true, ERR_UNAVAILABLE, -1},
    {529, "", true, ERR_UNAVAILABLE, -1},
    {302, "", false, ERR_INVALID_ARGUMENT, -1},
};

static void each_failure_is_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct sample *s = &samples[i];
		struct embed_failure f = failure(s->status, s->body);
		struct err err = {0};

		if (embed_failure_is_passing(&f) != s->is_passing || f.wait_ms != s->wait_ms ||
		    embed_failure_error(&f, "x at \"y\"", &err) != -(int)s->code)
			fail_msg("sample %zu: %ld %s: %s, wait %lld", i, s->status, s->body,
				 err.message, (long long)f.wait_ms);
		assert_true(err.hint[0]);
		assert_null(strchr(err.message, '\n'));
	}
}

static void codes_and_messages_of_all_shapes_are_found(void **state)
{
	static const struct {
		const char *body, *code, *message;
	} shapes[] = {
	    {"{\"error\":{\"code\":400,\"message\":\"a\",\"status\":\"B_C\"}}", "B_C", "a"},
	    {"{\"error\":{\"message\":\"a\",\"type\":\"t\",\"code\":\"c\"}}", "c", "a"},
	    {"{\"error\":{\"message\":\"a\",\"type\":\"t\",\"code\":null}}", "t", "a"},
	    {"{\"object\":\"error\",\"message\":\"a\",\"type\":\"T\",\"code\":400}", "T", "a"},
	    {"{\"error\":\"a\",\"error_type\":\"v\"}", "v", "a"},
	    {"{\"error\":{\"message\":\"a\\nb\\u0007\"}}", "", "a\\nb\\x07"},
	    {"{\"error\":{\"message\":\"got '\\\\u0416\\\\u0430'\"}}", "", ""}, /* an escape */
	    {"{\"error\":{\"code\":\"no identifier\"}}", "", ""},
	    {"{\"error\":[]}", "", ""},
	    {"[]", "", ""},
	    {"7", "", ""},
	    {"{", "", ""},
	    {"", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct embed_failure f = failure(400, shapes[i].body);

		assert_string_equal(f.code, shapes[i].code);
		assert_string_equal(f.message, shapes[i].message);
	}
}

static void delays_that_make_no_sense_are_ignored(void **state)
{
	static const char *const wrong[] = {"s",    "",	    "5",    "-3s",	  "1e99s",
					    "nans", "infs", "3s4s", "9999999999s"};
	char body[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(body, sizeof(body), "{\"error\":{\"details\":[{\"retryDelay\":\"%s\"}]}}",
			 wrong[i]);
		assert_int_equal(failure(429, body).wait_ms, -1);
	}
	assert_int_equal(
	    failure(429, "{\"error\":{\"details\":[{\"retryDelay\":\"0.0001s\"}]}}").wait_ms, 1);
}

static void a_refused_key_is_told_without_what_the_provider_says_of_it(void **state)
{
	struct embed_failure f = failure(
	    401, "{\"error\":{\"message\":\"wrong: sk-123\",\"code\":\"invalid_api_key\"}}");
	struct err err = {0};

	(void)state;
	(void)embed_failure_error(&f, "openai at \"https://h\"", &err);
	assert_null(strstr(err.message, "sk-123"));
	assert_non_null(strstr(err.message, "invalid_api_key"));
}

static void a_message_that_quotes_a_text_is_recognised(void **state)
{
	struct embed_failure f =
	    failure(422, "{\"message\":\"bad input: 'Jane Doe of Leeds bought a red chair'\"}");

	(void)state;
	assert_true(embed_failure_quotes(&f, str_from("Customer: Jane Doe of Leeds bought it")));
	assert_true(embed_failure_quotes(&f, str_from("Jane Doe"))); /* short, but whole */
	assert_false(embed_failure_quotes(&f, str_from("Jane Roe")));
	assert_false(embed_failure_quotes(&f, str_from("a text about something else entirely")));
	assert_false(embed_failure_quotes(&f, str_from("ba")));
	assert_false(embed_failure_quotes(&f, str_from("")));
}

static void waits_grow_within_bounds_and_never_fall_short_of_what_was_asked(void **state)
{
	int64_t most[] = {250, 250, 500, 1000, 2000, 4000, 8000, 10000, 10000};

	(void)state;
	for (unsigned tries = 1; tries < ARRAY_LEN(most); tries++)
		for (uint32_t random = 0; random < 100000; random += 97) {
			int64_t ms = embed_retry_wait_ms(tries, -1, random);

			assert_true(ms >= most[tries] / 2 && ms <= most[tries]);
			ms = embed_retry_wait_ms(tries, 7000, random);
			assert_true(ms >= 7000 && ms <= 7000 + most[tries]);
		}
	assert_true(embed_retry_wait_ms(UINT32_MAX, 0, UINT32_MAX) <= 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_failure_is_told_apart),
	    cmocka_unit_test(codes_and_messages_of_all_shapes_are_found),
	    cmocka_unit_test(delays_that_make_no_sense_are_ignored),
	    cmocka_unit_test(a_refused_key_is_told_without_what_the_provider_says_of_it),
	    cmocka_unit_test(a_message_that_quotes_a_text_is_recognised),
	    cmocka_unit_test(waits_grow_within_bounds_and_never_fall_short_of_what_was_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
