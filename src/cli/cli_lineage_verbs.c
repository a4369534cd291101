/* `aethermart lineage`: which run made which data of which, and what depends on what. */
#include "cli/cli_lineage.h"

#include "base/table.h"
#include "govern/dictionary.h"

#include <inttypes.h>

#include "base/banned.h"

#define GRAPH_MAX ((size_t)16 << 20)

/* --- list ------------------------------------------------------------------------------------ */

struct listed {
	json_t *list; /* with --json */
	struct table *table;
};

static void add_number(json_t *o, const char *name, const char *number)
{
	uint64_t n = 0;

	json_object_set_new(o, name,
			    *number && parse_uint64(str_from(number), INT64_MAX, &n, NULL) == 0
				? json_integer((json_int_t)n)
				: json_null());
}

static int list_run(void *arg, const struct lineage_listed *run, struct err *err)
{
	struct listed *l = arg;
	char at[20];

	(void)err;
	if (l->list) {
		json_t *o =
		    json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s,s:s,s:s?,s:b}", "run", run->run, "job",
			      run->job, "state", run->state, "started_at", run->started_at,
			      "ended_at", *run->ended_at ? run->ended_at : NULL, "inputs",
			      run->inputs, "outputs", run->outputs, "error_class",
			      *run->error_class ? run->error_class : NULL, "open", run->is_open);

		add_number(o, "rows_read", run->rows_read);
		add_number(o, "rows_written", run->rows_written);
		json_array_append_new(l->list, o);
		return 0;
	}
	(void)snprintf(at, sizeof(at), "%.19s", run->started_at);
	table_add(l->table,
		  (const char *const[]){run->run, run->job, at, run->state, run->rows_read,
					run->rows_written, run->error_class, run->outputs});
	return 0;
}

static int run_list(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"RUN",	 "JOB",	  "STARTED", "STATE", ">READ",
					     ">WRITTEN", "ERROR", "OUTPUTS", NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(table_freep) struct table *table = table_new(titles);
	_cleanup_(json_decrefp) json_t *list = json_array();
	struct listed l = {.table = table, .list = line->json ? list : NULL};
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	if (r == 0)
		r = lineage_list(db, command_text(line, "job"),
				 (size_t)command_number(line, "limit"), list_run, &l, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_incref(list), err);
	table_print(table, stdout);
	return cli_flush(err);
}

/* --- show ------------------------------------------------------------------------------------ */

static int show_event(void *arg, const struct lineage_shown *e, struct err *err)
{
	struct listed *l = arg;
	char at[20], exported[20];
	json_t *event;

	if (!l->list) {
		(void)snprintf(at, sizeof(at), "%.19s", e->time);
		(void)snprintf(exported, sizeof(exported), "%.19s", e->exported_at);
		table_add(l->table,
			  (const char *const[]){e->type, at, e->rows_read, e->rows_written,
						e->error_class, exported, e->gtid});
		return 0;
	}
	event = json_loadb(e->event.data, e->event.len, 0, NULL);
	if (!event)
		return err_set(err, ERR_CORRUPTED, "event %" PRIu64 " is no JSON", e->id);
	json_array_append_new(l->list, event);
	return 0;
}

static int run_show(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"EVENT", "AT",	  ">READ", ">WRITTEN",
					     "ERROR", "EXPORTED", "GTID",  NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(table_freep) struct table *table = table_new(titles);
	_cleanup_(json_decrefp) json_t *list = json_array();
	struct listed l = {.table = table, .list = line->json ? list : NULL};
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	if (r == 0)
		r = lineage_show(db, line->argv[0], show_event, &l, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_incref(list), err);
	table_print(table, stdout);
	return cli_flush(err);
}

/* --- impact ---------------------------------------------------------------------------------- */

/* "table Products.price"; of a whole dataset without a dot. */
static const char *column_text(const struct lineage_graph *g, size_t column, struct arena *arena)
{
	const struct lineage_column *c = &g->columns[column];
	const struct lineage_node *n = &g->nodes[c->node];

	return arena_printf(arena, "%s%s%s", n->name, *c->name ? "." : "", c->name);
}

