/*
 * Any bytes as an Authorization header, and as a rate: what is taken for a token lies within them
 * and, when it has a token's form, has an ID of eight letters and digits.
 */
#include "fuzz.h"
#include "http/http_server_int.h"

#include <ctype.h>

#include "base/banned.h"

const char fuzz_corpus[] = "http_token";

static void check_token(const char *header)
{
	char id[TOKEN_ID_LEN + 1];
	struct str token;

	if (!http_token_read(header, &token))
		return;
	bug_if(!token.len || token.data < header ||
	       token.data + token.len > header + strlen(header));
	(void)http_token_matches("0123456789", token);
	if (!token_parse(token, id))
		return;
	bug_if(token.len != TOKEN_TEXT_LEN || strlen(id) != TOKEN_ID_LEN ||
	       memcmp(token.data + 3, id, TOKEN_ID_LEN) != 0);
	for (size_t i = 0; i < TOKEN_ID_LEN; i++)
		bug_if(!isalnum((unsigned char)id[i]));
}

static void check_rate(struct str text)
{
	struct strbuf b = STRBUF_INIT(64);
	struct token_rate rate, again;

	if (token_parse_rate(text, &rate, NULL) == 0) {
		token_add_rate(&b, &rate);
		bug_if(token_parse_rate(strbuf_slice(&b), &again, NULL) < 0);
		bug_if(rate.count != again.count || rate.seconds != again.seconds || !rate.count);
	}
	strbuf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);

	check_token(text);
	check_rate((struct str){text, size});
	mem_free(text);
	return 0;
}
