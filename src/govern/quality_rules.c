/*
 * The files of rules/quality: see quality.h; the language is specified in docs/quality.md.
 *
 * Which words a check takes follows from its kind: one table says it, and from it come the refusal
 * of others and the nearest word. What is read here is all that can be known without a server;
 * quality_bind() asks for tables, columns and collections.
 */
#include "govern/quality_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define CHECKS_MAX  1000
#define TEXT_MAX    500 /* of `about`: the width of its column */
#define OWNER_MAX   80
#define LIST_MAX    1000
#define TIMEOUT_MS  60000
#define TIMEOUT_MAX 3600000
#define PATTERN_MAX 1000
#define NUMBER_MAX  40

static const char *const kind_names[] = {
    "row_count", "missing", "unique",	    "invalid",	      "reference",
    "freshness", "schema",  "distribution", "reconciliation", "sql",
};

const char *quality_kind_name(enum quality_kind kind)
{
	return kind_names[kind];
}

const struct config_option quality_options[] = {
    {.section = "quality",
     .name = "rules",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "The folder of the checks of data quality. Unset: rules/quality of the "
	     "installation."},
    {.section = "quality",
     .name = "stream",
     .type = CONFIG_BOOL,
     .fallback = "true",
     .help = "Whether the worker judges each document that it writes by the checks that say "
	     "`stream: yes`."},
    {0},
};

/* --- which words which kind takes ------------------------------------------------------------ */

#define K(kind) (1U << QUALITY_##kind)
#define ALL	((1U << QUALITY_KINDS) - 1)
#define ROWS	(K(MISSING) | K(UNIQUE) | K(INVALID) | K(REFERENCE) | K(SQL))

static const struct word {
	const char *name;
	unsigned kinds;
} words[] = {
    {"kind", ALL},
    {"about", ALL},
    {"owner", ALL},
    {"severity", ALL},
    {"timeout", ALL},
    {"store", K(RECONCILIATION)},
    {"table", ALL & ~(K(SCHEMA) | K(RECONCILIATION))},
    {"collection", K(ROW_COUNT) | K(MISSING) | K(INVALID) | K(FRESHNESS) | K(RECONCILIATION)},
    {"column", K(MISSING) | K(UNIQUE) | K(INVALID) | K(REFERENCE) | K(DISTRIBUTION)},
    {"field", K(MISSING) | K(INVALID)},
    {"where", (ROWS & ~K(SQL)) | K(ROW_COUNT) | K(DISTRIBUTION)},
    {"allow", ROWS | K(RECONCILIATION)},
    {"quarantine", ROWS | K(RECONCILIATION)},
    {"stream", K(MISSING) | K(INVALID)},
    {"min", K(ROW_COUNT) | K(INVALID)},
    {"max", K(ROW_COUNT) | K(INVALID) | K(DISTRIBUTION)},
    {"change", K(ROW_COUNT)},
    {"format", K(INVALID)},
    {"pattern", K(INVALID)},
    {"list", K(INVALID)},
    {"min_length", K(INVALID)},
    {"max_length", K(INVALID)},
    {"to", K(REFERENCE)},
    {"within", K(FRESHNESS)},
    {"tables", K(SCHEMA)},
    {"measure", K(DISTRIBUTION)},
    {"sql", K(SQL)},
};

struct reader {
	struct quality_checks *checks;
	struct arena *arena;
	const char *owner; /* of the file */
	const struct ynode *node;
	struct quality_check *c;
	struct err *err;
};

static const struct ynode *get(const struct reader *rd, const char *word)
{
	return ynode_get(rd->node, word);
}

static bool words_take(const struct quality_check *c, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (cstr_equal(words[i].name, name))
			return words[i].kinds & 1U << c->kind;
	return false;
}

static int check_words(const struct reader *rd)
{
	const char *allowed[ARRAY_LEN(words) + 1] = {NULL};
	size_t n = 0;
	char what[48];

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].kinds & 1U << rd->c->kind)
			allowed[n++] = words[i].name;
	(void)snprintf(what, sizeof(what), "a check of the kind %s", kind_names[rd->c->kind]);
	return ynode_check_keys(rd->node, what, allowed, rd->err);
}

