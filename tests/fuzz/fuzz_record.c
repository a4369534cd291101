/* Any bytes as the record of a document: refused, or read as one that is written as the same bytes
 * again, and that columns take and give back. */
#include "fuzz.h"
#include "search/search_record.h"

#include "base/banned.h"

const char fuzz_corpus[] = "record";

static const char rules_text[] = "collections:\n"
				 "  c:\n"
				 "    texts: [{parts: [{say: x}]}]\n"
				 "    shown: {code: code}\n"
				 "    fields: {name: {parts: [{field: name}]}}\n"
				 "    attributes:\n"
				 "      price: {field: price, type: number}\n"
				 "      released: {field: released, type: date}\n"
				 "      in_stock: {field: stock, type: boolean}\n"
				 "      brand: {field: brand, type: text}\n"
				 "      specs: {pairs: specs}\n";

static void take_in(const struct search_collection *c, const struct search_record *r)
{
	struct search_columns *columns = search_columns_new(c);
	struct search_filter any = {.attribute = "price", .kind = SEARCH_FILTER_RANGE};
	uint64_t bits[1] = {1U << 5};

	search_columns_put(columns, 5, r->data, r->n_data);
	search_columns_remove(columns, 5, r->data, r->n_data);
	any.min = -__builtin_inf();
	any.max = __builtin_inf();
	bug_if(search_columns_filter(columns, &any, bits, 1, NULL) < 0 || bits[0]);
	search_columns_free(columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct search_rules *rules = NULL;
	const struct search_collection *c;
	struct arena arena = {0};
	struct search_record r;
	struct strbuf b = STRBUF_INIT(2 * SEARCH_RECORD_MAX);
	char *copy = mem_dup(data, size); /* so that a sanitizer sees what is beyond */
	struct err err = {0};
	int got;

	bug_if(search_rules_parse("s.yaml", str_from(rules_text), &rules, &err) < 0);
	c = search_rules_find(rules, "c");
	got = search_record_read(c, (struct str){copy, size}, &arena, &r, &err);
	bug_if(got < 0 && got != -ERR_CORRUPTED);
	if (got == 0 && size <= SEARCH_RECORD_MAX) {
		bug_if(search_record_write(c, &r, &b, &err) < 0);
		bug_if(!str_equal(strbuf_slice(&b), (struct str){copy, size}));
		take_in(c, &r);
	}
	strbuf_done(&b);
	mem_free(copy);
	arena_done(&arena);
	search_rules_free(rules);
	return 0;
}
