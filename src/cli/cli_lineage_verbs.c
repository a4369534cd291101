/* `aethermart lineage`: which run made which data of which, and what depends on what. */
#include "cli/cli_lineage.h"
#include "cli/cli_list.h"

#include "base/file.h"
#include "govern/dictionary.h"
#include "govern/lineage_export.h"
#include "govern/lineage_trace.h"

#include <inttypes.h>
#include <signal.h>

#include "base/banned.h"

#define WIDTH	  80 /* of a terminal */

#define GRAPH_MAX ((size_t)16 << 20)
#define TOKEN_MAX 4096

/* --- list ------------------------------------------------------------------------------------ */

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
	struct cli_list *l = arg;
	char at[20];

	(void)err;
	if (l->json) {
		json_t *o =
		    json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s,s:s,s:s?,s:b}", "run", run->run, "job",
			      run->job, "state", run->state, "started_at", run->started_at,
			      "ended_at", *run->ended_at ? run->ended_at : NULL, "inputs",
			      run->inputs, "outputs", run->outputs, "error_class",
			      *run->error_class ? run->error_class : NULL, "open", run->is_open);

		add_number(o, "rows_read", run->rows_read);
		add_number(o, "rows_written", run->rows_written);
		json_array_append_new(l->json, o);
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
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	if (r == 0)
		r = lineage_list(db, command_text(line, "job"),
				 (size_t)command_number(line, "limit"), list_run, &l, err);
	return r < 0 ? r : cli_list_print(&l, err);
}

/* --- show ------------------------------------------------------------------------------------ */

static int show_event(void *arg, const struct lineage_shown *e, struct err *err)
{
	struct cli_list *l = arg;
	char at[20], exported[20];
	json_t *event;

	if (!l->json) {
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
	json_array_append_new(l->json, event);
	return 0;
}

static int run_show(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"EVENT", "AT",	  ">READ", ">WRITTEN",
					     "ERROR", "EXPORTED", "GTID",  NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	if (r == 0)
		r = lineage_show(db, line->argv[0], show_event, &l, err);
	return r < 0 ? r : cli_list_print(&l, err);
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
	json_t *list; /* NULL: text is printed */
};

static void shown_done(struct shown *s)
{
	json_decref(s->list);
	cli_lineage_close(&s->p);
}

/* Of tables and views alone: what is read elsewhere is guarded by accounts of programs. */
static void find_readers(const struct shown *s, const struct lineage_column *c, struct strbuf *b)
{
	const struct lineage_node *n = &s->p.graph->nodes[c->node];
	const char *classes[LINEAGE_CLASSES] = {*c->name ? "open" : NULL};
	size_t n_classes = lineage_class_names(c->classes, classes);

	strbuf_clear(b);
	if (s->p.access && (n->kind == LINEAGE_TABLE || n->kind == LINEAGE_VIEW))
		dictionary_readers(s->p.access, n->name, classes, n_classes ? n_classes : 1, b);
}

static json_t *classes_json(const struct lineage_column *c)
{
	const char *names[LINEAGE_CLASSES];
	size_t n = lineage_class_names(c->classes, names);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static json_t *reach_json(const struct shown *s, const struct lineage_reach *reach)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(strbuf_done) struct strbuf readers = STRBUF_INIT(0);
	const struct lineage_graph *g = s->p.graph;
	const struct lineage_column *c = &g->columns[reach->column];
	const struct lineage_node *n = &g->nodes[c->node];

	find_readers(s, c, &readers);
	return json_pack("{s:s,s:s,s:s?,s:s,s:s,s:b,s:o,s:s}", "kind", lineage_kind_name(n->kind),
			 "dataset", n->name, "column", *c->name ? c->name : NULL, "from",
			 column_text(g, reach->from, &arena), "use", lineage_use_name(reach->use),
			 "direct", reach->is_direct, "classes", classes_json(c), "readers",
			 strbuf_str(&readers));
}

static void print_reach(const struct lineage_graph *g, const struct lineage_reach *reach)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const struct lineage_column *c = &g->columns[reach->column];
	const char *names[LINEAGE_CLASSES], *before = "  ";
	size_t n = lineage_class_names(c->classes, names);

	printf("  %-11s%s", lineage_kind_name(g->nodes[c->node].kind),
	       column_text(g, reach->column, &arena));
	if (!reach->is_direct) {
		printf("  which rows");
		before = ", ";
	}
	for (size_t i = 0; i < n; i++, before = ", ")
		printf("%s%s", before, names[i]);
	printf("\n");
}

