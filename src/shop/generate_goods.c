/*
 * Invented suppliers and products, beside or instead of a catalogue. Titles are made so that the
 * rules of text/groups.txt recognise them; EANs begin with 2, the range for a shop's own numbers,
 * and have their check digit.
 */
#include "shop/generate_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

#define DEFAULT_SUPPLIERS 12
#define MODEL_LETTERS	  676 /* pairs of letters */

/* Every supplier's name is its own: the words' combinations first, then a number. */
static char *supplier_name(const struct gen *g, uint64_t i)
{
	const struct gen_section *first = gen_text_need(&g->text, "supplier.first");
	const struct gen_section *second = gen_text_need(&g->text, "supplier.second");
	const struct gen_section *form = gen_text_need(&g->text, "supplier.form");
	uint64_t round = i / (first->n * second->n);
	struct str a = first->lines[i % first->n];
	struct str b = second->lines[(i / first->n + i) % second->n];
	struct str c = form->lines[gen_hash(g->options->seed, GEN_STREAM_SUPPLIER, i) % form->n];

	if (round)
		return mem_printf("%.*s %.*s %" PRIu64 " %.*s", STR_ARGS(a), STR_ARGS(b), round + 1,
				  STR_ARGS(c));
	return mem_printf("%.*s %.*s %.*s", STR_ARGS(a), STR_ARGS(b), STR_ARGS(c));
}

static int write_supplier(struct gen *g, uint64_t i, struct err *err)
{
	const struct gen_section *countries = gen_text_need(&g->text, "supplier.country");
	_cleanup_(mem_freep) char *name = supplier_name(g, i);
	uint64_t h = gen_hash(g->options->seed, GEN_STREAM_SUPPLIER, i) >> 16;
	char text[64];

	gen_row_clear(&g->row);
	gen_row_text(&g->row, name);
	(void)snprintf(text, sizeof(text), "sales%" PRIu64 "@example.%s", i + 1,
		       h % 2 ? "com" : "org");
	gen_row_text(&g->row, text);
	(void)snprintf(text, sizeof(text), "+1 212-555-01%02u", (unsigned)(h % 100));
	gen_row_text(&g->row, text);
	gen_row_str(&g->row, countries->lines[h / 100 % countries->n]);
	return gen_write(g, SHOP_GENERATE_FILE_SUPPLIERS, err);
}

void gen_own_ean(uint64_t number, char ret[static 14])
{
	char text[32];
	unsigned sum = 0;

	(void)snprintf(text, sizeof(text), "2%011" PRIu64, number % UINT64_C(100000000000));
	for (size_t i = 0; i < 12; i++)
		sum += (unsigned)(text[i] - '0') * (i % 2 ? 3 : 1);
	text[12] = (char)('0' + (10 - sum % 10) % 10);
	text[13] = '\0';
	memcpy(ret, text, 14);
}

struct made {
	const char *id, *model, *title, *tell, *supplier;
	struct str category;
	uint32_t price_cents;
	int32_t released;
	uint64_t ean, stock;
};

static int write_product(struct gen *g, const struct made *m, struct err *err)
{
	struct gen_row *row = &g->row;
	char ean[14];

	gen_own_ean(m->ean, ean);
	gen_row_clear(row);
	gen_row_text(row, m->id);
	gen_row_text(row, "physical");
	gen_row_text(row, m->supplier);
	gen_row_str(row, m->category);
	gen_row_text(row, m->title);
	gen_row_text(row, m->model);
	gen_row_text(row, m->tell);
	gen_row_text(row, ean);
	gen_row_cents(row, m->price_cents);
	gen_row_text(row, "USD");
	gen_row_number(row, m->stock);
	gen_row_text(row, "active");
	gen_row_text(row, "{\"invented\": true}");
	gen_row_text(row, "");
	gen_row_day(row, m->released);
	return gen_write(g, SHOP_GENERATE_FILE_PRODUCTS, err);
}

