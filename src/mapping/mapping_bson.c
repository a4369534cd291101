/*
 * Values on their way to BSON: from YAML (constants, MongoDB's own fields, indexes) and from the
 * text of columns. The reasons for a refusal are said here without the value; who calls knows the
 * field's name.
 *
 * A text is handed over as it is, NUL characters too, which BSON allows. A date is read as UTC and
 * its fraction cut to milliseconds. The date 0000-00-00, MariaDB's way of saying "none" in old
 * tables, is null; other dates that no calendar has are refused.
 */
#include "mapping/mapping_int.h"

#include <jansson.h>
#include <math.h>

#include "base/banned.h"

#define JSON_DEPTH_MAX 64 /* MongoDB stops at 100 levels, ours included */

/* --- from YAML -------------------------------------------------------------------------------- */

static bool append_plain(bson_t *b, const char *name, const char *text)
{
	struct str s = str_from(text);
	int64_t i;
	double d;

	if (cstr_equal(text, "true") || cstr_equal(text, "false"))
		return bson_append_bool(b, name, -1, *text == 't');
	if (parse_int64(s, INT64_MIN, INT64_MAX, &i, NULL) == 0)
		return bson_append_int64(b, name, -1, i);
	if (*text && strchr("0123456789-.", *text) && parse_double(s, &d, NULL) == 0 && isfinite(d))
		return bson_append_double(b, name, -1, d);
	return bson_append_utf8(b, name, -1, text, (int)s.len);
}

int mapping_append_yaml(bson_t *b, const char *name, const struct ynode *n, struct err *err)
{
	bool is_list = n->kind == YNODE_LIST, fits;
	bson_t child;

	if (n->kind == YNODE_SCALAR) {
		if (ynode_is_null(n))
			fits = bson_append_null(b, name, -1);
		else if (n->quoted)
			fits = bson_append_utf8(b, name, -1, n->text, -1);
		else
			fits = append_plain(b, name, n->text);
		return fits ? 0 : ynode_error(n, err, "the value is too long");
	}
	if (is_list)
		bson_append_array_begin(b, name, -1, &child);
	else
		bson_append_document_begin(b, name, -1, &child);
	for (size_t i = 0; i < n->len; i++) {
		char buffer[16];
		const char *key = n->children[i].key;
		int r;

		if (is_list)
			bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof(buffer));
		r = mapping_append_yaml(&child, key, &n->children[i], err);
		if (r < 0)
			return r; /* the document is thrown away */
	}
	if (is_list)
		bson_append_array_end(b, &child);
	else
		bson_append_document_end(b, &child);
	return 0;
}

