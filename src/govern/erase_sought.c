/*
 * The texts by which copies of a person's data are found: see erase.h.
 *
 * A text is searched for when it alone tells who somebody is: an e-mail address, a telephone
 * number, all parts of a name together, a street, the key of a feed, what they wrote. A town or a
 * first name is everybody's. The least lengths below are where that begins; what is shorter is
 * kept, too, so that the certificate can say how much was not searched for.
 */
#include "govern/erase_int.h"

#include "govern/access_int.h"

#include "base/file.h"
#include "govern/privacy.h"
#include "shop/clean.h"

#include <sodium.h>

#include "base/banned.h"

#define WRITTEN_MAX 160 /* bytes: the begin of what somebody wrote is enough to find it */

static const uint8_t least[ERASE_KINDS] = {
    /* Of a name, all parts together; a single one is told apart by NAME_ALONE. */
    [ERASE_EMAIL] = 6,	 [ERASE_PHONE] = ERASE_DIGITS_MIN,
    [ERASE_NAME] = 4,	 [ERASE_KEY] = 3,
    [ERASE_ADDRESS] = 8, [ERASE_WRITTEN] = 24,
    [ERASE_OTHER] = 6,
};
#define NAME_ALONE 6

void erase_sought_done(struct erase_sought *s)
{
	mem_free(s->texts);
	mem_free(s->documents);
	arena_done(&s->arena);
	*s = (struct erase_sought){0};
}

const char *erase_left_out_name(enum erase_left_out why)
{
	static const char *const names[ERASE_LEFT_OUTS] = {"searched", "shared", "too short",
							   "a bare number"};

	return names[why];
}

/* --- texts ----------------------------------------------------------------------------------- */

struct str erase_begin_of(struct str text)
{
	text = str_trim(text);
	if (text.len <= WRITTEN_MAX)
		return text;
	text.len = WRITTEN_MAX;
	while (text.len && ((unsigned char)text.data[text.len] & 0xC0) == 0x80)
		text.len--; /* not in the middle of a character */
	return text;
}

/* By what is compared: signs that are not seen make nothing longer. */
static enum erase_left_out judge(enum erase_kind kind, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf folded = STRBUF_INIT(0), digits = STRBUF_INIT(0);
	size_t len, min = least[kind];

	erase_fold(&folded, text);
	erase_digits(&digits, text);
	len = kind == ERASE_PHONE ? digits.len : str_trim(strbuf_slice(&folded)).len;
	if (kind == ERASE_KEY && digits.len == len)
		return ERASE_NUMBER;
	/* A town is everybody's, even where one of these comes from there. */
	if (kind == ERASE_ADDRESS && !digits.len)
		return ERASE_SHORT;
	if (kind == ERASE_NAME && !memchr(text.data, ERASE_PART, text.len))
		min = NAME_ALONE;
	return len < min ? ERASE_SHORT : ERASE_SEARCHED;
}

void erase_sought_add(struct erase_sought *s, enum erase_kind kind, struct str text)
{
	struct str begin = erase_begin_of(text);

	if (!begin.len)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->texts[i].kind == kind && str_equal(s->texts[i].text, begin))
			return;
	mem_grow(&s->texts, &s->cap, s->n + 1, sizeof(*s->texts));
	s->texts[s->n++] =
	    (struct erase_text){.kind = kind,
				.text = arena_str(&s->arena, begin),
				.flags = begin.len < str_trim(text).len ? ERASE_CUT : 0,
				.left_out = judge(kind, begin)};
}

size_t erase_sought_count(const struct erase_sought *s, enum erase_left_out why)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->texts[i].left_out == why;
	return n;
}

struct erase_match *erase_sought_match(const struct erase_sought *s)
{
	struct erase_match *m = erase_match_new();

	for (size_t i = 0; i < s->n; i++)
		if (s->texts[i].left_out == ERASE_SEARCHED)
			(void)erase_match_add(m, s->texts[i].kind, s->texts[i].text,
					      s->texts[i].flags);
	return m;
}

/* Words of a text, with a blank before and behind each. */
static void add_words(struct strbuf *b, struct str text)
{
	strbuf_clear(b);
	strbuf_addch(b, ' ');
	clean_fold(text, b);
	strbuf_addch(b, ' ');
}

