/*
 * What `up` remembers of the embedded stack between runs: var/stack.json. It holds ports, paths and
 * versions, no secret. Written as a whole and atomically, by the holder of the stack's lock only;
 * read by anybody at any time.
 */
#pragma once

#include "base/mem.h"

#define STATE_FORMAT 1

struct state_mariadb {
	const char *dir;     /* the server's own folder: data/, tmp/; NULL: none was made yet */
	const char *socket;  /* path */
	const char *version; /* "10.11.19-MariaDB-0+deb12u1" */
	unsigned port;
};

struct state_mongodb {
	const char *dir;
	const char *kind; /* "mongod" or "secantusd-rs" */
	const char *version;
	unsigned port;
	bool has_users; /* accounts exist: from now on only started with authentication */
};

struct state {
	const char *created; /* "2026-11-23T03:09:24.123Z" */
	const char *account; /* the system account that the servers run as */
	struct state_mariadb mariadb;
	struct state_mongodb mongodb;
};

/*
 * Reads `var_dir`/stack.json; texts live in the arena. ERR_NOT_FOUND when there is none,
 * ERR_CORRUPTED when it is not what state_write() writes (a port out of range, a relative path, a
 * missing field), with the hint how to go on.
 */
int state_read(const char *var_dir, struct arena *arena, struct state *ret, struct err *err)
    _must_check_;
int state_write(const char *var_dir, const struct state *s, struct err *err) _must_check_;
