/*
 * `aethermart index`: the index that the running worker keeps, by words and by meaning. All of it
 * is asked for over the worker's socket; there is nothing that could be done without one.
 */
#include "cli/cli_index.h"
#include "cli/cli_worker.h"

#include "base/progress.h"
#include "base/table.h"
#include "http/http_client.h"
#include "search/search_engine.h"
#include "search/search_index.h"
#include "search/search_text.h"

#include <inttypes.h>
#include <poll.h>

#include "base/banned.h"

#define WAIT_MS	     500	       /* between looks at a rebuild */
#define TEXT_MAX     ((size_t)4 << 20) /* of a document */
#define SLOW_ROUND_S 5
#define MEGABYTE     ((double)(1 << 20))

/* The generation that answers, or will. */
static const json_t *answering(const json_t *status)
{
	const json_t *serving = json_object_get(status, "serving");

	return json_is_object(serving) ? serving : json_object_get(status, "building");
}

const char *cli_index_rules_path(const struct command_line *line, struct arena *arena)
{
	const char *path = config_text(line->config, "index.rules");

	return path ? path : endpoint_share_path(line->config, arena, "rules/search.yaml");
}

const char *cli_index_synonyms_path(const struct command_line *line, struct arena *arena)
{
	const char *path = config_text(line->config, "index.synonyms");

	return path ? path : endpoint_share_path(line->config, arena, "rules/synonyms.txt");
}

/* --- for status and doctor ------------------------------------------------------------------- */

struct sums {
	int64_t documents, vectors, waiting, aside, left_out;
	int64_t done, total; /* of scans */
	bool is_live;
};

static struct sums sum_up(const json_t *part)
{
	const json_t *list = json_object_get(part, "collections");
	struct sums s = {.is_live = json_array_size(list) > 0};

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i), *scan = json_object_get(c, "scan");

		s.documents += cli_int_of(c, "documents");
		s.vectors += cli_int_of(c, "vectors");
		s.waiting += cli_int_of(c, "waiting");
		s.aside += cli_int_of(c, "set_aside");
		s.left_out += cli_int_of(c, "left_out_pii");
		s.done += cli_int_of(scan ? scan : c, scan ? "done" : "documents");
		s.total += cli_int_of(scan ? scan : c, scan ? "total" : "documents");
		s.is_live &= !cstr_equal(cli_text_of(c, "state"), "indexing");
	}
	return s;
}

static void add_waiting(const json_t *part, const struct sums *s, struct strbuf *b)
{
	if (s->waiting)
		strbuf_addf(b, ", %" PRId64 " waiting", s->waiting);
	if (s->aside)
		strbuf_addf(b, ", %" PRId64 " set aside", s->aside);
	if (s->left_out)
		strbuf_addf(b, ", %" PRId64 " left out as personal", s->left_out);
	if (cli_text_of(part, "error")[0])
		strbuf_addf(b, "; waits: %s", cli_text_of(part, "error"));
}

static void add_words(const json_t *words, struct strbuf *b)
{
	struct sums s = sum_up(words);

	if (s.is_live)
		strbuf_addf(b, "live by words, %" PRId64 " documents", s.documents);
	else if (s.total)
		strbuf_addf(b, "by words %" PRId64 " of %" PRId64, s.done, s.total);
	else
		strbuf_addstr(b, "by words soon");
	add_waiting(words, &s, b);
}

static void add_meaning(const json_t *g, const char *what, struct strbuf *b)
{
	struct sums s = sum_up(g);

	strbuf_addf(b, "%s by meaning %" PRId64 " of %" PRId64 " (%s)%s", b->len ? ";" : "",
		    s.vectors, s.documents, cli_text_of(g, "model"), what);
	add_waiting(g, &s, b);
}

void cli_index_summary(const json_t *status, struct strbuf *b)
{
	const json_t *words = json_object_get(status, "words");
	const json_t *serving = json_object_get(status, "serving");
	const json_t *building = json_object_get(status, "building");
	bool is_replaced = json_is_object(serving) && json_is_object(building);

	if (json_is_object(words))
		add_words(words, b);
	if (json_is_object(serving))
		add_meaning(serving, sum_up(serving).is_live ? "" : ", indexing", b);
	if (json_is_object(building))
		add_meaning(building, is_replaced ? ", which will take over" : ", indexing", b);
	if (cli_text_of(status, "error")[0])
		strbuf_addf(b, "%s%s", b->len ? "; " : "", cli_text_of(status, "error"));
	if (!b->len)
		strbuf_addstr(b, cli_text_of(status, "state"));
}

