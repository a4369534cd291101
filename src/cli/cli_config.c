/* `aethermart config`: what the options are, what they are set to, and where that came from. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/table.h"

#include "base/banned.h"

static bool is_wanted(const struct config_option *o, const char *wanted)
{
	size_t n = strlen(o->section);

	if (!wanted || cstr_equal(o->section, wanted))
		return true;
	return strncmp(o->section, wanted, n) == 0 && wanted[n] == '.' &&
	       cstr_equal(o->name, wanted + n + 1);
}

/* The option as it is read by programs: durations in milliseconds, sizes in bytes. */
static json_t *value_json(const struct config *config, const struct config_item *item)
{
	const struct config_option *o = item->option;
	_cleanup_(mem_freep) char *name = mem_printf("%s.%s", o->section, o->name);
	json_t *list;

	if (!item->value)
		return json_null();
	switch (o->flags & CONFIG_SECRET ? CONFIG_TEXT : o->type) {
	case CONFIG_INT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		return json_integer(config_int(config, name));
	case CONFIG_BOOL:
		return json_boolean(config_bool(config, name));
	case CONFIG_LIST:
		list = json_array();
		for (const char *const *s = config_list(config, name); *s; s++)
			json_array_append_new(list, json_string(*s));
		return list;
	case CONFIG_TEXT:
	case CONFIG_CHOICE:
		break;
	}
	return cli_json_text(str_from(item->value));
}

static int show_json(const struct config *config, const char *wanted, struct err *err)
{
	const struct config_item *items;
	size_t n = config_items(config, &items);
	json_t *json = json_object(), *options = json_object();

	json_object_set_new(json, "file", cli_json_text(str_from(config_file_path(config))));
	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = items[i].option;
		_cleanup_(mem_freep) char *name = mem_printf("%s.%s", o->section, o->name);

		if (!is_wanted(o, wanted))
			continue;
		json_object_set_new(options, name,
				    json_pack("{s:o, s:s}", "value", value_json(config, &items[i]),
					      "origin", items[i].origin));
	}
	json_object_set_new(json, "options", options);
	return cli_print_json(json, err);
}

static int nothing_wanted(const struct config *config, const char *wanted, struct err *err)
{
	const struct config_item *items;
	size_t n = config_items(config, &items);
	_cleanup_(arena_done) struct arena arena = {0};
	const char **names = arena_alloc(&arena, (2 * n + 1) * sizeof(*names));

	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = items[i].option;

		names[2 * i] = o->section;
		names[2 * i + 1] = arena_printf(&arena, "%s.%s", o->section, o->name);
	}
	(void)err_set(err, ERR_NOT_FOUND, "\"%s\" is neither a section nor an option", wanted);
	(void)err_near(err, cstr_nearest(wanted, names));
	return err_hint(err, "\"aethermart config show\" lists all of them");
}

static int run_show(const struct command_line *line, struct err *err)
{
	static const char *const plain[] = {"OPTION", "VALUE", NULL};
	static const char *const with_origin[] = {"OPTION", "VALUE", "ORIGIN", NULL};
	const char *wanted = line->argc ? line->argv[0] : NULL;
	_cleanup_(table_freep) struct table *table =
	    table_new(command_has(line, "origin") ? with_origin : plain);
	const struct config_item *items;
	size_t n = config_items(line->config, &items), shown = 0;

	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = items[i].option;
		_cleanup_(mem_freep) char *name = mem_printf("%s.%s", o->section, o->name);
		const char *cells[] = {name, items[i].value ? items[i].value : "-",
				       items[i].origin};

		if (!is_wanted(o, wanted))
			continue;
		table_add(table, cells);
		shown++;
	}
	if (!shown)
		return nothing_wanted(line->config, wanted, err);
	if (line->json)
		return show_json(line->config, wanted, err);
	table_print(table, stdout);
	return 0;
}

static int check_json(const char *path, const struct config_mistakes *m, struct err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->len; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:o, s:o}", "code", err_name((int)m->items[i].code),
				    "message", cli_json_text(str_from(m->items[i].message)), "hint",
				    cli_json_text(
					str_from(m->items[i].hint[0] ? m->items[i].hint : NULL))));
	return cli_print_json(
	    json_pack("{s:b, s:s?, s:o}", "ok", m->len == 0, "file", path, "mistakes", list), err);
}

static int check_text(const char *path, const struct config_mistakes *m, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	if (m->len > 1) {
		for (size_t i = 0; i < m->len; i++)
			cli_format_error(&m->items[i], false, &b);
		fputs(strbuf_str(&b), stderr);
	} else if (!m->len && path) {
		printf("%s: the configuration is valid\n", path);
	} else if (!m->len) {
		printf("no configuration file: environment and options are valid\n");
	}
	return cli_flush(err);
}

/* One mistake is the error of the program, as it is for every other verb. Of several all are
 * printed, and their number is the error; its class is the first one's. */
