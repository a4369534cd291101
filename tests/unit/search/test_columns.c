/* Columns beside a look at each document: conditions, orders and counts, while documents come,
 * change and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/search_columns.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/banned.h"

#define NUMBERS	 9000 /* three windows */
#define WORDS	 (NUMBERS / 64 + 1)
#define DATA_MAX 16
#define CLASSES	 8

enum { PRICE, STOCK, RELEASED, AVAILABLE, BRAND, TAGS, SPECS };

static const char rules_text[] = "collections:\n"
				 "  c:\n"
				 "    texts: [{parts: [{say: x}]}]\n"
				 "    attributes:\n"
				 "      price: {field: price, type: number, facet: true}\n"
				 "      stock: {field: stock, type: number}\n"
				 "      released: {field: released, type: date}\n"
				 "      available: {field: available, type: boolean}\n"
				 "      brand: {field: brand, type: text}\n"
				 "      tags: {field: tags, type: text}\n"
				 "      specs: {pairs: specs}\n";

/* Texts of one class are the same value, written in other ways. */
static const struct {
	const char *text;
	unsigned class;
} texts[] = {
    {"Sony", 0},  {"SONY", 0},	      {"sony", 0},	   {"LG", 1},	       {"Gro\xC3\x9F", 2},
    {"GROSS", 2}, {"caf\xC3\xA9", 3}, {"CAFE\xCC\x81", 3}, {"CAF\xC3\x89", 3}, {"8", 4},
    {"16.0", 5},  {"true", 6},	      {"TRUE", 6},	   {"zz top", 7},
};
static const char *const members[] = {"cores", "wi_fi", "Big Name", "\xC3\xA9t\xC3\xA9"};

struct document {
	struct search_datum data[DATA_MAX];
	size_t n;
};
static struct document documents[NUMBERS];
static const char *first_text[SPECS][CLASSES]; /* as it first came */
static struct search_rules *rules;
static const struct search_collection *collection;
static struct search_columns *columns;
static uint64_t seed;

static uint32_t next(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % below;
}

static unsigned class_of(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (strcasecmp(texts[i].text, text) == 0)
			return texts[i].class;
	}
	return CLASSES;
}

/* --- documents ------------------------------------------------------------------------------- */

static void add_number(struct document *d, uint16_t attribute, const char *member, double number)
{
	d->data[d->n++] = (struct search_datum){.attribute = attribute,
						.is_number = true,
						.member = str_from(member),
						.number = number};
}

static void add_text(struct document *d, uint16_t attribute, const char *member)
{
	const char *text = texts[next(ARRAY_LEN(texts))].text;
	unsigned class = class_of(text);

	d->data[d->n++] = (struct search_datum){
	    .attribute = attribute, .member = str_from(member), .text = str_from(text)};
	if (attribute < SPECS && !first_text[attribute][class])
		first_text[attribute][class] = text;
}

static double some_day(void)
{
	double us = 0;

	(void)search_day(2020 + next(3), 1 + next(2), 1 + next(20), &us);
	return us + next(4) * SEARCH_DAY_US / 4;
}

static void add_member(struct document *d, const char *member)
{
	for (uint32_t n = 1 + next(2); n; n--) {
		if (next(2))
			add_number(d, SPECS, member, next(20));
		else
			add_text(d, SPECS, member);
	}
}

static void make_document(struct document *d)
{
	d->n = 0;
	for (uint32_t n = next(3); n; n--)
		add_number(d, PRICE, "", next(200) * 0.5 - 3);
	if (next(2))
		add_number(d, STOCK, "", next(2) * next(50));
	if (next(5))
		add_number(d, RELEASED, "", some_day());
	if (next(3))
		d->data[d->n++] =
		    (struct search_datum){.attribute = AVAILABLE,
					  .member = {"", 0},
					  .text = str_from(next(2) ? "true" : "false")};
	if (next(6))
		add_text(d, BRAND, "");
	for (uint32_t n = next(4); n; n--)
		add_text(d, TAGS, "");
	if (next(2))
		add_member(d, members[next(2)]);
	if (!next(30))
		add_member(d, members[2 + next(2)]);
}

static void change(uint32_t number, bool is_there)
{
	struct document *d = &documents[number];

	search_columns_remove(columns, number, d->data, d->n);
	d->n = 0;
	if (is_there)
		make_document(d);
	search_columns_put(columns, number, d->data, d->n);
}

