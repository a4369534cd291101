/* What other verbs say about the index by meaning, from GET /v1/index/status. One thread. */
#pragma once

#include "cli/cli.h"

/* One line: "local/all-MiniLM-L6-v2: 20705 of 20705 documents, live". */
void cli_index_summary(const json_t *status, struct strbuf *b);
/* What is wrong with it; NULL: nothing. `ret_hint`: what to do. Both live as long as `status`. */
const char *cli_index_problem(const json_t *status, const char **ret_hint);
/* The file of the rules, of the configuration or the installation. Lives as long as the arena. */
const char *cli_index_rules_path(const struct command_line *line, struct arena *arena);
/* The same of the synonyms. */
const char *cli_index_synonyms_path(const struct command_line *line, struct arena *arena);
