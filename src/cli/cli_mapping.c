/* `aethermart mapping`: what the mapping files say and what comes of it. Changes nothing. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/table.h"

#include <inttypes.h>

#include "base/banned.h"

#define SAMPLE_BYTES_MAX ((size_t)256 << 20)

static const struct command_option collection_options[] = {
    {.name = "collection",
     .type = COMMAND_TEXT,
     .argument = "NAME",
     .help = "only this collection"},
    {0},
};

struct loaded {
	struct maria *db;
	struct mapping_set set;
	const char *only;
};

static void loaded_done(struct loaded *l)
{
	mapping_set_done(&l->set);
	if (l->db)
		(void)maria_close(l->db);
}

static int load(const struct command_line *line, struct loaded *l, struct err *err)
{
	int r;

	l->only = command_text(line, "collection");
	r = cli_open_maria(line, ENDPOINT_SYNC, &l->db, err);
	if (r == 0)
		r = cli_load_mappings(line, l->db, &l->set, err);
	if (r < 0)
		return r;
	if (l->only && !mapping_set_find(&l->set, l->only)) {
		r = err_set(err, ERR_NOT_FOUND, "no mapping makes the collection \"%s\"", l->only);
		err_hint(err, "aethermart mapping show lists them");
		return r;
	}
	return 0;
}

static bool is_wanted(const struct loaded *l, const struct mapping *m)
{
	return !l->only || cstr_equal(l->only, mapping_collection(m));
}

/* --- check ----------------------------------------------------------------------------------- */

static int run_check(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"TABLE",	   "COLUMN", "COLLECTION",
					     ">DOCUMENTS", "PATH",   NULL};
	_cleanup_(loaded_done) struct loaded l = {0};
	_cleanup_(table_freep) struct table *t = NULL;
	json_t *list = NULL;
	int r = load(line, &l, err);

	if (r < 0)
		return r;
	if (line->json)
		list = json_array();
	t = table_new(titles);
	for (size_t i = 0; i < l.set.len; i++) {
		const struct mapping *m = l.set.items[i];
		const struct mapping_fanout *f;
		size_t n = is_wanted(&l, m) ? mapping_fanouts(m, &f) : 0;

		for (size_t j = 0; j < n; j++) {
			char documents[32];
			const char *cells[] = {f[j].table, f[j].column, mapping_collection(m),
					       documents, f[j].description};

			snprintf(documents, sizeof(documents), "%.0f", f[j].documents);
			table_add(t, cells);
			if (list)
				json_array_append_new(
				    list, json_pack("{s:s,s:s,s:s,s:I,s:s,s:f}", "table",
						    f[j].table, "column", f[j].column, "collection",
						    mapping_collection(m), "path",
						    (json_int_t)f[j].path, "description",
						    f[j].description, "documents", f[j].documents));
		}
	}
	if (list)
		return cli_print_json(list, err);
	table_print(t, stdout);
	printf(
	    "\n%zu mapping%s fit%s the database. DOCUMENTS is an estimate for one changed row.\n",
	    l.set.len, l.set.len == 1 ? "" : "s", l.set.len == 1 ? "s" : "");
	return cli_flush(err);
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

static int run_show(const struct command_line *line, struct err *err)
{
	_cleanup_(loaded_done) struct loaded l = {0};
	json_t *list = NULL;
	int r = load(line, &l, err);

	if (r < 0)
		return r;
	if (line->json)
		list = json_array();
	for (size_t i = 0; i < l.set.len; i++) {
		const struct mapping *m = l.set.items[i];

		if (!is_wanted(&l, m))
			continue;
		if (list)
			json_array_append_new(list, mapping_json(m));
		else
			printf("%s%shash %s\n", i ? "\n" : "", mapping_text(m), mapping_hash(m));
	}
	return list ? cli_print_json(list, err) : cli_flush(err);
}

/* --- sql, triggers --------------------------------------------------------------------------- */

