/* `aethermart vector`: the vector engine on files of vectors. Needs no database. */
#include "cli/cli_vector.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/table.h"
#include "vector/vector_set.h"

#include <inttypes.h>
#include <roaring/roaring.h>

#include "base/banned.h"

/* --- words for choices ----------------------------------------------------------------------- */

static const char *const kinds[] = {"graph", "exact", NULL};
static const char *const metrics[] = {"cosine", "ip", "l2", NULL};
static const char *const precisions[] = {"f32", "f16", NULL};

/* The number of the word; the first when the option is not given. */
static int choose(const struct command_line *line, const char *option, const char *const *words,
		  unsigned *ret, struct err *err)
{
	const char *text = command_text(line, option), *near;

	*ret = 0;
	if (!text)
		return 0;
	for (unsigned i = 0; words[i]; i++) {
		if (cstr_equal(text, words[i])) {
			*ret = i;
			return 0;
		}
	}
	(void)err_set(err, ERR_INVALID_ARGUMENT, "--%s: \"%s\" is none of its values", option,
		      text);
	near = cstr_nearest(text, words);
	return err_hint(err, "such as \"%s\"", near ? near : words[0]);
}

int cli_vector_options(const struct command_line *line, struct vector_options *ret, struct err *err)
{
	unsigned kind, metric, precision;
	const char *alpha = command_text(line, "alpha");
	double value = 0;
	int r = choose(line, "kind", kinds, &kind, err);

	if (r == 0)
		r = choose(line, "metric", metrics, &metric, err);
	if (r == 0)
		r = choose(line, "precision", precisions, &precision, err);
	if (r == 0 && alpha)
		r = parse_double(str_from(alpha), &value, err) < 0 ? err_context(err, "--alpha")
								   : 0;
	if (r < 0)
		return r;
	*ret = (struct vector_options){.kind = kind,
				       .metric = metric,
				       .precision = precision,
				       .m = (unsigned)command_number(line, "m"),
				       .ef_construction =
					   (unsigned)command_number(line, "ef-construction"),
				       .alpha = (float)value};
	return 0;
}

/* --- opening --------------------------------------------------------------------------------- */

/* An index that must be there: looking at nothing must not make one. */
static int open_index(const char *dir, struct vector_index **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(4096);
	struct vector_options none = {0};

	strbuf_addf(&path, "%s/graph", dir);
	if (!file_exists(strbuf_str(&path))) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no vector index in \"%s\"", dir);
		return err_hint(err, "aethermart vector build %s --vectors FILE", dir);
	}
	return vector_open(dir, &none, ret, err);
}

/* Closes, and keeps the first error. */
static int close_index(struct vector_index *ix, int r, struct err *err)
{
	struct err later = {0};
	int closed = vector_close(ix, &later);

	if (r == 0 && closed < 0) {
		*err = later;
		return closed;
	}
	return r;
}

/* The ids of a file, or 0, 1, 2, ... */
struct ids {
	uint32_t *items; /* NULL: counting */
	size_t n;
};

static int read_ids(const struct command_line *line, size_t n, struct ids *ret, struct err *err)
{
	const char *path = command_text(line, "ids");
	int r = path ? vector_ids_read(path, &ret->items, &ret->n, err) : 0;

	if (r == 0 && path && ret->n != n)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%s\" has %zu ids, and there are %zu vectors", path, ret->n, n);
	return r;
}

/* --- build ----------------------------------------------------------------------------------- */

static const struct command_option build_options[] = {
    {"vectors", COMMAND_TEXT, "FILE", NULL, 0, 0, ".npy (32-bit floats) or .fvecs"},
    {"ids", COMMAND_TEXT, "FILE", NULL, 0, 0,
     "their ids, a number a line; without it 0, 1, 2 and so on"},
    {"model", COMMAND_TEXT, "NAME", NULL, 0, 0,
     "what the vectors were made by; others are refused later"},
    {"memory", COMMAND_TEXT, "SIZE", NULL, 0, 0, "most memory the index may take, such as 2G"},
    CLI_VECTOR_OPTIONS,
    {0},
};