int mapping_make_initial(struct mapping *m, struct err *err)
{
	const struct ynode *n = m->mongodb_node;

	m->initial = bson_new();
	for (size_t i = 0; n && i < n->len; i++) {
		int r = mapping_append_yaml(m->initial, n->children[i].key, &n->children[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The first part of an index key's path must be a field that the mapping knows. */
static int check_index_field(const struct mapping *m, const struct ynode *n, struct err *err)
{
	struct str first = {n->key, strcspn(n->key, ".")};

	if (str_equal(first, str_from("_id")) || str_equal(first, str_from("_sync")))
		return 0;
	for (size_t i = 0; i < m->root->n_fields; i++) {
		if (str_equal(first, str_from(m->root->fields[i].name)))
			return 0;
	}
	for (size_t i = 0; m->mongodb_node && i < m->mongodb_node->len; i++) {
		if (str_equal(first, str_from(m->mongodb_node->children[i].key)))
			return 0;
	}
	return ynode_key_error(n, err, "an index of \"%s\": the mapping has no field \"%.*s\"",
			       n->key, STR_ARGS(first));
}

static int append_index_key(const struct mapping *m, bson_t *index, const struct ynode *key,
			    struct strbuf *name, struct err *err)
{
	static const char *const kinds[] = {"text", "2dsphere", "hashed", NULL};
	bson_t child;

	if (key->kind != YNODE_MAP || !key->len)
		return ynode_error(key, err, "an index key is a map of fields to 1 or -1");
	bson_append_document_begin(index, "key", -1, &child);
	for (size_t i = 0; i < key->len; i++) {
		const struct ynode *n = &key->children[i];
		const char *text;
		size_t kind = 0;
		int r = check_index_field(m, n, err);

		if (r == 0)
			r = ynode_text(n, &text, err);
		if (r != 0)
			return r;
		while (kinds[kind] && !cstr_equal(kinds[kind], text))
			kind++;
		if (kinds[kind])
			bson_append_utf8(&child, n->key, -1, text, -1);
		else if (cstr_equal(text, "1") || cstr_equal(text, "-1"))
			bson_append_int32(&child, n->key, -1, *text == '1' ? 1 : -1);
		else
			return ynode_error(
			    n, err, "\"%s\": an index key is 1, -1, text, 2dsphere or hashed",
			    text);
		strbuf_addf(name, "%s%s_%s", name->len ? "_" : "", n->key, text);
	}
	bson_append_document_end(index, &child);
	return 0;
}

static int append_index(const struct mapping *m, bson_t *index, const struct ynode *n,
			struct err *err)
{
	static const char *const keys[] = {"key", "name", "unique", "sparse", NULL};
	const struct ynode *key = ynode_get(n, "key"), *name = ynode_get(n, "name");
	struct strbuf b = STRBUF_INIT(1000);
	const char *text = NULL;
	int r = ynode_check_keys(n, "an index", keys, err);

	if (r == 0)
		r = key ? append_index_key(m, index, key, &b, err)
			: ynode_error(n, err, "an index has no \"key\"");
	if (r == 0 && name)
		r = ynode_text(name, &text, err);
	if (r == 0)
		bson_append_utf8(index, "name", -1, text ? text : strbuf_str(&b), -1);
	strbuf_done(&b);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		const struct ynode *flag = ynode_get(n, keys[2 + i]);
		bool is_set = false;

		if (!flag)
			continue;
		r = ynode_bool(flag, &is_set, err);
		if (r == 0 && is_set)
			bson_append_bool(index, keys[2 + i], -1, true);
	}
	return r;
}

int mapping_make_indexes(struct mapping *m, struct err *err)
{
	const struct ynode *list = m->indexes_node;

	m->indexes = bson_new();
	if (!list)
		return 0;
	if (list->kind != YNODE_LIST)
		return ynode_error(list, err, "\"indexes\" is no list");
	for (size_t i = 0; i < list->len; i++) {
		char buffer[16];
		const char *key;
		bson_t index;
		int r;

		bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof(buffer));
		bson_append_document_begin(m->indexes, key, -1, &index);
		r = append_index(m, &index, &list->children[i], err);
		if (r < 0)
			return r;
		bson_append_document_end(m->indexes, &index);
	}
	return 0;
}

/* --- from JSON -------------------------------------------------------------------------------- */

static int append_json(bson_t *b, const char *name, int name_len, const json_t *json,
		       unsigned depth, struct err *err);

static int append_json_members(bson_t *b, const json_t *json, unsigned depth, struct err *err)
{
	const char *key;
	json_t *value;
	size_t i;
	int r = 0;

	if (json_is_array(json)) {
		json_array_foreach(json, i, value)
		{
			char buffer[16];
			size_t len =
			    bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof(buffer));

			r = append_json(b, key, (int)len, value, depth + 1, err);
			if (r < 0)
				return r;
		}
		return 0;
	}
	/* The cast drops a const that the iteration does not use. */
	for (void *it = json_object_iter((json_t *)(uintptr_t)json); r == 0 && it;
	     it = json_object_iter_next((json_t *)(uintptr_t)json, it))
		r = append_json(b, json_object_iter_key(it), -1, json_object_iter_value(it),
				depth + 1, err);
	return r;
}

static int append_json(bson_t *b, const char *name, int name_len, const json_t *json,
		       unsigned depth, struct err *err)
{
	bool fits = true;
	bson_t child;
	int r = 0;

	if (depth > JSON_DEPTH_MAX)
		return err_set(err, ERR_DOCUMENT, "JSON nested deeper than %d levels",
			       JSON_DEPTH_MAX);
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		fits = bson_append_document_begin(b, name, name_len, &child);
		r = fits ? append_json_members(&child, json, depth, err) : 0;
		if (fits)
			bson_append_document_end(b, &child);
		break;
	case JSON_ARRAY:
		fits = bson_append_array_begin(b, name, name_len, &child);
		r = fits ? append_json_members(&child, json, depth, err) : 0;
		if (fits)
			bson_append_array_end(b, &child);
		break;
	case JSON_STRING:
		fits = bson_append_utf8(b, name, name_len, json_string_value(json),
					(int)json_string_length(json));
		break;
	case JSON_INTEGER:
		fits = bson_append_int64(b, name, name_len, json_integer_value(json));
		break;
	case JSON_REAL:
		fits = bson_append_double(b, name, name_len, json_real_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		fits = bson_append_bool(b, name, name_len, json_is_true(json));
		break;
	case JSON_NULL:
		fits = bson_append_null(b, name, name_len);
		break;
	}
	return fits ? r : err_set(err, ERR_DOCUMENT, "the value is too large");
}

static int append_json_text(bson_t *b, const char *name, int name_len, struct str value,
			    struct err *err)
{
	json_error_t e;
	json_t *json = json_loadb(value.data, value.len,
				  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	int r;

	if (!json) {
		const char *why = "is not well-formed";

		if (json_error_code(&e) == json_error_duplicate_key)
			why = "has a name twice in one object";
		else if (json_error_code(&e) == json_error_numeric_overflow)
			why = "has a number outside of 64 bits";
		return err_set(err, ERR_DOCUMENT, "JSON %s (at byte %d)", why, e.position);
	}
	r = append_json(b, name, name_len, json, 0, err);
	json_decref(json);
	return r;
}

/* --- from columns ----------------------------------------------------------------------------- */

/* Reads exactly `n` digits. */
static bool read_digits(struct str *s, size_t n, int *ret)
{
	*ret = 0;
	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->data[i] < '0' || s->data[i] > '9')
			return false;
		*ret = *ret * 10 + (s->data[i] - '0');
	}
	s->data += n;
	s->len -= n;
	return true;
}

