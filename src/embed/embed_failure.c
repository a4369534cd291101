/*
 * Failures of remote providers: what a status and a body mean, and what is done about it. No
 * network here; everything is tested by bodies.
 *
 * The shapes in the field: Google's {"error": {code, message, status, details: [...]}}, sometimes
 * in an array; OpenAI's {"error": {message, type, code}}; vLLM's {"message", "type", "code"}; TEI's
 * {"error": "…", "error_type": "…"}. One tolerant reader takes them all: a failure that cannot be
 * read is still a failure with a status.
 *
 * 429 has two meanings that ask for opposite reactions. A rate limit passes within seconds. A quota
 * of the day, or an account without money, does not, and repeating only makes users wait: Google
 * tells it by a QuotaFailure whose quotaId holds "PerDay" (next to a RetryInfo of seconds, which is
 * then not true), OpenAI by the code insufficient_quota.
 *
 * A provider's message helps (a model that must be pulled first, a text that is too long), but
 * validators like pydantic's quote their input, and a customer's text has no place in a log. So a
 * message that shares sixteen bytes with the text, or holds a short text whole, is dropped
 * (embed_failure_quotes), as is one with an escape, in which a text could stand unseen; and with a
 * refused key none is shown, as some repeat part of the key.
 */
#include "embed/embed_remote_int.h"

#include "base/clock.h"

#include <ctype.h>
#include <math.h>

#include "base/banned.h"

#define WAIT_FIRST_MS	250	     /* doubled with each try */
#define WAIT_MAX_MS	10000	     /* of our own; what a provider asks for may be more */
#define ASKED_MAX_MS	2592000000.0 /* 30 days; more is no time to wait */
#define QUOTED_BYTES	16	     /* that a message and a text share by chance no more */
#define QUOTED_TEXT_MIN 3	     /* a shorter text says nothing about anybody */

/* --- reading --------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* An identifier as it is, anything else not at all. */
static void take_code(struct embed_failure *f, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	if (f->code[0] || len == 0 || len >= sizeof(f->code))
		return;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_-.", s[i]))
			return;
	memcpy(f->code, s, len + 1);
}

static void take_message(struct embed_failure *f, const char *s)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	struct str cut;

	if (f->message[0] || !s || strchr(s, '\\'))
		return;
	cut = embed_text_cut(str_from(s), sizeof(f->message));
	strbuf_add_visible(&b, cut.data, cut.len);
	cut = embed_text_cut(strbuf_slice(&b), sizeof(f->message) - 1);
	if (cut.len)
		memcpy(f->message, cut.data, cut.len);
	f->message[cut.len] = 0;
}

/* "22s", "0.847s" */
static void take_delay(struct embed_failure *f, const char *s)
{
	size_t len = s ? strlen(s) : 0;
	double seconds;

	if (len < 2 || s[len - 1] != 's' ||
	    parse_double((struct str){s, len - 1}, &seconds, NULL) < 0 || !(seconds >= 0) ||
	    seconds * 1000 > ASKED_MAX_MS)
		return;
	f->wait_ms = (int64_t)ceil(seconds * 1000);
}

static bool is_of_a_day(const char *s)
{
	return s && (strcasestr(s, "PerDay") || strcasestr(s, "per day"));
}

static void read_detail(struct embed_failure *f, const json_t *detail)
{
	const char *reason = text_of(detail, "reason");
	const json_t *violation;
	size_t i;

	take_delay(f, text_of(detail, "retryDelay"));
	f->is_key |= reason && strncmp(reason, "API_KEY_", 8) == 0;
	f->is_quota |= is_of_a_day(text_of(json_object_get(detail, "metadata"), "quota_limit"));
	json_array_foreach(json_object_get(detail, "violations"), i, violation) f->is_quota |=
	    is_of_a_day(text_of(violation, "quotaId"));
}

static void read_error(struct embed_failure *f, const json_t *e)
{
	const json_t *detail;
	size_t i;

	take_message(f, json_string_value(e));
	take_message(f, text_of(e, "message"));
	take_code(f, text_of(e, "status"));
	take_code(f, text_of(e, "code"));
	take_code(f, text_of(e, "type"));
	json_array_foreach(json_object_get(e, "details"), i, detail) read_detail(f, detail);
}

static void read_body(struct embed_failure *f, struct str body)
{
	_cleanup_(json_decrefp) json_t *root =
	    json_loadb(body.data ? body.data : "", body.len, JSON_ALLOW_NUL, NULL);
	const json_t *top = json_is_array(root) ? json_array_get(root, 0) : root;

	read_error(f, json_object_get(top, "error"));
	read_error(f, top);
	take_code(f, text_of(top, "error_type"));
}

