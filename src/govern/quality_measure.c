/*
 * Checks that measure MariaDB: how many rows, how old the last commit, which columns, how values
 * are spread. What they compare with is kept in Quality_Baselines, made by the first run and anew
 * when a person says so: a baseline that followed the data by itself would hide what it is for.
 *
 * Freshness is that of commits, not of a column, which anybody may set. InnoDB remembers for each
 * table when a transaction that changed it was committed, in memory, so that a restart forgets it;
 * therefore what a run saw is kept, and what the sync has carried since counts, too. What a
 * restart has swallowed for good makes a table look older, never fresher.
 */
#include "govern/govern_sql_int.h"
#include "govern/quality_int.h"

#include "base/map.h"
#include "sync/sync.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>

#include "base/banned.h"

#define CLASSES_MAX 50 /* of values that are counted one by one */
#define BINS	    10 /* of numbers */

/* --- rows ------------------------------------------------------------------------------------ */

/* `before` 0: nothing to compare with. */
static void judge_count(struct quality_result *r, double before, struct quality_run *run)
{
	const struct quality_check *c = r->check;
	double rows = r->measured;
	double change = before > 0 ? fabs(rows - before) / before * 100 : 0;

	r->failed = 1;
	if (c->min_rows >= 0 && rows < (double)c->min_rows)
		r->details = arena_printf(&run->arena, "%.0f, and at least %" PRId64 " are wanted",
					  rows, c->min_rows);
	else if (c->max_rows >= 0 && rows > (double)c->max_rows)
		r->details = arena_printf(&run->arena, "%.0f, and at most %" PRId64 " are wanted",
					  rows, c->max_rows);
	else if (c->max_change >= 0 && change > c->max_change)
		r->details = arena_printf(&run->arena,
					  "%.0f, and %.0f the time before: %.3g%%, at most %g%%",
					  rows, before, change, c->max_change);
	else
		r->failed = 0;
}

static int last_measure(struct quality_runner *rn, const char *check, double *ret, bool *ret_has,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(rn->stores->db, govern_sql_quality_last_measure,
				MARIA_ARGS(MARIA_S(check)), &rows, err);

	*ret_has = r > 0 && parse_double(maria_rows_str(rows, 0), ret, NULL) == 0;
	return r < 0 ? r : 0;
}

int quality_measure_rows(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(QUALITY_STATEMENT_MAX);
	double before = 0;
	bool has_before = false;
	int64_t n = (int64_t)r->checked; /* of documents, counted before */
	int rc = last_measure(rn, r->check->name, &before, &has_before, err);

	if (rc == 0 && r->check->table) {
		strbuf_addstr(&sql, "SELECT COUNT(*)");
		quality_add_from(&sql, r->check);
		rc = strbuf_check(&sql, r->check->name, err);
		if (rc == 0)
			rc = maria_query_int(rn->stores->db, strbuf_str(&sql), NULL, 0, &n, err);
	}
	if (rc < 0)
		return rc;
	r->checked = (uint64_t)n;
	r->measured = (double)n;
	r->has_measure = true;
	judge_count(r, has_before ? before : 0, rn->run);
	return 0;
}

/* --- freshness ------------------------------------------------------------------------------- */

/* "2026-11-27 16:00:00" sorts as it is; "": not known. */
static const char *later(const char *a, const char *b)
{
	return strcmp(a, b) >= 0 ? a : b;
}

static int commit_of_server(struct quality_runner *rn, const char *table, const char **ret,
			    const char **ret_started, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct arena *arena = &rn->run->arena;
	int r = maria_query_row(rn->stores->db, govern_sql_quality_commit,
				MARIA_ARGS(MARIA_S(table)), &rows, err);

	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no table \"%s\"", table);
	if (r < 0)
		return r;
	*ret = arena_str(arena, maria_rows_str(rows, 0)).data;
	*ret = *ret ? *ret : "";
	*ret_started = arena_str(arena, maria_rows_str(rows, 1)).data;
	return 0;
}

/* What the sync has carried of a table that is some collection's root. */
static int commit_of_sync(struct quality_runner *rn, const char *table, const char **ret,
			  struct err *err)
{
	const struct mapping_set *set = rn->stores->mappings;
	bool has_log = false;
	int r = maria_has_table(rn->stores->db, "sync_audit_log", &has_log, err);

