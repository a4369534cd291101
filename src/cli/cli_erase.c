/* `aethermart privacy erase` and what goes with it: holds, the list of both, certificates. */
#include "cli/cli_govern.h"
#include "cli/cli_lineage.h"
#include "cli/cli_list.h"
#include "cli/cli_witness.h"
#include "cli/cli_worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/audit.h"
#include "govern/erase.h"
#include "govern/rbac_audit.h"
#include "shop/warehouse.h"

#include <inttypes.h>
#include <sodium.h>
#include <unistd.h>

#include "base/banned.h"

#define WAIT_FALLBACK	"6m"
#define SCRUBS_MAX	5
#define FORGET_US	2000000 /* between two requests to the index to forget */
#define CERTIFICATE_MAX ((size_t)4 << 20)

/* --- what it needs --------------------------------------------------------------------------- */

struct planned;
struct place {
	const struct command_line *line;
	struct cli_govern g;
	struct mongo *mongo;
	struct maria_options maria;
	struct shop_warehouse warehouse;
	unsigned char key[ERASE_KEY_SIZE];
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
	unsigned char secret_key[crypto_sign_SECRETKEYBYTES];
	struct eraser eraser;
	int64_t next_forget_us;
	struct planned *left; /* what a stuck erasure found */
};

static void place_done(struct place *p)
{
	sodium_memzero(p->key, sizeof(p->key));
	sodium_memzero(p->secret_key, sizeof(p->secret_key));
	p->mongo = mongo_close(p->mongo);
	cli_govern_done(&p->g);
}

static int follow_warehouse(void *arg, const char *subject, const struct erase_sought *sought,
			    uint64_t *ret_rows, struct err *err)
{
	struct place *p = arg;
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct shop_warehouse_run run = {0};
	int r = shop_warehouse_open(&p->warehouse, &m, err);

	(void)subject;
	(void)sought;
	if (r == -ERR_NOT_FOUND) {
		err_clear(err);
		return 0;
	}
	if (r == 0)
		r = shop_warehouse_refresh(m, false, NULL, NULL, &run, err);
	*ret_rows = run.customers + run.orders + run.reviews;
	return r;
}

/* What the server wrote down of statements that named them. It is taken into rbac_audit first, so
 * that nothing comes there afterwards. */
static int follow_witness(void *arg, const char *subject, const struct erase_sought *sought,
			  uint64_t *ret_rows, struct err *err)
{
	struct place *p = arg;
	_cleanup_(cli_witness_done) struct cli_witness w = {0};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(erase_match_freep) struct erase_match *match = erase_sought_match(sought);
	struct rbac_scrub_question q = {
	    .dir = cli_witness_dir(p->line, &p->g.arena), .match = match, .actor = p->eraser.actor};
	uint64_t lines = 0, rows = 0, found = 1;
	int r = 0;

	(void)subject;
	*ret_rows = 0;
	if (q.dir)
		r = cli_open_maria(p->line, ENDPOINT_SYNC, &db, err);
	/* Others write meanwhile. */
	for (int i = 0; i < SCRUBS_MAX && r == 0 && found; i++) {
		if (db)
			r = cli_witness_follow(&w, p->line, db, &rows, err);
		if (r == 0)
			r = rbac_audit_scrub(p->g.shop.db, &q, &lines, &rows, err);
		if (r == 0)
			r = rbac_audit_scan(p->g.shop.db, &q, &found, err);
		*ret_rows += lines + rows;
	}
	return r == 0 && found ? err_set(err, ERR_RETRY,
					 "%" PRIu64 " lines still hold something of them", found)
			       : r;
}

/* The index has files to overwrite; where there is no worker, nothing is to be hastened. */
static void hasten(struct place *p)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct err unused = {0};

	if (clock_monotonic_us() < p->next_forget_us)
		return;
	(void)!cli_worker_ask(p->line, "/v1/index/forget", true, &answer, &unused);
	p->next_forget_us = clock_monotonic_us() + FORGET_US;
}

