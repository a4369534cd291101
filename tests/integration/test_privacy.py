"""What a person is given of theirs, what a copy for tests holds, and how far people stand out."""

import csv
import json
import signal
import subprocess

import pytest

import stack as stack_module
from test_erase import PERSONAL, Person, load
from waiting import until


@pytest.fixture
def person(stack):
    return Person(stack)


def test_an_export_holds_all_that_is_held_of_a_person_and_nothing_of_others(person):
    stack = person.stack
    other = stack.value("SELECT customer_id FROM Customers WHERE external_id = 'EZ-2'")
    text = stack.run("privacy", "export", person.id, "--purpose", "Art. 15").stdout
    export = json.loads(text)
    rows, documents = export["rows"], export["documents"]
    assert set(rows) >= {"Customers", "Customer_Addresses", "Orders", "Order_Items", "Order_Events",
                         "Order_Requests", "Reviews", "Carts", "Cart_Items"}
    assert rows["Customers"][0]["email"] == "zenobia.q@example.org"
    assert [r["order_id"] for r in rows["Orders"]] == [str(person.order)]
    assert {r["order_id"] for r in rows["Order_Items"]} == {str(person.order)}
    assert rows["Order_Items"][0]["product_id"] == str(person.product)
    assert {r["customer_id"] for t in rows.values() for r in t if "customer_id" in r} == {
        str(person.id)}
    for table, key in (("Orders", "order_id"), ("Reviews", "review_id"), ("Carts", "cart_id")):
        assert {int(r[key]) for r in rows[table]} == {n for n, in stack.sql(
            f"SELECT {key} FROM {table} WHERE customer_id = %s", [person.id])}
    assert documents["customer_profiles"][0]["social_media_handles"] == {"chirp": "@zen_in_the_art"}
    assert [d["_id"] for d in documents["reviews"]] == [person.review]
    assert [(e["action"], e["purpose"]) for e in export["seen_by"]] == [
        ("token.create", ""), ("privacy.show", "a look")]
    assert "ottoline" not in text.lower() and f'"{other}"' not in text
    # That it was handed out stands in the audit.
    assert [e["action"] for e in stack.json("audit", "who-saw", person.id)][0] == "privacy.export"
    assert "no row with customer_id" in stack.fails("privacy", "export", "99999999")


def test_an_export_gives_nothing_of_others_by_the_name_of_a_key(person):
    stack = person.stack
    stack.sql("CREATE TABLE Wishlist (product_id BIGINT UNSIGNED NOT NULL, customer_id BIGINT UNSIGNED NOT NULL,"
              " PRIMARY KEY (product_id, customer_id))")
    stack.sql("CREATE TABLE Favourites (product_id BIGINT UNSIGNED PRIMARY KEY, customer_id BIGINT UNSIGNED)")
    sold = stack.value("SELECT product_id FROM Order_Items WHERE order_id <> %s LIMIT 1", [person.order])
    for table in ("Wishlist", "Favourites"):
        stack.insert(table, product_id=sold, customer_id=person.id)
    export = stack.json("privacy", "export", person.id)
    rows = export["rows"]
    assert 'rows of Stock_Movements by "product_id" alone' in {n["what"] for n in export["not_included"]}
    assert rows["Wishlist"] == rows["Favourites"] == [
        {"product_id": str(sold), "customer_id": str(person.id)}]
    assert {r["order_id"] for r in rows["Order_Items"]} == {str(person.order)}
    assert "Products" not in rows and "Product_Price_History" not in rows


def test_an_export_follows_references_to_what_is_theirs(person):
    stack = person.stack
    stack.sql("CREATE TABLE Gifts (gift_id INT PRIMARY KEY, given_to BIGINT UNSIGNED, label VARCHAR(20),"
              " FOREIGN KEY (given_to) REFERENCES Customers (customer_id))")
    stack.sql("CREATE TABLE Gift_Notes (note_id INT PRIMARY KEY, about INT, note VARCHAR(20),"
              " FOREIGN KEY (about) REFERENCES Gifts (gift_id))")
    other = stack.value("SELECT customer_id FROM Customers WHERE external_id = 'EZ-2'")
    for number, who in ((1, person.id), (2, other)):
        stack.insert("Gifts", gift_id=number, given_to=who, label=f"gift {number}")
        stack.insert("Gift_Notes", note_id=number + 10, about=number, note=f"note {number}")
    rows = stack.json("privacy", "export", person.id)["rows"]
    assert [r["label"] for r in rows["Gifts"]] == ["gift 1"]
    assert [r["note"] for r in rows["Gift_Notes"]] == ["note 1"]


