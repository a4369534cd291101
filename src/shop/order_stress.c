/* Orders under stress: see order_stress.h. */
#include "shop/order_stress.h"

#include "base/clock.h"
#include "base/file.h"
#include "shop/orders_int.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define PRODUCTS	20
#define PRODUCTS_MAX	1000
#define CLIENTS_MAX	512
#define GRACE_US	60000000 /* for answers after the end: a server that restarts */
#define SETUP_US	60000000
#define DELETED_AT_ONCE 500

struct run {
	const struct shop_stress_options *options;
	struct shop_stress_result *result;
	char name[32]; /* "stress-1f2e3d4c": keys that begin so are its own */
	char like[34];
	size_t n_products;
	uint64_t *products;
	uint64_t *customers;
	int64_t start_us;
	atomic_int_fast64_t end_us; /* comes nearer when the run is stopped */
	atomic_bool is_failed;	    /* for a reason that no attempt mends: all stop */
	atomic_uint_fast64_t orders;
};

struct client {
	struct run *run;
	size_t number;
	pthread_t thread;
	uint64_t random;
	uint32_t *took_us; /* of each order */
	size_t n, cap;
	uint64_t refused, retries, failed;
	int64_t last_us; /* when the last order was answered */
	struct err failure;
};

/* --- a client -------------------------------------------------------------------------------- */

static uint32_t next(struct client *c, size_t below)
{
	c->random = c->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((c->random >> 33) % below);
}

/* An answer of some kind; a lost connection is opened again. */
static int ask(struct client *c, struct maria **m, const struct shop_order_request *q,
	       struct shop_order_placed *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	int64_t until = atomic_load(&c->run->end_us) + GRACE_US;

	while (!*m) {
		int r = maria_open(&c->run->options->maria, m, err);

		if (r < 0 && (clock_monotonic_us() >= until || r != -ERR_UNAVAILABLE))
			return r;
		if (r < 0)
			(void)usleep(20000);
	}
	return shop_order_place(*m, q, until, &arena, ret, err);
}

static void order_once(struct client *c, struct maria **m, uint64_t number)
{
	struct run *run = c->run;
	size_t a = next(c, run->n_products),
	       b = (a + 1 + next(c, run->n_products - 1)) % run->n_products;
	char lines[128], key[SHOP_ORDER_KEY_MAX + 1];
	struct shop_order_request q = {.customer_id = run->customers[c->number],
				       .lines = lines,
				       .channel = "stress",
				       .key = key};
	struct shop_order_placed placed = {0};
	struct err err = {0};
	int64_t since = clock_monotonic_us(), now;
	int r;

	(void)snprintf(lines, sizeof(lines),
		       "[{\"product_id\":%" PRIu64 ",\"quantity\":1},{\"product_id\":%" PRIu64
		       ",\"quantity\":1}]",
		       run->products[a], run->products[b]);
	(void)snprintf(key, sizeof(key), "%s-%zu-%" PRIu64, run->name, c->number, number);
	r = ask(c, m, &q, &placed, &err);
	now = clock_monotonic_us();
	c->retries += placed.retries;
	if (r == 0) {
		mem_grow(&c->took_us, &c->cap, c->n + 1, sizeof(*c->took_us));
		c->took_us[c->n++] = (uint32_t)(now - since);
		c->last_us = now;
		atomic_fetch_add(&run->orders, 1);
	} else if (*m && shop_order_is_short(*m)) {
		c->refused++;
	} else {
		if (!c->failed++)
			c->failure = err;
		atomic_store(&run->is_failed, true);
	}
}

static bool is_over(struct run *run)
{
	return clock_monotonic_us() >= atomic_load(&run->end_us) || atomic_load(&run->is_failed);
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	struct maria *m = NULL;

	for (uint64_t n = 0; !is_over(c->run); n++)
		order_once(c, &m, n);
	maria_close(m);
	return NULL;
}

/* --- before ---------------------------------------------------------------------------------- */

static int add_row(const struct run *run, struct maria *m, const char *sql, size_t i,
		   unsigned value, uint64_t *ret, struct err *err)
{
	_cleanup_(mem_freep) char *key = mem_printf("%s-%zu", run->name, i);
	int64_t id = 0;
	int r = maria_run(m, sql, MARIA_ARGS(MARIA_S(key), MARIA_U(value)), NULL, err);

	if (r == 0)
		r = maria_query_int(m, "SELECT LAST_INSERT_ID()", NULL, 0, &id, err);
	*ret = (uint64_t)id;
	return r;
}

