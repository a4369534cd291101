/* Errors: see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static const struct {
	const char *name;
	const char *text;
	int http;
	int exit;
	bool retry;
} classes[] = {[ERR_OK] = {"OK", "ok", 200, 0, false},
#define X(name, text, http, exit, retry) [ERR_##name] = {#name, text, http, exit, retry},
	       ERR_TABLE(X)
#undef X
};

/* At a whole character: what reads a message wants UTF-8. */
static void mark_cut(char *buf, size_t size, int wanted)
{
	size_t end = size - 4;

	if (wanted < 0 || (size_t)wanted < size)
		return;
	while (end && ((unsigned char)buf[end] & 0xc0) == 0x80)
		end--;
	memcpy(buf + end, "...", 4);
}

int err_set_at(struct err *err, enum err_code code, const char *file, int line, const char *fmt,
	       ...)
{
	va_list ap;

	if (!err)
		return -(int)code;
	err->code = code;
	err->native = 0;
	err->file = file;
	err->line = line;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	mark_cut(err->message, sizeof(err->message),
		 vsnprintf(err->message, sizeof(err->message), fmt, ap));
	va_end(ap);
	return -(int)code;
}

int err_context(struct err *err, const char *fmt, ...)
{
	char old[ERR_MESSAGE_MAX];
	va_list ap;
	int n;

	if (!err)
		return -(int)ERR_INTERNAL;
	memcpy(old, err->message, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->message)) {
		size_t left = sizeof(err->message) - (size_t)n;

		mark_cut(err->message, sizeof(err->message),
			 n + snprintf(err->message + n, left, ": %s", old));
	} else {
		mark_cut(err->message, sizeof(err->message), n);
	}
	return -(int)err->code;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -(int)ERR_INTERNAL;
	va_start(ap, fmt);
	mark_cut(err->hint, sizeof(err->hint), vsnprintf(err->hint, sizeof(err->hint), fmt, ap));
	va_end(ap);
	return -(int)err->code;
}

int err_near(struct err *err, const char *near)
{
	if (!err)
		return -(int)ERR_INTERNAL;
	if (near) {
		size_t n = strlen(err->message), left = sizeof(err->message) - n;

		mark_cut(err->message, sizeof(err->message),
			 (int)n + snprintf(err->message + n, left, "; did you mean \"%s\"?", near));
	}
	return -(int)err->code;
}

void err_clear(struct err *err)
{
	if (err)
		*err = (struct err){0};
}

static size_t class_index(int code)
{
	int c = code < 0 ? -code : code;

	return c < ERR_COUNT ? (size_t)c : (size_t)ERR_INTERNAL;
}

const char *err_name(int code)
{
	return classes[class_index(code)].name;
}

const char *err_text(int code)
{
	return classes[class_index(code)].text;
}

int err_http_status(int code)
{
	return classes[class_index(code)].http;
}

int err_exit_status(int code)
{
	return classes[class_index(code)].exit;
}

bool err_is_retryable(int code)
{
	return classes[class_index(code)].retry;
}

void bug_at(const char *file, int line, const char *what)
{
	fprintf(stderr, "aethermart: bug at %s:%d: %s\n", file, line, what);
	abort();
}

int err_first(int r, int next, struct err *why, struct err *err)
{
	if (r == 0 && next < 0 && err)
		*err = *why;
	err_clear(why);
	return r < 0 ? r : next;
}
