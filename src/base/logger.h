/*
 * Events for people who operate the program. Text on a terminal, one JSON object a line elsewhere,
 * always to stderr. Only http/, cli/, main.c and the top loops of long-running workers log above
 * debug. No row values at info or above; no secrets ever. Thread-safe; a line is written at once.
 *
 *	logger_event(LOGGER_INFO, "sync", "lease taken", "term", "7", "holder", name, NULL);
 *
 * Keys and values alternate, all `const char *`, ended by NULL. Values may hold anything: an event
 * stays one line, in JSON that can be read and in text that does not command a terminal. A text
 * that repeats within a second more than LOGGER_REPEATS_MAX times (same component, same text) is
 * counted instead of written.
 */
#pragma once

#include "base/err.h"

enum logger_level { LOGGER_ERROR, LOGGER_WARN, LOGGER_INFO, LOGGER_DEBUG, LOGGER_TRACE };

#define LOGGER_REPEATS_MAX 20

void logger_event(enum logger_level level, const char *component, const char *text, ...)
    __attribute__((sentinel));

/* Writes the whole error: class, message, hint, native number. */
void logger_error(enum logger_level level, const char *component, const char *text,
		  const struct err *err);

/* Set once at start, before threads. `json` < 0 means: decide by whether stderr is a terminal. */
void logger_init(enum logger_level level, int json);
bool logger_is_on(enum logger_level level);

/* "error", "warn", "info", "debug", "trace"; -ERR_INVALID_ARGUMENT for others. */
int logger_level_parse(const char *s, enum logger_level *ret, struct err *err) _must_check_;
