/*
 * Cleaning one row: each value by the kind of its column, then what holds between columns. Findings
 * point into memory of the row; the caller writes them out before the next row begins. A rejected
 * row is still cleaned to its end, so that one look at the log shows all that is wrong with it.
 */
#include "shop/load_int.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/banned.h"

#define EXTERNAL_STOCK_MAX 250 /* derived stock: 1 to this, and 0 for one product in twelve */
#define STOCK_EMPTY_EVERY  12
#define JSON_DEEP_MAX	   16

void load_row_done(struct load_row *row)
{
	strbuf_done(&row->text);
	strbuf_done(&row->scratch);
	strbuf_done(&row->json);
	clean_done(&row->clean);
	arena_done(&row->arena);
	map_done(&row->unknown);
	arena_done(&row->file_arena);
	mem_free(row->findings);
}

void load_row_begin(struct load_row *row, const struct load_file *file, uint64_t line)
{
	if (row->file != file) {
		map_done(&row->unknown);
		arena_clear(&row->file_arena);
	}
	row->file = file;
	row->entity = load_entity_get(file->entity);
	row->line = line;
	memset(row->raw, 0, sizeof(row->raw));
	row->n_findings = 0;
	row->is_rejected = row->is_json_clean = false;
	row->category = NULL;
	strbuf_clear(&row->text);
	strbuf_clear(&row->json);
	if (row->arena.used_bytes)
		arena_clear(&row->arena);
}

static struct str keep(struct load_row *row, struct str s)
{
	if (!s.data)
		return s;
	return arena_str(&row->arena, s);
}

void load_row_find(struct load_row *row, enum quality_rule_id rule, const char *column,
		   struct str before, struct str after)
{
	mem_grow(&row->findings, &row->cap_findings, row->n_findings + 1, sizeof(*row->findings));
	row->findings[row->n_findings++] =
	    (struct load_finding){rule, column, keep(row, before), keep(row, after)};
	row->is_rejected |= quality_rule_get(rule)->is_rejection;
}

struct str load_row_value(const struct load_row *row, size_t column)
{
	const struct load_cell *cell = &row->cells[column];

	if (cell->is_null)
		return (struct str){NULL, 0};
	return (struct str){strbuf_str(&row->text) + cell->at, cell->len};
}

/* What the cleaning of one value works on. */
struct value {
	struct load_row *row;
	struct load_names *names;
	const struct load_column *column;
	struct load_cell *cell;
	struct str raw;	 /* from the feed */
	struct str text; /* after clean_text(), in row->scratch */
};

static struct str added(const struct value *v)
{
	return (struct str){strbuf_str(&v->row->text) + v->cell->at,
			    v->row->text.len - v->cell->at};
}

static void find(const struct value *v, enum quality_rule_id rule, bool to_null)
{
	load_row_find(v->row, rule, v->column->name, v->raw,
		      to_null ? (struct str){NULL, 0} : added(v));
}

/* The value is not usable: `rule` when something has to be there, VALUE_DROPPED or `drop` else. */
static void refuse(struct value *v, enum quality_rule_id rule, enum quality_rule_id drop)
{
	strbuf_truncate(&v->row->text, v->cell->at);
	if (v->column->flags & LOAD_REQUIRED) {
		find(v, rule, true);
	} else if (v->column->fallback && v->column->kind != LOAD_KIND_CATEGORY) {
		strbuf_addstr(&v->row->text, v->column->fallback);
		find(v, drop, false);
	} else {
		v->cell->is_null = true;
		find(v, drop, true);
	}
}

static void accept(struct value *v, enum clean_result result, enum quality_rule_id corrected,
		   enum quality_rule_id bad, enum quality_rule_id drop)
{
	if (result == CLEAN_CORRECTED)
		find(v, corrected, false);
	else if (result == CLEAN_BAD)
		refuse(v, bad, drop);
}

static void clean_key(struct value *v)
{
	bool ok = v->text.len <= LOAD_KEY_MAX;

	for (size_t i = 0; i < v->text.len && ok; i++) {
		char c = v->text.data[i];

		ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		     strchr("._:/-", c);
	}
	strbuf_add(&v->row->text, v->text.data, v->text.len);
	if (!ok)
		refuse(v, QUALITY_KEY_INVALID, QUALITY_VALUE_DROPPED);
}

