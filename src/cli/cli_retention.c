/* `aethermart retention`: what only grows, and how long it is kept. */
#include "cli/cli_retention.h"
#include "cli/cli_govern.h"
#include "cli/cli_list.h"
#include "cli/cli_witness.h"

#include "base/clock.h"
#include "cluster/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/banned.h"

/* --- the place ------------------------------------------------------------------------------- */

int cli_retention_open(const struct command_line *line, struct cli_retention *ret, struct err *err)
{
	const char *var = endpoint_var_dir(line->config, &ret->arena);
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &ret->db, err);

	if (r == 0)
		r = retention_prepare(ret->db, err);
	if (r == 0)
		r = cli_audit_head(line, &ret->head, err);
	if (r < 0)
		return r;
	ret->dir = var;
	ret->place = (struct retention_place){
	    .db = ret->db,
	    .config = line->config,
	    .log_dir = arena_printf(&ret->arena, "%s/log", var),
	    .witness_dir = cli_witness_dir(line, &ret->arena),
	    .cache_path = arena_printf(&ret->arena, "%s/index/embeddings.db", var),
	    .has_own_server = endpoint_is_embedded_maria(line->config),
	    .witness = ret->head.witness,
	    .secret_key = ret->head.secret_key,
	    .actor = audit_os_actor(&ret->arena),
	};
	return 0;
}

void cli_retention_done(struct cli_retention *s)
{
	s->db = maria_close(s->db);
	cli_audit_head_done(&s->head);
	arena_done(&s->arena);
}

