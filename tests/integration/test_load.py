"""`load` takes what strangers send: every defect is corrected or rejected and written down, the
report adds up, and a broken file is refused as a whole."""
import gzip
import json
import time

import pytest

HEADERS = {
    "suppliers": "supplier_name,contact_email,phone_number,country",
    "products": "product_id,supplier_name,category_path,product_name,product_description,ean,price,"
                "currency,stock_quantity,release_date",
    "customers": "customer_id,first_name,last_name,email,phone_number,date_of_birth,"
                 "registration_date,customer_status,locale",
    "orders": "order_id,customer_id,order_date,order_status,total_amount,currency",
    "order_items": "order_id,product_id,quantity,price",
    "reviews": "review_id,product_id,customer_id,rating,review_title,review_text,review_date",
}


def field(text):
    text = "" if text is None else str(text)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def write(stack, name, kind, rows, encoding="utf-8"):
    """A CSV file of the kind; rows are tuples in the order of HEADERS."""
    lines = [HEADERS[kind], *(",".join(map(field, row)) for row in rows)]
    path = stack.root / name
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding, "surrogateescape"))
    path.chmod(0o644)
    return path


def customer(key, email="", date="2026-01-02 03:04:05", **changes):
    row = {"key": key, "first": "Ann", "last": "Lee", "email": email, "phone": "", "birth": "",
           "date": date, "status": "active", "locale": "en-US", **changes}
    return tuple(row.values())


def product(key, **changes):
    row = {"key": key, "supplier": "T-Supplier", "category": "T-Top > T-Leaf", "name": f"P {key}",
           "text": "", "ean": "", "price": "10.00", "currency": "USD", "stock": "5",
           "released": "", **changes}
    return tuple(row.values())


def review(key, product_key, customer_key, rating="5", title="", text="", date="2026-02-03"):
    return key, product_key, customer_key, rating, title, text, date


# (kind, key, row, rule that must fire, table, column, what the shop then holds; "rejected": no row)
CUSTOMERS = [
    (customer("d1"), "email_missing", "email", None),
    (customer("d2", "john(at)example.com"), "email_repaired", "email", "john@example.com"),
    (customer("d3", "jane@@example.com"), "email_repaired", "email", "jane@example.com"),
    (customer("d4", "John <jo@example.com>"), "email_repaired", "email", "jo@example.com"),
    (customer("d5", "nobody"), "email_malformed", "email", None),
    (customer("d6", "same@example.com"), None, "email", "same@example.com"),
    (customer("d7", "Same@Example.com"), "email_duplicate", "email", "rejected"),
    (customer("d8", "h@example.com", first="<b>Zoë</b> &amp; Co"), "text_html", "first_name",
     "Zoë & Co"),
    (customer("d9", "i@example.com", first="CafÃ©"), "text_encoding", "first_name", "Café"),
    (customer("d10", "j@example.com", first="A\u0007nn"), "text_control", "first_name", "Ann"),
    (customer("d11", "k@example.com", first="x" * 500), "text_long", "first_name", "x" * 80),
    (customer("d12", "l@example.com", date="not a date"), "date_invalid", "email", "rejected"),
    (customer("d13", "m@example.com", status="Inactive!"), None, "email", "m@example.com"),
    (customer("d14", "n@example.com", first=""), "value_missing", "email", "rejected"),
    (customer("d15", "o@example.com", date="2026-02-30"), "date_invalid", "email", "rejected"),
    (customer("d16", "p@example.com", birth="2999-01-01"), None, "date_of_birth", None),
]

DATES = [  # text in the feed, what the shop holds
    ("2025-03-04", "2025-03-04 00:00:00"), ("2025/03/04", "2025-03-04 00:00:00"),
    ("2025.03.04", "2025-03-04 00:00:00"), ("20250304", "2025-03-04 00:00:00"),
    ("04.03.2025", "2025-03-04 00:00:00"), ("4 March 2025", "2025-03-04 00:00:00"),
    ("March 4, 2025", "2025-03-04 00:00:00"), ("Mar 4 2025", "2025-03-04 00:00:00"),
    ("25/12/2024", "2024-12-25 00:00:00"), ("26/12/2024", "2024-12-26 00:00:00"),
    ("04/03/2025", "2025-03-04 00:00:00"),  # ambiguous: the two above decide
    ("2025-03-04 15:16:17", "2025-03-04 15:16:17"), ("2025-03-04T15:16:17Z", "2025-03-04 15:16:17"),
    ("2025-03-04T15:16:17+02:00", "2025-03-04 13:16:17"), ("1741046400", "2025-03-04 00:00:00"),
]

