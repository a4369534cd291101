/* Any bytes as a line of server_audit and as a statement: what is kept holds nothing but words that
 * stood outside of quotes, and marks. */
#include "fuzz.h"
#include "govern/rbac_line.h"

#include "base/banned.h"

const char fuzz_corpus[] = "govern_rbac_line";

static void check(struct str kept)
{
	for (size_t i = 0; i < kept.len; i++) {
		char c = kept.data[i];

		bug_if(c < ' ' || c > '~' || c == '\'' || c == '"' || c == '\\' || c == '#');
		/* A digit is a part of a name. */
		if (c >= '0' && c <= '9')
			bug_if(i == 0 || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
						 "XYZ_$`0123456789",
						 kept.data[i - 1]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(strbuf_done) struct strbuf kept = STRBUF_INIT(0);
	struct str line = {(const char *)data, size};
	struct rbac_line l;
	char outcome[24];

	if (size == 0)
		return 0;
	rbac_statement_without_literals(line, &kept);
	check(strbuf_slice(&kept));
	(void)rbac_statement_is_noise(line);
	(void)rbac_statement_is_noise(strbuf_slice(&kept));
	strbuf_clear(&kept);
	if (!rbac_line_parse(line, &l))
		return 0;
	bug_if(rbac_line_is_scrubbed(line));
	rbac_line_outcome(&l, outcome, sizeof(outcome));
	rbac_line_statement(&l, &kept);
	check(strbuf_slice(&kept));
	bug_if(kept.len && !l.statement.data);
	return 0;
}
