/*
 * How good an order of hits is, by the judgements of people: what was asked, a document, and how
 * well it fits, from 0 (not at all) upwards, mostly to 3 (exactly what was asked for), at most 10.
 *
 *	query,product_id,rating
 *	gps watch,77382335,3
 *
 * CSV with a header line; the columns' names do not matter. A document that nobody judged is
 * unknown: nDCG counts it as 0, the "judged" variant leaves it out.
 *
 * Judgements are immutable once loaded: any number of threads may use them.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#define SEARCH_JUDGED_DEPTH 100 /* ranks that are looked at */

struct search_judged_query {
	const char *text;
	struct map *ratings; /* by the document's name: the rating and one */
	const int *sorted;   /* ratings, best first */
	size_t n;
	bool has_relevant; /* some document has a rating above 0 */
};

struct search_judgements;
/* Errors name file and line. */
int search_judgements_load(const char *path, struct search_judgements **ret, struct err *err)
    _must_check_;
struct search_judgements *search_judgements_free(struct search_judgements *j);
DEFINE_CLEANUP(struct search_judgements *, search_judgements_free)
size_t search_judgements_queries(const struct search_judgements *j,
				 const struct search_judged_query **ret);

/*
 * Means over the queries that have a relevant document:
 *	ndcg	DCG@10 / ideal DCG@10, gain 2^rating - 1, discount log2(rank + 1)
 *	judged_ndcg	the same when what was not judged is left out of the order
 *	mrr	1 / rank of the first relevant document, 0 beyond rank 100
 *	recall	share of the relevant documents among the first 100
 *	judged	share of the first 10, or of as many as there are, that was judged; over those
 *		that have hits (`answered`)
 */
struct search_quality {
	size_t queries, answered;
	double ndcg, judged_ndcg, mrr, recall, judged;
};
/* Adds what one query got: names of documents, best first. Queries without a relevant document are
 * left out. */
void search_quality_add(struct search_quality *q, const struct search_judged_query *query,
			const char *const *names, size_t n);
/* From sums to means. */
void search_quality_end(struct search_quality *q);
