/*
 * Values that stand in for personal ones in a copy of the shop for tests: of the same form, so that
 * programs take them, and the same for the same value, so that rows still belong together. Made
 * with a key (BLAKE2b): who has it not cannot try values out. Immutable; thread-safe.
 *
 * What is kept: amounts, regions, years of birth, lengths of texts, and which values are equal.
 */
#pragma once

#include "base/strbuf.h"

#define STAND_IN_KEY_SIZE 32

/* `pii`: the class of the column; "open": the value itself; NULL: nobody has classed it, and
 * nothing is appended. `column` keeps equal values of different columns apart. */
void stand_in_add(struct strbuf *b, const unsigned char *key, const char *pii, const char *column,
		  struct str value);
