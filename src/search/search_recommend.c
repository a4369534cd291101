/*
 * What is recommended to a customer, or beside a product.
 *
 * Three signals, each weighed by the rules:
 *
 *	together   what those bought who bought the same: cosines of the counts of customers who
 *		   bought both, and of orders that hold both, shrunk where they are few
 *		   (n / (n + 3)); so what everybody buys anyway says little
 *	profile	   how near it is to the mean of what the customer bought, newer things first
 *	popular	   how often it was bought lately, by orders of magnitude: the last resort, and
 *		   all there is for who bought nothing yet
 *
 * Only what fulfils the rules' conditions (in stock, active) and was not bought yet comes into
 * question; of one thing in several variants the best. The reason names the stronger one of the
 * first two signals where it is a good part of the score: that says more than popularity.
 *
 * Sources: item-to-item counts as in Linden, Smith, York, "Amazon.com recommendations"; shrinkage
 * as in Bell, Koren, "Scalable collaborative filtering".
 */
#include "search/search_engine_int.h"

#include "base/clock.h"
#include "search/search_allowed.h"
#include "search/search_answer.h"
#include "search/search_orders.h"
#include "search/search_twins.h"
#include "vector/vector.h"

#include <inttypes.h>
#include <math.h>
#include <roaring/roaring.h>
#include <stdlib.h>

#include "base/banned.h"

#define SEEDS_MAX      10   /* of what was bought, the newest */
#define SEED_DECAY     0.85 /* of the next older one */
#define SHRINKAGE      3.0
#define SAMPLE	       200  /* orders that "together" is counted in, at most */
#define NEAR_MAX       100  /* by the profile */
#define BESIDE	       0.01 /* of popularity, beside a product: what goes with it counts */
#define POPULAR_MIN    100  /* products that are looked at besides */
#define CANDIDATES_MAX 4096
#define REASON_SHARE   0.2 /* of the score, for a signal to be its reason */
#define TITLE_BYTES    36  /* of a title in a reason */
#define PER_HIT	       4   /* candidates a hit that are read: some are variants */

struct seed {
	uint64_t product;
	uint32_t number; /* UINT32_MAX: it is not in the index */
	double weight;
	const float *vector;
	const char *title;
};

struct candidate {
	uint64_t product;
	uint32_t number;
	double together, profile, popular; /* weighed */
	double best;			   /* that a seed gives: the one that is named */
	size_t seed;
	uint32_t orders, customers;
	double score;
	const char *reason;
	struct search_record record;
	struct search_twin twin;
};

struct recommending {
	struct search_desk *d;
	const struct search_wish *q;
	struct search_orders *orders;
	const struct search_recommending *rules;
	const struct search_popularity *popularity;
	struct search_corpus_view view;
	struct search_twins twins;
	uint64_t customer; /* 0: none */
	struct search_sales bought;
	struct seed seeds[SEEDS_MAX];
	size_t n_seeds;
	struct map by_product;
	struct candidate **items;
	size_t n;
	float *profile; /* NULL: none */
	unsigned dimension;
	struct candidate **hits;
	size_t n_hits;
};

/* --- numbers --------------------------------------------------------------------------------- */

static int read_number(struct str key, const char *what, uint64_t *ret, struct err *err)
{
	if (parse_uint64(key, INT64_MAX, ret, NULL) < 0 || !*ret)
		return err_set(err, ERR_NOT_FOUND, "there is no %s \"%.*s\"", what, STR_ARGS(key));
	return 0;
}

static uint32_t number_of(const struct recommending *k, uint64_t product)
{
	char text[24];
	uint32_t number;
	int n = snprintf(text, sizeof(text), "%" PRIu64, product);

	return search_corpus_find(k->d->lent.corpus, (struct str){text, (size_t)n}, &number)
		   ? number
		   : UINT32_MAX;
}

/* NULL: it is not in the index, or there are enough. */
static struct candidate *candidate_of(struct recommending *k, uint64_t product, uint32_t number)
{
	struct str key = {(const char *)&product, sizeof(product)};
	struct candidate *c = map_get(&k->by_product, key);

