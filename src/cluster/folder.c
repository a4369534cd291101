/* Accounts, folders, passwords and ports of the embedded servers: see folder.h. */
#include "cluster/folder.h"

#include "base/file.h"
#include "cluster/layout.h"
#include "cluster/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define PASSWORD_LENGTH	   32 /* of 62 characters: 190 bits */
#define PASSWORD_FILE_MAX  4096
#define USERADD_TIMEOUT_MS 30000 /* it waits for the lock of /etc/passwd, 15 s at most */
#define PORT_FIRST	   20000 /* below the usual range of outgoing ports, 32768 to 60999 */
#define PORT_LAST	   32000
#define PORT_TRIES	   200

/* --- account ---------------------------------------------------------------------------------- */

static bool find_account(const char *name, struct folder_account *ret)
{
	struct passwd entry, *found = NULL;
	char buf[16384];

	if (getpwnam_r(name, &entry, buf, sizeof(buf), &found) != 0 || !found)
		return false;
	ret->uid = found->pw_uid;
	ret->gid = found->pw_gid;
	return true;
}

static int make_account(const char *name, struct err *err)
{
	_cleanup_(mem_freep) char *program = process_find_program("useradd");
	const char *argv[] = {"useradd",      "--system",
			      "--user-group", "--no-create-home",
			      "--home-dir",   "/nonexistent",
			      "--shell",      "/usr/sbin/nologin",
			      name,	      NULL};
	struct process_spec spec = {.name = "useradd", .program = program, .argv = argv};
	int status = 0;
	int r = program ? process_run(&spec, USERADD_TIMEOUT_MS, &status, err)
			: err_set(err, ERR_NOT_FOUND, "there is no program \"useradd\"");

	if (r == 0 && status != 0)
		r = err_set(err, ERR_PERMISSION, "useradd ended with status %d", status);
	if (r < 0) {
		(void)err_context(err, "making the system account \"%s\"", name);
		return err_hint(err,
				"make it yourself (useradd --system --user-group %s), or name "
				"another account in stack.account",
				name);
	}
	return 0;
}

int folder_account_get(const struct config *config, struct arena *arena, struct folder_account *ret,
		       bool *ret_made, struct err *err)
{
	struct folder_account a = {.uid = geteuid(), .gid = getegid()};
	struct passwd *me;
	bool is_made = false;

	if (a.uid != 0) {
		me = getpwuid(a.uid);
		a.name = me ? arena_strdup(arena, me->pw_name)
			    : arena_printf(arena, "%u", (unsigned)a.uid);
	} else {
		a.name = config_text(config, "stack.account");
		if (!find_account(a.name, &a)) {
			struct err why = {0};
			int r = make_account(a.name, &why);

			/* Another `up` may have made it meanwhile; then useradd's error is none. */
			is_made = r == 0;
			if (!find_account(a.name, &a)) {
				if (err)
					*err = why;
				return r < 0 ? r
					     : err_set(err, ERR_INTERNAL,
						       "account \"%s\" was made but is not there",
						       a.name);
			}
		}
		a.is_other = a.uid != 0;
		if (!a.is_other)
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "stack.account is \"%s\", which is root: the servers must "
				       "not run as root",
				       a.name);
	}
	if (ret_made)
		*ret_made = is_made;
	*ret = a;
	return 0;
}

/* --- reach ------------------------------------------------------------------------------------ */

static bool can_enter(const struct stat *st, const struct folder_account *account)
{
	if (st->st_uid == account->uid)
		return st->st_mode & S_IXUSR;
	if (st->st_gid == account->gid)
		return st->st_mode & S_IXGRP;
	return st->st_mode & S_IXOTH;
}

bool folder_is_reachable(const char *path, const struct folder_account *account,
			 struct arena *arena, const char **ret_barrier)
{
	size_t len = strlen(path);

	for (size_t i = 1; i <= len; i++) {
		const char *head;
		struct stat st;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		head = arena_strndup(arena, path, i);
		if (stat(head, &st) < 0)
			return true;
		if (!can_enter(&st, account)) {
			if (ret_barrier)
				*ret_barrier = head;
			return false;
		}
	}
	return true;
}

/* --- folders ---------------------------------------------------------------------------------- */

static int folder_error(struct err *err, const char *what, const char *path)
{
	int e = errno;

	return err_set(err, e == EACCES || e == EPERM ? ERR_PERMISSION : ERR_IO,
		       "could not %s folder \"%s\": %s", what, path, strerror(e));
}

/* lchown and by descriptor: what a link of somebody else points to is never changed. */
static int own_folder(const char *path, const struct folder_account *account, struct err *err)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return folder_error(err, "open", path);
	if (st.st_uid != account->uid && st.st_uid != geteuid())
		return err_set(err, ERR_PERMISSION,
			       "folder \"%s\" belongs to another user (uid %u)", path,
			       (unsigned)st.st_uid);
	if (fchmod(fd, 0700) < 0 ||
	    (account->is_other && fchown(fd, account->uid, account->gid) < 0))
		return folder_error(err, "give its owner and mode to", path);
	return 0;
}

int folder_make_own(const char *path, const struct folder_account *account, struct err *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return folder_error(err, "make", path);
	return own_folder(path, account, err);
}

