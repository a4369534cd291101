/* `aethermart access`: who may see and do what, from rules/access.yaml to the servers. */
#include "cli/cli_access_mongo.h"
#include "cli/cli_govern.h"

#include "base/table.h"
#include "cluster/folder.h"
#include "cluster/home.h"
#include "cluster/layout.h"
#include "govern/audit.h"
#include "govern/dictionary.h"

#include <sodium.h>

#include "base/banned.h"

#define TEXT_MAX ((size_t)64 << 10)

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

static json_t *mongo_json(const struct command_line *line, struct cli_govern *p)
{
	_cleanup_(cli_access_mongo_done) struct cli_access_mongo m = {0};
	struct err why = {0};

	if (cli_access_mongo_open(line, p, &m, &why) < 0)
		return json_pack("{s:s}", "error", why.message);
	if (!m.is_there)
		return json_null();
	return json_pack("{s:b,s:s?,s:I}", "keeps_rights", !m.plan.breach, "breach", m.plan.breach,
			 "withheld", (json_int_t)m.plan.n_withheld);
}

static int show_json(const struct command_line *line, struct cli_govern *p, struct err *err)
{
	const struct access *a = p->access;
	json_t *roles = json_array(), *people = json_array();

	for (size_t i = 0; i < a->n_roles; i++)
		json_array_append_new(roles, role_json(&a->roles[i]));
	for (size_t i = 0; i < a->n_people; i++)
		json_array_append_new(
		    people, json_pack("{s:s,s:s,s:s}", "person", a->people[i].name, "host",
				      a->people[i].host, "role", a->people[i].role->name));
	return cli_print_json(json_pack("{s:o,s:o,s:o}", "roles", roles, "people", people,
					"mongodb", mongo_json(line, p)),
			      err);
}

/* That it is away is told, and no reason to show nothing. */
static void print_mongo(const struct command_line *line, struct cli_govern *p)
{
	_cleanup_(cli_access_mongo_done) struct cli_access_mongo m = {0};
	struct err why = {0};

	if (cli_access_mongo_open(line, p, &m, &why) < 0)
		cli_print_wrapped(0, "%s", why.message);
	else
		cli_print_wrapped(0, "%s", cli_access_mongo_note(&m));
}

static int show_roles(const struct command_line *line, struct cli_govern *p, struct err *err)
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
	printf("\n");
	cli_print_wrapped(
	    0,
	    "Numbers of tables, views and procedures: `aethermart access show ROLE` names them.");
	print_mongo(line, p);
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
	_cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT(TEXT_MAX);

	for (unsigned bit = 1; bit <= ACCESS_HTTP_ALL; bit <<= 1)
		if (role->http & bit)
			strbuf_addf(&names, "%s%s", names.len ? ", " : "", access_http_name(bit));
	if (!role->http)
		return;
	printf("\n");
	cli_print_wrapped(2, "Over HTTP: %s", strbuf_str(&names));
}

