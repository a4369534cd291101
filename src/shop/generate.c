/*
 * Runs the generator: reads the catalogue, opens the files, writes the tables in the order in which
 * they refer to each other, and gives the files their names at the end. See generate.h.
 */
#include "shop/generate_int.h"

#include "base/clock.h"
#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

#define PROGRESS_ROWS 20000
#define WINDOW_YEARS  3

static const struct {
	const char *name, *header;
} formats[SHOP_GENERATE_FILE_COUNT] = {
    [SHOP_GENERATE_FILE_SUPPLIERS] = {"suppliers.csv",
				      "supplier_name,contact_email,phone_number,country"},
    [SHOP_GENERATE_FILE_PRODUCTS] =
	{"products.csv", "product_id,product_kind,supplier_name,category_path,product_name,"
			 "model_name,product_description,ean,price,currency,stock_quantity,"
			 "product_status,specifications,image_url,release_date"},
    [SHOP_GENERATE_FILE_CUSTOMERS] = {"customers.csv",
				      "customer_id,first_name,last_name,email,phone_number,"
				      "date_of_birth,registration_date,customer_status,locale"},
    [SHOP_GENERATE_FILE_ADDRESSES] = {"customer_addresses.csv",
				      "address_id,customer_id,address_type,is_default,street,city,"
				      "state,zip,country"},
    [SHOP_GENERATE_FILE_ORDERS] = {"orders.csv", "order_id,customer_id,address_id,order_date,"
						 "order_status,total_amount,currency"},
    [SHOP_GENERATE_FILE_ITEMS] = {"order_items.csv", "order_id,product_id,quantity,price"},
    [SHOP_GENERATE_FILE_REVIEWS] = {"reviews.csv",
				    "review_id,product_id,customer_id,rating,review_title,"
				    "review_text,review_date"},
    [SHOP_GENERATE_FILE_VARIANTS] = {"variants.jsonl", NULL},
    [SHOP_GENERATE_FILE_DEFECTS] = {"defects.csv", "file,line,column,kind,key"},
};

static struct str column_name(enum shop_generate_file which, size_t column)
{
	struct str header = str_from(formats[which].header);

	while (column--)
		(void)gen_cut(&header, ',');
	return gen_cut(&header, ',');
}

static int note_defect(struct gen *g, enum shop_generate_file which, uint64_t line, size_t column,
		       const char *kind, struct err *err)
{
	struct gen_row *row = &g->defects.row;
	bool is_whole = cstr_equal(kind, GEN_KIND_TWICE);

	gen_row_clear(row);
	gen_row_text(row, formats[which].name);
	gen_row_number(row, line);
	gen_row_str(row, is_whole ? (struct str){"", 0} : column_name(which, column));
	gen_row_text(row, kind);
	gen_row_str(row, g->row.fields[0]);
	g->files[which].defects++;
	return gen_file_write(&g->files[SHOP_GENERATE_FILE_DEFECTS], row, err);
}

static void count_row(struct gen *g)
{
	if (!g->options->progress || ++g->rows - g->reported < PROGRESS_ROWS)
		return;
	g->reported = g->rows;
	g->options->progress(g->options->progress_ctx, g->rows);
}

int gen_write(struct gen *g, enum shop_generate_file which, struct err *err)
{
	struct gen_file *f = &g->files[which];
	struct str before[GEN_FIELDS_MAX];
	const char *kind = NULL;
	uint64_t line;
	size_t column = 0;
	int r = 0;

	if (g->defects.ppm) {
		memcpy(before, g->row.fields, sizeof(before));
		kind = gen_defect_apply(&g->defects, which, &g->row, f->rows, &column);
	}
	if (kind && (cstr_equal(kind, GEN_KIND_TWICE) || cstr_equal(kind, GEN_KIND_SUPPLIER))) {
		struct str spoiled = g->row.fields[column];

		g->row.fields[column] = before[column];
		r = gen_file_write(f, &g->row, err);
		g->row.fields[column] = spoiled;
	}
	line = f->line;
	if (r == 0)
		r = gen_file_write(f, &g->row, err);
	if (r == 0 && kind)
		r = note_defect(g, which, line, column, kind, err);
	count_row(g);
	return r;
}

int gen_write_line(struct gen *g, enum shop_generate_file which, struct str line, struct err *err)
{
	count_row(g);
	return gen_file_write_line(&g->files[which], line, err);
}

static int check_limit(const char *name, uint64_t value, uint64_t max, struct err *err)
{
	if (value <= max)
		return 0;
	return err_set(err, ERR_INVALID_ARGUMENT, "%" PRIu64 " %s: at most %" PRIu64 " are made",
		       value, name, max);
}

static int check_options(const struct shop_generate_options *o, struct err *err)
{
	int r = check_limit("customers", o->customers, SHOP_GENERATE_ROWS_MAX, err);

	if (r == 0)
		r = check_limit("orders", o->orders, SHOP_GENERATE_ROWS_MAX, err);
	if (r == 0)
		r = check_limit("reviews", o->reviews, SHOP_GENERATE_ROWS_MAX, err);
	if (r == 0)
		r = check_limit("products", o->products, SHOP_GENERATE_GOODS_MAX, err);
	if (r == 0)
		r = check_limit("variants", o->variants, SHOP_GENERATE_GOODS_MAX, err);
	if (r == 0)
		r = check_limit("suppliers", o->suppliers, SHOP_GENERATE_GOODS_MAX, err);
	if (r < 0)
		return r;
	if (o->defects_ppm > 1000000)
		return err_set(err, ERR_INVALID_ARGUMENT, "a share of defects above 1");
	if (o->orders && !o->customers)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "%" PRIu64 " orders without customers: nobody could place them",
			       o->orders);
	if (o->reviews && !o->orders)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "%" PRIu64 " reviews without orders: only buyers write them",
			       o->reviews);
	return 0;
}

