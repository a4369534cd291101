/*
 * The engine: standing by for the lease, then workers and housekeeping until it is lost or the
 * program stops.
 *
 *	standby --lease taken--> working --lease lost or superseded--> standby
 *	   |                        |
 *	   +--------- stop ---------+--> stopped (lease released)
 *
 * The control thread renews the lease three times per duration. When it could not for a whole
 * duration, the workers are told to leave before anybody else may hold it; what a worker has in
 * hand at that moment is refused by the fences, so time is only a courtesy here, never the proof.
 */
#include "sync/sync_int.h"

#include "base/logger.h"
#include "base/proc.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/banned.h"

#define TICK_US		    100000
#define STATES_US	    200000
#define GAUGES_US	    1000000
#define MINUTE_US	    60000000
#define HOUR_US		    3600000000
#define STANDBY_US	    500000
#define HEAL_US		    10000000
#define MONGO_SPARE_CLIENTS 4 /* control thread, validators, indexes */

struct sync_engine {
	struct sync_engine_options options;
	struct sync_shared shared;
	struct mapping_set mappings;
	struct mongo *mongo;
	struct maria *db; /* of the control thread */
	struct sync_lease lease;
	struct sync_worker *workers;
	size_t n_running;
	int64_t next_renew_us, next_states_us, next_gauges_us, next_heal_us, next_minute_us,
	    next_hour_us;
	atomic_bool is_holder;
	uint64_t registry; /* hash of the installed mappings' hashes; 0: not looked at yet */
	bool is_loaded, was_holder;
	bool wants_reload; /* an installation changed the mappings: read the files again */
};

void sync_shared_sleep(struct sync_shared *s, int64_t us)
{
	int64_t until = clock_monotonic_us() + us;

	pthread_mutex_lock(&s->mutex);
	while (!atomic_load(&s->stop) && !atomic_load(&s->lost)) {
		if (!clock_cond_wait(&s->wake, &s->mutex, until))
			break;
	}
	pthread_mutex_unlock(&s->mutex);
}

void sync_shared_alarm(struct sync_shared *s)
{
	pthread_mutex_lock(&s->mutex);
	s->alarms++;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->mutex);
}

void sync_shared_set_aside(struct sync_shared *s)
{
	pthread_mutex_lock(&s->mutex);
	s->dead_letters_set++;
	atomic_store(&s->has_dead_letters, true);
	pthread_mutex_unlock(&s->mutex);
}

static void init_locks(struct sync_shared *s)
{

	pthread_mutex_init(&s->mutex, NULL);
	clock_cond_init(&s->wake);
}

static void init_moving(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t ra;

	pthread_rwlockattr_init(&ra);
	/* Batches follow each other without a gap: the one writer must not wait for a rest. */
	pthread_rwlockattr_setkind_np(&ra, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &ra);
	pthread_rwlockattr_destroy(&ra);
}

int sync_engine_new(const struct sync_engine_options *options, struct sync_engine **ret,
		    struct err *err)
{
	struct sync_engine *e = MEM_NEW(struct sync_engine);
	struct sync_shared *s = &e->shared;
	struct mongo_options mongo;
	int r;