/* --- pieces ---------------------------------------------------------------------------------- */

static int read_text(const struct reader *rd, const char *word, size_t max, const char **ret)
{
	const struct ynode *n = get(rd, word);
	int r = n ? ynode_text(n, ret, rd->err) : 0;

	if (r < 0 || !n)
		return r;
	if (!**ret || strlen(*ret) > max)
		return ynode_error(n, rd->err, "\"%s\" has 1 to %zu bytes", word, max);
	return 0;
}

static int read_bool(const struct reader *rd, const char *word, bool *ret)
{
	const struct ynode *n = get(rd, word);

	return n ? ynode_bool(n, ret, rd->err) : 0;
}

static int read_count(const struct reader *rd, const char *word, int64_t *ret)
{
	const struct ynode *n = get(rd, word);

	*ret = -1;
	return n ? ynode_int(n, 0, INT64_MAX, ret, rd->err) : 0;
}

/* A finite number, as SQL and strtod() both read it. */
static int read_number(const struct ynode *n, double least, double *ret, struct err *err)
{
	const char *text;
	int r = ynode_text(n, &text, err);

	if (r < 0)
		return r;
	if (strlen(text) > NUMBER_MAX || text[strspn(text, "0123456789.-+eE")] ||
	    parse_double(str_from(text), ret, NULL) < 0 || !isfinite(*ret))
		return ynode_error(n, err, "\"%.60s\" is no number", text);
	if (*ret < least)
		return ynode_error(n, err, "\"%s\" is below %g", text, least);
	return 0;
}

/* "2%", or 2 where `may_be_plain`. */
static int read_percent(const struct ynode *n, bool *ret_is_percent, double *ret, struct err *err)
{
	const char *text;
	size_t len;
	int r = ynode_text(n, &text, err);

	if (r < 0)
		return r;
	len = strlen(text);
	*ret_is_percent = len > 1 && text[len - 1] == '%';
	if (parse_double((struct str){text, len - *ret_is_percent}, ret, NULL) < 0 ||
	    !isfinite(*ret) || *ret < 0)
		return ynode_error(n, err, "\"%.60s\" is no number or percentage", text);
	return 0;
}

static int read_duration(const struct reader *rd, const char *word, int64_t max, int64_t *ret)
{
	const struct ynode *n = get(rd, word);
	const char *text;
	int r = n ? ynode_text(n, &text, rd->err) : 0;

	if (r < 0 || !n)
		return r;
	if (parse_duration(str_from(text), ret, NULL) < 0 || *ret < 1 || *ret > max)
		return ynode_error(n, rd->err, "\"%.60s\" is no duration such as 30s, 10m, 2h, 7d",
				   text);
	return 0;
}

static int read_choice(const struct reader *rd, const char *word, const char *const *choices,
		       size_t *ret)
{
	const struct ynode *n = get(rd, word);
	const char *text = NULL;
	int r = n ? ynode_text(n, &text, rd->err) : 0;

	for (size_t i = 0; text && choices[i] && r == 0; i++) {
		if (cstr_equal(choices[i], text)) {
			*ret = i;
			return 0;
		}
	}
	if (r < 0 || !n)
		return r;
	(void)ynode_error(n, rd->err, "there is no %s \"%.60s\"", word, text);
	return err_near(rd->err, cstr_nearest(text, choices));
}

/* One text, or a list of them. */
static int read_names(const struct reader *rd, const struct ynode *n, size_t max,
		      const char **items, size_t *ret)
{
	int r = 0;

	*ret = n->kind == YNODE_LIST ? n->len : 1;
	if (*ret < 1 || *ret > max)
		return ynode_error(n, rd->err, "one to %zu are named here", max);
	for (size_t i = 0; i < *ret && r == 0; i++) {
		const struct ynode *item = n->kind == YNODE_LIST ? &n->children[i] : n;

		r = ynode_text(item, &items[i], rd->err);
		if (r == 0 && !*items[i])
			r = ynode_error(item, rd->err, "a name is empty");
	}
	return r;
}

/* --- what kinds have of their own ------------------------------------------------------------ */

