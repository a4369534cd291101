/* `aethermart privacy`: personal data of one customer, and columns that look personal. */
#include "cli/cli_govern.h"

#include "base/table.h"
#include "govern/audit.h"
#include "govern/privacy.h"

#include <inttypes.h>

#include "base/banned.h"

/* --- show ------------------------------------------------------------------------------------ */

struct shown {
	uint64_t rows; /* of all tables */
	json_t *list;  /* with --json */
	struct table *table;
};

static json_t *value_json(const struct privacy_value *v)
{
	return json_pack("{s:s,s:I,s:s,s:s?,s:s,s:o}", "table", v->table, "row", (json_int_t)v->row,
			 "column", v->column, "class", v->pii, "seen", access_mask_name(v->mask),
			 "value", v->text.data ? cli_json_text(v->text) : json_null());
}

static int show_value(void *arg, const struct privacy_value *v, struct err *err)
{
	struct shown *s = arg;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
	char row[24];

	(void)err;
	s->rows += v->is_first;
	if (s->list) {
		json_array_append_new(s->list, value_json(v));
		return 0;
	}
	if (v->mask == ACCESS_HIDDEN)
		strbuf_addstr(&text, "(hidden)");
	else if (v->text.data)
		strbuf_add_visible(&text, v->text.data, v->text.len < 1024 ? v->text.len : 1024);
	(void)snprintf(row, sizeof(row), "%zu", v->row);
	table_add(s->table, (const char *const[]){v->table, row, v->column, v->pii ? v->pii : "-",
						  strbuf_str(&text)});
	return 0;
}

/* NULL, and the error: there is none. */
static const struct access_role *find_role(const struct access *a, const char *name,
					   struct err *err)
{
	_cleanup_(mem_freep) const char **names = mem_alloc_array(a->n_roles + 1, sizeof(*names));
	const char *near;

	for (size_t i = 0; i < a->n_roles; i++) {
		names[i] = a->roles[i].name;
		if (cstr_equal(names[i], name))
			return &a->roles[i];
	}
	near = cstr_nearest(name, names);
	(void)err_set(err, ERR_NOT_FOUND, "there is no role \"%.60s\"%s%s%s", name,
		      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	(void)err_hint(err, "`aethermart access show` lists them");
	return NULL;
}

static int run_show(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"TABLE", ">ROW", "COLUMN", "CLASS", "VALUE", NULL};
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	struct shown shown = {.table = table};
	const struct access_role *role;
	const char *name = command_text(line, "as");
	int r = 0;

	if (!name)
		return err_set(err, ERR_INVALID_ARGUMENT, "say whose eyes: --as ROLE");
	r = cli_govern_open(line, &g, err);
	if (r < 0)
		return r;
	role = find_role(g.access, name, err);
	if (!role)
		return -ERR_NOT_FOUND;
	shown.list = line->json ? json_array() : NULL;
	r = privacy_show(g.access, g.schema, g.db,
			 &(struct privacy_question){.clearance = role->clearance,
						    .subject = line->argv[0],
						    .fn = show_value,
						    .arg = &shown},
			 err);
	/* What was not written down is not shown. */
	if (r == 0)
		r = cli_govern_audit(g.db,
				     &(struct audit_event){.role = role->name,
							   .action = "privacy.show",
							   .object = g.access->subject_table,
							   .purpose = command_text(line, "purpose"),
							   .rows = shown.rows,
							   .outcome = "done",
							   .subject = line->argv[0]},
				     err);
	if (r < 0) {
		json_decref(shown.list);
		return r;
	}
	if (line->json)
		return cli_print_json(shown.list, err);
	table_print(table, stdout);
	return cli_flush(err);
}

/* --- detect ---------------------------------------------------------------------------------- */

struct found {
	json_t *list;
	struct table *table;
	size_t n;
};

static int show_finding(void *arg, const struct privacy_finding *f, struct err *err)
{
	struct found *s = arg;
	char why[64] = "its name";

	(void)err;
	s->n++;
	if (!f->by_name)
		(void)snprintf(why, sizeof(why), "%" PRIu64 " of %" PRIu64 " values", f->n_alike,
			       f->n_values);
	if (s->list)
		json_array_append_new(
		    s->list, json_pack("{s:s,s:s,s:s,s:s?,s:b,s:I,s:I}", "table", f->table,
				       "column", f->column, "looks_like", f->pii, "class",
				       f->classed, "by_name", f->by_name, "values",
				       (json_int_t)f->n_values, "alike", (json_int_t)f->n_alike));
	else
		table_add(s->table, (const char *const[]){f->table, f->column, f->pii, why,
							  f->classed ? f->classed : "-"});
	return 0;
}

static int run_detect(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"TABLE",	"COLUMN", "LOOKS LIKE",
					     "BECAUSE", "CLASS",  NULL};
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	struct found found = {.table = table};
	int r = cli_govern_open(line, &g, err);

	if (r < 0)
		return r;
	found.list = line->json ? json_array() : NULL;
	r = privacy_detect(g.access, g.schema, g.db, show_finding, &found, err);
	if (r < 0) {
		json_decref(found.list);
		return r;
	}
	if (line->json)
		return cli_print_json(found.list, err);
	table_print(table, stdout);
	printf("%s%zu column%s look%s personal and %s not classed so.\n", found.n ? "\n" : "",
	       found.n, found.n == 1 ? "" : "s", found.n == 1 ? "s" : "",
	       found.n == 1 ? "is" : "are");
	return cli_flush(err);
}

static const struct command_option show_options[] = {
    {.name = "as", .type = COMMAND_TEXT, .argument = "ROLE", .help = "whose eyes"},
    {.name = "purpose",
     .type = COMMAND_TEXT,
     .argument = "TEXT",
     .help = "for what, for the audit"},
    {0},
};

static const struct command command_privacy_show = {
    .name = "show",
    .summary = "what is held of a customer, as a role sees it",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = show_options,
    .run = run_show,
};
static const struct command command_privacy_detect = {
    .name = "detect",
    .summary = "columns that look personal and are not classed so",
    .help = "Judges the names of columns and the form of their first thousand values. A guess: a "
	    "column that is personal goes into mapping/*.yaml or rules/access.yaml with its class.",
    .run = run_detect,
};

static const struct command *const children[] = {
    &command_privacy_show,
    &command_privacy_detect,
    NULL,
};

const struct command command_privacy = {
    .name = "privacy",
    .summary = "personal data: whose, where, and who sees it",
    .children = children,
};