uint64_t cli_retention_free(const char *dir)
{
	struct statvfs v;

	return statvfs(dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

void cli_retention_forecast(const struct retention_forecast *f, struct strbuf *b)
{
	if (!f->is_known)
		strbuf_addf(b,
			    "when the disk is full is not known yet: there are %" PRIu64
			    " sizes over %.1f days, and 12 over one day are needed",
			    f->samples, f->days_seen);
	else if (f->bytes_a_day <= 0)
		strbuf_addf(b, "the disk does not fill: over %.1f days it did not grow",
			    f->days_seen);
	else
		strbuf_addf(b, "the disk grows by %.0f MB a day and is full in %.0f days",
			    f->bytes_a_day / 1e6, f->days_left);
}

/* --- show ------------------------------------------------------------------------------------ */

static void keep_text(const struct cli_retention *s, const struct retention_store *store, char *ret,
		      size_t size)
{
	int64_t ms = retention_of(s->place.config, store);

	if (!store->option)
		(void)snprintf(ret, size, "kept");
	else if (ms == 0)
		(void)snprintf(ret, size, "for ever");
	else
		(void)clock_format_duration(ms * 1000, ret);
	if (store->option && ms >= 86400000)
		(void)snprintf(ret, size, "%" PRId64 "d", ms / 86400000);
}

static int show_store(const struct cli_retention *s, const struct retention_store *store,
		      struct cli_list *l, struct err *err)
{
	char keep[CLOCK_TEXT_SIZE], bytes[24], rows[24], growth[24] = "-";
	struct retention_size size = {0};
	struct retention_forecast f = {0};
	int r = retention_look(&s->place, store, &size, err);

	if (r == 0)
		r = retention_foresee(s->db, store->name, 0, &f, err);
	if (r < 0)
		return r;
	keep_text(s, store, keep, sizeof(keep));
	if (l->json) {
		json_t *entry =
		    json_pack("{s:s,s:b,s:I,s:I,s:s,s:s,s:I,s:s?,s:s}", "name", store->name,
			      "there", size.is_there, "bytes", (json_int_t)size.bytes, "rows",
			      (json_int_t)size.rows, "oldest", size.oldest, "keep", keep, "keep_ms",
			      (json_int_t)retention_of(s->place.config, store), "option",
			      store->option, "why", store->why);

		json_object_set_new(entry, "is_estimate", json_boolean(size.is_estimate));
		json_object_set_new(entry, "bytes_a_day",
				    f.is_known ? json_real(f.bytes_a_day) : json_null());
		json_array_append_new(l->json, entry);
		return 0;
	}
	(void)snprintf(bytes, sizeof(bytes), "%.1f", (double)size.bytes / 1e6);
	(void)snprintf(rows, sizeof(rows), "%s%" PRIu64, size.is_estimate ? "~" : "", size.rows);
	if (f.is_known)
		(void)snprintf(growth, sizeof(growth), "%.1f", f.bytes_a_day / 1e6);
	table_add(l->table, (const char *const[]){store->name, size.is_there ? bytes : "-",
						  size.is_there ? rows : "-", growth,
						  size.oldest[0] ? size.oldest : "-", keep});
	return 0;
}

static int run_show(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"STORE",  ">MB",	">ROWS", ">MB/DAY",
					     "OLDEST", ">KEEP", NULL};
	_cleanup_(cli_retention_done) struct cli_retention s = {0};
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	_cleanup_(strbuf_done) struct strbuf told = STRBUF_INIT(0);
	struct retention_forecast f = {0};
	int r = cli_retention_open(line, &s, err);

	for (const struct retention_store *store = retention_stores; store->name && r == 0; store++)
		r = show_store(&s, store, &l, err);
	if (r == 0)
		r = retention_foresee(s.db, RETENTION_DISK, cli_retention_free(s.dir), &f, err);
	if (r < 0)
		return r;
	cli_retention_forecast(&f, &told);
	if (line->json)
		return cli_print_json(json_pack("{s:O,s:s,s:I}", "stores", l.json, "disk",
						strbuf_str(&told), "samples",
						(json_int_t)f.samples),
				      err);
	table_print(l.table, stdout);
	printf("\n");
	cli_print_line("", strbuf_str(&told));
	return cli_flush(err);
}

/* --- purge ----------------------------------------------------------------------------------- */

static int find_store(const char *name, const struct retention_store **ret, struct err *err)
{
	const char *names[64] = {0};
	size_t n = 0;

	for (const struct retention_store *s = retention_stores; s->name; s++) {
		if (cstr_equal(s->name, name)) {
			*ret = s;
			return 0;
		}
		names[n++] = s->name;
	}
	(void)err_set(err, ERR_NOT_FOUND, "there is no store \"%.60s\"", name);
	(void)err_near(err, cstr_nearest(name, names));
	return err_hint(err, "`aethermart retention show` lists them");
}

static int purge_one(const struct cli_retention *s, const struct retention_store *store,
		     bool is_dry, struct cli_list *l, struct err *err)
{
	char number[24];
	uint64_t n = 0;
	int r = retention_purge(&s->place, store, is_dry, &n, err);

	if (r < 0)
		return r;
	if (l->json)
		json_array_append_new(
		    l->json, json_pack("{s:s,s:I}", "name", store->name, "n", (json_int_t)n));
	(void)snprintf(number, sizeof(number), "%" PRIu64, n);
	if (n)
		table_add(l->table, (const char *const[]){store->name, number});
	return 0;
}

static int run_purge(const struct command_line *line, struct err *err)
{
	bool is_dry = command_has(line, "dry-run");
	const char *const titles[] = {"STORE", is_dry ? ">OLD" : ">GONE", NULL};
	_cleanup_(cli_retention_done) struct cli_retention s = {0};
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	const struct retention_store *only = NULL;
	int r = line->argc ? find_store(line->argv[0], &only, err) : 0;

	if (r == 0 && !is_dry)
		r = cli_ask(line, "This deletes what is older than its retention. Go on?", err);
	if (r == 0)
		r = cli_retention_open(line, &s, err);
	for (const struct retention_store *store = retention_stores; store->name && r == 0; store++)
		if (!only || only == store)
			r = purge_one(&s, store, is_dry, &l, err);
	return r < 0 ? r : cli_list_print(&l, err);
}

/* --- the group ------------------------------------------------------------------------------- */

static const struct command_option purge_options[] = {
    CLI_OPTION_YES,
    {.name = "dry-run", .type = COMMAND_FLAG, .help = "only count what would go"},
    {0},
};

static const struct command command_retention_show = {
    .name = "show",
    .summary = "sizes, the oldest, how long it is kept, when the disk is full",
    .run = run_show,
};
static const struct command command_retention_purge = {
    .name = "purge",
    .summary = "deletes what is older than its retention",
    .arguments = "[STORE]",
    .max_args = 1,
    .options = purge_options,
    .help = "`serve` does so each hour (retention.every, retention.purge).\n\n"
	    "  aethermart retention purge --dry-run\n"
	    "  aethermart retention purge rbac_audit --yes",
    .run = run_purge,
};

static const struct command *const children[] = {
    &command_retention_show,
    &command_retention_purge,
    NULL,
};

const struct command command_retention = {
    .name = "retention",
    .summary = "what only grows, and how long it is kept",
    .children = children,
};
