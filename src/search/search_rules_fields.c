/*
 * Reads and binds `fields:` and `attributes:` of a collection of rules/search.yaml: what is found
 * by words, and the typed columns that hits are filtered, sorted and counted by, with all that a
 * query may call them. The head of that file describes the language.
 *
 * Words of the rules are kept as they are written: folding them, so that they are compared as a
 * query's words are, is for who makes a vocabulary of them (search_vocabulary.c).
 */
#include "search/search_rules_int.h"

#include <math.h>
#include <stddef.h>

#include "base/banned.h"

#define WEIGHT_DEFAULT 1.0
#define WEIGHT_MAX     1000.0
#define B_DEFAULT      0.75 /* of BM25, as its authors found it */
#define NUMBER_MAX     1e15 /* of the rules: microseconds of a date are below */

/* --- values ---------------------------------------------------------------------------------- */

static int number(const struct ynode *n, double min, double max, double *ret, struct err *err)
{
	char shown[TEXT_SHOWN_SIZE];
	double value;

	if (n->kind != YNODE_SCALAR || parse_double(str_from(n->text), &value, NULL) < 0 ||
	    !(value >= min && value <= max))
		return ynode_error(n, err, "expected a number from %g to %g, not %s", min, max,
				   ynode_shown(n, shown));
	*ret = value;
	return 0;
}

int search_rules_number(const struct ynode *map, const char *key, double max, double *ret,
			struct err *err)
{
	const struct ynode *n = ynode_get(map, key);

	return n ? number(n, 0, max, ret, err) : 0;
}

static int read_range(const struct ynode *n, double *ret_min, double *ret_max, struct err *err)
{
	int r;

	if (n->kind != YNODE_LIST || n->len != 2)
		return ynode_error(n, err, "\"%s\" has to be a list of two numbers", n->key);
	r = number(&n->children[0], -NUMBER_MAX, NUMBER_MAX, ret_min, err);
	if (r == 0)
		r = number(&n->children[1], -NUMBER_MAX, NUMBER_MAX, ret_max, err);
	if (r == 0 && *ret_min > *ret_max)
		return ynode_error(n, err, "the first number is above the second");
	return r;
}

/* Of a word or a name: not empty, not too long a list. */
static int check_map(const struct ynode *n, struct err *err)
{
	if (n->kind != YNODE_MAP)
		return ynode_error(n, err, "\"%s\" has to be a map", n->key);
	if (n->len > SEARCH_PHRASES_MAX)
		return ynode_error(n, err, "\"%s\" has more than %d entries", n->key,
				   SEARCH_PHRASES_MAX);
	return 0;
}

static int read_words(struct arena *arena, const struct ynode *map, const char *key,
		      const char ***ret, size_t *ret_n, struct err *err)
{
	const struct ynode *n = ynode_get(map, key);

	if (!n)
		return 0;
	if (n->kind == YNODE_LIST && n->len > SEARCH_PHRASES_MAX)
		return ynode_error(n, err, "\"%s\" has more than %d entries", key,
				   SEARCH_PHRASES_MAX);
	return search_rules_texts(arena, n, ret, ret_n, err);
}

/* --- fields ---------------------------------------------------------------------------------- */

static int read_field(struct arena *arena, const struct ynode *n, struct search_field *f,
		      struct err *err)
{
	static const char *const keys[] = {"weight", "b", "parts", NULL};
	int r = ynode_check_keys(n, "a field", keys, err);

	*f = (struct search_field){.name = n->key, .weight = WEIGHT_DEFAULT, .b = B_DEFAULT};
	if (r == 0)
		r = search_rules_number(n, "weight", WEIGHT_MAX, &f->weight, err);
	if (r == 0)
		r = search_rules_number(n, "b", 1, &f->b, err);
	return r < 0 ? r : search_rules_parts(arena, n, "a field", &f->parts, &f->n_parts, err);
}

static int read_fields(struct arena *arena, const struct ynode *n, struct search_collection *c,
		       struct err *err)
{
	int r = 0;

	if (n->kind != YNODE_MAP || !n->len)
		return ynode_error(n, err, "\"fields\" has to be a map from names to fields");
	if (n->len > SEARCH_FIELDS_MAX)
		return ynode_error(n, err, "a collection has at most %d fields", SEARCH_FIELDS_MAX);
	c->n_fields = n->len;
	c->fields = arena_alloc(arena, n->len * sizeof(*c->fields));
	for (size_t i = 0; i < n->len && r == 0; i++)
		r = read_field(arena, &n->children[i], &c->fields[i], err);
	return r;
}

