/*
 * Values with a form: e-mail addresses, telephone numbers, article numbers, amounts, whole numbers,
 * words of a list, codes. What has one meaning is repaired; what has two is refused. The input is
 * text that clean_text() has been over: valid UTF-8, no outer white space.
 */
#include "shop/clean.h"

#include <stdio.h>
#include <strings.h>

#include "base/banned.h"

#define EMAIL_MAX	 254 /* RFC 5321, 4.5.3.1.3 less the angle brackets */
#define EMAIL_LOCAL_MAX	 64  /* RFC 5321, 4.5.3.1.1 */
#define PHONE_DIGITS_MIN 5
#define PHONE_DIGITS_MAX 20
#define EAN_DIGITS_MAX	 16 /* a GTIN has 14 */
#define AMOUNT_DIGITS	 14 /* DECIMAL(14,2) has 12 before the point; the range is the caller's */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* The part of "John <j@x.org>" or "mailto:j@x.org" that is the address. */
static struct str email_core(struct str s)
{
	const char *open = memchr(s.data, '<', s.len);
	const char *close = open ? memchr(open, '>', s.len - (size_t)(open - s.data)) : NULL;

	if (close)
		s = (struct str){open + 1, (size_t)(close - open) - 1};
	if (s.len > 7 && strncasecmp(s.data, "mailto:", 7) == 0)
		s = (struct str){s.data + 7, s.len - 7};
	s = str_trim(s);
	while (s.len && strchr(".,;:'\"", s.data[s.len - 1]))
		s.len--;
	while (s.len && strchr("'\"", s.data[0]))
		s.data++, s.len--;
	return s;
}

/* Whether "(at)" or "[at]" stands at s. */
static bool is_written_at(const char *s, size_t len)
{
	return len >= 4 && (s[0] == '(' || s[0] == '[') && strncasecmp(s + 1, "at", 2) == 0 &&
	       s[3] == (s[0] == '(' ? ')' : ']');
}

/* Lower case, without spaces, "(at)" and "[at]" as "@", "@@" as "@", "," in the domain as ".". */
static void email_repair(struct str s, struct strbuf *out)
{
	size_t start = out->len;
	bool at = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = lower(s.data[i]);

		if (is_written_at(s.data + i, s.len - i)) {
			c = '@';
			i += 3;
		}
		if (c == ' ' || c == '\t')
			continue;
		if (c == ',' && at)
			c = '.';
		if ((c == '@' || c == '.') && out->len > start && out->data[out->len - 1] == c)
			continue;
		at |= c == '@';
		strbuf_addch(out, c);
	}
}

static bool email_local_is_valid(struct str s)
{
	if (s.len == 0 || s.len > EMAIL_LOCAL_MAX || s.data[0] == '.' || s.data[s.len - 1] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_letter(s.data[i]) && !is_digit(s.data[i]) &&
		    !strchr(".!#$%&'*+/=?^_`{|}~-", s.data[i]))
			return false;
	}
	return true;
}

