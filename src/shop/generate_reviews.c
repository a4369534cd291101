/*
 * Which order lines are reviewed, when, and with how many stars.
 *
 * Exactly the wanted number is chosen among all delivered lines, each with the same chance, by
 * selection sampling (Knuth, algorithm S). That needs their count before the first is written: the
 * orders are made once without being written. A customer reviews a product once: a Bloom filter of
 * two bytes a line remembers the pairs seen; what it wrongly takes for seen (one in several
 * hundred) is left out in both passes alike.
 *
 * Each product has a hidden quality, drawn from the seed, which its ratings follow.
 */
#include "shop/generate_int.h"

#include <inttypes.h>

#include "base/banned.h"

#define FILTER_BYTES_MIN 4096
#define REVIEW_AFTER_MIN GEN_DAY

struct gen_review_picker {
	uint8_t *filter;
	uint64_t filter_mask;  /* bits - 1 */
	uint64_t left, wanted; /* candidates to come, reviews still to write */
	struct gen_rng rng;
	uint64_t next; /* number of the next review */
	struct strbuf title, text;
};

/* True when the pair was there; adds it. */
static bool filter_add(struct gen_review_picker *p, uint64_t customer, uint64_t product)
{
	uint64_t h = gen_hash(customer, GEN_STREAM_REVIEW_PICK, product);
	uint64_t step = (h >> 40) | 1;
	bool was_there = true;

	for (int i = 0; i < 4; i++, h += step) {
		uint64_t bit = h & p->filter_mask;
		uint8_t mask = (uint8_t)(1U << (bit & 7));

		if (!(p->filter[bit >> 3] & mask))
			was_there = false;
		p->filter[bit >> 3] |= mask;
	}
	return was_there;
}

static bool is_reviewable(const struct gen *g, const struct gen_order *o)
{
	return (o->status == GEN_STATUS_DELIVERED || o->status == GEN_STATUS_RETURNED) &&
	       o->delivered_at + REVIEW_AFTER_MIN < (g->until + 1) * GEN_DAY;
}

static uint64_t count_candidates(struct gen_review_picker *p, const struct gen *g)
{
	uint64_t n = 0;

	for (size_t d = 0; d < g->n_days; d++) {
		uint64_t end = gen_orders_before(g, d + 1);

		for (uint64_t i = gen_orders_before(g, d); i < end; i++) {
			struct gen_order o;

			gen_order_make(g, i, g->window_from + (int32_t)d, &o);
			if (!is_reviewable(g, &o))
				continue;
			for (unsigned k = 0; k < o.n_lines; k++)
				n += !filter_add(p, o.customer, o.lines[k].product);
		}
	}
	return n;
}

struct gen_review_picker *gen_review_picker_new(const struct gen *g, struct err *err)
{
	_cleanup_(gen_review_picker_freep) struct gen_review_picker *p = NULL;
	size_t bytes = FILTER_BYTES_MIN;
	void *filter;

	while (bytes < g->options->orders * 4) /* orders have two lines on average */
		bytes *= 2;
	if (mem_try_alloc(bytes, (size_t)SHOP_GENERATE_ROWS_MAX * 8, &filter, err) < 0)
		return NULL;
	p = MEM_NEW(struct gen_review_picker);
	p->filter = filter;
	p->filter_mask = bytes * 8 - 1;
	p->title = (struct strbuf)STRBUF_INIT(4096);
	p->text = (struct strbuf)STRBUF_INIT((size_t)64 << 10);
	memset(p->filter, 0, bytes);
	gen_rng_init(&p->rng, g->options->seed, GEN_STREAM_REVIEW_PICK, 0);
	p->wanted = g->options->reviews;
	if (!p->wanted)
		return TAKE_PTR(p);
	p->left = count_candidates(p, g);
	memset(p->filter, 0, bytes);
	if (p->left < p->wanted) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "%" PRIu64 " reviews cannot be written: the orders hold only %" PRIu64
			      " delivered products, each reviewed once a customer",
			      p->wanted, p->left);
		(void)err_hint(err, "ask for more orders or for fewer reviews");
		return NULL;
	}
	return TAKE_PTR(p);
}

