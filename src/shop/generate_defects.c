/*
 * Defects: what real feeds get wrong, put into rows on purpose, each noted in defects.csv with
 * file, line, column and kind. The kinds are those that cleaning knows (load_format.md); never made
 * is what makes a whole file unreadable (NUL bytes, unbalanced quotes, a wrong number of fields).
 *
 * Which rows are spoiled is drawn from the seed; the kinds of a file take turns, so that already
 * some dozens of spoiled rows hold every kind. A kind that does not fit a row (no letter with an
 * accent to spoil) leaves its turn to the next.
 */
#include "shop/generate_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

struct spoil {
	struct gen_row *row;
	struct str *field;
	uint64_t draw;	 /* picks the variant */
	struct str last; /* the same field of a former row; empty at first */
};

/* Changes the field; false when it cannot. */
typedef bool (*spoil_fn)(struct spoil *s);

static bool put(struct spoil *s, const char *text)
{
	*s->field = gen_row_keep(s->row, text, strlen(text));
	return true;
}

static bool put_parts(struct spoil *s, const char *before, const char *after)
{
	size_t start = s->row->used;

	(void)gen_row_keep(s->row, before, strlen(before));
	(void)gen_row_keep(s->row, s->field->data, s->field->len);
	(void)gen_row_keep(s->row, after, strlen(after));
	*s->field = (struct str){s->row->scratch + start, s->row->used - start};
	return true;
}

static bool spoil_empty(struct spoil *s)
{
	if (!s->field->len)
		return false;
	s->field->len = 0;
	return true;
}

static bool spoil_email(struct spoil *s)
{
	static const char *const at[] = {"(at)", "@@", " ", "@", "@"};
	const char *sign = s->field->len ? memchr(s->field->data, '@', s->field->len) : NULL;
	size_t variant = s->draw % 5;
	char text[300];
	int local, domain;

	if (!sign)
		return false;
	local = (int)(sign - s->field->data);
	domain = (int)s->field->len - local - 1;
	if (variant == 3)
		domain = 7; /* "example": no top level */
	if (variant == 4)
		(void)snprintf(text, sizeof(text), "Customer <%.*s>", STR_ARGS(*s->field));
	else
		(void)snprintf(text, sizeof(text), "%.*s%s%.*s", local, s->field->data, at[variant],
			       domain, sign + 1);
	return put(s, text);
}

static bool spoil_same_as_before(struct spoil *s)
{
	if (!s->last.len || str_equal(s->last, *s->field))
		return false;
	*s->field = gen_row_keep(s->row, s->last.data, s->last.len);
	return true;
}

/* ---- dates ---- */

struct moment {
	struct gen_date d;
	unsigned hour, minute, second;
	int64_t at;
	bool has_time;
};

static bool read_moment(struct str f, struct moment *m)
{
	char text[20] = "";
	int year;

	if (f.len != 10 && f.len != 19)
		return false;
	memcpy(text, f.data, f.len);
	m->hour = m->minute = m->second = 0;
	if (sscanf(text, "%4d-%2u-%2u %2u:%2u:%2u", &year, &m->d.month, &m->d.day, &m->hour,
		   &m->minute, &m->second) < 3)
		return false;
	m->d.year = year;
	m->has_time = f.len == 19;
	m->at = gen_day_from(year, m->d.month, m->d.day) * GEN_DAY + INT64_C(3600) * m->hour +
		INT64_C(60) * m->minute + m->second;
	return true;
}

static const char *const months[] = {"January",	  "February", "March",	  "April",
				     "May",	  "June",     "July",	  "August",
				     "September", "October",  "November", "December"};

#define DATE_SPOILER(name, condition, ...)                                                   \
	static bool name(struct spoil *s)                                                    \
	{                                                                                    \
		struct moment m;                                                             \
		char day[64], text[100];                                                     \
                                                                                             \
		if (!read_moment(*s->field, &m) || !(condition))                             \
			return false;                                                        \
		(void)snprintf(day, sizeof(day), __VA_ARGS__);                               \
		if (m.has_time && s->draw % 2)                                               \
			(void)snprintf(text, sizeof(text), "%s %02u:%02u:%02u", day, m.hour, \
				       m.minute, m.second);                                  \
		else                                                                         \
			(void)snprintf(text, sizeof(text), "%s", day);                       \
		return put(s, text);                                                         \
	}

