/*
 * Insides of the sync engine.
 *
 * A worker runs one loop over its collections: claim a batch from the source, resolve it into
 * documents by one snapshot, hand them to the sink, acknowledge. Source and sink meet the worker
 * only here: struct sync_queue (the queue tables) and struct sync_sink (MongoDB).
 *
 * Threads: one control thread (the caller of sync_engine_run) owns the lease, the collections'
 * states and the audit; N workers own the keys that hash to them. What they share is in struct
 * sync_shared, by atomics or under its mutex. Lock order: a collection's `moving` before mutex.
 */
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "sync/sync.h"
#include "sync/sync_sql_int.h"

#include <pthread.h>
#include <stdatomic.h>

#define SYNC_FENCES	      64 /* documents in MongoDB; the most workers there can be */
#define SYNC_FENCE_COLLECTION "sync_fence"
#define SYNC_MARK	      "_sync"
#define SYNC_VERSION_LEN      12 /* hex digits of the mapping's hash in _sync.version */

/* --- source: where changes come from --------------------------------------------------------- */

/* What `sync install` recorded in a database, whatever the mappings say now; empty when it never
 * ran there. */
struct sync_record {
	struct arena arena;
	size_t len, cap;
	struct {
		const char *collection, *queue;
	} * items;
};
int sync_record_read(struct maria *db, struct sync_record *ret, struct err *err) _must_check_;
void sync_record_done(struct sync_record *r);

struct sync_item { /* one queued change */
	uint64_t id;
	uint32_t path;
	struct str key, cursor; /* in the claim's arena */
	int64_t queued_us;	/* the server's wall clock */
};

struct sync_claim {
	struct arena arena;
	size_t len, cap;
	struct sync_item *items;
};
void sync_claim_clear(struct sync_claim *c);
void sync_claim_done(struct sync_claim *c);

/* The queue of one collection as one worker sees it; belongs to that worker. */
struct sync_queue {
	const struct mapping *mapping;
	unsigned owner, owners;
	uint64_t floor, acked_max, next_floor; /* a hint where to look, never a watermark */
	uint64_t hold; /* lowest row of the last claim that stays, 0: none; the floor is below it */
	char *claim_sql[2]; /* [1]: without keys that wait for their document to move */
	char *delete_one_sql, *delete_sql, *insert_sql[3], *move_sql;
};
void sync_queue_init(struct sync_queue *q, const struct mapping *m, unsigned owner,
		     unsigned owners);
void sync_queue_done(struct sync_queue *q);
/* Where to look from. */
static inline uint64_t sync_queue_floor(const struct sync_queue *q)
{
	return q->hold && q->hold <= q->floor ? q->hold - 1 : q->floor;
}
/* A row of the claim in hand stays in the queue. */
static inline void sync_queue_hold(struct sync_queue *q, uint64_t id)
{
	if (!q->hold || id < q->hold)
		q->hold = id;
}
/* With each full look: the floor follows what was acknowledged two looks ago. */
void sync_queue_rotate(struct sync_queue *q);
enum { SYNC_CLAIM_FULL = 1, SYNC_CLAIM_UNMOVED = 2 };
/* At most `limit` rows above the floor, in id order. FULL: from 0. UNMOVED: from 0 and without keys
 * that wait for their document to move, which could otherwise fill every claim. */
int sync_queue_claim(struct sync_queue *q, struct maria *db, unsigned flags, size_t limit,
		     struct sync_claim *ret, struct err *err) _must_check_;
/* Deletes exactly these rows; inside a transaction. */
int sync_queue_delete(struct sync_queue *q, struct maria *db, const uint64_t *ids, size_t n,
		      struct err *err) _must_check_;
/* Queues documents, as an expansion does; inside a transaction. */
int sync_queue_insert(struct sync_queue *q, struct maria *db, const struct str *keys, size_t n,
		      int64_t queued_us, struct err *err) _must_check_;
/* Moves the cursor of an expansion row; inside a transaction. */
int sync_queue_move(struct sync_queue *q, struct maria *db, uint64_t id, struct str cursor,
		    struct err *err) _must_check_;
unsigned sync_owner_of(struct str key,
		       unsigned owners); /* CRC-32, as the claim's SQL computes it */

/* --- sink: where documents go ---------------------------------------------------------------- */

struct sync_counts {
	uint64_t inserted, updated, deleted, unchanged, failed;
};