/* Under what each is made of: names are long, and a table would be cut to the terminal. */
static void print_reaches(const struct lineage_graph *g, const struct lineage_reaches *reaches)
{
	_cleanup_(mem_freep) bool *is_printed = mem_alloc_array(reaches->len + 1, 1);
	_cleanup_(arena_done) struct arena arena = {0};

	for (size_t i = 0; i < reaches->len; i++) {
		size_t from = reaches->items[i].from;

		if (is_printed[i])
			continue;
		printf("From %s\n", column_text(g, from, &arena));
		for (size_t j = i; j < reaches->len; j++) {
			if (is_printed[j] || reaches->items[j].from != from)
				continue;
			print_reach(g, &reaches->items[j]);
			is_printed[j] = true;
		}
	}
	if (!reaches->len)
		printf("nothing depends on it\n");
}

/* Routines of the servers, by name or as JSON. */
static json_t *show_routines(const struct shown *s, size_t start,
			     const struct lineage_reaches *reaches)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const struct lineage_reader *list;
	size_t n = lineage_readers(s->p.graph, start, reaches, &arena, &list);
	json_t *json = s->list ? json_array() : NULL;

	if (n && !json)
		printf("\nRead by\n");
	for (size_t i = 0; i < n; i++) {
		const char *column = column_text(s->p.graph, list[i].column, &arena);

		if (json)
			json_array_append_new(json, json_pack("{s:s,s:s}", "routine",
							      list[i].routine, "column", column));
		else if (s->p.graph->columns[list[i].column].node ==
			 s->p.graph->columns[start].node)
			printf("  %s\n", list[i].routine);
		else
			printf("  %s, from %s\n", list[i].routine, column);
	}
	return json;
}

struct queued {
	struct shown *s;
	const char *table, *column;
	json_t *list;
	struct arena arena;
	struct map seen; /* lines: of a whole table several columns say the same */
};

static void queued_done(struct queued *q)
{
	map_done(&q->seen);
	arena_done(&q->arena);
}

/* The way of a change, broken at the width of a terminal. */
static void print_way(const char *way)
{
	size_t column = strlen("    by ");

	printf("    by ");
	while (*way) {
		const char *arrow = strstr(way, " > ");
		size_t n = arrow ? (size_t)(arrow - way) + strlen(" > ") : strlen(way);

		if (column + n > WIDTH) {
			printf("\n       ");
			column = strlen("    by ");
		}
		printf("%.*s", (int)n, way);
		column += n;
		way += n;
	}
	printf("\n");
}

static void print_queue(struct queued *q, const struct mapping *m, const struct mapping_fanout *f)
{
	const char *text =
	    arena_printf(&q->arena, "%s, about %.0f document%s a row", mapping_queue(m),
			 f->documents, f->documents < 1.5 ? "" : "s");
	void **slot =
	    map_put(&q->seen, str_from(arena_printf(&q->arena, "%s %s", text, f->description)));

	if (*slot)
		return;
	*slot = q;
	printf("%s  %s\n", q->seen.len == 1 ? "\nA change queues\n" : "", text);
	print_way(f->description);
}

