/*
 * The schema's migrations: see schema.h.
 *
 * A row of schema_migrations goes through: inserted with statements_done = 0; for each statement
 * statement_begun = n, the statement, statements_done = n and statement_begun = NULL (one UPDATE);
 * finished_at when all are done. An error that the server reports clears statement_begun, because
 * then the statement did not happen; a lost connection leaves it, because then nobody knows.
 */
#include "shop/schema.h"

#include "base/map.h"
#include "shop/schema_int.h"

#include <sodium.h>
#include <stdio.h>
#include <strings.h>

#include "base/banned.h"

/* Seconds that a second process waits for the first: longer than any statement here takes on an
 * ordinary shop, short enough for a person to wait. */
#define LOCK_WAIT_S 60

/* Server errors of a repeated statement that had happened: database, table, column, key, routine,
 * trigger, event, foreign key or view exists; what it drops is gone. */
static const int happened[] = {1007, 1050, 1060, 1061, 1304, 1359, 1537, 1826, 1051, 1091, 1360};

const struct shop_schema shop_schema = {.files = shop_schema_files, .folder = "sql"};

/* What the database says of one file. */
struct record {
	struct shop_schema_item *item;
	const char *checksum;
	uint64_t begun; /* 0: none */
};

int shop_schema_number(const char *name, unsigned *ret, struct err *err)
{
	const char *dash = strchr(name, '-');
	uint64_t n;

	if (!dash || parse_uint64((struct str){name, (size_t)(dash - name)}, 99999, &n, NULL) < 0)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "migration \"%s\" has no number before its name", name);
	*ret = (unsigned)n;
	return 0;
}

void shop_schema_checksum(const char *text, char ret[SHOP_SCHEMA_CHECKSUM_SIZE])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
	(void)sodium_bin2hex(ret, SHOP_SCHEMA_CHECKSUM_SIZE, hash, sizeof(hash));
}

static int count_one(void *arg, struct str statement, size_t line, struct err *err)
{
	(void)statement;
	(void)line;
	(void)err;
	(*(uint64_t *)arg)++;
	return 0;
}

uint64_t shop_schema_count(const char *text)
{
	uint64_t n = 0;

	if (maria_script_split(text, count_one, &n, NULL) < 0)
		bug_at(__FILE__, __LINE__, "counting fails");
	return n;
}

bool shop_schema_is_ddl(struct str statement)
{
	static const char *const words[] = {"INSERT ", "UPDATE ", "DELETE ", "REPLACE "};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (statement.len > strlen(words[i]) &&
		    strncasecmp(statement.data, words[i], strlen(words[i])) == 0)
			return false;
	}
	return true;
}

bool shop_schema_happened(int native)
{
	for (size_t i = 0; i < ARRAY_LEN(happened); i++) {
		if (happened[i] == native)
			return true;
	}
	return false;
}

const char *shop_schema_state_name(enum shop_schema_state state)
{
	static const char *const names[] = {
	    [SHOP_SCHEMA_PENDING] = "pending", [SHOP_SCHEMA_PARTIAL] = "partial",
	    [SHOP_SCHEMA_APPLIED] = "applied", [SHOP_SCHEMA_CHANGED] = "changed",
	    [SHOP_SCHEMA_UNKNOWN] = "unknown",
	};

	return names[state];
}

void shop_schema_report_done(struct shop_schema_report *report)
{
	arena_done(&report->arena);
	mem_free(report->items);
	*report = (struct shop_schema_report){0};
}

/* --- what is there ---------------------------------------------------------------------------- */

/* Everything that one look or one run needs. */
struct schema_run {
	struct maria *m;
	const struct shop_schema *schema;
	size_t n_files;
	struct shop_schema_report *report;
	struct record *records; /* one an item: first the files in order, then unknown ones */
	size_t n_records;
	struct map made; /* names of what was made here, which a later file may replace */
};

static void schema_run_done(struct schema_run *run)
{
	mem_free(run->records);
	run->records = NULL;
	map_done(&run->made);
}

