/*
 * Products as JSON lines. The object's fields become the values that a CSV file would have, so that
 * one way of cleaning serves both; only the specifications, which a JSON feed spreads over fields
 * (attr_t_ text, attr_n_ number, attr_b_ boolean), are put together here: one object with clean
 * keys, sorted, with numbers written as short as they read back. Article numbers beyond the first
 * usable one are kept there as "further_eans".
 */
#include "shop/load_int.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define SPECIFICATIONS_MAX 2000 /* keys of one product */
#define SPEC_TEXT_MAX	   4000 /* characters of one text */

struct specification {
	const char *key;   /* clean */
	const char *value; /* JSON text */
};

static struct str json_str(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
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
			load_row_find(row, rules[i],
				      arena_printf(&row->arena, "specifications.%.80s", key),
				      json_str(value), clean);
	}
	strbuf_clear(&row->json);
	strbuf_add_json(&row->json, strbuf_str(&row->scratch), row->scratch.len);
	return arena_strndup(&row->arena, row->json.data, row->json.len);
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

static size_t gather(struct load_row *row, json_t *object, struct specification *specs)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(object, key, value)
	{
		if (strncmp(key, "attr_", 5) != 0 || !key[5] || key[6] != '_' ||
		    n >= SPECIFICATIONS_MAX)
			continue;
		struct specification *s = &specs[n];

		s->key = clean_spec_key(row, key + 7);
		if (json_is_string(value))
			s->value = spec_text(row, s->key, value);
		else if (json_is_boolean(value))
			s->value = json_is_true(value) ? "true" : "false";
		else if (json_is_number(value))
			s->value = number_text(row, json_number_value(value));
		else
			continue;
		n++;
	}
	qsort(specs, n, sizeof(*specs), by_key);
	number_twins(row, specs, n);
	return n;
}

/* Chooses the article number; the others go to the specifications as JSON. */
static const char *choose_ean(struct load_row *row, const json_t *list, struct str *ret)
{
	size_t n = json_is_array(list) ? json_array_size(list) : 0, chosen = 0;
	bool has = false, any = false;

	*ret = json_is_string(list) ? json_str(list) : (struct str){NULL, 0};
	for (size_t i = 0; i < n && !has; i++) {
		struct str s = json_str(json_array_get(list, i));

		strbuf_clear(&row->scratch);
		if (s.data && clean_ean(str_trim(s), &row->scratch) != CLEAN_BAD) {
			chosen = i;
			has = true;
		}
	}
	if (n)
		*ret = json_str(json_array_get(list, chosen));
	strbuf_clear(&row->json);
	for (size_t i = 0; i < n; i++) {
		struct str s = json_str(json_array_get(list, i));

		if (i == chosen || !s.data)
			continue;
		strbuf_addch(&row->json, any ? ',' : '[');
		strbuf_add_json(&row->json, s.data, s.len);
		any = true;
	}
	if (!any)
		return NULL;
	strbuf_addch(&row->json, ']');
	return arena_strndup(&row->arena, row->json.data, row->json.len);
}

static void set_specifications(struct load_row *row, json_t *object, const char *further_eans)
{
	size_t n = json_object_size(object), column;
	struct specification *specs = arena_alloc(&row->arena, (n + 1) * sizeof(*specs));

	n = gather(row, object, specs);
	if (further_eans) {
		specs[n++] = (struct specification){"further_eans", further_eans};
		qsort(specs, n, sizeof(*specs), by_key);
	}
	if (n == 0)
		return;
	strbuf_clear(&row->json);
	for (size_t i = 0; i < n; i++) {
		strbuf_addch(&row->json, i ? ',' : '{');
		strbuf_add_json(&row->json, specs[i].key, strlen(specs[i].key));
		strbuf_addch(&row->json, ':');
		strbuf_addstr(&row->json, specs[i].value);
	}
	strbuf_addch(&row->json, '}');
	column = load_entity_column(row->entity, "specifications");
	row->raw[column] =
	    (struct str){arena_strndup(&row->arena, row->json.data, row->json.len), row->json.len};
	row->is_json_clean = true;
}

/* A field as the text that CSV would have. Absent and null: not given. */
static struct str field_text(struct load_row *row, const json_t *value)
{
	const char *text = NULL;

	if (json_is_string(value)) {
		struct str s = json_str(value);

		return (struct str){arena_strndup(&row->arena, s.data, s.len), s.len};
	}
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
	row->raw[load_entity_column(row->entity, column)] = field_text(row, value);
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
		row->raw[column] =
		    json_is_real(value) ? str_from("not whole cents") : field_text(row, value);
	}
}

static const json_t *first_text(const json_t *a, const json_t *b)
{
	return json_is_string(a) && json_string_length(a) ? a : b;
}

static void set_category(struct load_row *row, json_t *object, struct categorizer *c)
{
	const json_t *own = json_object_get(object, "category");
	struct categorize_product p = {
	    .title = json_str(json_object_get(object, "title")),
	    .description = json_str(json_object_get(object, "short_description")),
	    .brand = json_str(json_object_get(object, "supplier")),
	    .type = json_str(json_object_get(object, "attr_t_product_type")),
	};
	struct categorize_attribute *attributes;
	const char *key;
	json_t *value;

	set_field(row, "category_path", own);
	if ((json_is_string(own) && json_string_length(own)) || !c)
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
	row->raw[load_entity_column(row->entity, "category_path")] =
	    str_from(categorizer_find(c, &p));
}

static void set_fields(struct load_row *row, json_t *object, struct categorizer *c)
{
	static const char *const same[][2] = {
	    {"id", "product_id"},	   {"kind", "product_kind"},
	    {"supplier", "supplier_name"}, {"title", "product_name"},
	    {"name", "model_name"},	   {"currency", "currency"},
	    {"stock", "stock_quantity"},   {"status", "product_status"},
	    {"img_500x500", "image_url"},  {"date_released", "release_date"},
	};
	const json_t *service = json_object_get(object, "service");
	const char *further;

	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		set_field(row, same[i][1], json_object_get(object, same[i][0]));
	set_field(row, "product_description",
		  first_text(json_object_get(object, "description"),
			     json_object_get(object, "short_description")));
	set_price(row, json_object_get(object, "price"));
	set_field(row, "service_type", json_object_get(service, "type"));
	set_field(row, "duration_minutes", json_object_get(service, "duration_minutes"));
	set_field(row, "delivery_mode", json_object_get(service, "delivery_mode"));
	set_field(row, "lead_time_days", json_object_get(service, "lead_time_days"));
	further = choose_ean(row, json_object_get(object, "ean"),
			     &row->raw[load_entity_column(row->entity, "ean")]);
	struct str *ean = &row->raw[load_entity_column(row->entity, "ean")];

	if (ean->data)
		*ean = (struct str){arena_strndup(&row->arena, ean->data, ean->len), ean->len};
	set_specifications(row, object, further);
	set_category(row, object, c);
}

int load_product_parse(struct load_row *row, struct str line, struct categorizer *c,
		       struct err *err)
{
	struct strbuf repaired = STRBUF_INIT(4 * LOAD_LINE_MAX);
	json_error_t error = {0};
	json_t *object;

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
	set_fields(row, object, c);
	json_decref(object);
	return 0;
}
