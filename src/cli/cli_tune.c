/*
 * `aethermart tune`: better weights for rules/search.yaml, from judgements. It works on a copy of
 * the index's files, so that the worker is not disturbed, and changes nothing: what it found is
 * printed as lines of rules.
 */
#include "cli/cli_index.h"

#include "base/file.h"
#include "embed/embed.h"
#include "search/search_index.h"
#include "search/search_learn.h"
#include "search/search_store.h"
#include "search/search_tune.h"
#include "search/search_words.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

#define FOLDS_MAX 20

struct tune {
	const struct command_line *line;
	struct arena arena;
	const char *from, *to; /* the index, and the copy of what is needed */
	struct search_rules *rules;
	struct search_collection collection; /* a copy */
	struct search_synonyms *synonyms;
	struct search_corpus *corpus;
	struct search_analyzer *analyzer;
	struct search_vocabulary *vocabulary;
	struct search_judgements *judgements;
	struct embedder *embedder;
	struct search_index *index;
	struct search_tuning tuning;
};

/* --- a copy ---------------------------------------------------------------------------------- */

static int copy_file(const char *from, const char *to, struct err *err)
{
	_cleanup_(closep) int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int out = -1;
	ssize_t n = 1;

	if (in < 0)
		return file_error("open", from, err);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return file_error("make", to, err);
	while (n > 0)
		n = copy_file_range(in, NULL, out, NULL, (size_t)1 << 30, 0);
	return n < 0 ? file_error("copy", from, err) : 0;
}

/* The files of a folder: none of these holds another. */
static int copy_folder(struct tune *t, const char *from, const char *to, struct err *err)
{
	DIR *d = opendir(from);
	const struct dirent *e;
	int r = d ? dir_make(to, 0700, err) : file_error("read", from, err);

	while (r == 0 && d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		r = copy_file(arena_printf(&t->arena, "%s/%s", from, e->d_name),
			      arena_printf(&t->arena, "%s/%s", to, e->d_name), err);
	}
	if (d)
		closedir(d);
	return r;
}

/* What one collection needs of a generation. */
static int copy_generation(struct tune *t, const char *from, const char *to, struct err *err)
{
	static const char *const states[] = {"state.db", "state.db-wal"};
	const char *name = t->collection.name;
	int r = dir_make(to, 0700, err);

	for (size_t i = 0; i < ARRAY_LEN(states) && r == 0; i++) {
		const char *path = arena_printf(&t->arena, "%s/%s", from, states[i]);

		if (i == 0 || access(path, F_OK) == 0)
			r = copy_file(path, arena_printf(&t->arena, "%s/%s", to, states[i]), err);
	}
	if (r < 0)
		return r;
	return copy_folder(t, arena_printf(&t->arena, "%s/%s", from, name),
			   arena_printf(&t->arena, "%s/%s", to, name), err);
}

/* --- opening --------------------------------------------------------------------------------- */

static int open_rules(struct tune *t, struct err *err)
{
	const char *name = command_text(t->line, "collection");
	const struct search_collection *found;
	int r = search_rules_load(cli_index_rules_path(t->line, &t->arena), &t->rules, err);

	if (r == 0)
		r = search_synonyms_load(cli_index_synonyms_path(t->line, &t->arena),
					 SEARCH_LANGUAGE, &t->synonyms, err);
	if (r < 0)
		return r;
	found = search_rules_find(t->rules, name);
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "the rules have no collection \"%s\"", name);
	t->collection = *found;
	t->collection.fields =
	    arena_alloc(&t->arena, (found->n_fields + 1) * sizeof(*t->collection.fields));
	memcpy(t->collection.fields, found->fields, found->n_fields * sizeof(*found->fields));
	return 0;
}

static int open_words(struct tune *t, struct err *err)
{
	const char *name = t->collection.name;
	struct search_corpus_view view;
	struct search_corpus_options options = {
	    .path = arena_printf(&t->arena, "%s/%s.records", t->to, name),
	    .rules = &t->collection,
	    .language = SEARCH_LANGUAGE,
	};
	int r = copy_file(arena_printf(&t->arena, "%s/words/%s.records", t->from, name),
			  options.path, err);

	if (r == 0)
		r = search_store_peek(options.path, &options.hash, err);
	if (r == 0)
		r = search_corpus_open(&options, &t->corpus, err);
	if (r == 0)
		r = search_analyzer_new(SEARCH_LANGUAGE, &t->analyzer, err);
	if (r < 0)
		return r;
	search_corpus_view(t->corpus, &view);
	t->vocabulary = search_learn(&view, SEARCH_LANGUAGE);
	return 0;
}

static int nearest(void *arg, const float *query, const struct roaring_bitmap_s *filter, size_t k,
		   struct vector_hit *ret, size_t *ret_n, struct err *err)
{
	struct tune *t = arg;
	struct search_nearest q = {
	    .collection = t->collection.name, .vector = query, .k = k, .filter = filter};

	return search_index_nearest(t->index, &q, ret, ret_n, err);
}

static int cosines(void *arg, const float *query, const uint32_t *numbers, size_t n, float *ret,
		   struct err *err)
{
	struct tune *t = arg;

