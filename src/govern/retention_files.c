/*
 * Stores that are files: binary logs, the server's audit files, logs, the cache of embeddings. See
 * retention.h.
 *
 * A log is written by a process that keeps it open for appending, so that it cannot be renamed
 * away: above LOG_BYTES it is copied to NAME.1, which replaces a former one, and emptied. A line
 * that is written between the two is lost.
 */
#include "govern/retention_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "embed/embed_cache.h"
#include "govern/govern_sql_int.h"
#include "govern/rbac_audit.h"
#include "govern/rbac_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define LOG_BYTES ((off_t)16 << 20)

struct found {
	char *path;
	struct stat st;
};

struct list {
	size_t n, cap;
	struct found *items;
};

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->items[i].path);
	mem_free(l->items);
}

/* Regular files of a folder whose names fit; no folder: none. */
static int list_files(const char *dir, bool (*fits)(const char *name), struct list *ret,
		      struct err *err)
{
	DIR *d = dir ? opendir(dir) : NULL;
	const struct dirent *entry;

	if (!d)
		return !dir || errno == ENOENT ? 0 : file_error("open", dir, err);
	while ((entry = readdir(d))) {
		struct found f = {0};

		if (!fits(entry->d_name))
			continue;
		f.path = mem_printf("%s/%s", dir, entry->d_name);
		if (lstat(f.path, &f.st) < 0 || !S_ISREG(f.st.st_mode)) {
			mem_free(f.path);
			continue;
		}
		mem_grow(&ret->items, &ret->cap, ret->n + 1, sizeof(*ret->items));
		ret->items[ret->n++] = f;
	}
	(void)closedir(d);
	return 0;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && cstr_equal(name + n - k, end);
}

static bool is_log(const char *name)
{
	return ends_with(name, ".log") || ends_with(name, ".log.1");
}

static bool is_witness(const char *name)
{
	return strncmp(name, RBAC_FILE, strlen(RBAC_FILE)) == 0;
}

static bool is_renamed_witness(const char *name)
{
	return is_witness(name) && name[strlen(RBAC_FILE)] == '.';
}

/* --- sizes ----------------------------------------------------------------------------------- */

static int add_up(const char *dir, bool (*fits)(const char *name), struct retention_size *ret,
		  struct err *err)
{
	_cleanup_(list_done) struct list files = {0};
	char text[CLOCK_TEXT_SIZE];
	int64_t oldest = INT64_MAX;
	int r = list_files(dir, fits, &files, err);

	for (size_t i = 0; i < files.n; i++) {
		int64_t changed = (int64_t)files.items[i].st.st_mtim.tv_sec;

		ret->bytes += (uint64_t)files.items[i].st.st_size;
		oldest = changed < oldest ? changed : oldest;
	}
	ret->rows = files.n;
	ret->is_there = files.n > 0;
	if (files.n) {
		clock_format(oldest * 1000000, text);
		text[10] = ' ';
		(void)snprintf(ret->oldest, sizeof(ret->oldest), "%.19s", text);
	}
	return r;
}

static int look_at_binlogs(const struct retention_place *p, struct retention_size *ret,
			   struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = p->has_own_server
		    ? maria_query(p->db, govern_sql_retention_binlogs, NULL, 0, &rows, err)
		    : 0;

	while (rows && r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		ret->is_there = true;
		ret->bytes += maria_rows_uint(rows, 1);
		ret->rows++;
	}
	return r;
}

/* The file and its journal. */
static void look_at_cache(const char *path, struct retention_size *ret)
{
	static const char *const ends[] = {"", "-wal", "-shm"};

	for (size_t i = 0; path && i < ARRAY_LEN(ends); i++) {
		_cleanup_(mem_freep) char *name = mem_printf("%s%s", path, ends[i]);
		struct stat st;

		if (stat(name, &st) == 0) {
			ret->is_there = true;
			ret->bytes += (uint64_t)st.st_size;
			ret->rows++;
		}
	}
}

