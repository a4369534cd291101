/*
 * Rows and CSV files. Fields are quoted when they hold a quote, a comma or a line end (RFC 4180);
 * lines end in "\n". A file is written as ".NAME.part" and gets its name when all files are
 * complete, so that a reader never sees half of one.
 */
#include "shop/generate_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/banned.h"

void gen_row_clear(struct gen_row *row)
{
	row->n = 0;
	row->used = 0;
}

struct str gen_row_keep(struct gen_row *row, const void *data, size_t len)
{
	char *to = row->scratch + row->used;

	bug_if(len > GEN_SCRATCH - row->used);
	if (len)
		memcpy(to, data, len);
	row->used += len;
	return (struct str){to, len};
}

void gen_row_str(struct gen_row *row, struct str s)
{
	bug_if(row->n == GEN_FIELDS_MAX);
	row->fields[row->n++] = gen_row_keep(row, s.data, s.len);
}

void gen_row_text(struct gen_row *row, const char *s)
{
	gen_row_str(row, str_from(s));
}

/* Digits of a number, at least `width`, written before `end`. */
static char *digits(char *end, uint64_t number, int width)
{
	do {
		*--end = (char)('0' + number % 10);
		number /= 10;
		width--;
	} while (number || width > 0);
	return end;
}

void gen_row_key(struct gen_row *row, char letter, uint64_t number)
{
	char text[32];
	char *end = text + sizeof(text);
	char *p = digits(end, number, 7);

	*--p = '-';
	*--p = letter;
	gen_row_str(row, (struct str){p, (size_t)(end - p)});
}

void gen_row_number(struct gen_row *row, uint64_t number)
{
	char text[32];
	char *end = text + sizeof(text);
	char *p = digits(end, number, 1);

	gen_row_str(row, (struct str){p, (size_t)(end - p)});
}

void gen_row_cents(struct gen_row *row, uint64_t cents)
{
	char text[32];
	char *end = text + sizeof(text);
	char *p = digits(end, cents % 100, 2);

	*--p = '.';
	p = digits(p, cents / 100, 1);
	gen_row_str(row, (struct str){p, (size_t)(end - p)});
}

static char *day_text(char *end, int32_t day)
{
	struct gen_date d = gen_date_of(day);

	end = digits(end, d.day, 2);
	*--end = '-';
	end = digits(end, d.month, 2);
	*--end = '-';
	return digits(end, (uint64_t)d.year, 4);
}

void gen_row_day(struct gen_row *row, int32_t day)
{
	char text[32];
	char *end = text + sizeof(text);
	char *p = day_text(end, day);

	gen_row_str(row, (struct str){p, (size_t)(end - p)});
}

void gen_row_time(struct gen_row *row, int64_t at)
{
	char text[32];
	char *end = text + sizeof(text);
	uint64_t second = (uint64_t)(at % GEN_DAY);
	char *p = digits(end, second % 60, 2);

	*--p = ':';
	p = digits(p, second / 60 % 60, 2);
	*--p = ':';
	p = digits(p, second / 3600, 2);
	*--p = ' ';
	p = day_text(p, (int32_t)(at / GEN_DAY));
	gen_row_str(row, (struct str){p, (size_t)(end - p)});
}

static int write_all(struct gen_file *f, const char *data, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = write(f->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, ERR_IO, "could not write \"%s\": %s", f->part_path,
				       strerror(errno));
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int put(struct gen_file *f, const char *data, size_t len, struct err *err)
{
	f->bytes += len;
	if (len > GEN_FILE_BUFFER - f->used) {
		int r = write_all(f, f->buffer, f->used, err);

		if (r < 0)
			return r;
		f->used = 0;
		if (len > GEN_FILE_BUFFER)
			return write_all(f, data, len, err);
	}
	memcpy(f->buffer + f->used, data, len);
	f->used += len;
	return 0;
}

int gen_file_open(struct gen_file *f, const char *folder, const char *name, const char *header,
		  struct err *err)
{
	f->name = name;
	f->path = mem_printf("%s/%s", folder, name);
	f->part_path = mem_printf("%s/.%s.part", folder, name);
	f->fd = open(f->part_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (f->fd < 0)
		return err_set(err, ERR_IO, "could not create \"%s\": %s", f->part_path,
			       strerror(errno));
	f->buffer = mem_alloc(GEN_FILE_BUFFER);
	f->line = header ? 2 : 1;
	if (!header)
		return 0;
	return put(f, header, strlen(header), err) ?: put(f, "\n", 1, err);
}

static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] == '"' || s.data[i] == ',' || s.data[i] == '\n' || s.data[i] == '\r')
			return true;
	return s.len && (s.data[0] == ' ' || s.data[s.len - 1] == ' ');
}

static int put_quoted(struct gen_file *f, struct str s, struct err *err)
{
	int r = put(f, "\"", 1, err);

	while (r == 0 && s.len) {
		const char *quote = memchr(s.data, '"', s.len);
		size_t n = quote ? (size_t)(quote - s.data) + 1 : s.len;

		r = put(f, s.data, n, err);
		if (r == 0 && quote)
			r = put(f, "\"", 1, err);
		s.data += n;
		s.len -= n;
	}
	return r < 0 ? r : put(f, "\"", 1, err);
}

int gen_file_write(struct gen_file *f, const struct gen_row *row, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < row->n; i++) {
		struct str s = row->fields[i];

		if (i)
			r = put(f, ",", 1, err);
		if (r < 0)
			break;
		if (!needs_quotes(s)) {
			r = put(f, s.data, s.len, err);
			continue;
		}
		for (size_t k = 0; k < s.len; k++)
			f->line += s.data[k] == '\n';
		r = put_quoted(f, s, err);
	}
	f->line++;
	f->rows++;
	return r < 0 ? r : put(f, "\n", 1, err);
}

int gen_file_write_line(struct gen_file *f, struct str line, struct err *err)
{
	f->line++;
	f->rows++;
	return put(f, line.data, line.len, err) ?: put(f, "\n", 1, err);
}

int gen_file_finish(struct gen_file *f, struct err *err)
{
	int r;

	if (!f->name)
		return 0;
	r = write_all(f, f->buffer, f->used, err);
	f->used = 0;
	if (r < 0)
		return r;
	if (fsync(f->fd) < 0)
		return err_set(err, ERR_IO, "could not flush \"%s\": %s", f->part_path,
			       strerror(errno));
	return 0;
}

int gen_file_publish(struct gen_file *f, struct err *err)
{
	if (!f->name)
		return 0;
	if (rename(f->part_path, f->path) < 0)
		return err_set(err, ERR_IO, "could not rename \"%s\" to \"%s\": %s", f->part_path,
			       f->path, strerror(errno));
	mem_free(TAKE_PTR(f->part_path));
	return 0;
}

void gen_file_done(struct gen_file *f)
{
	if (!f->name)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->part_path)
		(void)unlink(f->part_path);
	mem_free(f->part_path);
	mem_free(f->path);
	mem_free(f->buffer);
	*f = (struct gen_file){.fd = -1};
}
