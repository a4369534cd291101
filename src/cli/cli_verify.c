/*
 * `aethermart verify`: proves that the stores agree, and says where they do not.
 *
 * MongoDB is always compared, and the index when a worker runs that keeps one: it is the worker who
 * has it. That it was not compared is said, and is no difference.
 */
#include "cli/cli_index.h"
#include "cli/cli_stack.h"
#include "cli/cli_worker.h"

#include "base/progress.h"
#include "base/table.h"

#include <inttypes.h>

#include "base/banned.h"

static const char *const kinds[] = {
    [SYNC_MISSING] = "missing", [SYNC_EXTRA] = "extra", [SYNC_DIFFERENT] = "different"};

static json_t *differences_json(const struct sync_verify_result *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_differences; i++) {
		const struct sync_difference *d = &r->differences[i];

		json_array_append_new(list, json_pack("{s:o,s:s,s:o}", "key", cli_json_text(d->key),
						      "kind", kinds[d->kind], "paths",
						      cli_json_text(str_from(d->paths))));
	}
	return list;
}

static json_t *result_json(const struct sync_verify_result *r)
{
	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "collection",
			 r->collection, "rows", (json_int_t)r->rows, "documents",
			 (json_int_t)r->documents, "missing", (json_int_t)r->missing, "extra",
			 (json_int_t)r->extra, "different", (json_int_t)r->different, "pending",
			 (json_int_t)r->pending, "refused", (json_int_t)r->refused, "foreign",
			 (json_int_t)r->foreign, "late", (json_int_t)r->late, "repaired",
			 (json_int_t)r->repaired, "differences", differences_json(r));
}

static void add_row(struct table *t, const struct sync_verify_result *r)
{
	table_add_numbers(t, r->collection,
			  (const uint64_t[]){r->rows, r->documents, r->missing, r->extra,
					     r->different, r->pending, r->refused, r->foreign});
}

static void print_differences(const struct sync_verify_result *r, const char *store)
{
	for (size_t i = 0; i < r->n_differences; i++) {
		const struct sync_difference *d = &r->differences[i];
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(0);

		strbuf_add_visible(&text, d->key.data, d->key.len);
		strbuf_addstr(&text, d->paths ? ": " : "");
		strbuf_add_visible(&text, d->paths, d->paths ? strlen(d->paths) : 0);
		printf("%s %s%s %s\n", kinds[d->kind], store, r->collection, strbuf_str(&text));
	}
	if (r->missing + r->extra + r->different > r->n_differences)
		printf("and %" PRIu64 " more %s%s\n",
		       r->missing + r->extra + r->different - r->n_differences, store,
		       r->collection);
	if (r->repaired)
		printf("%s%s: %" PRIu64 " repaired\n", store, r->collection, r->repaired);
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;

	p->total = total;
	progress_update(p, done);
}

/* One collection after the other. */
struct verdict {
	const struct command_line *line;
	struct arena arena;
	struct maria *db;
	struct mongo *mongo;
	struct mapping_set mappings;
	struct sync_verify_options options;
	bool is_silent;			    /* no progress */
	struct sync_verify_result *results; /* as many as there are mappings */
	size_t len;
	struct cli_indexed index;
	struct sync_verify_result *indexed; /* the same for the index */
	size_t n_indexed;
};

static void verdict_done(struct verdict *v)
{
	for (size_t i = 0; i < v->len; i++)
		sync_verify_result_done(&v->results[i]);
	for (size_t i = 0; i < v->n_indexed; i++)
		sync_verify_result_done(&v->indexed[i]);
	mem_free(v->results);
	mem_free(v->indexed);
	cli_indexed_done(&v->index);
	mapping_set_done(&v->mappings);
	v->db = maria_close(v->db);
	v->mongo = mongo_close(v->mongo);
	arena_done(&v->arena);
}

static int verdict_open(const struct command_line *line, struct verdict *v, struct err *err)
{
	int r = cli_open_maria(line, ENDPOINT_SYNC, &v->db, err);

	if (r == 0)
		r = cli_open_mongo(line, ENDPOINT_SYNC, &v->mongo, err);
	if (r == 0)
		r = cli_load_mappings(line, v->db, &v->mappings, err);
	if (r < 0)
		return r;
	v->line = line;
	v->results = mem_alloc_array(v->mappings.len + 1, sizeof(*v->results));
	v->indexed = mem_alloc_array(v->mappings.len + 1, sizeof(*v->indexed));
	return 0;
}

typedef int (*verify_fn)(struct verdict *v, const struct mapping *m,
			 const struct sync_verify_options *options, struct err *err);

static int verify_documents(struct verdict *v, const struct mapping *m,
			    const struct sync_verify_options *options, struct err *err)
{
	int r = sync_verify(v->db, v->mongo, m, options, &v->results[v->len], err);

	v->len += r == 0;
	return r;
}

