/* All mappings of a folder. */
#include "mapping/mapping_int.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/banned.h"

static bool is_mapping_file(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && cstr_equal(name + n - 5, ".yaml");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
	struct arena arena;
	char **items;
	size_t len, cap;
};

static void names_done(struct names *n)
{
	mem_free(n->items);
	arena_done(&n->arena);
}

static int list_files(const char *dir, struct names *ret, struct err *err)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int r;

	if (!d) {
		r = err_set(err, ERR_NOT_FOUND, "could not open the folder of mappings \"%s\": %s",
			    dir, strerror(errno));
		err_hint(err, "set mapping.dir to the folder with the mapping files");
		return r;
	}
	while ((e = readdir(d))) {
		if (!is_mapping_file(e->d_name))
			continue;
		mem_grow(&ret->items, &ret->cap, ret->len + 1, sizeof(char *));
		ret->items[ret->len++] = arena_printf(&ret->arena, "%s/%s", dir, e->d_name);
	}
	closedir(d);
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(char *), compare_names);
	return 0;
}

static int check_names(const struct mapping_set *set, const struct mapping *m, struct err *err)
{
	for (size_t i = 0; i < set->len; i++) {
		const struct mapping *other = set->items[i];

		/* Names of triggers know no case on some systems, and people confuse them. */
		if (strcasecmp(other->collection, m->collection) == 0)
			return ynode_error(m->collection_node, err,
					   "collection \"%s\" is already that of %s", m->collection,
					   other->file);
		if (strcasecmp(other->queue, m->queue) == 0)
			return ynode_error(m->queue_node, err, "queue \"%s\" is already that of %s",
					   m->queue, other->file);
	}
	return 0;
}

static int compare_collections(const void *a, const void *b)
{
	return strcmp((*(struct mapping *const *)a)->collection,
		      (*(struct mapping *const *)b)->collection);
}

int mapping_set_load(const char *dir, const struct schema *schema, struct mapping_set *ret,
		     struct err *err)
{
	_cleanup_(mapping_set_done) struct mapping_set set = {0};
	_cleanup_(names_done) struct names names = {0};
	int r = list_files(dir, &names, err);

	if (r < 0)
		return r;
	set.items = mem_alloc_array(names.len, sizeof(*set.items));
	for (size_t i = 0; i < names.len; i++) {
		_cleanup_(mapping_freep) struct mapping *m = NULL;

		r = mapping_load(names.items[i], &m, err);
		if (r == 0)
			r = check_names(&set, m, err);
		if (r == 0)
			r = mapping_bind(m, schema, err);
		if (r < 0)
			return r;
		set.items[set.len++] = TAKE_PTR(m);
	}
	if (set.len)
		qsort(set.items, set.len, sizeof(*set.items), compare_collections);
	*ret = set;
	set = (struct mapping_set){0};
	return 0;
}

void mapping_set_done(struct mapping_set *set)
{
	for (size_t i = 0; i < set->len; i++)
		mapping_free(set->items[i]);
	mem_free(set->items);
	*set = (struct mapping_set){0};
}

const struct mapping *mapping_set_find(const struct mapping_set *set, const char *collection)
{
	for (size_t i = 0; i < set->len; i++) {
		if (cstr_equal(set->items[i]->collection, collection))
			return set->items[i];
	}
	return NULL;
}
