/*
 * The plan inside: what the parser fills, the binder completes, and everything else reads.
 *
 * A mapping is a tree of levels. A level is a set of rows that belong to one row of the level above
 * it: the root (one row a document), an object (at most one row), an array, an aggregate (one row
 * of figures) or a tree path. A level may read several tables that have the same columns. Levels
 * stand in `levels` with parents before children, which is the order of reading.
 *
 * Everything lives in the mapping's arena and is immutable after mapping_bind().
 */
#pragma once

#include "base/map.h"
#include "base/ydoc.h"
#include "mapping/mapping.h"

#define MAPPING_DEPTH_MAX	 4  /* related tables below the root */
#define MAPPING_TREE_MAX	 64 /* nodes of a tree path */
#define MAPPING_KEY_COLUMNS_MAX	 8
#define MAPPING_TABLES_MAX	 16
#define MAPPING_LEVELS_MAX	 256
#define MAPPING_PATHS_MAX	 1024
#define MAPPING_NO_SLOT		 SIZE_MAX
#define MAPPING_BUCKETS		 6 /* numbers of parameters: 1 4 16 64 256 512 */
#define MAPPING_VALUES_MAX	 512
#define MAPPING_MANY_BUCKETS	 2		    /* numbers of values expanded together: 8 64 */
#define MAPPING_DOCUMENT_MAX	 ((size_t)16 << 20) /* MongoDB's limit */
#define MAPPING_DOCUMENT_RESERVE ((size_t)64 << 10) /* for _sync; MongoDB's own fields */

enum mapping_convert {
	CONVERT_NONE,
	CONVERT_BOOL,
	CONVERT_INT, /* int64, Decimal128 above 2^63-1 */
	CONVERT_DECIMAL,
	CONVERT_DOUBLE,
	CONVERT_STRING,
	CONVERT_DATE,
	CONVERT_BINARY,
	CONVERT_SET,
	CONVERT_JSON,
};

enum mapping_field_kind {
	FIELD_COLUMN,
	FIELD_CONCAT,
	FIELD_CONSTANT,
	FIELD_OBJECT,
	FIELD_ARRAY,
	FIELD_AGGREGATE,
	FIELD_TREE,
	FIELD_FIGURE, /* inside an aggregate */
};

enum mapping_figure { FIGURE_COUNT, FIGURE_SUM, FIGURE_AVG, FIGURE_MIN, FIGURE_MAX };

struct mapping_part { /* of a concatenation */
	const struct ynode *node;
	const char *text; /* literal, or NULL */
	const char *column;
	size_t slot;
};

struct mapping_level;

struct mapping_field {
	const struct ynode *node;
	const char *name; /* "" for the value of an array of plain values */
	int name_len;
	const char *path; /* "recent_orders.items.price" */
	enum mapping_field_kind kind;
	const char *type; /* override, NULL: none */
	const char *pii;  /* class, NULL: none */
	/* column, figure */
	const char *column;
	const struct ynode *column_node;
	enum mapping_convert convert;
	bool is_nullable;
	size_t slot;
	enum mapping_figure figure;
	unsigned scale; /* of an empty sum */
	/* concat */
	size_t n_parts;
	struct mapping_part *parts;
	/* constant: a document with the one element under the field's name */
	bson_t *constant;
	/* object, array, aggregate, tree */
	struct mapping_level *level;
};

enum mapping_operator {
	OPERATOR_EQ,
	OPERATOR_NE,
	OPERATOR_LT,
	OPERATOR_LE,
	OPERATOR_GT,
	OPERATOR_GE,
	OPERATOR_IN,
	OPERATOR_IS_NULL,
	OPERATOR_IS_NOT_NULL,
};

struct mapping_condition {
	const struct ynode *node;
	const char *column;
	enum mapping_operator comparison;
	size_t n_values;
	const struct ynode **values;
};

struct mapping_order {
	const struct ynode *node;
	const char *column;
	bool is_descending;
};

struct mapping_link {
	const struct ynode *node;
	const char *child, *parent;			  /* column names */
	size_t parent_slot;				  /* in the rows of the level above */
	struct schema_column child_column, parent_column; /* of the first tables */
};