static int add_files(struct schema_run *run, struct err *err)
{
	size_t n = 0;

	while (run->schema->files[n].name)
		n++;
	run->n_files = n;
	run->report->items = mem_alloc_array(n ? n : 1, sizeof(*run->report->items));
	run->records = mem_alloc_array(n ? n : 1, sizeof(*run->records));
	run->report->n_items = run->n_records = n;
	for (size_t i = 0; i < n; i++) {
		struct shop_schema_item *item = &run->report->items[i];

		if (shop_schema_number(run->schema->files[i].name, &item->number, err) < 0)
			return -ERR_INVALID_ARGUMENT;
		item->name = run->schema->files[i].name;
		item->statements = shop_schema_count(run->schema->files[i].text);
		run->records[i].item = item;
	}
	return 0;
}

static struct record *find_record(struct schema_run *run, struct str name)
{
	for (size_t i = 0; i < run->n_records; i++) {
		if (str_equal(str_from(run->records[i].item->name), name))
			return &run->records[i];
	}
	return NULL;
}

static struct record *add_unknown(struct schema_run *run, struct str name)
{
	size_t n = run->n_records + 1;
	struct shop_schema_report *report = run->report;

	report->items = mem_realloc_array(report->items, n, sizeof(*report->items));
	run->records = mem_realloc_array(run->records, n, sizeof(*run->records));
	report->items[n - 1] = (struct shop_schema_item){
	    .name = arena_strndup(&report->arena, name.data, name.len),
	    .state = SHOP_SCHEMA_UNKNOWN,
	};
	run->records[n - 1] = (struct record){0};
	report->n_items = run->n_records = n;
	for (size_t i = 0; i < n; i++)
		run->records[i].item = &report->items[i];
	return &run->records[n - 1];
}

static const char *keep(struct schema_run *run, struct str s)
{
	return s.data ? arena_strndup(&run->report->arena, s.data, s.len) : NULL;
}

static void take_row(struct schema_run *run, const struct maria_rows *rows)
{
	struct record *rec = find_record(run, maria_rows_str(rows, 1));
	struct shop_schema_item *item;

	if (!rec)
		rec = add_unknown(run, maria_rows_str(rows, 1));
	item = rec->item;
	item->number = (unsigned)maria_rows_uint(rows, 0);
	rec->checksum = keep(run, maria_rows_str(rows, 2));
	item->done = maria_rows_uint(rows, 3);
	rec->begun = maria_rows_uint(rows, 4);
	item->started_at = keep(run, maria_rows_str(rows, 5));
	item->finished_at = keep(run, maria_rows_str(rows, 6));
	if (item->state == SHOP_SCHEMA_UNKNOWN)
		item->statements = item->done;
	else
		item->state = item->finished_at ? SHOP_SCHEMA_APPLIED : SHOP_SCHEMA_PARTIAL;
}

/* Whether the table schema_migrations is there and is the one that this program makes: other
 * programs have one of that name too. */
static int has_own_record(struct maria *m, bool *ret, struct err *err)
{
	int64_t is_own = 0;
	bool has_table = false;
	int r = maria_has_table(m, "schema_migrations", &has_table, err);

	if (r == 0 && has_table)
		r = maria_query_int(m, shop_sql_schema_is_own, NULL, 0, &is_own, err);
	if (r < 0)
		return r;
	*ret = is_own == 1;
	if (!has_table || is_own)
		return 0;
	(void)err_set(
	    err, ERR_CONFLICT,
	    "the table \"schema_migrations\" of this database was not made by aethermart: "
	    "another program keeps its own migrations in it");
	return err_hint(err, "name a database of its own in mariadb.database");
}

