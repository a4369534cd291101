"""The engine on schemas that are not the shop's: types, depth, filters, fan-out, odd names, and
mistakes in mappings, which are found before anything is touched."""
import datetime
import json
import time

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from waiting import until


def test_every_column_type_migrated_and_synced(engine):
    engine.sql("""CREATE TABLE T (
        id INT PRIMARY KEY, tiny TINYINT, flag TINYINT(1), small SMALLINT UNSIGNED, med MEDIUMINT,
        big BIGINT UNSIGNED, dec1 DECIMAL(30,10), dec0 DECIMAL(5,0), dbl DOUBLE, txt LONGTEXT,
        chr CHAR(10), en ENUM('a','B'), js JSON, d DATE, dt DATETIME(6), ts TIMESTAMP(6) NULL,
        bin VARBINARY(20))""")
    engine.mapping("t", """
        collection: t
        table: T
        key: id
        queue: t_sync_queue
        fields:
          tiny: tiny
          flag: {column: flag, type: bool}
          small: small
          med: med
          big: big
          dec1: dec1
          dec0: dec0
          dbl: dbl
          txt: txt
          chr: chr
          en: en
          js: {column: js, type: json}
          d: d
          dt: dt
          ts: ts
          bin: bin
    """)
    row = ("-128, 1, 65535, -8388608, 18446744073709551615, '-12345678901234567890.0123456789',"
           " 12345, 0.1, 'é\\n', 'pad  ', 'B', '{\"a\": [1, 2.5, \"x\", null, true, {}]}',"
           " '1000-01-01', '2026-01-02 03:04:05.678999', '2026-01-02 03:04:05.678999', 0x00ff41")
    nulls = ", ".join(["NULL"] * 16)
    engine.sql(f"INSERT INTO T VALUES (1, {row}), (2, {nulls})")
    engine.live()
    engine.sql(f"INSERT INTO T VALUES (3, {row}), (4, {nulls})")
    engine.wait_synced()
    documents = {d.pop("_id"): d for d in engine.docs("t").find()}
    for document in documents.values():
        document.pop("_sync")
    stamp = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)
    wanted = {
        "tiny": Int64(-128), "flag": True, "small": Int64(65535), "med": Int64(-8388608),
        "big": Decimal128("18446744073709551615"),
        "dec1": Decimal128("-12345678901234567890.0123456789"), "dec0": Decimal128("12345"),
        "dbl": 0.1, "txt": "é\n", "chr": "pad", "en": "B",
        "js": {"a": [Int64(1), 2.5, "x", None, True, {}]}, "d": datetime.datetime(1000, 1, 1),
        "dt": stamp, "ts": stamp, "bin": b"\x00\xffA"}
    import oracle
    for key in (1, 3):
        assert list(oracle.differences_of(wanted, documents[key])) == []
    for key in (2, 4):
        assert documents[key] == dict.fromkeys(wanted)
    assert engine.dead_letters() == [] and engine.verify()["equal"]


FOUR_LEVELS = """
    collection: makers
    table: A
    key: a
    queue: a_sync_queue
    fields:
      name: name
      bs:
        array: B
        on: {a: a}
        order: [b]
        fields:
          b: b
          cs:
            array: C
            on: {b: b}
            order: [c desc]
            fields:
              c: c
              ds:
                array: D
                on: {c: c}
                order: [d]
                limit: 2
                fields:
                  d: d
                  e: {object: E, on: {e: e}, fields: {word: word}}
      totals:
        aggregate: B
        on: {a: a}
        values: {n: count, most: {max: amount}, all: {sum: amount}}
"""


def four_levels(engine):
    engine.sql("CREATE TABLE A (a INT PRIMARY KEY, name VARCHAR(40))")
    engine.sql("CREATE TABLE B (b INT PRIMARY KEY, a INT, amount DECIMAL(8,3), KEY (a))")
    engine.sql("CREATE TABLE C (c INT PRIMARY KEY, b INT, KEY (b))")
    engine.sql("CREATE TABLE D (d INT PRIMARY KEY, c INT, e INT, KEY (c), KEY (e))")
    engine.sql("CREATE TABLE E (e INT PRIMARY KEY, word VARCHAR(10))")
    engine.mapping("makers", FOUR_LEVELS)


