/*
 * Scrubbing and scanning for erasure: see rbac_audit.h.
 *
 * A needle is looked for in lower case, as it is and in each form in which a statement may hold it.
 * Rows are read and matched here, never by the server: the plugin would write the needle of such a
 * statement into the file.
 */
#include "govern/rbac_audit.h"

#include "base/file.h"
#include "govern/audit.h"
#include "govern/govern_sql_int.h"
#include "govern/rbac_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/banned.h"

#define NEEDLE_MIN 3 /* shorter ones are in every line */
#define NEEDLE_MAX 1024
#define PAGE_ROWS  1000
#define FORMS	   6

struct needles {
	struct arena arena;
	size_t n;
	struct str *forms;
	char *lower; /* of a line */
};

static void needles_done(struct needles *s)
{
	mem_free(s->lower);
	arena_done(&s->arena);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* --- needles --------------------------------------------------------------------------------- */

static void add_form(struct needles *s, struct str form)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_equal(s->forms[i], form))
			return;
	s->forms[s->n++] = form;
}

/* Backslashes before what the plugin, and SQL, escape. */
static struct str escaped(struct needles *s, struct str text)
{
	static const char from[] = "\b\t\n\f\r'\\", to[] = "btnfr'\\";
	char *b = arena_alloc(&s->arena, 2 * text.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *known = memchr(from, text.data[i], sizeof(from) - 1);

		if (known)
			b[n++] = '\\';
		b[n++] = known ? to[known - from] : text.data[i];
	}
	return (struct str){b, n};
}

static struct str doubled(struct needles *s, struct str text)
{
	char *b = arena_alloc(&s->arena, 2 * text.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		b[n++] = text.data[i];
		if (text.data[i] == '\'')
			b[n++] = '\'';
	}
	return (struct str){b, n};
}

static struct str in_hex(struct needles *s, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(text);
	char *b = arena_alloc(&s->arena, 2 * n + 1);

	for (size_t i = 0; i < n; i++) {
		b[2 * i] = digits[(unsigned char)text[i] >> 4];
		b[2 * i + 1] = digits[(unsigned char)text[i] & 15];
	}
	return (struct str){b, 2 * n};
}

static void add_needle(struct needles *s, const char *needle)
{
	char *text = arena_strdup(&s->arena, needle);
	struct str plain = str_from(text);

	for (size_t i = 0; i < plain.len; i++)
		text[i] = lower(text[i]);
	add_form(s, plain);
	add_form(s, escaped(s, plain));
	add_form(s, escaped(s, escaped(s, plain)));
	add_form(s, escaped(s, doubled(s, plain)));
	add_form(s, in_hex(s, needle)); /* as it was typed */
	add_form(s, in_hex(s, text));
}

static int read_needles(const struct rbac_scrub_question *q, struct needles *ret, struct err *err)
{
	if (q->n == 0)
		return err_set(err, ERR_INVALID_ARGUMENT, "there is nothing to look for");
	ret->forms = arena_alloc(&ret->arena, q->n * FORMS * sizeof(*ret->forms));
	ret->lower = mem_alloc(RBAC_PIECE);
	for (size_t i = 0; i < q->n; i++) {
		size_t len = strlen(q->needles[i]);

		if (len < NEEDLE_MIN || len > NEEDLE_MAX)
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "a text to scrub has %zu bytes; it must have %d to %d", len,
				       NEEDLE_MIN, NEEDLE_MAX);
		add_needle(ret, q->needles[i]);
	}
	return 0;
}

static bool holds_needle(struct needles *s, struct str text)
{
	size_t n = text.len < RBAC_PIECE ? text.len : RBAC_PIECE;

	for (size_t i = 0; i < n; i++)
		s->lower[i] = lower(text.data[i]);
	for (size_t i = 0; i < s->n; i++)
		if (memmem(s->lower, n, s->forms[i].data, s->forms[i].len))
			return true;
	return false;
}

/* --- files ----------------------------------------------------------------------------------- */

struct scrubbing {
	struct needles needles;
	const struct rbac_file *file; /* NULL: only count */
	uint64_t found;
};

static void scrubbing_done(struct scrubbing *s)
{
	needles_done(&s->needles);
}

static int overwrite(const struct rbac_file *f, uint64_t from, uint64_t to, struct err *err)
{
	static const char stars[] =
	    "****************************************************************";

	while (from < to) {
		size_t n = to - from < sizeof(stars) - 1 ? (size_t)(to - from) : sizeof(stars) - 1;
		ssize_t done = pwrite(f->fd, stars, n, (off_t)from);

		if (done < 0 && errno != EINTR)
			return file_error("overwrite a line of", RBAC_FILE, err);
		from += done > 0 ? (uint64_t)done : 0;
	}
	return 0;
}

