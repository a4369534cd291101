/*
 * Merging: entity by entity, parents first, in chunks of staged rows. What takes several rows to
 * see is found here by SQL (unknown references, duplicates, totals); then each row is classed as
 * new, changed or unchanged by comparing it with the shop's, and a transaction a chunk writes rows
 * and log together. Unique values that rows hand to each other (an e-mail address, an article
 * number) are taken from those that have them at the begin of the transaction that needs them. A
 * crash between two chunks leaves whole rows with their log; the next load finds them unchanged.
 * What has to be computed again because of them (ratings, totals) is noted in Staging_Touched in
 * the same transactions and survives the crash.
 */
#include "shop/load_int.h"

#include <inttypes.h>

#include "base/banned.h"

#define CHUNK_ROWS    10000 /* of a transaction: some megabytes of undo */
#define TOUCHED_CHUNK 2000
#define RETRIES	      5
#define CHAIN_MAX     50 /* customers that each wait for the address of the next one */

static int run_range(struct load *l, const char *sql, uint64_t from, uint64_t to, struct err *err)
{
	return maria_run(l->m, sql, MARIA_ARGS(MARIA_U(from), MARIA_U(to)), NULL, err);
}

/* A transaction; nothing of its own in a dry run, which is one transaction as a whole. */
static int begin(struct load *l, struct err *err)
{
	return l->options->dry_run ? 0 : maria_exec(l->m, "START TRANSACTION", err);
}

static int commit(struct load *l, struct err *err)
{
	return l->options->dry_run ? 0 : maria_exec(l->m, "COMMIT", err);
}

/* --- what takes several rows to see ----------------------------------------------------------- */

/* A rule that SQL checks: whose column, what the log says of it, and of which rows. */
struct check {
	enum quality_rule_id rule;
	const char *column, *before, *after, *where;
};

static int find(struct load *l, const struct load_entity *e, const struct check *c, uint64_t from,
		uint64_t to, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);

	load_sql_find(&sql, e, c->rule, c->column, c->before, c->after, c->where);
	return run_range(l, strbuf_str(&sql), from, to, err);
}

static int reject_found(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);

	load_sql_reject(&sql, e);
	return run_range(l, strbuf_str(&sql), from, to, err);
}

/* Resolves one reference and deals with those that are unknown. */
static int resolve(struct load *l, const struct load_entity *e, const struct load_column *c,
		   uint64_t from, uint64_t to, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	bool required = (c->flags & LOAD_REQUIRED) != 0;
	char *where, *before, *set;
	int r;

	load_sql_resolve(&sql, e, c);
	r = run_range(l, strbuf_str(&sql), from, to, err);
	if (r < 0)
		return r;
	where = mem_printf("s.%s IS NULL AND s.%s IS NOT NULL", load_column_target(c),
			   load_column_stage(c));
	before = mem_printf("s.%s", load_column_stage(c));
	set = mem_printf("s.corrections = s.corrections + 1, s.%s = NULL", load_column_stage(c));
	r = find(l, e,
		 &(struct check){required ? QUALITY_REFERENCE_UNKNOWN : QUALITY_REFERENCE_DROPPED,
				 c->name, before, "NULL", where},
		 from, to, err);
	if (r == 0 && !required) {
		load_sql_correct(&sql, e, set, where);
		r = run_range(l, strbuf_str(&sql), from, to, err);
	}
	mem_free(where);
	mem_free(before);
	mem_free(set);
	return r;
}

static int find_duplicates(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			   struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf where = STRBUF_INIT(0), same = STRBUF_INIT(0);
	char *twin, *other;
	int r;

	load_sql_duplicate_where(&where, e);
	load_sql_same_hash(&same, e);
	twin = mem_printf("%s AND %s", strbuf_str(&where), strbuf_str(&same));
	other = mem_printf("%s AND NOT (%s)", strbuf_str(&where), strbuf_str(&same));
	r = find(l, e, &(struct check){QUALITY_DUPLICATE_ROW, NULL, "NULL", "NULL", twin}, from, to,
		 err);
	if (r == 0)
		r = find(l, e, &(struct check){QUALITY_DUPLICATE_KEY, NULL, "NULL", "NULL", other},
			 from, to, err);
	mem_free(twin);
	mem_free(other);
	return r < 0 ? r : reject_found(l, e, from, to, err);
}