int retention_look_at_files(const struct retention_place *p, const struct retention_store *s,
			    struct retention_size *ret, struct err *err)
{
	switch (s->kind) {
	case RETENTION_BINLOGS:
		return look_at_binlogs(p, ret, err);
	case RETENTION_WITNESS:
		return add_up(p->witness_dir, is_witness, ret, err);
	case RETENTION_LOGS:
		return add_up(p->log_dir, is_log, ret, err);
	case RETENTION_CACHE:
		look_at_cache(p->cache_path, ret);
		return 0;
	case RETENTION_TABLE:
	case RETENTION_CHAIN:
		break;
	}
	return err_set(err, ERR_INTERNAL, "a store of an unknown kind");
}

/* --- purge ----------------------------------------------------------------------------------- */

static bool is_before(int64_t seconds, int64_t retention_ms)
{
	return seconds * 1000 < clock_wall_us() / 1000 - retention_ms;
}

static bool is_old(const struct found *f, int64_t retention_ms)
{
	return is_before((int64_t)f->st.st_mtim.tv_sec, retention_ms);
}

/* By the last line: scrubbing renews the file's own time. */
static int remove_old_witness(const char *dir, int64_t retention_ms, bool is_dry, uint64_t *ret_n,
			      struct err *err)
{
	_cleanup_(list_done) struct list files = {0};
	int r = list_files(dir, is_renamed_witness, &files, err);

	for (size_t i = 0; i < files.n && r == 0; i++) {
		const char *path = files.items[i].path;
		struct rbac_times times;

		r = rbac_file_times(path, &times, err);
		if (r < 0 || !is_before(times.last, retention_ms))
			continue;
		if (!is_dry && unlink(path) < 0 && errno != ENOENT)
			r = file_error("remove", path, err);
		*ret_n += r == 0;
	}
	return r;
}

/* The file that is written is renamed when it begins too long ago, and goes when its end is old.
 * On a server where we may not, who keeps it does. */
static int rotate_witness(const struct retention_place *p, int64_t retention_ms, struct err *err)
{
	_cleanup_(mem_freep) char *path =
	    p->witness_dir ? mem_printf("%s/" RBAC_FILE, p->witness_dir) : NULL;
	struct rbac_times times;
	int r = path ? rbac_file_times(path, &times, err) : 0;

	if (r < 0 || !path || !times.first || !is_before(times.first, retention_ms))
		return r;
	r = maria_exec(p->db, "SET GLOBAL server_audit_file_rotate_now = ON", err);
	if (r == -ERR_PERMISSION) {
		err_clear(err);
		return 0;
	}
	return r;
}

static int purge_witness(const struct retention_place *p, int64_t retention_ms, bool is_dry,
			 uint64_t *ret_n, struct err *err)
{
	int r = remove_old_witness(p->witness_dir, retention_ms, is_dry, ret_n, err);

	return r < 0 || is_dry ? r : rotate_witness(p, retention_ms, err);
}

static int remove_old(const char *dir, bool (*fits)(const char *name), int64_t retention_ms,
		      bool is_dry, uint64_t *ret_n, struct err *err)
{
	_cleanup_(list_done) struct list files = {0};
	int r = list_files(dir, fits, &files, err);

	for (size_t i = 0; i < files.n && r == 0; i++) {
		if (!is_old(&files.items[i], retention_ms))
			continue;
		if (!is_dry && unlink(files.items[i].path) < 0 && errno != ENOENT)
			r = file_error("remove", files.items[i].path, err);
		*ret_n += r == 0;
	}
	return r;
}

static bool is_former_log(const char *name)
{
	return ends_with(name, ".log.1");
}

static bool is_living_log(const char *name)
{
	return ends_with(name, ".log");
}

