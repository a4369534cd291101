/*
 * Where one document comes from: the rows that it is made of, the mapping that made it, when it was
 * written, and which change that was. Names, keys and times, never a value.
 *
 * What is told: the document's own mark (`_sync`: version of the mapping, term of the writer,
 * time); the rows as they join now, in one snapshot. Which change made the sync write is not kept
 * of each document, as a queue forgets what it has done; what is known is the minute's batch of
 * the sync's audit (when what it carried was queued), and with a binary log the positions between
 * which all of that was committed, from the events of job sync.COLLECTION around it. The changes
 * themselves are in the binary log there.
 */
#pragma once

#include "govern/lineage.h"
#include "mapping/mapping.h"
#include "store/mongo.h"

struct lineage_row {
	const char *field; /* into which it is read; "": the root */
	const char *table, *key;
	bool is_cut; /* more rows of this kind follow, which are not told */
};

struct lineage_trace { /* texts: NULL where nothing is known; all in the arena */
	struct arena arena;
	const char *key;
	bool has_document, has_row;
	/* The document's mark; NULL: it was not made here. */
	const char *version, *written_at, *left_at;
	int64_t term;
	/* The mapping, as it is installed. */
	const char *mapping_hash, *state, *installed_at, *migrated_at;
	int64_t mapping_version;
	bool is_current; /* the document was made by this version */
	/* The batch: "queue" or "migration"; when what it carried was queued. */
	const char *source, *batch_at, *first_queued_at, *last_queued_at;
	bool is_forgotten; /* no batch, because the sync's audit does not reach back so far */
	/* Events of the sync around it, and how far the binary log was then. */
	const char *run, *after, *until, *after_gtid, *until_gtid;
	/* What is not in the document yet. */
	int64_t pending;
	const char *dead_letter;
	size_t n_rows, rows_cap;
	struct lineage_row *rows; /* owned */
};

/* ERR_NOT_FOUND: neither a row nor a document has this key. `mongo` NULL: of a mapping without
 * documents. */
int lineage_trace(const struct mapping *m, struct maria *db, struct mongo *mongo, struct str key,
		  struct lineage_trace *ret, struct err *err) _must_check_;
void lineage_trace_done(struct lineage_trace *t);
