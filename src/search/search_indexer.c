/*
 * The thread of an indexer: see search_indexer.h.
 *
 * A round: connect and read the mappings, a page of what waits in the hand-off, a page of a scan
 * when one runs, else what was set aside and is due again. A round without work is followed by a
 * wait for the engine's acknowledgements, two seconds at most: those of other processes wake
 * nobody.
 *
 * A scan reads all documents of a collection: pages in key order, then (the sweep) the documents
 * that the index has and the scan did not see. It runs beside the hand-off, one page each, so that
 * a change is never behind a scan. How far it is stands in the index's state.
 *
 * The thread is as nice as the one that starts it: the sync's workers go before it.
 */
#include "search/search_indexer_int.h"

#include "base/clock.h"
#include "base/logger.h"
#include "sync/sync_admin.h"

#include "base/banned.h"

#define LOOK_MS	     2000 /* for acknowledgements of other processes */
#define PAUSE_MIN_MS 500  /* after a failed round, twice as long each time */
#define PAUSE_MAX_MS 60000
#define FIGURES_US   1000000 /* how old what status shows may be */
#define PRUNE_US     30000000
#define RETRY_US     5000000 /* how often what was set aside is looked at while there is other work */
#define COUNT_SHARE  50	     /* of its time the thread spends at most one such part counting rows */
#define FIGURE_SHARE 10	     /* and one such part with all figures */
#define RULES_META   "rules"

struct pace {
	int64_t next_figures_us, next_count_us, next_prune_us, next_retry_us, next_compact_us;
	int64_t rest_until_us; /* from figures */
	bool is_stale;	       /* they were left out because of that */
	int64_t pause_ms;
	bool is_handoff_stuck;	       /* in this round */
	const char *const *pruned_for; /* the consumers that were kept by then */
	bool is_loaded;		       /* the rules, bound to the mappings that there are */
};

/* --- collections ----------------------------------------------------------------------------- */

static struct search_target *find_target(struct search_indexer *x, const char *name)
{
	for (size_t i = 0; i < x->n; i++) {
		if (cstr_equal(x->targets[i].name, name) && x->targets[i].rules)
			return &x->targets[i];
	}
	return NULL;
}

static bool is_chosen(const struct search_indexer *x, const char *name)
{
	const char *const *list = x->options.collections;

	for (; list && *list; list++) {
		if (cstr_equal(*list, name))
			return true;
	}
	return !list;
}

static void make_metrics(struct search_target *t)
{
	static const char *const names[] = {"documents", "vectors", "waiting", "set_aside"};
	static const char *const help[] = {
	    "Documents that should be in the index.", "Vectors in the index.",
	    "Changed documents that wait in the hand-off.", "Documents that could not be indexed."};
	struct metric **metrics[] = {&t->m_documents, &t->m_vectors, &t->m_waiting, &t->m_aside};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(mem_freep) char *name = mem_printf("aethermart_index_%s", names[i]);

		*metrics[i] = metric_series(METRIC_GAUGE, name, help[i], "collection", t->name);
	}
	t->m_embedded = metric_series(METRIC_COUNTER, "aethermart_index_embedded_total",
				      "Texts that were embedded, not read from the cache.",
				      "collection", t->name);
	t->m_seconds = metric_series(METRIC_HISTOGRAM, "aethermart_index_page_seconds",
				     "From a page's documents to their durable vectors.",
				     "collection", t->name);
}

/* Where the state says that a rebuild was asked for and has not begun. */
static char *rebuild_meta(const char *collection)
{
	return mem_printf("rebuild:%s", collection);
}

static int add_target(struct search_indexer *x, const struct search_collection *rules,
		      struct err *err)
{
	_cleanup_(mem_freep) char *meta = rebuild_meta(rules->name);
	struct err repaired = {0};
	struct search_target *t;
	size_t i = 0, number = 0;
	int64_t asked = 0;
	struct search_numbering numbering = {0};
	int r = search_words_space(x->options.words, rules->name, &numbering, err);

