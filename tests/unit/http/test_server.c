/* The HTTP server as its clients see it: routes, token, limits, the feed, start and stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "http/http_client.h"
#include "http/http_server_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

#define SOCKET_NAME "a.sock"
#define PROBLEM	    "Content-Type: application/problem+json"

struct fixture {
	char dir[64];
	char socket_path[80];
	struct http_server_options options;
	struct http_server *server;
	char *token;
	atomic_bool ready;
};

static bool is_ready(void *arg)
{
	struct fixture *f = arg;

	return f->ready;
}

static void write_status(void *arg, struct strbuf *json)
{
	(void)arg;
	strbuf_addstr(json, "{\"role\":\"holder\"}");
}

static void start(struct fixture *f)
{
	struct err err = {0};

	if (http_server_start(&f->options, &f->server, &err) < 0)
		fail_msg("%s", err.message);
}

static char *path_in(const struct fixture *f, const char *name)
{
	return mem_printf("%s/%s", f->dir, name);
}

static char *content(const struct fixture *f, const char *name)
{
	struct strbuf b = STRBUF_INIT(4096);
	char *path = path_in(f, name);

	assert_int_equal(file_read(path, &b, NULL), 0);
	mem_free(path);
	return strbuf_take(&b);
}

static int set_up(void **state)
{
	static const char template[] = "/tmp/aethermart-test-http-XXXXXX";
	struct fixture *f = MEM_NEW(struct fixture);

	memcpy(f->dir, template, sizeof(template));
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->socket_path, sizeof(f->socket_path), "%s/" SOCKET_NAME, f->dir);
	f->options = (struct http_server_options){.dir = f->dir,
						  .socket_path = f->socket_path,
						  .listen = "127.0.0.1",
						  .is_ready = is_ready,
						  .status = write_status,
						  .arg = f,
						  .timeout_s = 10,
						  .changes_kept = 16};
	*state = f;
	start(f);
	f->token = content(f, HTTP_TOKEN_NAME);
	f->token[strcspn(f->token, "\n")] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int r;

	f->server = http_server_stop(f->server);
	mem_free(f->token);
	r = dir_remove(f->dir, NULL);
	mem_free(f);
	return r;
}

/* --- a plain client --------------------------------------------------------------------------- */

static int connect_tcp(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void send_text(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0) /* the server may close before it has read all */
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* What comes until the other side closes. The caller owns it. */
static char *receive(int fd)
{
	struct strbuf b = STRBUF_INIT(4 << 20);
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		strbuf_add(&b, buf, (size_t)n);
	close(fd);
	return strbuf_take(&b);
}

/* The answer to one request with these lines of header. The caller owns it. */
static char *ask(const struct fixture *f, const char *request, const char *header)
{
	char *text =
	    mem_printf("%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", request, header);
	int fd = connect_tcp(http_server_port(f->server));

	send_text(fd, text);
	mem_free(text);
	return receive(fd);
}

static void assert_answer(const struct fixture *f, const char *request, const char *header,
			  const char *status, const char *part)
{
	char *answer = ask(f, request, header);

	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0)
		fail_msg("%s: wanted %s, got %s", request, status, answer);
	if (!strstr(answer, part))
		fail_msg("%s: no %s in %s", request, part, answer);
	mem_free(answer);
}

static char *bearer(const struct fixture *f)
{
	return mem_printf("Authorization: Bearer %s\r\n", f->token);
}

/* --- routes, token, limits -------------------------------------------------------------------- */

static void health_and_readiness_need_no_token(void **state)
{
	struct fixture *f = *state;

	assert_answer(f, "GET /healthz", "", "200", "{\"status\":\"ok\"}");
	assert_answer(f, "GET /readyz", "", "503", "\"code\":\"UNAVAILABLE\"");
	f->ready = true;
	assert_answer(f, "GET /readyz", "", "200", "{\"status\":\"ready\"}");
	assert_answer(f, "GET /healthz", "", "200", "Cache-Control: no-store");
}

