/* `aethermart access`: who may see and do what, from rules/access.yaml to the servers. */
#include "cli/cli_govern.h"

#include "base/file.h"
#include "base/table.h"
#include "cluster/folder.h"
#include "cluster/layout.h"
#include "govern/audit.h"
#include "govern/dictionary.h"

#include <sodium.h>

#include "base/banned.h"

#define TEXT_MAX ((size_t)64 << 10)

/* --- the file, the schema, the server -------------------------------------------------------- */

void cli_govern_done(struct cli_govern *g)
{
	access_free(g->access);
	mapping_set_done(&g->mappings);
	schema_free(g->schema);
	g->db = maria_close(g->db);
	arena_done(&g->arena);
}

const char *cli_access_rules(const struct command_line *line, struct arena *arena)
{
	const char *path = config_text(line->config, "access.rules");

	return path ? path : endpoint_share_path(line->config, arena, "rules/access.yaml");
}

int cli_govern_open(const struct command_line *line, struct cli_govern *g, struct err *err)
{
	struct access_databases databases = {.warehouse =
						 config_text(line->config, "warehouse.database")};
	const char *shop = config_text(line->config, "mariadb.database");
	int r = access_load(cli_access_rules(line, &g->arena), &g->access, err);

	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &g->db, err);
	if (r == 0)
		r = schema_load(g->db, shop, &g->schema, err);
	if (r == 0)
		r = mapping_set_load(cli_mapping_dir(line, &g->arena), g->schema, &g->mappings,
				     err);
	databases.shop = g->schema;
	return r < 0 ? r : access_bind(g->access, &g->mappings, &databases, g->db, err);
}

int cli_govern_key(const struct command_line *line, const char *name, unsigned char ret[32],
		   struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *dir =
	    arena_printf(&arena, "%s/secrets", endpoint_var_dir(line->config, &arena));
	const char *secret;
	int r = dir_make(dir, 0700, err);

	if (r == 0)
		r = folder_secret(arena_printf(&arena, "%s/%s", dir, name), &arena, &secret, err);
	if (r == 0)
		crypto_generichash(ret, 32, (const unsigned char *)secret, strlen(secret), NULL, 0);
	return r;
}

int cli_govern_audit(struct maria *db, const struct audit_event *event, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct audit_event e = *event;

	e.actor = audit_os_actor(&arena);
	return audit_append(db, &e, err);
}

/* --- show ------------------------------------------------------------------------------------ */

static const char *list_text(struct arena *arena, const struct access_objects *list)
{
	return list->n ? arena_printf(arena, "%zu", list->n) : "";
}

static json_t *role_json(const struct access_role *role)
{
	json_t *json = json_pack("{s:s,s:s,s:b}", "role", role->name, "clearance",
				 role->clearance->name, "everything", role->has_everything);

	for (size_t i = 0; i < ACCESS_VERBS; i++) {
		json_t *list = json_array();

		for (size_t j = 0; j < role->verbs[i].n; j++)
			json_array_append_new(list, json_string(role->verbs[i].names[j]));
		json_object_set_new(json, access_verb_name((enum access_verb)i), list);
	}
	json_object_set_new(json, "http", json_array());
	for (unsigned bit = 1; bit <= ACCESS_HTTP_ALL; bit <<= 1)
		if (role->http & bit)
			json_array_append_new(json_object_get(json, "http"),
					      json_string(access_http_name(bit)));
	return json;
}

static int show_json(const struct access *a, struct err *err)
{
	json_t *roles = json_array(), *people = json_array();

	for (size_t i = 0; i < a->n_roles; i++)
		json_array_append_new(roles, role_json(&a->roles[i]));
	for (size_t i = 0; i < a->n_people; i++)
		json_array_append_new(
		    people, json_pack("{s:s,s:s,s:s}", "person", a->people[i].name, "host",
				      a->people[i].host, "role", a->people[i].role->name));
	return cli_print_json(json_pack("{s:o,s:o}", "roles", roles, "people", people), err);
}

