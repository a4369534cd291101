/*
 * The warehouse: a star of sales, stock and reviews in a database of its own beside the shop's,
 * kept by procedures of that database (sql/warehouse/) as a consumer of the sync's hand-off. A page
 * of changes is one transaction of the server, so that a refresh may die at any point; documents
 * that did not change since the last one are not read.
 *
 * All need a connection of whoever owns the shop's schema. One thread per connection.
 */
#pragma once

#include "base/config.h"
#include "shop/schema.h"

extern const struct config_option warehouse_options[]; /* section "warehouse" */

struct shop_warehouse { /* where it is; texts live as long as it */
	const struct maria_options *maria;
	const char *database; /* its own */
};

/*
 * Makes the database when it is not there, and brings it up to date; also the procedure
 * sp_run_etl_pipeline in the shop's database, unless there is one. Errors as of
 * shop_schema_apply(); ERR_CONFLICT: it is another shop's; ERR_PERMISSION: the account may not
 * make it (the hint says what to grant); ERR_UNAVAILABLE: the sync is not installed, or not whole.
 */
int shop_warehouse_install(const struct shop_warehouse *w, struct err *err) _must_check_;
/* Drops what it made; what waits for it goes with the sync's tables. Without a warehouse, without
 * rights to its database, and when it is another shop's, there is nothing to do. The first only
 * tells whether it would fail. */
int shop_warehouse_may_drop(const struct shop_warehouse *w, struct err *err) _must_check_;
int shop_warehouse_drop(const struct shop_warehouse *w, struct err *err) _must_check_;

/* ERR_NOT_FOUND: there is none. ERR_CONFLICT: it is another shop's. ERR_UNAVAILABLE: the sync is
 * not installed. */
int shop_warehouse_open(const struct shop_warehouse *w, struct maria **ret, struct err *err)
    _must_check_;

struct shop_warehouse_run { /* documents that were looked at */
	uint64_t run, customers, products, orders, reviews;
};
/*
 * Takes what waits; all of the shop the first time, or when it is asked for. `on_page` is called
 * behind each page with the documents so far; may be NULL.
 */
int shop_warehouse_refresh(struct maria *m, bool all, void (*on_page)(void *arg, uint64_t done),
			   void *arg, struct shop_warehouse_run *ret, struct err *err) _must_check_;
/* Documents of the shop, for progress. */
int shop_warehouse_count(struct maria *m, const char *shop, uint64_t *ret, struct err *err)
    _must_check_;

struct shop_warehouse_finding { /* numbers as MariaDB writes them */
	const char *subject, *shop, *warehouse;
	uint64_t differ, pending; /* of those that differ: they wait to be taken */
};
typedef int (*shop_warehouse_fn)(void *arg, const struct shop_warehouse_finding *f,
				 struct err *err);
/*
 * Compares warehouse and shop in one snapshot, and calls fn for each subject. ERR_UNAVAILABLE: a
 * table is missing, of a queue for one. ERR_TIMEOUT: it was not done in that time (0: any), for
 * which the connection has to wait longer.
 */
int shop_warehouse_check(struct maria *m, int64_t timeout_ms, shop_warehouse_fn fn, void *arg,
			 struct err *err) _must_check_;
