/*
 * `aethermart shell`: replaces itself by the database's own client, logged in as the schema's
 * owner. The password goes through a settings file that exists only in memory (mariadb) or through
 * the environment (mongosh), never through the command line.
 */
#include "cli/cli_stack.h"

#include "base/mem.h"
#include "cluster/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define URI_VARIABLE "AETHERMART_MONGODB_URI"

static int become(const char *program, const char **argv, struct err *err)
{
	char *const *list;

	memcpy(&list, &argv, sizeof(list)); /* the type of exec knows no const */
	(void)signal(SIGPIPE, SIG_DFL);
	(void)execv(program, list);
	return err_set(err, ERR_IO, "could not run \"%s\": %s", program, strerror(errno));
}

/* --- mariadb --------------------------------------------------------------------------------- */

static void add_setting(struct strbuf *b, const char *name, const char *value)
{
	if (!value)
		return;
	strbuf_addf(b, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			strbuf_addch(b, '\\');
		strbuf_addch(b, *value);
	}
	strbuf_addstr(b, "\"\n");
}

static int add_host(struct strbuf *b, struct arena *arena, const struct maria_options *o,
		    struct err *err)
{
	struct maria_host host = {0};
	int r = maria_parse_host(o->hosts[0], o->port, arena, &host, err);

	if (r < 0)
		return r;
	add_setting(b, "host", host.name);
	strbuf_addf(b, "port=%u\nprotocol=tcp\n", host.port);
	return 0;
}

/* A file in memory that the client reads as its settings; it inherits the descriptor. */
static int settings_file(const struct maria_options *o, struct arena *arena, int *ret,
			 struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(65536);
	int fd, r = 0;

	strbuf_addstr(&b, "[client]\ndefault-character-set=utf8mb4\n");
	add_setting(&b, "user", o->user);
	add_setting(&b, "password", o->password);
	if (o->hosts)
		r = add_host(&b, arena, o, err);
	else
		add_setting(&b, "socket", o->socket);
	if (r < 0)
		return r;
	if (o->tls)
		strbuf_addstr(&b, "ssl\nssl-verify-server-cert\n");
	add_setting(&b, "ssl-ca", o->tls_ca);
	add_setting(&b, "ssl-cert", o->tls_cert);
	add_setting(&b, "ssl-key", o->tls_key);
	fd = memfd_create("client", 0);
	if (fd < 0 || fchmod(fd, 0600) < 0 || write(fd, b.data, b.len) != (ssize_t)b.len)
		return err_set(err, ERR_IO, "could not hand the client its settings: %s",
			       strerror(errno));
	*ret = fd;
	return 0;
}

static int shell_maria(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(mem_freep) char *program = process_find_program("mariadb");
	const char **argv = arena_alloc(&arena, ((size_t)line->argc + 4) * sizeof(*argv));
	struct maria_options o = {0};
	size_t n = 0;
	int fd = -1;
	int r;

	if (!program) {
		(void)err_set(err, ERR_NOT_FOUND, "the client \"mariadb\" is not installed");
		return err_hint(err, "install the package mariadb-client-core");
	}
	r = endpoint_maria(line->config, ENDPOINT_ADMIN, &arena, &o, err);
	if (r == 0)
		r = settings_file(&o, &arena, &fd, err);
	if (r < 0)
		return r;
	argv[n++] = "mariadb";
	argv[n++] = arena_printf(&arena, "--defaults-file=/proc/self/fd/%d", fd);
	argv[n++] = arena_printf(&arena, "--database=%s", o.database);
	for (int i = 1; i < line->argc; i++)
		argv[n++] = line->argv[i];
	return become(program, argv, err);
}

/* --- mongosh --------------------------------------------------------------------------------- */

static int shell_mongo(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(strbuf_done) struct strbuf uri = STRBUF_INIT(65536);
	_cleanup_(mem_freep) char *program = process_find_program("mongosh");
	const char **argv = arena_alloc(&arena, ((size_t)line->argc + 8) * sizeof(*argv));
	struct mongo_options o = {0};
	size_t n = 0;
	int r;

	if (!program) {
		(void)err_set(err, ERR_NOT_FOUND, "MongoDB's client \"mongosh\" is not installed");
		return err_hint(
		    err, "get it from https://www.mongodb.com/try/download/shell (Debian has "
			 "no package); `aethermart connection` tells other clients how to "
			 "connect, and `aethermart doc` prints a document");
	}
	r = endpoint_mongo(line->config, ENDPOINT_ADMIN, &arena, &o, err);
	if (r == 0)
		r = mongo_uri_text(&o, &uri, err);
	if (r < 0)
		return r;
	(void)setenv(URI_VARIABLE, strbuf_str(&uri), 1);
	argv[n++] = "mongosh";
	argv[n++] = "--quiet";
	argv[n++] = "--nodb";
	argv[n++] = "--eval";
	argv[n++] = "db = connect(process.env." URI_VARIABLE "); delete process.env." URI_VARIABLE
		    "; undefined";
	if (line->argc == 1)
		argv[n++] = "--shell";
	for (int i = 1; i < line->argc; i++)
		argv[n++] = line->argv[i];
	return become(program, argv, err);
}

static int run(const struct command_line *line, struct err *err)
{
	if (cstr_equal(line->argv[0], "mariadb"))
		return shell_maria(line, err);
	if (cstr_equal(line->argv[0], "mongodb"))
		return shell_mongo(line, err);
	return err_set(err, ERR_INVALID_ARGUMENT,
		       "there is no shell for \"%s\": it is mariadb or mongodb", line->argv[0]);
}

const struct command command_shell = {
    .name = "shell",
    .summary = "open the mariadb or mongosh client, logged in",
    .arguments = "mariadb|mongodb [-- ARGS]",
    .min_args = 1,
    .max_args = -1,
    .help = "What follows -- goes to the client. The password is never on a command line.\n\n"
	    "  aethermart shell mariadb\n"
	    "  aethermart shell mariadb -- -e 'SELECT COUNT(*) FROM Products'",
    .run = run,
};
