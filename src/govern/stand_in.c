/* Stand-ins for personal values: see stand_in.h. */
#include "govern/stand_in.h"

#include <sodium.h>

#include "base/banned.h"

#define STREAM_MAX 65536 /* bytes of randomness for one value: TEXT is no longer */
#define KEY_BYTES  12	 /* of an identifier: 24 hex digits */

/* Random bytes that follow from the value. */
struct stream {
	unsigned char bytes[STREAM_MAX];
	size_t at;
};

static void stream_init(struct stream *s, const unsigned char *key, const char *column,
			struct str value)
{
	unsigned char seed[randombytes_SEEDBYTES];
	crypto_generichash_state state;
	size_t size = value.len + 64;

	crypto_generichash_init(&state, key, STAND_IN_KEY_SIZE, sizeof(seed));
	crypto_generichash_update(&state, (const unsigned char *)column, strlen(column) + 1);
	crypto_generichash_update(&state, (const unsigned char *)value.data, value.len);
	crypto_generichash_final(&state, seed, sizeof(seed));
	randombytes_buf_deterministic(s->bytes, size < STREAM_MAX ? size : STREAM_MAX, seed);
	s->at = 0;
}

static unsigned next(struct stream *s, unsigned n)
{
	return s->bytes[s->at < STREAM_MAX - 1 ? s->at++ : s->at] % n;
}

static void add_hex(struct strbuf *b, struct stream *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(b, "%02x", next(s, 256));
}

/* "Tavoke": syllables, so that it reads like a name. */
static void add_name(struct strbuf *b, struct stream *s)
{
	static const char consonants[] = "bdfgklmnprstvz", vowels[] = "aeiou";

	for (size_t i = 0; i < 3; i++) {
		char c = consonants[next(s, sizeof(consonants) - 1)];

		strbuf_addch(b, i ? c : (char)(c - 'a' + 'A'));
		strbuf_addch(b, vowels[next(s, sizeof(vowels) - 1)]);
	}
}

/* Letters become letters and digits digits; what is beyond ASCII becomes an x a character. */
static void add_shape(struct strbuf *b, struct stream *s, struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c >= '0' && c <= '9')
			strbuf_addch(b, (char)('0' + next(s, 10)));
		else if (c >= 'a' && c <= 'z')
			strbuf_addch(b, (char)('a' + next(s, 26)));
		else if (c >= 'A' && c <= 'Z')
			strbuf_addch(b, (char)('A' + next(s, 26)));
		else if (c < 0x80)
			strbuf_addch(b, (char)c);
		else if ((c & 0xC0) != 0x80)
			strbuf_addch(b, 'x');
	}
}

void stand_in_add(struct strbuf *b, const unsigned char *key, const char *pii, const char *column,
		  struct str value)
{
	struct stream s;

	if (!pii || !value.data)
		return;
	/* Who has one name, or was erased, gets another: loading wants both. */
	if (!value.len && !cstr_equal(pii, "name"))
		return;
	if (cstr_equal(pii, "open") || cstr_equal(pii, "financial") || cstr_equal(pii, "region")) {
		strbuf_add(b, value.data, value.len);
		return;
	}
	if (cstr_equal(pii, "birth_date")) {
		strbuf_add(b, value.data, value.len < 4 ? value.len : 4);
		strbuf_addstr(b, "-01-01");
		return;
	}
	if (cstr_equal(pii, "moment")) { /* "2024-05-17 ..." */
		strbuf_add(b, value.data, value.len < 7 ? value.len : 7);
		strbuf_addstr(b, "-01");
		return;
	}
	stream_init(&s, key, column, value);
	if (cstr_equal(pii, "identifier")) {
		add_hex(b, &s, KEY_BYTES);
	} else if (cstr_equal(pii, "email")) {
		add_hex(b, &s, KEY_BYTES);
		strbuf_addstr(b, "@mail.example");
	} else if (cstr_equal(pii, "name")) {
		add_name(b, &s);
	} else {
		add_shape(b, &s, value);
	}
}