/* Finds rows whose value of the check's column, which is unique, belongs to another row. */
static int find_taken(struct load *l, const struct load_entity *e, struct check c, bool hand_overs,
		      uint64_t from, uint64_t to, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf where = STRBUF_INIT(0);
	_cleanup_(mem_freep) char *before = mem_printf("s.%s", c.column);

	load_sql_taken_where(&where, e, load_entity_column(e, c.column), hand_overs);
	c.before = before;
	c.after = "NULL";
	c.where = strbuf_str(&where);
	return find(l, e, &c, from, to, err);
}

static int pass_customers(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			  struct err *err)
{
	int r = find_taken(l, e, (struct check){.rule = QUALITY_EMAIL_DUPLICATE, .column = "email"},
			   true, from, to, err);

	return r < 0 ? r : reject_found(l, e, from, to, err);
}

static int pass_customers_strictly(struct load *l, const struct load_entity *e, uint64_t from,
				   uint64_t to, struct err *err)
{
	int r = find_taken(l, e, (struct check){.rule = QUALITY_EMAIL_DUPLICATE, .column = "email"},
			   false, from, to, err);

	return r < 0 ? r : reject_found(l, e, from, to, err);
}

/* A product without its article number is loaded all the same, so it hands its former one over
 * whatever becomes of the new one: one pass sees all. */
static int check_products(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			  struct err *err)
{
	int r = find_taken(l, e, (struct check){.rule = QUALITY_EAN_DUPLICATE, .column = "ean"},
			   true, from, to, err);

	return r < 0 ? r : run_range(l, shop_sql_load_ean_drop, from, to, err);
}

/* The sum of an order's lines: those of this load, and the shop's that this load does not name. */
static int check_orders(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	uint64_t bit = UINT64_C(1) << load_entity_column(e, "total_amount");
	char *where = mem_printf("s.lines_total IS NOT NULL AND s.given & %" PRIu64
				 " AND s.total_amount <> s.lines_total",
				 bit);
	char *set = mem_printf("s.corrections = s.corrections + IF(s.given & %" PRIu64
			       " AND s.total_amount <> s.lines_total, 1, 0),"
			       " s.total_amount = s.lines_total, s.given = s.given | %" PRIu64,
			       bit, bit);
	int r = run_range(l, shop_sql_load_order_sums, from, to, err);

	if (r == 0)
		r = run_range(l, shop_sql_load_order_sums_stored, from, to, err);
	if (r == 0)
		r = find(l, e,
			 &(struct check){QUALITY_ORDER_TOTAL, "total_amount", "s.total_amount",
					 "s.lines_total", where},
			 from, to, err);
	load_sql_correct(&sql, e, set, "s.lines_total IS NOT NULL");
	if (r == 0)
		r = run_range(l, strbuf_str(&sql), from, to, err);
	mem_free(where);
	mem_free(set);
	return r;
}

/* --- passes over the rows of an entity -------------------------------------------------------- */

typedef int (*chunk_fn)(struct load *, const struct load_entity *, uint64_t, uint64_t,
			struct err *);

static int each_chunk(struct load *l, const struct load_entity *e, chunk_fn fn, struct err *err)
{
	for (uint64_t at = l->first_id[e->id]; at < l->end_id[e->id]; at += CHUNK_ROWS) {
		uint64_t to = at + CHUNK_ROWS;
		int r = fn(l, e, at, to < l->end_id[e->id] ? to : l->end_id[e->id], err);

		if (r < 0)
			return err_context(err, "merging %s", e->name);
	}
	return 0;
}

static int pass_references(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			   struct err *err)
{
	for (size_t i = 0; i < e->n_columns; i++) {
		int r = e->columns[i].ref_table ? resolve(l, e, &e->columns[i], from, to, err) : 0;

		if (r < 0)
			return r;
	}
	return reject_found(l, e, from, to, err);
}

/* Order lines, before their orders: products and duplicates decide what an order's total is. */
static int pass_items_early(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			    struct err *err)
{
	int r = resolve(l, e, &e->columns[load_entity_column(e, "product_id")], from, to, err);

	return r < 0 ? r : reject_found(l, e, from, to, err);
}

static int pass_items_late(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			   struct err *err)
{
	int r = resolve(l, e, &e->columns[load_entity_column(e, "order_id")], from, to, err);

	return r < 0 ? r : reject_found(l, e, from, to, err);
}

