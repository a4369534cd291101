/*
 * Endpoints: see endpoint.h. The three option tables stand here because they say the same thing:
 * where the servers are, and who we are there.
 */
#include "cluster/endpoint.h"

#include "base/file.h"
#include "cluster/home.h"
#include "cluster/layout.h"
#include "cluster/state.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define PASSWORD_FILE_MAX 4096 /* longer than any password of either server */

#define KIB		  ((int64_t)1024)
#define MIB		  (KIB * 1024)
#define GIB		  (MIB * 1024)

const struct config_option mariadb_options[] = {
    {.section = "mariadb",
     .name = "hosts",
     .type = CONFIG_LIST,
     .help = "Your own MariaDB servers, \"host\" or \"host:port\", tried in this order. Unset: an "
	     "embedded server is started."},
    {.section = "mariadb",
     .name = "port",
     .type = CONFIG_INT,
     .fallback = "3306",
     .min = 1,
     .max = 65535,
     .help = "Port where an entry of mariadb.hosts names none."},
    {.section = "mariadb",
     .name = "socket",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH | CONFIG_LATER,
     .help = "Unix socket of your own MariaDB server on this machine, instead of mariadb.hosts."},
    {.section = "mariadb",
     .name = "user",
     .type = CONFIG_TEXT,
     .environment = "MARIA_DB_USER",
     .help = "Account of the worker on your own MariaDB, and of everything else when "
	     "mariadb.admin_user is unset."},
    {.section = "mariadb",
     .name = "password_file",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "File whose first line is the password of mariadb.user."},
    {.section = "mariadb",
     .name = "password",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "MARIA_DB_PASS",
     .help = "Password of mariadb.user; better in the environment or in mariadb.password_file."},
    {.section = "mariadb",
     .name = "admin_user",
     .type = CONFIG_TEXT,
     .environment = "MARIA_DB_ADMIN_USER",
     .help = "Account that owns the schema on your own MariaDB: migrations, loading, triggers."},
    {.section = "mariadb",
     .name = "admin_password_file",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "File whose first line is the password of mariadb.admin_user."},
    {.section = "mariadb",
     .name = "admin_password",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "MARIA_DB_ADMIN_PASS",
     .help = "Password of mariadb.admin_user; better in the environment or in "
	     "mariadb.admin_password_file."},
    {.section = "mariadb",
     .name = "database",
     .type = CONFIG_TEXT,
     .fallback = "aethermart_db",
     .help = "Name of the database that holds the shop."},
    {.section = "mariadb",
     .name = "tls",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .help = "Whether the connection must be encrypted and the server's certificate valid. "
	     "mariadb.tls_ca or mariadb.tls_cert alone mean it too."},
    {.section = "mariadb",
     .name = "tls_ca",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "PEM file of the authority that signed the server's certificate; set, the connection "
	     "is encrypted. Unset: the system's authorities."},
    {.section = "mariadb",
     .name = "tls_cert",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "PEM file of our own certificate, for servers that ask for one."},
    {.section = "mariadb",
     .name = "tls_key",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "PEM file of the key of mariadb.tls_cert."},
    {.section = "mariadb",
     .name = "connect_timeout",
     .type = CONFIG_DURATION,
     .fallback = "5s",
     .min = 1000,
     .max = 300000,
     .help = "How long to wait for one host to accept a connection; full seconds count."},
    {0},
};

const struct config_option mongodb_options[] = {
    {.section = "mongodb",
     .name = "uri",
     .type = CONFIG_TEXT,
     .flags = CONFIG_URI,
     .help = "Your own MongoDB, mongodb:// or mongodb+srv://, without user and password. Unset: an "
	     "embedded server is started."},
    {.section = "mongodb",
     .name = "user",
     .type = CONFIG_TEXT,
     .environment = "MONGO_USER",
     .help = "Account of the worker on your own MongoDB, and of everything else when "
	     "mongodb.admin_user is unset."},
    {.section = "mongodb",
     .name = "password_file",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "File whose first line is the password of mongodb.user."},
    {.section = "mongodb",
     .name = "password",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "MONGO_PASS",
     .help = "Password of mongodb.user; better in the environment or in mongodb.password_file."},
    {.section = "mongodb",
     .name = "admin_user",
     .type = CONFIG_TEXT,
     .environment = "MONGO_ADMIN_USER",
     .help = "Account that makes collections, indexes and validators on your own MongoDB."},
    {.section = "mongodb",
     .name = "admin_password_file",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "File whose first line is the password of mongodb.admin_user."},
    {.section = "mongodb",
     .name = "admin_password",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "MONGO_ADMIN_PASS",
     .help = "Password of mongodb.admin_user; better in the environment or in "
	     "mongodb.admin_password_file."},
    {.section = "mongodb",
     .name = "database",
     .type = CONFIG_TEXT,
     .fallback = "aethermart_profiles",
     .help = "Name of the database that holds the documents."},
    {.section = "mongodb",
     .name = "tls_ca",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "PEM file of the authority that signed the server's certificate; set, the connection "
	     "is encrypted, as with tls=true in mongodb.uri."},
    {.section = "mongodb",
     .name = "timeout",
     .type = CONFIG_DURATION,
     .fallback = "10s",
     .min = 100,
     .max = 300000,
     .help = "How long to look for a server, and to wait for its answers."},
    {0},
};

