/*
 * Conditions as text: see search_filter.h. A small grammar read by hand:
 *
 *   condition := name "!"? op rest       op := "<" | "<=" | ">" | ">=" | "="
 *   rest of "=" := range | value { "|" value }
 *   range := bound? "<"? ".." "<"? bound?          bound := number | day
 *   value := text without | and " | quoted
 *
 * What could be read as a range is one; a value that looks like one has to be quoted, and the
 * writer does so. A day is kept as the microseconds of its ends, so that nobody else has to know
 * how long a day is.
 */
#include "search/search_filter.h"

#include <inttypes.h>
#include <math.h>

#include "base/clock.h"

#include "base/banned.h"

#define DAY_TEXT "0000-00-00"
#define SHOWN	 60 /* bytes of a condition in a message */

static int wrong(struct str text, struct err *err, const char *why)
{
	_cleanup_(strbuf_done) struct strbuf shown = STRBUF_INIT((size_t)4 * SHOWN);

	strbuf_add_visible(&shown, text.data, text.len < SHOWN ? text.len : SHOWN);
	return err_set(err, ERR_INVALID_ARGUMENT, "condition \"%s%s\": %s", strbuf_str(&shown),
		       text.len > SHOWN ? "..." : "", why);
}

/* --- bounds ---------------------------------------------------------------------------------- */

bool search_day(int64_t year, int64_t month, int64_t day, double *ret_us)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	int64_t days, past = year - 1;

	if (year < 1000 || year > 9999 || month < 1 || month > 12 || day < 1 ||
	    day > lengths[month - 1] + (is_leap && month == 2))
		return false;
	days = past * 365 + past / 4 - past / 100 + past / 400 + before[month - 1] +
	       (is_leap && month > 2) + day - 1;
	*ret_us = (double)(days - 719162) * SEARCH_DAY_US; /* days from 0001-01-01 to 1970-01-01 */
	return true;
}

bool search_day_read(struct str s, double *ret_us)
{
	int64_t part[3];
	const size_t at[] = {0, 5, 8}, len[] = {4, 2, 2};

	if (s.len != strlen(DAY_TEXT) || s.data[4] != '-' || s.data[7] != '-')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		struct str digits = {s.data + at[i], len[i]};

		for (size_t k = 0; k < digits.len; k++) {
			if (digits.data[k] < '0' || digits.data[k] > '9')
				return false;
		}
		if (parse_int64(digits, 0, 9999, &part[i], NULL) < 0)
			return false;
	}
	return search_day(part[0], part[1], part[2], ret_us);
}

static bool read_number(struct str s, double *ret)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!strchr("0123456789+-.eE", s.data[i]))
			return false; /* strtod() knows hexadecimal ones too */
	}
	return parse_double(s, ret, NULL) == 0;
}

struct bound {
	double value;
	bool is_day;
};

static bool read_bound(struct str s, struct bound *ret)
{
	ret->is_day = search_day_read(s, &ret->value);
	return ret->is_day || read_number(s, &ret->value);
}

/* A day as lower bound begins at its begin, or after it, at its end. */
static void set_min(struct search_filter *f, struct bound b, bool is_open)
{
	f->is_date |= b.is_day;
	f->min = b.is_day && is_open ? b.value + SEARCH_DAY_US : b.value;
	f->is_min_open = is_open && !b.is_day;
}

static void set_max(struct search_filter *f, struct bound b, bool is_open)
{
	f->is_date |= b.is_day;
	f->max = b.is_day && !is_open ? b.value + SEARCH_DAY_US : b.value;
	f->is_max_open = is_open || b.is_day;
}

/* Whether it is one. */
static bool read_range(struct str s, struct search_filter *f)
{
	const char *dots = memmem(s.data, s.len, "..", 2);
	struct bound min = {0}, max = {0};
	struct str left, right;
	bool is_min_open, is_max_open;

	if (!dots)
		return false;
	left = str_trim((struct str){s.data, (size_t)(dots - s.data)});
	right = str_trim((struct str){dots + 2, (size_t)(s.data + s.len - dots) - 2});
	is_min_open = left.len && left.data[left.len - 1] == '<';
	is_max_open = right.len && right.data[0] == '<';
	left.len -= is_min_open;
	right.data += is_max_open;
	right.len -= is_max_open;
	left = str_trim(left);
	right = str_trim(right);
	if ((!left.len && !right.len) || (left.len && !read_bound(left, &min)) ||
	    (right.len && !read_bound(right, &max)) ||
	    (left.len && right.len && min.is_day != max.is_day))
		return false;
	if (left.len)
		set_min(f, min, is_min_open);
	if (right.len)
		set_max(f, max, is_max_open);
	return true;
}

