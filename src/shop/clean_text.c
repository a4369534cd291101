/*
 * Text: wrong encodings, HTML, control characters, white space, normal form, length.
 *
 * Order matters. Bytes become characters first (an entity may stand beside broken bytes), then HTML
 * goes (entities may name spaces and control characters), then control characters and white space,
 * then composition, then the limit. Most fields of a feed are plain ASCII without anything to do;
 * one look over the bytes finds that out and copies them.
 *
 * Wrong encodings. Bytes that do not form UTF-8 are read as Windows-1252, one by one, so that a
 * text with both survives. UTF-8 that was read as Windows-1252 and written as UTF-8 again ("CafÃ©")
 * is found as a run of characters that Windows-1252 has, whose bytes form UTF-8. "CAFÉ®" is such a
 * run too, by chance; therefore two-byte forms count only with the lead bytes of Latin letters (C2
 * to C5), and those of Greek and Cyrillic only when the run gives two characters or more.
 */
#include "shop/clean.h"

#include "base/mem.h"

#include <utf8proc.h>

#include "base/banned.h"

#define MOJIBAKE_ROUNDS	   2   /* text that went wrong twice is known; three times is not */
#define MOJIBAKE_RUN_MAX   512 /* characters of a run that are looked at together */
#define ENTITY_NAME_MAX	   10
#define CODEPOINT_MAX	   0x10FFFF
#define CODEPOINT_REPLACED 0xFFFD

void clean_done(struct clean *c)
{
	strbuf_done(&c->a);
	strbuf_done(&c->b);
}

/* Windows-1252 0x80 to 0x9f; 0: not assigned, read as the control character of Latin-1. */
static const uint16_t cp1252[32] = {
    0x20AC, 0,	    0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,	    0x017D, 0,	    0,	    0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,	    0x017E, 0x0178,
};

static void add_codepoint(struct strbuf *out, uint32_t cp)
{
	char buf[4];
	utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)cp, (utf8proc_uint8_t *)buf);

	strbuf_add(out, buf, (size_t)n);
}

/* The character at s and its length in bytes; U+FFFD and 1 where the bytes form none. */
static uint32_t codepoint_at(const char *s, size_t left, size_t *ret_len)
{
	utf8proc_int32_t cp;
	utf8proc_ssize_t n;

	n = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)left, &cp);
	*ret_len = n > 0 ? (size_t)n : 1;
	return n > 0 ? (uint32_t)cp : CODEPOINT_REPLACED;
}

/* The byte that Windows-1252 has for a character above ASCII, -1 when none. */
static int cp1252_byte(uint32_t cp)
{
	if (cp >= 0x80 && cp <= 0xFF)
		return (int)cp;
	for (int i = 0; i < 32; i++) {
		if (cp1252[i] && cp1252[i] == cp)
			return 0x80 + i;
	}
	return -1;
}

static bool repair_bytes(struct str in, struct strbuf *out)
{
	bool changed = false;

	for (size_t i = 0; i < in.len;) {
		unsigned char c = (unsigned char)in.data[i];
		size_t n;

		(void)codepoint_at(in.data + i, in.len - i, &n);
		if (n > 1 || c < 0x80) {
			strbuf_add(out, in.data + i, n);
		} else {
			add_codepoint(out, c < 0xA0 && cp1252[c - 0x80] ? cp1252[c - 0x80] : c);
			changed = true;
		}
		i += n;
	}
	return changed;
}

/* Whether the bytes of a run are UTF-8 that nobody would write by chance; see the file's top. */
static bool is_mojibake(const char *bytes, size_t len)
{
	size_t chars = 0, doubtful = 0;

	for (size_t i = 0; i < len;) {
		size_t n;

		(void)codepoint_at(bytes + i, len - i, &n);
		if (n < 2)
			return false;
		if (n == 2 && (unsigned char)bytes[i] > 0xC5)
			doubtful++;
		chars++;
		i += n;
	}
	return chars > 0 && (doubtful == 0 || chars >= 2);
}

