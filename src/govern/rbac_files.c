/*
 * The files of server_audit: see rbac_files.h.
 *
 * They are opened from the newest to the oldest: a rotation in between gives each a higher number,
 * so that one may be met twice, and is known by its inode. The oldest may have got a name that is
 * not in the list: after a rotation all is done again.
 */
#include "govern/rbac_files.h"

#include "base/file.h"
#include "govern/rbac_audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define TRIES	   8		      /* nobody rotates so often */
#define TAIL_BYTES ((size_t)64 << 10) /* some dozens of the longest lines */

/* As many bytes as there are, at most `size`. */
static int read_bytes(const struct rbac_file *f, uint64_t offset, char *buf, size_t size,
		      size_t *ret, struct err *err)
{
	*ret = 0;
	while (*ret < size) {
		ssize_t n = pread(f->fd, buf + *ret, size - *ret, (off_t)(offset + *ret));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error("read", RBAC_FILE, err);
		if (n == 0)
			break;
		*ret += (size_t)n;
	}
	return 0;
}

struct named {
	unsigned number;
	char name[sizeof(RBAC_FILE) + 8];
};

/* "server_audit.log", "server_audit.log.07" */
static bool read_name(const char *name, struct named *ret)
{
	size_t n = strlen(RBAC_FILE);
	int64_t number = 0;

	if (strncmp(name, RBAC_FILE, n) != 0 || strlen(name) >= sizeof(ret->name))
		return false;
	if (name[n] && (name[n] != '.' || parse_int64(str_from(name + n + 1), 1, RBAC_FILES_MAX - 1,
						      &number, NULL) < 0))
		return false;
	ret->number = (unsigned)number;
	memcpy(ret->name, name, strlen(name) + 1);
	return true;
}

static int by_number(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int list_names(const char *dir, struct named *ret, size_t *ret_n, struct err *err)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;

	*ret_n = 0;
	if (!d)
		return errno == ENOENT ? 0 : file_error("open", dir, err);
	while ((entry = readdir(d)) && *ret_n < RBAC_FILES_MAX)
		*ret_n += read_name(entry->d_name, &ret[*ret_n]);
	(void)closedir(d);
	qsort(ret, *ret_n, sizeof(*ret), by_number);
	return 0;
}

static bool is_known(const struct rbac_files *f, uint64_t inode)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].inode == inode)
			return true;
	return false;
}

