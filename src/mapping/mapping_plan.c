/*
 * What a bound plan says about itself: owned fields, validator, PII classes, and its canonical text
 * with the hash. The text holds everything that decides a document's bytes or the installation:
 * names, joins, filters, orders, columns with their types, first values, indexes; no layout of the
 * YAML file, no statistics.
 */
#include "mapping/mapping_int.h"

#include <inttypes.h>
#include <sodium.h>

#include "base/banned.h"

#define PLAN_VERSION 1 /* raise when the same mapping gives other documents or triggers */

static const char *const kind_names[] = {
    [FIELD_COLUMN] = "column", [FIELD_CONCAT] = "concat", [FIELD_CONSTANT] = "constant",
    [FIELD_OBJECT] = "object", [FIELD_ARRAY] = "array",	  [FIELD_AGGREGATE] = "aggregate",
    [FIELD_TREE] = "path",     [FIELD_FIGURE] = "figure",
};
static const char *const convert_names[] = {
    [CONVERT_NONE] = "-",	   [CONVERT_BOOL] = "bool",	[CONVERT_INT] = "int64",
    [CONVERT_DECIMAL] = "decimal", [CONVERT_DOUBLE] = "double", [CONVERT_STRING] = "string",
    [CONVERT_DATE] = "date",	   [CONVERT_BINARY] = "binary", [CONVERT_SET] = "set",
    [CONVERT_JSON] = "json",
};
static const char *const figure_names[] = {
    [FIGURE_COUNT] = "count", [FIGURE_SUM] = "sum", [FIGURE_AVG] = "avg",
    [FIGURE_MIN] = "min",     [FIGURE_MAX] = "max",
};

/* --- text ------------------------------------------------------------------------------------- */

static void add_type(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addf(b, " %s", c->sql_type);
	if (c->collation)
		strbuf_addf(b, " %s", c->collation);
	strbuf_addstr(b, c->is_nullable ? " null" : "");
}

static void add_field_text(struct strbuf *b, const struct mapping_level *level,
			   const struct mapping_field *f)
{
	char *json;

	strbuf_addf(b, "field \"%s\" %s", f->path, kind_names[f->kind]);
	if (f->kind == FIELD_FIGURE)
		strbuf_addf(b, " %s", figure_names[f->figure]);
	if (f->column) {
		strbuf_addf(b, " `%s` %s", f->column, convert_names[f->convert]);
		add_type(b, &level->slots[f->slot].type);
	}
	for (size_t i = 0; i < f->n_parts; i++) {
		const struct mapping_part *p = &f->parts[i];

		if (p->column) {
			strbuf_addf(b, " `%s`", p->column);
			add_type(b, &level->slots[p->slot].type);
		} else {
			strbuf_addch(b, ' ');
			strbuf_add_json(b, p->text, strlen(p->text));
		}
	}
	if (f->constant) {
		json = bson_as_canonical_extended_json(f->constant, NULL);
		strbuf_addf(b, " %s", json ? json : "");
		bson_free(json);
	}
	strbuf_addch(b, '\n');
}

static void add_level_text(struct strbuf *b, const struct mapping_level *level)
{
	strbuf_addf(b, "level \"%s\" %s", level->path,
		    level->is_root ? "root" : kind_names[level->kind]);
	for (size_t i = 0; i < level->n_tables; i++)
		strbuf_addf(b, " `%s`", level->tables[i].name);
	for (size_t i = 0; i < level->n_links; i++) {
		const struct mapping_link *l = &level->links[i];

		strbuf_addf(b, " on `%s`", l->child);
		add_type(b, &l->child_column);
		if (!level->is_root)
			strbuf_addf(b, " = `%s`", l->parent);
	}
	if (level->tree_parent)
		strbuf_addf(b, " parent `%s`", level->tree_parent);
	strbuf_addf(b, "%s%s", *level->where_sql ? " where" : "",
		    *level->where_sql ? level->where_sql + 4 : "");
	for (size_t i = 0; i < level->n_order; i++)
		strbuf_addf(b, "%s`%s`%s", i ? ", " : " order ", level->order[i].column,
			    level->order[i].is_descending ? " desc" : "");
	if (level->limit)
		strbuf_addf(b, " limit %" PRId64, level->limit);
	strbuf_addstr(b, level->is_values && level->kind == FIELD_ARRAY ? " values\n" : "\n");
	for (size_t i = 0; i < level->n_fields; i++)
		add_field_text(b, level, &level->fields[i]);
}