PRODUCTS = [
    (product("p1"), None, "price", "10.00"),
    (product("p2", price="-1.00"), "price_negative", "price", "rejected"),
    (product("p3", price="free"), "number_invalid", "price", "rejected"),
    (product("p4", ean="4006381333931"), None, "ean", "4006381333931"),
    (product("p5", ean="4006381333931"), "ean_duplicate", "ean", None),
    (product("p6", ean="4006381333932"), "ean_invalid", "ean", None),
    (product("p7", supplier="t-supplier"), "supplier_spelling", "price", "10.00"),
    (product("p8", text="<p>Line<br>two</p>"), "text_html", "product_description", None),
    (product("p9", price="1,299.00"), "number_format", "price", "1299.00"),
    (product("p10", stock="-4"), "stock_negative", "stock_quantity", "0"),
    (product("p11", name=""), "value_missing", "price", "rejected"),
]

REVIEWS = [
    (review("r1", "p1", "d6"), None, "rating", "5"),
    (review("r2", "p1", "d6", rating="6"), "rating_range", "rating", "rejected"),
    (review("r3", "p1", "d6", rating="0"), "rating_range", "rating", "rejected"),
    (review("r4", "nothing", "d6"), "reference_unknown", "rating", "rejected"),
    (review("r5", "p1", "nobody"), "reference_unknown", "rating", "rejected"),
    (review("r6", "p1", "d7"), None, "customer_id", "as d6"),  # d7 is the same person as d6
    (review("r7", "p1", "d6", text="<script>alert(1)</script>Good"), "text_html", "review_text",
     None),
]


def report_adds_up(stack):
    """The last run's numbers; they and those printed add up."""
    names = ("rows_read", "loaded", "corrected", "unchanged", "rejected")
    numbers = dict(zip(names, stack.sql(
        f"SELECT {', '.join(names)} FROM Load_Runs ORDER BY load_id DESC LIMIT 1")[0]))
    assert numbers["rows_read"] == sum(numbers[n] for n in names[1:]), numbers
    return numbers


def held(stack, table, key, column):
    """The value as text, None, or "rejected" when there is no row."""
    rows = stack.sql(f"SELECT `{column}` FROM `{table}` WHERE external_id = %s", (key,))
    if not rows:
        return "rejected"
    return None if rows[0][0] is None else str(rows[0][0])


def rules_of(stack, key):
    return {row[0] for row in stack.sql(
        "SELECT quality_rule FROM data_quality_logs WHERE entity_key = %s", (key,))}


def check_defects(stack, table, cases):
    for row, rule, column, value in cases:
        key = row[0]
        found = held(stack, table, key, column)
        if value == "as d6":
            value = held(stack, "Customers", "d6", "customer_id")
        if value is not None or rule in ("email_missing", "email_malformed", "ean_invalid",
                                         "ean_duplicate"):
            assert found == value, (key, column, found)
        if rule:
            assert rule in rules_of(stack, key), (key, rule, rules_of(stack, key))
        if found == "rejected":
            assert stack.value("SELECT COUNT(*) FROM data_quality_logs WHERE entity_key = %s AND"
                               " quality_action = 'rejected'", (key,)) >= 1, key


def defective_files(stack):
    return [
        write(stack, "c.csv", "customers", [c[0] for c in CUSTOMERS]),
        write(stack, "p.csv", "products", [p[0] for p in PRODUCTS]),
        write(stack, "r.csv", "reviews", [r[0] for r in REVIEWS]),
        write(stack, "o.csv", "orders", [("o1", "d6", "2026-01-01", "canceled", "99.99", "USD"),
                                         ("o2", "nobody", "2026-01-01", "paid", "1.00", "USD")]),
        write(stack, "i.csv", "order_items", [("o1", "p1", "2", "10.00"),
                                              ("o1", "nothing", "1", "1.00"),
                                              ("o2", "p1", "1", "1.00")]),
    ]


