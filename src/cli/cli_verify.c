/* `aethermart verify`: proves that both stores agree, and says where they do not. */
#include "cli/cli.h"

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

		json_array_append_new(list,
				      json_pack("{s:s%,s:s,s:s?}", "key", d->key.data, d->key.len,
						"kind", kinds[d->kind], "paths", d->paths));
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

		printf("%s %s %.*s%s%s\n", kinds[d->kind], r->collection, STR_ARGS(d->key),
		       d->paths ? ": " : "", d->paths ? d->paths : "");
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

static int verify_one(const struct command_line *line, struct maria *db, struct mongo *mongo,
		      const struct mapping *m, struct sync_verify_result *ret, struct err *err)
{
	struct progress progress;
	struct sync_verify_options options = {
	    .repair = command_has(line, "repair"),
	    .wait_ms = command_number(line, "wait") * 1000,
	    .on_progress = on_progress,
	    .on_progress_arg = &progress,
	};
	int r;

	progress_start(&progress, mapping_collection(m), "rows and documents", 0);
	r = sync_verify(db, mongo, m, &options, ret, err);
	progress_finish(&progress);
	return r;
}

/* One after the other, and the sum of them. */
struct verdict {
	struct sync_verify_result *results; /* as many as there are mappings */
	size_t len;
};

static void verdict_done(struct verdict *v)
{
	for (size_t i = 0; i < v->len; i++)
		sync_verify_result_done(&v->results[i]);
	mem_free(v->results);
}

static int verify_all(const struct command_line *line, struct maria *db, struct mongo *mongo,
		      const struct mapping_set *mappings, struct verdict *ret, struct err *err)
{
	const struct mapping *only;
	int r = cli_find_collection(line, mappings, &only, err);

	if (r == 0 && only && !mapping_has_target(only))
		r = err_set(err, ERR_NOT_FOUND, "\"%s\" has no documents to verify",
			    mapping_collection(only));
	ret->results = mem_alloc_array(mappings->len + 1, sizeof(*ret->results));
	for (size_t i = 0; i < mappings->len && r == 0; i++) {
		const struct mapping *m = mappings->items[i];

		if (!mapping_has_target(m) || (only && m != only))
			continue;
		r = verify_one(line, db, mongo, m, &ret->results[ret->len], err);
		ret->len += r == 0;
	}
	return r;
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

static int print_verdict(const struct command_line *line, const struct verdict *v, struct err *err)
{
	bool is_equal = true;
	int r;

	for (size_t i = 0; i < v->len; i++)
		is_equal = is_equal && sync_verify_is_equal(&v->results[i]);
	r = line->json ? print_json(v, is_equal, err) : print_text(v, err);
	if (r < 0 || is_equal)
		return r;
	(void)err_set(err, ERR_DIFFERENT, "MariaDB and MongoDB do not agree");
	return err_hint(err,
			"differences: aethermart verify --repair; pending: is the worker running "
			"(aethermart status)? refused: aethermart sync dead-letter list");
}

static int run_verify(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(mongo_closep) struct mongo *mongo = NULL;
	_cleanup_(verdict_done) struct verdict verdict = {0};
	struct mapping_set mappings = {0};
	int r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);

	if (r == 0)
		r = cli_open_mongo(line, ENDPOINT_SYNC, &mongo, err);
	if (r == 0)
		r = cli_load_mappings(line, db, &mappings, err);
	if (r == 0)
		r = verify_all(line, db, mongo, &mappings, &verdict, err);
	if (r == 0)
		r = print_verdict(line, &verdict, err);
	mapping_set_done(&mappings);
	return r;
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
	    "again after the changes in flight. The exit status is 0 only when all agree.\n",
    .run = run_verify,
};
