/* Clocks and time texts. Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_monotonic_us(void); /* for durations and deadlines */
int64_t clock_wall_us(void);	  /* microseconds since 1970-01-01 UTC */

/* Formats microseconds since 1970 as "2026-11-23T03:09:24.123Z". Returns buf. */
#define CLOCK_TEXT_SIZE 32
char *clock_format(int64_t wall_us, char buf[CLOCK_TEXT_SIZE]);

/* Whether this is a day that exists, "2026-01-31", or a second of one, "2026-01-31 23:59:59". */
bool clock_is_time(const char *text);

/* "850ms", "4.2s", "3m 10s", "2h 5m". Returns buf. */
char *clock_format_duration(int64_t us, char buf[CLOCK_TEXT_SIZE]);

/* A condition whose waits end by the monotonic clock. */
void clock_cond_init(pthread_cond_t *c);
/* As pthread_cond_wait(), until clock_monotonic_us() is `until_us` at the latest; false: it is. */
bool clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *mutex, int64_t until_us);
