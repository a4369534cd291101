/* `aethermart privacy`: personal data of one customer, and columns that look personal. */
#include "cli/cli_access_mongo.h"
#include "cli/cli_govern.h"
#include "cli/cli_list.h"

#include "govern/audit.h"
#include "govern/privacy.h"
#include "govern/stand_in.h"
#include "shop/feed.h"

#include <inttypes.h>
#include <sodium.h>

#include "base/banned.h"

/* The rules, the shop and the role of --as; `ret` is left alone after an error. */
static int open_as(const struct command_line *line, struct cli_govern *g,
		   const struct access_role **ret, struct err *err)
{
	const char *name = command_text(line, "as");
	int r;

	if (!name)
		return err_set(err, ERR_INVALID_ARGUMENT, "say whose eyes: --as ROLE");
	r = cli_govern_open(line, g, err);
	if (r < 0)
		return r;
	*ret = access_want_role(g->access, name, err);
	return *ret ? 0 : -ERR_NOT_FOUND;
}

/* --- show ------------------------------------------------------------------------------------ */

static json_t *value_json(const struct privacy_value *v)
{
	return json_pack("{s:s,s:I,s:s,s:s?,s:s,s:o}", "table", v->table, "row", (json_int_t)v->row,
			 "column", v->column, "class", v->pii, "seen", access_mask_name(v->mask),
			 "value", v->text.data ? cli_json_text(v->text) : json_null());
}

static int show_value(void *arg, const struct privacy_value *v, struct err *err)
{
	struct cli_list *l = arg;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
	char row[24];

	(void)err;
	l->n += v->is_first; /* rows of all tables */
	if (l->json) {
		json_array_append_new(l->json, value_json(v));
		return 0;
	}
	if (v->mask == ACCESS_HIDDEN)
		strbuf_addstr(&text, "(hidden)");
	else if (v->text.data)
		strbuf_add_visible(&text, v->text.data, v->text.len < 1024 ? v->text.len : 1024);
	(void)snprintf(row, sizeof(row), "%zu", v->row);
	table_add(l->table, (const char *const[]){v->table, row, v->column, v->pii ? v->pii : "-",
						  strbuf_str(&text)});
	return 0;
}

static int run_show(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"TABLE", ">ROW", "COLUMN", "CLASS", "VALUE", NULL};
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	const struct access_role *role = NULL;
	int r = open_as(line, &g, &role, err);

	if (!role)
		return r;
	r = privacy_show(g.access, g.shop.schema, g.shop.db,
			 &(struct privacy_question){
			     .role = role, .subject = line->argv[0], .fn = show_value, .arg = &l},
			 err);
	/* What was not written down is not shown. */
	if (r == 0)
		r = cli_govern_audit(line, g.shop.db,
				     &(struct audit_event){.role = role->name,
							   .action = "privacy.show",
							   .object = g.access->subject_table,
							   .purpose = command_text(line, "purpose"),
							   .rows = l.n,
							   .outcome = "done",
							   .subject = line->argv[0]},
				     err);
	return r < 0 ? r : cli_list_print(&l, err);
}

/* --- detect ---------------------------------------------------------------------------------- */

static int show_finding(void *arg, const struct privacy_finding *f, struct err *err)
{
	struct cli_list *l = arg;
	char why[64] = "its name";

	(void)err;
	l->n++;
	if (!f->by_name)
		(void)snprintf(why, sizeof(why), "%" PRIu64 " of %" PRIu64 " values", f->n_alike,
			       f->n_values);
	if (l->json)
		json_array_append_new(
		    l->json, json_pack("{s:s,s:s,s:s,s:s,s:s?,s:b,s:I,s:I}", "store", f->store,
				       "table", f->table, "column", f->column, "looks_like", f->pii,
				       "class", f->classed, "by_name", f->by_name, "values",
				       (json_int_t)f->n_values, "alike", (json_int_t)f->n_alike));
	else
		table_add(l->table, (const char *const[]){f->store, f->table, f->column, f->pii,
							  why, f->classed ? f->classed : "-"});
	return 0;
}

static int detect(const struct command_line *line, const struct cli_govern *g, struct cli_list *l,
		  bool *ret_has_mongo, struct err *err)
{
	_cleanup_(mongo_closep) struct mongo *mongo = NULL;
	int r = cli_has_mongo(line, ret_has_mongo, err);

	if (r == 0 && *ret_has_mongo)
		r = cli_open_mongo(line, ENDPOINT_ADMIN, &mongo, err);
	return r < 0 ? r
		     : privacy_detect(
			   &(struct privacy_detect){
			       .a = g->access,
			       .schema = g->shop.schema,
			       .mappings = &g->shop.mappings,
			       .warehouse = config_text(line->config, "warehouse.database"),
			       .m = g->shop.db,
			       .mongo = mongo,
			       .fn = show_finding,
			       .arg = l},
			   err);
}

