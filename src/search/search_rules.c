/*
 * Reads rules/search.yaml: see search_rules.h. First the file alone is read into plain structs,
 * with every mistake named where it stands; binding then walks each path through the mapping's
 * validator, which holds exactly the fields that its documents have.
 *
 * The nodes of the file are kept, because a path that no mapping produces is found only then and
 * has to be named by its place as well.
 */
#include "search/search_rules.h"

#include "base/file.h"
#include "base/map.h"
#include "search/search_filter.h"
#include "search/search_rules_int.h"

#include "base/banned.h"

/* Raise it when search_text.c makes other texts of the same rules: all are made again then. */
#define TEXT_VERSION   1

#define PATH_NAMES_MAX 512 /* of a level of a document, for suggestions */

struct search_rules {
	struct arena arena;
	struct ydoc *doc;
	uint64_t hash;
	size_t n;
	struct search_collection *collections;
	const struct ynode **nodes; /* one a collection */
	size_t n_scopes;
	struct search_scope *scopes;
};

/* --- reading --------------------------------------------------------------------------------- */

static int read_count(const struct ynode *map, const char *key, int64_t max, size_t *ret,
		      struct err *err)
{
	const struct ynode *n = ynode_get(map, key);
	int64_t value = 0;
	int r = n ? ynode_int(n, 1, max, &value, err) : 0;

	if (n && r == 0)
		*ret = (size_t)value;
	return r;
}

int search_rules_text(const struct ynode *map, const char *key, const char **ret, struct err *err)
{
	const struct ynode *n = ynode_get(map, key);

	return n ? ynode_text(n, ret, err) : 0;
}

int search_rules_bool(const struct ynode *map, const char *key, bool *ret, struct err *err)
{
	const struct ynode *n = ynode_get(map, key);

	return n ? ynode_bool(n, ret, err) : 0;
}

int search_rules_texts(struct arena *arena, const struct ynode *n, const char ***ret, size_t *ret_n,
		       struct err *err)
{
	size_t len = n->kind == YNODE_LIST ? n->len : 1;
	const char **texts = arena_alloc(arena, (len + 1) * sizeof(*texts));
	int r = 0;

	if (len == 0)
		return ynode_error(n, err, "the list is empty");
	for (size_t i = 0; i < len && r == 0; i++)
		r = ynode_text(n->kind == YNODE_LIST ? &n->children[i] : n, &texts[i], err);
	*ret = texts;
	*ret_n = len;
	return r;
}

static int read_words_for(struct arena *arena, const struct ynode *n, struct search_part *p,
			  struct err *err)
{
	int r = 0;

	if (n->kind != YNODE_MAP)
		return ynode_error(n, err, "\"words_for\" has to be a map from values to words");
	p->words_for = arena_alloc(arena, (n->len + 1) * sizeof(*p->words_for));
	p->n_words_for = n->len;
	for (size_t i = 0; i < n->len && r == 0; i++) {
		p->words_for[i].value = n->children[i].key;
		r = ynode_text(&n->children[i], &p->words_for[i].word, err);
	}
	return r;
}

static const struct {
	const char *name;
	enum search_part_kind kind;
} kinds[] = {{"say", SEARCH_PART_SAY}, {"field", SEARCH_PART_FIELD}, {"pairs", SEARCH_PART_PAIRS}};

/* Keys that only one kind of part knows. */
static const struct {
	const char *key;
	enum search_part_kind kind;
} only_of[] = {
    {"skip", SEARCH_PART_PAIRS},
    {"numbers", SEARCH_PART_PAIRS},
    {"words_for", SEARCH_PART_FIELD},
    {"once", SEARCH_PART_FIELD},
};

static int read_kind(const struct ynode *n, struct search_part *p, struct err *err)
{
	const struct ynode *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct ynode *k = ynode_get(n, kinds[i].name);

		if (k && found)
			return ynode_key_error(k, err, "a part is one of say, field and pairs");
		if (k) {
			found = k;
			p->kind = kinds[i].kind;
		}
	}
	if (!found)
		return ynode_error(n, err, "a part needs one of say, field and pairs");
	for (size_t i = 0; i < ARRAY_LEN(only_of); i++) {
		const struct ynode *k = ynode_get(n, only_of[i].key);

		if (k && only_of[i].kind != p->kind)
			return ynode_key_error(k, err, "\"%s\" goes with \"%s\" only", k->key,
					       kinds[only_of[i].kind].name);
	}
	return ynode_text(found, &p->text, err);
}