#define PUT_GROUP 10000 /* confirmed together */

static int put_all(struct vector_index *ix, const struct vector_set *set, const struct ids *ids,
		   struct err *err)
{
	struct progress progress;
	int r = 0;

	progress_start(&progress, "building", "vectors", set->n);
	for (size_t i = 0; i < set->n && r == 0; i++) {
		r = vector_put(ix, ids->items ? ids->items[i] : (uint32_t)i, vector_set_at(set, i),
			       err);
		if (r < 0)
			(void)err_context(err, "vector %zu", i);
		if (r == 0 && i % PUT_GROUP == PUT_GROUP - 1)
			r = vector_sync(ix, err);
		if (i % 64 == 0)
			progress_update(&progress, i);
	}
	progress_update(&progress, set->n);
	progress_finish(&progress);
	return r;
}

static int print_built(const struct command_line *line, const struct vector_stats *s,
		       double seconds, struct err *err)
{
	if (line->json)
		return cli_print_json(json_pack("{s:I, s:i, s:f, s:I, s:I}", "vectors",
						(json_int_t)s->vectors, "dimension",
						(int)s->dimension, "seconds", seconds,
						"memory_bytes", (json_int_t)s->memory_bytes,
						"mapped_bytes", (json_int_t)s->mapped_bytes),
				      err);
	printf("%" PRIu64
	       " vectors of %u values in %.1f s; %.0f bytes of memory a vector, %.0f mapped\n",
	       s->vectors, s->dimension, seconds,
	       s->vectors ? (double)s->memory_bytes / (double)s->vectors : 0,
	       s->vectors ? (double)s->mapped_bytes / (double)s->vectors : 0);
	return cli_flush(err);
}

static int read_memory(const struct command_line *line, struct vector_options *o, struct err *err)
{
	const char *text = command_text(line, "memory");
	int64_t bytes = 0;
	int r = text ? parse_size(str_from(text), &bytes, err) : 0;

	if (r < 0)
		return err_context(err, "--memory");
	o->memory_max_bytes = (size_t)bytes;
	return 0;
}

static int build(const struct command_line *line, const struct vector_set *set,
		 const struct ids *ids, struct err *err)
{
	int64_t started = clock_monotonic_us();
	struct vector_options options;
	struct vector_index *ix = NULL;
	struct vector_stats stats;
	int r = cli_vector_options(line, &options, err);

	if (r == 0)
		r = read_memory(line, &options, err);
	if (r < 0)
		return r;
	options.dimension = set->dimension;
	options.model = command_text(line, "model");
	r = vector_open(line->argv[0], &options, &ix, err);
	if (r < 0)
		return r;
	r = put_all(ix, set, ids, err);
	if (r == 0)
		r = vector_checkpoint(ix, err);
	vector_stats(ix, &stats);
	if (r == 0)
		r = print_built(line, &stats, (double)(clock_monotonic_us() - started) / 1e6, err);
	return close_index(ix, r, err);
}

static int run_build(const struct command_line *line, struct err *err)
{
	const char *path = command_text(line, "vectors");
	struct vector_set set = {0};
	struct ids ids = {0};
	int r;

	if (!path)
		return err_set(err, ERR_INVALID_ARGUMENT, "which vectors? --vectors FILE says it");
	r = vector_set_open(path, &set, err);
	if (r == 0)
		r = read_ids(line, set.n, &ids, err);
	if (r == 0)
		r = build(line, &set, &ids, err);
	mem_free(ids.items);
	vector_set_close(&set);
	return r;
}

static const struct command command_vector_build = {
    .name = "build",
    .summary = "puts vectors of a file into an index",
    .arguments = "INDEX",
    .min_args = 1,
    .max_args = 1,
    .options = build_options,
    .help = "Makes the folder INDEX, or adds to it; a vector whose id is there is replaced.\n"
	    "What was put is kept when it is interrupted; run again, it goes on.\n\n"
	    "  aethermart vector build shop.index --vectors products.npy\n",
    .run = run_build,
    .no_config = true,
};

