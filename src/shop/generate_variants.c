/*
 * Variants of the catalogue's products: a catalogue of any size in which to search is like
 * searching in the real one. (Invented goods, generate_goods.c, have the words of some dozen
 * sentences.)
 *
 * A variant takes some of its attributes, and at times the brand, from another product of its
 * group, so that values are as frequent and as fitting as they are in the catalogue; its model
 * number is drawn anew in the shape of the old one; price and EAN are its own. What was exchanged
 * is exchanged in title and descriptions too, word by word, so that the texts stay true to the
 * attributes. It has no picture, which would show the other product.
 *
 * The objects of the catalogue are held for it (some 100 MB for the shipped one); the variants are
 * streamed, but for the compact record that makes them sold like any other product.
 */
#include "shop/generate_int.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "base/banned.h"

#define SWAPS_MAX     24     /* of one product; a title has some dozen words */
#define SWAP_TEXT_MAX 64     /* bytes; longer values are lists, which no title has */
#define ATTRIBUTE_PPM 400000 /* how often an attribute is taken from the other product */
#define BRAND_PPM     250000
#define LETTER_PPM    250000 /* how often a capital letter of a model number changes */
#define PRICE_MIN     600    /* per mille of the price of the product that it varies */
#define PRICE_RANGE   1001

static const char *const texts[] = {"title", "name", "short_description", "description"};

struct swap {
	struct str from, to;
};

struct variant {
	struct gen_rng rng;
	struct arena arena; /* texts of the swaps */
	struct swap swaps[SWAPS_MAX];
	size_t n_swaps;
	json_t *object;
};

/* Products that can be varied, by group. */
struct originals {
	uint32_t *indices;
	size_t from[GEN_GROUPS_MAX + 1];
	size_t n;
};

static void set(json_t *object, const char *key, json_t *value)
{
	int r = json_object_set_new(object, key, value);

	bug_if(r < 0);
}

/* ---- words ---- */

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The "2" of "2.0" is no word. */
static bool is_whole(struct str text, size_t at, size_t len)
{
	const char *p = text.data + at, *end = text.data + text.len, *q = p + len;

	if (at && (is_word_byte(p[-1]) || (at > 1 && p[-1] == '.' && is_digit(p[-2]))))
		return false;
	return q == end || !(is_word_byte(*q) || (q + 1 < end && *q == '.' && is_digit(q[1])));
}

static const struct swap *swap_at(const struct variant *v, struct str text, size_t at)
{
	for (size_t i = 0; i < v->n_swaps; i++) {
		struct str from = v->swaps[i].from;

		if (from.len <= text.len - at && memcmp(text.data + at, from.data, from.len) == 0 &&
		    is_whole(text, at, from.len))
			return &v->swaps[i];
	}
	return NULL;
}

/* All swaps at once, from left to right, so that none meets what another one wrote. */
static void swap_words(const struct variant *v, struct str text, struct strbuf *out)
{
	size_t done = 0;

	for (size_t at = 0; at < text.len;) {
		const struct swap *s = swap_at(v, text, at);

		if (!s) {
			at++;
			continue;
		}
		strbuf_add(out, text.data + done, at - done);
		strbuf_add(out, s->to.data, s->to.len);
		done = at += s->from.len;
	}
	strbuf_add(out, text.data + done, text.len - done);
}

static void add_swap(struct variant *v, struct str from, struct str to)
{
	if (from.len < 2 || from.len > SWAP_TEXT_MAX || !to.len || to.len > SWAP_TEXT_MAX ||
	    v->n_swaps == SWAPS_MAX)
		return;
	for (size_t i = 0; i < v->n_swaps; i++)
		if (str_equal(v->swaps[i].from, from))
			return;
	v->swaps[v->n_swaps++] =
	    (struct swap){arena_str(&v->arena, from), arena_str(&v->arena, to)};
}

/* ---- what changes ---- */

/* The text that a title would have for a value; no data when none. */
static struct str spoken(struct variant *v, const json_t *value)
{
	double d;

	if (json_is_string(value))
		return (struct str){json_string_value(value), json_string_length(value)};
	if (!json_is_number(value))
		return (struct str){NULL, 0};
	d = json_number_value(value);
	if (!(d >= 10 && d < 1e9) || fabs(d * 10 - nearbyint(d * 10)) > 1e-6)
		return (struct str){NULL, 0};
	return str_from(arena_printf(&v->arena, "%.*f", fabs(d - nearbyint(d)) > 1e-6, d));
}

static void take(struct variant *v, const json_t *donor, const char *key, const json_t *value)
{
	json_t *other = json_object_get(donor, key);

	if (!other || json_typeof(other) != json_typeof(value) || json_equal(other, value))
		return;
	add_swap(v, spoken(v, value), spoken(v, other));
	set(v->object, key, json_incref(other));
}

static json_t *pick_donor(struct variant *v, const struct gen_catalog *c, const struct originals *o,
			  uint8_t group)
{
	size_t n = o->from[group + 1] - o->from[group];

	return c->objects[o->indices[o->from[group] + gen_below(&v->rng, n)]];
}

static void exchange_attributes(struct variant *v, const struct gen_catalog *c,
				const struct originals *o, json_t *original, uint8_t group)
{
	const char *key;
	json_t *value;

	/* The object that is walked is not the one that changes. */
	json_object_foreach(original, key, value)
	{
		if (strncmp(key, "attr_", 5) == 0 && gen_chance(&v->rng, ATTRIBUTE_PPM))
			take(v, pick_donor(v, c, o, group), key, value);
	}
	if (gen_chance(&v->rng, BRAND_PPM))
		take(v, pick_donor(v, c, o, group), "supplier",
		     json_object_get(original, "supplier"));
}

