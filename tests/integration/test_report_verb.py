"""Reports by the command line: the same as what is added up from the rows, in every form."""
import collections
import csv
import decimal
import io

import pytest

SOLD = ("paid", "shipped", "delivered", "returned")


@pytest.fixture
def orders(stack):
    """Rows of orders, of which some were given back and some are archived."""
    stack.sql("UPDATE Orders SET refunded_amount = 1.25 WHERE MOD(order_id, 3) = 0 AND total_amount > 2")
    rows = stack.sql("SELECT order_date, order_status, currency, total_amount, refunded_amount,"
                     " customer_id FROM Orders")
    middle = sorted(row[0] for row in rows)[len(rows) // 2]
    stack.sql("CALL sp_archive_old_orders(%s)", (middle.date(),))
    assert stack.value("SELECT COUNT(*) FROM TR_Orders_Archive") > 0
    return [row for row in rows if row[1] in SOLD]


def amount(row):
    return decimal.Decimal(0) if row[1] == "returned" else row[3] - row[4]


def quarter(day):
    return f"{day.year} Q{(day.month + 2) // 3}"


def test_sales_by_quarter_are_those_of_the_rows(stack, orders):
    wanted = collections.defaultdict(list)
    for row in orders:
        wanted[quarter(row[0]), row[2]].append(amount(row))
    done = stack.run("report", "quarterly-sales", "--as", "csv", "--limit", 1000)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {(r["quarter"], r["currency"]): (int(r["orders"]), decimal.Decimal(r["revenue"]))
            for r in rows} == {key: (len(found), sum(found)) for key, found in wanted.items()}
    assert [r["quarter"] for r in rows] == sorted((r["quarter"] for r in rows), reverse=True)


def test_cohorts_are_those_of_the_rows(stack, orders):
    first, count = {}, collections.Counter()
    for row in orders:
        first[row[5]] = min(row[0], first.get(row[5], row[0]))
        count[row[5]] += 1
    wanted = collections.Counter(quarter(day) for day in first.values())
    back = collections.Counter(quarter(first[c]) for c in first if count[c] > 1)
    rows = stack.json("report", "cohorts", "--limit", 1000)["rows"]
    assert {r["first_quarter"]: (r["customers"], r["came_back"]) for r in rows} == {
        q: (n, back[q]) for q, n in wanted.items()}


@pytest.mark.parametrize("name", ["quarterly-sales", "top-products", "categories", "cohorts", "stock"])
def test_every_report_has_every_form(stack, name):
    stack.sql("UPDATE Products SET stock_quantity = 3 WHERE stock_quantity IS NOT NULL LIMIT 3")
    rows = stack.json("report", name, "--limit", 3)["rows"]
    assert 0 < len(rows) <= 3
    titles = list(rows[0])
    found = list(csv.reader(io.StringIO(stack.run("report", name, "--limit", 3, "--as", "csv").stdout)))
    assert found[0] == titles and len(found) == len(rows) + 1
    table = stack.run("report", name, "--limit", 3).stdout.splitlines()
    assert table[0].split() == titles and len(table) == len(rows) + 1
    bars = stack.run("report", name, "--limit", 3, "--as", "bars").stdout.splitlines()
    assert len(bars) == len(rows) and max(map(len, bars)) <= 80


def test_a_wrong_name_is_told(stack):
    assert 'did you mean "quarterly-sales"?' in stack.fails("report", "quarterly-sale")
    assert "table, csv or bars" in stack.fails("report", "stock", "--as", "pie")