/* --- delete ---------------------------------------------------------------------------------- */

static const struct command_option delete_options[] = {
    {"ids", COMMAND_TEXT, "FILE", NULL, 0, 0, "ids to delete, a number a line"},
    {0},
};

static int delete_all(struct vector_index *ix, const struct ids *ids, size_t *ret_deleted,
		      struct err *err)
{
	struct progress progress;
	int r = 0;

	*ret_deleted = 0;
	progress_start(&progress, "deleting", "ids", ids->n);
	for (size_t i = 0; i < ids->n && r == 0; i++) {
		r = vector_delete(ix, ids->items[i], err);
		if (r == -ERR_NOT_FOUND) {
			err_clear(err);
			r = 0;
		} else if (r == 0) {
			++*ret_deleted;
		}
		progress_update(&progress, i + 1);
	}
	progress_finish(&progress);
	return r < 0 ? r : vector_compact(ix, err);
}

static int run_delete(const struct command_line *line, struct err *err)
{
	const char *path = command_text(line, "ids");
	struct vector_index *ix = NULL;
	struct ids ids = {0};
	size_t deleted = 0;
	int r;

	if (!path)
		return err_set(err, ERR_INVALID_ARGUMENT, "which ids? --ids FILE says it");
	r = vector_ids_read(path, &ids.items, &ids.n, err);
	if (r == 0)
		r = open_index(line->argv[0], &ix, err);
	if (r == 0)
		r = close_index(ix, delete_all(ix, &ids, &deleted, err), err);
	mem_free(ids.items);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I, s:I}", "deleted", (json_int_t)deleted,
						"absent", (json_int_t)(ids.n - deleted)),
				      err);
	printf("%zu vectors deleted; %zu ids were not there\n", deleted, ids.n - deleted);
	return cli_flush(err);
}

static const struct command command_vector_delete = {
    .name = "delete",
    .summary = "deletes vectors, for good",
    .arguments = "INDEX",
    .min_args = 1,
    .max_args = 1,
    .options = delete_options,
    .help = "Afterwards no file of the index holds anything of them.\n",
    .run = run_delete,
    .no_config = true,
};

/* --- query ----------------------------------------------------------------------------------- */

static const struct command_option query_options[] = {
    {"queries", COMMAND_TEXT, "FILE", NULL, 0, 0, "vectors to look for: .npy or .fvecs"},
    {"k", COMMAND_NUMBER, "N", "10", 1, VECTOR_K_MAX, "how many nearest of each"},
    {"ef", COMMAND_NUMBER, "N", NULL, 1, VECTOR_EF_MAX,
     "candidates kept while walking: more is righter and slower"},
    {"filter", COMMAND_TEXT, "FILE", NULL, 0, 0, "only these ids, a number a line"},
    {"exact", COMMAND_FLAG, NULL, NULL, 0, 0, "compare with all vectors"},
    {0},
};

static int print_hits(const struct command_line *line, size_t query, const struct vector_hit *hits,
		      size_t n, struct err *err)
{
	json_t *list;

	if (!line->json) {
		for (size_t i = 0; i < n; i++)
			printf("%zu\t%" PRIu32 "\t%.6f\n", query, hits[i].id,
			       (double)hits[i].score);
		return cli_flush(err);
	}
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:I, s:f}", "id", (json_int_t)hits[i].id,
						      "score", (double)hits[i].score));
	return cli_print_json_line(
	    json_pack("{s:I, s:o}", "query", (json_int_t)query, "hits", list), err);
}

static int read_filter(const struct command_line *line, roaring_bitmap_t **ret, struct err *err)
{
	const char *path = command_text(line, "filter");
	struct ids ids = {0};
	int r;

	if (!path)
		return 0;
	r = vector_ids_read(path, &ids.items, &ids.n, err);
	if (r < 0)
		return r;
	*ret = roaring_bitmap_of_ptr(ids.n, ids.items);
	mem_free(ids.items);
	return 0;
}

