/*
 * Child processes: see process.h.
 *
 * Starting is a small protocol of two pipes. The child waits for a byte on `go`, which the parent
 * sends after the pid file is on disk; if the parent dies first, the child reads the end of the
 * pipe and leaves. Then it prepares itself and executes; `failed` is close-on-exec, so its end
 * without data means that the program runs, and data says at which step which errno came up.
 *
 * Waiting uses a pidfd: it also works for processes that are not our children, and a pid that is
 * reused between look and signal cannot be hit.
 */
#include "cluster/process.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

#define PID_FILE_MAX 256
#define LOG_FILE_MAX ((off_t)32 << 20) /* a log above this becomes NAME.1 at the next start */
#define TAIL_BLOCK   ((uint64_t)64 << 10)
#define TAIL_MAX     ((uint64_t)16 << 20) /* more is no tail: the largest count of lines, long ones */
#define KILL_WAIT_MS 10000		  /* SIGKILL is quick, except in a stuck disk's wait */

/* --- who is who ------------------------------------------------------------------------------- */

bool process_is_alive(const struct process *p)
{
	uint64_t started;
	char state;

	if (p->pid <= 0 || proc_stat(p->pid, &state, &started) < 0 || started != p->started)
		return false;
	if (state != 'Z' && state != 'X')
		return true;
	(void)waitpid(p->pid, NULL, WNOHANG);
	return false;
}

static int write_pid_file(const char *path, const struct process *p, struct err *err)
{
	char text[PID_FILE_MAX], boot[PROC_BOOT_SIZE];
	int n;

	proc_boot_id(boot);
	n = snprintf(text, sizeof(text), "%d %" PRIu64 " %s\n", (int)p->pid, p->started, boot);
	return file_write_atomic(path, text, (size_t)n, 0600, err);
}

int process_find(const char *pid_path, struct process *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(PID_FILE_MAX);
	char boot[PROC_BOOT_SIZE], here[PROC_BOOT_SIZE];
	struct process p = {0};
	int pid, end = 0;
	int r = file_read(pid_path, &b, err);

	if (r < 0)
		return r;
	if (sscanf(strbuf_str(&b), "%d %" SCNu64 " %63s%n", &pid, &p.started, boot, &end) != 3 ||
	    pid <= 1 || !cstr_equal(strbuf_str(&b) + end, "\n")) {
		(void)err_set(err, ERR_CORRUPTED, "\"%s\" is no pid file of aethermart", pid_path);
		(void)err_hint(err, "see which process it means, end that one yourself if it is "
				    "still there, and delete the file");
		return -ERR_CORRUPTED; /* `err` may be NULL, which has no code to return */
	}
	p.pid = pid;
	proc_boot_id(here);
	if (!cstr_equal(boot, here) || !process_is_alive(&p))
		return err_set(err, ERR_NOT_FOUND, "process %d of \"%s\" is gone", pid, pid_path);
	*ret = p;
	return 0;
}

/* --- starting --------------------------------------------------------------------------------- */

enum start_step { STEP_GO, STEP_SESSION, STEP_ACCOUNT, STEP_DIR, STEP_FILES, STEP_EXEC };

static const char *const step_texts[] = {
    [STEP_GO] = "wait for its start",	      [STEP_SESSION] = "open a session",
    [STEP_ACCOUNT] = "change to its account", [STEP_DIR] = "enter its folder",
    [STEP_FILES] = "open its files",	      [STEP_EXEC] = "run its program",
};

struct start_failure {
	int step;
	int number;
};

struct start { /* descriptors of one start; all close-on-exec */
	int go[2], failed[2];
	int program, input, log;
};

static void close_fd(int *fd)
{
	closep(fd);
	*fd = -1;
}

static void start_done(struct start *s)
{
	int *all[] = {&s->go[0],   &s->go[1], &s->failed[0], &s->failed[1],
		      &s->program, &s->input, &s->log};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		close_fd(all[i]);
}

static int open_program(const struct process_spec *spec, int *ret, struct err *err)
{
	int fd = open(spec->program, O_PATH | O_CLOEXEC);
	int e = errno;

	if (fd < 0)
		return err_set(err, e == EACCES ? ERR_PERMISSION : ERR_NOT_FOUND,
			       "could not run %s: program \"%s\": %s", spec->name, spec->program,
			       strerror(e));
	*ret = fd;
	return 0;
}

