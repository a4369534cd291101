/*
 * Reading: level by level, for all documents of a batch at once.
 *
 * Each level keeps groups, one for each distinct value by which rows above it ask, found by the
 * value's bytes. When the rows of a level have come, each notes the numbers of its groups in the
 * levels below; then those levels are read. Rows lie in one arena, each in one piece: header,
 * slots, group numbers, texts. A tree is read in rounds, until no node has a parent that is not
 * there yet.
 */
#include "mapping/mapping_int.h"

#include "base/banned.h"

static int over_limit(struct mapping_reader *r, struct err *err)
{
	r->is_over = true;
	return err_set(err, ERR_LIMIT, "the rows of the batch are above %zu bytes", r->max_bytes);
}

/* --- groups ----------------------------------------------------------------------------------- */

static const struct str *group_parts(const struct mapping_group *g)
{
	return g->more ? g->more : g->parts;
}

/* The bytes that name several values: each with its length before it. */
static struct str pack(struct mapping_reader *r, const struct str *parts, size_t n)
{
	size_t len = 0, at = 0;
	char *bytes;

	for (size_t i = 0; i < n; i++)
		len += sizeof(size_t) + parts[i].len;
	bytes = arena_alloc(&r->arena, len);
	for (size_t i = 0; i < n; i++) {
		memcpy(bytes + at, &parts[i].len, sizeof(size_t));
		at += sizeof(size_t);
		if (parts[i].len)
			memcpy(bytes + at, parts[i].data, parts[i].len);
		at += parts[i].len;
	}
	r->bytes += len;
	return (struct str){bytes, len};
}

/* The number of the group of these values; the bytes must live as long as the reader. */
static uint32_t group_of(struct mapping_reader *r, const struct mapping_level *level,
			 const struct str *parts)
{
	struct mapping_rows *rows = &r->levels[level->index];
	struct str key = level->n_links == 1 ? parts[0] : pack(r, parts, level->n_links);
	void **slot = map_put(&rows->by_value, key);
	struct mapping_group *g;

	if (*slot)
		return (uint32_t)((uintptr_t)*slot - 1);
	bug_if(rows->len >= MAPPING_NO_GROUP - 1);
	mem_grow(&rows->groups, &rows->cap, rows->len + 1, sizeof(*rows->groups));
	g = &rows->groups[rows->len++];
	*g = (struct mapping_group){.parts = {parts[0]}};
	if (level->n_links > 1) {
		g->more = arena_alloc(&r->arena, level->n_links * sizeof(*g->more));
		memcpy(g->more, parts, level->n_links * sizeof(*g->more));
	}
	r->bytes += sizeof(*g) + sizeof(struct map_entry) * 2;
	*slot = (void *)(uintptr_t)rows->len;
	return (uint32_t)(rows->len - 1);
}

static uint32_t child_group(struct mapping_reader *r, const struct mapping_level *child,
			    const struct mapping_row *row)
{
	struct str parts[MAPPING_KEY_COLUMNS_MAX];

	for (size_t i = 0; i < child->n_links; i++) {
		parts[i] = row->values[child->links[i].parent_slot];
		if (!parts[i].data)
			return MAPPING_NO_GROUP; /* NULL joins nothing */
	}
	return group_of(r, child, parts);
}

/* --- rows ------------------------------------------------------------------------------------- */

static struct mapping_row *copy_row(struct mapping_reader *r, const struct mapping_level *level,
				    const struct maria_rows *result)
{
	size_t n_groups = level->kind == FIELD_TREE ? 1 : level->n_children, size = 0;
	struct mapping_row *row;
	char *at;

	for (size_t i = 0; i < level->n_slots; i++)
		size += maria_rows_str(result, i + 1).len + 1;
	size += sizeof(*row) + level->n_slots * sizeof(struct str) + n_groups * sizeof(uint32_t);
	row = arena_alloc(&r->arena, size);
	r->bytes += size;
	row->values = (struct str *)(row + 1);
	row->groups = (uint32_t *)(row->values + level->n_slots);
	at = (char *)(row->groups + n_groups);
	for (size_t i = 0; i < level->n_slots; i++) {
		struct str v = maria_rows_str(result, i + 1);

		if (!v.data)
			continue;
		if (v.len)
			memcpy(at, v.data, v.len);
		row->values[i] = (struct str){at, v.len};
		at += v.len + 1;
	}
	return row;
}

