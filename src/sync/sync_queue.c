/*
 * The queue tables as a source of changes.
 *
 * The claim is a plain SELECT: a key has one owner, so nothing needs to be locked, and the delete
 * of exactly the ids that were claimed is the acknowledgement. Ids are handed out at insert and
 * become visible at commit, in another order; so there is no watermark. What there is, is a floor:
 * rows that were deleted but not yet purged (behind a long snapshot of somebody else's) make a scan
 * from 0 slow. The floor is the highest id acknowledged two full looks ago, that is one to two
 * seconds old; a row that becomes visible later than that below the floor is found by the full look
 * of each second. Where that finds more than it claims, the floor comes down to it: a long
 * transaction's thousands of rows must not wait for a full look each batch.
 */
#include "sync/sync_int.h"

#include <inttypes.h>
#include <zlib.h>

#include "base/banned.h"

/* Rows of one INSERT, largest first. */
static const size_t insert_buckets[] = {128, 16, 1};

unsigned sync_owner_of(struct str key, unsigned owners)
{
	return (unsigned)(crc32(0, (const unsigned char *)key.data, (unsigned)key.len) % owners);
}

void sync_claim_clear(struct sync_claim *c)
{
	arena_clear(&c->arena);
	c->len = 0;
}

void sync_claim_done(struct sync_claim *c)
{
	arena_done(&c->arena);
	mem_free(c->items);
	*c = (struct sync_claim){0};
}

/* Pause and mapping are read by the same statement: what was committed after the pause, or by
 * triggers of a newer mapping, is not claimed. */
static char *make_claim_sql(const struct mapping *m, bool is_unmoved)
{
	struct strbuf b = STRBUF_INIT(0);

	strbuf_addstr(&b, "SELECT id, path, `key`, `cursor`,"
			  " CAST(UNIX_TIMESTAMP(queued_at) * 1000000 AS SIGNED) FROM ");
	maria_add_identifier(&b, mapping_queue(m));
	strbuf_addstr(&b, " q WHERE id > ? AND CRC32(`key`) % ? = ? AND EXISTS (SELECT 1 FROM"
			  " sync_collection WHERE NOT is_paused AND collection = ");
	maria_add_literal(&b, str_from(mapping_collection(m)));
	strbuf_addf(&b, " AND mapping_hash = '%s')", mapping_hash(m));
	for (int side = 0; side < 2 && is_unmoved; side++) {
		strbuf_addstr(&b, " AND NOT EXISTS (SELECT 1 FROM sync_key_change WHERE queue = ");
		maria_add_literal(&b, str_from(mapping_queue(m)));
		strbuf_addf(&b, " AND %s = q.`key`)", side ? "new_key" : "old_key");
	}
	strbuf_addstr(&b, " ORDER BY id LIMIT ?");
	return strbuf_take(&b);
}

void sync_queue_init(struct sync_queue *q, const struct mapping *m, unsigned owner, unsigned owners)
{
	struct strbuf name = STRBUF_INIT(0);
	const char *table;

	*q = (struct sync_queue){.mapping = m, .owner = owner, .owners = owners};
	maria_add_identifier(&name, mapping_queue(m));
	table = strbuf_str(&name);
	for (size_t i = 0; i < ARRAY_LEN(q->claim_sql); i++)
		q->claim_sql[i] = make_claim_sql(m, i == 1);
	for (size_t i = 0; i < ARRAY_LEN(insert_buckets); i++) {
		struct strbuf b = STRBUF_INIT(0);

		strbuf_addf(&b, "INSERT INTO %s (path, `key`, queued_at) VALUES ", table);
		for (size_t k = 0; k < insert_buckets[i]; k++)
			strbuf_addf(&b, "%s(0, ?, FROM_UNIXTIME(? * 0.000001))", k ? "," : "");
		q->insert_sql[i] = strbuf_take(&b);
	}
	q->move_sql = mem_printf("UPDATE %s SET `cursor` = ? WHERE id = ?", table);
	q->delete_one_sql = mem_printf("DELETE FROM %s WHERE id = ?", table);
	q->delete_sql = mem_printf("DELETE q FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED"
				   " PATH '$')) x STRAIGHT_JOIN %s q FORCE INDEX (PRIMARY)"
				   " ON q.id = x.id",
				   table);
	strbuf_done(&name);
}

