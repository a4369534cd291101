/*
 * The catalogue as the generator holds it: JSON lines are reduced to a compact record a product
 * (its feed key, price, group and the few facts that reviews mention, about 200 bytes), so that the
 * whole of it stays in memory while everything else is streamed.
 *
 * A product's group (laptop, toner, cable...) comes from the phrases in text/groups.txt. It is
 * coarser than the shop's category tree on purpose: it says what is bought together and what people
 * talk of.
 *
 * Popularity is Zipf's law over a ranking drawn from the seed. Expensive goods draw worse ranks: a
 * cable outsells a server. Products stand by group and rank in one array with one array of summed
 * weights, so that a draw from all of them and a draw from one group are the same binary search.
 */
#include "shop/generate_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/banned.h"

#define CATALOG_LINE_MAX (1 << 20)
#define TITLE_PLAIN_MAX	 1024

/* ---- the rules ---- */

static uint8_t group_number(const struct gen_catalog *c, struct str name)
{
	for (size_t i = 0; i < c->n_groups; i++)
		if (str_equal(c->groups[i].name, name))
			return (uint8_t)i;
	return UINT8_MAX;
}

uint8_t gen_catalog_group_named(const struct gen_catalog *c, struct str name)
{
	uint8_t i = group_number(c, name);

	bug_if(i == UINT8_MAX);
	return i;
}

static uint32_t number_of(struct str s)
{
	uint64_t v = 0;
	int r = parse_uint64(str_trim(s), UINT32_MAX, &v, NULL);

	bug_if(r < 0);
	return (uint32_t)v;
}

static uint8_t aspect_number(struct gen_catalog *c, struct str name)
{
	for (size_t i = 0; i < c->n_aspects; i++)
		if (str_equal(c->aspects[i], name))
			return (uint8_t)i;
	bug_if(c->n_aspects == GEN_ASPECTS_MAX);
	c->aspects[c->n_aspects] = name;
	return (uint8_t)c->n_aspects++;
}

/* "toner: 4 consumable: yield print price" */
static void add_group(struct gen_catalog *c, struct str line)
{
	struct gen_group *g = &c->groups[c->n_groups];
	struct str amount;

	bug_if(c->n_groups == GEN_GROUPS_MAX);
	g->name = str_trim(gen_cut(&line, ':'));
	amount = str_trim(gen_cut(&line, ':'));
	g->max_quantity = number_of(gen_cut(&amount, ' '));
	g->is_consumable = amount.len > 0;
	line = str_trim(line);
	while (line.len) {
		struct str aspect = gen_cut(&line, ' ');

		bool is_cordless = aspect.data[aspect.len - 1] == '?';

		aspect.len -= is_cordless;
		bug_if(g->n_aspects == ARRAY_LEN(g->aspects));
		g->aspects[g->n_aspects++] =
		    aspect_number(c, aspect) | (is_cordless ? GEN_ASPECT_CORDLESS : 0);
	}
	c->n_groups++;
}

/* "printer + toner: 330 brand" */
static void add_affinity(struct gen_catalog *c, struct str line)
{
	struct gen_group *g = &c->groups[gen_catalog_group_named(c, str_trim(gen_cut(&line, '+')))];
	struct gen_affinity *a = &g->affinities[g->n_affinities];
	struct str share;

	bug_if(g->n_affinities == ARRAY_LEN(g->affinities));
	a->with = gen_catalog_group_named(c, str_trim(gen_cut(&line, ':')));
	line = str_trim(line);
	share = gen_cut(&line, ' ');
	a->ppm = number_of(share) * 1000;
	a->same_brand = line.len > 0;
	g->n_affinities++;
}

/* "home 34: laptop 9, desktop 3"; sums are made in gen_catalog_finish(), when goods are known. */
static void add_segment(struct gen_catalog *c, struct str line)
{
	struct gen_segment *s = &c->segments[c->n_segments];
	struct str head = gen_cut(&line, ':');

	bug_if(c->n_segments == GEN_SEGMENTS_MAX);
	(void)gen_cut(&head, ' ');
	s->share = number_of(head);
	c->segment_shares += s->share;
	while (line.len) {
		struct str part = str_trim(gen_cut(&line, ','));
		uint8_t group = gen_catalog_group_named(c, gen_cut(&part, ' '));

		s->sums[group + 1] = number_of(part);
	}
	c->n_segments++;
}

