/* Text slices, buffers and number parsing: see strbuf.h. */
#include "base/strbuf.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include <utf8proc.h>

#include "base/banned.h"

int str_compare(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;

	if (c)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){arena_strndup(a, s.data, s.len), s.len};
}

bool str_starts(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len && is_space(s.data[0]))
		s.data++, s.len--;
	while (s.len && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Edit distance (insert, delete, replace, swap of neighbours) over three rows; names are short,
 * longer ones are "far". */
#define DISTANCE_NAME_MAX 63
#define DISTANCE_FAR	  9

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static size_t distance(const char *a, const char *b)
{
	size_t rows[3][DISTANCE_NAME_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > DISTANCE_NAME_MAX || lb > DISTANCE_NAME_MAX)
		return DISTANCE_FAR;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			now[j] =
			    min3(up[j] + 1, now[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < now[j])
				now[j] = up2[j - 2] + 1;
		}
	}
	return rows[la % 3][lb] < DISTANCE_FAR ? rows[la % 3][lb] : DISTANCE_FAR;
}

const char *cstr_nearest(const char *s, const char *const *names)
{
	const char *best = NULL;
	size_t best_distance = strlen(s) / 3 + 2; /* further away is no typing error */

	best_distance = best_distance < DISTANCE_FAR ? best_distance : DISTANCE_FAR;
	for (; *names; names++) {
		size_t d = distance(s, *names);

		if (d < best_distance) {
			best_distance = d;
			best = *names;
		}
	}
	return best;
}

static size_t max_of(const struct strbuf *b)
{
	return b->max ? b->max : STRBUF_MAX_DEFAULT;
}

/* Room for `extra` bytes and the NUL; false (and overflow) when that is beyond the maximum. */
static bool reserve(struct strbuf *b, size_t extra)
{
	size_t need;

	if (b->overflow || extra > max_of(b) - b->len) {
		b->overflow = true;
		return false;
	}
	need = b->len + extra + 1;
	if (need > b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;

		if (cap < need)
			cap = need;
		b->data = mem_realloc_array(b->data, cap, 1);
		b->cap = cap;
	}
	return true;
}

void strbuf_done(struct strbuf *b)
{
	mem_free(b->data);
	*b = (struct strbuf){.max = b->max};
}

void strbuf_clear(struct strbuf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->data)
		b->data[0] = '\0';
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void strbuf_addstr(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addch(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	bug_if(n < 0);
	if (!reserve(b, (size_t)n))
		return;
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(b, fmt, ap);
	va_end(ap);
}

void strbuf_truncate(struct strbuf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

static void add_json_ascii(struct strbuf *b, char c)
{
	if (c == '"' || c == '\\')
		strbuf_addf(b, "\\%c", c);
	else if (c == '\n')
		strbuf_addstr(b, "\\n");
	else if (c == '\t')
		strbuf_addstr(b, "\\t");
	else if (c < 0x20 || c == 0x7f)
		strbuf_addf(b, "\\u%04x", (unsigned)c);
	else
		strbuf_addch(b, c);
}

/* Bytes from the first on that stand for themselves. */
static size_t plain_json(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] >= ' ' && s[n] < 0x7F && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

void strbuf_add_json(struct strbuf *b, const char *s, size_t len)
{
	utf8proc_ssize_t n;

	strbuf_addch(b, '"');
	for (size_t i = 0; i < len; i += n < 1 ? 1 : (size_t)n) {
		utf8proc_int32_t c;

		n = (utf8proc_ssize_t)plain_json(s + i, len - i);
		if (n) {
			strbuf_add(b, s + i, (size_t)n);
			continue;
		}
		n = utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(len - i),
				     &c);
		if (n == 1)
			add_json_ascii(b, s[i]);
		else if (n > 1)
			strbuf_add(b, s + i, (size_t)n);
		else
			strbuf_addstr(b, UTF8_REPLACEMENT);
	}
	strbuf_addch(b, '"');
}

void strbuf_add_visible(struct strbuf *b, const char *s, size_t len)
{
	static const char *const names[] = {['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r"};
	const char *end = s + len;

	for (size_t n; s < end; s += n) {
		utf8proc_int32_t c;
		utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)s, end - s, &c);
		bool is_visible = size > 0 && utf8proc_category(c) != UTF8PROC_CATEGORY_CC;

		n = size > 0 ? (size_t)size : 1;
		if (is_visible)
			strbuf_add(b, s, n);
		else if ((unsigned char)*s < ARRAY_LEN(names) && names[(unsigned char)*s])
			strbuf_addstr(b, names[(unsigned char)*s]);
		else
			for (size_t i = 0; i < n; i++)
				strbuf_addf(b, "\\x%02x", (unsigned char)s[i]);
	}
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->data ? b->data : "";
}

struct str strbuf_slice(const struct strbuf *b)
{
	return (struct str){strbuf_str(b), b->len};
}

char *strbuf_take(struct strbuf *b)
{
	char *s = b->data ? b->data : mem_strdup("");

	*b = (struct strbuf){.max = b->max};
	return s;
}

int strbuf_check(const struct strbuf *b, const char *what, struct err *err)
{
	if (!b->overflow)
		return 0;
	return err_set(err, ERR_LIMIT, "%s is longer than %zu bytes", what, max_of(b));
}

/* A number's text as a C string; more than that is no number. */
#define NUMBER_TEXT_MAX 64

static bool number_text(struct str s, char *buf)
{
	if (s.len == 0 || s.len >= NUMBER_TEXT_MAX || memchr(s.data, '\0', s.len) ||
	    is_space(s.data[0]))
		return false;
	memcpy(buf, s.data, s.len);
	buf[s.len] = '\0';
	return true;
}

static int not_a(const char *what, struct str s, struct err *err)
{
	if (s.len > NUMBER_TEXT_MAX)
		s.len = NUMBER_TEXT_MAX;
	return err_set(err, ERR_INVALID_ARGUMENT, "\"%.*s\" is not %s", STR_ARGS(s), what);
}

int parse_int64(struct str s, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	char buf[NUMBER_TEXT_MAX];
	char *end;
	intmax_t v;

	if (!number_text(s, buf))
		return not_a("a whole number", s, err);
	errno = 0;
	v = strtoimax(buf, &end, 10);
	if (*end)
		return not_a("a whole number", s, err);
	if (errno == ERANGE || v < min || v > max)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "%.*s is out of range (%" PRId64 " to %" PRId64 ")", STR_ARGS(s),
			       min, max);
	*ret = v;
	return 0;
}