static void clean_when(struct value *v, const char *today)
{
	size_t i = (size_t)(v->column - v->row->entity->columns);
	bool time = v->column->kind == LOAD_KIND_DATETIME;
	struct clean_date d;

	if (!clean_date_parse(v->text, v->row->file->order[i], &d)) {
		refuse(v, QUALITY_DATE_INVALID, QUALITY_VALUE_DROPPED);
		return;
	}
	clean_date_format(&d, time, &v->row->text);
	if ((v->column->flags & LOAD_PAST) && memcmp(added(v).data, today, 10) > 0)
		refuse(v, QUALITY_DATE_INVALID, QUALITY_DATE_FUTURE);
	else if (d.is_ambiguous)
		find(v, QUALITY_DATE_AMBIGUOUS, false);
}

static void out_of_range(struct value *v)
{
	enum quality_rule_id rule = v->column->range_rule;

	if (rule == QUALITY_STOCK_NEGATIVE) {
		strbuf_addstr(&v->row->text, "0");
		find(v, rule, false);
	} else {
		refuse(v, rule && rule != QUALITY_VALUE_DROPPED ? rule : QUALITY_VALUE_RANGE,
		       QUALITY_VALUE_DROPPED);
	}
}

static void clean_number(struct value *v)
{
	bool amount = v->column->kind == LOAD_KIND_AMOUNT;
	int64_t n = 0;
	enum clean_result result = amount ? clean_decimal(v->text, &n) : clean_integer(v->text, &n);

	if (result == CLEAN_BAD) {
		refuse(v, QUALITY_NUMBER_INVALID, QUALITY_VALUE_DROPPED);
		return;
	}
	if (v->column->range_rule == QUALITY_STOCK_NEGATIVE && n > v->column->high) {
		v->cell->is_null = true; /* a stock is derived, as without one */
		find(v, QUALITY_VALUE_DROPPED, true);
		return;
	}
	if (n < v->column->low || n > v->column->high) {
		if (v->column->range_rule == QUALITY_PRICE_NEGATIVE && n > 0)
			refuse(v, QUALITY_VALUE_RANGE, QUALITY_VALUE_DROPPED);
		else
			out_of_range(v);
		return;
	}
	if (amount)
		strbuf_addf(&v->row->text, "%" PRId64 ".%02d", n / 100, (int)(n % 100));
	else
		strbuf_addf(&v->row->text, "%" PRId64, n);
	if (result == CLEAN_CORRECTED)
		find(v, QUALITY_NUMBER_FORMAT, false);
}

static int clean_supplier(struct value *v, struct err *err)
{
	const char *spelling;
	int r = load_names_supplier(v->names, v->text, &spelling, err);

	if (r < 0)
		return r;
	strbuf_addstr(&v->row->text, spelling);
	if (!str_equal(v->text, str_from(spelling)))
		find(v, QUALITY_SUPPLIER_SPELLING, false);
	return 0;
}

static int clean_category(struct value *v, struct err *err)
{
	struct load_category *c;
	int r = load_names_category(v->names, v->text, &c, err);

	if (r < 0)
		return r;
	if (!c) {
		find(v, QUALITY_CATEGORY_INVALID, true);
		return 0;
	}
	v->row->category = c;
	strbuf_addstr(&v->row->text, c->slug);
	if (!str_equal(v->text, str_from(c->path)))
		load_row_find(v->row, QUALITY_CATEGORY_FORMAT, v->column->name, v->raw,
			      str_from(c->path));
	return 0;
}

static size_t json_depth(json_t *v)
{
	size_t deepest = 0;
	const char *key;
	json_t *item;
	size_t i;

	json_object_foreach(v, key, item)
	{
		size_t n = json_depth(item);

		deepest = n > deepest ? n : deepest;
	}
	json_array_foreach(v, i, item)
	{
		size_t n = json_depth(item);

		deepest = n > deepest ? n : deepest;
	}
	return deepest + 1;
}

bool load_json_is_deep(json_t *json)
{
	return json_depth(json) > JSON_DEEP_MAX;
}

static void clean_json(struct value *v)
{
	json_error_t error;
	json_t *json;
	char *text;

	if (v->row->is_json_clean) {
		strbuf_add(&v->row->text, v->raw.data, v->raw.len);
		return;
	}
	json = json_loadb(v->text.data, v->text.len, JSON_REJECT_DUPLICATES, &error);
	text = json_is_object(json) && !load_json_is_deep(json)
		   ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15))
		   : NULL;
	json_decref(json);
	if (text)
		strbuf_addstr(&v->row->text, text);
	else
		refuse(v, QUALITY_JSON_INVALID, QUALITY_JSON_INVALID);
	mem_free(text);
}