/* The group that a row of the result belongs to, or NULL. */
static struct mapping_group *find_group(const struct mapping_reader *r,
					const struct mapping_level *level, size_t base, size_t n,
					const struct maria_rows *result, struct str link)
{
	const struct mapping_rows *rows = &r->levels[level->index];
	uint64_t i = 0;

	if (level->is_list) {
		uintptr_t found = (uintptr_t)map_get(&rows->by_value, link);

		return found ? &rows->groups[found - 1] : NULL;
	}
	if (parse_uint64(link, n, &i, NULL) < 0 || i == 0)
		return NULL;
	i += base - 1;
	if (level->is_root) { /* the server's equality is not that of bytes */
		struct str key = maria_rows_str(result, level->n_slots + 1);

		if (!key.data || !str_equal(key, r->keys[r->items[i]]))
			return NULL;
	}
	return &rows->groups[i];
}

static int take_row(struct mapping_reader *r, const struct mapping_level *level, size_t base,
		    size_t n, const struct maria_rows *result, struct err *err)
{
	struct mapping_group *g = find_group(r, level, base, n, result, maria_rows_str(result, 0));
	struct mapping_row *row;

	if (!g)
		return 0;
	row = copy_row(r, level, result);
	if (g->last)
		g->last->next = row;
	else
		g->first = row;
	g->last = row; /* `g` is not used below: a tree's group may move */
	if (level->kind == FIELD_TREE)
		row->groups[0] =
		    row->values[0].data ? group_of(r, level, &row->values[0]) : MAPPING_NO_GROUP;
	for (size_t i = 0; i < level->n_children; i++)
		row->groups[i] = child_group(r, level->children[i], row);
	return r->bytes > r->max_bytes ? over_limit(r, err) : 0;
}

/* --- queries ---------------------------------------------------------------------------------- */

/* [["a","b"],…] of the groups' values. */
static struct str values_json(struct mapping_reader *r, const struct mapping_level *level,
			      size_t base, size_t n)
{
	const struct mapping_rows *rows = &r->levels[level->index];
	static const char digits[] = "0123456789ABCDEF";

	strbuf_clear(&r->scratch);
	strbuf_addch(&r->scratch, '[');
	for (size_t i = 0; i < n; i++) {
		const struct str *parts = group_parts(&rows->groups[base + i]);

		strbuf_addstr(&r->scratch, i ? ",[" : "[");
		for (size_t j = 0; j < level->n_links; j++) {
			bool is_hex =
			    level->links[j].parent_column.type == SCHEMA_BYTES && !level->is_root;

			strbuf_addstr(&r->scratch, j ? "," : "");
			if (!is_hex) {
				strbuf_add_json(&r->scratch, parts[j].data, parts[j].len);
				continue;
			}
			strbuf_addch(&r->scratch, '"');
			for (size_t k = 0; k < parts[j].len; k++) {
				strbuf_addch(&r->scratch,
					     digits[(unsigned char)parts[j].data[k] >> 4]);
				strbuf_addch(&r->scratch,
					     digits[(unsigned char)parts[j].data[k] & 15]);
			}
			strbuf_addch(&r->scratch, '"');
		}
		strbuf_addch(&r->scratch, ']');
	}
	strbuf_addch(&r->scratch, ']');
	return strbuf_slice(&r->scratch);
}