static int run_sql(const struct command_line *line, struct err *err)
{
	_cleanup_(loaded_done) struct loaded l = {0};
	json_t *list = NULL;
	int r = load(line, &l, err);

	if (r < 0)
		return r;
	if (line->json)
		list = json_array();
	for (size_t i = 0; i < l.set.len; i++) {
		const struct mapping *m = l.set.items[i];
		const struct mapping_statement *s;
		size_t n = is_wanted(&l, m) ? mapping_statements(m, &s) : 0;

		for (size_t j = 0; j < n; j++) {
			if (list)
				json_array_append_new(list,
						      json_pack("{s:s,s:s,s:s}", "collection",
								mapping_collection(m), "purpose",
								s[j].purpose, "sql", s[j].sql));
			else
				printf("-- %s: %s\n%s;\n\n", mapping_collection(m), s[j].purpose,
				       s[j].sql);
		}
	}
	return list ? cli_print_json(list, err) : cli_flush(err);
}

static int run_triggers(const struct command_line *line, struct err *err)
{
	_cleanup_(loaded_done) struct loaded l = {0};
	json_t *list = NULL;
	int r = load(line, &l, err);

	if (r < 0)
		return r;
	if (line->json)
		list = json_array();
	else
		printf("delimiter //\n");
	for (size_t i = 0; i < l.set.len; i++) {
		const struct mapping *m = l.set.items[i];
		const struct mapping_trigger *t;
		size_t n = is_wanted(&l, m) ? mapping_triggers(m, &t) : 0;

		for (size_t j = 0; j < n; j++) {
			if (list)
				json_array_append_new(
				    list,
				    json_pack("{s:s,s:s,s:s,s:s,s:s}", "collection",
					      mapping_collection(m), "name", t[j].name, "table",
					      t[j].table, "event", t[j].event, "body", t[j].body));
			else
				printf("%s\n//\n", t[j].create_sql);
		}
	}
	if (list)
		return cli_print_json(list, err);
	printf("delimiter ;\n");
	return cli_flush(err);
}

/* --- sample ---------------------------------------------------------------------------------- */

static int read_one(const struct loaded *l, const struct mapping *m, struct str key,
		    struct mapping_batch *batch, struct err *err)
{
	int r = maria_exec(l->db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", err);

	if (r == 0)
		r = maria_exec(l->db, "START TRANSACTION WITH CONSISTENT SNAPSHOT", err);
	if (r == 0)
		r = mapping_read(m, l->db, &key, 1, SAMPLE_BYTES_MAX, batch, err);
	if (r == 0)
		r = maria_exec(l->db, "COMMIT", err);
	return r;
}

/* 1 when there was such a document; the key of one mapping may be none of another. */
static int sample_one(const struct loaded *l, const struct mapping *m, const char *text,
		      json_t *list, struct err *err)
{
	_cleanup_(mapping_batch_done) struct mapping_batch batch = MAPPING_BATCH_INIT;
	_cleanup_(arena_done) struct arena arena = {0};
	struct str key;
	json_t *json;
	int r = mapping_key_parse(m, text, &arena, &key, err);

	if (r < 0)
		return l->only ? r : 0;
	r = read_one(l, m, key, &batch, err);
	if (r < 0)
		return r;
	if (batch.items[0].state == MAPPING_ABSENT)
		return 0;
	if (batch.items[0].state == MAPPING_REFUSED) {
		*err = *batch.items[0].error;
		return err_context(err, "%s %s", mapping_collection(m), text);
	}
	json = bson_json(batch.items[0].document);
	if (list) {
		json_array_append_new(list, json_pack("{s:s,s:o}", "collection",
						      mapping_collection(m), "document", json));
		return 1;
	}
	printf("%s\n", mapping_collection(m));
	r = cli_print_json(json, err);
	return r < 0 ? r : 1;
}

static int run_sample(const struct command_line *line, struct err *err)
{
	_cleanup_(loaded_done) struct loaded l = {0};
	json_t *list = NULL;
	bool is_found = false;
	int r = load(line, &l, err);

	if (r < 0)
		return r;
	if (line->json)
		list = json_array();
	for (size_t i = 0; r >= 0 && i < l.set.len; i++) {
		if (!is_wanted(&l, l.set.items[i]))
			continue;
		r = sample_one(&l, l.set.items[i], line->argv[0], list, err);
		is_found = is_found || r > 0;
	}
	if (r >= 0 && !is_found)
		r = err_set(err, ERR_NOT_FOUND, "no row has the key \"%.200s\"", line->argv[0]);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return list ? cli_print_json(list, err) : cli_flush(err);
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