static int show_role(const struct command_line *line, struct cli_govern *p, const char *name,
		     struct err *err)
{
	static const char *const titles[] = {"TABLE OR VIEW", "COLUMN", "CLASS", "SEEN", NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	struct seen s = {.table = table, .role = access_want_role(p->access, name, err)};

	if (!s.role)
		return -ERR_NOT_FOUND;
	s.list = line->json ? json_array() : NULL;
	for (size_t i = 0; i < s.role->verbs[ACCESS_READ].n; i++) {
		const char *object = s.role->verbs[ACCESS_READ].names[i];
		const struct schema_table *t = schema_find_table(p->shop.schema, object);

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
	return line->json ? show_json(line, &p, err) : show_roles(line, &p, err);
}

/* --- check, diff ----------------------------------------------------------------------------- */

/* Both servers with what differs. */
struct compared {
	struct cli_govern govern;
	struct cli_access_mongo mongo;
	struct access_diff diffs[2]; /* MariaDB's, MongoDB's */
	int mongo_result;	     /* 0, or why `diffs[1]` is empty */
	struct err mongo_error;
};

static const char *const server_names[] = {"MariaDB", "MongoDB"};

static void compared_done(struct compared *c)
{
	for (size_t i = 0; i < ARRAY_LEN(c->diffs); i++)
		access_diff_done(&c->diffs[i]);
	cli_access_mongo_done(&c->mongo);
	cli_govern_done(&c->govern);
}

/* A MongoDB that is away is no reason to tell nothing of MariaDB. */
static int compare(const struct command_line *line, struct compared *c, struct err *err)
{
	int r = cli_govern_open(line, &c->govern, err);

	if (r == 0)
		r = cli_access_compare(line, &c->govern, &c->diffs[0], err);
	if (r < 0 || command_has(line, "mariadb-only"))
		return r;
	r = cli_access_mongo_open(line, &c->govern, &c->mongo, &c->mongo_error);
	if (r == 0)
		r = cli_access_mongo_compare(&c->mongo, &c->diffs[1], &c->mongo_error);
	c->mongo_result = r;
	return 0;
}

/* What was not compared, after what was is printed. */
static int tell_mongo_error(const struct compared *c, struct err *err)
{
	if (c->mongo_result < 0)
		*err = c->mongo_error;
	return c->mongo_result;
}

static const char *state_text(const struct access_difference *d)
{
	static const char *const texts[] = {"missing", "beyond", "foreign", "stranger", "changed"};

	return texts[d->state];
}

static void print_difference(json_t *list, size_t server, const struct access_difference *d,
			     bool as_statements)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(TEXT_MAX);

	access_item_text(&d->item, &b);
	if (list)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s?}", "server",
						      server_names[server], "state", state_text(d),
						      "what", strbuf_str(&b), "sql", d->sql));
	else if (as_statements && d->sql)
		printf("%s;\n", d->sql);
	else if (as_statements)
		printf("%s %s: %s\n", server ? "//" : "--", state_text(d), strbuf_str(&b));
	else
		cli_print_wrapped(17, "%s %-8s %s", server_names[server], state_text(d),
				  strbuf_str(&b));
}

static int print_differences(const struct command_line *line, const struct compared *c,
			     bool as_statements, struct err *err)
{
	json_t *list = line->json ? json_array() : NULL;

	for (size_t i = 0; i < ARRAY_LEN(c->diffs); i++)
		for (size_t j = 0; j < c->diffs[i].n; j++)
			print_difference(list, i, &c->diffs[i].items[j], as_statements);
	return line->json ? cli_print_json(list, err) : cli_flush(err);
}

static void print_granted(const char *server, size_t roles, size_t people, size_t things)
{
	cli_print_wrapped(
	    0, "%s grants what the file says: %zu roles, %zu people, %zu things checked.", server,
	    roles, people, things);
}

static void print_granted_maria(const struct compared *c)
{
	print_granted(server_names[0], c->govern.access->n_roles, c->govern.access->n_people,
		      access_plan_items(c->govern.access)->n);
}

static int print_agreement(const struct command_line *line, struct compared *c, struct err *err)
{
	struct cli_access_mongo *m = &c->mongo;

	if (line->json)
		return cli_flush(err);
	print_granted_maria(c);
	if (m->is_there)
		print_granted(server_names[1], cli_access_mongo_count(m, ACCESS_ROLE),
			      cli_access_mongo_count(m, ACCESS_ACCOUNT), m->plan.wanted.n);
	if (!command_has(line, "mariadb-only"))
		cli_print_wrapped(0, "%s", cli_access_mongo_note(m));
	return cli_flush(err);
}

