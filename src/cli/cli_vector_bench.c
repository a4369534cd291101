/* `aethermart vector bench`: how fast at which recall, on somebody's own vectors. */
#include "cli/cli_vector.h"

#include "base/file.h"
#include "base/progress.h"
#include "base/table.h"
#include "vector/vector_bench.h"

#include <errno.h>
#include <stdlib.h>

#include "base/banned.h"

static const struct command_option options[] = {
    {"vectors", COMMAND_TEXT, "FILE", NULL, 0, 0, ".npy (32-bit floats) or .fvecs"},
    {"queries", COMMAND_TEXT, "FILE", NULL, 0, 0, "vectors to look for, of the same kind"},
    {"k", COMMAND_NUMBER, "N", "10", 1, VECTOR_K_MAX / 4, "how many nearest count"},
    {"recall", COMMAND_TEXT, "LIST", "0.95,0.99", 0, 0, "targets, separated by commas"},
    {"threads", COMMAND_NUMBER, "N", "1", 1, VECTOR_READERS_MAX - 1, "threads that search"},
    {"filter-share", COMMAND_TEXT, "LIST", NULL, 0, 0,
     "also search with filters that leave these shares, above 0 up to 1"},
    {"filter-kind", COMMAND_TEXT, "LIST", "random", 0, 0,
     "what they leave: random, or of each query the near or the far ones"},
    {"churn", COMMAND_NUMBER, "N", NULL, 0, VECTOR_BENCH_ROUNDS_MAX,
     "also N rounds of deleting a fifth and putting it back"},
    {"dir", COMMAND_TEXT, "DIR", NULL, 0, 0, "where its files go for the time; a temporary folder"},
    CLI_VECTOR_OPTIONS,
    {0},
};

/* The next of a list separated by commas; false at its end. */
static bool next_of(const char **list, struct str *ret)
{
	const char *comma = strchr(*list, ',');
	size_t len = comma ? (size_t)(comma - *list) : strlen(*list);

	if (!**list)
		return false;
	*ret = (struct str){*list, len};
	*list += comma ? len + 1 : len;
	return true;
}

static int read_targets(const char *list, struct vector_bench_options *o, struct err *err)
{
	struct str text;

	while (next_of(&list, &text)) {
		double value;

		if (o->n_targets == VECTOR_BENCH_TARGETS_MAX)
			return err_set(err, ERR_INVALID_ARGUMENT, "--recall: at most %d targets",
				       VECTOR_BENCH_TARGETS_MAX);
		if (parse_double(text, &value, err) < 0)
			return err_context(err, "--recall");
		if (!(value > 0 && value <= 1) ||
		    (o->n_targets && value <= o->targets[o->n_targets - 1]))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "--recall: %g; targets rise, and lie above 0 up to 1",
				       value);
		o->targets[o->n_targets++] = value;
	}
	return 0;
}

static const char *const filter_kinds[] = {
    [VECTOR_FILTER_RANDOM] = "random", [VECTOR_FILTER_NEAR] = "near", [VECTOR_FILTER_FAR] = "far"};

/* Every share with that kind. */
static int read_shares(const char *list, enum vector_filter_kind kind,
		       struct vector_bench_options *o, struct err *err)
{
	struct str text;

	while (next_of(&list, &text)) {
		double share;

		if (parse_double(text, &share, err) < 0)
			return err_context(err, "--filter-share");
		if (!(share > 0 && share <= 1))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "--filter-share: %g lies not above 0 up to 1", share);
		if (o->n_filters == VECTOR_BENCH_FILTERS_MAX)
			return err_set(err, ERR_INVALID_ARGUMENT, "at most %d filters",
				       VECTOR_BENCH_FILTERS_MAX);
		o->filters[o->n_filters++] =
		    (struct vector_bench_filter){.share = share, .kind = kind};
	}
	return 0;
}

static int read_filters(const struct command_line *line, struct vector_bench_options *o,
			struct err *err)
{
	const char *shares = command_text(line, "filter-share");
	const char *list = command_text(line, "filter-kind");
	struct str kind;
	int r = 0;

