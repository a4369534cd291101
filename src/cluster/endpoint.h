/*
 * How to reach the servers, wherever they are: named in the configuration (mariadb.hosts or
 * mariadb.socket, mongodb.uri), or embedded under the run-time folder, then from what `up`
 * remembered in its state file. Thread-safe; texts live in the arena.
 *
 * Every function takes a configuration that was loaded with the three option tables below (and
 * `share.dir`, which the command line declares).
 */
#pragma once

#include "base/config.h"
#include "store/maria.h"
#include "store/mongo.h"

struct arena;

extern const struct config_option mariadb_options[]; /* section "mariadb" */
extern const struct config_option mongodb_options[]; /* section "mongodb" */
extern const struct config_option stack_options[];   /* section "stack" */

enum endpoint_role {
	ENDPOINT_ADMIN, /* owns the schema: migrations, load, install */
	ENDPOINT_SYNC,	/* the worker: reads tables, owns queues and documents */
};

/*
 * Fills what maria_open() and mongo_open() need. ERR_UNAVAILABLE with the hint to run `aethermart
 * up` when nothing is configured or started; ERR_PERMISSION or ERR_NOT_FOUND when a password file
 * cannot be read; ERR_CORRUPTED for a broken state file; ERR_CONFLICT for a run-time folder that is
 * not ours (home.h). On an embedded server both roles have
 * accounts of their own; on a named one ENDPOINT_ADMIN uses `admin_user` when it is set, else
 * `user`.
 */
int endpoint_maria(const struct config *config, enum endpoint_role role, struct arena *arena,
		   struct maria_options *ret, struct err *err) _must_check_;
int endpoint_mongo(const struct config *config, enum endpoint_role role, struct arena *arena,
		   struct mongo_options *ret, struct err *err) _must_check_;
bool endpoint_is_embedded_maria(const struct config *config);
bool endpoint_is_embedded_mongo(const struct config *config);

/* The file with that role's password, for `connection`; NULL: none, or it is set elsewhere. */
const char *endpoint_maria_password_file(const struct config *config, enum endpoint_role role,
					 struct arena *arena);
const char *endpoint_mongo_password_file(const struct config *config, enum endpoint_role role,
					 struct arena *arena);

/*
 * The folder of run-time state (sockets, pid files, passwords, tokens): stack.dir, absolute. A
 * relative default is beside the configuration file, or in the current folder without one.
 */
const char *endpoint_var_dir(const struct config *config, struct arena *arena);

/*
 * The worker's Unix socket: serve.sock in the run-time folder, or, when that path is longer than a
 * socket's may be, in a short folder under /tmp whose name is a hash of it. That one exists only
 * after stack_prepare_socket() (cluster/stack.h).
 */
const char *endpoint_socket_path(const struct config *config, struct arena *arena);

/*
 * mapping/, rules/, data/ of the installation: below share.dir, or beside the folder of the binary
 * (build/aethermart belongs to the folder above), or ../share/aethermart/ of it. A path is returned
 * also when nothing is there; opening it then names it.
 */
const char *endpoint_share_path(const struct config *config, struct arena *arena, const char *name);
