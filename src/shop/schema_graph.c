/*
 * The entity relationship diagram: see schema_graph.h. Both formats walk the same tables in the
 * order of their names; a foreign key is drawn when both its ends are. In mermaid a type holds
 * neither spaces nor commas, so lengths are left out there.
 */
#include "shop/schema_graph.h"

#include "base/banned.h"

bool shop_schema_is_core(const char *table)
{
	static const char *const prefixes[] = {"Staging_", "schema_", "sync_", "v_sync_"};
	static const char *const suffixes[] = {"_sync_queue"};
	size_t len = strlen(table);

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (strncmp(table, prefixes[i], strlen(prefixes[i])) == 0)
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len >= n && cstr_equal(table + len - n, suffixes[i]))
			return false;
	}
	return true;
}

static bool is_drawn(const struct schema_table *t, const struct shop_graph_options *o)
{
	return !t->is_view && (o->is_complete || shop_schema_is_core(t->name));
}

static bool is_in_index(const struct schema_index *index, const struct schema_column *column)
{
	for (size_t i = 0; i < index->n_columns; i++) {
		if (index->columns[i] == column)
			return true;
	}
	return false;
}

static bool is_primary(const struct schema_table *t, const struct schema_column *c)
{
	const struct schema_index *key = schema_primary_key(t);

	return key && is_in_index(key, c);
}

static bool is_foreign(const struct schema_table *t, const struct schema_column *c)
{
	for (size_t i = 0; i < t->n_foreign_keys; i++) {
		const struct schema_foreign_key *key = &t->foreign_keys[i];

		for (size_t k = 0; k < key->n_columns; k++) {
			if (key->columns[k] == c)
				return true;
		}
	}
	return false;
}

/* Alone unique: part of a longer unique key does not count. */
static bool is_unique(const struct schema_table *t, const struct schema_column *c)
{
	for (size_t i = 0; i < t->n_indexes; i++) {
		const struct schema_index *index = &t->indexes[i];

		if (index->is_unique && index->n_columns == 1 && index->columns[0] == c &&
		    !cstr_equal(index->name, "PRIMARY"))
			return true;
	}
	return false;
}

/* Whether at most one row of the table has the same value in the key's columns. */
static bool is_one_to_one(const struct schema_table *t, const struct schema_foreign_key *key)
{
	for (size_t i = 0; i < t->n_indexes; i++) {
		const struct schema_index *index = &t->indexes[i];
		bool is_covered = index->is_unique && index->n_columns <= key->n_columns;

		for (size_t k = 0; is_covered && k < index->n_columns; k++) {
			bool is_found = false;

			for (size_t f = 0; f < key->n_columns; f++)
				is_found |= key->columns[f] == index->columns[k];
			is_covered = is_found;
		}
		if (is_covered)
			return true;
	}
	return false;
}

static bool is_optional(const struct schema_foreign_key *key)
{
	for (size_t i = 0; i < key->n_columns; i++) {
		if (key->columns[i]->is_nullable)
			return true;
	}
	return false;
}

static void add_key_columns(struct strbuf *b, const struct schema_foreign_key *key)
{
	for (size_t i = 0; i < key->n_columns; i++)
		strbuf_addf(b, "%s%s", i ? ", " : "", key->columns[i]->name);
}

/* --- mermaid ---------------------------------------------------------------------------------- */

/* JSON is a LONGTEXT to the server; people know it as what it was declared. */
static const char *type_word(const struct schema_column *c)
{
	return c->type == SCHEMA_JSON ? "json" : c->data_type;
}

static void mermaid_column(struct strbuf *b, const struct schema_table *t,
			   const struct schema_column *c)
{
	const char *const marks[] = {is_primary(t, c) ? "PK" : NULL, is_foreign(t, c) ? "FK" : NULL,
				     is_unique(t, c) ? "UK" : NULL};
	const char *comma = " ";

	strbuf_addf(b, "        %s%s %s", type_word(c), c->is_unsigned ? "_unsigned" : "", c->name);
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (!marks[i])
			continue;
		strbuf_addf(b, "%s%s", comma, marks[i]);
		comma = ", ";
	}
	strbuf_addstr(b, c->is_nullable ? " \"null\"\n" : "\n");
}

static void mermaid_line(struct strbuf *b, const struct schema_table *t,
			 const struct schema_foreign_key *key)
{
	strbuf_addf(b, "    %s %s--%s %s : \"", key->to_table, is_optional(key) ? "|o" : "||",
		    is_one_to_one(t, key) ? "o|" : "o{", t->name);
	add_key_columns(b, key);
	strbuf_addstr(b, "\"\n");
}

static void mermaid_table(struct strbuf *b, const struct schema_table *t)
{
	strbuf_addf(b, "    %s {\n", t->name);
	for (size_t i = 0; i < t->n_columns; i++)
		mermaid_column(b, t, &t->columns[i]);
	strbuf_addstr(b, "    }\n");
}

/* --- dot -------------------------------------------------------------------------------------- */

static void add_escaped(struct strbuf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			strbuf_addstr(b, "&amp;");
		else if (*s == '<')
			strbuf_addstr(b, "&lt;");
		else if (*s == '>')
			strbuf_addstr(b, "&gt;");
		else
			strbuf_addch(b, *s);
	}
}