/* Two windows, with gaps, loaded at once; some change, some go; one in the third. */
static int make_columns(void **state)
{
	struct err err = {0};

	(void)state;
	if (search_rules_parse("s.yaml", str_from(rules_text), &rules, &err) < 0)
		fail_msg("%s", err.message);
	collection = search_rules_find(rules, "c");
	columns = search_columns_new(collection);
	memset(documents, 0, sizeof(documents));
	memset(first_text, 0, sizeof(first_text));
	seed = 1;
	search_columns_start_load(columns);
	for (uint32_t i = 0; i < 6000; i++) {
		if (i % 3)
			change(i, true);
	}
	search_columns_end_load(columns);
	for (uint32_t i = 0; i < 4000; i++)
		change(next(7000), next(3) != 0);
	change(NUMBERS - 1, true);
	return 0;
}

static int free_columns(void **state)
{
	(void)state;
	columns = search_columns_free(columns);
	rules = search_rules_free(rules);
	return 0;
}

/* --- conditions ------------------------------------------------------------------------------ */

static bool is_of(const struct search_datum *d, const char *attribute)
{
	const char *name = collection->attributes[d->attribute].name;
	size_t n = strlen(name);

	if (d->attribute != SPECS)
		return cstr_equal(name, attribute);
	return strncmp(attribute, name, n) == 0 && attribute[n] == '.' &&
	       str_equal(str_from(attribute + n + 1), d->member);
}

static bool is_day(double us, const char *text)
{
	double day = 0;

	if (strlen(text) != 10 || !search_day(strtol(text, NULL, 10), strtol(text + 5, NULL, 10),
					      strtol(text + 8, NULL, 10), &day))
		return false;
	return us >= day && us < day + SEARCH_DAY_US;
}

static bool is_value(const struct search_datum *d, const char *text)
{
	char *end;
	double number = strtod(text, &end);

	if (!d->is_number)
		return class_of(d->text.data) < CLASSES ? class_of(d->text.data) == class_of(text)
							: cstr_equal(d->text.data, text);
	if (d->attribute == RELEASED)
		return is_day(d->number, text);
	return !*end && !(number < d->number) && !(number > d->number);
}

static bool is_in(const struct search_datum *d, const struct search_filter *f)
{
	if (!d->is_number)
		return false;
	if (d->number < f->min || d->number > f->max)
		return false;
	return !(f->is_min_open && d->number <= f->min) && !(f->is_max_open && d->number >= f->max);
}

static bool fulfils(const struct document *doc, const struct search_filter *f)
{
	bool has = false;

	for (size_t i = 0; i < doc->n; i++) {
		const struct search_datum *d = &doc->data[i];

		if (!is_of(d, f->attribute))
			continue;
		if (f->kind == SEARCH_FILTER_RANGE)
			has |= is_in(d, f);
		for (size_t k = 0; k < f->n_values; k++)
			has |= is_value(d, f->values[k]);
	}
	return has != f->is_negated;
}

/* Applied to all numbers but every seventh. */
static size_t check_filter(const char *text)
{
	uint64_t bits[WORDS + 1];
	struct arena arena = {0};
	struct search_filter f = {0};
	struct err err = {0};
	size_t n = 0;

	memset(bits, 0xFF, sizeof(bits));
	for (uint32_t i = 0; i < NUMBERS; i += 7)
		bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
	if (search_filter_parse(str_from(text), &arena, &f, &err) < 0 ||
	    search_columns_filter(columns, &f, bits, WORDS, &err) < 0)
		fail_msg("\"%s\": %s", text, err.message);
	assert_true(bits[WORDS] == UINT64_MAX);
	for (uint32_t i = 0; i < NUMBERS; i++) {
		bool want = i % 7 && fulfils(&documents[i], &f);

		if (want != (bits[i / 64] >> (i % 64) & 1))
			fail_msg("\"%s\": document %u is %sleft", text, i, want ? "not " : "");
		n += want;
	}
	arena_done(&arena);
	return n;
}