static bool email_label_is_valid(struct str s)
{
	if (s.len == 0 || s.data[0] == '-' || s.data[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (!is_letter(c) && !is_digit(c) && c != '-' && (unsigned char)c < 0x80)
			return false;
	}
	return true;
}

/* Two labels or more; the last, of two characters or more, is no number. */
static bool email_domain_is_valid(struct str s)
{
	for (size_t labels = 1;; labels++) {
		const char *dot = s.len ? memchr(s.data, '.', s.len) : NULL;
		struct str label = {s.data, dot ? (size_t)(dot - s.data) : s.len};

		if (!email_label_is_valid(label))
			return false;
		if (!dot)
			return labels >= 2 && label.len >= 2 &&
			       !is_digit(label.data[label.len - 1]);
		s = (struct str){dot + 1, s.len - label.len - 1};
	}
}

static bool email_is_valid(struct str s)
{
	const char *at = s.len && s.len <= EMAIL_MAX ? memchr(s.data, '@', s.len) : NULL;
	size_t local = at ? (size_t)(at - s.data) : 0;

	return at && email_local_is_valid((struct str){s.data, local}) &&
	       email_domain_is_valid((struct str){at + 1, s.len - local - 1});
}

enum clean_result clean_email(struct str in, struct strbuf *out)
{
	size_t start = out->len;

	email_repair(email_core(in), out);
	if (!email_is_valid((struct str){strbuf_str(out) + start, out->len - start})) {
		strbuf_truncate(out, start);
		return CLEAN_BAD;
	}
	return str_equal(in, (struct str){strbuf_str(out) + start, out->len - start})
		   ? CLEAN_OK
		   : CLEAN_CORRECTED;
}

enum clean_result clean_phone(struct str in, struct strbuf *out)
{
	struct str s = in;
	size_t digits = 0;

	if (s.len > 4 && strncasecmp(s.data, "tel:", 4) == 0)
		s = str_trim((struct str){s.data + 4, s.len - 4});
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool is_extension = c == 'x' && digits >= PHONE_DIGITS_MIN;

		digits += is_digit(c);
		if (!is_digit(c) && !is_extension && !strchr(" -./()", c) && (c != '+' || i > 0))
			return CLEAN_BAD;
	}
	if (digits < PHONE_DIGITS_MIN || digits > PHONE_DIGITS_MAX)
		return CLEAN_BAD;
	strbuf_add(out, s.data, s.len);
	return s.len == in.len ? CLEAN_OK : CLEAN_CORRECTED;
}

/* GS1 General Specifications, 7.9: weights 3 and 1 from the right, check digit last. */
static bool ean_is_valid(const char *digits, size_t n)
{
	int sum = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		int d = digits[n - 1 - i] - '0';

		all |= d;
		sum += i % 2 ? 3 * d : d;
	}
	return sum % 10 == 0 && all != 0;
}

/* The digits among spaces, hyphens and points; 0 when there is anything else, or too many. */
static size_t ean_digits(struct str in, char ret[EAN_DIGITS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		if (is_digit(in.data[i]) && n < EAN_DIGITS_MAX)
			ret[n++] = in.data[i];
		else if (is_digit(in.data[i]) || !strchr(" -.", in.data[i]))
			return 0;
	}
	return n;
}

enum clean_result clean_ean(struct str in, struct strbuf *out)
{
	char buf[EAN_DIGITS_MAX];
	const char *digits = buf;
	size_t n = ean_digits(in, buf);

	if (n == 14 && buf[0] == '0') { /* the same article with a packing digit of zero */
		digits++;
		n--;
	}
	if ((n != 8 && n != 12 && n != 13) || !ean_is_valid(digits, n))
		return CLEAN_BAD;
	if (n == 12)
		strbuf_addch(out, '0');
	strbuf_add(out, digits, n);
	return n == in.len && n != 12 ? CLEAN_OK : CLEAN_CORRECTED;
}

static bool is_currency(struct str s)
{
	static const char *const signs[] = {"$",   "US$", "\xE2\x82\xAC", "\xC2\xA3", "\xC2\xA5",
					    "EUR", "USD", "GBP",	  "CHF",      "JPY",
					    "PLN", "CAD", "AUD",	  "SEK"};

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (strlen(signs[i]) == s.len && strncasecmp(signs[i], s.data, s.len) == 0)
			return true;
	}
	return false;
}

/* Takes a currency and spaces from either end. What else is no digit stays, and is refused. */
static struct str amount_core(struct str s)
{
	size_t n = 0;

	while (n < s.len && !is_digit(s.data[n]) && !strchr("+-.,( ", s.data[n]))
		n++;
	if (n && is_currency((struct str){s.data, n}))
		s = str_trim((struct str){s.data + n, s.len - n});
	n = 0;
	while (n < s.len && !is_digit(s.data[s.len - 1 - n]) &&
	       !strchr(") .,", s.data[s.len - 1 - n]))
		n++;
	if (n && is_currency((struct str){s.data + s.len - n, n}))
		s = str_trim((struct str){s.data, s.len - n});
	return s;
}

