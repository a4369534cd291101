/* What other verbs say about the index, from GET /v1/index/status. One thread. */
#pragma once

#include "cli/cli.h"

/* One line: "live by words, 29582 documents; by meaning 9088 of 29582 (local/…), indexing". */
void cli_index_summary(const json_t *status, struct strbuf *b);
/* Whether all documents are found by their words; if not, how many are read of how many. */
bool cli_index_has_words(const json_t *status, uint64_t *ret_done, uint64_t *ret_total);
/* What is wrong with it; NULL: nothing. `ret_hint`: what to do. Both live as long as `status`. */
const char *cli_index_problem(const json_t *status, const char **ret_hint);
/* The file of the rules, of the configuration or the installation. Lives as long as the arena. */
const char *cli_index_rules_path(const struct command_line *line, struct arena *arena);
/* The same of the synonyms. */
const char *cli_index_synonyms_path(const struct command_line *line, struct arena *arena);