const struct config_option stack_options[] = {
    {.section = "stack",
     .name = "dir",
     .type = CONFIG_TEXT,
     .fallback = "var",
     .flags = CONFIG_PATH | CONFIG_LATER,
     .help = "Folder of all run-time state: embedded servers, passwords, logs, sockets. The "
	     "default is beside the configuration file, or in the current folder."},
    {.section = "stack",
     .name = "account",
     .type = CONFIG_TEXT,
     .fallback = "aethermart",
     .help = "System account that the embedded servers run as when `up` is run by root; made when "
	     "it is missing."},
    {.section = "stack",
     .name = "mariadb_server",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "Program of the embedded MariaDB. Unset: mariadbd from the PATH or /usr/sbin."},
    {.section = "stack",
     .name = "binlog_keep",
     .type = CONFIG_DURATION,
     .fallback = "3d",
     .min = 3600000,
     .max = (int64_t)99 * 86400000,
     .help =
	 "How long binary logs of the embedded MariaDB are kept. Replicas read them, and a "
	 "restored backup catches up from them; values of erased people stand in them as long."},
    {.section = "stack",
     .name = "server_audit",
     .type = CONFIG_BOOL,
     .fallback = "on",
     .help = "Whether the embedded MariaDB writes down what people do by SQL (its plugin "
	     "server_audit), from its next start on."},
    {.section = "stack",
     .name = "mongodb_server",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "Program of the embedded MongoDB, mongod or secantusd-rs. Unset: from the PATH, else "
	     "what tools/setup built in the cache folder."},
    {.section = "stack",
     .name = "mariadb_memory",
     .type = CONFIG_SIZE,
     .fallback = "256M",
     .min = 32 * MIB,
     .max = 1024 * GIB,
     .help = "Buffer pool of the embedded MariaDB."},
    {.section = "stack",
     .name = "mongodb_memory",
     .type = CONFIG_SIZE,
     .fallback = "256M",
     .min = 256 * MIB,
     .max = 1024 * GIB,
     .help = "Cache of the embedded MongoDB."},
    {.section = "stack",
     .name = "start_timeout",
     .type = CONFIG_DURATION,
     .fallback = "2m",
     .min = 1000,
     .max = 86400000,
     .help = "How long an embedded server may take to answer after its start; recovery after a "
	     "crash is part of it."},
    {.section = "stack",
     .name = "stop_timeout",
     .type = CONFIG_DURATION,
     .fallback = "1m",
     .min = 1000,
     .max = 86400000,
     .help = "How long a process may take to end before it is killed."},
    {0},
};

bool endpoint_is_embedded_maria(const struct config *config)
{
	const char *const *hosts = config_list(config, "mariadb.hosts");

	return (!hosts || !hosts[0]) && !config_text(config, "mariadb.socket");
}

bool endpoint_is_embedded_mongo(const struct config *config)
{
	return !config_text(config, "mongodb.uri");
}

/* --- passwords -------------------------------------------------------------------------------- */

static int read_password(const char *path, struct arena *arena, const char **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(PASSWORD_FILE_MAX);
	int r = file_read(path, &b, err);
	size_t len;

	if (r < 0)
		return err_context(err, "reading a password");
	len = strcspn(strbuf_str(&b), "\r\n");
	if (len == 0)
		return err_set(err, ERR_INVALID_ARGUMENT, "password file \"%s\" is empty", path);
	*ret = arena_strndup(arena, strbuf_str(&b), len);
	return 0;
}

struct account {
	const char *user;
	const char *password;
	const char *password_file;
};

/* The account of a role on a named server, from the options of `section`; reads no file. */
static struct account named_account(const struct config *config, const char *section,
				    enum endpoint_role role, struct arena *arena)
{
	const char *admin = config_text(config, arena_printf(arena, "%s.admin_user", section));
	const char *prefix = role == ENDPOINT_ADMIN && admin ? "admin_" : "";