/* "bigint unsigned" for "bigint(20) unsigned": a display width says nothing. */
static void add_type(struct strbuf *b, const struct schema_column *c)
{
	const char *open = strchr(c->sql_type, '('), *close = strrchr(c->sql_type, ')');

	if (c->type == SCHEMA_JSON || cstr_equal(c->data_type, "enum"))
		strbuf_addstr(b, type_word(c));
	else if (c->type == SCHEMA_INT && open && close)
		strbuf_addf(b, "%s%s", c->data_type, close + 1);
	else
		add_escaped(b, c->sql_type);
}

static void dot_column(struct strbuf *b, const struct schema_table *t,
		       const struct schema_column *c)
{
	const char *key = is_primary(t, c)   ? (is_foreign(t, c) ? "PK FK" : "PK")
			  : is_foreign(t, c) ? "FK"
			  : is_unique(t, c)  ? "UK"
					     : "";
	bool is_bold = is_primary(t, c);

	strbuf_addf(b,
		    "    <TR><TD ALIGN=\"LEFT\" PORT=\"l_%s\">"
		    "<FONT COLOR=\"#8a5a00\" POINT-SIZE=\"9\">%s </FONT></TD>"
		    "<TD ALIGN=\"LEFT\">%s",
		    c->name, key, is_bold ? "<B>" : "");
	add_escaped(b, c->name);
	strbuf_addf(b, "%s</TD><TD ALIGN=\"LEFT\" PORT=\"r_%s\"><FONT COLOR=\"#5c6b7a\">  ",
		    is_bold ? "</B>" : "", c->name);
	add_type(b, c);
	strbuf_addf(b, "%s</FONT></TD></TR>\n", c->is_nullable ? " <I>null</I>" : "");
}

static void dot_table(struct strbuf *b, const struct schema_table *t)
{
	strbuf_addf(b, "  \"%s\" [label=<\n", t->name);
	strbuf_addstr(b, "    <TABLE BORDER=\"1\" COLOR=\"#34495e\" CELLBORDER=\"0\" "
			 "CELLSPACING=\"0\" CELLPADDING=\"3\" BGCOLOR=\"white\">\n"
			 "    <TR><TD COLSPAN=\"3\" BGCOLOR=\"#34495e\" CELLPADDING=\"5\">"
			 "<FONT COLOR=\"white\" POINT-SIZE=\"12\"><B>");
	add_escaped(b, t->name);
	strbuf_addstr(b, "</B></FONT></TD></TR>\n");
	for (size_t i = 0; i < t->n_columns; i++)
		dot_column(b, t, &t->columns[i]);
	strbuf_addstr(b, "    </TABLE>>];\n");
}

static void dot_line(struct strbuf *b, const struct schema_table *t,
		     const struct schema_foreign_key *key)
{
	strbuf_addf(b, "  \"%s\":\"r_%s\":e -> \"%s\":\"l_%s\":w [arrowtail=%s, arrowhead=%s];\n",
		    key->to_table, key->to_columns[0], t->name, key->columns[0]->name,
		    is_optional(key) ? "teeodot" : "teetee",
		    is_one_to_one(t, key) ? "teeodot" : "crowodot");
}

/* --- both ------------------------------------------------------------------------------------- */

typedef void (*table_fn)(struct strbuf *b, const struct schema_table *t);
typedef void (*line_fn)(struct strbuf *b, const struct schema_table *t,
			const struct schema_foreign_key *key);

static void draw(const struct schema *schema, const struct shop_graph_options *o, struct strbuf *b)
{
	table_fn table = o->format == SHOP_GRAPH_DOT ? dot_table : mermaid_table;
	line_fn line = o->format == SHOP_GRAPH_DOT ? dot_line : mermaid_line;

	for (size_t i = 0; i < schema->n_tables; i++) {
		if (is_drawn(&schema->tables[i], o))
			table(b, &schema->tables[i]);
	}
	for (size_t i = 0; i < schema->n_tables; i++) {
		const struct schema_table *t = &schema->tables[i];

		for (size_t k = 0; is_drawn(t, o) && k < t->n_foreign_keys; k++) {
			const struct schema_table *to =
			    schema_find_table(schema, t->foreign_keys[k].to_table);

			if (to && is_drawn(to, o))
				line(b, t, &t->foreign_keys[k]);
		}
	}
}

void shop_schema_graph(const struct schema *schema, const struct shop_graph_options *options,
		       struct strbuf *ret)
{
	if (options->format == SHOP_GRAPH_MERMAID) {
		strbuf_addstr(ret, "erDiagram\n");
		draw(schema, options, ret);
		return;
	}
	strbuf_addstr(ret, "digraph schema {\n"
			   "  graph [rankdir=LR, ranksep=1.1, nodesep=0.45, splines=spline, "
			   "fontname=\"Helvetica\", bgcolor=\"#f7f9fb\", pad=0.3];\n"
			   "  node [shape=plain, fontname=\"Helvetica\", fontsize=10];\n"
			   "  edge [dir=both, color=\"#34495e\", arrowsize=0.9];\n");
	draw(schema, options, ret);
	strbuf_addstr(ret, "}\n");
}
