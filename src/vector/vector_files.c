/*
 * The folder of an index and the file of its vectors.
 *
 * Vectors are written with pwrite(), so that a full disk is an error and not a signal, and read
 * through a mapping of each chunk. A slot that the last checkpoint holds is not written again
 * before the next one (vector_slots.c), so the checkpoint and this file agree after any crash.
 */
#include "vector/vector_file.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static const char vectors_magic[8] = "AEMVECS1";

struct vectors_header {
	char magic[8];
	uint32_t dimension;
	uint32_t precision;
	uint32_t crc; /* of what stands before */
};
static_assert(sizeof(struct vectors_header) == 20, "as written");

int fd_write_all(int fd, const void *data, size_t n, const struct vector_files *f, const char *name,
		 struct err *err)
{
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t written = write(fd, p, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			int e = written < 0 ? errno : ENOSPC;

			(void)err_set(err, ERR_IO, "could not write \"%s/%s\": %s", f->dir, name,
				      strerror(e));
			return e == ENOSPC ? err_hint(err, "free space on that disk") : -ERR_IO;
		}
		p += written;
		n -= (size_t)written;
	}
	return 0;
}

int fd_read_all(int fd, void *data, size_t n, const struct vector_files *f, const char *name,
		struct err *err)
{
	uint8_t *p = data;

	while (n > 0) {
		ssize_t got = read(fd, p, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, ERR_IO, "could not read \"%s/%s\": %s", f->dir, name,
				       strerror(errno));
		if (got == 0)
			return err_set(err, ERR_CORRUPTED, "\"%s/%s\" ends too early", f->dir,
				       name);
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int lock_folder(struct vector_index *ix, struct err *err)
{
	struct vector_files *f = ix->files;

	f->lock_fd = openat(f->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->lock_fd < 0)
		return err_set(err, ERR_IO, "could not open \"%s/lock\": %s", f->dir,
			       strerror(errno));
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_set(err, ERR_IO, "could not lock \"%s/lock\": %s", f->dir,
			       strerror(errno));
	return err_set(err, ERR_CONFLICT, "the index \"%s\" is open in another process", f->dir);
}

int files_open(struct vector_index *ix, bool *ret_is_new, struct err *err)
{
	struct vector_files *f = MEM_NEW(struct vector_files);
	int r;

	f->dir = ix->dir;
	f->lock_fd = f->dir_fd = f->vectors_fd = f->log_fd = -1;
	f->buffer = mem_alloc(LOG_UNSYNCED_MAX);
	f->checkpoint_at = ix->log_max_bytes;
	ix->files = f;
	r = dir_make(ix->dir, 0700, err);
	if (r < 0)
		return r;
	f->dir_fd = open(ix->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return err_set(err, ERR_IO, "could not open the folder \"%s\": %s", ix->dir,
			       strerror(errno));
	r = lock_folder(ix, err);
	if (r == 0)
		*ret_is_new = faccessat(f->dir_fd, "graph", F_OK, 0) != 0;
	return r;
}

static int check_vectors_header(struct vector_index *ix, const struct vectors_header *want,
				struct err *err)
{
	struct vectors_header h;
	int r = fd_read_all(ix->files->vectors_fd, &h, sizeof(h), ix->files, "vectors", err);

	if (r < 0)
		return r;
	if (memcmp(&h, want, sizeof(h)) != 0)
		return err_set(err, ERR_CORRUPTED,
			       "\"%s/vectors\" is not the file of vectors of this index", ix->dir);
	return 0;
}

int files_open_vectors(struct vector_index *ix, bool is_new, struct err *err)
{
	struct vector_files *f = ix->files;
	struct vectors_header h = {.dimension = ix->dimension, .precision = ix->precision};
	uint8_t page[VECTORS_HEADER] = {0};

	memcpy(h.magic, vectors_magic, sizeof(h.magic));
	h.crc = crc32c(0, &h, offsetof(struct vectors_header, crc));
	/* Without a checkpoint nothing leads into an old file. */
	f->vectors_fd = openat(f->dir_fd, "vectors",
			       O_RDWR | O_CLOEXEC | (is_new ? O_CREAT | O_TRUNC : 0), 0600);
	if (f->vectors_fd < 0)
		return err_set(err, errno == ENOENT ? ERR_CORRUPTED : ERR_IO,
			       "could not open \"%s/vectors\": %s", f->dir, strerror(errno));
	if (!is_new)
		return check_vectors_header(ix, &h, err);
	memcpy(page, &h, sizeof(h));
	return fd_write_all(f->vectors_fd, page, sizeof(page), f, "vectors", err);
}

static off_t vector_offset(const struct vector_index *ix, uint32_t slot)
{
	return (off_t)VECTORS_HEADER + (off_t)slot * (off_t)ix->vector_bytes;
}

/* The file is made as long as the chunk; what was not written yet takes no room on the disk. */
int files_map_chunk(struct vector_index *ix, uint32_t chunk, struct err *err)
{
	off_t from = vector_offset(ix, chunk << CHUNK_BITS);
	size_t bytes = CHUNK_SLOTS * ix->vector_bytes;
	struct stat st;
	void *p;

	if (fstat(ix->files->vectors_fd, &st) < 0 ||
	    (st.st_size < from + (off_t)bytes &&
	     ftruncate(ix->files->vectors_fd, from + (off_t)bytes) < 0))
		return err_set(err, ERR_IO, "could not lengthen \"%s/vectors\": %s", ix->dir,
			       strerror(errno));
	p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, ix->files->vectors_fd, from);
	if (p == MAP_FAILED)
		return err_set(err, ERR_NO_MEMORY, "could not map \"%s/vectors\": %s", ix->dir,
			       strerror(errno));
	(void)madvise(p, bytes, MADV_RANDOM); /* no read-ahead: a search wants one vector here */
	ix->chunks[chunk].vectors = p;
	return 0;
}

int files_write_vector(struct vector_index *ix, uint32_t slot, const void *data, struct err *err)
{
	const uint8_t *p = data;
	size_t left = ix->vector_bytes;
	off_t at = vector_offset(ix, slot);

	while (left > 0) {
		ssize_t n = pwrite(ix->files->vectors_fd, p, left, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int e = n < 0 ? errno : ENOSPC;

			(void)err_set(err, ERR_IO, "could not write \"%s/vectors\": %s", ix->dir,
				      strerror(e));
			return e == ENOSPC ? err_hint(err, "free space on that disk") : -ERR_IO;
		}
		p += n;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

int files_sync_vectors(struct vector_index *ix, struct err *err)
{
	if (fdatasync(ix->files->vectors_fd) < 0)
		return err_set(err, ERR_IO, "could not flush \"%s/vectors\": %s", ix->dir,
			       strerror(errno));
	return 0;
}

int files_sync_dir(struct vector_index *ix, struct err *err)
{
	if (fsync(ix->files->dir_fd) < 0)
		return err_set(err, ERR_IO, "could not flush the folder \"%s\": %s", ix->dir,
			       strerror(errno));
	return 0;
}

void files_close(struct vector_index *ix)
{
	struct vector_files *f = ix->files;

	if (!f)
		return;
	for (uint32_t i = 0; i < CHUNKS_MAX && ix->chunks; i++) {
		const uint8_t *p = ix->chunks[i].vectors;

		if (p)
			(void)munmap((void *)(uintptr_t)p, CHUNK_SLOTS * ix->vector_bytes);
	}
	closep(&f->log_fd);
	closep(&f->vectors_fd);
	closep(&f->lock_fd);
	closep(&f->dir_fd);
	mem_free(f->buffer);
	mem_free(f);
	ix->files = NULL;
}
