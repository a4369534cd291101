/* All mappings of a folder. */
#include "mapping/mapping_int.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/banned.h"

static int is_mapping_file(const struct dirent *e)
{
	const char *name = e->d_name;
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && cstr_equal(name + n - 5, ".yaml");
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

static int add_file(struct mapping_set *set, const char *path, const struct schema *schema,
		    struct err *err)
{
	_cleanup_(mapping_freep) struct mapping *m = NULL;
	int r = mapping_load(path, &m, err);

	if (r == 0)
		r = check_names(set, m, err);
	if (r == 0)
		r = mapping_bind(m, schema, err);
	if (r == 0)
		set->items[set->len++] = TAKE_PTR(m);
	return r;
}

int mapping_set_load(const char *dir, const struct schema *schema, struct mapping_set *ret,
		     struct err *err)
{
	struct mapping_set set = {0};
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_mapping_file, alphasort), r = 0;

	if (n < 0) {
		(void)err_set(err, ERR_NOT_FOUND,
			      "could not open the folder of mappings \"%s\": %s", dir,
			      strerror(errno));
		return err_hint(err, "set mapping.dir to the folder with the mapping files");
	}
	set.items = mem_alloc_array((size_t)n, sizeof(*set.items));
	for (int i = 0; i < n; i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, names[i]->d_name);

		if (r == 0)
			r = add_file(&set, path, schema, err);
		mem_free(names[i]);
	}
	mem_free(names);
	if (r < 0) {
		mapping_set_done(&set);
		return r;
	}
	qsort(set.items, set.len, sizeof(*set.items), compare_collections);
	*ret = set;
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
