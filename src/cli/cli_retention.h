/* Retention as the verb, `serve` and `doctor` use it. */
#pragma once

#include "cli/cli_govern.h"
#include "govern/retention.h"

struct cli_retention {
	struct arena arena;
	struct maria *db;
	const char *dir; /* of the run-time folder */
	struct cli_audit_head head;
	struct retention_place place; /* the caller may set `pause` */
};
int cli_retention_open(const struct command_line *line, struct cli_retention *ret, struct err *err)
    _must_check_;
void cli_retention_done(struct cli_retention *s); /* also after an error of opening */

uint64_t cli_retention_free(const char *dir); /* bytes */
void cli_retention_forecast(const struct retention_forecast *f, struct strbuf *b);
