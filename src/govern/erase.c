/*
 * The course of an erasure: see erase.h.
 *
 * The record in Erasures is the state: none, `copies` (committed with the shop's rows), `done`. All
 * that happens in `copies` may be done again, and is, from its start, whoever was interrupted: to
 * wait for documents that are gone already takes no time.
 */
#include "govern/erase_int.h"

#include "base/clock.h"
#include "govern/audit_int.h"
#include "govern/govern_sql_int.h"
#include "sync/sync_admin.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/banned.h"

#define TRIES	     5
#define RECEIPTS_MAX ((size_t)1 << 20)
#define LOOK_US	     500000U /* between two searches */

struct record {
	uint64_t id;
	bool is_done;
	char *receipts, *certificate, *by, *purpose, *begun_at;
	struct strbuf sought;
};

static void record_done(struct record *rec)
{
	mem_free(rec->receipts);
	mem_free(rec->certificate);
	mem_free(rec->by);
	mem_free(rec->purpose);
	mem_free(rec->begun_at);
	strbuf_done(&rec->sought);
	*rec = (struct record){0};
}

static char *text_of(const struct maria_rows *rows, size_t column)
{
	struct str s = maria_rows_str(rows, column);

	return s.data ? mem_strndup(s.data, s.len) : NULL;
}

/* An id of 0: there is none. */
static int read_record(struct maria *m, const char *subject, struct record *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct str sought;
	int r = maria_query(m, govern_sql_erase_record, params, ARRAY_LEN(params), &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r <= 0)
		return r;
	sought = maria_rows_str(rows, 2);
	*ret = (struct record){.id = maria_rows_uint(rows, 0),
			       .is_done = !str_equal(maria_rows_str(rows, 1), str_from("copies")),
			       .receipts = text_of(rows, 3),
			       .certificate = text_of(rows, 4),
			       .by = text_of(rows, 5),
			       .purpose = text_of(rows, 6),
			       .begun_at = text_of(rows, 7)};
	strbuf_add(&ret->sought, sought.data, sought.len);
	return strbuf_check(&ret->sought, "what is searched for", err);
}

/* --- the shop's rows ------------------------------------------------------------------------- */

static int check_subject(const struct eraser *e, const char *subject, struct err *err)
{
	const struct access *a = e->a;
	uint64_t id = 0;
	struct err ignored = {0};

	if (!a->subject_table || !a->subject_erase)
		return ynode_error(ydoc_root(a->doc), err,
				   "the file does not say how somebody is erased: \"subject\" has "
				   "no \"erase\"");
	if (parse_uint64(str_from(subject), UINT64_MAX, &id, &ignored) < 0)
		return 0; /* keys of a shop may be texts */
	for (size_t i = 0; i < a->n_people; i++)
		if (a->people[i].customer_id == id && id)
			return ynode_key_error(a->people[i].node, err,
					       "\"%s\" is this customer: take the account out of "
					       "the file and apply it first",
					       a->people[i].name);
	return 0;
}

static int check_hold(const struct eraser *e, const char *subject, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(e->m, govern_sql_erase_held, params, ARRAY_LEN(params), &rows, err);
	const char *until;

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r <= 0)
		return r;
	until = maria_rows_str(rows, 2).data;
	(void)err_set(err, ERR_CONFLICT, "their data is held%s%s, by %s: %s",
		      until[0] ? " until " : "", until, maria_rows_str(rows, 1).data,
		      maria_rows_str(rows, 0).data);
	return err_hint(err, "`aethermart privacy release` ends a hold");
}

/* "text" as it is, when the shop's procedure says why it will not. */
static int explain(const struct eraser *e, struct err *err)
{
	const struct maria_refusal *refusal = maria_refusal(e->m);

	return refusal ? err_set(err, ERR_CONFLICT, "%s", refusal->text)
		       : err_context(err, "erasing by %s", e->a->subject_erase);
}

