/* The warehouse: see warehouse.h. What it does is in sql/warehouse/; here it is made and asked. */
#include "shop/warehouse.h"

#include "shop/shop_sql_int.h"
#include "shop/shop_warehouse_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

#define NO_DATABASE    1049 /* MariaDB's errors */
#define NO_RIGHTS      1044 /* to a database, also to one that is not there */
#define NO_TABLE       1146
#define COLLECTIONS    4
#define CHECK_ATTEMPTS 5 /* a table may be altered under it: a new year of the archive */
#define ENTRY	       "sp_run_etl_pipeline" /* in the shop's database */
#define COMMENT	       "aethermart: refreshes the warehouse"

const struct config_option warehouse_options[] = {
    {.section = "warehouse",
     .name = "enabled",
     .type = CONFIG_BOOL,
     .fallback = "on",
     .help = "Whether `up` makes the warehouse beside the shop. It is filled by `aethermart "
	     "warehouse refresh`, and each hour where the server's event scheduler runs."},
    {.section = "warehouse",
     .name = "database",
     .type = CONFIG_TEXT,
     .fallback = "aethermart_dw",
     .help = "Name of the warehouse's database, on the server that holds the shop."},
    {0},
};

static struct shop_schema schema_of(const struct shop_warehouse *w)
{
	return (struct shop_schema){
	    .files = shop_warehouse_files, .folder = "sql/warehouse", .shop = w->maria->database};
}

/* --- opening --------------------------------------------------------------------------------- */

static int open_database(const struct shop_warehouse *w, const char *database, struct maria **ret,
			 struct err *err)
{
	struct maria_options options = *w->maria;

	options.database = database;
	return maria_open(&options, ret, err);
}

static int no_sync(struct err *err)
{
	err->code = ERR_UNAVAILABLE;
	return err_hint(err, "the sync tells what changed: `aethermart up`, or `aethermart sync "
			     "install`");
}

/* Asked before anything is made of which half would refer to tables that are not there. */
static int need_sync(const struct shop_warehouse *w, struct err *err)
{
	_cleanup_(maria_closep) struct maria *shop = NULL;
	bool has_sync = false;
	int r = maria_open(w->maria, &shop, err);

	if (r == 0)
		r = maria_has_table(shop, "sync_handoff", &has_sync, err);
	if (r < 0 || has_sync)
		return r;
	(void)err_set(err, ERR_UNAVAILABLE, "the sync is not installed in \"%s\"",
		      w->maria->database);
	return no_sync(err);
}

static int no_rights(const struct shop_warehouse *w, struct err *err)
{
	return err_hint(
	    err,
	    "`aethermart doctor --grants` prints the rights on \"%s\"; or do without it: "
	    "warehouse.enabled: off",
	    w->database);
}

/* Whose warehouse this database is; empty: of nobody, for there is none. */
static int find_shop(struct maria *m, struct strbuf *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	bool has_identity = false;
	int r = maria_has_table(m, "Etl_Identity", &has_identity, err);

	if (r == 0 && has_identity)
		r = maria_query_row(m, shop_sql_warehouse_identity, NULL, 0, &rows, err);
	if (r > 0)
		strbuf_add(ret, maria_rows_str(rows, 0).data, maria_rows_str(rows, 0).len);
	return r < 0 ? r : 0;
}

/* One that is nobody's is not another's. */
static int check_shop(const struct shop_warehouse *w, struct maria *m, bool *ret_is_own,
		      struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf shop = STRBUF_INIT(0);
	int r = find_shop(m, &shop, err);

	*ret_is_own = r == 0 && cstr_equal(strbuf_str(&shop), w->maria->database);
	if (r < 0 || !shop.len || *ret_is_own)
		return r;
	(void)err_set(err, ERR_CONFLICT, "the warehouse \"%s\" is that of the shop \"%s\"",
		      w->database, strbuf_str(&shop));
	return err_hint(err, "name another database in warehouse.database");
}

static int no_warehouse(const struct shop_warehouse *w, struct err *err)
{
	(void)err_set(err, ERR_NOT_FOUND, "there is no warehouse in a database \"%s\"",
		      w->database);
	return err_hint(err, "`aethermart warehouse refresh` makes it");
}

int shop_warehouse_open(const struct shop_warehouse *w, struct maria **ret, struct err *err)
{
	bool is_own = false;
	int r = open_database(w, w->database, ret, err);

	if (r < 0)
		return err->native == NO_DATABASE ? no_warehouse(w, err) : r;
	r = check_shop(w, *ret, &is_own, err);
	if (r < 0)
		return r;
	return is_own ? need_sync(w, err) : no_warehouse(w, err);
}

