/*
 * Who may see and do what: one file, rules/access.yaml, from which MariaDB's roles, accounts,
 * grants and masked views come.
 *
 * The file is read (access_load), resolved against mappings and schema (access_bind), and then
 * compared with what a server really grants (access_compare). Differences are brought about one by
 * one (access_apply). What was made here is recorded in table Access_Objects, so that a role which
 * leaves the file is dropped, and an account that somebody else made never is.
 *
 * Fail closed: a column is seen below full clearance only when the mapping or the file has classed
 * it, and its class is named by the clearance. A role that does not see everything plain has no
 * right on a base table: it reads a view for its clearance, which the owner of the schema defines,
 * since a definer's view cannot know the caller's role. These views are materialised
 * (ALGORITHM=TEMPTABLE), so that nothing of a caller's statement is evaluated on the rows below;
 * joins on pseudonyms get an index by it, too.
 *
 * A pseudonym is HMAC-SHA-256 (RFC 2104, cut to 128 bits) of the column's name and the value, with
 * a key that stands in a file; table Access_Keys, on which nobody but the owner has a right, holds
 * it in the form in which SQL can use it.
 *
 * A plan is immutable after access_bind(); a diff belongs to its caller. One connection, one
 * thread.
 */
#pragma once

#include "base/ydoc.h"
#include "mapping/mapping.h"

/* --- the file -------------------------------------------------------------------------------- */

enum access_mask {
	ACCESS_HIDDEN, /* the column is not there */
	ACCESS_PLAIN,
	ACCESS_INITIAL,	  /* first character, then *** */
	ACCESS_PARTIAL,	  /* e-mail: j***@e***.com; others: the last two characters */
	ACCESS_AGE_BAND,  /* of a date: 1980-1989, "before 1940" */
	ACCESS_MONTH,	  /* of a date: 2024-05 */
	ACCESS_PSEUDONYM, /* 32 hex digits, the same for the same value of columns of one name */
};

enum access_verb {
	ACCESS_READ,
	ACCESS_INSERT,
	ACCESS_UPDATE,
	ACCESS_DELETE,
	ACCESS_CALL,
	ACCESS_VERBS
};
const char *access_verb_name(enum access_verb verb); /* "read" */

/* What a role may ask for over HTTP, as bits. */
enum access_http {
	ACCESS_HTTP_CATALOGUE = 1 << 0,	 /* products and services: search, similar, beside one */
	ACCESS_HTTP_REVIEWS = 1 << 1,	 /* search in them; full clearance */
	ACCESS_HTTP_CUSTOMERS = 1 << 2,	 /* search in them, recommend to them; full clearance */
	ACCESS_HTTP_ORDERS = 1 << 3,	 /* place them for any customer; full clearance */
	ACCESS_HTTP_OWN_ORDERS = 1 << 4, /* place them for the customer of the token */
	ACCESS_HTTP_STATUS = 1 << 5,	 /* state of the worker and of the index */
	ACCESS_HTTP_METRICS = 1 << 6,
	ACCESS_HTTP_INDEX = 1 << 7, /* what the index holds, and rebuilding it; full clearance */
	ACCESS_HTTP_ALL = (1 << 8) - 1,
};
const char *access_http_name(unsigned bit);	     /* "own_orders" */
const char *access_mask_name(enum access_mask mask); /* "pseudonym" */

struct access_clearance {
	const char *name;
	const struct ynode *node;
	enum access_mask *masks; /* by mapping_pii_classes */
	bool is_full;		 /* sees everything plain, what is not classed too */
};

struct access_objects { /* tables, views, procedures: groups are resolved */
	size_t n;
	const char **names;
	const struct ynode **nodes;
};

struct access_role {
	const char *name;
	const struct ynode *node;
	const struct access_clearance *clearance;
	bool has_everything;
	unsigned http; /* bits of enum access_http */
	struct access_objects verbs[ACCESS_VERBS];
};

struct access_person {
	const char *name, *host; /* of the account */
	const struct ynode *node;
	const struct access_role *role;
	uint64_t customer_id; /* 0: is none */
};

struct access {
	struct arena arena;
	struct ydoc *doc;
	size_t n_clearances, n_roles, n_people, n_system;
	struct access_clearance *clearances;
	struct access_role *roles;
	struct access_person *people;
	const char **system;			 /* accounts left alone: "root@localhost" */
	struct access_objects records;		 /* tables that the program alone writes */
	const char *subject_table, *subject_key; /* whose data it is; NULL: not said */
	const char *subject_erase;		 /* the procedure that erases one; NULL: not said */
	const struct ynode *columns;		 /* classes beside the mapping's */
	struct access_plan *plan;		 /* after access_bind() */
};

/* Errors name file:line:column. */
int access_load(const char *path, struct access **ret, struct err *err) _must_check_;
int access_parse(const char *file, const char *text, size_t len, struct access **ret,
		 struct err *err) _must_check_;
struct access *access_free(struct access *a);
DEFINE_CLEANUP(struct access *, access_free)

const struct access_role *access_find_role(const struct access *a, const char *name); /* or NULL */
/* Whether a role reads a table or view, masked or not. */
bool access_may_read(const struct access_role *role, const char *object);
/* Of MariaDB: name and host, both as they are. */
bool access_is_system(const struct access *a, const char *account);
/* For a name that somebody typed: without such a role NULL, and ERR_NOT_FOUND with the nearest. */
const struct access_role *access_want_role(const struct access *a, const char *name,
					   struct err *err);

