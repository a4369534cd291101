/*
 * The tokenizer: see wordpiece.h.
 *
 * One pass over the text, character by character, without a normalised copy: a character is
 * dropped, ends the word, is a word of its own, or goes into the word in hand, decomposed (NFD) and
 * in lower case. A word that ends is cut into pieces at once. A table of ASCII decides for most
 * characters; the others ask utf8proc. Since marks of category Mn are dropped, what is left of
 * NFD's canonical order are the rare combining characters of other categories, sorted as they come.
 *
 * Pieces are found longest first. The hash of every prefix of the rest of the word comes out of one
 * pass, so that each try costs one look into an open table of 16-byte entries. Entries of
 * continuations ("##ing") are kept without the "##", under another seed. A word of L characters
 * costs O(L^2) looks at worst, and words have 100 characters at most: a longer one is [UNK], as in
 * the original, and is not kept.
 *
 * Source: the behaviour of the "BertNormalizer", "BertPreTokenizer" and "WordPiece" of the
 * tokenizers library, as its documentation and our oracle (tests/data/minilm) show it. Two traps:
 * its ranges of CJK leave out U+2B820..U+2B91F, and white space and control characters are sorted
 * out before the decomposition.
 */
#include "embed/wordpiece.h"

#include "base/file.h"
#include "base/mem.h"

#include <utf8proc.h>

#include "base/banned.h"

#define WORD_CHARS_MAX	100 /* of the original: longer words are [UNK] */
#define CHAR_BYTES_MAX	4
#define TOKEN_BYTES_MAX ((size_t)WORD_CHARS_MAX * CHAR_BYTES_MAX)
#define HASH_FACTOR	0x9E3779B97F4A7C15ull /* 2^64 / golden ratio: spreads into the high bits */
#define SEED_WORD	0x243F6A8885A308D3ull /* any two numbers: these are digits of pi */
#define SEED_CONTINUED	0x13198A2E03707344ull
#define NO_TOKEN	UINT32_MAX

struct entry {
	uint32_t start;	   /* in `text`, of the piece without "##" */
	uint32_t id;	   /* NO_TOKEN: free */
	uint32_t hash;	   /* low bits; the slot is made of the high ones */
	uint16_t len;	   /* of the piece without "##" */
	bool is_continued; /* stood with "##" */
};

enum special { SPECIAL_PAD, SPECIAL_UNK, SPECIAL_CLS, SPECIAL_SEP, SPECIAL_MASK, SPECIAL_COUNT };

static const char *const special_names[SPECIAL_COUNT] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]",
							 "[MASK]"};

struct wordpiece {
	char *text;
	struct str *tokens; /* by id; slices of `text` */
	size_t n_tokens;
	struct entry *entries;
	unsigned shift; /* a slot is hash >> shift */
	size_t mask;
	size_t piece_bytes_max; /* of the longest entry */
	uint32_t special[SPECIAL_COUNT];
};

/* --- the table ------------------------------------------------------------------------------- */

static inline uint64_t hash_step(uint64_t h, unsigned char c)
{
	return (((h << 5) | (h >> 59)) ^ c) * HASH_FACTOR;
}

static uint64_t hash_of(uint64_t seed, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		seed = hash_step(seed, (unsigned char)s.data[i]);
	return seed;
}

static struct entry *find(const struct wordpiece *w, uint64_t hash, struct str piece,
			  bool is_continued)
{
	size_t slot = (size_t)(hash >> w->shift);

	for (;; slot = (slot + 1) & w->mask) {
		struct entry *e = &w->entries[slot];

		if (e->id == NO_TOKEN || (e->hash == (uint32_t)hash && e->len == piece.len &&
					  e->is_continued == is_continued &&
					  memcmp(w->text + e->start, piece.data, piece.len) == 0))
			return e;
	}
}

static void make_table(struct wordpiece *w)
{
	unsigned bits = 4;

	while (((size_t)1 << bits) < 2 * w->n_tokens)
		bits++;
	w->shift = 64 - bits;
	w->mask = ((size_t)1 << bits) - 1;
	w->entries = mem_alloc_array((size_t)1 << bits, sizeof(*w->entries));
	for (size_t i = 0; i <= w->mask; i++)
		w->entries[i].id = NO_TOKEN;
}

