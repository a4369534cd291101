/*
 * From text to terms: see search_analyzer.h.
 *
 * One pass, character by character. A word in hand is a list of units, each of letters or of
 * digits; a joiner between two units (hyphen, dot, apostrophe, underscore, plus, ampersand) makes a
 * compound, a change from letters to digits a mixed word, everything else ends the word. Then the
 * whole is emitted, and its units as pieces. Between digits a dot belongs to the number, a comma
 * if it groups thousands, a hyphen or an underscore joins, and other joiners part: 5'6 is no 56.
 * A compound of mixed parts gives those too: "HP-4550N" is hp4550n, hp, 4550n, 4550, n.
 *
 * A table of the 128 ASCII characters decides for nearly all text; runs are copied in lower case.
 * Other characters are decomposed and case folded by utf8proc, one at a time (NFKD; units that
 * are not ASCII are composed again at their end, so that they are NFKC). Accents are dropped, but
 * not every mark: in Devanagari or kana they are vowels and consonants.
 *
 * Scripts written without spaces (Han, kana, Thai, Lao, Khmer, Burmese) have one term a character,
 * with its marks: a query's characters find each other by their positions, as a phrase. Bigrams
 * would be more selective, and would not find a query of one character.
 *
 * Stems come from a cache of two ways, 64 bytes an entry: the stemmer costs about a microsecond,
 * and a catalogue says the same words again and again. It knows words without accents only, which
 * costs languages such as French some of their rules, and finds words typed without them.
 *
 * While a text is analysed, `bytes` may move, and `data` of the tokens holds offsets.
 *
 * Sources: Unicode annexes 15 (normalisation) and 29 (words), from which joiners depart on purpose.
 */
#include "search/search_analyzer.h"

#include "base/map.h"

#include <assert.h>
#include <libstemmer.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "base/banned.h"

#define UNITS_MAX	 16 /* of a word; a longer compound goes on as another word */
#define CACHE_ENTRIES	 ((size_t)1 << 15) /* 2 MiB: the words of a large catalogue, but the rare */
#define CACHE_WORD_MAX	 28		   /* bytes; longer words are rare and stemmed each time */
#define FRACTION_SLASH	 0x2044
#define NO_BREAK_JOINERS "-_" /* those that join numbers */

/* --- stems ----------------------------------------------------------------------------------- */

struct cached {
	uint32_t hash;
	uint8_t len, stem_len;		/* len 0: free */
	bool is_stop, begins;		/* the word begins with its stem, as most do */
	char bytes[2 * CACHE_WORD_MAX]; /* the word, and behind it the stem */
};
static_assert(sizeof(struct cached) == 64, "an entry is a cache line");

struct search_analyzer {
	struct sb_stemmer *stemmer; /* NULL: words are their own stems */
	bool is_english;
	struct cached *cache;
	char stem[SEARCH_TERM_MAX];
};

struct stem {
	struct str text; /* in the analyzer */
	bool is_stop, begins;
};

/* Sorted. Words that stand in nearly every text, less those that name things in a shop: "all in
 * one", "no", "off", "one", "up", "us" and "who" are not here. */
static const char *const stop_words[] = {
    "a",      "about", "also", "an",	"and",	 "any",	 "are",	 "as",	  "at",	  "be",	  "been",
    "but",    "by",    "can",  "could", "did",	 "do",	 "does", "for",	  "from", "had",  "has",
    "have",   "he",    "her",  "his",	"how",	 "i",	 "if",	 "in",	  "into", "is",	  "it",
    "its",    "just",  "me",   "my",	"not",	 "of",	 "on",	 "or",	  "our",  "s",	  "she",
    "should", "so",    "some", "such",	"than",	 "that", "the",	 "their", "them", "then", "there",
    "these",  "they",  "this", "those", "to",	 "was",	 "we",	 "were",  "what", "when", "where",
    "which",  "while", "will", "with",	"would", "you",	 "your",
};

static int compare_stop_word(const void *word, const void *entry)
{
	return str_compare(*(const struct str *)word, str_from(*(const char *const *)entry));
}

