/*
 * The forward index and the dictionary's file: see search_forward.h.
 *
 * The file is one of records (search_store.h): each has some terms, a byte of length before each,
 * and the terms' numbers are their places in the file. A file that lost some has another space, and
 * whatever was written with the former one is analysed again.
 */
#include "search/search_forward.h"

#include "base/file.h"
#include "search/search_store.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define PIECE_BYTES ((size_t)1 << 20) /* of a record of the dictionary */

/* --- occurrences ----------------------------------------------------------------------------- */

void search_forward_done(struct search_forward *f)
{
	mem_free(f->items);
	*f = (struct search_forward){0};
}

void search_forward_add(struct search_forward *f, uint32_t term, uint8_t field, uint16_t count)
{
	mem_grow(&f->items, &f->cap, f->n + 1, sizeof(*f->items));
	f->items[f->n++] = (struct search_occurrence){.term = term, .field = field, .count = count};
}

static int by_term(const void *a, const void *b)
{
	const struct search_occurrence *x = a, *y = b;

	if (x->term != y->term)
		return x->term < y->term ? -1 : 1;
	return (int)x->field - (int)y->field;
}

static uint16_t add_counts(uint16_t a, uint16_t b)
{
	return a > UINT16_MAX - b ? UINT16_MAX : (uint16_t)(a + b);
}

void search_forward_sum(struct search_forward *f)
{
	size_t n = 0;

	if (f->n)
		qsort(f->items, f->n, sizeof(*f->items), by_term);
	for (size_t i = 0; i < f->n; i++) {
		struct search_occurrence *last = n ? &f->items[n - 1] : NULL;

		if (last && by_term(last, &f->items[i]) == 0)
			last->count = add_counts(last->count, f->items[i].count);
		else
			f->items[n++] = f->items[i];
	}
	f->n = n;
}

/* --- as bytes -------------------------------------------------------------------------------- */

static void add_number(struct strbuf *b, uint32_t x)
{
	for (; x > 0x7F; x >>= 7)
		strbuf_addch(b, (char)(x | 0x80));
	strbuf_addch(b, (char)x);
}

void search_forward_write(const struct search_forward *f, uint64_t space, struct strbuf *b)
{
	size_t start = b->len;
	uint32_t size = 0, before = 0;

	strbuf_add(b, &space, sizeof(space));
	strbuf_add(b, &size, sizeof(size));
	for (size_t i = 0; i < f->n;) {
		uint32_t term = f->items[i].term, fields = 0;
		size_t end = i;

		for (; end < f->n && f->items[end].term == term; end++)
			fields |= 1U << f->items[end].field;
		add_number(b, term - before);
		add_number(b, fields);
		for (; i < end; i++)
			add_number(b, f->items[i].count);
		before = term;
	}
	if (b->overflow)
		return;
	size = (uint32_t)(b->len - start - sizeof(space) - sizeof(size));
	memcpy(b->data + start + sizeof(space), &size, sizeof(size));
}

int search_forward_split(struct str bytes, struct str *ret_terms, uint64_t *ret_space,
			 struct str *ret_rest, struct err *err)
{
	const size_t head = sizeof(uint64_t) + sizeof(uint32_t);
	uint32_t size = 0;

	if (bytes.len >= head)
		memcpy(&size, bytes.data + sizeof(uint64_t), sizeof(size));
	if (bytes.len < head || bytes.len - head < size)
		return err_set(err, ERR_CORRUPTED, "a record is damaged");
	memcpy(ret_space, bytes.data, sizeof(*ret_space));
	*ret_terms = (struct str){bytes.data + head, size};
	*ret_rest = (struct str){bytes.data + head + size, bytes.len - head - size};
	return 0;
}

static bool take_number(struct str *s, uint32_t *ret)
{
	uint32_t x = 0;

	for (unsigned shift = 0; shift < 32; shift += 7) {
		unsigned char c;

		if (!s->len)
			return false;
		c = (unsigned char)*s->data++;
		s->len--;
		x |= (uint32_t)(c & 0x7F) << shift;
		if (!(c & 0x80)) {
			*ret = x;
			return true;
		}
	}
	return false;
}

static bool take_term(struct str *s, uint32_t term, struct search_forward *ret)
{
	uint32_t fields, count;

	if (!take_number(s, &fields) || !fields || fields >> SEARCH_FIELDS_MAX)
		return false;
	for (uint8_t f = 0; fields >> f; f++) {
		if (!(fields >> f & 1))
			continue;
		if (!take_number(s, &count) || !count || count > UINT16_MAX)
			return false;
		search_forward_add(ret, term, f, (uint16_t)count);
	}
	return true;
}

