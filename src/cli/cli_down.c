/* `aethermart down`: stops what `up` started. */
#include "cli/cli_stack.h"

#include "base/banned.h"

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(stack_lock_freep) struct stack_lock *lock = NULL;
	struct stack_callbacks steps = cli_steps(line);
	unsigned n = 0;
	bool has_folder = false;
	int r = stack_exists(line->config, &has_folder, err);

	if (r == 0 && has_folder)
		r = stack_lock_take(line->config, &steps, &lock, err);
	if (r == 0 && has_folder)
		r = stack_down(line->config, &steps, &n, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:i}", "stopped", (int)n), err);
	if (n == 0)
		printf("nothing of this folder was running\n");
	return 0;
}

const struct command command_down = {
    .name = "down",
    .summary = "stop the worker and the embedded servers; the data stays",
    .help =
	"Stops exactly what `aethermart up` started, the worker first. What has not ended after "
	"stack.stop_timeout is killed and recovers at the next start. Your own servers are never "
	"touched.\n\n  aethermart down",
    .run = run,
};