DATE_SPOILER(date_year_slashes, true, "%d/%02u/%02u", m.d.year, m.d.month, m.d.day)
DATE_SPOILER(date_year_dots, true, "%d.%02u.%02u", m.d.year, m.d.month, m.d.day)
DATE_SPOILER(date_dots, true, "%02u.%02u.%d", m.d.day, m.d.month, m.d.year)
DATE_SPOILER(date_dashes, m.d.day > 12, "%02u-%02u-%d", m.d.day, m.d.month, m.d.year)
DATE_SPOILER(date_day_first, m.d.day > 12, "%02u/%02u/%d", m.d.day, m.d.month, m.d.year)
DATE_SPOILER(date_month_first, m.d.day > 12, "%02u/%02u/%d", m.d.month, m.d.day, m.d.year)
DATE_SPOILER(date_ambiguous, m.d.day <= 12 && m.d.day != m.d.month, "%02u/%02u/%d", m.d.day,
	     m.d.month, m.d.year)
DATE_SPOILER(date_words, true, "%u %s %d", m.d.day, months[m.d.month - 1], m.d.year)
DATE_SPOILER(date_words_short, true, "%u %.3s %d", m.d.day, months[m.d.month - 1], m.d.year)
DATE_SPOILER(date_words_us, true, "%s %u, %d", months[m.d.month - 1], m.d.day, m.d.year)
DATE_SPOILER(date_two_digit_year, m.d.day > 12, "%02u.%02u.%02d", m.d.day, m.d.month,
	     m.d.year % 100)

static bool date_compact(struct spoil *s)
{
	struct moment m;
	char text[64];

	if (!read_moment(*s->field, &m))
		return false;
	(void)snprintf(text, sizeof(text), "%d%02u%02u", m.d.year, m.d.month, m.d.day);
	return put(s, text);
}

static bool date_seconds(struct spoil *s)
{
	struct moment m;
	char text[64];

	if (!read_moment(*s->field, &m) || m.at < 100000000)
		return false;
	(void)snprintf(text, sizeof(text), "%" PRId64, m.at);
	return put(s, text);
}

static bool date_offset(struct spoil *s)
{
	struct moment m;
	struct gen_date d;
	char text[64];

	if (!read_moment(*s->field, &m) || !m.has_time)
		return false;
	m.at += 7200; /* the same moment, written two hours east */
	d = gen_date_of((int32_t)(m.at / GEN_DAY));
	(void)snprintf(text, sizeof(text), "%d-%02u-%02uT%02u:%02u:%02u+02:00", d.year, d.month,
		       d.day, (unsigned)(m.at / 3600 % 24), m.minute, m.second);
	return put(s, text);
}

static bool date_twelve_hours(struct spoil *s)
{
	struct moment m;
	char text[64];

	if (!read_moment(*s->field, &m) || !m.has_time)
		return false;
	(void)snprintf(text, sizeof(text), "%d-%02u-%02u %u:%02u %s", m.d.year, m.d.month, m.d.day,
		       m.hour % 12 ? m.hour % 12 : 12, m.minute, m.hour < 12 ? "AM" : "PM");
	return put(s, text);
}

static bool date_impossible(struct spoil *s)
{
	static const char *const dates[] = {"2025-02-30", "2024-13-01", "31.11.2024", "0000-00-00",
					    "soon"};

	return s->field->len && put(s, dates[s->draw % ARRAY_LEN(dates)]);
}

/* ---- texts ---- */

static unsigned decode2(const char *p)
{
	return (((unsigned char)p[0] & 0x1fU) << 6) | ((unsigned char)p[1] & 0x3fU);
}

