/*
 * Review texts, put together from the fragments of text/words.txt.
 *
 * A review has a shape (a word, two sentences, a story, a list of pros and cons), and each place of
 * the shape takes a fragment that fits the stars, the product's group and what is known of the
 * product. A product has one weak side, drawn from the seed, which most of its critics name; what
 * is said of delivery follows the order's real delivery. Choices within fragments and facts of the
 * product make most texts unique.
 */
#include "shop/generate_int.h"

#include <stdio.h>

#include "base/banned.h"

#define EXPAND_TRIES  6
#define FACT_TEXT_MAX 24

enum kind { KIND_POS, KIND_NEG, KIND_PLUS, KIND_MINUS, KIND_USE, KIND_TITLE_POS, KIND_TITLE_NEG };
#define KINDS 7

/* Lines of one section, told apart by their first character. */
struct sorted {
	struct gen_section by_kind[KINDS];
};

struct gen_words {
	struct sorted groups[GEN_GROUPS_MAX], aspects[GEN_ASPECTS_MAX];
	size_t n_groups, n_aspects;
	size_t price, delivery; /* aspects that follow the order */
	const struct gen_catalog *catalog;
	const struct gen_section *title[6], *brief[6], *end[6]; /* by rating, from 1 */
	const struct gen_section *open[3], *but[3];		/* poor, middling, good */
	const struct gen_section *facts, *pros, *cons, *fast, *slow;
};

/* ---- fragments ---- */

