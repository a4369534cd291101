/*
 * Of which columns each field of a document is made, and how. Everything is in the plan: nothing
 * is guessed, and no SQL is read.
 *
 * What decides whether or which rows come (joins, filters, the order of "the newest three") is told
 * of the field that holds them, not of each field below it.
 */
#include "mapping/mapping_int.h"

#include "base/banned.h"

struct teller {
	mapping_source_fn fn;
	void *arg;
};

static void tell(const struct teller *t, const struct mapping_level *level, const char *column,
		 struct mapping_source source)
{
	for (size_t i = 0; i < level->n_tables && column; i++) {
		source.table = level->tables[i].name;
		source.column = column;
		t->fn(t->arg, &source);
	}
}

/* A count without a column counts rows: each of them is known by its key. */
static void tell_rows(const struct teller *t, const struct mapping_level *level,
		      struct mapping_source source)
{
	for (size_t i = 0; i < level->n_tables; i++) {
		for (size_t j = 0; j < level->tables[i].n_key; j++) {
			source.table = level->tables[i].name;
			source.column = level->tables[i].key[j].name;
			t->fn(t->arg, &source);
		}
	}
}

static void tell_rest(const struct teller *t, const struct mapping_level *level)
{
	struct mapping_source s = {.field = level->is_root ? "" : level->path};

	for (size_t i = 0; i < level->n_links && !level->is_root; i++) {
		s.use = MAPPING_USE_JOIN;
		tell(t, level, level->links[i].child, s);
		tell(t, level->parent, level->links[i].parent, s);
	}
	s.use = MAPPING_USE_JOIN;
	tell(t, level, level->tree_parent, s);
	s.use = MAPPING_USE_FILTER;
	for (size_t i = 0; i < level->n_where; i++)
		tell(t, level, level->where[i].column, s);
	s.use = MAPPING_USE_SORT;
	for (size_t i = 0; i < level->n_order; i++)
		tell(t, level, level->order[i].column, s);
}

static void tell_field(const struct teller *t, const struct mapping_level *level,
		       const struct mapping_field *f)
{
	struct mapping_source s = {.field = f->path,
				   .pii = f->pii ? f->pii : mapping_level_pii(level)};

	switch (f->kind) {
	case FIELD_COLUMN:
		s.use = f->type ? MAPPING_USE_CONVERTED : MAPPING_USE_SAME;
		tell(t, level, f->column, s);
		break;
	case FIELD_CONCAT:
		s.use = MAPPING_USE_CONVERTED;
		for (size_t i = 0; i < f->n_parts; i++)
			tell(t, level, f->parts[i].column, s);
		break;
	case FIELD_FIGURE:
		s.use = MAPPING_USE_AGGREGATE;
		if (f->column)
			tell(t, level, f->column, s);
		else
			tell_rows(t, level, s);
		break;
	case FIELD_CONSTANT:
	case FIELD_OBJECT: /* they are levels of their own */
	case FIELD_ARRAY:
	case FIELD_AGGREGATE:
	case FIELD_TREE:
		break;
	}
}

void mapping_each_source(const struct mapping *m, mapping_source_fn fn, void *arg)
{
	const struct teller t = {fn, arg};

	for (size_t i = 0; i < m->root->n_links; i++)
		tell(&t, m->root, m->root->links[i].child,
		     (struct mapping_source){.field = "_id",
					     .use = m->root->n_links > 1 ? MAPPING_USE_CONVERTED
									 : MAPPING_USE_SAME});
	for (size_t i = 0; i < m->n_levels; i++) {
		const struct mapping_level *level = m->levels[i];

		tell_rest(&t, level);
		tell(&t, level, level->tree_field,
		     (struct mapping_source){.field = level->path,
					     .use = MAPPING_USE_CONVERTED,
					     .pii = mapping_level_pii(level)});
		for (size_t j = 0; j < level->n_fields && level->kind != FIELD_TREE; j++)
			tell_field(&t, level, &level->fields[j]);
	}
}

static const char *type_of(const struct mapping_field *f)
{
	static const char *const kinds[] = {
	    [FIELD_CONCAT] = "string", [FIELD_OBJECT] = "object",    [FIELD_ARRAY] = "array",
	    [FIELD_TREE] = "array",    [FIELD_AGGREGATE] = "object", [FIELD_CONSTANT] = "constant",
	};
	static const char *const converts[] = {
	    [CONVERT_NONE] = "constant", [CONVERT_BOOL] = "bool",
	    [CONVERT_INT] = "long",	 [CONVERT_DECIMAL] = "decimal",
	    [CONVERT_DOUBLE] = "double", [CONVERT_STRING] = "string",
	    [CONVERT_DATE] = "date",	 [CONVERT_BINARY] = "binData",
	    [CONVERT_SET] = "array",	 [CONVERT_JSON] = "json",
	};

	return f->kind == FIELD_COLUMN || f->kind == FIELD_FIGURE ? converts[f->convert]
								  : kinds[f->kind];
}

void mapping_each_field(const struct mapping *m, mapping_field_fn fn, void *arg)
{
	for (size_t i = 0; i < m->n_levels; i++) {
		const struct mapping_level *level = m->levels[i];

		for (size_t j = 0; j < level->n_fields; j++) {
			const struct mapping_field *f = &level->fields[j];

			if (*f->name)
				fn(arg, f->path, type_of(f),
				   f->pii ? f->pii : mapping_level_pii(level));
		}
	}
}
