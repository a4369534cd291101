/*
 * Any bytes as an answer of a remote provider: vectors that are finite, or an error; and as the
 * body of a failure: a line without control characters, and an error that says something. The first
 * byte chooses dialect, count and status.
 */
#include "embed/embed_remote_int.h"
#include "fuzz.h"

#include <math.h>

#include "base/banned.h"

const char fuzz_corpus[] = "embed_response";

#define DIMENSION 3

static void read_as_success(const struct embed_dialect *d, size_t n, struct str body)
{
	struct embed_remote r = {
	    .dialect = d, .base = "https://h", .model = "m", .dimension = DIMENSION};
	float v[4 * DIMENSION];
	struct err err = {0};

	if (embed_remote_read(&r, body, n, v, &err) < 0) {
		bug_if(err.code != ERR_CORRUPTED || !err.message[0]);
		return;
	}
	for (size_t i = 0; i < n * DIMENSION; i++)
		bug_if(!isfinite(v[i]));
}

static void read_as_failure(long status, struct str body)
{
	struct embed_failure f;
	struct err err = {0};

	embed_failure_read(status, body, &f);
	bug_if(!utf8_is_valid(f.message, strlen(f.message)));
	for (const char *s = f.message; *s; s++)
		bug_if((unsigned char)*s < ' ');
	bug_if(f.wait_ms < -1);
	bug_if(embed_failure_is_passing(&f) && (f.is_quota || f.is_key));
	bug_if(embed_failure_error(&f, "x", &err) >= 0 || !err.hint[0]);
	(void)embed_failure_quotes(&f, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const long statuses[] = {400, 401, 403, 404, 429, 500, 503, 302};
	struct str body;

	if (size == 0)
		return 0;
	body = (struct str){(const char *)data + 1, size - 1};
	read_as_success(data[0] & 1 ? &embed_openai_dialect : &embed_gemini_dialect,
			1 + (data[0] >> 1 & 3), body);
	read_as_failure(statuses[data[0] >> 5], body);
	return 0;
}
