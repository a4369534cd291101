/* `aethermart verify`: proves that both stores agree, and says where they do not. */
#include "cli/cli_stack.h"

#include "base/progress.h"
#include "base/table.h"
#include "sync/sync_verify.h"

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
	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "collection",
			 r->collection, "rows", (json_int_t)r->rows, "documents",
			 (json_int_t)r->documents, "missing", (json_int_t)r->missing, "extra",
			 (json_int_t)r->extra, "different", (json_int_t)r->different, "pending",
			 (json_int_t)r->pending, "refused", (json_int_t)r->refused, "foreign",
			 (json_int_t)r->foreign, "repaired", (json_int_t)r->repaired, "differences",
			 differences_json(r));
}

static void add_row(struct table *t, const struct sync_verify_result *r)
{
	table_add_numbers(t, r->collection,
			  (const uint64_t[]){r->rows, r->documents, r->missing, r->extra,
					     r->different, r->pending, r->refused, r->foreign});
}

static void print_differences(const struct sync_verify_result *r)
{
	for (size_t i = 0; i < r->n_differences; i++) {
		const struct sync_difference *d = &r->differences[i];
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(0);

		strbuf_add_visible(&text, d->key.data, d->key.len);
		strbuf_addstr(&text, d->paths ? ": " : "");
		strbuf_add_visible(&text, d->paths, d->paths ? strlen(d->paths) : 0);
		printf("%s %s %s\n", kinds[d->kind], r->collection, strbuf_str(&text));
	}
	if (r->missing + r->extra + r->different > r->n_differences)
		printf("and %" PRIu64 " more in %s\n",
		       r->missing + r->extra + r->different - r->n_differences, r->collection);
	if (r->repaired)
		printf("%s: %" PRIu64 " repaired\n", r->collection, r->repaired);
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;

	p->total = total;
	progress_update(p, done);
}

/* One collection after the other. */
struct verdict {
	struct maria *db;
	struct mongo *mongo;
	struct mapping_set mappings;
	struct sync_verify_options options;
	bool is_silent;			    /* no progress */
	struct sync_verify_result *results; /* as many as there are mappings */
	size_t len;
};

static void verdict_done(struct verdict *v)
{
	for (size_t i = 0; i < v->len; i++)
		sync_verify_result_done(&v->results[i]);
	mem_free(v->results);
	mapping_set_done(&v->mappings);
	v->db = maria_close(v->db);
	v->mongo = mongo_close(v->mongo);
}

static int verdict_open(const struct command_line *line, struct verdict *v, struct err *err)
{
	int r = cli_open_maria(line, ENDPOINT_SYNC, &v->db, err);

	if (r == 0)
		r = cli_open_mongo(line, ENDPOINT_SYNC, &v->mongo, err);
	if (r == 0)
		r = cli_load_mappings(line, v->db, &v->mappings, err);
	if (r == 0)
		v->results = mem_alloc_array(v->mappings.len + 1, sizeof(*v->results));
	return r;
}

static int verify_one(struct verdict *v, const struct mapping *m, struct err *err)
{
	struct progress progress;
	struct sync_verify_options options = v->options;
	int r;

	if (!v->is_silent) {
		options.on_progress = on_progress;
		options.on_progress_arg = &progress;
		progress_start(&progress, mapping_collection(m), "rows and documents", 0);
	}
	r = sync_verify(v->db, v->mongo, m, &options, &v->results[v->len], err);
	if (!v->is_silent)
		progress_finish(&progress);
	v->len += r == 0;
	return r;
}

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
			r = verify_one(v, m, err);
	}
	return r;
}

/*
 * The error that a verdict is, 0 when all is equal. Where only changes in flight are in the way,
 * nothing was found to differ: `ret_pending` (may be NULL) then says how many.
 */
static int judge(const struct verdict *v, uint64_t *ret_pending, struct err *err)
{
	uint64_t n_pending = 0;
	bool is_equal = true, has_difference = false;

	for (size_t i = 0; i < v->len; i++) {
		const struct sync_verify_result *r = &v->results[i];

		is_equal = is_equal && sync_verify_is_equal(r);
		has_difference |= r->missing || r->extra || r->different || r->refused;
		n_pending += r->pending;
	}
	if (is_equal)
		return 0;
	if (!has_difference) {
		if (ret_pending)
			*ret_pending = n_pending;
		(void)err_set(
		    err, ERR_TIMEOUT,
		    "%" PRIu64 " document%s changed while %s compared, so %s could not be "
		    "judged; all others are equal",
		    n_pending, n_pending == 1 ? "" : "s", n_pending == 1 ? "it was" : "they were",
		    n_pending == 1 ? "it" : "they");
		return err_hint(err, "see whether the worker keeps up (aethermart status), and run "
				     "it again, with a longer --wait when changes never stop");
	}
	(void)err_set(err, ERR_DIFFERENT, "MariaDB and MongoDB do not agree");
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

static int print_json(const struct verdict *v, bool is_equal, struct err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->len; i++)
		json_array_append_new(list, result_json(&v->results[i]));
	return cli_print_json(json_pack("{s:o,s:b}", "collections", list, "equal", is_equal), err);
}

static int print_text(const struct verdict *v, struct err *err)
{
	static const char *const titles[] = {"collection", ">rows",	 ">documents", ">missing",
					     ">extra",	   ">different", ">pending",   ">refused",
					     ">foreign",   NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);

	for (size_t i = 0; i < v->len; i++)
		add_row(table, &v->results[i]);
	table_print(table, stdout);
	for (size_t i = 0; i < v->len; i++)
		print_differences(&v->results[i]);
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
    .summary = "proves that MariaDB and MongoDB agree",
    .options = options,
    .help = "Builds the document of every row again and compares it with the one that is there,\n"
	    "field by field; looks up the row of every document. What differs is looked at\n"
	    "again after the changes in flight. The exit status is 0 only when all agree, 14\n"
	    "when something differs, 10 when nothing differs but what changed meanwhile.\n",
    .run = run_verify,
};
