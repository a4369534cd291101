/*
 * Matching. Rules hold thousands of phrases, a catalogue tens of thousands of titles, so asking
 * each phrase of each title is too slow. Instead every phrase has a number, and stands in a bucket
 * by its first two bytes. A product's title is walked once: at each word, the phrases of the bucket
 * that begins there are compared, and those found are stamped with the product's number. A
 * condition then only looks at the stamps of its phrases. A rule with a type, which most have,
 * fails on the first comparison.
 */
#include "shop/categorize.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/ydoc.h"

#include "base/banned.h"

#define SYMBOLS		37 /* space, a to z, 0 to 9 */
#define PATH_NAMES_MAX	3
#define NAME_MAX_BYTES	120 /* Categories.category_name */
#define FIELD_BYTES_MAX ((size_t)64 << 10)

enum condition_kind {
	COND_TYPE,
	COND_TITLE,
	COND_HEAD,
	COND_TEXT,
	COND_ATTR,
	COND_BRAND,
	COND_NOT
};

static const char *const condition_names[] = {"type", "title", "head", "text",
					      "attr", "brand", "not"};

struct phrase {
	struct str text; /* plain */
	bool is_prefix;
	uint32_t in_title, in_head, in_description; /* number of the last product that has it */
};

struct attribute_test {
	struct str name;
	struct str text; /* plain; data == NULL: any value */
	bool is_prefix;
};

struct condition {
	enum condition_kind kind;
	size_t n;
	uint32_t *phrases;		   /* TYPE, BRAND, TITLE, HEAD, TEXT, NOT */
	struct attribute_test *attributes; /* ATTR */
};

struct rule {
	const char *to;
	size_t n_conditions;
	struct condition conditions[ARRAY_LEN(condition_names)];
};

struct bucket {
	size_t n, cap;
	uint32_t *phrases;
};

struct categorizer {
	struct arena arena;
	const char *fallback;
	struct rule *rules;
	size_t n_rules, cap_rules;
	struct phrase *phrases;
	size_t n_phrases, cap_phrases;
	struct map phrase_ids; /* "text" or "text*" -> id + 1 */
	struct bucket buckets[SYMBOLS * SYMBOLS];
	uint32_t product; /* running number */
	struct strbuf title, description, type, brand, scratch;
};

static char plain_byte(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + 32);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : ' ';
}

/* The text as rules compare it; see the rules file. Without spaces at the ends. */
static void make_plain(struct str s, struct strbuf *out)
{
	bool gap = false;

	strbuf_clear(out);
	if (s.len > FIELD_BYTES_MAX)
		s.len = FIELD_BYTES_MAX;
	for (size_t i = 0; i < s.len; i++) {
		char c = plain_byte(s.data[i]);

		if (c == ' ') {
			gap = true;
			continue;
		}
		if (gap && out->len)
			strbuf_addch(out, ' ');
		gap = false;
		strbuf_addch(out, c);
	}
}

static size_t symbol(char c)
{
	return c >= 'a' && c <= 'z'   ? 1 + (size_t)(c - 'a')
	       : c >= '0' && c <= '9' ? 27 + (size_t)(c - '0')
				      : 0;
}

static void bucket_add(struct categorizer *c, size_t first, size_t second, uint32_t id)
{
	struct bucket *b = &c->buckets[first * SYMBOLS + second];

	mem_grow(&b->phrases, &b->cap, b->n + 1, sizeof(*b->phrases));
	b->phrases[b->n++] = id;
}

/* Number of the phrase, made when it is new. `text` as written, with its "*" or not. */
static int phrase_id(struct categorizer *c, const struct ynode *n, struct str text, uint32_t *ret,
		     struct err *err)
{
	bool is_prefix = text.len && text.data[text.len - 1] == '*';
	struct str plain, key;
	void **slot;