static void everything_else_needs_the_token(void **state)
{
	static const char *const wrong[] = {
	    "Authorization: Bearer 0123456789012345678901234567890123456789012\r\n",
	    "Authorization: Basic dTpw\r\n",
	};
	struct fixture *f = *state;
	char *right = bearer(f), *twice = mem_printf("%sAuthorization: Bearer x\r\n", right);

	assert_answer(f, "GET /v1/status", "", "401", "WWW-Authenticate: Bearer");
	assert_answer(f, "GET /metrics", "X-Token: x\r\n", "401", "\"code\":\"PERMISSION\"");
	assert_answer(f, "GET /v1/changes", "", "401", PROBLEM);
	assert_answer(f, "GET /v1/index/status", "", "401", PROBLEM);
	assert_answer(f, "POST /v1/index/rebuild", "", "401", PROBLEM);
	assert_answer(f, "GET /v1/index/query?collection=a&text=b", "", "401", PROBLEM);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_answer(f, "GET /v1/status", wrong[i], "401", "error=\"invalid_token\"");
	assert_answer(f, "GET /v1/status", twice, "401", PROBLEM);
	assert_answer(f, "GET /v1/status", right, "200", "{\"role\":\"holder\"}");
	assert_answer(f, "GET /metrics", right, "200",
		      "# TYPE aethermart_http_requests_total counter\n");
	mem_free(right);
	mem_free(twice);
}

static void metrics_can_be_opened(void **state)
{
	struct fixture *f = *state;

	f->server = http_server_stop(f->server);
	f->options.is_metrics_open = true;
	start(f);
	assert_answer(f, "GET /metrics", "", "200", "text/plain; version=0.0.4");
	assert_answer(f, "GET /v1/status", "", "401", PROBLEM);
}

static void unknown_paths_and_methods_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_answer(f, "GET /", "", "404",
		      "{\"type\":\"urn:aethermart:problem:not-found\",\"title\":\"not found\","
		      "\"status\":404,\"detail\":\"no such path\",\"code\":\"NOT_FOUND\"}\n");
	assert_answer(f, "GET /v1/status/../status", "", "404", PROBLEM);
	assert_answer(f, "GET /healthz/", "", "404", PROBLEM);
	assert_answer(f, "DELETE /healthz", "", "405", "Allow: GET, HEAD");
	assert_answer(f, "POST /v1/status", "Content-Length: 0\r\n", "405", "\"UNSUPPORTED\"");
	assert_answer(f, "GET /healthz?", "", "200", "ok");
	assert_answer(f, "GET /health%7A", "", "200", "ok");
	assert_answer(f, "GET /healthz%00", "", "404", PROBLEM);
	assert_answer(f, "GET /healthz?x=1", "", "400", "\"errors\":[{\"parameter\":\"x\"");
}

static void head_is_a_get_without_body(void **state)
{
	char *answer = ask(*state, "HEAD /healthz", "");

	assert_non_null(strstr(answer, "HTTP/1.1 200"));
	assert_null(strstr(answer, "\"ok\""));
	mem_free(answer);
}

static void bodies_are_refused_before_they_are_read(void **state)
{
	struct fixture *f = *state;
	char *chunk = mem_alloc(70000);
	char *header;

	assert_answer(f, "GET /healthz", "Content-Length: 5\r\n", "413", "takes no body");
	assert_answer(f, "GET /healthz", "Content-Length: 99999999999999\r\n", "413", "\"LIMIT\"");
	assert_answer(f, "GET /healthz", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
		      "413", "takes no body");
	/* A chunk far beyond any limit ends the connection without an answer. */
	memset(chunk, 'x', 65536);
	chunk[65536] = '\0';
	header =
	    mem_printf("Transfer-Encoding: chunked\r\n\r\n1000000\r\n%s%s%s%s%s%s%s%s%s%s%s%s%s"
		       "%s%s%s%s%s%s%s",
		       chunk, chunk, chunk, chunk, chunk, chunk, chunk, chunk, chunk, chunk, chunk,
		       chunk, chunk, chunk, chunk, chunk, chunk, chunk, chunk, chunk);
	mem_free(chunk);
	chunk = ask(f, "GET /healthz", header);
	assert_null(strstr(chunk, "200 OK"));
	mem_free(header);
	mem_free(chunk);
	assert_answer(f, "GET /healthz", "", "200", "ok");
}

static void headers_have_a_limit(void **state)
{
	struct fixture *f = *state;
	char *value = mem_alloc(40000), *header, *answer;

	memset(value, 'x', 39999);
	value[39999] = '\0';
	header = mem_printf("X-Long: %s\r\n", value);
	answer = ask(f, "GET /healthz", header);
	assert_null(strstr(answer, "200 OK"));
	mem_free(answer);
	mem_free(header);
	mem_free(value);
	assert_answer(f, "GET /healthz", "", "200", "ok");
}