/*
 * Which character is the decimal point: the last of "." and "," when both are there, or the only
 * one unless exactly three digits follow it and it is a comma or there are several ("1,299",
 * "1.299.000").
 */
static char decimal_point(struct str s)
{
	size_t points = 0, commas = 0, last = 0;

	for (size_t i = 0; i < s.len; i++) {
		points += s.data[i] == '.';
		commas += s.data[i] == ',';
		if (s.data[i] == '.' || s.data[i] == ',')
			last = i;
	}
	if (points + commas == 0)
		return 0;
	if (points && commas)
		return s.data[last];
	if (points + commas > 1 || (commas && s.len - last - 1 == 3))
		return 0;
	return s.data[last];
}

struct amount {
	int64_t value;
	int digits;
	int places; /* digits behind the decimal point; -1: before it */
	int group;  /* digits since the last separator of thousands */
	bool grouped, rounded;
};

/* Separators of thousands stand before groups of three. */
static bool amount_group_ends(const struct amount *a)
{
	return !a->grouped || a->group == 3;
}

static bool amount_separator(struct amount *a, char c)
{
	if (!strchr(",.' ", c) || a->places >= 0 || a->group == 0 || a->group > 3 ||
	    !amount_group_ends(a))
		return false;
	a->grouped = true;
	a->group = 0;
	return true;
}

static bool amount_digit(struct amount *a, char c)
{
	if (a->places >= 2) {
		a->value += a->places++ == 2 && c >= '5';
		a->rounded |= c != '0';
		return true;
	}
	a->value = a->value * 10 + (c - '0');
	a->group++;
	a->places += a->places >= 0;
	return a->digits++ < AMOUNT_DIGITS;
}

/* Digits with separators to hundredths; false when it is no amount. */
static bool amount_value(struct str s, char point, int64_t *ret, bool *ret_rounded)
{
	struct amount a = {.places = -1};

	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool ok;

		if (point && c == point) {
			ok = a.places < 0 && amount_group_ends(&a);
			a.places = 0;
		} else {
			ok = is_digit(c) ? amount_digit(&a, c) : amount_separator(&a, c);
		}
		if (!ok)
			return false;
	}
	if (a.places < 0 && !amount_group_ends(&a))
		return false;
	for (int missing = a.places < 0 ? 2 : 2 - a.places; missing > 0; missing--)
		a.value *= 10;
	*ret = a.value;
	*ret_rounded = a.rounded;
	return a.digits > 0;
}

/* Takes a sign from the amount, "+", "-" or the parentheses of bookkeepers; whether it is minus. */
static bool take_sign(struct str *s)
{
	bool negative;

	if (s->len > 2 && s->data[0] == '(' && s->data[s->len - 1] == ')') {
		*s = (struct str){s->data + 1, s->len - 2};
		return true;
	}
	if (s->len == 0 || (s->data[0] != '-' && s->data[0] != '+'))
		return false;
	negative = s->data[0] == '-';
	*s = amount_core((struct str){s->data + 1, s->len - 1});
	return negative;
}

/* Whether it is written as we write amounts: a minus or none, digits, one point between digits. */
static bool is_plain_amount(struct str s)
{
	size_t points = 0;

	if (s.len && s.data[0] == '-')
		s = (struct str){s.data + 1, s.len - 1};
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '.' && i > 0 && i + 1 < s.len)
			points++;
		else if (!is_digit(s.data[i]))
			return false;
	}
	return points <= 1;
}

enum clean_result clean_decimal(struct str in, int64_t *ret_hundredths)
{
	struct str s = amount_core(in);
	bool negative = take_sign(&s), rounded;