/* A line on a terminal: what it waits for. */
static bool show_wait(void *arg, const char *what)
{
	hasten(arg);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\x1b[K  waiting for %.60s", what);
	return true;
}

static int show_find(void *arg, const struct erase_find *f, struct err *err);

static int note_left(void *arg, const struct erase_find *f, struct err *err)
{
	struct place *p = arg;

	return p->left ? show_find(p->left, f, err) : 0;
}

static void end_wait(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\x1b[K", stderr);
}

static int open_place(const struct command_line *line, struct place *p, struct err *err)
{
	/* Their servers were asked; the audit is scrubbed and searched line by line. */
	static const char *const skipped[] = {"mariadb/data", "mariadb/audit", "mongodb", NULL};
	static const struct erase_follower followers[] = {
	    {"the warehouse", false, follow_warehouse},
	    {"the server's own audit", true, follow_witness},
	    {0},
	};
	int r = cli_govern_open(line, &p->g, err);

	if (r == 0)
		r = cli_open_mongo(line, ENDPOINT_ADMIN, &p->mongo, err);
	if (r == 0)
		r = endpoint_maria(line->config, ENDPOINT_ADMIN, &p->g.arena, &p->maria, err);
	if (r == 0)
		r = cli_govern_key(line, "erasure", p->key, err);
	if (r == 0)
		r = cli_audit_keys(line, p->public_key, p->secret_key, err);
	if (r < 0)
		return r;
	p->line = line;
	p->warehouse = (struct shop_warehouse){
	    .maria = &p->maria, .database = config_text(line->config, "warehouse.database")};
	p->eraser = (struct eraser){.a = p->g.access,
				    .schema = p->g.shop.schema,
				    .mappings = &p->g.shop.mappings,
				    .m = p->g.shop.db,
				    .mongo = p->mongo,
				    .dir = endpoint_var_dir(line->config, &p->g.arena),
				    .skipped = skipped,
				    .is_index_off = !config_bool(line->config, "index.enabled"),
				    .key = p->key,
				    .secret_key = p->secret_key,
				    .actor = audit_os_actor(&p->g.arena),
				    .program = "aethermart " AETHERMART_VERSION,
				    .on_wait = show_wait,
				    .on_left = note_left,
				    .followers = followers,
				    .arg = p};
	p->eraser.index_dir = arena_printf(&p->g.arena, "%s/index", p->eraser.dir);
	return 0;
}

/* --- erase ----------------------------------------------------------------------------------- */

struct planned {
	json_t *places, *finds, *skipped; /* with --json */
	struct table *table, *found;
	uint64_t n_places, n_finds;
};
#define SHOWN_FINDS 100

static int show_place(void *arg, const struct erase_place *p, struct err *err)
{
	struct planned *s = arg;
	char found[24], searched[24];

	(void)err;
	if (!p->n_found)
		return 0;
	s->n_places++;
	if (s->places)
		json_array_append_new(s->places,
				      json_pack("{s:s,s:o,s:I,s:I}", "store", p->store, "where",
						cli_json_text(str_from(p->where)), "found",
						(json_int_t)p->n_found, "searched",
						(json_int_t)p->n_searched));
	(void)snprintf(found, sizeof(found), "%" PRIu64, p->n_found);
	(void)snprintf(searched, sizeof(searched), "%" PRIu64, p->n_searched);
	table_add(s->table, (const char *const[]){p->store, p->where, found, searched});
	return 0;
}

static int show_find(void *arg, const struct erase_find *f, struct err *err)
{
	struct planned *s = arg;

	(void)err;
	if (s->finds)
		json_array_append_new(s->finds,
				      json_pack("{s:s,s:o,s:o,s:s}", "store", f->store, "where",
						cli_json_text(str_from(f->where)), "key",
						cli_json_text(str_from(f->key)), "what", f->what));
	else if (s->n_finds++ < SHOWN_FINDS)
		table_add(s->found, (const char *const[]){f->store, f->where,
							  f->key[0] ? f->key : "-", f->what});
	return 0;
}

static int show_skip(void *arg, const char *where, const char *why, struct err *err)
{
	struct planned *s = arg;

	(void)err;
	json_array_append_new(s->skipped,
			      json_pack("{s:o,s:o}", "where", cli_json_text(str_from(where)), "why",
					cli_json_text(str_from(why))));
	return 0;
}

static const char *const find_titles[] = {"STORE", "WHERE", "KEY", "WHAT", NULL};

static void print_finds(const struct planned *s, FILE *f)
{
	if (!s->n_finds)
		return;
	table_print(s->found, f);
	if (s->n_finds > SHOWN_FINDS)
		fprintf(f, "... and %" PRIu64 " more; --json lists them all\n",
			s->n_finds - SHOWN_FINDS);
}

static int print_plan(const struct command_line *line, const struct planned *s,
		      const struct erase_sought *sought, struct err *err)
{
	size_t n = erase_sought_count(sought, ERASE_SEARCHED);
	size_t shared = erase_sought_count(sought, ERASE_SHARED);
	size_t i;
	json_t *skip;

	if (line->json)
		return cli_print_json(json_pack("{s:b,s:I,s:I,s:I,s:O,s:O,s:O}", "erased", 0,
						"texts", (json_int_t)n, "shared",
						(json_int_t)shared, "not_searched_for",
						(json_int_t)(sought->n - n), "places", s->places,
						"finds", s->finds, "not_searched", s->skipped),
				      err);
	if (s->n_places) {
		table_print(s->table, stdout);
		printf("\n");
	}
	print_finds(s, stdout);
	json_array_foreach(s->skipped, i, skip)
	    printf("not searched: %s (%s)\n", json_string_value(json_object_get(skip, "where")),
		   json_string_value(json_object_get(skip, "why")));
	printf("%s%zu texts tell who %s is; %zu more others have, too, and %zu are too short.\n",
	       s->n_finds ? "\n" : "", n, line->argv[0], shared, sought->n - n - shared);
	return cli_flush(err);
}

static void planned_done(struct planned *s)
{
	json_decref(s->places);
	json_decref(s->finds);
	json_decref(s->skipped);
	table_free(s->table);
	table_free(s->found);
}

static int show_plan(const struct command_line *line, struct place *p, struct err *err)
{
	static const char *const titles[] = {"STORE", "WHERE", ">FOUND", ">OF", NULL};
	_cleanup_(erase_sought_done) struct erase_sought s = {0};
	_cleanup_(planned_done) struct planned planned = {.places =
							      line->json ? json_array() : NULL,
							  .finds = line->json ? json_array() : NULL,
							  .skipped = json_array(),
							  .table = table_new(titles),
							  .found = table_new(find_titles)};
	int r = erase_plan(&p->eraser, line->argv[0],
			   &(struct erase_search){.on_place = show_place,
						  .on_find = show_find,
						  .on_skip = show_skip,
						  .arg = &planned},
			   &s, err);

	return r < 0 ? r : print_plan(line, &planned, &s, err);
}

static int show_certificate(const struct command_line *line, const char *text, struct err *err)
{
	const char *content;
	json_t *whole = json_loads(text, 0, NULL), *inner = NULL;
	json_t *searched, *one;
	json_int_t texts = 0, id = 0, left;
	const char *finished = "";
	size_t i;

	if (line->json || !whole || json_unpack(whole, "{s:s}", "certificate", &content) < 0) {
		json_decref(whole);
		printf("%s\n", text);
		return cli_flush(err);
	}
	inner = json_loads(content, 0, NULL);
	searched = json_object_get(inner, "searched");
	(void)json_unpack(inner, "{s:I,s:s,s:{s:I}}", "erasure", &id, "finished_at", &finished,
			  "texts", "searched_for", &texts);
	left = json_integer_value(json_object_get(inner, "left_in_all"));
	printf("%s is erased%s: certificate %" JSON_INTEGER_FORMAT " of %s.\n", line->argv[0],
	       json_is_false(json_object_get(inner, "complete")) ? ", but not completely" : "", id,
	       finished);
	json_array_foreach(searched, i, one)
	{
		const char *store = "";
		json_int_t places = 0, n = 0, found = 0;

		(void)json_unpack(one, "{s:s,s:I,s:I,s:I}", "store", &store, "places", &places,
				  "searched", &n, "found", &found);
		printf("  %-8s %4" JSON_INTEGER_FORMAT " places, %" JSON_INTEGER_FORMAT
		       " %s: %" JSON_INTEGER_FORMAT " found\n",
		       store, places, n, cstr_equal(store, "files") ? "bytes" : "rows", found);
	}
	if (left)
		printf("%" JSON_INTEGER_FORMAT " things are left: the certificate lists them.\n",
		       left);
	printf("%" JSON_INTEGER_FORMAT " text%s searched for. Whole, with what backups and binary "
	       "logs still hold:\n  aethermart privacy certificate %s\n",
	       texts, texts == 1 ? " was" : "s were", line->argv[0]);
	json_decref(inner);
	json_decref(whole);
	return cli_flush(err);
}

static int erase(struct place *p, const char *subject, char **ret_certificate, struct err *err)
{
	const char *table = p->g.access->subject_table;
	struct lineage_dataset rows = {.kind = LINEAGE_TABLE, .name = table ? table : ""};
	struct cli_lineage *l = cli_lineage_begin(
	    p->line, ENDPOINT_ADMIN,
	    &(struct lineage_job){
		.name = "erase",
		.what = "Takes a person out of every store",
		.io = {.inputs = &rows, .n_inputs = 1, .outputs = &rows, .n_outputs = 1}});
	const char *reason = command_text(p->line, "leave");
	int r = reason ? erase_leave(&p->eraser, subject, reason, ret_certificate, err)
		       : erase_run(&p->eraser, subject, ret_certificate, err);

	cli_lineage_end(l, NULL, r, err);
	return r;
}

/* The finds of an erasure that goes no further, before its error. */
static void show_left(const struct command_line *line, const struct planned *left)
{
	struct err unused = {0};

	if (!line->json)
		print_finds(left, stdout);
	else if (json_array_size(left->finds))
		(void)!cli_print_json(json_pack("{s:b,s:O}", "erased", 0, "left", left->finds),
				      &unused);
}

static int erase_and_show(const struct command_line *line, struct place *p, struct err *err)
{
	_cleanup_(mem_freep) char *certificate = NULL;
	_cleanup_(planned_done) struct planned left = {.finds = line->json ? json_array() : NULL,
						       .found = table_new(find_titles)};
	int r;

	p->left = &left;
	r = erase(p, line->argv[0], &certificate, err);
	p->left = NULL;
	end_wait();
	if (r < 0)
		show_left(line, &left);
	return r < 0 ? r : show_certificate(line, certificate, err);
}

static int run_erase(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	int r = open_place(line, &p, err);

	p.eraser.purpose = command_text(line, "purpose");
	if (r == 0)
		r = parse_duration(str_from(command_text(line, "wait")), &p.eraser.wait_ms, err);
	if (r < 0)
		return r;
	if (command_has(line, "leave") && !str_trim(str_from(command_text(line, "leave"))).len)
		return err_set(err, ERR_INVALID_ARGUMENT, "say why it ends: --leave REASON");
	if (command_has(line, "dry-run"))
		return show_plan(line, &p, err);
	r = cli_ask(line, "This cannot be taken back. Erase them from every store?", err);
	return r < 0 ? r : erase_and_show(line, &p, err);
}

/* --- certificate ----------------------------------------------------------------------------- */

/* Whoever checks needs the public key alone, and where there is no secret one, none is made. */
static int read_public_key(const struct command_line *line, unsigned char *ret, struct err *err)
{
	const char *hex = command_text(line, "key");
	_cleanup_(arena_done) struct arena arena = {0};
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
	size_t len = 0;
	int r;

	if (hex && (sodium_hex2bin(ret, crypto_sign_PUBLICKEYBYTES, hex, strlen(hex), NULL, &len,
				   NULL) != 0 ||
		    len != crypto_sign_PUBLICKEYBYTES))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "--key \"%.80s\" is no public key: 64 hex digits", hex);
	if (hex)
		return 0;
	if (!file_exists(
		arena_printf(&arena, "%s/secrets/audit", endpoint_var_dir(line->config, &arena)))) {
		(void)err_set(err, ERR_NOT_FOUND,
			      "there is no \"secrets/audit\" here to check a signature by");
		return err_hint(err, "give the public key of the shop: --key HEX");
	}
	r = cli_audit_keys(line, ret, secret, err);
	sodium_memzero(secret, sizeof(secret));
	return r;
}

/* Of a file: without any server. */
static int check_certificate(const struct command_line *line, const unsigned char *public_key,
			     struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(CERTIFICATE_MAX);
	const char *file = command_text(line, "check");
	int r = file_read(file, &text, err);

	if (r == 0)
		r = erase_certificate_check(strbuf_str(&text), public_key, err);
	if (r == 0 && line->argc)
		r = erase_certificate_is_of(strbuf_str(&text), line->argv[0], 0, err);
	if (r < 0)
		return err_context(err, "%s", file);
	printf("whole, and signed with the key of this shop\n");
	return cli_flush(err);
}

static int run_certificate(const struct command_line *line, struct err *err)
{
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(mem_freep) char *stored = NULL;
	const char *number = command_text(line, "earlier");
	uint64_t earlier = 0;
	int r;

	if (!line->argc && !command_has(line, "check"))
		return err_set(err, ERR_INVALID_ARGUMENT, "say whose, or --check FILE");
	if (number && parse_uint64(str_from(number), SIZE_MAX, &earlier, err) < 0)
		return err_context(err, "--earlier");
	if (number && !earlier)
		return err_set(err, ERR_INVALID_ARGUMENT, "--earlier counts from 1");
	r = read_public_key(line, public_key, err);
	if (r == 0 && command_has(line, "check"))
		return check_certificate(line, public_key, err);
	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);
	if (r == 0)
		r = erase_certificate(db, line->argv[0], (size_t)earlier, &stored, err);
	if (r == 0)
		r = erase_certificate_check(stored, public_key, err);
	if (r < 0)
		return r;
	printf("%s\n", stored);
	return cli_flush(err);
}