static int read_rows(struct schema_run *run, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	bool is_there = false;
	int r = has_own_record(run->m, &is_there, err);

	if (r < 0 || !is_there)
		return r;
	r = maria_query(run->m, shop_sql_schema_list, NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		take_row(run, rows);
	return r;
}

/* Fills the report and the records from files and database. */
static int look(struct schema_run *run, struct err *err)
{
	char checksum[SHOP_SCHEMA_CHECKSUM_SIZE];

	if (add_files(run, err) < 0 || read_rows(run, err) < 0)
		return err_context(err, "reading which migrations were applied");
	for (size_t i = 0; i < run->n_files; i++) {
		struct record *rec = &run->records[i];

		shop_schema_checksum(run->schema->files[i].text, checksum);
		if (rec->checksum && !cstr_equal(rec->checksum, checksum))
			rec->item->state = SHOP_SCHEMA_CHANGED;
		if (rec->item->state == SHOP_SCHEMA_PENDING ||
		    rec->item->state == SHOP_SCHEMA_PARTIAL)
			run->report->n_pending++;
	}
	return 0;
}

static int check_known(const struct schema_run *run, struct err *err)
{
	for (size_t i = 0; i < run->n_records; i++) {
		const struct shop_schema_item *item = run->records[i].item;

		if (item->state != SHOP_SCHEMA_UNKNOWN)
			continue;
		(void)err_set(err, ERR_UNSUPPORTED,
			      "the database has migration \"%s\", which this program does not know",
			      item->name);
		return err_hint(err, "a newer version made this database: use that one");
	}
	return 0;
}

static int check_unchanged(const struct schema_run *run, struct err *err)
{
	for (size_t i = 0; i < run->n_records; i++) {
		const struct shop_schema_item *item = run->records[i].item;

		if (item->state != SHOP_SCHEMA_CHANGED)
			continue;
		(void)err_set(err, ERR_CONFLICT,
			      "migration \"%s\" is not what was applied here: the file was changed "
			      "afterwards",
			      item->name);
		return err_hint(err,
				"restore %s/%s as it was and put the change into a new file with "
				"a higher number; or, when the data may go, rebuild the database "
				"with \"aethermart reset\"",
				run->schema->folder, item->name);
	}
	return 0;
}

/* --- applying --------------------------------------------------------------------------------- */

struct file_run {
	struct schema_run *run;
	struct record *record;
	uint64_t at; /* number of the statement, from 1 */
};

static int record_step(const struct file_run *f, const char *sql, struct err *err)
{
	return maria_run(f->run->m, sql, MARIA_ARGS(MARIA_U(f->at), MARIA_S(f->record->item->name)),
			 NULL, err);
}

/* The statement did not happen: takes its mark away. The connection may be gone by now. */
static void clear_begun(const struct file_run *f)
{
	struct err ignored = {0};

	if (maria_is_lost(f->run->m))
		return;
	if (maria_run(f->run->m, shop_sql_schema_begin,
		      MARIA_ARGS(MARIA_N, MARIA_S(f->record->item->name)), NULL, &ignored) < 0)
		err_clear(&ignored);
}

static int run_ddl(const struct file_run *f, const char *sql, struct err *err)
{
	bool is_repeat = f->record->begun == f->at;
	int r = record_step(f, shop_sql_schema_begin, err);

	if (r < 0)
		return r;
	r = maria_exec(f->run->m, sql, err);
	if (r < 0 && is_repeat && shop_schema_happened(err->native)) {
		err_clear(err);
		r = 0;
	}
	if (r < 0) {
		clear_begun(f);
		return r;
	}
	return record_step(f, shop_sql_schema_done, err);
}

static int run_dml(const struct file_run *f, const char *sql, struct err *err)
{
	struct maria *m = f->run->m;
	struct err ignored = {0};

	if (maria_exec(m, "START TRANSACTION", err) < 0)
		return -(int)err->code;
	if (maria_exec(m, sql, err) < 0 || record_step(f, shop_sql_schema_done, err) < 0 ||
	    maria_exec(m, "COMMIT", err) < 0) {
		if (!maria_is_lost(m) && maria_exec(m, "ROLLBACK", &ignored) < 0)
			err_clear(&ignored);
		return -(int)err->code;
	}
	return 0;
}

/* The files name the shop's database as it mostly is. */
static char *name_shop(const struct shop_schema *s, struct str statement)
{
	static const char usual[] = "aethermart_db.";
	_cleanup_(mem_freep) char *text = mem_strndup(statement.data, statement.len);
	struct strbuf b = STRBUF_INIT(0);
	const char *rest = text, *at;

	while (s->shop && (at = strstr(rest, usual))) {
		strbuf_add(&b, rest, (size_t)(at - rest));
		MARIA_ADD(&b, "#.", s->shop);
		rest = at + sizeof(usual) - 1;
	}
	strbuf_addstr(&b, rest);
	return strbuf_take(&b);
}

static int run_statement(void *arg, struct str statement, size_t line, struct err *err)
{
	struct file_run *f = arg;
	_cleanup_(mem_freep) char *sql = NULL;
	int r;

	f->at++;
	if (f->at <= f->record->item->done)
		return 0;
	sql = name_shop(f->run->schema, statement);
	r = shop_schema_is_ddl(statement) ? run_ddl(f, sql, err) : run_dml(f, sql, err);
	if (r < 0) {
		if (shop_schema_happened(err->native)) {
			err->code = ERR_CONFLICT;
			(void)err_hint(err, "the database holds something of that name that this "
					    "schema did not make: give it another name, or use an "
					    "empty database");
		}
		return err_context(err, "%s:%zu", f->record->item->name, line);
	}
	f->run->report->n_statements++;
	return 0;
}

static int apply_file(struct schema_run *run, size_t i, struct err *err)
{
	struct file_run f = {.run = run, .record = &run->records[i]};
	struct shop_schema_item *item = f.record->item;
	bool is_resumed = item->state == SHOP_SCHEMA_PARTIAL;
	char checksum[SHOP_SCHEMA_CHECKSUM_SIZE];
	const struct maria_value name = MARIA_S(item->name);
	int r;

	if (!is_resumed) {
		shop_schema_checksum(run->schema->files[i].text, checksum);
		r = maria_run(run->m, shop_sql_schema_add,
			      MARIA_ARGS(MARIA_U(item->number), name, MARIA_S(checksum)), NULL,
			      err);
		if (r < 0)
			return err_context(err, "recording migration \"%s\"", item->name);
	}
	r = maria_script_split(run->schema->files[i].text, run_statement, &f, err);
	if (r < 0)
		return r;
	r = maria_run(run->m, shop_sql_schema_finish, &name, 1, NULL, err);
	if (r < 0)
		return err_context(err, "recording migration \"%s\"", item->name);
	run->report->n_applied++;
	run->report->n_resumed += is_resumed;
	return 0;
}

/* What the record says was made here, or may have been. */
static int note_made(void *arg, struct str statement, size_t line, struct err *err)
{
	struct file_run *f = arg;
	const char *kind = "";
	struct str created = shop_schema_created(statement, &kind);

	(void)line;
	(void)err;
	f->at++;
	if (!created.len || (f->at > f->record->item->done && f->at != f->record->begun))
		return 0;
	created.data = arena_strndup(&f->run->report->arena, created.data, created.len);
	*map_put(&f->run->made, created) = f->run;
	return 0;
}

/* A statement that is still to run must not find its table: then that one is somebody else's. One
 * that was cut off may have happened. */
static int check_free(void *arg, struct str statement, size_t line, struct err *err)
{
	struct file_run *f = arg;
	bool is_there = false;
	const char *kind = "";
	struct str created = shop_schema_created(statement, &kind);
	_cleanup_(mem_freep) char *name = mem_strndup(created.data, created.len);
	int r;

	f->at++;
	if (!created.len || f->at <= f->record->item->done || f->at == f->record->begun ||
	    map_get(&f->run->made, created))
		return 0;
	if (!cstr_equal(kind, "TABLE") && !cstr_equal(kind, "VIEW"))
		return 0; /* CREATE without OR REPLACE tells */
	r = maria_has_table(f->run->m, name, &is_there, err);
	if (r < 0 || !is_there)
		return r;
	(void)err_set(err, ERR_CONFLICT,
		      "%s:%zu: the database has a table \"%s\" already, which this schema did not "
		      "make",
		      f->record->item->name, line, name);
	return err_hint(err, "nothing was changed: rename that table, or name a database of its "
			     "own in mariadb.database");
}

/* Before the first statement, so that a database that does not suit stays as it is. */
static int check_all_free(struct schema_run *run, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < run->n_files; i++) {
		struct file_run f = {.run = run, .record = &run->records[i]};

		r = maria_script_split(run->schema->files[i].text, note_made, &f, err);
	}
	for (size_t i = 0; r >= 0 && i < run->n_files; i++) {
		struct file_run f = {.run = run, .record = &run->records[i]};

		if (f.record->item->state != SHOP_SCHEMA_APPLIED)
			r = maria_script_split(run->schema->files[i].text, check_free, &f, err);
	}
	return r;
}

