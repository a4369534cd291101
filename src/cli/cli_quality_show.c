/* `aethermart quality report|trend|quarantine|list|ack`: what checks found, and who knows. */
#include "cli/cli_list.h"
#include "cli/cli_quality.h"

#include "base/clock.h"
#include "govern/audit.h"

#include <inttypes.h>
#include <time.h>

#include "base/banned.h"

#define TREND_FALLBACK "20"
#define LIST_FALLBACK  "50"
#define BARS	       8

struct shown {
	const struct command_line *line;
	struct arena arena;
	struct maria *db;
	struct cli_list list;
	struct quality_row *rows;
	size_t n, cap;
	struct strbuf text;
};

static void shown_done(struct shown *s)
{
	cli_list_done(&s->list);
	mem_free(s->rows);
	strbuf_done(&s->text);
	s->db = maria_close(s->db);
	arena_done(&s->arena);
}

static int shown_open(const struct command_line *line, const char *const *titles, struct shown *s,
		      struct err *err)
{
	s->line = line;
	s->list = cli_list_new(line, titles);
	s->text = (struct strbuf)STRBUF_INIT(0);
	return cli_open_maria(line, ENDPOINT_ADMIN, &s->db, err);
}

/* --- results --------------------------------------------------------------------------------- */

static int keep_row(void *arg, const struct quality_row *row, struct err *err)
{
	struct shown *s = arg;
	struct quality_row *to;

	(void)err;
	mem_grow(&s->rows, &s->cap, s->n + 1, sizeof(*s->rows));
	to = &s->rows[s->n++];
	*to = *row;
	to->check = arena_strdup(&s->arena, row->check);
	to->entity = arena_strdup(&s->arena, row->entity);
	to->column = arena_strdup(&s->arena, row->column);
	to->outcome = arena_strdup(&s->arena, row->outcome);
	to->owner = arena_strdup(&s->arena, row->owner);
	to->details = arena_strdup(&s->arena, row->details);
	to->at = arena_strdup(&s->arena, row->at);
	return 0;
}

static json_t *row_json(const struct quality_row *r)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:b,s:s,s:I,s:I,s:o,s:I,s:o,s:I,s:I,s:s}", "check",
			 r->check, "of", r->entity, "column", r->column, "outcome", r->outcome,
			 "acknowledged", r->is_acked, "owner", r->owner, "checked",
			 (json_int_t)r->checked, "failed", (json_int_t)r->failed, "measured",
			 r->has_measure ? json_real(r->measured) : json_null(), "microseconds",
			 (json_int_t)r->run_us, "details", cli_json_text(str_from(r->details)),
			 "run", (json_int_t)r->run_id, "id", (json_int_t)r->log_id, "at", r->at);
}

static const char *shown_outcome(const struct quality_row *r)
{
	return r->is_acked ? "known" : r->outcome;
}

static int add_key(void *arg, const char *entity, const char *key, struct err *err)
{
	struct shown *s = arg;

	(void)entity;
	(void)err;
	if (s->list.json) {
		json_array_append_new(s->list.json, cli_json_text(str_from(key)));
		return 0;
	}
	strbuf_addstr(&s->text, s->text.len ? ", " : "");
	strbuf_add_visible(&s->text, key, strlen(key));
	return 0;
}

static int print_found(struct shown *s, const struct quality_row *r, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf head = STRBUF_INIT(4096);
	int rc;

	strbuf_clear(&s->text);
	rc = quality_samples(s->db, r->log_id, add_key, s, err);
	if (rc < 0)
		return rc;
	strbuf_addf(&head, "%s (%" PRIu64 ", %s): %s %" PRIu64 " of %" PRIu64, r->check, r->log_id,
		    r->owner, r->outcome, r->failed, r->checked);
	printf("\n");
	cli_print_line("", strbuf_str(&head));
	if (*r->details)
		cli_print_line("  ", r->details);
	if (s->text.len && r->failed > QUALITY_SAMPLE)
		strbuf_addstr(&s->text, ", ...");
	if (s->text.len)
		cli_print_line("  keys: ", strbuf_str(&s->text));
	return 0;
}