	return search_index_cosines(t->index, t->collection.name, query, numbers, n, ret, err);
}

static int embed_queries(struct tune *t, struct err *err)
{
	struct search_tuning *g = &t->tuning;
	struct str *texts = arena_alloc(&t->arena, (g->n + 1) * sizeof(*texts));
	float *vectors = arena_alloc(&t->arena, (g->n + 1) * g->dimension * sizeof(*vectors));

	for (size_t i = 0; i < g->n; i++)
		texts[i] = str_from(g->queries[i].text);
	g->vectors = vectors;
	return embedder_embed(t->embedder, EMBED_QUERY, texts, g->n, vectors, err);
}

/* Meaning of whole queries: what is understood of them is not taken out. */
static int open_meanings(struct tune *t, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf serving = STRBUF_INIT(64);
	struct search_index_options options = {0};
	const struct embedder_info *info;
	const char *generation;
	struct err repaired = {0};
	size_t unused;
	int r = file_read(arena_printf(&t->arena, "%s/serving", t->from), &serving, err);

	if (r == 0)
		r = embedder_open(t->line->config, &t->embedder, err);
	if (r < 0)
		return r;
	generation =
	    arena_strndup(&t->arena, strbuf_str(&serving), strcspn(strbuf_str(&serving), "\n"));
	info = embedder_info(t->embedder);
	options.dir = arena_printf(&t->arena, "%s/%s", t->to, generation);
	options.model = info->model;
	options.dimension = t->tuning.dimension = info->dimension;
	r = copy_generation(t, arena_printf(&t->arena, "%s/%s", t->from, generation), options.dir,
			    err);
	if (r == 0)
		r = search_index_open(&options, &t->index, err);
	if (r == 0)
		r = search_index_collection(
		    t->index, t->collection.name,
		    &(struct search_numbering){search_corpus_space(t->corpus),
					       search_corpus_known(t->corpus)},
		    &unused, &repaired, err);
	if (r == 0 && repaired.code)
		r = err_set(err, ERR_CONFLICT,
			    "the worker was writing the vectors while they were copied (%s): try "
			    "again",
			    repaired.message);
	t->tuning.meanings =
	    (struct search_meanings){.nearest = nearest, .cosines = cosines, .arg = t};
	return r == 0 ? embed_queries(t, err) : r;
}

static void say_progress(void *arg, const char *weight, double from, double to, double score)
{
	const struct tune *t = arg;

	if (!t->line->quiet)
		fprintf(stderr, "  %-24s %8.3g -> %-8.3g score %.4f\n", weight, from, to, score);
}

static int open_tune(struct tune *t, struct err *err)
{
	const char *judgements = command_text(t->line, "judgements");
	int r = judgements ? search_judgements_load(judgements, &t->judgements, err)
			   : err_set(err, ERR_INVALID_ARGUMENT, "--judgements FILE is missing");

	t->from = arena_printf(&t->arena, "%s/index", endpoint_var_dir(t->line->config, &t->arena));
	t->to = arena_printf(&t->arena, "%s/tune.%ld", t->from, (long)getpid());
	if (r == 0)
		r = open_rules(t, err);
	if (r == 0)
		r = dir_make(t->to, 0700, err);
	if (r == 0)
		r = open_words(t, err);
	if (r < 0)
		return r;
	t->tuning.rules = &t->collection;
	t->tuning.corpus = t->corpus;
	t->tuning.analyzer = t->analyzer;
	t->tuning.synonyms = t->synonyms;
	t->tuning.vocabulary = t->vocabulary;
	t->tuning.name = command_text(t->line, "name");
	t->tuning.n = search_judgements_queries(t->judgements, &t->tuning.queries);
	t->tuning.progress = say_progress;
	t->tuning.arg = t;
	return command_has(t->line, "words-only") ? 0 : open_meanings(t, err);
}

static void close_tune(struct tune *t)
{
	search_index_free(t->index);
	embedder_free(t->embedder);
	search_vocabulary_free(t->vocabulary);
	search_analyzer_free(t->analyzer);
	search_corpus_free(t->corpus);
	search_synonyms_free(t->synonyms);
	search_rules_free(t->rules);
	search_judgements_free(t->judgements);
	if (t->to)
		(void)(dir_remove(t->to, NULL) < 0);
	arena_done(&t->arena);
}

/* --- results --------------------------------------------------------------------------------- */

static json_t *quality(const struct search_quality *q)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "ndcg_at_10", q->ndcg, "ndcg_at_10_judged",
			 q->judged_ndcg, "mrr", q->mrr, "recall_at_100", q->recall, "judged_at_10",
			 q->judged);
}

static void print_quality(const char *what, const struct search_tuned *q, bool has_meaning)
{
	printf("%-22s words   nDCG@10 %.4f, judged %.4f\n", what, q->words.ndcg,
	       q->words.judged_ndcg);
	if (has_meaning)
		printf("%-22s hybrid  nDCG@10 %.4f, judged %.4f\n", "", q->hybrid.ndcg,
		       q->hybrid.judged_ndcg);
}