static int touch(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
		 struct err *err)
{
	struct maria_value params[] = {MARIA_U(from), MARIA_U(to), MARIA_U(from), MARIA_U(to)};

	if (e->id == LOAD_REVIEWS)
		return maria_run(l->m, shop_sql_load_touch_products, params, 4, NULL, err);
	return e->id == LOAD_ORDER_ITEMS
		   ? maria_run(l->m, shop_sql_load_touch_orders, params, 2, NULL, err)
		   : 0;
}

static int write_log(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
		     struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	uint64_t rows = 0;
	int r;

	load_sql_log(&sql, e);
	r = maria_run(l->m, strbuf_str(&sql),
		      MARIA_ARGS(MARIA_U(l->report->load_id), MARIA_U(from), MARIA_U(to)), &rows,
		      err);
	l->report->findings += rows;
	return r;
}

/* Unique values that rows of the chunk get from others, which may stand in a later chunk: those are
 * without until then, also after a crash, and the next load gives them their own. */
static int release(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
		   struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	int r = 0;

	for (size_t i = 0; i < e->n_columns && r == 0; i++) {
		if (!(e->columns[i].flags & LOAD_UNIQUE))
			continue;
		load_sql_release(&sql, e, i);
		r = run_range(l, strbuf_str(&sql), from, to, err);
	}
	return r;
}

static int write_rows(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
		      struct err *err)
{
	static void (*const statements[])(struct strbuf *, const struct load_entity *) = {
	    load_sql_update, load_sql_insert, load_sql_update_detail, load_sql_insert_detail};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	int r = touch(l, e, from, to, err);

	if (r == 0)
		r = release(l, e, from, to, err);
	for (size_t i = 0; i < (e->detail ? 4 : 2) && r == 0; i++) {
		statements[i](&sql, e);
		r = run_range(l, strbuf_str(&sql), from, to, err);
	}
	return r < 0 ? r : write_log(l, e, from, to, err);
}

/* Before any row is merged: what a row hands over would make it look as if it had been without. */
static int pass_classify(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			 struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);

	load_sql_classify(&sql, e);
	return run_range(l, strbuf_str(&sql), from, to, err);
}

/* One chunk into the shop; a deadlock with somebody else's transaction repeats it. */
static int pass_merge(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
		      struct err *err)
{
	uint64_t findings = l->report->findings;
	int r;

	for (int i = 0;; i++) {
		l->report->findings = findings;
		r = begin(l, err);
		if (r == 0)
			r = write_rows(l, e, from, to, err);
		if (r == 0)
			r = commit(l, err);
		if (r == 0)
			break;
		if (l->options->dry_run || maria_is_lost(l->m))
			return r;
		struct err undo = {0};

		if (maria_exec(l->m, "ROLLBACK", &undo) < 0 || r != -ERR_RETRY || i == RETRIES)
			return r;
		err_clear(err);
	}
	l->merged += to - from;
	progress_update(&l->progress, l->merged);
	return 0;
}

static int pass_aliases(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			struct err *err)
{
	(void)e;
	return run_range(l, shop_sql_load_aliases, from, to, err);
}

/* Adds the classes of the staged rows to the report. */
static int count(struct load *l, const struct load_entity *e, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct shop_load_counts *counts = &l->report->entities[e->id];
	char *sql = mem_printf("SELECT row_class, corrections > 0, COUNT(*) FROM %s GROUP BY 1, 2",
			       e->stage);
	int r = maria_query(l->m, sql, NULL, 0, &rows, err);

	mem_free(sql);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		uint64_t class = maria_rows_uint(rows, 0), n = maria_rows_uint(rows, 2);
		bool corrected = maria_rows_int(rows, 1) != 0;

		if (class == 4)
			counts->rejected += n;
		else if (class == 3)
			counts->unchanged += n;
		else if (corrected)
			counts->corrected += n;
		else
			counts->loaded += n;
	}
	return r;
}

static int count_rejected(struct load *l, const struct load_entity *e, int64_t *ret,
			  struct err *err)
{
	char *sql = mem_printf("SELECT COUNT(*) FROM %s WHERE row_class = 4", e->stage);
	int r = maria_query_int(l->m, sql, NULL, 0, ret, err);

	mem_free(sql);
	return r;
}

/*
 * A customer that is rejected hands its address to nobody, so whoever counted on it is rejected,
 * too: the check is repeated until it finds nothing. Each pass follows one link of such a chain;
 * whoever makes a longer one than anybody needs loses the hand-overs.
 */