	*ret = "";
	for (size_t i = 0; r == 0 && has_log && set && i < set->len; i++) {
		const char *collection = mapping_collection(set->items[i]);
		_cleanup_(mem_freep) char *at = NULL;

		if (!cstr_equal(mapping_root_table(set->items[i]), table))
			continue;
		r = maria_query_text(rn->stores->db, govern_sql_quality_synced,
				     MARIA_ARGS(MARIA_S(collection)), &at, err);
		if (r == 0 && at)
			*ret = later(*ret, arena_strdup(&rn->run->arena, at));
	}
	return r;
}

static int measure_table_age(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	const struct quality_check *c = r->check;
	const char *server = "", *started = "", *sync = "", *before = NULL, *last;
	int64_t age = 0;
	int rc = commit_of_server(rn, c->table, &server, &started, err);

	if (rc == 0)
		rc = commit_of_sync(rn, c->table, &sync, err);
	if (rc == 0)
		rc = quality_read_baseline(rn, c->name, &before, err);
	if (rc < 0)
		return rc;
	last = later(later(server, sync), before ? before : "");
	if (!*last)
		return err_set(err, ERR_NOT_FOUND,
			       "nothing was committed since the server started, %s, and no earlier "
			       "commit is known",
			       started);
	quality_keep_baseline(rn, c->name, str_from(last));
	rc = maria_query_int(rn->stores->db, govern_sql_quality_age, MARIA_ARGS(MARIA_S(last)),
			     &age, err);
	if (rc < 0)
		return rc;
	r->measured = (double)(age > 0 ? age : 0);
	r->has_measure = true;
	r->failed = r->measured * 1000 > (double)c->within_ms;
	r->details = arena_printf(&rn->run->arena, "last commit %s, known by %s", last,
				  cstr_equal(last, server) ? "the server"
				  : cstr_equal(last, sync) ? "the sync"
							   : "a run before");
	return 0;
}

/* How far a collection is behind: the oldest change that it has not. */
static int measure_lag(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	struct sync_status status = {0};
	int rc = sync_status_read(rn->stores->db, &status, err);

	if (rc < 0)
		return rc;
	rc = -ERR_NOT_FOUND;
	for (size_t i = 0; i < status.len; i++) {
		const struct sync_queue_status *q = &status.items[i];

		if (!cstr_equal(q->collection, r->check->collection))
			continue;
		rc = 0;
		r->has_measure = true;
		r->measured = q->pending ? (double)q->oldest_age_ms / 1000 : 0;
		r->failed = r->measured * 1000 > (double)r->check->within_ms ||
			    !cstr_equal(q->state, "live");
		r->details =
		    arena_printf(&rn->run->arena, "%s; %" PRId64 " changes wait, the oldest %.1f s",
				 q->state, q->pending, r->measured);
	}
	sync_status_done(&status);
	return rc == 0 ? 0
		       : err_set(err, ERR_NOT_FOUND, "collection \"%s\" is not installed",
				 r->check->collection);
}

int quality_measure_freshness(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	return r->check->table ? measure_table_age(rn, r, err) : measure_lag(rn, r, err);
}

/* --- columns --------------------------------------------------------------------------------- */

static bool is_wanted(const struct quality_check *c, const struct schema_table *t)
{
	bool wanted = !c->tables && !t->is_view;

	for (size_t i = 0; c->tables && c->tables[i]; i++)
		wanted = wanted || cstr_equal(c->tables[i], t->name);
	return wanted;
}

/* A line a column: name, a tab, what it is. */
static void describe_schema(const struct quality_check *c, const struct schema *s, struct strbuf *b,
			    uint64_t *ret_columns)
{
	for (size_t i = 0; i < s->n_tables; i++) {
		const struct schema_table *t = &s->tables[i];

		for (size_t j = 0; is_wanted(c, t) && j < t->n_columns; j++) {
			const struct schema_column *k = &t->columns[j];

			strbuf_addf(b, "%s.%s\t%s%s%s%s\n", t->name, k->name, k->sql_type,
				    k->is_nullable ? "" : " not null", k->collation ? " " : "",
				    k->collation ? k->collation : "");
			++*ret_columns;
		}
	}
}

/* Columns in the order of the text, which is cut in place, and by name. */
struct columns {
	struct column {
		const char *name, *what;
	} * items;
	size_t n, cap;
	struct map by_name; /* to what they are */
};

static void columns_done(struct columns *c)
{
	mem_free(c->items);
	map_done(&c->by_name);
}

