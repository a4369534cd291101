"""The warehouse: what it holds is what the shop says, to the cent, after whatever changed and whatever
died; a difference that waits nowhere is never seen."""
import collections
import contextlib
import datetime
import json
import random
import signal
import time

import pymysql
import pytest

from named import DATABASE
from workload import writers

DW = "aethermart_dw"
SALES = ("paid", "shipped", "delivered")  # a returned one gives nothing


def refresh(stack, *words):
    return stack.json("warehouse", "refresh", *words)


def check(stack):
    done = stack.run("warehouse", "check", "--json", check=False)
    assert done.returncode in (0, 14), done.stderr
    return json.loads(done.stdout)


def assert_agrees(stack):
    """After all that waits was taken."""
    stack.wait_synced()
    refresh(stack)
    report = check(stack)
    assert report["equal"], report


def shop_lines(stack):
    """(order, day, status, currency, product, quantity, returned, price) of each line, read row by row."""
    for orders, items in (("Orders", "Order_Items"), ("TR_Orders_Archive", "TR_Order_Items_Archive")):
        heads = {row[0]: row[1:] for row in stack.sql(
            f"SELECT order_id, order_date, order_status, currency FROM {orders}")}
        for order, *rest in stack.sql("SELECT order_id, product_id, quantity, returned_quantity, price"
                                      f" FROM {items}"):
            yield order, *heads[order], *rest


def product_with_stock(stack, stock=1000):
    category, supplier = stack.sql("SELECT category_id, supplier_id FROM Products LIMIT 1")[0]
    return stack.insert("Products", category_id=category, supplier_id=supplier, price="10.00",
                        product_name="Lamp", stock_quantity=stock)


def place(stack, product, quantity=1, customer=None):
    customer = customer or stack.value("SELECT MIN(customer_id) FROM Customers"
                                       " WHERE customer_status = 'active'")
    line = f'[{{"product_id": {product}, "quantity": {quantity}}}]'
    return stack.sql("CALL sp_PlaceOrder(%s, NULL, %s, %s, NULL)",
                     (customer, line, f"key-{time.monotonic_ns()}"))[0][0]


# --- what it holds ---------------------------------------------------------------------------------


def test_the_first_refresh_takes_all_and_the_next_nothing(stack):
    first = refresh(stack)
    began, ended = stack.sql(f"SELECT started_at, finished_at FROM {DW}.Etl_Runs")[0]
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert began <= ended and abs((now - ended).total_seconds()) < 60
    counts = {name: stack.value(f"SELECT COUNT(*) FROM {table}") for name, table in
              (("customers", "Customers"), ("products", "Products"), ("orders", "Orders"),
               ("reviews", "Reviews"))}
    assert {name: first[name] for name in counts} == counts
    report = check(stack)
    assert report["equal"] and len(report["subjects"]) >= 8, report
    second = refresh(stack)
    assert [second[name] for name in counts] == [0, 0, 0, 0]


