"""What the search of an erasure finds, and what it leaves to others: each copy of a person, in each
spelling and place, keeps an erasure from being complete, and nothing of anybody else does."""

import json
import shutil
import time

import bson
import pytest
import yaml

import stack as stack_module
from indexed import wait_for_meaning
from test_erase import Person, number
from waiting import until

NAMES = {"first_name": "Zenobia", "last_name": "Quartermain"}


@pytest.fixture
def forgetful(new_stack):
    """Its index overwrites what is gone only where it is told to."""
    new_stack.write_config(index={"forget_after": "1d"})


@pytest.fixture
def person(forgetful, stack):
    return Person(stack)


def content(done):
    return json.loads(json.loads(done.stdout)["certificate"])


def erased(stack, key, *args):
    """The content of the certificate."""
    return content(stack.run("privacy", "erase", key, "--yes", "--json", *args))


def left(stack, key, *args):
    """Of an erasure that goes no further: (where, key) of each thing that it found."""
    done = stack.run("privacy", "erase", key, "--yes", "--json", "--wait", "1s", *args, check=False)
    assert done.returncode != 0 and "something of theirs is still in" in done.stderr, done.stderr
    return {(f["where"], f["key"]) for f in json.loads(done.stdout)["left"]}


def planned(stack, key):
    plan = stack.json("privacy", "erase", key, "--dry-run")
    return plan, {(f["where"], f["key"]) for f in plan["finds"]}


def add_customer(stack, **columns):
    return stack.insert("Customers", registration_date="2024-01-01", **columns)


def add_review(stack, customer, text, **columns):
    product = stack.value("SELECT product_id FROM Products LIMIT 1")
    return stack.insert("Reviews", product_id=product, customer_id=customer, rating=3,
                        review_text=text, review_date="2025-01-01", **columns)


# --- what is shared, and what is not ---------------------------------------------------------


def test_what_others_say_of_somebody_is_found(person):
    stack, other = person.stack, number(person.stack, "EZ-2")
    said = add_review(stack, other, "Ask Zenobia Quartermain (zenobia.q@example.org, +1 555 010 7777)")
    product, supplier = stack.sql("SELECT product_id, supplier_id FROM Products LIMIT 1")[0]
    stack.sql("UPDATE Products SET product_description = 'made for Zenobia Quartermain' WHERE"
              " product_id = %s", [product])
    stack.sql("UPDATE Suppliers SET contact_email = 'zenobia.q@example.org' WHERE supplier_id = %s",
              [supplier])
    stack.wait_synced()
    found = left(stack, person.id)
    assert {("aethermart_db.Reviews", str(said)), ("aethermart_db.Products", str(product)),
            ("aethermart_db.Suppliers", str(supplier)), ("aethermart_profiles.reviews", str(said)),
            ("aethermart_profiles.product_catalog", str(product))} <= found
    stack.sql("DELETE FROM Reviews WHERE review_id = %s", [said])
    stack.sql("UPDATE Products SET product_description = 'a thing' WHERE product_id = %s", [product])
    stack.sql("UPDATE Suppliers SET contact_email = NULL WHERE supplier_id = %s", [supplier])
    stack.wait_synced()
    certificate = erased(stack, person.id)
    assert certificate["complete"] is True
    assert [(t["kind"], t["texts"]) for t in certificate["texts"]["not_searched_for"]
            if t["reason"] == "shared"] == [("address", 1)], "a street; a town is everybody's"