	while (shares && r == 0 && next_of(&list, &kind)) {
		unsigned i = 0;

		while (i < ARRAY_LEN(filter_kinds) && !str_equal(kind, str_from(filter_kinds[i])))
			i++;
		if (i == ARRAY_LEN(filter_kinds))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "--filter-kind: \"%.*s\" is none of random, near and far",
				       STR_ARGS(kind));
		r = read_shares(shares, (enum vector_filter_kind)i, o, err);
	}
	return r;
}

/* --- the answer ------------------------------------------------------------------------------ */

static json_t *point_json(const struct vector_bench_point *p)
{
	return json_pack("{s:f, s:i, s:f, s:f, s:f}", "recall", p->recall, "ef", (int)p->ef, "qps",
			 p->qps, "p50_us", p->p50_us, "p99_us", p->p99_us);
}

static json_t *filter_json(const struct vector_bench_filter *f)
{
	return json_pack("{s:f, s:s, s:f, s:f, s:I, s:I}", "share", f->share, "kind",
			 filter_kinds[f->kind], "recall", f->recall, "qps", f->qps, "short",
			 (json_int_t)f->n_short, "queries", (json_int_t)f->queries);
}

static json_t *result_json(const struct vector_bench_result *r)
{
	json_t *targets = json_array(), *curve = json_array(), *answer;

	for (size_t i = 0; i < r->n_targets; i++) {
		json_t *target = json_pack("{s:f}", "target", r->targets[i].target);

		if (target)
			(void)json_object_update_new(target, point_json(&r->targets[i]));
		json_array_append_new(targets, target);
	}
	for (size_t i = 0; i < r->n_curve; i++)
		json_array_append_new(curve, point_json(&r->curve[i]));
	answer = json_pack("{s:I, s:i, s:f, s:f, s:o, s:o, s:f, s:f, s:f, s:f, s:f}", "n",
			   (json_int_t)r->n, "dimension", (int)r->dimension, "build_seconds",
			   r->build_seconds, "bytes_per_vector", r->bytes_per_vector, "targets",
			   targets, "curve", curve, "mapped_bytes_per_vector",
			   r->mapped_bytes_per_vector, "counted_bytes_per_vector",
			   r->counted_bytes_per_vector, "checkpoint_seconds", r->checkpoint_seconds,
			   "restart_seconds", r->restart_seconds, "exact_qps", r->exact_qps);
	if (answer && r->n_filters) {
		json_t *filters = json_array();

		for (size_t i = 0; i < r->n_filters; i++)
			json_array_append_new(filters, filter_json(&r->filters[i]));
		(void)json_object_set_new(answer, "filters", filters);
	}
	if (answer && r->n_churn) {
		json_t *churn = json_array();

		for (size_t i = 0; i < r->n_churn; i++)
			json_array_append_new(churn, json_real(r->churn[i]));
		(void)json_object_set_new(answer, "churn", churn);
		(void)json_object_set_new(answer, "churn_ef", json_integer(r->churn_ef));
	}
	return answer;
}

static void add_point(struct table *t, const char *what, const struct vector_bench_point *p)
{
	char cells[5][32];
	const char *row[] = {what, cells[0], cells[1], cells[2], cells[3], cells[4]};

	(void)snprintf(cells[0], sizeof(cells[0]), "%.4f", p->recall);
	(void)snprintf(cells[1], sizeof(cells[1]), "%u", p->ef);
	(void)snprintf(cells[2], sizeof(cells[2]), "%.0f", p->qps);
	(void)snprintf(cells[3], sizeof(cells[3]), "%.1f", p->p50_us);
	(void)snprintf(cells[4], sizeof(cells[4]), "%.1f", p->p99_us);
	table_add(t, row);
}

