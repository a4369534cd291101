/* Tokens, made, listed and revoked: see token.h. */
#include "govern/token.h"

#include "base/file.h"
#include "govern/audit_int.h"
#include "govern/govern_sql_int.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>

#include "base/banned.h"

#define PREFIX	    "am_"
#define SECRET_LEN  43 /* of 62 letters: 256 bits */
#define DETAILS_MAX 1024

static_assert(sizeof(PREFIX) - 1 + TOKEN_ID_LEN + 1 + SECRET_LEN == TOKEN_TEXT_LEN,
	      "the length of a token");
static_assert(TOKEN_HASH_SIZE == crypto_generichash_BYTES, "as libsodium has it");

/* --- texts ----------------------------------------------------------------------------------- */

static bool has_letters(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= 'a' && s[i] <= 'z')))
			return false;
	}
	return true;
}

bool token_parse(struct str text, char ret_id[TOKEN_ID_LEN + 1])
{
	const char *id = text.data + strlen(PREFIX), *secret = id + TOKEN_ID_LEN + 1;

	if (text.len != TOKEN_TEXT_LEN || memcmp(text.data, PREFIX, strlen(PREFIX)) != 0 ||
	    id[TOKEN_ID_LEN] != '_' || !has_letters(id, TOKEN_ID_LEN) ||
	    !has_letters(secret, SECRET_LEN))
		return false;
	memcpy(ret_id, id, TOKEN_ID_LEN);
	ret_id[TOKEN_ID_LEN] = '\0';
	return true;
}

void token_hash(struct str text, unsigned char ret[TOKEN_HASH_SIZE])
{
	crypto_generichash(ret, TOKEN_HASH_SIZE, (const unsigned char *)text.data, text.len, NULL,
			   0);
}

static const struct {
	char letter;
	unsigned seconds;
} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};

int token_parse_rate(struct str text, struct token_rate *ret, struct err *err)
{
	uint64_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(units) && text.len > 2; i++) {
		if (text.data[text.len - 2] != '/' || text.data[text.len - 1] != units[i].letter)
			continue;
		if (parse_uint64((struct str){text.data, text.len - 2}, TOKEN_RATE_MAX, &count,
				 NULL) < 0 ||
		    !count)
			break;
		*ret = (struct token_rate){(unsigned)count, units[i].seconds};
		return 0;
	}
	(void)err_set(err, ERR_INVALID_ARGUMENT, "\"%.*s\" is no rate",
		      (int)(text.len < 40 ? text.len : 40), text.data);
	return err_hint(err,
			"write requests in a second, a minute or an hour: 10/s, 600/m, 5000/h; "
			"at most 1000000");
}

void token_add_rate(struct strbuf *b, const struct token_rate *rate)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (rate->count && rate->seconds == units[i].seconds)
			strbuf_addf(b, "%u/%c", rate->count, units[i].letter);
}

/* --- create, revoke -------------------------------------------------------------------------- */

static int add_row(struct maria *m, const struct token_wish *w, struct str text, const char *id,
		   struct err *err)
{
	unsigned char hash[TOKEN_HASH_SIZE];
	const struct maria_value params[] = {
	    MARIA_S(id),
	    MARIA_B(((struct str){(const char *)hash, sizeof(hash)})),
	    MARIA_S(w->role),
	    MARIA_S(w->name ? w->name : ""),
	    MARIA_S(w->person ? w->person : ""),
	    w->customer ? MARIA_U(w->customer) : MARIA_N,
	    w->rate.count ? MARIA_U(w->rate.count) : MARIA_N,
	    w->rate.count ? MARIA_U(w->rate.seconds) : MARIA_N,
	    MARIA_S(w->actor),
	    w->lifetime_s ? MARIA_I(w->lifetime_s) : MARIA_N,
	};

	token_hash(text, hash);
	return maria_run(m, govern_sql_token_add, params, ARRAY_LEN(params), NULL, err);
}

