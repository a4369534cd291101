"""What only grows goes when it is older than its retention: a million rows of each table, while others
write, and never what is still needed."""

import contextlib
import datetime
import hashlib
import io
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import threading
import time

import pymysql
import pytest
import yaml

import ordering
import servers as servers_module
import stack as stack_module
import test_audit
from ordering import DATABASE
from waiting import until
from workload import writers

# So many rows of the million are old: to delete more takes longer and shows no more.
MILLION = 1_000_000
OLD = 900_000 if os.environ.get("AETHERMART_TEST_MILLION") else 300_000
AGE = f"UTC_TIMESTAMP() - INTERVAL IF(seq <= {OLD}, 900, 1) DAY"
# Into an empty table, this is sorted and written page by page: seconds instead of half a minute.
BULK = "SET unique_checks = 0, foreign_key_checks = 0"

# store -> option, table, statement that makes a million rows, of which OLD are old, and one that
# appends a row while a purge runs.
TABLES = {
    "rbac_audit": (
        "rbac_audit", "rbac_audit",
        "INSERT INTO rbac_audit (happened_at, user_name, host_name, role_name, connection_id, query_id,"
        " action_name, database_name, object_name, query_text, outcome, times)"
        f" SELECT {AGE}, 'maria', 'localhost', '', seq, seq, 'QUERY', 'shop', '', 'SELECT ?', 'done', 1"
        " FROM seq_1_to_1000000",
        "INSERT INTO rbac_audit (happened_at, user_name, host_name, role_name, connection_id, query_id,"
        " action_name, database_name, object_name, query_text, outcome, times)"
        " VALUES (UTC_TIMESTAMP(), 'x', '', '', 1, 1, 'QUERY', '', '', '', 'done', 1)"),
    "quality": (
        "quality", "data_quality_logs",
        "INSERT INTO data_quality_logs (load_id, quality_rule, severity, quality_action, entity,"
        " entity_key, file_name, line_number, logged_at)"
        f" SELECT 1, 'rule', 'info', 'noted', 'products', seq, 'f', 1, {AGE} FROM seq_1_to_1000000",
        "INSERT INTO data_quality_logs (load_id, quality_rule, severity, quality_action, entity,"
        " entity_key, file_name, line_number) VALUES (1, 'rule', 'info', 'noted', 'products', 'k', 'f', 1)"),
    "quality_runs": (
        "quality", "Quality_Runs",
        "INSERT INTO Quality_Runs (started_at, finished_at, actor, n_passed, n_warned, n_failed, n_errors)"
        f" SELECT {AGE}, {AGE}, 'os:x', 1, 0, 0, 0 FROM seq_1_to_1000000",
        "INSERT INTO Quality_Runs (started_at, finished_at, actor, n_passed, n_warned, n_failed, n_errors)"
        " VALUES (UTC_TIMESTAMP(), UTC_TIMESTAMP(), 'os:x', 1, 0, 0, 0)"),
    "quality_acks": (
        "quality", "Quality_Acks",
        "INSERT INTO Quality_Acks (check_name, acked_by, acked_at, note, check_outcome, weight, ended_at)"
        f" SELECT 'c', 'os:x', {AGE}, 'n', 'failed', 1, {AGE} FROM seq_1_to_1000000",
        "INSERT INTO Quality_Acks (check_name, acked_by, note, check_outcome, weight)"
        " VALUES ('c', 'os:x', 'n', 'failed', 1)"),
    "quarantine": (
        "quarantine", "Quality_Quarantine",
        "INSERT INTO Quality_Quarantine (check_name, entity, entity_key, reason, found_by, first_seen,"
        " last_seen, resolved_at) SELECT 'c', 'Products', seq, 'r', 'run', '2001-01-01', '2001-01-01',"
        f" IF(seq > {OLD} AND seq MOD 2, NULL, {AGE}) FROM seq_1_to_1000000",
        "INSERT INTO Quality_Quarantine (check_name, entity, entity_key, reason, found_by, first_seen,"
        " last_seen) VALUES ('d', 'Products', UUID(), 'r', 'run', UTC_TIMESTAMP(), UTC_TIMESTAMP())"),
    "lineage": (
        "lineage", "data_lineage_tracker",
        "INSERT INTO data_lineage_tracker (run_id, job_namespace, job_name, event_type, event_time, producer,"
        f" inputs, outputs, event) SELECT seq, 'n', 'load', 'RUNNING', {AGE}, 'p', '', '', '{{}}'"
        " FROM seq_1_to_1000000",
        "INSERT INTO data_lineage_tracker (run_id, job_namespace, job_name, event_type, event_time, producer,"
        " inputs, outputs, event) VALUES (UUID(), 'n', 'load', 'START', UTC_TIMESTAMP(), 'p', '', '', '{}')"),
    "load_runs": (
        "quality", "Load_Runs",
        f"INSERT INTO Load_Runs (load_id, started_at, run_status) SELECT seq, {AGE}, 'failed'"
        " FROM seq_1_to_1000000",
        "INSERT INTO Load_Runs (run_status) VALUES ('done')"),
    "price_history": (
        "price_history", "Product_Price_History",
        "INSERT INTO Product_Price_History (product_id, old_price, new_price, currency, changed_at)"
        " SELECT {product}, 1, 2, 'EUR', " + AGE + " FROM seq_1_to_1000000",
        "INSERT INTO Product_Price_History (product_id, old_price, new_price, currency)"
        " VALUES ({product}, 1, 2, 'EUR')"),
    "order_requests": (
        "order_requests", "Order_Requests",
        "INSERT INTO Order_Requests (customer_id, idempotency_key, request_hash, requested_at)"
        f" SELECT 1, seq, REPEAT('x', 32), {AGE} FROM seq_1_to_1000000",
        "INSERT INTO Order_Requests (customer_id, idempotency_key, request_hash)"
        " VALUES (2, UUID(), REPEAT('x', 32))"),
    "sync_audit": (
        None, "sync_audit_log",
        "INSERT INTO sync_audit_log (logged_at, collection, source, outcome, mapping_version, term)"
        f" SELECT {AGE}, 'c', 'queue', 'applied', '1', 1 FROM seq_1_to_1000000",
        "INSERT INTO sync_audit_log (collection, source, outcome, mapping_version, term)"
        " VALUES ('c', 'queue', 'applied', '1', 1)"),
    "dead_letters": (
        "dead_letters", "sync_dead_letter",
        "INSERT INTO sync_dead_letter (collection, path, `key`, error, first_at)"
        f" SELECT 'c', 0, seq, 'refused', {AGE} FROM seq_1_to_1000000",
        "INSERT INTO sync_dead_letter (collection, path, `key`, error) VALUES ('c', 0, UUID(), 'e')"),
    "samples": (
        "samples", "Retention_Samples",
        f"INSERT INTO Retention_Samples SELECT CONCAT('s', seq), {AGE}, seq FROM seq_1_to_1000000",
        "INSERT INTO Retention_Samples VALUES (UUID(), UTC_TIMESTAMP(), 1)"),
    "warehouse_runs": (
        "warehouse_runs", "Etl_Runs",
        f"INSERT INTO Etl_Runs (started_at, finished_at) SELECT {AGE}, {AGE} FROM seq_1_to_1000000",
        "INSERT INTO Etl_Runs (started_at) VALUES (UTC_TIMESTAMP(3))"),
}


