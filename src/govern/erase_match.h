/*
 * Whether a text of a person stands in other bytes: the one matcher by which every store is
 * searched.
 *
 * Both sides are folded: compatibility forms and letter cases are one (NFKD and case folding of
 * Unicode, so that a letter and its accent are the same together and apart), any run of white space
 * is one blank, typographic quotes and dashes are plain ones; bytes that are no UTF-8 stay as they
 * are. What is looked through is looked through as it is, and again with its escapes undone: %40,
 * \u00fc and \" of JSON, &uuml; of HTML, '' and x'40' of SQL.
 *
 * A text is found at the edges of words only: no letter or digit stands directly beside it, so that
 * "ann.lee@example.com" is not in "joann.lee@example.com". Scripts that write without blanks have
 * no such edges.
 *
 * - A telephone number is compared by its digits, whatever stands between them, numbers too; "+"
 *   before a country's number is "00".
 * - A name is found as "First Last", "Last, First", "Last First" and with other signs between; and
 *   in a row, a document or a line where each part stands alone.
 *
 * Speed: a value is folded once and then passed over once for all texts: the first three bytes of
 * each are in a filter, and what passes it is compared. One thread an object.
 */
#pragma once

#include "base/strbuf.h"

enum erase_kind {
	ERASE_EMAIL,
	ERASE_PHONE,
	ERASE_NAME,
	ERASE_KEY, /* by which a feed knows them */
	ERASE_ADDRESS,
	ERASE_WRITTEN, /* what they wrote */
	ERASE_OTHER,
	ERASE_KINDS
};
#define ERASE_NONE ERASE_KINDS
const char *erase_kind_name(enum erase_kind kind); /* "email" */
/* ERASE_NONE: there is none of that name. */
enum erase_kind erase_kind_find(const char *name);

#define ERASE_PART	 '\x1f' /* between the parts of a name, in their usual order */
#define ERASE_PARTS_MAX	 8
#define ERASE_DIGITS_MIN 7 /* of a telephone number */

/* Appends the text as it is compared. */
void erase_fold(struct strbuf *b, struct str text);
/* Appends its digits. */
void erase_digits(struct strbuf *b, struct str text);

struct erase_match;
struct erase_match *erase_match_new(void);
struct erase_match *erase_match_free(struct erase_match *m);
DEFINE_CLEANUP(struct erase_match *, erase_match_free)

/* Of a text that is looked for. */
enum erase_flag {
	ERASE_CUT = 1,	    /* it goes on: it ends in the middle of a word */
	ERASE_LEFT = 2,	    /* somebody has a longer word that ends with it ... */
	ERASE_RIGHT = 4,    /* ... or begins with it: its edges count in bytes that are no text */
	ERASE_ANYWHERE = 8, /* also in the middle of a word */
};
/* False: it is too short to be found, and is not looked for. */
bool erase_match_add(struct erase_match *m, enum erase_kind kind, struct str text, unsigned flags);

/* What the values that are looked through belong to. */
enum erase_unit {
	ERASE_VALUES, /* a row or a document: a part of a name is a whole value */
	ERASE_LINE,   /* one line: the parts of a name stand apart */
	ERASE_BYTES,  /* pieces of a file */
};
void erase_match_begin(struct erase_match *m, enum erase_unit unit);
/* One more value of the unit. Which kind of text was found up to now; ERASE_NONE. */
enum erase_kind erase_match_look(struct erase_match *m, struct str value);
/* Whether a value that was cut off somewhere ends with the beginning of a text, five bytes of it or
 * more. Apart from what was looked at before. */
bool erase_match_is_cut(struct erase_match *m, struct str value);
/* A piece of a file; pieces overlap by erase_match_overlap(). What stands at a border that is cut
 * is left to the neighbour. */
struct erase_piece {
	struct str bytes;
	bool is_first, is_last;
};
enum erase_kind erase_match_piece(struct erase_match *m, const struct erase_piece *piece);
size_t erase_match_overlap(const struct erase_match *m);
