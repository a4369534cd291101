/*
 * The dictionary: see search_terms.h. Misspellings stand in search_terms_near.c.
 *
 * Texts lie in chunks that never move, a byte of length before each. A term's number is found in an
 * open table of hash and number, at most three quarters full, so that growing reads no text.
 *
 * Prefixes: an array of entries in byte order with the first eight bytes as a number, and behind it
 * the newest terms unsorted. A question halves its way through the sorted ones and looks at all of
 * the others, which are therefore few: when they are more than 1,024 and 1/256 of all, they are
 * sorted and merged; not before there are as many as were reserved. So an add moves some 130
 * entries at most on average, in one pass through memory, and a million terms cost about 0.3
 * seconds. A tree would spare that and cost every question a cache miss a level.
 */
#include "search/search_terms_int.h"

#include "base/map.h"

#include <stdlib.h>

#include "base/banned.h"

#define CHUNK_BITS   18 /* 256 KiB: small beside an index, large beside a term */
#define CHUNK_SIZE   ((size_t)1 << CHUNK_BITS)
#define SLOTS_MIN    ((size_t)1 << 10)
#define UNSORTED_MIN ((size_t)1024)
#define UNSORTED_OF  256

struct search_terms *search_terms_new(void)
{
	return MEM_NEW(struct search_terms);
}

struct search_terms *search_terms_free(struct search_terms *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_chunks; i++)
		mem_free(t->chunks[i]);
	mem_free(t->chunks);
	mem_free(t->places);
	mem_free(t->slots);
	mem_free(t->sorted);
	mem_free(t->deletes.heads);
	mem_free(t->deletes.blocks);
	mem_free(t);
	return NULL;
}

size_t search_terms_count(const struct search_terms *t)
{
	return t->n;
}

size_t search_terms_memory(const struct search_terms *t)
{
	const struct deletes *d = &t->deletes;

	return sizeof(*t) + t->n_chunks * CHUNK_SIZE + t->chunks_cap * sizeof(*t->chunks) +
	       t->cap * sizeof(*t->places) + t->slots_cap * sizeof(*t->slots) +
	       t->sorted_cap * sizeof(*t->sorted) + (d->heads ? sizeof(*d->heads) << d->bits : 0) +
	       d->blocks_cap * sizeof(*d->blocks);
}

/* --- texts ----------------------------------------------------------------------------------- */

struct str search_terms_text(const struct search_terms *t, uint32_t number)
{
	const char *text;

	bug_if(number >= t->n);
	text = t->chunks[t->places[number] >> CHUNK_BITS] + (t->places[number] & (CHUNK_SIZE - 1));
	return (struct str){text + 1, (unsigned char)*text};
}

/* Keeps the text and returns its place. */
static uint32_t keep_text(struct search_terms *t, struct str term)
{
	char *to;

	if (!t->n_chunks || CHUNK_SIZE - t->chunk_used < term.len + 1) {
		bug_if(t->n_chunks == (size_t)1 << (32 - CHUNK_BITS)); /* 4 GiB of words */
		mem_grow(&t->chunks, &t->chunks_cap, t->n_chunks + 1, sizeof(*t->chunks));
		t->chunks[t->n_chunks++] = mem_alloc(CHUNK_SIZE);
		t->chunk_used = 0;
	}
	to = t->chunks[t->n_chunks - 1] + t->chunk_used;
	*to = (char)term.len;
	memcpy(to + 1, term.data, term.len);
	t->chunk_used += term.len + 1;
	return (uint32_t)((t->n_chunks - 1) << CHUNK_BITS |
			  (size_t)(to - t->chunks[t->n_chunks - 1]));
}

/* --- numbers --------------------------------------------------------------------------------- */

/* The slot of the term, or the free one where it would be. */
static struct term_slot *find_slot(const struct search_terms *t, struct str term, uint32_t hash)
{
	size_t i = hash & (t->slots_cap - 1);

	while (t->slots[i].number != SEARCH_TERM_NONE &&
	       !(t->slots[i].hash == hash &&
		 str_equal(search_terms_text(t, t->slots[i].number), term)))
		i = (i + 1) & (t->slots_cap - 1);
	return &t->slots[i];
}

/* So that they are at most three quarters full with `n` terms. */
static void grow_slots(struct search_terms *t, size_t n)
{
	struct term_slot *old = t->slots;
	size_t old_cap = t->slots_cap, cap = old_cap ? old_cap : SLOTS_MIN;

	while (n * 4 > cap * 3)
		cap *= 2;
	if (cap == old_cap)
		return;
	t->slots_cap = cap;
	t->slots = mem_alloc_array(t->slots_cap, sizeof(*t->slots));
	memset(t->slots, 0xFF, t->slots_cap * sizeof(*t->slots)); /* SEARCH_TERM_NONE */
	for (size_t i = 0; i < old_cap; i++) {
		size_t k = old[i].hash & (t->slots_cap - 1);

		if (old[i].number == SEARCH_TERM_NONE)
			continue;
		while (t->slots[k].number != SEARCH_TERM_NONE)
			k = (k + 1) & (t->slots_cap - 1);
		t->slots[k] = old[i];
	}
	mem_free(old);
}

uint32_t search_terms_find(const struct search_terms *t, struct str term)
{
	return t->n ? find_slot(t, term, (uint32_t)map_hash(term))->number : SEARCH_TERM_NONE;
}

/* --- prefixes -------------------------------------------------------------------------------- */

