/* Which process: see proc.h. */
#include "base/proc.h"

#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define STAT_MAX  4096 /* /proc/PID/stat is a line of some 300 bytes */
#define HOST_SIZE 65

int proc_stat(pid_t pid, char *ret_state, uint64_t *ret_started)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(STAT_MAX);
	char path[64];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(path, &b, NULL) < 0)
		return -ERR_NOT_FOUND;
	/* The second field is the program's name in brackets and may itself hold brackets. */
	p = strrchr(strbuf_str(&b), ')');
	if (!p || p[1] != ' ')
		return -ERR_NOT_FOUND;
	*ret_state = p[2];
	p++;
	for (int field = 3; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return -ERR_NOT_FOUND;
	}
	p = strchr(p, ' ');
	*ret_started = strtoull(p + 1, NULL, 10);
	return 0;
}

int proc_arguments(pid_t pid, struct strbuf *ret)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	return file_read(path, ret, NULL) < 0 ? -ERR_NOT_FOUND : 0;
}

bool proc_has_arguments(struct str text, const char *const *argv)
{
	for (; *argv; argv++) {
		size_t len = strlen(*argv) + 1;

		if (text.len < len || memcmp(text.data, *argv, len) != 0)
			return false;
		text.data += len;
		text.len -= len;
	}
	return text.len == 0;
}

void proc_boot_id(char ret[PROC_BOOT_SIZE])
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	if (file_read("/proc/sys/kernel/random/boot_id", &b, NULL) < 0)
		strbuf_addstr(&b, "unknown");
	(void)snprintf(ret, PROC_BOOT_SIZE, "%.*s", (int)strcspn(strbuf_str(&b), "\n"),
		       strbuf_str(&b));
}

struct place {
	uint32_t machine; /* 0: the system does not tell; so for the others */
	uint64_t boot;
	uint32_t names; /* the PID namespace */
};

static uint64_t hash_of(const char *text)
{
	return text[0] ? map_hash(str_from(text)) : 0;
}

static struct place here(void)
{
	_cleanup_(strbuf_done) struct strbuf machine = STRBUF_INIT(STAT_MAX);
	char boot[PROC_BOOT_SIZE], names[64];
	ssize_t n = readlink("/proc/self/ns/pid", names, sizeof(names) - 1);

	names[n > 0 ? n : 0] = 0;
	proc_boot_id(boot);
	if (file_read("/etc/machine-id", &machine, NULL) < 0)
		strbuf_clear(&machine);
	return (struct place){.machine = (uint32_t)hash_of(strbuf_str(&machine)),
			      .boot = cstr_equal(boot, "unknown") ? 0 : hash_of(boot),
			      .names = (uint32_t)hash_of(names)};
}

struct name {
	char host[HOST_SIZE];
	int64_t pid;
	uint64_t started;
	struct place place;
};

static void own_host(char ret[HOST_SIZE])
{
	(void)snprintf(ret, HOST_SIZE, "localhost");
	if (gethostname(ret, HOST_SIZE) == 0)
		ret[HOST_SIZE - 1] = 0;
}

static bool parse_name(const char *text, struct name *ret)
{
	size_t len = strcspn(text, ":");
	int end = 0;

	if (len >= sizeof(ret->host))
		return false;
	memcpy(ret->host, text, len);
	ret->host[len] = 0;
	text += len;
	return sscanf(text, ":%" SCNd64 ":%" SCNu64 ":%8" SCNx32 ":%16" SCNx64 ":%8" SCNx32 "%n",
		      &ret->pid, &ret->started, &ret->place.machine, &ret->place.boot,
		      &ret->place.names, &end) == 5 &&
	       !text[end] && ret->pid > 0 && ret->pid <= INT32_MAX && ret->started &&
	       ret->place.boot;
}

char *proc_name(void)
{
	const struct place place = here();
	char host[HOST_SIZE], state;
	uint64_t started = 0;

	own_host(host);
	if (proc_stat(getpid(), &state, &started) < 0)
		started = 0;
	return mem_printf("%s:%d:%" PRIu64 ":%08" PRIx32 ":%016" PRIx64 ":%08" PRIx32, host,
			  (int)getpid(), started, place.machine, place.boot, place.names);
}

bool proc_name_has_ended(const char *name)
{
	const struct place us = here();
	struct name n;
	uint64_t found;
	char state;

	if (!parse_name(name, &n) || n.place.boot != us.boot || !us.names ||
	    n.place.names != us.names)
		return false;
	/* Who may not see another user's process in /proc may still ask whether there is one. */
	if (kill((pid_t)n.pid, 0) < 0 && errno == ESRCH)
		return true;
	if (proc_stat((pid_t)n.pid, &state, &found) < 0)
		return false;
	return found != n.started || state == 'Z' || state == 'X';
}

bool proc_name_is_of_former_boot(const char *name)
{
	const struct place us = here();
	char host[HOST_SIZE];
	struct name n;

	own_host(host);
	return parse_name(name, &n) && us.boot && n.place.boot != us.boot && us.machine &&
	       n.place.machine == us.machine && cstr_equal(n.host, host);
}
