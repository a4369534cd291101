/*
 * `aethermart similar` and `suggest`: questions to the running worker that are no queries.
 */
#include "cli/cli_page.h"
#include "cli/cli_worker.h"

#include "http/http_client.h"
#include "search/search_find.h"
#include "search/search_suggest.h"

#include <inttypes.h>

#include "base/banned.h"

#define BEFORE_TEXT 19 /* number and kind */

static void add_text(const struct command_line *line, const char *option, struct strbuf *path)
{
	const char *value = command_text(line, option);

	if (value)
		cli_add_parameter(path, option, value);
}

/* --- similar --------------------------------------------------------------------------------- */

static int similar_path(const struct command_line *line, struct strbuf *path, struct err *err)
{
	const char *customer = command_text(line, "customer"), *in = command_text(line, "in");

	if (!customer == !line->argc)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       customer ? "either an ID or --customer, not both"
					: "the ID of a document is missing");
	if (customer && in)
		return err_set(err, ERR_INVALID_ARGUMENT, "--in does not go with --customer");
	strbuf_addstr(path, "/v1/similar/");
	http_client_add_escaped(path, customer ? customer : line->argv[0]);
	if (customer)
		cli_add_parameter(path, "in", "customers");
	add_text(line, "in", path);
	add_text(line, "limit", path);
	return 0;
}

static void print_alike(const struct command_line *line, const json_t *answer)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(0);
	const json_t *hits = json_object_get(answer, "hits");
	size_t variants = json_array_size(json_object_get(answer, "variants"));
	struct cli_page p = cli_page_open();

	(void)line;
	cli_page_add_cut(&name, cli_text_of(answer, "name"), p.width - 24);
	printf("like %s%s%s%s, %.2f ms\n", name.len ? "\"" : "this one", strbuf_str(&name),
	       name.len ? "\"" : "",
	       cstr_equal(cli_text_of(answer, "by"), "words")
		   ? " (by words: there is no vector yet)"
		   : "",
	       (double)cli_int_of(answer, "took_us") / 1000);
	for (size_t i = 0; i < json_array_size(hits); i++) {
		const json_t *h = json_array_get(hits, i);

		cli_page_hit(&p, h);
		cli_page_reason(&p, cli_text_of(h, "reason"));
	}
	if (variants)
		printf("%zu variant%s of the same left out\n", variants, variants == 1 ? "" : "s");
}

static int run_similar(const struct command_line *line, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0);
	int r = similar_path(line, &path, err);

	return r < 0 ? r : cli_worker_show(line, strbuf_str(&path), print_alike, err);
}

static const struct command_option similar_options[] = {
    {.name = "in",
     .type = COMMAND_TEXT,
     .argument = "SCOPE",
     .help = "products (default), services, reviews or customers"},
    {.name = "customer",
     .type = COMMAND_TEXT,
     .argument = "ID",
     .help = "customers who buy as this one does"},
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 1,
     .max = SEARCH_LIMIT_HITS,
     .help = "how many; 10 when not given"},
    {0},
};

const struct command command_similar = {
    .name = "similar",
    .summary = "more like this product, service, review or customer",
    .arguments = "[ID]",
    .min_args = 0,
    .max_args = 1,
    .options = similar_options,
    .help =
	"Asks the running worker. Variants of one thing, such as its other colours, are shown "
	"once. Each hit says why it is one.\n\n  aethermart similar 42\n  aethermart similar 42 "
	"--in services\n  aethermart similar --customer 15",
    .run = run_similar,
};

/* --- suggest --------------------------------------------------------------------------------- */

static void print_suggestions(const struct command_line *line, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "suggestions");
	struct cli_page p = cli_page_open();

	(void)line;
	for (size_t i = 0; i < json_array_size(list); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(0);
		const json_t *s = json_array_get(list, i);

		cli_page_add_cut(&text, cli_text_of(s, "text"), p.width - BEFORE_TEXT);
		printf("%7" PRId64 "  %-9s %s\n", cli_int_of(s, "documents"),
		       cli_text_of(s, "kind"), strbuf_str(&text));
	}
}

static int run_suggest(const struct command_line *line, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0), words = STRBUF_INIT(0);

	strbuf_addstr(&path, "/v1/suggest");
	cli_add_words(line, 0, &words);
	cli_add_parameter(&path, "q", strbuf_str(&words));
	add_text(line, "limit", &path);
	return cli_worker_show(line, strbuf_str(&path), print_suggestions, err);
}

static const struct command_option suggest_options[] = {
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 1,
     .max = SEARCH_SUGGESTIONS_MAX,
     .help = "how many; 8 when not given"},
    {0},
};

const struct command command_suggest = {
    .name = "suggest",
    .summary = "what somebody who types this may mean",
    .arguments = "TEXT...",
    .min_args = 1,
    .max_args = -1,
    .options = suggest_options,
    .help = "Asks the running worker. Completes the last word, corrects the others, and knows the "
	    "catalogue's categories, brands and titles. The number is how many documents a "
	    "suggestion leads to.\n\n  aethermart suggest quiet key\n  aethermart suggest lapt",
    .run = run_suggest,
};
