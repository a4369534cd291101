/* `aethermart token`: tokens for the HTTP API. */
#include "cli/cli_govern.h"
#include "cli/cli_list.h"

#include "govern/audit.h"
#include "govern/token.h"

#include <inttypes.h>
#include <sodium.h>

#include "base/banned.h"

#define LIFETIME_FALLBACK "90d"
#define LIFETIME_MAX_S	  (3650 * (int64_t)86400)
#define NEVER		  "never"

static int load_rules(const struct command_line *line, struct access **ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};

	return access_load(cli_access_rules(line, &arena), ret, err);
}

/* --- create ---------------------------------------------------------------------------------- */

static const struct access_person *find_person(const struct access *a, const char *name)
{
	for (size_t i = 0; i < a->n_people; i++)
		if (cstr_equal(a->people[i].name, name))
			return &a->people[i];
	return NULL;
}

/* A person of the file has a role, and may be a customer. */
static int read_person(const struct access *a, struct token_wish *wish, struct err *err)
{
	const struct access_person *p = wish->person ? find_person(a, wish->person) : NULL;

	if (!wish->person)
		return 0;
	if (!p)
		return err_set(err, ERR_NOT_FOUND, "the rules of access have no person \"%.60s\"",
			       wish->person);
	if (wish->role && !cstr_equal(wish->role, p->role->name))
		return err_set(err, ERR_INVALID_ARGUMENT, "%s has the role \"%s\", not \"%.60s\"",
			       p->name, p->role->name, wish->role);
	if (wish->customer && wish->customer != p->customer_id)
		return err_set(err, ERR_INVALID_ARGUMENT, "%s is not customer %" PRIu64, p->name,
			       wish->customer);
	wish->role = p->role->name;
	wish->customer = p->customer_id;
	return 0;
}

static int check_role(const struct access *a, const struct token_wish *wish, struct err *err)
{
	const struct access_role *role;

	if (!wish->role)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "say whose rights it has: --role ROLE or --person NAME");
	role = access_want_role(a, wish->role, err);
	if (!role)
		return -ERR_NOT_FOUND;
	if (!role->http) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "the role \"%s\" may ask for nothing over HTTP", role->name);
		return err_hint(err, "add \"http\" to it in the rules of access");
	}
	if ((role->http & (ACCESS_HTTP_OWN_ORDERS | ACCESS_HTTP_ORDERS)) ==
		ACCESS_HTTP_OWN_ORDERS &&
	    !wish->customer)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "a token of \"%s\" speaks for a customer: --customer N", role->name);
	return 0;
}

static int read_lifetime(const char *text, int64_t *ret, struct err *err)
{
	int64_t ms = 0;

	if (cstr_equal(text, NEVER))
		return 0;
	if (parse_duration(str_from(text), &ms, NULL) == 0 && ms >= 1000 &&
	    ms / 1000 <= LIFETIME_MAX_S) {
		*ret = ms / 1000;
		return 0;
	}
	(void)err_set(err, ERR_INVALID_ARGUMENT, "--expires: \"%.40s\" is no time to live", text);
	return err_hint(err, "write 30d, 12h or never; at most 3650d");
}

static int read_wish(const struct command_line *line, struct token_wish *ret, struct err *err)
{
	const char *rate = command_text(line, "rate");
	int r = read_lifetime(command_text(line, "expires"), &ret->lifetime_s, err);

	ret->role = command_text(line, "role");
	ret->name = command_text(line, "name");
	ret->person = command_text(line, "person");
	ret->customer = (uint64_t)command_number(line, "customer");
	if (r == 0 && rate)
		r = token_parse_rate(str_from(rate), &ret->rate, err);
	if (r == 0 && ret->name && strlen(ret->name) > TOKEN_NAME_MAX)
		r = err_set(err, ERR_INVALID_ARGUMENT, "a name has at most %d bytes",
			    TOKEN_NAME_MAX);
	return r;
}

static int print_token(const struct command_line *line, const struct token_wish *wish,
		       const char *token, struct err *err)
{
	char id[TOKEN_ID_LEN + 1];

	bug_if(!token_parse(str_from(token), id));
	if (line->json)
		return cli_print_json(
		    json_pack("{s:s,s:s,s:s}", "token", token, "id", id, "role", wish->role), err);
	printf("%s\n", token);
	if (!line->quiet)
		fprintf(stderr, "It is shown this once. It ends by: aethermart token revoke %s\n",
			id);
	return cli_flush(err);
}

static int run_create(const struct command_line *line, struct err *err)
{
	_cleanup_(access_freep) struct access *access = NULL;
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(arena_done) struct arena arena = {0};
	struct token_wish wish = {.actor = audit_os_actor(&arena)};
	char token[TOKEN_TEXT_LEN + 1];
	int r = read_wish(line, &wish, err);

	if (r == 0)
		r = load_rules(line, &access, err);
	if (r == 0)
		r = read_person(access, &wish, err);
	if (r == 0)
		r = check_role(access, &wish, err);
	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);
	if (r == 0)
		r = token_create(db, &wish, token, err);
	if (r == 0)
		r = print_token(line, &wish, token, err);
	sodium_memzero(token, sizeof(token));
	return r;
}