bool erase_sought_names(const struct erase_sought *s, struct str text)
{
	_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();
	_cleanup_(strbuf_done) struct strbuf in = STRBUF_INIT(0), words = STRBUF_INIT(0);

	add_words(&in, text);
	for (size_t i = 0; i < s->n; i++) {
		const struct erase_text *t = &s->texts[i];

		if (t->left_out == ERASE_NUMBER) /* so has a day, or a case */
			continue;
		(void)erase_match_add(m, t->kind, t->text, t->flags);
		add_words(&words, t->text);
		if (words.len > 2 && strstr(strbuf_str(&in), strbuf_str(&words)))
			return true;
	}
	erase_match_begin(m, ERASE_LINE);
	return erase_match_look(m, text) != ERASE_NONE;
}

/* --- from the rows --------------------------------------------------------------------------- */

static bool is_text(const struct schema_column *c)
{
	return c->type == SCHEMA_TEXT || c->type == SCHEMA_JSON;
}

static enum erase_kind kind_of_class(const char *class)
{
	static const struct {
		const char *class;
		enum erase_kind kind;
	} classes[] = {
	    {"email", ERASE_EMAIL},	{"phone", ERASE_PHONE},	      {"name", ERASE_NAME},
	    {"address", ERASE_ADDRESS}, {"free_text", ERASE_WRITTEN}, {"identifier", ERASE_KEY},
	};

	for (size_t i = 0; class && i < ARRAY_LEN(classes); i++)
		if (cstr_equal(class, classes[i].class))
			return classes[i].kind;
	return ERASE_NONE;
}

/* What a column holds that tells who somebody is; ERASE_NONE: nothing. Of other tables, keys are
 * those of orders and reviews, which is not who somebody is. */
static enum erase_kind kind_of(const struct eraser *e, const struct schema_table *t,
			       const struct schema_column *c)
{
	enum erase_kind kind = kind_of_class(access_class(e->a, t->name, c->name));

	if (kind == ERASE_KEY && !cstr_equal(t->name, e->a->subject_table))
		return ERASE_NONE;
	return is_text(c) || (kind == ERASE_PHONE && c->type == SCHEMA_INT) ? kind : ERASE_NONE;
}

/* "SELECT columns FROM table t WHERE t.key": those columns, whose kinds go to `kinds`, which has
 * room for all of the table. How many; with 0 the text means nothing. */
static size_t select_classed(const struct eraser *e, const struct schema_table *t,
			     enum erase_kind *kinds, struct strbuf *sql)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		enum erase_kind kind = kind_of(e, t, &t->columns[i]);

		if (kind == ERASE_NONE)
			continue;
		strbuf_addstr(sql, n ? ", t." : "SELECT t.");
		maria_add_identifier(sql, t->columns[i].name);
		kinds[n++] = kind;
	}
	strbuf_addstr(sql, " FROM ");
	maria_add_identifier(sql, t->name);
	strbuf_addstr(sql, " t WHERE t.");
	maria_add_identifier(sql, e->a->subject_key);
	return n;
}

/* A row's values; the columns of a name together, as one. */
static void each_text_of_row(const struct maria_rows *rows, const enum erase_kind *kinds, size_t n,
			     erase_text_fn fn, void *arg)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		struct str value = str_trim(maria_rows_str(rows, i));

		if (!value.len)
			continue;
		if (kinds[i] != ERASE_NAME) {
			fn(arg, kinds[i], value);
			continue;
		}
		if (name.len)
			strbuf_addch(&name, ERASE_PART);
		strbuf_add(&name, value.data, value.len);
	}
	if (name.len)
		fn(arg, ERASE_NAME, strbuf_slice(&name));
}