	make_plain(text, &c->scratch);
	plain = strbuf_slice(&c->scratch);
	if (plain.len == 0)
		return ynode_error(n, err, "\"%.*s\" has no letter and no digit", STR_ARGS(text));
	strbuf_addch(&c->scratch, is_prefix ? '*' : '=');
	key = strbuf_slice(&c->scratch);
	key.data = arena_strndup(&c->arena, key.data, key.len);
	plain.data = key.data;
	slot = map_put(&c->phrase_ids, key);
	if (!*slot) {
		uint32_t id = (uint32_t)c->n_phrases;

		mem_grow(&c->phrases, &c->cap_phrases, c->n_phrases + 1, sizeof(*c->phrases));
		c->phrases[c->n_phrases++] = (struct phrase){.text = plain, .is_prefix = is_prefix};
		*slot = (void *)(uintptr_t)(id + 1);
		for (size_t s = 0; s < SYMBOLS; s++) {
			if (plain.len > 1 ? s == symbol(plain.data[1]) : s == 0 || is_prefix)
				bucket_add(c, symbol(plain.data[0]), s, id);
		}
	}
	*ret = (uint32_t)((uintptr_t)*slot - 1);
	return 0;
}

static int parse_attribute(struct categorizer *c, const struct ynode *n, const char *text,
			   struct attribute_test *ret, struct err *err)
{
	const char *equals = strchr(text, '=');
	struct str name =
	    str_trim((struct str){text, equals ? (size_t)(equals - text) : strlen(text)});

	if (name.len == 0)
		return ynode_error(n, err, "an attribute without a name");
	ret->name = arena_str(&c->arena, name);
	if (equals) {
		uint32_t id = 0;
		int r = phrase_id(c, n, str_from(equals + 1), &id, err);

		if (r < 0)
			return r;
		ret->text = c->phrases[id].text;
		ret->is_prefix = c->phrases[id].is_prefix;
	}
	return 0;
}

