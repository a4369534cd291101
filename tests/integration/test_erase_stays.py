"""Who was erased stays erased: what came meanwhile goes too, nothing comes back, and the proof is
theirs."""

import hashlib
import hmac
import json
import os
import re
import shutil
import signal

import pytest

import stack as stack_module
from test_erase import FEED, Person, number, number_of, places, waits_for_a_lock
from test_erase import forgetful, person  # noqa: F401 (fixtures)
from waiting import until

CUSTOMERS = FEED["customers.csv"].splitlines()[0] + "\n"
ADDRESSES = FEED["customer_addresses.csv"].splitlines()[0] + "\n"


def load_files(stack, **files):
    folder = stack.root / "later"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return {e: (c["read"], c["rejected"]) for e, c in
            stack.json("load", folder)["entities"].items() if c["read"]}


def logged(stack, *texts):
    """Rows of the log in which one of the texts stands."""
    return [row for row in stack.sql("SELECT quality_rule, entity_key, CONCAT_WS(' ', value_before,"
                                     " value_after, owner_key) FROM data_quality_logs")
            if any(text in str(row) for text in texts)]


def certificate(finished):
    return json.loads(json.loads(finished.stdout)["certificate"])


def ended(child):
    """What it wrote."""
    child.wait(timeout=120)
    return child.log.read_text()


class Blocker:
    """Holds the customer's row, so that an erasure waits with its plan made."""

    def __init__(self, stack, customer):
        self.stack, self.connection = stack, stack.open_sql()
        self.cursor = self.connection.cursor()
        self.cursor.execute("BEGIN")
        self.cursor.execute("SELECT * FROM Customers WHERE customer_id = %s FOR UPDATE", [customer])

    def waiting(self):
        return waits_for_a_lock(self.stack)

    def wait_for(self, n):
        until(lambda: len(self.waiting()) >= n, 40, pause=0.3, what="it waits")

    def commit(self):
        self.connection.commit()
        self.connection.close()


def test_a_purpose_that_names_them_makes_no_erasure_impossible(person):
    stack = person.stack
    named = "letter of ZENOBIA  Quartermain, zenobia.q@example.org"
    failed = person.erase("--purpose", named, check=False)
    assert "the purpose says who they are" in failed.stderr and "--purpose 'letter" in failed.stderr
    assert stack.sql("SELECT * FROM Erasures") == []
    assert number_of(stack, "zenobia.q@example.org") == 1
    stack.run("privacy", "hold", person.id, "--reason", "claim of Zenobia Quartermain")
    stack.run("privacy", "show", person.id, "--as", "db_admin", "--purpose", named)
    assert named in [e["purpose"] for e in stack.json("audit", "list")]
    stack.run("privacy", "release", person.id)
    person.erase("--purpose", "letter of 12 May")
    assert places(stack) == []
    stack.run("audit", "verify")


