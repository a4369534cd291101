/*
 * audit.head of the run-time folder, which remembers where the audit ended: commands move it when
 * they have appended, so that what they wrote cannot be cut off unseen.
 */
#include "cli/cli_govern.h"

#include "base/logger.h"
#include "govern/audit.h"

#include <sodium.h>

#include "base/banned.h"

int cli_audit_head(const struct command_line *line, struct cli_audit_head *ret, struct err *err)
{
	int r = cli_audit_keys(line, ret->public_key, ret->secret_key, err);

	if (r < 0)
		return r;
	ret->witness = (struct audit_witness){
	    .path = arena_printf(&ret->arena, "%s/audit.head",
				 endpoint_var_dir(line->config, &ret->arena)),
	    .public_key = ret->public_key};
	return 0;
}

void cli_audit_head_done(struct cli_audit_head *h)
{
	sodium_memzero(h->secret_key, sizeof(h->secret_key));
	arena_done(&h->arena);
}

/* What the command did is done, and told as done. */
static void warn(int r, const struct err *err)
{
	if (r < 0)
		logger_error(LOGGER_WARN, "audit",
			     r == -ERR_CORRUPTED ? "the audit is not as it was written"
						 : "audit.head was not moved",
			     err);
}

void cli_audit_follow(const struct command_line *line, struct maria *db)
{
	_cleanup_(cli_audit_head_done) struct cli_audit_head head = {0};
	struct err err = {0};
	int r = cli_audit_head(line, &head, &err);

	if (r == 0)
		r = audit_follow(db, &head.witness, &err);
	warn(r, &err);
}

void cli_audit_keep(const struct command_line *line)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	struct err err = {0};
	int r;

	/* The keeper of `serve` does so as long as it runs. */
	if (!audit_is_ahead() || line->command->is_service)
		return;
	r = cli_open_maria(line, ENDPOINT_ADMIN, &db, &err);
	if (r < 0)
		warn(r, &err);
	else
		cli_audit_follow(line, db);
}
