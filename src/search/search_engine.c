/*
 * Generations and who answers: see search_engine.h.
 *
 * The control thread brings the engine up, again and again until it succeeds (a model whose files
 * are missing may be installed, another process may end), and then waits for a generation that is
 * being built. Each generation has an indexer with a thread and a consumer of its own, so the one
 * that is being built, with whatever provider, holds up nothing of the one that answers.
 *
 * `serving` changes under the mutex; who asks holds a reference, and a generation that was replaced
 * is closed when nobody does any more.
 */
#include "search/search_engine_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/logger.h"
#include "search/search_orders.h"
#include "sync/sync_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/banned.h"

#define RETRY_MS   10000 /* a model that is not there, a folder that another process has */
#define STOP_MS	   5000
#define RETIRE_MS  1000
#define ID_BYTES   16
#define NICE	   10
#define GENERATION "g" /* and a number */

/* --- the folder ------------------------------------------------------------------------------ */

static const char *path_of(struct search_engine *e, const char *name)
{
	return arena_printf(&e->arena, "%s/%s", e->options.dir, name);
}

static int take_lock(struct search_engine *e, struct err *err)
{
	const char *path = path_of(e, "lock");
	int r = dir_make(e->options.dir, 0700, err);

	if (r < 0 || e->lock_fd >= 0)
		return r;
	e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (e->lock_fd < 0)
		return err_set(err, ERR_IO, "could not open \"%s\": %s", path, strerror(errno));
	if (flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	closep(&e->lock_fd);
	e->lock_fd = -1;
	return err_set(err, ERR_CONFLICT, "another process has the index in \"%s\"",
		       e->options.dir);
}

static bool is_id(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!strchr("0123456789abcdef", s.data[i]))
			return false;
	}
	return s.len == (size_t)2 * ID_BYTES;
}

/* A random name, made once: it goes with the folder when that is moved. */
static int read_id(struct search_engine *e, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(128);
	unsigned char bytes[ID_BYTES];
	int r = file_read(e->options.id_path, &b, err);

	if (r == 0 && !is_id(str_trim(strbuf_slice(&b))))
		return err_set(err, ERR_CORRUPTED, "\"%s\" does not hold %d hexadecimal digits",
			       e->options.id_path, 2 * ID_BYTES);
	if (r == -ERR_NOT_FOUND) {
		err_clear(err);
		random_bytes(bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++)
			strbuf_addf(&b, "%02x", bytes[i]);
		strbuf_addch(&b, '\n');
		r = file_write_atomic(e->options.id_path, b.data, b.len, 0600, err);
	}
	if (r == 0)
		e->id = arena_strndup(&e->arena, b.data, (size_t)2 * ID_BYTES);
	return r;
}

/* --- generations ----------------------------------------------------------------------------- */

static struct generation *free_generation(struct generation *g)
{
	if (!g)
		return NULL;
	search_indexer_free(g->indexer);
	search_index_free(g->index);
	embedder_free(g->embedder);
	mem_free(g);
	return NULL;
}

/* What is found in the folder. */
struct found {
	unsigned serving; /* 0: none */
	const char *serving_model;
	unsigned serving_dimension;
	unsigned matching; /* of the model that is wanted: the one that answers, or the newest */
	unsigned highest;
};

static unsigned number_of(const char *name)
{
	int64_t n = 0;

	if (strncmp(name, GENERATION, strlen(GENERATION)) != 0 ||
	    parse_int64(str_from(name + strlen(GENERATION)), 1, UINT32_MAX, &n, NULL) < 0)
		return 0;
	return (unsigned)n;
}

static const char *dir_of(struct search_engine *e, unsigned number)
{
	return arena_printf(&e->arena, "%s/" GENERATION "%u", e->options.dir, number);
}

/* One whose state cannot be read counts as not there. */
static int look_at(struct search_engine *e, unsigned number, const struct embedder_info *wanted,
		   struct found *f, struct err *err)
{
	const char *model = NULL;
	unsigned dimension = 0;
	struct err why = {0};
	int r = search_index_peek(dir_of(e, number), &e->arena, &model, &dimension, &why);

