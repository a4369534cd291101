/* Lists of verbs: see cli_list.h. */
#include "cli/cli_list.h"

#include "base/banned.h"

struct cli_list cli_list_new(const struct command_line *line, const char *const *titles)
{
	return (struct cli_list){.json = line->json ? json_array() : NULL,
				 .table = table_new(titles)};
}

int cli_list_print(struct cli_list *l, struct err *err)
{
	if (l->json)
		return cli_print_json(TAKE_PTR(l->json), err);
	table_print(l->table, stdout);
	return cli_flush(err);
}

void cli_list_done(struct cli_list *l)
{
	json_decref(l->json);
	l->table = table_free(l->table);
}
