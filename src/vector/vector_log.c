/*
 * The log: what was put and deleted after the last checkpoint, so that a confirmed write survives.
 *
 * Records are gathered in a buffer and written and flushed together by log_sync(): one flush for
 * any number of writes. At opening they are applied again in order. A crash can leave a torn record
 * at the end, or, when the machine went down, any garbage behind the last flush; never more than
 * LOG_UNSYNCED_MAX of it, because that much forces a flush. So the first record that does not check
 * ends the log when it stands within that distance from the end of the file; further in front it is
 * damage, and refused.
 *
 * Header (32 bytes): magic "AEMVLOG1", u32 dimension, u32 0, u64 generation, u32 0, u32 CRC32C of
 * the 28 bytes before. Record: u32 CRC32C of what follows, u32 sequence (1, 2, ... in the file),
 * u32 operation (1 put, 2 delete), u32 id, and for a put `dimension` f32.
 */
#include "vector/vector_file.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

struct log_header {
	char magic[8];
	uint32_t dimension;
	uint32_t zero;
	uint64_t generation;
	uint32_t zero2;
	uint32_t crc;
};
static_assert(sizeof(struct log_header) == LOG_HEADER, "as written");

struct log_record {
	uint32_t crc;
	uint32_t sequence;
	uint32_t operation;
	uint32_t id;
};
static_assert(sizeof(struct log_record) == 16, "as written");

static void log_name(uint64_t generation, char name[32])
{
	(void)snprintf(name, 32, "log.%llu", (unsigned long long)generation);
}

static struct log_header header_of(const struct vector_index *ix, uint64_t generation)
{
	struct log_header h = {.dimension = ix->dimension, .generation = generation};

	memcpy(h.magic, "AEMVLOG1", sizeof(h.magic));
	h.crc = crc32c(0, &h, offsetof(struct log_header, crc));
	return h;
}

static int flush_log(struct vector_index *ix, int fd, struct err *err)
{
	if (files_flush(ix, fd) == 0)
		return 0;
	return err_set(err, ERR_IO, "could not flush the log in \"%s\": %s", ix->dir,
		       strerror(errno));
}