static bool repair_mojibake(struct str in, struct strbuf *out)
{
	bool changed = false;

	for (size_t i = 0; i < in.len;) {
		if ((unsigned char)in.data[i] < 0x80) {
			strbuf_addch(out, in.data[i++]);
			continue;
		}
		char bytes[MOJIBAKE_RUN_MAX];
		size_t n = 0, end = i;

		while (end < in.len && (unsigned char)in.data[end] >= 0x80 && n < sizeof(bytes)) {
			size_t len;
			int byte = cp1252_byte(codepoint_at(in.data + end, in.len - end, &len));

			if (byte < 0)
				break;
			bytes[n++] = (char)byte;
			end += len;
		}
		if (n > 1 && is_mojibake(bytes, n)) {
			strbuf_add(out, bytes, n);
			changed = true;
		} else if (n) {
			strbuf_add(out, in.data + i, end - i);
		} else {
			size_t len;

			(void)codepoint_at(in.data + i, in.len - i, &len);
			strbuf_add(out, in.data + i, len);
			end = i + len;
		}
		i = end;
	}
	return changed;
}

static bool has_mojibake_lead(struct str s)
{
	/* Characters U+00C2 to U+00F4 are C3 82 to C3 B4 in UTF-8, and U+00C2 itself C3 82. */
	for (size_t i = 0; i + 3 < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i], d = (unsigned char)s.data[i + 1];

		if (c == 0xC3 && d >= 0x82 && d <= 0xB4 && (unsigned char)s.data[i + 2] >= 0x80)
			return true;
	}
	return false;
}

bool clean_encoding(struct str in, struct strbuf *out)
{
	size_t start = out->len;
	bool changed = false;

	if (utf8_is_valid(in.data, in.len))
		strbuf_add(out, in.data, in.len);
	else
		changed = repair_bytes(in, out);
	for (int round = 0; round < MOJIBAKE_ROUNDS; round++) {
		struct str now = {strbuf_str(out) + start, out->len - start};
		struct strbuf again = STRBUF_INIT(out->max);
		bool repaired = has_mojibake_lead(now) && repair_mojibake(now, &again);

		if (repaired) {
			strbuf_truncate(out, start);
			strbuf_add(out, again.data, again.len);
			changed = true;
		}
		strbuf_done(&again);
		if (!repaired)
			break;
	}
	return changed;
}

/* The entities that shops' texts hold; the others stay as they are. */
static const struct {
	const char *name;
	uint32_t cp;
} entities[] = {
    {"amp", '&'},      {"lt", '<'},	   {"gt", '>'},	      {"quot", '"'},	  {"apos", '\''},
    {"nbsp", 0xA0},    {"copy", 0xA9},	   {"reg", 0xAE},     {"trade", 0x2122},  {"deg", 0xB0},
    {"plusmn", 0xB1},  {"micro", 0xB5},	   {"middot", 0xB7},  {"frac12", 0xBD},	  {"frac14", 0xBC},
    {"frac34", 0xBE},  {"times", 0xD7},	   {"divide", 0xF7},  {"sup2", 0xB2},	  {"sup3", 0xB3},
    {"laquo", 0xAB},   {"raquo", 0xBB},	   {"ndash", 0x2013}, {"mdash", 0x2014},  {"lsquo", 0x2018},
    {"rsquo", 0x2019}, {"ldquo", 0x201C},  {"rdquo", 0x201D}, {"sbquo", 0x201A},  {"bdquo", 0x201E},
    {"bull", 0x2022},  {"hellip", 0x2026}, {"prime", 0x2032}, {"Prime", 0x2033},  {"euro", 0x20AC},
    {"pound", 0xA3},   {"yen", 0xA5},	   {"cent", 0xA2},    {"sect", 0xA7},	  {"le", 0x2264},
    {"ge", 0x2265},    {"ne", 0x2260},	   {"minus", 0x2212}, {"rarr", 0x2192},	  {"larr", 0x2190},
    {"auml", 0xE4},    {"ouml", 0xF6},	   {"uuml", 0xFC},    {"Auml", 0xC4},	  {"Ouml", 0xD6},
    {"Uuml", 0xDC},    {"szlig", 0xDF},	   {"eacute", 0xE9},  {"egrave", 0xE8},	  {"ecirc", 0xEA},
    {"euml", 0xEB},    {"Eacute", 0xC9},   {"agrave", 0xE0},  {"aacute", 0xE1},	  {"acirc", 0xE2},
    {"aring", 0xE5},   {"Aring", 0xC5},	   {"aelig", 0xE6},   {"oslash", 0xF8},	  {"Oslash", 0xD8},
    {"ccedil", 0xE7},  {"ntilde", 0xF1},   {"iacute", 0xED},  {"icirc", 0xEE},	  {"iuml", 0xEF},
    {"oacute", 0xF3},  {"ocirc", 0xF4},	   {"uacute", 0xFA},  {"ucirc", 0xFB},	  {"ugrave", 0xF9},
    {"zwnj", 0x200C},  {"ensp", 0x2002},   {"emsp", 0x2003},  {"thinsp", 0x2009}, {"shy", 0xAD},
    {"iexcl", 0xA1},   {"iquest", 0xBF},   {"ordm", 0xBA},    {"ordf", 0xAA},	  {"alpha", 0x3B1},
    {"beta", 0x3B2},   {"Omega", 0x3A9},   {"mu", 0x3BC},
};

