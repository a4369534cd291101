"""Checks of data quality: what is wrong is named by its key, and mended it is wrong no more."""

import json
import pathlib
import re
import subprocess

import pytest
import yaml

import ordering
import stack as stack_module
from indexed import (change_behind_its_back, insert_found_product, insert_product, wait_for_meaning,
                     wait_for_words)
from ordering import DATABASE
from waiting import until

DIFFERENT, INVALID = 14, 2
UNCHECKED = "SET check_constraint_checks = 0, foreign_key_checks = 0, unique_checks = 0"


class Quality:
    """A shop in MariaDB alone, with a table that nothing guards, and checks of its own."""

    def __init__(self, root, servers):
        self.root = pathlib.Path(root)
        self.config = self.root / "aethermart.yaml"
        self.rules_dir = self.root / "rules"
        self.rules_dir.mkdir()
        self.shop = ordering.Shop(servers)
        self.configure()
        self.sql("CREATE TABLE Things (thing_id INT PRIMARY KEY, name VARCHAR(40) NULL,"
                 " code VARCHAR(20) NULL, amount DECIMAL(10,2) NULL, owner_id INT NULL)")
        self.sql("INSERT INTO Things SELECT seq, CONCAT('thing ', seq), CONCAT('C', seq),"
                 " seq, 1 + seq MOD 5 FROM seq_1_to_100")

    def configure(self, **options):
        self.config.write_text(yaml.safe_dump({
            "mariadb": {"socket": str(self.shop.servers.socket), "user": "root",
                        "database": DATABASE},
            "stack": {"dir": f"{self.root}/var"}, "quality": options}))

    def sql(self, statement, *args):
        return self.shop.sql(statement, *args)

    def rules(self, **checks):
        """Writes these checks, and uses no others."""
        for check in checks.values():
            check.setdefault("about", "as it should be")
            if check["kind"] not in ("schema", "sql", "reconciliation"):
                check.setdefault("table", "Things")
        path = self.rules_dir / "own.yaml"
        path.write_text(yaml.safe_dump({"owner": "tests", "rules": checks}, sort_keys=False))
        self.configure(rules=str(self.rules_dir))
        return path

    def start(self, *args):
        return subprocess.run([str(stack_module.BINARY), "quality", *args, "--config",
                               str(self.config)], capture_output=True, text=True, timeout=300,
                              env=stack_module.environment())

    def ask(self, *args, status=0):
        done = self.start(*args, "--json")
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout or done.stderr)

    def run(self, *args, status=0):
        """Results by name."""
        return {r["check"]: r for r in self.ask("run", *args, status=status)["results"]}

    def fails(self, name, *args):
        """The result of the one check that fails."""
        results = self.run(*args, status=DIFFERENT)
        assert [r["check"] for r in results.values() if r["outcome"] != "passed"] == [name]
        return results[name]

    def passes(self, *args):
        return self.run(*args)

    def quarantine(self, *args):
        return {q["key"]: q for q in self.ask("quarantine", *args)}


@pytest.fixture
def quality(folder, shop_mariadb):
    with ordering.running(folder, shop_mariadb) as servers:
        made = Quality(folder, servers)
        try:
            yield made
        finally:
            made.shop.close()


# --- each kind, broken and mended --------------------------------------------------------------


