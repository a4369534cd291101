/*
 * Documents that go to another _id because their root's key changed, documents that no row can
 * have, and pages of what the sync made.
 */
#include "sync/sync_sink_int.h"

#include "base/banned.h"

/* --- moving to another key ------------------------------------------------------------------- */

static bool is_owned(const struct mapping *m, const char *field)
{
	for (const char *const *f = mapping_owned_fields(m); *f; f++) {
		if (cstr_equal(*f, field))
			return true;
	}
	return cstr_equal(field, "_id") || cstr_equal(field, SYNC_MARK);
}

void sync_sink_make_adopt(const struct mapping *m, const bson_t *from, const bson_t *to,
			  bson_t *update)
{
	bson_t set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
	bson_iter_t it;

	for (bson_iter_init(&it, from); bson_iter_next(&it);) {
		if (!is_owned(m, bson_iter_key(&it)))
			bson_append_iter(&set, bson_iter_key(&it), -1, &it);
	}
	for (bson_iter_init(&it, to); bson_iter_next(&it);) {
		if (!is_owned(m, bson_iter_key(&it)) && !bson_has_field(from, bson_iter_key(&it)))
			bson_append_utf8(&unset, bson_iter_key(&it), -1, "", 0);
	}
	if (!bson_empty(&set))
		BSON_APPEND_DOCUMENT(update, "$set", &set);
	if (!bson_empty(&unset))
		BSON_APPEND_DOCUMENT(update, "$unset", &unset);
	bson_destroy(&set);
	bson_destroy(&unset);
}

/* The move's part of one kind of operations, of the documents as the transaction sees them. */
static int plan_move(const struct sync_sink_context *c, struct sync_plan *p,
		     const struct sync_found *f, const struct sync_move *move,
		     enum sync_outcome kind, struct err *err)
{
	const bson_t *from = map_get(&f->by_key, move->old_key);
	const bson_t *to = map_get(&f->by_key, move->new_key);
	bson_t doc = BSON_INITIALIZER, none = BSON_INITIALIZER;
	int r = 0;

	if (!from || !sync_has_field(from, SYNC_MARK))
		return 0; /* moved already, or somebody else's */
	if (to && !sync_has_field(to, SYNC_MARK))
		return err_set(err, ERR_DOCUMENT, "a foreign document has the new key");
	if (kind == SYNC_DELETED) {
		r = sync_plan_delete(p, c->mapping, move->old_key, err);
	} else if (kind == SYNC_UPDATED && to) {
		/* What stayed of a row that left keeps all it has. */
		sync_sink_make_adopt(c->mapping, from, sync_is_left(to) ? &none : to, &doc);
		if (!bson_empty(&doc))
			r = sync_plan_update(p, c->mapping, move->new_key, &doc, err);
		p->n_updates += !bson_empty(&doc);
	} else if (kind == SYNC_INSERTED && !to) {
		r = mapping_key_append(c->mapping, move->new_key, &doc, "_id", err);
		bson_copy_to_excluding_noinit(from, &doc, "_id", (char *)NULL);
		if (r == 0)
			r = sync_plan_insert(p, &doc, err);
	}
	p->n += kind == SYNC_DELETED;
	bson_destroy(&doc);
	return r;
}

/* Deletes come first: a unique index must not take an old document for another one. */
static int plan_moves(const struct sync_sink_context *c, struct sync_plan *p,
		      const struct sync_found *f, const struct sync_move *moves, size_t n,
		      struct err *err)
{
	static const enum sync_outcome kinds[] = {SYNC_DELETED, SYNC_UPDATED, SYNC_INSERTED};
	int r = 0;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < n && r == 0; i++)
			r = plan_move(c, p, f, &moves[i], kinds[k], err);
	}
	return r;
}

int sync_sink_move(struct sync_sink *s, const struct sync_sink_context *c,
		   const struct sync_move *moves, size_t n, struct err *err)
{
	struct arena arena = {0};
	struct sync_found f = {.mapping = c->mapping, .arena = &arena};
	struct mapping_document docs[2 * SYNC_MOVES_MAX] = {0};
	struct sync_write ends[2 * SYNC_MOVES_MAX] = {0};
	struct sync_plan p = {0};
	int64_t refused = -1;
	int r = s->is_uncertain ? sync_sink_settle(s, c->term, err) : 0;

	bug_if(n > SYNC_MOVES_MAX);
	for (size_t i = 0; i < 2 * n; i++) {
		docs[i].key = i % 2 ? moves[i / 2].new_key : moves[i / 2].old_key;
		ends[i].document = &docs[i];
	}
	/* Read inside: what users write meanwhile conflicts, and is not lost. */
	if (r == 0)
		r = sync_sink_begin(s, err);
	if (r < 0)
		return r;
	p.bulk = sync_sink_new_bulk(s, c->mapping, true);
	r = sync_sink_find(s, c, ends, 2 * n, false, &f, err);
	if (r == 0)
		r = plan_moves(c, &p, &f, moves, n, err);
	if (r == 0 && p.n)
		r = sync_sink_run(s, c->term, &p, &refused, err);
	if (r == -ERR_DOCUMENT && refused < 0 && err->native == CODE_BAD_VALUE) {
		err->code = ERR_RETRY; /* it names no document */
		r = -ERR_RETRY;
	}
	sync_sink_roll_back(s);
	mongoc_bulk_operation_destroy(p.bulk);
	map_done(&f.by_key);
	arena_done(&arena);
	return r;
}