static int read_part(struct arena *arena, const struct ynode *n, struct search_part *p,
		     struct err *err)
{
	static const char *const keys[] = {"say",  "field",   "pairs", "label", "join",
					   "none", "limit",   "words", "skip",	"words_for",
					   "once", "numbers", NULL};
	const struct ynode *skip = ynode_get(n, "skip"), *words_for = ynode_get(n, "words_for");
	int r = ynode_check_keys(n, "a part", keys, err);

	*p = (struct search_part){.join = ", ", .limit = SEARCH_LIMIT_DEFAULT, .has_numbers = true};
	if (r == 0)
		r = read_kind(n, p, err);
	if (r == 0)
		r = search_rules_text(n, "label", &p->label, err);
	if (r == 0)
		r = search_rules_text(n, "join", &p->join, err);
	if (r == 0)
		r = search_rules_text(n, "none", &p->none, err);
	if (r == 0)
		r = read_count(n, "limit", SEARCH_LIMIT_MAX, &p->limit, err);
	if (r == 0)
		r = read_count(n, "words", SEARCH_WORDS_MAX, &p->words, err);
	if (r == 0)
		r = search_rules_bool(n, "once", &p->once, err);
	if (r == 0)
		r = search_rules_bool(n, "numbers", &p->has_numbers, err);
	if (r == 0 && skip)
		r = search_rules_texts(arena, skip, &p->skip, &p->n_skip, err);
	return r == 0 && words_for ? read_words_for(arena, words_for, p, err) : r;
}

int search_rules_parts(struct arena *arena, const struct ynode *map, const char *what,
		       struct search_part **ret, size_t *ret_n, struct err *err)
{
	const struct ynode *list = ynode_get(map, "parts");
	int r = 0;

	if (!list || list->kind != YNODE_LIST || !list->len)
		return ynode_error(list ? list : map, err, "%s needs a list of parts", what);
	*ret_n = list->len;
	*ret = arena_alloc(arena, list->len * sizeof(**ret));
	for (size_t i = 0; i < list->len && r == 0; i++)
		r = read_part(arena, &list->children[i], &(*ret)[i], err);
	return r;
}

static int read_when(struct search_rules *rules, const struct ynode *n,
		     struct search_composition *c, struct err *err)
{
	if (n->kind != YNODE_MAP || n->len != 1)
		return ynode_error(n, err, "\"when\" has to be a map of one field and its values");
	c->when = n->children[0].key;
	return search_rules_texts(&rules->arena, &n->children[0], &c->values, &c->n_values, err);
}

static int read_composition(struct search_rules *rules, const struct ynode *n,
			    struct search_composition *c, struct err *err)
{
	static const char *const keys[] = {"when", "parts", NULL};
	const struct ynode *when = ynode_get(n, "when");
	int r = ynode_check_keys(n, "a text", keys, err);

	if (r == 0 && when)
		r = read_when(rules, when, c, err);
	return r < 0 ? r
		     : search_rules_parts(&rules->arena, n, "a text", &c->parts, &c->n_parts, err);
}

static int read_compositions(struct search_rules *rules, const struct ynode *n,
			     struct search_collection *c, struct err *err)
{
	const struct ynode *texts = ynode_get(n, "texts");
	int r = 0;

	if (!texts || texts->kind != YNODE_LIST || !texts->len)
		return ynode_error(texts ? texts : n, err, "a collection needs a list of texts");
	c->n_compositions = texts->len;
	c->compositions = arena_alloc(&rules->arena, texts->len * sizeof(*c->compositions));
	for (size_t i = 0; i < texts->len && r == 0; i++) {
		bool is_last = i + 1 == texts->len;

		r = read_composition(rules, &texts->children[i], &c->compositions[i], err);
		if (r == 0 && is_last != !c->compositions[i].when)
			return ynode_error(&texts->children[i], err,
					   is_last ? "the last text is for all other documents: "
						     "it has no \"when\""
						   : "a text without \"when\" is for all "
						     "documents: it has to be the last one");
	}
	return r;
}

