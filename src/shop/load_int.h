/* Insides of loading, shared by load*.c and their unit tests. */
#pragma once

#include "base/map.h"
#include "base/mem.h"
#include "base/progress.h"
#include "shop/categorize.h"
#include "shop/clean.h"
#include "shop/load.h"
#include "shop/load_reader.h"
#include "shop/quality.h"
#include "shop/shop_sql_int.h"

/* --- what the entities are (load_entity.c) ---------------------------------------------------- */

#define LOAD_COLUMNS_MAX 24 /* products have 19 */
#define LOAD_KEY_MAX	 64 /* external_id */

enum load_kind {
	LOAD_KIND_KEY,
	LOAD_KIND_REF,
	LOAD_KIND_TEXT,	 /* one line */
	LOAD_KIND_LINES, /* line breaks stay */
	LOAD_KIND_EMAIL,
	LOAD_KIND_PHONE,
	LOAD_KIND_DATE,
	LOAD_KIND_DATETIME,
	LOAD_KIND_INT,
	LOAD_KIND_AMOUNT,
	LOAD_KIND_CHOICE,
	LOAD_KIND_COUNTRY,
	LOAD_KIND_CURRENCY,
	LOAD_KIND_LOCALE,
	LOAD_KIND_EAN,
	LOAD_KIND_JSON,
	LOAD_KIND_SUPPLIER, /* a name; staged in the shop's spelling */
	LOAD_KIND_CATEGORY, /* a path; staged as its slug */
};

enum load_column_flags {
	LOAD_IN_HEADER = 1 << 0, /* a file without it is not of this entity */
	LOAD_REQUIRED = 1 << 1,	 /* a row without a value is rejected */
	LOAD_DETAIL = 1 << 2,	 /* lives in the entity's detail table */
	LOAD_PAST = 1 << 3,	 /* a date that cannot lie in the future */
	LOAD_ALWAYS = 1 << 4,	 /* counts as given even when the feed does not have it */
	LOAD_UNIQUE = 1 << 5,	 /* no two rows of the shop have the same value */
};

struct load_column {
	const char *name;   /* in the feed */
	const char *stage;  /* in the staging table; NULL: as in the feed */
	const char *target; /* in the shop; NULL: as in the staging table */
	enum load_kind kind;
	unsigned flags;
	size_t max;			 /* characters of a text */
	int64_t low, high;		 /* numbers; amounts in hundredths */
	enum quality_rule_id range_rule; /* when outside; 0: VALUE_RANGE or VALUE_DROPPED */
	const char *choices;
	const char *fallback;			  /* for a new row without a value */
	const char *ref_table, *ref_key, *ref_id; /* REF, SUPPLIER, CATEGORY */
	const char *ref_entity;			  /* whose aliases are looked at; NULL: none */
	const char *update; /* SQL for the new value of a changed row; NULL: from `given` */
};

struct load_entity {
	enum load_entity_id id;
	const char *name;
	const char *stage, *target, *primary_key;
	const char *key_stage[2];    /* what makes a row the same, staged; second may be NULL */
	const char *key_target[2];   /* the same in the shop */
	const char *key_resolved[2]; /* staged columns to compare with key_target */
	const char *detail;	     /* table of the LOAD_DETAIL columns; NULL: none */
	const char *detail_when;     /* SQL condition on the staged row s */
	const char *on_change;	     /* SQL assignment for changed rows; NULL: none */
	const char *zero;	     /* column that is 0 in new rows; NULL: none */
	size_t n_columns;
	const struct load_column *columns;
};

const struct load_entity *load_entity_get(enum load_entity_id id);

static inline const char *load_column_stage(const struct load_column *c)
{
	return c->stage ? c->stage : c->name;
}

static inline const char *load_column_target(const struct load_column *c)
{
	return c->target ? c->target : load_column_stage(c);
}

/* Which entity a header belongs to, and which column each field is. An unknown or missing column is
 * an error that names the nearest. */
