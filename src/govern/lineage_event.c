/*
 * An event as OpenLineage 2-0-2 has it. START and the end of a run carry what the graph knows of
 * each dataset (schema, column lineage, version, classes of personal data); between them only
 * counts, since facets that were told stay true for the run.
 */
#include "govern/lineage_int.h"

#include "base/banned.h"

#define SPEC "https://openlineage.io/spec/"

static const char *const types[] = {"START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"};

const char *lineage_type_name(enum lineage_type type)
{
	return types[type];
}

struct builder {
	const struct lineage_place *place;
	const struct lineage_fact *fact;
	char producer[128];
};

/* Paths and messages may be any bytes. */
static json_t *text(const char *s)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	json_t *json = json_string(s);

	if (json)
		return json;
	strbuf_add_json(&b, s, strlen(s));
	return json_loadb(b.data, b.len, JSON_DECODE_ANY, NULL);
}

/* The facet of a name, from the file of the published schema that defines it. */
static json_t *add_facet(const struct builder *b, json_t *facets, const char *name,
			 const char *schema, const char *type)
{
	_cleanup_(strbuf_done) struct strbuf url = STRBUF_INIT(0);
	json_t *facet = json_object();

	strbuf_addf(&url, SPEC "facets/%s/%s.json#/$defs/%s", schema, type, type);
	json_object_set_new(facet, "_producer", json_string(b->producer));
	json_object_set_new(facet, "_schemaURL", json_string(strbuf_str(&url)));
	json_object_set_new(facets, name, facet);
	return facet;
}

/* --- datasets -------------------------------------------------------------------------------- */

static const char *namespace_of(const struct lineage_place *place, enum lineage_kind kind,
				struct strbuf *b)
{
	switch (kind) {
	case LINEAGE_TABLE:
	case LINEAGE_VIEW:
	case LINEAGE_WAREHOUSE:
		return place->maria;
	case LINEAGE_COLLECTION:
		return place->mongo;
	case LINEAGE_INDEX:
		strbuf_clear(b);
		strbuf_addf(b, "aethermart://%s", place->job_namespace);
		return strbuf_str(b);
	case LINEAGE_FILE:
	case LINEAGE_ROUTINE:
	case LINEAGE_KINDS:
		break;
	}
	return "file";
}

void lineage_dataset_name(const struct lineage_place *place, enum lineage_kind kind,
			  const char *name, struct strbuf *b)
{
	static const char *const none = "";
	const char *database = none;

	if (kind == LINEAGE_TABLE || kind == LINEAGE_VIEW)
		database = place->database;
	else if (kind == LINEAGE_WAREHOUSE)
		database = place->warehouse;
	else if (kind == LINEAGE_COLLECTION)
		database = place->mongo_database;
	else if (kind == LINEAGE_INDEX)
		database = "index";
	strbuf_addf(b, "%s%s%s", database, *database ? "." : "", name);
}

/* {"namespace", "name"}, and a third member where it is wanted. */
static json_t *named(const struct builder *b, enum lineage_kind kind, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf space = STRBUF_INIT(0), full = STRBUF_INIT(0);
	json_t *json = json_object();

	json_object_set_new(json, "namespace", text(namespace_of(b->place, kind, &space)));
	lineage_dataset_name(b->place, kind, name, &full);
	json_object_set_new(json, "name", text(strbuf_str(&full)));
	return json;
}

static void add_schema(const struct builder *b, json_t *facets, const struct lineage_node *node)
{
	json_t *fields = json_array();

	for (size_t i = 1; i < node->n_columns; i++) {
		const struct lineage_column *c = &b->place->graph->columns[node->columns[i]];
		json_t *field = json_object();

		json_object_set_new(field, "name", text(c->name));
		if (*c->type)
			json_object_set_new(field, "type", text(c->type));
		if (*c->meaning)
			json_object_set_new(field, "description", text(c->meaning));
		json_array_append_new(fields, field);
	}
	json_object_set_new(add_facet(b, facets, "schema", "1-2-0", "SchemaDatasetFacet"), "fields",
			    fields);
}

