/*
 * Documents from rows: the tree of levels, written down row by row. A refusal names the field by
 * its path and the reason, never the value.
 */
#include "mapping/mapping_int.h"

#include "base/banned.h"

static int build_fields(struct mapping_reader *r, const struct mapping_level *level,
			const struct mapping_row *row, bson_t *b, struct err *err);

static int too_large(struct err *err)
{
	return err_set(err, ERR_DOCUMENT, "the document is above the 16 MiB that MongoDB takes");
}

static int refused(const struct mapping_field *f, struct err *err)
{
	return err_context(err, "field \"%s\"", f->path);
}

static int build_value(const struct mapping_field *f, const char *name, int name_len,
		       struct str value, bson_t *b, struct err *err)
{
	int s = mapping_append_value(b, name, name_len, f->convert, value, err);

	return s < 0 ? refused(f, err) : 0;
}

/* NULL when every column is; else a NULL column is empty. */
static int build_concat(struct mapping_reader *r, const struct mapping_field *f, const char *name,
			int name_len, const struct mapping_row *row, bson_t *b, struct err *err)
{
	bool is_null = true;

	strbuf_clear(&r->scratch);
	for (size_t i = 0; i < f->n_parts; i++) {
		const struct mapping_part *part = &f->parts[i];
		struct str v;

		if (!part->column) {
			strbuf_addstr(&r->scratch, part->text);
			continue;
		}
		v = row->values[part->slot];
		is_null = is_null && !v.data;
		strbuf_add(&r->scratch, v.data, v.len);
	}
	if (r->scratch.overflow)
		return too_large(err);
	return build_value(f, name, name_len,
			   is_null ? (struct str){NULL, 0}
				   : (struct str){strbuf_str(&r->scratch), r->scratch.len},
			   b, err);
}

static const struct mapping_row *first_row(const struct mapping_reader *r,
					   const struct mapping_level *level,
					   const struct mapping_row *above)
{
	uint32_t group = above->groups[level->child_index];

	return group == MAPPING_NO_GROUP ? NULL : r->levels[level->index].groups[group].first;
}

static int build_object(struct mapping_reader *r, const struct mapping_field *f,
			const struct mapping_row *above, bson_t *b, struct err *err)
{
	const struct mapping_row *row = first_row(r, f->level, above);
	bson_t child;
	int s;

	if (!row) {
		bson_append_null(b, f->name, f->name_len);
		return 0;
	}
	bson_append_document_begin(b, f->name, f->name_len, &child);
	s = build_fields(r, f->level, row, &child, err);
	bson_append_document_end(b, &child);
	return s;
}

static int build_item(struct mapping_reader *r, const struct mapping_level *level, uint32_t i,
		      const struct mapping_row *row, bson_t *array, struct err *err)
{
	const struct mapping_field *value = &level->fields[0];
	char buffer[16];
	const char *key;
	int key_len = (int)bson_uint32_to_string(i, &key, buffer, sizeof(buffer)), s;
	bson_t child;

	if (level->is_values && value->kind == FIELD_CONCAT)
		return build_concat(r, value, key, key_len, row, array, err);
	if (level->is_values)
		return build_value(value, key, key_len, row->values[value->slot], array, err);
	bson_append_document_begin(array, key, key_len, &child);
	s = build_fields(r, level, row, &child, err);
	bson_append_document_end(array, &child);
	return s;
}

static int build_array(struct mapping_reader *r, const struct mapping_field *f,
		       const struct mapping_row *above, bson_t *b, struct err *err)
{
	uint32_t i = 0;
	bson_t array;
	int s = 0;

	bson_append_array_begin(b, f->name, f->name_len, &array);
	for (const struct mapping_row *row = first_row(r, f->level, above); s == 0 && row;
	     row = row->next) {
		s = build_item(r, f->level, i++, row, &array, err);
		/* Rows that are shared by many places can be far larger here than in memory. */
		if (s == 0 && array.len > MAPPING_DOCUMENT_MAX)
			s = too_large(err);
	}
	bson_append_array_end(b, &array);
	return s;
}

/* A figure of no rows: 0 for counts and sums, with the column's scale; else null. */
static struct str empty_figure(const struct mapping_field *f)
{
	static const char zeros[] = "0.00000000000000000000000000000000000000";