/* One that was renamed or removed just now is found under its other number, or gone. */
static int add_file(const char *dir, const struct named *named, bool is_written,
		    struct rbac_files *f, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, named->name);
	_cleanup_(closep) int fd =
	    open(path, (is_written ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
	struct rbac_file *file = &f->items[f->n];
	struct stat st;
	size_t n = 0;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : file_error("open", path, err);
	if (fstat(fd, &st) < 0)
		return file_error("look at", path, err);
	if (!S_ISREG(st.st_mode) || is_known(f, (uint64_t)st.st_ino))
		return 0;
	*file = (struct rbac_file){.fd = fd, .inode = (uint64_t)st.st_ino, .number = named->number};
	r = read_bytes(file, 0, file->began, RBAC_TIME_BYTES, &n, err);
	if (r == 0 && n == RBAC_TIME_BYTES) {
		(void)take_fd(&fd);
		f->n++;
	}
	return r;
}

static int open_all(const char *dir, bool is_written, struct rbac_files *f, struct err *err)
{
	_cleanup_(mem_freep) struct named *names = mem_alloc_array(RBAC_FILES_MAX, sizeof(*names));
	size_t n = 0;
	int r = list_names(dir, names, &n, err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_file(dir, &names[i], is_written, f, err);
	return r;
}

static void close_all(struct rbac_files *f)
{
	while (f->n)
		(void)close(f->items[--f->n].fd);
}

/* 0: there is none. */
static uint64_t current_inode(const char *dir)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, RBAC_FILE);
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

int rbac_files_open(const char *dir, bool is_written, struct rbac_files **ret, struct err *err)
{
	_cleanup_(rbac_files_closep) struct rbac_files *f = MEM_NEW(struct rbac_files);
	bool was_rotated = true;
	int r = 0;

	for (int i = 0; i < TRIES && r == 0 && was_rotated; i++) {
		uint64_t current = current_inode(dir);

		close_all(f);
		r = open_all(dir, is_written, f, err);
		was_rotated = current_inode(dir) != current;
	}
	if (r == 0)
		*ret = TAKE_PTR(f);
	return r;
}

struct rbac_files *rbac_files_close(struct rbac_files *f)
{
	if (f)
		close_all(f);
	mem_free(f);
	return NULL;
}

uint64_t rbac_file_size(const struct rbac_file *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int rbac_file_each(const struct rbac_file *f, uint64_t offset, bool is_ended, rbac_line_fn fn,
		   void *arg, uint64_t *ret_next, struct err *err)
{
	_cleanup_(mem_freep) char *buf = mem_alloc(RBAC_PIECE);
	size_t len = 0, at = 0;
	int r = read_bytes(f, offset, buf, RBAC_PIECE, &len, err);

	while (r == 0 && at < len) {
		const char *end = memchr(buf + at, '\n', len - at);
		size_t n = end ? (size_t)(end - buf) - at : len - at;

		/* One that fills the whole piece is taken as it is. */
		if (!end && !is_ended && !(at == 0 && len == RBAC_PIECE))
			break;
		if (!end && at > 0 && len == RBAC_PIECE) /* it goes on in the next piece */
			break;
		r = fn(arg, (struct str){buf + at, n}, offset + at, err);
		at += n + (end != NULL);
	}
	*ret_next = offset + at;
	return r;
}

/* --- times ----------------------------------------------------------------------------------- */

int64_t rbac_time_seconds(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y%m%d %H:%M:%S", &tm);

	return end == text + RBAC_TIME_BYTES ? (int64_t)timegm(&tm) : 0;
}

/* The latest time of a line that begins in these bytes: not of one that is dated ahead of the
 * file, whose user name somebody made up. */
static int64_t last_time(const char *buf, size_t at, size_t len, int64_t changed)
{
	int64_t last = 0;

	while (at + RBAC_TIME_BYTES < len) {
		char text[RBAC_TIME_BYTES + 1] = {0};
		const char *end = memchr(buf + at, '\n', len - at);
		int64_t time;

		memcpy(text, buf + at, RBAC_TIME_BYTES);
		time = buf[at + RBAC_TIME_BYTES] == ',' ? rbac_time_seconds(text) : 0;
		if (time > last && time <= changed)
			last = time;
		at = end ? (size_t)(end - buf) + 1 : len;
	}
	return last;
}

int rbac_file_times(const char *path, struct rbac_times *ret, struct err *err)
{
	_cleanup_(mem_freep) char *buf = mem_alloc(TAIL_BYTES);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct rbac_file f = {.fd = fd};
	const char *line;
	struct stat st;
	size_t n = 0, at = 0;
	uint64_t from;
	int r;

	*ret = (struct rbac_times){0};
	if (fd < 0)
		return errno == ENOENT ? 0 : file_error("open", path, err);
	if (fstat(fd, &st) < 0)
		return file_error("look at", path, err);
	r = read_bytes(&f, 0, f.began, RBAC_TIME_BYTES, &n, err);
	if (r < 0)
		return r;
	ret->first = n == RBAC_TIME_BYTES ? rbac_time_seconds(f.began) : 0;
	from = (uint64_t)st.st_size > TAIL_BYTES ? (uint64_t)st.st_size - TAIL_BYTES : 0;
	r = read_bytes(&f, from, buf, TAIL_BYTES, &n, err);
	if (r < 0)
		return r;
	if (from) { /* its first bytes are the end of a line */
		line = memchr(buf, '\n', n);
		at = line ? (size_t)(line - buf) + 1 : n;
	}
	ret->last = last_time(buf, at, n, (int64_t)st.st_mtim.tv_sec);
	if (!ret->last)
		ret->last = (int64_t)st.st_mtim.tv_sec;
	return 0;
}
