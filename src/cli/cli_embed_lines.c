/* Lines of text from files and the standard input: see cli_embed.h. */
#include "cli/cli_embed.h"

#include "base/file.h"
#include "base/mem.h"
#include "embed/embed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/banned.h"

#define BUFFER_BYTES 65536

struct embed_reader {
	const char *const *paths;
	int n, next;	  /* paths, and the one to open next */
	const char *name; /* of the open file */
	int fd;		  /* -1: none is open */
	size_t line;
	char buffer[BUFFER_BYTES];
	size_t len, at; /* of the buffer */
};

struct embed_reader *embed_reader_new(const char *const *paths, int n)
{
	static const char *const standard_input[] = {"-"};
	struct embed_reader *r = MEM_NEW(struct embed_reader);

	r->paths = n ? paths : standard_input;
	r->n = n ? n : 1;
	r->fd = -1;
	return r;
}

static void close_file(struct embed_reader *r)
{
	if (r->fd > STDIN_FILENO)
		(void)close(r->fd);
	r->fd = -1;
}

struct embed_reader *embed_reader_free(struct embed_reader *r)
{
	if (!r)
		return NULL;
	close_file(r);
	mem_free(r);
	return NULL;
}

static int open_next(struct embed_reader *r, struct err *err)
{
	r->name = r->paths[r->next++];
	r->line = r->len = r->at = 0;
	r->fd = cstr_equal(r->name, "-") ? STDIN_FILENO : open(r->name, O_RDONLY | O_CLOEXEC);
	return r->fd < 0 ? file_error("open", r->name, err) : 0;
}

/* More bytes into the empty buffer: 1, or 0 at the end of the file. */
static int fill(struct embed_reader *r, struct err *err)
{
	ssize_t n;

	do {
		n = read(r->fd, r->buffer, sizeof(r->buffer));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return file_error("read", r->name, err);
	r->at = 0;
	r->len = (size_t)n;
	return n > 0;
}

/* Up to the end of the line or of the buffer: true at the former. */
static bool take_part(struct embed_reader *r, struct strbuf *b)
{
	const char *from = r->buffer + r->at;
	const char *end = memchr(from, '\n', r->len - r->at);
	size_t n = end ? (size_t)(end - from) : r->len - r->at;

	strbuf_add(b, from, n);
	r->at += n + (end != NULL);
	return end != NULL;
}

/* A line of the open file: 1, or 0 at its end. */
static int next_of_file(struct embed_reader *r, struct strbuf *b, struct err *err)
{
	size_t before = b->len;
	bool begun = false;

	for (;;) {
		int got = r->at < r->len ? 1 : fill(r, err);

		if (got < 0 || (got == 0 && !begun))
			return got;
		if (!begun)
			r->line++;
		begun = true;
		if (got == 0 || take_part(r, b))
			return 1;
		if (b->len - before > EMBED_TEXT_MAX || b->overflow)
			return err_set(err, ERR_LIMIT, "%s:%zu: the line is longer than %zu bytes",
				       r->name, r->line, EMBED_TEXT_MAX);
	}
}

int embed_reader_next(struct embed_reader *r, struct strbuf *b, struct err *err)
{
	for (;;) {
		int got;

		if (r->fd < 0 && r->next == r->n)
			return 0;
		if (r->fd < 0) {
			got = open_next(r, err);
			if (got < 0)
				return got;
		}
		got = next_of_file(r, b, err);
		if (got != 0)
			return got;
		close_file(r);
	}
}

bool embed_reader_is_waiting(const struct embed_reader *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};

	return r->fd >= 0 && r->at == r->len && poll(&p, 1, 0) == 0;
}
