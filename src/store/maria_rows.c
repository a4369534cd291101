/*
 * Results of queries as rows of text. Queries with parameters run prepared, with a buffer a column
 * that grows to the longest value seen; queries without run in the text protocol. Both stream.
 */
#include "store/maria_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

int maria_query(struct maria *m, const char *sql, const struct maria_value *params, size_t n_params,
		struct maria_rows **ret, struct err *err)
{
	struct maria_rows *rows = &m->rows;
	struct maria_statement *s = NULL;
	MYSQL_RES *result = NULL;
	int r;

	if (n_params) {
		r = maria_execute(m, sql, params, n_params, &s, err);
		if (!s)
			return r;
		if (!s->n_columns) { /* a procedure, as somebody has changed it */
			maria_drop_results(s);
			return err_set(err, ERR_CORRUPTED, "the statement gave no result: %.100s",
				       sql);
		}
		if (mysql_stmt_bind_result(s->handle, s->results))
			return maria_fail_statement(m, s->handle, err);
	} else {
		r = maria_check_usable(m, err);
		if (r < 0)
			return r;
		if (mysql_real_query(m->handle, sql, strlen(sql)))
			return maria_fail_handle(m, err);
		result = mysql_use_result(m->handle);
		if (!result)
			return maria_fail_handle(m, err);
	}
	*rows = (struct maria_rows){.conn = m, .statement = s, .result = result, .is_open = true};
	rows->n_columns = s ? s->n_columns : mysql_num_fields(result);
	*ret = rows;
	return 0;
}

/* Values that did not fit: the buffers grow, and the columns are fetched again. */
static int fetch_cut_columns(struct maria_rows *r, struct err *err)
{
	struct maria_statement *s = r->statement;

	for (size_t i = 0; i < s->n_columns; i++) {
		MYSQL_BIND *b = &s->results[i];

		if (s->columns[i].is_null || s->columns[i].length <= b->buffer_length)
			continue;
		b->buffer = mem_realloc_array(b->buffer, s->columns[i].length + 1, 1);
		b->buffer_length = s->columns[i].length;
		if (mysql_stmt_fetch_column(s->handle, b, (unsigned)i, 0))
			return maria_fail_statement(r->conn, s->handle, err);
	}
	/* The library keeps its own copy of the binds: tell it about the new buffers. */
	if (mysql_stmt_bind_result(s->handle, s->results))
		return maria_fail_statement(r->conn, s->handle, err);
	return 0;
}

static int next_prepared(struct maria_rows *r, struct err *err)
{
	struct maria_statement *s = r->statement;
	int fetched = mysql_stmt_fetch(s->handle);

	if (fetched == MYSQL_NO_DATA) {
		r->is_at_end = true;
		return 0;
	}
	if (fetched == MYSQL_DATA_TRUNCATED) {
		int e = fetch_cut_columns(r, err);

		if (e < 0)
			return e;
	} else if (fetched) {
		r->is_at_end = true;
		return maria_fail_statement(r->conn, s->handle, err);
	}
	for (size_t i = 0; i < s->n_columns; i++)
		((char *)s->results[i].buffer)[s->columns[i].is_null ? 0 : s->columns[i].length] =
		    '\0';
	return 1;
}

int maria_rows_next(struct maria_rows *r, struct err *err)
{
	bug_if(!r->is_open);
	if (r->is_at_end)
		return 0;
	if (r->statement)
		return next_prepared(r, err);
	r->row = mysql_fetch_row(r->result);
	if (r->row) {
		r->lengths = mysql_fetch_lengths(r->result);
		return 1;
	}
	r->is_at_end = true;
	return mysql_errno(r->conn->handle) ? maria_fail_handle(r->conn, err) : 0;
}

static bool is_null(const struct maria_rows *r, size_t column)
{
	bug_if(column >= r->n_columns);
	return r->statement ? r->statement->columns[column].is_null : !r->row[column];
}

struct str maria_rows_str(const struct maria_rows *r, size_t column)
{
	if (is_null(r, column))
		return (struct str){NULL, 0};
	if (r->statement)
		return (struct str){r->statement->results[column].buffer,
				    r->statement->columns[column].length};
	return (struct str){r->row[column], r->lengths[column]};
}

int64_t maria_rows_int(const struct maria_rows *r, size_t column)
{
	struct str s = maria_rows_str(r, column);

	return s.data ? strtoll(s.data, NULL, 10) : 0;
}

uint64_t maria_rows_uint(const struct maria_rows *r, size_t column)
{
	struct str s = maria_rows_str(r, column);

	return s.data ? strtoull(s.data, NULL, 10) : 0;
}

struct maria_rows *maria_rows_close(struct maria_rows *r)
{
	if (!r || !r->is_open)
		return NULL;
	if (r->statement)
		maria_drop_results(r->statement);
	else
		mysql_free_result(r->result);
	*r = (struct maria_rows){0};
	return NULL;
}

int maria_query_row(struct maria *m, const char *sql, const struct maria_value *params,
		    size_t n_params, struct maria_rows **ret, struct err *err)
{
	int r = maria_query(m, sql, params, n_params, ret, err);

	if (r < 0)
		return r;
	bug_if(!*ret);
	return maria_rows_next(*ret, err);
}

static int first_row(struct maria *m, const char *sql, const struct maria_value *params,
		     size_t n_params, struct maria_rows **ret, struct err *err)
{
	int r = maria_query_row(m, sql, params, n_params, ret, err);

	if (r)
		return r;
	(void)err_set(err, ERR_NOT_FOUND, "the query found no row");
	return -ERR_NOT_FOUND;
}

int maria_query_int(struct maria *m, const char *sql, const struct maria_value *params,
		    size_t n_params, int64_t *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = first_row(m, sql, params, n_params, &rows, err);

	if (r < 0)
		return r;
	*ret = maria_rows_int(rows, 0);
	return 0;
}

int maria_query_text(struct maria *m, const char *sql, const struct maria_value *params,
		     size_t n_params, char **ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct str s;
	int r = first_row(m, sql, params, n_params, &rows, err);

	if (r < 0)
		return r;
	s = maria_rows_str(rows, 0);
	*ret = s.data ? mem_strndup(s.data, s.len) : NULL;
	return 0;
}
