/* The generator: the same bytes each time, rows that hang together, defects that are all noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "shop/generate_int.h"

/* ---- a small reader of what was written ---- */

struct csv {
	struct arena arena;
	struct strbuf text;
	struct str *cells;
	uint64_t *lines; /* of each row */
	size_t columns, rows, cap_cells, cap_lines, n_cells;
};

/* Hash of all files of small(7, 100000). */
#define GOLDEN_HASH UINT64_C(0x21149b66b361f029)

static char folder[] = "/tmp/test_generate_XXXXXX";

static struct str read_cell(struct csv *c, const char **at, uint64_t *line)
{
	struct strbuf b = STRBUF_INIT(0);
	const char *p = *at;
	struct str cell;

	if (*p != '"') {
		while (*p && *p != ',' && *p != '\n')
			strbuf_addch(&b, *p++);
	} else {
		for (p++; *p != '"' || p[1] == '"'; p++) {
			p += *p == '"';
			*line += *p == '\n';
			strbuf_addch(&b, *p);
		}
		p++;
	}
	*at = p;
	cell = arena_str(&c->arena, strbuf_slice(&b));
	strbuf_done(&b);
	return cell;
}

static void csv_open(struct csv *c, const char *dir, const char *name)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s/%s", folder, dir, name);
	uint64_t line = 1;
	const char *p;

	*c = (struct csv){.text = STRBUF_INIT(0)};
	assert_int_equal(file_read(path, &c->text, NULL), 0);
	for (p = strbuf_str(&c->text); *p; p++) {
		mem_grow(&c->lines, &c->cap_lines, c->rows + 1, sizeof(*c->lines));
		c->lines[c->rows] = line;
		for (size_t n = 1;; n++) {
			mem_grow(&c->cells, &c->cap_cells, c->n_cells + 1, sizeof(*c->cells));
			c->cells[c->n_cells++] = read_cell(c, &p, &line);
			if (*p == '\n') {
				c->columns = c->columns ?: n;
				assert_int_equal(n, c->columns);
				break;
			}
			p++;
		}
		line++;
		c->rows++;
	}
}

static void csv_close(struct csv *c)
{
	arena_done(&c->arena);
	strbuf_done(&c->text);
	mem_free(c->cells);
	mem_free(c->lines);
}

static struct str cell(const struct csv *c, size_t row, size_t column)
{
	return c->cells[row * c->columns + column];
}

static int64_t cents(struct str s)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != '.')
			v = v * 10 + (s.data[i] - '0');
	return v;
}

static void index_keys(const struct csv *c, struct map *m)
{
	for (size_t i = 1; i < c->rows; i++)
		*map_put(m, cell(c, i, 0)) = (void *)(uintptr_t)i;
}

/* ---- making a shop ---- */

static int make(const char *dir, struct shop_generate_options o,
		struct shop_generate_report *report, struct err *err)
{
	_cleanup_(mem_freep) char *out = mem_printf("%s/%s", folder, dir);

	o.out = out;
	return shop_generate(&o, report, err);
}

static struct shop_generate_options small(uint64_t seed, uint32_t defects_ppm)
{
	return (struct shop_generate_options){.customers = 60,
					      .orders = 400,
					      .reviews = 150,
					      .products = 80,
					      .suppliers = 9,
					      .seed = seed,
					      .defects_ppm = defects_ppm};
}

static void make_ok(const char *dir, struct shop_generate_options o)
{
	struct shop_generate_report report;
	struct err err = {0};

	if (make(dir, o, &report, &err) < 0)
		fail_msg("%s", err.message);
}

static uint64_t hash_of(const char *dir)
{
	static const char *const names[] = {
	    "suppliers.csv", "products.csv",	"customers.csv", "customer_addresses.csv",
	    "orders.csv",    "order_items.csv", "reviews.csv",	 "defects.csv"};
	struct strbuf b = STRBUF_INIT(0);
	uint64_t h;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s/%s", folder, dir, names[i]);

		assert_int_equal(file_read(path, &b, NULL), 0);
	}
	h = map_hash(strbuf_slice(&b));
	strbuf_done(&b);
	return h;
}

/* ---- tests ---- */