static int detect_and_print(const struct command_line *line, const struct cli_govern *g,
			    size_t *ret_n, struct err *err)
{
	static const char *const titles[] = {"STORE",	"TABLE", "COLUMN", "LOOKS LIKE",
					     "BECAUSE", "CLASS", NULL};
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	bool has_mongo = false;
	int r = detect(line, g, &l, &has_mongo, err);

	*ret_n = l.n;
	if (r == 0)
		r = cli_list_print(&l, err);
	if (r < 0 || line->json)
		return r;
	if (!l.n)
		printf("No column looks personal without being classed so.\n");
	if (!has_mongo)
		printf("There is no MongoDB to look at.\n");
	return cli_flush(err);
}

static int run_detect(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	size_t n = 0;
	int r = cli_govern_open(line, &g, err);

	if (r == 0)
		r = detect_and_print(line, &g, &n, err);
	if (r < 0 || !n)
		return r;
	(void)err_set(err, ERR_DIFFERENT, "%zu column%s personal and %s not classed so", n,
		      n == 1 ? " looks" : "s look", n == 1 ? "is" : "are");
	return err_hint(err, "class each, in rules/access.yaml or in its mapping");
}

/* --- export ---------------------------------------------------------------------------------- */

static uint64_t count_rows(const json_t *all)
{
	static const char *const parts[] = {"rows", "warehouse"};
	const char *table;
	json_t *list;
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		json_object_foreach(json_object_get(all, parts[i]), table, list) n +=
		    json_array_size(list);
	return n;
}

static int run_export(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	struct mongo *mongo = NULL;
	json_t *all = NULL;
	int r = cli_govern_open(line, &g, err);

	if (r == 0)
		r = cli_open_mongo(line, ENDPOINT_ADMIN, &mongo, err);
	if (r == 0)
		r = privacy_export(&(struct privacy_export){.a = g.access,
							    .schema = g.shop.schema,
							    .mappings = &g.shop.mappings,
							    .warehouse = config_text(
								line->config, "warehouse.database"),
							    .m = g.shop.db,
							    .mongo = mongo,
							    .subject = line->argv[0]},
				   &all, err);
	mongo_close(mongo);
	/* What was not written down is not handed out. */
	if (r == 0)
		r = cli_govern_audit(line, g.shop.db,
				     &(struct audit_event){.action = "privacy.export",
							   .object = g.access->subject_table,
							   .purpose = command_text(line, "purpose"),
							   .rows = count_rows(all),
							   .outcome = "done",
							   .subject = line->argv[0]},
				     err);
	if (r == 0)
		return cli_print_json(all, err);
	json_decref(all);
	return r;
}

/* --- anonymity ------------------------------------------------------------------------------- */

#define COLUMNS_MAX 64
#define K_FALLBACK  "5"

static json_t *crowd_json(const struct privacy_crowd *c)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "people", (json_int_t)c->n_people, "groups",
			 (json_int_t)c->n_groups, "smallest", (json_int_t)c->smallest, "below",
			 (json_int_t)c->n_below);
}

static int show_column(void *arg, const struct privacy_column *c, struct err *err)
{
	struct cli_list *l = arg;
	char groups[24], smallest[24], without[24];

	(void)err;
	if (l->json) {
		json_array_append_new(l->json, json_pack("{s:s,s:s,s:o,s:o}", "column", c->name,
							 "seen", access_mask_name(c->mask), "alone",
							 crowd_json(&c->alone), "without",
							 crowd_json(&c->without)));
		return 0;
	}
	(void)snprintf(groups, sizeof(groups), "%" PRIu64, c->alone.n_groups);
	(void)snprintf(smallest, sizeof(smallest), "%" PRIu64, c->alone.smallest);
	(void)snprintf(without, sizeof(without), "%" PRIu64, c->without.n_below);
	table_add(l->table, (const char *const[]){c->name, access_mask_name(c->mask), groups,
						  smallest, without});
	return 0;
}

/* Names out of `--columns a,b --columns c`, in the arena. */
static int read_columns(const struct command_line *line, struct arena *arena, const char **names,
			struct err *err)
{
	const char *given[COMMAND_FLAGS_MAX + 1];
	size_t n_given = command_list(line, "columns", given), n = 0;

	for (size_t i = 0; i < n_given; i++) {
		char *rest = arena_strdup(arena, given[i]);

		while (rest) {
			if (n == COLUMNS_MAX)
				return err_set(err, ERR_LIMIT, "%d columns are compared at most",
					       COLUMNS_MAX);
			names[n++] = strsep(&rest, ",");
		}
	}
	return 0;
}

