/*
 * The server's life: two listening sockets, opened here so that each failure has its own message,
 * then handed to a daemon of MHD each (epoll, two threads).
 *
 * The Unix socket gets its mode between bind and listen, while nobody can connect yet. A lock on
 * <dir>/serve.lock tells the socket of a living server from one that a killed server left.
 */
#include "http/http_server_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/logger.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

#define THREADS	      2U /* of each daemon */
#define LISTEN_QUEUE  128
#define LOCK_NAME     "serve.lock"
#define PORT_TEXT_MAX 16

/* --- sockets --------------------------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static int parse_address(const char *text, union address *ret, socklen_t *ret_len, struct err *err)
{
	*ret = (union address){0};
	if (cstr_equal(text, "localhost"))
		text = "127.0.0.1";
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		*ret_len = sizeof(ret->v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		*ret_len = sizeof(ret->v6);
		return 0;
	}
	(void)err_set(err, ERR_INVALID_ARGUMENT, "http.listen: \"%s\" is not an IP address", text);
	return err_hint(err, "write 127.0.0.1, ::1, 0.0.0.0 or another numeric address");
}

static bool is_loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr) != 0;
}

static void set_port(union address *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET)
		a->v4.sin_port = htons(port);
	else
		a->v6.sin6_port = htons(port);
}

static uint16_t port_of(int fd)
{
	union address a = {0};
	socklen_t len = sizeof(a);

	bug_if(getsockname(fd, &a.any, &len) < 0);
	return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

/* The listening socket, or the negative errno. */
static int try_listen(union address *a, socklen_t len, uint16_t port)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1, e;

	if (fd < 0)
		return -errno;
	set_port(a, port);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, &a->any, len) == 0 && listen(fd, LISTEN_QUEUE) == 0)
		return fd;
	e = errno;
	close(fd);
	return -e;
}

static uint16_t remembered_port(const char *path)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(PORT_TEXT_MAX);
	int64_t port;

	/* Whatever is wrong with the file, a free port is picked instead. */
	if (file_read(path, &b, NULL) < 0 ||
	    parse_int64(str_trim(strbuf_slice(&b)), 1, 65535, &port, NULL) < 0)
		return 0;
	return (uint16_t)port;
}

static int remember_port(const char *path, uint16_t port, struct err *err)
{
	char text[PORT_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%u\n", (unsigned)port);

	if (remembered_port(path) == port)
		return 0;
	return file_write_atomic(path, text, (size_t)n, 0644, err);
}

static int open_tcp(struct http_server *s, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", s->options.dir, HTTP_PORT_NAME);
	uint16_t port = s->options.port ? s->options.port : remembered_port(path);
	union address a;
	socklen_t len = 0;
	int fd, r = parse_address(s->options.listen, &a, &len, err);

	if (r < 0)
		return r;
	fd = try_listen(&a, len, port);
	if (fd < 0 && port && !s->options.port) /* taken by somebody else meanwhile */
		fd = try_listen(&a, len, port = 0);
	if (fd < 0) {
		(void)err_set(err,
			      fd == -EADDRINUSE ? ERR_CONFLICT
			      : fd == -EACCES	? ERR_PERMISSION
						: ERR_UNAVAILABLE,
			      "could not listen on port %u of %s: %s", (unsigned)port,
			      s->options.listen, strerror(-fd));
		return err_hint(err, "set http.port to another port, or to 0 for any that is free");
	}
	s->tcp.fd = fd;
	s->port = port_of(fd);
	return remember_port(path, s->port, err);
}

/* A token that is sent in the clear is everybody's on the way. */
static int check_listen(const struct http_server *s, struct err *err)
{
	union address a;
	socklen_t len = 0;
	int r = s->options.listen[0] ? parse_address(s->options.listen, &a, &len, err) : 0;

	if (r < 0 || !s->options.listen[0] || s->tls || is_loopback(&a))
		return r;
	if (s->options.is_plaintext_allowed) {
		logger_event(LOGGER_WARN, "http", "listens beyond this machine, without TLS",
			     "address", s->options.listen, NULL);
		return 0;
	}
	(void)err_set(err, ERR_INVALID_ARGUMENT,
		      "http.listen: \"%s\" is beyond this machine, and there is no TLS",
		      s->options.listen);
	return err_hint(err, "set http.tls_cert and http.tls_key, or http.plaintext: on when a "
			     "proxy or a private network encrypts");
}

/* One server a folder: the lock lives as long as the process, whatever way that ends. */
static int lock_folder(struct http_server *s, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", s->options.dir, LOCK_NAME);

	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_set(err, errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_IO,
			       "could not open \"%s\": %s", path, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		(void)err_set(err, ERR_CONFLICT, "another server runs in \"%s\"", s->options.dir);
		return err_hint(err, "stop it with \"aethermart down\" first");
	}
	return 0;
}

static int open_unix(struct http_server *s, struct err *err)
{
	union address a = {.local = {.sun_family = AF_UNIX}};
	size_t len = strlen(s->options.socket_path);
	int fd;

	if (len >= sizeof(a.local.sun_path)) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "the path of the socket \"%s\" is longer than %zu bytes",
			      s->options.socket_path, sizeof(a.local.sun_path) - 1);
		return err_hint(err, "set stack.dir to a shorter path");
	}
	memcpy(a.local.sun_path, s->options.socket_path, len + 1);
	(void)unlink(s->options.socket_path); /* of a server that was killed: the lock is ours */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, &a.any, sizeof(a.local)) < 0 ||
	    chmod(s->options.socket_path, 0600) < 0 || listen(fd, LISTEN_QUEUE) < 0) {
		int e = errno;

		closep(&fd);
		return err_set(err, e == EACCES || e == EPERM ? ERR_PERMISSION : ERR_UNAVAILABLE,
			       "could not listen at \"%s\": %s", s->options.socket_path,
			       strerror(e));
	}
	s->local.fd = fd;
	return 0;
}

