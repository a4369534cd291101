/*
 * The stores that follow the shop's rows: MongoDB's documents, the readers of the hand-off, the
 * files of the index. See erase.h.
 *
 * Which documents these are stands in what is sought, from before the rows went.
 */
#include "govern/erase_int.h"

#include "base/clock.h"
#include "govern/govern_sql_int.h"
#include "search/search_trace.h"

#include <unistd.h>

#include "base/banned.h"

#define LOOK_US 100000U

/* --- documents ------------------------------------------------------------------------------- */

/* Of one mapping: whether the row of each of its documents is there, and passes its filter. */
static int look_at_rows(const struct eraser *e, const struct mapping *m,
			const struct erase_sought *s, bool *ret_present, struct err *err)
{
	_cleanup_(mem_freep) struct str *keys = mem_alloc_array(s->n_documents + 1, sizeof(*keys));
	_cleanup_(mem_freep) size_t *at = mem_alloc_array(s->n_documents + 1, sizeof(*at));
	_cleanup_(mem_freep) bool *is_present = mem_alloc_array(s->n_documents + 1, sizeof(bool));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < s->n_documents; i++) {
		if (!cstr_equal(s->documents[i].collection, mapping_collection(m)))
			continue;
		at[n] = i;
		keys[n++] = s->documents[i].key;
	}
	r = n ? mapping_present(m, e->m, keys, n, is_present, err) : 0;
	for (size_t i = 0; i < n && r == 0; i++)
		ret_present[at[i]] = is_present[i];
	return r;
}

/* Of all; what is of a collection that no mapping has any more stays false. */
static int list_present(const struct eraser *e, const struct erase_sought *s, bool *ret,
			struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < e->mappings->len && r == 0; i++)
		r = look_at_rows(e, e->mappings->items[i], s, ret, err);
	return r;
}

static int delete_one(const struct mapping *m, mongoc_collection_t *c, struct str key,
		      uint64_t *ret_deleted, struct err *err)
{
	bson_t filter = BSON_INITIALIZER, reply = BSON_INITIALIZER;
	bson_error_t error;
	bson_iter_t it;
	int r = mapping_key_append(m, key, &filter, "_id", err);

	if (r == 0) {
		bson_destroy(&reply);
		if (!mongoc_collection_delete_one(c, &filter, NULL, &reply, &error))
			r = mongo_error(err, &error, &reply, "deleting a document");
		else if (bson_iter_init_find(&it, &reply, "deletedCount"))
			*ret_deleted += (uint64_t)bson_iter_as_int64(&it);
	}
	bson_destroy(&reply);
	bson_destroy(&filter);
	return r;
}

/* Those of one mapping whose row is gone. */
static int delete_gone(const struct eraser *e, const struct mapping *m,
		       const struct erase_sought *s, const bool *is_present, uint64_t *ret_deleted,
		       struct err *err)
{
	mongoc_client_t *client = mongo_pop(e->mongo);
	mongoc_collection_t *c =
	    mongoc_client_get_collection(client, mongo_database(e->mongo), mapping_collection(m));
	int r = 0;

	for (size_t i = 0; i < s->n_documents && r == 0; i++)
		if (!is_present[i] && cstr_equal(s->documents[i].collection, mapping_collection(m)))
			r = delete_one(m, c, s->documents[i].key, ret_deleted, err);
	mongoc_collection_destroy(c);
	mongo_push(e->mongo, client);
	return r;
}

int erase_documents(const struct eraser *e, const struct erase_sought *s, uint64_t *ret_deleted,
		    struct err *err)
{
	_cleanup_(mem_freep) bool *is_present = mem_alloc_array(s->n_documents + 1, sizeof(bool));
	int r = list_present(e, s, is_present, err);

	for (size_t i = 0; i < e->mappings->len && r == 0; i++)
		if (mapping_has_target(e->mappings->items[i]))
			r = delete_gone(e, e->mappings->items[i], s, is_present, ret_deleted, err);
	return r;
}

/* --- the hand-off ---------------------------------------------------------------------------- */

static int read_waiting(const struct eraser *e, const struct erase_document *d, char **ret,
			struct err *err)
{
	const struct maria_value params[] = {MARIA_S(d->collection), MARIA_B(d->key)};

	return maria_query_text(e->m, govern_sql_erase_waiting, params, ARRAY_LEN(params), ret,
				err);
}

