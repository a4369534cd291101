/*
 * The reader keeps one window of the file, at least a line long. A record is found by looking for
 * its end first (an end of line outside quotes), then cut into fields in place: unquoting only
 * shrinks, so the fields can stay where they were read. zlib's gzread() reads plain files too; that
 * it says nothing about a truncated gzip until asked is why the end of file asks gzerror().
 */
#include "shop/load_reader.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/banned.h"

#define WINDOW_SIZE    (LOAD_LINE_MAX + ((size_t)64 << 10))
#define INFLATE_BUFFER (32 << 10)
#define READ_MAX       ((size_t)64 << 10) /* at once: text that is lost before damage in a gzip */

struct load_reader {
	char *name;
	gzFile gz;	   /* NULL: memory */
	struct str memory; /* what is left of it */
	char *window;
	size_t begin, end; /* unread part of the window */
	uint64_t line;	   /* of the last item */
	uint64_t next_line;
	bool is_eof, is_started;
};

int load_reader_open(const char *path, struct load_reader **ret, struct err *err)
{
	struct load_reader *r;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set(err,
			       errno == ENOENT	 ? ERR_NOT_FOUND
			       : errno == EACCES ? ERR_PERMISSION
						 : ERR_IO,
			       "could not open \"%s\": %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is no regular file", path);
	}
	r = MEM_NEW(struct load_reader);
	r->gz = gzdopen(fd, "rb");
	if (!r->gz) {
		(void)close(fd);
		mem_free(r);
		return err_set(err, ERR_NO_MEMORY, "could not read \"%s\": out of memory", path);
	}
	(void)gzbuffer(r->gz, INFLATE_BUFFER);
	r->name = mem_strdup(path);
	r->window = mem_alloc(WINDOW_SIZE);
	r->next_line = 1;
	*ret = r;
	return 0;
}

struct load_reader *load_reader_memory(const char *name, struct str data)
{
	struct load_reader *r = MEM_NEW(struct load_reader);

	r->name = mem_strdup(name);
	r->memory = data;
	r->window = mem_alloc(WINDOW_SIZE);
	r->next_line = 1;
	return r;
}

struct load_reader *load_reader_close(struct load_reader *r)
{
	if (r) {
		if (r->gz)
			(void)gzclose_r(r->gz);
		mem_free(r->name);
		mem_free(r->window);
		mem_free(r);
	}
	return NULL;
}

static int broken(const struct load_reader *r, enum err_code code, struct err *err,
		  const char *what)
{
	return err_set(err, code, "%s:%llu: %s", r->name, (unsigned long long)r->next_line, what);
}

/* The line up to which the file could be unpacked: behind the window's, which are not consumed. */
static unsigned long long last_line(const struct load_reader *r)
{
	unsigned long long line = r->next_line;

	for (size_t i = r->begin; i < r->end; i++)
		line += r->window[i] == '\n';
	return line;
}

static int gz_broken(const struct load_reader *r, int code, const char *why, struct err *err)
{
	const char *reason = strstr(why, ": "); /* behind zlib's "<fd:4>" */

	if (code == Z_ERRNO)
		return err_set(err, ERR_IO, "%s: could not be read: %s", r->name, strerror(errno));
	if (code == Z_BUF_ERROR)
		(void)err_set(err, ERR_CORRUPTED, "%s:%llu: the gzip file ends too early", r->name,
			      last_line(r));
	else
		(void)err_set(err, ERR_CORRUPTED,
			      "%s:%llu: the gzip file is damaged here or a little behind: %s",
			      r->name, last_line(r), reason ? reason + 2 : why);
	return err_hint(err, "fetch the file again; nothing of it was loaded");
}

static int read_gz(struct load_reader *r, size_t room, size_t *ret, struct err *err)
{
	int n = gzread(r->gz, r->window + r->end, (unsigned)(room < READ_MAX ? room : READ_MAX));
	int code = Z_OK;
	const char *why = gzerror(r->gz, &code);

	if (n < 0 || (n == 0 && code != Z_OK && code != Z_STREAM_END))
		return gz_broken(r, code, why, err);
	*ret = (size_t)n;
	return 0;
}

