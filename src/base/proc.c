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
#define HOST_SIZE 64

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

void proc_boot_id(char ret[PROC_BOOT_SIZE])
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	if (file_read("/proc/sys/kernel/random/boot_id", &b, NULL) < 0)
		strbuf_addstr(&b, "unknown");
	(void)snprintf(ret, PROC_BOOT_SIZE, "%.*s", (int)strcspn(strbuf_str(&b), "\n"),
		       strbuf_str(&b));
}

/* A number for this boot and our PID namespace; 0: the system does not tell. */
static uint64_t place(void)
{
	char boot[PROC_BOOT_SIZE], namespace[64], both[sizeof(boot) + sizeof(namespace)];
	ssize_t n = readlink("/proc/self/ns/pid", namespace, sizeof(namespace) - 1);
	int len;

	proc_boot_id(boot);
	if (n <= 0 || cstr_equal(boot, "unknown"))
		return 0;
	namespace[n] = 0;
	len = snprintf(both, sizeof(both), "%s %s", boot, namespace);
	return map_hash((struct str){both, (size_t)len});
}

char *proc_name(void)
{
	char host[HOST_SIZE] = "localhost", state;
	uint64_t started = 0;

	(void)gethostname(host, sizeof(host) - 1);
	if (proc_stat(getpid(), &state, &started) < 0)
		started = 0;
	return mem_printf("%s:%d:%" PRIu64 ":%016" PRIx64, host, (int)getpid(), started, place());
}

bool proc_name_has_ended(const char *name)
{
	const uint64_t here = place();
	uint64_t started = 0, named = 0, found;
	int64_t pid = 0;
	int end = 0;
	char state;

	name += strcspn(name, ":");
	if (sscanf(name, ":%" SCNd64 ":%" SCNu64 ":%16" SCNx64 "%n", &pid, &started, &named,
		   &end) != 3 ||
	    name[end] || pid <= 0 || pid > INT32_MAX || !started || !named || named != here)
		return false;
	/* Who may not see another user's process in /proc may still ask whether there is one. */
	if (kill((pid_t)pid, 0) < 0 && errno == ESRCH)
		return true;
	if (proc_stat((pid_t)pid, &state, &found) < 0)
		return false;
	return found != started || state == 'Z' || state == 'X';
}