def test_an_export_holds_what_the_program_knows_of_a_person(person):
    stack = person.stack
    feed = stack.root / "again"
    feed.mkdir()
    (feed / "customers.csv").write_text(
        "customer_id,first_name,last_name,email,registration_date\n"
        "EZ-9,Zenobia,Quartermain,zenobia.q@example.org,2024-03-14\n"
        "EZ-8,Otto,Fairweather,ottoline.f@example.org,2024-03-14\n")
    stack.run("load", feed)
    stack.run("privacy", "hold", person.id, "--reason", "a lawsuit")
    other = stack.value("SELECT customer_id FROM Customers WHERE external_id = 'EZ-2'")
    for entity, key in (("Customers", person.id), ("customer_profiles", person.id), ("Reviews", person.review),
                        ("Customers", other), ("Reviews", 99999)):
        stack.sql("INSERT INTO Quality_Quarantine (check_name, entity, entity_key, reason, found_by, first_seen,"
                  " last_seen) VALUES ('c', %s, %s, 'r', 'run', UTC_TIMESTAMP(), UTC_TIMESTAMP())",
                  [entity, str(key)])
    stack.sql("REPLACE INTO Access_People VALUES ('zen@%%', %s), ('ott@%%', %s)", [person.id, other])
    for user in ("zen", "ott"):
        stack.sql("INSERT INTO rbac_audit (happened_at, user_name, host_name, role_name, connection_id, query_id,"
                  " action_name, database_name, object_name, query_text, outcome, times)"
                  " VALUES (UTC_TIMESTAMP(), %s, 'h', '', 1, 1, 'QUERY', 'd', '', 'SELECT', 'done', 1)", [user])
    stack.run("warehouse", "refresh")
    export = stack.json("privacy", "export", person.id)
    rows, warehouse = export["rows"], export["warehouse"]
    assert [(r["entity"], r["external_id"]) for r in rows["Feed_Aliases"]] == [("customers", "EZ-9")]
    assert {r["entity_key"] for r in rows["data_quality_logs"]} >= {"EZ-9"}
    assert not {r["entity_key"] for r in rows["data_quality_logs"]} & {"EZ-8", "EZ-2"}
    assert {(r["entity"], r["entity_key"]) for r in rows["Quality_Quarantine"]} == {
        ("Customers", str(person.id)), ("customer_profiles", str(person.id)), ("Reviews", str(person.review))}
    assert [r["reason"] for r in rows["Legal_Holds"]] == ["a lawsuit"]
    assert [r["user_name"] for r in rows["rbac_audit"]] == ["zen"]
    assert [r["customer_id"] for r in rows["Access_Tokens"]] == [str(person.id)]
    key = stack.value("SELECT customer_key FROM aethermart_dw.Etl_Customers WHERE customer_id = %s", [person.id])
    assert warehouse["Etl_Customers"] == [{"customer_id": str(person.id), "customer_key": str(key)}]
    assert [r["customer_key"] for r in warehouse["Dim_Customer"]] == [str(key)]
    assert [r["order_id"] for r in warehouse["Fact_Orders"]] == [str(person.order)]
    # What is left out is said, and is left out.
    left_out = {n["what"] for n in export["not_included"]}
    assert {"Access_Tokens.token_hash", "Audit_Details.salt"} <= left_out
    assert "token_hash" not in rows["Access_Tokens"][0] and "salt" not in rows["Audit_Details"][0]
    assert any("backups" in what for what in left_out)


def test_an_export_holds_documents_that_others_made(person):
    stack = person.stack
    other = stack.value("SELECT customer_id FROM Customers WHERE external_id = 'EZ-2'")
    stack.docs("loyalty").insert_many([
        {"customer_id": person.id, "nick": "zen"}, {"customer_id": str(person.id), "nick": "as text"},
        {"customer_id": other, "nick": "otto", "friend": "zenobia.q@example.org"}])
    stack.docs("newsletter").insert_many([
        {"to": {"mail": "Zenobia Q. <Zenobia.Q@Example.ORG>"}, "topic": "arts"},
        {"to": "xzenobia.q@example.org", "topic": "another"},
        {"to": ["zenobia.q@example.org", "ottoline.f@example.org"], "topic": "many"}])
    export = stack.json("privacy", "export", person.id)
    documents = export["documents"]
    assert {d["nick"] for d in documents["loyalty"]} == {"zen", "as text"}
    assert [d["topic"] for d in documents["newsletter"]] == ["arts"]
    assert {"documents of newsletter: 1", "documents of loyalty: 1"} <= {
        n["what"] for n in export["not_included"]}
    assert [d["_id"] for d in documents["customer_profiles"]] == [person.id]
    assert "product_catalog" not in documents