/* Each would take more memory in the library than in the request. */
static void many_parameters_and_headers_are_answered(void **state)
{
	struct fixture *f = *state;
	struct strbuf path = STRBUF_INIT(0), header = STRBUF_INIT(0);
	char *answer;

	strbuf_addstr(&path, "GET /healthz?");
	for (int i = 0; i < 3000; i++)
		strbuf_addstr(&path, "a&");
	assert_answer(f, strbuf_str(&path), "", "400", "\"parameter\":\"a\"");
	for (int i = 0; i < 1000; i++)
		strbuf_addstr(&header, "a:b\r\n");
	answer = ask(f, "GET /healthz", strbuf_str(&header));
	assert_non_null(strstr(answer, "HTTP/1.1 431"));
	mem_free(answer);
	strbuf_done(&header);
	strbuf_done(&path);
}

static void garbage_is_survived(void **state)
{
	static const char *const texts[] = {"\r\n\r\n",
					    "GET\r\n\r\n",
					    "\x16\x03\x01\x02",
					    "GET /healthz HTTP/9.9\r\n\r\n",
					    "GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
					    "GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int fd = connect_tcp(http_server_port(f->server));
		struct timeval patience = {.tv_usec = 200000}; /* it may wait for more */

		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		send_text(fd, texts[i]);
		shutdown(fd, SHUT_WR);
		mem_free(receive(fd));
	}
	assert_answer(f, "GET /healthz", "", "200", "ok");
}

static void connections_of_an_address_are_limited(void **state)
{
	struct fixture *f = *state;
	int fds[12], refused = 0;

	f->server = http_server_stop(f->server);
	f->options.connections_max = 16;
	f->options.connections_per_address = 4;
	start(f);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = connect_tcp(http_server_port(f->server));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		struct timeval patience = {.tv_usec = 300000};
		char c;

		(void)setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		send_text(fds[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
		refused += recv(fds[i], &c, 1, 0) <= 0;
	}
	assert_int_equal(refused, ARRAY_LEN(fds) - 4);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void a_silent_connection_is_closed(void **state)
{
	struct fixture *f = *state;
	char c;
	int fd;

	f->server = http_server_stop(f->server);
	f->options.timeout_s = 1;
	start(f);
	fd = connect_tcp(http_server_port(f->server));
	send_text(fd, "GET /healthz HTTP/1.1\r\n");
	assert_int_equal(recv(fd, &c, 1, 0), 0); /* within the five seconds of patience */
	close(fd);
}

/* --- start and stop --------------------------------------------------------------------------- */

static void the_port_is_remembered(void **state)
{
	struct fixture *f = *state;
	uint16_t port = http_server_port(f->server);
	int fd;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	f->server = http_server_stop(f->server);
	start(f);
	assert_int_equal(http_server_port(f->server), port);
	f->server = http_server_stop(f->server);
	/* Taken by another program: a new one is picked and remembered. */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	start(f);
	assert_int_not_equal(http_server_port(f->server), port);
	close(fd);
}

static void a_port_that_is_asked_for_and_taken_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct http_server_options options = f->options;
	struct http_server *second = NULL;
	struct err err = {0};
	char *dir = path_in(f, "second"), *socket_path = path_in(f, "second/" SOCKET_NAME);

	options.dir = dir;
	options.socket_path = socket_path;
	options.port = http_server_port(f->server);
	assert_int_equal(http_server_start(&options, &second, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.hint, "http.port"));
	options.listen = "shop.example";
	assert_int_equal(http_server_start(&options, &second, &err), -ERR_INVALID_ARGUMENT);
	mem_free(socket_path);
	mem_free(dir);
}

static void two_servers_do_not_share_a_folder(void **state)
{
	struct fixture *f = *state;
	struct http_server *second = NULL;
	struct err err = {0};

	assert_int_equal(http_server_start(&f->options, &second, &err), -ERR_CONFLICT);
	assert_answer(f, "GET /healthz", "", "200", "ok");
}

static void a_server_that_stands_by_takes_over(void **state)
{
	struct fixture *f = *state;
	struct http_server_options options = f->options;
	struct http_server *second = NULL, *third = NULL;
	struct err err = {0};
	uint16_t port = http_server_port(f->server);

	options.stands_by = true;
	assert_int_equal(http_server_start(&options, &second, &err), 0);
	assert_int_equal(http_server_start(&options, &third, &err), 0);
	assert_int_equal(http_server_port(second), 0);
	http_server_publish_change(second, "{}"); /* into the void, but no harm */
	third = http_server_stop(third);	  /* before it was its turn */
	f->server = http_server_stop(f->server);
	for (int i = 0; i < 500 && !http_server_port(second); i++)
		usleep(10000);
	assert_int_equal(http_server_port(second), port);
	f->server = second;
	assert_answer(f, "GET /healthz", "", "200", "ok");
}

static void what_a_killed_server_left_is_no_hindrance(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};
	char *path = path_in(f, SOCKET_NAME);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	f->server = http_server_stop(f->server);
	assert_false(file_exists(path));
	memcpy(a.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd); /* the file stays */
	start(f);
	assert_int_equal(http_client_get(f->socket_path, "/healthz", &b, &err), 0);
	strbuf_done(&b);
	mem_free(path);
}