int log_create(struct vector_index *ix, uint64_t generation, int *ret_fd, struct err *err)
{
	struct vector_files *f = ix->files;
	struct log_header h = header_of(ix, generation);
	_cleanup_(closep) int fd = -1;
	char name[32];
	int r;

	log_name(generation, name);
	fd = openat(f->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "could not make \"%s/%s\": %s", f->dir, name,
			       strerror(errno));
	r = files_write(f, (struct write_to){fd, name, 0}, &h, sizeof(h), err);
	if (r == 0)
		r = flush_log(ix, fd, err);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

void log_empty(struct vector_files *f)
{
	memset(f->buffer, 0, f->buffered);
	f->buffered = 0;
}

/*
 * The buffer is kept until all of it is flushed: after a flush that failed the kernel takes the
 * pages for clean, and only writing them again makes the next flush mean something. What a failed
 * try leaves behind the end is written over by the next.
 */
int log_sync(struct vector_index *ix, struct err *err)
{
	struct vector_files *f = ix->files;
	char name[32];
	int r = 0;

	if (f->is_renamed_loosely)
		r = files_sync_dir(ix, err);
	if (r < 0 || f->buffered == 0)
		return r;
	log_name(f->generation, name);
	r = files_write(f, (struct write_to){f->log_fd, name, f->log_bytes}, f->buffer, f->buffered,
			err);
	crash_point(ix, "log written");
	if (r == 0)
		r = flush_log(ix, f->log_fd, err);
	if (r < 0)
		return r;
	f->log_bytes += f->buffered;
	log_empty(f);
	crash_point(ix, "log flushed");
	return 0;
}

int log_append(struct vector_index *ix, uint32_t id, const float *vector, struct err *err)
{
	struct vector_files *f = ix->files;
	size_t payload = vector ? ix->dimension * sizeof(float) : 0;
	struct log_record h = {
	    .sequence = f->sequence + 1, .operation = vector ? LOG_PUT : LOG_DELETE, .id = id};
	uint8_t *to;

	if (f->buffered + sizeof(h) + payload > LOG_UNSYNCED_MAX) {
		int r = log_sync(ix, err);

		if (r < 0)
			return r;
	}
	to = f->buffer + f->buffered;
	if (payload)
		memcpy(to + sizeof(h), vector, payload);
	memcpy(to, &h, sizeof(h));
	h.crc = crc32c(0, to + sizeof(h.crc), sizeof(h) - sizeof(h.crc) + payload);
	memcpy(to, &h.crc, sizeof(h.crc));
	f->buffered += sizeof(h) + payload;
	f->sequence++;
	return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

/* A buffered reader that knows how far it is. */
struct log_reader {
	struct vector_index *ix;
	int fd;
	uint8_t *buffer;
	size_t len, at;
};

/* `n` bytes in a row at ret; false at the end of the file. */
static int read_ahead(struct log_reader *l, size_t n, const uint8_t **ret, struct err *err)
{
	if (l->len - l->at < n) {
		memmove(l->buffer, l->buffer + l->at, l->len - l->at);
		l->len -= l->at;
		l->at = 0;
		while (l->len < n) {
			ssize_t got = read(l->fd, l->buffer + l->len, LOG_UNSYNCED_MAX - l->len);

			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return err_set(err, ERR_IO, "could not read the log in \"%s\": %s",
					       l->ix->dir, strerror(errno));
			if (got == 0)
				return 0;
			l->len += (size_t)got;
		}
	}
	*ret = l->buffer + l->at;
	return 1;
}

/* 1: a whole record; 0: none, or one that does not check. */
static int next_record(struct log_reader *l, struct log_record *h, const float **ret_vector,
		       struct err *err)
{
	size_t payload;
	const uint8_t *p = NULL;
	int r = read_ahead(l, sizeof(*h), &p, err);

	if (r <= 0 || !p)
		return r;
	memcpy(h, p, sizeof(*h));
	if (h->operation != LOG_PUT && h->operation != LOG_DELETE)
		return 0;
	payload = h->operation == LOG_PUT ? l->ix->dimension * sizeof(float) : 0;
	r = read_ahead(l, sizeof(*h) + payload, &p, err);
	if (r <= 0)
		return r;
	if (h->sequence != l->ix->files->sequence + 1 ||
	    h->crc != crc32c(0, p + sizeof(h->crc), sizeof(*h) - sizeof(h->crc) + payload))
		return 0;
	/* All that stands there is a multiple of 4 bytes. */
	*ret_vector = payload ? (const float *)(const void *)(p + sizeof(*h)) : NULL;
	l->at += sizeof(*h) + payload;
	return 1;
}

static int apply(struct vector_index *ix, const struct log_record *h, const float *vector,
		 struct err *err)
{
	int r;

	if (h->id == VECTOR_ID_NONE || (vector && index_check_values(ix, vector, err) < 0))
		return err_set(err, ERR_CORRUPTED, "it holds what no index writes");
	if (h->operation == LOG_PUT)
		return index_put(ix, h->id, vector, false, err);
	r = index_delete(ix, h->id, false, err);
	if (r == -ERR_NOT_FOUND) {
		err_clear(err);
		return 0;
	}
	return r;
}

static int replay_records(struct log_reader *l, struct err *err)
{
	struct vector_files *f = l->ix->files;

	for (;;) {
		struct log_record h = {0};
		const float *vector = NULL;
		int r = next_record(l, &h, &vector, err);

		if (r <= 0)
			return r;
		r = apply(l->ix, &h, vector, err);
		if (r < 0)
			return err_context(err, "record %u of the log in \"%s\"", h.sequence,
					   l->ix->dir);
		f->sequence = h.sequence;
		f->log_bytes +=
		    sizeof(h) + (h.operation == LOG_PUT ? l->ix->dimension * sizeof(float) : 0);
		l->ix->replayed++;
	}
}

static int check_log_header(struct vector_index *ix, const char *name, struct err *err)
{
	struct log_header h, want = header_of(ix, ix->files->generation);
	int r = fd_read_all(ix->files->log_fd, &h, sizeof(h), ix->files, name, err);

	if (r == 0 && memcmp(&h, &want, sizeof(h)) != 0)
		r = err_set(err, ERR_CORRUPTED, "\"%s/%s\" is not the log of this index", ix->dir,
			    name);
	return r;
}

static int cut_torn_end(struct vector_index *ix, const char *name, struct err *err)
{
	struct vector_files *f = ix->files;
	struct stat st;

	if (fstat(f->log_fd, &st) < 0)
		return err_set(err, ERR_IO, "could not look at \"%s/%s\": %s", f->dir, name,
			       strerror(errno));
	f->dropped_bytes = (uint64_t)st.st_size - f->log_bytes;
	if (f->dropped_bytes > LOG_UNSYNCED_MAX)
		return err_set(err, ERR_CORRUPTED,
			       "\"%s/%s\" is damaged at byte %llu: its record %u does not check, "
			       "and %llu bytes follow",
			       f->dir, name, (unsigned long long)f->log_bytes, f->sequence + 1,
			       (unsigned long long)f->dropped_bytes);
	if (f->dropped_bytes > 0 && ftruncate(f->log_fd, (off_t)f->log_bytes) < 0)
		return err_set(err, ERR_IO, "could not cut the torn end off \"%s/%s\": %s", f->dir,
			       name, strerror(errno));
	/* A killed process wrote what it did not flush: now it counts, and log_sync() will not see
	 * it again. */
	return st.st_size > LOG_HEADER ? flush_log(ix, f->log_fd, err) : 0;
}

int log_replay(struct vector_index *ix, struct err *err)
{
	struct vector_files *f = ix->files;
	struct log_reader l = {.ix = ix};
	char name[32];
	int r;

	log_name(f->generation, name);
	f->log_fd = openat(f->dir_fd, name, O_RDWR | O_CLOEXEC);
	if (f->log_fd < 0)
		return err_set(err, errno == ENOENT ? ERR_CORRUPTED : ERR_IO,
			       "could not open \"%s/%s\": %s", f->dir, name, strerror(errno));
	r = check_log_header(ix, name, err);
	if (r < 0)
		return r;
	f->log_bytes = LOG_HEADER;
	l.fd = f->log_fd;
	l.buffer = mem_alloc(LOG_UNSYNCED_MAX);
	r = replay_records(&l, err);
	mem_free(l.buffer);
	return r < 0 ? r : cut_torn_end(ix, name, err);
}

void log_remove_others(struct vector_index *ix)
{
	struct vector_files *f = ix->files;
	char own[32];
	DIR *d = opendir(f->dir);
	const struct dirent *e;

	log_name(f->generation, own);
	while (d && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "log.", 4) == 0 && !cstr_equal(e->d_name, own))
			(void)unlinkat(f->dir_fd, e->d_name, 0);
	}
	if (d)
		(void)closedir(d);
}
