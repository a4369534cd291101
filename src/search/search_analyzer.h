/*
 * From text to terms: what is found when somebody types a word. The same text gives the same terms,
 * in documents and in queries.
 *
 * A word is normalised (NFKC, case folded, accents removed, possessive 's dropped), then stemmed if
 * it consists of letters. Words of letters and digits and compounds are kept whole and in pieces,
 * all at the position of the whole or following it: "RTX4060" is rtx4060, rtx, 4060; "wi-fi" is
 * wifi, wi, fi; "16GB" is 16gb, 16, gb. A mixed part of a compound is kept whole too, as a piece
 * that its own pieces follow: "HP-4550N" is hp4550n, hp, 4550n, 4550, n. "1920x1080" is 1920x1080,
 * 1920, 1080: its x has a position and no token, so that the places are those of "1920 x 1080".
 *
 * A slash joins nothing. "C++", "C#", "A+++" are terms (one letter and its marks); characters of
 * scripts without spaces, such as Han, kana and Thai, are words each.
 *
 * An analyzer is one thread's. Tokens live until the next call with the same struct.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#define SEARCH_TERM_MAX 64 /* bytes of a term; a longer word is cut at a character */

enum search_token_kind {
	SEARCH_TOKEN_WORD,   /* letters: stemmed */
	SEARCH_TOKEN_NUMBER, /* digits with dots between them; commas of thousands are dropped */
	SEARCH_TOKEN_MIXED,  /* letters and digits: the whole */
	SEARCH_TOKEN_JOINED, /* a compound without what joined it: wifi */
};

struct search_token {
	struct str term;
	struct str folded; /* normalised, not stemmed */
	enum search_token_kind kind;
	uint32_t position;   /* of the word it begins at; counts words and pieces */
	uint32_t width;	     /* positions that it covers: a whole covers its pieces */
	uint32_t start, end; /* bytes of the text */
	bool is_piece;	     /* of the whole before it */
	bool is_stop;	     /* "the", "for", "with": says little by itself; English only */
};

struct search_tokens {
	struct search_token *items;
	size_t n, cap;
	uint32_t positions; /* of the text */
	struct strbuf bytes;
};
void search_tokens_done(struct search_tokens *t);

struct search_analyzer;

/* `language` as libstemmer names it: "english"; ERR_INVALID_ARGUMENT lists those it knows. NULL:
 * words are not stemmed. */
int search_analyzer_new(const char *language, struct search_analyzer **ret, struct err *err)
    _must_check_;
struct search_analyzer *search_analyzer_free(struct search_analyzer *a);
DEFINE_CLEANUP(struct search_analyzer *, search_analyzer_free)

/* Any bytes, 4 GiB of them at most; what is no UTF-8 parts words. */
void search_analyze(struct search_analyzer *a, struct str text, struct search_tokens *ret);
/* The stem of one normalised word (as `folded` of a token), in the analyzer's memory until its next
 * call. What has a digit is its own. */
struct str search_analyzer_stem(struct search_analyzer *a, struct str folded);
