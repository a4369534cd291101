/*
 * The provider `local`: our own transformer (embed/bert.h) on this machine's cores.
 *
 * A context is one thread's scratch memory. Idle ones lie in a list, and a call takes one or makes
 * one, so that there are as many as there ever were threads at work.
 *
 * A query is encoded by the thread that asks. The documents of one call are spread over
 * embed.threads: each thread takes the next slice of them, longest texts first, until none is left,
 * so that no thread has a long text to do at the end alone. Threads live as long as the call: a
 * slice takes tens of milliseconds, a thread's start tens of microseconds, and a pool that slept
 * between calls would have to be woken, stopped and explained.
 *
 * Lock order: one mutex around the list of contexts; one in each call around its error.
 */
#include "embed/embed_local.h"

#include "base/file.h"
#include "embed/embed_int.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

#define MODEL_NAME  "all-MiniLM-L6-v2"
#define MODEL_CACHE "aethermart/" MODEL_NAME "-53aa5117" /* of tools/setup; the file's sha256 */
#define SLICE_MAX   32 /* texts a thread takes at a time: several packs of short ones */
#define THREADS_MAX 256

struct local {
	struct embed_provider provider; /* first: what the dispatcher holds */
	struct bert_model *model;
	char *name;
	unsigned threads;
	pthread_mutex_t lock; /* guards the list */
	struct bert_context **idle;
	size_t n_idle, cap_idle;
};

/* --- opening the model ----------------------------------------------------------------------- */

const char *embed_local_dir(const struct config *config, struct arena *arena)
{
	const char *dir = config_text(config, "embed.dir");
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (dir && dir[0])
		return dir;
	if (cache && cache[0])
		return arena_printf(arena, "%s/" MODEL_CACHE, cache);
	return home && home[0] ? arena_printf(arena, "%s/.cache/" MODEL_CACHE, home) : NULL;
}

static enum bert_precision precision_of(const struct config *config)
{
	static const struct {
		const char *name;
		enum bert_precision precision;
	} names[] = {{"f32", BERT_F32}, {"bf16", BERT_BF16}, {"int8", BERT_INT8}};
	const char *name = config_text(config, "embed.precision");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (cstr_equal(names[i].name, name))
			return names[i].precision;
	return BERT_AUTO;
}

int embed_local_open_model(const struct config *config, struct bert_model **ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *dir = embed_local_dir(config, &arena);
	struct bert_options options = {.precision = precision_of(config)};
	int r;

	if (dir)
		r = bert_model_open(dir, &options, ret, err);
	else
		r = err_set(err, ERR_NOT_FOUND,
			    "there is no folder for the model: neither XDG_CACHE_HOME nor HOME is "
			    "set");
	if (r == 0)
		return 0;
	r = err_context(err, "opening the local model");
	if (r == -ERR_UNSUPPORTED && options.precision != BERT_AUTO)
		return err_hint(err, "\"auto\" in embed.precision takes what the processor has");
	if (r == -ERR_NOT_FOUND || r == -ERR_CORRUPTED)
		return err_hint(err, "get the files by tools/setup, or name their folder in "
				     "embed.dir");
	return r;
}

