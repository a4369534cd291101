/* `aethermart load`: feed files into the shop. */
#include "shop/load.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "cli/cli_govern.h"
#include "cli/cli_lineage.h"
#include "store/maria.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/banned.h"

static const struct command_option options[] = {
    {.name = "dry-run",
     .type = COMMAND_FLAG,
     .help = "do everything and take it back: the report is true, the shop stays as it is"},
    {.name = "date-order",
     .type = COMMAND_TEXT,
     .argument = "dmy|mdy",
     .fallback = "mdy",
     .help = "what 03/04/2025 means where a file's other dates do not tell"},
    {.name = "categories",
     .type = COMMAND_FLAG,
     .help = "only print the category of each product of JSON-lines files; needs no database"},
    {0},
};

static json_t *counts_json(const struct shop_load_counts *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "read", (json_int_t)c->read, "loaded",
			 (json_int_t)c->loaded, "corrected", (json_int_t)c->corrected, "unchanged",
			 (json_int_t)c->unchanged, "rejected", (json_int_t)c->rejected);
}

static int print_json(const struct shop_load_report *report, bool dry_run, struct err *err)
{
	json_t *entities = json_object();

	for (int i = 0; i < LOAD_ENTITIES; i++)
		(void)json_object_set_new(entities, load_entity_name((enum load_entity_id)i),
					  counts_json(&report->entities[i]));
	return cli_print_json(
	    json_pack(
		"{s:I, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "load_id",
		(json_int_t)report->load_id, "dry_run", (int)dry_run, "entities", entities, "total",
		counts_json(&report->total), "new_suppliers", (json_int_t)report->new_suppliers,
		"new_categories", (json_int_t)report->new_categories, "findings",
		(json_int_t)report->findings, "files", (json_int_t)report->files, "skipped_files",
		(json_int_t)report->skipped_files, "stage_seconds", (double)report->stage_us / 1e6,
		"merge_seconds", (double)report->merge_us / 1e6),
	    err);
}

static void add_counts(struct table *t, const char *name, const struct shop_load_counts *c)
{
	table_add_numbers(
	    t, name,
	    (const uint64_t[]){c->read, c->loaded, c->corrected, c->unchanged, c->rejected});
}

static void print_table(const struct shop_load_report *report, bool dry_run)
{
	static const char *const titles[] = {"ENTITY",	   ">READ",	">LOADED", ">CORRECTED",
					     ">UNCHANGED", ">REJECTED", NULL};
	struct table *t = table_new(titles);
	char stage[CLOCK_TEXT_SIZE], merge[CLOCK_TEXT_SIZE];

	for (int i = 0; i < LOAD_ENTITIES; i++) {
		if (report->entities[i].read)
			add_counts(t, load_entity_name((enum load_entity_id)i),
				   &report->entities[i]);
	}
	add_counts(t, "total", &report->total);
	table_print(t, stdout);
	table_free(t);
	if (report->new_suppliers || report->new_categories)
		printf("new with products: %" PRIu64 " suppliers, %" PRIu64 " categories\n",
		       report->new_suppliers, report->new_categories);
	if (report->skipped_files)
		printf("skipped in folders: %" PRIu64 " file%s not named like a feed\n",
		       report->skipped_files, report->skipped_files == 1 ? "" : "s");
	printf("%" PRIu64 " file%s, staged in %s, merged in %s\n", report->files,
	       report->files == 1 ? "" : "s", clock_format_duration(report->stage_us, stage),
	       clock_format_duration(report->merge_us, merge));
	if (dry_run)
		printf("dry run: nothing was changed\n");
	else if (report->findings)
		printf("%" PRIu64
		       " findings: SELECT * FROM data_quality_logs WHERE load_id = %" PRIu64 "\n",
		       report->findings, report->load_id);
}

/* --- lineage --------------------------------------------------------------------------------- */