int erase_each_text(const struct eraser *e, const struct erase_rows_of *of, erase_text_fn fn,
		    void *arg, struct err *err)
{
	const struct schema_table *t = of->table;
	const struct maria_value params[] = {MARIA_S(of->subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX);
	_cleanup_(mem_freep) enum erase_kind *kinds = mem_alloc_array(t->n_columns, sizeof(*kinds));
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t n = select_classed(e, t, kinds, &sql);
	int r;

	if (!n)
		return 0;
	strbuf_addstr(&sql, of->is_others ? " <> ?" : " = ?");
	if (of->is_others) {
		strbuf_addstr(&sql, " AND EXISTS (SELECT 1 FROM ");
		maria_add_identifier(&sql, e->a->subject_table);
		strbuf_addstr(&sql, " s WHERE s.");
		maria_add_identifier(&sql, e->a->subject_key);
		strbuf_addstr(&sql, " = t.");
		maria_add_identifier(&sql, e->a->subject_key);
		strbuf_addch(&sql, ')');
	}
	r = strbuf_check(&sql, t->name, err);
	if (r == 0)
		r = maria_query(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		each_text_of_row(rows, kinds, n, fn, arg);
	return r;
}

static void add_text(void *arg, enum erase_kind kind, struct str text)
{
	erase_sought_add(arg, kind, text);
}

static void add_document(struct erase_sought *s, const char *collection, struct str key)
{
	mem_grow(&s->documents, &s->cap_documents, s->n_documents + 1, sizeof(*s->documents));
	s->documents[s->n_documents++] =
	    (struct erase_document){arena_strdup(&s->arena, collection), arena_str(&s->arena, key)};
}

/* The columns of a key as one would type it: "15", "a:b". */
static size_t add_key_columns(const struct eraser *e, const struct mapping *m, struct strbuf *sql)
{
	const struct schema_table *t = schema_find_table(e->schema, mapping_root_table(m));
	const char *column;
	size_t n = 0;

	for (; (column = mapping_key_column(m, n)); n++) {
		const struct schema_column *c = schema_find_column(t, column);

		strbuf_addstr(sql, n ? ", " : "SELECT ");
		strbuf_addstr(sql, c && c->type == SCHEMA_BYTES ? "HEX(" : "(");
		maria_add_identifier(sql, column);
		strbuf_addch(sql, ')');
	}
	return n;
}

static void add_part(struct strbuf *b, struct str part, bool is_escaped)
{
	for (size_t i = 0; i < part.len; i++) {
		if (is_escaped && (part.data[i] == ':' || part.data[i] == '%'))
			strbuf_addf(b, "%%%02X", (unsigned)(unsigned char)part.data[i]);
		else
			strbuf_addch(b, part.data[i]);
	}
}

static int read_documents(const struct eraser *e, const struct mapping *m, const char *subject,
			  struct erase_sought *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX),
					     key = STRBUF_INIT(0);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	const struct schema_table *t = schema_find_table(e->schema, mapping_root_table(m));
	size_t n;
	int r;

	if (!t || !schema_find_column(t, e->a->subject_key))
		return 0;
	n = add_key_columns(e, m, &sql);
	strbuf_addstr(&sql, " FROM ");
	maria_add_identifier(&sql, t->name);
	strbuf_addstr(&sql, " WHERE ");
	maria_add_identifier(&sql, e->a->subject_key);
	strbuf_addstr(&sql, " = ?");
	r = maria_query(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct str canonical;

		strbuf_clear(&key);
		for (size_t i = 0; i < n; i++) {
			strbuf_addstr(&key, i ? ":" : "");
			add_part(&key, maria_rows_str(rows, i), n > 1);
		}
		r = mapping_key_parse(m, strbuf_str(&key), &ret->arena, &canonical, err);
		if (r < 0)
			return r;
		add_document(ret, mapping_collection(m), canonical);
	}
	return r;
}

int erase_sought_read(const struct eraser *e, const char *subject, struct erase_sought *ret,
		      struct err *err)
{
	int r = privacy_check_subject(e->a, e->m, subject, err);

	for (size_t i = 0; i < e->schema->n_tables && r == 0; i++) {
		const struct schema_table *t = &e->schema->tables[i];

		if (!t->is_view && schema_find_column(t, e->a->subject_key))
			r = erase_each_text(e,
					    &(struct erase_rows_of){.table = t, .subject = subject},
					    add_text, ret, err);
	}
	for (size_t i = 0; i < e->mappings->len && r == 0; i++)
		r = read_documents(e, e->mappings->items[i], subject, ret, err);
	return r;
}

/* --- sealed ---------------------------------------------------------------------------------- */

static json_t *as_json(const struct erase_sought *s)
{
	json_t *texts = json_array(), *documents = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct erase_text *t = &s->texts[i];

		json_array_append_new(texts, json_pack("[s,s%,i,i]", erase_kind_name(t->kind),
						       t->text.data, t->text.len, (int)t->flags,
						       (int)t->left_out));
	}
	for (size_t i = 0; i < s->n_documents; i++)
		json_array_append_new(documents,
				      json_pack("[s,s%]", s->documents[i].collection,
						s->documents[i].key.data, s->documents[i].key.len));
	return json_pack("{s:o,s:o}", "texts", texts, "documents", documents);
}

