/*
 * Dates in the forms that feeds use. The shop keeps UTC; an offset in the text is applied.
 *
 * Forms, each with an optional time after a space or "T" (15:16, 15:16:17, 15:16:17.123, 3:16 PM;
 * Z, +02:00, +0200, UTC):
 *
 *	2025-03-04, 2025/03/04, 2025.03.04, 20250304
 *	04.03.2025 (the day first, always)
 *	04/03/2025, 04-03-2025, 04/03/25 (see below)
 *	4 March 2025, 4-Mar-2025, March 4, 2025, Mar 4 2025, Tue, 04 Mar 2025
 *	1741046400 (seconds since 1970), 1741046400000 (milliseconds)
 *
 * "03/04/2025" has two meanings. The other dates of the same column decide: clean_date_look()
 * counts those that have only one ("25/04/2025"), clean_date_decide() takes the more frequent
 * order, or the configured one when there is none or as many of each. Pure functions.
 */
#pragma once

#include "base/strbuf.h"

enum clean_date_order { CLEAN_DATE_DAY_FIRST, CLEAN_DATE_MONTH_FIRST };

struct clean_date {
	int year, month, day, hour, minute, second;
	bool has_time;
	bool is_ambiguous; /* the order of day and month was taken from `order` */
};

/* False: no date that exists, between 1900-01-01 and 2100-12-31. */
bool clean_date_parse(struct str s, enum clean_date_order order, struct clean_date *ret);

struct clean_date_evidence {
	uint64_t day_first, month_first;
};

void clean_date_look(struct str s, struct clean_date_evidence *evidence);
enum clean_date_order clean_date_decide(const struct clean_date_evidence *evidence,
					enum clean_date_order configured);

/* Appends "2025-03-04", with `time` "2025-03-04 15:16:17". */
void clean_date_format(const struct clean_date *d, bool time, struct strbuf *out);
