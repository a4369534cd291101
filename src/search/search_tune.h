/*
 * Finds better weights of the rules by people's judgements: one after the other is made larger and
 * smaller, and what is better stays (coordinate ascent), for some rounds. What is better: the mean
 * of nDCG@10 as it is and of nDCG@10 without documents that nobody judged, by words alone and with
 * meaning, since each of them alone can be had at the other's cost.
 *
 * One thread.
 */
#pragma once

#include "search/search_find.h"
#include "search/search_judge.h"

struct search_tuning {
	/* A copy of the collection's rules, on which the corpus was opened: its weights are
	 * changed. */
	struct search_collection *rules;
	struct search_corpus *corpus;
	struct search_analyzer *analyzer;
	const struct search_synonyms *synonyms;
	const struct search_vocabulary *vocabulary;
	const struct search_judged_query *queries;
	size_t n;
	const char *name; /* what is shown of a hit by which judgements name it */
	/* Of each query, one after the other; NULL: by words only. */
	const float *vectors;
	unsigned dimension;
	struct search_meanings meanings; /* without `query` */
	/* A query takes part when its number divided by `folds` leaves another rest than `fold`;
	 * the others are measured by search_tune_check(). 0 folds: all take part. */
	size_t folds, fold;
	void (*progress)(void *arg, const char *weight, double from, double to, double score);
	void *arg;
};

struct search_tuned {
	struct search_quality words, hybrid;
};
/* As the weights are; of the queries that take part. */
int search_tune_measure(struct search_tuning *t, struct search_tuned *ret, struct err *err)
    _must_check_;
/* Of those that do not. */
int search_tune_check(struct search_tuning *t, struct search_tuned *ret, struct err *err)
    _must_check_;
/* Changes the weights in the rules. */
int search_tune(struct search_tuning *t, unsigned rounds, struct err *err) _must_check_;
/* The weights as lines of rules. */
void search_tune_write(const struct search_collection *rules, struct strbuf *yaml);
