/* Files and folders: see file.h. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int file_error(const char *what, const char *path, struct err *err)
{
	int e = errno;
	enum err_code code = e == ENOENT			       ? ERR_NOT_FOUND
			     : e == EACCES || e == EPERM || e == EROFS ? ERR_PERMISSION
								       : ERR_IO;
	int r = err_set(err, code, "could not %s \"%s\": %s", what, path, strerror(e));

	if (err)
		err->native = e;
	return r;
}

int file_read(const char *path, struct strbuf *b, struct err *err)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[16384];

	if (fd < 0)
		return file_error("open", path, err);
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error("read", path, err);
		if (n == 0)
			break;
		strbuf_add(b, buf, (size_t)n);
		if (b->overflow)
			return strbuf_check(b, path, err);
	}
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(mem_freep) char *dir =
	    slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
	_cleanup_(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

/* A new file, ours alone. Root also writes into folders of an unprivileged account: what lies there
 * under the name, mostly from a crash, is removed and never followed or written into. */
static int create_new(const char *path, mode_t mode)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return -1;
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	_cleanup_(mem_freep) char *tmp = mem_printf("%s.%d.tmp", path, (int)getpid());
	_cleanup_(closep) int fd = create_new(tmp, mode);

	if (fd < 0)
		return file_error("create", tmp, err);
	if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0 || fsync(fd) < 0 ||
	    rename(tmp, path) < 0 || file_sync_folder(path) < 0) {
		int r = file_error("write", path, err);

		unlink(tmp);
		return r;
	}
	return 0;
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
	_cleanup_(mem_freep) char *p = mem_strdup(path);

	for (char *s = p + 1;; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		if (mkdir(p, mode) < 0 && errno != EEXIST)
			return file_error("create folder", p, err);
		*s = c;
		if (!c)
			return 0;
	}
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int dir_remove(const char *path, struct err *err)
{
	if (nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return file_error("remove", path, err);
	return 0;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

void random_bytes(void *buf, size_t n)
{
	bug_if(n > 256); /* getrandom never returns less up to that size */
	bug_if(getrandom(buf, n, 0) != (ssize_t)n);
}

char *random_password(size_t n)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	char *s = mem_alloc(n + 1);

	for (size_t i = 0; i < n;) {
		unsigned char c;

		random_bytes(&c, 1);
		if (c < 248) /* 4 * 62: no bias towards the first letters */
			s[i++] = alphabet[c % 62];
	}
	s[n] = '\0';
	return s;
}
