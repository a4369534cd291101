/* Who asks: tokens that are looked up, rights, limits, answers that come late, visitors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "http/http_server_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

struct fixture {
	char dir[64];
	char socket_path[80];
	struct http_server_options options;
	struct http_guest visitor;
	struct http_server *server;
	atomic_uint lookups, tries, orders;
	atomic_bool is_away;
	atomic_uint_least64_t customer; /* of the last order */
	pthread_mutex_t mutex;		/* guards is_closed */
	pthread_cond_t changed;
	bool is_closed; /* lookups wait until it opens */
	unsigned waiting;
};

/* A token is its rights: "status" (and what begins so), "orders", "own"; "slow" has a rate. */
static int find_token(void *arg, struct str token, struct http_guest *ret, struct err *err)
{
	struct fixture *f = arg;

	f->lookups++;
	pthread_mutex_lock(&f->mutex);
	f->waiting++;
	pthread_cond_broadcast(&f->changed);
	while (f->is_closed)
		pthread_cond_wait(&f->changed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	if (f->is_away)
		return err_set(err, ERR_UNAVAILABLE, "the database is away");
	*ret = (struct http_guest){.left_us = INT64_MAX};
	(void)snprintf(ret->id, sizeof(ret->id), "%.*s", STR_ARGS(token));
	if (token.len >= 6 && memcmp(token.data, "status", 6) == 0)
		ret->rights = ACCESS_HTTP_STATUS;
	else if (str_equal(token, str_from("orders")))
		ret->rights = ACCESS_HTTP_ORDERS;
	else if (str_equal(token, str_from("own")))
		*ret = (struct http_guest){
		    .rights = ACCESS_HTTP_OWN_ORDERS, .customer = 7, .left_us = INT64_MAX};
	else if (str_equal(token, str_from("slow")))
		*ret = (struct http_guest){
		    .rights = ACCESS_HTTP_STATUS, .rate = {2, 3600}, .left_us = INT64_MAX};
	else
		return err_set(err, ERR_PERMISSION, "none");
	return 0;
}

static int tell_tries(void *arg, const char *address, uint64_t tries, struct err *err)
{
	struct fixture *f = arg;

	(void)err;
	assert_string_equal(address, "127.0.0.1");
	f->tries += (unsigned)tries;
	return 0;
}

static int place_order(void *arg, const struct http_order *order, struct strbuf *json,
		       struct err *err)
{
	struct fixture *f = arg;

	(void)err;
	f->orders++;
	f->customer = order->customer;
	strbuf_addf(json, "{\"bytes\":%zu}\n", order->body.len);
	return 0;
}

static void start(struct fixture *f)
{
	struct err err = {0};

	if (http_server_start(&f->options, &f->server, &err) < 0)
		fail_msg("%s", err.message);
}

static int set_up(void **state)
{
	static const char template[] = "/tmp/aethermart-test-http-XXXXXX";
	struct fixture *f = MEM_NEW(struct fixture);

	memcpy(f->dir, template, sizeof(template));
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->socket_path, sizeof(f->socket_path), "%s/a.sock", f->dir);
	pthread_mutex_init(&f->mutex, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->options = (struct http_server_options){.dir = f->dir,
						  .socket_path = f->socket_path,
						  .listen = "127.0.0.1",
						  .find_token = find_token,
						  .tell_tries = tell_tries,
						  .place_order = place_order,
						  .connections_per_address = 128,
						  .arg = f};
	*state = f;
	start(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int r;

	f->server = http_server_stop(f->server);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->mutex);
	r = dir_remove(f->dir, NULL);
	mem_free(f);
	return r;
}

/* --- a client --------------------------------------------------------------------------------- */

/* Sends a request; its answer is awaited by finish(). */
static int ask(const struct fixture *f, const char *line, const char *token, size_t body)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(http_server_port(f->server))};
	struct timeval patience = {.tv_sec = 20};
	struct strbuf b = STRBUF_INIT(1 << 20);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	strbuf_addf(&b, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIdempotency-Key: k\r\n",
		    line);
	if (token)
		strbuf_addf(&b, "Authorization: Bearer %s\r\n", token);
	if (body)
		strbuf_addf(&b, "Content-Length: %zu\r\n", body);
	strbuf_addstr(&b, "\r\n");
	for (size_t i = 0; i < body; i++)
		strbuf_addch(&b, ' ');
	assert_int_equal(send(fd, strbuf_str(&b), b.len, MSG_NOSIGNAL), b.len);
	strbuf_done(&b);
	return fd;
}