bool cli_index_has_words(const json_t *status, uint64_t *ret_done, uint64_t *ret_total)
{
	struct sums s = sum_up(json_object_get(status, "words"));

	*ret_done = (uint64_t)s.done;
	*ret_total = (uint64_t)s.total;
	return s.is_live;
}

/* The part that has an error; NULL: none. */
static const json_t *failing(const json_t *status)
{
	const json_t *parts[] = {status, json_object_get(status, "words"), answering(status)};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (cli_text_of(parts[i], "error")[0])
			return parts[i];
	}
	return NULL;
}

const char *cli_index_problem(const json_t *status, const char **ret_hint)
{
	const json_t *at = failing(status);
	struct sums s = sum_up(answering(status));

	*ret_hint = at ? cli_text_of(at, "hint") : "";
	if (!(*ret_hint)[0])
		*ret_hint = "`aethermart index status` and the worker's log (`aethermart logs "
			    "serve`) tell more";
	if (cstr_equal(cli_text_of(status, "state"), "standby"))
		return NULL;
	if (at)
		return cli_text_of(at, "error");
	return s.aside ? "documents could not be indexed" : NULL;
}

/* --- status ---------------------------------------------------------------------------------- */

static const char *state_of(const json_t *c, struct arena *arena)
{
	const json_t *scan = json_object_get(c, "scan");
	const char *state = cli_text_of(c, "state");

	if (!scan)
		return state;
	return arena_printf(arena, "%s, %" PRId64 " of %" PRId64 ", %.0f/s", state,
			    cli_int_of(scan, "done"), cli_int_of(scan, "total"),
			    json_number_value(json_object_get(scan, "per_second")));
}

static const char *number_of(const json_t *c, const char *name, struct arena *arena)
{
	return arena_printf(arena, "%" PRId64, cli_int_of(c, name));
}

static const char *megabytes_of(const json_t *c, const char *name, struct arena *arena)
{
	return arena_printf(arena, "%.1f", (double)cli_int_of(c, name) / MEGABYTE);
}

static void print_error(const json_t *part)
{
	if (cli_text_of(part, "error")[0])
		printf("waits, trying again: %s\n", cli_text_of(part, "error"));
	if (cli_text_of(part, "hint")[0])
		printf("  -> %s\n", cli_text_of(part, "hint"));
}

static void print_words(const json_t *words)
{
	static const char *const titles[] = {"BY WORDS",  ">DOCUMENTS", ">WAITING",
					     ">LEFT OUT", ">TERMS",	">MB",
					     ">DISK MB",  "STATE",	NULL};
	const json_t *list = json_object_get(words, "collections");
	_cleanup_(arena_done) struct arena arena = {0};
	struct table *t;

	if (!json_is_object(words))
		return;
	t = table_new(titles);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		table_add(t, (const char *[]){
				 cli_text_of(c, "collection"),
				 number_of(c, "documents", &arena),
				 number_of(c, "waiting", &arena),
				 number_of(c, "refused", &arena),
				 number_of(c, "terms", &arena),
				 megabytes_of(c, "memory_bytes", &arena),
				 megabytes_of(c, "disk_bytes", &arena),
				 state_of(c, &arena),
			     });
	}
	table_print(t, stdout);
	(void)table_free(t);
	print_error(words);
	printf("\n");
}

static void print_collections(const json_t *list)
{
	static const char *const titles[] = {"BY MEANING", ">DOCUMENTS", ">VECTORS",
					     ">WAITING",   ">ASIDE",	 ">LEFT OUT",
					     ">MB",	   "STATE",	 NULL};
	_cleanup_(arena_done) struct arena arena = {0};
	struct table *t = table_new(titles);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		table_add(t, (const char *[]){
				 cli_text_of(c, "collection"),
				 number_of(c, "documents", &arena),
				 number_of(c, "vectors", &arena),
				 number_of(c, "waiting", &arena),
				 number_of(c, "set_aside", &arena),
				 arena_printf(&arena, "%" PRId64,
					      cli_int_of(c, "left_out_pii") +
						  cli_int_of(c, "left_out_empty")),
				 megabytes_of(c, "memory_bytes", &arena),
				 state_of(c, &arena),
			     });
	}
	table_print(t, stdout);
	(void)table_free(t);
}

