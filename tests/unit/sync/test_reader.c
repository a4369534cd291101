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
#include "store/schema.h"
#include "sync/sync_int.h"
#include "sync/sync_reader.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/banned.h"

#define DATABASE "aethermart_reader_test"

#define PETS	 "collection: pets\ntable: customer\nkey: id\nqueue: pets_queue\n" PEOPLE_FIELDS

static struct maria *db;
static struct schema *schema;
static struct mapping_set workers; /* mappings, as the sync's worker has them */
static char dir[] = "/tmp/aethermart-test-reader-XXXXXX";

struct seen {
	struct sync_reader *reader;
	struct strbuf log; /* "1=Ann 2- " */
	unsigned begun;
	void (*meanwhile)(struct seen *s); /* what happens while documents are taken, once */
	const char *during;		   /* the same as SQL */
	const char *always;		   /* the same, each time */
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
	void (*meanwhile)(struct seen *) = s->meanwhile;

	for (size_t i = 0; i < n; i++) {
		bson_iter_t name;

		if (!cstr_equal(mapping_collection(m), "people"))
			strbuf_addf(&s->log, "%s:", mapping_collection(m));
		strbuf_addf(&s->log, "%.*s", STR_ARGS(documents[i].key));
		if (documents[i].state == MAPPING_PRESENT &&
		    bson_iter_init_find(&name, documents[i].document, "name"))
			strbuf_addf(&s->log, "=%.9s ", bson_iter_utf8(&name, NULL));
		else
			strbuf_addstr(&s->log, "- ");
	}
	s->meanwhile = NULL;
	if (meanwhile)
		meanwhile(s);
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
	_cleanup_(mem_freep) char *people = NULL;
	_cleanup_(mem_freep) char *pets = NULL;
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
	people = mem_printf("%s/people.yaml", dir);
	pets = mem_printf("%s/pets.yaml", dir);
	ok(file_write_atomic(people, PEOPLE_HEAD PEOPLE_FIELDS, strlen(PEOPLE_HEAD PEOPLE_FIELDS),
			     0600, &err),
	   &err);
	ok(file_write_atomic(pets, PETS, strlen(PETS), 0600, &err), &err);
	ok(schema_load(db, DATABASE, &schema, &err), &err);
	ok(mapping_set_load(dir, schema, &workers, &err), &err);
	return 0;
}

static int tear_down_group(void **state)
{
	(void)state;
	sql("DROP DATABASE " DATABASE);
	mapping_set_done(&workers);
	schema_free(schema);
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
	sql("DELETE FROM sync_lease");
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

	for (const char *key = "1234567"; *key; key++)
		hand_off("people", (char[]){*key, '\0'});
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "1=Ann 2=Ben 3=Cid 4=Dan 5- 6- ");
	assert_int_equal(waiting(), 1);
	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "7- ");
}

/* One statement reads six rows. */
static void a_page_of_each_collection_comes_in_turn(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	s->wants_all = true;
	for (const char *key = "1234"; *key; key++) {
		hand_off("people", (char[]){*key, '\0'});
		hand_off("pets", (char[]){*key, '\0'});
	}
	assert_int_equal(step(s, &n), 0);
	assert_true(str_starts(strbuf_slice(&s->log),
			       "1=Ann 2=Ben 3=Cid pets:1=Ann pets:2=Ben pets:3=Cid "));
	for (const char *key = "567"; *key; key++)
		hand_off("people", (char[]){*key, '\0'});
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(waiting(), 0);
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

/* --- offers ----------------------------------------------------------------------------------- */

static void offer_of(const struct seen *s, const struct mapping *m, const char *key,
		     const char *name, uint64_t version)
{
	bson_t *b = bson_new();
	struct mapping_document d = {.key = str_from(key)};

	if (name) {
		d.state = MAPPING_PRESENT;
		d.document = b;
		BSON_APPEND_UTF8(b, "name", name);
	}
	sync_reader_offer(s->reader, m, &d, 1, version);
	bson_destroy(b); /* it was copied */
}

/* NULL: it is gone. */
static void offer(const struct seen *s, const char *key, const char *name, uint64_t version)
{
	offer_of(s, mapping_set_find(&workers, "people"), key, name, version);
}

static void handed_off(const char *key, uint64_t version)
{
	_cleanup_(mem_freep) char *text =
	    mem_printf("REPLACE INTO sync_handoff VALUES ('me', 'people', '%s', %llu)", key,
		       (unsigned long long)version);

	sql(text);
}

/* It registers, and knows what it wants. */
static void begin_reading(struct seen *s)
{
	size_t n = 0;

	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), "");
}