/* What to do about each kind of difference that there is. */
static int hint_remedies(const struct compared *c, struct err *err)
{
	static const char *const remedies[] = {
	    [ACCESS_MISSING] = "`aethermart access apply` brings the file about",
	    [ACCESS_BEYOND] = "`aethermart access apply` brings the file about",
	    [ACCESS_FOREIGN] = "foreign: take these rights back, or name the accounts in the file",
	    [ACCESS_STRANGER] = "stranger: choose another name in the file, or take it over with "
				"`access apply --adopt`",
	    [ACCESS_CHANGED] = "changed: open a locked account with ALTER USER NAME ACCOUNT UNLOCK "
			       "or take it out of the file; put what was altered back as sql/ has "
			       "it, or take it as it is with `access apply --accept`",
	};
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(TEXT_MAX);
	const char *before = NULL;

	for (size_t i = 0; i < ACCESS_STATES; i++) {
		if (c->diffs[0].n_of[i] + c->diffs[1].n_of[i] == 0 ||
		    (before && cstr_equal(before, remedies[i])))
			continue;
		strbuf_addf(&b, "%s%s", before ? "; " : "", remedies[i]);
		before = remedies[i];
	}
	return err_hint(err, "%s", strbuf_str(&b));
}

static int run_check(const struct command_line *line, struct err *err)
{
	_cleanup_(compared_done) struct compared c = {0};
	size_t n;
	int r = compare(line, &c, err);

	if (r == 0)
		r = print_differences(line, &c, false, err);
	if (r == 0 && c.mongo_result < 0 && !c.diffs[0].n && !line->json)
		print_granted_maria(&c);
	if (r == 0)
		r = tell_mongo_error(&c, err);
	if (r < 0)
		return r;
	n = c.diffs[0].n + c.diffs[1].n;
	if (!n)
		return print_agreement(line, &c, err);
	(void)err_set(err, ERR_DIFFERENT, "the servers and \"%s\" differ in %zu things",
		      cli_access_rules(line, &c.govern.arena), n);
	return hint_remedies(&c, err);
}

static int run_diff(const struct command_line *line, struct err *err)
{
	_cleanup_(compared_done) struct compared c = {0};
	int r = compare(line, &c, err);

	if (r == 0)
		r = print_differences(line, &c, true, err);
	return r < 0 ? r : tell_mongo_error(&c, err);
}

/* --- apply ----------------------------------------------------------------------------------- */

struct secrets {
	const char *var_dir, *server;
};

static int password_of(void *arg, const char *account, struct arena *arena, const char **ret,
		       struct err *err)
{
	const struct secrets *s = arg;
	const char *name = arena_strndup(arena, account, strcspn(account, "@"));

	return folder_secret(layout_secret(arena, s->var_dir, s->server, name), arena, ret, err);
}

/* Rights that were changed before an error are told with it: it stays the one that is told. */
static int note_changes(const struct command_line *line, struct maria *db, const char *server,
			size_t changes, int r, struct err *err)
{
	const struct audit_event event = {.action = "access.apply",
					  .object = server,
					  .rows = changes,
					  .outcome = r == 0 ? "done" : err_name(-r)};
	struct err local = {0};

	return changes ? err_first(r, cli_govern_audit(line, db, &event, &local), &local, err) : r;
}

static int apply_maria(const struct command_line *line, struct cli_govern *p,
		       struct access_apply *how, size_t *ret_changes, struct err *err)
{
	unsigned char key[ACCESS_KEY_SIZE];
	size_t columns;
	int r = cli_govern_key(line, "pseudonym", key, err);

	how->pseudonym_key = key;
	if (r == 0)
		r = access_apply(p->access, p->shop.db, how, ret_changes, err);
	sodium_memzero(key, sizeof(key));
	how->pseudonym_key = NULL;
	r = note_changes(line, p->shop.db, server_names[0], *ret_changes, r, err);
	return r < 0 ? r
		     : dictionary_write(p->access, p->shop.schema, &p->shop.mappings, p->shop.db,
					&columns, err);
}

static int apply_mongo(const struct command_line *line, struct cli_govern *p,
		       struct cli_access_mongo *m, const struct access_apply *how,
		       size_t *ret_changes, struct err *err)
{
	int r = cli_access_mongo_open(line, p, m, err);

	if (r == 0 && m->is_there)
		r = access_mongo_apply(&m->plan, &m->server, how, ret_changes, err);
	return note_changes(line, p->shop.db, server_names[1], *ret_changes, r, err);
}

