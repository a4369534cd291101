/*
 * Records: see search_record.h. As bytes, little endian:
 *
 *	text	title
 *	u8	number of fields, then a text each
 *	u8	number of what is shown, then a text each
 *	u16	number of values, then of each
 *		u16	attribute
 *		u8	1: a number, 0: a text
 *		text	member
 *		f64 or text
 *
 * where a text is a u32 length and its bytes. Bytes come from a file: everything is checked.
 */
#include "search/search_record.h"

#include "search/search_text.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

/* --- making ---------------------------------------------------------------------------------- */

struct making {
	const struct search_collection *rules;
	struct arena *arena;
	struct search_record *record;
	uint16_t attribute;
	struct str member;
	struct strbuf raw, clean;
};

static struct str keep(struct making *m, const struct strbuf *b)
{
	return arena_str(m->arena, strbuf_slice(b));
}

static void add_datum(struct making *m, struct search_datum d)
{
	if (m->record->n_data == SEARCH_DATA_MAX)
		return;
	d.attribute = m->attribute;
	d.member = m->member;
	m->record->data[m->record->n_data++] = d;
}

static void add_number(struct making *m, double number)
{
	if (isfinite(number))
		add_datum(m, (struct search_datum){.is_number = true, .number = number});
}

/* A value that stands there already is one. */
static void add_text(struct making *m, struct str text)
{
	strbuf_clear(&m->clean);
	search_text_clean(text, 0, &m->clean);
	text = strbuf_slice(&m->clean);
	if (!text.len || m->record->n_data == SEARCH_DATA_MAX)
		return;
	for (size_t i = m->record->n_data; i > 0; i--) {
		const struct search_datum *d = &m->record->data[i - 1];

		if (d->attribute != m->attribute || !str_equal(d->member, m->member))
			break;
		if (!d->is_number && str_equal(d->text, text))
			return;
	}
	add_datum(m, (struct search_datum){.text = keep(m, &m->clean)});
}

static void add_texts(struct making *m, struct str text, const char *split)
{
	while (split) {
		size_t n = 0;

		while (n < text.len && !strchr(split, text.data[n]))
			n++;
		add_text(m, (struct str){text.data, n});
		if (n == text.len)
			return;
		text = (struct str){text.data + n + 1, text.len - n - 1};
	}
	add_text(m, text);
}

static void add_bool(struct making *m, bool is_true)
{
	add_text(m, str_from(is_true ? "true" : "false"));
}

static bool is_numeric(const bson_iter_t *v)
{
	return BSON_ITER_HOLDS_NUMBER(v) || BSON_ITER_HOLDS_DECIMAL128(v);
}

/* Numbers that stand in texts count too: "processor_cores": "4". */
static bool number_of(struct making *m, double *ret)
{
	return parse_double(str_trim(strbuf_slice(&m->raw)), ret, NULL) == 0;
}

static bool add_value(void *arg, const bson_iter_t *v)
{
	struct making *m = arg;
	const struct search_attribute *a = &m->rules->attributes[m->attribute];
	double number = 0;
	bool b;

	strbuf_clear(&m->raw);
	search_text_scalar(v, &m->raw);
	switch (a->type) {
	case SEARCH_NUMBER:
		if (number_of(m, &number) && number >= a->valid_min && number <= a->valid_max)
			add_number(m, number);
		break;
	case SEARCH_DATE:
		if (BSON_ITER_HOLDS_DATE_TIME(v))
			add_number(m, (double)bson_iter_date_time(v) * 1000);
		break;
	case SEARCH_BOOLEAN:
		if (a->is_above && number_of(m, &number))
			add_bool(m, number > a->above);
		else if (!a->is_above && parse_bool(strbuf_slice(&m->raw), &b, NULL) == 0)
			add_bool(m, b);
		break;
	case SEARCH_TEXT:
		add_texts(m, strbuf_slice(&m->raw), a->split);
		break;
	}
	return true;
}

/* A member says by itself what type it is. */
static bool add_member_value(void *arg, const bson_iter_t *v)
{
	struct making *m = arg;
	double number = 0;

	strbuf_clear(&m->raw);
	search_text_scalar(v, &m->raw);
	if (is_numeric(v) && number_of(m, &number))
		add_number(m, number);
	else if (m->raw.len)
		add_texts(m, strbuf_slice(&m->raw), m->rules->attributes[m->attribute].split);
	return true;
}

