/*
 * `aethermart eval`: how good the order of hits is, by judgements of people. The queries go to the
 * running worker one by one, as anybody's would.
 */
#include "cli/cli_recommend.h"
#include "cli/cli_worker.h"

#include "base/file.h"
#include "search/search_judge.h"

#include <inttypes.h>

#include "base/banned.h"

#define RUN_MAX ((size_t)256 << 20)

struct eval {
	const struct command_line *line;
	const char *name; /* the member of a hit by which judgements name it */
	struct search_quality quality;
	struct strbuf run; /* TREC */
};

static int ask(struct eval *e, const char *query, json_t **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0);
	const char *mode = command_text(e->line, "mode"), *in = command_text(e->line, "in");

	strbuf_addstr(&path, "/v1/search");
	cli_add_parameter(&path, "q", query);
	cli_add_parameter(&path, "limit", "100");
	cli_add_parameter(&path, "in", in);
	cli_add_parameter(&path, "mode", mode);
	cli_add_parameter(&path, "fusion", command_text(e->line, "fusion"));
	if (command_has(e->line, "literal"))
		cli_add_parameter(&path, "literal", "true");
	return cli_worker_ask(e->line, strbuf_str(&path), false, ret, err);
}

/* "query Q0 document rank score tag"; spaces of the query become underscores. */
static void add_run(struct eval *e, const char *query, const char *name, size_t rank, double score)
{
	for (const char *c = query; *c; c++)
		strbuf_addch(&e->run, *c == ' ' ? '_' : *c);
	strbuf_addf(&e->run, " Q0 %s %zu %.6f aethermart-%s\n", name, rank, score,
		    command_text(e->line, "mode"));
}

static int judge(struct eval *e, const struct search_judged_query *q, struct err *err)
{
	const char *names[SEARCH_JUDGED_DEPTH];
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const json_t *hits;
	size_t n;
	int r = ask(e, q->text, &answer, err);

	if (r < 0)
		return err_context(err, "asking for \"%s\"", q->text);
	hits = json_object_get(answer, "hits");
	n = json_array_size(hits) < SEARCH_JUDGED_DEPTH ? json_array_size(hits)
							: SEARCH_JUDGED_DEPTH;
	for (size_t i = 0; i < n; i++) {
		const json_t *h = json_array_get(hits, i);

		names[i] = cli_text_of(h, e->name);
		add_run(e, q->text, names[i], i + 1, cli_number_of(h, "score"));
	}
	search_quality_add(&e->quality, q, names, n);
	return 0;
}

static int write_run(const struct eval *e, struct err *err)
{
	const char *path = command_text(e->line, "run");
	int r = strbuf_check(&e->run, "the run", err);

	return r == 0 && path ? file_write_atomic(path, e->run.data, e->run.len, 0644, err) : r;
}

static int print_quality(const struct eval *e, struct err *err)
{
	const struct search_quality *q = &e->quality;

	if (e->line->json)
		return cli_print_json(
		    json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f}", "mode",
			      command_text(e->line, "mode"), "queries", (json_int_t)q->queries,
			      "ndcg_at_10", q->ndcg, "ndcg_at_10_judged", q->judged_ndcg, "mrr",
			      q->mrr, "recall_at_100", q->recall, "judged_at_10", q->judged),
		    err);
	printf("%s, %zu queries with a relevant document\n", command_text(e->line, "mode"),
	       q->queries);
	printf("  nDCG@10             %.4f  (what nobody judged counts as wrong)\n", q->ndcg);
	printf("  nDCG@10, judged     %.4f  (what nobody judged is left out)\n", q->judged_ndcg);
	printf("  MRR                 %.4f\n", q->mrr);
	printf("  recall@100          %.4f\n", q->recall);
	printf("  judged@10           %.4f\n", q->judged);
	return cli_flush(err);
}

static int run_eval(const struct command_line *line, struct err *err)
{
	struct eval e = {
	    .line = line, .name = command_text(line, "name"), .run = STRBUF_INIT(RUN_MAX)};
	_cleanup_(search_judgements_freep) struct search_judgements *j = NULL;
	const struct search_judged_query *queries;
	const char *path = command_text(line, "judgements");
	size_t n = 0;
	int r;

	if (command_has(line, "recommendations"))
		return cli_recommend_measure(line, (size_t)command_number(line, "customers"), err);
	r = path ? search_judgements_load(path, &j, err)
		 : err_set(err, ERR_INVALID_ARGUMENT, "--judgements FILE is missing");

	if (r == 0)
		n = search_judgements_queries(j, &queries);
	for (size_t i = 0; i < n && r == 0; i++)
		r = judge(&e, &queries[i], err);
	if (r == 0)
		r = write_run(&e, err);
	search_quality_end(&e.quality);
	if (r == 0)
		r = print_quality(&e, err);
	strbuf_done(&e.run);
	return r;
}

static const struct command_option eval_options[] = {
    {.name = "judgements",
     .type = COMMAND_TEXT,
     .argument = "FILE",
     .help = "CSV with a header line: query, document, rating from 0 (wrong) to 3 (exact)"},
    {.name = "mode",
     .type = COMMAND_TEXT,
     .argument = "MODE",
     .fallback = "hybrid",
     .help = "hybrid, lexical or vector"},
    {.name = "fusion",
     .type = COMMAND_TEXT,
     .argument = "HOW",
     .fallback = "sum",
     .help = "sum or rrf"},
    {.name = "in",
     .type = COMMAND_TEXT,
     .argument = "SCOPE",
     .fallback = "products",
     .help = "what is searched"},
    {.name = "name",
     .type = COMMAND_TEXT,
     .argument = "MEMBER",
     .fallback = "external_id",
     .help = "the member of a hit by which judgements name documents"},
    {.name = "recommendations",
     .type = COMMAND_FLAG,
     .help = "instead: how often something of a held-back order is recommended"},
    {.name = "customers",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .fallback = "500",
     .min = 1,
     .max = 100000,
     .help = "with --recommendations: how many customers at most"},
    {.name = "literal", .type = COMMAND_FLAG, .help = "without understanding the queries"},
    {.name = "run",
     .type = COMMAND_TEXT,
     .argument = "FILE",
     .help = "write the hits as a TREC run, for trec_eval"},
    {0},
};

const struct command command_eval = {
    .name = "eval",
    .summary = "how good the order of hits is, by people's judgements",
    .options = eval_options,
    .help = "Means over the queries that have a relevant document. nDCG has the gain "
	    "2^rating - 1 and the discount log2(rank + 1).\n\n  aethermart eval --judgements "
	    "judgements.csv --mode lexical\n  aethermart eval --recommendations",
    .run = run_eval,
};
