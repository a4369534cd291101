/* Answers: see search_answer.h. */
#include "search/search_answer.h"

#include "base/bits.h"
#include "base/clock.h"

#include <inttypes.h>
#include <math.h>

#include "base/banned.h"

#define SNIPPET_BYTES 160 /* of a text that is not the title */
#define PIECE_BYTES   160 /* that are looked at at once */
#define SPANS_MAX     32

static void add_text(struct strbuf *json, const char *name, struct str s)
{
	strbuf_addch(json, '"');
	strbuf_addstr(json, name);
	strbuf_addstr(json, "\":");
	strbuf_add_json(json, s.data, s.len);
}

static void add_member(struct strbuf *json, const char *name, const char *s)
{
	add_text(json, name, str_from(s));
}

static void add_number(struct strbuf *json, double x)
{
	if (!isfinite(x))
		strbuf_addstr(json, "null");
	else
		strbuf_addf(json, x >= -1e15 && x <= 1e15 && floor(x) >= x ? "%.0f" : "%.10g", x);
}

/* --- understanding --------------------------------------------------------------------------- */

static const char *ask_name(enum search_ask ask)
{
	return ask == SEARCH_ASK_BOOST ? "boost" : "filter";
}

static void add_filter_text(struct strbuf *json, const struct search_filter *f)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT((size_t)4 * SEARCH_FILTER_TEXT_MAX);

	search_filter_write(f, &b);
	add_text(json, "filter", strbuf_slice(&b));
	strbuf_addch(json, ',');
	add_member(json, "attribute", f->attribute);
}

static void add_constraint(struct strbuf *json, const struct search_answer *a, size_t i)
{
	const struct search_understood *u = a->understood;
	const struct search_constraint *c = &u->constraints[i];
	bool is_relaxed = i < 32 && (a->results->relaxed >> i & 1);
	bool is_soft = i < 32 && (a->results->softened >> i & 1);

	strbuf_addch(json, '{');
	add_filter_text(json, &c->filter);
	strbuf_addf(json, ",\"ask\":\"%s\",", is_soft ? "boost" : ask_name(c->ask));
	add_member(json, "reading", c->reading);
	strbuf_addch(json, ',');
	add_text(json, "words",
		 (struct str){u->query + c->span.start, c->span.end - c->span.start});
	strbuf_addf(json, ",\"span\":[%u,%u],\"certainty\":%.2f,\"number\":%u,\"relaxed\":%s}",
		    c->span.start, c->span.end, c->certainty, (unsigned)__builtin_ctz(c->bit),
		    is_relaxed ? "true" : "false");
}

static void add_excluded(struct strbuf *json, const struct search_understood *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n_phrases; i++) {
		const struct search_phrase *p = &u->phrases[i];

		if (!p->is_excluded && !p->is_exact)
			continue;
		strbuf_addf(json, "%s{\"%s\":", n++ ? "," : "", p->is_excluded ? "not" : "exact");
		strbuf_add_json(json, u->query + p->span.start, p->span.end - p->span.start);
		if (p->is_excluded)
			strbuf_addf(json, ",\"number\":%d",
				    __builtin_ctz(SEARCH_WITHOUT_EXCLUSIONS));
		strbuf_addch(json, '}');
	}
}

static void add_order(struct strbuf *json, const struct search_answer *a)
{
	struct search_order order = a->order.attribute ? a->order : a->understood->order;

	strbuf_addstr(json, ",\"sort\":");
	if (!order.attribute) {
		strbuf_addstr(json, "\"relevance\"");
		return;
	}
	strbuf_addf(json, "\"%s%s\"", order.is_descending ? "-" : "", order.attribute);
	if (!a->order.attribute && a->understood->order_reading) {
		strbuf_addch(json, ',');
		add_member(json, "sort_reading", a->understood->order_reading);
		strbuf_addf(json, ",\"sort_number\":%d,", __builtin_ctz(SEARCH_WITHOUT_ORDER));
		add_text(
		    json, "sort_words",
		    (struct str){a->understood->query + a->understood->order_span.start,
				 a->understood->order_span.end - a->understood->order_span.start});
	}
}

