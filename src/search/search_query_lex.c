/*
 * A query as tokens: words, numbers, and the signs that mean something (currencies, comparisons,
 * inches). Unlike the terms of an index (search_analyzer.h) they keep what stands between them,
 * since "100-200", "27\"" and "-word" say something to the grammar; and they need no state, so that
 * any number of threads may understand queries. What both call a word is the same in spirit: NFKD,
 * case folded, accents and the possessive 's dropped.
 *
 * A word is also kept in singular, by rules that are wrong for some words ("lens") in the same way
 * on both sides: the names of categories are compared so.
 */
#include "search/search_query_int.h"

#include <utf8proc.h>

#include "base/banned.h"

#define NUMBER_MAX 15 /* characters; what a double holds exactly */

/* --- characters ------------------------------------------------------------------------------ */

static size_t next_char(struct str s, size_t at, utf8proc_int32_t *ret)
{
	utf8proc_ssize_t n;

	if ((unsigned char)s.data[at] < 0x80) {
		*ret = (unsigned char)s.data[at];
		return 1;
	}
	n = utf8proc_iterate((const utf8proc_uint8_t *)s.data + at, (utf8proc_ssize_t)(s.len - at),
			     ret);
	if (n > 0)
		return (size_t)n;
	*ret = -1;
	return 1;
}

static utf8proc_int32_t char_at(struct str s, size_t at)
{
	utf8proc_int32_t c = ' ';

	if (at < s.len)
		(void)next_char(s, at, &c);
	return c;
}

static bool is_digit(utf8proc_int32_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_word_char(utf8proc_int32_t c)
{
	if (c < 0x80)
		return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	switch ((unsigned)utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_ND:
		return true;
	default:
		return false;
	}
}

/* Marks of direction, joiners, the byte order mark: seen by nobody. */
static bool is_hidden(utf8proc_int32_t c)
{
	return c < 0x20 || c == 0x7F || (c >= 0x80 && c < 0xA0) ||
	       (utf8proc_category(c) == UTF8PROC_CATEGORY_CF) ||
	       (utf8proc_category(c) == UTF8PROC_CATEGORY_CO);
}

struct str query_clean(struct str s, struct arena *arena)
{
	struct strbuf b = STRBUF_INIT(4 * (size_t)SEARCH_QUERY_MAX);
	struct str ret;

	s = utf8_cut(s, SEARCH_QUERY_MAX);
	for (size_t i = 0; i < s.len;) {
		utf8proc_int32_t c;
		size_t n = next_char(s, i, &c);

		if (c < 0)
			strbuf_addstr(&b, UTF8_REPLACEMENT);
		else if (is_hidden(c))
			strbuf_addch(&b, ' ');
		else
			strbuf_add(&b, s.data + i, n);
		i += n;
	}
	ret = arena_str(arena, strbuf_slice(&b));
	strbuf_done(&b);
	return ret;
}

/* --- words that join ------------------------------------------------------------------------- */

static const struct {
	const char *word;
	enum query_class class;
} joining[] = {
    {"a", QUERY_DET},	   {"all", QUERY_DET},	 {"an", QUERY_DET},    {"any", QUERY_DET},
    {"her", QUERY_DET},	   {"his", QUERY_DET},	 {"its", QUERY_DET},   {"my", QUERY_DET},
    {"our", QUERY_DET},	   {"some", QUERY_DET},	 {"the", QUERY_DET},   {"their", QUERY_DET},
    {"these", QUERY_DET},  {"this", QUERY_DET},	 {"those", QUERY_DET}, {"your", QUERY_DET},
    {"about", QUERY_PREP}, {"as", QUERY_PREP},	 {"at", QUERY_PREP},   {"by", QUERY_PREP},
    {"for", QUERY_PREP},   {"from", QUERY_PREP}, {"in", QUERY_PREP},   {"into", QUERY_PREP},
    {"like", QUERY_PREP},  {"of", QUERY_PREP},	 {"on", QUERY_PREP},   {"per", QUERY_PREP},
    {"to", QUERY_PREP},	   {"via", QUERY_PREP},	 {"with", QUERY_PREP}, {"within", QUERY_PREP},
    {"and", QUERY_CONJ},   {"nor", QUERY_CONJ},	 {"or", QUERY_CONJ},   {"also", QUERY_AUX},
    {"are", QUERY_AUX},	   {"be", QUERY_AUX},	 {"but", QUERY_AUX},   {"can", QUERY_AUX},
    {"could", QUERY_AUX},  {"did", QUERY_AUX},	 {"do", QUERY_AUX},    {"does", QUERY_AUX},
    {"had", QUERY_AUX},	   {"has", QUERY_AUX},	 {"have", QUERY_AUX},  {"having", QUERY_AUX},
    {"i", QUERY_AUX},	   {"is", QUERY_AUX},	 {"it", QUERY_AUX},    {"just", QUERY_AUX},
    {"may", QUERY_AUX},	   {"me", QUERY_AUX},	 {"must", QUERY_AUX},  {"not", QUERY_AUX},
    {"only", QUERY_AUX},   {"other", QUERY_AUX}, {"shall", QUERY_AUX}, {"should", QUERY_AUX},
    {"so", QUERY_AUX},	   {"than", QUERY_AUX},	 {"that", QUERY_AUX},  {"then", QUERY_AUX},
    {"there", QUERY_AUX},  {"they", QUERY_AUX},	 {"too", QUERY_AUX},   {"was", QUERY_AUX},
    {"we", QUERY_AUX},	   {"were", QUERY_AUX},	 {"what", QUERY_AUX},  {"when", QUERY_AUX},
    {"where", QUERY_AUX},  {"which", QUERY_AUX}, {"who", QUERY_AUX},   {"whose", QUERY_AUX},
    {"will", QUERY_AUX},   {"would", QUERY_AUX}, {"you", QUERY_AUX},
};

static uint8_t class_of(struct str word)
{
	if (word.len > 6)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(joining); i++) {
		if (joining[i].word[0] == word.data[0] &&
		    str_equal(str_from(joining[i].word), word))
			return (uint8_t)joining[i].class;
	}
	return 0;
}

