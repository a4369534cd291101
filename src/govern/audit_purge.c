/*
 * Purging the audit: see audit.h. The checkpoint is written first, and from then on the chain
 * begins behind it: a purge that is interrupted is completed by the next one.
 */
#include "govern/audit_int.h"

#include "base/clock.h"
#include "govern/govern_sql_int.h"

#include <inttypes.h>
#include <sodium.h>

#include "base/banned.h"

#define AT_ONCE 5000

static int find_end(struct maria *m, const char *before, struct audit_head *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(m, govern_sql_audit_purge_end,
				MARIA_ARGS(MARIA_S(before), MARIA_S(before)), &rows, err);

	if (r > 0) {
		ret->id = maria_rows_uint(rows, 0);
		(void)snprintf(ret->hash, sizeof(ret->hash), "%.*s",
			       STR_ARGS(maria_rows_str(rows, 1)));
	}
	return r < 0 ? r : 0;
}

static int add_checkpoint(struct maria *m, const struct audit_head *end,
			  const unsigned char *secret_key, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *text = audit_checkpoint_text(&arena, end->id, end->hash);
	unsigned char signature[crypto_sign_BYTES];
	char hex[2 * crypto_sign_BYTES + 1];

	crypto_sign_detached(signature, NULL, (const unsigned char *)text, strlen(text),
			     secret_key);
	sodium_bin2hex(hex, sizeof(hex), signature, sizeof(signature));
	return maria_run(m, govern_sql_audit_checkpoint_add,
			 MARIA_ARGS(MARIA_U(end->id), MARIA_S(end->hash), MARIA_S(hex)), NULL, err);
}

static bool goes_on(const struct audit_purge *how)
{
	return !how->pause || how->pause(how->arg);
}

static int delete_all(struct maria *m, const struct audit_purge *how, const char *sql, uint64_t end,
		      uint64_t *ret_n, struct err *err)
{
	uint64_t n = 1;
	int r = 0;

	*ret_n = 0;
	while (n && r == 0) {
		if (*ret_n && !goes_on(how))
			break;
		r = maria_run(m, sql, MARIA_ARGS(MARIA_U(end), MARIA_U(AT_ONCE)), &n, err);
		*ret_n += r == 0 ? n : 0;
	}
	return r;
}

/* What checkpoints stand for and is still there. */
static int delete_purged(struct maria *m, const struct audit_purge *how, uint64_t *ret_purged,
			 struct err *err)
{
	uint64_t details;
	int64_t end = 0;
	int r = maria_query_int(m, "SELECT COALESCE(MAX(audit_id), 0) FROM Audit_Checkpoints", NULL,
				0, &end, err);

	if (r == 0)
		r = delete_all(m, how, govern_sql_audit_purge_details, (uint64_t)end, &details,
			       err);
	return r < 0 ? r
		     : delete_all(m, how, govern_sql_audit_purge_events, (uint64_t)end, ret_purged,
				  err);
}

int audit_purge(struct maria *m, const struct audit_purge *how, uint64_t *ret_purged,
		struct err *err)
{
	struct audit_state state;
	struct audit_head end = {0};
	int r;

	*ret_purged = 0;
	/* A text that is no time would be compared as one all the same. */
	if (!clock_is_time(how->before))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%.40s\" is not a day such as 2026-01-31", how->before);
	r = audit_verify(m, how->witness, &state, err);
	if (r == 0)
		r = find_end(m, how->before, &end, err);
	/* Below the first event are those of a checkpoint that was signed already. */
	if (r == 0 && state.n && end.id >= state.first)
		r = add_checkpoint(m, &end, how->secret_key, err);
	return r < 0 ? r : delete_purged(m, how, ret_purged, err);
}

int audit_count_old(struct maria *m, const char *before, uint64_t *ret, struct err *err)
{
	struct audit_head end = {0};
	struct maria_value upto;
	int64_t n = 0;
	int r = find_end(m, before, &end, err);

	upto = MARIA_U(end.id);
	if (r == 0)
		r = maria_query_int(m, "SELECT COUNT(*) FROM Audit_Events WHERE audit_id <= ?",
				    &upto, 1, &n, err);
	*ret = (uint64_t)n;
	return r;
}