static void assert_step(struct seen *s, size_t rows, const char *log)
{
	size_t n = 0;

	assert_int_equal(step(s, &n), 0);
	assert_string_equal(strbuf_str(&s->log), log);
	assert_int_equal(n, rows);
}

static void what_is_offered_comes_before_its_row_and_is_not_read(void **state)
{
	struct seen *s = *state;

	begin_reading(s);
	offer(s, "1", "Offered", 7);
	offer(s, "9", NULL, 7);
	sync_reader_wait(s->reader, 30000); /* it woke */
	assert_step(s, 0, "1=Offered 9- ");
	handed_off("1", 7);
	handed_off("9", 7);
	assert_step(s, 2, "");
	assert_int_equal(waiting(), 0);
}

/* Who offers wakes when the rows are there: until then no statement looks for them, but now and
 * then. */
static void a_step_that_takes_offers_looks_when_it_is_woken(void **state)
{
	struct seen *s = *state;
	int64_t since = clock_monotonic_us();
	size_t n = 0;

	begin_reading(s);
	handed_off("2", 7);
	offer(s, "1", "Offered", 8);
	assert_int_equal(step(s, &n), 0);
	if (clock_monotonic_us() - since < 100000) /* a machine without much else to do */
		assert_string_equal(strbuf_str(&s->log), "1=Offered ");
	handed_off("2", 9);
	offer(s, "1", "Again", 10);
	sync_reader_wake(s->reader);
	assert_step(s, 1, "1=Again 2=Ben ");
}

static void what_fails_is_told_of_also_while_offers_come(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	begin_reading(s);
	handed_off("1", 7);
	s->fails = 1;
	assert_int_equal(step(s, &n), -ERR_UNAVAILABLE);
	offer(s, "2", "Offered", 8);
	s->fails = 2;
	assert_int_equal(step(s, &n), -ERR_UNAVAILABLE);
	assert_string_equal(strbuf_str(&s->log), "2=Offered 1=Ann ");
}

static void what_changed_since_it_was_offered_is_read(void **state)
{
	struct seen *s = *state;

	begin_reading(s);
	offer(s, "1", "Offered", 7);
	offer(s, "2", "Offered", 7);
	assert_step(s, 0, "1=Offered 2=Offered ");
	handed_off("1", 8);
	handed_off("2", 7);
	assert_step(s, 2, "1=Ann ");
	assert_int_equal(waiting(), 0);
}

static void the_last_offer_of_a_document_is_taken_and_covers_those_before(void **state)
{
	struct seen *s = *state;

	begin_reading(s);
	offer(s, "1", "Early", 7);
	offer(s, "2", NULL, 7);
	offer(s, "1", NULL, 8);
	offer(s, "2", "Late", 9);
	assert_step(s, 0, "1- 2=Late ");
	handed_off("1", 7);
	assert_step(s, 1, "");
	handed_off("1", 8);
	handed_off("2", 7);
	assert_step(s, 2, "");
	assert_int_equal(waiting(), 0);
}

static void offer_and_change(struct seen *s)
{
	offer(s, "1", "Old", 6);
	sql("UPDATE customer SET name = 'New' WHERE id = 1");
	handed_off("1", 7);
	sync_reader_wake(s->reader);
}

/* An offer that comes between the first look for offers and the reading of rows. */
static void an_offer_never_comes_behind_what_was_read_later(void **state)
{
	struct seen *s = *state;

	begin_reading(s);
	offer(s, "2", "Offered", 5);
	s->meanwhile = offer_and_change;
	assert_step(s, 1, "2=Offered 1=Old 1=New ");
	assert_step(s, 0, "");
}

static void what_is_offered_and_not_durable_is_read_with_its_row(void **state)
{
	struct seen *s = *state;

	begin_reading(s);
	s->fails = 1;
	offer(s, "1", "Offered", 7);
	assert_step(s, 0, "1=Offered ");
	handed_off("1", 7);
	assert_step(s, 1, "1=Ann ");
	assert_int_equal(waiting(), 0);
}

