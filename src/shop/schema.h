/*
 * The shop's schema, brought into a database step by step: the files of sql/, in the order of their
 * numbers, each statement once. Table schema_migrations records which file was applied and how far;
 * so applying again does nothing, and applying after an interruption goes on where it stopped, also
 * when the process was killed within a statement.
 *
 * DDL cannot be rolled back, but each DDL statement of MariaDB 10.6 and later is atomic. Before a
 * statement its number is recorded as begun, after it as done. What stays begun without being done
 * either happened or did not: it is run again, and then "exists already" means that it happened. A
 * statement that changes rows instead of the schema runs in one transaction with its record.
 *
 * A file that was applied must not change; one that did (its checksum tells) is an error before
 * anything is touched. A named lock of the server lets one process apply at a time; it belongs to
 * the connection, so the statement of a killed process ends before the next one begins.
 *
 * The warehouse, a database of its own, has such files too (sql/warehouse/), and a record of its
 * own.
 *
 * A report belongs to its caller. One thread per connection.
 */
#pragma once

#include "base/embed.h"
#include "base/mem.h"
#include "store/maria.h"

enum shop_schema_state {
	SHOP_SCHEMA_PENDING, /* not begun */
	SHOP_SCHEMA_PARTIAL, /* begun, interrupted (or being applied just now) */
	SHOP_SCHEMA_APPLIED,
	SHOP_SCHEMA_CHANGED, /* the file is not the one that was applied */
	SHOP_SCHEMA_UNKNOWN, /* recorded in the database, but not a file of this program */
};

struct shop_schema_item {
	unsigned number;
	const char *name; /* "010-catalog.sql" */
	enum shop_schema_state state;
	uint64_t statements, done; /* of the file; recorded as done */
	const char *started_at;	   /* "2026-11-23 04:10:00.000" UTC; NULL: not begun */
	const char *finished_at;
};

struct shop_schema {			   /* files that belong together */
	const struct embedded_file *files; /* ended by a NULL name */
	const char *folder;		   /* "sql" */
	const char *shop; /* database that stands for `aethermart_db.` in statements; NULL: none */
};
extern const struct shop_schema shop_schema; /* of the shop's own database */

struct shop_schema_report {
	struct arena arena;
	struct shop_schema_item *items; /* by name; as found before anything was applied */
	size_t n_items;
	size_t n_pending;      /* not applied completely: PENDING and PARTIAL */
	size_t n_applied;      /* files finished by this call */
	size_t n_resumed;      /* of these, begun by an earlier one */
	uint64_t n_statements; /* run by this call */
};

/*
 * Applies what is pending. The report is filled also after an error, as far as it got.
 * ERR_CONFLICT: a file was changed after it was applied, or the database has a table of one of our
 * names (schema_migrations included) that this did not make; then nothing was changed.
 * ERR_UNSUPPORTED: the database was made by a newer program. ERR_TIMEOUT: another process is
 * applying. Other classes as in store/maria.h.
 */
int shop_schema_apply(struct maria *m, const struct shop_schema *s, struct shop_schema_report *ret,
		      struct err *err) _must_check_;

/* What there is to do; changes nothing, not even schema_migrations is made. */
int shop_schema_pending(struct maria *m, const struct shop_schema *s,
			struct shop_schema_report *ret, struct err *err) _must_check_;

/* What both applying and dropping refuse about the record of migrations: ERR_CONFLICT, it is
 * another program's; ERR_UNSUPPORTED, a newer program made it. Changes nothing. */
int shop_schema_check(struct maria *m, const struct shop_schema *s, struct err *err) _must_check_;

/*
 * Drops the tables and views that schema_migrations records as made here, with all that is in them,
 * and that record last: cut off, it can be repeated. A database without our record, also one whose
 * schema_migrations is another program's, stays as it is. ERR_UNSUPPORTED: a newer program made
 * it. Foreign keys are not checked on this connection from then on.
 */
int shop_schema_drop(struct maria *m, const struct shop_schema *s, struct err *err) _must_check_;

void shop_schema_report_done(struct shop_schema_report *report);

const char *shop_schema_state_name(enum shop_schema_state state); /* "applied" */
