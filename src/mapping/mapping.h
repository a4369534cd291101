/*
 * The mapping: one YAML file that says how the rows of several tables become one document. It is
 * read (mapping_load), checked against the schema (mapping_bind) and from then on an immutable plan
 * from which come triggers, the reading SQL, expansion of changed rows to documents, documents,
 * validator and indexes. Any number of threads may use one plan at once; no function keeps state.
 *
 * Nothing here knows a table of the shop. The language is specified in docs/mapping.md.
 *
 * Keys. A document is named by its key: canonical bytes of the root's key columns. Integers and
 * decimals in decimal text, texts as UTF-8, dates as MariaDB prints them, binary columns in
 * upper-case hex; parts of a composite key are joined by ':' after '%' and ':' in them are written
 * as %25 and %3A. Keys are compared and hashed as bytes.
 *
 * Paths. A queue row is (path, key). Path MAPPING_PATH_ROOT: the key is a document's key. Any other
 * path is the number of a way through the mapping (a hash of its description, so that a number
 * never changes its meaning): the key is the value by which the changed row is joined towards the
 * root, and mapping_expand() lists the documents that it touches.
 */
#pragma once

#include "base/config.h"
#include "base/mem.h"
#include "store/maria.h"
#include "store/schema.h"

#include <bson/bson.h>

#define MAPPING_PATH_ROOT 0U
#define MAPPING_KEY_MAX	  1024 /* bytes of a key; the width of the queue's column */

struct mapping;

extern const struct config_option mapping_options[]; /* section "mapping" */

/* --- life ------------------------------------------------------------------------------------ */

/* Reads and checks what can be checked without a database. Errors name file:line:column. */
int mapping_load(const char *path, struct mapping **ret, struct err *err) _must_check_;
int mapping_parse(const char *file, const char *text, size_t len, struct mapping **ret,
		  struct err *err) _must_check_;

/* Resolves tables, columns and types; finds every mistake before anything is touched. Once. When
 * the database lacks a table, err->native is MAPPING_NO_TABLE. */
#define MAPPING_NO_TABLE 1146 /* as the server's own */
int mapping_bind(struct mapping *m, const struct schema *schema, struct err *err) _must_check_;
struct mapping *mapping_free(struct mapping *m);
DEFINE_CLEANUP(struct mapping *, mapping_free)

/* All *.yaml of a folder, bound, by collection. No two may have the same queue or collection. */
struct mapping_set {
	size_t len;
	struct mapping **items;
};
int mapping_set_load(const char *dir, const struct schema *schema, struct mapping_set *ret,
		     struct err *err) _must_check_;
void mapping_set_done(struct mapping_set *set);
const struct mapping *mapping_set_find(const struct mapping_set *set, const char *collection);

/* --- what it is ------------------------------------------------------------------------------ */

const char *mapping_collection(const struct mapping *m);
const char *mapping_queue(const struct mapping *m); /* name of the queue table */
const char *mapping_root_table(const struct mapping *m);
/* The column of the root that is the i-th part of the _id; NULL: it has no more. */
const char *mapping_key_column(const struct mapping *m, size_t i);
bool mapping_has_target(const struct mapping *m);     /* false: `target: none` */
bool mapping_keeps_on_leave(const struct mapping *m); /* `on_leave: keep` */
const char *mapping_hash(const struct mapping *m);    /* 64 hex digits over the bound plan */
const char *const *mapping_owned_fields(const struct mapping *m); /* top level, NULL-terminated */
/* MongoDB's own, with first values. */
const bson_t *mapping_initial_fields(const struct mapping *m);
/* Array of {key, name, unique…} for createIndexes. */
const bson_t *mapping_indexes(const struct mapping *m);
/* {$jsonSchema: …} of the owned fields only. */
const bson_t *mapping_validator(const struct mapping *m);

/* --- triggers -------------------------------------------------------------------------------- */

struct mapping_trigger {
	const char *name; /* "aethermart_<collection>_<table>_ai", at most 64 bytes */
	const char *table;
	const char *event;	/* "INSERT", "UPDATE", "DELETE"; always AFTER */
	const char *body;	/* as information_schema.TRIGGERS.ACTION_STATEMENT shows it */
	const char *create_sql; /* CREATE OR REPLACE TRIGGER …, one statement */
};
size_t mapping_triggers(const struct mapping *m, const struct mapping_trigger **ret); /* borrowed */

