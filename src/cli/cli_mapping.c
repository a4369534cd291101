/* `aethermart mapping`: what the mapping files say and what comes of it. Changes nothing. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/table.h"

#include <inttypes.h>

#include "base/banned.h"

#define SAMPLE_BYTES_MAX ((size_t)256 << 20)

static const struct command_option collection_options[] = {
    CLI_OPTION_COLLECTION,
    {0},
};

/* What a verb of this group works with; the functions below add to it for one mapping each. */
struct walk {
	struct maria *db;
	struct mapping_set set;
	const struct mapping *only; /* of --collection; NULL: all */
	json_t *list;		    /* with --json; else each prints at once */
	struct table *table;	    /* of `check` */
	const char *key;	    /* of `sample` */
	unsigned n_found;	    /* of `sample` */
};

static void walk_done(struct walk *w)
{
	json_decref(w->list);
	mapping_set_done(&w->set);
	w->db = maria_close(w->db);
}

static int each_mapping(const struct command_line *line, struct walk *w,
			int (*visit)(struct walk *w, const struct mapping *m, struct err *err),
			struct err *err)
{
	int r = cli_open_maria(line, ENDPOINT_SYNC, &w->db, err);

	if (r == 0)
		r = cli_load_mappings(line, w->db, &w->set, err);
	if (r == 0)
		r = cli_find_collection(line, &w->set, &w->only, err);
	if (r == 0 && line->json)
		w->list = json_array();
	for (size_t i = 0; i < w->set.len && r == 0; i++)
		if (!w->only || w->only == w->set.items[i])
			r = visit(w, w->set.items[i], err);
	return r;
}

static bool is_first(const struct walk *w, const struct mapping *m)
{
	return w->only || m == w->set.items[0];
}

/* The list of --json, or the end of what was printed. */
static int finish(struct walk *w, struct err *err)
{
	return w->list ? cli_print_json(TAKE_PTR(w->list), err) : cli_flush(err);
}

/* --- check ----------------------------------------------------------------------------------- */

static int check(struct walk *w, const struct mapping *m, struct err *err)
{
	const struct mapping_fanout *f;
	size_t n = mapping_fanouts(m, &f);

	(void)err;
	for (size_t i = 0; i < n; i++) {
		char documents[32];

		if (w->list) {
			json_array_append_new(
			    w->list,
			    json_pack("{s:s,s:s,s:s,s:I,s:s,s:f}", "table", f[i].table, "column",
				      f[i].column, "collection", mapping_collection(m), "path",
				      (json_int_t)f[i].path, "description", f[i].description,
				      "documents", f[i].documents));
			continue;
		}
		snprintf(documents, sizeof(documents), "%.0f", f[i].documents);
		table_add(w->table,
			  (const char *const[]){f[i].table, f[i].column, mapping_collection(m),
						documents, f[i].description});
	}
	return 0;
}

static int run_check(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"TABLE",	   "COLUMN", "COLLECTION",
					     ">DOCUMENTS", "PATH",   NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	_cleanup_(walk_done) struct walk w = {.table = table};
	int r = each_mapping(line, &w, check, err);

	if (r < 0)
		return r;
	if (!line->json) {
		table_print(table, stdout);
		printf("\n%zu mapping%s fit%s the database. DOCUMENTS is an estimate for one "
		       "changed row.\n",
		       w.set.len, w.set.len == 1 ? "" : "s", w.set.len == 1 ? "s" : "");
	}
	return finish(&w, err);
}

/* --- show ------------------------------------------------------------------------------------ */

static json_t *bson_json(const bson_t *doc)
{
	char *text = bson_as_canonical_extended_json(doc, NULL);
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	bson_free(text);
	return json ? json : json_null();
}

static json_t *indexes_json(const bson_t *array)
{
	char *text = bson_array_as_json(array, NULL);
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	bson_free(text);
	return json ? json : json_array();
}

static void add_pii(void *arg, const char *field, const char *table, const char *column,
		    const char *pii)
{
	json_array_append_new(arg, json_pack("{s:s,s:s,s:s?,s:s}", "field", field, "table", table,
					     "column", column, "class", pii));
}

static json_t *mapping_json(const struct mapping *m)
{
	json_t *owned = json_array(), *pii = json_array();

	for (const char *const *f = mapping_owned_fields(m); *f; f++)
		json_array_append_new(owned, json_string(*f));
	mapping_each_pii(m, add_pii, pii);
	return json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:s}", "collection",
			 mapping_collection(m), "table", mapping_root_table(m), "queue",
			 mapping_queue(m), "hash", mapping_hash(m), "target", mapping_has_target(m),
			 "keeps_on_leave", mapping_keeps_on_leave(m), "owned", owned, "mongodb",
			 bson_json(mapping_initial_fields(m)), "indexes",
			 indexes_json(mapping_indexes(m)), "validator",
			 bson_json(mapping_validator(m)), "pii", pii, "plan", mapping_text(m));
}

static int show(struct walk *w, const struct mapping *m, struct err *err)
{
	(void)err;
	if (w->list)
		json_array_append_new(w->list, mapping_json(m));
	else
		printf("%s%shash %s\n", is_first(w, m) ? "" : "\n", mapping_text(m),
		       mapping_hash(m));
	return 0;
}

