/*
 * One document and one check: the value at the end of a dotted path, or each of several where
 * arrays are on the way. Called for each document that the sync writes: no memory is taken but by
 * patterns, and no text is copied but that of numbers in decimal.
 */
#include "govern/quality_int.h"

#include <stdlib.h>

#include "base/banned.h"

/* Calls for each value at the path; `missing` where it ends too soon. */
struct walk {
	const struct quality_check *check;
	size_t n_missing, n_invalid;
};

static struct str text_of(const bson_iter_t *it)
{
	uint32_t len;
	const char *text = bson_iter_utf8(it, &len);

	return (struct str){text, len};
}

static bool is_empty(const bson_iter_t *it)
{
	if (BSON_ITER_HOLDS_UTF8(it))
		return str_trim(text_of(it)).len == 0;
	return BSON_ITER_HOLDS_NULL(it) || BSON_ITER_HOLDS_UNDEFINED(it);
}

/*
 * A decimal whose coefficient and power of ten a double holds exactly, which prices are: one
 * division rounds once, as reading its text does, at a fifth of the time. False: another one, or no
 * number. Layout: IEEE 754-2008, binary integer decimal; sign, 14 bits of exponent, 113 of
 * coefficient.
 */
static bool small_decimal(const bson_decimal128_t *d, double *ret)
{
	static const double powers[] = {1e0, 1e1, 1e2,	1e3,  1e4,  1e5,  1e6,	1e7,
					1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	int64_t places = 6176 - (int64_t)(d->high >> 49 & 0x3fff);

	if ((d->high >> 61 & 3) == 3 || (d->high & 0x1ffffffffffff) || d->low >> 53 || places < 0 ||
	    places >= (int64_t)ARRAY_LEN(powers))
		return false;
	*ret = (double)d->low / powers[places];
	if (d->high >> 63)
		*ret = -*ret;
	return true;
}

/* False: it is no number. */
static bool number_of(const bson_iter_t *it, double *ret)
{
	char text[BSON_DECIMAL128_STRING];
	bson_decimal128_t decimal;

	if (BSON_ITER_HOLDS_DECIMAL128(it)) {
		(void)bson_iter_decimal128(it, &decimal);
		if (small_decimal(&decimal, ret))
			return true;
		bson_decimal128_to_string(&decimal, text);
		return parse_double(str_from(text), ret, NULL) == 0;
	}
	if (!BSON_ITER_HOLDS_NUMBER(it))
		return false;
	*ret = bson_iter_as_double(it);
	return true;
}

static bool is_listed(const struct quality_form *f, struct str text)
{
	for (size_t i = 0; i < f->n_list; i++)
		if (str_equal(text, str_from(f->list[i])))
			return true;
	return false;
}

static bool has_text_form(const struct quality_form *f, struct str text)
{
	int64_t len = f->min_length >= 0 || f->max_length >= 0 ? (int64_t)utf8_count(text) : 0;

	return (!f->list || is_listed(f, text)) && len >= f->min_length &&
	       (f->max_length < 0 || len <= f->max_length) &&
	       (!f->compiled || quality_pattern_matches(f->compiled, text));
}

static bool has_form(const struct quality_form *f, const bson_iter_t *it)
{
	bool wants_number = f->min || f->max;
	bool wants_text = f->list || f->compiled || f->min_length >= 0 || f->max_length >= 0;
	char number[32];
	struct str text;
	double value;

	if (wants_number && (!number_of(it, &value) || (f->min && value < f->min_number) ||
			     (f->max && value > f->max_number)))
		return false;
	if (!wants_text)
		return true;
	if (BSON_ITER_HOLDS_UTF8(it)) {
		text = text_of(it);
	} else if (BSON_ITER_HOLDS_INT32(it) || BSON_ITER_HOLDS_INT64(it)) {
		(void)snprintf(number, sizeof(number), "%lld", (long long)bson_iter_as_int64(it));
		text = str_from(number);
	} else {
		return false;
	}
	return has_text_form(f, text);
}

static void judge_value(struct walk *w, const bson_iter_t *it)
{
	if (is_empty(it))
		w->n_missing++;
	else if (w->check->kind == QUALITY_INVALID && !has_form(&w->check->form, it))
		w->n_invalid++;
}

static void walk_document(struct walk *w, bson_iter_t *in, const char *path);

/* A value on the way: each element of an array, a field of a document, or the end. The depth is
 * that of the path and of arrays in arrays, which documents of the sync have not. */
static void walk_value(struct walk *w, const bson_iter_t *it, const char *path)
{
	bson_iter_t inner;

	if (BSON_ITER_HOLDS_ARRAY(it) && bson_iter_recurse(it, &inner)) {
		while (bson_iter_next(&inner)) {
			bson_iter_t element;

			if (!*path)
				judge_value(w, &inner);
			else if (BSON_ITER_HOLDS_DOCUMENT(&inner) &&
				 bson_iter_recurse(&inner, &element))
				walk_document(w, &element, path);
			else
				w->n_missing++;
		}
	} else if (!*path) {
		judge_value(w, it);
	} else if (BSON_ITER_HOLDS_DOCUMENT(it) && bson_iter_recurse(it, &inner)) {
		walk_document(w, &inner, path);
	} else {
		w->n_missing++;
	}
}

static void walk_document(struct walk *w, bson_iter_t *in, const char *path)
{
	size_t len = strcspn(path, ".");

	if (bson_iter_find_w_len(in, path, (int)len))
		walk_value(w, in, path[len] ? path + len + 1 : "");
	else
		w->n_missing++;
}

bool quality_judge(const struct quality_check *c, const bson_t *document)
{
	struct walk w = {.check = c};
	bson_iter_t it;

	if (bson_iter_init(&it, document))
		walk_document(&w, &it, c->field);
	return c->kind == QUALITY_MISSING ? w.n_missing == 0 : w.n_invalid == 0;
}
