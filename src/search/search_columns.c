/*
 * Columns: see search_columns.h. Counting and sorting are in search_facets.c.
 *
 * What a document has of a declared attribute is found at once: numbers in pages of 4,096, texts as
 * the number of the list of its values, of which there are few ("Computers", "Laptops"). Members of
 * pairs are many and mostly empty: numbers are kept by document only, texts in bitmaps only.
 */
#include "search/search_columns_int.h"

#include <math.h>
#include <utf8proc.h>

#include "base/banned.h"

#define NAMES_MAX     4096 /* that a wrong name is compared with */
#define FEW_DOCUMENTS 4	   /* of a value: whoever learns the values may leave out such */

/* --- life ------------------------------------------------------------------------------------ */

static struct search_column *make_column(struct search_columns *c, const char *name,
					 const struct search_attribute *rules, bool is_member)
{
	struct search_column *column = MEM_NEW(struct search_column);

	column->name = arena_strdup(&c->arena, name);
	column->rules = rules;
	column->is_member = is_member;
	column->numbers.by_document = is_member;
	mem_grow(&c->columns, &c->cap, c->n + 1, sizeof(*c->columns));
	c->columns[c->n++] = column;
	*map_put(&c->by_name, str_from(column->name)) = column;
	return column;
}

struct search_columns *search_columns_new(const struct search_collection *rules)
{
	struct search_columns *c = MEM_NEW(struct search_columns);

	c->rules = rules;
	for (size_t i = 0; i < rules->n_attributes; i++)
		(void)make_column(c, rules->attributes[i].name, &rules->attributes[i], false);
	return c;
}

static void free_column(struct search_column *column)
{
	search_sorted_done(&column->numbers);
	for (size_t i = 0; i < column->n_pages; i++)
		mem_free(column->pages[i]);
	for (size_t i = 0; i < column->n_list_pages; i++)
		mem_free(column->list_pages[i]);
	for (size_t i = 0; i < column->n_values; i++)
		roaring_bitmap_free(column->values[i].documents);
	for (size_t i = 0; i < column->n_lists; i++)
		mem_free(column->lists[i].values);
	mem_free(column->loading);
	mem_free(column->pages);
	mem_free(column->list_pages);
	mem_free(column->values);
	mem_free(column->lists);
	map_done(&column->by_text);
	map_done(&column->by_list);
	mem_free(column);
}

struct search_columns *search_columns_free(struct search_columns *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		free_column(c->columns[i]);
	mem_free(c->columns);
	map_done(&c->by_name);
	arena_done(&c->arena);
	mem_free(c);
	return NULL;
}

static size_t column_memory(const struct search_column *column)
{
	size_t bytes = sizeof(*column) + search_sorted_memory(&column->numbers);

	for (size_t i = 0; i < column->n_pages; i++)
		bytes += column->pages[i] ? SEARCH_WINDOW * sizeof(double) : 0;
	for (size_t i = 0; i < column->n_list_pages; i++)
		bytes += column->list_pages[i] ? SEARCH_WINDOW * sizeof(uint32_t) : 0;
	for (size_t i = 0; i < column->n_values; i++)
		bytes += roaring_bitmap_portable_size_in_bytes(column->values[i].documents);
	return bytes + column->cap_values * sizeof(*column->values) +
	       (column->by_text.cap + column->by_list.cap) * sizeof(struct map_entry);
}

size_t search_columns_memory(const struct search_columns *c)
{
	size_t bytes = sizeof(*c) + c->arena.used_bytes;

	for (size_t i = 0; i < c->n; i++)
		bytes += column_memory(c->columns[i]);
	return bytes;
}

/* --- values ---------------------------------------------------------------------------------- */

/* False: it has other characters; `ret` has room for as many bytes. */
static bool fold_ascii(struct str text, char *ret)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char ch = (unsigned char)text.data[i];

		if (ch >= 0x80)
			return false;
		ret[i] = (char)(ch >= 'A' && ch <= 'Z' ? ch + ('a' - 'A') : ch);
	}
	return true;
}

/* As values are compared: without case, composed. */
static struct str fold(struct str text, struct arena *arena)
{
	utf8proc_uint8_t *folded = NULL;
	char *ascii = arena_alloc(arena, text.len + 1);
	struct str ret = {ascii, text.len};
	utf8proc_ssize_t n;