	if (r == 0)
		r = search_index_collection(x->options.index, rules->name, &numbering, &number,
					    &repaired, err);
	if (r < 0)
		return err_context(err, "opening the index of \"%s\"", rules->name);
	if (repaired.code)
		logger_error(LOGGER_WARN, "index", "vectors thrown away; they are made again",
			     &repaired);
	r = search_index_get(x->options.index, meta, &asked, err);
	if (r < 0)
		return r;
	while (i < x->n && !cstr_equal(x->targets[i].name, rules->name))
		i++;
	t = &x->targets[i];
	pthread_mutex_lock(&x->mutex);
	if (i == x->n) {
		*t = (struct search_target){.name = mem_strdup(rules->name), .number = number};
		make_metrics(t);
		x->n++;
		t->wants_rebuild = asked; /* by a process that ended before it began */
	}
	t->rules = rules;
	pthread_mutex_unlock(&x->mutex);
	return 0;
}

/* Other rules make other texts, and who may see them matters too: all documents are looked at
 * again. */
static int note_rules(struct search_indexer *x, struct err *err)
{
	bool may_see_pii = embedder_may_see_pii(x->options.embedder);
	int64_t before = 0, now = (int64_t)(search_rules_hash(x->rules) * 2 + may_see_pii);
	int r = search_index_get(x->options.index, RULES_META, &before, err);

	if (r < 0 || before == now)
		return r;
	if (before)
		r = search_index_scan_all(x->options.index, err);
	return r < 0 ? r : search_index_set(x->options.index, RULES_META, now, err);
}

static int check_chosen(const struct search_indexer *x, const struct search_rules *rules,
			struct err *err)
{
	for (const char *const *name = x->options.collections; name && *name; name++) {
		if (!search_rules_find(rules, *name))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "index.collections names \"%s\", of which \"%s\" has no "
				       "rules",
				       *name, x->options.rules_path);
	}
	return 0;
}

/* Nobody will hear of its documents' ends any more: what is kept of them goes now. */
static int drop_cached(void *arg, const char *collection, struct err *err)
{
	struct search_indexer *x = arg;

	/* One that only lacks its mapping at present may come back to what was embedded. */
	if (search_rules_find(x->rules, collection) && is_chosen(x, collection))
		return 0;
	logger_event(LOGGER_INFO, "index", "a collection is not indexed any more", "collection",
		     collection, NULL);
	return search_take_forget_all(x, collection, err);
}

/* The rules of the file, bound to the mappings that are installed. */
static int load_rules(struct search_indexer *x, struct err *err)
{
	struct search_rules *fresh = NULL;
	const struct search_collection *list;
	const char *keep[SEARCH_COLLECTIONS_MAX + 1] = {0};
	const struct search_dropping dropping = {.run = drop_cached, .arg = x};
	size_t n, n_keep = 0;
	int r = search_rules_load(x->options.rules_path, &fresh, err);

	if (r == 0)
		r = check_chosen(x, fresh, err);
	if (r == 0)
		r = search_rules_bind(fresh, sync_reader_mappings(x->reader), err);
	if (r < 0) {
		search_rules_free(fresh);
		return r;
	}
	pthread_mutex_lock(&x->mutex);
	for (size_t i = 0; i < x->n; i++)
		x->targets[i].rules = NULL;
	pthread_mutex_unlock(&x->mutex);
	search_rules_free(x->rules);
	x->rules = fresh;
	n = search_rules_collections(x->rules, &list);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (!list[i].mapping || !is_chosen(x, list[i].name))
			continue;
		r = add_target(x, &list[i], err);
		keep[n_keep++] = list[i].name;
	}
	if (r == 0)
		r = search_index_keep(x->options.index, keep, &dropping, err);
	return r < 0 ? r : note_rules(x, err);
}

