/*
 * What the entities are: columns, kinds, limits, references, keys. Everything else in loading works
 * from this table; limits repeat those of sql/.
 */
#include "shop/load_int.h"

#include <strings.h>

#include "base/banned.h"

#define CENTS_MAX	999999999999   /* DECIMAL(12,2) */
#define TOTAL_MAX	99999999999999 /* DECIMAL(14,2) */
#define DESCRIPTION_MAX 16000	       /* characters: TEXT holds 65,535 bytes */

#define KEY(n)                                                              \
	{                                                                   \
		.name = (n), .stage = "external_id", .kind = LOAD_KIND_KEY, \
		.flags = LOAD_IN_HEADER | LOAD_REQUIRED,                    \
	}
#define REF(n, s, t, table, key, f, alias)                                                     \
	{                                                                                      \
		.name = (n), .stage = (s), .target = (t), .kind = LOAD_KIND_REF, .flags = (f), \
		.ref_table = (table), .ref_key = (key), .ref_id = (t), .ref_entity = (alias),  \
	}
#define TEXT(n, m, f)                                                          \
	{                                                                      \
		.name = (n), .kind = LOAD_KIND_TEXT, .max = (m), .flags = (f), \
	}
#define BOTH (LOAD_IN_HEADER | LOAD_REQUIRED)

static const struct load_column suppliers[] = {
    {.name = "supplier_name", .kind = LOAD_KIND_SUPPLIER, .flags = BOTH, .max = 160},
    {.name = "contact_email", .kind = LOAD_KIND_EMAIL},
    {.name = "phone_number", .kind = LOAD_KIND_PHONE, .max = 32},
    {.name = "country", .kind = LOAD_KIND_COUNTRY},
};

static const struct load_column categories[] = {
    {.name = "category_path", .kind = LOAD_KIND_CATEGORY, .flags = BOTH},
};

static const struct load_column products[] = {
    KEY("product_id"),
    {.name = "product_kind",
     .kind = LOAD_KIND_CHOICE,
     .choices = "physical|service",
     .fallback = "physical",
     .flags = LOAD_ALWAYS},
    {.name = "supplier_name",
     .stage = "supplier_ref",
     .target = "supplier_id",
     .kind = LOAD_KIND_SUPPLIER,
     .flags = BOTH,
     .max = 160,
     .ref_table = "Suppliers",
     .ref_key = "supplier_name",
     .ref_id = "supplier_id"},
    {.name = "category_path",
     .stage = "category_ref",
     .target = "category_id",
     .kind = LOAD_KIND_CATEGORY,
     .fallback = "Other > Unsorted",
     .ref_table = "Categories",
     .ref_key = "category_slug",
     .ref_id = "category_id"},
    TEXT("product_name", 255, BOTH),
    TEXT("model_name", 160, 0),
    {.name = "product_description", .kind = LOAD_KIND_LINES, .max = DESCRIPTION_MAX},
    {.name = "ean", .kind = LOAD_KIND_EAN, .flags = LOAD_UNIQUE},
    {.name = "price",
     .kind = LOAD_KIND_AMOUNT,
     .flags = BOTH,
     .high = CENTS_MAX,
     .range_rule = QUALITY_PRICE_NEGATIVE},
    {.name = "currency", .kind = LOAD_KIND_CURRENCY, .fallback = "USD"},
    {.name = "stock_quantity",
     .kind = LOAD_KIND_INT,
     .high = INT32_MAX,
     .range_rule = QUALITY_STOCK_NEGATIVE,
     .update = "IF(s.product_kind = 'service', NULL, COALESCE(%given%, t.stock_quantity, "
	       "s.stock_quantity))"},
    {.name = "product_status",
     .kind = LOAD_KIND_CHOICE,
     .choices = "active|retired",
     .fallback = "active"},
    {.name = "specifications", .kind = LOAD_KIND_JSON},
    TEXT("image_url", 500, 0),
    {.name = "release_date", .kind = LOAD_KIND_DATE},
    {.name = "service_type",
     .kind = LOAD_KIND_CHOICE,
     .choices = "consultation|installation|repair",
     .flags = LOAD_DETAIL},
    {.name = "duration_minutes",
     .kind = LOAD_KIND_INT,
     .low = 1,
     .high = UINT32_MAX,
     .flags = LOAD_DETAIL},
    {.name = "delivery_mode",
     .kind = LOAD_KIND_CHOICE,
     .choices = "on_site|remote|in_store",
     .flags = LOAD_DETAIL},
    {.name = "lead_time_days",
     .kind = LOAD_KIND_INT,
     .high = UINT16_MAX,
     .fallback = "0",
     .flags = LOAD_DETAIL},
};

static const struct load_column customers[] = {
    KEY("customer_id"),
    TEXT("first_name", 80, BOTH),
    TEXT("last_name", 80, BOTH),
    {.name = "email", .kind = LOAD_KIND_EMAIL, .flags = LOAD_UNIQUE},
    {.name = "phone_number", .kind = LOAD_KIND_PHONE, .max = 32},
    {.name = "date_of_birth", .kind = LOAD_KIND_DATE, .flags = LOAD_PAST},
    {.name = "registration_date", .kind = LOAD_KIND_DATETIME, .flags = BOTH},
    {.name = "customer_status",
     .kind = LOAD_KIND_CHOICE,
     .choices = "active|inactive",
     .fallback = "active"},
    {.name = "locale", .kind = LOAD_KIND_LOCALE},
};

