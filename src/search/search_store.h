/*
 * The file of one collection's records: which number each key has, and what the index keeps of its
 * document. The indexes in memory are made from it at a start, so that no document is read from
 * MariaDB again.
 *
 * The file only grows: a changed document is written anew at its end. A key has its number for as
 * long as the file lives, also while its document is gone; so a number that somebody read a moment
 * ago never names another document, and whoever keeps numbers elsewhere (the vectors) need not be
 * told of anything. Space of what is no longer valid is overwritten by search_store_wipe(), and the
 * file is written anew when most of it is.
 *
 *	header	"AMSEARCH", u32 version 1, u32 flags, u64 `hash` of the rules, u64 space, u64
 *		offset before which documents are of other rules, u64 checksum
 *	record	u32 bytes of key and content, u32 number, u8 kind, u8 0, u16 bytes of the key,
 *		u32 checksum of these, u64 checksum of all of it but itself, key, content
 *
 * Little endian, checksums xxHash64. Flags: 1 all documents have to be read.
 *
 * Kinds: 1 a document; 2 a number without one, and without a key a number that nobody has; 0x80
 * added, after the checksums: a record that is no longer valid, whose bytes may be overwritten. A
 * record is valid when its checksum is, and its number is not above the number of records before
 * it. The first that is not ends the file: it is cut off there, and search_store_is_stale() says
 * that the documents have to be read again.
 *
 * Threads: one that writes; any number may read what was written before they were told of it.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#define SEARCH_NUMBERS_MAX 0x7FFFFFFFU

struct search_store;

struct search_stored { /* where a record is */
	uint64_t offset;
	uint32_t size; /* of the content */
};

struct search_store_options {
	const char *path; /* made when missing; its folder is there */
	/* Of the rules by which records are made. With another one the numbers stay, and all
	 * records are dropped. */
	uint64_t hash;
	/* Each record of the file in order, at opening: the last one of a key is valid. `content`
	 * is NULL for a number without a document. Bytes live for the call. Not 0: the record is
	 * damaged. */
	int (*each)(void *arg, uint32_t number, struct str key, const struct search_stored *at,
		    const struct str *content, struct err *err);
	void *arg;
};

/* ERR_CORRUPTED: it is no such file, or of another version: only removing it helps. */
int search_store_open(const struct search_store_options *options, struct search_store **ret,
		      struct err *err) _must_check_;
struct search_store *search_store_free(struct search_store *s);
DEFINE_CLEANUP(struct search_store *, search_store_free)

/* The rules that a file was made by, without opening it. ERR_CORRUPTED, ERR_NOT_FOUND. */
int search_store_peek(const char *path, uint64_t *ret_hash, struct err *err) _must_check_;

/*
 * The key of each document that has a record in a file, without opening it: also of one that was
 * replaced and is not overwritten yet. ERR_CORRUPTED, ERR_IO; not there: none.
 */
typedef int (*search_store_key_fn)(void *arg, struct str key, struct err *err);
int search_store_each_key(const char *path, search_store_key_fn fn, void *arg, struct err *err)
    _must_check_;

/* All documents have to be read: the file is new, was made by other rules, or was cut. It says so
 * at each opening until the first sync, before which the caller makes durable that they will be. */
bool search_store_is_stale(const struct search_store *s);
void search_store_set_stale(struct search_store *s);
/* Names what the numbers mean: a file that was made anew, or that lost some, has another one. */
uint64_t search_store_space(const struct search_store *s);
uint64_t search_store_bytes(const struct search_store *s);

/* Appends a record; `content` NULL: the key's number stays without a document. Numbers are given in
 * order, from 0. `old` (size 0: none) is what this replaces. Durable after search_store_sync(). */
int search_store_put(struct search_store *s, uint32_t number, struct str key,
		     const struct str *content, const struct search_stored *old,
		     struct search_stored *ret, struct err *err) _must_check_;
int search_store_sync(struct search_store *s, struct err *err) _must_check_;
/* Appends the content. ERR_IO, ERR_CORRUPTED. */
int search_store_read(const struct search_store *s, const struct search_stored *at,
		      struct strbuf *b, struct err *err) _must_check_;
/* Overwrites what was replaced at least `age_us` ago (a reader may still be told of it before),
 * some of it a call. */
int search_store_wipe(struct search_store *s, int64_t age_us, struct err *err) _must_check_;

/* Whether writing it anew pays: more than half of it is not valid. */
bool search_store_is_wasteful(const struct search_store *s);
/*
 * Writes the valid records to a new file and changes over: those of all numbers from 0 to below
 * `n`, in order, which get their new places. Nobody reads meanwhile. On an error the store is as it
 * was, and `records` is not. ERR_CORRUPTED: one of them is damaged.
 */
struct search_live {
	uint32_t number;
	struct str key;		 /* data NULL: nobody's number */
	struct search_stored at; /* size 0: a number without a document */
};
int search_store_rewrite(struct search_store *s, struct search_live *records, size_t n,
			 struct err *err) _must_check_;
/*
 * The same in two steps, of which only the second may not meet readers: copying, after which the
 * new file has the name already, and changing over to it, which takes `to`.
 */
int search_store_copy(struct search_store *s, struct search_live *records, size_t n,
		      struct search_store **ret, struct err *err) _must_check_;
void search_store_change(struct search_store *s, struct search_store *to);