	f->highest = number > f->highest ? number : f->highest;
	if (r == -ERR_CORRUPTED)
		logger_error(LOGGER_WARN, "index", "a damaged index is removed and made again",
			     &why);
	if (r == -ERR_CORRUPTED || r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0) {
		*err = why;
		return r;
	}
	if (number == f->serving) {
		f->serving_model = model;
		f->serving_dimension = dimension;
	}
	if (cstr_equal(model, wanted->model) && dimension == wanted->dimension &&
	    (number == f->serving || f->matching != f->serving || !f->matching))
		f->matching = number;
	return 0;
}

/* Numbers of the generations in the folder, ascending; 0 ends them. */
static int list_numbers(struct search_engine *e, const unsigned **ret, struct err *err)
{
	struct dirent **list = NULL;
	int n = scandir(e->options.dir, &list, NULL, versionsort);
	unsigned *numbers;
	size_t len = 0;

	if (n < 0)
		return err_set(err, ERR_IO, "could not read \"%s\": %s", e->options.dir,
			       strerror(errno));
	numbers = arena_alloc(&e->arena, ((size_t)n + 1) * sizeof(*numbers));
	for (int i = 0; i < n; i++) {
		numbers[len] = number_of(list[i]->d_name);
		len += numbers[len] != 0;
		mem_free(list[i]);
	}
	numbers[len] = 0;
	mem_free(list);
	*ret = numbers;
	return 0;
}

static int read_serving(struct search_engine *e, unsigned *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(64);
	int r = file_read(path_of(e, "serving"), &b, err);

	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	err_clear(err);
	if (r == 0)
		strbuf_truncate(&b, strcspn(b.data ? b.data : "", "\n"));
	*ret = number_of(strbuf_str(&b));
	return 0;
}

/* What can neither answer nor be finished goes. */
static int find_generations(struct search_engine *e, const struct embedder_info *wanted,
			    struct found *ret, struct err *err)
{
	static const unsigned none[] = {0};
	const unsigned *numbers = none;
	int r;

	*ret = (struct found){0};
	r = read_serving(e, &ret->serving, err);
	if (r == 0)
		r = list_numbers(e, &numbers, err);
	for (size_t i = 0; r == 0 && numbers[i]; i++)
		r = look_at(e, numbers[i], wanted, ret, err);
	if (!ret->serving_model)
		ret->serving = 0;
	for (size_t i = 0; r == 0 && numbers[i]; i++) {
		if (numbers[i] != ret->serving && numbers[i] != ret->matching)
			r = dir_remove(dir_of(e, numbers[i]), err);
	}
	return r;
}

static void on_built(void *arg)
{
	struct search_engine *e = arg;

	pthread_mutex_lock(&e->mutex);
	e->is_built = e->building != NULL;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->mutex);
}

/* Takes the embedder, also when it fails. One that does not answer yet tells when it can. */
static int open_generation(struct search_engine *e, unsigned number, bool is_new,
			   struct embedder *embedder, struct generation **ret, struct err *err)
{
	const struct config *config = e->options.config;
	const struct embedder_info *info = embedder_info(embedder);
	struct generation *g = MEM_NEW(struct generation);
	struct search_index_options index = {
	    .model = info->model,
	    .dimension = info->dimension,
	    .memory_max = (size_t)config_int(config, "index.memory_max"),
	};
	int r;

	g->number = number;
	g->name = arena_printf(&e->arena, GENERATION "%u", number);
	g->dir = index.dir = dir_of(e, number);
	g->consumer = arena_printf(&e->arena, "%s-%s", e->id, g->name);
	g->embedder = embedder;
	r = search_index_open(&index, &g->index, err);
	if (r == -ERR_CORRUPTED && dir_remove(g->dir, NULL) == 0)
		(void)err_context(err, "removed, to be made again");
	if (r < 0) {
		free_generation(g);
		return r;
	}
	g->indexer = search_indexer_new(&(struct search_indexer_options){
	    .maria = e->options.maria,
	    .mapping_dir = e->options.mapping_dir,
	    .rules_path = e->options.rules_path,
	    .consumer = g->consumer,
	    .consumer_prefix = arena_printf(&e->arena, "%s-", e->id),
	    .collections = config_is_set(config, "index.collections")
			       ? config_list(config, "index.collections")
			       : NULL,
	    .batch = (size_t)config_int(config, "index.batch"),
	    .forget_ms = config_int(config, "index.forget_after"),
	    .index = g->index,
	    .words = e->words,
	    .embedder = embedder,
	    .cache = e->cache,
	    .on_built = is_new ? on_built : NULL,
	    .arg = e,
	});
	*ret = g;
	return 0;
}