/* What the triggers do when this column changes. */
static void find_queues(struct queued *q)
{
	const struct mapping_set *set = &q->s->p.shop.mappings;

	for (size_t i = 0; i < set->len; i++) {
		const struct mapping_fanout *fanouts;
		size_t n = mapping_fanouts(set->items[i], &fanouts);

		for (size_t j = 0; j < n; j++) {
			const struct mapping_fanout *f = &fanouts[j];

			if (!cstr_equal(f->table, q->table) ||
			    (*q->column && !cstr_equal(f->column, q->column)))
				continue;
			if (q->list)
				json_array_append_new(
				    q->list, json_pack("{s:s,s:s,s:s,s:s,s:f}", "queue",
						       mapping_queue(set->items[i]), "collection",
						       mapping_collection(set->items[i]), "column",
						       f->column, "by", f->description, "documents",
						       f->documents));
			else
				print_queue(q, set->items[i], f);
		}
	}
}

static int print_impact(struct shown *s, size_t start, const struct lineage_reaches *reaches,
			struct err *err)
{
	const struct lineage_column *c = &s->p.graph->columns[start];
	const struct lineage_node *n = &s->p.graph->nodes[c->node];
	_cleanup_(queued_done) struct queued q = {.s = s, .table = n->name, .column = c->name};
	_cleanup_(strbuf_done) struct strbuf readers = STRBUF_INIT(0);

	if (!s->list) {
		print_reaches(s->p.graph, reaches);
		(void)show_routines(s, start, reaches);
		find_queues(&q);
		return cli_flush(err);
	}
	for (size_t i = 0; i < reaches->len; i++)
		json_array_append_new(s->list, reach_json(s, &reaches->items[i]));
	q.list = json_array();
	find_queues(&q);
	find_readers(s, c, &readers);
	return cli_print_json(
	    json_pack("{s:s,s:s,s:s?,s:o,s:s,s:o,s:o,s:O}", "kind", lineage_kind_name(n->kind),
		      "dataset", n->name, "column", *c->name ? c->name : NULL, "classes",
		      classes_json(c), "readers", strbuf_str(&readers), "routines",
		      show_routines(s, start, reaches), "queues", q.list, "impact", s->list),
	    err);
}

static int run_impact(const struct command_line *line, struct err *err)
{
	_cleanup_(shown_done) struct shown s = {.line = line};
	struct lineage_reaches reaches = {0};
	size_t start = 0;
	int r = cli_lineage_open(line, ENDPOINT_ADMIN, &s.p, err);

	if (r == 0)
		r = lineage_parse_name(s.p.graph, line->argv[0], &start, err);
	if (r < 0)
		return r;
	s.list = line->json ? json_array() : NULL;
	lineage_impact(s.p.graph, start, &reaches);
	r = print_impact(&s, start, &reaches, err);
	mem_free(reaches.items);
	return r;
}

/* --- graph ----------------------------------------------------------------------------------- */

static json_t *picture_json(const struct lineage_picture *p)
{
	json_t *nodes = json_array(), *links = json_array();

	for (size_t i = 0; i < p->g->n_nodes; i++) {
		const struct lineage_node *n = &p->g->nodes[i];

		if (p->is_shown[i])
			json_array_append_new(nodes,
					      json_pack("{s:s,s:s,s:I,s:b}", "kind",
							lineage_kind_name(n->kind), "name", n->name,
							"columns", (json_int_t)n->n_columns - 1,
							"personal", lineage_is_personal(p->g, i)));
	}
	for (size_t i = 0; i < p->n_links; i++) {
		const struct lineage_node *from = &p->g->nodes[p->links[i].from];
		const struct lineage_node *to = &p->g->nodes[p->links[i].to];

		json_array_append_new(links, json_pack("{s:[s,s],s:[s,s],s:b}", "from",
						       lineage_kind_name(from->kind), from->name,
						       "to", lineage_kind_name(to->kind), to->name,
						       "direct", p->links[i].is_direct));
	}
	return json_pack("{s:o,s:o}", "datasets", nodes, "edges", links);
}