static uint64_t part_number(struct str *rest)
{
	struct str part = gen_cut(rest, '|');
	uint64_t v = 0;

	bug_if(parse_uint64(part, 1000000, &v, NULL) < 0);
	return v;
}

/* Low prices more often than high ones; most end in .99 or .95. */
static uint32_t pick_price(struct gen_rng *rng, uint64_t low, uint64_t high)
{
	uint64_t units = low + gen_below(rng, gen_below(rng, high - low + 1) + 1);

	return (uint32_t)(units * 100 + (gen_chance(rng, 600000) ? 99 : 95));
}

static int make_product(struct gen *g, uint64_t i, uint64_t suppliers, struct err *err)
{
	const struct gen_section *make = gen_text_need(&g->text, "make");
	struct gen_product p = {.released = g->window_from - 1000};
	struct strbuf title = STRBUF_INIT(400), tell = STRBUF_INIT(2000);
	_cleanup_(mem_freep) char *supplier = NULL;
	struct made m = {.ean = i};
	struct str line, section;
	struct gen_rng rng;
	uint64_t low, high, letters;
	int r;

	gen_rng_init(&rng, g->options->seed, GEN_STREAM_GOODS, i);
	line = make->lines[gen_below(&rng, make->n)];
	m.category = gen_cut(&line, '|');
	low = part_number(&line);
	high = part_number(&line);
	section = line;
	supplier = supplier_name(g, gen_below(&rng, suppliers));
	m.supplier = supplier;
	m.released = g->window_from - 1200 + (int32_t)gen_below(&rng, 1200);
	m.price_cents = pick_price(&rng, low, high);
	m.stock = gen_below(&rng, gen_below(&rng, 900) + 1);
	p.id = arena_printf(&g->catalog.arena, "AMG-%07" PRIu64, i + 1);
	m.id = p.id;
	letters = gen_below(&rng, MODEL_LETTERS); /* one draw: the compiler orders arguments */
	p.facts[GEN_FACT_MODEL] =
	    arena_printf(&g->catalog.arena, "%c%c-%" PRIu64, (char)('A' + letters / 26),
			 (char)('A' + letters % 26), 100 + i);
	m.model = p.facts[GEN_FACT_MODEL];
	/* The brand is the supplier's first words, without its legal form. */
	p.facts[GEN_FACT_BRAND] =
	    arena_strndup(&g->catalog.arena, supplier, strcspn(supplier, " "));
	gen_words_expand(&rng, p.facts, gen_text_getf(&g->text, "make.%.*s", STR_ARGS(section)),
			 &title);
	gen_words_expand(&rng, p.facts, gen_text_getf(&g->text, "tell.%.*s", STR_ARGS(section)),
			 &tell);
	m.title = strbuf_str(&title);
	m.tell = strbuf_str(&tell);
	p.price_cents = m.price_cents;
	p.released = m.released;
	p.facts[GEN_FACT_NAME] = arena_strdup(&g->catalog.arena, m.title);
	r = write_product(g, &m, err);
	gen_catalog_add(&g->catalog, p, p.facts[GEN_FACT_BRAND], m.title);
	strbuf_done(&title);
	strbuf_done(&tell);
	return r;
}

int gen_goods_write(struct gen *g, struct err *err)
{
	uint64_t suppliers = g->options->suppliers ?: DEFAULT_SUPPLIERS;
	int r = 0;

	if (!g->options->products && !g->options->suppliers)
		return 0;
	if (!g->catalog.n_currencies)
		g->catalog.currencies[g->catalog.n_currencies++] = "USD";
	for (uint64_t i = 0; r == 0 && i < suppliers; i++)
		r = write_supplier(g, i, err);
	for (uint64_t i = 0; r == 0 && i < g->options->products; i++)
		r = make_product(g, i, suppliers, err);
	return r;
}