static void add_parsed(struct strbuf *json, const struct search_answer *a)
{
	const struct search_understood *u = a->understood;

	strbuf_addstr(json, "\"parsed\":{");
	add_member(json, "text", u->text);
	strbuf_addstr(json, ",\"filters\":[");
	for (size_t i = 0; i < u->n_constraints; i++) {
		strbuf_addstr(json, i ? "," : "");
		add_constraint(json, a, i);
	}
	for (size_t i = 0; i < a->n_filters; i++) {
		strbuf_addstr(json, i || u->n_constraints ? ",{" : "{");
		add_filter_text(json, &a->filters[i]);
		strbuf_addstr(json, ",\"ask\":\"filter\",\"given\":true}");
	}
	strbuf_addstr(json, "],\"phrases\":[");
	add_excluded(json, u);
	strbuf_addch(json, ']');
	add_order(json, a);
	strbuf_addch(json, '}');
}

/* --- hits ------------------------------------------------------------------------------------ */

static void add_value(struct strbuf *json, const struct search_attribute *a,
		      const struct search_datum *d)
{
	char when[CLOCK_TEXT_SIZE];

	if (!d->is_number && a->type == SEARCH_BOOLEAN)
		strbuf_add(json, d->text.data, d->text.len);
	else if (!d->is_number)
		strbuf_add_json(json, d->text.data, d->text.len);
	else if (a->type == SEARCH_DATE)
		strbuf_addf(json, "\"%.10s\"", clock_format((int64_t)d->number, when));
	else
		add_number(json, d->number);
}

static bool is_shown(const struct search_collection *rules, const char *name)
{
	for (size_t i = 0; i < rules->n_shown; i++) {
		if (cstr_equal(rules->shown[i].name, name))
			return true;
	}
	return false;
}

static void add_attributes(struct strbuf *json, const struct search_collection *rules,
			   const struct search_record *r)
{
	for (size_t i = 0, n; i < r->n_data; i += n) {
		const struct search_attribute *a = &rules->attributes[r->data[i].attribute];

		for (n = 1; i + n < r->n_data && r->data[i + n].attribute == r->data[i].attribute;)
			n++;
		if (a->is_pairs || is_shown(rules, a->name))
			continue;
		strbuf_addf(json, ",\"%s\":%s", a->name, n > 1 ? "[" : "");
		for (size_t k = 0; k < n; k++) {
			strbuf_addstr(json, k ? "," : "");
			add_value(json, a, &r->data[i + k]);
		}
		strbuf_addstr(json, n > 1 ? "]" : "");
	}
}

void search_answer_key(struct str key, struct strbuf *json)
{
	int64_t id;

	if (parse_int64(key, INT64_MIN, INT64_MAX, &id, NULL) == 0)
		strbuf_addf(json, "%" PRId64, id);
	else
		strbuf_add_json(json, key.data, key.len);
}

void search_answer_variants(const struct str *keys, size_t n, struct strbuf *json)
{
	strbuf_addstr(json, ",\"variants\":[");
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(json, i ? "," : "");
		search_answer_key(keys[i], json);
	}
	strbuf_addch(json, ']');
}

static void add_list(struct strbuf *json, const char *name, struct str list)
{
	size_t n = 0;

	strbuf_addf(json, "\"%s\":[", name);
	while (list.len) {
		struct str one = search_shown_next(&list);

		strbuf_addstr(json, n++ ? "," : "");
		strbuf_add_json(json, one.data, one.len);
	}
	strbuf_addch(json, ']');
}

void search_answer_hit(const struct search_collection *rules, struct str key,
		       const struct search_record *r, struct strbuf *json)
{
	strbuf_addstr(json, "\"id\":");
	search_answer_key(key, json);
	strbuf_addch(json, ',');
	add_text(json, "name", r->title);
	for (size_t i = 0; i < rules->n_shown; i++) {
		strbuf_addch(json, ',');
		if (rules->shown[i].limit)
			add_list(json, rules->shown[i].name, r->shown[i]);
		else if (r->shown[i].len)
			add_text(json, rules->shown[i].name, r->shown[i]);
		else
			strbuf_addf(json, "\"%s\":null", rules->shown[i].name);
	}
	add_attributes(json, rules, r);
}

/* --- highlights ------------------------------------------------------------------------------ */

