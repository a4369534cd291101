/*
 * Ways from a changed row to its documents. A way starts at a level's table and climbs towards the
 * root, one join a step, until the columns in hand are the document's key, byte for byte, or the
 * root's table is reached. A level that carries the key itself needs no expansion: its rows queue
 * the document under path 0.
 *
 * A way has a number that never changes its meaning: the first four bytes of the SHA-256 of its
 * description in full. So a queue row that an older mapping wrote is either understood or known to
 * be strange, never taken for another one.
 */
#include "mapping/mapping_int.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/banned.h"

const size_t mapping_many_buckets[MAPPING_MANY_BUCKETS] = {8, MAPPING_EXPAND_MANY};

struct step {
	const struct mapping_level *level;
	size_t table;
};

struct way {
	struct step steps[MAPPING_DEPTH_MAX + 2];
	size_t len;
};

static const char *step_table(const struct step *s)
{
	return s->level->tables[s->table].name;
}

static void add_names(struct strbuf *b, const struct mapping_level *level, bool is_parent)
{
	for (size_t i = 0; i < level->n_links; i++)
		strbuf_addf(b, "%s%s", i ? "," : "",
			    is_parent ? level->links[i].parent : level->links[i].child);
}

/* "Order_Items.order_id > Orders.customer_id" */
static const char *describe(struct mapping *m, const struct way *w)
{
	struct strbuf b = STRBUF_INIT(0);

	for (size_t i = 0; i < w->len; i++) {
		const struct step *s = &w->steps[i];

		strbuf_addf(&b, "%s%s.", i ? " > " : "", step_table(s));
		if (s->level->is_root && i)
			add_names(&b, w->steps[i - 1].level, true);
		else
			add_names(&b, s->level, false);
		if (s->level->kind == FIELD_TREE)
			strbuf_addf(&b, " (tree by %s)", s->level->tree_parent);
	}
	return mapping_take_text(m, &b);
}

static uint32_t number_of(struct mapping *m, const struct way *w, const char *description)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	struct strbuf b = STRBUF_INIT(0);
	uint32_t id;

	strbuf_addf(&b, "%s/%s/", m->collection, description);
	for (size_t i = 1; i < w->len; i++) { /* what the description leaves out */
		strbuf_addch(&b, '|');
		add_names(&b, w->steps[i - 1].level, true);
	}
	for (bool is_taken = true; is_taken; strbuf_addch(&b, '\'')) {
		crypto_hash_sha256(digest, (const unsigned char *)strbuf_str(&b), b.len);
		id = (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 |
		     (uint32_t)digest[2] << 8 | digest[3];
		is_taken = id == MAPPING_PATH_ROOT;
		for (size_t i = 0; i < m->n_paths; i++)
			is_taken = is_taken || (m->paths[i].id == id &&
						!cstr_equal(m->paths[i].description, description));
	}
	strbuf_done(&b);
	return id;
}

/* --- SQL -------------------------------------------------------------------------------------- */

/* "(key > cursor) in the key's order"; parameters: first column, then each but the last twice,
 * the last once (mapping_expand.c binds them so). */
static void add_after(struct strbuf *b, const char *alias, const struct schema_column *const *key,
		      size_t n)
{
	if (n > 1) {
		mapping_add_column(b, alias, key[0]->name);
		strbuf_addstr(b, " >= ");
		mapping_add_parameter(b, key[0]);
		strbuf_addstr(b, " AND ");
	}
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(b, n > 1 && i + 1 < n ? "(" : "");
		mapping_add_column(b, alias, key[i]->name);
		strbuf_addstr(b, " > ");
		mapping_add_parameter(b, key[i]);
		if (i + 1 == n)
			break;
		strbuf_addstr(b, " OR (");
		mapping_add_column(b, alias, key[i]->name);
		strbuf_addstr(b, " = ");
		mapping_add_parameter(b, key[i]);
		strbuf_addstr(b, " AND ");
	}
	for (size_t i = 1; i < n; i++)
		strbuf_addstr(b, "))");
}

static void add_list(struct strbuf *b, const char *before, const char *alias,
		     const struct schema_column *const *key, size_t n)
{
	strbuf_addstr(b, before);
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(b, i ? ", " : "");
		mapping_add_column(b, alias, key[i]->name);
	}
}

