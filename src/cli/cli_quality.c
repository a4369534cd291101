/* `aethermart quality`: runs the checks of rules/quality; cli_quality_show.c tells what was found.
 */
#include "cli/cli_quality.h"
#include "cli/cli_index.h"
#include "cli/cli_stack.h"

#include "base/clock.h"
#include "base/table.h"
#include "govern/audit.h"
#include "store/schema.h"

#include <inttypes.h>

#include "base/banned.h"

#define READ_SPARE_S 60

const char *cli_quality_rules(const struct command_line *line, struct arena *arena)
{
	const char *dir = config_text(line->config, "quality.rules");

	return dir ? dir : endpoint_share_path(line->config, arena, "rules/quality");
}

/* --- the checks, the stores ------------------------------------------------------------------ */

struct quality_place {
	struct arena arena;
	struct quality_checks *checks;
	const struct command_line *line;
	struct cli_shop shop;
	struct maria *sync;
	struct mongo *mongo;
	struct cli_indexed index;
	bool index_was_sought;
	struct quality_stores stores;
	const struct quality_check **chosen;
	size_t n, n_left_out;
	bool is_silent;
};

static void place_done(struct quality_place *p)
{
	mem_free(p->chosen);
	quality_free(p->checks);
	cli_indexed_done(&p->index);
	cli_shop_close(&p->shop);
	p->sync = maria_close(p->sync);
	p->mongo = mongo_close(p->mongo);
	arena_done(&p->arena);
}

/* Checks by name, or all; of these the severity that was asked for. */
static int choose(const struct command_line *line, struct quality_place *p, struct err *err)
{
	const char *severity = command_text(line, "severity");
	bool only_fail = severity && cstr_equal(severity, "fail");

	if (severity && !only_fail && !cstr_equal(severity, "warn"))
		return err_set(err, ERR_INVALID_ARGUMENT, "there is no severity \"%.60s\"",
			       severity);
	p->chosen = mem_alloc_array(p->checks->n + (size_t)line->argc + 1, sizeof(*p->chosen));
	for (size_t i = 0; i < (line->argc ? (size_t)line->argc : p->checks->n); i++) {
		const struct quality_check *c =
		    line->argc ? quality_find(p->checks, line->argv[i], err) : &p->checks->items[i];

		if (!c)
			return -ERR_NOT_FOUND;
		if (severity && c->is_warning != !only_fail)
			continue;
		/* Who switched the index off knows that it is not there; asked for by its name a
		 * check says so. */
		if (!line->argc && c->kind == QUALITY_RECONCILIATION && c->store == QUALITY_INDEX &&
		    !config_bool(line->config, "index.enabled"))
			p->n_left_out++;
		else
			p->chosen[p->n++] = c;
	}
	return 0;
}

/* The worker is asked only when there is a check of the index. */
static int verify_index(void *arg, const struct mapping *m,
			const struct sync_verify_options *options, struct sync_verify_result *ret,
			struct err *err)
{
	struct quality_place *p = arg;
	int r = 0;

	if (!p->index_was_sought)
		r = cli_indexed_open(p->line, &p->shop.mappings, &p->index, err);
	p->index_was_sought = r == 0;
	if (r < 0)
		cli_indexed_done(&p->index);
	if (r == 0 && (p->index.without || !p->sync))
		r = err_set(err, ERR_UNAVAILABLE, "the index was not compared: %s",
			    p->index.without ? p->index.without : p->stores.without);
	return r < 0 ? r : cli_indexed_verify(&p->index, p->sync, m, options, ret, err);
}

static int check_warehouse(void *arg, int64_t timeout_ms, shop_warehouse_fn fn, void *fn_arg,
			   struct err *err)
{
	const struct quality_place *p = arg;

	return cli_warehouse_check(p->line, timeout_ms, fn, fn_arg, err);
}

/* Documents are looked at by the sync's account; without MongoDB only their checks go without. */
static void open_documents(const struct command_line *line, struct quality_place *p)
{
	struct err why = {0};
	bool wanted = false;

	for (size_t i = 0; i < p->n; i++)
		wanted = wanted || p->chosen[i]->collection;
	if (!wanted)
		return;
	if (cli_open_maria(line, ENDPOINT_SYNC, &p->sync, &why) < 0 ||
	    cli_open_mongo(line, ENDPOINT_SYNC, &p->mongo, &why) < 0)
		p->stores.without = arena_strdup(&p->arena, why.message);
}