int load_entity_match(const char *file, const struct load_record *header, enum load_entity_id *ret,
		      int ret_columns[LOAD_FIELDS_MAX], struct err *err) _must_check_;

/* --- files (load_files.c) --------------------------------------------------------------------- */

struct load_file {
	char *path;
	enum load_entity_id entity;
	bool is_json;
	uint64_t size; /* bytes as stored */
	uint64_t rows; /* counted by the first reading */
	unsigned number;
	int columns[LOAD_FIELDS_MAX]; /* CSV: column of each field */
	size_t n_fields;
	enum clean_date_order order[LOAD_COLUMNS_MAX];
};

struct load_files {
	struct load_file *files; /* by entity, then as given */
	size_t n, cap;
	uint64_t skipped;
};

/* Finds the files, tells them apart, and reads each to its end once: broken files are found before
 * anything is staged, rows are counted, and the order of ambiguous dates is settled. */
int load_files_find(const struct shop_load_options *options, struct load_files *ret,
		    struct err *err) _must_check_;
void load_files_done(struct load_files *f);

/* --- suppliers and categories (load_names.c) -------------------------------------------------- */

#define LOAD_NAMES_MAX 200000 /* different suppliers, and categories; kept in memory */

struct load_category {
	const char *slug, *name, *path;
	struct load_category *parent;
	struct load_category *next; /* in order of appearance, parents first */
	uint64_t stage_id;	    /* row of a category file that names it; 0: none */
	uint64_t id;		    /* in the shop; 0: not known yet */
	unsigned corrections;	    /* of that row */
	bool is_used;		    /* by a row that is not rejected; else it is not created */
};

struct load_names {
	struct arena arena;
	struct map suppliers; /* folded name -> the shop's spelling */
	struct map suffixes;
	struct map categories; /* slug -> struct load_category */
	struct load_category *first, **last;
	struct strbuf fold, scratch;
	struct clean clean;
};

/* Reads DIR/suppliers.yaml when it exists. */
int load_names_init(struct load_names *n, const char *rules_dir, struct err *err) _must_check_;
void load_names_done(struct load_names *n);
/* The shop's spelling of the supplier; remembers the name when it is new. Lives as long as n. */
int load_names_supplier(struct load_names *n, struct str name, const char **ret, struct err *err)
    _must_check_;
/* The category of a path; it and its parents are remembered. NULL in *ret: no path. */
int load_names_category(struct load_names *n, struct str path, struct load_category **ret,
			struct err *err) _must_check_;

/* --- one row (load_row.c, load_product.c) ----------------------------------------------------- */

struct load_finding {
	enum quality_rule_id rule;
	const char *column;	  /* NULL: the row */
	struct str before, after; /* data == NULL: NULL */
};

struct load_cell {
	size_t at, len; /* in row.text */
	bool is_null, is_given;
};

struct load_row {
	const struct load_entity *entity;
	const struct load_file *file;
	uint64_t line;
	struct str raw[LOAD_COLUMNS_MAX]; /* data == NULL: not in the feed */
	bool is_json_clean;		  /* specifications need no parsing */
	/* results */
	struct strbuf text;
	struct load_cell cells[LOAD_COLUMNS_MAX];
	struct load_finding *findings;
	size_t n_findings, cap_findings;
	bool is_rejected;
	struct load_category *category;
	struct arena arena; /* of the row */
	/* of the file */
	struct map unknown; /* names of fields that were met and are not known */
	struct arena file_arena;
	/* scratch */
	struct clean clean;
	struct strbuf scratch, json;
};

void load_row_done(struct load_row *row);
/* Forgets the last row. */
void load_row_begin(struct load_row *row, const struct load_file *file, uint64_t line);
void load_row_find(struct load_row *row, enum quality_rule_id rule, const char *column,
		   struct str before, struct str after);
/* Cleans row->raw into cells and findings. `today` is "2026-11-23". */
int load_row_clean(struct load_row *row, struct load_names *names, const char *today,
		   struct err *err) _must_check_;
