/*
 * The statements of staging and merging. They differ between entities only in names, so they are
 * made from the table of entities instead of standing in some sixty files; every name, and every
 * condition that load_merge.c hands in, comes from constants of this program, every value is a
 * parameter. Statements that stand for one entity are files of sql/.
 *
 * `s` is the staged row, `t` the shop's, `d` the shop's detail row. STRAIGHT_JOIN keeps the range
 * of staged rows in front whatever the statistics of a table that was just filled say. Values are
 * compared as bytes: a change of case is a change.
 */
#include "shop/load_int.h"

#include <inttypes.h>

#include "base/banned.h"

#define IN_RANGE "s.stage_id >= ? AND s.stage_id < ?"
/* Before what a fingerprint is of: the key of an order may be that of somebody else. */
#define LOAD_MARK_PERSON "01"
#define LOAD_MARK_ORDER	 "02"
#define COMMON		 "stage_id, file_no, line_number, row_key, row_hash, given, corrections"

void load_sql_stage(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addf(b,
		    "LOAD DATA LOCAL INFILE 'rows' INTO TABLE %s CHARACTER SET utf8mb4"
		    " FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'"
		    " (" COMMON,
		    e->stage);
	for (size_t i = 0; i < e->n_columns; i++)
		strbuf_addf(b, ", %s", load_column_stage(&e->columns[i]));
	strbuf_addch(b, ')');
}

void load_sql_resolve(struct strbuf *b, const struct load_entity *e, const struct load_column *c)
{
	strbuf_clear(b);
	strbuf_addf(b, "UPDATE %s s LEFT JOIN %s r ON r.%s = s.%s", e->stage, c->ref_table,
		    c->ref_key, load_column_stage(c));
	if (c->ref_entity)
		strbuf_addf(b,
			    " LEFT JOIN Feed_Aliases a ON a.entity = '%s' AND a.external_id = s.%s"
			    " LEFT JOIN %s v ON v.%s = a.target_id SET s.%s = COALESCE(r.%s, v.%s)",
			    c->ref_entity, load_column_stage(c), c->ref_table, c->ref_id,
			    load_column_target(c), c->ref_id, c->ref_id);
	else
		strbuf_addf(b, " SET s.%s = r.%s", load_column_target(c), c->ref_id);
	strbuf_addstr(b, " WHERE " IN_RANGE " AND s.row_class = 0");
}

void load_sql_find(struct strbuf *b, const struct load_entity *e, enum quality_rule_id rule,
		   const char *column, const char *before, const char *after, const char *where)
{
	const struct quality_rule *q = quality_rule_get(rule);
	const struct load_column *owner = load_entity_find(e, "customer_id");

	strbuf_clear(b);
	strbuf_addf(
	    b,
	    "INSERT INTO Staging_Quality (stage_id, quality_rule, severity, quality_action,"
	    " entity, entity_key, column_name, value_before, value_after, owner_key, file_no,"
	    " line_number) SELECT s.stage_id, '%s', '%s', '%s', '%s', s.row_key, ",
	    q->name, q->severity, q->action, e->name);
	if (column)
		strbuf_addf(b, "'%s', ", column);
	else
		strbuf_addstr(b, "NULL, ");
	strbuf_addf(b,
		    "%s, %s, %s%s, s.file_no, s.line_number FROM %s s WHERE " IN_RANGE
		    " AND s.row_class = 0 AND %s",
		    before, after, owner ? "s." : "", owner ? load_column_stage(owner) : "NULL",
		    e->stage, where);
}

void load_sql_reject(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addf(b,
		    "UPDATE %s s STRAIGHT_JOIN Staging_Quality q ON q.stage_id = s.stage_id"
		    " AND q.quality_action = 'rejected' SET s.row_class = 4 WHERE " IN_RANGE
		    " AND s.row_class = 0",
		    e->stage);
}

/* One by one: of a list of them the server would look through all that there are. */
#define IS_ERASED                                                                           \
	" OR EXISTS (SELECT 1 FROM Erased_Keys k WHERE k.fingerprint ="                     \
	" CONVERT(SHA2(CONCAT(@erased_outer, UNHEX(SHA2(CONCAT(@erased_inner, %s), 256)))," \
	" 256) USING ascii))"

