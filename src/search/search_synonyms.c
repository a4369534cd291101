/*
 * Synonyms: see search_synonyms.h. A side is found by its terms, joined by a byte that no term has;
 * the longest is found by trying the longest first.
 */
#include "search/search_synonyms.h"

#include "base/file.h"
#include "base/map.h"

#include "base/banned.h"

#define FILE_MAX  ((size_t)8 << 20)
#define SIDES_MAX 64 /* of a line */
#define JOINT	  '\x1f'

struct entry {
	struct search_synonym *items;
	size_t n, cap;
};

struct search_synonyms {
	struct arena arena;
	struct map by_terms; /* to entries */
	struct entry **entries;
	size_t n, cap;
};

struct reading {
	const char *file;
	size_t line;
	struct search_synonyms *s;
	struct search_analyzer *analyzer;
	struct search_tokens tokens;
};

/* --- reading --------------------------------------------------------------------------------- */

static int fail(const struct reading *r, struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID_ARGUMENT, "%s:%zu: %s", r->file, r->line, what);
}

static int read_side(struct reading *r, struct str text, struct search_synonym *ret,
		     struct err *err)
{
	struct str *terms;
	size_t n = 0;

	search_analyze(r->analyzer, text, &r->tokens);
	terms = arena_alloc(&r->s->arena, (r->tokens.n + 1) * sizeof(*terms));
	for (size_t i = 0; i < r->tokens.n; i++) {
		struct str t = r->tokens.items[i].term;

		if (!r->tokens.items[i].is_piece)
			terms[n++] = arena_str(&r->s->arena, t);
	}
	if (!n)
		return fail(r, err, "a side without a word");
	if (n > SEARCH_SYNONYM_WORDS)
		return fail(r, err, "a side has too many words");
	*ret = (struct search_synonym){.n = n, .terms = terms};
	return 0;
}

static struct str key_of(const struct str *terms, size_t n, char *buffer)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (i)
			buffer[len++] = JOINT;
		memcpy(buffer + len, terms[i].data, terms[i].len);
		len += terms[i].len;
	}
	return (struct str){buffer, len};
}

static bool is_same(const struct search_synonym *a, const struct search_synonym *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!str_equal(a->terms[i], b->terms[i]))
			return false;
	}
	return true;
}

static void add(struct search_synonyms *s, const struct search_synonym *from,
		const struct search_synonym *to)
{
	char buffer[SEARCH_SYNONYM_WORDS * (SEARCH_TERM_MAX + 1)];
	struct str key = key_of(from->terms, from->n, buffer);
	struct entry *e = map_get(&s->by_terms, key);

	if (is_same(from, to))
		return;
	if (!e) {
		e = MEM_NEW(struct entry);
		mem_grow(&s->entries, &s->cap, s->n + 1, sizeof(*s->entries));
		s->entries[s->n++] = e;
		key.data = arena_strndup(&s->arena, key.data, key.len);
		*map_put(&s->by_terms, key) = e;
	}
	for (size_t i = 0; i < e->n; i++) {
		if (is_same(&e->items[i], to))
			return;
	}
	mem_grow(&e->items, &e->cap, e->n + 1, sizeof(*e->items));
	e->items[e->n++] = *to;
}

static int read_sides(struct reading *r, struct str text, struct search_synonym *ret, size_t *ret_n,
		      struct err *err)
{
	int result = 0;

	for (*ret_n = 0; result == 0;) {
		const char *comma = memchr(text.data, ',', text.len);
		size_t n = comma ? (size_t)(comma - text.data) : text.len;

		if (*ret_n == SIDES_MAX)
			return fail(r, err, "too many words on a line");
		result = read_side(r, (struct str){text.data, n}, &ret[*ret_n], err);
		*ret_n += result == 0;
		if (!comma)
			break;
		text = (struct str){text.data + n + 1, text.len - n - 1};
	}
	return result;
}

/* Each of the left finds each of the right. */
static void add_all(struct search_synonyms *s, const struct search_synonym *left, size_t n_left,
		    const struct search_synonym *right, size_t n_right)
{
	for (size_t i = 0; i < n_left; i++) {
		for (size_t k = 0; k < n_right; k++)
			add(s, &left[i], &right[k]);
	}
}

