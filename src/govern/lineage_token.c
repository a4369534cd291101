/* Words of SQL, for who reads the text of views and procedures: see lineage_int.h. */
#include "govern/lineage_int.h"

#include <ctype.h>
#include <strings.h>

#include "base/banned.h"

/* Behind the closing quote; a doubled one, and one behind a backslash, stands for itself. */
static size_t end_of_quoted(struct str s, size_t at)
{
	char quote = s.data[at++];

	while (at < s.len) {
		bool is_escape = s.data[at] == '\\' && quote != '`';

		if (s.data[at] == quote && (at + 1 == s.len || s.data[at + 1] != quote))
			return at + 1;
		at += is_escape || s.data[at] == quote ? 2 : 1; /* with what it escapes */
	}
	return s.len;
}

static bool starts_with(struct str s, size_t at, const char *text)
{
	return at < s.len && str_starts((struct str){s.data + at, s.len - at}, text);
}

/* Behind a comment that begins here; `at` when none does. */
static size_t skip_comment(struct str s, size_t at)
{
	if (starts_with(s, at, "#") || starts_with(s, at, "--")) {
		while (at < s.len && s.data[at] != '\n')
			at++;
	} else if (starts_with(s, at, "/*")) {
		at += 2;
		while (at < s.len && !starts_with(s, at, "*/"))
			at++;
		at = at < s.len ? at + 2 : s.len;
	}
	return at;
}

/* Behind white space and comments. */
static size_t skip(struct str s, size_t at)
{
	size_t before;

	do {
		before = at;
		while (at < s.len && isspace((unsigned char)s.data[at]))
			at++;
		at = skip_comment(s, at);
	} while (at != before);
	return at;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

struct lineage_token lineage_next_token(struct str *s)
{
	struct lineage_token t = {0};
	size_t at = skip(*s, 0), end = at;

	if (at == s->len) {
		*s = (struct str){s->data + at, 0};
		return t;
	}
	if (s->data[at] == '`' || s->data[at] == '\'' || s->data[at] == '"') {
		end = end_of_quoted(*s, at);
		t.kind = s->data[at] == '`' ? TOKEN_NAME : TOKEN_SIGN;
		t.quoted = (struct str){s->data + at + 1, end - at > 1 ? end - at - 2 : 0};
		t.text = t.kind == TOKEN_NAME ? t.quoted : str_from("?");
	} else if (is_word(s->data[at])) {
		while (end < s->len && is_word(s->data[end]))
			end++;
		t.kind = TOKEN_WORD;
		t.text = (struct str){s->data + at, end - at};
	} else {
		end = at + 1;
		t.kind = TOKEN_SIGN;
		t.text = (struct str){s->data + at, 1};
	}
	*s = (struct str){s->data + end, s->len - end};
	return t;
}

bool lineage_token_is(struct lineage_token t, const char *word)
{
	return t.kind != TOKEN_NAME && t.text.len == strlen(word) &&
	       strncasecmp(t.text.data, word, t.text.len) == 0;
}