/* --- for people ------------------------------------------------------------------------------ */

/* Which documents a change of a column touches, and by which path. */
struct mapping_fanout {
	const char *table, *column;
	uint32_t path;
	const char *description; /* of the path */
	double documents;	 /* estimate for one row, from the tables' row counts */
};
size_t mapping_fanouts(const struct mapping *m, const struct mapping_fanout **ret); /* borrowed */

/* Every SQL text that the plan runs. */
struct mapping_statement {
	const char *purpose; /* "read recent_orders.items", "expand Suppliers.supplier_id > ..." */
	const char *sql;
};
size_t mapping_statements(const struct mapping *m, const struct mapping_statement **ret);

/* The bound plan as text, a field a line: what mapping_hash() is taken of. Without the classes of
 * personal data, of which no document depends. */
const char *mapping_text(const struct mapping *m);

/* Classes of personal data, NULL-terminated. */
extern const char *const mapping_pii_classes[];

/* Each column of a table that becomes a part of the document, with the class of its field, or of
 * the nearest object or array around it; NULL: of none. A column may come several times. */
struct mapping_column {
	const char *table, *column;
	const char *field; /* its dotted path */
	const char *pii;
};
typedef void (*mapping_column_fn)(void *arg, const struct mapping_column *c);
void mapping_each_column(const struct mapping *m, mapping_column_fn fn, void *arg);

/* Each table that is read, with the dotted path of the object or array that its rows become; "":
 * the document itself. What is below a path is of rows that belong to rows of its table. */
typedef void (*mapping_table_fn)(void *arg, const char *path, const char *table);
void mapping_each_table(const struct mapping *m, mapping_table_fn fn, void *arg);

/* The PII class of each field that has one, by its dotted path. */
typedef void (*mapping_pii_fn)(void *arg, const char *field, const char *table, const char *column,
			       const char *pii);
void mapping_each_pii(const struct mapping *m, mapping_pii_fn fn, void *arg);

/* --- where it comes from ---------------------------------------------------------------------- */

enum mapping_use {
	MAPPING_USE_SAME,      /* the field is the column's value */
	MAPPING_USE_CONVERTED, /* it is made of it */
	MAPPING_USE_AGGREGATE, /* it is a figure over rows */
	MAPPING_USE_JOIN,      /* which rows belong to it */
	MAPPING_USE_FILTER,    /* which rows count */
	MAPPING_USE_SORT,      /* in which order, and so which are the first N */
};
struct mapping_source {	   /* one column that has a part in one field */
	const char *field; /* its dotted path; "": the document as a whole; "_id" */
	const char *table, *column;
	enum mapping_use use;
	const char *pii; /* class of the field, NULL: none */
};
typedef void (*mapping_source_fn)(void *arg, const struct mapping_source *s);
void mapping_each_source(const struct mapping *m, mapping_source_fn fn, void *arg);

/* Each field with the type that it has in MongoDB: "long", "decimal", "object", "constant". */
typedef void (*mapping_field_fn)(void *arg, const char *field, const char *type, const char *pii);
void mapping_each_field(const struct mapping *m, mapping_field_fn fn, void *arg);

/*
 * The rows that a document is made of now, level by level: of each its table and primary key, as
 * canonical bytes. Call it inside a snapshot. ERR_NOT_FOUND: no row has this key, or the mapping's
 * filter leaves it out. At most MAPPING_TRACE_MAX rows of a level below one row are told.
 */
#define MAPPING_TRACE_MAX 1000
struct mapping_row_of {
	const char *field; /* into which it is read; "": the root */
	const char *table;
	struct str key;
	bool is_cut; /* there are more behind this one */
};
typedef int (*mapping_row_fn)(void *arg, const struct mapping_row_of *row, struct err *err);
int mapping_trace(const struct mapping *m, struct maria *db, struct str key, mapping_row_fn fn,
		  void *arg, struct err *err) _must_check_;

/* --- keys and paths -------------------------------------------------------------------------- */

/* Keys of one call, in an arena of the caller's. */
struct mapping_keys {
	size_t len, cap;
	struct str *items; /* the array is owned (mem_free), the bytes are the arena's */
};
void mapping_keys_done(struct mapping_keys *k);

struct mapping_path {
	uint32_t id;
	const char *table;	 /* whose changes come this way */
	const char *description; /* "Order_Items.order_id > Orders.customer_id" */
};
/* Without the root. */
size_t mapping_paths(const struct mapping *m, const struct mapping_path **ret);

