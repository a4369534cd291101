/*
 * Orders as they come over HTTP: read from JSON, placed on one of a few connections that are kept
 * open. Any number of threads.
 */
#pragma once

#include "shop/orders.h"
#include "store/maria_pool.h"

/* Appends the right that the account of such a desk needs, as a line of SQL. */
void shop_order_desk_add_grant(struct strbuf *b, const char *database, const char *user);

/* Connections as the desk needs them. Texts are borrowed as long as they live. */
struct maria_pool *shop_order_desk_connections(const struct maria_options *maria);

/*
 * `body`: {"customer_id": 15, "lines": [{"product_id": 7, "quantity": 2}], "address_id": 3,
 * "cart_id": 4, "quoted_prices": {"7": 19.99}, "channel": "web"}, the last four as they are wanted.
 * Appends
 * {"order_id", "total_amount", "currency", "placed_at"}. Errors as shop_order_place(), and
 * ERR_INVALID_ARGUMENT for what is no such object or has members of another name. `customer`: whose
 * it has to be, else ERR_PERMISSION; 0: anybody's.
 */
int shop_order_desk_place(struct maria_pool *p, struct str body, const char *key, uint64_t customer,
			  struct strbuf *json, struct err *err) _must_check_;
