/* `aethermart report`: the shop's figures as a table, as CSV, as JSON, as bars in the terminal. */
#include "cli/cli.h"

#include "base/table.h"
#include "shop/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/banned.h"

#define WIDTH	  80 /* of what is no terminal */
#define WIDTH_MIN 40
#define LABEL_MAX 32 /* columns of a bar's label */

enum form { FORM_TABLE, FORM_CSV, FORM_BARS, FORM_JSON };

struct bar {
	char *label, *value;
	double size;
};

struct output {
	const struct shop_report *report;
	enum form form;
	struct table *table;
	json_t *json;
	struct bar *bars;
	size_t n, cap;
};

static void output_done(struct output *o)
{
	table_free(o->table);
	json_decref(o->json);
	for (size_t i = 0; i < o->n; i++) {
		mem_free(o->bars[i].label);
		mem_free(o->bars[i].value);
	}
	mem_free(o->bars);
}

static const char *name_of(const char *column)
{
	return column + (column[0] == '>');
}

static bool is_number(const struct shop_report *r, size_t column)
{
	return r->columns[column][0] == '>';
}

/* --- a row ----------------------------------------------------------------------------------- */

/* RFC 4180: quoted where it has to be, quotes doubled. */
static void add_csv(struct strbuf *b, struct str s)
{
	bool quotes = false;

	for (size_t i = 0; i < s.len; i++)
		quotes |= strchr(",\"\r\n", s.data[i]) != NULL;
	strbuf_addstr(b, quotes ? "\"" : "");
	for (size_t i = 0; i < s.len; i++) {
		strbuf_addch(b, s.data[i]);
		if (s.data[i] == '"')
			strbuf_addch(b, '"');
	}
	strbuf_addstr(b, quotes ? "\"" : "");
}

static void print_csv(const struct str *values, size_t n)
{
	struct strbuf b = STRBUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(&b, i ? "," : "");
		add_csv(&b, values[i]);
	}
	printf("%s\r\n", strbuf_str(&b));
	strbuf_done(&b);
}

/* Amounts keep their cents: they are numbers as MariaDB writes them. */
static json_t *value_of(const struct shop_report *r, size_t column, struct str s)
{
	json_t *number = is_number(r, column) && s.data
			     ? json_loadb(s.data, s.len, JSON_DECODE_ANY, NULL)
			     : NULL;

	return number ? number : cli_json_text(s);
}

static void add_json(struct output *o, const struct str *values, size_t n)
{
	json_t *row = json_object();

	for (size_t i = 0; i < n; i++)
		(void)json_object_set_new(row, name_of(o->report->columns[i]),
					  value_of(o->report, i, values[i]));
	(void)json_array_append_new(o->json, row);
}

static void add_bar(struct output *o, const struct str *values)
{
	struct strbuf label = STRBUF_INIT(0);
	struct bar *bar;

	for (size_t i = 0; i < o->report->labels; i++) {
		strbuf_addstr(&label, i ? " " : "");
		strbuf_add_visible(&label, values[i].data, values[i].len);
	}
	mem_grow(&o->bars, &o->cap, o->n + 1, sizeof(*o->bars));
	bar = &o->bars[o->n++];
	bar->label = strbuf_take(&label);
	bar->value = mem_strndup(values[o->report->bar].data ? values[o->report->bar].data : "",
				 values[o->report->bar].len);
	bar->size = strtod(bar->value, NULL);
}