void gen_catalog_init(struct gen_catalog *c, const struct gen_text *t)
{
	const struct gen_section *s = gen_text_need(t, "groups");

	for (size_t i = 0; i < s->n; i++)
		add_group(c, s->lines[i]);
	s = gen_text_need(t, "affinity");
	for (size_t i = 0; i < s->n; i++)
		add_affinity(c, s->lines[i]);
	s = gen_text_need(t, "segments");
	for (size_t i = 0; i < s->n; i++)
		add_segment(c, s->lines[i]);
	c->rules = gen_text_need(t, "rules");
}

void gen_catalog_done(struct gen_catalog *c)
{
	for (size_t i = 0; i < c->n_objects; i++)
		json_decref(c->objects[i]);
	mem_free(c->objects);
	mem_free(c->products);
	mem_free(c->sums);
	map_done(&c->brands);
	map_done(&c->ids);
	arena_done(&c->arena);
	*c = (struct gen_catalog){0};
}

/* Lower-case words with one space between and around: " hp laserjet p1505 ". */
static struct str make_plain(const char *text, char buf[TITLE_PLAIN_MAX])
{
	size_t n = 0;

	buf[n++] = ' ';
	for (; *text && n < TITLE_PLAIN_MAX - 2; text++) {
		char ch = *text;

		if (ch >= 'A' && ch <= 'Z')
			ch = (char)(ch - 'A' + 'a');
		if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))
			buf[n++] = ch;
		else if (buf[n - 1] != ' ')
			buf[n++] = ' ';
	}
	if (buf[n - 1] != ' ')
		buf[n++] = ' ';
	return (struct str){buf, n};
}

static bool has_phrase(struct str plain, struct str phrase)
{
	bool is_open = phrase.len && phrase.data[phrase.len - 1] == '*';
	bool is_first = phrase.len && phrase.data[0] == '^';
	const char *at = plain.data;
	const char *end = plain.data + plain.len;

	if (is_open)
		phrase.len--;
	if (is_first)
		phrase.data++, phrase.len--;
	while ((at = memmem(at, (size_t)(end - at), phrase.data, phrase.len))) {
		if (is_first && at != plain.data + 1)
			return false;
		if (at[-1] == ' ' && (is_open || at[phrase.len] == ' '))
			return true;
		at++;
	}
	return false;
}

static bool rule_fits(struct str plain, struct str phrases)
{
	bool fits = false;

	while (phrases.len) {
		struct str phrase = str_trim(gen_cut(&phrases, '|'));

		if (phrase.len && phrase.data[0] == '!') {
			if (has_phrase(plain, (struct str){phrase.data + 1, phrase.len - 1}))
				return false;
		} else if (!fits) {
			fits = has_phrase(plain, phrase);
		}
	}
	return fits;
}

uint8_t gen_catalog_group(const struct gen_catalog *c, const char *text)
{
	char buf[TITLE_PLAIN_MAX];
	struct str plain = make_plain(text, buf);

	for (size_t i = 0; i < c->rules->n; i++) {
		struct str line = c->rules->lines[i];
		struct str name = str_trim(gen_cut(&line, '='));

		if (rule_fits(plain, line))
			return gen_catalog_group_named(c, name);
	}
	return gen_catalog_group_named(c, str_from("other"));
}

void gen_catalog_add(struct gen_catalog *c, struct gen_product p, const char *brand,
		     const char *text)
{
	char *name = arena_strdup(&c->arena, brand);
	void **slot = map_put(&c->brands, str_from(name));

	if (!*slot)
		*slot = (void *)(uintptr_t)(c->brands.len & UINT16_MAX);
	p.brand = (uint16_t)(uintptr_t)*slot;
	p.facts[GEN_FACT_BRAND] = name;
	p.group = gen_catalog_group(c, text);
	p.is_cordless = strcasestr(text, "wireless") || strcasestr(text, "bluetooth") ||
			strcasestr(text, "cordless") || strcasestr(text, "recharg");
	mem_grow(&c->products, &c->cap, c->n + 1, sizeof(*c->products));
	c->products[c->n++] = p;
}

/* ---- facts from a JSON object ---- */

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* A number as people write it, "15.6", then the unit; NULL when absent, zero or absurd. */
static const char *number_fact(struct gen_catalog *c, const json_t *o, const char *key,
			       const char *unit)
{
	const json_t *v = json_object_get(o, key);
	int64_t tenths;

	if (!json_is_number(v))
		return NULL;
	if (json_number_value(v) < 0.05 || json_number_value(v) > 1e7)
		return NULL;
	tenths = (int64_t)(json_number_value(v) * 10 + 0.5);
	if (tenths % 10)
		return arena_printf(&c->arena, "%" PRId64 ".%" PRId64 "%s", tenths / 10,
				    tenths % 10, unit);
	return arena_printf(&c->arena, "%" PRId64 "%s", tenths / 10, unit);
}