static int read_collection(struct search_rules *rules, const struct ynode *n,
			   struct search_collection *c, struct err *err)
{
	static const char *const keys[] = {"title",	"words",   "texts", "fields",  "attributes",
					   "qualities", "noise",   "shown", "ranking", "similar",
					   "recommend", "opinion", NULL};
	int r = ynode_check_keys(n, "a collection", keys, err);

	*c = (struct search_collection){.name = n->key, .words = SEARCH_WORDS_DEFAULT};
	if (r == 0)
		r = search_rules_text(n, "title", &c->title, err);
	if (r == 0)
		r = read_count(n, "words", SEARCH_WORDS_MAX, &c->words, err);
	if (r == 0)
		r = read_compositions(rules, n, c, err);
	return r < 0 ? r : search_rules_read_columns(&rules->arena, n, c, err);
}

static bool has_attribute(const struct search_collection *c, const char *name)
{
	for (size_t i = 0; i < c->n_attributes; i++) {
		const struct search_attribute *a = &c->attributes[i];
		size_t len = strlen(a->name);

		if (strncmp(a->name, name, len) == 0 && name[len] == (a->is_pairs ? '.' : '\0'))
			return true;
	}
	return false;
}

/* What everybody who searches the scope would be told. */
static int check_filters(struct search_rules *rules, const struct ynode *n,
			 const struct search_scope *s, struct err *err)
{
	const struct search_collection *c = search_rules_find(rules, s->collection);
	struct search_filter f;

	for (size_t i = 0; i < s->n_filters; i++) {
		struct err why = {0};

		if (search_filter_parse(str_from(s->filters[i]), &rules->arena, &f, &why) < 0)
			return ynode_error(n, err, "%s", why.message);
		if (!has_attribute(c, f.attribute))
			return ynode_error(n, err, "\"%s\" has no attribute \"%s\"", s->collection,
					   f.attribute);
	}
	return 0;
}

static int read_scope(struct search_rules *rules, const struct ynode *n, struct search_scope *s,
		      struct err *err)
{
	static const char *const keys[] = {"collection", "filter", NULL};
	const struct ynode *collection = ynode_get(n, "collection"), *filter;
	int r = ynode_check_keys(n, "a scope", keys, err);

	*s = (struct search_scope){.name = n->key};
	if (r < 0)
		return r;
	if (!collection)
		return ynode_error(n, err, "a scope needs a collection");
	r = ynode_text(collection, &s->collection, err);
	if (r == 0 && !search_rules_find(rules, s->collection))
		r = ynode_error(collection, err, "there are no rules for the collection \"%s\"",
				s->collection);
	filter = ynode_get(n, "filter");
	if (r == 0 && filter)
		r = search_rules_texts(&rules->arena, filter, &s->filters, &s->n_filters, err);
	return r == 0 && filter ? check_filters(rules, filter, s, err) : r;
}

static int read_scopes(struct search_rules *rules, const struct ynode *n, struct err *err)
{
	int r = 0;

	if (n->kind != YNODE_MAP)
		return ynode_error(n, err, "\"scopes\" has to be a map");
	rules->n_scopes = n->len;
	rules->scopes = arena_alloc(&rules->arena, (n->len + 1) * sizeof(*rules->scopes));
	for (size_t i = 0; i < n->len && r == 0; i++)
		r = read_scope(rules, &n->children[i], &rules->scopes[i], err);
	return r;
}

static int read_rules(struct search_rules *rules, struct err *err)
{
	static const char *const keys[] = {"collections", "scopes", NULL};
	const struct ynode *root = ydoc_root(rules->doc), *list;
	int r = ynode_check_keys(root, "the file of search rules", keys, err);

	if (r < 0)
		return r;
	list = ynode_get(root, "collections");
	if (!list || list->kind != YNODE_MAP)
		return ynode_error(list ? list : root, err, "\"collections\" has to be a map");
	rules->n = list->len;
	rules->collections =
	    arena_alloc(&rules->arena, (list->len + 1) * sizeof(*rules->collections));
	rules->nodes = arena_alloc(&rules->arena, (list->len + 1) * sizeof(*rules->nodes));
	for (size_t i = 0; i < list->len && r == 0; i++) {
		rules->nodes[i] = &list->children[i];
		r = read_collection(rules, &list->children[i], &rules->collections[i], err);
	}
	if (r == 0 && ynode_get(root, "scopes"))
		r = read_scopes(rules, ynode_get(root, "scopes"), err);
	return r;
}

