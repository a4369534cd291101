/*
 * How texts are folded, and how escapes are undone: see erase_match.h.
 *
 * ASCII goes by a table, a byte at a time; what is not goes to utf8proc. A character is decomposed
 * and not composed again, as equal texts are equal either way and composing costs as much again;
 * accents behind it are put into their canonical order.
 */
#include "govern/erase_match_int.h"

#include "base/mem.h"

#include <utf8proc.h>

#include "base/banned.h"

#define RUN_MAX	    256 /* characters that are put into order at once */
#define TEXT_BEFORE 6	/* bytes of text beside an escape */
#define TEXT_BEHIND 10
#define OF_ONE	    32 /* code points that one character may become: U+FDFA becomes 18 */

void erase_buffer_room(struct erase_buffer *b, size_t more)
{
	mem_grow(&b->data, &b->cap, b->len + more + 1, 1);
}

/* --- characters ------------------------------------------------------------------------------ */

static bool is_white(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void add_blank(struct erase_buffer *b, size_t from)
{
	if (b->len == from || b->data[b->len - 1] != ' ')
		b->data[b->len++] = ' ';
}

static int plain(int c)
{
	if (c == 0x2018 || c == 0x2019 || c == 0x201B || c == 0x02BC || c == 0x00B4)
		return '\'';
	if (c == 0x201C || c == 0x201D)
		return '"';
	return (c >= 0x2010 && c <= 0x2015) || c == 0x2212 ? '-' : c;
}

static void add_character(struct erase_buffer *b, size_t from, utf8proc_int32_t c)
{
	utf8proc_category_t category = utf8proc_category(c);

	c = plain(c);
	if (category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
	    category == UTF8PROC_CATEGORY_ZP || c == 0x85)
		add_blank(b, from);
	else
		b->len += (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)b->data + b->len);
}

/* Accents in their canonical order: a few, so insertion. */
static void order_accents(utf8proc_int32_t *c, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		utf8proc_int32_t moved = c[i];
		int class = utf8proc_get_property(moved)->combining_class;
		size_t at = i;

		while (class && at && utf8proc_get_property(c[at - 1])->combining_class > class) {
			c[at] = c[at - 1];
			at--;
		}
		c[at] = moved;
	}
}

static size_t decompose(utf8proc_int32_t c, utf8proc_int32_t *to)
{
	int boundary = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char(
	    plain(c), to, OF_ONE,
	    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE, &boundary);

	return n < 0 || n > OF_ONE ? 0 : (size_t)n;
}

/* A run that begins with a byte above ASCII; returns how much of it was taken. */
static size_t fold_run(struct erase_buffer *b, size_t from, struct str in)
{
	utf8proc_int32_t run[RUN_MAX + OF_ONE];
	size_t n = 0, at = 0;

	while (at < in.len && n < RUN_MAX && (unsigned char)in.data[at] >= 0x80) {
		utf8proc_int32_t c;
		utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)in.data + at,
							 (utf8proc_ssize_t)(in.len - at), &c);

		if (size <= 0)
			break;
		n += decompose(c, run + n);
		at += (size_t)size;
	}
	order_accents(run, n);
	erase_buffer_room(b, n * 4 + 1);
	for (size_t i = 0; i < n; i++)
		add_character(b, from, run[i]);
	if (at == 0) /* no UTF-8 */
		b->data[b->len++] = in.data[at++];
	return at;
}

