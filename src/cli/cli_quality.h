/* What the files of `aethermart quality` share. */
#pragma once

#include "cli/cli.h"
#include "govern/quality.h"

/* Where the checks are: quality.rules, or those of the installation. Lives as long as the arena. */
const char *cli_quality_rules(const struct command_line *line, struct arena *arena);

/* Writes the results into the lineage, unless lineage.enabled is false. */
void cli_quality_tell(const struct command_line *line, const struct quality_run *run);

extern const struct command command_quality_report;
extern const struct command command_quality_trend;
extern const struct command command_quality_quarantine;
extern const struct command command_quality_list;
extern const struct command command_quality_ack;
