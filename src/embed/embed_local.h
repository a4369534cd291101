/*
 * Where the local model is, for who wants the encoder itself (embed/bert.h) and not the interface
 * that all providers share: its bench, tests. Options of the section `embed`: dir, precision.
 */
#pragma once

#include "base/config.h"
#include "base/mem.h"
#include "embed/bert.h"

/* embed.dir, or else the folder in the user's cache into which tools/setup puts the model; NULL
 * when the environment names no home. Lives as long as the arena. */
const char *embed_local_dir(const struct config *config, struct arena *arena);

/* Opens it. As bert_model_open(); ERR_NOT_FOUND with a hint how to get the files. */
int embed_local_open_model(const struct config *config, struct bert_model **ret, struct err *err)
    _must_check_;
