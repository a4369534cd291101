"""Orders that are over go to the archive: what is moved, what stays as it was, and what a lost
connection or a second one at the same work leaves. Fixture `shop` proves at the end of each test
what must always hold."""
import concurrent.futures
import datetime
import decimal
import itertools
import json
import threading

import pymysql
import pytest

from ordering import line

STATES = ["pending", "paid", "shipped", "delivered", "cancelled", "returned"]
OVER = STATES[3:]
OLD = datetime.datetime(2024, 5, 6, 7, 8, 9)
DAY = "2025-01-01"
IN_A_TRANSACTION = 200  # orders that are moved at once
feed_keys = itertools.count(1)


@pytest.fixture(autouse=True)
def archived_before(shop):
    """What other tests of this file left would be counted, too."""
    shop.sql("CALL sp_archive_old_orders(UTC_DATE())")


@pytest.fixture
def customer(shop):
    return shop.customer()


@pytest.fixture
def product(shop):
    return shop.product("10.00", 1000)


def archive(client, day=DAY):
    """How many were moved."""
    return int(client.call("sp_archive_old_orders", day)[0][0])


def dated(shop, order, date=OLD):
    shop.sql("UPDATE Orders SET order_date = %s WHERE order_id = %s", date, order)
    return order


def live(shop, state, *lines, date=OLD, customer=None, **more):
    """An order that came to its state by the procedures, and is from another day."""
    customer = customer or shop.customer()
    order = shop.place(customer, list(lines), f"k{next(feed_keys)}", **more).order
    if state == "cancelled":
        shop.call("sp_SetOrderStatus", order, "paid")
        shop.call("sp_CancelOrder", order)
    else:
        for step in STATES[1:1 + min(STATES.index(state), 3)]:
            shop.call("sp_SetOrderStatus", order, step)
        if state == "returned":
            shop.call("sp_ReturnItems", order, None)
    return dated(shop, order, date)


def from_feed(shop, state, *products, date=OLD, total="99.95", customer=None, **columns):
    """An order of a feed with lines that are history."""
    order = shop.insert("Orders", external_id=f"feed-{next(feed_keys)}", order_date=date,
                        customer_id=customer or shop.customer(), order_status=state,
                        total_amount=total, **columns)
    for number, product in enumerate(products):
        shop.line(order, product, number + 1, "7.50", stock_taken=0)
    return order


def columns_of(shop, table):
    return dict(shop.sql("SELECT column_name, column_type FROM information_schema.columns"
                         " WHERE table_schema = DATABASE() AND table_name = %s", table))


def rows(shop, orders, table="Orders", items="Order_Items"):
    """Orders and their lines as {column: value}, but for what only one of the two places has."""
    heads, lines = sorted(columns_of(shop, "Orders")), sorted(columns_of(shop, "Order_Items"))
    lines.remove("stock_taken")
    return ([dict(zip(heads, row)) for row in shop.sql(
                f"SELECT {', '.join(heads)} FROM {table} WHERE order_id IN %s ORDER BY order_id",
                orders)],
            [dict(zip(lines, row)) for row in shop.sql(
                f"SELECT {', '.join(lines)} FROM {items} WHERE order_id IN %s"
                " ORDER BY order_item_id", orders)])


def archived(shop, orders):
    return rows(shop, orders, "TR_Orders_Archive", "TR_Order_Items_Archive")


NOTHING = ([], [])


def stocks(shop):
    return shop.sql("SELECT product_id, stock_quantity, reserved_quantity FROM Products"
                    " WHERE product_id IN %s ORDER BY product_id", shop.products), [
        shop.movements(product) for product in shop.products]


# --- what is moved ---------------------------------------------------------------------------


def test_the_archive_has_the_columns_of_orders_and_lines(shop):
    orders, kept = columns_of(shop, "Orders"), columns_of(shop, "TR_Orders_Archive")
    lines, kept_lines = columns_of(shop, "Order_Items"), columns_of(shop, "TR_Order_Items_Archive")
    assert kept == {**orders, "archived_at": "datetime(3)"}
    del lines["stock_taken"]
    assert kept_lines == {**lines, "order_date": "datetime"}