/* Reads more behind what is there. Sets is_eof at the end. */
static int fill(struct load_reader *r, struct err *err)
{
	size_t room, n = 0;
	int rc = 0;

	if (r->begin > 0) {
		memmove(r->window, r->window + r->begin, r->end - r->begin);
		r->end -= r->begin;
		r->begin = 0;
	}
	room = WINDOW_SIZE - r->end;
	if (r->gz) {
		rc = read_gz(r, room, &n, err);
		if (rc < 0)
			return rc;
	} else {
		n = r->memory.len < room ? r->memory.len : room;
		if (n)
			memcpy(r->window + r->end, r->memory.data, n);
		r->memory.data += n;
		r->memory.len -= n;
	}
	if (n == 0)
		r->is_eof = true;
	r->end += n;
	if (!r->is_started && (r->end - r->begin >= 3 || r->is_eof)) {
		r->is_started = true;
		if (r->end - r->begin >= 3 && memcmp(r->window, "\xEF\xBB\xBF", 3) == 0)
			r->begin = 3;
	}
	return 0;
}

int load_reader_peek(struct load_reader *r, int *ret_byte, struct err *err)
{
	while (!r->is_eof && (!r->is_started || r->begin == r->end)) {
		int rc = fill(r, err);

		if (rc < 0)
			return rc;
	}
	*ret_byte = r->begin < r->end ? (unsigned char)r->window[r->begin] : -1;
	return 0;
}

/* Makes one more read when there is room for it; the item is too long when there is none. */
static int more(struct load_reader *r, struct err *err)
{
	if (r->end - r->begin > LOAD_LINE_MAX) {
		(void)err_set(err, ERR_LIMIT, "%s:%llu: line longer than %zu bytes", r->name,
			      (unsigned long long)r->next_line, LOAD_LINE_MAX);
		return err_hint(err,
				"is this a feed file? see `aethermart load --help` for the forms");
	}
	return fill(r, err);
}

static int check_bytes(struct load_reader *r, size_t len, struct err *err)
{
	const char *nul;

	if (len > LOAD_LINE_MAX) {
		r->end = r->begin + len;
		return more(r, err);
	}
	nul = len ? memchr(r->window + r->begin, 0, len) : NULL;
	if (nul) {
		for (const char *p = r->window + r->begin; p < nul; p++)
			r->next_line += *p == '\n';
		return broken(r, ERR_CORRUPTED, err, "the line holds a NUL byte");
	}
	return 0;
}

int load_reader_line(struct load_reader *r, struct str *ret, struct err *err)
{
	size_t seen = 0;
	const char *end;
	int byte, rc = load_reader_peek(r, &byte, err);

	if (rc < 0 || byte < 0)
		return rc;
	for (;;) {
		end = memchr(r->window + r->begin + seen, '\n', r->end - r->begin - seen);
		if (end || r->is_eof)
			break;
		seen = r->end - r->begin;
		rc = more(r, err);
		if (rc < 0)
			return rc;
	}
	size_t len = end ? (size_t)(end - r->window) - r->begin : r->end - r->begin;

	rc = check_bytes(r, len, err);
	if (rc < 0)
		return rc;
	*ret = (struct str){r->window + r->begin, len};
	r->begin += len + (end != NULL);
	if (ret->len && ret->data[ret->len - 1] == '\r')
		ret->len--;
	r->line = r->next_line++;
	return 1;
}

/* Length of the record at the window's begin without its end of line; breaks inside quotes are part
 * of it. 1 found, 0: the window ends before. */
static int record_length(const struct load_reader *r, size_t *scanned, bool *quoted, size_t *ret)
{
	const char *p = r->window + r->begin;
	size_t n = r->end - r->begin, i = *scanned;
	bool q = *quoted;

	for (; i < n; i++) {
		if (p[i] == '"')
			q = !q;
		else if (p[i] == '\n' && !q) {
			*ret = i;
			return 1;
		}
	}
	*scanned = i;
	*quoted = q;
	return 0;
}

