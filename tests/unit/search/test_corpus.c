/* A corpus beside one that is made fresh from the same documents: whatever happened to it, what
 * queries see is the same. And threads that read and ask for numbers while it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "corpus_fixture.h"
#include "search/search_corpus.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/banned.h"

#define KEYS   200
#define HASH   7
#define WORDS  90  /* of the texts */
#define SPREAD 997 /* kinds of documents */

static const char rules_text[] = "collections:\n"
				 "  c:\n"
				 "    title: name\n"
				 "    texts: [{parts: [{say: x}]}]\n"
				 "    fields:\n"
				 "      name: {weight: 8, b: 0.5, parts: [{field: name}]}\n"
				 "      about: {parts: [{field: about}]}\n"
				 "    attributes:\n"
				 "      price: {field: price, type: number}\n"
				 "      brand: {field: brand, type: text}\n"
				 "      in_stock: {field: stock, type: boolean, above: 0}\n"
				 "      specs: {pairs: specs}\n";

static const char *const filters[] = {"price<30",	"price=30..60",	 "price!>50",
				      "brand=brand3",	"brand!=brand1", "in_stock=true",
				      "specs.cores>=4", "specs.cores=2", "specs.kind=kind2"};

static struct fixture {
	struct corpus_fixture of;
	char *path;
	struct search_corpus *corpus;
	uint32_t kinds[KEYS]; /* of each key's document; 0: none */
	uint64_t seed;
} f;