/* --- tokens ---------------------------------------------------------------------------------- */

struct lexer {
	struct query_text *q;
	struct str s;
	size_t at;
	enum query_gap gap;
	uint8_t quote, quotes; /* the open one, 0: none; how many there were */
	bool is_minus, quote_is_minus;
};

static void widen(struct lexer *l, enum query_gap gap)
{
	if (gap > l->gap)
		l->gap = gap;
}

static struct query_token *add_token(struct lexer *l, enum query_kind kind, size_t start)
{
	struct query_text *q = l->q;
	struct query_token *t = &q->t[q->n++];

	if (l->gap != QUERY_GLUED && q->len) {
		q->folded[q->len++] = ' ';
		q->singular[q->kin_len++] = ' ';
	}
	*t = (struct query_token){.kind = kind,
				  .start = (uint32_t)start,
				  .at = (uint16_t)q->len,
				  .kin = (uint16_t)q->kin_len,
				  .gap = l->gap,
				  .quote = l->quote,
				  .is_minus = l->quote ? l->quote_is_minus : l->is_minus};
	l->gap = QUERY_GLUED;
	l->is_minus = false;
	return t;
}

static void put(struct query_text *q, struct query_token *t, const char *bytes, size_t n)
{
	if (t->len + n > QUERY_WORD_MAX)
		return;
	memcpy(q->folded + q->len, bytes, n);
	q->len += n;
	t->len = (uint16_t)(t->len + n);
}

static void put_folded(struct query_text *q, struct query_token *t, utf8proc_int32_t c)
{
	utf8proc_int32_t parts[32];
	utf8proc_uint8_t bytes[4];
	utf8proc_ssize_t n;

	if (c < 0x80) {
		char ascii = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);

		t->is_upper |= ascii != c;
		put(q, t, &ascii, 1);
		return;
	}
	n = utf8proc_decompose_char(c, parts, (utf8proc_ssize_t)ARRAY_LEN(parts),
				    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
					UTF8PROC_STRIPMARK | UTF8PROC_IGNORE,
				    NULL);
	for (utf8proc_ssize_t i = 0; i < n && n <= (utf8proc_ssize_t)ARRAY_LEN(parts); i++)
		put(q, t, (const char *)bytes, (size_t)utf8proc_encode_char(parts[i], bytes));
}

/* "keyboards" is keyboard, "batteries" battery, "boxes" box, "glass" itself. */
static size_t singular_length(struct str w, bool *ret_is_y)
{
	const char *end = w.data + w.len;

	*ret_is_y = false;
	if (w.len < 3 || end[-1] != 's' || strchr("sui", end[-2]))
		return w.len;
	if (w.len > 4 && memcmp(end - 3, "ies", 3) == 0) {
		*ret_is_y = true;
		return w.len - 3;
	}
	if (w.len > 4 && end[-2] == 'e' &&
	    (end[-3] == 'x' || memcmp(end - 4, "sses", 4) == 0 || memcmp(end - 4, "ches", 4) == 0 ||
	     memcmp(end - 4, "shes", 4) == 0))
		return w.len - 2;
	return w.len - 1;
}

