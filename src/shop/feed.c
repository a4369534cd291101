/*
 * Writing a feed: see feed.h. It is made beside, under a name that says so, and gets its own when
 * it is whole. Who writes holds a lock of that folder, which ends with the process: what is there
 * without a lock was left by one that was interrupted.
 */
#include "shop/feed.h"

#include "base/file.h"
#include "base/mem.h"
#include "shop/shop_sql_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
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
		      const char *dir, uint64_t *ret_rows, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, f->name);
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

/* --- the folder ------------------------------------------------------------------------------ */

static int is_taken(const char *dir, struct err *err)
{
	(void)err_set(err, ERR_CONFLICT, "\"%s\" is there already", dir);
	return err_hint(err, "name a folder that is to be made");
}

/* Ours, locked, and without what an interrupted one left. */
static int take_partial(const char *partial, int *ret_fd, struct err *err)
{
	struct stat st;

	if (mkdir(partial, 0700) < 0 && errno != EEXIST)
		return file_error("make", partial, err);
	*ret_fd = open(partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0)
		return file_error("open", partial, err);
	if (st.st_uid != geteuid())
		return is_taken(partial, err);
	if (flock(*ret_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_CONFLICT, "\"%s\" is being written", partial);
	for (size_t i = 0; i < SHOP_FEED_FILES; i++)
		if (unlinkat(*ret_fd, files[i].name, 0) < 0 && errno != ENOENT)
			return file_error("remove what is left in", partial, err);
	return 0;
}

static int write_files(struct maria *m, const struct shop_feed_options *o, const char *dir,
		       struct shop_feed_report *ret, struct err *err)
{
	int r = maria_snapshot_begin(m, err);

	for (size_t i = 0; i < SHOP_FEED_FILES && r == 0; i++) {
		ret->names[i] = files[i].name;
		r = write_file(&files[i], m, o, dir, &ret->rows[i], err);
	}
	return r == 0 ? maria_snapshot_end(m, err) : r;
}

int shop_feed_write(struct maria *m, const struct shop_feed_options *o,
		    struct shop_feed_report *ret, struct err *err)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s", o->dir), *partial = NULL;
	_cleanup_(closep) int fd = -1;
	struct err unused = {0};
	int r;

	for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/';)
		dir[--n] = '\0';
	partial = mem_printf("%s" SHOP_FEED_PARTIAL, dir);
	*ret = (struct shop_feed_report){0};
	if (file_exists(dir))
		return is_taken(dir, err);
	r = take_partial(partial, &fd, err);
	if (r < 0)
		return r;
	r = write_files(m, o, partial, ret, err);
	if (r == 0 && rename(partial, dir) < 0)
		r = errno == ENOTEMPTY || errno == EEXIST ? is_taken(dir, err)
							  : file_error("make", dir, err);
	if (r < 0 && dir_remove(partial, &unused) < 0)
		err_clear(&unused);
	if (r == 0 && file_sync_folder(dir) < 0)
		r = file_error("make", dir, err);
	return r;
}
