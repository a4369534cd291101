/* Tokens as the server looks them up, on a few connections that are kept open: see token.h. */
#include "govern/token.h"

#include "base/clock.h"
#include "govern/audit_int.h"
#include "govern/govern_sql_int.h"

#include <inttypes.h>
#include <sodium.h>

#include "base/banned.h"

#define CONNECT_S   2 /* clients wait */
#define READ_S	    3
#define LOCK_S	    2
#define CUT_OFF_US  500000
#define DETAILS_MAX 256

struct maria_pool *token_keeper_connections(const struct maria_options *maria)
{
	struct maria_options options = *maria;

	options.connect_timeout_s = CONNECT_S;
	options.read_timeout_s = READ_S;
	options.lock_wait_s = LOCK_S;
	return maria_pool_new(&options);
}

typedef int (*connection_fn)(struct maria *m, void *arg, struct err *err);

/* One that lay idle may have been cut off meanwhile, which shows at once: then once more on a new
 * one. A server that did not answer in time is not asked a second time. */
static int with_connection(struct maria_pool *p, connection_fn fn, void *arg, struct err *err)
{
	int64_t since = clock_monotonic_us();
	struct maria *m = NULL;
	int r = maria_pool_take(p, &m, err);

	if (r == 0)
		r = fn(m, arg, err);
	if (r < 0 && m && maria_is_lost(m) && clock_monotonic_us() - since < CUT_OFF_US) {
		err_clear(err);
		r = maria_reconnect(m, err);
		r = r < 0 ? r : fn(m, arg, err);
	}
	maria_pool_give(p, m);
	return r;
}

/* --- find ------------------------------------------------------------------------------------ */

static int no_token(struct err *err)
{
	return err_set(err, ERR_PERMISSION, "there is no such token");
}

static void copy_text(char *to, size_t size, struct str s)
{
	(void)snprintf(to, size, "%.*s", STR_ARGS(s));
}

static int read_row(const struct maria_rows *rows, struct str text, struct token_found *ret,
		    struct err *err)
{
	struct str hash = maria_rows_str(rows, 0), role = maria_rows_str(rows, 1);
	unsigned char given[TOKEN_HASH_SIZE];

	token_hash(text, given);
	if (hash.len != sizeof(given) || sodium_memcmp(hash.data, given, sizeof(given)) != 0 ||
	    maria_rows_int(rows, 6) != 0 || role.len > TOKEN_ROLE_MAX)
		return no_token(err);
	copy_text(ret->role, sizeof(ret->role), role);
	ret->customer = maria_rows_uint(rows, 2);
	ret->rate.count = (unsigned)maria_rows_uint(rows, 3);
	ret->rate.seconds = (unsigned)maria_rows_uint(rows, 4);
	copy_text(ret->name, sizeof(ret->name), maria_rows_str(rows, 5));
	ret->left_us = maria_rows_int(rows, 7);
	return 0;
}

struct finding {
	struct str text;
	struct token_found found;
};

static int find(struct maria *m, void *arg, struct err *err)
{
	struct finding *f = arg;
	const struct maria_value id = MARIA_S(f->found.id);
	struct maria_rows *rows = NULL;
	bool is_use_news = false;
	int r = maria_query_row(m, govern_sql_token_find, &id, 1, &rows, err);

	if (r == 0)
		r = no_token(err);
	if (r > 0) {
		r = read_row(rows, f->text, &f->found, err);
		is_use_news = maria_rows_int(rows, 8) != 0;
	}
	maria_rows_close(rows);
	/* Where that cannot be written, on a replica, the token is as good. */
	if (r == 0 && is_use_news)
		(void)!maria_run(m, govern_sql_token_used, &id, 1, NULL, NULL);
	return r;
}

int token_keeper_find(struct maria_pool *p, struct str text, struct token_found *ret,
		      struct err *err)
{
	struct finding f = {.text = text};
	int r;

	if (!token_parse(text, f.found.id))
		return no_token(err);
	r = with_connection(p, find, &f, err);
	if (r == 0)
		*ret = f.found;
	return r;
}

/* --- the audit ------------------------------------------------------------------------------- */

static int append(struct maria *m, void *event, struct err *err)
{
	return audit_append(m, event, err);
}

int token_keeper_tried(struct maria_pool *p, const char *address, uint64_t tries, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf details = STRBUF_INIT(DETAILS_MAX);
	struct audit_event event = {.actor = "http",
				    .action = "http.token",
				    .object = "HTTP",
				    .rows = tries,
				    .outcome = err_name(ERR_PERMISSION)};

	strbuf_addstr(&details, "{\"address\":");
	strbuf_add_json(&details, address, strlen(address));
	strbuf_addch(&details, '}');
	event.details = strbuf_str(&details);
	return with_connection(p, append, &event, err);
}

struct sight {
	const struct audit_event *event;
	enum token_keys kind;
	const uint64_t *keys;
	size_t n;
};

/* Whose documents these are; 0: nobody's that is known. */
static int find_people(struct maria *m, const struct sight *s, uint64_t *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		const struct maria_value key = MARIA_U(s->keys[i]);
		int64_t customer = 0;

		ret[i] = s->kind == TOKEN_KEYS_CUSTOMERS ? s->keys[i] : 0;
		if (s->kind == TOKEN_KEYS_REVIEWS)
			r = maria_query_int(m, govern_sql_token_reviewer, &key, 1, &customer, err);
		if (s->kind == TOKEN_KEYS_REVIEWS)
			ret[i] = (uint64_t)customer;
	}
	return r;
}

static int compare_people(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* In a transaction. */
static int add_events(struct maria *m, const struct sight *s, uint64_t *people, struct err *err)
{
	int r = find_people(m, s, people, err);

	if (r == 0)
		qsort(people, s->n, sizeof(*people), compare_people);
	for (size_t i = 0, end; (i < s->n || i == 0) && r == 0; i = end) {
		struct audit_event event = *s->event;
		char subject[24];

		for (end = i + 1; end < s->n && people[end] == people[i];)
			end++;
		(void)snprintf(subject, sizeof(subject), "%" PRIu64, people[i]);
		event.subject = people[i] ? subject : NULL;
		event.rows = s->n ? end - i : s->event->rows;
		r = audit_append_here(m, &event, err);
	}
	return r;
}

static int append_sight(struct maria *m, void *arg, struct err *err)
{
	const struct sight *s = arg;
	_cleanup_(mem_freep) uint64_t *people = mem_alloc((s->n + 1) * sizeof(*people));
	int r = maria_exec(m, "START TRANSACTION", err);

	people[0] = 0;
	return r < 0 ? r : maria_finish(m, add_events(m, s, people, err), err);
}

int token_keeper_saw(struct maria_pool *p, const struct audit_event *event, enum token_keys kind,
		     const uint64_t *keys, size_t n, struct err *err)
{
	struct sight s = {event, kind, keys, n};
	int r = with_connection(p, append_sight, &s, err);

	return r < 0 ? err_context(err, "writing the audit of %s", event->action) : 0;
}

void token_keeper_add_grants(struct strbuf *b, const char *database, const char *user)
{
	maria_add_grant(b, "UPDATE (last_used_at)", database, "Access_Tokens", user);
	maria_add_grant(b, "INSERT", database, "Audit_Events", user);
	maria_add_grant(b, "INSERT", database, "Audit_Details", user);
	maria_add_grant(b, "UPDATE", database, "Audit_Head", user);
}