static bool read_char(struct str *s, char c)
{
	if (!s->len || *s->data != c)
		return false;
	s->data++;
	s->len--;
	return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's days_from_civil). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
	int64_t era, yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static bool is_day(int year, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (month == 2 && is_leap);
}

static bool read_time(struct str *s, int64_t *ret_ms)
{
	int hour, minute, second, ms = 0;

	if (!read_digits(s, 2, &hour) || !read_char(s, ':') || !read_digits(s, 2, &minute) ||
	    !read_char(s, ':') || !read_digits(s, 2, &second) || hour > 23 || minute > 59 ||
	    second > 59)
		return false;
	if (read_char(s, '.')) {
		for (int i = 0, unit = 100, digit; s->len && i < 6; i++, unit /= 10) {
			if (!read_digits(s, 1, &digit))
				return false;
			ms += digit * unit;
		}
	}
	*ret_ms = ((hour * 60 + minute) * 60 + second) * (int64_t)1000 + ms;
	return true;
}

/* "2024-02-29", with a time behind it or without. */
static bool read_day(struct str *s, int *year, int *month, int *day)
{
	return read_digits(s, 4, year) && read_char(s, '-') && read_digits(s, 2, month) &&
	       read_char(s, '-') && read_digits(s, 2, day);
}

/* 1: *ret_ms; 0: the zero date; -1: no date. */
static int read_date(struct str s, int64_t *ret_ms)
{
	int year, month, day;
	int64_t ms = 0;

	if (!read_day(&s, &year, &month, &day))
		return -1;
	if (s.len && (!read_char(&s, ' ') || !read_time(&s, &ms) || s.len))
		return -1;
	if (!year && !month && !day && !ms)
		return 0;
	if (!is_day(year, month, day))
		return -1;
	*ret_ms = days_from_civil(year, month, day) * 86400000 + ms;
	return 1;
}

static int append_date(bson_t *b, const char *name, int name_len, struct str value, struct err *err)
{
	int64_t ms = 0;
	int found = read_date(value, &ms);

	if (found < 0)
		return err_set(err, ERR_DOCUMENT, "a date that no calendar has");
	if (found == 0)
		bson_append_null(b, name, name_len);
	else
		bson_append_date_time(b, name, name_len, ms);
	return 0;
}

static int append_decimal(bson_t *b, const char *name, int name_len, struct str value,
			  struct err *err)
{
	bson_decimal128_t d;

	if (!bson_decimal128_from_string_w_len(value.data, (int)value.len, &d))
		return err_set(err, ERR_DOCUMENT, "a number of more than 34 digits");
	bson_append_decimal128(b, name, name_len, &d);
	return 0;
}

static int append_integer(bson_t *b, const char *name, int name_len, struct str value,
			  struct err *err)
{
	int64_t i;

	if (parse_int64(value, INT64_MIN, INT64_MAX, &i, NULL) < 0)
		return append_decimal(b, name, name_len, value, err);
	bson_append_int64(b, name, name_len, i);
	return 0;
}

static int append_text(bson_t *b, const char *name, int name_len, struct str value, struct err *err)
{
	if (value.len > MAPPING_DOCUMENT_MAX)
		return err_set(err, ERR_DOCUMENT, "a text above the 16 MiB of a document");
	if (!utf8_is_valid(value.data, value.len))
		return err_set(err, ERR_DOCUMENT, "a text that is not UTF-8");
	bson_append_utf8(b, name, name_len, value.data, (int)value.len);
	return 0;
}

static int append_set(bson_t *b, const char *name, int name_len, struct str value, struct err *err)
{
	bson_t child;
	uint32_t i = 0;

	if (!utf8_is_valid(value.data, value.len))
		return err_set(err, ERR_DOCUMENT, "a text that is not UTF-8");
	bson_append_array_begin(b, name, name_len, &child);
	while (value.len) {
		const char *end = memchr(value.data, ',', value.len), *key;
		size_t len = end ? (size_t)(end - value.data) : value.len, key_len;
		char buffer[16];

		key_len = bson_uint32_to_string(i++, &key, buffer, sizeof(buffer));
		bson_append_utf8(&child, key, (int)key_len, value.data, (int)len);
		value.data += len + (end != NULL);
		value.len -= len + (end != NULL);
	}
	bson_append_array_end(b, &child);
	return 0;
}

static int append_double(bson_t *b, const char *name, int name_len, struct str value,
			 struct err *err)
{
	double d;

	if (parse_double(value, &d, NULL) < 0)
		return err_set(err, ERR_DOCUMENT, "a text that is no number");
	bson_append_double(b, name, name_len, d);
	return 0;
}

int mapping_append_value(bson_t *b, const char *name, int name_len, enum mapping_convert convert,
			 struct str value, struct err *err)
{
	if (!value.data) {
		bson_append_null(b, name, name_len);
		return 0;
	}
	switch (convert) {
	case CONVERT_BOOL:
		bson_append_bool(b, name, name_len, !(value.len == 1 && *value.data == '0'));
		return 0;
	case CONVERT_INT:
		return append_integer(b, name, name_len, value, err);
	case CONVERT_DECIMAL:
		return append_decimal(b, name, name_len, value, err);
	case CONVERT_DOUBLE:
		return append_double(b, name, name_len, value, err);
	case CONVERT_STRING:
		return append_text(b, name, name_len, value, err);
	case CONVERT_DATE:
		return append_date(b, name, name_len, value, err);
	case CONVERT_BINARY:
		if (value.len > MAPPING_DOCUMENT_MAX)
			return err_set(err, ERR_DOCUMENT, "bytes above the 16 MiB of a document");
		bson_append_binary(b, name, name_len, BSON_SUBTYPE_BINARY,
				   (const uint8_t *)value.data, (uint32_t)value.len);
		return 0;
	case CONVERT_SET:
		return append_set(b, name, name_len, value, err);
	case CONVERT_JSON:
		return append_json_text(b, name, name_len, value, err);
	case CONVERT_NONE:
		break;
	}
	bug_if(convert == CONVERT_NONE);
	return 0;
}