/* What each becomes; 0: it is looked at. */
static const char of_ascii[128] = {
    0,	 1,   2,   3,	4,   5,	  6,   7,   8,	 0,   0,   0,	0,   0,	  14,  15,  16,	 17,  18,
    19,	 20,  21,  22,	23,  24,  25,  26,  27,	 28,  29,  30,	31,  0,	  '!', '"', '#', '$', 0,
    0,	 0,   '(', ')', '*', 0,	  ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6', '7', '8',
    '9', ':', ';', '<', '=', '>', '?', '@', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k',
    'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 0,   'y', 'z', '[', 0,	 ']', '^',
    '_', '`', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q',
    'r', 's', 't', 'u', 'v', 'w', 0,   'y', 'z', '{', '|', '}', '~', 127,
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of bytes that are no text, escapes would be everywhere by chance: more of it has to be text. */
static bool is_in_text(struct str text, size_t i)
{
	if (i < TEXT_BEFORE || text.len - i <= TEXT_BEHIND)
		return false;
	for (size_t j = i - TEXT_BEFORE; j <= i + TEXT_BEHIND; j++)
		if (text.data[j] < ' ' || text.data[j] > '~')
			return false;
	return true;
}

static bool may_be_escape(struct str text, size_t i)
{
	char next = i + 1 < text.len ? text.data[i + 1] : '\0';

	switch (text.data[i]) {
	case '%':
		return hex_digit(next) >= 0;
	case '&':
		return next == '#' || ((next | 0x20) >= 'a' && (next | 0x20) <= 'z');
	case '\'':
		return next == '\'';
	case 'x':
	case 'X':
		return next == '\'' || (i && text.data[i - 1] == '0');
	default:
		return true; /* backslash, plus */
	}
}

/* A byte of ASCII that the table has nothing for. */
static bool fold_special(struct erase_buffer *b, size_t from, struct str text, size_t i)
{
	unsigned char c = (unsigned char)text.data[i];

	if (c == '\0') {
		b->data[b->len++] = '\0';
		return false;
	}
	if (is_white(c)) {
		add_blank(b, from);
		return false;
	}
	b->data[b->len++] = (char)(c == 'X' ? 'x' : c);
	return may_be_escape(text, i);
}

/* Whether a character of UTF-8 may begin here: of bytes that are no text, few do. */
static bool may_begin(struct str text, size_t i)
{
	unsigned char c = (unsigned char)text.data[i];

	return c >= 0xC2 && c <= 0xF4 && i + 1 < text.len &&
	       ((unsigned char)text.data[i + 1] & 0xC0) == 0x80;
}

bool erase_buffer_fold(struct erase_buffer *b, struct str text, bool is_bytes)
{
	const size_t from = b->len;
	bool may_be_escaped = false;

	for (size_t i = 0; i < text.len;) {
		erase_buffer_room(b, text.len - i + 1);
		for (; i < text.len && !may_begin(text, i); i++) {
			unsigned char c = (unsigned char)text.data[i];
			char folded = c < 0x80 ? of_ascii[c] : (char)c;

			if (folded)
				b->data[b->len++] = folded;
			else if (fold_special(b, from, text, i))
				may_be_escaped |= !is_bytes || is_in_text(text, i);
		}
		if (i < text.len)
			i += fold_run(b, from, (struct str){text.data + i, text.len - i});
	}
	return may_be_escaped;
}

void erase_fold(struct strbuf *b, struct str text)
{
	_cleanup_(erase_buffer_done) struct erase_buffer folded = {0};

	(void)erase_buffer_fold(&folded, text, false);
	strbuf_add(b, folded.data, folded.len);
}

void erase_digits(struct strbuf *b, struct str text)
{
	_cleanup_(erase_buffer_done) struct erase_buffer folded = {0};

	(void)erase_buffer_fold(&folded, text, false);
	for (size_t i = 0; i < folded.len; i++)
		if (folded.data[i] >= '0' && folded.data[i] <= '9')
			strbuf_addch(b, folded.data[i]);
}

/* Whether the character is one of which words are made that end at an edge. */
static bool is_of_word(utf8proc_int32_t c)
{
	static const unsigned of_words = 1U << UTF8PROC_CATEGORY_LU | 1U << UTF8PROC_CATEGORY_LL |
					 1U << UTF8PROC_CATEGORY_LT | 1U << UTF8PROC_CATEGORY_LM |
					 1U << UTF8PROC_CATEGORY_LO | 1U << UTF8PROC_CATEGORY_MN |
					 1U << UTF8PROC_CATEGORY_MC | 1U << UTF8PROC_CATEGORY_ND |
					 1U << UTF8PROC_CATEGORY_NL | 1U << UTF8PROC_CATEGORY_NO;

	/* Thai, Chinese, Korean and others write on without a blank. */
	if (c >= 0x0E00 && !(c >= 0x10A0 && c < 0x1100) && !(c >= 0x1E00 && c < 0x2000))
		return false;
	return of_words >> utf8proc_category(c) & 1U;
}

static bool is_ascii_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

bool erase_word_begins(struct str in, size_t at)
{
	utf8proc_int32_t c;

	if (at >= in.len)
		return false;
	if ((unsigned char)in.data[at] < 0x80)
		return is_ascii_word((unsigned char)in.data[at]);
	return utf8proc_iterate((const utf8proc_uint8_t *)in.data + at,
				(utf8proc_ssize_t)(in.len - at), &c) > 0 &&
	       is_of_word(c);
}

bool erase_word_ends(struct str in, size_t at)
{
	utf8proc_int32_t c;
	size_t start = at;

	if (at == 0)
		return false;
	if ((unsigned char)in.data[at - 1] < 0x80)
		return is_ascii_word((unsigned char)in.data[at - 1]);
	do
		start--;
	while (start && at - start < 4 && ((unsigned char)in.data[start] & 0xC0) == 0x80);
	return utf8proc_iterate((const utf8proc_uint8_t *)in.data + start,
				(utf8proc_ssize_t)(at - start),
				&c) == (utf8proc_ssize_t)(at - start) &&
	       is_of_word(c);
}

/* --- escapes --------------------------------------------------------------------------------- */

struct undoing {
	struct str in;
	size_t at;
	struct erase_buffer *out;
	bool is_changed;
};

/* The number of `n` digits at an offset; -1: they are not there. */
static int32_t hex_number(struct str in, size_t at, size_t n)
{
	int32_t value = 0;

	if (at > in.len || n > in.len - at)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int digit = hex_digit(in.data[at + i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static void put_character(struct undoing *u, int32_t c)
{
	if (c > 0 && utf8proc_codepoint_valid(c))
		u->out->len +=
		    (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)u->out->data + u->out->len);
	else
		u->out->data[u->out->len++] = ' ';
}

/* Each returns how many bytes were an escape, and has written what it stands for; 0: none. */
static size_t undo_percent(struct undoing *u)
{
	int32_t byte = hex_number(u->in, u->at + 1, 2);

	if (byte < 0)
		return 0;
	u->out->data[u->out->len++] = (char)byte;
	return 3;
}

/* \u and four digits; two of them where one is half a character. */
static size_t undo_unicode(struct undoing *u)
{
	int32_t c = hex_number(u->in, u->at + 2, 4), low;

	if (c < 0)
		return 0;
	if (c < 0xD800 || c > 0xDBFF) {
		put_character(u, c);
		return 6;
	}
	low = u->in.len - u->at >= 12 && u->in.data[u->at + 6] == '\\'
		  ? hex_number(u->in, u->at + 8, 4)
		  : -1;
	if (low < 0xDC00 || low > 0xDFFF) {
		put_character(u, 0);
		return 6;
	}
	put_character(u, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
	return 12;
}

static size_t undo_backslash(struct undoing *u)
{
	char next = u->at + 1 < u->in.len ? u->in.data[u->at + 1] : '\0';
	int32_t byte;

	if (next == 'u')
		return undo_unicode(u);
	if (next == 'x') {
		byte = hex_number(u->in, u->at + 2, 2);
		if (byte < 0)
			return 0;
		u->out->data[u->out->len++] = (char)byte;
		return 4;
	}
	if (next && strchr("ntrbfvZ0", next))
		u->out->data[u->out->len++] = ' ';
	else if (next && strchr("\"'\\/", next))
		u->out->data[u->out->len++] = next;
	else
		return 0;
	return 2;
}

/* U+00C0 to U+00FF, as HTML calls them. */
static const char *const letters[] = {
    "Agrave", "Aacute", "Acirc",  "Atilde", "Auml",   "Aring",	"AElig", "Ccedil",
    "Egrave", "Eacute", "Ecirc",  "Euml",   "Igrave", "Iacute", "Icirc", "Iuml",
    "ETH",    "Ntilde", "Ograve", "Oacute", "Ocirc",  "Otilde", "Ouml",	 "times",
    "Oslash", "Ugrave", "Uacute", "Ucirc",  "Uuml",   "Yacute", "THORN", "szlig",
    "agrave", "aacute", "acirc",  "atilde", "auml",   "aring",	"aelig", "ccedil",
    "egrave", "eacute", "ecirc",  "euml",   "igrave", "iacute", "icirc", "iuml",
    "eth",    "ntilde", "ograve", "oacute", "ocirc",  "otilde", "ouml",	 "divide",
    "oslash", "ugrave", "uacute", "ucirc",  "uuml",   "yacute", "thorn", "yuml",
};

static const struct entity {
	const char *name;
	int32_t c;
} entities[] = {
    {"amp", '&'},      {"quot", '"'},	  {"apos", '\''},    {"lt", '<'},	{"gt", '>'},
    {"nbsp", ' '},     {"commat", '@'},	  {"period", '.'},   {"lsquo", 0x2018}, {"rsquo", 0x2019},
    {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"ndash", 0x2013}, {"mdash", 0x2014}, {"shy", 0xAD},
    {"OElig", 0x152},  {"oelig", 0x153},  {"Scaron", 0x160}, {"scaron", 0x161}, {"Yuml", 0x178},
};

static int32_t number_of_entity(struct str name)
{
	bool is_hex = name.len > 1 && (name.data[1] == 'x' || name.data[1] == 'X');
	int32_t value = 0;

	if (is_hex)
		return name.len <= 8 ? hex_number(name, 2, name.len - 2) : -1;
	for (size_t i = 1; i < name.len; i++) {
		if (name.data[i] < '0' || name.data[i] > '9' || value > 0x10FFFF)
			return -1;
		value = value * 10 + (name.data[i] - '0');
	}
	return value;
}

static size_t undo_entity(struct undoing *u)
{
	const char *begin = u->in.data + u->at + 1;
	size_t most = u->in.len - u->at - 1 < 10 ? u->in.len - u->at - 1 : 10;
	const char *end = memchr(begin, ';', most);
	struct str name = {begin, end ? (size_t)(end - begin) : 0};
	int32_t c = -1;

	if (!name.len)
		return 0;
	if (name.data[0] == '#')
		c = number_of_entity(name);
	for (size_t i = 0; i < ARRAY_LEN(letters) && c < 0; i++)
		if (str_equal(name, str_from(letters[i])))
			c = 0xC0 + (int32_t)i;
	for (size_t i = 0; i < ARRAY_LEN(entities) && c < 0; i++)
		if (str_equal(name, str_from(entities[i].name)))
			c = entities[i].c;
	if (c < 0)
		return 0;
	put_character(u, c);
	return name.len + 2;
}

/* 0x and x' with whole bytes behind it, as SQL writes a text in hexadecimal. */
static size_t undo_hex(struct undoing *u)
{
	bool is_quoted = u->at + 1 < u->in.len && u->in.data[u->at + 1] == '\'';
	size_t at = u->at + 1 + is_quoted, n = 0;

	if (!is_quoted && (u->at == 0 || u->in.data[u->at - 1] != '0'))
		return 0;
	while (hex_number(u->in, at + n, 2) >= 0)
		n += 2;
	if (n < 6)
		return 0;
	u->out->data[u->out->len++] = ' ';
	for (size_t i = 0; i < n; i += 2)
		u->out->data[u->out->len++] = (char)hex_number(u->in, at + i, 2);
	return at + n - u->at;
}

static size_t undo_quote(struct undoing *u)
{
	if (u->at + 1 == u->in.len || u->in.data[u->at + 1] != '\'')
		return 0;
	u->out->data[u->out->len++] = '\'';
	return 2;
}

static size_t undo_plus(struct undoing *u)
{
	u->out->data[u->out->len++] = ' ';
	return 1;
}

static size_t undo_one(struct undoing *u)
{
	switch (u->in.data[u->at]) {
	case '%':
		return undo_percent(u);
	case '\\':
		return undo_backslash(u);
	case '&':
		return undo_entity(u);
	case 'x':
	case 'X':
		return undo_hex(u);
	case '\'':
		return undo_quote(u);
	case '+':
		return undo_plus(u);
	default:
		return 0;
	}
}

bool erase_buffer_undo(struct erase_buffer *b, struct str text)
{
	struct undoing u = {.in = text, .out = b};

	/* No escape is shorter than what it stands for. */
	erase_buffer_room(b, text.len + 4);
	while (u.at < text.len) {
		unsigned char c = (unsigned char)text.data[u.at];
		size_t n = c < 0x80 && !of_ascii[c] ? undo_one(&u) : 0;

		u.is_changed = u.is_changed || n;
		if (n)
			u.at += n;
		else
			b->data[b->len++] = text.data[u.at++];
	}
	return u.is_changed;
}

void erase_buffer_done(struct erase_buffer *b)
{
	mem_free(b->data);
	*b = (struct erase_buffer){0};
}
