/* The table of quality rules, and texts fit for its log: see quality.h. */
#include "shop/quality.h"

#include "base/banned.h"

const struct quality_rule *quality_rule_get(enum quality_rule_id id)
{
	static const struct quality_rule rules[] = {
#define X(id_, name_, severity_, action_, help_) \
	[QUALITY_##                              \
	    id_] = {name_, severity_, action_, help_, (action_)[0] == 'r', (action_)[0] == 'c'},
	    QUALITY_TABLE(X)
#undef X
	};

	bug_if((size_t)id >= ARRAY_LEN(rules));
	return &rules[id];
}

void quality_add_text(struct strbuf *out, struct str text)
{
	size_t chars = 0;

	for (size_t i = 0; i < text.len && chars < QUALITY_TEXT_MAX; chars++) {
		unsigned char c = (unsigned char)text.data[i];
		size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

		if (i + n <= text.len && utf8_is_valid(text.data + i, n)) {
			strbuf_add(out, text.data + i, n);
			i += n;
		} else if (chars + 4 <= QUALITY_TEXT_MAX) {
			strbuf_addf(out, "\\x%02X", c);
			chars += 3;
			i++;
		} else {
			break;
		}
	}
}