static size_t count(struct str w, bool (*is)(utf8proc_int32_t c))
{
	size_t n = 0;

	for (size_t i = 0; i < w.len; i++)
		n += is(w.data[i]);
	return n;
}

static bool is_number_char(utf8proc_int32_t c)
{
	return is_digit(c) || c == '.';
}

/* Digits, or digits and then letters, are a number; "digits, letters, digits" is a model. */
static void set_number(struct query_text *q, struct query_token *t)
{
	struct str w = {q->folded + t->at, t->len};
	size_t n = 0;

	if (!count(w, is_digit))
		return;
	t->kind = QUERY_MIXED;
	while (n < w.len && is_number_char(w.data[n]))
		n++;
	if (!n || n > NUMBER_MAX || count(w, is_number_char) != n ||
	    parse_double((struct str){w.data, n}, &t->number, NULL) < 0)
		return;
	t->has_number = true;
	t->letters = (uint16_t)n;
	t->kind = n == w.len ? QUERY_NUMBER : QUERY_MIXED;
}

static void end_word(struct lexer *l, struct query_token *t)
{
	struct query_text *q = l->q;
	struct str w = {q->folded + t->at, t->len};
	bool is_y = false;
	size_t n;

	t->end = (uint32_t)l->at;
	set_number(q, t);
	n = t->kind == QUERY_WORD ? singular_length(w, &is_y) : w.len;
	memcpy(q->singular + q->kin_len, w.data, n);
	q->kin_len += n;
	if (t->kind == QUERY_WORD && is_y)
		q->singular[q->kin_len++] = 'y';
	t->kin_len = (uint16_t)(q->kin_len - t->kin);
	t->class = t->kind == QUERY_WORD && w.len ? class_of(w) : 0;
}

/* Digits that follow a mark at `at`. */
static size_t digits_after(const struct lexer *l, size_t at)
{
	size_t n = 0;

	while (is_digit(char_at(l->s, at + 1 + n)))
		n++;
	return n;
}

/* A dot or a comma between digits: 3.0, 1,299 and 1,299.99 and 1.299,99, 99,90. */
static bool is_in_number(struct lexer *l, utf8proc_int32_t c, struct query_token *t)
{
	size_t digits = c == '.' || c == ',' ? digits_after(l, l->at) : 0;
	bool is_group =
	    digits == 3 &&
	    (c == ',' || (char_at(l->s, l->at + 4) == ',' && digits_after(l, l->at + 4)));

	if (!digits || (c == ',' && digits > 3))
		return false;
	if (!is_group)
		put(l->q, t, ".", 1);
	return true;
}

/* An apostrophe between letters; the possessive is left out. */
static bool is_in_word(struct lexer *l, utf8proc_int32_t c, size_t len)
{
	utf8proc_int32_t next = char_at(l->s, l->at + len);

	if ((c != '\'' && c != 0x2019) || !is_word_char(next))
		return false;
	if ((next == 's' || next == 'S') && !is_word_char(char_at(l->s, l->at + len + 1)))
		l->at++;
	return true;
}

static void lex_word(struct lexer *l)
{
	struct query_token *t = add_token(l, QUERY_WORD, l->at);
	bool is_after_digit = false;

	while (l->at < l->s.len) {
		utf8proc_int32_t c;
		size_t n = next_char(l->s, l->at, &c);

		if (is_word_char(c))
			put_folded(l->q, t, c);
		else if (!(is_after_digit ? is_in_number(l, c, t) : is_in_word(l, c, n)))
			break;
		is_after_digit = is_digit(c);
		l->at += n;
	}
	end_word(l, t);
}

/* --- signs and gaps -------------------------------------------------------------------------- */

static void add_sign(struct lexer *l, const char *text, size_t len)
{
	struct query_token *t = add_token(l, QUERY_SIGN, l->at);

	put(l->q, t, text, strlen(text));
	l->at += len;
	t->end = (uint32_t)l->at;
	memcpy(l->q->singular + l->q->kin_len, text, t->len);
	l->q->kin_len += t->len;
	t->kin_len = t->len;
}

static bool is_glued_to_number(const struct lexer *l)
{
	const struct query_token *last = l->q->n ? &l->q->t[l->q->n - 1] : NULL;

	return last && l->gap == QUERY_GLUED && last->has_number;
}

