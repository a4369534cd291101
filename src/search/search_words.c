/*
 * The thread that keeps the corpora: see search_words.h.
 *
 * A round: connect and read the mappings, a page of what waits in the hand-off, a page of the scan
 * when one runs. A scan reads all documents of a collection in key order and then those that the
 * corpus has and the scan did not see; it begins anew when the process does, because documents that
 * are as they were cost no more than being read.
 *
 * Corpora of one reading of the rules stand on one shelf, which is freed when nobody uses it.
 * Another reading opens the same files: the former corpora go on answering with what they have in
 * memory, and with files that may have lost their names, and write no more.
 *
 * Lock order: `numbering`, `mutex`, then those of a corpus. The thread alone changes corpora.
 */
#include "search/search_words_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/logger.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/banned.h"

#define KIND	     "search" /* of the consumer, as that of the vectors */
#define LOOK_MS	     2000     /* for acknowledgements of other processes */
#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 30000
#define TIDY_MS	     60000 /* at most: what was replaced also takes room */
#define COUNT_US     1000000

/* --- opening --------------------------------------------------------------------------------- */

static bool is_chosen(const struct search_words *w, const char *name)
{
	const char *const *list = w->options.collections;

	for (; list && *list; list++) {
		if (cstr_equal(*list, name))
			return true;
	}
	return !list;
}

/* A file that is damaged is removed: the documents are read again. */
static int open_corpus(struct search_words *w, const struct search_collection *rules, uint64_t hash,
		       struct search_corpus **ret, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s.records", w->options.dir, rules->name);
	struct search_corpus_options options = {
	    .path = path, .rules = rules, .hash = hash, .language = SEARCH_LANGUAGE};
	int r = search_corpus_open(&options, ret, err);

	if (r != -ERR_CORRUPTED)
		return r;
	logger_error(LOGGER_WARN, "index", "damaged records are removed and read again", err);
	err_clear(err);
	(void)unlink(path);
	return search_corpus_open(&options, ret, err);
}

static char *scan_path(const struct search_words *w)
{
	return mem_printf("%s/scan", w->options.dir);
}

/* Durable: whatever happens next, all documents will be read. */
static int ask_for_scan(struct search_words *w, struct err *err)
{
	_cleanup_(mem_freep) char *path = scan_path(w);

	return file_exists(path) ? 0 : file_write_atomic(path, "all\n", 4, 0600, err);
}

static void start_scan(struct search_words *w, struct search_book *b)
{
	search_corpus_scan_begin(b->corpus);
	strbuf_clear(&b->cursor);
	pthread_mutex_lock(&w->mutex);
	b->phase = SEARCH_PHASE_PAGES;
	b->done = b->documents = 0;
	b->since_us = clock_monotonic_us();
	pthread_mutex_unlock(&w->mutex);
	w->has_scan = true;
}

static void make_metrics(struct search_book *b)
{
	const char *name = b->rules->name;

	b->m_documents =
	    metric_series(METRIC_GAUGE, "aethermart_words_documents",
			  "Documents that are found by their words.", "collection", name);
	b->m_waiting = metric_series(METRIC_GAUGE, "aethermart_words_waiting",
				     "Changed documents that wait in the hand-off for the words.",
				     "collection", name);
	b->m_refused = metric_series(METRIC_COUNTER, "aethermart_words_refused_total",
				     "Times a document could not be indexed by its words.",
				     "collection", name);
}

