/* What orders.c and order_stress.c share. */
#pragma once

#include "shop/orders.h"
#include "shop/shop_sql_int.h"

/* Whether the last call was refused because too few were left, or no place on that day. */
bool shop_order_is_short(const struct maria *m);
