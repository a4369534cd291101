/* Following the file of server_audit: see rbac_audit.h. */
#include "govern/rbac_audit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "govern/govern_sql_int.h"
#include "govern/rbac_files.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

#define NOISE_BYTES  256 /* of a statement: a longer one may have been cut off by the plugin */
#define NAME_BYTES   64	 /* of the columns of rbac_audit; a byte is a character at most */
#define USER_BYTES   128
#define OBJECT_BYTES 190
#define QUERY_BYTES  1100
#define ROW_TEXTS    10 /* the first columns of rbac_add.sql */
#define PENDING_ROWS 16 /* more than a statement with its triggers takes turns with */

const struct config_option audit_options[] = {
    {.section = "audit",
     .name = "dir",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH | CONFIG_LATER,
     .help =
	 "Folder in which your own MariaDB server's plugin server_audit writes server_audit.log, "
	 "for `serve` to follow and `privacy erase` to scrub. Unset: that of the embedded server."},
    {0},
};

struct position {
	uint64_t inode, offset;
	char began[RBAC_TIME_BYTES + 1];
};

/* A row that may be seen again: its texts, each with a NUL byte behind it, are also what it is
 * known by. */
struct pending {
	struct strbuf texts;
	uint64_t query, times;
};

struct following {
	struct maria *m;
	const struct rbac_follow *f;
	char *self; /* the account that follows */
	struct strbuf scratch;
	struct pending pending[PENDING_ROWS]; /* the oldest at `first` */
	size_t first, n;
	char from[20], until[20]; /* of lines of this file */
	char last[20];		  /* time of the last line that had one */
	uint64_t rows;
};

static void following_done(struct following *s)
{
	mem_free(s->self);
	strbuf_done(&s->scratch);
	for (size_t i = 0; i < PENDING_ROWS; i++)
		strbuf_done(&s->pending[i].texts);
}

/* --- times ----------------------------------------------------------------------------------- */

#define CLOCK_SLACK_S 60 /* a statement may begin before the file it stands in; clocks are set */

static void time_text(int64_t seconds, char ret[20])
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(seconds * 1000000, text);
	text[10] = ' ';
	(void)snprintf(ret, 20, "%.19s", text);
}

/* Between the file's first line, before which nobody can write one, and now. */
static void set_bounds(struct following *s, const struct rbac_file *f)
{
	int64_t began = rbac_time_seconds(f->began);

	time_text(began > CLOCK_SLACK_S ? began - CLOCK_SLACK_S : 0, s->from);
	time_text(clock_wall_us() / 1000000 + CLOCK_SLACK_S, s->until);
}