	if (f->figure == FIGURE_COUNT || (f->figure == FIGURE_SUM && !f->scale))
		return (struct str){zeros, 1};
	if (f->figure == FIGURE_SUM)
		return (struct str){zeros, f->scale + 2};
	return (struct str){NULL, 0};
}

static int build_aggregate(struct mapping_reader *r, const struct mapping_field *f,
			   const struct mapping_row *above, bson_t *b, struct err *err)
{
	const struct mapping_row *row = first_row(r, f->level, above);
	bson_t child;
	int s = 0;

	bson_append_document_begin(b, f->name, f->name_len, &child);
	for (size_t i = 0; s == 0 && i < f->level->n_fields; i++) {
		const struct mapping_field *figure = &f->level->fields[i];
		struct str v = row ? row->values[figure->slot] : (struct str){NULL, 0};

		s = build_value(figure, figure->name, figure->name_len,
				v.data ? v : empty_figure(figure), &child, err);
	}
	bson_append_document_end(b, &child);
	return s;
}

static int build_tree(struct mapping_reader *r, const struct mapping_field *f,
		      const struct mapping_row *above, bson_t *b, struct err *err)
{
	const struct mapping_rows *rows = &r->levels[f->level->index];
	const struct mapping_field *value = &f->level->fields[0];
	const struct mapping_row *nodes[MAPPING_TREE_MAX];
	uint32_t group = above->groups[f->level->child_index];
	size_t n = 0;
	bson_t array;
	int s = 0;

	while (group != MAPPING_NO_GROUP && rows->groups[group].first) {
		if (n == MAPPING_TREE_MAX) {
			(void)err_set(err, ERR_DOCUMENT,
				      "a tree that is deeper than %d nodes or goes in a circle",
				      MAPPING_TREE_MAX);
			return refused(f, err);
		}
		nodes[n] = rows->groups[group].first;
		group = nodes[n++]->groups[0];
	}
	bson_append_array_begin(b, f->name, f->name_len, &array);
	for (size_t i = 0; s == 0 && i < n; i++) {
		char buffer[16];
		const char *key;
		size_t len = bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof(buffer));

		s = build_value(value, key, (int)len, nodes[n - 1 - i]->values[value->slot], &array,
				err);
	}
	bson_append_array_end(b, &array);
	return s;
}

static int build_field(struct mapping_reader *r, const struct mapping_field *f,
		       const struct mapping_row *row, bson_t *b, struct err *err)
{
	switch (f->kind) {
	case FIELD_COLUMN:
		return build_value(f, f->name, f->name_len, row->values[f->slot], b, err);
	case FIELD_CONCAT:
		return build_concat(r, f, f->name, f->name_len, row, b, err);
	case FIELD_CONSTANT:
		return bson_concat(b, f->constant) ? 0 : too_large(err);
	case FIELD_OBJECT:
		return build_object(r, f, row, b, err);
	case FIELD_ARRAY:
		return build_array(r, f, row, b, err);
	case FIELD_AGGREGATE:
		return build_aggregate(r, f, row, b, err);
	case FIELD_TREE:
		return build_tree(r, f, row, b, err);
	case FIELD_FIGURE:
		break;
	}
	bug_if(f->kind == FIELD_FIGURE);
	return 0;
}

static int build_fields(struct mapping_reader *r, const struct mapping_level *level,
			const struct mapping_row *row, bson_t *b, struct err *err)
{
	for (size_t i = 0; i < level->n_fields; i++) {
		int s = build_field(r, &level->fields[i], row, b, err);

		if (s < 0)
			return s;
		if (b->len > MAPPING_DOCUMENT_MAX)
			return too_large(err);
	}
	return 0;
}

int mapping_build(struct mapping_reader *r, struct str key, const struct mapping_row *row,
		  bson_t *document, struct err *err)
{
	int s = mapping_key_append(r->m, key, document, "_id", err);

	if (s == 0)
		s = build_fields(r, r->m->root, row, document, err);
	if (s == 0 && document->len > MAPPING_DOCUMENT_MAX - MAPPING_DOCUMENT_RESERVE)
		s = too_large(err);
	return s;
}
