/*
 * The command line: see command.h.
 *
 * One pass over the words. Words that are no option walk down the tree until a leaf is reached;
 * from then on they are its arguments. Options of the leaf are looked up by name in its table,
 * global ones and those with a dot (configuration) everywhere.
 */
#include "base/command.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <inttypes.h>

#include "base/banned.h"

#define HELP_WIDTH	 80
#define HELP_NAME_COLUMN 26 /* where the descriptions of a list start */

static const struct command_option globals[] = {
    {.name = "config",
     .type = COMMAND_TEXT,
     .argument = "FILE",
     .help = "the configuration (default: ./aethermart.yaml when it exists)"},
    {.name = "json", .help = "results as JSON on stdout; an error as one JSON object on stderr"},
    {.name = "quiet", .help = "no progress, only warnings and errors"},
    {.name = "verbose", .help = "log more"},
    {.name = "help", .help = "this text"},
    {0},
};

struct parser {
	const struct command *root;
	struct command_line *line;
	char **argv;
	int argc, i;
	struct strbuf path;
	struct err *err;
};

/* "aethermart sync run" for messages. */
static const char *full_path(const struct parser *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", p->root->name, p->path.len ? " " : "", strbuf_str(&p->path));
	return buf;
}

static int point_to_help(const struct parser *p)
{
	char path[128];

	return err_hint(p->err, "see \"%s --help\"", full_path(p, path, sizeof(path)));
}

/* --- options --------------------------------------------------------------------------------- */

static size_t count_options(const struct command_option *options)
{
	size_t n = 0;

	while (options && options[n].name)
		n++;
	return n;
}

static const struct command_option *find_option(const struct command_option *options,
						const char *name, size_t len)
{
	for (; options && options->name; options++) {
		if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
			return options;
	}
	return NULL;
}

/* The text after '=' or the next word; NULL (and an error) when there is neither. */
static const char *option_value(struct parser *p, const char *name, const char *equals,
				const char *argument)
{
	if (equals)
		return equals + 1;
	if (p->i + 1 < p->argc && strncmp(p->argv[p->i + 1], "--", 2) != 0)
		return p->argv[++p->i];
	(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"--%.*s\" needs a value (%s)",
		      (int)strcspn(name, "="), name, argument ? argument : "a text");
	return NULL;
}

static int set_global(struct parser *p, const struct command_option *o, const char *equals)
{
	struct command_line *l = p->line;

	if (o->type != COMMAND_FLAG) { /* --config */
		if (l->config_path) {
			(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"--%s\" is given twice",
				      o->name);
			return point_to_help(p);
		}
		l->config_path = option_value(p, o->name, equals, o->argument);
		return l->config_path ? 0 : point_to_help(p);
	}
	if (equals) {
		(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"--%s\" takes no value", o->name);
		return point_to_help(p);
	}
	l->json |= cstr_equal(o->name, "json");
	l->quiet |= cstr_equal(o->name, "quiet");
	l->verbose |= cstr_equal(o->name, "verbose");
	l->help |= cstr_equal(o->name, "help");
	return 0;
}

static int check_number(const struct command_option *o, const char *text, int64_t *ret,
			struct err *err)
{
	int64_t max = o->min == 0 && o->max == 0 ? INT64_MAX : o->max;

	if (parse_int64(str_from(text), o->min, max, ret, err) < 0)
		return err_context(err, "\"--%s\"", o->name);
	return 0;
}

/* Names of files are bytes; all else goes to servers and files that want UTF-8. */
static const char *text_value(struct parser *p, const struct command_option *o, const char *equals)
{
	const char *value = option_value(p, o->name, equals, o->argument);
	bool is_path = o->argument && (str_starts(str_from(o->argument), "FILE") ||
				       cstr_equal(o->argument, "DIR"));

	if (!value || is_path || utf8_is_valid(value, strlen(value)))
		return value;
	(void)err_set(p->err, ERR_INVALID_ARGUMENT, "the value of \"--%s\" is no UTF-8", o->name);
	return NULL;
}

