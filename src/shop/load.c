/*
 * A load from its beginning to its end: look at the files, take the lock, clear what an earlier
 * load left, stage, merge, report. The lock is GET_LOCK: it goes with the connection, so a killed
 * load leaves none; it guards the staging tables only and nothing that has to be exact between
 * nodes (the shop's rows are guarded by their keys).
 */
#include "shop/load.h"

#include "base/clock.h"
#include "base/file.h"
#include "shop/load_int.h"

#include <inttypes.h>

#include "base/banned.h"

/* A server notices at the end of a statement that its client was killed: seconds for a chunk. */
#define LOCK_WAIT_S 20

static void load_done(struct load *l)
{
	load_files_done(&l->files);
	load_names_done(&l->names);
	load_row_done(&l->row);
	l->categorizer = categorizer_free(l->categorizer);
	strbuf_done(&l->rows);
	strbuf_done(&l->findings);
}

static bool has_json(const struct load *l)
{
	for (size_t i = 0; i < l->files.n; i++) {
		if (l->files.files[i].is_json)
			return true;
	}
	return false;
}

static int load_init(struct load *l, struct err *err)
{
	const char *dir = l->options->rules_dir;
	char now[CLOCK_TEXT_SIZE];
	int r = load_files_find(l->options, &l->files, err);

	l->rows = (struct strbuf)STRBUF_INIT(0);
	l->findings = (struct strbuf)STRBUF_INIT(0);
	(void)clock_format(clock_wall_us(), now);
	memcpy(l->today, now, 10);
	if (r == 0)
		r = load_names_init(&l->names, dir, err);
	if (r == 0 && dir && has_json(l)) {
		char *path = mem_printf("%s/categories.yaml", dir);

		if (file_exists(path))
			r = categorizer_load(path, &l->categorizer, err);
		mem_free(path);
	}
	return r;
}

static int take_lock(struct load *l, struct err *err)
{
	int64_t taken = 0;
	int r = maria_query_int(l->m, shop_sql_load_lock, MARIA_ARGS(MARIA_I(LOCK_WAIT_S)), &taken,
				err);

	if (r < 0)
		return err_context(err, "taking the lock of loading");
	if (taken != 1) {
		(void)err_set(err, ERR_CONFLICT, "another load is running on this database");
		return err_hint(err, "wait for it to end; the lock goes with its connection");
	}
	return 0;
}

static int check_schema(struct load *l, struct err *err)
{
	int64_t n = 0;
	int r = maria_query_int(l->m, shop_sql_load_has_schema, NULL, 0, &n, err);

	if (r == 0 && n != 4) {
		(void)err_set(err, ERR_NOT_FOUND, "the database has no shop schema");
		return err_hint(err, "run `aethermart schema apply` first");
	}
	return r;
}

static int begin_run(struct load *l, struct err *err)
{
	int64_t id = 0;
	int r = maria_run(l->m, shop_sql_load_runs_stop, NULL, 0, NULL, err);

	if (r == 0)
		r = maria_run(l->m, shop_sql_load_run_begin, NULL, 0, NULL, err);
	if (r == 0)
		r = maria_query_int(l->m, shop_sql_load_run_newest, NULL, 0, &id, err);
	l->report->load_id = (uint64_t)id;
	return r;
}

static int end_run(struct load *l, const char *status, struct err *err)
{
	const struct shop_load_counts *t = &l->report->total;
	struct maria_value params[] = {MARIA_S(status),
				       MARIA_U(t->read),
				       MARIA_U(t->loaded),
				       MARIA_U(t->corrected),
				       MARIA_U(t->unchanged),
				       MARIA_U(t->rejected),
				       MARIA_U(l->report->load_id)};

	if (l->options->dry_run)
		return maria_run(l->m, shop_sql_load_run_forget, &params[6], 1, NULL, err);
	return maria_run(l->m, shop_sql_load_run_end, params, ARRAY_LEN(params), NULL, err);
}

/* The shop's spellings count before those of the feed. */
static int learn_suppliers(struct load *l, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(l->m, shop_sql_load_suppliers, NULL, 0, &rows, err);
	const char *spelling;

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		r = load_names_supplier(&l->names, maria_rows_str(rows, 0), &spelling, err);
	return r;
}

static int stage(struct load *l, struct err *err)
{
	int64_t start = clock_monotonic_us();
	int r = load_merge_touched(l, err); /* an interrupted load may have left some */

	if (r == 0)
		r = load_stage_clear(l, err);
	if (r == 0)
		r = learn_suppliers(l, err);
	if (r == 0)
		r = load_stage_files(l, err);
	l->report->stage_us = clock_monotonic_us() - start;
	return r;
}

static int merge(struct load *l, struct err *err)
{
	int64_t start = clock_monotonic_us();
	int r = l->options->dry_run ? maria_exec(l->m, "START TRANSACTION", err) : 0;

	if (r == 0)
		r = load_merge(l, err);
	if (l->options->dry_run) {
		struct err undo = {0};
		int u = maria_exec(l->m, "ROLLBACK", &undo);

		if (r == 0 && u < 0 && err)
			*err = undo;
		r = r < 0 ? r : u;
	}
	l->report->merge_us = clock_monotonic_us() - start;
	return r;
}

