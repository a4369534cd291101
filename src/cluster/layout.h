/*
 * Where things are in the run-time folder, in one place: names of files, length limits, the short
 * folders that stand in where a path would be too long. Texts live in the arena. Thread-safe.
 *
 *	aethermart.home  its own path: the mark of a run-time folder (home.h)
 *	stack.json     what was started, and where (state.h)
 *	lock           held by the one command that changes the stack
 *	secrets/       passwords, 0600
 *	log/           mariadb.log, mongodb.log, serve.log
 *	run/           pid files
 *	mariadb/       the server's own folder, or a link to it (folder.h)
 *	mariadb/audit/ the files of server_audit
 *	mongodb/       likewise
 *	serve.sock     the worker's door
 *	index/         vectors of the documents, and the cache of embeddings (search/)
 *	index.id       its name among the consumers of the hand-off
 *	http.token     the token of its HTTP interface
 */
#pragma once

#include "base/mem.h"

#define LAYOUT_ADMIN_USER   "aethermart_admin"
#define LAYOUT_SYNC_USER    "mongo_sync_user"
#define LAYOUT_REPLICA_USER "replica_user"

#define LAYOUT_SOCKET_MAX   107 /* sockaddr_un.sun_path less its NUL byte */

/* `path`, or below `base` (NULL: the current folder) when it is relative; symbolic links and ".."
 * are resolved as far as the path exists. */
const char *layout_absolute(struct arena *arena, const char *base, const char *path);

/* 16 hex digits that stand for a path. */
const char *layout_hash(struct arena *arena, const char *path);

const char *layout_socket(struct arena *arena, const char *dir, const char *name);
const char *layout_secret(struct arena *arena, const char *var_dir, const char *server,
			  const char *user);
const char *layout_log(struct arena *arena, const char *var_dir, const char *name);
/* Of the files of server_audit, in a server's folder. */
const char *layout_audit(struct arena *arena, const char *server_dir);
const char *layout_pid(struct arena *arena, const char *var_dir, const char *name);
const char *layout_mongo_uri(struct arena *arena, unsigned port);
const char *layout_binary_dir(struct arena *arena); /* of the running program */