def test_fields_of_mongodbs_users_that_look_personal_are_found(stack):
    stack.run("warehouse", "refresh")
    assert stack.json("privacy", "detect") == []
    stack.docs("customer_profiles").update_many(
        {}, {"$set": {"customer_preferences.second": {"mail": "none"}, "social_media_handles.chirp": "@x"}})
    stack.docs("leads").insert_many([
        {"who": [f"Lead <lead{n}@example.org>"], "colour": "red", "since": "2024-01-01"} for n in range(9)])
    assert {(f["store"], f["table"], f["column"], f["looks_like"]) for f in stack.json("privacy", "detect",
                                                                                                check=False)} == {
        ("MongoDB", "customer_profiles", "customer_preferences.second.mail", "email"),
        ("MongoDB", "leads", "who", "email")}


def test_lines_of_archived_orders_are_exported_too(person):
    stack = person.stack
    stack.sql("UPDATE Orders SET order_date = '2020-03-04' WHERE order_id = %s", [person.order])
    stack.sql("CALL sp_archive_old_orders('2021-01-01')")
    rows = stack.json("privacy", "export", person.id)["rows"]
    assert "Orders" not in rows
    assert [r["order_id"] for r in rows["TR_Orders_Archive"]] == [str(person.order)]
    assert [r["order_id"] for r in rows["TR_Order_Items_Archive"]] == [str(person.order)]


def test_a_copy_that_was_interrupted_has_another_name_and_goes_with_the_next(person):
    stack = person.stack
    for number in signal.SIGKILL, signal.SIGTERM:
        copy, partial = stack.root / f"cut{number}", stack.root / f"cut{number}.partial"
        stack.sql("LOCK TABLES Reviews WRITE")  # for which the last file waits
        try:
            dump = subprocess.Popen([str(stack_module.BINARY), "--config", str(stack.config_path), "privacy",
                                     "dump", str(copy)], cwd=stack.root, stdout=subprocess.DEVNULL,
                                    env=stack_module.environment(), stderr=subprocess.DEVNULL)
            until((partial / "orders.csv").exists)
            assert "is being written" in stack.fails("privacy", "dump", copy)
            dump.send_signal(number)
            assert dump.wait(20) != 0
        finally:
            stack.sql("UNLOCK TABLES")
        assert partial.exists() and not copy.exists()
        stack.run("privacy", "dump", f"{copy}/")
        assert copy.is_dir() and not partial.exists()


def test_a_copy_for_tests_loads_whole_and_has_nobody_in_it(person, folder):
    stack = person.stack
    copy = stack.root / "copy"
    written = stack.json("privacy", "dump", copy)
    content = "".join(path.read_text() for path in copy.iterdir())
    assert [text for text in PERSONAL if text in content] == []
    emails = {e for e, in stack.sql("SELECT email FROM Customers WHERE email IS NOT NULL")}
    assert [e for e in emails if e in content] == []
    assert oct(copy.stat().st_mode)[-3:] == "700"
    assert "is there already" in stack.fails("privacy", "dump", copy)
    again = stack.root / "again"
    stack.run("privacy", "dump", again)
    for path in copy.iterdir():
        assert sorted(path.read_text().splitlines()) == sorted(
            (again / path.name).read_text().splitlines()), "the same stands in for the same"

    before = figures(stack)
    where = stack.connection()["mariadb"]
    stack.sql("CREATE DATABASE copy_of_shop CHARACTER SET utf8mb4")
    config = folder / "copy.yaml"
    config.write_text(json.dumps({"mariadb": {"socket": where["socket"], "user": where["user"],
                                              "password_file": where["password_file"],
                                              "database": "copy_of_shop"},
                                  "stack": {"dir": str(folder / "copy-var")}}))
    for verb in (["schema", "apply"], ["load", str(copy)]):
        done = stack_module.run_binary("--config", config, *verb, "--json")
    report = json.loads(done.stdout)
    assert report["total"]["rejected"] == 0 and report["total"]["corrected"] == 0
    for table, names in (("customers", "customers.csv"), ("orders", "orders.csv"),
                         ("reviews", "reviews.csv"), ("order_items", "order_items.csv")):
        assert report["entities"][table]["loaded"] == written[names]
    stack.sql("USE copy_of_shop")
    assert figures(stack) == before
    stack.sql("USE aethermart_db")