static void add_tree(struct strbuf *b, const struct step *s)
{
	const struct schema_column *key = &s->level->links[0].child_column;

	strbuf_addstr(b, "WITH RECURSIVE t (v) AS (SELECT ");
	if (key->type == SCHEMA_INT)
		strbuf_addf(b, "CAST(? AS %s)", key->is_unsigned ? "UNSIGNED" : "SIGNED");
	else if (key->type == SCHEMA_TEXT && key->collation)
		strbuf_addf(b, "CAST(? AS CHAR(1024) CHARACTER SET %s) COLLATE %s", key->charset,
			    key->collation);
	else if (key->type == SCHEMA_TEXT)
		strbuf_addstr(b, "CAST(? AS CHAR(64))");
	else if (key->type == SCHEMA_DECIMAL)
		mapping_add_parameter(b, key);
	else
		strbuf_addf(b, "CAST(? AS %s)", key->sql_type);
	strbuf_addstr(b, " UNION SELECT ");
	mapping_add_column(b, "c", key->name);
	MARIA_ADD(b, " FROM t STRAIGHT_JOIN # c ON ", step_table(s));
	mapping_add_column(b, "c", s->level->tree_parent);
	strbuf_addstr(b, " = t.v) ");
}

/* "p1.column = ?", or IN a list of as many. */
static void add_values(struct strbuf *b, const struct mapping_link *l, size_t n_values)
{
	mapping_add_column(b, "p1", l->parent);
	strbuf_addstr(b, n_values > 1 ? " IN (" : " = ");
	for (size_t i = 0; i < n_values; i++) {
		strbuf_addstr(b, i ? ", " : "");
		mapping_add_parameter(b, &l->parent_column);
	}
	strbuf_addstr(b, n_values > 1 ? ")" : "");
}

/* The FROM and WHERE: from the row above the changed one up to where the key is. */
static void add_climb(struct strbuf *b, const struct way *w, size_t n_values)
{
	const struct mapping_level *first = w->steps[0].level;
	bool is_tree = first->kind == FIELD_TREE;

	MARIA_ADD(b, is_tree ? " FROM t STRAIGHT_JOIN # p1" : " FROM # p1",
		  step_table(&w->steps[1]));
	if (is_tree) {
		strbuf_addstr(b, " ON ");
		mapping_add_column(b, "p1", first->links[0].parent);
		strbuf_addstr(b, " = t.v");
	}
	for (size_t i = 2; i < w->len; i++) {
		const struct mapping_level *below = w->steps[i - 1].level;
		char alias[8], under[8];

		snprintf(alias, sizeof(alias), "p%u", (unsigned)i);
		snprintf(under, sizeof(under), "p%u", (unsigned)i - 1);
		MARIA_ADD(b, " STRAIGHT_JOIN #", step_table(&w->steps[i]));
		strbuf_addf(b, " %s ON ", alias);
		for (size_t j = 0; j < below->n_links; j++) {
			strbuf_addstr(b, j ? " AND " : "");
			mapping_add_column(b, alias, below->links[j].parent);
			strbuf_addstr(b, " = ");
			mapping_add_column(b, under, below->links[j].child);
		}
	}
	strbuf_addstr(b, " WHERE ");
	for (size_t j = 0; !is_tree && j < first->n_links; j++) {
		strbuf_addstr(b, j ? " AND " : "");
		add_values(b, &first->links[j], n_values);
	}
	strbuf_addstr(b, is_tree ? "TRUE" : "");
}

static void add_is_key(struct strbuf *b, const char *alias, const struct schema_column *const *key,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!key[i]->is_nullable)
			continue;
		strbuf_addstr(b, " AND ");
		mapping_add_column(b, alias, key[i]->name);
		strbuf_addstr(b, " IS NOT NULL");
	}
}

static const char *expansion_sql(struct mapping *m, const struct way *w, bool has_cursor)
{
	const struct mapping_level *last = w->steps[w->len - 1].level;
	const struct schema_column *key[MAPPING_KEY_COLUMNS_MAX];
	struct strbuf b = STRBUF_INIT(0);
	char alias[8];

	snprintf(alias, sizeof(alias), "p%u", (unsigned)(w->len - 1));
	for (size_t i = 0; i < last->n_links; i++)
		key[i] = &last->links[i].child_column;
	if (w->steps[0].level->kind == FIELD_TREE)
		add_tree(&b, &w->steps[0]);
	strbuf_addstr(&b, "SELECT ");
	mapping_add_key(&b, alias, key, last->n_links);
	add_climb(&b, w, 1);
	add_is_key(&b, alias, key, last->n_links);
	if (has_cursor) {
		strbuf_addstr(&b, " AND ");
		add_after(&b, alias, key, last->n_links);
	}
	add_list(&b, " GROUP BY ", alias, key, last->n_links);
	add_list(&b, " ORDER BY ", alias, key, last->n_links);
	strbuf_addstr(&b, " LIMIT ?");
	return mapping_take_text(m, &b);
}