/* --- the reader's hooks ---------------------------------------------------------------------- */

static int take(void *arg, const struct mapping *m, const struct mapping_document *documents,
		size_t n, struct err *err)
{
	struct search_indexer *x = arg;
	struct search_target *t = find_target(x, mapping_collection(m));

	return t ? search_take(x, t, documents, n, err) : 0;
}

static bool wants(void *arg, const char *collection)
{
	return find_target(arg, collection) != NULL;
}

/* What happened while nobody was registered is unknown. */
static int begin(void *arg, struct err *err)
{
	struct search_indexer *x = arg;

	return search_index_scan_all(x->options.index, err);
}

/* --- figures --------------------------------------------------------------------------------- */

static void add_reason(void *arg, const char *kind, const char *reason, int64_t n)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:I}", "kind", kind, "reason", reason,
					     "documents", (json_int_t)n));
}

static int measure(struct search_indexer *x, struct search_target *t, bool wants_count,
		   struct err *err)
{
	struct search_figures figures;
	json_t *reasons = json_array(), *before;
	int64_t waiting = 0, documents = t->documents;
	int r = search_index_figures(x->options.index, t->number, &figures, err);

	if (r == 0)
		r = search_index_reasons(x->options.index, t->number, SEARCH_REASONS_MAX,
					 add_reason, reasons, err);
	if (r == 0)
		r = sync_reader_waiting(x->reader, t->name, &waiting, err);
	if (r == 0 && wants_count)
		r = maria_count_rows(sync_reader_maria(x->reader),
				     mapping_root_table(t->rules->mapping), &documents, err);
	if (r < 0) { /* what was known is better than nothing */
		json_decref(reasons);
		return r;
	}
	pthread_mutex_lock(&x->mutex);
	before = t->reasons;
	t->reasons = reasons;
	t->figures = figures;
	t->waiting = waiting;
	t->documents = documents;
	pthread_mutex_unlock(&x->mutex);
	json_decref(before);
	if (!atomic_load(&x->is_serving))
		return 0;
	metric_set(t->m_documents, documents);
	metric_set(t->m_vectors, (int64_t)figures.vectors);
	metric_set(t->m_waiting, waiting);
	metric_set(t->m_aside, figures.errors);
	return 0;
}

static int measure_all(struct search_indexer *x, bool wants_count, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < x->n && r == 0; i++) {
		if (x->targets[i].rules)
			r = measure(x, &x->targets[i], wants_count, err);
	}
	return r;
}

/* --- scans ----------------------------------------------------------------------------------- */

/* Takes a request; what is asked for from now on is another one. */
static bool take_request(struct search_indexer *x, struct search_target *t)
{
	bool is_asked;

	pthread_mutex_lock(&x->mutex);
	is_asked = t->rules && t->wants_rebuild;
	if (is_asked)
		t->wants_rebuild = false;
	pthread_mutex_unlock(&x->mutex);
	return is_asked;
}

static int begin_rebuild(struct search_indexer *x, struct search_target *t, int r, struct err *err)
{
	_cleanup_(mem_freep) char *meta = rebuild_meta(t->name);

	pthread_mutex_lock(&x->mutex);
	if (r == 0)
		r = search_index_rebuild(x->options.index, t->number, err);
	if (r == 0 && !t->wants_rebuild)
		r = search_index_set(x->options.index, meta, false, err);
	t->wants_rebuild |= r < 0;
	t->scan_started_us = 0;
	t->figures.phase = SEARCH_PHASE_PAGES;
	t->figures.done = 0;
	pthread_mutex_unlock(&x->mutex);
	return r;
}

/*
 * Who asks for a rebuild may have changed the rules. When they cannot be read, nothing is wanted
 * any more until they can: without `is_loaded` no round gets as far as the hand-off, whose rows
 * would be dropped.
 */
