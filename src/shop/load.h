/*
 * Loading feed files into the shop: staged, cleaned, merged.
 *
 * The forms of the files (the contract with whoever writes them) are in shop/load_format.md, the
 * rules of cleaning in shop/quality.h, both for people in docs/data.md.
 *
 * Promises. All files are read and staged before the first row of the shop changes: an error in any
 * file leaves the shop as it was. Every row that was read ends in exactly one class, so that
 * read = loaded + corrected + unchanged + rejected. Every correction of a row that was loaded and
 * every rejection is a row of data_quality_logs, written in the same transaction as the row.
 * Loading the same files again changes no row. After a crash the next load goes on: what was merged
 * is then "unchanged". One load runs at a time on a database (ERR_CONFLICT).
 *
 * Memory is bounded: by the largest line, the number of different suppliers and categories.
 */
#pragma once

#include "shop/clean_date.h"
#include "store/maria.h"

#include <stdio.h>

/* In the order in which they are merged. */
enum load_entity_id {
	LOAD_SUPPLIERS,
	LOAD_CATEGORIES,
	LOAD_PRODUCTS,
	LOAD_CUSTOMERS,
	LOAD_ADDRESSES,
	LOAD_ORDERS,
	LOAD_ORDER_ITEMS,
	LOAD_REVIEWS,
	LOAD_ENTITIES
};

/* "customers"; NULL beyond the last. */
const char *load_entity_name(enum load_entity_id id);
/* The table of the shop that it is merged into: "Customers". */
const char *load_entity_table(enum load_entity_id id);
/* The column of that table that holds the feed's key; NULL: none does, or several together. */
const char *load_entity_key(enum load_entity_id id);

struct shop_load_options {
	const char *const *paths;	  /* files and folders; ended by NULL */
	const char *rules_dir;		  /* holds suppliers.yaml and categories.yaml */
	enum clean_date_order date_order; /* when a file does not tell */
	bool dry_run; /* do everything, then take it back: the report is true, nothing changed */
	bool quiet;   /* no progress */
	/* SHOP_LOAD_KEY_SIZE bytes, by which people who were erased are known; NULL: nobody was. */
	const unsigned char *erased_key;
};
#define SHOP_LOAD_KEY_SIZE 32

struct shop_load_counts {
	uint64_t read, loaded, corrected, unchanged, rejected;
};

struct shop_load_report {
	uint64_t load_id;
	struct shop_load_counts entities[LOAD_ENTITIES];
	struct shop_load_counts total;
	uint64_t new_suppliers, new_categories; /* that products brought along */
	uint64_t findings;			/* rows written to data_quality_logs */
	uint64_t files, skipped_files;		/* skipped: in a folder, and no feed by name */
	int64_t stage_us, merge_us;
};

/*
 * The schema (sql/) has to be there: ERR_NOT_FOUND otherwise. ERR_INVALID_ARGUMENT: a file is no
 * feed. ERR_CORRUPTED, ERR_LIMIT: a file is broken; the message names file and line. ERR_CORRUPTED
 * also without the key of those who were erased.
 */
int shop_load(struct maria *m, const struct shop_load_options *options,
	      struct shop_load_report *ret, struct err *err) _must_check_;

/* Whether anybody was erased, so that loading needs the key. */
int shop_load_has_erased(struct maria *m, bool *ret, struct err *err) _must_check_;
/* ERR_CORRUPTED: some of them were erased with another key; NULL is another one. */
int shop_load_check_erased(struct maria *m, const unsigned char *key, struct err *err) _must_check_;

/*
 * A text that names the load completed last, in this database and no other; whether a database has
 * that load. The mark belongs to the caller; ERR_NOT_FOUND when nothing was ever loaded.
 */
int shop_load_mark(struct maria *m, char **ret, struct err *err) _must_check_;
int shop_load_has_mark(struct maria *m, const char *mark, bool *ret, struct err *err) _must_check_;

struct shop_load_past {
	bool has_rows;	 /* a table of the shop has some, whoever wrote them */
	bool has_done;	 /* a load was completed */
	bool is_cut_off; /* the load that began last was not */
	char *place;	 /* names this database and no other; the caller's */
};

/* What of loading the database knows; it has the schema. */
int shop_load_look_back(struct maria *m, struct shop_load_past *ret, struct err *err) _must_check_;
void shop_load_past_done(struct shop_load_past *p);

/*
 * Prints "id<TAB>category" for each product of JSON-lines files, by their own category or by the
 * rules; no database is needed. For people who write the rules.
 */
int shop_load_print_categories(const struct shop_load_options *options, FILE *out, struct err *err)
    _must_check_;
