/*
 * Misspelled words: see search_terms.h.
 *
 * A term of letters is entered under the hash of its first seven characters, and of what is left of
 * them when any one or two are taken out: 29 entries, fewer for short terms. A word probes with the
 * same of itself. Two words within d edits share such a rest: every edit takes at most one
 * character out of each of them, and where the first seven characters end at different places of
 * the alignment, what one of them has more is taken out of its end, which never needs more than d.
 * A term below seven characters needs one deletion only: words that may differ by two have eight
 * characters or more, and none of their rests is shorter than five.
 *
 * Entries lie in buckets of 64-byte blocks, 4 bytes each: number and 8 bits of the hash, which
 * spare most looks at texts of others in the bucket. Buckets are doubled at 16 entries a bucket on
 * average, by entering everything again: that needs no room for hashes, and costs each term twice
 * on the whole. 200 to 300 bytes a term.
 *
 * Terms beyond 16,777,214 are not entered (24 bits), and a lookup ends after 65,536 entries, newest
 * first: a catalogue where thousands of terms begin with the same seven characters is answered in
 * part, not slowly.
 *
 * Sources: W. Garbe's symmetric delete and its prefix (SymSpell); optimal string alignment as in
 * L. Boytsov, "Indexing methods for approximate dictionary searching" (2011).
 */
#include "search/search_terms_int.h"

#include <utf8proc.h>

#include "base/banned.h"

#define PREFIX_CHARS	 7  /* six make buckets of common rests five times as long */
#define KEYS_MAX	 29 /* 1 + 7 + 21 */
#define ENTRIES_A_BUCKET 16
#define BITS_MIN	 8
#define NUMBERS_MAX	 ((1u << 24) - 1)
#define LOOKED_AT_MAX	 65536
#define HASH_FACTOR	 0x9E3779B97F4A7C15ull /* 2^64 / golden ratio */
#define FAR		 100		       /* more than any distance that is asked for */

struct letters {
	uint32_t n;
	int32_t c[NEAR_CHARS_MAX];
};

/* False for what is no word that can be misspelled: other than letters, too short, too long. */
static bool read_letters(struct str s, struct letters *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < s.len;) {
		utf8proc_int32_t c = (unsigned char)s.data[i];
		utf8proc_ssize_t n = 1;

		if (ret->n == NEAR_CHARS_MAX || (c < 0x80 && (c < 'a' || c > 'z')))
			return false;
		if (c >= 0x80)
			n = utf8proc_iterate((const utf8proc_uint8_t *)s.data + i,
					     (utf8proc_ssize_t)(s.len - i), &c);
		if (n <= 0)
			return false;
		ret->c[ret->n++] = c;
		i += (size_t)n;
	}
	return ret->n >= NEAR_CHARS_MIN;
}

unsigned search_terms_tolerance(size_t characters)
{
	return characters < NEAR_CHARS_MIN ? 0 : characters < 8 ? 1 : 2;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Of the first n characters without those at two places; n is no place. */
static uint64_t hash_rest(const struct letters *w, unsigned n, unsigned without,
			  unsigned and_without)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < n; i++) {
		if (i != without && i != and_without)
			h = (h ^ (uint32_t)w->c[i]) * HASH_FACTOR;
	}
	h ^= h >> 32;
	return h * HASH_FACTOR;
}

/* Taking out either of two equal neighbours leaves the same: only the first one is. */
static bool is_repeated(const struct letters *w, unsigned i)
{
	return i > 0 && w->c[i] == w->c[i - 1];
}

static size_t make_keys(const struct letters *w, unsigned deletions, uint64_t *keys)
{
	unsigned n = w->n < PREFIX_CHARS ? w->n : PREFIX_CHARS;
	size_t k = 0;

	keys[k++] = hash_rest(w, n, n, n);
	for (unsigned i = 0; i < n; i++) {
		if (is_repeated(w, i))
			continue;
		keys[k++] = hash_rest(w, n, i, n);
		for (unsigned j = i + 1; j < n && deletions > 1; j++) {
			if (j == i + 1 || !is_repeated(w, j))
				keys[k++] = hash_rest(w, n, i, j);
		}
	}
	return k;
}

