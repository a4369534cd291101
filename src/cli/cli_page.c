/* Hits for people: see cli_page.h. */
#include "cli/cli_page.h"

#include "cli/cli_worker.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/banned.h"

#define WIDTH	  80 /* where there is no terminal to ask */
#define WIDTH_MIN 40
#define BEFORE	  18 /* score and key, and the space behind them */
#define NAME_MIN  16
#define ABOUT_MAX 30 /* characters of what a review is about */
#define INDENT	  16 /* where names begin */

struct cli_page cli_page_open(void)
{
	struct cli_page p = {.width = WIDTH, .has_colors = isatty(STDOUT_FILENO) == 1};
	struct winsize size;

	if (p.has_colors && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col >= WIDTH_MIN)
		p.width = size.ws_col;
	p.has_colors &= !getenv("NO_COLOR");
	return p;
}

void cli_page_add_cut(struct strbuf *b, const char *s, size_t max)
{
	_cleanup_(strbuf_done) struct strbuf visible = STRBUF_INIT(0);
	const char *text;
	size_t n = 0, end = 0, last = 0;

	strbuf_add_visible(&visible, s, strlen(s));
	text = strbuf_str(&visible);
	for (; text[end]; end++) {
		if (((unsigned char)text[end] & 0xC0) == 0x80)
			continue;
		if (n + 1 < max)
			last = end;
		if (n++ == max)
			break;
	}
	if (!text[end]) {
		strbuf_add(b, text, visible.len);
		return;
	}
	strbuf_add(b, text, last);
	strbuf_addstr(b, "…");
}

static size_t characters_of(const struct strbuf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += ((unsigned char)b->data[i] & 0xC0) != 0x80;
	return n;
}

/* What the line ends in. */
static void add_facts(const json_t *h, struct strbuf *b)
{
	const json_t *price = json_object_get(h, "price"), *rating = json_object_get(h, "rating");
	const json_t *inferred = json_object_get(h, "inferred_rating");
	const char *currency = cli_text_of(h, "currency");

	if (json_is_number(price))
		strbuf_addf(b, "  %.2f %s", json_number_value(price), currency);
	if (json_is_number(rating))
		strbuf_addf(b, "  %.1f★", json_number_value(rating));
	if (json_is_number(inferred))
		strbuf_addf(b, " (by its words %.1f)", json_number_value(inferred));
	if (json_is_false(json_object_get(h, "in_stock")))
		strbuf_addstr(b, "  not in stock");
}

/* Its name; of people their place too. */
static void add_name(const json_t *hit, struct strbuf *b)
{
	const char *city = cli_text_of(hit, "city");

	strbuf_addstr(b, cli_text_of(hit, "name"));
	if (city[0])
		strbuf_addf(b, "%s%s", b->len ? ", " : "", city);
	if (!b->len)
		strbuf_addstr(b, "(without a title)");
}

/* Of a review the piece of its text in which words of the query stand, or its begin. */
static const char *said(const json_t *hit)
{
	const json_t *list = json_object_get(hit, "highlights");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *h = json_array_get(list, i);

		if (cstr_equal(cli_text_of(h, "field"), "text"))
			return cli_text_of(h, "text");
	}
	return cli_text_of(hit, "text");
}

/* What the name does not say: of a review what it is about and says, of a customer what was
 * bought. */
static void print_more(const struct cli_page *p, const json_t *hit)
{
	_cleanup_(strbuf_done) struct strbuf more = STRBUF_INIT(0), line = STRBUF_INIT(0);
	const json_t *bought = json_object_get(hit, "bought");
	const char *product = cli_text_of(hit, "product");

	if (product[0]) {
		cli_page_add_cut(&more, product, ABOUT_MAX);
		strbuf_addf(&more, ": %s", said(hit));
	}
	for (size_t i = 0; i < json_array_size(bought); i++)
		strbuf_addf(&more, "%s%s", i ? "; " : "bought ",
			    json_string_value(json_array_get(bought, i)));
	if (!more.len)
		return;
	cli_page_add_cut(&line, strbuf_str(&more), p->width - BEFORE);
	printf("%*s%s\n", BEFORE - 1, "", strbuf_str(&line));
}

void cli_page_hit(const struct cli_page *p, const json_t *hit)
{
	_cleanup_(strbuf_done) struct strbuf facts = STRBUF_INIT(0), line = STRBUF_INIT(0);
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(0);
	const json_t *id = json_object_get(hit, "id");
	size_t taken;

	add_name(hit, &name);
	add_facts(hit, &facts);
	taken = characters_of(&facts) + BEFORE;
	if (json_is_integer(id))
		strbuf_addf(&line, "%6.3f %7" PRId64 "  ", cli_number_of(hit, "score"),
			    (int64_t)json_integer_value(id));
	else
		strbuf_addf(&line, "%6.3f %7s  ", cli_number_of(hit, "score"),
			    cli_text_of(hit, "id"));
	cli_page_add_cut(&line, strbuf_str(&name),
			 p->width > taken + NAME_MIN ? p->width - taken : NAME_MIN);
	printf("%s%s\n", strbuf_str(&line), strbuf_str(&facts));
	print_more(p, hit);
}

void cli_page_reason(const struct cli_page *p, const char *reason)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);

	cli_page_add_cut(&b, reason, p->width - INDENT);
	printf("%*s%s\n", INDENT, "", strbuf_str(&b));
}
