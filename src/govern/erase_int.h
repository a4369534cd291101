/* What the files of erase.h share. */
#pragma once

#include "govern/erase.h"

#include <jansson.h>

#define ERASE_STATEMENT_MAX ((size_t)1 << 20)

/* Adds a text, once; one that is too short to tell anybody is passed over. */
void erase_sought_add(struct erase_sought *s, const char *pii, struct str text);
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
/* In a transaction. ERR_RETRY: there is something new of theirs. */
int erase_check_rows(const struct eraser *e, const char *subject, struct err *err) _must_check_;
/* In a transaction. */
int erase_write_audit(const struct eraser *e, const struct record *rec, const char *outcome,
		      struct err *err) _must_check_;
/* Whether documents say that they are theirs. */
bool erase_has_documents(const struct eraser *e, const char *subject);
