/*
 * The matcher: see erase_match.h.
 *
 * A set of needles has a filter of 65,536 bits over the first three bytes of each, and chains of
 * those that share a bucket. Telephone numbers are a set of their own, which is looked for in the
 * digits of a value: those that are not further apart than GAP_MAX signs.
 */
#include "govern/erase_match_int.h"

#include "base/mem.h"

#include "base/banned.h"

#define FIRST	    3 /* bytes of the filter: no needle is shorter */
#define FILTER_BITS (1U << 16)
#define BUCKETS	    4096U
#define UNDO_MAX    3  /* escapes within escapes: SQL in JSON in a log */
#define GAP_MAX	    3  /* signs between two digits of one number: "+1 (555) 010 / 12" */
#define BYTES_MIN   5  /* in bytes that are no text: shorter ones are there by chance */
#define LOOSE_MIN   8  /* in such bytes, of what needs no edges */
#define CUT_MIN	    5  /* bytes of a text whose rest was cut off */
#define ESCAPED_MAX 16 /* bytes that one byte may be written with */

struct needle {
	struct str text;
	enum erase_kind kind;
	unsigned flags;
	uint32_t next; /* of its bucket, from 1; 0: the last */
};

struct needles {
	size_t n, cap;
	struct needle *items;
	uint32_t filter[FILTER_BITS / 32];
	uint32_t buckets[BUCKETS];
};

struct part { /* of a name, where it may stand alone */
	struct str text;
	uint32_t name, bit;
};

struct erase_match {
	struct arena arena;
	struct needles texts, phones;
	size_t n_parts, cap_parts, n_names, cap_seen, longest;
	struct part *parts;
	const struct part *taken; /* that the value was, as it is or with its escapes undone */
	uint32_t *seen;		  /* of each name, which parts the unit has; NULL without names */
	uint32_t *all;
	size_t cap_all;
	enum erase_unit unit;
	enum erase_kind found;
	bool is_bytes;		/* the value is no text */
	bool is_first, is_last; /* nothing was cut off before, behind it */
	struct erase_buffer folded, digits, undone[2];
	uint32_t *at; /* of each digit, where in `folded`; beside digits.data */
	size_t cap_at;
};

static const char *const kinds[ERASE_KINDS] = {
    [ERASE_EMAIL] = "email", [ERASE_PHONE] = "phone",	  [ERASE_NAME] = "name",
    [ERASE_KEY] = "key",     [ERASE_ADDRESS] = "address", [ERASE_WRITTEN] = "free_text",
    [ERASE_OTHER] = "other",
};

const char *erase_kind_name(enum erase_kind kind)
{
	return kinds[kind];
}

enum erase_kind erase_kind_find(const char *name)
{
	for (size_t i = 0; i < ERASE_KINDS; i++)
		if (cstr_equal(kinds[i], name))
			return (enum erase_kind)i;
	return ERASE_NONE;
}

struct erase_match *erase_match_new(void)
{
	return MEM_NEW(struct erase_match);
}

struct erase_match *erase_match_free(struct erase_match *m)
{
	if (!m)
		return NULL;
	mem_free(m->texts.items);
	mem_free(m->phones.items);
	mem_free(m->parts);
	mem_free(m->seen);
	mem_free(m->all);
	mem_free(m->at);
	erase_buffer_done(&m->folded);
	erase_buffer_done(&m->digits);
	erase_buffer_done(&m->undone[0]);
	erase_buffer_done(&m->undone[1]);
	arena_done(&m->arena);
	mem_free(m);
	return NULL;
}

/* --- needles --------------------------------------------------------------------------------- */