def built(engine):
    """The documents as the tables say, the plain way."""
    def rows(query, *args):
        return engine.sql(query, args)
    result = {}
    for a, name in rows("SELECT a, name FROM A"):
        bs = []
        for (b,) in rows("SELECT b FROM B WHERE a = %s ORDER BY b", a):
            cs = []
            for (c,) in rows("SELECT c FROM C WHERE b = %s ORDER BY c DESC", b):
                ds = []
                for d, e in rows("SELECT d, e FROM D WHERE c = %s ORDER BY d LIMIT 2", c):
                    words = rows("SELECT word FROM E WHERE e = %s", e)
                    ds.append({"d": d, "e": {"word": words[0][0]} if words else None})
                cs.append({"c": c, "ds": ds})
            bs.append({"b": b, "cs": cs})
        n, most, all_ = rows("SELECT COUNT(*), MAX(amount), SUM(amount) FROM B WHERE a = %s", a)[0]
        result[a] = {"name": name, "bs": bs, "totals": {
            "n": n, "most": most if most is None else Decimal128(str(most)),
            "all": Decimal128("0.000") if all_ is None else Decimal128(str(all_))}}
    return result


def assert_built(engine):
    engine.wait_synced()
    found = {d["_id"]: {k: v for k, v in d.items() if k not in ("_id", "_sync")}
             for d in engine.docs("makers").find()}
    assert found == built(engine)
    assert engine.verify()["equal"]


def test_four_levels_and_moves_on_each(engine):
    four_levels(engine)
    engine.sql("INSERT INTO A VALUES (1, 'x'), (2, 'y'), (3, NULL)")
    engine.sql("INSERT INTO B VALUES (1, 1, 1.5), (2, 1, NULL), (3, 2, 2)")
    engine.sql("INSERT INTO C VALUES (1, 1), (2, 1), (3, 3)")
    engine.sql("INSERT INTO E VALUES (1, 'w'), (2, 'v')")
    engine.sql("INSERT INTO D VALUES (1, 1, 1), (2, 1, 2), (3, 1, 1), (4, 3, NULL), (5, 3, 9)")
    engine.live()
    assert_built(engine)
    for statement in (
        "UPDATE E SET word = 'W' WHERE e = 1", "UPDATE D SET c = 3 WHERE d = 1",
        "UPDATE C SET b = 3 WHERE c = 2", "UPDATE B SET a = 3 WHERE b = 1",
        "UPDATE B SET amount = NULL WHERE b = 3", "UPDATE D SET e = NULL WHERE d = 2",
        "INSERT INTO E VALUES (9, 'late')", "DELETE FROM E WHERE e = 1",
        "UPDATE B SET a = NULL WHERE b = 2", "UPDATE B SET a = 99 WHERE b = 3",
        "INSERT INTO A VALUES (99, 'came after its children')",
        "UPDATE C SET c = 30 WHERE c = 3", "UPDATE D SET c = 30 WHERE c = 3",
        "UPDATE E SET e = 10 WHERE e = 9", "DELETE FROM B WHERE b = 1", "DELETE FROM A WHERE a = 3",
        "DELETE FROM A",
    ):
        engine.sql(statement)
        assert_built(engine)


def test_filter_and_keep_on_leave(engine):
    engine.sql("CREATE TABLE P (id INT PRIMARY KEY, name VARCHAR(10), state VARCHAR(10) COLLATE"
               " utf8mb4_unicode_ci)")
    engine.mapping("p", """
        collection: p
        table: P
        key: id
        queue: p_sync_queue
        on_leave: keep
        where: {state: open}
        fields: {name: name, state: state}
    """)
    engine.sql("INSERT INTO P VALUES (1, 'a', 'open'), (2, 'b', 'closed'), (3, 'c', 'open')")
    engine.live()
    assert {d["_id"] for d in engine.docs("p").find()} == {1, 3}
    engine.docs("p").update_one({"_id": 1}, {"$set": {"theirs": 5}})
    engine.sql("UPDATE P SET state = 'closed' WHERE id = 1")
    engine.sql("UPDATE P SET state = 'open' WHERE id = 2")
    engine.wait_synced()
    left = engine.docs("p").find_one({"_id": 1})
    assert left["theirs"] == 5 and "name" not in left and "left_at" in left["_sync"]
    assert engine.docs("p").find_one({"_id": 2})["name"] == "b"
    assert engine.verify()["equal"]
    engine.sql("UPDATE P SET state = 'open' WHERE id = 1")
    engine.wait_synced()
    back = engine.docs("p").find_one({"_id": 1})
    assert (back["name"], back["theirs"]) == ("a", 5) and "left_at" not in back["_sync"]
    assert engine.verify()["equal"]


