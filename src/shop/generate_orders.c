/*
 * Orders and their lines, day by day. An order is a pure function of the seed, its number and its
 * day, so that the reviews can look at all orders before any is written without keeping one.
 *
 * Who: most orders come from anybody who has registered, by weight; some from people who registered
 * in the last weeks. What: the first product comes from the buyer's kind (office, gamer...) or from
 * all goods by popularity; what goes with it comes from the affinities of its group. How much:
 * goods that are used up are bought in numbers.
 */
#include "shop/generate_int.h"

#include "base/banned.h"

#define NEWCOMER_PPM  180000
#define NEWCOMER_DAYS 20
#define SEGMENT_PPM   700000
#define EXTRA_PPM     110000 /* something that has nothing to do with the rest */
#define BRAND_TRIES   12
#define RELEASE_TRIES 6
#define CANCELLED_PPM 35000
#define RETURNED_PPM  30000

uint64_t gen_orders_before(const struct gen *g, size_t nth_day)
{
	return (uint64_t)((unsigned __int128)g->options->orders * g->day_sums[nth_day] /
			  g->day_sums[g->n_days]);
}

static const char *status_text(enum gen_status s)
{
	static const char *const texts[] = {"pending",	 "paid",      "shipped",
					    "delivered", "cancelled", "returned"};

	return texts[s];
}