@pytest.mark.parametrize("check, broken, keys", [
    ({"kind": "missing", "column": "name"}, "SET name = NULL WHERE thing_id = 7", ["7"]),
    ({"kind": "missing", "column": "name"}, "SET name = '  ' WHERE thing_id IN (7, 9)", ["7", "9"]),
    ({"kind": "unique", "column": "code"}, "SET code = 'C7' WHERE thing_id = 8", ["7", "8"]),
    ({"kind": "unique", "column": ["owner_id", "code"]},
     "SET code = 'C1', owner_id = 2 WHERE thing_id = 50", ["1", "50"]),
    ({"kind": "invalid", "column": "code", "pattern": "^C[0-9]+$"},
     "SET code = 'c7' WHERE thing_id = 7", ["7"]),
    ({"kind": "invalid", "column": "amount", "min": 0, "max": 100.5},
     "SET amount = amount * 1000 - 100000 WHERE thing_id IN (3, 100)", ["3"]),
    ({"kind": "invalid", "column": "amount", "max": 100}, "SET amount = 100.01 WHERE thing_id = 5",
     ["5"]),
    ({"kind": "invalid", "column": "owner_id", "list": [1, 2, 3, 4, 5]},
     "SET owner_id = 6 WHERE thing_id = 4", ["4"]),
    ({"kind": "invalid", "column": "code", "max_length": 4}, "SET code = 'CCCCC' WHERE thing_id = 4",
     ["4"]),
    ({"kind": "invalid", "column": "code", "min_length": 2}, "SET code = 'ü' WHERE thing_id = 4",
     ["4"]),
    ({"kind": "reference", "column": "owner_id", "to": {"table": "Things", "column": "thing_id"}},
     "SET owner_id = 4711 WHERE thing_id = 4", ["4"]),
    ({"kind": "sql", "table": "Things", "sql": "SELECT thing_id FROM Things WHERE amount < 0 -- no"},
     "SET amount = -1 WHERE thing_id = 4", ["4"]),
    ({"kind": "row_count", "max": 100}, None, []),
])
def test_what_is_wrong_is_named_by_its_key(quality, check, broken, keys):
    quality.rules(tried=check)
    assert quality.passes()["tried"]["failed"] == 0
    quality.sql("CREATE TABLE Before_It AS SELECT * FROM Things")
    if broken:
        quality.sql(f"UPDATE Things {broken}")
    else:
        quality.sql("INSERT INTO Things (thing_id) VALUES (101)")
    result = quality.fails("tried")
    assert sorted(result["keys"], key=int) == keys
    assert result["failed"] == max(1, len(keys))
    assert result["checked"] >= 100 and result["microseconds"] > 0
    quality.sql("DELETE FROM Things")
    quality.sql("INSERT INTO Things SELECT * FROM Before_It")
    assert quality.passes()["tried"]["keys"] == []


def test_a_filter_leaves_out_and_some_may_be_wrong(quality):
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id <= 5")
    check = {"kind": "missing", "column": "name"}
    quality.rules(all=dict(check), late=dict(check, where="thing_id > 5 -- the others"),
                  few=dict(check, allow=5), too_few=dict(check, allow="4.9%"),
                  share=dict(check, allow="5%"))
    results = quality.run(status=DIFFERENT)
    assert {n: r["outcome"] for n, r in results.items()} == {
        "all": "failed", "late": "passed", "few": "passed", "too_few": "failed", "share": "passed"}
    assert results["late"]["checked"] == 95


def test_a_count_that_jumps_is_told_against_the_run_before(quality):
    quality.rules(rows={"kind": "row_count", "min": 10, "change": "20%"})
    assert quality.passes()["rows"]["measured"] == 100
    quality.sql("DELETE FROM Things WHERE thing_id > 85")
    quality.passes()
    quality.sql("DELETE FROM Things WHERE thing_id > 60")
    assert "85 the time before" in quality.fails("rows")["details"]
    assert quality.passes()["rows"]["measured"] == 60  # that is what there is now


def test_columns_that_drift_are_told_until_they_are_recorded(quality):
    quality.rules(columns={"kind": "schema", "tables": ["Things"]})
    assert "recorded: 5 columns" in quality.passes()["columns"]["details"]
    quality.passes()
    quality.sql("ALTER TABLE Things MODIFY amount DECIMAL(12,2) NULL, ADD extra INT, DROP name")
    result = quality.fails("columns")
    assert sorted(result["keys"]) == ["Things.amount", "Things.extra", "Things.name"]
    assert "Things.amount is decimal(12,2), was decimal(10,2)" in result["details"]
    assert "Things.extra is new" in result["details"] and "Things.name is gone" in result["details"]
    quality.passes("--record")
    quality.passes()