static int check_customers(struct load *l, const struct load_entity *e, struct err *err)
{
	int64_t before, now = 0;
	int r = count_rejected(l, e, &now, err);

	for (int i = 0; r == 0 && i <= CHAIN_MAX; i++) {
		before = now;
		r = each_chunk(l, e, i < CHAIN_MAX ? pass_customers : pass_customers_strictly, err);
		if (r == 0)
			r = count_rejected(l, e, &now, err);
		if (now == before)
			break;
	}
	return r;
}

static int merge_entity(struct load *l, enum load_entity_id id, struct err *err)
{
	static const chunk_fn checks[LOAD_ENTITIES] = {
	    [LOAD_PRODUCTS] = check_products,
	    [LOAD_ORDERS] = check_orders,
	};
	const struct load_entity *e = load_entity_get(id);
	bool items = id == LOAD_ORDER_ITEMS;
	int r;

	if (l->first_id[id] == l->end_id[id])
		return 0;
	r = each_chunk(l, e, items ? pass_items_late : pass_references, err);
	if (r == 0 && !items)
		r = each_chunk(l, e, find_duplicates, err);
	if (r == 0 && checks[id])
		r = each_chunk(l, e, checks[id], err);
	if (r == 0 && id == LOAD_CUSTOMERS)
		r = check_customers(l, e, err);
	if (r == 0)
		r = each_chunk(l, e, pass_classify, err);
	if (r == 0)
		r = each_chunk(l, e, pass_merge, err);
	if (r == 0 && id == LOAD_CUSTOMERS)
		r = each_chunk(l, e, pass_aliases, err);
	return r < 0 ? r : count(l, e, err);
}

/* --- suppliers and categories that products bring along --------------------------------------- */

static int merge_new_suppliers(struct load *l, struct err *err)
{
	return maria_run(l->m, shop_sql_load_suppliers_add, NULL, 0, &l->report->new_suppliers,
			 err);
}

static int find_category(struct load *l, struct load_category *c, bool *ret_same_name,
			 struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(l->m, shop_sql_load_category_find, MARIA_ARGS(MARIA_S(c->slug)),
				&rows, err);

	if (r <= 0)
		return r;
	c->id = maria_rows_uint(rows, 0);
	*ret_same_name = str_equal(maria_rows_str(rows, 1), str_from(c->name));
	return 0;
}

static int insert_category(struct load *l, struct load_category *c, struct err *err)
{
	bool same;
	int r = maria_run(l->m, shop_sql_load_category_add,
			  MARIA_ARGS(c->parent ? MARIA_U(c->parent->id) : MARIA_N, MARIA_S(c->name),
				     MARIA_S(c->slug)),
			  NULL, err);

	return r < 0 ? r : find_category(l, c, &same, err);
}

/* A category into the shop; the row of the file that names it, if any, gets its class. */
static int merge_category(struct load *l, struct load_category *c, struct err *err)
{
	struct shop_load_counts *counts = &l->report->entities[LOAD_CATEGORIES];
	bool same = false, is_new;
	int r = find_category(l, c, &same, err);

	if (r < 0)
		return r;
	is_new = c->id == 0;
	if (is_new)
		r = insert_category(l, c, err);
	else if (!same && c->stage_id)
		r = maria_run(l->m, shop_sql_load_category_rename,
			      MARIA_ARGS(MARIA_S(c->name), MARIA_U(c->id)), NULL, err);
	if (r < 0)
		return r;
	if (!c->stage_id) {
		l->report->new_categories += is_new;
	} else if (!is_new && same) {
		counts->unchanged++;
		return maria_run(l->m, shop_sql_load_findings_drop,
				 MARIA_ARGS(MARIA_U(c->stage_id)), NULL, err);
	} else if (c->corrections) {
		counts->corrected++;
	} else {
		counts->loaded++;
	}
	return 0;
}

static int merge_categories(struct load *l, struct err *err)
{
	const struct load_entity *e = load_entity_get(LOAD_CATEGORIES);
	int r = begin(l, err);

	for (struct load_category *c = l->names.first; c && r == 0; c = c->next) {
		if (c->is_used)
			r = merge_category(l, c, err);
	}
	if (r == 0)
		r = write_log(l, e, l->first_id[e->id], l->end_id[e->id], err);
	return r < 0 ? r : commit(l, err);
}