static int take_requests(struct search_indexer *x, struct pace *p, struct err *err)
{
	bool is_read = false;
	int r = 0;

	for (size_t i = 0; i < x->n && r == 0; i++) {
		struct search_target *t = &x->targets[i];

		if (!take_request(x, t))
			continue;
		if (!is_read) {
			r = load_rules(x, err);
			p->is_loaded = r == 0;
			is_read = true;
		}
		r = begin_rebuild(x, t, r, err);
	}
	return r;
}

static void note_scan(struct search_indexer *x, struct search_target *t,
		      const struct search_scan *scan)
{
	pthread_mutex_lock(&x->mutex);
	if (!t->scan_started_us) { /* the rate is that of this run */
		t->scan_started_us = clock_monotonic_us();
		t->scan_done = scan->done;
	}
	t->figures.phase = scan->phase;
	t->figures.done = scan->done;
	pthread_mutex_unlock(&x->mutex);
}

static int scan_page(struct search_indexer *x, struct search_target *t, struct arena *arena,
		     const struct search_scan *scan, struct err *err)
{
	const struct mapping *m = t->rules->mapping;
	struct mapping_keys keys = {0};
	struct str last = {"", 0};
	int r = sync_reader_page(x->reader, m, scan->cursor, x->options.batch, arena, &keys, err);

	if (r == 0)
		r = sync_reader_read(x->reader, m, keys.items, keys.len, err);
	if (r == 0) {
		if (keys.len)
			last = keys.items[keys.len - 1];
		r = search_index_scan_advance(x->options.index, t->number, last, keys.len, err);
	}
	mapping_keys_done(&keys);
	return r;
}

static int sweep_page(struct search_indexer *x, struct search_target *t, struct arena *arena,
		      struct err *err)
{
	struct search_keys keys = {.arena = arena, .limit = x->options.batch};
	int r;

	keys.items = arena_alloc(arena, keys.limit * sizeof(*keys.items));
	r = search_index_unseen(x->options.index, t->number, &keys, err);
	if (r == 0 && keys.n)
		return sync_reader_read(x->reader, t->rules->mapping, keys.items, keys.n, err);
	if (r == 0)
		r = search_index_scan_end(x->options.index, t->number, err);
	pthread_mutex_lock(&x->mutex);
	t->scan_started_us = 0;
	pthread_mutex_unlock(&x->mutex);
	return r;
}

/* One that fails is told of in each round, also when it was another one's turn. */
static int scan_failure(const struct search_indexer *x, struct err *err)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct search_target *t = &x->targets[i];

		if (!t->rules || !t->scan_failed.code)
			continue;
		*err = t->scan_failed;
		return -(int)err->code;
	}
	return 0;
}

/* A page of the next collection that is being scanned: a small one need not wait for a large one,
 * nor a sound one for one that fails. */
static int scan_step(struct search_indexer *x, bool *ret_worked, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};

	for (size_t i = 0; i < x->n; i++) {
		struct search_target *t = &x->targets[x->next_scan++ % x->n];
		struct search_scan scan;
		int r;

		if (!t->rules)
			continue;
		search_index_scan(x->options.index, t->number, &scan);
		if (scan.phase == SEARCH_PHASE_LIVE)
			continue;
		note_scan(x, t, &scan);
		/* The cursor lives until the scan moves. */
		r = scan.phase == SEARCH_PHASE_PAGES ? scan_page(x, t, &arena, &scan, err)
						     : sweep_page(x, t, &arena, err);
		t->scan_failed = r < 0 ? *err : (struct err){0};
		*ret_worked = r == 0;
		if (r == 0)
			break;
	}
	return scan_failure(x, err);
}