struct shown {
	const struct command_line *line;
	struct cli_lineage_place p;
	json_t *list;
	struct table *table;
};

static void shown_done(struct shown *s)
{
	json_decref(s->list);
	table_free(s->table);
	cli_lineage_close(&s->p);
}

/* Of tables and views alone: what is read elsewhere is guarded by accounts of programs. */
static void find_readers(const struct shown *s, const struct lineage_column *c, const char *pii,
			 struct strbuf *b)
{
	const struct lineage_node *n = &s->p.graph->nodes[c->node];

	strbuf_clear(b);
	if (s->p.access && (n->kind == LINEAGE_TABLE || n->kind == LINEAGE_VIEW))
		dictionary_readers(s->p.access, n->name, *c->name ? pii : NULL, b);
}

static void show_reach(struct shown *s, const struct lineage_reach *reach)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(strbuf_done) struct strbuf readers = STRBUF_INIT(0);
	const struct lineage_graph *g = s->p.graph;
	const struct lineage_column *c = &g->columns[reach->column];
	const struct lineage_node *n = &g->nodes[c->node];
	const char *pii = reach->pii ? reach->pii : "open";
	const char *name = column_text(g, reach->column, &arena);
	const char *from = column_text(g, reach->from, &arena);

	if (n->is_passing)
		return;
	find_readers(s, c, pii, &readers);
	if (s->list)
		json_array_append_new(
		    s->list, json_pack("{s:s,s:s,s:s?,s:s,s:s,s:b,s:s?,s:s}", "kind",
				       lineage_kind_name(n->kind), "dataset", n->name, "column",
				       *c->name ? c->name : NULL, "from", from, "use",
				       lineage_use_name(reach->use), "direct", reach->is_direct,
				       "class", reach->pii, "readers", strbuf_str(&readers)));
	else
		table_add(s->table, (const char *const[]){lineage_kind_name(n->kind), name,
							  reach->is_direct ? "value" : "which rows",
							  reach->pii ? reach->pii : "-", from});
}

struct queued {
	struct shown *s;
	const char *table, *column;
	json_t *list;
	size_t n;
};

/* What the triggers do when this column changes. */
static void find_queues(struct queued *q)
{
	const struct mapping_set *set = &q->s->p.mappings;

	for (size_t i = 0; i < set->len; i++) {
		const struct mapping_fanout *fanouts;
		size_t n = mapping_fanouts(set->items[i], &fanouts);

		for (size_t j = 0; j < n; j++) {
			const struct mapping_fanout *f = &fanouts[j];

			if (!cstr_equal(f->table, q->table) ||
			    (*q->column && !cstr_equal(f->column, q->column)))
				continue;
			q->n++;
			if (q->list)
				json_array_append_new(
				    q->list, json_pack("{s:s,s:s,s:s,s:s,s:f}", "queue",
						       mapping_queue(set->items[i]), "collection",
						       mapping_collection(set->items[i]), "column",
						       f->column, "by", f->description, "documents",
						       f->documents));
			else
				printf("%s%s: %s, about %.0f document%s a row\n",
				       q->n == 1 ? "\nA change queues\n  " : "  ",
				       mapping_queue(set->items[i]), f->description, f->documents,
				       f->documents < 1.5 ? "" : "s");
		}
	}
}