def test_every_defect_is_corrected_or_rejected_and_written_down(stack):
    files = defective_files(stack)
    stack.run("load", *files)
    numbers = report_adds_up(stack)
    total = len(CUSTOMERS) + len(PRODUCTS) + len(REVIEWS) + 5
    assert numbers["rows_read"] == total, numbers
    check_defects(stack, "Customers", CUSTOMERS)
    check_defects(stack, "Products", PRODUCTS)
    check_defects(stack, "Reviews", REVIEWS)
    assert held(stack, "Orders", "o2", "customer_id") == "rejected"
    assert held(stack, "Orders", "o1", "order_status") == "cancelled"
    assert held(stack, "Orders", "o1", "total_amount") == "20.00"
    texts = [r[0] for r in stack.sql("SELECT review_text FROM Reviews WHERE external_id = 'r7'")]
    assert "<" not in texts[0] and "Good" in texts[0]
    stack.assert_in_step()


def test_each_log_row_says_where(stack):
    path, *rest = defective_files(stack)
    stack.run("load", path, *rest)
    row = stack.sql("SELECT severity, quality_action, entity, column_name, value_before,"
                    " value_after, file_name, line_number FROM data_quality_logs"
                    " WHERE entity_key = 'd2' AND quality_rule = 'email_repaired'")
    assert len(row) == 1
    severity, action, entity, column, before, after, file, line = row[0]
    assert (action, entity, column, before, after, line) == (
        "corrected", "customers", "email", "john(at)example.com", "john@example.com", 3)
    assert file.endswith("c.csv") and severity in ("info", "warning", "error")


def test_loading_the_same_again_changes_nothing(stack):
    files = defective_files(stack)
    stack.run("load", *files)
    stack.wait_synced()

    def everything():
        return {t: stack.sql(f"SELECT * FROM `{t}` ORDER BY 1") for t in
                ("Categories", "Suppliers", "Products", "Customers", "Orders", "Order_Items",
                 "Reviews", "Product_Price_History")}
    before = everything()
    stack.pause()
    stack.run("load", *files)
    assert everything() == before
    assert stack.pending() == 0, "nothing changed, so nothing was queued"
    stack.run("sync", "resume")
    numbers = report_adds_up(stack)
    assert numbers["loaded"] == 0 and numbers["corrected"] == 0, numbers


def test_an_archived_order_is_loaded_no_second_time(stack):
    files = [write(stack, f"{kind}.csv", kind, rows) for kind, rows in (
        ("products", [product("p1"), product("p2")]), ("customers", [customer("c1")]),
        ("orders", [("old", "c1", "2024-01-02", "delivered", "20.00", "USD"),
                    ("new", "c1", "2026-01-02", "delivered", "10.00", "USD")]),
        ("order_items", [("old", "p1", "2", "10.00"), ("new", "p2", "1", "10.00")]))]
    stack.run("load", *files)
    # Loaded orders are history: they took nothing, and what is in stock is what the feed says.
    assert stack.sql("SELECT DISTINCT stock_taken FROM Order_Items") == [(0,)]
    stack.sql("CALL sp_archive_old_orders('2025-01-01')")
    held = "SELECT external_id, total_amount FROM {} WHERE external_id IN ('old', 'new')"
    orders, archived = (stack.sql(held.format(t)) for t in ("Orders", "TR_Orders_Archive"))
    assert [row[0] for row in (*orders, *archived)] == ["new", "old"]
    lines = stack.value("SELECT COUNT(*) FROM Order_Items")
    stack.run("load", *files)
    numbers = report_adds_up(stack)
    assert (numbers["loaded"], numbers["corrected"], numbers["rejected"]) == (0, 0, 0), numbers
    assert stack.sql(held.format("Orders")) == orders
    assert stack.sql(held.format("TR_Orders_Archive")) == archived
    assert stack.value("SELECT COUNT(*) FROM Order_Items") == lines
    stack.wait_synced()
    stack.assert_in_step()


def load_twice(stack, kind, rows):
    """Loads the rows, and again, which changes nothing; the numbers of the first load."""
    path = write(stack, f"{kind}.csv", kind, rows)
    stack.run("load", path)
    numbers = report_adds_up(stack)
    stack.run("load", path)
    again = report_adds_up(stack)
    assert (again["loaded"], again["corrected"]) == (0, 0), again
    assert again["rejected"] == numbers["rejected"], (numbers, again)
    return numbers


EANS = ["4006381333931", "4006381333948", "4006381333955"]