/* --- reading a vocabulary -------------------------------------------------------------------- */

static int add_token(struct wordpiece *w, const char *name, uint32_t id, struct err *err)
{
	struct str piece = w->tokens[id];
	bool is_continued = str_starts(piece, "##") && piece.len > 2;
	struct entry *e;
	uint64_t hash;

	if (!piece.len)
		return err_set(err, ERR_CORRUPTED, "%s:%u: an empty token", name, id + 1);
	if (!utf8_is_valid(piece.data, piece.len))
		return err_set(err, ERR_CORRUPTED, "%s:%u: the token is not UTF-8", name, id + 1);
	if (is_continued)
		piece = (struct str){piece.data + 2, piece.len - 2};
	if (piece.len > TOKEN_BYTES_MAX)
		return err_set(err, ERR_CORRUPTED,
			       "%s:%u: the token has %zu bytes, and no word has above %zu", name,
			       id + 1, piece.len, TOKEN_BYTES_MAX);
	hash = hash_of(is_continued ? SEED_CONTINUED : SEED_WORD, piece);
	e = find(w, hash, piece, is_continued);
	if (e->id != NO_TOKEN)
		return err_set(err, ERR_CORRUPTED, "%s:%u: the token stands in line %u already",
			       name, id + 1, e->id + 1);
	*e = (struct entry){.start = (uint32_t)(piece.data - w->text),
			    .id = id,
			    .hash = (uint32_t)hash,
			    .len = (uint16_t)piece.len,
			    .is_continued = is_continued};
	if (piece.len > w->piece_bytes_max)
		w->piece_bytes_max = piece.len;
	return 0;
}

static void split_lines(struct wordpiece *w, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i < w->n_tokens; i++) {
		const char *end = memchr(w->text + start, '\n', len - start);
		size_t stop = end ? (size_t)(end - w->text) : len;

		w->tokens[i] = (struct str){w->text + start, stop - start};
		start = stop + 1;
	}
}

static int find_specials(struct wordpiece *w, const char *name, struct err *err)
{
	for (int i = 0; i < SPECIAL_COUNT; i++) {
		struct str s = str_from(special_names[i]);

		w->special[i] = find(w, hash_of(SEED_WORD, s), s, false)->id;
		if (w->special[i] == NO_TOKEN)
			return err_set(err, ERR_CORRUPTED, "%s: the token \"%s\" is missing", name,
				       special_names[i]);
	}
	return 0;
}

static size_t count_lines(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == '\n';
	return n + (text.len && text.data[text.len - 1] != '\n');
}

