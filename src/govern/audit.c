/* Appending to the audit, listing and erasing: see audit.h. */
#include "govern/audit_int.h"

#include "base/file.h"
#include "govern/govern_sql_int.h"

#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <sodium.h>
#include <unistd.h>

#include "base/banned.h"

#define SALT_SIZE     16
#define ERASE_AT_ONCE 2000 /* their numbers fit into the details of one event */
#define TEXT_BYTES    190
#define NAME_BYTES    64
#define DETAILS_BYTES 60000

/* --- hashes ---------------------------------------------------------------------------------- */

void audit_hash(const struct str *fields, size_t n, char ret[AUDIT_HASH_SIZE])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < n; i++) {
		char length[24];

		(void)snprintf(length, sizeof(length), "%zu:", fields[i].len);
		crypto_hash_sha256_update(&state, (const unsigned char *)length, strlen(length));
		if (fields[i].len)
			crypto_hash_sha256_update(&state, (const unsigned char *)fields[i].data,
						  fields[i].len);
		crypto_hash_sha256_update(&state, (const unsigned char *)",", 1);
	}
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(ret, AUDIT_HASH_SIZE, hash, sizeof(hash));
}

/* --- append ---------------------------------------------------------------------------------- */

/* As much as the column takes, whole characters. */
static struct str fit(const char *text, size_t max)
{
	return utf8_cut(str_from(text ? text : ""), max);
}

static int read_head(struct maria *m, struct audit_head *ret, char now[32], struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(m, govern_sql_audit_head, NULL, 0, &rows, err);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, ERR_CORRUPTED, "the audit has no head: Audit_Head is empty");
	ret->id = maria_rows_uint(rows, 0);
	(void)snprintf(ret->hash, sizeof(ret->hash), "%.*s", STR_ARGS(maria_rows_str(rows, 1)));
	(void)snprintf(now, 32, "%.*s", STR_ARGS(maria_rows_str(rows, 2)));
	return 0;
}

/* A purpose may name whom it is about, "letter of Ada Lovelace": then it goes with the rest. */
static bool has_hidden_purpose(const struct audit_event *e)
{
	return e->subject && e->purpose && e->purpose[0];
}

/* The details with the purpose; the caller's. */
static char *details_text(const struct audit_event *e)
{
	json_t *json = e->details ? json_loads(e->details, 0, NULL) : NULL;
	struct str purpose = fit(e->purpose, TEXT_BYTES);
	char *ret = NULL;

	if (has_hidden_purpose(e) && (!e->details || json_is_object(json))) {
		json = json ? json : json_object();
		if (json_object_set_new(json, "purpose", json_stringn(purpose.data, purpose.len)) ==
		    0)
			ret = json_dumps(json, JSON_COMPACT);
	}
	json_decref(json);
	return ret ? ret : mem_printf("%s", e->details ? e->details : "");
}

static int add_details(struct maria *m, uint64_t id, const struct audit_event *e,
		       char ret_hash[AUDIT_HASH_SIZE], struct err *err)
{
	_cleanup_(mem_freep) char *details = details_text(e);
	char salt[SALT_SIZE];
	const struct str fields[] = {
	    {salt, sizeof(salt)}, fit(e->subject, NAME_BYTES), fit(details, DETAILS_BYTES)};

	random_bytes(salt, sizeof(salt));
	audit_hash(fields, ARRAY_LEN(fields), ret_hash);
	return maria_run(
	    m, govern_sql_audit_details_add,
	    MARIA_ARGS(MARIA_U(id), MARIA_STR(fields[1]), MARIA_STR(fields[2]), MARIA_B(fields[0])),
	    NULL, err);
}

atomic_bool audit_appended;

bool audit_is_ahead(void)
{
	return atomic_load(&audit_appended);
}

int audit_append_here(struct maria *m, const struct audit_event *e, struct err *err)
{
	char now[32], number[24], rows[24];
	char details[AUDIT_HASH_SIZE] = "", hash[AUDIT_HASH_SIZE];
	struct audit_head head = {0};
	int r = read_head(m, &head, now, err);

	atomic_store(&audit_appended, true);
	if (r == 0 && (e->subject || e->details))
		r = add_details(m, head.id + 1, e, details, err);
	if (r < 0)
		return r;
	(void)snprintf(number, sizeof(number), "%" PRIu64, head.id + 1);
	(void)snprintf(rows, sizeof(rows), "%" PRIu64, e->rows);
	{
		const struct str f[AUDIT_FIELDS + 1] = {
		    str_from(number),
		    str_from(now),
		    fit(e->actor, NAME_BYTES),
		    fit(e->role, NAME_BYTES),
		    fit(e->action, NAME_BYTES),
		    fit(e->object, TEXT_BYTES),
		    fit(has_hidden_purpose(e) ? "" : e->purpose, TEXT_BYTES),
		    str_from(rows),
		    fit(e->outcome, 32),
		    str_from(details),
		    str_from(head.hash)};
		struct maria_value params[AUDIT_FIELDS + 2];

		audit_hash(f, ARRAY_LEN(f), hash);
		for (size_t i = 0; i < ARRAY_LEN(f); i++)
			params[i] = MARIA_STR(f[i]);
		params[AUDIT_FIELDS + 1] = MARIA_S(hash);
		r = maria_run(m, govern_sql_audit_event_add, params, ARRAY_LEN(params), NULL, err);
	}
	if (r == 0)
		r = maria_run(m, govern_sql_audit_head_move,
			      MARIA_ARGS(MARIA_U(head.id + 1), MARIA_S(hash)), NULL, err);
	return r;
}

