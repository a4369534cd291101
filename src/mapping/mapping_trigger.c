/*
 * Triggers. Each mapped table has three, AFTER INSERT, UPDATE and DELETE, which only append to the
 * collection's queue: a row for each path and side (NEW, OLD). Nothing reads a table. An UPDATE
 * queues a path only if a column that this path uses has changed, compared as BINARY (so that a
 * change of case or of trailing spaces is one) and NULL-safe; its OLD side only if the key itself
 * has changed. A NULL key joins nothing and is not queued.
 *
 * Rows are an INSERT … VALUES, behind an IF where they depend. An INSERT … SELECT … WHERE says the
 * same in one statement, but with innodb_autoinc_lock_mode = 1, MariaDB's default, it holds the
 * AUTO-INC lock of the queue to the end of the writer's statement: writers of a table wait for each
 * other, and two tables that feed each other's queues deadlock.
 *
 * Two types do not show every change in their text: FLOAT prints six digits, therefore it is
 * compared as DOUBLE, and a TIMESTAMP prints the same for two instants when clocks are put back,
 * therefore its UNIX time is compared.
 */
#include "mapping/mapping_int.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/banned.h"

#define NAME_MAX_BYTES 64 /* of a trigger in MariaDB */

static void add_side(struct strbuf *b, const char *alias, const struct schema_column *c)
{
	bool is_float = cstr_equal(c->data_type, "float");
	bool is_timestamp = cstr_equal(c->data_type, "timestamp");

	strbuf_addstr(b, is_float	? "BINARY ("
			 : is_timestamp ? "BINARY UNIX_TIMESTAMP("
					: "BINARY ");
	mapping_add_column(b, alias, c->name);
	strbuf_addstr(b, is_float ? " + 0e0)" : is_timestamp ? ")" : "");
}

static void add_differs(struct strbuf *b, const struct schema_column *const *columns, size_t n)
{
	strbuf_addstr(b, "NOT (");
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(b, i ? " AND " : "");
		add_side(b, "OLD", columns[i]);
		strbuf_addstr(b, " <=> ");
		add_side(b, "NEW", columns[i]);
	}
	strbuf_addch(b, ')');
}

/* "IF … THEN" what has to hold for a row of this path and side; false when nothing has to. */
static bool add_condition(struct strbuf *b, const struct mapping_change *c, const char *side,
			  const struct schema_column *const *differs, size_t n_differs)
{
	const char *word = "IF ";

	for (size_t i = 0; i < c->n_key; i++) {
		if (!c->key[i]->is_nullable)
			continue;
		strbuf_addstr(b, word);
		mapping_add_column(b, side, c->key[i]->name);
		strbuf_addstr(b, " IS NOT NULL");
		word = " AND ";
	}
	if (n_differs) {
		strbuf_addstr(b, word);
		add_differs(b, differs, n_differs);
		word = " AND ";
	}
	if (cstr_equal(word, "IF "))
		return false;
	strbuf_addstr(b, " THEN\n");
	return true;
}

static void add_values(struct strbuf *b, const struct mapping_change *c, const char *side)
{
	strbuf_addf(b, "(%" PRIu32 ", ", c->path);
	mapping_add_key(b, side, c->key, c->n_key);
	strbuf_addstr(b, ", SYSDATE(6))");
}

static void add_insert(struct strbuf *b, const struct mapping *m)
{
	MARIA_ADD(b, "INSERT INTO # (`path`, `key`, queued_at) VALUES ", m->queue);
}

/* False, and nothing is added: the row has no condition. */
static bool add_row(struct strbuf *b, const struct mapping *m, const struct mapping_change *c,
		    const char *side, const struct schema_column *const *differs, size_t n_differs)
{
	if (!add_condition(b, c, side, differs, n_differs))
		return false;
	add_insert(b, m);
	add_values(b, c, side);
	strbuf_addstr(b, ";\nEND IF;\n");
	return true;
}

/* Rows that are queued whatever the change is go with one statement. */
static void add_rows_of_whole(struct strbuf *b, const struct mapping *m, const char *table,
			      const char *side)
{
	struct strbuf values = STRBUF_INIT(0);

	for (size_t i = 0; i < m->n_changes; i++) {
		const struct mapping_change *c = &m->changes[i];

		if (!cstr_equal(c->table, table) || add_row(b, m, c, side, NULL, 0))
			continue;
		strbuf_addstr(&values, values.len ? ",\n" : "");
		add_values(&values, c, side);
	}
	if (values.len) {
		add_insert(b, m);
		strbuf_addf(b, "%s;\n", strbuf_str(&values));
	}
	strbuf_done(&values);
}