/* The index of the former model goes on answering, if that model can still be asked. */
static void open_former(struct search_engine *e, const struct found *f, struct generation **ret)
{
	struct embedder *embedder = NULL;
	struct err why = {0};
	int r = embedder_open_as(e->options.config, f->serving_model, f->serving_dimension,
				 &embedder, &why);

	if (r == 0)
		r = open_generation(e, f->serving, false, embedder, ret, &why);
	if (r < 0) {
		(void)err_context(&why, "the index of \"%s\" cannot answer any more",
				  f->serving_model);
		logger_error(LOGGER_WARN, "index", "no queries until the new index is built", &why);
	}
}

static int open_generations(struct search_engine *e, struct embedder *embedder, struct err *err)
{
	struct generation *serving = NULL, *building = NULL;
	const char **names = arena_alloc(&e->arena, 4 * sizeof(*names));
	struct found f = {0};
	bool is_new;
	size_t n = 0;
	int r = find_generations(e, embedder_info(embedder), &f, err);

	if (r < 0) {
		embedder_free(embedder);
		return r;
	}
	is_new = !f.serving || f.serving != f.matching;
	if (f.serving && is_new)
		open_former(e, &f, &serving);
	r = open_generation(e, f.matching ? f.matching : f.highest + 1, is_new, embedder,
			    is_new ? &building : &serving, err);
	if (r < 0) {
		free_generation(serving);
		return r;
	}
	names[n++] = e->words_consumer;
	if (serving)
		names[n++] = serving->consumer;
	if (building)
		names[n] = building->consumer;
	pthread_mutex_lock(&e->mutex);
	e->serving = serving;
	e->building = building;
	if (serving)
		search_indexer_set_role(serving->indexer, true, names);
	if (building)
		search_indexer_set_role(building->indexer, !serving, names);
	if (serving)
		search_indexer_start(serving->indexer);
	if (building)
		search_indexer_start(building->indexer);
	pthread_mutex_unlock(&e->mutex);
	return 0;
}

/* Needs no model: what is found by its words does not wait for vectors. */
static int start_words(struct search_engine *e, struct err *err)
{
	const struct config *config = e->options.config;
	struct search_words_options options = {
	    .maria = e->options.maria,
	    .mapping_dir = e->options.mapping_dir,
	    .rules_path = e->options.rules_path,
	    .synonyms_path = e->options.synonyms_path,
	    .collections = config_is_set(config, "index.collections")
			       ? config_list(config, "index.collections")
			       : NULL,
	    .batch = (size_t)config_int(config, "index.batch"),
	    .forget_ms = config_int(config, "index.forget_after"),
	};
	struct search_words *w;
	int r;

	if (e->words)
		return 0;
	options.dir = arena_printf(&e->words_arena, "%s/words", e->options.dir);
	options.consumer = e->words_consumer = arena_printf(&e->words_arena, "%s-words", e->id);
	r = dir_make(options.dir, 0700, err);
	if (r < 0)
		return r;
	w = search_words_new(&options);
	pthread_mutex_lock(&e->mutex);
	e->words = w;
	pthread_mutex_unlock(&e->mutex);
	search_words_start(w);
	return 0;
}

