/*
 * Shared insides of the generator; included only by src/shop/generate*.c and their unit tests.
 *
 * Who does what: generate_random.c draws, generate_time.c knows the calendar and how busy a day is,
 * generate_catalog.c holds the products, generate_goods.c invents some, generate_variants.c varies
 * those that there are, generate_people.c writes customers, generate_orders.c fills baskets,
 * generate_reviews.c picks what is reviewed, generate_text.c writes the words, generate_defects.c
 * spoils rows, generate_csv.c writes files, generate.c runs all of it in order.
 */
#pragma once

#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "shop/generate.h"
#include "shop/generate_text_files_int.h"

/* ---- random numbers ---- */

struct gen_rng {
	uint64_t s[4];
};

/* One stream for each (seed, stream, index): two different triples are independent. */
enum gen_stream {
	GEN_STREAM_CUSTOMER = 1,
	GEN_STREAM_CUSTOMER_WEIGHT,
	GEN_STREAM_ORDER,
	GEN_STREAM_REVIEW,
	GEN_STREAM_REVIEW_PICK,
	GEN_STREAM_PRODUCT_RANK,
	GEN_STREAM_PRODUCT_QUALITY,
	GEN_STREAM_PRICE,
	GEN_STREAM_GOODS,
	GEN_STREAM_SUPPLIER,
	GEN_STREAM_DEFECT,
	GEN_STREAM_VARIANT,
};

uint64_t gen_hash(uint64_t seed, enum gen_stream stream, uint64_t index);
void gen_rng_init(struct gen_rng *rng, uint64_t seed, enum gen_stream stream, uint64_t index);
uint64_t gen_next(struct gen_rng *rng);
uint64_t gen_below(struct gen_rng *rng, uint64_t n);		     /* 0 when n is 0 */
uint64_t gen_between(struct gen_rng *rng, uint64_t lo, uint64_t hi); /* both included */
bool gen_chance(struct gen_rng *rng, uint32_t ppm);

/* Index i with sums[i] <= draw < sums[i + 1] for a draw from [sums[from], sums[to]). */
size_t gen_pick_sum(struct gen_rng *rng, const uint64_t *sums, size_t from, size_t to);

/* Weight of rank r (0 is the most popular) by Zipf's law with exponent 1, in 1/2^40. */
uint64_t gen_zipf_weight(uint64_t rank);

/* ---- calendar; days count from 1970-01-01, times are seconds since then ---- */

#define GEN_DAY ((int64_t)86400)

struct gen_date {
	int year;
	unsigned month, day; /* from 1 */
};

int32_t gen_day_from(int year, unsigned month, unsigned day);
struct gen_date gen_date_of(int32_t day);
unsigned gen_weekday(int32_t day); /* 0: Sunday */
int gen_parse_day(const char *text, int32_t *ret, struct err *err) _must_check_;

/* How busy a day is: growth, month, weekday and the shopping days; about 1,000 on average. */
uint32_t gen_day_weight(int32_t day, int32_t window_from);
bool gen_is_sale_day(int32_t day);
int64_t gen_time_of_day(struct gen_rng *rng); /* seconds; evenings are busier than nights */

/* ---- embedded texts: sections of lines ---- */

struct gen_section {
	struct str name;
	struct str *lines;
	size_t n, cap;
};

struct gen_text {
	struct gen_section *sections;
	size_t n, cap;
	struct map by_name; /* name -> index + 1 */
};

/*
 * "[name]" opens a section, "#" a comment, every other line that is not empty is an entry; a
 * section that comes again is continued. The slices point into the file's text.
 */
void gen_text_add(struct gen_text *t, const char *text);
void gen_text_done(struct gen_text *t);
/* NULL when there is none. */
const struct gen_section *gen_text_getf(const struct gen_text *t, const char *fmt, ...)
    _printf_(2, 3);
const struct gen_section *gen_text_need(const struct gen_text *t, const char *name); /* or a bug */

/* The next part of a line before `separator`; advances `rest`. */
struct str gen_cut(struct str *rest, char separator);