struct gen_review_picker *gen_review_picker_free(struct gen_review_picker *p)
{
	if (p) {
		mem_free(p->filter);
		strbuf_done(&p->title);
		strbuf_done(&p->text);
		mem_free(p);
	}
	return NULL;
}

static unsigned pick_rating(const struct gen *g, struct gen_rng *rng, const struct gen_order *o,
			    const struct gen_product *p)
{
	/* Sums for 1, 2, 3, 4, 5 stars, from the poorest product to the best. */
	static const uint64_t qualities[6][6] = {
	    {0, 290, 520, 720, 890, 1000}, {0, 130, 270, 450, 740, 1000},
	    {0, 70, 150, 290, 620, 1000},  {0, 45, 95, 190, 520, 1000},
	    {0, 25, 60, 130, 420, 1000},   {0, 15, 35, 80, 320, 1000}};
	static const uint64_t shares[7] = {0, 60, 170, 380, 650, 870, 1000};
	struct gen_rng of_product;
	size_t quality;

	gen_rng_init(&of_product, g->options->seed, GEN_STREAM_PRODUCT_QUALITY,
		     map_hash(str_from(p->id)));
	quality = gen_pick_sum(&of_product, shares, 0, 6);
	if (quality && (o->status == GEN_STATUS_RETURNED || gen_chance(rng, 30000)))
		quality = gen_below(rng, 2);
	if (quality && o->delivered_at - o->at > 9 * GEN_DAY)
		quality--;
	return 1 + (unsigned)gen_pick_sum(rng, qualities[quality], 0, 5);
}

/* Most write within two weeks, some after months; nobody after the last day. */
static int64_t pick_time(const struct gen *g, struct gen_rng *rng, const struct gen_order *o)
{
	int64_t now = (g->until + 1) * GEN_DAY;
	uint64_t span = gen_chance(rng, 250000) ? 120 : 18;
	int64_t at = o->delivered_at + REVIEW_AFTER_MIN +
		     (int64_t)gen_below(rng, gen_below(rng, span * (uint64_t)GEN_DAY) + 1);

	if (at >= now)
		at = o->delivered_at + REVIEW_AFTER_MIN +
		     (int64_t)gen_below(rng, (uint64_t)(now - o->delivered_at - REVIEW_AFTER_MIN));
	return at;
}

static int write_review(struct gen_review_picker *p, struct gen *g, const struct gen_order *o,
			unsigned line, struct err *err)
{
	const struct gen_product *product = &g->catalog.products[o->lines[line].product];
	struct gen_row *row = &g->row;
	struct gen_rng rng;
	unsigned rating;
	int64_t at;

	gen_rng_init(&rng, g->options->seed, GEN_STREAM_REVIEW, o->index * GEN_LINES_MAX + line);
	rating = pick_rating(g, &rng, o, product);
	at = pick_time(g, &rng, o);
	strbuf_clear(&p->title);
	strbuf_clear(&p->text);
	gen_words_review(g->words, &rng,
			 &(struct gen_review_brief){
			     .seed = g->options->seed,
			     .product = product,
			     .rating = rating,
			     .price_cents = o->lines[line].price_cents,
			     .delivery_days = (unsigned)((o->delivered_at - o->at) / GEN_DAY),
			     .owned_days = (unsigned)((at - o->delivered_at) / GEN_DAY),
			 },
			 &p->title, &p->text);
	gen_row_clear(row);
	gen_row_key(row, 'R', ++p->next);
	gen_row_text(row, product->id);
	gen_row_key(row, 'C', o->customer + 1);
	gen_row_number(row, rating);
	gen_row_str(row, strbuf_slice(&p->title));
	gen_row_str(row, strbuf_slice(&p->text));
	gen_row_time(row, at);
	return gen_write(g, SHOP_GENERATE_FILE_REVIEWS, err);
}

int gen_reviews_of(struct gen_review_picker *p, struct gen *g, const struct gen_order *o,
		   struct err *err)
{
	int r = 0;

	if (!p->wanted || !is_reviewable(g, o))
		return 0;
	for (unsigned i = 0; r == 0 && i < o->n_lines; i++) {
		if (filter_add(p, o->customer, o->lines[i].product))
			continue;
		if (gen_below(&p->rng, p->left--) < p->wanted) {
			p->wanted--;
			r = write_review(p, g, o, i, err);
		}
	}
	return r;
}
