/*
 * Products as JSON lines. The object's fields become the values that a CSV file would have, so that
 * one way of cleaning serves both; only the specifications, which a JSON feed spreads over fields
 * (attr_t_ text, attr_n_ number, attr_b_ boolean) or has as a map, are put together here: one
 * object with clean keys, sorted, with numbers written as short as they read back. Article numbers
 * beyond the first usable one are kept there as "further_eans".
 *
 * Nothing is left out silently: a value of a type that its field cannot have is dropped by a
 * finding, a field that is not in the tables below is noted when the file has it for the first
 * time. (A CSV file with an unknown column is refused, since its header says at once what the file
 * is. Feeds of JSON mostly are exports with more in them than was asked for, in some lines only, so
 * that refusing them would mean that somebody has to strip each feed first.)
 */
#include "shop/load_int.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define SPECIFICATIONS_MAX 2000	 /* keys of one product */
#define SPEC_TEXT_MAX	   4000	 /* characters of one text */
#define SPEC_NESTED_MAX	   16000 /* bytes of one list or map */
#define FINDING_NAME_MAX   80	 /* bytes; with what stands before it, a log's column has 120 */
#define UNKNOWN_MAX	   200	 /* fields of a file; arbitrary, a feed has a dozen */

struct field {
	const char *name, *column;
};

/* All fields of the object but attr_*. Without a column: taken apart below, or (none so far) known
 * and not wanted. */
static const struct field fields[] = {
    {"id", "product_id"},
    {"kind", "product_kind"},
    {"supplier", "supplier_name"},
    {"title", "product_name"},
    {"name", "model_name"},
    {"currency", "currency"},
    {"stock", "stock_quantity"},
    {"status", "product_status"},
    {"img_500x500", "image_url"},
    {"date_released", "release_date"},
    {"description", NULL},
    {"short_description", NULL},
    {"price", NULL},
    {"service", NULL},
    {"ean", NULL},
    {"specifications", NULL},
    {"category", NULL},
};

static const struct field service_fields[] = {
    {"type", "service_type"},
    {"duration_minutes", "duration_minutes"},
    {"delivery_mode", "delivery_mode"},
    {"lead_time_days", "lead_time_days"},
};

struct specification {
	const char *key;   /* clean */
	const char *value; /* JSON text */
};

struct specifications {
	struct load_row *row;
	struct specification *items;
	size_t n, n_beyond;
	const char *first_beyond;
};

static const struct str none = {NULL, 0}, empty = {"", 0};

static struct str json_str(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

/* The value as it stands in the feed. */
static struct str json_text(struct load_row *row, const json_t *v)
{
	char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS |
				       JSON_REAL_PRECISION(15));
	struct str kept = text ? str_from(arena_strdup(&row->arena, text)) : none;

	mem_free(text);
	return kept;
}

/* "specifications.size": what a finding is about; cut at a whole character. */
static const char *finding_name(struct load_row *row, const char *prefix, const char *name)
{
	struct str shown = utf8_cut(str_from(name), FINDING_NAME_MAX);

	return arena_printf(&row->arena, "%s%.*s", prefix, STR_ARGS(shown));
}

/* The value is of no use for its column, which becomes empty. */
static struct str drop(struct load_row *row, const char *column, const json_t *value)
{
	load_row_find(row, QUALITY_VALUE_DROPPED, column, json_text(row, value), none);
	return empty;
}

/* "contrast_ratio__typical_" -> "contrast_ratio_typical" */
static const char *clean_spec_key(struct load_row *row, const char *key)
{
	char *out = arena_strdup(&row->arena, key);
	size_t n = 0;

	for (const char *p = key; *p; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		bool word =
		    (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;

		if (word)
			out[n++] = c;
		else if (n && out[n - 1] != '_')
			out[n++] = '_';
	}
	while (n && out[n - 1] == '_')
		n--;
	out[n] = 0;
	return n ? out : "value";
}

/* The shortest text that reads back as the same number. */
static const char *number_text(struct load_row *row, double d)
{
	char buf[40];

	if (!isfinite(d))
		return "null";
	if (d == floor(d) && fabs(d) < 1e15)
		return arena_printf(&row->arena, "%" PRId64, (int64_t)d);
	for (int precision = 15; precision <= 17; precision++) {
		double back;

		(void)snprintf(buf, sizeof(buf), "%.*g", precision, d);
		if (parse_double(str_from(buf), &back, NULL) == 0 && !(back < d) && !(back > d))
			break;
	}
	return arena_strdup(&row->arena, buf);
}

static const char *spec_text(struct load_row *row, const char *key, const json_t *value)
{
	static const struct clean_text_options options = {.html = true, .max_chars = SPEC_TEXT_MAX};
	static const enum quality_rule_id rules[] = {QUALITY_TEXT_ENCODING, QUALITY_TEXT_HTML,
						     QUALITY_TEXT_CONTROL,  QUALITY_TEXT_SPACE,
						     QUALITY_TEXT_NORMAL,   QUALITY_TEXT_LONG};
	unsigned changes;
	struct str clean;

	strbuf_clear(&row->scratch);
	changes = clean_text(&row->clean, json_str(value), &options, &row->scratch);
	clean = strbuf_slice(&row->scratch);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (changes & (1U << i))
			load_row_find(row, rules[i], finding_name(row, "specifications.", key),
				      json_str(value), clean);
	}
	strbuf_clear(&row->json);
	strbuf_add_json(&row->json, strbuf_str(&row->scratch), row->scratch.len);
	return arena_strndup(&row->arena, row->json.data, row->json.len);
}

