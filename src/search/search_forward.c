/*
 * The forward index and the dictionary's file: see search_forward.h.
 *
 * The file is one of records (search_store.h): each has some terms, a byte of length before each,
 * and the terms' numbers are their places in the file. A file that lost some has another space, and
 * whatever was written with the former one is analysed again.
 *
 * A term that no document has any more may be somebody's name: its record is written anew with a
 * stand-in for it, which keeps the numbers of the others, and the former record is overwritten. In
 * memory the term is still known; a document that has it again gets it back into the file first.
 */
#include "search/search_forward.h"

#include "base/file.h"
#include "search/search_store.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define PIECE_BYTES ((size_t)1 << 20) /* of a record of the dictionary */
#define STAND_IN    '\x01'	      /* begins what stands for a term that is in no document */

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

struct piece { /* a record of the file */
	struct search_stored at;
	size_t first, n; /* its terms */
	char *bytes;	 /* until they are loaded */
	size_t len;
};

struct search_dictionary {
	struct search_store *store;
	struct piece *pieces;
	size_t n_pieces, cap_pieces;
	size_t n;	 /* terms */
	uint64_t *blank; /* a bit for each term that the file has a stand-in for */
	size_t cap_blank;
	bool is_dropped; /* by another version */
};

static bool is_blank(const struct search_dictionary *d, size_t term)
{
	return d->blank[term / 64] >> (term % 64) & 1;
}

static void set_blank(struct search_dictionary *d, size_t term, bool value)
{
	uint64_t bit = UINT64_C(1) << (term % 64);

	d->blank[term / 64] = value ? d->blank[term / 64] | bit : d->blank[term / 64] & ~bit;
}

static void add_piece(struct search_dictionary *d, const struct piece *p)
{
	mem_grow(&d->pieces, &d->cap_pieces, d->n_pieces + 1, sizeof(*d->pieces));
	d->pieces[d->n_pieces++] = *p;
	d->n = p->first + p->n;
	mem_grow(&d->blank, &d->cap_blank, d->n / 64 + 1, sizeof(*d->blank));
}

static void drop_pieces(struct search_dictionary *d)
{
	for (size_t i = 0; i < d->n_pieces; i++)
		mem_free(d->pieces[i].bytes);
	d->n_pieces = d->n = 0;
	d->is_dropped = false;
}

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

/* One that is there already was written anew, with as many terms. */
static int load_record(void *arg, uint32_t number, struct str key, const struct search_stored *at,
		       const struct str *content, struct err *err)
{
	struct search_dictionary *d = arg;
	struct piece p = {.at = *at, .first = d->n};

	(void)key;
	d->is_dropped |= !content;
	if (!content)
		return 0;
	if (number > d->n_pieces || !count_terms(*content, &p.n) ||
	    (number < d->n_pieces && p.n != d->pieces[number].n))
		return err_set(err, ERR_CORRUPTED, "a record of terms is damaged");
	p.bytes = mem_strndup(content->data, content->len);
	p.len = content->len;
	if (number == d->n_pieces) {
		add_piece(d, &p);
		return 0;
	}
	p.first = d->pieces[number].first;
	mem_free(d->pieces[number].bytes);
	d->pieces[number] = p;
	return 0;
}

static int open_store(struct search_dictionary *d, const char *path, uint64_t version,
		      struct err *err)
{
	struct search_store_options options = {
	    .path = path, .hash = version, .each = load_record, .arg = d};
	int r = search_store_open(&options, &d->store, err);

	if (r == 0 && !d->is_dropped)
		return 0;
	if (r < 0 && r != -ERR_CORRUPTED)
		return r;
	/* Made by another analyzer, or damaged: from the start, in a space of its own. */
	err_clear(err);
	d->store = search_store_free(d->store);
	if (unlink(path) < 0 && errno != ENOENT)
		return file_error("remove", path, err);
	drop_pieces(d);
	return search_store_open(&options, &d->store, err);
}

int search_dictionary_open(const char *path, uint64_t version, struct search_dictionary **ret,
			   struct err *err)
{
	_cleanup_(search_dictionary_freep) struct search_dictionary *d =
	    MEM_NEW(struct search_dictionary);
	int r;

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
	drop_pieces(d);
	mem_free(d->pieces);
	mem_free(d->blank);
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

static void load_piece(struct search_dictionary *d, struct piece *p, struct search_terms *ret)
{
	struct str s = {p->bytes, p->len};

	for (size_t term = p->first; s.len; term++) {
		size_t len = (unsigned char)s.data[0];

		(void)search_terms_add(ret, (struct str){s.data + 1, len});
		set_blank(d, term, s.data[1] == STAND_IN);
		s = (struct str){s.data + 1 + len, s.len - 1 - len};
	}
	mem_free(p->bytes);
	p->bytes = NULL;
}

void search_dictionary_load(struct search_dictionary *d, struct search_terms *ret)
{
	search_terms_reserve(ret, d->n);
	for (size_t i = 0; i < d->n_pieces; i++)
		load_piece(d, &d->pieces[i], ret);
}

/* No two are the same, and no text has such a term. */
static void add_term(const struct search_dictionary *d, const struct search_terms *terms, size_t n,
		     struct strbuf *b)
{
	struct str term = search_terms_text(terms, (uint32_t)n);
	char stand_in[24];