static int report_text(struct shown *s, const struct quality_run_head *head, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct quality_row *row = &s->rows[i];
		char failed[24], took[CLOCK_TEXT_SIZE];

		(void)snprintf(failed, sizeof(failed), "%" PRIu64, row->failed);
		table_add(s->list.table, (const char *const[]){
					     row->check, row->entity, shown_outcome(row), failed,
					     row->owner, clock_format_duration(row->run_us, took)});
	}
	printf("run %" PRIu64 ", %s, by %s\n\n", head->id, head->started_at, head->actor);
	table_print(s->list.table, stdout);
	for (size_t i = 0; i < s->n && r == 0; i++)
		if (!cstr_equal(s->rows[i].outcome, "passed"))
			r = print_found(s, &s->rows[i], err);
	return r < 0 ? r : cli_flush(err);
}

static int report_json(struct shown *s, const struct quality_run_head *head, struct err *err)
{
	json_t *results = json_array();
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		json_t *row = row_json(&s->rows[i]);

		json_array_clear(s->list.json);
		r = quality_samples(s->db, s->rows[i].log_id, add_key, s, err);
		json_object_set_new(row, "keys", json_copy(s->list.json));
		json_array_append_new(results, row);
	}
	if (r < 0) {
		json_decref(results);
		return r;
	}
	return cli_print_json(json_pack("{s:I,s:s,s:s,s:s,s:o}", "run", (json_int_t)head->id,
					"started_at", head->started_at, "finished_at",
					head->finished_at, "actor", head->actor, "results",
					results),
			      err);
}

static int run_report(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"CHECK", "OF",    "OUTCOME", ">FAILED",
					     "OWNER", ">TOOK", NULL};
	_cleanup_(shown_done) struct shown s = {0};
	struct quality_run_head head = {0};
	uint64_t run = command_has(line, "run") ? (uint64_t)command_number(line, "run") : 0;
	int r = shown_open(line, titles, &s, err);

	if (r == 0)
		r = quality_report(s.db, run, &s.arena, &head, keep_row, &s, err);
	if (r < 0)
		return r;
	return line->json ? report_json(&s, &head, err) : report_text(&s, &head, err);
}

static const struct command_option report_options[] = {
    {.name = "run",
     .type = COMMAND_NUMBER,
     .argument = "ID",
     .min = 1,
     .max = INT64_MAX,
     .help = "of this run, not of the last"},
    {0},
};

const struct command command_quality_report = {
    .name = "report",
    .summary = "what the last run found, with keys of what is wrong",
    .options = report_options,
    .run = run_report,
};

/* --- trend ----------------------------------------------------------------------------------- */

static double height(const struct quality_row *r)
{
	return r->has_measure ? r->measured : (double)r->failed;
}

