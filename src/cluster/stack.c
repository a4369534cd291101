/*
 * The embedded stack: see stack.h. This file holds the order of things, the lock, and what all
 * servers share; stack_mariadb.c and stack_mongodb.c know the servers.
 */
#include "cluster/stack.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "cluster/endpoint.h"
#include "cluster/home.h"
#include "cluster/layout.h"
#include "cluster/stack_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

/* A server that starts tells nobody when it is ready: it is asked this often, and its end is
 * noticed at once. */
#define READY_POLL_MS 20

/* --- steps ------------------------------------------------------------------------------------ */

static void tell(const struct stack_callbacks *callbacks, const char *part, const char *text,
		 int64_t took_us)
{
	if (callbacks && callbacks->step)
		callbacks->step(callbacks->arg, part, text, took_us);
}

void stack_step(const struct stack *s, const char *part, int64_t since_us, const char *fmt, ...)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&b, fmt, ap);
	va_end(ap);
	tell(s->callbacks, part, strbuf_str(&b), clock_monotonic_us() - since_us);
}

/* --- the run-time folder ---------------------------------------------------------------------- */

int stack_exists(const struct config *config, bool *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	enum home_state state = HOME_ABSENT;
	int r = home_check(endpoint_var_dir(config, &arena), &state, err);

	if (r == 0)
		*ret = state != HOME_ABSENT && state != HOME_EMPTY;
	return r;
}

int stack_prepare_socket(const struct config *config, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct folder_account me = {.uid = geteuid(), .gid = getegid()};
	int r = home_claim(endpoint_var_dir(config, &arena), err);

	return r < 0 ? r : folder_socket_prepare(endpoint_socket_path(config, &arena), &me, err);
}

int stack_prepare(const struct config *config, struct err *err)
{
	static const char *const parts[] = {"secrets", "log", "run"};
	struct arena arena = {0};
	const char *var_dir = endpoint_var_dir(config, &arena);
	struct folder_account me = {.uid = geteuid(), .gid = getegid()};
	int r = home_claim(var_dir, err);

	if (r == -ERR_CONFLICT) { /* has its own hint */
		arena_done(&arena);
		return r;
	}
	/* The servers' account enters it, and reads nothing in it. */
	if (r == 0 && chmod(var_dir, me.uid == 0 ? 0711 : 0700) < 0)
		r = err_set(err, ERR_PERMISSION, "could not make \"%s\" private: %s", var_dir,
			    strerror(errno));
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++)
		r = folder_make_own(arena_printf(&arena, "%s/%s", var_dir, parts[i]), &me, err);
	if (r == 0)
		r = stack_prepare_socket(config, err);
	if (r < 0)
		(void)err_hint(err, "make the folder yours, or name another in stack.dir");
	arena_done(&arena);
	return r;
}

struct stack_lock {
	int fd;
};

struct stack_lock *stack_lock_free(struct stack_lock *lock)
{
	if (lock)
		closep(&lock->fd);
	mem_free(lock);
	return NULL;
}

static int lock_file(int fd, const char *path, const struct stack_callbacks *callbacks,
		     struct err *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK) {
		tell(callbacks, "stack", "waiting for another aethermart command in this folder",
		     0);
		if (flock(fd, LOCK_EX) == 0)
			return 0;
	}
	return err_set(err, errno == EINTR ? ERR_INTERRUPTED : ERR_IO, "could not lock \"%s\": %s",
		       path, strerror(errno));
}

int stack_lock_take(const struct config *config, const struct stack_callbacks *callbacks,
		    struct stack_lock **ret, struct err *err)
{
	struct arena arena = {0};
	const char *path = arena_printf(&arena, "%s/lock", endpoint_var_dir(config, &arena));
	struct stack_lock *lock = NULL;
	int r = stack_prepare(config, err);
	int fd = -1;

	if (r == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		r = fd < 0 ? err_set(err, ERR_PERMISSION, "could not open \"%s\": %s", path,
				     strerror(errno))
			   : lock_file(fd, path, callbacks, err);
	}
	if (r == 0) {
		lock = MEM_NEW(struct stack_lock);
		lock->fd = fd;
		*ret = lock;
	} else {
		closep(&fd);
	}
	arena_done(&arena);
	return r;
}

int stack_remember(const struct stack *s, struct err *err)
{
	return state_write(s->var_dir, &s->state, err);
}

/* --- what servers share ----------------------------------------------------------------------- */