/*
 * The fingerprints of a column of somebody's: of what the collation compares behind a mark of what
 * it is, as an erasure leaves them (src/govern/sql/erase_keys.sql), and for a person of the bytes
 * alone, as erasures left them before.
 */
static void or_fingerprints(struct strbuf *b, const struct load_entity *e, const char *name,
			    const char *mark)
{
	const struct load_column *c = load_entity_find(e, name);
	_cleanup_(mem_freep) char *folded = NULL, *plain = NULL;

	if (!c)
		return;
	plain = mem_printf("s.%s", load_column_stage(c));
	folded =
	    mem_printf("x'%s', WEIGHT_STRING(RTRIM(%s) COLLATE utf8mb4_unicode_ci)", mark, plain);
	strbuf_addf(b, IS_ERASED, folded);
	if (cstr_equal(mark, LOAD_MARK_PERSON))
		strbuf_addf(b, IS_ERASED, plain);
}

/* Those that were rejected already, too: their findings hold values. */
void load_sql_erased(struct strbuf *b, const struct load_entity *e)
{
	const struct quality_rule *q = quality_rule_get(QUALITY_SUBJECT_ERASED);

	strbuf_clear(b);
	strbuf_addf(b,
		    "INSERT INTO Staging_Quality (stage_id, quality_rule, severity, quality_action,"
		    " entity, entity_key, file_no, line_number)"
		    " SELECT s.stage_id, '%s', '%s', '%s', '%s', 'erased', s.file_no,"
		    " s.line_number FROM %s s WHERE " IN_RANGE " AND (FALSE",
		    q->name, q->severity, q->action, e->name, e->stage);
	or_fingerprints(b, e, "customer_id", LOAD_MARK_PERSON);
	or_fingerprints(b, e, "email", LOAD_MARK_PERSON);
	or_fingerprints(b, e, "order_id", LOAD_MARK_ORDER);
	strbuf_addch(b, ')');
}

void load_sql_correct(struct strbuf *b, const struct load_entity *e, const char *set,
		      const char *where)
{
	strbuf_clear(b);
	strbuf_addf(b, "UPDATE %s s SET %s WHERE " IN_RANGE " AND s.row_class = 0 AND %s", e->stage,
		    set, where);
}

/* Rows with the key of s that count before it: later ones, of suppliers (where a twin is mostly
 * another spelling with less in it) earlier ones. */
static void later(struct strbuf *b, const struct load_entity *e)
{
	strbuf_addf(b, "FROM %s w WHERE w.row_class = 0 AND w.%s = s.%s", e->stage, e->key_stage[0],
		    e->key_stage[0]);
	if (e->key_stage[1])
		strbuf_addf(b, " AND w.%s = s.%s", e->key_stage[1], e->key_stage[1]);
	strbuf_addf(b, " AND w.stage_id %c s.stage_id", e->id == LOAD_SUPPLIERS ? '<' : '>');
}

void load_sql_duplicate_where(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addstr(b, "EXISTS (SELECT 1 ");
	later(b, e);
	strbuf_addch(b, ')');
}

void load_sql_same_hash(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addstr(b, "(SELECT w.row_hash ");
	later(b, e);
	strbuf_addstr(b, " ORDER BY w.stage_id DESC LIMIT 1) <=> s.row_hash");
}

/* True where w, the row of the load for the shop's row `holder`, changes the value that `holder`
 * has in common with s. NULL is a change, too. */
static void add_hands_over(struct strbuf *b, const struct load_entity *e, size_t i,
			   const char *holder)
{
	const char *column = load_column_target(&e->columns[i]);

	strbuf_addf(b,
		    "w.%s = %s.%s AND w.row_class <> 4 AND w.given & %" PRIu64
		    " AND NOT (w.%s <=> s.%s)",
		    e->key_stage[0], holder, e->key_target[0], UINT64_C(1) << i, column, column);
}

void load_sql_taken_where(struct strbuf *b, const struct load_entity *e, size_t i, bool hand_overs)
{
	const char *column = load_column_target(&e->columns[i]);

	strbuf_clear(b);
	strbuf_addf(b,
		    "s.%s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %s c WHERE c.%s = s.%s AND"
		    " c.%s = s.%s) AND (EXISTS (SELECT 1 FROM %s c WHERE c.%s = s.%s",
		    column, e->target, column, column, e->key_target[0], e->key_stage[0], e->target,
		    column, column);
	if (hand_overs) {
		strbuf_addf(b, " AND NOT EXISTS (SELECT 1 FROM %s w WHERE ", e->stage);
		add_hands_over(b, e, i, "c");
		strbuf_addch(b, ')');
	}
	strbuf_addf(b,
		    ") OR EXISTS (SELECT 1 FROM %s w WHERE w.%s = s.%s AND w.stage_id < s.stage_id"
		    " AND w.row_class = 0))",
		    e->stage, column, column);
}