def test_revenue_and_sales_equal_what_the_rows_say(stack):
    refresh(stack)
    sold, units = collections.Counter(), collections.Counter()
    for _, day, status, currency, product, quantity, returned, price in shop_lines(stack):
        if status in SALES:
            sold[day.year, (day.month + 2) // 3, currency] += (quantity - returned) * price
            units[product] += quantity - returned
    rows = stack.sql(f"SELECT d.calendar_year, d.quarter_number, f.currency, SUM(f.net_amount)"
                     f" FROM {DW}.Fact_Sales f JOIN {DW}.Dim_Date d USING (date_key)"
                     " WHERE f.is_sale GROUP BY 1, 2, 3 HAVING SUM(f.net_amount) <> 0")
    assert {row[:3]: row[3] for row in rows} == {k: v for k, v in sold.items() if v}
    rows = stack.sql(f"SELECT product_id, SUM(net_quantity) FROM {DW}.Fact_Sales GROUP BY 1"
                     " HAVING SUM(net_quantity) > 0")
    assert dict(rows) == {k: v for k, v in units.items() if v}
    revenue = collections.Counter()
    for day, status, currency, total, refunded in stack.sql(
            "SELECT order_date, order_status, currency, total_amount, refunded_amount FROM Orders"):
        if status in SALES:
            revenue[day.year, (day.month + 2) // 3, currency] += total - refunded
    rows = stack.sql(f"SELECT d.calendar_year, d.quarter_number, f.currency, SUM(f.revenue)"
                     f" FROM {DW}.Fact_Orders f JOIN {DW}.Dim_Date d USING (date_key)"
                     " GROUP BY 1, 2, 3 HAVING SUM(f.revenue) <> 0")
    assert {row[:3]: row[3] for row in rows} == dict(revenue)


def test_days_are_a_calendar(stack):
    refresh(stack)
    rows = stack.sql(f"SELECT * FROM {DW}.Dim_Date ORDER BY date_key")
    years = sorted({row[2] for row in rows})
    assert len(rows) == sum(366 if y % 4 == 0 else 365 for y in years) and years
    for key, day, year, quarter, month, name, iso_year, week, number, weekday, day_name, weekend in rows:
        assert key == int(day.strftime("%Y%m%d"))
        assert (year, month, number, name, day_name) == (
            day.year, day.month, day.day, day.strftime("%B"), day.strftime("%A"))
        assert (iso_year, week, weekday) == tuple(day.isocalendar())
        assert quarter == (day.month + 2) // 3 and weekend == (weekday > 5)


def test_categories_stand_with_all_that_is_above_them(stack):
    refresh(stack)
    tree = {row[0]: row[1:] for row in stack.sql(
        "SELECT category_id, parent_id, category_name FROM Categories")}
    rows = stack.sql(f"SELECT category_id, category_path, depth, level_1 FROM {DW}.Dim_Category")
    assert {row[0] for row in rows} == set(tree) | {0}
    for number, path, depth, top in rows:
        if number == 0:
            continue
        names = []
        while number:
            number, name = tree[number]
            names.insert(0, name)
        assert (path, depth, top) == (" > ".join(names), len(names), names[0])


def test_customers_have_no_name_and_no_order(stack):
    refresh(stack)
    columns = {row[0] for row in stack.sql(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME ="
        " 'Dim_Customer'", (DW,))}
    assert columns == {"customer_key", "country", "state", "birth_decade", "registered_month",
                       "customer_status"}
    keys = [row[0] for row in stack.sql(
        f"SELECT customer_key FROM {DW}.Etl_Customers ORDER BY customer_id")]
    assert len(set(keys)) == len(keys) > 10 and keys != sorted(keys)
    texts = stack.sql("SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS"
                      " WHERE TABLE_SCHEMA = %s AND DATA_TYPE IN ('varchar', 'char', 'text')", (DW,))
    last_name = stack.value("SELECT last_name FROM Customers WHERE LENGTH(last_name) > 4 LIMIT 1")
    for table, column in texts:
        assert stack.value(f"SELECT COUNT(*) FROM {DW}.`{table}` WHERE `{column}` LIKE %s",
                           (f"%{last_name}%",)) == 0 or table.startswith("Dim_Pro"), (table, column)


def test_who_is_gone_from_the_shop_has_no_key_and_what_they_bought_stays(stack):
    customer = stack.insert("Customers", first_name="Gone", last_name="Soon",
                            registration_date="2024-01-01")
    product = product_with_stock(stack)
    order = place(stack, product, 2, customer)
    stack.sql("CALL sp_CancelOrder(%s)", (order,))
    stack.sql("UPDATE Orders SET order_date = '2020-01-01' WHERE order_id = %s", (order,))
    stack.sql("CALL sp_archive_old_orders('2020-02-01')")
    assert_agrees(stack)
    key = stack.value(f"SELECT customer_key FROM {DW}.Etl_Customers WHERE customer_id = %s",
                      (customer,))
    stack.sql("DELETE FROM Order_Requests WHERE customer_id = %s", (customer,))
    stack.sql("DELETE FROM Customers WHERE customer_id = %s", (customer,))
    assert_agrees(stack)
    assert stack.sql(f"SELECT 1 FROM {DW}.Etl_Customers WHERE customer_key = %s", (key,)) == []
    assert stack.value(f"SELECT customer_key FROM {DW}.Fact_Orders WHERE order_id = %s",
                       (order,)) == key


def test_an_archived_order_outlives_its_product(stack):
    product = product_with_stock(stack)
    order = place(stack, product, 2)
    stack.sql("CALL sp_CancelOrder(%s)", (order,))
    stack.sql("UPDATE Orders SET order_date = '2020-01-01' WHERE order_id = %s", (order,))
    stack.sql("CALL sp_archive_old_orders('2020-02-01')")
    stack.sql("DELETE FROM Products WHERE product_id = %s", (product,))
    assert_agrees(stack)
    assert stack.sql("SELECT s.amount, c.category_name, p.supplier_name FROM aethermart_dw.Fact_Sales s"
                     " JOIN aethermart_dw.Dim_Category c USING (category_id)"
                     " JOIN aethermart_dw.Dim_Supplier p USING (supplier_id) WHERE s.order_id = %s",
                     (order,)) == [(20, "unknown", "unknown")]


# --- history ---------------------------------------------------------------------------------------


def versions(stack, product):
    return stack.sql("SELECT product_name, price, valid_from, valid_to, is_current, product_key"
                     f" FROM {DW}.Dim_Product WHERE product_id = %s ORDER BY valid_from", (product,))


def test_each_price_is_a_version_and_a_sale_belongs_to_that_of_its_time(stack):
    product = product_with_stock(stack)
    orders = [place(stack, product)]
    for price in ("11.00", "12.50"):
        time.sleep(1.1)  # order_date has seconds
        stack.sql("CALL sp_ChangePrice(%s, %s)", (product, price))
        time.sleep(1.1)
        orders.append(place(stack, product))
    assert_agrees(stack)
    rows = versions(stack, product)
    assert [str(row[1]) for row in rows] == ["10.00", "11.00", "12.50"]
    assert [row[4] for row in rows] == [0, 0, 1]
    assert all(a[3] == b[2] for a, b in zip(rows, rows[1:]))
    assert rows[0][2].year == 1000 and rows[-1][3].year == 9999
    for order, version in zip(orders, rows):
        assert stack.sql(f"SELECT product_key, unit_price FROM {DW}.Fact_Sales WHERE order_id = %s",
                         (order,)) == [(version[5], version[1])]


def test_a_price_that_is_told_late_takes_the_sales_since(stack):
    """The order is taken before its product: its facts move to the version that comes behind it."""
    product = product_with_stock(stack)
    assert_agrees(stack)
    time.sleep(1.1)
    stack.sql("CALL sp_ChangePrice(%s, 20)", (product,))
    time.sleep(1.1)
    order = place(stack, product)
    stack.wait_synced()
    kept = stack.sql("SELECT * FROM sync_handoff WHERE collection = 'product_catalog'")
    stack.sql("DELETE FROM sync_handoff WHERE collection = 'product_catalog'")
    refresh(stack)
    assert len(versions(stack, product)) == 1
    stack.sql("INSERT INTO sync_handoff VALUES (%s, %s, %s, %s)", kept[0])
    refresh(stack)
    rows = versions(stack, product)
    assert len(rows) == 2
    assert stack.value(f"SELECT product_key FROM {DW}.Fact_Sales WHERE order_id = %s",
                       (order,)) == rows[1][5]
    for row in kept[1:]:
        stack.sql("REPLACE INTO sync_handoff VALUES (%s, %s, %s, %s)", row)
    assert_agrees(stack)


def test_another_name_is_a_version_from_when_it_was_seen(stack):
    product = product_with_stock(stack)
    assert_agrees(stack)
    stack.sql("UPDATE Products SET product_name = 'lamp' WHERE product_id = %s", (product,))
    assert_agrees(stack)  # upper and lower case are another name
    stack.sql("UPDATE Products SET product_status = 'retired' WHERE product_id = %s", (product,))
    assert_agrees(stack)
    rows = versions(stack, product)
    assert [row[0] for row in rows] == ["Lamp", "lamp", "lamp"]
    assert [row[4] for row in rows] == [0, 0, 1]


def test_a_product_that_goes_and_comes_back(stack):
    product = product_with_stock(stack, 5)
    assert_agrees(stack)
    columns = "product_id, supplier_id, category_id, product_name, price, stock_quantity"
    row = stack.sql(f"SELECT {columns} FROM Products WHERE product_id = %s", (product,))[0]
    stack.sql("DELETE FROM Products WHERE product_id = %s", (product,))
    assert_agrees(stack)
    assert [v[4] for v in versions(stack, product)] == [0]
    stack.sql(f"INSERT INTO Products ({columns}) VALUES (%s, %s, %s, %s, %s, %s)", row)
    assert_agrees(stack)
    assert [v[4] for v in versions(stack, product)][-1] == 1


def test_stock_of_each_day_is_what_moved_up_to_it(stack):
    product = product_with_stock(stack, 10)
    order = place(stack, product, 3)
    stack.sql("CALL sp_Restock(%s, 5)", (product,))
    stack.sql("UPDATE Products SET stock_quantity = stock_quantity - 1 WHERE product_id = %s",
              (product,))
    assert_agrees(stack)
    stack.sql("CALL sp_CancelOrder(%s)", (order,))
    assert_agrees(stack)
    rows = stack.sql("SELECT opened, sold + 0, returned, restocked, corrected, closing_quantity"
                     f" FROM {DW}.v_Inventory_Daily WHERE product_id = %s", (product,))
    total = [sum(row[i] for row in rows) for i in range(5)]
    assert total[0] == 10 and total[3] == 5 and total[4] == -1 and total[1] - total[2] == 0
    assert rows[-1][5] == 14 == stack.value(
        "SELECT stock_quantity FROM Products WHERE product_id = %s", (product,))


# --- while everything changes ----------------------------------------------------------------------


def shop_at_work(stack, seed):
    """Orders by the shop's procedures, beside what writers do to rows."""
    chance = random.Random(seed)
    order = None
    with contextlib.suppress(pymysql.MySQLError):
        product = stack.value("SELECT product_id FROM Products WHERE stock_quantity > 20"
                              " ORDER BY product_id LIMIT 1")
        order = place(stack, product, chance.randint(1, 3))
    statement = chance.choice([
        "CALL sp_CancelOrder({order})", "CALL sp_SetOrderStatus({order}, 'paid')",
        "UPDATE Orders SET order_date = '2019-05-05' WHERE order_id = {order}",
        "CALL sp_archive_old_orders('2019-06-01')"])
    with contextlib.suppress(pymysql.MySQLError):
        stack.sql(statement.format(order=order or 0))


def test_what_differs_while_it_changes_waits_somewhere(stack):
    refresh(stack)
    with writers(stack, 3, rate=40):
        for i in range(12):
            shop_at_work(stack, i)
            if i % 3 == 0:
                refresh(stack)
            report = check(stack)
            assert report["different"] == 0, report
    assert_agrees(stack)
    stack.assert_in_step()


@pytest.mark.parametrize("seed", range(3))
def test_killed_in_the_middle_of_a_refresh_it_goes_on(stack, seed):
    chance = random.Random(seed)
    with writers(stack, 2, rate=40):
        for i in range(8):
            child = stack.start("warehouse", "refresh", *(["--all"] if i % 2 else []))
            time.sleep(chance.uniform(0.02, 0.6))
            if i % 4 == 3:
                threads = [row[0] for row in stack.sql(
                    "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s", (DW,))]
                for thread in threads:
                    with contextlib.suppress(pymysql.MySQLError):
                        stack.sql(f"KILL {thread}")
            child.send_signal(signal.SIGKILL)
            child.wait()
            shop_at_work(stack, seed * 100 + i)
            report = check(stack)
            assert report["different"] == 0, report
    assert_agrees(stack)


def test_a_killed_server_loses_no_change(stack):
    refresh(stack)
    with writers(stack, 2, rate=40):
        for pause in (0.05, 0.15):
            child = stack.start("warehouse", "refresh", "--all")
            time.sleep(pause)
            stack.kill("mariadb")
            child.wait(60)
            stack.up()
    assert_agrees(stack)


def test_two_refreshes_at_once_count_once(stack):
    with writers(stack, 2, rate=40):
        for _ in range(3):
            both = [stack.start("warehouse", "refresh", *words) for words in (["--all"], [])]
            for child in both:
                assert child.wait(60) == 0, child.log.read_text()
    assert_agrees(stack)


@pytest.mark.parametrize("statement", [
    "SELECT * FROM Products FOR UPDATE", "SELECT * FROM Customers FOR UPDATE",
    "SELECT * FROM Orders FOR UPDATE", "UPDATE Suppliers SET country = 'FR'",
    "UPDATE Categories SET category_name = CONCAT(category_name, '.')"])
def test_it_waits_for_nobody_and_nobody_waits_for_it(stack, statement):
    refresh(stack)
    with contextlib.closing(stack.open_sql(autocommit=False)) as db, db.cursor() as cursor:
        cursor.execute(statement)
        refresh(stack, "--all")
        db.rollback()
    assert_agrees(stack)


def test_a_line_that_moved_to_another_order_counts_once(stack):
    product = product_with_stock(stack)
    other = product_with_stock(stack)
    low, high = place(stack, product), place(stack, other)
    refresh(stack)
    stack.sql("UPDATE Order_Items SET order_id = %s WHERE order_id = %s", (low, high))
    refresh(stack, "--all")
    assert_agrees(stack)
    stack.sql("UPDATE Order_Items SET order_id = %s WHERE order_id = %s AND product_id = %s",
              (high, low, product))
    assert_agrees(stack)


def test_days_that_no_calendar_has_lose_no_line(stack):
    product = product_with_stock(stack)
    orders = [place(stack, product) for _ in range(3)]
    for order, day in zip(orders, ("0900-01-01", "9999-12-31 10:00:00", "0050-01-01")):
        stack.sql("UPDATE Orders SET order_date = %s WHERE order_id = %s", (day, order))
    assert_agrees(stack)
    assert stack.value(f"SELECT SUM(quantity) FROM {DW}.Fact_Sales WHERE product_id = %s",
                       (product,)) == 3


# --- ways of asking --------------------------------------------------------------------------------


def test_the_procedure_of_the_shop_does_the_same(stack):
    answer = stack.sql("CALL sp_run_etl_pipeline()")[0]
    assert list(answer[3:]) == [stack.value(f"SELECT COUNT(*) FROM {table}") for table in
                                ("Customers", "Products", "Orders", "Reviews")]
    assert check(stack)["equal"]
    product = product_with_stock(stack)
    place(stack, product)
    stack.wait_synced()
    answer = stack.sql("CALL sp_run_etl_pipeline()")[0]
    assert answer[4] >= 1 and answer[5] == 1
    assert_agrees(stack)


def test_a_difference_is_named_and_an_error(stack):
    refresh(stack)
    stack.sql(f"UPDATE {DW}.Fact_Orders SET total_amount = total_amount + 0.01"
              " WHERE order_status = 'paid' LIMIT 1")
    done = stack.run("warehouse", "check", check=False)
    assert done.returncode == 14 and "do not agree" in done.stderr
    wrong = [s["subject"] for s in check(stack)["subjects"] if s["different"]]
    assert wrong == ["orders", "revenue in USD"]
    stack.sql(f"UPDATE {DW}.Fact_Inventory SET net_change = net_change + 1 LIMIT 1")
    assert "pieces in stock" in [s["subject"] for s in check(stack)["subjects"] if s["different"]]
    refresh(stack, "--all")
    assert_agrees(stack)


def test_a_consumer_that_was_dropped_reads_all_again(stack):
    refresh(stack)
    stack.sql("DELETE FROM sync_consumer WHERE kind = 'warehouse'")
    stack.sql("DELETE FROM sync_handoff")
    product = product_with_stock(stack)
    place(stack, product)
    assert_agrees(stack)


def test_it_is_refreshed_outside_of_transactions(stack):
    refresh(stack)
    with contextlib.closing(stack.open_sql(autocommit=False)) as db, db.cursor() as cursor:
        cursor.execute("UPDATE Products SET price = price + 1 LIMIT 1")
        with pytest.raises(pymysql.MySQLError, match="COMMIT first"):
            cursor.execute("CALL sp_run_etl_pipeline()")
        db.rollback()


def test_nobody_hands_orders_to_the_index(stack):
    """It has no documents of them: they would be written to be thrown away."""
    refresh(stack)
    stack.sql("INSERT INTO sync_consumer (consumer, kind) VALUES ('somebody', 'test')")
    product = product_with_stock(stack)
    place(stack, product)
    stack.wait_synced()
    rows = stack.sql("SELECT consumer, collection FROM sync_handoff WHERE collection = 'orders'")
    assert len(rows) == 1 and rows[0][0].startswith("warehouse-")
    assert stack.value("SELECT COUNT(*) FROM sync_handoff WHERE consumer = 'somebody'") > 0


def test_rows_of_other_collections_are_not_kept_for_it(stack):
    refresh(stack)
    stack.sql("INSERT INTO sync_handoff SELECT consumer, 'somewhere', '1', 1 FROM sync_consumer"
              " WHERE kind = 'warehouse'")
    refresh(stack)
    assert stack.value("SELECT COUNT(*) FROM sync_handoff WHERE collection = 'somewhere'") == 0


def test_without_its_mapping_of_orders_it_says_so_and_with_it_reads_all(stack):
    refresh(stack)
    row = stack.sql("SELECT * FROM sync_collection WHERE collection = 'orders'")[0]
    stack.sql("DELETE FROM sync_collection WHERE collection = 'orders'")
    error = stack.fails("warehouse", "refresh")
    assert "orders.yaml" in error and "sync install" in error
    stack.sql(f"INSERT INTO sync_collection VALUES ({', '.join(['%s'] * len(row))})", row)
    stack.sql(f"DELETE FROM {DW}.Fact_Orders LIMIT 3")  # as if nobody had told of them
    stack.sql(f"UPDATE {DW}.Etl_State SET mapping_hash = 'another' WHERE collection = 'orders'")
    assert refresh(stack)["orders"] == stack.value("SELECT COUNT(*) FROM Orders")
    assert_agrees(stack)


def assert_it_wants_the_sync(stack, verb):
    done = stack.run("warehouse", verb, check=False)
    assert done.returncode == 5, done.stderr
    shop = stack.value("SELECT DATABASE()")
    assert f'the sync is not installed in "{shop}"\nhint: ' in done.stderr
    assert "aethermart sync install" in done.stderr and "1146" not in done.stderr


def test_before_the_sync_is_installed_it_says_so_and_makes_nothing(named):
    named.make_database()
    named.run("schema", "apply")
    assert_it_wants_the_sync(named, "refresh")
    assert named.sql("SHOW DATABASES LIKE %s", (DW,)) == []
    named.run("sync", "install")
    assert refresh(named)["run"] == 1


def test_after_the_sync_was_uninstalled_it_says_so_and_with_it_reads_all_again(stack):
    refresh(stack)
    stack.run("sync", "uninstall", "--yes")
    for verb in ("refresh", "check"):
        assert_it_wants_the_sync(stack, verb)
    stack.up()
    assert refresh(stack)["orders"] == stack.value("SELECT COUNT(*) FROM Orders")
    assert_agrees(stack)


def test_without_autocommit_it_is_the_same(stack):
    with contextlib.closing(stack.open_sql(autocommit=False)) as db, db.cursor() as cursor:
        cursor.execute("CALL sp_run_etl_pipeline()")
        assert cursor.fetchone()[5] == stack.value("SELECT COUNT(*) FROM Orders")
    assert stack.value(f"SELECT COUNT(*) FROM {DW}.Etl_Runs WHERE finished_at IS NOT NULL") == 1
    assert_agrees(stack)


def test_a_warehouse_of_another_shop_is_left_alone(named):
    named.up("--no-shop")
    refresh(named)
    named.write_config(mariadb={"socket": str(named.servers.socket), "user": "root",
                                "database": "second_db"})
    done = named.up("--no-shop")
    assert f'left out: the warehouse "{DW}" is that of the shop "{DATABASE}"' in done.stderr
    for verb in ("refresh", "check"):
        assert f'that of the shop "{DATABASE}"' in named.fails("warehouse", verb)
    named.run("reset", "--no-shop", typed=("second_db", "named_profiles"), check=False, timeout=180)
    named.forget_clients()
    assert named.value(f"SELECT shop FROM {DW}.Etl_Identity") == DATABASE
    assert named.value(f"SELECT COUNT(*) FROM {DATABASE}.sync_consumer WHERE kind = 'warehouse'") == 1


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_swedish_ci"])
def test_it_compares_texts_as_the_shop_does(named, collation):
    """A database that somebody made with the server's own collation, or one that they like."""
    with named.servers.open_sql() as link, link.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE {collation}")
    named.up("--with-shop")
    assert_agrees(named)
    place(named, product_with_stock(named))
    assert_agrees(named)


def test_a_database_of_somebody_else_stays_as_it_is(new_stack):
    stack = new_stack
    stack.up("--no-shop")
    stack.sql("CREATE DATABASE other")
    stack.sql("CREATE TABLE other.Dim_Date (a INT)")
    stack.write_config(warehouse={"database": "other"})
    error = stack.fails("warehouse", "refresh")
    assert "Dim_Date" in error and "already" in error
    assert [row[0] for row in stack.sql("SHOW TABLES FROM other")] == ["Dim_Date"]


def test_another_name_and_none_at_all(new_stack):
    stack = new_stack
    stack.write_config(warehouse={"enabled": False})
    stack.up("--no-shop")
    assert stack.sql("SHOW DATABASES LIKE 'aethermart_dw'") == []
    error = stack.fails("warehouse", "check")
    assert "there is no warehouse" in error and "warehouse refresh" in error
    stack.write_config(warehouse={"database": "figures"})
    refresh(stack)
    assert stack.value("SELECT COUNT(*) FROM figures.Etl_Runs") == 1
    assert check(stack)["equal"]


def test_without_the_right_to_a_second_database_all_else_goes_on(named):
    named.make_database()
    named.sql("CREATE USER shopper@'localhost'")
    named.sql(f"GRANT ALL ON {DATABASE}.* TO shopper@'localhost'")
    named.write_config(mariadb={"socket": str(named.servers.socket), "user": "shopper",
                                "database": DATABASE})
    done = named.up("--no-shop")
    assert "left out" in done.stderr and DW in done.stderr, done.stderr
    error = named.fails("warehouse", "refresh")
    assert "denied" in error and "doctor --grants" in error
    assert f"`{DW}`" in named.run("doctor", "--grants").stdout
    named.write_config(warehouse={"database": DATABASE})
    assert "one of its own" in named.fails("warehouse", "refresh")
    named.assert_in_step()
    named.write_config(warehouse={"database": DW})
    named.run("reset", "--no-shop", typed=(DATABASE, "named_profiles"), timeout=180)
    named.assert_in_step()


def test_it_is_read_as_it_was_at_any_time(stack):
    """Figures of 2024 do not change when a product moves to another category today."""
    refresh(stack)
    product = stack.value(f"SELECT product_id FROM {DW}.Fact_Sales WHERE is_sale LIMIT 1")
    before = stack.sql(f"SELECT category_id, SUM(net_amount) FROM {DW}.Fact_Sales GROUP BY 1 ORDER BY 1")
    stack.sql("UPDATE Products SET category_id = (SELECT MAX(category_id) FROM Categories)"
              " WHERE product_id = %s", (product,))
    assert_agrees(stack)
    assert before == stack.sql(
        f"SELECT category_id, SUM(net_amount) FROM {DW}.Fact_Sales GROUP BY 1 ORDER BY 1")