static void print_reasons(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		const json_t *reasons = json_object_get(c, "reasons");

		if (json_object_get(c, "checkpoint_error"))
			printf("%s: its log grows and is not taken into its files: %s\n",
			       cli_text_of(c, "collection"), cli_text_of(c, "checkpoint_error"));
		for (size_t k = 0; k < json_array_size(reasons); k++) {
			_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
			const json_t *why = json_array_get(reasons, k);
			const char *reason = cli_text_of(why, "reason");

			strbuf_add_visible(&b, reason, strlen(reason));
			printf("%s: %" PRId64 " %s: %s\n", cli_text_of(c, "collection"),
			       cli_int_of(why, "documents"),
			       cstr_equal(cli_text_of(why, "kind"), "error") ? "set aside"
									     : "left out",
			       strbuf_str(&b));
		}
	}
}

static void print_generation(const json_t *g, const char *what)
{
	const json_t *list = json_object_get(g, "collections");

	if (!json_is_object(g))
		return;
	printf("%s: %s, %" PRId64 " dimensions, %s%s\n", what, cli_text_of(g, "model"),
	       cli_int_of(g, "dimension"),
	       json_is_true(json_object_get(g, "is_remote")) ? "texts go to " : "on this machine",
	       cli_text_of(g, "endpoint"));
	print_collections(list);
	print_reasons(list);
	if (json_number_value(json_object_get(g, "round_seconds")) > SLOW_ROUND_S)
		printf("one round of work takes %.0f seconds so far: its provider or MariaDB is "
		       "slow\n",
		       json_number_value(json_object_get(g, "round_seconds")));
	print_error(g);
}

static int run_status(const struct command_line *line, struct err *err)
{
	_cleanup_(json_decrefp) json_t *status = NULL;
	bool has_serving;
	int r = cli_worker_ask(line, "/v1/index/status", false, &status, err);

	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_incref(status), err);
	has_serving = json_is_object(json_object_get(status, "serving"));
	if (cli_text_of(status, "error")[0])
		printf("%s: %s\n", cli_text_of(status, "state"), cli_text_of(status, "error"));
	if (cli_text_of(status, "hint")[0])
		printf("  -> %s\n", cli_text_of(status, "hint"));
	if (!has_serving && !json_is_object(json_object_get(status, "building")) &&
	    !cli_text_of(status, "error")[0])
		printf("%s\n", cli_text_of(status, "state"));
	print_words(json_object_get(status, "words"));
	print_generation(json_object_get(status, "serving"), "answers");
	print_generation(json_object_get(status, "building"),
			 has_serving ? "\nis being built, and will take over" : "is being built");
	return cli_flush(err);
}

static const struct command index_status = {
    .name = "status",
    .summary = "words, models, documents, vectors, what waits, what is left out and why",
    .help =
	"By words and attributes a document is found at once, by meaning when its vector is\n"
	"made. WAITING are changed documents that are not in the index yet, ASIDE those that could "
	"not be indexed (they are tried again), LEFT OUT those that are personal and would "
	"leave the machine, or that the rules make no text of. MB is the memory of the "
	"vectors.\n\n  aethermart index status",
    .run = run_status,
};

/* --- rebuild --------------------------------------------------------------------------------- */

struct waiting {
	const char *collection; /* NULL: all */
	uint64_t done, total;
	bool is_done;
	const char *error; /* of the status in hand */
};

static void look_at(const json_t *part, struct waiting *w)
{
	const json_t *list = json_object_get(part, "collections");

	w->is_done &= json_array_size(list) > 0;
	if (cli_text_of(part, "error")[0])
		w->error = cli_text_of(part, "error");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i), *scan = json_object_get(c, "scan");

		if (w->collection && !cstr_equal(w->collection, cli_text_of(c, "collection")))
			continue;
		w->total += (uint64_t)cli_int_of(c, "documents");
		w->done += (uint64_t)cli_int_of(scan ? scan : c, scan ? "done" : "documents");
		w->is_done &= !scan;
	}
}

/* Words and vectors: what is said of the latter, which take longer, is shown. */
static void look(const json_t *status, struct waiting *w)
{
	w->is_done = true;
	w->error = "";
	look_at(json_object_get(status, "words"), w);
	w->done = w->total = 0;
	look_at(answering(status), w);
}

static int wait_for(const struct command_line *line, struct waiting *w, struct err *err)
{
	struct progress p = {0};
	char said[ERR_MESSAGE_MAX] = "";
	int r;

	do {
		_cleanup_(json_decrefp) json_t *status = NULL;

		(void)poll(NULL, 0, WAIT_MS);
		r = cli_worker_ask(line, "/v1/index/status", false, &status, err);
		if (r < 0)
			return err_context(err, "the rebuild was accepted; waiting for it");
		look(status, w);
		if (!p.label)
			progress_start(&p, "index", "documents", w->total);
		p.total = w->total;
		progress_update(&p, w->done);
		if (w->error[0] && !cstr_equal(said, w->error) && !line->quiet)
			fprintf(stderr, "index: waits, trying again: %s\n", w->error);
		(void)snprintf(said, sizeof(said), "%s", w->error);
	} while (!w->is_done);
	progress_finish(&p);
	return 0;
}