void load_sql_release(struct strbuf *b, const struct load_entity *e, size_t i)
{
	const char *column = load_column_target(&e->columns[i]);

	strbuf_clear(b);
	strbuf_addf(b, "UPDATE %s s STRAIGHT_JOIN %s t ON t.%s = s.%s STRAIGHT_JOIN %s w ON ",
		    e->stage, e->target, column, column, e->stage);
	add_hands_over(b, e, i, "t");
	strbuf_addf(b, " SET t.%s = NULL WHERE " IN_RANGE " AND s.row_class IN (1, 2)", column);
}

static bool is_key(const struct load_entity *e, const struct load_column *c)
{
	const char *target = load_column_target(c);

	return cstr_equal(target, e->key_target[0]) ||
	       (e->key_target[1] && cstr_equal(target, e->key_target[1]));
}

/* What the column is to be in a row that the shop has. */
static void add_new_value(struct strbuf *b, const struct load_entity *e, size_t i)
{
	const struct load_column *c = &e->columns[i];
	const char *column = load_column_target(c), *mark;
	const char *table = c->flags & LOAD_DETAIL ? "d" : "t";
	uint64_t bit = UINT64_C(1) << i;

	if (c->update && (mark = strstr(c->update, "%given%"))) {
		strbuf_add(b, c->update, (size_t)(mark - c->update));
		strbuf_addf(b, "IF(s.given & %" PRIu64 ", s.%s, NULL)%s", bit, column,
			    mark + strlen("%given%"));
	} else if (c->flags & (LOAD_ALWAYS | LOAD_REQUIRED)) {
		strbuf_addf(b, "s.%s", column);
	} else {
		strbuf_addf(b, "IF(s.given & %" PRIu64 ", s.%s, %s.%s)", bit, column, table,
			    column);
	}
}

/* True where the shop's row is already as the staged one. */
static void add_same(struct strbuf *b, const struct load_entity *e)
{
	bool any = false;

	for (size_t i = 0; i < e->n_columns; i++) {
		const struct load_column *c = &e->columns[i];
		bool detail = c->flags & LOAD_DETAIL;

		if (is_key(e, c))
			continue;
		strbuf_addstr(b, any ? " AND " : "");
		any = true;
		if (detail)
			strbuf_addf(b, "(NOT (%s) OR ", e->detail_when);
		strbuf_addf(b, "BINARY %s.%s <=> BINARY ", detail ? "d" : "t",
			    load_column_target(c));
		add_new_value(b, e, i);
		strbuf_addstr(b, detail ? ")" : "");
	}
	if (!any)
		strbuf_addstr(b, "TRUE");
}

static void add_key_join(struct strbuf *b, const struct load_entity *e)
{
	strbuf_addf(b, "t.%s = s.%s", e->key_target[0], e->key_resolved[0]);
	if (e->key_target[1])
		strbuf_addf(b, " AND t.%s = s.%s", e->key_target[1], e->key_resolved[1]);
}

void load_sql_classify(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addf(b, "UPDATE %s s LEFT JOIN %s t ON ", e->stage, e->target);
	add_key_join(b, e);
	if (e->detail)
		strbuf_addf(b, " LEFT JOIN %s d ON d.%s = t.%s", e->detail, e->primary_key,
			    e->primary_key);
	strbuf_addf(b, " SET s.target_id = t.%s, s.row_class = IF(t.%s IS NULL, 1, IF(",
		    e->primary_key, e->primary_key);
	add_same(b, e);
	strbuf_addstr(b, ", 3, 2)) WHERE " IN_RANGE " AND s.row_class = 0");
}