static json_t *input_field(const struct builder *b, const struct lineage_edge *e)
{
	const struct lineage_graph *g = b->place->graph;
	const struct lineage_column *from = &g->columns[e->from];
	json_t *json = named(b, g->nodes[from->node].kind, g->nodes[from->node].name);

	json_object_set_new(json, "field", text(from->name));
	json_object_set_new(json, "transformations",
			    json_pack("[{s:s, s:s}]", "type",
				      lineage_use_is_direct(e->use) ? "DIRECT" : "INDIRECT",
				      "subtype", lineage_use_name(e->use)));
	return json;
}

/* A map from each column to its inputs. What is known of a dataset as a whole has a list of its
 * own there. */
static void add_column_lineage(const struct builder *b, json_t *facets,
			       const struct lineage_node *node)
{
	const struct lineage_graph *g = b->place->graph;
	json_t *fields = json_object(), *whole = json_array();

	for (size_t i = 0; i < g->n_edges; i++) {
		const struct lineage_edge *e = &g->edges[i];
		const struct lineage_column *to = &g->columns[e->to];
		json_t *field;

		if (&g->nodes[to->node] != node || !*g->columns[e->from].name)
			continue;
		field = json_object_get(fields, to->name);
		if (*to->name && !field) {
			field = json_pack("{s:[]}", "inputFields");
			json_object_set_new(fields, to->name, field);
		}
		json_array_append_new(*to->name ? json_object_get(field, "inputFields") : whole,
				      input_field(b, e));
	}
	if (json_object_size(fields) || json_array_size(whole)) {
		json_t *facet =
		    add_facet(b, facets, "columnLineage", "1-2-0", "ColumnLineageDatasetFacet");

		json_object_set(facet, "fields", fields);
		if (json_array_size(whole))
			json_object_set(facet, "dataset", whole);
	}
	json_decref(fields);
	json_decref(whole);
}

static void add_tags(const struct builder *b, json_t *facets, const struct lineage_node *node)
{
	json_t *tags = json_array();

	for (size_t i = 1; i < node->n_columns; i++) {
		const struct lineage_column *c = &b->place->graph->columns[node->columns[i]];
		const char *names[LINEAGE_CLASSES];
		size_t n = lineage_class_names(c->classes, names);

		for (size_t j = 0; j < n; j++)
			json_array_append_new(tags, json_pack("{s:s, s:s, s:s, s:s}", "key", "pii",
							      "value", names[j], "source", "USER",
							      "field", c->name));
	}
	if (json_array_size(tags))
		json_object_set(add_facet(b, facets, "tags", "1-0-0", "TagsDatasetFacet"), "tags",
				tags);
	json_decref(tags);
}

static void add_known(const struct builder *b, json_t *facets, const struct lineage_node *node,
		      bool is_output)
{
	if (node->n_columns > 1)
		add_schema(b, facets, node);
	if (is_output)
		add_column_lineage(b, facets, node);
	add_tags(b, facets, node);
	if (node->version)
		json_object_set_new(
		    add_facet(b, facets, "version", "1-0-1", "DatasetVersionDatasetFacet"),
		    "datasetVersion", text(node->version));
	if (*node->meaning)
		json_object_set_new(
		    add_facet(b, facets, "documentation", "1-1-0", "DocumentationDatasetFacet"),
		    "description", text(node->meaning));
}

static void add_assertions(const struct builder *b, json_t *facets, const struct lineage_dataset *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_assertions; i++) {
		const struct lineage_assertion *a = &d->assertions[i];
		json_t *json =
		    json_pack("{s:s, s:b}", "assertion", a->assertion, "success", a->success);

		if (a->column)
			json_object_set_new(json, "column", text(a->column));
		if (a->name)
			json_object_set_new(json, "name", text(a->name));
		if (a->severity)
			json_object_set_new(json, "severity", text(a->severity));
		json_array_append_new(list, json);
	}
	json_object_set_new(add_facet(b, facets, "dataQualityAssertions", "1-1-0",
				      "DataQualityAssertionsDatasetFacet"),
			    "assertions", list);
}