static const struct load_column addresses[] = {
    KEY("address_id"),
    REF("customer_id", "customer_ref", "customer_id", "Customers", "external_id", BOTH,
	"customers"),
    {.name = "address_type",
     .kind = LOAD_KIND_CHOICE,
     .choices = "home|work|billing|shipping",
     .fallback = "home"},
    {.name = "is_default", .kind = LOAD_KIND_INT, .high = 1, .fallback = "0"},
    TEXT("street", 200, BOTH),
    TEXT("city", 120, BOTH),
    TEXT("state", 80, 0),
    TEXT("zip", 20, 0),
    {.name = "country", .kind = LOAD_KIND_COUNTRY, .flags = BOTH},
};

static const struct load_column orders[] = {
    KEY("order_id"),
    REF("customer_id", "customer_ref", "customer_id", "Customers", "external_id", BOTH,
	"customers"),
    REF("address_id", "address_ref", "address_id", "Customer_Addresses", "external_id", 0, NULL),
    {.name = "order_date", .kind = LOAD_KIND_DATETIME, .flags = BOTH},
    {.name = "order_status",
     .kind = LOAD_KIND_CHOICE,
     .choices = "pending|paid|shipped|delivered|cancelled|returned",
     .fallback = "pending"},
    {.name = "total_amount",
     .kind = LOAD_KIND_AMOUNT,
     .high = TOTAL_MAX,
     .fallback = "0.00",
     .range_rule = QUALITY_VALUE_DROPPED},
    {.name = "currency", .kind = LOAD_KIND_CURRENCY, .fallback = "USD"},
};

static const struct load_column order_items[] = {
    REF("order_id", "order_ref", "order_id", "Orders", "external_id", BOTH, NULL),
    REF("product_id", "product_ref", "product_id", "Products", "external_id", BOTH, NULL),
    {.name = "quantity", .kind = LOAD_KIND_INT, .flags = BOTH, .low = 1, .high = 1000000},
    {.name = "price",
     .kind = LOAD_KIND_AMOUNT,
     .flags = BOTH,
     .high = CENTS_MAX,
     .range_rule = QUALITY_PRICE_NEGATIVE},
};

static const struct load_column reviews[] = {
    KEY("review_id"),
    REF("product_id", "product_ref", "product_id", "Products", "external_id", BOTH, NULL),
    REF("customer_id", "customer_ref", "customer_id", "Customers", "external_id", BOTH,
	"customers"),
    {.name = "rating",
     .kind = LOAD_KIND_INT,
     .flags = BOTH,
     .low = 1,
     .high = 5,
     .range_rule = QUALITY_RATING_RANGE},
    TEXT("review_title", 200, 0),
    {.name = "review_text", .kind = LOAD_KIND_LINES, .max = DESCRIPTION_MAX},
    {.name = "review_date", .kind = LOAD_KIND_DATETIME, .flags = BOTH},
};

#define COLUMNS(list) .n_columns = ARRAY_LEN(list), .columns = (list)
#define BY_EXTERNAL_ID                                                           \
	.key_stage = {"external_id", NULL}, .key_target = {"external_id", NULL}, \
	.key_resolved = {"external_id", NULL}

static const struct load_entity entities[LOAD_ENTITIES] = {
    [LOAD_SUPPLIERS] = {LOAD_SUPPLIERS, "suppliers", "Staging_Suppliers", "Suppliers",
			"supplier_id", .key_stage = {"supplier_name", NULL},
			.key_target = {"supplier_name", NULL},
			.key_resolved = {"supplier_name", NULL}, COLUMNS(suppliers)},
    [LOAD_CATEGORIES] = {LOAD_CATEGORIES, "categories", NULL, "Categories", "category_id",
			 COLUMNS(categories)},
    [LOAD_PRODUCTS] = {LOAD_PRODUCTS, "products", "Staging_Products", "Products", "product_id",
		       BY_EXTERNAL_ID, .detail = "Service_Details",
		       .detail_when = "s.product_kind = 'service'",
		       .on_change = "t.updated_at = UTC_TIMESTAMP(3)", COLUMNS(products)},
    [LOAD_CUSTOMERS] = {LOAD_CUSTOMERS, "customers", "Staging_Customers", "Customers",
			"customer_id", BY_EXTERNAL_ID, COLUMNS(customers)},
    [LOAD_ADDRESSES] = {LOAD_ADDRESSES, "addresses", "Staging_Addresses", "Customer_Addresses",
			"address_id", BY_EXTERNAL_ID, COLUMNS(addresses)},
    [LOAD_ORDERS] = {LOAD_ORDERS, "orders", "Staging_Orders", "Orders", "order_id", BY_EXTERNAL_ID,
		     COLUMNS(orders)},
    [LOAD_ORDER_ITEMS] = {LOAD_ORDER_ITEMS, "order_items", "Staging_Order_Items", "Order_Items",
			  "order_item_id", .key_stage = {"order_ref", "product_ref"},
			  .key_target = {"order_id", "product_id"},
			  .key_resolved = {"order_id", "product_id"}, .zero = "stock_taken",
			  COLUMNS(order_items)},
    [LOAD_REVIEWS] = {LOAD_REVIEWS, "reviews", "Staging_Reviews", "Reviews", "review_id",
		      BY_EXTERNAL_ID, COLUMNS(reviews)},
};