	if (c)
		return c;
	if (number == UINT32_MAX)
		number = number_of(k, product);
	if (number == UINT32_MAX || k->n == CANDIDATES_MAX)
		return NULL;
	c = arena_alloc(&k->d->arena, sizeof(*c));
	c->product = product;
	c->number = number;
	key.data = (const char *)&c->product;
	*map_put(&k->by_product, key) = c;
	k->items[k->n++] = c;
	return c;
}

/* --- what was bought ------------------------------------------------------------------------- */

static void add_seed(struct recommending *k, uint64_t product)
{
	struct seed *s = &k->seeds[k->n_seeds];

	if (k->n_seeds == SEEDS_MAX)
		return;
	*s = (struct seed){.product = product,
			   .number = number_of(k, product),
			   .weight = pow(SEED_DECAY, (double)k->n_seeds)};
	k->n_seeds++;
}

static int read_customer(struct recommending *k, struct err *err)
{
	bool is_there = false;
	int r = read_number(k->q->customer, "customer", &k->customer, err);

	if (r == 0)
		r = search_orders_has_customer(k->orders, k->customer, &is_there, err);
	if (r == 0 && !is_there)
		r = err_set(err, ERR_NOT_FOUND, "there is no customer \"%.*s\"",
			    STR_ARGS(k->q->customer));
	if (r == 0)
		r = search_orders_bought(k->orders, k->customer, k->q->before, &k->d->arena,
					 &k->bought, err);
	for (size_t i = 0; r == 0 && i < k->bought.n; i++)
		add_seed(k, k->bought.items[i].product);
	return r;
}

static int read_product(struct recommending *k, struct err *err)
{
	bool is_there = false;
	uint64_t product = 0;
	int r = read_number(k->q->product, "product", &product, err);

	if (r == 0)
		r = search_orders_has_product(k->orders, product, &is_there, err);
	if (r == 0 && !is_there)
		r = err_set(err, ERR_NOT_FOUND, "there is no product \"%.*s\"",
			    STR_ARGS(k->q->product));
	if (r < 0)
		return r;
	k->bought.items = arena_alloc(&k->d->arena, sizeof(*k->bought.items));
	k->bought.items[0].product = product;
	k->bought.n = 1;
	add_seed(k, product);
	return 0;
}

/* --- bought together ------------------------------------------------------------------------- */

static double share(uint32_t n, double of_one, double of_other)
{
	double cosine = n / sqrt((of_one > n ? of_one : n) * (of_other > n ? of_other : n));

	return n ? cosine * n / (n + SHRINKAGE) : 0;
}

static void add_together(struct recommending *k, size_t seed, const struct search_sold *s)
{
	struct candidate *c = candidate_of(k, s->product, UINT32_MAX);
	double of_seed = search_popularity_of(k->popularity, k->seeds[seed].product);
	double of_other = search_popularity_of(k->popularity, s->product), value;

	if (!c)
		return;
	of_seed = of_seed < SAMPLE ? of_seed : SAMPLE;
	value = k->seeds[seed].weight *
		(share(s->customers, of_seed, of_other) + share(s->orders, of_seed, of_other));
	c->together += k->rules->together * value;
	if (value <= c->best)
		return;
	c->best = value;
	c->seed = seed;
	c->orders = s->orders;
	c->customers = s->customers;
}

static int find_together(struct recommending *k, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < k->n_seeds && r == 0; i++) {
		struct search_together q = {.product = k->seeds[i].product,
					    .before = k->q->before,
					    .customer = k->customer};
		struct search_sales found = {0};

		r = search_orders_together(k->orders, &q, &k->d->arena, &found, err);
		for (size_t n = 0; r == 0 && n < found.n; n++)
			add_together(k, i, &found.items[n]);
	}
	return r;
}

/* --- popular --------------------------------------------------------------------------------- */

static void add_popular(struct recommending *k)
{
	const struct search_sales *all = &k->popularity->all;
	size_t wanted = k->q->limit * PER_HIT + k->bought.n;

	wanted = wanted > POPULAR_MIN ? wanted : POPULAR_MIN;
	for (size_t i = 0; i < all->n && i < wanted; i++)
		(void)candidate_of(k, all->items[i].product, UINT32_MAX);
}