	return (struct account){
	    .user = config_text(config, arena_printf(arena, "%s.%suser", section, prefix)),
	    .password = config_text(config, arena_printf(arena, "%s.%spassword", section, prefix)),
	    .password_file =
		config_text(config, arena_printf(arena, "%s.%spassword_file", section, prefix)),
	};
}

/* A password that is set goes before one in a file. */
static int complete_account(struct account *a, struct arena *arena, struct err *err)
{
	if (a->password || !a->password_file)
		return 0;
	return read_password(a->password_file, arena, &a->password, err);
}

static int read_embedded_password(const char *path, struct arena *arena, const char **ret,
				  struct err *err)
{
	int r = read_password(path, arena, ret, err);

	if (r == -ERR_NOT_FOUND)
		(void)err_hint(err, "bring the file back from a backup, or run `aethermart reset` "
				    "to build the embedded stack anew");
	else if (r == -ERR_PERMISSION)
		(void)err_hint(err, "run the command as the user that ran `aethermart up`");
	return r;
}

static const char *embedded_user(enum endpoint_role role)
{
	return role == ENDPOINT_ADMIN ? LAYOUT_ADMIN_USER : LAYOUT_SYNC_USER;
}

static const char *embedded_password_file(const struct config *config, const char *server,
					  enum endpoint_role role, struct arena *arena)
{
	return layout_secret(arena, endpoint_var_dir(config, arena), server, embedded_user(role));
}

const char *endpoint_maria_password_file(const struct config *config, enum endpoint_role role,
					 struct arena *arena)
{
	struct account a = named_account(config, "mariadb", role, arena);

	if (endpoint_is_embedded_maria(config))
		return embedded_password_file(config, "mariadb", role, arena);
	return a.password ? NULL : a.password_file;
}

const char *endpoint_mongo_password_file(const struct config *config, enum endpoint_role role,
					 struct arena *arena)
{
	struct account a = named_account(config, "mongodb", role, arena);

	if (endpoint_is_embedded_mongo(config))
		return embedded_password_file(config, "mongodb", role, arena);
	return a.password ? NULL : a.password_file;
}

/* --- servers ---------------------------------------------------------------------------------- */

static int not_started(struct err *err, const char *what, const char *option, const char *var_dir)
{
	(void)err_set(err, ERR_UNAVAILABLE,
		      "no %s is configured, and none was started under \"%s\"", what, var_dir);
	return err_hint(err, "run `aethermart up`, or name your own server in %s", option);
}

static int read_state(const struct config *config, const char *what, const char *option,
		      struct arena *arena, struct state *ret, struct err *err)
{
	const char *var_dir = endpoint_var_dir(config, arena);
	int r = home_check(var_dir, NULL, err);

	if (r == 0)
		r = state_read(var_dir, arena, ret, err);
	return r == -ERR_NOT_FOUND ? not_started(err, what, option, var_dir) : r;
}

static int embedded_maria(const struct config *config, enum endpoint_role role, struct arena *arena,
			  struct maria_options *ret, struct err *err)
{
	struct state s = {0};
	int r = read_state(config, "MariaDB", "mariadb.hosts", arena, &s, err);

	if (r < 0)
		return r;
	if (!s.mariadb.dir)
		return not_started(err, "MariaDB", "mariadb.hosts",
				   endpoint_var_dir(config, arena));
	*ret = (struct maria_options){.socket = s.mariadb.socket, .user = embedded_user(role)};
	return read_embedded_password(embedded_password_file(config, "mariadb", role, arena), arena,
				      &ret->password, err);
}

/* A certificate that is named and then not used would be an open connection that looks closed. */
static int wants_tls(const struct config *config, bool *ret, struct err *err)
{
	bool has_files =
	    config_text(config, "mariadb.tls_ca") || config_text(config, "mariadb.tls_cert");

	*ret = config_bool(config, "mariadb.tls") || has_files;
	if (!has_files || config_bool(config, "mariadb.tls") ||
	    !config_is_set(config, "mariadb.tls"))
		return 0;
	(void)err_set(err, ERR_INVALID_ARGUMENT,
		      "mariadb.tls is false, but mariadb.tls_ca or mariadb.tls_cert is set");
	return err_hint(err, "take mariadb.tls out, or the certificates");
}

static int named_maria(const struct config *config, enum endpoint_role role, struct arena *arena,
		       struct maria_options *ret, struct err *err)
{
	const char *const *hosts = config_list(config, "mariadb.hosts");
	struct account a = named_account(config, "mariadb", role, arena);
	bool has_tls = false;
	int r = wants_tls(config, &has_tls, err);