def test_a_value_that_is_handed_over_arrives_with_one_load(stack):
    """Whoever had an address or an article number gets another one in the same load: it is free."""
    load_twice(stack, "customers", [customer("m1", "x@example.com"),
                                    customer("m2", "a@example.com"),
                                    customer("m3", "b@example.com"),
                                    customer("m4", "c@example.com")])
    numbers = load_twice(stack, "customers", [
        customer("m9", "x@example.com"), customer("m1", "y@example.com"),  # to a new row
        customer("m2", "b@example.com"), customer("m3", "c@example.com"),  # in a circle
        customer("m4", "a@example.com")])
    assert numbers["loaded"] == 5, numbers
    assert [held(stack, "Customers", f"m{i}", "email") for i in (9, 1, 2, 3, 4)] == [
        f"{name}@example.com" for name in "xybca"]
    numbers = load_twice(stack, "customers", [customer("m8", "y@example.com"), customer("m1")])
    assert numbers["loaded"] == 2, "an address that its holder gives up is free, too"

    load_twice(stack, "products", [product("m1", ean=EANS[0]), product("m2", ean=EANS[1])])
    numbers = load_twice(stack, "products", [product("m3", ean=EANS[0]), product("m1", ean=EANS[1]),
                                             product("m2", ean=EANS[2])])
    assert numbers["loaded"] == 3, numbers
    assert [held(stack, "Products", f"m{i}", "ean") for i in (3, 1, 2)] == EANS
    stack.assert_in_step()


def test_a_value_that_is_not_handed_over_stays(stack):
    load_twice(stack, "customers", [customer("s1", "x@example.com"), customer("s2", "y@example.com")])
    # s1 may not have y, which s2 keeps; so it keeps x, which s3 then may not have.
    numbers = load_twice(stack, "customers", [customer("s3", "x@example.com"),
                                              customer("s1", "y@example.com")])
    assert numbers["rejected"] == 2, numbers
    assert held(stack, "Customers", "s1", "email") == "x@example.com"
    assert held(stack, "Customers", "s3", "email") == "rejected"
    # The row that has it counts before one that stands above it.
    numbers = load_twice(stack, "customers", [customer("s4", "x@example.com"),
                                              customer("s1", "x@example.com", first="Bea")])
    assert (numbers["loaded"], numbers["rejected"]) == (1, 1), numbers
    assert held(stack, "Customers", "s1", "first_name") == "Bea"
    load_twice(stack, "products", [product("s1", ean=EANS[0])])
    load_twice(stack, "products", [product("s2", ean=EANS[0]), product("s1", ean=EANS[0])])
    assert held(stack, "Products", "s1", "ean") == EANS[0]
    assert held(stack, "Products", "s2", "ean") is None
    # A customer that no feed names gives nothing away.
    stack.sql("UPDATE Customers SET external_id = NULL WHERE external_id = 's2'")
    load_twice(stack, "customers", [customer("s5", "y@example.com")])
    assert held(stack, "Customers", "s5", "email") == "rejected"
    stack.assert_in_step()


@pytest.mark.limit(240)
def test_a_value_is_handed_over_across_transactions(stack):
    """Rows are merged 10,000 at a time; each way through such a border."""
    middle = [customer(f"u{i}", f"u{i}@example.com") for i in range(10000)]
    stack.run("load", write(stack, "c.csv", "customers", [
        customer("t1", "p@example.com"), *middle, customer("t2", "q@example.com")]))
    rows = [customer("t1", "q@example.com"), customer("t3", "r@example.com"), *middle,
            customer("t2", "p@example.com")]
    numbers = load_twice(stack, "customers", rows)
    assert (numbers["loaded"], numbers["unchanged"]) == (3, 10000), numbers
    assert held(stack, "Customers", "t1", "email") == "q@example.com"
    assert held(stack, "Customers", "t2", "email") == "p@example.com"
    # As it stands when a load ends between the two: what is missing comes with the next one.
    stack.sql("UPDATE Customers SET email = NULL WHERE external_id = 't2'")
    assert load_twice(stack, "customers", rows)["loaded"] == 1
    stack.wait_synced(90)
    assert stack.verify("--collection", "customer_profiles")["equal"]


def test_dates_of_many_forms(stack):
    rows = [customer(f"t{i}", f"t{i}@example.com", date=text) for i, (text, _) in enumerate(DATES)]
    stack.run("load", write(stack, "c.csv", "customers", rows))
    for i, (text, wanted) in enumerate(DATES):
        assert held(stack, "Customers", f"t{i}", "registration_date") == wanted, text
    assert "date_ambiguous" in rules_of(stack, "t10")