def figures(stack):
    """What has to be the same in a copy: who bought how much, without saying who."""
    return [stack.sql(statement) for statement in (
        "SELECT COUNT(*), SUM(total_amount), MIN(order_date), MAX(order_date) FROM Orders",
        "SELECT n, total, COUNT(*) FROM (SELECT COUNT(*) AS n, SUM(total_amount) AS total FROM Orders"
        " GROUP BY customer_id) c GROUP BY n, total ORDER BY n, total",
        "SELECT rating, COUNT(*) FROM Reviews GROUP BY rating ORDER BY rating",
        "SELECT country, state, COUNT(*) FROM Customer_Addresses GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT SUM(quantity * price), COUNT(DISTINCT product_id) FROM Order_Items")]


def test_who_stands_out_is_counted_by_what_a_role_sees(stack):
    load(stack)
    told = stack.json("privacy", "anonymity", "--as", "marketing_analyst", "--columns",
                      "date_of_birth,locale", "--k", "4")
    bands = {}
    for born, locale in stack.sql("SELECT date_of_birth, locale FROM Customers"):
        band = born and max(born.year // 10, 193)  # all before 1940 are one
        bands[band, locale] = bands.get((band, locale), 0) + 1
    assert told["all"] == {"people": sum(bands.values()), "groups": len(bands),
                           "smallest": min(bands.values()),
                           "below": sum(n for n in bands.values() if n < 4)}
    alone = {c["column"]: c["alone"]["groups"] for c in told["columns"]}
    assert alone == {"date_of_birth": len({b for b, _ in bands}), "locale": len({x for _, x in bands})}
    # What identifies each by itself is seen to.
    every = stack.json("privacy", "anonymity", "--as", "operations_manager")
    assert every["all"]["smallest"] == 1 and every["all"]["groups"] == every["all"]["people"]
    assert 'did you mean "locale"' in stack.fails(
        "privacy", "anonymity", "--as", "marketing_analyst", "--columns", "locales")
    assert "does not see" in stack.fails(
        "privacy", "anonymity", "--as", "finance_analyst", "--columns", "email")


def test_people_are_told_apart_by_every_letter_and_the_erased_are_nobody(stack):
    load(stack)
    ids = [i for i, in stack.sql("SELECT customer_id FROM Customers ORDER BY customer_id")]
    stack.sql("UPDATE Customers SET locale = 'same', first_name = 'E'")
    for letter, number in zip(("É", "e", "E "), ids):
        stack.sql("UPDATE Customers SET first_name = %s WHERE customer_id = %s", [letter, number])
    stack.sql("UPDATE Customers SET erased_at = UTC_TIMESTAMP() WHERE customer_id = %s", [ids[-1]])
    told = stack.json("privacy", "anonymity", "--as", "operations_manager", "--columns",
                      "first_name,locale", "--k", "2")
    assert told["all"] == {"people": len(ids) - 1, "groups": 4, "smallest": 1, "below": 3}
    # Several ways to name columns are one.
    assert told == stack.json("privacy", "anonymity", "--as", "operations_manager", "--k", "2",
                              "--columns", "first_name", "--columns", "locale")
    # What is not judged is said.
    assert told["judged"] == "Customers"
    assert {"Customer_Addresses", "Orders", "Reviews"} <= set(told["not_judged"])
    text = stack.run("privacy", "anonymity", "--as", "marketing_analyst").stdout
    assert "Only Customers is judged" in text and "Customer_Addresses" in text
    assert 'did you mean "marketing_analyst"' in stack.fails("privacy", "anonymity", "--as", "marketing_analist")


def test_a_dump_is_a_feed_by_its_form(person):
    stack = person.stack
    copy = stack.root / "copy"
    stack.run("privacy", "dump", copy)
    with open(copy / "customers.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == stack.value("SELECT COUNT(*) FROM Customers")
    assert all(r["first_name"] and r["last_name"] and r["email"].endswith("@mail.example") or
               not r["email"] for r in rows)
    assert len({r["customer_id"] for r in rows}) == len(rows)
    assert {r["date_of_birth"][5:] for r in rows} <= {"", "01-01"}
    assert {r["registration_date"][7:] for r in rows} == {"-01"}
