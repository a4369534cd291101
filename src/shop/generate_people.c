/*
 * Customers and their addresses.
 *
 * Customer i registers on a day that never falls with i: a third before the window of orders, the
 * others over the window, as busy as the shop is. Buying is skewed: weights follow 1/(1 + x) for a
 * uniform x, so that a tenth of the customers places about a third of the orders. Both are all that
 * is held; name, address and the rest are made again from the customer's own stream when written.
 */
#include "shop/generate_int.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

#define EARLY_PERCENT 35    /* customers from before the window */
#define EARLY_DAYS    730   /* over this time */
#define OPENS_S	      21600 /* people register from six in the morning */
#define OPEN_S	      50400 /* for fourteen hours */

static struct gen_locale locale_from(struct gen *g, struct str line)
{
	struct str sections = gen_cut(&line, ' ');
	struct gen_locale l = {.name = gen_cut(&line, ' ')};
	uint64_t share = 0;
	int n = (int)sections.len;
	const char *s = sections.data;

	l.country = gen_cut(&line, ' ');
	bug_if(parse_uint64(line, 1000, &share, NULL) < 0);
	g->locale_shares[g->n_locales + 1] = g->locale_shares[g->n_locales] + (uint32_t)share;
	l.first[0] = gen_text_getf(&g->text, "%.*s.first.f", n, s);
	l.first[1] = gen_text_getf(&g->text, "%.*s.first.m", n, s);
	l.last = gen_text_getf(&g->text, "%.*s.last", n, s);
	l.streets = gen_text_getf(&g->text, "%.*s.street", n, s);
	l.flats = gen_text_getf(&g->text, "%.*s.flat", n, s);
	l.cities = gen_text_getf(&g->text, "%.*s.city", n, s);
	l.phones = gen_text_getf(&g->text, "%.*s.phone", n, s);
	bug_if(!l.first[0] || !l.first[1] || !l.last || !l.streets || !l.flats || !l.cities ||
	       !l.phones);
	return l;
}

/* Day of the n-th of `total` events that are spread over the window as orders are. */
static int32_t day_of_share(const struct gen *g, uint64_t n, uint64_t total, size_t *cursor)
{
	uint64_t weight = (uint64_t)((unsigned __int128)n * g->day_sums[g->n_days] / total);

	while (g->day_sums[*cursor + 1] <= weight)
		(*cursor)++;
	return g->window_from + (int32_t)*cursor;
}

int gen_people_init(struct gen *g, struct err *err)
{
	const struct gen_section *locales = gen_text_need(&g->text, "locales");
	struct gen_customers *c = &g->customers;
	uint64_t n = g->options->customers;
	uint64_t early = n * EARLY_PERCENT / 100 + 1;
	size_t cursor = 0, limit = (SHOP_GENERATE_ROWS_MAX + 1) * sizeof(*c->sums);
	void *sums, *days;
	int r;

	for (size_t i = 0; i < locales->n; i++) {
		g->locales[g->n_locales] = locale_from(g, locales->lines[i]);
		g->n_locales++;
	}
	r = mem_try_alloc((n + 1) * sizeof(*c->sums), limit, &sums, err);
	if (r < 0)
		return r;
	c->sums = sums;
	r = mem_try_alloc((n + 1) * sizeof(*c->registered), limit, &days, err);
	if (r < 0)
		return r;
	c->registered = days;
	c->sums[0] = 0;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t h = gen_hash(g->options->seed, GEN_STREAM_CUSTOMER_WEIGHT, i);

		c->sums[i + 1] = c->sums[i] + 1000000 / (60 + h % 1000);
		c->registered[i] =
		    i < early ? g->window_from - EARLY_DAYS + (int32_t)(i * EARLY_DAYS / early)
			      : day_of_share(g, i - early, n - early, &cursor);
	}
	c->n = n;
	return 0;
}

void gen_people_done(struct gen *g)
{
	mem_free(g->customers.sums);
	mem_free(g->customers.registered);
}

static uint64_t customer_hash(const struct gen *g, uint64_t customer)
{
	return gen_hash(g->options->seed, GEN_STREAM_CUSTOMER, customer ^ (UINT64_C(1) << 63));
}