struct mapping_table {
	const struct ynode *node;
	const char *name;
	int64_t rows; /* estimate */
	size_t n_key;
	struct schema_column *key; /* primary key */
};

struct mapping_slot {
	const char *column;
	struct schema_column type;  /* of the first table */
	enum mapping_figure figure; /* aggregates only */
};

struct mapping_level {
	enum mapping_field_kind kind;
	bool is_root, is_values; /* values: an array of plain values */
	const struct ynode *node;
	const char *path;
	struct mapping_level *parent;
	size_t depth;
	size_t index;	    /* in mapping->levels */
	size_t child_index; /* among the children of the level above */
	size_t n_children;
	struct mapping_level **children;
	size_t n_tables;
	struct mapping_table *tables;
	size_t n_links; /* root: the key's columns, as child columns */
	struct mapping_link *links;
	size_t n_where;
	struct mapping_condition *where;
	size_t n_order;
	struct mapping_order *order;
	int64_t limit; /* 0: none */
	size_t n_fields;
	struct mapping_field *fields;
	/* tree: slot 0 is the parent column, slot 1 the field */
	const char *tree_parent, *tree_field;
	const struct ynode *tree_parent_node, *tree_field_node;

	size_t n_slots, slots_cap;
	struct mapping_slot *slots;
	size_t n_used, used_cap; /* every column by which a change of the row can show */
	struct schema_column *used;
	bool is_single;			  /* at most one row a value: no window, no order */
	bool is_parent_unique;		  /* at most one row above has a value */
	bool carries_key;		  /* its links are the document's key, byte for byte */
	bool is_list;			  /* read by IN (?,…) of integers, else by JSON_TABLE */
	const char *where_sql;		  /* " AND …" with the alias c, or empty */
	const char *sql[MAPPING_BUCKETS]; /* JSON_TABLE: only [0] */
};

struct mapping_way { /* a path with its SQL; ways[i] belongs to paths[i] */
	const struct mapping_level *level;
	size_t n_values; /* of the queued key */
	bool carries_key;
	const char *first_sql, *next_sql;
	const char *many_sql[MAPPING_MANY_BUCKETS]; /* NULL: values are expanded one by one */
};

struct mapping_change { /* what a trigger watches for: one row in the UNION ALL per side */
	const char *table;
	uint32_t path;
	bool is_root;
	size_t n_key;
	const struct schema_column **key;
	size_t n_used, used_cap;
	const struct schema_column **used;
};

struct mapping {
	struct arena arena;
	struct ydoc *doc;
	const char *file;
	const char *collection, *queue;
	const struct schema *schema; /* while binding */
	bool has_target, keeps_on_leave, is_bound;
	struct mapping_level *root;
	size_t n_levels, levels_cap;
	struct mapping_level **levels;
	const struct ynode *queue_node, *collection_node, *mongodb_node, *indexes_node;
	const char **owned;
	bson_t *initial, *indexes, *validator; /* bson_new() */
	size_t n_constants;
	bson_t **constants; /* for release */
	size_t constants_cap;
	size_t n_triggers;
	struct mapping_trigger *triggers;
	size_t n_changes, changes_cap;
	struct mapping_change *changes;
	size_t n_paths, paths_cap, ways_cap;
	struct mapping_path *paths;
	struct mapping_way *ways;
	size_t n_fanouts, fanouts_cap;
	struct mapping_fanout *fanouts;
	size_t n_statements, statements_cap;
	struct mapping_statement *statements;
	const char *page_first_sql, *page_next_sql;
	const char *text; /* canonical form of the bound plan */
	char hash[65];
};

extern const size_t mapping_buckets[MAPPING_BUCKETS];
extern const size_t mapping_many_buckets[MAPPING_MANY_BUCKETS];

/* --- binding --------------------------------------------------------------------------- */

/* Columns, types, filters and orders of one level; every level has its tables by then. */
int mapping_resolve_fields(struct mapping *m, struct mapping_level *level, struct err *err)
    _must_check_;
/*
 * A column of all tables of a level, copied into the arena; errors point at `node` and suggest the
 * nearest name.
 */