	if (s.len == 0 || !amount_value(s, decimal_point(s), ret_hundredths, &rounded))
		return CLEAN_BAD;
	if (negative)
		*ret_hundredths = -*ret_hundredths;
	return is_plain_amount(in) && !rounded ? CLEAN_OK : CLEAN_CORRECTED;
}

enum clean_result clean_integer(struct str in, int64_t *ret)
{
	const char *slash = in.len ? memchr(in.data, '/', in.len) : NULL;
	int64_t hundredths;

	if (in.len && in.len <= 19 && parse_int64(in, INT64_MIN, INT64_MAX, ret, NULL) == 0)
		return is_digit(in.data[0]) || in.data[0] == '-' ? CLEAN_OK : CLEAN_CORRECTED;
	if (slash)
		in.len = (size_t)(slash - in.data);
	if (in.len == 0 || clean_decimal(in, &hundredths) == CLEAN_BAD || hundredths % 100)
		return CLEAN_BAD;
	*ret = hundredths / 100;
	return CLEAN_CORRECTED;
}

/* Whether the word of the list [w, w + n) is the text, case and separators aside. */
static bool is_same_word(struct str text, const char *w, size_t n)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < text.len && strchr(" -_", text.data[i]))
			i++;
		while (j < n && w[j] == '_')
			j++;
		if (i == text.len || j == n)
			return i == text.len && j == n;
		if (lower(text.data[i++]) != w[j++])
			return false;
	}
}

static bool find_choice(struct str text, const char *choices, struct strbuf *out)
{
	for (const char *w = choices; *w;) {
		size_t n = strcspn(w, "|");

		if (is_same_word(text, w, n)) {
			strbuf_add(out, w, n);
			return true;
		}
		w += n + (w[n] == '|');
	}
	return false;
}

enum clean_result clean_choice(struct str in, const char *choices, struct strbuf *out)
{
	static const char *const synonyms[][2] = {
	    {"canceled", "cancelled"}, {"complete", "delivered"},   {"completed", "delivered"},
	    {"dispatched", "shipped"}, {"sent", "shipped"},	    {"new", "pending"},
	    {"open", "pending"},       {"refunded", "returned"},    {"enabled", "active"},
	    {"disabled", "inactive"},  {"blocked", "inactive"},	    {"discontinued", "retired"},
	    {"product", "physical"},   {"goods", "physical"},	    {"office", "work"},
	    {"business", "work"},      {"private", "home"},	    {"invoice", "billing"},
	    {"delivery", "shipping"},  {"onsite", "on_site"},	    {"instore", "in_store"},
	    {"online", "remote"},      {"install", "installation"},
	};
	size_t start = out->len;

	if (find_choice(in, choices, out))
		return str_equal(in, (struct str){strbuf_str(out) + start, out->len - start})
			   ? CLEAN_OK
			   : CLEAN_CORRECTED;
	for (size_t i = 0; i < ARRAY_LEN(synonyms); i++) {
		if (is_same_word(in, synonyms[i][0], strlen(synonyms[i][0])) &&
		    find_choice(str_from(synonyms[i][1]), choices, out))
			return CLEAN_CORRECTED;
	}
	return CLEAN_BAD;
}

/* n letters in upper case; BAD when it is anything else. */
static enum clean_result code(struct str in, size_t n, struct strbuf *out)
{
	bool same = true;

	if (in.len != n)
		return CLEAN_BAD;
	for (size_t i = 0; i < n; i++) {
		if (!is_letter(in.data[i]))
			return CLEAN_BAD;
		same &= in.data[i] == upper(in.data[i]);
	}
	for (size_t i = 0; i < n; i++)
		strbuf_addch(out, upper(in.data[i]));
	return same ? CLEAN_OK : CLEAN_CORRECTED;
}

