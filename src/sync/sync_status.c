/* Durable state of the sync, for anybody who can read MariaDB. */
#include "sync/sync_int.h"

#include "base/banned.h"

/* Up to here rows of a queue are counted; beyond, the distance of its ids is close enough. */
#define COUNT_MAX 100000

static const char *copy(struct sync_status *s, const struct maria_rows *rows, size_t column)
{
	struct str v = maria_rows_str(rows, column);

	return v.data ? arena_strndup(&s->arena, v.data, v.len) : NULL;
}

/* The newest time; of the results the first that is not "equal", else in how many collections it
 * is. */
static void take_verification(struct sync_status *s, const char *at, const char *result)
{
	if (!at || !result)
		return;
	if (!s->verified_at || strcmp(at, s->verified_at) > 0)
		s->verified_at = at;
	if (!str_starts(str_from(result), "equal")) {
		if (!s->verified_result || s->n_equal)
			s->verified_result = arena_printf(&s->arena, "%s: %s",
							  s->items[s->len - 1].collection, result);
		s->n_equal = 0;
	} else if (!s->verified_result || s->n_equal) {
		s->n_equal++;
		s->verified_result = arena_printf(&s->arena, "equal in %zu collection%s",
						  s->n_equal, s->n_equal == 1 ? "" : "s");
	}
}

static void add_collection(struct sync_status *s, const struct maria_rows *rows, size_t *cap)
{
	struct sync_queue_status *q;
	const char *at = copy(s, rows, 9);

	mem_grow(&s->items, cap, s->len + 1, sizeof(*s->items));
	q = &s->items[s->len++];
	q->collection = copy(s, rows, 0);
	q->queue = copy(s, rows, 1);
	q->state = maria_rows_int(rows, 3) ? "paused" : copy(s, rows, 2);
	q->applied = maria_rows_int(rows, 4);
	q->failed = maria_rows_int(rows, 5);
	q->dead_letters = maria_rows_int(rows, 6);
	q->migrated = maria_rows_int(rows, 7);
	q->migrate_total =
	    cstr_equal(maria_rows_str(rows, 2).data, "migrating") ? maria_rows_int(rows, 8) : -1;
	q->mapping_hash = copy(s, rows, 11);
	take_verification(s, at, copy(s, rows, 10));
}

static int read_queue(struct maria *db, struct sync_queue_status *q, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct strbuf table = STRBUF_INIT(0), sql = STRBUF_INIT(0);
	int r;

	maria_add_identifier(&table, q->queue);
	strbuf_addf(&sql,
		    "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM %1$s LIMIT %2$d) few),"
		    " (SELECT IFNULL(MAX(id) - MIN(id) + 1, 0) FROM %1$s),"
		    " IFNULL((SELECT CAST(TIMESTAMPDIFF(MICROSECOND, queued_at, SYSDATE(6)) / 1000 "
		    "AS SIGNED)"
		    "  FROM %1$s ORDER BY id LIMIT 1), 0)",
		    strbuf_str(&table), COUNT_MAX);
	r = maria_query(db, strbuf_str(&sql), NULL, 0, &rows, err);
	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r > 0) {
		q->pending = maria_rows_int(rows, 0);
		if (q->pending >= COUNT_MAX && maria_rows_int(rows, 1) > q->pending)
			q->pending = maria_rows_int(rows, 1);
		q->oldest_age_ms = maria_rows_int(rows, 2) > 0 ? maria_rows_int(rows, 2) : 0;
	}
	strbuf_done(&table);
	strbuf_done(&sql);
	return r < 0 ? r : 0;
}

static int read_holder(struct maria *db, struct sync_status *s, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, sync_sql_lease_read, NULL, 0, &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r > 0) {
		s->holder = copy(s, rows, 0);
		s->term = maria_rows_int(rows, 1);
		s->has_holder = maria_rows_int(rows, 2) != 0;
	}
	return r < 0 ? r : 0;
}

static int read_collections(struct maria *db, struct sync_status *s, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t cap = 0;
	int r = maria_query(db, sync_sql_collection_status, NULL, 0, &rows, err);

	while (r == 0 && (r = maria_rows_next(rows, err)) > 0) {
		add_collection(s, rows, &cap);
		r = 0;
	}
	return r;
}

int sync_status_read(struct maria *db, struct sync_status *ret, struct err *err)
{
	struct sync_status s = {0};
	int r = read_holder(db, &s, err);

	if (r == 0)
		r = read_collections(db, &s, err);
	for (size_t i = 0; i < s.len && r == 0; i++)
		r = read_queue(db, &s.items[i], err);
	if (r < 0) {
		sync_status_done(&s);
		if (err && err->native == 1146)
			return err_hint(err,
					"the sync is not installed: run aethermart sync install");
		return r;
	}
	*ret = s;
	return 0;
}

void sync_status_done(struct sync_status *s)
{
	mem_free(s->items);
	arena_done(&s->arena);
	*s = (struct sync_status){0};
}
