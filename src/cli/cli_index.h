/* What other verbs say about the index, from GET /v1/index/status. One thread. */
#pragma once

#include "cli/cli.h"
#include "search/search_verify.h"

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

/* The index as a store that is compared (search_verify.h): the worker that runs is asked. */
struct cli_indexed {
	const struct command_line *line;
	struct arena arena;
	struct search_rules *rules; /* bound to the mappings, which have to outlive it */
	const char *without;	    /* why it cannot be compared; NULL: it can */
};
/* An error is one of the rules; an index that is not there is `without`. */
int cli_indexed_open(const struct command_line *line, const struct mapping_set *mappings,
		     struct cli_indexed *ret, struct err *err) _must_check_;
void cli_indexed_done(struct cli_indexed *x); /* also after an error of opening */
/* As search_verify(). ERR_NOT_FOUND: the index leaves the collection out. */
int cli_indexed_verify(struct cli_indexed *x, struct maria *db, const struct mapping *m,
		       const struct sync_verify_options *options, struct sync_verify_result *ret,
		       struct err *err) _must_check_;
