/*
 * The texts by which copies of a person's data are found: see erase.h.
 *
 * A text is searched for when it alone tells who somebody is: an e-mail address, a telephone
 * number, both names together, a street, the key of a feed, what they wrote. A town or a first name
 * is everybody's. The least lengths below are where that begins; a shorter text would be found by
 * chance in the bytes of an index.
 */
#include "govern/erase_int.h"

#include "govern/access_int.h"

#include "base/file.h"
#include "govern/privacy.h"

#include <sodium.h>

#include "base/banned.h"

#define IDENTIFIER_MIN 3 /* bytes */
#define TEXT_MIN       6
#define ADDRESS_MIN    8
#define WRITTEN_MIN    24  /* of what somebody wrote: less is said by many */
#define WRITTEN_MAX    160 /* its begin is enough to find it */

void erase_sought_done(struct erase_sought *s)
{
	mem_free(s->texts);
	arena_done(&s->arena);
	*s = (struct erase_sought){0};
}

static size_t least(const char *pii)
{
	if (cstr_equal(pii, "identifier"))
		return IDENTIFIER_MIN;
	if (cstr_equal(pii, "address"))
		return ADDRESS_MIN;
	return cstr_equal(pii, "free_text") ? WRITTEN_MIN : TEXT_MIN;
}

/* Not in the middle of a character. */
static struct str begin_of(struct str text)
{
	if (text.len <= WRITTEN_MAX)
		return text;
	text.len = WRITTEN_MAX;
	while (text.len && ((unsigned char)text.data[text.len] & 0xC0) == 0x80)
		text.len--;
	return text;
}

void erase_sought_add(struct erase_sought *s, const char *pii, struct str text)
{
	text = begin_of(str_trim(text));
	if (text.len < least(pii))
		return;
	for (size_t i = 0; i < s->n; i++)
		if (str_equal(s->texts[i].text, text))
			return;
	mem_grow(&s->texts, &s->cap, s->n + 1, sizeof(*s->texts));
	s->texts[s->n++] = (struct erase_text){.pii = arena_strdup(&s->arena, pii),
					       .text = arena_str(&s->arena, text)};
	if (text.len > s->longest)
		s->longest = text.len;
}

/* --- from the rows --------------------------------------------------------------------------- */

/* Of other tables, keys are those of orders and reviews, which is not who somebody is. */
static bool tells_who(const struct eraser *e, const struct schema_table *t,
		      const struct schema_column *c)
{
	static const char *const classes[] = {"email", "phone", "address", "free_text", NULL};
	const char *pii = access_class(e->a, t->name, c->name);

	if (!pii || c->type != SCHEMA_TEXT)
		return false;
	if (cstr_equal(pii, "identifier"))
		return cstr_equal(t->name, e->a->subject_table);
	for (size_t i = 0; classes[i]; i++)
		if (cstr_equal(pii, classes[i]))
			return true;
	return false;
}

static void add_select(const struct eraser *e, const struct schema_table *t, struct strbuf *sql,
		       const char *columns)
{
	strbuf_addf(sql, "SELECT DISTINCT %s FROM ", columns);
	maria_add_identifier(sql, t->name);
	strbuf_addstr(sql, " WHERE ");
	maria_add_identifier(sql, e->a->subject_key);
	strbuf_addstr(sql, " = ?");
}

static int read_column(const struct eraser *e, const struct schema_table *t,
		       const struct schema_column *c, const char *subject, struct erase_sought *ret,
		       struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX),
					     name = STRBUF_INIT(4096);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	const char *pii = access_class(e->a, t->name, c->name);
	int r;

	maria_add_identifier(&name, c->name);
	add_select(e, t, &sql, strbuf_str(&name));
	r = maria_query(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		erase_sought_add(ret, pii, maria_rows_str(rows, 0));
	return r;
}