int wordpiece_parse(const char *name, struct str text, struct wordpiece **ret, struct err *err)
{
	_cleanup_(wordpiece_freep) struct wordpiece *w = MEM_NEW(struct wordpiece);
	size_t n = count_lines(text);
	int r = 0;

	if (n > WORDPIECE_TOKENS_MAX || text.len > WORDPIECE_FILE_MAX)
		return err_set(err, ERR_LIMIT,
			       "%s: %zu tokens in %zu bytes, allowed are %zu in %zu bytes", name, n,
			       text.len, WORDPIECE_TOKENS_MAX, WORDPIECE_FILE_MAX);
	w->text = mem_dup(text.data, text.len);
	w->tokens = mem_alloc_array(n, sizeof(*w->tokens));
	w->n_tokens = n;
	split_lines(w, text.len);
	make_table(w);
	for (uint32_t id = 0; id < n && r == 0; id++)
		r = add_token(w, name, id, err);
	if (r == 0)
		r = find_specials(w, name, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

int wordpiece_open(const char *path, struct wordpiece **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(WORDPIECE_FILE_MAX);
	int r = file_read(path, &b, err);

	return r < 0 ? r : wordpiece_parse(path, strbuf_slice(&b), ret, err);
}

struct wordpiece *wordpiece_free(struct wordpiece *w)
{
	if (!w)
		return NULL;
	mem_free(w->entries);
	mem_free(w->tokens);
	mem_free(w->text);
	mem_free(w);
	return NULL;
}

size_t wordpiece_size(const struct wordpiece *w)
{
	return w->n_tokens;
}

struct str wordpiece_token(const struct wordpiece *w, uint32_t id)
{
	bug_if(id >= w->n_tokens);
	return w->tokens[id];
}

/* --- one text -------------------------------------------------------------------------------- */

struct scan {
	const struct wordpiece *w;
	uint32_t *ids;
	size_t n, max; /* ids so far, and how many may be there before [SEP] */
	unsigned
	    length; /* characters of the word in hand; above WORD_CHARS_MAX: they are not kept */
	int32_t word[WORD_CHARS_MAX];
};

static void emit(struct scan *s, uint32_t id)
{
	if (s->n < s->max)
		s->ids[s->n] = id;
	s->n++; /* beyond max too, so that a word can be taken back */
}

/* The word as bytes; stops[i] is where character i ends. */
static size_t word_bytes(const struct scan *s, char *bytes, uint16_t *stops)
{
	size_t len = 0;

	for (unsigned i = 0; i < s->length; i++) {
		if (s->word[i] < 0x80)
			bytes[len++] = (char)s->word[i];
		else
			len += (size_t)utf8proc_encode_char(s->word[i],
							    (utf8proc_uint8_t *)bytes + len);
		stops[i] = (uint16_t)len;
	}
	return len;
}

/* The longest piece that begins at character `first`; returns the character behind it, `first` when
 * there is none. */
static unsigned longest_piece(const struct scan *s, const char *bytes, const uint16_t *stops,
			      unsigned first, uint32_t *ret_id)
{
	const struct wordpiece *w = s->w;
	size_t start = first ? stops[first - 1] : 0, at = start;
	uint64_t hashes[WORD_CHARS_MAX];
	uint64_t hash = first ? SEED_CONTINUED : SEED_WORD;
	unsigned end = first;

	while (end < s->length && stops[end] - start <= w->piece_bytes_max) {
		for (; at < stops[end]; at++)
			hash = hash_step(hash, (unsigned char)bytes[at]);
		hashes[end++] = hash;
	}
	for (; end > first; end--) {
		struct str piece = {bytes + start, stops[end - 1] - start};

		*ret_id = find(w, hashes[end - 1], piece, first > 0)->id;
		if (*ret_id != NO_TOKEN)
			return end;
	}
	return first;
}

static void end_word(struct scan *s)
{
	char bytes[TOKEN_BYTES_MAX];
	uint16_t stops[WORD_CHARS_MAX];
	size_t before = s->n;
	uint32_t id = NO_TOKEN;

	if (s->length > WORD_CHARS_MAX) {
		emit(s, s->w->special[SPECIAL_UNK]);
	} else if (s->length) {
		(void)word_bytes(s, bytes, stops);
		for (unsigned at = 0; at < s->length;) {
			unsigned end = longest_piece(s, bytes, stops, at, &id);

			if (end == at) { /* a part that no piece fits: all of it is unknown */
				s->n = before;
				id = s->w->special[SPECIAL_UNK];
				end = s->length;
			}
			emit(s, id);
			at = end;
		}
	}
	s->length = 0;
}

static void add_to_word(struct scan *s, int32_t c)
{
	unsigned i = s->length;
	int class;

	if (i >= WORD_CHARS_MAX) {
		s->length = WORD_CHARS_MAX + 1;
		return;
	}
	class = c < 0x300 ? 0 : utf8proc_get_property(c)->combining_class;
	for (; class && i > 0; i--) { /* canonical order */
		if (utf8proc_get_property(s->word[i - 1])->combining_class <= class)
			break;
		s->word[i] = s->word[i - 1];
	}
	s->word[i] = c;
	s->length++;
}

static void add_alone(struct scan *s, int32_t c)
{
	end_word(s);
	add_to_word(s, c);
	end_word(s);
}

/* CJK ideographs, in the ranges of the original. */
static bool is_ideograph(int32_t c)
{
	static const struct {
		int32_t first, last;
	} ranges[] = {{0x3400, 0x4DBF},	  {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
		      {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
		      {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};

	for (size_t i = 0; i < ARRAY_LEN(ranges) && c >= ranges[i].first; i++)
		if (c <= ranges[i].last)
			return true;
	return false;
}

static bool is_ascii_punctuation(int32_t c)
{
	return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
	       (c >= '{' && c <= '~');
}

static bool is_punctuation(utf8proc_category_t category)
{
	return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

static bool is_space(utf8proc_category_t category)
{
	return category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP;
}

/* Control, format and private use. */
static bool is_dropped(utf8proc_category_t category, int32_t c)
{
	return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
	       category == UTF8PROC_CATEGORY_CO || c == 0xFFFD;
}

static void add_decomposed(struct scan *s, int32_t c)
{
	utf8proc_int32_t parts[8]; /* a canonical decomposition has four at most */
	int bound = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char(c, parts, (utf8proc_ssize_t)ARRAY_LEN(parts),
						     UTF8PROC_DECOMPOSE, &bound);

	for (utf8proc_ssize_t i = 0; i < n && i < (utf8proc_ssize_t)ARRAY_LEN(parts); i++) {
		utf8proc_category_t category = utf8proc_category(parts[i]);

		if (category == UTF8PROC_CATEGORY_MN)
			continue;
		if (is_punctuation(category) || (parts[i] < 0x80 && is_ascii_punctuation(parts[i])))
			add_alone(s, parts[i]);
		else
			add_to_word(s, utf8proc_tolower(parts[i]));
	}
}

static void add_char(struct scan *s, int32_t c)
{
	utf8proc_category_t category = utf8proc_category(c);

	if (is_dropped(category, c))
		return;
	if (is_space(category)) {
		end_word(s);
		return;
	}
	if (!is_ideograph(c)) {
		add_decomposed(s, c);
		return;
	}
	end_word(s);
	add_decomposed(s, c);
	end_word(s);
}

/* The special token that the text at p begins with, SPECIAL_COUNT for none. */
static enum special special_at(const char *p, size_t len)
{
	struct str rest = {p, len};
	int i = 0;

	while (i < SPECIAL_COUNT && !str_starts(rest, special_names[i]))
		i++;
	return (enum special)i;
}

/* One ASCII character; returns how many bytes it took (a special token has more). */
static size_t add_ascii(struct scan *s, const char *p, size_t len)
{
	unsigned char c = (unsigned char)*p;

	if (c == '[') {
		enum special special = special_at(p, len);

		if (special != SPECIAL_COUNT) {
			end_word(s);
			emit(s, s->w->special[special]);
			return strlen(special_names[special]);
		}
	}
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		end_word(s);
	else if (is_ascii_punctuation(c))
		add_alone(s, c);
	else if (c > ' ' && c != 0x7F)
		add_to_word(s, c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	return 1;
}

size_t wordpiece_encode(const struct wordpiece *w, struct str text, uint32_t *ret_ids, size_t max)
{
	struct scan s = {.w = w, .ids = ret_ids, .max = max - 1};

	bug_if(max < 2);
	emit(&s, w->special[SPECIAL_CLS]);
	for (size_t i = 0; i < text.len && s.n < s.max;) {
		utf8proc_int32_t c = -1;
		utf8proc_ssize_t n;

		if ((unsigned char)text.data[i] < 0x80) {
			i += add_ascii(&s, text.data + i, text.len - i);
			continue;
		}
		n = utf8proc_iterate((const utf8proc_uint8_t *)text.data + i,
				     (utf8proc_ssize_t)(text.len - i), &c);
		if (n > 0)
			add_char(&s, c);
		i += n > 0 ? (size_t)n : 1;
	}
	end_word(&s);
	if (s.n > s.max)
		s.n = s.max;
	ret_ids[s.n++] = w->special[SPECIAL_SEP];
	return s.n;
}