static void clean_phone_value(struct value *v)
{
	enum clean_result result = clean_phone(v->text, &v->row->text);

	if (result != CLEAN_BAD && added(v).len > v->column->max)
		result = CLEAN_BAD;
	accept(v, result, QUALITY_PHONE_FORMAT, QUALITY_VALUE_DROPPED, QUALITY_VALUE_DROPPED);
}

/* By kind; the value is not empty. */
static int clean_kind(struct value *v, const char *today, struct err *err)
{
	struct strbuf *out = &v->row->text;

	switch (v->column->kind) {
	case LOAD_KIND_KEY:
	case LOAD_KIND_REF:
		clean_key(v);
		break;
	case LOAD_KIND_TEXT:
	case LOAD_KIND_LINES:
		strbuf_add(out, v->text.data, v->text.len);
		break;
	case LOAD_KIND_EMAIL:
		accept(v, clean_email(v->text, out), QUALITY_EMAIL_REPAIRED,
		       QUALITY_EMAIL_MALFORMED, QUALITY_EMAIL_MALFORMED);
		break;
	case LOAD_KIND_PHONE:
		clean_phone_value(v);
		break;
	case LOAD_KIND_DATE:
	case LOAD_KIND_DATETIME:
		clean_when(v, today);
		break;
	case LOAD_KIND_INT:
	case LOAD_KIND_AMOUNT:
		clean_number(v);
		break;
	case LOAD_KIND_CHOICE:
		accept(v, clean_choice(v->text, v->column->choices, out), QUALITY_CHOICE_FORMAT,
		       QUALITY_CHOICE_UNKNOWN, QUALITY_CHOICE_UNKNOWN);
		break;
	case LOAD_KIND_COUNTRY:
		accept(v, clean_country(v->text, out), QUALITY_CODE_FORMAT, QUALITY_CODE_INVALID,
		       QUALITY_VALUE_DROPPED);
		break;
	case LOAD_KIND_CURRENCY:
		accept(v, clean_currency(v->text, out), QUALITY_CODE_FORMAT, QUALITY_CODE_INVALID,
		       QUALITY_VALUE_DROPPED);
		break;
	case LOAD_KIND_LOCALE:
		accept(v, clean_locale(v->text, out), QUALITY_CODE_FORMAT, QUALITY_CODE_INVALID,
		       QUALITY_VALUE_DROPPED);
		break;
	case LOAD_KIND_EAN:
		accept(v, clean_ean(v->text, out), QUALITY_EAN_FORMAT, QUALITY_EAN_INVALID,
		       QUALITY_EAN_INVALID);
		break;
	case LOAD_KIND_JSON:
		clean_json(v);
		break;
	case LOAD_KIND_SUPPLIER:
		return clean_supplier(v, err);
	case LOAD_KIND_CATEGORY:
		return clean_category(v, err);
	}
	return 0;
}

/* Cleans the characters of the value into row->scratch and says what it did. */
static void clean_characters(struct value *v)
{
	static const enum quality_rule_id rules[] = {QUALITY_TEXT_ENCODING, QUALITY_TEXT_HTML,
						     QUALITY_TEXT_CONTROL,  QUALITY_TEXT_SPACE,
						     QUALITY_TEXT_NORMAL,   QUALITY_TEXT_LONG};
	bool is_text = v->column->kind == LOAD_KIND_TEXT || v->column->kind == LOAD_KIND_LINES;
	struct clean_text_options options = {
	    .html = is_text,
	    .lines = v->column->kind == LOAD_KIND_LINES,
	    .max_chars = is_text || v->column->kind == LOAD_KIND_SUPPLIER ? v->column->max : 0,
	    .max_bytes = v->column->kind == LOAD_KIND_LINES ? 65535 : 0, /* TEXT */
	};
	unsigned changes;

	strbuf_clear(&v->row->scratch);
	changes = clean_text(&v->row->clean, v->raw, &options, &v->row->scratch);
	v->text = strbuf_slice(&v->row->scratch);
	if (!v->text.len)
		return; /* nothing but white space is no value */
	for (size_t i = 0; changes && i < ARRAY_LEN(rules); i++) {
		if (changes & (1U << i))
			load_row_find(v->row, rules[i], v->column->name, v->raw, v->text);
	}
}