unsigned gen_customer_addresses(const struct gen *g, uint64_t customer)
{
	uint64_t h = customer_hash(g, customer) % 100;

	return h < 68 ? 1 : h < 93 ? 2 : 3;
}

unsigned gen_customer_segment(const struct gen *g, uint64_t customer)
{
	uint64_t h = (customer_hash(g, customer) >> 32) % g->catalog.segment_shares;
	unsigned i = 0;

	while (h >= g->catalog.segments[i].share)
		h -= g->catalog.segments[i++].share;
	return i;
}

static struct str pick(struct gen_rng *rng, const struct gen_section *s)
{
	return s->lines[gen_below(rng, s->n)];
}

/* A letter of U+00C0 to U+017F without its mark; "" for what is not in the tables. */
static void fold(struct strbuf *b, unsigned code)
{
	static const char latin1[] =
	    "aaaaaaaceeeeiiiidnooooo-ouuuuytsaaaaaaaceeeeiiiidnooooo-ouuuuyty";
	static const char extended[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkk"
				       "llllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuu"
				       "wwyyyzzzzzzs";

	static_assert(sizeof(extended) == 129, "one letter for each code");
	static_assert(sizeof(latin1) == 65, "one letter for each code");
	if (code == 0xdf)
		strbuf_addstr(b, "ss");
	else if (code >= 0xc0 && code <= 0xff)
		strbuf_addch(b, latin1[code - 0xc0]);
	else if (code >= 0x100 && code - 0x100 < sizeof(extended) - 1)
		strbuf_addch(b, extended[code - 0x100]);
}

/* Lower-case Latin letters only, for the local part of an e-mail address. */
static void add_folded(struct strbuf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char ch = (unsigned char)s.data[i];

		if (ch >= 'A' && ch <= 'Z')
			strbuf_addch(b, (char)(ch + 32));
		else if (ch >= 'a' && ch <= 'z')
			strbuf_addch(b, (char)ch);
		else if (ch >= 0xc3 && ch <= 0xc5 && i + 1 < s.len)
			fold(b, ((ch & 0x1fU) << 6) | ((unsigned char)s.data[++i] & 0x3fU));
	}
}

/* The customer's number ends the local part, so no address comes twice. */
static void add_email(struct gen *g, struct gen_rng *rng, uint64_t customer, struct str first,
		      struct str last)
{
	static const char *const domains[] = {"example.com", "example.com", "example.org",
					      "example.net"};
	struct strbuf b = STRBUF_INIT(200);
	uint64_t style = gen_below(rng, 4);

	if (style == 0)
		add_folded(&b, (struct str){first.data, first.len ? 1 : 0});
	else if (style < 3)
		add_folded(&b, first);
	if (b.len)
		strbuf_addch(&b, style == 2 ? '_' : '.');
	add_folded(&b, last);
	strbuf_addf(&b, "%" PRIu64 "@%s", customer + 1, domains[gen_below(rng, 4)]);
	gen_row_str(&g->row, strbuf_slice(&b));
	strbuf_done(&b);
}

/* Fills "#" with digits and "@" with letters that postal codes use. */
static void add_pattern(struct gen_row *row, struct gen_rng *rng, struct str pattern)
{
	static const char letters[] = "ABDEFGHJLNPQRSTUWXYZ";
	char buf[64];
	size_t n = 0;

	for (size_t i = 0; i < pattern.len && n < sizeof(buf); i++) {
		char ch = pattern.data[i];

		if (ch == '#')
			ch = (char)('0' + gen_below(rng, 10));
		else if (ch == '@')
			ch = letters[gen_below(rng, sizeof(letters) - 1)];
		buf[n++] = ch;
	}
	gen_row_str(row, (struct str){buf, n});
}

static struct str name_shown(struct str name)
{
	return gen_cut(&name, '|');
}

static struct str name_latin(struct str name)
{
	struct str shown = gen_cut(&name, '|');

	return name.len ? name : shown;
}

static struct str family_name(struct str name, bool is_male)
{
	struct str male = gen_cut(&name, '/');

	return is_male || !name.len ? male : name;
}

static const struct gen_locale *locale_of(const struct gen *g, struct gen_rng *rng)
{
	uint64_t draw = gen_below(rng, g->locale_shares[g->n_locales]);
	size_t i = 0;

	while (g->locale_shares[i + 1] <= draw)
		i++;
	return &g->locales[i];
}