def test_the_shipped_and_generated_data_went_through_the_same_door(stack):
    """The default shop was loaded with its defects: they are in the log, and the sums agree."""
    assert stack.value("SELECT COUNT(*) FROM data_quality_logs") > 0
    assert stack.value("SELECT COUNT(*) FROM Load_Runs WHERE run_status <> 'done'") == 0
    assert stack.value("SELECT COUNT(*) FROM Load_Runs WHERE rows_read <>"
                       " loaded + corrected + unchanged + rejected") == 0


def test_gzip_and_plain_and_a_folder(stack):
    folder = stack.root / "feed"
    folder.mkdir()
    path = write(stack, "feed/a.csv", "customers", [customer("g1", "g1@example.com")])
    (folder / "b.csv.gz").write_bytes(gzip.compress(
        path.read_bytes().replace(b"g1", b"g2")))
    (folder / "p.jsonl").write_text(json.dumps(
        {"id": "j1", "title": "Jay One Laptop", "supplier": "Jay", "price": 12345}) + "\n")
    for one in folder.iterdir():
        one.chmod(0o644)
    folder.chmod(0o755)
    stack.run("load", folder)
    assert held(stack, "Customers", "g1", "email") == "g1@example.com"
    assert held(stack, "Customers", "g2", "email") == "g2@example.com"
    assert held(stack, "Products", "j1", "price") == "123.45"
    assert report_adds_up(stack)["rows_read"] == 3
    stack.assert_in_step()


def test_nothing_of_a_json_feed_is_dropped_silently(stack):
    lines = [
        {"id": "n1", "title": "One", "supplier": "S", "price": 100, "ean": 4006381333931,
         "specifications": {"Ports": ["USB", "HDMI"], "weight": 1.5}, "name": ["M1"], "hue": "red"},
        {"id": "n2", "title": "Two", "supplier": "S", "price": -1, "hue": "blue", "url": "u"},
        {"id": "n3", "title": "Three", "supplier": "S", "price": 300, "hue": "green",
         "service": {"type": "repair"}},  # of a physical product
    ]
    path = stack.root / "p.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path.chmod(0o644)
    for _ in range(2):  # each load says what it left out
        stack.run("load", path)
        numbers = report_adds_up(stack)
    assert (numbers["unchanged"], numbers["rejected"]) == (2, 1), numbers
    assert held(stack, "Products", "n1", "ean") == "4006381333931"
    assert json.loads(held(stack, "Products", "n1", "specifications")) == {
        "ports": ["USB", "HDMI"], "weight": 1.5}
    assert sorted(stack.sql(
        "SELECT load_id = (SELECT MAX(load_id) FROM Load_Runs), quality_rule, entity_key,"
        " column_name, value_before, line_number FROM data_quality_logs"
        " WHERE file_name = 'p.jsonl' AND quality_rule <> 'price_negative'")) == [
            (0, "field_unknown", "n1", "hue", '"red"', 1),
            (0, "field_unknown", "n2", "url", '"u"', 2),  # though its row is rejected
            (0, "value_dropped", "n1", "model_name", '["M1"]', 1),
            (0, "value_dropped", "n3", "service_type", "repair", 3),
            (1, "field_unknown", "n1", "hue", '"red"', 1),
            (1, "field_unknown", "n2", "url", '"u"', 2),
        ]
    stack.assert_in_step()


def test_specifications_that_the_server_could_not_take_are_dropped(stack):
    """It calls JSON of more than 32 levels invalid."""
    deep = '{"a": ' * 40 + "1" + "}" * 40
    header = "product_id,supplier_name,product_name,price,specifications\n"
    path = stack.root / "p.csv"
    path.write_text(header + f"q1,S,One,1.00,{field(deep)}\n")
    path.chmod(0o644)
    stack.run("load", path)
    assert held(stack, "Products", "q1", "specifications") is None
    assert "json_invalid" in rules_of(stack, "q1")


GOOD = "customer_id,first_name,last_name,registration_date\nb1,A,B,2026-01-01\n"

