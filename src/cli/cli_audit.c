/* `aethermart audit`: who did what to whose data. */
#include "cli/cli_govern.h"
#include "cli/cli_list.h"
#include "cli/cli_witness.h"

#include "base/clock.h"
#include "govern/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

struct place {
	struct cli_audit_head head;
	struct maria *db;
};

static void place_done(struct place *p)
{
	p->db = maria_close(p->db);
	cli_audit_head_done(&p->head);
}

static int open_place(const struct command_line *line, struct place *p, struct err *err)
{
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &p->db, err);

	return r < 0 ? r : cli_audit_head(line, &p->head, err);
}

/* --- verify ---------------------------------------------------------------------------------- */

static int run_verify(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	struct audit_state s = {0};
	int r = open_place(line, &p, err);

	if (r == 0)
		r = audit_verify(p.db, &p.head.witness, &s, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I,s:I,s:I,s:I,s:I,s:s}", "first",
						(json_int_t)s.first, "last", (json_int_t)s.last,
						"events", (json_int_t)s.n, "details",
						(json_int_t)s.n_details, "erased",
						(json_int_t)s.n_erased, "head", s.head),
				      err);
	printf("%" PRIu64 " event%s, none changed, none missing; %" PRIu64
	       " with details, of %" PRIu64 " they were erased.\nThe last is %" PRIu64
	       ", %.16s...\n",
	       s.n, s.n == 1 ? "" : "s", s.n_details, s.n_erased, s.last, s.head);
	return cli_flush(err);
}

/* --- list, who-saw --------------------------------------------------------------------------- */

static int list_row(void *arg, const struct audit_row *row, struct err *err)
{
	struct cli_list *l = arg;
	char id[24], rows[24], at[20];

	(void)err;
	if (l->json) {
		json_array_append_new(l->json,
				      json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s}", "id",
						(json_int_t)row->id, "at", row->happened_at,
						"actor", row->actor, "role", row->role, "action",
						row->action, "object", row->object, "purpose",
						row->purpose, "rows", (json_int_t)row->rows,
						"outcome", row->outcome, "subject", row->subject));
		return 0;
	}
	(void)snprintf(id, sizeof(id), "%" PRIu64, row->id);
	(void)snprintf(rows, sizeof(rows), "%" PRIu64, row->rows);
	(void)snprintf(at, sizeof(at), "%.19s", row->happened_at); /* --json has the rest */
	table_add(l->table,
		  (const char *const[]){id, at, row->actor, row->role, row->action, row->object,
					rows, row->outcome, row->subject, row->purpose});
	return 0;
}

static int list(const struct command_line *line, const char *subject, struct err *err)
{
	static const char *const titles[] = {">ID",	 "~AT",	     "~ACTOR", "~ROLE",
					     "~ACTION",	 "~OBJECT",  ">ROWS",  "~OUTCOME",
					     "~SUBJECT", "~PURPOSE", NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	if (r == 0)
		r = audit_list(db, subject, (size_t)command_number(line, "limit"), list_row, &l,
			       err);
	return r < 0 ? r : cli_list_print(&l, err);
}

static int run_list(const struct command_line *line, struct err *err)
{
	return list(line, NULL, err);
}

static int run_who_saw(const struct command_line *line, struct err *err)
{
	return list(line, line->argv[0], err);
}

/* --- purge ----------------------------------------------------------------------------------- */

/* What the retention keeps goes by a word of its own; what is to come never. */
static int check_before(const struct command_line *line, const char *before, struct err *err)
{
	char now[CLOCK_TEXT_SIZE], kept[CLOCK_TEXT_SIZE];
	int64_t keep_ms = config_int(line->config, "retention.audit"), now_us = clock_wall_us();

	clock_format(now_us, now);
	clock_format(now_us - keep_ms * 1000, kept);
	now[10] = kept[10] = ' ';
	now[19] = kept[19] = '\0';
	if (strcmp(before, now) > 0) {
		(void)err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is still to come", before);
		return err_hint(err, "what is not old yet stays; name a day that is over");
	}
	if (command_has(line, "young") || (keep_ms && strcmp(before, kept) <= 0))
		return 0;
	if (keep_ms)
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "retention.audit keeps events from %.10s on", kept);
	else
		(void)err_set(err, ERR_INVALID_ARGUMENT, "retention.audit keeps events for ever");
	return err_hint(err, "--young deletes them all the same");
}