int parse_uint64(struct str s, uint64_t max, uint64_t *ret, struct err *err)
{
	char buf[NUMBER_TEXT_MAX];
	char *end;
	uintmax_t v;

	if (!number_text(s, buf) || buf[0] == '-')
		return not_a("a whole number of 0 or more", s, err);
	errno = 0;
	v = strtoumax(buf, &end, 10);
	if (*end)
		return not_a("a whole number of 0 or more", s, err);
	if (errno == ERANGE || v > max)
		return err_set(err, ERR_INVALID_ARGUMENT, "%.*s is out of range (0 to %" PRIu64 ")",
			       STR_ARGS(s), max);
	*ret = v;
	return 0;
}

int parse_double(struct str s, double *ret, struct err *err)
{
	static locale_t c_locale;
	char buf[NUMBER_TEXT_MAX];
	char *end;
	double v;

	if (!__atomic_load_n(&c_locale, __ATOMIC_ACQUIRE)) {
		locale_t fresh = newlocale(LC_ALL_MASK, "C", (locale_t)0), none = (locale_t)0;

		bug_if(!fresh);
		if (!__atomic_compare_exchange_n(&c_locale, &none, fresh, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE))
			freelocale(fresh);
	}
	if (!number_text(s, buf))
		return not_a("a number", s, err);
	v = strtod_l(buf, &end, c_locale);
	if (*end || v != v || v - v != 0)
		return not_a("a number", s, err);
	*ret = v;
	return 0;
}

int parse_bool(struct str s, bool *ret, struct err *err)
{
	static const char *const yes[] = {"true", "yes", "on", "1"};
	static const char *const no[] = {"false", "no", "off", "0"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (str_equal(s, str_from(yes[i]))) {
			*ret = true;
			return 0;
		}
		if (str_equal(s, str_from(no[i]))) {
			*ret = false;
			return 0;
		}
	}
	return not_a("true or false", s, err);
}

struct unit {
	const char *suffix;
	int64_t factor;
};

/* A whole number with one of the suffixes; `units` ends with an entry without suffix. */
static int parse_with_unit(struct str s, const struct unit *units, const char *what, int64_t *ret,
			   struct err *err)
{
	struct str digits = s;
	int64_t v = 0;

	while (digits.len &&
	       (digits.data[digits.len - 1] < '0' || digits.data[digits.len - 1] > '9'))
		digits.len--;
	for (const struct unit *u = units; u->factor; u++) {
		struct str suffix = {s.data + digits.len, s.len - digits.len};

		if (!str_equal(suffix, str_from(u->suffix)))
			continue;
		if (parse_int64(digits, 0, INT64_MAX / u->factor, &v, err) < 0)
			return not_a(what, s, err);
		*ret = v * u->factor;
		return 0;
	}
	return not_a(what, s, err);
}

int parse_size(struct str s, int64_t *ret_bytes, struct err *err)
{
	static const struct unit units[] = {
	    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {0},
	};

	return parse_with_unit(s, units, "a size such as 512K, 64M or 2G", ret_bytes, err);
}

int parse_duration(struct str s, int64_t *ret_ms, struct err *err)
{
	static const struct unit units[] = {
	    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {0},
	};

	return parse_with_unit(s, units, "a duration such as 20ms, 5s, 10m, 2h or 30d", ret_ms,
			       err);
}

static bool is_within_character(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

struct str utf8_cut(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max && is_within_character(s.data[max]))
		max--;
	return (struct str){s.data, max};
}

size_t utf8_count(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += !is_within_character(s.data[i]);
	return n;
}

bool utf8_is_valid(const char *s, size_t len)
{
	static const uint64_t high_bits = 0x8080808080808080;
	size_t i = 0;

	while (i < len) {
		uint64_t word;
		utf8proc_int32_t c;
		utf8proc_ssize_t n;

		if (len - i >= sizeof(word)) { /* most texts are ASCII, or nearly */
			memcpy(&word, s + i, sizeof(word));
			if (!(word & high_bits)) {
				i += sizeof(word);
				continue;
			}
		}
		n = utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(len - i),
				     &c);
		if (n < 1)
			return false;
		i += (size_t)n;
	}
	return true;
}