bool stack_accepts_socket(const char *path, pid_t pid)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	if (fd < 0 || strlen(path) > LAYOUT_SOCKET_MAX)
		return false;
	memcpy(a.sun_path, path, strlen(path) + 1);
	return connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
	       (!pid ||
		(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == pid));
}

bool stack_accepts_port(unsigned port)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

bool stack_is_at(const struct stack *s, const char *part, const char *dir)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", s->var_dir, part);
	char *real = realpath(path, NULL);
	bool is_same = real && dir && cstr_equal(real, dir);

	mem_free(real);
	return is_same;
}

bool stack_runs_as(const struct process *p, const char *const *argv)
{
	_cleanup_(strbuf_done) struct strbuf was = STRBUF_INIT(0);

	return proc_arguments(p->pid, &was) < 0 || !was.len ||
	       proc_has_arguments(strbuf_slice(&was), argv);
}

int stack_choose_port(struct stack *s, const char *part, unsigned *port, struct err *err)
{
	unsigned old = *port;
	int r;

	if (old && port_is_free(old))
		return 0;
	r = port_pick(port, err);
	if (r == 0 && old)
		stack_step(s, part, clock_monotonic_us(),
			   "port %u is taken by another program: using %u from now on", old, *port);
	return r;
}

/* Its end, as part of a line. */
static char *log_end(const char *log)
{
	char *tail = process_log_tail(log, 3);

	for (char *p = tail; *p; p++)
		if (*p == '\n')
			*p = '|';
	return tail;
}

int stack_log_error(const char *what, const char *log, struct err *err)
{
	_cleanup_(mem_freep) char *end = log_end(log);

	(void)err_set(err, ERR_UNAVAILABLE, "%s; its log ends with: %s", what, end);
	(void)err_hint(err, "the whole log is \"%s\"", log);
	return -ERR_UNAVAILABLE;
}

static int has_ended(const char *part, const char *log, struct err *err)
{
	_cleanup_(mem_freep) char *what = mem_printf("%s ended while it started", part);

	return stack_log_error(what, log, err);
}

static int is_late(const char *part, const char *log, int64_t timeout_ms, struct err *err)
{
	_cleanup_(mem_freep) char *end = log_end(log);

	(void)err_set(err, ERR_TIMEOUT,
		      "%s does not answer after %" PRId64 " s; its log ends with: %s", part,
		      timeout_ms / 1000, end);
	(void)err_hint(err, "the whole log is \"%s\"; more time is given by stack.start_timeout",
		       log);
	return -ERR_TIMEOUT;
}

int stack_wait_ready(const struct stack *s, const char *part, const struct process *p,
		     bool (*is_ready)(void *arg), void *arg, struct err *err)
{
	int64_t timeout_ms = config_int(s->config, "stack.start_timeout");
	int64_t end_us = clock_monotonic_us() + timeout_ms * 1000;
	struct arena arena = {0};
	const char *log = layout_log(&arena, s->var_dir, part);
	int r = 0;

	for (;;) {
		if (is_ready(arg))
			break;
		if (process_wait(p, READY_POLL_MS, NULL) == 0) {
			r = has_ended(part, log, err);
			break;
		}
		if (clock_monotonic_us() > end_us) {
			r = is_late(part, log, timeout_ms, err);
			break;
		}
	}
	arena_done(&arena);
	return r;
}

int stack_no_program(const char *option, const char *program, struct err *err)
{
	int e = errno;

	(void)err_set(err, e == EACCES ? ERR_PERMISSION : ERR_NOT_FOUND,
		      "%s: could not run \"%s\": %s", option, program, strerror(e));
	return -(int)(e == EACCES ? ERR_PERMISSION : ERR_NOT_FOUND);
}

/* --- up --------------------------------------------------------------------------------------- */