static int fill_shelf(struct search_words *w, struct search_shelf *s, struct err *err)
{
	_cleanup_(mem_freep) char *path = scan_path(w);
	const struct search_collection *list;
	size_t n = search_rules_collections(s->rules, &list);
	int r = 0;

	for (size_t i = 0; i < n && r == 0 && s->n < SEARCH_COLLECTIONS_MAX; i++) {
		struct search_book *b = &s->books[s->n];

		if (!list[i].mapping || !is_chosen(w, list[i].name))
			continue;
		b->rules = &list[i];
		b->mapping = list[i].mapping;
		make_metrics(b);
		b->cursor = (struct strbuf)STRBUF_INIT(MAPPING_KEY_MAX);
		r = open_corpus(w, b->rules, s->hash, &b->corpus, err);
		s->n += r == 0;
		if (r == 0 && search_corpus_is_stale(b->corpus))
			r = ask_for_scan(w, err);
	}
	s->is_whole = !file_exists(path);
	for (size_t i = 0; i < s->n && !s->is_whole; i++)
		start_scan(w, &s->books[i]);
	return r;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* From now on this one is kept in step; it answers at once when nothing else can. */
static void take_shelf(struct search_words *w, struct search_shelf *s)
{
	struct search_shelf *former[2] = {NULL, NULL};

	pthread_mutex_lock(&w->mutex);
	s->refs++; /* it may be the former one itself */
	former[0] = search_shelf_unref(w->current);
	w->current = s;
	if (!w->answering || s->is_whole) {
		s->refs++;
		former[1] = search_shelf_unref(w->answering);
		w->answering = s;
	}
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	search_shelf_free(w, former[0]);
	search_shelf_free(w, former[1]);
}

static int load_thesaurus(const char *path, struct search_thesaurus **ret, struct err *err)
{
	struct search_synonyms *synonyms = NULL;
	int r = search_synonyms_load(path, SEARCH_LANGUAGE, &synonyms, err);

	if (r < 0)
		return r;
	*ret = MEM_NEW(struct search_thesaurus);
	**ret = (struct search_thesaurus){.synonyms = synonyms, .refs = 1};
	return 0;
}

/* The rules are as they were: the shelf stays, and takes the synonyms of the one that was read, and
 * the mappings. */
static void keep_shelf(struct search_words *w, struct search_shelf *s)
{
	const struct mapping_set *mappings = sync_reader_mappings(w->reader);
	struct search_thesaurus *former = w->current->thesaurus;

	for (size_t i = 0; i < w->current->n; i++) {
		struct search_book *b = &w->current->books[i];

		b->mapping = mapping_set_find(mappings, b->rules->name);
	}

	w->current->thesaurus = s->thesaurus;
	s->thesaurus = former;
	search_shelf_learn(w, w->current, true);
	search_shelf_free(w, s);
}

static void set_detached(struct search_words *w, bool value)
{
	pthread_mutex_lock(&w->mutex);
	w->is_detached = value;
	pthread_mutex_unlock(&w->mutex);
}

/* From the first file on that is opened, the corpora before may have others. */
static int change_shelf(struct search_words *w, struct search_shelf *s, struct err *err)
{
	int r;

	pthread_mutex_lock(&w->numbering);
	set_detached(w, true);
	r = fill_shelf(w, s, err);
	if (r == 0) {
		search_shelf_learn(w, s, true);
		take_shelf(w, s);
		set_detached(w, false);
		w->is_damaged = false;
	}
	pthread_mutex_unlock(&w->numbering);
	return r;
}

static bool is_as_it_was(const struct search_words *w, const struct search_shelf *s)
{
	return w->current && w->current->hash == s->hash && !w->is_detached && !w->is_damaged;
}

static int load_rules(struct search_words *w, struct err *err)
{
	struct search_shelf *s = MEM_NEW(struct search_shelf);
	const char *synonyms = w->options.synonyms_path;
	int r = search_rules_load(w->options.rules_path, &s->rules, err);

	if (r == 0 && synonyms)
		r = load_thesaurus(synonyms, &s->thesaurus, err);
	if (r == 0)
		r = search_rules_bind(s->rules, sync_reader_mappings(w->reader), err);
	if (r == 0) {
		s->hash = search_rules_hash(s->rules);
		if (is_as_it_was(w, s)) {
			keep_shelf(w, s);
			return 0;
		}
		r = change_shelf(w, s, err);
	}
	if (r < 0)
		search_shelf_free(w, s);
	return r;
}

/* --- the reader's hooks ---------------------------------------------------------------------- */

static int begin(void *arg, struct err *err)
{
	struct search_words *w = arg;
	int r = ask_for_scan(w, err);

	for (size_t i = 0; r == 0 && w->current && i < w->current->n; i++)
		start_scan(w, &w->current->books[i]);
	return r;
}

static bool wants(void *arg, const char *collection)
{
	struct search_words *w = arg;

	return search_shelf_find(w->current, collection) != NULL;
}

static void count_refused(struct search_words *w, struct search_book *b)
{
	pthread_mutex_lock(&w->mutex);
	b->refused++;
	metric_add(b->m_refused, 1);
	pthread_mutex_unlock(&w->mutex);
}

static int take_one(struct search_words *w, struct search_book *b, const struct mapping_document *d,
		    struct err *err)
{
	int r = 0;

	switch (d->state) {
	case MAPPING_PRESENT:
		r = search_corpus_put(b->corpus, d->key, d->document, err);
		break;
	case MAPPING_ABSENT:
		r = search_corpus_remove(b->corpus, d->key, err);
		break;
	case MAPPING_REFUSED: /* keeps what it had; the dead letter tells of it */
		count_refused(w, b);
		search_corpus_see(b->corpus, d->key);
		break;
	}
	if (r == -ERR_LIMIT) { /* one document's: it is not found, and the others are */
		count_refused(w, b);
		logger_error(LOGGER_WARN, "index", "a document is left out", err);
		err_clear(err);
		r = search_corpus_remove(b->corpus, d->key, err);
	}
	b->changes += r == 0;
	return r;
}

static int take(void *arg, const struct mapping *m, const struct mapping_document *documents,
		size_t n, struct err *err)
{
	struct search_words *w = arg;
	struct search_book *b = search_shelf_find(w->current, mapping_collection(m));
	int r = 0;

	for (size_t i = 0; b && i < n && r == 0; i++)
		r = take_one(w, b, &documents[i], err);
	if (b && r == 0)
		r = search_corpus_sync(b->corpus, err);
	return r;
}

/* --- scans ----------------------------------------------------------------------------------- */

static int scan_page(struct search_words *w, struct search_book *b, struct arena *arena,
		     struct err *err)
{
	const struct mapping *m = b->mapping;
	struct mapping_keys keys = {0};
	int r = sync_reader_page(w->reader, m, strbuf_slice(&b->cursor), w->options.batch, arena,
				 &keys, err);

	if (r == 0)
		r = sync_reader_read(w->reader, m, keys.items, keys.len, err);
	if (r == 0) {
		pthread_mutex_lock(&w->mutex);
		strbuf_clear(&b->cursor);
		if (keys.len)
			strbuf_add(&b->cursor, keys.items[keys.len - 1].data,
				   keys.items[keys.len - 1].len);
		else
			b->phase = SEARCH_PHASE_SWEEP;
		b->done += (int64_t)keys.len;
		pthread_mutex_unlock(&w->mutex);
	}
	mapping_keys_done(&keys);
	return r;
}

static int sweep_page(struct search_words *w, struct search_book *b, struct arena *arena,
		      struct err *err)
{
	struct str *keys = arena_alloc(arena, w->options.batch * sizeof(*keys));
	size_t n = search_corpus_unseen(b->corpus, arena, keys, w->options.batch);

	if (n)
		return sync_reader_read(w->reader, b->mapping, keys, n, err);
	pthread_mutex_lock(&w->mutex);
	b->phase = SEARCH_PHASE_LIVE;
	pthread_mutex_unlock(&w->mutex);
	return 0;
}

/* Files of collections that are not searched any more, which no erasure would reach. */
static int remove_strangers(struct search_words *w, struct search_shelf *s, struct err *err)
{
	static const char records[] = ".records", terms[] = ".records.terms";
	DIR *d = opendir(w->options.dir);
	const struct dirent *e;
	int r = 0;

	if (!d)
		return file_error("read", w->options.dir, err);
	while (r == 0 && (e = readdir(d))) {
		_cleanup_(mem_freep) char *name = mem_strdup(e->d_name);
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", w->options.dir, name);
		size_t n = strlen(name), cut = sizeof(terms) - 1;

		if (n <= cut || !cstr_equal(name + n - cut, terms))
			cut = sizeof(records) - 1;
		if (n <= cut || strncmp(name + n - cut, records, sizeof(records) - 1) != 0)
			continue;
		name[n - cut] = '\0';
		if (!search_shelf_find(s, name) && unlink(path) < 0 && errno != ENOENT)
			r = file_error("remove", path, err);
	}
	closedir(d);
	return r;
}

/* All documents are in: this shelf answers from now on. Tried again when it fails. */
static int end_scans(struct search_words *w, struct search_shelf *s, struct err *err)
{
	_cleanup_(mem_freep) char *path = scan_path(w);
	int r = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->books[i].phase != SEARCH_PHASE_LIVE)
			return 0;
	}
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = search_corpus_tidy(s->books[i].corpus, err);
	if (r == 0)
		r = remove_strangers(w, s, err);
	if (r == 0 && unlink(path) < 0 && file_exists(path))
		r = file_error("remove", path, err);
	if (r < 0)
		return r;
	search_shelf_learn(w, s, true);
	pthread_mutex_lock(&w->mutex);
	s->is_whole = true;
	pthread_mutex_unlock(&w->mutex);
	take_shelf(w, s);
	w->has_scan = false;
	return 0;
}