static int run_rebuild(const struct command_line *line, struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0);
	struct waiting w = {.collection = command_text(line, "collection")};
	int r;

	strbuf_addstr(&path, "/v1/index/rebuild");
	if (w.collection) {
		strbuf_addstr(&path, "?collection=");
		http_client_add_escaped(&path, w.collection);
	}
	r = cli_worker_ask(line, strbuf_str(&path), true, &answer, err);
	if (r == 0 && !command_has(line, "no-wait"))
		r = wait_for(line, &w, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(
		    json_pack("{s:b, s:I}", "done", w.is_done, "documents", (json_int_t)w.total),
		    err);
	if (w.is_done)
		printf("%" PRIu64 " documents are indexed anew\n", w.total);
	else
		printf("the worker indexes anew; `aethermart index status` shows how far it is\n");
	return cli_flush(err);
}

static const struct command_option rebuild_options[] = {
    CLI_OPTION_COLLECTION,
    {.name = "no-wait",
     .type = COMMAND_FLAG,
     .help = "return when the worker has accepted it; it goes on in the background"},
    {0},
};

static const struct command index_rebuild = {
    .name = "rebuild",
    .summary = "read every document again, with the rules as they are now",
    .options = rebuild_options,
    .help = "The running worker reads the rules, then every document, and writes each vector "
	    "anew. Texts that were embedded before come from the cache. Queries are answered all "
	    "the while. Ctrl-C ends the waiting, not the work.\n\n  aethermart index rebuild\n  "
	    "aethermart index rebuild --collection reviews",
    .run = run_rebuild,
};

/* --- forget ---------------------------------------------------------------------------------- */

static int run_forget(const struct command_line *line, struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	int r = cli_worker_ask(line, "/v1/index/forget", true, &answer, err);

	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(TAKE_PTR(answer), err);
	printf("the worker overwrites what is gone\n");
	return cli_flush(err);
}

static const struct command index_forget = {
    .name = "forget",
    .summary = "overwrite now what was deleted or changed",
    .help = "Nobody finds it any more, but until index.forget_after has passed its text and vector "
	    "may stand in files of the index. What is not yet ten seconds old stays until the "
	    "next time.",
    .run = run_forget,
};

/* --- query ----------------------------------------------------------------------------------- */

static void print_hits(const struct command_line *line, const json_t *answer)
{
	const json_t *hits = json_object_get(answer, "hits");
	static const char *const titles[] = {">SCORE", "KEY", "TITLE", NULL};
	_cleanup_(arena_done) struct arena arena = {0};
	struct table *t = table_new(titles);

	(void)line;
	for (size_t i = 0; i < json_array_size(hits); i++) {
		const json_t *h = json_array_get(hits, i);
		_cleanup_(strbuf_done) struct strbuf key = STRBUF_INIT(0), title = STRBUF_INIT(0);
		const json_t *k = json_object_get(h, "key"), *s = json_object_get(h, "title");

		strbuf_add_visible(&key, json_string_value(k), json_string_length(k));
		strbuf_add_visible(&title, json_string_value(s), json_string_length(s));
		table_add(t, (const char *[]){
				 arena_printf(&arena, "%.3f",
					      json_number_value(json_object_get(h, "score"))),
				 strbuf_str(&key),
				 strbuf_str(&title),
			     });
	}
	table_print(t, stdout);
	(void)table_free(t);
}

static int run_query(const struct command_line *line, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0);
	size_t text_bytes = 0;

	strbuf_addstr(&path, "/v1/index/query?collection=");
	http_client_add_escaped(&path, line->argv[0]);
	strbuf_addstr(&path, "&text=");
	for (int i = 1; i < line->argc; i++) {
		strbuf_addstr(&path, i > 1 ? "%20" : "");
		http_client_add_escaped(&path, line->argv[i]);
		text_bytes += strlen(line->argv[i]) + (i > 1);
	}
	strbuf_addf(&path, "&k=%" PRId64, command_number(line, "k"));
	if (text_bytes > SEARCH_QUERY_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT, "the text is longer than %d bytes",
			       SEARCH_QUERY_MAX);
	return cli_worker_show(line, strbuf_str(&path), print_hits, err);
}

static const struct command_option query_options[] = {
    {.name = "k",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .fallback = "10",
     .min = 1,
     .max = SEARCH_K_MAX,
     .help = "how many documents"},
    {0},
};

