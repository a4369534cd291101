/* `aethermart schema`: brings the shop's schema into the database, shows and draws it. */
#include "cli/cli.h"

#include "base/table.h"
#include "govern/access.h"
#include "shop/schema.h"
#include "shop/schema_graph.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

extern char **environ;

/* --- apply and status ------------------------------------------------------------------------ */

static json_t *item_json(const struct shop_schema_item *item)
{
	return json_pack("{s:i,s:s,s:s,s:I,s:I,s:s?,s:s?}", "number", (int)item->number, "name",
			 item->name, "state", shop_schema_state_name(item->state), "statements",
			 (json_int_t)item->statements, "done", (json_int_t)item->done, "started_at",
			 item->started_at, "finished_at", item->finished_at);
}

static int print_json(const struct shop_schema_report *r, bool is_apply, struct err *err)
{
	json_t *items = json_array();
	json_t *json;

	for (size_t i = 0; i < r->n_items; i++)
		(void)json_array_append_new(items, item_json(&r->items[i]));
	json = json_pack("{s:I,s:o}", "pending", (json_int_t)(is_apply ? 0 : r->n_pending),
			 "migrations", items);
	if (is_apply)
		(void)json_object_update_new(json, json_pack("{s:I,s:I,s:I}", "applied",
							     (json_int_t)r->n_applied, "resumed",
							     (json_int_t)r->n_resumed, "statements",
							     (json_int_t)r->n_statements));
	return cli_print_json(json, err);
}

/* What migrations do to views and routines is not told as done by hand, nor what they did before an
 * error. */
static int apply_noted(struct maria *m, struct shop_schema_report *ret, struct err *err)
{
	_cleanup_(shop_schema_report_done) struct shop_schema_report before = {0};
	struct err local = {0};
	int r = shop_schema_pending(m, &shop_schema, &before, err);

	if (r == 0 && before.n_pending)
		r = access_definitions_begin(m, err);
	if (r < 0)
		return r;
	r = shop_schema_apply(m, &shop_schema, ret, err);
	if (r == -ERR_TIMEOUT || maria_is_lost(m)) /* somebody else's migrations may go on */
		return r;
	return err_first(r, access_definitions_end(m, &local), &local, err);
}

static int run_apply(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(shop_schema_report_done) struct shop_schema_report report = {0};
	int r;

	r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r >= 0)
		r = apply_noted(m, &report, err);
	if (r < 0)
		return r;
	if (line->json) {
		_cleanup_(shop_schema_report_done) struct shop_schema_report after = {0};

		r = shop_schema_pending(m, &shop_schema, &after, err);
		if (r < 0)
			return r;
		after.n_applied = report.n_applied;
		after.n_resumed = report.n_resumed;
		after.n_statements = report.n_statements;
		return print_json(&after, true, err);
	}
	if (!report.n_applied)
		printf("nothing to do: all %zu migrations are applied\n", report.n_items);
	else
		printf("%zu of %zu migrations applied, %" PRIu64 " statements%s\n",
		       report.n_applied, report.n_items, report.n_statements,
		       report.n_resumed ? "; an interrupted one was resumed" : "");
	return cli_flush(err);
}

static void print_table(const struct shop_schema_report *r)
{
	static const char *const titles[] = {"MIGRATION", "STATE", ">STATEMENTS", "FINISHED (UTC)",
					     NULL};
	struct table *t = table_new(titles);

	for (size_t i = 0; i < r->n_items; i++) {
		const struct shop_schema_item *item = &r->items[i];
		char done[48];

		(void)snprintf(done, sizeof(done), "%" PRIu64 " of %" PRIu64, item->done,
			       item->statements);
		table_add(t,
			  (const char *const[]){item->name, shop_schema_state_name(item->state),
						done, item->finished_at ? item->finished_at : ""});
	}
	table_print(t, stdout);
	(void)table_free(t);
}

static int run_status(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(shop_schema_report_done) struct shop_schema_report report = {0};
	int r;

	r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r >= 0)
		r = shop_schema_pending(m, &shop_schema, &report, err);
	if (r < 0)
		return r;
	if (line->json)
		return print_json(&report, false, err);
	print_table(&report);
	if (report.n_pending)
		printf("%zu to apply: aethermart schema apply\n", report.n_pending);
	return cli_flush(err);
}

/* --- graph ----------------------------------------------------------------------------------- */