/*
 * The keys of several values at once; NULL where one value takes several columns or a tree. In no
 * order, since nothing goes on behind them: so the server stops at the limit, where an order would
 * make it read all of them, or walk the key's index from its start.
 */
static const char *expansion_many_sql(struct mapping *m, const struct way *w, size_t n_values)
{
	const struct mapping_level *first = w->steps[0].level, *last = w->steps[w->len - 1].level;
	const struct schema_column *key[MAPPING_KEY_COLUMNS_MAX];
	struct strbuf b = STRBUF_INIT(0);
	char alias[8];

	if (first->kind == FIELD_TREE || first->n_links > 1)
		return NULL;
	snprintf(alias, sizeof(alias), "p%u", (unsigned)(w->len - 1));
	for (size_t i = 0; i < last->n_links; i++)
		key[i] = &last->links[i].child_column;
	strbuf_addstr(&b, "SELECT DISTINCT ");
	mapping_add_key(&b, alias, key, last->n_links);
	add_climb(&b, w, n_values);
	add_is_key(&b, alias, key, last->n_links);
	strbuf_addstr(&b, " LIMIT ?");
	return mapping_take_text(m, &b);
}

static const char *page_sql(struct mapping *m, bool has_cursor)
{
	const struct schema_column *key[MAPPING_KEY_COLUMNS_MAX];
	struct strbuf b = STRBUF_INIT(0);

	mapping_key_columns(m, key);
	strbuf_addstr(&b, "SELECT ");
	mapping_add_key(&b, "c", key, m->root->n_links);
	MARIA_ADD(&b, " FROM # c", m->root->tables[0].name);
	if (has_cursor) {
		strbuf_addstr(&b, " WHERE ");
		add_after(&b, "c", key, m->root->n_links);
	}
	add_list(&b, " ORDER BY ", "c", key, m->root->n_links);
	strbuf_addstr(&b, " LIMIT ?");
	return mapping_take_text(m, &b);
}

/* --- what changes ----------------------------------------------------------------------------- */

static void change_use(struct mapping_change *c, const struct schema_column *column)
{
	for (size_t i = 0; i < c->n_used; i++) {
		if (cstr_equal(c->used[i]->name, column->name))
			return;
	}
	mem_grow(&c->used, &c->used_cap, c->n_used + 1, sizeof(struct schema_column *));
	c->used[c->n_used++] = column;
}

/* The change of this table that queues this path, made when it is the first. */
static struct mapping_change *change_of(struct mapping *m, const struct step *s, uint32_t path)
{
	const struct mapping_level *level = s->level;
	struct mapping_change *c;

	for (size_t i = 0; i < m->n_changes; i++) {
		bool is_same = m->changes[i].path == path &&
			       cstr_equal(m->changes[i].table, step_table(s)) &&
			       m->changes[i].n_key == level->n_links;

		for (size_t j = 0; is_same && j < level->n_links; j++)
			is_same = cstr_equal(m->changes[i].key[j]->name, level->links[j].child);
		if (is_same)
			return &m->changes[i];
	}
	mem_grow(&m->changes, &m->changes_cap, m->n_changes + 1, sizeof(*m->changes));
	c = &m->changes[m->n_changes++];
	*c = (struct mapping_change){.table = step_table(s),
				     .path = path,
				     .is_root = level->is_root,
				     .n_key = level->n_links};
	c->key = arena_alloc(&m->arena, level->n_links * sizeof(*c->key));
	for (size_t i = 0; i < level->n_links; i++)
		c->key[i] = &level->links[i].child_column;
	return c;
}

static const struct mapping_change *note_change(struct mapping *m, const struct step *s,
						uint32_t path)
{
	const struct mapping_level *level = s->level;
	const struct mapping_table *t = &level->tables[s->table];
	struct mapping_change *c = change_of(m, s, path);
	bool is_ordered =
	    !level->is_single && (level->kind == FIELD_OBJECT || level->kind == FIELD_ARRAY);

	for (size_t i = 0; i < level->n_used; i++)
		change_use(c, &level->used[i]);
	for (size_t i = 0; is_ordered && i < t->n_key; i++)
		change_use(c, &t->key[i]);
	return c;
}