static void add_json_line(struct strbuf *b, const char *name, const bson_t *doc)
{
	char *json = bson_as_canonical_extended_json(doc, NULL);

	strbuf_addf(b, "%s %s\n", name, json ? json : "");
	bson_free(json);
}

static void make_text(struct mapping *m)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	struct strbuf b = STRBUF_INIT(0);

	strbuf_addf(&b, "plan %d\ncollection \"%s\" target %s on_leave %s queue `%s`\n",
		    PLAN_VERSION, m->collection, m->has_target ? "mongodb" : "none",
		    m->keeps_on_leave ? "keep" : "delete", m->queue);
	for (size_t i = 0; i < m->n_levels; i++)
		add_level_text(&b, m->levels[i]);
	add_json_line(&b, "mongodb", m->initial);
	add_json_line(&b, "indexes", m->indexes);
	crypto_hash_sha256(digest, (const unsigned char *)strbuf_str(&b), b.len);
	sodium_bin2hex(m->hash, sizeof(m->hash), digest, sizeof(digest));
	m->text = mapping_take_text(m, &b);
}

/* --- validator -------------------------------------------------------------------------------- */

static void append_types(bson_t *b, const char *const *types, size_t n)
{
	bson_t array;

	if (n == 1) {
		bson_append_utf8(b, "bsonType", -1, types[0], -1);
		return;
	}
	bson_append_array_begin(b, "bsonType", -1, &array);
	for (size_t i = 0; i < n; i++) {
		char buffer[16];
		const char *key;

		bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof(buffer));
		bson_append_utf8(&array, key, -1, types[i], -1);
	}
	bson_append_array_end(b, &array);
}

static void append_convert(bson_t *b, enum mapping_convert convert, bool is_nullable)
{
	static const char *const names[] = {
	    [CONVERT_NONE] = "null",	 [CONVERT_BOOL] = "bool",
	    [CONVERT_INT] = "long",	 [CONVERT_DECIMAL] = "decimal",
	    [CONVERT_DOUBLE] = "double", [CONVERT_STRING] = "string",
	    [CONVERT_DATE] = "date",	 [CONVERT_BINARY] = "binData",
	    [CONVERT_SET] = "array",	 [CONVERT_JSON] = "object",
	};
	const char *types[3];
	size_t n = 0;

	if (convert == CONVERT_JSON)
		return; /* whatever JSON says */
	types[n++] = names[convert];
	if (convert == CONVERT_INT)
		types[n++] = "decimal"; /* above 2^63-1 */
	if (is_nullable)
		types[n++] = "null";
	append_types(b, types, n);
}

static void append_schema(bson_t *b, const struct mapping_field *f);

static void append_properties(bson_t *b, const struct mapping_level *level, bool is_required)
{
	bson_t properties, required;

	bson_append_document_begin(b, "properties", -1, &properties);
	for (size_t i = 0; i < level->n_fields; i++) {
		bson_t schema;

		bson_append_document_begin(&properties, level->fields[i].name, -1, &schema);
		append_schema(&schema, &level->fields[i]);
		bson_append_document_end(&properties, &schema);
	}
	bson_append_document_end(b, &properties);
	if (!is_required)
		return;
	bson_append_array_begin(b, "required", -1, &required);
	for (size_t i = 0; i < level->n_fields; i++) {
		char buffer[16];
		const char *key;

		bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof(buffer));
		bson_append_utf8(&required, key, -1, level->fields[i].name, -1);
	}
	bson_append_array_end(b, &required);
}

static void append_schema(bson_t *b, const struct mapping_field *f)
{
	static const char *const object[] = {"object", "null"}, *const array[] = {"array"};
	bson_t items;

	switch (f->kind) {
	case FIELD_COLUMN:
	case FIELD_CONCAT:
	case FIELD_FIGURE:
		append_convert(b, f->convert, f->is_nullable);
		break;
	case FIELD_OBJECT:
	case FIELD_AGGREGATE:
		append_types(b, object, f->kind == FIELD_OBJECT ? 2 : 1);
		append_properties(b, f->level, true);
		break;
	case FIELD_ARRAY:
	case FIELD_TREE:
		append_types(b, array, 1);
		bson_append_document_begin(b, "items", -1, &items);
		if (f->level->is_values) {
			append_schema(&items, &f->level->fields[0]);
		} else {
			append_types(&items, object, 1);
			append_properties(&items, f->level, true);
		}
		bson_append_document_end(b, &items);
		break;
	case FIELD_CONSTANT:
		break;
	}
}