class Place(test_audit.Audit):
    """A shop's schema with the tables of the sync, and a configuration that says what is kept."""

    def __init__(self, root, servers):
        super().__init__(root, servers)
        self.servers = servers
        with (stack_module.ROOT / "src/sync/sql/010-tables.sql").open() as script:
            subprocess.run([servers_module.find_program("mariadb", "mysql"), "--no-defaults",
                            f"--socket={servers.socket}", "--user=root", DATABASE],
                           check=True, stdin=script)
        self.shop.sql("INSERT INTO Load_Runs (load_id, run_status) VALUES (1, 'done')")
        self.shop.sql("CREATE TABLE Etl_Runs (run_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
                      " started_at DATETIME(3) NOT NULL, finished_at DATETIME(3) NULL)")
        # A million rows in memory, and a log that takes them: what is tested is the purge.
        self.shop.sql("SET GLOBAL innodb_buffer_pool_size = 512 * 1024 * 1024")
        self.shop.sql("SET GLOBAL innodb_log_file_size = 512 * 1024 * 1024")
        self.keep()

    def keep(self, **options):
        config = yaml.safe_load(self.config.read_text())
        config["retention"] = options
        config["warehouse"] = {"database": DATABASE}
        self.config.write_text(yaml.safe_dump(config))

    def purge(self, *args):
        return {e["name"]: e["n"] for e in self.run("retention", "purge", *args)}

    def store(self, name):
        return {e["name"]: e for e in self.run("retention", "show")["stores"]}[name]

    def count(self, table):
        return self.shop.value(f"SELECT COUNT(*) FROM {table}")


    def empty(self, *tables):
        """As an account that no foreign key holds up."""
        self.shop.sql("SET foreign_key_checks = 0")
        for table in tables:
            self.shop.sql(f"TRUNCATE TABLE {table}")
        self.shop.sql("SET foreign_key_checks = 1")

    def fill(self, *statements):
        with contextlib.closing(ordering.Client(self.servers)) as client:
            client.sql(BULK)
            for statement in statements:
                client.sql(statement)


