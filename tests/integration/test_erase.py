"""Erasing a person: nothing of them is left in any store, by a search of our own, and what is not
theirs stays."""

import json
import os
import re
import shutil
import signal

import pytest

import stack as stack_module
from indexed import wait_for_words
from waiting import until

FEED = {
    "customers.csv": "customer_id,first_name,last_name,email,phone_number,date_of_birth,"
                     "registration_date\n"
                     "EZ-1,Zenobia,Quartermain,zenobia.q@example.org,+1 555 010 7777,1980-02-03,"
                     "2024-03-14\n"
                     "EZ-2,Ottoline,Fairweather,ottoline.f@example.org,+1 555 010 8888,1981-02-03,"
                     "2024-03-14\n",
    "customer_addresses.csv": "address_id,customer_id,is_default,street,city,zip,country\n"
                              "EA-1,EZ-1,1,12 Unheard Of Lane,Nowhereville,99999,US\n"
                              "EA-2,EZ-2,1,77 Common House Road,Nowhereville,99999,US\n"
                              "EA-3,EZ-1,0,77 Common House Road,Nowhereville,99999,US\n",
}
PERSONAL = ["zenobia.q@example.org", "5550107777", "Zenobia Quartermain", "12 Unheard Of Lane", "EZ-1",
            "wrote this sentence with her own hands", "Quartermain", "@zen_in_the_art"]
SHARED = "77 Common House Road"


def load(stack):
    folder = stack.root / "feed"
    folder.mkdir(exist_ok=True)
    for name, text in FEED.items():
        (folder / name).write_text(text)
    return stack.json("load", folder)


def number(stack, key):
    return stack.value("SELECT customer_id FROM Customers WHERE external_id = %s", [key])


class Person:
    """Zenobia, who left something in every place."""

    def __init__(self, stack):
        load(stack)
        self.stack, self.id = stack, number(stack, "EZ-1")
        self.product = stack.value("SELECT product_id FROM Products WHERE stock_quantity > 9 LIMIT 1")
        address = stack.value("SELECT address_id FROM Customer_Addresses WHERE external_id = 'EA-1'")
        lines = json.dumps([{"product_id": self.product, "quantity": 2}])
        self.order = stack.sql("CALL sp_PlaceOrder(%s, %s, %s, 'key-of-zenobia', NULL)",
                               [self.id, address, lines])[0][0]
        for state in ("paid", "shipped", "delivered"):
            stack.sql("CALL sp_SetOrderStatus(%s, %s)", [self.order, state])
        self.total = stack.value("SELECT total_amount FROM Orders WHERE order_id = %s", [self.order])
        self.review = stack.insert(
            "Reviews", product_id=self.product, customer_id=self.id, rating=1, review_title="mine",
            review_text="Zenobia wrote this sentence with her own hands", review_date="2025-01-01")
        stack.sql("CALL sp_ReserveCart(%s, %s, 30)", [self.id, lines])
        stack.run("privacy", "show", self.id, "--as", "db_admin", "--purpose", "a look")
        stack.run("token", "create", "--role", "public_customer", "--customer", self.id)
        stack.wait_synced()
        stack.docs("customer_profiles").update_one(
            {"_id": self.id}, {"$set": {"social_media_handles": {"chirp": "@zen_in_the_art"}}})
        stack.docs("reviews").update_one(
            {"_id": self.review}, {"$set": {"media_attachments": ["Zenobia Quartermain.jpg"]}})

    def erase(self, *args, **options):
        return self.stack.run("privacy", "erase", self.id, "--yes", *args, **options)


@pytest.fixture
def forgetful(new_stack):
    """Its index overwrites what is gone only where it is told to."""
    new_stack.write_config(index={"forget_after": "1d"})


@pytest.fixture
def person(forgetful, stack):
    return Person(stack)


def texts_in_maria(stack):
    for schema, table in stack.sql(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE ="
            " 'BASE TABLE' AND TABLE_SCHEMA LIKE 'aethermart%%'"):
        for row in stack.sql(f"SELECT * FROM `{schema}`.`{table}`"):
            yield f"{schema}.{table}", " | ".join(
                v.decode("latin1") if isinstance(v, bytes) else str(v) for v in row)


def texts_in_mongo(stack):
    for name in stack.mongo().list_collection_names():
        for document in stack.docs(name).find():
            yield name, json.dumps(document, default=str)


