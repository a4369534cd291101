/*
 * The hand-off as a consumer reads it, on a real MariaDB: versions, order of registering, wishes.
 * Skipped unless AETHERMART_TEST_MARIADB_SOCKET names a server. What the acknowledgement writes is
 * written here by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "people.h"
#include "sync/sync_int.h"
#include "sync/sync_reader.h"

#include <stdlib.h>

#include "base/banned.h"

#define DATABASE "aethermart_reader_test"

static struct maria *db;
static char dir[] = "/tmp/aethermart-test-reader-XXXXXX";

struct seen {
	struct sync_reader *reader;
	struct strbuf log; /* "1=Ann 2- " */
	unsigned begun;
	const char *during; /* SQL that happens while documents are taken, once */
	const char *always; /* the same, each time */
	int fails;
	bool refuses_present; /* documents; it takes those that are gone */
	bool wants_all;
};

static void ok(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s (%s)", err->message, err->hint);
}

static void sql(const char *text)
{
	struct err err = {0};

	ok(maria_exec(db, text, &err), &err);
}

static int64_t number(const char *text)
{
	struct err err = {0};
	int64_t n;

	ok(maria_query_int(db, text, NULL, 0, &n, &err), &err);
	return n;
}

static int take(void *arg, const struct mapping *m, const struct mapping_document *documents,
		size_t n, struct err *err)
{
	struct seen *s = arg;

	assert_string_equal(mapping_collection(m), "people");
	for (size_t i = 0; i < n; i++) {
		bson_iter_t name;

		strbuf_addf(&s->log, "%.*s", STR_ARGS(documents[i].key));
		if (documents[i].state == MAPPING_PRESENT &&
		    bson_iter_init_find(&name, documents[i].document, "name"))
			strbuf_addf(&s->log, "=%s ", bson_iter_utf8(&name, NULL));
		else
			strbuf_addstr(&s->log, "- ");
	}
	if (s->during)
		sql(s->during);
	s->during = s->always;
	if (s->fails-- > 0)
		return err_set(err, ERR_UNAVAILABLE, "the consumer is not well");
	for (size_t i = 0; i < n && s->refuses_present; i++) {
		if (documents[i].state == MAPPING_PRESENT)
			return err_set(err, ERR_UNAVAILABLE, "the consumer takes nothing new");
	}
	return 0;
}

static bool wants(void *arg, const char *collection)
{
	const struct seen *s = arg;

	return s->wants_all || cstr_equal(collection, "people");
}

/* Not registered yet: what comes later is not missed. */
static int begin(void *arg, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	assert_int_equal(number("SELECT COUNT(*) FROM sync_consumer"), 0);
	s->begun++;
	return 0;
}

static void hand_off(const char *collection, const char *key)
{
	_cleanup_(mem_freep) char *text =
	    mem_printf("INSERT INTO sync_handoff VALUES ('me', '%s', '%s', "
		       "UUID_SHORT()) ON DUPLICATE KEY UPDATE version = "
		       "VALUES(version)",
		       collection, key);

	sql(text);
}

static int step(struct seen *s, size_t *n)
{
	struct err err = {0};
	bool is_changed;

	ok(sync_reader_connect(s->reader, &is_changed, &err), &err);
	strbuf_clear(&s->log);
	return sync_reader_step(s->reader, n, &err);
}

static int64_t waiting(void)
{
	return number("SELECT COUNT(*) FROM sync_handoff");
}

static int set_up_group(void **state)
{
	struct maria_options options = {.socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"),
					.user = "root"};
	_cleanup_(mem_freep) char *path = NULL;
	struct err err = {0};

	(void)state;
	ok(maria_open(&options, &db, &err), &err);
	ok(maria_script(db, "tables",
			"DROP DATABASE IF EXISTS " DATABASE "; CREATE DATABASE " DATABASE
			" CHARACTER SET utf8mb4; USE " DATABASE ";"
			"CREATE TABLE customer (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(50));",
			&err),
	   &err);
	ok(maria_script(db, "sync", sync_sql_010_tables, &err), &err);
	assert_non_null(mkdtemp(dir));
	path = mem_printf("%s/people.yaml", dir);
	ok(file_write_atomic(path, PEOPLE_HEAD PEOPLE_FIELDS, strlen(PEOPLE_HEAD PEOPLE_FIELDS),
			     0600, &err),
	   &err);
	return 0;
}

static int tear_down_group(void **state)
{
	(void)state;
	sql("DROP DATABASE " DATABASE);
	maria_close(db);
	return dir_remove(dir, NULL);
}

static struct maria_options reader_options;

static struct sync_reader *new_reader(struct seen *s)
{
	return sync_reader_new(&(struct sync_reader_options){.maria = &reader_options,
							     .mapping_dir = dir,
							     .consumer = "me",
							     .kind = "test",
							     .page = 3,
							     .begin = begin,
							     .take = take,
							     .wants = wants,
							     .arg = s});
}

