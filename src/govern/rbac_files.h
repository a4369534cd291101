/* The files of server_audit, as they are at a moment. */
#pragma once

#include "base/mem.h"
#include "govern/rbac_line.h"

#define RBAC_FILES_MAX 1000 /* the plugin's server_audit_file_rotations has 999 at most */

struct rbac_file {
	int fd;
	uint64_t inode;
	char began[RBAC_TIME_BYTES + 1]; /* time of its first line, which scrubbing leaves */
	unsigned number;		 /* 0: the one that is written now */
};

struct rbac_files {
	size_t n; /* the newest first */
	struct rbac_file items[RBAC_FILES_MAX];
};

/* Opens all that have a whole time; no folder is no file. They stay the same when the server
 * renames them. On the heap, for its size. */
int rbac_files_open(const char *dir, bool is_written, struct rbac_files **ret, struct err *err)
    _must_check_;
struct rbac_files *rbac_files_close(struct rbac_files *f);
DEFINE_CLEANUP(struct rbac_files *, rbac_files_close)

/* As it is now: the newest grows. 0 when it cannot be told. */
uint64_t rbac_file_size(const struct rbac_file *f);

/*
 * The lines from `offset` on, of one piece of at most RBAC_PIECE bytes, without their ends;
 * `ret_next` is where the next piece begins, `offset` itself when there is no more. A last line
 * without an end is one when `is_ended`, else it waits for its end.
 */
#define RBAC_PIECE ((size_t)1 << 20)
typedef int (*rbac_line_fn)(void *arg, struct str line, uint64_t offset, struct err *err);
int rbac_file_each(const struct rbac_file *f, uint64_t offset, bool is_ended, rbac_line_fn fn,
		   void *arg, uint64_t *ret_next, struct err *err) _must_check_;

/* "20261127 16:30:27" in seconds since 1970; 0: it is none. */
int64_t rbac_time_seconds(const char *text);

/* Of the first line, 0: there is none; and of the last, which scrubbing leaves as it was: of a file
 * without one, of its last change. No file: both are 0. */
struct rbac_times {
	int64_t first, last;
};
int rbac_file_times(const char *path, struct rbac_times *ret, struct err *err) _must_check_;