static int apply_pending(struct schema_run *run, struct err *err)
{
	int r = look(run, err);

	if (r >= 0)
		r = check_known(run, err);
	if (r >= 0)
		r = check_unchanged(run, err);
	if (r >= 0)
		r = check_all_free(run, err);
	if (r < 0)
		return r;
	r = maria_exec(run->m, shop_sql_schema_table, err);
	if (r < 0)
		return err_context(err, "making schema_migrations");
	for (size_t i = 0; r >= 0 && i < run->n_files; i++) {
		if (run->records[i].item->state != SHOP_SCHEMA_APPLIED)
			r = apply_file(run, i, err);
	}
	return r;
}

/* The lock's name holds the database: locks are the server's, their names at most 64 bytes. */
static int lock_name(struct maria *m, char ret[static 64], struct err *err)
{
	_cleanup_(mem_freep) char *database = NULL;
	int r = maria_database(m, &database, err);

	if (r < 0)
		return r;
	if (!database)
		return err_set(err, ERR_INVALID_ARGUMENT, "no database is selected");
	(void)snprintf(ret, 64, "aethermart.schema.%016llx",
		       (unsigned long long)map_hash(str_from(database)));
	return 0;
}

static int lock(struct maria *m, const char *name, struct err *err)
{
	int64_t is_mine;
	int r = maria_query_int(m, shop_sql_schema_lock,
				MARIA_ARGS(MARIA_S(name), MARIA_I(LOCK_WAIT_S)), &is_mine, err);

	if (r < 0)
		return err_context(err, "waiting for another migration");
	if (is_mine != 1) {
		(void)err_set(err, ERR_TIMEOUT,
			      "another process has been changing this schema for more than %d s",
			      LOCK_WAIT_S);
		return err_hint(err, "wait for it; SHOW PROCESSLIST shows what it does");
	}
	return 0;
}