def test_nothing_new_comes_to_who_was_erased(person):
    stack = person.stack
    profile = stack.docs("customer_profiles").find_one({"_id": person.id})
    first = certificate(person.erase("--json"))
    review = dict(product_id=person.product, customer_id=person.id, rating=2,
                  review_date="2025-02-01", review_text="again")
    address = dict(customer_id=person.id, street="9 Back Again Road", city="Town", country="US")
    statements = ["UPDATE Customers SET email = 'zenobia.q@example.org' WHERE customer_id = %s",
                  "UPDATE Customers SET erased_at = NULL WHERE customer_id = %s",
                  "UPDATE Customer_Addresses SET customer_id = %s LIMIT 1",
                  "UPDATE Reviews SET customer_id = %s LIMIT 1"]
    for attempt in [lambda: stack.insert("Reviews", **review),
                    lambda: stack.insert("Customer_Addresses", **address),
                    *(lambda s=s: stack.sql(s, [person.id]) for s in statements)]:
        with pytest.raises(Exception, match=f"customer {person.id} was erased: whoever comes again"):
            attempt()
    # What is left of them goes on.
    stack.sql("UPDATE Customers SET customer_status = 'active' WHERE customer_id = %s", [person.id])
    stack.sql("UPDATE Customers SET customer_status = 'inactive' WHERE customer_id = %s", [person.id])
    stack.sql("CALL sp_ReturnItems(%s, NULL)", [person.order])
    stack.sql("UPDATE Orders SET order_date = '2024-01-01' WHERE order_id = %s", [person.order])
    stack.sql("CALL sp_archive_old_orders('2024-02-01')")
    assert stack.value("SELECT COUNT(*) FROM TR_Orders_Archive WHERE order_id = %s",
                       [person.order]) == 1
    assert certificate(person.erase("--json")) == first, "nothing came"

    # As by a restore, which no trigger sees.
    triggers = ("tr_customer_erased", "tr_address_of_erased", "tr_review_of_erased")
    kept = {t: stack.sql(f"SHOW CREATE TRIGGER {t}")[0][2] for t in triggers}
    for trigger in triggers:
        stack.sql(f"DROP TRIGGER {trigger}")
    stack.sql("UPDATE Customers SET email = 'zen.again@example.org' WHERE customer_id = %s", [person.id])
    stack.insert("Customer_Addresses", **address)
    stack.insert("Reviews", **review)
    for text in kept.values():
        stack.sql(text)
    # Killed on the way, it goes on.
    stack.run("sync", "pause")
    child = stack.start("privacy", "erase", person.id, "--yes")
    until(lambda: stack.value("SELECT erasure_state FROM Erasures") == "copies", 30,
          what="it is begun again")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    stack.run("sync", "resume")
    again = certificate(person.erase("--json"))
    assert again["erasure"] == first["erasure"] and again["finished_at"] > first["finished_at"]
    # Of what was searched for then, only the first tells; it stays.
    kept = stack.run("privacy", "certificate", person.id, "--earlier", 1).stdout
    assert json.loads(json.loads(kept)["certificate"]) == first and first["earlier"] == []
    assert again["earlier"] == [{"finished_at": first["finished_at"], "complete": True,
                                 "searched_for": first["texts"]["searched_for"],
                                 "signature": json.loads(kept)["signature"]}]
    (stack.root / "first.json").write_text(kept)
    stack.run("privacy", "certificate", person.id, "--check", stack.root / "first.json")
    assert "there is 1 certificate of before" in stack.fails("privacy", "certificate", person.id, "--earlier", 2)
    rows = {r["where"]: r["rows"] for r in again["receipts"]}
    assert (rows["Customers"], rows["Customer_Addresses"], rows["Reviews"]) == (1, 1, 1)
    assert places(stack, ["zen.again@example.org", "9 Back Again Road"]) == []
    assert load_files(stack, customers=CUSTOMERS + "EZ-5,Z,Q,ZEN.again@example.org,,,2024-03-14\n") == {
        "customers": (1, 1)}
    # MongoDB alone was restored.
    stack.docs("customer_profiles").insert_one(profile)
    failed = person.erase("--wait", "1s", check=False)
    assert ("customer_profiles" in failed.stderr if failed.returncode else
            stack.docs("customer_profiles").count_documents({"_id": person.id}) == 0)


def test_what_is_kept_nameless_begins_no_erasure_again(forgetful, new_stack, request):
    """Orders have documents here, which stay as their rows do."""
    folder = new_stack.root / "mapping"
    shutil.copytree(stack_module.BINARY.parent.parent / "mapping", folder)
    orders = folder / "orders.yaml"
    orders.write_text(orders.read_text().replace("target: none\n", ""))
    new_stack.write_config(mapping={"dir": str(folder)})
    stack = request.getfixturevalue("stack")
    stack.run("sync", "install")
    stack.wait_migrated()
    person = Person(stack)
    profile = stack.docs("customer_profiles").find_one({"_id": person.id})
    first = certificate(person.erase("--json"))
    assert stack.docs("orders").count_documents({"customer_id": person.id}) == 1
    assert certificate(person.erase("--json")) == first, "nothing came"

    # MongoDB alone was restored: what came back goes, and the orders stay.
    stack.docs("customer_profiles").insert_one(profile)
    again = certificate(person.erase("--json", "--wait", "20s"))
    assert stack.docs("customer_profiles").count_documents({"_id": person.id}) == 0
    assert again["finished_at"] > first["finished_at"] and again["complete"] is True
    assert stack.docs("orders").count_documents({"customer_id": person.id}) == 1

    # What is proved is not begun again for want of an answer.
    password = stack.secret("mongodb-aethermart_admin")
    text = password.read_text()
    password.write_text("another")
    assert certificate(person.erase("--json")) == again
    password.write_text(text)