static const struct {
	const char *text;
	utf8proc_int32_t c;
	bool after_number; /* only glued to one */
} signs[] = {
    {"$", '$', false},
    {"\xe2\x82\xac", 0x20AC, false},
    {"\xc2\xa3", 0xA3, false},
    {"<", '<', false},
    {">", '>', false},
    {"<=", 0x2264, false},
    {">=", 0x2265, false},
    {"~", '~', false},
    {"~", 0x2248, false},
    {"=", '=', false},
    {"%", '%', true},
    {"+", '+', true},
    {"\"", '"', true},
    {"\"", 0x2033, true},
    {"\"", 0x201D, true},
    {"\xe2\x98\x85", 0x2605, false},
    {"\xe2\x98\x85", 0x2B50, false},
};

static bool lex_sign(struct lexer *l, utf8proc_int32_t c, size_t n)
{
	if (c == '\'' && is_glued_to_number(l) && char_at(l->s, l->at + 1) == '\'') {
		add_sign(l, "\"", 2);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (signs[i].c != c || (signs[i].after_number && !is_glued_to_number(l)))
			continue;
		if ((c == '<' || c == '>') && char_at(l->s, l->at + 1) == '=')
			add_sign(l, c == '<' ? "<=" : ">=", 2);
		else
			add_sign(l, signs[i].text, n);
		return true;
	}
	return false;
}

static bool is_closing(utf8proc_int32_t c)
{
	return c == '"' || c == 0x201D || c == 0x201C || c == 0xBB;
}

static bool closes_later(const struct lexer *l, size_t at)
{
	while (at < l->s.len) {
		utf8proc_int32_t c;

		at += next_char(l->s, at, &c);
		if (is_closing(c))
			return true;
	}
	return false;
}

static bool lex_quote(struct lexer *l, utf8proc_int32_t c, size_t n)
{
	bool is_opening = c == '"' || c == 0x201C || c == 0x201E || c == 0xAB;

	if (l->quote && is_closing(c)) {
		l->quote = 0;
	} else if (!l->quote && is_opening && l->quotes < UINT8_MAX && closes_later(l, l->at + n)) {
		l->quote = ++l->quotes;
		l->quote_is_minus = l->is_minus;
		l->is_minus = false;
	} else {
		return false;
	}
	widen(l, QUERY_SPACE);
	l->at += n;
	return true;
}

static bool is_minus(const struct lexer *l)
{
	utf8proc_int32_t next = char_at(l->s, l->at + 1);
	bool is_first = !l->at || strchr(" (", l->s.data[l->at - 1]);

	return is_first && !is_digit(next) &&
	       (is_word_char(next) || next == '"' || next == 0x201C || next == 0x201E);
}

static bool is_one_of(utf8proc_int32_t c, const char *ascii)
{
	return c > 0 && c < 128 && strchr(ascii, c);
}

static enum query_gap gap_of(const struct lexer *l, utf8proc_int32_t c)
{
	utf8proc_int32_t next = char_at(l->s, l->at + 1);
	bool is_dash = c == 0x2010 || c == 0x2011 || c == 0x2013 || c == 0x2014;

	if (is_dash || is_one_of(c, "-_"))
		return QUERY_HYPHEN;
	if (is_one_of(c, "/\\"))
		return QUERY_SLASH;
	if (c == ':')
		return QUERY_COLON;
	if (is_one_of(c, ",;!?()[]{}|"))
		return QUERY_BREAK;
	if (c != '.')
		return QUERY_SPACE;
	if (next == '.' || (l->at && l->s.data[l->at - 1] == '.'))
		return QUERY_DOTS;
	return l->gap == QUERY_GLUED && is_word_char(next) ? QUERY_SLASH : QUERY_BREAK;
}

void query_lex(struct str s, struct query_text *ret)
{
	struct lexer l = {.q = ret, .s = s, .gap = QUERY_BREAK};

	ret->s = s;
	ret->n = ret->len = ret->kin_len = 0;
	while (l.at < s.len && ret->n < ARRAY_LEN(ret->t)) {
		utf8proc_int32_t c;
		size_t n = next_char(s, l.at, &c);

		if (is_word_char(c)) {
			lex_word(&l);
			continue;
		}
		if ((!l.quote && lex_sign(&l, c, n)) || lex_quote(&l, c, n))
			continue;
		l.is_minus = c == '-' && is_minus(&l);
		widen(&l, gap_of(&l, c));
		l.at += n;
	}
}

struct str query_folded(const struct query_text *q, size_t first, size_t n)
{
	const struct query_token *a = &q->t[first], *b = &q->t[first + n - 1];

	return (struct str){q->folded + a->at, (size_t)(b->at + b->len - a->at)};
}

struct str query_singular(const struct query_text *q, size_t first, size_t n)
{
	const struct query_token *a = &q->t[first], *b = &q->t[first + n - 1];

	return (struct str){q->singular + a->kin, (size_t)(b->kin + b->kin_len - a->kin)};
}