/* What else of a person the role reads, beside their own table: none of it is judged. */
static json_t *list_unjudged(const struct cli_govern *g, const struct access_role *role)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->shop.schema->n_tables; i++) {
		const struct schema_table *t = &g->shop.schema->tables[i];
		const struct access_objects *read = &role->verbs[ACCESS_READ];
		bool is_read = role->has_everything;

		for (size_t k = 0; k < read->n; k++)
			is_read = is_read || cstr_equal(read->names[k], t->name);
		if (is_read && schema_find_column(t, g->access->subject_key) &&
		    !cstr_equal(t->name, g->access->subject_table))
			json_array_append_new(list, json_string(t->name));
	}
	return list;
}

struct crowds {
	const char *table;
	uint64_t k;
	struct privacy_crowd all;
	json_t *unjudged;
};

/* Takes over what `c` holds. */
static int print_anonymity(struct cli_list *l, const struct crowds *c, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT(1 << 20);
	const struct privacy_crowd *all = &c->all;
	json_t *name;
	size_t i;

	if (l->json)
		return cli_print_json(json_pack("{s:I,s:o,s:O,s:s,s:o}", "k", (json_int_t)c->k,
						"all", crowd_json(all), "columns", l->json,
						"judged", c->table, "not_judged", c->unjudged),
				      err);
	table_print(l->table, stdout);
	printf("\n");
	cli_print_wrapped(0,
			  "By all of them together %" PRIu64 " people are in %" PRIu64
			  " groups; the smallest has %" PRIu64 ".",
			  all->n_people, all->n_groups, all->smallest);
	cli_print_wrapped(0,
			  "%" PRIu64 " are in groups of fewer than %" PRIu64
			  ": who knows these columns of one of them finds them.",
			  all->n_below, c->k);
	json_array_foreach(c->unjudged, i, name)
	    strbuf_addf(&names, "%s%s", i ? ", " : "  ", json_string_value(name));
	cli_print_wrapped(0, "Only %s is judged.%s", c->table,
			  names.len ? " The role also reads of people in:" : "");
	if (names.len)
		cli_print_wrapped(2, "%s", strbuf_str(&names));
	json_decref(c->unjudged);
	return cli_flush(err);
}

static int run_anonymity(const struct command_line *line, struct err *err)
{
	static const char *const titles[] = {"COLUMN",		 "SEEN", ">GROUPS", ">SMALLEST",
					     ">BELOW K WITHOUT", NULL};
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	_cleanup_(cli_list_done) struct cli_list l = cli_list_new(line, titles);
	const char *names[COLUMNS_MAX + 1] = {0};
	struct crowds crowds = {0};
	struct privacy_anonymity q = {.columns = command_has(line, "columns") ? names : NULL,
				      .k = (uint64_t)command_number(line, "k"),
				      .fn = show_column,
				      .arg = &l};
	const struct access_role *role = NULL;
	int r = open_as(line, &g, &role, err);

	if (!role)
		return r;
	r = read_columns(line, &g.arena, names, err);
	if (r < 0)
		return r;
	q.clearance = role->clearance;
	r = privacy_anonymity(g.access, g.shop.schema, g.shop.db, &q, &crowds.all, err);
	if (r < 0)
		return r;
	crowds.table = g.access->subject_table;
	crowds.k = q.k;
	crowds.unjudged = list_unjudged(&g, role);
	return print_anonymity(&l, &crowds, err);
}

/* --- dump ------------------------------------------------------------------------------------ */

struct dump {
	const struct access *access;
	unsigned char key[STAND_IN_KEY_SIZE];
};

static int stand_in(void *arg, const char *table, const char *column, struct str value,
		    struct strbuf *ret, struct err *err)
{
	const struct dump *d = arg;
	const char *pii = access_class(d->access, table, column);
	/* Keys of goods are nobody's; those of people keep rows together. */
	_cleanup_(mem_freep) char *name = mem_printf("%s.%s", table, column);

	(void)err;
	stand_in_add(ret, d->key, pii, name, value);
	return 0;
}

static int print_dump(const struct command_line *line, const struct shop_feed_report *report,
		      struct err *err)
{
	static const char *const titles[] = {"FILE", ">ROWS", NULL};
	_cleanup_(table_freep) struct table *table = table_new(titles);
	json_t *json = json_object();