static uint32_t hash_of(const char *p)
{
	uint32_t first = (unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8 |
			 (uint32_t)(unsigned char)p[2] << 16;

	return first * 0x9E3779B1U >> 16;
}

static bool add_needle(struct needles *set, const struct needle *n)
{
	uint32_t hash, *bucket;

	if (n->text.len < FIRST)
		return false;
	mem_grow(&set->items, &set->cap, set->n + 1, sizeof(*set->items));
	set->items[set->n] = *n;
	hash = hash_of(n->text.data);
	bucket = &set->buckets[hash % BUCKETS];
	set->items[set->n].next = *bucket;
	*bucket = (uint32_t)++set->n;
	set->filter[hash / 32] |= 1U << hash % 32;
	return true;
}

static struct str keep(struct erase_match *m, const struct strbuf *b)
{
	struct str text = arena_str(&m->arena, str_trim(strbuf_slice(b)));

	if (text.len > m->longest)
		m->longest = text.len;
	return text;
}

static struct str folded(struct erase_match *m, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	erase_fold(&b, text);
	return keep(m, &b);
}

/* The parts from `first` on, and around, with a sign between. */
static bool add_order(struct erase_match *m, const struct str *parts, size_t n, size_t first,
		      unsigned flags)
{
	static const char *const between[] = {" ", ", ",    ",",   "_",	     ".",    "-",
					      ";", "\",\"", "','", "\", \"", "', '", "\x1f"};
	bool is_added = false;

	for (size_t i = 0; i < ARRAY_LEN(between); i++) {
		_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

		for (size_t j = 0; j < n; j++) {
			/* A comma only before what was put behind. */
			const char *sign = j + first == n || first == 0 || i > 2 ? between[i] : " ";

			strbuf_addstr(&b, j ? sign : "");
			strbuf_add(&b, parts[(first + j) % n].data, parts[(first + j) % n].len);
		}
		is_added |=
		    add_needle(&m->texts, &(struct needle){.text = folded(m, strbuf_slice(&b)),
							   .kind = ERASE_NAME,
							   .flags = flags});
	}
	return is_added;
}

static size_t split(struct str text, struct str parts[ERASE_PARTS_MAX])
{
	size_t n = 0;

	while (text.len && n < ERASE_PARTS_MAX) {
		const char *end =
		    n + 1 < ERASE_PARTS_MAX ? memchr(text.data, ERASE_PART, text.len) : NULL;
		size_t len = end ? (size_t)(end - text.data) : text.len;
		struct str part = str_trim((struct str){text.data, len});

		if (part.len)
			parts[n++] = part;
		len += end != NULL;
		text = (struct str){text.data + len, text.len - len};
	}
	return n;
}

static bool add_name(struct erase_match *m, struct str text, unsigned flags)
{
	struct str parts[ERASE_PARTS_MAX];
	size_t n = split(text, parts);
	bool is_added;

	if (n < 2)
		return n && add_needle(&m->texts, &(struct needle){.text = folded(m, parts[0]),
								   .kind = ERASE_NAME,
								   .flags = flags});
	is_added = add_order(m, parts, n, 0, flags);
	is_added |= add_order(m, parts, n, n - 1, flags);
	mem_grow(&m->parts, &m->cap_parts, m->n_parts + n, sizeof(*m->parts));
	for (size_t i = 0; i < n; i++)
		m->parts[m->n_parts++] = (struct part){
		    .text = folded(m, parts[i]), .name = (uint32_t)m->n_names, .bit = 1U << i};
	mem_grow(&m->seen, &m->cap_seen, m->n_names + 1, sizeof(*m->seen));
	mem_grow(&m->all, &m->cap_all, m->n_names + 1, sizeof(*m->all));
	m->all[m->n_names++] = (1U << n) - 1;
	return is_added;
}

/* With its country's number, after "+" or "00", it is found after either. False: it is too short.
 */
static bool add_phone(struct erase_match *m, struct needle *n, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	bool is_international = memchr(text.data, '+', text.len) != NULL;
	struct needle other = *n;

	erase_digits(&b, text);
	n->text = keep(m, &b);
	if (n->text.len < ERASE_DIGITS_MIN)
		return false;
	if (is_international) {
		strbuf_clear(&b);
		strbuf_addf(&b, "00%.*s", STR_ARGS(n->text));
		other.text = keep(m, &b);
		(void)add_needle(&m->phones, &other);
	} else if (n->text.len >= ERASE_DIGITS_MIN + 2 && memcmp(n->text.data, "00", 2) == 0) {
		other.text = (struct str){n->text.data + 2, n->text.len - 2};
		(void)add_needle(&m->phones, &other);
	}
	return add_needle(&m->phones, n);
}

bool erase_match_add(struct erase_match *m, enum erase_kind kind, struct str text, unsigned flags)
{
	struct needle n = {.kind = kind, .flags = flags};

	if (kind == ERASE_NAME)
		return add_name(m, text, flags);
	if (kind == ERASE_PHONE && add_phone(m, &n, text))
		return true;
	n.text = folded(m, text);
	return add_needle(&m->texts, &n);
}

/* --- looking --------------------------------------------------------------------------------- */

/* Bytes that are no text have lengths and other values beside a text, not edges. */
static bool needs_edge(const struct erase_match *m, const struct needle *n, unsigned side)
{
	if (n->flags & ERASE_ANYWHERE || (side == ERASE_RIGHT && n->flags & ERASE_CUT))
		return false;
	return !m->is_bytes || n->text.len < LOOSE_MIN || n->flags & side;
}

static bool has_edges(const struct erase_match *m, const struct needle *n, struct str in,
		      size_t from, size_t to)
{
	if (needs_edge(m, n, ERASE_LEFT) && (from || !m->is_first) && erase_word_begins(in, from) &&
	    (from == 0 || erase_word_ends(in, from)))
		return false;
	if (!needs_edge(m, n, ERASE_RIGHT) || (to == in.len && m->is_last))
		return true;
	return !(erase_word_ends(in, to) && (to == in.len || erase_word_begins(in, to)));
}

static bool holds_text(const struct erase_match *m, const struct needle *n, struct str in,
		       size_t at)
{
	return n->text.len <= in.len - at && (!m->is_bytes || n->text.len >= BYTES_MIN) &&
	       memcmp(in.data + at, n->text.data, n->text.len) == 0 &&
	       has_edges(m, n, in, at, at + n->text.len);
}

/* As in the text that it is of, where the digits stand between other signs. */
static bool holds_phone(const struct erase_match *m, const struct needle *n, struct str digits,
			size_t at)
{
	struct str in = {m->folded.data, m->folded.len};

	return n->text.len <= digits.len - at && (!m->is_bytes || n->text.len >= LOOSE_MIN) &&
	       memcmp(digits.data + at, n->text.data, n->text.len) == 0 &&
	       has_edges(m, n, in, m->at[at], m->at[at + n->text.len - 1] + 1);
}

typedef bool (*holds_fn)(const struct erase_match *m, const struct needle *n, struct str in,
			 size_t at);

static enum erase_kind look_for(const struct erase_match *m, const struct needles *set,
				struct str in, holds_fn holds)
{
	if (!set->n || in.len < FIRST)
		return ERASE_NONE;
	for (size_t at = 0; at <= in.len - FIRST; at++) {
		uint32_t hash = hash_of(in.data + at), i;

		if (!(set->filter[hash / 32] >> hash % 32 & 1U))
			continue;
		for (i = set->buckets[hash % BUCKETS]; i; i = set->items[i - 1].next)
			if (holds(m, &set->items[i - 1], in, at))
				return set->items[i - 1].kind;
	}
	return ERASE_NONE;
}

/* Signs between the digits of one number. */
static const bool is_between[256] = {
    [' '] = true, ['-'] = true, ['.'] = true, ['('] = true,
    [')'] = true, ['/'] = true, ['+'] = true,
};

/* The digits of the value: those of one number together, a blank before it; no short ones. */
static void collect_digits(struct erase_match *m)
{
	const struct erase_buffer *in = &m->folded;
	size_t gap = GAP_MAX + 1, begin = 0, n = 0;

	erase_buffer_room(&m->digits, 2 * in->len);
	mem_grow(&m->at, &m->cap_at, 2 * in->len + 1, sizeof(*m->at));
	for (size_t i = 0; i < in->len; i++) {
		char c = in->data[i];

		if (c < '0' || c > '9') {
			gap = is_between[(unsigned char)c] ? gap + 1 : GAP_MAX + 1;
			continue;
		}
		if (gap > GAP_MAX) {
			n = n - begin > ERASE_DIGITS_MIN ? n : begin;
			begin = n;
			m->digits.data[n++] = ' ';
		}
		m->at[n] = (uint32_t)i;
		m->digits.data[n++] = c;
		gap = 0;
	}
	m->digits.len = n - begin > ERASE_DIGITS_MIN ? n : begin;
}

/* --- names whose parts stand apart ----------------------------------------------------------- */

static bool holds_part(const struct erase_match *m, const struct part *p, struct str in)
{
	const struct needle as = {.text = p->text, .kind = ERASE_NAME};
	struct str rest = str_trim(in);
	const char *at;

	if (m->unit == ERASE_VALUES)
		return str_equal(rest, p->text);
	for (rest = in; (at = memmem(rest.data, rest.len, p->text.data, p->text.len));) {
		size_t from = (size_t)(at - in.data);

		if (has_edges(m, &as, in, from, from + p->text.len))
			return true;
		rest = (struct str){at + 1, in.len - from - 1};
	}
	return false;
}

static enum erase_kind look_for_parts(struct erase_match *m, struct str in)
{
	for (size_t i = 0; i < m->n_parts && m->unit != ERASE_BYTES; i++) {
		const struct part *p = &m->parts[i];
		/* Of "Ali Ali" one Ali is one part. */
		bool is_taken =
		    m->taken && m->taken->name == p->name && str_equal(m->taken->text, p->text);

		if (is_taken || m->seen[p->name] & p->bit || !p->text.len || !holds_part(m, p, in))
			continue;
		m->taken = p;
		m->seen[p->name] |= p->bit;
		if (m->seen[p->name] == m->all[p->name])
			return ERASE_NAME;
	}
	return ERASE_NONE;
}

/* --- values ---------------------------------------------------------------------------------- */

/* Whether it may have escapes goes to `ret_escaped`. */
static enum erase_kind look_at(struct erase_match *m, struct str value, bool *ret_escaped)
{
	struct str in;
	enum erase_kind found;

	m->folded.len = 0;
	*ret_escaped = erase_buffer_fold(&m->folded, value, m->is_bytes);
	in = (struct str){m->folded.data, m->folded.len};
	if (!in.len) /* signs that are not seen fold to nothing */
		return ERASE_NONE;
	found = look_for(m, &m->texts, in, holds_text);
	if (found == ERASE_NONE)
		found = look_for_parts(m, in);
	if (found != ERASE_NONE || !m->phones.n)
		return found;
	collect_digits(m);
	return look_for(m, &m->phones, (struct str){m->digits.data, m->digits.len}, holds_phone);
}

static enum erase_kind look(struct erase_match *m, struct str value)
{
	bool is_escaped = false;
	enum erase_kind found;

	m->taken = NULL;
	found = look_at(m, value, &is_escaped);
	for (int i = 0; i < UNDO_MAX && is_escaped && found == ERASE_NONE; i++) {
		struct erase_buffer *to = &m->undone[i & 1];

		to->len = 0;
		if (!erase_buffer_undo(to, value))
			break;
		value = (struct str){to->data, to->len};
		found = look_at(m, value, &is_escaped);
	}
	m->found = found == ERASE_NONE ? m->found : found;
	return m->found;
}

void erase_match_begin(struct erase_match *m, enum erase_unit unit)
{
	m->unit = unit;
	m->found = ERASE_NONE;
	m->is_first = m->is_last = true;
	if (m->n_names)
		memset(m->seen, 0, m->n_names * sizeof(*m->seen));
}

enum erase_kind erase_match_look(struct erase_match *m, struct str value)
{
	if (m->found != ERASE_NONE || !value.len)
		return m->found;
	m->is_bytes = memchr(value.data, '\0', value.len) != NULL;
	return look(m, value);
}

/* Without the character that was cut in two, or an escape of nothing. */
static struct str whole_characters(struct str value)
{
	size_t len = value.len;

	while (len && value.len - len < 3 && ((unsigned char)value.data[len - 1] & 0xC0) == 0x80)
		len--;
	if (len && (unsigned char)value.data[len - 1] >= 0xC0)
		value.len = len - 1;
	while (value.len && value.data[value.len - 1] == '\\')
		value.len--;
	return value;
}

static bool ends_with_start(const struct needles *set, struct str in)
{
	for (size_t i = 0; i < set->n; i++) {
		struct str text = set->items[i].text;
		size_t len = text.len <= in.len ? text.len - 1 : in.len;

		for (; len >= CUT_MIN; len--) {
			size_t from = in.len - len;

			if (memcmp(in.data + from, text.data, len) == 0 &&
			    !(from && erase_word_begins(in, from) && erase_word_ends(in, from)))
				return true;
		}
	}
	return false;
}

bool erase_match_is_cut(struct erase_match *m, struct str value)
{
	bool is_escaped = true, is_cut = false;

	value = whole_characters(value);
	m->is_bytes = false;
	for (int i = 0; i <= UNDO_MAX && is_escaped && !is_cut; i++) {
		struct erase_buffer *to = &m->undone[i & 1];

		m->folded.len = 0;
		is_escaped = erase_buffer_fold(&m->folded, value, false);
		is_cut = ends_with_start(&m->texts, (struct str){m->folded.data, m->folded.len});
		if (!is_cut && m->phones.n) {
			collect_digits(m);
			is_cut = ends_with_start(&m->phones,
						 (struct str){m->digits.data, m->digits.len});
		}
		to->len = 0;
		if (!is_escaped || !erase_buffer_undo(to, value))
			break;
		value = (struct str){to->data, to->len};
	}
	return is_cut;
}

enum erase_kind erase_match_piece(struct erase_match *m, const struct erase_piece *piece)
{
	m->is_first = piece->is_first;
	m->is_last = piece->is_last;
	return erase_match_look(m, piece->bytes);
}

size_t erase_match_overlap(const struct erase_match *m)
{
	return (m->longest + 1) * ESCAPED_MAX;
}