	e->options = *options;
	s->options = &e->options;
	s->mappings = &e->mappings;
	s->owners = (unsigned)config_int(options->config, "sync.workers");
	s->batch = (size_t)config_int(options->config, "sync.batch");
	e->lease.duration_us = config_int(options->config, "sync.lease") * 1000;
	e->lease.holder = proc_name();
	init_locks(s);
	mongo = *options->mongo;
	mongo.pool_max = s->owners + MONGO_SPARE_CLIENTS; /* each worker keeps one */
	r = mongo_open(&mongo, &e->mongo, err);
	if (r < 0) {
		sync_engine_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

/* No worker runs. The status of another thread sees all mappings or none. */
static void drop_mappings(struct sync_engine *e)
{
	pthread_mutex_lock(&e->shared.mutex);
	for (size_t i = 0; i < e->mappings.len && e->shared.collections; i++)
		pthread_rwlock_destroy(&e->shared.collections[i].moving);
	mapping_set_done(&e->mappings);
	e->mappings = (struct mapping_set){0};
	mem_free(e->shared.collections);
	e->shared.collections = NULL;
	e->is_loaded = false;
	e->registry = 0;
	pthread_mutex_unlock(&e->shared.mutex);
}

struct sync_engine *sync_engine_free(struct sync_engine *e)
{
	if (!e)
		return NULL;
	maria_close(e->db);
	mongo_close(e->mongo);
	drop_mappings(e);
	arena_done(&e->shared.arena);
	pthread_mutex_destroy(&e->shared.mutex);
	pthread_cond_destroy(&e->shared.wake);
	mem_free(e->lease.holder);
	mem_free(e->workers);
	mem_free(e);
	return NULL;
}

/* Called by signal handlers too: only an atomic store; sleepers notice at their next deadline. */
void sync_engine_stop(struct sync_engine *e)
{
	atomic_store(&e->shared.stop, true);
}

/* --- collections ----------------------------------------------------------------------------- */

const char *const sync_outcome_names[SYNC_OUTCOMES] = {
    [SYNC_UNCHANGED] = "unchanged", [SYNC_INSERTED] = "inserted", [SYNC_UPDATED] = "updated",
    [SYNC_DELETED] = "deleted",	    [SYNC_REFUSED] = "refused",
};

static const struct {
	size_t offset; /* in struct sync_collection */
	enum metric_type type;
	const char *name, *help;
} collection_metrics[] = {
#define M(field, type, name, help)                                                           \
	{                                                                                    \
		offsetof(struct sync_collection, field), type, "aethermart_sync_" name, help \
	}
    M(m_lag, METRIC_HISTOGRAM, "lag_seconds", "From the queued change to the acknowledged write."),
    M(m_lag_queue, METRIC_HISTOGRAM, "lag_queue_seconds",
      "Part of the lag spent waiting in the queue."),
    M(m_lag_read, METRIC_HISTOGRAM, "lag_read_seconds", "Part of the lag spent reading MariaDB."),
    M(m_lag_apply, METRIC_HISTOGRAM, "lag_apply_seconds", "Part of the lag spent writing MongoDB."),
    M(m_depth, METRIC_GAUGE, "queue_depth", "Rows in the queue."),
    M(m_age, METRIC_GAUGE, "queue_age_milliseconds", "Age of the oldest row in the queue."),
    M(m_dead, METRIC_GAUGE, "dead_letters", "Documents that are set aside."),
    M(m_retries, METRIC_COUNTER, "retries_total", "Batches that failed and were repeated."),
#undef M
};

static void make_metrics(struct sync_collection *c)
{
	const char *name = mapping_collection(c->mapping);

	for (size_t i = 0; i < SYNC_OUTCOMES; i++) {
		char metric[64];

		snprintf(metric, sizeof(metric), "aethermart_sync_%s_total", sync_outcome_names[i]);
		c->m_applied[i] =
		    metric_series(METRIC_COUNTER, metric, "Documents by what became of them.",
				  "collection", name);
	}
	for (size_t i = 0; i < ARRAY_LEN(collection_metrics); i++) {
		struct metric **m = (void *)((char *)c + collection_metrics[i].offset);

		*m = metric_series(collection_metrics[i].type, collection_metrics[i].name,
				   collection_metrics[i].help, "collection", name);
	}
}

static int load_mappings(struct sync_engine *e, struct err *err)
{
	_cleanup_(schema_freep) struct schema *schema = NULL;
	struct mapping_set fresh = {0};
	struct sync_collection *collections;
	int r;

	if (e->is_loaded)
		return 0;
	r = schema_load(e->db, e->options.maria->database, &schema, err);
	if (r == 0)
		r = mapping_set_load(e->options.mapping_dir, schema, &fresh, err);
	if (r < 0)
		return r;
	collections = mem_alloc_array(fresh.len, sizeof(*collections));
	for (size_t i = 0; i < fresh.len; i++) {
		collections[i].mapping = fresh.items[i];
		init_moving(&collections[i].moving);
		make_metrics(&collections[i]);
	}
	pthread_mutex_lock(&e->shared.mutex);
	e->mappings = fresh;
	e->shared.collections = collections;
	e->is_loaded = true;
	pthread_mutex_unlock(&e->shared.mutex);
	return 0;
}

static struct sync_collection *find_collection(struct sync_engine *e, const char *name)
{
	for (size_t i = 0; i < e->mappings.len; i++) {
		if (cstr_equal(mapping_collection(e->mappings.items[i]), name))
			return &e->shared.collections[i];
	}
	return NULL;
}

const char *const *sync_list_of_json(struct arena *arena, struct str json)
{
	json_t *list = json.data ? json_loadb(json.data, json.len, 0, NULL) : NULL;
	size_t n = json_array_size(list);
	const char **items = arena_alloc(arena, (n + 1) * sizeof(*items));

	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		items[i] = arena_strdup(arena, s ? s : "");
	}
	json_decref(list);
	return items;
}

static bool is_same_list(const char *const *a, const char *const *b)
{
	while (a && *a && *b && cstr_equal(*a, *b))
		a++, b++;
	return a ? !*a && !*b : !*b;
}

static void take_state(struct sync_engine *e, const struct maria_rows *rows,
		       struct sync_collection *c)
{
	struct sync_shared *s = &e->shared;
	struct arena scratch = {0};
	const char *const *retired = sync_list_of_json(&scratch, maria_rows_str(rows, 4));
	const char *state = maria_rows_str(rows, 2).data;
	const char *stopped = NULL;
	unsigned generation = (unsigned)maria_rows_uint(rows, 5);
	bool is_migrating = cstr_equal(state, "migrating"), is_news;