static int still_waits(const char *readers, struct err *err)
{
	(void)err_set(err, ERR_TIMEOUT,
		      "what was made of their documents is not forgotten yet by %s", readers);
	return err_hint(err, "is a worker running (`aethermart serve`)? Then call this again; "
			     "`aethermart sync consumer list` shows who reads, and `... drop` "
			     "takes one away that is no more");
}

static int check_index(const struct eraser *e, struct err *err)
{
	if (!e->is_index_off || !e->index_dir || !search_trace_has_files(e->index_dir))
		return 0;
	(void)err_set(err, ERR_CONFLICT,
		      "the index has files in \"%s\", and nobody keeps them: \"index.enabled\" is "
		      "false",
		      e->index_dir);
	return err_hint(err,
			"enable it and start a worker until this is done, or remove the folder; "
			"then call this again");
}

int erase_handoffs(const struct eraser *e, const struct erase_sought *s, int64_t deadline_us,
		   struct err *err)
{
	int r = check_index(e, err);

	for (size_t i = 0; i < s->n_documents && r == 0; i++) {
		_cleanup_(mem_freep) char *readers = NULL;

		r = read_waiting(e, &s->documents[i], &readers, err);
		if (r < 0 || !readers)
			continue;
		if (clock_monotonic_us() > deadline_us)
			return still_waits(readers, err);
		if (e->on_wait && !e->on_wait(e->arg, readers))
			return err_set(err, ERR_INTERRUPTED, "interrupted");
		usleep(LOOK_US);
		i--;
	}
	return r;
}

/* --- the index ------------------------------------------------------------------------------- */

struct tracing {
	const struct searching *g;
	const bool *is_kept; /* of each document */
	char *where;	     /* the file that was last looked into; NULL: none */
	uint64_t n_found;    /* in it */
};

/* Documents of one file are told one after the other. Its bytes were searched, too. */
static int tell_file(struct tracing *t, struct err *err)
{
	_cleanup_(mem_freep) char *where = t->where ? mem_printf("%s (documents)", t->where) : NULL;
	const struct erase_place place = {.store = "files",
					  .where = where,
					  .n_searched = t->g->s->sought->n_documents,
					  .n_found = t->n_found};
	int r = where ? erase_tell(t->g, &place, err) : 0;

	mem_free(t->where);
	t->where = NULL;
	t->n_found = 0;
	return r;
}

static int found_in_index(void *arg, const char *file, size_t i, struct err *err)
{
	struct tracing *t = arg;
	const struct erase_document *d = &t->g->s->sought->documents[i];
	_cleanup_(mem_freep) char *where = mem_printf(ERASE_INDEX "%s", file),
				  *key = mem_printf("%s:%.*s", d->collection, STR_ARGS(d->key));
	int r = 0;

	if (t->is_kept[i])
		return 0;
	if (t->where && !cstr_equal(t->where, where))
		r = tell_file(t, err);
	if (r < 0)
		return r;
	t->n_found++;
	r = erase_tell_find(t->g, &(struct erase_find){"files", where, key, "theirs"}, err);
	if (!t->where)
		t->where = TAKE_PTR(where);
	return r;
}

int erase_search_index(const struct searching *g, struct err *err)
{
	const struct erase_sought *s = g->s->sought;
	_cleanup_(mem_freep) bool *is_kept = mem_alloc_array(s->n_documents + 1, sizeof(bool));
	_cleanup_(mem_freep) const char **collections =
	    mem_alloc_array(s->n_documents + 1, sizeof(*collections));
	_cleanup_(mem_freep) struct str *keys = mem_alloc_array(s->n_documents + 1, sizeof(*keys));
	struct tracing t = {.g = g, .is_kept = is_kept};
	struct search_trace_question q = {.dir = g->e->index_dir,
					  .n = s->n_documents,
					  .collections = collections,
					  .keys = keys,
					  .fn = found_in_index,
					  .arg = &t};
	int r = 0;

	if (!q.dir || !q.n)
		return 0;
	for (size_t i = 0; i < q.n; i++) {
		collections[i] = s->documents[i].collection;
		keys[i] = s->documents[i].key;
	}
	if (g->s->receipts) /* before, nothing of theirs is kept */
		r = list_present(g->e, s, is_kept, err);
	if (r == 0)
		r = search_trace(&q, err);
	if (r == 0)
		return tell_file(&t, err);
	mem_free(t.where);
	return r;
}
