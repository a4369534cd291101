/*
 * Reading parameters: see http_parameters.h. One pass over the query, which finds each pair's entry
 * in the table, decodes the value and has the type's function store it; then what was not given.
 * All mistakes are collected, at most HTTP_MISTAKES_MAX, none twice. None quotes a value: who sent
 * it knows it, and it may be long.
 *
 * A query is what forms send (application/x-www-form-urlencoded, WHATWG URL 5.1): pairs between
 * "&",
 * "+" for a blank; a pair without "=" is one with an empty value. Unlike there, "%" without two
 * hexadecimal digits is a mistake.
 */
#include "http/http_parameters.h"

#include <assert.h>
#include <inttypes.h>

#include "base/banned.h"

#define NAME_SHOWN_MAX 64 /* bytes of an unknown name that an answer repeats */

struct reading {
	const struct http_parameter *table;
	struct arena *arena;
	char *values;
	struct http_mistakes *mistakes;
	size_t counts[HTTP_PARAMETERS_MAX];
};

/* --- the request line ------------------------------------------------------------------------ */

struct http_uri http_uri_split(const char *text)
{
	size_t path = strcspn(text, "?");

	return (struct http_uri){.path = {text, path},
				 .query = str_from(text[path] ? text + path + 1 : "")};
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte, an escape resolved; -1 when "%" begins none. There is one. */
static int take_byte(struct str *raw)
{
	size_t n = 1;
	int c = (unsigned char)raw->data[0];

	if (c == '%') {
		int high = raw->len > 2 ? hex_digit(raw->data[1]) : -1;
		int low = raw->len > 2 ? hex_digit(raw->data[2]) : -1;

		n = 3;
		c = high < 0 || low < 0 ? -1 : high * 16 + low;
	}
	n = n < raw->len ? n : raw->len;
	raw->data += n;
	raw->len -= n;
	return c;
}

static bool is_text(struct str raw, struct str text)
{
	while (raw.len && text.len) {
		if (take_byte(&raw) != (unsigned char)text.data[0])
			return false;
		text.data++;
		text.len--;
	}
	return !raw.len && !text.len;
}

bool http_uri_matches(struct str path, const char *pattern, struct str *ret_segment)
{
	struct str head = {pattern, strcspn(pattern, "{")};
	size_t at = path.len;

	if (!pattern[head.len])
		return is_text(path, head);
	while (at && path.data[at - 1] != '/')
		at--;
	if (at == path.len || !is_text((struct str){path.data, at}, head))
		return false;
	*ret_segment = (struct str){path.data + at, path.len - at};
	return true;
}

/* NULL, or what is wrong with it. */
static const char *decode(struct str raw, bool is_query, struct arena *arena, struct str *ret)
{
	char *text = arena_alloc(arena, raw.len + 1);
	size_t len = 0;

	while (raw.len) {
		bool is_blank = is_query && raw.data[0] == '+';
		int c = take_byte(&raw);

		if (c < 0)
			return "holds a \"%\" without two hexadecimal digits behind it";
		if (c == 0)
			return "holds a NUL byte";
		text[len++] = is_blank ? ' ' : (char)c;
	}
	if (!utf8_is_valid(text, len))
		return "is not valid UTF-8";
	*ret = (struct str){text, len};
	return NULL;
}

/* --- types ----------------------------------------------------------------------------------- */

/* Each stores the value at `at` and returns NULL, or says what is wrong. */
typedef const char *(*store_fn)(const struct http_parameter *p, struct str text,
				struct arena *arena, void *at);

/* The text is the arena's and ends in a NUL. */
static const char *store_text(const struct http_parameter *p, struct str text, struct arena *arena,
			      void *at)
{
	if (!text.len && p->min > 0)
		return "must not be empty";
	if ((int64_t)text.len < p->min)
		return arena_printf(arena, "must have at least %" PRId64 " bytes", p->min);
	if (p->characters_max && (int64_t)utf8_count(text) > p->characters_max)
		return arena_printf(arena, "must have at most %" PRId64 " characters",
				    p->characters_max);
	if ((int64_t)text.len > p->max)
		return arena_printf(arena, "must have at most %" PRId64 " bytes", p->max);
	memcpy(at, &text.data, sizeof(text.data));
	return NULL;
}

static const char *store_integer(const struct http_parameter *p, struct str text,
				 struct arena *arena, void *at)
{
	int64_t v;