static void unlock(struct maria *m, const char *name)
{
	const struct maria_value param = MARIA_S(name);
	struct err ignored = {0};
	int64_t released;

	if (!maria_is_lost(m) &&
	    maria_query_int(m, shop_sql_schema_unlock, &param, 1, &released, &ignored) < 0)
		err_clear(&ignored);
}

int shop_schema_apply(struct maria *m, const struct shop_schema *s, struct shop_schema_report *ret,
		      struct err *err)
{
	_cleanup_(schema_run_done) struct schema_run run = {.m = m, .schema = s, .report = ret};
	char name[64];
	int r;

	*ret = (struct shop_schema_report){0};
	r = lock_name(m, name, err);
	if (r >= 0)
		r = lock(m, name, err);
	if (r < 0)
		return r;
	r = apply_pending(&run, err);
	unlock(m, name);
	return r < 0 ? err_context(err, "applying the schema") : 0;
}

int shop_schema_pending(struct maria *m, const struct shop_schema *s,
			struct shop_schema_report *ret, struct err *err)
{
	_cleanup_(schema_run_done) struct schema_run run = {.m = m, .schema = s, .report = ret};

	*ret = (struct shop_schema_report){0};
	return look(&run, err);
}

int shop_schema_check(struct maria *m, const struct shop_schema *s, struct err *err)
{
	_cleanup_(shop_schema_report_done) struct shop_schema_report report = {0};
	_cleanup_(schema_run_done) struct schema_run run = {.m = m, .schema = s, .report = &report};
	int r = look(&run, err);

	return r < 0 ? r : check_known(&run, err);
}