int audit_append(struct maria *m, const struct audit_event *event, struct err *err)
{
	int r = maria_exec(m, "START TRANSACTION", err);

	if (r == 0)
		r = maria_finish(m, audit_append_here(m, event, err), err);
	return r < 0 ? err_context(err, "writing the audit of %s", event->action) : 0;
}

const char *audit_os_actor(struct arena *arena)
{
	char buffer[4096];
	struct passwd account, *found = NULL;

	if (getpwuid_r(geteuid(), &account, buffer, sizeof(buffer), &found) == 0 && found)
		return arena_printf(arena, "os:%s", account.pw_name);
	return arena_printf(arena, "os:%u", (unsigned)geteuid());
}

/* --- list ------------------------------------------------------------------------------------ */

int audit_list(struct maria *m, const char *subject, size_t limit, audit_row_fn fn, void *arg,
	       struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = subject
		    ? maria_query(m, govern_sql_audit_list_subject,
				  MARIA_ARGS(MARIA_S(subject), MARIA_U(limit)), &rows, err)
		    : maria_query(m, govern_sql_audit_list, MARIA_ARGS(MARIA_U(limit)), &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		const struct audit_row row = {.id = maria_rows_uint(rows, 0),
					      .happened_at = maria_rows_str(rows, 1).data,
					      .actor = maria_rows_str(rows, 2).data,
					      .role = maria_rows_str(rows, 3).data,
					      .action = maria_rows_str(rows, 4).data,
					      .object = maria_rows_str(rows, 5).data,
					      .purpose = maria_rows_str(rows, 6).data,
					      .rows = maria_rows_uint(rows, 7),
					      .outcome = maria_rows_str(rows, 8).data,
					      .subject = maria_rows_str(rows, 9).data};

		r = fn(arg, &row, err);
	}
	return r;
}

/* --- erase ----------------------------------------------------------------------------------- */

/* The numbers of some events about a subject, as the details of the event that erases them. */
static int list_events(struct maria *m, const char *subject, struct strbuf *ret, uint64_t *ret_n,
		       uint64_t *ret_last, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_audit_subject_events,
			    MARIA_ARGS(MARIA_S(subject), MARIA_U(ERASE_AT_ONCE)), &rows, err);

	*ret_n = 0;
	strbuf_addstr(ret, "{\"events\":[");
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		*ret_last = maria_rows_uint(rows, 0);
		strbuf_addf(ret, "%s%" PRIu64, (*ret_n)++ ? "," : "", *ret_last);
	}
	strbuf_addstr(ret, "]}");
	return r < 0 ? r : strbuf_check(ret, "the events that are erased", err);
}

static int append_erased(struct maria *m, const char *actor, uint64_t n, struct strbuf *list,
			 struct err *err)
{
	const struct audit_event event = {.actor = actor,
					  .action = AUDIT_ERASE,
					  .rows = n,
					  .outcome = "done",
					  .details = strbuf_str(list)};

	return audit_append_here(m, &event, err);
}

static int erase_some(struct maria *m, const char *actor, const char *subject, uint64_t *ret_n,
		      struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT(DETAILS_BYTES);
	struct audit_head head = {0};
	uint64_t last = 0;
	char now[32];
	int r = read_head(m, &head, now, err); /* first, as by all who append */

	if (r == 0)
		r = list_events(m, subject, &list, ret_n, &last, err);
	if (r == 0 && *ret_n) {
		r = maria_run(m, govern_sql_audit_details_erase,
			      MARIA_ARGS(MARIA_S(subject), MARIA_U(last)), NULL, err);
		if (r == 0)
			r = append_erased(m, actor, *ret_n, &list, err);
	}
	return r;
}

/* In a transaction. */
static int erase_events(struct maria *m, const char *actor, const uint64_t *ids, size_t n,
			struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT(DETAILS_BYTES);
	struct audit_head head = {0};
	char now[32];
	int r = read_head(m, &head, now, err);

	strbuf_addstr(&list, "{\"events\":[");
	for (size_t i = 0; i < n && r == 0; i++) {
		strbuf_addf(&list, "%s%" PRIu64, i ? "," : "", ids[i]);
		r = maria_run(m, govern_sql_audit_details_forget, MARIA_ARGS(MARIA_U(ids[i])), NULL,
			      err);
	}
	strbuf_addstr(&list, "]}");
	if (r == 0)
		r = strbuf_check(&list, "the events that are erased", err);
	return r < 0 ? r : append_erased(m, actor, n, &list, err);
}

int audit_erase_events(struct maria *m, const char *actor, const uint64_t *ids, size_t n,
		       struct err *err)
{
	int r = maria_exec(m, "START TRANSACTION", err);

	return r < 0 ? r : maria_finish(m, erase_events(m, actor, ids, n, err), err);
}

int audit_erase(struct maria *m, const char *actor, const char *subject, uint64_t *ret_erased,
		struct err *err)
{
	uint64_t n = 1;
	int r = 0;

	*ret_erased = 0;
	/* Events about nobody, such as those that say what was erased, are not to be forgotten. */
	if (!subject[0])
		return err_set(err, ERR_INVALID_ARGUMENT, "say whose: the subject is empty");
	while (n && r == 0) {
		r = maria_exec(m, "START TRANSACTION", err);
		if (r == 0)
			r = maria_finish(m, erase_some(m, actor, subject, &n, err), err);
		*ret_erased += r == 0 ? n : 0;
	}
	return r;
}