/* A page of the next collection: a small one need not wait for a large one, nor a sound one for one
 * that fails. */
static int scan_step(struct search_words *w, bool *ret_worked, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_shelf *s = w->current;
	int r = 0;

	for (size_t i = 0; i < s->n && !*ret_worked; i++) {
		struct search_book *b = &s->books[w->next_scan++ % s->n];

		if (b->phase == SEARCH_PHASE_LIVE)
			continue;
		*ret_worked = true;
		r = b->phase == SEARCH_PHASE_PAGES ? scan_page(w, b, &arena, err)
						   : sweep_page(w, b, &arena, err);
	}
	return r == 0 && w->has_scan ? end_scans(w, s, err) : r;
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

static int count_waiting(struct search_words *w, struct err *err)
{
	struct search_shelf *s = w->current;
	struct search_corpus_view view; /* of the thread that writes: nothing is locked */
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		struct search_book *b = &s->books[i];
		int64_t waiting = 0, documents = b->documents;

		r = sync_reader_waiting(w->reader, b->rules->name, &waiting, err);
		if (r == 0 && !documents)
			r = maria_count_rows(sync_reader_maria(w->reader),
					     mapping_root_table(b->mapping), &documents, err);
		pthread_mutex_lock(&w->mutex);
		b->waiting = waiting;
		b->documents = documents;
		pthread_mutex_unlock(&w->mutex);
		search_corpus_view(b->corpus, &view);
		metric_set(b->m_documents, view.documents);
		metric_set(b->m_waiting, waiting);
	}
	return r;
}