@pytest.fixture
def place(folder, shop_mariadb):
    with ordering.running(folder, shop_mariadb) as servers:
        made = Place(folder, servers)
        try:
            yield made
        finally:
            made.shop.close()


@pytest.fixture(scope="module")
def large(session_folder, shop_mariadb):
    """One for all tables with a million rows, which each of these tests empties."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="t", dir=session_folder))
    path.chmod(0o755)
    with ordering.running(path, shop_mariadb) as servers:
        made = Place(path, servers)
        try:
            yield made
        finally:
            made.shop.close()
    stack_module.remove_tree(path)


def bound(seconds):
    """How long others may have waited for something that took so long: who waits until it is over waits
    for most of it, however busy the machine is."""
    return max(1.0, seconds / 2)


class Writer(threading.Thread):
    """Appends to a table some hundred times a second, and remembers how long it ever waited. At full speed
    it would be what is measured."""

    def __init__(self, place, statement):
        super().__init__()
        self.client = ordering.Client(place.servers)
        self.statement = statement
        self.ends = threading.Event()
        self.longest, self.n, self.error, self.took = 0.0, 0, None, 0.0

    def run(self):
        while not self.ends.wait(0.003):
            before = time.monotonic()
            try:
                self.client.sql(self.statement)
            except pymysql.Error as error:
                self.error = error
                return
            self.longest = max(self.longest, time.monotonic() - before)
            self.n += 1

    def __enter__(self):
        self.took = time.monotonic()
        self.start()
        return self

    def __exit__(self, *_):
        self.took = time.monotonic() - self.took
        self.ends.set()
        self.join()
        self.client.close()

    def assert_went_on(self):
        assert self.error is None
        assert self.n > 0 and self.longest < bound(self.took), (self.n, self.longest, self.took)


@pytest.mark.limit(300)
@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_million_rows_are_purged_while_others_write(large, name):
    option, table, fill, append = TABLES[name]
    product = large.shop.product("10.00", 5) if "{product}" in fill else 0
    large.empty(table, "Quality_Samples")
    large.fill(fill.replace("{product}", str(product)))
    if name == "quality":
        large.fill("INSERT IGNORE INTO Load_Runs (load_id, run_status) VALUES (1, 'done')",
                   "INSERT INTO Quality_Samples SELECT seq * 10, 'Products', seq FROM seq_1_to_100000")
    large.keep(**({option: "400d"} if option else {}))
    assert large.purge(name, "--dry-run") == {name: OLD}
    large.shop.sql(f"ANALYZE TABLE {table}")
    assert large.store(name)["bytes"] > 10_000_000
    with Writer(large, append.replace("{product}", str(product))) as writer:
        assert large.purge(name, "--yes") == {name: OLD}
    writer.assert_went_on()
    assert large.count(table) == MILLION - OLD + writer.n
    assert large.purge(name, "--yes") == {name: 0}
    event = large.run("audit", "list")[0]
    assert (event["action"], event["object"], event["rows"]) == ("retention.purge", name, OLD)
    if name == "quality":
        assert large.count("Quality_Samples") == (MILLION - OLD) // 10, "of the results that stay"
    large.empty(table, "Quality_Samples")


@pytest.mark.limit(300)
def test_a_million_events_of_the_audit_are_purged_behind_a_checkpoint(place):
    """The chain is made here, by another implementation."""
    start = datetime.datetime.utcnow().replace(microsecond=0) - datetime.timedelta(days=900)
    young = datetime.datetime.utcnow() - datetime.timedelta(days=1)
    n_events, old = MILLION, OLD
    previous, text = "0" * 64, io.StringIO()
    for n in range(1, n_events + 1):
        at = (start if n <= old else young).strftime("%Y-%m-%d %H:%M:%S.000000")
        fields = (str(n), at, "os:x", "", "test", "", "", "1", "done", "", previous)
        told = "".join(f"{len(f)}:{f}," for f in fields)
        event = hashlib.sha256(told.encode()).hexdigest()
        text.write("\t".join((*fields, event)) + "\n")
        previous = event
    path = place.root / "events.tsv"
    path.write_text(text.getvalue())
    link = place.servers.open_sql(database=DATABASE, local_infile=True)
    with contextlib.closing(link), link.cursor() as cursor:
        cursor.execute("SET GLOBAL local_infile = ON")
        cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE Audit_Events")
        cursor.execute(f"UPDATE Audit_Head SET audit_id = {n_events}, event_hash = '{previous}'")
    with Writer(place, "INSERT INTO Categories (category_name, category_slug) SELECT UUID(), UUID()") as writer:
        assert place.purge("audit", "--yes") == {"audit": old}
    writer.assert_went_on()
    state = place.verify()
    assert (state["first"], state["last"]) == (old + 1, n_events + 1)


def test_what_is_counted_of_the_audit_is_what_a_purge_deletes(place):
    """The chain is verified before, so not for what became too old since yesterday."""
    def day(ago):
        return str(datetime.datetime.utcnow().date() - datetime.timedelta(days=ago))
    for _ in range(4):
        place.show()
    test_audit.redate(place, [day(11), day(11), day(5), day(4)])
    for keep, old in (("11d", 0), ("7d", 2)):
        place.keep(audit=keep)
        assert place.purge("audit", "--dry-run") == {"audit": old}
        assert place.purge("audit", "--yes") == {"audit": old}


def test_few_rows_are_counted_and_of_many_it_is_said_that_they_are_a_guess(place):
    place.show()
    place.fill("INSERT INTO sync_dead_letter (collection, path, `key`, error)"
               " SELECT 'c', 0, seq, 'refused' FROM seq_1_to_30000")
    place.shop.sql("ANALYZE TABLE sync_dead_letter")
    assert (place.store("audit")["rows"], place.store("audit")["is_estimate"]) == (1, False)
    assert place.store("dead_letters")["is_estimate"]
    text = stack_module.run_binary("retention", "show", "--config", str(place.config)).stdout
    shown = {words[0]: words[2] for words in map(str.split, text.splitlines()) if len(words) > 2}
    assert shown["audit"] == "1" and shown["dead_letters"].startswith("~")


def test_the_newest_price_of_a_product_stays_however_old(place):
    product = place.shop.product("10.00", 5)
    place.shop.sql("UPDATE Product_Price_History SET changed_at = UTC_TIMESTAMP() - INTERVAL 900 DAY")
    place.shop.sql("INSERT INTO Product_Price_History (product_id, new_price, currency, changed_at)"
                   f" VALUES ({product}, 12, 'EUR', UTC_TIMESTAMP() - INTERVAL 800 DAY)")
    place.keep(price_history="30d")
    assert place.purge("price_history", "--yes") == {"price_history": 1}
    assert place.shop.sql("SELECT new_price FROM Product_Price_History"
                          f" WHERE product_id = {product}")[0][0] == 12


def test_records_of_the_shop_are_never_purged(place):
    place.shop.sql("INSERT INTO Stock_Movements (product_id, quantity, movement_reason, moved_at)"
                   " VALUES (1, 0, 'initial', '2001-01-01')")
    place.shop.sql("INSERT INTO Order_Events (order_id, event_kind, happened_at)"
                   " VALUES (1, 'placed', '2001-01-01')")
    before = place.count("Stock_Movements"), place.count("Order_Events")
    gone = place.purge("--yes")
    assert gone["stock_movements"] == gone["order_events"] == 0
    assert (place.count("Stock_Movements"), place.count("Order_Events")) == before
    assert place.store("stock_movements")["keep"] == "kept"


def test_a_load_stays_as_long_as_its_findings_and_the_first_for_ever(place):
    place.shop.sql("INSERT INTO Load_Runs (load_id, run_status) VALUES (2, 'stopped'), (3, 'done'), (4, 'done')")
    place.shop.sql("UPDATE Load_Runs SET started_at = '2001-01-01'")
    place.shop.sql("UPDATE Load_Runs SET run_status = 'failed' WHERE load_id = 1")
    place.shop.sql(TABLES["quality"][3].replace("VALUES (1,", "VALUES (4,"))
    assert place.purge("load_runs", "--yes") == {"load_runs": 2}
    place.shop.sql("DELETE FROM data_quality_logs")
    assert place.purge("load_runs", "--yes") == {"load_runs": 1}
    assert place.shop.sql("SELECT load_id FROM Load_Runs") == [(3,)], "the one that completed the shop"


def test_a_run_and_what_was_known_of_stay_as_long_as_results_name_them(place):
    place.shop.sql("INSERT INTO Quality_Runs VALUES (1, '2001-01-01', '2001-01-01', 'os:x', 0, 0, 1, 0)")
    place.shop.sql("INSERT INTO Quality_Acks (ack_id, check_name, acked_by, acked_at, note, until_day,"
                   " check_outcome, weight, ended_at) VALUES"
                   " (1, 'c', 'x', '2001-01-01', 'named by a result', NULL, 'failed', 1, '2001-01-02'),"
                   " (2, 'c', 'x', '2001-01-01', 'it holds', NULL, 'failed', 1, NULL),"
                   " (3, 'c', 'x', '2001-01-01', 'it holds, too', '2999-01-01', 'failed', 1, NULL),"
                   " (4, 'c', 'x', '2001-01-01', 'its day is over', '2001-02-01', 'failed', 1, NULL)")
    place.shop.sql("INSERT INTO data_quality_logs (quality_rule, severity, quality_action, entity, run_id,"
                   " ack_id, logged_at) VALUES ('c', 'error', 'noted', 'Products', 1, 1, UTC_TIMESTAMP())")
    gone = place.purge("--yes")
    assert (gone["quality"], gone["quality_runs"], gone["quality_acks"]) == (0, 0, 1)
    assert place.shop.sql("SELECT ack_id FROM Quality_Acks ORDER BY ack_id") == [(1,), (2,), (3,)]
    place.shop.sql("UPDATE data_quality_logs SET logged_at = '2001-01-01'")
    gone = place.purge("--yes")  # in this order
    assert (gone["quality"], gone["quality_runs"], gone["quality_acks"]) == (1, 1, 1)
    assert place.shop.sql("SELECT ack_id FROM Quality_Acks ORDER BY ack_id") == [(2,), (3,)]


def test_what_still_fails_stays_in_quarantine_however_long(place):
    place.shop.sql("INSERT INTO Quality_Quarantine VALUES"
                   " ('c', 'Products', '1', 'r', 'run', '2001-01-01', '2001-01-01', NULL),"
                   " ('c', 'Products', '2', 'r', 'run', '2001-01-01', '2001-01-01', '2001-01-02')")
    place.keep(quarantine="1d")
    assert place.store("quarantine")["oldest"] == "2001-01-02 00:00:00"
    assert place.purge("quarantine", "--yes") == {"quarantine": 1}
    assert place.shop.sql("SELECT entity_key FROM Quality_Quarantine") == [("1",)]


def test_a_million_vectors_are_purged_while_the_cache_is_used(place):
    """The file is made here, by docs/formats/index.md."""
    path = place.root / "var" / "index" / "embeddings.db"
    assert place.purge("embedding_cache", "--yes") == {"embedding_cache": 0} and not path.exists()
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN;"
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER NOT NULL,"
            " UNIQUE (name, dimension));"
            "CREATE TABLE vectors (id INTEGER PRIMARY KEY, model INTEGER NOT NULL, hash BLOB NOT NULL,"
            " vector BLOB NOT NULL, made_at INTEGER NOT NULL, UNIQUE (model, hash));"
            "CREATE TABLE uses (owner BLOB NOT NULL, model INTEGER NOT NULL, vector INTEGER NOT NULL,"
            " PRIMARY KEY (owner, model)) WITHOUT ROWID;"
            "INSERT INTO meta VALUES ('key', randomblob(32)); INSERT INTO models VALUES (1, 'm', 4);"
            f"WITH RECURSIVE seq(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM seq WHERE n < {MILLION})"
            " INSERT INTO vectors SELECT n, 1, CAST(printf('%032d', n) AS BLOB), zeroblob(16),"
            f" CASE WHEN n <= {OLD} THEN 1000 ELSE unixepoch() END FROM seq;"
            "INSERT INTO uses SELECT CAST(printf('p:%08d', id) AS BLOB), 1, id FROM vectors;"
            "CREATE INDEX uses_by_vector ON uses (vector); CREATE INDEX vectors_by_age ON vectors (made_at);"
            "PRAGMA application_id = 1095591267; PRAGMA user_version = 2; COMMIT;")
    path.chmod(0o600)
    assert place.store("embedding_cache")["bytes"] > 10_000_000
    assert place.purge("embedding_cache", "--dry-run") == {"embedding_cache": OLD}
    purge = threading.Thread(target=lambda: gone.update(place.purge("embedding_cache", "--yes")))
    gone, longest, n = {}, 0.0, 0
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        began = time.monotonic()
        purge.start()
        while purge.is_alive():
            before = time.monotonic()
            db.execute("INSERT INTO vectors (model, hash, vector, made_at)"
                       " VALUES (1, randomblob(32), zeroblob(16), unixepoch())")
            longest, n = max(longest, time.monotonic() - before), n + 1
            time.sleep(0.003)  # at full speed it would be what is measured
        purge.join()
        assert gone == {"embedding_cache": OLD}
        assert longest < bound(time.monotonic() - began), longest
        assert db.execute("SELECT count(*) FROM vectors").fetchone() == (MILLION - OLD + n,)
        assert db.execute("SELECT count(*) FROM uses").fetchone() == (MILLION - OLD,)


def test_who_locks_an_old_row_is_not_waited_for_long(place):
    place.shop.sql("INSERT INTO sync_dead_letter (collection, path, `key`, error, first_at)"
                   " VALUES ('c', 0, 'k', 'e', '2001-01-01')")
    place.keep(dead_letters="30d")
    other = ordering.Client(place.servers)
    other.sql("BEGIN")
    other.sql("SELECT * FROM sync_dead_letter FOR UPDATE")
    before = time.monotonic()
    answer = place.run("retention", "purge", "dead_letters", "--yes", status=10)
    assert "dead_letters" in answer["error"]["message"] and time.monotonic() - before < 20
    other.close()
    assert place.purge("dead_letters", "--yes") == {"dead_letters": 1}


def test_who_locks_a_table_is_not_waited_for_long(place):
    place.shop.sql("INSERT INTO sync_dead_letter (collection, path, `key`, error, first_at)"
                   " VALUES ('c', 0, 'k', 'e', '2001-01-01')")
    place.keep(dead_letters="30d")
    other = ordering.Client(place.servers)
    other.sql("LOCK TABLES sync_dead_letter WRITE")
    before = time.monotonic()
    answer = place.run("retention", "purge", "dead_letters", "--yes", status=10)
    assert "dead_letters" in answer["error"]["message"] and time.monotonic() - before < 20
    other.close()
    assert place.purge("dead_letters", "--yes") == {"dead_letters": 1}


@pytest.mark.parametrize("verb", [("retention", "purge", "lineage"),
                                  ("lineage", "purge", "--before", "2026-01-01")])
def test_a_long_run_is_purged_without_walking_through_it_for_each_of_its_events(place, verb):
    event = ("INSERT INTO data_lineage_tracker (run_id, job_namespace, job_name, event_type, event_time,"
             " producer, inputs, outputs, event) SELECT 'long', 'n', 'sync.reviews', '{}', {}, 'p', '', '',"
             " '{{}}' FROM seq_1_to_{}")
    for kind, n in (("START", 1), ("RUNNING", 2000), ("COMPLETE", 1)):
        place.shop.sql(event.format(kind, "'2001-01-01'", n))
    # One that ended lately stays whole.
    for kind, when, n in (("START", "'2001-01-01'", 1), ("RUNNING", "UTC_TIMESTAMP()", 5000),
                          ("COMPLETE", "UTC_TIMESTAMP()", 1)):
        place.shop.sql(event.format(kind, when, n).replace("'long'", "'young'"))
    place.shop.sql("ANALYZE TABLE data_lineage_tracker")

    def read():
        return sum(int(n) for _, n in place.shop.sql(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Handler_read_next', 'Handler_read_rnd_next')"))
    before = read()
    place.run(*verb, "--yes")
    assert read() - before < 500_000
    assert place.shop.sql("SELECT DISTINCT run_id, COUNT(*) FROM data_lineage_tracker"
                          " WHERE run_id IN ('long', 'young') GROUP BY 1") == [("young", 5002)]


def test_rows_that_are_dated_ahead_hold_nothing_up(place):
    for when, n in (("2037-01-01", 5000), ("2001-01-01", 3000)):
        place.shop.sql("INSERT INTO sync_audit_log (logged_at, collection, source, outcome, mapping_version,"
                       f" term) SELECT '{when}', 'c', 'queue', 'applied', '1', 1 FROM seq_1_to_{n}")
    assert place.purge("sync_audit", "--yes") == {"sync_audit": 3000}
    assert place.count("sync_audit_log") == 5000


def test_the_forecast_needs_a_day_of_samples_and_says_when_the_disk_is_full(place):
    assert "not known yet" in place.run("retention", "show")["disk"]
    free = os.statvfs(place.root)
    step = free.f_bavail * free.f_frsize // 240  # full in ten days
    for hour in range(48):
        place.shop.sql("INSERT INTO Retention_Samples VALUES ('(disk)', UTC_TIMESTAMP() - INTERVAL"
                       f" {48 - hour} HOUR, {10**9 + hour * step})")
    told = place.run("retention", "show")["disk"]
    assert "full in 10 days" in told or "full in 9 days" in told, told
    place.shop.sql("INSERT INTO Retention_Samples VALUES ('(disk)', '2090-01-01', 5)")
    assert place.run("retention", "show")["disk"] == told
    place.shop.sql("UPDATE Retention_Samples SET byte_count = 5")
    assert "does not fill" in place.run("retention", "show")["disk"]


def test_a_name_that_is_no_store_is_refused_with_the_nearest(place):
    assert "rbac_audit" in place.run("retention", "purge", "rbac_audits", "--yes",
                                     status=3)["error"]["message"]


@pytest.mark.limit(180)
def test_binary_logs_with_a_million_rows_are_purged_while_the_sync_goes_on(stack):
    stack.sql("CREATE TABLE Many (id BIGINT PRIMARY KEY)")
    stack.sql("SET SESSION binlog_format = 'ROW'")
    stack.sql("INSERT INTO Many SELECT seq FROM seq_1_to_1000000")
    stack.sql("DROP TABLE Many")
    stack.sql("FLUSH BINARY LOGS")
    names = [row[0] for row in stack.sql("SHOW BINARY LOGS")]
    for name in names[:-1]:
        os.utime(stack.var / "mariadb" / "data" / name, (1, 1))
    before = {s["name"]: s for s in stack.json("retention", "show")["stores"]}["binlogs"]
    assert before["bytes"] > 10_000_000 and before["rows"] == len(names)
    with writers(stack, 2):
        gone = {e["name"]: e["n"] for e in stack.json("retention", "purge", "binlogs", "--yes")}
    assert gone == {"binlogs": len(names) - 1}
    assert [row[0] for row in stack.sql("SHOW BINARY LOGS")][0] == names[-1]
    stack.assert_in_step()


@pytest.mark.limit(180)
def test_serve_purges_and_measures_by_itself(stack):
    stack.down()
    stack.write_config(retention={"every": "1s", "rbac_audit": "1d"})
    stack.up()
    stack.sql("DELETE FROM rbac_audit")  # a page without an old row ends a purge
    stack.sql("INSERT INTO rbac_audit (happened_at, user_name, host_name, role_name, connection_id,"
              " query_id, action_name, database_name, object_name, query_text, outcome, times)"
              " SELECT '2001-01-01', 'old', '', '', 1, 1, 'QUERY', '', '', '', '', 1 FROM seq_1_to_5000")
    until(lambda: stack.value("SELECT COUNT(*) FROM rbac_audit WHERE user_name = 'old'") == 0, 30,
          what="old rows are purged")
    until(lambda: stack.value("SELECT COUNT(*) FROM Retention_Samples WHERE store_name = '(disk)'") > 0,
          30, what="sizes are written down")
    # One store that costs the connection keeps the later ones from nothing.
    stack.sql("CREATE TRIGGER cut_off BEFORE DELETE ON rbac_audit FOR EACH ROW KILL CONNECTION_ID()")
    stack.sql("UPDATE rbac_audit SET happened_at = '2001-01-01' ORDER BY rbac_id LIMIT 1")
    stack.sql("INSERT INTO Order_Requests (customer_id, idempotency_key, request_hash, requested_at)"
              " SELECT MIN(customer_id), 'old', REPEAT('x', 32), '2001-01-01' FROM Customers")
    until(lambda: stack.value("SELECT COUNT(*) FROM Order_Requests WHERE requested_at = '2001-01-01'") == 0, 30,
          what="later stores are purged")
    assert stack.value("SELECT COUNT(*) FROM rbac_audit WHERE happened_at = '2001-01-01'") == 1
    stack.sql("DROP TRIGGER cut_off")
    audit = stack.var / "mariadb" / "audit"
    old, young = audit / "server_audit.log.20", audit / "server_audit.log.19"
    lines = "20010101 00:00:00,vm,x,h,1,1,CONNECT,,,0\n20010102 00:00:00,********\n" \
        "20900101 00:00:00,vm,made,up,1,1,CONNECT,,,0\n"
    young.write_text(lines + time.strftime("%Y%m%d %H:%M:%S", time.gmtime()) + ",vm,x,h,1,1,CONNECT,,,0\n")
    old.write_text(lines)  # its own time is of now, as after a scrub
    log = stack.var / "log" / "big.log"
    log.write_bytes(b"x" * (17 << 20))
    until(lambda: not old.exists() and log.stat().st_size == 0, 30, what="files are purged")
    assert young.exists(), "its last line is young"
    inode = (audit / "server_audit.log").stat().st_ino
    with (audit / "server_audit.log").open("r+b") as current:
        current.write(b"2001")  # it began long ago
    until(lambda: (audit / "server_audit.log").stat().st_ino != inode, 30, what="the file is renamed")
    assert (audit / "server_audit.log.01").stat().st_ino == inode
    assert (stack.var / "log" / "big.log.1").stat().st_size == 17 << 20
    stack.run("audit", "verify")
    stack.assert_in_step()


def test_serve_verifies_the_audit_each_day_and_doctor_tells_what_is_wrong(stack):
    def told():
        return [c for c in stack.json("doctor", check=False)["checks"] if "the audit" in c["what"]]
    verified = stack.var / "audit.head.verified"
    stack.down()
    stack.write_config(retention={"every": "1s"})
    verified.unlink(missing_ok=True)
    stack.up()
    until(lambda: verified.exists(), 30, what="serve verifies the audit")
    assert [c["ok"] for c in told()] == [True]
    for (name,) in stack.sql("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE"
                             " TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE LIKE 'Audit%%'"):
        stack.sql(f"DROP TRIGGER {name}")
    stack.sql("UPDATE Audit_Events SET actor = 'somebody' ORDER BY audit_id LIMIT 1")
    stack.down()
    stack.up()
    until(lambda: any(not c["ok"] for c in told()), 30, what="doctor tells it")
    assert "was changed" in told()[0]["what"]
    assert "the audit is not as it was written" in (stack.var / "log" / "serve.log").read_text()
    assert "was changed" in stack.fails("audit", "verify")
