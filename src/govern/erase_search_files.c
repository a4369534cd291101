/*
 * Searching files: every byte below the run-time folder, but for the folders of servers, which were
 * asked. Symbolic links are followed, and each file and folder is looked at once, by its device and
 * its number: a link to a folder of a server is that folder.
 */
#include "govern/erase_int.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define FILE_BLOCK  ((size_t)1 << 20)
#define DEPTH_MAX   32	  /* of folders: they are ours, and are not nested so deep */
#define HIDDEN_NAME "***" /* of a file that is called as they are */

struct file_search {
	const struct searching *g;
	char *block; /* FILE_BLOCK and what hangs over */
	size_t overlap;
	struct map seen; /* struct identity of each */
	struct arena arena;
};

struct identity {
	dev_t device;
	ino_t inode;
};

/* False: it was seen before. */
static bool note_seen(struct file_search *f, const struct stat *st)
{
	struct identity *id = arena_alloc(&f->arena, sizeof(*id));
	void **slot;

	id->device = st->st_dev;
	id->inode = st->st_ino;
	slot = map_put(&f->seen, (struct str){(const char *)id, sizeof(*id)});
	if (*slot)
		return false;
	*slot = id;
	return true;
}

/* --- a file ---------------------------------------------------------------------------------- */

/* Pieces overlap by what a text that lies across their border needs. */
static int look_at_file(struct file_search *f, int fd, struct erase_place *place,
			enum erase_kind *ret)
{
	struct erase_piece piece = {.bytes = {f->block, 0}, .is_first = true};
	size_t len = 0;
	ssize_t n;

	erase_match_begin(f->g->match, ERASE_BYTES);
	*ret = ERASE_NONE;
	while (!piece.is_last && *ret == ERASE_NONE) {
		n = read(fd, f->block + len, FILE_BLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		place->n_searched += (uint64_t)n;
		piece.is_last = n == 0;
		piece.bytes.len = len + (size_t)n;
		*ret = erase_match_piece(f->g->match, &piece);
		len = piece.bytes.len < f->overlap ? piece.bytes.len : f->overlap;
		piece.is_first = piece.is_first && len == piece.bytes.len;
		memmove(f->block, f->block + piece.bytes.len - len, len);
	}
	return 0;
}

/* A file that went meanwhile holds nothing. */
static int search_file(struct file_search *f, int folder, const char *name, const char *path,
		       struct err *err)
{
	struct erase_place place = {.store = "files", .where = path};
	_cleanup_(closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum erase_kind found;
	int r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || look_at_file(f, fd, &place, &found) < 0)
		return file_error("read", path, err);
	place.n_found = found != ERASE_NONE;
	if (place.n_found)
		r = erase_tell_find(
		    f->g, &(struct erase_find){"files", path, "", erase_kind_name(found)}, err);
	return r < 0 ? r : erase_tell(f->g, &place, err);
}

/* --- folders --------------------------------------------------------------------------------- */

static int search_folder(struct file_search *f, int fd, const char *path, int depth,
			 struct err *err);

/* What went meanwhile holds nothing; what cannot be looked at is no proof that it holds nothing. */
static int search_entry(struct file_search *f, int folder, const char *name, const char *path,
			int depth, struct err *err)
{
	struct stat st;
	int fd;

	if (fstatat(folder, name, &st, 0) < 0) /* ELOOP: a link to itself */
		return errno == ENOENT || errno == ELOOP ? 0 : file_error("look at", path, err);
	if ((!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) || !note_seen(f, &st))
		return 0;
	if (S_ISREG(st.st_mode))
		return search_file(f, folder, name, path, err);
	if (depth == DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "\"%s\" is nested deeper than %d folders", path,
			       DEPTH_MAX);
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : file_error("open", path, err);
	return search_folder(f, fd, path, depth + 1, err);
}

/* A file or a folder may be called as somebody is. */
static int look_at_name(struct file_search *f, const char *name, const char *path, bool *ret_found,
			struct err *err)
{
	struct erase_place place = {.store = "files", .where = path, .n_found = 1};
	enum erase_kind found;
	int r;

	erase_match_begin(f->g->match, ERASE_LINE);
	found = erase_match_look(f->g->match, str_from(name));
	*ret_found = found != ERASE_NONE;
	if (found == ERASE_NONE)
		return 0;
	r = erase_tell_find(
	    f->g, &(struct erase_find){"files", path, "its name", erase_kind_name(found)}, err);
	return r < 0 ? r : erase_tell(f->g, &place, err);
}

static int search_below(struct file_search *f, DIR *dir, const char *name, const char *path,
			int depth, struct err *err)
{
	const char *slash = path[0] ? "/" : "";
	_cleanup_(mem_freep) char *shown = mem_printf("%s%s%s", path, slash, HIDDEN_NAME),
				  *below = mem_printf("%s%s%s", path, slash, name);
	bool is_found = false;
	int r = look_at_name(f, name, shown, &is_found, err);

	if (r < 0)
		return r;
	return search_entry(f, dirfd(dir), name, is_found ? shown : below, depth, err);
}

static int search_folder(struct file_search *f, int fd, const char *path, int depth,
			 struct err *err)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		close(fd);
		return file_error("list", path, err);
	}
	while (r == 0 && (entry = readdir(dir)))
		if (!cstr_equal(entry->d_name, ".") && !cstr_equal(entry->d_name, ".."))
			r = search_below(f, dir, entry->d_name, path, depth, err);
	closedir(dir);
	return r;
}

static void skip_servers(struct file_search *f, int fd)
{
	struct stat st;

	for (size_t i = 0; f->g->e->skipped[i]; i++)
		if (fstatat(fd, f->g->e->skipped[i], &st, 0) == 0)
			(void)note_seen(f, &st);
}

int erase_search_files(const struct searching *g, struct err *err)
{
	struct file_search f = {.g = g, .overlap = erase_match_overlap(g->match)};
	int r, fd = open(g->e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : file_error("open", g->e->dir, err);
	f.block = mem_alloc(FILE_BLOCK + f.overlap);
	skip_servers(&f, fd);
	r = search_folder(&f, fd, "", 0, err);
	mem_free(f.block);
	map_done(&f.seen);
	arena_done(&f.arena);
	return r;
}