static bool is_stop_word(const struct search_analyzer *a, struct str word)
{
	return a->is_english && bsearch(&word, stop_words, ARRAY_LEN(stop_words),
					sizeof(stop_words[0]), compare_stop_word);
}

static struct str run_stemmer(struct search_analyzer *a, struct str word)
{
	const sb_symbol *stem;
	size_t len;

	if (!a->stemmer)
		return word;
	stem = sb_stemmer_stem(a->stemmer, (const sb_symbol *)word.data, (int)word.len);
	bug_if(!stem); /* out of memory */
	len = (size_t)sb_stemmer_length(a->stemmer);
	if (!len || len > SEARCH_TERM_MAX)
		return word;
	return (struct str){(const char *)stem, len};
}

static bool is_cached(const struct cached *c, uint32_t hash, struct str word)
{
	return c->hash == hash && c->len == word.len && memcmp(c->bytes, word.data, word.len) == 0;
}

static struct stem cached_stem(const struct cached *c)
{
	return (struct stem){{c->bytes + c->len, c->stem_len}, c->is_stop, c->begins};
}

/* `word` has 1 to SEARCH_TERM_MAX bytes. */
static struct stem stem_of(struct search_analyzer *a, struct str word)
{
	uint64_t hash = map_hash(word);
	size_t slot = (size_t)(hash >> 32) & (CACHE_ENTRIES - 1);
	struct cached *first = &a->cache[slot], *second = &a->cache[slot ^ 1];
	struct stem s;

	if (is_cached(first, (uint32_t)hash, word))
		return cached_stem(first);
	if (is_cached(second, (uint32_t)hash, word))
		return cached_stem(second);
	s.text = run_stemmer(a, word);
	s.is_stop = is_stop_word(a, word);
	s.begins = s.text.len <= word.len && memcmp(s.text.data, word.data, s.text.len) == 0;
	if (word.len > CACHE_WORD_MAX || s.text.len > CACHE_WORD_MAX) {
		memmove(a->stem, s.text.data, s.text.len);
		s.text.data = a->stem;
		return s;
	}
	*second = *first; /* what was asked for last is found first */
	first->hash = (uint32_t)hash;
	first->len = (uint8_t)word.len;
	first->stem_len = (uint8_t)s.text.len;
	first->is_stop = s.is_stop;
	first->begins = s.begins;
	memcpy(first->bytes, word.data, word.len);
	memcpy(first->bytes + word.len, s.text.data, s.text.len);
	return cached_stem(first);
}

/* --- tokens ---------------------------------------------------------------------------------- */

struct unit {
	uint32_t start, end; /* bytes of the text */
	uint16_t at, len;    /* in `bytes` of the scan */
	bool is_number;
	bool is_unicode; /* not all ASCII */
	bool is_grouped; /* a comma was dropped */
	bool is_full;	 /* what follows is cut off */
	char joiner;	 /* before it; 0: only the kind of character changed */
};

struct scan {
	struct search_analyzer *a;
	struct search_tokens *ret;
	struct str text;
	unsigned n;    /* units of the word in hand */
	char joiner;   /* behind the last one, 0 for none */
	bool is_alone; /* the word is one character, and marks may follow */
	size_t len;    /* of bytes */
	struct unit units[UNITS_MAX];
	char bytes[UNITS_MAX * SEARCH_TERM_MAX + 1]; /* of the units, without gaps */
};

/* Text of the tokens while it may move: fix_texts() makes a pointer of it. */
static const char *offset_as_pointer(size_t offset)
{
	return (const char *)(uintptr_t)offset;
}

static void fix_texts(struct search_tokens *t)
{
	const char *base = strbuf_str(&t->bytes);

	for (size_t i = 0; i < t->n; i++) {
		t->items[i].term.data = base + (uintptr_t)t->items[i].term.data;
		t->items[i].folded.data = base + (uintptr_t)t->items[i].folded.data;
	}
}

static struct str add_text(struct search_tokens *t, struct str s)
{
	size_t offset = t->bytes.len;

	strbuf_add(&t->bytes, s.data, s.len);
	return (struct str){offset_as_pointer(offset), s.len};
}