static void read_columns(char *text, struct columns *ret)
{
	for (char *line = text; line && *line;) {
		char *end = strchr(line, '\n'), *tab = strchr(line, '\t');

		if (end)
			*end = '\0';
		if (tab && (!end || tab < end)) {
			*tab = '\0';
			*map_put(&ret->by_name, str_from(line)) = tab + 1;
			mem_grow(&ret->items, &ret->cap, ret->n + 1, sizeof(*ret->items));
			ret->items[ret->n++] = (struct column){line, tab + 1};
		}
		line = end ? end + 1 : NULL;
	}
}

struct drift {
	struct quality_runner *rn;
	struct quality_keys keys;
	struct strbuf text;
	uint64_t n;
};

static void add_drift(struct drift *d, const char *column, const char *was, const char *is)
{
	d->n++;
	quality_add_failed(d->rn, &d->keys, str_from(column));
	if (d->text.len > 800) /* the column of details has 1,000; the keys name the rest */
		return;
	strbuf_addf(&d->text, "; %s %s", column, is ? "is " : "is gone");
	if (is)
		strbuf_addstr(&d->text, was ? is : "new");
	if (is && was)
		strbuf_addf(&d->text, ", was %s", was);
}

static void compare_columns(struct drift *d, const struct columns *was, const struct columns *is)
{
	for (size_t i = 0; i < is->n; i++) {
		const struct column *c = &is->items[i];
		const char *before = map_get(&was->by_name, str_from(c->name));

		if (!before || !cstr_equal(before, c->what))
			add_drift(d, c->name, before, c->what);
	}
	for (size_t i = 0; i < was->n; i++)
		if (!map_get(&is->by_name, str_from(was->items[i].name)))
			add_drift(d, was->items[i].name, was->items[i].what, NULL);
}

static void tell_drift(struct quality_runner *rn, struct quality_result *r, const char *before,
		       const char *now)
{
	_cleanup_(columns_done) struct columns was = {0}, is = {0};
	_cleanup_(mem_freep) char *was_text = mem_strdup(before);
	_cleanup_(mem_freep) char *now_text = mem_strdup(now);
	struct drift d = {.rn = rn, .keys = {.max = QUALITY_SAMPLE}, .text = STRBUF_INIT(4096)};

	read_columns(was_text, &was);
	read_columns(now_text, &is);
	compare_columns(&d, &was, &is);
	r->failed = d.n;
	r->keys = d.keys.items;
	r->n_keys = d.keys.n;
	r->details = d.n ? arena_strdup(&rn->run->arena, strbuf_str(&d.text) + 2) : NULL;
	strbuf_done(&d.text);
}

int quality_measure_schema(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf now = STRBUF_INIT(0);
	const char *before = NULL;
	int rc = quality_read_baseline(rn, r->check->name, &before, err);

	describe_schema(r->check, rn->stores->schema, &now, &r->checked);
	if (rc == 0)
		rc = strbuf_check(&now, r->check->name, err);
	if (rc < 0)
		return rc;
	if (!before || rn->how->records) {
		quality_keep_baseline(rn, r->check->name, strbuf_slice(&now));
		r->details =
		    arena_printf(&rn->run->arena, "recorded: %" PRIu64 " columns", r->checked);
	} else {
		tell_drift(rn, r, before, strbuf_str(&now));
	}
	return 0;
}

/* --- how values are spread ------------------------------------------------------------------- */

/* The classes of a column and how many rows each has. Of numbers with many values the classes are
 * bins, up to a bound each; else they are the values themselves. A class more is that of all
 * others, and one that of NULL. */
struct spread {
	bool is_bins;
	size_t n; /* values, or bounds */
	const char **names;
	uint64_t counts[CLASSES_MAX + 2]; /* behind the n: others (above the last bound), NULL */
};

static const char *spread_of(const struct quality_check *c, struct arena *arena)
{
	return arena_printf(arena, "%s.%s where %s", c->table, c->columns[0],
			    c->where ? c->where : "");
}

static void add_value(struct strbuf *b, const struct quality_check *c)
{
	MARIA_ADD(b, "t.#", c->columns[0]);
}

/* Values and their counts; what the spread does not know counts as others. `learns`: it takes what
 * comes, and -ERR_LIMIT says that there are too many. */