def test_a_longer_word_is_somebody_elses(person):
    stack = person.stack
    ann = add_customer(stack, external_id="P-1", first_name="Ann", last_name="Leigh",
                       email="ann.leigh@example.com", phone_number="+1 555 010 4242")
    joann = add_customer(stack, external_id="P-10", first_name="Joann", last_name="Leigh",
                         email="joann.leigh@example.com", phone_number="+1 555 010 42421")
    for who, street in ((ann, "1 Unknown Main Street"), (joann, "11 Unknown Main Street")):
        stack.insert("Customer_Addresses", customer_id=who, street=street, city="X", zip="1",
                     country="US", is_default=1)
    stack.wait_synced()
    (stack.var / "log" / "theirs.log").write_text("joann.leigh@example.com 11 Unknown Main Street P-10")
    (stack.var / "log" / "bytes.bin").write_bytes(b"\0\x15joann.leigh@example.com\0")
    plan, _ = planned(stack, ann)
    assert plan["texts"] == 5, "e-mail, name, telephone, key and street"
    (stack.var / "log" / "hers.log").write_text("to: ann.leigh@example.com")
    (stack.var / "log" / "hers.bin").write_bytes(b"\0\x13ann.leigh@example.comX\0")
    assert left(stack, ann) == {("log/hers.log", ""), ("log/hers.bin", "")}
    (stack.var / "log" / "hers.log").unlink()
    (stack.var / "log" / "hers.bin").unlink()
    assert erased(stack, ann)["texts"]["searched_for"] == 5
    assert stack.doc("customer_profiles", joann)["email"] == "joann.leigh@example.com"


def test_a_namesake_keeps_their_name(person):
    stack = person.stack
    # One name alone is a part of everybody's name who has it.
    alone = add_customer(stack, first_name="", last_name="Quartermain", email="a.q@example.org")
    plan, finds = planned(stack, alone)
    assert plan["shared"] == 1 and all(str(person.id) != key for _, key in finds)
    other = add_customer(stack, email="another.z@example.org", **NAMES)
    stack.wait_synced()
    assert stack.doc("customer_profiles", other)["full_name"] == "Zenobia Quartermain"
    stack.docs("reviews").update_one({"_id": person.review}, {"$unset": {"media_attachments": 1}})
    certificate = erased(stack, person.id)
    assert {"kind": "name", "reason": "shared", "texts": 1} in certificate["texts"]["not_searched_for"]
    assert stack.doc("customer_profiles", other)["full_name"] == "Zenobia Quartermain"


def test_somebody_who_is_gone_shares_nothing(person):
    """What is left of somebody without a row is nobody's."""
    stack = person.stack
    stack.sql("CREATE TABLE Old_Names (customer_id BIGINT, phone_number VARCHAR(40), PRIMARY KEY"
              " (customer_id))")
    rules = yaml.safe_load((stack_module.BINARY.parent.parent / "rules" / "access.yaml").read_text())
    rules["columns"]["Old_Names"] = {"customer_id": "identifier", "phone_number": "phone"}
    path = stack.root / "access.yaml"
    path.write_text(yaml.safe_dump(rules))
    stack.write_config(access={"rules": str(path)})
    stack.sql("INSERT INTO Old_Names VALUES (999999, '+15550107777')")
    assert ("aethermart_db.Old_Names", "999999") in planned(stack, person.id)[1]


def test_short_texts_are_counted_and_told(person):
    stack = person.stack
    short = add_customer(stack, first_name="Bo", last_name="Li", phone_number="12345", email="b@c.d")
    add_review(stack, short, "Nice thing!")
    add_review(stack, number(stack, "EZ-2"), "Li, Bo told me.", external_id="by-ottoline")
    stack.wait_synced()
    assert {where for where, _ in left(stack, short)} == {"aethermart_db.Reviews",
                                                          "aethermart_profiles.reviews"}
    stack.sql("DELETE FROM Reviews WHERE external_id = 'by-ottoline'")
    certificate = erased(stack, short)
    assert certificate["texts"]["searched_for"] == 1
    assert sorted((t["kind"], t["reason"], t["texts"])
                  for t in certificate["texts"]["not_searched_for"]) == [
                      ("email", "too short", 1), ("free_text", "too short", 1),
                      ("phone", "too short", 1)]


def test_a_search_for_nothing_proves_nothing(person):
    stack = person.stack
    nobody = add_customer(stack, first_name="Bo", last_name="", phone_number="123", external_id="77")
    stack.wait_synced()
    failed = stack.run("privacy", "erase", nobody, "--yes", "--json", check=False)
    assert failed.returncode != 0 and "nothing that is known of them can be searched for" in failed.stderr
    certificate = erased(stack, nobody, "--leave", "looked at by hand")
    assert (certificate["complete"], certificate["left"]) == (False, [])
    assert {t["reason"] for t in certificate["texts"]["not_searched_for"]} == {"too short",
                                                                              "a bare number"}