/* By orders of magnitude: what is bought twice as often is not twice as welcome. */
static void score_popular(struct recommending *k)
{
	const struct search_sales *all = &k->popularity->all;
	double most = log1p(all->n ? all->items[0].orders : 1);
	double weight = k->rules->popular * (k->customer ? 1 : BESIDE);

	for (size_t i = 0; i < k->n; i++)
		k->items[i]->popular =
		    weight * log1p(search_popularity_of(k->popularity, k->items[i]->product)) /
		    most;
}

/* --- the profile ----------------------------------------------------------------------------- */

static const float *vector_of(struct recommending *k, uint32_t number)
{
	float *vector;

	if (!k->d->generation || number == UINT32_MAX)
		return NULL;
	vector = arena_alloc(&k->d->arena, k->dimension * sizeof(*vector));
	return search_index_vector(k->d->generation->index, k->d->lent.rules->name, number, vector,
				   NULL) == 0
		   ? vector
		   : NULL;
}

/* The mean of the seeds, of length 1. */
static void make_profile(struct recommending *k)
{
	float *sum = arena_alloc(&k->d->arena, (k->dimension + 1) * sizeof(*sum));
	double length = 0;

	for (size_t i = 0; i < k->n_seeds; i++) {
		struct seed *s = &k->seeds[i];

		s->vector = vector_of(k, s->number);
		for (unsigned n = 0; s->vector && n < k->dimension; n++)
			sum[n] += (float)s->weight * s->vector[n];
	}
	for (unsigned n = 0; n < k->dimension; n++)
		length += (double)sum[n] * (double)sum[n];
	if (length <= 0)
		return;
	for (unsigned n = 0; n < k->dimension; n++)
		sum[n] = (float)((double)sum[n] / sqrt(length));
	k->profile = sum;
}

static int add_near(struct recommending *k, const uint64_t *allowed, struct err *err)
{
	struct vector_hit near[NEAR_MAX];
	roaring_bitmap_t *filter = search_allowed_bitmap(&k->view, allowed);
	struct search_nearest q = {.collection = k->d->lent.rules->name,
				   .vector = k->profile,
				   .k = NEAR_MAX,
				   .filter = filter};
	size_t n = 0;
	int r = search_index_nearest(k->d->generation->index, &q, near, &n, err);

	roaring_bitmap_free(filter);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct str key;
		uint64_t product;

		if (!search_allowed_has(&k->view, allowed, near[i].id))
			continue;
		key = search_corpus_key(k->d->lent.corpus, near[i].id);
		if (parse_uint64(key, INT64_MAX, &product, NULL) == 0)
			(void)candidate_of(k, product, near[i].id);
	}
	return r;
}

/* From the cosine at which a document is like another one at all. */
static int add_profile(struct recommending *k, struct err *err)
{
	uint32_t *numbers = arena_alloc(&k->d->arena, (k->n + 1) * sizeof(*numbers));
	float *cosines = arena_alloc(&k->d->arena, (k->n + 1) * sizeof(*cosines));
	double least = k->view.rules->ranking.nearest;
	int r;

	for (size_t i = 0; i < k->n; i++)
		numbers[i] = k->items[i]->number;
	r = search_index_cosines(k->d->generation->index, k->d->lent.rules->name, k->profile,
				 numbers, k->n, cosines, err);
	for (size_t i = 0; i < k->n && r == 0; i++) {
		if ((double)cosines[i] > least && least < 1)
			k->items[i]->profile =
			    k->rules->profile * ((double)cosines[i] - least) / (1 - least);
	}
	return r;
}

/* --- reasons --------------------------------------------------------------------------------- */

static const char *seed_title(struct recommending *k, struct seed *s)
{
	struct search_record r;

	if (!s->title &&
	    search_corpus_record(k->d->lent.corpus, s->number, &k->d->arena, &r, NULL) == 0)
		s->title = arena_strndup(&k->d->arena, r.title.data, r.title.len);
	if (!s->title)
		s->title = arena_printf(&k->d->arena, "%" PRIu64, s->product);
	return s->title;
}