	if (n < d->n && is_blank(d, n)) {
		(void)snprintf(stand_in, sizeof(stand_in), "%c%zu", STAND_IN, n);
		term = str_from(stand_in);
	}
	strbuf_addch(b, (char)term.len);
	strbuf_add(b, term.data, term.len);
}

static int put_piece(struct search_dictionary *d, uint32_t number, const struct strbuf *b,
		     struct piece *p, struct err *err)
{
	struct str key = {(const char *)&number, sizeof(number)}, content = strbuf_slice(b);
	struct search_stored former = p->at;

	return search_store_put(d->store, number, key, &content, former.size ? &former : NULL,
				&p->at, err);
}

static int append_terms(struct search_dictionary *d, const struct search_terms *terms,
			struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(2 * PIECE_BYTES);
	size_t count = search_terms_count(terms);
	int r = 0;

	while (d->n < count && r == 0) {
		struct piece p = {.first = d->n};

		strbuf_clear(&b);
		for (; d->n + p.n < count && b.len < PIECE_BYTES; p.n++)
			add_term(d, terms, d->n + p.n, &b);
		r = put_piece(d, (uint32_t)d->n_pieces, &b, &p, err);
		if (r == 0)
			add_piece(d, &p);
	}
	return r;
}

/* With stand-ins and terms as `blank` says now. */
static int write_again(struct search_dictionary *d, const struct search_terms *terms, size_t piece,
		       struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(2 * PIECE_BYTES);
	struct piece *p = &d->pieces[piece];

	for (size_t i = 0; i < p->n; i++)
		add_term(d, terms, p->first + i, &b);
	return put_piece(d, (uint32_t)piece, &b, p, err);
}

static size_t piece_of(const struct search_dictionary *d, size_t term)
{
	size_t low = 0, high = d->n_pieces;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (d->pieces[middle].first <= term)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int search_dictionary_save(struct search_dictionary *d, const struct search_terms *terms,
			   const struct search_forward *used, struct err *err)
{
	int r = 0;

	if (!d->store)
		return 0;
	for (size_t i = 0; i < used->n && r == 0; i++) {
		uint32_t term = used->items[i].term;

		if (term >= d->n || !is_blank(d, term))
			continue;
		set_blank(d, term, false);
		r = write_again(d, terms, piece_of(d, term), err);
		if (r < 0)
			set_blank(d, term, true);
	}
	return r == 0 ? append_terms(d, terms, err) : r;
}

/* Those of a piece that are in no document; true: there were some. */
static bool blank_piece(struct search_dictionary *d, const struct piece *p,
			const struct search_lexical *lexical)
{
	bool has_changed = false;

	for (size_t term = p->first; term < p->first + p->n; term++) {
		if (is_blank(d, term) || search_lexical_documents(lexical, (uint32_t)term))
			continue;
		set_blank(d, term, true);
		has_changed = true;
	}
	return has_changed;
}

static int rewrite_file(struct search_dictionary *d, struct err *err)
{
	struct search_live *all = mem_alloc_array(d->n_pieces + 1, sizeof(*all));
	uint32_t *keys = mem_alloc_array(d->n_pieces + 1, sizeof(*keys));
	int r;

	for (uint32_t i = 0; i < d->n_pieces; i++) {
		keys[i] = i;
		all[i] = (struct search_live){.number = i,
					      .key = {(const char *)&keys[i], sizeof(keys[i])},
					      .at = d->pieces[i].at};
	}
	r = search_store_rewrite(d->store, all, d->n_pieces, err);
	for (size_t i = 0; r == 0 && i < d->n_pieces; i++)
		d->pieces[i].at = all[i].at;
	mem_free(keys);
	mem_free(all);
	return r;
}

int search_dictionary_forget(struct search_dictionary *d, const struct search_terms *terms,
			     const struct search_lexical *lexical, struct err *err)
{
	int r = 0;

	for (size_t i = 0; d->store && i < d->n_pieces && r == 0; i++) {
		if (blank_piece(d, &d->pieces[i], lexical))
			r = write_again(d, terms, i, err);
	}
	if (r == 0 && d->store)
		r = search_store_wipe(d->store, 0, err); /* nobody reads it */
	return r == 0 && d->store && search_store_is_wasteful(d->store) ? rewrite_file(d, err) : r;
}

int search_dictionary_sync(struct search_dictionary *d, struct err *err)
{
	return d->store ? search_store_sync(d->store, err) : 0;
}
