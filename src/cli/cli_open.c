/* Connections for verbs: see cli.h. */
#include "cli/cli.h"

#include "base/mem.h"
#include "store/schema.h"

#include "base/banned.h"

int cli_open_maria(const struct command_line *line, enum endpoint_role role, struct maria **ret,
		   struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct maria_options options = {0};
	int r = endpoint_maria(line->config, role, &arena, &options, err);

	if (r < 0)
		return r;
	return maria_open(&options, ret, err);
}

int cli_open_mongo(const struct command_line *line, enum endpoint_role role, struct mongo **ret,
		   struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct mongo_options options = {0};
	int r = endpoint_mongo(line->config, role, &arena, &options, err);

	if (r < 0)
		return r;
	options.pool_max = 1; /* a verb is one thread */
	return mongo_open(&options, ret, err);
}

const char *cli_mapping_dir(const struct command_line *line, struct arena *arena)
{
	const char *dir = config_text(line->config, "mapping.dir");

	return dir ? dir : endpoint_share_path(line->config, arena, "mapping");
}

const char *cli_nearest_collection(const struct mapping_set *set, const char *name)
{
	_cleanup_(mem_freep) const char **names = mem_alloc_array(set->len + 1, sizeof(*names));

	for (size_t i = 0; i < set->len; i++)
		names[i] = mapping_collection(set->items[i]);
	return cstr_nearest(name, names);
}

int cli_find_collection(const struct command_line *line, const struct mapping_set *set,
			const struct mapping **ret, struct err *err)
{
	const char *name = command_text(line, "collection");

	*ret = name ? mapping_set_find(set, name) : NULL;
	if (*ret || !name)
		return 0;
	(void)err_set(err, ERR_NOT_FOUND, "no mapping makes the collection \"%s\"", name);
	(void)err_near(err, cli_nearest_collection(set, name));
	return err_hint(err, "`aethermart mapping show` lists them");
}

int cli_shop_open(const struct command_line *line, enum endpoint_role role, struct cli_shop *ret,
		  struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	int r = ret->db ? 0 : cli_open_maria(line, role, &ret->db, err);

	if (r == 0)
		r = schema_load(ret->db, config_text(line->config, "mariadb.database"),
				&ret->schema, err);
	return r < 0 ? r
		     : mapping_set_load(cli_mapping_dir(line, &arena), ret->schema, &ret->mappings,
					err);
}

void cli_shop_close(struct cli_shop *s)
{
	mapping_set_done(&s->mappings);
	s->schema = schema_free(s->schema);
	s->db = maria_close(s->db);
}

int cli_load_mappings(const struct command_line *line, struct maria *db, struct mapping_set *ret,
		      struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(schema_freep) struct schema *schema = NULL;
	int r = schema_load(db, config_text(line->config, "mariadb.database"), &schema, err);

	if (r < 0)
		return r;
	return mapping_set_load(cli_mapping_dir(line, &arena), schema, ret, err);
}