static int query_all(const struct command_line *line, struct vector_index *ix,
		     const struct vector_set *set, struct err *err)
{
	struct vector_query q = {.k = (size_t)command_number(line, "k"),
				 .ef = (unsigned)command_number(line, "ef"),
				 .exact = command_has(line, "exact")};
	struct vector_hit *hits = mem_alloc_array(q.k, sizeof(*hits));
	_cleanup_(vector_reader_freep) struct vector_reader *reader = NULL;
	bool is_silent = isatty(STDOUT_FILENO) == 0; /* else the hits are the progress */
	roaring_bitmap_t *filter = NULL;
	struct progress progress;
	int r = read_filter(line, &filter, err);

	if (r == 0)
		r = vector_reader_new(ix, &reader, err);
	q.filter = filter;
	if (is_silent)
		progress_start(&progress, "asking", "queries", set->n);
	for (size_t i = 0; i < set->n && r == 0; i++) {
		size_t n = 0;

		q.vector = vector_set_at(set, i);
		r = vector_search(reader, &q, hits, &n, NULL, err);
		if (r < 0)
			(void)err_context(err, "query %zu", i);
		else
			r = print_hits(line, i, hits, n, err);
		if (is_silent)
			progress_update(&progress, i + 1);
	}
	if (is_silent)
		progress_finish(&progress);
	if (filter)
		roaring_bitmap_free(filter);
	mem_free(hits);
	return r;
}

static int run_query(const struct command_line *line, struct err *err)
{
	const char *path = command_text(line, "queries");
	struct vector_set set = {0};
	struct vector_index *ix = NULL;
	struct vector_stats stats;
	int r;

	if (!path)
		return err_set(err, ERR_INVALID_ARGUMENT, "look for what? --queries FILE says it");
	r = vector_set_open(path, &set, err);
	if (r == 0)
		r = open_index(line->argv[0], &ix, err);
	if (r == 0) {
		vector_stats(ix, &stats);
		if (stats.dimension != set.dimension)
			r = err_set(err, ERR_INVALID_ARGUMENT,
				    "the queries have %u values, and the vectors of \"%s\" %u",
				    set.dimension, line->argv[0], stats.dimension);
		else
			r = query_all(line, ix, &set, err);
		r = close_index(ix, r, err);
	}
	vector_set_close(&set);
	return r;
}

static const struct command command_vector_query = {
    .name = "query",
    .summary = "finds the nearest vectors of an index",
    .arguments = "INDEX",
    .min_args = 1,
    .max_args = 1,
    .options = query_options,
    .help = "Prints query, id and score, a line each, best first; with --json one object a\n"
	    "query. A larger score is nearer: the cosine, the inner product, or minus the squared\n"
	    "distance.\n",
    .run = run_query,
    .no_config = true,
};

/* --- info ------------------------------------------------------------------------------------ */

static json_t *stats_json(const struct vector_stats *s, uint64_t edges)
{
	return json_pack("{s:I, s:I, s:i, s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:i, s:I, s:I, s:I, "
			 "s:I, s:I, s:I, s:s}",
			 "vectors", (json_int_t)s->vectors, "deleted", (json_int_t)s->deleted,
			 "dimension", (int)s->dimension, "model", s->model, "kind", kinds[s->kind],
			 "metric", metrics[s->metric], "precision", precisions[s->precision], "m",
			 (int)s->m, "ef_construction", (int)s->ef_construction, "alpha",
			 (double)s->alpha, "layers", (int)s->layers, "edges", (json_int_t)edges,
			 "memory_bytes", (json_int_t)s->memory_bytes, "mapped_bytes",
			 (json_int_t)s->mapped_bytes, "log_bytes", (json_int_t)s->log_bytes,
			 "replayed", (json_int_t)s->replayed, "dropped_bytes",
			 (json_int_t)s->dropped_bytes, "kernels", s->kernels);
}