	for (size_t i = 0; i < SHOP_FEED_FILES; i++) {
		char rows[24];

		(void)snprintf(rows, sizeof(rows), "%" PRIu64, report->rows[i]);
		table_add(table, (const char *const[]){report->names[i], rows});
		json_object_set_new(json, report->names[i],
				    json_integer((json_int_t)report->rows[i]));
	}
	if (line->json)
		return cli_print_json(json, err);
	json_decref(json);
	table_print(table, stdout);
	printf("\nFor a shop of its own: aethermart load %s\n", line->argv[0]);
	return cli_flush(err);
}

static int run_dump(const struct command_line *line, struct err *err)
{
	_cleanup_(cli_govern_done) struct cli_govern g = {0};
	struct dump dump = {0};
	struct shop_feed_report report = {0};
	uint64_t rows = 0;
	int r = cli_govern_open(line, &g, err);

	if (r == 0)
		r = cli_govern_key(line, "pseudonym", dump.key, err);
	dump.access = g.access;
	if (r == 0)
		r = shop_feed_write(g.shop.db,
				    &(struct shop_feed_options){
					.dir = line->argv[0], .value = stand_in, .arg = &dump},
				    &report, err);
	sodium_memzero(dump.key, sizeof(dump.key));
	for (size_t i = 0; i < SHOP_FEED_FILES; i++)
		rows += report.rows[i];
	if (r == 0)
		r = cli_govern_audit(line, g.shop.db,
				     &(struct audit_event){.action = "privacy.dump",
							   .object = "masked copy of the shop",
							   .purpose = command_text(line, "purpose"),
							   .rows = rows,
							   .outcome = "done"},
				     err);
	return r < 0 ? r : print_dump(line, &report, err);
}

static const struct command_option show_options[] = {
    CLI_OPTION_AS,
    CLI_OPTION_PURPOSE,
    {0},
};

static const struct command command_privacy_show = {
    .name = "show",
    .summary = "what is held of a customer, as a role sees it",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = show_options,
    .run = run_show,
};
static const struct command command_privacy_detect = {
    .name = "detect",
    .summary = "columns that look personal and are not classed so",
    .help =
	"Judges the names of columns, and the form of a thousand values at each end of a table: "
	"of the shop, of the warehouse, and of the fields in MongoDB that no mapping makes. A "
	"guess: a column that is personal goes into mapping/*.yaml or rules/access.yaml with "
	"its class. When one is found the exit status is 14.",
    .run = run_detect,
};

static const struct command_option export_options[] = {
    CLI_OPTION_PURPOSE,
    {0},
};
static const struct command_option anonymity_options[] = {
    CLI_OPTION_AS,
    {.name = "columns",
     .type = COMMAND_LIST,
     .argument = "A,B",
     .help = "what somebody may know of a person; may be given several times; without it, all that "
	     "the role sees"},
    {.name = "k",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 2,
     .max = 1000000,
     .fallback = K_FALLBACK,
     .help = "how many have to be alike"},
    {0},
};

static const struct command command_privacy_export = {
    .name = "export",
    .summary = "all that is held of a customer, for them",
    .help = "Prints JSON: their rows of each table and of the warehouse, their documents, who saw "
	    "them, and what is not in it, with the reason.",
    .arguments = "CUSTOMER",
    .min_args = 1,
    .max_args = 1,
    .options = export_options,
    .run = run_export,
};
static const struct command command_privacy_dump = {
    .name = "dump",
    .summary = "a copy of the shop for tests, with nobody in it",
    .help = "Writes the files of a feed into a new folder, all of one moment. What is personal is "
	    "replaced by values of the same form, equal ones by equal ones; amounts, regions and "
	    "years of birth stay. `aethermart load` reads it into another shop.",
    .arguments = "FOLDER",
    .min_args = 1,
    .max_args = 1,
    .options = export_options,
    .run = run_dump,
};
static const struct command command_privacy_anonymity = {
    .name = "anonymity",
    .summary = "how many people a role cannot tell apart",
    .help =
	"Groups customers by what the role sees of them, without those who were erased. Only their "
	"own table is judged, not what the role sees of their orders. A group of one is a person "
	"who can be found by what somebody knows of them. BELOW K WITHOUT: how many were in groups "
	"of fewer than k if the role did not see this column.",
    .options = anonymity_options,
    .run = run_anonymity,
};

static const struct command *const children[] = {
    &command_privacy_show,
    &command_privacy_detect,
    &command_privacy_anonymity,
    &command_privacy_dump,
    &command_privacy_export,
    &command_privacy_erase,
    &command_privacy_hold,
    &command_privacy_release,
    &command_privacy_erasures,
    &command_privacy_certificate,
    NULL,
};

const struct command command_privacy = {
    .name = "privacy",
    .summary = "personal data: whose, where, and who sees it",
    .children = children,
};