/* The status; the answer holds `part`. */
static int finish(int fd, const char *part)
{
	struct strbuf b = STRBUF_INIT(1 << 20);
	char piece[4096];
	ssize_t n;
	int64_t status = 0;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
		strbuf_add(&b, piece, (size_t)n);
	close(fd);
	if (b.len > 12)
		(void)!parse_int64((struct str){strbuf_str(&b) + 9, 3}, 0, 999, &status, NULL);
	if (part && !strstr(strbuf_str(&b), part))
		fail_msg("no %s in %s", part, strbuf_str(&b));
	strbuf_done(&b);
	return (int)status;
}

static int get(const struct fixture *f, const char *path, const char *token)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "GET %s", path);
	return finish(ask(f, line, token, 0), NULL);
}

/* --- tokens ----------------------------------------------------------------------------------- */

static void a_token_is_looked_up_once_in_a_second(void **state)
{
	struct fixture *f = *state;
	int64_t since = clock_monotonic_us();

	for (int i = 0; i < 5; i++)
		assert_int_equal(get(f, "/v1/status", "status"), 200);
	if (clock_monotonic_us() - since < HTTP_KNOWN_US)
		assert_int_equal(f->lookups, 1);
}

static void a_route_wants_its_right(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/v1/status", "orders"), 403);
	assert_int_equal(get(f, "/metrics", "status"), 403);
	assert_int_equal(get(f, "/v1/changes", "status"), 403);
	assert_int_equal(get(f, "/v1/search?in=customers", "status"), 403);
	assert_int_equal(get(f, "/v1/search?limit=x", "status"), 403);
	assert_int_equal(finish(ask(f, "POST /v1/orders", "status", 0), NULL), 403);
}

/* The library repeats the call that was suspended, and reads the body behind it. */
static void a_body_is_whole_behind_a_lookup(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(finish(ask(f, "POST /v1/orders", "orders", 100000), "\"bytes\":100000"),
			 201);
	assert_int_equal(f->customer, 0);
	assert_int_equal(finish(ask(f, "POST /v1/orders", "own", 10), "\"bytes\":10"), 201);
	assert_int_equal(f->customer, 7);
	assert_int_equal(f->orders, 2);
	assert_int_equal(finish(ask(f, "POST /v1/orders", "none", 100000), NULL), 401);
	assert_int_equal(f->orders, 2);
}

static void a_database_that_is_away_is_no_refusal(void **state)
{
	struct fixture *f = *state;

	f->is_away = true;
	assert_int_equal(finish(ask(f, "GET /v1/status", "status", 0), "Retry-After: 1"), 503);
	assert_int_equal(get(f, "/healthz", NULL), 200);
	assert_int_equal(f->tries, 0);
}

/* They would wait behind each other for a server that hangs, those with good tokens too. */
static void while_it_is_away_one_finds_out_whether_it_still_is(void **state)
{
	enum { N = 20 };
	struct fixture *f = *state;
	char token[16];
	int64_t since;

	f->is_away = true;
	assert_int_equal(get(f, "/v1/status", "status"), 503);
	since = clock_monotonic_us();
	for (int i = 0; i < N; i++) {
		(void)snprintf(token, sizeof(token), "status%d", i);
		assert_int_equal(get(f, "/v1/status", token), 503);
	}
	/* The first, and one for each second since. */
	assert_true(f->lookups <= 2 + (clock_monotonic_us() - since) / 1000000);
	f->is_away = false;
	while (get(f, "/v1/status", "status-again") == 503)
		usleep(50000);
	assert_int_equal(get(f, "/v1/status", "status"), 200);
}

