"""The engine on schemas that are not the shop's: keys of every kind, compared by bytes."""
import random
import threading
import time

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

WORDS = """
    collection: words
    table: Words
    key: word
    queue: words_sync_queue
    fields:
      word: word
      meaning: meaning
    mongodb:
      notes: []
"""


def make_words(engine, collation="utf8mb4_unicode_ci"):
    engine.sql(f"CREATE TABLE Words (word VARCHAR(100) COLLATE {collation} PRIMARY KEY,"
               " meaning TEXT)")
    engine.mapping("words", WORDS)


def rows_and_documents(engine):
    rows = {r[0]: r[1] for r in engine.sql("SELECT word, meaning FROM Words")}
    documents = {d["_id"]: d["meaning"] for d in engine.docs("words").find()}
    for document in engine.docs("words").find():
        assert document["_id"] == document["word"] and document["notes"] is not None, document
    return rows, documents


def assert_same_words(engine):
    engine.wait_synced()
    rows, documents = rows_and_documents(engine)
    assert documents == rows
    assert engine.dead_letters() == []
    assert engine.verify()["equal"]


def test_a_key_that_changes_only_in_case(engine):
    make_words(engine)
    engine.sql("INSERT INTO Words VALUES ('apple', 'a fruit'), ('pear', 'another')")
    engine.live()
    engine.docs("words").update_one({"_id": "apple"}, {"$set": {"notes": ["mine"], "x": 1}})
    engine.sql("UPDATE Words SET word = 'APPLE' WHERE word = 'apple'")
    engine.wait_synced()
    assert {d["_id"] for d in engine.docs("words").find()} == {"APPLE", "pear"}
    document = engine.docs("words").find_one({"_id": "APPLE"})
    assert (document["meaning"], document["notes"], document["x"]) == ("a fruit", ["mine"], 1)
    engine.sql("UPDATE Words SET word = 'Apple' WHERE word = 'apple'")
    assert_same_words(engine)


def test_keys_that_change_to_ones_the_collation_may_call_equal(engine):
    pairs = [("x", "x "), ("y ", "y"), ("resume", "résumé"), ("strasse", "straße"),
             ("e\u0301", "\u00e9"), ("a", "b"), ("\U0001F600", "\U0001F601")]
    make_words(engine)
    engine.live()
    for old, new in pairs:
        engine.sql("DELETE FROM Words")
        engine.sql("INSERT INTO Words VALUES (%s, 'm')", (old,))
        engine.wait_synced()
        assert [d["_id"] for d in engine.docs("words").find()] == [old]
        engine.sql("UPDATE Words SET word = %s", (new,))
        engine.wait_synced()
        assert [d["_id"] for d in engine.docs("words").find()] == [new], (old, new)
    assert_same_words(engine)


def test_odd_text_keys(engine):
    make_words(engine, "utf8mb4_nopad_bin")
    odd = ["", " ", "a:b", "a%3Ab", "%", "a'b\"c`", "\\", "NULL", "0", "-1", "ключ", "🙂" * 20,
           "tab\t", "line\nline", "$set", "a.b", "_id", "x" * 100]
    for word in odd[:9]:
        engine.sql("INSERT INTO Words VALUES (%s, %s)", (word, word))
    engine.live()
    for word in odd[9:]:
        engine.sql("INSERT INTO Words VALUES (%s, %s)", (word, word))
    assert_same_words(engine)
    engine.sql("UPDATE Words SET meaning = CONCAT(meaning, '!')")
    assert_same_words(engine)
    engine.sql("DELETE FROM Words WHERE word <> 'a.b'")
    assert_same_words(engine)


