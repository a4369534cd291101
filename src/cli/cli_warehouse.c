/* `aethermart warehouse`: the star of sales, stock and reviews beside the shop. */
#include "cli/cli_lineage.h"
#include "cli/cli_stack.h"

#include "base/clock.h"
#include "base/progress.h"
#include "base/table.h"

#include <inttypes.h>

#include "base/banned.h"

#define READ_SPARE_S   10
#define READ_LONGEST_S 86400 /* whoever asked ends it when they have had enough */

struct place {
	struct arena arena;
	struct maria_options maria;
	struct shop_warehouse warehouse;
};

static void place_done(struct place *p)
{
	arena_done(&p->arena);
}

static int find_place(const struct command_line *line, struct place *ret, struct err *err)
{
	ret->warehouse = (struct shop_warehouse){
	    .maria = &ret->maria, .database = config_text(line->config, "warehouse.database")};
	if (cstr_equal(ret->warehouse.database, config_text(line->config, "mariadb.database")))
		return err_set(
		    err, ERR_INVALID_ARGUMENT,
		    "warehouse.database is that of the shop, \"%s\": it needs one of its "
		    "own",
		    ret->warehouse.database);
	return endpoint_maria(line->config, ENDPOINT_ADMIN, &ret->arena, &ret->maria, err);
}

int cli_warehouse_install(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	int r = find_place(line, &p, err);

	return r < 0 ? r : shop_warehouse_install(&p.warehouse, err);
}

/* Where it can be none there is nothing to drop. */
static int drop(const struct command_line *line,
		int (*how)(const struct shop_warehouse *w, struct err *err), struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	int r = find_place(line, &p, err);

	if (r == -ERR_INVALID_ARGUMENT) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? r : how(&p.warehouse, err);
}

int cli_warehouse_may_drop(const struct command_line *line, struct err *err)
{
	return drop(line, shop_warehouse_may_drop, err);
}

int cli_warehouse_drop(const struct command_line *line, struct err *err)
{
	return drop(line, shop_warehouse_drop, err);
}

/* --- refresh --------------------------------------------------------------------------------- */

static void show_page(void *arg, uint64_t done)
{
	progress_update(arg, done);
}

static int print_run(const struct command_line *line, const struct shop_warehouse_run *run,
		     int64_t took_us, struct err *err)
{
	char time[CLOCK_TEXT_SIZE];

	if (line->json)
		return cli_print_json(
		    json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "run", (json_int_t)run->run,
			      "customers", (json_int_t)run->customers, "products",
			      (json_int_t)run->products, "orders", (json_int_t)run->orders,
			      "reviews", (json_int_t)run->reviews, "seconds",
			      (double)took_us / 1e6),
		    err);
	printf("%" PRIu64 " customers, %" PRIu64 " products, %" PRIu64 " orders, %" PRIu64
	       " reviews in %s\n",
	       run->customers, run->products, run->orders, run->reviews,
	       clock_format_duration(took_us, time));
	return cli_flush(err);
}

static int refresh(const struct command_line *line, struct maria *m, const char *shop,
		   struct shop_warehouse_run *ret, struct err *err)
{
	struct progress progress = {0};
	bool all = command_has(line, "all");
	uint64_t total = 0;
	int r = all ? shop_warehouse_count(m, shop, &total, err) : 0;

	if (r < 0)
		return r;
	progress_start(&progress, "warehouse", "documents", total);
	r = shop_warehouse_refresh(m, all, show_page, &progress, ret, err);
	progress_finish(&progress);
	return r;
}

static int refresh_and_tell(const struct command_line *line, struct maria *m, const char *shop,
			    struct shop_warehouse_run *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct cli_lineage *l = cli_lineage_new(line, ENDPOINT_ADMIN);
	struct lineage_job job = {.name = "warehouse",
				  .what = "Takes what changed in the shop into the warehouse"};
	int r;

	if (l)
		job.io.n_outputs =
		    lineage_made(cli_lineage_graph(l), LINEAGE_WAREHOUSE, &arena, &job.io.outputs);
	cli_lineage_start(l, &job);
	r = refresh(line, m, shop, ret, err);
	cli_lineage_end(l, NULL, r, err);
	return r;
}

static int run_refresh(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct shop_warehouse_run run = {0};
	int64_t since = clock_monotonic_us();
	int r = find_place(line, &p, err);

	if (r == 0)
		r = shop_warehouse_install(&p.warehouse, err);
	if (r == 0)
		r = shop_warehouse_open(&p.warehouse, &m, err);
	if (r == 0)
		r = refresh_and_tell(line, m, p.maria.database, &run, err);
	return r < 0 ? r : print_run(line, &run, clock_monotonic_us() - since, err);
}