static int run_impact(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"KIND", "WHAT DEPENDS ON IT", "BY", "CLASS", "FROM",
					     NULL};
	_cleanup_(shown_done) struct shown s = {.line = line, .table = table_new(titles)};
	struct lineage_reaches reaches = {0};
	const struct lineage_column *c;
	struct queued q = {.s = &s};
	size_t start = 0;
	int r = cli_lineage_open(line, ENDPOINT_ADMIN, &s.p, err);

	if (r == 0)
		r = lineage_parse_name(s.p.graph, line->argv[0], &start, err);
	if (r < 0)
		return r;
	c = &s.p.graph->columns[start];
	s.list = line->json ? json_array() : NULL;
	lineage_impact(s.p.graph, start, &reaches);
	for (size_t i = 0; i < reaches.len; i++)
		show_reach(&s, &reaches.items[i]);
	mem_free(reaches.items);
	q.table = s.p.graph->nodes[c->node].name;
	q.column = c->name;
	if (line->json) {
		_cleanup_(strbuf_done) struct strbuf readers = STRBUF_INIT(0);

		q.list = json_array();
		find_queues(&q);
		find_readers(&s, c, c->pii ? c->pii : "open", &readers);
		return cli_print_json(json_pack("{s:s,s:s,s:s?,s:s?,s:s,s:o,s:O}", "kind",
						lineage_kind_name(s.p.graph->nodes[c->node].kind),
						"dataset", s.p.graph->nodes[c->node].name, "column",
						*c->name ? c->name : NULL, "class", c->pii,
						"readers", strbuf_str(&readers), "queues", q.list,
						"impact", s.list),
				      err);
	}
	if (reaches.len)
		table_print(s.table, stdout);
	else
		printf("nothing depends on it\n");
	find_queues(&q);
	return cli_flush(err);
}

/* --- purge ----------------------------------------------------------------------------------- */

static int run_purge(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	const char *before = command_text(line, "before");
	uint64_t n = 0;
	int r;

	if (!before)
		return err_set(err, ERR_INVALID_ARGUMENT, "say until when: --before 2026-01-01");
	if (!cli_confirm(line, "This deletes lineage from before that day. Go on?"))
		return err_set(err, ERR_INTERRUPTED, "nothing was done");
	r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);
	if (r == 0)
		r = lineage_purge(db, before, &n, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I}", "purged", (json_int_t)n), err);
	printf("%" PRIu64 " event%s deleted\n", n, n == 1 ? "" : "s");
	return cli_flush(err);
}

/* --- the group ------------------------------------------------------------------------------- */

static const struct command_option list_options[] = {
    {.name = "job",
     .type = COMMAND_TEXT,
     .argument = "JOB",
     .help = "only of this job: load, sync.product_catalog"},
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 1,
     .max = 100000,
     .fallback = "30",
     .help = "how many, the newest first"},
    {0},
};
static const struct command_option purge_options[] = {
    CLI_OPTION_YES,
    {.name = "before",
     .type = COMMAND_TEXT,
     .argument = "DAY",
     .help = "what is older goes: 2026-01-01, UTC"},
    {0},
};

static const struct command command_lineage_list = {
    .name = "list",
    .summary = "the newest runs: what they made, and how they ended",
    .options = list_options,
    .run = run_list,
};
static const struct command command_lineage_show = {
    .name = "show",
    .summary = "the events of a run; with --json as OpenLineage has them",
    .arguments = "RUN",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};
static const struct command command_lineage_impact = {
    .name = "impact",
    .summary = "what depends on a column, a field or a table",
    .arguments = "NAME",
    .min_args = 1,
    .max_args = 1,
    .help = "Columns, fields and the index, through mappings, views, search rules and the "
	    "warehouse, each with the class of personal data that it carries along; and which "
	    "queues a change fills.\n\n"
	    "  aethermart lineage impact Products.price\n"
	    "  aethermart lineage impact product_catalog.category.name",
    .run = run_impact,
};
static const struct command command_lineage_purge = {
    .name = "purge",
    .summary = "deletes old events of runs that are over",
    .options = purge_options,
    .run = run_purge,
};

static const struct command *const children[] = {
    &command_lineage_list,
    &command_lineage_show,
    &command_lineage_impact,
    &command_lineage_purge,
    NULL,
};

const struct command command_lineage = {
    .name = "lineage",
    .summary = "where data comes from, and what depends on it",
    .children = children,
};