/* Documents that one row touches: rows above a row, step by step. */
static double estimate(const struct way *w)
{
	double documents = 1;

	for (size_t i = 0; i + 1 < w->len; i++) {
		const struct mapping_level *below = w->steps[i].level;
		double above = (double)w->steps[i + 1].level->tables[w->steps[i + 1].table].rows;
		double rows = (double)below->tables[w->steps[i].table].rows;

		if (!below->is_parent_unique && rows > 0)
			documents *= above > rows ? above / rows : 1;
	}
	return documents;
}

static void note_fanouts(struct mapping *m, const struct way *w, const struct mapping_change *c,
			 const char *description)
{
	for (size_t i = 0; i < c->n_used; i++) {
		const char *column = c->used[i]->name;
		bool is_known = false;

		for (size_t j = 0; j < m->n_fanouts; j++) {
			const struct mapping_fanout *f = &m->fanouts[j];

			is_known =
			    is_known || (f->path == c->path && cstr_equal(f->table, c->table) &&
					 cstr_equal(f->column, column));
		}
		if (is_known)
			continue;
		mem_grow(&m->fanouts, &m->fanouts_cap, m->n_fanouts + 1, sizeof(*m->fanouts));
		m->fanouts[m->n_fanouts++] = (struct mapping_fanout){
		    .table = c->table,
		    .column = column,
		    .path = c->path,
		    .description = description,
		    .documents = estimate(w),
		};
	}
}

static int add_path(struct mapping *m, const struct way *w, uint32_t id, const char *description,
		    struct err *err)
{
	struct mapping_way way = {.level = w->steps[0].level,
				  .n_values = w->steps[0].level->n_links};

	for (size_t i = 0; i < m->n_paths; i++) {
		if (m->paths[i].id == id)
			return 0;
	}
	if (m->n_paths == MAPPING_PATHS_MAX)
		return err_set(err, ERR_LIMIT, "%s: \"%s\" has more than %d ways to its documents",
			       m->file, m->collection, MAPPING_PATHS_MAX);
	way.first_sql = expansion_sql(m, w, false);
	way.next_sql = expansion_sql(m, w, true);
	for (size_t i = 0; i < MAPPING_MANY_BUCKETS; i++)
		way.many_sql[i] = expansion_many_sql(m, w, mapping_many_buckets[i]);
	mapping_add_statement(m, arena_printf(&m->arena, "expand %s", description), way.next_sql);
	if (way.many_sql[0])
		mapping_add_statement(m, arena_printf(&m->arena, "expand many %s", description),
				      way.many_sql[MAPPING_MANY_BUCKETS - 1]);
	mem_grow(&m->paths, &m->paths_cap, m->n_paths + 1, sizeof(*m->paths));
	mem_grow(&m->ways, &m->ways_cap, m->n_paths + 1, sizeof(*m->ways));
	m->paths[m->n_paths] = (struct mapping_path){id, step_table(&w->steps[0]), description};
	m->ways[m->n_paths++] = way;
	return 0;
}

/* Completes a way over every table of the levels above, and notes what it is for. */
static int climb(struct mapping *m, struct way *w, struct err *err)
{
	const struct step *last = &w->steps[w->len - 1];
	const struct mapping_level *above = last->level->parent;
	const char *description;
	uint32_t id = MAPPING_PATH_ROOT;
	int r = 0;

	if (!last->level->carries_key) {
		for (size_t i = 0; r == 0 && i < above->n_tables; i++) {
			w->steps[w->len++] = (struct step){above, i};
			r = climb(m, w, err);
			w->len--;
		}
		return r;
	}
	description = describe(m, w);
	if (w->len > 1) {
		id = number_of(m, w, description);
		r = add_path(m, w, id, description, err);
		if (r < 0)
			return r;
	}
	note_fanouts(m, w, note_change(m, &w->steps[0], id), description);
	return 0;
}

int mapping_make_paths(struct mapping *m, struct err *err)
{
	for (size_t i = 0; i < m->n_levels; i++) {
		for (size_t j = 0; j < m->levels[i]->n_tables; j++) {
			struct way w = {.steps = {{m->levels[i], j}}, .len = 1};
			int r = climb(m, &w, err);

			if (r < 0)
				return r;
		}
	}
	m->page_first_sql = page_sql(m, false);
	m->page_next_sql = page_sql(m, true);
	mapping_add_statement(m, "page", m->page_next_sql);
	return 0;
}

size_t mapping_paths(const struct mapping *m, const struct mapping_path **ret)
{
	*ret = m->paths;
	return m->n_paths;
}

size_t mapping_fanouts(const struct mapping *m, const struct mapping_fanout **ret)
{
	*ret = m->fanouts;
	return m->n_fanouts;
}
