/* What `serve` does beside the sync: see cli_keeper.c. */
#pragma once

#include "cli/cli.h"

/* Both arguments live at least as long as the keeper. */
struct cli_keeper *cli_keeper_start(const struct command_line *line,
				    const struct maria_options *sync);
/* Waits for a piece in hand; false: it takes long, and the keeper is there until the process ends,
 * which is to be now. */
bool cli_keeper_stop(struct cli_keeper *k) _must_check_;