static int open_log(const struct process_spec *spec, int *ret, struct err *err)
{
	const char *path = spec->log_path ? spec->log_path : "/dev/null";
	_cleanup_(mem_freep) char *old = mem_printf("%s.1", path);
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > LOG_FILE_MAX)
		(void)rename(path, old);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno == EACCES ? ERR_PERMISSION : ERR_IO,
			       "could not open the log of %s, \"%s\": %s", spec->name, path,
			       strerror(errno));
	*ret = fd;
	return 0;
}

/* stdin: a file that exists only in memory, so that a secret in it is never on disk. */
static int open_input(const struct process_spec *spec, int *ret, struct err *err)
{
	size_t done = 0;
	int fd;

	if (spec->input.len == 0) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} else {
		fd = memfd_create("input", MFD_CLOEXEC);
		while (fd >= 0 && done < spec->input.len) {
			ssize_t n = write(fd, spec->input.data + done, spec->input.len - done);

			if (n <= 0)
				break;
			done += (size_t)n;
		}
	}
	if (fd < 0 || done < spec->input.len || lseek(fd, 0, SEEK_SET) < 0) {
		int e = errno;

		closep(&fd);
		return err_set(err, ERR_IO, "could not hand %s its input: %s", spec->name,
			       strerror(e));
	}
	*ret = fd;
	return 0;
}

static int start_open(const struct process_spec *spec, struct start *s, struct err *err)
{
	int r;

	if (pipe2(s->go, O_CLOEXEC) < 0 || pipe2(s->failed, O_CLOEXEC) < 0)
		return err_set(err, ERR_IO, "could not make a pipe for %s: %s", spec->name,
			       strerror(errno));
	r = open_program(spec, &s->program, err);
	if (r == 0)
		r = open_input(spec, &s->input, err);
	if (r == 0)
		r = open_log(spec, &s->log, err);
	return r;
}

_noreturn_ static void child_fail(const struct start *s, enum start_step step)
{
	struct start_failure f = {.step = (int)step, .number = errno};
	ssize_t n = write(s->failed[1], &f, sizeof(f));

	_exit(n == (ssize_t)sizeof(f) ? 127 : 126);
}