/* --- attributes ------------------------------------------------------------------------------ */

static const char *const type_names[] = {[SEARCH_NUMBER] = "number",
					 [SEARCH_TEXT] = "text",
					 [SEARCH_BOOLEAN] = "boolean",
					 [SEARCH_DATE] = "date",
					 NULL};
static const char *const ask_names[] = {
    [SEARCH_ASK_NO] = "no", [SEARCH_ASK_FILTER] = "filter", [SEARCH_ASK_BOOST] = "boost", NULL};

static int read_choice(const struct ynode *n, const char *const *names, unsigned *ret,
		       struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf all = STRBUF_INIT(256);
	char shown[TEXT_SHOWN_SIZE];

	for (unsigned i = 0; names[i]; i++) {
		if (n->kind == YNODE_SCALAR && cstr_equal(names[i], n->text)) {
			*ret = i;
			return 0;
		}
		strbuf_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	return ynode_error(n, err, "\"%s\" is one of %s, not %s", n->key, strbuf_str(&all),
			   ynode_shown(n, shown));
}

/* Keys that only some types know: a bit each. */
#define OF(type) (1U << (type))
static const struct {
	const char *key;
	unsigned types;
} only_of[] = {
    {"units", OF(SEARCH_NUMBER)},
    {"usual", OF(SEARCH_NUMBER)},
    {"valid", OF(SEARCH_NUMBER)},
    {"near", OF(SEARCH_NUMBER)},
    {"least", OF(SEARCH_NUMBER)},
    {"means", OF(SEARCH_NUMBER)},
    {"unit", OF(SEARCH_NUMBER)},
    {"split", OF(SEARCH_TEXT)},
    {"kind", OF(SEARCH_TEXT)},
    {"above", OF(SEARCH_BOOLEAN)},
    {"values", OF(SEARCH_TEXT) | OF(SEARCH_BOOLEAN)},
    {"ascending", OF(SEARCH_NUMBER) | OF(SEARCH_DATE)},
    {"descending", OF(SEARCH_NUMBER) | OF(SEARCH_DATE)},
    {"more", OF(SEARCH_NUMBER) | OF(SEARCH_DATE)},
    {"less", OF(SEARCH_NUMBER) | OF(SEARCH_DATE)},
};

static int check_type(const struct ynode *n, enum search_type type, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(only_of); i++) {
		const struct ynode *k = ynode_get(n, only_of[i].key);

		if (k && !(only_of[i].types & OF(type)))
			return ynode_key_error(k, err, "\"%s\" does not go with type %s", k->key,
					       type_names[type]);
	}
	return 0;
}

static int read_units(struct arena *arena, const struct ynode *n, struct search_attribute *a,
		      struct err *err)
{
	int r = check_map(n, err);

	if (r < 0)
		return r;
	a->n_units = n->len;
	a->units = arena_alloc(arena, (n->len + 1) * sizeof(*a->units));
	for (size_t i = 0; i < n->len && r == 0; i++) {
		a->units[i].word = n->children[i].key;
		r = number(&n->children[i], 1e-9, NUMBER_MAX, &a->units[i].factor, err);
	}
	return r;
}

/* {"true": ["in stock", available]}: an entry a word. */
static int read_values(struct arena *arena, const struct ynode *n, struct search_attribute *a,
		       struct err *err)
{
	size_t total = 0;
	int r = check_map(n, err);