/* The units from `first` to before `end` as one token. */
static void emit(struct scan *s, unsigned first, unsigned end, enum search_token_kind kind,
		 bool is_piece)
{
	const struct unit *u = &s->units[first], *last = &s->units[end - 1];
	struct str folded = {s->bytes + u->at, (size_t)(last->at + last->len - u->at)};
	struct search_tokens *ret = s->ret;
	struct search_token *t;
	bool has_number = false;

	if (ret->n == ret->cap)
		mem_grow(&ret->items, &ret->cap, ret->n + 1, sizeof(*ret->items));
	t = &ret->items[ret->n++];
	folded = utf8_cut(folded, SEARCH_TERM_MAX);
	*t = (struct search_token){.folded = add_text(ret, folded),
				   .kind = kind,
				   .position = ret->positions + first,
				   .width = end - first,
				   .start = u->start,
				   .end = last->end,
				   .is_piece = is_piece};
	t->term = t->folded;
	for (unsigned i = first; i < end; i++)
		has_number |= s->units[i].is_number;
	if (!has_number) {
		struct stem stem = stem_of(s->a, folded);

		t->is_stop = stem.is_stop;
		if (stem.begins)
			t->term.len = stem.text.len;
		else
			t->term = add_text(ret, stem.text);
	}
}

static void emit_unit(struct scan *s, unsigned i, bool is_piece)
{
	emit(s, i, i + 1, s->units[i].is_number ? SEARCH_TOKEN_NUMBER : SEARCH_TOKEN_WORD,
	     is_piece);
}

/* The x of 1920x1080. */
static bool is_times(const struct scan *s, unsigned i)
{
	const struct unit *u = &s->units[i];

	return i > 0 && i + 1 < s->n && u->len == 1 && s->bytes[u->at] == 'x' && !u->joiner &&
	       u[-1].is_number && u[1].is_number && !u[1].joiner;
}

/* What stands between two joiners: its whole if it is a mixed one, and its units. */
static void emit_part(struct scan *s, unsigned first, unsigned end)
{
	if (end - first > 1 && end - first < s->n)
		emit(s, first, end, SEARCH_TOKEN_MIXED, true);
	for (unsigned i = first; i < end; i++) {
		if (!is_times(s, i))
			emit_unit(s, i, true);
	}
}

static void emit_compound(struct scan *s)
{
	unsigned first = 0;
	bool is_joined = false;

	for (unsigned i = 1; i < s->n; i++)
		is_joined |= s->units[i].joiner != 0;
	emit(s, 0, s->n, is_joined ? SEARCH_TOKEN_JOINED : SEARCH_TOKEN_MIXED, false);
	for (unsigned i = 1; i <= s->n; i++) {
		if (i < s->n && !s->units[i].joiner)
			continue;
		emit_part(s, first, i);
		first = i;
	}
}

/* --- the word in hand ------------------------------------------------------------------------ */

/* NFKC of what is NFKD already: Hangul, kana and the marks of Indic scripts. */
static void compose(struct scan *s, struct unit *u)
{
	utf8proc_int32_t buffer[4 * SEARCH_TERM_MAX + 1];
	utf8proc_ssize_t n =
	    utf8proc_decompose((const utf8proc_uint8_t *)s->bytes + u->at, u->len, buffer,
			       (utf8proc_ssize_t)ARRAY_LEN(buffer) - 1, UTF8PROC_COMPOSE);

	if (n <= 0 || n >= (utf8proc_ssize_t)ARRAY_LEN(buffer))
		return;
	n = utf8proc_reencode(buffer, n, UTF8PROC_COMPOSE);
	if (n <= 0 || n > u->len)
		return;
	memcpy(s->bytes + u->at, buffer, (size_t)n);
	u->len = (uint16_t)n;
	s->len = (size_t)u->at + u->len;
}

static void close_unit(struct scan *s)
{
	struct unit *u = &s->units[s->n - 1];

	if (u->joiner == '\'' && u->len == 1 && s->bytes[u->at] == 's') { /* driver's */
		s->n--;
		s->len--;
	} else if (u->is_unicode) {
		compose(s, u);
	}
}

