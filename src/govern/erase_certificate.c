/*
 * The proof of an erasure: JSON {"certificate": TEXT, "signature": HEX, "key": HEX}, where TEXT is
 * JSON itself and is signed byte by byte with Ed25519, so that nobody has to agree about the form
 * of JSON to check it.
 */
#include "govern/erase_int.h"

#include <sodium.h>

#include "base/banned.h"

char *erase_certificate_sign(const json_t *content, const unsigned char *secret_key)
{
	unsigned char signature[crypto_sign_BYTES], public_key[crypto_sign_PUBLICKEYBYTES];
	char signature_hex[2 * crypto_sign_BYTES + 1], key_hex[2 * crypto_sign_PUBLICKEYBYTES + 1];
	char *text = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS), *ret;
	json_t *whole;

	crypto_sign_detached(signature, NULL, (const unsigned char *)text, strlen(text),
			     secret_key);
	crypto_sign_ed25519_sk_to_pk(public_key, secret_key);
	sodium_bin2hex(signature_hex, sizeof(signature_hex), signature, sizeof(signature));
	sodium_bin2hex(key_hex, sizeof(key_hex), public_key, sizeof(public_key));
	whole = json_pack("{s:s,s:s,s:s}", "certificate", text, "signature", signature_hex, "key",
			  key_hex);
	ret = json_dumps(whole, JSON_INDENT(2));
	json_decref(whole);
	mem_free(text);
	return ret;
}

static bool read_hex(const char *hex, unsigned char *ret, size_t size)
{
	size_t len = 0;

	return sodium_hex2bin(ret, size, hex, strlen(hex), NULL, &len, NULL) == 0 && len == size;
}

int erase_certificate_check(const char *text, const unsigned char *public_key, struct err *err)
{
	unsigned char signature[crypto_sign_BYTES], key[crypto_sign_PUBLICKEYBYTES];
	const char *content, *signature_hex, *key_hex;
	json_t *whole = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	int r = 0;

	if (!whole || json_unpack(whole, "{s:s,s:s,s:s}", "certificate", &content, "signature",
				  &signature_hex, "key", &key_hex) < 0)
		r = err_set(err, ERR_CORRUPTED, "this is no certificate of an erasure");
	else if (!read_hex(signature_hex, signature, sizeof(signature)) ||
		 !read_hex(key_hex, key, sizeof(key)) ||
		 crypto_sign_verify_detached(signature, (const unsigned char *)content,
					     strlen(content), key) < 0)
		r = err_set(err, ERR_CORRUPTED, "the certificate was changed after it was signed");
	else if (memcmp(key, public_key, sizeof(key)) != 0)
		r = err_set(err, ERR_CORRUPTED,
			    "the certificate is whole, but another key signed it than that of "
			    "\"secrets/audit\" here, or of --key");
	json_decref(whole);
	return r;
}

int erase_certificate_is_of(const char *text, const char *subject, uint64_t id, struct err *err)
{
	json_t *whole = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *inner = NULL;
	const char *content = "", *whose = "";
	json_int_t number = 0;
	int r = 0;

	if (whole && json_unpack(whole, "{s:s}", "certificate", &content) == 0)
		inner = json_loads(content, JSON_REJECT_DUPLICATES, NULL);
	if (!inner || json_unpack(inner, "{s:s,s:I}", "subject", &whose, "erasure", &number) < 0)
		r = err_set(err, ERR_CORRUPTED, "this is no certificate of an erasure");
	else if (!cstr_equal(whose, subject) || (id && (uint64_t)number != id))
		r = err_set(err, ERR_CORRUPTED,
			    "this is the certificate of erasure %" JSON_INTEGER_FORMAT ", of %.60s",
			    number, whose);
	json_decref(inner);
	json_decref(whole);
	return r;
}