@pytest.mark.parametrize("measure", ["psi", "kl"])
@pytest.mark.parametrize("column, drift", [
    ("amount", "UPDATE Things SET amount = amount + 50"),
    ("owner_id", "UPDATE Things SET owner_id = 1"),
])
def test_values_that_are_spread_otherwise_are_told(quality, column, drift, measure):
    quality.rules(spread={"kind": "distribution", "column": column, "measure": measure, "max": 0.25})
    quality.passes()
    assert quality.passes()["spread"]["measured"] < 0.01
    quality.sql("CREATE TABLE Before_It AS SELECT * FROM Things")
    quality.sql(drift)
    result = quality.fails("spread")
    assert result["measured"] > 0.25 and measure.upper() in result["details"]
    quality.sql("DELETE FROM Things")
    quality.sql("INSERT INTO Things SELECT * FROM Before_It")
    quality.passes()


def test_a_text_of_many_values_has_no_shares_that_could_be_kept(quality):
    quality.rules(spread={"kind": "distribution", "column": "name"})
    result = quality.fails("spread")
    assert result["outcome"] == "error" and "more than 50 values" in result["details"]
    assert quality.sql("SELECT * FROM Quality_Baselines") == []


def test_freshness_is_that_of_commits_and_no_columns(quality):
    quality.rules(fresh={"kind": "freshness", "within": "2s"})
    assert quality.passes()["fresh"]["measured"] <= 2
    until(lambda: quality.run("fresh", status=None)["fresh"]["outcome"] == "failed", 20, pause=0.3,
          what="the last commit is old")
    other = quality.shop.client(autocommit=False)
    other.sql("UPDATE Things SET amount = 0 WHERE thing_id = 1")
    quality.fails("fresh")  # it is not committed
    other.sql("COMMIT")
    assert "known by the server" in quality.passes()["fresh"]["details"]


def test_a_restart_makes_no_table_fresher(quality):
    quality.rules(fresh={"kind": "freshness", "within": "7d"},
                  quiet={"kind": "freshness", "within": "7d", "table": "Feed_Aliases"})
    quality.passes("fresh")
    servers = quality.shop.servers
    servers.stop("mariadb")
    servers.start_mariadb()
    assert "known by a run before" in quality.passes("fresh")["fresh"]["details"]
    result = quality.run(status=DIFFERENT)["quiet"]
    assert result["outcome"] == "error" and "no earlier commit is known" in result["details"]


# --- what the shop is about --------------------------------------------------------------------


def unguarded(quality, statement, *args):
    """As somebody who may leave out checks and triggers."""
    client = quality.shop.client()
    client.sql(UNCHECKED)
    client.sql(statement, *args)


def assert_told_and_mended(quality, name, entity, key, mend):
    quality.configure()  # the checks that ship
    assert quality.fails(name, name)["keys"] == [str(key)]
    assert quality.quarantine(name)[str(key)]["of"] == entity
    mend()
    quality.passes(name)
    assert quality.quarantine(name) == {}


def drop_triggers(quality, table):
    for name, in quality.sql("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE"
                             " TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = %s", table):
        quality.sql(f"DROP TRIGGER {name}")


def test_a_total_that_is_not_the_sum_of_its_lines(quality):
    shop = quality.shop
    product, customer = shop.product("10.00"), shop.customer()
    order = shop.place(customer, [ordering.line(product, 3)], "one").order
    shop.place(customer, [ordering.line(product, 1)], "two")
    drop_triggers(quality, "Orders")
    quality.sql("UPDATE Orders SET total_amount = 29.99 WHERE order_id = %s", order)
    assert_told_and_mended(quality, "order_total", "Orders", order, lambda: quality.sql(
        "UPDATE Orders SET total_amount = 30 WHERE order_id = %s", order))


@pytest.mark.parametrize("columns", ["stock_quantity = -1", "reserved_quantity = 101"])
def test_stock_below_zero_or_held_twice(quality, columns):
    product = quality.shop.product("10.00", 100)
    drop_triggers(quality, "Products")
    unguarded(quality, f"UPDATE Products SET {columns} WHERE product_id = %s", product)
    assert_told_and_mended(quality, "stock_not_negative", "Products", product, lambda: quality.sql(
        "UPDATE Products SET stock_quantity = 5, reserved_quantity = 0 WHERE product_id = %s",
        product))


