/* Tokens as the server looks them up, on a few connections that are kept open: see token.h. */
#include "govern/token_int.h"

#include "govern/audit.h"
#include "govern/govern_sql_int.h"

#include <pthread.h>
#include <sodium.h>

#include "base/banned.h"

#define IDLE_MAX    4
#define CONNECT_S   2 /* clients wait */
#define READ_S	    3
#define DETAILS_MAX 256

struct token_keeper {
	struct maria_options maria; /* borrowed texts */
	pthread_mutex_t mutex;	    /* guards what follows */
	struct maria *idle[IDLE_MAX];
	size_t n;
};

struct token_keeper *token_keeper_new(const struct maria_options *maria)
{
	struct token_keeper *k = MEM_NEW(struct token_keeper);

	k->maria = *maria;
	k->maria.connect_timeout_s = CONNECT_S;
	k->maria.read_timeout_s = READ_S;
	(void)pthread_mutex_init(&k->mutex, NULL);
	return k;
}

struct token_keeper *token_keeper_free(struct token_keeper *k)
{
	if (!k)
		return NULL;
	for (size_t i = 0; i < k->n; i++)
		maria_close(k->idle[i]);
	(void)pthread_mutex_destroy(&k->mutex);
	mem_free(k);
	return NULL;
}

static struct maria *take_idle(struct token_keeper *k)
{
	struct maria *m = NULL;

	pthread_mutex_lock(&k->mutex);
	if (k->n)
		m = k->idle[--k->n];
	pthread_mutex_unlock(&k->mutex);
	return m;
}

static void put_back(struct token_keeper *k, struct maria *m)
{
	if (m && maria_is_lost(m))
		m = maria_close(m);
	pthread_mutex_lock(&k->mutex);
	if (m && k->n < IDLE_MAX)
		k->idle[k->n++] = TAKE_PTR(m);
	pthread_mutex_unlock(&k->mutex);
	maria_close(m);
}

/* --- find ------------------------------------------------------------------------------------ */

static int no_token(struct err *err)
{
	return err_set(err, ERR_PERMISSION, "there is no such token");
}

static int read_row(const struct maria_rows *rows, struct str text, struct token_found *ret,
		    struct err *err)
{
	struct str hash = maria_rows_str(rows, 0), role = maria_rows_str(rows, 1);
	unsigned char given[TOKEN_HASH_SIZE];

	token_hash(text, given);
	if (hash.len != sizeof(given) || sodium_memcmp(hash.data, given, sizeof(given)) != 0 ||
	    maria_rows_int(rows, 5) != 0 || role.len > TOKEN_ROLE_MAX)
		return no_token(err);
	memcpy(ret->role, role.data, role.len);
	ret->role[role.len] = '\0';
	ret->customer = maria_rows_uint(rows, 2);
	ret->rate.count = (unsigned)maria_rows_uint(rows, 3);
	ret->rate.seconds = (unsigned)maria_rows_uint(rows, 4);
	ret->left_us = maria_rows_int(rows, 6);
	return 0;
}

static int find(struct maria *m, struct str text, struct token_found *ret, struct err *err)
{
	const struct maria_value id = MARIA_S(ret->id);
	struct maria_rows *rows = NULL;
	bool is_use_news = false;
	int r = maria_query(m, govern_sql_token_find, &id, 1, &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r == 0)
		r = no_token(err);
	if (r > 0) {
		r = read_row(rows, text, ret, err);
		is_use_news = maria_rows_int(rows, 7) != 0;
	}
	maria_rows_close(rows);
	/* Where that cannot be written, on a replica, the token is as good. */
	if (r == 0 && is_use_news)
		(void)!maria_run(m, govern_sql_token_used, &id, 1, NULL, NULL);
	return r;
}

int token_keeper_find(struct token_keeper *k, struct str text, struct token_found *ret,
		      struct err *err)
{
	struct token_found found = {0};
	struct maria *m;
	int r;

	if (!token_parse(text, found.id))
		return no_token(err);
	m = take_idle(k);
	r = m ? 0 : maria_open(&k->maria, &m, err);
	if (r == 0)
		r = find(m, text, &found, err);
	/* One that lay idle may have been cut off meanwhile. */
	if (r < 0 && m && maria_is_lost(m)) {
		err_clear(err);
		r = maria_reconnect(m, err);
		r = r < 0 ? r : find(m, text, &found, err);
	}
	put_back(k, m);
	if (r == 0)
		*ret = found;
	return r;
}

/* --- the audit ------------------------------------------------------------------------------- */

int token_keeper_tried(struct token_keeper *k, const char *address, uint64_t tries, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf details = STRBUF_INIT(DETAILS_MAX);
	struct maria *m = take_idle(k);
	int r = m ? 0 : maria_open(&k->maria, &m, err);

	strbuf_addstr(&details, "{\"address\":");
	strbuf_add_json(&details, address, strlen(address));
	strbuf_addch(&details, '}');
	if (r == 0)
		r = audit_append(m,
				 &(struct audit_event){.actor = "http",
						       .action = "http.token",
						       .object = "HTTP",
						       .rows = tries,
						       .outcome = err_name(ERR_PERMISSION),
						       .details = strbuf_str(&details)},
				 err);
	put_back(k, m);
	return r;
}

void token_keeper_add_grants(struct strbuf *b, const char *database, const char *user)
{
	maria_add_grant(b, "UPDATE (last_used_at)", database, "Access_Tokens", user);
	maria_add_grant(b, "INSERT", database, "Audit_Events", user);
	maria_add_grant(b, "INSERT", database, "Audit_Details", user);
	maria_add_grant(b, "UPDATE", database, "Audit_Head", user);
}
