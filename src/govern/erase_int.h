/* What the files of erase.h share. */
#pragma once

#include "govern/erase.h"

#include "base/map.h"

#define ERASE_STATEMENT_MAX ((size_t)1 << 20)
#define ERASE_INDEX	    "index/" /* before the names of its files */

/* Adds a text, once, and says whether it is to be searched for. */
void erase_sought_add(struct erase_sought *s, enum erase_kind kind, struct str text);
/* As much of it as is searched for. */
struct str erase_begin_of(struct str text);
/* Each value that tells who somebody is; the columns of a name as one, with ERASE_PART between. */
typedef void (*erase_text_fn)(void *arg, enum erase_kind kind, struct str text);
struct erase_rows_of {
	const struct schema_table *table;
	const char *subject;
	bool is_others; /* not theirs, but those of each other subject that is there */
};
int erase_each_text(const struct eraser *e, const struct erase_rows_of *of, erase_text_fn fn,
		    void *arg, struct err *err) _must_check_;
/* Whether a text says who they are; so may a word that is too short to be searched for. */
bool erase_sought_names(const struct erase_sought *s, struct str text);
/* What is searched for, as bytes that say nothing without the key. */
void erase_sought_seal(const struct erase_sought *s, const unsigned char *key, struct strbuf *ret);
/* ERR_CORRUPTED: it was sealed with another key, or is damaged. */
int erase_sought_unseal(struct str sealed, const unsigned char *key, struct erase_sought *ret,
			struct err *err) _must_check_;

/* HMAC-SHA-256 in hex, 64 characters and NUL. */
void erase_fingerprint(const unsigned char *key, struct str text, char ret[65]);

/* JSON and its signature as one text, the caller's. */
char *erase_certificate_sign(const json_t *content, const unsigned char *secret_key);

/* --- the record (Erasures) ------------------------------------------------------------------- */

struct record {
	uint64_t id; /* 0: there is none */
	bool is_done;
	bool is_marked; /* with the key that was used; those from before are not */
	char *subject, *receipts, *certificate, *by, *purpose, *begun_at;
	char *earlier; /* certificates, a JSON array of texts; NULL: none */
	struct strbuf sought;
};
void erase_record_done(struct record *rec);
int erase_record_read(struct maria *m, const char *subject, struct record *ret, struct err *err)
    _must_check_;
/* What is searched for. ERR_CORRUPTED: sealed with another key, or for somebody else. */
int erase_record_unseal(const struct eraser *e, const struct record *rec, struct erase_sought *ret,
			struct err *err) _must_check_;

/* --- the rows (erase_rows.c) ----------------------------------------------------------------- */

/*
 * The transaction that erases, or takes away what came since. `s` is what was planned; for an
 * erasure that goes on, what was searched for before is added. ERR_RETRY: plan again.
 */
int erase_rows(const struct eraser *e, const char *subject, struct erase_sought *s, struct err *err)
    _must_check_;
/* In a transaction: nobody else erases them, or holds their data, until it ends. 1, or 0: they are
 * not there. */
int erase_lock_subject(const struct eraser *e, const char *subject, struct err *err) _must_check_;
/* In a transaction. ERR_RETRY: there is something new of theirs. */
int erase_check_rows(const struct eraser *e, const char *subject, struct err *err) _must_check_;
/* In a transaction. */
int erase_write_audit(const struct eraser *e, const struct record *rec, const char *outcome,
		      struct err *err) _must_check_;
/* Whether documents say that they are theirs. */
bool erase_has_documents(const struct eraser *e, const char *subject, const json_t *receipts);

/* --- the program's own records (erase_records.c) --------------------------------------------- */

/* What they say of them beside what is theirs: once for all, and again. */
int erase_records(const struct eraser *e, const struct erase_sought *s, json_t *receipts,
		  struct err *err) _must_check_;

/* --- of the search (erase_search.c) ---------------------------------------------------------- */

struct searching {
	const struct eraser *e;
	const struct erase_search *s;
	struct erase_match *match;
};
/* Of a place. */
int erase_tell(const struct searching *g, const struct erase_place *p, struct err *err)
    _must_check_;
/* Something in it; a key that holds what is sought is not told. */
int erase_tell_find(const struct searching *g, const struct erase_find *f, struct err *err)
    _must_check_;
int erase_tell_skip(const struct searching *g, const char *where, const char *why, struct err *err)
    _must_check_;
/* Whether the procedure said that rows of this table stay, nameless. */
bool erase_is_kept(const struct erase_search *s, const char *table);

/* Each searches one store. */
int erase_search_maria(const struct searching *g, struct err *err) _must_check_;
int erase_search_mongo(const struct searching *g, struct err *err) _must_check_;
int erase_search_files(const struct searching *g, struct err *err) _must_check_;
int erase_search_index(const struct searching *g, struct err *err) _must_check_;

/* --- stores that follow (erase_follow.c) ----------------------------------------------------- */

/* What was carried to MongoDB is gone from there, with the fields of its users, also where the
 * mapping keeps documents whose rows left. */
int erase_documents(const struct eraser *e, const struct erase_sought *s, uint64_t *ret_deleted,
		    struct err *err) _must_check_;
/* Waits until no reader of the hand-off has one of these documents before it. ERR_TIMEOUT,
 * ERR_CONFLICT: the index has files, and no worker keeps them. */
int erase_handoffs(const struct eraser *e, const struct erase_sought *s, int64_t deadline_us,
		   struct err *err) _must_check_;

/* Adds MongoDB's log of changes to what remains, with the time that it covers. */
void erase_oplog(const struct eraser *e, json_t *ret);