/* How a clearance sees a column of a class ("open", one of mapping_pii_classes, NULL: unclassed).
 */
enum access_mask access_mask_in(const struct access_clearance *c, const char *pii);

extern const struct config_option access_options[]; /* section "access" */

/* --- the plan -------------------------------------------------------------------------------- */

/*
 * Classes all columns, finds every object that the file names, and makes the list of what has to
 * be. `warehouse` is the name of that database. Once. ERR_INVALID_ARGUMENT with file:line:column.
 */
struct access_databases {
	const struct schema *shop;
	const char *warehouse;
};
int access_bind(struct access *a, const struct mapping_set *set,
		const struct access_databases *databases, struct maria *m, struct err *err)
    _must_check_;

/* The class of a column: "open", a class of personal data, or NULL: nobody has classed it. */
const char *access_class(const struct access *a, const char *table, const char *column);

/* In this order they are made, in the other one they go. */
enum access_kind {
	ACCESS_ROLE,	/* who */
	ACCESS_VIEW,	/* who: its name, right: hash of its definition */
	ACCESS_ACCOUNT, /* who: "maria@%" */
	ACCESS_GRANT,	/* who has the right on the object */
	ACCESS_MEMBER,	/* account who has the role `right` */
	ACCESS_DEFAULT, /* account who has the role `right` without asking for it */
	ACCESS_PERSON,	/* account who is the customer `right` */
	/* Never planned: what is wrong with it. */
	ACCESS_KEY,	   /* `right`: what is wrong with the key of pseudonyms */
	ACCESS_LOGIN,	   /* account who `right`: "is locked", "logs in by unix_socket" */
	ACCESS_DEFINITION, /* who: "view V_TopProducts"; right: "was altered …" */
	ACCESS_KINDS
};

struct access_item {
	enum access_kind kind;
	const char *who, *right, *object; /* "" where the kind has none */
	const char *sql;		  /* of a view: how it is made */
};

struct access_items {
	size_t n, cap;
	struct access_item *items; /* sorted by kind, who, right, object */
};

const struct access_items *access_plan_items(const struct access *a);
/* "role maria", "maria@% may SELECT on table Orders": for people. */
void access_item_text(const struct access_item *item, struct strbuf *b);

/* --- the server ------------------------------------------------------------------------------ */

enum access_state {
	ACCESS_MISSING, /* in the file, not on the server */
	ACCESS_BEYOND,	/* on the server, not in the file, and of a role or account of the file */
	ACCESS_FOREIGN, /* a right on the shop that somebody has of whom the file does not know */
	/* A role, an account or a view of a name of the file that was not made here. */
	ACCESS_STRANGER,
	ACCESS_CHANGED, /* by hand, in a way that a person has to judge: apply leaves it */
	ACCESS_STATES
};

struct access_difference {
	enum access_state state;
	struct access_item item;
	const char *sql; /* what apply would do; NULL: nothing */
};

struct access_diff {
	struct arena arena;
	size_t n, cap;
	struct access_difference *items; /* in the order in which they are applied */
	size_t n_of[ACCESS_STATES];
	const char *stranger; /* the first one's name, or NULL */
};

/* `pseudonym_key` has ACCESS_KEY_SIZE bytes; NULL: there is no file of it, which differs. */
int access_compare(const struct access *a, struct maria *m, const unsigned char *pseudonym_key,
		   struct access_diff *ret, struct err *err) _must_check_;
void access_diff_done(struct access_diff *diff);

/*
 * Passwords of new accounts come from `password`, which gives a text that lives in the arena.
 * `pseudonym_key` has 32 bytes. ERR_CONFLICT: roles, accounts or views of these names were there
 * before, and `adopts` is not set; ERR_CONFLICT also while somebody else applies. What an
 * interruption leaves undone is done by the next call. `ret_changes` counts what was changed also
 * when an error ends it.
 */
struct access_apply {
	const unsigned char *pseudonym_key;
	bool adopts;
	bool accepts; /* views, routines, triggers, events as they are: see below */
	int (*password)(void *arg, const char *account, struct arena *arena, const char **ret,
			struct err *err);
	void *arg;
};
#define ACCESS_KEY_SIZE 32

/* Drops every role, account and view that was made here, before the shop itself goes; never an
 * account of the system, whatever a record says. */
int access_remove(const struct access *a, struct maria *m, struct err *err) _must_check_;

int access_apply(const struct access *a, struct maria *m, const struct access_apply *how,
		 size_t *ret_changes, struct err *err) _must_check_;

/* --- definitions ----------------------------------------------------------------------------- */

/*
 * Views, routines, triggers and events of the shop run with their owner's rights: whoever alters
 * one by hand decides what roles see through it, or what is kept. Table Access_Definitions has a
 * hash of each as migrations made it, and access_compare() tells those that are other now. Applying
 * migrations is enclosed by these two, so that what a migration replaces counts and what somebody
 * altered before stays told. What was cut off between them goes on with the next pair; until then
 * changes are a migration's.
 */
int access_definitions_begin(struct maria *m, struct err *err) _must_check_;
int access_definitions_end(struct maria *m, struct err *err) _must_check_;
