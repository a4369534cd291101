/* Shared by the parts of `aethermart vector`. */
#pragma once

#include "cli/cli.h"
#include "vector/vector.h"

/* How an index is made; all may be left out. */
#define CLI_VECTOR_OPTIONS                                                                   \
	{"kind", COMMAND_TEXT, "KIND", NULL, 0, 0, "graph (default) or exact"},              \
	    {"metric", COMMAND_TEXT, "METRIC", NULL, 0, 0, "cosine (default), ip or l2"},    \
	    {"precision",                                                                    \
	     COMMAND_TEXT,                                                                   \
	     "P",                                                                            \
	     NULL,                                                                           \
	     0,                                                                              \
	     0,                                                                              \
	     "f32 (default) or f16: the stored vectors, which decide the order"},            \
	    {"m", COMMAND_NUMBER, "N", NULL, 2, 64, "neighbors a vector, twice that below"}, \
	    {"ef-construction",                                                              \
	     COMMAND_NUMBER,                                                                 \
	     "N",                                                                            \
	     NULL,                                                                           \
	     1,                                                                              \
	     VECTOR_EF_MAX,                                                                  \
	     "candidates looked at for a new vector"},                                       \
	{                                                                                    \
		"alpha", COMMAND_TEXT, "A", NULL, 0, 0,                                      \
		    "how much longer than an edge a detour may be, from 1"                   \
	}

int cli_vector_options(const struct command_line *line, struct vector_options *ret, struct err *err)
    _must_check_;
