/*
 * Any bytes as a query: the answer holds together, all spans lie in the query, all filters can be
 * written and read again. A first '=' says that the rest is a condition, and a first '-' that it is
 * an order.
 */
#include "fuzz.h"
#include "search/search_query.h"

#include "base/banned.h"

const char fuzz_corpus[] = "query";

static const char rules_text[] =
    "collections:\n  things:\n    texts: [{parts: [{say: x}]}]\n"
    "    qualities: [quiet, gaming, high end]\n    noise: [products]\n    attributes:\n"
    "      price: {field: p, type: number, ask: filter, unit: $, words: [price, cost],\n"
    "              units: {$: 1, usd: 1, dollars: 1, €: 1.08, cents: 0.01}, usual: [5, 5000],\n"
    "              less: [cheaper], ascending: [cheapest], descending: [\"most expensive\"]}\n"
    "      brand: {field: b, type: text, ask: filter, keep: true, words: [brand]}\n"
    "      category: {field: c, type: text, ask: filter, kind: true, keep: true,\n"
    "                 values: {Keyboards: [keypad], Memory: [ram]}}\n"
    "      color: {field: o, type: text, ask: boost, keep: true, words: [color], split: ','}\n"
    "      stock: {field: s, type: boolean, above: 0, ask: filter,\n"
    "              values: {\"true\": [in stock], \"false\": [out of stock]}}\n"
    "      rating: {field: r, type: number, ask: filter, unit: stars, words: [rated],\n"
    "               units: {star: 1, stars: 1}, usual: [0, 5], least: true,\n"
    "               means: {terrible: {max: 2}, mixed: {min: 3, max: 3}}}\n"
    "      memory: {field: m, type: number, ask: filter, unit: GB, words: [memory, ram],\n"
    "               units: {gb: 1, tb: 1000}, usual: [1, 64], within: {category: [Laptops]}}\n"
    "      screen: {field: d, type: number, ask: boost, near: 0.6, words: [screen],\n"
    "               units: {inch: 1, in: 1, '\"': 1}, usual: [1, 100]}\n"
    "      date: {field: t, type: date, ask: filter, words: [released], more: [newer],\n"
    "             descending: [newest]}\n";

static const struct {
	const char *attribute;
	struct search_value value;
} values[] = {
    {"brand", {"Sony", 90}},	     {"brand", {"be quiet!", 15}},  {"brand", {"TP-LINK", 30}},
    {"brand", {"3M", 30}},	     {"brand", {"Vogel's", 9}},	    {"brand", {"\xc3\x89lan", 9}},
    {"category", {"Keyboards", 99}}, {"category", {"Laptops", 80}}, {"category", {"Memory", 70}},
    {"color", {"Black", 50}},	     {"color", {"Light blue", 20}},
};

static void each_value(void *arg, size_t attribute,
		       void (*each)(void *to, const struct search_value *v), void *to)
{
	const struct search_catalogue *c = arg;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (cstr_equal(values[i].attribute, c->rules->attributes[attribute].name))
			each(to, &values[i].value);
	}
}

static uint32_t documents_with(void *arg, struct str word)
{
	(void)arg;
	return str_equal(word, str_from("quiet")) ? 70 : word.len % 3 == 0 ? 5 : 0;
}

/* Made once; it lives until the end. */
static const struct search_vocabulary *vocabulary(void)
{
	static struct search_rules *rules;
	static struct search_vocabulary *made;
	struct search_catalogue c = {
	    .documents = 1000, .values = each_value, .word = documents_with, .arg = &c};

	if (made)
		return made;
	bug_if(search_rules_parse("fuzz", str_from(rules_text), &rules, NULL) < 0);
	c.rules = search_rules_find(rules, "things");
	made = search_vocabulary_new(&c);
	return made;
}

/* What is written is read as the same. */
static void check_filter(const struct search_filter *f, struct arena *arena)
{
	struct strbuf once = STRBUF_INIT(0), twice = STRBUF_INIT(0);
	struct search_filter back = {0};

	search_filter_write(f, &once);
	if (once.len <= SEARCH_FILTER_TEXT_MAX) {
		bug_if(search_filter_parse(strbuf_slice(&once), arena, &back, NULL) < 0);
		search_filter_write(&back, &twice);
		bug_if(!str_equal(strbuf_slice(&once), strbuf_slice(&twice)));
		bug_if(back.kind != f->kind || back.n_values != f->n_values);
	}
	strbuf_done(&once);
	strbuf_done(&twice);
}

static void check_span(struct search_span s, size_t len)
{
	bug_if(s.start >= s.end || s.end > len);
}

static void understand(struct str text, const struct search_understanding *how, struct arena *arena)
{
	struct search_understood u;
	size_t len;

	search_query_understand(vocabulary(), text, how, arena, &u);
	len = strlen(u.query);
	bug_if(len > 3 * SEARCH_QUERY_MAX || u.n_constraints > SEARCH_CONSTRAINTS_MAX);
	bug_if(!utf8_is_valid(u.query, len) || !utf8_is_valid(u.text, strlen(u.text)));
	for (size_t i = 0; i < u.n_constraints; i++) {
		const struct search_constraint *c = &u.constraints[i];

		check_span(c->span, len);
		bug_if(!*c->reading || !utf8_is_valid(c->reading, strlen(c->reading)));
		bug_if(!(c->certainty > 0 && c->certainty <= 1) || (how->without & c->bit));
		check_filter(&c->filter, arena);
	}
	for (size_t i = 0; i < u.n_phrases; i++)
		check_span(u.phrases[i].span, len);
	if (u.order.attribute)
		check_span(u.order_span, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct search_understanding how = {0};
	struct str text = {(const char *)data, size};
	struct arena arena = {0};
	struct search_filter f = {0};
	struct search_order o = {0};

	if (size && data[0] == '=') {
		text = (struct str){text.data + 1, size - 1};
		if (search_filter_parse(text, &arena, &f, NULL) == 0)
			check_filter(&f, &arena);
	} else if (size && data[0] == '-') {
		bug_if(search_order_parse(text, &arena, &o, NULL) == 0 && !o.attribute);
	}
	understand(text, &how, &arena);
	how.without = (uint32_t)size * 2654435761U;
	understand(text, &how, &arena);
	how.only_words = true;
	understand(text, &how, &arena);
	arena_done(&arena);
	return 0;
}
