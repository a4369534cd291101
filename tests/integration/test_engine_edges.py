"""Where a general engine meets other people's data: their documents, their triggers, keys of odd types,
mappings that change, writers that never rest."""
import threading
import time

import bson
import pymongo
import pytest
import yaml

from waiting import until

THINGS = """
    collection: things
    table: Things
    key: id
    queue: things_sync_queue
    fields: {name: name}
    mongodb: {theirs: null}
"""


def make_things(engine, key="BIGINT"):
    engine.sql(f"CREATE TABLE Things (id {key} PRIMARY KEY, name VARCHAR(100))")
    engine.mapping("things", THINGS)


class Background:
    """Calls function(cursor, n) again and again until the block ends."""

    def __init__(self, engine, function, pause=0.01):
        self.engine, self.function, self.pause = engine, function, pause
        self.done = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection, n = self.engine.open_sql(), 0
        try:
            while not self.done.wait(self.pause):
                n += 1
                self.function(connection.cursor(), n)
        except Exception as error:
            self.error = error
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        assert self.error is None, self.error


# --- writers -----------------------------------------------------------------------------------


def test_triggers_do_not_make_writers_wait_for_each_other(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things SELECT seq, 'x' FROM seq_1_to_50")
    engine.run("sync", "install")
    assert engine.value("SELECT @@innodb_autoinc_lock_mode") == 1  # MariaDB's default

    def slow():
        connection = engine.open_sql()
        connection.cursor().execute(
            "UPDATE Things SET name = CONCAT('y', SLEEP(0.1)) WHERE id <= 30")
        connection.close()
    thread = threading.Thread(target=slow)
    thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    engine.sql("UPDATE Things SET name = 'z' WHERE id = 45")
    took = time.monotonic() - started
    assert thread.is_alive(), "the long statement was to be still running"
    thread.join()
    assert took < 1.5, f"waited {took:.1f} s of 3 s for the other statement"


def test_tables_that_feed_each_others_queues_do_not_deadlock(engine):
    for table, other in (("A", "B"), ("B", "A")):
        engine.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY, other INT, name VARCHAR(50),"
                   " KEY (other))")
        engine.sql(f"INSERT INTO {table} SELECT seq, seq, 'x' FROM seq_1_to_100")
        engine.mapping(table, f"""
            collection: {table}s
            table: {table}
            key: id
            queue: {table}_sync_queue
            fields:
              name: name
              others: {{array: {other}, on: {{other: id}}, fields: {{name: name}}}}
        """)
    engine.run("sync", "install")
    errors = []

    def write(table, first):
        connection = engine.open_sql()
        until_then = time.monotonic() + 3
        n = 0
        while time.monotonic() < until_then:
            n += 1
            try:
                connection.cursor().execute(
                    f"UPDATE {table} SET name = %s WHERE id BETWEEN %s AND %s",
                    (f"v{n}", first, first + 49))
            except Exception as error:
                errors.append(error)
        connection.close()
    threads = [threading.Thread(target=write, args=(table, first))
               for table in "AB" for first in (1, 51)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


# --- documents that others made ------------------------------------------------------------------


def test_a_foreign_document_under_the_same_number_of_another_type_stops_nothing(engine):
    make_things(engine)
    engine.live()
    engine.docs("things").insert_one({"_id": 5, "mine": 1})  # int32; ours would be int64
    engine.sql("INSERT INTO Things VALUES (5, 'five')")
    until(lambda: engine.dead_letters(), 20, what="row 5 is set aside")
    engine.sql("INSERT INTO Things SELECT seq, 'later' FROM seq_10_to_40")
    until(lambda: engine.docs("things").count_documents({"name": "later"}) == 31, 20)
    assert engine.docs("things").find_one({"_id": 5}) == {"_id": 5, "mine": 1}


def test_a_key_that_cannot_move_leaves_its_document_to_its_users(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'a')")
    engine.live()
    engine.docs("things").update_one({"_id": 1}, {"$set": {"theirs": "precious"}})
    engine.docs("things").insert_one({"_id": 7, "mine": 1})
    engine.sql("UPDATE Things SET id = 7 WHERE id = 1")
    until(lambda: engine.dead_letters() and engine.pending() == 0, 20)
    assert engine.docs("things").find_one({"theirs": "precious"})
    assert engine.docs("things").find_one({"_id": 7}) == {"_id": 7, "mine": 1}


def test_a_key_that_meets_a_foreign_document_of_its_type_leaves_both(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'a')")
    engine.live()
    engine.docs("things").update_one({"_id": 1}, {"$set": {"theirs": "precious"}})
    engine.docs("things").insert_one({"_id": bson.int64.Int64(7), "mine": 1})
    engine.sql("UPDATE Things SET id = 7 WHERE id = 1")
    until(lambda: engine.pending() == 0 and engine.docs("things").find_one({"_id": 7})["mine"], 20)
    assert engine.docs("things").find_one({"theirs": "precious"})


def test_documents_of_a_former_key_are_extra_and_go_with_the_next_migration(engine):
    make_things(engine, "VARCHAR(20)")
    engine.sql("INSERT INTO Things VALUES ('a', 'a')")
    engine.live()
    engine.docs("things").insert_many([{"_id": i, "_sync": {}} for i in range(1100)])
    engine.docs("things").insert_one({"_id": "gone", "name": "z", "_sync": {}})
    engine.docs("things").insert_one({"_id": 5000, "mine": 1})
    assert engine.verify()["collections"][0]["extra"] == 1101
    engine.run("migrate", timeout=60)
    assert [d["_id"] for d in engine.docs("things").find().sort("_id")] == [5000, "a"]
    assert engine.verify()["equal"]


def test_what_a_unique_index_refused_arrives_when_the_value_is_free(engine):
    make_things(engine)
    engine.live()
    engine.docs("things").create_index("name", unique=True)
    engine.docs("things").insert_one({"_id": "mine", "name": "taken"})
    engine.sql("INSERT INTO Things VALUES (1, 'taken'), (2, 'free')")
    until(lambda: engine.dead_letters(), 20)
    assert engine.docs("things").find_one({"_id": 2})["name"] == "free"
    engine.docs("things").delete_one({"_id": "mine"})
    until(lambda: engine.docs("things").find_one({"_id": 1}), 45, 0.5, "it is tried again")
    until(lambda: not engine.dead_letters(), 10)


def test_triggers_that_only_begin_like_ours_stay(engine):
    make_things(engine)
    engine.sql("CREATE TABLE Log (id INT AUTO_INCREMENT PRIMARY KEY)")
    engine.sql("CREATE TRIGGER aethermart_audit AFTER INSERT ON Things FOR EACH ROW"
               " INSERT INTO Log VALUES ()")
    engine.run("sync", "install")
    engine.run("sync", "uninstall", "--yes")
    assert engine.sql("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
                      " WHERE TRIGGER_SCHEMA = DATABASE()") == [("aethermart_audit",)]


# --- keys ----------------------------------------------------------------------------------------


def test_decimals_below_a_millionth_are_keys(engine):
    make_things(engine, "DECIMAL(12,8)")
    engine.sql("INSERT INTO Things VALUES (0, 'zero'), (0.00000001, 'tiny'), (1.5, 'x')")
    engine.live()
    engine.sql("UPDATE Things SET name = 'changed'")
    engine.wait_synced(20)
    assert engine.docs("things").count_documents({"name": "changed"}) == 3
    engine.sql("UPDATE Things SET id = 0.00000002 WHERE id = 0.00000001")
    engine.wait_synced(20)
    assert engine.verify()["equal"]


@pytest.mark.parametrize("keys", [("",), ("\t", ""), ("", "a")])
def test_an_empty_text_is_a_key(engine, keys):
    make_things(engine, "VARCHAR(20)")
    for key in keys:
        engine.sql("INSERT INTO Things VALUES (%s, 'x')", (key,))
    engine.live(30)
    assert engine.docs("things").count_documents({}) == len(keys)
    assert engine.verify()["equal"]


def test_an_enum_is_no_key_of_a_document(engine):
    engine.sql("CREATE TABLE Things (st ENUM('new', 'done') NOT NULL, id INT NOT NULL,"
               " name VARCHAR(20), PRIMARY KEY (st, id))")
    engine.mapping("things", THINGS.replace("key: id", "key: [st, id]"))
    message = engine.fails("mapping", "check")
    assert "things.yaml:4" in message and "ENUM" in message, message


def test_collections_whose_names_differ_in_case_only_are_refused(engine):
    make_things(engine)
    engine.mapping("other", THINGS.replace("collection: things", "collection: Things")
                   .replace("things_sync_queue", "other_sync_queue"))
    assert 'collection "things" is already that of' in engine.fails("mapping", "check")


# --- mappings that change ------------------------------------------------------------------------


def test_an_installation_beside_writers_leaves_no_dead_letters(engine):
    engine.sql("CREATE TABLE Parents (id INT PRIMARY KEY, name VARCHAR(50))")
    engine.sql("CREATE TABLE Things (id INT PRIMARY KEY, p INT, name VARCHAR(50), KEY (p))")
    parent = "  parent: {object: Parents, on: {id: p}, fields: {name: name}}"
    mapping = THINGS.replace("fields: {name: name}", f"fields:\n      name: name\n    {parent}")
    engine.mapping("things", mapping)
    engine.sql("INSERT INTO Parents SELECT seq, 'x' FROM seq_1_to_50")
    engine.sql("INSERT INTO Things SELECT seq, 1 + MOD(seq, 50), 'x' FROM seq_1_to_500")
    engine.live()

    def rename(cursor, n):
        cursor.execute("UPDATE Parents SET name = %s WHERE id = %s", (str(n), 1 + n % 50))
    with Background(engine, rename, 0.001):
        engine.mapping("things", mapping.replace(parent, ""))
        engine.run("sync", "install")
        time.sleep(1)
    engine.run("migrate", timeout=60)
    engine.wait_synced(30)
    assert engine.dead_letters() == []
    assert engine.verify()["equal"]


@pytest.mark.limit(180)
def test_an_installation_that_waits_for_a_table_leaves_no_dead_letters(engine):
    engine.sql("CREATE TABLE Parents (id INT PRIMARY KEY, name VARCHAR(50))")
    engine.sql("CREATE TABLE Things (id INT PRIMARY KEY, p INT, name VARCHAR(50), KEY (p))")
    parent = "  parent: {object: Parents, on: {id: p}, fields: {name: name}}"
    mapping = THINGS.replace("fields: {name: name}", f"fields:\n      name: name\n    {parent}")
    engine.mapping("things", mapping)
    engine.sql("INSERT INTO Parents VALUES (1, 'x')")
    engine.sql("INSERT INTO Things VALUES (1, 1, 'x')")
    engine.live()
    reader = engine.open_sql(autocommit=False)
    reader.cursor().execute("SELECT * FROM Parents")  # its table cannot be changed now
    engine.mapping("things", mapping.replace(parent, ""))
    install = engine.start("sync", "install")
    time.sleep(2)
    engine.sql("UPDATE Parents SET name = 'y' WHERE id = 1")
    until(lambda: engine.pending() == 0, 20, what="the worker met the path that it does not have")
    reader.commit()
    assert install.wait(60) == 0
    engine.run("migrate", timeout=60)
    engine.wait_synced(30)
    assert engine.dead_letters() == []
    reader.close()


def test_an_installation_does_not_wait_for_open_transactions(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'a')")
    engine.live()
    writer = engine.open_sql(autocommit=False)
    writer.cursor().execute("UPDATE Things SET name = 'b' WHERE id = 1")
    started = time.monotonic()
    engine.run("sync", "install")
    assert time.monotonic() - started < 20
    writer.rollback()
    writer.close()


def test_notes_of_a_former_key_do_not_stop_the_new_one(engine):
    engine.sql("CREATE TABLE Things (sku VARCHAR(20) PRIMARY KEY, id BIGINT NOT NULL UNIQUE,"
               " name VARCHAR(100))")
    engine.mapping("things", THINGS.replace("key: id", "key: sku"))
    engine.sql("INSERT INTO Things SELECT CONCAT('s', seq), seq, 'x' FROM seq_1_to_20")
    worker = engine.live()
    worker.terminate()
    worker.wait(20)
    engine.sql("UPDATE Things SET sku = 't1' WHERE id = 1")
    engine.mapping("things", THINGS)
    engine.run("sync", "install")
    engine.start("serve")
    engine.run("migrate", timeout=60)
    engine.sql("UPDATE Things SET id = 1000 WHERE id = 7")
    engine.wait_synced(30)
    assert engine.docs("things").find_one({"_id": 1000})
    assert engine.value("SELECT COUNT(*) FROM sync_key_change") == 0
    assert engine.verify()["equal"]


@pytest.mark.limit(180)
def test_a_standby_takes_over_with_the_mapping_of_the_day(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'a')")
    first = engine.live()
    second_config = engine.root / "second.yaml"
    second_config.write_text(yaml.safe_dump({**engine.config, "stack": {"dir": "second"}}))
    second = engine.start("serve", config=second_config)
    until(lambda: "standing by" in second.log.read_text(), 20)
    engine.mapping("things", THINGS.replace("{name: name}", "{title: name}"))
    engine.run("sync", "install")
    engine.run("migrate", timeout=60)
    first.kill()
    first.wait(10)
    engine.sql("UPDATE Things SET name = 'b'")
    until(lambda: engine.docs("things").find_one({"_id": 1}).get("title") == "b", 60)


def test_another_mongodb_is_noticed_by_the_worker_too(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'a')")
    worker = engine.live()
    worker.terminate()
    worker.wait(20)
    engine.write_config(mongodb={"database": "another_place"})
    engine.start("serve")
    until(lambda: engine.collections()[0]["state"] == "reproject", 20)
    engine.run("migrate", timeout=60)
    assert engine.verify()["equal"]


def test_a_document_that_stays_keeps_nothing_of_a_dropped_field(engine):
    make_things(engine)
    keep = THINGS + "    on_leave: keep\n"
    engine.mapping("things", keep)
    engine.sql("INSERT INTO Things VALUES (1, 'secret'), (2, 'x')")
    engine.live()
    engine.mapping("things", keep.replace("{name: name}", "{title: name}"))
    engine.run("sync", "install")
    engine.sql("DELETE FROM Things WHERE id = 1")
    engine.wait_synced(20)
    engine.run("migrate", timeout=60)
    left = engine.docs("things").find_one({"_id": 1})
    assert "name" not in left and "left_at" in left["_sync"], left
    assert engine.verify()["equal"]


def test_a_dropped_field_leaves_also_the_document_that_was_refused_meanwhile(engine):
    engine.sql("CREATE TABLE Things (id INT PRIMARY KEY, name VARCHAR(50), extra VARCHAR(50),"
               " js JSON)")
    mapping = THINGS.replace("{name: name}", "{name: name, extra: extra, js: js}")
    engine.mapping("things", mapping)
    engine.sql("INSERT INTO Things VALUES (1, 'a', 'e', '{}'), (2, 'b', 'e', '{}')")
    engine.live()
    engine.sql("UPDATE Things SET js = '{\"a\":1,\"a\":2}' WHERE id = 2")  # a name twice
    until(lambda: engine.dead_letters(), 20)
    engine.mapping("things", mapping.replace("extra: extra, ", ""))
    engine.run("sync", "install")
    engine.run("migrate", timeout=30)
    assert "extra" not in engine.docs("things").find_one({"_id": 1})
    engine.sql("UPDATE Things SET js = '{}' WHERE id = 2")
    engine.wait_synced(20)
    until(lambda: "extra" not in engine.docs("things").find_one({"_id": 2}), 10)
    assert engine.verify()["equal"]


def test_verify_finds_a_field_that_a_former_mapping_left(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'a')")
    engine.live()
    engine.sql("UPDATE sync_collection SET retired_fields = '[\"old\"]'")
    engine.docs("things").update_one({"_id": 1}, {"$set": {"old": 1}})
    found = engine.verify()["collections"][0]["differences"]
    assert [(d["kind"], d["paths"]) for d in found] == [("different", ["old"])], found


def test_a_field_handed_over_to_mongodb_stays(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'mine')")
    engine.live()
    engine.mapping("things", THINGS.replace("fields: {name: name}", "fields: {number: id}")
                   .replace("{theirs: null}", "{theirs: null, name: first}"))
    engine.run("sync", "install")
    engine.run("migrate", timeout=30)
    assert engine.docs("things").find_one({"_id": 1})["name"] == "mine"


def test_uninstall_takes_the_queue_of_a_mapping_that_is_gone(engine):
    make_things(engine)
    engine.run("sync", "install")
    (engine.mapping_dir / "things.yaml").unlink()
    engine.run("sync", "uninstall", "--yes")
    assert engine.sql("SHOW TABLES LIKE '%sync%'") == []


# --- verify beside writers -----------------------------------------------------------------------


@pytest.mark.parametrize("statements", [
    ("UPDATE Things SET name = IF(name = 'a', 'b', 'a') WHERE id <= 20",),
    ("DELETE FROM Things WHERE id <= 20",
     "INSERT INTO Things SELECT seq, 'a' FROM seq_1_to_20"),
], ids=["values that come back", "rows that come back"])
def test_verify_calls_nothing_different_that_is_in_flight(engine, statements):
    make_things(engine)
    engine.sql("INSERT INTO Things SELECT seq, 'a' FROM seq_1_to_300")
    engine.live()

    def write(cursor, n):
        cursor.execute(statements[(n - 1) % len(statements)])
    with Background(engine, write):
        for _ in range(4):
            found = engine.verify()["collections"][0]
            assert (found["missing"], found["extra"], found["different"]) == (0, 0, 0), found
    engine.wait_synced(20)
    assert engine.verify()["equal"]


def test_a_transaction_that_a_killed_holder_left_open_holds_up_nobody(engine):
    """A holder's session is in its fence: here a client that opened a transaction on it is the one
    that was killed."""
    make_things(engine)
    engine.sql("INSERT INTO Things VALUES (1, 'a')")
    worker = engine.live()
    worker.terminate()
    worker.wait(20)
    client = engine.servers.mongo_client(uuidRepresentation="standard")
    fences = client[engine.mongo().name]["sync_fence"]
    with client.start_session() as session:
        session.start_transaction()
        fences.update_one({"_id": 0}, {"$inc": {"writes": 1}}, session=session)
        lsid = {"id": bson.binary.Binary(session.session_id["id"].bytes, 4)} \
            if not isinstance(session.session_id["id"], bson.binary.Binary) else session.session_id
        fences.update_one({"_id": 1}, {"$set": {"session": lsid}})
        started = time.monotonic()
        engine.start("serve")
        engine.sql("UPDATE Things SET name = 'b'")
        engine.wait_synced(20)
        assert time.monotonic() - started < 20
        assert engine.docs("things").find_one({"_id": 1})["name"] == "b"
        with pytest.raises(pymongo.errors.PyMongoError):
            session.commit_transaction()
    client.close()


# --- many workers --------------------------------------------------------------------------------


def test_forty_workers_share_the_keys(engine):
    engine.write_config(sync={"workers": 40})
    make_things(engine)
    engine.sql("INSERT INTO Things SELECT seq, 'x' FROM seq_1_to_2000")
    engine.live(60)
    engine.sql("UPDATE Things SET name = CONCAT('y', id)")
    engine.sql("UPDATE Things SET id = id + 10000 WHERE id <= 20")
    engine.wait_synced(60)
    assert engine.verify()["equal"]


def test_a_long_transaction_is_not_behind_what_was_committed_meanwhile(engine):
    """Its rows have low numbers and become visible late: a look a second finds them, and must not be
    needed for each batch."""
    make_things(engine)
    engine.write_config(sync={"workers": 1, "batch": 20})
    engine.sql("INSERT INTO Things SELECT seq, 'x' FROM seq_1_to_3000")
    engine.live(60)
    slow = engine.open_sql(autocommit=False)
    with slow.cursor() as cursor:
        cursor.execute("UPDATE Things SET name = 'slow' WHERE id > 10")
        for turn in range(40):  # four seconds: the floor is above the rows
            engine.sql("UPDATE Things SET name = %s WHERE id = 1", (str(turn),))
            time.sleep(0.1)
    slow.commit()
    slow.close()
    engine.wait_synced(30)  # at a batch a second it takes two minutes and a half
    assert engine.docs("things").count_documents({"name": "slow"}) == 2990
    assert engine.verify()["equal"]


# --- many key changes ----------------------------------------------------------------------------


@pytest.mark.limit(240)
def test_documents_beside_many_key_changes_do_not_wait_for_them(engine):
    make_things(engine)
    engine.sql("INSERT INTO Things SELECT seq, 'x' FROM seq_1_to_16000")
    engine.live(60)
    engine.sql("UPDATE Things SET id = id + 1000000 WHERE id > 1000")
    engine.sql("UPDATE Things SET name = 'now' WHERE id <= 1000")
    with engine.open_sql() as holder, holder.cursor() as cursor:  # the last move cannot end
        cursor.execute("BEGIN")
        assert cursor.execute("SELECT 1 FROM sync_key_change ORDER BY id DESC LIMIT 1 FOR UPDATE")
        until(lambda: engine.docs("things").count_documents({"name": "now"}) >= 300, 60)
        assert engine.value("SELECT COUNT(*) FROM sync_key_change") > 0
        holder.rollback()
    engine.wait_synced(120)
    assert engine.verify()["equal"]
