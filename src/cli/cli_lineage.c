/* Lineage of verbs: see cli_lineage.h. */
#include "cli/cli_lineage.h"

#include "base/logger.h"
#include "cli/cli_govern.h"
#include "cli/cli_index.h"
#include "search/search_rules.h"

#include "base/banned.h"

struct cli_lineage {
	struct cli_lineage_place p;
	struct lineage_run run;
	struct lineage_io io; /* of the job, in the place's arena */
};

/* --- the place ------------------------------------------------------------------------------- */

/* How events call a server: by its first host, or, of one without a name of its own, by the
 * namespace. */
static int name_maria(const struct command_line *line, struct cli_lineage_place *p, struct err *err)
{
	const char *const *hosts = config_list(line->config, "mariadb.hosts");
	struct maria_host host;
	int r;

	p->place.maria = arena_printf(&p->arena, "mysql://%s", p->place.job_namespace);
	if (!hosts || !hosts[0])
		return 0;
	r = maria_parse_host(hosts[0], (unsigned)config_int(line->config, "mariadb.port"),
			     &p->arena, &host, err);
	if (r == 0)
		p->place.maria = arena_printf(
		    &p->arena, strchr(host.name, ':') ? "mysql://[%s]:%u" : "mysql://%s:%u",
		    host.name, host.port);
	return r;
}

/* "mongodb://HOSTS/DATABASE?OPTIONS", with an account before the hosts that has no password. */
static void name_mongo(const struct command_line *line, struct cli_lineage_place *p)
{
	const char *uri = config_text(line->config, "mongodb.uri");
	const char *hosts = uri ? strstr(uri, "://") : NULL, *at;
	size_t len;

	p->place.mongo = arena_printf(&p->arena, "mongodb://%s", p->place.job_namespace);
	if (!hosts)
		return;
	hosts += 3;
	len = strcspn(hosts, "/?");
	at = memchr(hosts, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - hosts);
		hosts = at + 1;
	}
	p->place.mongo = arena_printf(&p->arena, "mongodb://%.*s", (int)len, hosts);
}

/* What does not fit, or may not be read, says nothing: events have the rest. */
static void open_optional(const struct command_line *line, struct cli_lineage_place *p)
{
	const struct access_databases databases = {.shop = p->shop.schema,
						   .warehouse = p->place.warehouse};
	struct access *access = NULL;
	struct search_rules *rules = NULL;

	if (access_load(cli_access_rules(line, &p->arena), &access, NULL) == 0 &&
	    access_bind(access, &p->shop.mappings, &databases, p->shop.db, NULL) == 0)
		p->access = TAKE_PTR(access);
	(void)access_free(access);
	if (search_rules_load(cli_index_rules_path(line, &p->arena), &rules, NULL) == 0 &&
	    search_rules_bind(rules, &p->shop.mappings, NULL) == 0)
		p->rules = TAKE_PTR(rules);
	(void)search_rules_free(rules);
}

int cli_lineage_open(const struct command_line *line, enum endpoint_role role,
		     struct cli_lineage_place *p, struct err *err)
{
	struct lineage_parts parts = {0};
	int r = cli_shop_open(line, role, &p->shop, err);

	p->place = (struct lineage_place){
	    .version = AETHERMART_VERSION,
	    .job_namespace = config_text(line->config, "lineage.namespace"),
	    .database = config_text(line->config, "mariadb.database"),
	    .mongo_database = config_text(line->config, "mongodb.database"),
	    .warehouse = config_text(line->config, "warehouse.database"),
	};
	name_mongo(line, p);
	if (r == 0)
		r = name_maria(line, p, err);
	if (r < 0)
		return r;
	open_optional(line, p);
	parts = (struct lineage_parts){.schema = p->shop.schema,
				       .mappings = &p->shop.mappings,
				       .access = p->access,
				       .rules = p->rules,
				       .db = p->shop.db,
				       .warehouse = p->place.warehouse};
	r = lineage_graph_new(&parts, &p->graph, err);
	p->place.graph = p->graph;
	return r;
}

void cli_lineage_close(struct cli_lineage_place *p)
{
	p->graph = lineage_graph_free(p->graph);
	p->rules = search_rules_free(p->rules);
	p->access = access_free(p->access);
	cli_shop_close(&p->shop);
	arena_done(&p->arena);
}