/* A short text without separators and markup, as one would say it. */
static const char *word_fact(struct gen_catalog *c, const json_t *o, const char *key, bool lower)
{
	const char *s = text_of(o, key);
	char *copy;
	size_t n;

	if (!s || !*s)
		return NULL;
	n = strcspn(s, ",;/<&(");
	if (s[n] || n < 2 || n > 28)
		return NULL;
	copy = arena_strndup(&c->arena, s, n);
	for (size_t i = 0; lower && i < n; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	return copy;
}

static bool is_word(const char *s)
{
	size_t n = strlen(s);

	return n >= 2 && n <= 40 && !strpbrk(s, "<>{}|\"\n\r\t;&");
}

static void facts_from_json(struct gen_catalog *c, struct gen_product *p, const json_t *o)
{
	const char *name = text_of(o, "name");
	const char *title = text_of(o, "title");
	const char **f = p->facts;

	if (name && is_word(name))
		f[GEN_FACT_MODEL] = arena_strdup(&c->arena, name);
	if (is_word(title))
		f[GEN_FACT_NAME] = arena_strdup(&c->arena, title);
	f[GEN_FACT_COLOUR] = word_fact(c, o, "attr_t_product_colour", true)
				 ?: word_fact(c, o, "attr_t_cable_colour", true);
	f[GEN_FACT_LENGTH] = number_fact(c, o, "attr_n_cable_length", " m");
	f[GEN_FACT_YIELD] = number_fact(c, o, "attr_n_black_toner_page_yield", "")
				?: number_fact(c, o, "attr_n_page_yield", "");
	f[GEN_FACT_SIZE] = number_fact(c, o, "attr_n_display_diagonal", "-inch");
	f[GEN_FACT_MEMORY] = number_fact(c, o, "attr_n_internal_memory", " GB");
	f[GEN_FACT_STORAGE] = number_fact(c, o, "attr_n_total_storage_capacity", " GB")
				  ?: number_fact(c, o, "attr_n_hdd_capacity", " GB");
	f[GEN_FACT_CPU] = word_fact(c, o, "attr_t_processor_family", false);
	f[GEN_FACT_PACK] = number_fact(c, o, "attr_n_quantity_per_pack", "");
	f[GEN_FACT_WEIGHT] = number_fact(c, o, "attr_n_weight", " g");
	f[GEN_FACT_RESOLUTION] = word_fact(c, o, "attr_t_display_resolution", false)
				     ?: word_fact(c, o, "attr_t_maximum_resolution", false);
	f[GEN_FACT_COMPAT] = word_fact(c, o, "attr_t_compatibility", false);
	f[GEN_FACT_MATERIAL] = word_fact(c, o, "attr_t_material", true)
				   ?: word_fact(c, o, "attr_t_housing_material", true);
	f[GEN_FACT_LINK] = word_fact(c, o, "attr_t_connectivity_technology", true);
	f[GEN_FACT_PLUG] = word_fact(c, o, "attr_t_connector_1", false);
	if (f[GEN_FACT_PACK] && cstr_equal(f[GEN_FACT_PACK], "1"))
		f[GEN_FACT_PACK] = NULL;
}

static int32_t day_of_json(const json_t *o, const char *key)
{
	const char *s = text_of(o, key);
	char day[11];
	int32_t ret = GEN_NO_DAY;

	if (!s || strlen(s) < 10)
		return GEN_NO_DAY;
	memcpy(day, s, 10);
	day[10] = '\0';
	return gen_parse_day(day, &ret, NULL) < 0 ? GEN_NO_DAY : ret;
}

static uint8_t currency_number(struct gen_catalog *c, const char *name)
{
	for (size_t i = 0; i < c->n_currencies; i++)
		if (cstr_equal(c->currencies[i], name))
			return (uint8_t)i;
	if (c->n_currencies == ARRAY_LEN(c->currencies))
		return 0;
	c->currencies[c->n_currencies] = arena_strdup(&c->arena, name);
	return (uint8_t)c->n_currencies++;
}

static int check_json(const json_t *o, struct err *err)
{
	const char *id = text_of(o, "id");
	const json_t *price = json_object_get(o, "price");

	if (!id || !text_of(o, "title") || !text_of(o, "supplier") || !json_is_integer(price))
		return err_set(err, ERR_CORRUPTED,
			       "no product: id, title, supplier (texts) and "
			       "price (whole cents) are needed");
	if (strlen(id) > 64 || json_integer_value(price) < 0 ||
	    json_integer_value(price) > GEN_PRICE_CENTS_MAX)
		return err_set(err, ERR_CORRUPTED, "product \"%.64s\": key or price out of range",
			       id);
	return 0;
}

static bool text_is(const json_t *o, const char *key, const char *value)
{
	const char *s = text_of(o, key);

	return s && cstr_equal(s, value);
}

static void keep_object(struct gen_catalog *c, json_t *o)
{
	/* As many as products: objects are kept from the first on. */
	mem_grow(&c->objects, &c->cap_objects, c->n, sizeof(*c->objects));
	c->objects[c->n_objects++] = json_incref(o);
}

int gen_catalog_add_json(struct gen_catalog *c, json_t *o, struct err *err)
{
	struct gen_product p = {.released = day_of_json(o, "date_released")};
	char *text;
	int r = check_json(o, err);

	if (r < 0 || text_is(o, "status", "retired"))
		return r;
	p.id = arena_strdup(&c->arena, text_of(o, "id"));
	if (map_get(&c->ids, str_from(p.id)))
		return 0; /* the same product in two files */
	*map_put(&c->ids, str_from(p.id)) = c;
	p.price_cents = (uint32_t)json_integer_value(json_object_get(o, "price"));
	p.is_service = text_is(o, "kind", "service");
	p.currency = currency_number(c, text_of(o, "currency") ?: "USD");
	facts_from_json(c, &p, o);
	text = mem_printf("%s %s %s %s", p.is_service ? "repair service" : "",
			  text_of(o, "attr_t_product_type") ?: "", text_of(o, "category") ?: "",
			  text_of(o, "title"));
	gen_catalog_add(c, p, text_of(o, "supplier"), text);
	mem_free(text);
	if (c->keeps_objects)
		keep_object(c, o);
	return 0;
}

/* ---- files ---- */

static void gzclosep(gzFile *f)
{
	if (*f)
		(void)gzclose(*f);
}

static int read_error(gzFile f, const char *path, uint64_t line, struct err *err)
{
	int code = Z_OK;
	const char *why = gzerror(f, &code);

	if (code == Z_OK || code == Z_STREAM_END)
		return 0;
	return err_set(err, ERR_CORRUPTED, "\"%s\" cannot be read after line %" PRIu64 ": %s", path,
		       line, code == Z_BUF_ERROR ? "the gzip file is truncated" : why);
}

static int read_line(struct gen_catalog *c, const char *line, size_t len, struct err *err)
{
	json_error_t je;
	json_t *o;
	int r;

	if (str_trim((struct str){line, len}).len == 0)
		return 0;
	o = json_loadb(line, len, 0, &je);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(err, ERR_CORRUPTED, "no JSON object: %s", je.text);
	}
	r = gen_catalog_add_json(c, o, err);
	json_decref(o);
	return r;
}

