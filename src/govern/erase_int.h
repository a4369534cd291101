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
