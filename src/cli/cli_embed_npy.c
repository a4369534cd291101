/*
 * A matrix as a .npy file: see cli_embed.h.
 *
 * The format: "\x93NUMPY", version 1 0, the header's length as two bytes (little endian), the
 * header (a Python dictionary as text, padded with spaces so that the data begin at a multiple of
 * 64, ended by a newline), then the numbers. How many rows there are is known at the end only, so
 * the header has a fixed size and is written again then.
 */
#include "cli/cli_embed.h"

#include "base/file.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define HEADER_BYTES 128 /* magic and all; the dictionary has 90 at most */
#define MAGIC	     "\x93NUMPY\x01"

struct npy_writer {
	char *path, *temporary;
	FILE *file;
	unsigned columns;
	size_t rows;
	bool is_done;
};

static int io_error(const struct npy_writer *w, struct err *err)
{
	int e = errno;

	return err_set(err, e == EACCES || e == EPERM || e == EROFS ? ERR_PERMISSION : ERR_IO,
		       "could not write \"%s\": %s", w->path, strerror(e));
}

static int write_header(struct npy_writer *w, struct err *err)
{
	char header[HEADER_BYTES + 1];
	int n = snprintf(header, sizeof(header),
			 MAGIC "%c%c%c{'descr': '<f4', 'fortran_order': "
			       "False, 'shape': (%zu, %u), }",
			 0, HEADER_BYTES - 10, 0, w->rows, w->columns);

	bug_if(n < 0 || n >= HEADER_BYTES);
	memset(header + n, ' ', (size_t)(HEADER_BYTES - n));
	header[HEADER_BYTES - 1] = '\n';
	return fwrite(header, 1, HEADER_BYTES, w->file) == HEADER_BYTES ? 0 : io_error(w, err);
}

int npy_writer_open(const char *path, unsigned columns, struct npy_writer **ret, struct err *err)
{
	_cleanup_(npy_writer_closep) struct npy_writer *w = MEM_NEW(struct npy_writer);
	int fd, r;

	w->path = mem_strdup(path);
	w->temporary = mem_printf("%s.%d.tmp", path, (int)getpid());
	w->columns = columns;
	(void)unlink(w->temporary); /* of a process that was killed */
	fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return io_error(w, err);
	w->file = fdopen(fd, "w");
	if (!w->file) {
		(void)close(fd);
		return io_error(w, err);
	}
	r = write_header(w, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

int npy_writer_add(struct npy_writer *w, const float *rows, size_t n, struct err *err)
{
	static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is little endian");
	if (fwrite(rows, sizeof(*rows) * w->columns, n, w->file) != n)
		return io_error(w, err);
	w->rows += n;
	return 0;
}

int npy_writer_commit(struct npy_writer *w, struct err *err)
{
	int r;

	if (fseek(w->file, 0, SEEK_SET) != 0)
		return io_error(w, err);
	r = write_header(w, err);
	if (r < 0)
		return r;
	if (fflush(w->file) != 0 || fsync(fileno(w->file)) < 0 ||
	    rename(w->temporary, w->path) < 0 || file_sync_folder(w->path) < 0)
		return io_error(w, err);
	w->is_done = true;
	return 0;
}

struct npy_writer *npy_writer_close(struct npy_writer *w)
{
	if (!w)
		return NULL;
	if (w->file) {
		(void)fclose(w->file);
		if (!w->is_done)
			(void)unlink(w->temporary);
	}
	mem_free(w->temporary);
	mem_free(w->path);
	mem_free(w);
	return NULL;
}