/* Takes the quoted field at *at (behind the quote) to where the separator stands. */
static int quoted_field(struct load_reader *r, char *text, size_t len, size_t *at, struct str *ret,
			struct err *err)
{
	size_t in = *at, out = *at;

	*ret = (struct str){text + *at, 0};
	for (;;) {
		char *quote = in < len ? memchr(text + in, '"', len - in) : NULL;

		if (!quote)
			return broken(r, ERR_CORRUPTED, err, "a quote is opened and never closed");
		size_t n = (size_t)(quote - (text + in));

		if (out != in)
			memmove(text + out, text + in, n);
		out += n;
		in += n + 1;
		if (in < len && text[in] == '"') {
			text[out++] = '"';
			in++;
			continue;
		}
		if (in < len && text[in] != ',')
			return broken(r, ERR_CORRUPTED, err,
				      "text follows the closing quote of a field");
		break;
	}
	ret->len = out - *at;
	*at = in;
	return 0;
}

static int split(struct load_reader *r, char *text, size_t len, struct load_record *ret,
		 struct err *err)
{
	size_t at = 0;
	int rc;

	ret->n_fields = 0;
	for (;;) {
		struct str *field = &ret->fields[ret->n_fields];

		if (ret->n_fields == LOAD_FIELDS_MAX)
			return broken(r, ERR_CORRUPTED, err, "more than 64 fields");
		if (at < len && text[at] == '"') {
			at++;
			rc = quoted_field(r, text, len, &at, field, err);
			if (rc < 0)
				return rc;
		} else {
			const char *comma = at < len ? memchr(text + at, ',', len - at) : NULL;
			size_t n = comma ? (size_t)(comma - (text + at)) : len - at;

			if (n && memchr(text + at, '"', n))
				return broken(r, ERR_CORRUPTED, err,
					      "a quote stands inside a field that is not quoted");
			*field = (struct str){text + at, n};
			at += n;
		}
		ret->n_fields++;
		if (at >= len)
			return 1;
		at++; /* the comma; behind the last one is an empty field */
	}
}

/* Finds the whole next record in the window; `len` is without the end of line. */
static int next_record(struct load_reader *r, size_t *ret_len, bool *ret_end, struct err *err)
{
	size_t scanned = 0, len = 0;
	bool quoted = false;
	int found, rc;

	while (!(found = record_length(r, &scanned, &quoted, &len)) && !r->is_eof) {
		rc = more(r, err);
		if (rc < 0)
			return rc;
	}
	if (!found)
		len = r->end - r->begin;
	rc = check_bytes(r, len, err);
	if (rc < 0)
		return rc;
	if (!found && quoted)
		return broken(r, ERR_CORRUPTED, err, "a quote is opened and never closed");
	*ret_len = len;
	*ret_end = found;
	return 0;
}

int load_reader_record(struct load_reader *r, struct load_record *ret, struct err *err)
{
	for (;;) {
		size_t len = 0;
		bool has_end = false;
		int byte, rc = load_reader_peek(r, &byte, err);

		if (rc < 0 || byte < 0)
			return rc;
		rc = next_record(r, &len, &has_end, err);
		if (rc < 0)
			return rc;

		char *text = r->window + r->begin;
		size_t cut = len && text[len - 1] == '\r' ? len - 1 : len;

		r->begin += len + has_end;
		if (cut == 0) {
			r->next_line++;
			continue;
		}
		uint64_t lines = has_end;

		for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))); p++)
			lines++;
		r->line = r->next_line;
		rc = split(r, text, cut, ret, err);
		if (rc < 0)
			return rc;
		r->next_line += lines;
		return 1;
	}
}

uint64_t load_reader_line_number(const struct load_reader *r)
{
	return r->line;
}