	for (size_t i = 0; r == 0 && i < n->len; i++)
		total += n->children[i].kind == YNODE_LIST ? n->children[i].len : 1;
	if (r == 0 && total > SEARCH_PHRASES_MAX)
		r = ynode_error(n, err, "\"values\" has more than %d words", SEARCH_PHRASES_MAX);
	if (r < 0)
		return r;
	a->values = arena_alloc(arena, (total + 1) * sizeof(*a->values));
	for (size_t i = 0; i < n->len; i++) {
		const struct ynode *v = &n->children[i];
		const char **words;
		size_t len;

		if (a->type == SEARCH_BOOLEAN && !cstr_equal(v->key, "true") &&
		    !cstr_equal(v->key, "false"))
			return ynode_key_error(v, err,
					       "values of a boolean are \"true\" and \"false\"");
		r = search_rules_texts(arena, v, &words, &len, err);
		for (size_t k = 0; r == 0 && k < len; k++)
			a->values[a->n_values++] = (struct search_word){v->key, words[k]};
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_meanings(struct arena *arena, const struct ynode *n, struct search_attribute *a,
			 struct err *err)
{
	static const char *const keys[] = {"min", "max", NULL};
	int r = check_map(n, err);

	if (r < 0)
		return r;
	a->n_meanings = n->len;
	a->meanings = arena_alloc(arena, (n->len + 1) * sizeof(*a->meanings));
	for (size_t i = 0; i < n->len && r == 0; i++) {
		const struct ynode *v = &n->children[i], *min, *max;
		struct search_meaning *m = &a->meanings[i];

		*m = (struct search_meaning){v->key, -HUGE_VAL, HUGE_VAL};
		r = ynode_check_keys(v, "a meaning", keys, err);
		if (r < 0)
			break;
		min = ynode_get(v, "min");
		max = ynode_get(v, "max");
		if (!min && !max)
			return ynode_error(v, err, "a meaning needs \"min\" or \"max\"");
		if (min)
			r = number(min, -NUMBER_MAX, NUMBER_MAX, &m->min, err);
		if (r == 0 && max)
			r = number(max, -NUMBER_MAX, NUMBER_MAX, &m->max, err);
	}
	return r;
}

/* Where the values are. */
static int read_paths(struct arena *arena, const struct ynode *n, struct search_attribute *a,
		      struct err *err)
{
	const struct ynode *field = ynode_get(n, "field"), *pairs = ynode_get(n, "pairs");
	const struct ynode *type = ynode_get(n, "type");
	unsigned choice = SEARCH_TEXT;
	int r = 0;

	if (!field == !pairs)
		return ynode_error(n, err, "an attribute needs one of field and pairs");
	a->is_pairs = pairs;
	if (pairs) {
		for (size_t i = 0; i < n->len; i++) {
			const struct ynode *k = &n->children[i];

			if (k != pairs && !cstr_equal(k->key, "title"))
				return ynode_key_error(k, err, "\"%s\" does not go with \"pairs\"",
						       k->key);
		}
		a->paths = arena_alloc(arena, sizeof(*a->paths));
		a->n_paths = 1;
		return ynode_text(pairs, &a->paths[0], err);
	}
	if (!type)
		return ynode_error(n, err, "an attribute needs a type");
	r = read_choice(type, type_names, &choice, err);
	a->type = choice;
	if (r == 0)
		r = check_type(n, a->type, err);
	return r < 0 ? r : search_rules_texts(arena, field, &a->paths, &a->n_paths, err);
}

static int read_within(struct arena *arena, const struct ynode *n, struct search_attribute *a,
		       struct err *err)
{
	if (n->kind != YNODE_MAP || n->len != 1)
		return ynode_error(n, err,
				   "\"within\" has to be a map of one attribute and its values");
	a->within = n->children[0].key;
	return search_rules_texts(arena, &n->children[0], &a->within_values, &a->n_within, err);
}

/* What an attribute's values are. */
static int read_column(struct arena *arena, const struct ynode *n, struct search_attribute *a,
		       struct err *err)
{
	const struct ynode *valid = ynode_get(n, "valid"), *above = ynode_get(n, "above");
	int r = read_paths(arena, n, a, err);

	if (r == 0)
		r = search_rules_text(n, "title", &a->title, err);
	if (r == 0)
		r = search_rules_text(n, "unit", &a->unit, err);
	if (r == 0)
		r = search_rules_text(n, "split", &a->split, err);
	if (r == 0)
		r = search_rules_bool(n, "facet", &a->has_facet, err);
	if (r == 0 && valid)
		r = read_range(valid, &a->valid_min, &a->valid_max, err);
	if (r < 0 || !above)
		return r;
	a->is_above = true;
	return number(above, -NUMBER_MAX, NUMBER_MAX, &a->above, err);
}

static int read_preference(const struct ynode *n, struct search_attribute *a, struct err *err)
{
	int r = search_rules_number(n, "prefer", WEIGHT_MAX, &a->prefer, err);
	bool is_bounded = isfinite(a->valid_min) && isfinite(a->valid_max);

	if (r < 0 || !(a->prefer > 0) || a->type == SEARCH_BOOLEAN ||
	    (a->type == SEARCH_NUMBER && is_bounded && !a->is_pairs))
		return r;
	return ynode_error(ynode_get(n, "prefer"), err,
			   "only a boolean, or a number with \"valid\" bounds, can be preferred");
}

/* Words that ask for an order or compare. */
static int read_comparing(struct arena *arena, const struct ynode *n, struct search_attribute *a,
			  struct err *err)
{
	int r = read_words(arena, n, "ascending", &a->ascending, &a->n_ascending, err);

	if (r == 0)
		r = read_words(arena, n, "descending", &a->descending, &a->n_descending, err);
	if (r == 0)
		r = read_words(arena, n, "more", &a->more, &a->n_more, err);
	return r < 0 ? r : read_words(arena, n, "less", &a->less, &a->n_less, err);
}

/* What a query calls it. */
static int read_understanding(struct arena *arena, const struct ynode *n,
			      struct search_attribute *a, struct err *err)
{
	static const struct {
		const char *key;
		int (*read)(struct arena *arena, const struct ynode *n, struct search_attribute *a,
			    struct err *err);
	} readers[] = {{"units", read_units},
		       {"values", read_values},
		       {"means", read_meanings},
		       {"within", read_within}};
	const struct ynode *ask = ynode_get(n, "ask"), *usual = ynode_get(n, "usual");
	unsigned choice = SEARCH_ASK_NO;
	int r = ask ? read_choice(ask, ask_names, &choice, err) : 0;

	a->ask = choice;
	a->has_usual = usual;
	a->has_near = ynode_get(n, "near");
	for (size_t i = 0; i < ARRAY_LEN(readers) && r == 0; i++) {
		const struct ynode *k = ynode_get(n, readers[i].key);

		if (k)
			r = readers[i].read(arena, k, a, err);
	}
	if (r == 0 && usual)
		r = read_range(usual, &a->usual_min, &a->usual_max, err);
	if (r == 0)
		r = search_rules_number(n, "near", NUMBER_MAX, &a->near, err);
	if (r == 0)
		r = search_rules_number(n, "boost", WEIGHT_MAX, &a->boost, err);
	if (r == 0)
		r = search_rules_bool(n, "least", &a->is_least, err);
	if (r == 0)
		r = search_rules_bool(n, "kind", &a->is_kind, err);
	if (r == 0)
		r = search_rules_bool(n, "keep", &a->keeps_words, err);
	if (r == 0)
		r = read_words(arena, n, "words", &a->words, &a->n_words, err);
	return r < 0 ? r : read_comparing(arena, n, a, err);
}

/* Names stand in conditions ("price<100") and, before a dot, for members of pairs. */
static bool is_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s) &&
	       !(*s >= '0' && *s <= '9') && !cstr_equal(s, "relevance");
}