	if (fold_ascii(text, ascii))
		return ret;
	n = utf8proc_map((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.len, &folded,
			 UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
	if (n < 0)
		return text;
	ret = arena_str(arena, (struct str){(const char *)folded, (size_t)n});
	mem_free(folded);
	return ret;
}

/* Numbers from 1: a map has no value 0. */
static uint32_t find_value(const struct search_column *column, struct str text)
{
	_cleanup_(arena_done) struct arena arena = {0};
	char ascii[SEARCH_VALUE_MAX];
	struct str key = {ascii, text.len};

	if (text.len > sizeof(ascii) || !fold_ascii(text, ascii))
		key = fold(text, &arena);
	return (uint32_t)(uintptr_t)map_get(&column->by_text, key);
}

static uint32_t add_value(struct search_columns *c, struct search_column *column, struct str text)
{
	uint32_t number = find_value(column, text);
	struct search_text_value *v;

	if (number)
		return number;
	mem_grow(&column->values, &column->cap_values, column->n_values + 1,
		 sizeof(*column->values));
	v = &column->values[column->n_values++];
	v->text = arena_strndup(&c->arena, text.data, text.len);
	v->documents = roaring_bitmap_create();
	*map_put(&column->by_text, fold((struct str){v->text, text.len}, &c->arena)) =
	    (void *)(uintptr_t)column->n_values;
	return (uint32_t)column->n_values;
}

/* The number of the list of these values, from 1. */
static uint32_t list_of(struct search_columns *c, struct search_column *column,
			const uint32_t *values, size_t n)
{
	struct str key = {(const char *)values, n * sizeof(*values)};
	uint32_t number = (uint32_t)(uintptr_t)map_get(&column->by_list, key);
	struct search_value_list *list;

	if (number)
		return number;
	mem_grow(&column->lists, &column->cap_lists, column->n_lists + 1, sizeof(*column->lists));
	list = &column->lists[column->n_lists++];
	list->values = mem_dup(values, n * sizeof(*values));
	list->n = n;
	key.data = arena_strndup(&c->arena, key.data, key.len);
	*map_put(&column->by_list, key) = (void *)(uintptr_t)column->n_lists;
	return (uint32_t)column->n_lists;
}

/* The page of a document, made when it is missing. */
static void *page_of(void ***pages, size_t *cap, size_t *n, uint32_t document, size_t item)
{
	size_t at = document / SEARCH_WINDOW;

	mem_grow(pages, cap, at + 1, sizeof(**pages));
	*n = at + 1 > *n ? at + 1 : *n;
	if (!(*pages)[at])
		(*pages)[at] = mem_alloc_array(SEARCH_WINDOW, item);
	return (*pages)[at];
}

/* Bits are inverted, so that a new page, which comes zeroed, holds "none". */
static void set_number(struct search_column *column, uint32_t document, double number)
{
	uint64_t bits;

	if (column->is_member)
		return;
	memcpy(&bits, &number, sizeof(bits));
	((uint64_t *)page_of((void ***)&column->pages, &column->cap_pages, &column->n_pages,
			     document, sizeof(uint64_t)))[document % SEARCH_WINDOW] = ~bits;
}

static void set_list(struct search_column *column, uint32_t document, uint32_t list)
{
	((uint32_t *)page_of((void ***)&column->list_pages, &column->cap_list_pages,
			     &column->n_list_pages, document,
			     sizeof(uint32_t)))[document % SEARCH_WINDOW] = list;
}

/* --- writing --------------------------------------------------------------------------------- */

static struct search_column *column_of(struct search_columns *c, const struct search_datum *d,
				       bool may_make)
{
	const struct search_attribute *a = &c->rules->attributes[d->attribute];
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(0);
	struct search_column *column;

	if (!a->is_pairs)
		return c->columns[d->attribute];
	strbuf_addstr(&name, a->name);
	strbuf_addch(&name, '.');
	strbuf_add(&name, d->member.data, d->member.len);
	column = map_get(&c->by_name, str_from(strbuf_str(&name))); /* as make_column() names it */
	return column || !may_make ? column : make_column(c, strbuf_str(&name), a, true);
}

static bool is_same_column(const struct search_datum *a, const struct search_datum *b)
{
	return a->attribute == b->attribute && str_equal(a->member, b->member) &&
	       a->is_number == b->is_number;
}

static bool has_number(const uint32_t *values, size_t n, uint32_t value)
{
	while (n && values[n - 1] != value)
		n--;
	return n > 0;
}

/* The same value with the same few documents again leaves the sum as it was. */
static void note_value(struct search_columns *c, const struct search_column *column, uint32_t value)
{
	uint64_t n = roaring_bitmap_get_cardinality(column->values[value - 1].documents);
	const uint64_t what[] = {(uintptr_t)column, value, n};

	if (!column->is_member && n <= FEW_DOCUMENTS)
		c->values_sum ^= map_hash((struct str){(const char *)what, sizeof(what)});
}

static void change_value(struct search_columns *c, struct search_column *column, uint32_t value,
			 uint32_t document, bool has)
{
	roaring_bitmap_t *documents = column->values[value - 1].documents;

	note_value(c, column, value);
	if (has)
		roaring_bitmap_add(documents, document);
	else
		roaring_bitmap_remove(documents, document);
	note_value(c, column, value);
}

/* Texts that differ in case only are one value, which counts once. */
static void put_texts(struct search_columns *c, struct search_column *column, uint32_t document,
		      const struct search_datum *d, size_t n)
{
	uint32_t values[SEARCH_VALUES_MAX];
	size_t len = 0;

	for (size_t i = 0; i < n && len < SEARCH_VALUES_MAX; i++) {
		uint32_t value;

		if (!d[i].text.len || d[i].text.len > SEARCH_VALUE_MAX)
			continue;
		value = add_value(c, column, d[i].text);
		if (has_number(values, len, value))
			continue;
		change_value(c, column, value, document, true);
		values[len++] = value;
	}
	if (len && !column->is_member)
		set_list(column, document, list_of(c, column, values, len));
}

static void put_number(struct search_columns *c, struct search_column *column, struct search_pair p)
{
	if (!c->is_loading) {
		search_sorted_put(&column->numbers, p);
		return;
	}
	mem_grow(&column->loading, &column->cap_loading, column->n_loading + 1,
		 sizeof(*column->loading));
	column->loading[column->n_loading++] = p;
}

void search_columns_put(struct search_columns *c, uint32_t document, const struct search_datum *d,
			size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		struct search_column *column = column_of(c, &d[i], true);

		for (len = 1; i + len < n && is_same_column(&d[i], &d[i + len]);)
			len++;
		if (!d[i].is_number) {
			put_texts(c, column, document, &d[i], len);
			continue;
		}
		set_number(column, document, d[i].number);
		for (size_t k = i; k < i + len; k++)
			put_number(c, column, (struct search_pair){d[k].number, document});
	}
}

void search_columns_start_load(struct search_columns *c)
{
	c->is_loading = true;
}

void search_columns_end_load(struct search_columns *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct search_column *column = c->columns[i];

		search_sorted_fill(&column->numbers, column->loading, column->n_loading);
		mem_free(column->loading);
		column->loading = NULL;
		column->n_loading = column->cap_loading = 0;
	}
	c->is_loading = false;
}