static int set_up(struct run *run, struct maria *m, struct err *err)
{
	const struct shop_stress_options *o = run->options;
	int r = maria_exec(m, shop_sql_stress_category, err);

	if (r == 0)
		r = maria_exec(m, shop_sql_stress_supplier, err);
	for (size_t i = 0; i < run->n_products && r == 0; i++)
		r = add_row(run, m, shop_sql_stress_product, i, o->stock, &run->products[i], err);
	for (size_t i = 0; i < o->clients && r == 0; i++)
		r = add_row(run, m, shop_sql_stress_customer, i, (unsigned)i, &run->customers[i],
			    err);
	return r;
}

/* --- after ----------------------------------------------------------------------------------- */

static int prove(struct run *run, struct maria *m, struct err *err)
{
	struct shop_stress_result *ret = run->result;
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	uint64_t orders;
	int r = maria_query_row(m, shop_sql_stress_proof,
				MARIA_ARGS(MARIA_S(run->like), MARIA_S(run->like)), &rows, err);

	if (r < 0)
		return r;
	ret->sold = maria_rows_uint(rows, 0);
	ret->left = maria_rows_uint(rows, 1);
	ret->wrong = maria_rows_uint(rows, 2);
	orders = maria_rows_uint(rows, 3);
	/* Whoever got no answer may have an order. */
	ret->wrong += orders < ret->orders || orders > ret->orders + ret->failed;
	return 0;
}

/* Bit by bit: other writers get their turn. */
static int delete_some(struct maria *m, const char *sql, struct maria_value which, struct err *err)
{
	uint64_t n = 1;
	int r = 0;

	while (n && r == 0)
		r = maria_run(m, sql, MARIA_ARGS(which, MARIA_U(DELETED_AT_ONCE)), &n, err);
	return r;
}

static int delete_all(struct run *run, struct maria *m, struct err *err)
{
	static const char *const statements[] = {
	    shop_sql_stress_drop_events, shop_sql_stress_drop_orders, shop_sql_stress_drop_requests,
	    shop_sql_stress_drop_products, shop_sql_stress_drop_customers};
	const struct maria_value like = MARIA_S(run->like);
	int64_t product = 0;
	int r = 0;

	while (r == 0) {
		r = maria_query_int(m, shop_sql_stress_sold, &like, 1, &product, err);
		if (r == 0)
			r = delete_some(m, shop_sql_stress_drop_lines, MARIA_I(product), err);
	}
	if (r == -ERR_NOT_FOUND) { /* no product has lines */
		err_clear(err);
		r = 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(statements) && r == 0; i++)
		r = delete_some(m, statements[i], MARIA_S(run->like), err);
	return r;
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* What the clients saw. */
static void add_up(struct run *run, struct client *clients, struct shop_stress_result *ret)
{
	_cleanup_(mem_freep) uint32_t *all = NULL;
	int64_t last = run->start_us;
	size_t n = 0;

	for (size_t i = 0; i < run->options->clients; i++)
		ret->orders += clients[i].n;
	all = mem_alloc_array(ret->orders + 1, sizeof(*all));
	for (size_t i = 0; i < run->options->clients; i++) {
		const struct client *c = &clients[i];

		if (c->n)
			memcpy(all + n, c->took_us, c->n * sizeof(*all));
		n += c->n;
		ret->refused += c->refused;
		ret->retries += c->retries;
		if (c->failed && !ret->failed)
			ret->failure = c->failure;
		ret->failed += c->failed;
		last = c->last_us > last ? c->last_us : last;
	}
	if (n)
		qsort(all, n, sizeof(*all), ascending);
	ret->seconds = (double)(last - run->start_us) / 1e6;
	ret->p50_us = n ? all[n / 2] : 0;
	ret->p99_us = n ? all[n * 99 / 100] : 0;
}

/* --- the run --------------------------------------------------------------------------------- */

static bool is_stopped(const struct run *run)
{
	return run->options->is_stopped && *run->options->is_stopped;
}

static void watch(struct run *run)
{
	const struct shop_stress_options *o = run->options;

	while (!is_over(run)) {
		(void)usleep(20000);
		if (is_stopped(run))
			atomic_store(&run->end_us, clock_monotonic_us());
		if (o->progress)
			o->progress(o->arg, atomic_load(&run->orders));
	}
}

static void run_clients(struct run *run, struct client *clients)
{
	run->start_us = clock_monotonic_us();
	atomic_store(&run->end_us, run->start_us + (int64_t)run->options->seconds * 1000000);
	for (size_t i = 0; i < run->options->clients; i++) {
		clients[i] = (struct client){.run = run, .number = i};
		random_bytes(&clients[i].random, sizeof(clients[i].random));
		bug_if(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) != 0);
	}
	watch(run);
	for (size_t i = 0; i < run->options->clients; i++)
		pthread_join(clients[i].thread, NULL);
}