def test_rows_that_somebody_emptied_by_hand_prove_nothing(person):
    stack = person.stack
    with pytest.raises(Exception, match="`aethermart privacy erase`: it looks for copies"):
        stack.sql("CALL sp_EraseCustomer(%s)", [person.id])
    emptied = add_customer(stack, first_name="Ottilie", last_name="Vandersloot", external_id="EV-1")
    stack.sql("UPDATE Customers SET first_name = '', last_name = '', external_id = NULL WHERE"
              " customer_id = %s", [emptied])
    stack.wait_synced()
    failed = stack.run("privacy", "erase", emptied, "--yes", "--json", check=False)
    assert failed.returncode != 0 and "nothing is known of them any more" in failed.stderr
    certificate = erased(stack, emptied, "--leave", "looked at by hand")
    assert (certificate["complete"], certificate["texts"]["searched_for"]) == (False, 0)


def test_what_the_program_wrote_down_of_somebody_elsewhere_goes(person):
    """Names of tokens, and what was said of them in events about others."""
    stack, other = person.stack, number(person.stack, "EZ-2")
    stack.run("token", "create", "--role", "agent", "--name", "zenobia.q@example.org")
    for purpose in ("complaint of Zenobia Quartermain", "ticket 12"):
        stack.run("privacy", "show", other, "--as", "db_admin", "--purpose", purpose)
    certificate = erased(stack, person.id)
    assert certificate["complete"] is True
    rows = {(r["where"], r["what"]): r["rows"] for r in certificate["receipts"]}
    assert rows["Audit_Details", "deleted, of events about others"] == 2
    assert rows["Access_Tokens", "names taken out"] == 1
    assert {e["purpose"] for e in stack.json("audit", "who-saw", other)} == {"ticket 12"}
    assert not [t for t in stack.json("token", "list") if "zenobia" in str(t)]
    verified = stack.json("audit", "verify")
    assert verified["erased"] >= 2


def test_what_no_waiting_takes_away_is_told_soon(person):
    stack = person.stack
    stack.docs("ledger").insert_one({"_id": 9, "note": "refund for zenobia.q@example.org"})
    began = time.monotonic()
    failed = person.erase(check=False)
    assert "aethermart_profiles.ledger" in failed.stdout and failed.returncode != 0
    assert time.monotonic() - began < 120, "not all of --wait, six minutes"


# --- whose it is -----------------------------------------------------------------------------


def test_what_says_whose_it_is_is_found(person):
    """Also where nobody classed a column, and no text tells who it was."""
    stack = person.stack
    stack.sql("CREATE TABLE Loyalty (loyalty_id INT PRIMARY KEY, customer_id BIGINT UNSIGNED,"
              " hobby VARCHAR(40))")
    stack.sql("INSERT INTO Loyalty VALUES (7, %s, 'chess'), (8, %s, 'go')",
              [person.id, number(stack, "EZ-2")])
    stack.docs("likes").insert_many([
        {"_id": "a", "customer_id": bson.int64.Int64(person.id), "likes": "chess"},
        {"_id": "b", "customer_id": str(person.id)}, {"_id": "c", "customer_id": float(person.id)},
        {"_id": "d", "customer_id": bson.Decimal128(str(person.id))},
        {"_id": "e", "customer_id": person.id + 1}, {"_id": "f", "of": {"customer_id": person.id}},
        {"_id": "g", "all": [{"customer_id": str(person.id)}]},
        {"_id": "h", "of": {"customer_id": person.id + 1}, "customer_number": person.id}])
    assert left(stack, person.id) == {("aethermart_db.Loyalty", "7")} | {
        ("aethermart_profiles.likes", key) for key in "abcdfg"}
    stack.sql("DELETE FROM Loyalty WHERE loyalty_id = 7")
    stack.docs("likes").delete_many({"_id": {"$in": list("abcdfg")}})
    erased(stack, person.id)
    assert stack.value("SELECT COUNT(*) FROM Orders WHERE customer_id = %s", [person.id]) == 1, \
        "the procedure keeps them nameless"


