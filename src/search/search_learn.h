/* The vocabulary of a corpus: what its documents say themselves (search_query.h). */
#pragma once

#include "search/search_corpus.h"
#include "search/search_query.h"

/* The caller frees it. Locked, or the corpus's writer. `language` as search_analyzer.h has it. */
struct search_vocabulary *search_learn(const struct search_corpus_view *view, const char *language);