static int read_catalog_file(struct gen_catalog *c, const char *path, struct err *err)
{
	_cleanup_(gzclosep) gzFile f = gzopen(path, "rbe");
	_cleanup_(mem_freep) char *line = mem_alloc(CATALOG_LINE_MAX);
	uint64_t n = 0;

	if (!f)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			       "could not open catalogue \"%s\": %s", path, strerror(errno));
	(void)gzbuffer(f, 128 * 1024);
	while (gzgets(f, line, CATALOG_LINE_MAX)) {
		size_t len = strlen(line);
		int r;

		n++;
		if (len == CATALOG_LINE_MAX - 1)
			return err_set(err, ERR_LIMIT, "%s:%" PRIu64 ": line longer than %d bytes",
				       path, n, CATALOG_LINE_MAX);
		r = read_line(c, line, len, err);
		if (r < 0)
			return err_context(err, "%s:%" PRIu64, path, n);
	}
	return read_error(f, path, n, err);
}

static int is_catalog_file(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return (n > 6 && cstr_equal(e->d_name + n - 6, ".jsonl")) ||
	       (n > 9 && cstr_equal(e->d_name + n - 9, ".jsonl.gz"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* by bytes, whatever the locale */
}

static int by_name_any(const struct dirent **a, const struct dirent **b)
{
	return by_name(a, b);
}

static int is_subfolder(const struct dirent *e)
{
	return e->d_name[0] != '.' && (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
}

static int read_each(struct gen_catalog *c, const char *path, int (*filter)(const struct dirent *),
		     struct err *err)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, filter, by_name_any);
	int r = 0;

	if (n < 0)
		return err_set(err, ERR_IO, "could not list \"%s\": %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		char *file = mem_printf("%s/%s", path, names[i]->d_name);
		struct stat st;

		if (r == 0 && filter == is_catalog_file)
			r = read_catalog_file(c, file, err);
		else if (r == 0 && stat(file, &st) == 0 && S_ISDIR(st.st_mode))
			r = read_each(c, file, is_catalog_file, err);
		mem_free(file);
		mem_free(names[i]);
	}
	mem_free(names);
	return r;
}

int gen_catalog_read(struct gen_catalog *c, const char *path, struct err *err)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0) {
		r = err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			    "could not open catalogue \"%s\": %s", path, strerror(errno));
		return errno == ENOENT ? err_hint(err, "name the product files by --catalog, or "
						       "invent products by --products")
				       : r;
	}
	if (!S_ISDIR(st.st_mode))
		return read_catalog_file(c, path, err);
	r = read_each(c, path, is_catalog_file, err);
	return r < 0 ? r : read_each(c, path, is_subfolder, err);
}