static int copy_bytes(int from, int to, const char *path, struct err *err)
{
	_cleanup_(mem_freep) char *buf = mem_alloc(1 << 16);
	ssize_t n;

	while ((n = read(from, buf, 1 << 16)) > 0)
		for (ssize_t done = 0, k = 0; done < n; done += k) {
			k = write(to, buf + done, (size_t)(n - done));
			if (k < 0)
				return file_error("write", path, err);
		}
	return n < 0 ? file_error("read", path, err) : 0;
}

static int empty_log(const char *path, struct err *err)
{
	_cleanup_(mem_freep) char *former = mem_printf("%s.1", path);
	_cleanup_(mem_freep) char *fresh = mem_printf("%s.1.new", path);
	_cleanup_(closep) int from = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_(closep) int to =
	    open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (from < 0)
		return file_error("open", path, err);
	if (to < 0)
		return file_error("create", fresh, err);
	r = copy_bytes(from, to, path, err);
	if (r == 0 && rename(fresh, former) < 0)
		r = file_error("rename", fresh, err);
	if (r == 0 && ftruncate(from, 0) < 0)
		r = file_error("empty", path, err);
	return r;
}

static int purge_logs(const struct retention_place *p, int64_t retention_ms, bool is_dry,
		      uint64_t *ret_n, struct err *err)
{
	_cleanup_(list_done) struct list files = {0};
	int r = remove_old(p->log_dir, is_former_log, retention_ms, is_dry, ret_n, err);

	if (r == 0)
		r = list_files(p->log_dir, is_living_log, &files, err);
	for (size_t i = 0; i < files.n && r == 0; i++) {
		if (files.items[i].st.st_size < LOG_BYTES)
			continue;
		if (!is_dry)
			r = empty_log(files.items[i].path, err);
		*ret_n += r == 0;
	}
	return r;
}

/* The server keeps what a replica that is connected still reads. */
static int purge_binlogs(const struct retention_place *p, int64_t retention_ms, uint64_t *ret_n,
			 struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);
	struct retention_size before = {0}, after = {0};
	int r = look_at_binlogs(p, &before, err);

	if (r < 0 || !before.is_there)
		return r;
	strbuf_addf(&sql, "PURGE BINARY LOGS BEFORE NOW() - INTERVAL %" PRId64 " SECOND",
		    retention_ms / 1000);
	r = maria_exec(p->db, strbuf_str(&sql), err);
	if (r == 0)
		r = look_at_binlogs(p, &after, err);
	*ret_n = before.rows > after.rows ? before.rows - after.rows : 0;
	return r;
}

/* Not there: nothing is made. */
static int purge_cache(const struct retention_place *p, int64_t retention_ms, bool is_dry,
		       uint64_t *ret_n, struct err *err)
{
	_cleanup_(embed_cache_freep) struct embed_cache *cache = NULL;
	int64_t before = clock_wall_us() / 1000000 - retention_ms / 1000;
	struct stat st;
	int r;

	if (!p->cache_path || stat(p->cache_path, &st) < 0)
		return 0;
	r = embed_cache_open(p->cache_path, &cache, err);
	if (r < 0)
		return r;
	return is_dry ? embed_cache_count_old(cache, before, ret_n, err)
		      : embed_cache_purge(cache, before, p->pause, p->arg, ret_n, err);
}

int retention_purge_files(const struct retention_place *p, const struct retention_store *s,
			  bool is_dry, uint64_t *ret_n, struct err *err)
{
	int64_t ms = retention_of(p->config, s);

	switch (s->kind) {
	case RETENTION_BINLOGS: /* which would go, the server does not tell beforehand */
		return is_dry ? 0 : purge_binlogs(p, ms, ret_n, err);
	case RETENTION_WITNESS:
		return purge_witness(p, ms, is_dry, ret_n, err);
	case RETENTION_LOGS:
		return purge_logs(p, ms, is_dry, ret_n, err);
	case RETENTION_CACHE:
		return purge_cache(p, ms, is_dry, ret_n, err);
	case RETENTION_TABLE:
	case RETENTION_CHAIN:
		break;
	}
	return err_set(err, ERR_INTERNAL, "a store of an unknown kind");
}