/* Letters up to U+00FF become one byte; a text with others stays. */
static bool spoil_latin1(struct spoil *s)
{
	struct str f = *s->field;
	size_t start = s->row->used;
	bool has_any = false;

	for (size_t i = 0; i < f.len; i++) {
		unsigned char lead = (unsigned char)f.data[i];
		char ch = f.data[i];

		if (lead >= 0xc4)
			return false;
		if (lead >= 0xc2 && i + 1 < f.len) {
			ch = (char)decode2(f.data + i++);
			has_any = true;
		}
		(void)gen_row_keep(s->row, &ch, 1);
	}
	if (!has_any)
		return false;
	*s->field = (struct str){s->row->scratch + start, s->row->used - start};
	return true;
}

static bool spoil_latin1_text(struct spoil *s)
{
	static const char *const ends[] = {" Tr\xe8s bien.", " \xa1Gracias!", " Sch\xf6n.",
					   " Caf\xe9-proof."};

	if (!s->field->len)
		return false;
	return spoil_latin1(s) || put_parts(s, "", ends[s->draw % ARRAY_LEN(ends)]);
}

/* The character that Windows-1252 has for a byte of 0x80 to 0x9f; 0: none. */
static unsigned windows_1252(unsigned char byte)
{
	static const uint16_t table[32] = {
	    0x20ac, 0,	    0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
	    0x2039, 0x152,  0,	    0x17d,  0,	    0,	    0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	    0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0,	    0x17e,  0x178};

	return byte < 0xa0 ? table[byte - 0x80] : byte;
}

static void keep_utf8(struct gen_row *row, unsigned code)
{
	char out[3];

	if (code < 0x800) {
		out[0] = (char)(0xc0 | (code >> 6));
		out[1] = (char)(0x80 | (code & 0x3f));
		(void)gen_row_keep(row, out, 2);
		return;
	}
	out[0] = (char)(0xe0 | (code >> 12));
	out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
	out[2] = (char)(0x80 | (code & 0x3f));
	(void)gen_row_keep(row, out, 3);
}

/* UTF-8 read as Windows-1252 and written as UTF-8 once more. */
static bool spoil_mojibake(struct spoil *s)
{
	struct str f = *s->field;
	size_t start = s->row->used;
	bool has_any = false;

	for (size_t i = 0; i < f.len; i++) {
		unsigned char byte = (unsigned char)f.data[i];

		if (byte < 0x80) {
			(void)gen_row_keep(s->row, &f.data[i], 1);
			continue;
		}
		if (!windows_1252(byte))
			return false;
		keep_utf8(s->row, windows_1252(byte));
		has_any = true;
	}
	if (!has_any)
		return false;
	*s->field = (struct str){s->row->scratch + start, s->row->used - start};
	return true;
}

static bool spoil_mojibake_text(struct spoil *s)
{
	static const char *const ends[] = {" TrÃ¨s bien.", " Â¡Gracias!", " SchÃ¶n.",
					   " It doesnâ€™t disappoint."};

	if (!s->field->len)
		return false;
	return spoil_mojibake(s) || put_parts(s, "", ends[s->draw % ARRAY_LEN(ends)]);
}

static bool spoil_html(struct spoil *s)
{
	static const char *const before[] = {"<p>", "<b>", "", "<div class=\"text\">",
					     "<script>alert(1)</script>"};
	static const char *const after[] = {"</p>", "</b><br/>", " &amp; so on&nbsp;&hellip;",
					    "</div>", ""};
	size_t i = s->draw % ARRAY_LEN(before);

	return s->field->len && put_parts(s, before[i], after[i]);
}

static bool spoil_control(struct spoil *s)
{
	static const char *const signs[] = {"\x07", "\x1b[1m", "\x0b", "\x01\x02", "\x7f"};

	if (!s->field->len)
		return false;
	return s->draw & 8 ? put_parts(s, signs[s->draw % ARRAY_LEN(signs)], "")
			   : put_parts(s, "", signs[s->draw % ARRAY_LEN(signs)]);
}

static bool spoil_white_space(struct spoil *s)
{
	const char *gap = s->field->len ? memchr(s->field->data, ' ', s->field->len) : NULL;
	struct str tail;
	size_t start = s->row->used;

	if (!s->field->len)
		return false;
	if (!gap)
		return put_parts(s, "  ", " ");
	tail = (struct str){gap, s->field->len - (size_t)(gap - s->field->data)};
	(void)gen_row_keep(s->row, s->field->data, (size_t)(gap - s->field->data));
	(void)gen_row_keep(s->row, "   ", 3);
	(void)gen_row_keep(s->row, tail.data, tail.len);
	*s->field = (struct str){s->row->scratch + start, s->row->used - start};
	return true;
}