static int set_up(void **state)
{
	struct seen *s = MEM_NEW(struct seen);

	reader_options = (struct maria_options){.socket = getenv("AETHERMART_TEST_MARIADB_SOCKET"),
						.user = "root",
						.database = DATABASE};
	s->reader = new_reader(s);
	sql("DELETE FROM customer");
	sql("DELETE FROM sync_handoff");
	sql("DELETE FROM sync_consumer");
	sql("REPLACE INTO sync_collection (collection, queue, mapping_hash, owned_fields, "
	    "retired_fields) VALUES ('people', 'people_queue', REPEAT('a', 64), '[]', '[]')");
	sql("INSERT INTO customer VALUES (1, 'Ann'), (2, 'Ben'), (3, 'Cid'), (4, 'Dan')");
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct seen *s = *state;

	sync_reader_free(s->reader);
	strbuf_done(&s->log);
	mem_free(s);
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void documents_come_as_they_are_now_and_their_rows_go(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	hand_off("people", "2");
	hand_off("people", "9");
	hand_off("people", "1");
	sql("UPDATE customer SET name = 'Bob' WHERE id = 2");
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(strbuf_str(&s->log), "1=Ann 2=Bob 9- ");
	assert_int_equal(waiting(), 0);
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(n, 0);
}

static void pages_follow_each_other(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	for (const char *key = "1234"; *key; key++)
		hand_off("people", (char[]){*key, '\0'});
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "1=Ann 2=Ben 3=Cid ");
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "4=Dan ");
}

static void what_changes_while_it_is_taken_comes_again(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	hand_off("people", "1");
	hand_off("people", "2");
	s->during = "UPDATE sync_handoff SET version = UUID_SHORT() WHERE `key` = '2'";
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(n, 3); /* nothing is acknowledged before nothing new is found */
	assert_string_equal(strbuf_str(&s->log), "1=Ann 2=Ben 2=Ben ");
	assert_int_equal(waiting(), 0);
}

static void what_changes_all_the_time_is_acknowledged_at_what_was_seen(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	hand_off("people", "1");
	hand_off("people", "2");
	s->during = s->always = "UPDATE sync_handoff SET version = UUID_SHORT() WHERE `key` = '2'";
	assert_int_equal(step(s, &n), 0);
	assert_true(n > 2 && n < 20);
	assert_int_equal(waiting(), 1); /* the one that came while it was taken for the last time */
	s->during = s->always = NULL;
	sql("UPDATE customer SET name = 'Bob' WHERE id = 2");
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "2=Bob ");
	assert_int_equal(waiting(), 0);
}

static void foretell(const struct seen *s, const char *collection, const char *key,
		     uint64_t version)
{
	sync_reader_foretell(s->reader, collection, &(struct str){key, strlen(key)}, 1, version);
}

static void what_is_foretold_comes_before_its_row_and_only_once(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	foretell(s, "people", "1", 7);
	foretell(s, "people", "9", 7);
	sync_reader_wait(s->reader, 30000); /* it woke */
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(n, 0);
	assert_string_equal(strbuf_str(&s->log), "1=Ann 9- ");
	sql("INSERT INTO sync_handoff VALUES ('me', 'people', '1', 7), ('me', 'people', '9', 7)");
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(strbuf_str(&s->log), "");
	assert_int_equal(waiting(), 0);
}

static void what_changed_since_it_was_foretold_comes_again(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	foretell(s, "people", "1", 7);
	foretell(s, "people", "2", 7);
	assert_int_equal(step(s, &n), 0);
	sql("INSERT INTO sync_handoff VALUES ('me', 'people', '1', 8), ('me', 'people', '2', 7)");
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "1=Ann ");
	assert_int_equal(waiting(), 0);
}

static void what_is_foretold_and_not_durable_comes_with_its_row(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	s->fails = 1;
	foretell(s, "people", "1", 7);
	foretell(s, "zoo", "1", 7); /* nobody wants it */
	assert_int_equal(step(s, &n), 0);
	sql("INSERT INTO sync_handoff VALUES ('me', 'people', '1', 7)");
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "1=Ann ");
	assert_int_equal(waiting(), 0);
}

/* More than a reader remembers, which does not lose their rows. */
static void too_much_is_foretold(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	for (uint64_t i = 0; i < 1000; i++) {
		foretell(s, "people", i % 2 ? "1" : "2", i);
		if (i % 50 == 0)
			assert_int_equal(step(s, &n), 0);
	}
	sql("INSERT INTO sync_handoff VALUES ('me', 'people', '1', 1), ('me', 'people', '2', 998)");
	assert_int_equal(step(s, &n), 0); /* takes what is left, too */
	assert_int_equal(waiting(), 0);
	hand_off("people", "1");
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "1=Ann ");
}

static void what_is_not_durable_stays(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	hand_off("people", "1");
	s->fails = 1;
	assert_int_equal(step(s, &n), -ERR_UNAVAILABLE);
	assert_int_equal(waiting(), 1);
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(waiting(), 0);
}