def test_what_comes_while_they_are_erased_counts(person):
    """An order and another address between the plan and the transaction; rows before the end."""
    stack = person.stack
    blocker = Blocker(stack, person.id)
    child = stack.start("privacy", "erase", person.id, "--yes")
    blocker.wait_for(1)
    blocker.cursor.execute(
        "INSERT INTO Orders (customer_id, order_date, currency, ship_street, ship_city, ship_country)"
        " VALUES (%s, UTC_TIMESTAMP(), 'USD', '12 Unheard Of Lane', 'Nowhereville', 'US')", [person.id])
    order = blocker.cursor.lastrowid
    blocker.commit()
    assert f"order {order} is not sent yet" in ended(child)
    assert stack.sql("SELECT * FROM Erasures") == []
    stack.sql("CALL sp_CancelOrder(%s)", [order])

    stack.docs("newsletter").insert_one({"to": ["zoe.new@example.org"]})
    blocker = Blocker(stack, person.id)
    child = stack.start("privacy", "erase", person.id, "--yes", "--wait", "1s")
    blocker.wait_for(1)
    blocker.cursor.execute("UPDATE Customers SET email = 'zoe.new@example.org' WHERE customer_id = %s",
                           [person.id])
    blocker.commit()
    assert "newsletter" in ended(child), "the new address is searched for"
    stack.docs("newsletter").drop()

    trigger = stack.sql("SHOW CREATE TRIGGER tr_address_of_erased")[0][2]
    stack.sql("DROP TRIGGER tr_address_of_erased")
    stack.insert("Customer_Addresses", customer_id=person.id, street="9 Back Again Road", city="Town",
                 country="US")
    stack.sql(trigger)
    # Two at once: one certificate.
    both = [stack.start("privacy", "erase", person.id, "--yes", "--json") for _ in range(2)]
    told = [ended(child) for child in both]
    assert [child.returncode for child in both] == [0, 0], told
    assert len(set(told)) == 1
    assert places(stack) == [] and places(stack, ["9 Back Again Road", "zoe.new@example.org"]) == []


def test_two_who_erase_the_same_person_make_one_erasure(person):
    stack = person.stack
    blocker = Blocker(stack, person.id)
    both = [stack.start("privacy", "erase", person.id, "--yes", "--json") for _ in range(2)]
    blocker.wait_for(2)
    blocker.commit()
    told = [ended(child) for child in both]
    assert [child.returncode for child in both] == [0, 0], told
    assert len(set(told)) == 1
    assert told[0].strip() == stack.run("privacy", "certificate", person.id).stdout.strip()
    assert stack.value("SELECT COUNT(*) FROM Erasures") == 1


def test_a_feed_brings_nobody_back_under_another_spelling_or_key(person):
    stack = person.stack
    stack.sql("UPDATE Customers SET email = 'Zenobia.Q@Example.Org' WHERE customer_id = %s", [person.id])
    load_files(stack, customers=CUSTOMERS + "EZ-B1,Zenobia,Quartermain,zenobia.q@example.org,,,2024-03-14\n")
    assert stack.value("SELECT target_id FROM Feed_Aliases WHERE external_id = 'EZ-B1'") == person.id
    person.erase()
    people = stack.value("SELECT COUNT(*) FROM Customers")
    comes = ["ez-1,Zenobia,Quartermain,,,,2024-03-14", "ez-b1,Zenobia,Quartermain,,,,2024-03-14",
             "EZ-9,Zenobia,Quartermain,zenobia.q@example.org,,,2024-03-14",
             "EZ-1,Zenobia,Quartermain,zenobia.q@example.org,+1 555 010 7777,,no day at all",
             "EZ-10,Zenobia,Quartermain,ZENOBIA.Q@example.org,,,no day at all"]
    counts = load_files(stack, customers=CUSTOMERS + "\n".join(comes) + "\n", customer_addresses=ADDRESSES +
                        "EA-1,ez-1,1,12 Unheard Of Lane,Nowhereville,99999,US\n"
                        "EA-7,EZ-9,1,12 Unheard Of Lane,Nowhereville,99999,US\n"
                        "EA-8,EZ-10,1,12 Unheard Of Lane,Nowhereville,99999,no country\n")
    assert counts == {"customers": (5, 5), "addresses": (3, 3)}
    assert stack.value("SELECT COUNT(*) FROM Customers") == people
    assert logged(stack, "EZ-1", "EZ-9", "ez-1", "ez-b1", "EA-7", "EA-8", "Unheard", "Zenobia", "7777") == []
    assert stack.value("SELECT COUNT(*) FROM data_quality_logs WHERE quality_rule = 'subject_erased'") == 8
    # The key under which they came is theirs from now on; those of others are not.
    assert load_files(stack, customer_addresses=ADDRESSES +
                      "EA-7,EZ-9,1,12 Unheard Of Lane,Nowhereville,99999,US\n"
                      "EA-2,EZ-2,1,77 Common House Road,Nowhereville,99999,US\n") == {"addresses": (2, 1)}
    assert places(stack) == []