	if (parse_int64(text, p->min, p->max, &v, NULL) < 0)
		return arena_printf(arena, "must be a whole number from %" PRId64 " to %" PRId64,
				    p->min, p->max);
	memcpy(at, &v, sizeof(v));
	return NULL;
}

static const char *store_number(const struct http_parameter *p, struct str text,
				struct arena *arena, void *at)
{
	double v;

	if (parse_double(text, &v, NULL) < 0 || v < (double)p->min || v > (double)p->max)
		return arena_printf(arena, "must be a number from %" PRId64 " to %" PRId64, p->min,
				    p->max);
	memcpy(at, &v, sizeof(v));
	return NULL;
}

static const char *store_boolean(const struct http_parameter *p, struct str text,
				 struct arena *arena, void *at)
{
	bool v;

	(void)p;
	(void)arena;
	if (parse_bool(text, &v, NULL) < 0)
		return "must be true or false";
	memcpy(at, &v, sizeof(v));
	return NULL;
}

static const char *store_choice(const struct http_parameter *p, struct str text,
				struct arena *arena, void *at)
{
	const char *list = p->choices[0];

	for (const char *const *choice = p->choices; *choice; choice++) {
		if (str_equal(text, str_from(*choice))) {
			memcpy(at, choice, sizeof(*choice));
			return NULL;
		}
	}
	for (const char *const *choice = p->choices + 1; *choice; choice++)
		list = arena_printf(arena, "%s, %s", list, *choice);
	return arena_printf(arena, "must be one of: %s", list);
}

static const struct type {
	size_t size;
	store_fn store;
} types[] = {
    [HTTP_TYPE_TEXT] = {sizeof(const char *), store_text},
    [HTTP_TYPE_INTEGER] = {sizeof(int64_t), store_integer},
    [HTTP_TYPE_NUMBER] = {sizeof(double), store_number},
    [HTTP_TYPE_BOOLEAN] = {sizeof(bool), store_boolean},
    [HTTP_TYPE_CHOICE] = {sizeof(const char *), store_choice},
};

/* All lists look like this one. */
struct list {
	size_t n;
	void *items;
};
static_assert(sizeof(struct list) == sizeof(struct http_texts) &&
		  sizeof(struct list) == sizeof(struct http_integers),
	      "a list is a count and a pointer");

/* Where the next value of a parameter goes. */
static void *field(const struct reading *r, const struct http_parameter *p)
{
	char *at = r->values + p->offset;
	struct list list;
	size_t size = types[p->type].size;

	if (!p->count_max)
		return at;
	memcpy(&list, at, sizeof(list));
	if (!list.items)
		list.items = arena_alloc(r->arena, p->count_max * size);
	list.n++;
	memcpy(at, &list, sizeof(list));
	return (char *)list.items + (list.n - 1) * size;
}

/* --- reading --------------------------------------------------------------------------------- */

static void add_mistake(struct reading *r, const char *parameter, const char *detail)
{
	struct http_mistakes *m = r->mistakes;

	for (size_t i = 0; i < m->n; i++) {
		if (cstr_equal(m->items[i].parameter, parameter) &&
		    cstr_equal(m->items[i].detail, detail))
			return;
	}
	m->has_more |= m->n == HTTP_MISTAKES_MAX;
	if (!m->has_more)
		m->items[m->n++] = (struct http_mistake){parameter, detail};
}

static void take_value(struct reading *r, const struct http_parameter *p, struct str raw)
{
	size_t most = p->count_max ? p->count_max : 1, *count = &r->counts[p - r->table];
	const char *detail;
	struct str text = {0};

	if (++*count > most)
		detail = most == 1 ? "is given more than once"
				   : arena_printf(r->arena, "is given more than %zu times", most);
	else
		detail = decode(raw, !p->in_path, r->arena, &text);
	if (!detail)
		detail = types[p->type].store(p, text, r->arena, field(r, p));
	if (detail)
		add_mistake(r, p->name, detail);
}

static void take_unknown(struct reading *r, struct str raw)
{
	const char *names[HTTP_PARAMETERS_MAX + 1] = {0}, *name, *near;
	size_t n = 0;
	struct str text;

	if (decode(raw, true, r->arena, &text) != NULL)
		text = raw;
	name = arena_strndup(r->arena, text.data,
			     text.len < NAME_SHOWN_MAX ? text.len : NAME_SHOWN_MAX);
	for (const struct http_parameter *p = r->table; p->name; p++) {
		if (!p->in_path)
			names[n++] = p->name;
	}
	near = cstr_nearest(name, names);
	add_mistake(r, name,
		    near ? arena_printf(r->arena, "is not known here; did you mean \"%s\"?", near)
			 : "is not known here");
}

static void take_pair(struct reading *r, struct str pair)
{
	const char *equals = memchr(pair.data, '=', pair.len);
	size_t n = equals ? (size_t)(equals - pair.data) : pair.len;
	struct str name = {pair.data, n};
	struct str value = equals ? (struct str){equals + 1, pair.len - n - 1} : str_from("");

	for (const struct http_parameter *p = r->table; p->name; p++) {
		if (!p->in_path && is_text(name, str_from(p->name))) {
			take_value(r, p, value);
			return;
		}
	}
	take_unknown(r, name);
}

/* Stops when no more mistakes would be told. */
static void take_query(struct reading *r, struct str query)
{
	while (query.len && !r->mistakes->has_more) {
		const char *end = memchr(query.data, '&', query.len);
		size_t n = end ? (size_t)(end - query.data) : query.len;

		if (n)
			take_pair(r, (struct str){query.data, n});
		n += end != NULL;
		query.data += n;
		query.len -= n;
	}
}

/* What was not given: its default, or a mistake. */
static void complete(struct reading *r)
{
	const char *first = NULL, *list = NULL;
	size_t given = 0;

	for (const struct http_parameter *p = r->table; p->name; p++) {
		size_t count = r->counts[p - r->table];

		if (!count && p->is_required)
			add_mistake(r, p->name, "is missing");
		if (!count && p->fallback)
			bug_if(types[p->type].store(p, str_from(p->fallback), r->arena,
						    field(r, p)) != NULL);
		if (!p->is_alternative)
			continue;
		given += count > 0;
		first = first ? first : p->name;
		list = list ? arena_printf(r->arena, "%s, \"%s\"", list, p->name)
			    : arena_printf(r->arena, "\"%s\"", p->name);
	}
	if (first && given != 1)
		add_mistake(
		    r, first,
		    arena_printf(r->arena, "is one of %s: exactly one has to be given", list));
}

static int mistakes_error(const struct http_mistakes *m, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	for (size_t i = 0; i < m->n; i++)
		strbuf_addf(&b, "%s\"%s\" %s", i ? "; " : "", m->items[i].parameter,
			    m->items[i].detail);
	if (m->has_more)
		strbuf_addstr(&b, "; and more");
	return err_set(err, ERR_INVALID_ARGUMENT, "%s", strbuf_str(&b));
}

int http_parameters_read(const struct http_parameter *table, const struct http_input *input,
			 struct arena *arena, void *values, struct http_mistakes *mistakes,
			 struct err *err)
{
	struct reading r = {.table = table, .arena = arena, .values = values, .mistakes = mistakes};

	*mistakes = (struct http_mistakes){0};
	for (const struct http_parameter *p = table; p->name; p++) {
		bug_if(p - table >= HTTP_PARAMETERS_MAX);
		if (p->in_path)
			take_value(&r, p, input->segment);
	}
	take_query(&r, input->query);
	complete(&r);
	return mistakes->n ? mistakes_error(mistakes, err) : 0;
}