def test_documents_that_are_kept_when_a_row_leaves_are_deleted(forgetful, new_stack, request):
    folder = new_stack.root / "mapping"
    shutil.copytree(stack_module.BINARY.parent.parent / "mapping", folder)
    for name in ("customer_profiles", "reviews"):
        path = folder / f"{name}.yaml"
        path.write_text(path.read_text().replace("\nfields:", "\non_leave: keep\n\nfields:", 1))
    new_stack.write_config(mapping={"dir": str(folder)})
    stack = request.getfixturevalue("stack")
    stack.run("sync", "install")
    stack.wait_migrated()
    person = Person(stack)
    erased(stack, person.id)
    assert stack.docs("customer_profiles").count_documents({"_id": person.id}) == 0
    assert stack.docs("reviews").count_documents({"_id": person.review}) == 0


# --- spellings -------------------------------------------------------------------------------

SPELLINGS = {
    "upper case": "ZENOBIA.Q@EXAMPLE.ORG",
    "blanks": "zenobia  quartermain",
    "turned": "Quartermain, Zenobia",
    "percent": "?to=zenobia.q%40example.org",
    "phone": "+1 (555) 010-7777",
    "number": 15550107777,
    "double": 15550107777.0,
    "decimal": bson.Decimal128("15550107777"),
    "field": {"+15550107777": 1},
    "binary": bson.Binary(b"\0\1zenobia.q@example.org\2"),
    "pattern": bson.Regex("zenobia.q@example.org"),
    "code": bson.Code("mail('zenobia.q@example.org')"),
    "code with scope": bson.Code("mail(to)", {"to": "zenobia.q@example.org"}),
    "decomposed": "M\u0075\u0308hlstra\u00dfe 17",
    "entity": "M&uuml;hlstrasse 17",
    "no-break": "M\u00fchlstra\u00dfe\u00a017",
    "json": '{"street": "M\\u00fchlstra\\u00dfe 17"}',
    "quotes": 'review: {\\"t\\": \\"so I \\\\\\"said\\\\\\" what I had to say\\"}',
    "apart": {"vorname": "Zenobia", "nachname": "Quartermain"},
}
NOT_THEIRS = ["zenobia.quill@example.org", "azenobia.q@example.org", "Zenobia and Quartermain",
              "M\u00fchlstra\u00dfe 171", "215550107777", 155501077770]


def test_each_spelling_is_found(person):
    stack = person.stack
    stack.insert("Customer_Addresses", customer_id=person.id, street="M\u00fchlstra\u00dfe 17",
                 city="X", zip="1", country="DE", is_default=0)
    add_review(stack, person.id, 'so I "said" what I had to say')
    stack.sql("CREATE TABLE Campaign (id VARCHAR(40) PRIMARY KEY, note TEXT, phone BIGINT)")
    for name, value in SPELLINGS.items():
        stack.docs("spelled").insert_one({"_id": name, "value": value})
        if type(value) is str:
            stack.insert("Campaign", id=name, note=value)
            (stack.var / "log" / f"{name}.log").write_text(f"{value}\n")
    for i, value in enumerate(NOT_THEIRS):
        stack.docs("spelled").insert_one({"_id": f"other {i}", "value": value})
        (stack.var / "log" / f"other {i}.log").write_text(f"{value}\n")
    stack.insert("Campaign", id="number", note="", phone=15550107777)
    stack.wait_synced()
    texts = {name for name, value in SPELLINGS.items() if type(value) is str}
    assert left(stack, person.id) == (
        {("aethermart_profiles.spelled", name) for name in SPELLINGS} |
        {("aethermart_db.Campaign", name) for name in texts | {"number"}} |
        {(f"log/{name}.log", "") for name in texts})


def test_a_find_never_tells_what_it_found(person):
    stack = person.stack
    stack.docs("by_mail").insert_one({"_id": "zenobia.q@example.org"})
    (stack.var / "log" / "Zenobia Quartermain").mkdir()
    (stack.var / "log" / "Zenobia Quartermain" / "x").write_text("zenobia.q@example.org")
    (stack.var / "log" / "of zenobia.q@example.org").write_text("")
    done = stack.run("privacy", "erase", person.id, "--yes", "--wait", "1s", check=False)
    assert "by_mail" in done.stdout and "log/***" in done.stdout and "log/***/x" in done.stdout
    assert not any(text in (done.stdout + done.stderr).lower() for text in ("zenobia", "quartermain"))


