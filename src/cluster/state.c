/* The embedded stack's memory: see state.h. */
#include "cluster/state.h"

#include "base/file.h"

#include <jansson.h>

#include "base/banned.h"

#define STATE_FILE_MAX 65536 /* a real one has half a kilobyte */

static void json_decrefp_(json_t **j)
{
	json_decref(*j);
}

static int corrupted(struct err *err, const char *path, const char *what)
{
	(void)err_set(err, ERR_CORRUPTED, "\"%s\" is not a state file of aethermart: %s", path,
		      what);
	(void)err_hint(err, "restore the file from a backup, or run `aethermart reset` to build "
			    "the embedded stack anew");
	return -ERR_CORRUPTED;
}

/* A text field; absent and null read as NULL. */
static int get_text(const json_t *o, const char *name, bool is_path, struct arena *arena,
		    const char **ret)
{
	const json_t *v = json_object_get(o, name);
	const char *s;

	if (!v || json_is_null(v)) {
		*ret = NULL;
		return 0;
	}
	s = json_string_value(v);
	if (!s || !*s || strlen(s) != json_string_length(v) || (is_path && s[0] != '/'))
		return -1;
	*ret = arena_strdup(arena, s);
	return 0;
}

static int get_port(const json_t *o, unsigned *ret)
{
	const json_t *v = json_object_get(o, "port");

	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 65535)
		return -1;
	*ret = (unsigned)json_integer_value(v);
	return 0;
}

static int get_mariadb(const json_t *o, struct arena *arena, struct state_mariadb *ret)
{
	if (!o)
		return 0;
	if (!json_is_object(o) || get_text(o, "dir", true, arena, &ret->dir) ||
	    get_text(o, "socket", true, arena, &ret->socket) ||
	    get_text(o, "version", false, arena, &ret->version) || get_port(o, &ret->port))
		return -1;
	return ret->dir && ret->socket ? 0 : -1;
}

static int get_mongodb(const json_t *o, struct arena *arena, struct state_mongodb *ret)
{
	if (!o)
		return 0;
	if (!json_is_object(o) || get_text(o, "dir", true, arena, &ret->dir) ||
	    get_text(o, "kind", false, arena, &ret->kind) ||
	    get_text(o, "version", false, arena, &ret->version) || get_port(o, &ret->port) ||
	    !json_is_boolean(json_object_get(o, "has_users")))
		return -1;
	ret->has_users = json_is_true(json_object_get(o, "has_users"));
	return ret->dir && ret->kind ? 0 : -1;
}

int state_read(const char *var_dir, struct arena *arena, struct state *ret, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/stack.json", var_dir);
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(STATE_FILE_MAX);
	_cleanup_(json_decrefp_) json_t *root = NULL;
	struct state s = {0};
	json_error_t problem;
	int r = file_read(path, &text, err);

	if (r < 0)
		return r;
	root = json_loadb(strbuf_str(&text), text.len, JSON_REJECT_DUPLICATES, &problem);
	if (!root)
		return corrupted(err, path, problem.text);
	if (json_integer_value(json_object_get(root, "format")) != STATE_FORMAT)
		return corrupted(err, path, "its format is another version's");
	if (get_text(root, "created", false, arena, &s.created) ||
	    get_text(root, "account", false, arena, &s.account))
		return corrupted(err, path, "\"created\" or \"account\" is wrong");
	if (get_mariadb(json_object_get(root, "mariadb"), arena, &s.mariadb))
		return corrupted(err, path, "the part \"mariadb\" is wrong or incomplete");
	if (get_mongodb(json_object_get(root, "mongodb"), arena, &s.mongodb))
		return corrupted(err, path, "the part \"mongodb\" is wrong or incomplete");
	*ret = s;
	return 0;
}

int state_write(const char *var_dir, const struct state *s, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/stack.json", var_dir);
	_cleanup_(mem_freep) char *text = NULL;
	_cleanup_(json_decrefp_) json_t *root =
	    json_pack("{s:i, s:s?, s:s?}", "format", STATE_FORMAT, "created", s->created, "account",
		      s->account);
	int r = 0;

	/* A text that is no UTF-8 makes no object, and setting it fails. */
	if (s->mariadb.dir)
		r = json_object_set_new(root, "mariadb",
					json_pack("{s:s, s:s, s:s?, s:i}", "dir", s->mariadb.dir,
						  "socket", s->mariadb.socket, "version",
						  s->mariadb.version, "port",
						  (int)s->mariadb.port));
	if (s->mongodb.dir)
		r |= json_object_set_new(
		    root, "mongodb",
		    json_pack("{s:s, s:s, s:s?, s:i, s:b}", "dir", s->mongodb.dir, "kind",
			      s->mongodb.kind, "version", s->mongodb.version, "port",
			      (int)s->mongodb.port, "has_users", s->mongodb.has_users));
	text = r ? NULL : json_dumps(root, JSON_INDENT(2));
	if (!text)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "could not write \"%s\": a path in it is no UTF-8", path);
	r = file_write_atomic(path, text, strlen(text), 0600, err);
	return r < 0 ? err_context(err, "remembering the embedded stack") : 0;
}
