/*
 * Orders as a client places and changes them: calls of the procedures of sql/080 and following,
 * which hold the rules. What is added here: a refusal becomes an error of a class, and what the
 * server says may be repeated is repeated, with jitter, for as long as the caller allows.
 *
 * Placing is repeated with its key also after a lost connection: the key lets no order be placed
 * twice. Other changes have no key: after a lost connection the error says that they may have
 * happened.
 *
 * One thread per connection. Results live in the caller's arena.
 */
#pragma once

#include "base/mem.h"
#include "store/maria.h"

#define SHOP_ORDER_KEY_MAX 64

struct shop_order_request {
	uint64_t customer_id;
	uint64_t address_id; /* 0: the default address */
	uint64_t cart_id;    /* 0: none; its reservation becomes the order */
	const char *lines;   /* JSON: [{"product_id": 7, "quantity": 2, "price": 19.99}, …] */
	const char *quoted;  /* JSON: {"7": 19.99}; NULL: none */
	const char *channel; /* "web"; NULL: "direct" */
	const char *key;     /* 1 to SHOP_ORDER_KEY_MAX ASCII characters */
};

struct shop_order_placed {
	uint64_t order_id;
	const char *total_amount, *currency, *placed_at; /* "39.98", "USD", UTC */
	unsigned retries;
};

/*
 * `until_us` (clock_monotonic_us()): no attempt begins after it. ERR_CONFLICT: too few are left, no
 * place on that day, the price is another one, the key was used for another order, the cart is
 * over, the product is retired, the customer inactive or unknown. ERR_NOT_FOUND: no such product or
 * address. ERR_INVALID_ARGUMENT: lines, quantities or key are no such thing. Else the last failure.
 */
int shop_order_place(struct maria *m, const struct shop_order_request *request, int64_t until_us,
		     struct arena *arena, struct shop_order_placed *ret, struct err *err)
    _must_check_;

struct shop_order_state {
	uint64_t order_id;
	const char *order_status, *payment_status; /* "paid" */
	const char *total_amount, *refunded_amount, *currency;
};

enum shop_order_change {
	SHOP_ORDER_CANCEL,
	SHOP_ORDER_RETURN, /* `text`: lines as JSON, NULL: all */
	SHOP_ORDER_STATUS, /* `text`: paid, shipped, delivered */
};

/* ERR_NOT_FOUND: no such order. ERR_CONFLICT: its state does not allow it, or less is left. */
int shop_order_change(struct maria *m, uint64_t order_id, enum shop_order_change change,
		      const char *text, struct arena *arena, struct shop_order_state *ret,
		      struct err *err) _must_check_;

/* An order with its lines and what happened to it, as JSON; archived ones too. ERR_NOT_FOUND. */
int shop_order_show(struct maria *m, uint64_t order_id, struct arena *arena, const char **ret_json,
		    struct err *err) _must_check_;
