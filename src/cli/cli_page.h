/* Hits for people, in the width of their terminal. One thread. */
#pragma once

#include "cli/cli.h"

struct cli_page {
	size_t width;
	bool has_colors;
};
struct cli_page cli_page_open(void);
/* Text of data, cut to `max` characters with an ellipsis. */
void cli_page_add_cut(struct strbuf *b, const char *s, size_t max);
/* One line: score, key, name, price, rating, stock, as the hit has them. */
void cli_page_hit(const struct cli_page *p, const json_t *hit);
/* A line below it that says why it is one. */
void cli_page_reason(const struct cli_page *p, const char *reason);
