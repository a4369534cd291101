/*
 * How much one asks: for each address or token a bucket of requests that fills up again, and the
 * tokens that were none. Bounded: places stand in sets of eight, chosen by a hash with a key of its
 * own, so that nobody can aim at one; where all are taken, the one unused for longest goes.
 *
 * Not thread-safe (http_door.c holds its mutex); time is a parameter.
 */
#pragma once

#include "base/strbuf.h"
#include "govern/token.h"

#define HTTP_DELAY_MAX_MS 5000

struct http_meter;

struct http_meter *http_meter_new(size_t places);
struct http_meter *http_meter_free(struct http_meter *m);

/* Takes one request out of a bucket; 0, or the seconds until there is one. */
unsigned http_meter_take(struct http_meter *m, struct str key, const struct token_rate *rate,
			 int64_t now_us);

/* Counts a token that was none; the milliseconds that its answer has to wait: 100 for the first,
 * twice as many for each next one. What was counted halves in each minute. */
unsigned http_meter_fail(struct http_meter *m, struct str key, int64_t now_us);
