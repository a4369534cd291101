/* What the verbs about embeddings share: lines of text from files, and a matrix as a file. */
#pragma once

#include "base/strbuf.h"

#include <stdio.h>

/* --- lines ----------------------------------------------------------------------------------- */

struct embed_reader;

/* Lines of the files, one after the other, "-" being the standard input; of it alone when n is 0.
 * The names must outlive the reader. */
struct embed_reader *embed_reader_new(const char *const *paths, int n);
struct embed_reader *embed_reader_free(struct embed_reader *r);
DEFINE_CLEANUP(struct embed_reader *, embed_reader_free)

/*
 * The next line without its newline, appended to `b`: 1, or 0 at the end of all. ERR_NOT_FOUND,
 * ERR_PERMISSION, ERR_IO: a file; ERR_LIMIT, with file and line: a line above EMBED_TEXT_MAX.
 */
int embed_reader_next(struct embed_reader *r, struct strbuf *b, struct err *err) _must_check_;

/* Whether the next line may have to be waited for: who writes wants answers before that. */
bool embed_reader_is_waiting(const struct embed_reader *r);

/* --- matrices -------------------------------------------------------------------------------- */

/*
 * A .npy file (format 1.0) of n rows of float32 in C order. It gets its name when all is written,
 * so that there is never half a file; an older one is replaced then.
 */
struct npy_writer;

int npy_writer_open(const char *path, unsigned columns, struct npy_writer **ret, struct err *err)
    _must_check_;
int npy_writer_add(struct npy_writer *w, const float *rows, size_t n, struct err *err) _must_check_;
int npy_writer_commit(struct npy_writer *w, struct err *err) _must_check_;
struct npy_writer *npy_writer_close(struct npy_writer *w); /* without commit: nothing stays */
DEFINE_CLEANUP(struct npy_writer *, npy_writer_close)