int search_rules_parse(const char *file, struct str text, struct search_rules **ret,
		       struct err *err)
{
	_cleanup_(search_rules_freep) struct search_rules *rules = MEM_NEW(struct search_rules);
	int r = ydoc_parse(file, text.data, text.len, &rules->doc, err);

	if (r == 0)
		r = read_rules(rules, err);
	if (r < 0)
		return r;
	rules->hash = map_hash(text) + TEXT_VERSION;
	*ret = TAKE_PTR(rules);
	return 0;
}

int search_rules_load(const char *path, struct search_rules **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(YDOC_FILE_MAX);
	int r = file_read(path, &b, err);

	return r < 0 ? r : search_rules_parse(path, strbuf_slice(&b), ret, err);
}

struct search_rules *search_rules_free(struct search_rules *r)
{
	if (!r)
		return NULL;
	(void)ydoc_free(r->doc);
	arena_done(&r->arena);
	mem_free(r);
	return NULL;
}

/* --- binding --------------------------------------------------------------------------------- */

/* Of a $jsonSchema, the member at `name`; false: it has none. */
static bool enter(bson_iter_t *schema, const char *name)
{
	bson_iter_t child;

	if (!BSON_ITER_HOLDS_DOCUMENT(schema) || !bson_iter_recurse(schema, &child) ||
	    !bson_iter_find(&child, name))
		return false;
	*schema = child;
	return true;
}

/* JSON columns: a schema without a type, which may hold anything. */
static bool is_free(const bson_iter_t *schema)
{
	bson_iter_t type = *schema;

	return !enter(&type, "bsonType");
}

static const char *nearest_field(const bson_iter_t *properties, const char *name)
{
	const char *names[PATH_NAMES_MAX + 1];
	bson_iter_t child;
	size_t n = 0;

	if (!bson_iter_recurse(properties, &child))
		return NULL;
	while (n < PATH_NAMES_MAX && bson_iter_next(&child))
		names[n++] = bson_iter_key(&child);
	names[n] = NULL;
	return cstr_nearest(name, names);
}

/* The schema at a dotted path of the documents; `at` is where an error shows. */
static int find_path(const struct mapping *m, const char *path, const struct ynode *at,
		     bson_iter_t *ret, struct err *err)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(path);
	char *rest = copy, *name;

	bug_if(!bson_iter_init_find(ret, mapping_validator(m), "$jsonSchema"));
	while ((name = strsep(&rest, "."))) {
		bson_iter_t properties;
		const char *near = NULL;

		while (enter(ret, "items"))
			;
		if (is_free(ret))
			return 0;
		properties = *ret;
		if (enter(&properties, "properties")) {
			*ret = properties;
			if (enter(ret, name))
				continue;
			near = nearest_field(&properties, name);
		}
		(void)ynode_error(at, err, "\"%s\": documents of \"%s\" have no field \"%s\"", path,
				  mapping_collection(m), name);
		return err_near(err, near);
	}
	return 0;
}

/* Whether one is the other or a part of it: "addresses" and "addresses.city". */
static bool is_same_branch(const char *a, const char *b)
{
	size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

	return strncmp(a, b, n) == 0 && (a[n] == '\0' || a[n] == '.') &&
	       (b[n] == '\0' || b[n] == '.');
}

struct pii_search {
	const char *const *paths;
	size_t n;
	struct strbuf found;
};

static void look_for_pii(void *arg, const char *field, const char *table, const char *column,
			 const char *pii)
{
	struct pii_search *s = arg;

	(void)table;
	(void)column;
	for (size_t i = 0; i < s->n; i++) {
		if (!is_same_branch(s->paths[i], field))
			continue;
		strbuf_addf(&s->found, "%s%s (%s)", s->found.len ? ", " : "", field, pii);
		return;
	}
}

const char *search_rules_pii(struct arena *arena, const struct mapping *m, const char *const *paths,
			     size_t n)
{
	struct pii_search s = {.paths = paths, .n = n, .found = STRBUF_INIT(4096)};
	const char *ret;

	mapping_each_pii(m, look_for_pii, &s);
	ret = s.found.len ? arena_strdup(arena, strbuf_str(&s.found)) : NULL;
	strbuf_done(&s.found);
	return ret;
}

