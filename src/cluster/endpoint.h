/*
 * How to reach the servers, wherever they are: named in the configuration, or embedded under var/
 * (then from what `up` remembered). Texts live in the arena.
 */
#pragma once

#include "base/config.h"
#include "store/maria.h"
#include "store/mongo.h"

struct arena;

enum endpoint_role {
	ENDPOINT_ADMIN, /* owns the schema: migrations, load, install */
	ENDPOINT_SYNC,	/* the worker: reads tables, owns queues and documents */
};

/* ERR_UNAVAILABLE with the hint to run `aethermart up` when nothing is configured or started. */
int endpoint_maria(const struct config *config, enum endpoint_role role, struct arena *arena,
		   struct maria_options *ret, struct err *err) _must_check_;
int endpoint_mongo(const struct config *config, enum endpoint_role role, struct arena *arena,
		   struct mongo_options *ret, struct err *err) _must_check_;
bool endpoint_is_embedded_maria(const struct config *config);
bool endpoint_is_embedded_mongo(const struct config *config);

/* The folder of run-time state (sockets, pid files, passwords, tokens): stack.dir, absolute. */
const char *endpoint_var_dir(const struct config *config, struct arena *arena);
/* mapping/, rules/, data/ of the installation: share.dir, or beside the binary's folder. */
const char *endpoint_share_path(const struct config *config, struct arena *arena, const char *name);