void sync_queue_done(struct sync_queue *q)
{
	for (size_t i = 0; i < ARRAY_LEN(q->claim_sql); i++)
		mem_free(q->claim_sql[i]);
	for (size_t i = 0; i < ARRAY_LEN(q->insert_sql); i++)
		mem_free(q->insert_sql[i]);
	mem_free(q->move_sql);
	mem_free(q->delete_one_sql);
	mem_free(q->delete_sql);
	*q = (struct sync_queue){0};
}

static void add_item(struct sync_claim *c, const struct maria_rows *rows)
{
	struct str key = maria_rows_str(rows, 2), cursor = maria_rows_str(rows, 3);
	struct sync_item *it;

	mem_grow(&c->items, &c->cap, c->len + 1, sizeof(*c->items));
	it = &c->items[c->len++];
	it->id = maria_rows_uint(rows, 0);
	it->path = (uint32_t)maria_rows_uint(rows, 1);
	it->key = arena_str(&c->arena, key);
	it->cursor = arena_str(&c->arena, cursor);
	it->queued_us = maria_rows_int(rows, 4);
}

void sync_queue_rotate(struct sync_queue *q)
{
	q->floor = q->next_floor;
	q->next_floor = q->acked_max;
}

static void lower_floor(struct sync_queue *q, uint64_t id)
{
	if (q->floor > id)
		q->floor = id;
	if (q->next_floor > id)
		q->next_floor = id;
	if (q->acked_max > id)
		q->acked_max = id;
}

int sync_queue_claim(struct sync_queue *q, struct maria *db, unsigned flags, size_t limit,
		     struct sync_claim *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	const char *sql = q->claim_sql[flags & SYNC_CLAIM_UNMOVED ? 1 : 0];
	struct maria_value params[] = {MARIA_U(flags ? 0 : sync_queue_floor(q)), MARIA_U(q->owners),
				       MARIA_U(q->owner), MARIA_U(limit)};
	int r;

	sync_claim_clear(ret);
	r = maria_query(db, sql, params, ARRAY_LEN(params), &rows, err);
	if (r < 0)
		return err_context(err, "claiming from \"%s\"", mapping_queue(q->mapping));
	while ((r = maria_rows_next(rows, err)) > 0)
		add_item(ret, rows);
	if (r == 0 && ret->len && ret->len == limit)
		lower_floor(q, ret->items[ret->len - 1].id);
	return r;
}

/*
 * Each id is looked up by itself. With a list of them, WHERE id IN (...), the optimizer walks a
 * short table instead, and waits for every row that somebody has not committed yet. With a join it
 * does so at times, unless the index is forced.
 */
int sync_queue_delete(struct sync_queue *q, struct maria *db, const uint64_t *ids, size_t n,
		      struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT(0);

	if (n == 0)
		return 0;
	if (n == 1)
		return maria_run(db, q->delete_one_sql, &MARIA_U(ids[0]), 1, NULL, err);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&list, "%s%" PRIu64, i ? "," : "[", ids[i]);
	strbuf_addch(&list, ']');
	return maria_run(db, q->delete_sql, &MARIA_S(strbuf_str(&list)), 1, NULL, err);
}

int sync_queue_insert(struct sync_queue *q, struct maria *db, const struct str *keys, size_t n,
		      int64_t queued_us, struct err *err)
{
	struct maria_value params[2 * 128];

	for (size_t bucket = 0; n; bucket += n < insert_buckets[bucket]) {
		size_t now = insert_buckets[bucket];
		int r;

		if (n < now)
			continue;
		for (size_t i = 0; i < now; i++) {
			params[2 * i] = MARIA_B(keys[i]);
			params[2 * i + 1] = MARIA_I(queued_us);
		}
		r = maria_run(db, q->insert_sql[bucket], params, 2 * now, NULL, err);
		if (r < 0)
			return r;
		keys += now;
		n -= now;
	}
	return 0;
}

int sync_queue_move(struct sync_queue *q, struct maria *db, uint64_t id, struct str cursor,
		    struct err *err)
{
	struct maria_value params[] = {MARIA_B(cursor), MARIA_U(id)};

	return maria_run(db, q->move_sql, params, ARRAY_LEN(params), NULL, err);
}