struct sync_figures { /* of some batches; times of the changes that came from the queue, or 0 */
	struct sync_counts counts;
	int64_t first_us, last_us, max_lag_us;
};

enum sync_outcome {
	SYNC_UNCHANGED,
	SYNC_INSERTED,
	SYNC_UPDATED,
	SYNC_DELETED,
	SYNC_REFUSED,
	SYNC_OUTCOMES /* their number */
};
extern const char *const sync_outcome_names[SYNC_OUTCOMES];

struct sync_write { /* one document's way through the sink */
	const struct mapping_document *document;
	enum sync_outcome outcome;
	bool is_taken;	   /* its _id was taken when it was to be inserted: looked again once */
	const char *error; /* REFUSED: in the batch's arena */
};

/* MongoDB for one worker: a client of its own, a fence of its own. */
struct sync_sink;
int sync_sink_new(struct mongo *mongo, unsigned fence, struct sync_sink **ret, struct err *err)
    _must_check_;
/* Writes into the fence which session writes under it, so that who takes over can end a transaction
 * that it left open. ERR_FENCED. */
int sync_sink_sign(struct sync_sink *s, int64_t term, struct err *err) _must_check_;
struct sync_sink *sync_sink_free(struct sync_sink *s);

struct sync_sink_context {
	const struct mapping *mapping;
	const char *const *retired; /* fields to unset, NULL-terminated */
	int64_t term;
};
/*
 * Makes the documents of a batch what they should be, in one transaction that also writes the
 * fence. Fills outcome and error of each write. Errors: ERR_FENCED, ERR_RETRY (write conflict),
 * classes of store/mongo.h; then nothing was written. A document that the target refuses is no
 * error: it is marked REFUSED and the rest is written.
 */
int sync_sink_apply(struct sync_sink *s, const struct sync_sink_context *c,
		    struct sync_write *writes, size_t n, struct arena *arena, struct err *err)
    _must_check_;
/* A document that goes to another _id, with all that MongoDB's users added. */
struct sync_move {
	uint64_t id; /* of the note */
	struct str old_key, new_key;
};
#define SYNC_MOVES_MAX 16 /* whole documents are in memory: at most 2 * 16 * 16 MiB */
/* Moves whose keys are all different, in one transaction. ERR_DOCUMENT: one of them was refused,
 * and none was done. */
int sync_sink_move(struct sync_sink *s, const struct sync_sink_context *c,
		   const struct sync_move *moves, size_t n, struct err *err) _must_check_;
/* In one fenced transaction each, of marked documents only: deletes those of these _id's (any
 * types, the values of `ids`); makes one a foreign document, which keeps all it has. */
int sync_sink_remove(struct sync_sink *s, const struct sync_sink_context *c, const bson_t *ids,
		     struct err *err) _must_check_;
int sync_sink_release(struct sync_sink *s, const struct sync_sink_context *c, struct str key,
		      struct err *err) _must_check_;

struct sync_page {     /* marked documents in the order of their _id's */
	bson_t strays; /* _id's that no row can have, as an array */
	struct mapping_keys keys;
	uint32_t n_strays;
	uint32_t max_strays; /* set before; 0: they are passed over */
	bool is_last;	     /* nothing follows */
};
#define SYNC_PAGE_INIT                     \
	{                                  \
		.strays = BSON_INITIALIZER \
	}
void sync_page_done(struct sync_page *p);
/* Documents behind the key `after` (empty: from the start) whose _id is of the key's type; ends
 * when the keys reach `limit`, or the strays their maximum. */
int sync_sink_page(struct sync_sink *s, const struct mapping *m, struct str after, size_t limit,
		   struct arena *arena, struct sync_page *ret, struct err *err) _must_check_;
/* Documents whose _id is of another type: all of them are strays. */
int sync_sink_strays(struct sync_sink *s, const struct mapping *m, size_t limit,
		     struct arena *arena, struct sync_page *ret, struct err *err) _must_check_;

/* The sink's decisions, without a server. */

/* What becomes of one document of which `have` (NULL: nothing) is there; `update` (empty before) is
 * filled where an update does it: UPDATED, and DELETED of a document that stays. */
enum sync_outcome sync_sink_decide(const struct sync_sink_context *c, const struct sync_write *w,
				   const bson_t *have, bson_t *update);
/* A document that is not there yet: owned fields in the order of the mapping, MongoDB's own, the
 * mark. `doc` is initialised and empty. */