const struct load_entity *load_entity_get(enum load_entity_id id)
{
	bug_if((unsigned)id >= LOAD_ENTITIES);
	return &entities[id];
}

const char *load_entity_name(enum load_entity_id id)
{
	return (unsigned)id < LOAD_ENTITIES ? entities[id].name : NULL;
}

static int find_column(const struct load_entity *e, struct str name)
{
	for (size_t i = 0; i < e->n_columns; i++) {
		if (strlen(e->columns[i].name) == name.len &&
		    strncasecmp(e->columns[i].name, name.data, name.len) == 0)
			return (int)i;
	}
	return -1;
}

const struct load_column *load_entity_find(const struct load_entity *e, const char *name)
{
	int i = find_column(e, str_from(name));

	return i < 0 ? NULL : &e->columns[i];
}

size_t load_entity_column(const struct load_entity *e, const char *name)
{
	int i = find_column(e, str_from(name));

	bug_if(i < 0);
	return (size_t)i;
}

/* Known names, less what is needed and not there: the higher, the likelier. */
static int likeness(const struct load_entity *e, const struct load_record *header)
{
	int known = 0, missing = 0, unknown = 0;

	for (size_t i = 0; i < header->n_fields; i++) {
		bool is_known = find_column(e, str_trim(header->fields[i])) >= 0;

		known += is_known;
		unknown += !is_known;
	}
	for (size_t i = 0; i < e->n_columns; i++) {
		bool found = !(e->columns[i].flags & LOAD_IN_HEADER);

		for (size_t k = 0; k < header->n_fields && !found; k++)
			found = find_column(e, str_trim(header->fields[k])) == (int)i;
		missing += !found;
	}
	return known * 4 - missing * 6 - unknown * 3;
}

static int unknown_column(const char *file, const struct load_entity *e, struct str name,
			  struct err *err)
{
	const char *names[LOAD_COLUMNS_MAX + 1] = {0};
	char *text = mem_strndup(name.data, name.len > 60 ? 60 : name.len);
	const char *near;

	for (size_t i = 0; i < e->n_columns; i++)
		names[i] = e->columns[i].name;
	near = cstr_nearest(text, names);
	(void)err_set(err, ERR_INVALID_ARGUMENT, "%s:1: unknown column \"%s\" in a file of %s",
		      file, text, e->name);
	if (near)
		(void)err_hint(err, "did you mean \"%s\"?", near);
	else
		(void)err_hint(err, "docs/data.md lists the columns");
	mem_free(text);
	return -ERR_INVALID_ARGUMENT;
}

int load_entity_match(const char *file, const struct load_record *header, enum load_entity_id *ret,
		      int ret_columns[LOAD_FIELDS_MAX], struct err *err)
{
	const struct load_entity *best = NULL;
	int score = 0;

	for (size_t i = 0; i < LOAD_ENTITIES; i++) {
		int s = likeness(&entities[i], header);

		if (s > score) {
			score = s;
			best = &entities[i];
		}
	}
	if (!best) {
		(void)err_set(
		    err, ERR_INVALID_ARGUMENT,
		    "%s:1: this is no file of a feed: its first line names no known columns", file);
		return err_hint(err, "docs/data.md shows the header of each kind of file");
	}
	for (size_t i = 0; i < header->n_fields; i++) {
		struct str name = str_trim(header->fields[i]);
		int c = find_column(best, name);

		if (c < 0)
			return unknown_column(file, best, name, err);
		for (size_t k = 0; k < i; k++) {
			if (ret_columns[k] == c)
				return err_set(err, ERR_INVALID_ARGUMENT,
					       "%s:1: column \"%s\" stands twice in the header",
					       file, best->columns[c].name);
		}
		ret_columns[i] = c;
	}
	for (size_t i = 0; i < best->n_columns; i++) {
		bool found = !(best->columns[i].flags & LOAD_IN_HEADER);

		for (size_t k = 0; k < header->n_fields && !found; k++)
			found = ret_columns[k] == (int)i;
		if (!found)
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "%s:1: column \"%s\" is missing in a file of %s", file,
				       best->columns[i].name, best->name);
	}
	*ret = best->id;
	return 0;
}

const char *load_entity_table(enum load_entity_id id)
{
	return load_entity_get(id)->target;
}

const char *load_entity_key(enum load_entity_id id)
{
	const struct load_entity *e = load_entity_get(id);

	return e->key_target[1] ? NULL : e->key_target[0];
}
