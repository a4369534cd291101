/*
 * Keys: canonical bytes to column values, to _id and back. The bytes themselves are made by SQL
 * (mapping_add_key), in triggers and queries alike.
 *
 * _id has the key's own type where two keys can never meet in it: integers int64 (Decimal128 above
 * 2^63-1), decimals Decimal128, binary columns binary; texts, dates and times are strings of the
 * key's bytes, and so is every composite key.
 */
#include "mapping/mapping_int.h"

#include <inttypes.h>

#include "base/banned.h"

void mapping_keys_done(struct mapping_keys *k)
{
	mem_free(k->items);
	*k = (struct mapping_keys){0};
}

void mapping_key_columns(const struct mapping *m, const struct schema_column **ret)
{
	for (size_t i = 0; i < m->root->n_links; i++)
		ret[i] = &m->root->links[i].child_column;
}

/* --- parts ------------------------------------------------------------------------------------ */

static bool hex_value(char c, unsigned *ret)
{
	if (c >= '0' && c <= '9')
		*ret = (unsigned)(c - '0');
	else if (c >= 'A' && c <= 'F')
		*ret = (unsigned)(c - 'A' + 10);
	else
		return false;
	return true;
}

/* Takes %25 and %3A back; nothing else is ever escaped. */
static bool unescape(struct str part, struct arena *arena, struct str *ret)
{
	char *out = arena_alloc(arena, part.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < part.len; i++) {
		char c = part.data[i];

		if (c == '%') {
			if (i + 2 >= part.len)
				return false;
			if (memcmp(part.data + i, "%25", 3) == 0)
				c = '%';
			else if (memcmp(part.data + i, "%3A", 3) == 0)
				c = ':';
			else
				return false;
			i += 2;
		}
		out[n++] = c;
	}
	*ret = (struct str){out, n};
	return true;
}

static bool is_canonical_int(struct str s)
{
	size_t first = s.len && *s.data == '-';

	if (s.len == first || s.len > first + 20)
		return false;
	for (size_t i = first; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	}
	return s.data[first] != '0' || s.len == 1;
}

static bool consists_of(struct str s, const char *characters)
{
	for (size_t k = 0; k < s.len; k++) {
		if (!s.data[k] || !strchr(characters, s.data[k]))
			return false;
	}
	return true;
}

/* Whether a column of this type can have the value; only then it is sent to the server. */
static bool is_value(struct str s, const struct schema_column *c)
{
	uint64_t u;
	int64_t i;

	switch (c->type) {
	case SCHEMA_INT:
		return is_canonical_int(s) &&
		       (parse_int64(s, INT64_MIN, INT64_MAX, &i, NULL) == 0 ||
			parse_uint64(s, UINT64_MAX, &u, NULL) == 0);
	case SCHEMA_DECIMAL:
		return s.len > 0 && s.len < 70 && consists_of(s, "0123456789.-");
	case SCHEMA_BYTES:
		return s.len % 2 == 0 && consists_of(s, "0123456789ABCDEF");
	case SCHEMA_DATE:
	case SCHEMA_DATETIME:
	case SCHEMA_TIME:
		return s.len > 0 && s.len < 33 && consists_of(s, "0123456789-:. ");
	case SCHEMA_TEXT:
	case SCHEMA_DOUBLE:
	case SCHEMA_JSON:
	case SCHEMA_OTHER:
		break;
	}
	return utf8_is_valid(s.data, s.len);
}

bool mapping_key_split(struct str key, const struct schema_column *const *columns, size_t n,
		       struct arena *arena, struct str *ret)
{
	if (!key.data)
		key.data = "";
	if (n == 1) {
		ret[0] = key;
		return is_value(key, columns[0]);
	}
	for (size_t i = 0; i < n; i++) {
		const char *end = key.len ? memchr(key.data, ':', key.len) : NULL;
		struct str part = {key.data, end ? (size_t)(end - key.data) : key.len};

		if (!end != (i + 1 == n) || !unescape(part, arena, &ret[i]) ||
		    !is_value(ret[i], columns[i]))
			return false;
		key.data += part.len + (end != NULL);
		key.len -= part.len + (end != NULL);
	}
	return true;
}

static struct str from_hex(struct str hex, struct arena *arena)
{
	char *out = arena_alloc(arena, hex.len / 2 + 1);

	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		unsigned high = 0, low = 0;

		(void)hex_value(hex.data[i], &high);
		(void)hex_value(hex.data[i + 1], &low);
		out[i / 2] = (char)(high << 4 | low);
	}
	return (struct str){out, hex.len / 2};
}

