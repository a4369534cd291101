/*
 * Texts from documents: see search_text.h.
 *
 * Each part is made in a buffer of its own, cleaned, cut to its words, and joined to the text as a
 * sentence: ". " between parts, " " where one ends in a mark already. Models read such a text
 * better than a bag of values, and a part that is missing leaves no trace.
 *
 * The whole is cut at the collection's words, at a word's end; what the rules name first stays.
 */
#include "search/search_text.h"

#include "base/map.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>
#include <utf8proc.h>

#include "base/banned.h"

#define PATH_DEPTH_MAX 64 /* of a document's nesting; deeper values are left out */

/* --- cleaning -------------------------------------------------------------------------------- */

static const struct {
	const char *name, *text;
} entities[] = {{"&amp;", "&"},	 {"&lt;", "<"},	 {"&gt;", ">"},	 {"&quot;", "\""},
		{"&apos;", "'"}, {"&#39;", "'"}, {"&nbsp;", " "}};

/* Length of the tag that begins here, 0: it is no tag. "<" before a space or a digit is none. */
static size_t tag_length(const char *s, size_t len)
{
	const char *end;

	if (len < 3 || s[0] != '<' ||
	    !(s[1] == '/' || s[1] == '!' || (s[1] >= 'a' && s[1] <= 'z') ||
	      (s[1] >= 'A' && s[1] <= 'Z')))
		return 0;
	end = memchr(s, '>', len);
	return end ? (size_t)(end - s) + 1 : 0;
}

static size_t entity_at(const char *s, size_t len, const char **ret_text)
{
	for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
		size_t n = strlen(entities[i].name);

		if (n <= len && memcmp(s, entities[i].name, n) == 0) {
			*ret_text = entities[i].text;
			return n;
		}
	}
	return 0;
}

static bool is_space(utf8proc_int32_t c)
{
	switch ((unsigned)utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_ZS:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CS:
		return true;
	default:
		return c == 0xFFFD;
	}
}

/* The next piece of the input: how many bytes, and what stands for them; "" is a space. */
static size_t next_piece(const char *s, size_t len, struct str *ret)
{
	const char *text = "";
	utf8proc_int32_t c;
	utf8proc_ssize_t n;
	size_t special = *s == '<' ? tag_length(s, len) : *s == '&' ? entity_at(s, len, &text) : 0;

	if (special) {
		*ret = cstr_equal(text, " ") ? (struct str){"", 0} : str_from(text);
		return special;
	}
	n = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, &c);
	*ret = (struct str){s, n <= 0 || is_space(c) ? 0 : (size_t)n};
	return n <= 0 ? 1 : (size_t)n;
}

void search_text_clean(struct str s, size_t words, struct strbuf *b)
{
	bool gap = true;
	size_t n = 0;

	for (size_t i = 0; i < s.len;) {
		struct str piece;

		i += next_piece(s.data + i, s.len - i, &piece);
		if (!piece.len) {
			gap = true;
			continue;
		}
		if (gap) {
			if (words && n == words)
				return;
			n++;
			if (b->len && b->data[b->len - 1] != ' ')
				strbuf_addch(b, ' ');
		}
		gap = false;
		strbuf_add(b, piece.data, piece.len);
	}
}

/* --- values ---------------------------------------------------------------------------------- */

static bool is_number(const bson_iter_t *v)
{
	return BSON_ITER_HOLDS_NUMBER(v) || BSON_ITER_HOLDS_DECIMAL128(v);
}

static void add_decimal(const bson_iter_t *v, struct strbuf *b)
{
	char text[BSON_DECIMAL128_STRING];
	bson_decimal128_t d;

	if (bson_iter_decimal128(v, &d)) {
		bson_decimal128_to_string(&d, text);
		strbuf_addstr(b, text);
	}
}

