/*
 * The first half of an erasure, one transaction: the rows, the keys by which they would come back,
 * the record and the audit, all or none.
 *
 * It begins with a lock on the subject's row. What was planned before is compared with what stands
 * there now, so that an address that was changed in between is searched for, too; and of two who
 * erase the same person, the second waits and finds the record of the first. The same transaction
 * looks at somebody who is erased already: the shop's procedure is called again, and answers with
 * rows when something of theirs came meanwhile.
 */
#include "govern/erase_int.h"

#include "govern/audit_int.h"
#include "govern/govern_sql_int.h"
#include "govern/privacy.h"
#include "shop/load.h"

#include <inttypes.h>
#include <sodium.h>

#include "base/banned.h"

#define MARK_PERSON "\1" /* before what a fingerprint is of: see src/shop/load_sql.c */

/* --- the shop's procedure -------------------------------------------------------------------- */

/* "text" as it is, when the shop's procedure says why it will not. */
static int explain(const struct eraser *e, struct err *err)
{
	const struct maria_refusal *refusal = maria_refusal(e->m);

	return refusal ? err_set(err, ERR_CONFLICT, "%s", refusal->text)
		       : err_context(err, "erasing by %s", e->a->subject_erase);
}

/* Its answer becomes receipts: table, what became of it, rows. */
static int call_procedure(const struct eraser *e, const char *subject, json_t *receipts,
			  uint64_t *ret_rows, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(1024);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	*ret_rows = 0;
	strbuf_addstr(&sql, "CALL ");
	maria_add_identifier(&sql, e->a->subject_erase);
	strbuf_addstr(&sql, "(?)");
	r = maria_query(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &rows, err);
	if (r < 0)
		return explain(e, err);
	while ((r = maria_rows_next(rows, err)) > 0) {
		*ret_rows += maria_rows_uint(rows, 2);
		json_array_append_new(receipts,
				      json_pack("{s:s,s:s,s:s,s:I}", "store", "MariaDB", "where",
						maria_rows_str(rows, 0).data, "what",
						maria_rows_str(rows, 1).data, "rows",
						(json_int_t)maria_rows_int(rows, 2)));
	}
	return r < 0 ? explain(e, err) : 0;
}

/* --- keys by which they would come back ------------------------------------------------------ */

static int add_key(const struct eraser *e, struct str mark, struct str text, uint64_t id,
		   struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf marked = STRBUF_INIT(0);
	char fingerprint[65];

	strbuf_add(&marked, mark.data, mark.len);
	strbuf_add(&marked, text.data, text.len);
	erase_fingerprint(e->key, strbuf_slice(&marked), fingerprint);

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

/* However short it is. The server says what its collation compares: the value stays there. */
static int add_key_of(const struct eraser *e, const struct schema_table *t, const char *column,
		      const char *subject, uint64_t id, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(ERASE_STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(strbuf_done) struct strbuf weights = STRBUF_INIT(0);
	int r;

	strbuf_addstr(&sql, "SELECT WEIGHT_STRING(RTRIM(CONVERT(");
	maria_add_identifier(&sql, column);
	strbuf_addstr(&sql, " USING utf8mb4)) COLLATE utf8mb4_unicode_ci) FROM ");
	maria_add_identifier(&sql, t->name);
	strbuf_addstr(&sql, " WHERE ");
	maria_add_identifier(&sql, e->a->subject_key);
	strbuf_addstr(&sql, " = ?");
	r = maria_query(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &rows, err);
	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r <= 0 || !maria_rows_str(rows, 0).len)
		return r < 0 ? r : 0;
	strbuf_add(&weights, maria_rows_str(rows, 0).data, maria_rows_str(rows, 0).len);
	rows = maria_rows_close(rows);
	return add_key(e, str_from(MARK_PERSON), strbuf_slice(&weights), id, err);
}

struct other_key {
	char mark[2];
	struct str weights;
};

/* Keys of the shop's own feeds: of duplicates, which `load` took for them, and of orders. */
static int add_other_keys(const struct eraser *e, const char *subject, uint64_t id, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject), MARIA_S(subject), MARIA_S(subject)};
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) struct other_key *keys = NULL;
	size_t n = 0, cap = 0;
	int r;

	if (!cstr_equal(e->a->subject_table, load_entity_table(LOAD_CUSTOMERS)))
		return 0;
	r = maria_query(e->m, govern_sql_erase_keys, params, ARRAY_LEN(params), &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		mem_grow(&keys, &cap, n + 1, sizeof(*keys));
		keys[n] = (struct other_key){.mark = {(char)maria_rows_int(rows, 0)}};
		keys[n++].weights = arena_str(&arena, maria_rows_str(rows, 1));
	}
	rows = maria_rows_close(rows);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_key(e, str_from(keys[i].mark), keys[i].weights, id, err);
	return r;
}

static int add_keys(const struct eraser *e, const char *subject, uint64_t id, struct err *err)
{
	const struct schema_table *t = schema_find_table(e->schema, e->a->subject_table);
	int r = 0;

	for (size_t i = 0; i < t->n_columns && r == 0; i++)
		if (is_key(e, t, &t->columns[i]))
			r = add_key_of(e, t, t->columns[i].name, subject, id, err);
	return r < 0 ? r : add_other_keys(e, subject, id, err);
}