def test_delete_and_insert_again_in_another_case(engine):
    make_words(engine)
    engine.sql("INSERT INTO Words VALUES ('apple', 'one')")
    engine.live()
    for _ in range(10):
        connection = engine.open_sql(autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM Words")
            cursor.execute("INSERT INTO Words VALUES (%s, 'again')",
                           (random.choice(["apple", "APPLE", "Apple", "aPPLE "]),))
        connection.commit()
        connection.close()
    assert_same_words(engine)


@pytest.mark.limit(150)
def test_hot_text_keys_change_case_while_migration_runs(engine):
    make_words(engine)
    for i in range(3000):
        engine.sql("INSERT INTO Words VALUES (%s, 'm')", (f"filler {i}",))
    engine.live()
    done = threading.Event()
    errors = []

    def write(seed):
        rng = random.Random(seed)
        connection = engine.open_sql()
        try:
            while not done.is_set():
                word = rng.choice("abcdef")
                other = rng.choice([word.upper(), word, word + " ", rng.choice("abcdef")])
                statement, values = rng.choice([
                    ("INSERT IGNORE INTO Words VALUES (%s, %s)", (other, str(rng.random()))),
                    ("UPDATE IGNORE Words SET word = %s WHERE word = %s", (other, word)),
                    ("DELETE FROM Words WHERE word = %s", (word,)),
                    ("UPDATE Words SET meaning = %s WHERE word = %s", (str(rng.random()), word)),
                    ("REPLACE INTO Words VALUES (%s, %s)", (other, str(rng.random()))),
                ])
                with connection.cursor() as cursor:
                    try:
                        cursor.execute(statement, values)
                    except Exception as error:
                        if error.args[0] not in (1213, 1205, 1062, 1020):
                            raise
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        engine.run("migrate", timeout=60)
        time.sleep(0.3)
    done.set()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert_same_words(engine)


def test_composite_keys_are_joined_and_escaped(engine):
    engine.sql("CREATE TABLE Stock (place VARCHAR(40) COLLATE utf8mb4_unicode_ci, item BIGINT,"
               " amount INT, PRIMARY KEY (place, item))")
    engine.mapping("stock", """
        collection: stock
        table: Stock
        key: [place, item]
        queue: stock_sync_queue
        fields: {place: place, item: item, amount: amount}
    """)
    places = ["north", "a:b", "100%", "%3A", "", "Süd"]
    for i, place in enumerate(places):
        engine.sql("INSERT INTO Stock VALUES (%s, %s, 1)", (place, i - 2))
    engine.live()
    engine.sql("INSERT INTO Stock VALUES ('late', 9000000000, 1)")
    engine.sql("UPDATE Stock SET place = 'NORTH' WHERE place = 'north'")
    engine.sql("UPDATE Stock SET item = item + 100 WHERE place = 'a:b'")
    engine.wait_synced()
    found = {d["_id"]: (d["place"], d["item"]) for d in engine.docs("stock").find()}
    assert found == {
        "NORTH:-2": ("NORTH", -2), "a%3Ab:99": ("a:b", 99), "100%25:0": ("100%", 0),
        "%253A:1": ("%3A", 1), ":2": ("", 2), "Süd:3": ("Süd", 3),
        "late:9000000000": ("late", 9000000000)}
    assert engine.verify()["equal"]
    assert engine.json("doc", "stock", "a%3Ab:99")["item"] in (99, {"$numberLong": "99"})


@pytest.mark.parametrize("column, values, ids", [
    ("BIGINT UNSIGNED", ["0", "1", "4294967296", "9223372036854775807", "9223372036854775808",
                         "18446744073709551615"],
     [Int64(0), Int64(1), Int64(2**32), Int64(2**63 - 1), Decimal128("9223372036854775808"),
      Decimal128("18446744073709551615")]),
    ("BIGINT", ["-9223372036854775808", "-1", "0", "9223372036854775807"],
     [Int64(-2**63), Int64(-1), Int64(0), Int64(2**63 - 1)]),
    ("INT", ["-2147483648", "5", "10", "9", "100"],
     [Int64(-2147483648), Int64(5), Int64(10), Int64(9), Int64(100)]),
    ("CHAR(5)", ["a", "B", "zzzzz"], ["a", "B", "zzzzz"]),
], ids=["unsigned", "signed", "int", "char"])
def test_keys_of_a_type(engine, column, values, ids):
    """Migrated, then updated, found by verify in key order, and deleted."""
    engine.sql(f"CREATE TABLE Things (id {column} PRIMARY KEY, name VARCHAR(20))")
    engine.mapping("things", """
        collection: things
        table: Things
        key: id
        queue: things_sync_queue
        fields: {name: name}
    """)
    for value in values[:-1]:
        engine.sql("INSERT INTO Things VALUES (%s, 'old')", (value,))
    engine.live()
    engine.sql("INSERT INTO Things VALUES (%s, 'old')", (values[-1],))
    engine.sql("UPDATE Things SET name = 'new'")
    engine.wait_synced()
    found = list(engine.docs("things").find())
    assert all(d["name"] == "new" for d in found)
    assert {(type(d["_id"]), str(d["_id"])) for d in found} == {(type(i), str(i)) for i in ids}
    report = engine.verify()
    assert report["equal"] and report["collections"][0]["documents"] == len(ids)
    engine.sql("DELETE FROM Things")
    engine.wait_synced()
    assert engine.docs("things").count_documents({}) == 0
    assert engine.dead_letters() == [] and engine.verify()["equal"]


def test_a_binary_key_is_a_document_of_its_own(engine):
    engine.sql("CREATE TABLE Blobs (id BINARY(4) PRIMARY KEY, name VARCHAR(20))")
    engine.mapping("blobs", """
        collection: blobs
        table: Blobs
        key: id
        queue: blobs_sync_queue
        fields: {name: name}
    """)
    engine.sql("INSERT INTO Blobs VALUES (0x00ff0001, 'a'), (0x41424344, 'b')")
    engine.live()
    engine.sql("UPDATE Blobs SET name = 'c' WHERE id = 0x41424344")
    engine.sql("INSERT INTO Blobs VALUES (0x00000000, 'd')")
    engine.wait_synced()
    assert sorted(d["name"] for d in engine.docs("blobs").find()) == ["a", "c", "d"]
    assert engine.verify()["equal"]


def test_keys_that_swap_in_one_transaction(engine):
    engine.sql("CREATE TABLE Seats (id INT PRIMARY KEY, name VARCHAR(20))")
    engine.mapping("seats", """
        collection: seats
        table: Seats
        key: id
        queue: seats_sync_queue
        fields: {name: name}
        mongodb: {theirs: null}
    """)
    engine.sql("INSERT INTO Seats VALUES (1, 'one'), (2, 'two')")
    engine.live()
    for number, text in ((1, "of one"), (2, "of two")):
        engine.docs("seats").update_one({"_id": number}, {"$set": {"theirs": text}})
    connection = engine.open_sql(autocommit=False)
    with connection.cursor() as cursor:
        for new, old in ((3, 1), (1, 2), (2, 3)):
            cursor.execute("UPDATE Seats SET id = %s WHERE id = %s", (new, old))
    connection.commit()
    connection.close()
    engine.wait_synced()
    found = {d["_id"]: (d["name"], d["theirs"]) for d in engine.docs("seats").find()}
    assert found == {2: ("one", "of one"), 1: ("two", "of two")}
    assert engine.verify()["equal"]