static bool add_members(void *arg, const bson_iter_t *v)
{
	struct making *m = arg;
	bson_iter_t child;

	if (!BSON_ITER_HOLDS_DOCUMENT(v) || !bson_iter_recurse(v, &child))
		return true;
	while (bson_iter_next(&child)) {
		strbuf_clear(&m->clean);
		search_text_clean(str_from(bson_iter_key(&child)), 0, &m->clean);
		m->member = keep(m, &m->clean);
		if (m->member.len && m->member.len <= SEARCH_VALUE_MAX)
			search_text_each_in(child, add_member_value, m);
	}
	m->member = (struct str){"", 0};
	return true;
}

struct listing {
	struct making *m;
	struct strbuf list; /* values with SEARCH_SHOWN_JOINT between */
	size_t n, limit;
};

/* What is in the list already stands there once. */
static bool list_value(void *arg, const bson_iter_t *v)
{
	struct listing *l = arg;
	struct str s, rest = strbuf_slice(&l->list);

	strbuf_clear(&l->m->raw);
	strbuf_clear(&l->m->clean);
	search_text_scalar(v, &l->m->raw);
	search_text_clean(strbuf_slice(&l->m->raw), 0, &l->m->clean);
	s = strbuf_slice(&l->m->clean);
	if (!s.len)
		return true;
	while (rest.len) {
		struct str one = search_shown_next(&rest);

		if (str_equal(one, s))
			return true;
	}
	if (l->n)
		strbuf_addch(&l->list, SEARCH_SHOWN_JOINT);
	strbuf_add(&l->list, s.data, s.len);
	return ++l->n < l->limit;
}

static struct str show(struct making *m, const struct search_shown *shown, const bson_t *doc)
{
	struct listing l = {.m = m, .list = STRBUF_INIT(SEARCH_TEXT_MAX), .limit = shown->limit};
	struct str ret;

	if (!shown->limit) {
		strbuf_clear(&m->clean);
		search_text_title(shown->path, doc, &m->clean);
		return keep(m, &m->clean);
	}
	search_text_each(doc, shown->path, list_value, &l);
	ret = keep(m, &l.list);
	strbuf_done(&l.list);
	return ret;
}

struct str search_shown_next(struct str *rest)
{
	const char *joint = memchr(rest->data, SEARCH_SHOWN_JOINT, rest->len);
	size_t n = joint ? (size_t)(joint - rest->data) : rest->len;
	struct str ret = {rest->data, n};

	n += joint != NULL;
	*rest = (struct str){rest->data + n, rest->len - n};
	return ret;
}

void search_record_make(const struct search_collection *c, const bson_t *doc, struct arena *arena,
			struct search_record *ret)
{
	struct making m = {.rules = c,
			   .arena = arena,
			   .record = ret,
			   .member = {"", 0},
			   .raw = STRBUF_INIT(SEARCH_TEXT_MAX),
			   .clean = STRBUF_INIT(SEARCH_TEXT_MAX)};

	*ret = (struct search_record){.title = {"", 0}};
	ret->data = arena_alloc(arena, SEARCH_DATA_MAX * sizeof(*ret->data));
	search_text_title(c->title, doc, &m.clean);
	ret->title = keep(&m, &m.clean);
	for (size_t i = 0; i < c->n_fields; i++) {
		strbuf_clear(&m.clean);
		search_text_parts(c->fields[i].parts, c->fields[i].n_parts, doc, &m.clean);
		ret->texts[i] = keep(&m, &m.clean);
	}
	for (size_t i = 0; i < c->n_shown; i++)
		ret->shown[i] = show(&m, &c->shown[i], doc);
	for (m.attribute = 0; m.attribute < c->n_attributes; m.attribute++) {
		const struct search_attribute *a = &c->attributes[m.attribute];

		for (size_t k = 0; k < a->n_paths; k++)
			search_text_each(doc, a->paths[k], a->is_pairs ? add_members : add_value,
					 &m);
	}
	strbuf_done(&m.raw);
	strbuf_done(&m.clean);
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_text(struct strbuf *b, struct str s)
{
	uint32_t n = (uint32_t)s.len;

	strbuf_add(b, &n, sizeof(n));
	strbuf_add(b, s.data, s.len);
}

static void write_datum(struct strbuf *b, const struct search_datum *d)
{
	strbuf_add(b, &d->attribute, sizeof(d->attribute));
	strbuf_addch(b, d->is_number);
	write_text(b, d->member);
	if (d->is_number)
		strbuf_add(b, &d->number, sizeof(d->number));
	else
		write_text(b, d->text);
}

int search_record_write(const struct search_collection *c, const struct search_record *r,
			struct strbuf *b, struct err *err)
{
	uint16_t n = (uint16_t)r->n_data;
	size_t since = b->len;