/* Its answer becomes receipts: table, what became of it, rows. */
static int call_procedure(const struct eraser *e, const char *subject, json_t *receipts,
			  struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(1024);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	strbuf_addstr(&sql, "CALL ");
	maria_add_identifier(&sql, e->a->subject_erase);
	strbuf_addstr(&sql, "(?)");
	r = maria_query(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &rows, err);
	if (r < 0)
		return explain(e, err);
	while ((r = maria_rows_next(rows, err)) > 0)
		json_array_append_new(receipts,
				      json_pack("{s:s,s:s,s:s,s:I}", "store", "MariaDB", "where",
						maria_rows_str(rows, 0).data, "what",
						maria_rows_str(rows, 1).data, "rows",
						(json_int_t)maria_rows_int(rows, 2)));
	return r < 0 ? explain(e, err) : 0;
}

static int add_key(const struct eraser *e, struct str text, uint64_t id, struct err *err)
{
	char fingerprint[65];

	erase_fingerprint(e->key, text, fingerprint);

	const struct maria_value params[] = {MARIA_S(fingerprint), MARIA_U(id)};

	return maria_run(e->m, govern_sql_erase_key, params, ARRAY_LEN(params), NULL, err);
}

static bool is_key(const struct eraser *e, const struct schema_table *t,
		   const struct schema_column *c)
{
	const char *pii = access_class(e->a, t->name, c->name);

	return c->type == SCHEMA_TEXT && pii &&
	       (cstr_equal(pii, "identifier") || cstr_equal(pii, "email"));
}

/* However short they are. That of the empty text tells loading whether it has the right key. */
static int add_keys(const struct eraser *e, const char *subject, uint64_t id, struct err *err)
{
	const struct schema_table *t = schema_find_table(e->schema, e->a->subject_table);
	const struct maria_value params[] = {MARIA_S(subject)};
	int r = add_key(e, str_from(""), id, err);

	for (size_t i = 0; i < t->n_columns && r == 0; i++) {
		_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX);
		_cleanup_(mem_freep) char *text = NULL;

		if (!is_key(e, t, &t->columns[i]))
			continue;
		strbuf_addstr(&sql, "SELECT ");
		maria_add_identifier(&sql, t->columns[i].name);
		strbuf_addstr(&sql, " FROM ");
		maria_add_identifier(&sql, t->name);
		strbuf_addstr(&sql, " WHERE ");
		maria_add_identifier(&sql, e->a->subject_key);
		strbuf_addstr(&sql, " = ?");
		r = maria_query_text(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &text, err);
		if (r == 0 && text)
			r = add_key(e, str_from(text), id, err);
	}
	return r;
}

static int store_receipts(const struct eraser *e, const json_t *receipts, uint64_t id,
			  struct err *err)
{
	_cleanup_(mem_freep) char *text = json_dumps(receipts, JSON_COMPACT);
	const struct maria_value params[] = {MARIA_S(text), MARIA_U(id)};

	return maria_run(e->m, govern_sql_erase_receipts, params, ARRAY_LEN(params), NULL, err);
}

static int write_audit(const struct eraser *e, uint64_t id, const char *outcome, struct err *err)
{
	_cleanup_(mem_freep) char *object = mem_printf("erasure %" PRIu64, id);

	return audit_append_here(e->m,
				 &(struct audit_event){.actor = e->actor,
						       .action = "privacy.erase",
						       .object = object,
						       .purpose = e->purpose,
						       .rows = 1,
						       .outcome = outcome},
				 err);
}

/* In a transaction: the rows, the keys, the record and the audit, all or none. */
static int erase_rows(const struct eraser *e, const char *subject, const struct erase_sought *s,
		      struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sealed = STRBUF_INIT(0);
	json_t *receipts = json_array();
	int64_t id = 0;
	int r;

	erase_sought_seal(s, e->key, &sealed);

	const struct maria_value params[] = {MARIA_S(subject), MARIA_S(e->actor),
					     MARIA_S(e->purpose ? e->purpose : ""),
					     MARIA_B(strbuf_slice(&sealed))};

	r = strbuf_check(&sealed, "what is searched for", err);
	if (r == 0)
		r = maria_run(e->m, govern_sql_erase_begin, params, ARRAY_LEN(params), NULL, err);
	if (r == 0)
		r = maria_query_int(e->m, "SELECT LAST_INSERT_ID()", NULL, 0, &id, err);
	if (r == 0)
		r = add_keys(e, subject, (uint64_t)id, err);
	if (r == 0)
		r = call_procedure(e, subject, receipts, err);
	if (r == 0)
		r = store_receipts(e, receipts, (uint64_t)id, err);
	if (r == 0)
		r = write_audit(e, (uint64_t)id, "begun", err);
	json_decref(receipts);
	return r;
}

