"""What a person is given of theirs, what a copy for tests holds, and how far people stand out."""

import csv
import json

import pytest

import stack as stack_module
from test_erase import PERSONAL, Person, load


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


def test_lines_of_archived_orders_are_exported_too(person):
    stack = person.stack
    stack.sql("UPDATE Orders SET order_date = '2020-03-04' WHERE order_id = %s", [person.order])
    stack.sql("CALL sp_archive_old_orders('2021-01-01')")
    rows = stack.json("privacy", "export", person.id)["rows"]
    assert "Orders" not in rows
    assert [r["order_id"] for r in rows["TR_Orders_Archive"]] == [str(person.order)]
    assert [r["order_id"] for r in rows["TR_Order_Items_Archive"]] == [str(person.order)]


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
        age = stack.value("SELECT TIMESTAMPDIFF(YEAR, %s, UTC_DATE())", [born]) if born else None
        band = None if age is None else min(age, 90) // 10
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
