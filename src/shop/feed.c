/* Writing a feed: see feed.h. */
#include "shop/feed.h"

#include "base/file.h"
#include "base/mem.h"
#include "shop/shop_sql_int.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define COLUMNS_MAX 19 /* of products, with the end */
#define VALUE_MAX   ((size_t)1 << 20)

struct feed_column {
	const char *name;	    /* in the file */
	const char *table, *column; /* NULL: the file's own table, the same name */
};

struct feed_file {
	const char *name, *sql, *table;
	struct feed_column columns[COLUMNS_MAX + 1];
};

#define OWN(column_name)              \
	{                             \
		.name = (column_name) \
	}
#define KEY(name, table)                   \
	{                                  \
		name, table, "external_id" \
	}

/* In the order of the columns of each statement. */
static const struct feed_file files[SHOP_FEED_FILES] = {
    {"suppliers.csv",
     shop_sql_feed_suppliers,
     "Suppliers",
     {OWN("supplier_name"), OWN("contact_email"), OWN("phone_number"), OWN("country")}},
    {"products.csv",
     shop_sql_feed_products,
     "Products",
     {KEY("product_id", "Products"),
      OWN("product_kind"),
      {"supplier_name", "Suppliers", "supplier_name"},
      {"category_path", "Categories", "category_name"},
      OWN("product_name"),
      OWN("model_name"),
      OWN("product_description"),
      OWN("ean"),
      OWN("price"),
      OWN("currency"),
      OWN("stock_quantity"),
      OWN("product_status"),
      OWN("specifications"),
      OWN("image_url"),
      OWN("release_date"),
      {"service_type", "Service_Details", "service_type"},
      {"duration_minutes", "Service_Details", "duration_minutes"},
      {"delivery_mode", "Service_Details", "delivery_mode"},
      {"lead_time_days", "Service_Details", "lead_time_days"}}},
    {"customers.csv",
     shop_sql_feed_customers,
     "Customers",
     {KEY("customer_id", "Customers"), OWN("first_name"), OWN("last_name"), OWN("email"),
      OWN("phone_number"), OWN("date_of_birth"), OWN("registration_date"), OWN("customer_status"),
      OWN("locale")}},
    {"customer_addresses.csv",
     shop_sql_feed_addresses,
     "Customer_Addresses",
     {KEY("address_id", "Customer_Addresses"), KEY("customer_id", "Customers"), OWN("address_type"),
      OWN("is_default"), OWN("street"), OWN("city"), OWN("state"), OWN("zip"), OWN("country")}},
    {"orders.csv",
     shop_sql_feed_orders,
     "Orders",
     {KEY("order_id", "Orders"), KEY("customer_id", "Customers"),
      KEY("address_id", "Customer_Addresses"), OWN("order_date"), OWN("order_status"),
      OWN("total_amount"), OWN("currency")}},
    {"order_items.csv",
     shop_sql_feed_order_items,
     "Order_Items",
     {KEY("order_id", "Orders"), KEY("product_id", "Products"), OWN("quantity"), OWN("price")}},
    {"reviews.csv",
     shop_sql_feed_reviews,
     "Reviews",
     {KEY("review_id", "Reviews"), KEY("product_id", "Products"), KEY("customer_id", "Customers"),
      OWN("rating"), OWN("review_title"), OWN("review_text"), OWN("review_date")}},
};

/* RFC 4180. */
static void write_field(FILE *out, struct str s)
{
	bool is_quoted = false;

	for (size_t i = 0; i < s.len; i++)
		is_quoted = is_quoted || strchr("\",\r\n", s.data[i]);
	if (is_quoted)
		fputc('"', out);
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '"')
			fputc('"', out);
		fputc(s.data[i], out);
	}
	if (is_quoted)
		fputc('"', out);
}

static int write_row(const struct feed_file *f, const struct shop_feed_options *o,
		     const struct maria_rows *rows, FILE *out, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf value = STRBUF_INIT(VALUE_MAX);

	for (size_t i = 0; f->columns[i].name; i++) {
		const struct feed_column *c = &f->columns[i];
		struct str s = maria_rows_str(rows, i);
		int r = 0;

		strbuf_clear(&value);
		if (s.data && o->value)
			r = o->value(o->arg, c->table ? c->table : f->table,
				     c->column ? c->column : c->name, s, &value, err);
		else if (s.data)
			strbuf_add(&value, s.data, s.len);
		if (r == 0)
			r = strbuf_check(&value, c->name, err);
		if (r < 0)
			return r;
		if (i)
			fputc(',', out);
		write_field(out, strbuf_slice(&value));
	}
	fputc('\n', out);
	return 0;
}

static int write_rows(const struct feed_file *f, struct maria *m, const struct shop_feed_options *o,
		      FILE *out, uint64_t *ret_rows, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	for (size_t i = 0; f->columns[i].name; i++)
		fprintf(out, "%s%s", i ? "," : "", f->columns[i].name);
	fputc('\n', out);
	r = maria_query(m, f->sql, NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		r = write_row(f, o, rows, out, err);
		(*ret_rows)++;
	}
	return r;
}

static int write_file(const struct feed_file *f, struct maria *m, const struct shop_feed_options *o,
		      uint64_t *ret_rows, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", o->dir, f->name);
	FILE *out = fopen(path, "wxe");
	bool is_bad;
	int r;

	if (!out)
		return file_error("write", path, err);
	r = write_rows(f, m, o, out, ret_rows, err);
	is_bad = ferror(out) || fflush(out) != 0 || fsync(fileno(out)) < 0;
	is_bad = fclose(out) != 0 || is_bad;
	if (r < 0)
		return err_context(err, "writing %s", f->name);
	return is_bad ? file_error("write", path, err) : 0;
}

int shop_feed_write(struct maria *m, const struct shop_feed_options *o,
		    struct shop_feed_report *ret, struct err *err)
{
	struct err unused = {0};
	int r;

	if (mkdir(o->dir, 0700) < 0 && errno == EEXIST) {
		(void)err_set(err, ERR_CONFLICT, "\"%s\" is there already", o->dir);
		return err_hint(err, "name a folder that is to be made");
	}
	if (!file_exists(o->dir))
		return file_error("make", o->dir, err);
	*ret = (struct shop_feed_report){0};
	r = maria_snapshot_begin(m, err);
	for (size_t i = 0; i < SHOP_FEED_FILES && r == 0; i++) {
		ret->names[i] = files[i].name;
		r = write_file(&files[i], m, o, &ret->rows[i], err);
	}
	if (r == 0)
		r = maria_snapshot_end(m, err);
	if (r < 0 && dir_remove(o->dir, &unused) < 0)
		err_clear(&unused);
	return r;
}
