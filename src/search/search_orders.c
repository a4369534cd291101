/*
 * What customers bought: see search_orders.h.
 *
 * Popularity is read as a whole, for how rare a product is decides what its being bought with
 * another one says; it is kept for a minute, because it is the one statement that reads many rows.
 */
#include "search/search_orders.h"

#include "base/clock.h"
#include "search/search_sql_int.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/banned.h"

#define TIMEOUT_S	5 /* of connecting and reading: somebody waits */
#define POPULAR_US	60000000
#define POPULAR_ORDERS	100000 /* the newest; what was bought before them is out of date */
#define POPULAR_MAX	200000 /* products */
#define BOUGHT_MAX	1000   /* of a customer */
#define TOGETHER_ORDERS 200    /* the newest with a product */
#define TOGETHER_MAX	200    /* products beside one */
#define BASKET_MAX	1000
#define BASELINE_MAX	2000 /* more than anybody bought of them, and ten */

struct search_orders {
	struct maria_options options;
	pthread_mutex_t mutex;
	struct maria *db;   /* NULL: not connected */
	struct arena arena; /* of `popularity` */
	struct search_popularity popularity;
	uint64_t popular_before;
	int64_t popular_until_us; /* 0: never read */
};

struct search_orders *search_orders_new(const struct maria_options *maria)
{
	struct search_orders *o = MEM_NEW(struct search_orders);

	o->options = *maria;
	o->options.connect_timeout_s = o->options.read_timeout_s = TIMEOUT_S;
	(void)pthread_mutex_init(&o->mutex, NULL);
	return o;
}

struct search_orders *search_orders_free(struct search_orders *o)
{
	if (!o)
		return NULL;
	maria_close(o->db);
	map_done(&o->popularity.counts);
	arena_done(&o->arena);
	(void)pthread_mutex_destroy(&o->mutex);
	mem_free(o);
	return NULL;
}

static int connect_to(struct search_orders *o, struct err *err)
{
	int r = 0;

	if (o->db && !maria_is_lost(o->db))
		return 0;
	o->db = maria_close(o->db);
	r = maria_open(&o->options, &o->db, err);
	if (r == 0)
		r = maria_exec(o->db, search_sql_recommend_session, err);
	return r;
}

int search_orders_begin(struct search_orders *o, struct err *err)
{
	int r;

	pthread_mutex_lock(&o->mutex);
	r = connect_to(o, err);
	if (r < 0) {
		o->db = maria_close(o->db);
		pthread_mutex_unlock(&o->mutex);
	}
	return r;
}

void search_orders_end(struct search_orders *o)
{
	pthread_mutex_unlock(&o->mutex);
}

/* --- statements ------------------------------------------------------------------------------ */

static int has(struct search_orders *o, const char *sql, uint64_t number, bool *ret,
	       struct err *err)
{
	int64_t n = 0;
	int r = maria_query_int(o->db, sql, MARIA_ARGS(MARIA_U(number)), &n, err);

	*ret = n > 0;
	return r;
}

int search_orders_has_customer(struct search_orders *o, uint64_t customer, bool *ret,
			       struct err *err)
{
	return has(o, search_sql_recommend_customer, customer, ret, err);
}

int search_orders_has_product(struct search_orders *o, uint64_t product, bool *ret, struct err *err)
{
	return has(o, search_sql_recommend_product, product, ret, err);
}

struct asked {
	const char *sql;
	const struct maria_value *params;
	size_t n_params;
	size_t limit;	 /* rows at most, as the statement has it */
	unsigned counts; /* columns behind the product: orders, customers */
};

static int read_sales(struct search_orders *o, const struct asked *a, struct arena *arena,
		      struct search_sales *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) struct search_sold *items = NULL;
	size_t n = 0, cap = 0;
	int r = maria_query(o->db, a->sql, a->params, a->n_params, &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0 && n < a->limit) {
		mem_grow(&items, &cap, n + 1, sizeof(*items));
		items[n].product = maria_rows_uint(rows, 0);
		if (a->counts > 0)
			items[n].orders = (uint32_t)maria_rows_uint(rows, 1);
		if (a->counts > 1)
			items[n].customers = (uint32_t)maria_rows_uint(rows, 2);
		n++;
	}
	if (r < 0)
		return r;
	ret->items = arena_alloc(arena, (n + 1) * sizeof(*ret->items));
	ret->n = n;
	if (n)
		memcpy(ret->items, items, n * sizeof(*items));
	return 0;
}

int search_orders_bought(struct search_orders *o, uint64_t customer, uint64_t before,
			 struct arena *arena, struct search_sales *ret, struct err *err)
{
	struct maria_value params[] = {MARIA_U(customer), MARIA_U(before), MARIA_U(customer),
				       MARIA_U(before), MARIA_U(BOUGHT_MAX)};