/* Documents that were set aside and are due again. */
static int retry_step(struct search_indexer *x, bool *ret_worked, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_keys keys = {.arena = &arena, .limit = x->options.batch};
	int r = 0;

	keys.items = arena_alloc(&arena, keys.limit * sizeof(*keys.items));
	for (size_t i = 0; i < x->n && r == 0; i++) {
		struct search_target *t = &x->targets[i];

		if (!t->rules)
			continue;
		r = search_index_due(x->options.index, t->number, clock_wall_us(), &keys, err);
		if (r == 0 && keys.n) {
			*ret_worked = true;
			r = sync_reader_read(x->reader, t->rules->mapping, keys.items, keys.n, err);
		}
	}
	return r;
}

/* --- rounds ---------------------------------------------------------------------------------- */

static bool is_due(int64_t *next_us, int64_t period_us)
{
	int64_t now = clock_monotonic_us();

	if (now < *next_us)
		return false;
	*next_us = now + period_us;
	return true;
}

/* Now and then, and at once when another list says who is to stay. */
static int prune(struct search_indexer *x, struct pace *p, struct err *err)
{
	const char *const *keep = atomic_load(&x->consumers);
	int r = 0;

	if (is_due(&p->next_prune_us, PRUNE_US) || keep != p->pruned_for)
		r = sync_consumer_prune(sync_reader_maria(x->reader), SEARCH_CONSUMER_KIND,
					x->options.consumer_prefix, keep, err);
	p->pruned_for = keep;
	if (r == 0 || sync_reader_is_lost(x->reader))
		return r;
	logger_error(LOGGER_INFO, "index", "former consumers stay a while longer", err);
	err_clear(err);
	return 0;
}

static int prepare(struct search_indexer *x, struct pace *p, struct err *err)
{
	bool is_changed = false;
	int r = sync_reader_connect(x->reader, &is_changed, err);

	if (is_changed || x->is_renumbered)
		p->is_loaded = false; /* also when registering failed behind it */
	x->is_renumbered = false;
	if (r == 0 && !p->is_loaded) {
		r = load_rules(x, err);
		p->is_loaded = r == 0;
		p->next_count_us = 0;
	}
	return r == 0 ? prune(x, p, err) : r;
}

/* What status shows. Counting a large table takes a while, so it is done the more rarely. */
static int measure_now(struct search_indexer *x, struct pace *p, struct err *err)
{
	int64_t since = clock_monotonic_us(), took_us;
	bool wants_count = since >= p->next_count_us;
	int r = measure_all(x, wants_count, err);

	took_us = clock_monotonic_us() - since;
	p->rest_until_us = since + took_us * FIGURE_SHARE;
	if (wants_count)
		p->next_count_us = since + FIGURES_US + took_us * COUNT_SHARE;
	return r;
}

/* Idle, or when the last figures are old; never back to back, as large tables make them slow. */
static bool is_time_for_figures(struct pace *p, bool worked)
{
	p->is_stale = clock_monotonic_us() < p->rest_until_us;
	return !p->is_stale && (!worked || is_due(&p->next_figures_us, FIGURES_US));
}

static int64_t idle_ms(const struct pace *p)
{
	int64_t ms = (p->rest_until_us - clock_monotonic_us()) / 1000 + 1;

	return p->is_stale && ms < LOOK_MS ? (ms > 0 ? ms : 1) : LOOK_MS;
}

/* All documents are in: no scan runs, and the hand-off is behind by less than a page. It is never
 * empty where somebody always writes. */
static void note_built(struct search_indexer *x, bool scanned, size_t handed_off)
{
	if (x->is_built || scanned || handed_off >= x->options.batch || !x->n)
		return;
	x->is_built = true;
	if (x->options.on_built)
		x->options.on_built(x->options.arg);
}

static int compact_step(struct search_indexer *x, struct pace *p, struct err *err)
{
	if (atomic_exchange(&x->wants_forget, false) ||
	    is_due(&p->next_compact_us, x->options.forget_ms * 1000))
		return search_index_compact(x->options.index, err);
	return 0;
}

