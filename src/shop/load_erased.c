/*
 * Whom a load refuses: people who were erased, and whom an old feed would bring back. Their keys
 * and e-mail addresses stand in Erased_Keys as HMAC-SHA-256 (RFC 2104) with a key that is in a
 * file; the server computes those of the staged rows, from the two halves of the padded key, by
 * what the collation compares: "p-09" is P-09. What is logged of a refused row is that there was
 * one, also when it was rejected for another reason before.
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

/* The fingerprint of the empty text says which key it was. */
static void mark_of(const unsigned char *key, char ret[2 * crypto_auth_hmacsha256_BYTES + 1])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];

	crypto_auth_hmacsha256(mac, (const unsigned char *)"", 0, key);
	sodium_bin2hex(ret, 2 * crypto_auth_hmacsha256_BYTES + 1, mac, sizeof(mac));
}

int shop_load_check_erased(struct maria *m, const unsigned char *key, struct err *err)
{
	char mark[2 * crypto_auth_hmacsha256_BYTES + 1] = "";

	if (key)
		mark_of(key, mark);

	const struct maria_value params[] = {MARIA_S(mark), MARIA_S(mark)};
	int64_t n = 0;
	int r = key ? maria_run(m, shop_sql_load_erased_adopt, params, 2, NULL, err) : 0;

	if (r == 0)
		r = maria_query_int(m, shop_sql_load_erased_check, params, 1, &n, err);
	if (r < 0 || !n)
		return r;
	(void)err_set(err, ERR_CORRUPTED,
		      "people were erased with another key than that of \"secrets/erasure\": who "
		      "must not come back is not known");
	return err_hint(err, "copy that file from where `aethermart privacy erase` was run; where "
			     "it is lost, docs/privacy.md says how to go on");
}

static int run_range(struct load *l, const char *sql, enum load_entity_id id, struct err *err)
{
	const struct maria_value range[] = {MARIA_U(l->first_id[id]), MARIA_U(l->end_id[id])};

	return maria_run(l->m, sql, range, ARRAY_LEN(range), NULL, err);
}

/* Of rows that were rejected before they were staged there are findings alone. */
static int find_unstaged(struct load *l, enum load_entity_id id, struct err *err)
{
	const struct quality_rule *q = quality_rule_get(QUALITY_SUBJECT_ERASED);
	const struct maria_value params[] = {MARIA_S(q->name), MARIA_S(q->severity),
					     MARIA_S(q->action), MARIA_U(l->first_id[id]),
					     MARIA_U(l->end_id[id])};

	return maria_run(l->m, shop_sql_load_erased_findings, params, ARRAY_LEN(params), NULL, err);
}

static int note_keys(struct load *l, enum load_entity_id id, struct err *err)
{
	const struct maria_value params[] = {MARIA_U(l->first_id[id]), MARIA_U(l->end_id[id]),
					     MARIA_U(l->first_id[id]), MARIA_U(l->end_id[id])};

	return maria_run(l->m, shop_sql_load_erased_note, params, ARRAY_LEN(params), NULL, err);
}

static int refuse(struct load *l, enum load_entity_id id, struct err *err)
{
	const struct load_entity *e = load_entity_get(id);
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	int r = 0;

	if (l->first_id[id] == l->end_id[id])
		return 0;
	if (id == LOAD_CUSTOMERS)
		r = note_keys(l, id, err);
	load_sql_erased(&sql, e);
	if (r == 0)
		r = run_range(l, strbuf_str(&sql), id, err);
	if (r == 0)
		r = find_unstaged(l, id, err);
	if (r == 0)
		r = run_range(l, shop_sql_load_erased_drop, id, err);
	load_sql_reject(&sql, e);
	return r < 0 ? r : run_range(l, strbuf_str(&sql), id, err);
}

int load_refuse_erased(struct load *l, struct err *err)
{
	/* Customers first: they may come under a key that is new. */
	static const enum load_entity_id ids[] = {LOAD_CUSTOMERS, LOAD_ADDRESSES, LOAD_ORDERS,
						  LOAD_ORDER_ITEMS, LOAD_REVIEWS};
	bool has_erased = false;
	int r = shop_load_has_erased(l->m, &has_erased, err);

	if (r < 0 || !has_erased)
		return r;
	r = shop_load_check_erased(l->m, l->options->erased_key, err);
	if (r == 0)
		r = set_key(l, err);
	for (size_t i = 0; i < ARRAY_LEN(ids) && r == 0; i++)
		r = refuse(l, ids[i], err);
	if (r == 0)
		r = maria_exec(l->m, "SET @erased_inner = NULL, @erased_outer = NULL", err);
	return r < 0 ? err_context(err, "looking for people who were erased") : 0;
}
