/*
 * The client: see http_client.h. libcurl over the Unix socket; proxies of the environment do not
 * apply to it.
 */
#include "http/http_client.h"

#include "base/mem.h"
#include "http/http_server.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>

#include "base/banned.h"

#define CONNECT_TIMEOUT_MS 2000L
#define ANSWER_TIMEOUT_MS  30000L
#define SILENCE_S	   35L /* more than three heartbeats of the feed */
#define ERROR_BODY_MAX	   65536
#define LINE_MAX_BYTES	   (HTTP_CHANGE_MAX + 1024)

struct call {
	CURL *curl;
	struct strbuf *body;	  /* of a plain GET */
	struct strbuf rest;	  /* of a stream: the line that has not ended yet */
	struct strbuf error;	  /* the body of an answer that is no success */
	http_client_line_fn line; /* NULL: plain GET */
	void *arg;
	struct err *err;
	int r; /* of `line` */
	bool is_post;
};

static void init_library(void)
{
	bug_if(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK);
}

static bool is_success(CURL *curl)
{
	long status = 0;

	return curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
	       status >= 200 && status < 300;
}

/* False to end the transfer. */
static bool take_lines(struct call *call, const char *data, size_t len)
{
	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;

		strbuf_add(&call->rest, data, n);
		if (!end)
			break;
		call->r = strbuf_check(&call->rest, "a line of the answer", call->err);
		if (call->r == 0)
			call->r = call->line(call->arg, strbuf_slice(&call->rest), call->err);
		if (call->r)
			return false;
		strbuf_clear(&call->rest);
		data += n + 1;
		len -= n + 1;
	}
	return true;
}

static size_t take_data(char *data, size_t size, size_t n, void *arg)
{
	struct call *call = arg;

	size *= n;
	if (!is_success(call->curl)) {
		strbuf_add(&call->error, data, size);
		return call->error.overflow ? 0 : size;
	}
	if (call->line)
		return take_lines(call, data, size) ? size : 0;
	strbuf_add(call->body, data, size);
	return call->body->overflow ? 0 : size;
}

static void set_options(struct call *call, const char *socket_path, const char *url)
{
	CURL *c = call->curl;

	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, call);
	if (call->is_post) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, "");
	}
	if (call->line) {
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
	} else {
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ANSWER_TIMEOUT_MS);
	}
}

static int transfer_error(CURL *curl, CURLcode code, const char *socket_path, struct err *err)
{
	long native = 0;

	switch ((unsigned)code) {
	case CURLE_COULDNT_CONNECT:
		(void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &native);
		if (native == EACCES || native == EPERM) {
			(void)err_set(err, ERR_PERMISSION, "could not connect to \"%s\": %s",
				      socket_path, strerror((int)native));
			return err_hint(err, "run it as the user who runs \"aethermart serve\"");
		}
		(void)err_set(err, ERR_UNAVAILABLE, "no server listens at \"%s\"", socket_path);
		return err_hint(err, "start it with \"aethermart up\" or \"aethermart serve\"");
	case CURLE_OPERATION_TIMEDOUT:
		(void)err_set(err, ERR_TIMEOUT, "the server at \"%s\" does not answer",
			      socket_path);
		return err_hint(err, "\"aethermart status\" says what it is doing");
	default:
		return err_set(err, ERR_UNAVAILABLE, "the server at \"%s\" broke off: %s",
			       socket_path, curl_easy_strerror(code));
	}
}

/* The class that an answer names, else one by its status. */
static int class_of(const char *name, long status)
{
	static const enum err_code by_status[] = {ERR_INVALID_ARGUMENT, ERR_NOT_FOUND,
						  ERR_CONFLICT,		ERR_LIMIT,
						  ERR_UNAVAILABLE,	ERR_TIMEOUT};

	for (int code = 1; name && code < ERR_COUNT; code++) {
		if (cstr_equal(err_name(code), name))
			return code;
	}
	if (status == 401 || status == 403)
		return ERR_PERMISSION;
	for (size_t i = 0; i < ARRAY_LEN(by_status); i++) {
		if (err_http_status((int)by_status[i]) == status)
			return (int)by_status[i];
	}
	return ERR_INTERNAL;
}

static int answer_error(struct call *call, const char *path, struct err *err)
{
	json_t *json = json_loadb(strbuf_str(&call->error), call->error.len, 0, NULL);
	const char *name = json_string_value(json_object_get(json, "code"));
	const char *detail = json_string_value(json_object_get(json, "detail"));
	const char *hint = json_string_value(json_object_get(json, "hint"));
	long status = 0;
	int r;

	(void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
	r = err_set(err, (enum err_code)class_of(name, status),
		    "the server answered %ld to \"%.*s\"%s%s", status, (int)strcspn(path, "?"),
		    path, detail ? ": " : "", detail ? detail : "");
	if (hint)
		r = err_hint(err, "%s", hint);
	json_decref(json);
	return r;
}

static int perform(struct call *call, const char *socket_path, const char *path, struct err *err)
{
	_cleanup_(mem_freep) char *url = mem_printf("http://localhost%s", path);
	CURLcode code;

	set_options(call, socket_path, url);
	code = curl_easy_perform(call->curl);
	if (call->r > 0)
		return 0;
	if (call->r < 0)
		return call->r;
	if (call->body && strbuf_check(call->body, "the answer", err) < 0)
		return -ERR_LIMIT;
	if (code != CURLE_OK)
		return transfer_error(call->curl, code, socket_path, err);
	return is_success(call->curl) ? 0 : answer_error(call, path, err);
}

static int run(struct call *call, const char *socket_path, const char *path, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int r;

	bug_if(pthread_once(&once, init_library) != 0);
	call->curl = curl_easy_init();
	if (!call->curl)
		return err_set(err, ERR_NO_MEMORY, "could not prepare a request: out of memory");
	call->err = err;
	r = perform(call, socket_path, path, err);
	curl_easy_cleanup(call->curl);
	strbuf_done(&call->rest);
	strbuf_done(&call->error);
	return r;
}

int http_client_get(const char *socket_path, const char *path, struct strbuf *body, struct err *err)
{
	struct call call = {.body = body, .error = STRBUF_INIT(ERROR_BODY_MAX)};

	return run(&call, socket_path, path, err);
}

int http_client_post(const char *socket_path, const char *path, struct strbuf *body,
		     struct err *err)
{
	struct call call = {.body = body, .error = STRBUF_INIT(ERROR_BODY_MAX), .is_post = true};

	return run(&call, socket_path, path, err);
}

void http_client_add_escaped(struct strbuf *path, const char *value)
{
	for (; *value; value++) {
		if (isalnum((unsigned char)*value) || strchr("-._~", *value))
			strbuf_addch(path, *value);
		else
			strbuf_addf(path, "%%%02X", (unsigned)(unsigned char)*value);
	}
}

int http_client_stream(const char *socket_path, const char *path, http_client_line_fn line,
		       void *arg, struct err *err)
{
	struct call call = {.line = line,
			    .arg = arg,
			    .rest = STRBUF_INIT(LINE_MAX_BYTES),
			    .error = STRBUF_INIT(ERROR_BODY_MAX)};

	return run(&call, socket_path, path, err);
}