/* A step that may be repeated, once more while the server comes back. */
static int persist(struct run *run, struct maria *m,
		   int (*step)(struct run *run, struct maria *m, struct err *err), struct err *err)
{
	int64_t until = clock_monotonic_us() + SETUP_US;
	int r;

	do {
		err_clear(err);
		r = maria_is_lost(m) ? maria_reconnect(m, err) : 0;
		if (r == 0)
			r = step(run, m, err);
		if (r == -ERR_UNAVAILABLE)
			(void)usleep(100000);
	} while (r == -ERR_UNAVAILABLE && clock_monotonic_us() < until);
	return r;
}

/* Whatever became of the run. Its own failure, `r`, is told before that of deleting. */
static int clean_up(struct run *run, struct maria *m, int r, struct err *err)
{
	struct err local = {0};
	int deleted = run->options->keep ? 0 : persist(run, m, delete_all, &local);

	if (deleted == 0)
		return r;
	if (r == 0) {
		*err = local;
		r = err_context(err, "deleting what the run made");
	}
	(void)err_hint(err,
		       "products, customers and orders whose external_id begins with \"%s-\" are "
		       "left: `aethermart order stress --clean` deletes them",
		       run->name);
	return r;
}

static int judge(const struct shop_stress_result *ret, struct err *err)
{
	if (ret->initial != ret->sold + ret->left)
		return err_set(err, ERR_DIFFERENT,
			       "%" PRIu64 " pieces were there, %" PRIu64 " sold, %" PRIu64
			       " are left",
			       ret->initial, ret->sold, ret->left);
	if (ret->wrong)
		return err_set(err, ERR_DIFFERENT, "%" PRIu64 " products, orders or keys are wrong",
			       ret->wrong);
	if (ret->failed) {
		*err = ret->failure;
		return err_context(err, "%" PRIu64 " orders without an answer, the first",
				   ret->failed);
	}
	return 0;
}

static int check(const struct shop_stress_options *o, struct err *err)
{
	if (!o->clients || o->clients > CLIENTS_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT, "clients: 1 to %d", CLIENTS_MAX);
	if (o->products == 1 || o->products > PRODUCTS_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT, "products: 2 to %d", PRODUCTS_MAX);
	return 0;
}

static int run_all(struct run *run, struct maria *m, struct err *err)
{
	struct client *clients = mem_alloc_array(run->options->clients, sizeof(*clients));
	int r = set_up(run, m, err);

	if (r == 0) {
		run_clients(run, clients);
		add_up(run, clients, run->result);
		for (size_t i = 0; i < run->options->clients; i++)
			mem_free(clients[i].took_us);
		r = persist(run, m, prove, err);
	}
	mem_free(clients);
	if (r == 0)
		r = judge(run->result, err);
	r = clean_up(run, m, r, err);
	if (r == 0 && is_stopped(run))
		r = err_set(err, ERR_INTERRUPTED, "stopped after %.0f of %u seconds",
			    run->result->seconds, run->options->seconds);
	return r;
}

int shop_order_stress(const struct shop_stress_options *options, struct shop_stress_result *ret,
		      struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct run run = {.options = options,
			  .result = ret,
			  .n_products = options->products ? options->products : PRODUCTS};
	uint32_t id;
	int r = check(options, err);

	*ret = (struct shop_stress_result){0};
	if (r == 0)
		r = maria_open(&options->maria, &m, err);
	if (r < 0)
		return r;
	random_bytes(&id, sizeof(id));
	(void)snprintf(run.name, sizeof(run.name), "stress-%08" PRIx32, id);
	(void)snprintf(run.like, sizeof(run.like), "%s-%%", run.name);
	run.products = mem_alloc_array(run.n_products, sizeof(*run.products));
	run.customers = mem_alloc_array(options->clients, sizeof(*run.customers));
	ret->initial = (uint64_t)run.n_products * options->stock;
	r = run_all(&run, m, err);
	mem_free(run.products);
	mem_free(run.customers);
	return r;
}

int shop_order_stress_clean(const struct maria_options *maria, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct run run = {.like = "stress-________-%"};
	int r = maria_open(maria, &m, err);

	return r < 0 ? r : persist(&run, m, delete_all, err);
}