/* --- daemons --------------------------------------------------------------------------------- */

static void log_library(void *cls, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* What MHD says: mostly of clients that went away. */
static void log_library(void *cls, const char *fmt, va_list ap)
{
	struct strbuf b = STRBUF_INIT(1024);
	_cleanup_(mem_freep) char *line = NULL;

	(void)cls;
	if (!logger_is_on(LOGGER_DEBUG))
		return;
	strbuf_vaddf(&b, fmt, ap);
	line = mem_strndup(strbuf_str(&b), strcspn(strbuf_str(&b), "\n"));
	strbuf_done(&b);
	logger_event(LOGGER_DEBUG, "http", "library", "text", line, NULL);
}

static int start_daemon(struct http_listener *l, struct err *err)
{
	const struct http_server_options *o = &l->server->options;
	const struct http_tls *tls = l->is_unix ? NULL : l->server->tls;
	const struct MHD_OptionItem none[] = {{.option = MHD_OPTION_END}};
	const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			       MHD_USE_ITC | MHD_USE_ERROR_LOG;

	l->daemon = MHD_start_daemon(
	    flags | (tls ? (unsigned)MHD_USE_TLS : 0), 0, NULL, NULL, http_request_handle, l,
	    MHD_OPTION_URI_LOG_CALLBACK, http_request_new, l, MHD_OPTION_EXTERNAL_LOGGER,
	    log_library, NULL, MHD_OPTION_ARRAY, tls ? tls->options : none,
	    MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
	    MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    l->is_unix ? 0U : o->connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT,
	    o->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->header_max,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, http_request_done, l,
	    MHD_OPTION_NOTIFY_CONNECTION, http_request_notify, l, MHD_OPTION_END);
	if (!l->daemon)
		return err_set(err, ERR_UNAVAILABLE, "could not start the HTTP server: %s",
			       strerror(errno));
	l->fd = -1; /* the daemon closes it */
	return 0;
}

static void set_defaults(struct http_server_options *o)
{
	o->header_max = o->header_max ? o->header_max : 16 << 10;
	o->body_max = o->body_max ? o->body_max : 1 << 20;
	o->connections_max = o->connections_max ? o->connections_max : 256;
	o->connections_per_address = o->connections_per_address ? o->connections_per_address : 64;
	o->timeout_s = o->timeout_s ? o->timeout_s : 30;
	o->changes_kept = o->changes_kept ? o->changes_kept : 4096;
	o->rate = o->rate.count ? o->rate : (struct token_rate){100, 1};
	o->visitor_rate = o->visitor_rate.count ? o->visitor_rate : (struct token_rate){20, 1};
}

static struct http_server *server_new(const struct http_server_options *options)
{
	struct http_server *s = MEM_NEW(struct http_server);

	s->arena = MEM_NEW(struct arena);
	s->options = *options;
	set_defaults(&s->options);
	s->options.dir = arena_strdup(s->arena, options->dir);
	s->options.socket_path = arena_strdup(s->arena, options->socket_path);
	s->options.listen = arena_strdup(s->arena, options->listen ? options->listen : "");
	s->tcp = (struct http_listener){.server = s, .fd = -1};
	s->local = (struct http_listener){.server = s, .fd = -1, .is_unix = true};
	s->lock_fd = -1;
	s->feed = http_feed_new(s->options.changes_kept, HTTP_HEARTBEAT_MS);
	s->pool = http_pool_new();
	if (options->visitor)
		s->visitor = *options->visitor;
	s->door =
	    http_door_new(&(struct http_door_options){.find_token = options->find_token,
						      .tell_tries = options->tell_tries,
						      .arg = options->arg,
						      .rate = s->options.rate,
						      .visitor_rate = s->options.visitor_rate,
						      .connections = s->options.connections_max});
	s->watch = http_watch_new(s->options.connections_per_address);
	return s;
}

/* With the folder's lock held. */
static int open_doors(struct http_server *s, struct err *err)
{
	int r = open_unix(s, err);

	if (r < 0)
		return r;
	r = http_token_load(s->options.dir, &s->token, err);
	if (r < 0)
		return r;
	if (s->options.listen[0]) {
		r = open_tcp(s, err);
		if (r < 0)
			return r;
		r = start_daemon(&s->tcp, err);
		if (r < 0)
			return r;
	}
	return start_daemon(&s->local, err);
}

/* False when the server stops meanwhile. */
static bool wait_a_second(struct http_server *s)
{
	int64_t until = clock_monotonic_us() + 1000000;
	bool is_stopping;

	pthread_mutex_lock(&s->mutex);
	while (!s->is_stopping && clock_cond_wait(&s->stopping, &s->mutex, until))
		;
	is_stopping = s->is_stopping;
	pthread_mutex_unlock(&s->mutex);
	return !is_stopping;
}

/* The end of another process is told by nobody, so the lock is tried once a second. */
static void *open_later(void *arg)
{
	struct http_server *s = arg;

	while (wait_a_second(s)) {
		struct err err = {0};
		int r = lock_folder(s, &err);

		if (r == -ERR_CONFLICT)
			continue;
		if (r == 0)
			r = open_doors(s, &err);
		if (r < 0)
			logger_error(LOGGER_ERROR, "http", "could not take over the API", &err);
		else
			logger_event(LOGGER_INFO, "http", "took over the API", "folder",
				     s->options.dir, NULL);
		break;
	}
	return NULL;
}

static void start_opener(struct http_server *s)
{
	bug_if(pthread_mutex_init(&s->mutex, NULL) != 0);
	clock_cond_init(&s->stopping);
	bug_if(pthread_create(&s->opener, NULL, open_later, s) != 0);
	s->has_opener = true;
}

static void stop_opener(struct http_server *s)
{
	if (!s->has_opener)
		return;
	pthread_mutex_lock(&s->mutex);
	s->is_stopping = true;
	pthread_cond_signal(&s->stopping);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->opener, NULL);
	pthread_cond_destroy(&s->stopping);
	pthread_mutex_destroy(&s->mutex);
}