def texts_in_files(stack):
    for path in stack.var.rglob("*"):
        inside = path.parts[len(stack.var.parts):]
        of_servers = inside[0] in ("mariadb", "mongodb", "secrets") and inside[:2] != ("mariadb", "audit")
        if of_servers or not path.is_file():
            continue
        yield str(path), path.read_bytes().decode("latin1")


def places(stack, texts=PERSONAL):
    return sorted({(store.__name__, where, text) for store in
                   (texts_in_maria, texts_in_mongo, texts_in_files)
                   for where, content in store(stack) for text in texts if text in content})


@pytest.mark.index
def test_nothing_of_an_erased_person_is_left_in_any_store(person):
    stack = person.stack
    wait_for_words(stack)
    plan = stack.json("privacy", "erase", person.id, "--dry-run")
    assert {p["store"] for p in plan["places"]} == {"MariaDB", "MongoDB", "files"}
    assert {p["where"].split(".")[-1] for p in plan["places"]} >= {
        "Customers", "Customer_Addresses", "Orders", "Reviews", "customer_profiles", "reviews"}
    assert {store for store, _, _ in places(stack)} == {
        "texts_in_maria", "texts_in_mongo", "texts_in_files"}, "the search finds them before"

    certificate = json.loads(json.loads(person.erase("--purpose", "Art. 17", "--json").stdout)[
        "certificate"])
    assert places(stack) == []
    assert {s["store"]: s["found"] for s in certificate["searched"]} == {
        "MariaDB": 0, "MongoDB": 0, "files": 0}
    assert certificate["subject"] == str(person.id) and certificate["purpose"] == "Art. 17"
    assert any("binary logs" in r["where"] for r in certificate["remains"])
    assert stack.docs("customer_profiles").count_documents({"_id": person.id}) == 0
    assert stack.docs("reviews").count_documents({"customer_id": person.id}) == 0
    assert stack.value("SELECT sought FROM Erasures") is None
    assert stack.sql("SELECT * FROM Access_Tokens") == []
    jobs = {run["job"]: run["state"] for run in stack.json("lineage", "list")}
    assert jobs["erase"] == "COMPLETE"
    stack.assert_in_step()


def test_orders_keep_their_totals_and_others_keep_what_is_theirs(person):
    stack = person.stack
    before = stack.sql("SELECT order_id, total_amount, order_status FROM Orders ORDER BY 1")
    reserved = stack.value("SELECT reserved_quantity FROM Products WHERE product_id = %s",
                           [person.product])
    receipts = json.loads(json.loads(person.erase("--json").stdout)["certificate"])["receipts"]
    assert stack.sql("SELECT order_id, total_amount, order_status FROM Orders ORDER BY 1") == before
    assert stack.sql("SELECT ship_street, ship_city, ship_zip, address_id, ship_country, total_amount"
                     " FROM Orders WHERE order_id = %s", [person.order]) == [
                         (None, None, None, None, "US", person.total)]
    assert stack.value("SELECT reserved_quantity FROM Products WHERE product_id = %s",
                       [person.product]) == reserved - 2, "the cart's pieces are free"
    assert stack.value("SELECT street FROM Customer_Addresses WHERE external_id = 'EA-2'") == SHARED
    other = number(stack, "EZ-2")
    assert stack.doc("customer_profiles", other)["full_name"] == "Ottoline Fairweather"
    rows = {r["where"]: r["rows"] for r in receipts if r["what"] != "deleted, of events about others"}
    assert (rows["Customers"], rows["Customer_Addresses"], rows["Orders"], rows["Reviews"],
            rows["Carts"], rows["Order_Requests"], rows["Audit_Details"]) == (1, 2, 1, 1, 1, 1, 3)
    assert stack.sql("SELECT * FROM Stock_Movements m JOIN Products p USING (product_id) GROUP BY"
                     " product_id HAVING SUM(m.quantity) <> MAX(p.stock_quantity)") == []
    stack.run("audit", "verify")
    assert stack.json("audit", "who-saw", str(person.id)) == []


