/*
 * Whom a load refuses: people who were erased, and whom an old feed would bring back. Their keys
 * and e-mail addresses stand in Erased_Keys as HMAC-SHA-256 (RFC 2104) with a key that is in a
 * file; the server computes those of the staged rows, from the two halves of the padded key. What
 * is logged of a refused row is that there was one.
 */
#include "shop/load_int.h"

#include <sodium.h>

#include "base/banned.h"

#define BLOCK 64 /* bytes of SHA-256's block */

int shop_load_has_erased(struct maria *m, bool *ret, struct err *err)
{
	bool has_table = false;
	int64_t n = 0;
	int r = maria_has_table(m, "Erased_Keys", &has_table, err);

	if (r == 0 && has_table)
		r = maria_query_int(m, shop_sql_load_erased_any, NULL, 0, &n, err);
	*ret = n != 0;
	return r;
}

/* For the statements of this session. */
static int set_key(struct load *l, struct err *err)
{
	unsigned char inner[BLOCK], outer[BLOCK];
	int r;

	memset(inner, 0x36, sizeof(inner));
	memset(outer, 0x5c, sizeof(outer));
	for (size_t i = 0; i < SHOP_LOAD_KEY_SIZE; i++) {
		inner[i] ^= l->options->erased_key[i];
		outer[i] ^= l->options->erased_key[i];
	}

	const struct maria_value params[] = {
	    MARIA_B(((struct str){(const char *)inner, sizeof(inner)})),
	    MARIA_B(((struct str){(const char *)outer, sizeof(outer)}))};

	r = maria_run(l->m, shop_sql_load_erased_key, params, ARRAY_LEN(params), NULL, err);
	sodium_memzero(inner, sizeof(inner));
	sodium_memzero(outer, sizeof(outer));
	return r;
}

/* Each erasure left the fingerprint of the empty text. */
static int check_key(struct load *l, struct err *err)
{
	int64_t n = 0;
	int r = l->options->erased_key ? set_key(l, err) : 0;

	if (r == 0 && l->options->erased_key)
		r = maria_query_int(l->m, shop_sql_load_erased_check, NULL, 0, &n, err);
	if (r < 0 || n)
		return r;
	(void)err_set(err, ERR_CORRUPTED,
		      "people were erased with another key than that of \"secrets/erasure\": who "
		      "must not come back is not known");
	return err_hint(err, "copy that file from where `aethermart privacy erase` was run");
}

static int refuse(struct load *l, enum load_entity_id id, const char *columns, struct err *err)
{
	const struct load_entity *e = load_entity_get(id);
	const struct maria_value range[] = {MARIA_U(l->first_id[id]), MARIA_U(l->end_id[id])};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	int r;

	if (l->first_id[id] == l->end_id[id])
		return 0;
	load_sql_erased(&sql, e, columns);
	r = maria_run(l->m, strbuf_str(&sql), range, 2, NULL, err);
	if (r == 0)
		r = maria_run(l->m, shop_sql_load_erased_drop, range, 2, NULL, err);
	if (r == 0)
		load_sql_reject(&sql, e);
	return r < 0 ? r : maria_run(l->m, strbuf_str(&sql), range, 2, NULL, err);
}

int load_refuse_erased(struct load *l, struct err *err)
{
	static const struct {
		enum load_entity_id id;
		const char *columns; /* any of them */
	} places[] = {{LOAD_CUSTOMERS, "s.external_id, s.email"},
		      {LOAD_ADDRESSES, "s.customer_ref"},
		      {LOAD_ORDERS, "s.customer_ref"},
		      {LOAD_REVIEWS, "s.customer_ref"}};
	bool has_erased = false;
	int r = shop_load_has_erased(l->m, &has_erased, err);

	if (r < 0 || !has_erased)
		return r;
	r = check_key(l, err);
	for (size_t i = 0; i < ARRAY_LEN(places) && r == 0; i++)
		r = refuse(l, places[i].id, places[i].columns, err);
	if (r == 0)
		r = maria_exec(l->m, "SET @erased_inner = NULL, @erased_outer = NULL", err);
	return r < 0 ? err_context(err, "looking for people who were erased") : 0;
}