/*
 * Taking a text apart costs more than anything else here, and most of a long one is not shown. So
 * it is looked at piece by piece, until what is shown is known, and a piece without a word that
 * begins like one of the query is passed over.
 */
struct beginnings { /* of the words of the query: their first two bytes, or one */
	uint64_t of_two[1024 / 64];
	uint64_t of_one[256 / 64];
};

static unsigned begin_of(char first, char second)
{
	return ((unsigned)(first & 0x1F) << 5 | (unsigned)(second & 0x1F)) & 1023; /* in any case */
}

static void learn_beginnings(const struct search_results *r, struct beginnings *ret)
{
	*ret = (struct beginnings){0};
	for (size_t i = 0; i < r->n_terms; i++) {
		if (r->terms[i].len == 1)
			bits_set(ret->of_one, (unsigned char)r->terms[i].data[0]);
		else if (r->terms[i].len)
			bits_set(ret->of_two, begin_of(r->terms[i].data[0], r->terms[i].data[1]));
	}
}

/* What parts words: 0; letters of other alphabets may be folded to any. */
static int class_of(char c)
{
	return c >= '0' && c <= '9'			? 1
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? 2
	       : c < 0					? 3
							: 0;
}

/* "t-shirt" may be one word. */
static bool is_joined(struct str piece, size_t i)
{
	return i + 1 < piece.len && !class_of(piece.data[i]) && piece.data[i] != ' ';
}

/* Whether a word that begins there may be one of the query. */
static bool may_be_word(const struct beginnings *b, struct str piece, size_t i, int class)
{
	unsigned char first = (unsigned char)(piece.data[i] | (class == 2 ? 0x20 : 0));

	if (class == 3 || is_joined(piece, i + 1) || bits_has(b->of_one, first))
		return true;
	return i + 1 < piece.len &&
	       (class_of(piece.data[i + 1]) == 3 ||
		bits_has(b->of_two, begin_of(piece.data[i], piece.data[i + 1])));
}

static bool may_have_word(const struct beginnings *b, struct str piece)
{
	int before = 0, class;

	for (size_t i = 0; i < piece.len; i++, before = class) {
		class = class_of(piece.data[i]);
		if (class && class != before && may_be_word(b, piece, i, class))
			return true;
	}
	return false;
}

static bool is_wanted(const struct search_results *r, struct str term)
{
	for (size_t i = 0; i < r->n_terms; i++) {
		if (str_equal(r->terms[i], term))
			return true;
	}
	return false;
}

/* Those that touch are one. */
static size_t add_span(struct search_span ret[SPANS_MAX], size_t n, size_t start, size_t end)
{
	if (n && start <= ret[n - 1].end) {
		ret[n - 1].end = end > ret[n - 1].end ? (uint32_t)end : ret[n - 1].end;
		return n;
	}
	ret[n] = (struct search_span){(uint32_t)start, (uint32_t)end};
	return n + 1;
}

/* A piece of the text, to a space. */
static size_t end_of_piece(struct str text, size_t start)
{
	size_t end = start + PIECE_BYTES;

	while (end < text.len && text.data[end] != ' ')
		end++;
	return end < text.len ? end : text.len;
}

/* Where words of the query stand in the text, as far as is shown. `b` may be NULL. */
static size_t find_spans(const struct search_answer *a, const struct beginnings *b, struct str text,
			 struct search_span ret[SPANS_MAX])
{
	struct search_tokens tokens = {0};
	size_t n = 0;

	for (size_t at = 0, end; at < text.len; at = end) {
		struct str piece;

		if (n && at > ret[0].end + SNIPPET_BYTES)
			break;
		end = end_of_piece(text, at);
		piece = (struct str){text.data + at, end - at};
		if (b && !may_have_word(b, piece))
			continue;
		search_analyze(a->analyzer, piece, &tokens);
		for (size_t i = 0; i < tokens.n && n < SPANS_MAX; i++) {
			const struct search_token *t = &tokens.items[i];

			if (is_wanted(a->results, t->term))
				n = add_span(ret, n, at + t->start, at + t->end);
		}
	}
	search_tokens_done(&tokens);
	return n;
}