@pytest.mark.parametrize("origin", ["live", "feed"])
@pytest.mark.parametrize("state", OVER)
def test_an_order_that_is_over_is_moved_as_it_is(shop, product, state, origin):
    other = shop.product("0.99", 50)
    if origin == "live":
        customer = shop.customer()
        address = shop.address(customer)
        order = live(shop, state, line(product, 2), line(other, 3), customer=customer,
                     address=address)
        if state == "delivered":
            shop.call("sp_ReturnItems", order, json.dumps([line(other, 1)]))
    else:
        order = from_feed(shop, state, product, other, refunded_amount="1.25",
                          sales_channel="agent")
    before, stock, events = rows(shop, [order]), stocks(shop), shop.events(order)
    assert len(before[1]) == 2
    assert archive(shop) == 1
    assert archived(shop, [order]) == before
    assert rows(shop, [order]) == NOTHING
    assert (stocks(shop), shop.events(order)) == (stock, events)


@pytest.mark.parametrize("origin", [live, from_feed], ids=["live", "feed"])
@pytest.mark.parametrize("state", ["pending", "paid", "shipped"])
def test_an_order_that_is_not_over_stays(shop, product, state, origin):
    order = origin(shop, state, line(product) if origin is live else product)
    before, stock = rows(shop, [order]), stocks(shop)
    assert archive(shop) == 0
    assert rows(shop, [order]) == before and archived(shop, [order]) == NOTHING
    assert stocks(shop) == stock


def test_orders_from_before_the_day_are_moved_and_others_stay(shop, product):
    early = [from_feed(shop, "delivered", product, date=date)
             for date in ("2015-06-07", "2023-12-31 23:59:59", "2024-12-31 23:59:59")]
    late = [from_feed(shop, "delivered", product, date=date)
            for date in ("2025-01-01 00:00:00", "2025-01-01 00:00:01", "2026-01-01")]
    assert archive(shop) == 3
    assert [row["order_id"] for row in archived(shop, early + late)[0]] == early
    assert [row["order_id"] for row in rows(shop, early + late)[0]] == late


def test_an_order_without_lines_is_moved(shop):
    order = from_feed(shop, "cancelled", total="0.00")
    before = rows(shop, [order])
    assert archive(shop) == 1
    assert archived(shop, [order]) == before


def test_what_was_sold_stays_sold(shop, customer):
    product, service = shop.product("5.00", 20), shop.service(lead_days=1)
    order = live(shop, "delivered", line(product, 8), line(service, 2))
    day, = shop.lines(order, "service_date")[1]
    shop.call("sp_ReturnItems", order, json.dumps([line(product, 3), line(service, 1)]))
    stock = stocks(shop)
    assert (shop.stock(product), shop.booked(service, day)) == (15, 1)
    assert archive(shop) == 1
    assert stocks(shop) == stock
    assert (shop.stock(product), shop.booked(service, day)) == (15, 1)


def test_totals_in_the_archive_are_those_that_were_charged(shop, product):
    other = shop.product("0.99")
    ours = [live(shop, state, line(product, 2), line(other, 3)) for state in OVER]
    feeds = [from_feed(shop, state, product, other, total="123.45") for state in OVER]
    assert archive(shop) == 6
    assert shop.sql("SELECT total_amount FROM TR_Orders_Archive WHERE order_id IN %s",
                    ours) == [(decimal.Decimal("22.97"),)] * 3
    assert shop.sql("SELECT total_amount FROM TR_Orders_Archive WHERE order_id IN %s",
                    feeds) == [(decimal.Decimal("123.45"),)] * 3
    assert not shop.sql(
        "SELECT o.order_id FROM TR_Orders_Archive o WHERE order_id IN %s AND total_amount <>"
        " (SELECT SUM(quantity * price) FROM TR_Order_Items_Archive i"
        " WHERE i.order_id = o.order_id)", ours)


def test_lines_in_the_archive_have_the_date_of_their_order(shop, product):
    dates = [datetime.datetime(year, 2, 28, 12) for year in (2019, 2021, 2024)]
    orders = [from_feed(shop, "delivered", product, date=date) for date in dates]
    archive(shop)
    assert shop.sql("SELECT order_id, order_date FROM TR_Order_Items_Archive WHERE order_id IN %s"
                    " ORDER BY order_id", orders) == list(zip(orders, dates))