static int draw(const struct command_line *line, const struct cli_lineage_place *place,
		struct lineage_picture *p, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(GRAPH_MAX);
	const char *format = line->json ? "json" : command_text(line, "format");
	size_t only = 0;
	int r = line->argc ? lineage_parse_name(place->graph, line->argv[0], &only, err) : 0;

	if (r < 0)
		return r;
	lineage_picture_init(p, place->graph, line->argc ? &only : NULL);
	if (cstr_equal(format, "json"))
		return cli_print_json(picture_json(p), err);
	if (cstr_equal(format, "svg"))
		lineage_picture_svg(p, &b);
	else if (cstr_equal(format, "dot"))
		lineage_picture_dot(p, &b);
	else
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "--format is \"%s\"; it has to be dot, svg or json", format);
	fputs(strbuf_str(&b), stdout);
	r = strbuf_check(&b, "the picture", err);
	return r < 0 ? r : cli_flush(err);
}

static int run_graph(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_lineage_close) struct cli_lineage_place place = {0};
	_cleanup_(lineage_picture_done) struct lineage_picture picture = {0};
	int r = cli_lineage_open(line, ENDPOINT_ADMIN, &place, err);

	return r < 0 ? r : draw(line, &place, &picture, err);
}

/* --- trace ----------------------------------------------------------------------------------- */

struct traced {
	struct arena arena;
	struct maria *db;
	struct mongo *mongo;
	struct mapping_set mappings;
	struct lineage_trace trace;
};

static void traced_done(struct traced *t)
{
	lineage_trace_done(&t->trace);
	mapping_set_done(&t->mappings);
	t->mongo = mongo_close(t->mongo);
	t->db = maria_close(t->db);
	arena_done(&t->arena);
}

static int trace(const struct command_line *line, struct traced *t, const struct mapping **ret,
		 struct err *err)
{
	const char *name = line->argv[0], *slash = strchr(name, '/');
	struct str key;
	int r;

	if (!slash || !slash[1]) {
		(void)err_set(err, ERR_INVALID_ARGUMENT, "\"%.100s\" names no document", name);
		return err_hint(err, "COLLECTION/ID: product_catalog/123");
	}
	name = arena_strndup(&t->arena, name, (size_t)(slash - name));
	r = cli_open_maria(line, ENDPOINT_ADMIN, &t->db, err);
	if (r == 0)
		r = cli_load_mappings(line, t->db, &t->mappings, err);
	if (r < 0)
		return r;
	*ret = mapping_set_find(&t->mappings, name);
	if (!*ret) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no collection \"%.100s\"", name);
		return err_near(err, cli_nearest_collection(&t->mappings, name));
	}
	r = mapping_key_parse(*ret, slash + 1, &t->arena, &key, err);
	if (r == 0 && mapping_has_target(*ret))
		r = cli_open_mongo(line, ENDPOINT_ADMIN, &t->mongo, err);
	return r == 0 ? lineage_trace(*ret, t->db, t->mongo, key, &t->trace, err) : r;
}

static json_t *rows_json(const struct lineage_trace *t)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < t->n_rows; i++)
		json_array_append_new(rows,
				      json_pack("{s:s,s:s,s:o,s:b}", "field", t->rows[i].field,
						"table", t->rows[i].table, "key",
						cli_json_text(str_from(t->rows[i].key)), "more",
						t->rows[i].is_cut));
	return rows;
}

static json_t *trace_json(const struct mapping *m, const struct lineage_trace *t)
{
	json_t *document = json_pack("{s:b,s:s?,s:s?,s:s?,s:I}", "exists", t->has_document,
				     "mapping_version", t->version, "written_at", t->written_at,
				     "left_at", t->left_at, "term", (json_int_t)t->term);
	json_t *mapping =
	    json_pack("{s:s?,s:I,s:b,s:s?,s:s?,s:s?}", "hash", t->mapping_hash, "version",
		      (json_int_t)t->mapping_version, "is_current", t->is_current, "state",
		      t->state, "installed_at", t->installed_at, "migrated_at", t->migrated_at);
	json_t *change = json_pack(
	    "{s:b,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?}", "is_kept", !t->is_forgotten,
	    "source", t->source, "batch_at", t->batch_at, "first_queued_at", t->first_queued_at,
	    "last_queued_at", t->last_queued_at, "run", t->run, "after", t->after, "after_gtid",
	    t->after_gtid, "until", t->until, "until_gtid", t->until_gtid);

	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:I,s:s?,s:o}", "collection", mapping_collection(m),
			 "key", cli_json_text(str_from(t->key)), "document", document, "mapping",
			 mapping, "change", change, "pending", (json_int_t)t->pending,
			 "dead_letter", t->dead_letter, "rows", rows_json(t));
}