static void what_is_refused_is_not_offered(void **state)
{
	struct seen *s = *state;
	struct err why = {0};
	struct mapping_document d = {.key = str_from("1"), .state = MAPPING_REFUSED, .error = &why};

	begin_reading(s);
	sync_reader_offer(s->reader, mapping_set_find(&workers, "people"), &d, 1, 7);
	assert_step(s, 0, "");
	handed_off("1", 7);
	assert_step(s, 1, "1=Ann ");
}

/* Documents of a megabyte: seven find room. */
static void offers_without_room_are_read_with_their_rows(void **state)
{
	struct seen *s = *state;
	_cleanup_(strbuf_done) struct strbuf large = STRBUF_INIT(0);

	while (large.len < (size_t)1 << 20)
		strbuf_addstr(&large, "Large ");
	begin_reading(s);
	for (const char *key = "123456789"; *key; key++)
		offer(s, (char[]){*key, '\0'}, strbuf_str(&large), 7);
	assert_step(s, 0,
		    "1=Large Lar 2=Large Lar 3=Large Lar 4=Large Lar 5=Large Lar 6=Large Lar "
		    "7=Large Lar ");
	for (const char *key = "123456789"; *key; key++)
		handed_off((char[]){*key, '\0'}, 7);
	assert_step(s, 6, ""); /* of the first rows */
	assert_step(s, 3, "8- 9- ");
	assert_int_equal(waiting(), 0);
}

/* More than a reader keeps, or remembers, which does not lose their rows. */
static void what_was_offered_long_ago_is_read_with_its_row(void **state)
{
	struct seen *s = *state;
	size_t n = 0;

	begin_reading(s);
	offer(s, "1", "Offered", 1);
	for (uint64_t i = 2; i < 12000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", (int)(i + 1000));
		offer(s, key, NULL, i);
		if (i % 4000 == 0)
			assert_int_equal(step(s, &n), 0);
		if (i == 4000) { /* it is known as yet */
			handed_off("1", 1);
			assert_step(s, 1, "");
		}
	}
	assert_int_equal(step(s, &n), 0);
	handed_off("1", 1);
	handed_off("12999", 11999);
	assert_step(s, 2, "1=Ann ");
}

static void what_another_mapping_makes_or_nobody_wants_is_not_taken(void **state)
{
	struct seen *s = *state;
	struct mapping *other = people_mapping(PEOPLE_HEAD "fields: {id: id}\n", schema);

	begin_reading(s);
	offer_of(s, other, "1", "Other", 7);
	offer_of(s, mapping_set_find(&workers, "pets"), "1", "Rex", 7);
	assert_step(s, 0, "");
	handed_off("1", 7);
	assert_step(s, 1, "1=Ann ");
	s->wants_all = true;
	assert_step(s, 0, "");
	offer_of(s, mapping_set_find(&workers, "pets"), "1", "Rex", 7);
	s->wants_all = false; /* not any more */
	assert_step(s, 0, "");
	mapping_free(other);
}

static void *offer_many(void *arg)
{
	struct seen *s = arg;

	for (uint64_t version = 1; version <= 2000; version++) {
		offer(s, version % 2 ? "1" : "2", version < 1999 ? "Offered" : "Last", version);
		if (version % 100 == 0)
			sync_reader_wake(s->reader);
	}
	return NULL;
}

