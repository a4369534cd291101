"""A document that MongoDB refuses is set aside alone; thousands around it go on."""
import time

import pytest
from bson.int64 import Int64

from waiting import until


def refuse(stack, collection, condition):
    """Adds a condition of our own to the collection's validator; returns the old one."""
    database = stack.mongo()
    info = database.command("listCollections", filter={"name": collection})
    options = info["cursor"]["firstBatch"][0].get("options", {})
    old = options.get("validator", {})
    database.command("collMod", collection, validator={"$and": [old, condition]} if old
                     else condition, validationLevel="strict", validationAction="error")
    return old


def accept(stack, collection, old):
    stack.mongo().command("collMod", collection, validator=old, validationLevel="moderate")


@pytest.mark.limit(180)
def test_a_poison_row_among_thousands(stack):
    products = [r[0] for r in stack.sql("SELECT product_id FROM Products ORDER BY 1")]
    poison = products[len(products) // 2]
    old = refuse(stack, "product_catalog", {"price": {"$ne": 666}})
    for _ in range(8):  # some thousand changes, the poison among them again and again
        stack.sql("UPDATE Products SET price = IF(product_id = %s, 666, price + 1)", (poison,))
    stack.wait_synced(60)
    dead = stack.dead_letters()
    assert [(d["collection"], str(d["key"])) for d in dead] == [("product_catalog", str(poison))]
    report = stack.verify("--collection", "product_catalog")
    entry = report["collections"][0]
    assert not report["equal"] and (entry["missing"], entry["extra"]) == (0, 0)
    assert [str(d["key"]) for d in entry["differences"]] == [str(poison)]
    import oracle
    assert {d.key for d in oracle.compare(stack)} == {poison}

    accept(stack, "product_catalog", old)
    stack.run("sync", "dead-letter", "replay", "--all")
    stack.assert_in_step()


def test_a_later_success_of_the_key_clears_its_dead_letter(stack):
    product = stack.value("SELECT MIN(product_id) FROM Products")
    refuse(stack, "product_catalog", {"price": {"$ne": 666}})
    stack.sql("UPDATE Products SET price = 666 WHERE product_id = %s", (product,))
    stack.wait_synced()
    assert len(stack.dead_letters()) == 1
    stack.sql("UPDATE Products SET price = 665 WHERE product_id = %s", (product,))
    stack.assert_in_step()


def test_dead_letters_hold_the_error_but_no_value(stack):
    customer = stack.value("SELECT MIN(customer_id) FROM Customers")
    refuse(stack, "customer_profiles", {"email": {"$ne": "very.secret@example.org"}})
    stack.sql("UPDATE Customers SET email = 'very.secret@example.org' WHERE customer_id = %s",
              (customer,))
    stack.wait_synced()
    letter, = stack.dead_letters()
    shown = stack.run("sync", "dead-letter", "show", letter["id"]).stdout
    assert "validat" in shown.lower()
    for text in (str(letter), shown, stack.logs(10**6),
                 str(stack.sql("SELECT * FROM sync_dead_letter"))):
        assert "very.secret" not in text


def test_a_dead_letter_whose_key_is_no_text_is_listed(stack):
    """Keys are bytes. In JSON, what is no UTF-8 becomes U+FFFD."""
    stack.sql("INSERT INTO sync_dead_letter (collection, path, `key`, error)"
              " VALUES ('product_catalog', 0, X'41FF42', 'for a test')")
    letter, = stack.dead_letters()
    assert (letter["key"], letter["error"]) == ("A\ufffdB", "for a test")
    stack.run("sync", "dead-letter", "drop", letter["id"], "--yes")


def test_dead_letters_are_dropped_on_request(stack):
    product = stack.value("SELECT MIN(product_id) FROM Products")
    old = refuse(stack, "product_catalog", {"price": {"$ne": 666}})
    stack.sql("UPDATE Products SET price = 666 WHERE product_id = %s", (product,))
    stack.wait_synced()
    letter, = stack.dead_letters()
    stack.fails("sync", "dead-letter", "drop", letter["id"])  # nobody there to say yes
    stack.run("sync", "dead-letter", "drop", letter["id"], "--yes")
    assert stack.dead_letters() == []
    assert not stack.verify("--collection", "product_catalog")["equal"]
    accept(stack, "product_catalog", old)
    stack.run("verify", "--repair", check=False)
    stack.assert_in_step()


@pytest.mark.limit(180)
def test_a_document_above_16_mb_is_set_aside(stack):
    """A product whose specifications alone are larger than a document may be."""
    product, other = [r[0] for r in stack.sql(
        "SELECT product_id FROM Products ORDER BY 1 LIMIT 2")]
    stack.sql("UPDATE Products SET specifications ="
              " CONCAT('{\"x\": \"', REPEAT('y', 17000000), '\"}') WHERE product_id = %s",
              (product,))
    stack.sql("UPDATE Products SET price = 5.50 WHERE product_id = %s", (other,))
    stack.wait_synced(90)
    assert [str(d["key"]) for d in stack.dead_letters()] == [str(product)]
    assert str(stack.doc("product_catalog", other)["price"]) == "5.50"
    stack.sql("UPDATE Products SET specifications = NULL WHERE product_id = %s", (product,))
    stack.assert_in_step(60)


def test_a_write_conflict_is_no_dead_letter(stack):
    """Somebody holds the document in a transaction of their own for a while."""
    product = stack.value("SELECT MIN(product_id) FROM Products")
    client = stack.mongo().client
    with client.start_session() as session:
        with session.start_transaction():
            stack.docs("product_catalog").update_one(
                {"_id": Int64(product)}, {"$set": {"specifications_extra.held": True}},
                session=session)
            stack.sql("UPDATE Products SET price = 88.80 WHERE product_id = %s", (product,))
            time.sleep(2)
            assert stack.value("SELECT COUNT(*) FROM sync_dead_letter") == 0
    until(lambda: str(stack.doc("product_catalog", product)["price"]) == "88.80", 15)
    assert stack.doc("product_catalog", product)["specifications_extra"] == {"held": True}
    stack.assert_in_step()