bool search_forward_read(struct str terms, size_t n_terms, struct search_forward *ret)
{
	uint64_t term = 0;

	ret->n = 0;
	while (terms.len) {
		uint32_t step;

		if (!take_number(&terms, &step) || (ret->n && !step))
			return false;
		term += step;
		if (term >= n_terms || !take_term(&terms, (uint32_t)term, ret))
			return false;
	}
	return true;
}

/* --- the dictionary's file ------------------------------------------------------------------- */

struct search_dictionary {
	struct search_store *store;
	struct strbuf terms; /* those of the file, until they are loaded */
	size_t n;
	uint32_t records;
	bool is_dropped; /* by another version */
};

/* 0: the bytes are terms. */
static bool count_terms(struct str s, size_t *ret)
{
	size_t n = 0;

	while (s.len) {
		size_t len = (unsigned char)s.data[0];

		if (!len || len >= s.len)
			return false;
		s = (struct str){s.data + 1 + len, s.len - 1 - len};
		n++;
	}
	*ret = n;
	return true;
}

static int load_record(void *arg, uint32_t number, struct str key, const struct search_stored *at,
		       const struct str *content, struct err *err)
{
	struct search_dictionary *d = arg;
	size_t n = 0;

	(void)key;
	(void)at;
	d->is_dropped |= !content;
	if (!content)
		return 0;
	if (number != d->records || !count_terms(*content, &n))
		return err_set(err, ERR_CORRUPTED, "a record of terms is damaged");
	d->records++;
	d->n += n;
	strbuf_add(&d->terms, content->data, content->len);
	return 0;
}

static int open_store(struct search_dictionary *d, const char *path, uint64_t version,
		      struct err *err)
{
	struct search_store_options options = {
	    .path = path, .hash = version, .each = load_record, .arg = d};
	int r = search_store_open(&options, &d->store, err);

	if (r == 0 && !d->is_dropped && !d->terms.overflow)
		return 0;
	if (r < 0 && r != -ERR_CORRUPTED)
		return r;
	/* Made by another analyzer, or damaged: from the start, in a space of its own. */
	err_clear(err);
	d->store = search_store_free(d->store);
	if (unlink(path) < 0 && errno != ENOENT)
		return file_error("remove", path, err);
	d->n = d->records = 0;
	d->is_dropped = false;
	strbuf_done(&d->terms);
	return search_store_open(&options, &d->store, err);
}

int search_dictionary_open(const char *path, uint64_t version, struct search_dictionary **ret,
			   struct err *err)
{
	_cleanup_(search_dictionary_freep) struct search_dictionary *d =
	    MEM_NEW(struct search_dictionary);
	int r;

	d->terms = (struct strbuf)STRBUF_INIT((size_t)4 << 30);
	r = path ? open_store(d, path, version, err) : 0;
	if (r < 0)
		return r;
	*ret = TAKE_PTR(d);
	return 0;
}

struct search_dictionary *search_dictionary_free(struct search_dictionary *d)
{
	if (!d)
		return NULL;
	search_store_free(d->store);
	strbuf_done(&d->terms);
	mem_free(d);
	return NULL;
}

bool search_dictionary_is_kept(const struct search_dictionary *d)
{
	return d->store != NULL;
}

size_t search_dictionary_count(const struct search_dictionary *d)
{
	return d->n;
}

uint64_t search_dictionary_space(const struct search_dictionary *d)
{
	return d->store ? search_store_space(d->store) : 0;
}

void search_dictionary_load(struct search_dictionary *d, struct search_terms *ret)
{
	struct str s = strbuf_slice(&d->terms);

	while (s.len) {
		size_t len = (unsigned char)s.data[0];

		(void)search_terms_add(ret, (struct str){s.data + 1, len});
		s = (struct str){s.data + 1 + len, s.len - 1 - len};
	}
	strbuf_done(&d->terms);
}

int search_dictionary_save(struct search_dictionary *d, const struct search_terms *terms,
			   struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(2 * PIECE_BYTES);
	size_t count = search_terms_count(terms), n = d->n;
	int r = 0;

	while (d->store && n < count && r == 0) {
		struct search_stored at;
		struct str key = {(const char *)&d->records, sizeof(d->records)}, content;

		strbuf_clear(&b);
		for (; n < count && b.len < PIECE_BYTES; n++) {
			struct str term = search_terms_text(terms, (uint32_t)n);

			strbuf_addch(&b, (char)term.len);
			strbuf_add(&b, term.data, term.len);
		}
		content = strbuf_slice(&b);
		r = search_store_put(d->store, d->records, key, &content, NULL, &at, err);
		if (r == 0) {
			d->records++;
			d->n = n;
		}
	}
	return r;
}

int search_dictionary_sync(struct search_dictionary *d, struct err *err)
{
	return d->store ? search_store_sync(d->store, err) : 0;
}
