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

int files_write(const struct vector_files *f, struct write_to to, const void *data, size_t n,
		struct err *err)
{
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t written = pwrite(to.fd, p, n, (off_t)to.at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			int e = written < 0 ? errno : ENOSPC;

			(void)err_set(err, ERR_IO, "could not write \"%s/%s\": %s", f->dir, to.name,
				      strerror(e));
			return e == ENOSPC ? err_hint(err, "free space on that disk") : -ERR_IO;
		}
		p += written;
		to.at += (uint64_t)written;
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

/* A folder whose checkpoint is gone must not be taken for an empty one: an index that was killed
 * before its first checkpoint has a file of vectors with a header only. */
static int find_checkpoint(struct vector_index *ix, bool *ret_is_new, struct err *err)
{
	struct vector_files *f = ix->files;
	struct stat st;

	if (fstatat(f->dir_fd, "graph", &st, 0) == 0) {
		*ret_is_new = false;
		return 0;
	}
	if (errno != ENOENT)
		return err_set(err, ERR_IO, "could not look at \"%s/graph\": %s", f->dir,
			       strerror(errno));
	if (fstatat(f->dir_fd, "vectors", &st, 0) == 0 && st.st_size > VECTORS_HEADER) {
		(void)err_set(err, ERR_CORRUPTED,
			      "\"%s/graph\" is missing, and \"%s/vectors\" is not empty", f->dir,
			      f->dir);
		return err_hint(err, "restore the folder, or empty it for a new index");
	}
	*ret_is_new = true;
	return 0;
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
	return r < 0 ? r : find_checkpoint(ix, ret_is_new, err);
}

/* The folder's own entry must be durable, too. */
int files_sync_parent(struct vector_index *ix, struct err *err)
{
	_cleanup_(closep) int fd =
	    openat(ix->files->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_set(err, ERR_IO, "could not flush the folder that holds \"%s\": %s",
			       ix->dir, strerror(errno));
	return 0;
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
	struct vectors_header h = {.dimension = ix->dimension,
				   .precision = files_precision(ix->precision)};
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
	return files_write(f, (struct write_to){f->vectors_fd, "vectors", 0}, page, sizeof(page),
			   err);
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
	struct write_to to = {ix->files->vectors_fd, "vectors", (uint64_t)vector_offset(ix, slot)};

	return files_write(ix->files, to, data, ix->vector_bytes, err);
}

int files_flush(const struct vector_index *ix, int fd)
{
	if (ix->hook.fails &&
	    ix->hook.fails(ix->hook.arg, fd == ix->files->vectors_fd ? "vectors" : "log")) {
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

/* After a flush that failed the kernel takes the pages for clean: the next one would succeed, and
 * prove nothing. So none is tried. */
int files_sync_vectors(struct vector_index *ix, struct err *err)
{
	struct vector_files *f = ix->files;

	if (!f->has_lost_vectors && files_flush(ix, f->vectors_fd) == 0)
		return 0;
	(void)err_set(err, ERR_IO, "could not flush \"%s/vectors\": %s", ix->dir,
		      f->has_lost_vectors ? "it failed before" : strerror(errno));
	f->has_lost_vectors = true;
	return err_hint(err, "look after the disk, then open the index again: its log has all");
}

int files_sync_dir(struct vector_index *ix, struct err *err)
{
	if (ix->hook.fails && ix->hook.fails(ix->hook.arg, "folder")) {
		errno = EIO;
	} else if (fsync(ix->files->dir_fd) == 0) {
		ix->files->is_renamed_loosely = false;
		return 0;
	}
	return err_set(err, ERR_IO, "could not flush the folder \"%s\": %s", ix->dir,
		       strerror(errno));
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
