/* The routes of the index, and answers that take a while: bounded, and in nobody's way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "http/http_client.h"
#include "http/http_server_int.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/banned.h"

struct fixture {
	char dir[64];
	char socket_path[80];
	struct http_server_options options;
	struct http_server *server;
	pthread_mutex_t mutex; /* guards those below */
	pthread_cond_t changed;
	bool is_closed; /* queries wait until it opens */
	unsigned working, answered, interrupted, refused;
	char rebuilt[32];
	unsigned forgotten;
};

static void index_status(void *arg, struct strbuf *json)
{
	(void)arg;
	strbuf_addstr(json, "{\"state\":\"serving\"}");
}

static int index_forget(void *arg, struct err *err)
{
	struct fixture *f = arg;

	(void)err;
	f->forgotten++;
	return 0;
}

static int index_rebuild(void *arg, const char *collection, struct err *err)
{
	struct fixture *f = arg;

	if (collection && cstr_equal(collection, "nope"))
		return err_set(err, ERR_NOT_FOUND, "no such collection");
	(void)snprintf(f->rebuilt, sizeof(f->rebuilt), "%s", collection ? collection : "all");
	return 0;
}

static int index_query(void *arg, const struct http_index_query *q, struct strbuf *json,
		       struct err *err)
{
	struct fixture *f = arg;

	pthread_mutex_lock(&f->mutex);
	f->working++;
	pthread_cond_broadcast(&f->changed);
	while (f->is_closed)
		pthread_cond_wait(&f->changed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	if (cstr_equal(q->text, "away")) {
		(void)err_set(err, ERR_UNAVAILABLE, "the provider is away");
		return err_hint(err, "wait for it");
	}
	strbuf_addf(json, "{\"collection\":\"%s\",\"text\":\"%s\",\"k\":%d}", q->collection,
		    q->text, (int)q->k);
	return 0;
}

static int index_inventory(void *arg, const struct http_index_query *q, struct strbuf *json,
			   struct err *err)
{
	(void)arg;
	(void)err;
	strbuf_addf(json, "{\"collection\":\"%s\",\"keys\":%zu,\"from\":%d}", q->collection,
		    q->keys.n, (int)q->from);
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
						  .index_status = index_status,
						  .index_rebuild = index_rebuild,
						  .index_forget = index_forget,
						  .index_query = index_query,
						  .index_inventory = index_inventory,
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

static void get(const struct fixture *f, const char *path, int want, const char *part)
{
	struct strbuf body = STRBUF_INIT(0);
	struct err err = {0};
	int r = http_client_get(f->socket_path, path, &body, &err);

	if (r != want)
		fail_msg("%s: %d, %s", path, r, err.message);
	if (!strstr(r < 0 ? err.message : strbuf_str(&body), part))
		fail_msg("%s: no %s in %s%s", path, part, err.message, strbuf_str(&body));
	strbuf_done(&body);
}

/* --- routes ----------------------------------------------------------------------------------- */

static void a_query_is_answered_with_its_arguments(void **state)
{
	struct fixture *f = *state;
	struct strbuf path = STRBUF_INIT(0);

	get(f, "/v1/index/status", 0, "{\"state\":\"serving\"}");
	get(f, "/v1/index/query?collection=c&text=a", 0,
	    "{\"collection\":\"c\",\"text\":\"a\",\"k\":10}");
	get(f, "/v1/index/inventory?collection=c&key=31&key=&from=5", 0, "\"keys\":2,\"from\":5");
	get(f, "/v1/index/inventory?collection=c", 0, "\"keys\":0,\"from\":0");
	strbuf_addstr(&path, "/v1/index/query?k=3&collection=c&text=");
	http_client_add_escaped(&path, "caf\xc3\xa9 & 50% +/?");
	get(f, strbuf_str(&path), 0, "\"text\":\"caf\xc3\xa9 & 50% +/?\",\"k\":3");
	strbuf_done(&path);
}

static void what_is_missing_or_out_of_range_is_an_error(void **state)
{
	struct fixture *f = *state;

	get(f, "/v1/index/query?text=a", -ERR_INVALID_ARGUMENT, "\"collection\" is missing");
	get(f, "/v1/index/inventory?collection=c&from=-1", -ERR_INVALID_ARGUMENT, "\"from\" must");
	get(f, "/v1/index/query?collection=a", -ERR_INVALID_ARGUMENT, "\"text\" is missing");
	get(f, "/v1/index/query?collection=a&text", -ERR_INVALID_ARGUMENT,
	    "\"text\" must not be empty");
	get(f, "/v1/index/query?collection=a&text=b&k=0", -ERR_INVALID_ARGUMENT,
	    "\"k\" must be a whole number from 1 to 1000");
	get(f, "/v1/index/query?collection=a&text=b&k=1001", -ERR_INVALID_ARGUMENT, "\"k\" must");
	get(f, "/v1/index/query?collection=a&text=b&k=x", -ERR_INVALID_ARGUMENT, "\"k\" must");
}

static void an_error_comes_with_its_class_and_hint(void **state)
{
	struct fixture *f = *state;
	struct strbuf body = STRBUF_INIT(0);
	struct err err = {0};

	assert_int_equal(
	    http_client_get(f->socket_path, "/v1/index/query?collection=a&text=away", &body, &err),
	    -ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "the provider is away"));
	assert_string_equal(err.hint, "wait for it");
	strbuf_done(&body);
}

static void a_rebuild_is_accepted_by_post_only(void **state)
{
	struct fixture *f = *state;
	struct strbuf body = STRBUF_INIT(0);
	struct err err = {0};

	get(f, "/v1/index/rebuild", -ERR_UNSUPPORTED, "does not know the method");
	assert_int_equal(http_client_post(f->socket_path, "/v1/index/rebuild", &body, &err), 0);
	assert_string_equal(f->rebuilt, "all");
	assert_int_equal(
	    http_client_post(f->socket_path, "/v1/index/rebuild?collection=c", &body, &err), 0);
	assert_string_equal(f->rebuilt, "c");
	assert_int_equal(
	    http_client_post(f->socket_path, "/v1/index/rebuild?collection=nope", &body, &err),
	    -ERR_NOT_FOUND);
	strbuf_done(&body);
}

static void to_forget_is_accepted_by_post_only(void **state)
{
	struct fixture *f = *state;
	struct strbuf body = STRBUF_INIT(0);
	struct err err = {0};

	get(f, "/v1/index/forget", -ERR_UNSUPPORTED, "does not know the method");
	assert_int_equal(f->forgotten, 0);
	assert_int_equal(http_client_post(f->socket_path, "/v1/index/forget", &body, &err), 0);
	assert_int_equal(f->forgotten, 1);
	strbuf_done(&body);
}

static void without_an_index_its_paths_say_so(void **state)
{
	struct fixture *f = *state;

	f->server = http_server_stop(f->server);
	f->options.index_query = NULL;
	start(f);
	get(f, "/v1/index/status", -ERR_UNSUPPORTED, "keeps no index");
	get(f, "/v1/index/query?collection=a&text=b", -ERR_UNSUPPORTED, "keeps no index");
	get(f, "/v1/index/query?collection=a", -ERR_INVALID_ARGUMENT, "is missing");
	get(f, "/v1/search?q=a", -ERR_UNSUPPORTED, "keeps no index");
	get(f, "/v1/products/1", -ERR_UNSUPPORTED, "keeps no index");
}

/* --- answers that take a while ---------------------------------------------------------------- */

static void *ask(void *arg)
{
	struct fixture *f = arg;
	struct strbuf body = STRBUF_INIT(0);
	struct err err = {0};
	int r = http_client_get(f->socket_path, "/v1/index/query?collection=c&text=a", &body, &err);

	pthread_mutex_lock(&f->mutex);
	f->answered += r == 0;
	f->interrupted += r == -ERR_INTERRUPTED;
	f->refused += r == -ERR_UNAVAILABLE;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	strbuf_done(&body);
	return NULL;
}

/* As many as can wait and be worked on, and `more`. */
static size_t ask_many(struct fixture *f, pthread_t *threads, size_t more)
{
	size_t n = HTTP_WORK_THREADS + HTTP_WORK_WAITING + more;

	f->is_closed = true;
	for (size_t i = 0; i < HTTP_WORK_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, f), 0);
	pthread_mutex_lock(&f->mutex);
	while (f->working < HTTP_WORK_THREADS)
		pthread_cond_wait(&f->changed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	for (size_t i = HTTP_WORK_THREADS; i < n; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, f), 0);
	return n;
}