static const char *const conditions[] = {
    "price<20",
    "price<=20",
    "price>20",
    "price>=20",
    "price=20..30.5",
    "price=20<..<30.5",
    "price=..0",
    "price=90..",
    "price=20",
    "price=20|21.5|-1",
    "price!=20..30",
    "price!=20",
    "price!<20",
    "price=30..20",
    "stock=0",
    "stock>0",
    "stock!=0",
    "price=20.0",
    "released>=2021-02-12",
    "released<2021-01-07",
    "released<=2021-01-07",
    "released=2021-01-01..2021-02-03",
    "released=2021-01-07",
    "released=2021-01-07|2020-02-01",
    "released!=2021-01-07",
    "available=true",
    "available=TRUE",
    "available!=true",
    "available=false|true",
    "brand=sony",
    "brand=SoNy|lg",
    "brand!=LG",
    "brand=gross",
    "brand=GRO\xC3\x9F",
    "brand=Cafe\xCC\x81",
    "brand=CAF\xC3\x89",
    "brand=\"zz top\"",
    "brand!=\"zz top\"|sony",
    "tags=sony",
    "tags!=sony",
    "tags=lg|gross",
    "tags=8",
    "specs.cores=8",
    "specs.cores=8.0",
    "specs.cores=16",
    "specs.cores=16.0",
    "specs.cores=sony|12",
    "specs.cores>8",
    "specs.cores=4<..9",
    "specs.cores!=8",
    "specs.cores!>8",
    "specs.wi_fi=Sony",
    "specs.wi_fi>=0",
};

static void conditions_leave_what_fulfils_them(void **state)
{
	size_t some = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		some += check_filter(conditions[i]) > 0;
	assert_true(some >= ARRAY_LEN(conditions) - 3); /* few of them find nothing */
	for (uint32_t i = 0; i < 3000; i++)
		change(next(NUMBERS), next(4) != 0);
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		(void)check_filter(conditions[i]);
}

static struct search_filter on(const char *attribute)
{
	return (struct search_filter){
	    .attribute = attribute, .kind = SEARCH_FILTER_RANGE, .min = -HUGE_VAL, .max = HUGE_VAL};
}

static void members_with_any_name_are_attributes(void **state)
{
	struct search_filter f = on("specs.Big Name");
	uint64_t bits[WORDS];

	(void)state;
	memset(bits, 0xFF, sizeof(bits));
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, NULL), 0);
	for (uint32_t i = 0; i < NUMBERS; i++)
		assert_int_equal(bits[i / 64] >> (i % 64) & 1, fulfils(&documents[i], &f));
	assert_non_null(search_columns_find(columns, "specs.\xC3\xA9t\xC3\xA9", NULL));
}

static void fewer_words_than_documents_are_enough(void **state)
{
	uint64_t bits[3] = {UINT64_MAX, UINT64_MAX, 0x1234};
	struct search_filter f = on("price");

	(void)state;
	assert_int_equal(search_columns_filter(columns, &f, bits, 2, NULL), 0);
	for (uint32_t i = 0; i < 128; i++)
		assert_int_equal(bits[i / 64] >> (i % 64) & 1, fulfils(&documents[i], &f));
	assert_int_equal(bits[2], 0x1234);
	assert_int_equal(search_columns_filter(columns, &f, bits, 0, NULL), 0);
}

static void expect_error(const char *text, const char *message)
{
	uint64_t bits[WORDS] = {0};
	struct arena arena = {0};
	struct search_filter f = {0};
	struct err err = {0};

	assert_int_equal(search_filter_parse(str_from(text), &arena, &f, &err), 0);
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, &err),
			 -ERR_INVALID_ARGUMENT);
	if (!strstr(err.message, message))
		fail_msg("\"%s\" is not in \"%s\"", message, err.message);
	arena_done(&arena);
}

static void wrong_names_are_told_with_the_nearest(void **state)
{
	(void)state;
	expect_error("prise<5", "there is no attribute \"prise\"; did you mean \"price\"?");
	expect_error("specs.core=5",
		     "there is no attribute \"specs.core\"; did you mean \"specs.cores\"?");
	expect_error("specs=5", "there is no attribute \"specs\"");
	expect_error("nothing_like_it=5", "there is no attribute \"nothing_like_it\"");
}

static void conditions_of_another_type_are_refused(void **state)
{
	(void)state;
	expect_error("brand<5", "\"brand\" is no number");
	expect_error("available>=1", "\"available\" is no number");
	expect_error("price=cheap", "\"price\" is compared with \"cheap\", which is no number");
	expect_error("price=2024-02-12", "\"2024-02-12\", which is no number");
	expect_error("price>2024-02-12", "\"price\" is no date");
	expect_error("specs.cores>2024-02-12", "\"specs.cores\" is no date");
	expect_error("released=yesterday", "\"yesterday\", which is no day");
	expect_error("released=2023-02-29", "\"2023-02-29\", which is no day");
	expect_error("released>5", "\"released\" is a date");
	expect_error("available=perhaps", "\"perhaps\", which is neither true nor false");
}

