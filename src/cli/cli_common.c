/* What verbs share, and the options of the program itself: see cli.h. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/banned.h"

#define WIDTH_MIN     20 /* columns of text, below which it is not wrapped */
#define PARAGRAPH_MAX ((size_t)1 << 20)

const struct config_option log_options[] = {
    {.section = "log",
     .name = "level",
     .type = CONFIG_CHOICE,
     .fallback = "info",
     .choices = "error|warn|info|debug|trace",
     .environment = "AETHERMART_LOG_LEVEL",
     .help = "What is written to the log: this level and the ones before it. Commands that end by "
	     "themselves write warnings and errors only. --quiet and --verbose on the command line "
	     "go before it."},
    {.section = "log",
     .name = "format",
     .type = CONFIG_CHOICE,
     .fallback = "auto",
     .choices = "auto|text|json",
     .help = "How log lines look: text for people, JSON (one object a line) for machines; auto "
	     "means text on a terminal and JSON elsewhere."},
    {0},
};

const struct config_option share_options[] = {
    {.section = "share",
     .name = "dir",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "The folder that holds mapping/, rules/ and data/ of the installation. Unset: the one "
	     "beside which the program was built or installed."},
    {0},
};

static int print_json(json_t *steal, size_t flags, struct err *err)
{
	_cleanup_(json_decrefp) json_t *json = steal;

	if (!json)
		return err_set(err, ERR_INTERNAL, "the answer cannot be written as JSON");
	if (json_dumpf(json, stdout, flags | JSON_REAL_PRECISION(15)) == 0)
		(void)putchar('\n');
	return cli_flush(err); /* an error of the stream stays in it */
}

int cli_print_json(json_t *steal, struct err *err)
{
	return print_json(steal, JSON_INDENT(2), err);
}

int cli_print_json_line(json_t *steal, struct err *err)
{
	return print_json(steal, JSON_COMPACT, err);
}

json_t *cli_json_text(struct str text)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	json_t *json = text.data ? json_stringn(text.data, text.len) : json_null();

	if (json)
		return json;
	strbuf_add_json(&b, text.data, text.len);
	return json_loadb(b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* 0: no terminal. */
static size_t terminal_width(FILE *f)
{
	struct winsize size;

	return isatty(fileno(f)) == 1 && ioctl(fileno(f), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The bytes of the first line of `text`: up to the last space within `room` characters, or, of one
 * long word, as much as there is room for. */
static size_t line_bytes(struct str text, size_t room)
{
	size_t n = 0, space = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (((unsigned char)text.data[i] & 0xC0) == 0x80)
			continue;
		if (text.data[i] == ' ')
			space = i;
		if (n++ == room)
			return space ? space : i;
	}
	return text.len;
}

/* From column `at` on; further lines begin at `indent`. */
static void print_wrapped(FILE *f, struct str rest, size_t at, size_t indent)
{
	size_t width = terminal_width(f);

	if (width < indent + WIDTH_MIN) { /* no terminal, or none that is wide enough */
		fprintf(f, "%.*s\n", STR_ARGS(rest));
		return;
	}
	do {
		size_t n = line_bytes(rest, width - at);

		fprintf(f, "%.*s\n", (int)n, rest.data);
		rest.data += n;
		rest.len -= n;
		while (rest.len && *rest.data == ' ')
			rest.data++, rest.len--;
		if (rest.len)
			fprintf(f, "%*s", (int)indent, "");
		at = indent;
	} while (rest.len);
}

void cli_print_line(const char *lead, const char *text)
{
	size_t indent = utf8_count(str_from(lead));

	bug_if(!text);
	fputs(lead, stdout);
	print_wrapped(stdout, str_from(text), indent, indent);
}

void cli_print_wrapped(int indent, const char *fmt, ...)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(PARAGRAPH_MAX);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&b, fmt, ap);
	va_end(ap);
	print_wrapped(stdout, strbuf_slice(&b), 0, (size_t)indent);
}

int cli_flush(struct err *err)
{
	int error;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	error = errno;
	(void)err_set(err, ERR_IO, "could not write to the standard output: %s", strerror(error));
	if (err)
		err->native = error;
	return -ERR_IO;
}

/* The answer without its newline; false at the end of the input or without a person. */
static bool ask(const char *question, struct strbuf *answer)
{
	int c;

	if (isatty(STDIN_FILENO) != 1)
		return false;
	(void)fflush(stdout);
	fprintf(stderr, "%s ", question);
	(void)fflush(stderr);
	while ((c = getchar()) != EOF && c != '\n')
		strbuf_addch(answer, (char)c);
	return c != EOF && !answer->overflow;
}

