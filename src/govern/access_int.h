/* What the files of access.h share. */
#pragma once

#include "base/map.h"
#include "govern/access.h"

#define ACCESS_OPEN   "open" /* the class of what is not personal */
#define ACCESS_OLDEST 1940   /* who was born before this year is of one band */

struct access_plan {
	const char *shop, *warehouse;
	struct map classes; /* "table\0column" to class */
	struct access_items wanted;
};

/* Appends the column as a clearance sees it, an expression over alias t (and k, the keys). */
void access_add_mask(struct strbuf *b, enum access_mask mask, const char *pii,
		     const struct schema_column *c);

/* "table\0column": no name has a NUL byte. In the arena. */
struct str access_column_key(struct arena *arena, const char *table, const char *column);

/* Fills `classes` of a plan from the mappings and the file. */
int access_class_columns(struct access *a, const struct mapping_set *set, const struct schema *s,
			 struct err *err) _must_check_;

/* One applies at a time, to both servers: a named lock of MariaDB. ERR_CONFLICT: somebody has it.
 * Unlocking gives `r`, the result of what was done under it. */
int access_lock(struct maria *m, struct err *err) _must_check_;
int access_unlock(struct maria *m, int r, struct err *err) _must_check_;

/* Of a server that knows no hosts of accounts. */
bool access_is_system_name(const struct access *a, const char *name);

/* A table that the program alone writes. */
bool access_is_record(const struct access *a, const char *name);

/* Names of what was made here, "role maria", of a statement that gives kind and name. */
int access_load_records(struct maria *m, const char *sql, struct arena *arena, struct map *ret,
			struct err *err) _must_check_;

/* Adds views, routines, triggers and events that are not as migrations made them. */
int access_definitions_load(struct maria *m, struct arena *arena, struct access_items *ret,
			    struct err *err) _must_check_;
/* They are right as they are now. */
int access_definitions_accept(struct maria *m, struct err *err) _must_check_;

/* Runs a statement that takes the kind and the name of what was made here. */
int access_record(struct maria *m, const char *sql, const char *kind, const char *name,
		  struct err *err) _must_check_;

/* Copies the item; `sql` is in the arena of `d`, or NULL. */
void access_diff_add(struct access_diff *d, enum access_state state, const struct access_item *item,
		     const char *sql);
/* One that somebody else made. */
void access_diff_add_stranger(struct access_diff *d, const struct access_item *item);
/* ERR_CONFLICT; `where` as in "is on the server". */
int access_refuse_stranger(const struct access_diff *d, const char *where, struct err *err)
    _must_check_;

bool access_items_has(const struct access_items *list, enum access_kind kind, const char *who);
void access_items_add(struct access_items *list, struct access_item item);
void access_items_sort(struct access_items *list);
int access_item_compare(const struct access_item *a, const struct access_item *b);
