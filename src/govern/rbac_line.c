/*
 * Lines of server_audit, statements without literals: see rbac_line.h.
 *
 * Which bytes of a statement are a literal depends on things that the file does not tell: with
 * NO_BACKSLASH_ESCAPES 'a\' is a whole text, else it goes on. Wherever two readings differ in what
 * is a literal, the rest is left out: an odd number of backslashes before a quote, bytes outside of
 * ASCII between literals, comments that are executed, whatever has no end.
 */
#include "govern/rbac_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/banned.h"

#define OPERATION_MAX 32

/* --- a line ---------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int two(const char *t)
{
	return (t[0] - '0') * 10 + (t[1] - '0');
}

/* The database refuses a day that does not exist; it must not come to that. */
static bool is_moment(const char *t)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = two(t) * 100 + two(t + 2), month = two(t + 4), day = two(t + 6);
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (month == 2 && is_leap) && two(t + 9) < 24 &&
	       two(t + 12) < 60 && two(t + 15) < 60;
}

/* "20261127 16:30:27," */
static bool read_time(struct str line, char ret[20])
{
	static const char form[] = "dddddddd dd:dd:dd";
	const char *t = line.data;

	if (line.len <= RBAC_TIME_BYTES || t[RBAC_TIME_BYTES] != ',')
		return false;
	for (size_t i = 0; i < RBAC_TIME_BYTES; i++)
		if (form[i] == 'd' ? !is_digit(t[i]) : t[i] != form[i])
			return false;
	if (!is_moment(t))
		return false;
	(void)snprintf(ret, 20, "%.4s-%.2s-%.2s %.8s", t, t + 4, t + 6, t + 9);
	return true;
}

static bool next_field(struct str *rest, struct str *ret)
{
	const char *comma = rest->len ? memchr(rest->data, ',', rest->len) : NULL;

	if (!comma)
		return false;
	*ret = (struct str){rest->data, (size_t)(comma - rest->data)};
	rest->data = comma + 1;
	rest->len -= ret->len + 1;
	return true;
}

static bool next_number(struct str *rest, uint64_t *ret)
{
	struct str field;

	return next_field(rest, &field) && field.len && is_digit(field.data[0]) &&
	       parse_uint64(field, INT64_MAX, ret, NULL) == 0;
}

static bool next_operation(struct str *rest, struct str *ret)
{
	if (!next_field(rest, ret) || ret->len == 0 || ret->len > OPERATION_MAX)
		return false;
	for (size_t i = 0; i < ret->len; i++)
		if (!is_letter(ret->data[i]))
			return false;
	return true;
}

static bool read_code(struct str text, struct rbac_line *l)
{
	l->has_code = text.len > 0;
	return !text.len || parse_int64(text, INT32_MIN, INT32_MAX, &l->code, NULL) == 0;
}

/* DATABASE,'STATEMENT',CODE */
static bool read_statement(struct str rest, struct rbac_line *l)
{
	size_t i = 0, begin;

	while (i + 1 < rest.len && !(rest.data[i] == ',' && rest.data[i + 1] == '\''))
		i++;
	if (i + 1 >= rest.len)
		return false;
	l->database = (struct str){rest.data, i};
	begin = i + 2;
	for (i = begin; i < rest.len && rest.data[i] != '\''; i++)
		if (rest.data[i] == '\\')
			i++;
	if (i + 1 >= rest.len || rest.data[i + 1] != ',')
		return false;
	l->statement = (struct str){rest.data + begin, i - begin};
	return read_code((struct str){rest.data + i + 2, rest.len - i - 2}, l) && l->has_code;
}

/* DATABASE,OBJECT,CODE, where the object may hold commas. */
static bool read_object(struct str rest, struct rbac_line *l)
{
	size_t end;

	if (!next_field(&rest, &l->database))
		return false;
	for (end = rest.len; end > 0 && rest.data[end - 1] != ',';)
		end--;
	if (end == 0)
		return false;
	l->object = (struct str){rest.data, end - 1};
	return read_code((struct str){rest.data + end, rest.len - end}, l);
}

bool rbac_line_parse(struct str line, struct rbac_line *ret)
{
	struct str server, rest;

	*ret = (struct rbac_line){0};
	if (!read_time(line, ret->happened_at))
		return false;
	rest = (struct str){line.data + RBAC_TIME_BYTES + 1, line.len - RBAC_TIME_BYTES - 1};
	if (!next_field(&rest, &server) || !next_field(&rest, &ret->user) ||
	    !next_field(&rest, &ret->host) || !next_number(&rest, &ret->connection) ||
	    !next_number(&rest, &ret->query) || !next_operation(&rest, &ret->action))
		return false;
	return str_equal(ret->action, str_from("QUERY")) ? read_statement(rest, ret)
							 : read_object(rest, ret);
}