/* What this run did with it. */
static void add_figures(const struct builder *b, json_t *dataset, const struct lineage_dataset *d,
			bool is_output)
{
	json_t *facets = json_object();

	if (d->is_counted)
		json_object_set_new(is_output ? add_facet(b, facets, "outputStatistics", "1-0-2",
							  "OutputStatisticsOutputDatasetFacet")
					      : add_facet(b, facets, "inputStatistics", "1-0-0",
							  "InputStatisticsInputDatasetFacet"),
				    "rowCount", json_integer((json_int_t)d->rows));
	if (d->n_assertions && !is_output)
		add_assertions(b, facets, d);
	if (json_object_size(facets))
		json_object_set(dataset, is_output ? "outputFacets" : "inputFacets", facets);
	json_decref(facets);
}

static json_t *dataset_json(const struct builder *b, const struct lineage_dataset *d,
			    bool is_output)
{
	size_t node = b->place->graph && d->kind != LINEAGE_FILE
			  ? lineage_find_node(b->place->graph, d->kind, d->name)
			  : LINEAGE_NONE;
	json_t *json = named(b, d->kind, d->name), *facets = json_object();
	bool is_whole = b->fact->type != LINEAGE_RUNNING;

	if (is_whole && d->kind != LINEAGE_FILE) {
		json_t *source =
		    add_facet(b, facets, "dataSource", "1-0-1", "DatasourceDatasetFacet");

		json_object_set(source, "name", json_object_get(json, "namespace"));
		json_object_set(source, "uri", json_object_get(json, "namespace"));
	}
	if (is_whole && node != LINEAGE_NONE)
		add_known(b, facets, &b->place->graph->nodes[node], is_output);
	if (json_object_size(facets))
		json_object_set(json, "facets", facets);
	json_decref(facets);
	add_figures(b, json, d, is_output);
	return json;
}

static json_t *datasets_json(const struct builder *b, const struct lineage_dataset *list, size_t n,
			     bool is_output)
{
	json_t *json = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(json, dataset_json(b, &list[i], is_output));
	return json;
}

/* --- run and job ----------------------------------------------------------------------------- */

static json_t *run_json(const struct builder *b)
{
	json_t *facets = json_object();
	json_t *engine =
	    add_facet(b, facets, "processing_engine", "1-1-1", "ProcessingEngineRunFacet");

	json_object_set_new(engine, "version", text(b->place->version));
	json_object_set_new(engine, "name", json_string("aethermart"));
	if (b->fact->error) {
		json_t *error =
		    add_facet(b, facets, "errorMessage", "1-0-1", "ErrorMessageRunFacet");

		json_object_set_new(error, "message", text(b->fact->error));
		json_object_set_new(error, "programmingLanguage", json_string("C"));
	}
	return json_pack("{s:s, s:o}", "runId", b->fact->run, "facets", facets);
}

static json_t *job_json(const struct builder *b)
{
	json_t *facets = json_object();
	json_t *type = add_facet(b, facets, "jobType", "2-0-4", "JobTypeJobFacet");

	json_object_set_new(type, "processingType",
			    json_string(b->fact->is_stream ? "STREAMING" : "BATCH"));
	json_object_set_new(type, "integration", json_string("AETHERMART"));
	json_object_set_new(type, "jobType", json_string("JOB"));
	if (b->fact->what)
		json_object_set_new(
		    add_facet(b, facets, "documentation", "1-1-0", "DocumentationJobFacet"),
		    "description", text(b->fact->what));
	return json_pack("{s:o, s:s, s:o}", "namespace", text(b->place->job_namespace), "name",
			 b->fact->job, "facets", facets);
}

/* "2026-11-27 16:20:00.123456" */
static json_t *time_json(const char *time)
{
	char out[40];

	(void)snprintf(out, sizeof(out), "%.10sT%sZ", time, strlen(time) > 11 ? time + 11 : "");
	return json_string(out);
}

json_t *lineage_event_json(const struct lineage_place *place, const struct lineage_fact *fact)
{
	struct builder b = {.place = place, .fact = fact};
	const struct lineage_io *io = &fact->io;

	(void)snprintf(b.producer, sizeof(b.producer), "urn:aethermart:%s", place->version);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "eventType", types[fact->type],
			 "eventTime", time_json(fact->time), "run", run_json(&b), "job",
			 job_json(&b), "inputs", datasets_json(&b, io->inputs, io->n_inputs, false),
			 "outputs", datasets_json(&b, io->outputs, io->n_outputs, true), "producer",
			 b.producer, "schemaURL", SPEC "2-0-2/OpenLineage.json#/$defs/RunEvent");
}