	if (!cstr_equal(maria_rows_str(rows, 1).data, mapping_hash(c->mapping)))
		stopped = "mapping_changed";
	else if (maria_rows_int(rows, 3))
		stopped = "paused";
	if (stopped)
		atomic_store(&c->is_active, false); /* before a new generation is seen */
	pthread_mutex_lock(&s->mutex);
	if (!is_same_list(c->retired, retired))
		c->retired = sync_list_of_json(&s->arena, maria_rows_str(rows, 4));
	c->stopped = stopped;
	pthread_mutex_unlock(&s->mutex);
	is_news = atomic_exchange(&c->generation, generation) != generation;
	atomic_store(&c->sweep, maria_rows_int(rows, 6) != 0);
	is_news |= atomic_exchange(&c->is_migrating, is_migrating) != is_migrating;
	is_news |= atomic_exchange(&c->is_active, !stopped) != !stopped;
	if (is_news)
		sync_shared_alarm(s);
	arena_done(&scratch);
}

/* "None" counts only if no worker set anything aside since before the question. */
static int look_for_dead_letters(struct sync_engine *e, struct err *err)
{
	struct sync_shared *s = &e->shared;
	int64_t has_some = 0;
	unsigned before;
	int r;

	pthread_mutex_lock(&s->mutex);
	before = s->dead_letters_set;
	pthread_mutex_unlock(&s->mutex);
	r = maria_query_int(e->db, sync_sql_dead_letter_exists, NULL, 0, &has_some, err);
	pthread_mutex_lock(&s->mutex);
	if (r == 0 && (has_some || s->dead_letters_set == before))
		atomic_store(&s->has_dead_letters, has_some != 0);
	pthread_mutex_unlock(&s->mutex);
	return r;
}

/* What other processes decided: pause, install, migrate, dead letters. */
static int read_states(struct sync_engine *e, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) bool *seen = mem_alloc_array(e->mappings.len + 1, sizeof(*seen));
	uint64_t registry = 1;
	int r = maria_query(e->db, sync_sql_collection_states, NULL, 0, &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0) {
		struct sync_collection *c = find_collection(e, maria_rows_str(rows, 0).data);

		registry = registry * 31 + map_hash(maria_rows_str(rows, 1));
		if (c) {
			seen[c - e->shared.collections] = true;
			take_state(e, rows, c);
		}
	}
	rows = maria_rows_close(rows);
	if (r == 0) {
		e->wants_reload = e->registry && e->registry != registry;
		e->registry = registry;
	}
	for (size_t i = 0; i < e->mappings.len && r == 0; i++) {
		if (!seen[i])
			return err_set(err, ERR_NOT_FOUND, "collection \"%s\" is not installed",
				       mapping_collection(e->mappings.items[i]));
	}
	return r < 0 ? r : look_for_dead_letters(e, err);
}