static int add_more(struct parser *p, const struct command_option *o, const char *equals)
{
	struct command_line *l = p->line;
	const char *value = text_value(p, o, equals);

	if (!value)
		return point_to_help(p);
	if (l->n_more == COMMAND_FLAGS_MAX)
		return err_set(p->err, ERR_LIMIT, "\"--%s\" is given more than %d times", o->name,
			       COMMAND_FLAGS_MAX);
	l->more[l->n_more++] = (struct command_more){(size_t)(o - l->command->options), value};
	return 0;
}

static int set_option(struct parser *p, const struct command_option *o, const char *equals)
{
	const char **value = &p->line->values[o - p->line->command->options];
	int64_t number;

	if (*value && o->type == COMMAND_LIST)
		return add_more(p, o, equals);
	if (*value && o->type != COMMAND_FLAG) {
		(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"--%s\" is given twice", o->name);
		return point_to_help(p);
	}
	if (o->type == COMMAND_FLAG) {
		if (equals) {
			(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"--%s\" takes no value",
				      o->name);
			return point_to_help(p);
		}
		*value = "";
		return 0;
	}
	*value = text_value(p, o, equals);
	if (!*value)
		return point_to_help(p);
	if (o->type == COMMAND_NUMBER && check_number(o, *value, &number, p->err) < 0)
		return point_to_help(p);
	return 0;
}

static int set_config_flag(struct parser *p, const char *name, const char *equals)
{
	struct command_line *l = p->line;
	const char *value;

	if (l->n_flags == COMMAND_FLAGS_MAX)
		return err_set(p->err, ERR_LIMIT,
			       "more than %d configuration options on the command line",
			       COMMAND_FLAGS_MAX);
	value = option_value(p, name, equals, "VALUE");
	if (!value)
		return point_to_help(p);
	/* argv is not ours to cut at the '=' */
	name = equals ? mem_strndup(name, (size_t)(equals - name)) : mem_strdup(name);
	l->flags[l->n_flags++] = (struct config_flag){.name = name, .value = value};
	return 0;
}

static int unknown_option(struct parser *p, const char *name, size_t len)
{
	const struct command_option *own = p->line->command->options;
	size_t n = 0, n_own = count_options(own);
	_cleanup_(mem_freep) const char **names =
	    mem_alloc_array(n_own + ARRAY_LEN(globals), sizeof(*names));
	_cleanup_(mem_freep) char *word = mem_strndup(name, len);
	const char *near;

	for (size_t i = 0; i < n_own; i++)
		names[n++] = own[i].name;
	for (size_t i = 0; globals[i].name; i++)
		names[n++] = globals[i].name;
	near = cstr_nearest(word, names);
	(void)err_set(p->err, ERR_INVALID_ARGUMENT, "unknown option \"--%s\"%s%s%s", word,
		      near ? "; did you mean \"--" : "", near ? near : "", near ? "\"?" : "");
	return point_to_help(p);
}

static int take_long_option(struct parser *p)
{
	const char *name = p->argv[p->i] + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct command_option *o = find_option(p->line->command->options, name, len);

	if (o)
		return set_option(p, o, equals);
	o = find_option(globals, name, len);
	if (o)
		return set_global(p, o, equals);
	if (memchr(name, '.', len))
		return set_config_flag(p, name, equals);
	return unknown_option(p, name, len);
}

/* The only flag that begins with the letter; NULL when there is none or more than one. */
static const struct command_option *flag_of_letter(const struct command_option *options, char c)
{
	const struct command_option *found = NULL;

	for (const struct command_option *o = options; o && o->name; o++) {
		if (o->type != COMMAND_FLAG || o->name[0] != c)
			continue;
		if (found)
			return NULL;
		found = o;
	}
	return found;
}

