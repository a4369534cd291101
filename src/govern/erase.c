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
#include "shop/load.h"
#include "sync/sync_admin.h"

#include <inttypes.h>
#include <sodium.h>
#include <unistd.h>

#include "base/banned.h"

#define TRIES	     5
#define RECEIPTS_MAX ((size_t)1 << 20)
#define LOOK_US	     500000U /* between two searches */
#define STAYING_US   3000000 /* until what nobody takes away is believed to stay */

void erase_record_done(struct record *rec)
{
	mem_free(rec->subject);
	mem_free(rec->receipts);
	mem_free(rec->certificate);
	mem_free(rec->by);
	mem_free(rec->purpose);
	mem_free(rec->begun_at);
	mem_free(rec->earlier);
	strbuf_done(&rec->sought);
	*rec = (struct record){0};
}

static char *text_of(const struct maria_rows *rows, size_t column)
{
	struct str s = maria_rows_str(rows, column);

	return s.data ? mem_strndup(s.data, s.len) : NULL;
}

/* An id of 0: there is none. */
int erase_record_read(struct maria *m, const char *subject, struct record *ret, struct err *err)
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
			       .begun_at = text_of(rows, 7),
			       .subject = mem_printf("%s", subject),
			       .is_marked = maria_rows_str(rows, 8).data != NULL,
			       .earlier = text_of(rows, 9)};
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

/* It stands in the record, in the certificate, and in the audit, from which nothing goes. */
static int check_purpose(const struct eraser *e, const struct erase_sought *s, struct err *err)
{
	if (!e->purpose || !erase_sought_names(s, str_from(e->purpose)))
		return 0;
	(void)err_set(err, ERR_INVALID_ARGUMENT,
		      "the purpose says who they are, and it would stay: nothing was done");
	return err_hint(err, "name a case instead: --purpose 'letter of 12 May'");
}

/* For somebody whose erasure was begun: mostly there is nothing. */
static int plan_again(const struct eraser *e, const char *subject, struct erase_sought *ret,
		      struct err *err)
{
	_cleanup_(erase_sought_done) struct erase_sought look = {0};
	int r = erase_sought_read(e, subject, &look, err);

	if (r < 0 || look.n)
		return r < 0 ? r : plan_begin(e, subject, ret, err);
	*ret = look; /* their documents are known by it, should any have come back */
	look = (struct erase_sought){0};
	return 0;
}