static int run_check(const struct command_line *line, struct err *err)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(config_mistakes_done) struct config_mistakes m = {0};
	const char *path;
	int r;

	config_check(cli_config_tables, line->config_path, line->flags, line->n_flags, &m, &config);
	path = config_file_path(config);
	r = line->json ? check_json(path, &m, err) : check_text(path, &m, err);
	if (r < 0 || !m.len)
		return r;
	if (m.len > 1)
		return err_set(err, m.items[0].code, "the configuration has %zu mistakes", m.len);
	*err = m.items[0];
	return -(int)err->code;
}

/* --- reference ------------------------------------------------------------------------------- */

static void add_cell(struct strbuf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			strbuf_addch(b, '\\');
		strbuf_addch(b, *text);
	}
}

static void add_code(struct strbuf *b, const char *text)
{
	strbuf_addstr(b, "`");
	add_cell(b, text);
	strbuf_addstr(b, "`");
}

static void document_option(const struct config_option *o, struct strbuf *b)
{
	struct strbuf allowed = STRBUF_INIT(1024);

	config_option_allowed(o, &allowed);
	strbuf_addstr(b, "| ");
	add_code(b, o->name);
	strbuf_addstr(b, " | ");
	add_cell(b, strbuf_str(&allowed));
	strbuf_addstr(b, " | ");
	if (o->fallback)
		add_code(b, o->fallback);
	strbuf_addstr(b, " | ");
	if (o->environment)
		add_code(b, o->environment);
	strbuf_addstr(b, " | ");
	add_cell(b, o->help);
	if (o->flags & CONFIG_PATH)
		strbuf_addstr(b, " In the file, a relative path starts at the file's folder.");
	if (o->flags & CONFIG_SECRET)
		strbuf_addstr(b, " Secret: never printed, refused on the command line.");
	strbuf_addstr(b, " |\n");
	strbuf_done(&allowed);
}

static const char reference_head[] =
    "# Configuration\n"
    "\n"
    "Made by `aethermart config docs` from the program's own tables; do not edit it by hand.\n"
    "\n"
    "`aethermart` reads one YAML file: the one that `--config FILE` names, else\n"
    "`aethermart.yaml` in the current folder when it exists. It has one map a section:\n"
    "\n"
    "```yaml\n"
    "log:\n"
    "  level: debug\n"
    "```\n"
    "\n"
    "What the environment says goes before the file, and an option of the command line\n"
    "(`--log.level debug`) before both. Lists are YAML lists in the file and separated by commas\n"
    "elsewhere. `aethermart config show --origin` prints every value and where it came from,\n"
    "`aethermart config check` lists all that is wrong, also what is named and cannot be read. A\n"
    "key that does not exist, a value of the wrong type or out of range is an error that names\n"
    "file, line and column.\n"
    "\n"
    "A key without a value and an empty environment variable leave an option as it is. Secrets\n"
    "come from the environment or from a file that only its owner may read.\n";

void cli_config_docs(const struct config *config, struct strbuf *b)
{
	const struct config_item *items;
	size_t n = config_items(config, &items);

	strbuf_addstr(b, reference_head);
	for (size_t i = 0; i < n; i++) {
		const char *section = items[i].option->section;
		size_t first = 0;

		while (!cstr_equal(items[first].option->section, section))
			first++;
		if (first < i) /* its section is written already */
			continue;
		strbuf_addf(b,
			    "\n## `%s`\n\n"
			    "| option | value | default | environment | meaning |\n"
			    "| --- | --- | --- | --- | --- |\n",
			    section);
		for (size_t k = i; k < n; k++) {
			if (cstr_equal(items[k].option->section, section))
				document_option(items[k].option, b);
		}
	}
}

static int run_docs(const struct command_line *line, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4 << 20);
	int r;

	cli_config_docs(line->config, &b);
	r = strbuf_check(&b, "the reference", err);
	if (r < 0)
		return r;
	fputs(strbuf_str(&b), stdout);
	return 0;
}

static const struct command show = {
    .name = "show",
    .summary = "every option and its value",
    .arguments = "[SECTION | SECTION.NAME]",
    .max_args = 1,
    .options =
	(const struct command_option[]){
	    {.name = "origin", .help = "also where each value came from"}, {0}},
    .help = "Secrets read \"(secret)\". With --json, durations are in milliseconds and sizes in "
	    "bytes; the origin is always there.\n"
	    "\n"
	    "  aethermart config show log --origin\n",
    .run = run_show,
};

static const struct command check = {
    .name = "check",
    .summary = "whether file, environment and options are valid",
    .help = "Everything that is wrong is named with file, line and column, and what would be "
	    "allowed.",
    .run = run_check,
    .no_config = true,
};

static const struct command docs = {
    .name = "docs",
    .summary = "the reference of all options, as Markdown",
    .run = run_docs,
    .hidden = true,
};

static const struct command *const children[] = {&show, &check, &docs, NULL};

const struct command command_config = {
    .name = "config",
    .summary = "shows and checks the configuration",
    .children = children,
};