static int read_pattern(const struct reader *rd, struct quality_form *f)
{
	const struct ynode *pattern = get(rd, "pattern"), *format = get(rd, "format");
	size_t which = 0;
	const char *why = NULL;
	int r;

	if (pattern && format)
		return ynode_key_error(format, rd->err, "\"format\" and \"pattern\" say the same");
	if (!pattern && !format)
		return 0;
	r = format ? read_choice(rd, "format", quality_format_names, &which)
		   : read_text(rd, "pattern", PATTERN_MAX, &f->pattern);
	if (r < 0)
		return r;
	if (format)
		f->pattern = quality_format(quality_format_names[which]);
	if (quality_pattern_new(f->pattern, &f->compiled, &why, rd->arena) < 0)
		return ynode_error(pattern, rd->err, "no regular expression: %s", why);
	return 0;
}

static int read_bound(const struct reader *rd, const char *word, const char **ret_text, double *ret)
{
	const struct ynode *n = get(rd, word);
	int r = n ? read_number(n, -HUGE_VAL, ret, rd->err) : 0;

	return n && r == 0 ? ynode_text(n, ret_text, rd->err) : r;
}

static int read_list(const struct reader *rd, struct quality_form *f)
{
	const struct ynode *n = get(rd, "list");
	const char **items;

	if (!n)
		return 0;
	if (n->kind != YNODE_LIST)
		return ynode_error(n, rd->err, "\"list\" is a list of what a value may be");
	items = arena_alloc(rd->arena, (n->len + 1) * sizeof(*items));
	f->list = items;
	return read_names(rd, n, LIST_MAX, items, &f->n_list);
}

static int read_form(const struct reader *rd)
{
	struct quality_form *f = &rd->c->form;
	int r = read_pattern(rd, f);

	if (r == 0)
		r = read_list(rd, f);
	if (r == 0)
		r = read_bound(rd, "min", &f->min, &f->min_number);
	if (r == 0)
		r = read_bound(rd, "max", &f->max, &f->max_number);
	if (r == 0)
		r = read_count(rd, "min_length", &f->min_length);
	if (r == 0)
		r = read_count(rd, "max_length", &f->max_length);
	if (r < 0)
		return r;
	if (!f->pattern && !f->list && !f->min && !f->max && f->min_length < 0 && f->max_length < 0)
		return ynode_key_error(rd->node, rd->err,
				       "\"%s\" says of no format, pattern, list, range or length "
				       "that it is valid",
				       rd->c->name);
	return 0;
}

static int read_reference(const struct reader *rd)
{
	static const char *const keys[] = {"table", "column", NULL};
	const struct ynode *to = get(rd, "to"), *table, *column;
	struct quality_check *c = rd->c;
	int r;

	if (!to)
		return ynode_key_error(rd->node, rd->err, "\"%s\" has no \"to\"", c->name);
	r = ynode_check_keys(to, "what is referred to", keys, rd->err);
	if (r < 0)
		return r;
	table = ynode_get(to, "table");
	column = ynode_get(to, "column");
	if (!table)
		return ynode_error(to, rd->err, "\"to\" names no table");
	r = ynode_text(table, &c->to_table, rd->err);
	if (r == 0 && column)
		r = read_names(rd, column, QUALITY_COLUMNS_MAX, c->to_columns, &c->n_to_columns);
	if (r < 0)
		return r;
	if (!column) {
		memcpy(c->to_columns, c->columns, sizeof(c->columns));
		c->n_to_columns = c->n_columns;
	}
	if (c->n_to_columns != c->n_columns)
		return ynode_error(to, rd->err, "%zu columns refer to %zu", c->n_columns,
				   c->n_to_columns);
	return 0;
}

static int read_row_count(const struct reader *rd)
{
	const struct ynode *change = get(rd, "change");
	struct quality_check *c = rd->c;
	bool is_percent;
	int r = read_count(rd, "min", &c->min_rows);

	if (r == 0)
		r = read_count(rd, "max", &c->max_rows);
	if (r == 0 && change) {
		r = read_percent(change, &is_percent, &c->max_change, rd->err);
		if (r == 0 && !is_percent)
			r = ynode_error(change, rd->err, "\"change\" is a percentage: 20%%");
	}
	if (r == 0 && c->min_rows < 0 && c->max_rows < 0 && c->max_change < 0)
		r = ynode_key_error(rd->node, rd->err, "\"%s\" has none of min, max, change",
				    c->name);
	return r;
}

