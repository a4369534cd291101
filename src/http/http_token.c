/* The folder's own token: made once, kept in a file that only its owner reads, compared in fixed
 * time. And the header that carries one. */
#include "http/http_server_int.h"

#include "base/file.h"
#include "base/mem.h"

#include <sodium.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/banned.h"

#define TOKEN_LENGTH 43 /* of 62 letters: 256 bits */
#define TOKEN_MIN    32
#define TOKEN_MAX    256

static int make_token(const char *path, char **ret, struct err *err)
{
	_cleanup_(mem_freep) char *token = random_password(TOKEN_LENGTH);
	_cleanup_(mem_freep) char *text = mem_printf("%s\n", token);
	int r = file_write_atomic(path, text, strlen(text), 0600, err);

	if (r < 0)
		return r;
	*ret = TAKE_PTR(token);
	return 0;
}

static bool is_token(struct str s)
{
	if (s.len < TOKEN_MIN || s.len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] <= ' ' || s.data[i] > '~')
			return false;
	}
	return true;
}

int http_token_load(const char *dir, char **ret, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, HTTP_TOKEN_NAME);
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);
	struct stat st;
	struct str s;
	int r;

	if (stat(path, &st) < 0)
		return make_token(path, ret, err);
	if (st.st_mode & 077) {
		(void)err_set(err, ERR_PERMISSION,
			      "others than its owner may read the token in \"%s\" (mode %03o)",
			      path, (unsigned)st.st_mode & 0777);
		return err_hint(err, "remove the file, so that a new token is made");
	}
	r = file_read(path, &b, err);
	if (r < 0)
		return r;
	s = str_trim(strbuf_slice(&b));
	if (!is_token(s)) {
		(void)err_set(err, ERR_CORRUPTED,
			      "\"%s\" holds no token of %d to %d letters without white space", path,
			      TOKEN_MIN, TOKEN_MAX);
		return err_hint(err, "remove the file, so that a new token is made");
	}
	*ret = mem_strndup(s.data, s.len);
	return 0;
}

bool http_token_read(const char *header, struct str *ret)
{
	static const char scheme[] = "Bearer ";

	if (strncasecmp(header, scheme, strlen(scheme)) != 0)
		return false;
	*ret = str_trim(str_from(header + strlen(scheme)));
	return ret->len > 0 && ret->len <= TOKEN_MAX;
}

bool http_token_matches(const char *token, struct str given)
{
	size_t len = strlen(token);

	/* The length of a token is no secret. */
	return given.len == len && sodium_memcmp(given.data, token, len) == 0;
}