/* Copies of `aethermart tune` that was killed. */
static void remove_copies(struct search_engine *e)
{
	struct dirent **list = NULL;
	int n = scandir(e->options.dir, &list, NULL, NULL);

	for (int i = 0; i < n; i++) {
		int64_t pid = 0;

		if (strncmp(list[i]->d_name, "tune.", 5) == 0 &&
		    parse_int64(str_from(list[i]->d_name + 5), 1, INT32_MAX, &pid, NULL) == 0 &&
		    kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			(void)(dir_remove(path_of(e, list[i]->d_name), NULL) < 0);
		mem_free(list[i]);
	}
	mem_free(list);
}

static int bring_up(struct search_engine *e, struct err *err)
{
	struct embedder *embedder = NULL;
	int r;

	arena_clear(&e->arena); /* of the last try */
	r = take_lock(e, err);

	if (r == 0) { /* it stands by no longer, whatever else may be missing */
		pthread_mutex_lock(&e->mutex);
		if (e->failed.code == ERR_CONFLICT)
			err_clear(&e->failed);
		pthread_mutex_unlock(&e->mutex);
	}
	if (r == 0)
		r = read_id(e, err);
	if (r == 0)
		remove_copies(e);
	if (r == 0)
		r = start_words(e, err);
	/* Threads of indexers and embedders are children of this one, and as nice; that of the
	 * words, which never works for long, is not. */
	if (r == 0)
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	if (r == 0 && !e->cache) {
		r = embed_cache_open(path_of(e, "embeddings.db"), &e->cache, err);
		if (r == -ERR_CORRUPTED)
			(void)err_hint(err, "remove the file and what begins with its name: all "
					    "texts are embedded again");
	}
	if (r == 0)
		r = embedder_open(e->options.config, &embedder, err);
	return r < 0 ? r : open_generations(e, embedder, err);
}

/* --- taking over ----------------------------------------------------------------------------- */

/* Waits for what still uses it; false: the engine stops first. */
static bool drain(struct search_engine *e, struct generation *g)
{
	bool is_free;

	while (!search_indexer_stop(g->indexer, RETIRE_MS)) {
		if (atomic_load(&e->stop))
			return false;
	}
	pthread_mutex_lock(&e->mutex);
	while (g->refs && !atomic_load(&e->stop))
		pthread_cond_wait(&e->changed, &e->mutex);
	is_free = !g->refs;
	pthread_mutex_unlock(&e->mutex);
	return is_free;
}

/* Closes and removes the one that answered, and has its consumer removed. What it leaves behind
 * when the process ends here goes at the next start. */
static void retire(struct search_engine *e, struct generation *g)
{
	const char **names = arena_alloc(&e->arena, 3 * sizeof(*names));
	const char *dir = g->dir;
	struct err err = {0};

	if (!drain(e, g)) { /* memory of a process that ends */
		e->is_stuck = true;
		return;
	}
	free_generation(g);
	names[0] = e->words_consumer;
	names[1] = e->serving->consumer;
	names[2] = NULL;
	search_indexer_set_role(e->serving->indexer, true, names);
	if (dir_remove(dir, &err) < 0)
		logger_error(LOGGER_WARN, "index", "the former index could not be removed", &err);
}

/* The one that was built answers from now on: first on disk, then here. */
static int take_over(struct search_engine *e, struct err *err)
{
	const char **names = arena_alloc(&e->arena, 4 * sizeof(*names));
	struct generation *former;
	char *text;
	int r;

	text = arena_printf(&e->arena, "%s\n", e->building->name);
	r = file_write_atomic(path_of(e, "serving"), text, strlen(text), 0600, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&e->mutex);
	former = e->serving;
	names[0] = e->words_consumer;
	names[1] = e->building->consumer;
	names[2] = former ? former->consumer : NULL;
	names[3] = NULL;
	e->serving = e->building;
	e->building = NULL;
	e->is_built = false;
	search_indexer_set_role(e->serving->indexer, true, names);
	pthread_mutex_unlock(&e->mutex);
	logger_event(LOGGER_INFO, "index", "answers", "model",
		     embedder_info(e->serving->embedder)->model, NULL);
	if (former)
		retire(e, former);
	return 0;
}

/* --- control --------------------------------------------------------------------------------- */

/* Mutex held. */
static void wait_ms(struct search_engine *e, int64_t ms)
{
	int64_t until = clock_monotonic_us() + ms * 1000;

	while (!atomic_load(&e->stop) && !e->is_built) {
		if (!clock_cond_wait(&e->changed, &e->mutex, until))
			break;
	}
}

static void note_failure(struct search_engine *e, const struct err *err)
{
	pthread_mutex_lock(&e->mutex);
	if (!cstr_equal(e->failed.message, err->message))
		logger_error(err->code == ERR_CONFLICT ? LOGGER_INFO : LOGGER_WARN, "index",
			     "the index waits; trying again", err);
	e->failed = *err;
	wait_ms(e, RETRY_MS);
	pthread_mutex_unlock(&e->mutex);
}

static void control_step(struct search_engine *e)
{
	struct err err = {0};
	bool is_built;

	pthread_mutex_lock(&e->mutex);
	while (!atomic_load(&e->stop) && !e->is_built)
		pthread_cond_wait(&e->changed, &e->mutex);
	is_built = e->is_built && !atomic_load(&e->stop);
	pthread_mutex_unlock(&e->mutex);
	if (is_built && take_over(e, &err) < 0) {
		logger_error(LOGGER_WARN, "index", "the new index cannot take over yet", &err);
		pthread_mutex_lock(&e->mutex);
		e->is_built = false;
		wait_ms(e, RETRY_MS);
		e->is_built = true;
		pthread_mutex_unlock(&e->mutex);
	}
}

static void *control_main(void *arg)
{
	struct search_engine *e = arg;

	while (!atomic_load(&e->stop)) {
		struct err err = {0};

		if (e->is_up) {
			control_step(e);
		} else if (bring_up(e, &err) < 0) {
			note_failure(e, &err);
		} else {
			pthread_mutex_lock(&e->mutex);
			e->is_up = true;
			err_clear(&e->failed);
			pthread_mutex_unlock(&e->mutex);
		}
	}
	return NULL;
}

/* --- without an index ------------------------------------------------------------------------ */

/* An index that is switched off must not let changes gather for it. */
static int forget_consumers(struct search_engine *e, struct err *err)
{
	static const char *const none[] = {NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	int r;

	arena_clear(&e->arena);
	if (!file_exists(e->options.id_path))
		return 0;
	r = read_id(e, err);
	if (r == 0)
		r = maria_open(e->options.maria, &db, err);
	if (r == 0)
		r = sync_consumer_prune(db, SEARCH_CONSUMER_KIND,
					arena_printf(&e->arena, "%s-", e->id), none, err);
	return r == -ERR_NOT_FOUND ? 0 : r; /* nothing is installed */
}

static void *forget_main(void *arg)
{
	struct search_engine *e = arg;
	struct err err = {0};

	while (!atomic_load(&e->stop) && forget_consumers(e, &err) < 0) {
		note_failure(e, &err);
		err_clear(&err);
	}
	return NULL;
}

struct search_engine *search_engine_start(const struct search_engine_options *options)
{
	struct search_engine *e = MEM_NEW(struct search_engine);
	sigset_t all, old;

	e->options = *options;
	e->lock_fd = -1;
	e->orders = search_orders_new(options->maria);
	pthread_mutex_init(&e->mutex, NULL);
	clock_cond_init(&e->changed);
	/* All threads that come of this one inherit the mask: signals are the main thread's. */
	sigfillset(&all);
	bug_if(pthread_sigmask(SIG_SETMASK, &all, &old) != 0);
	bug_if(pthread_create(&e->thread, NULL,
			      config_bool(options->config, "index.enabled") ? control_main
									    : forget_main,
			      e) != 0);
	bug_if(pthread_sigmask(SIG_SETMASK, &old, NULL) != 0);
	return e;
}

bool search_engine_stop(struct search_engine *e)
{
	bool is_ended;

	if (!e)
		return true;
	pthread_mutex_lock(&e->mutex);
	atomic_store(&e->stop, true);
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->mutex);
	pthread_join(e->thread, NULL);
	is_ended = !e->is_stuck;
	if (e->building && !search_indexer_stop(e->building->indexer, STOP_MS))
		is_ended = false;
	if (e->serving && !search_indexer_stop(e->serving->indexer, STOP_MS))
		is_ended = false;
	if (e->words && !search_words_stop(e->words, STOP_MS))
		is_ended = false;
	if (!is_ended)
		return false;
	free_generation(e->building);
	free_generation(e->serving);
	search_words_free(e->words);
	search_orders_free(e->orders);
	arena_done(&e->words_arena);
	for (size_t i = 0; i < e->n_analyzers; i++)
		search_analyzer_free(e->analyzers[i]);
	embed_cache_free(e->cache);
	closep(&e->lock_fd);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->mutex);
	arena_done(&e->arena);
	mem_free(e);
	return true;
}