#define OVER_LONG_BYTES 420 /* above every limited text column that is spoiled this way */

static bool spoil_over_long(struct spoil *s)
{
	struct str f = *s->field;
	size_t start = s->row->used;

	if (!f.len || f.len > 300)
		return false;
	while (s->row->used - start < OVER_LONG_BYTES) {
		(void)gen_row_keep(s->row, f.data, f.len);
		(void)gen_row_keep(s->row, " ", 1);
	}
	*s->field = (struct str){s->row->scratch + start, s->row->used - start - 1};
	return true;
}

/* ---- numbers, keys, words ---- */

static bool spoil_rating(struct spoil *s)
{
	static const char *const ratings[] = {"0", "6", "-1", "10", "55"};

	return put(s, ratings[s->draw % ARRAY_LEN(ratings)]);
}

static bool spoil_reference(struct spoil *s)
{
	static const char *const keys[] = {"X-UNKNOWN-1", "C-9999999999", "GONE-4711"};

	return put(s, keys[s->draw % ARRAY_LEN(keys)]);
}

static bool spoil_negative(struct spoil *s)
{
	return s->field->len && s->field->data[0] != '-' && put_parts(s, "-", "");
}

static bool spoil_number(struct spoil *s)
{
	static const char *const numbers[] = {"n/a", "1O", "two", "1.2.3"};

	return s->field->len && put(s, numbers[s->draw % ARRAY_LEN(numbers)]);
}

static bool spoil_total(struct spoil *s)
{
	return s->field->len && put_parts(s, "1", ""); /* "12.05" becomes "112.05" */
}

static bool spoil_word(struct spoil *s)
{
	static const char *const words[] = {"unknown", "in progress", "???", "SENT"};

	return s->field->len && put(s, words[s->draw % ARRAY_LEN(words)]);
}

static bool spoil_ean(struct spoil *s)
{
	struct str copy;

	if (s->field->len != 13)
		return false;
	copy = gen_row_keep(s->row, s->field->data, s->field->len);
	s->row->scratch[s->row->used - 1] =
	    (char)('0' + (copy.data[12] - '0' + 1 + (char)(s->draw % 8)) % 10);
	*s->field = copy;
	return true;
}

/* A letter in the case of the variant: 0 upper, 2 lower, others as it is. */
static char in_case(char ch, size_t variant)
{
	if (variant == 0 && ch >= 'a' && ch <= 'z')
		return (char)(ch - 32);
	if (variant == 2 && ch >= 'A' && ch <= 'Z')
		return (char)(ch + 32);
	return ch;
}

/* "Acme Inc." -> "ACME INC.", "Acme  Inc", "acme inc", "Acme, Inc" */
static bool spoil_spelling(struct spoil *s)
{
	struct str f = *s->field;
	size_t start = s->row->used, variant = s->draw % 4;

	for (size_t i = 0; i < f.len; i++) {
		char ch = in_case(f.data[i], variant);

		if (ch == ' ' && variant == 3 && i > 1 && f.data[i - 1] != ',')
			(void)gen_row_keep(s->row, ",", 1);
		if (ch == ' ' && variant == 1)
			(void)gen_row_keep(s->row, " ", 1);
		if (ch != '.' || variant == 0)
			(void)gen_row_keep(s->row, &ch, 1);
	}
	if (str_equal((struct str){s->row->scratch + start, s->row->used - start}, f))
		return false;
	*s->field = (struct str){s->row->scratch + start, s->row->used - start};
	return true;
}

static bool spoil_nothing(struct spoil *s)
{
	return s->field->len > 0;
}

/* ---- which kinds a file can have ---- */

struct defect {
	const char *kind;
	uint32_t columns; /* bits: any of them */
	spoil_fn spoil;
};

#define C(n) (1U << (n))

