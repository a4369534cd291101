/*
 * An invented shop: customers, addresses, orders, order lines and reviews for a real or an invented
 * catalogue, written as the CSV files that `load` reads (load_format.md), defects included; and
 * products varied from the catalogue's, as JSON lines.
 *
 * Deterministic: the same options and catalogue give the same bytes on every machine. All decisions
 * are integer arithmetic on an own generator (xoshiro256**); every row has its own stream, derived
 * from seed, table and row number, so that a row can be made again without those before it.
 *
 * Bounded memory: rows are streamed. Held are the products' compact table and 16 bytes a customer,
 * plus two bytes an order line for the filter that keeps a customer from reviewing a product twice.
 *
 * One thread a call; calls share nothing.
 */
#pragma once

#include "base/config.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SHOP_GENERATE_UNTIL	"2026-06-30"
#define SHOP_GENERATE_ROWS_MAX	50000000 /* customers, orders, reviews: each */
#define SHOP_GENERATE_GOODS_MAX 1000000	 /* invented products, variants: each; held in memory */

struct shop_generate_options {
	uint64_t customers, orders, reviews;
	uint64_t products, suppliers; /* invented ones, beside the catalogue's; 0: none */
	uint64_t variants;	      /* of the catalogue's products, beside them; 0: none */
	uint64_t seed;
	uint32_t defects_ppm; /* share of rows with a defect, in millionths */
	const char *until;    /* last day, YYYY-MM-DD; NULL: SHOP_GENERATE_UNTIL */
	const char *out;      /* folder, made when absent; files of the same names are replaced */
	/* JSON lines, plain or gzip, or folders of them; ends by NULL. NULL: only invented ones. */
	const char *const *catalog;
	void (*progress)(void *ctx, uint64_t rows); /* now and then; NULL: none */
	void *progress_ctx;
};

enum shop_generate_file {
	SHOP_GENERATE_FILE_SUPPLIERS,
	SHOP_GENERATE_FILE_PRODUCTS,
	SHOP_GENERATE_FILE_CUSTOMERS,
	SHOP_GENERATE_FILE_ADDRESSES,
	SHOP_GENERATE_FILE_ORDERS,
	SHOP_GENERATE_FILE_ITEMS,
	SHOP_GENERATE_FILE_REVIEWS,
	SHOP_GENERATE_FILE_VARIANTS,
	SHOP_GENERATE_FILE_DEFECTS,
	SHOP_GENERATE_FILE_COUNT
};

struct shop_generate_report {
	struct {
		const char *name; /* "orders.csv"; NULL: not written */
		uint64_t rows, bytes, defects;
	} files[SHOP_GENERATE_FILE_COUNT];
	uint64_t rows; /* of all files but the manifest */
	uint64_t defects;
	uint64_t catalog_products; /* read from the catalogue */
	int64_t elapsed_us;
};

/*
 * INVALID_ARGUMENT: options that cannot hold together (reviews without delivered order lines, no
 * products to sell). NOT_FOUND, IO, CORRUPTED: catalogue or folder; the message names file and
 * line. After an error no file is left half-written: each gets its name when all are complete.
 */
int shop_generate(const struct shop_generate_options *options, struct shop_generate_report *ret,
		  struct err *err) _must_check_;

/* "0.02" -> 20000; INVALID_ARGUMENT unless it is a decimal number from 0 to 1. */
int shop_parse_share(const char *text, uint32_t *ret_ppm, struct err *err) _must_check_;

/* The configuration's section `shop`: what `up` loads and generates. */
extern const struct config_option shop_options[];
