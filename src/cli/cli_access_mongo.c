/* The rules of access in MongoDB, for `aethermart access` and `aethermart doctor`. */
#include "cli/cli_access_mongo.h"

#include "cluster/state.h"

#include "base/banned.h"

/* A run-time folder without a state has passwords of people in it, and no server. */
int cli_has_mongo(const struct command_line *line, bool *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct state s = {0};
	int r;

	*ret = !endpoint_is_embedded_mongo(line->config);
	if (*ret)
		return 0;
	r = state_read(endpoint_var_dir(line->config, &arena), &arena, &s, err);
	if (r == -ERR_NOT_FOUND) {
		err_clear(err);
		return 0;
	}
	*ret = r == 0 && s.mongodb.dir;
	return r;
}

static int open_server(const struct command_line *line, struct cli_govern *g,
		       struct cli_access_mongo *m, struct err *err)
{
	int r = endpoint_mongo(line->config, ENDPOINT_ADMIN, &m->arena, &m->options, err);

	m->options.pool_max = 1; /* a verb is one thread */
	if (r == 0)
		r = mongo_open(&m->options, &m->mongo, err);
	m->server = (struct access_mongo_server){m->mongo, &m->options, g->shop.db};
	return r;
}

int cli_access_mongo_open(const struct command_line *line, struct cli_govern *g,
			  struct cli_access_mongo *ret, struct err *err)
{
	const char *breach = NULL;
	bool is_there = false;
	int r = cli_has_mongo(line, &is_there, err);

	if (r < 0 || !is_there)
		return r;
	r = open_server(line, g, ret, err);
	if (r == 0)
		r = access_mongo_probe(&ret->server, &breach, err);
	if (r == 0)
		r = access_mongo_plan(g->access, &g->shop.mappings, &ret->server, breach,
				      &ret->plan, err);
	ret->is_there = r == 0;
	return r < 0 ? err_context(err, "access in MongoDB") : 0;
}

void cli_access_mongo_done(struct cli_access_mongo *m)
{
	access_mongo_done(&m->plan);
	m->mongo = mongo_close(m->mongo);
	arena_done(&m->arena);
}

int cli_access_mongo_compare(const struct cli_access_mongo *m, struct access_diff *ret,
			     struct err *err)
{
	*ret = (struct access_diff){0};
	return m->is_there ? access_mongo_compare(&m->plan, &m->server, ret, err) : 0;
}

size_t cli_access_mongo_count(const struct cli_access_mongo *m, enum access_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < m->plan.wanted.n; i++)
		n += m->plan.wanted.items[i].kind == kind;
	return n;
}

const char *cli_access_mongo_note(struct cli_access_mongo *m)
{
	if (!m->is_there)
		return "MongoDB: there is none yet, and nobody has a right in it.";
	if (!m->plan.breach && m->plan.n_bound)
		return arena_printf(&m->arena,
				    "MongoDB keeps accounts to their rights, but not to hosts: %zu "
				    "people of one host have no account there.",
				    m->plan.n_bound);
	if (!m->plan.breach)
		return "MongoDB keeps accounts to their rights: people have what the file says.";
	return arena_printf(&m->arena,
			    "MongoDB: %s; only who has everything has an account there, %zu people "
			    "have none.",
			    m->plan.breach, m->plan.n_withheld + m->plan.n_bound);
}