static int take_short_option(struct parser *p)
{
	const char *word = p->argv[p->i];
	const struct command_option *o;

	if (cstr_equal(word, "-h")) {
		p->line->help = true;
		return 0;
	}
	if (!word[2] && (o = flag_of_letter(p->line->command->options, word[1])))
		return set_option(p, o, NULL);
	(void)err_set(p->err, ERR_INVALID_ARGUMENT, "unknown option \"%s\"", word);
	return point_to_help(p);
}

/* --- words ----------------------------------------------------------------------------------- */

static const struct command *find_child(const struct command *c, const char *word)
{
	for (const struct command *const *child = c->children; child && *child; child++) {
		if ((*child)->name[0] && cstr_equal((*child)->name, word))
			return *child;
	}
	return NULL;
}

/* Names of the visible children, NULL-terminated; release with mem_free(). */
static const char **child_names(const struct command *c)
{
	size_t n = 0;
	const char **names;

	while (c->children[n])
		n++;
	names = mem_alloc_array(n + 1, sizeof(*names));
	n = 0;
	for (const struct command *const *child = c->children; *child; child++) {
		if ((*child)->name[0] && !(*child)->hidden)
			names[n++] = (*child)->name;
	}
	return names;
}

static int unknown_command(struct parser *p, const char *word)
{
	_cleanup_(mem_freep) const char **names = child_names(p->line->command);

	(void)err_set(p->err, ERR_INVALID_ARGUMENT, "%s%sunknown command \"%s\"",
		      strbuf_str(&p->path), p->path.len ? ": " : "", word);
	(void)err_near(p->err, cstr_nearest(word, names));
	return point_to_help(p);
}

static void enter(struct parser *p, const struct command *c)
{
	struct command_line *l = p->line;

	l->command = c;
	if (p->path.len)
		strbuf_addch(&p->path, ' ');
	strbuf_addstr(&p->path, c->name);
	mem_free(l->values);
	l->values = mem_alloc_array(count_options(c->options) + 1, sizeof(*l->values));
}

static int take_word(struct parser *p)
{
	const char *word = p->argv[p->i];
	const struct command *child = find_child(p->line->command, word);

	if (child && p->line->argc == 0) {
		enter(p, child);
		return 0;
	}
	if (!p->line->command->run)
		return unknown_command(p, word);
	p->line->arg_buffer[p->line->argc++] = word;
	return 0;
}

static int check_count(struct parser *p)
{
	const struct command *c = p->line->command;
	const char *wanted = c->arguments ? c->arguments : "no arguments";
	int n = p->line->argc;

	if (n < c->min_args) {
		(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"%s\" needs %s; %d given",
			      strbuf_str(&p->path), wanted, n);
		return point_to_help(p);
	}
	if (c->max_args >= 0 && n > c->max_args) {
		(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"%s\" takes %s; \"%s\" is too much",
			      strbuf_str(&p->path), wanted, p->line->argv[c->max_args]);
		return point_to_help(p);
	}
	return 0;
}

static int missing_command(struct parser *p)
{
	_cleanup_(mem_freep) const char **names = child_names(p->line->command);
	_cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT(ERR_MESSAGE_MAX / 2);
	char path[128];

	for (const char **s = names; *s; s++)
		strbuf_addf(&list, "%s%s", s == names ? "" : ", ", *s);
	(void)err_set(p->err, ERR_INVALID_ARGUMENT, "\"%s\" needs a command: %s",
		      full_path(p, path, sizeof(path)), strbuf_str(&list));
	return point_to_help(p);
}