static void files_are_private(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {SOCKET_NAME, HTTP_TOKEN_NAME};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = path_in(f, names[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		mem_free(path);
	}
	assert_int_equal(strlen(f->token), 43);
}

static void a_token_is_kept_and_must_be_private(void **state)
{
	struct fixture *f = *state;
	char *path = path_in(f, HTTP_TOKEN_NAME), *again;
	struct err err = {0};

	f->server = http_server_stop(f->server);
	start(f);
	again = content(f, HTTP_TOKEN_NAME);
	assert_memory_equal(again, f->token, strlen(f->token));
	f->server = http_server_stop(f->server);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(http_server_start(&f->options, &f->server, &err), -ERR_PERMISSION);
	assert_null(strstr(err.message, f->token));
	assert_int_equal(file_write_atomic(path, "short\n", 6, 0600, NULL), 0);
	assert_int_equal(http_server_start(&f->options, &f->server, &err), -ERR_CORRUPTED);
	mem_free(again);
	mem_free(path);
}

static void a_socket_with_a_long_path_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct http_server_options options = f->options;
	struct http_server *second = NULL;
	struct err err = {0};
	char name[101];
	char *dir = path_in(f, "second"), *path;

	memset(name, 'x', 100);
	name[100] = '\0';
	path = path_in(f, name);
	options.dir = dir;
	options.socket_path = path;
	assert_int_equal(http_server_start(&options, &second, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.hint, "stack.dir"));
	mem_free(path);
	mem_free(dir);
}

/* --- client and feed -------------------------------------------------------------------------- */

static void the_socket_needs_no_token(void **state)
{
	struct fixture *f = *state;
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};

	assert_int_equal(http_client_get(f->socket_path, "/v1/status", &b, &err), 0);
	assert_string_equal(strbuf_str(&b), "{\"role\":\"holder\"}\n");
	assert_int_equal(http_client_get(f->socket_path, "/nothing", &b, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.message, "the server answered 404 to \"/nothing\": no such path");
	f->server = http_server_stop(f->server);
	assert_int_equal(http_client_get(f->socket_path, "/v1/status", &b, &err), -ERR_UNAVAILABLE);
	assert_non_null(strstr(err.hint, "aethermart up"));
	strbuf_done(&b);
}

static void the_socket_alone_is_enough(void **state)
{
	struct fixture *f = *state;
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};

	f->server = http_server_stop(f->server);
	f->options.listen = "";
	start(f);
	assert_int_equal(http_server_port(f->server), 0);
	assert_int_equal(http_client_get(f->socket_path, "/healthz", &b, &err), 0);
	strbuf_done(&b);
}

struct listener {
	struct fixture *fixture;
	pthread_t thread;
	atomic_int lines, missed;
	int until; /* numbers of the last change, then it ends */
	int last, r;
	bool in_order;
};

static int take_line(void *arg, struct str line, struct err *err)
{
	struct listener *l = arg;
	int n;

	(void)err;
	l->lines++;
	if (str_starts(line, "{\"missed\":")) {
		l->missed += (int)strtol(line.data + 10, NULL, 10);
		return 0;
	}
	if (!str_starts(line, "{\"n\":"))
		return 0;
	n = (int)strtol(line.data + 5, NULL, 10);
	l->in_order &= n > l->last;
	l->last = n;
	return n >= l->until;
}