/* A list or a map stays as it is. NULL: dropped. */
static const char *spec_nested(struct load_row *row, const char *key, json_t *value)
{
	struct str text = json_text(row, value);

	if (text.data && text.len <= SPEC_NESTED_MAX && !load_json_is_deep(value))
		return text.data;
	load_row_find(row, QUALITY_VALUE_DROPPED, finding_name(row, "specifications.", key), text,
		      none);
	return NULL;
}

static const char *spec_value(struct load_row *row, const char *key, json_t *value)
{
	if (json_is_string(value))
		return spec_text(row, key, value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (json_is_number(value))
		return number_text(row, json_number_value(value));
	return spec_nested(row, key, value);
}

static void add_specification(struct specifications *s, const char *key, json_t *value)
{
	const char *text;

	if (json_is_null(value))
		return;
	key = clean_spec_key(s->row, key);
	if (s->n >= SPECIFICATIONS_MAX) {
		if (!s->n_beyond++)
			s->first_beyond = key;
		return;
	}
	text = spec_value(s->row, key, value);
	if (text)
		s->items[s->n++] = (struct specification){key, text};
}

static int by_key(const void *a, const void *b)
{
	const struct specification *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* Later keys that became the same get a number: "x", "x_2". */
static void number_twins(struct load_row *row, struct specification *specs, size_t n)
{
	size_t twins = 1;

	for (size_t i = 1; i < n; i++) {
		const char *first = specs[i - twins].key;

		if (cstr_equal(specs[i].key, first))
			specs[i].key = arena_printf(&row->arena, "%s_%zu", first, ++twins);
		else
			twins = 1;
	}
}

static bool is_attribute(const char *field)
{
	return strncmp(field, "attr_", 5) == 0 && field[5] && field[6] == '_';
}

/* The map of the field "specifications", also as the text that a CSV file would have; owned by the
 * caller. NULL: not given, or none. */
static json_t *specification_map(struct load_row *row, json_t *value)
{
	json_error_t error;
	json_t *map = json_is_string(value)
			  ? json_loadb(json_string_value(value), json_string_length(value),
				       JSON_REJECT_DUPLICATES, &error)
			  : json_incref(value);

	if (json_is_object(map))
		return map;
	json_decref(map);
	if (value && !json_is_null(value) && !(json_is_string(value) && !json_string_length(value)))
		load_row_find(row, QUALITY_JSON_INVALID, "specifications",
			      json_is_string(value) ? json_str(value) : json_text(row, value),
			      none);
	return NULL;
}

static void gather(struct specifications *s, json_t *object, json_t *map)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (is_attribute(key))
			add_specification(s, key + 7, value);
	}
	json_object_foreach(map, key, value)
	{
		add_specification(s, key, value);
	}
	if (s->n_beyond)
		load_row_find(
		    s->row, QUALITY_VALUE_DROPPED, "specifications",
		    str_from(arena_printf(&s->row->arena, "%zu beyond %d, the first \"%s\"",
					  s->n_beyond, SPECIFICATIONS_MAX, s->first_beyond)),
		    none);
	qsort(s->items, s->n, sizeof(*s->items), by_key);
	number_twins(s->row, s->items, s->n);
}

/* A text or a number; NULL data: none, or dropped. */
static struct str ean_text(struct load_row *row, const json_t *value)
{
	if (json_is_string(value))
		return json_str(value);
	if (json_is_integer(value))
		return str_from(
		    arena_printf(&row->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value)));
	if (json_is_real(value))
		return str_from(number_text(row, json_real_value(value)));
	if (value && !json_is_null(value))
		(void)drop(row, "ean", value);
	return none;
}