static void print_stats(const struct vector_stats *s, uint64_t edges)
{
	double n = s->vectors ? (double)s->vectors : 1;

	printf("vectors    %" PRIu64 " of %u values, by %s\n", s->vectors, s->dimension,
	       metrics[s->metric]);
	printf("model      %s\n", s->model[0] ? s->model : "not named");
	printf("index      %s", kinds[s->kind]);
	if (s->kind == VECTOR_GRAPH)
		printf(": %u layers, %.1f edges a vector (m %u, ef_construction %u, alpha %g)",
		       s->layers, (double)edges / n, s->m, s->ef_construction, (double)s->alpha);
	printf("\nmemory     %.0f bytes a vector, %.1f MB\n", (double)s->memory_bytes / n,
	       (double)s->memory_bytes / 1e6);
	printf("mapped     %.0f bytes a vector, %.1f MB (%s)\n", (double)s->mapped_bytes / n,
	       (double)s->mapped_bytes / 1e6, precisions[s->precision]);
	printf("log        %" PRIu64 " bytes not in the checkpoint\n", s->log_bytes);
	if (s->dropped_bytes)
		printf("           %" PRIu64 " bytes of a torn end were cut off\n",
		       s->dropped_bytes);
	printf("kernels    %s\n", s->kernels);
}

static int run_info(const struct command_line *line, struct err *err)
{
	struct vector_index *ix = NULL;
	struct vector_stats stats;
	int r = open_index(line->argv[0], &ix, err);

	if (r < 0)
		return r;
	vector_stats(ix, &stats);
	if (line->json)
		r = cli_print_json(stats_json(&stats, vector_count_edges(ix)), err);
	else
		print_stats(&stats, vector_count_edges(ix));
	return close_index(ix, r, err);
}

static const struct command command_vector_info = {
    .name = "info",
    .summary = "what an index holds and takes",
    .arguments = "INDEX",
    .min_args = 1,
    .max_args = 1,
    .run = run_info,
    .no_config = true,
};

/* --- check ----------------------------------------------------------------------------------- */

#define PROBLEMS_SHOWN 20

struct problems {
	json_t *list; /* NULL: printed */
	uint64_t n;
};

static void on_problem(void *arg, const char *problem)
{
	struct problems *p = arg;

	if (p->n++ >= PROBLEMS_SHOWN)
		return;
	if (p->list)
		json_array_append_new(p->list, json_string(problem));
	else
		printf("%s\n", problem);
}

static int run_check(const struct command_line *line, struct err *err)
{
	struct problems problems = {.list = line->json ? json_array() : NULL};
	struct vector_index *ix = NULL;
	struct vector_stats stats;
	uint64_t n;
	int r = open_index(line->argv[0], &ix, err);

	if (r < 0) {
		json_decref(problems.list);
		return r;
	}
	vector_stats(ix, &stats);
	n = vector_check(ix, on_problem, &problems);
	if (line->json)
		r = cli_print_json(json_pack("{s:I, s:I, s:o}", "vectors",
					     (json_int_t)stats.vectors, "problems", (json_int_t)n,
					     "shown", problems.list),
				   err);
	else if (n == 0)
		printf("%" PRIu64 " vectors are whole, and the graph leads to each of them\n",
		       stats.vectors);
	if (r == 0 && n > 0) {
		(void)err_set(err, ERR_CORRUPTED, "\"%s\" has %" PRIu64 " problems", line->argv[0],
			      n);
		r = err_hint(err, "build it anew from its vectors");
	}
	return close_index(ix, r, err);
}

static const struct command command_vector_check = {
    .name = "check",
    .summary = "proves that an index is whole",
    .arguments = "INDEX",
    .min_args = 1,
    .max_args = 1,
    .help = "Opening an index proves its checksums and edges; this reads every stored vector\n"
	    "too, and looks whether the graph leads to each of them. Exit status 6 when not.\n",
    .run = run_check,
    .no_config = true,
};

/* --- the tree -------------------------------------------------------------------------------- */

static const struct command *const children[] = {
    &command_vector_bench,
    &command_vector_build,
    &command_vector_check,
    &command_vector_delete,
    &command_vector_info,
    &command_vector_query,
    NULL,
};

const struct command command_vector = {
    .name = "vector",
    .summary = "the vector engine on your own vectors",
    .children = children,
};