static void print_document(const struct lineage_trace *t)
{
	if (t->written_at)
		printf("document  written %s by mapping %s%s, term %" PRId64 "\n", t->written_at,
		       t->version ? t->version : "?",
		       t->is_current ? ", the present one" : ", which is not the present one",
		       t->term);
	else if (t->left_at)
		printf("document  its row left at %s; what others added to it stays\n", t->left_at);
	else
		printf("document  %s\n",
		       t->has_document ? "is there, but was not made by the sync" : "is not there");
	if (t->mapping_hash)
		printf("mapping   %.12s, version %" PRId64 ", installed %s, %s\n", t->mapping_hash,
		       t->mapping_version, t->installed_at ? t->installed_at : "?",
		       t->state ? t->state : "?");
}

static void print_positions(const struct lineage_trace *t)
{
	if (t->is_forgotten)
		printf("change    what the sync noted of it is no longer kept (sync.audit_days)\n");
	else if (!t->until && t->written_at)
		printf("          no event of a run of the sync tells of it, or not yet\n");
	if (!t->until)
		return;
	printf("run       %s, until %s\n", t->run, t->until);
	if (t->until_gtid)
		printf("          committed in the binary log behind %s, up to %s\n",
		       t->after_gtid ? t->after_gtid : "its beginning", t->until_gtid);
}

static void print_change(const struct lineage_trace *t)
{
	if (t->source) {
		printf("change    by the %s", t->source);
		if (t->first_queued_at)
			printf(", in a batch queued between %s and %s", t->first_queued_at,
			       t->last_queued_at);
		printf("\n");
	}
	print_positions(t);
	if (t->pending)
		printf("pending   %" PRId64 " change%s not carried yet\n", t->pending,
		       t->pending == 1 ? " is" : "s are");
	if (t->dead_letter)
		printf("refused   %s\n", t->dead_letter);
}

static int run_trace(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"ROW OF", "KEY", "READ INTO", NULL};
	_cleanup_(traced_done) struct traced t = {0};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	const struct mapping *m = NULL;
	int r = trace(line, &t, &m, err);

	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(trace_json(m, &t.trace), err);
	print_document(&t.trace);
	print_change(&t.trace);
	printf("\n");
	for (size_t i = 0; i < t.trace.n_rows; i++) {
		const struct lineage_row *row = &t.trace.rows[i];

		table_add(table, (const char *const[]){row->table, row->key,
						       row->is_cut ? "... and more" : row->field});
	}
	table_print(table, stdout);
	return cli_flush(err);
}

/* --- export ---------------------------------------------------------------------------------- */

static volatile int stops; /* for the signal handler */

static void on_signal(int number)
{
	(void)number;
	stops = 1;
}

static int read_token(const char *path, struct strbuf *ret, struct err *err)
{
	int r = path ? file_read(path, ret, err) : 0;

	if (r < 0)
		return err_context(err, "reading the token");
	strbuf_truncate(ret, strcspn(strbuf_str(ret), "\r\n"));
	if (path && !ret->len)
		return err_set(err, ERR_INVALID_ARGUMENT, "token file \"%s\" is empty", path);
	return 0;
}

