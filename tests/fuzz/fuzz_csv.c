/* Any bytes as a CSV feed and its values: cleaned text that is clean, or an error with a line. */
#include "fuzz.h"
#include "shop/clean.h"
#include "shop/clean_date.h"
#include "shop/load_reader.h"

#include "base/banned.h"

const char fuzz_corpus[] = "csv";

static void clean_field(struct clean *c, struct str s, struct strbuf *out)
{
	static const struct clean_text_options options = {
	    .html = true, .lines = true, .max_chars = 100, .max_bytes = 300};
	struct clean_date d;
	int64_t n;

	strbuf_clear(out);
	(void)clean_text(c, s, &options, out);
	bug_if(!utf8_is_valid(strbuf_str(out), out->len));
	bug_if(out->len > options.max_bytes);

	struct strbuf value = STRBUF_INIT(0);
	struct str text = strbuf_slice(out);

	if (text.len) {
		(void)clean_email(text, &value);
		(void)clean_phone(text, &value);
		(void)clean_ean(text, &value);
		(void)clean_choice(text, "a|b_c", &value);
		(void)clean_country(text, &value);
		(void)clean_currency(text, &value);
		(void)clean_locale(text, &value);
		(void)clean_decimal(text, &n);
		(void)clean_integer(text, &n);
		clean_fold(text, &value);
		if (clean_date_parse(text, CLEAN_DATE_DAY_FIRST, &d))
			bug_if(d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31);
		bug_if(!utf8_is_valid(strbuf_str(&value), value.len));
	}
	strbuf_done(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct load_reader *r =
	    load_reader_memory("fuzz.csv", (struct str){(const char *)data, size});
	struct strbuf out = STRBUF_INIT(0);
	struct load_record record;
	struct clean clean = {0};
	struct err err = {0};
	int rc;

	while ((rc = load_reader_record(r, &record, &err)) > 0) {
		bug_if(record.n_fields == 0 || record.n_fields > LOAD_FIELDS_MAX);
		for (size_t i = 0; i < record.n_fields; i++)
			clean_field(&clean, record.fields[i], &out);
	}
	bug_if(rc < 0 && !strstr(err.message, "fuzz.csv:"));
	load_reader_close(r);
	clean_done(&clean);
	strbuf_done(&out);
	return 0;
}