static int read_attribute(struct arena *arena, const struct ynode *n, struct search_attribute *a,
			  struct err *err)
{
	static const char *const keys[] = {
	    "field", "pairs", "type",	"ask",	 "title",  "unit",	"words",
	    "units", "usual", "values", "above", "split",  "ascending", "descending",
	    "facet", "valid", "near",	"kind",	 "keep",   "means",	"within",
	    "more",  "less",  "least",	"boost", "prefer", NULL};
	int r = ynode_check_keys(n, "an attribute", keys, err);

	if (r == 0 && !is_name(n->key))
		r = ynode_key_error(n, err,
				    "an attribute's name is of a-z, 0-9 and _, begins with a "
				    "letter and is not \"relevance\"");
	*a = (struct search_attribute){.name = n->key,
				       .type = SEARCH_TEXT,
				       .title = n->key,
				       .boost = 1,
				       .valid_min = -HUGE_VAL,
				       .valid_max = HUGE_VAL};
	if (r == 0)
		r = read_column(arena, n, a, err);
	if (r == 0)
		r = read_preference(n, a, err);
	return r < 0 ? r : read_understanding(arena, n, a, err);
}

static int check_within(const struct ynode *n, const struct search_collection *c, struct err *err)
{
	const char *names[SEARCH_ATTRIBUTES_MAX + 1];

	for (size_t i = 0; i < c->n_attributes; i++)
		names[i] = c->attributes[i].name;
	names[c->n_attributes] = NULL;
	for (size_t i = 0; i < c->n_attributes; i++) {
		const char *name = c->attributes[i].within;
		size_t k = 0;

		while (name && names[k] && !cstr_equal(names[k], name))
			k++;
		if (!name || names[k])
			continue;
		(void)ynode_key_error(&ynode_get(&n->children[i], "within")->children[0], err,
				      "there is no attribute \"%s\"", name);
		return err_near(err, cstr_nearest(name, names));
	}
	return 0;
}

