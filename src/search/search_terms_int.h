/* Insides of the dictionary, for search_terms.c and search_terms_near.c. */
#pragma once

#include "search/search_terms.h"

#define NEAR_CHARS_MIN 4 /* characters of a term that is entered for misspellings */
#define NEAR_CHARS_MAX 24

/* A term in byte order: its first eight bytes decide mostly, without a look at its text. */
struct prefix_entry {
	uint64_t key; /* big-endian, zeros behind a shorter term */
	uint32_t number;
	uint32_t len;
};

struct term_slot {
	uint32_t hash; /* low bits; the slot is made of them too */
	uint32_t number;
};

/* A cache line of entries in one bucket: number + 1, and the hash's low 8 bits. 0 is free. */
#define DELETES_IN_BLOCK 15
struct deletes_block {
	uint32_t next; /* block + 1, 0 for none */
	uint32_t entries[DELETES_IN_BLOCK];
};

struct deletes {
	uint32_t *heads; /* of 2^bits buckets: block + 1 */
	unsigned bits;
	struct deletes_block *blocks;
	size_t n_blocks, blocks_cap;
	size_t n_entries;
};

struct search_terms {
	char **chunks; /* of texts: a byte of length, the bytes */
	size_t n_chunks, chunks_cap, chunk_used;
	uint32_t *places; /* of a term's length byte: chunk and place in it */
	size_t n, cap;
	struct term_slot *slots;
	size_t slots_cap;
	struct prefix_entry *sorted; /* the first n_sorted are; those behind are as they came */
	size_t n_sorted, sorted_cap;
	size_t reserved; /* nothing is put in order before there are so many */
	struct deletes deletes;
};

/* Enters the newest term, if it is one that can be misspelled. */
void search_terms_enter(struct search_terms *t, uint32_t number);
