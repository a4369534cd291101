/*
 * The table of stores, and how each kind is measured and purged: see retention.h.
 *
 * Rows of these tables are appended, so their order by number is that of their time: a purge walks
 * up the primary key and stops at the first row that is young enough. It never looks for old rows
 * among young ones, which would read, and lock, the whole table each hour.
 */
#include "govern/retention_int.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "govern/govern_sql_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/banned.h"

#define PIECE_ROWS   2000
#define COUNTED_ROWS 10000 /* so many rows, as the server estimates, are counted */
#define COUNTED_MAX  100000
#define DAY_MS	     ((int64_t)86400000)
#define DAY_S	     86400L
#define SAMPLES_MIN  12
#define SAMPLES_DAYS 90

const struct retention_store retention_stores[] = {
    {.name = "audit",
     .kind = RETENTION_CHAIN,
     .table = "Audit_Events",
     .key = "audit_id",
     .time = "happened_at",
     .child = "Audit_Details",
     .option = "retention.audit",
     .why = "a year's questions, and a month to ask them; a signed checkpoint stays"},
    {.name = "rbac_audit",
     .table = "rbac_audit",
     .key = "rbac_id",
     .time = "happened_at",
     .option = "retention.rbac_audit",
     .why = "what people did by SQL is asked for within a quarter, and names people"},
    {.name = "witness_files",
     .kind = RETENTION_WITNESS,
     .option = "retention.witness_files",
     .why = "they hold what was typed, values too; rbac_audit has the rest"},
    {.name = "lineage",
     .table = "data_lineage_tracker",
     .key = "lineage_id",
     .time = "event_time",
     /* A run goes whole: an end without its START would tell nothing. */
     .condition = "NOT EXISTS (SELECT 1 FROM Lineage_Runs l WHERE l.run_id ="
		  " data_lineage_tracker.run_id) AND NOT EXISTS (SELECT 1 FROM data_lineage_tracker"
		  " y WHERE y.run_id = data_lineage_tracker.run_id AND y.run_end = 'END' AND"
		  " y.event_time >="
		  " UTC_TIMESTAMP() - INTERVAL ? SECOND)",
     .option = "retention.lineage",
     .why = "a year's reports can be traced"},
    {.name = "quality",
     .table = "data_quality_logs",
     .key = "quality_log_id",
     .time = "logged_at",
     .child = "Quality_Samples",
     .option = "retention.quality",
     .why = "trends over a year; it may hold values of people"},
    {.name = "load_runs",
     .table = "Load_Runs",
     .key = "load_id",
     .time = "started_at",
     .condition = "NOT EXISTS (SELECT 1 FROM data_quality_logs c WHERE c.load_id ="
		  " Load_Runs.load_id) AND load_id <> COALESCE((SELECT f.load_id FROM Load_Runs f"
		  " WHERE f.run_status = 'done' ORDER BY f.load_id LIMIT 1), 0)",
     .option = "retention.quality",
     .why = "as long as what it found; the first one stays, from which the shop is"},
    {.name = "quality_runs",
     .table = "Quality_Runs",
     .key = "run_id",
     .time = "started_at",
     .condition = "NOT EXISTS (SELECT 1 FROM data_quality_logs c WHERE c.run_id ="
		  " Quality_Runs.run_id)",
     .option = "retention.quality",
     .why = "as long as what it found"},
    {.name = "quality_acks",
     .table = "Quality_Acks",
     .key = "ack_id",
     .time = "acked_at",
     .condition = "(ended_at IS NOT NULL OR until_day < UTC_DATE()) AND NOT EXISTS (SELECT 1"
		  " FROM data_quality_logs c WHERE c.ack_id = Quality_Acks.ack_id)",
     .option = "retention.quality",
     .why = "as long as what was known of; one that holds stays"},
    {.name = "quarantine",
     .table = "Quality_Quarantine",
     .time = "resolved_at", /* NULL, and so never old, while it fails */
     .option = "retention.quarantine",
     .why = "what passes again; keys may be those of people. What fails stays"},
    {.name = "price_history",
     .table = "Product_Price_History",
     .key = "price_history_id",
     .time = "changed_at",
     .condition = "price_history_id <> (SELECT n.price_history_id FROM Product_Price_History n"
		  " WHERE n.product_id = Product_Price_History.product_id"
		  " ORDER BY n.changed_at DESC, n.price_history_id DESC LIMIT 1)",
     .option = "retention.price_history",
     .why = "what a product cost then is asked with old orders; the newest price always stays"},
    {.name = "order_requests",
     .table = "Order_Requests",
     .time = "requested_at",
     .option = "retention.order_requests",
     .why = "nobody repeats an order after that; its key would order again"},
    {.name = "order_events",
     .table = "Order_Events",
     .key = "order_event_id",
     .time = "happened_at",
     .why = "the history of orders, archived ones too: the shop's books"},
    {.name = "stock_movements",
     .table = "Stock_Movements",
     .key = "movement_id",
     .time = "moved_at",
     .why = "their sum is the stock, which is checked: without the old ones it is another"},
    {.name = "sync_audit",
     .table = "sync_audit_log",
     .key = "id",
     .time = "logged_at",
     .option = "sync.audit_days",
     .option_unit_ms = DAY_MS,
     .why = "what the sync did is asked when something is wrong"},
    {.name = "dead_letters",
     .table = "sync_dead_letter",
     .key = "id",
     .time = "first_at",
     .option = "retention.dead_letters",
     .why = "each is a document that differs: it goes when it succeeds, or is dropped by hand"},
    {.name = "warehouse_runs",
     .table = "Etl_Runs",
     .key = "run_id",
     .time = "started_at",
     .condition = "finished_at IS NOT NULL",
     .option = "retention.warehouse_runs",
     .is_warehouse = true,
     .why = "when which figures were made"},
    {.name = "samples",
     .table = "Retention_Samples",
     .time = "sampled_at",
     .option = "retention.samples",
     .why = "the forecast looks back a quarter"},
    {.name = "embedding_cache",
     .kind = RETENTION_CACHE,
     .option = "retention.embedding_cache",
     .why = "a vector goes with the last document that uses it, or is made again after that"},
    {.name = "binlogs",
     .kind = RETENTION_BINLOGS,
     .option = "stack.binlog_keep",
     .why = "a replica may be away for a weekend; they hold values of people"},
    {.name = "server_logs",
     .kind = RETENTION_LOGS,
     .option = "retention.server_logs",
     .why = "renamed at 16 MB, one former file each"},
    {0},
};