/* --- for others ------------------------------------------------------------------------------ */

void search_engine_wake(struct search_engine *e)
{
	pthread_mutex_lock(&e->mutex);
	if (e->words)
		search_words_wake(e->words);
	if (e->serving)
		search_indexer_wake(e->serving->indexer);
	if (e->building)
		search_indexer_wake(e->building->indexer);
	pthread_mutex_unlock(&e->mutex);
}

void search_engine_offer(struct search_engine *e, const struct mapping *m,
			 const struct mapping_document *documents, size_t n, uint64_t version)
{
	pthread_mutex_lock(&e->mutex);
	if (e->words)
		search_words_offer(e->words, m, documents, n, version);
	if (e->serving)
		search_indexer_offer(e->serving->indexer, m, documents, n, version);
	if (e->building)
		search_indexer_offer(e->building->indexer, m, documents, n, version);
	pthread_mutex_unlock(&e->mutex);
}

/* The one that answers, or will; NULL: none is there yet. */
struct generation *search_engine_take_ref(struct search_engine *e)
{
	struct generation *g;

	pthread_mutex_lock(&e->mutex);
	g = e->serving ? e->serving : e->building;
	if (g)
		g->refs++;
	pthread_mutex_unlock(&e->mutex);
	return g;
}

/* The one that answers and the one that is being built; NULL: not there. */
static void take_refs(struct search_engine *e, struct generation *ret[2])
{
	pthread_mutex_lock(&e->mutex);
	ret[0] = e->serving;
	ret[1] = e->building;
	for (size_t i = 0; i < 2; i++) {
		if (ret[i])
			ret[i]->refs++;
	}
	pthread_mutex_unlock(&e->mutex);
}