/* First outputs of xoshiro256** with the state {1, 2, 3, 4}, as its authors' code gives them. */
static void the_generator_is_xoshiro256(void **state)
{
	struct gen_rng rng = {{1, 2, 3, 4}};

	(void)state;
	assert_true(gen_next(&rng) == UINT64_C(11520));
	assert_true(gen_next(&rng) == UINT64_C(0));
	assert_true(gen_next(&rng) == UINT64_C(1509978240));
	assert_true(gen_next(&rng) == UINT64_C(1215971899390074240));
}

static void the_calendar_knows_its_days(void **state)
{
	int32_t day;
	struct err err = {0};

	(void)state;
	assert_int_equal(gen_parse_day("2024-02-29", &day, &err), 0);
	assert_int_equal(day, 19782);
	assert_int_equal(gen_weekday(day), 4);
	assert_int_equal(gen_date_of(day).month, 2);
	assert_int_equal(gen_parse_day("2025-02-29", &day, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(gen_parse_day("29.02.2024", &day, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(gen_parse_day("2024-02-29x", &day, &err), -ERR_INVALID_ARGUMENT);
	assert_true(gen_is_sale_day(gen_day_from(2025, 11, 28)));
	assert_false(gen_is_sale_day(gen_day_from(2025, 11, 20)));
	assert_true(gen_day_weight(gen_day_from(2025, 11, 28), 0) >
		    2 * gen_day_weight(gen_day_from(2025, 11, 14), 0));
}

static void popularity_follows_zipf(void **state)
{
	static uint64_t sums[1001];
	static unsigned counts[1000];
	struct gen_rng rng;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		sums[i + 1] = sums[i] + gen_zipf_weight(i);
	gen_rng_init(&rng, 1, GEN_STREAM_ORDER, 0);
	for (int i = 0; i < 200000; i++)
		counts[gen_pick_sum(&rng, sums, 0, 1000)]++;
	/* 200,000 / H(1000) = 26,717 for the first; the n-th has an n-th of it. */
	assert_in_range(counts[0], 26200, 27300);
	assert_in_range(counts[1], 12900, 13800);
	assert_in_range(counts[9], 2450, 2900);
	assert_in_range(counts[99], 210, 330);
}

static void the_same_options_give_the_same_bytes(void **state)
{
	(void)state;
	make_ok("a", small(7, 100000));
	make_ok("b", small(7, 100000));
	make_ok("c", small(8, 100000));
	assert_true(hash_of("a") == hash_of("b"));
	assert_true(hash_of("a") != hash_of("c"));
	/* On every machine: who changes what is generated on purpose writes the new value here. */
	if (hash_of("a") != GOLDEN_HASH)
		fail_msg("the hash is now 0x%llx", (unsigned long long)hash_of("a"));
}

static void orders_add_up_and_refer_to_what_exists(void **state)
{
	struct csv customers, addresses, products, orders, items;
	struct map by_customer = {0}, by_address = {0}, by_product = {0}, by_order = {0};
	int64_t *sums;

	(void)state;
	make_ok("t", small(3, 0));
	csv_open(&customers, "t", "customers.csv");
	csv_open(&addresses, "t", "customer_addresses.csv");
	csv_open(&products, "t", "products.csv");
	csv_open(&orders, "t", "orders.csv");
	csv_open(&items, "t", "order_items.csv");
	index_keys(&customers, &by_customer);
	index_keys(&addresses, &by_address);
	index_keys(&products, &by_product);
	index_keys(&orders, &by_order);
	assert_int_equal(orders.rows, 401);
	sums = mem_alloc_array(orders.rows, sizeof(*sums));
	for (size_t i = 1; i < items.rows; i++) {
		uintptr_t order = (uintptr_t)map_get(&by_order, cell(&items, i, 0));

		assert_true(order);
		assert_non_null(map_get(&by_product, cell(&items, i, 1)));
		sums[order] += cents(cell(&items, i, 2)) * cents(cell(&items, i, 3));
	}
	for (size_t i = 1; i < orders.rows; i++) {
		uintptr_t customer = (uintptr_t)map_get(&by_customer, cell(&orders, i, 1));
		uintptr_t address = (uintptr_t)map_get(&by_address, cell(&orders, i, 2));

		assert_true(customer && address);
		assert_true(str_equal(cell(&addresses, address, 1), cell(&orders, i, 1)));
		assert_int_equal(cents(cell(&orders, i, 5)), sums[i]);
		assert_true(str_compare(cell(&customers, customer, 6), cell(&orders, i, 3)) < 0);
		assert_true(i == 1 ||
			    str_compare(cell(&orders, i, 0), cell(&orders, i - 1, 0)) > 0);
	}
	mem_free(sums);
	map_done(&by_customer), map_done(&by_address), map_done(&by_product), map_done(&by_order);
	csv_close(&customers), csv_close(&addresses), csv_close(&products);
	csv_close(&orders), csv_close(&items);
}

static void reviewers_have_bought_what_they_review(void **state)
{
	struct csv orders, items, reviews;
	struct map by_order = {0}, bought = {0}, texts = {0};
	struct arena arena = {0};

	(void)state;
	make_ok("r", small(4, 0));
	csv_open(&orders, "r", "orders.csv");
	csv_open(&items, "r", "order_items.csv");
	csv_open(&reviews, "r", "reviews.csv");
	index_keys(&orders, &by_order);
	for (size_t i = 1; i < items.rows; i++) {
		uintptr_t o = (uintptr_t)map_get(&by_order, cell(&items, i, 0));
		const char *pair = arena_printf(&arena, "%.*s %.*s", STR_ARGS(cell(&orders, o, 1)),
						STR_ARGS(cell(&items, i, 1)));

		if (!map_get(&bought, str_from(pair))) /* the first time */
			*map_put(&bought, str_from(pair)) = (void *)o;
	}
	assert_int_equal(reviews.rows, 151);
	for (size_t i = 1; i < reviews.rows; i++) {
		const char *pair = arena_printf(&arena, "%.*s %.*s", STR_ARGS(cell(&reviews, i, 2)),
						STR_ARGS(cell(&reviews, i, 1)));
		uintptr_t o = (uintptr_t)map_get(&bought, str_from(pair));

		assert_true(o);
		assert_true(str_compare(cell(&orders, o, 3), cell(&reviews, i, 6)) < 0);
		assert_true(str_compare(cell(&reviews, i, 6), str_from("2026-07-01")) < 0);
		assert_in_range(cents(cell(&reviews, i, 3)), 1, 5);
		*map_put(&texts, cell(&reviews, i, 5)) = folder;
	}
	assert_true(texts.len > 120); /* short ones may repeat */
	map_done(&by_order), map_done(&bought), map_done(&texts);
	arena_done(&arena);
	csv_close(&orders), csv_close(&items), csv_close(&reviews);
}

/* Expands everything often enough that an unknown placeholder or an open brace would be met. */
static void texts_are_complete_for_every_group_and_rating(void **state)
{
	struct gen_text text = {0};
	struct gen_catalog c = {0};
	struct gen_words *words;
	struct strbuf title = STRBUF_INIT(0), body = STRBUF_INIT(0);

	(void)state;
	for (const struct embedded_file *f = gen_text_files; f->name; f++)
		gen_text_add(&text, f->text);
	gen_catalog_init(&c, &text);
	words = gen_words_new(&text, &c);
	for (unsigned i = 0; i < c.n_groups * 5 * 40; i++) {
		struct gen_product p = {.id = "x", .group = (uint8_t)(i % c.n_groups)};
		struct gen_review_brief b = {.product = &p,
					     .rating = 1 + i / (unsigned)c.n_groups % 5};
		struct gen_rng rng;

		for (size_t k = 0; k < GEN_FACT_COUNT; k++)
			p.facts[k] = i % 3 ? "thing" : NULL;
		p.facts[GEN_FACT_BRAND] = "Brand";
		b.delivery_days = i % 12;
		b.price_cents = i * 7;
		gen_rng_init(&rng, 1, GEN_STREAM_REVIEW, i);
		strbuf_clear(&title);
		strbuf_clear(&body);
		gen_words_review(words, &rng, &b, &title, &body);
		assert_true(body.len > 2 && body.len < 4000 && title.len < 200);
		assert_null(strpbrk(strbuf_str(&body), "{}|"));
		assert_null(strpbrk(strbuf_str(&title), "{}|"));
		if (strstr(strbuf_str(&body), " .") || strstr(strbuf_str(&body), " ,"))
			fail_msg("\"%s\"", strbuf_str(&body));
	}
	strbuf_done(&title), strbuf_done(&body);
	(void)gen_words_free(words);
	gen_catalog_done(&c);
	gen_text_done(&text);
}

static void groups_follow_from_titles(void **state)
{
	static const struct {
		const char *title, *group;
	} cases[] = {
	    {"HP LaserJet P4015dn Printer 1200 x 1200 DPI A4", "printer"},
	    {"Xerox 006R90321 toner cartridge Original Black 6 pc(s)", "toner"},
	    {"HP 336 Original Black 1 pc(s)", "ink"},
	    {"HP Pavilion dv7-1211ea Notebook Silver 43.2 cm", "laptop"},
	    {"Kensington SP45 Classic Case", "bag"},
	    {"Logitech MX1000 mouse RF Wireless Laser", "mouse"},
	    {"Canon EF 85mm f/1.8 USM Telephoto lens Black", "lens"},
	    {"C2G HD15 VGA Male/Male Mini Gender Changer VGA (D-Sub) Yellow", "adapter"},
	    {"Braun PowerBlend MX 2050 1.75 L Tabletop blender Blue,White 525 W", "kitchen"},
	    {"something never seen", "other"},
	};
	struct gen_text text = {0};
	struct gen_catalog c = {0};

	(void)state;
	for (const struct embedded_file *f = gen_text_files; f->name; f++)
		gen_text_add(&text, f->text);
	gen_catalog_init(&c, &text);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(gen_catalog_group(&c, cases[i].title),
				 gen_catalog_group_named(&c, str_from(cases[i].group)));
	gen_catalog_done(&c);
	gen_text_done(&text);
}

static bool manifest_has(const struct csv *m, const char *file, const char *kind)
{
	for (size_t i = 1; i < m->rows; i++)
		if (str_equal(cell(m, i, 0), str_from(file)) &&
		    str_equal(cell(m, i, 3), str_from(kind)))
			return true;
	return false;
}

static void every_kind_of_defect_is_made_and_noted(void **state)
{
	static const char *const names[] = {
	    "suppliers.csv", "products.csv",	"customers.csv", "customer_addresses.csv",
	    "orders.csv",    "order_items.csv", "reviews.csv"};
	struct shop_generate_options o = small(5, 500000);
	struct csv manifest;

	(void)state;
	o.customers = 400;
	o.suppliers = 60;
	make_ok("d", o);
	csv_open(&manifest, "d", "defects.csv");
	for (size_t f = 0; f < ARRAY_LEN(names); f++)
		for (size_t k = 0; gen_defect_kind((enum shop_generate_file)f, k); k++)
			if (!manifest_has(&manifest, names[f],
					  gen_defect_kind((enum shop_generate_file)f, k)))
				fail_msg("%s: no %s", names[f],
					 gen_defect_kind((enum shop_generate_file)f, k));
	csv_close(&manifest);
}

static size_t row_of_line(const struct csv *c, int64_t line)
{
	for (size_t i = 1; i < c->rows; i++)
		if (c->lines[i] == (uint64_t)line)
			return i;
	return 0;
}

static void the_manifest_points_at_the_rows(void **state)
{
	struct csv manifest, reviews;
	size_t seen = 0;

	(void)state;
	make_ok("m", small(6, 300000));
	csv_open(&manifest, "m", "defects.csv");
	csv_open(&reviews, "m", "reviews.csv");
	for (size_t i = 1; i < manifest.rows; i++) {
		size_t row;

		if (!str_equal(cell(&manifest, i, 0), str_from("reviews.csv")))
			continue;
		row = row_of_line(&reviews, cents(cell(&manifest, i, 1)));
		assert_true(row);
		assert_true(str_equal(cell(&manifest, i, 4), cell(&reviews, row, 0)));
		if (str_equal(cell(&manifest, i, 3), str_from("rating_out_of_range"))) {
			struct str rating = cell(&reviews, row, 3);

			assert_true(rating.len != 1 || rating.data[0] < '1' ||
				    rating.data[0] > '5');
			seen++;
		}
	}
	assert_true(seen > 0);
	csv_close(&manifest), csv_close(&reviews);
}

static void what_cannot_be_made_is_refused(void **state)
{
	static const char *const absent[] = {"/nonexistent/products.jsonl", NULL};
	struct shop_generate_report report;
	struct shop_generate_options o = small(1, 0);
	struct err err = {0};
	uint32_t ppm;

	(void)state;
	o.reviews = 5000;
	assert_int_equal(make("e", o, &report, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "5000 reviews cannot be written"));
	o = small(1, 0);
	o.customers = 0;
	assert_int_equal(make("e", o, &report, &err), -ERR_INVALID_ARGUMENT);
	o = small(1, 0);
	o.products = 0;
	assert_int_equal(make("e", o, &report, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "no products to sell"));
	o.catalog = absent;
	assert_int_equal(make("e", o, &report, &err), -ERR_NOT_FOUND);
	o = small(1, 0);
	o.until = "yesterday";
	assert_int_equal(make("e", o, &report, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(shop_parse_share("0.02", &ppm, &err), 0);
	assert_int_equal(ppm, 20000);
	assert_int_equal(shop_parse_share("1.5", &ppm, &err), -ERR_INVALID_ARGUMENT);
	assert_int_equal(shop_parse_share("2%", &ppm, &err), -ERR_INVALID_ARGUMENT);
}

static void a_wrong_catalogue_is_named_with_its_line(void **state)
{
	static const char good[] =
	    "{\"id\":\"1\",\"title\":\"HP Notebook\",\"supplier\":\"HP\",\"price\":100}\n";
	_cleanup_(mem_freep) char *path = mem_printf("%s/catalog.jsonl", folder);
	_cleanup_(mem_freep) char *text = mem_printf("%s{\"id\":\"2\"}\n", good);
	const char *const catalog[] = {path, NULL};
	struct shop_generate_report report;
	struct shop_generate_options o = small(1, 0);
	struct err err = {0};

	(void)state;
	o.products = o.suppliers = 0;
	o.reviews = 0;
	o.catalog = catalog;
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
	assert_int_equal(make("w", o, &report, &err), -ERR_CORRUPTED);
	assert_non_null(strstr(err.message, "catalog.jsonl:2: no product"));
	assert_int_equal(file_write_atomic(path, good, strlen(good), 0600, &err), 0);
	assert_int_equal(make("w", o, &report, &err), 0);
	assert_int_equal(report.catalog_products, 1);
	assert_int_equal(report.files[SHOP_GENERATE_FILE_ITEMS].rows, 400);
	assert_null(report.files[SHOP_GENERATE_FILE_PRODUCTS].name);
}

/* ---- variants ---- */

#define TONER                                                                           \
	"{\"id\":\"1\",\"name\":\"TN-2120\",\"title\":\"Brother TN-2120 toner Black\"," \
	"\"short_description\":\"The TN-2120 prints Black, TN-21200 and 2.0 stay.\","   \
	"\"supplier\":\"Brother\",\"price\":4995,\"img_500x500\":\"http://x/1.jpg\","   \
	"\"attr_t_colour\":\"Black\",\"attr_n_page_yield\":2600}\n"
#define OTHER_TONER                                                                               \
	"{\"id\":\"2\",\"name\":\"Toner\",\"title\":\"Canon Toner Cyan\",\"supplier\":\"Canon\"," \
	"\"price\":199,\"attr_t_colour\":\"Cyan\",\"attr_n_page_yield\":1500}\n"
#define LAPTOP                                                                          \
	"{\"id\":\"3\",\"title\":\"HP Notebook 15\",\"supplier\":\"HP\",\"price\":100," \
	"\"attr_t_colour\":\"Pink\"}\n"
#define SERVICE                                                                                    \
	"{\"id\":\"4\",\"title\":\"Repair\",\"supplier\":\"HP\",\"price\":1,\"kind\":\"service\"}" \
	"\n"
#define VARIANTS 300

/* The lines of variants.jsonl as an array. */
static json_t *make_variants(const char *dir, const char *catalog, uint64_t seed)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/varied.jsonl", folder);
	_cleanup_(mem_freep) char *out = mem_printf("%s/%s/variants.jsonl", folder, dir);
	const char *const paths[] = {path, NULL};
	struct shop_generate_options o = {.seed = seed, .variants = VARIANTS, .catalog = paths};
	struct strbuf text = STRBUF_INIT(0);
	json_t *list = json_array();
	struct str rest;

	assert_int_equal(file_write_atomic(path, catalog, strlen(catalog), 0600, NULL), 0);
	make_ok(dir, o);
	assert_int_equal(file_read(out, &text, NULL), 0);
	for (rest = strbuf_slice(&text); rest.len;) {
		struct str line = gen_cut(&rest, '\n');

		json_array_append_new(list, json_loadb(line.data, line.len, 0, NULL));
	}
	strbuf_done(&text);
	assert_int_equal(json_array_size(list), VARIANTS);
	return list;
}

static const char *text_at(const json_t *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, i), key));
}

static void texts_of_variants_say_what_their_attributes_say(void **state)
{
	json_t *list = make_variants("v", TONER OTHER_TONER, 1);
	size_t exchanged = 0, branded = 0;

	(void)state;
	for (size_t i = 0; i < VARIANTS; i += 2) {
		const char *title = text_at(list, i, "title"), *model = text_at(list, i, "name");
		const char *text = text_at(list, i, "short_description");
		const char *colour = text_at(list, i, "attr_t_colour");
		_cleanup_(mem_freep) char *whole =
		    mem_printf("%s %s toner %s", text_at(list, i, "supplier"), model, colour);
		_cleanup_(mem_freep) char *told =
		    mem_printf("The %s prints %s, TN-21200 and 2.0 stay.", model, colour);

		assert_string_equal(title, whole);
		assert_string_equal(text, told);
		assert_int_equal(strlen(model), 7);
		assert_string_not_equal(model, "TN-2120");
		exchanged += cstr_equal(colour, "Cyan");
		branded += cstr_equal(text_at(list, i, "supplier"), "Canon");
	}
	/* Of 150: 40 % and 25 % are exchanged, and half of the donors are the product itself. */
	assert_in_range(exchanged, 15, 48);
	assert_in_range(branded, 7, 33);
	json_decref(list);
}

static void variants_are_products_of_their_own(void **state)
{
	json_t *list = make_variants("v", TONER OTHER_TONER LAPTOP SERVICE, 1);
	json_t *seen = json_object();

	(void)state;
	for (size_t i = 0; i < VARIANTS; i++) {
		const json_t *v = json_array_get(list, i);
		int64_t price = json_integer_value(json_object_get(v, "price"));

		json_object_set_new(seen, text_at(list, i, "id"), json_true());
		json_object_set_new(seen, text_at(list, i, "ean"), json_true());
		assert_null(json_object_get(v, "img_500x500"));
		assert_null(json_object_get(v, "kind")); /* services are not varied */
		assert_in_range(price, 60, 8099);
		if (strstr(text_at(list, i, "title"), "Notebook"))
			assert_string_equal(text_at(list, i, "attr_t_colour"), "Pink");
	}
	assert_int_equal(json_object_size(seen), 2 * VARIANTS);
	json_decref(seen);
	json_decref(list);
}

static void variants_follow_from_the_seed(void **state)
{
	json_t *one = make_variants("v1", TONER OTHER_TONER, 5);
	json_t *same = make_variants("v2", TONER OTHER_TONER, 5);
	json_t *other = make_variants("v3", TONER OTHER_TONER, 6);

	(void)state;
	assert_true(json_equal(one, same));
	assert_false(json_equal(one, other));
	json_decref(one);
	json_decref(same);
	json_decref(other);
}

static void without_products_nothing_is_varied(void **state)
{
	struct shop_generate_options o = {.variants = 1};
	struct shop_generate_report report;
	struct err err = {0};

	(void)state;
	assert_int_equal(make("e", o, &report, &err), -ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "no products to vary"));
	o.variants = SHOP_GENERATE_GOODS_MAX + 1;
	assert_int_equal(make("e", o, &report, &err), -ERR_INVALID_ARGUMENT);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return dir_remove(folder, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_generator_is_xoshiro256),
	    cmocka_unit_test(the_calendar_knows_its_days),
	    cmocka_unit_test(popularity_follows_zipf),
	    cmocka_unit_test(the_same_options_give_the_same_bytes),
	    cmocka_unit_test(orders_add_up_and_refer_to_what_exists),
	    cmocka_unit_test(reviewers_have_bought_what_they_review),
	    cmocka_unit_test(texts_are_complete_for_every_group_and_rating),
	    cmocka_unit_test(groups_follow_from_titles),
	    cmocka_unit_test(every_kind_of_defect_is_made_and_noted),
	    cmocka_unit_test(the_manifest_points_at_the_rows),
	    cmocka_unit_test(what_cannot_be_made_is_refused),
	    cmocka_unit_test(a_wrong_catalogue_is_named_with_its_line),
	    cmocka_unit_test(texts_of_variants_say_what_their_attributes_say),
	    cmocka_unit_test(variants_are_products_of_their_own),
	    cmocka_unit_test(variants_follow_from_the_seed),
	    cmocka_unit_test(without_products_nothing_is_varied),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
