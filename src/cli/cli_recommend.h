/* Part of `eval` that is about recommendations (cli_recommend.c). */
#pragma once

#include "cli/cli.h"

/* Prints how often something of a held-back order is recommended, over at most so many customers.
 */
int cli_recommend_measure(const struct command_line *line, size_t customers, struct err *err)
    _must_check_;