static int add_up(struct load *l, struct err *err)
{
	struct shop_load_counts *t = &l->report->total;

	for (size_t i = 0; i < LOAD_ENTITIES; i++) {
		const struct shop_load_counts *c = &l->report->entities[i];

		if (c->read != c->loaded + c->corrected + c->unchanged + c->rejected)
			return err_set(err, ERR_INTERNAL,
				       "the report does not add up for %s: read %" PRIu64,
				       load_entity_name((enum load_entity_id)i), c->read);
		t->read += c->read;
		t->loaded += c->loaded;
		t->corrected += c->corrected;
		t->unchanged += c->unchanged;
		t->rejected += c->rejected;
	}
	return 0;
}

/* With the lock held and the session set up. */
static int run_load(struct load *l, struct err *err)
{
	struct err ignored = {0};
	int r = begin_run(l, err);

	if (r < 0)
		return r;
	r = stage(l, err);
	if (r == 0)
		r = merge(l, err);
	if (r == 0)
		r = add_up(l, err);
	if (r < 0) {
		/* What cannot be tidied now is tidied by the next load. */
		if (!maria_is_lost(l->m) && load_stage_clear(l, &ignored) == 0)
			(void)(end_run(l, "failed", &ignored) < 0);
		return r;
	}
	r = load_stage_clear(l, err);
	return r < 0 ? r : end_run(l, "done", err);
}

int shop_load(struct maria *m, const struct shop_load_options *options,
	      struct shop_load_report *ret, struct err *err)
{
	struct shop_load_report report = {0};
	struct load l = {.m = m, .options = options, .report = &report};
	struct err ignored = {0};
	int r = load_init(&l, err);

	if (r < 0) {
		load_done(&l);
		return r;
	}
	report.files = l.files.n;
	report.skipped_files = l.files.skipped;
	r = take_lock(&l, err);
	if (r == 0) {
		r = check_schema(&l, err);
		if (r ==
		    0) /* an EXISTS is asked by index for each row, not by a copy of the table */
			r = maria_exec(m, "SET SESSION optimizer_switch = 'exists_to_in=off'", err);
		if (r == 0)
			r = run_load(&l, err);
		if (!maria_is_lost(m)) {
			(void)(maria_exec(m, "SET SESSION optimizer_switch = DEFAULT", &ignored) <
			       0);
			(void)(maria_exec(m, shop_sql_load_unlock, &ignored) < 0);
		}
	}
	load_done(&l);
	if (r == 0)
		*ret = report;
	return r;
}

static int print_file(struct load *l, const struct load_file *f, FILE *out, struct err *err)
{
	_cleanup_(load_reader_closep) struct load_reader *r = NULL;
	const struct load_entity *e = load_entity_get(LOAD_PRODUCTS);
	size_t path = load_entity_column(e, "category_path");
	struct str line;
	int rc = load_reader_open(f->path, &r, err);

	while (rc >= 0 && (rc = load_reader_line(r, &line, err)) > 0) {
		if (str_trim(line).len == 0)
			continue;
		load_row_begin(&l->row, f, load_reader_line_number(r));
		rc = load_product_parse(&l->row, line, l->categorizer, err);
		if (rc < 0)
			break;
		struct str id = l->row.raw[0], category = l->row.raw[path];

		if (!category.len)
			category = str_from(e->columns[path].fallback);
		(void)fprintf(out, "%.*s\t%.*s\n", STR_ARGS(id), STR_ARGS(category));
	}
	return rc;
}

int shop_load_print_categories(const struct shop_load_options *options, FILE *out, struct err *err)
{
	struct load l = {.options = options};
	int r = load_init(&l, err);

	for (size_t i = 0; i < l.files.n && r == 0; i++) {
		if (l.files.files[i].is_json)
			r = print_file(&l, &l.files.files[i], out, err);
	}
	load_done(&l);
	return r;
}

int shop_load_mark(struct maria *m, char **ret, struct err *err)
{
	return maria_query_text(m, shop_sql_load_run_mark, NULL, 0, ret, err);
}

int shop_load_has_mark(struct maria *m, const char *mark, bool *ret, struct err *err)
{
	int64_t n = 0;
	int r = maria_query_int(m, shop_sql_load_run_has_mark, MARIA_ARGS(MARIA_S(mark)), &n, err);

	if (r == 0)
		*ret = n > 0;
	return r;
}

void shop_load_past_done(struct shop_load_past *p)
{
	mem_free(p->place);
	p->place = NULL;
}

int shop_load_look_back(struct maria *m, struct shop_load_past *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct str place;
	int r = maria_query(m, shop_sql_load_past, NULL, 0, &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r < 0)
		return err_context(err, "looking at what the shop has");
	place = maria_rows_str(rows, 3);
	*ret = (struct shop_load_past){
	    .has_rows = maria_rows_int(rows, 0) != 0,
	    .has_done = maria_rows_int(rows, 1) != 0,
	    .is_cut_off = maria_rows_int(rows, 2) != 0,
	    .place = mem_strndup(place.data, place.len),
	};
	return 0;
}