static int count_values(struct quality_runner *rn, const struct quality_check *c, struct spread *s,
			bool learns, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(QUALITY_STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	strbuf_addstr(&sql, "SELECT CONVERT(");
	add_value(&sql, c);
	strbuf_addstr(&sql, " USING utf8mb4), COUNT(*)");
	quality_add_from(&sql, c);
	strbuf_addstr(&sql, " GROUP BY ");
	add_value(&sql, c);
	strbuf_addstr(&sql, " ORDER BY 2 DESC, 1");
	if (learns)
		strbuf_addf(&sql, " LIMIT %d", CLASSES_MAX + 2);
	r = strbuf_check(&sql, c->name, err);
	if (r == 0)
		r = maria_query(rn->stores->db, strbuf_str(&sql), NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct str value = maria_rows_str(rows, 0);
		size_t at = 0;

		while (at < s->n && value.data && !str_equal(value, str_from(s->names[at])))
			at++;
		if (!value.data)
			at = s->n + 1;
		if (at == s->n && learns) {
			if (s->n == CLASSES_MAX)
				return -ERR_LIMIT;
			s->names[s->n] = arena_str(&rn->run->arena, value).data;
			s->counts[s->n + 2] = s->counts[s->n + 1]; /* of NULL */
			s->counts[++s->n] = 0;
		}
		s->counts[at] += maria_rows_uint(rows, 1);
	}
	return r;
}

static int find_bounds(struct quality_runner *rn, const struct quality_check *c, struct spread *s,
		       struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(QUALITY_STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	strbuf_addstr(&sql, "SELECT MAX(v) FROM (SELECT ");
	add_value(&sql, c);
	strbuf_addf(&sql, " AS v, NTILE(%d) OVER (ORDER BY ", BINS);
	add_value(&sql, c);
	strbuf_addstr(&sql, ") AS b");
	quality_add_from(&sql, c);
	strbuf_addstr(&sql, c->where ? " AND " : " WHERE ");
	add_value(&sql, c);
	strbuf_addf(&sql, " IS NOT NULL) q WHERE b < %d GROUP BY b ORDER BY b", BINS);
	r = strbuf_check(&sql, c->name, err);
	if (r == 0)
		r = maria_query(rn->stores->db, strbuf_str(&sql), NULL, 0, &rows, err);
	s->n = 0;
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct str bound = maria_rows_str(rows, 0);

		if (!s->n || !str_equal(bound, str_from(s->names[s->n - 1])))
			s->names[s->n++] = arena_str(&rn->run->arena, bound).data;
	}
	return r;
}

static int count_bins(struct quality_runner *rn, const struct quality_check *c, struct spread *s,
		      struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(QUALITY_STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	memset(s->counts, 0, sizeof(s->counts));
	strbuf_addstr(&sql, "SELECT CASE WHEN ");
	add_value(&sql, c);
	strbuf_addf(&sql, " IS NULL THEN %zu", s->n + 1);
	for (size_t i = 0; i < s->n; i++) {
		strbuf_addstr(&sql, " WHEN ");
		add_value(&sql, c);
		strbuf_addf(&sql, " <= %s THEN %zu", s->names[i], i);
	}
	strbuf_addf(&sql, " ELSE %zu END, COUNT(*)", s->n);
	quality_add_from(&sql, c);
	strbuf_addstr(&sql, " GROUP BY 1");
	r = strbuf_check(&sql, c->name, err);
	if (r == 0)
		r = maria_query(rn->stores->db, strbuf_str(&sql), NULL, 0, &rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		uint64_t bin = maria_rows_uint(rows, 0);

		if (bin < s->n + 2)
			s->counts[bin] = maria_rows_uint(rows, 1);
	}
	return r;
}

static bool is_number(const struct quality_runner *rn, const struct quality_check *c)
{
	const struct schema_table *t = schema_find_table(rn->stores->schema, c->table);
	enum schema_type type = schema_find_column(t, c->columns[0])->type;

	return type == SCHEMA_INT || type == SCHEMA_DECIMAL || type == SCHEMA_DOUBLE;
}

/* A text of many values is refused: its values could be people's, and would stand in a table. */
static int learn_spread(struct quality_runner *rn, const struct quality_check *c, struct spread *s,
			struct err *err)
{
	int r = count_values(rn, c, s, true, err);

	if (r != -ERR_LIMIT)
		return r;
	if (!is_number(rn, c))
		return err_set(err, ERR_UNSUPPORTED,
			       "\"%s\" is no number and has more than %d values", c->columns[0],
			       CLASSES_MAX);
	s->is_bins = true;
	r = find_bounds(rn, c, s, err);
	return r < 0 ? r : count_bins(rn, c, s, err);
}

static uint64_t total_of(const struct spread *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n + 2; i++)
		n += s->counts[i];
	return n;
}

static void keep_spread(struct quality_runner *rn, const struct quality_check *c,
			const struct spread *s)
{
	json_t *names = json_array(), *counts = json_array(), *all;
	char *text;

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(names, json_string(s->names[i]));
	for (size_t i = 0; i < s->n + 2; i++)
		json_array_append_new(counts, json_integer((json_int_t)s->counts[i]));
	all = json_pack("{s:s,s:b,s:o,s:o}", "of", spread_of(c, &rn->run->arena), "bins",
			s->is_bins, s->is_bins ? "bounds" : "values", names, "counts", counts);
	text = json_dumps(all, JSON_COMPACT);
	bug_if(!text);
	quality_keep_baseline(rn, c->name, str_from(text));
	mem_free(text);
	json_decref(all);
}

/* Bounds go into SQL, and the table could have been written by anybody. */
static bool is_plain_number(const char *text)
{
	double value;

	return !text[strspn(text, "0123456789.-+eE")] &&
	       parse_double(str_from(text), &value, NULL) == 0;
}

static bool read_spread(struct quality_runner *rn, const json_t *json, struct spread *s)
{
	const json_t *names, *counts = json_object_get(json, "counts");

	s->is_bins = json_is_true(json_object_get(json, "bins"));
	names = json_object_get(json, s->is_bins ? "bounds" : "values");
	s->n = json_array_size(names);
	if (s->n > CLASSES_MAX || json_array_size(counts) != s->n + 2)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (!name || (s->is_bins && !is_plain_number(name)))
			return false;
		s->names[i] = arena_strdup(&rn->run->arena, name);
	}
	for (size_t i = 0; i < s->n + 2; i++)
		s->counts[i] = (uint64_t)json_integer_value(json_array_get(counts, i));
	return true;
}