static int fact_number(struct str name)
{
	static const char *const names[] = {
#define X(id, text) #text,
	    GEN_FACT_TABLE(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (name.len == strlen(names[i]) && memcmp(name.data, names[i], name.len) == 0)
			return (int)i;
	return -1;
}

/* Length of the text up to the brace that closes what is open before it. */
static size_t inside_len(struct str s)
{
	size_t depth = 0, i = 0;

	for (; i < s.len && (depth || s.data[i] != '}'); i++)
		depth += (size_t)((s.data[i] == '{') - (s.data[i] == '}'));
	bug_if(i == s.len);
	return i;
}

/* The text in the next braces, and what stands before; false when there is none. */
static bool next_braces(struct str *rest, struct str *before, struct str *inside)
{
	const char *open = rest->len ? memchr(rest->data, '{', rest->len) : NULL;

	*before = *rest;
	if (!open) {
		*rest = (struct str){NULL, 0};
		return false;
	}
	before->len = (size_t)(open - rest->data);
	rest->data += before->len + 1;
	rest->len -= before->len + 1;
	*inside = (struct str){rest->data, inside_len(*rest)};
	rest->data += inside->len + 1;
	rest->len -= inside->len + 1;
	return true;
}

static bool is_choice(struct str inside)
{
	return inside.len && memchr(inside.data, '|', inside.len);
}

/* The next alternative of a choice; "|" within inner braces does not end it. */
static struct str cut_choice(struct str *choices)
{
	size_t depth = 0, i = 0;
	struct str part = *choices;

	for (; i < choices->len && (depth || choices->data[i] != '|'); i++)
		depth += (size_t)((choices->data[i] == '{') - (choices->data[i] == '}'));
	part.len = i;
	i += i < choices->len;
	choices->data += i;
	choices->len -= i;
	return part;
}

/* Whether all facts in the text are known, of every alternative. Braces nest twice at most. */
static bool is_known(const char *const *facts, struct str text)
{
	struct str before, inside;

	while (next_braces(&text, &before, &inside)) {
		int fact;

		if (is_choice(inside)) {
			if (!is_known(facts, inside))
				return false;
			continue;
		}
		fact = fact_number(inside);
		bug_if(fact < 0);
		if (!facts[fact])
			return false;
	}
	return true;
}

static void add_text(struct gen_rng *rng, const char *const *facts, struct str text,
		     struct strbuf *out);

static void add_choice(struct gen_rng *rng, const char *const *facts, struct str choices,
		       struct strbuf *out)
{
	struct str rest = choices, choice = {0};
	size_t n = choices.data[choices.len - 1] == '|'; /* the last alternative is empty */
	uint64_t draw;

	while (rest.len) {
		(void)cut_choice(&rest);
		n++;
	}
	draw = gen_below(rng, n);
	for (uint64_t i = 0; i <= draw; i++)
		choice = cut_choice(&choices);
	add_text(rng, facts, choice, out);
}

static void add_text(struct gen_rng *rng, const char *const *facts, struct str text,
		     struct strbuf *out)
{
	struct str before, inside;

	while (next_braces(&text, &before, &inside)) {
		strbuf_add(out, before.data, before.len);
		if (is_choice(inside))
			add_choice(rng, facts, inside, out);
		else
			strbuf_addstr(out, facts[fact_number(inside)]);
	}
	strbuf_add(out, before.data, before.len);
}

bool gen_words_expand(struct gen_rng *rng, const char *const *facts, const struct gen_section *s,
		      struct strbuf *out)
{
	struct str line = {0};

	for (int i = 0; i < EXPAND_TRIES && s && s->n && !line.len; i++) {
		line = s->lines[gen_below(rng, s->n)];
		if (!is_known(facts, line))
			line.len = 0;
	}
	if (!line.len)
		return false;
	add_text(rng, facts, line, out);
	return true;
}

/* ---- the tables ---- */

static void sort_lines(struct sorted *to, const struct gen_section *from)
{
	static const char signs[KINDS + 1] = "+-pmuTt";

	for (size_t i = 0; from && i < from->n; i++) {
		struct str line = from->lines[i];
		const char *sign = strchr(signs, line.data[0]);
		struct gen_section *s;

		bug_if(!sign || !*sign || line.len < 3 || line.data[1] != ' ');
		s = &to->by_kind[sign - signs];
		mem_grow(&s->lines, &s->cap, s->n + 1, sizeof(*s->lines));
		s->lines[s->n++] = (struct str){line.data + 2, line.len - 2};
	}
}

struct gen_words *gen_words_new(const struct gen_text *t, const struct gen_catalog *c)
{
	static const char *const moods[] = {"poor", "middling", "good"};
	struct gen_words *w = MEM_NEW(struct gen_words);

	w->catalog = c;
	w->n_groups = c->n_groups;
	w->n_aspects = c->n_aspects;
	for (size_t i = 0; i < c->n_groups; i++)
		sort_lines(&w->groups[i],
			   gen_text_getf(t, "group.%.*s", STR_ARGS(c->groups[i].name)));
	for (size_t i = 0; i < c->n_aspects; i++) {
		sort_lines(&w->aspects[i],
			   gen_text_getf(t, "aspect.%.*s", STR_ARGS(c->aspects[i])));
		if (str_equal(c->aspects[i], str_from("delivery")))
			w->delivery = i;
		if (str_equal(c->aspects[i], str_from("price")))
			w->price = i;
	}
	for (int i = 1; i <= 5; i++) {
		w->title[i] = gen_text_getf(t, "title.%d", i);
		w->brief[i] = gen_text_getf(t, "brief.%d", i);
		w->end[i] = gen_text_getf(t, "end.%d", i);
	}
	for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
		w->open[i] = gen_text_getf(t, "open.%s", moods[i]);
		w->but[i] = gen_text_getf(t, "but.%s", moods[i]);
	}
	w->facts = gen_text_need(t, "facts");
	w->pros = gen_text_need(t, "pros");
	w->cons = gen_text_need(t, "cons");
	w->fast = gen_text_need(t, "delivery.fast");
	w->slow = gen_text_need(t, "delivery.slow");
	return w;
}

struct gen_words *gen_words_free(struct gen_words *w)
{
	for (size_t k = 0; w && k < KINDS; k++) {
		for (size_t i = 0; i < w->n_groups; i++)
			mem_free(w->groups[i].by_kind[k].lines);
		for (size_t i = 0; i < w->n_aspects; i++)
			mem_free(w->aspects[i].by_kind[k].lines);
	}
	mem_free(w);
	return NULL;
}

/* ---- one review ---- */

struct review {
	const struct gen_words *w;
	struct gen_rng *rng;
	const struct gen_review_brief *b;
	const struct gen_group *group;
	const struct sorted *of_group;
	const char *facts[GEN_FACT_COUNT];
	char price[FACT_TEXT_MAX], days[FACT_TEXT_MAX], owned[FACT_TEXT_MAX];
	size_t weak;   /* aspect */
	uint64_t used; /* aspects already spoken of, as bits */
	struct strbuf *out;
	unsigned mood;	/* 0 poor, 1 middling, 2 good */
	bool said_good; /* what was said last was praise */
};

static bool add_sentence(struct review *v, const struct gen_section *s)
{
	size_t before = v->out->len;

	if (before && v->out->data[before - 1] != '\n')
		strbuf_addch(v->out, ' ');
	if (gen_words_expand(v->rng, v->facts, s, v->out))
		return true;
	strbuf_truncate(v->out, before);
	return false;
}

static void new_paragraph(struct review *v, uint32_t ppm)
{
	if (v->out->len && gen_chance(v->rng, ppm))
		strbuf_addstr(v->out, "\n\n");
}

static bool can_say(const struct review *v, size_t aspect, bool is_good)
{
	if (v->used & (UINT64_C(1) << aspect))
		return false;
	if (aspect == v->w->delivery)
		return is_good ? v->b->delivery_days <= 4 : v->b->delivery_days >= 7;
	return !is_good || aspect != v->weak;
}

/* An aspect that has not been spoken of; the weak side first when finding fault. */
static bool pick_aspect(struct review *v, bool is_good, size_t *ret)
{
	const struct gen_group *g = v->group;

	if (!is_good && can_say(v, v->weak, false) && gen_chance(v->rng, 650000)) {
		*ret = v->weak;
		return true;
	}
	for (int i = 0; i < EXPAND_TRIES; i++) {
		uint8_t entry = g->aspects[gen_below(v->rng, g->n_aspects)];
		size_t aspect = entry & ~(unsigned)GEN_ASPECT_CORDLESS;

		if ((entry & GEN_ASPECT_CORDLESS) && !v->b->product->is_cordless)
			continue;
		if (can_say(v, aspect, is_good)) {
			*ret = aspect;
			return true;
		}
	}
	return false;
}

static bool add_aspect(struct review *v, bool is_good)
{
	size_t aspect;

	if (!pick_aspect(v, is_good, &aspect))
		return false;
	v->used |= UINT64_C(1) << aspect;
	v->said_good = is_good;
	return add_sentence(v, &v->w->aspects[aspect].by_kind[is_good ? KIND_POS : KIND_NEG]);
}

/* What is said of the kind of product, good or bad as the mood is. */
static bool add_observation(struct review *v, bool is_good)
{
	v->said_good = is_good;
	if (gen_chance(v->rng, 550000) &&
	    add_sentence(v, &v->of_group->by_kind[is_good ? KIND_POS : KIND_NEG]))
		return true;
	return add_aspect(v, is_good);
}

/* The other side: "That said, ..." and an aspect against the mood, or against the last one. */
static void add_turn(struct review *v)
{
	size_t before = v->out->len;
	bool is_good = v->mood == 0 || (v->mood == 1 && !v->said_good);

	if (add_sentence(v, v->w->but[v->mood == 1 ? 1
				      : is_good	   ? 0
						   : 2]) &&
	    !add_aspect(v, is_good))
		strbuf_truncate(v->out, before);
}

static void add_delivery(struct review *v)
{
	if (v->used & (UINT64_C(1) << v->w->delivery) || v->b->product->is_service)
		return;
	v->used |= UINT64_C(1) << v->w->delivery;
	if (v->b->delivery_days <= 3 && v->mood > 0)
		(void)add_sentence(v, v->w->fast);
	else if (v->b->delivery_days >= 8)
		(void)add_sentence(v, v->w->slow);
}

static void write_short(struct review *v)
{
	bool is_good = v->mood == 2 || (v->mood == 1 && gen_chance(v->rng, 400000));

	if (gen_chance(v->rng, 450000)) {
		(void)add_sentence(v, v->w->brief[v->b->rating]);
		return;
	}
	if (gen_chance(v->rng, 300000))
		(void)add_sentence(v, v->w->open[v->mood]);
	(void)add_observation(v, is_good);
	if (v->mood == 1 || v->b->rating == 2 || v->b->rating == 4)
		add_turn(v);
	if (!v->out->len || gen_chance(v->rng, 500000))
		(void)add_sentence(v, v->w->end[v->b->rating]);
}

static void write_medium(struct review *v)
{
	bool is_good = v->mood == 2 || (v->mood == 1 && gen_chance(v->rng, 500000));

	if (gen_chance(v->rng, 400000))
		(void)add_sentence(v, &v->of_group->by_kind[KIND_USE]);
	else
		(void)add_sentence(v, v->w->open[v->mood]);
	if (gen_chance(v->rng, 300000))
		(void)add_sentence(v, v->w->facts);
	(void)add_observation(v, is_good);
	(void)add_aspect(v, is_good);
	if (v->mood == 1 || v->b->rating == 4 || (v->b->rating > 1 && gen_chance(v->rng, 200000)))
		add_turn(v);
	if (gen_chance(v->rng, 300000))
		add_delivery(v);
	(void)add_sentence(v, v->w->end[v->b->rating]);
}

static void write_long(struct review *v)
{
	bool is_good = v->mood > 0;

	(void)add_sentence(v, v->w->open[v->mood]);
	(void)add_sentence(v, &v->of_group->by_kind[KIND_USE]);
	(void)add_sentence(v, v->w->facts);
	new_paragraph(v, 500000);
	(void)add_sentence(v, &v->of_group->by_kind[is_good ? KIND_POS : KIND_NEG]);
	(void)add_aspect(v, is_good);
	(void)add_aspect(v, is_good && v->mood != 1);
	if (gen_chance(v->rng, 500000))
		(void)add_aspect(v, is_good);
	new_paragraph(v, 400000);
	if ((v->b->rating > 1 && v->b->rating < 5) || gen_chance(v->rng, 250000))
		add_turn(v);
	add_delivery(v);
	(void)add_sentence(v, v->w->end[v->b->rating]);
}

static bool add_points(struct review *v, bool is_good, unsigned n)
{
	bool has_any = false;

	while (n--) {
		size_t aspect;

		if (!pick_aspect(v, is_good, &aspect))
			continue;
		v->used |= UINT64_C(1) << aspect;
		strbuf_addstr(v->out, has_any ? ", " : " ");
		has_any |= gen_words_expand(
		    v->rng, v->facts,
		    &v->w->aspects[aspect].by_kind[is_good ? KIND_PLUS : KIND_MINUS], v->out);
	}
	strbuf_addch(v->out, '.');
	return has_any;
}

static void write_list(struct review *v)
{
	unsigned good = v->b->rating - 1, bad = 5 - v->b->rating;

	if (gen_chance(v->rng, 400000) && add_sentence(v, &v->of_group->by_kind[KIND_USE]))
		strbuf_addch(v->out, '\n');
	if (good && add_sentence(v, v->w->pros)) {
		(void)add_points(v, true, good > 3 ? 3 : good);
		strbuf_addch(v->out, gen_chance(v->rng, 700000) ? '\n' : ' ');
	}
	if (bad && add_sentence(v, v->w->cons))
		(void)add_points(v, false, bad > 3 ? 3 : bad);
	(void)add_sentence(v, v->w->end[v->b->rating]);
}

static void write_title(struct review *v)
{
	struct strbuf *text = v->out;

	if (gen_chance(v->rng, 450000) && v->mood != 1 &&
	    gen_words_expand(v->rng, v->facts,
			     &v->of_group->by_kind[v->mood ? KIND_TITLE_POS : KIND_TITLE_NEG],
			     text))
		return;
	(void)gen_words_expand(v->rng, v->facts, v->w->title[v->b->rating], text);
}

static void fill_facts(struct review *v)
{
	unsigned days = v->b->owned_days, rest = v->b->price_cents % 100;

	memcpy(v->facts, v->b->product->facts, sizeof(v->facts));
	(void)snprintf(v->price, sizeof(v->price), rest ? "$%u.%02u" : "$%u",
		       v->b->price_cents / 100, rest);
	v->facts[GEN_FACT_PRICE] = v->price;
	(void)snprintf(v->days, sizeof(v->days), v->b->delivery_days == 1 ? "one day" : "%u days",
		       v->b->delivery_days);
	v->facts[GEN_FACT_DAYS] = v->days;
	if (days >= 60)
		(void)snprintf(v->owned, sizeof(v->owned), "%u months", days / 30);
	else if (days >= 14)
		(void)snprintf(v->owned, sizeof(v->owned), "%u weeks", days / 7);
	else
		(void)snprintf(v->owned, sizeof(v->owned), days < 2 ? "a day" : "%u days", days);
	v->facts[GEN_FACT_OWNED] = v->owned;
}

void gen_words_review(const struct gen_words *w, struct gen_rng *rng,
		      const struct gen_review_brief *b, struct strbuf *title, struct strbuf *text)
{
	struct review v = {.w = w, .rng = rng, .b = b, .out = title};
	uint64_t shape,
	    h = gen_hash(b->seed, GEN_STREAM_PRODUCT_QUALITY, ~map_hash(str_from(b->product->id)));

	v.group = &w->catalog->groups[b->product->group];
	v.of_group = &w->groups[b->product->group];
	v.mood = b->rating <= 2 ? 0 : b->rating == 3 ? 1 : 2;
	v.weak = v.group->aspects[h % v.group->n_aspects] & ~(unsigned)GEN_ASPECT_CORDLESS;
	if ((v.group->aspects[h % v.group->n_aspects] & GEN_ASPECT_CORDLESS) &&
	    !b->product->is_cordless)
		v.weak = v.group->aspects[0] & ~(unsigned)GEN_ASPECT_CORDLESS;
	fill_facts(&v);
	if (gen_chance(rng, 920000)) /* some write no title */
		write_title(&v);
	v.out = text;
	shape = gen_below(rng, 100);
	if (shape < 32)
		write_short(&v);
	else if (shape < 68)
		write_medium(&v);
	else if (shape < 88)
		write_long(&v);
	else
		write_list(&v);
	if (!text->len)
		(void)add_sentence(&v, w->brief[b->rating]);
}