static int start(struct http_server *s, struct err *err)
{
	int r = dir_make(s->options.dir, 0700, err);

	/* Before the folder is waited for: what is wrong is told at once. */
	if (r == 0 && s->options.tls_cert)
		r = http_tls_load(s->options.tls_cert, s->options.tls_key, &s->tls, err);
	if (r == 0)
		r = check_listen(s, err);
	if (r < 0)
		return r;
	r = lock_folder(s, err);
	if (r == -ERR_CONFLICT && s->options.stands_by) {
		start_opener(s);
		return 0;
	}
	return r < 0 ? r : open_doors(s, err);
}

int http_server_start(const struct http_server_options *options, struct http_server **ret,
		      struct err *err)
{
	struct http_server *s;
	sigset_t all, old;
	int r;

	/* The server's threads inherit the mask: signals are the main thread's. */
	sigfillset(&all);
	bug_if(pthread_sigmask(SIG_SETMASK, &all, &old) != 0);
	s = server_new(options);
	r = start(s, err);
	bug_if(pthread_sigmask(SIG_SETMASK, &old, NULL) != 0);
	if (r < 0) {
		(void)http_server_stop(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void stop_listener(struct http_listener *l)
{
	if (l->daemon)
		MHD_stop_daemon(l->daemon);
	closep(&l->fd);
}

struct http_server *http_server_stop(struct http_server *s)
{
	if (!s)
		return NULL;
	stop_opener(s);
	http_feed_end(s->feed); /* before the daemons: they wait for parked readers */
	if (s->local.daemon || s->local.fd >= 0)
		(void)unlink(s->options.socket_path);
	http_pool_stop(s->pool); /* likewise */
	http_door_stop(s->door);
	stop_listener(&s->tcp);
	stop_listener(&s->local);
	closep(&s->lock_fd);
	(void)http_pool_free(s->pool);
	(void)http_door_free(s->door);
	(void)http_watch_free(s->watch);
	(void)http_tls_free(s->tls);
	(void)http_feed_free(s->feed);
	mem_free(s->token);
	arena_done(s->arena);
	mem_free(s->arena);
	mem_free(s);
	return NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

unsigned http_server_readers(struct http_server *s)
{
	return http_feed_readers(s->feed);
}

void http_server_publish_change(struct http_server *s, const char *json)
{
	http_feed_publish(s->feed, json, strlen(json));
}
