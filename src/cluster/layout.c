/* Names in the run-time folder: see layout.h. */
#include "cluster/layout.h"

#include "base/map.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

/* The longest existing beginning is resolved, the rest is appended as it stands. */
static const char *resolve(struct arena *arena, const char *path)
{
	size_t len = strlen(path);

	while (len > 1) {
		const char *head = arena_strndup(arena, path, len);
		char *real = realpath(head, NULL);

		if (real) {
			const char *tail = path + len;
			const char *whole = cstr_equal(real, "/")
						? arena_strdup(arena, tail)
						: arena_printf(arena, "%s%s", real, tail);

			mem_free(real);
			return *whole ? whole : "/";
		}
		while (len > 1 && path[len - 1] != '/')
			len--;
		while (len > 1 && path[len - 1] == '/')
			len--;
	}
	return path;
}

const char *layout_absolute(struct arena *arena, const char *base, const char *path)
{
	char here[PATH_MAX];
	size_t len;

	if (path[0] != '/' && base)
		path = arena_printf(arena, "%s/%s", base, path);
	if (path[0] != '/' && getcwd(here, sizeof(here)))
		path = arena_printf(arena, "%s/%s", here, path);
	len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	return resolve(arena, arena_strndup(arena, path, len));
}

const char *layout_hash(struct arena *arena, const char *path)
{
	return arena_printf(arena, "%016llx", (unsigned long long)map_hash(str_from(path)));
}

const char *layout_socket(struct arena *arena, const char *dir, const char *name)
{
	const char *path = arena_printf(arena, "%s/%s", dir, name);

	if (strlen(path) <= LAYOUT_SOCKET_MAX)
		return path;
	return arena_printf(arena, "/tmp/aethermart-%u-%s/%s", (unsigned)geteuid(),
			    layout_hash(arena, dir), name);
}

const char *layout_secret(struct arena *arena, const char *var_dir, const char *server,
			  const char *user)
{
	return arena_printf(arena, "%s/secrets/%s-%s", var_dir, server, user);
}

const char *layout_log(struct arena *arena, const char *var_dir, const char *name)
{
	return arena_printf(arena, "%s/log/%s.log", var_dir, name);
}

const char *layout_audit(struct arena *arena, const char *server_dir)
{
	return arena_printf(arena, "%s/audit", server_dir);
}

const char *layout_pid(struct arena *arena, const char *var_dir, const char *name)
{
	return arena_printf(arena, "%s/run/%s.pid", var_dir, name);
}

const char *layout_mongo_uri(struct arena *arena, unsigned port)
{
	/* Direct: a replica set's own idea of its host name must not matter here. */
	return arena_printf(arena, "mongodb://127.0.0.1:%u/?directConnection=true", port);
}

const char *layout_binary_dir(struct arena *arena)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	while (n > 1 && path[n - 1] != '/')
		n--;
	return n > 1 ? arena_strndup(arena, path, (size_t)n - 1) : ".";
}