static void yes_and_no_are_booleans(void **state)
{
	static const char *const yes[] = {"available=yes", "available=1", "available=on"};
	uint64_t want[WORDS], got[WORDS];
	struct arena arena = {0};
	struct search_filter f = {0};

	(void)state;
	memset(want, 0xFF, sizeof(want));
	assert_int_equal(search_filter_parse(str_from("available=true"), &arena, &f, NULL), 0);
	assert_int_equal(search_columns_filter(columns, &f, want, WORDS, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		memset(got, 0xFF, sizeof(got));
		assert_int_equal(search_filter_parse(str_from(yes[i]), &arena, &f, NULL), 0);
		assert_int_equal(search_columns_filter(columns, &f, got, WORDS, NULL), 0);
		assert_memory_equal(want, got, sizeof(want));
	}
	arena_done(&arena);
}

static void long_and_empty_texts_are_no_values(void **state)
{
	char text[SEARCH_VALUE_MAX + 2];
	struct search_datum d[3] = {{.attribute = BRAND, .member = {"", 0}, .text = {"", 0}},
				    {.attribute = BRAND, .member = {"", 0}},
				    {.attribute = BRAND, .member = {"", 0}}};
	const char *values[1] = {text};
	struct search_filter f = {.attribute = "brand", .n_values = 1, .values = values};
	uint64_t bits[WORDS];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[SEARCH_VALUE_MAX + 1] = '\0';
	d[1].text = (struct str){text, SEARCH_VALUE_MAX + 1};
	d[2].text = (struct str){text, SEARCH_VALUE_MAX};
	change(5, false);
	search_columns_put(columns, 5, d, 3);
	memset(bits, 0xFF, sizeof(bits));
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, NULL), 0);
	for (size_t i = 0; i < WORDS; i++)
		assert_true(bits[i] == 0);
	text[SEARCH_VALUE_MAX] = '\0';
	memset(bits, 0xFF, sizeof(bits));
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, NULL), 0);
	assert_true(bits[0] == 1U << 5 && bits[1] == 0);
	search_columns_remove(columns, 5, d, 3);
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, NULL), 0);
	assert_true(bits[0] == 0);
}

/* As a damaged file may have it: a value with a NUL byte comes and goes like others. */
static void a_text_with_a_zero_byte_is_one_value(void **state)
{
	const struct search_datum d = {.attribute = BRAND, .member = {"", 0}, .text = {"lg\0x", 4}};
	const char *values[1] = {"LG"};
	struct search_filter f = {.attribute = "brand", .n_values = 1, .values = values};
	uint64_t bits[WORDS], before[WORDS];

	(void)state;
	change(5, false);
	memset(before, 0xFF, sizeof(before));
	assert_int_equal(search_columns_filter(columns, &f, before, WORDS, NULL), 0);
	search_columns_put(columns, 5, &d, 1);
	search_columns_remove(columns, 5, &d, 1);
	memset(bits, 0xFF, sizeof(bits));
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, NULL), 0);
	assert_memory_equal(bits, before, sizeof(bits));
}

static void a_member_with_a_zero_byte_is_one_column(void **state)
{
	const struct search_datum d = {
	    .attribute = SPECS, .member = {"zero\0x", 6}, .text = {"lg", 2}};
	const char *values[1] = {"lg"};
	struct search_filter f = {.attribute = "specs.zero", .n_values = 1, .values = values};
	uint64_t bits[WORDS] = {0};

	(void)state;
	search_columns_put(columns, 5, &d, 1);
	search_columns_put(columns, 6, &d, 1);
	bits[0] = UINT64_MAX;
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, NULL), 0);
	assert_int_equal(bits[0], 3 << 5);
	search_columns_remove(columns, 5, &d, 1);
	search_columns_remove(columns, 6, &d, 1);
	bits[0] = UINT64_MAX;
	assert_int_equal(search_columns_filter(columns, &f, bits, WORDS, NULL), 0);
	assert_int_equal(bits[0], 0);
}

/* --- orders ---------------------------------------------------------------------------------- */