def test_the_day_they_went_is_kept(shop, product):
    order = from_feed(shop, "delivered", product)
    before = shop.value("SELECT UTC_TIMESTAMP(3)")
    archive(shop)
    went = shop.value("SELECT archived_at FROM TR_Orders_Archive WHERE order_id = %s", order)
    assert before <= went <= shop.value("SELECT UTC_TIMESTAMP(3)")


def test_more_orders_than_one_transaction_moves_all_go(shop, product):
    orders = many(shop, product, 2 * IN_A_TRANSACTION + 7)
    before = rows(shop, orders)
    assert archive(shop) == len(orders)
    assert archived(shop, orders) == before and rows(shop, orders) == NOTHING


def test_archiving_again_moves_nothing(shop, product):
    order = live(shop, "delivered", line(product, 2))
    assert archive(shop) == 1
    before = archived(shop, [order]), stocks(shop)
    assert archive(shop) == 0
    assert (archived(shop, [order]), stocks(shop)) == before


@pytest.mark.parametrize("day", ["NULL", "UTC_DATE() + INTERVAL 1 DAY", "'9999-12-31'"])
def test_a_day_that_is_not_past_is_refused(shop, product, day):
    live(shop, "delivered", line(product))
    with shop.refused("45007", "a day that is past"):
        shop.sql(f"CALL sp_archive_old_orders({day})")


# --- what an archived order is to others -----------------------------------------------------


def test_an_archived_order_cannot_be_changed(shop, product):
    order = live(shop, "delivered", line(product, 2))
    archive(shop)
    for action in (lambda: shop.call("sp_CancelOrder", order),
                   lambda: shop.call("sp_ReturnItems", order, None),
                   lambda: shop.call("sp_ReturnItems", order, json.dumps([line(product)])),
                   lambda: shop.call("sp_SetOrderStatus", order, "delivered")):
        with shop.refused("45010", f"order {order} is archived and cannot be changed"):
            action()


def test_the_key_of_an_archived_order_gives_its_first_answer(shop, customer, product):
    first = shop.place(customer, [line(product, 2)], "k")
    shop.call("sp_CancelOrder", first.order)
    dated(shop, first.order)
    assert archive(shop) == 1
    assert shop.place(customer, [line(product, 2)], "k") == first
    assert shop.stock(product) == 1000


def figures(shop, customers):
    """What views, functions and procedures say, but for whether an order is archived."""
    views = {view: sorted(shop.sql(f"SELECT * FROM {view}"), key=repr)
             for view in ("v_QuarterlySales", "v_TopProducts", "v_LowStock", "v_CategoryRevenue",
                          "V_Public_Product_Catalog", "V_Sales_And_Reviews_Summary",
                          "V_Supplier_Performance_Review", "V_Customer_Value_Summary",
                          "V_Order_Status_Dashboard", "V_Geographic_Sales_Report")}
    views["history"] = sorted(row[:-1] for row in shop.sql(
        "SELECT * FROM V_Customer_Order_History"))
    views["lifetime"] = shop.sql("SELECT customer_id, f_get_customer_lifetime_value(customer_id,"
                                 " 'USD') FROM Customers WHERE customer_id IN %s", customers)
    views["totals"] = shop.sql("SELECT order_id, f_get_order_total(order_id)"
                               " FROM V_Customer_Order_History ORDER BY order_id")
    for procedure, *args in (("sp_get_total_revenue",), ("sp_get_monthly_revenue", 2024),
                             ("sp_get_orders_by_state", "IL"),
                             ("sp_calculate_running_sales_total", "2024-01-01", "2025-12-31")):
        views[procedure] = shop.call(procedure, *args)
    views["month"] = [row[:-1] for row in shop.call("sp_get_orders_in_month", 2024, 5)]
    return views


def test_figures_are_the_same_before_and_after(shop, customer, product):
    shop.address(customer, is_default=1)
    address = shop.address(shop.customer(), state="BC", country="CA")
    other, service = shop.product("3.33", 40), shop.service()
    for state in STATES:
        live(shop, state, line(product, 2), line(other, 1), customer=customer)
        from_feed(shop, state, product, other, customer=customer, total="12.34")
    part = live(shop, "delivered", line(product, 3), line(service, 1), customer=customer)
    shop.call("sp_ReturnItems", part, json.dumps([line(product, 1)]))
    from_feed(shop, "delivered", product, address_id=address, currency="EUR")
    before = figures(shop, [customer])
    lifetime, = before["lifetime"]
    # paid, shipped, delivered of each kind, and what stayed of the one that came back in part
    assert lifetime == (customer, 3 * decimal.Decimal("23.33") + 3 * decimal.Decimal("12.34") + 70)
    assert archive(shop) == 8
    after = figures(shop, [customer])
    for name, was in before.items():
        assert after[name] == was, name