static void what_can_be_taken_behind_a_page_that_cannot_is(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	for (const char *key = "123456789"; *key; key++)
		hand_off("people", (char[]){*key, '\0'});
	s->refuses_present = true;
	assert_int_equal(step(s, &n), -ERR_UNAVAILABLE);
	assert_string_equal(strbuf_str(&s->log), "1=Ann 2=Ben 3=Cid 4=Dan 5- 6- 7- 8- 9- ");
	assert_int_equal(n, 3); /* a page is taken whole or not */
	assert_int_equal(waiting(), 6);
	s->refuses_present = false;
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(waiting(), 0);
}

static void one_collection_that_fails_holds_up_no_other(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	hand_off("people", "1");
	hand_off("zoo", "1"); /* behind it in the list; nobody wants it */
	s->fails = 1;
	assert_int_equal(step(s, &n), -ERR_UNAVAILABLE);
	assert_int_equal(number("SELECT COUNT(*) FROM sync_handoff WHERE collection = 'zoo'"), 0);
	assert_int_equal(waiting(), 1);
}

static void what_nobody_wants_is_dropped(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	hand_off("others", "1");
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(waiting(), 0);
	s->wants_all = true; /* but no mapping makes it */
	hand_off("others", "1");
	hand_off("people", "1");
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(waiting(), 0);
	assert_string_equal(strbuf_str(&s->log), "1=Ann ");
}

static void who_is_not_known_is_told_before_it_registers(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	assert_int_equal(step(s, &n), 0);
	assert_int_equal(s->begun, 1);
	assert_int_equal(number("SELECT COUNT(*) FROM sync_consumer WHERE consumer = 'me'"), 1);
	s->reader = sync_reader_free(s->reader);
	s->reader = new_reader(s);
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(s->begun, 1); /* it is known */
	s->reader = sync_reader_free(s->reader);
	sql("DELETE FROM sync_consumer"); /* dropped */
	s->reader = new_reader(s);
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(s->begun, 2);
}

static void another_installation_means_other_mappings(void **state)
{
	struct seen *s = *state;
	struct err err = {0};
	bool is_changed = false;

	ok(sync_reader_connect(s->reader, &is_changed, &err), &err);
	assert_true(is_changed);
	ok(sync_reader_connect(s->reader, &is_changed, &err), &err);
	assert_false(is_changed);
}

static void without_an_installation_it_waits(void **state)
{
	struct seen *s = *state;
	struct err err = {0};
	bool is_changed;

	sql("DELETE FROM sync_collection");
	assert_int_equal(sync_reader_connect(s->reader, &is_changed, &err), -ERR_UNAVAILABLE);
	assert_int_equal(s->begun, 0);
}

static void a_wake_before_the_wait_is_not_lost(void **state)
{
	struct seen *s = *state;
	int64_t since = clock_monotonic_us();

	sync_reader_wake(s->reader);
	sync_reader_wait(s->reader, 30000);
	assert_true(clock_monotonic_us() - since < 10000000);
	sync_reader_wait(s->reader, 1); /* one wake, one wait */
}

static void stale_consumers_of_a_prefix_are_pruned(void **state)
{
	static const char *const keep[] = {"a-2", NULL};
	struct err err = {0};

	(void)state;
	sql("INSERT INTO sync_consumer (consumer, kind) VALUES ('a-1', 'test'), ('a-2', 'test'), "
	    "('a-3', 'other'), ('b-1', 'test')");
	sql("INSERT INTO sync_handoff VALUES ('a-1', 'people', '1', 1), ('b-1', 'people', '1', 1)");
	ok(sync_consumer_prune(db, "test", "a-", keep, &err), &err);
	assert_int_equal(number("SELECT COUNT(*) FROM sync_consumer"), 3);
	assert_int_equal(number("SELECT COUNT(*) FROM sync_consumer WHERE consumer = 'a-1'"), 0);
	assert_int_equal(waiting(), 1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(documents_come_as_they_are_now_and_their_rows_go),
	    TEST(pages_follow_each_other),
	    TEST(what_changes_while_it_is_taken_comes_again),
	    TEST(what_changes_all_the_time_is_acknowledged_at_what_was_seen),
	    TEST(what_is_foretold_comes_before_its_row_and_only_once),
	    TEST(what_changed_since_it_was_foretold_comes_again),
	    TEST(what_is_foretold_and_not_durable_comes_with_its_row),
	    TEST(too_much_is_foretold),
	    TEST(what_is_not_durable_stays),
	    TEST(what_can_be_taken_behind_a_page_that_cannot_is),
	    TEST(one_collection_that_fails_holds_up_no_other),
	    TEST(what_nobody_wants_is_dropped),
	    TEST(who_is_not_known_is_told_before_it_registers),
	    TEST(another_installation_means_other_mappings),
	    TEST(without_an_installation_it_waits),
	    TEST(a_wake_before_the_wait_is_not_lost),
	    TEST(stale_consumers_of_a_prefix_are_pruned),
	};

	if (!getenv("AETHERMART_TEST_MARIADB_SOCKET"))
		return 77; /* skipped */
	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