/* The rows are the newest first; the line goes from left to right. */
static void add_sparkline(const struct shown *s, struct strbuf *b)
{
	static const char *const bars[BARS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	double most = 0;

	for (size_t i = 0; i < s->n; i++)
		most = height(&s->rows[i]) > most ? height(&s->rows[i]) : most;
	for (size_t i = s->n; i-- > 0;) {
		double share = most > 0 ? height(&s->rows[i]) / most : 0;

		strbuf_addstr(b, bars[(size_t)(share * (BARS - 1) + 0.5)]);
	}
}

static int trend_text(struct shown *s, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT(0);

	for (size_t i = 0; i < s->n; i++) {
		const struct quality_row *r = &s->rows[i];
		char run[24], failed[24], checked[24], measured[32] = "", took[CLOCK_TEXT_SIZE];

		(void)snprintf(run, sizeof(run), "%" PRIu64, r->run_id);
		(void)snprintf(failed, sizeof(failed), "%" PRIu64, r->failed);
		(void)snprintf(checked, sizeof(checked), "%" PRIu64, r->checked);
		if (r->has_measure)
			(void)snprintf(measured, sizeof(measured), "%.6g", r->measured);
		table_add(s->list.table,
			  (const char *const[]){run, r->at, shown_outcome(r), failed, checked,
						measured, clock_format_duration(r->run_us, took)});
	}
	table_print(s->list.table, stdout);
	add_sparkline(s, &line);
	printf("\n%s  %s\n", strbuf_str(&line),
	       s->rows[0].has_measure ? "measured, the newest at the right"
				      : "failed, the newest at the right");
	return cli_flush(err);
}

static int run_trend(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {">RUN",	 "AT",	      "OUTCOME", ">FAILED",
					     ">CHECKED", ">MEASURED", ">TOOK",	 NULL};
	_cleanup_(shown_done) struct shown s = {0};
	int r = shown_open(line, titles, &s, err);

	if (r == 0)
		r = quality_trend(s.db, line->argv[0], (size_t)command_number(line, "limit"),
				  keep_row, &s, err);
	if (r < 0)
		return r;
	if (!s.n) {
		(void)err_set(err, ERR_NOT_FOUND, "there is no result of a check \"%.64s\"",
			      line->argv[0]);
		return err_hint(err, "`aethermart quality list` shows the checks");
	}
	if (!line->json)
		return trend_text(&s, err);
	for (size_t i = 0; i < s.n; i++)
		json_array_append_new(s.list.json, row_json(&s.rows[i]));
	return cli_list_print(&s.list, err);
}

static const struct command_option trend_options[] = {
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .fallback = TREND_FALLBACK,
     .min = 1,
     .max = 10000,
     .help = "at most so many runs"},
    {0},
};

const struct command command_quality_trend = {
    .name = "trend",
    .summary = "results of one check over its last runs",
    .arguments = "CHECK",
    .min_args = 1,
    .max_args = 1,
    .options = trend_options,
    .run = run_trend,
};

/* --- quarantine ------------------------------------------------------------------------------ */

static int list_quarantined(void *arg, const struct quality_quarantined *q, struct err *err)
{
	struct shown *s = arg;

	(void)err;
	s->list.n++;
	if (s->list.json)
		json_array_append_new(
		    s->list.json,
		    json_pack("{s:s,s:s,s:o,s:o,s:s,s:s,s:s,s:s?}", "check", q->check, "of",
			      q->entity, "key", cli_json_text(str_from(q->key)), "reason",
			      cli_json_text(str_from(q->reason)), "found_by", q->found_by,
			      "first_seen", q->first_seen, "last_seen", q->last_seen, "resolved_at",
			      *q->resolved_at ? q->resolved_at : NULL));
	else
		table_add(s->list.table,
			  (const char *const[]){q->check, q->entity, q->key, q->first_seen,
						*q->resolved_at ? q->resolved_at : "-", q->reason});
	return 0;
}

static int run_quarantine(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"CHECK",  "OF",	 "KEY", "SINCE",
					     "PASSED", "REASON", NULL};
	_cleanup_(shown_done) struct shown s = {0};
	struct quality_wanted wanted = {.check = line->argc ? line->argv[0] : NULL,
					.limit = (size_t)command_number(line, "limit"),
					.all = command_has(line, "all")};
	int r = shown_open(line, titles, &s, err);

	if (r == 0)
		r = quality_quarantine(s.db, &wanted, list_quarantined, &s, err);
	if (r == 0)
		r = cli_list_print(&s.list, err);
	if (r == 0 && !line->json && !s.list.n)
		printf("Nothing is in quarantine.\n");
	return r < 0 ? r : cli_flush(err);
}

static const struct command_option quarantine_options[] = {
    {.name = "all", .type = COMMAND_FLAG, .help = "what passes again, too"},
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .fallback = LIST_FALLBACK,
     .min = 1,
     .max = 1000000,
     .help = "at most so many, the newest"},
    {0},
};

const struct command command_quality_quarantine = {
    .name = "quarantine",
    .summary = "rows and documents that fail a check, and why",
    .arguments = "[CHECK]",
    .max_args = 1,
    .options = quarantine_options,
    .help = "Told by their keys; they stay where they are. What fails is looked at by `quality "
	    "run`, and of documents, where the check streams, by the worker as it writes them. "
	    "Documents that MongoDB refused are dead letters: `aethermart sync dead-letter list`.",
    .run = run_quarantine,
};