/* --- ratings and totals ----------------------------------------------------------------------- */

static int settle_ratings(struct load *l, const struct maria_value *range, struct err *err)
{
	return maria_run(l->m, shop_sql_load_settle_ratings,
			 MARIA_ARGS(range[0], range[1], range[0], range[1]), NULL, err);
}

static int settle_totals(struct load *l, const struct maria_value *range, struct err *err)
{
	uint64_t rows = 0;
	int r = maria_run(l->m, shop_sql_load_settle_totals_log,
			  MARIA_ARGS(MARIA_U(l->report->load_id), range[0], range[1]), &rows, err);

	l->report->findings += rows;
	return r < 0 ? r : maria_run(l->m, shop_sql_load_settle_totals, range, 2, NULL, err);
}

/* One page of touched rows; ret_at is the last of them, unchanged at the end. */
static int settle_page(struct load *l, const char *kind, uint64_t *at, bool *ret_end,
		       struct err *err)
{
	struct maria_value page[] = {MARIA_S(kind), MARIA_U(*at), MARIA_U(TOUCHED_CHUNK)};
	int64_t last = 0;
	int r = maria_query_int(l->m, shop_sql_load_touched_page, page, 3, &last, err);

	*ret_end = last == 0;
	if (r < 0 || last == 0)
		return r;

	struct maria_value range[] = {MARIA_U(*at), MARIA_U((uint64_t)last)};

	r = begin(l, err);
	if (r == 0)
		r = cstr_equal(kind, "order") ? settle_totals(l, range, err)
					      : settle_ratings(l, range, err);
	if (r == 0)
		r = maria_run(l->m, shop_sql_load_touched_drop,
			      MARIA_ARGS(MARIA_S(kind), range[0], range[1]), NULL, err);
	*at = (uint64_t)last;
	return r < 0 ? r : commit(l, err);
}

int load_merge_touched(struct load *l, struct err *err)
{
	static const char *const kinds[] = {"order", "product"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		uint64_t at = 0;
		bool end = false;

		while (!end) {
			int r = settle_page(l, kinds[i], &at, &end, err);

			if (r < 0)
				return err_context(err, "computing %s",
						   i ? "ratings" : "totals of orders");
		}
	}
	return 0;
}

static int pass_archived(struct load *l, const struct load_entity *e, uint64_t from, uint64_t to,
			 struct err *err)
{
	return run_range(
	    l, e->id == LOAD_ORDERS ? shop_sql_load_archived_orders : shop_sql_load_archived_items,
	    from, to, err);
}

/* Orders that the shop has archived, and their lines, count as unchanged. */
static int find_archived(struct load *l, struct err *err)
{
	int r = each_chunk(l, load_entity_get(LOAD_ORDERS), pass_archived, err);

	return r < 0 ? r : each_chunk(l, load_entity_get(LOAD_ORDER_ITEMS), pass_archived, err);
}

/* What decides which order lines count, before the totals of their orders are checked. */
static int merge_items_early(struct load *l, struct err *err)
{
	const struct load_entity *e = load_entity_get(LOAD_ORDER_ITEMS);
	int r = each_chunk(l, e, pass_items_early, err);

	return r < 0 ? r : each_chunk(l, e, find_duplicates, err);
}

int load_merge(struct load *l, struct err *err)
{
	int r;

	for (size_t i = 0; i < LOAD_ENTITIES; i++)
		l->to_merge += i == LOAD_CATEGORIES ? 0 : l->end_id[i] - l->first_id[i];
	progress_start(&l->progress, "merging", "rows", l->to_merge);
	l->progress.is_quiet |= l->options->quiet;
	r = load_refuse_erased(l, err);
	if (r == 0)
		r = merge_entity(l, LOAD_SUPPLIERS, err);
	if (r == 0)
		r = merge_new_suppliers(l, err);
	if (r == 0)
		r = merge_categories(l, err);
	for (int id = LOAD_PRODUCTS; id < LOAD_ENTITIES && r == 0; id++) {
		if (id == LOAD_ORDERS)
			r = find_archived(l, err);
		if (r == 0 && id == LOAD_ORDERS)
			r = merge_items_early(l, err);
		if (r == 0)
			r = merge_entity(l, (enum load_entity_id)id, err);
	}
	if (r == 0)
		r = load_merge_touched(l, err);
	progress_finish(&l->progress);
	return r;
}