#define FOREVER "0d"
#define STORE(store, text, length)                                                        \
	{                                                                                 \
		.section = "retention", .name = (store), .type = CONFIG_DURATION,         \
		.fallback = (length), .help = "How long " text " are kept; 0d: for ever." \
	}

const struct config_option retention_options[] = {
    {.section = "retention",
     .name = "purge",
     .type = CONFIG_BOOL,
     .fallback = "on",
     .help = "Whether `serve` deletes by itself what is older than said here. Off: `aethermart "
	     "retention purge` does, when it is called."},
    {.section = "retention",
     .name = "every",
     .type = CONFIG_DURATION,
     .fallback = "1h",
     .min = 1000,
     .max = 7 * DAY_MS,
     .help = "How often `serve` measures what grows, and purges."},
    STORE("audit", "events of the audit", "400d"),
    STORE("rbac_audit", "rows of what the server saw", "90d"),
    STORE("witness_files", "renamed files of the server's audit", "30d"),
    STORE("lineage", "events of lineage", "400d"),
    STORE("quality", "findings of loading and of checks", "400d"),
    STORE("quarantine", "rows and documents that pass a check again", "90d"),
    STORE("price_history", "former prices", FOREVER),
    STORE("order_requests", "keys under which was ordered", "90d"),
    STORE("dead_letters", "refused documents that nobody looks after", FOREVER),
    STORE("warehouse_runs", "records of refreshes of the warehouse", "400d"),
    STORE("samples", "measured sizes", "90d"),
    STORE("embedding_cache", "vectors of texts since they were made", "400d"),
    STORE("server_logs", "renamed log files of the run-time folder", "30d"),
    {0},
};

int64_t retention_of(const struct config *config, const struct retention_store *s)
{
	int64_t n = s->option ? config_int(config, s->option) : 0;

	return n * (s->option_unit_ms ? s->option_unit_ms : 1);
}