/* --- check ----------------------------------------------------------------------------------- */

struct findings {
	struct table *table;
	json_t *json;
	uint64_t wrong, pending;
};

static void findings_done(struct findings *f)
{
	table_free(f->table);
	json_decref(f->json);
}

static int take_finding(void *arg, const struct shop_warehouse_finding *f, struct err *err)
{
	struct findings *all = arg;
	char wrong[24], pending[24];

	(void)err;
	all->wrong += f->differ - f->pending;
	all->pending += f->pending;
	(void)snprintf(wrong, sizeof(wrong), "%" PRIu64, f->differ - f->pending);
	(void)snprintf(pending, sizeof(pending), "%" PRIu64, f->pending);
	table_add(all->table,
		  (const char *const[]){f->subject, f->shop, f->warehouse, wrong, pending});
	(void)json_array_append_new(all->json,
				    json_pack("{s:s, s:s, s:s, s:I, s:I}", "subject", f->subject,
					      "shop", f->shop, "warehouse", f->warehouse,
					      "different", (json_int_t)(f->differ - f->pending),
					      "pending", (json_int_t)f->pending));
	return 0;
}

static int judge(const struct findings *f, struct err *err)
{
	if (!f->wrong)
		return 0;
	(void)err_set(err, ERR_DIFFERENT, "warehouse and shop do not agree");
	return err_hint(err, "`aethermart warehouse refresh --all` reads all of the shop anew");
}

int cli_warehouse_check(const struct command_line *line, int64_t timeout_ms, shop_warehouse_fn fn,
			void *arg, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	_cleanup_(maria_closep) struct maria *m = NULL;
	int r = find_place(line, &p, err);

	/* The server ends it first, and says so. */
	p.maria.read_timeout_s =
	    timeout_ms ? (unsigned)(timeout_ms / 1000) + READ_SPARE_S : READ_LONGEST_S;
	if (r == 0)
		r = shop_warehouse_open(&p.warehouse, &m, err);
	return r < 0 ? r : shop_warehouse_check(m, timeout_ms, fn, arg, err);
}

static int run_check(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"SUBJECT",	   ">SHOP",    ">WAREHOUSE",
					     ">DIFFERENT", ">PENDING", NULL};
	_cleanup_(findings_done) struct findings all = {.table = table_new(titles),
							.json = json_array()};
	int r = cli_warehouse_check(line, 0, take_finding, &all, err);

	if (r < 0)
		return r;
	if (line->json) {
		r = cli_print_json(json_pack("{s:b, s:I, s:I, s:O}", "equal",
					     !all.wrong && !all.pending, "different",
					     (json_int_t)all.wrong, "pending",
					     (json_int_t)all.pending, "subjects", all.json),
				   err);
	} else {
		table_print(all.table, stdout);
		if (all.pending)
			printf("pending: `aethermart warehouse refresh` takes what waits\n");
		r = cli_flush(err);
	}
	return r < 0 ? r : judge(&all, err);
}

/* --- the verbs ------------------------------------------------------------------------------- */

static const struct command_option refresh_options[] = {
    {.name = "all", .type = COMMAND_FLAG, .help = "read all of the shop, not only what changed"},
    {0},
};

static const struct command command_refresh = {
    .name = "refresh",
    .summary = "takes what changed in the shop; makes the warehouse the first time",
    .options = refresh_options,
    .help = "What changed is told by the sync, whose worker has to run; the first refresh reads "
	    "all of the shop. It may be cut off at any point, and is repeated without harm. The "
	    "same as CALL sp_run_etl_pipeline().\n\n  aethermart warehouse refresh",
    .run = run_refresh,
};

static const struct command command_check = {
    .name = "check",
    .summary = "whether the warehouse agrees with the shop, to the cent",
    .help = "One snapshot of both. What differs and waits in a queue or in the hand-off is "
	    "pending; what differs and waits nowhere is an error (exit status 14).\n\n"
	    "  aethermart warehouse check",
    .run = run_check,
};

static const struct command *const children[] = {
    &command_refresh,
    &command_check,
    NULL,
};

const struct command command_warehouse = {
    .name = "warehouse",
    .summary = "sales, stock and reviews as a star for analysis",
    .children = children,
};
