/* Pairs in pieces: see search_sorted.h. A piece that is full is cut in halves. */
#include "search/search_sorted.h"

#include "base/mem.h"

#include <stdlib.h>

#include "base/banned.h"

#define PIECE_MAX 512

void search_sorted_done(struct search_sorted *s)
{
	for (size_t i = 0; i < s->n; i++)
		mem_free(s->pieces[i].items);
	mem_free(s->pieces);
	*s = (struct search_sorted){.by_document = s->by_document};
}

static int compare(const struct search_sorted *s, struct search_pair a, struct search_pair b)
{
	int by_value = (a.value > b.value) - (a.value < b.value);
	int by_document = (a.document > b.document) - (a.document < b.document);

	if (s->by_document)
		return by_document ? by_document : by_value;
	return by_value ? by_value : by_document;
}

/* The first piece whose last pair is not below. */
static size_t find_piece(const struct search_sorted *s, struct search_pair p)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct search_piece *piece = &s->pieces[middle];

		if (compare(s, piece->items[piece->n - 1], p) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t find_item(const struct search_sorted *s, const struct search_piece *piece,
			struct search_pair p)
{
	size_t low = 0, high = piece->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(s, piece->items[middle], p) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct search_place search_sorted_seek(const struct search_sorted *s, struct search_pair p)
{
	struct search_place at = {.piece = find_piece(s, p)};

	if (at.piece < s->n)
		at.item = find_item(s, &s->pieces[at.piece], p);
	return at;
}

static void insert_piece(struct search_sorted *s, size_t at, struct search_piece piece)
{
	mem_grow(&s->pieces, &s->cap, s->n + 1, sizeof(*s->pieces));
	memmove(s->pieces + at + 1, s->pieces + at, (s->n - at) * sizeof(*s->pieces));
	s->pieces[at] = piece;
	s->n++;
}

static void reserve(struct search_piece *piece, size_t n)
{
	size_t cap = piece->cap;

	if (n <= cap)
		return;
	cap = cap ? cap * 2 : 2;
	cap = cap < n ? n : cap > PIECE_MAX ? PIECE_MAX : cap;
	piece->items = mem_realloc_array(piece->items, cap, sizeof(*piece->items));
	piece->cap = (uint16_t)cap;
}

/* What is in order fills pieces: those at the end are cut there, not in the middle. */
static void cut_piece(struct search_sorted *s, size_t at)
{
	struct search_piece next = {0}, *piece = &s->pieces[at];
	size_t keep = at + 1 == s->n ? piece->n - 1U : piece->n / 2U;

	next.n = (uint16_t)(piece->n - keep);
	reserve(&next, next.n);
	memcpy(next.items, piece->items + keep, next.n * sizeof(*next.items));
	piece->n = (uint16_t)keep;
	insert_piece(s, at + 1, next);
}

static int compare_pairs(const void *a, const void *b, void *arg)
{
	const struct search_pair *x = a, *y = b;

	return compare(arg, *x, *y);
}

void search_sorted_fill(struct search_sorted *s, struct search_pair *pairs, size_t n)
{
	size_t len = 0;

	if (n)
		qsort_r(pairs, n, sizeof(*pairs), compare_pairs, s);
	for (size_t i = 0; i < n; i++) {
		if (!len || compare(s, pairs[len - 1], pairs[i]) != 0)
			pairs[len++] = pairs[i];
	}
	for (size_t i = 0; i < len; i += PIECE_MAX) {
		struct search_piece piece = {0};

		piece.n = (uint16_t)(len - i < PIECE_MAX ? len - i : PIECE_MAX);
		reserve(&piece, piece.n);
		memcpy(piece.items, pairs + i, piece.n * sizeof(*pairs));
		insert_piece(s, s->n, piece);
	}
	s->len = len;
}

void search_sorted_put(struct search_sorted *s, struct search_pair p)
{
	size_t at = find_piece(s, p), i;
	struct search_piece *piece;

	if (!s->n)
		insert_piece(s, 0, (struct search_piece){0});
	else if (at == s->n)
		at--;
	if (s->pieces[at].n == PIECE_MAX) {
		cut_piece(s, at);
		at = find_piece(s, p);
		at -= at == s->n;
	}
	piece = &s->pieces[at];
	i = find_item(s, piece, p);
	if (i < piece->n && compare(s, piece->items[i], p) == 0)
		return;
	reserve(piece, piece->n + 1U);
	memmove(piece->items + i + 1, piece->items + i, (piece->n - i) * sizeof(*piece->items));
	piece->items[i] = p;
	piece->n++;
	s->len++;
}

void search_sorted_remove(struct search_sorted *s, struct search_pair p)
{
	struct search_place at = search_sorted_seek(s, p);
	struct search_piece *piece;

	if (at.piece == s->n)
		return;
	piece = &s->pieces[at.piece];
	if (at.item == piece->n || compare(s, piece->items[at.item], p) != 0)
		return;
	memmove(piece->items + at.item, piece->items + at.item + 1,
		(piece->n - at.item - 1) * sizeof(*piece->items));
	piece->n--;
	s->len--;
	if (piece->n)
		return;
	mem_free(piece->items);
	memmove(piece, piece + 1, (s->n - at.piece - 1) * sizeof(*piece));
	s->n--;
}

size_t search_sorted_memory(const struct search_sorted *s)
{
	size_t bytes = s->cap * sizeof(*s->pieces);

	for (size_t i = 0; i < s->n; i++)
		bytes += s->pieces[i].cap * sizeof(*s->pieces[i].items);
	return bytes;
}