	if (r == 0)
		r = complete_account(&a, arena, err);
	if (r < 0)
		return r;
	if (!a.user) {
		(void)err_set(err, ERR_INVALID_ARGUMENT, "no account for your MariaDB is set");
		return err_hint(err, "set mariadb.user and mariadb.password_file, or MARIA_DB_USER "
				     "and MARIA_DB_PASS in the environment");
	}
	*ret = (struct maria_options){
	    .hosts = hosts && hosts[0] ? hosts : NULL,
	    .socket = config_text(config, "mariadb.socket"),
	    .port = (unsigned)config_int(config, "mariadb.port"),
	    .user = a.user,
	    .password = a.password,
	    .tls = has_tls,
	    .tls_ca = config_text(config, "mariadb.tls_ca"),
	    .tls_cert = config_text(config, "mariadb.tls_cert"),
	    .tls_key = config_text(config, "mariadb.tls_key"),
	};
	return 0;
}

int endpoint_maria(const struct config *config, enum endpoint_role role, struct arena *arena,
		   struct maria_options *ret, struct err *err)
{
	struct maria_options o = {0};
	int r = endpoint_is_embedded_maria(config) ? embedded_maria(config, role, arena, &o, err)
						   : named_maria(config, role, arena, &o, err);

	if (r < 0)
		return r;
	o.database = config_text(config, "mariadb.database");
	o.connect_timeout_s = (unsigned)(config_int(config, "mariadb.connect_timeout") / 1000);
	*ret = o;
	return 0;
}

static int embedded_mongo(const struct config *config, enum endpoint_role role, struct arena *arena,
			  struct mongo_options *ret, struct err *err)
{
	struct state s = {0};
	int r = read_state(config, "MongoDB", "mongodb.uri", arena, &s, err);

	if (r < 0)
		return r;
	if (!s.mongodb.dir)
		return not_started(err, "MongoDB", "mongodb.uri", endpoint_var_dir(config, arena));
	*ret = (struct mongo_options){
	    .uri = layout_mongo_uri(arena, s.mongodb.port),
	    .user = embedded_user(role),
	};
	return read_embedded_password(embedded_password_file(config, "mongodb", role, arena), arena,
				      &ret->password, err);
}

int endpoint_mongo(const struct config *config, enum endpoint_role role, struct arena *arena,
		   struct mongo_options *ret, struct err *err)
{
	struct mongo_options o = {0};
	struct account a = named_account(config, "mongodb", role, arena);
	int r;

	if (endpoint_is_embedded_mongo(config)) {
		r = embedded_mongo(config, role, arena, &o, err);
	} else {
		r = complete_account(&a, arena, err);
		o = (struct mongo_options){
		    .uri = config_text(config, "mongodb.uri"),
		    .user = a.user,
		    .password = a.password,
		    .tls_ca = config_text(config, "mongodb.tls_ca"),
		};
	}
	if (r < 0)
		return r;
	o.database = config_text(config, "mongodb.database");
	o.timeout_ms = (unsigned)config_int(config, "mongodb.timeout");
	*ret = o;
	return 0;
}

/* --- folders ---------------------------------------------------------------------------------- */

const char *endpoint_var_dir(const struct config *config, struct arena *arena)
{
	const char *dir = config_text(config, "stack.dir");
	const char *file = config_file_path(config);
	const char *base = NULL;

	if (!config_is_set(config, "stack.dir") && file && strrchr(file, '/'))
		base = arena_strndup(arena, file, (size_t)(strrchr(file, '/') - file) + 1);
	return layout_absolute(arena, base, dir);
}

const char *endpoint_socket_path(const struct config *config, struct arena *arena)
{
	return layout_socket(arena, endpoint_var_dir(config, arena), "serve.sock");
}

const char *endpoint_share_path(const struct config *config, struct arena *arena, const char *name)
{
	static const char *const places[] = {"..", ".", "../share/aethermart"};
	const char *dir = config_text(config, "share.dir");
	const char *binary_dir;

	if (dir)
		return arena_printf(arena, "%s/%s", layout_absolute(arena, NULL, dir), name);
	binary_dir = layout_binary_dir(arena);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const char *path = arena_printf(arena, "%s/%s/%s", binary_dir, places[i], name);
		char *real = realpath(path, NULL);

		if (real) {
			path = arena_strdup(arena, real);
			mem_free(real);
			return path;
		}
	}
	return arena_printf(arena, "%s/../%s", binary_dir, name);
}