	return read_sales(o,
			  &(struct asked){.sql = search_sql_recommend_bought,
					  .params = params,
					  .n_params = ARRAY_LEN(params),
					  .limit = BOUGHT_MAX},
			  arena, ret, err);
}

int search_orders_together(struct search_orders *o, const struct search_together *q,
			   struct arena *arena, struct search_sales *ret, struct err *err)
{
	struct maria_value params[] = {MARIA_U(q->product),  MARIA_U(q->before),
				       MARIA_U(q->customer), MARIA_U(TOGETHER_ORDERS),
				       MARIA_U(q->before),   MARIA_U(q->product),
				       MARIA_U(TOGETHER_MAX)};

	return read_sales(o,
			  &(struct asked){.sql = search_sql_recommend_together,
					  .params = params,
					  .n_params = ARRAY_LEN(params),
					  .limit = TOGETHER_MAX,
					  .counts = 2},
			  arena, ret, err);
}

int search_orders_basket(struct search_orders *o, uint64_t order, struct arena *arena,
			 struct search_sales *ret, struct err *err)
{
	struct maria_value params[] = {MARIA_U(order)};

	return read_sales(o,
			  &(struct asked){.sql = search_sql_recommend_basket,
					  .params = params,
					  .n_params = ARRAY_LEN(params),
					  .limit = BASKET_MAX},
			  arena, ret, err);
}

/* --- popularity ------------------------------------------------------------------------------ */

static struct str key_of(const uint64_t *product)
{
	return (struct str){(const char *)product, sizeof(*product)};
}

uint32_t search_popularity_of(const struct search_popularity *p, uint64_t product)
{
	const struct search_sold *s = map_get(&p->counts, key_of(&product));

	return s ? s->orders : 0;
}

static int read_popularity(struct search_orders *o, uint64_t before, struct err *err)
{
	struct maria_value params[] = {MARIA_U(before), MARIA_U(before), MARIA_U(POPULAR_ORDERS),
				       MARIA_U(POPULAR_MAX)};
	struct search_popularity *p = &o->popularity;
	int r;

	o->popular_until_us = 0;
	map_done(&p->counts);
	p->all = (struct search_sales){0};
	arena_clear(&o->arena);
	r = read_sales(o,
		       &(struct asked){.sql = search_sql_recommend_popular,
				       .params = params,
				       .n_params = ARRAY_LEN(params),
				       .limit = POPULAR_MAX,
				       .counts = 1},
		       &o->arena, &p->all, err);
	for (size_t i = 0; r == 0 && i < p->all.n; i++)
		*map_put(&p->counts, key_of(&p->all.items[i].product)) = &p->all.items[i];
	return r;
}

int search_orders_popular(struct search_orders *o, uint64_t before,
			  const struct search_popularity **ret, struct err *err)
{
	int64_t now = clock_monotonic_us();
	int r = 0;

	if (before != o->popular_before || now >= o->popular_until_us)
		r = read_popularity(o, before, err);
	if (r < 0)
		return r;
	if (o->popular_until_us == 0)
		o->popular_until_us = now + POPULAR_US;
	o->popular_before = before;
	*ret = &o->popularity;
	return 0;
}

/* --- measuring ------------------------------------------------------------------------------- */

int search_orders_held_back(struct search_orders *o, size_t limit, struct arena *arena,
			    struct search_held_back **ret, size_t *ret_n, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct search_held_back *list = arena_alloc(arena, (limit + 1) * sizeof(*list));
	int r = maria_query(o->db, search_sql_recommend_held_back, MARIA_ARGS(MARIA_U(limit)),
			    &rows, err);

	*ret_n = 0;
	while (r >= 0 && *ret_n < limit && (r = maria_rows_next(rows, err)) > 0)
		list[(*ret_n)++] = (struct search_held_back){.customer = maria_rows_uint(rows, 0),
							     .order = maria_rows_uint(rows, 1)};
	*ret = list;
	return r < 0 ? r : 0;
}

int search_orders_baseline(struct search_orders *o, uint64_t before, struct arena *arena,
			   struct search_sales *ret, struct err *err)
{
	struct maria_value params[] = {MARIA_U(before), MARIA_U(before), MARIA_U(POPULAR_ORDERS),
				       MARIA_U(BASELINE_MAX)};

	return read_sales(o,
			  &(struct asked){.sql = search_sql_recommend_baseline,
					  .params = params,
					  .n_params = ARRAY_LEN(params),
					  .limit = BASELINE_MAX,
					  .counts = 1},
			  arena, ret, err);
}