static int tell_created(struct maria *m, const struct token_wish *w, const char *id,
			struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf details = STRBUF_INIT(DETAILS_MAX);
	char customer[24];

	(void)snprintf(customer, sizeof(customer), "%" PRIu64, w->customer);
	strbuf_addstr(&details, "{\"name\":");
	strbuf_add_json(&details, w->name ? w->name : "", strlen(w->name ? w->name : ""));
	strbuf_addstr(&details, ",\"person\":");
	strbuf_add_json(&details, w->person ? w->person : "", strlen(w->person ? w->person : ""));
	strbuf_addf(&details, ",\"lifetime_s\":%" PRId64 "}", w->lifetime_s);
	return audit_append_here(m,
				 &(struct audit_event){.actor = w->actor,
						       .role = w->role,
						       .action = "token.create",
						       .object = id,
						       .rows = 1,
						       .outcome = "done",
						       .subject = w->customer ? customer : NULL,
						       .details = strbuf_str(&details)},
				 err);
}

int token_create(struct maria *m, const struct token_wish *wish, char ret[TOKEN_TEXT_LEN + 1],
		 struct err *err)
{
	_cleanup_(mem_freep) char *id = random_password(TOKEN_ID_LEN);
	_cleanup_(mem_freep) char *secret = random_password(SECRET_LEN);
	char text[TOKEN_TEXT_LEN + 1];
	int r = maria_exec(m, "START TRANSACTION", err);

	(void)snprintf(text, sizeof(text), PREFIX "%s_%s", id, secret);
	sodium_memzero(secret, SECRET_LEN);
	if (r == 0) {
		r = add_row(m, wish, str_from(text), id, err);
		if (r == 0)
			r = tell_created(m, wish, id, err);
		r = maria_finish(m, r, err);
	}
	if (r == 0)
		memcpy(ret, text, sizeof(text));
	sodium_memzero(text, sizeof(text));
	return r < 0 ? err_context(err, "making a token") : 0;
}

static int revoke(struct maria *m, const char *id, const char *actor, struct err *err)
{
	const struct maria_value param = MARIA_S(id);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	char role[TOKEN_ROLE_MAX + 1];
	bool is_revoked;
	int r = maria_query_row(m, govern_sql_token_role, &param, 1, &rows, err);

	if (r < 0)
		return r;
	if (r == 0) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no token \"%.20s\"", id);
		return err_hint(err, "`aethermart token list` has them; an ID is what stands "
				     "between am_ and the next _");
	}
	(void)snprintf(role, sizeof(role), "%.*s", STR_ARGS(maria_rows_str(rows, 0)));
	is_revoked = maria_rows_int(rows, 1) != 0;
	rows = maria_rows_close(rows);
	if (is_revoked)
		return 0;
	r = maria_run(m, govern_sql_token_revoke, &param, 1, NULL, err);
	return r < 0 ? r
		     : audit_append_here(m,
					 &(struct audit_event){.actor = actor,
							       .role = role,
							       .action = "token.revoke",
							       .object = id,
							       .rows = 1,
							       .outcome = "done"},
					 err);
}

int token_revoke(struct maria *m, const char *id, const char *actor, struct err *err)
{
	int r = maria_exec(m, "START TRANSACTION", err);

	return r < 0 ? r : maria_finish(m, revoke(m, id, actor, err), err);
}

/* --- list ------------------------------------------------------------------------------------ */

static const char *text_at(const struct maria_rows *rows, size_t column)
{
	const char *text = maria_rows_str(rows, column).data;

	return text ? text : "";
}

int token_list(struct maria *m, token_row_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_token_list, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		const struct token_row row = {
		    .id = text_at(rows, 0),
		    .role = text_at(rows, 1),
		    .name = text_at(rows, 2),
		    .person = text_at(rows, 3),
		    .customer = maria_rows_uint(rows, 4),
		    .rate = {(unsigned)maria_rows_uint(rows, 5),
			     (unsigned)maria_rows_uint(rows, 6)},
		    .created_at = text_at(rows, 7),
		    .created_by = text_at(rows, 8),
		    .expires_at = text_at(rows, 9),
		    .revoked_at = text_at(rows, 10),
		    .last_used_at = text_at(rows, 11),
		    .is_expired = maria_rows_int(rows, 12) != 0,
		};

		r = fn(arg, &row, err);
	}
	return r;
}
