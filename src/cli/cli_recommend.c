/*
 * `aethermart recommend`, and how good it is: for customers with two orders or more the newest is
 * held back, the worker is asked as if it and all later ones had not been placed, and it counts
 * whether something of it is among the first ten. Beside it the same with what is most popular.
 */
#include "cli/cli_recommend.h"
#include "cli/cli_page.h"
#include "cli/cli_worker.h"

#include "search/search_find.h"
#include "search/search_orders.h"

#include <inttypes.h>

#include "base/banned.h"

#define LOOKED_AT 10 /* recommendations that count */

/* --- asking ---------------------------------------------------------------------------------- */

static int make_path(const struct command_line *line, struct strbuf *path, struct err *err)
{
	const char *product = command_text(line, "product");
	const char *limit = command_text(line, "limit");

	if (!product == !line->argc)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       product ? "either a CUSTOMER or --product, not both"
				       : "a CUSTOMER or --product ID is missing");
	strbuf_addstr(path, "/v1/recommendations");
	cli_add_parameter(path, product ? "product" : "customer",
			  product ? product : line->argv[0]);
	if (limit)
		cli_add_parameter(path, "limit", limit);
	return 0;
}

static void print_hits(const struct command_line *line, const json_t *answer)
{
	const json_t *hits = json_object_get(answer, "hits");
	struct cli_page p = cli_page_open();

	(void)line;
	for (size_t i = 0; i < json_array_size(hits); i++) {
		cli_page_hit(&p, json_array_get(hits, i));
		cli_page_reason(&p, cli_text_of(json_array_get(hits, i), "reason"));
	}
}

static int run_recommend(const struct command_line *line, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0);
	int r = make_path(line, &path, err);

	return r < 0 ? r : cli_worker_show(line, strbuf_str(&path), print_hits, err);
}

/* --- measuring ------------------------------------------------------------------------------- */

struct measure {
	const struct command_line *line;
	struct arena arena; /* of the whole */
	struct arena round; /* of a customer */
	struct search_orders *orders;
	size_t n, hits, popular_hits;
};

static bool holds(const struct search_sales *s, uint64_t product)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i].product == product)
			return true;
	}
	return false;
}

/* What is recommended to a customer before an order. */
static int ask(struct measure *m, uint64_t customer, uint64_t before, size_t limit, json_t **ret,
	       struct err *err)
{
	struct strbuf path = STRBUF_INIT(0);
	int r;

	strbuf_addf(&path, "/v1/recommendations?customer=%" PRIu64 "&before=%" PRIu64 "&limit=%zu",
		    customer, before, limit);
	r = cli_worker_ask(m->line, strbuf_str(&path), false, ret, err);
	strbuf_done(&path);
	return r;
}

static bool is_hit(const json_t *answer, const struct search_sales *basket)
{
	const json_t *hits = json_object_get(answer, "hits");

	for (size_t i = 0; i < json_array_size(hits); i++) {
		int64_t id = cli_int_of(json_array_get(hits, i), "id");

		if (id > 0 && holds(basket, (uint64_t)id))
			return true;
	}
	return false;
}

/* The most popular ones that were not bought yet, as many. */
static bool is_popular_hit(const struct search_sales *all, const struct search_sales *bought,
			   const struct search_sales *basket)
{
	size_t looked_at = 0;

	for (size_t i = 0; i < all->n && looked_at < LOOKED_AT; i++) {
		uint64_t product = all->items[i].product;

		if (holds(bought, product))
			continue;
		looked_at++;
		if (holds(basket, product))
			return true;
	}
	return false;
}

/* What stood in the order and was not bought before; nothing else can be recommended. */
static void drop_bought(struct search_sales *basket, const struct search_sales *bought)
{
	size_t n = 0;

	for (size_t i = 0; i < basket->n; i++) {
		if (!holds(bought, basket->items[i].product))
			basket->items[n++] = basket->items[i];
	}
	basket->n = n;
}

static int read_history(struct measure *m, const struct search_held_back *h,
			struct search_sales *basket, bool *ret_popular, struct err *err)
{
	struct search_sales bought = {0}, popular = {0};
	int r = search_orders_begin(m->orders, err);

	if (r < 0)
		return r;
	r = search_orders_basket(m->orders, h->order, &m->round, basket, err);
	if (r == 0)
		r = search_orders_bought(m->orders, h->customer, h->order, &m->round, &bought, err);
	if (r == 0)
		r = search_orders_baseline(m->orders, h->order, &m->round, &popular, err);
	if (r == 0) {
		drop_bought(basket, &bought);
		*ret_popular = is_popular_hit(&popular, &bought, basket);
	}
	search_orders_end(m->orders);
	return r;
}

static int measure_one(struct measure *m, const struct search_held_back *h, struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct search_sales basket = {0};
	bool is_popular = false;
	int r;

	arena_clear(&m->round);
	r = read_history(m, h, &basket, &is_popular, err);
	if (r < 0 || !basket.n)
		return r;
	r = ask(m, h->customer, h->order, LOOKED_AT, &answer, err);
	if (r < 0)
		return r;
	m->n++;
	m->hits += is_hit(answer, &basket);
	m->popular_hits += is_popular;
	return 0;
}

static int print_measure(const struct measure *m, struct err *err)
{
	double n = m->n ? (double)m->n : 1;
	double ours = (double)m->hits / n, popular = (double)m->popular_hits / n;

	if (m->line->json)
		return cli_print_json(json_pack("{s:I, s:f, s:f}", "customers", (json_int_t)m->n,
						"hit_rate_at_10", ours, "hit_rate_at_10_popular",
						popular),
				      err);
	printf("%zu customers whose newest order holds something new\n", m->n);
	printf("  hit rate at 10           %.4f\n", ours);
	printf("  the same of popularity   %.4f\n", popular);
	return cli_flush(err);
}

int cli_recommend_measure(const struct command_line *line, size_t customers, struct err *err)
{
	struct measure m = {.line = line};
	struct search_held_back *list = NULL;
	struct maria_options maria = {0};
	size_t n = 0;
	int r = endpoint_maria(line->config, ENDPOINT_SYNC, &m.arena, &maria, err);

	if (r == 0) {
		m.orders = search_orders_new(&maria);
		r = search_orders_begin(m.orders, err);
	}
	if (r == 0) {
		r = search_orders_held_back(m.orders, customers, &m.arena, &list, &n, err);
		search_orders_end(m.orders);
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = measure_one(&m, &list[i], err);
	if (r == 0)
		r = print_measure(&m, err);
	search_orders_free(m.orders);
	arena_done(&m.round);
	arena_done(&m.arena);
	return r;
}

static const struct command_option recommend_options[] = {
    {.name = "product",
     .type = COMMAND_TEXT,
     .argument = "ID",
     .help = "what goes with this product"},
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 1,
     .max = SEARCH_LIMIT_HITS,
     .help = "how many; 10 when not given"},
    {0},
};

const struct command command_recommend = {
    .name = "recommend",
    .summary = "products for a customer, or beside a product",
    .arguments = "[CUSTOMER]",
    .min_args = 0,
    .max_args = 1,
    .options = recommend_options,
    .help = "Asks the running worker: what those bought who bought the same, what is like it, and "
	    "what is popular. Only what is in stock and was not bought yet, each with the reason. "
	    "`aethermart eval --recommendations` measures it.\n\n  aethermart recommend 15\n  "
	    "aethermart recommend --product 42",
    .run = run_recommend,
};