static int parse_condition(struct categorizer *c, const struct ynode *list, struct condition *cond,
			   struct err *err)
{
	if (list->kind != YNODE_LIST)
		return ynode_error(list, err, "\"%s\" has to be a list of texts", list->key);
	if (list->len == 0)
		return ynode_error(list, err, "\"%s\" is an empty list", list->key);
	cond->n = list->len;
	if (cond->kind == COND_ATTR)
		cond->attributes = arena_alloc(&c->arena, cond->n * sizeof(*cond->attributes));
	else
		cond->phrases = arena_alloc(&c->arena, cond->n * sizeof(*cond->phrases));
	for (size_t i = 0; i < list->len; i++) {
		const char *text;
		int r = ynode_text(&list->children[i], &text, err);

		if (r == 0 && cond->kind == COND_ATTR)
			r = parse_attribute(c, &list->children[i], text, &cond->attributes[i], err);
		else if (r == 0)
			r = phrase_id(c, &list->children[i], str_from(text), &cond->phrases[i],
				      err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "A > B > C": two or three names, none empty. */
static int parse_path(struct categorizer *c, const struct ynode *n, const char **ret,
		      struct err *err)
{
	struct strbuf path = STRBUF_INIT(1024);
	const char *text, *at;
	size_t names = 0;
	int r = ynode_text(n, &text, err);

	if (r < 0)
		return r;
	for (at = text; at; names++) {
		const char *sep = strchr(at, '>');
		struct str name = str_trim((struct str){at, sep ? (size_t)(sep - at) : strlen(at)});

		if (name.len == 0 || name.len > NAME_MAX_BYTES || names == PATH_NAMES_MAX) {
			strbuf_done(&path);
			return ynode_error(n, err,
					   "\"%s\" is no category: one to three names of at most "
					   "120 bytes with \" > \" between",
					   text);
		}
		if (names)
			strbuf_addstr(&path, " > ");
		strbuf_add(&path, name.data, name.len);
		at = sep ? sep + 1 : NULL;
	}
	*ret = arena_strndup(&c->arena, path.data, path.len);
	strbuf_done(&path);
	return 0;
}

static int parse_rule(struct categorizer *c, const struct ynode *n, struct err *err)
{
	static const char *const keys[] = {"to",   "type",  "title", "head", "text",
					   "attr", "brand", "not",   NULL};
	struct rule rule = {0};
	int r = ynode_check_keys(n, "a rule", keys, err);

	if (r < 0)
		return r;
	if (!ynode_get(n, "to"))
		return ynode_error(n, err, "a rule without \"to\"");
	r = parse_path(c, ynode_get(n, "to"), &rule.to, err);
	for (size_t k = 0; r == 0 && k < ARRAY_LEN(condition_names); k++) {
		const struct ynode *list = ynode_get(n, condition_names[k]);

		if (!list)
			continue;
		rule.conditions[rule.n_conditions].kind = (enum condition_kind)k;
		r = parse_condition(c, list, &rule.conditions[rule.n_conditions++], err);
	}
	if (r < 0)
		return r;
	if (rule.n_conditions == 0)
		return ynode_error(n, err, "a rule without a condition would take every product");
	mem_grow(&c->rules, &c->cap_rules, c->n_rules + 1, sizeof(*c->rules));
	c->rules[c->n_rules++] = rule;
	return 0;
}

static int build(struct categorizer *c, const struct ynode *root, struct err *err)
{
	static const char *const keys[] = {"fallback", "rules", NULL};
	const struct ynode *rules;
	int r = ynode_check_keys(root, "the file of category rules", keys, err);

	if (r < 0)
		return r;
	if (!ynode_get(root, "fallback"))
		return ynode_error(root, err, "\"fallback\" is missing");
	r = parse_path(c, ynode_get(root, "fallback"), &c->fallback, err);
	if (r < 0)
		return r;
	rules = ynode_get(root, "rules");
	if (!rules || rules->kind != YNODE_LIST)
		return ynode_error(rules ? rules : root, err, "\"rules\" has to be a list");
	for (size_t i = 0; i < rules->len && r == 0; i++)
		r = parse_rule(c, &rules->children[i], err);
	return r;
}

static int from_doc(struct ydoc *doc, struct categorizer **ret, struct err *err)
{
	_cleanup_(categorizer_freep) struct categorizer *c = MEM_NEW(struct categorizer);
	int r = build(c, ydoc_root(doc), err);

	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

int categorizer_load(const char *path, struct categorizer **ret, struct err *err)
{
	_cleanup_(ydoc_freep) struct ydoc *doc = NULL;
	int r = ydoc_load(path, &doc, err);

	return r < 0 ? r : from_doc(doc, ret, err);
}

int categorizer_parse(const char *file, struct str text, struct categorizer **ret, struct err *err)
{
	_cleanup_(ydoc_freep) struct ydoc *doc = NULL;
	int r = ydoc_parse(file, text.data, text.len, &doc, err);

	return r < 0 ? r : from_doc(doc, ret, err);
}

struct categorizer *categorizer_free(struct categorizer *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(c->buckets); i++)
		mem_free(c->buckets[i].phrases);
	mem_free(c->rules);
	mem_free(c->phrases);
	map_done(&c->phrase_ids);
	strbuf_done(&c->title);
	strbuf_done(&c->description);
	strbuf_done(&c->type);
	strbuf_done(&c->brand);
	strbuf_done(&c->scratch);
	arena_done(&c->arena);
	mem_free(c);
	return NULL;
}

/* End of the part of the title before the first word "for" or "with". */
static size_t head_end(struct str title)
{
	static const char *const words[] = {" for ", " with "};
	size_t end = title.len;

	for (size_t i = 0; i < 2; i++) {
		const char *at = memmem(title.data, title.len, words[i], strlen(words[i]));

		if (at && (size_t)(at - title.data) < end)
			end = (size_t)(at - title.data);
	}
	if (str_starts(title, "for ") || str_starts(title, "with "))
		return title.len;
	return end;
}

/* Stamps the phrases of one field, which ends in a space. */
static void stamp(struct categorizer *c, struct str field, size_t head, bool is_title)
{
	for (size_t i = 0; i + 1 < field.len; i++) {
		if (i > 0 && field.data[i - 1] != ' ')
			continue;
		const struct bucket *b =
		    &c->buckets[symbol(field.data[i]) * SYMBOLS + symbol(field.data[i + 1])];

		for (size_t k = 0; k < b->n; k++) {
			struct phrase *p = &c->phrases[b->phrases[k]];
			size_t n = p->text.len;

			if (i + n >= field.len || memcmp(field.data + i, p->text.data, n) != 0 ||
			    (!p->is_prefix && field.data[i + n] != ' '))
				continue;
			if (!is_title) {
				p->in_description = c->product;
				continue;
			}
			p->in_title = c->product;
			if (i + n <= head)
				p->in_head = c->product;
		}
	}
}

static bool is_text(struct str plain, const struct phrase *p)
{
	if (plain.len == 0 || plain.len < p->text.len ||
	    memcmp(plain.data, p->text.data, p->text.len) != 0)
		return false;
	return p->is_prefix || plain.len == p->text.len;
}

static bool has_attribute(struct categorizer *c, const struct attribute_test *t,
			  const struct categorize_product *product)
{
	for (size_t i = 0; i < product->n_attributes; i++) {
		const struct categorize_attribute *a = &product->attributes[i];

		if (!str_equal(a->name, t->name))
			continue;
		if (!t->text.data)
			return true;
		if (!a->text.data)
			continue;
		make_plain(a->text, &c->scratch);
		struct str plain = strbuf_slice(&c->scratch);
		const char *p = plain.data, *end = p + plain.len;

		for (; p && (p = memmem(p, (size_t)(end - p), t->text.data, t->text.len)); p++) {
			if ((p == plain.data || p[-1] == ' ') &&
			    (t->is_prefix || p + t->text.len == end || p[t->text.len] == ' '))
				return true;
		}
	}
	return false;
}

static bool one_holds(struct categorizer *c, const struct condition *cond, size_t i,
		      const struct categorize_product *product)
{
	const struct phrase *p = cond->phrases ? &c->phrases[cond->phrases[i]] : NULL;

	if (!p)
		return has_attribute(c, &cond->attributes[i], product);
	switch (cond->kind) {
	case COND_TYPE:
		return is_text(strbuf_slice(&c->type), p);
	case COND_BRAND:
		return is_text(strbuf_slice(&c->brand), p);
	case COND_HEAD:
		return p->in_head == c->product;
	case COND_TEXT:
		return p->in_title == c->product || p->in_description == c->product;
	case COND_TITLE:
	case COND_NOT:
	case COND_ATTR:
		break;
	}
	return p->in_title == c->product;
}

static bool holds(struct categorizer *c, const struct condition *cond,
		  const struct categorize_product *product)
{
	bool any = false;

	for (size_t i = 0; i < cond->n && !any; i++)
		any = one_holds(c, cond, i, product);
	return cond->kind == COND_NOT ? !any : any;
}

const char *categorizer_find(struct categorizer *c, const struct categorize_product *product)
{
	c->product++;
	make_plain(product->title, &c->title);
	size_t head = head_end(strbuf_slice(&c->title));

	make_plain(product->description, &c->description);
	make_plain(product->type, &c->type);
	make_plain(product->brand, &c->brand);
	strbuf_addch(&c->title, ' ');
	strbuf_addch(&c->description, ' ');
	stamp(c, strbuf_slice(&c->title), head, true);
	stamp(c, strbuf_slice(&c->description), 0, false);
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct rule *rule = &c->rules[i];
		size_t k = 0;

		while (k < rule->n_conditions && holds(c, &rule->conditions[k], product))
			k++;
		if (k == rule->n_conditions)
			return rule->to;
	}
	return c->fallback;
}

size_t categorizer_rules(const struct categorizer *c)
{
	return c->n_rules;
}