static const struct command index_query = {
    .name = "query",
    .summary = "the documents whose meaning is nearest to a text",
    .arguments = "COLLECTION TEXT...",
    .min_args = 2,
    .max_args = -1,
    .options = query_options,
    .help = "The score is the cosine of the two vectors: 1 is the same meaning.\n\n  aethermart "
	    "index query product_catalog quiet keyboard for the office\n  aethermart index query "
	    "reviews \"arrived broken\" --k 3",
    .run = run_query,
};

/* --- text ------------------------------------------------------------------------------------ */

struct text_case { /* what `text` needs; all of it is released by text_done() */
	struct maria *db;
	struct mapping_set set;
	struct search_rules *rules;
	struct mapping_batch batch;
	struct arena arena;
};

static void text_done(struct text_case *t)
{
	mapping_batch_done(&t->batch);
	search_rules_free(t->rules);
	mapping_set_done(&t->set);
	maria_close(t->db);
	arena_done(&t->arena);
}

static int open_text(const struct command_line *line, struct text_case *t,
		     const struct search_collection **ret, struct err *err)
{
	int r = cli_open_maria(line, ENDPOINT_SYNC, &t->db, err);

	if (r == 0)
		r = cli_load_mappings(line, t->db, &t->set, err);
	if (r == 0)
		r = search_rules_load(cli_index_rules_path(line, &t->arena), &t->rules, err);
	if (r == 0)
		r = search_rules_bind(t->rules, &t->set, err);
	if (r < 0)
		return r;
	*ret = search_rules_find(t->rules, line->argv[0]);
	if (!*ret || !(*ret)->mapping)
		return err_set(err, ERR_NOT_FOUND, "there are no rules for a collection \"%s\"",
			       line->argv[0]);
	return 0;
}

static int read_document(const struct command_line *line, struct text_case *t,
			 const struct mapping *m, const bson_t **ret, struct err *err)
{
	struct str key;
	int r = mapping_key_parse(m, line->argv[1], &t->arena, &key, err);

	if (r == 0)
		r = maria_snapshot_begin(t->db, err);
	if (r == 0)
		r = mapping_read(m, t->db, &key, 1, TEXT_MAX, &t->batch, err);
	if (r < 0)
		return r;
	switch (t->batch.items[0].state) {
	case MAPPING_PRESENT:
		*ret = t->batch.items[0].document;
		return 0;
	case MAPPING_REFUSED:
		*err = *t->batch.items[0].error;
		return -(int)err->code;
	case MAPPING_ABSENT:
		break;
	}
	return err_set(err, ERR_NOT_FOUND, "\"%s\" has no document \"%s\"", line->argv[0],
		       line->argv[1]);
}

static int print_text(const struct command_line *line, const struct search_collection *rules,
		      const bson_t *document, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(SEARCH_TEXT_MAX);
	_cleanup_(strbuf_done) struct strbuf title = STRBUF_INIT(SEARCH_TITLE_MAX);
	const struct search_composition *c = search_text_make(rules, document, &text, &title);

	if (line->json)
		return cli_print_json(json_pack("{s:s, s:s, s:s?}", "title", strbuf_str(&title),
						"text", strbuf_str(&text), "pii", c->pii),
				      err);
	printf("%s\n", strbuf_str(&text)); /* cleaned: it commands no terminal */
	if (c->pii)
		printf("\nmade from personal fields: %s\n", c->pii);
	return cli_flush(err);
}

static int run_text(const struct command_line *line, struct err *err)
{
	_cleanup_(text_done) struct text_case t = {0};
	const struct search_collection *rules = NULL;
	const bson_t *document = NULL;
	int r = open_text(line, &t, &rules, err);

	if (r == 0)
		r = read_document(line, &t, rules->mapping, &document, err);
	return r < 0 ? r : print_text(line, rules, document, err);
}

static const struct command index_text = {
    .name = "text",
    .summary = "the text that the rules make of a document now",
    .arguments = "COLLECTION KEY",
    .min_args = 2,
    .max_args = 2,
    .help = "Reads the rules and the document, and needs no worker: for trying changes of the "
	    "rules.\n\n  aethermart index text product_catalog 15",
    .run = run_text,
};

static const struct command *const children[] = {&index_status,	 &index_query,	&index_text,
						 &index_rebuild, &index_forget, NULL};

const struct command command_index = {
    .name = "index",
    .summary = "the index of the search: status, query, rebuild, forget",
    .help = "What text stands for a document is said by rules/search.yaml (index.rules), who "
	    "turns it into a vector by the section \"embed\" of the configuration.",
    .children = children,
};