/* Of a long text the piece with the first word that was found, from a word's start to its end. */
static struct str snippet(struct str text, const struct search_span *first, size_t *ret_start)
{
	size_t start = first->start > SNIPPET_BYTES / 4 ? first->start - SNIPPET_BYTES / 4 : 0, end;

	if (text.len <= SNIPPET_BYTES)
		start = 0;
	while (start && start < first->start && text.data[start - 1] != ' ')
		start++;
	end = start + SNIPPET_BYTES < text.len ? start + SNIPPET_BYTES : text.len;
	end = end < first->end ? first->end : end;
	while (end < text.len && end > first->end && text.data[end] != ' ')
		end--;
	*ret_start = start;
	return (struct str){text.data + start, end - start};
}

static bool add_highlight(struct strbuf *json, const struct search_answer *a,
			  const struct beginnings *b, const char *field, struct str text,
			  bool is_first)
{
	struct search_span spans[SPANS_MAX];
	size_t n = find_spans(a, b, text, spans), start = 0, shown = 0;
	struct str piece;

	if (!n)
		n = find_spans(a, NULL, text, spans);
	if (!n)
		return false;
	piece = snippet(text, &spans[0], &start);
	strbuf_addf(json, "%s{\"field\":\"%s\",\"text\":", is_first ? "" : ",", field);
	strbuf_add_json(json, piece.data, piece.len);
	strbuf_addstr(json, ",\"spans\":[");
	for (size_t i = 0; i < n && spans[i].end <= start + piece.len; i++)
		strbuf_addf(json, "%s[%zu,%zu]", shown++ ? "," : "", spans[i].start - start,
			    spans[i].end - start);
	strbuf_addstr(json, "]}");
	return true;
}

static void add_highlights(struct strbuf *json, const struct search_answer *a,
			   const struct beginnings *b, const struct search_found *hit)
{
	bool is_first = true;

	strbuf_addstr(json, ",\"highlights\":[");
	for (size_t i = 0; i < a->rules->n_fields; i++) {
		if ((hit->fields >> i & 1) && add_highlight(json, a, b, a->rules->fields[i].name,
							    hit->record.texts[i], is_first))
			is_first = false;
	}
	strbuf_addch(json, ']');
}

static void add_signals(struct strbuf *json, const struct search_answer *a,
			const struct search_found *hit)
{
	strbuf_addf(json,
		    ",\"signals\":{\"words\":%.4f,\"share\":%.4f,\"title\":%.4f,\"meaning\":%.4f,"
		    "\"boost\":%.2f",
		    (double)hit->words, (double)hit->share, (double)hit->title,
		    (double)hit->meaning, (double)hit->boost);
	if (hit->clauses) {
		strbuf_addstr(json, ",\"terms\":[");
		for (size_t i = 0; i < a->results->n_used; i++)
			strbuf_addf(json, "%s%.4f", i ? "," : "", (double)hit->clauses[i]);
		strbuf_addch(json, ']');
	}
	strbuf_addch(json, '}');
}

static void add_hits(struct strbuf *json, const struct search_answer *a)
{
	struct beginnings b;

	learn_beginnings(a->results, &b);
	strbuf_addstr(json, "\"hits\":[");
	for (size_t i = 0; i < a->results->n; i++) {
		const struct search_found *hit = &a->results->hits[i];

		strbuf_addstr(json, i ? ",{" : "{");
		search_answer_hit(a->rules, hit->key, &hit->record, json);
		if (!isnan(hit->opinion))
			strbuf_addf(json, ",\"inferred_rating\":%.1f", hit->opinion);
		strbuf_addf(json, ",\"score\":%.5f", (double)hit->score);
		if (a->collapse)
			search_answer_variants(hit->variants, hit->n_variants, json);
		add_highlights(json, a, &b, hit);
		if (a->explain)
			add_signals(json, a, hit);
		strbuf_addch(json, '}');
	}
	strbuf_addch(json, ']');
}

/* --- facets ---------------------------------------------------------------------------------- */

static void add_facet_value(struct strbuf *json, const struct search_facet *v)
{
	if (v->value) {
		add_member(json, "value", v->value);
	} else {
		strbuf_addstr(json, "\"from\":");
		add_number(json, v->min);
		strbuf_addstr(json, ",\"below\":");
		add_number(json, v->max);
	}
	strbuf_addf(json, ",\"documents\":%u", v->documents);
}

