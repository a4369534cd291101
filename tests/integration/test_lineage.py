"""Lineage: what was made of what stands there, once and truly, and others understand it.

What is expected is worked out here once more: from the mapping files, and by SQL."""
import contextlib
import datetime
import http.server
import json
import signal
import socket
import threading
import xml.etree.ElementTree

import pymysql
import pytest
import yaml

import openlineage_events
import processes
import stack as stack_module
from waiting import until

ENDS = {"COMPLETE", "FAIL", "ABORT"}
MAPPINGS = {path.stem: yaml.safe_load(path.read_text())
            for path in sorted((stack_module.ROOT / "mapping").glob("*.yaml"))}


@pytest.fixture
def new_stack(new_stack):
    new_stack.write_config(lineage={"window": "1s"})
    return new_stack


def events(stack, job=None):
    """All events as OpenLineage has them, in the order in which they were written."""
    rows = stack.sql("SELECT event FROM data_lineage_tracker WHERE job_name = %s OR %s IS NULL"
                     " ORDER BY lineage_id", (job, job))
    return [json.loads(text) for text, in rows]


def types(stack, run):
    return [e["eventType"] for e in stack.json("lineage", "show", run)]


def runs(stack, job):
    """The newest first."""
    return stack.json("lineage", "list", "--job", job)


def worker_run(stack, job):
    """The run of the worker that is there."""
    return until(lambda: next(r for r in runs(stack, job) if r["open"]))


def dataset(event, side, name):
    found = [d for d in event[side] if d["name"] == name]
    assert len(found) == 1, (name, [d["name"] for d in event[side]])
    return found[0]


def assert_valid(stack):
    """Every event is one of the published schema; every run begins once and ends at most once."""
    by_run = {}
    for event in events(stack):
        openlineage_events.check(event)
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    for run, seen in by_run.items():
        assert seen[0] == "START" and seen.count("START") == 1, (run, seen)
        assert sum(e in ENDS for e in seen) <= 1 and not ENDS & set(seen[:-1]), (run, seen)
    return by_run


def feed(stack, name, *rows):
    path = stack.root / name
    path.write_text("\n".join(rows) + "\n")
    return path


CUSTOMERS = ("customer_id,first_name,last_name,email,registration_date",
             "L-1,Ada,Lovelace,ada@example.com,2026-01-05 10:00:00",
             "L-2,Grace,Hopper,grace@example.com,2026-01-06 10:00:00")


# --- runs -------------------------------------------------------------------------------------


def test_bringing_a_shop_up_is_told_as_runs_that_the_published_schema_knows(stack):
    stack.run("warehouse", "refresh")
    by_run = assert_valid(stack)
    assert len(by_run) >= 8
    loaded = events(stack, "load")[-1]
    counts = {d["name"].split(".")[1]: d["outputFacets"]["outputStatistics"]["rowCount"]
              for d in loaded["outputs"]}
    for table in "Customers", "Orders", "Reviews":
        assert counts[table] == stack.value(f"SELECT COUNT(*) FROM {table}"), table
    migrated = {d["name"].split(".")[1]: d for e in events(stack, "migrate")
                if e["eventType"] == "COMPLETE" for d in e["outputs"]}
    assert set(migrated) == {n for n, m in MAPPINGS.items() if m.get("target") != "none"}
    for name, output in migrated.items():
        assert (output["outputFacets"]["outputStatistics"]["rowCount"]
                == stack.docs(name).count_documents({})), name
    warehouse = events(stack, "warehouse")[-1]
    assert warehouse["eventType"] == "COMPLETE"
    assert {"aethermart_db.Orders", "aethermart_db.Products"} <= {
        d["name"] for d in warehouse["inputs"]}
    assert {"aethermart_dw.Fact_Sales", "aethermart_dw.Dim_Product"} <= {
        d["name"] for d in warehouse["outputs"]}