/* What others made impossible for the moment, or changed, is planned and tried again. */
static int begin(const struct eraser *e, const char *subject, bool is_begun, struct err *err)
{
	int r = shop_load_check_erased(e->m, e->key, err);

	if (r < 0)
		return r;
	r = -ERR_RETRY;
	for (int i = 0; i < TRIES && r == -ERR_RETRY && !maria_is_lost(e->m); i++) {
		_cleanup_(erase_sought_done) struct erase_sought s = {0};

		err_clear(err);
		r = is_begun ? plan_again(e, subject, &s, err) : plan_begin(e, subject, &s, err);
		if (r == -ERR_NOT_FOUND && is_begun) { /* the procedure of a shop took the row */
			err_clear(err);
			return 0;
		}
		if (r == 0)
			r = check_purpose(e, &s, err);
		if (r == 0)
			r = erase_rows(e, subject, &s, err);
	}
	return r;
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
		if (r == -ERR_RETRY && f->is_last) { /* others go on writing: the end decides */
			err_clear(err);
			r = 0;
		}
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
	uint64_t n_staying; /* of them, where nobody takes it away later */
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

/* An index overwrites what is gone some seconds later. */
static bool is_followed(const struct erase_place *p)
{
	return cstr_equal(p->store, "files") &&
	       strncmp(p->where, ERASE_INDEX, strlen(ERASE_INDEX)) == 0;
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
	t->n_staying += is_followed(p) ? 0 : p->n_found;
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

/* What follows once more at the end: it scrubs what came since it did, and says so when something
 * is left. */
static int follow_last(const struct eraser *e, const struct erase_search *how, struct totals *ret,
		       struct err *err)
{
	int r = 0;

	for (size_t i = 0; e->followers && e->followers[i].follow && r == 0; i++) {
		const struct erase_follower *f = &e->followers[i];
		uint64_t rows = 0;

		r = f->is_last ? f->follow(e->arg, how->subject, how->sought, &rows, err) : 0;
		if (r != -ERR_RETRY)
			continue;
		err_clear(err);
		strbuf_addf(&ret->where, "%s%s", ret->where.len ? ", " : "", f->store);
		json_array_append_new(ret->finds,
				      json_pack("{s:s,s:s,s:s,s:s}", "store", f->store, "where",
						"lines", "key", "", "what", "written meanwhile"));
		ret->n_found_all++;
		r = 0;
	}
	return r;
}

/* Until nothing is found, or only what no waiting takes away. */
static int search_until_none(const struct eraser *e, const struct erase_search *how,
			     struct totals *ret, struct err *err)
{
	int64_t deadline = clock_monotonic_us() + e->wait_ms * 1000;
	int64_t patience = 0;
	bool is_followed_again = false;
	int r;

	do {
		r = search_all(e, how, ret, err);
		if (r == 0 && !ret->n_found_all)
			r = follow_last(e, how, ret, err);
		if (r < 0 || !ret->n_found_all)
			return r;
		if (!ret->n_staying || !is_followed_again)
			patience = clock_monotonic_us() + STAYING_US;
		else if (clock_monotonic_us() > patience)
			break;
		/* It may have come from somebody else's statement, by the server's audit. */
		if (ret->n_staying && !is_followed_again) {
			is_followed_again = true;
			r = follow_last(e, how, ret, err);
			if (r < 0)
				return r;
		}
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

/* What proved it before something of theirs came again: with it, what this one no longer knows. */
static json_t *list_earlier(const struct record *rec)
{
	json_t *certificates = json_loads(rec->earlier ? rec->earlier : "[]", 0, NULL),
	       *ret = json_array(), *one;
	size_t i;

	json_array_foreach(certificates, i, one)
	{
		json_t *whole = json_loads(json_string_value(one), 0, NULL), *inner = NULL;
		const char *signature, *content, *finished;
		json_int_t texts;
		int complete = 0;

		if (json_unpack(whole, "{s:s,s:s}", "signature", &signature, "certificate",
				&content) == 0)
			inner = json_loads(content, 0, NULL);
		if (json_unpack(inner, "{s:s,s:b,s:{s:I}}", "finished_at", &finished, "complete",
				&complete, "texts", "searched_for", &texts) == 0)
			json_array_append_new(ret, json_pack("{s:s,s:b,s:I,s:s}", "finished_at",
							     finished, "complete", complete,
							     "searched_for", texts, "signature",
							     signature));
		json_decref(inner);
		json_decref(whole);
	}
	json_decref(certificates);
	return ret;
}

static int make_certificate(const struct eraser *e, const struct proof *p, char **ret,
			    struct err *err)
{
	json_t *remains = json_array(), *content;
	char now[CLOCK_TEXT_SIZE];
	int r = list_remains(e, p->found, remains, err);

	clock_format(clock_wall_us(), now);
	content = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:O,s:O,s:o,s:o}", "erasure",
			    (json_int_t)p->rec->id, "subject", p->subject, "requested_by",
			    p->rec->by, "purpose", p->rec->purpose, "begun_at", p->rec->begun_at,
			    "finished_at", now, "made_by", e->program, "complete", p->left == NULL,
			    "texts", list_texts(p->sought), "receipts", p->receipts, "searched",
			    p->found->stores, "remains", remains, "earlier", list_earlier(p->rec));
	if (p->left)
		json_object_update_new(
		    content, json_pack("{s:O,s:I,s:s}", "left", p->found->finds, "left_in_all",
				       (json_int_t)p->found->n_found_all, "left_because", p->left));
	if (r == 0)
		*ret = erase_certificate_sign(content, e->secret_key);
	json_decref(content);
	return r;
}

/* By somebody else; who meanwhile began it again has more to look for than was looked for here. */
static int check_finished(const struct eraser *e, const char *subject, struct err *err)
{
	_cleanup_(erase_record_done) struct record now = {0};
	int r = erase_record_read(e->m, subject, &now, err);

	if (r < 0 || now.is_done)
		return r < 0 ? r : 0;
	(void)err_set(err, ERR_RETRY, "somebody else erases %.60s, too, and has more to look for",
		      subject);
	return err_hint(err, "call this again");
}

/* The last look at the rows and the end of it are one transaction. */
static int finish(const struct eraser *e, const struct record *rec, const char *certificate,
		  bool is_left, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(certificate), MARIA_U(rec->id),
					     MARIA_B(strbuf_slice(&rec->sought))};
	uint64_t n = 0;
	int r = maria_exec(e->m, "START TRANSACTION", err);

	if (r == 0)
		r = erase_check_rows(e, rec->subject, err);
	if (r == 0)
		r = maria_run(e->m, is_left ? govern_sql_erase_leave : govern_sql_erase_finish,
			      params, ARRAY_LEN(params), &n, err);
	if (r == 0 && n)
		r = erase_write_audit(e, rec, is_left ? "left" : "done", err);
	else if (r == 0)
		r = check_finished(e, rec->subject, err);
	return maria_finish(e->m, r, err);
}

static bool was_complete(const struct record *rec)
{
	json_t *all = list_earlier(rec);
	json_t *newest = json_array_get(all, json_array_size(all) - 1);
	bool ret = json_is_true(json_object_get(newest, "complete"));

	json_decref(all);
	return ret;
}

/* A certificate of a search for nothing would prove nothing, unless it only adds to a complete one
 * that was made when their texts were known. */
static int check_sought(const struct record *rec, const struct erase_sought *s, struct err *err)
{
	if (erase_sought_count(s, ERASE_SEARCHED) || was_complete(rec))
		return 0;
	if (s->n)
		(void)err_set(err, ERR_CONFLICT,
			      "nothing that is known of them can be searched for: %zu texts are "
			      "too short, or somebody else has the same",
			      s->n);
	else
		(void)err_set(err, ERR_CONFLICT,
			      "nothing is known of them any more that could be searched for: "
			      "somebody emptied their rows by hand");
	return err_hint(err, "look for copies by hand, then end it with --leave REASON");
}

static int look_for_rest(const struct eraser *e, const struct erase_search *how,
			 const struct proof *p, struct totals *ret, struct err *err)
{
	int r;

	if (p->left) {
		r = search_all(e, how, ret, err);
		return r < 0 ? r : follow_last(e, how, ret, err);
	}
	r = check_sought(p->rec, how->sought, err);
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
	if (r == 0)
		r = follow_audit(e, subject, receipts, err);
	return r < 0 ? r : erase_records(e, s, receipts, err);
}

static int prove(const struct eraser *e, const struct proof *p, char **ret_certificate,
		 struct err *err)
{
	_cleanup_(mem_freep) char *certificate = NULL;
	int r = make_certificate(e, p, &certificate, err);

	if (r == 0)
		r = finish(e, p->rec, certificate, p->left != NULL, err);
	/* What is stored counts: another process may have been faster. */
	return r < 0 ? r : erase_certificate(e->m, p->subject, 0, ret_certificate, err);
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
	int r = erase_record_unseal(e, rec, &s, err);

	/* A certificate tells of each store or of none. */
	if (r == 0 && !receipts)
		r = err_set(err, ERR_CORRUPTED, "the receipts of erasure %" PRIu64 " are damaged",
			    rec->id);
	if (r == 0 && left && erase_sought_names(&s, str_from(left)))
		r = err_set(err, ERR_INVALID_ARGUMENT,
			    "the reason says who they are, and would stay in the certificate");
	if (r == 0)
		r = follow_all(e, subject, &s, receipts, err);
	if (r == 0)
		r = look_for_rest(
		    e,
		    &(struct erase_search){.subject = subject, .sought = &s, .receipts = receipts},
		    &proof, &found, err);
	if (r == 0)
		r = prove(e, &proof, ret_certificate, err);
	json_decref(receipts);
	return r;
}

/* It is shown as a proof, so it has to be one. */
static int check_stored(const struct eraser *e, const struct record *rec, struct err *err)
{
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
	int r;

	crypto_sign_ed25519_sk_to_pk(public_key, e->secret_key);
	r = erase_certificate_check(rec->certificate ? rec->certificate : "", public_key, err);
	if (r == 0)
		r = erase_certificate_is_of(rec->certificate, rec->subject, rec->id, err);
	return r < 0 ? err_context(err, "the stored certificate of %.60s", rec->subject) : 0;
}

int erase_run(const struct eraser *e, const char *subject, char **ret_certificate, struct err *err)
{
	_cleanup_(erase_record_done) struct record before = {0}, rec = {0};
	int r = erase_record_read(e->m, subject, &before, err);

	if (r >= 0)
		r = begin(e, subject, before.id != 0, err);
	if (r == 0)
		r = erase_record_read(e->m, subject, &rec, err);
	if (r < 0)
		return r;
	if (!rec.is_done)
		return follow(e, &rec, subject, NULL, ret_certificate, err);
	r = check_stored(e, &rec, err);
	if (r == 0)
		*ret_certificate = TAKE_PTR(rec.certificate);
	return r;
}

int erase_leave(const struct eraser *e, const char *subject, const char *reason,
		char **ret_certificate, struct err *err)
{
	_cleanup_(erase_record_done) struct record rec = {0};
	int r = erase_record_read(e->m, subject, &rec, err);

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
	_cleanup_(erase_record_done) struct record rec = {0};
	json_t *receipts = NULL;
	int r = erase_record_read(e->m, subject, &rec, err);

	/* Once begun, the record knows what is searched for. */
	if (r >= 0 && rec.is_done)
		return err_set(err, ERR_CONFLICT, "%.60s is erased", subject);
	if (r >= 0 && rec.id)
		r = erase_record_unseal(e, &rec, ret, err);
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

static int take_earlier(struct record *rec, size_t number, struct err *err)
{
	json_t *all = json_loads(rec->earlier ? rec->earlier : "[]", 0, NULL);
	const char *text = json_string_value(json_array_get(all, number - 1));
	int r = 0;

	if (text) {
		mem_free(rec->certificate);
		rec->certificate = mem_strdup(text);
	} else {
		r = err_set(err, ERR_NOT_FOUND, "of %.60s there %s of before", rec->subject,
			    json_array_size(all) == 0	? "is no certificate"
			    : json_array_size(all) == 1 ? "is 1 certificate"
							: "are fewer certificates");
	}
	json_decref(all);
	return r;
}

int erase_certificate(struct maria *m, const char *subject, size_t earlier, char **ret,
		      struct err *err)
{
	_cleanup_(erase_record_done) struct record rec = {0};
	int r = erase_record_read(m, subject, &rec, err);

	if (r < 0)
		return r;
	if (!rec.id)
		return err_set(err, ERR_NOT_FOUND, "%.60s was never erased", subject);
	if (earlier) {
		r = take_earlier(&rec, earlier, err);
		if (r < 0)
			return r;
	} else if (!rec.is_done) {
		(void)err_set(err, ERR_RETRY, "the erasure of %.60s is not complete", subject);
		return err_hint(err, "`aethermart privacy erase` goes on with it");
	}
	r = erase_certificate_is_of(rec.certificate ? rec.certificate : "", subject, rec.id, err);
	if (r < 0)
		return err_context(err, "the stored certificate of %.60s", subject);
	*ret = TAKE_PTR(rec.certificate);
	return 0;
}