void search_columns_remove(struct search_columns *c, uint32_t document,
			   const struct search_datum *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct search_column *column = column_of(c, &d[i], false);
		uint32_t value;

		if (!column)
			continue;
		if (d[i].is_number) {
			set_number(column, document, search_no_number());
			search_sorted_remove(&column->numbers,
					     (struct search_pair){d[i].number, document});
			continue;
		}
		value = d[i].text.len <= SEARCH_VALUE_MAX ? find_value(column, d[i].text) : 0;
		if (value)
			change_value(c, column, value, document, false);
		if (value && !column->is_member)
			set_list(column, document, 0);
	}
}

/* --- filters --------------------------------------------------------------------------------- */

static int no_column(const struct search_columns *c, const char *name, struct err *err)
{
	const char **names = mem_alloc_array(c->n + 1, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < c->n && n < NAMES_MAX; i++) {
		if (!c->columns[i]->rules->is_pairs || c->columns[i]->is_member)
			names[n++] = c->columns[i]->name;
	}
	(void)err_set(err, ERR_INVALID_ARGUMENT, "there is no attribute \"%s\"", name);
	(void)err_near(err, cstr_nearest(name, names));
	mem_free(names);
	return -ERR_INVALID_ARGUMENT;
}

const struct search_column *search_columns_find(const struct search_columns *c, const char *name,
						struct err *err)
{
	const struct search_column *column = map_get(&c->by_name, str_from(name));

	if (!column || (column->rules->is_pairs && !column->is_member)) {
		(void)no_column(c, name, err);
		return NULL;
	}
	return column;
}

static void set_bit(uint64_t *set, size_t words, uint32_t document)
{
	if (document / 64 < words)
		set[document / 64] |= UINT64_C(1) << (document % 64);
}

static bool is_in(const struct search_filter *f, double value)
{
	return (f->is_min_open ? value > f->min : value >= f->min) &&
	       (f->is_max_open ? value < f->max : value <= f->max);
}

static void mark_range(const struct search_column *column, const struct search_filter *f,
		       uint64_t *set, size_t words)
{
	struct search_place at = {0};
	const struct search_pair *p;

	if (!column->numbers.by_document)
		at = search_sorted_seek(&column->numbers, (struct search_pair){f->min, 0});
	while ((p = search_sorted_next(&column->numbers, &at))) {
		if (is_in(f, p->value))
			set_bit(set, words, p->document);
		else if (!column->numbers.by_document && p->value > f->max)
			break;
	}
}