/* What others made impossible for the moment is tried again. */
static int in_transaction(const struct eraser *e, const char *subject, const struct erase_sought *s,
			  struct err *err)
{
	int r = -ERR_RETRY;

	for (int i = 0; i < TRIES && r == -ERR_RETRY && !maria_is_lost(e->m); i++) {
		err_clear(err);
		r = maria_exec(e->m, "START TRANSACTION", err);
		if (r == 0)
			r = erase_rows(e, subject, s, err);
		r = maria_finish(e->m, r, err);
	}
	return r;
}

/* Whether they may be erased, and what is searched for. */
static int plan_begin(const struct eraser *e, const char *subject, struct erase_sought *ret,
		      struct err *err)
{
	int r = check_subject(e, subject, err);

	if (r == 0)
		r = check_hold(e, subject, err);
	if (r == 0)
		r = erase_sought_read(e, subject, ret, err);
	return r < 0 ? r : erase_sought_share(e, subject, ret, err);
}

static int begin(const struct eraser *e, const char *subject, struct err *err)
{
	_cleanup_(erase_sought_done) struct erase_sought s = {0};
	int r = plan_begin(e, subject, &s, err);

	return r < 0 ? r : in_transaction(e, subject, &s, err);
}

/* --- the stores that follow ------------------------------------------------------------------ */

static bool go_on(const struct eraser *e, int64_t deadline_us, const char *what)
{
	return clock_monotonic_us() < deadline_us && (!e->on_wait || e->on_wait(e->arg, what));
}

/* The worker deletes the documents, and with them the fields of MongoDB's users; those that a
 * mapping keeps when their row leaves are deleted here. */
static int follow_documents(const struct eraser *e, const struct erase_sought *s, json_t *receipts,
			    struct err *err)
{
	uint64_t deleted = 0;
	int r = sync_drain(e->m, e->mappings, NULL, e->wait_ms, err);

	if (r < 0) {
		(void)err_context(err, "the rows are erased; the documents are not yet");
		return err_hint(err, "is a worker running (`aethermart serve`), and no collection "
				     "paused? Then call this again");
	}
	r = erase_documents(e, s, &deleted, err);
	if (r < 0)
		return err_context(err, "the rows are erased; the documents are not yet");
	json_array_append_new(
	    receipts,
	    json_pack("{s:s,s:s,s:s,s:I}", "store", "MongoDB", "where", mongo_database(e->mongo),
		      "what", "all changes are carried by the worker; what it keeps is deleted",
		      "rows", (json_int_t)deleted));
	return 0;
}

static int follow_others(const struct eraser *e, const char *subject, const struct erase_sought *s,
			 json_t *receipts, struct err *err)
{
	int r = 0;

	for (size_t i = 0; e->followers && e->followers[i].follow && r == 0; i++) {
		const struct erase_follower *f = &e->followers[i];
		uint64_t rows = 0;

		r = f->follow(e->arg, subject, s, &rows, err);
		if (r < 0)
			return err_context(err, "the rows are erased; %s not yet", f->store);
		json_array_append_new(receipts,
				      json_pack("{s:s,s:s,s:s,s:I}", "store", f->store, "where", "",
						"what", "followed", "rows", (json_int_t)rows));
	}
	return r;
}

static int follow_audit(const struct eraser *e, const char *subject, json_t *receipts,
			struct err *err)
{
	uint64_t n = 0;
	int r = audit_erase(e->m, e->actor, subject, &n, err);

	if (r == 0)
		json_array_append_new(receipts, json_pack("{s:s,s:s,s:s,s:I}", "store", "MariaDB",
							  "where", "Audit_Details", "what",
							  "deleted", "rows", (json_int_t)n));
	return r;
}

/* --- the search ------------------------------------------------------------------------------ */

#define FINDS_MAX 1000 /* that are listed; all are counted */

struct totals { /* of one search of all stores */
	json_t *stores, *finds, *skipped;
	const char *store;
	uint64_t n_places, n_searched, n_found;
	struct strbuf where; /* something was found */
	uint64_t n_found_all;
};