static uint64_t key_of(struct str s)
{
	uint64_t key = 0;

	if (s.len)
		memcpy(&key, s.data, s.len < sizeof(key) ? s.len : sizeof(key));
	return __builtin_bswap64(key);
}

static struct prefix_entry entry_of(const struct search_terms *t, uint32_t number)
{
	struct str s = search_terms_text(t, number);

	return (struct prefix_entry){key_of(s), number, (uint32_t)s.len};
}

static int compare_bytes(const void *pa, const void *pb, void *arg)
{
	const struct prefix_entry *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return str_compare(search_terms_text(arg, a->number), search_terms_text(arg, b->number));
}

static void merge_unsorted(struct search_terms *t)
{
	size_t n = t->n - t->n_sorted, left = t->n_sorted, at = t->n;
	struct prefix_entry *fresh = mem_dup(t->sorted + left, n * sizeof(*fresh));

	qsort_r(fresh, n, sizeof(*fresh), compare_bytes, t);
	while (n) { /* from behind, so that nothing is overwritten */
		if (left && compare_bytes(&t->sorted[left - 1], &fresh[n - 1], t) > 0)
			t->sorted[--at] = t->sorted[--left];
		else
			t->sorted[--at] = fresh[--n];
	}
	mem_free(fresh);
	t->n_sorted = t->n;
}

/* The first sorted entry that is not before the prefix. */
static size_t lower_bound(const struct search_terms *t, struct str prefix, uint64_t key)
{
	size_t low = 0, high = t->n_sorted;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct prefix_entry *e = &t->sorted[mid];
		bool is_before = e->key != key
				     ? e->key < key
				     : str_compare(search_terms_text(t, e->number), prefix) < 0;

		if (is_before)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool begins_so(const struct search_terms *t, const struct prefix_entry *e, struct str prefix,
		      uint64_t key)
{
	unsigned known = prefix.len < 8 ? (unsigned)prefix.len : 8;

	if (e->len < prefix.len || (known && ((e->key ^ key) >> (64 - 8 * known))))
		return false;
	return prefix.len <= 8 ||
	       memcmp(search_terms_text(t, e->number).data, prefix.data, prefix.len) == 0;
}

/* The best so far, in order. */
struct best {
	const struct search_terms *t;
	uint32_t *numbers;
	size_t n, max;
	struct prefix_entry last; /* of numbers, once they are max */
};

static bool goes_before(const struct search_terms *t, const struct prefix_entry *a,
			const struct prefix_entry *b)
{
	if (a->len != b->len)
		return a->len < b->len;
	return a->key != b->key ? a->key < b->key
				: str_compare(search_terms_text(t, a->number),
					      search_terms_text(t, b->number)) < 0;
}

static void offer(struct best *best, const struct prefix_entry *e)
{
	size_t at;

	if (best->n == best->max && !goes_before(best->t, e, &best->last))
		return;
	at = best->n == best->max ? best->n - 1 : best->n++;
	for (; at > 0; at--) {
		struct prefix_entry before = entry_of(best->t, best->numbers[at - 1]);

		if (!goes_before(best->t, e, &before))
			break;
		best->numbers[at] = best->numbers[at - 1];
	}
	best->numbers[at] = e->number;
	best->last = entry_of(best->t, best->numbers[best->n - 1]);
}

size_t search_terms_prefix(const struct search_terms *t, struct str prefix, uint32_t *ret,
			   size_t max)
{
	struct best best = {.t = t, .numbers = ret, .max = max};
	uint64_t key = key_of(prefix);

	if (!max)
		return 0;
	for (size_t i = lower_bound(t, prefix, key);
	     i < t->n_sorted && begins_so(t, &t->sorted[i], prefix, key); i++)
		offer(&best, &t->sorted[i]);
	for (size_t i = t->n_sorted; i < t->n; i++) {
		if (begins_so(t, &t->sorted[i], prefix, key))
			offer(&best, &t->sorted[i]);
	}
	return best.n;
}

/* --- adding ---------------------------------------------------------------------------------- */

void search_terms_reserve(struct search_terms *t, size_t n)
{
	grow_slots(t, n);
	mem_grow(&t->places, &t->cap, n, sizeof(*t->places));
	mem_grow(&t->sorted, &t->sorted_cap, n, sizeof(*t->sorted));
	t->reserved = n;
}

uint32_t search_terms_add(struct search_terms *t, struct str term)
{
	uint32_t hash = (uint32_t)map_hash(term), number = (uint32_t)t->n;
	struct term_slot *slot;

	bug_if(!term.len || term.len > SEARCH_TERMS_BYTES_MAX);
	grow_slots(t, t->n + 1);
	slot = find_slot(t, term, hash);
	if (slot->number != SEARCH_TERM_NONE)
		return slot->number;
	bug_if(number == SEARCH_TERM_NONE);
	mem_grow(&t->places, &t->cap, t->n + 1, sizeof(*t->places));
	mem_grow(&t->sorted, &t->sorted_cap, t->n + 1, sizeof(*t->sorted));
	t->places[number] = keep_text(t, term);
	t->n++;
	t->sorted[number] = entry_of(t, number);
	*slot = (struct term_slot){hash, number};
	if (t->n >= t->reserved && t->n - t->n_sorted > UNSORTED_MIN + t->n / UNSORTED_OF)
		merge_unsorted(t);
	search_terms_enter(t, number);
	return number;
}