/* The value of a digit to base 16 or below, UINT32_MAX when it is none. */
static uint32_t hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0');
	c |= 32;
	return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 : UINT32_MAX;
}

/* What browsers make of a number: &#150; is Windows-1252, a surrogate is nothing (0). */
static uint32_t browser_codepoint(uint32_t cp)
{
	if (cp >= 0x80 && cp < 0xA0 && cp1252[cp - 0x80])
		return cp1252[cp - 0x80];
	return cp >= 0xD800 && cp < 0xE000 ? 0 : cp;
}

/* The character of "#150" or "#x96", 0 when it is none. */
static uint32_t entity_number(const char *s, size_t len)
{
	uint32_t base = len > 1 && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	uint32_t cp = 0;

	for (size_t i = base == 16 ? 2 : 1; i < len; i++) {
		uint32_t digit = hex_digit(s[i]);

		if (digit >= base)
			return 0;
		cp = cp * base + digit;
		if (cp > CODEPOINT_MAX)
			return 0;
	}
	return browser_codepoint(cp);
}

/* Decodes the entity at s ("&name;"); returns its length, 0 when it is none. */
static size_t entity_decode(const char *s, size_t len, struct strbuf *out)
{
	size_t end = 1;
	uint32_t cp = 0;

	while (end < len && end <= ENTITY_NAME_MAX && s[end] != ';' && s[end] != '&')
		end++;
	if (end >= len || s[end] != ';' || end < 2)
		return 0;
	if (s[1] == '#')
		cp = entity_number(s + 1, end - 1);
	for (size_t i = 0; !cp && i < ARRAY_LEN(entities); i++) {
		if (strlen(entities[i].name) == end - 1 &&
		    memcmp(entities[i].name, s + 1, end - 1) == 0)
			cp = entities[i].cp;
	}
	if (!cp)
		return 0;
	add_codepoint(out, cp);
	return end + 1;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool tag_is(const char *name, size_t len, const char *const *list)
{
	for (; *list; list++) {
		if (strlen(*list) == len && strncasecmp(*list, name, len) == 0)
			return true;
	}
	return false;
}

/* Where the text goes on after `</name>` (of a script or style), or the end. */
static size_t skip_element(struct str in, size_t i, const char *name, size_t len)
{
	for (; i + len + 2 < in.len; i++) {
		if (in.data[i] == '<' && in.data[i + 1] == '/' &&
		    strncasecmp(in.data + i + 2, name, len) == 0) {
			const char *close = memchr(in.data + i, '>', in.len - i);

			return close ? (size_t)(close - in.data) + 1 : in.len;
		}
	}
	return in.len;
}

/*
 * Finds the name of the tag at in.data[i]. "<b" may end with a space, "/" or ">" only; "a<b" and
 * "x <y z" without ">" are text. Returns where the text goes on, `i` when it is no tag.
 */
static size_t find_tag(struct str in, size_t i, struct str *ret_name)
{
	size_t at = i + 1, name;
	const char *close;

	if (at < in.len && (in.data[at] == '/' || in.data[at] == '!'))
		at++;
	name = at;
	while (at < in.len &&
	       (is_letter(in.data[at]) || (at > name && in.data[at] >= '0' && in.data[at] <= '9')))
		at++;
	close = at > name ? memchr(in.data + at, '>', in.len - at) : NULL;
	if (!close || !strchr(" \t\r\n/>", in.data[at]))
		return i;
	*ret_name = (struct str){in.data + name, at - name};
	if (memchr(in.data + at, '<', (size_t)(close - in.data) - at))
		return i;
	return (size_t)(close - in.data) + 1;
}

static size_t skip_comment(struct str in, size_t i)
{
	const char *end = memmem(in.data + i, in.len - i, "-->", 3);

	return end ? (size_t)(end - in.data) + 3 : i;
}

/* Takes the tag at in.data[i]; returns where the text goes on, `i` when it is no tag. */
static size_t skip_tag(struct str in, size_t i, bool lines, struct strbuf *out)
{
	static const char *const breaks[] = {"br", "p",	    "li", "tr", "div",	   "ul",
					     "ol", "h1",    "h2", "h3", "h4",	   "h5",
					     "h6", "table", "dt", "dd", "section", NULL};
	static const char *const hidden[] = {"script", "style", NULL};
	static const char *const spaces[] = {"td", "th", NULL};
	struct str name = {NULL, 0};
	size_t next;

	if (in.len - i >= 4 && memcmp(in.data + i, "<!--", 4) == 0)
		return skip_comment(in, i);
	next = find_tag(in, i, &name);
	if (next == i)
		return i;
	if (in.data[i + 1] != '/' && tag_is(name.data, name.len, hidden))
		return skip_element(in, next, name.data, name.len);
	if (tag_is(name.data, name.len, breaks))
		strbuf_addch(out, lines ? '\n' : ' ');
	else if (tag_is(name.data, name.len, spaces))
		strbuf_addch(out, ' ');
	return next;
}

static bool plain_text(struct str in, bool lines, struct strbuf *out)
{
	bool changed = false;

	for (size_t i = 0; i < in.len;) {
		char c = in.data[i];
		size_t next = i;

		if (c == '<') {
			next = skip_tag(in, i, lines, out);
		} else if (c == '&') {
			next = i + entity_decode(in.data + i, in.len - i, out);
		}
		if (next > i) {
			changed = true;
			i = next;
		} else {
			strbuf_addch(out, c);
			i++;
		}
	}
	return changed;
}

/* What a character means for the shape of a text. */
enum shape { SHAPE_TEXT, SHAPE_SPACE, SHAPE_BREAK, SHAPE_NOTHING };

/* First and last character of a range and what it means; in order, no overlap. */
static const struct {
	uint32_t from, to;
	enum shape shape;
} shapes[] = {
    {0x00, 0x08, SHAPE_NOTHING},     {0x09, 0x09, SHAPE_SPACE},
    {0x0A, 0x0A, SHAPE_BREAK},	     {0x0B, 0x0C, SHAPE_NOTHING},
    {0x0D, 0x0D, SHAPE_SPACE},	     {0x0E, 0x1F, SHAPE_NOTHING},
    {0x20, 0x20, SHAPE_SPACE},	     {0x7F, 0x84, SHAPE_NOTHING},
    {0x85, 0x85, SHAPE_BREAK},	     {0x86, 0x9F, SHAPE_NOTHING},
    {0xA0, 0xA0, SHAPE_SPACE},	     {0xAD, 0xAD, SHAPE_NOTHING}, /* soft hyphen */
    {0x1680, 0x1680, SHAPE_SPACE},   {0x2000, 0x200A, SHAPE_SPACE},
    {0x200B, 0x200B, SHAPE_NOTHING}, {0x200E, 0x200F, SHAPE_NOTHING},
    {0x2028, 0x2029, SHAPE_BREAK},   {0x202A, 0x202E, SHAPE_NOTHING},
    {0x202F, 0x202F, SHAPE_SPACE},   {0x205F, 0x205F, SHAPE_SPACE},
    {0x2060, 0x2069, SHAPE_NOTHING}, {0x3000, 0x3000, SHAPE_SPACE},
    {0xFEFF, 0xFEFF, SHAPE_NOTHING}, {0xFFF0, 0xFFFC, SHAPE_NOTHING},
};

static enum shape shape_of(uint32_t cp)
{
	if (cp > 0x20 && cp < 0x7F)
		return SHAPE_TEXT;
	if ((cp & 0xFFFE) == 0xFFFE)
		return SHAPE_NOTHING; /* no characters, in every plane */
	for (size_t i = 0; i < ARRAY_LEN(shapes) && shapes[i].from <= cp; i++) {
		if (cp <= shapes[i].to)
			return shapes[i].shape;
	}
	return SHAPE_TEXT;
}

/* Drops control characters and settles white space. */
static unsigned settle(struct str in, bool lines, struct strbuf *out)
{
	unsigned changes = 0, spaces = 0, breaks = 0;
	size_t start = out->len;

	for (size_t i = 0, n; i < in.len; i += n) {
		uint32_t cp = codepoint_at(in.data + i, in.len - i, &n);
		enum shape shape = shape_of(cp);

		if (shape == SHAPE_NOTHING) {
			changes |= CLEAN_CONTROL;
		} else if (shape == SHAPE_BREAK) {
			breaks++;
		} else if (shape == SHAPE_SPACE) {
			spaces++;
		} else {
			if (out->len > start && breaks && lines)
				strbuf_add(out, "\n\n", breaks > 1 ? 2 : 1);
			else if (out->len > start && (spaces || breaks))
				strbuf_addch(out, ' ');
			spaces = breaks = 0;
			strbuf_add(out, in.data + i, n);
		}
	}
	if (!(changes & CLEAN_CONTROL) &&
	    (out->len - start != in.len || memcmp(strbuf_str(out) + start, in.data, in.len) != 0))
		changes |= CLEAN_SPACE;
	return changes;
}

static bool compose(struct strbuf *b, size_t start)
{
	utf8proc_uint8_t *nfc = NULL;
	utf8proc_ssize_t n;
	bool changed = false;

	n = utf8proc_map((const utf8proc_uint8_t *)b->data + start,
			 (utf8proc_ssize_t)(b->len - start), &nfc,
			 UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n >= 0 &&
	    ((size_t)n != b->len - start || memcmp(nfc, b->data + start, (size_t)n) != 0)) {
		strbuf_truncate(b, start);
		strbuf_add(b, nfc, (size_t)n);
		changed = true;
	}
	mem_free(nfc);
	return changed;
}

/* Cuts at a whole character, without white space at the end. */
static bool cut(struct strbuf *b, size_t start, const struct clean_text_options *options)
{
	size_t chars = 0, i = start;

	if ((!options->max_chars || b->len - start <= options->max_chars) &&
	    (!options->max_bytes || b->len - start <= options->max_bytes))
		return false;
	while (i < b->len) {
		size_t n;

		(void)codepoint_at(b->data + i, b->len - i, &n);
		if ((options->max_chars && chars == options->max_chars) ||
		    (options->max_bytes && i + n - start > options->max_bytes))
			break;
		i += n;
		chars++;
	}
	if (i == b->len)
		return false;
	while (i > start && (b->data[i - 1] == ' ' || b->data[i - 1] == '\n'))
		i--;
	strbuf_truncate(b, i);
	return true;
}

/* Printable ASCII without markup and with single inner spaces only: nothing to clean. */
static bool is_plain(struct str in, bool html, bool *ret_ascii)
{
	bool plain = true, after_space = true;

	*ret_ascii = true;
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.data[i];

		if (c >= 0x80) {
			*ret_ascii = false;
			return false;
		}
		if (c < 0x20 || c == 0x7F || (html && (c == '<' || c == '&')) ||
		    (c == ' ' && after_space))
			plain = false;
		after_space = c == ' ';
	}
	return plain && !(in.len && after_space);
}