/*
 * No owned field is required at the top: MongoDB's users may keep documents of their own beside
 * ours, and one that left and is kept has none of them. Inside a field that the sync sets whole,
 * all are.
 */
static void make_validator(struct mapping *m)
{
	static const char *const object[] = {"object"};
	bson_t schema;

	m->validator = bson_new();
	bson_append_document_begin(m->validator, "$jsonSchema", -1, &schema);
	append_types(&schema, object, 1);
	append_properties(&schema, m->root, false);
	bson_append_document_end(m->validator, &schema);
}

void mapping_make_documents(struct mapping *m)
{
	m->owned = arena_alloc(&m->arena, (m->root->n_fields + 1) * sizeof(const char *));
	for (size_t i = 0; i < m->root->n_fields; i++)
		m->owned[i] = m->root->fields[i].name;
	make_validator(m);
	make_text(m);
}

/* --- what it is ------------------------------------------------------------------------------- */

const char *mapping_collection(const struct mapping *m)
{
	return m->collection;
}

const char *mapping_queue(const struct mapping *m)
{
	return m->queue;
}

const char *mapping_root_table(const struct mapping *m)
{
	return m->root->tables[0].name;
}

bool mapping_has_target(const struct mapping *m)
{
	return m->has_target;
}

bool mapping_keeps_on_leave(const struct mapping *m)
{
	return m->keeps_on_leave;
}

const char *mapping_hash(const struct mapping *m)
{
	return m->hash;
}

const char *mapping_text(const struct mapping *m)
{
	return m->text;
}

const char *mapping_key_column(const struct mapping *m, size_t i)
{
	return i < m->root->n_links ? m->root->links[i].child : NULL;
}

const char *const *mapping_owned_fields(const struct mapping *m)
{
	return m->owned;
}

const bson_t *mapping_initial_fields(const struct mapping *m)
{
	return m->initial;
}

const bson_t *mapping_indexes(const struct mapping *m)
{
	return m->indexes;
}

const bson_t *mapping_validator(const struct mapping *m)
{
	return m->validator;
}

/* The class of what the level is read into. */
const char *mapping_level_pii(const struct mapping_level *level)
{
	for (; level->parent; level = level->parent) {
		const struct mapping_level *above = level->parent;

		for (size_t i = 0; i < above->n_fields; i++)
			if (above->fields[i].level == level && above->fields[i].pii)
				return above->fields[i].pii;
	}
	return NULL;
}

static void tell_column(const struct mapping_level *level, const struct mapping_column *column,
			mapping_column_fn fn, void *arg)
{
	for (size_t i = 0; i < level->n_tables && column->column; i++) {
		struct mapping_column c = *column;

		c.table = level->tables[i].name;
		fn(arg, &c);
	}
}

void mapping_each_column(const struct mapping *m, mapping_column_fn fn, void *arg)
{
	for (size_t i = 0; i < m->n_levels; i++) {
		const struct mapping_level *level = m->levels[i];
		struct mapping_column c = {.column = level->tree_field,
					   .field = level->path,
					   .pii = mapping_level_pii(level)};

		tell_column(level, &c, fn, arg);
		for (size_t j = 0; j < level->n_fields; j++) {
			const struct mapping_field *f = &level->fields[j];

			c = (struct mapping_column){.column = f->column,
						    .field = f->path,
						    .pii =
							f->pii ? f->pii : mapping_level_pii(level)};
			tell_column(level, &c, fn, arg);
			for (size_t k = 0; k < f->n_parts; k++) {
				c.column = f->parts[k].column;
				tell_column(level, &c, fn, arg);
			}
		}
	}
}

void mapping_each_table(const struct mapping *m, mapping_table_fn fn, void *arg)
{
	for (size_t i = 0; i < m->n_levels; i++)
		for (size_t j = 0; j < m->levels[i]->n_tables; j++)
			fn(arg, m->levels[i]->path, m->levels[i]->tables[j].name);
}

void mapping_each_pii(const struct mapping *m, mapping_pii_fn fn, void *arg)
{
	for (size_t i = 0; i < m->n_levels; i++) {
		const struct mapping_level *level = m->levels[i];

		for (size_t j = 0; j < level->n_fields; j++) {
			const struct mapping_field *f = &level->fields[j];
			const char *table = (f->level ? f->level : level)->tables[0].name;

			if (f->pii)
				fn(arg, f->path, table, f->column, f->pii);
		}
	}
}