/* What a document is sorted by: its first value. */
static const struct search_datum *first_of(uint32_t number, uint16_t attribute)
{
	const struct document *d = &documents[number];

	for (size_t i = 0; i < d->n; i++) {
		if (d->data[i].attribute == attribute)
			return &d->data[i];
	}
	return NULL;
}

static const char *shown_text(const struct search_datum *d)
{
	unsigned class = class_of(d->text.data);

	return class < CLASSES && d->attribute != AVAILABLE ? first_text[d->attribute][class]
							    : d->text.data;
}

/* Above 0: `a` comes first; documents without a value come last. */
static int compare(uint32_t a, uint32_t b, uint16_t attribute, bool is_descending)
{
	const struct search_datum *x = first_of(a, attribute), *y = first_of(b, attribute);
	int r;

	if (!x || !y)
		return (x != NULL) - (y != NULL);
	r = x->is_number ? (x->number > y->number) - (x->number < y->number)
			 : strcmp(shown_text(x), shown_text(y));
	return is_descending ? r : -r;
}

static void check_order(uint16_t attribute, bool is_descending)
{
	const struct search_order order = {collection->attributes[attribute].name, is_descending};
	const struct search_sort_keys *keys = NULL;
	struct arena arena = {0};

	assert_int_equal(search_sort_keys_new(columns, &order, &arena, &keys, NULL), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t a = next(NUMBERS + 5000), b = next(NUMBERS);
		double x = search_sort_key(keys, a), y = search_sort_key(keys, b);
		int got = (x > y) - (x < y);
		int want = a < NUMBERS ? compare(a, b, attribute, is_descending)
				       : -(first_of(b, attribute) != NULL);

		if (got != (want > 0) - (want < 0))
			fail_msg("%s: documents %u and %u: %g and %g", order.attribute, a, b, x, y);
	}
	arena_done(&arena);
}

static void orders_put_documents_without_a_value_last(void **state)
{
	(void)state;
	for (uint16_t a = 0; a < SPECS; a++) {
		check_order(a, false);
		check_order(a, true);
	}
}

static void what_cannot_be_sorted_by_is_told(void **state)
{
	const struct search_order member = {"specs.cores", false}, wrong = {"brnd", false};
	const struct search_sort_keys *keys = NULL;
	struct arena arena = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(search_sort_keys_new(columns, &member, &arena, &keys, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "\"specs.cores\" cannot be sorted by"));
	assert_int_equal(search_sort_keys_new(columns, &wrong, &arena, &keys, &err),
			 -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "did you mean \"brand\"?"));
	arena_done(&arena);
}

/* --- counts ---------------------------------------------------------------------------------- */

static bool is_counted(uint32_t number)
{
	return number % 5 != 0;
}

static size_t count(const char *attribute, size_t limit, struct arena *arena,
		    const struct search_facet **ret, double *ret_min, double *ret_max)
{
	struct search_counter *counter = NULL;

	assert_int_equal(search_counter_new(columns, attribute, arena, &counter, NULL), 0);
	for (uint32_t w = 0; w * SEARCH_WINDOW < NUMBERS + SEARCH_WINDOW; w++) {
		uint64_t bits[SEARCH_WINDOW_WORDS] = {0};
		uint16_t places[SEARCH_WINDOW];

		for (uint32_t p = 0; p < SEARCH_WINDOW; p++)
			bits[p / 64] |= (uint64_t)is_counted(w * SEARCH_WINDOW + p) << (p % 64);
		search_counter_add(counter, w, places, search_places(bits, places));
	}
	return search_counter_result(counter, limit, arena, ret, ret_min, ret_max);
}

static uint32_t with_class(const char *attribute, const char *text)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < NUMBERS; i++) {
		bool has = false;

		for (size_t k = 0; k < documents[i].n && is_counted(i); k++)
			has |= is_of(&documents[i].data[k], attribute) &&
			       !documents[i].data[k].is_number &&
			       is_value(&documents[i].data[k], text);
		n += has;
	}
	return n;
}