/* What embed.threads asks for; 0: the cores that this process may use. */
static unsigned threads_of(const struct config *config)
{
	int64_t n = config_int(config, "embed.threads");
	cpu_set_t set;

	if (n == 0)
		n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

/* --- contexts -------------------------------------------------------------------------------- */

static int take_context(struct local *l, struct bert_context **ret, struct err *err)
{
	struct bert_context *c = NULL;

	pthread_mutex_lock(&l->lock);
	if (l->n_idle)
		c = l->idle[--l->n_idle];
	pthread_mutex_unlock(&l->lock);
	if (!c)
		return bert_context_new(l->model, ret, err);
	*ret = c;
	return 0;
}

static void put_context(struct local *l, struct bert_context *c)
{
	pthread_mutex_lock(&l->lock);
	mem_grow(&l->idle, &l->cap_idle, l->n_idle + 1, sizeof(struct bert_context *));
	l->idle[l->n_idle++] = c;
	pthread_mutex_unlock(&l->lock);
}

/* --- many texts ------------------------------------------------------------------------------ */

struct item {
	size_t len, index;
};

struct work { /* one call's */
	struct local *local;
	const struct str *texts;
	const struct item *items; /* longest first */
	size_t n, slice;
	float *ret;
	atomic_size_t next; /* item */
	atomic_bool failed;
	pthread_mutex_t lock; /* guards the error */
	struct err err;
};

static int longest_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int encode_slice(const struct work *w, struct bert_context *c, size_t first, float *vectors,
			struct err *err)
{
	size_t n = w->n - first < w->slice ? w->n - first : w->slice;
	size_t dimension = w->local->provider.info.dimension;
	struct str texts[SLICE_MAX];
	int r;

	for (size_t i = 0; i < n; i++)
		texts[i] = w->texts[w->items[first + i].index];
	r = bert_encode(c, texts, n, vectors, err);
	for (size_t i = 0; i < n && r == 0; i++)
		memcpy(w->ret + w->items[first + i].index * dimension, vectors + i * dimension,
		       dimension * sizeof(float));
	return r;
}

static int do_work(struct work *w, struct err *err)
{
	size_t dimension = w->local->provider.info.dimension;
	_cleanup_(mem_freep) float *vectors = mem_alloc_array(SLICE_MAX * dimension, sizeof(float));
	struct bert_context *c = NULL;
	int r = take_context(w->local, &c, err);

	while (r == 0 && !atomic_load(&w->failed)) {
		size_t first = atomic_fetch_add(&w->next, w->slice);

		if (first >= w->n)
			break;
		r = encode_slice(w, c, first, vectors, err);
	}
	if (c)
		put_context(w->local, c);
	return r;
}

static void *work_thread(void *arg)
{
	struct work *w = arg;
	struct err err = {0};

	if (do_work(w, &err) < 0) {
		pthread_mutex_lock(&w->lock);
		if (!atomic_exchange(&w->failed, true))
			w->err = err;
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

/* A thread that cannot be started is one less: the calling one works too. */
static void run_threads(struct work *w, unsigned threads)
{
	pthread_t ids[THREADS_MAX];
	unsigned n = 0;

	while (n + 1 < threads && pthread_create(&ids[n], NULL, work_thread, w) == 0)
		n++;
	(void)work_thread(w);
	while (n > 0)
		(void)pthread_join(ids[--n], NULL);
}

static int spread(struct local *l, const struct str *texts, size_t n, unsigned threads, float *ret,
		  struct err *err)
{
	_cleanup_(mem_freep) struct item *items = mem_alloc_array(n, sizeof(*items));
	struct work w = {.local = l,
			 .texts = texts,
			 .items = items,
			 .n = n,
			 .slice = n / (threads * (size_t)4),
			 .ret = ret};

	w.slice = w.slice < 1 ? 1 : w.slice > SLICE_MAX ? SLICE_MAX : w.slice;
	(void)pthread_mutex_init(&w.lock, NULL);
	for (size_t i = 0; i < n; i++)
		items[i] = (struct item){texts[i].len, i};
	qsort(items, n, sizeof(*items), longest_first);
	run_threads(&w, threads < n ? threads : (unsigned)n);
	(void)pthread_mutex_destroy(&w.lock);
	if (!atomic_load(&w.failed))
		return 0;
	if (err)
		*err = w.err;
	return -(int)w.err.code;
}

/* --- the provider ---------------------------------------------------------------------------- */

static int embed(struct embed_provider *self, enum embed_task task, const struct str *texts,
		 size_t n, float *ret, struct err *err)
{
	struct local *l = (struct local *)self;
	struct bert_context *c = NULL;
	int r;

	if (task == EMBED_DOCUMENT && n > 1 && l->threads > 1)
		return spread(l, texts, n, l->threads, ret, err);
	r = take_context(l, &c, err);
	if (r < 0)
		return r;
	r = bert_encode(c, texts, n, ret, err);
	put_context(l, c);
	return r;
}

static void local_free(struct embed_provider *self)
{
	struct local *l = (struct local *)self;

	if (!l)
		return;
	while (l->n_idle)
		(void)bert_context_free(l->idle[--l->n_idle]);
	mem_free(l->idle);
	(void)bert_model_free(l->model);
	(void)pthread_mutex_destroy(&l->lock);
	mem_free(l->name);
	mem_free(l);
}

/*
 * The name of the space. In the folder of tools/setup there is one model, and it has that name
 * alone; a folder of the user's own must be named by them: else vectors of two models would be
 * taken for each other's.
 */
static int space_name(const struct config *config, const char **ret, struct err *err)
{
	const char *name = config_text(config, "embed.model"),
		   *dir = config_text(config, "embed.dir");
	bool has_dir = dir && dir[0], has_name = name && name[0];

	*ret = has_name ? name : MODEL_NAME;
	if (has_dir && !has_name) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "embed.dir names a folder, and nothing says which model is in it");
		return err_hint(err,
				"name it in embed.model: vectors carry that name, and those of "
				"two models are never mixed");
	}
	if (has_dir || cstr_equal(*ret, MODEL_NAME))
		return 0;
	(void)err_set(err, ERR_NOT_FOUND, "there is no local model \"%s\", only \"" MODEL_NAME "\"",
		      name);
	return err_hint(err, "leave embed.model unset, or name the folder of \"%s\" in embed.dir",
			name);
}

int embed_local_open(const struct config *config, struct embed_provider **ret, struct err *err)
{
	struct bert_model *model = NULL;
	const char *name = NULL;
	struct local *l;
	int r = space_name(config, &name, err);

	if (r == 0)
		r = embed_local_open_model(config, &model, err);
	if (r < 0)
		return r;
	l = MEM_NEW(struct local);
	l->model = model;
	l->threads = threads_of(config);
	l->name = mem_printf("local/%s", name);
	(void)pthread_mutex_init(&l->lock, NULL);
	/* By position: "free" is a name that banned.h refuses. */
	l->provider = (struct embed_provider){
	    {.provider = "local", .model = l->name, .dimension = bert_model_info(model)->dimension},
	    embed,
	    local_free};
	*ret = &l->provider;
	return 0;
}