static int round_once(struct search_indexer *x, struct pace *p, bool *ret_worked, struct err *err)
{
	bool scanned = false, retried = false;
	struct err why = {0};
	size_t n = 0;
	int r;

	if (!search_words_wait(x->options.words, PAUSE_MIN_MS)) {
		*ret_worked = true; /* looked at again at once, and nothing is wrong */
		return 0;
	}
	r = prepare(x, p, err);
	err_clear(&x->refusal);
	if (r == 0)
		r = take_requests(x, p, err);
	if (r < 0)
		return r;
	/* What fails here may concern one collection: the others go on. */
	r = err_first(r, sync_reader_step(x->reader, &n, &why), &why, err);
	p->is_handoff_stuck = r < 0;
	if (!sync_reader_is_lost(x->reader))
		r = err_first(r, scan_step(x, &scanned, &why), &why, err);
	if (r == 0 && ((!n && !scanned) || is_due(&p->next_retry_us, RETRY_US)))
		r = retry_step(x, &retried, err);
	*ret_worked = n || scanned || retried;
	r = err_first(r, compact_step(x, p, &why), &why, err);
	if (r == 0 && is_time_for_figures(p, *ret_worked))
		r = measure_now(x, p, err);
	if (r == 0)
		note_built(x, scanned, n);
	return r;
}

/* While indexing waits, what waits for it goes on growing: that is what somebody must see. */
static void measure_failed(struct search_indexer *x, struct pace *p)
{
	struct err unused = {0};

	if (p->is_loaded && !sync_reader_is_lost(x->reader) && is_time_for_figures(p, false))
		(void)(measure_now(x, p, &unused) < 0);
}

/* What status shows; said once in the log when it begins and when it ends. */
static void note_result(struct search_indexer *x, int r, const struct err *err)
{
	bool is_news;

	pthread_mutex_lock(&x->mutex);
	is_news = (x->failed != 0) != (r < 0) || (r < 0 && !cstr_equal(x->error, err->message));
	x->failed = (enum err_code) - r;
	memcpy(x->error, err->message, sizeof(x->error));
	memcpy(x->hint, err->hint, sizeof(x->hint));
	pthread_mutex_unlock(&x->mutex);
	if (is_news && r < 0)
		logger_error(LOGGER_WARN, "index", "indexing waits; trying again", err);
	else if (is_news)
		logger_event(LOGGER_INFO, "index", "indexing goes on", NULL);
}

static void pause_for(struct search_indexer *x, int64_t ms)
{
	int64_t until = clock_monotonic_us() + ms * 1000;

	pthread_mutex_lock(&x->mutex);
	while (!atomic_load(&x->stop)) {
		if (!clock_cond_wait(&x->stopping, &x->mutex, until))
			break;
	}
	pthread_mutex_unlock(&x->mutex);
}

static void pause_longer(struct search_indexer *x, struct pace *p)
{
	pause_for(x, p->pause_ms);
	p->pause_ms = p->pause_ms * 2 < PAUSE_MAX_MS ? p->pause_ms * 2 : PAUSE_MAX_MS;
}