static int take_row(void *arg, const struct str *values, size_t n, struct err *err)
{
	struct output *o = arg;
	const char *cells[SHOP_REPORT_COLUMNS_MAX];

	switch (o->form) {
	case FORM_TABLE:
		for (size_t i = 0; i < n; i++)
			cells[i] = values[i].data;
		table_add(o->table, cells);
		return 0;
	case FORM_CSV:
		print_csv(values, n);
		return cli_flush(err);
	case FORM_BARS:
		add_bar(o, values);
		return 0;
	case FORM_JSON:
		add_json(o, values, n);
		return 0;
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int width_of_output(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return WIDTH;
	return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

/* Characters of UTF-8, of which a terminal shows one a column but for wide ones. */
static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

static size_t bytes_of(const char *s, size_t most)
{
	size_t i = 0;

	for (size_t n = 0; s[i]; i++) {
		n += ((unsigned char)s[i] & 0xC0) != 0x80;
		if (n > most)
			break;
	}
	return i;
}

static void print_bars(const struct output *o)
{
	size_t label = 0, value = 0;
	double most = 0;
	int room;

	for (size_t i = 0; i < o->n; i++) {
		size_t n = characters(o->bars[i].label);

		label = n > label ? n : label;
		n = strlen(o->bars[i].value);
		value = n > value ? n : value;
		most = o->bars[i].size > most ? o->bars[i].size : most;
	}
	label = label > LABEL_MAX ? LABEL_MAX : label;
	room = width_of_output() - (int)label - (int)value - 2;
	for (size_t i = 0; i < o->n; i++) {
		const struct bar *b = &o->bars[i];
		size_t len = bytes_of(b->label, label);
		int n = most > 0 && room > 0 ? (int)(b->size / most * room + 0.5) : 0;
		size_t shown = characters(b->label) < label ? characters(b->label) : label;

		printf("%.*s%*s %*s ", (int)len, b->label, (int)(label - shown), "", (int)value,
		       b->value);
		for (int k = 0; k < n; k++)
			fputs("\xE2\x96\x88", stdout);
		putchar('\n');
	}
}

static int print_end(struct output *o, struct err *err)
{
	switch (o->form) {
	case FORM_TABLE:
		table_print(o->table, stdout);
		return cli_flush(err);
	case FORM_CSV:
		return cli_flush(err);
	case FORM_BARS:
		print_bars(o);
		return cli_flush(err);
	case FORM_JSON:
		return cli_print_json(
		    json_pack("{s:s, s:O}", "report", o->report->name, "rows", o->json), err);
	}
	return 0;
}

static int start(struct output *o, struct err *err)
{
	struct str names[SHOP_REPORT_COLUMNS_MAX];
	size_t n = 0;

	o->json = json_array();
	o->table = table_new(o->report->columns);
	if (o->form != FORM_CSV)
		return 0;
	for (; o->report->columns[n]; n++)
		names[n] = str_from(name_of(o->report->columns[n]));
	print_csv(names, n);
	return cli_flush(err);
}

static int read_form(const struct command_line *line, enum form *ret, struct err *err)
{
	const char *as = command_text(line, "as");

	*ret = FORM_TABLE;
	if (line->json)
		*ret = FORM_JSON;
	else if (cstr_equal(as, "csv"))
		*ret = FORM_CSV;
	else if (cstr_equal(as, "bars"))
		*ret = FORM_BARS;
	else if (!cstr_equal(as, "table"))
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is no form: table, csv or bars",
			       as);
	return 0;
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(output_done) struct output o = {0};
	uint64_t limit = strtoull(command_text(line, "limit"), NULL, 10);
	int r = read_form(line, &o.form, err);

	if (r == 0)
		r = shop_report_find(line->argv[0], &o.report, err);
	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r == 0)
		r = start(&o, err);
	if (r == 0)
		r = shop_report_run(m, o.report, limit, take_row, &o, err);
	return r < 0 ? r : print_end(&o, err);
}

static const struct command_option options[] = {
    {.name = "as",
     .type = COMMAND_TEXT,
     .argument = "FORM",
     .fallback = "table",
     .help = "table, csv or bars"},
    {.name = "limit",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 1,
     .max = 1000000,
     .fallback = "20",
     .help = "rows at most"},
    {0},
};

const struct command command_report = {
    .name = "report",
    .summary = "the figures that a shop reads every morning",
    .arguments = "REPORT",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .help =
	"  quarterly-sales  orders and revenue by quarter\n"
	"  top-products     what brought most\n"
	"  categories       revenue of the top categories, with all below them\n"
	"  cohorts          customers by the quarter of their first order; who came back\n"
	"  stock            what runs out: five pieces or fewer\n\n"
	"Revenue is what was charged less what was given back, of orders that were paid; archived "
	"orders count. Money is never added over currencies.\n\n"
	"  aethermart report quarterly-sales\n  aethermart report top-products --as bars\n"
	"  aethermart report categories --as csv > categories.csv",
    .run = run,
};