static int run_export(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(strbuf_done) struct strbuf token = STRBUF_INIT(TOKEN_MAX);
	struct sigaction action = {.sa_handler = on_signal};
	struct lineage_export how = {
	    .url = command_text(line, "url"),
	    .since = command_text(line, "since"),
	    .all = command_has(line, "all"),
	    .retry_ms = command_number(line, "retry") * 1000,
	    .stops = &stops,
	};
	uint64_t n = 0;
	int r;

	if (!how.url) {
		(void)err_set(err, ERR_INVALID_ARGUMENT, "say where to: --url URL");
		return err_hint(err, "Marquez listens at http://HOST:5000/api/v1/lineage");
	}
	r = read_token(command_text(line, "token-file"), &token, err);
	if (r < 0)
		return r;
	how.token = token.len ? strbuf_str(&token) : NULL;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);
	if (r == 0)
		r = lineage_export(db, &how, &n, err);
	if (r < 0)
		return n ? err_context(err, "after %" PRIu64 " event%s", n, n == 1 ? "" : "s") : r;
	if (line->json)
		return cli_print_json(json_pack("{s:I}", "exported", (json_int_t)n), err);
	printf("%" PRIu64 " event%s exported\n", n, n == 1 ? "" : "s");
	return cli_flush(err);
}

/* --- purge ----------------------------------------------------------------------------------- */

static int run_purge(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	const char *before;
	uint64_t n = 0;
	int r = cli_day_before(line, &before, err);

	if (r == 0)
		r = cli_ask(line, "This deletes lineage from before that day. Go on?", err);
	if (r == 0)
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
    CLI_OPTION_NEWEST("30"),
    {0},
};
static const struct command_option purge_options[] = {CLI_OPTION_YES, CLI_OPTION_BEFORE, {0}};

static const struct command_option graph_options[] = {
    {.name = "format",
     .type = COMMAND_TEXT,
     .argument = "dot|svg|json",
     .fallback = "dot",
     .help = "dot is Graphviz's language; --json means json"},
    {0},
};
static const struct command_option export_options[] = {
    {.name = "url", .type = COMMAND_TEXT, .argument = "URL", .help = "where events are posted to"},
    {.name = "token-file",
     .type = COMMAND_TEXT,
     .argument = "FILE",
     .help = "a file with the token that the endpoint wants"},
    {.name = "since",
     .type = COMMAND_TEXT,
     .argument = "DAY",
     .help = "only events from this day on: 2026-01-01, UTC"},
    {.name = "all", .type = COMMAND_FLAG, .help = "also those that were exported before"},
    {.name = "retry",
     .type = COMMAND_NUMBER,
     .argument = "SECONDS",
     .fallback = "30",
     .max = 86400,
     .help = "how long an event is tried again while the endpoint is away"},
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
static const struct command command_lineage_graph = {
    .name = "graph",
    .summary = "which dataset is made of which, as a picture",
    .arguments = "[NAME]",
    .max_args = 1,
    .options = graph_options,
    .help =
	"All of them, or what a table, view or collection is made of and what is made of it.\n\n"
	"  aethermart lineage graph --format svg > lineage.svg\n"
	"  aethermart lineage graph Products --format dot",
    .run = run_graph,
};
static const struct command command_lineage_trace = {
    .name = "trace",
    .summary = "from which rows, change and mapping a document comes, and when",
    .arguments = "COLLECTION/ID",
    .min_args = 1,
    .max_args = 1,
    .help = "Rows by table and primary key, as they join now; no values.\n\n"
	    "  aethermart lineage trace product_catalog/123",
    .run = run_trace,
};
static const struct command command_lineage_export = {
    .name = "export",
    .summary = "sends events to an endpoint of OpenLineage",
    .options = export_options,
    .help = "In order, those that were not sent yet. An export that was interrupted goes on where "
	    "it was.\n\n"
	    "  aethermart lineage export --url http://localhost:5000/api/v1/lineage",
    .run = run_export,
};
static const struct command command_lineage_purge = {
    .name = "purge",
    .summary = "deletes old events of runs that are over",
    .options = purge_options,
    .run = run_purge,
};

static const struct command *const children[] = {
    &command_lineage_list,  &command_lineage_show,
    &command_lineage_trace, &command_lineage_impact,
    &command_lineage_graph, &command_lineage_export,
    &command_lineage_purge, NULL,
};

const struct command command_lineage = {
    .name = "lineage",
    .summary = "where data comes from, and what depends on it",
    .children = children,
};