def test_a_review_of_what_was_not_bought(quality):
    shop = quality.shop
    product, other, customer = shop.product(), shop.product(), shop.customer()
    shop.place(customer, [ordering.line(product)], "one")
    of = {"customer_id": customer, "rating": 4, "review_date": "2026-01-01"}
    shop.insert("Reviews", product_id=product, **of)
    review = shop.insert("Reviews", product_id=other, **of)
    assert_told_and_mended(quality, "review_bought", "Reviews", review, lambda: shop.place(
        customer, [ordering.line(other)], "two"))


def test_categories_that_stand_below_each_other(quality):
    quality.configure()
    drop_triggers(quality, "Categories")
    one = quality.shop.insert("Categories", category_name="a", category_slug="a")
    two = quality.shop.insert("Categories", category_name="b", category_slug="b", parent_id=one)
    quality.passes("category_tree")
    quality.sql("UPDATE Categories SET parent_id = %s WHERE category_id = %s", two, one)
    assert quality.fails("category_tree", "category_tree")["keys"] == [str(one), str(two)]
    quality.sql("UPDATE Categories SET parent_id = NULL WHERE category_id = %s", one)
    quality.passes("category_tree")


# --- a run -------------------------------------------------------------------------------------


def test_own_sql_can_only_read_and_has_no_time_without_end(quality):
    own = {"kind": "sql", "table": "Things"}
    quality.sql("CREATE FUNCTION f_forget() RETURNS INT MODIFIES SQL DATA"
                " BEGIN DELETE FROM Things; RETURN 1; END")
    quality.rules(deletes=dict(own, sql="DELETE FROM Things"),
                  forgets=dict(own, sql="SELECT f_forget()"),
                  sleeps=dict(own, timeout="100ms", sql="SELECT SLEEP(30)"),
                  wrong=dict(own, sql="SELECT nothing FROM Things"),
                  good=dict(own, sql="SELECT 1 FROM Things WHERE FALSE"))
    results = quality.run(status=DIFFERENT)
    assert [r["outcome"] for r in results.values()] == ["error"] * 4 + ["passed"]
    assert results["sleeps"]["microseconds"] < 10_000_000
    assert "its time of 100ms was up (`timeout` of the check, " in results["sleeps"]["details"]
    assert quality.sql("SELECT COUNT(*) FROM Things") == [(100,)]


def test_a_warning_is_told_and_fails_no_run(quality):
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id = 1")
    quality.rules(told={"kind": "missing", "column": "name", "severity": "warn"},
                  must={"kind": "missing", "column": "code"})
    assert quality.run()["told"]["outcome"] == "warned"
    assert list(quality.run("--severity", "fail")) == ["must"]
    assert list(quality.run("--severity", "warn")) == ["told"]


def test_results_are_rows_of_the_log_without_values(quality):
    quality.sql("UPDATE Things SET code = 'secret code' WHERE thing_id = 3")
    quality.rules(form={"kind": "invalid", "column": "code", "pattern": "^C", "quarantine": True},
                  rows={"kind": "row_count", "min": 1})
    run = quality.ask("run", status=DIFFERENT)
    rows = quality.sql("SELECT quality_rule, severity, entity, column_name, check_outcome, owner_name,"
                       " rows_checked, rows_failed, measured FROM data_quality_logs WHERE run_id = %s"
                       " ORDER BY quality_log_id", run["run"])
    assert rows == [("form", "error", "Things", "code", "failed", "tests", 100, 1, None),
                    ("rows", "info", "Things", None, "passed", "tests", 100, 0, 100.0)]
    for table in ("data_quality_logs", "Quality_Samples", "Quality_Quarantine", "Quality_Baselines"):
        assert "secret code" not in str(quality.sql(f"SELECT * FROM {table}"))
    report = quality.ask("report")
    assert [(r["check"], r["keys"]) for r in report["results"]] == [("form", ["3"]), ("rows", [])]
    quality.sql("UPDATE Things SET code = 'C3' WHERE thing_id = 3")
    quality.run()
    assert [r["failed"] for r in quality.ask("trend", "form")] == [0, 1]
    assert "▁" in quality.start("trend", "form").stdout
    assert quality.ask("report", "--run", str(run["run"]))["results"][0]["failed"] == 1