static void end_word(struct scan *s)
{
	if (!s->n)
		return;
	close_unit(s);
	if (s->n == 1)
		emit_unit(s, 0, false);
	else
		emit_compound(s);
	s->ret->positions += s->n;
	s->n = 0;
	s->len = 0;
	s->joiner = 0;
	s->is_alone = false;
}

static void append(struct scan *s, const char *bytes, size_t n)
{
	struct unit *u = &s->units[s->n - 1];

	if (u->is_full || u->len + n > SEARCH_TERM_MAX) {
		u->is_full = true;
		return;
	}
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
	u->len = (uint16_t)(u->len + n);
}

/* Whether digits go on with the number before the joiner; a word that cannot go on ends. */
static bool goes_on_as_number(struct scan *s)
{
	if (s->joiner == '.')
		append(s, ".", 1);
	else if (s->joiner == ',')
		s->units[s->n - 1].is_grouped = true;
	else if (!strchr(NO_BREAK_JOINERS, s->joiner))
		end_word(s);
	return s->n && (s->joiner == '.' || s->joiner == ',');
}

/* The unit that a character of this kind goes into, a new one if need be. */
static struct unit *unit_for(struct scan *s, bool is_number, size_t start)
{
	if (s->is_alone)
		end_word(s);
	if (s->n) {
		struct unit *last = &s->units[s->n - 1];

		if (last->is_number == is_number && !s->joiner)
			return last;
		if (last->is_number && is_number && goes_on_as_number(s)) {
			s->joiner = 0;
			return last;
		}
	}
	if (s->n == UNITS_MAX)
		end_word(s);
	if (s->n)
		close_unit(s);
	s->units[s->n] = (struct unit){.start = (uint32_t)start,
				       .at = (uint16_t)s->len,
				       .is_number = is_number,
				       .joiner = s->n ? s->joiner : '\0'};
	s->joiner = 0;
	return &s->units[s->n++];
}

/* --- ASCII ----------------------------------------------------------------------------------- */

enum char_class { CHAR_OTHER, CHAR_LETTER, CHAR_DIGIT, CHAR_JOINER, CHAR_UNICODE };

#define LETTERS(first, last) [(first)...(last)] = CHAR_LETTER
static const uint8_t classes[256] = {
    LETTERS('a', 'z'),
    LETTERS('A', 'Z'),
    ['0' ... '9'] = CHAR_DIGIT,
    ['-'] = CHAR_JOINER,
    ['_'] = CHAR_JOINER,
    ['.'] = CHAR_JOINER,
    [','] = CHAR_JOINER,
    ['+'] = CHAR_JOINER,
    ['&'] = CHAR_JOINER,
    ['\''] = CHAR_JOINER,
    ['`'] = CHAR_JOINER,
    ['#'] = CHAR_JOINER,
    [0x80 ... 0xFF] = CHAR_UNICODE,
};

static enum char_class class_at(struct str text, size_t i)
{
	return i < text.len ? (enum char_class)classes[(unsigned char)text.data[i]] : CHAR_OTHER;
}

/* Letters or digits from `start` to before `end`, in lower case. */
static void put_run(struct scan *s, enum char_class class, size_t start, size_t end)
{
	struct unit *u = unit_for(s, class == CHAR_DIGIT, start);
	size_t n = end - start, room = (size_t)(SEARCH_TERM_MAX - u->len);
	const char *from = s->text.data + start;
	char *to = s->bytes + s->len;

	u->end = (uint32_t)end;
	if (u->is_full)
		return;
	if (n > room) {
		u->is_full = true;
		n = room;
	}
	for (size_t i = 0; i < n; i++) /* 'A' to 'a'; digits have that bit */
		to[i] = (char)(from[i] | 0x20);
	s->len += n;
	u->len = (uint16_t)(u->len + n);
}

/* Whether the comma at `i` and those behind it have three digits each: 1,000,000 but no 10,100,1000
 * and no 2,4. */