/* How many customers had registered before a day. */
static uint64_t registered_before(const struct gen_customers *c, int32_t day)
{
	uint64_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint64_t middle = lo + (hi - lo) / 2;

		if (c->registered[middle] < day)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static uint64_t pick_customer(const struct gen *g, struct gen_rng *rng, int32_t day)
{
	const struct gen_customers *c = &g->customers;
	uint64_t known = registered_before(c, day);

	if (gen_chance(rng, NEWCOMER_PPM)) {
		uint64_t old = registered_before(c, day - NEWCOMER_DAYS);

		if (old < known)
			return gen_between(rng, old, known - 1);
	}
	return gen_pick_sum(rng, c->sums, 0, known);
}

static bool is_out(const struct gen_product *p, int32_t day)
{
	return p->released == GEN_NO_DAY || p->released <= day;
}

static size_t pick_first(const struct gen *g, struct gen_rng *rng, uint64_t customer, int32_t day)
{
	const struct gen_catalog *c = &g->catalog;
	size_t from = 0, to = c->n, product = 0;

	if (gen_chance(rng, SEGMENT_PPM)) {
		const struct gen_segment *s = &c->segments[gen_customer_segment(g, customer)];
		size_t group = gen_pick_sum(rng, s->sums, 0, c->n_groups);

		from = c->groups[group].from;
		to = c->groups[group].to;
	}
	for (int i = 0; i < RELEASE_TRIES; i++) {
		product = gen_pick_sum(rng, c->sums, from, to);
		if (is_out(&c->products[product], day))
			break;
	}
	return product;
}

/* False when the group has nothing that fits. */
static bool pick_companion(const struct gen_catalog *c, struct gen_rng *rng,
			   const struct gen_affinity *a, const struct gen_product *first,
			   size_t *ret)
{
	const struct gen_group *group = &c->groups[a->with];

	if (group->from == group->to)
		return false;
	for (int i = 0; i < BRAND_TRIES; i++) {
		size_t product = gen_pick_sum(rng, c->sums, group->from, group->to);

		if (!a->same_brand || c->products[product].brand == first->brand) {
			*ret = product;
			return true;
		}
	}
	return false;
}

static uint32_t pick_quantity(const struct gen_group *group, struct gen_rng *rng)
{
	uint32_t n = 1;
	uint32_t more = group->is_consumable ? 420000 : 60000;

	while (n < group->max_quantity && gen_chance(rng, more))
		n++;
	return n;
}

static void add_line(const struct gen *g, struct gen_rng *rng, struct gen_order *o, size_t product,
		     int32_t day)
{
	const struct gen_product *p = &g->catalog.products[product];
	uint32_t quantity = pick_quantity(&g->catalog.groups[p->group], rng);

	if (o->n_lines == GEN_LINES_MAX)
		return;
	for (unsigned i = 0; i < o->n_lines; i++)
		if (o->lines[i].product == product)
			return;
	if (o->n_lines && g->catalog.products[o->lines[0].product].currency != p->currency)
		return;
	o->lines[o->n_lines].product = (uint32_t)product;
	o->lines[o->n_lines].quantity = quantity;
	o->lines[o->n_lines].price_cents = gen_price_on(p, g->options->seed, day, g->until);
	o->total_cents += (uint64_t)quantity * o->lines[o->n_lines].price_cents;
	o->n_lines++;
}

static void fill_basket(const struct gen *g, struct gen_rng *rng, struct gen_order *o, int32_t day)
{
	const struct gen_catalog *c = &g->catalog;
	size_t first = pick_first(g, rng, o->customer, day), other = 0;
	const struct gen_product *p = &c->products[first];
	const struct gen_group *group = &c->groups[p->group];

	add_line(g, rng, o, first, day);
	for (size_t i = 0; i < group->n_affinities; i++) {
		const struct gen_affinity *a = &group->affinities[i];

		if (gen_chance(rng, a->ppm) && pick_companion(c, rng, a, p, &other))
			add_line(g, rng, o, other, day);
	}
	if (gen_chance(rng, EXTRA_PPM))
		add_line(g, rng, o, gen_pick_sum(rng, c->sums, 0, c->n), day);
}

static bool needs_address(const struct gen *g, const struct gen_order *o)
{
	for (unsigned i = 0; i < o->n_lines; i++)
		if (!g->catalog.products[o->lines[i].product].is_service)
			return true;
	return false;
}

/* What had become of the order at the end of the last day. */
static void decide_status(const struct gen *g, struct gen_rng *rng, struct gen_order *o)
{
	int64_t now = (g->until + 1) * GEN_DAY;
	int64_t paid = o->at + (int64_t)gen_below(rng, gen_chance(rng, 100000) ? 172800 : 3600);
	int64_t shipped = paid + 14400 + (int64_t)gen_below(rng, 2 * (uint64_t)GEN_DAY);
	bool is_cancelled = gen_chance(rng, CANCELLED_PPM);
	bool is_returned = gen_chance(rng, RETURNED_PPM);

	o->delivered_at = shipped + GEN_DAY + (int64_t)gen_below(rng, 5 * (uint64_t)GEN_DAY);
	if (gen_chance(rng, 50000)) /* lost for a while */
		o->delivered_at += 5 * GEN_DAY + (int64_t)gen_below(rng, 9 * (uint64_t)GEN_DAY);
	if (is_cancelled && paid <= now)
		o->status = GEN_STATUS_CANCELLED;
	else if (paid > now)
		o->status = GEN_STATUS_PENDING;
	else if (shipped > now || (o->delivered_at > now && !o->address))
		o->status = GEN_STATUS_PAID;
	else if (o->delivered_at > now)
		o->status = GEN_STATUS_SHIPPED;
	else if (is_returned && o->delivered_at + 14 * GEN_DAY <= now)
		o->status = GEN_STATUS_RETURNED;
	else
		o->status = GEN_STATUS_DELIVERED;
}

void gen_order_make(const struct gen *g, uint64_t index, int32_t day, struct gen_order *ret)
{
	struct gen_order o = {.index = index};
	struct gen_rng rng;

	gen_rng_init(&rng, g->options->seed, GEN_STREAM_ORDER, index);
	o.customer = pick_customer(g, &rng, day);
	o.at = day * GEN_DAY + gen_time_of_day(&rng);
	fill_basket(g, &rng, &o, day);
	if (needs_address(g, &o)) {
		unsigned n = gen_customer_addresses(g, o.customer);

		o.address = gen_chance(&rng, 750000) ? 1 : 1 + (unsigned)gen_below(&rng, n);
	}
	decide_status(g, &rng, &o);
	*ret = o;
}

static int write_order(struct gen *g, const struct gen_order *o, struct err *err)
{
	struct gen_row *row = &g->row;
	const struct gen_product *first = &g->catalog.products[o->lines[0].product];

	gen_row_clear(row);
	gen_row_key(row, 'O', o->index + 1);
	gen_row_key(row, 'C', o->customer + 1);
	if (o->address) {
		char nth[2] = {'-', (char)('0' + o->address)};

		gen_row_key(row, 'A', o->customer + 1);
		row->fields[2].len += gen_row_keep(row, nth, sizeof(nth)).len;
	} else {
		gen_row_text(row, "");
	}
	gen_row_time(row, o->at);
	gen_row_text(row, status_text(o->status));
	gen_row_cents(row, o->total_cents);
	gen_row_text(row, g->catalog.currencies[first->currency]);
	return gen_write(g, SHOP_GENERATE_FILE_ORDERS, err);
}

static int write_lines(struct gen *g, const struct gen_order *o, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < o->n_lines; i++) {
		struct gen_row *row = &g->row;

		gen_row_clear(row);
		gen_row_key(row, 'O', o->index + 1);
		gen_row_text(row, g->catalog.products[o->lines[i].product].id);
		gen_row_number(row, o->lines[i].quantity);
		gen_row_cents(row, o->lines[i].price_cents);
		r = gen_write(g, SHOP_GENERATE_FILE_ITEMS, err);
	}
	return r;
}

int gen_orders_write(struct gen *g, struct err *err)
{
	_cleanup_(gen_review_picker_freep) struct gen_review_picker *picker = NULL;
	struct gen_order o;
	int r;

	picker = gen_review_picker_new(g, err);
	if (!picker)
		return -(int)err->code;
	for (size_t d = 0; d < g->n_days; d++) {
		uint64_t end = gen_orders_before(g, d + 1);

		for (uint64_t i = gen_orders_before(g, d); i < end; i++) {
			gen_order_make(g, i, g->window_from + (int32_t)d, &o);
			r = write_order(g, &o, err);
			if (r == 0)
				r = write_lines(g, &o, err);
			if (r == 0)
				r = gen_reviews_of(picker, g, &o, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