static int compare_spread(struct quality_runner *rn, struct quality_result *r, const char *text,
			  struct err *err)
{
	const struct quality_check *c = r->check;
	_cleanup_(json_decrefp) json_t *json = json_loads(text, 0, NULL);
	const char *of = json_string_value(json_object_get(json, "of"));
	struct spread was = {.names =
				 arena_alloc(&rn->run->arena, (CLASSES_MAX + 1) * sizeof(char *))};
	struct spread is;
	int rc;

	if (!of || !cstr_equal(of, spread_of(c, &rn->run->arena)) || !read_spread(rn, json, &was))
		return err_set(err, ERR_CONFLICT,
			       "what is recorded is of another column: `aethermart quality run %s "
			       "--record`",
			       c->name);
	is = was;
	memset(is.counts, 0, sizeof(is.counts));
	rc = is.is_bins ? count_bins(rn, c, &is, err) : count_values(rn, c, &is, false, err);
	if (rc < 0)
		return rc;
	r->checked = total_of(&is);
	r->has_measure = true;
	r->measured = quality_drift(c->measure, was.counts, is.counts, is.n + 2);
	r->failed = r->measured > c->max_drift;
	r->details = arena_printf(&rn->run->arena, "%s %.4f of at most %g, %zu classes",
				  c->measure == QUALITY_PSI ? "PSI" : "KL", r->measured,
				  c->max_drift, is.n + 2);
	return 0;
}

int quality_measure_distribution(struct quality_runner *rn, struct quality_result *r,
				 struct err *err)
{
	struct spread now = {.names =
				 arena_alloc(&rn->run->arena, (CLASSES_MAX + 1) * sizeof(char *))};
	const char *before = NULL;
	int rc = quality_read_baseline(rn, r->check->name, &before, err);

	if (rc < 0 || (before && !rn->how->records))
		return rc < 0 ? rc : compare_spread(rn, r, before, err);
	rc = learn_spread(rn, r->check, &now, err);
	if (rc < 0)
		return rc;
	r->checked = total_of(&now);
	if (!r->checked)
		return err_set(err, ERR_NOT_FOUND, "there are no rows yet to be compared with");
	keep_spread(rn, r->check, &now);
	r->details = arena_printf(&rn->run->arena, "recorded: %" PRIu64 " rows, %zu %s", r->checked,
				  now.n, now.is_bins ? "bounds" : "values");
	return 0;
}