static int make_linked(const char *link, const char *var_dir, const char *name,
		       const struct folder_account *account, struct arena *arena, const char **ret,
		       struct err *err)
{
	_cleanup_(mem_freep) char *unique = random_password(6);
	const char *dir = arena_printf(arena, FOLDER_SYSTEM "/%s-%s-%s",
				       layout_hash(arena, var_dir), name, unique);
	int r = dir_make(FOLDER_SYSTEM, 0711, err);

	/* Ours alone, and to be entered by the account whatever the umask was. */
	if (r == 0 && chmod(FOLDER_SYSTEM, 0711) < 0)
		r = folder_error(err, "give its mode to", FOLDER_SYSTEM);
	if (r == 0)
		r = folder_make_own(dir, account, err);
	if (r == 0 && symlink(dir, link) < 0)
		r = folder_error(err, "link", link);
	if (r == 0)
		*ret = dir;
	return r;
}

static int existing_server(const char *link, const struct folder_account *account,
			   struct arena *arena, const char **ret, struct err *err)
{
	const char *barrier = NULL;
	char *real = realpath(link, NULL);
	const char *dir;

	if (!real) {
		(void)err_set(err, ERR_NOT_FOUND, "\"%s\" leads nowhere: the server's data is gone",
			      link);
		return err_hint(err,
				"bring the folder back, or run `aethermart reset` to build the "
				"embedded stack anew");
	}
	dir = arena_strdup(arena, real);
	mem_free(real);
	if (!folder_is_reachable(dir, account, arena, &barrier)) {
		(void)err_set(
		    err, ERR_PERMISSION,
		    "account \"%s\", as which the servers run, may not enter \"%s\" on the "
		    "way to \"%s\"",
		    account->name, barrier, dir);
		return err_hint(err,
				"give it way (chmod o+x \"%s\"), or move the folder back where "
				"it was made",
				barrier);
	}
	*ret = dir;
	return 0;
}

int folder_server(const char *var_dir, const char *name, const struct folder_account *account,
		  struct arena *arena, const char **ret, struct err *err)
{
	const char *path = arena_printf(arena, "%s/%s", var_dir, name);
	struct stat st;
	int r;

	if (lstat(path, &st) == 0)
		return existing_server(path, account, arena, ret, err);
	if (errno != ENOENT)
		return folder_error(err, "look at", path);
	if (!folder_is_reachable(var_dir, account, arena, NULL))
		return make_linked(path, var_dir, name, account, arena, ret, err);
	r = folder_make_own(path, account, err);
	if (r == 0)
		*ret = path;
	return r;
}

int folder_server_remove(const char *var_dir, const char *name, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", var_dir, name);
	char *real;
	struct stat st;
	int r = 0;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISLNK(st.st_mode))
		return dir_remove(path, err);
	real = realpath(path, NULL);
	/* Only what folder_server() can have made: a link put there by hand is only unlinked. */
	if (real && strncmp(real, FOLDER_SYSTEM "/", sizeof(FOLDER_SYSTEM)) == 0)
		r = dir_remove(real, err);
	mem_free(real);
	if (r == 0 && unlink(path) < 0)
		r = folder_error(err, "remove", path);
	return r;
}

int folder_socket_prepare(const char *socket_path, const struct folder_account *account,
			  struct err *err)
{
	_cleanup_(mem_freep) char *dir =
	    mem_strndup(socket_path, (size_t)(strrchr(socket_path, '/') - socket_path));

	if (strncmp(dir, "/tmp/aethermart-", 16) != 0 || strchr(dir + 5, '/'))
		return 0;
	return folder_make_own(dir, account, err);
}

/* --- passwords -------------------------------------------------------------------------------- */

int folder_secret(const char *path, struct arena *arena, const char **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(PASSWORD_FILE_MAX);
	_cleanup_(mem_freep) char *fresh = NULL;
	int r;

	if (!file_exists(path)) {
		fresh = random_password(PASSWORD_LENGTH);
		strbuf_addf(&b, "%s\n", fresh);
		r = file_write_atomic(path, strbuf_str(&b), b.len, 0600, err);
	} else {
		r = file_read(path, &b, err);
	}
	if (r < 0)
		return err_context(err, "keeping a password");
	if (strcspn(strbuf_str(&b), "\r\n") == 0)
		return err_set(err, ERR_CORRUPTED, "password file \"%s\" is empty", path);
	*ret = arena_strndup(arena, strbuf_str(&b), strcspn(strbuf_str(&b), "\r\n"));
	return 0;
}

/* --- ports ------------------------------------------------------------------------------------ */

bool port_is_free(unsigned port)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;

	/* As servers do: connections of the last one that still fade away are no obstacle. */
	return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	       bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0;
}

int port_pick(unsigned *ret, struct err *err)
{
	for (int i = 0; i < PORT_TRIES; i++) {
		uint16_t x;
		unsigned port;

		random_bytes(&x, sizeof(x));
		port = PORT_FIRST + x % (PORT_LAST - PORT_FIRST);
		if (port_is_free(port)) {
			*ret = port;
			return 0;
		}
	}
	(void)err_set(err, ERR_UNAVAILABLE, "no free port was found on 127.0.0.1 between %d and %d",
		      PORT_FIRST, PORT_LAST);
	return err_hint(err, "see what listens there: `ss -ltn`");
}