static int ask(const struct command_line *line, struct err *err)
{
	bool is_own =
	    endpoint_is_embedded_maria(line->config) &&
	    (command_has(line, "mariadb-only") || endpoint_is_embedded_mongo(line->config));

	return is_own ? 0
		      : cli_ask(line,
				"This makes and changes roles, accounts and views on your servers. "
				"Go on?",
				err);
}

static void print_applied(struct compared *c, const size_t changes[2], const char *var_dir)
{
	struct cli_access_mongo *m = &c->mongo;

	printf("%zu change%s: %zu roles, %zu people. Passwords: %s/secrets/mariadb-NAME\n",
	       changes[0], changes[0] == 1 ? "" : "s", c->govern.access->n_roles,
	       c->govern.access->n_people, var_dir);
	if (!m->is_there)
		return;
	printf("MongoDB: %zu change%s: %zu roles, %zu people. Passwords: "
	       "%s/secrets/mongodb-NAME\n%s\n",
	       changes[1], changes[1] == 1 ? "" : "s", cli_access_mongo_count(m, ACCESS_ROLE),
	       cli_access_mongo_count(m, ACCESS_ACCOUNT), var_dir, cli_access_mongo_note(m));
}

/* MariaDB first: the records of both are there, and what is taken away from somebody does not wait
 * for a MongoDB that is away. */
static int run_apply(const struct command_line *line, struct err *err)
{
	_cleanup_(compared_done) struct compared c = {0};
	const char *var_dir = endpoint_var_dir(line->config, &c.govern.arena);
	struct secrets secrets = {var_dir, "mariadb"};
	struct access_apply how = {.adopts = command_has(line, "adopt"),
				   .accepts = command_has(line, "accept"),
				   .password = password_of,
				   .arg = &secrets};
	size_t changes[2] = {0, 0};
	int r = cli_govern_open(line, &c.govern, err);

	if (r == 0)
		r = ask(line, err);
	if (r == 0)
		r = apply_maria(line, &c.govern, &how, &changes[0], err);
	if (r < 0)
		return r;
	secrets.server = "mongodb";
	if (!command_has(line, "mariadb-only"))
		r = apply_mongo(line, &c.govern, &c.mongo, &how, &changes[1], err);
	if (r < 0)
		return err_context(err, "MariaDB has the rules, MongoDB not yet");
	if (line->json)
		return cli_print_json(
		    json_pack("{s:I}", "changes", (json_int_t)changes[0] + (json_int_t)changes[1]),
		    err);
	print_applied(&c, changes, var_dir);
	return cli_flush(err);
}

#define OPTION_MARIADB_ONLY                                                                   \
	{                                                                                     \
		.name = "mariadb-only", .type = COMMAND_FLAG,                                 \
		.help = "leave MongoDB as it is, for one whose accounts are not ours to make" \
	}

static const struct command_option compare_options[] = {
    OPTION_MARIADB_ONLY,
    {0},
};

static const struct command_option apply_options[] = {
    CLI_OPTION_YES,
    {.name = "adopt",
     .type = COMMAND_FLAG,
     .help = "take over roles, accounts and views of these names that are there"},
    {.name = "accept",
     .type = COMMAND_FLAG,
     .help = "take views, routines, triggers and events as they are, though somebody altered "
	     "them"},
    OPTION_MARIADB_ONLY,
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
    .summary = "whether the servers grant what the file says",
    .options = compare_options,
    .help =
	"Each difference is named; with any the exit status is 14. `missing` is in the file alone, "
	"`beyond` on the server alone. `foreign` is a right on the shop or its documents of an "
	"account that the file does not know: apply leaves it alone. A `stranger` has a name of "
	"the file and was not made by apply: --adopt takes it over. `changed` is an account that "
	"was locked, or a view, routine, trigger or event that was altered by hand: apply leaves "
	"it, too.",
    .run = run_check,
};
static const struct command command_access_diff = {
    .name = "diff",
    .summary = "the statements that `apply` would run",
    .options = compare_options,
    .run = run_diff,
};
static const struct command command_access_apply = {
    .name = "apply",
    .summary = "makes roles, accounts, grants and masked views as the file says",
    .help = "In MariaDB first, then in MongoDB. What an interruption leaves undone is done by the "
	    "next call.",
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