static int run_purge(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	const char *before;
	uint64_t purged = 0;
	int r = cli_day_before(line, &before, err);

	if (r == 0)
		r = check_before(line, before, err);
	if (r == 0)
		r = cli_ask(line, "This deletes the audit from before that day. Go on?", err);
	if (r == 0)
		r = open_place(line, &p, err);
	if (r == 0)
		r = audit_purge(p.db,
				&(struct audit_purge){.witness = &p.head.witness,
						      .secret_key = p.head.secret_key,
						      .before = before},
				&purged, err);
	if (r == 0)
		r = cli_govern_audit(line, p.db,
				     &(struct audit_event){.action = "audit.purge",
							   .object = "Audit_Events",
							   .rows = purged,
							   .outcome = "done"},
				     err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I}", "purged", (json_int_t)purged), err);
	printf("%" PRIu64 " event%s deleted; a signed checkpoint stands for them.\n", purged,
	       purged == 1 ? "" : "s");
	return cli_flush(err);
}

/* --- erase ----------------------------------------------------------------------------------- */

static int run_erase(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(maria_closep) struct maria *db = NULL;
	uint64_t erased = 0;
	int r = cli_ask(line, "This makes the audit forget whose data it was. Go on?", err);

	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);
	if (r == 0)
		r = audit_erase(db, audit_os_actor(&arena), line->argv[0], &erased, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I}", "erased", (json_int_t)erased), err);
	printf("the details of %" PRIu64 " event%s erased; the events stay.\n", erased,
	       erased == 1 ? " are" : "s are");
	return cli_flush(err);
}

/* --- follow ---------------------------------------------------------------------------------- */

static int run_follow(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(cli_witness_done) struct cli_witness w = {0};
	_cleanup_(maria_closep) struct maria *db = NULL;
	uint64_t rows = 0;
	int r;

	if (!cli_witness_dir(line, &arena)) {
		(void)err_set(err, ERR_UNAVAILABLE,
			      "it is not known where the server's audit file is");
		return err_hint(err, "name its folder in audit.dir");
	}
	r = cli_open_maria(line, ENDPOINT_SYNC, &db, err);
	if (r == 0)
		r = cli_witness_follow(&w, line, db, &rows, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I}", "rows", (json_int_t)rows), err);
	printf("%" PRIu64 " row%s taken.\n", rows, rows == 1 ? "" : "s");
	return cli_flush(err);
}

/* --- scrub ----------------------------------------------------------------------------------- */

#define TEXTS_MAX 1000
#define TEXT_MIN  3 /* bytes: shorter ones are in every line */
#define TEXT_MAX  1024

/* From stdin, a text a line: a command line is seen by others. In the middle of a word, too. */
static int read_texts(struct erase_match *match, struct err *err)
{
	char line[2 * TEXT_MAX];
	size_t n = 0;

	while (fgets(line, sizeof(line), stdin)) {
		struct str text = str_trim(str_from(line));

		if (text.len == 0)
			continue;
		if (n++ == TEXTS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d texts", TEXTS_MAX);
		if (text.len > TEXT_MAX ||
		    !erase_match_add(match, ERASE_OTHER, text, ERASE_ANYWHERE))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "a text to scrub has %zu bytes; it must have %d to %d",
				       text.len, TEXT_MIN, TEXT_MAX);
		(void)erase_match_add(match, ERASE_PHONE, text, 0);
	}
	return n ? 0 : err_set(err, ERR_INVALID_ARGUMENT, "there is nothing to look for");
}