BROKEN = {
    "no-such-header": (b"colour,size\nred,1\n", 1),
    "empty": (b"", None),
    "truncated-gzip": (gzip.compress((GOOD + "b2,A,B,2026-01-01\n" * 5000).encode())[:-20], None),
    "damaged-gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\xff" * 200, None),
    "nul-byte": (GOOD.encode() + b"b2,A\x00,B,2026-01-01\n", 3),
    "open-quote": (GOOD.encode() + b'b2,"A,B,2026-01-01\n', 3),
    "too-few-fields": (GOOD.encode() + b"b2,A\n", 3),
    "too-many-fields": (GOOD.encode() + b"b2,A,B,2026-01-01,x\n", 3),
    "line-of-100-MB": (GOOD.encode() + b"b2," + b"A" * 100_000_000 + b",B,2026-01-01\n", 3),
    "not-text": (bytes(range(256)) * 100, None),
    "json-broken": (b'{"id": "x1", "title": "T", "supplier": "S", "price": 1}\n{"id": \n', 2),
}


@pytest.mark.limit(240)
def test_a_broken_file_is_refused_as_a_whole(stack):
    counts = "SELECT (SELECT COUNT(*) FROM Customers), (SELECT COUNT(*) FROM Products)"
    before = stack.sql(counts)
    good = write(stack, "good.csv", "customers", [customer("good", "good@example.com")])
    wrong = []
    for name, (content, line) in BROKEN.items():
        bad = stack.root / f"{name}.feed"
        bad.write_bytes(content)
        done = stack.run("load", good, bad, check=False)
        where = f"{name}.feed:{line}" if line else f"{name}.feed"
        if done.returncode <= 0 or where not in done.stderr:
            wrong.append(f"{name}: exit status {done.returncode}, {done.stderr[:500]}")
        assert stack.sql(counts) == before, f"{name}: half of it was loaded"
        bad.unlink()
    assert not wrong, "\n".join(wrong)
    stack.run("load", good)
    assert held(stack, "Customers", "good", "email") == "good@example.com"


def test_a_file_that_is_not_there(stack):
    assert "nowhere.csv" in stack.fails("load", stack.root / "nowhere.csv")


def test_latin_1_bytes_are_read(stack):
    rows = [customer("l1", "l1@example.com", first="Zo\xeb")]
    stack.run("load", write(stack, "c.csv", "customers", rows, encoding="latin-1"))
    assert held(stack, "Customers", "l1", "first_name") == "Zoë"
    assert "text_encoding" in rules_of(stack, "l1")


def test_a_price_change_by_load_leaves_history_and_reaches_the_document(stack):
    stack.run("load", write(stack, "p.csv", "products", [product("h1", price="10.00")]))
    stack.run("load", write(stack, "p.csv", "products", [product("h1", price="12.00")]))
    number = int(held(stack, "Products", "h1", "product_id"))
    history = stack.sql("SELECT new_price FROM Product_Price_History WHERE product_id = %s"
                        " ORDER BY price_history_id", (number,))
    assert str(history[-1][0]) == "12.00"
    stack.wait_synced()
    assert str(stack.doc("product_catalog", number)["price"]) == "12.00"


@pytest.mark.limit(180)
def test_a_load_that_was_killed_is_repeated(stack):
    rows = [customer(f"k{i}", f"k{i}@example.com") for i in range(30000)]
    path = write(stack, "c.csv", "customers", rows)
    child = stack.start("load", path)
    time.sleep(0.7)
    child.kill()
    child.wait()
    stack.run("load", path)
    assert stack.value("SELECT COUNT(*) FROM Customers WHERE external_id LIKE 'k%%'") == 30000
    report_adds_up(stack)
    stack.wait_synced(90)
    assert stack.verify("--collection", "customer_profiles")["equal"]


# --- generate --------------------------------------------------------------------------------


def generate(stack, folder, *options):
    stack.run("generate", "--customers", 40, "--orders", 120, "--reviews", 90, *options,
              "--out", stack.root / folder)
    return {p.name: p.read_bytes() for p in sorted((stack.root / folder).iterdir())}


def test_generated_data_is_deterministic(stack):
    one = generate(stack, "one", "--seed", 5)
    assert one and generate(stack, "two", "--seed", 5) == one
    assert generate(stack, "three", "--seed", 6) != one


def test_generated_defects_are_found_by_load(stack):
    generate(stack, "bad", "--seed", 9, "--defects", "0.2")
    before = stack.value("SELECT COUNT(*) FROM data_quality_logs")
    stack.run("load", stack.root / "bad")
    report_adds_up(stack)
    assert stack.value("SELECT COUNT(*) FROM data_quality_logs") > before + 20
    stack.assert_in_step()