static int read_both_ways(struct reading *r, struct str line, struct err *err)
{
	struct search_synonym sides[SIDES_MAX];
	size_t n = 0;
	int result = read_sides(r, line, sides, &n, err);

	if (result < 0)
		return result;
	if (n < 2)
		return fail(r, err,
			    "one word alone means nothing else: write \"a, b\" or \"a => b\"");
	add_all(r->s, sides, n, sides, n);
	return 0;
}

static int read_one_way(struct reading *r, struct str from, struct str to, struct err *err)
{
	struct search_synonym left[SIDES_MAX], right[SIDES_MAX];
	size_t n_left = 0, n_right = 0;
	int result = read_sides(r, from, left, &n_left, err);

	if (result == 0)
		result = read_sides(r, to, right, &n_right, err);
	if (result == 0)
		add_all(r->s, left, n_left, right, n_right);
	return result;
}

static int read_line(struct reading *r, struct str line, struct err *err)
{
	const char *arrow = line.len ? memmem(line.data, line.len, "=>", 2) : NULL;
	size_t n = arrow ? (size_t)(arrow - line.data) : 0;
	int result;

	if (!line.len || line.data[0] == '#')
		return 0;
	result = arrow ? read_one_way(r, (struct str){line.data, n},
				      (struct str){arrow + 2, line.len - n - 2}, err)
		       : read_both_ways(r, line, err);
	return result == 0 && r->s->n > SEARCH_SYNONYMS_MAX
		   ? fail(r, err, "more synonyms than there may be")
		   : result;
}

static int parse(struct reading *r, struct str text, struct err *err)
{
	int result = 0;

	if (!utf8_is_valid(text.len ? text.data : "", text.len))
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is not UTF-8", r->file);
	while (text.len && result == 0) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t n = end ? (size_t)(end - text.data) : text.len;

		r->line++;
		result = read_line(r, str_trim((struct str){text.data, n}), err);
		n += end != NULL;
		text = (struct str){text.data + n, text.len - n};
	}
	return result;
}

int search_synonyms_parse(const char *file, struct str text, const char *language,
			  struct search_synonyms **ret, struct err *err)
{
	_cleanup_(search_synonyms_freep) struct search_synonyms *s =
	    MEM_NEW(struct search_synonyms);
	struct reading reading = {.file = file, .s = s};
	int r = search_analyzer_new(language, &reading.analyzer, err);

	if (r == 0)
		r = parse(&reading, text, err);
	search_tokens_done(&reading.tokens);
	search_analyzer_free(reading.analyzer);
	if (r == 0)
		*ret = TAKE_PTR(s);
	return r;
}

int search_synonyms_load(const char *path, const char *language, struct search_synonyms **ret,
			 struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FILE_MAX);
	int r = file_read(path, &b, err);

	return r < 0 ? r : search_synonyms_parse(path, strbuf_slice(&b), language, ret, err);
}

struct search_synonyms *search_synonyms_free(struct search_synonyms *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++) {
		mem_free(s->entries[i]->items);
		mem_free(s->entries[i]);
	}
	mem_free(s->entries);
	map_done(&s->by_terms);
	arena_done(&s->arena);
	mem_free(s);
	return NULL;
}

/* --- finding --------------------------------------------------------------------------------- */

size_t search_synonyms_find(const struct search_synonyms *s, const struct str *terms, size_t n,
			    const struct search_synonym **ret, size_t *ret_n)
{
	char buffer[SEARCH_SYNONYM_WORDS * (SEARCH_TERM_MAX + 1)];

	if (!s)
		return 0;
	for (n = n < SEARCH_SYNONYM_WORDS ? n : SEARCH_SYNONYM_WORDS; n; n--) {
		const struct entry *e = map_get(&s->by_terms, key_of(terms, n, buffer));

		if (!e)
			continue;
		*ret = e->items;
		*ret_n = e->n;
		return n;
	}
	return 0;
}