int mapping_resolve_column(struct mapping *m, const struct mapping_level *level, const char *name,
			   const struct ynode *node, struct schema_column *ret, struct err *err)
    _must_check_;
size_t mapping_add_slot(struct mapping_level *level, const char *name,
			const struct schema_column *type);

/* --- SQL -------------------------------------------------------------------------------------- */

/* `alias`.`column`; an alias of NULL leaves it out. */
void mapping_add_column(struct strbuf *b, const char *alias, const char *column);
/* The canonical key of these columns as bytes. */
void mapping_add_key(struct strbuf *b, const char *alias,
		     const struct schema_column *const *columns, size_t n);
/* A parameter that is compared with the column. */
void mapping_add_parameter(struct strbuf *b, const struct schema_column *c);
/* Sets the SQL of reading of every level, and `where_sql`. */
void mapping_make_reading(struct mapping *m);
void mapping_add_statement(struct mapping *m, const char *purpose, const char *sql);
/* Sets paths, ways, changes, fan-outs and paging. */
int mapping_make_paths(struct mapping *m, struct err *err) _must_check_;
void mapping_make_triggers(struct mapping *m);
/* Owned fields, validator, canonical text, hash. */
void mapping_make_documents(struct mapping *m);
/* The class of what the level is read into; NULL: none. */
const char *mapping_level_pii(const struct mapping_level *level);
const char *mapping_take_text(struct mapping *m, struct strbuf *b); /* into the arena */

/* --- BSON ------------------------------------------------------------------------------------- */

/* Appends a YAML value: unquoted integers int64, reals double, true/false, null, else text. */
int mapping_append_yaml(bson_t *b, const char *name, const struct ynode *n, struct err *err)
    _must_check_;
int mapping_make_initial(struct mapping *m, struct err *err) _must_check_;
int mapping_make_indexes(struct mapping *m, struct err *err) _must_check_;

/*
 * Appends a column's text. 0, or -ERR_DOCUMENT with the reason (without the value): the caller puts
 * the field's name before it.
 */
int mapping_append_value(bson_t *b, const char *name, int name_len, enum mapping_convert convert,
			 struct str value, struct err *err) _must_check_;

/* --- keys ------------------------------------------------------------------------------------- */

/*
 * Splits a key into the values of `n` columns, unescaped, in the arena. False when it has another
 * number of parts, a broken escape or a part that no such column can hold.
 */
bool mapping_key_split(struct str key, const struct schema_column *const *columns, size_t n,
		       struct arena *arena, struct str *ret);
/* The value as parameter for mapping_add_parameter(); it was checked by mapping_key_split(). */
struct maria_value mapping_key_value(struct str value, const struct schema_column *c,
				     struct arena *arena);
void mapping_key_columns(const struct mapping *m, const struct schema_column **ret);

/* --- rows in memory (mapping_read.c fills, mapping_build.c reads) ----------------------------- */

#define MAPPING_NO_GROUP UINT32_MAX

struct mapping_row {
	struct mapping_row *next; /* of its group, in the level's order */
	struct str *values;	  /* by slot; data NULL: SQL NULL */
	uint32_t *groups;	  /* by child_index; a tree's node: [0] is its parent */
};

struct mapping_group {	     /* the rows that belong to one value */
	struct str parts[1]; /* n_links == 1 */
	struct str *more;    /* n_links > 1, in the arena */
	struct mapping_row *first, *last;
};

struct mapping_rows {	       /* of one level */
	struct map by_value;   /* to the group's number + 1 */
	size_t len, cap, read; /* groups; how many were asked for */
	struct mapping_group *groups;
};

struct mapping_reader {
	const struct mapping *m;
	struct maria *db;
	struct arena arena;
	size_t bytes, max_bytes;
	bool is_over;
	struct mapping_rows *levels; /* by index */
	const struct str *keys;	     /* asked for; root groups -> keys by `items` */
	size_t *items;
	struct strbuf scratch;
};

/* 0, or -ERR_DOCUMENT with the reason; `document` is garbage then. */
int mapping_build(struct mapping_reader *r, struct str key, const struct mapping_row *row,
		  bson_t *document, struct err *err) _must_check_;