static void add_date(const bson_iter_t *v, struct strbuf *b)
{
	int64_t ms = bson_iter_date_time(v);
	time_t t = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strbuf_addf(b, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

void search_text_scalar(const bson_iter_t *v, struct strbuf *b)
{
	uint32_t len = 0;

	if (BSON_ITER_HOLDS_UTF8(v)) {
		const char *s = bson_iter_utf8(v, &len);

		strbuf_add(b, s, len < SEARCH_TEXT_MAX ? len : SEARCH_TEXT_MAX);
	} else if (BSON_ITER_HOLDS_INT(v)) {
		strbuf_addf(b, "%" PRId64, bson_iter_as_int64(v));
	} else if (BSON_ITER_HOLDS_DOUBLE(v)) {
		strbuf_addf(b, "%.12g", bson_iter_double(v));
	} else if (BSON_ITER_HOLDS_DECIMAL128(v)) {
		add_decimal(v, b);
	} else if (BSON_ITER_HOLDS_BOOL(v)) {
		strbuf_addstr(b, bson_iter_bool(v) ? "true" : "false");
	} else if (BSON_ITER_HOLDS_DATE_TIME(v)) {
		add_date(v, b);
	}
}

static bool each_value(bson_iter_t v, const char *path, unsigned depth, search_value_at_fn fn,
		       void *arg)
{
	bson_iter_t child;
	size_t n;

	if (BSON_ITER_HOLDS_ARRAY(&v)) {
		if (depth == PATH_DEPTH_MAX || !bson_iter_recurse(&v, &child))
			return true;
		while (bson_iter_next(&child)) {
			if (!each_value(child, path, depth + 1, fn, arg))
				return false;
		}
		return true;
	}
	if (!path)
		return fn(arg, &v);
	n = strcspn(path, ".");
	if (depth == PATH_DEPTH_MAX || !BSON_ITER_HOLDS_DOCUMENT(&v) ||
	    !bson_iter_recurse(&v, &child) || !bson_iter_find_w_len(&child, path, (int)n))
		return true;
	return each_value(child, path[n] ? path + n + 1 : NULL, depth + 1, fn, arg);
}

void search_text_each(const bson_t *doc, const char *path, search_value_at_fn fn, void *arg)
{
	size_t n = strcspn(path, ".");
	bson_iter_t top;

	if (bson_iter_init(&top, doc) && bson_iter_find_w_len(&top, path, (int)n))
		(void)each_value(top, path[n] ? path + n + 1 : NULL, 0, fn, arg);
}

void search_text_each_in(bson_iter_t v, search_value_at_fn fn, void *arg)
{
	(void)each_value(v, NULL, 0, fn, arg);
}

/* --- parts ----------------------------------------------------------------------------------- */

struct making {
	const struct search_part *part;
	const struct strbuf *text; /* so far, for `once` */
	struct strbuf values;	   /* joined */
	struct strbuf value, raw;  /* scratch */
	size_t n;
};

static const char *word_for(const struct search_part *p, const char *value)
{
	for (size_t i = 0; i < p->n_words_for; i++) {
		if (cstr_equal(p->words_for[i].value, value))
			return p->words_for[i].word;
	}
	return value;
}

static bool is_inside_word(const char *at, const char *start, const char *end)
{
	return at >= start && at < end && (isalnum((unsigned char)*at) || (unsigned char)*at > 127);
}

/* Whether `s` stands in `all` as whole words: the same thing bought twice is said once. */
static bool is_said(struct str all, struct str s)
{
	const char *end = all.data + all.len, *at = all.data;

	while (all.len && (at = memmem(at, (size_t)(end - at), s.data, s.len))) {
		if (!is_inside_word(at - 1, all.data, end) &&
		    !is_inside_word(at + s.len, all.data, end))
			return true;
		at++;
	}
	return false;
}

static bool add_value(void *arg, const bson_iter_t *v)
{
	struct making *m = arg;
	struct str s;

	strbuf_clear(&m->raw);
	strbuf_clear(&m->value);
	search_text_scalar(v, &m->raw);
	search_text_clean(str_from(word_for(m->part, strbuf_str(&m->raw))), 0, &m->value);
	s = strbuf_slice(&m->value);
	if (!s.len || is_said(strbuf_slice(&m->values), s) ||
	    (m->part->once && is_said(strbuf_slice(m->text), s)))
		return true;
	strbuf_addstr(&m->values, m->n ? m->part->join : "");
	strbuf_add(&m->values, s.data, s.len);
	return ++m->n < m->part->limit;
}

static bool is_skipped(const struct search_part *p, const char *name)
{
	for (size_t i = 0; i < p->n_skip; i++) {
		if (cstr_equal(p->skip[i], name))
			return true;
	}
	return false;
}

/* "memory_type: DDR5" as "memory type DDR5"; what is true by its name alone, what is false not. */
static void add_pair(struct making *m, const bson_iter_t *v)
{
	const char *name = bson_iter_key(v);

	if (is_skipped(m->part, name) || (is_number(v) && !m->part->has_numbers) ||
	    (BSON_ITER_HOLDS_BOOL(v) && !bson_iter_bool(v)))
		return;
	strbuf_clear(&m->value);
	strbuf_clear(&m->raw);
	if (!BSON_ITER_HOLDS_BOOL(v)) {
		search_text_scalar(v, &m->raw);
		search_text_clean(strbuf_slice(&m->raw), 0, &m->value);
		if (!m->value.len)
			return;
	}
	strbuf_clear(&m->raw);
	for (const char *c = name; *c; c++)
		strbuf_addch(&m->raw, *c == '_' ? ' ' : *c);
	if (m->value.len) {
		strbuf_addch(&m->raw, ' ');
		strbuf_add(&m->raw, m->value.data, m->value.len);
	}
	strbuf_addstr(&m->values, m->n ? m->part->join : "");
	search_text_clean(strbuf_slice(&m->raw), 0, &m->values);
	m->n++;
}

static bool add_pairs(void *arg, const bson_iter_t *v)
{
	struct making *m = arg;
	bson_iter_t child;

	if (!BSON_ITER_HOLDS_DOCUMENT(v) || !bson_iter_recurse(v, &child))
		return true;
	while (m->n < m->part->limit && bson_iter_next(&child))
		add_pair(m, &child);
	return m->n < m->part->limit;
}

static bool ends_sentence(const struct strbuf *b)
{
	return b->len && strchr(".!?:;,", b->data[b->len - 1]);
}

static void add_part(const struct search_part *p, const bson_t *doc, struct strbuf *text,
		     struct making *m)
{
	m->part = p;
	m->n = 0;
	strbuf_clear(&m->values);
	if (p->kind == SEARCH_PART_SAY)
		strbuf_addstr(&m->values, p->text);
	else
		search_text_each(doc, p->text, p->kind == SEARCH_PART_PAIRS ? add_pairs : add_value,
				 m);
	if (!m->values.len && !p->none)
		return;
	if (text->len)
		strbuf_addstr(text, ends_sentence(text) ? " " : ". ");
	if (m->values.len && p->label)
		search_text_clean(str_from(p->label), 0, text);
	search_text_clean(m->values.len ? strbuf_slice(&m->values) : str_from(p->none), p->words,
			  text);
}

/* At the end of the last word that is wanted, and that fits; without a comma behind it. */
static void cut(struct strbuf *text, size_t words)
{
	size_t n = 0, end = text->len;

	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] == ' ' && ++n == words) {
			end = i;
			break;
		}
	}
	if (text->overflow && end == text->len) {
		while (end && text->data[end - 1] != ' ')
			end--;
	}
	while (end < text->len && end && strchr(" ,;:.", text->data[end - 1]))
		end--;
	strbuf_truncate(text, end);
	text->overflow = false;
}