static int read_distribution(const struct reader *rd)
{
	static const char *const measures[] = {"psi", "kl", NULL};
	const struct ynode *max = get(rd, "max");
	size_t which = QUALITY_PSI;
	int r = read_choice(rd, "measure", measures, &which);

	rd->c->measure = (enum quality_measure)which;
	rd->c->max_drift = 0.25;
	if (r == 0 && max)
		r = read_number(max, 0, &rd->c->max_drift, rd->err);
	if (r == 0 && rd->c->n_columns != 1)
		r = ynode_key_error(rd->node, rd->err, "a distribution is of one column");
	return r;
}

static int read_tables(const struct reader *rd)
{
	const struct ynode *n = get(rd, "tables");
	const char **items;
	size_t len;

	if (!n)
		return 0;
	items = arena_alloc(rd->arena, (n->len + 2) * sizeof(*items));
	rd->c->tables = items;
	return read_names(rd, n, LIST_MAX, items, &len);
}

static int read_sql(const struct reader *rd)
{
	struct str text = {0};
	int r;

	if (!get(rd, "sql"))
		return ynode_key_error(rd->node, rd->err, "\"%s\" has no \"sql\"", rd->c->name);
	r = read_text(rd, "sql", 65536, &rd->c->sql);
	if (r < 0)
		return r;
	text = str_trim(str_from(rd->c->sql));
	if (text.len && text.data[text.len - 1] == ';')
		return ynode_error(get(rd, "sql"), rd->err, "the statement ends without \";\"");
	return 0;
}

static int read_kind(const struct reader *rd)
{
	switch (rd->c->kind) {
	case QUALITY_INVALID:
		return read_form(rd);
	case QUALITY_REFERENCE:
		return read_reference(rd);
	case QUALITY_ROW_COUNT:
		return read_row_count(rd);
	case QUALITY_DISTRIBUTION:
		return read_distribution(rd);
	case QUALITY_SCHEMA:
		return read_tables(rd);
	case QUALITY_SQL:
		return read_sql(rd);
	case QUALITY_FRESHNESS:
		return get(rd, "within") ? read_duration(rd, "within", INT64_MAX, &rd->c->within_ms)
					 : ynode_key_error(rd->node, rd->err,
							   "\"%s\" has no \"within\"", rd->c->name);
	case QUALITY_MISSING:
	case QUALITY_UNIQUE:
	case QUALITY_RECONCILIATION: /* its store says what it is of: read_subject() */
	case QUALITY_KINDS:
		break;
	}
	return 0;
}

/* --- a check --------------------------------------------------------------------------------- */

/* Of what it is: a table with columns, or a collection with a field. */
static int read_subject(const struct reader *rd)
{
	static const char *const stores[] = {"documents", "index", "warehouse", NULL};
	const struct ynode *column = get(rd, "column");
	struct quality_check *c = rd->c;
	size_t store = QUALITY_DOCUMENTS;
	int r = read_choice(rd, "store", stores, &store);

	c->store = (enum quality_store)store;
	if (r == 0)
		r = read_text(rd, "table", 64, &c->table);
	if (r == 0)
		r = read_text(rd, "collection", 64, &c->collection);
	if (r == 0)
		r = read_text(rd, "field", 190, &c->field);
	if (r == 0)
		r = read_text(rd, "where", 65536, &c->where);
	if (r == 0 && column)
		r = read_names(rd, column, QUALITY_COLUMNS_MAX, c->columns, &c->n_columns);
	return r;
}

/* What is wrong with a table, and with a collection. */
static const char *fault_of_rows(const struct quality_check *c)
{
	if (c->field)
		return "is of a table: it has a \"column\"";
	if (c->streams)
		return "streams, so it has to be of a collection";
	if (words_take(c, "column") && !c->n_columns)
		return "names no column";
	if (c->n_columns > 1 && (c->kind == QUALITY_MISSING || c->kind == QUALITY_INVALID))
		return "is of one column";
	return NULL;
}