/* --- list ------------------------------------------------------------------------------------ */

struct listed {
	const struct access *access;
	struct cli_list list;
};

static const char *state_of(const struct access *a, const struct token_row *row)
{
	if (row->revoked_at[0])
		return "revoked";
	if (row->is_expired)
		return "expired";
	return access_find_role(a, row->role) ? "valid" : "role gone";
}

/* NULL for "": JSON's null. */
static const char *given(const char *text)
{
	return text[0] ? text : NULL;
}

static int list_row(void *arg, const struct token_row *row, struct err *err)
{
	struct listed *l = arg;
	_cleanup_(strbuf_done) struct strbuf rate = STRBUF_INIT(32);
	const char *state = state_of(l->access, row);
	char customer[24] = "";

	(void)err;
	token_add_rate(&rate, &row->rate);
	if (row->customer)
		(void)snprintf(customer, sizeof(customer), "%" PRIu64, row->customer);
	if (l->list.json) {
		json_array_append_new(
		    l->list.json,
		    json_pack("{s:s,s:s,s:s,s:o,s:s?,s:s?,s:s?,s:s,s:s,s:s?,s:s?,s:s?}", "id",
			      row->id, "state", state, "role", row->role, "name",
			      cli_json_text(str_from(row->name)), "person", given(row->person),
			      "customer", given(customer), "rate", given(strbuf_str(&rate)),
			      "created_at", row->created_at, "created_by", row->created_by,
			      "expires_at", given(row->expires_at), "revoked_at",
			      given(row->revoked_at), "last_used_at", given(row->last_used_at)));
		return 0;
	}
	table_add(l->list.table,
		  (const char *const[]){row->id, state, row->role, row->name,
					row->customer ? customer : row->person,
					row->expires_at[0] ? row->expires_at : NEVER,
					row->last_used_at[0] ? row->last_used_at : NEVER});
	return 0;
}

static int run_list(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"ID",  "STATE",   "ROLE",	    "NAME",
					     "FOR", "EXPIRES", "LAST USED", NULL};
	_cleanup_(access_freep) struct access *access = NULL;
	_cleanup_(maria_closep) struct maria *db = NULL;
	struct listed l = {.list = cli_list_new(line, titles)};
	int r = load_rules(line, &access, err);

	l.access = access;
	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);
	if (r == 0)
		r = token_list(db, list_row, &l, err);
	if (r == 0)
		r = cli_list_print(&l.list, err);
	cli_list_done(&l.list);
	return r;
}

/* --- revoke ---------------------------------------------------------------------------------- */

static int run_revoke(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(arena_done) struct arena arena = {0};
	const char *actor = audit_os_actor(&arena);
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	for (int i = 0; i < line->argc && r == 0; i++)
		r = token_revoke(db, line->argv[i], actor, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:i}", "revoked", line->argc), err);
	printf("Revoked: it opens nothing a second from now.\n");
	return cli_flush(err);
}

static const struct command_option create_options[] = {
    {.name = "role", .type = COMMAND_TEXT, .argument = "ROLE", .help = "whose rights it has"},
    {.name = "person",
     .type = COMMAND_TEXT,
     .argument = "NAME",
     .help = "of the rules of access: then with that person's role"},
    {.name = "customer",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .help = "the customer that it speaks for"},
    {.name = "name", .type = COMMAND_TEXT, .argument = "TEXT", .help = "what it is for"},
    {.name = "expires",
     .type = COMMAND_TEXT,
     .argument = "TIME",
     .fallback = LIFETIME_FALLBACK,
     .help = "how long it lives: 30d, 12h, never"},
    {.name = "rate",
     .type = COMMAND_TEXT,
     .argument = "RATE",
     .help = "requests: 10/s, 600/m, 5000/h; else as http.rate"},
    {0},
};

static const struct command command_token_create = {
    .name = "create",
    .summary = "makes a token, and shows it this once",
    .options = create_options,
    .help = "The token goes to stdout; only its hash is kept.\n\n"
	    "  aethermart token create --role marketing_analyst --name 'search page'\n"
	    "  aethermart token create --role public_customer --customer 15 --expires 12h",
    .run = run_create,
};
static const struct command command_token_list = {
    .name = "list",
    .summary = "all tokens, without what is secret of them",
    .run = run_list,
};
static const struct command command_token_revoke = {
    .name = "revoke",
    .summary = "ends tokens: they open nothing a second later",
    .arguments = "ID...",
    .min_args = 1,
    .max_args = -1,
    .run = run_revoke,
};

static const struct command *const children[] = {&command_token_create, &command_token_list,
						 &command_token_revoke, NULL};

const struct command command_token = {
    .name = "token",
    .summary = "tokens for the HTTP API",
    .help = "What a role may ask for over HTTP stands in rules/access.yaml; docs/http.md tells\n"
	    "the rest.",
    .children = children,
};