def test_a_load_looks_a_fingerprint_up(person):
    """It does not compare each customer with everybody who was erased."""
    stack = person.stack
    person.erase()
    stack.sql("INSERT INTO Erased_Keys SELECT SHA2(seq, 256), erasure_id FROM Erasures, seq_1_to_20000")
    stack.sql("ANALYZE TABLE Erased_Keys")

    def read():
        return sum(int(n) for _, n in stack.sql("SHOW GLOBAL STATUS WHERE Variable_name IN"
                                                " ('Handler_read_next', 'Handler_read_rnd_next')"))
    lines = [f"LF-{n},First{n},Last{n},l.f{n}@example.org,,,{'no day' if n < 100 else '2024-03-14'}"
             for n in range(300)]
    before = read()
    assert load_files(stack, customers=CUSTOMERS + "\n".join(lines) + "\n") == {"customers": (300, 100)}
    assert read() - before < 100 * 20000 / 10


def test_fingerprints_from_before_still_count(person):
    stack = person.stack
    person.erase()
    secret = hashlib.blake2b((stack.var / "secrets" / "erasure").read_text().strip().encode(),
                             digest_size=32).digest()
    stack.sql("DELETE FROM Erased_Keys")
    for text in ("", "EZ-1", "zenobia.q@example.org"):
        stack.sql("INSERT INTO Erased_Keys VALUES (%s, (SELECT erasure_id FROM Erasures))",
                  [hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()])
    stack.sql("UPDATE Erasures SET key_mark = NULL")
    for line in ("EZ-1,Zenobia,Quartermain,,,,2024-03-14",
                 "EZ-9,Zenobia,Quartermain,zenobia.q@example.org,,,2024-03-14",
                 "EZ-9,Zenobia,Quartermain,,,,2024-03-14"):  # that key is theirs from now on
        assert load_files(stack, customers=CUSTOMERS + line + "\n") == {"customers": (1, 1)}
    assert stack.value("SELECT key_mark FROM Erasures") == hmac.new(secret, b"", hashlib.sha256).hexdigest()


ORDERS = "order_id,customer_id,order_date,order_status,total_amount\n"
ITEMS = "order_id,product_id,quantity,price\n"


def test_orders_lead_to_nobody(person):
    stack = person.stack
    product = stack.value("SELECT external_id FROM Products WHERE external_id IS NOT NULL LIMIT 1")
    feed = dict(orders=ORDERS + "EO-1,EZ-1,2024-05-05,delivered,7.00\nEO-11,EZ-1,2024-01-05,delivered,7.00\n"
                "EZ-1,EZ-2,2024-05-05,delivered,7.00\n",
                order_items=ITEMS + f"EO-1,{product},1,7.00\nEO-11,{product},1,7.00\nEZ-1,{product},1,7.00\n")
    assert load_files(stack, **feed) == {"orders": (3, 0), "order_items": (3, 0)}
    orders = [stack.value("SELECT order_id FROM Orders WHERE external_id = %s", [key])
              for key in ("EO-1", "EO-11")]
    stack.sql("CALL sp_archive_old_orders('2024-02-01')")
    # An order with the key of a person is another's, and would be found by it.
    stack.sql("UPDATE Orders SET external_id = 'EZ-2' WHERE external_id = 'EZ-1'")
    person.erase()
    keys = [stack.value(f"SELECT external_id FROM {table} WHERE order_id = %s", [order])
            for table, order in zip(("Orders", "TR_Orders_Archive"), orders)]
    assert all(re.fullmatch("erased-[0-9A-F]{32}", key) for key in keys) and keys[0] != keys[1]
    stack.sql("UPDATE Orders SET external_id = 'EZ-1' WHERE external_id = 'EZ-2'")
    # The old file: theirs are refused and not named.
    assert load_files(stack, **feed) == {"orders": (3, 2), "order_items": (3, 2)}
    assert logged(stack, "EO-1") == []
    assert load_files(stack, order_items=ITEMS + f"EO-1,{product},0,7.00\n") == {"order_items": (1, 1)}
    assert logged(stack, "EO-1") == []


