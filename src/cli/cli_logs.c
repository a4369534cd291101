/* `aethermart logs`: the last lines of the servers' and the worker's logs, and what follows. */
#include "cli/cli_stack.h"

#include "base/file.h"
#include "base/mem.h"
#include "cluster/layout.h"
#include "cluster/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static const char *const names[] = {"mariadb", "mongodb", "serve", "up", NULL};
#define LOGS (ARRAY_LEN(names) - 1)

struct log {
	const char *name;
	const char *path;
	bool is_wanted;
	int fd;	     /* -1: not there yet */
	off_t shown; /* bytes of it that are on the screen */
};

static void print_lines(const struct log *log, const char *text, size_t len, bool with_name)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		if (with_name)
			printf("%-8s ", log->name);
		(void)fwrite(text, 1, n, stdout);
		(void)putchar('\n');
		n += end != NULL;
		text += n;
		len -= n;
	}
}

/* What was added since the last look; whole lines only. */
static void print_added(struct log *log, bool with_name)
{
	char buf[65536];
	ssize_t n;

	while ((n = pread(log->fd, buf, sizeof(buf), log->shown)) > 0) {
		ssize_t whole = n;

		while (whole > 0 && buf[whole - 1] != '\n')
			whole--;
		if (whole == 0 && n < (ssize_t)sizeof(buf))
			return;
		if (whole == 0)
			whole = n;
		print_lines(log, buf, (size_t)whole, with_name);
		log->shown += whole;
	}
}

/* Whether the name means another file than the open one, or that one begins anew. */
static bool is_rotated(const struct log *log)
{
	struct stat here, named;

	if (log->fd < 0)
		return true;
	if (fstat(log->fd, &here) < 0 || stat(log->path, &named) < 0)
		return false; /* between two files */
	return here.st_ino != named.st_ino || here.st_dev != named.st_dev ||
	       named.st_size < log->shown;
}

/* A log that was rotated is first shown to its end, under whatever name. */
static void print_new(struct log *log, bool with_name)
{
	if (log->fd >= 0)
		print_added(log, with_name);
	if (!is_rotated(log))
		return;
	closep(&log->fd);
	log->fd = open(log->path, O_RDONLY | O_CLOEXEC);
	log->shown = 0;
	if (log->fd >= 0)
		print_added(log, with_name);
}

static void print_tail(struct log *log, unsigned lines, bool with_name)
{
	_cleanup_(mem_freep) char *tail = NULL;
	struct stat st;

	log->fd = open(log->path, O_RDONLY | O_CLOEXEC);
	if (log->fd < 0 || fstat(log->fd, &st) < 0)
		return;
	log->shown = st.st_size;
	tail = process_log_tail_fd(log->fd, (uint64_t)st.st_size, lines);
	print_lines(log, tail, strlen(tail), with_name);
}

static int follow(struct log *logs, const char *dir, bool with_name, struct err *err)
{
	_cleanup_(closep) int fd = inotify_init1(IN_CLOEXEC);
	char events[4096];
	int r = 0;

	if (fd < 0 || inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_set(err, ERR_IO, "could not watch \"%s\": %s", dir, strerror(errno));
	while (r == 0) {
		for (size_t i = 0; i < LOGS; i++)
			if (logs[i].is_wanted)
				print_new(&logs[i], with_name);
		r = cli_flush(err);
		if (r == 0 && read(fd, events, sizeof(events)) < 0 && errno != EINTR)
			r = err_set(err, ERR_IO, "could not watch \"%s\": %s", dir,
				    strerror(errno));
	}
	return r;
}

static int choose(const struct command_line *line, struct log *logs, struct err *err)
{
	const char *wanted = line->argc ? line->argv[0] : NULL;
	bool is_known = !wanted;

	if (wanted && cstr_equal(wanted, "worker"))
		wanted = "serve";
	for (size_t i = 0; i < LOGS; i++) {
		/* "up" holds what the verbs print that it ran: shown only when asked for. */
		logs[i].is_wanted =
		    wanted ? cstr_equal(wanted, names[i]) : !cstr_equal(names[i], "up");
		is_known |= wanted && logs[i].is_wanted;
	}
	if (is_known)
		return 0;
	return err_set(err, ERR_INVALID_ARGUMENT,
		       "there is no log \"%s\": it is mariadb, mongodb, serve or up", wanted);
}

static void close_logs(struct log *logs)
{
	for (size_t i = 0; i < LOGS; i++)
		closep(&logs[i].fd);
}

/* The last lines of the logs, and what follows. */
static int show(const struct command_line *line, struct log *logs, const char *dir, struct err *err)
{
	unsigned lines = (unsigned)command_number(line, "lines");
	int r;

	for (size_t i = 0; i < LOGS; i++)
		if (logs[i].is_wanted)
			print_tail(&logs[i], lines, line->argc == 0);
	r = cli_flush(err);
	if (r == 0 && command_has(line, "follow"))
		r = follow(logs, dir, line->argc == 0, err);
	close_logs(logs);
	return r;
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *var_dir = endpoint_var_dir(line->config, &arena);
	struct log logs[LOGS] = {0};
	bool is_any = false;
	int r = choose(line, logs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < LOGS; i++) {
		logs[i].name = names[i];
		logs[i].fd = -1;
		logs[i].path = layout_log(&arena, var_dir, names[i]);
		is_any |= logs[i].is_wanted && file_exists(logs[i].path);
	}
	if (!is_any && !command_has(line, "follow")) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no log yet in \"%s/log\"", var_dir);
		return err_hint(err, "logs begin with `aethermart up`");
	}
	return show(line, logs, arena_printf(&arena, "%s/log", var_dir), err);
}

static const struct command_option options[] = {
    {.name = "follow", .type = COMMAND_FLAG, .help = "go on with what is written, until Ctrl-C"},
    {.name = "lines",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .fallback = "20",
     .max = 10000,
     .help = "how many of the last lines of each log"},
    {0},
};

const struct command command_logs = {
    .name = "logs",
    .summary = "the logs of the embedded servers and of the worker",
    .arguments = "[mariadb|mongodb|serve|up]",
    .max_args = 1,
    .options = options,
    .help = "  aethermart logs -f\n  aethermart logs serve --lines 100",
    .run = run,
};