static int verify_one(struct verdict *v, const struct mapping *m, verify_fn fn, struct err *err)
{
	struct progress progress;
	struct sync_verify_options options = v->options;
	int r;

	if (!v->is_silent) {
		options.on_progress = on_progress;
		options.on_progress_arg = &progress;
		progress_start(&progress, mapping_collection(m), "rows and documents", 0);
	}
	r = fn(v, m, &options, err);
	if (!v->is_silent)
		progress_finish(&progress);
	return r;
}

/* --- the index ------------------------------------------------------------------------------- */

static int ask_index(void *arg, const char *collection, const struct str *keys, size_t n,
		     uint32_t from, json_t **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(0);
	struct cli_indexed *x = arg;

	strbuf_addstr(&path, "/v1/index/inventory");
	cli_add_parameter(&path, "collection", collection);
	strbuf_addf(&path, "&from=%" PRIu32, from);
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(&path, "&key=");
		search_verify_add_key(&path, keys[i]);
	}
	return cli_worker_ask(x->line, strbuf_str(&path), false, ret, err);
}

int cli_indexed_verify(struct cli_indexed *x, struct maria *db, const struct mapping *m,
		       const struct sync_verify_options *options, struct sync_verify_result *ret,
		       struct err *err)
{
	struct search_verify_options o = {.verify = *options, .ask = ask_index, .arg = x};

	if (!search_rules_find(x->rules, mapping_collection(m)))
		return err_set(err, ERR_NOT_FOUND, "the rules of the index have no \"%s\"",
			       mapping_collection(m));
	return search_verify(db, x->rules, m, &o, ret, err);
}

int cli_indexed_open(const struct command_line *line, const struct mapping_set *mappings,
		     struct cli_indexed *ret, struct err *err)
{
	_cleanup_(json_decrefp) json_t *status = NULL;
	struct err why = {0};
	int r = 0;

	ret->line = line;
	if (!config_bool(line->config, "index.enabled"))
		ret->without = "index.enabled is false";
	else if (cli_worker_ask(line, "/v1/index/status", false, &status, &why) < 0)
		ret->without = arena_strdup(&ret->arena, why.message);
	else if (cstr_equal(cli_text_of(status, "state"), "standby"))
		ret->without = arena_strdup(&ret->arena, cli_text_of(status, "error"));
	if (ret->without)
		return 0;
	r = search_rules_load(cli_index_rules_path(line, &ret->arena), &ret->rules, err);
	return r == 0 ? search_rules_bind(ret->rules, mappings, err) : r;
}

void cli_indexed_done(struct cli_indexed *x)
{
	x->rules = search_rules_free(x->rules);
	arena_done(&x->arena);
}

static int verify_index(struct verdict *v, const struct mapping *m,
			const struct sync_verify_options *options, struct err *err)
{
	struct sync_verify_result *ret = &v->indexed[v->n_indexed];
	int r = cli_indexed_verify(&v->index, v->db, m, options, ret, err);

	if (r == -ERR_NOT_FOUND) { /* index.collections leaves it out */
		sync_verify_result_done(ret);
		err_clear(err);
		return 0;
	}
	v->n_indexed += r == 0;
	return r;
}

static int verify_indexes(struct verdict *v, const struct mapping *only, struct err *err)
{
	const struct search_collection *list;
	size_t n = 0;
	int r = cli_indexed_open(v->line, &v->mappings, &v->index, err);

	if (r < 0 || v->index.without)
		return r;
	n = search_rules_collections(v->index.rules, &list);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (list[i].mapping && (!only || list[i].mapping == only))
			r = verify_one(v, list[i].mapping, verify_index, err);
	}
	return r;
}

/* --- all of it ------------------------------------------------------------------------------- */

/* `only` NULL: all. */
static int verify_all(struct verdict *v, const struct mapping *only, struct err *err)
{
	int r = 0;

	if (only && !mapping_has_target(only))
		r = err_set(err, ERR_NOT_FOUND, "\"%s\" has no documents to verify",
			    mapping_collection(only));
	for (size_t i = 0; i < v->mappings.len && r == 0; i++) {
		const struct mapping *m = v->mappings.items[i];

		if (mapping_has_target(m) && (!only || m == only))
			r = verify_one(v, m, verify_documents, err);
	}
	return r;
}

struct sums {
	uint64_t n_pending;
	bool is_equal, has_difference;
};

static void add_up(const struct sync_verify_result *results, size_t n, struct sums *s)
{
	for (size_t i = 0; i < n; i++) {
		const struct sync_verify_result *r = &results[i];

		s->is_equal = s->is_equal && sync_verify_is_equal(r);
		s->has_difference |= r->missing || r->extra || r->different || r->refused;
		s->n_pending += r->pending;
	}
}

/*
 * The error that a verdict is, 0 when all is equal. Where only changes in flight are in the way,
 * nothing was found to differ: `ret_pending` (may be NULL) then says how many.
 */