/* Who asks may have changed the rules. */
static int take_requests(struct search_words *w, struct err *err)
{
	bool wanted[SEARCH_COLLECTIONS_MAX], any = false;
	int r;

	pthread_mutex_lock(&w->mutex);
	memcpy(wanted, w->wants_rebuild, sizeof(wanted));
	memset(w->wants_rebuild, 0, sizeof(w->wants_rebuild));
	pthread_mutex_unlock(&w->mutex);
	for (size_t i = 0; i < SEARCH_COLLECTIONS_MAX; i++)
		any |= wanted[i];
	if (!any)
		return 0;
	r = ask_for_scan(w, err);
	if (r == 0)
		r = load_rules(w, err);
	for (size_t i = 0; i < w->current->n && r == 0; i++) {
		if (wanted[i] && w->current->books[i].phase == SEARCH_PHASE_LIVE)
			start_scan(w, &w->current->books[i]);
	}
	if (r == 0)
		return 0;
	pthread_mutex_lock(&w->mutex);
	for (size_t i = 0; i < SEARCH_COLLECTIONS_MAX; i++)
		w->wants_rebuild[i] |= wanted[i];
	pthread_mutex_unlock(&w->mutex);
	return r;
}

static int prepare(struct search_words *w, struct err *err)
{
	bool is_changed = false;
	int r = sync_reader_connect(w->reader, &is_changed, err);

	if (is_changed)
		w->is_loaded = false;
	if (r == 0 && !w->is_loaded) {
		r = load_rules(w, err);
		w->is_loaded = r == 0;
	}
	return r;
}