def test_a_load_is_told_with_its_files_and_what_it_wrote(stack):
    path = feed(stack, "customers.csv", *CUSTOMERS)
    stack.run("load", path)
    start, end = events(stack, "load")[-2:]
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert [(d["namespace"], d["name"]) for d in start["inputs"]] == [("file", str(path))]
    table = dataset(end, "outputs", "aethermart_db.Customers")
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 2
    tags = {t["field"]: t["value"] for t in table["facets"]["tags"]["tags"]}
    assert (tags["email"], tags["first_name"]) == ("email", "name")
    assert "Ada" not in json.dumps([start, end])
    before = len(events(stack, "load"))
    stack.run("load", "--dry-run", path)
    assert len(events(stack, "load")) == before


def test_a_load_that_fails_is_a_run_that_failed_with_the_reason(stack):
    stack.fails("load", feed(stack, "customers.csv", CUSTOMERS[0], 'L-1,"Ada'))
    run = runs(stack, "load")[0]
    assert (run["state"], run["open"]) == ("FAIL", False)
    end = stack.json("lineage", "show", run["run"])[-1]
    openlineage_events.check(end)
    assert "customers.csv" in end["run"]["facets"]["errorMessage"]["message"]
    assert run["rows_written"] is None


@contextlib.contextmanager
def load_in_hand(stack, path):
    """A load that has begun and waits for a lock."""
    with contextlib.closing(stack.open_sql()) as holder:
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLES Customers WRITE")
        before = {r["run"] for r in runs(stack, "load")}
        child = stack.start("load", path)
        try:
            yield child, until(lambda: [r for r in runs(stack, "load")
                                        if r["run"] not in before])[0]["run"]
        finally:
            with holder.cursor() as cursor:
                cursor.execute("UNLOCK TABLES")
            child.wait(30)


def test_a_killed_run_is_aborted_by_the_next_one_and_one_that_lives_is_not(stack):
    path = feed(stack, "customers.csv", *CUSTOMERS)
    with load_in_hand(stack, path) as (child, killed):
        child.kill()
        child.wait(10)
    assert types(stack, killed)[0] == "START"  # the worker may have ended it by now
    with load_in_hand(stack, path) as (_, alive):
        assert types(stack, killed) == ["START", "ABORT"]
        stack.fails("load", path)  # one load at a time; its run begins and fails
        assert types(stack, alive) == ["START"]
    assert types(stack, alive) == ["START", "COMPLETE"]
    assert_valid(stack)
    assert stack.value("SELECT COUNT(*) FROM Lineage_Runs WHERE job_name = 'load'") == 0


def test_what_cannot_write_lineage_does_its_work_and_says_so(stack):
    stack.sql("RENAME TABLE data_lineage_tracker TO elsewhere")
    done = stack.run("load", feed(stack, "customers.csv", *CUSTOMERS))
    assert "lineage" in done.stderr and "not written" in done.stderr
    assert stack.value("SELECT COUNT(*) FROM Customers WHERE external_id LIKE 'L-%'") == 2
    assert stack.value("SELECT COUNT(*) FROM Lineage_Runs WHERE job_name = 'load'") == 0
    stack.sql("UPDATE Products SET price = price + 1 ORDER BY product_id LIMIT 3")
    stack.assert_in_step()
    stack.write_config(lineage={"enabled": False})
    assert stack.run("load", feed(stack, "more.csv", *CUSTOMERS)).stderr.count("lineage") == 0