bool cli_confirm(const struct command_line *line, const char *question)
{
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT(256);
	_cleanup_(mem_freep) char *full = mem_printf("%s [y/N]", question);
	struct str s;

	if (command_has(line, "yes"))
		return true;
	if (!ask(full, &answer))
		return false;
	s = str_trim(strbuf_slice(&answer));
	return str_equal(s, str_from("y")) || str_equal(s, str_from("Y")) ||
	       str_equal(s, str_from("yes"));
}

int cli_ask(const struct command_line *line, const char *question, struct err *err)
{
	return cli_confirm(line, question) ? 0 : err_set(err, ERR_INTERRUPTED, "nothing was done");
}

int cli_day_before(const struct command_line *line, const char **ret, struct err *err)
{
	*ret = command_text(line, "before");
	if (!*ret)
		return err_set(err, ERR_INVALID_ARGUMENT, "say until when: --before 2026-01-01");
	return clock_is_time(*ret) ? 0
				   : err_set(err, ERR_INVALID_ARGUMENT,
					     "\"%.40s\" is no day such as 2026-01-31", *ret);
}

bool cli_confirm_word(const char *question, const char *word)
{
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT(256);

	return ask(question, &answer) && str_equal(str_trim(strbuf_slice(&answer)), str_from(word));
}

void cli_format_error(const struct err *err, bool json, struct strbuf *b)
{
	const char *message = err->message[0] ? err->message : err_text((int)err->code);

	if (!json) {
		strbuf_addstr(b, "aethermart: ");
		strbuf_add_visible(b, message, strlen(message));
		strbuf_addstr(b, err->hint[0] ? "\nhint: " : "");
		strbuf_add_visible(b, err->hint, strlen(err->hint));
		strbuf_addch(b, '\n');
		return;
	}
	strbuf_addf(b, "{\"error\":{\"code\":\"%s\",\"message\":", err_name((int)err->code));
	strbuf_add_json(b, message, strlen(message));
	strbuf_addstr(b, ",\"hint\":");
	if (err->hint[0])
		strbuf_add_json(b, err->hint, strlen(err->hint));
	else
		strbuf_addstr(b, "null");
	strbuf_addf(b, ",\"exit_status\":%d}}\n", err_exit_status((int)err->code));
}

void cli_print_error(const struct err *err, bool json)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(PARAGRAPH_MAX);
	struct str rest;

	cli_format_error(err, json, &b);
	if (json) { /* a program reads it */
		fputs(strbuf_str(&b), stderr);
		return;
	}
	rest = strbuf_slice(&b);
	while (rest.len) {
		const char *end = memchr(rest.data, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.data) : rest.len;

		print_wrapped(stderr, (struct str){rest.data, len}, 0, 2);
		len += end != NULL;
		rest = (struct str){rest.data + len, rest.len - len};
	}
}

/* --- help and version ------------------------------------------------------------------------ */

static int run_help(const struct command_line *line, struct err *err)
{
	struct command_line asked = {0};
	char **argv = mem_alloc_array((size_t)line->argc + 3, sizeof(*argv));
	int r;

	argv[0] = mem_strdup(cli_root_command.name);
	for (int i = 0; i < line->argc; i++)
		argv[i + 1] = mem_strdup(line->argv[i]);
	argv[line->argc + 1] = mem_strdup("--help");
	r = command_parse(&cli_root_command, line->argc + 2, argv, &asked, err);
	if (r == 0)
		command_print_help(&cli_root_command, &asked, stdout);
	command_line_done(&asked);
	for (int i = 0; argv[i]; i++)
		mem_free(argv[i]);
	mem_free(argv);
	return r;
}

const struct command command_help = {
    .name = "help",
    .summary = "what a command does and which options it has",
    .arguments = "[COMMAND...]",
    .max_args = -1,
    .run = run_help,
    .no_config = true,
};

static int run_version(const struct command_line *line, struct err *err)
{
	if (line->json)
		return cli_print_json(
		    json_pack("{s:s, s:s}", "name", "aethermart", "version", AETHERMART_VERSION),
		    err);
	printf("aethermart %s\n", AETHERMART_VERSION);
	return 0;
}

const struct command command_version = {
    .name = "version",
    .summary = "the version of this program",
    .run = run_version,
    .no_config = true,
};
