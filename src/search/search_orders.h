/*
 * What customers bought, asked by SQL (sql/recommend_*.sql): the one place where the index looks at
 * something else than documents. Tables and columns of the shop stand in the statements only; here
 * there are customers, products and orders, by their numbers.
 *
 * A connection of its own, made when it is needed, which gives up what takes longer than two
 * seconds. Thread-safe: one question at a time, between search_orders_begin() and _end().
 */
#pragma once

#include "base/map.h"
#include "base/mem.h"
#include "store/maria.h"

#define SEARCH_ORDERS_ALL UINT64_MAX /* no order is left out */

struct search_orders;

/* Connects to nothing yet; `maria` lives as long. */
struct search_orders *search_orders_new(const struct maria_options *maria);
struct search_orders *search_orders_free(struct search_orders *o);
DEFINE_CLEANUP(struct search_orders *, search_orders_free)

/* ERR_UNAVAILABLE: no server; nothing is to be ended then. */
int search_orders_begin(struct search_orders *o, struct err *err) _must_check_;
void search_orders_end(struct search_orders *o);

/* --- between the two ------------------------------------------------------------------------- */

int search_orders_has_customer(struct search_orders *o, uint64_t customer, bool *ret,
			       struct err *err) _must_check_;
int search_orders_has_product(struct search_orders *o, uint64_t product, bool *ret, struct err *err)
    _must_check_;

struct search_sold {
	uint64_t product;
	uint32_t orders;    /* together: those that hold both; else all that hold it */
	uint32_t customers; /* together: who bought both */
};
struct search_sales {
	struct search_sold *items;
	size_t n;
};
/* Orders from `before` on do not count. The newest first, once each. */
int search_orders_bought(struct search_orders *o, uint64_t customer, uint64_t before,
			 struct arena *arena, struct search_sales *ret, struct err *err)
    _must_check_;
/* What those bought who bought this; not the customer's own orders. Most customers first. */
struct search_together {
	uint64_t product, before, customer;
};
int search_orders_together(struct search_orders *o, const struct search_together *q,
			   struct arena *arena, struct search_sales *ret, struct err *err)
    _must_check_;

/* How often everything was bought lately. Without a bound it is as it was a minute ago, and lives
 * until it is asked for again. */
struct search_popularity {
	struct search_sales all; /* most orders first */
	struct map counts;	 /* by the number's bytes */
};
int search_orders_popular(struct search_orders *o, uint64_t before,
			  const struct search_popularity **ret, struct err *err) _must_check_;
uint32_t search_popularity_of(const struct search_popularity *p, uint64_t product);

/* For measuring: customers with at least two orders and the newest of them; what an order holds. */
struct search_held_back {
	uint64_t customer, order;
};
int search_orders_held_back(struct search_orders *o, size_t limit, struct arena *arena,
			    struct search_held_back **ret, size_t *ret_n, struct err *err)
    _must_check_;
int search_orders_basket(struct search_orders *o, uint64_t order, struct arena *arena,
			 struct search_sales *ret, struct err *err) _must_check_;
/* What was most popular before the order, of what can be bought now. */
int search_orders_baseline(struct search_orders *o, uint64_t before, struct arena *arena,
			   struct search_sales *ret, struct err *err) _must_check_;
