/*
 * `aethermart search`: asks the running worker, and shows what it understood, what it found, and,
 * when asked, why. `similar` and `suggest` are in cli_similar.c, `recommend` in cli_recommend.c.
 */
#include "cli/cli_page.h"
#include "cli/cli_worker.h"

#include "search/search_find.h"

#include <inttypes.h>

#include "base/banned.h"

#define FACETS_SHOWN 6

/* --- the question ---------------------------------------------------------------------------- */

static void add_list(const struct command_line *line, const char *option, const char *parameter,
		     struct strbuf *path)
{
	const char *values[COMMAND_FLAGS_MAX + 1];
	size_t n = command_list(line, option, values);

	for (size_t i = 0; i < n; i++)
		cli_add_parameter(path, parameter, values[i]);
}

static void add_text(const struct command_line *line, const char *option, struct strbuf *path)
{
	const char *value = command_text(line, option);

	if (value)
		cli_add_parameter(path, option, value);
}

static void make_path(const struct command_line *line, struct strbuf *path)
{
	_cleanup_(strbuf_done) struct strbuf words = STRBUF_INIT(0);

	strbuf_addstr(path, "/v1/search");
	cli_add_words(line, 0, &words);
	cli_add_parameter(path, "q", strbuf_str(&words));
	add_text(line, "in", path);
	add_text(line, "mode", path);
	add_text(line, "fusion", path);
	add_text(line, "sort", path);
	add_text(line, "limit", path);
	add_text(line, "offset", path);
	add_list(line, "filter", "filter", path);
	add_list(line, "facet", "facets", path);
	add_list(line, "without", "without", path);
	if (command_has(line, "explain"))
		cli_add_parameter(path, "explain", "true");
	if (command_has(line, "literal"))
		cli_add_parameter(path, "literal", "true");
	if (command_has(line, "collapse"))
		cli_add_parameter(path, "collapse", "true");
}

/* --- for people ------------------------------------------------------------------------------ */

static void print_constraints(const json_t *parsed, const struct cli_page *p)
{
	const json_t *list = json_object_get(parsed, "filters");
	const json_t *similar = json_object_get(parsed, "similar");
	const json_t *phrases = json_object_get(parsed, "phrases");
	const char *order = cli_text_of(parsed, "sort_reading");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		bool is_boost = cstr_equal(cli_text_of(c, "ask"), "boost");
		bool is_given = json_is_true(json_object_get(c, "given"));

		if (is_given)
			continue;
		printf("  %s%s%s%s  (\"%s\"; --without %" PRId64 " takes it as words)\n",
		       p->has_colors ? "\033[36m" : "",
		       is_boost					     ? "first: "
		       : json_is_true(json_object_get(c, "relaxed")) ? "given up: "
								     : "",
		       cli_text_of(c, "reading"), p->has_colors ? "\033[0m" : "",
		       cli_text_of(c, "words"), cli_int_of(c, "number"));
	}
	if (similar)
		printf("  %s this one  (\"%s\"; --without 0 takes it as words)\n",
		       cli_text_of(similar, "reading"), cli_text_of(similar, "words"));
	if (order[0])
		printf("  %s  (\"%s\"; --without %" PRId64 " takes it as words)\n", order,
		       cli_text_of(parsed, "sort_words"), cli_int_of(parsed, "sort_number"));
	for (size_t i = 0; i < json_array_size(phrases); i++) {
		const json_t *x = json_array_get(phrases, i);
		const char *not = cli_text_of(x, "not");

		if (not [0])
			printf("  not \"%s\"  (--without %" PRId64 " takes it as words)\n", not,
			       cli_int_of(x, "number"));
	}
}

static void print_notes(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "notes");

	for (size_t i = 0; i < json_array_size(list); i++)
		printf("  note: %s\n", json_string_value(json_array_get(list, i)));
}

static void print_signals(const json_t *h)
{
	const json_t *s = json_object_get(h, "signals");

	if (s)
		printf("       words %.3f, share %.3f, title %.3f, meaning %.3f, boosts %.0f\n",
		       cli_number_of(s, "words"), cli_number_of(s, "share"),
		       cli_number_of(s, "title"), cli_number_of(s, "meaning"),
		       cli_number_of(s, "boost"));
}

static void print_hit(const json_t *h, const struct cli_page *p)
{
	size_t variants = json_array_size(json_object_get(h, "variants"));

	cli_page_hit(p, h);
	if (variants)
		printf("       and %zu variant%s of it\n", variants, variants == 1 ? "" : "s");
	print_signals(h);
}

static void print_explanation(const json_t *answer)
{
	const json_t *e = json_object_get(answer, "explain"), *t = json_object_get(e, "stages_us");
	const json_t *terms = json_object_get(e, "terms");

	if (!e)
		return;
	printf("%s", json_array_size(terms) ? "\nlooked for:\n" : "\n");
	for (size_t i = 0; i < json_array_size(terms); i++) {
		const json_t *term = json_array_get(terms, i);

		printf("  %-16s %6" PRId64 " documents  %s\n", cli_text_of(term, "word"),
		       cli_int_of(term, "documents"), cli_text_of(term, "variants"));
	}
	printf("plan: ");
	if (json_object_get(e, "allowed")) /* of people it is not told */
		printf("%" PRId64 " documents fulfil the conditions; ", cli_int_of(e, "allowed"));
	printf("%" PRId64 " of %" PRId64 " windows scored; %" PRId64 " hits by meaning alone\n",
	       cli_int_of(e, "scored"), cli_int_of(e, "windows"), cli_int_of(e, "by_meaning"));
	printf("microseconds: understand %" PRId64 ", embed %" PRId64 ", filter %" PRId64
	       ", nearest %" PRId64 ", words %" PRId64 ", finish %" PRId64 "\n",
	       cli_int_of(t, "parse"), cli_int_of(t, "embed"), cli_int_of(t, "filter"),
	       cli_int_of(t, "nearest"), cli_int_of(t, "walk"), cli_int_of(t, "finish"));
}