void erase_sought_seal(const struct erase_sought *s, const unsigned char *key, struct strbuf *ret)
{
	_cleanup_(mem_freep) unsigned char *sealed = NULL;
	json_t *whole = as_json(s);
	char *text = json_dumps(whole, JSON_COMPACT);
	size_t len = strlen(text);
	size_t size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + len;

	sealed = mem_alloc(size);
	random_bytes(sealed, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const unsigned char *)text,
			      len, sealed, key);
	strbuf_add(ret, sealed, size);
	sodium_memzero(text, len);
	mem_free(text);
	json_decref(whole);
}

static int read_texts(const json_t *list, struct erase_sought *ret)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *kind_name, *text;
		enum erase_kind kind;
		size_t len, n = ret->n;
		int flags, left_out;

		if (json_unpack(item, "[s,s%,i,i]", &kind_name, &text, &len, &flags, &left_out) < 0)
			return -1;
		kind = erase_kind_find(kind_name);
		if (kind == ERASE_NONE || left_out < 0 || left_out >= ERASE_LEFT_OUTS)
			return -1;
		erase_sought_add(ret, kind, (struct str){text, len});
		if (ret->n == n)
			continue;
		ret->texts[n].flags = (unsigned)flags;
		ret->texts[n].left_out = (enum erase_left_out)left_out;
	}
	return 0;
}

/* As it was sealed before documents and kinds were: an array of [class, text, is it shared]. */
static int read_former(const json_t *list, struct erase_sought *ret)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *class, *text;
		enum erase_kind kind;
		size_t len, n = ret->n;
		int is_shared;

		if (json_unpack(item, "[s,s%,b]", &class, &text, &len, &is_shared) < 0)
			return -1;
		kind = kind_of_class(class);
		erase_sought_add(ret, kind == ERASE_NONE ? ERASE_OTHER : kind,
				 (struct str){text, len});
		if (ret->n > n && is_shared && ret->texts[n].left_out == ERASE_SEARCHED)
			ret->texts[n].left_out = ERASE_SHARED;
	}
	return 0;
}

static int read_sought(const json_t *whole, struct erase_sought *ret)
{
	const json_t *documents = json_object_get(whole, "documents");
	size_t i;
	json_t *item;

	if (json_is_array(whole))
		return read_former(whole, ret);
	if (!json_is_array(documents) || !json_is_array(json_object_get(whole, "texts")))
		return -1;
	json_array_foreach(documents, i, item)
	{
		const char *collection, *key;
		size_t len;

		if (json_unpack(item, "[s,s%]", &collection, &key, &len) < 0)
			return -1;
		add_document(ret, collection, (struct str){key, len});
	}
	return read_texts(json_object_get(whole, "texts"), ret);
}

int erase_sought_unseal(struct str sealed, const unsigned char *key, struct erase_sought *ret,
			struct err *err)
{
	const size_t extra = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
	const unsigned char *bytes = (const unsigned char *)sealed.data;
	_cleanup_(mem_freep) unsigned char *text = NULL;
	json_t *whole = NULL;
	int bad = -1;

	if (sealed.len > extra) {
		text = mem_alloc(sealed.len);
		bad = crypto_secretbox_open_easy(text, bytes + crypto_secretbox_NONCEBYTES,
						 sealed.len - crypto_secretbox_NONCEBYTES, bytes,
						 key);
	}
	if (bad == 0) {
		whole = json_loadb((const char *)text, sealed.len - extra, JSON_ALLOW_NUL, NULL);
		bad = whole ? read_sought(whole, ret) : -1;
		json_decref(whole);
	}
	if (bad == 0)
		return 0;
	(void)err_set(err, ERR_CORRUPTED,
		      "what was to be searched for is sealed with another key than that of "
		      "\"secrets/erasure\", or is damaged");
	return err_hint(err, "go on where the erasure was begun, or copy that file here");
}

void erase_fingerprint(const unsigned char *key, struct str text, char ret[65])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, ERASE_KEY_SIZE);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.data, text.len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_bin2hex(ret, 65, mac, sizeof(mac));
}