/* A page of the documents that a queued (path, key) touches. */
struct mapping_expansion {
	uint32_t path;
	struct str key;
	struct str cursor; /* empty at first; opaque bytes of at most MAPPING_KEY_MAX */
	size_t limit;	   /* keys; at least 2 (the empty text is a key, and would be no cursor) */
};

/*
 * The keys after the cursor. The new cursor goes to `ret_cursor`, in the arena; len 0 means that
 * this was the last page. ERR_NOT_FOUND: no such path in this plan.
 */
int mapping_expand(const struct mapping *m, struct maria *db, const struct mapping_expansion *what,
		   struct arena *arena, struct mapping_keys *ret, struct str *ret_cursor,
		   struct err *err) _must_check_;

/* What several queued keys of one path touch together. */
#define MAPPING_EXPAND_MANY 64
struct mapping_expansions {
	uint32_t path;
	size_t n; /* at most MAPPING_EXPAND_MANY */
	const struct str *keys;
	size_t limit;
};

/*
 * 1: `ret` has all keys that any of them touches, each once, in no order. 0: it cannot be told with
 * one query, as there are `limit` or more or the way goes by several columns or a tree; `ret` means
 * nothing, and mapping_expand() tells. ERR_NOT_FOUND as there.
 */
int mapping_expand_many(const struct mapping *m, struct maria *db,
			const struct mapping_expansions *what, struct arena *arena,
			struct mapping_keys *ret, struct err *err) _must_check_;

/*
 * At most `limit` (2 or more) keys of the root table after `after`, in the order of its key (len 0:
 * from the start). The mapping's filter is not asked: a row that it leaves out reads as ABSENT.
 */
int mapping_page(const struct mapping *m, struct maria *db, struct str after, size_t limit,
		 struct arena *arena, struct mapping_keys *ret, struct err *err) _must_check_;

/* Which of these keys are documents of the mapping: their row is there and passes the filter. */
int mapping_present(const struct mapping *m, struct maria *db, const struct str *keys, size_t n,
		    bool *ret_present, struct err *err) _must_check_;

/* The key as the document's _id. ERR_DOCUMENT: it is none (an integer key that is no number). */
int mapping_key_append(const struct mapping *m, struct str key, bson_t *doc, const char *field,
		       struct err *err) _must_check_;
/* Of the _id's of this mapping, as MongoDB's $type names it: "number", "string", "binData". */
const char *mapping_id_type(const struct mapping *m);
/* The key of an _id as found in MongoDB; ERR_DOCUMENT for an _id that no row can have. */
int mapping_key_of_id(const struct mapping *m, const bson_iter_t *id, struct arena *arena,
		      struct str *ret, struct err *err) _must_check_;
/* What a person typed as key ("15", "a:b"), as canonical bytes. */
int mapping_key_parse(const struct mapping *m, const char *text, struct arena *arena,
		      struct str *ret, struct err *err) _must_check_;

/* --- documents ------------------------------------------------------------------------------- */

enum mapping_state {
	MAPPING_ABSENT,	 /* no such row, or the filter leaves it out */
	MAPPING_PRESENT, /* `document` holds _id and the owned fields, in the mapping's order */
	MAPPING_REFUSED, /* the row cannot become a document: `error` says why, without values */
};

struct mapping_document {
	struct str key; /* as asked for */
	enum mapping_state state;
	bson_t *document;  /* owned by the batch */
	struct err *error; /* REFUSED only; in the arena */
};

struct mapping_batch {
	struct arena arena;
	size_t len;
	struct mapping_document *items; /* in the order of the keys asked for */
};
#define MAPPING_BATCH_INIT \
	{                  \
		0          \
	}
void mapping_batch_clear(struct mapping_batch *b); /* reusable */
void mapping_batch_done(struct mapping_batch *b);

/*
 * Reads the rows of `keys` (no duplicates) with one query a table and builds the documents. Call it
 * inside a transaction WITH CONSISTENT SNAPSHOT, so that no document is torn. A key that finds a
 * row whose own key has other bytes is ABSENT. ERR_LIMIT: the rows are above `max_bytes` in memory;
 * ask for fewer keys (with one key the item is REFUSED instead).
 */
int mapping_read(const struct mapping *m, struct maria *db, const struct str *keys, size_t n,
		 size_t max_bytes, struct mapping_batch *ret, struct err *err) _must_check_;