/* --- the record ------------------------------------------------------------------------------ */

/* What is sealed opens for its erasure alone, not from the record of somebody else. */
static void sealing_key(const struct eraser *e, uint64_t id, const char *subject,
			unsigned char ret[ERASE_KEY_SIZE])
{
	_cleanup_(mem_freep) char *text = mem_printf("erasure %" PRIu64 " of %s", id, subject);
	char hex[65];

	erase_fingerprint(e->key, str_from(text), hex);
	crypto_generichash(ret, ERASE_KEY_SIZE, (const unsigned char *)hex, strlen(hex), NULL, 0);
	sodium_memzero(hex, sizeof(hex));
}

int erase_record_unseal(const struct eraser *e, const struct record *rec, struct erase_sought *ret,
			struct err *err)
{
	unsigned char key[ERASE_KEY_SIZE];
	int r;

	sealing_key(e, rec->id, rec->subject, key);
	/* One that was begun before records had the mark of a key is sealed with the key itself. */
	r = erase_sought_unseal(strbuf_slice(&rec->sought), rec->is_marked ? key : e->key, ret,
				err);
	/* `load` may have marked it since. */
	if (r == -ERR_CORRUPTED && rec->is_marked) {
		err_clear(err);
		r = erase_sought_unseal(strbuf_slice(&rec->sought), e->key, ret, err);
	}
	sodium_memzero(key, sizeof(key));
	return r;
}

static int store(const struct eraser *e, const struct record *rec, const struct erase_sought *s,
		 json_t *receipts, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sealed = STRBUF_INIT(0);
	_cleanup_(mem_freep) char *text = json_dumps(receipts, JSON_COMPACT);
	unsigned char key[ERASE_KEY_SIZE];
	char mark[65];
	int r;

	sealing_key(e, rec->id, rec->subject, key);
	erase_sought_seal(s, key, &sealed);
	sodium_memzero(key, sizeof(key));
	erase_fingerprint(e->key, str_from(""), mark);

	const struct maria_value params[] = {MARIA_S(text), MARIA_B(strbuf_slice(&sealed)),
					     MARIA_S(mark), MARIA_U(rec->id)};

	r = strbuf_check(&sealed, "what is searched for", err);
	return r < 0 ? r
		     : maria_run(e->m, govern_sql_erase_receipts, params, ARRAY_LEN(params), NULL,
				 err);
}

int erase_write_audit(const struct eraser *e, const struct record *rec, const char *outcome,
		      struct err *err)
{
	_cleanup_(mem_freep) char *object = mem_printf("erasure %" PRIu64, rec->id);
	bool is_done = cstr_equal(outcome, "done") || cstr_equal(outcome, "left");

	/* Whose it is is forgotten with the details; the certificate says it, and the purpose. */
	return audit_append_here(e->m,
				 &(struct audit_event){.actor = e->actor,
						       .action = "privacy.erase",
						       .object = object,
						       .purpose = is_done ? NULL : e->purpose,
						       .rows = 1,
						       .outcome = outcome,
						       .subject = is_done ? NULL : rec->subject},
				 err);
}

static int begin_record(const struct eraser *e, const char *subject, struct record *ret,
			struct err *err)
{
	char mark[65];

	erase_fingerprint(e->key, str_from(""), mark);

	const struct maria_value params[] = {MARIA_S(subject), MARIA_S(e->actor),
					     MARIA_S(e->purpose ? e->purpose : ""), MARIA_S(mark)};
	int r = maria_run(e->m, govern_sql_erase_begin, params, ARRAY_LEN(params), NULL, err);

	return r < 0 ? r : erase_record_read(e->m, subject, ret, err);
}

/* --- the transaction ------------------------------------------------------------------------- */

int erase_lock_subject(const struct eraser *e, const char *subject, struct err *err)
{
	const struct maria_value params[] = {MARIA_S(subject)};
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(1024);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	strbuf_addstr(&sql, "SELECT 1 FROM ");
	maria_add_identifier(&sql, e->a->subject_table);
	strbuf_addstr(&sql, " WHERE ");
	maria_add_identifier(&sql, e->a->subject_key);
	strbuf_addstr(&sql, " = ? FOR UPDATE");
	r = maria_query(e->m, strbuf_str(&sql), params, ARRAY_LEN(params), &rows, err);
	return r < 0 ? r : maria_rows_next(rows, err);
}

/* ERR_RETRY: what stands there now has texts that were not planned. */
static int check_planned(const struct eraser *e, const char *subject, const struct erase_sought *s,
			 struct err *err)
{
	_cleanup_(erase_sought_done) struct erase_sought now = {0};
	int r = erase_sought_read(e, subject, &now, err);

	for (size_t i = 0; i < now.n && r == 0; i++) {
		bool is_planned = false;

		for (size_t j = 0; j < s->n && !is_planned; j++)
			is_planned = str_equal(now.texts[i].text, s->texts[j].text);
		if (!is_planned)
			r = err_set(err, ERR_RETRY, "their data changed meanwhile");
	}
	return r;
}