static void *listen_to_feed(void *arg)
{
	struct listener *l = arg;
	struct err err = {0};

	l->r = http_client_stream(l->fixture->socket_path, "/v1/changes", take_line, l, &err);
	return NULL;
}

static void start_listener(struct listener *l, struct fixture *f, int until)
{
	*l = (struct listener){.fixture = f, .until = until, .last = -1, .in_order = true};
	assert_int_equal(pthread_create(&l->thread, NULL, listen_to_feed, l), 0);
}

static void wait_for_readers(struct fixture *f, unsigned n)
{
	for (int i = 0; i < 500 && http_server_readers(f->server) != n; i++)
		usleep(10000);
	assert_int_equal(http_server_readers(f->server), n);
}

static void publish(struct fixture *f, int n)
{
	char text[32];

	snprintf(text, sizeof(text), "{\"n\":%d}", n);
	http_server_publish_change(f->server, text);
}

static void each_reader_gets_every_change_in_order(void **state)
{
	struct fixture *f = *state;
	struct listener l[3];

	publish(f, 0); /* before anybody reads */
	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		start_listener(&l[i], f, 200);
	wait_for_readers(f, ARRAY_LEN(l));
	for (int n = 1; n <= 200; n++) {
		publish(f, n);
		if (n % 8 == 0)
			usleep(5000); /* slower than the readers: the ring holds 16 */
	}
	for (size_t i = 0; i < ARRAY_LEN(l); i++) {
		pthread_join(l[i].thread, NULL);
		assert_int_equal(l[i].r, 0);
		assert_int_equal(l[i].last, 200);
		assert_true(l[i].in_order);
		assert_int_equal(l[i].lines - (l[i].missed ? 1 : 0) + l[i].missed, 200);
	}
}

static void a_change_reaches_the_reader_at_once(void **state)
{
	struct fixture *f = *state;
	struct listener l;

	start_listener(&l, f, 1);
	wait_for_readers(f, 1);
	usleep(100000); /* parked */
	publish(f, 1);
	for (int i = 0; i < 100 && l.lines == 0; i++)
		usleep(10000);
	assert_int_equal(l.lines, 1);
	pthread_join(l.thread, NULL);
}

static void park_nothing(void *arg)
{
	(void)arg;
}

static void a_slow_reader_is_told_what_it_missed(void **state)
{
	struct http_feed *feed = http_feed_new(4, 60 * HTTP_HEARTBEAT_MS);
	struct http_reader *r = http_reader_new(feed, park_nothing, park_nothing, NULL);
	char buf[256];
	ptrdiff_t n;

	(void)state;
	assert_int_equal(http_reader_read(r, buf, sizeof(buf)), 0);
	for (int i = 0; i < 10; i++) {
		char c = (char)('0' + i);

		http_feed_publish(feed, &c, 1);
	}
	n = http_reader_read(r, buf, sizeof(buf));
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, "{\"missed\":6}\n6\n7\n8\n9\n");
	/* A small buffer gets the rest later. */
	http_feed_publish(feed, "abcdef", 6);
	assert_int_equal(http_reader_read(r, buf, 4), 4);
	assert_int_equal(http_reader_read(r, buf + 4, 4), 3);
	assert_memory_equal(buf, "abcdef\n", 7);
	/* One that is too long is counted. */
	{
		char *longer = mem_alloc_array(HTTP_CHANGE_MAX + 1, 1);

		http_feed_publish(feed, longer, HTTP_CHANGE_MAX + 1);
		mem_free(longer);
	}
	n = http_reader_read(r, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = '\0';
	assert_string_equal(buf, "{\"missed\":1}\n");
	http_feed_end(feed);
	assert_int_equal(http_reader_read(r, buf, sizeof(buf)), -1);
	assert_null(http_reader_new(feed, park_nothing, park_nothing, NULL));
	http_reader_free(r);
	http_feed_free(feed);
}