void sync_sink_make_document(const struct sync_sink_context *c, const bson_t *want, bson_t *doc);
/* The update of `to` by which it takes over the fields of MongoDB's users: set as in `from`, unset
 * what only `to` has; empty: neither has any. */
void sync_sink_make_adopt(const struct mapping *m, const bson_t *from, const bson_t *to,
			  bson_t *update);

/* --- lease ----------------------------------------------------------------------------------- */

struct sync_lease {
	char *holder;
	int64_t term; /* 0: not held */
	int64_t duration_us;
	int64_t
	    held_until_us; /* monotonic; local, pessimistic: from before the renewing statement */
};
/* 0: held now. ERR_CONFLICT: somebody else holds it. */
int sync_lease_take(struct sync_lease *l, struct maria *db, struct mongo *mongo, struct err *err)
    _must_check_;
int sync_lease_renew(struct sync_lease *l, struct maria *db, struct err *err) _must_check_;
void sync_lease_release(struct sync_lease *l, struct maria *db);
/* Whether this MongoDB was ever written by a holder: a new or another one was not. */
int sync_has_fences(struct mongo *mongo, bool *ret, struct err *err) _must_check_;
/* Inside a transaction: ERR_FENCED unless (holder, term) still hold the lease until its commit. */
int sync_lease_guard(struct maria *db, const char *holder, int64_t term, struct err *err)
    _must_check_;

/* --- what threads share ---------------------------------------------------------------------- */

struct sync_collection {
	const struct mapping *mapping;
	struct metric *m_applied[SYNC_OUTCOMES];
	struct metric *m_lag, *m_lag_queue, *m_lag_read, *m_lag_apply, *m_depth, *m_age, *m_dead,
	    *m_retries;
	atomic_bool is_active; /* installed with this mapping, not paused */
	atomic_bool is_migrating;
	pthread_rwlock_t moving; /* batches: read; moving documents to new keys: write */
	atomic_bool sweep;
	atomic_uint generation;
	/* under sync_shared.mutex: */
	const char *stopped; /* why it is not active, NULL: it is */
	const char *const *
	    retired; /* NULL-terminated; replaced as a whole, old ones kept until the engine ends */
	struct sync_figures minute; /* that runs */
};

struct sync_shared {
	const struct sync_engine_options *options;
	const struct mapping_set *mappings;
	struct sync_collection *collections; /* one a mapping, same order */
	pthread_mutex_t mutex;
	pthread_cond_t wake;	      /* stop, lost */
	atomic_bool stop;	      /* finish and leave */
	atomic_bool lost;	      /* the lease: back to standby */
	atomic_bool has_dead_letters; /* so that a success looks for its dead letter */
	const char *holder;
	int64_t term; /* both set before the workers start */
	unsigned owners;
	size_t batch;
	_Atomic uint64_t versions;  /* that this process gave to batches */
	unsigned dead_letters_set;  /* under mutex: rises with each commit that set one aside */
	bool has_lookout;	    /* under mutex: an idle worker looks for changes of all */
	uint64_t alarms;	    /* under mutex: how often one found some */
	atomic_int healthy_workers; /* those whose last round met both stores */
	struct arena arena;	    /* retired lists, under mutex */
};

void sync_shared_sleep(struct sync_shared *s, int64_t us); /* or until it stops */
void sync_shared_alarm(struct sync_shared *s);		   /* idle workers look what there is */
/* After the commit that set something aside. */
void sync_shared_set_aside(struct sync_shared *s);

/* --- workers --------------------------------------------------------------------------------- */

struct sync_progress {	    /* of a worker with one collection */
	size_t limit;	    /* roots a batch; halved after conflicts */
	size_t rows;	    /* of a claim: several may name one root */
	unsigned conflicts; /* in a row */
	unsigned failures;  /* in a row */
	int64_t retry_at_us;
};

struct sync_worker {
	struct sync_shared *shared;
	unsigned owner;
	pthread_t thread;
	bool is_healthy;
	struct maria *db;
	struct mongo *mongo;
	struct sync_sink *sink;
	struct sync_queue *queues;		/* one a collection */
	struct sync_progress *live, *migrating; /* one a collection each */
	struct sync_claim claim;
	struct mapping_batch batch;
	struct arena arena;	 /* of the batch in hand */
	int64_t clock_offset_us; /* server's wall clock minus ours */
	unsigned failures;	 /* rounds in a row in which a store did not answer */
	char *peek_sql, *moving_sql, *handoff_sql;
	bool looks_out; /* for all workers that are idle */
};
void *sync_worker_main(void *worker);