/* --- housekeeping ---------------------------------------------------------------------------- */

static void set_gauges(struct sync_engine *e)
{
	struct sync_status status = {0};

	if (sync_status_read(e->db, &status, NULL) == 0) {
		for (size_t i = 0; i < status.len; i++) {
			struct sync_collection *c = find_collection(e, status.items[i].collection);

			if (!c)
				continue;
			metric_set(c->m_depth, status.items[i].pending);
			metric_set(c->m_age, status.items[i].oldest_age_ms);
			metric_set(c->m_dead, status.items[i].dead_letters);
		}
	}
	sync_status_done(&status);
}

static void write_minute(struct sync_engine *e)
{
	for (size_t i = 0; i < e->mappings.len; i++) {
		struct sync_collection *c = &e->shared.collections[i];
		struct sync_audit audit = {.outcome = "applied"};
		const struct sync_counts *n = &audit.figures.counts;
		uint64_t applied;

		pthread_mutex_lock(&e->shared.mutex);
		audit.figures = c->minute;
		c->minute = (struct sync_figures){0};
		pthread_mutex_unlock(&e->shared.mutex);
		applied = n->inserted + n->updated + n->deleted + n->unchanged;
		if (!applied && !n->failed)
			continue;
		audit.source = audit.figures.first_us ? "queue" : "migration";
		sync_audit_write(e->db, &e->shared, c, &audit);
		(void)!maria_run(e->db, sync_sql_collection_count,
				 (struct maria_value[]){MARIA_U(applied), MARIA_U(n->failed),
							MARIA_S(mapping_collection(c->mapping))},
				 3, NULL, NULL);
	}
}

/* A bounded piece; the next one follows at once until nothing is left. */
static void purge_audit(struct sync_engine *e)
{
	struct maria_value days = MARIA_I(config_int(e->options.config, "sync.audit_days"));
	uint64_t n = 0;

	if (maria_run(e->db, sync_sql_audit_purge, &days, 1, &n, NULL) == 0 && n)
		e->next_hour_us = 0;
}

/* Documents that a unique index refused: the value may be free by now. */
static void heal_dead_letters(struct sync_engine *e)
{
	for (size_t i = 0; i < e->mappings.len && atomic_load(&e->shared.has_dead_letters); i++)
		(void)!sync_dead_letter_heal(e->db, e->mappings.items[i], NULL);
}

static bool is_due(int64_t *next_us, int64_t period_us)
{
	int64_t now = clock_monotonic_us();

	if (now < *next_us)
		return false;
	*next_us = now + period_us;
	return true;
}

static int keep_connected(struct sync_engine *e, struct err *err)
{
	int r = maria_is_lost(e->db) ? maria_reconnect(e->db, err) : 1;

	return r == 0 ? sync_session_init(e->db, err) : r < 0 ? r : 0;
}

static int keep_lease(struct sync_engine *e, struct err *err)
{
	int r = 0;

	if (is_due(&e->next_renew_us, e->lease.duration_us / 3))
		r = sync_lease_renew(&e->lease, e->db, err);
	if (r < 0)
		e->next_renew_us = 0; /* again at the next tick */
	return r;
}

static int keep_house(struct sync_engine *e, struct err *err)
{
	int r = keep_connected(e, err);

	if (r == 0)
		r = keep_lease(e, err);
	if (r == 0 && is_due(&e->next_states_us, STATES_US))
		r = read_states(e, err);
	if (r == 0 && is_due(&e->next_gauges_us, GAUGES_US))
		set_gauges(e);
	if (r == 0 && is_due(&e->next_heal_us, HEAL_US))
		heal_dead_letters(e);
	if (r == 0 && is_due(&e->next_minute_us, MINUTE_US))
		write_minute(e);
	if (r == 0 && is_due(&e->next_hour_us, HOUR_US))
		purge_audit(e);
	return r;
}