#define DATE_DEFECTS(columns)                                                                   \
	{"date_year_slashes", columns, date_year_slashes}, {"date_dots", columns, date_dots},   \
	    {"date_day_first", columns, date_day_first},                                        \
	    {"date_month_first", columns, date_month_first},                                    \
	    {"date_ambiguous", columns, date_ambiguous}, {"date_words", columns, date_words},   \
	    {"date_words_short", columns, date_words_short},                                    \
	    {"date_words_us", columns, date_words_us}, {"date_compact", columns, date_compact}, \
	    {"date_seconds", columns, date_seconds},                                            \
	    {"date_two_digit_year", columns, date_two_digit_year},                              \
	    {"date_year_dots", columns, date_year_dots}, {"date_dashes", columns, date_dashes}, \
	{                                                                                       \
		"date_impossible", columns, date_impossible                                     \
	}

#define TIME_DEFECTS(columns)                                   \
	{"date_offset", columns, date_offset},                  \
	{                                                       \
		"date_twelve_hours", columns, date_twelve_hours \
	}

static const struct defect suppliers[] = {
    {GEN_KIND_SUPPLIER, C(0), spoil_spelling},
    {"email_malformed", C(1), spoil_email},
    {"email_missing", C(1), spoil_empty},
    {"white_space", C(0), spoil_white_space},
    {0},
};

static const struct defect products[] = {
    {"ean_duplicate", C(7), spoil_same_as_before},
    {"price_negative", C(8), spoil_negative},
    {"html", C(4) | C(6), spoil_html},
    {"supplier_spelling", C(2), spoil_spelling},
    {"ean_malformed", C(7), spoil_ean},
    {"over_long", C(4) | C(5), spoil_over_long},
    {"mojibake", C(6), spoil_mojibake_text},
    {"encoding", C(6), spoil_latin1_text},
    {"control_character", C(4) | C(6), spoil_control},
    {"date_impossible", C(14), date_impossible},
    {"date_dots", C(14), date_dots},
    {"number_malformed", C(8) | C(10), spoil_number},
    {"status_unknown", C(11), spoil_word},
    {GEN_KIND_TWICE, C(0), spoil_nothing},
    {0},
};

static const struct defect customers[] = {
    {"email_missing", C(3), spoil_empty},
    {"email_malformed", C(3), spoil_email},
    {"email_duplicate", C(3), spoil_same_as_before},
    {"encoding", C(1) | C(2), spoil_latin1},
    {"mojibake", C(1) | C(2), spoil_mojibake},
    {"control_character", C(1) | C(2), spoil_control},
    {"over_long", C(1) | C(2), spoil_over_long},
    {"html", C(1) | C(2), spoil_html},
    {"white_space", C(1) | C(2), spoil_white_space},
    DATE_DEFECTS(C(5) | C(6)),
    TIME_DEFECTS(C(6)),
    {"status_unknown", C(7), spoil_word},
    {GEN_KIND_TWICE, C(0), spoil_nothing},
    {0},
};

static const struct defect addresses[] = {
    {"encoding", C(4) | C(5) | C(6), spoil_latin1},
    {"mojibake", C(4) | C(5) | C(6), spoil_mojibake},
    {"reference_unknown", C(1), spoil_reference},
    {"control_character", C(4) | C(5), spoil_control},
    {"over_long", C(4) | C(5), spoil_over_long},
    {"white_space", C(4), spoil_white_space},
    {0},
};

static const struct defect orders[] = {
    DATE_DEFECTS(C(3)),
    TIME_DEFECTS(C(3)),
    {"reference_unknown", C(1), spoil_reference},
    {"status_unknown", C(4), spoil_word},
    {"total_wrong", C(5), spoil_total},
    {"number_malformed", C(5), spoil_number},
    {GEN_KIND_TWICE, C(0), spoil_nothing},
    {0},
};

static const struct defect items[] = {
    {"reference_unknown", C(0) | C(1), spoil_reference},
    {"number_malformed", C(2) | C(3), spoil_number},
    {"price_negative", C(3), spoil_negative},
    {GEN_KIND_TWICE, C(0), spoil_nothing},
    {0},
};

