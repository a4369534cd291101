/* Asking the running worker: see cli_worker.h. */
#include "cli/cli_worker.h"

#include "http/http_client.h"

#include "base/banned.h"

#define ANSWER_MAX ((size_t)16 << 20)

int cli_worker_ask(const struct command_line *line, const char *path, bool is_post, json_t **ret,
		   struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(strbuf_done) struct strbuf body = STRBUF_INIT(ANSWER_MAX);
	const char *socket_path = endpoint_socket_path(line->config, &arena);
	int r = is_post ? http_client_post(socket_path, path, &body, err)
			: http_client_get(socket_path, path, &body, err);

	if (r == -ERR_UNSUPPORTED)
		return err_hint(err, "set index.enabled to true and start the worker again");
	if (r < 0)
		return r;
	*ret = json_loadb(strbuf_str(&body), body.len, 0, NULL);
	return *ret ? 0
		    : err_set(err, ERR_CORRUPTED, "the worker's answer to \"%s\" is no JSON", path);
}

json_t *cli_worker_json(const struct command_line *line, const char *path)
{
	json_t *answer = NULL;

	return cli_worker_ask(line, path, false, &answer, NULL) < 0 ? NULL : answer;
}

int cli_worker_show(const struct command_line *line, const char *path,
		    void (*print)(const struct command_line *line, const json_t *answer),
		    struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	int r = cli_worker_ask(line, path, false, &answer, err);

	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(TAKE_PTR(answer), err);
	print(line, answer);
	return cli_flush(err);
}

const char *cli_text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

int64_t cli_int_of(const json_t *o, const char *name)
{
	return (int64_t)json_integer_value(json_object_get(o, name));
}

double cli_number_of(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

void cli_add_parameter(struct strbuf *path, const char *name, const char *value)
{
	strbuf_addf(path, "%c%s=", strchr(strbuf_str(path), '?') ? '&' : '?', name);
	http_client_add_escaped(path, value);
}

void cli_add_words(const struct command_line *line, int first, struct strbuf *b)
{
	for (int i = first; i < line->argc; i++)
		strbuf_addf(b, "%s%s", i > first ? " " : "", line->argv[i]);
}