static void late_answers_of_one_place_are_few(void **state)
{
	enum { N = 30 };
	struct fixture *f = *state;
	char token[16];
	int links[N], late = 0, refused = 0;

	for (int i = 0; i < N; i++) {
		(void)snprintf(token, sizeof(token), "wrong%d", i);
		links[i] = ask(f, "GET /v1/status", token, 0);
	}
	assert_int_equal(get(f, "/v1/status", "status"), 200);
	for (int i = 0; i < N; i++) {
		int status = finish(links[i], NULL);

		late += status == 401;
		refused += status == 429;
	}
	assert_int_equal(late + refused, N);
	assert_true(late > 0 && refused > 0);
}

static void lookups_that_hang_are_bounded_and_in_nobodys_way(void **state)
{
	enum { N = HTTP_WORK_THREADS + HTTP_WORK_WAITING };
	struct fixture *f = *state;
	char token[16];
	int links[N];

	f->is_closed = true;
	for (int i = 0; i < N; i++) {
		(void)snprintf(token, sizeof(token), "status%d", i);
		links[i] = ask(f, "GET /v1/status", token, 0);
		/* Both threads are at work before others wait. */
		pthread_mutex_lock(&f->mutex);
		while (i < HTTP_WORK_THREADS && f->waiting < (unsigned)i + 1)
			pthread_cond_wait(&f->changed, &f->mutex);
		pthread_mutex_unlock(&f->mutex);
	}
	assert_int_equal(get(f, "/healthz", NULL), 200);
	pthread_mutex_lock(&f->mutex);
	f->is_closed = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	for (int i = 0; i < N; i++)
		assert_int_equal(finish(links[i], NULL), 200);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void a_rate_is_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/v1/status", "slow"), 200);
	assert_int_equal(get(f, "/v1/status", "slow"), 200);
	assert_int_equal(finish(ask(f, "GET /v1/status", "slow", 0), "Retry-After: "), 429);
	assert_int_equal(get(f, "/v1/status", "status"), 200);
}

static void a_token_that_is_none_waits_and_is_told(void **state)
{
	struct fixture *f = *state;
	int64_t since = clock_monotonic_us();

	for (int i = 0; i < 3; i++)
		assert_int_equal(get(f, "/v1/status", "none"), 401);
	assert_true(clock_monotonic_us() - since >= 650000);
	assert_int_equal(get(f, "/v1/status", NULL), 401); /* no token is no try */
	f->server = http_server_stop(f->server);
	assert_int_equal(f->tries, 3);
}

static void stopping_answers_those_that_wait(void **state)
{
	struct fixture *f = *state;
	int64_t since = clock_monotonic_us();
	int links[20];

	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		links[i] = ask(f, "GET /v1/status", "none", 0);
	while (!f->lookups)
		sched_yield();
	f->server = http_server_stop(f->server);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		(void)finish(links[i], NULL);
	assert_true(clock_monotonic_us() - since < HTTP_DELAY_MAX_MS * INT64_C(1000));
}

static void a_visitor_has_the_rights_of_visitors(void **state)
{
	struct fixture *f = *state;

	f->server = http_server_stop(f->server);
	f->visitor = (struct http_guest){.rights = ACCESS_HTTP_CATALOGUE};
	f->options.visitor = &f->visitor;
	f->options.visitor_rate = (struct token_rate){4, 3600};
	start(f);
	assert_int_equal(get(f, "/v1/search?q=a", NULL), 501); /* let in: there is no index */
	assert_int_equal(get(f, "/v1/search?q=a&in=reviews", NULL), 401);
	assert_int_equal(get(f, "/v1/status", NULL), 401);
	assert_int_equal(get(f, "/v1/search?q=a", "none"), 401);
	assert_int_equal(get(f, "/v1/products/1", NULL), 501);
	assert_int_equal(get(f, "/v1/products/1", NULL), 429);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_token_is_looked_up_once_in_a_second),
	    TEST(a_route_wants_its_right),
	    TEST(a_body_is_whole_behind_a_lookup),
	    TEST(a_database_that_is_away_is_no_refusal),
	    TEST(while_it_is_away_one_finds_out_whether_it_still_is),
	    TEST(late_answers_of_one_place_are_few),
	    TEST(lookups_that_hang_are_bounded_and_in_nobodys_way),
	    TEST(a_rate_is_kept),
	    TEST(a_token_that_is_none_waits_and_is_told),
	    TEST(stopping_answers_those_that_wait),
	    TEST(a_visitor_has_the_rights_of_visitors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