/* --- values ---------------------------------------------------------------------------------- */

/* One in quotes, at the begin of `s`; 0: it has no end. */
static size_t read_quoted(struct str s, struct strbuf *b)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.data[i] == '"')
			return i + 1;
		if (s.data[i] == '\\' && ++i < s.len)
			strbuf_addch(b, s.data[i] == 'n' ? '\n' : s.data[i]);
		else if (i < s.len)
			strbuf_addch(b, s.data[i]);
	}
	return 0;
}

static int read_value(struct str all, struct str *rest, struct strbuf *b, struct err *err)
{
	struct str bare;
	size_t n;

	strbuf_clear(b);
	*rest = str_trim(*rest);
	if (rest->len && rest->data[0] == '"') {
		n = read_quoted(*rest, b);
		if (!n)
			return wrong(all, err, "the quotes are not closed");
		*rest = str_trim((struct str){rest->data + n, rest->len - n});
		if (rest->len && rest->data[0] != '|')
			return wrong(all, err, "there is text behind the quotes");
		return 0;
	}
	for (n = 0; n < rest->len && rest->data[n] != '|'; n++)
		if (rest->data[n] == '"')
			return wrong(all, err, "quotes go around the whole value");
	bare = str_trim((struct str){rest->data, n});
	if (!bare.len)
		return wrong(all, err, "a value is missing");
	strbuf_add(b, bare.data, bare.len);
	*rest = (struct str){rest->data + n, rest->len - n};
	return 0;
}

static int read_values(struct str all, struct str rest, struct arena *arena,
		       struct search_filter *f, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(SEARCH_FILTER_TEXT_MAX);
	const char *values[SEARCH_VALUES_MAX];

	for (;;) {
		int r = read_value(all, &rest, &b, err);

		if (r < 0)
			return r;
		if (f->n_values == SEARCH_VALUES_MAX)
			return wrong(all, err, "too many values");
		values[f->n_values++] = arena_strndup(arena, strbuf_str(&b), b.len);
		if (!rest.len)
			break;
		rest = (struct str){rest.data + 1, rest.len - 1}; /* the | */
	}
	f->values = arena_alloc(arena, f->n_values * sizeof(*f->values));
	memcpy(f->values, values, f->n_values * sizeof(*f->values));
	return 0;
}

/* --- conditions ------------------------------------------------------------------------------ */

static int read_name(struct str all, size_t len, struct arena *arena, const char **ret,
		     struct err *err)
{
	struct str name = str_trim((struct str){all.data, len});

	if (!name.len)
		return wrong(all, err, "the attribute's name is missing");
	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.data[i] <= ' ' || strchr("\"|\\", name.data[i]))
			return wrong(all, err, "this is no attribute's name");
	}
	*ret = arena_strndup(arena, name.data, name.len);
	return 0;
}

static int read_comparison(struct str all, char op, struct str rest, struct search_filter *f,
			   struct err *err)
{
	bool is_open = !(rest.len && rest.data[0] == '=');
	struct bound b = {0};

	if (!is_open)
		rest = (struct str){rest.data + 1, rest.len - 1};
	if (!read_bound(str_trim(rest), &b))
		return wrong(all, err, "a number or a day (2024-02-12) has to follow");
	if (op == '<')
		set_max(f, b, is_open);
	else
		set_min(f, b, is_open);
	f->kind = SEARCH_FILTER_RANGE;
	return 0;
}

int search_filter_parse(struct str text, struct arena *arena, struct search_filter *ret,
			struct err *err)
{
	struct search_filter f = {.min = -HUGE_VAL, .max = HUGE_VAL};
	struct str all = str_trim(text), rest;
	size_t at = 0;
	char op;
	int r;

