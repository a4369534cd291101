/* What order_desk.c shares with its tests. */
#pragma once

#include "shop/orders.h"

/* The body of a request; see shop_order_desk_place(). Texts live in `arena`; the key is the
 * caller's to set. */
int shop_order_desk_read(struct str body, struct arena *arena, struct shop_order_request *ret,
			 struct err *err) _must_check_;