/* --- making ---------------------------------------------------------------------------------- */

/* With the collation of the shop's: texts of both are compared. */
static int make_database(const struct shop_warehouse *w, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(mem_freep) char *collation = NULL;
	int r = open_database(w, NULL, &m, err);

	if (r == 0)
		r = maria_query_text(m, shop_sql_warehouse_collation,
				     MARIA_ARGS(MARIA_S(w->maria->database)), &collation, err);
	if (r == 0)
		r = maria_make_database(m, w->database, collation, err);
	return r < 0 ? err_context(err, "making the warehouse's database") : 0;
}

static int open_or_make(const struct shop_warehouse *w, struct maria **ret, struct err *err)
{
	int r = open_database(w, w->database, ret, err);

	if (r == 0 || err->native != NO_DATABASE)
		return r;
	err_clear(err);
	r = make_database(w, err);
	return r == 0 ? open_database(w, w->database, ret, err) : r;
}

enum entry { ENTRY_NONE, ENTRY_OWN, ENTRY_OTHERS };

static int find_entry(struct maria *shop, enum entry *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(shop, shop_sql_warehouse_routine,
				MARIA_ARGS(MARIA_S(COMMENT), MARIA_S(ENTRY)), &rows, err);

	if (r < 0)
		return r;
	*ret = r == 0 ? ENTRY_NONE : maria_rows_int(rows, 0) ? ENTRY_OWN : ENTRY_OTHERS;
	return 0;
}

/* One that somebody else made stays. */
static int make_entry(const struct shop_warehouse *w, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	_cleanup_(maria_closep) struct maria *shop = NULL;
	enum entry entry = ENTRY_NONE;
	int r = maria_open(w->maria, &shop, err);

	if (r == 0)
		r = find_entry(shop, &entry, err);
	if (r < 0 || entry == ENTRY_OTHERS)
		return r;
	MARIA_ADD(&sql,
		  "CREATE OR REPLACE PROCEDURE " ENTRY "() MODIFIES SQL DATA COMMENT '" COMMENT
		  "' CALL #." ENTRY "()",
		  w->database);
	return maria_exec(shop, strbuf_str(&sql), err);
}

/* Another shop may have claimed it since it was looked at. */
static int claim(const struct shop_warehouse *w, struct maria *m, struct err *err)
{
	bool is_own;
	int r = maria_run(m, shop_sql_warehouse_claim, MARIA_ARGS(MARIA_S(w->maria->database)),
			  NULL, err);

	return r < 0 ? r : check_shop(w, m, &is_own, err);
}

int shop_warehouse_install(const struct shop_warehouse *w, struct err *err)
{
	_cleanup_(shop_schema_report_done) struct shop_schema_report report = {0};
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct shop_schema schema = schema_of(w);
	bool is_own;
	int r = need_sync(w, err);

	if (r == 0)
		r = open_or_make(w, &m, err);
	if (r == 0)
		r = check_shop(w, m, &is_own, err);
	if (r == 0)
		r = shop_schema_apply(m, &schema, &report, err);
	if (r == 0)
		r = claim(w, m, err);
	if (r == 0)
		r = make_entry(w, err);
	if (r == -ERR_NOT_FOUND && err->native == NO_TABLE)
		return no_sync(err);
	return r == -ERR_PERMISSION ? no_rights(w, err) : r;
}

/* --- dropping -------------------------------------------------------------------------------- */

static int drop_entry(const struct shop_warehouse *w, struct err *err)
{
	_cleanup_(maria_closep) struct maria *shop = NULL;
	enum entry entry = ENTRY_NONE;
	int r = maria_open(w->maria, &shop, err);

	if (r == 0)
		r = find_entry(shop, &entry, err);
	return r < 0 || entry != ENTRY_OWN
		   ? r
		   : maria_exec(shop, "DROP PROCEDURE IF EXISTS " ENTRY, err);
}

/* What is another shop's, or cannot be seen, is not ours to drop. */
static int open_own(const struct shop_warehouse *w, struct maria **ret, bool *ret_is_own,
		    struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf shop = STRBUF_INIT(0);
	struct shop_schema schema = schema_of(w);
	int r = open_database(w, w->database, ret, err);

	*ret_is_own = false;
	if (r < 0 && (err->native == NO_DATABASE || err->native == NO_RIGHTS)) {
		err_clear(err);
		return 0;
	}
	if (r == 0)
		r = find_shop(*ret, &shop, err);
	if (r < 0 || !cstr_equal(strbuf_str(&shop), w->maria->database))
		return r;
	*ret_is_own = true;
	return shop_schema_check(*ret, &schema, err);
}