def test_a_worker_counts_what_it_carries_and_a_killed_one_is_aborted(stack):
    before = worker_run(stack, "sync.product_catalog")
    products = [k for k, in stack.sql("SELECT product_id FROM Products ORDER BY 1 LIMIT 20")]
    for product in products:
        stack.sql("UPDATE Products SET price = price + 1 WHERE product_id = %s", (product,))
    stack.wait_synced()

    def is_told():
        return (runs(stack, "sync.product_catalog")[0]["rows_written"] or 0) >= len(products)
    until(is_told)
    told = [e for e in stack.json("lineage", "show", before["run"]) if e["eventType"] == "RUNNING"]
    assert "facets" not in told[0]["outputs"][0]  # they were told by START
    stack.kill("worker")
    stack.run("up", "--yes")
    until(lambda: runs(stack, "sync.product_catalog")[0]["run"] != before["run"])
    assert types(stack, before["run"])[-1] == "ABORT"
    second = runs(stack, "sync.product_catalog")[0]["run"]
    stack.sql("UPDATE Products SET price = price + 1 WHERE product_id = %s", products[:1])
    stack.wait_synced()
    stack.signal("worker", signal.SIGTERM)
    until(lambda: types(stack, second)[-1] == "COMPLETE")
    end = stack.json("lineage", "show", second)[-1]
    assert end["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert_valid(stack)


def test_what_is_counted_while_nothing_can_be_written_is_told_later(stack):
    products = [p for p, in stack.sql("SELECT product_id FROM Products LIMIT 20")]
    processes.wait_gone(stack.signal("worker", signal.SIGTERM))
    assert stack.value("SELECT COUNT(*) FROM Lineage_Runs") == 0
    stack.sql("CREATE TRIGGER t_refuse BEFORE INSERT ON data_lineage_tracker FOR EACH ROW"
              " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not now'")
    stack.run("up", "--yes")
    try:
        stack.sql(f"UPDATE Products SET price = price + 1 WHERE product_id IN ({products})"
                  .replace("[", "").replace("]", ""))
        stack.wait_synced()
    finally:
        stack.sql("DROP TRIGGER t_refuse")
    until(lambda: (worker_run(stack, "sync.product_catalog")["rows_written"] or 0) >= 20)


def test_the_worker_ends_runs_whose_process_is_gone(stack):
    """Nobody may run that job again."""
    before = runs(stack, "sync.product_catalog")[0]["run"]
    stack.kill("worker")
    stack.sql("UPDATE Lineage_Runs SET job_name = 'load' WHERE run_id = %s", [before])
    stack.run("up", "--yes")
    until(lambda: types(stack, before)[-1] == "ABORT")
    assert not stack.value("SELECT COUNT(*) FROM Lineage_Runs WHERE job_name = 'load'")


@pytest.mark.index
def test_the_index_is_told_when_it_reads_all(stack):
    def is_over(job):
        return lambda: [r for r in runs(stack, job) if r["state"] == "COMPLETE"]
    for kind in "words", "meaning":
        done = until(is_over(f"index.{kind}.reviews"), 60)
        assert done[-1]["rows_written"] == stack.value("SELECT COUNT(*) FROM Reviews"), kind
    stack.run("index", "rebuild", "--collection", "reviews")
    until(lambda: len(is_over("index.words.reviews")()) >= 2)
    start = next(e for e in events(stack, "index.words.product_catalog"))
    fields = dataset(start, "outputs", "index.product_catalog")["facets"]["columnLineage"]["fields"]
    assert {i["field"] for i in fields["attributes.price"]["inputFields"]} == {"price"}
    assert_valid(stack)


# --- columns ----------------------------------------------------------------------------------


def plain_columns(table, fields, above=""):
    """(field, table, column) of what a mapping file says without any word of its language but
    objects and arrays: worked out by hand, and not by the product."""
    for name, value in fields.items():
        field = above + name
        if isinstance(value, str):
            yield field, table, value
        elif "column" in value:
            yield field, table, value["column"]
        elif "concat" in value:
            for part in value["concat"]:
                if isinstance(part, dict):
                    yield field, table, part["column"]
        elif "object" in value or "array" in value:
            below = value.get("object", value.get("array"))
            if isinstance(below, str) and isinstance(value.get("fields"), dict):
                yield from plain_columns(below, value["fields"], f"{field}.")


def test_column_lineage_is_that_of_the_mapping_files(stack):
    compared = 0
    for name, mapping in MAPPINGS.items():
        if mapping.get("target") == "none":
            continue
        start = next(e for e in events(stack, f"sync.{name}") if e["eventType"] == "START")
        output = dataset(start, "outputs", f"aethermart_profiles.{name}")
        fields = output["facets"]["columnLineage"]["fields"]
        for field, table, column in plain_columns(mapping["table"], mapping["fields"]):
            direct = {(i["name"], i["field"]) for i in fields[field]["inputFields"]
                      if i["transformations"][0]["type"] == "DIRECT"}
            assert (f"aethermart_db.{table}", column) in direct, (name, field)
            compared += 1
        installed = stack.value("SELECT mapping_hash FROM sync_collection WHERE collection = %s",
                                (name,))
        assert output["facets"]["version"]["datasetVersion"] == installed
        assert {f["name"] for f in output["facets"]["schema"]["fields"]} >= set(fields)
    assert compared > 60
    catalogue = dataset(events(stack, "sync.product_catalog")[0], "outputs",
                        "aethermart_profiles.product_catalog")["facets"]["columnLineage"]["fields"]

    def subtypes(field):
        return {(i["field"], i["transformations"][0]["type"], i["transformations"][0]["subtype"])
                for i in catalogue[field]["inputFields"]}
    assert ("rating", "DIRECT", "AGGREGATION") in subtypes("review_summary.average")
    assert ("price", "DIRECT", "IDENTITY") in subtypes("price")
    assert ("category_name", "DIRECT", "TRANSFORMATION") in subtypes("category_path")
    assert ("parent_id", "INDIRECT", "JOIN") in subtypes("category_path")
    assert ("review_date", "INDIRECT", "SORT") in subtypes("recent_reviews")


def impact(stack, name):
    answer = stack.json("lineage", "impact", name)
    return answer, {(i["kind"], i["dataset"], i["column"]): i for i in answer["impact"]}


def test_impact_goes_through_documents_index_views_and_warehouse(stack):
    answer, found = impact(stack, "Products.price")
    for kind, name, column in (("collection", "product_catalog", "price"),
                               ("index", "product_catalog", "attributes.price"),
                               ("view", "V_Public_Product_Catalog", "price")):
        assert found[kind, name, column]["direct"], (kind, name)
    assert found["warehouse", "Dim_Product", "price"]["direct"]
    assert not found["warehouse", "Dim_Product", None]["direct"]
    assert not any(n == "Dim_Product" and c == "product_name" for _, n, c in found)
    # What keeps books of itself depends on no price.
    assert not {n for _, n, _ in found} & {"Etl_State", "sync_collection", "v_sync_status",
                                           "Dim_Customer"}
    assert any(q["queue"] == "product_sync_queue" for q in answer["queues"])
    assert "marketing_analyst" in answer["readers"]
    assert not any(n == "reviews" for _, n, _ in found)  # no review shows a price
    _, found = impact(stack, "categories.CATEGORY_NAME")
    assert ("collection", "product_catalog", "category_path") in found
    assert "did you mean \"price\"" in stack.fails("lineage", "impact", "Products.prise")
    assert "did you mean \"Products\"" in stack.fails("lineage", "impact", "Produkts.price")


def test_impact_goes_through_triggers_and_procedures(stack):
    """A rating is counted by a trigger's procedure, which tells the product; a price goes into its
    history by a trigger, and into lines and totals as an order is placed."""
    _, found = impact(stack, "Reviews.rating")
    for kind, name, column in (("table", "Product_Rating_Summary", "rating_sum"),
                               ("table", "Products", "current_rating"),
                               ("collection", "product_catalog", "current_rating"),
                               ("view", "V_Public_Product_Catalog", "current_rating"),
                               ("index", "product_catalog", "attributes.rating")):
        assert found[kind, name, column]["direct"], (kind, name)
    answer, found = impact(stack, "Products.price")
    for kind, name, column in (("table", "Product_Price_History", "old_price"),
                               ("table", "Product_Price_History", "new_price"),
                               ("table", "Order_Items", "price"),
                               ("table", "Orders", "total_amount"),
                               ("collection", "orders", "items.price"),
                               ("view", "v_TopProducts", "revenue"),
                               ("warehouse", "Fact_Sales", "unit_price"),
                               ("warehouse", "Fact_Orders", "total_amount")):
        assert found[kind, name, column]["direct"], (kind, name)
    assert ("table", "Order_Items", "quantity") not in found
    routines = {r["routine"] for r in answer["routines"]}
    assert {"procedure sp_PriceLines", "trigger TR_Product_Price_History"} <= routines
    assert not any("aethermart_product" in r for r in routines)  # a mapping's trigger


def test_impact_goes_through_generated_columns_and_events(stack):
    _, found = impact(stack, "Fact_Orders.total_amount")
    assert found["warehouse", "Fact_Orders", "revenue"]["direct"]
    _, found = impact(stack, "Products.price")
    assert found["warehouse", "Fact_Sales", "net_amount"]["direct"], "through what fills the warehouse"
    stack.sql("CREATE TABLE Seen_Prices (price DECIMAL(12,2), net DECIMAL(12,2) AS (price) STORED)")
    stack.sql("CREATE EVENT ev_see_prices ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DO"
              " INSERT INTO Seen_Prices (price) SELECT price FROM Products")
    try:
        answer, found = impact(stack, "Products.price")
        assert found["table", "Seen_Prices", "price"]["direct"]
        assert found["table", "Seen_Prices", "net"]["direct"]
        assert "event ev_see_prices" in {r["routine"] for r in answer["routines"]}
    finally:
        stack.sql("DROP EVENT ev_see_prices")
        stack.sql("DROP TABLE Seen_Prices")


def test_impact_names_who_reads(stack):
    answer, _ = impact(stack, "Customers.email")
    assert {r["routine"] for r in answer["routines"]} >= {"procedure sp_MyProfile",
                                                          "procedure sp_EraseCustomer"}
    answer, _ = impact(stack, "Orders.total_amount")
    assert {"routine": "procedure sp_MyOrders",
            "column": "V_Customer_Order_History.total_amount"} in answer["routines"]
    text = stack.run("lineage", "impact", "Customers.email").stdout
    assert "\nRead by\n" in text and "\n  procedure sp_MyProfile\n" in text


def test_impact_is_told_once_and_fits_a_terminal(stack):
    text = stack.run("lineage", "impact", "Products").stdout
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines), max(lines, key=len)
    queues = text.split("A change queues\n")[1].replace("\n       ", "").splitlines()
    ways = list(zip(queues[::2], queues[1::2]))
    assert all(way.startswith("    by Products.") for _, way in ways)
    assert ways and len(ways) == len(set(ways))