/* --- entering -------------------------------------------------------------------------------- */

static size_t bucket_of(const struct deletes *d, uint64_t key)
{
	return (size_t)(key >> (64 - d->bits));
}

static uint32_t new_block(struct deletes *d, uint32_t next)
{
	if (d->n_blocks == d->blocks_cap) { /* by half: unlike mem_grow(), it touches no new page */
		d->blocks_cap += d->blocks_cap / 2 + 64;
		d->blocks = mem_realloc_array(d->blocks, d->blocks_cap, sizeof(*d->blocks));
	}
	d->blocks[d->n_blocks] = (struct deletes_block){.next = next};
	return (uint32_t)++d->n_blocks;
}

static void enter_key(struct deletes *d, uint64_t key, uint32_t number)
{
	uint32_t *head = &d->heads[bucket_of(d, key)];
	struct deletes_block *b;
	size_t i = 0;

	if (!*head || d->blocks[*head - 1].entries[DELETES_IN_BLOCK - 1])
		*head = new_block(d, *head);
	b = &d->blocks[*head - 1];
	while (b->entries[i])
		i++;
	b->entries[i] = (number + 1) << 8 | (key & 0xFF);
}

static void enter_term(struct search_terms *t, uint32_t number)
{
	struct deletes *d = &t->deletes;
	struct letters w;
	uint64_t keys[KEYS_MAX];
	size_t n;

	if (!read_letters(search_terms_text(t, number), &w))
		return;
	n = make_keys(&w, w.n < PREFIX_CHARS ? 1 : 2, keys);
	for (size_t i = 0; i < n; i++) /* their memory is waited for once, not n times */
		__builtin_prefetch(&d->heads[bucket_of(d, keys[i])]);
	for (size_t i = 0; i < n; i++) {
		uint32_t head = d->heads[bucket_of(d, keys[i])];

		if (head)
			__builtin_prefetch(&d->blocks[head - 1], 1);
	}
	for (size_t i = 0; i < n; i++)
		enter_key(d, keys[i], number);
	d->n_entries += n;
}

static void double_buckets(struct search_terms *t, uint32_t numbers)
{
	struct deletes *d = &t->deletes;

	d->bits = d->heads ? d->bits + 1 : BITS_MIN;
	mem_free(d->heads);
	d->heads = mem_alloc_array((size_t)1 << d->bits, sizeof(*d->heads));
	d->n_blocks = 0;
	d->n_entries = 0;
	for (uint32_t i = 0; i < numbers; i++)
		enter_term(t, i);
}

void search_terms_enter(struct search_terms *t, uint32_t number)
{
	struct deletes *d = &t->deletes;

	if (number >= NUMBERS_MAX)
		return;
	if (!d->heads || d->n_entries + KEYS_MAX > (size_t)ENTRIES_A_BUCKET << d->bits)
		double_buckets(t, number);
	enter_term(t, number);
}

/* --- distance -------------------------------------------------------------------------------- */

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* One row of the table of optimal string alignment, only where it can be within `max`. Returns its
 * least. */
static unsigned fill_row(const int32_t *a, const int32_t *b, unsigned nb, unsigned i, unsigned max,
			 uint8_t rows[3][NEAR_CHARS_MAX + 1])
{
	uint8_t *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
	unsigned low = i > max ? i - max : 1, high = min2(nb, i + max), least;

	memset(now, FAR, NEAR_CHARS_MAX + 1);
	now[0] = (uint8_t)i;
	least = low == 1 ? i : FAR;
	for (unsigned j = low; j <= high; j++) {
		unsigned d = min2(min2(up[j], now[j - 1]) + 1u,
				  up[j - 1] + (unsigned)(a[i - 1] != b[j - 1]));

		if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
			d = min2(d, up2[j - 2] + 1u);
		now[j] = (uint8_t)d;
		least = min2(least, d);
	}
	return least;
}