static int run_show(const struct command_line *line, struct err *err)
{
	_cleanup_(walk_done) struct walk w = {0};
	int r = each_mapping(line, &w, show, err);

	return r < 0 ? r : finish(&w, err);
}

/* --- sql, triggers --------------------------------------------------------------------------- */

static int show_sql(struct walk *w, const struct mapping *m, struct err *err)
{
	const struct mapping_statement *s;
	size_t n = mapping_statements(m, &s);

	(void)err;
	for (size_t i = 0; i < n; i++) {
		if (w->list)
			json_array_append_new(w->list, json_pack("{s:s,s:s,s:s}", "collection",
								 mapping_collection(m), "purpose",
								 s[i].purpose, "sql", s[i].sql));
		else
			printf("-- %s: %s\n%s;\n\n", mapping_collection(m), s[i].purpose, s[i].sql);
	}
	return 0;
}

static int run_sql(const struct command_line *line, struct err *err)
{
	_cleanup_(walk_done) struct walk w = {0};
	int r = each_mapping(line, &w, show_sql, err);

	return r < 0 ? r : finish(&w, err);
}

static int show_triggers(struct walk *w, const struct mapping *m, struct err *err)
{
	const struct mapping_trigger *t;
	size_t n = mapping_triggers(m, &t);

	(void)err;
	if (!w->list && is_first(w, m))
		printf("delimiter //\n");
	for (size_t i = 0; i < n; i++) {
		if (w->list)
			json_array_append_new(
			    w->list, json_pack("{s:s,s:s,s:s,s:s,s:s}", "collection",
					       mapping_collection(m), "name", t[i].name, "table",
					       t[i].table, "event", t[i].event, "body", t[i].body));
		else
			printf("%s\n//\n", t[i].create_sql);
	}
	return 0;
}

static int run_triggers(const struct command_line *line, struct err *err)
{
	_cleanup_(walk_done) struct walk w = {0};
	int r = each_mapping(line, &w, show_triggers, err);

	if (r < 0)
		return r;
	if (!line->json)
		printf("delimiter ;\n");
	return finish(&w, err);
}

/* --- sample ---------------------------------------------------------------------------------- */

/* A key of one mapping may be none of another. */
static int sample(struct walk *w, const struct mapping *m, struct err *err)
{
	_cleanup_(mapping_batch_done) struct mapping_batch batch = MAPPING_BATCH_INIT;
	_cleanup_(arena_done) struct arena arena = {0};
	struct str key;
	json_t *json;
	int r = mapping_key_parse(m, w->key, &arena, &key, err);

	if (r < 0)
		return w->only ? r : 0;
	r = maria_snapshot_begin(w->db, err);
	if (r == 0)
		r = mapping_read(m, w->db, &key, 1, SAMPLE_BYTES_MAX, &batch, err);
	if (r == 0)
		r = maria_snapshot_end(w->db, err);
	if (r < 0 || !batch.len || batch.items[0].state == MAPPING_ABSENT)
		return r;
	if (batch.items[0].state == MAPPING_REFUSED) {
		*err = *batch.items[0].error;
		return err_context(err, "%s %s", mapping_collection(m), w->key);
	}
	w->n_found++;
	json = bson_json(batch.items[0].document);
	if (w->list) {
		json_array_append_new(w->list, json_pack("{s:s,s:o}", "collection",
							 mapping_collection(m), "document", json));
		return 0;
	}
	printf("%s\n", mapping_collection(m));
	return cli_print_json(json, err);
}

static int run_sample(const struct command_line *line, struct err *err)
{
	_cleanup_(walk_done) struct walk w = {.key = line->argv[0]};
	int r = each_mapping(line, &w, sample, err);

	if (r == 0 && !w.n_found)
		r = err_set(err, ERR_NOT_FOUND, "no row has the key \"%.200s\"", w.key);
	return r < 0 ? r : finish(&w, err);
}

static const struct command command_check = {
    .name = "check",
    .summary = "finds mistakes, and which documents a changed column touches",
    .options = collection_options,
    .run = run_check,
};
static const struct command command_show = {
    .name = "show",
    .summary = "the plan: fields, types, joins, indexes, validator",
    .options = collection_options,
    .run = run_show,
};
static const struct command command_sql = {
    .name = "sql",
    .summary = "the statements that read rows and find documents",
    .options = collection_options,
    .run = run_sql,
};
static const struct command command_triggers = {
    .name = "triggers",
    .summary = "the triggers, as a script for the client",
    .options = collection_options,
    .run = run_triggers,
};
static const struct command command_sample = {
    .name = "sample",
    .summary = "the document of a key, as it would be written now",
    .arguments = "KEY",
    .min_args = 1,
    .max_args = 1,
    .options = collection_options,
    .help = "The parts of a composite key are joined by \":\"; in a part write %3A for \":\" and "
	    "%25 for \"%\".\n\n"
	    "  aethermart mapping sample 15 --collection customer_profiles",
    .run = run_sample,
};

static const struct command *const children[] = {
    &command_check, &command_show, &command_sql, &command_triggers, &command_sample, NULL,
};

const struct command command_mapping = {
    .name = "mapping",
    .summary = "checks, shows and tries what becomes of tables",
    .help = "The files under mapping.dir say how rows become documents; docs/mapping.md describes "
	    "their language.",
    .children = children,
};
