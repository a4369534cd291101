/* `aethermart dictionary`: what each column is, whose, where it goes, who reads it. */
#include "cli/cli_govern.h"

#include "base/table.h"
#include "govern/dictionary.h"

#include "base/banned.h"

struct shown {
	json_t *list; /* with --json */
	struct table *table;
	size_t n;
};

static int show_entry(void *arg, const struct dictionary_entry *e, struct err *err)
{
	struct shown *s = arg;

	(void)err;
	s->n++;
	if (s->list)
		json_array_append_new(
		    s->list, json_pack("{s:s,s:s,s:s,s:b,s:s,s:s?,s:s,s:s}", "table", e->table,
				       "column", e->column, "type", e->type, "nullable",
				       e->is_nullable, "meaning", e->meaning, "class", e->pii,
				       "fields", e->fields, "readers", e->readers));
	else
		table_add(s->table, (const char *const[]){e->table, e->column, e->type,
							  e->pii ? e->pii : "-", e->meaning});
	return 0;
}

static void show_column(const struct dictionary_entry *e)
{
	cli_print_wrapped(4, "%s.%s %s%s", e->table, e->column, e->type,
			  e->is_nullable ? "" : " NOT NULL");
	if (*e->meaning)
		cli_print_wrapped(2, "  %s", e->meaning);
	cli_print_wrapped(11, "  class    %s", e->pii ? e->pii : "none");
	cli_print_wrapped(11, "  fields   %s", *e->fields ? e->fields : "none");
	cli_print_wrapped(11, "  readers  %s", *e->readers ? e->readers : "none");
}

static int show_whole_entry(void *arg, const struct dictionary_entry *e, struct err *err)
{
	struct shown *s = arg;

	if (s->list)
		return show_entry(arg, e, err);
	s->n++;
	show_column(e);
	return 0;
}

static int run(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"TABLE", "COLUMN", "TYPE", "CLASS", "MEANING", NULL};
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	struct shown s = {.table = table};
	const char *of = line->argc ? line->argv[0] : NULL;
	int r = cli_govern_open(line, &g, err);

	if (r < 0)
		return r;
	s.list = line->json ? json_array() : NULL;
	r = dictionary_each(g.access, g.schema, &g.mappings, of, of ? show_whole_entry : show_entry,
			    &s, err);
	if (r == 0 && !s.n) {
		const char *near = of ? schema_nearest_table(g.schema, of) : NULL;

		r = err_set(err, ERR_NOT_FOUND, "there is no table or view \"%.60s\"%s%s%s",
			    of ? of : "", near ? "; did you mean \"" : "", near ? near : "",
			    near ? "\"?" : "");
	}
	if (r < 0) {
		json_decref(s.list);
		return r;
	}
	if (line->json)
		return cli_print_json(s.list, err);
	table_print(table, stdout);
	return cli_flush(err);
}

const struct command command_dictionary = {
    .name = "dictionary",
    .summary = "what each column is, whose data, where it goes, who reads it",
    .arguments = "[TABLE]",
    .max_args = 1,
    .help = "Of all tables a line a column; of one table all that is known of each. Table "
	    "data_dictionary, which `access apply` writes, has the same for who asks by SQL.\n\n"
	    "  aethermart dictionary Customers",
    .run = run,
};