def test_quarantine_lasts_until_the_row_passes_and_begins_anew(quality):
    quality.rules(named={"kind": "missing", "column": "name", "quarantine": True,
                         "about": "a thing has a name"})
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id IN (3, 4)")
    quality.run(status=DIFFERENT)
    first = quality.quarantine()
    assert set(first) == {"3", "4"}
    assert (first["3"]["reason"], first["3"]["found_by"], first["3"]["resolved_at"]) == (
        "a thing has a name", "run", None)
    quality.sql("UPDATE Things SET name = 'x' WHERE thing_id = 3")
    quality.sql("DELETE FROM Things WHERE thing_id = 4")
    quality.passes()
    assert quality.quarantine() == {}
    assert all(q["resolved_at"] for q in quality.quarantine("--all").values())
    quality.sql("UPDATE Things SET name = '' WHERE thing_id = 3")
    quality.run(status=DIFFERENT)
    assert set(quality.quarantine()) == {"3"}


def test_what_somebody_knows_of_fails_no_run_until_it_is_worse(quality):
    quality.rules(named={"kind": "missing", "column": "name"})
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id IN (3, 4)")
    quality.run(status=DIFFERENT)
    assert quality.ask("ack", "named", "--by", "ana", "--note", "ticket 7")["by"] == "ana"
    assert quality.run()["named"]["acknowledged"] is True
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id = 5")
    assert quality.fails("named")["acknowledged"] is False
    quality.sql("UPDATE Things SET name = 'x' WHERE thing_id = 5")
    quality.fails("named")  # that it was acknowledged once is over
    assert quality.sql("SELECT ended_because FROM Quality_Acks") == [("worse",)]


def test_what_somebody_knows_of_ends_with_its_day_and_when_it_passes(quality):
    quality.rules(named={"kind": "missing", "column": "name"})
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id = 3")
    result = quality.fails("named")
    assert "is over" in quality.ask("ack", "named", "--note", "n", "--until", "2020-01-01",
                                    status=INVALID)["error"]["message"]
    assert "--note" in quality.ask("ack", "named", status=INVALID)["error"]["message"]
    quality.ask("ack", str(result["id"]), "--note", "n", "--until", "2999-12-31")
    quality.passes()
    quality.sql("UPDATE Quality_Acks SET until_day = UTC_DATE() - INTERVAL 1 DAY")
    quality.fails("named")
    quality.sql("UPDATE Quality_Acks SET until_day = NULL")
    quality.passes()
    quality.sql("UPDATE Things SET name = 'x' WHERE thing_id = 3")
    assert quality.passes()["named"]["acknowledged"] is False
    assert "passed the last time" in quality.ask("ack", "named", "--note", "n",
                                                 status=4)["error"]["message"]
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id = 3")
    quality.fails("named")


def test_a_mistake_in_the_file_is_told_with_its_place(quality):
    path = quality.rules(named={"kind": "missing", "column": "namee"})
    error = quality.ask("run", status=INVALID)["error"]["message"]
    assert error.startswith(f"{path}:3:") and 'did you mean "name"?' in error
    quality.rules(named={"kind": "missing", "column": "name", "table": "Thing"})
    assert 'did you mean "Things"?' in quality.ask("run", status=INVALID)["error"]["message"]
    quality.rules(named={"kind": "missing", "column": "name"})
    assert 'did you mean "named"?' in quality.ask("run", "nemed", status=3)["error"]["message"]


def assertions(quality):
    """Those of the last run, by name, with the dataset they are of."""
    event, = quality.sql("SELECT event FROM data_lineage_tracker WHERE job_name = 'quality' AND"
                         " event_type = 'COMPLETE' ORDER BY lineage_id DESC LIMIT 1")[0]
    found = {}
    for dataset in json.loads(event)["inputs"]:
        facets = {**dataset.get("facets", {}), **dataset.get("inputFacets", {})}
        for a in facets["dataQualityAssertions"]["assertions"]:
            found[a.get("name") or a["assertion"]] = (dataset["name"], a)
    return found