static const char *fault_of_documents(const struct quality_check *c)
{
	if (c->n_columns || c->where)
		return "is of a collection: it has a \"field\", no column and no \"where\"";
	if (words_take(c, "field") && !c->field)
		return "names no field";
	return NULL;
}

static const char *fault_of_warehouse(const struct quality_check *c)
{
	if (c->collection)
		return "is of the warehouse, which has no collections";
	return c->quarantines ? "is of the warehouse: no rows or documents can stand in quarantine"
			      : NULL;
}

static int check_subject(const struct reader *rd)
{
	const struct quality_check *c = rd->c;
	const char *why = NULL;

	if (c->kind == QUALITY_SCHEMA)
		return 0;
	if (c->kind == QUALITY_SQL)
		why = c->quarantines && !c->table
			  ? "quarantines, so it has to name the table of its keys"
			  : NULL;
	else if (c->store == QUALITY_WAREHOUSE)
		why = fault_of_warehouse(c);
	else if (c->table && c->collection)
		why = "names a table and a collection";
	else if (!c->table && !c->collection)
		why =
		    words_take(c, "table") ? "names no table or collection" : "names no collection";
	else
		why = c->table ? fault_of_rows(c) : fault_of_documents(c);
	return why ? ynode_key_error(rd->node, rd->err, "\"%s\" %s", c->name, why) : 0;
}

static int read_allowed(const struct reader *rd)
{
	const struct ynode *n = get(rd, "allow");
	struct quality_check *c = rd->c;
	bool is_percent;
	double value;
	int r;

	c->allowed_rows = 0;
	c->allowed_percent = -1;
	if (!n)
		return 0;
	r = read_percent(n, &is_percent, &value, rd->err);
	if (r < 0)
		return r;
	if (is_percent) {
		c->allowed_percent = value;
		c->allowed_rows = -1;
		if (value > 100)
			return ynode_error(n, rd->err, "more than 100%% are allowed");
		return 0;
	}
	return ynode_int(n, 0, INT64_MAX, &c->allowed_rows, rd->err);
}