void search_engine_drop_ref(struct search_engine *e, struct generation *g)
{
	pthread_mutex_lock(&e->mutex);
	if (--g->refs == 0)
		pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->mutex);
}

static void drop_refs(struct search_engine *e, struct generation *const both[2])
{
	for (size_t i = 0; i < 2; i++) {
		if (both[i])
			search_engine_drop_ref(e, both[i]);
	}
}

int search_engine_not_there(struct search_engine *e, struct err *err)
{
	struct err why;

	pthread_mutex_lock(&e->mutex);
	why = e->failed;
	pthread_mutex_unlock(&e->mutex);
	(void)err_set(err, ERR_UNAVAILABLE, "the index is not there yet%s%s", why.code ? ": " : "",
		      why.message);
	return err_hint(err, "%s",
			why.hint[0] ? why.hint : "`aethermart index status` shows how far it is");
}

static bool has_not_begun(int r)
{
	return r == -ERR_UNAVAILABLE || r == -ERR_NOT_FOUND;
}

/* NULL: not there yet; else it lives as long as the engine. */
struct search_words *search_engine_words(struct search_engine *e)
{
	struct search_words *w;

	pthread_mutex_lock(&e->mutex);
	w = e->words;
	pthread_mutex_unlock(&e->mutex);
	return w;
}

/* Also of the one that is being built. One that has not read any rules yet reads those that there
 * are now by itself. */
int search_engine_rebuild(struct search_engine *e, const char *collection, struct err *err)
{
	struct search_words *words = search_engine_words(e);
	struct generation *both[2];
	int r =
	    words ? search_words_rebuild(words, collection, err) : search_engine_not_there(e, err);

	if (r < 0)
		return r;
	take_refs(e, both);
	for (size_t i = 0; i < 2 && r == 0; i++) {
		if (both[i])
			r = search_indexer_rebuild(both[i]->indexer, collection, err);
		if (has_not_begun(r)) {
			err_clear(err);
			r = 0;
		}
	}
	drop_refs(e, both);
	return r;
}

int search_engine_forget(struct search_engine *e, struct err *err)
{
	struct search_words *words = search_engine_words(e);
	struct generation *both[2];

	if (!words)
		return search_engine_not_there(e, err);
	search_words_forget(words);
	take_refs(e, both);
	for (size_t i = 0; i < 2; i++)
		if (both[i])
			search_indexer_forget(both[i]->indexer);
	drop_refs(e, both);
	return 0;
}