/* What was done and searched for before stays. */
static int join(const struct eraser *e, const struct record *rec, struct erase_sought *s,
		json_t *receipts, struct err *err)
{
	json_t *before;

	if (rec->is_done)
		return 0;
	before = json_loads(rec->receipts, 0, NULL);
	if (!before)
		return err_set(err, ERR_CORRUPTED,
			       "the receipts of erasure %" PRIu64 " are damaged", rec->id);
	json_array_extend(before, receipts);
	json_array_clear(receipts);
	json_array_extend(receipts, before);
	json_decref(before);
	return rec->sought.len ? erase_record_unseal(e, rec, s, err) : 0;
}

static int erase_locked(const struct eraser *e, const char *subject, struct erase_sought *s,
			json_t *receipts, struct err *err)
{
	_cleanup_(erase_record_done) struct record rec = {0};
	bool is_new;
	uint64_t n = 0;
	int r = erase_lock_subject(e, subject, err);

	if (r >= 0)
		r = erase_record_read(e->m, subject, &rec, err);
	if (r >= 0)
		r = check_planned(e, subject, s, err);
	is_new = !rec.id;
	if (r == 0 && is_new)
		r = begin_record(e, subject, &rec, err);
	if (r == 0)
		r = add_keys(e, subject, rec.id, err);
	if (r == 0)
		r = call_procedure(e, subject, receipts, &n, err);
	if (r < 0 || (!is_new && !n && !(rec.is_done && erase_has_documents(e, subject, receipts))))
		return r;
	r = join(e, &rec, s, receipts, err);
	if (r == 0)
		r = store(e, &rec, s, receipts, err);
	return r < 0 ? r : erase_write_audit(e, &rec, is_new ? "begun" : "again", err);
}

int erase_rows(const struct eraser *e, const char *subject, struct erase_sought *s, struct err *err)
{
	json_t *receipts = json_array();
	int r = maria_exec(e->m, "START TRANSACTION", err);

	if (r == 0)
		r = erase_locked(e, subject, s, receipts, err);
	json_decref(receipts);
	return maria_finish(e->m, r, err);
}

int erase_check_rows(const struct eraser *e, const char *subject, struct err *err)
{
	json_t *receipts = json_array();
	uint64_t n = 0;
	int r = erase_lock_subject(e, subject, err);

	if (r > 0)
		r = call_procedure(e, subject, receipts, &n, err);
	json_decref(receipts);
	if (r < 0 || !n)
		return r;
	(void)err_set(err, ERR_RETRY, "something new of theirs came while they were erased");
	return err_hint(err, "call this again");
}

/* --- their documents ------------------------------------------------------------------------- */

static void add_is(bson_t *any, const char *index, const char *field, const char *subject)
{
	bson_t one, in, list;
	struct err unused = {0};
	int64_t number = 0;

	bson_append_document_begin(any, index, -1, &one);
	bson_append_document_begin(&one, field, -1, &in);
	bson_append_array_begin(&in, "$in", -1, &list);
	bson_append_utf8(&list, "0", -1, subject, -1);
	if (parse_int64(str_from(subject), INT64_MIN, INT64_MAX, &number, &unused) == 0)
		bson_append_int64(&list, "1", -1, number);
	bson_append_array_end(&in, &list);
	bson_append_document_end(&one, &in);
	bson_append_document_end(any, &one);
}

/* Of those whose rows stay without a name the documents stay, too. An error is none: what is proved
 * already is not thrown away for it. */
static bool has_some(const struct eraser *e, const struct mapping *m, const char *subject,
		     bool is_kept)
{
	const char *field = privacy_owner_field(e->a, m);
	bool is_root = cstr_equal(mapping_root_table(m), e->a->subject_table);
	mongoc_client_t *client;
	mongoc_collection_t *c;
	bson_error_t error;
	bson_t filter = BSON_INITIALIZER, any;
	int64_t n;

	if (!mapping_has_target(m) || (!is_root && (!field || is_kept)))
		return false;
	bson_append_array_begin(&filter, "$or", -1, &any);
	add_is(&any, "0", field ? field : "_id", subject);
	if (is_root)
		add_is(&any, "1", "_id", subject);
	bson_append_array_end(&filter, &any);
	client = mongo_pop(e->mongo);
	c = mongoc_client_get_collection(client, mongo_database(e->mongo), mapping_collection(m));
	n = mongoc_collection_count_documents(c, &filter, NULL, NULL, NULL, &error);
	mongoc_collection_destroy(c);
	mongo_push(e->mongo, client);
	bson_destroy(&filter);
	return n > 0;
}

bool erase_has_documents(const struct eraser *e, const char *subject, const json_t *receipts)
{
	const struct erase_search kept = {.receipts = receipts};

	for (size_t i = 0; i < e->mappings->len; i++) {
		const struct mapping *m = e->mappings->items[i];

		if (has_some(e, m, subject, erase_is_kept(&kept, mapping_root_table(m))))
			return true;
	}
	return false;
}