def test_the_history_says_what_is_archived(shop, customer, product):
    gone = from_feed(shop, "delivered", product, customer=customer)
    stays = from_feed(shop, "paid", product, customer=customer)
    archive(shop)
    assert shop.sql("SELECT order_id, is_archived FROM V_Customer_Order_History"
                    " WHERE customer_id = %s ORDER BY order_id", customer) == [(gone, 1),
                                                                               (stays, 0)]


# --- interruptions, and others at work -------------------------------------------------------


def many(shop, product, number):
    """So many delivered orders of a feed with a line each, of different days; by their date."""
    customer = shop.customer()
    first = next(feed_keys)
    with shop.link.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO Orders (external_id, customer_id, order_date, order_status, total_amount)"
            " VALUES (%s, %s, %s, 'delivered', 5)",
            [(f"many-{first}-{n}", customer, OLD + datetime.timedelta(hours=n))
             for n in range(number)])
        orders = [row[0] for row in shop.sql(
            "SELECT order_id FROM Orders WHERE customer_id = %s ORDER BY order_date", customer)]
        cursor.executemany(
            "INSERT INTO Order_Items (order_id, product_id, quantity, price, stock_taken)"
            " VALUES (%s, %s, 1, 5, 0)", [(order, product) for order in orders])
    return orders


def all_there(shop, orders):
    """Each order in one of the two places, with its lines beside it; what both hold together."""
    here, there = rows(shop, orders), archived(shop, orders)
    for places in (here, there):
        heads = {row["order_id"] for row in places[0]}
        assert {row["order_id"] for row in places[1]} == heads
    return (sorted(here[0] + there[0], key=lambda row: row["order_id"]),
            sorted(here[1] + there[1], key=lambda row: row["order_item_id"]))


@pytest.mark.parametrize("kill", ["KILL", "KILL QUERY"])
@pytest.mark.parametrize("what", ["order", "line", "product"])
def test_a_killed_archiving_loses_nothing_and_doubles_nothing(shop, product, what, kill):
    orders = many(shop, shop.product(), IN_A_TRANSACTION + 40)
    stopped = live(shop, "delivered", line(product, 2), date=OLD + datetime.timedelta(hours=220,
                                                                                       minutes=1))
    orders.append(stopped)
    before, stock = rows(shop, sorted(orders)), stocks(shop)
    holder, client = shop.client(autocommit=False), shop.client()
    holder.sql({"order": "SELECT 1 FROM Orders WHERE order_id = %s FOR UPDATE",
                "line": "SELECT 1 FROM Order_Items WHERE order_id = %s FOR UPDATE",
                "product": "SELECT 1 FROM Products p JOIN Order_Items i USING (product_id)"
                           " WHERE i.order_id = %s FOR UPDATE"}[what], stopped)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(archive, client)
        shop.wait_for_locks(1)
        shop.sql(f"{kill} {client.link.thread_id()}")
        with pytest.raises(pymysql.Error):
            answer.result()
    holder.link.rollback()
    shop.wait_for_locks(0)
    assert all_there(shop, orders) == before
    assert len(archived(shop, orders)[0]) == IN_A_TRANSACTION
    again = client if kill == "KILL QUERY" else shop
    assert archive(again) == 41
    assert archived(shop, sorted(orders)) == before and rows(shop, orders) == NOTHING
    assert stocks(shop) == stock
    assert [kind for kind, *_ in shop.events(stopped)].count("lines") == 0


def test_a_connection_that_is_killed_at_any_moment_loses_nothing(shop, product):
    orders = many(shop, product, 600)
    for number in range(8):
        orders.append(live(shop, OVER[number % 3], line(product, 2),
                           date=OLD + datetime.timedelta(hours=60 * number, minutes=1)))
    before, stock = rows(shop, sorted(orders)), stocks(shop)
    for pause in (0.0, 0.02, 0.05, 0.09, 0.14):
        client = shop.client()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(archive, client)
            threading.Event().wait(pause)
            try:
                shop.sql(f"KILL {client.link.thread_id()}")
            except pymysql.Error as error:
                assert error.args[0] == 1094, error  # it is gone already
            assert answer.exception() is None or isinstance(answer.exception(), pymysql.Error)
        assert all_there(shop, orders) == before
        assert stocks(shop) == stock
    archive(shop)
    assert archived(shop, sorted(orders)) == before and rows(shop, orders) == NOTHING


