/*
 * Reports: the figures that a shop reads every morning, from the views of sql/100-reports.sql, one
 * statement each. Money stands with its currency and is never added over currencies.
 *
 * One thread per connection.
 */
#pragma once

#include "store/maria.h"

#define SHOP_REPORT_COLUMNS_MAX 12

struct shop_report {
	const char *name;    /* "quarterly-sales" */
	const char *summary; /* one line */
	const char *sql;     /* its parameter: how many rows at most */
	/* Names, ended with NULL; one that starts with '>' is a number. */
	const char *columns[SHOP_REPORT_COLUMNS_MAX + 1];
	size_t labels; /* columns in front that say what the row is about */
	size_t bar;    /* the column that is drawn */
};

extern const struct shop_report *const shop_reports; /* ended with a name of NULL */

/* ERR_INVALID_ARGUMENT, with the nearest name. */
int shop_report_find(const char *name, const struct shop_report **ret, struct err *err)
    _must_check_;

/* Calls fn for each row, values as texts; data NULL: none. Stops when fn fails. */
typedef int (*shop_report_fn)(void *arg, const struct str *values, size_t n, struct err *err);
int shop_report_run(struct maria *m, const struct shop_report *report, uint64_t limit,
		    shop_report_fn fn, void *arg, struct err *err) _must_check_;
