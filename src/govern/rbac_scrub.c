/*
 * Scrubbing and scanning for erasure: see rbac_audit.h.
 *
 * Rows are read and matched here, never by the server: the plugin would write the text of such a
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

#define PAGE_ROWS 1000
#define CUT_BYTES 256 /* of a statement: shorter ones are whole */

/* --- files ----------------------------------------------------------------------------------- */

struct scrubbing {
	struct erase_match *match;
	const struct rbac_file *file; /* NULL: only count */
	uint64_t found;
};

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

/* The plugin cuts statements off at server_audit_query_log_limit, wherever that is; escapes and
 * characters of several bytes shift it. */
static bool is_about_them(struct erase_match *match, struct str line, const struct rbac_line *l)
{
	erase_match_begin(match, ERASE_LINE);
	return erase_match_look(match, line) != ERASE_NONE ||
	       (l->statement.data && l->statement.len >= CUT_BYTES &&
		erase_match_is_cut(match, l->statement));
}

/* What has a time keeps it, and the comma. */
static int scrub_line(void *arg, struct str line, uint64_t offset, struct err *err)
{
	struct scrubbing *s = arg;
	struct rbac_line parsed;
	size_t kept;

	(void)rbac_line_parse(line, &parsed);
	if (rbac_line_is_scrubbed(line) || !is_about_them(s->match, line, &parsed))
		return 0;
	s->found++;
	if (!s->file)
		return 0;
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
		/* Also a line that is not whole yet: its end has no text alone. */
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

static int look_at_page(struct maria *m, struct erase_match *match, uint64_t after,
			struct found_rows *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_U(after), MARIA_U(PAGE_ROWS)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_rbac_page, params, ARRAY_LEN(params), &rows, err);

	ret->n = 0;
	ret->last = 0;
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		enum erase_kind found = ERASE_NONE;

		ret->last = maria_rows_uint(rows, 0);
		erase_match_begin(match, ERASE_LINE);
		for (size_t i = 1; i <= 5; i++)
			found = erase_match_look(match, maria_rows_str(rows, i));
		if (found != ERASE_NONE)
			ret->ids[ret->n++] = ret->last;
	}
	return r;
}

static int scrub_rows(struct maria *m, struct erase_match *match, bool is_written, uint64_t *ret,
		      struct err *err)
{
	_cleanup_(mem_freep) struct found_rows *page = MEM_NEW(struct found_rows);
	uint64_t after = 0;
	int r = 0;

	*ret = 0;
	do {
		r = look_at_page(m, match, after, page, err);
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
	struct scrubbing s = {.match = q->match};
	uint64_t rows = 0;
	int r = scrub_files(&s, q->dir, false, err);

	if (r == 0)
		r = scrub_rows(m, q->match, false, &rows, err);
	if (r == 0)
		*ret_found = s.found + rows;
	return r;
}

int rbac_audit_scrub(struct maria *m, const struct rbac_scrub_question *q, uint64_t *ret_lines,
		     uint64_t *ret_rows, struct err *err)
{
	struct scrubbing s = {.match = q->match};
	uint64_t rows = 0;
	char details[96];
	/* Rows first: what is done to them goes into the file. */
	int r = scrub_rows(m, q->match, true, &rows, err);

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