static int check_name(const struct ynode *n, struct err *err)
{
	size_t len = strspn(n->key, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (len && !n->key[len] && len <= QUALITY_NAME_MAX && !isdigit((unsigned char)n->key[0]))
		return 0;
	return ynode_key_error(n, err,
			       "the name of a check has a to z, 0 to 9 and _, at most %d of them, "
			       "and begins with no digit",
			       QUALITY_NAME_MAX);
}

static int read_common(struct reader *rd)
{
	static const char *const severities[] = {"fail", "warn", NULL};
	struct quality_check *c = rd->c;
	size_t severity = 0;
	int r = read_text(rd, "about", TEXT_MAX, &c->about);

	c->owner = rd->owner;
	if (r == 0)
		r = read_text(rd, "owner", OWNER_MAX, &c->owner);
	if (r == 0 && !c->about)
		r = ynode_key_error(rd->node, rd->err, "\"%s\" says not what it is \"about\"",
				    c->name);
	if (r == 0 && !c->owner)
		r = ynode_key_error(rd->node, rd->err, "\"%s\" has no owner, nor has its file",
				    c->name);
	if (r == 0)
		r = read_choice(rd, "severity", severities, &severity);
	c->is_warning = severity == 1;
	if (r == 0)
		r = read_duration(rd, "timeout", TIMEOUT_MAX, &c->timeout_ms);
	if (r == 0)
		r = read_bool(rd, "quarantine", &c->quarantines);
	if (r == 0)
		r = read_bool(rd, "stream", &c->streams);
	return r < 0 ? r : read_allowed(rd);
}

static int find_kind(const struct reader *rd)
{
	const char *names[QUALITY_KINDS + 1] = {NULL};
	size_t kind = 0;
	int r = 0;

	memcpy(names, kind_names, sizeof(kind_names));
	if (rd->node->kind != YNODE_MAP)
		return ynode_key_error(rd->node, rd->err, "a check is a map");
	if (!get(rd, "kind"))
		return ynode_key_error(rd->node, rd->err, "\"%s\" has no kind", rd->node->key);
	r = read_choice(rd, "kind", names, &kind);
	rd->c->kind = (enum quality_kind)kind;
	return r;
}

static int check_twice(const struct reader *rd)
{
	const struct quality_check *items = rd->checks->items;

	for (const struct quality_check *o = items; o < rd->c; o++)
		if (cstr_equal(o->name, rd->c->name))
			return ynode_key_error(rd->node, rd->err,
					       "\"%s\" is already the name of a check in %s:%zu",
					       rd->c->name, o->node->file, o->node->key_line);
	return 0;
}

static int read_check(struct reader *rd)
{
	struct quality_check *c = rd->c;
	int r = check_name(rd->node, rd->err);

	*c = (struct quality_check){.name = rd->node->key,
				    .node = rd->node,
				    .timeout_ms = TIMEOUT_MS,
				    .min_rows = -1,
				    .max_rows = -1,
				    .max_change = -1,
				    .form = {.min_length = -1, .max_length = -1}};
	if (r == 0)
		r = check_twice(rd);
	if (r == 0)
		r = find_kind(rd);
	if (r == 0)
		r = check_words(rd);
	if (r == 0)
		r = read_common(rd);
	if (r == 0)
		r = read_subject(rd);
	if (r == 0)
		r = check_subject(rd);
	return r < 0 ? r : read_kind(rd);
}

/* --- files ----------------------------------------------------------------------------------- */

static int read_doc(struct quality_checks *checks, const struct ydoc *doc, struct err *err)
{
	static const char *const keys[] = {"owner", "rules", NULL};
	const struct ynode *root = ydoc_root(doc), *rules;
	struct reader rd = {.checks = checks, .arena = &checks->arena, .node = root, .err = err};
	int r = ynode_check_keys(root, "a file of checks", keys, err);

	if (r == 0)
		r = read_text(&rd, "owner", OWNER_MAX, &rd.owner);
	rules = r == 0 ? ynode_get(root, "rules") : NULL;
	if (r < 0 || !rules)
		return r;
	if (rules->kind != YNODE_MAP)
		return ynode_error(rules, err, "\"rules\" is a map from names to checks");
	if (rules->len > CHECKS_MAX - checks->n)
		return ynode_error(rules, err, "there are %d checks at most", CHECKS_MAX);
	for (size_t i = 0; i < rules->len && r == 0; i++) {
		rd.node = &rules->children[i];
		rd.c = &checks->items[checks->n++];
		r = read_check(&rd);
	}
	return r;
}

static struct quality_checks *checks_new(void)
{
	struct quality_checks *c = MEM_NEW(struct quality_checks);

	c->items = mem_alloc_array(CHECKS_MAX, sizeof(*c->items));
	return c;
}

struct quality_checks *quality_free(struct quality_checks *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		quality_pattern_free(c->items[i].form.compiled);
	for (size_t i = 0; i < c->n_docs; i++)
		ydoc_free(c->docs[i]);
	mem_free(c->docs);
	mem_free(c->items);
	arena_done(&c->arena);
	mem_free(c);
	return NULL;
}

int quality_parse(const char *file, const char *text, size_t len, struct quality_checks **ret,
		  struct err *err)
{
	_cleanup_(quality_freep) struct quality_checks *c = checks_new();
	int r;

	c->docs = mem_alloc_array(1, sizeof(struct ydoc *));
	r = ydoc_parse(file, text, len, &c->docs[0], err);
	if (r < 0)
		return r;
	c->n_docs = 1;
	r = read_doc(c, c->docs[0], err);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

static int is_rules_file(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 && cstr_equal(e->d_name + n - 5, ".yaml");
}

int quality_load(const char *dir, struct quality_checks **ret, struct err *err)
{
	_cleanup_(quality_freep) struct quality_checks *c = checks_new();
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_rules_file, alphasort), r = 0;

	if (n < 0) {
		(void)err_set(err, ERR_NOT_FOUND, "could not open the folder of checks \"%s\": %s",
			      dir, strerror(errno));
		return err_hint(err, "set quality.rules to the folder with the files of checks");
	}
	c->docs = mem_alloc_array((size_t)n + 1, sizeof(struct ydoc *));
	for (int i = 0; i < n; i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, names[i]->d_name);

		if (r == 0)
			r = ydoc_load(path, &c->docs[c->n_docs], err);
		if (r == 0)
			r = read_doc(c, c->docs[c->n_docs++], err);
		mem_free(names[i]);
	}
	mem_free(names);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

const struct quality_check *quality_find(const struct quality_checks *c, const char *name,
					 struct err *err)
{
	_cleanup_(mem_freep) const char **names = mem_alloc_array(c->n + 1, sizeof(*names));

	for (size_t i = 0; i < c->n; i++) {
		names[i] = c->items[i].name;
		if (cstr_equal(names[i], name))
			return &c->items[i];
	}
	(void)err_set(err, ERR_NOT_FOUND, "there is no check \"%.64s\"", name);
	(void)err_near(err, cstr_nearest(name, names));
	(void)err_hint(err, "`aethermart quality list` shows them");
	return NULL;
}

/* --- names of the stores --------------------------------------------------------------------- */

static int find_table(const struct quality_check *c, const struct schema *s, const char *name,
		      const struct schema_table **ret, struct err *err)
{
	*ret = schema_find_table(s, name);
	if (*ret)
		return 0;
	(void)ynode_key_error(c->node, err, "\"%s\": there is no table \"%.64s\"", c->name, name);
	return err_near(err, schema_nearest_table(s, name));
}

static int find_columns(const struct quality_check *c, const struct schema_table *t,
			const char *const *columns, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (schema_find_column(t, columns[i]))
			continue;
		(void)ynode_key_error(c->node, err, "\"%s\": table \"%s\" has no column \"%.64s\"",
				      c->name, t->name, columns[i]);
		return err_near(err, schema_nearest_column(t, columns[i]));
	}
	return 0;
}