static void end_store(struct totals *t)
{
	if (t->store)
		json_array_append_new(t->stores, json_pack("{s:s,s:I,s:I,s:I}", "store", t->store,
							   "places", (json_int_t)t->n_places,
							   "searched", (json_int_t)t->n_searched,
							   "found", (json_int_t)t->n_found));
	t->n_places = t->n_searched = t->n_found = 0;
	t->store = NULL;
}

static int add_place(void *arg, const struct erase_place *p, struct err *err)
{
	struct totals *t = arg;

	(void)err;
	if (t->store && !cstr_equal(t->store, p->store))
		end_store(t);
	t->store = p->store;
	t->n_places++;
	t->n_searched += p->n_searched;
	t->n_found += p->n_found;
	t->n_found_all += p->n_found;
	if (p->n_found)
		strbuf_addf(&t->where, "%s%s %s", t->where.len ? ", " : "", p->store, p->where);
	return 0;
}

static json_t *text_json(const char *text)
{
	json_t *ret = json_string(text);

	return ret ? ret : json_string("(no UTF-8)");
}

static int add_find(void *arg, const struct erase_find *f, struct err *err)
{
	struct totals *t = arg;

	(void)err;
	if (json_array_size(t->finds) < FINDS_MAX)
		json_array_append_new(t->finds, json_pack("{s:s,s:o,s:o,s:s}", "store", f->store,
							  "where", text_json(f->where), "key",
							  text_json(f->key), "what", f->what));
	return 0;
}

static int add_skipped(void *arg, const char *where, const char *why, struct err *err)
{
	struct totals *t = arg;
	_cleanup_(mem_freep) char *until = mem_printf("it was not searched: %s", why);

	(void)err;
	json_array_append_new(t->skipped, json_pack("{s:o,s:o}", "where", text_json(where), "until",
						    text_json(until)));
	return 0;
}

static void totals_reset(struct totals *t)
{
	json_decref(t->stores);
	json_decref(t->finds);
	json_decref(t->skipped);
	strbuf_done(&t->where);
	*t = (struct totals){0};
}

static int search_all(const struct eraser *e, const struct erase_search *how, struct totals *ret,
		      struct err *err)
{
	struct erase_search search = *how;
	int r;

	totals_reset(ret);
	*ret = (struct totals){.stores = json_array(),
			       .finds = json_array(),
			       .skipped = json_array(),
			       .where = STRBUF_INIT(4096)};
	search.on_place = add_place;
	search.on_find = add_find;
	search.on_skip = add_skipped;
	search.arg = ret;
	r = erase_search(e, &search, err);
	end_store(ret);
	return r;
}

static int tell_left(const struct eraser *e, const struct totals *t, struct err *err)
{
	size_t i;
	json_t *item;
	int r = 0;

	json_array_foreach(t->finds, i, item)
	{
		struct erase_find f = {0};

		if (!e->on_left || r < 0 ||
		    json_unpack(item, "{s:s,s:s,s:s,s:s}", "store", &f.store, "where", &f.where,
				"key", &f.key, "what", &f.what) < 0)
			break;
		r = e->on_left(e->arg, &f, err);
	}
	return r;
}

/* Until nothing is found: an index overwrites what is gone some seconds later. */
static int search_until_none(const struct eraser *e, const struct erase_search *how,
			     struct totals *ret, struct err *err)
{
	int64_t deadline = clock_monotonic_us() + e->wait_ms * 1000;
	int r;

	do {
		r = search_all(e, how, ret, err);
		if (r < 0 || !ret->n_found_all)
			return r;
		usleep(LOOK_US);
	} while (go_on(e, deadline, strbuf_str(&ret->where)));
	r = tell_left(e, ret, err);
	if (r < 0)
		return r;
	(void)err_set(err, ERR_TIMEOUT, "something of theirs is still in: %.400s",
		      strbuf_str(&ret->where));
	return err_hint(err, "an index forgets while a worker runs; take away what else there is, "
			     "and call this again, or end it with --leave REASON");
}

/* --- the certificate ------------------------------------------------------------------------- */