static void add_facet(struct strbuf *json, const struct search_facet_found *f)
{
	strbuf_addch(json, '{');
	add_member(json, "attribute", f->attribute);
	strbuf_addch(json, ',');
	add_member(json, "title", f->title);
	if (f->unit) {
		strbuf_addch(json, ',');
		add_member(json, "unit", f->unit);
	}
	if (f->min <= f->max) {
		strbuf_addstr(json, ",\"min\":");
		add_number(json, f->min);
		strbuf_addstr(json, ",\"max\":");
		add_number(json, f->max);
	}
	strbuf_addstr(json, ",\"values\":[");
	for (size_t i = 0; i < f->n; i++) {
		strbuf_addstr(json, i ? ",{" : "{");
		add_facet_value(json, &f->values[i]);
		strbuf_addch(json, '}');
	}
	strbuf_addstr(json, "]}");
}

/* --- explaining ------------------------------------------------------------------------------ */

static void add_explanation(struct strbuf *json, const struct search_answer *a)
{
	const struct search_results *r = a->results;

	strbuf_addstr(json, ",\"explain\":{");
	if (!a->only_matched)
		strbuf_addf(json, "\"allowed\":%u,", r->allowed);
	strbuf_addf(json,
		    "\"by_meaning\":%u,\"windows\":%u,\"scored\":%u,"
		    "\"stages_us\":{\"parse\":%" PRId64 ",\"embed\":%" PRId64 ",\"filter\":%" PRId64
		    ",\"nearest\":%" PRId64 ",\"walk\":%" PRId64 ",\"finish\":%" PRId64
		    "},\"terms\":[",
		    r->by_meaning, r->windows, r->scored, a->parse_us, a->embed_us, r->times.filter,
		    r->times.nearest, r->times.walk, r->times.finish);
	for (size_t i = 0; i < r->n_used && !a->only_matched; i++) {
		strbuf_addstr(json, i ? ",{" : "{");
		add_member(json, "word", r->used[i].word);
		strbuf_addch(json, ',');
		add_member(json, "variants", r->used[i].variants);
		strbuf_addf(json, ",\"documents\":%u}", r->used[i].documents);
	}
	strbuf_addstr(json, "]}");
}

static void add_notes(struct strbuf *json, const struct search_answer *a)
{
	const struct search_understood *u = a->understood;
	size_t n = 0;

	strbuf_addstr(json, ",\"notes\":[");
	for (size_t i = 0; i < u->n_constraints && i < 32; i++) {
		_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);

		if (!(a->results->relaxed >> i & 1))
			continue;
		strbuf_addf(&b, "nothing is %s as well: that was left out",
			    u->constraints[i].reading);
		strbuf_addstr(json, n++ ? "," : "");
		strbuf_add_json(json, strbuf_str(&b), b.len);
	}
	if (a->without) {
		strbuf_addstr(json, n++ ? "," : "");
		strbuf_add_json(json, a->without, strlen(a->without));
	}
	if (a->results->has_loose_phrase)
		strbuf_addf(json,
			    "%s\"many documents have the words in quotes: of some it was not "
			    "looked at whether they stand together\"",
			    n++ ? "," : "");
	if (!a->is_whole)
		strbuf_addf(json, "%s\"the index is being built: not all documents are in it yet\"",
			    n ? "," : "");
	strbuf_addch(json, ']');
}

void search_answer_write(const struct search_answer *a, struct strbuf *json)
{
	strbuf_addch(json, '{');
	add_member(json, "query", a->understood->query);
	strbuf_addch(json, ',');
	add_parsed(json, a);
	strbuf_addf(json, ",\"mode\":\"%s\",\"total\":%" PRIu64 ",", a->mode, a->results->total);
	add_hits(json, a);
	strbuf_addstr(json, ",\"facets\":[");
	for (size_t i = 0; i < a->results->n_facets; i++) {
		strbuf_addstr(json, i ? "," : "");
		add_facet(json, &a->results->facets[i]);
	}
	strbuf_addch(json, ']');
	add_notes(json, a);
	if (a->explain)
		add_explanation(json, a);
	strbuf_addf(json, ",\"took_us\":%" PRId64 "}", a->took_us);
}
