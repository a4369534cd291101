#include "fixture.h"

#include <math.h>
#include <roaring/roaring.h>
#include <unistd.h>

#define CENTERS 40

uint64_t fixture_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static float gaussian(uint64_t *state) /* Box and Muller */
{
	double u = ((double)(fixture_random(state) >> 11) + 1) * 0x1p-53;
	double v = (double)(fixture_random(state) >> 11) * 0x1p-53;

	return (float)(sqrt(-2 * log(u)) * cos(2 * M_PI * v));
}

void fixture_make(struct fixture *f, size_t n, unsigned dimension, uint64_t seed)
{
	uint64_t common = 7; /* queries come from the same clusters as vectors */
	float *centers = calloc(CENTERS * dimension, sizeof(float));

	assert_non_null(centers);
	for (size_t i = 0; i < (size_t)CENTERS * dimension; i++)
		centers[i] = gaussian(&common);
	f->dimension = dimension;
	f->n = n;
	f->vectors = calloc(n * dimension, sizeof(float));
	assert_non_null(f->vectors);
	for (size_t i = 0; i < n; i++) {
		const float *center = centers + fixture_random(&seed) % CENTERS * dimension;

		for (unsigned j = 0; j < dimension; j++)
			f->vectors[i * dimension + j] = center[j] + 0.7F * gaussian(&seed);
	}
	free(centers);
}

void fixture_done(struct fixture *f)
{
	free(f->vectors);
	f->vectors = NULL;
}

double fixture_score(enum vector_metric metric, const float *a, const float *b, unsigned n)
{
	double dot = 0, aa = 0, bb = 0, l2 = 0;

	for (unsigned i = 0; i < n; i++) {
		dot += (double)a[i] * (double)b[i];
		aa += (double)a[i] * (double)a[i];
		bb += (double)b[i] * (double)b[i];
		l2 += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
	}
	return metric == VECTOR_L2 ? -l2 : metric == VECTOR_COSINE ? dot / sqrt(aa * bb) : dot;
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

/* The k-th best true score, or the worst of those that are there. */
static double true_limit(const struct fixture_search *s, enum vector_metric metric,
			 const float *query, double *scores, size_t *ret_want)
{
	size_t n = 0;

	for (size_t i = 0; i < s->vectors->n; i++) {
		if ((s->is_there && !s->is_there[i]) ||
		    (s->filter && !roaring_bitmap_contains(s->filter, (uint32_t)i)))
			continue;
		scores[n++] =
		    fixture_score(metric, query, fixture_at(s->vectors, i), s->vectors->dimension);
	}
	qsort(scores, n, sizeof(*scores), descending);
	*ret_want = n < s->k ? n : s->k;
	return *ret_want ? scores[*ret_want - 1] : 0;
}

double fixture_recall(const struct fixture_search *s)
{
	struct vector_hit *hits = calloc(s->k, sizeof(*hits));
	double *scores = calloc(s->vectors->n, sizeof(*scores));
	size_t found = 0, wanted = 0;
	struct vector_reader *r;
	struct vector_stats stats;
	struct err err = {0};

	assert_ok(vector_reader_new(s->index, &r, &err));
	vector_stats(s->index, &stats);
	for (size_t i = 0; i < s->queries->n; i++) {
		struct vector_query q = {.vector = fixture_at(s->queries, i),
					 .k = s->k,
					 .ef = s->ef,
					 .filter = s->filter,
					 .exact = s->exact};
		size_t n, want;
		double limit = true_limit(s, stats.metric, q.vector, scores, &want);
		/* What f16 cannot tell apart counts as the same. */
		double e = stats.precision == VECTOR_F16 ? 1e-3 : 1e-6;

		assert_ok(vector_search(r, &q, hits, &n, NULL, &err));
		assert_int_equal(n, want); /* never short */
		wanted += want;
		for (size_t j = 0; j < n; j++) {
			double score = fixture_score(stats.metric, q.vector,
						     fixture_at(s->vectors, hits[j].id),
						     s->vectors->dimension);

			assert_true(!s->is_there || s->is_there[hits[j].id]);
			assert_true(j == 0 || hits[j].score <= hits[j - 1].score);
			assert_true(fabs(score - (double)hits[j].score) <
				    2 * e * (1 + fabs(score)));
			found += score >= limit - e * (e + fabs(limit));
		}
	}
	(void)vector_reader_free(r);
	free(hits);
	free(scores);
	return wanted ? (double)found / (double)wanted : 1;
}

char *fixture_dir(void)
{
	/* In memory where that can be: a killed process needs no disk, and flushing one takes long.
	 */
	char *dir = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/aethermart-vector-XXXXXX"
							 : "/tmp/aethermart-vector-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}