/* --- documents that no row can have ---------------------------------------------------------- */

/* One transaction of operations on documents by their _id as it is; `update` NULL: they are
 * deleted. What lost its mark meanwhile is left alone. */
static int change_marked(struct sync_sink *s, const struct sync_sink_context *c, const bson_t *ids,
			 const bson_t *update, struct err *err)
{
	struct sync_plan p = {0};
	int64_t refused;
	bson_iter_t id;
	int r = s->is_uncertain ? sync_sink_settle(s, c->term, err) : 0;

	if (r == 0)
		r = sync_sink_begin(s, err);
	if (r < 0)
		return r;
	p.bulk = sync_sink_new_bulk(s, c->mapping, true);
	for (bson_iter_init(&id, ids); bson_iter_next(&id) && r == 0;) {
		bson_t filter = BSON_INITIALIZER;
		bson_error_t e;

		bson_append_iter(&filter, "_id", -1, &id);
		sync_append_marked(&filter);
		if (!(update
			  ? mongoc_bulk_operation_update_one_with_opts(p.bulk, &filter, update,
								       NULL, &e)
			  : mongoc_bulk_operation_remove_one_with_opts(p.bulk, &filter, NULL, &e)))
			r = mongo_error(err, &e, NULL, "a change");
		bson_destroy(&filter);
	}
	if (r == 0)
		r = sync_sink_run(s, c->term, &p, &refused, err);
	sync_sink_roll_back(s);
	mongoc_bulk_operation_destroy(p.bulk);
	return r;
}

int sync_sink_remove(struct sync_sink *s, const struct sync_sink_context *c, const bson_t *ids,
		     struct err *err)
{
	return change_marked(s, c, ids, NULL, err);
}

int sync_sink_release(struct sync_sink *s, const struct sync_sink_context *c, struct str key,
		      struct err *err)
{
	bson_t *update = BCON_NEW("$unset", "{", SYNC_MARK, BCON_UTF8(""), "}");
	bson_t ids = BSON_INITIALIZER;
	int r = mapping_key_append(c->mapping, key, &ids, "0", err);

	if (r == 0)
		r = change_marked(s, c, &ids, update, err);
	bson_destroy(&ids);
	bson_destroy(update);
	return r;
}

/* --- pages of what is there ------------------------------------------------------------------ */

struct page {
	const struct mapping *mapping;
	struct arena *arena;
	size_t limit;
	struct sync_page *ret;
};

static int add_to_page(void *arg, const bson_t *doc, struct err *err)
{
	struct page *p = arg;
	struct mapping_keys *keys = &p->ret->keys;
	char buf[16];
	const char *index;
	bson_iter_t id;
	struct str key;

	(void)err;
	if (!bson_iter_init_find(&id, doc, "_id"))
		return 0;
	if (mapping_key_of_id(p->mapping, &id, p->arena, &key, NULL) < 0) {
		if (!p->ret->max_strays)
			return 0;
		(void)bson_uint32_to_string(p->ret->n_strays++, &index, buf, sizeof(buf));
		bson_append_iter(&p->ret->strays, index, -1, &id);
	} else {
		mem_grow(&keys->items, &keys->cap, keys->len + 1, sizeof(*keys->items));
		keys->items[keys->len++] = key;
	}
	p->ret->is_last =
	    keys->len < p->limit && (!p->ret->max_strays || p->ret->n_strays < p->ret->max_strays);
	return p->ret->is_last ? 0 : 1; /* enough */
}

void sync_page_done(struct sync_page *p)
{
	mapping_keys_done(&p->keys);
	bson_destroy(&p->strays);
}

static int read_page(struct sync_sink *s, const struct mapping *m, const bson_t *filter,
		     size_t limit, struct arena *arena, struct sync_page *ret, struct err *err)
{
	struct page p = {m, arena, limit, ret};
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "projection", "{", "_id",
				BCON_INT32(1), "}", "batchSize", BCON_INT64((int64_t)limit));
	int r;

	ret->is_last = true;
	r = sync_sink_each(sync_sink_collection(s, m), filter, opts, add_to_page, &p, err);
	bson_destroy(opts);
	return r < 0 ? r : 0;
}

int sync_sink_page(struct sync_sink *s, const struct mapping *m, struct str after, size_t limit,
		   struct arena *arena, struct sync_page *ret, struct err *err)
{
	bson_t filter = BSON_INITIALIZER, bound;
	int r = 0;

	sync_append_marked(&filter);
	if (after.len) {
		BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &bound);
		r = mapping_key_append(m, after, &bound, "$gt", err);
		bson_append_document_end(&filter, &bound);
	}
	if (r == 0)
		r = read_page(s, m, &filter, limit, arena, ret, err);
	bson_destroy(&filter);
	return r;
}

int sync_sink_strays(struct sync_sink *s, const struct mapping *m, size_t limit,
		     struct arena *arena, struct sync_page *ret, struct err *err)
{
	bson_t filter = BSON_INITIALIZER, bound, type;
	int r;

	sync_append_marked(&filter);
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &bound);
	BSON_APPEND_DOCUMENT_BEGIN(&bound, "$not", &type);
	BSON_APPEND_UTF8(&type, "$type", mapping_id_type(m));
	bson_append_document_end(&bound, &type);
	bson_append_document_end(&filter, &bound);
	r = read_page(s, m, &filter, limit, arena, ret, err);
	bson_destroy(&filter);
	return r;
}
