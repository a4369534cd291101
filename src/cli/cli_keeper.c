/*
 * What `serve` does beside the sync, on a thread and connections of its own: each second it takes
 * what the server's own audit saw. A failure is told once, and it tries again.
 */
#include "cli/cli_keeper.h"

#include "base/clock.h"
#include "base/logger.h"
#include "base/metrics.h"

#include <pthread.h>

#include "base/banned.h"

#define FOLLOW_US 1000000

struct cli_keeper {
	const struct command_line *line;
	const struct maria_options *sync;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool is_stopping; /* under the mutex */
	struct cli_witness witness;
	struct maria *db; /* of the sync's account, which the server's audit leaves out */
	bool is_failing;
	struct metric *rows;
};

static int follow(struct cli_keeper *k, struct err *err)
{
	uint64_t rows = 0;
	int r = 0;

	if (!k->db)
		r = maria_open(k->sync, &k->db, err);
	if (r == 0 && maria_is_lost(k->db))
		r = maria_reconnect(k->db, err);
	if (r == 0)
		r = cli_witness_follow(&k->witness, k->line, k->db, &rows, err);
	metric_add(k->rows, rows);
	return r;
}

static void follow_and_tell(struct cli_keeper *k)
{
	struct err err = {0};
	int r = follow(k, &err);

	if (r < 0 && !k->is_failing)
		logger_error(LOGGER_WARN, "audit", "the server's audit is not followed", &err);
	if (r == 0 && k->is_failing)
		logger_event(LOGGER_INFO, "audit", "the server's audit is followed again", NULL);
	k->is_failing = r < 0;
}

/* False: it is time to end. */
static bool wait_until(struct cli_keeper *k, int64_t until_us)
{
	bool goes_on;

	pthread_mutex_lock(&k->mutex);
	while (!k->is_stopping && clock_cond_wait(&k->wake, &k->mutex, until_us))
		;
	goes_on = !k->is_stopping;
	pthread_mutex_unlock(&k->mutex);
	return goes_on;
}

static void *keep(void *arg)
{
	struct cli_keeper *k = arg;

	while (wait_until(k, clock_monotonic_us() + FOLLOW_US))
		follow_and_tell(k);
	return NULL;
}

struct cli_keeper *cli_keeper_start(const struct command_line *line,
				    const struct maria_options *sync)
{
	struct cli_keeper *k = MEM_NEW(struct cli_keeper);

	k->line = line;
	k->sync = sync;
	k->rows = metric_series(METRIC_COUNTER, "aethermart_rbac_audit_rows_total",
				"Rows taken from the server's own audit.", NULL, NULL);
	bug_if(pthread_mutex_init(&k->mutex, NULL) != 0);
	clock_cond_init(&k->wake);
	bug_if(pthread_create(&k->thread, NULL, keep, k) != 0);
	return k;
}

struct cli_keeper *cli_keeper_stop(struct cli_keeper *k)
{
	if (!k)
		return NULL;
	pthread_mutex_lock(&k->mutex);
	k->is_stopping = true;
	pthread_cond_broadcast(&k->wake);
	pthread_mutex_unlock(&k->mutex);
	bug_if(pthread_join(k->thread, NULL) != 0);
	cli_witness_done(&k->witness);
	k->db = maria_close(k->db);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->mutex);
	mem_free(k);
	return NULL;
}