def test_an_archiving_that_fails_does_not_touch_totals_later(shop, product):
    """A table of somebody's own may hold lines."""
    order = live(shop, "delivered", line(product, 2))
    item, = shop.lines(order, "order_item_id")[0]
    shop.sql("CREATE TABLE Own_Notes (order_item_id BIGINT UNSIGNED NOT NULL,"
             " FOREIGN KEY (order_item_id) REFERENCES Order_Items (order_item_id)) ENGINE=InnoDB")
    try:
        shop.sql("INSERT INTO Own_Notes VALUES (%s)", item)
        before = rows(shop, [order])
        with pytest.raises(pymysql.IntegrityError):
            archive(shop)
        assert rows(shop, [order]) == before and archived(shop, [order]) == NOTHING
        shop.sql("UPDATE Order_Items SET quantity = 3 WHERE order_item_id = %s", item)
        assert shop.total(order) == 30
    finally:
        shop.sql("DROP TABLE Own_Notes")
    assert archive(shop) == 1


def test_an_order_that_comes_back_in_the_meantime_is_moved_as_it_is_then(shop, product):
    order = live(shop, "delivered", line(product, 3))
    holder, client = shop.client(autocommit=False), shop.client()
    holder.sql("SELECT 1 FROM Orders WHERE order_id = %s FOR UPDATE", order)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(archive, client)
        shop.wait_for_locks(1)
        holder.sql("UPDATE Order_Items SET returned_quantity = quantity WHERE order_id = %s", order)
        holder.sql("UPDATE Orders SET order_status = 'returned', payment_status = 'refunded',"
                   " refunded_amount = total_amount WHERE order_id = %s", order)
        holder.link.commit()
        assert answer.result() == 1
    (head,), (item,) = archived(shop, [order])
    assert (head["order_status"], head["refunded_amount"]) == ("returned", 30)
    assert item["returned_quantity"] == 3 and shop.stock(product) == 1000


def test_two_that_archive_at_once_move_each_order_once(shop, product):
    orders = many(shop, product, 450)
    orders += [live(shop, OVER[n % 3], line(product, 1 + n % 4)) for n in range(12)]
    before, stock = rows(shop, sorted(orders)), stocks(shop)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        moved = [pool.submit(archive, shop.client()) for _ in range(3)]
        assert sum(answer.result() for answer in moved) == len(orders)
    assert archived(shop, sorted(orders)) == before and rows(shop, orders) == NOTHING
    assert stocks(shop) == stock


def test_archiving_while_the_shop_is_busy_reaches_no_client_with_a_deadlock(shop):
    initial = {shop.product(f"{n}.50", 5000): 5000 for n in range(1, 5)}
    products = list(initial)
    sold = dict.fromkeys(products, 0)
    for number in range(40):  # their lines are settled product by product, in any order
        pair = products[number % 4], products[(number + 1 + number % 3) % 4]
        live(shop, "delivered", line(pair[0], 1), line(pair[1], 2))
        for product, quantity in zip(pair, (1, 2)):
            sold[product] += quantity
    customers = [shop.customer() for _ in range(3)]
    placed = [[] for _ in customers]

    def buy(i):
        client = shop.client()
        for number in range(25):
            lines = [line(p) for p in products[number % 4:] + products[:number % 4]]
            order = client.place(customers[i], lines, f"{i}-{number}").order
            placed[i].append(order)
            if number % 3 == 0:
                client.call("sp_CancelOrder", order)

    def clear(_):
        client = shop.client()
        return sum(archive(client) for _ in range(3))
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        buyers = [pool.submit(buy, i) for i in range(3)]
        archivers = [pool.submit(clear, i) for i in range(2)]
        for buyer in buyers:
            buyer.result()
        assert sum(answer.result() for answer in archivers) == 40
    for product in products:  # archived pieces are no longer held by a line of an order
        initial[product] -= sold[product]
    shop.check_nothing_lost(initial)


# --- a partition a year ----------------------------------------------------------------------


