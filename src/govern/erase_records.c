/*
 * What the program itself wrote down of somebody beside what is theirs: the details of events about
 * others ("--purpose 'complaint of ...'"), and names of tokens. See erase.h.
 *
 * Rows are matched here: the server would write the text of such a statement into its own audit.
 */
#include "govern/erase_int.h"

#include "govern/audit_int.h"
#include "govern/govern_sql_int.h"

#include "base/banned.h"

#define PAGE_ROWS 1000

static bool is_about_them(struct erase_match *match, struct str text)
{
	erase_match_begin(match, ERASE_LINE);
	return erase_match_look(match, text) != ERASE_NONE;
}

/* --- events ---------------------------------------------------------------------------------- */

struct page {
	size_t n;
	uint64_t ids[PAGE_ROWS];
	uint64_t last; /* 0: the page was empty */
};

static int look_at_page(const struct eraser *e, struct erase_match *match, uint64_t after,
			struct page *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_U(after), MARIA_U(PAGE_ROWS)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r =
	    maria_query(e->m, govern_sql_audit_details_page, params, ARRAY_LEN(params), &rows, err);

	ret->n = 0;
	ret->last = 0;
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		ret->last = maria_rows_uint(rows, 0);
		if (is_about_them(match, maria_rows_str(rows, 1)))
			ret->ids[ret->n++] = ret->last;
	}
	return r;
}

static int forget_events(const struct eraser *e, struct erase_match *match, uint64_t *ret_n,
			 struct err *err)
{
	_cleanup_(mem_freep) struct page *page = MEM_NEW(struct page);
	uint64_t after = 0;
	int r;

	do {
		r = look_at_page(e, match, after, page, err);
		if (r == 0 && page->n)
			r = audit_erase_events(e->m, e->actor, page->ids, page->n, err);
		*ret_n += r == 0 ? page->n : 0;
		after = page->last;
	} while (r == 0 && page->last);
	return r;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static int forget_names(const struct eraser *e, struct erase_match *match, uint64_t *ret_n,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(mem_freep) struct str *ids = NULL;
	size_t n = 0, cap = 0;
	int r = maria_query(e->m, govern_sql_token_names, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		if (!is_about_them(match, maria_rows_str(rows, 1)))
			continue;
		mem_grow(&ids, &cap, n + 1, sizeof(*ids));
		ids[n++] = arena_str(&arena, maria_rows_str(rows, 0));
	}
	rows = maria_rows_close(rows);
	for (size_t i = 0; i < n && r == 0; i++)
		r = maria_run(e->m, govern_sql_token_forget_name,
			      (const struct maria_value[]){MARIA_B(ids[i])}, 1, NULL, err);
	*ret_n += r == 0 ? n : 0;
	return r;
}

int erase_records(const struct eraser *e, const struct erase_sought *s, json_t *receipts,
		  struct err *err)
{
	_cleanup_(erase_match_freep) struct erase_match *match = erase_sought_match(s);
	uint64_t events = 0, names = 0;
	int r = forget_names(e, match, &names, err);

	if (r == 0)
		r = forget_events(e, match, &events, err);
	if (r == 0)
		json_array_append_new(receipts, json_pack("{s:s,s:s,s:s,s:I}", "store", "MariaDB",
							  "where", "Audit_Details", "what",
							  "deleted, of events about others", "rows",
							  (json_int_t)events));
	if (r == 0)
		json_array_append_new(receipts,
				      json_pack("{s:s,s:s,s:s,s:I}", "store", "MariaDB", "where",
						"Access_Tokens", "what", "names taken out", "rows",
						(json_int_t)names));
	return r;
}