/* All columns of a name together, in the order of the table: "Ada Lovelace". */
static int read_name(const struct eraser *e, const struct schema_table *t, const char *subject,
		     struct erase_sought *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX),
					     name = STRBUF_INIT(4096);
	_cleanup_(mem_freep) char *text = NULL;
	bool has_name = false;
	int r;

	strbuf_addstr(&name, "CONCAT_WS(' '");
	for (size_t i = 0; i < t->n_columns; i++) {
		const char *pii = access_class(e->a, t->name, t->columns[i].name);

		if (!pii || !cstr_equal(pii, "name"))
			continue;
		has_name = true;
		strbuf_addstr(&name, ", NULLIF(");
		maria_add_identifier(&name, t->columns[i].name);
		strbuf_addstr(&name, ", '')");
	}
	strbuf_addch(&name, ')');
	add_select(e, t, &sql, has_name ? strbuf_str(&name) : "''");
	r = maria_query_text(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &text, err);
	if (r == 0 && text)
		erase_sought_add(ret, "name", str_from(text));
	return r;
}

int erase_sought_read(const struct eraser *e, const char *subject, struct erase_sought *ret,
		      struct err *err)
{
	const struct schema_table *own = schema_find_table(e->schema, e->a->subject_table);
	int r = privacy_check_subject(e->a, e->m, subject, err);

	if (r == 0)
		r = read_name(e, own, subject, ret, err);
	for (size_t i = 0; i < e->schema->n_tables && r == 0; i++) {
		const struct schema_table *t = &e->schema->tables[i];

		if (t->is_view || !schema_find_column(t, e->a->subject_key))
			continue;
		for (size_t j = 0; j < t->n_columns && r == 0; j++)
			if (tells_who(e, t, &t->columns[j]))
				r = read_column(e, t, &t->columns[j], subject, ret, err);
	}
	return r;
}

/* --- sealed ---------------------------------------------------------------------------------- */

void erase_sought_seal(const struct erase_sought *s, const unsigned char *key, struct strbuf *ret)
{
	json_t *list = json_array();
	_cleanup_(mem_freep) unsigned char *sealed = NULL;
	char *text;
	size_t len, size;

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list,
				      json_pack("[s,s%,b]", s->texts[i].pii, s->texts[i].text.data,
						s->texts[i].text.len, s->texts[i].is_shared));
	text = json_dumps(list, JSON_COMPACT);
	len = strlen(text);
	size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + len;
	sealed = mem_alloc(size);
	random_bytes(sealed, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const unsigned char *)text,
			      len, sealed, key);
	strbuf_add(ret, sealed, size);
	sodium_memzero(text, len);
	mem_free(text);
	json_decref(list);
}

static int read_texts(const json_t *list, struct erase_sought *ret)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *pii, *text;
		size_t len, n = ret->n;
		int is_shared;

		if (json_unpack(item, "[s,s%,b]", &pii, &text, &len, &is_shared) < 0)
			return -1;
		erase_sought_add(ret, pii, (struct str){text, len});
		if (ret->n > n)
			ret->texts[n].is_shared = is_shared;
		ret->n_shared += is_shared != 0;
	}
	return 0;
}

int erase_sought_unseal(struct str sealed, const unsigned char *key, struct erase_sought *ret,
			struct err *err)
{
	const size_t extra = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
	const unsigned char *bytes = (const unsigned char *)sealed.data;
	_cleanup_(mem_freep) unsigned char *text = NULL;
	json_t *list = NULL;
	int bad = -1;

	if (sealed.len > extra) {
		text = mem_alloc(sealed.len);
		bad = crypto_secretbox_open_easy(text, bytes + crypto_secretbox_NONCEBYTES,
						 sealed.len - crypto_secretbox_NONCEBYTES, bytes,
						 key);
	}
	if (bad == 0) {
		list = json_loadb((const char *)text, sealed.len - extra, 0, NULL);
		bad = list ? read_texts(list, ret) : -1;
		json_decref(list);
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
