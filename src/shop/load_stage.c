/*
 * Staging: the files are read a second time, each row is cleaned, and rows and findings go to the
 * server in chunks by LOAD DATA from memory. Stage ids are given in the order of reading, so an
 * entity's rows are one range of them. Nothing here touches the shop's tables.
 */
#include "shop/load_int.h"

#include <inttypes.h>

#include "base/banned.h"

#define CHUNK_ROWS   20000
#define CHUNK_BYTES  ((size_t)8 << 20) /* whichever comes first */
#define KEY_TEXT_MAX 130

static const char *const staging_tables[] = {
    "Staging_Files",	"Staging_Quality",     "Staging_Suppliers",
    "Staging_Products", "Staging_Customers",   "Staging_Addresses",
    "Staging_Orders",	"Staging_Order_Items", "Staging_Reviews",
};

int load_stage_clear(struct load *l, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(staging_tables); i++) {
		char *sql = mem_printf("TRUNCATE TABLE %s", staging_tables[i]);
		int r = maria_exec(l->m, sql, err);

		mem_free(sql);
		if (r < 0)
			return err_context(err, "emptying the staging tables");
	}
	return 0;
}

/* A field of LOAD DATA. */
static void add_field(struct strbuf *b, struct str s)
{
	size_t from = 0;

	if (!s.data) {
		strbuf_add(b, "\\N\t", 3);
		return;
	}
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i], e = 0;

		if (c == '\\')
			e = '\\';
		else if (c == '\t')
			e = 't';
		else if (c == '\n')
			e = 'n';
		else if (c == 0)
			e = '0';
		if (!e)
			continue;
		strbuf_add(b, s.data + from, i - from);
		strbuf_addch(b, '\\');
		strbuf_addch(b, e);
		from = i + 1;
	}
	strbuf_add(b, s.data + from, s.len - from);
	strbuf_addch(b, '\t');
}

struct source {
	const char *data;
	size_t left;
};

static int fill(void *arg, char *buf, size_t size)
{
	struct source *s = arg;
	size_t n = s->left < size ? s->left : size;

	if (n > INT32_MAX)
		n = INT32_MAX;
	memcpy(buf, s->data, n);
	s->data += n;
	s->left -= n;
	return (int)n;
}

static int send_rows(struct load *l, const char *sql, struct strbuf *b, size_t n, struct err *err)
{
	struct source source = {b->data, b->len};
	uint64_t loaded = 0;
	int r = strbuf_check(b, "a chunk of rows", err);

	if (r == 0)
		r = maria_load_data(l->m, sql, fill, &source, &loaded, err);
	if (r < 0)
		return err_context(err, "staging rows");
	if (loaded != n)
		return err_set(err, ERR_INTERNAL,
			       "staging rows: the server took %" PRIu64 " of %zu", loaded, n);
	strbuf_clear(b);
	return 0;
}

static int flush(struct load *l, const struct load_entity *e, struct err *err)
{
	struct strbuf sql = STRBUF_INIT(0);
	int r = 0;

	if (l->n_rows) {
		load_sql_stage(&sql, e);
		r = send_rows(l, strbuf_str(&sql), &l->rows, l->n_rows, err);
		strbuf_done(&sql);
	}
	if (r == 0 && l->n_findings)
		r = send_rows(l, shop_sql_load_stage_findings, &l->findings, l->n_findings, err);
	l->n_rows = l->n_findings = 0;
	return r;
}

/* The key for logs: as it was cleaned, or what the feed has in its place. */
static void row_key(const struct load_row *row, struct strbuf *out)
{
	bool any = false;

	for (size_t i = 0; i < row->entity->n_columns && i < 2; i++) {
		const struct load_column *c = &row->entity->columns[i];
		struct str value = load_row_value(row, i);

		if (i == 1 && row->entity->id != LOAD_ORDER_ITEMS)
			break;
		if (!value.len || c->kind == LOAD_KIND_CATEGORY)
			value = str_trim(row->raw[i]);
		if (value.len > KEY_TEXT_MAX / 2)
			value.len = KEY_TEXT_MAX / 2;
		if (any)
			strbuf_addch(out, '/');
		quality_add_text(out, value);
		any = true;
	}
}