static bool is_thousands(struct str text, size_t i)
{
	do {
		for (size_t k = 1; k <= 3; k++) {
			if (class_at(text, i + k) != CHAR_DIGIT)
				return false;
		}
		i += 4;
		if (class_at(text, i) == CHAR_DIGIT)
			return false;
	} while (i < text.len && text.data[i] == ',' && class_at(text, i + 1) == CHAR_DIGIT);
	return true;
}

/* Whether the comma at `i` groups the digits of the number in hand. */
static bool can_group(const struct scan *s, size_t i)
{
	const struct unit *u = &s->units[s->n - 1];

	return u->is_number && (u->len <= 3 || u->is_grouped) &&
	       !memchr(s->bytes + u->at, '.', u->len) && is_thousands(s->text, i);
}

/* Marks that belong to the one letter before them: c++, c#, and the a+++ of an energy label.
 * Returns how many. */
static size_t name_marks(const struct scan *s, size_t i)
{
	size_t n = 0;

	if (s->n != 1 || s->joiner || s->units[0].is_number || s->units[0].len != 1)
		return 0;
	if (s->text.data[i] == '#')
		return 1;
	while (i + n < s->text.len && s->text.data[i + n] == '+')
		n++;
	return n >= 2 ? n : 0;
}

/* A joiner of the word in hand; returns how many bytes it took. */
static size_t join(struct scan *s, size_t i)
{
	char c = s->text.data[i];
	size_t marks;

	if (!s->n)
		return 1;
	marks = name_marks(s, i);
	if (marks) {
		for (size_t k = 0; k < marks; k++)
			append(s, &c, 1);
		s->units[0].end += (uint32_t)marks;
		end_word(s);
		return marks;
	}
	if (s->joiner || s->is_alone || c == '#' || (c == ',' && !can_group(s, i)))
		end_word(s);
	else
		s->joiner = c == '`' ? '\'' : c;
	return 1;
}

/* --- other characters ------------------------------------------------------------------------ */

/* Characters that decomposition leaves alone, or makes something else of. */
static int32_t look_alike(int32_t c)
{
	switch (c) {
	case 0x2010: /* hyphen */
	case 0x2011: /* that does not break */
		return '-';
	case 0x2018: /* single quotation marks, which apostrophes mostly are */
	case 0x2019:
	case 0x02BC: /* modifier letter apostrophe */
	case 0x00B4: /* acute accent by itself */
		return '\'';
	case 0x00D7: /* multiplication sign: 1920×1080 */
		return 'x';
	case 0x2122: /* trade mark and service mark, which would become letters */
	case 0x2120:
		return ' ';
	default:
		return c;
	}
}

/* Latin letters that have no decomposition, as they are typed without their keys. */
static const char *plain_letters(int32_t c)
{
	static const struct {
		int32_t c;
		const char *letters;
	} table[] = {
	    {0xE6, "ae"}, {0xF0, "d"},	{0xF8, "o"},  {0xFE, "th"},  {0x111, "d"},
	    {0x127, "h"}, {0x131, "i"}, {0x142, "l"}, {0x153, "oe"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table) && c >= table[i].c; i++) {
		if (c == table[i].c)
			return table[i].letters;
	}
	return NULL;
}

struct range {
	int32_t first, last;
};

static bool is_in(const struct range *ranges, size_t n, int32_t c)
{
	for (size_t i = 0; i < n && c >= ranges[i].first; i++) {
		if (c <= ranges[i].last)
			return true;
	}
	return false;
}

/* Accents of Latin, Greek and Cyrillic; points of Hebrew and Arabic. */
static bool is_accent(int32_t c)
{
	static const struct range ranges[] = {
	    {0x300, 0x36F},   {0x483, 0x489},	{0x591, 0x5BD},	  {0x5BF, 0x5BF},   {0x5C1, 0x5C2},
	    {0x5C4, 0x5C5},   {0x5C7, 0x5C7},	{0x610, 0x61A},	  {0x64B, 0x65F},   {0x670, 0x670},
	    {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE20, 0xFE2F},
	};

	return is_in(ranges, ARRAY_LEN(ranges), c);
}

