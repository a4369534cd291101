/*
 * Erasing a person from every store, and the proof of it.
 *
 * An erasure has two halves. The first is one transaction of MariaDB: the shop's own procedure
 * (rules/access.yaml, `subject.erase`) takes the rows away or makes them nameless, and a record in
 * Erasures says that it did. The second follows what was made of these rows: the sync's worker
 * deletes the documents, with the fields that belong to MongoDB's users, as it deletes any document
 * whose row left; the index, the cache of embeddings and the warehouse follow by the hand-off; the
 * audit forgets whose data it was. Then every store is searched for the texts that were the
 * person's, and only when none is found anywhere the certificate is signed. A killed erasure is
 * completed by the next call.
 *
 * What is searched for stands in the record, sealed (XSalsa20-Poly1305) for this erasure with a key
 * that is in a file and not in the database, until the certificate is made; then it goes. Texts
 * that others have too (a shared address, "Great!") are theirs, and are not searched for.
 *
 * Erased_Keys holds HMAC-SHA-256 of the keys by which a feed would bring the person back; loading
 * compares (shop/load.h).
 *
 * One connection, one thread.
 */
#pragma once

#include "govern/access.h"
#include "store/mongo.h"

#define ERASE_KEY_SIZE 32

struct eraser {			/* what belongs to it; everything lives as long as it */
	const struct access *a; /* bound; says whose data it is, and by which procedure it goes */
	const struct schema *schema;
	const struct mapping_set *mappings;
	const char *warehouse; /* its database, which may not be there */
	struct maria *m;       /* of the schema's owner */
	struct mongo *mongo;
	const char *dir; /* of run-time files */
	/* Files of servers below it, which are searched through the server instead, and of keys. */
	const char *const *skipped;	 /* names in `dir`, ended by NULL */
	const unsigned char *key;	 /* ERASE_KEY_SIZE bytes */
	const unsigned char *secret_key; /* 64 bytes: signs the certificate (Ed25519) */
	const char *actor, *purpose;	 /* purpose may be NULL */
	const char *program;		 /* "aethermart 0.3" */
	int64_t wait_ms;		 /* for the stores that follow */
	/* Between two looks at them; false ends the waiting. May be NULL. */
	bool (*on_wait)(void *arg, const char *what);
	/* What else follows, such as the warehouse or a server's own log: in order, ended by NULL.
	 * `ret_rows` may be left 0. Each may be called again after an interruption. */
	const struct erase_follower *followers;
	void *arg;
};

struct erase_sought;
struct erase_follower {
	const char *store;
	int (*follow)(void *arg, const char *subject, const struct erase_sought *sought,
		      uint64_t *ret_rows, struct err *err);
};

/* --- what is searched for ------------------------------------------------------------------- */

struct erase_text {
	const char *pii; /* its class */
	struct str text;
	bool is_shared; /* others have it, too */
};

struct erase_sought {
	struct arena arena;
	size_t n, cap, n_shared;
	struct erase_text *texts;
	size_t longest; /* bytes */
};
void erase_sought_done(struct erase_sought *s);

/* The texts that tell who somebody is, from the rows that are theirs. ERR_NOT_FOUND: there is no
 * such subject. */
int erase_sought_read(const struct eraser *e, const char *subject, struct erase_sought *ret,
		      struct err *err) _must_check_;

/* --- searching ------------------------------------------------------------------------------- */

struct erase_place {
	const char *store;   /* "MariaDB", "MongoDB", "files" */
	const char *where;   /* table with its database, collection, file below `dir` */
	uint64_t n_searched; /* rows, documents, bytes */
	uint64_t n_found;    /* rows, documents, files */
};
typedef int (*erase_place_fn)(void *arg, const struct erase_place *p, struct err *err);

/*
 * Looks for the texts in each place. A row that says whose it is (by a column of the subject's key)
 * and is somebody else's is not counted: with `marks_shared`, what is found there is marked as
 * shared instead.
 */
struct erase_search {
	const char *subject;
	struct erase_sought *sought;
	bool marks_shared; /* MariaDB only: before the erasure */
	erase_place_fn fn; /* for each place; may be NULL */
	void *arg;
};
int erase_search_maria(const struct eraser *e, const struct erase_search *s, struct err *err)
    _must_check_;
int erase_search_mongo(const struct eraser *e, const struct erase_search *s, struct err *err)
    _must_check_;
int erase_search_files(const struct eraser *e, const struct erase_search *s, struct err *err)
    _must_check_;

/* --- erasing --------------------------------------------------------------------------------- */

/* What would be done: each place that holds something of the subject. Changes nothing. */
int erase_plan(const struct eraser *e, const char *subject, erase_place_fn fn, void *arg,
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

/* --- certificates ---------------------------------------------------------------------------- */

/* The caller owns the text. ERR_NOT_FOUND: they were never erased. ERR_RETRY: not yet done. */
int erase_certificate(struct maria *m, const char *subject, char **ret, struct err *err)
    _must_check_;
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