/* --- dropping --------------------------------------------------------------------------------- */

struct str shop_schema_created(struct str statement, const char **ret_kind)
{
	static const struct {
		const char *begin, *kind;
	} kinds[] = {
	    {"CREATE OR REPLACE VIEW ", "VIEW"},	   {"CREATE VIEW ", "VIEW"},
	    {"CREATE TABLE IF NOT EXISTS ", "TABLE"},	   {"CREATE TABLE ", "TABLE"},
	    {"CREATE OR REPLACE PROCEDURE ", "PROCEDURE"}, {"CREATE PROCEDURE ", "PROCEDURE"},
	    {"CREATE OR REPLACE FUNCTION ", "FUNCTION"},   {"CREATE FUNCTION ", "FUNCTION"},
	    {"CREATE OR REPLACE EVENT ", "EVENT"},	   {"CREATE EVENT ", "EVENT"}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i].begin), end;

		if (statement.len <= n || strncasecmp(statement.data, kinds[i].begin, n) != 0)
			continue;
		n += statement.data[n] == '`';
		for (end = n; end < statement.len && !strchr("` (\n\t", statement.data[end]); end++)
			;
		*ret_kind = kinds[i].kind;
		return (struct str){statement.data + n, end - n};
	}
	return (struct str){0};
}

static int drop_one(struct maria *m, const char *kind, const char *name, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(0);

	strbuf_addf(&sql, "DROP %s IF EXISTS ", kind);
	maria_add_identifier(&sql, name);
	return maria_exec(m, strbuf_str(&sql), err);
}

/* What the record says that we made. A statement that was cut off counts: its table was not there
 * before (check_free()). */
static int drop_created(void *arg, struct str statement, size_t line, struct err *err)
{
	struct file_run *f = arg;
	const char *kind = "";
	struct str created = shop_schema_created(statement, &kind);
	_cleanup_(mem_freep) char *name = mem_strndup(created.data, created.len);

	(void)line;
	f->at++;
	if (!created.len || (f->at > f->record->item->done && f->at != f->record->begun))
		return 0;
	return drop_one(f->run->m, kind, name, err);
}

static int drop_recorded(struct schema_run *run, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->n_records; i++) {
		struct file_run f = {.run = run, .record = &run->records[i]};

		if (f.record->item->state != SHOP_SCHEMA_PENDING)
			r = maria_script_split(run->schema->files[i].text, drop_created, &f, err);
	}
	return r;
}

static int drop_all(struct schema_run *run, struct err *err)
{
	int r = look(run, err);

	if (r == 0) /* of what a newer program made, the record is all that tells */
		r = check_known(run, err);
	if (r == 0)
		r = maria_exec(run->m, "SET SESSION foreign_key_checks = 0", err);
	if (r == 0)
		r = drop_recorded(run, err);
	return r < 0 ? r : drop_one(run->m, "TABLE", "schema_migrations", err);
}

int shop_schema_drop(struct maria *m, const struct shop_schema *s, struct err *err)
{
	_cleanup_(shop_schema_report_done) struct shop_schema_report report = {0};
	_cleanup_(schema_run_done) struct schema_run run = {.m = m, .schema = s, .report = &report};
	struct err why = {0};
	char name[64];
	bool is_own = false;
	int r = lock_name(m, name, err);

	if (r >= 0)
		r = lock(m, name, err);
	if (r < 0)
		return r;
	r = has_own_record(m, &is_own, &why);
	if (r == 0 && is_own)
		r = drop_all(&run, &why);
	else if (r == -ERR_CONFLICT) /* another program's: we made nothing here */
		r = 0;
	unlock(m, name);
	if (r == 0)
		return 0;
	if (err)
		*err = why;
	return err_context(err, "dropping the schema");
}