/* "WD10EZEX" -> "WD47EKEX": digits are drawn anew, some capital letters too. */
static bool redraw(struct variant *v, struct str word)
{
	char out[SWAP_TEXT_MAX];
	bool has_digit = false;

	if (word.len < 3 || word.len > sizeof(out))
		return false;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.data[i];
		bool is_capital = c >= 'A' && c <= 'Z';

		has_digit |= is_digit(c);
		if (is_digit(c))
			c = (char)('1' + gen_below(&v->rng, 9));
		else if (is_capital && gen_chance(&v->rng, LETTER_PPM))
			c = (char)('A' + gen_below(&v->rng, 26));
		out[i] = c;
	}
	if (has_digit)
		add_swap(v, word, (struct str){out, word.len});
	return has_digit;
}

/* False: the name has no number that could be another one. */
static bool renew_model(struct variant *v, json_t *original)
{
	struct str name = str_from(json_string_value(json_object_get(original, "name")) ?: "");
	bool is_renewed = false;

	while (name.len)
		is_renewed |= redraw(v, gen_cut(&name, ' '));
	return is_renewed;
}

/* `suffix` parts the titles of variants that nothing else parts. */
static void write_texts(struct variant *v, const char *suffix)
{
	struct strbuf out = STRBUF_INIT(0);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const json_t *old = json_object_get(v->object, texts[i]);
		struct str text = {json_string_value(old), json_string_length(old)};

		if (!text.data)
			continue;
		strbuf_clear(&out);
		swap_words(v, text, &out);
		if (i < 2) /* title and name */
			strbuf_addstr(&out, suffix);
		set(v->object, texts[i], json_stringn(strbuf_str(&out), out.len));
	}
	strbuf_done(&out);
}

static int64_t vary_price(struct variant *v, int64_t cents)
{
	cents = cents * (int64_t)(PRICE_MIN + gen_below(&v->rng, PRICE_RANGE)) / 1000;
	if (cents > 500) /* the prices of shops; what costs cents is left alone */
		cents += 99 - cents % 100;
	return cents < GEN_PRICE_CENTS_MAX ? cents : GEN_PRICE_CENTS_MAX;
}

static void make_variant(struct variant *v, const struct gen_catalog *c, const struct originals *o,
			 uint64_t i)
{
	size_t index = o->indices[i % o->n];
	json_t *original = c->objects[index];
	char suffix[24] = "", text[32];

	v->object = json_copy(original); /* values are shared and not changed */
	bug_if(!v->object);
	exchange_attributes(v, c, o, original, c->products[index].group);
	if (!renew_model(v, original))
		(void)snprintf(suffix, sizeof(suffix), " %u",
			       (unsigned)gen_between(&v->rng, 100, 9999));
	write_texts(v, suffix);
	(void)snprintf(text, sizeof(text), "AMV-%07" PRIu64, i + 1);
	set(v->object, "id", json_string(text));
	set(v->object, "price",
	    json_integer(vary_price(v, json_integer_value(json_object_get(original, "price")))));
	/* Behind the numbers of the invented goods. */
	gen_own_ean(SHOP_GENERATE_GOODS_MAX + i, text);
	set(v->object, "ean", json_string(text));
	(void)json_object_del(v->object, "img_500x500"); /* absent in some */
}

/* ---- all of them ---- */

static void find_originals(const struct gen_catalog *c, struct originals *o)
{
	o->indices = mem_alloc_array(c->n_objects + 1, sizeof(*o->indices));
	for (size_t group = 0; group < GEN_GROUPS_MAX; group++) {
		o->from[group] = o->n;
		for (size_t i = 0; i < c->n_objects; i++) {
			if (c->products[i].group == group && !c->products[i].is_service)
				o->indices[o->n++] = (uint32_t)i;
		}
	}
	o->from[GEN_GROUPS_MAX] = o->n;
}

static int write_variant(struct gen *g, const struct originals *o, uint64_t i, struct err *err)
{
	struct variant v = {.n_swaps = 0};
	char *line;
	int r;

	gen_rng_init(&v.rng, g->options->seed, GEN_STREAM_VARIANT, i);
	make_variant(&v, &g->catalog, o, i);
	line = json_dumps(v.object, JSON_COMPACT | JSON_REAL_PRECISION(15));
	bug_if(!line);
	r = gen_write_line(g, SHOP_GENERATE_FILE_VARIANTS, str_from(line), err);
	if (r == 0)
		r = gen_catalog_add_json(&g->catalog, v.object, err);
	mem_free(line);
	json_decref(v.object);
	arena_done(&v.arena);
	return r;
}

int gen_variants_write(struct gen *g, struct err *err)
{
	struct originals o = {.n = 0};
	int r = 0;

	if (!g->options->variants)
		return 0;
	g->catalog.keeps_objects = false; /* of the variants there are none */
	find_originals(&g->catalog, &o);
	if (!o.n)
		r = err_set(err, ERR_INVALID_ARGUMENT,
			    "no products to vary: the catalogue is empty");
	for (uint64_t i = 0; o.n && r == 0 && i < g->options->variants; i++)
		r = write_variant(g, &o, i, err);
	mem_free(o.indices);
	return r;
}