/* What is dated otherwise was written by somebody's user name, which may hold a whole line. */
static bool is_in_time(const struct following *s, const struct rbac_line *l)
{
	return strcmp(l->happened_at, s->from) >= 0 && strcmp(l->happened_at, s->until) <= 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct pending *pending_at(struct following *s, size_t i)
{
	return &s->pending[(s->first + i) % PENDING_ROWS];
}

static int write_oldest(struct following *s, struct err *err)
{
	struct pending *p = pending_at(s, 0);
	struct maria_value params[ROW_TEXTS + 2];
	const char *text = strbuf_str(&p->texts);

	for (size_t i = 0; i < ROW_TEXTS; i++) {
		params[i] = MARIA_S(text);
		text += params[i].s.len + 1;
	}
	params[ROW_TEXTS] = MARIA_U(p->query);
	params[ROW_TEXTS + 1] = MARIA_U(p->times);
	s->first = (s->first + 1) % PENDING_ROWS;
	s->n--;
	s->rows++;
	return maria_run(s->m, govern_sql_rbac_add, params, ARRAY_LEN(params), NULL, err);
}

static int write_pending(struct following *s, struct err *err)
{
	int r = 0;

	while (r == 0 && s->n)
		r = write_oldest(s, err);
	return r;
}

/* Appends what a column takes of a text that may be anything. */
static void add_text(struct strbuf *b, struct str text, size_t max)
{
	size_t begin = b->len;

	if (text.len) /* of UNREADABLE there is no text */
		strbuf_add_visible(b, text.data, text.len);
	if (b->len - begin > max) {
		max += begin;
		while (max > begin && ((unsigned char)b->data[max] & 0xC0) == 0x80)
			max--;
		strbuf_truncate(b, max);
	}
	strbuf_addch(b, '\0');
}

static void add_texts(struct following *s, const struct rbac_line *l, const char *action)
{
	_cleanup_(strbuf_done) struct strbuf query = STRBUF_INIT(0);
	struct strbuf *b = &s->scratch;
	char outcome[24], connection[24];
	size_t user;
	const char *role = NULL;

	strbuf_clear(b);
	add_text(b, str_from(l->happened_at), NAME_BYTES);
	user = b->len;
	add_text(b, l->user, USER_BYTES);
	if (s->f->role_of && l->user.len)
		role = s->f->role_of(s->f->arg, b->data + user);
	add_text(b, l->host, OBJECT_BYTES);
	add_text(b, str_from(role ? role : ""), NAME_BYTES);
	(void)snprintf(connection, sizeof(connection), "%" PRIu64, l->connection);
	add_text(b, str_from(connection), NAME_BYTES);
	add_text(b, str_from(action), NAME_BYTES);
	add_text(b, l->database, NAME_BYTES);
	add_text(b, l->object, OBJECT_BYTES);
	(void)rbac_line_statement(l, &query);
	add_text(b, strbuf_slice(&query), QUERY_BYTES);
	rbac_line_outcome(l, outcome, sizeof(outcome));
	add_text(b, str_from(outcome), NAME_BYTES);
}

/* What a trigger does for each of a thousand rows is one row, that says so. */
static int add_row(struct following *s, const struct rbac_line *l, const char *action,
		   struct err *err)
{
	struct pending *p;
	int r = 0;

	add_texts(s, l, action);
	for (size_t i = 0; i < s->n; i++) {
		p = pending_at(s, i);
		if (str_equal(strbuf_slice(&p->texts), strbuf_slice(&s->scratch))) {
			p->times++;
			return 0;
		}
	}
	if (s->n == PENDING_ROWS)
		r = write_oldest(s, err);
	p = pending_at(s, s->n++);
	strbuf_clear(&p->texts);
	strbuf_add(&p->texts, s->scratch.data, s->scratch.len);
	p->query = l->query;
	p->times = 1;
	return r;
}

/* UNREADABLE, GAP: of nobody. */
static int add_mark(struct following *s, const char *action, struct err *err)
{
	struct rbac_line l = {0};

	memcpy(l.happened_at, s->last, sizeof(l.happened_at));
	return add_row(s, &l, action, err);
}

/* What the follower itself does: where the plugin does not leave it out, each row would make two.
 */
static bool is_own(const struct following *s, const struct rbac_line *l)
{
	return str_equal(l->user, str_from(s->self)) &&
	       !memmem(l->action.data, l->action.len, "CONNECT", 7);
}

/* The server looks up its own statistics with each statement. */
static bool is_statistics(const struct rbac_line *l)
{
	static const char *const tables[] = {"table_stats", "column_stats", "index_stats"};

	if (l->statement.data || !str_equal(l->database, str_from("mysql")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (str_equal(l->object, str_from(tables[i])))
			return true;
	return false;
}

/* Of a statement that was done; what failed is worth a row whatever it was. */
static bool is_noise(struct following *s, const struct rbac_line *l)
{
	if (!l->statement.data || l->code != 0 || l->statement.len >= NOISE_BYTES)
		return false;
	strbuf_clear(&s->scratch);
	return rbac_line_statement(l, &s->scratch) &&
	       rbac_statement_is_noise(strbuf_slice(&s->scratch));
}

static int take_line(void *arg, struct str line, uint64_t offset, struct err *err)
{
	struct following *s = arg;
	struct rbac_line l;
	char action[33];

	(void)offset;
	if (line.len == 0 || rbac_line_is_scrubbed(line))
		return 0;
	if (!rbac_line_parse(line, &l) || !is_in_time(s, &l))
		return add_mark(s, "UNREADABLE", err);
	memcpy(s->last, l.happened_at, sizeof(s->last));
	if (is_statistics(&l) || is_own(s, &l) || is_noise(s, &l))
		return 0;
	(void)snprintf(action, sizeof(action), "%.*s", STR_ARGS(l.action));
	return add_row(s, &l, action, err);
}

/* --- where ----------------------------------------------------------------------------------- */

static int read_position(struct maria *m, struct position *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_rbac_position, NULL, 0, &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_CORRUPTED,
			       "the follower has no position: rbac_audit_position is empty");
	ret->inode = maria_rows_uint(rows, 0);
	(void)snprintf(ret->began, sizeof(ret->began), "%.*s", STR_ARGS(maria_rows_str(rows, 1)));
	ret->offset = maria_rows_uint(rows, 2);
	return 0;
}

static int move_position(struct maria *m, const struct position *p, struct err *err)
{
	const struct maria_value params[] = {MARIA_U(p->inode), MARIA_S(p->began),
					     MARIA_U(p->offset)};

	return maria_run(m, govern_sql_rbac_position_move, params, ARRAY_LEN(params), NULL, err);
}

static bool is_at(const struct rbac_file *f, const struct position *p)
{
	return cstr_equal(f->began, p->began) && p->offset <= rbac_file_size(f);
}

/* The position's file: of a run-time folder that was copied or restored, the one that began when it
 * did. files->n: it is not there any more, or somebody emptied it. */
static size_t find_known(const struct rbac_files *files, const struct position *p)
{
	size_t found = files->n, n = 0;

	for (size_t i = 0; i < files->n; i++) {
		if (!is_at(&files->items[i], p))
			continue;
		if (files->items[i].inode == p->inode)
			return i;
		found = i;
		n++;
	}
	return n == 1 ? found : files->n;
}

/* Behind a gap: the oldest of those that began later, for the others were taken, or were there when
 * it was; of one that was emptied, the beginning. */
static size_t find_next(const struct rbac_files *files, struct position *p)
{
	size_t i = files->n;

	while (i-- > 0) {
		const struct rbac_file *f = &files->items[i];
		int later = strcmp(f->began, p->began);

		if (later > 0 || (later == 0 && f->inode == p->inode) || f->number == 0) {
			p->offset = 0;
			return i;
		}
	}
	p->offset = rbac_file_size(&files->items[0]); /* the one that is written is still empty */
	return 0;
}

/* The file in which to go on; `ret_gap`: lines went before they were taken. */
static size_t find_file(const struct rbac_files *files, struct position *p, bool *ret_gap)
{
	size_t i = p->inode ? find_known(files, p) : files->n;

	*ret_gap = p->inode && i == files->n;
	if (*ret_gap)
		return find_next(files, p);
	if (i < files->n)
		return i;
	p->offset = 0;
	return files->n - 1;
}

/*
 * A piece of a file and where that leaves us, in the transaction of the caller's. The files are
 * opened behind the lock of the position: in those from before, the file of somebody who followed
 * meanwhile would be missing.
 */
static int take_piece(struct following *s, bool *ret_more, struct err *err)
{
	_cleanup_(rbac_files_closep) struct rbac_files *files = NULL;
	const struct rbac_file *f;
	struct position p = {0};
	uint64_t next = 0;
	bool is_gap = false;
	size_t i = 0;
	int r = read_position(s->m, &p, err);

	*ret_more = false;
	if (r == 0)
		r = rbac_files_open(s->f->dir, false, &files, err);
	if (r != 0 || files->n == 0)
		return r;
	i = find_file(files, &p, &is_gap);
	f = &files->items[i];
	p.inode = f->inode;
	memcpy(p.began, f->began, sizeof(p.began));
	if (is_gap)
		r = add_mark(s, "GAP", err);
	set_bounds(s, f);
	if (r == 0)
		r = rbac_file_each(f, p.offset, f->number > 0, take_line, s, &next, err);
	if (r == 0)
		r = write_pending(s, err);
	/* What comes meanwhile, our own lines too, is for the next time. */
	*ret_more = i > 0 || next - p.offset >= RBAC_PIECE / 2;
	if (r == 0 && next == p.offset && i > 0) { /* nothing comes here any more */
		p = (struct position){.inode = files->items[i - 1].inode};
		memcpy(p.began, files->items[i - 1].began, sizeof(p.began));
		next = 0;
	} else if (r == 0 && next == p.offset && !is_gap) {
		return 0;
	}
	p.offset = next;
	return r < 0 ? r : move_position(s->m, &p, err);
}

int rbac_audit_follow(struct maria *m, const struct rbac_follow *f, uint64_t *ret_rows,
		      struct err *err)
{
	_cleanup_(following_done) struct following s = {.m = m, .f = f};
	bool more = true;
	int r = maria_query_text(m, govern_sql_rbac_self, NULL, 0, &s.self, err);

	*ret_rows = 0;
	time_text(clock_wall_us() / 1000000, s.last);
	while (r == 0 && more) {
		s.rows = 0;
		s.n = 0;
		r = maria_exec(m, "START TRANSACTION", err);
		if (r == 0)
			r = take_piece(&s, &more, err);
		r = maria_finish(m, r, err);
		*ret_rows += r == 0 ? s.rows : 0;
		more = more && (!f->goes_on || f->goes_on(f->arg));
	}
	return r < 0 ? err_context(err, "following the server's audit in \"%s\"", f->dir) : 0;
}

/* --- the server ------------------------------------------------------------------------------ */

int rbac_audit_variables(struct maria *m, rbac_variable_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_rbac_server, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		fn(arg, maria_rows_str(rows, 0).data, maria_rows_str(rows, 1).data);
	return r;
}

void rbac_audit_add_grant(struct strbuf *b, const char *database, const char *user)
{
	maria_add_grant(b, "INSERT", database, "rbac_audit", user);
	maria_add_grant(b, "UPDATE", database, "rbac_audit_position", user);
}
