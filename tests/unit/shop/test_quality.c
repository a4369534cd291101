/* The table of quality rules, its log texts and its documentation. */
#include "base/file.h"
#include "shop/quality.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/banned.h"

static void every_rule_is_documented(void **state)
{
	struct strbuf path = STRBUF_INIT(0), doc = STRBUF_INIT(0), row = STRBUF_INIT(0);
	struct err err = {0};

	(void)state;
	strbuf_addf(&path, "%s/docs/data.md", getenv("AETHERMART_SOURCE_ROOT"));
	assert_int_equal(file_read(strbuf_str(&path), &doc, &err), 0);
	for (int i = 0; i < QUALITY_COUNT; i++) {
		const struct quality_rule *r = quality_rule_get((enum quality_rule_id)i);

		strbuf_clear(&row);
		strbuf_addf(&row, "| `%s` | %s | %s | %s |\n", r->name, r->severity, r->action,
			    r->help);
		if (!strstr(strbuf_str(&doc), strbuf_str(&row)))
			fail_msg("docs/data.md lacks: %s", strbuf_str(&row));
	}
	strbuf_done(&path);
	strbuf_done(&doc);
	strbuf_done(&row);
}

static void log_texts_are_utf_8_and_bounded(void **state)
{
	struct strbuf out = STRBUF_INIT(0);
	char text[4000];

	(void)state;
	quality_add_text(&out, str_from("Caf\xE9 \xC3\xA9"));
	assert_string_equal(strbuf_str(&out), "Caf\\xE9 \xC3\xA9");
	memset(text, 0xFF, sizeof(text));
	strbuf_clear(&out);
	quality_add_text(&out, (struct str){text, sizeof(text)});
	assert_true(out.len <= QUALITY_TEXT_MAX);
	assert_true(utf8_is_valid(out.data, out.len));
	strbuf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_rule_is_documented),
	    cmocka_unit_test(log_texts_are_utf_8_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
