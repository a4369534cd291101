/* Following the server's own audit, with the roles of rules/access.yaml. */
#include "cli/cli_witness.h"
#include "cli/cli_govern.h"

#include "cluster/layout.h"

#include <sys/stat.h>

#include "base/banned.h"

const char *cli_witness_dir(const struct command_line *line, struct arena *arena)
{
	const char *named = config_text(line->config, "audit.dir");

	if (named || !endpoint_is_embedded_maria(line->config))
		return named;
	return layout_audit(
	    arena, arena_printf(arena, "%s/mariadb", endpoint_var_dir(line->config, arena)));
}

/* Rules with a mistake leave those from before. */
static void read_rules(struct cli_witness *w, const char *path)
{
	struct access *access = NULL;
	struct stat st;
	int64_t changed;

	if (stat(path, &st) < 0)
		return;
	changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (changed == w->rules_changed_ns)
		return;
	w->rules_changed_ns = changed;
	if (access_load(path, &access, NULL) < 0)
		return;
	access_free(w->access);
	w->access = access;
}

static const char *role_of(void *arg, const char *user)
{
	const struct cli_witness *w = arg;

	for (size_t i = 0; w->access && i < w->access->n_people; i++)
		if (cstr_equal(w->access->people[i].name, user))
			return w->access->people[i].role->name;
	return NULL;
}

static bool goes_on(void *arg)
{
	const struct cli_witness *w = arg;

	return !w->goes_on || w->goes_on(w->arg);
}

int cli_witness_follow(struct cli_witness *w, const struct command_line *line, struct maria *db,
		       uint64_t *ret_rows, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct rbac_follow follow = {
	    .dir = cli_witness_dir(line, &arena), .role_of = role_of, .goes_on = goes_on, .arg = w};

	*ret_rows = 0;
	if (!follow.dir)
		return 0;
	read_rules(w, cli_access_rules(line, &arena));
	return rbac_audit_follow(db, &follow, ret_rows, err);
}

void cli_witness_done(struct cli_witness *w)
{
	access_free(w->access);
}
