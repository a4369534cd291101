/*
 * The audit: who did what to whose data, under which role, for which purpose, how many rows, when.
 *
 * Events are appended and never changed. Each holds the hash of the one before it, so that a
 * change, a gap or another order is found (audit_verify). What is personal of an event, whose data
 * it was and details, stands apart, behind a hash with a salt that goes with it: erased, the chain
 * holds, and nobody can guess from the hash whom it was about.
 *
 * event_hash = SHA-256 of the fields audit_id, happened_at, actor, role_name, action_name,
 * object_name, purpose, row_count, outcome, details_hash and previous_hash, each as
 * "LENGTH:BYTES," (a netstring), numbers in decimal. details_hash = SHA-256 of the netstrings of
 * salt, subject and details; empty when an event has none. The first event's previous_hash is
 * 64 zeros.
 *
 * Details that are gone are in order only when an event "audit.erase" names them, or they were
 * purged. A purge deletes the oldest events and leaves a checkpoint, signed with Ed25519: the chain
 * goes on from its hash. Whoever may delete in the database can cut off the end of the chain, too:
 * the file `audit.head` in the run-time folder remembers how far it was, and verifying compares.
 * It follows the chain: each command moves it when it has appended, `serve` each second.
 *
 * One connection, one thread. Appending serialises by the row of Audit_Head until the transaction
 * ends.
 */
#pragma once

#include "base/mem.h"
#include "store/maria.h"

#define AUDIT_HASH_SIZE 65 /* hex, and NUL */

struct audit_event { /* texts: NULL is the empty one; too long ones are cut at their column */
	const char *actor, *role, *action, *object, *purpose, *outcome;
	uint64_t rows;
	const char *subject; /* NULL: nobody's. With one, `purpose` stands among the details */
	const char *details; /* a JSON object; NULL: none */
};

/* In a transaction of its own. */
int audit_append(struct maria *m, const struct audit_event *event, struct err *err) _must_check_;

/* "os:NAME" of who runs this process. In the arena. */
const char *audit_os_actor(struct arena *arena);

struct audit_state {
	uint64_t first, last, n; /* events that are there */
	uint64_t n_details, n_erased;
	char head[AUDIT_HASH_SIZE]; /* hash of the last event */
};

/* Where the chain was when it was last looked at: the file is read before and written after. */
struct audit_witness {
	const char *path;		 /* of audit.head; NULL: none is kept */
	const unsigned char *public_key; /* 32 bytes: whose signatures of checkpoints count */
	bool (*goes_on)(void *arg);	 /* between pieces; false: end here. NULL: it does */
	void *arg;
};

/* Behind the path of audit.head: the file with what was wrong when it was last verified; one as old
 * as the last time that all of it was right; one that is locked by who moves the head. */
#define AUDIT_WRONG    ".wrong"
#define AUDIT_VERIFIED ".verified"
#define AUDIT_LOCK     ".lock"

/*
 * Reads all events, in pieces. ERR_INTERRUPTED: it was not to go on. ERR_CORRUPTED names the first
 * that is wrong and how: changed, a gap, a wrong order, details changed or gone without an event
 * that says so, a checkpoint without a good signature, an end that was cut off.
 */
int audit_verify(struct maria *m, const struct audit_witness *witness, struct audit_state *ret,
		 struct err *err) _must_check_;

/*
 * Moves audit.head to the end of the chain, verifying what came since it was moved last; one query
 * when nothing did. Errors as audit_verify(), which it falls back on where the chain does not go on
 * from the head. Several processes may follow at once.
 */
int audit_follow(struct maria *m, const struct audit_witness *witness, struct err *err)
    _must_check_;
/* Whether this process has appended since it followed last. */
bool audit_is_ahead(void);

struct audit_row {
	uint64_t id, rows;
	const char *happened_at, *actor, *role, *action, *object, *purpose, *outcome;
	const char *subject; /* "" : nobody's, or erased */
};
typedef int (*audit_row_fn)(void *arg, const struct audit_row *row, struct err *err);

/* The newest first; of one subject, unless it is NULL. */
int audit_list(struct maria *m, const char *subject, size_t limit, audit_row_fn fn, void *arg,
	       struct err *err) _must_check_;

/* Deletes the details of all events about a subject, and appends an event that says so. */
int audit_erase(struct maria *m, const char *actor, const char *subject, uint64_t *ret_erased,
		struct err *err) _must_check_;

struct audit_purge {
	const struct audit_witness *witness;
	const unsigned char *secret_key; /* 64 bytes (libsodium) */
	const char *before;		 /* "2026-01-01 00:00:00", UTC */
	bool (*pause)(void *arg);	 /* between pieces; false: end here. NULL: none */
	void *arg;
};
/*
 * Deletes events from before a time, with their details, in pieces; the newest event stays. The
 * chain is verified first. What an end in between leaves the next purge deletes.
 */
int audit_purge(struct maria *m, const struct audit_purge *how, uint64_t *ret_purged,
		struct err *err) _must_check_;
/* How many audit_purge() would delete. */
int audit_count_old(struct maria *m, const char *before, uint64_t *ret, struct err *err)
    _must_check_;
