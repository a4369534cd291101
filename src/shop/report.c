/* Reports: see report.h. */
#include "shop/report.h"

#include "shop/shop_sql_int.h"

#include "base/banned.h"

static const struct shop_report reports[] = {
    {.name = "quarterly-sales",
     .summary = "orders and revenue by quarter",
     .sql = shop_sql_report_quarterly_sales,
     .columns = {"quarter", "currency", ">orders", ">revenue", ">average_order", NULL},
     .labels = 2,
     .bar = 3},
    {.name = "top-products",
     .summary = "what brought most",
     .sql = shop_sql_report_top_products,
     .columns = {"product", "currency", ">product_id", ">units", ">revenue", NULL},
     .labels = 2,
     .bar = 4},
    {.name = "categories",
     .summary = "revenue of the top categories, with all below them",
     .sql = shop_sql_report_categories,
     .columns = {"category", "currency", ">units", ">revenue", NULL},
     .labels = 2,
     .bar = 3},
    {.name = "cohorts",
     .summary = "customers by the quarter of their first order, and who came back",
     .sql = shop_sql_report_cohorts,
     .columns = {"first_quarter", ">customers", ">came_back", ">percent", NULL},
     .labels = 1,
     .bar = 3},
    {.name = "stock",
     .summary = "what runs out: five pieces or fewer",
     .sql = shop_sql_report_stock,
     .columns = {"product", "supplier", ">product_id", ">stock", ">reserved", ">available", NULL},
     .labels = 2,
     .bar = 5},
    {0}};
const struct shop_report *const shop_reports = reports;

int shop_report_find(const char *name, const struct shop_report **ret, struct err *err)
{
	const char *names[ARRAY_LEN(reports)];

	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		names[i] = reports[i].name;
		if (reports[i].name && cstr_equal(reports[i].name, name)) {
			*ret = &reports[i];
			return 0;
		}
	}
	(void)err_set(err, ERR_INVALID_ARGUMENT, "there is no report \"%s\"", name);
	(void)err_near(err, cstr_nearest(name, names));
	return err_hint(err, "`aethermart report --help` lists them");
}

int shop_report_run(struct maria *m, const struct shop_report *report, uint64_t limit,
		    shop_report_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	const struct maria_value most = MARIA_U(limit);
	struct str values[SHOP_REPORT_COLUMNS_MAX];
	size_t n = 0;
	int r = maria_query(m, report->sql, &most, 1, &rows, err);

	while (report->columns[n])
		n++;
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		for (size_t i = 0; i < n; i++)
			values[i] = maria_rows_str(rows, i);
		r = fn(arg, values, n, err);
	}
	return r;
}
