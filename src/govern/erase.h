/*
 * Erasing a person from every store, and the proof of it.
 *
 * An erasure has two halves. The first is one transaction of MariaDB: the shop's own procedure
 * (rules/access.yaml, `subject.erase`) takes the rows away or makes them nameless, and a record in
 * Erasures says that it did. The second follows what was made of these rows: the sync's worker
 * deletes the documents, with the fields that belong to MongoDB's users, as it deletes any document
 * whose row left; the index, the cache of embeddings and the warehouse follow by the hand-off; the
 * audit forgets whose data it was. Then every store is searched for the texts that were the
 * person's (erase_match.h), and for rows and documents that say whose they are, and only when none
 * is found anywhere the certificate is signed. A killed erasure is completed by the next call.
 *
 * What is searched for stands in the record, sealed (XSalsa20-Poly1305) for this erasure with a key
 * that is in a file and not in the database, until the certificate is made; then it goes. A name,
 * an address or a telephone number that somebody else has, too, the whole of it, is not searched
 * for, nor is what is too short to tell anybody; the certificate says how many of each.
 *
 * Erased_Keys holds HMAC-SHA-256 of the keys by which a feed would bring the person back; loading
 * compares (shop/load.h).
 *
 * One connection, one thread.
 */
#pragma once

#include "govern/access.h"
#include "govern/erase_match.h"
#include "store/mongo.h"

#include <jansson.h>

#define ERASE_KEY_SIZE 32

struct erase_find;
struct eraser {			/* what belongs to it; everything lives as long as it */
	const struct access *a; /* bound; says whose data it is, and by which procedure it goes */
	const struct schema *schema;
	const struct mapping_set *mappings;
	struct maria *m; /* of the schema's owner */
	struct mongo *mongo;
	const char *dir; /* of run-time files */
	/* Folders below it that are not searched, as their servers were asked; ended by NULL. */
	const char *const *skipped;
	const char *index_dir;		 /* of the index's files, which may not be there */
	bool is_index_off;		 /* no worker keeps it */
	const unsigned char *key;	 /* ERASE_KEY_SIZE bytes */
	const unsigned char *secret_key; /* 64 bytes: signs the certificate (Ed25519) */
	const char *actor, *purpose;	 /* purpose may be NULL */
	const char *program;		 /* "aethermart 0.3" */
	int64_t wait_ms;		 /* for the stores that follow */
	/* Between two looks at them; false ends the waiting. May be NULL. */
	bool (*on_wait)(void *arg, const char *what);
	/* Each thing that is left when no more is waited for, before the error. May be NULL. */
	int (*on_left)(void *arg, const struct erase_find *f, struct err *err);
	/* What else follows, such as the warehouse or a server's own log: in order, ended by NULL.
	 * `ret_rows` may be left 0. Each may be called again after an interruption. */
	const struct erase_follower *followers;
	void *arg;
};

struct erase_sought;
struct erase_follower {
	const char *store;
	bool is_last; /* once more when the search has found nothing: others may write meanwhile */
	int (*follow)(void *arg, const char *subject, const struct erase_sought *sought,
		      uint64_t *ret_rows, struct err *err);
};

/* --- what is searched for ------------------------------------------------------------------- */

enum erase_left_out {
	ERASE_SEARCHED, /* it is searched for */
	ERASE_SHARED,	/* somebody else has the same */
	ERASE_SHORT,	/* it tells nobody */
	ERASE_NUMBER,	/* a key that is only a number, as many other things are */
	ERASE_LEFT_OUTS
};
const char *erase_left_out_name(enum erase_left_out why); /* "shared" */

struct erase_text {
	enum erase_kind kind;
	struct str text; /* of a name, its parts with ERASE_PART between */
	unsigned flags;	 /* enum erase_flag */
	enum erase_left_out left_out;
};

struct erase_document { /* that was made of their rows */
	const char *collection;
	struct str key; /* as the mapping has it */
};

struct erase_sought {
	struct arena arena;
	size_t n, cap, n_documents, cap_documents;
	struct erase_text *texts;
	struct erase_document *documents;
};
void erase_sought_done(struct erase_sought *s);

/* What tells who somebody is, and which documents were made of their rows, from the rows that are
 * theirs. ERR_NOT_FOUND: there is no such subject. */
int erase_sought_read(const struct eraser *e, const char *subject, struct erase_sought *ret,
		      struct err *err) _must_check_;
/*
 * Marks what somebody else has, too: the whole value of a classed column of another subject's row,
 * or the columns of a name together. Never an e-mail address or a key of a feed.
 */
int erase_sought_share(const struct eraser *e, const char *subject, struct erase_sought *s,
		       struct err *err) _must_check_;

size_t erase_sought_count(const struct erase_sought *s, enum erase_left_out why);
/* All that is searched for, ready to look; the caller's. */
struct erase_match *erase_sought_match(const struct erase_sought *s);