ARCHIVES = ["TR_Orders_Archive", "TR_Order_Items_Archive"]


@pytest.mark.parametrize("table", ARCHIVES)
@pytest.mark.parametrize("year", [2015, 2024, 2027])
def test_a_query_of_a_year_looks_at_its_partition_alone(shop, table, year):
    explained, = shop.sql(f"EXPLAIN PARTITIONS SELECT * FROM {table} WHERE order_date >= %s"
                          " AND order_date < %s", f"{year}-01-01", f"{year + 1}-01-01")
    assert explained[3] == f"p{year}"


def test_what_was_sold_in_a_year_is_read_from_its_partitions_alone(shop):
    explained = shop.sql("EXPLAIN PARTITIONS SELECT * FROM v_Sold_Lines WHERE order_date >="
                         " '2024-01-01' AND order_date < '2025-01-01'")
    assert [row[3] for row in explained if row[3]] == ["p2024", "p2024"]


def partitions(shop, table):
    return [row[0] for row in shop.sql(
        "SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE()"
        " AND table_name = %s ORDER BY partition_ordinal_position", table)]


def in_partition(shop, table, partition):
    return {row[0] for row in shop.sql(f"SELECT order_id FROM {table} PARTITION ({partition})")}


def kept_in(shop, table, order, date):
    """A row that stands in the archive."""
    columns = {"order_id": order, "order_date": date}
    if table == "TR_Orders_Archive":
        columns |= {"customer_id": 1, "order_status": "cancelled", "total_amount": 0,
                    "currency": "USD", "sales_channel": "web", "payment_status": "void",
                    "refunded_amount": 0}
    else:
        columns |= {"order_item_id": order, "product_id": 1, "quantity": 1, "price": 0,
                    "returned_quantity": 0}
    shop.insert(table, **columns)


@pytest.mark.parametrize("table", ARCHIVES)
def test_a_new_year_gets_its_partition_once_and_what_stood_in_the_last_one(shop, table):
    *years, later = partitions(shop, table)
    year = int(years[-1][1:]) + 1
    assert later == "p_later"
    base = 900000000 + 10 * year
    for number, date in enumerate((f"{year - 1}-12-31 23:59:59", f"{year}-01-01",
                                   f"{year}-12-31 23:59:59", f"{year + 1}-01-01")):
        kept_in(shop, table, base + number, date)
    try:
        assert in_partition(shop, table, "p_later") == {base + 1, base + 2, base + 3}
        for _ in range(2):
            shop.call("sp_AddArchiveYear", table, year)
            assert partitions(shop, table) == years + [f"p{year}", "p_later"]
            assert in_partition(shop, table, f"p{year}") == {base + 1, base + 2}
            assert in_partition(shop, table, "p_later") == {base + 3}
            assert base in in_partition(shop, table, years[-1])
    finally:
        shop.sql(f"DELETE FROM {table} WHERE order_id BETWEEN %s AND %s", base, base + 3)


@pytest.mark.parametrize("table", ARCHIVES)
def test_a_year_that_was_left_out_gets_its_partition_later(shop, table):
    """As one before the first does: it is cut off the next one, with what stood in that."""
    *years, _ = partitions(shop, table)
    last = int(years[-1][1:])
    base = 800000000 + 10 * last
    shop.call("sp_AddArchiveYear", table, last + 3)
    kept_in(shop, table, base, f"{last + 1}-06-01")
    kept_in(shop, table, base + 1, f"{last + 2}-06-01")
    try:
        for year in (last + 1, last + 2, 2014):
            shop.call("sp_AddArchiveYear", table, year)
        assert partitions(shop, table) == ["p2014", *years] + [
            f"p{year}" for year in range(last + 1, last + 4)] + ["p_later"]
        assert in_partition(shop, table, f"p{last + 1}") == {base}
        assert in_partition(shop, table, f"p{last + 2}") == {base + 1}
    finally:
        shop.sql(f"DELETE FROM {table} WHERE order_id BETWEEN %s AND %s", base, base + 1)


@pytest.mark.parametrize("table", ARCHIVES)
def test_a_year_that_has_its_partition_changes_nothing(shop, table):
    before = shop.sql(f"SHOW CREATE TABLE {table}")
    shop.call("sp_AddArchiveYear", table, 2024)
    assert shop.sql(f"SHOW CREATE TABLE {table}") == before