/* The parameters of one statement; ret_n tells how many. The caller frees them. */
static struct maria_value *bind_values(struct mapping_reader *r, const struct mapping_level *level,
				       size_t base, size_t n, size_t *ret_n, const char **ret_sql)
{
	const struct mapping_rows *rows = &r->levels[level->index];
	size_t bucket = 0, wide = 1;
	struct maria_value *params;

	if (level->is_list) {
		while (mapping_buckets[bucket] < n)
			bucket++;
		wide = mapping_buckets[bucket];
	}
	params = mem_alloc_array(wide * level->n_tables, sizeof(*params));
	if (!level->is_list)
		params[0] = MARIA_STR(values_json(r, level, base, n));
	for (size_t i = 0; level->is_list && i < wide; i++) {
		const struct mapping_group *g = &rows->groups[base + (i < n ? i : n - 1)];

		params[i] =
		    mapping_key_value(g->parts[0], &level->links[0].parent_column, &r->arena);
	}
	for (size_t i = 1; i < level->n_tables; i++)
		memcpy(params + i * wide, params, wide * sizeof(*params));
	*ret_n = wide * level->n_tables;
	*ret_sql = level->sql[bucket];
	return params;
}

static int read_groups(struct mapping_reader *r, const struct mapping_level *level, size_t base,
		       size_t n, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *result = NULL;
	_cleanup_(mem_freep) struct maria_value *params = NULL;
	const char *sql;
	size_t n_params;
	int s;

	params = bind_values(r, level, base, n, &n_params, &sql);
	if (r->scratch.overflow)
		return over_limit(r, err);
	s = maria_query(r->db, sql, params, n_params, &result, err);
	if (s < 0)
		return s;
	while ((s = maria_rows_next(result, err)) > 0) {
		s = take_row(r, level, base, n, result, err);
		if (s < 0)
			return s;
	}
	return s;
}

static int read_level(struct mapping_reader *r, const struct mapping_level *level, struct err *err)
{
	struct mapping_rows *rows = &r->levels[level->index];

	/* A tree grows while it is read. Its rounds are bounded: what is deeper is refused. */
	for (size_t round = 0; rows->read < rows->len && round <= MAPPING_TREE_MAX; round++) {
		size_t end = rows->len;

		while (rows->read < end) {
			size_t n = end - rows->read;
			int s;

			if (n > MAPPING_VALUES_MAX)
				n = MAPPING_VALUES_MAX;
			s = read_groups(r, level, rows->read, n, err);
			if (s < 0)
				return err_context(err, "reading %s",
						   level->is_root ? r->m->collection : level->path);
			rows->read += n;
		}
	}
	return 0;
}

/* --- batches ---------------------------------------------------------------------------------- */

static void reader_done(struct mapping_reader *r)
{
	for (size_t i = 0; r->levels && i < r->m->n_levels; i++) {
		map_done(&r->levels[i].by_value);
		mem_free(r->levels[i].groups);
	}
	mem_free(r->levels);
	mem_free(r->items);
	strbuf_done(&r->scratch);
	arena_done(&r->arena);
}

/* Root groups of the keys that a row can have; returns the group of each key. */
static uint32_t *ask_for_keys(struct mapping_reader *r, const struct str *keys, size_t n)
{
	const struct schema_column *columns[MAPPING_KEY_COLUMNS_MAX] = {0};
	uint32_t *groups = mem_alloc_array(n, sizeof(*groups));
	const struct mapping_level *root = r->m->root;
	struct str parts[MAPPING_KEY_COLUMNS_MAX];

	mapping_key_columns(r->m, columns);
	r->keys = keys;
	r->items = mem_alloc_array(n, sizeof(*r->items));
	for (size_t i = 0; i < n; i++) {
		groups[i] = MAPPING_NO_GROUP;
		if (keys[i].len > MAPPING_KEY_MAX ||
		    !mapping_key_split(keys[i], columns, root->n_links, &r->arena, parts))
			continue;
		groups[i] = group_of(r, root, parts);
		r->items[groups[i]] = i;
	}
	return groups;
}