/* ---- products ---- */

#define GEN_GROUPS_MAX	 64
#define GEN_ASPECTS_MAX	 64
#define GEN_SEGMENTS_MAX 16

/* Facts that a review can mention, by placeholder name. */
#define GEN_FACT_TABLE(X)         \
	X(BRAND, brand)           \
	X(MODEL, model)           \
	X(NAME, name)             \
	X(COLOUR, colour)         \
	X(LENGTH, length)         \
	X(YIELD, yield)           \
	X(SIZE, size)             \
	X(MEMORY, memory)         \
	X(STORAGE, storage)       \
	X(CPU, cpu)               \
	X(PACK, pack)             \
	X(WEIGHT, weight)         \
	X(RESOLUTION, resolution) \
	X(COMPAT, compat)         \
	X(MATERIAL, material)     \
	X(LINK, link)             \
	X(PLUG, plug)             \
	X(PRICE, price)           \
	X(DAYS, days)             \
	X(OWNED, owned)

enum gen_fact {
#define X(id, name) GEN_FACT_##id,
	GEN_FACT_TABLE(X)
#undef X
	    GEN_FACT_COUNT
};

#define GEN_NO_DAY INT32_MIN
#define GEN_PRICE_CENTS_MAX \
	INT64_C(1000000000) /* ten million; what DECIMAL(12,2) holds with room */

struct gen_product {
	const char *id;			   /* external id */
	const char *facts[GEN_FACT_COUNT]; /* NULL: unknown; the last three belong to a review */
	uint32_t price_cents;
	int32_t released; /* day; GEN_NO_DAY: unknown */
	uint16_t brand;	  /* same number, same brand */
	uint8_t group;
	uint8_t currency; /* index in catalog.currencies */
	bool is_service, is_cordless;
};

#define GEN_ASPECT_CORDLESS 0x80 /* only of goods without a cord */

struct gen_affinity {
	uint8_t with; /* group */
	uint32_t ppm;
	bool same_brand;
};

struct gen_group {
	struct str name;
	size_t from, to;     /* its products in catalog.products, by falling popularity */
	uint8_t aspects[16]; /* indices of aspects */
	size_t n_aspects;
	struct gen_affinity affinities[8];
	size_t n_affinities;
	uint32_t max_quantity; /* most pieces that people take */
	bool is_consumable;
};

struct gen_segment { /* kind of buyer */
	uint32_t share;
	uint64_t sums[GEN_GROUPS_MAX + 1]; /* weights of groups, summed */
};

struct gen_catalog {
	struct gen_product *products; /* by group, then popularity */
	size_t n, cap;
	uint64_t *sums; /* n + 1 sums of popularity */
	struct gen_group groups[GEN_GROUPS_MAX];
	size_t n_groups;
	struct gen_segment segments[GEN_SEGMENTS_MAX];
	size_t n_segments;
	uint32_t segment_shares;
	struct str aspects[GEN_ASPECTS_MAX];
	size_t n_aspects;
	const char *currencies[16];
	size_t n_currencies;
	const struct gen_section *rules; /* group = phrases */
	struct map brands;		 /* name -> number + 1 */
	struct map ids;
	struct arena arena;
	/* With keeps_objects: what the products were read from, objects[i] of products[i]. */
	bool keeps_objects;
	struct json_t **objects;
	size_t n_objects, cap_objects;
};

void gen_catalog_init(struct gen_catalog *c, const struct gen_text *t);
void gen_catalog_done(struct gen_catalog *c);
int gen_catalog_read(struct gen_catalog *c, const char *path, struct err *err) _must_check_;
/* A product as a line of a feed has it. */
int gen_catalog_add_json(struct gen_catalog *c, struct json_t *o, struct err *err) _must_check_;
/* `text` is title, product type and category: decides the group. Takes `p` by value. */
void gen_catalog_add(struct gen_catalog *c, struct gen_product p, const char *brand,
		     const char *text);
