/* `aethermart connection`: how any client connects. Passwords are named by their files only. */
#include "cli/cli_stack.h"

#include "cluster/state.h"

#include "base/banned.h"

static void add_text(json_t *o, const char *name, const char *value)
{
	(void)json_object_set_new(o, name, value ? json_string(value) : json_null());
}

static int add_maria(const struct command_line *line, enum endpoint_role role, json_t *root,
		     struct arena *arena, struct err *err)
{
	struct maria_options o = {0};
	struct maria_host host = {0};
	struct state s = {0};
	json_t *out = json_object();
	int r = endpoint_maria(line->config, role, arena, &o, err);

	(void)json_object_set_new(root, "mariadb", out);
	if (r == 0 && endpoint_is_embedded_maria(line->config))
		r = state_read(endpoint_var_dir(line->config, arena), arena, &s, err);
	if (r < 0)
		return r;
	if (s.mariadb.port)
		host = (struct maria_host){"127.0.0.1", s.mariadb.port};
	else
		r = maria_parse_host(o.hosts ? o.hosts[0] : "localhost", o.port, arena, &host, err);
	if (r < 0)
		return r;
	add_text(out, "socket", o.socket);
	add_text(out, "host", host.name);
	(void)json_object_set_new(out, "port", json_integer(host.port));
	add_text(out, "user", o.user);
	add_text(out, "password_file", endpoint_maria_password_file(line->config, role, arena));
	add_text(out, "database", o.database);
	return 0;
}

static int add_mongo(const struct command_line *line, enum endpoint_role role, json_t *root,
		     struct arena *arena, struct err *err)
{
	struct mongo_options o = {0};
	json_t *out = json_object();
	int r = endpoint_mongo(line->config, role, arena, &o, err);

	(void)json_object_set_new(root, "mongodb", out);
	if (r < 0)
		return r;
	add_text(out, "uri", o.uri);
	add_text(out, "user", o.user);
	add_text(out, "password_file", endpoint_mongo_password_file(line->config, role, arena));
	add_text(out, "database", o.database);
	return 0;
}

static void print_part(const json_t *root, const char *name)
{
	const json_t *part = json_object_get(root, name);
	const char *key;
	json_t *value;

	printf("%s\n", name);
	/* jansson keeps the order of insertion; its macro wants a mutable object. */
	json_object_foreach((json_t *)(uintptr_t)part, key, value)
	{
		if (json_is_integer(value))
			printf("  %-14s %lld\n", key, (long long)json_integer_value(value));
		else if (json_is_string(value))
			printf("  %-14s %s\n", key, json_string_value(value));
	}
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(json_decrefp) json_t *root = json_object();
	const char *who = command_text(line, "role");
	enum endpoint_role role = ENDPOINT_ADMIN;
	int r;

	if (cstr_equal(who, "sync"))
		role = ENDPOINT_SYNC;
	else if (!cstr_equal(who, "admin"))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "there is no role \"%s\": it is admin or sync", who);
	r = add_maria(line, role, root, &arena, err);
	if (r == 0)
		r = add_mongo(line, role, root, &arena, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(TAKE_PTR(root), err);
	print_part(root, "mariadb");
	print_part(root, "mongodb");
	return 0;
}

static const struct command_option options[] = {
    {.name = "role",
     .type = COMMAND_TEXT,
     .argument = "ROLE",
     .fallback = "admin",
     .help = "admin owns the schema, sync is the worker"},
    {0},
};

const struct command command_connection = {
    .name = "connection",
    .summary = "how any client connects to the two servers",
    .options = options,
    .help = "Prints addresses, users and the files that hold the passwords, never a password.\n\n"
	    "  aethermart connection --json",
    .run = run,
};