struct maria_value mapping_key_value(struct str value, const struct schema_column *c,
				     struct arena *arena)
{
	uint64_t u;
	int64_t i;

	if (c->type == SCHEMA_BYTES)
		return MARIA_B(from_hex(value, arena));
	if (c->type != SCHEMA_INT)
		return MARIA_STR(value);
	if (parse_int64(value, INT64_MIN, INT64_MAX, &i, NULL) == 0)
		return MARIA_I(i);
	if (parse_uint64(value, UINT64_MAX, &u, NULL) == 0)
		return MARIA_U(u);
	return MARIA_N;
}

/* --- _id -------------------------------------------------------------------------------------- */

static int not_a_key(const struct mapping *m, struct err *err)
{
	return err_set(err, ERR_DOCUMENT, "no row of table \"%s\" can have such a key",
		       m->root->tables[0].name);
}

static enum mapping_convert id_convert(const struct mapping *m)
{
	const struct schema_column *c = &m->root->links[0].child_column;

	if (m->root->n_links > 1)
		return CONVERT_STRING;
	switch (c->type) {
	case SCHEMA_INT:
		return CONVERT_INT;
	case SCHEMA_DECIMAL:
		return CONVERT_DECIMAL;
	case SCHEMA_BYTES:
		return CONVERT_BINARY;
	case SCHEMA_DOUBLE:
	case SCHEMA_TEXT:
	case SCHEMA_JSON:
	case SCHEMA_DATE:
	case SCHEMA_DATETIME:
	case SCHEMA_TIME:
	case SCHEMA_OTHER:
		break;
	}
	return CONVERT_STRING;
}

int mapping_key_append(const struct mapping *m, struct str key, bson_t *doc, const char *field,
		       struct err *err)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX] = {0};
	enum mapping_convert convert = id_convert(m);
	struct str parts[MAPPING_KEY_COLUMNS_MAX];
	struct arena arena = {0};
	int r;

	mapping_key_columns(m, columns);
	if (!mapping_key_split(key, columns, m->root->n_links, &arena, parts)) {
		r = not_a_key(m, err);
	} else {
		if (convert == CONVERT_BINARY)
			key = from_hex(key, &arena);
		else if (!key.data)
			key.data = "";
		r = mapping_append_value(doc, field, -1, convert, key, err);
	}
	arena_done(&arena);
	return r;
}

const char *mapping_id_type(const struct mapping *m)
{
	enum mapping_convert convert = id_convert(m);

	if (convert == CONVERT_INT || convert == CONVERT_DECIMAL)
		return "number";
	return convert == CONVERT_BINARY ? "binData" : "string";
}

static struct str hex_of(struct arena *arena, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = arena_alloc(arena, len * 2 + 1);

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	return (struct str){out, len * 2};
}

/* "1E-8" as MariaDB writes it: 0.00000001. Nothing for what no column can hold. */
static struct str plain_decimal(const char *text, struct arena *arena)
{
	const char *e = strchr(text, 'E'), *digits = text + (*text == '-');
	struct strbuf b = STRBUF_INIT(0);
	struct str ret = {NULL, 0};
	size_t n = 0, scale;
	int64_t exponent;

	if (!e)
		return str_from(arena_strdup(arena, text));
	if (parse_int64(str_from(e + 1 + (e[1] == '+')), -70, -1, &exponent, NULL) < 0)
		return ret;
	for (const char *p = digits; p < e; p++)
		n += *p != '.';
	scale = (size_t)-exponent + n - 1;
	strbuf_addstr(&b, *text == '-' ? "-0." : "0.");
	for (size_t i = n; i < scale; i++)
		strbuf_addch(&b, '0');
	for (const char *p = digits; p < e; p++) {
		if (*p != '.')
			strbuf_addch(&b, *p);
	}
	ret = arena_str(arena, strbuf_slice(&b));
	strbuf_done(&b);
	return ret;
}

static bool decimal_text(const bson_iter_t *id, struct arena *arena, struct str *ret)
{
	char text[BSON_DECIMAL128_STRING];
	bson_decimal128_t d;

	if (!bson_iter_decimal128(id, &d))
		return false;
	bson_decimal128_to_string(&d, text);
	*ret = plain_decimal(text, arena);
	return ret->data != NULL;
}

static bool id_text(enum mapping_convert convert, const bson_iter_t *id, struct arena *arena,
		    struct str *ret)
{
	bson_type_t type = bson_iter_type(id);
	bson_subtype_t subtype;
	const uint8_t *bytes;
	const char *text;
	uint32_t len;