void gen_catalog_finish(struct gen_catalog *c, uint64_t seed); /* ranks and sums */
uint8_t gen_catalog_group(const struct gen_catalog *c, const char *text);
uint8_t gen_catalog_group_named(const struct gen_catalog *c, struct str name); /* or a bug */

/* Price in cents of a product on a day: its catalogue price, moved a little by month and sales. */
uint32_t gen_price_on(const struct gen_product *p, uint64_t seed, int32_t day, int32_t until);

/* ---- files ---- */

#define GEN_FIELDS_MAX 20
#define GEN_SCRATCH    ((size_t)96 << 10) /* a row's texts; the longest is a description */

struct gen_row {
	struct str fields[GEN_FIELDS_MAX];
	size_t n;
	size_t used;
	char scratch[GEN_SCRATCH];
};

void gen_row_clear(struct gen_row *row);
struct str gen_row_keep(struct gen_row *row, const void *data, size_t len); /* copies */
void gen_row_str(struct gen_row *row, struct str s);			    /* copies */
void gen_row_text(struct gen_row *row, const char *s);		     /* copies; NULL: empty */
void gen_row_key(struct gen_row *row, char letter, uint64_t number); /* "C-0000012" */
void gen_row_number(struct gen_row *row, uint64_t number);
void gen_row_cents(struct gen_row *row, uint64_t cents); /* "12.05" */
void gen_row_day(struct gen_row *row, int32_t day);
void gen_row_time(struct gen_row *row, int64_t at); /* "2026-06-30 14:05:09" */

#define GEN_FILE_BUFFER ((size_t)256 * 1024)

struct gen_file {
	const char *name; /* NULL: not open */
	char *part_path, *path;
	int fd;
	char *buffer;
	size_t used;
	uint64_t line; /* of the next row */
	uint64_t rows, bytes, defects;
};

/* Without a header: lines that are no CSV. */
int gen_file_open(struct gen_file *f, const char *folder, const char *name, const char *header,
		  struct err *err) _must_check_;
int gen_file_write(struct gen_file *f, const struct gen_row *row, struct err *err) _must_check_;
int gen_file_write_line(struct gen_file *f, struct str line, struct err *err) _must_check_;
int gen_file_finish(struct gen_file *f, struct err *err) _must_check_;	/* flushed and fsynced */
int gen_file_publish(struct gen_file *f, struct err *err) _must_check_; /* gets its name */
void gen_file_done(struct gen_file *f); /* removes what was not published */

/* ---- people ---- */

struct gen_locale {
	struct str name; /* "en-US" */
	struct str country;
	const struct gen_section *first[2], *last, *streets, *cities, *phones, *flats;
};

#define GEN_LOCALES_MAX 16

struct gen_customers {
	uint64_t n;
	uint64_t *sums;	     /* n + 1 sums of how often people buy */
	int32_t *registered; /* day, never falling */
};

/* ---- everything ---- */

struct gen_defects {
	uint64_t seed;
	uint32_t ppm;
	struct gen_row row;			 /* of defects.csv */
	uint64_t turn[SHOP_GENERATE_FILE_COUNT]; /* kinds take turns, so that each occurs */
	uint64_t owed[SHOP_GENERATE_FILE_COUNT]; /* kinds that did not fit at their turn, as bits */
	struct strbuf last[SHOP_GENERATE_FILE_COUNT]; /* e-mail, EAN of the row before */
};

struct gen_words; /* review texts: generate_text.c */

struct gen {
	const struct shop_generate_options *options;
	int32_t until, window_from; /* days; both included */
	uint64_t *day_sums;	    /* of gen_day_weight over the window */
	size_t n_days;
	struct gen_text text;
	struct gen_catalog catalog;
	struct gen_locale locales[GEN_LOCALES_MAX];
	size_t n_locales;
	uint32_t locale_shares[GEN_LOCALES_MAX + 1];
	struct gen_customers customers;
	struct gen_words *words;
	struct gen_defects defects;
	struct gen_file files[SHOP_GENERATE_FILE_COUNT];
	struct gen_row row;
	uint64_t reported; /* rows at the last progress */
	uint64_t rows;
};

