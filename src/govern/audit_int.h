/* What the files of audit.h share. */
#pragma once

#include "govern/audit.h"

#include <stdatomic.h>

#define AUDIT_FIELDS	 10 /* that are hashed besides the hash of the event before */
#define AUDIT_FIRST_HASH "0000000000000000000000000000000000000000000000000000000000000000"
#define AUDIT_ERASE	 "audit.erase"

/* The last event, as Audit_Head or a checkpoint has it. */
struct audit_head {
	uint64_t id;
	char hash[AUDIT_HASH_SIZE];
};

extern atomic_bool audit_appended; /* and not followed yet */

/* Within a transaction of the caller's. */
int audit_append_here(struct maria *m, const struct audit_event *event, struct err *err)
    _must_check_;

/* Deletes the details of these events, a thousand at most, and appends an event that says so. */
int audit_erase_events(struct maria *m, const char *actor, const uint64_t *ids, size_t n,
		       struct err *err) _must_check_;

/* SHA-256 in hex of texts as netstrings. */
void audit_hash(const struct str *fields, size_t n, char ret[AUDIT_HASH_SIZE]);

/* What a checkpoint's signature is made of. In the arena. */
const char *audit_checkpoint_text(struct arena *arena, uint64_t id, const char *hash);