/* ---- popularity ---- */

struct ranked {
	uint64_t score; /* lower is more popular */
	uint32_t index;
	uint32_t rank;
	uint8_t group;
};

static int by_score(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_group_and_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* A draw times a factor that doubles about every eightfold price. */
static uint64_t score_of(const struct gen_product *p, uint64_t seed)
{
	uint64_t draw = gen_hash(seed, GEN_STREAM_PRODUCT_RANK, map_hash(str_from(p->id))) >> 24;
	uint64_t factor = 4;

	for (uint64_t price = p->price_cents; price > 500; price /= 2)
		factor += 1 + factor / 8;
	return draw * factor;
}

static void finish_groups(struct gen_catalog *c)
{
	for (size_t i = 0; i < c->n_groups; i++)
		c->groups[i].from = c->groups[i].to = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct gen_group *g = &c->groups[c->products[i].group];

		if (g->from == g->to)
			g->from = i;
		g->to = i + 1;
	}
}

/* Weights become sums; groups without a product weigh nothing. A segment that is left with nothing
 * buys from all groups by their size. */
static void finish_segments(struct gen_catalog *c)
{
	for (size_t s = 0; s < c->n_segments; s++) {
		uint64_t *sums = c->segments[s].sums;
		uint64_t total = 0;

		for (size_t i = 0; i < c->n_groups; i++)
			total += c->groups[i].from < c->groups[i].to ? sums[i + 1] : 0;
		for (size_t i = 0; i < c->n_groups; i++) {
			size_t size = c->groups[i].to - c->groups[i].from;

			if (!total)
				sums[i + 1] = size;
			else if (!size)
				sums[i + 1] = 0;
			sums[i + 1] += sums[i];
		}
	}
}

void gen_catalog_finish(struct gen_catalog *c, uint64_t seed)
{
	struct ranked *ranks = mem_alloc_array(c->n + 1, sizeof(*ranks));
	struct gen_product *sorted = mem_alloc_array(c->n + 1, sizeof(*sorted));

	for (size_t i = 0; i < c->n; i++)
		ranks[i] = (struct ranked){score_of(&c->products[i], seed), (uint32_t)i, 0,
					   c->products[i].group};
	qsort(ranks, c->n, sizeof(*ranks), by_score);
	for (size_t i = 0; i < c->n; i++)
		ranks[i].rank = (uint32_t)i;
	qsort(ranks, c->n, sizeof(*ranks), by_group_and_rank);
	c->sums = mem_alloc_array(c->n + 1, sizeof(*c->sums));
	for (size_t i = 0; i < c->n; i++) {
		sorted[i] = c->products[ranks[i].index];
		c->sums[i + 1] = c->sums[i] + gen_zipf_weight(ranks[i].rank);
	}
	mem_free(c->products);
	mem_free(ranks);
	c->products = sorted;
	finish_groups(c);
	finish_segments(c);
}

uint32_t gen_price_on(const struct gen_product *p, uint64_t seed, int32_t day, int32_t until)
{
	struct gen_date d = gen_date_of(day);
	uint64_t month = (uint64_t)d.year * 12 + d.month;
	uint64_t h = gen_hash(seed ^ map_hash(str_from(p->id)), GEN_STREAM_PRICE, month);
	uint64_t per_mille = 1000;

	if (until - day > 30)
		per_mille = 970 + h % 91; /* -3.0 % to +6.0 % */
	if (gen_is_sale_day(day) && (h >> 32) % 3 == 0)
		per_mille -= 100;
	return (uint32_t)(((uint64_t)p->price_cents * per_mille + 500) / 1000);
}