static void child_reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Between fork and exec: only what is safe after a fork of a program with threads. */
static void child_become_account(const struct process_spec *spec, const struct start *s,
				 pid_t parent)
{
	if (spec->has_account &&
	    (setgroups(0, NULL) < 0 || setgid(spec->gid) < 0 || setuid(spec->uid) < 0))
		child_fail(s, STEP_ACCOUNT);
	/* A change of the account clears it. The parent may have ended before. */
	if (spec->ends_with_us && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(126);
}

_noreturn_ static void child_exec(const struct start *s, char *const *argv,
				  char *const *environment)
{
	(void)execveat(s->program, "", argv, environment, AT_EMPTY_PATH);
	/* A script: its interpreter opens it by the descriptor, which must still be there then. */
	if (errno == ENOENT && fcntl(s->program, F_SETFD, 0) == 0)
		(void)execveat(s->program, "", argv, environment, AT_EMPTY_PATH);
	child_fail(s, STEP_EXEC);
}

_noreturn_ static void child_main(const struct process_spec *spec, const struct start *s,
				  pid_t parent, char *const *argv, char *const *environment)
{
	char byte;

	if (read(s->go[0], &byte, 1) != 1)
		_exit(126); /* the parent is gone: nobody knows about us */
	child_reset_signals();
	(void)umask(077);
	if (setsid() < 0)
		child_fail(s, STEP_SESSION);
	if (dup2(s->input, 0) < 0 || dup2(s->log, 1) < 0 || dup2(s->log, 2) < 0)
		child_fail(s, STEP_FILES);
	/* As root still: the folder's parents may be closed to the account. */
	if (chdir(spec->dir ? spec->dir : "/") < 0)
		child_fail(s, STEP_DIR);
	child_become_account(spec, s, parent);
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		child_fail(s, STEP_FILES);
	child_exec(s, argv, environment);
}

static int start_result(const struct process_spec *spec, struct start *s, struct err *err)
{
	struct start_failure f;
	ssize_t n;

	if (write(s->go[1], "", 1) != 1)
		return err_set(err, ERR_IO, "could not start %s: %s", spec->name, strerror(errno));
	close_fd(&s->failed[1]);
	do
		n = read(s->failed[0], &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(f) || f.step < 0 || f.step > STEP_EXEC)
		return err_set(err, ERR_IO, "could not start %s: it ended before its program began",
			       spec->name);
	(void)err_set(
	    err, f.number == EACCES || f.number == EPERM ? ERR_PERMISSION : ERR_IO,
	    "could not start %s: could not %s (\"%s\"): %s", spec->name, step_texts[f.step],
	    f.step == STEP_DIR && spec->dir ? spec->dir : spec->program, strerror(f.number));
	return -(int)(f.number == EACCES || f.number == EPERM ? ERR_PERMISSION : ERR_IO);
}

static char *const *as_exec_list(const char *const *list)
{
	char *const *ret;

	memcpy(&ret, &list, sizeof(ret)); /* exec's type knows no const, and changes nothing */
	return ret;
}

int process_start(const struct process_spec *spec, struct process *ret, struct err *err)
{
	static const char *const clean[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
					    "TZ=UTC", NULL};
	_cleanup_(start_done) struct start s = {{-1, -1}, {-1, -1}, -1, -1, -1};
	char *const *environment = spec->is_own_environment ? environ : as_exec_list(clean);
	struct process p = {0};
	pid_t us = getpid();
	char state;
	int r = start_open(spec, &s, err);

	if (r < 0)
		return r;
	p.pid = fork();
	if (p.pid < 0)
		return err_set(err, ERR_IO, "could not start %s: %s", spec->name, strerror(errno));
	if (p.pid == 0) {
		/* The other end of `go` must be the parent's alone. */
		close(s.go[1]);
		close(s.failed[0]);
		child_main(spec, &s, us, as_exec_list(spec->argv), environment);
	}
	close_fd(&s.go[0]);
	if (proc_stat(p.pid, &state, &p.started) < 0)
		r = err_set(err, ERR_IO, "could not start %s: /proc is not readable", spec->name);
	if (r == 0 && spec->pid_path)
		r = write_pid_file(spec->pid_path, &p, err);
	if (r == 0)
		r = start_result(spec, &s, err);
	if (r < 0) {
		close_fd(&s.go[1]); /* the child leaves, if it has not yet */
		(void)waitpid(p.pid, NULL, 0);
		if (spec->pid_path)
			(void)unlink(spec->pid_path);
		return r;
	}
	*ret = p;
	return 0;
}

/* --- waiting and stopping --------------------------------------------------------------------- */

/* A handle that cannot mean another process later; -1 when it is gone. */
static int open_handle(const struct process *p)
{
	int fd = pidfd_open(p->pid, 0);

	if (fd >= 0 && !process_is_alive(p))
		close_fd(&fd);
	return fd;
}

/* 0 ended, 1 time is over. */
static int wait_handle(int fd, const struct process *p, int64_t timeout_ms)
{
	int64_t end_us = clock_monotonic_us() + timeout_ms * 1000;
	struct pollfd item = {.fd = fd, .events = POLLIN};

	while (process_is_alive(p)) {
		int64_t left_ms = (end_us - clock_monotonic_us() + 999) / 1000;

		if (left_ms <= 0)
			return 1;
		if (poll(&item, 1, (int)(left_ms > 60000 ? 60000 : left_ms)) < 0 && errno != EINTR)
			return 1;
	}
	return 0;
}

int process_wait(const struct process *p, int64_t timeout_ms, struct err *err)
{
	_cleanup_(closep) int fd = open_handle(p);

	if (fd < 0 || wait_handle(fd, p, timeout_ms) == 0)
		return 0;
	return err_set(err, ERR_TIMEOUT, "process %d still runs after %" PRId64 " ms", (int)p->pid,
		       timeout_ms);
}

static int send_signal(int fd, const char *name, const struct process *p, int number,
		       struct err *err)
{
	if (pidfd_send_signal(fd, number, NULL, 0) == 0 || errno == ESRCH)
		return 0;
	(void)err_set(err, errno == EPERM ? ERR_PERMISSION : ERR_IO,
		      "could not end %s (process %d): %s", name, (int)p->pid, strerror(errno));
	return err_hint(err, "run the command as the user that ran `aethermart up`");
}

static int stop_process(const char *name, const struct process *p, int64_t timeout_ms,
			bool *ret_killed, struct err *err)
{
	_cleanup_(closep) int fd = open_handle(p);
	int r;

	if (fd < 0)
		return 0;
	r = send_signal(fd, name, p, SIGTERM, err);
	if (r < 0 || wait_handle(fd, p, timeout_ms) == 0)
		return r;
	*ret_killed = true;
	r = send_signal(fd, name, p, SIGKILL, err);
	if (r < 0 || wait_handle(fd, p, KILL_WAIT_MS) == 0)
		return r;
	(void)err_set(err, ERR_TIMEOUT, "%s (process %d) does not end, not even by SIGKILL", name,
		      (int)p->pid);
	return err_hint(err, "it waits in the kernel, mostly for a disk; see `dmesg`");
}

int process_stop(const char *name, const char *pid_path, int64_t timeout_ms, bool *ret_killed,
		 struct err *err)
{
	struct err why = {0};
	struct process p = {0};
	bool is_killed = false;
	int r = process_find(pid_path, &p, &why);

	if (r < 0 && r != -ERR_NOT_FOUND) {
		if (err)
			*err = why;
		return r;
	}
	r = r < 0 ? 0 : stop_process(name, &p, timeout_ms, &is_killed, err);
	if (r == 0)
		(void)unlink(pid_path);
	if (ret_killed)
		*ret_killed = is_killed;
	return r;
}

int process_run(const struct process_spec *spec, int64_t timeout_ms, int *ret_status,
		struct err *err)
{
	int64_t end_us = clock_monotonic_us() + timeout_ms * 1000;
	struct process_spec ours = *spec;
	struct process p = {0};
	siginfo_t info = {0};
	int status = 0, r;

	ours.ends_with_us = true;
	r = process_start(&ours, &p, err);

	if (r < 0)
		return r;
	_cleanup_(closep) int fd = pidfd_open(p.pid, 0);
	struct pollfd item = {.fd = fd, .events = POLLIN};

	/* WNOWAIT: it stays a zombie until waitpid() below, so the pid stays ours. */
	while (waitid(P_PID, (id_t)p.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0) {
		int64_t left_ms = (end_us - clock_monotonic_us() + 999) / 1000;

		if (left_ms <= 0) {
			(void)kill(p.pid, SIGKILL);
			(void)waitpid(p.pid, &status, 0);
			return err_set(err, ERR_TIMEOUT, "%s was not done after %" PRId64 " ms",
				       spec->name, timeout_ms);
		}
		(void)poll(&item, 1, (int)(left_ms > 60000 ? 60000 : left_ms));
	}
	(void)waitpid(p.pid, &status, 0);
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

/* --- around ----------------------------------------------------------------------------------- */

char *process_find_program(const char *name)
{
	const char *path = getenv("PATH");
	_cleanup_(mem_freep) char *all =
	    mem_printf("%s:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	const char *p = all;

	while (*p) {
		size_t len = strcspn(p, ":");
		_cleanup_(mem_freep) char *file = mem_printf("%.*s/%s", (int)len, p, name);
		struct stat st;

		/* Not relative entries: a server must not depend on where one stands. */
		if (p[0] == '/' && access(file, X_OK) == 0 && stat(file, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return TAKE_PTR(file);
		p += len;
		p += *p == ':';
	}
	return NULL;
}

/* Where the last `lines` lines of the text begin; 0 also when it has fewer. */
static size_t last_lines(struct str text, unsigned lines)
{
	size_t begin = text.len;

	for (; begin && lines; begin--)
		if (text.data[begin - 1] == '\n' && --lines == 0)
			break;
	return begin;
}

/* Up to `len` bytes before `end`; fewer when it cannot be read. */
static size_t read_before(int fd, off_t end, char *buf, size_t len)
{
	size_t done = 0;
	ssize_t n = 1;

	while (done < len && n > 0) {
		n = pread(fd, buf + done, len - done, end - (off_t)(len - done));
		done += n > 0 ? (size_t)n : 0;
	}
	return done;
}

/* Most tails are in the last block; where they are not, four times as much is read anew. */
char *process_log_tail_fd(int fd, uint64_t size, unsigned lines)
{
	for (uint64_t want = TAIL_BLOCK;; want *= 4) {
		size_t len = (size_t)(want < size ? want : size), begin;
		_cleanup_(mem_freep) char *buf = mem_alloc(len);
		struct str text = {buf, read_before(fd, (off_t)size, buf, len)};

		while (text.len && text.data[text.len - 1] == '\n')
			text.len--;
		begin = last_lines(text, lines);
		if (begin == 0 && len < size && text.len) {
			const char *newline = memchr(buf, '\n', text.len);

			if (want < TAIL_MAX)
				continue;
			/* What stands before the first newline is the end of a line. */
			begin = newline ? (size_t)(newline - buf) + 1 : 0;
		}
		return mem_strndup(buf + begin, text.len - begin);
	}
}

char *process_log_tail(const char *log_path, unsigned lines)
{
	_cleanup_(closep) int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

	return process_log_tail_fd(fd, size < 0 ? 0 : (uint64_t)size, lines);
}