/* What has a time keeps it, and the comma. */
static int scrub_line(void *arg, struct str line, uint64_t offset, struct err *err)
{
	struct scrubbing *s = arg;
	struct rbac_line parsed;
	size_t kept;

	if (!holds_needle(&s->needles, line))
		return 0;
	s->found++;
	if (!s->file)
		return 0;
	(void)rbac_line_parse(line, &parsed);
	kept = parsed.happened_at[0] ? RBAC_TIME_BYTES + 1 : 0;
	return overwrite(s->file, offset + kept, offset + line.len, err);
}

static int scrub_file(struct scrubbing *s, const struct rbac_file *f, bool is_written,
		      struct err *err)
{
	uint64_t before = s->found, offset = 0, next = 0;
	int r = 0;

	s->file = is_written ? f : NULL;
	do {
		offset = next;
		/* Also a line that is not whole yet: its end has no needle alone. */
		r = rbac_file_each(f, offset, true, scrub_line, s, &next, err);
	} while (r == 0 && next != offset);
	if (r == 0 && is_written && s->found != before && fdatasync(f->fd) < 0)
		r = file_error("write", RBAC_FILE, err);
	return r;
}

static int scrub_files(struct scrubbing *s, const char *dir, bool is_written, struct err *err)
{
	_cleanup_(rbac_files_closep) struct rbac_files *files = NULL;
	int r = dir ? rbac_files_open(dir, is_written, &files, err) : 0;

	for (size_t i = 0; r == 0 && files && i < files->n; i++)
		r = scrub_file(s, &files->items[i], is_written, err);
	return r;
}

/* --- rows ------------------------------------------------------------------------------------ */

struct found_rows {
	size_t n;
	uint64_t ids[PAGE_ROWS];
	uint64_t last; /* 0: the page was empty */
};

static int look_at_page(struct maria *m, struct needles *needles, uint64_t after,
			struct found_rows *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_U(after), MARIA_U(PAGE_ROWS)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_rbac_page, params, ARRAY_LEN(params), &rows, err);

	ret->n = 0;
	ret->last = 0;
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		bool holds = false;

		ret->last = maria_rows_uint(rows, 0);
		for (size_t i = 1; i <= 5 && !holds; i++)
			holds = holds_needle(needles, maria_rows_str(rows, i));
		if (holds)
			ret->ids[ret->n++] = ret->last;
	}
	return r;
}

static int scrub_rows(struct maria *m, struct needles *needles, bool is_written, uint64_t *ret,
		      struct err *err)
{
	_cleanup_(mem_freep) struct found_rows *page = MEM_NEW(struct found_rows);
	uint64_t after = 0;
	int r = 0;

	*ret = 0;
	do {
		r = look_at_page(m, needles, after, page, err);
		for (size_t i = 0; r == 0 && is_written && i < page->n; i++)
			r = maria_run(m, govern_sql_rbac_scrub,
				      (const struct maria_value[]){MARIA_U(page->ids[i])}, 1, NULL,
				      err);
		*ret += r == 0 ? page->n : 0;
		after = page->last;
	} while (r == 0 && page->last);
	return r;
}

/* --- both ------------------------------------------------------------------------------------ */

int rbac_audit_scan(struct maria *m, const struct rbac_scrub_question *q, uint64_t *ret_found,
		    struct err *err)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {0};
	uint64_t rows = 0;
	int r = read_needles(q, &s.needles, err);

	if (r == 0)
		r = scrub_files(&s, q->dir, false, err);
	if (r == 0)
		r = scrub_rows(m, &s.needles, false, &rows, err);
	if (r == 0)
		*ret_found = s.found + rows;
	return r;
}

int rbac_audit_scrub(struct maria *m, const struct rbac_scrub_question *q, uint64_t *ret_lines,
		     uint64_t *ret_rows, struct err *err)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {0};
	uint64_t rows = 0;
	char details[96];
	int r = read_needles(q, &s.needles, err);

	/* Rows first: what is done to them goes into the file. */
	if (r == 0)
		r = scrub_rows(m, &s.needles, true, &rows, err);
	if (r == 0)
		r = scrub_files(&s, q->dir, true, err);
	if (r < 0)
		return err_context(err, "scrubbing the server's audit");
	(void)snprintf(details, sizeof(details), "{\"lines\":%" PRIu64 ",\"rows\":%" PRIu64 "}",
		       s.found, rows);
	r = audit_append(m,
			 &(struct audit_event){.actor = q->actor,
					       .action = "rbac.scrub",
					       .object = "rbac_audit",
					       .rows = s.found + rows,
					       .outcome = "done",
					       .subject = q->subject,
					       .details = details},
			 err);
	if (r == 0) {
		*ret_lines = s.found;
		*ret_rows = rows;
	}
	return r;
}