# --- places ----------------------------------------------------------------------------------


def test_every_database_is_searched(person):
    stack = person.stack
    stack.sql("CREATE DATABASE crm")
    try:
        stack.sql("CREATE TABLE crm.contacts (a INT, b INT, mail TEXT, PRIMARY KEY (a, b))")
        stack.sql("INSERT INTO crm.contacts VALUES (3, 4, 'zenobia.q@example.org')")
        stack.mongo().client["crm"]["people"].insert_one({"_id": 5, "mail": "zenobia.q@example.org"})
        assert left(stack, person.id) == {("crm.contacts", "3:4"), ("crm.people", "5")}
    finally:
        stack.sql("DROP DATABASE crm")
    stack.mongo().client.drop_database("crm")
    certificate = erased(stack, person.id)
    assert not any("other databases" in r["where"] for r in certificate["remains"])


def test_a_database_that_may_not_be_read_is_named(person):
    stack = person.stack
    stack.sql("CREATE DATABASE crm")
    stack.sql("CREATE TABLE crm.contacts (mail TEXT)")
    for database in ("aethermart_db", "aethermart_dw"):
        stack.sql(f"GRANT SELECT ON {database}.* TO CURRENT_USER")
    for right, key in (("SELECT", number(stack, "EZ-2")), ("SHOW DATABASES", person.id)):
        stack.sql(f"REVOKE {right} ON *.* FROM CURRENT_USER")  # who lists a database sees no table of it
        remains = {r["where"]: r["until"] for r in erased(stack, key)["remains"]}
        assert "sees only those on which it has a right" in remains["other databases of MariaDB"]
    assert remains["crm.contacts"] == "it was not searched: the account may not read it"


def test_links_and_folders_of_servers_hide_nothing(person):
    stack = person.stack
    away = stack.root / "away"
    away.mkdir()
    (away / "old.log").write_text("zenobia.q@example.org")
    (stack.var / "log" / "old").symlink_to(away)
    (stack.var / "log" / "again").symlink_to(away / "old.log")
    (stack.var / "log" / "around").symlink_to(stack.var / "log")
    (stack.var / "log" / "nowhere").symlink_to(stack.var / "no such file")
    (stack.var / "log" / "server").symlink_to(stack.var / "mariadb" / "data")
    (stack.var / "mariadb" / "tmp").mkdir(exist_ok=True)
    (stack.var / "mariadb" / "tmp" / "mail.csv").write_text("zenobia.q@example.org")
    found = left(stack, person.id)
    assert ("mariadb/tmp/mail.csv", "") in found
    assert len(found) == 2, "a file that has two names is one"
    (away / "old.log").unlink()
    (stack.var / "mariadb" / "tmp" / "mail.csv").unlink()
    erased(stack, person.id)


def test_the_log_of_mongodb_is_named(person):
    certificate = erased(person.stack, person.id)
    oplog = [r["where"] for r in certificate["remains"] if "oplog" in r["where"]]
    assert len(oplog) == 1
    assert oplog[0].count("T") >= 2, f"the time that it covers: {oplog}"


@pytest.mark.index
def test_the_index_is_asked_for_their_documents(person):
    stack = person.stack
    wait_for_meaning(stack)
    review = add_review(stack, person.id, "a line of hers, and\nanother line\n\nof the same text")
    stack.wait_synced()
    wait_for_meaning(stack)
    until(lambda: {("index/embeddings.db", f"reviews:{review}"),
                   ("index/words/reviews.records", f"reviews:{review}")} <= planned(stack, person.id)[1],
          20, pause=0.5, what="the index has it")
    places = planned(stack, person.id)[0]["places"]
    of_index = [p for p in places if p["where"].startswith("index/")]
    assert len({p["where"] for p in places}) == len(places) and len(of_index) > 1
    assert all(0 < p["found"] <= p["searched"] for p in of_index), of_index
    stack.run("down")
    stack.write_config(index={"enabled": False})
    stack.up()
    failed = stack.run("privacy", "erase", person.id, "--yes", "--wait", "5s", check=False)
    assert failed.returncode != 0 and '"index.enabled" is false' in failed.stderr
    assert "remove the folder" in failed.stderr
    stack.run("down")
    stack.write_config(index={"enabled": True})
    stack.up()
    erased(stack, person.id)
    words = (stack.var / "index" / "words" / "reviews.records").read_bytes()
    assert b"another line of the same text" not in words