	if (all.len > SEARCH_FILTER_TEXT_MAX)
		return wrong(all, err, "it is too long");
	if (!utf8_is_valid(all.data, all.len) || (all.len && memchr(all.data, '\0', all.len)))
		return wrong(all, err, "it is no UTF-8");
	while (at < all.len && !strchr("!<>=", all.data[at]))
		at++;
	r = read_name(all, at, arena, &f.attribute, err);
	if (r < 0)
		return r;
	f.is_negated = at < all.len && all.data[at] == '!';
	at += f.is_negated;
	op = at < all.len ? all.data[at] : '\0';
	if (!op || !strchr("<>=", op))
		return wrong(all, err, "one of = != < <= > >= has to follow the name");
	rest = (struct str){all.data + at + 1, all.len - at - 1};
	if (op != '=')
		r = read_comparison(all, op, rest, &f, err);
	else if (read_range(rest, &f))
		f.kind = SEARCH_FILTER_RANGE;
	else
		r = read_values(all, rest, arena, &f, err);
	if (r == 0)
		*ret = f;
	return r;
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_bound(double value, bool is_date, struct strbuf *b)
{
	char text[CLOCK_TEXT_SIZE];
	double back = 0;

	if (is_date) {
		strbuf_add(b, clock_format((int64_t)value, text), strlen(DAY_TEXT));
		return;
	}
	if (value == trunc(value) && fabs(value) < 1e15) {
		strbuf_addf(b, "%.0f", value);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		size_t len = b->len;

		strbuf_addf(b, "%.*g", digits, value);
		if (read_number((struct str){b->data + len, b->len - len}, &back) && back == value)
			return;
		strbuf_truncate(b, len);
	}
}

static void write_range(const struct search_filter *f, struct strbuf *b)
{
	bool has_min = !isinf(f->min), has_max = !isinf(f->max);

	if (has_min != has_max) {
		bool is_open = has_min ? f->is_min_open : f->is_max_open;

		strbuf_addf(b, "%c%s", has_min ? '>' : '<', is_open ? "" : "=");
		write_bound(has_min ? f->min : f->max, f->is_date, b);
		return;
	}
	strbuf_addch(b, '=');
	write_bound(f->min, f->is_date, b);
	strbuf_addf(b, "%s..%s", f->is_min_open ? "<" : "", f->is_max_open ? "<" : "");
	write_bound(f->max, f->is_date, b);
}

static void write_value(const char *value, struct strbuf *b)
{
	struct str s = str_from(value), trimmed = str_trim(s);

	if (s.len && trimmed.len == s.len && !strpbrk(value, "|\"\\\n") && !strstr(value, "..")) {
		strbuf_addstr(b, value);
		return;
	}
	strbuf_addch(b, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			strbuf_addch(b, '\\');
		strbuf_addstr(b, *value == '\n' ? "\\n" : (char[]){*value, '\0'});
	}
	strbuf_addch(b, '"');
}

void search_filter_write(const struct search_filter *f, struct strbuf *b)
{
	strbuf_addf(b, "%s%s", f->attribute, f->is_negated ? "!" : "");
	if (f->kind == SEARCH_FILTER_RANGE) {
		write_range(f, b);
		return;
	}
	for (size_t i = 0; i < f->n_values; i++) {
		strbuf_addch(b, i ? '|' : '=');
		write_value(f->values[i], b);
	}
}

int search_order_parse(struct str text, struct arena *arena, struct search_order *ret,
		       struct err *err)
{
	struct str name = str_trim(text);
	struct search_order order = {.is_descending = name.len && name.data[0] == '-'};
	int r = 0;

	name.data += order.is_descending;
	name.len -= order.is_descending;
	if (!str_equal(name, str_from("relevance")))
		r = name.len > SEARCH_FILTER_TEXT_MAX
			? wrong(text, err, "it is too long")
			: read_name(name, name.len, arena, &order.attribute, err);
	else if (order.is_descending)
		r = err_set(err, ERR_INVALID_ARGUMENT, "relevance has one order only");
	if (r == 0)
		*ret = order;
	return r;
}
