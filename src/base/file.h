/* Files and folders. Paths are NUL-terminated. Errors name the path and the reason. Thread-safe. */
#pragma once

#include "base/strbuf.h"

#include <stdio.h>
#include <sys/types.h>

/* Whole file into `b` (appended); ERR_LIMIT beyond the buffer's maximum, ERR_NOT_FOUND. */
int file_read(const char *path, struct strbuf *b, struct err *err) _must_check_;

/* Writes new, fsyncs, renames, fsyncs the folder: the file is the old or the new one, whole. */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
    _must_check_;

/* Makes durable that a name in the file's folder is there or gone: -1 and errno when it fails. */
int file_sync_folder(const char *path) _must_check_;

/* The error that errno tells of: could not WHAT "PATH": why. ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO.
 */
int file_error(const char *what, const char *path, struct err *err);

/* Creates a folder and its parents; an existing one is fine. */
int dir_make(const char *path, mode_t mode, struct err *err) _must_check_;

/* Removes a folder and all below it; never follows a symbolic link. Absent is fine. */
int dir_remove(const char *path, struct err *err) _must_check_;

bool file_exists(const char *path);

/* n random characters of [A-Za-z0-9], from the kernel's generator. Owned by the caller. */
char *random_password(size_t n);
void random_bytes(void *buf, size_t n);

void closep(int *fd); /* for _cleanup_; closes when >= 0 */

/* Moves a descriptor out of a variable that _cleanup_(closep) would close. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