def test_statements_that_named_somebody_in_parts_are_scrubbed(person):
    stack = person.stack
    stack.sql("SELECT 1 FROM Customers WHERE first_name = 'Zenobia' AND last_name = 'Quartermain'")
    stack.sql("SELECT 1 FROM Customers WHERE last_name LIKE 'QUARTERMAIN%' OR first_name = 'zenobia'")
    stack.sql("SELECT 1 FROM Customers WHERE phone_number = '+1 (555) 010-7777'")
    stack.sql("SELECT 1 FROM Customers WHERE phone_number = 15550107777")
    stack.sql("SELECT 1 AS kept FROM Customers WHERE first_name = 'Zenobia'")
    erased(stack, person.id)
    text = "\n".join(path.read_text("latin1") for path in
                     (stack.var / "mariadb" / "audit").glob("server_audit.log*")).lower()
    assert "quartermain" not in text.replace("1 as kept", "") and "010-7777" not in text
    assert "15550107777" not in text and "1 as kept from" in text


def test_a_statement_that_comes_while_an_erasure_waits_is_scrubbed_too(person):
    stack = person.stack
    kept = stack.var / "index" / "kept"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("zenobia.q@example.org")
    erasure = stack.start("privacy", "erase", person.id, "--yes")
    until(lambda: stack.value("SELECT COUNT(*) FROM Audit_Events WHERE action_name = 'rbac.scrub'"), 60)
    stack.sql("SELECT 1 AS late FROM Customers WHERE email = 'zenobia.q@example.org'")

    def written():
        return "\n".join(path.read_text("latin1") for path in
                         (stack.var / "mariadb" / "audit").glob("server_audit.log*"))
    assert "1 as late" in written().lower()
    kept.unlink()
    assert erasure.wait(120) == 0
    assert "zenobia.q" not in written().lower() and "1 as late" not in written().lower()


# --- ending it -------------------------------------------------------------------------------


def test_an_erasure_that_goes_no_further_is_ended_with_what_is_left(person):
    stack = person.stack
    assert "was not begun" in stack.fails("privacy", "erase", person.id, "--yes", "--leave", "too early")
    stack.docs("ledger").insert_one({"_id": 9, "note": "refund for zenobia.q@example.org"})
    assert left(stack, person.id) == {("aethermart_profiles.ledger", "9")}
    shown = stack.run("privacy", "erase", person.id, "--yes", "--wait", "1s", check=False)
    assert "aethermart_profiles.ledger" in shown.stdout and "email" in shown.stdout
    assert "says who they are" in stack.fails("privacy", "erase", person.id, "--yes", "--leave",
                                              "the ledger of Zenobia Quartermain")
    certificate = erased(stack, person.id, "--leave", "the ledger has to stay ten years")
    assert certificate["complete"] is False
    assert certificate["left"] == [{"store": "MongoDB", "where": "aethermart_profiles.ledger",
                                    "key": "9", "what": "email"}]
    assert certificate["left_because"] == "the ledger has to stay ten years"
    stack.run("privacy", "certificate", person.id)
    assert [r["state"] for r in stack.json("privacy", "erasures")] == ["left"]
    assert stack.value("SELECT sought FROM Erasures") is None
    event = stack.json("audit", "list")[0]
    assert (event["action"], event["outcome"]) == ("privacy.erase", "left")
    assert "is erased" in stack.fails("privacy", "erase", person.id, "--yes", "--leave", "again")
    # What comes again makes it no more complete: the texts are known no longer.
    stack.sql("INSERT INTO Carts (customer_id, expires_at) VALUES (%s, UTC_TIMESTAMP() + INTERVAL 1 DAY)",
              [person.id])
    failed = stack.run("privacy", "erase", person.id, "--yes", "--json", check=False)
    assert failed.returncode != 0 and "nothing is known of them any more" in failed.stderr