static void open_gate(struct fixture *f)
{
	pthread_mutex_lock(&f->mutex);
	f->is_closed = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
}

static void slow_answers_are_in_nobodys_way_and_bounded(void **state)
{
	pthread_t threads[HTTP_WORK_THREADS + HTTP_WORK_WAITING + 3];
	struct fixture *f = *state;
	size_t n = ask_many(f, threads, 3);

	pthread_mutex_lock(&f->mutex);
	while (f->refused < 3)
		pthread_cond_wait(&f->changed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	get(f, "/healthz", 0, "ok");
	get(f, "/v1/index/status", 0, "serving");
	open_gate(f);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(f->answered, n - 3);
	assert_int_equal(f->refused, 3);
}

static void *open_soon(void *arg)
{
	struct fixture *f = arg;

	/* Until the server has begun to stop, which nothing else tells. */
	while (file_exists(f->socket_path))
		sched_yield();
	open_gate(f);
	return NULL;
}

static void stopping_ends_every_question(void **state)
{
	pthread_t threads[HTTP_WORK_THREADS + HTTP_WORK_WAITING + 1], opener;
	struct fixture *f = *state;
	size_t n = ask_many(f, threads, 1);

	pthread_mutex_lock(&f->mutex);
	while (f->refused < 1) /* then all others have come in */
		pthread_cond_wait(&f->changed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	assert_int_equal(pthread_create(&opener, NULL, open_soon, f), 0);
	f->server = http_server_stop(f->server);
	pthread_join(opener, NULL);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	/* Answered, told that the server stops, or cut off by it, which counts as refused. */
	assert_int_equal(f->answered + f->interrupted + f->refused, n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_query_is_answered_with_its_arguments),
	    TEST(what_is_missing_or_out_of_range_is_an_error),
	    TEST(an_error_comes_with_its_class_and_hint),
	    TEST(a_rebuild_is_accepted_by_post_only),
	    TEST(to_forget_is_accepted_by_post_only),
	    TEST(without_an_index_its_paths_say_so),
	    TEST(slow_answers_are_in_nobodys_way_and_bounded),
	    TEST(stopping_ends_every_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
