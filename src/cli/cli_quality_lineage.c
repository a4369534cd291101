/*
 * Results of checks as assertions of OpenLineage: a run of job "quality" whose inputs are the
 * tables, collections and indexes that were looked at. A check that could not be judged asserts
 * nothing, nor does one that is of no table or collection. Nothing here fails a run: what could not
 * be written is told as a warning, as with all lineage.
 */
#include "cli/cli_lineage.h"
#include "cli/cli_quality.h"

#include "base/logger.h"

#include "base/banned.h"

/* As those are called that Great Expectations and dbt write, where there is such a one. */
static const char *assertion_of(enum quality_kind kind)
{
	static const char *const names[QUALITY_KINDS] = {
	    [QUALITY_ROW_COUNT] = "row_count",
	    [QUALITY_MISSING] = "not_null",
	    [QUALITY_UNIQUE] = "unique",
	    [QUALITY_INVALID] = "valid",
	    [QUALITY_REFERENCE] = "relationships",
	    [QUALITY_FRESHNESS] = "freshness",
	    [QUALITY_SCHEMA] = "schema",
	    [QUALITY_DISTRIBUTION] = "distribution",
	    [QUALITY_RECONCILIATION] = "reconciliation",
	    [QUALITY_SQL] = "sql",
	};

	return names[kind];
}

struct teller {
	struct arena arena;
	struct lineage_dataset *items;
	size_t n;
};

static struct lineage_dataset *find_dataset(struct teller *t, enum lineage_kind kind,
					    const char *name)
{
	struct lineage_dataset *d;

	for (size_t i = 0; i < t->n; i++)
		if (t->items[i].kind == kind && cstr_equal(t->items[i].name, name))
			return &t->items[i];
	d = &t->items[t->n++];
	*d = (struct lineage_dataset){.kind = kind, .name = name};
	return d;
}

static void add_assertion(struct teller *t, struct lineage_dataset *d,
			  const struct quality_result *r, bool success)
{
	const struct quality_check *c = r->check;
	struct lineage_assertion *list =
	    arena_alloc(&t->arena, (d->n_assertions + 1) * sizeof(*list));

	if (d->n_assertions)
		memcpy(list, d->assertions, d->n_assertions * sizeof(*list));
	list[d->n_assertions++] = (struct lineage_assertion){
	    .assertion = assertion_of(c->kind),
	    .column = c->field		  ? c->field
		      : c->n_columns == 1 ? c->columns[0]
					  : NULL,
	    .name = c->name,
	    .severity = c->is_warning ? "warn" : "error",
	    .success = success,
	};
	d->assertions = list;
}

/* Whether a column of the table is among what drifted. */
static bool has_drifted(const struct quality_result *r, const char *table)
{
	size_t len = strlen(table);

	for (size_t i = 0; i < r->n_keys; i++)
		if (strncmp(r->keys[i], table, len) == 0 && r->keys[i][len] == '.')
			return true;
	return r->failed > r->n_keys; /* the rest is not known by name */
}

static void add_result(struct teller *t, const struct quality_result *r)
{
	const struct quality_check *c = r->check;

	if (r->outcome == QUALITY_ERROR)
		return;
	if (c->table)
		add_assertion(t, find_dataset(t, LINEAGE_TABLE, c->table), r,
			      r->outcome == QUALITY_PASSED);
	else if (c->collection)
		add_assertion(
		    t,
		    find_dataset(t, c->store == QUALITY_INDEX ? LINEAGE_INDEX : LINEAGE_COLLECTION,
				 c->collection),
		    r, r->outcome == QUALITY_PASSED);
	for (size_t i = 0; c->kind == QUALITY_SCHEMA && c->tables && c->tables[i]; i++)
		add_assertion(t, find_dataset(t, LINEAGE_TABLE, c->tables[i]), r,
			      !has_drifted(r, c->tables[i]));
}

static size_t count_datasets(const struct quality_run *run)
{
	size_t n = run->n;

	for (size_t i = 0; i < run->n; i++)
		for (size_t j = 0;
		     run->results[i].check->tables && run->results[i].check->tables[j]; j++)
			n++;
	return n;
}

void cli_quality_tell(const struct command_line *line, const struct quality_run *run)
{
	struct cli_lineage_place place = {0};
	struct teller t = {0};
	struct err err = {0};
	int r;

	if (!config_bool(line->config, "lineage.enabled"))
		return;
	t.items = arena_alloc(&t.arena, (count_datasets(run) + 1) * sizeof(*t.items));
	for (size_t i = 0; i < run->n; i++)
		add_result(&t, &run->results[i]);
	r = cli_lineage_open(line, ENDPOINT_ADMIN, &place, &err);
	if (r == 0 && t.n)
		r = lineage_quality_event(place.shop.db, &place.place, t.items, t.n, &err);
	if (r < 0)
		logger_error(LOGGER_WARN, "lineage", "what was checked is not recorded", &err);
	cli_lineage_close(&place);
	arena_done(&t.arena);
}