static int show_roles(struct cli_govern *p, struct err *err)
{
	static const char *const titles[] = {"ROLE",	"CLEARANCE", ">READ",  ">INSERT", ">UPDATE",
					     ">DELETE", ">CALL",     "PEOPLE", NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	const struct access *a = p->access;

	for (size_t i = 0; i < a->n_roles; i++) {
		const struct access_role *role = &a->roles[i];
		const char *cells[ARRAY_LEN(titles) - 1] = {role->name, role->clearance->name};
		const char *people = "";

		for (size_t v = 0; v < ACCESS_VERBS; v++)
			cells[2 + v] =
			    role->has_everything ? "all" : list_text(&p->arena, &role->verbs[v]);
		for (size_t k = 0; k < a->n_people; k++)
			if (a->people[k].role == role)
				people = arena_printf(&p->arena, "%s%s%s", people,
						      *people ? ", " : "", a->people[k].name);
		cells[2 + ACCESS_VERBS] = people;
		table_add(table, cells);
	}
	table_print(table, stdout);
	printf("\nNumbers of tables, views and procedures: `aethermart access show ROLE` names "
	       "them.\n");
	return cli_flush(err);
}

struct seen {
	const struct access_role *role;
	struct table *table;
	json_t *list;
};

static void show_column(const struct access *a, struct seen *s, const char *object,
			const char *column)
{
	const char *pii = access_class(a, object, column);
	enum access_mask mask = access_mask_in(s->role->clearance, pii);

	if (s->list)
		json_array_append_new(s->list, json_pack("{s:s,s:s,s:s?,s:s}", "object", object,
							 "column", column, "class", pii, "seen",
							 access_mask_name(mask)));
	else
		table_add(s->table, (const char *const[]){object, column, pii ? pii : "-",
							  access_mask_name(mask)});
}

static void print_http(const struct access_role *role)
{
	const char *before = "\nOver HTTP: ";

	for (unsigned bit = 1; bit <= ACCESS_HTTP_ALL; bit <<= 1) {
		if (!(role->http & bit))
			continue;
		printf("%s%s", before, access_http_name(bit));
		before = ", ";
	}
	if (role->http)
		printf("\n");
}

static int show_role(const struct command_line *line, struct cli_govern *p, const char *name,
		     struct err *err)
{
	static const char *const titles[] = {"TABLE OR VIEW", "COLUMN", "CLASS", "SEEN", NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	struct seen s = {.table = table, .list = line->json ? json_array() : NULL};

	s.role = access_find_role(p->access, name);
	if (!s.role) {
		json_decref(s.list);
		return err_set(err, ERR_NOT_FOUND, "there is no role \"%.60s\"", name);
	}
	for (size_t i = 0; i < s.role->verbs[ACCESS_READ].n; i++) {
		const char *object = s.role->verbs[ACCESS_READ].names[i];
		const struct schema_table *t = schema_find_table(p->schema, object);

		for (size_t j = 0; j < t->n_columns; j++)
			show_column(p->access, &s, object, t->columns[j].name);
	}
	if (line->json)
		return cli_print_json(s.list, err);
	table_print(table, stdout);
	print_http(s.role);
	return cli_flush(err);
}

static int run_show(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_govern_done) struct cli_govern p = {0};
	int r = cli_govern_open(line, &p, err);

	if (r < 0)
		return r;
	if (line->argc)
		return show_role(line, &p, line->argv[0], err);
	return line->json ? show_json(p.access, err) : show_roles(&p, err);
}

/* --- check, diff ----------------------------------------------------------------------------- */

static const char *state_text(const struct access_difference *d)
{
	static const char *const texts[] = {"missing", "beyond", "foreign"};

	return texts[d->state];
}

static int print_difference(const struct command_line *line, json_t *list,
			    const struct access_difference *d, bool as_sql)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(TEXT_MAX);

	access_item_text(&d->item, &b);
	if (line->json)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s?}", "state", state_text(d),
						      "what", strbuf_str(&b), "sql", d->sql));
	else if (as_sql && d->sql)
		printf("%s;\n", d->sql);
	else if (as_sql)
		printf("-- %s: %s\n", state_text(d), strbuf_str(&b));
	else
		printf("%-8s %s\n", state_text(d), strbuf_str(&b));
	return 0;
}

static int print_differences(const struct command_line *line, const struct access_diff *diff,
			     bool as_sql, struct err *err)
{
	json_t *list = line->json ? json_array() : NULL;

	for (size_t i = 0; i < diff->n; i++)
		(void)print_difference(line, list, &diff->items[i], as_sql);
	return line->json ? cli_print_json(list, err) : cli_flush(err);
}

