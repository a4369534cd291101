/* What orders.c and order_stress.c share. */
#pragma once

#include "shop/orders.h"

extern const char shop_sql_order_cancel[];
extern const char shop_sql_order_place[];
extern const char shop_sql_order_return[];
extern const char shop_sql_order_show[];
extern const char shop_sql_order_status[];
extern const char shop_sql_stress_category[];
extern const char shop_sql_stress_customer[];
extern const char shop_sql_stress_drop_customers[];
extern const char shop_sql_stress_drop_events[];
extern const char shop_sql_stress_drop_lines[];
extern const char shop_sql_stress_drop_orders[];
extern const char shop_sql_stress_drop_products[];
extern const char shop_sql_stress_drop_requests[];
extern const char shop_sql_stress_product[];
extern const char shop_sql_stress_proof[];
extern const char shop_sql_stress_sold[];
extern const char shop_sql_stress_supplier[];

/* Whether the last call was refused because too few were left, or no place on that day. */
bool shop_order_is_short(const struct maria *m);
