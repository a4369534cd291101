/*
 * The shop as the files of a feed (load_format.md): what `aethermart load` reads into another shop.
 * Suppliers, products, customers, addresses, orders with their lines, reviews, all of one moment;
 * archived orders are orders again. Carts, events and stock movements are not a feed's.
 */
#pragma once

#include "base/strbuf.h"
#include "store/maria.h"

/*
 * What stands in the file for a value: appended to `ret`; nothing is "no value". Keys of a feed,
 * and what refers to them, come as the column external_id of their table: equal ones have to stay
 * equal.
 */
typedef int (*shop_feed_value_fn)(void *arg, const char *table, const char *column,
				  struct str value, struct strbuf *ret, struct err *err);

struct shop_feed_options {
	const char *dir;	  /* made; must not be there */
	shop_feed_value_fn value; /* NULL: as they are */
	void *arg;
};

#define SHOP_FEED_FILES 7

struct shop_feed_report {
	const char *names[SHOP_FEED_FILES]; /* "customers.csv" */
	uint64_t rows[SHOP_FEED_FILES];
};

/* Behind the name of a folder that is being written, or that an interrupted process left: the next
 * one of that name removes it. */
#define SHOP_FEED_PARTIAL ".partial"

/* The folder is there when it is whole, and not before. ERR_CONFLICT: it is there already, or
 * another process writes it now. ERR_IO. */
int shop_feed_write(struct maria *m, const struct shop_feed_options *options,
		    struct shop_feed_report *ret, struct err *err) _must_check_;