static int load_state(struct stack *s, struct err *err)
{
	struct err why = {0};
	char now[CLOCK_TEXT_SIZE];
	int r = state_read(s->var_dir, &s->arena, &s->state, &why);

	if (r == -ERR_NOT_FOUND) {
		s->state.created = arena_strdup(&s->arena, clock_format(clock_wall_us(), now));
		return 0;
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

static int get_account(struct stack *s, struct err *err)
{
	bool is_made = false;
	int64_t since = clock_monotonic_us();
	int r = folder_account_get(s->config, &s->arena, &s->account, &is_made, err);

	if (r == 0 && is_made)
		stack_step(s, "stack", since, "made the system account %s for the servers",
			   s->account.name);
	s->state.account = s->account.name;
	return r;
}

/* What can be missing is looked for before anything is made. */
static int prepare_servers(struct stack *s, bool has_maria, bool has_mongo, struct err *err)
{
	int r = load_state(s, err);

	if (r == 0 && has_maria)
		r = stack_mariadb_look(s, err);
	if (r == 0 && has_mongo)
		r = stack_mongodb_look(s, err);
	return r < 0 ? r : get_account(s, err);
}

int stack_up(const struct config *config, const struct stack_callbacks *callbacks,
	     unsigned *ret_started, struct err *err)
{
	struct stack s = {.config = config, .callbacks = callbacks};
	bool has_maria = endpoint_is_embedded_maria(config);
	bool has_mongo = endpoint_is_embedded_mongo(config);
	int r = 0;

	s.var_dir = endpoint_var_dir(config, &s.arena);
	if (has_maria || has_mongo)
		r = prepare_servers(&s, has_maria, has_mongo, err);
	if (r == 0 && has_maria) {
		r = stack_mariadb_up(&s, err);
		if (r < 0)
			(void)err_context(err, "starting the embedded MariaDB");
	}
	if (r == 0 && has_mongo) {
		r = stack_mongodb_up(&s, err);
		if (r < 0)
			(void)err_context(err, "starting the embedded MongoDB");
	}
	if (r == 0 && ret_started)
		*ret_started = s.n_started;
	arena_done(&s.arena);
	return r;
}

/* --- down ------------------------------------------------------------------------------------- */

/* 1 stopped, 0 did not run. */
static int stop_part(const struct config *config, const struct stack_callbacks *callbacks,
		     const char *part, struct err *err)
{
	struct arena arena = {0};
	const char *pid_path = layout_pid(&arena, endpoint_var_dir(config, &arena), part);
	int64_t since = clock_monotonic_us();
	int64_t timeout_ms = config_int(config, "stack.stop_timeout");
	struct process p;
	bool was_running = process_find(pid_path, &p, NULL) == 0, is_killed = false;
	int r = 0;

	if (file_exists(pid_path))
		r = process_stop(part, pid_path, timeout_ms, &is_killed, err);
	if (r == 0 && was_running)
		tell(callbacks, part,
		     is_killed ? "killed: it did not end in time; it recovers at the next start"
			       : "stopped",
		     clock_monotonic_us() - since);
	arena_done(&arena);
	return r < 0 ? r : was_running;
}

int stack_down(const struct config *config, const struct stack_callbacks *callbacks,
	       unsigned *ret_stopped, struct err *err)
{
	static const char *const order[] = {"serve", "mongodb", "mariadb"};
	unsigned n = 0;
	int first = 0;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		int r = stop_part(config, callbacks, order[i], first ? NULL : err);

		if (r < 0 && !first)
			first = r;
		n += r > 0;
	}
	if (ret_stopped)
		*ret_stopped = n;
	return first;
}

int stack_destroy(const struct config *config, struct err *err)
{
	struct arena arena = {0};
	const char *var_dir = endpoint_var_dir(config, &arena);
	static const char *const parts[] = {"mariadb", "mongodb"};
	static const char *const files[] = {"stack.json", "shop.loading", "shop.loaded",
					    "http.token"};
	enum home_state home = HOME_ABSENT;
	struct process p;
	int r = home_check(var_dir, &home, err);

	if (r < 0 || home != HOME_OWN) { /* only what this made is deleted */
		arena_done(&arena);
		return r;
	}

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++) {
		if (process_find(layout_pid(&arena, var_dir, parts[i]), &p, NULL) == 0)
			r = err_set(err, ERR_CONFLICT, "%s still runs (process %d)", parts[i],
				    (int)p.pid);
		else
			r = folder_server_remove(var_dir, parts[i], err);
	}
	if (r == 0)
		r = dir_remove(arena_printf(&arena, "%s/secrets", var_dir), err);
	if (r == 0) /* made from the documents that went */
		r = dir_remove(arena_printf(&arena, "%s/index", var_dir), err);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(files); i++) {
		const char *path = arena_printf(&arena, "%s/%s", var_dir, files[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			r = err_set(err, ERR_IO, "could not remove \"%s\": %s", path,
				    strerror(errno));
	}
	if (r == 0)
		r = stack_prepare(config, err);
	arena_done(&arena);
	return r;
}

/* --- the worker ------------------------------------------------------------------------------- */

static bool worker_is_ready(void *arg)
{
	return stack_accepts_socket(arg, 0); /* also when another worker has it */
}

static const char *worker_hash_path(struct stack *s)
{
	return arena_printf(&s->arena, "%s/run/serve.config", s->var_dir);
}

/*
 * What the worker was started as, as a hash: the program, the options (without secrets and without
 * those of other verbs), the folder, and where the servers are, which for embedded ones `up`
 * decides.
 */
static int hash_worker(struct stack *s, const char **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	const struct config_item *items;
	size_t n = config_items(s->config, &items);
	struct maria_options maria = {0};
	struct mongo_options mongo = {0};
	struct stat st;
	int r = endpoint_maria(s->config, ENDPOINT_SYNC, &s->arena, &maria, err);

	if (r == 0)
		r = endpoint_mongo(s->config, ENDPOINT_SYNC, &s->arena, &mongo, err);
	if (r < 0)
		return r;
	if (stat("/proc/self/exe", &st) == 0) /* one of an older program knows another schema */
		strbuf_addf(&b, "%ju %jd %jd.%09ld\n", (uintmax_t)st.st_ino, (intmax_t)st.st_size,
			    (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	strbuf_addf(&b, "%s\n%s\n%s\n%s\n%s\n", s->var_dir, maria.socket ? maria.socket : "",
		    maria.user, mongo.uri, mongo.user ? mongo.user : "");
	for (size_t i = 0; i < n; i++) {
		const struct config_option *o = items[i].option;

		if (!(o->flags & CONFIG_SECRET) && !cstr_equal(o->section, "stack") &&
		    !cstr_equal(o->section, "shop"))
			strbuf_addf(&b, "%s.%s=%s\n", o->section, o->name,
				    items[i].value ? items[i].value : "");
	}
	*ret = layout_hash(&s->arena, strbuf_str(&b));
	return 0;
}

int stack_worker_stop_other(const struct config *config, bool *ret_stopped, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf was = STRBUF_INIT(64);
	struct stack s = {.config = config};
	const char *hash = NULL;
	int r;

	s.var_dir = endpoint_var_dir(config, &s.arena);
	r = hash_worker(&s, &hash, err);
	*ret_stopped = false;
	if (r == 0 && (file_read(worker_hash_path(&s), &was, NULL) < 0 ||
		       !cstr_equal(strbuf_str(&was), hash)))
		r = stack_worker_stop(config, ret_stopped, err);
	arena_done(&s.arena);
	return r;
}

int stack_worker_start(const struct config *config, const char *const *argv, bool *ret_started,
		       struct err *err)
{
	struct stack s = {.config = config};
	char socket_path[LAYOUT_SOCKET_MAX + 1];
	struct process_spec spec = {.name = "the worker",
				    .program = "/proc/self/exe",
				    .argv = argv,
				    .is_own_environment = true};
	char here[4096];
	const char *hash = NULL;
	struct process p;
	int r = 0;

	s.var_dir = endpoint_var_dir(config, &s.arena);
	(void)snprintf(socket_path, sizeof(socket_path), "%s",
		       endpoint_socket_path(config, &s.arena));
	spec.log_path = layout_log(&s.arena, s.var_dir, "serve");
	spec.pid_path = layout_pid(&s.arena, s.var_dir, "serve");
	spec.dir = getcwd(here, sizeof(here)); /* paths among its arguments mean this folder */
	*ret_started = process_find(spec.pid_path, &p, NULL) < 0;
	if (*ret_started)
		r = hash_worker(&s, &hash, err);
	if (r == 0 && *ret_started)
		r = file_write_atomic(worker_hash_path(&s), hash, strlen(hash), 0600, err);
	if (r == 0 && *ret_started)
		r = process_start(&spec, &p, err);
	if (r == 0)
		r = stack_wait_ready(&s, "serve", &p, worker_is_ready, socket_path, err);
	if (r < 0 && *ret_started)
		(void)(process_stop("the worker", spec.pid_path,
				    config_int(config, "stack.stop_timeout"), NULL, NULL) < 0);
	arena_done(&s.arena);
	return r;
}

int stack_worker_check(const struct config *config, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *var_dir = endpoint_var_dir(config, &arena);
	struct process p;

	if (process_find(layout_pid(&arena, var_dir, "serve"), &p, NULL) == 0)
		return 0;
	return has_ended("the worker", layout_log(&arena, var_dir, "serve"), err);
}

int stack_worker_stop(const struct config *config, bool *ret_stopped, struct err *err)
{
	int r = stop_part(config, NULL, "serve", err);

	if (ret_stopped)
		*ret_stopped = r > 0;
	return r < 0 ? r : 0;
}
