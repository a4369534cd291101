"""`reset` on servers that the configuration names deletes what AetherMart created there and nothing
else, and wants each database's name typed."""
import os
import pty
import subprocess

import pytest

from engine import DATABASE, DOCUMENTS
from stack import BINARY, environment


def typed(stack, text, *words):
    """aethermart WORDS with a person at the terminal who types `text`."""
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, text.encode())
        return subprocess.run(
            [str(BINARY), "--config", str(stack.config_path), *words], stdin=terminal,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=stack.root,
            env=environment(), timeout=100)
    finally:
        os.close(terminal)
        os.close(keyboard)


@pytest.fixture
def shop(engine):
    """The shop, empty but for a customer, live on servers of its own; `down` at the end."""
    del engine.config["mapping"]
    engine.write_config()
    try:
        yield engine
    finally:
        engine.run("down")


def add_strangers(shop):
    shop.sql("CREATE TABLE notes (note_id INT PRIMARY KEY, customer_id INT)")
    shop.sql("INSERT INTO notes VALUES (1, 1), (2, 1)")
    shop.docs("customer_profiles").insert_one({"_id": "a stranger", "name": "not ours"})
    shop.docs("letters").insert_one({"_id": 1})


def assert_strangers(shop):
    assert shop.sql("SELECT * FROM notes ORDER BY 1") == [(1, 1), (2, 1)]
    assert shop.docs("customer_profiles").find_one({"_id": "a stranger"})["name"] == "not ours"
    assert shop.docs("letters").count_documents({}) == 1


def test_reset_leaves_what_it_did_not_create(shop):
    shop.run("up", "--yes")
    shop.insert("Customers", first_name="A", last_name="B", registration_date="2026-01-01")
    shop.wait_synced()
    assert shop.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 1
    add_strangers(shop)

    refusals = [
        shop.run("reset", "--yes", check=False),  # nobody types the names
        typed(shop, "anything_else\n", "reset", "--yes"),
        typed(shop, f"{DATABASE}\nanything_else\n", "reset", "--yes"),
        typed(shop, f"{DATABASE} \n\n", "reset"),
    ]
    for done in refusals:
        assert done.returncode == 11 and "nothing was deleted" in str(done), done
    assert shop.value("SELECT COUNT(*) FROM Customers") == 1
    assert shop.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 1

    done = typed(shop, f"{DATABASE}\n{DOCUMENTS}\n", "reset")
    assert done.returncode == 0, done.stdout
    assert shop.value("SELECT COUNT(*) FROM Customers") == 0
    assert shop.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 0
    assert_strangers(shop)
    shop.insert("Customers", first_name="C", last_name="D", registration_date="2026-01-01")
    shop.wait_synced()
    assert shop.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 1


def test_reset_leaves_tables_that_only_have_the_same_names(shop):
    shop.sql("CREATE TABLE Customers (customer_id INT PRIMARY KEY, mine TEXT)")
    shop.sql("INSERT INTO Customers VALUES (7, 'kept')")
    done = shop.run("up", "--yes", check=False)
    assert done.returncode != 0 and "Customers" in done.stderr, done.stderr
    done = typed(shop, f"{DATABASE}\n{DOCUMENTS}\n", "reset")
    assert done.returncode != 0 and "Customers" in done.stdout, done.stdout
    assert shop.sql("SELECT * FROM Customers") == [(7, "kept")]