	if (convert == CONVERT_INT && type == BSON_TYPE_INT64) {
		*ret = str_from(arena_printf(arena, "%" PRId64, bson_iter_int64(id)));
		return true;
	}
	if ((convert == CONVERT_INT || convert == CONVERT_DECIMAL) && type == BSON_TYPE_DECIMAL128)
		return decimal_text(id, arena, ret);
	if (convert == CONVERT_BINARY && type == BSON_TYPE_BINARY) {
		bson_iter_binary(id, &subtype, &len, &bytes);
		*ret = hex_of(arena, bytes, len);
		return subtype == BSON_SUBTYPE_BINARY;
	}
	if (convert == CONVERT_STRING && type == BSON_TYPE_UTF8) {
		text = bson_iter_utf8(id, &len);
		*ret = arena_str(arena, (struct str){text, len});
		return true;
	}
	return false;
}

int mapping_key_of_id(const struct mapping *m, const bson_iter_t *id, struct arena *arena,
		      struct str *ret, struct err *err)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX] = {0};
	struct str parts[MAPPING_KEY_COLUMNS_MAX], key;
	bson_t again = BSON_INITIALIZER;
	bson_iter_t iter;
	bool is_same;

	mapping_key_columns(m, columns);
	if (!id_text(id_convert(m), id, arena, &key) || key.len > MAPPING_KEY_MAX ||
	    !mapping_key_split(key, columns, m->root->n_links, arena, parts))
		return not_a_key(m, err);
	/* Only the one _id that this key gets: not a Decimal128 of a small number. */
	is_same = mapping_key_append(m, key, &again, "_id", NULL) == 0 &&
		  bson_iter_init_find(&iter, &again, "_id") &&
		  bson_iter_type(&iter) == bson_iter_type(id);
	bson_destroy(&again);
	if (!is_same)
		return not_a_key(m, err);
	*ret = key;
	return 0;
}

/* --- as typed --------------------------------------------------------------------------------- */

/* "007" is 7; "ab0f" is AB0F; the rest is taken as it is. */
static void canonical_part(struct strbuf *b, struct str part, const struct schema_column *c)
{
	uint64_t u;
	int64_t i;

	if (c->type == SCHEMA_INT && parse_int64(part, INT64_MIN, INT64_MAX, &i, NULL) == 0) {
		strbuf_addf(b, "%" PRId64, i);
	} else if (c->type == SCHEMA_INT && parse_uint64(part, UINT64_MAX, &u, NULL) == 0) {
		strbuf_addf(b, "%" PRIu64, u);
	} else if (c->type == SCHEMA_BYTES) {
		for (size_t k = 0; k < part.len; k++) {
			char h = part.data[k];

			strbuf_addch(b, h >= 'a' && h <= 'f' ? (char)(h - 'a' + 'A') : h);
		}
	} else {
		strbuf_add(b, part.data, part.len);
	}
}

int mapping_key_parse(const struct mapping *m, const char *text, struct arena *arena,
		      struct str *ret, struct err *err)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX] = {0};
	struct str parts[MAPPING_KEY_COLUMNS_MAX], rest = str_from(text);
	struct strbuf b = STRBUF_INIT(MAPPING_KEY_MAX);
	size_t n = m->root->n_links;
	int r = 0;

	mapping_key_columns(m, columns);
	for (size_t i = 0; i < n; i++) {
		const char *end = i + 1 < n && rest.len ? memchr(rest.data, ':', rest.len) : NULL;
		struct str part = {rest.data, end ? (size_t)(end - rest.data) : rest.len};

		strbuf_addstr(&b, i ? ":" : "");
		canonical_part(&b, part, columns[i]);
		rest.data += part.len + (end != NULL);
		rest.len -= part.len + (end != NULL);
	}
	if (b.overflow || !mapping_key_split(strbuf_slice(&b), columns, n, arena, parts)) {
		r = err_set(err, ERR_INVALID_ARGUMENT, "\"%.100s\" is no key of table \"%s\"", text,
			    m->root->tables[0].name);
		err_hint(err,
			 n > 1 ? "its %zu parts are joined by \":\"; in a part write %%3A for \":\""
				 " and %%25 for \"%%\""
			       : "its key has %zu column: one value is wanted",
			 n);
	} else {
		*ret = arena_str(arena, strbuf_slice(&b));
	}
	strbuf_done(&b);
	return r;
}