@pytest.mark.limit(180)
def test_one_row_that_is_in_twenty_thousand_documents(engine):
    """The expansion is paged; the worker is killed in the middle and again."""
    engine.sql("CREATE TABLE Kind (id INT PRIMARY KEY, name VARCHAR(20))")
    engine.sql("CREATE TABLE Item (id INT PRIMARY KEY, kind INT, KEY (kind))")
    engine.sql("INSERT INTO Kind VALUES (1, 'before')")
    engine.sql("INSERT INTO Item SELECT seq, 1 FROM seq_1_to_20000")
    engine.mapping("item", """
        collection: item
        table: Item
        key: id
        queue: item_sync_queue
        fields:
          kind: {object: Kind, on: {id: kind}, fields: {name: name}}
    """)
    worker = engine.live(90)
    engine.sql("UPDATE Kind SET name = 'after'")
    for pause in (0.3, 0.5):
        time.sleep(pause)
        worker.kill()
        worker.wait()
        worker = engine.start("serve")
    engine.wait_synced(90)
    assert engine.docs("item").count_documents({"kind.name": "after"}) == 20000
    engine.sql("UPDATE Item SET kind = NULL WHERE id <= 10")
    engine.sql("DELETE FROM Kind")
    engine.wait_synced(90)
    assert engine.docs("item").count_documents({"kind": None}) == 20000
    assert engine.verify()["equal"]


def test_odd_names_of_tables_columns_and_fields(engine):
    engine.sql("CREATE TABLE `select``x y` (`key` INT PRIMARY KEY, `a ``b'\"` VARCHAR(10),"
               " `ünï` INT)")
    engine.mapping("odd", """
        collection: odd.collection
        table: "select`x y"
        key: key
        queue: "odd`x_sync_queue"
        fields:
          "the field": "a `b'\\""
          ünï: ünï
    """)
    engine.sql("INSERT INTO `select``x y` VALUES (1, 'v', 2)")
    engine.live()
    engine.sql("UPDATE `select``x y` SET `a ``b'\"` = 'w'")
    until(lambda: engine.docs("odd.collection").find_one()["the field"] == "w")
    assert engine.docs("odd.collection").find_one()["ünï"] == 2
    assert engine.verify()["equal"]


def test_target_none_has_a_queue_and_no_collection(engine):
    engine.sql("CREATE TABLE O (id INT PRIMARY KEY, n INT)")
    engine.mapping("o", """
        collection: o
        target: none
        table: O
        key: id
        queue: o_sync_queue
        fields: {n: n}
    """)
    engine.sql("INSERT INTO O VALUES (1, 1)")
    engine.live()
    engine.sql("UPDATE O SET n = 2")
    engine.wait_synced()
    assert "o" not in engine.mongo().list_collection_names()


def test_two_mappings_of_one_table(engine):
    engine.sql("CREATE TABLE S (id INT PRIMARY KEY, a INT, b INT)")
    for name, field in (("one", "a"), ("two", "b")):
        engine.mapping(name, f"""
            collection: {name}
            table: S
            key: id
            queue: {name}_sync_queue
            fields: {{{field}: {field}}}
        """)
    engine.live()
    engine.sql("INSERT INTO S VALUES (1, 2, 3)")
    engine.wait_synced()
    assert engine.docs("one").find_one()["a"] == 2 and engine.docs("two").find_one()["b"] == 3
    assert engine.verify()["equal"]


GOOD = """\
collection: s
table: S
key: id
queue: s_sync_queue
fields:
  a: a
  child:
    array: C
    on: {s: id}
    order: [id]
    fields: {n: n}
"""

MISTAKES = {  # what is replaced, by what, line of the message, words in it
    "unknown-table": ("table: S", "table: SS", 2, ["SS"]),
    "unknown-column": ("a: a", "a: aa", 6, ["aa"]),
    "unknown-child-table": ("array: C", "array: CC", 8, ["CC"]),
    "unknown-join-column": ("{s: id}", "{s: idd}", 9, ["idd"]),
    "missing-key": ("key: id\n", "", None, ["key"]),
    "missing-queue": ("queue: s_sync_queue\n", "", None, ["queue"]),
    "name-used-twice": ("  child:", "  a: b\n  child:", None, ["a"]),
    "unindexed-join": ("{s: id}", "{plain: id}", 9, ["index", "plain"]),
    "unknown-word": ("order:", "ordre:", 10, ["ordre", "order"]),
    "not-a-key": ("key: id", "key: a", 3, ["a"]),
    "no-yaml": ("fields:\n  a", "fields: [\n  a", None, []),
    "dot-in-a-field": ("  a: a", "  a.b: a", 6, ["a.b"]),
}