static int print_results(struct tune *t, const struct search_tuned *before,
			 const struct search_tuned *after, const struct search_tuned *held_back,
			 struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf yaml = STRBUF_INIT(0);
	bool has_meaning = t->tuning.vectors != NULL;

	search_tune_write(&t->collection, &yaml);
	if (t->line->json)
		return cli_print_json(
		    json_pack("{s:{s:o,s:o}, s:{s:o,s:o}, s:{s:o,s:o}, s:s}", "before", "words",
			      quality(&before->words), "hybrid", quality(&before->hybrid), "after",
			      "words", quality(&after->words), "hybrid", quality(&after->hybrid),
			      "held_back", "words", quality(&held_back->words), "hybrid",
			      quality(&held_back->hybrid), "rules", strbuf_str(&yaml)),
		    err);
	print_quality("before", before, has_meaning);
	print_quality("tuned", after, has_meaning);
	if (held_back->words.queries)
		print_quality("tuned, held back", held_back, has_meaning);
	printf("\nfor the rules of \"%s\":\n\n%s", t->collection.name, strbuf_str(&yaml));
	return cli_flush(err);
}

static int restore(struct tune *t, const struct search_collection *rules,
		   const struct search_field *fields, struct err *err)
{
	t->collection.ranking = rules->ranking;
	memcpy(t->collection.fields, fields, rules->n_fields * sizeof(*fields));
	return search_corpus_reweigh(t->corpus, err);
}

static void add_quality(struct search_quality *sum, const struct search_quality *q)
{
	double n = (double)q->queries;

	sum->queries += q->queries;
	sum->ndcg += q->ndcg * n;
	sum->judged_ndcg += q->judged_ndcg * n;
	sum->mrr += q->mrr * n;
	sum->recall += q->recall * n;
	sum->judged += q->judged * n;
}

/* Each fold is measured with weights that were found without it. */
static int cross_check(struct tune *t, unsigned rounds, struct search_tuned *ret, struct err *err)
{
	struct search_collection rules = t->collection;
	struct search_field fields[SEARCH_FIELDS_MAX];
	size_t folds = (size_t)command_number(t->line, "folds");
	int r = 0;

	memcpy(fields, rules.fields, rules.n_fields * sizeof(*fields));
	for (size_t i = 0; i < folds && r == 0; i++) {
		struct search_tuned q;

		t->tuning.folds = folds;
		t->tuning.fold = i;
		r = search_tune(&t->tuning, rounds, err);
		if (r == 0)
			r = search_tune_check(&t->tuning, &q, err);
		if (r == 0) {
			add_quality(&ret->words, &q.words);
			add_quality(&ret->hybrid, &q.hybrid);
		}
		if (r == 0)
			r = restore(t, &rules, fields, err);
	}
	t->tuning.folds = 0;
	search_quality_end(&ret->words);
	search_quality_end(&ret->hybrid);
	return r;
}

static int tune(struct tune *t, struct err *err)
{
	unsigned rounds = (unsigned)command_number(t->line, "rounds");
	struct search_tuned before = {0}, after = {0}, held_back = {0};
	int r = search_tune_measure(&t->tuning, &before, err);

	if (r == 0)
		r = cross_check(t, rounds, &held_back, err);
	if (r == 0)
		r = search_tune(&t->tuning, rounds, err);
	if (r == 0)
		r = search_tune_measure(&t->tuning, &after, err);
	return r == 0 ? print_results(t, &before, &after, &held_back, err) : r;
}

static int run_tune(const struct command_line *line, struct err *err)
{
	struct tune t = {.line = line};
	int r = open_tune(&t, err);

	if (r == 0)
		r = tune(&t, err);
	close_tune(&t);
	return r;
}

static const struct command_option tune_options[] = {
    {.name = "judgements",
     .type = COMMAND_TEXT,
     .argument = "FILE",
     .help = "CSV with a header line: query, document, rating from 0 (wrong) to 3 (exact)"},
    {.name = "collection",
     .type = COMMAND_TEXT,
     .argument = "NAME",
     .fallback = "product_catalog",
     .help = "whose weights"},
    {.name = "name",
     .type = COMMAND_TEXT,
     .argument = "MEMBER",
     .fallback = "external_id",
     .help = "the member of a hit by which judgements name documents"},
    {.name = "rounds",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .fallback = "3",
     .min = 0,
     .max = 100,
     .help = "times through all weights; 0 only measures"},
    {.name = "folds",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .fallback = "0",
     .min = 0,
     .max = FOLDS_MAX,
     .help = "also tune N times without an Nth of the queries, and measure on these: what to "
	     "expect of queries that nobody tuned for"},
    {.name = "words-only", .type = COMMAND_FLAG, .help = "leave meaning out"},
    {0},
};

const struct command command_tune = {
    .name = "tune",
    .summary = "better weights for the search, from people's judgements",
    .options = tune_options,
    .help = "Works on a copy of the index and changes nothing: the weights that it finds are "
	    "printed as lines for rules/search.yaml.\n\n  aethermart tune --judgements "
	    "judgements.csv\n  aethermart tune --judgements judgements.csv --folds 5",
    .run = run_tune,
};