static void print_result(const struct vector_bench_result *r)
{
	_cleanup_(table_freep) struct table *t = table_new((const char *const[]){
	    "TARGET", ">RECALL", ">EF", ">QUERIES/S", ">P50 us", ">P99 us", NULL});

	printf("%zu vectors of %u values: built in %.1f s, opened in %.2f s\n", r->n, r->dimension,
	       r->build_seconds, r->restart_seconds);
	printf("%.0f bytes of memory a vector, %.0f mapped; exact scan %.0f queries/s\n\n",
	       r->bytes_per_vector, r->mapped_bytes_per_vector, r->exact_qps);
	for (size_t i = 0; i < r->n_curve; i++)
		add_point(t, "", &r->curve[i]);
	for (size_t i = 0; i < r->n_targets; i++) {
		char target[32];

		(void)snprintf(target, sizeof(target), "%g%s", r->targets[i].target,
			       r->targets[i].ef ? "" : " missed");
		add_point(t, target, &r->targets[i]);
	}
	table_print(t, stdout);
	for (size_t i = 0; i < r->n_filters; i++)
		printf("%sfilter leaving %g (%s): recall %.4f, %.0f queries/s, %zu of %zu short\n",
		       i ? "" : "\n", r->filters[i].share, filter_kinds[r->filters[i].kind],
		       r->filters[i].recall, r->filters[i].qps, r->filters[i].n_short,
		       r->filters[i].queries);
	if (r->n_churn)
		printf("\nchurn: recall %.4f fresh, %.4f after %zu rounds (ef %u)\n", r->churn[0],
		       r->churn[r->n_churn - 1], r->n_churn - 1, r->churn_ef);
}

/* --- running --------------------------------------------------------------------------------- */

static void on_progress(void *arg, uint64_t done)
{
	struct progress *p = arg;

	progress_update(p, done);
	if (done == p->total)
		progress_finish(p);
}

static int bench_in(const struct command_line *line, struct vector_bench_options *o,
		    struct err *err)
{
	struct vector_bench_result *result = MEM_NEW(struct vector_bench_result);
	struct progress progress;
	int r;

	progress_start(&progress, "building", "vectors", o->base->n);
	o->on_progress = on_progress;
	o->arg = &progress;
	r = vector_bench(o, result, err);
	if (r == 0 && line->json)
		r = cli_print_json(result_json(result), err);
	else if (r == 0)
		print_result(result);
	mem_free(result);
	return r;
}

/* In a folder of its own below DIR, which goes afterwards. */
static int bench(const struct command_line *line, struct vector_bench_options *o, struct err *err)
{
	const char *parent = command_text(line, "dir"), *tmp = getenv("TMPDIR");
	char *dir = mem_printf("%s/aethermart-bench-XXXXXX", parent	     ? parent
							     : tmp && tmp[0] ? tmp
									     : "/tmp");
	struct err later = {0};
	int r;

	if (!mkdtemp(dir)) {
		r = err_set(err, ERR_IO, "could not make a folder \"%s\": %s", dir,
			    strerror(errno));
		mem_free(dir);
		return r;
	}
	o->dir = dir;
	r = bench_in(line, o, err);
	if (dir_remove(dir, &later) < 0 && r == 0) {
		*err = later;
		r = -(int)later.code;
	}
	mem_free(dir);
	return r;
}

static int run_bench(const struct command_line *line, struct err *err)
{
	const char *vectors = command_text(line, "vectors"),
		   *queries = command_text(line, "queries");
	struct vector_set base = {0}, asked = {0};
	struct vector_bench_options o = {.base = &base,
					 .queries = &asked,
					 .k = (size_t)command_number(line, "k"),
					 .threads = (unsigned)command_number(line, "threads"),
					 .churn_rounds = (unsigned)command_number(line, "churn")};
	int r;

	if (!vectors || !queries)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "a bench needs --vectors FILE and --queries FILE");
	r = cli_vector_options(line, &o.index, err);
	if (r == 0)
		r = read_targets(command_text(line, "recall"), &o, err);
	if (r == 0)
		r = read_filters(line, &o, err);
	if (r == 0)
		r = vector_set_open(vectors, &base, err);
	if (r == 0)
		r = vector_set_open(queries, &asked, err);
	if (r == 0)
		r = bench(line, &o, err);
	vector_set_close(&base);
	vector_set_close(&asked);
	return r;
}

const struct command command_vector_bench = {
    .name = "bench",
    .summary = "how fast at which recall",
    .options = options,
    .help =
	"Builds an index of the vectors, asks the queries one at a time at rising ef, and finds\n"
	"the least ef that reaches each target. Recall is against the exact answer. Each figure\n"
	"of speed is the median of three passes over the queries.\n\n"
	"  aethermart vector bench --vectors base.fvecs --queries asked.fvecs --metric l2\n",
    .run = run_bench,
    .no_config = true,
};