struct str load_row_value(const struct load_row *row, size_t column);
/* Column by its name in the feed; a bug when there is none. */
size_t load_entity_column(const struct load_entity *e, const char *name);
/* Likewise; NULL when there is none. */
const struct load_column *load_entity_find(const struct load_entity *e, const char *name);

/* Whether it has more than 16 levels. Arbitrary; the server takes JSON of more than 32 for invalid.
 */
struct json_t;
bool load_json_is_deep(struct json_t *json);

/* Fills row->raw from a line of JSON; `c` may be NULL. ERR_CORRUPTED when it is no object,
 * ERR_LIMIT when the file has more fields than a feed would. */
int load_product_parse(struct load_row *row, struct str line, struct categorizer *c,
		       struct err *err) _must_check_;

/* --- statements (load_sql.c) ------------------------------------------------------------------ */

/*
 * Made from the table of entities; each replaces the text in `b`. Where a range of rows is meant,
 * the first two parameters are its begin and end in stage_id.
 */

void load_sql_stage(struct strbuf *b, const struct load_entity *e);
void load_sql_resolve(struct strbuf *b, const struct load_entity *e, const struct load_column *c);
/* Finding for rows of a range that meet `where`; before and after are SQL. */
void load_sql_find(struct strbuf *b, const struct load_entity *e, enum quality_rule_id rule,
		   const char *column, const char *before, const char *after, const char *where);
void load_sql_reject(struct strbuf *b, const struct load_entity *e);
/* Finds rows whose keys or e-mail address are of somebody who was erased. */
void load_sql_erased(struct strbuf *b, const struct load_entity *e);
/* `set` for rows of a range that meet `where`. */
void load_sql_correct(struct strbuf *b, const struct load_entity *e, const char *set,
		      const char *where);
void load_sql_duplicate_where(struct strbuf *b, const struct load_entity *e);
void load_sql_same_hash(struct strbuf *b, const struct load_entity *e);
/* Rows whose value of the unique column `i` is another row's. A row of the shop that this load
 * gives another value hands its own over, with `hand_overs`; without, it keeps it. */
void load_sql_taken_where(struct strbuf *b, const struct load_entity *e, size_t i, bool hand_overs);
/* Takes from rows of the shop what they hand over to the rows of the range. */
void load_sql_release(struct strbuf *b, const struct load_entity *e, size_t i);
void load_sql_classify(struct strbuf *b, const struct load_entity *e);
void load_sql_update(struct strbuf *b, const struct load_entity *e);
void load_sql_insert(struct strbuf *b, const struct load_entity *e);
void load_sql_update_detail(struct strbuf *b, const struct load_entity *e);
void load_sql_insert_detail(struct strbuf *b, const struct load_entity *e);
/* Parameters: load id, begin, end. */
void load_sql_log(struct strbuf *b, const struct load_entity *e);

/* --- the database (load_stage.c, load_merge.c) ------------------------------------------------ */

struct load {
	struct maria *m;
	const struct shop_load_options *options;
	struct shop_load_report *report;
	struct load_files files;
	struct load_names names;
	struct categorizer *categorizer;
	struct load_row row;
	struct progress progress;
	char today[16];
	uint64_t next_stage_id, staged, merged, to_merge;
	uint64_t first_id[LOAD_ENTITIES], end_id[LOAD_ENTITIES]; /* stage ids of each entity */
	struct strbuf rows, findings; /* of the chunk, as LOAD DATA text */
	size_t n_rows, n_findings;
};

int load_stage_clear(struct load *l, struct err *err) _must_check_;
int load_stage_files(struct load *l, struct err *err) _must_check_;
int load_merge(struct load *l, struct err *err) _must_check_;
/* Before anything is merged: staged rows of people who were erased are rejected (load_erased.c). */
int load_refuse_erased(struct load *l, struct err *err) _must_check_;
/* Ratings and totals that an interrupted load left to do. */
int load_merge_touched(struct load *l, struct err *err) _must_check_;
