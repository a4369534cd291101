/*
 * Reads `similar:` and `recommend:` of a collection of rules/search.yaml: what makes two documents
 * alike besides their meaning, which of them are one thing, and what may be recommended. The shop's
 * attributes are named there, so that the code names none.
 */
#include "search/search_rules_int.h"

#include "search/search_filter.h"

#include "base/banned.h"

#define WEIGHT_MAX 1.0 /* beside a nearness of at most 1 */
/* By `aethermart eval --recommendations` on the generated shop. */
#define TOGETHER 1.0
#define PROFILE	 0.1
#define POPULAR	 0.6

static int find_attribute(const struct search_collection *c, const char *name,
			  const struct ynode *at, size_t *ret, struct err *err)
{
	const char *names[SEARCH_ATTRIBUTES_MAX + 1];

	for (size_t i = 0; i < c->n_attributes; i++) {
		names[i] = c->attributes[i].name;
		if (!cstr_equal(names[i], name))
			continue;
		*ret = i;
		return 0;
	}
	names[c->n_attributes] = NULL;
	(void)ynode_error(at, err, "there is no attribute \"%s\"", name);
	return err_near(err, cstr_nearest(name, names));
}

static int read_same(struct arena *arena, const struct ynode *n, struct search_collection *c,
		     struct err *err)
{
	struct search_likeness *l = &c->likeness;
	int r = 0;

	if (n->kind != YNODE_MAP || n->len > SEARCH_SAME_MAX)
		return ynode_error(n, err, "\"same\" has to be a map of at most %d attributes",
				   SEARCH_SAME_MAX);
	l->same = arena_alloc(arena, (n->len + 1) * sizeof(*l->same));
	for (size_t i = 0; i < n->len && r == 0; i++) {
		const struct ynode *k = &n->children[i];
		struct search_same *s = &l->same[l->n_same++];
		const struct search_attribute *a;

		r = find_attribute(c, k->key, k, &s->attribute, err);
		if (r < 0)
			break;
		a = &c->attributes[s->attribute];
		if (a->is_pairs || a->type == SEARCH_DATE)
			return ynode_error(k, err, "\"%s\" is neither text, number nor boolean",
					   k->key);
		r = search_rules_number(n, k->key, WEIGHT_MAX, &s->weight, err);
	}
	return r;
}

static int read_apart(struct arena *arena, const struct ynode *n, struct search_collection *c,
		      struct err *err)
{
	struct search_likeness *l = &c->likeness;
	const char **names = NULL;
	int r = search_rules_texts(arena, n, &names, &l->n_apart, err);

	l->apart = arena_alloc(arena, (l->n_apart + 1) * sizeof(*l->apart));
	for (size_t i = 0; i < l->n_apart && r == 0; i++) {
		r = find_attribute(c, names[i], n, &l->apart[i], err);
		if (r == 0 && c->attributes[l->apart[i]].type != SEARCH_TEXT)
			r = ynode_error(n, err, "\"%s\" is no text", names[i]);
	}
	return r;
}

static int read_fields(struct arena *arena, const struct ynode *n, struct search_collection *c,
		       struct err *err)
{
	const char **names = NULL;
	size_t len = 0;
	int r = search_rules_texts(arena, n, &names, &len, err);

	c->likeness.has_fields = true;
	for (size_t i = 0; i < len && r == 0; i++) {
		size_t f = 0;

		while (f < c->n_fields && !cstr_equal(c->fields[f].name, names[i]))
			f++;
		if (f == c->n_fields)
			return ynode_error(n, err, "there is no field \"%s\"", names[i]);
		c->likeness.fields |= UINT64_C(1) << f;
	}
	return r;
}

static int read_likeness(struct arena *arena, const struct ynode *n, struct search_collection *c,
			 struct err *err)
{
	static const char *const keys[] = {"same", "twin",    "apart", "fields",
					   "ask",  "meaning", NULL};
	struct search_likeness *l = &c->likeness;
	const struct ynode *same = ynode_get(n, "same"), *apart = ynode_get(n, "apart");
	const struct ynode *fields = ynode_get(n, "fields"), *ask = ynode_get(n, "ask");
	int r = ynode_check_keys(n, "similar", keys, err);

	if (r == 0)
		r = search_rules_text(n, "meaning", &l->meaning, err);
	if (r == 0)
		r = search_rules_number(n, "twin", 1, &l->twin, err);
	if (r == 0 && same)
		r = read_same(arena, same, c, err);
	if (r == 0 && apart)
		r = read_apart(arena, apart, c, err);
	if (r == 0 && fields)
		r = read_fields(arena, fields, c, err);
	if (r == 0 && ask)
		r = search_rules_texts(arena, ask, &l->ask, &l->n_ask, err);
	return r;
}

/* Conditions are read once here, so that a mistake shows where it stands. */
static int read_only(struct arena *arena, const struct ynode *n, struct search_collection *c,
		     struct err *err)
{
	struct search_recommending *m = &c->recommending;
	struct search_filter f;
	size_t unused;
	int r = search_rules_texts(arena, n, &m->only, &m->n_only, err);

	for (size_t i = 0; i < m->n_only && r == 0; i++) {
		r = search_filter_parse(str_from(m->only[i]), arena, &f, err);
		if (r < 0)
			return ynode_error(n, err, "%s", err->message);
		r = find_attribute(c, f.attribute, n, &unused, err);
	}
	return r;
}

static int read_recommending(struct arena *arena, const struct ynode *n,
			     struct search_collection *c, struct err *err)
{
	static const char *const keys[] = {"only", "together", "profile", "popular", NULL};
	struct search_recommending *m = &c->recommending;
	const struct ynode *only = ynode_get(n, "only");
	int r = ynode_check_keys(n, "recommend", keys, err);

	if (r == 0 && only)
		r = read_only(arena, only, c, err);
	if (r == 0)
		r = search_rules_number(n, "together", WEIGHT_MAX, &m->together, err);
	if (r == 0)
		r = search_rules_number(n, "profile", WEIGHT_MAX, &m->profile, err);
	return r < 0 ? r : search_rules_number(n, "popular", WEIGHT_MAX, &m->popular, err);
}

int search_rules_read_similar(struct arena *arena, const struct ynode *n,
			      struct search_collection *c, struct err *err)
{
	const struct ynode *similar = ynode_get(n, "similar"),
			   *recommend = ynode_get(n, "recommend");
	int r = 0;

	c->likeness = (struct search_likeness){.meaning = "near in meaning"};
	c->recommending = (struct search_recommending){
	    .together = TOGETHER, .profile = PROFILE, .popular = POPULAR};
	if (similar)
		r = read_likeness(arena, similar, c, err);
	return r == 0 && recommend ? read_recommending(arena, recommend, c, err) : r;
}

void search_rules_bind_similar(struct arena *arena, const struct mapping *m,
			       struct search_collection *c)
{
	c->title_pii = c->title ? search_rules_pii(arena, m, &c->title, 1) : NULL;
	if (c->likeness.has_fields)
		return;
	c->likeness.fields = 0;
	for (size_t i = 0; i < c->n_fields; i++)
		c->likeness.fields |= c->fields[i].pii ? 0 : UINT64_C(1) << i;
}