static void note_waking(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void a_reader_without_news_gets_heartbeats(void **state)
{
	atomic_int woken = 0;
	struct http_feed *feed = http_feed_new(4, 20);
	struct http_reader *r = http_reader_new(feed, park_nothing, note_waking, &woken);
	char buf[64];
	ptrdiff_t n;

	(void)state;
	for (int i = 1; i <= 3; i++) {
		while ((n = http_reader_read(r, buf, sizeof(buf) - 1)) == 0)
			usleep(5000);
		buf[n] = '\0';
		assert_string_equal(buf, "{\"heartbeat\":true}\n");
		assert_true(woken >= i);
	}
	http_reader_free(r);
	http_feed_free(feed);
}

static void readers_are_limited(void **state)
{
	struct http_feed *feed = http_feed_new(4, HTTP_HEARTBEAT_MS);
	struct http_reader *r[HTTP_READERS_MAX];

	(void)state;
	for (size_t i = 0; i < HTTP_READERS_MAX; i++) {
		r[i] = http_reader_new(feed, park_nothing, park_nothing, NULL);
		assert_non_null(r[i]);
	}
	assert_null(http_reader_new(feed, park_nothing, park_nothing, NULL));
	for (size_t i = 0; i < HTTP_READERS_MAX; i++)
		http_reader_free(r[i]);
	http_feed_free(feed);
}

static void a_reader_that_went_away_is_noticed(void **state)
{
	struct fixture *f = *state;
	char *header = bearer(f);
	char *text = mem_printf("GET /v1/changes HTTP/1.1\r\nHost: x\r\n%s\r\n", header);
	int fd = connect_tcp(http_server_port(f->server));

	send_text(fd, text);
	wait_for_readers(f, 1);
	close(fd);
	for (int i = 0; i < 500 && http_server_readers(f->server); i++) {
		publish(f, i);
		usleep(10000);
	}
	assert_int_equal(http_server_readers(f->server), 0);
	mem_free(text);
	mem_free(header);
}

static void stopping_ends_the_feeds(void **state)
{
	struct fixture *f = *state;
	struct listener l[4];

	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		start_listener(&l[i], f, 1000000);
	wait_for_readers(f, ARRAY_LEN(l));
	f->server = http_server_stop(f->server);
	for (size_t i = 0; i < ARRAY_LEN(l); i++) {
		pthread_join(l[i].thread, NULL);
		assert_int_equal(l[i].last, -1);
	}
}

static void *publish_much(void *arg)
{
	for (int i = 0; i < 20000; i++)
		publish(arg, i);
	return NULL;
}

static void stopping_under_load_is_clean(void **state)
{
	struct fixture *f = *state;
	struct listener l[4];
	pthread_t publishers[2];

	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		start_listener(&l[i], f, 1000000);
	for (size_t i = 0; i < ARRAY_LEN(publishers); i++)
		assert_int_equal(pthread_create(&publishers[i], NULL, publish_much, f), 0);
	for (size_t i = 0; i < ARRAY_LEN(publishers); i++)
		pthread_join(publishers[i], NULL);
	f->server = http_server_stop(f->server);
	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		pthread_join(l[i].thread, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(health_and_readiness_need_no_token),
	    TEST(everything_else_needs_the_token),
	    TEST(metrics_can_be_opened),
	    TEST(unknown_paths_and_methods_are_refused),
	    TEST(head_is_a_get_without_body),
	    TEST(bodies_are_refused_before_they_are_read),
	    TEST(headers_have_a_limit),
	    TEST(many_parameters_and_headers_are_answered),
	    TEST(garbage_is_survived),
	    TEST(connections_of_an_address_are_limited),
	    TEST(a_silent_connection_is_closed),
	    TEST(the_port_is_remembered),
	    TEST(a_port_that_is_asked_for_and_taken_is_an_error),
	    TEST(two_servers_do_not_share_a_folder),
	    TEST(a_server_that_stands_by_takes_over),
	    TEST(what_a_killed_server_left_is_no_hindrance),
	    TEST(files_are_private),
	    TEST(a_token_is_kept_and_must_be_private),
	    TEST(a_socket_with_a_long_path_is_an_error),
	    TEST(the_socket_needs_no_token),
	    TEST(the_socket_alone_is_enough),
	    TEST(each_reader_gets_every_change_in_order),
	    TEST(a_change_reaches_the_reader_at_once),
	    TEST(a_reader_that_went_away_is_noticed),
	    TEST(stopping_ends_the_feeds),
	    TEST(stopping_under_load_is_clean),
	    cmocka_unit_test(a_slow_reader_is_told_what_it_missed),
	    cmocka_unit_test(a_reader_without_news_gets_heartbeats),
	    cmocka_unit_test(readers_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