/* Spoils the row perhaps, writes it, notes the defect in the manifest. */
int gen_write(struct gen *g, enum shop_generate_file which, struct err *err) _must_check_;

/* The line as it is: no defects. */
int gen_write_line(struct gen *g, enum shop_generate_file which, struct str line, struct err *err)
    _must_check_;

int gen_people_init(struct gen *g, struct err *err) _must_check_;
void gen_people_done(struct gen *g);
int gen_people_write(struct gen *g, struct err *err) _must_check_;
unsigned gen_customer_addresses(const struct gen *g, uint64_t customer); /* 1 to 3 */
unsigned gen_customer_segment(const struct gen *g, uint64_t customer);

int gen_goods_write(struct gen *g, struct err *err) _must_check_;
void gen_own_ean(uint64_t number, char ret[static 14]); /* of the range for a shop's own numbers */
int gen_variants_write(struct gen *g, struct err *err) _must_check_;

#define GEN_LINES_MAX 8

enum gen_status {
	GEN_STATUS_PENDING,
	GEN_STATUS_PAID,
	GEN_STATUS_SHIPPED,
	GEN_STATUS_DELIVERED,
	GEN_STATUS_CANCELLED,
	GEN_STATUS_RETURNED
};

struct gen_order {
	uint64_t index, customer, total_cents;
	int64_t at, delivered_at;
	enum gen_status status;
	unsigned address; /* from 1; 0: none, only services */
	unsigned n_lines;
	struct {
		uint32_t product, quantity, price_cents;
	} lines[GEN_LINES_MAX];
};

/* Order `index` of day `day`: always the same for the same g. */
void gen_order_make(const struct gen *g, uint64_t index, int32_t day, struct gen_order *ret);
/* Number of the first order of the n-th day of the window. */
uint64_t gen_orders_before(const struct gen *g, size_t nth_day);
int gen_orders_write(struct gen *g, struct err *err) _must_check_;

struct gen_review_picker;
struct gen_review_picker *gen_review_picker_new(const struct gen *g, struct err *err);
struct gen_review_picker *gen_review_picker_free(struct gen_review_picker *p);
DEFINE_CLEANUP(struct gen_review_picker *, gen_review_picker_free)
/* Writes the reviews that the order's lines get. */
int gen_reviews_of(struct gen_review_picker *p, struct gen *g, const struct gen_order *o,
		   struct err *err) _must_check_;

/*
 * Appends a line of the section, drawn among those whose placeholders are known: "{colour}" is a
 * fact,
 * "{a|b|}" a choice. False, and nothing appended, when no such line was found.
 */
bool gen_words_expand(struct gen_rng *rng, const char *const *facts, const struct gen_section *s,
		      struct strbuf *out);

struct gen_words *gen_words_new(const struct gen_text *t, const struct gen_catalog *c);
struct gen_words *gen_words_free(struct gen_words *w);
struct gen_review_brief {
	uint64_t seed;
	const struct gen_product *product;
	unsigned rating; /* 1 to 5 */
	uint32_t price_cents;
	unsigned delivery_days, owned_days;
};
/* Appends to title and text; at most 200 and about 2,000 bytes. */
void gen_words_review(const struct gen_words *w, struct gen_rng *rng,
		      const struct gen_review_brief *b, struct strbuf *title, struct strbuf *text);

/* Spoils a field of the row and returns the kind and the column, or NULL. */
const char *gen_defect_apply(struct gen_defects *d, enum shop_generate_file which,
			     struct gen_row *row, uint64_t index, size_t *ret_column);
/* The kinds that a file can have, by number; NULL after the last. */
const char *gen_defect_kind(enum shop_generate_file which, size_t nth);

/* Kinds that leave the row as it is and add a spoiled copy after it. */
#define GEN_KIND_TWICE	  "row_twice"
#define GEN_KIND_SUPPLIER "supplier_duplicate"
