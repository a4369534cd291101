/*
 * Scripts as the `mariadb` client reads them: statements ended by a delimiter (";" until a line
 * `DELIMITER x` changes it), quotes and comments respected. Also quoting and LOAD DATA from memory.
 */
#include "store/maria_int.h"

#include <stdio.h>
#include <strings.h>

#include "base/banned.h"

struct script {
	const char *at;
	size_t line;
	struct str delimiter; /* in the script's text */
};

/* Behind a quoted text that starts at s (quote doubled or, but for backquotes, escaped inside). */
static const char *skip_quoted(const char *s)
{
	char quote = *s++;

	while (*s) {
		if ((*s == '\\' && quote != '`' && s[1]) || (*s == quote && s[1] == quote))
			s += 2;
		else if (*s++ == quote)
			break;
	}
	return s;
}

/* Two dashes begin a comment only before white space, a control character or the end. */
static bool is_line_comment(const char *s)
{
	return *s == '#' || (s[0] == '-' && s[1] == '-' && (unsigned char)s[2] <= ' ');
}

/* With `!` or `M!` behind the star the server executes it, always or by version: no comment. */
static bool is_block_comment(const char *s)
{
	return s[0] == '/' && s[1] == '*' && s[2] != '!' && !(s[2] == 'M' && s[3] == '!');
}

/* Behind what is one piece at s: a quoted text, a comment, or one character. */
static const char *skip_piece(const char *s)
{
	const char *end;

	if (*s == '\'' || *s == '"' || *s == '`')
		return skip_quoted(s);
	if (is_line_comment(s))
		return s + strcspn(s, "\n");
	if (s[0] == '/' && s[1] == '*') {
		end = strstr(s + 2, "*/");
		return end ? end + 2 : s + strlen(s);
	}
	return s + 1;
}

static bool is_comment_or_space(const char *s)
{
	return *s == ' ' || *s == '\t' || *s == '\n' || *s == '\r' || is_line_comment(s) ||
	       is_block_comment(s);
}

static void advance(struct script *s, const char *to)
{
	for (; s->at < to; s->at++)
		s->line += *s->at == '\n';
}

/* Reads a `DELIMITER x` line at s->at, if there is one. */
static bool read_delimiter(struct script *s)
{
	struct str rest;
	const char *end = s->at + strcspn(s->at, "\n");

	if (strncasecmp(s->at, "DELIMITER ", 10) != 0)
		return false;
	rest = str_trim((struct str){s->at + 10, (size_t)(end - s->at) - 10});
	if (rest.len)
		s->delimiter = rest;
	advance(s, end);
	return true;
}

/* The next statement without its delimiter; false at the end. */
static bool next_statement(struct script *s, struct str *ret, size_t *ret_line)
{
	const char *start, *p;

	for (;;) {
		while (*s->at && is_comment_or_space(s->at))
			advance(s, skip_piece(s->at));
		if (!read_delimiter(s))
			break;
	}
	if (!*s->at)
		return false;
	start = p = s->at;
	*ret_line = s->line;
	while (*p && strncmp(p, s->delimiter.data, s->delimiter.len) != 0)
		p = skip_piece(p);
	*ret = str_trim((struct str){start, (size_t)(p - start)});
	advance(s, *p ? p + s->delimiter.len : p);
	return true;
}

int maria_script_split(const char *text, maria_statement_fn fn, void *arg, struct err *err)
{
	struct script s = {.at = text, .line = 1, .delimiter = {";", 1}};
	struct str statement;
	size_t line;

	while (next_statement(&s, &statement, &line)) {
		int r = statement.len ? fn(arg, statement, line, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

struct script_run {
	struct maria *m;
	const char *name;
};

static int run_statement(void *arg, struct str statement, size_t line, struct err *err)
{
	const struct script_run *run = arg;
	_cleanup_(mem_freep) char *sql = mem_strndup(statement.data, statement.len);

	if (maria_exec(run->m, sql, err) < 0)
		return err_context(err, "%s:%zu", run->name, line);
	return 0;
}

int maria_script(struct maria *m, const char *name, const char *text, struct err *err)
{
	struct script_run run = {m, name};

	return maria_script_split(text, run_statement, &run, err);
}

void maria_add_identifier(struct strbuf *b, const char *name)
{
	strbuf_addch(b, '`');
	for (; *name; name++) {
		if (*name == '`')
			strbuf_addch(b, '`');
		strbuf_addch(b, *name);
	}
	strbuf_addch(b, '`');
}

void maria_add_names(struct strbuf *b, const char *text, const char *const *names, size_t n)
{
	size_t used = 0;

	for (; *text; text++) {
		if (*text != '#') {
			strbuf_addch(b, *text);
			continue;
		}
		bug_if(used == n);
		maria_add_identifier(b, names[used++]);
	}
	bug_if(used != n);
}

void maria_add_literal(struct strbuf *b, struct str text)
{
	strbuf_addch(b, '\'');
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\'' || c == '\\')
			strbuf_addch(b, c);
		if (c == '\0')
			strbuf_addstr(b, "\\0");
		else
			strbuf_addch(b, c);
	}
	strbuf_addch(b, '\'');
}

int maria_load_data(struct maria *m, const char *sql, maria_fill_fn fill, void *arg,
		    uint64_t *ret_rows, struct err *err)
{
	int r = maria_check_usable(m, err);

	if (r < 0)
		return r;
	m->fill = fill;
	m->fill_arg = arg;
	m->fill_failed = false;
	r = mysql_real_query(m->handle, sql, strlen(sql));
	m->fill = NULL;
	if (m->fill_failed)
		return err_set(err, ERR_INTERRUPTED, "the data to load ended early");
	if (r)
		return maria_fail_handle(m, err);
	if (ret_rows)
		*ret_rows = mysql_affected_rows(m->handle);
	return 0;
}