/* --- holds ----------------------------------------------------------------------------------- */

static int run_hold(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	const char *reason = command_text(line, "reason");
	int r;

	if (!reason || !str_trim(str_from(reason)).len)
		return err_set(err, ERR_INVALID_ARGUMENT, "say why: --reason TEXT");
	r = open_place(line, &p, err);
	if (r == 0)
		r = erase_hold(&p.eraser, line->argv[0], reason, command_text(line, "until"), err);
	if (r < 0)
		return r;
	printf("the data of %s is held.\n", line->argv[0]);
	return cli_flush(err);
}

static int run_release(const struct command_line *line, struct err *err)
{
	_cleanup_(place_done) struct place p = {0};
	const char *number = command_text(line, "hold");
	uint64_t hold = 0;
	int r = number ? parse_uint64(str_from(number), UINT64_MAX, &hold, err) : 0;

	if (r < 0)
		return err_context(err, "--hold");
	r = open_place(line, &p, err);
	if (r == 0)
		r = erase_release(&p.eraser, line->argv[0], hold, err);
	if (r < 0)
		return r;
	printf("the hold of %s is ended.\n", line->argv[0]);
	return cli_flush(err);
}

/* --- list ------------------------------------------------------------------------------------ */

static int list_record(void *arg, const struct erase_record *r, struct err *err)
{
	struct cli_list *l = arg;
	char since[20], hold[24] = "-";

	(void)err;
	if (l->json) {
		json_array_append_new(l->json,
				      json_pack("{s:I,s:I,s:s,s:s,s:s,s:o,s:s,s:s}", "erasure",
						(json_int_t)r->id, "hold", (json_int_t)r->hold,
						"subject", r->subject, "state", r->state, "by",
						r->by, "why", cli_json_text(str_from(r->why)),
						"since", r->since, "until", r->until));
		return 0;
	}
	(void)snprintf(since, sizeof(since), "%.19s", r->since);
	if (r->hold)
		(void)snprintf(hold, sizeof(hold), "%" PRIu64, r->hold);
	table_add(l->table,
		  (const char *const[]){r->subject,
					cstr_equal(r->state, "copies") ? "not complete"
					: cstr_equal(r->state, "done") ? "erased"
					: cstr_equal(r->state, "left") ? "erased in part"
								       : r->state,
					since, r->until[0] ? r->until : "-", hold, r->by, r->why});
	return 0;
}