def test_a_feed_does_not_bring_an_erased_person_back(person):
    stack = person.stack
    person.erase()
    report = load(stack)
    counts = {e: (c["read"], c["rejected"]) for e, c in report["entities"].items()
              if c["read"]}
    assert counts == {"customers": (2, 1), "addresses": (3, 2)}
    assert stack.sql("SELECT * FROM data_quality_logs WHERE CONCAT_WS(' ', entity_key, value_before)"
                     " LIKE CONCAT('%EZ', '-1%')") == []
    assert places(stack) == []
    assert stack.sql("SELECT entity, entity_key, value_before FROM data_quality_logs WHERE"
                     " quality_rule = 'subject_erased' ORDER BY 1") == [
                         ("addresses", "erased", None), ("addresses", "erased", None),
                         ("customers", "erased", None)]
    # Nor under another key, when the address is the same.
    again = FEED["customers.csv"].replace("EZ-1", "EZ-9")
    (stack.root / "feed" / "customers.csv").write_text(again)
    stack.run("load", stack.root / "feed" / "customers.csv")
    assert number_of(stack, "zenobia.q@example.org") == 0
    # Without the key nobody can say who it was.
    (stack.var / "secrets" / "erasure").unlink()
    assert "another key" in stack.fails("load", stack.root / "feed" / "customers.csv")


def number_of(stack, email):
    return stack.value("SELECT COUNT(*) FROM Customers WHERE email = %s", [email])


def test_what_has_to_be_kept_is_not_erased(person):
    stack = person.stack
    stack.run("privacy", "hold", person.id, "--reason", "lawsuit 12/26")
    assert "held, by os:" in person.erase(check=False).stderr
    assert [r["state"] for r in stack.json("privacy", "erasures")] == ["held"]
    assert number_of(stack, "zenobia.q@example.org") == 1
    # A reason that ends sooner ends no other one.
    assert "no day to come" in stack.fails(
        "privacy", "hold", person.id, "--reason", "over", "--until", "2020-01-01").replace(
            "is not a day to come", "no day to come")
    stack.run("privacy", "hold", person.id, "--reason", "audit", "--until", "2999-01-01")
    assert "for 2 reasons" in stack.fails("privacy", "release", person.id)
    assert "say why" in stack.fails("privacy", "hold", person.id, "--reason", " ")
    holds = {r["why"]: r["hold"] for r in stack.json("privacy", "erasures")}
    stack.sql("UPDATE Legal_Holds SET held_until = '2020-01-01' WHERE hold_id = %s", [holds["audit"]])
    assert "lawsuit 12/26" in person.erase(check=False).stderr
    assert "by number 999" in stack.fails("privacy", "release", person.id, "--hold", "999")
    stack.run("privacy", "release", person.id, "--hold", holds["audit"])
    stack.run("privacy", "release", person.id)
    stack.run("privacy", "erase", person.id, "--dry-run")
    assert "is not held" in stack.fails("privacy", "release", person.id)

    lines = json.dumps([{"product_id": person.product, "quantity": 1}])
    address = stack.value("SELECT address_id FROM Customer_Addresses WHERE external_id = 'EA-1'")
    order = stack.sql("CALL sp_PlaceOrder(%s, %s, %s, 'second', NULL)",
                      [person.id, address, lines])[0][0]
    assert f"order {order} is not sent yet" in person.erase(check=False).stderr
    assert stack.sql("SELECT * FROM Erasures") == [] and stack.sql("SELECT * FROM Erased_Keys") == []
    assert number_of(stack, "zenobia.q@example.org") == 1
    stack.sql("CALL sp_CancelOrder(%s)", [order])
    with stack.open_sql() as loader:
        with loader.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(CONCAT('aethermart_load.', DATABASE()), 0)")
        assert "a load is running" in person.erase(check=False).stderr
    assert "no row with customer_id 99999999" in stack.fails("privacy", "erase", "99999999", "--yes")
    for otherwise in (f"0{person.id}", f"{person.id}.0", f"{person.id}x", f" {person.id}"):
        assert f"is it {person.id}?" in stack.fails("privacy", "erase", otherwise, "--yes")
        assert "no row with" in stack.fails("privacy", "show", otherwise, "--as", "db_admin")
    person.erase()