unsigned clean_text(struct clean *c, struct str in, const struct clean_text_options *options,
		    struct strbuf *out)
{
	size_t start = out->len;
	unsigned changes = 0;
	bool ascii;

	if (is_plain(in, options->html, &ascii)) {
		strbuf_add(out, in.data, in.len);
	} else {
		strbuf_clear(&c->a);
		strbuf_clear(&c->b);
		if (!ascii && clean_encoding(in, &c->a)) {
			changes |= CLEAN_ENCODING;
			in = strbuf_slice(&c->a);
		}
		if (options->html &&
		    (memchr(in.data, '<', in.len) || memchr(in.data, '&', in.len)) &&
		    plain_text(in, options->lines, &c->b)) {
			changes |= CLEAN_HTML;
			in = strbuf_slice(&c->b);
		}
		changes |= settle(in, options->lines, out);
		if ((!ascii || changes) && out->len > start && compose(out, start))
			changes |= CLEAN_NFC;
		if (changes & CLEAN_HTML)
			changes &= ~(unsigned)CLEAN_SPACE; /* what tags leave behind */
	}
	if (cut(out, start, options))
		changes |= CLEAN_CUT;
	return changes;
}

void clean_fold(struct str in, struct strbuf *out)
{
	utf8proc_uint8_t *folded = NULL;
	utf8proc_ssize_t n;
	size_t start = out->len;
	bool gap = false;

	n = utf8proc_map((const utf8proc_uint8_t *)in.data, (utf8proc_ssize_t)in.len, &folded,
			 UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
			     UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
	for (size_t i = 0, step; n > 0 && i < (size_t)n; i += step) {
		uint32_t cp = codepoint_at((const char *)folded + i, (size_t)n - i, &step);
		utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)cp);

		if (cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_NO) {
			if (gap && out->len > start)
				strbuf_addch(out, ' ');
			gap = false;
			strbuf_add(out, folded + i, step);
		} else {
			gap = true;
		}
	}
	mem_free(folded);
}