def test_a_mistake_in_a_mapping_is_found_before_anything_is_touched(engine):
    engine.sql("CREATE TABLE S (id INT PRIMARY KEY, a INT, b INT)")
    engine.sql("CREATE TABLE C (id INT PRIMARY KEY, s INT, plain INT, n INT, KEY (s))")
    wrong = []
    for name, (old, new, line, words) in MISTAKES.items():
        assert old in GOOD
        engine.mapping("s", GOOD.replace(old, new, 1))
        for verb in (["mapping", "check"], ["sync", "install"]):
            done = engine.run(*verb, check=False)
            where = f"s.yaml:{line}:" if line else "s.yaml"
            if done.returncode <= 0 or not all(w in done.stderr for w in [where, *words]):
                wrong.append(f"{name}: {' '.join(verb)}: {done.returncode} {done.stderr}")
    assert engine.sql("SHOW TRIGGERS") == [] and engine.queues() == []
    assert not wrong, "\n".join(wrong)
    engine.mapping("s", GOOD)
    engine.run("mapping", "check")


def test_mapping_verbs_show_what_they_are_asked(engine):
    engine.sql("CREATE TABLE S (id INT PRIMARY KEY, a INT, b INT)")
    engine.sql("CREATE TABLE C (id INT PRIMARY KEY, s INT, plain INT, n INT, KEY (s))")
    engine.sql("INSERT INTO S VALUES (7, 70, 0)")
    engine.sql("INSERT INTO C VALUES (1, 7, 0, 11)")
    engine.mapping("s", GOOD)
    assert "TRIGGER" in engine.run("mapping", "triggers").stdout.upper()
    assert "SELECT" in engine.run("mapping", "sql").stdout.upper()
    assert "S" in engine.run("mapping", "show").stdout
    sample = engine.run("mapping", "sample", "s", "7", "--json", check=False)
    if sample.returncode == 2:  # with one mapping the key alone may do
        sample = engine.run("mapping", "sample", "7", "--json")
    text = json.dumps(json.loads(sample.stdout)).replace(" ", "")
    assert "70" in text and "11" in text


def test_a_queue_or_collection_named_twice_is_refused(engine):
    engine.sql("CREATE TABLE S (id INT PRIMARY KEY, a INT, b INT)")
    engine.sql("CREATE TABLE C (id INT PRIMARY KEY, s INT, plain INT, n INT, KEY (s))")
    engine.mapping("one", GOOD)
    engine.mapping("two", GOOD.replace("collection: s", "collection: t"))
    assert "s_sync_queue" in engine.fails("mapping", "check")


def test_a_target_without_transactions_is_refused(engine):
    """A standalone MongoDB server; skipped where the server knows no such mode."""
    import servers
    program = servers.mongodb_program()
    if not program.endswith("secantusd-rs"):
        pytest.skip("needs SecantusDB's --standalone")
    import subprocess
    port = servers.free_port()
    with open(engine.root / "standalone.log", "wb") as log:
        child = subprocess.Popen([program, "--standalone", "--host", "127.0.0.1", "--port",
                                  str(port), "--storage-path", str(engine.root / "standalone"),
                                  "--cache-size", "32M", "--log-file-max", "16MB"],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    engine.children.append(child)
    engine.sql("CREATE TABLE S (id INT PRIMARY KEY, a INT, b INT)")
    engine.mapping("s", """
        collection: s
        table: S
        key: id
        queue: s_sync_queue
        fields: {a: a}
    """)
    engine.write_config(mongodb={"uri": f"mongodb://127.0.0.1:{port}/"})
    time.sleep(1)
    done = engine.run("doctor", check=False)
    assert done.returncode != 0
    assert "replica set" in (done.stdout + done.stderr).lower()


def test_sql_sent_by_hand_to_the_queue_is_no_danger(engine):
    """Unknown paths, keys that are no keys: set aside or dropped, and the rest goes on."""
    engine.sql("CREATE TABLE S (id INT PRIMARY KEY, a INT)")
    engine.mapping("s", """
        collection: s
        table: S
        key: id
        queue: s_sync_queue
        fields: {a: a}
    """)
    engine.sql("INSERT INTO S VALUES (1, 1)")
    engine.live()
    engine.sql("INSERT INTO s_sync_queue (`path`, `key`, queued_at) VALUES (0, 'abc', NOW(6)),"
               " (0, '', NOW(6)), (12345, '1', NOW(6)), (0, REPEAT('9', 1000), NOW(6)),"
               " (0, 0xff00ff, NOW(6))")
    engine.sql("UPDATE S SET a = 2")
    engine.wait_synced(40)
    assert engine.docs("s").find_one({"_id": 1})["a"] == 2