	write_text(b, r->title);
	strbuf_addch(b, (char)c->n_fields);
	for (size_t i = 0; i < c->n_fields; i++)
		write_text(b, r->texts[i]);
	strbuf_addch(b, (char)c->n_shown);
	for (size_t i = 0; i < c->n_shown; i++)
		write_text(b, r->shown[i]);
	strbuf_add(b, &n, sizeof(n));
	for (size_t i = 0; i < r->n_data; i++)
		write_datum(b, &r->data[i]);
	if (b->overflow || b->len - since > SEARCH_RECORD_MAX)
		return err_set(err, ERR_LIMIT, "its texts and attributes are more than %zu bytes",
			       SEARCH_RECORD_MAX);
	return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

struct reading {
	const char *at, *end;
	bool is_bad;
};

static void take(struct reading *r, void *ret, size_t n)
{
	if ((size_t)(r->end - r->at) < n) {
		r->is_bad = true;
		memset(ret, 0, n);
		return;
	}
	memcpy(ret, r->at, n);
	r->at += n;
}

static struct str take_text(struct reading *r)
{
	struct str s = {"", 0};
	uint32_t n = 0;

	take(r, &n, sizeof(n));
	if (n > (size_t)(r->end - r->at)) {
		r->is_bad = true;
		return s;
	}
	s = (struct str){r->at, n};
	r->at += n;
	return s;
}

static void take_texts(struct reading *r, struct str *ret, size_t expected)
{
	uint8_t n = 0;

	take(r, &n, sizeof(n));
	r->is_bad |= n != expected;
	for (size_t i = 0; i < n && !r->is_bad; i++)
		ret[i] = take_text(r);
}

/* Members have any type. */
static bool fits(const struct search_collection *c, const struct search_datum *d)
{
	const struct search_attribute *a = &c->attributes[d->attribute];

	return a->is_pairs || d->is_number == (a->type == SEARCH_NUMBER || a->type == SEARCH_DATE);
}

static void take_datum(struct reading *r, const struct search_collection *c, struct search_datum *d)
{
	uint8_t is_number = 0;

	take(r, &d->attribute, sizeof(d->attribute));
	take(r, &is_number, sizeof(is_number));
	d->member = take_text(r);
	d->is_number = is_number;
	if (is_number)
		take(r, &d->number, sizeof(d->number));
	else
		d->text = take_text(r);
	r->is_bad |=
	    d->attribute >= c->n_attributes || is_number > 1 || !isfinite(d->number) || !fits(c, d);
}

int search_record_read(const struct search_collection *c, struct str bytes, struct arena *arena,
		       struct search_record *ret, struct err *err)
{
	struct reading r = {.at = bytes.data, .end = bytes.data + bytes.len};
	uint16_t n = 0;

	*ret = (struct search_record){.title = take_text(&r)};
	take_texts(&r, ret->texts, c->n_fields);
	take_texts(&r, ret->shown, c->n_shown);
	take(&r, &n, sizeof(n));
	if (r.is_bad || n > SEARCH_DATA_MAX)
		return err_set(err, ERR_CORRUPTED, "a record is damaged");
	ret->data = arena_alloc(arena, ((size_t)n + 1) * sizeof(*ret->data));
	for (; ret->n_data < n && !r.is_bad; ret->n_data++)
		take_datum(&r, c, &ret->data[ret->n_data]);
	if (r.is_bad || r.at != r.end)
		return err_set(err, ERR_CORRUPTED, "a record is damaged");
	return 0;
}

bool search_record_lengths(struct str bytes, size_t n_fields, uint32_t *ret)
{
	struct reading r = {.at = bytes.data, .end = bytes.data + bytes.len};
	struct str texts[SEARCH_FIELDS_MAX];

	(void)take_text(&r);
	take_texts(&r, texts, n_fields);
	for (size_t i = 0; i < n_fields && !r.is_bad; i++)
		ret[i] = (uint32_t)texts[i].len;
	return !r.is_bad;
}
