/*
 * The program: parses the command line, reads the configuration, runs the command and turns its
 * error into a message and an exit status.
 *
 * Only the character type of the user's locale is used (tables measure what they print); numbers
 * are always written as in C. SIGPIPE is ignored, because the database drivers write to sockets:
 * a reader of stdout that went away shows as a write error, which ends the program quietly.
 */
#include "base/logger.h"
#include "base/progress.h"
#include "base/strbuf.h"
#include "cli/cli.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>

#include "base/banned.h"

#define EXIT_READER_GONE (128 + SIGPIPE) /* what a shell shows for a process that SIGPIPE ended */

static void set_locale(void)
{
	if (!setlocale(LC_CTYPE, "") || !cstr_equal(nl_langinfo(CODESET), "UTF-8"))
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

static void set_logging(const struct command_line *line)
{
	const char *format = line->config ? config_text(line->config, "log.format") : "auto";
	enum logger_level level = LOGGER_INFO;

	if (line->config) /* the table allows no other texts */
		(void)(logger_level_parse(config_text(line->config, "log.level"), &level, NULL) <
		       0);
	/* A command prints what came of it; only a service has a log of what goes well. */
	if ((line->quiet || !line->command->is_service) && level > LOGGER_WARN)
		level = LOGGER_WARN;
	if (line->verbose && level < LOGGER_DEBUG)
		level = LOGGER_DEBUG;
	logger_init(level, cstr_equal(format, "auto") ? -1 : cstr_equal(format, "json"));
	progress_set_quiet(line->quiet);
}

static int run(struct command_line *line, int argc, char **argv, struct err *err)
{
	struct config *config = NULL;
	int r = command_parse(&cli_root_command, argc, argv, line, err);

	if (r < 0)
		return r;
	if (line->help) {
		command_print_help(&cli_root_command, line, stdout);
		return 0;
	}
	if (!line->command->no_config) {
		r = config_load(cli_config_tables, line->config_path, line->flags, line->n_flags,
				&config, err);
		if (r < 0)
			return r;
	}
	line->config = config;
	set_logging(line);
	r = line->command->run(line, err);
	cli_audit_keep(line);
	line->config = NULL;
	(void)config_free(config);
	return r;
}

/* Whether --json is among the words: for errors of the command line itself. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && !cstr_equal(argv[i], "--"); i++) {
		if (cstr_equal(argv[i], "--json"))
			return true;
	}
	return false;
}

static int report(int r, struct err *err, bool json)
{
	if (err->code == ERR_OK)
		(void)err_set(err, (enum err_code) - r, "%s", err_text(r));
	cli_print_error(err, json);
	return err_exit_status(r);
}

int main(int argc, char **argv)
{
	struct command_line line = {0};
	struct err err = {0};
	int r, failed_write = 0;

	set_locale();
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		line = (struct command_line){.command = &cli_root_command, .path = ""};
		command_print_help(&cli_root_command, &line, stderr);
		return err_exit_status(ERR_INVALID_ARGUMENT);
	}
	r = run(&line, argc, argv, &err);
	command_line_done(&line);
	errno = 0;
	if (fflush(stdout) == EOF || ferror(stdout))
		failed_write = errno ? errno : EIO;
	if (failed_write == EPIPE || (err.code == ERR_IO && err.native == EPIPE))
		return EXIT_READER_GONE;
	if (failed_write && err.code == ERR_OK)
		r = err_set(&err, ERR_IO, "could not write to the standard output: %s",
			    strerror(failed_write));
	return r < 0 ? report(r, &err, wants_json(argc, argv)) : 0;
}
