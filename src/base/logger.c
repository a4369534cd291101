/* Logging: see logger.h. */
#include "base/logger.h"

#include "base/clock.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <utf8proc.h>

#include "base/banned.h"

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};
static const char *const level_colors[] = {"\033[31m", "\033[33m", "", "\033[2m", "\033[2m"};

static enum logger_level threshold = LOGGER_INFO;
static bool as_json = true;
static bool colored;

/* Rate limit: a few recent texts, by address of the literal. Guarded by the mutex. */
#define RECENT_TEXTS 16
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
	const char *text;
	int64_t window_us;
	unsigned count;
	unsigned dropped;
} recent[RECENT_TEXTS];

void logger_init(enum logger_level level, int json)
{
	bool tty = isatty(STDERR_FILENO) == 1;

	threshold = level;
	as_json = json < 0 ? !tty : json > 0;
	colored = tty;
}

bool logger_is_on(enum logger_level level)
{
	return level <= threshold;
}

int logger_level_parse(const char *s, enum logger_level *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (cstr_equal(s, level_names[i])) {
			*ret = (enum logger_level)i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID_ARGUMENT,
		       "\"%s\" is not a log level (error, warn, info, debug, trace)", s);
}

/* Whether to write; *ret_dropped counts what was held back in the window before. */
static bool pass_rate_limit(const char *text, unsigned *ret_dropped)
{
	int64_t now = clock_monotonic_us();
	size_t slot = ((uintptr_t)text >> 3) % RECENT_TEXTS;
	bool pass;

	pthread_mutex_lock(&mutex);
	*ret_dropped = 0;
	if (recent[slot].text != text || now - recent[slot].window_us > 1000000) {
		if (recent[slot].text == text)
			*ret_dropped = recent[slot].dropped;
		recent[slot].text = text;
		recent[slot].window_us = now;
		recent[slot].count = 0;
		recent[slot].dropped = 0;
	}
	pass = recent[slot].count++ < LOGGER_REPEATS_MAX;
	if (!pass)
		recent[slot].dropped++;
	pthread_mutex_unlock(&mutex);
	return pass;
}

/*
 * A value as text. It may hold what a server or a file said: control characters, those of
 * U+0080 to U+009F too, and bytes that are no UTF-8 are written as escapes, so that an event stays
 * one line and nothing commands a terminal.
 */
static void add_visible(struct strbuf *b, const char *s)
{
	static const char *const names[] = {['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r"};

	for (size_t n; *s; s += n) {
		utf8proc_int32_t c;
		utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)s, -1, &c);
		bool is_visible = len > 0 && utf8proc_category(c) != UTF8PROC_CATEGORY_CC;

		n = len > 0 ? (size_t)len : 1;
		if (is_visible)
			strbuf_add(b, s, n);
		else if ((unsigned char)*s < ARRAY_LEN(names) && names[(unsigned char)*s])
			strbuf_addstr(b, names[(unsigned char)*s]);
		else
			for (size_t i = 0; i < n; i++)
				strbuf_addf(b, "\\x%02x", (unsigned char)s[i]);
	}
}

static void add_pair(struct strbuf *b, const char *key, const char *value)
{
	struct strbuf visible = STRBUF_INIT(b->max);

	if (!value)
		value = "";
	if (!as_json) {
		strbuf_addf(b, " %s=", key);
		add_visible(b, value);
		return;
	}
	if (!utf8_is_valid(value, strlen(value))) { /* JSON is UTF-8 */
		add_visible(&visible, value);
		value = strbuf_str(&visible);
	}
	strbuf_addstr(b, ",");
	strbuf_add_json(b, key, strlen(key));
	strbuf_addstr(b, ":");
	strbuf_add_json(b, value, strlen(value));
	strbuf_done(&visible);
}

void logger_event(enum logger_level level, const char *component, const char *text, ...)
{
	struct strbuf b = STRBUF_INIT(64 << 10);
	char when[CLOCK_TEXT_SIZE];
	unsigned dropped;
	const char *key;
	va_list ap;

	if (!logger_is_on(level) || !pass_rate_limit(text, &dropped))
		return;
	clock_format(clock_wall_us(), when);
	if (as_json) {
		strbuf_addf(&b, "{\"time\":\"%s\",\"level\":\"%s\",\"component\":\"%s\",\"event\":",
			    when, level_names[level], component);
		strbuf_add_json(&b, text, strlen(text));
	} else {
		strbuf_addf(&b, "%s%s %-5s %s: %s", colored ? level_colors[level] : "", when + 11,
			    level_names[level], component, text);
	}
	va_start(ap, text);
	while ((key = va_arg(ap, const char *)))
		add_pair(&b, key, va_arg(ap, const char *));
	va_end(ap);
	if (dropped) {
		char n[16];

		snprintf(n, sizeof(n), "%u", dropped);
		add_pair(&b, "repeats_left_out", n);
	}
	strbuf_addstr(&b, as_json ? "}\n" : colored ? "\033[0m\n" : "\n");
	/* Nothing can be done when stderr is gone. */
	if (write(STDERR_FILENO, strbuf_str(&b), b.len) < 0)
		(void)0;
	strbuf_done(&b);
}

void logger_error(enum logger_level level, const char *component, const char *text,
		  const struct err *err)
{
	char native[16];

	snprintf(native, sizeof(native), "%d", err->native);
	if (err->hint[0])
		logger_event(level, component, text, "error", err->message, "class",
			     err_name((int)err->code), "native", native, "hint", err->hint, NULL);
	else
		logger_event(level, component, text, "error", err->message, "class",
			     err_name((int)err->code), "native", native, NULL);
}
