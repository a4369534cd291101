/* `aethermart generate`: an invented shop as files that `load` reads. */
#include "base/progress.h"
#include "base/table.h"
#include "cli/cli.h"
#include "shop/generate.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

static const struct command_option options[] = {
    {"customers", COMMAND_NUMBER, "N", NULL, 0, SHOP_GENERATE_ROWS_MAX,
     "how many customers (shop.customers)"},
    {"orders", COMMAND_NUMBER, "N", NULL, 0, SHOP_GENERATE_ROWS_MAX,
     "how many orders (shop.orders)"},
    {"reviews", COMMAND_NUMBER, "N", NULL, 0, SHOP_GENERATE_ROWS_MAX,
     "how many reviews (shop.reviews)"},
    {"products", COMMAND_NUMBER, "N", "0", 0, SHOP_GENERATE_GOODS_MAX,
     "how many invented products, beside the catalogue's"},
    {"suppliers", COMMAND_NUMBER, "N", "0", 0, SHOP_GENERATE_GOODS_MAX,
     "how many invented suppliers; 0 with --products: a dozen"},
    {"variants", COMMAND_NUMBER, "N", "0", 0, SHOP_GENERATE_GOODS_MAX,
     "how many products varied from the catalogue's, beside them"},
    {"seed", COMMAND_NUMBER, "S", NULL, 0, INT64_MAX, "the same seed, the same bytes (shop.seed)"},
    {"defects", COMMAND_TEXT, "P", NULL, 0, 0,
     "share of rows with a defect, 0 to 1 (shop.defects)"},
    {"until", COMMAND_TEXT, "DAY", SHOP_GENERATE_UNTIL, 0, 0,
     "last day; orders lie in the three years before"},
    {"out", COMMAND_TEXT, "DIR", "generated", 0, 0, "folder of the files"},
    {"no-catalog", COMMAND_FLAG, NULL, NULL, 0, 0, "sell invented products only"},
    {"catalog", COMMAND_TEXT, "FILE", NULL, 0, 0,
     "file or folder of products (JSON lines, plain or gzip), instead of shop.data; more of them "
     "as arguments"},
    {0},
};

/* The option, or else the configuration's value. */
static uint64_t number_of(const struct command_line *line, const char *option, const char *key)
{
	int64_t v = command_has(line, option) ? command_number(line, option)
					      : config_int(line->config, key);

	return (uint64_t)v;
}

/* --catalog and arguments, or shop.data, or the shipped data/. */
static const char *const *catalog_of(const struct command_line *line, struct arena *arena)
{
	const char *first = command_text(line, "catalog");
	const char *const *configured = config_list(line->config, "shop.data");
	const char **list = arena_alloc(arena, ((size_t)line->argc + 2) * sizeof(*list));
	size_t n = 0;

	if (command_has(line, "no-catalog"))
		return list;
	if (first)
		list[n++] = first;
	for (int i = 0; i < line->argc; i++)
		list[n++] = line->argv[i];
	if (!n && configured && configured[0])
		return configured;
	if (!n)
		list[n++] = endpoint_share_path(line->config, arena, "data");
	return list;
}

static int print_report_json(const struct shop_generate_report *report, const char *out,
			     struct err *err)
{
	json_t *files = json_array();

	for (size_t i = 0; i < SHOP_GENERATE_FILE_COUNT; i++)
		if (report->files[i].name)
			json_array_append_new(
			    files, json_pack("{s:s, s:I, s:I, s:I}", "name", report->files[i].name,
					     "rows", (json_int_t)report->files[i].rows, "bytes",
					     (json_int_t)report->files[i].bytes, "defects",
					     (json_int_t)report->files[i].defects));
	return cli_print_json(json_pack("{s:s, s:I, s:I, s:I, s:f, s:o}", "out", out, "rows",
					(json_int_t)report->rows, "defects",
					(json_int_t)report->defects, "catalog_products",
					(json_int_t)report->catalog_products, "seconds",
					(double)report->elapsed_us / 1e6, "files", files),
			      err);
}

static int print_report(const struct shop_generate_report *report, const char *out, struct err *err)
{
	static const char *const titles[] = {"file", ">rows", ">bytes", ">defects", NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	char time[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < SHOP_GENERATE_FILE_COUNT; i++) {
		if (report->files[i].name)
			table_add_numbers(table, report->files[i].name,
					  (const uint64_t[]){report->files[i].rows,
							     report->files[i].bytes,
							     report->files[i].defects});
	}
	table_print(table, stdout);
	(void)printf("%" PRIu64 " rows in %s, in \"%s\"; load them with: aethermart load %s\n",
		     report->rows, clock_format_duration(report->elapsed_us, time), out, out);
	return cli_flush(err);
}

static void show_progress(void *ctx, uint64_t rows)
{
	progress_update(ctx, rows);
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct progress progress = {0};
	struct shop_generate_report report;
	struct shop_generate_options o = {
	    .customers = number_of(line, "customers", "shop.customers"),
	    .orders = number_of(line, "orders", "shop.orders"),
	    .reviews = number_of(line, "reviews", "shop.reviews"),
	    .seed = number_of(line, "seed", "shop.seed"),
	    .products = (uint64_t)command_number(line, "products"),
	    .suppliers = (uint64_t)command_number(line, "suppliers"),
	    .variants = (uint64_t)command_number(line, "variants"),
	    .until = command_text(line, "until"),
	    .out = command_text(line, "out"),
	    .progress = show_progress,
	    .progress_ctx = &progress,
	};
	const char *defects = command_text(line, "defects");
	int r = shop_parse_share(defects ?: config_text(line->config, "shop.defects"),
				 &o.defects_ppm, err);

	if (r < 0)
		return err_context(err, defects ? "--defects" : "shop.defects");
	o.catalog = catalog_of(line, &arena);
	progress_start(&progress, "generate", "rows", 0);
	r = shop_generate(&o, &report, err);
	if (r == 0)
		progress_update(&progress, report.rows);
	progress_finish(&progress);
	if (r < 0)
		return r;
	return line->json ? print_report_json(&report, o.out, err)
			  : print_report(&report, o.out, err);
}

const struct command command_generate = {
    .name = "generate",
    .summary = "writes an invented shop as files for load",
    .arguments = "[FILE...]",
    .min_args = 0,
    .max_args = -1,
    .options = options,
    .help =
	"Customers, addresses, orders, order lines and reviews for the products of the "
	"catalogue, with some defects that `load` has to find; defects.csv lists them. The same "
	"arguments give the same bytes on every machine.\n\n"
	"  aethermart generate --customers 100 --orders 500 --reviews 300 --out shop\n"
	"  aethermart generate --orders 1000000 --customers 100000 --defects 0",
    .run = run,
};