const char *search_rules_pii_of_parts(struct arena *arena, const struct mapping *m,
				      const struct search_part *parts, size_t n)
{
	const char **paths = arena_alloc(arena, n * sizeof(*paths));
	size_t n_paths = 0;

	for (size_t i = 0; i < n; i++) {
		if (parts[i].kind != SEARCH_PART_SAY)
			paths[n_paths++] = parts[i].text;
	}
	return search_rules_pii(arena, m, paths, n_paths);
}

int search_rules_bind_path(const struct mapping *m, const char *path, bool is_pairs,
			   const struct ynode *at, struct err *err)
{
	bson_iter_t schema;
	int r = find_path(m, path, at, &schema, err);

	if (r == 0 && !is_pairs && enter(&schema, "properties"))
		return ynode_error(at, err, "\"%s\" is an object: name a field of it", path);
	return r;
}

int search_rules_bind_parts(const struct mapping *m, const struct ynode *list,
			    const struct search_part *parts, size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct search_part *p = &parts[i];

		if (p->kind != SEARCH_PART_SAY)
			r = search_rules_bind_path(
			    m, p->text, p->kind == SEARCH_PART_PAIRS,
			    ynode_get(&list->children[i], kinds[p->kind].name), err);
	}
	return r;
}

static int bind_composition(struct search_rules *rules, const struct mapping *m,
			    const struct ynode *n, struct search_composition *c, struct err *err)
{
	const struct ynode *when = ynode_get(n, "when");
	bson_iter_t schema;
	int r = c->when ? find_path(m, c->when, &when->children[0], &schema, err) : 0;

	if (r == 0)
		r = search_rules_bind_parts(m, ynode_get(n, "parts"), c->parts, c->n_parts, err);
	if (r == 0)
		c->pii = search_rules_pii_of_parts(&rules->arena, m, c->parts, c->n_parts);
	return r;
}

bool search_rules_is_personal(const struct search_collection *c)
{
	bool is = c->title_pii != NULL;

	for (size_t i = 0; i < c->n_compositions; i++)
		is = is || c->compositions[i].pii;
	for (size_t i = 0; i < c->n_fields; i++)
		is = is || c->fields[i].pii;
	for (size_t i = 0; i < c->n_attributes; i++)
		is = is || c->attributes[i].pii;
	for (size_t i = 0; i < c->n_shown; i++)
		is = is || c->shown[i].pii;
	return is;
}

static int bind_collection(struct search_rules *rules, size_t i, const struct mapping *m,
			   struct err *err)
{
	struct search_collection *c = &rules->collections[i];
	const struct ynode *title = ynode_get(rules->nodes[i], "title");
	const struct ynode *texts = ynode_get(rules->nodes[i], "texts");
	bson_iter_t schema;
	int r = title ? find_path(m, c->title, title, &schema, err) : 0;

	for (size_t k = 0; k < c->n_compositions && r == 0; k++)
		r = bind_composition(rules, m, &texts->children[k], &c->compositions[k], err);
	if (r == 0)
		r = search_rules_bind_columns(&rules->arena, m, rules->nodes[i], c, err);
	if (r == 0)
		c->mapping = m;
	return r;
}

int search_rules_bind(struct search_rules *rules, const struct mapping_set *set, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < rules->n; i++)
		rules->collections[i].mapping = NULL;
	for (size_t i = 0; i < rules->n && r == 0; i++) {
		const struct mapping *m = mapping_set_find(set, rules->collections[i].name);

		if (m)
			r = bind_collection(rules, i, m, err);
	}
	return r;
}

size_t search_rules_collections(const struct search_rules *r, const struct search_collection **ret)
{
	*ret = r->collections;
	return r->n;
}

const struct search_collection *search_rules_find(const struct search_rules *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++) {
		if (cstr_equal(r->collections[i].name, name))
			return &r->collections[i];
	}
	return NULL;
}

const struct search_scope *search_rules_scope(const struct search_rules *r, const char *name)
{
	for (size_t i = 0; i < r->n_scopes; i++) {
		if (cstr_equal(r->scopes[i].name, name))
			return &r->scopes[i];
	}
	return NULL;
}

uint64_t search_rules_hash(const struct search_rules *r)
{
	uint64_t hash = r->hash;

	for (size_t i = 0; i < r->n; i++) {
		const struct mapping *m = r->collections[i].mapping;

		hash = hash * 31 + (m ? map_hash(str_from(mapping_hash(m))) : 0);
	}
	return hash;
}