static void print_facet(const json_t *f)
{
	const json_t *values = json_object_get(f, "values");
	size_t n = json_array_size(values) < FACETS_SHOWN ? json_array_size(values) : FACETS_SHOWN;

	if (!n)
		return;
	printf("  %-10s", cli_text_of(f, "title"));
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(values, i);
		const json_t *below = json_object_get(v, "below"),
			     *from = json_object_get(v, "from");

		if (json_object_get(v, "value"))
			printf("%s %s", i ? "," : "", cli_text_of(v, "value"));
		else if (json_is_number(below) && json_is_number(from))
			printf("%s %g-%g", i ? "," : "", json_number_value(from),
			       json_number_value(below));
		else if (json_is_number(below))
			printf("%s below %g", i ? "," : "", json_number_value(below));
		else
			printf("%s from %g", i ? "," : "", json_number_value(from));
		printf(" (%" PRId64 ")", cli_int_of(v, "documents"));
	}
	printf("\n");
}

static void print_answer(const struct command_line *line, const json_t *answer)
{
	const json_t *hits = json_object_get(answer, "hits");
	const json_t *facets = json_object_get(answer, "facets");
	int64_t total = cli_int_of(answer, "total");
	struct cli_page p = cli_page_open();

	printf("%" PRId64 " hit%s, %.2f ms\n", total, total == 1 ? "" : "s",
	       (double)cli_int_of(answer, "took_us") / 1000);
	print_constraints(json_object_get(answer, "parsed"), &p);
	print_notes(answer);
	for (size_t i = 0; i < json_array_size(hits); i++)
		print_hit(json_array_get(hits, i), &p);
	if (command_has(line, "facets")) {
		printf("\n");
		for (size_t i = 0; i < json_array_size(facets); i++)
			print_facet(json_array_get(facets, i));
	}
	print_explanation(answer);
}

static int run_search(const struct command_line *line, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0);

	make_path(line, &path);
	return cli_worker_show(line, strbuf_str(&path), print_answer, err);
}

static const struct command_option search_options_list[] = {
    {.name = "in",
     .type = COMMAND_TEXT,
     .argument = "SCOPE",
     .help = "products (default), services, reviews or customers"},
    {.name = "filter",
     .type = COMMAND_LIST,
     .argument = "CONDITION",
     .help = "only hits that fulfil it: 'price<100', 'brand=HP|Dell', 'color!=black', "
	     "'price=200..300'; may be given several times"},
    {.name = "sort",
     .type = COMMAND_TEXT,
     .argument = "NAME",
     .help = "by an attribute: price, or -price for the highest first"},
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 0,
     .max = SEARCH_LIMIT_HITS,
     .help = "how many hits; 10 when not given"},
    {.name = "offset",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 0,
     .max = SEARCH_OFFSET_MAX,
     .help = "hits to leave out, for the next pages"},
    {.name = "mode",
     .type = COMMAND_TEXT,
     .argument = "MODE",
     .help = "hybrid (default), lexical (words only) or vector (meaning only)"},
    {.name = "fusion",
     .type = COMMAND_TEXT,
     .argument = "HOW",
     .help = "sum (default: of weighed scores) or rrf (reciprocal ranks)"},
    {.name = "without",
     .type = COMMAND_LIST,
     .argument = "NUMBER",
     .help = "do not understand this part of the query, take it as words"},
    {.name = "literal",
     .type = COMMAND_FLAG,
     .help = "understand nothing: all of the query is words"},
    {.name = "collapse",
     .type = COMMAND_FLAG,
     .help = "show variants of one thing once: the same title but for numbers and colours"},
    {.name = "facets", .type = COMMAND_FLAG, .help = "show what the hits are like, counted"},
    {.name = "facet",
     .type = COMMAND_LIST,
     .argument = "NAME",
     .help = "count these attributes instead of those of the rules"},
    {.name = "explain",
     .type = COMMAND_FLAG,
     .help = "show the signals of each hit, what was looked for, the plan and the times"},
    {0},
};

const struct command command_search = {
    .name = "search",
    .summary = "finds products, services, reviews and customers, by words and by meaning",
    .arguments = "QUERY...",
    .min_args = 0,
    .max_args = -1,
    .options = search_options_list,
    .help = "Asks the running worker. Conditions in the query are understood: prices, brands, "
	    "categories, sizes, what is in stock, the order. \"words in quotes\" stand together, "
	    "-word leaves out. docs/search.md tells more.\n\n  aethermart search quiet mechanical "
	    "keyboard under '$100'\n  aethermart search --in reviews complaints about battery "
	    "life\n  aethermart search laptop --filter 'memory>=16' --sort price --facets",
    .run = run_search,
};
