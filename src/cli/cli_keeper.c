/*
 * What `serve` does beside the sync, on a thread and connections of its own: each second it takes
 * what the server's own audit saw and moves audit.head to the end of the chain, each hour it
 * purges, each day it verifies the audit. A failure is told once, and it tries again. Nothing here
 * waits long for somebody's lock.
 */
#include "cli/cli_keeper.h"

#include "base/clock.h"
#include "base/logger.h"
#include "base/metrics.h"
#include "cli/cli_retention.h"
#include "cli/cli_witness.h"
#include "sync/sync_admin.h"

#include <pthread.h>
#include <time.h>

#include "base/banned.h"

#define FOLLOW_US  1000000
#define FIRST_US   60000000 /* after the start, which has enough to do */
#define PAUSE_US   20000    /* between pieces of a purge: most of the time is others' */
#define BUSY_US	   1000000  /* while the sync has much to do */
#define BUSY_ROWS  5000	    /* of its queues */
#define BUSY_WAITS 60	    /* then a piece goes all the same, or a disk fills */
#define VERIFY_US  86400000000
#define WRONG_US   600000000  /* until a chain that was wrong is looked at again */
#define AGAIN_US   3600000000 /* when it could not be verified */
#define LOCK_S	   2	      /* as retention_prepare() */
#define STOP_S	   5

struct cli_keeper {
	const struct command_line *line;
	const struct maria_options *sync;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool is_stopping; /* under the mutex */
	struct cli_witness witness;
	struct maria *db; /* of the sync's account, which the server's audit leaves out */
	struct cli_audit_head head;
	bool is_failing, is_purge_failing, has_audit;
	int head_told; /* why audit.head was not moved, as the log has it; 0: it was */
	struct metric *rows;
	int64_t next_follow_us, next_head_us, next_purge_us, next_verify_us;
};

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

static bool goes_on(void *arg)
{
	return wait_until(arg, 0);
}

static int follow(struct cli_keeper *k, struct err *err)
{
	uint64_t rows = 0;
	bool is_new = !k->db || maria_is_lost(k->db);
	int r = 0;

	if (!k->db)
		r = maria_open(k->sync, &k->db, err);
	else if (is_new)
		r = maria_reconnect(k->db, err);
	if (r == 0 && is_new)
		r = maria_set_lock_wait(k->db, LOCK_S, err);
	if (r == 0)
		r = cli_witness_follow(&k->witness, k->line, k->db, &rows, err);
	metric_add(k->rows, rows);
	return r;
}

/* So that what was appended cannot be cut off unseen. The sync keeps other schemas, too. */
static int follow_chain(struct cli_keeper *k, struct err *err)
{
	int r = k->has_audit ? 0 : maria_has_table(k->db, "Audit_Head", &k->has_audit, err);

	if (r < 0 || !k->has_audit)
		return r;
	if (!k->head.witness.path)
		r = cli_audit_head(k->line, &k->head, err);
	k->head.witness.goes_on = goes_on;
	k->head.witness.arg = k;
	return r < 0 ? r : audit_follow(k->db, &k->head.witness, err);
}

static void follow_chain_and_tell(struct cli_keeper *k)
{
	struct err err = {0};
	int r = follow_chain(k, &err);
	bool is_wrong = r == -ERR_CORRUPTED;

	if (r == -ERR_INTERRUPTED)
		return;
	if (r < 0 && r != k->head_told)
		logger_error(is_wrong ? LOGGER_ERROR : LOGGER_WARN, "audit",
			     is_wrong ? "the audit is not as it was written"
				      : "audit.head was not moved",
			     &err);
	k->head_told = r;
	k->next_head_us = clock_monotonic_us() + (is_wrong ? WRONG_US : FOLLOW_US);
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
	if (k->db && !maria_is_lost(k->db) && clock_monotonic_us() >= k->next_head_us)
		follow_chain_and_tell(k);
	k->next_follow_us = clock_monotonic_us() + FOLLOW_US;
}

/* --- retention ------------------------------------------------------------------------------- */

/* What waits in the queues; nothing when that cannot be told. */
static int64_t queued(struct cli_keeper *k)
{
	struct sync_status s = {0};
	int64_t n = 0;

	if (!k->db || maria_is_lost(k->db) || sync_status_read(k->db, &s, NULL) < 0)
		return 0;
	for (size_t i = 0; i < s.len; i++)
		n += s.items[i].pending;
	sync_status_done(&s);
	return n;
}

/* Of a purge, which may go on for long: the server's audit is followed meanwhile. */
static bool pause_purge(void *arg)
{
	struct cli_keeper *k = arg;

	if (!wait_until(k, clock_monotonic_us() + PAUSE_US))
		return false;
	for (int i = 0; i < BUSY_WAITS && queued(k) > BUSY_ROWS; i++)
		if (!wait_until(k, clock_monotonic_us() + BUSY_US))
			return false;
	if (clock_monotonic_us() >= k->next_follow_us)
		follow_and_tell(k);
	return true;
}

