/*
 * Results for people: aligned tables by libsmartcols, cut to the width of the terminal. Numbers go
 * right. One thread.
 */
#pragma once

#include "base/macro.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct table;

/* Column titles end with NULL; a title that starts with '>' is aligned right, what stands under one
 * with '~' is continued in further lines instead of cut (without the sign). */
struct table *table_new(const char *const *titles);
void table_add(struct table *t,
	       const char *const *cells); /* as many cells as titles; copied; NULL: empty */
/* The first cell, then a number for each other column. */
void table_add_numbers(struct table *t, const char *first, const uint64_t *numbers);
void table_print(struct table *t, FILE *f); /* nothing at all without a line */
struct table *table_free(struct table *t);
DEFINE_CLEANUP(struct table *, table_free)