bool rbac_line_is_scrubbed(struct str line)
{
	char time[20];

	if (!read_time(line, time))
		return false;
	for (size_t i = RBAC_TIME_BYTES + 1; i < line.len; i++)
		if (line.data[i] != '*')
			return false;
	return true;
}

/* The server's errors that say: you may not. */
static bool is_denial(int64_t code)
{
	static const int64_t denials[] = {1044, 1045, 1095, 1142, 1143, 1227,
					  1370, 1410, 1419, 1698, 1959, 4151};

	for (size_t i = 0; i < ARRAY_LEN(denials); i++)
		if (denials[i] == code)
			return true;
	return false;
}

void rbac_line_outcome(const struct rbac_line *l, char *ret, size_t size)
{
	if (!l->has_code)
		(void)snprintf(ret, size, "%s", "");
	else if (l->code == 0)
		(void)snprintf(ret, size, "done");
	else if (is_denial(l->code))
		(void)snprintf(ret, size, "denied");
	else
		(void)snprintf(ret, size, "failed %" PRId64, l->code);
}

/* --- a statement ----------------------------------------------------------------------------- */

struct reader {
	struct str s;
	size_t at;
	struct strbuf *to;
};

static char look(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->s.len ? r->s.data[r->at + ahead] : '\0';
}

static bool is_name(char c)
{
	return is_letter(c) || is_digit(c) || c == '$';
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Behind the closing quote, when all readings agree on which it is. */
static bool skip_quoted(struct reader *r)
{
	char quote = look(r, 0);
	size_t backslashes = 0;

	for (r->at++; r->at < r->s.len; r->at++) {
		char c = look(r, 0);

		if (c == quote && backslashes % 2 && quote != '`')
			return false;
		if (c == quote && look(r, 1) != quote) {
			r->at++;
			return true;
		}
		r->at += c == quote; /* doubled: it stands for itself */
		backslashes = c == '\\' ? backslashes + 1 : 0;
	}
	return false;
}

static bool take_quoted(struct reader *r)
{
	size_t begin = r->at;
	bool is_plain = look(r, 0) == '`';

	if (!skip_quoted(r))
		return false;
	for (size_t i = begin + 1; i + 1 < r->at; i++)
		is_plain &= is_name(r->s.data[i]);
	if (is_plain)
		strbuf_add(r->to, r->s.data + begin, r->at - begin);
	else
		strbuf_addch(r->to, '?');
	return true;
}

/* Numbers, and names that begin like one. */
static void take_number(struct reader *r)
{
	while (is_name(look(r, 0)) || (look(r, 0) == '.' && is_digit(look(r, 1))))
		r->at++;
	strbuf_addch(r->to, '?');
}

static bool holds(struct str word, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= word.len; i++) {
		size_t k = 0;

		while (k < n && (word.data[i + k] & ~0x20) == part[k])
			k++;
		if (k == n)
			return true;
	}
	return false;
}

/* False behind a word that a password may follow. */
static bool take_word(struct reader *r)
{
	struct str word = {r->s.data + r->at, 0};

	while (is_name(look(r, 0))) {
		r->at++;
		word.len++;
	}
	strbuf_add(r->to, word.data, word.len);
	return !holds(word, "PASSWORD") && !holds(word, "IDENTIFIED") && !holds(word, "ENCRYPT");
}

/* A comment as white space; false: what it is depends, or it has no end. */
static bool skip_comment(struct reader *r)
{
	bool is_block = look(r, 0) == '/';

	if (is_block && (look(r, 2) == '!' || (look(r, 2) == 'M' && look(r, 3) == '!')))
		return false; /* it is executed */
	for (r->at += is_block ? 2 : 1; r->at < r->s.len; r->at++) {
		if (is_block && look(r, 0) == '*' && look(r, 1) == '/') {
			r->at += 2;
			return true;
		}
		if (!is_block && look(r, 0) == '\n')
			return true;
	}
	return !is_block;
}

static bool is_comment(const struct reader *r)
{
	char c = look(r, 0);

	return c == '#' || (c == '/' && look(r, 1) == '*') ||
	       (c == '-' && look(r, 1) == '-' && (is_space(look(r, 2)) || r->at + 2 >= r->s.len));
}

/* White space as one blank, none in front. */
static void add_blank(struct strbuf *to)
{
	if (to->len && to->data[to->len - 1] != ' ')
		strbuf_addch(to, ' ');
}