/* --- working --------------------------------------------------------------------------------- */

static void start_workers(struct sync_engine *e)
{
	struct sync_shared *s = &e->shared;

	atomic_store(&s->has_dead_letters, true); /* until the first look says otherwise */
	mem_free(e->workers);
	e->workers = mem_alloc_array(s->owners, sizeof(*e->workers));
	for (unsigned i = 0; i < s->owners; i++) {
		struct sync_worker *w = &e->workers[i];

		*w = (struct sync_worker){.shared = s, .owner = i, .mongo = e->mongo};
		bug_if(pthread_create(&w->thread, NULL, sync_worker_main, w) != 0);
	}
	e->n_running = s->owners;
}

static void join_workers(struct sync_engine *e)
{
	pthread_mutex_lock(&e->shared.mutex);
	pthread_cond_broadcast(&e->shared.wake);
	pthread_mutex_unlock(&e->shared.mutex);
	for (size_t i = 0; i < e->n_running; i++)
		pthread_join(e->workers[i].thread, NULL);
	e->n_running = 0;
}

/* For `migrate` without a running worker: nothing left to do. */
static bool is_all_migrated(struct sync_engine *e)
{
	for (size_t i = 0; i < e->mappings.len; i++) {
		if (atomic_load(&e->shared.collections[i].is_active) &&
		    atomic_load(&e->shared.collections[i].is_migrating))
			return false;
	}
	return true;
}

static void log_lease(const struct sync_engine *e, const char *what)
{
	char term[24];

	snprintf(term, sizeof(term), "%" PRId64, e->shared.term);
	logger_event(LOGGER_INFO, "sync", what, "term", term, "holder", e->lease.holder, NULL);
}

/* One round of the control thread; what fails is tried again at the next one. */
static void tick(struct sync_engine *e)
{
	struct err err = {0};
	int r = keep_house(e, &err);

	if (r == -ERR_FENCED || clock_monotonic_us() >= e->lease.held_until_us)
		atomic_store(&e->shared.lost, true);
	else if (r < 0)
		logger_error(LOGGER_WARN, "sync", "housekeeping failed; trying again", &err);
	if (e->options.on_tick)
		e->options.on_tick(e->options.on_tick_arg);
	if (e->options.exit_when_migrated && r == 0 && is_all_migrated(e))
		sync_engine_stop(e);
}

static void end_work(struct sync_engine *e)
{
	struct sync_shared *s = &e->shared;
	bool is_lost = atomic_load(&s->lost);

	atomic_store(&e->is_holder, false);
	atomic_store(&s->lost, true); /* tells the workers, also when the mappings are read again */
	join_workers(e);
	if (!maria_is_lost(e->db))
		write_minute(e);
	if (!is_lost && !maria_is_lost(e->db))
		sync_lease_release(&e->lease, e->db);
	log_lease(e, is_lost ? "lease lost" : "lease released");
	atomic_store(&s->lost, false);
}

/* With the lease in hand: until it is lost, the program stops, or the mappings change. */
static int work(struct sync_engine *e, struct err *err)
{
	struct sync_shared *s = &e->shared;
	int r;

	s->holder = e->lease.holder;
	s->term = e->lease.term;
	log_lease(e, "lease taken");
	e->next_renew_us = e->next_states_us = e->next_gauges_us = 0;
	e->next_minute_us = clock_monotonic_us() + MINUTE_US;
	r = read_states(e, err);
	if (r < 0) {
		sync_lease_release(&e->lease, e->db);
		return r;
	}
	start_workers(e);
	e->was_holder = true;
	atomic_store(&e->is_holder, true);
	while (!atomic_load(&s->stop) && !atomic_load(&s->lost) && !e->wants_reload) {
		tick(e);
		sync_shared_sleep(s, TICK_US);
	}
	end_work(e);
	return 0;
}