/* What no search reaches, and until when. */
static int list_remains(const struct eraser *e, const struct totals *t, json_t *ret,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(e->m, govern_sql_erase_remains, NULL, 0, &rows, err);
	char until[CLOCK_TEXT_SIZE];
	int64_t seconds;

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r <= 0)
		return r;
	seconds = maria_rows_int(rows, 1);
	clock_format(clock_wall_us() + seconds * 1000000, until);
	if (maria_rows_int(rows, 0))
		json_array_append_new(
		    ret, json_pack("{s:s,s:s}", "where", "MariaDB's binary logs", "until",
				   seconds ? until : "somebody purges them: they do not expire"));
	json_array_append_new(ret,
			      json_pack("{s:s,s:s}", "where",
					"pages and journals of both servers, where deleted rows "
					"lie until they are overwritten",
					"until", "the servers use the space again"));
	json_array_append_new(
	    ret,
	    json_pack("{s:s,s:s}", "where", "backups, and files of a feed, made before", "until",
		      "whoever made them deletes them; after a restore, erase again"));
	json_array_extend(ret, t->skipped);
	erase_oplog(e, ret);
	return 0;
}

struct proof {
	const struct record *rec;
	const char *subject;
	const struct erase_sought *sought;
	json_t *receipts;
	const struct totals *found;
	const char *left; /* why something stays; NULL: nothing was left */
};

/* How many texts of each kind were not searched for, and why. */
static json_t *list_left_out(const struct erase_sought *s)
{
	json_t *ret = json_array();

	for (int why = ERASE_SEARCHED + 1; why < ERASE_LEFT_OUTS; why++)
		for (int kind = 0; kind < ERASE_KINDS; kind++) {
			size_t n = 0;

			for (size_t i = 0; i < s->n; i++)
				n += (int)s->texts[i].kind == kind &&
				     (int)s->texts[i].left_out == why;
			if (n)
				json_array_append_new(
				    ret, json_pack("{s:s,s:s,s:I}", "kind",
						   erase_kind_name((enum erase_kind)kind), "reason",
						   erase_left_out_name((enum erase_left_out)why),
						   "texts", (json_int_t)n));
		}
	return ret;
}

/* What the certificate tells of the search. */
static json_t *list_texts(const struct erase_sought *s)
{
	return json_pack("{s:I,s:I,s:o}", "searched_for",
			 (json_int_t)erase_sought_count(s, ERASE_SEARCHED), "shared_with_others",
			 (json_int_t)erase_sought_count(s, ERASE_SHARED), "not_searched_for",
			 list_left_out(s));
}

static int make_certificate(const struct eraser *e, const struct proof *p, char **ret,
			    struct err *err)
{
	json_t *remains = json_array(), *content;
	char now[CLOCK_TEXT_SIZE];
	int r = list_remains(e, p->found, remains, err);

	clock_format(clock_wall_us(), now);
	content = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:O,s:O,s:o}", "erasure",
			    (json_int_t)p->rec->id, "subject", p->subject, "requested_by",
			    p->rec->by, "purpose", p->rec->purpose, "begun_at", p->rec->begun_at,
			    "finished_at", now, "made_by", e->program, "complete", p->left == NULL,
			    "texts", list_texts(p->sought), "receipts", p->receipts, "searched",
			    p->found->stores, "remains", remains);
	if (p->left)
		json_object_update_new(
		    content, json_pack("{s:O,s:I,s:s}", "left", p->found->finds, "left_in_all",
				       (json_int_t)p->found->n_found_all, "left_because", p->left));
	if (r == 0)
		*ret = erase_certificate_sign(content, e->secret_key);
	json_decref(content);
	return r;
}

static int finish(const struct eraser *e, const struct record *rec, const char *certificate,
		  bool is_left, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(certificate), MARIA_U(rec->id)};
	int r = maria_exec(e->m, "START TRANSACTION", err);

	if (r == 0)
		r = maria_run(e->m, is_left ? govern_sql_erase_leave : govern_sql_erase_finish,
			      params, ARRAY_LEN(params), NULL, err);
	if (r == 0)
		r = write_audit(e, rec->id, is_left ? "left" : "done", err);
	return maria_finish(e->m, r, err);
}