static int empty_value(struct value *v, struct err *err)
{
	if (v->column->kind == LOAD_KIND_CATEGORY && v->column->fallback) {
		v->cell->is_given = false;
		v->raw = v->text = str_from(v->column->fallback);
		return clean_category(v, err);
	}
	if (v->column->flags & LOAD_REQUIRED) {
		load_row_find(v->row, QUALITY_VALUE_MISSING, v->column->name, v->raw,
			      (struct str){NULL, 0});
	} else if (v->column->fallback) {
		strbuf_addstr(&v->row->text, v->column->fallback);
		v->cell->is_given = false;
	} else {
		v->cell->is_null = true;
		if (v->column->kind == LOAD_KIND_EMAIL && v->cell->is_given &&
		    v->row->entity->id == LOAD_CUSTOMERS)
			load_row_find(v->row, QUALITY_EMAIL_MISSING, v->column->name,
				      (struct str){NULL, 0}, (struct str){NULL, 0});
	}
	return 0;
}

static int clean_value(struct load_row *row, struct load_names *names, size_t i, const char *today,
		       struct err *err)
{
	struct value v = {.row = row,
			  .names = names,
			  .column = &row->entity->columns[i],
			  .cell = &row->cells[i],
			  .raw = row->raw[i]};
	int r = 0;

	*v.cell = (struct load_cell){.at = row->text.len, .is_given = v.raw.data != NULL};
	if (v.raw.len && v.column->kind == LOAD_KIND_JSON && row->is_json_clean)
		v.text = v.raw;
	else if (v.raw.len)
		clean_characters(&v);
	r = v.text.len ? clean_kind(&v, today, err) : empty_value(&v, err);
	v.cell->is_given |= (v.column->flags & LOAD_ALWAYS) != 0;
	v.cell->len = row->text.len - v.cell->at;
	return r;
}

static void set_null(struct load_row *row, size_t column)
{
	row->cells[column].is_null = true;
	row->cells[column].len = 0;
}

/* A stock for products whose feed has none: the same on every machine and in every load. */
static void derive_stock(struct load_row *row, size_t stock)
{
	uint64_t h = map_hash(load_row_value(row, 0));
	unsigned n = h % STOCK_EMPTY_EVERY == 0 ? 0 : 1 + (unsigned)((h >> 8) % EXTERNAL_STOCK_MAX);

	row->cells[stock].at = row->text.len;
	strbuf_addf(&row->text, "%u", n);
	row->cells[stock].len = row->text.len - row->cells[stock].at;
	row->cells[stock].is_null = row->cells[stock].is_given = false;
}

static void check_product(struct load_row *row)
{
	static const char *const details[] = {"service_type", "duration_minutes", "delivery_mode"};
	const struct load_entity *e = row->entity;
	size_t stock = load_entity_column(e, "stock_quantity");
	struct str kind = load_row_value(row, load_entity_column(e, "product_kind"));
	size_t first = load_entity_column(e, "service_type");

	if (!str_equal(kind, str_from("service"))) {
		for (size_t i = first; i < e->n_columns; i++) {
			if (row->cells[i].is_given && !row->cells[i].is_null)
				load_row_find(row, QUALITY_VALUE_DROPPED, e->columns[i].name,
					      load_row_value(row, i), (struct str){NULL, 0});
			set_null(row, i);
		}
		if (row->cells[stock].is_null)
			derive_stock(row, stock);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		if (row->cells[load_entity_column(e, details[i])].is_null)
			load_row_find(row, QUALITY_SERVICE_INCOMPLETE, details[i],
				      (struct str){NULL, 0}, (struct str){NULL, 0});
	}
	if (!row->cells[stock].is_null) {
		load_row_find(row, QUALITY_SERVICE_STOCK, "stock_quantity",
			      load_row_value(row, stock), (struct str){NULL, 0});
		set_null(row, stock);
	}
}

int load_row_clean(struct load_row *row, struct load_names *names, const char *today,
		   struct err *err)
{
	for (size_t i = 0; i < row->entity->n_columns; i++) {
		int r = clean_value(row, names, i, today, err);

		if (r < 0)
			return r;
	}
	if (row->entity->id == LOAD_PRODUCTS)
		check_product(row);
	for (struct load_category *c = row->is_rejected ? NULL : row->category; c; c = c->parent)
		c->is_used = true;
	return 0;
}