static void add_rows(struct strbuf *b, const struct mapping *m, const char *table, char event)
{
	if (event != 'u')
		add_rows_of_whole(b, m, table, event == 'i' ? "NEW" : "OLD");
	for (size_t i = 0; i < m->n_changes && event == 'u'; i++) {
		const struct mapping_change *c = &m->changes[i];

		if (!cstr_equal(c->table, table))
			continue;
		bug_if(!add_row(b, m, c, "NEW", c->used, c->n_used));
		bug_if(!add_row(b, m, c, "OLD", c->key, c->n_key));
	}
}

static const struct mapping_change *root_change(const struct mapping *m, const char *table)
{
	for (size_t i = 0; i < m->n_changes; i++) {
		if (m->changes[i].is_root && cstr_equal(m->changes[i].table, table))
			return &m->changes[i];
	}
	return NULL;
}

static const char *make_body(struct mapping *m, const char *table, char event)
{
	const struct mapping_change *root = event == 'u' ? root_change(m, table) : NULL;
	struct strbuf b = STRBUF_INIT(0);

	strbuf_addstr(&b, "BEGIN\n");
	add_rows(&b, m, table, event);
	if (root) {
		strbuf_addstr(&b, "IF ");
		add_differs(&b, root->key, root->n_key);
		strbuf_addstr(&b, " THEN\nINSERT INTO sync_key_change"
				  " (`queue`, old_key, new_key, changed_at) VALUES (");
		maria_add_literal(&b, str_from(m->queue));
		strbuf_addstr(&b, ", ");
		mapping_add_key(&b, "OLD", root->key, root->n_key);
		strbuf_addstr(&b, ", ");
		mapping_add_key(&b, "NEW", root->key, root->n_key);
		strbuf_addstr(&b, ", SYSDATE(6));\nEND IF;\n");
	}
	strbuf_addstr(&b, "END");
	return mapping_take_text(m, &b);
}

/* "aethermart_<collection>_<table>_ai"; a longer one is cut and told apart by a hash. */
static const char *make_name(struct mapping *m, const char *table, char event)
{
	const char *name =
	    arena_printf(&m->arena, "aethermart_%s_%s_a%c", m->collection, table, event);
	unsigned char digest[crypto_hash_sha256_BYTES];
	struct str kept = utf8_cut(str_from(name), NAME_MAX_BYTES - 12);

	if (strlen(name) <= NAME_MAX_BYTES)
		return name;
	crypto_hash_sha256(digest, (const unsigned char *)name, strlen(name));
	return arena_printf(&m->arena, "%.*s_%02x%02x%02x%02x_a%c", STR_ARGS(kept), digest[0],
			    digest[1], digest[2], digest[3], event);
}

static void add_trigger(struct mapping *m, const char *table, const char *event)
{
	char letter = (char)(event[0] | 0x20);
	struct mapping_trigger *t = &m->triggers[m->n_triggers++];
	struct strbuf b = STRBUF_INIT(0);

	t->name = make_name(m, table, letter);
	t->table = table;
	t->event = event;
	t->body = make_body(m, table, letter);
	MARIA_ADD(&b, "CREATE OR REPLACE TRIGGER #", t->name);
	strbuf_addf(&b, " AFTER %s ON ", event);
	MARIA_ADD(&b, "# FOR EACH ROW\n", table);
	strbuf_addstr(&b, t->body);
	t->create_sql = mapping_take_text(m, &b);
}

void mapping_make_triggers(struct mapping *m)
{
	m->triggers = arena_alloc(&m->arena, m->n_changes * 3 * sizeof(*m->triggers));
	for (size_t i = 0; i < m->n_changes; i++) {
		const char *table = m->changes[i].table;
		bool is_done = false;

		for (size_t j = 0; j < i; j++)
			is_done = is_done || cstr_equal(m->changes[j].table, table);
		if (is_done)
			continue;
		add_trigger(m, table, "INSERT");
		add_trigger(m, table, "UPDATE");
		add_trigger(m, table, "DELETE");
	}
}

size_t mapping_triggers(const struct mapping *m, const struct mapping_trigger **ret)
{
	*ret = m->triggers;
	return m->n_triggers;
}