static int scrub(const struct command_line *line, struct rbac_scrub_question *q, struct err *err)
{
	_cleanup_(maria_closep) struct maria *db = NULL;
	uint64_t lines = 0, rows = 0, found = 0;
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	if (r == 0 && !command_has(line, "scan"))
		r = rbac_audit_scrub(db, q, &lines, &rows, err);
	if (r == 0)
		r = rbac_audit_scan(db, q, &found, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I,s:I,s:I}", "lines", (json_int_t)lines, "rows",
						(json_int_t)rows, "found", (json_int_t)found),
				      err);
	printf("%" PRIu64 " lines and %" PRIu64 " rows scrubbed; %" PRIu64 " still hold a text.\n",
	       lines, rows, found);
	return cli_flush(err);
}

static int run_scrub(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(erase_match_freep) struct erase_match *match = erase_match_new();
	struct rbac_scrub_question q = {
	    .dir = cli_witness_dir(line, &arena), .match = match, .actor = audit_os_actor(&arena)};
	int r = 0;

	if (!command_has(line, "scan"))
		r = cli_ask(line, "This makes the server's audit forget these texts. Go on?", err);
	if (r == 0)
		r = read_texts(match, err);
	return r < 0 ? r : scrub(line, &q, err);
}

/* --- the group ------------------------------------------------------------------------------- */

static const struct command_option list_options[] = {CLI_OPTION_NEWEST("50"), {0}};
static const struct command_option erase_options[] = {CLI_OPTION_YES, {0}};
static const struct command_option purge_options[] = {
    CLI_OPTION_YES,
    CLI_OPTION_BEFORE,
    {.name = "young", .type = COMMAND_FLAG, .help = "also what retention.audit keeps"},
    {0},
};

static const struct command command_audit_verify = {
    .name = "verify",
    .summary = "whether an event was changed, or is missing",
    .run = run_verify,
};
static const struct command command_audit_list = {
    .name = "list",
    .summary = "the newest events",
    .options = list_options,
    .run = run_list,
};
static const struct command command_audit_who_saw = {
    .name = "who-saw",
    .summary = "what was done with the data of a customer",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = list_options,
    .run = run_who_saw,
};
static const struct command command_audit_erase = {
    .name = "erase",
    .summary = "forgets that events were about a customer",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = erase_options,
    .run = run_erase,
};
static const struct command command_audit_purge = {
    .name = "purge",
    .summary = "deletes old events behind a signed checkpoint",
    .options = purge_options,
    .run = run_purge,
};

static const struct command command_audit_follow = {
    .name = "follow",
    .summary = "takes what the server saw into rbac_audit now",
    .help = "`serve` does so each second. What people did by SQL is then in v_rbac_audit.",
    .run = run_follow,
};

static const struct command_option scrub_options[] = {
    CLI_OPTION_YES,
    {.name = "scan", .type = COMMAND_FLAG, .help = "only count what holds a text"},
    {0},
};

static const struct command command_audit_scrub = {
    .name = "scrub",
    .summary = "makes what the server saw forget texts read from stdin",
    .help = "A text a line: e-mail, name, phone. Overwrites the lines of the server's audit files\n"
	    "that hold one, and forgets who and what in such rows of rbac_audit.\n\n"
	    "  aethermart audit scrub --yes <texts",
    .options = scrub_options,
    .run = run_scrub,
};

static const struct command *const children[] = {
    &command_audit_verify, &command_audit_list,	  &command_audit_who_saw, &command_audit_erase,
    &command_audit_purge,  &command_audit_follow, &command_audit_scrub,	  NULL,
};

const struct command command_audit = {
    .name = "audit",
    .summary = "who did what to whose data",
    .children = children,
};