static void check_texts(const char *attribute)
{
	const struct search_facet *f = NULL;
	struct arena arena = {0};
	uint32_t all = 0, found = 0;
	double min, max;
	size_t n = count(attribute, 100, &arena, &f, &min, &max);

	for (size_t i = 0; i < n && f[i].value; i++) {
		if (f[i].documents != with_class(attribute, f[i].value))
			fail_msg("%s=%s: %u documents instead of %u", attribute, f[i].value,
				 f[i].documents, with_class(attribute, f[i].value));
		if (i && (f[i].documents > f[i - 1].documents ||
			  (f[i].documents == f[i - 1].documents &&
			   strcmp(f[i - 1].value, f[i].value) >= 0)))
			fail_msg("\"%s\" stands behind \"%s\"", f[i].value, f[i - 1].value);
		found++;
	}
	for (unsigned class = 0; class < CLASSES; class ++) {
		size_t t = 0;

		while (texts[t].class != class)
			t++;
		all += with_class(attribute, texts[t].text) > 0;
	}
	assert_int_equal(found, cstr_equal(attribute, "available") ? 2 : all);
	arena_done(&arena);
}

static void each_value_is_counted_once_a_document(void **state)
{
	(void)state;
	check_texts("brand");
	check_texts("tags");
	check_texts("available");
	check_texts("specs.cores");
	check_texts("specs.wi_fi");
}

/* A number of a member counts in each range that it is in, that of an attribute by its first. */
static bool counts_in(const struct document *d, const char *attribute, const struct search_facet *f)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct search_datum *one = &d->data[i];

		if (!is_of(one, attribute) || !one->is_number)
			continue;
		if (one->number >= f->min && one->number < f->max)
			return true;
		if (one->attribute != SPECS)
			return false;
	}
	return false;
}

static size_t check_ranges(const char *attribute)
{
	const struct search_facet *f = NULL;
	const struct search_facet whole = {.min = -HUGE_VAL, .max = HUGE_VAL};
	struct arena arena = {0};
	double min, max, last = -HUGE_VAL;
	size_t n = count(attribute, 100, &arena, &f, &min, &max), ranges = 0;
	uint32_t sum = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t want = 0;

		if (f[i].value)
			continue;
		for (uint32_t k = 0; k < NUMBERS; k++)
			want += is_counted(k) && counts_in(&documents[k], attribute, &f[i]);
		if (f[i].documents != want || !want)
			fail_msg("%s %g..%g: %u documents instead of %u", attribute, f[i].min,
				 f[i].max, f[i].documents, want);
		assert_true(f[i].min >= last && f[i].max > f[i].min);
		last = f[i].max;
		sum += want;
		ranges++;
	}
	for (uint32_t k = 0; k < NUMBERS; k++)
		all += is_counted(k) && counts_in(&documents[k], attribute, &whole);
	if (strchr(attribute, '.'))
		assert_true(sum >= all); /* one document may be in two of them */
	else
		assert_int_equal(sum, all);
	assert_true(min < max);
	arena_done(&arena);
	return ranges;
}

static void numbers_are_counted_in_ranges(void **state)
{
	(void)state;
	assert_true(check_ranges("price") >= 3);
	assert_true(check_ranges("stock") >= 2); /* half of them are 0 */
	assert_true(check_ranges("specs.cores") >= 3);
	(void)check_ranges("released");
}

static void the_least_and_the_most_are_those_of_what_is_counted(void **state)
{
	double min, max, least = HUGE_VAL, most = -HUGE_VAL;
	const struct search_facet *f = NULL;
	struct arena arena = {0};

	(void)state;
	for (uint32_t i = 0; i < NUMBERS; i++) {
		const struct search_datum *d = is_counted(i) ? first_of(i, PRICE) : NULL;

		least = d ? fmin(least, d->number) : least;
		most = d ? fmax(most, d->number) : most;
	}
	(void)count("price", 5, &arena, &f, &min, &max);
	assert_true(!(min < least) && !(min > least) && !(max < most) && !(max > most));
	(void)count("brand", 5, &arena, &f, &min, &max);
	assert_true(min > max);
	arena_done(&arena);
}