/* --- searching ------------------------------------------------------------------------------- */

struct erase_place {
	const char *store;   /* "MariaDB", "MongoDB", "files" */
	const char *where;   /* table with its database, collection, file below `dir` */
	uint64_t n_searched; /* rows, documents, bytes */
	uint64_t n_found;    /* rows, documents, files */
};
struct erase_find { /* in a place; texts live for the call */
	const char *store, *where;
	const char *key;  /* primary key, _id; "": it has none. Never a value that is theirs. */
	const char *what; /* a kind of text, or "theirs": it says whose it is */
};

/*
 * Looks for what is sought in each place that the accounts see: each text and byte column of each
 * database of MariaDB, each document of MongoDB, each file below `dir`, the keys of the index. A
 * row of the shop with the subject's key, and a document with a field of that name, is found as
 * well, unless the shop's procedure said that it keeps the table's rows "nameless".
 */
struct erase_search {
	const char *subject;
	const struct erase_sought *sought;
	const json_t *receipts; /* of the procedure; NULL: it was not called yet */
	/* Any of these may be NULL. */
	int (*on_place)(void *arg, const struct erase_place *p, struct err *err);
	int (*on_find)(void *arg, const struct erase_find *f, struct err *err);
	/* Where it could not look, and why. */
	int (*on_skip)(void *arg, const char *where, const char *why, struct err *err);
	void *arg;
};
int erase_search(const struct eraser *e, const struct erase_search *s, struct err *err)
    _must_check_;

/* --- erasing --------------------------------------------------------------------------------- */

/* What would be done: each place that holds something of the subject. Changes nothing. Of `how`
 * the callbacks are used. */
int erase_plan(const struct eraser *e, const char *subject, const struct erase_search *how,
	       struct erase_sought *ret, struct err *err) _must_check_;

/*
 * Erases, or goes on; of somebody who is erased, takes away what came since, and gives the
 * certificate of then when nothing did. ERR_CORRUPTED: the stored certificate is none of them, or
 * others were erased with another key. ERR_INVALID_ARGUMENT: the purpose names them. ERR_RETRY:
 * something came in the last moment; call again. ERR_CONFLICT: their data is held (Legal_Holds),
 * the shop's procedure refuses (an order that is not sent yet, a load that runs), or the rules name
 * them as a person with an account. ERR_TIMEOUT: the stores that follow have not followed yet, and
 * the message says which; call again. ERR_NOT_FOUND: there is no such subject. The certificate is
 * the caller's.
 */
int erase_run(const struct eraser *e, const char *subject, char **ret_certificate, struct err *err)
    _must_check_;

/*
 * Ends an erasure that found something nobody can take away, with a certificate that is not called
 * complete: it lists what is left and where, and says why. ERR_CONFLICT: it was not begun, or is
 * done. ERR_INVALID_ARGUMENT: the reason holds what is searched for, and would stay for ever.
 */
int erase_leave(const struct eraser *e, const char *subject, const char *reason,
		char **ret_certificate, struct err *err) _must_check_;

/* --- certificates ---------------------------------------------------------------------------- */

/* The caller owns the text. `earlier`: 0, or the number, from 1, of one that was made before
 * something of theirs came again. ERR_NOT_FOUND: there is none. ERR_RETRY: not yet done. */
int erase_certificate(struct maria *m, const char *subject, size_t earlier, char **ret,
		      struct err *err) _must_check_;
/* ERR_CORRUPTED: it is none, was changed, or another key signed it. */
int erase_certificate_check(const char *text, const unsigned char *public_key, struct err *err)
    _must_check_;

/* ERR_CORRUPTED: it is of somebody else, or of another erasure; 0 is any. */
int erase_certificate_is_of(const char *text, const char *subject, uint64_t id, struct err *err)
    _must_check_;

/* --- holds ----------------------------------------------------------------------------------- */

/*
 * One more hold; somebody may have several. `until`: the last day, such as 2030-01-31, today or
 * later; NULL: until it is released.
 */
int erase_hold(const struct eraser *e, const char *subject, const char *reason, const char *until,
	       struct err *err) _must_check_;
/* `hold`: its number; 0: the only one. ERR_NOT_FOUND: it is not held. ERR_CONFLICT: there are more.
 */
int erase_release(const struct eraser *e, const char *subject, uint64_t hold, struct err *err)
    _must_check_;

struct erase_record {
	uint64_t id;						/* 0: it is a hold */
	uint64_t hold;						/* its number */
	const char *subject, *state, *by, *why, *since, *until; /* until: "" when it is open */
};
typedef int (*erase_record_fn)(void *arg, const struct erase_record *r, struct err *err);
/* Erasures and holds, the newest first. Texts live for the call. */
int erase_list(struct maria *m, erase_record_fn fn, void *arg, struct err *err) _must_check_;