static enum clean_result from_list(struct str in, const char *const (*list)[2], size_t n,
				   struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(list[i][0]) == in.len && strncasecmp(list[i][0], in.data, in.len) == 0) {
			strbuf_addstr(out, list[i][1]);
			return CLEAN_CORRECTED;
		}
	}
	return CLEAN_BAD;
}

enum clean_result clean_country(struct str in, struct strbuf *out)
{
	static const char *const names[][2] = {
	    {"USA", "US"},
	    {"U.S.A.", "US"},
	    {"U.S.", "US"},
	    {"United States", "US"},
	    {"UK", "GB"},
	    {"U.K.", "GB"},
	    {"GBR", "GB"},
	    {"Great Britain", "GB"},
	    {"United Kingdom", "GB"},
	    {"England", "GB"},
	    {"Germany", "DE"},
	    {"Deutschland", "DE"},
	    {"DEU", "DE"},
	    {"France", "FR"},
	    {"FRA", "FR"},
	    {"Spain", "ES"},
	    {"España", "ES"},
	    {"ESP", "ES"},
	    {"Italy", "IT"},
	    {"Italia", "IT"},
	    {"ITA", "IT"},
	    {"Netherlands", "NL"},
	    {"The Netherlands", "NL"},
	    {"NLD", "NL"},
	    {"Austria", "AT"},
	    {"Österreich", "AT"},
	    {"Switzerland", "CH"},
	    {"Schweiz", "CH"},
	    {"Canada", "CA"},
	    {"CAN", "CA"},
	    {"Poland", "PL"},
	    {"Polska", "PL"},
	    {"Sweden", "SE"},
	    {"Sverige", "SE"},
	    {"Japan", "JP"},
	    {"JPN", "JP"},
	    {"China", "CN"},
	    {"CHN", "CN"},
	    {"Taiwan", "TW"},
	    {"South Korea", "KR"},
	    {"Korea", "KR"},
	    {"Brazil", "BR"},
	    {"Brasil", "BR"},
	    {"Mexico", "MX"},
	    {"México", "MX"},
	    {"Australia", "AU"},
	    {"India", "IN"},
	    {"Ireland", "IE"},
	    {"Belgium", "BE"},
	    {"Denmark", "DK"},
	    {"Norway", "NO"},
	    {"Finland", "FI"},
	    {"Portugal", "PT"},
	    {"Czechia", "CZ"},
	};
	enum clean_result r = from_list(in, names, ARRAY_LEN(names), out);

	return r == CLEAN_BAD ? code(in, 2, out) : r;
}

enum clean_result clean_currency(struct str in, struct strbuf *out)
{
	static const char *const signs[][2] = {
	    {"$", "USD"},  {"US$", "USD"},  {"€", "EUR"},    {"£", "GBP"},
	    {"zł", "PLN"}, {"CHF.", "CHF"}, {"euro", "EUR"}, {"dollar", "USD"},
	};
	enum clean_result r = from_list(in, signs, ARRAY_LEN(signs), out);

	return r == CLEAN_BAD ? code(in, 3, out) : r;
}

enum clean_result clean_locale(struct str in, struct strbuf *out)
{
	size_t start = out->len;

	if ((in.len != 2 && in.len != 5) || !is_letter(in.data[0]) || !is_letter(in.data[1]))
		return CLEAN_BAD;
	strbuf_addch(out, lower(in.data[0]));
	strbuf_addch(out, lower(in.data[1]));
	if (in.len == 5) {
		if (!strchr("-_", in.data[2]) || !is_letter(in.data[3]) || !is_letter(in.data[4])) {
			strbuf_truncate(out, start);
			return CLEAN_BAD;
		}
		strbuf_addch(out, '-');
		strbuf_addch(out, upper(in.data[3]));
		strbuf_addch(out, upper(in.data[4]));
	}
	return str_equal(in, (struct str){strbuf_str(out) + start, out->len - start})
		   ? CLEAN_OK
		   : CLEAN_CORRECTED;
}
