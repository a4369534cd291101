/* What the verbs about the servers share: see cli_stack.h. */
#include "cli/cli_stack.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cluster/layout.h"
#include "cluster/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

#define CHILD_LOST 126 /* exit status of a child that could not become our program */

/* --- steps ----------------------------------------------------------------------------------- */

static void print_step(const char *part, const char *text, int64_t took_us)
{
	char time[CLOCK_TEXT_SIZE];

	if (took_us > 1000)
		fprintf(stderr, "%-9s %s (%s)\n", part, text, clock_format_duration(took_us, time));
	else
		fprintf(stderr, "%-9s %s\n", part, text);
}

static void on_step(void *arg, const char *part, const char *text, int64_t took_us)
{
	(void)arg;
	print_step(part, text, took_us);
}

struct stack_callbacks cli_steps(const struct command_line *line)
{
	return (struct stack_callbacks){.step = line->quiet || line->json ? NULL : on_step};
}

void cli_step(const struct command_line *line, const char *part, int64_t took_us, const char *fmt,
	      ...)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);
	va_list ap;

	if (line->quiet || line->json)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&b, fmt, ap);
	va_end(ap);
	print_step(part, strbuf_str(&b), took_us);
}

/* --- this program as a child ----------------------------------------------------------------- */

const char *const *cli_self_argv(const struct command_line *line, struct arena *arena,
				 const char *const *words)
{
	size_t n = 0, n_words = 0;
	const char **argv;

	while (words[n_words])
		n_words++;
	argv = arena_alloc(arena, (n_words + line->n_flags * 2 + 5) * sizeof(*argv));
	argv[n++] = "aethermart";
	/* The verb first, then options; what follows "--" stays last. */
	for (size_t i = 0; i < n_words && !cstr_equal(words[i], "--"); i++)
		argv[n++] = words[i];
	if (line->config_path) {
		argv[n++] = "--config";
		argv[n++] = line->config_path;
	}
	for (size_t i = 0; i < line->n_flags; i++) {
		argv[n++] = arena_printf(arena, "--%s", line->flags[i].name);
		argv[n++] = line->flags[i].value;
	}
	if (line->quiet || line->json) /* they are steps of ours, which JSON has none of */
		argv[n++] = "--quiet";
	return argv;
}

/* Between fork and exec: only what is safe there. */
_noreturn_ static void child_main(const char *const *argv, pid_t parent, int input, int out,
				  int error)
{
	char *const *list;

	memcpy(&list, &argv, sizeof(list)); /* the type of exec knows no const */
	(void)signal(SIGPIPE, SIG_DFL);
	/* Without us nobody wants its work any more, nor knows of it. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent ||
	    dup2(input, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(error, STDERR_FILENO) < 0)
		_exit(CHILD_LOST);
	(void)execv("/proc/self/exe", list);
	_exit(CHILD_LOST);
}

static int start_self(const char *const *argv, const char *log, bool wants_errors, pid_t *ret,
		      struct err *err)
{
	_cleanup_(closep) int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	pid_t us = getpid(), pid;

	if (input < 0 || out < 0)
		return err_set(err, ERR_IO, "could not open \"%s\": %s",
			       input < 0 ? "/dev/null" : log, strerror(errno));
	pid = fork();
	if (pid == 0)
		child_main(argv, us, input, out, wants_errors ? STDERR_FILENO : out);
	if (pid < 0)
		return err_set(err, ERR_IO, "could not run \"%s\": %s", argv[1], strerror(errno));
	*ret = pid;
	return 0;
}

static enum err_code code_of_exit(int status)
{
	for (int code = 1; code < ERR_COUNT; code++)
		if (err_exit_status(code) == status)
			return (enum err_code)code;
	return ERR_INTERNAL;
}

static void child_error(const struct command_line *line, const char *verb, int status,
			const char *log, struct err *err)
{
	_cleanup_(mem_freep) char *last = line->json ? process_log_tail(log, 2) : NULL;

	for (char *p = last; p && *p; p++)
		if (*p == '\n')
			*p = '|';
	(void)err_set(err, code_of_exit(status), "`aethermart %s` failed with exit status %d; %s%s",
		      verb, status, last ? "its last words: " : "its message is above",
		      last ? last : "");
}

int cli_run_self(const struct command_line *line, const char *const *words, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *const *argv = cli_self_argv(line, &arena, words);
	const char *log = layout_log(&arena, endpoint_var_dir(line->config, &arena), "up");
	const char *verb =
	    words[1] && words[1][0] != '-' && words[1][0] != '/' && words[1][0] != '.'
		? arena_printf(&arena, "%s %s", words[0], words[1])
		: words[0];
	pid_t pid = 0;
	int status = 0;
	int r = start_self(argv, log, !line->json, &pid, err);

	if (r < 0)
		return r;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		(void)err_set(err, ERR_INTERRUPTED, "`aethermart %s` was ended by signal %d", verb,
			      WTERMSIG(status));
	else
		child_error(line, verb, WEXITSTATUS(status), log, err);
	return err_hint(err,
			"when the cause is gone, run the same command again: it goes on where "
			"it stopped; what was printed until then is in \"%s\"",
			log);
}