static void init_days(struct gen *g)
{
	struct gen_date d = gen_date_of(g->until + 1);

	/* 29 February, three years earlier, is 1 March. */
	g->window_from = gen_day_from(d.year - WINDOW_YEARS, d.month, d.day);
	g->n_days = (size_t)(g->until - g->window_from) + 1;
	g->day_sums = mem_alloc_array(g->n_days + 1, sizeof(*g->day_sums));
	for (size_t i = 0; i < g->n_days; i++)
		g->day_sums[i + 1] =
		    g->day_sums[i] + gen_day_weight(g->window_from + (int32_t)i, g->window_from);
}

static int open_files(struct gen *g, struct err *err)
{
	bool has_goods = g->options->products || g->options->suppliers;
	int r = dir_make(g->options->out, 0777, err);

	for (size_t i = 0; r == 0 && i < SHOP_GENERATE_FILE_COUNT; i++) {
		if (i == SHOP_GENERATE_FILE_PRODUCTS && !g->options->products)
			continue;
		if (i == SHOP_GENERATE_FILE_SUPPLIERS && !has_goods)
			continue;
		if (i == SHOP_GENERATE_FILE_VARIANTS && !g->options->variants)
			continue;
		r = gen_file_open(&g->files[i], g->options->out, formats[i].name, formats[i].header,
				  err);
	}
	return r;
}

static int init(struct gen *g, struct err *err)
{
	int r = gen_parse_day(g->options->until ?: SHOP_GENERATE_UNTIL, &g->until, err);

	for (size_t i = 0; i < SHOP_GENERATE_FILE_COUNT; i++)
		g->files[i].fd = -1;
	if (r < 0)
		return r;
	for (const struct embedded_file *f = gen_text_files; f->name; f++)
		gen_text_add(&g->text, f->text);
	init_days(g);
	gen_catalog_init(&g->catalog, &g->text);
	g->catalog.keeps_objects = g->options->variants > 0;
	g->defects.seed = g->options->seed;
	g->defects.ppm = g->options->defects_ppm;
	for (const char *const *path = g->options->catalog; path && *path; path++) {
		r = gen_catalog_read(&g->catalog, *path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void done(struct gen *g)
{
	for (size_t i = 0; i < SHOP_GENERATE_FILE_COUNT; i++) {
		gen_file_done(&g->files[i]);
		strbuf_done(&g->defects.last[i]);
	}
	(void)gen_words_free(g->words);
	gen_people_done(g);
	gen_catalog_done(&g->catalog);
	gen_text_done(&g->text);
	mem_free(g->day_sums);
	mem_free(g);
}

static int run(struct gen *g, struct err *err)
{
	int r = open_files(g, err);

	if (r == 0)
		r = gen_variants_write(g, err); /* of the catalogue's, not of invented ones */
	if (r == 0)
		r = gen_goods_write(g, err);
	if (r < 0)
		return r;
	if (g->options->orders && !g->catalog.n) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "no products to sell: the catalogue is empty");
		return err_hint(err, "name product files by --catalog, or invent products by "
				     "--products");
	}
	gen_catalog_finish(&g->catalog, g->options->seed);
	g->words = gen_words_new(&g->text, &g->catalog);
	r = gen_people_init(g, err);
	if (r == 0)
		r = gen_people_write(g, err);
	if (r == 0 && g->options->orders)
		r = gen_orders_write(g, err);
	for (size_t i = 0; r == 0 && i < SHOP_GENERATE_FILE_COUNT; i++)
		r = gen_file_finish(&g->files[i], err);
	for (size_t i = 0; r == 0 && i < SHOP_GENERATE_FILE_COUNT; i++)
		r = gen_file_publish(&g->files[i], err);
	return r;
}

static void fill_report(const struct gen *g, struct shop_generate_report *ret)
{
	for (size_t i = 0; i < SHOP_GENERATE_FILE_COUNT; i++) {
		ret->files[i].name = g->files[i].name;
		ret->files[i].rows = g->files[i].rows;
		ret->files[i].bytes = g->files[i].bytes;
		ret->files[i].defects = g->files[i].defects;
		ret->defects += g->files[i].defects;
		if (i != SHOP_GENERATE_FILE_DEFECTS)
			ret->rows += g->files[i].rows;
	}
}

int shop_generate(const struct shop_generate_options *options, struct shop_generate_report *ret,
		  struct err *err)
{
	struct shop_generate_report report = {0};
	int64_t start = clock_monotonic_us();
	struct gen *g;
	int r = check_options(options, err);

	if (r < 0)
		return r;
	g = MEM_NEW(struct gen);
	g->options = options;
	r = init(g, err);
	report.catalog_products = g->catalog.n;
	if (r == 0)
		r = run(g, err);
	if (r == 0) {
		fill_report(g, &report);
		report.elapsed_us = clock_monotonic_us() - start;
		*ret = report;
	}
	done(g);
	return r;
}

int shop_parse_share(const char *text, uint32_t *ret_ppm, struct err *err)
{
	double share = 0;
	int r = parse_double(str_from(text), &share, err);

	if (r == 0 && !(share >= 0 && share <= 1))
		r = err_set(err, ERR_INVALID_ARGUMENT, "%s is out of range (0 to 1)", text);
	if (r == 0)
		*ret_ppm = (uint32_t)(share * 1000000 + 0.5);
	return r;
}