void embed_failure_read(long status, struct str body, struct embed_failure *ret)
{
	static const char *const quota_codes[] = {"insufficient_quota", "billing_not_active",
						  "billing_hard_limit_reached"};
	struct embed_failure *f = ret;

	*f = (struct embed_failure){.status = status, .wait_ms = -1};
	read_body(f, body);
	for (size_t i = 0; i < ARRAY_LEN(quota_codes); i++)
		f->is_quota |= cstr_equal(f->code, quota_codes[i]);
	f->is_quota |= is_of_a_day(f->message);
	f->is_quota &= status == 429 || status == 403;
	f->is_quota |= status == 402;
	f->is_key |= status == 401 || status == 403 || cstr_equal(f->code, "invalid_api_key");
	f->is_key &= !f->is_quota && status >= 400 && status < 500 && status != 429;
	if (f->is_key)
		f->message[0] = 0;
}

/* --- judging --------------------------------------------------------------------------------- */

bool embed_failure_is_passing(const struct embed_failure *f)
{
	if (f->is_quota || f->is_key)
		return false;
	if (f->status == 501 || f->status == 505)
		return false;
	return f->status >= 500 || f->status == 429 || f->status == 408 || f->status == 425;
}

bool embed_failure_quotes(const struct embed_failure *f, struct str text)
{
	size_t len = strlen(f->message);

	if (text.len < QUOTED_TEXT_MIN)
		return false;
	if (text.len <= QUOTED_BYTES)
		return memmem(f->message, len, text.data, text.len) != NULL;
	for (size_t i = 0; i + QUOTED_BYTES <= len; i++)
		if (memmem(text.data, text.len, f->message + i, QUOTED_BYTES))
			return true;
	return false;
}

int64_t embed_retry_wait_ms(unsigned tries, int64_t asked_ms, uint32_t random)
{
	int64_t most = WAIT_FIRST_MS;

	for (unsigned i = 1; i < tries && most < WAIT_MAX_MS; i++)
		most *= 2;
	if (most > WAIT_MAX_MS)
		most = WAIT_MAX_MS;
	/* From a half to the whole: workers that failed together come back apart. Behind the time
	 * that was asked for, too, or all of them would be back at that very moment. */
	most = most / 2 + (int64_t)(random % (uint32_t)(most / 2 + 1));
	return asked_ms > 0 ? asked_ms + most / 4 : most;
}

/* --- telling --------------------------------------------------------------------------------- */

struct verdict {
	enum err_code code;
	const char *what, *hint;
};

static struct verdict verdict_of(const struct embed_failure *f)
{
	if (f->is_key)
		return (struct verdict){
		    ERR_PERMISSION, "refuses the key",
		    "set a key that is valid there and may use the model: "
		    "embed.api_key_file, or EMBED_API_KEY, GEMINI_API_KEY, OPENAI_API_KEY in the "
		    "environment"};
	if (f->is_quota)
		return (struct verdict){ERR_LIMIT, "has no quota left for us",
					"wait for the next day or raise the quota at the provider; "
					"embed.provider local needs none"};
	if (f->status >= 300 && f->status < 400)
		return (struct verdict){ERR_INVALID_ARGUMENT,
					"answers with a redirect, which is not followed",
					"set embed.endpoint to where it leads"};
	if (f->status == 404 || f->status == 410)
		return (struct verdict){ERR_NOT_FOUND, "does not know the model or the path",
					"see embed.model and embed.endpoint; models end: the "
					"provider lists those it has"};
	if (f->status == 405 || f->status == 501 || f->status == 505)
		return (struct verdict){ERR_UNSUPPORTED, "cannot embed", "see embed.endpoint"};
	if (f->status == 413)
		return (struct verdict){ERR_INVALID_ARGUMENT, "finds the request too large",
					"lower embed.text_max or embed.batch"};
	if (f->status == 429)
		return (struct verdict){ERR_UNAVAILABLE, "limits our rate",
					"lower embed.parallel, or ask for a higher limit"};
	if (embed_failure_is_passing(f))
		return (struct verdict){ERR_UNAVAILABLE, "fails", "try again later"};
	return (struct verdict){ERR_INVALID_ARGUMENT, "refuses the request",
				"see embed.model, embed.dimension, embed.text_max"};
}

int embed_failure_error(const struct embed_failure *f, const char *who, struct err *err)
{
	struct verdict v = verdict_of(f);
	char wait[CLOCK_TEXT_SIZE];
	int r;

	r = err_set(err, v.code, "%s %s (status %ld%s%s)%s%s", who, v.what, f->status,
		    f->code[0] ? ", " : "", f->code, f->message[0] ? ": " : "", f->message);
	if (f->wait_ms > 0 && !f->is_quota)
		(void)err_hint(err, "it asks to come back in %s",
			       clock_format_duration(f->wait_ms * 1000, wait));
	else
		(void)err_hint(err, "%s", v.hint);
	return r;
}