static int read_attributes(struct arena *arena, const struct ynode *n, struct search_collection *c,
			   struct err *err)
{
	int r = 0;

	if (n->kind != YNODE_MAP || !n->len)
		return ynode_error(n, err,
				   "\"attributes\" has to be a map from names to attributes");
	if (n->len > SEARCH_ATTRIBUTES_MAX)
		return ynode_error(n, err, "a collection has at most %d attributes",
				   SEARCH_ATTRIBUTES_MAX);
	c->n_attributes = n->len;
	c->attributes = arena_alloc(arena, n->len * sizeof(*c->attributes));
	for (size_t i = 0; i < n->len && r == 0; i++)
		r = read_attribute(arena, &n->children[i], &c->attributes[i], err);
	return r < 0 ? r : check_within(n, c, err);
}

/* A path, or {field: PATH, limit: N} for a list. */
static int read_shown_one(const struct ynode *n, struct search_shown *ret, struct err *err)
{
	static const char *const keys[] = {"field", "limit", NULL};
	const struct ynode *limit;
	int64_t value = 0;
	int r;

	*ret = (struct search_shown){.name = n->key};
	if (n->kind != YNODE_MAP)
		return ynode_text(n, &ret->path, err);
	r = ynode_check_keys(n, "what is shown", keys, err);
	if (r < 0)
		return r;
	limit = ynode_get(n, "limit");
	if (!limit || !ynode_get(n, "field"))
		return ynode_error(n, err, "a list that is shown needs a field and a limit");
	r = ynode_int(limit, 1, SEARCH_LIMIT_MAX, &value, err);
	ret->limit = (size_t)value;
	return r < 0 ? r : ynode_text(ynode_get(n, "field"), &ret->path, err);
}

static int read_opinion_fields(struct arena *arena, const struct ynode *n,
			       struct search_collection *c, struct err *err)
{
	const char **names = NULL;
	size_t n_names = 0;
	int r = search_rules_texts(arena, n, &names, &n_names, err);

	for (size_t i = 0; i < n_names && r == 0; i++) {
		size_t f = 0;

		while (f < c->n_fields && !cstr_equal(c->fields[f].name, names[i]))
			f++;
		if (f == c->n_fields)
			return ynode_error(n, err, "there is no field \"%s\"", names[i]);
		c->opinion_fields |= (uint8_t)(1U << f);
	}
	return r;
}

/* opinion: {rating: ATTRIBUTE, fields: [NAMES]} */
static int read_opinion(struct arena *arena, const struct ynode *n, struct search_collection *c,
			struct err *err)
{
	static const char *const keys[] = {"rating", "fields", NULL};
	const struct ynode *rating, *fields;
	const char *name = NULL;
	int r = ynode_check_keys(n, "an opinion", keys, err);

	if (r < 0)
		return r;
	rating = ynode_get(n, "rating");
	fields = ynode_get(n, "fields");
	if (!rating || !fields)
		return ynode_error(n, err, "an opinion needs a rating and fields");
	r = ynode_text(rating, &name, err);
	for (c->opinion = 0; r == 0 && c->opinion < c->n_attributes; c->opinion++) {
		const struct search_attribute *a = &c->attributes[c->opinion];

		if (cstr_equal(a->name, name) && a->type == SEARCH_NUMBER)
			return read_opinion_fields(arena, fields, c, err);
	}
	return r < 0 ? r : ynode_error(rating, err, "there is no number \"%s\"", name);
}

static int read_shown(struct arena *arena, const struct ynode *n, struct search_collection *c,
		      struct err *err)
{
	int r = check_map(n, err);

	if (r == 0 && n->len > SEARCH_SHOWN_MAX)
		r = ynode_error(n, err, "a hit shows at most %d more", SEARCH_SHOWN_MAX);
	if (r < 0)
		return r;
	c->n_shown = n->len;
	c->shown = arena_alloc(arena, (n->len + 1) * sizeof(*c->shown));
	for (size_t i = 0; i < n->len && r == 0; i++) {
		r = read_shown_one(&n->children[i], &c->shown[i], err);
	}
	return r;
}

