/* See search_boosts.h. */
#include "search/search_boosts.h"

#include "search/search_allowed.h"

#include "base/banned.h"

struct search_boost {
	const uint64_t *bits; /* documents that fulfil it */
	float weight;
};

/* A number whose documents come the sooner the more it is. */
struct search_preference {
	const struct search_sort_keys *keys;
	float weight;
	double least, span;
};

void search_boosts_init(struct search_boosts *b, const struct search_corpus_view *view, size_t n,
			struct arena *arena)
{
	size_t n_attributes = view->rules->n_attributes;

	*b = (struct search_boosts){.view = view, .arena = arena, .cap = n + n_attributes};
	b->items = arena_alloc(arena, b->cap * sizeof(*b->items));
	b->preferences = arena_alloc(arena, n_attributes * sizeof(*b->preferences));
}

int search_boosts_add(struct search_boosts *b, const struct search_filter *f, double weight,
		      struct err *err)
{
	uint64_t *bits = search_allowed_new(b->view, b->arena);
	int r = search_columns_filter(b->view->columns, f, bits, b->view->words, err);

	b->items[b->n++] = (struct search_boost){.bits = bits, .weight = (float)weight};
	b->most += (float)weight;
	return r;
}

static int prefer_number(struct search_boosts *b, const struct search_attribute *a, struct err *err)
{
	const struct search_order order = {.attribute = a->name, .is_descending = true};
	struct search_preference *p = &b->preferences[b->n_preferences++];

	*p = (struct search_preference){
	    .weight = (float)a->prefer, .least = a->valid_min, .span = a->valid_max - a->valid_min};
	b->most += (float)a->prefer;
	return search_sort_keys_new(b->view->columns, &order, b->arena, &p->keys, err);
}

int search_boosts_prefer(struct search_boosts *b, struct err *err)
{
	const struct search_collection *rules = b->view->rules;
	const char *yes = "true";
	int r = 0;

	for (size_t i = 0; i < rules->n_attributes && r == 0; i++) {
		const struct search_attribute *a = &rules->attributes[i];
		const struct search_filter is_true = {.attribute = a->name,
						      .kind = SEARCH_FILTER_VALUES,
						      .values = &yes,
						      .n_values = 1};

		if (!(a->prefer > 0))
			continue;
		r = a->type == SEARCH_BOOLEAN ? search_boosts_add(b, &is_true, a->prefer, err)
					      : prefer_number(b, a, err);
	}
	return r;
}

float search_boosts_of(const struct search_boosts *b, uint32_t document)
{
	float sum = 0;

	for (size_t i = 0; i < b->n; i++)
		if (search_allowed_has(b->view, b->items[i].bits, document))
			sum += b->items[i].weight;
	for (size_t i = 0; i < b->n_preferences; i++) {
		const struct search_preference *p = &b->preferences[i];
		double value = search_sort_key(p->keys, document);

		if (value > p->least)
			sum += p->weight * (float)((value - p->least) / p->span);
	}
	return sum;
}