struct choice {
	const struct search_composition *c;
	struct strbuf value;
	bool holds;
};

static bool try_value(void *arg, const bson_iter_t *v)
{
	struct choice *choice = arg;

	strbuf_clear(&choice->value);
	search_text_scalar(v, &choice->value);
	for (size_t i = 0; i < choice->c->n_values; i++) {
		if (cstr_equal(choice->c->values[i], strbuf_str(&choice->value)))
			choice->holds = true;
	}
	return !choice->holds;
}

static const struct search_composition *choose(const struct search_collection *c, const bson_t *doc)
{
	const struct search_composition *last = &c->compositions[c->n_compositions - 1];
	struct choice choice = {.value = STRBUF_INIT(SEARCH_TEXT_MAX)};

	for (choice.c = c->compositions; choice.c < last && !choice.holds;) {
		search_text_each(doc, choice.c->when, try_value, &choice);
		choice.c += !choice.holds;
	}
	strbuf_done(&choice.value);
	return choice.c;
}

static bool add_title(void *arg, const bson_iter_t *v)
{
	_cleanup_(strbuf_done) struct strbuf raw = STRBUF_INIT(SEARCH_TEXT_MAX);
	struct strbuf *title = arg;

	search_text_scalar(v, &raw);
	search_text_clean(strbuf_slice(&raw), 0, title);
	return !title->len; /* the first that says something */
}

void search_text_parts(const struct search_part *parts, size_t n, const bson_t *doc,
		       struct strbuf *text)
{
	struct making m = {.text = text,
			   .values = STRBUF_INIT(SEARCH_TEXT_MAX),
			   .value = STRBUF_INIT(SEARCH_TEXT_MAX),
			   .raw = STRBUF_INIT(SEARCH_TEXT_MAX)};

	for (size_t i = 0; i < n; i++)
		add_part(&parts[i], doc, text, &m);
	strbuf_done(&m.values);
	strbuf_done(&m.value);
	strbuf_done(&m.raw);
}

void search_text_title(const char *path, const bson_t *doc, struct strbuf *title)
{
	if (path)
		search_text_each(doc, path, add_title, title);
}

const struct search_composition *search_text_make(const struct search_collection *c,
						  const bson_t *doc, struct strbuf *text,
						  struct strbuf *title)
{
	const struct search_composition *composition = choose(c, doc);

	strbuf_clear(text);
	strbuf_clear(title);
	search_text_parts(composition->parts, composition->n_parts, doc, text);
	cut(text, c->words);
	search_text_title(c->title, doc, title);
	return composition;
}

uint64_t search_text_hash(const struct strbuf *text, const struct strbuf *title)
{
	uint64_t hash = map_hash(strbuf_slice(text)) * 31 + map_hash(strbuf_slice(title));

	return hash ? hash : 1;
}