static bool take_one(struct reader *r)
{
	char c = look(r, 0);

	if (is_comment(r)) {
		add_blank(r->to);
		return skip_comment(r);
	}
	if (c == '\'' || c == '"' || c == '`')
		return take_quoted(r);
	if (is_digit(c)) {
		take_number(r);
		return true;
	}
	if (is_name(c))
		return take_word(r);
	r->at++;
	if (is_space(c)) {
		add_blank(r->to);
		return true;
	}
	if (c < ' ' || c > '~' || c == '\\') /* which char is signed or not: both are refused */
		return false;
	strbuf_addch(r->to, c);
	return true;
}

bool rbac_statement_without_literals(struct str sql, struct strbuf *b)
{
	struct reader r = {.s = sql, .to = b};

	while (r.at < sql.len) {
		if (!take_one(&r)) {
			strbuf_addstr(b, " ?");
			return false;
		}
	}
	return true;
}

/* As the plugin escaped it. */
static void unescape(struct str s, struct strbuf *b)
{
	static const char from[] = "btnfr", to[] = "\b\t\n\f\r";

	for (size_t i = 0; i < s.len; i++) {
		const char *known = NULL;

		if (s.data[i] == '\\' && i + 1 < s.len)
			known = memchr(from, s.data[++i], sizeof(from) - 1);
		strbuf_addch(b, known ? to[known - from] : s.data[i]);
	}
}

bool rbac_line_statement(const struct rbac_line *l, struct strbuf *b)
{
	_cleanup_(strbuf_done) struct strbuf plain = STRBUF_INIT(0);
	struct str text;

	if (!l->statement.data)
		return true;
	unescape(l->statement, &plain);
	text = str_trim(strbuf_slice(&plain));
	if (l->code != 0 && !is_denial(l->code)) {
		size_t n = 0;

		while (n < text.len && is_letter(text.data[n]))
			n++;
		text.len = n;
	}
	return rbac_statement_without_literals(text, b);
}

/* --- noise ----------------------------------------------------------------------------------- */

/* Words are names, "@" and its name, or single marks. */
static bool next_word(struct str *rest, struct str *ret)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->len && (is_name(rest->data[n]) || rest->data[n] == '@'))
		n++;
	if (n == 0 && rest->len)
		n = 1;
	*ret = (struct str){rest->data, n};
	rest->data += n;
	rest->len -= n;
	return n > 0;
}

static bool is_word(struct str word, const char *text)
{
	return word.len == strlen(text) && strncasecmp(word.data, text, word.len) == 0;
}

static bool is_one_of(struct str word, const char *const *list)
{
	for (; *list; list++)
		if (is_word(word, *list))
			return true;
	return false;
}

/* One assignment to a variable of the connection, without parentheses: no subquery. */
static bool is_setting_noise(struct str rest)
{
	static const char *const harmless[] = {"NAMES",
					       "CHARACTER",
					       "CHARSET",
					       "autocommit",
					       "TRANSACTION",
					       "auto_increment_increment",
					       "auto_increment_offset",
					       "sql_mode",
					       "time_zone",
					       "innodb_lock_wait_timeout",
					       "lock_wait_timeout",
					       "max_statement_time",
					       "net_read_timeout",
					       "net_write_timeout",
					       "wait_timeout",
					       NULL};
	static const char *const scopes[] = {"SESSION", "LOCAL", NULL};
	struct str word;

	for (size_t i = 0; i < rest.len; i++)
		if (memchr(",();", rest.data[i], 4))
			return false;
	if (!next_word(&rest, &word))
		return false;
	if (is_one_of(word, scopes) && !next_word(&rest, &word))
		return false;
	if (word.len > 1 && word.data[0] == '@' && word.data[1] != '@')
		return true;
	return is_one_of(word, harmless);
}

bool rbac_statement_is_noise(struct str text)
{
	static const char *const whole[] = {"BEGIN",
					    "BEGIN WORK",
					    "COMMIT",
					    "COMMIT WORK",
					    "ROLLBACK",
					    "ROLLBACK WORK",
					    "START TRANSACTION",
					    "START TRANSACTION READ ONLY",
					    "START TRANSACTION READ WRITE",
					    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
					    NULL};
	struct str rest = text, word;

	text = str_trim(text);
	if (is_one_of(text, whole))
		return true;
	if (!next_word(&rest, &word))
		return false;
	if (is_word(word, "SET"))
		return is_setting_noise(rest);
	if (is_word(word, "ROLLBACK")) {
		if (!next_word(&rest, &word) || !is_word(word, "TO"))
			return false;
		if (next_word(&rest, &word) && !is_word(word, "SAVEPOINT"))
			return str_trim(rest).len == 0;
	} else if (is_word(word, "RELEASE")) {
		(void)next_word(&rest, &word);
	}
	/* SAVEPOINT and a name. */
	return is_word(word, "SAVEPOINT") && next_word(&rest, &word) && str_trim(rest).len == 0;
}