/* Writes text into a pipe whose reader is the child; a child that is gone is no error of ours. */
static void feed(int fd, struct str text)
{
	while (text.len) {
		ssize_t n = write(fd, text.data, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		text.data += n;
		text.len -= (size_t)n;
	}
	(void)close(fd);
}

static int start_dot(int in, pid_t *ret, struct err *err)
{
	static const char *const argv[] = {"dot", "-Tsvg", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t set;
	char *words[ARRAY_LEN(argv)];
	int r;

	memcpy(words, argv, sizeof(words));
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGPIPE);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigdefault(&attributes, &set);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	r = posix_spawnp(ret, "dot", &actions, &attributes, words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	if (r == 0)
		return 0;
	(void)err_set(err, ERR_UNAVAILABLE, "could not start \"dot\", which draws the SVG: %s",
		      strerror(r));
	return err_hint(err, "install graphviz, or take --format mermaid or --format dot");
}

/* Draws with graphviz; the picture goes from dot straight to the standard output. */
static int print_svg(struct str dot, struct err *err)
{
	int fds[2], status;
	pid_t pid;
	int r;

	if (fflush(stdout) == EOF || pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, ERR_IO, "could not make a pipe: %s", strerror(errno));
	r = start_dot(fds[0], &pid, err);
	(void)close(fds[0]);
	if (r < 0) {
		(void)close(fds[1]);
		return r;
	}
	feed(fds[1], dot);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(err, ERR_IO, "\"dot\" could not draw the diagram");
}

static int print_graph(const struct command_line *line, const char *format, struct strbuf *graph,
		       struct err *err)
{
	if (strbuf_check(graph, "diagram", err) < 0)
		return -(int)err->code;
	if (cstr_equal(format, "svg"))
		return print_svg(strbuf_slice(graph), err);
	if (line->json)
		return cli_print_json(
		    json_pack("{s:s,s:s}", "format", format, "graph", strbuf_str(graph)), err);
	(void)fputs(strbuf_str(graph), stdout);
	return cli_flush(err);
}

static int run_graph(const struct command_line *line, struct err *err)
{
	static const char *const formats[] = {"mermaid", "dot", "svg", NULL};
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(schema_freep) struct schema *schema = NULL;
	_cleanup_(strbuf_done) struct strbuf graph = STRBUF_INIT(0);
	const char *format = command_text(line, "format");
	struct shop_graph_options options = {.is_complete = command_has(line, "all")};
	bool is_known = false;
	int r;

	for (size_t i = 0; formats[i]; i++)
		is_known |= cstr_equal(format, formats[i]);
	if (!is_known) {
		(void)err_set(err, ERR_INVALID_ARGUMENT, "no format \"%s\" for a diagram", format);
		return err_hint(err, "take mermaid, dot or svg");
	}
	options.format = cstr_equal(format, "mermaid") ? SHOP_GRAPH_MERMAID : SHOP_GRAPH_DOT;
	r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r >= 0)
		r = schema_load(m, config_text(line->config, "mariadb.database"), &schema, err);
	if (r < 0)
		return r;
	shop_schema_graph(schema, &options, &graph);
	return print_graph(line, format, &graph, err);
}

/* --- the tree -------------------------------------------------------------------------------- */

static const struct command_option graph_options[] = {
    {.name = "format",
     .type = COMMAND_TEXT,
     .argument = "FORMAT",
     .fallback = "mermaid",
     .help = "mermaid, dot, or svg (drawn by graphviz)"},
    {.name = "all",
     .type = COMMAND_FLAG,
     .help = "also the tables that serve machines: staging, queues, records of the sync"},
    {0},
};

static const struct command command_apply = {
    .name = "apply",
    .summary = "brings the schema up to date",
    .help = "Applies the files of sql/ that the database does not have, in their order. Repeating "
	    "it changes nothing; after an interruption it goes on where it stopped.\n",
    .run = run_apply,
};

static const struct command command_schema_status = {
    .name = "status",
    .summary = "shows which migrations are applied",
    .run = run_status,
};

static const struct command command_graph = {
    .name = "graph",
    .summary = "draws tables, columns and foreign keys",
    .options = graph_options,
    .help = "Examples:\n"
	    "  aethermart schema graph > schema.mmd\n"
	    "  aethermart schema graph --format svg > schema.svg\n",
    .run = run_graph,
};

static const struct command *const schema_children[] = {&command_apply, &command_schema_status,
							&command_graph, NULL};

const struct command command_schema = {
    .name = "schema",
    .summary = "the shop's schema: apply, status, graph",
    .children = schema_children,
};