static int write_customer(struct gen *g, struct gen_rng *rng, const struct gen_locale *l,
			  uint64_t i, struct err *err)
{
	struct gen_row *row = &g->row;
	bool is_male = gen_chance(rng, 490000);
	struct str first = pick(rng, l->first[is_male]);
	struct str last = family_name(pick(rng, l->last), is_male);
	int32_t registered = g->customers.registered[i];
	uint64_t at = gen_hash(g->options->seed, GEN_STREAM_CUSTOMER, i) % OPEN_S;

	gen_row_clear(row);
	gen_row_key(row, 'C', i + 1);
	gen_row_str(row, name_shown(first));
	gen_row_str(row, name_shown(last));
	add_email(g, rng, i, name_latin(first), name_latin(last));
	if (gen_chance(rng, 850000))
		add_pattern(row, rng, pick(rng, l->phones));
	else
		gen_row_text(row, "");
	if (gen_chance(rng, 700000)) /* 18 to 78 years old, the middle more often */
		gen_row_day(row, registered - 6600 - (int32_t)gen_below(rng, 11000) -
				     (int32_t)gen_below(rng, 11000));
	else
		gen_row_text(row, "");
	gen_row_time(row, registered * GEN_DAY + OPENS_S + (int64_t)at);
	gen_row_text(row, gen_chance(rng, 60000) ? "inactive" : "active");
	gen_row_str(row, l->name);
	return gen_write(g, SHOP_GENERATE_FILE_CUSTOMERS, err);
}

/* Street, with the house number in the place of "%", and perhaps the flat. */
static void add_street(struct gen_row *row, struct gen_rng *rng, const struct gen_locale *l)
{
	struct strbuf b = STRBUF_INIT(200);
	struct str street = pick(rng, l->streets);
	struct str flat = {0};

	if (gen_chance(rng, 300000))
		flat = pick(rng, l->flats);
	for (size_t i = 0; i < street.len; i++) {
		if (street.data[i] != '%')
			strbuf_addch(&b, street.data[i]);
		else
			strbuf_addf(&b, "%" PRIu64, 1 + gen_below(rng, 1 + gen_below(rng, 240)));
	}
	for (size_t i = 0; i < flat.len; i++) {
		if (flat.data[i] != '%')
			strbuf_addch(&b, flat.data[i]);
		else
			strbuf_addf(&b, "%" PRIu64, 1 + gen_below(rng, 48));
	}
	gen_row_str(row, strbuf_slice(&b));
	strbuf_done(&b);
}

static int write_address(struct gen *g, struct gen_rng *rng, const struct gen_locale *l,
			 uint64_t customer, unsigned nth, struct err *err)
{
	static const char *const more[] = {"work", "billing", "shipping"};
	struct gen_row *row = &g->row;
	struct str city = pick(rng, l->cities);
	char key[32];

	gen_row_clear(row);
	gen_row_key(row, 'A', customer + 1);
	(void)snprintf(key, sizeof(key), "-%u", nth);
	row->fields[0].len += gen_row_keep(row, key, strlen(key)).len; /* "A-0000012-1" */
	gen_row_key(row, 'C', customer + 1);
	gen_row_text(row, nth == 1 ? "home" : more[gen_below(rng, 3)]);
	gen_row_text(row, nth == 1 ? "1" : "0");
	add_street(row, rng, l);
	gen_row_str(row, gen_cut(&city, '|'));
	gen_row_str(row, gen_cut(&city, '|'));
	add_pattern(row, rng, city);
	gen_row_str(row, l->country);
	return gen_write(g, SHOP_GENERATE_FILE_ADDRESSES, err);
}

int gen_people_write(struct gen *g, struct err *err)
{
	for (uint64_t i = 0; i < g->customers.n; i++) {
		unsigned n = gen_customer_addresses(g, i);
		struct gen_rng rng;
		const struct gen_locale *l;
		int r;

		gen_rng_init(&rng, g->options->seed, GEN_STREAM_CUSTOMER, i);
		l = locale_of(g, &rng);
		r = write_customer(g, &rng, l, i, err);
		for (unsigned k = 1; r == 0 && k <= n; k++)
			r = write_address(g, &rng, l, i, k, err);
		if (r < 0)
			return r;
	}
	return 0;
}
