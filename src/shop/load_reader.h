/*
 * Reading feed files: plain or gzip, as lines (JSON lines) or as CSV records by RFC 4180.
 *
 * The reader is strict about the file and indifferent to the values: a truncated or damaged gzip, a
 * NUL byte, a quote that never ends, text after a closing quote, a record with another number of
 * fields than the header, a line or record above LOAD_LINE_MAX are errors that name file and line
 * (ERR_CORRUPTED; ERR_LIMIT for the last). Memory is bounded by LOAD_LINE_MAX. One thread.
 */
#pragma once

#include "base/strbuf.h"

#define LOAD_LINE_MAX	((size_t)1 << 20) /* bytes of a line or record; a description has 64 KiB */
#define LOAD_FIELDS_MAX 64		  /* fields of a record; the widest known has 19 */

struct load_reader;

/* ERR_NOT_FOUND, ERR_PERMISSION; ERR_INVALID_ARGUMENT when it is no regular file. */
int load_reader_open(const char *path, struct load_reader **ret, struct err *err) _must_check_;
struct load_reader *load_reader_close(struct load_reader *r);
DEFINE_CLEANUP(struct load_reader *, load_reader_close)

/* Reads from memory, for tests: `data` is borrowed. */
struct load_reader *load_reader_memory(const char *name, struct str data);

/* First byte of the content after a byte order mark; -1 for an empty file. */
int load_reader_peek(struct load_reader *r, int *ret_byte, struct err *err) _must_check_;

/* The next line without its end. 1, 0 at the end. Valid until the next call. */
int load_reader_line(struct load_reader *r, struct str *ret, struct err *err) _must_check_;

/* The next record; empty lines between records are skipped. 1, 0 at the end. The fields are valid
 * until the next call. */
struct load_record {
	size_t n_fields;
	struct str fields[LOAD_FIELDS_MAX];
};
int load_reader_record(struct load_reader *r, struct load_record *ret, struct err *err)
    _must_check_;

/* Line where the last line or record begins, from 1. */
uint64_t load_reader_line_number(const struct load_reader *r);