/* Letters of scripts that have no spaces between words. */
static bool is_word_alone(int32_t c)
{
	static const struct range ranges[] = {
	    {0x0E00, 0x0EFF},			    /* Thai, Lao */
	    {0x1000, 0x109F},			    /* Burmese */
	    {0x1780, 0x17FF},			    /* Khmer */
	    {0x3005, 0x312F},			    /* kana, Bopomofo */
	    {0x31A0, 0x31FF},			    /* more of them */
	    {0x3400, 0x9FFF},			    /* Han */
	    {0xF900, 0xFAFF},	{0x1B000, 0x1B16F}, /* old kana */
	    {0x20000, 0x3FFFF},
	};

	return is_in(ranges, ARRAY_LEN(ranges), c);
}

static bool is_mark(utf8proc_category_t category)
{
	return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

static bool is_letter(utf8proc_category_t category)
{
	return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
	       category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

/* Digits of a script are ten characters in order. */
static char ascii_digit(int32_t c)
{
	int32_t value = 0;

	while (value < 9 && utf8proc_category(c - value - 1) == UTF8PROC_CATEGORY_ND)
		value++;
	return (char)('0' + value);
}

static void put_bytes(struct scan *s, bool is_number, struct str bytes, struct str source)
{
	struct unit *u;
	size_t start = (size_t)(source.data - s->text.data);

	u = unit_for(s, is_number, start);
	u->end = (uint32_t)(start + source.len);
	u->is_unicode |= bytes.data[0] & 0x80;
	append(s, bytes.data, bytes.len);
}

static void put_mark(struct scan *s, struct str bytes, struct str source)
{
	struct unit *u;

	if (!s->n || s->joiner || s->units[s->n - 1].is_number)
		return;
	u = &s->units[s->n - 1];
	append(s, bytes.data, bytes.len);
	u->is_unicode = true;
	u->end = (uint32_t)(source.data - s->text.data + (ptrdiff_t)source.len);
}

/* One ASCII character that another one became. */
static void put_ascii(struct scan *s, char c, struct str source)
{
	switch (classes[(unsigned char)c]) {
	case CHAR_LETTER:
	case CHAR_DIGIT:
		put_bytes(s, classes[(unsigned char)c] == CHAR_DIGIT, (struct str){&c, 1}, source);
		break;
	case CHAR_JOINER:
		if (s->n && !s->joiner && !s->is_alone && !strchr("#,", c))
			s->joiner = c == '`' ? '\'' : c;
		else
			end_word(s);
		break;
	default:
		end_word(s);
	}
}

/* One character of a decomposition, which stands for `source`. */
static void put_part(struct scan *s, int32_t c, struct str source)
{
	utf8proc_uint8_t encoded[4];
	struct str bytes = {(const char *)encoded, 0};
	utf8proc_category_t category = utf8proc_category(c);
	const char *letters = plain_letters(c);

	if (c < 0x80) {
		put_ascii(s, (char)c, source);
		return;
	}
	if (is_accent(c) || utf8proc_get_property(c)->ignorable)
		return;
	bytes.len = (size_t)utf8proc_encode_char(c, encoded);
	if (letters) {
		put_bytes(s, false, str_from(letters), source);
	} else if (category == UTF8PROC_CATEGORY_ND) {
		put_ascii(s, ascii_digit(c), source);
	} else if (is_mark(category)) {
		put_mark(s, bytes, source);
	} else if (is_letter(category)) {
		bool is_alone = is_word_alone(c);

		if (is_alone)
			end_word(s);
		put_bytes(s, false, bytes, source);
		s->is_alone = is_alone;
	} else {
		end_word(s);
	}
}

/* The parts of a fraction (½) are no digits of the number before it. */
static void put_parts(struct scan *s, const int32_t *parts, size_t n, struct str source)
{
	bool is_fraction = false;

	for (size_t i = 0; i < n; i++)
		is_fraction |= parts[i] == FRACTION_SLASH;
	if (is_fraction)
		end_word(s);
	for (size_t i = 0; i < n; i++)
		put_part(s, parts[i], source);
	if (is_fraction)
		end_word(s);
}

/* The character at `i`, which is not ASCII; returns how many bytes it has. */
static size_t put_unicode(struct scan *s, size_t i)
{
	utf8proc_int32_t parts[32]; /* the longest decomposition has 18 */
	utf8proc_int32_t c;
	utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)s->text.data + i,
						 (utf8proc_ssize_t)(s->text.len - i), &c),
			 n;
	int bound = 0;

	if (size <= 0) {
		end_word(s);
		return 1;
	}
	c = look_alike(c);
	n = utf8proc_decompose_char(c, parts, (utf8proc_ssize_t)ARRAY_LEN(parts),
				    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD,
				    &bound);
	if (n < 0 || n > (utf8proc_ssize_t)ARRAY_LEN(parts))
		end_word(s);
	else
		put_parts(s, parts, (size_t)n, (struct str){s->text.data + i, (size_t)size});
	return (size_t)size;
}