int shop_warehouse_may_drop(const struct shop_warehouse *w, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	bool is_own;
	int r = open_own(w, &m, &is_own, err);

	return r < 0 ? err_context(err, "looking at the warehouse") : 0;
}

int shop_warehouse_drop(const struct shop_warehouse *w, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct shop_schema schema = schema_of(w);
	bool is_own;
	int r = open_own(w, &m, &is_own, err);

	if (r < 0 || !is_own)
		return r;
	r = drop_entry(w, err);
	return r < 0 ? r : shop_schema_drop(m, &schema, err);
}

/* --- refreshing ------------------------------------------------------------------------------ */

static int step(struct maria *m, unsigned collection, uint64_t *ret_rows, bool *ret_is_over,
		struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_run(m, shop_sql_warehouse_step, MARIA_ARGS(MARIA_U(collection)), NULL, err);

	if (r == 0)
		r = maria_query_row(m, shop_sql_warehouse_step_result, NULL, 0, &rows, err);
	if (r == 0)
		r = err_set(err, ERR_INTERNAL, "a step of the warehouse answers nothing");
	if (r < 0)
		return r;
	*ret_rows = maria_rows_uint(rows, 0);
	*ret_is_over = maria_rows_int(rows, 1) != 0;
	return 0;
}

static int end_run(struct maria *m, struct shop_warehouse_run *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(m, shop_sql_warehouse_end, NULL, 0, &rows, err);

	if (r == 0)
		return err_set(err, ERR_INTERNAL, "the end of a refresh answers nothing");
	if (r > 0)
		*ret = (struct shop_warehouse_run){.run = maria_rows_uint(rows, 0),
						   .customers = maria_rows_uint(rows, 3),
						   .products = maria_rows_uint(rows, 4),
						   .orders = maria_rows_uint(rows, 5),
						   .reviews = maria_rows_uint(rows, 6)};
	return r < 0 ? r : 0;
}

int shop_warehouse_refresh(struct maria *m, bool all, void (*on_page)(void *arg, uint64_t done),
			   void *arg, struct shop_warehouse_run *ret, struct err *err)
{
	uint64_t done = 0;
	int r = maria_run(m, shop_sql_warehouse_start, MARIA_ARGS(MARIA_I(all)), NULL, err);

	for (unsigned i = 1; i <= COLLECTIONS && r == 0; i++) {
		bool is_over = false;

		while (r == 0 && !is_over) {
			uint64_t rows = 0;

			r = step(m, i, &rows, &is_over, err);
			done += rows;
			if (r == 0 && on_page)
				on_page(arg, done);
		}
	}
	if (r == 0)
		r = end_run(m, ret, err);
	return r < 0 ? err_context(err, "refreshing the warehouse") : 0;
}

int shop_warehouse_count(struct maria *m, const char *shop, uint64_t *ret, struct err *err)
{
	static const char *const tables[] = {"Customers", "Products", "Orders", "TR_Orders_Archive",
					     "Reviews"};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	int64_t n = 0;
	int r;

	strbuf_addstr(&sql, "SELECT 0");
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		MARIA_ADD(&sql, " + (SELECT COUNT(*) FROM #.#)", shop, tables[i]);
	}
	r = maria_query_int(m, strbuf_str(&sql), NULL, 0, &n, err);
	if (r == 0)
		*ret = (uint64_t)n;
	return r;
}

/* --- checking -------------------------------------------------------------------------------- */

/* A bound text is refused there. */
static int limit_time(struct maria *m, int64_t ms, struct err *err)
{
	char sql[80];

	(void)snprintf(sql, sizeof(sql), "SET SESSION max_statement_time = %" PRId64 ".%03" PRId64,
		       ms / 1000, ms % 1000);
	return maria_exec(m, sql, err);
}

int shop_warehouse_check(struct maria *m, int64_t timeout_ms, shop_warehouse_fn fn, void *arg,
			 struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = limit_time(m, timeout_ms, err) < 0 ? -(int)err->code : -ERR_RETRY;

	for (int i = 0; i < CHECK_ATTEMPTS && r == -ERR_RETRY; i++) {
		err_clear(err);
		r = maria_query(m, shop_sql_warehouse_check, NULL, 0, &rows, err);
	}
	if (r < 0 && err->native == NO_TABLE)
		return no_sync(err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct shop_warehouse_finding f = {.subject = maria_rows_str(rows, 0).data,
						   .shop = maria_rows_str(rows, 1).data,
						   .warehouse = maria_rows_str(rows, 2).data,
						   .differ = maria_rows_uint(rows, 3),
						   .pending = maria_rows_uint(rows, 4)};

		r = fn(arg, &f, err);
	}
	return r < 0 ? err_context(err, "checking the warehouse") : 0;
}