struct marking {
	uint64_t *set;
	size_t words;
};

static bool mark_document(uint32_t document, void *arg)
{
	const struct marking *m = arg;

	set_bit(m->set, m->words, document);
	return true;
}

static void mark_text(const struct search_column *column, struct str text, uint64_t *set,
		      size_t words)
{
	struct marking m = {.set = set, .words = words};
	uint32_t value = find_value(column, text);

	if (value)
		roaring_iterate(column->values[value - 1].documents, mark_document, &m);
}

static int no_value(const struct search_column *column, const char *text, const char *what,
		    struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf shown = STRBUF_INIT((size_t)4 * SEARCH_VALUE_MAX);

	strbuf_add_visible(&shown, text, strnlen(text, SEARCH_VALUE_MAX));
	return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is compared with \"%s\", which is %s",
		       column->name, strbuf_str(&shown), what);
}

static bool read_bool(const char *text, bool *ret)
{
	_cleanup_(arena_done) struct arena arena = {0};

	return parse_bool(fold(str_from(text), &arena), ret, NULL) == 0;
}

/* The range of one value: "memory=16" finds 16.0, a day whatever was then. */
static bool range_of(enum search_type type, const char *text, struct search_filter *ret)
{
	*ret = (struct search_filter){.kind = SEARCH_FILTER_RANGE};
	if (type == SEARCH_DATE) {
		if (!search_day_read(str_from(text), &ret->min))
			return false;
		ret->max = ret->min + SEARCH_DAY_US;
		ret->is_max_open = true;
		return true;
	}
	if (parse_double(str_from(text), &ret->min, NULL) < 0)
		return false;
	ret->max = ret->min;
	return true;
}

/* Members have no type: texts and numbers are found. */
static int mark_value(const struct search_column *column, const char *text, uint64_t *set,
		      size_t words, struct err *err)
{
	enum search_type type = column->rules->type;
	struct search_filter range;
	bool is_true = false;

	if (type == SEARCH_BOOLEAN) {
		if (!read_bool(text, &is_true))
			return no_value(column, text, "neither true nor false", err);
		mark_text(column, str_from(is_true ? "true" : "false"), set, words);
		return 0;
	}
	if (type == SEARCH_TEXT)
		mark_text(column, str_from(text), set, words);
	if (range_of(type, text, &range))
		mark_range(column, &range, set, words);
	else if (type != SEARCH_TEXT)
		return no_value(column, text, type == SEARCH_DATE ? "no day" : "no number", err);
	return 0;
}

static int check_type(const struct search_column *column, const struct search_filter *f,
		      struct err *err)
{
	enum search_type type = column->rules->type;

	if (f->kind == SEARCH_FILTER_VALUES)
		return 0;
	if (!column->is_member && (type == SEARCH_TEXT || type == SEARCH_BOOLEAN))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%s\" is no number: compare it with = or != only", column->name);
	if (f->is_date && type != SEARCH_DATE)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%s\" is no date: compare it with numbers", column->name);
	if (!f->is_date && type == SEARCH_DATE && (isfinite(f->min) || isfinite(f->max)))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%s\" is a date: compare it with days, such as 2024-02-12",
			       column->name);
	return 0;
}

int search_columns_filter(const struct search_columns *c, const struct search_filter *f,
			  uint64_t *bits, size_t words, struct err *err)
{
	_cleanup_(mem_freep) uint64_t *set = NULL;
	const struct search_column *column = search_columns_find(c, f->attribute, err);
	int r = column ? check_type(column, f, err) : -ERR_INVALID_ARGUMENT;

	if (r < 0)
		return r;
	set = mem_alloc_array(words + 1, sizeof(*set));
	if (f->kind == SEARCH_FILTER_RANGE)
		mark_range(column, f, set, words);
	for (size_t i = 0; i < f->n_values && r == 0; i++)
		r = mark_value(column, f->values[i], set, words, err);
	for (size_t i = 0; i < words && r == 0; i++)
		bits[i] &= f->is_negated ? ~set[i] : set[i];
	return r;
}

/* --- values ---------------------------------------------------------------------------------- */

void search_columns_values(const struct search_columns *c, size_t attribute, search_value_fn fn,
			   void *arg)
{
	const struct search_column *column = c->columns[attribute];

	for (size_t i = 0; i < column->n_values; i++) {
		uint64_t n = roaring_bitmap_get_cardinality(column->values[i].documents);

		if (n)
			fn(arg, column->values[i].text, (uint32_t)n);
	}
}

uint64_t search_columns_values_sum(const struct search_columns *c)
{
	return c->values_sum;
}
