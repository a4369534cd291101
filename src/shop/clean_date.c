/*
 * Dates: a small scanner over parts (numbers, words, separators) instead of a list of patterns, so
 * that forms combine freely with times. Civil calendar arithmetic after Howard Hinnant, "chrono-
 * compatible low-level date algorithms" (days_from_civil), which is exact for the years allowed.
 */
#include "shop/clean_date.h"

#include <stdio.h>
#include <strings.h>

#include "base/banned.h"

#define YEAR_MIN	 1900
#define YEAR_MAX	 2100
#define YEAR_PIVOT	 70 /* two digits: 70 to 99 are 19xx, as in POSIX strptime */
#define SECONDS_PER_DAY	 86400
#define EPOCH_DIGITS_MIN 9 /* 1973; shorter numbers are no times */

struct scan {
	const char *at, *end;
};

/* Order of the two first numbers of a numeric date, as the text itself tells it. */
enum order_seen { ORDER_NONE, ORDER_DAY, ORDER_MONTH, ORDER_EITHER };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool scan_char(struct scan *s, char c)
{
	if (s->at < s->end && *s->at == c) {
		s->at++;
		return true;
	}
	return false;
}

static void scan_spaces(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
		s->at++;
}

/* Reads 1 to max_digits digits; returns how many, 0 when there is none or more. */
static int scan_number(struct scan *s, int max_digits, int *ret)
{
	int n = 0, value = 0;

	*ret = 0;
	while (s->at + n < s->end && is_digit(s->at[n])) {
		if (n == max_digits)
			return 0;
		value = value * 10 + (s->at[n] - '0');
		n++;
	}
	s->at += n;
	*ret = value;
	return n;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

static void civil_from_seconds(int64_t seconds, struct clean_date *d)
{
	int64_t days = seconds / SECONDS_PER_DAY, rest = seconds % SECONDS_PER_DAY;

	if (rest < 0) {
		rest += SECONDS_PER_DAY;
		days--;
	}
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	d->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	d->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	d->year = (int)(yoe + era * 400 + (d->month <= 2));
	d->hour = (int)(rest / 3600);
	d->minute = (int)(rest / 60 % 60);
	d->second = (int)(rest % 60);
}

/* 1 to 12 for an English month's name or its first letters (three at least), else 0. */
static int month_by_name(const char *name, size_t len)
{
	static const char *const months[] = {"january",	  "february", "march",	  "april",
					     "may",	  "june",     "july",	  "august",
					     "september", "october",  "november", "december"};

	for (int i = 0; i < 12; i++) {
		if (len >= 3 && len <= strlen(months[i]) && strncasecmp(name, months[i], len) == 0)
			return i + 1;
	}
	return 0;
}

static size_t scan_word(struct scan *s, const char **ret)
{
	*ret = s->at;
	while (s->at < s->end && is_letter(*s->at))
		s->at++;
	return (size_t)(s->at - *ret);
}

static bool scan_month_name(struct scan *s, int *ret)
{
	struct scan t = *s;
	const char *word;
	size_t len = scan_word(&t, &word);

	*ret = month_by_name(word, len);
	if (*ret == 0)
		return false;
	(void)scan_char(&t, '.');
	*s = t;
	return true;
}

static int full_year(int year, int digits)
{
	if (digits == 2)
		return year >= YEAR_PIVOT ? 1900 + year : 2000 + year;
	return digits == 4 ? year : -1;
}

static void scan_separators(struct scan *s)
{
	while (s->at < s->end && strchr(" -,/.", *s->at))
		s->at++;
}

/* "st", "nd", "rd", "th" after a day. */
static void scan_ordinal(struct scan *s)
{
	static const char *const endings[] = {"st", "nd", "rd", "th"};

	for (size_t i = 0; i < 4; i++) {
		if (s->end - s->at >= 2 && strncasecmp(s->at, endings[i], 2) == 0 &&
		    (s->end - s->at == 2 || !is_letter(s->at[2]))) {
			s->at += 2;
			return;
		}
	}
}

/* "4 March 2025", "March 4, 2025", with a weekday in front or not. */
static bool scan_named(struct scan *s, struct clean_date *d)
{
	struct scan t = *s;
	const char *word;
	int digits;

	if (t.at < t.end && is_letter(*t.at) && !scan_month_name(&t, &d->month)) {
		static const char *const weekdays[] = {"mon", "tue", "wed", "thu",
						       "fri", "sat", "sun"};
		bool known = false;

		if (scan_word(&t, &word) < 3)
			return false;
		for (size_t i = 0; i < 7; i++)
			known |= strncasecmp(word, weekdays[i], 3) == 0;
		if (!known)
			return false;
		scan_separators(&t);
		d->month = 0;
		(void)scan_month_name(&t, &d->month);
	}
	scan_separators(&t);
	if (!scan_number(&t, 2, &d->day))
		return false;
	scan_ordinal(&t);
	scan_separators(&t);
	if (d->month == 0) {
		if (!scan_month_name(&t, &d->month))
			return false;
		scan_separators(&t);
	}
	digits = scan_number(&t, 4, &d->year);
	d->year = full_year(d->year, digits);
	*s = t;
	return d->year > 0;
}

/* Settles day and month of "a/b/year". */
static enum order_seen settle_order(int a, int b, char separator, enum clean_date_order order,
				    struct clean_date *d)
{
	bool day_first = order == CLEAN_DATE_DAY_FIRST;
	enum order_seen seen = ORDER_EITHER;

	if (separator == '.') {
		day_first = true;
		seen = ORDER_NONE;
	} else if (a > 12 || b > 12) {
		day_first = a > 12;
		seen = day_first ? ORDER_DAY : ORDER_MONTH;
	} else if (a == b) {
		seen = ORDER_NONE;
	}
	d->day = day_first ? a : b;
	d->month = day_first ? b : a;
	d->is_ambiguous = seen == ORDER_EITHER;
	return seen;
}

/* All-numeric dates. */
static bool scan_numeric(struct scan *s, enum clean_date_order order, struct clean_date *d,
			 enum order_seen *ret_seen)
{
	struct scan t = *s;
	int a, b, c, n = scan_number(&t, 8, &a);
	char separator;

	*ret_seen = ORDER_NONE;
	if (n == 8) {
		d->year = a / 10000;
		d->month = a / 100 % 100;
		d->day = a % 100;
		*s = t;
		return true;
	}
	if (t.at >= t.end || !strchr("-/.", *t.at) || (n != 4 && n != 1 && n != 2))
		return false;
	separator = *t.at++;
	if (!scan_number(&t, 2, &b) || !scan_char(&t, separator))
		return false;
	int digits = scan_number(&t, 4, &c);

	if (n == 4) {
		if (digits < 1 || digits > 2)
			return false;
		d->year = a;
		d->month = b;
		d->day = c;
	} else {
		d->year = full_year(c, digits);
		if (d->year < 0)
			return false;
		*ret_seen = settle_order(a, b, separator, order, d);
	}
	*s = t;
	return true;
}

/* "+02:00", "-0530", "+02". */
static bool scan_offset(struct scan *s, int *ret_minutes)
{
	int sign = scan_char(s, '+') ? 1 : scan_char(s, '-') ? -1 : 0;
	int hours, minutes = 0;

	if (!sign || s->end - s->at < 2 || !is_digit(s->at[0]) || !is_digit(s->at[1]))
		return false;
	hours = (s->at[0] - '0') * 10 + (s->at[1] - '0');
	s->at += 2;
	(void)scan_char(s, ':');
	if (s->at < s->end && scan_number(s, 2, &minutes) != 2)
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return hours <= 14 && minutes <= 59;
}

static bool scan_zone(struct scan *s, int *ret_minutes)
{
	*ret_minutes = 0;
	scan_spaces(s);
	if (s->at == s->end || scan_char(s, 'Z') || scan_char(s, 'z'))
		return true;
	if (s->end - s->at == 3 &&
	    (strncasecmp(s->at, "UTC", 3) == 0 || strncasecmp(s->at, "GMT", 3) == 0)) {
		s->at = s->end;
		return true;
	}
	return scan_offset(s, ret_minutes);
}

static bool scan_half_day(struct scan *s, struct clean_date *d)
{
	scan_spaces(s);
	if (s->end - s->at < 2 || (s->at[1] | 32) != 'm' ||
	    ((s->at[0] | 32) != 'a' && (s->at[0] | 32) != 'p'))
		return true;
	if (d->hour < 1 || d->hour > 12)
		return false;
	d->hour = d->hour % 12 + ((s->at[0] | 32) == 'p' ? 12 : 0);
	s->at += 2;
	return true;
}

/* Parts of a second are not kept. */
static void skip_fraction(struct scan *s)
{
	if (s->end - s->at < 2 || (*s->at != '.' && *s->at != ',') || !is_digit(s->at[1]))
		return;
	s->at++;
	while (s->at < s->end && is_digit(*s->at))
		s->at++;
}

static bool scan_clock(struct scan *s, struct clean_date *d)
{
	if (!scan_number(s, 2, &d->hour) || !scan_char(s, ':') ||
	    scan_number(s, 2, &d->minute) != 2)
		return false;
	if (scan_char(s, ':') && scan_number(s, 2, &d->second) != 2)
		return false;
	skip_fraction(s);
	d->has_time = true;
	return scan_half_day(s, d) && d->hour <= 23 && d->minute <= 59 && d->second <= 59;
}

static bool scan_time(struct scan *s, struct clean_date *d, int *ret_zone)
{
	*ret_zone = 0;
	if (s->at == s->end)
		return true;
	if (!scan_char(s, 'T') && !scan_char(s, 't')) {
		if (*s->at != ' ' && *s->at != ',')
			return false;
		(void)scan_char(s, ',');
		scan_spaces(s);
	}
	return scan_clock(s, d) && scan_zone(s, ret_zone);
}

static bool parse_epoch(struct str s, struct clean_date *d)
{
	int64_t value;

	if (s.len < EPOCH_DIGITS_MIN || (s.len > 10 && s.len != 13))
		return false;
	if (parse_int64(s, 0, INT64_MAX, &value, NULL) < 0)
		return false;
	civil_from_seconds(s.len == 13 ? value / 1000 : value, d);
	d->has_time = true;
	return true;
}

static bool is_real(const struct clean_date *d)
{
	return d->year >= YEAR_MIN && d->year <= YEAR_MAX && d->month >= 1 && d->month <= 12 &&
	       d->day >= 1 && d->day <= days_in_month(d->year, d->month);
}

static bool parse(struct str s, enum clean_date_order order, struct clean_date *d,
		  enum order_seen *ret_seen)
{
	int zone;

	*d = (struct clean_date){0};
	*ret_seen = ORDER_NONE;
	s = str_trim(s);
	if (s.len == 0)
		return false;
	if (s.len > 8 && parse_epoch(s, d))
		return is_real(d);

	struct scan scan = {s.data, s.data + s.len};

	if (!scan_numeric(&scan, order, d, ret_seen)) {
		*d = (struct clean_date){0};
		if (!scan_named(&scan, d))
			return false;
	}
	if (!scan_time(&scan, d, &zone) || scan.at != scan.end || !is_real(d))
		return false;
	if (zone) {
		int64_t t = days_from_civil(d->year, d->month, d->day) * SECONDS_PER_DAY +
			    INT64_C(3600) * d->hour + INT64_C(60) * d->minute + d->second;

		civil_from_seconds(t - (int64_t)zone * 60, d);
	}
	return true;
}

bool clean_date_parse(struct str s, enum clean_date_order order, struct clean_date *ret)
{
	enum order_seen seen;
	struct clean_date d;

	if (!parse(s, order, &d, &seen))
		return false;
	*ret = d;
	return true;
}

void clean_date_look(struct str s, struct clean_date_evidence *evidence)
{
	enum order_seen seen;
	struct clean_date d;

	/* The canonical form, which most dates have, tells nothing. */
	if (s.len < 6 || (s.len > 4 && is_digit(s.data[2]) && is_digit(s.data[3])))
		return;
	if (!parse(s, CLEAN_DATE_DAY_FIRST, &d, &seen))
		return;
	evidence->day_first += seen == ORDER_DAY;
	evidence->month_first += seen == ORDER_MONTH;
}

enum clean_date_order clean_date_decide(const struct clean_date_evidence *evidence,
					enum clean_date_order configured)
{
	if (evidence->day_first == evidence->month_first)
		return configured;
	return evidence->day_first > evidence->month_first ? CLEAN_DATE_DAY_FIRST
							   : CLEAN_DATE_MONTH_FIRST;
}

void clean_date_format(const struct clean_date *d, bool time, struct strbuf *out)
{
	strbuf_addf(out, "%04d-%02d-%02d", d->year, d->month, d->day);
	if (time)
		strbuf_addf(out, " %02d:%02d:%02d", d->hour, d->minute, d->second);
}
