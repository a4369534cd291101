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
 * The body of a request: {"customer_id": 15, "lines": [{"product_id": 7, "quantity": 2}],
 * "address_id": 3, "cart_id": 4, "quoted_prices": {"7": 19.99}, "channel": "web"}, the last four as
 * they are wanted. ERR_INVALID_ARGUMENT: it is no such object, or has members of another name.
 * Texts live in `arena`; the key is the caller's to set.
 */
int shop_order_desk_read(struct str body, struct arena *arena, struct shop_order_request *ret,
			 struct err *err) _must_check_;
/* Appends {"order_id", "total_amount", "currency", "placed_at"}. Errors as shop_order_place(). */
int shop_order_desk_place(struct maria_pool *p, const struct shop_order_request *request,
			  struct strbuf *json, struct err *err) _must_check_;