static int run_list(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"CUSTOMER", "STATE", "SINCE", "UNTIL",
					     "HOLD",	 "BY",	  "WHY",   NULL};
	_cleanup_(maria_closep) struct maria *db = NULL;
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	int r = cli_open_maria(line, ENDPOINT_ADMIN, &db, err);

	if (r == 0)
		r = erase_list(db, list_record, &l, err);
	return r < 0 ? r : cli_list_print(&l, err);
}

/* --- the verbs ------------------------------------------------------------------------------- */

static const struct command_option erase_options[] = {
    CLI_OPTION_PURPOSE,
    {.name = "dry-run", .type = COMMAND_FLAG, .help = "only show where something of them stands"},
    {.name = "leave",
     .type = COMMAND_TEXT,
     .argument = "REASON",
     .help = "end one that goes no further, with what is left"},
    {.name = "wait",
     .type = COMMAND_TEXT,
     .argument = "TIME",
     .fallback = WAIT_FALLBACK,
     .help = "for the stores that follow"},
    CLI_OPTION_YES,
    {0},
};
static const struct command_option hold_options[] = {
    {.name = "reason", .type = COMMAND_TEXT, .argument = "TEXT", .help = "why it has to be kept"},
    {.name = "until",
     .type = COMMAND_TEXT,
     .argument = "DAY",
     .help = "the last day, 2030-01-31; without it, until released"},
    {0},
};
static const struct command_option release_options[] = {
    {.name = "hold",
     .type = COMMAND_TEXT,
     .argument = "NUMBER",
     .help = "which, when there are several: `privacy erasures`"},
    {0},
};
static const struct command_option certificate_options[] = {
    {.name = "check",
     .type = COMMAND_TEXT,
     .argument = "FILE",
     .help = "check this one instead of printing it"},
    {.name = "earlier",
     .type = COMMAND_TEXT,
     .argument = "NUMBER",
     .help = "one of before they were erased again, from 1"},
    {.name = "key",
     .type = COMMAND_TEXT,
     .argument = "HEX",
     .help = "the shop's public key; without it, that of secrets/audit"},
    {0},
};

const struct command command_privacy_erase = {
    .name = "erase",
    .summary = "take a person out of every store, and prove it",
    .help = "The rows go or become nameless in one transaction; orders keep their totals. Then "
	    "documents, index, caches, warehouse and audit follow, every store is searched for "
	    "what told who they were, and a certificate is signed. Killed or without a worker, "
	    "it goes on when it is called again.",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = erase_options,
    .run = run_erase,
};
const struct command command_privacy_erasures = {
    .name = "erasures",
    .summary = "who was erased, and whose data is held",
    .run = run_list,
};
const struct command command_privacy_certificate = {
    .name = "certificate",
    .summary = "the signed proof of an erasure",
    .arguments = "CUSTOMER",
    .max_args = 1,
    .options = certificate_options,
    .run = run_certificate,
};
const struct command command_privacy_hold = {
    .name = "hold",
    .summary = "keep a person's data, whatever they ask for",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = hold_options,
    .run = run_hold,
};
const struct command command_privacy_release = {
    .name = "release",
    .summary = "end a hold",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = release_options,
    .run = run_release,
};
