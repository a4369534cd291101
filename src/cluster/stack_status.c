/* What of the stack there is: see stack.h. Reads files and /proc only. */
#include "cluster/endpoint.h"
#include "cluster/home.h"
#include "cluster/layout.h"
#include "cluster/process.h"
#include "cluster/stack.h"
#include "cluster/state.h"

#include "base/file.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

static int64_t resident_bytes(pid_t pid)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);
	char path[64];
	long pages = 0, all;

	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (file_read(path, &b, NULL) < 0 || sscanf(strbuf_str(&b), "%ld %ld", &all, &pages) != 2)
		return 0;
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t uptime_seconds(const struct process *p)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);
	double now = 0;

	if (file_read("/proc/uptime", &b, NULL) < 0)
		return 0;
	now = strtod(strbuf_str(&b), NULL);
	return (int64_t)(now - (double)p->started / (double)sysconf(_SC_CLK_TCK));
}

static void look(struct stack_status *s, const char *var_dir, enum stack_part part,
		 const char *file)
{
	struct stack_server *server = &s->servers[part];
	struct process p;

	server->log = layout_log(&s->arena, var_dir, file);
	server->is_running = process_find(layout_pid(&s->arena, var_dir, file), &p, NULL) == 0;
	if (!server->is_running)
		return;
	server->pid = p.pid;
	server->memory_bytes = resident_bytes(p.pid);
	server->uptime_s = uptime_seconds(&p);
}

static const char *named_maria(const struct config *config, struct arena *arena)
{
	const char *const *hosts = config_list(config, "mariadb.hosts");
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);

	for (size_t i = 0; hosts && hosts[i]; i++)
		strbuf_addf(&b, "%s%s", i ? "," : "", hosts[i]);
	return b.len ? arena_strdup(arena, strbuf_str(&b)) : config_text(config, "mariadb.socket");
}

/* Empty when nothing was started yet. The processes of another folder are not ours. */
static int read_own_state(const char *var_dir, struct arena *arena, struct state *ret,
			  struct err *err)
{
	struct err why = {0};
	int r = home_check(var_dir, NULL, err);

	if (r < 0)
		return r;
	r = state_read(var_dir, arena, ret, &why);
	if (r == 0 || r == -ERR_NOT_FOUND)
		return 0;
	if (err)
		*err = why;
	return r;
}

int stack_status_read(const struct config *config, struct stack_status *ret, struct err *err)
{
	struct stack_status s = {0};
	struct state state = {0};
	const char *var_dir = endpoint_var_dir(config, &s.arena);
	bool has_maria = endpoint_is_embedded_maria(config);
	bool has_mongo = endpoint_is_embedded_mongo(config);
	int r = read_own_state(var_dir, &s.arena, &state, err);

	if (r < 0) {
		arena_done(&s.arena);
		return r;
	}
	s.created = state.created;
	s.account = state.account;
	s.servers[STACK_MARIADB] = (struct stack_server){
	    .name = "mariadb",
	    .kind = "mariadbd",
	    .is_embedded = has_maria,
	    .is_running = true,
	    .version = has_maria ? state.mariadb.version : NULL,
	    .address = !has_maria ? named_maria(config, &s.arena)
		       : state.mariadb.dir
			   ? arena_printf(&s.arena, "127.0.0.1:%u", state.mariadb.port)
			   : NULL,
	    .dir = has_maria ? state.mariadb.dir : NULL,
	};
	s.servers[STACK_MONGODB] = (struct stack_server){
	    .name = "mongodb",
	    .kind = has_mongo ? state.mongodb.kind : "mongodb",
	    .is_embedded = has_mongo,
	    .is_running = true,
	    .version = has_mongo ? state.mongodb.version : NULL,
	    .address = !has_mongo ? config_text(config, "mongodb.uri")
		       : state.mongodb.dir
			   ? arena_printf(&s.arena, "127.0.0.1:%u", state.mongodb.port)
			   : NULL,
	    .dir = has_mongo ? state.mongodb.dir : NULL,
	};
	s.servers[STACK_WORKER] = (struct stack_server){
	    .name = "worker",
	    .kind = "aethermart serve",
	    .is_embedded = true,
	    .address = endpoint_socket_path(config, &s.arena),
	};
	if (has_maria)
		look(&s, var_dir, STACK_MARIADB, "mariadb");
	if (has_mongo)
		look(&s, var_dir, STACK_MONGODB, "mongodb");
	look(&s, var_dir, STACK_WORKER, "serve");
	*ret = s;
	return 0;
}

void stack_status_done(struct stack_status *s)
{
	arena_done(&s->arena);
}
