/* Connections that are too slow, or too many from one place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/macro.h"
#include "http/http_watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/banned.h"

struct link {
	int ends[2];
	struct http_watched *watched;
};

static struct link open_link(struct http_watch *w, const char *address, int64_t within_s)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct link l;

	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, l.ends), 0);
	l.watched = http_watch_add(w, l.ends[0], (const struct sockaddr *)&v6, within_s);
	return l;
}

static void close_link(struct http_watch *w, struct link *l)
{
	http_watch_remove(w, l->watched);
	close(l->ends[0]);
	close(l->ends[1]);
}

/* The other end reads its end. */
static bool is_cut(const struct link *l)
{
	char c;

	return recv(l->ends[1], &c, 1, MSG_DONTWAIT) == 0;
}

static void who_does_not_get_on_is_cut(void **state)
{
	struct http_watch *w = http_watch_new(0);
	struct link slow = open_link(w, "::1", 1), steady = open_link(w, "::1", 1);
	int64_t since = clock_monotonic_us();

	(void)state;
	http_watch_within(w, steady.watched, 0);
	while (!is_cut(&slow))
		usleep(10000);
	assert_true(clock_monotonic_us() - since >= 900000);
	assert_false(is_cut(&steady));
	close_link(w, &slow);
	close_link(w, &steady);
	assert_null(http_watch_free(w));
}

static void a_network_of_ipv6_is_one_place(void **state)
{
	struct http_watch *w = http_watch_new(2);
	struct link first = open_link(w, "2001:db8::1", 0), second = open_link(w, "2001:db8::2", 0);
	struct link third = open_link(w, "2001:db8::3", 0),
		    other = open_link(w, "2001:db8:1::3", 0);
	struct link mapped = open_link(w, "::ffff:192.0.2.1", 0);

	(void)state;
	assert_false(is_cut(&first) || is_cut(&second) || is_cut(&other) || is_cut(&mapped));
	assert_true(is_cut(&third));
	close_link(w, &third);
	close_link(w, &first);
	third = open_link(w, "2001:db8::4", 0);
	assert_false(is_cut(&third));
	close_link(w, &second);
	close_link(w, &third);
	close_link(w, &other);
	close_link(w, &mapped);
	assert_null(http_watch_free(w));
}

static void a_place_is_told_for_people(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct http_place p;

	(void)state;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr), 1);
	http_place_of((const struct sockaddr *)&v4, &p);
	assert_string_equal(p.text, "192.0.2.7");
	http_place_of(NULL, &p);
	assert_string_equal(p.text, "local");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_does_not_get_on_is_cut),
	    cmocka_unit_test(a_network_of_ipv6_is_one_place),
	    cmocka_unit_test(a_place_is_told_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
