/* The mark of a run-time folder: see home.h. */
#include "cluster/home.h"

#include "base/file.h"
#include "cluster/folder.h"
#include "cluster/layout.h"
#include "cluster/state.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/banned.h"

#define MARK	 "aethermart.home"
#define MARK_MAX 8192 /* twice the longest path */

/* The path in the mark of `dir`, in the arena. Also ERR_NOT_FOUND: what is there is no mark. */
static int read_mark(const char *dir, struct arena *arena, const char **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(MARK_MAX);
	int r = file_read(arena_printf(arena, "%s/" MARK, dir), &b, err);

	if (r < 0)
		return r;
	if (b.len < 2 || b.data[0] != '/' || b.data[b.len - 1] != '\n')
		return err_set(err, ERR_NOT_FOUND, "\"%s/" MARK "\" holds no path", dir);
	*ret = arena_strndup(arena, b.data, b.len - 1);
	return 0;
}

static int write_mark(const char *dir, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/" MARK, dir);
	_cleanup_(mem_freep) char *text = mem_printf("%s\n", dir);

	return file_write_atomic(path, text, strlen(text), 0644, err);
}

/* What a new file system holds, and what a crash of write_mark() left, do not count. */
static bool is_nothing(const char *name)
{
	return cstr_equal(name, ".") || cstr_equal(name, "..") || cstr_equal(name, "lost+found") ||
	       strncmp(name, MARK ".", sizeof(MARK)) == 0;
}

/* Whether servers were made here before there were marks: stack.json says where their folders are.
 */
static bool has_servers(const char *dir)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *here = arena_printf(&arena, "%s/", dir);
	const char *linked = arena_printf(&arena, FOLDER_SYSTEM "/%s-", layout_hash(&arena, dir));
	struct state s = {0};
	const char *of_server;

	if (state_read(dir, &arena, &s, NULL) < 0)
		return false;
	of_server = s.mariadb.dir ? s.mariadb.dir : s.mongodb.dir;
	return of_server &&
	       (str_starts(str_from(of_server), here) || str_starts(str_from(of_server), linked));
}

static int look_without_mark(const char *dir, enum home_state *ret, struct err *err)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int number = errno;

	if (!d && number == ENOENT) {
		*ret = HOME_ABSENT;
		return 0;
	}
	if (!d)
		return err_set(err, number == EACCES ? ERR_PERMISSION : ERR_IO,
			       "could not open folder \"%s\": %s", dir, strerror(number));
	*ret = HOME_EMPTY;
	while ((e = readdir(d)))
		if (!is_nothing(e->d_name))
			*ret = HOME_FOREIGN;
	(void)closedir(d);
	if (*ret == HOME_FOREIGN && has_servers(dir))
		*ret = HOME_UNMARKED;
	return 0;
}

static bool is_same_folder(const char *a, const char *b)
{
	struct stat sa, sb;

	return cstr_equal(a, b) || (stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
				    sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
}

/* Whether the folder that a mark names is still the one; what cannot be seen counts as there. */
static bool is_original(const char *dir, struct arena *arena)
{
	const char *says = "";
	struct err why = {0};
	int r = read_mark(dir, arena, &says, &why);

	if (r < 0)
		return r != -ERR_NOT_FOUND && why.native != ENOTDIR;
	return cstr_equal(says, dir);
}

static int look(const char *dir, struct arena *arena, enum home_state *ret, const char **ret_other,
		struct err *err)
{
	struct err why = {0};
	int r = read_mark(dir, arena, ret_other, &why);

	if (r == -ERR_NOT_FOUND)
		return look_without_mark(dir, ret, err);
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	if (is_same_folder(dir, *ret_other))
		*ret = HOME_OWN;
	else
		*ret = is_original(*ret_other, arena) ? HOME_COPY : HOME_MOVED;
	return 0;
}

int home_check(const char *dir, enum home_state *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	enum home_state state = HOME_ABSENT;
	const char *other = "";
	int r = look(dir, &arena, &state, &other, err);

	if (r < 0)
		return r;
	if (ret)
		*ret = state;
	if (state == HOME_FOREIGN) {
		(void)err_set(
		    err, ERR_CONFLICT,
		    "\"%s\" is not a run-time folder of aethermart: other things are in it", dir);
		(void)err_hint(err, "name another folder in stack.dir, an empty one or one that is "
				    "not there yet");
		return -ERR_CONFLICT;
	}
	if (state == HOME_COPY) {
		(void)err_set(err, ERR_CONFLICT,
			      "folder \"%s\" is a copy of \"%s\", whose servers and data it would "
			      "take for its own",
			      dir, other);
		(void)err_hint(err,
			       "remove the copy (rm -r \"%s\") and run `aethermart up` to have "
			       "servers of its own, or work where the original is",
			       dir);
		return -ERR_CONFLICT;
	}
	return 0;
}

int home_claim(const char *dir, struct err *err)
{
	enum home_state state = HOME_ABSENT;
	int r = home_check(dir, &state, err);

	if (r < 0 || state == HOME_OWN)
		return r;
	if (state == HOME_ABSENT)
		r = dir_make(dir, 0755, err); /* its parents are for all */
	if (r == 0 && state == HOME_ABSENT && chmod(dir, 0700) < 0)
		r = err_set(err, ERR_PERMISSION, "could not make \"%s\" private: %s", dir,
			    strerror(errno));
	return r < 0 ? r : write_mark(dir, err);
}