/* --- a run ----------------------------------------------------------------------------------- */

static void warn(struct err *err)
{
	logger_error(LOGGER_WARN, "lineage", "not written", err);
	err_clear(err);
}

static struct cli_lineage *lineage_free(struct cli_lineage *l)
{
	if (l) {
		cli_lineage_close(&l->p);
		mem_free(l);
	}
	return NULL;
}

struct cli_lineage *cli_lineage_new(const struct command_line *line, enum endpoint_role role)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	struct cli_lineage *l = NULL;
	bool has_table = false;
	struct err err = {0};
	int r;

	if (!config_bool(line->config, "lineage.enabled"))
		return NULL;
	/* What keeps us from the server keeps the verb, too: it tells. */
	if (cli_open_maria(line, role, &db, NULL) < 0 ||
	    maria_has_table(db, "Lineage_Runs", &has_table, NULL) < 0 || !has_table)
		return NULL;
	l = MEM_NEW(struct cli_lineage);
	r = cli_lineage_open(line, role, &l->p, &err);
	if (r < 0) {
		warn(&err);
		return lineage_free(l);
	}
	return l;
}

const struct lineage_graph *cli_lineage_graph(const struct cli_lineage *l)
{
	return l->p.graph;
}

static const struct lineage_dataset *copy(struct arena *arena, const struct lineage_dataset *list,
					  size_t n)
{
	struct lineage_dataset *copied = arena_alloc(arena, (n + 1) * sizeof(*copied));

	for (size_t i = 0; i < n; i++) {
		copied[i] = list[i];
		copied[i].name = arena_strdup(arena, list[i].name);
	}
	return copied;
}

static bool has(const struct lineage_dataset *list, size_t n, const struct lineage_dataset *d)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].kind == d->kind && cstr_equal(list[i].name, d->name))
			return true;
	return false;
}

static void find_inputs(struct cli_lineage *l)
{
	const struct lineage_graph *g = l->p.graph;
	struct lineage_dataset *all = arena_alloc(&l->p.arena, (g->n_nodes + 1) * sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < l->io.n_outputs; i++) {
		const struct lineage_dataset *d = &l->io.outputs[i], *list = NULL;
		size_t k = lineage_inputs(g, d->kind, d->name, &l->p.arena, &list);

		/* A table of the warehouse that another one is made of is an output itself. */
		for (size_t j = 0; j < k; j++)
			if (!has(all, n, &list[j]) &&
			    !has(l->io.outputs, l->io.n_outputs, &list[j]))
				all[n++] = list[j];
	}
	l->io.inputs = all;
	l->io.n_inputs = n;
}

void cli_lineage_start(struct cli_lineage *l, const struct lineage_job *job)
{
	struct lineage_job begun = *job;
	struct err err = {0};

	if (!l)
		return;
	l->io = job->io;
	l->io.inputs = copy(&l->p.arena, job->io.inputs, job->io.n_inputs);
	l->io.outputs = copy(&l->p.arena, job->io.outputs, job->io.n_outputs);
	if (!l->io.n_inputs)
		find_inputs(l);
	begun.io = l->io;
	if (lineage_run_begin(l->p.shop.db, &l->p.place, &begun, &l->run, &err) < 0)
		warn(&err);
}

struct cli_lineage *cli_lineage_begin(const struct command_line *line, enum endpoint_role role,
				      const struct lineage_job *job)
{
	struct cli_lineage *l = cli_lineage_new(line, role);

	cli_lineage_start(l, job);
	return l;
}

void cli_lineage_end(struct cli_lineage *l, const struct lineage_io *io, int r,
		     const struct err *err)
{
	struct lineage_io all = {0};
	struct err why = {0};

	if (!l)
		return;
	all = io ? *io : l->io;
	if (!all.n_inputs) {
		all.inputs = l->io.inputs;
		all.n_inputs = l->io.n_inputs;
	}
	if (!all.n_outputs) {
		all.outputs = l->io.outputs;
		all.n_outputs = l->io.n_outputs;
	}
	if (lineage_run_end(l->p.shop.db, &l->p.place, &l->run, &all,
			    &(struct lineage_outcome){r, r < 0 ? err : NULL}, &why) < 0)
		warn(&why);
	(void)lineage_free(l);
}