/* The server ends a statement whose time is up, and says so: until then the answer is waited for.
 */
static int open_rows(const struct command_line *line, struct quality_place *p, struct err *err)
{
	struct maria_options o = {0};
	int64_t longest_ms = 0;
	int r = endpoint_maria(line->config, ENDPOINT_ADMIN, &p->arena, &o, err);

	for (size_t i = 0; i < p->n; i++)
		if (p->chosen[i]->timeout_ms > longest_ms)
			longest_ms = p->chosen[i]->timeout_ms;
	o.read_timeout_s = (unsigned)(longest_ms / 1000) + READ_SPARE_S;
	return r < 0 ? r : maria_open(&o, &p->shop.db, err);
}

static int open_place(const struct command_line *line, struct quality_place *p, struct err *err)
{
	int r = quality_load(cli_quality_rules(line, &p->arena), &p->checks, err);

	if (r == 0)
		r = choose(line, p, err);
	if (r == 0)
		r = open_rows(line, p, err);
	if (r == 0)
		r = cli_shop_open(line, ENDPOINT_ADMIN, &p->shop, err);
	if (r == 0)
		r = quality_bind(p->checks, p->shop.schema, &p->shop.mappings, err);
	if (r < 0)
		return r;
	open_documents(line, p);
	p->stores.db = p->shop.db;
	p->stores.schema = p->shop.schema;
	p->stores.mappings = &p->shop.mappings;
	p->stores.sync = p->sync;
	p->stores.mongo = p->mongo;
	p->stores.verify_index = verify_index;
	p->stores.check_warehouse = check_warehouse;
	p->stores.arg = p;
	return 0;
}

/* --- run ------------------------------------------------------------------------------------- */

static const char *outcome_shown(const struct quality_result *r)
{
	return r->ack_id ? "known" : quality_outcome_name(r->outcome);
}

static json_t *keys_json(const struct quality_result *r)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < r->n_keys && i < QUALITY_SAMPLE; i++)
		json_array_append_new(keys, cli_json_text(str_from(r->keys[i])));
	return keys;
}

static json_t *result_json(const struct quality_result *r)
{
	const struct quality_check *c = r->check;

	return json_pack("{s:s,s:s,s:s?,s:s?,s:s,s:s,s:s,s:b,s:I,s:I,s:o,s:I,s:o,s:o,s:I}", "check",
			 c->name, "kind", quality_kind_name(c->kind), "table", c->table,
			 "collection", c->collection, "severity", c->is_warning ? "warn" : "fail",
			 "owner", c->owner, "outcome", quality_outcome_name(r->outcome),
			 "acknowledged", r->ack_id != 0, "checked", (json_int_t)r->checked,
			 "failed", (json_int_t)r->failed, "measured",
			 r->has_measure ? json_real(r->measured) : json_null(), "microseconds",
			 (json_int_t)r->run_us, "details",
			 r->details ? cli_json_text(str_from(r->details)) : json_null(), "keys",
			 keys_json(r), "id", (json_int_t)r->log_id);
}

static int print_json(const struct quality_run *run, bool is_good, struct err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->n; i++)
		json_array_append_new(list, result_json(&run->results[i]));
	return cli_print_json(json_pack("{s:I,s:s,s:b,s:o}", "run", (json_int_t)run->id,
					"started_at", run->started_at, "good", is_good, "results",
					list),
			      err);
}

static void print_wrong(const struct quality_result *r)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(4096);

	if (r->outcome == QUALITY_PASSED)
		return;
	strbuf_addf(&text, "%s (%" PRIu64 ", %s): %s", r->check->name, r->log_id, r->check->owner,
		    r->check->about);
	printf("\n");
	cli_print_line("", strbuf_str(&text));
	strbuf_clear(&text);
	if (r->details) {
		strbuf_add_visible(&text, r->details, strlen(r->details));
		cli_print_line("  ", strbuf_str(&text));
		strbuf_clear(&text);
	}
	for (size_t i = 0; i < r->n_keys && i < QUALITY_SAMPLE; i++) {
		strbuf_addstr(&text, i ? ", " : "");
		strbuf_add_visible(&text, r->keys[i], strlen(r->keys[i]));
	}
	if (r->n_keys && r->failed > QUALITY_SAMPLE)
		strbuf_addstr(&text, ", ...");
	if (r->n_keys)
		cli_print_line("  keys: ", strbuf_str(&text));
}