def test_results_are_assertions_of_openlineage(quality):
    quality.sql("UPDATE Things SET name = NULL WHERE thing_id = 3")
    quality.rules(named={"kind": "missing", "column": "name"},
                  coded={"kind": "unique", "column": "code", "severity": "warn"},
                  wrong={"kind": "sql", "table": "Things", "sql": "SELECT nothing FROM Things"})
    quality.run(status=DIFFERENT)
    found = assertions(quality)
    assert sorted(found) == ["coded", "named"]  # what could not be judged asserts nothing
    dataset, named = found["named"]
    assert dataset == f"{DATABASE}.Things"
    assert (named["assertion"], named["success"], named["column"]) == ("not_null", False, "name")
    assert (found["coded"][1]["assertion"], found["coded"][1]["success"]) == ("unique", True)
    assert "thing 3" not in str(quality.sql("SELECT event FROM data_lineage_tracker"))
    quality.configure(rules=str(quality.rules_dir))
    quality.sql("UPDATE Things SET name = 'x' WHERE thing_id = 3")
    quality.run("named")
    assert assertions(quality)["named"][1]["success"] is True


# --- documents ---------------------------------------------------------------------------------


def results_of(stack, *args, status=0):
    done = stack.run("quality", "run", *args, "--json", check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return {r["check"]: r for r in json.loads(done.stdout)["results"]}


def quarantined(stack, check):
    return {q["key"]: q for q in stack.json("quality", "quarantine", check)}


def channels_of_the_program():
    """By which it lets orders come itself, as its text has them."""
    sql = "".join(path.read_text() for path in (stack_module.ROOT / "sql").glob("*.sql"))
    code = "".join(path.read_text() for path in (stack_module.ROOT / "src" / "shop").glob("order*.c"))
    found = set(re.findall(r"p_quoted_prices, '(\w+)'|COALESCE\(p_sales_channel, '(\w+)'|"
                           r"NEW.sales_channel = '(\w+)'", sql))
    found |= set(re.findall(r'channel = "(\w+)"|json_string_value\(channel\)\) : "(\w+)"', code))
    return sorted({name for names in found for name in names if name})


@pytest.mark.index
@pytest.mark.shop(defects="0.02")  # the default
def test_a_new_shop_passes_what_ships(stack):
    channels = channels_of_the_program()
    assert {"api", "customer", "direct", "import", "stress"} <= set(channels)
    for order, channel in enumerate(channels, 1):
        stack.sql("UPDATE Orders SET sales_channel = %s WHERE order_id = %s", [channel, order])
    wait_for_meaning(stack)
    stack.json("warehouse", "refresh")
    results = results_of(stack)
    assert len(results) > 40
    assert not {n: r["outcome"] for n, r in results.items() if r["outcome"] != "passed"}
    assert {r["kind"] for r in results.values()} == {
        "row_count", "missing", "unique", "invalid", "reference", "freshness", "schema",
        "distribution", "reconciliation", "sql"}
    results_of(stack)  # and again, against what was recorded


def test_documents_that_rows_do_not_make_are_named(stack):
    stack.pause()  # or the worker could be faster
    catalog = stack.mongo()["product_catalog"]
    one, two, three = (d["_id"] for d in catalog.find({}, {"_id": 1}).sort("_id", 1).limit(3))
    saved = [catalog.find_one({"_id": i}) for i in (one, two)]
    catalog.update_one({"_id": one}, {"$set": {"name": "?"}})
    catalog.delete_one({"_id": two})
    catalog.update_one({"_id": three}, {"$set": {"upvotes_of_users": 3}})  # theirs
    result = results_of(stack, "catalog_reconciled", status=DIFFERENT)["catalog_reconciled"]
    assert sorted(result["keys"]) == sorted([str(one), str(two)])
    assert "1 missing, 0 extra, 1 differ" in result["details"]
    assert set(quarantined(stack, "catalog_reconciled")) == {str(one), str(two)}
    for document in saved:
        catalog.replace_one({"_id": document["_id"]}, document, upsert=True)
    results_of(stack, "catalog_reconciled")
    assert quarantined(stack, "catalog_reconciled") == {}


@pytest.mark.index
def test_what_the_index_has_otherwise_is_named_by_check_and_key(stack):
    gone = insert_found_product(stack, "Soon gone quartzlight")
    wait_for_meaning(stack)
    price, stock, text = (row[0] for row in stack.sql(
        "SELECT product_id FROM Products WHERE product_id <> %s ORDER BY product_id LIMIT 3", (gone,)))
    made = []

    def change():
        stack.sql("DELETE FROM Products WHERE product_id = %s", (gone,))
        stack.sql("UPDATE Products SET price = price + 1 WHERE product_id = %s", (price,))
        stack.sql("UPDATE Products SET stock_quantity = IF(stock_quantity, 0, 9), reserved_quantity = 0"
                  " WHERE product_id = %s", (stock,))
        stack.sql("UPDATE Products SET product_name = 'Zebrawood' WHERE product_id = %s", (text,))
        made.append(insert_product(stack, "New zebrawood"))
    change_behind_its_back(stack, change)
    wait_for_meaning(stack)
    results = results_of(stack, "catalog_indexed", "catalog_reconciled", "reviews_indexed",
                         status=DIFFERENT)
    wrong = results["catalog_indexed"]
    assert (wrong["outcome"], wrong["severity"], wrong["owner"]) == ("failed", "fail", "search")
    assert "1 missing, 1 extra, 3 differ" in wrong["details"]
    keys = {str(key) for key in (gone, price, stock, text, made[0])}
    assert set(wrong["keys"]) == keys == set(quarantined(stack, "catalog_indexed"))
    assert results["catalog_reconciled"]["outcome"] == "passed", "MongoDB has them"
    assert results["reviews_indexed"]["outcome"] == "passed"
    stack.run("verify", "--repair")
    results_of(stack, "catalog_indexed")
    assert quarantined(stack, "catalog_indexed") == {}


@pytest.mark.index
def test_an_index_that_cannot_be_asked_is_no_equal_one(stack):
    wait_for_words(stack)
    stack.kill("worker")
    away = results_of(stack, "catalog_indexed", status=DIFFERENT)["catalog_indexed"]
    assert away["outcome"] == "error" and "the index was not compared" in away["details"]
    stack.write_config(index={"enabled": False})
    stack.up()
    off = results_of(stack, "catalog_indexed", status=DIFFERENT)["catalog_indexed"]
    assert off["outcome"] == "error" and "index.enabled is false" in off["details"]
    all_of_them = {r["check"] for r in stack.json("quality", "run", check=False)["results"]}
    assert "catalog_reconciled" in all_of_them and "catalog_indexed" not in all_of_them
    assert "3 checks of the index were left out" in stack.run("quality", "run", check=False).stdout


def test_what_the_warehouse_has_otherwise_is_named_by_its_subject(stack):
    def result():
        return results_of(stack, "warehouse_reconciled")["warehouse_reconciled"]
    new = result()
    assert new["outcome"] == "error" and "warehouse refresh" in new["details"]
    stack.json("warehouse", "refresh")
    assert (result()["outcome"], result()["owner"]) == ("passed", "finance")
    stack.sql("UPDATE aethermart_dw.Fact_Orders SET total_amount = total_amount + 0.01"
              " ORDER BY order_id LIMIT 2")
    wrong = result()
    assert (wrong["outcome"], wrong["keys"][0]) == ("warned", "orders")
    assert all(key.startswith("revenue in ") for key in wrong["keys"][1:])
    assert wrong["details"].startswith("orders: 2 differ, revenue in ")
    stack.json("warehouse", "refresh", "--all")
    assert result()["outcome"] == "passed"
    stack.sql("UPDATE Products SET price = price + 1 ORDER BY product_id LIMIT 1")
    stack.wait_synced()
    waits = result()
    assert waits["outcome"] == "passed" and "waits to be taken" in waits["details"]
    rules = stack.root / "own-rules"
    rules.mkdir()
    (rules / "slow.yaml").write_text(yaml.safe_dump({"owner": "tests", "rules": {"warehouse_reconciled": {
        "kind": "reconciliation", "store": "warehouse", "about": "no time", "timeout": "1ms", "severity": "warn"}}}))
    stack.write_config(quality={"rules": str(rules)})
    late = result()
    assert late["outcome"] == "error" and late["details"].startswith("its time of "), late
    assert "slow.yaml:3, gives more" in late["details"] and "(1969)" in late["details"], late
    stack.write_config(quality={"rules": str(stack_module.ROOT / "rules/quality")})
    stack.sql("DROP DATABASE aethermart_dw")
    away = result()
    assert away["outcome"] == "error" and away["details"]


def test_a_collection_that_falls_behind_is_told(stack):
    stack.write_config(quality={"rules": str(stack.root / "rules")})
    (stack.root / "rules").mkdir()
    (stack.root / "rules" / "own.yaml").write_text(
        "owner: tests\nrules:\n  keeps_up: {kind: freshness, collection: product_catalog,"
        " within: 1s, about: nothing waits}\n")
    results_of(stack)
    stack.pause()
    stack.sql("UPDATE Products SET price = price + 1 ORDER BY product_id LIMIT 1")
    until(lambda: stack.run("quality", "run", check=False).returncode == DIFFERENT, 20, pause=0.3,
          what="the change has waited for a second")
    stack.run("sync", "resume")
    stack.wait_synced()
    results_of(stack)


def test_a_document_is_judged_as_it_is_written(stack):
    product, = stack.sql("SELECT product_id FROM Products ORDER BY product_id LIMIT 1")[0]
    name = "catalog_documents_price"
    stack.sql("UPDATE Products SET price = 1000000 WHERE product_id = %s", (product,))
    found = until(lambda: quarantined(stack, name), 10, what="it stands in quarantine")
    assert found[str(product)]["found_by"] == "stream"
    stack.wait_synced()
    assert float(str(stack.mongo()["product_catalog"].find_one({"_id": product})["price"])) == 1e6
    result = results_of(stack, name, status=DIFFERENT)[name]
    assert result["keys"] == [str(product)]  # the run says the same of the document
    stack.sql("UPDATE Products SET price = 10 WHERE product_id = %s", (product,))
    until(lambda: not quarantined(stack, name), 10, what="it passes again")
    stack.assert_in_step()


def test_a_document_that_goes_leaves_the_quarantine(stack):
    stack.sql("INSERT INTO Customers (first_name, last_name, email, registration_date)"
              " VALUES ('A', 'B', 'a@b', '2026-01-01')")
    name = "profile_documents_email"
    until(lambda: quarantined(stack, name), 10, what="it stands in quarantine")
    stack.sql("DELETE FROM Customers WHERE email = 'a@b'")
    until(lambda: not quarantined(stack, name), 10, what="it is gone")


def test_what_a_former_worker_found_is_known_to_the_next(stack):
    product, = stack.sql("SELECT product_id FROM Products ORDER BY product_id LIMIT 1")[0]
    name = "catalog_documents_price"
    stack.sql("UPDATE Products SET price = 1000000 WHERE product_id = %s", (product,))
    until(lambda: quarantined(stack, name), 10, what="it stands in quarantine")
    stack.kill("worker")
    stack.up()
    stack.sql("UPDATE Products SET price = 10 WHERE product_id = %s", (product,))
    until(lambda: not quarantined(stack, name), 10, what="it passes again")


def test_checks_that_cannot_be_read_hold_up_no_change(stack):
    stack.down()
    (stack.root / "rules").mkdir()
    (stack.root / "rules" / "own.yaml").write_text("rules: [")
    stack.write_config(quality={"rules": str(stack.root / "rules")})
    stack.up()
    stack.sql("UPDATE Products SET price = price + 1")
    stack.assert_in_step()