static void *indexer_main(void *arg)
{
	struct search_indexer *x = arg;
	struct pace p = {.pause_ms = PAUSE_MIN_MS,
			 .next_compact_us = clock_monotonic_us() + x->options.forget_ms * 1000};

	while (!atomic_load(&x->stop)) {
		struct err err = {0};
		bool worked = false;
		int r;

		atomic_store(&x->round_since_us, clock_monotonic_us());
		r = round_once(x, &p, &worked, &err);
		atomic_store(&x->round_since_us, 0);
		note_result(x, r, &err);
		if (r < 0) {
			measure_failed(x, &p);
			if (!worked || x->refusal.code) {
				pause_longer(x, &p);
				continue;
			}
			p.pause_ms = PAUSE_MIN_MS;
			if (p.is_handoff_stuck) /* what is stuck is not read again at once */
				pause_for(x, PAUSE_MIN_MS);
			continue;
		}
		p.pause_ms = PAUSE_MIN_MS;
		if (!worked && !atomic_load(&x->stop))
			sync_reader_wait(x->reader, idle_ms(&p));
	}
	pthread_mutex_lock(&x->mutex);
	x->has_ended = true;
	pthread_cond_broadcast(&x->stopping);
	pthread_mutex_unlock(&x->mutex);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

struct search_indexer *search_indexer_new(const struct search_indexer_options *options)
{
	struct search_indexer *x = MEM_NEW(struct search_indexer);
	struct sync_reader_options reader = {
	    .maria = options->maria,
	    .mapping_dir = options->mapping_dir,
	    .consumer = options->consumer,
	    .kind = SEARCH_CONSUMER_KIND,
	    .page = options->batch,
	    .begin = begin,
	    .take = take,
	    .wants = wants,
	    .arg = x,
	};

	x->options = *options;
	x->text = (struct strbuf)STRBUF_INIT(SEARCH_TEXT_MAX);
	x->title = (struct strbuf)STRBUF_INIT(SEARCH_TITLE_MAX);
	x->reader = sync_reader_new(&reader);
	pthread_mutex_init(&x->mutex, NULL);
	clock_cond_init(&x->stopping);
	return x;
}

void search_indexer_start(struct search_indexer *x)
{
	bug_if(pthread_create(&x->thread, NULL, indexer_main, x) != 0);
}

bool search_indexer_stop(struct search_indexer *x, int64_t ms)
{
	int64_t until = clock_monotonic_us() + ms * 1000;
	bool has_ended;

	pthread_mutex_lock(&x->mutex);
	atomic_store(&x->stop, true);
	pthread_cond_broadcast(&x->stopping);
	pthread_mutex_unlock(&x->mutex);
	sync_reader_wake(x->reader);
	pthread_mutex_lock(&x->mutex);
	while (!x->has_ended && clock_cond_wait(&x->stopping, &x->mutex, until))
		;
	has_ended = x->has_ended;
	pthread_mutex_unlock(&x->mutex);
	if (has_ended)
		pthread_join(x->thread, NULL);
	return has_ended;
}

struct search_indexer *search_indexer_free(struct search_indexer *x)
{
	if (!x)
		return NULL;
	for (size_t i = 0; i < x->n; i++) {
		json_decref(x->targets[i].reasons);
		mem_free((void *)(uintptr_t)x->targets[i].name);
	}
	sync_reader_free(x->reader);
	search_rules_free(x->rules);
	strbuf_done(&x->text);
	strbuf_done(&x->title);
	pthread_cond_destroy(&x->stopping);
	pthread_mutex_destroy(&x->mutex);
	mem_free(x);
	return NULL;
}

void search_indexer_set_role(struct search_indexer *x, bool is_serving,
			     const char *const *consumers)
{
	atomic_store(&x->consumers, consumers);
	atomic_store(&x->is_serving, is_serving);
}

void search_indexer_wake(struct search_indexer *x)
{
	sync_reader_wake(x->reader);
}

void search_indexer_offer(struct search_indexer *x, const struct mapping *m,
			  const struct mapping_document *documents, size_t n, uint64_t version)
{
	sync_reader_offer(x->reader, m, documents, n, version);
}

/* Mutex held. */
static int ask_for_rebuild(struct search_indexer *x, struct search_target *t, struct err *err)
{
	_cleanup_(mem_freep) char *meta = rebuild_meta(t->name);
	int r = search_index_set(x->options.index, meta, true, err);

	if (r == 0)
		t->wants_rebuild = true;
	return r;
}

void search_indexer_forget(struct search_indexer *x)
{
	atomic_store(&x->wants_forget, true);
	sync_reader_wake(x->reader);
}

int search_indexer_rebuild(struct search_indexer *x, const char *collection, struct err *err)
{
	size_t n = 0;
	int r = 0;

	pthread_mutex_lock(&x->mutex);
	for (size_t i = 0; i < x->n && r == 0; i++) {
		struct search_target *t = &x->targets[i];

		if (!t->rules || (collection && !cstr_equal(t->name, collection)))
			continue;
		r = ask_for_rebuild(x, t, err);
		n++;
	}
	pthread_mutex_unlock(&x->mutex);
	if (r < 0)
		return r;
	if (!n && collection)
		return err_set(err, ERR_NOT_FOUND, "the collection \"%s\" is not indexed",
			       collection);
	if (!n)
		return err_set(err, ERR_UNAVAILABLE, "no collection is indexed yet");
	sync_reader_wake(x->reader);
	return 0;
}

bool search_indexer_is_live(struct search_indexer *x, const char *collection)
{
	struct search_figures figures;
	bool is_known = false;
	size_t number = 0;

	pthread_mutex_lock(&x->mutex);
	for (size_t i = 0; i < x->n && !x->failed; i++) {
		const struct search_target *t = &x->targets[i];

		if (!t->rules || t->wants_rebuild || !cstr_equal(t->name, collection))
			continue;
		number = t->number;
		is_known = true;
	}
	pthread_mutex_unlock(&x->mutex);
	return is_known && search_index_figures(x->options.index, number, &figures, NULL) == 0 &&
	       figures.phase == SEARCH_PHASE_LIVE;
}

/* --- status ---------------------------------------------------------------------------------- */

static const char *state_of(const struct search_target *t)
{
	if (t->wants_rebuild || t->figures.phase != SEARCH_PHASE_LIVE)
		return "indexing";
	return t->waiting ? "catching up" : "live";
}

static double rate_of(const struct search_target *t)
{
	int64_t us = t->scan_started_us ? clock_monotonic_us() - t->scan_started_us : 0;

	return us > 0 ? (double)(t->figures.done - t->scan_done) * 1e6 / (double)us : 0;
}

static json_t *target_status(const struct search_target *t)
{
	const struct search_figures *f = &t->figures;
	json_t *o =
	    json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "collection",
		      t->name, "state", state_of(t), "documents", (json_int_t)t->documents,
		      "vectors", (json_int_t)f->vectors, "waiting", (json_int_t)t->waiting,
		      "set_aside", (json_int_t)f->errors, "left_out_pii", (json_int_t)f->pii,
		      "left_out_empty", (json_int_t)f->empty, "embedded", (json_int_t)t->embedded,
		      "memory_bytes", (json_int_t)f->memory_bytes, "mapped_bytes",
		      (json_int_t)f->mapped_bytes, "log_bytes", (json_int_t)f->log_bytes);

	if (f->checkpoint_error[0])
		json_object_set_new(o, "checkpoint_error", json_string(f->checkpoint_error));
	if (t->wants_rebuild || f->phase != SEARCH_PHASE_LIVE)
		json_object_set_new(o, "scan",
				    json_pack("{s:I, s:I, s:f}", "done",
					      (json_int_t)(t->wants_rebuild ? 0 : f->done), "total",
					      (json_int_t)t->documents, "per_second", rate_of(t)));
	json_object_set(o, "reasons", t->reasons);
	return o;
}

json_t *search_indexer_status(struct search_indexer *x)
{
	int64_t since = atomic_load(&x->round_since_us);
	double round_s = since ? (double)(clock_monotonic_us() - since) / 1e6 : 0;
	json_t *list = json_array(), *o;

	pthread_mutex_lock(&x->mutex);
	for (size_t i = 0; i < x->n; i++) {
		if (x->targets[i].rules)
			json_array_append_new(list, target_status(&x->targets[i]));
	}
	o = json_pack("{s:b, s:s?, s:s?, s:f, s:o}", "ok", x->failed == 0, "error",
		      x->failed ? x->error : NULL, "hint", x->failed && x->hint[0] ? x->hint : NULL,
		      "round_seconds", round_s, "collections", list);
	pthread_mutex_unlock(&x->mutex);
	return o;
}
