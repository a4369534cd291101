/*
 * The vector engine in a program of one's own: an index in a folder that is filled, asked with and
 * without a filter, changed and opened again.
 *
 *	example_nearest FOLDER
 *
 * Built by meson (build/example_nearest) and run by tests/integration/test_vector.py. By hand, with
 * gcc, from the top of the tree:
 *
 *	gcc -std=gnu17 -Isrc docs/examples/nearest.c build/src/vector/libvector.a \
 *	    build/src/vector/libvector_kernels_*.a build/src/base/libbase.a \
 *	    -lroaring -lxxhash -lsodium -lm -lpthread -o nearest
 */
#include "vector/vector.h"

#include <roaring/roaring.h>
#include <stdio.h>

/* The quarters of a city, by their place on the map. */
static const struct {
	const char *name;
	float place[2];
} quarters[] = {
    {"harbour", {0, 0}}, {"market", {1, 0.5F}},	 {"castle", {1.2F, 1}},
    {"mill", {3, 3}},	 {"station", {2, 0.2F}},
};

static int fail(const struct err *err)
{
	fprintf(stderr, "%s\n", err->message);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return 1;
}

static int print_nearest(struct vector_index *index, const char *title,
			 const struct roaring_bitmap_s *filter)
{
	_cleanup_(vector_reader_freep) struct vector_reader *reader = NULL;
	struct vector_query query = {.vector = (const float[]){1, 0.4F}, .k = 2, .filter = filter};
	struct vector_hit hits[2];
	struct err err = {0};
	size_t n;

	if (vector_reader_new(index, &reader, &err) < 0 || /* one for each thread that searches */
	    vector_search(reader, &query, hits, &n, NULL, &err) < 0)
		return fail(&err);
	printf("%s:", title);
	for (size_t i = 0; i < n; i++) /* with this metric a score is minus the squared distance */
		printf(" %s (%.2f)", quarters[hits[i].id].name, -(double)hits[i].score);
	printf("\n");
	return 0;
}

static int use(struct vector_index *index)
{
	roaring_bitmap_t *allowed = roaring_bitmap_of(2, 3U, 4U);
	struct err err = {0};
	int failed;

	for (uint32_t id = 0; id < sizeof(quarters) / sizeof(quarters[0]); id++)
		if (vector_put(index, id, quarters[id].place, &err) < 0)
			return fail(&err);
	if (vector_sync(index, &err) < 0) /* from here on no crash loses them */
		return fail(&err);
	failed = print_nearest(index, "all", NULL) ||
		 print_nearest(index, "mill and station only", allowed);
	roaring_bitmap_free(allowed);
	if (!failed && vector_delete(index, 1, &err) < 0)
		return fail(&err);
	return failed || print_nearest(index, "without the market", NULL);
}

int main(int argc, char **argv)
{
	struct vector_options options = {
	    .dimension = 2, .metric = VECTOR_L2, .precision = VECTOR_F32, .model = "map"};
	struct vector_index *index;
	struct err err = {0};
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	if (vector_open(argv[1], &options, &index, &err) < 0)
		return fail(&err);
	failed = use(index);
	if (vector_close(index, &err) < 0)
		return fail(&err);
	if (!failed && vector_open(argv[1], &options, &index, &err) < 0)
		return fail(&err);
	if (failed)
		return 1;
	failed = print_nearest(index, "opened again", NULL);
	return vector_close(index, &err) < 0 ? fail(&err) : failed;
}
