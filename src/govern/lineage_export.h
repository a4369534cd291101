/*
 * Sends events to an endpoint of OpenLineage: each by a POST of its own, in the order in which they
 * were written, and noted as exported when the endpoint has taken it. So an export that was
 * interrupted goes on where it was, and at worst an event is sent twice, which endpoints know by
 * its run and type. One connection, one thread.
 */
#pragma once

#include "govern/lineage.h"

struct lineage_export {
	const char *url;	   /* http:// or https:// */
	const char *token;	   /* for "Authorization: Bearer"; NULL: none */
	const char *since;	   /* events from this time on ("2026-01-01", UTC); NULL: all */
	bool all;		   /* exported ones, too */
	int64_t retry_ms;	   /* how long it is tried again when the endpoint is away */
	const volatile int *stops; /* != 0: end now, the event in hand unsent; may be NULL */
};

/*
 * One export of a database at a time: ERR_CONFLICT. ERR_INVALID_ARGUMENT: the URL, or `since`.
 * ERR_DOCUMENT: the endpoint refuses an event (its number and the status are told).
 * ERR_UNAVAILABLE: it did not answer, or not well, until `retry_ms` were over. ERR_PERMISSION: it
 * wants another token. `ret_n` counts what it took, also with an error.
 */
int lineage_export(struct maria *db, const struct lineage_export *how, uint64_t *ret_n,
		   struct err *err) _must_check_;
