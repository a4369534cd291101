/* Clocks: see clock.h. */
#include "base/clock.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

char *clock_format(int64_t wall_us, char buf[CLOCK_TEXT_SIZE])
{
	time_t s = (time_t)(wall_us / 1000000);
	unsigned ms = (unsigned)(wall_us % 1000000 / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, CLOCK_TEXT_SIZE - n, ".%03uZ", ms % 1000);
	return buf;
}

bool clock_is_time(const char *text)
{
	struct tm t = {0}, again;
	const char *end = strptime(text, "%Y-%m-%d", &t);
	char back[40] = "";
	time_t at;

	if (end && *end)
		end = strptime(end, " %H:%M:%S", &t);
	if (!end || *end)
		return false;
	/* Written again it is the same: the 31st of November is not, nor is "2026-1-1". */
	at = timegm(&t);
	if (!gmtime_r(&at, &again) || !strftime(back, sizeof(back), "%Y-%m-%d %H:%M:%S", &again))
		return false;
	return strncmp(back, text, strlen(text)) == 0 &&
	       (strlen(text) == strlen("2026-01-31") || strlen(text) == strlen(back));
}

char *clock_format_duration(int64_t us, char buf[CLOCK_TEXT_SIZE])
{
	int64_t s = us / 1000000;

	if (us < 1000000)
		snprintf(buf, CLOCK_TEXT_SIZE, "%" PRId64 "ms", us / 1000);
	else if (s < 60)
		snprintf(buf, CLOCK_TEXT_SIZE, "%.1fs", (double)us / 1e6);
	else if (s < 3600)
		snprintf(buf, CLOCK_TEXT_SIZE, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else
		snprintf(buf, CLOCK_TEXT_SIZE, "%" PRId64 "h %" PRId64 "m", s / 3600,
			 s % 3600 / 60);
	return buf;
}

void clock_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	bug_if(pthread_condattr_init(&attr) != 0);
	bug_if(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0);
	bug_if(pthread_cond_init(c, &attr) != 0);
	(void)pthread_condattr_destroy(&attr);
}

bool clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *mutex, int64_t until_us)
{
	struct timespec ts = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	return pthread_cond_timedwait(c, mutex, &ts) != ETIMEDOUT;
}
