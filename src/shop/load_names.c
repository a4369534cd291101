/*
 * Suppliers and categories: few and referred to by name, so they are kept in memory while a load
 * runs. Two spellings mean one supplier when they are equal after folding (no case, no accents, no
 * punctuation, no spaces) without the words of a company's legal form at the end, or when the rules
 * file says so. Which spelling counts: that of the rules file, else the shop's, else the first
 * seen. A category is its path; its slug is the path in lower-case words.
 */
#include "shop/load_int.h"

#include "base/file.h"
#include "base/ydoc.h"

#include <stdio.h>

#include "base/banned.h"

#define CATEGORY_DEPTH_MAX 6
#define CATEGORY_NAME_MAX  120 /* Categories.category_name */
#define SLUG_MAX	   160 /* Categories.category_slug, characters */

/* The key of a supplier's name in n->scratch. */
static struct str supplier_key(struct load_names *n, struct str name)
{
	struct str s;

	strbuf_clear(&n->fold);
	for (size_t i = 0; i < name.len; i++) { /* "&" is a word */
		if (name.data[i] == '&')
			strbuf_addstr(&n->fold, " and ");
		else
			strbuf_addch(&n->fold, name.data[i]);
	}
	strbuf_clear(&n->scratch);
	clean_fold(strbuf_slice(&n->fold), &n->scratch);
	s = strbuf_slice(&n->scratch);
	for (;;) { /* legal forms at the end */
		const char *space = s.len ? memrchr(s.data, ' ', s.len) : NULL;
		struct str word;

		if (!space)
			break;
		word = (struct str){space + 1, s.len - (size_t)(space - s.data) - 1};
		if (!map_get(&n->suffixes, word))
			break;
		s.len = (size_t)(space - s.data);
	}
	strbuf_clear(&n->fold);
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] != ' ')
			strbuf_addch(&n->fold, s.data[i]);
	}
	return n->fold.len ? strbuf_slice(&n->fold) : name;
}

static struct str keep(struct load_names *n, struct str s)
{
	return arena_str(&n->arena, s);
}

int load_names_supplier(struct load_names *n, struct str name, const char **ret, struct err *err)
{
	struct str key = supplier_key(n, name);
	char *spelling = map_get(&n->suppliers, key);

	if (!spelling) {
		if (n->suppliers.len >= LOAD_NAMES_MAX)
			return err_set(err, ERR_LIMIT, "more than %d different suppliers",
				       LOAD_NAMES_MAX);
		key = keep(n, key);
		spelling = arena_strndup(&n->arena, name.data, name.len);
		*map_put(&n->suppliers, key) = spelling;
	}
	*ret = spelling;
	return 0;
}

static int read_same(struct load_names *n, const struct ynode *entry, struct err *err)
{
	static const char *const keys[] = {"name", "also", NULL};
	const struct ynode *also, *name_node;
	const char *name, *spelling = "";
	int r = ynode_check_keys(entry, "a supplier", keys, err);

	if (r < 0)
		return r;
	name_node = ynode_get(entry, "name");
	also = ynode_get(entry, "also");
	if (!name_node || !also || also->kind != YNODE_LIST)
		return ynode_error(entry, err, "a supplier needs \"name\" and a list \"also\"");
	r = ynode_text(name_node, &name, err);
	if (r == 0)
		r = load_names_supplier(n, str_from(name), &spelling, err);
	for (size_t i = 0; i < also->len && r == 0; i++) {
		const char *other;

		r = ynode_text(&also->children[i], &other, err);
		if (r != 0)
			break;
		struct str key = supplier_key(n, str_from(other));
		char *known = map_get(&n->suppliers, key);

		if (known && !cstr_equal(known, spelling))
			return ynode_error(&also->children[i], err,
					   "\"%s\" is already a spelling of \"%s\"", other, known);
		if (!known)
			*map_put(&n->suppliers, keep(n, key)) = arena_strdup(&n->arena, spelling);
	}
	return r;
}