def test_a_copy_that_somebody_made_is_found_and_named(person):
    stack = person.stack
    stack.docs("newsletter").insert_one({"to": ["zenobia.q@example.org"]})
    stack.sql("CREATE TABLE Campaign (note TEXT)")
    stack.sql("INSERT INTO Campaign VALUES ('call Zenobia Quartermain')")
    (stack.var / "log" / "notes.log").write_text("she lives at 12 Unheard Of Lane\n")
    failed = person.erase("--wait", "1s", check=False)
    assert failed.returncode != 0
    for place in ("aethermart_db.Campaign", "newsletter", "log/notes.log"):
        assert place in failed.stderr
    assert not any(text in failed.stderr for text in PERSONAL)
    assert [r["state"] for r in stack.json("privacy", "erasures")] == ["copies"]
    assert "is not complete" in stack.fails("privacy", "certificate", person.id)
    stack.docs("newsletter").drop()
    stack.sql("DROP TABLE Campaign")
    (stack.var / "log" / "notes.log").unlink()
    # What is not looked at proves nothing.
    deep = stack.var / "log" / "/".join(["d"] * 40)
    deep.mkdir(parents=True)
    assert "nested deeper" in person.erase(check=False).stderr
    assert [r["state"] for r in stack.json("privacy", "erasures")] == ["copies"]
    shutil.rmtree(stack.var / "log" / "d")
    person.erase()
    assert places(stack) == []


def waits_for_a_lock(stack):
    """Asked more often than each 0.1 s, InnoDB tells what it told before."""
    return stack.sql("SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'")


def test_a_killed_erasure_is_completed_by_the_next_one(person):
    """Killed before its transaction commits, while it waits for the worker, and while it searches."""
    stack = person.stack
    with stack.open_sql() as blocker:
        with blocker.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM Reviews WHERE review_id = %s FOR UPDATE", [person.review])
            child = stack.start("privacy", "erase", person.id, "--yes")
            until(lambda: waits_for_a_lock(stack), 20, pause=0.3, what="it waits for the row")
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
    until(lambda: not waits_for_a_lock(stack), 20, pause=0.3, what="its transaction is gone")
    assert stack.sql("SELECT * FROM Erasures") == [], "all or nothing"
    assert number_of(stack, "zenobia.q@example.org") == 1

    stack.run("sync", "pause")
    child = stack.start("privacy", "erase", person.id, "--yes")
    until(lambda: stack.sql("SELECT 1 FROM Erasures"), 20, what="the rows are erased")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert number_of(stack, "zenobia.q@example.org") == 0
    assert stack.docs("customer_profiles").count_documents({"_id": person.id}) == 1
    assert "zenobia" not in stack.value("SELECT CAST(sought AS CHAR) FROM Erasures").lower()
    assert "not yet" in person.erase("--wait", "1s", check=False).stderr
    stack.run("sync", "resume")

    (stack.var / "log" / "notes.log").write_text("12 Unheard Of Lane")
    child = stack.start("privacy", "erase", person.id, "--yes")
    until(lambda: stack.docs("customer_profiles").count_documents({"_id": person.id}) == 0, 30,
          what="the document is gone")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    (stack.var / "log" / "notes.log").unlink()
    person.erase()
    assert places(stack) == []
    stack.run("audit", "verify")
    assert stack.value("SELECT COUNT(*) FROM Erasures") == 1
    person.erase()  # again: it is done
    stack.assert_in_step()


def test_a_certificate_that_was_changed_is_told(person):
    stack = person.stack
    person.erase()
    path = stack.root / "certificate.json"
    path.write_text(stack.run("privacy", "certificate", person.id).stdout)
    stack.run("privacy", "certificate", "--check", path)
    changed = path.read_text().replace(f'\\"subject\\":\\"{person.id}\\"', '\\"subject\\":\\"1\\"')
    assert changed != path.read_text()
    path.write_text(changed)
    assert "changed after it was signed" in stack.fails("privacy", "certificate", "--check", path)
    path.write_text(re.sub(r'"key": "..', '"key": "00', path.read_text()))
    stack.fails("privacy", "certificate", "--check", path)
    path.write_text("{}")
    assert "no certificate" in stack.fails("privacy", "certificate", "--check", path)


def test_an_account_of_the_rules_has_to_go_first(person):
    stack = person.stack
    rules = stack.root / "access.yaml"
    text = (stack_rules()).read_text()
    text = re.sub(r"customer: \d+", f"customer: {person.id}", text, count=1)
    rules.write_text(text)
    stack.write_config(access={"rules": str(rules)})
    assert "is this customer: take the account out of the file" in person.erase(check=False).stderr
    assert number_of(stack, "zenobia.q@example.org") == 1


def stack_rules():
    return stack_module.BINARY.parent.parent / "rules" / "access.yaml"
