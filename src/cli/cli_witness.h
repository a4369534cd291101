/* Following the server's own audit, the outside witness of what people did by SQL. */
#pragma once

#include "cli/cli.h"
#include "govern/access.h"
#include "govern/rbac_audit.h"

/* Where the files of server_audit are: audit.dir, or those of the embedded server; NULL: nowhere.
 */
const char *cli_witness_dir(const struct command_line *line, struct arena *arena);

/* Follows with the roles of the rules, which are read again when they change. Zeroed at first. */
struct cli_witness {
	struct access *access;
	int64_t rules_changed_ns;
	bool (*goes_on)(void *arg); /* of struct rbac_follow */
	void *arg;
};
int cli_witness_follow(struct cli_witness *w, const struct command_line *line, struct maria *db,
		       uint64_t *ret_rows, struct err *err) _must_check_;
void cli_witness_done(struct cli_witness *w);
