/* `aethermart dictionary`: what each column is, whose, where it goes, who reads it. */
#include "cli/cli_govern.h"
#include "cli/cli_list.h"

#include "govern/dictionary.h"

#include "base/banned.h"

static int show_entry(void *arg, const struct dictionary_entry *e, struct err *err)
{
	struct cli_list *l = arg;

	(void)err;
	l->n++;
	if (l->json)
		json_array_append_new(
		    l->json, json_pack("{s:s,s:s,s:s,s:b,s:s,s:s?,s:s,s:s}", "table", e->table,
				       "column", e->column, "type", e->type, "nullable",
				       e->is_nullable, "meaning", e->meaning, "class", e->pii,
				       "fields", e->fields, "readers", e->readers));
	else
		table_add(l->table, (const char *const[]){e->table, e->column, e->type,
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
	struct cli_list *l = arg;

	if (l->json)
		return show_entry(arg, e, err);
	l->n++;
	show_column(e);
	return 0;
}

static int run(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"TABLE", "COLUMN", "TYPE", "CLASS", "MEANING", NULL};
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	const char *of = line->argc ? line->argv[0] : NULL;
	int r = cli_govern_open(line, &g, err);

	if (r == 0)
		r = dictionary_each(g.access, g.shop.schema, &g.shop.mappings, of,
				    of ? show_whole_entry : show_entry, &l, err);
	if (r == 0 && !l.n) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no table or view \"%.60s\"",
			      of ? of : "");
		r = err_near(err, of ? schema_nearest_table(g.shop.schema, of) : NULL);
	}
	return r < 0 ? r : cli_list_print(&l, err);
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