/* A failing row is told by its primary key. */
static int bind_table(const struct quality_check *c, const struct schema *s, struct err *err)
{
	const struct schema_table *t, *to;
	int r = find_table(c, s, c->table, &t, err);

	if (r == 0)
		r = find_columns(c, t, c->columns, c->n_columns, err);
	if (r == 0 && c->n_columns && c->kind != QUALITY_DISTRIBUTION && !schema_primary_key(t))
		r = ynode_key_error(c->node, err,
				    "\"%s\": \"%s\" has no primary key to tell rows by", c->name,
				    t->name);
	if (r == 0 && c->kind == QUALITY_REFERENCE) {
		r = find_table(c, s, c->to_table, &to, err);
		if (r == 0)
			r = find_columns(c, to, c->to_columns, c->n_to_columns, err);
	}
	return r;
}

static int bind_collection(const struct quality_check *c, const struct mapping_set *set,
			   struct err *err)
{
	const struct mapping *m = mapping_set_find(set, c->collection);
	const char *const *owned;
	size_t len;

	if (!m || !mapping_has_target(m))
		return ynode_key_error(c->node, err, "\"%s\": there is no collection \"%.64s\"",
				       c->name, c->collection);
	if (!c->streams)
		return 0;
	/* The sync makes what it owns; what MongoDB's users add is not in its hands. */
	owned = mapping_owned_fields(m);
	len = strcspn(c->field, ".");
	for (size_t i = 0; owned[i]; i++)
		if (strlen(owned[i]) == len && strncmp(owned[i], c->field, len) == 0)
			return 0;
	(void)ynode_key_error(c->node, err, "\"%s\": the sync makes no field \"%.*s\"", c->name,
			      (int)len, c->field);
	return err_near(err, cstr_nearest(c->field, owned));
}

int quality_bind(const struct quality_checks *checks, const struct schema *schema,
		 const struct mapping_set *mappings, struct err *err)
{
	const struct schema_table *t;
	int r = 0;

	for (size_t i = 0; i < checks->n && r == 0; i++) {
		const struct quality_check *c = &checks->items[i];

		if (schema && c->table)
			r = bind_table(c, schema, err);
		for (size_t j = 0; schema && c->tables && c->tables[j] && r == 0; j++)
			r = find_table(c, schema, c->tables[j], &t, err);
		if (r == 0 && mappings && c->collection)
			r = bind_collection(c, mappings, err);
	}
	return r;
}