/* Files and folders as they were named, made absolute. */
static struct cli_lineage *begin_lineage(const struct command_line *line, struct arena *arena)
{
	struct lineage_dataset *files =
	    arena_alloc(arena, ((size_t)line->argc + 1) * sizeof(*files));

	for (int i = 0; i < line->argc; i++) {
		_cleanup_(mem_freep) char *path = realpath(line->argv[i], NULL);

		files[i] = (struct lineage_dataset){
		    .kind = LINEAGE_FILE, .name = arena_strdup(arena, path ? path : line->argv[i])};
	}
	return cli_lineage_begin(
	    line, ENDPOINT_ADMIN,
	    &(struct lineage_job){.name = "load",
				  .what = "Loads feed files into the shop, cleaned by rules",
				  .io = {.inputs = files, .n_inputs = (size_t)line->argc}});
}

static void end_lineage(struct cli_lineage *l, const struct shop_load_report *report, int r,
			const struct err *err)
{
	struct lineage_dataset tables[LOAD_ENTITIES];
	struct lineage_io io = {.outputs = tables};

	for (int i = 0; i < LOAD_ENTITIES; i++)
		if (report->entities[i].read)
			tables[io.n_outputs++] = (struct lineage_dataset){
			    .kind = LINEAGE_TABLE,
			    .name = load_entity_table((enum load_entity_id)i),
			    .is_counted = true,
			    .rows = report->entities[i].loaded + report->entities[i].corrected};
	cli_lineage_end(l, &io, r, err);
}

static int load(const struct command_line *line, struct maria *m, struct shop_load_options *o,
		struct shop_load_report *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	unsigned char key[SHOP_LOAD_KEY_SIZE] = {0};
	struct cli_lineage *l;
	bool has_erased = false;
	int r = shop_load_has_erased(m, &has_erased, err);

	if (r == 0 && has_erased)
		r = cli_govern_key(line, "erasure", key, err);
	if (r < 0)
		return r;
	o->erased_key = has_erased ? key : NULL;
	l = o->dry_run ? NULL : begin_lineage(line, &arena);
	r = shop_load(m, o, ret, err);
	end_lineage(l, ret, r, err);
	o->erased_key = NULL;
	sodium_memzero(key, sizeof(key));
	return r;
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	const char *order = command_text(line, "date-order");
	_cleanup_(arena_done) struct arena arena = {0};
	struct shop_load_report report = {0};
	struct shop_load_options o = {
	    .paths = line->argv,
	    .rules_dir = endpoint_share_path(line->config, &arena, "rules"),
	    .dry_run = command_has(line, "dry-run"),
	    .quiet = line->quiet,
	};
	int r;

	if (cstr_equal(order, "dmy"))
		o.date_order = CLEAN_DATE_DAY_FIRST;
	else if (cstr_equal(order, "mdy"))
		o.date_order = CLEAN_DATE_MONTH_FIRST;
	else
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "--date-order is \"%s\"; it has to be dmy or mdy", order);
	if (command_has(line, "categories")) {
		r = shop_load_print_categories(&o, stdout, err);
		return r < 0 ? r : cli_flush(err);
	}
	r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r == 0)
		r = load(line, m, &o, &report, err);
	if (r < 0)
		return r;
	if (line->json)
		return print_json(&report, o.dry_run, err);
	print_table(&report, o.dry_run);
	return cli_flush(err);
}

const struct command command_load = {
    .name = "load",
    .summary = "loads customers, products, orders and reviews from files, cleaned by rules",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = -1,
    .options = options,
    .help =
	"Reads CSV and JSON-lines files, plain or gzip, and folders of them. The header tells what "
	"a file holds. All files are read and checked before the first row of the shop changes; "
	"every value that is corrected and every row that is rejected is written to "
	"data_quality_logs. Loading the same files again changes nothing.\n\n"
	"  aethermart load data/              the catalogue that ships with AetherMart\n"
	"  aethermart load customers.csv orders.csv.gz order_items.csv.gz\n"
	"  aethermart load --dry-run --json feed/  what would happen\n",
    .run = run,
};