int retention_prepare(struct maria *db, struct err *err)
{
	int r = maria_exec(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", err);

	/* Who holds an old row, or the table, goes first; the next hour tries again. */
	return r < 0 ? r : maria_set_lock_wait(db, 2, err);
}

/* --- tables ---------------------------------------------------------------------------------- */

static const char *schema_of(const struct retention_place *p, const struct retention_store *s)
{
	return config_text(p->config, s->is_warehouse ? "warehouse.database" : "mariadb.database");
}

static int has_table(const struct retention_place *p, const struct retention_store *s,
		     const char *table, bool *ret, struct err *err)
{
	int64_t n = 0;
	int r = maria_query_int(p->db, govern_sql_retention_table,
				MARIA_ARGS(MARIA_S(schema_of(p, s)), MARIA_S(table)), &n, err);

	*ret = n > 0;
	return r;
}

static int table_size(const struct retention_place *p, const struct retention_store *s,
		      struct retention_size *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r =
	    maria_query_row(p->db, govern_sql_retention_size,
			    MARIA_ARGS(MARIA_S(schema_of(p, s)), MARIA_S(s->table)), &rows, err);

	if (r > 0) {
		ret->is_there = true;
		ret->bytes += maria_rows_uint(rows, 0);
		ret->rows = maria_rows_uint(rows, 1);
	}
	return r < 0 ? r : 0;
}

/* By primary key where rows are in its order, else by the index of the time. */
static int table_oldest(const struct retention_place *p, const struct retention_store *s,
			struct retention_size *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	_cleanup_(mem_freep) char *text = NULL;
	int r;

	MARIA_ADD(&sql, "SELECT # FROM #.# WHERE # IS NOT NULL ORDER BY # LIMIT 1", s->time,
		  schema_of(p, s), s->table, s->time, s->key ? s->key : s->time);
	r = maria_query_text(p->db, strbuf_str(&sql), NULL, 0, &text, err);
	if (r == -ERR_NOT_FOUND) { /* no row */
		err_clear(err);
		return 0;
	}
	if (r == 0 && text)
		(void)snprintf(ret->oldest, sizeof(ret->oldest), "%.19s", text);
	return r;
}

/* The server's idea of few rows may be none at all. */
static int table_count(const struct retention_place *p, const struct retention_store *s,
		       struct retention_size *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	int64_t n = 0;
	int r;

	ret->is_estimate = ret->rows > COUNTED_ROWS;
	if (ret->is_estimate)
		return 0;
	/* An estimate that is far off must not make this a long walk. */
	MARIA_ADD(&sql, "SELECT COUNT(*) FROM (SELECT 1 FROM #.# LIMIT ", schema_of(p, s),
		  s->table);
	strbuf_addf(&sql, "%d) t", COUNTED_MAX);
	r = maria_query_int(p->db, strbuf_str(&sql), NULL, 0, &n, err);
	ret->rows = r == 0 ? (uint64_t)n : ret->rows;
	ret->is_estimate = n >= COUNTED_MAX;
	return r;
}

static int look_at_table(const struct retention_place *p, const struct retention_store *s,
			 struct retention_size *ret, struct err *err)
{
	int r = table_size(p, s, ret, err);

	if (r == 0 && ret->is_there)
		r = table_count(p, s, ret, err);
	return r < 0 || !ret->is_there ? r : table_oldest(p, s, ret, err);
}

static void add_age(struct strbuf *b, const struct retention_store *s)
{
	MARIA_ADD(b, "# < UTC_TIMESTAMP() - INTERVAL ? SECOND", s->time);
}

/* A condition may ask for the retention once more. */
static size_t add_condition(struct strbuf *b, const struct retention_store *s)
{
	if (s->condition)
		strbuf_addf(b, " AND %s", s->condition);
	return s->condition && strchr(s->condition, '?') ? 1 : 0;
}

static int count_old(const struct retention_place *p, const struct retention_store *s,
		     uint64_t *ret_n, struct err *err)
{
	const struct maria_value age = MARIA_I(retention_of(p->config, s) / 1000);
	const struct maria_value params[] = {age, age};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	size_t more;
	int64_t n = 0;
	int r;

	MARIA_ADD(&sql, "SELECT COUNT(*) FROM #.# WHERE ", schema_of(p, s), s->table);
	add_age(&sql, s);
	more = add_condition(&sql, s);
	r = maria_query_int(p->db, strbuf_str(&sql), params, 1 + more, &n, err);
	*ret_n = (uint64_t)n;
	return r;
}

/* A page of the primary key. */
struct page {
	uint64_t after, upto;
	bool has_old, is_last;
};

static int next_page(const struct retention_place *p, const struct retention_store *s,
		     struct page *page, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	bool has_young = false; /* rows dated ahead, by whatever clock, say nothing */
	uint64_t n = 0;
	int r;

	page->after = page->upto;
	page->has_old = false;
	MARIA_ADD(&sql, "SELECT #, ", s->key);
	add_age(&sql, s);
	MARIA_ADD(&sql,
		  ", # > UTC_TIMESTAMP() + INTERVAL 1 MINUTE FROM #.#"
		  " WHERE # > ? ORDER BY 1 LIMIT ?",
		  s->time, schema_of(p, s), s->table, s->key);
	r = maria_query(p->db, strbuf_str(&sql),
			MARIA_ARGS(MARIA_I(retention_of(p->config, s) / 1000), MARIA_U(page->upto),
				   MARIA_U(PIECE_ROWS)),
			&rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		page->upto = maria_rows_uint(rows, 0);
		page->has_old |= maria_rows_int(rows, 1) == 1;
		has_young |= maria_rows_int(rows, 1) == 0 && maria_rows_int(rows, 2) == 0;
		n++;
	}
	page->is_last = (!page->has_old && has_young) || n < PIECE_ROWS;
	return r < 0 ? r : 0;
}

static void add_range(struct strbuf *b, const struct retention_store *s)
{
	MARIA_ADD(b, "# > ? AND # <= ?", s->key, s->key);
}

/* Of the rows of a page that are old. */
static int delete_children(const struct retention_place *p, const struct retention_store *s,
			   const struct page *page, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	bool is_there = false;
	int r = has_table(p, s, s->child, &is_there, err);

	if (r < 0 || !is_there)
		return r;
	MARIA_ADD(&sql, "DELETE FROM #.# WHERE ", schema_of(p, s), s->child);
	add_range(&sql, s);
	MARIA_ADD(&sql, " AND # IN (SELECT # FROM #.# WHERE ", s->key, s->key, schema_of(p, s),
		  s->table);
	add_range(&sql, s);
	strbuf_addstr(&sql, " AND ");
	add_age(&sql, s);
	strbuf_addch(&sql, ')');
	return maria_run(p->db, strbuf_str(&sql),
			 MARIA_ARGS(MARIA_U(page->after), MARIA_U(page->upto), MARIA_U(page->after),
				    MARIA_U(page->upto),
				    MARIA_I(retention_of(p->config, s) / 1000)),
			 NULL, err);
}

static int delete_by_key(const struct retention_place *p, const struct retention_store *s,
			 struct page *page, uint64_t *ret_n, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	const struct maria_value age = MARIA_I(retention_of(p->config, s) / 1000);
	struct maria_value params[] = {MARIA_N, MARIA_N, age, age};
	size_t more;
	int r = next_page(p, s, page, err);

	*ret_n = 0;
	if (r < 0 || !page->has_old)
		return r;
	r = s->child ? delete_children(p, s, page, err) : 0;
	if (r < 0)
		return r;
	params[0] = MARIA_U(page->after);
	params[1] = MARIA_U(page->upto);
	MARIA_ADD(&sql, "DELETE FROM #.# WHERE ", schema_of(p, s), s->table);
	add_range(&sql, s);
	strbuf_addstr(&sql, " AND ");
	add_age(&sql, s);
	more = add_condition(&sql, s);
	return maria_run(p->db, strbuf_str(&sql), params, 3 + more, ret_n, err);
}

static int delete_by_time(const struct retention_place *p, const struct retention_store *s,
			  struct page *page, uint64_t *ret_n, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	int r;

	MARIA_ADD(&sql, "DELETE FROM #.# WHERE ", schema_of(p, s), s->table);
	add_age(&sql, s);
	MARIA_ADD(&sql, " ORDER BY # LIMIT ?", s->time);
	r = maria_run(p->db, strbuf_str(&sql),
		      MARIA_ARGS(MARIA_I(retention_of(p->config, s) / 1000), MARIA_U(PIECE_ROWS)),
		      ret_n, err);
	page->is_last = r < 0 || *ret_n < PIECE_ROWS;
	return r;
}

static int purge_table(const struct retention_place *p, const struct retention_store *s,
		       uint64_t *ret_n, struct err *err)
{
	struct page page = {0};
	uint64_t n = 0;
	int r = 0;

	while (r == 0 && !page.is_last) {
		r = s->key ? delete_by_key(p, s, &page, &n, err)
			   : delete_by_time(p, s, &page, &n, err);
		*ret_n += r == 0 ? n : 0;
		if (r == 0 && !page.is_last && p->pause && !p->pause(p->arg))
			break;
	}
	return r;
}

/* --- the audit ------------------------------------------------------------------------------- */

/* The whole chain is verified before; so not for what became too old since yesterday. */
static int purge_chain(const struct retention_place *p, const struct retention_store *s,
		       bool is_dry, uint64_t *ret_n, struct err *err)
{
	char before[CLOCK_TEXT_SIZE], overdue[CLOCK_TEXT_SIZE];
	int64_t cutoff = clock_wall_us() - retention_of(p->config, s) * 1000;
	struct retention_size size = {0};
	int r = look_at_table(p, s, &size, err);

	clock_format(cutoff, before);
	clock_format(cutoff - DAY_MS * 1000, overdue);
	before[10] = overdue[10] = ' ';
	before[19] = overdue[19] = '\0';
	if (r < 0 || !size.oldest[0] || strcmp(size.oldest, overdue) >= 0)
		return r;
	if (is_dry)
		return audit_count_old(p->db, before, ret_n, err);
	return audit_purge(p->db,
			   &(struct audit_purge){.witness = &p->witness,
						 .secret_key = p->secret_key,
						 .before = before,
						 .pause = p->pause,
						 .arg = p->arg},
			   ret_n, err);
}

/* --- all kinds ------------------------------------------------------------------------------- */

int retention_look(const struct retention_place *p, const struct retention_store *s,
		   struct retention_size *ret, struct err *err)
{
	struct retention_size child = {0};
	struct retention_store other = *s;
	int r;

	*ret = (struct retention_size){0};
	if (s->kind != RETENTION_TABLE && s->kind != RETENTION_CHAIN)
		return retention_look_at_files(p, s, ret, err);
	r = look_at_table(p, s, ret, err);
	other.table = s->child;
	if (r == 0 && s->child)
		r = table_size(p, &other, &child, err);
	ret->bytes += child.bytes;
	return r;
}

static int purge(const struct retention_place *p, const struct retention_store *s, bool is_dry,
		 uint64_t *ret_n, struct err *err)
{
	bool is_there = true;
	int r = 0;

	if (s->kind != RETENTION_TABLE && s->kind != RETENTION_CHAIN)
		return retention_purge_files(p, s, is_dry, ret_n, err);
	r = has_table(p, s, s->table, &is_there, err);
	if (r < 0 || !is_there)
		return r;
	if (s->kind == RETENTION_CHAIN)
		return purge_chain(p, s, is_dry, ret_n, err);
	return is_dry ? count_old(p, s, ret_n, err) : purge_table(p, s, ret_n, err);
}

int retention_purge(const struct retention_place *p, const struct retention_store *s, bool is_dry,
		    uint64_t *ret_n, struct err *err)
{
	int r;

	*ret_n = 0;
	if (retention_of(p->config, s) == 0)
		return 0;
	r = purge(p, s, is_dry, ret_n, err);
	if (r == 0 && *ret_n && !is_dry)
		r = audit_append(p->db,
				 &(struct audit_event){.actor = p->actor,
						       .action = "retention.purge",
						       .object = s->name,
						       .rows = *ret_n,
						       .outcome = "done"},
				 err);
	return r < 0 ? err_context(err, "purging %s", s->name) : 0;
}

/* --- samples --------------------------------------------------------------------------------- */

static int add_sample(struct maria *db, const char *name, uint64_t bytes, struct err *err)
{
	return maria_run(db, govern_sql_retention_sample, MARIA_ARGS(MARIA_S(name), MARIA_U(bytes)),
			 NULL, err);
}

static int sample_one(const struct retention_place *p, const struct retention_store *s,
		      struct err *err)
{
	struct retention_size size;
	int r = retention_look(p, s, &size, err);

	if (r < 0)
		return r;
	metric_set(metric_series(METRIC_GAUGE, "aethermart_store_bytes",
				 "Bytes of what only grows (retention show).", "store", s->name),
		   (int64_t)size.bytes);
	metric_set(metric_series(METRIC_GAUGE, "aethermart_store_rows",
				 "Rows of it, as the server estimates, or files.", "store",
				 s->name),
		   (int64_t)size.rows);
	return size.is_there ? add_sample(p->db, s->name, size.bytes, err) : 0;
}

int retention_sample(const struct retention_place *p, const char *dir, struct err *err)
{
	struct statvfs v;
	int r = 0;

	for (const struct retention_store *s = retention_stores; s->name && r == 0; s++)
		r = sample_one(p, s, err);
	if (r == 0 && statvfs(dir, &v) == 0)
		r = add_sample(p->db, RETENTION_DISK,
			       (uint64_t)(v.f_blocks - v.f_bfree) * v.f_frsize, err);
	return r;
}

/* A straight line through samples, in days and bytes from the first of them. */
struct line {
	double n, x, base, first, sx, sy, sxx, sxy;
};

static void line_add(struct line *l, const struct retention_point *p)
{
	double y = (double)p->bytes, x;

	if (l->n == 0) { /* small numbers, or the squares lose what counts */
		l->first = (double)p->at;
		l->base = y;
	}
	x = ((double)p->at - l->first) / DAY_S;
	y -= l->base;
	l->x = x;
	l->n += 1;
	l->sx += x;
	l->sy += y;
	l->sxx += x * x;
	l->sxy += x * y;
}

static bool line_is_known(const struct line *l)
{
	return l->n >= SAMPLES_MIN && l->x >= 1;
}

static double line_slope(const struct line *l)
{
	return (l->n * l->sxy - l->sx * l->sy) / (l->n * l->sxx - l->sx * l->sx);
}

/* All samples, which a single purge or load does not turn, and those of the last week, for what
 * began lately. A sample dated ahead is of a clock that was wrong. */
void retention_fit(const struct retention_point *points, size_t n, uint64_t free_bytes,
		   struct retention_forecast *ret)
{
	struct line all = {0}, week = {0};

	*ret = (struct retention_forecast){0};
	for (size_t i = 0; i < n; i++) {
		if (points[i].at > 0)
			continue;
		line_add(&all, &points[i]);
		if (points[i].at >= -7 * DAY_S)
			line_add(&week, &points[i]);
	}
	ret->samples = (uint64_t)all.n;
	ret->days_seen = all.x;
	ret->is_known = line_is_known(&all);
	if (!ret->is_known)
		return;
	ret->bytes_a_day = line_slope(&all);
	if (line_is_known(&week) && line_slope(&week) > ret->bytes_a_day)
		ret->bytes_a_day = line_slope(&week);
	if (ret->bytes_a_day > 0)
		ret->days_left = (double)free_bytes / ret->bytes_a_day;
}

int retention_foresee(struct maria *db, const char *name, uint64_t free_bytes,
		      struct retention_forecast *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) struct retention_point *points = NULL;
	size_t n = 0, cap = 0;
	int r = maria_query(db, govern_sql_retention_samples,
			    MARIA_ARGS(MARIA_S(name), MARIA_U(SAMPLES_DAYS)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		mem_grow(&points, &cap, n + 1, sizeof(*points));
		points[n++] = (struct retention_point){.at = maria_rows_int(rows, 0),
						       .bytes = maria_rows_uint(rows, 1)};
	}
	retention_fit(points, r < 0 ? 0 : n, free_bytes, ret);
	return r;
}