static int print_text(const struct quality_run *run, size_t n_left_out, struct err *err)
{
	static const char *const titles[] = {"CHECK",	 "OF",	  "OUTCOME", ">FAILED",
					     ">CHECKED", ">TOOK", NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);

	for (size_t i = 0; i < run->n; i++) {
		const struct quality_result *r = &run->results[i];
		const char *of = quality_entity(r->check);
		char failed[24], checked[24], took[CLOCK_TEXT_SIZE];

		(void)snprintf(failed, sizeof(failed), "%" PRIu64, r->failed);
		(void)snprintf(checked, sizeof(checked), "%" PRIu64, r->checked);
		table_add(table,
			  (const char *const[]){r->check->name, of, outcome_shown(r), failed,
						checked, clock_format_duration(r->run_us, took)});
	}
	table_print(table, stdout);
	for (size_t i = 0; i < run->n; i++)
		print_wrong(&run->results[i]);
	if (n_left_out)
		printf("\n%zu checks of the index were left out: index.enabled is false\n",
		       n_left_out);
	return cli_flush(err);
}

/* The error that a run is: 0 when nothing counts. */
static int judge(const struct quality_run *run, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT(300);
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		if (!quality_result_counts(&run->results[i]))
			continue;
		if (n++ < 3)
			strbuf_addf(&names, "%s%s", n > 1 ? ", " : "", run->results[i].check->name);
	}
	if (!n)
		return 0;
	(void)err_set(err, ERR_DIFFERENT, "%zu of %zu checks failed: %s%s", n, run->n,
		      strbuf_str(&names), n > 3 ? ", ..." : "");
	return err_hint(err, "`aethermart quality report` tells what is wrong; what has to stay so "
			     "for a time is acknowledged by `aethermart quality ack CHECK`");
}

static void show_check(void *arg, const struct quality_check *c)
{
	struct quality_place *p = arg;

	if (!p->is_silent)
		(void)fprintf(stderr, "%s\n", c->name);
}

static int run_run(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct quality_place p = {.line = line,
							.is_silent = line->json || !line->verbose};
	_cleanup_(quality_run_done) struct quality_run run = {0};
	struct quality_how how = {
	    .records = command_has(line, "record"), .on_check = show_check, .arg = &p};
	int r = open_place(line, &p, err), verdict;

	if (r < 0)
		return r;
	how.actor = audit_os_actor(&p.arena);
	how.checks = p.chosen;
	how.n = p.n;
	r = quality_run(&p.stores, &how, &run, err);
	if (r < 0)
		return r;
	cli_quality_tell(line, &run);
	verdict = judge(&run, err);
	r = line->json ? print_json(&run, verdict == 0, verdict < 0 ? NULL : err)
		       : print_text(&run, p.n_left_out, verdict < 0 ? NULL : err);
	return verdict < 0 ? verdict : r;
}

static const struct command_option run_options[] = {
    {.name = "severity",
     .type = COMMAND_TEXT,
     .argument = "fail|warn",
     .help = "only checks of this severity"},
    {.name = "record",
     .type = COMMAND_FLAG,
     .help = "what drift is compared with is recorded anew, as it is now"},
    {0},
};

static const struct command command_quality_run = {
    .name = "run",
    .summary = "runs the checks, all or those that are named",
    .arguments = "[CHECK...]",
    .max_args = -1,
    .options = run_options,
    .help =
	"Rows are read in one snapshot. The exit status is 14 when a check of the severity fail "
	"found something, or could not be judged, unless it is acknowledged.\n\n"
	"  aethermart quality run order_total --json",
    .run = run_run,
};

static const struct command *const children[] = {
    &command_quality_run,
    &command_quality_report,
    &command_quality_trend,
    &command_quality_quarantine,
    &command_quality_ack,
    &command_quality_list,
    NULL,
};

const struct command command_quality = {
    .name = "quality",
    .summary = "whether the data is right: checks, reports, quarantine",
    .help = "The files of rules/quality say what is checked; docs/quality.md describes their "
	    "language.",
    .children = children,
};