static int read_rules(struct load_names *n, const char *path, struct err *err)
{
	static const char *const keys[] = {"suffixes", "same", NULL};
	_cleanup_(ydoc_freep) struct ydoc *doc = NULL;
	const struct ynode *list;
	int r = ydoc_load(path, &doc, err);

	if (r == 0)
		r = ynode_check_keys(ydoc_root(doc), "the file of supplier rules", keys, err);
	if (r < 0)
		return r;
	list = ynode_get(ydoc_root(doc), "suffixes");
	if (list && list->kind != YNODE_LIST)
		return ynode_error(list, err, "\"suffixes\" has to be a list of words");
	for (size_t i = 0; list && i < list->len; i++) {
		const char *word;

		r = ynode_text(&list->children[i], &word, err);
		if (r < 0)
			return r;
		*map_put(&n->suffixes, keep(n, str_from(word))) = n;
	}
	list = ynode_get(ydoc_root(doc), "same");
	if (list && list->kind != YNODE_LIST)
		return ynode_error(list, err, "\"same\" has to be a list of suppliers");
	for (size_t i = 0; list && i < list->len && r == 0; i++)
		r = read_same(n, &list->children[i], err);
	return r;
}

int load_names_init(struct load_names *n, const char *rules_dir, struct err *err)
{
	char *path;
	int r = 0;

	*n = (struct load_names){0};
	n->last = &n->first;
	if (!rules_dir)
		return 0;
	path = mem_printf("%s/suppliers.yaml", rules_dir);
	if (file_exists(path))
		r = read_rules(n, path, err);
	mem_free(path);
	return r;
}

void load_names_done(struct load_names *n)
{
	map_done(&n->suppliers);
	map_done(&n->suffixes);
	map_done(&n->categories);
	arena_done(&n->arena);
	strbuf_done(&n->fold);
	strbuf_done(&n->scratch);
	clean_done(&n->clean);
}

/* Appends the slug of one name; '-' between words. False when nothing is left of it. */
static bool add_slug(struct load_names *n, struct str name, struct strbuf *out)
{
	size_t start = out->len;

	strbuf_clear(&n->fold);
	for (size_t i = 0; i < name.len; i++) { /* "C++" is not "C" */
		char c = name.data[i];

		strbuf_addstr(&n->fold, c == '&' ? " and " : c == '+' ? " plus " : "");
		if (c != '&' && c != '+')
			strbuf_addch(&n->fold, c);
	}
	clean_fold(strbuf_slice(&n->fold), out);
	for (size_t i = start; i < out->len; i++) {
		if (out->data[i] == ' ')
			out->data[i] = '-';
	}
	return out->len > start;
}

static struct load_category *category_get(struct load_names *n, struct str slug, struct str name,
					  struct load_category *parent)
{
	struct load_category *c = map_get(&n->categories, slug);

	if (!c) {
		c = arena_alloc(&n->arena, sizeof(*c));
		c->slug = arena_strndup(&n->arena, slug.data, slug.len);
		c->name = arena_strndup(&n->arena, name.data, name.len);
		c->path =
		    parent ? arena_printf(&n->arena, "%s > %s", parent->path, c->name) : c->name;
		c->parent = parent;
		*map_put(&n->categories, str_from(c->slug)) = c;
		*n->last = c;
		n->last = &c->next;
	}
	return c;
}

int load_names_category(struct load_names *n, struct str path, struct load_category **ret,
			struct err *err)
{
	static const struct clean_text_options options = {.html = true};
	_cleanup_(strbuf_done) struct strbuf slug = STRBUF_INIT(0), name = STRBUF_INIT(0);
	struct load_category *c = NULL;
	size_t depth = 0;

	*ret = NULL;
	for (;;) {
		const char *sep = path.len ? memchr(path.data, '>', path.len) : NULL;
		struct str part = {path.data, sep ? (size_t)(sep - path.data) : path.len};

		strbuf_clear(&name);
		(void)clean_text(&n->clean, part, &options, &name);
		if (slug.len)
			strbuf_addch(&slug, '/');
		if (name.len == 0 || name.len > CATEGORY_NAME_MAX || ++depth > CATEGORY_DEPTH_MAX ||
		    !add_slug(n, strbuf_slice(&name), &slug) || slug.len > SLUG_MAX)
			return 0;
		if (n->categories.len >= LOAD_NAMES_MAX)
			return err_set(err, ERR_LIMIT, "more than %d categories", LOAD_NAMES_MAX);
		c = category_get(n, strbuf_slice(&slug), strbuf_slice(&name), c);
		if (!sep)
			break;
		path = (struct str){sep + 1, path.len - part.len - 1};
	}
	*ret = c;
	return 0;
}