static void add_hits(const struct generation *g, const char *collection,
		     const struct search_hit *hits, size_t n, struct strbuf *json)
{
	const char *model = embedder_info(g->embedder)->model;

	strbuf_addstr(json, "{\"collection\":");
	strbuf_add_json(json, collection, strlen(collection));
	strbuf_addstr(json, ",\"model\":");
	strbuf_add_json(json, model, strlen(model));
	strbuf_addstr(json, ",\"hits\":[");
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(json, i ? ",{\"key\":" : "{\"key\":");
		strbuf_add_json(json, hits[i].key.data, hits[i].key.len);
		strbuf_addstr(json, ",\"title\":");
		strbuf_add_json(json, hits[i].title, strlen(hits[i].title));
		strbuf_addf(json, ",\"score\":%.6f}", (double)hits[i].score);
	}
	strbuf_addstr(json, "]}");
}

static int query(struct generation *g, const char *collection, struct str text, size_t k,
		 struct strbuf *json, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	unsigned dimension = embedder_info(g->embedder)->dimension;
	float *vector = arena_alloc(&arena, dimension * sizeof(*vector));
	struct search_hit *hits = arena_alloc(&arena, k * sizeof(*hits));
	struct search_question q = {.collection = collection, .vector = vector, .k = k};
	size_t n = 0;
	int r = embedder_embed(g->embedder, EMBED_QUERY, &text, 1, vector, err);

	if (r == 0)
		r = search_index_query(g->index, &q, &arena, hits, &n, err);
	if (r == 0)
		add_hits(g, collection, hits, n, json);
	return r;
}

int search_engine_query(struct search_engine *e, const char *collection, struct str text, size_t k,
			struct strbuf *json, struct err *err)
{
	struct generation *g;
	int r;

	text = str_trim(text);
	if (!text.len || text.len > SEARCH_QUERY_MAX || !utf8_is_valid(text.data, text.len))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the text to look for has to be UTF-8 of 1 to %d bytes",
			       SEARCH_QUERY_MAX);
	if (!k || k > SEARCH_K_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the number of hits has to be from 1 to %d", SEARCH_K_MAX);
	g = search_engine_take_ref(e);
	if (!g)
		return search_engine_not_there(e, err);
	r = query(g, collection, text, k, json, err);
	search_engine_drop_ref(e, g);
	return r;
}

/* --- status ---------------------------------------------------------------------------------- */

static json_t *generation_status(struct generation *g)
{
	const struct embedder_info *info;
	json_t *o;

	if (!g)
		return json_null();
	info = embedder_info(g->embedder);
	o = json_pack("{s:s, s:s, s:s, s:i, s:b, s:s?}", "generation", g->name, "provider",
		      info->provider, "model", info->model, "dimension", (int)info->dimension,
		      "is_remote", info->is_remote, "endpoint", info->endpoint);
	json_object_update_new(o, search_indexer_status(g->indexer));
	return o;
}

static const char *state_name(const struct search_engine *e, const struct err *why)
{
	if (why->code == ERR_CONFLICT)
		return "standby";
	if (why->code)
		return "error";
	return !e->is_up ? "starting" : e->serving ? "serving" : "building";
}

void search_engine_status(struct search_engine *e, struct strbuf *json)
{
	struct search_words *words = search_engine_words(e);
	struct generation *both[2];
	struct err why;
	json_t *o;
	char *text;

	take_refs(e, both);
	pthread_mutex_lock(&e->mutex);
	why = e->failed;
	o = json_pack("{s:s, s:s?, s:s?, s:s}", "state", state_name(e, &why), "error",
		      why.code ? why.message : NULL, "hint", why.hint[0] ? why.hint : NULL, "rules",
		      e->options.rules_path);
	pthread_mutex_unlock(&e->mutex);
	json_object_set_new(o, "words", words ? search_words_status(words) : json_null());
	json_object_set_new(o, "serving", generation_status(both[0]));
	json_object_set_new(o, "building", generation_status(both[1]));
	drop_refs(e, both);
	text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
	strbuf_addstr(json, text ? text : "{}");
	mem_free(text);
	json_decref(o);
}
