/*
 * Text: `struct str` is a borrowed slice, `struct strbuf` an owned growing buffer that always ends
 * in a NUL byte. A strbuf has a maximum, given when it is declared; what would go beyond it is left
 * out and `overflow` is set, which the owner checks once at the end (strbuf_check). Not
 * thread-safe.
 */
#pragma once

#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *data; /* not NUL-terminated in general */
	size_t len;
};

static inline struct str str_from(const char *s)
{
	return (struct str){s, s ? strlen(s) : 0};
}

static inline bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* For printf: printf("%.*s", STR_ARGS(s)). */
#define STR_ARGS(s) (int)(s).len, (s).data

/* Order by bytes, shorter first when one begins the other. */
int str_compare(struct str a, struct str b);
bool str_starts(struct str s, const char *prefix);
struct str str_trim(struct str s); /* ASCII white space at both ends */
struct arena;
struct str arena_str(struct arena *a, struct str s); /* a copy that ends in a NUL byte */

static inline bool cstr_equal(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* The nearest of `names` (NULL-terminated list) to `s`, or NULL when none is near. */
const char *cstr_nearest(const char *s, const char *const *names);

struct strbuf {
	char *data; /* never NULL after the first append; use strbuf_str() to be safe */
	size_t len;
	size_t cap;
	size_t max; /* bytes without the NUL; 0 means STRBUF_MAX_DEFAULT */
	bool overflow;
};

#define STRBUF_MAX_DEFAULT ((size_t)64 << 20)

/* Initialiser: struct strbuf b = STRBUF_INIT(max_bytes); 0 for the default maximum. */
#define STRBUF_INIT(max_bytes)     \
	{                          \
		.max = (max_bytes) \
	}

void strbuf_done(struct strbuf *b);  /* releases; the buffer is empty and reusable */
void strbuf_clear(struct strbuf *b); /* empties, keeps the memory */
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_addstr(struct strbuf *b, const char *s);
void strbuf_addch(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) _printf_(2, 3);
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void strbuf_truncate(struct strbuf *b, size_t len);
/* A quoted JSON string. Bytes that are no UTF-8 become U+FFFD each, so that it is always valid. */
void strbuf_add_json(struct strbuf *b, const char *s, size_t len);
/* Text of a server, a file or a row for a terminal or a line of a log: control characters (those of
 * U+0080 to U+009F too) and bytes that are no UTF-8 become escapes, "\n", "\x1b". */
void strbuf_add_visible(struct strbuf *b, const char *s, size_t len);
const char *strbuf_str(const struct strbuf *b); /* "" when empty; borrowed */
struct str strbuf_slice(const struct strbuf *b);
char *strbuf_take(struct strbuf *b); /* the caller owns the text; the buffer is empty */

/* ERR_LIMIT when something was left out. `what` names the text for the message. */
int strbuf_check(const struct strbuf *b, const char *what, struct err *err) _must_check_;

/*
 * Numbers and times from text: the whole text must be consumed, the value within min..max. ERR
 * INVALID_ARGUMENT quotes the text. Locale-independent.
 */
int parse_int64(struct str s, int64_t min, int64_t max, int64_t *ret, struct err *err) _must_check_;
int parse_uint64(struct str s, uint64_t max, uint64_t *ret, struct err *err) _must_check_;
int parse_double(struct str s, double *ret, struct err *err) _must_check_;
/* true, false, yes, no, on, off, 1, 0 */
int parse_bool(struct str s, bool *ret, struct err *err) _must_check_;
/* 10, 4K, 256M, 2G */
int parse_size(struct str s, int64_t *ret_bytes, struct err *err) _must_check_;
/* 20ms, 5s, 10m, 2h, 7d */
int parse_duration(struct str s, int64_t *ret_ms, struct err *err) _must_check_;

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool utf8_is_valid(const char *s, size_t len);
/* As many whole characters as `max` bytes hold, and the number of characters; of UTF-8. */
struct str utf8_cut(struct str s, size_t max);
size_t utf8_count(struct str s);