/* One batch of documents: read, apply, and what `ack` does, under the rules for errors. */
struct sync_batch {
	struct sync_collection *collection;
	struct sync_queue *queue;
	struct str *keys;   /* unique roots */
	int64_t *queued_us; /* the oldest change of each; 0 for migration */
	uint64_t version;   /* in the hand-off: no other batch ever has the same; they rise */
	size_t n;	    /* without those that wait for a key change */
	int64_t claimed_us, read_us, applied_us;
	struct sync_write *writes;
	struct mapping_document *unreadable; /* a single root whose rows cannot be read, or NULL */
	bool is_repeated;		     /* its like failed just now: it is not offered */
	struct sync_counts counts;
};
/* A term has one holder, which is one process. */
#define SYNC_VERSIONS_A_TERM ((uint64_t)1 << 40)
uint64_t sync_batch_version(struct sync_shared *s);
int sync_batch_apply(struct sync_worker *w, struct sync_batch *b, struct err *err) _must_check_;
/* The transaction's part besides the queue rows: hand-off, dead letters. */
int sync_batch_record(struct sync_worker *w, const struct sync_batch *b, struct err *err)
    _must_check_;
void sync_batch_count(struct sync_worker *w, const struct sync_batch *b);
void sync_batch_failed(struct sync_worker *w, struct sync_collection *c, const char *source,
		       const struct err *err);

/* Those rows of the worker's claim that are expansions. *ret_done: how many were handled. One that
 * fails keeps the others from nothing; the first error is returned. */
int sync_expand_all(struct sync_worker *w, struct sync_collection *c, struct sync_queue *q,
		    size_t *ret_done, struct err *err) _must_check_;

int sync_migrate_step(struct sync_worker *w, size_t collection, bool *ret_worked, struct err *err)
    _must_check_;
/* Documents whose key changed; *ret_worked: one was moved or set aside. */
int sync_key_changes_step(struct sync_worker *w, size_t collection, bool *ret_worked,
			  struct err *err) _must_check_;

/* Session of a worker or verifier: READ COMMITTED, causal on Galera. */
int sync_session_init(struct maria *db, struct err *err) _must_check_;
void sync_rollback(struct maria *db); /* whatever is open; errors do not matter */
/* A transaction of the lease's holder: ERR_FENCED when it is no longer this one. sync_end() ends it
 * also after an error. */
int sync_begin_guarded(struct sync_worker *w, struct err *err) _must_check_;
/* Commits when `r` is 0; else, or when that fails, rolls back. Returns the first error. */
int sync_end(struct maria *db, int r, struct err *err) _must_check_;

struct sync_audit {		     /* a row of sync_audit_log */
	const char *source;	     /* "queue", "migration" */
	const char *outcome, *error; /* "applied", NULL; or class and message */
	struct sync_figures figures;
};
/* Never fails: what it tells is in the metrics too. */
void sync_audit_write(struct maria *db, const struct sync_shared *s,
		      const struct sync_collection *c, const struct sync_audit *a);

/* A JSON array of texts as a NULL-terminated list in the arena. */
const char *const *sync_list_of_json(struct arena *arena, struct str json);

int sync_dead_letter_add(struct maria *db, const char *collection, uint32_t path, struct str key,
			 const char *error, struct err *err) _must_check_;
int sync_dead_letter_clear(struct maria *db, const char *collection, uint32_t path, struct str key,
			   struct err *err) _must_check_;

/* Collection, validator and indexes in MongoDB; not `narrow`: the validator lets all pass. */
int sync_target_prepare(struct mongo *mongo, const struct mapping *m, bool narrow, struct err *err)
    _must_check_;

/* sync_drain() for one collection. */
int sync_drain_one(struct maria *db, const struct mapping *m, int64_t timeout_ms, struct err *err)
    _must_check_;

/* Two values of the same type and the same bytes. */
bool sync_is_same_value(const bson_iter_t *a, const bson_iter_t *b);
/* Paths at which the owned fields of a document differ from what they must be, "a, b.0.c", at most
 * ten, "and more" behind them; NULL: none. The caller owns the text. */
char *sync_diff_documents(const bson_t *want, const bson_t *have);

/* Queues again what a unique index refused, when it is due. */
int sync_dead_letter_heal(struct maria *db, const struct mapping *m, struct err *err) _must_check_;
