/*
 * Files of an index: insides of vector/. An index's folder holds
 *
 *   graph      the last checkpoint: codes, ids, edges (vector_file.c)
 *   vectors    each slot's vector as f16 or f32; mapped by readers
 *   log.N      what was put and deleted after checkpoint N (vector_log.c)
 *   lock       held by the process that has the index open
 *
 * docs/formats/vector.md says what stands in each, byte by byte. Numbers are little-endian.
 */
#pragma once

#include "vector/vector_int.h"

#include <assert.h>
#include <string.h>

#include <sys/types.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "files are written as they stand in memory, little-endian");

#define VECTORS_HEADER 4096
#define LOG_HEADER     32

/* Bytes that the log holds back before it writes and flushes them. A record that is damaged further
 * than this from the end of the log was once confirmed. */
#define LOG_UNSYNCED_MAX ((size_t)8 << 20)

struct vector_files {
	const char *dir; /* the index's */
	int lock_fd, dir_fd, vectors_fd, log_fd;
	uint64_t generation;	 /* of the checkpoint and its log */
	bool is_renamed_loosely; /* the folder was not flushed after the last checkpoint's rename */
	bool has_lost_vectors;	 /* a flush of the vectors failed: what the disk has is unknown */
	/* The log. */
	uint8_t *buffer; /* not flushed yet */
	size_t buffered;
	uint64_t log_bytes;	/* flushed, with the header; what goes beyond is not ours */
	uint32_t sequence;	/* of the last record */
	uint64_t checkpoint_at; /* size of the log that causes one */
	uint64_t dropped_bytes; /* torn off the end of the log at opening */
	uint64_t checkpoint_failures;
	char checkpoint_error[ERR_MESSAGE_MAX]; /* of the last one; "": one succeeded since */
};

uint32_t crc32c(uint32_t crc, const void *data, size_t n);

/* All or an error with `name` in it; `at` is the place in the file. */
struct write_to {
	int fd;
	const char *name;
	uint64_t at;
};
int files_write(const struct vector_files *f, struct write_to to, const void *data, size_t n,
		struct err *err) _must_check_;
int fd_read_all(int fd, void *data, size_t n, const struct vector_files *f, const char *name,
		struct err *err) _must_check_;

/* --- the folder and the vectors (vector_files.c) --------------------------------------------- */

/* As files say it: 0 f16, 1 f32. Its own inverse. */
static inline uint32_t files_precision(uint32_t precision)
{
	return 1U - precision;
}

/* Opens or makes the folder, and takes its lock. `ret_is_new`: there was no index. */
int files_open(struct vector_index *ix, bool *ret_is_new, struct err *err) _must_check_;
void files_close(struct vector_index *ix);
int files_open_vectors(struct vector_index *ix, bool is_new, struct err *err) _must_check_;
int files_map_chunk(struct vector_index *ix, uint32_t chunk, struct err *err) _must_check_;
int files_write_vector(struct vector_index *ix, uint32_t slot, const void *data, struct err *err)
    _must_check_;
/* fdatasync(), which tests can make fail. */
int files_flush(const struct vector_index *ix, int fd) _must_check_;
int files_sync_vectors(struct vector_index *ix, struct err *err) _must_check_;
int files_sync_dir(struct vector_index *ix, struct err *err) _must_check_;
int files_sync_parent(struct vector_index *ix, struct err *err) _must_check_;

/* --- the checkpoint (vector_file.c) ---------------------------------------------------------- */

#define CHECKPOINT_HEADER 4096
#define FORMAT_VERSION	  1

enum checkpoint_section {
	SECTION_CODES,	  /* a slot: code */
	SECTION_META,	  /* a slot: f32 scale, f32 squared norm */
	SECTION_RESIDUAL, /* a slot: f32 */
	SECTION_CRC,	  /* a slot: u32 CRC32C of its vector */
	SECTION_IDS,	  /* a slot: u32 */
	SECTION_EDGES,	  /* a slot: 2 * m u32 */
	SECTION_UPPER,	  /* a slot: u32 layers << 28 | block */
	SECTION_BLOCKS,	  /* a block: m u32 */
	SECTIONS
};

struct checkpoint_head {
	char magic[8]; /* "AEMVGRF1" */
	uint32_t version;
	uint32_t kind, metric, precision, dimension, m, ef_construction;
	float alpha;
	uint64_t generation;
	uint64_t random;
	uint64_t entry;
	uint64_t live;
	uint32_t slots;
	uint32_t blocks;
	struct {
		uint64_t bytes;
		uint32_t crc;
		uint32_t zero;
	} sections[SECTIONS];
	char model[VECTOR_MODEL_MAX];
	uint32_t zero;
	uint32_t crc; /* of all before */
};
static_assert(sizeof(struct checkpoint_head) == 344, "as written");

/* Reads the head: what kind of index it is. ERR_NOT_FOUND: there is none. */
int checkpoint_peek(struct vector_index *ix, struct err *err) _must_check_;
int checkpoint_load(struct vector_index *ix, struct err *err) _must_check_;
/* Writes it as generation + 1, with an empty log of its own, and swaps. */
int checkpoint_write(struct vector_index *ix, struct err *err) _must_check_;

/* --- the log (vector_log.c) ------------------------------------------------------------------ */

enum log_operation { LOG_PUT = 1, LOG_DELETE = 2 };

/* Drops what the buffer holds, and overwrites it. */
void log_empty(struct vector_files *f);
/* Appends to the buffer; `vector` NULL: deleted. Nothing happened when it fails. */
int log_append(struct vector_index *ix, uint32_t id, const float *vector, struct err *err)
    _must_check_;
int log_sync(struct vector_index *ix, struct err *err) _must_check_;
/* An empty log for that generation, durable. */
int log_create(struct vector_index *ix, uint64_t generation, int *ret_fd, struct err *err)
    _must_check_;
/* Goes on with the log of the generation: applies its records, cuts off a torn end. */
int log_replay(struct vector_index *ix, struct err *err) _must_check_;
/* Removes logs of other generations. */
void log_remove_others(struct vector_index *ix);

/* Whether an index can hold the vector: ERR_INVALID_ARGUMENT says why not. */
int index_check_values(const struct vector_index *ix, const float *vector, struct err *err)
    _must_check_;
/* What put and delete do; without `log`, what replay does: nothing is logged, and no bound is kept.
 */
int index_put(struct vector_index *ix, uint32_t id, const float *vector, bool log, struct err *err)
    _must_check_;
int index_delete(struct vector_index *ix, uint32_t id, bool log, struct err *err) _must_check_;

static inline void crash_point(const struct vector_index *ix, const char *name)
{
	if (ix->hook.at)
		ix->hook.at(ix->hook.arg, name);
}