/* A certificate of a search for nothing would prove nothing. */
static int check_sought(const struct erase_sought *s, struct err *err)
{
	if (!s->n || erase_sought_count(s, ERASE_SEARCHED))
		return 0;
	(void)err_set(err, ERR_CONFLICT,
		      "nothing that is known of them can be searched for: %zu texts are too short, "
		      "or somebody else has the same",
		      s->n);
	return err_hint(err, "look for copies by hand, then end it with --leave REASON");
}

static int look_for_rest(const struct eraser *e, const struct erase_search *how, const char *left,
			 struct totals *ret, struct err *err)
{
	int r;

	if (left)
		return search_all(e, how, ret, err);
	r = check_sought(how->sought, err);
	return r < 0 ? r : search_until_none(e, how, ret, err);
}

/* All that comes after the rows: the stores that follow, the audit, the search. */
static int follow_all(const struct eraser *e, const char *subject, const struct erase_sought *s,
		      json_t *receipts, struct err *err)
{
	int64_t deadline = clock_monotonic_us() + e->wait_ms * 1000;
	int r = follow_documents(e, s, receipts, err);

	if (r == 0)
		r = follow_others(e, subject, s, receipts, err);
	if (r == 0)
		r = erase_handoffs(e, s, deadline, err);
	/* Last of them: others may write into the audit whom they forgot. */
	return r < 0 ? r : follow_audit(e, subject, receipts, err);
}

static int prove(const struct eraser *e, const struct proof *p, char **ret_certificate,
		 struct err *err)
{
	_cleanup_(mem_freep) char *certificate = NULL;
	int r = make_certificate(e, p, &certificate, err);

	if (r == 0)
		r = finish(e, p->rec, certificate, p->left != NULL, err);
	if (r == 0)
		*ret_certificate = TAKE_PTR(certificate);
	return r;
}

/* `left`: why it ends with what the search finds; NULL: it ends when nothing is found. */
static int follow(const struct eraser *e, const struct record *rec, const char *subject,
		  const char *left, char **ret_certificate, struct err *err)
{
	_cleanup_(erase_sought_done) struct erase_sought s = {0};
	_cleanup_(totals_reset) struct totals found = {0};
	json_t *receipts = json_loads(rec->receipts, 0, NULL);
	struct proof proof = {.rec = rec,
			      .subject = subject,
			      .sought = &s,
			      .receipts = receipts,
			      .found = &found,
			      .left = left};
	int r = erase_sought_unseal(strbuf_slice(&rec->sought), e->key, &s, err);

	/* A certificate tells of each store or of none. */
	if (r == 0 && !receipts)
		r = err_set(err, ERR_CORRUPTED, "the receipts of erasure %" PRIu64 " are damaged",
			    rec->id);
	if (r == 0 && left && erase_sought_holds(&s, str_from(left)))
		r = err_set(err, ERR_INVALID_ARGUMENT,
			    "the reason says who they are, and would stay in the certificate");
	if (r == 0)
		r = follow_all(e, subject, &s, receipts, err);
	if (r == 0)
		r = look_for_rest(
		    e,
		    &(struct erase_search){.subject = subject, .sought = &s, .receipts = receipts},
		    left, &found, err);
	if (r == 0)
		r = prove(e, &proof, ret_certificate, err);
	json_decref(receipts);
	return r;
}

int erase_run(const struct eraser *e, const char *subject, char **ret_certificate, struct err *err)
{
	_cleanup_(record_done) struct record rec = {0};
	int r = read_record(e->m, subject, &rec, err);

	if (r >= 0 && !rec.id) {
		r = begin(e, subject, err);
		if (r == 0)
			r = read_record(e->m, subject, &rec, err);
	}
	if (r < 0)
		return r;
	if (!rec.is_done)
		return follow(e, &rec, subject, NULL, ret_certificate, err);
	*ret_certificate = TAKE_PTR(rec.certificate);
	return 0;
}

int erase_leave(const struct eraser *e, const char *subject, const char *reason,
		char **ret_certificate, struct err *err)
{
	_cleanup_(record_done) struct record rec = {0};
	int r = read_record(e->m, subject, &rec, err);

	if (r < 0)
		return r;
	if (!rec.id) {
		(void)err_set(err, ERR_CONFLICT, "the erasure of %.60s was not begun", subject);
		return err_hint(err, "call it without --leave first: perhaps nothing is left");
	}
	if (rec.is_done)
		return err_set(err, ERR_CONFLICT, "%.60s is erased", subject);
	return follow(e, &rec, subject, reason, ret_certificate, err);
}

