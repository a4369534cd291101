/* Runs the queries that list keys: the documents that a queued value touches, or many of them do,
 * and pages of the root's table. The first and the last go on after a key, in the order of the
 * key's columns. */
#include "mapping/mapping_int.h"

#include "base/banned.h"

/* The parameters of "key > cursor" as mapping_path.c wrote them. */
static size_t bind_after(const struct schema_column *const *columns, const struct str *parts,
			 size_t n, struct arena *arena, struct maria_value *ret)
{
	size_t len = 0;

	if (n > 1)
		ret[len++] = mapping_key_value(parts[0], columns[0], arena);
	for (size_t i = 0; i < n; i++) {
		ret[len++] = mapping_key_value(parts[i], columns[i], arena);
		if (i + 1 < n)
			ret[len++] = mapping_key_value(parts[i], columns[i], arena);
	}
	return len;
}

static int run(struct maria *db, const char *sql, const struct maria_value *params, size_t n,
	       struct arena *arena, struct mapping_keys *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(db, sql, params, n, &rows, err);

	if (r < 0)
		return r;
	while ((r = maria_rows_next(rows, err)) > 0) {
		struct str key = maria_rows_str(rows, 0);

		if (!key.data)
			continue; /* a NULL part joins nothing */
		mem_grow(&ret->items, &ret->cap, ret->len + 1, sizeof(*ret->items));
		ret->items[ret->len++] = arena_str(arena, key);
	}
	return r;
}

static int bad_cursor(struct err *err)
{
	return err_set(err, ERR_INVALID_ARGUMENT, "the cursor is no key of this mapping");
}

int mapping_page(const struct mapping *m, struct maria *db, struct str after, size_t limit,
		 struct arena *arena, struct mapping_keys *ret, struct err *err)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX] = {0};
	struct maria_value params[2 * MAPPING_KEY_COLUMNS_MAX + 1];
	struct str parts[MAPPING_KEY_COLUMNS_MAX];
	size_t n = 0;
	int r;

	mapping_key_columns(m, columns);
	if (after.len) {
		if (!mapping_key_split(after, columns, m->root->n_links, arena, parts))
			return bad_cursor(err);
		n = bind_after(columns, parts, m->root->n_links, arena, params);
	}
	params[n++] = MARIA_U(limit);
	ret->len = 0;
	r = run(db, after.len ? m->page_next_sql : m->page_first_sql, params, n, arena, ret, err);
	return r < 0 ? err_context(err, "paging through table \"%s\"", m->root->tables[0].name) : 0;
}

static int find_way(const struct mapping *m, uint32_t path, size_t *ret, struct err *err)
{
	for (size_t i = 0; i < m->n_paths; i++) {
		if (m->paths[i].id == path) {
			*ret = i;
			return 0;
		}
	}
	return err_set(err, ERR_NOT_FOUND, "the mapping of \"%s\" has no path %u", m->collection,
		       path);
}

int mapping_expand(const struct mapping *m, struct maria *db, const struct mapping_expansion *what,
		   struct arena *arena, struct mapping_keys *ret, struct str *ret_cursor,
		   struct err *err)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX],
	    *root[MAPPING_KEY_COLUMNS_MAX];
	struct maria_value params[3 * MAPPING_KEY_COLUMNS_MAX + 1];
	struct str parts[MAPPING_KEY_COLUMNS_MAX], last;
	const struct mapping_way *w;
	size_t i = 0, n;
	int r = find_way(m, what->path, &i, err);

	if (r < 0)
		return r;
	w = &m->ways[i];
	ret->len = 0;
	*ret_cursor = (struct str){NULL, 0};
	/* The value has the changed row's type, and is compared with the row above. */
	for (n = 0; n < w->n_values; n++)
		columns[n] = &w->level->links[n].child_column;
	if (!mapping_key_split(what->key, columns, w->n_values, arena, parts))
		return 0; /* no column can have this value: it joins nothing */
	for (n = 0; n < w->n_values; n++)
		params[n] = mapping_key_value(parts[n], columns[n], arena);
	if (what->cursor.len) {
		mapping_key_columns(m, root);
		if (!mapping_key_split(what->cursor, root, m->root->n_links, arena, parts))
			return bad_cursor(err);
		n += bind_after(root, parts, m->root->n_links, arena, params + n);
	}
	params[n++] = MARIA_U(what->limit);
	r = run(db, what->cursor.len ? w->next_sql : w->first_sql, params, n, arena, ret, err);
	if (r < 0)
		return err_context(err, "expanding %s", m->paths[i].description);
	if (ret->len && ret->len >= what->limit) {
		last = ret->items[ret->len - 1];
		*ret_cursor = arena_str(arena, last);
	}
	return 0;
}

int mapping_expand_many(const struct mapping *m, struct maria *db,
			const struct mapping_expansions *what, struct arena *arena,
			struct mapping_keys *ret, struct err *err)
{
	struct maria_value params[MAPPING_EXPAND_MANY + 1];
	const struct schema_column *column;
	size_t i = 0, n = 0, bucket = 0;
	int r = find_way(m, what->path, &i, err);

	bug_if(what->n > MAPPING_EXPAND_MANY);
	ret->len = 0;
	if (r < 0 || !m->ways[i].many_sql[0])
		return r;
	column = &m->ways[i].level->links[0].child_column;
	for (size_t k = 0; k < what->n; k++) {
		struct str part;

		/* A value that no column can have joins nothing. */
		if (mapping_key_split(what->keys[k], &column, 1, arena, &part))
			params[n++] = mapping_key_value(part, column, arena);
	}
	if (!n)
		return 1;
	while (mapping_many_buckets[bucket] < n)
		bucket++;
	for (; n < mapping_many_buckets[bucket]; n++) /* asked twice, found once */
		params[n] = params[n - 1];
	params[n++] = MARIA_U(what->limit);
	r = run(db, m->ways[i].many_sql[bucket], params, n, arena, ret, err);
	if (r < 0)
		return err_context(err, "expanding many of %s", m->paths[i].description);
	return ret->len < what->limit;
}