static const struct defect reviews[] = {
    {"rating_out_of_range", C(3), spoil_rating},
    {"html", C(4) | C(5), spoil_html},
    {"encoding", C(5), spoil_latin1_text},
    {"mojibake", C(5), spoil_mojibake_text},
    {"control_character", C(4) | C(5), spoil_control},
    {"over_long", C(4), spoil_over_long},
    {"reference_unknown", C(1) | C(2), spoil_reference},
    {"white_space", C(5), spoil_white_space},
    DATE_DEFECTS(C(6)),
    TIME_DEFECTS(C(6)),
    {GEN_KIND_TWICE, C(0), spoil_nothing},
    {0},
};

static const struct defect *const tables[SHOP_GENERATE_FILE_COUNT] = {
    [SHOP_GENERATE_FILE_SUPPLIERS] = suppliers, [SHOP_GENERATE_FILE_PRODUCTS] = products,
    [SHOP_GENERATE_FILE_CUSTOMERS] = customers, [SHOP_GENERATE_FILE_ADDRESSES] = addresses,
    [SHOP_GENERATE_FILE_ORDERS] = orders,	[SHOP_GENERATE_FILE_ITEMS] = items,
    [SHOP_GENERATE_FILE_REVIEWS] = reviews,
};

const char *gen_defect_kind(enum shop_generate_file which, size_t nth)
{
	const struct defect *t = tables[which];

	for (size_t i = 0; t && t[i].kind; i++)
		if (i == nth)
			return t[i].kind;
	return NULL;
}

/* A set bit of the mask, by the draw. */
static size_t pick_column(uint32_t columns, uint64_t draw)
{
	unsigned n = (unsigned)(draw % (unsigned)__builtin_popcount(columns));

	while (n--)
		columns &= columns - 1;
	return (size_t)__builtin_ctz(columns);
}

/* E-mail or EAN of the row, for the duplicates to come. */
static void remember(struct gen_defects *d, enum shop_generate_file which,
		     const struct gen_row *row)
{
	size_t column = which == SHOP_GENERATE_FILE_CUSTOMERS ? 3 : 7;

	if (which != SHOP_GENERATE_FILE_CUSTOMERS && which != SHOP_GENERATE_FILE_PRODUCTS)
		return;
	if (!row->fields[column].len)
		return;
	strbuf_clear(&d->last[which]);
	strbuf_add(&d->last[which], row->fields[column].data, row->fields[column].len);
}

/* Tries the kind on each of its columns, the drawn one first. */
static bool try_defect(struct gen_defects *d, enum shop_generate_file which, struct gen_row *row,
		       const struct defect *defect, uint64_t draw, size_t *ret_column)
{
	uint32_t columns = defect->columns;

	while (columns) {
		size_t column = pick_column(columns, draw);
		struct spoil s = {.row = row,
				  .field = &row->fields[column],
				  .draw = draw >> 8,
				  .last = strbuf_slice(&d->last[which])};

		if (defect->spoil(&s)) {
			*ret_column = column;
			return true;
		}
		columns &= ~C(column);
	}
	return false;
}

const char *gen_defect_apply(struct gen_defects *d, enum shop_generate_file which,
			     struct gen_row *row, uint64_t index, size_t *ret_column)
{
	uint64_t draw = gen_hash(d->seed, GEN_STREAM_DEFECT, ((uint64_t)which << 56) | index);
	const struct defect *t = tables[which];
	size_t n = 0;

	if (draw % 1000000 >= d->ppm) {
		remember(d, which, row);
		return NULL;
	}
	draw /= 1000000;
	while (t[n].kind)
		n++;
	for (size_t i = 0; i < n; i++) { /* what did not fit former rows */
		if ((d->owed[which] >> i) & 1 &&
		    try_defect(d, which, row, &t[i], draw, ret_column)) {
			d->owed[which] &= ~(UINT64_C(1) << i);
			return t[i].kind;
		}
	}
	for (size_t i = 0; i < n; i++) {
		size_t kind = d->turn[which]++ % n;

		if (try_defect(d, which, row, &t[kind], draw, ret_column))
			return t[kind].kind;
		d->owed[which] |= UINT64_C(1) << kind;
	}
	return NULL;
}
