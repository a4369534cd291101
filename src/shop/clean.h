/*
 * Cleaning of single values: what comes in is text from strangers, what goes out is fit for the
 * shop. Every function is pure (no state but its buffers), never fails on bad bytes, and says what
 * it changed, so that the caller can write it into the quality log.
 *
 * A struct clean holds scratch memory and belongs to one thread. Results are appended to the
 * caller's strbuf.
 */
#pragma once

#include "base/strbuf.h"

/* What clean_text() did; several may hold. */
enum clean_change {
	CLEAN_ENCODING = 1 << 0, /* bytes that were no UTF-8, or UTF-8 read as Windows-1252 */
	CLEAN_HTML = 1 << 1,	 /* tags and entities made plain text */
	CLEAN_CONTROL = 1 << 2,	 /* control characters, byte order marks, zero-width spaces */
	CLEAN_SPACE = 1 << 3,	 /* outer, doubled and exotic white space */
	CLEAN_NFC = 1 << 4,	 /* composed differently */
	CLEAN_CUT = 1 << 5,	 /* longer than allowed */
};

struct clean_text_options {
	bool html;	  /* take tags and entities out */
	bool lines;	  /* line breaks may stay */
	size_t max_chars; /* 0: no limit */
	size_t max_bytes; /* 0: no limit */
};

struct clean {
	struct strbuf a, b; /* scratch */
};

void clean_done(struct clean *c);

/* Appends the cleaned text to `out`; returns the set of changes. The result is valid UTF-8 in
 * normal form C without control characters. */
unsigned clean_text(struct clean *c, struct str in, const struct clean_text_options *options,
		    struct strbuf *out);

/* The first step of clean_text() on its own; returns whether something changed. */
bool clean_encoding(struct str in, struct strbuf *out);

/*
 * Folds text for comparing names: compatibility form, no case, no accents; everything that is no
 * letter and no digit becomes one space; none at the ends. "Café-Bar, Ltd." -> "cafe bar ltd".
 */
void clean_fold(struct str in, struct strbuf *out);

/* How a value was found; COMMON to all checks below. */
enum clean_result {
	CLEAN_OK,	 /* as it should be */
	CLEAN_CORRECTED, /* usable after a change that is worth a log row */
	CLEAN_BAD,	 /* not usable */
};

/*
 * An e-mail address: lower case, one "@", a domain with a dot, no spaces. Repairs what has one
 * meaning: "John <j@x.org>", "mailto:", " (at) ", "@@", "x,com", trailing dots.
 */
enum clean_result clean_email(struct str in, struct strbuf *out);

/* Digits with the usual separators, "+" in front, an extension after "x". "tel:" goes. BAD: other
 * characters, below 5 or above 20 digits. */
enum clean_result clean_phone(struct str in, struct strbuf *out);

/* EAN-13 or EAN-8 with a true check digit; UPC (12) gets its zero, GTIN-14 with a leading zero
 * loses it, spaces and hyphens go. */
enum clean_result clean_ean(struct str in, struct strbuf *out);

/* A decimal with two places as a number of hundredths. Understands "1,299.00", "1.299,00",
 * "$ 12", "12.5 EUR"; more than two places are rounded half up (CORRECTED). */
enum clean_result clean_decimal(struct str in, int64_t *ret_hundredths);

/* A whole number; "4.0", "1,200" and "4/5" are CORRECTED. */
enum clean_result clean_integer(struct str in, int64_t *ret);

/* One of the words in `choices` ("a|b|c"), whatever case and separators ("On Site" = "on_site"),
 * or a usual synonym ("canceled"). BAD: none of them. */
enum clean_result clean_choice(struct str in, const char *choices, struct strbuf *out);

/* Two upper-case letters; a few usual names and three-letter codes are CORRECTED. */
enum clean_result clean_country(struct str in, struct strbuf *out);
/* Three upper-case letters, or a usual sign. */
enum clean_result clean_currency(struct str in, struct strbuf *out);
/* "en" or "en-US"; "en_us" is CORRECTED. */
enum clean_result clean_locale(struct str in, struct strbuf *out);
