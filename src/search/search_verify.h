/*
 * Verification of the index: each document that should be in it, by mapping and rules, is in it
 * with the same content, and nothing else is. The index lives in the worker that runs, so it is
 * asked; what it should hold is made here, from MariaDB.
 *
 * The worker's answer (search_engine_inventory), one JSON object; hashes are 16 hexadecimal digits,
 * keys are their bytes in hexadecimal:
 *
 *	"rules"      hash of the rules by which records are made
 *	"space"      what the numbers of documents mean
 *	"is_live"    all documents are in it, and it is kept in step
 *	"consumers"  of the hand-off: that of the words, and that of the vectors if there are any
 *	"meaning"    {"is_live", "may_see_pii"}; null: no model answers yet
 *	"documents"  [{"key", "record": hash, "made_of": hash, "is_aside": bool}], without what is
 *	             not there
 *	"next"       where the next page begins; not there: this is the last one
 *
 * One thread.
 */
#pragma once

#include "search/search_rules.h"
#include "sync/sync_verify.h"

#include <jansson.h>

struct search_verify_options {
	struct sync_verify_options verify;
	/* Asks the worker; the caller owns the answer. Keys as in struct search_inventory. */
	int (*ask)(void *arg, const char *collection, const struct str *keys, size_t n,
		   uint32_t from, json_t **ret, struct err *err);
	void *arg;
};

/*
 * `rules` are bound, `mapping` is of one of their collections. ERR_NOT_FOUND: the worker does not
 * index it. ERR_UNAVAILABLE: its index is not there. ERR_CONFLICT: it was made by other rules.
 *
 * `late` of the result: documents whose vector is still to be made; found by their words they are.
 */
int search_verify(struct maria *db, const struct search_rules *rules, const struct mapping *mapping,
		  const struct search_verify_options *options, struct sync_verify_result *ret,
		  struct err *err) _must_check_;

/* Bytes of a key as hexadecimal, and back. False: it is none. */
void search_verify_add_key(struct strbuf *b, struct str key);
bool search_verify_read_key(struct str hex, struct arena *arena, struct str *ret);
