/*
 * Accounts and folders of the embedded servers.
 *
 * Started by root, the servers run as a system account, which must be able to enter their folders.
 * The run-time folder may stand where it cannot (below /root, mostly): then a server's folder is
 * made under /var/lib/aethermart, and the run-time folder holds a symbolic link to it. Started by
 * anybody else, they run as that user, in the run-time folder itself.
 */
#pragma once

#include "base/config.h"
#include "base/mem.h"

#include <sys/types.h>

#define FOLDER_SYSTEM "/var/lib/aethermart"

struct folder_account {
	const char *name; /* in the arena */
	bool is_other;	  /* not who we are: processes must change to it */
	uid_t uid;
	gid_t gid;
};

/* The account; made with useradd when it is missing and we are root. `ret_made` may be NULL. */
int folder_account_get(const struct config *config, struct arena *arena, struct folder_account *ret,
		       bool *ret_made, struct err *err) _must_check_;

/* Whether `account` can enter every folder on the way to `path`, itself included; parts that do not
 * exist are fine. Judged by owner, group and mode. `ret_barrier` (may be NULL): the first it
 * cannot, in the arena. */
bool folder_is_reachable(const char *path, const struct folder_account *account,
			 struct arena *arena, const char **ret_barrier);

/*
 * The folder of a server, absolute, without links: `var_dir`/`name` when the account can reach it,
 * else one under FOLDER_SYSTEM to which `var_dir`/`name` becomes a link. Made when missing, 0700,
 * owned by the account. ERR_PERMISSION when an existing one is out of reach.
 */
int folder_server(const char *var_dir, const char *name, const struct folder_account *account,
		  struct arena *arena, const char **ret, struct err *err) _must_check_;

/* Removes `var_dir`/`name` with all below it, and what it links to. Absent is fine. */
int folder_server_remove(const char *var_dir, const char *name, struct err *err) _must_check_;

/* A folder of the account's, 0700, inside a reachable one; made when missing. */
int folder_make_own(const char *path, const struct folder_account *account, struct err *err)
    _must_check_;

/* The folder of a socket: made when it is one of the short ones under /tmp; ERR_PERMISSION when
 * somebody else's folder has that name. */
int folder_socket_prepare(const char *socket_path, const struct folder_account *account,
			  struct err *err) _must_check_;

/* Reads the password of a file, or makes a random one and writes it (0600). Text in the arena. */
int folder_secret(const char *path, struct arena *arena, const char **ret, struct err *err)
    _must_check_;

/* A loopback TCP port: whether nobody listens there; one that is free, outside the range of which
 * the kernel takes ports for outgoing connections. */
bool port_is_free(unsigned port);
int port_pick(unsigned *ret, struct err *err) _must_check_;