int erase_plan(const struct eraser *e, const char *subject, const struct erase_search *how,
	       struct erase_sought *ret, struct err *err)
{
	struct erase_search look = *how;
	_cleanup_(record_done) struct record rec = {0};
	json_t *receipts = NULL;
	int r = read_record(e->m, subject, &rec, err);

	/* Once begun, the record knows what is searched for. */
	if (r >= 0 && rec.is_done)
		return err_set(err, ERR_CONFLICT, "%.60s is erased", subject);
	if (r >= 0 && rec.id)
		r = erase_sought_unseal(strbuf_slice(&rec.sought), e->key, ret, err);
	else if (r >= 0)
		r = plan_begin(e, subject, ret, err);
	look.subject = subject;
	look.sought = ret;
	look.receipts = receipts = rec.id ? json_loads(rec.receipts, 0, NULL) : NULL;
	if (r == 0)
		r = erase_search(e, &look, err);
	json_decref(receipts);
	return r;
}

int erase_certificate(struct maria *m, const char *subject, char **ret, struct err *err)
{
	_cleanup_(record_done) struct record rec = {0};
	int r = read_record(m, subject, &rec, err);

	if (r < 0)
		return r;
	if (!rec.id)
		return err_set(err, ERR_NOT_FOUND, "%.60s was never erased", subject);
	if (!rec.is_done) {
		(void)err_set(err, ERR_RETRY, "the erasure of %.60s is not complete", subject);
		return err_hint(err, "`aethermart privacy erase` goes on with it");
	}
	*ret = TAKE_PTR(rec.certificate);
	return 0;
}

/* --- holds ----------------------------------------------------------------------------------- */

static int audit_hold(const struct eraser *e, const char *subject, const char *action,
		      const char *reason, struct err *err)
{
	return audit_append(e->m,
			    &(struct audit_event){.actor = e->actor,
						  .action = action,
						  .object = e->a->subject_table,
						  .purpose = reason,
						  .rows = 1,
						  .outcome = "done",
						  .subject = subject},
			    err);
}

int erase_hold(const struct eraser *e, const char *subject, const char *reason, const char *until,
	       struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject), MARIA_S(reason), MARIA_S(e->actor),
					     until ? MARIA_S(until) : MARIA_N};
	_cleanup_(record_done) struct record rec = {0};
	_cleanup_(erase_sought_done) struct erase_sought s = {0};
	int r = read_record(e->m, subject, &rec, err);

	if (r >= 0 && rec.id)
		return err_set(err, ERR_CONFLICT, "%.60s is erased: there is nothing to hold",
			       subject);
	if (r >= 0)
		r = erase_sought_read(e, subject, &s, err); /* whether they are there at all */
	if (r == 0 && until && !clock_is_time(until))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"%.40s\" is not a day such as 2030-01-31", until);
	if (r == 0)
		r = maria_run(e->m, govern_sql_erase_hold, params, ARRAY_LEN(params), NULL, err);
	return r < 0 ? r : audit_hold(e, subject, "privacy.hold", reason, err);
}

int erase_release(const struct eraser *e, const char *subject, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	uint64_t n = 0;
	int r = maria_run(e->m, govern_sql_erase_release, params, ARRAY_LEN(params), &n, err);

	if (r == 0 && !n)
		return err_set(err, ERR_NOT_FOUND, "the data of %.60s is not held", subject);
	return r < 0 ? r : audit_hold(e, subject, "privacy.release", NULL, err);
}

int erase_list(struct maria *m, erase_record_fn fn, void *arg, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_erase_list, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		const struct erase_record rec = {.id = maria_rows_uint(rows, 0),
						 .subject = maria_rows_str(rows, 1).data,
						 .state = maria_rows_str(rows, 2).data,
						 .by = maria_rows_str(rows, 3).data,
						 .why = maria_rows_str(rows, 4).data,
						 .since = maria_rows_str(rows, 5).data,
						 .until = maria_rows_str(rows, 6).data};

		r = fn(arg, &rec, err);
	}
	return r;
}