/* The texts of the field "ean", which is one or a list of them. */
static size_t list_eans(struct load_row *row, const json_t *value, struct str **ret)
{
	bool is_list = json_is_array(value);
	size_t n = is_list ? json_array_size(value) : 1, len = 0;
	struct str *list = arena_alloc(&row->arena, (n + 1) * sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		list[len] = ean_text(row, is_list ? json_array_get(value, i) : value);
		len += list[len].data != NULL;
	}
	*ret = list;
	return len;
}

static size_t first_usable_ean(struct load_row *row, const struct str *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_clear(&row->scratch);
		if (clean_ean(str_trim(list[i]), &row->scratch) != CLEAN_BAD)
			return i;
	}
	return 0;
}

/* Chooses the article number; the others go to the specifications as JSON. */
static const char *choose_ean(struct load_row *row, const json_t *value)
{
	struct str *list, *ean = &row->raw[load_entity_column(row->entity, "ean")];
	size_t n = list_eans(row, value, &list), chosen = first_usable_ean(row, list, n);
	bool is_given =
	    value && !json_is_null(value) && !(json_is_array(value) && !json_array_size(value));

	if (n == 0) {
		*ean = is_given ? empty : none;
		return NULL;
	}
	*ean = arena_str(&row->arena, list[chosen]);
	if (n == 1)
		return NULL;
	strbuf_clear(&row->json);
	for (size_t i = 0, any = 0; i < n; i++) {
		if (i == chosen)
			continue;
		strbuf_addch(&row->json, any++ ? ',' : '[');
		strbuf_add_json(&row->json, list[i].data, list[i].len);
	}
	strbuf_addch(&row->json, ']');
	return arena_strndup(&row->arena, row->json.data, row->json.len);
}

static void write_specifications(struct load_row *row, const struct specifications *s)
{
	strbuf_clear(&row->json);
	strbuf_addch(&row->json, '{');
	for (size_t i = 0; i < s->n; i++) {
		strbuf_addstr(&row->json, i ? "," : "");
		strbuf_add_json(&row->json, s->items[i].key, strlen(s->items[i].key));
		strbuf_addch(&row->json, ':');
		strbuf_addstr(&row->json, s->items[i].value);
	}
	strbuf_addch(&row->json, '}');
	row->raw[load_entity_column(row->entity, "specifications")] =
	    arena_str(&row->arena, strbuf_slice(&row->json));
	row->is_json_clean = true;
}

static void set_specifications(struct load_row *row, json_t *object, const char *further_eans)
{
	json_t *value = json_object_get(object, "specifications");
	json_t *map = specification_map(row, value);
	size_t n = json_object_size(object) + json_object_size(map) + 1;
	struct specifications s = {.row = row,
				   .items = arena_alloc(&row->arena, n * sizeof(*s.items))};

	gather(&s, object, map);
	if (further_eans) {
		s.items[s.n++] = (struct specification){"further_eans", further_eans};
		qsort(s.items, s.n, sizeof(*s.items), by_key);
	}
	if (s.n || map)
		write_specifications(row, &s);
	else if (value && !json_is_null(value))
		row->raw[load_entity_column(row->entity, "specifications")] = empty;
	json_decref(map);
}

/* A field as the text that CSV would have. Absent and null: not given. */
static struct str field_text(struct load_row *row, const char *column, const json_t *value)
{
	const char *text = NULL;