static void refuse(struct mapping_batch *b, struct mapping_document *d, const struct err *err)
{
	bson_destroy(d->document);
	d->document = NULL;
	d->state = MAPPING_REFUSED;
	d->error = arena_alloc(&b->arena, sizeof(*d->error));
	*d->error = *err;
}

static int build_all(struct mapping_reader *r, const uint32_t *groups, struct mapping_batch *b,
		     struct err *err)
{
	const struct mapping_rows *root = &r->levels[0];

	for (size_t i = 0; i < b->len; i++) {
		struct mapping_document *d = &b->items[i];
		const struct mapping_row *row =
		    groups[i] == MAPPING_NO_GROUP ? NULL : root->groups[groups[i]].first;
		struct err why = {0};

		if (!row)
			continue;
		d->document = bson_sized_new(512);
		if (mapping_build(r, d->key, row, d->document, &why) < 0) {
			refuse(b, d, &why);
			continue;
		}
		d->state = MAPPING_PRESENT;
		r->bytes += d->document->len;
		if (r->bytes > r->max_bytes && b->len > 1)
			return over_limit(r, err);
	}
	return 0;
}

void mapping_batch_clear(struct mapping_batch *b)
{
	for (size_t i = 0; i < b->len; i++)
		bson_destroy(b->items[i].document);
	arena_clear(&b->arena);
	b->len = 0;
	b->items = NULL;
}

void mapping_batch_done(struct mapping_batch *b)
{
	mapping_batch_clear(b);
	arena_done(&b->arena);
}

static void batch_start(struct mapping_batch *b, const struct str *keys, size_t n)
{
	mapping_batch_clear(b);
	b->items = arena_alloc(&b->arena, (n + 1) * sizeof(*b->items));
	b->len = n;
	for (size_t i = 0; i < n; i++)
		b->items[i].key = arena_str(&b->arena, keys[i]);
}

int mapping_read(const struct mapping *m, struct maria *db, const struct str *keys, size_t n,
		 size_t max_bytes, struct mapping_batch *ret, struct err *err)
{
	_cleanup_(reader_done) struct mapping_reader r = {
	    .m = m, .db = db, .max_bytes = max_bytes, .scratch = STRBUF_INIT(0)};
	_cleanup_(mem_freep) uint32_t *groups = NULL;
	int s = 0;

	batch_start(ret, keys, n);
	r.levels = mem_alloc_array(m->n_levels, sizeof(*r.levels));
	groups = ask_for_keys(&r, keys, n);
	for (size_t i = 0; s == 0 && i < m->n_levels; i++)
		s = read_level(&r, m->levels[i], err);
	if (s == 0)
		s = build_all(&r, groups, ret, err);
	if (s < 0 && r.is_over && n == 1) {
		struct err why = {0};

		err_set(&why, ERR_DOCUMENT, "the rows of the document are above %zu bytes",
			max_bytes);
		refuse(ret, &ret->items[0], &why);
		return 0;
	}
	if (s < 0)
		mapping_batch_clear(ret);
	return s;
}

int mapping_present(const struct mapping *m, struct maria *db, const struct str *keys, size_t n,
		    bool *ret_present, struct err *err)
{
	_cleanup_(reader_done) struct mapping_reader r = {
	    .m = m, .db = db, .max_bytes = SIZE_MAX, .scratch = STRBUF_INIT(0)};
	_cleanup_(mem_freep) uint32_t *groups = NULL;
	int s;

	r.levels = mem_alloc_array(m->n_levels, sizeof(*r.levels));
	groups = ask_for_keys(&r, keys, n);
	s = read_level(&r, m->root, err);
	for (size_t i = 0; i < n && s == 0; i++)
		ret_present[i] =
		    groups[i] != MAPPING_NO_GROUP && r.levels[0].groups[groups[i]].first != NULL;
	return s;
}