static int run_check(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_govern_done) struct cli_govern p = {0};
	_cleanup_(access_diff_done) struct access_diff diff = {0};
	int r = cli_govern_open(line, &p, err);

	if (r == 0)
		r = access_compare(p.access, p.db, &diff, err);
	if (r == 0)
		r = print_differences(line, &diff, false, err);
	if (r < 0)
		return r;
	if (diff.n) {
		(void)err_set(err, ERR_DIFFERENT, "MariaDB and \"%s\" differ in %zu things",
			      cli_access_rules(line, &p.arena), diff.n);
		return diff.n > diff.n_foreign
			   ? err_hint(err, "`aethermart access apply` brings the file about")
			   : err_hint(err,
				      "take these rights back, or name the accounts in the file");
	}
	if (!line->json)
		printf("MariaDB grants what the file says: %zu roles, %zu people, %zu things "
		       "checked.\n",
		       p.access->n_roles, p.access->n_people, access_plan_items(p.access)->n);
	return cli_flush(err);
}

static int run_diff(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_govern_done) struct cli_govern p = {0};
	_cleanup_(access_diff_done) struct access_diff diff = {0};
	int r = cli_govern_open(line, &p, err);

	if (r == 0)
		r = access_compare(p.access, p.db, &diff, err);
	return r < 0 ? r : print_differences(line, &diff, true, err);
}

/* --- apply ----------------------------------------------------------------------------------- */

static int password_of(void *arg, const char *account, struct arena *arena, const char **ret,
		       struct err *err)
{
	const char *name = arena_strndup(arena, account, strcspn(account, "@"));

	return folder_secret(layout_secret(arena, arg, "mariadb", name), arena, ret, err);
}

static int run_apply(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_govern_done) struct cli_govern p = {0};
	const char *var_dir = endpoint_var_dir(line->config, &p.arena);
	unsigned char key[ACCESS_KEY_SIZE];
	struct access_apply how = {.pseudonym_key = key,
				   .adopts = command_text(line, "adopt") != NULL,
				   .password = password_of,
				   .arg = (void *)(uintptr_t)var_dir};
	size_t changes = 0, columns;
	int r = cli_govern_open(line, &p, err);

	if (r == 0 && !endpoint_is_embedded_maria(line->config) &&
	    !cli_confirm(line,
			 "This makes and changes roles, accounts and views on the server. Go on?"))
		return err_set(err, ERR_INTERRUPTED, "nothing was done");
	if (r == 0)
		r = cli_govern_key(line, "pseudonym", key, err);
	if (r == 0)
		r = access_apply(p.access, p.db, &how, &changes, err);
	sodium_memzero(key, sizeof(key));
	if (r == 0)
		r = dictionary_write(p.access, p.schema, &p.mappings, p.db, &columns, err);
	if (r == 0 && changes)
		r = cli_govern_audit(p.db,
				     &(struct audit_event){.action = "access.apply",
							   .object = "MariaDB",
							   .rows = changes,
							   .outcome = "done"},
				     err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I}", "changes", (json_int_t)changes), err);
	printf("%zu change%s: %zu roles, %zu people. Passwords: %s/secrets/mariadb-NAME\n", changes,
	       changes == 1 ? "" : "s", p.access->n_roles, p.access->n_people, var_dir);
	return cli_flush(err);
}

static const struct command_option apply_options[] = {
    CLI_OPTION_YES,
    {.name = "adopt",
     .type = COMMAND_FLAG,
     .help = "take over roles and accounts of these names that are there"},
    {0},
};

static const struct command command_access_show = {
    .name = "show",
    .summary = "roles and people, or what a role sees of each column",
    .arguments = "[ROLE]",
    .max_args = 1,
    .run = run_show,
};
static const struct command command_access_check = {
    .name = "check",
    .summary = "whether MariaDB grants what the file says",
    .help =
	"Each difference is named; with any the exit status is 14. `missing` is in the file alone, "
	"`beyond` on the server alone. `foreign` is a right on the shop of an account that the "
	"file "
	"does not know: apply leaves it alone.",
    .run = run_check,
};
static const struct command command_access_diff = {
    .name = "diff",
    .summary = "the statements that `apply` would run",
    .run = run_diff,
};
static const struct command command_access_apply = {
    .name = "apply",
    .summary = "makes roles, accounts, grants and masked views as the file says",
    .options = apply_options,
    .run = run_apply,
};

static const struct command *const children[] = {
    &command_access_show, &command_access_check, &command_access_diff, &command_access_apply, NULL,
};

const struct command command_access = {
    .name = "access",
    .summary = "who may see and do what",
    .help = "The file rules/access.yaml says it; docs/governance.md describes its language.",
    .children = children,
};
