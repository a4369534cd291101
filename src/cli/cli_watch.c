/* `aethermart watch`: a line for each change as it is applied, from the running worker. */
#include "cli/cli.h"

#include "http/http_client.h"

#include "base/banned.h"

static int print_line(void *arg, struct str line, struct err *err)
{
	const struct command_line *command = arg;
	json_t *j;

	if (command->json) {
		printf("%.*s\n", STR_ARGS(line));
		return cli_flush(err);
	}
	j = json_loadb(line.data, line.len, 0, NULL);
	if (json_object_get(j, "missed"))
		printf("... %" JSON_INTEGER_FORMAT " changes were faster than this terminal\n",
		       json_integer_value(json_object_get(j, "missed")));
	else if (json_object_get(j, "collection"))
		printf("%s  %-9s %s %s  %.1f ms\n", json_string_value(json_object_get(j, "time")),
		       json_string_value(json_object_get(j, "operation")),
		       json_string_value(json_object_get(j, "collection")),
		       json_string_value(json_object_get(j, "key")),
		       json_number_value(json_object_get(j, "lag_ms")));
	json_decref(j);
	return cli_flush(err);
}

static int run_watch(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct command_line copy = *line;

	return http_client_stream(endpoint_socket_path(line->config, &arena), "/v1/changes",
				  print_line, &copy, err);
}

const struct command command_watch = {
    .name = "watch",
    .summary = "a line for each applied change, as it happens",
    .help = "Time, what happened, collection, key and the time since the change was committed.\n"
	    "Ends with Ctrl-C. With --json: one object a line.\n",
    .run = run_watch,
};