	if (json_is_string(value)) {
		struct str s = json_str(value);

		return arena_str(&row->arena, s);
	}
	if (json_is_object(value) || json_is_array(value))
		return drop(row, column, value);
	if (json_is_integer(value))
		text =
		    arena_printf(&row->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		text = number_text(row, json_real_value(value));
	else if (json_is_boolean(value))
		text = json_is_true(value) ? "true" : "false";
	return str_from(text);
}

static void set_field(struct load_row *row, const char *column, const json_t *value)
{
	row->raw[load_entity_column(row->entity, column)] = field_text(row, column, value);
}

/* Integer cents; what is no integer is left to the cleaning, which refuses or repairs it. */
static void set_price(struct load_row *row, const json_t *value)
{
	size_t column = load_entity_column(row->entity, "price");

	if (json_is_integer(value)) {
		int64_t cents = json_integer_value(value);
		const char *sign = cents < 0 ? "-" : "";
		uint64_t size = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;

		row->raw[column] = str_from(arena_printf(&row->arena, "%s%" PRIu64 ".%02u", sign,
							 size / 100, (unsigned)(size % 100)));
	} else {
		row->raw[column] = json_is_real(value) ? str_from("not whole cents")
						       : field_text(row, "price", value);
	}
}

/* The long text, or the short one when there is none that can be used. */
static void set_description(struct load_row *row, const json_t *object)
{
	static const char column[] = "product_description";
	struct str *raw = &row->raw[load_entity_column(row->entity, column)];

	*raw = field_text(row, column, json_object_get(object, "description"));
	if (!raw->len)
		*raw = field_text(row, column, json_object_get(object, "short_description"));
}

static void set_category(struct load_row *row, json_t *object, struct categorizer *c)
{
	size_t column = load_entity_column(row->entity, "category_path");
	struct categorize_product p = {
	    .title = json_str(json_object_get(object, "title")),
	    .description = json_str(json_object_get(object, "short_description")),
	    .brand = json_str(json_object_get(object, "supplier")),
	    .type = json_str(json_object_get(object, "attr_t_product_type")),
	};
	struct categorize_attribute *attributes;
	const char *key;
	json_t *value;

	set_field(row, "category_path", json_object_get(object, "category"));
	if (row->raw[column].len || !c)
		return;
	attributes = arena_alloc(&row->arena, (json_object_size(object) + 1) * sizeof(*attributes));
	json_object_foreach(object, key, value)
	{
		if (strncmp(key, "attr_", 5) == 0)
			attributes[p.n_attributes++] =
			    (struct categorize_attribute){str_from(key), json_str(value)};
	}
	/* The keys belong to the JSON object, which outlives this call. */
	p.attributes = attributes;
	row->raw[column] = str_from(categorizer_find(c, &p));
}

static bool is_known(const struct field *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (cstr_equal(list[i].name, name))
			return true;
	}
	return false;
}

/* A finding for the first time that the file has the field. */
static int note_unknown(struct load_row *row, const char *prefix, const char *field,
			const json_t *value, struct err *err)
{
	const char *name = finding_name(row, prefix, field);
	struct str key = str_from(name);

	if (map_get(&row->unknown, key))
		return 0;
	if (row->unknown.len >= UNKNOWN_MAX) {
		(void)err_set(err, ERR_LIMIT, "%s:%llu: more than %d fields that are not known",
			      row->file->path, (unsigned long long)row->line, UNKNOWN_MAX);
		return err_hint(err, "docs/data.md lists the fields of a feed of products");
	}
	key.data = arena_strdup(&row->file_arena, name);
	*map_put(&row->unknown, key) = row;
	load_row_find(row, QUALITY_FIELD_UNKNOWN, name, json_text(row, value), none);
	return 0;
}

static int set_service(struct load_row *row, json_t *service, struct err *err)
{
	const char *key;
	json_t *value;
	int r = 0;

	if (service && !json_is_null(service) && !json_is_object(service))
		(void)drop(row, "service", service);
	for (size_t i = 0; i < ARRAY_LEN(service_fields); i++)
		set_field(row, service_fields[i].column,
			  json_object_get(service, service_fields[i].name));
	json_object_foreach(service, key, value)
	{
		if (r == 0 && !is_known(service_fields, ARRAY_LEN(service_fields), key))
			r = note_unknown(row, "service.", key, value, err);
	}
	return r;
}

static int set_fields(struct load_row *row, json_t *object, struct categorizer *c, struct err *err)
{
	const char *key;
	json_t *value;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (fields[i].column)
			set_field(row, fields[i].column, json_object_get(object, fields[i].name));
	}
	set_description(row, object);
	set_price(row, json_object_get(object, "price"));
	set_specifications(row, object, choose_ean(row, json_object_get(object, "ean")));
	r = set_service(row, json_object_get(object, "service"), err);
	set_category(row, object, c);
	json_object_foreach(object, key, value)
	{
		if (r == 0 && !is_attribute(key) && !is_known(fields, ARRAY_LEN(fields), key))
			r = note_unknown(row, "", key, value, err);
	}
	return r;
}

int load_product_parse(struct load_row *row, struct str line, struct categorizer *c,
		       struct err *err)
{
	struct strbuf repaired = STRBUF_INIT(4 * LOAD_LINE_MAX);
	json_error_t error = {0};
	json_t *object;
	int r;

	if (!utf8_is_valid(line.data, line.len) && clean_encoding(line, &repaired)) {
		line = strbuf_slice(&repaired);
		load_row_find(row, QUALITY_TEXT_ENCODING, NULL, (struct str){NULL, 0},
			      (struct str){NULL, 0});
	}
	object = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	strbuf_done(&repaired);
	if (!json_is_object(object)) {
		json_decref(object);
		return err_set(err, ERR_CORRUPTED, "%s:%llu: no JSON object: %s", row->file->path,
			       (unsigned long long)row->line,
			       object ? "the line holds another value" : error.text);
	}
	r = set_fields(row, object, c, err);
	json_decref(object);
	return r;
}