static void only_the_most_frequent_values_are_told(void **state)
{
	const struct search_facet *all = NULL, *few = NULL;
	struct arena arena = {0};
	double min, max;
	size_t n = count("tags", 100, &arena, &all, &min, &max);

	(void)state;
	assert_true(n > 3);
	assert_int_equal(count("tags", 3, &arena, &few, &min, &max), 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(few[i].value, all[i].value);
	arena_done(&arena);
}

static void nothing_counts_nothing(void **state)
{
	struct search_columns *empty = search_columns_new(collection);
	static const uint16_t places[] = {0, 1, 63};
	struct search_counter *counter = NULL;
	const struct search_facet *f = NULL;
	struct arena arena = {0};
	double min, max;

	(void)state;
	for (size_t a = 0; a < SPECS; a++) {
		assert_int_equal(search_counter_new(empty, collection->attributes[a].name, &arena,
						    &counter, NULL),
				 0);
		search_counter_add(counter, 3, places, ARRAY_LEN(places));
		assert_int_equal(search_counter_result(counter, 9, &arena, &f, &min, &max), 0);
		assert_true(min > max);
	}
	assert_int_equal(search_counter_new(empty, "specs.cores", &arena, &counter, NULL),
			 -ERR_INVALID_ARGUMENT);
	assert_true(search_columns_memory(empty) < search_columns_memory(columns));
	arena_done(&arena);
	search_columns_free(empty);
}

static void the_sum_tells_which_values_there_are_and_which_are_rare(void **state)
{
	struct search_columns *c = search_columns_new(collection);
	const struct search_datum lg = {.attribute = BRAND, .text = {"lg", 2}};
	const struct search_datum nec = {.attribute = BRAND, .text = {"nec", 3}};
	const struct search_datum member = {
	    .attribute = SPECS, .member = {"panel", 5}, .text = {"nec", 3}};
	uint64_t empty = search_columns_values_sum(c), with_lg, with_many;

	(void)state;
	search_columns_put(c, 1, &lg, 1);
	with_lg = search_columns_values_sum(c);
	assert_true(with_lg != empty);
	search_columns_put(c, 1, &member, 1); /* no value of an attribute */
	assert_true(search_columns_values_sum(c) == with_lg);
	search_columns_put(c, 2, &lg, 1);
	assert_true(search_columns_values_sum(c) != with_lg);
	search_columns_remove(c, 1, &lg, 1);
	assert_true(search_columns_values_sum(c) == with_lg);
	search_columns_put(c, 3, &nec, 1);
	assert_true(search_columns_values_sum(c) != with_lg);
	search_columns_remove(c, 3, &nec, 1);
	assert_true(search_columns_values_sum(c) == with_lg);
	for (uint32_t i = 10; i < 30; i++)
		search_columns_put(c, i, &lg, 1);
	with_many = search_columns_values_sum(c);
	search_columns_put(c, 30, &lg, 1); /* one of many changes little */
	assert_true(search_columns_values_sum(c) == with_many);
	search_columns_remove(c, 2, &lg, 1);
	for (uint32_t i = 10; i <= 30; i++)
		search_columns_remove(c, i, &lg, 1);
	assert_true(search_columns_values_sum(c) == empty);
	search_columns_free(c);
}

struct telling {
	uint32_t n;
};

static void tell(void *arg, const char *value, uint32_t n)
{
	struct telling *t = arg;
	uint32_t want = 0;

	for (uint32_t i = 0; i < NUMBERS; i++) {
		const struct search_datum *d = first_of(i, BRAND);

		want += d && is_value(d, value);
	}
	assert_int_equal(n, want);
	t->n += n;
}

static void values_are_told_with_their_documents(void **state)
{
	struct telling t = {0};

	(void)state;
	search_columns_values(columns, BRAND, tell, &t);
	assert_true(t.n > 1000);
	for (uint32_t i = 0; i < NUMBERS; i++)
		change(i, false);
	t.n = 0;
	search_columns_values(columns, BRAND, tell, &t);
	assert_int_equal(t.n, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_columns, free_columns)
	const struct CMUnitTest tests[] = {
	    TEST(conditions_leave_what_fulfils_them),
	    TEST(members_with_any_name_are_attributes),
	    TEST(fewer_words_than_documents_are_enough),
	    TEST(wrong_names_are_told_with_the_nearest),
	    TEST(conditions_of_another_type_are_refused),
	    TEST(yes_and_no_are_booleans),
	    TEST(long_and_empty_texts_are_no_values),
	    TEST(a_text_with_a_zero_byte_is_one_value),
	    TEST(a_member_with_a_zero_byte_is_one_column),
	    TEST(orders_put_documents_without_a_value_last),
	    TEST(what_cannot_be_sorted_by_is_told),
	    TEST(each_value_is_counted_once_a_document),
	    TEST(numbers_are_counted_in_ranges),
	    TEST(the_least_and_the_most_are_those_of_what_is_counted),
	    TEST(only_the_most_frequent_values_are_told),
	    TEST(nothing_counts_nothing),
	    TEST(values_are_told_with_their_documents),
	    TEST(the_sum_tells_which_values_there_are_and_which_are_rare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