static int judge(const struct verdict *v, uint64_t *ret_pending, struct err *err)
{
	struct sums documents = {.is_equal = true}, all;
	uint64_t n;

	add_up(v->results, v->len, &documents);
	all = documents;
	add_up(v->indexed, v->n_indexed, &all);
	n = all.n_pending;
	if (all.is_equal)
		return 0;
	if (!all.has_difference) {
		if (ret_pending)
			*ret_pending = n;
		(void)err_set(
		    err, ERR_TIMEOUT,
		    "%" PRIu64 " document%s changed while %s compared, so %s could not be "
		    "judged; all others are equal",
		    n, n == 1 ? "" : "s", n == 1 ? "it was" : "they were", n == 1 ? "it" : "they");
		return err_hint(err, "see whether the worker keeps up (aethermart status), and run "
				     "it again, with a longer --wait when changes never stop");
	}
	(void)err_set(err, ERR_DIFFERENT, "MariaDB and %s do not agree",
		      documents.has_difference ? "MongoDB" : "the index");
	return err_hint(err,
			"differences: aethermart verify --repair; pending: is the worker running "
			"(aethermart status)? refused: aethermart sync dead-letter list");
}

int cli_verify(const struct command_line *line, uint64_t *ret_pending, struct err *err)
{
	_cleanup_(verdict_done) struct verdict v = {.is_silent = true};
	int r = verdict_open(line, &v, err);

	if (r == 0)
		r = verify_all(&v, NULL, err);
	return r < 0 ? r : judge(&v, ret_pending, err);
}

static json_t *results_json(const struct sync_verify_result *results, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, result_json(&results[i]));
	return list;
}

static int print_json(const struct verdict *v, bool is_equal, struct err *err)
{
	json_t *index =
	    json_pack("{s:b,s:s?,s:o}", "compared", !v->index.without, "reason", v->index.without,
		      "collections", results_json(v->indexed, v->n_indexed));

	return cli_print_json(json_pack("{s:o,s:o,s:b}", "collections",
					results_json(v->results, v->len), "index", index, "equal",
					is_equal),
			      err);
}

/* Titles are as short as 80 columns want them beside names as long as the shop's. */
static void print_index(const struct verdict *v)
{
	static const char *const titles[] = {"in the index", ">rows",	">documents", ">missing",
					     ">extra",	     ">differ", ">pending",   ">refused",
					     ">no vector",   NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);

	if (v->index.without) {
		printf("the index was not compared: %s\n", v->index.without);
		return;
	}
	printf("\n");
	for (size_t i = 0; i < v->n_indexed; i++) {
		const struct sync_verify_result *r = &v->indexed[i];

		table_add_numbers(table, r->collection,
				  (const uint64_t[]){r->rows, r->documents, r->missing, r->extra,
						     r->different, r->pending, r->refused,
						     r->late});
	}
	table_print(table, stdout);
	for (size_t i = 0; i < v->n_indexed; i++)
		print_differences(&v->indexed[i], "in the index of ");
}

static int print_text(const struct verdict *v, struct err *err)
{
	static const char *const titles[] = {"collection", ">rows",   ">documents", ">missing",
					     ">extra",	   ">differ", ">pending",   ">refused",
					     ">foreign",   NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);

	for (size_t i = 0; i < v->len; i++)
		add_row(table, &v->results[i]);
	table_print(table, stdout);
	for (size_t i = 0; i < v->len; i++)
		print_differences(&v->results[i], "in ");
	print_index(v);
	return cli_flush(err);
}

static int run_verify(const struct command_line *line, struct err *err)
{
	_cleanup_(verdict_done) struct verdict v = {
	    .options = {.repair = command_has(line, "repair"),
			.wait_ms = command_number(line, "wait") * 1000}};
	const struct mapping *only = NULL;
	int verdict = 0;
	int r = verdict_open(line, &v, err);

	if (r == 0)
		r = cli_find_collection(line, &v.mappings, &only, err);
	if (r == 0)
		r = verify_all(&v, only, err);
	if (r == 0)
		r = verify_indexes(&v, only, err);
	if (r < 0)
		return r;
	verdict = judge(&v, NULL, err);
	if (line->json)
		r = print_json(&v, verdict == 0, verdict < 0 ? NULL : err);
	else
		r = print_text(&v, verdict < 0 ? NULL : err);
	return verdict < 0 ? verdict : r;
}

static const struct command_option options[] = {
    CLI_OPTION_COLLECTION,
    {.name = "repair", .type = COMMAND_FLAG, .help = "queue what differs and look again"},
    {.name = "wait",
     .type = COMMAND_NUMBER,
     .argument = "SECONDS",
     .fallback = "30",
     .min = 1,
     .max = 3600,
     .help = "how long to wait for changes in flight"},
    {0},
};

const struct command command_verify = {
    .name = "verify",
    .summary = "proves that MariaDB, MongoDB and the index agree",
    .options = options,
    .help =
	"Builds the document of every row again and compares it with the one that is there,\n"
	"field by field; looks up the row of every document. What differs is looked at\n"
	"again after the changes in flight. The index that the running worker keeps is compared\n"
	"in the same way; what it says of itself is not believed. WITHOUT VECTOR are those\n"
	"whose meaning is still to be worked out: no difference. The exit status is 0 only when "
	"all agree, 14\n"
	"when something differs, 10 when nothing differs but what changed meanwhile.\n",
    .run = run_verify,
};