static int connect_control(struct sync_engine *e, struct err *err)
{
	int r;

	if (e->db && !maria_is_lost(e->db))
		return 0;
	e->db = maria_close(e->db);
	r = maria_open(e->options.maria, &e->db, err);
	return r < 0 ? r : sync_session_init(e->db, err);
}

/* The mappings may have changed while this process stood by. */
static int load_again(struct sync_engine *e, struct err *err)
{
	int r;

	drop_mappings(e);
	r = load_mappings(e, err);
	if (r < 0)
		sync_lease_release(&e->lease, e->db);
	return r;
}

/* Whether waiting can help: another holder, a server that is away, or whatever worked before. */
static bool can_heal(const struct sync_engine *e, int r)
{
	return e->was_holder || r == -ERR_CONFLICT || err_is_retryable(r) || r == -ERR_FENCED;
}

int sync_engine_run(struct sync_engine *e, struct err *err)
{
	bool said = false;

	while (!atomic_load(&e->shared.stop)) {
		int r = connect_control(e, err);

		if (e->wants_reload)
			drop_mappings(e);
		e->wants_reload = false;
		if (r == 0)
			r = load_mappings(e, err);
		if (r == 0)
			r = sync_lease_take(&e->lease, e->db, e->mongo, err);
		if (r == 0 && said)
			r = load_again(e, err);
		if (r == 0) {
			said = false;
			r = work(e, err);
		}
		if (r == 0)
			continue;
		if (!can_heal(e, r) || (e->options.exit_when_migrated && r == -ERR_CONFLICT))
			return r;
		if (!said)
			logger_error(LOGGER_INFO, "sync", "standing by", err);
		said = true;
		err_clear(err);
		sync_shared_sleep(&e->shared, STANDBY_US);
	}
	return 0;
}

bool sync_engine_is_ready(const struct sync_engine *e)
{
	return atomic_load(&e->is_holder) &&
	       atomic_load(&e->shared.healthy_workers) == (int)e->shared.owners;
}

/* --- status ---------------------------------------------------------------------------------- */

static json_t *lag_json(int64_t us)
{
	return us < 0 ? json_null() : json_real((double)us / 1000);
}

/* Called with the mutex held. */
static json_t *collection_status(struct sync_collection *c)
{
	int64_t p50 = metric_quantile(c->m_lag, 0.5), p99 = metric_quantile(c->m_lag, 0.99);
	json_t *o =
	    json_pack("{s:s,s:s?,s:b,s:o,s:o}", "collection", mapping_collection(c->mapping),
		      "stopped", c->stopped, "migrating", atomic_load(&c->is_migrating),
		      "lag_p50_ms", lag_json(p50), "lag_p99_ms", lag_json(p99));

	for (size_t i = 0; i < SYNC_OUTCOMES; i++)
		json_object_set_new(o, sync_outcome_names[i],
				    json_integer(metric_value(c->m_applied[i])));
	json_object_set_new(o, "retries", json_integer(metric_value(c->m_retries)));
	return o;
}

void sync_engine_status(struct sync_engine *e, struct strbuf *json)
{
	json_t *list = json_array(), *root;
	char *text;

	pthread_mutex_lock(&e->shared.mutex);
	for (size_t i = 0; atomic_load(&e->is_holder) && i < e->mappings.len; i++)
		json_array_append_new(list, collection_status(&e->shared.collections[i]));
	pthread_mutex_unlock(&e->shared.mutex);
	root = json_pack(
	    "{s:s,s:s,s:I,s:i,s:b,s:o}", "role", atomic_load(&e->is_holder) ? "holder" : "standby",
	    "holder", e->lease.holder, "term",
	    (json_int_t)(atomic_load(&e->is_holder) ? e->shared.term : 0), "workers",
	    (int)e->shared.owners, "ready", sync_engine_is_ready(e), "collections", list);
	text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
	strbuf_addstr(json, text ? text : "{}");
	mem_free(text);
	json_decref(root);
}