static int open_dir(void **state)
{
	(void)state;
	f = (struct fixture){.seed = 1};
	corpus_fixture_start(&f.of, rules_text);
	f.path = mem_printf("%s/a.records", f.of.dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	search_corpus_free(f.corpus);
	mem_free(f.path);
	return corpus_fixture_end(&f.of);
}

static uint32_t next(uint32_t below)
{
	f.seed = f.seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(f.seed >> 33) % below;
}

static uint32_t mix(uint32_t i)
{
	i = (i ^ i >> 16) * 0x45d9f3bU;
	i = (i ^ i >> 16) * 0x45d9f3bU;
	return i ^ i >> 16;
}

static void reopen(uint64_t hash)
{
	f.corpus = search_corpus_free(f.corpus);
	f.corpus = corpus_fixture_open(&f.of, "a.records", hash);
}

/* --- documents ------------------------------------------------------------------------------- */

/* Each kind is another document. Every third differs from the one before in numbers only. */
static bson_t *document(uint32_t kind)
{
	uint32_t words = kind - kind % 3 + 1, n = 1 + mix(words) % 12;
	struct strbuf about = STRBUF_INIT(0);
	bson_t *b = bson_new(), specs;
	char text[64];

	for (uint32_t i = 0; i < n; i++)
		strbuf_addf(&about, "word%c%c ", (char)('a' + mix(words + i) % WORDS / 10),
			    (char)('a' + mix(words + i) % 10));
	(void)snprintf(text, sizeof(text), "Thing number-%u RTX%u wi-fi", words % 7, words % 5);
	BSON_APPEND_UTF8(b, "name", text);
	BSON_APPEND_UTF8(b, "about", strbuf_str(&about));
	BSON_APPEND_DOUBLE(b, "price", mix(kind) % 80 + 0.5);
	(void)snprintf(text, sizeof(text), "brand%u", mix(kind + 1) % 5);
	if (mix(kind) % 6)
		BSON_APPEND_UTF8(b, "brand", text);
	BSON_APPEND_INT32(b, "stock", (int32_t)(mix(kind + 2) % 2));
	BSON_APPEND_DOCUMENT_BEGIN(b, "specs", &specs);
	BSON_APPEND_INT32(&specs, "cores", (int32_t)(1 << mix(kind) % 4));
	(void)snprintf(text, sizeof(text), "kind%u", mix(kind + 3) % 4);
	BSON_APPEND_UTF8(&specs, "kind", text);
	bson_append_document_end(b, &specs);
	strbuf_done(&about);
	return b;
}

static struct str key_of(uint32_t key, char *buf, size_t size)
{
	int n = snprintf(buf, size, "key %03u", key);

	return (struct str){buf, (size_t)n};
}

static int try_put(struct search_corpus *c, uint32_t key, uint32_t kind)
{
	bson_t *b = document(kind);
	struct err err = {0};
	char buf[16];
	int r = search_corpus_put(c, key_of(key, buf, sizeof(buf)), b, &err);

	bson_destroy(b);
	return r;
}

static void put(uint32_t key, uint32_t kind)
{
	assert_int_equal(try_put(f.corpus, key, kind), 0);
	f.kinds[key] = kind;
}

static void drop(uint32_t key)
{
	char buf[16];

	assert_int_equal(search_corpus_remove(f.corpus, key_of(key, buf, sizeof(buf)), NULL), 0);
	f.kinds[key] = 0;
}

/* Documents come, change, go. */
static void stir(size_t times)
{
	for (size_t i = 0; i < times; i++) {
		uint32_t key = next(KEYS);

		switch (next(6)) {
		case 0:
			drop(key);
			break;
		case 1: /* numbers only */
			put(key, f.kinds[key] ? f.kinds[key] - f.kinds[key] % 3 + 1 + next(2)
					      : 1 + next(SPREAD));
			break;
		default:
			put(key, 1 + next(SPREAD));
		}
	}
}

static void sync_corpus(void)
{
	assert_int_equal(search_corpus_sync(f.corpus, NULL), 0);
}

/* --- what queries see ------------------------------------------------------------------------ */

struct lines {
	struct arena arena;
	const char **items;
	size_t n, cap;
	bool has_scores;
};

static void add_line(struct lines *l, const char *text)
{
	mem_grow(&l->items, &l->cap, l->n + 1, sizeof(*l->items));
	l->items[l->n++] = text;
}

static void see_records(struct lines *l, const struct search_corpus *c,
			const struct search_corpus_view *v)
{
	for (uint32_t i = 0; i < v->words * 64; i++) {
		struct strbuf b = STRBUF_INIT(0);
		struct search_record r;

		if (!(v->live[i / 64] >> (i % 64) & 1))
			continue;
		assert_int_equal(search_corpus_record(c, i, &l->arena, &r, NULL), 0);
		strbuf_addf(&b, "record %.*s: %.*s|%.*s|", STR_ARGS(search_corpus_key(c, i)),
			    STR_ARGS(r.title), STR_ARGS(r.texts[1]));
		for (size_t k = 0; k < r.n_data; k++)
			strbuf_addf(&b, "%u %.*s %g %.*s|", r.data[k].attribute,
				    STR_ARGS(r.data[k].member), r.data[k].number,
				    STR_ARGS(r.data[k].text));
		add_line(l, arena_strdup(&l->arena, strbuf_str(&b)));
		strbuf_done(&b);
	}
}

static void see_term(struct lines *l, const struct search_corpus *c,
		     const struct search_corpus_view *v, uint32_t term)
{
	const struct search_variant variant = {.terms = &term, .n = 1, .weight = 1};
	const struct search_clause clause = {.variants = &variant, .n = 1, .weight = 1};
	const struct search_scoring s = {
	    .clauses = &clause, .n = 1, .documents = v->documents, .title = 1};
	static struct search_window w;
	struct search_walk *walk = search_walk_new(v->lexical, &s, &l->arena);
	struct str text = search_terms_text(v->terms, term);
	uint32_t n = 0;

	memset(w.any, 0, sizeof(w.any));
	if (search_walk_next(walk, 0) == 0)
		search_walk_score(walk, 0, UINT64_MAX, &w);
	for (uint32_t i = 0; i < SEARCH_WINDOW && i < v->words * 64; i++) {
		if (!(w.any[i / 64] >> (i % 64) & 1))
			continue;
		assert_true(v->live[i / 64] >> (i % 64) & 1);
		add_line(l, arena_printf(&l->arena, "term %.*s in %.*s: %.6f %.6f", STR_ARGS(text),
					 STR_ARGS(search_corpus_key(c, i)),
					 l->has_scores ? (double)w.at[i].score : 0,
					 (double)w.at[i].titled));
		n++;
	}
	assert_int_equal(n, search_lexical_documents(v->lexical, term));
}

static void see_filter(struct lines *l, const struct search_corpus *c,
		       const struct search_corpus_view *v, const char *text)
{
	uint64_t *bits = arena_alloc(&l->arena, (v->words + 1) * sizeof(*bits));
	struct search_filter filter = {0};
	struct err err = {0};

	if (v->words)
		memcpy(bits, v->live, v->words * sizeof(*bits));
	assert_int_equal(search_filter_parse(str_from(text), &l->arena, &filter, NULL), 0);
	if (search_columns_filter(v->columns, &filter, bits, v->words, &err) < 0) {
		assert_int_equal(v->documents, 0); /* then members are not known */
		return;
	}
	for (uint32_t i = 0; i < v->words * 64; i++) {
		if (bits[i / 64] >> (i % 64) & 1)
			add_line(l, arena_printf(&l->arena, "%s: %.*s", text,
						 STR_ARGS(search_corpus_key(c, i))));
	}
}

static void see_value(void *arg, const char *value, uint32_t documents)
{
	struct lines *l = arg;

	add_line(l, arena_printf(&l->arena, "value %s: %u", value, documents));
}

static void see_order(struct lines *l, const struct search_corpus *c,
		      const struct search_corpus_view *v)
{
	const struct search_order order = {"price", true};
	const struct search_sort_keys *keys = NULL;

	assert_int_equal(search_sort_keys_new(v->columns, &order, &l->arena, &keys, NULL), 0);
	for (uint32_t i = 0; i < v->words * 64; i++) {
		if (v->live[i / 64] >> (i % 64) & 1)
			add_line(l, arena_printf(&l->arena, "price of %.*s: %g",
						 STR_ARGS(search_corpus_key(c, i)),
						 search_sort_key(keys, i)));
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void see(struct lines *l, struct search_corpus *c, bool has_scores)
{
	struct search_corpus_view v;

	*l = (struct lines){.has_scores = has_scores};
	search_corpus_lock(c);
	search_corpus_view(c, &v);
	add_line(l, arena_printf(&l->arena, "documents: %u", v.documents));
	see_records(l, c, &v);
	for (uint32_t t = 0; t < search_terms_count(v.terms); t++)
		see_term(l, c, &v, t);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		see_filter(l, c, &v, filters[i]);
	search_columns_values(v.columns, 1, see_value, l);
	search_columns_values(v.columns, 2, see_value, l);
	see_order(l, c, &v);
	search_corpus_unlock(c);
	qsort(l->items, l->n, sizeof(*l->items), by_text);
}

static void forget(struct lines *l)
{
	mem_free(l->items);
	arena_done(&l->arena);
}

/* From the documents that there are, in another order, in a file of its own. */
static struct search_corpus *make_fresh(void)
{
	char *path = mem_printf("%s/fresh.records", f.of.dir);
	char *terms = mem_printf("%s.terms", path);
	struct search_corpus *c;

	(void)unlink(path);
	(void)unlink(terms);
	c = corpus_fixture_open(&f.of, "fresh.records", HASH);
	for (uint32_t key = KEYS; key-- > 0;) {
		if (f.kinds[key])
			assert_int_equal(try_put(c, key, f.kinds[key]), 0);
	}
	assert_int_equal(search_corpus_reweigh(c, NULL), 0);
	mem_free(path);
	mem_free(terms);
	return c;
}

static void check_equal(struct search_corpus *a, struct search_corpus *b, bool has_scores)
{
	struct lines x, y;

	see(&x, a, has_scores);
	see(&y, b, has_scores);
	for (size_t i = 0; i < x.n && i < y.n; i++) {
		if (!cstr_equal(x.items[i], y.items[i]))
			fail_msg("line %zu: \"%s\" instead of \"%s\"", i, x.items[i], y.items[i]);
	}
	assert_int_equal(x.n, y.n);
	forget(&x);
	forget(&y);
}

static void check_as_fresh(void)
{
	struct search_corpus *fresh = make_fresh();

	check_equal(f.corpus, fresh, true);
	search_corpus_free(fresh);
}

/* Scores are compared when both are weighed by the averages that there are now. */
static void check_changed(void)
{
	struct search_corpus *fresh = make_fresh();

	check_equal(f.corpus, fresh, false);
	assert_int_equal(search_corpus_reweigh(f.corpus, NULL), 0);
	check_equal(f.corpus, fresh, true);
	search_corpus_free(fresh);
}

/* --- changing -------------------------------------------------------------------------------- */

static void changes_leave_what_a_fresh_one_has(void **state)
{
	(void)state;
	reopen(HASH);
	for (int i = 0; i < 6; i++) {
		stir(200);
		check_changed();
	}
	for (uint32_t key = 0; key < KEYS; key++)
		drop(key);
	check_changed();
}

static void opening_again_changes_nothing(void **state)
{
	uint64_t space;

	(void)state;
	reopen(HASH);
	space = search_corpus_space(f.corpus);
	for (int i = 0; i < 4; i++) {
		uint32_t numbers[KEYS];
		char buf[16];

		stir(150);
		sync_corpus();
		for (uint32_t k = 0; k < KEYS; k++) {
			numbers[k] = UINT32_MAX;
			(void)search_corpus_find(f.corpus, key_of(k, buf, sizeof(buf)),
						 &numbers[k]);
		}
		reopen(HASH);
		assert_false(search_corpus_is_stale(f.corpus));
		assert_true(search_corpus_space(f.corpus) == space);
		check_as_fresh();
		for (uint32_t k = 0; k < KEYS; k++) {
			uint32_t number = UINT32_MAX;

			(void)search_corpus_find(f.corpus, key_of(k, buf, sizeof(buf)), &number);
			assert_int_equal(number, numbers[k]);
		}
	}
}

static void a_number_stays_while_its_document_is_gone(void **state)
{
	uint32_t before = 0, after = 0, other = 0;

	(void)state;
	reopen(HASH);
	put(1, 5);
	put(2, 6);
	assert_true(search_corpus_find(f.corpus, str_from("key 001"), &before));
	drop(1);
	sync_corpus();
	reopen(HASH);
	put(3, 7);
	assert_int_equal(search_corpus_number(f.corpus, str_from("key 009"), &other, NULL), 0);
	put(1, 8);
	assert_true(search_corpus_find(f.corpus, str_from("key 001"), &after));
	assert_int_equal(before, after);
	assert_true(other != after);
	put(9, 9);
	assert_true(search_corpus_find(f.corpus, str_from("key 009"), &after));
	assert_int_equal(other, after);
	assert_false(search_corpus_find(f.corpus, str_from("key 010"), &after));
}

/* A posting that is taken out by hand comes back only when it is written again. */
static void a_change_of_numbers_leaves_the_postings_alone(void **state)
{
	struct search_corpus_view v;
	uint32_t term, number = 0;

	(void)state;
	reopen(HASH);
	put(1, 4);
	search_corpus_view(f.corpus, &v);
	term = search_terms_find(v.terms, str_from("thing"));
	assert_int_equal(search_lexical_documents(v.lexical, term), 1);
	assert_true(search_corpus_find(f.corpus, str_from("key 001"), &number));
	search_lexical_remove((struct search_lexical *)(uintptr_t)v.lexical, number, &term, 1);
	put(1, 5);
	assert_int_equal(search_lexical_documents(v.lexical, term), 0);
	put(1, 7); /* other words */
	assert_int_equal(search_lexical_documents(v.lexical, term), 1);
}

static void what_is_the_same_writes_nothing(void **state)
{
	struct search_corpus_stats before, after;

	(void)state;
	reopen(HASH);
	stir(100);
	search_corpus_stats(f.corpus, &before);
	for (uint32_t key = 0; key < KEYS; key++) {
		if (f.kinds[key])
			put(key, f.kinds[key]);
		else
			drop(key);
	}
	search_corpus_stats(f.corpus, &after);
	assert_int_equal(before.disk_bytes, after.disk_bytes);
	assert_true(after.documents > 20 && after.numbers >= after.documents && after.terms > 50 &&
		    after.memory_bytes > 10000);
}

static void a_document_that_is_too_large_leaves_the_former_one(void **state)
{
	bson_t b = BSON_INITIALIZER, list;
	char *text = mem_alloc(60001);
	char key[16];

	(void)state;
	reopen(HASH);
	put(1, 4);
	memset(text, 'x', 60000);
	text[60000] = '\0';
	BSON_APPEND_ARRAY_BEGIN(&b, "brand", &list);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		(void)snprintf(text, 8, "%07d", i);
		text[7] = 'x';
		BSON_APPEND_UTF8(&list, key, text);
	}
	bson_append_array_end(&b, &list);
	assert_int_equal(search_corpus_put(f.corpus, str_from("key 001"), &b, NULL), -ERR_LIMIT);
	check_changed();
	bson_destroy(&b);
	mem_free(text);
}

/* --- scans ----------------------------------------------------------------------------------- */

static void a_scan_tells_what_it_did_not_see(void **state)
{
	struct arena arena = {0};
	struct str keys[KEYS];
	uint32_t number;

	(void)state;
	reopen(HASH);
	for (uint32_t key = 0; key < 20; key++)
		put(key, 10 + key);
	assert_int_equal(search_corpus_unseen(f.corpus, &arena, keys, KEYS), 0);
	search_corpus_scan_begin(f.corpus);
	assert_int_equal(search_corpus_unseen(f.corpus, &arena, keys, KEYS), 20);
	assert_int_equal(search_corpus_unseen(f.corpus, &arena, keys, 7), 7);
	for (uint32_t key = 0; key < 10; key++)
		put(key, 10 + key + key % 2); /* half of them as they were */
	put(15, 99);
	drop(16);
	put(30, 99); /* new */
	assert_int_equal(search_corpus_number(f.corpus, str_from("key 040"), &number, NULL), 0);
	assert_int_equal(search_corpus_unseen(f.corpus, &arena, keys, KEYS), 8);
	for (size_t i = 0; i < 8; i++) {
		assert_true(str_compare(keys[i], str_from("key 010")) >= 0 &&
			    str_compare(keys[i], str_from("key 019")) <= 0);
		assert_int_equal(search_corpus_remove(f.corpus, keys[i], NULL), 0);
	}
	assert_int_equal(search_corpus_unseen(f.corpus, &arena, keys, KEYS), 0);
	arena_done(&arena);
}

static void other_rules_read_all_documents_anew(void **state)
{
	uint32_t before = 0, after = 0;
	uint64_t space;

	(void)state;
	reopen(HASH + 1);
	assert_true(search_corpus_is_stale(f.corpus));
	stir(300);
	put(1, 5);
	sync_corpus();
	space = search_corpus_space(f.corpus);
	assert_true(search_corpus_find(f.corpus, str_from("key 001"), &before));
	for (int i = 0; i < 2; i++) { /* also when it was killed right after opening */
		struct search_corpus_stats stats;

		reopen(HASH);
		assert_true(search_corpus_is_stale(f.corpus));
		search_corpus_stats(f.corpus, &stats);
		assert_int_equal(stats.documents, 0);
	}
	assert_true(search_corpus_space(f.corpus) == space);
	assert_true(search_corpus_find(f.corpus, str_from("key 001"), &after));
	assert_int_equal(before, after);
	for (uint32_t key = 0; key < KEYS; key++) {
		if (f.kinds[key])
			put(key, f.kinds[key]);
	}
	sync_corpus();
	reopen(HASH);
	assert_false(search_corpus_is_stale(f.corpus));
	check_as_fresh();
}

/* --- damage ---------------------------------------------------------------------------------- */

static void flip_byte(const char *path, double at)
{
	FILE *file = fopen(path, "r+");
	long place;
	int c;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	place = (long)((double)ftell(file) * at);
	assert_int_equal(fseek(file, place, SEEK_SET), 0);
	c = fgetc(file);
	assert_true(c >= 0 && fseek(file, place, SEEK_SET) == 0 && fputc(c ^ 1, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void damaged_records_are_read_again(void **state)
{
	(void)state;
	reopen(HASH);
	for (uint32_t key = 0; key < KEYS; key++)
		put(key, key + 1);
	for (int i = 1; i < 5; i++) {
		struct search_corpus_stats stats;
		uint64_t space = search_corpus_space(f.corpus);

		sync_corpus();
		flip_byte(f.path, i / 5.0);
		reopen(HASH);
		assert_true(search_corpus_is_stale(f.corpus));
		assert_true(search_corpus_space(f.corpus) != space);
		search_corpus_stats(f.corpus, &stats);
		assert_true(stats.documents < KEYS && stats.documents > KEYS * (size_t)i / 8);
		for (uint32_t key = 0; key < KEYS; key++)
			put(key, key + 1);
		check_changed();
	}
}

/* The dictionary's file only saves work. */
static void without_its_dictionary_texts_are_analysed_again(void **state)
{
	char *terms = mem_printf("%s.terms", f.path);

	(void)state;
	reopen(HASH);
	for (int i = 0; i < 4; i++) {
		stir(150);
		sync_corpus();
		f.corpus = search_corpus_free(f.corpus);
		if (i == 0)
			assert_int_equal(unlink(terms), 0);
		else if (i == 1)
			assert_int_equal(truncate(terms, 200), 0);
		else if (i == 2)
			flip_byte(terms, 0.5);
		else
			assert_int_equal(file_write_atomic(terms, "x", 1, 0600, NULL), 0);
		reopen(HASH);
		assert_false(search_corpus_is_stale(f.corpus));
		check_as_fresh();
		stir(50);
		check_changed();
		sync_corpus();
		reopen(HASH);
		check_as_fresh();
	}
	mem_free(terms);
}

static bool file_holds(const char *path, const char *text)
{
	struct strbuf b = STRBUF_INIT(0);
	bool found;

	assert_int_equal(file_read(path, &b, NULL), 0);
	found = memmem(b.data, b.len, text, strlen(text)) != NULL;
	strbuf_done(&b);
	return found;
}

static void tidy(void)
{
	assert_int_equal(search_corpus_tidy(f.corpus, NULL), 0);
}

/* A word may be a name. */
static void words_that_no_document_has_leave_the_file_and_come_back(void **state)
{
	char *terms = mem_printf("%s.terms", f.path);

	(void)state;
	reopen(HASH);
	for (int i = 0; i < 3; i++) {
		for (uint32_t key = 0; key < KEYS; key++)
			put(key, key + 1);
		sync_corpus();
		tidy();
		assert_true(file_holds(terms, "word"));
		for (uint32_t key = 0; key < KEYS; key++)
			drop(key);
		tidy();
		assert_false(file_holds(terms, "word"));
		assert_false(file_holds(terms, "rtx"));
		if (i == 1) /* the file is read with what stands for them */
			reopen(HASH);
	}
	for (int i = 0; i < 20; i++) { /* some come back, some stay away, some are new */
		stir(40);
		tidy();
		check_changed();
		if (i % 4)
			continue;
		sync_corpus();
		reopen(HASH);
		assert_false(search_corpus_is_stale(f.corpus));
		check_as_fresh();
	}
	mem_free(terms);
}

static void a_full_disk_refuses_a_document_and_nothing_else(void **state)
{
	struct rlimit before, now;
	uint32_t refused = 0;

	(void)state;
	reopen(HASH);
	stir(50);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	now = before;
	now.rlim_cur = 24 << 10; /* no file of this process becomes larger */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	for (uint32_t key = 0; key < KEYS; key++) {
		int r = try_put(f.corpus, key, 500 + key);

		assert_true(r == 0 || r == -ERR_IO);
		refused += r < 0;
		if (r == 0)
			f.kinds[key] = 500 + key;
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(refused > 20 && refused < KEYS);
	check_changed();
	put(KEYS - 1, 77);
	sync_corpus();
	reopen(HASH);
	assert_false(search_corpus_is_stale(f.corpus));
	check_as_fresh();
}

/* --- tidying --------------------------------------------------------------------------------- */

static void scores_are_made_anew_when_averages_have_moved(void **state)
{
	struct search_corpus *fresh;
	bson_t b = BSON_INITIALIZER;
	char *text = mem_alloc(4001);

	(void)state;
	reopen(HASH);
	for (uint32_t key = 0; key < 20; key++)
		put(key, key + 1); /* nothing is known of averages yet */
	assert_int_equal(search_corpus_tidy(f.corpus, NULL), 0);
	check_as_fresh();
	for (size_t i = 0; i < 4000; i++)
		text[i] = i % 5 == 4 ? ' ' : 'y';
	text[4000] = '\0';
	BSON_APPEND_UTF8(&b, "about", text); /* far longer than the others */
	fresh = make_fresh();
	for (int i = 0; i < 5; i++) {
		char buf[16];
		struct str key = key_of(500 + (uint32_t)i, buf, sizeof(buf));

		assert_int_equal(search_corpus_put(f.corpus, key, &b, NULL), 0);
		assert_int_equal(search_corpus_put(fresh, key, &b, NULL), 0);
	}
	assert_int_equal(search_corpus_tidy(f.corpus, NULL), 0);
	assert_int_equal(search_corpus_reweigh(fresh, NULL), 0);
	check_equal(f.corpus, fresh, true);
	search_corpus_free(fresh);
	bson_destroy(&b);
	mem_free(text);
}

static void a_file_of_waste_is_written_anew(void **state)
{
	struct search_corpus_stats before, after;
	bson_t b = BSON_INITIALIZER, list;
	char *text = mem_alloc(60001), key[16];

	(void)state;
	reopen(HASH);
	stir(100);
	memset(text, 'z', 60000);
	text[60000] = '\0';
	for (int i = 0; i < 24; i++) { /* a megabyte each, one instead of the other */
		bson_reinit(&b);
		BSON_APPEND_ARRAY_BEGIN(&b, "brand", &list);
		for (int k = 0; k < 16; k++) {
			(void)snprintf(key, sizeof(key), "%d", k);
			(void)snprintf(text, 8, "%07d", i * 100 + k);
			text[7] = 'x';
			BSON_APPEND_UTF8(&list, key, text);
		}
		bson_append_array_end(&b, &list);
		assert_int_equal(search_corpus_put(f.corpus, str_from("key 500"), &b, NULL), 0);
	}
	assert_int_equal(search_corpus_remove(f.corpus, str_from("key 500"), NULL), 0);
	search_corpus_stats(f.corpus, &before);
	assert_int_equal(search_corpus_tidy(f.corpus, NULL), 0);
	search_corpus_stats(f.corpus, &after);
	assert_true(before.disk_bytes > 20 << 20 && after.disk_bytes < 1 << 20);
	check_changed();
	stir(50);
	sync_corpus();
	reopen(HASH);
	assert_false(search_corpus_is_stale(f.corpus));
	check_as_fresh();
	bson_destroy(&b);
	mem_free(text);
}

/* --- threads --------------------------------------------------------------------------------- */

static atomic_bool is_over;
static atomic_size_t found_bad, n_read;

/* Each document that is found is there, and its record has the word. */
static void look(uint32_t round)
{
	struct search_corpus_view v;
	struct arena arena = {0};
	char word[8] = "wordaa";
	uint32_t term;

	word[4] = (char)('a' + round % 9);
	word[5] = (char)('a' + round % 10);
	search_corpus_lock(f.corpus);
	search_corpus_view(f.corpus, &v);
	term = search_terms_find(v.terms, str_from(word));
	if (term != SEARCH_TERM_NONE) {
		uint64_t *bits = arena_alloc(&arena, (v.words + 1) * sizeof(*bits));

		search_lexical_mark(v.lexical, &term, 1, bits, v.words);
		for (uint32_t i = 0; i < v.words * 64; i++) {
			struct search_record r;

			if (!(bits[i / 64] >> (i % 64) & 1))
				continue;
			if (!(v.live[i / 64] >> (i % 64) & 1) ||
			    search_corpus_record(f.corpus, i, &arena, &r, NULL) < 0 ||
			    !memmem(r.texts[1].data, r.texts[1].len, word, strlen(word)))
				atomic_fetch_add(&found_bad, 1);
			atomic_fetch_add(&n_read, 1);
		}
	}
	search_corpus_unlock(f.corpus);
	arena_done(&arena);
}

static void *reader_main(void *arg)
{
	struct search_corpus_stats stats;

	for (uint32_t i = 0; !atomic_load(&is_over); i++) {
		look(i + (uint32_t)(uintptr_t)arg);
		search_corpus_stats(f.corpus, &stats);
		if (stats.documents > stats.numbers)
			atomic_fetch_add(&found_bad, 1);
	}
	return NULL;
}

/* The number of a key is the same whoever asks, and when. */
static void *number_main(void *arg)
{
	uint32_t numbers[KEYS];

	(void)arg;
	memset(numbers, 0xFF, sizeof(numbers));
	for (uint32_t i = 0; !atomic_load(&is_over); i++) {
		uint32_t key = mix(i) % KEYS, number;
		char buf[16];

		if (search_corpus_number(f.corpus, key_of(key, buf, sizeof(buf)), &number, NULL) <
		    0)
			atomic_fetch_add(&found_bad, 1);
		else if (numbers[key] != UINT32_MAX && numbers[key] != number)
			atomic_fetch_add(&found_bad, 1);
		else
			numbers[key] = number;
	}
	return NULL;
}

static void readers_see_whole_documents_while_it_is_written(void **state)
{
	pthread_t threads[3];

	(void)state;
	reopen(HASH);
	atomic_store(&is_over, false);
	for (uintptr_t i = 0; i < 2; i++) {
		void *arg = (void *)(i * 7);

		assert_int_equal(pthread_create(&threads[i], NULL, reader_main, arg), 0);
	}
	assert_int_equal(pthread_create(&threads[2], NULL, number_main, NULL), 0);
	for (int i = 0; i < 20; i++) {
		stir(50);
		sync_corpus();
		if (i % 5 == 4)
			assert_int_equal(search_corpus_reweigh(f.corpus, NULL), 0);
		assert_int_equal(search_corpus_tidy(f.corpus, NULL), 0);
	}
	atomic_store(&is_over, true);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&found_bad), 0);
	assert_true(atomic_load(&n_read) > 100);
	check_changed();
	reopen(HASH);
	check_as_fresh();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_dir, remove_dir)
	const struct CMUnitTest tests[] = {
	    TEST(changes_leave_what_a_fresh_one_has),
	    TEST(opening_again_changes_nothing),
	    TEST(a_number_stays_while_its_document_is_gone),
	    TEST(a_change_of_numbers_leaves_the_postings_alone),
	    TEST(what_is_the_same_writes_nothing),
	    TEST(a_document_that_is_too_large_leaves_the_former_one),
	    TEST(a_scan_tells_what_it_did_not_see),
	    TEST(other_rules_read_all_documents_anew),
	    TEST(damaged_records_are_read_again),
	    TEST(without_its_dictionary_texts_are_analysed_again),
	    TEST(words_that_no_document_has_leave_the_file_and_come_back),
	    TEST(a_full_disk_refuses_a_document_and_nothing_else),
	    TEST(scores_are_made_anew_when_averages_have_moved),
	    TEST(a_file_of_waste_is_written_anew),
	    TEST(readers_see_whole_documents_while_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