/* --- the interface --------------------------------------------------------------------------- */

static int unknown_language(const char *language, struct err *err)
{
	struct strbuf b = STRBUF_INIT(ERR_HINT_MAX / 2);
	int r;

	for (const char **name = sb_stemmer_list(); *name; name++)
		strbuf_addf(&b, "%s%s", b.len ? ", " : "", *name);
	err_set(err, ERR_INVALID_ARGUMENT, "there is no stemmer for the language \"%s\"", language);
	r = err_hint(err, "there are: %s", strbuf_str(&b));
	strbuf_done(&b);
	return r;
}

int search_analyzer_new(const char *language, struct search_analyzer **ret, struct err *err)
{
	_cleanup_(search_analyzer_freep) struct search_analyzer *a =
	    MEM_NEW(struct search_analyzer);

	if (language) {
		a->stemmer = sb_stemmer_new(language, NULL);
		if (!a->stemmer)
			return unknown_language(language, err);
	}
	a->is_english =
	    !language || str_starts(str_from(language), "en") || cstr_equal(language, "porter");
	a->cache = mem_alloc_array(CACHE_ENTRIES, sizeof(*a->cache));
	*ret = TAKE_PTR(a);
	return 0;
}

struct search_analyzer *search_analyzer_free(struct search_analyzer *a)
{
	if (!a)
		return NULL;
	sb_stemmer_delete(a->stemmer);
	mem_free(a->cache);
	mem_free(a);
	return NULL;
}

void search_tokens_done(struct search_tokens *t)
{
	mem_free(t->items);
	strbuf_done(&t->bytes);
	*t = (struct search_tokens){0};
}

void search_analyze(struct search_analyzer *a, struct str text, struct search_tokens *ret)
{
	struct scan s;

	s.a = a;
	s.ret = ret;
	s.text = (struct str){text.data, text.len < UINT32_MAX ? text.len : UINT32_MAX};
	s.n = 0;
	s.joiner = 0;
	s.is_alone = false;
	s.len = 0;
	ret->n = 0;
	ret->positions = 0;
	ret->bytes.max = SIZE_MAX / 4; /* as much as the text makes of it */
	strbuf_clear(&ret->bytes);
	for (size_t i = 0; i < s.text.len;) {
		enum char_class class = class_at(s.text, i);
		size_t end = i + 1;

		if (class == CHAR_LETTER || class == CHAR_DIGIT) {
			while (class_at(s.text, end) == class)
				end++;
			put_run(&s, class, i, end);
		} else if (class == CHAR_JOINER) {
			end = i + join(&s, i);
		} else if (class == CHAR_UNICODE) {
			end = i + put_unicode(&s, i);
		} else {
			end_word(&s);
		}
		i = end;
	}
	end_word(&s);
	fix_texts(ret);
}

struct str search_analyzer_stem(struct search_analyzer *a, struct str folded)
{
	folded = utf8_cut(folded, SEARCH_TERM_MAX);
	for (size_t i = 0; i < folded.len; i++) {
		if (class_at(folded, i) == CHAR_DIGIT) {
			memmove(a->stem, folded.data, folded.len);
			return (struct str){a->stem, folded.len};
		}
	}
	return folded.len ? stem_of(a, folded).text : (struct str){"", 0};
}