/* Cut at a word, so that what stands behind it in a line is seen. */
static const char *short_title(struct recommending *k, const char *title)
{
	size_t n = strlen(title);

	if (n <= TITLE_BYTES)
		return title;
	for (n = TITLE_BYTES; n && title[n] != ' ';)
		n--;
	if (!n)
		n = utf8_cut(str_from(title), TITLE_BYTES).len;
	return arena_printf(&k->d->arena, "%.*s…", (int)n, title);
}

/* The seed that is most like it. */
static struct seed *nearest_seed(struct recommending *k, const struct candidate *c)
{
	const float *vector = vector_of(k, c->number);
	struct seed *best = &k->seeds[0];
	double most = -1;

	for (size_t i = 0; vector && i < k->n_seeds; i++) {
		double cosine = 0;

		for (unsigned n = 0; k->seeds[i].vector && n < k->dimension; n++)
			cosine += (double)(k->seeds[i].vector[n] * vector[n]);
		if (cosine <= most)
			continue;
		most = cosine;
		best = &k->seeds[i];
	}
	return best;
}

static const char *reason_of(struct recommending *k, const struct candidate *c)
{
	struct arena *arena = &k->d->arena;
	double least = REASON_SHARE * c->score;
	uint32_t n;

	if (c->together > least && c->together >= c->profile) {
		const char *title = short_title(k, seed_title(k, &k->seeds[c->seed]));

		if (c->orders)
			return arena_printf(arena, "bought together with %s (%u order%s)", title,
					    c->orders, c->orders == 1 ? "" : "s");
		return arena_printf(arena, "bought by %u who bought %s", c->customers, title);
	}
	if (c->profile > least)
		return arena_printf(arena, "like %s%s", k->customer ? "what was bought: " : "",
				    short_title(k, seed_title(k, nearest_seed(k, c))));
	n = search_popularity_of(k->popularity, c->product);
	return arena_printf(arena, "popular: in %u order%s", n, n == 1 ? "" : "s");
}

/* --- choosing -------------------------------------------------------------------------------- */

static int best_first(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;

	if (x->score < y->score || x->score > y->score)
		return x->score < y->score ? 1 : -1;
	return x->product < y->product ? -1 : 1;
}

static bool is_variant(struct recommending *k, const struct candidate *c)
{
	for (size_t i = 0; i < k->n_hits; i++) {
		if (search_twins_are_one(&k->twins, &k->hits[i]->twin, &c->twin))
			return true;
	}
	return false;
}

static int choose(struct recommending *k, const uint64_t *allowed, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < k->n; i++) {
		struct candidate *c = k->items[i];

		c->score = c->together + c->profile + c->popular;
	}
	if (k->n)
		qsort(k->items, k->n, sizeof(struct candidate *), best_first);
	k->hits = arena_alloc(&k->d->arena, (k->q->limit + 1) * sizeof(struct candidate *));
	for (size_t i = 0; i < k->n && k->n_hits < k->q->limit && r == 0; i++) {
		struct candidate *c = k->items[i];

		if (!search_allowed_has(&k->view, allowed, c->number))
			continue;
		r = search_corpus_record(k->d->lent.corpus, c->number, &k->d->arena, &c->record,
					 err);
		if (r < 0)
			break;
		c->twin.title = search_twins_title(&k->twins, c->record.title);
		c->twin.vector = vector_of(k, c->number);
		if (is_variant(k, c))
			continue;
		c->reason = reason_of(k, c);
		k->hits[k->n_hits++] = c;
	}
	return r;
}

static int make_allowed(struct recommending *k, const uint32_t *bought, uint64_t **ret,
			struct err *err)
{
	const struct search_scope *scope = k->d->lent.scope;
	struct arena *arena = &k->d->arena;
	uint64_t *bits = search_allowed_new(&k->view, arena);
	int r = search_allowed_only(&k->view, k->rules->only, k->rules->n_only, arena, bits, err);

