/* How far two sets of counts are from each other: see quality.h. */
#include "govern/quality_int.h"

#include <math.h>

#include "base/banned.h"

#define NOTHING 0.5 /* the count of a class without values: less than one, and not none */

static double sum_of(const uint64_t *counts, size_t n, bool *ret_any)
{
	double sum = 0;

	*ret_any = false;
	for (size_t i = 0; i < n; i++) {
		*ret_any = *ret_any || counts[i];
		sum += counts[i] ? (double)counts[i] : NOTHING;
	}
	return sum;
}

double quality_drift(enum quality_measure measure, const uint64_t *before, const uint64_t *now,
		     size_t n)
{
	bool any_before, any_now;
	double sum_before = sum_of(before, n, &any_before), sum_now = sum_of(now, n, &any_now);
	double drift = 0;

	if (!any_before || !any_now)
		return 0;
	for (size_t i = 0; i < n; i++) {
		double b = (before[i] ? (double)before[i] : NOTHING) / sum_before;
		double a = (now[i] ? (double)now[i] : NOTHING) / sum_now;

		/* A class that neither side has tells nothing. */
		if (before[i] || now[i])
			drift += (measure == QUALITY_PSI ? a - b : a) * log(a / b);
	}
	return drift > 0 ? drift : 0; /* rounding, and KL over the classes that count */
}