static int64_t tidy_us(const struct search_words *w)
{
	int64_t ms = w->options.forget_ms / 2; /* what is too young waits for the next time */

	return (ms < TIDY_MS ? ms : TIDY_MS) * 1000;
}

static int tidy(struct search_words *w, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < w->current->n && r == 0; i++)
		r = search_corpus_tidy(w->current->books[i].corpus, err);
	return r;
}

static int round_once(struct search_words *w, bool *ret_worked, struct err *err)
{
	bool scanned = false;
	struct err why = {0};
	size_t n = 0;
	int r = prepare(w, err);

	if (r < 0)
		return r;
	/* What fails here may concern one collection, or rules that were asked for: the others, and
	 * those that there are, go on. */
	r = take_requests(w, err);
	if (!w->is_detached)
		r = err_first(r, sync_reader_step(w->reader, &n, &why), &why, err);
	if (!w->is_detached && !sync_reader_is_lost(w->reader))
		r = err_first(r, scan_step(w, &scanned, &why), &why, err);
	*ret_worked = n || scanned;
	if (r == 0 && !*ret_worked) {
		search_shelf_learn(w, w->current, false);
		*ret_worked = search_shelf_suggest(w, w->current);
	}
	if (!w->is_detached && !scanned &&
	    (atomic_exchange(&w->wants_forget, false) || is_due(&w->next_tidy_us, tidy_us(w))))
		r = err_first(r, tidy(w, &why), &why, err);
	if (r == 0 && is_due(&w->next_count_us, COUNT_US))
		r = count_waiting(w, err);
	return r;
}

static void note_result(struct search_words *w, int r, const struct err *err)
{
	bool is_news;

	pthread_mutex_lock(&w->mutex);
	is_news = (w->failed != 0) != (r < 0) || (r < 0 && !cstr_equal(w->error, err->message));
	w->failed = (enum err_code) - r;
	pthread_cond_broadcast(&w->changed);
	memcpy(w->error, err->message, sizeof(w->error));
	memcpy(w->hint, err->hint, sizeof(w->hint));
	pthread_mutex_unlock(&w->mutex);
	if (is_news && r < 0)
		logger_error(LOGGER_WARN, "index", "indexing words waits; trying again", err);
	else if (is_news)
		logger_event(LOGGER_INFO, "index", "indexing words goes on", NULL);
}

/* What is read of a file that was whole when it was opened must be as it was written. */
static void note_damage(struct search_words *w, int r)
{
	if (r != -ERR_CORRUPTED || !w->current)
		return;
	w->is_damaged = true;
	w->is_loaded = false;
}

/* While indexing waits, what waits for it goes on growing: that is what somebody must see. */
static void count_failed(struct search_words *w)
{
	struct err unused = {0};

	if (w->is_loaded && !sync_reader_is_lost(w->reader) && is_due(&w->next_count_us, COUNT_US))
		(void)(count_waiting(w, &unused) < 0);
}

/* A moment at least, then until something is acknowledged: what was away may be there again. */
static void pause_longer(struct search_words *w)
{
	int64_t until = clock_monotonic_us() + (int64_t)PAUSE_MIN_MS * 1000;

	pthread_mutex_lock(&w->mutex);
	while (!atomic_load(&w->stop)) {
		if (!clock_cond_wait(&w->changed, &w->mutex, until))
			break;
	}
	pthread_mutex_unlock(&w->mutex);
	if (!atomic_load(&w->stop))
		sync_reader_wait(w->reader, w->pause_ms - PAUSE_MIN_MS);
	w->pause_ms = w->pause_ms * 2 < PAUSE_MAX_MS ? w->pause_ms * 2 : PAUSE_MAX_MS;
}