static const struct {
	const char *key;
	size_t offset;
	double fallback;
} weights[] = {
    {"k1", offsetof(struct search_ranking, k1), 1.2},
    {"words", offsetof(struct search_ranking, words), 1},
    {"share", offsetof(struct search_ranking, share), 0.3},
    {"title", offsetof(struct search_ranking, title), 0.2},
    {"meaning", offsetof(struct search_ranking, meaning), 0.2},
    {"boost", offsetof(struct search_ranking, boost), 0.1},
    {"nearest", offsetof(struct search_ranking, nearest), 0.45},
};

static double *weight_at(struct search_ranking *ranking, size_t i)
{
	return (double *)(void *)((char *)ranking + weights[i].offset);
}

/* What is not said has its default. */
static int read_ranking(const struct ynode *n, struct search_ranking *ret, struct err *err)
{
	const char *keys[ARRAY_LEN(weights) + 1];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(weights); i++) {
		keys[i] = weights[i].key;
		*weight_at(ret, i) = weights[i].fallback;
	}
	keys[ARRAY_LEN(weights)] = NULL;
	if (!n)
		return 0;
	r = ynode_check_keys(n, "a ranking", keys, err);
	for (size_t i = 0; i < ARRAY_LEN(weights) && r == 0; i++)
		r = search_rules_number(n, weights[i].key, WEIGHT_MAX, weight_at(ret, i), err);
	return r;
}

int search_rules_read_columns(struct arena *arena, const struct ynode *n,
			      struct search_collection *c, struct err *err)
{
	const struct ynode *fields = ynode_get(n, "fields"), *shown = ynode_get(n, "shown");
	const struct ynode *attributes = ynode_get(n, "attributes");
	int r = fields ? read_fields(arena, fields, c, err) : 0;

	if (r == 0)
		r = read_words(arena, n, "qualities", &c->qualities, &c->n_qualities, err);
	if (r == 0)
		r = read_words(arena, n, "noise", &c->noise, &c->n_noise, err);
	if (r == 0 && attributes)
		r = read_attributes(arena, attributes, c, err);
	if (r == 0 && shown)
		r = read_shown(arena, shown, c, err);
	if (r == 0 && ynode_get(n, "opinion"))
		r = read_opinion(arena, ynode_get(n, "opinion"), c, err);
	if (r == 0)
		r = read_ranking(ynode_get(n, "ranking"), &c->ranking, err);
	return r < 0 ? r : search_rules_read_similar(arena, n, c, err);
}

/* --- binding --------------------------------------------------------------------------------- */

static int bind_field(struct arena *arena, const struct mapping *m, const struct ynode *n,
		      struct search_field *f, struct err *err)
{
	int r = search_rules_bind_parts(m, ynode_get(n, "parts"), f->parts, f->n_parts, err);

	if (r == 0)
		f->pii = search_rules_pii_of_parts(arena, m, f->parts, f->n_parts);
	return r;
}

static int bind_attribute(struct arena *arena, const struct mapping *m, const struct ynode *n,
			  struct search_attribute *a, struct err *err)
{
	const struct ynode *at = ynode_get(n, a->is_pairs ? "pairs" : "field");
	int r = 0;

	for (size_t i = 0; i < a->n_paths && r == 0; i++)
		r = search_rules_bind_path(m, a->paths[i], a->is_pairs,
					   at->kind == YNODE_LIST ? &at->children[i] : at, err);
	if (r == 0)
		a->pii = search_rules_pii(arena, m, a->paths, a->n_paths);
	return r;
}

int search_rules_bind_columns(struct arena *arena, const struct mapping *m, const struct ynode *n,
			      struct search_collection *c, struct err *err)
{
	const struct ynode *fields = ynode_get(n, "fields");
	const struct ynode *attributes = ynode_get(n, "attributes"), *shown = ynode_get(n, "shown");
	int r = 0;

	for (size_t i = 0; i < c->n_shown && r == 0; i++) {
		r = search_rules_bind_path(m, c->shown[i].path, false, &shown->children[i], err);
		c->shown[i].pii = search_rules_pii(arena, m, &c->shown[i].path, 1);
	}
	for (size_t i = 0; i < c->n_fields && r == 0; i++)
		r = bind_field(arena, m, &fields->children[i], &c->fields[i], err);
	for (size_t i = 0; i < c->n_attributes && r == 0; i++)
		r = bind_attribute(arena, m, &attributes->children[i], &c->attributes[i], err);
	search_rules_bind_similar(arena, m, c);
	return r;
}