static int parse_words(struct parser *p)
{
	for (p->i = 1; p->i < p->argc; p->i++) {
		const char *word = p->argv[p->i];
		int r;

		if (cstr_equal(word, "--")) {
			while (++p->i < p->argc)
				p->line->arg_buffer[p->line->argc++] = p->argv[p->i];
			break;
		}
		if (cstr_equal(word, "--version") && p->line->command == p->root &&
		    find_child(p->root, "version")) {
			enter(p, find_child(p->root, "version"));
			continue;
		}
		if (strncmp(word, "--", 2) == 0)
			r = take_long_option(p);
		else if (word[0] == '-' && word[1])
			r = take_short_option(p);
		else
			r = take_word(p);
		if (r < 0)
			return r;
	}
	if (p->line->help)
		return 0;
	return p->line->command->run ? check_count(p) : missing_command(p);
}

int command_parse(const struct command *root, int argc, char **argv, struct command_line *line,
		  struct err *err)
{
	struct err scratch;
	struct parser p = {
	    .root = root, .line = line, .argv = argv, .argc = argc, .err = err ? err : &scratch};
	int r;

	*line = (struct command_line){.command = root};
	line->arg_buffer = mem_alloc_array(argc > 0 ? (size_t)argc : 1, sizeof(*line->arg_buffer));
	line->argv = line->arg_buffer;
	line->values = mem_alloc_array(count_options(root->options) + 1, sizeof(*line->values));
	r = parse_words(&p);
	line->path = line->path_buffer = strbuf_take(&p.path);
	return r;
}

void command_line_done(struct command_line *line)
{
	for (size_t i = 0; i < line->n_flags; i++) {
		void *name;

		memcpy(&name, &line->flags[i].name, sizeof(name)); /* made by set_config_flag() */
		mem_free(name);
	}
	mem_free(line->values);
	mem_free(line->arg_buffer);
	mem_free(line->path_buffer);
	*line = (struct command_line){0};
}

/* --- access ---------------------------------------------------------------------------------- */

static const char *value_of(const struct command_line *line, const char *option,
			    const struct command_option **ret)
{
	*ret = find_option(line->command->options, option, strlen(option));
	bug_if(!*ret);
	return line->values[*ret - line->command->options];
}

bool command_has(const struct command_line *line, const char *option)
{
	const struct command_option *o;

	return value_of(line, option, &o) != NULL;
}

const char *command_text(const struct command_line *line, const char *option)
{
	const struct command_option *o;
	const char *value = value_of(line, option, &o);

	return value ? value : o->fallback;
}

size_t command_list(const struct command_line *line, const char *option, const char **ret)
{
	const struct command_option *o = NULL;
	const char *first = value_of(line, option, &o);
	size_t n = 0;

	if (first)
		ret[n++] = first;
	for (size_t i = 0; i < line->n_more; i++) {
		if (&line->command->options[line->more[i].option] == o)
			ret[n++] = line->more[i].value;
	}
	return n;
}

int64_t command_number(const struct command_line *line, const char *option)
{
	const struct command_option *o;
	const char *value = value_of(line, option, &o);
	int64_t number = 0;

	bug_if(o->type != COMMAND_NUMBER);
	if (!value)
		value = o->fallback;
	bug_if(value && check_number(o, value, &number, NULL) < 0);
	return number;
}

/* --- help ------------------------------------------------------------------------------------ */

/* Words of `text` from `column` on, wrapped at HELP_WIDTH and continued at `indent`. */
static void print_wrapped(FILE *f, struct str text, size_t column, size_t indent)
{
	bool first = true;

	while (text.len) {
		const char *space = memchr(text.data, ' ', text.len);
		size_t len = space ? (size_t)(space - text.data) : text.len;

		if (len) {
			if (!first && column + 1 + len > HELP_WIDTH) {
				fprintf(f, "\n%*s", (int)indent, "");
				column = indent;
			} else if (!first) {
				fputc(' ', f);
				column++;
			}
			fwrite(text.data, 1, len, f);
			column += len;
			first = false;
		}
		text.data += len;
		text.len -= len;
		if (text.len) /* the space */
			text.data++, text.len--;
	}
	fputc('\n', f);
}