/* Above `max`: at least max + 1. */
static unsigned distance_of(const struct letters *wa, const struct letters *wb, unsigned max)
{
	const int32_t *a = wa->c, *b = wb->c;
	unsigned na = wa->n, nb = wb->n;
	uint8_t rows[3][NEAR_CHARS_MAX + 1];

	if ((na > nb ? na - nb : nb - na) > max)
		return FAR;
	while (na && nb && *a == *b)
		a++, b++, na--, nb--;
	while (na && nb && a[na - 1] == b[nb - 1])
		na--, nb--;
	memset(rows, FAR, sizeof(rows));
	for (unsigned j = 0; j <= nb; j++)
		rows[0][j] = (uint8_t)j;
	for (unsigned i = 1; i <= na; i++) {
		/* A swap reaches over a row, but a replacement there costs no more than it. */
		if (fill_row(a, b, nb, i, max, rows) > max)
			return FAR;
	}
	return rows[na % 3][nb];
}

/* --- looking up ------------------------------------------------------------------------------ */

#define SEEN 512 /* candidates that are not looked at twice, mostly; a power of two */

struct lookup {
	const struct search_terms *t;
	const struct letters *word;
	unsigned distance;
	struct search_near *near;
	size_t n, max;
	size_t looked_at;
	uint32_t seen[SEEN]; /* number + 1, at its last bits */
};

static bool is_nearer(const struct search_near *a, const struct search_near *b)
{
	return a->distance != b->distance ? a->distance < b->distance : a->term < b->term;
}

static void keep_near(struct lookup *l, struct search_near found)
{
	size_t at = l->n;

	for (size_t i = 0; i < l->n; i++) {
		if (l->near[i].term == found.term)
			return;
	}
	if (l->n == l->max && !is_nearer(&found, &l->near[l->n - 1]))
		return;
	if (l->n == l->max)
		at--;
	else
		l->n++;
	for (; at > 0 && is_nearer(&found, &l->near[at - 1]); at--)
		l->near[at] = l->near[at - 1];
	l->near[at] = found;
}

static void look_at(struct lookup *l, uint32_t number)
{
	uint32_t *seen = &l->seen[number & (SEEN - 1)];
	struct letters term;
	unsigned d;

	if (*seen == number + 1)
		return;
	*seen = number + 1;
	if (!read_letters(search_terms_text(l->t, number), &term))
		return;
	d = distance_of(l->word, &term, l->distance);
	if (d > 0 && d <= l->distance)
		keep_near(l, (struct search_near){number, (uint8_t)d});
}

static void look_up_key(struct lookup *l, uint64_t key)
{
	const struct deletes *d = &l->t->deletes;
	const struct deletes_block *b;

	for (uint32_t at = d->heads[bucket_of(d, key)]; at; at = b->next) {
		b = &d->blocks[at - 1];
		for (size_t i = 0; i < DELETES_IN_BLOCK && b->entries[i]; i++) {
			if (l->looked_at++ == LOOKED_AT_MAX)
				return;
			if ((b->entries[i] & 0xFF) == (key & 0xFF))
				look_at(l, (b->entries[i] >> 8) - 1);
		}
	}
}

size_t search_terms_near(const struct search_terms *t, struct str word, unsigned distance,
			 struct search_near *ret, size_t max)
{
	struct letters w;
	struct lookup l = {.t = t, .word = &w, .near = ret, .max = max};
	uint64_t keys[KEYS_MAX];
	size_t n;

	if (!max || !t->deletes.heads || !read_letters(word, &w))
		return 0;
	l.distance = min2(distance, search_terms_tolerance(w.n));
	if (!l.distance)
		return 0;
	n = make_keys(&w, l.distance, keys);
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch(&t->deletes.heads[bucket_of(&t->deletes, keys[i])]);
	for (size_t i = 0; i < n && l.looked_at <= LOOKED_AT_MAX; i++)
		look_up_key(&l, keys[i]);
	return l.n;
}