void load_sql_update(struct strbuf *b, const struct load_entity *e)
{
	bool any = false;

	strbuf_clear(b);
	strbuf_addf(b, "UPDATE %s s STRAIGHT_JOIN %s t ON t.%s = s.target_id SET ", e->stage,
		    e->target, e->primary_key);
	for (size_t i = 0; i < e->n_columns; i++) {
		const struct load_column *c = &e->columns[i];

		if (is_key(e, c) || (c->flags & LOAD_DETAIL))
			continue;
		strbuf_addf(b, "%st.%s = ", any ? ", " : "", load_column_target(c));
		add_new_value(b, e, i);
		any = true;
	}
	if (e->on_change)
		strbuf_addf(b, ", %s", e->on_change);
	strbuf_addstr(b, " WHERE " IN_RANGE " AND s.row_class = 2");
}

/* ", a, b" of the columns in the entity's table or in its detail table. */
static void add_columns(struct strbuf *b, const struct load_entity *e, bool detail,
			const char *prefix, bool first)
{
	for (size_t i = 0; i < e->n_columns; i++) {
		const struct load_column *c = &e->columns[i];

		if (((c->flags & LOAD_DETAIL) != 0) != detail)
			continue;
		strbuf_addf(b, "%s%s%s", first ? "" : ", ", prefix, load_column_target(c));
		first = false;
	}
}

void load_sql_insert(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addf(b, "INSERT INTO %s (", e->target);
	add_columns(b, e, false, "", true);
	if (e->zero)
		strbuf_addf(b, ", %s", e->zero);
	strbuf_addstr(b, ") SELECT ");
	add_columns(b, e, false, "s.", true);
	if (e->zero)
		strbuf_addstr(b, ", 0");
	strbuf_addf(b, " FROM %s s WHERE " IN_RANGE " AND s.row_class = 1 ORDER BY s.stage_id",
		    e->stage);
}

void load_sql_update_detail(struct strbuf *b, const struct load_entity *e)
{
	bool any = false;

	strbuf_clear(b);
	strbuf_addf(b, "UPDATE %s s STRAIGHT_JOIN %s d ON d.%s = s.target_id SET ", e->stage,
		    e->detail, e->primary_key);
	for (size_t i = 0; i < e->n_columns; i++) {
		if (!(e->columns[i].flags & LOAD_DETAIL))
			continue;
		strbuf_addf(b, "%sd.%s = ", any ? ", " : "", load_column_target(&e->columns[i]));
		add_new_value(b, e, i);
		any = true;
	}
	strbuf_addf(b, " WHERE " IN_RANGE " AND s.row_class = 2 AND %s", e->detail_when);
}

void load_sql_insert_detail(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addf(b, "INSERT INTO %s (%s", e->detail, e->primary_key);
	add_columns(b, e, true, "", false);
	strbuf_addf(b, ") SELECT t.%s", e->primary_key);
	add_columns(b, e, true, "s.", false);
	strbuf_addf(b, " FROM %s s STRAIGHT_JOIN %s t ON ", e->stage, e->target);
	add_key_join(b, e);
	strbuf_addf(b,
		    " LEFT JOIN %s d ON d.%s = t.%s WHERE " IN_RANGE
		    " AND s.row_class IN (1, 2) AND d.%s IS NULL AND %s",
		    e->detail, e->primary_key, e->primary_key, e->primary_key, e->detail_when);
}

void load_sql_log(struct strbuf *b, const struct load_entity *e)
{
	strbuf_clear(b);
	strbuf_addstr(
	    b, "INSERT INTO data_quality_logs (load_id, quality_rule, severity,"
	       " quality_action, entity, entity_key, column_name, value_before, value_after,"
	       " owner_key, file_name, line_number) SELECT ?, q.quality_rule, q.severity,"
	       " q.quality_action, q.entity, q.entity_key, q.column_name, q.value_before,"
	       " q.value_after, q.owner_key, f.file_name, q.line_number FROM Staging_Quality q"
	       " STRAIGHT_JOIN Staging_Files f ON f.file_no = q.file_no");
	if (e->stage)
		strbuf_addf(b, " LEFT JOIN %s s ON s.stage_id = q.stage_id", e->stage);
	strbuf_addstr(b, " WHERE q.stage_id >= ? AND q.stage_id < ?");
	if (e->stage)
		strbuf_addf(b,
			    " AND (q.quality_action = 'rejected' OR q.quality_rule = '%s' OR"
			    " s.row_class IN (1, 2))",
			    quality_rule_get(QUALITY_FIELD_UNKNOWN)->name); /* of the file */
	strbuf_addstr(b, " ORDER BY q.finding_id");
}