static void *words_main(void *arg)
{
	struct search_words *w = arg;

	w->next_tidy_us = clock_monotonic_us() + tidy_us(w);
	w->pause_ms = PAUSE_MIN_MS;
	while (!atomic_load(&w->stop)) {
		struct err err = {0};
		bool worked = false;
		int r = round_once(w, &worked, &err);

		note_result(w, r, &err);
		if (r < 0) {
			note_damage(w, r);
			count_failed(w);
			pause_longer(w);
			continue;
		}
		w->pause_ms = PAUSE_MIN_MS;
		if (!worked && !atomic_load(&w->stop))
			sync_reader_wait(w->reader, LOOK_MS);
	}
	pthread_mutex_lock(&w->mutex);
	w->has_ended = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

struct search_words *search_words_new(const struct search_words_options *options)
{
	struct search_words *w = MEM_NEW(struct search_words);
	struct sync_reader_options reader = {
	    .maria = options->maria,
	    .mapping_dir = options->mapping_dir,
	    .consumer = options->consumer,
	    .kind = KIND,
	    .page = options->batch,
	    .begin = begin,
	    .take = take,
	    .wants = wants,
	    .arg = w,
	};

	w->options = *options;
	w->reader = sync_reader_new(&reader);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_mutex_init(&w->numbering, NULL);
	clock_cond_init(&w->changed);
	return w;
}

void search_words_start(struct search_words *w)
{
	bug_if(pthread_create(&w->thread, NULL, words_main, w) != 0);
}

bool search_words_stop(struct search_words *w, int64_t ms)
{
	int64_t until = clock_monotonic_us() + ms * 1000;
	bool has_ended;

	pthread_mutex_lock(&w->mutex);
	atomic_store(&w->stop, true);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	sync_reader_wake(w->reader);
	pthread_mutex_lock(&w->mutex);
	while (!w->has_ended && clock_cond_wait(&w->changed, &w->mutex, until))
		;
	has_ended = w->has_ended;
	pthread_mutex_unlock(&w->mutex);
	if (has_ended)
		pthread_join(w->thread, NULL);
	return has_ended;
}

struct search_words *search_words_free(struct search_words *w)
{
	struct search_shelf *former[2];

	if (!w)
		return NULL;
	former[0] = search_shelf_unref(w->current);
	former[1] = search_shelf_unref(w->answering);
	search_shelf_free(w, former[0]);
	search_shelf_free(w, former[1]);
	sync_reader_free(w->reader);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->mutex);
	pthread_mutex_destroy(&w->numbering);
	mem_free(w);
	return NULL;
}

bool search_words_wait(struct search_words *w, int64_t ms)
{
	int64_t until = clock_monotonic_us() + ms * 1000;
	bool is_known;

	pthread_mutex_lock(&w->mutex);
	while (!w->current && !w->failed && !atomic_load(&w->stop) &&
	       clock_cond_wait(&w->changed, &w->mutex, until))
		;
	is_known = w->current || w->failed;
	pthread_mutex_unlock(&w->mutex);
	return is_known;
}

void search_words_wake(struct search_words *w)
{
	sync_reader_wake(w->reader);
}

void search_words_offer(struct search_words *w, const struct mapping *m,
			const struct mapping_document *documents, size_t n, uint64_t version)
{
	sync_reader_offer(w->reader, m, documents, n, version);
}

void search_words_forget(struct search_words *w)
{
	atomic_store(&w->wants_forget, true);
	sync_reader_wake(w->reader);
}

int search_words_rebuild(struct search_words *w, const char *collection, struct err *err)
{
	size_t n = 0;
	bool is_there;

	pthread_mutex_lock(&w->mutex);
	is_there = w->current != NULL;
	for (size_t i = 0; is_there && i < w->current->n; i++) {
		if (collection && !cstr_equal(w->current->books[i].rules->name, collection))
			continue;
		w->wants_rebuild[i] = true;
		n++;
	}
	pthread_mutex_unlock(&w->mutex);
	if (!is_there)
		return err_set(err, ERR_UNAVAILABLE, "no collection is indexed yet");
	if (!n)
		return err_set(err, ERR_NOT_FOUND, "the collection \"%s\" is not indexed",
			       collection ? collection : "");
	sync_reader_wake(w->reader);
	return 0;
}
