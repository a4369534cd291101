/* Judgements and measures: see search_judge.h. */
#include "search/search_judge.h"

#include "base/file.h"
#include "base/map.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define FILE_MAX   ((size_t)64 << 20)
#define DEPTH	   10
#define RATING_MAX 10

struct search_judgements {
	struct arena arena;
	struct search_judged_query *queries;
	size_t n, cap;
	struct map by_text; /* to the number and one */
};

struct reading {
	const char *path;
	struct search_judgements *j;
	size_t line;
};

/* --- reading --------------------------------------------------------------------------------- */

/* The next field of a line of CSV, which is consumed; quotes are taken off. */
static struct str take_field(struct str *rest, struct arena *arena)
{
	struct strbuf b = STRBUF_INIT(FILE_MAX);
	bool is_quoted = rest->len && rest->data[0] == '"';
	size_t i = is_quoted;
	struct str ret;

	for (; i < rest->len; i++) {
		char c = rest->data[i];

		if (is_quoted && c == '"') {
			if (i + 1 == rest->len || rest->data[i + 1] != '"') {
				is_quoted = false;
				continue;
			}
			i++;
		} else if (!is_quoted && c == ',') {
			break;
		}
		strbuf_addch(&b, c);
	}
	ret = arena_str(arena, strbuf_slice(&b));
	strbuf_done(&b);
	i += i < rest->len;
	*rest = (struct str){rest->data + i, rest->len - i};
	return str_trim(ret);
}

static struct search_judged_query *query_of(struct search_judgements *j, struct str text)
{
	void **entry = map_put(&j->by_text, text);
	struct search_judged_query *q;

	if (!*entry) {
		mem_grow(&j->queries, &j->cap, j->n + 1, sizeof(*j->queries));
		j->queries[j->n++] =
		    (struct search_judged_query){.text = text.data, .ratings = MEM_NEW(struct map)};
		*entry = (void *)(uintptr_t)j->n;
	}
	q = &j->queries[(uintptr_t)*entry - 1];
	return q;
}

static int read_line(struct reading *r, struct str line, struct err *err)
{
	struct search_judgements *j = r->j;
	struct str query = take_field(&line, &j->arena), name = take_field(&line, &j->arena);
	struct str text = take_field(&line, &j->arena);
	struct search_judged_query *q;
	int64_t rating = 0;
	void **entry;

	if (parse_int64(text, 0, RATING_MAX, &rating, NULL) < 0 || !name.len || line.len)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "%s:%zu: expected a query, a document and a rating from 0 to %d",
			       r->path, r->line, RATING_MAX);
	q = query_of(j, query);
	entry = map_put(q->ratings, name);
	if (*entry)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "%s:%zu: \"%s\" was judged for \"%s\" before", r->path, r->line,
			       name.data, query.data);
	*entry = (void *)(uintptr_t)(rating + 1);
	q->n++;
	q->has_relevant |= rating > 0;
	return 0;
}

static int most_first(const void *a, const void *b)
{
	return *(const int *)b - *(const int *)a;
}

static void sort_ratings(struct search_judgements *j)
{
	for (size_t i = 0; i < j->n; i++) {
		struct search_judged_query *q = &j->queries[i];
		int *sorted = arena_alloc(&j->arena, (q->n + 1) * sizeof(*sorted));
		size_t n = 0;

		for (size_t k = 0; k < q->ratings->cap; k++) {
			if (q->ratings->entries[k].key.data)
				sorted[n++] = (int)(uintptr_t)q->ratings->entries[k].value - 1;
		}
		qsort(sorted, n, sizeof(*sorted), most_first);
		q->sorted = sorted;
	}
}

static int parse(struct reading *r, struct str text, struct err *err)
{
	int result = 0;

	while (text.len && result == 0) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t n = end ? (size_t)(end - text.data) : text.len;
		struct str line = str_trim((struct str){text.data, n});

		n += end != NULL;
		text = (struct str){text.data + n, text.len - n};
		if (r->line++ && line.len)
			result = read_line(r, line, err);
	}
	if (result == 0 && !r->j->n)
		result = err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" holds no judgement", r->path);
	return result;
}

int search_judgements_load(const char *path, struct search_judgements **ret, struct err *err)
{
	_cleanup_(search_judgements_freep) struct search_judgements *j =
	    MEM_NEW(struct search_judgements);
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FILE_MAX);
	struct reading reading = {.path = path, .j = j};
	int r = file_read(path, &b, err);

	if (r == 0)
		r = parse(&reading, strbuf_slice(&b), err);
	if (r < 0)
		return r;
	sort_ratings(j);
	*ret = TAKE_PTR(j);
	return 0;
}

struct search_judgements *search_judgements_free(struct search_judgements *j)
{
	if (!j)
		return NULL;
	for (size_t i = 0; i < j->n; i++) {
		map_done(j->queries[i].ratings);
		mem_free(j->queries[i].ratings);
	}
	mem_free(j->queries);
	map_done(&j->by_text);
	arena_done(&j->arena);
	mem_free(j);
	return NULL;
}

size_t search_judgements_queries(const struct search_judgements *j,
				 const struct search_judged_query **ret)
{
	*ret = j->queries;
	return j->n;
}

/* --- measures -------------------------------------------------------------------------------- */

/* -1: nobody judged it. */
static int rating_of(const struct search_judged_query *q, const char *name)
{
	return (int)(uintptr_t)map_get(q->ratings, str_from(name)) - 1;
}

static double gain(int rating, size_t rank)
{
	return (exp2(rating) - 1) / log2((double)rank + 2);
}

static double ideal(const struct search_judged_query *q)
{
	double sum = 0;

	for (size_t i = 0; i < q->n && i < DEPTH; i++)
		sum += gain(q->sorted[i], i);
	return sum;
}

void search_quality_add(struct search_quality *q, const struct search_judged_query *query,
			const char *const *names, size_t n)
{
	double dcg = 0, judged_dcg = 0, best = ideal(query), first = 0;
	size_t judged = 0, relevant = 0, found = 0, rank = 0;

	if (!query->has_relevant)
		return;
	for (size_t i = 0; i < query->n; i++)
		relevant += query->sorted[i] > 0;
	for (size_t i = 0; i < n && i < SEARCH_JUDGED_DEPTH; i++) {
		int rating = rating_of(query, names[i]);

		if (i < DEPTH && rating > 0)
			dcg += gain(rating, i);
		judged += i < DEPTH && rating >= 0;
		if (rating >= 0 && rank < DEPTH)
			judged_dcg += gain(rating, rank++);
		found += rating > 0;
		if (rating > 0 && first <= 0)
			first = 1 / ((double)i + 1);
	}
	q->queries++;
	q->ndcg += dcg / best;
	q->judged_ndcg += judged_dcg / best;
	q->mrr += first;
	q->recall += (double)found / (double)relevant;
	if (!n)
		return;
	q->answered++;
	q->judged += (double)judged / (double)(n < DEPTH ? n : DEPTH);
}

void search_quality_end(struct search_quality *q)
{
	double n = q->queries ? (double)q->queries : 1;

	q->ndcg /= n;
	q->judged_ndcg /= n;
	q->mrr /= n;
	q->recall /= n;
	q->judged /= q->answered ? (double)q->answered : 1;
}