def test_the_class_of_personal_data_goes_along(stack):
    answer, found = impact(stack, "Customers.email")
    assert answer["classes"] == ["email"]
    assert found["collection", "customer_profiles", "email"]["classes"] == ["email"]
    masked = found["view", "v_customers_masked", "email"]
    assert masked["classes"] == ["email"]
    _, found = impact(stack, "Customers.last_name")
    assert found["collection", "reviews", "customer.full_name"]["classes"] == ["name"]
    indexed = [i for (kind, _, _), i in found.items() if kind == "index" and i["direct"]]
    assert indexed and {c for i in indexed for c in i["classes"]} <= {"name", "free_text"}


def test_of_values_that_flow_together_all_classes_are_told(stack):
    view = "V_x" + "\N{LATIN SMALL LETTER E WITH ACUTE}" * 20
    stack.sql(f"CREATE VIEW {view} AS SELECT CASE WHEN phone_number IS NULL THEN 'x'"
              " ELSE last_name END AS who FROM Customers")
    _, found = impact(stack, "Customers.last_name")
    assert found["view", view, "who"]["classes"] == ["name", "phone"]
    picture = stack.run("lineage", "graph", view, "--format", "svg").stdout
    root = xml.etree.ElementTree.fromstring(picture)
    shown = [t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [t for t in shown + [c.tail or "" for c in root.iter()] if t.startswith("V_x")]
    stack.sql(f"DROP VIEW {view}")


def test_the_edges_of_views_are_those_that_the_server_knows(stack):
    """The server itself tells which tables a view reads, when it explains it."""
    graph = stack.json("lineage", "graph", "--format", "json")
    edges = {(tuple(e["from"]), tuple(e["to"])) for e in graph["edges"]}
    for view in "V_Public_Product_Catalog", "v_TopProducts", "V_Customer_Value_Summary":
        text = stack.value("SELECT VIEW_DEFINITION FROM information_schema.VIEWS"
                           " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s", (view,))
        named = {name for name, kind in stack.sql(
            "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES"
            " WHERE TABLE_SCHEMA = DATABASE()") if f"`aethermart_db`.`{name}`" in text}
        told = {f[1] for f, t in edges if t == ("view", view)}
        assert named and told == named, view


def test_the_graph_is_drawn_alike_each_time(stack):
    pictures = [stack.run("lineage", "graph", "--format", "svg").stdout for _ in range(2)]
    assert pictures[0] == pictures[1]
    root = xml.etree.ElementTree.fromstring(pictures[0])
    texts = {t.text for t in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Products", "product_catalog", "Fact_Sales"} <= texts
    dot = stack.run("lineage", "graph", "Products", "--format", "dot").stdout
    assert '"table Products" -> "collection product_catalog"' in dot
    assert "data_dictionary" not in dot
    assert "it has to be dot, svg or json" in stack.fails("lineage", "graph", "--format", "png")


# --- documents --------------------------------------------------------------------------------


def trace(stack, name):
    answer = stack.json("lineage", "trace", name)
    return answer, {(r["table"], r["key"]) for r in answer["rows"]}


def test_a_document_is_traced_to_its_rows(stack):
    product = stack.value("SELECT product_id FROM Reviews GROUP BY 1 HAVING COUNT(*) > 1 LIMIT 1")
    answer, rows = trace(stack, f"product_catalog/{product}")
    category, supplier = stack.sql("SELECT category_id, supplier_id FROM Products"
                                   " WHERE product_id = %s", (product,))[0]
    tree = stack.sql("WITH RECURSIVE up (id, parent) AS (SELECT category_id, parent_id FROM Categories"
                     " WHERE category_id = %s UNION ALL SELECT c.category_id, c.parent_id"
                     " FROM up JOIN Categories c ON c.category_id = up.parent) SELECT id FROM up",
                     (category,))
    reviews = stack.sql("SELECT review_id FROM Reviews WHERE product_id = %s", (product,))
    details = stack.sql("SELECT product_id FROM Service_Details WHERE product_id = %s", (product,))
    assert rows == ({("Products", str(product)), ("Suppliers", str(supplier))}
                    | {("Categories", str(c)) for c, in tree}
                    | {("Reviews", str(r)) for r, in reviews}
                    | {("Service_Details", str(d)) for d, in details})
    newest = stack.sql("SELECT review_id FROM Reviews WHERE product_id = %s"
                       " ORDER BY review_date DESC, review_id DESC LIMIT 3", (product,))
    assert [r["key"] for r in answer["rows"] if r["field"] == "recent_reviews"] == [
        str(r) for r, in newest]
    installed = stack.value("SELECT mapping_hash FROM sync_collection"
                            " WHERE collection = 'product_catalog'")
    assert answer["mapping"]["hash"] == installed and answer["mapping"]["is_current"]
    assert installed.startswith(answer["document"]["mapping_version"])
    assert answer["change"]["source"] == "migration"
    run = answer["change"]["run"]
    assert run in [r["run"] for r in runs(stack, "migrate")]


def test_a_document_of_every_collection_is_traced(stack):
    for name, mapping in MAPPINGS.items():
        key = stack.value(f"SELECT MIN({mapping['key']}) FROM {mapping['table']}")
        answer, rows = trace(stack, f"{name}/{key}")
        assert (mapping["table"], str(key)) in rows
        assert answer["document"]["exists"] == (mapping.get("target") != "none")


def position(text):
    """The sequence of the one domain that the embedded server writes."""
    return int(text.rsplit("-", 1)[1])


def test_a_change_lies_between_the_positions_that_trace_tells(stack):
    product = stack.value("SELECT MIN(product_id) FROM Products")
    worker_run(stack, "sync.product_catalog")
    with contextlib.closing(stack.open_sql()) as writer, writer.cursor() as cursor:
        cursor.execute("UPDATE Products SET price = price + 1 WHERE product_id = %s", (product,))
        cursor.execute("SELECT @@last_gtid")
        change, = cursor.fetchone()
    stack.wait_synced()

    def traced():
        answer, _ = trace(stack, f"product_catalog/{product}")
        return answer if answer["change"]["until_gtid"] else None
    answer = until(traced)
    assert position(answer["change"]["after_gtid"]) < position(change)
    assert position(change) <= position(answer["change"]["until_gtid"])
    at = datetime.datetime.fromisoformat(answer["document"]["written_at"])
    mark = stack.docs("product_catalog").find_one({"_id": product})["_sync"]["at"]
    assert at == mark


def test_of_what_is_no_longer_kept_nothing_is_claimed(stack):
    product = stack.value("SELECT MIN(product_id) FROM Products")
    stack.sql("DELETE FROM sync_audit_log")
    long_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=40)
    stack.docs("product_catalog").update_one({"_id": product}, {"$set": {"_sync.at": long_ago}})
    change = trace(stack, f"product_catalog/{product}")[0]["change"]
    assert (change["is_kept"], change.get("source"), change.get("run")) == (False, None, None)
    told = stack.run("lineage", "trace", f"product_catalog/{product}").stdout
    assert "no longer kept" in told and "binary log" not in told


def test_a_run_that_began_later_tells_nothing_of_a_document(stack):
    product = stack.value("SELECT MIN(product_id) FROM Products")
    worker_run(stack, "sync.product_catalog")
    stack.docs("product_catalog").update_one(
        {"_id": product}, {"$set": {"_sync.at": datetime.datetime.now(datetime.timezone.utc)
                                    - datetime.timedelta(minutes=20), "_sync.term": 0}})
    change = trace(stack, f"product_catalog/{product}")[0]["change"]
    assert (change["is_kept"], change.get("run")) == (True, None)


def test_what_is_not_carried_yet_is_told_and_no_value_is(stack):
    customer, name = stack.sql("SELECT customer_id, last_name FROM Customers LIMIT 1")[0]
    stack.pause()
    stack.sql("UPDATE Customers SET first_name = CONCAT(first_name, 'x') WHERE customer_id = %s",
              (customer,))
    text = stack.run("lineage", "trace", f"customer_profiles/{customer}").stdout
    assert "not carried yet" in text and name not in text


def test_what_is_not_there_is_not_traced(stack):
    assert "neither a row nor a document" in stack.fails("lineage", "trace",
                                                         "product_catalog/99999999")
    assert 'did you mean "reviews"' in stack.fails("lineage", "trace", "review/1")
    assert "names no document" in stack.fails("lineage", "trace", "reviews")
    assert "is no key" in stack.fails("lineage", "trace", "reviews/abc")


# --- export -----------------------------------------------------------------------------------


class Endpoint:
    """Takes events as Marquez does; answers with the statuses of `refusals` first."""

    def __init__(self, token=None, refusals=(), stops_after=None):
        self.taken, self.refusals, self.token = [], list(refusals), token
        self.stops_after, self.wrong = stops_after, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(outer.answer(self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v1/lineage"

    def answer(self, headers, body):
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401
        if self.refusals:
            return self.refusals.pop(0)
        if self.stops_after is not None and len(self.taken) >= self.stops_after:
            return 400
        event = json.loads(body)
        try:
            assert headers["Content-Type"] == "application/json"
            openlineage_events.check(event)
        except Exception as error:
            self.wrong.append(f"{error!r}: {body[:300]}")
            return 422
        self.taken.append(event)
        return 201

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_all_events_go_to_an_endpoint_once_and_in_order(stack):
    token = feed(stack, "token", "s3cret")
    stack.down()  # the worker writes no more
    stack.up()
    stack.signal("worker", signal.SIGTERM)
    until(lambda: stack.value("SELECT COUNT(*) FROM Lineage_Runs") == 0)
    written = events(stack)
    with Endpoint(token="s3cret", refusals=[503, 429]) as endpoint:
        assert "status 401" in stack.fails("lineage", "export", "--url", endpoint.url)
        answer = stack.json("lineage", "export", "--url", endpoint.url, "--token-file", token)
        assert (answer, endpoint.wrong) == ({"exported": len(written)}, [])
        assert endpoint.taken == written
        again = stack.json("lineage", "export", "--url", endpoint.url, "--token-file", token)
        assert again == {"exported": 0}
        stack.json("lineage", "export", "--url", endpoint.url, "--token-file", token, "--all")
        assert endpoint.taken == written * 2


def test_an_export_that_was_cut_off_goes_on(stack):
    with Endpoint(stops_after=3) as endpoint:
        done = stack.run("lineage", "export", "--url", endpoint.url, check=False)
        assert done.returncode == 17 and "status 400" in done.stderr
    with Endpoint() as rest:
        stack.run("lineage", "export", "--url", rest.url)
        first = endpoint.taken + rest.taken
        assert first == events(stack)[:len(first)]
    done = stack.run("lineage", "export", "--all", "--retry", "0", "--url", rest.url, check=False)
    assert done.returncode == 5 and "does not answer" in done.stderr


def test_old_events_go_but_not_those_of_runs_that_go_on(stack):
    worker_run(stack, "sync.reviews")
    stack.sql("UPDATE data_lineage_tracker SET event_time = event_time - INTERVAL 400 DAY")
    n = stack.json("lineage", "purge", "--yes", "--before",
                   str(datetime.date.today() - datetime.timedelta(days=30)))["purged"]
    assert n > 0
    assert runs(stack, "load") == []
    assert stack.value("SELECT COUNT(*) FROM data_lineage_tracker t JOIN Lineage_Runs USING (run_id)"
                       " WHERE event_type = 'START'") >= 3


def test_a_run_goes_whole_or_not_at_all(stack):
    stack.run("load", feed(stack, "customers.csv", *CUSTOMERS))
    stack.sql("UPDATE data_lineage_tracker SET event_time = event_time - INTERVAL 900 DAY"
              " WHERE job_name = 'load' AND event_type = 'START'")
    before = types(stack, runs(stack, "load")[0]["run"])
    stack.json("lineage", "purge", "--yes", "--before", "2026-01-01")
    stack.run("retention", "purge", "lineage", "--yes")
    assert types(stack, runs(stack, "load")[0]["run"]) == before and len(before) >= 2
    stack.sql("UPDATE data_lineage_tracker SET event_time = event_time - INTERVAL 900 DAY"
              " WHERE job_name = 'load' AND event_type <> 'START'")
    stack.run("retention", "purge", "lineage", "--yes")
    assert runs(stack, "load") == []


def test_one_export_at_a_time(stack):
    with contextlib.closing(stack.open_sql()) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(CONCAT('aethermart lineage ', DATABASE()), 0)")
        with Endpoint() as endpoint:
            told = stack.fails("lineage", "export", "--url", endpoint.url)
    assert "somebody else exports" in told and endpoint.taken == []


def test_an_export_to_a_silent_endpoint_can_be_stopped(stack):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        export = stack.start("lineage", "export", "--url",
                             f"http://127.0.0.1:{silent.getsockname()[1]}/")
        silent.accept()
        export.send_signal(signal.SIGINT)
        assert export.wait(15) != 0, "it gives an endpoint 30 seconds"


def test_the_password_of_an_address_is_not_told(stack):
    for url in "http://user:s3cr3t@127.0.0.1:99999/", "ftp://user:s3cr3t@127.0.0.1/":
        told = stack.fails("lineage", "export", "--url", url)
        assert "s3cr3t" not in told and "127.0.0.1" in told


def test_what_is_no_day_deletes_and_sends_nothing(stack):
    before = stack.value("SELECT COUNT(*) FROM data_lineage_tracker")
    for wrong in "yesterday", "2026-13-45", "":
        assert "is no day" in stack.fails("lineage", "purge", "--yes", "--before", wrong), wrong
    assert "is no day" in stack.fails("lineage", "export", "--url", "http://127.0.0.1:1/",
                                      "--since", "yesterday")
    assert stack.value("SELECT COUNT(*) FROM data_lineage_tracker") >= before


def test_a_run_cannot_have_two_ends(stack):
    stack.run("load", feed(stack, "customers.csv", *CUSTOMERS))
    with pytest.raises(pymysql.err.IntegrityError):
        stack.sql("INSERT INTO data_lineage_tracker (run_id, job_namespace, job_name, event_type,"
                  " event_time, producer, inputs, outputs, event) SELECT run_id, job_namespace,"
                  " job_name, 'FAIL', event_time, producer, inputs, outputs, event"
                  " FROM data_lineage_tracker WHERE event_type = 'COMPLETE' LIMIT 1")
