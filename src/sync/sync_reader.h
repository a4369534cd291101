/*
 * A reader of the hand-off: gives one consumer every document that changed, at least once.
 *
 * The acknowledgement of each batch leaves (consumer, collection, key, version) in sync_handoff.
 * The reader takes a page of them, reads the documents as they are now from MariaDB, in one
 * consistent snapshot, hands them to the consumer, and, when the consumer has made them durable,
 * deletes the rows at the versions that it saw: what changed meanwhile comes again. Documents that
 * are gone come as MAPPING_ABSENT. Order and number of deliveries mean nothing; the last one shows
 * the last state.
 *
 * Whoever registers for the first time, or was dropped, missed what happened before: `begin` tells,
 * and the consumer reads all documents itself (sync_reader_page, sync_reader_read).
 *
 * In the process that carries the changes, the documents themselves may be offered before their
 * rows are there (sync_reader_offer): they are given to the consumer at once, and not read again.
 *
 * One thread, but for sync_reader_wake() and sync_reader_offer(). A reader has one connection of
 * its own. After an error for which sync_reader_is_lost() holds, sync_reader_connect() is called
 * again.
 */
#pragma once

#include "sync/sync.h"

struct sync_reader;

struct sync_reader_options {
	const struct maria_options *maria; /* borrowed as long as the reader lives */
	const char *mapping_dir;
	const char *consumer; /* its name in sync_consumer; at most 64 bytes */
	const char *kind;
	size_t page; /* documents at a time */
	/* Before the consumer registers, for the first time or after it was dropped: it makes
	 * durable that it has to read all documents. May be NULL. */
	int (*begin)(void *arg, struct err *err);
	/* Takes the documents of one collection; 0: they are durable. Documents live for the call.
	 */
	int (*take)(void *arg, const struct mapping *m, const struct mapping_document *documents,
		    size_t n, struct err *err);
	bool (*wants)(void *arg, const char *collection); /* NULL: all */
	void *arg;
};

/* Connects to nothing yet. The texts of `options` live as long as the reader. */
struct sync_reader *sync_reader_new(const struct sync_reader_options *options);
struct sync_reader *sync_reader_free(struct sync_reader *r);
DEFINE_CLEANUP(struct sync_reader *, sync_reader_free)

/*
 * Connects when there is no connection, reads the mappings when others are installed
 * (`ret_changed`), and registers, which also says that the consumer is alive: call it every few
 * seconds. ERR_UNAVAILABLE also while the sync is not installed.
 */
int sync_reader_connect(struct sync_reader *r, bool *ret_changed, struct err *err) _must_check_;
bool sync_reader_is_lost(const struct sync_reader *r);
/* Until the next sync_reader_connect(). */
const struct mapping_set *sync_reader_mappings(const struct sync_reader *r);
struct maria *sync_reader_maria(struct sync_reader *r); /* for other reads, outside of calls */

/* What was offered; then one page of each collection that waits, a few behind one that is not
 * taken. A collection that fails holds up no other, and the first failure is returned. `ret_n`:
 * rows that were done; 0: nothing waits, or it was offered just now and its rows wake again. */
int sync_reader_step(struct sync_reader *r, size_t *ret_n, struct err *err) _must_check_;
/* Gives these documents to `take`, whether they wait or not. Halves what is too large. */
int sync_reader_read(struct sync_reader *r, const struct mapping *m, const struct str *keys,
		     size_t n, struct err *err) _must_check_;
/* As mapping_page(). */
int sync_reader_page(struct sync_reader *r, const struct mapping *m, struct str after, size_t limit,
		     struct arena *arena, struct mapping_keys *ret, struct err *err) _must_check_;
int sync_reader_waiting(struct sync_reader *r, const char *collection, int64_t *ret,
			struct err *err) _must_check_;

/*
 * Waits until sync_reader_wake(), at most `ms`. Any thread may wake, also before: then the next
 * wait returns at once. Cheap enough for each change.
 */
void sync_reader_wait(struct sync_reader *r, int64_t ms);
void sync_reader_wake(struct sync_reader *r);
/*
 * These documents, as `m` makes them, were read by the worker that carries them, and their rows of
 * the hand-off will come at this version, which is above all that it gave to them before. They are
 * copied; the next sync_reader_step() gives them to `take`, and does not read them when the rows
 * are there. What is not wanted, was made by another mapping than the reader has, or finds no room,
 * is ignored, and comes with its row. Wakes, from any thread.
 */
void sync_reader_offer(struct sync_reader *r, const struct mapping *m,
		       const struct mapping_document *documents, size_t n, uint64_t version);

/* Removes the consumers of this kind whose names begin with `prefix` and are not in `keep`
 * (NULL-terminated), with all that waits for them. */
int sync_consumer_prune(struct maria *db, const char *kind, const char *prefix,
			const char *const *keep, struct err *err) _must_check_;