def test_the_log_of_loading_forgets_rows_that_went_before(person):
    stack = person.stack
    load_files(stack, customer_addresses=ADDRESSES +
               "EA-91,EZ-1,0,  13   Hidden    Path ,Nowhereville,99999,U.S.A.\n"
               "EA-92,EZ-1,0,14 Lost Road,Nowhereville,99999,no country\n")
    assert {row[1] for row in logged(stack, "EA-9")} == {"EA-91", "EA-92"}
    stack.sql("DELETE FROM Customer_Addresses WHERE external_id = 'EA-91'")
    # Lines are known by the order's key alone, which may have a slash, too.
    product = stack.value("SELECT external_id FROM Products WHERE external_id IS NOT NULL LIMIT 1")
    lines = "".join(f"{order},{product},0,7.00\n" for order in ("EL-1", "EL/1", "EL-11", "EL"))
    load_files(stack, orders=ORDERS + "EL-1,EZ-1,2024-05-05,delivered,7.00\n"
               "EL/1,EZ-1,2024-05-05,delivered,7.00\nEL-11,EZ-2,2024-05-05,delivered,7.00\n"
               "EL,EZ-2,2024-05-05,delivered,7.00\n", order_items=ITEMS + lines)
    assert len(logged(stack, f"/{product}")) == 4
    person.erase()
    assert logged(stack, "EA-9", "Hidden", "Lost Road", "EZ-1") == []
    assert {row[1] for row in logged(stack, f"/{product}")} == {f"EL-11/{product}", f"EL/{product}"}


def test_another_key_opens_no_door(person):
    stack = person.stack
    other = number(stack, "EZ-2")
    person.erase()
    path = stack.var / "secrets" / "erasure"
    secret = path.read_text()
    path.unlink()
    assert "another key" in stack.fails("privacy", "erase", other, "--yes")
    assert stack.value("SELECT COUNT(*) FROM Erasures") == 1
    path.write_text(secret)
    stack.run("privacy", "erase", other, "--yes")
    # To let the first in again takes nothing from the second.
    stack.sql("DELETE k FROM Erased_Keys k JOIN Erasures e USING (erasure_id) WHERE e.subject = %s",
              [str(person.id)])
    assert load_files(stack, customers=FEED["customers.csv"]) == {"customers": (2, 1)}
    assert number(stack, "EZ-1") != person.id and number_of(stack, "zenobia.q@example.org") == 1
    # Where the key is lost, and they are let in, it hinders no more.
    path.unlink()
    assert "another key" in stack.fails("load", stack.root / "later")
    stack.sql("DELETE FROM Erased_Keys")
    stack.run("load", stack.root / "later")


def test_a_certificate_proves_the_erasure_of_one_person(person):
    stack = person.stack
    other = number(stack, "EZ-2")
    person.erase()
    stack.run("privacy", "erase", other, "--yes")
    stack.sql("UPDATE Erasures a JOIN Erasures b ON b.subject = %s SET a.certificate = b.certificate"
              " WHERE a.subject = %s", [str(person.id), str(other)])
    for verb in (("certificate", other), ("erase", other, "--yes")):
        assert f"of {person.id}" in stack.fails("privacy", *verb)
    stack.sql("UPDATE Erasures SET certificate = %s WHERE subject = %s",
              ['{"certificate":"{\\"erasure\\":99}"}', str(other)])
    for verb in (("certificate", other), ("erase", other, "--yes")):
        assert "no certificate" in stack.fails("privacy", *verb)

    path = stack.root / "certificate.json"
    path.write_text(stack.run("privacy", "certificate", person.id).stdout)
    stack.run("privacy", "certificate", person.id, "--check", path)
    assert f"of {person.id}" in stack.fails("privacy", "certificate", other, "--check", path)
    public = json.loads(path.read_text())["key"]
    (stack.var / "secrets" / "audit").rename(stack.root / "audit")
    assert "--key HEX" in stack.fails("privacy", "certificate", "--check", path)
    assert not (stack.var / "secrets" / "audit").exists()
    stack.run("privacy", "certificate", "--check", path, "--key", public)
    assert "64 hex digits" in stack.fails("privacy", "certificate", "--check", path, "--key", "12")
    assert "another key" in stack.fails("privacy", "certificate", "--check", path, "--key", "00" * 32)
    (stack.root / "audit").rename(stack.var / "secrets" / "audit")


def test_what_is_searched_for_opens_for_one_person(person):
    stack = person.stack
    other = number(stack, "EZ-2")
    stack.run("sync", "pause")
    assert "not yet" in person.erase("--wait", "1s", check=False).stderr
    stack.fails("privacy", "erase", other, "--yes", "--wait", "1s")
    kept = stack.value("SELECT sought FROM Erasures WHERE subject = %s", [str(other)])
    stack.sql("UPDATE Erasures a JOIN Erasures b ON b.subject = %s SET a.sought = b.sought"
              " WHERE a.subject = %s", [str(person.id), str(other)])
    stack.run("sync", "resume")
    assert "sealed" in stack.fails("privacy", "erase", other, "--yes")
    stack.sql("UPDATE Erasures SET sought = %s WHERE subject = %s", [kept, str(other)])
    stack.run("privacy", "erase", other, "--yes")
    person.erase()
    assert places(stack) == []