	if (r == 0 && scope)
		r = search_allowed_only(&k->view, scope->filters, scope->n_filters, arena, bits,
					err);
	for (size_t i = 0; i < k->bought.n; i++)
		search_allowed_drop(&k->view, bits, bought[i]);
	*ret = bits;
	return r;
}

/* Locked. */
static int look(struct recommending *k, const uint32_t *bought, struct err *err)
{
	uint64_t *allowed = NULL;
	int r = make_allowed(k, bought, &allowed, err);

	if (r < 0)
		return r;
	if (k->d->generation) {
		k->dimension = embedder_info(k->d->generation->embedder)->dimension;
		k->twins.dimension = k->dimension;
		make_profile(k);
	}
	if (k->d->generation && k->profile)
		r = add_near(k, allowed, err);
	score_popular(k);
	if (r == 0 && k->profile)
		r = add_profile(k, err);
	return r < 0 ? r : choose(k, allowed, err);
}

static int recommend(struct recommending *k, struct err *err)
{
	struct search_corpus *corpus = k->d->lent.corpus;
	uint32_t *bought;
	int r = k->q->customer.len ? read_customer(k, err) : read_product(k, err);

	if (r == 0)
		r = search_orders_popular(k->orders, k->q->before, &k->popularity, err);
	if (r == 0)
		r = find_together(k, err);
	if (r < 0)
		return r;
	add_popular(k);
	bought = arena_alloc(&k->d->arena, (k->bought.n + 1) * sizeof(*bought));
	for (size_t i = 0; i < k->bought.n; i++)
		bought[i] = number_of(k, k->bought.items[i].product);
	search_corpus_lock(corpus);
	search_corpus_view(corpus, &k->view);
	search_twins_init(&k->twins, &k->view, k->d->analyzer, &k->d->arena);
	r = look(k, bought, err);
	search_corpus_unlock(corpus);
	return r;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void add_hits(const struct recommending *k, struct strbuf *json)
{
	strbuf_addstr(json, "\"hits\":[");
	for (size_t i = 0; i < k->n_hits; i++) {
		const struct candidate *c = k->hits[i];
		struct str key = search_corpus_key(k->d->lent.corpus, c->number);

		strbuf_addstr(json, i ? ",{" : "{");
		search_answer_hit(k->view.rules, key, &c->record, json);
		strbuf_addf(json, ",\"score\":%.5f,\"reason\":", c->score);
		strbuf_add_json(json, c->reason, strlen(c->reason));
		strbuf_addf(json,
			    ",\"signals\":{\"together\":%.4f,\"profile\":%.4f,\"popular\":%.4f}}",
			    c->together, c->profile, c->popular);
	}
	strbuf_addch(json, ']');
}

static int answer(struct recommending *k, struct strbuf *json, struct err *err)
{
	int64_t since = clock_monotonic_us();
	bool is_customer = k->q->customer.len > 0;
	int r = recommend(k, err);

	if (r < 0)
		return r;
	strbuf_addf(json, "{\"%s\":", is_customer ? "customer" : "product");
	search_answer_key(is_customer ? k->q->customer : k->q->product, json);
	strbuf_addch(json, ',');
	add_hits(k, json);
	strbuf_addf(json, ",\"took_us\":%" PRId64 "}", clock_monotonic_us() - since);
	return 0;
}

int search_engine_recommend(struct search_engine *e, const struct search_wish *q,
			    struct strbuf *json, struct err *err)
{
	struct search_desk d = {0};
	struct recommending k = {.d = &d, .q = q, .orders = e->orders};
	int r = search_desk_open(e, q->in, &d, err);

	if (r == 0) {
		k.rules = &d.lent.rules->recommending;
		k.items = arena_alloc(&d.arena, CANDIDATES_MAX * sizeof(struct candidate *));
		r = search_orders_begin(k.orders, err);
	}
	if (r == 0) {
		r = answer(&k, json, err);
		search_orders_end(k.orders);
	}
	search_twins_done(&k.twins);
	map_done(&k.by_product);
	search_desk_close(&d);
	return r;
}