/* Of whom a finding is, by a column of the feed: as it was cleaned, or what the feed has in its
 * place. The column of the table is cut by the server. */
static void add_owner(struct load *l, const struct load_row *row, const char *name,
		      struct strbuf *scratch)
{
	const struct load_column *c = load_entity_find(row->entity, name);
	struct str value = {NULL, 0};

	strbuf_clear(scratch);
	if (c) {
		size_t i = (size_t)(c - row->entity->columns);

		value = load_row_value(row, i);
		if (!value.len)
			value = str_trim(row->raw[i]);
		quality_add_text(scratch, value);
	}
	add_field(&l->findings, value.len ? strbuf_slice(scratch) : (struct str){NULL, 0});
}

static void add_findings(struct load *l, const struct load_row *row, struct str key)
{
	struct strbuf text = STRBUF_INIT(0);

	for (size_t i = 0; i < row->n_findings; i++) {
		const struct load_finding *f = &row->findings[i];
		const struct quality_rule *rule = quality_rule_get(f->rule);
		const struct str *values[] = {&f->before, &f->after};

		if (row->is_rejected && !rule->is_rejection && f->rule != QUALITY_FIELD_UNKNOWN)
			continue;
		strbuf_addf(&l->findings, "%" PRIu64 "\t%s\t%s\t%s\t%s\t", l->next_stage_id,
			    rule->name, rule->severity, rule->action, row->entity->name);
		add_field(&l->findings, key);
		add_field(&l->findings, str_from(f->column));
		for (size_t k = 0; k < 2; k++) {
			strbuf_clear(&text);
			if (values[k]->data)
				quality_add_text(&text, *values[k]);
			add_field(&l->findings, values[k]->data
						    ? (struct str){strbuf_str(&text), text.len}
						    : (struct str){NULL, 0});
		}
		add_owner(l, row, "customer_id", &text);
		add_owner(l, row, "email", &text);
		add_owner(l, row, "order_id", &text);
		strbuf_addf(&l->findings, "%u\t%" PRIu64 "\n", row->file->number, row->line);
		l->n_findings++;
	}
	strbuf_done(&text);
}

static unsigned count_corrections(const struct load_row *row)
{
	unsigned n = 0;

	for (size_t i = 0; i < row->n_findings; i++)
		n += quality_rule_get(row->findings[i].rule)->is_correction;
	return n > UINT16_MAX ? UINT16_MAX : n;
}

static void add_row(struct load *l, struct load_row *row, struct str key)
{
	struct strbuf *values = &row->json; /* free by now */
	uint64_t given = 0;

	strbuf_clear(values);
	for (size_t i = 0; i < row->entity->n_columns; i++) {
		add_field(values, load_row_value(row, i));
		given |= row->cells[i].is_given ? UINT64_C(1) << i : 0;
	}
	strbuf_addf(&l->rows, "%" PRIu64 "\t%u\t%" PRIu64 "\t", l->next_stage_id, row->file->number,
		    row->line);
	add_field(&l->rows, key);
	strbuf_addf(&l->rows, "%" PRIu64 "\t%" PRIu64 "\t%u\t", map_hash(strbuf_slice(values)),
		    given, count_corrections(row));
	strbuf_add(&l->rows, values->data, values->len - 1);
	strbuf_addch(&l->rows, '\n');
	l->n_rows++;
}

/* Categories stay in memory; see load_names.c. */
static void note_category(struct load *l, struct load_row *row)
{
	struct load_category *c = row->category;

	if (row->is_rejected || !c)
		return;
	if (c->stage_id) {
		load_row_find(row, QUALITY_DUPLICATE_ROW, NULL, (struct str){NULL, 0},
			      (struct str){NULL, 0});
		return;
	}
	c->stage_id = l->next_stage_id;
	c->corrections = count_corrections(row);
}