/* --- list ------------------------------------------------------------------------------------ */

static json_t *check_json(const struct quality_check *c)
{
	return json_pack("{s:s,s:s,s:s?,s:s?,s:s,s:s,s:b,s:b,s:s}", "check", c->name, "kind",
			 quality_kind_name(c->kind), "table", c->table, "collection", c->collection,
			 "severity", c->is_warning ? "warn" : "fail", "owner", c->owner,
			 "quarantine", c->quarantines, "stream", c->streams, "about", c->about);
}

static int run_list(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"CHECK", "KIND",  "OF", "SEVERITY",
					     "OWNER", "ABOUT", NULL};
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	_cleanup_(quality_freep) struct quality_checks *checks = NULL;
	_cleanup_(arena_done) struct arena arena = {0};
	int r = quality_load(cli_quality_rules(line, &arena), &checks, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < checks->n; i++) {
		const struct quality_check *c = &checks->items[i];
		const char *of = quality_entity(c);

		if (l.json)
			json_array_append_new(l.json, check_json(c));
		else
			table_add(l.table,
				  (const char *const[]){c->name, quality_kind_name(c->kind), of,
							c->is_warning ? "warn" : "fail", c->owner,
							c->about});
	}
	return cli_list_print(&l, err);
}

const struct command command_quality_list = {
    .name = "list",
    .summary = "the checks, with severity and owner",
    .run = run_list,
};

/* --- ack ------------------------------------------------------------------------------------- */

/* A day that exists; whether it is over is asked, too: such a one would hold nothing. */
static int check_day(const char *day, struct err *err)
{
	char today[CLOCK_TEXT_SIZE];
	struct tm tm = {0};
	const char *end = strptime(day, "%Y-%m-%d", &tm);

	if (strlen(day) != 10 || !end || *end)
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%.40s\" is no day such as 2026-12-31",
			       day);
	if (strncmp(day, clock_format(clock_wall_us(), today), 10) < 0)
		return err_set(err, ERR_INVALID_ARGUMENT, "%s is over", day);
	return 0;
}

static int run_ack(const struct command_line *line, struct err *err)
{
	_cleanup_(shown_done) struct shown s = {0};
	struct quality_ack ack = {.what = line->argv[0],
				  .by = command_text(line, "by"),
				  .note = command_text(line, "note"),
				  .until = command_text(line, "until")};
	static const char *const titles[] = {NULL};
	const char *check = NULL;
	int r = ack.until ? check_day(ack.until, err) : 0;

	if (r < 0)
		return r;
	if (!ack.note || !*ack.note)
		return err_set(err, ERR_INVALID_ARGUMENT, "say why it may stay so: --note TEXT");
	r = shown_open(line, titles, &s, err);
	if (!ack.by)
		ack.by = audit_os_actor(&s.arena);
	if (r == 0)
		r = quality_acknowledge(s.db, &ack, &s.arena, &check, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:s,s:s,s:s,s:s?}", "check", check, "by", ack.by,
						"note", ack.note, "until", ack.until),
				      err);
	printf("%s is known of%s%s: it fails no run until it passes, or gets worse.\n", check,
	       ack.until ? " until " : "", ack.until ? ack.until : "");
	return cli_flush(err);
}

static const struct command_option ack_options[] = {
    {.name = "by", .type = COMMAND_TEXT, .argument = "NAME", .help = "who knows; else you"},
    {.name = "note", .type = COMMAND_TEXT, .argument = "TEXT", .help = "why it may stay so"},
    {.name = "until", .type = COMMAND_TEXT, .argument = "DAY", .help = "the last day, 2026-12-31"},
    {0},
};

const struct command command_quality_ack = {
    .name = "ack",
    .summary = "says that a failing check is known of",
    .arguments = "CHECK|ID",
    .min_args = 1,
    .max_args = 1,
    .options = ack_options,
    .help = "Its results are told, and fail no run any more: until it passes once, until more is "
	    "wrong than now, or until the day is over.\n\n"
	    "  aethermart quality ack order_total --note 'ticket 4711' --until 2026-12-31",
    .run = run_ack,
};