static void a_worker_offers_while_steps_go_on(void **state)
{
	struct seen *s = *state;
	pthread_t thread;
	size_t n = 0;

	begin_reading(s);
	assert_int_equal(pthread_create(&thread, NULL, offer_many, s), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(step(s, &n), 0);
	pthread_join(thread, NULL);
	assert_int_equal(step(s, &n), 0);
	handed_off("1", 1999);
	handed_off("2", 2000);
	assert_step(s, 2, "");
}

/* Its next step fails, and it connects anew, and so registers. */
static void lose_connection(struct seen *s)
{
	struct err err = {0};
	size_t n = 0;
	_cleanup_(mem_freep) char *kill =
	    mem_printf("KILL %lld", (long long)number("SELECT MAX(id) FROM "
						      "information_schema.processlist WHERE "
						      "db = '" DATABASE "' AND id <> "
						      "CONNECTION_ID()"));

	sql(kill);
	assert_true(sync_reader_step(s->reader, &n, &err) < 0);
	assert_true(sync_reader_is_lost(s->reader));
}

/* One offer that is taken and one that waits, when the connection is lost and `change` is made. */
static void assert_offers_are_forgotten(struct seen *s, const char *change)
{
	begin_reading(s);
	offer(s, "1", "Offered", 7);
	assert_step(s, 0, "1=Offered ");
	lose_connection(s);
	offer(s, "2", "Offered", 7);
	sql(change);
	assert_step(s, 0, "");
	handed_off("1", 7);
	handed_off("2", 7);
	assert_step(s, 2, "1=Ann 2=Ben ");
}

/* The tables were made anew, and versions begin anew with them. */
static void who_registers_anew_forgets_what_was_offered(void **state)
{
	struct seen *s = *state;

	assert_offers_are_forgotten(s, "DELETE FROM sync_consumer");
	assert_int_equal(s->begun, 2);
}

static void other_mappings_forget_what_was_offered(void **state)
{
	struct seen *s = *state;

	assert_offers_are_forgotten(s, "UPDATE sync_collection SET mapping_hash = REPEAT('b', 64)");
	assert_int_equal(s->begun, 1);
}

/* A worker that was slow to notice that another process holds the lease. */
static void what_is_offered_under_a_former_term_is_not_taken(void **state)
{
	const uint64_t term = SYNC_VERSIONS_A_TERM;
	struct seen *s = *state;

	sql("INSERT INTO sync_lease (name, holder, term, expires_at) VALUES ('sync', 'other', 3, "
	    "SYSDATE(6))");
	begin_reading(s);
	offer(s, "1", "Former", 2 * term + 900);
	offer(s, "2", "Offered", 3 * term + 1);
	assert_step(s, 0, "2=Offered ");
	handed_off("1", 4 * term + 2);
	assert_step(s, 1, "1=Ann ");
	offer(s, "1", "Former", 3 * term + 1000);
	assert_step(s, 0, "");
	offer(s, "1", "Offered", 5 * term);
	assert_step(s, 0, "1=Offered ");
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

static void what_somebody_has_not_committed_holds_up_no_other_row(void **state)
{
	struct seen *s = *state;
	struct maria_options options = reader_options;
	_cleanup_(maria_closep) struct maria *other = NULL;
	struct err err = {0};
	int64_t since;
	size_t n = 0;

	assert_int_equal(step(s, &n), 0);
	ok(maria_open(&options, &other, &err), &err);
	ok(maria_exec(other, "START TRANSACTION", &err), &err);
	ok(maria_exec(other, "INSERT INTO sync_handoff VALUES ('me', 'people', '0', 7)", &err),
	   &err);
	hand_off("people", "1");
	hand_off("people", "2");
	since = clock_monotonic_us();
	assert_int_equal(step(s, &n), 0);
	assert_int_equal(n, 2);
	assert_true(clock_monotonic_us() - since < 4000000); /* a row is waited for 5 s */
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
	    TEST(a_page_of_each_collection_comes_in_turn),
	    TEST(what_changes_while_it_is_taken_comes_again),
	    TEST(what_changes_all_the_time_is_acknowledged_at_what_was_seen),
	    TEST(what_is_offered_comes_before_its_row_and_is_not_read),
	    TEST(a_step_that_takes_offers_looks_when_it_is_woken),
	    TEST(what_fails_is_told_of_also_while_offers_come),
	    TEST(what_changed_since_it_was_offered_is_read),
	    TEST(the_last_offer_of_a_document_is_taken_and_covers_those_before),
	    TEST(an_offer_never_comes_behind_what_was_read_later),
	    TEST(what_is_offered_and_not_durable_is_read_with_its_row),
	    TEST(what_is_refused_is_not_offered),
	    TEST(offers_without_room_are_read_with_their_rows),
	    TEST(what_was_offered_long_ago_is_read_with_its_row),
	    TEST(what_another_mapping_makes_or_nobody_wants_is_not_taken),
	    TEST(a_worker_offers_while_steps_go_on),
	    TEST(who_registers_anew_forgets_what_was_offered),
	    TEST(other_mappings_forget_what_was_offered),
	    TEST(what_is_offered_under_a_former_term_is_not_taken),
	    TEST(what_is_not_durable_stays),
	    TEST(what_somebody_has_not_committed_holds_up_no_other_row),
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