static void print_entry(FILE *f, const char *name, const char *text)
{
	size_t used = strlen(name) + 2;

	fprintf(f, "  %s", name);
	if (used + 2 > HELP_NAME_COLUMN)
		fprintf(f, "\n%*s", HELP_NAME_COLUMN, "");
	else
		fprintf(f, "%*s", (int)(HELP_NAME_COLUMN - used), "");
	print_wrapped(f, str_from(text), HELP_NAME_COLUMN, HELP_NAME_COLUMN);
}

static void print_options(FILE *f, const struct command_option *options)
{
	for (; options && options->name; options++) {
		struct strbuf name = STRBUF_INIT(256), text = STRBUF_INIT(4096);

		strbuf_addf(&name, "--%s%s%s", options->name, options->argument ? " " : "",
			    options->argument ? options->argument : "");
		strbuf_addstr(&text, options->help ? options->help : "");
		if (options->fallback)
			strbuf_addf(&text, " (default: %s)", options->fallback);
		print_entry(f, strbuf_str(&name), strbuf_str(&text));
		strbuf_done(&name);
		strbuf_done(&text);
	}
}

/* Lines that start with white space are printed as they are, others are joined and wrapped. */
static void print_paragraphs(FILE *f, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf paragraph = STRBUF_INIT(1 << 16);

	while (*text) {
		const char *end = strchrnul(text, '\n');
		bool verbatim = *text == ' ' || *text == '\t' || end == text;

		if (verbatim && paragraph.len) {
			print_wrapped(f, strbuf_slice(&paragraph), 0, 0);
			strbuf_clear(&paragraph);
		}
		if (verbatim) {
			fprintf(f, "%.*s\n", (int)(end - text), text);
		} else {
			if (paragraph.len)
				strbuf_addch(&paragraph, ' ');
			strbuf_add(&paragraph, text, (size_t)(end - text));
		}
		text = *end ? end + 1 : end;
	}
	if (paragraph.len)
		print_wrapped(f, strbuf_slice(&paragraph), 0, 0);
}

/* A heading under which no visible command stands is left out. */
static bool is_empty_heading(const struct command *const *heading)
{
	while (*++heading && (*heading)->hidden)
		;
	return !*heading || !(*heading)->name[0];
}

static void print_children(FILE *f, const struct command *c)
{
	bool has_heading = c->children[0] && !c->children[0]->name[0];

	fprintf(f, "%s", has_heading ? "" : "\nCommands:\n");
	for (const struct command *const *child = c->children; *child; child++) {
		if ((*child)->hidden)
			continue;
		if ((*child)->name[0])
			print_entry(f, (*child)->name, (*child)->summary);
		else if (!is_empty_heading(child))
			fprintf(f, "\n%s:\n", (*child)->summary);
	}
}

void command_print_help(const struct command *root, const struct command_line *line, FILE *f)
{
	const struct command *c = line->command;

	fprintf(f, "Usage: %s%s%s", root->name, line->path[0] ? " " : "", line->path);
	if (c->children)
		fprintf(f, "%s", c->run ? " [COMMAND]" : " COMMAND");
	if (c->options && c->options->name)
		fprintf(f, " [OPTIONS]");
	fprintf(f, "%s%s\n\n", c->arguments ? " " : "", c->arguments ? c->arguments : "");
	print_wrapped(f, str_from(c->summary), 0, 0);
	if (c->help) {
		fputc('\n', f);
		print_paragraphs(f, c->help);
	}
	if (c->children)
		print_children(f, c);
	if (c->options && c->options->name) {
		fprintf(f, "\nOptions:\n");
		print_options(f, c->options);
	}
	if (c != root) {
		fprintf(f, "\nGlobal options: see \"%s --help\".\n", root->name);
		return;
	}
	fprintf(f, "\nGlobal options, which every command understands:\n");
	print_options(f, globals);
	print_entry(f, "--SECTION.NAME VALUE",
		    "any option of the configuration, over file and environment");
}