static int stage_row(struct load *l, struct err *err)
{
	struct shop_load_counts *counts = &l->report->entities[l->row.entity->id];
	struct load_row *row = &l->row;
	struct strbuf key = STRBUF_INIT(0);
	int r = load_row_clean(row, &l->names, l->today, err);

	if (r < 0)
		return err_context(err, "%s:%" PRIu64, row->file->path, row->line);
	if (row->entity->id == LOAD_CATEGORIES)
		note_category(l, row);
	row_key(row, &key);
	add_findings(l, row, (struct str){strbuf_str(&key), key.len});
	if (!row->is_rejected && row->entity->stage)
		add_row(l, row, (struct str){strbuf_str(&key), key.len});
	strbuf_done(&key);
	counts->read++;
	counts->rejected += row->is_rejected;
	l->next_stage_id++;
	progress_update(&l->progress, ++l->staged);
	if (l->n_rows >= CHUNK_ROWS || l->n_findings >= CHUNK_ROWS || l->rows.len >= CHUNK_BYTES ||
	    l->findings.len >= CHUNK_BYTES)
		return flush(l, row->entity, err);
	return 0;
}

static int stage_json(struct load *l, struct load_file *f, struct load_reader *r, struct err *err)
{
	struct str line;
	int rc;

	while ((rc = load_reader_line(r, &line, err)) > 0) {
		if (str_trim(line).len == 0)
			continue;
		load_row_begin(&l->row, f, load_reader_line_number(r));
		rc = load_product_parse(&l->row, line, l->categorizer, err);
		if (rc == 0)
			rc = stage_row(l, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static int stage_csv(struct load *l, struct load_file *f, struct load_reader *r, struct err *err)
{
	struct load_record record;
	int rc = load_reader_record(r, &record, err); /* the header */

	while (rc >= 0 && (rc = load_reader_record(r, &record, err)) > 0) {
		if (record.n_fields != f->n_fields)
			return err_set(err, ERR_CORRUPTED, "%s changed while it was read", f->path);
		load_row_begin(&l->row, f, load_reader_line_number(r));
		for (size_t i = 0; i < record.n_fields; i++)
			l->row.raw[f->columns[i]] = record.fields[i];
		rc = stage_row(l, err);
	}
	return rc;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int stage_file(struct load *l, struct load_file *f, struct err *err)
{
	_cleanup_(load_reader_closep) struct load_reader *r = NULL;
	struct strbuf name = STRBUF_INIT(0);
	int rc;

	quality_add_text(&name, str_from(base_name(f->path)));
	rc = maria_run(l->m, shop_sql_load_stage_file,
		       MARIA_ARGS(MARIA_U(f->number), MARIA_S(strbuf_str(&name))), NULL, err);
	strbuf_done(&name);
	if (rc == 0)
		rc = load_reader_open(f->path, &r, err);
	if (rc == 0)
		rc = f->is_json ? stage_json(l, f, r, err) : stage_csv(l, f, r, err);
	return rc < 0 ? rc : flush(l, load_entity_get(f->entity), err);
}

int load_stage_files(struct load *l, struct err *err)
{
	uint64_t total = 0;
	int r = 0;

	for (size_t i = 0; i < l->files.n; i++)
		total += l->files.files[i].rows;
	progress_start(&l->progress, "reading", "rows", total);
	l->progress.is_quiet |= l->options->quiet;
	l->next_stage_id = 1;
	for (size_t e = 0, i = 0; e < LOAD_ENTITIES && r == 0; e++) {
		l->first_id[e] = l->next_stage_id;
		for (; i < l->files.n && l->files.files[i].entity == e && r == 0; i++)
			r = stage_file(l, &l->files.files[i], err);
		l->end_id[e] = l->next_stage_id;
	}
	progress_finish(&l->progress);
	for (size_t i = 0; i < ARRAY_LEN(staging_tables) && r == 0; i++) {
		char *sql = mem_printf("ANALYZE TABLE %s", staging_tables[i]);

		r = maria_run(l->m, sql, NULL, 0, NULL, err); /* plans need true sizes */
		mem_free(sql);
	}
	return r;
}