/* The chain, so that audit.head is never old and a change is told the day it was made. */
static void verify_and_tell(struct cli_keeper *k, const struct retention_place *p)
{
	struct audit_state state;
	struct err err = {0};
	int r = audit_verify(p->db, &p->witness, &state, &err);

	if (r < 0 && r != -ERR_INTERRUPTED)
		logger_error(r == -ERR_CORRUPTED ? LOGGER_ERROR : LOGGER_WARN, "audit",
			     r == -ERR_CORRUPTED ? "the audit is not as it was written"
						 : "the audit could not be verified",
			     &err);
	if (r == 0 || r == -ERR_CORRUPTED)
		k->next_verify_us = clock_monotonic_us() + VERIFY_US;
}

static int reconnect(struct maria *db, struct err *err)
{
	int r = maria_reconnect(db, err);

	return r < 0 ? r : retention_prepare(db, err);
}

static int purge_all(struct cli_keeper *k, bool is_due, struct err *err)
{
	_cleanup_(cli_retention_done) struct cli_retention s = {0};
	bool is_to_verify = clock_monotonic_us() >= k->next_verify_us;
	bool is_wanted = config_bool(k->line->config, "retention.purge");
	bool is_shop = false;
	struct err why = {0};
	int r = cli_retention_open(k->line, &s, err);

	if (is_to_verify)
		k->next_verify_us = clock_monotonic_us() + AGAIN_US;
	if (r == 0)
		r = maria_has_table(s.db, "Retention_Samples", &is_shop, err);
	if (r < 0 || !is_shop) /* the sync keeps other schemas, too */
		return r;
	s.place.pause = s.place.witness.goes_on = pause_purge;
	s.place.arg = s.place.witness.arg = k;
	s.place.actor = "serve";
	if (is_to_verify)
		verify_and_tell(k, &s.place);
	if (!is_due)
		return 0;
	for (const struct retention_store *store = retention_stores; store->name; store++) {
		uint64_t n = 0;

		if (maria_is_lost(s.db)) /* by what came before; the others need not wait an hour */
			r = err_first(r, reconnect(s.db, &why), &why, err);
		if (is_wanted && goes_on(k) && !maria_is_lost(s.db))
			r = err_first(r, retention_purge(&s.place, store, false, &n, &why), &why,
				      err);
	}
	return err_first(r, retention_sample(&s.place, s.dir, &why), &why, err);
}

static void purge_and_tell(struct cli_keeper *k)
{
	bool is_due = clock_monotonic_us() >= k->next_purge_us;
	struct err err = {0};
	int r = purge_all(k, is_due, &err);

	if (r < 0 && !k->is_purge_failing && goes_on(k))
		logger_error(LOGGER_WARN, "retention",
			     "what is too old stays; `aethermart retention purge` deletes it",
			     &err);
	k->is_purge_failing = r < 0;
	if (is_due)
		k->next_purge_us =
		    clock_monotonic_us() + config_int(k->line->config, "retention.every") * 1000;
}

static void *keep(void *arg)
{
	struct cli_keeper *k = arg;
	int64_t every_us = config_int(k->line->config, "retention.every") * 1000;

	k->next_purge_us = clock_monotonic_us() + (every_us < FIRST_US ? every_us : FIRST_US);
	k->next_verify_us = k->next_purge_us;
	while (wait_until(k, clock_monotonic_us() + FOLLOW_US)) {
		follow_and_tell(k);
		if (clock_monotonic_us() >= k->next_purge_us ||
		    clock_monotonic_us() >= k->next_verify_us)
			purge_and_tell(k);
	}
	if (k->db && !maria_is_lost(k->db)) /* what was answered in the last second */
		follow_chain_and_tell(k);
	return NULL;
}

struct cli_keeper *cli_keeper_start(const struct command_line *line,
				    const struct maria_options *sync)
{
	struct cli_keeper *k = MEM_NEW(struct cli_keeper);

	k->witness = (struct cli_witness){.goes_on = goes_on, .arg = k};
	k->line = line;
	k->sync = sync;
	k->rows = metric_series(METRIC_COUNTER, "aethermart_rbac_audit_rows_total",
				"Rows taken from the server's own audit.", NULL, NULL);
	bug_if(pthread_mutex_init(&k->mutex, NULL) != 0);
	clock_cond_init(&k->wake);
	bug_if(pthread_create(&k->thread, NULL, keep, k) != 0);
	return k;
}

bool cli_keeper_stop(struct cli_keeper *k)
{
	struct timespec until;

	if (!k)
		return true;
	pthread_mutex_lock(&k->mutex);
	k->is_stopping = true;
	pthread_cond_broadcast(&k->wake);
	pthread_mutex_unlock(&k->mutex);
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_S;
	if (pthread_clockjoin_np(k->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	cli_witness_done(&k->witness);
	cli_audit_head_done(&k->head);
	k->db = maria_close(k->db);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->mutex);
	mem_free(k);
	return true;
}
