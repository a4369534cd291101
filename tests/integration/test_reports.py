"""The shop's figures: each view, function and procedure of sql/100-reports.sql answers what plain
Python works out from the rows of the tables. A shop of two years is made once for the file."""
import collections
import concurrent.futures
import datetime
import decimal
import json
import random
import types

import pymysql
import pytest

import ordering
from ordering import line

STATES = ["pending", "paid", "shipped", "delivered", "cancelled", "returned"]
CURRENCIES = ["USD", "EUR", "CAD"]
PLACES = [("IL", "US"), ("TX", "US"), ("BC", "CA"), ("ON", "CA"), (None, "DE"), ("Wien", "AT")]
FROM, UNTIL = datetime.datetime(2024, 1, 1), datetime.datetime(2026, 1, 1)
ARCHIVED_BEFORE = "2025-02-01"
FEED_ORDERS, LIVE_ORDERS = 320, 90
CENT = decimal.Decimal("0.01")
UNKNOWN = 99999999


# --- a shop of two years ---------------------------------------------------------------------


def cents(choice, low, high):
    return decimal.Decimal(choice.randint(low, high)) / 100


def moment(choice):
    return FROM + datetime.timedelta(seconds=choice.randrange(int((UNTIL - FROM).total_seconds())))


def make_categories(shop):
    """Three tops, each with two below it, each with two below that; all that are no tops."""
    made = [shop.category]
    for top in range(3):
        first = shop.insert("Categories", category_name=f"Top {top}", category_slug=f"t{top}")
        for middle in range(2):
            slug = f"t{top}/m{middle}"
            second = shop.insert("Categories", category_name=f"Middle {middle}",
                                 category_slug=slug, parent_id=first)
            made += [second] + [shop.insert("Categories", category_name=f"Leaf {leaf}",
                                            category_slug=f"{slug}/l{leaf}", parent_id=second)
                                for leaf in range(2)]
    return made


def make_products(shop, choice):
    """{currency: products}; the first of each is never sold, the last is a service."""
    categories = make_categories(shop)
    suppliers = [shop.supplier] + [shop.insert("Suppliers", supplier_name=f"Brand {n}")
                                   for n in range(4)]
    made = {}
    for currency in CURRENCIES:
        made[currency] = []
        for number in range(14):
            shop.category = choice.choice(categories)
            shop.supplier = choice.choice(suppliers)
            price = cents(choice, 99, 49999)
            product = (shop.service(price, 1000) if number >= 12
                       else shop.product(price, 2000, image_url=f"http://x/{number}"))
            shop.sql("UPDATE Products SET currency = %s, product_name = %s WHERE product_id = %s",
                     currency, f"Thing {currency} {number}", product)
            made[currency].append(product)
    return made


def make_feed_orders(shop, choice, customers, products):
    orders, lines = [], []
    for number in range(1, FEED_ORDERS + 1):
        customer = choice.choice(list(customers))
        address = choice.choice([None, *customers[customer]])
        currency, state = choice.choice(CURRENCIES), choice.choice(STATES)
        total = decimal.Decimal(0)
        for product in choice.sample(products[currency][1:], choice.randint(0, 4)):
            quantity, price = choice.randint(1, 6), cents(choice, 99, 49999)
            back = choice.choice([0, 0, 0, choice.randint(0, quantity)])
            lines.append((number, product, quantity, price, back))
            total += quantity * price
        total = max(decimal.Decimal(0), total + cents(choice, -2000, 3000))
        refunded = choice.choice([0, 0, cents(choice, 0, int(total * 100))])
        orders.append((number, f"feed-{number}", customer, address, moment(choice), state, total,
                       currency, total if state == "returned" else refunded))
    first = 10000  # their numbers, above those of others
    with shop.link.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO Orders (order_id, external_id, customer_id, address_id, order_date,"
            " order_status, total_amount, currency, refunded_amount)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(first + order[0], *order[1:]) for order in orders])
        cursor.executemany(
            "INSERT INTO Order_Items (order_id, product_id, quantity, price, returned_quantity,"
            " stock_taken) VALUES (%s, %s, %s, %s, %s, 0)",
            [(first + line_[0], *line_[1:]) for line_ in lines])


def make_live_order(shop, choice, number, customers, products):
    customer = choice.choice(list(customers))
    state = STATES[number % len(STATES)]
    chosen = choice.sample(products[choice.choice(CURRENCIES)][1:], choice.randint(1, 4))
    lines = [line(product, choice.randint(1, 5)) for product in chosen]
    order = shop.place(customer, lines, f"{number}",
                       address=choice.choice([None, *customers[customer]])).order
    if state == "cancelled":
        if choice.random() < 0.5:
            shop.call("sp_SetOrderStatus", order, "paid")
        shop.call("sp_CancelOrder", order)
    else:
        for step in STATES[1:1 + min(STATES.index(state), 3)]:
            shop.call("sp_SetOrderStatus", order, step)
        if state == "returned":
            shop.call("sp_ReturnItems", order, None)
        elif state in ("shipped", "delivered") and choice.random() < 0.6:
            shop.call("sp_ReturnItems", order, json.dumps([line(choice.choice(chosen))]))
        elif state == "paid" and choice.random() < 0.3:  # an old line, written into it by hand
            left = [p for p in products["USD"][1:] if p not in chosen]
            shop.line(order, left[0], 2, "1.25", stock_taken=0)
    shop.sql("UPDATE Orders SET order_date = %s WHERE order_id = %s", moment(choice), order)


def fill(shop):
    choice = random.Random(20240101)
    products = make_products(shop, choice)
    customers = {}
    for number in range(24):
        customer = shop.customer(last_name=f"No. {number}")
        customers[customer] = [
            shop.address(customer, is_default=choice.randint(0, 1), state=state, country=country)
            for state, country in choice.sample(PLACES, number % 3)]
    del customers[shop.customers[-1]]  # never orders anything
    make_feed_orders(shop, choice, customers, products)
    for number in range(LIVE_ORDERS):
        make_live_order(shop, choice, number, customers, products)
    shop.order(shop.customers[0], order_status="paid")  # by hand, and empty
    sold = [product for some in products.values() for product in some[1:]]
    for _ in range(250):
        shop.insert("Reviews", product_id=choice.choice(sold[1:]), review_date=moment(choice),
                    customer_id=choice.choice(shop.customers), rating=choice.randint(1, 5))
    for some in products.values():  # few, none, more than few, retired
        for product, stock in zip(some[1:], (0, 3, 5, 6, 7)):
            shop.sql("UPDATE Products SET stock_quantity = %s WHERE product_id = %s", stock,
                     product)
        shop.reserve(shop.customers[1], [line(some[4], 1), line(some[5], 3)], 1440)
        shop.sql("UPDATE Products SET product_status = 'retired' WHERE product_id IN %s",
                 [some[2], some[8]])
    shop.sql("UPDATE Customer_Addresses SET state = 'Elsewhere', country = 'FR'"
             " WHERE address_id %% 3 = 0 AND %s", 1)
    shop.sql("CALL sp_archive_old_orders(%s)", ARCHIVED_BEFORE)


@pytest.fixture(scope="module")
def made(shop_server):
    """The connection of the shop that all tests read."""
    shop = ordering.Shop(shop_server)
    try:
        fill(shop)
        yield shop
        shop.check()
    finally:
        shop.close()


# --- what the tables hold, worked out in Python ----------------------------------------------


def table(made, name):
    with made.link.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {name}")
        names = [column[0] for column in cursor.description]
        return [types.SimpleNamespace(**dict(zip(names, row))) for row in cursor.fetchall()]


class Base:
    """The rows of the tables, those of the archive beside those that live."""

    def __init__(self, made):
        for name in ("Products", "Categories", "Suppliers", "Customers", "Customer_Addresses",
                     "Reviews"):
            setattr(self, name.lower(), table(made, name))
        self.live = table(made, "Orders")
        archived = table(made, "TR_Orders_Archive")
        self.archived = {order.order_id for order in archived}
        self.orders = self.live + archived
        self.lines = table(made, "Order_Items") + table(made, "TR_Order_Items_Archive")
        self.product = {row.product_id: row for row in self.products}
        self.address = {row.address_id: row for row in self.customer_addresses}
        self.supplier = {row.supplier_id: row for row in self.suppliers}
        self.category = {row.category_id: row for row in self.categories}

    def sales(self):
        """(order, what it brought) of all that were paid."""
        return [(order, decimal.Decimal(0) if order.order_status == "returned"
                 else order.total_amount - order.refunded_amount)
                for order in self.orders if order.order_status not in ("pending", "cancelled")]

    def sold(self):
        """(line, order, pieces that stayed sold, pieces that came back)."""
        orders = {order.order_id: order for order, _ in self.sales()}
        for row in self.lines:
            order = orders.get(row.order_id)
            if order is not None:
                back = (row.quantity if order.order_status == "returned"
                        else row.returned_quantity)
                yield row, order, row.quantity - back, back

    def by_product(self):
        """{(product, currency): [pieces, revenue, pieces that came back]}"""
        found = collections.defaultdict(lambda: [0, decimal.Decimal(0), 0])
        for row, order, stayed, back in self.sold():
            figures = found[row.product_id, order.currency]
            figures[0] += stayed
            figures[1] += stayed * row.price
            figures[2] += back
        return found

    def ratings(self):
        found = collections.defaultdict(list)
        for review in self.reviews:
            found[review.product_id].append(review.rating)
        return found

    def line_total(self, order):
        return sum((row.quantity * row.price for row in self.lines
                    if row.order_id == order), decimal.Decimal(0))


@pytest.fixture
def base(made):
    return Base(made)


def mean(amounts):
    amounts = list(amounts)
    if not amounts:
        return None
    return (decimal.Decimal(sum(amounts)) / len(amounts)).quantize(CENT, decimal.ROUND_HALF_UP)


def grouped(pairs):
    """{key: [values]}"""
    found = collections.defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found


def same(rows, expected):
    """The same rows, however often, in any order."""
    rows, expected = collections.Counter(rows), collections.Counter(map(tuple, expected))
    assert rows == expected, f"too many: {rows - expected}\nmissing: {expected - rows}"


def view(made, name, columns="*"):
    return made.sql(f"SELECT {columns} FROM {name}")


def test_the_shop_of_these_tests_has_all_kinds_of_orders(made, base):
    kinds = collections.Counter((order.order_status, order.external_id is None,
                                 order.order_id in base.archived) for order in base.orders)
    for state in STATES:
        for is_live in (True, False):
            for is_archived in ((True, False) if state in STATES[3:] else (False,)):
                assert kinds[state, is_live, is_archived] > 0, (state, is_live, is_archived)
    assert any(order.payment_status == "part_refunded" for order in base.orders)
    assert {order.ship_country for order in base.orders} > {"US", "CA", None}


# --- views -----------------------------------------------------------------------------------


def test_sales_are_counted_by_quarter_and_currency(made, base):
    quarters = grouped(((order.order_date.year, (order.order_date.month + 2) // 3, order.currency),
                        amount) for order, amount in base.sales())
    same(view(made, "v_QuarterlySales"), (
        (*key, len(amounts), sum(amounts), mean(amounts)) for key, amounts in quarters.items()))


def test_products_are_placed_by_what_they_brought_in_each_currency(made, base):
    found = base.by_product()
    same(view(made, "v_TopProducts"), (
        (product, base.product[product].product_name, currency, units, revenue,
         1 + sum(other[1] > revenue for (_, its), other in found.items() if its == currency))
        for (product, currency), (units, revenue, _) in found.items()))


def test_low_stock_is_five_or_fewer_that_can_be_sold(made, base):
    low = [p for p in base.products if p.product_status == "active"
           and p.stock_quantity is not None and p.stock_quantity - p.reserved_quantity <= 5]
    assert {p.stock_quantity - p.reserved_quantity for p in low} >= {0, 5}
    same(view(made, "v_LowStock"), (
        (p.product_id, p.product_name, base.supplier[p.supplier_id].supplier_name,
         p.stock_quantity, p.reserved_quantity, p.stock_quantity - p.reserved_quantity)
        for p in low))


def test_a_category_has_the_revenue_of_all_that_stand_below_it(made, base):
    found = collections.defaultdict(lambda: [0, decimal.Decimal(0)])
    for (product, currency), (units, revenue, _) in base.by_product().items():
        category = base.product[product].category_id
        while category is not None:
            found[category, currency][0] += units
            found[category, currency][1] += revenue
            category = base.category[category].parent_id
    same(view(made, "v_CategoryRevenue"), (
        (category, base.category[category].parent_id, base.category[category].category_name,
         currency, units, revenue) for (category, currency), (units, revenue) in found.items()))


def test_the_catalog_shows_what_is_active_and_whether_it_can_be_had(made, base):
    ratings = base.ratings()
    same(view(made, "V_Public_Product_Catalog"), (
        (p.product_id, p.product_kind, p.product_name, base.supplier[p.supplier_id].supplier_name,
         base.category[p.category_id].category_name, p.price, p.currency, p.product_description,
         p.image_url, mean(ratings[p.product_id]), len(ratings[p.product_id]),
         p.product_kind == "service" or p.stock_quantity > p.reserved_quantity)
        for p in base.products if p.product_status == "active"))


def test_each_product_has_its_sales_beside_its_reviews(made, base):
    found, ratings, expected = base.by_product(), base.ratings(), []
    for p in base.products:
        stars = ratings[p.product_id]
        mine = {currency: figures for (product, currency), figures in found.items()
                if product == p.product_id} or {None: (0, 0, 0)}
        expected += [(p.product_id, p.product_name, currency, units, revenue, len(stars),
                      mean(stars)) for currency, (units, revenue, _) in mine.items()]
    assert any(row[2] is None for row in expected)
    same(view(made, "V_Sales_And_Reviews_Summary"), expected)


def test_suppliers_have_sales_returns_and_ratings_of_their_products(made, base):
    found, ratings, expected = base.by_product(), base.ratings(), []
    for s in base.suppliers:
        products = [p.product_id for p in base.products if p.supplier_id == s.supplier_id]
        stars = [rating for product in products for rating in ratings[product]]
        mine = collections.defaultdict(lambda: [0, decimal.Decimal(0), 0])
        for (product, currency), figures in found.items():
            if product in products:
                mine[currency] = [a + b for a, b in zip(mine[currency], figures)]
        expected += [(s.supplier_id, s.supplier_name, currency, *figures, len(products),
                      len(stars), mean(stars))
                     for currency, figures in (mine or {None: (0, 0, 0)}).items() if products]
    same(view(made, "V_Supplier_Performance_Review"), expected)


def test_customers_have_their_value_in_each_currency(made, base):
    found = grouped(((order.customer_id, order.currency), (amount, order.order_date))
                    for order, amount in base.sales())
    same(view(made, "V_Customer_Value_Summary"), (
        (*key, len(sales), sum(amount for amount, _ in sales), mean(amount for amount, _ in sales),
         min(date for _, date in sales), max(date for _, date in sales))
        for key, sales in found.items()))


def history(base):
    return [(o.customer_id, o.order_id, o.order_date, o.order_status, o.payment_status,
             o.total_amount, o.refunded_amount, o.currency, o.order_id in base.archived)
            for o in base.orders]


def test_the_history_has_every_order_once(made, base):
    assert len(base.orders) >= FEED_ORDERS + LIVE_ORDERS
    assert len(set(order.order_id for order in base.orders)) == len(base.orders)
    same(view(made, "V_Customer_Order_History"), history(base))


def test_the_dashboard_counts_orders_by_state_and_currency(made, base):
    found = grouped(((order.order_status, order.currency), order) for order in base.orders)
    same(view(made, "V_Order_Status_Dashboard"), (
        (*key, len(orders), sum(o.total_amount for o in orders),
         sum(o.refunded_amount for o in orders), min(o.order_date for o in orders),
         max(o.order_date for o in orders)) for key, orders in found.items()))


def place(base, order, part):
    """Where it was sent: as it was then, else as the address is now."""
    then = getattr(order, f"ship_{part}")
    if then is None and order.address_id is not None:
        return getattr(base.address[order.address_id], part)
    return then


def test_sales_are_counted_by_the_country_they_were_sent_to(made, base):
    found = grouped(((place(base, order, "country"), order.currency), (order.customer_id, amount))
                    for order, amount in base.sales())
    assert {country for country, _ in found} > {"US", "CA", "FR", None}
    same(view(made, "V_Geographic_Sales_Report"), (
        (*key, len(sales), len({customer for customer, _ in sales}),
         sum(amount for _, amount in sales)) for key, sales in found.items()))


def test_the_balance_of_an_order_has_lines_charge_refund_and_what_is_due(made, base):
    same(view(made, "V_Order_Balance_Sheet"), (
        (o.order_id, o.customer_id, o.order_date, o.order_status, o.payment_status, o.currency,
         base.line_total(o.order_id), o.total_amount, o.refunded_amount,
         o.total_amount if o.payment_status == "open" else 0, o.order_id in base.archived)
        for o in base.orders))


# --- functions -------------------------------------------------------------------------------


def each(made, function, table_name, key, *more):
    """{key: what the function says of each row}"""
    marks = "".join(", %s" for _ in more)
    return dict(made.sql(f"SELECT {key}, {function}({key}{marks}) FROM {table_name}", *more))


def test_a_product_has_the_average_of_its_reviews(made, base):
    ratings = base.ratings()
    found = each(made, "f_get_product_avg_rating", "Products", "product_id")
    assert found == {p.product_id: mean(ratings[p.product_id]) for p in base.products}
    assert None in found.values()
    assert made.value("SELECT f_get_product_avg_rating(%s)", UNKNOWN) is None


def test_a_supplier_has_the_average_of_all_reviews_of_its_products(made, base):
    ratings = base.ratings()
    assert each(made, "f_get_company_avg_rating", "Suppliers", "supplier_id") == {
        s.supplier_id: mean(stars for p in base.products if p.supplier_id == s.supplier_id
                            for stars in ratings[p.product_id]) for s in base.suppliers}
    assert made.value("SELECT f_get_company_avg_rating(%s)", UNKNOWN) is None


def test_an_order_comes_to_the_sum_of_its_lines_archived_or_not(made, base):
    found = each(made, "f_get_order_total", "V_Customer_Order_History", "order_id")
    assert found == {o.order_id: base.line_total(o.order_id) for o in base.orders}
    assert made.value("SELECT f_get_order_total(%s)", UNKNOWN) is None


@pytest.mark.parametrize("currency", [*CURRENCIES, "JPY"])
def test_the_lifetime_value_of_a_customer_is_of_one_currency(made, base, currency):
    value = {c.customer_id: decimal.Decimal(0) for c in base.customers}
    for order, amount in base.sales():
        if order.currency == currency:
            value[order.customer_id] += amount
    assert each(made, "f_get_customer_lifetime_value", "Customers", "customer_id",
                currency) == value


def test_the_stock_status_says_whether_it_can_be_had(made, base):
    def status(p):
        if p.product_status == "retired":
            return "retired"
        if p.product_kind == "service":
            return "service"
        left = p.stock_quantity - p.reserved_quantity
        return "out of stock" if left <= 0 else "low stock" if left <= 5 else "in stock"
    found = each(made, "f_get_stock_status", "Products", "product_id")
    assert found == {p.product_id: status(p) for p in base.products}
    assert len(set(found.values())) == 5
    assert made.value("SELECT f_get_stock_status(%s)", UNKNOWN) is None


# --- procedures ------------------------------------------------------------------------------


def test_the_total_revenue_is_by_currency(made, base):
    found = grouped((order.currency, amount) for order, amount in base.sales())
    assert made.call("sp_get_total_revenue") == [
        (currency, len(amounts), sum(amounts)) for currency, amounts in sorted(found.items())]


@pytest.mark.parametrize("year", [2023, 2024, 2025])
def test_the_revenue_of_a_year_is_by_month_and_currency(made, base, year):
    found = grouped(((order.order_date.month, order.currency), amount)
                    for order, amount in base.sales() if order.order_date.year == year)
    assert made.call("sp_get_monthly_revenue", year) == [
        (*key, len(amounts), sum(amounts)) for key, amounts in sorted(found.items())]


@pytest.mark.parametrize("year, month", [(2024, 1), (2024, 2), (2025, 1), (2025, 12), (2023, 12)])
def test_the_orders_of_a_month_are_listed_by_date(made, base, year, month):
    expected = sorted((row for row in history(base)
                       if (row[2].year, row[2].month) == (year, month)),
                      key=lambda row: (row[2], row[1]))
    assert made.call("sp_get_orders_in_month", year, month) == expected


@pytest.mark.parametrize("state", ["IL", "BC", "Wien", "Elsewhere", "nowhere"])
def test_the_orders_of_a_state_are_those_that_were_sent_there(made, base, state):
    expected = sorted(((o.order_id, o.customer_id, o.order_date, o.order_status, o.total_amount,
                        o.currency) for o in base.orders if place(base, o, "state") == state),
                      key=lambda row: (row[2], row[0]))
    assert made.call("sp_get_orders_by_state", state) == expected
    assert bool(expected) == (state != "nowhere")


@pytest.mark.parametrize("first, last", [("2024-01-01", "2025-12-31"), ("2024-11-15", "2025-03-15"),
                                         ("2025-06-01", "2025-06-01"),
                                         ("2025-06-02", "2025-06-01")])
def test_running_totals_add_up_day_by_day(made, base, first, last):
    low, high = map(datetime.date.fromisoformat, (first, last))
    days = grouped(((order.currency, order.order_date.date()), amount)
                   for order, amount in base.sales() if low <= order.order_date.date() <= high)
    running, expected = collections.Counter(), []
    for (currency, day), amounts in sorted(days.items()):
        running[currency] += sum(amounts)
        expected.append((day, currency, sum(amounts), running[currency]))
    assert made.call("sp_calculate_running_sales_total", first, last) == expected


# --- the quantity of a line ------------------------------------------------------------------


def ordered(shop, state, quantity=4, stock=10):
    """A product, an order of it that came to the state, and its line."""
    product = shop.product("2.50", stock)
    order = shop.place(shop.customer(), [line(product, quantity)], "k").order
    if state == "cancelled":
        shop.call("sp_CancelOrder", order)
    else:
        for step in STATES[1:1 + min(STATES.index(state), 3)]:
            shop.call("sp_SetOrderStatus", order, step)
        if state == "returned":
            shop.call("sp_ReturnItems", order, None)
    return product, order, shop.lines(order, "order_item_id")[0][0]


@pytest.mark.parametrize("quantity, left", [(7, 3), (10, 0), (4, 6), (1, 9)])
def test_stock_and_total_follow_the_quantity_of_a_line(shop, quantity, left):
    product, order, item = ordered(shop, "pending")
    shop.call("sp_update_order_item_quantity", item, quantity)
    assert shop.stock(product) == left
    assert shop.total(order) == quantity * decimal.Decimal("2.50")
    assert shop.lines(order) == [(product, quantity)]


def test_the_quantity_of_a_paid_order_that_is_changed_by_hand_is_logged(shop):
    _, order, item = ordered(shop, "paid")
    shop.sql("UPDATE Order_Items SET quantity = 5 WHERE order_item_id = %s", item)
    assert shop.events(order)[-1] == ("lines", "10.00", "12.50")


def test_places_of_a_service_follow_the_quantity(shop):
    service = shop.service(capacity=3)
    order = shop.place(shop.customer(), [line(service, 2, date="2030-01-01")], "k").order
    item = shop.lines(order, "order_item_id")[0][0]
    shop.call("sp_update_order_item_quantity", item, 3)
    assert shop.booked(service, "2030-01-01") == 3
    with shop.refused("45002"):
        shop.call("sp_update_order_item_quantity", item, 4)


@pytest.mark.parametrize("quantity", [None, 0, -1])
def test_a_quantity_that_is_not_above_0_is_refused(shop, quantity):
    _, _, item = ordered(shop, "pending")
    with shop.refused("45007", f"quantity is {'NULL' if quantity is None else quantity}"):
        shop.call("sp_update_order_item_quantity", item, quantity)


def test_more_than_is_left_is_refused(shop):
    product, _, item = ordered(shop, "pending")
    with shop.refused("45001", f"product {product} has 6 left, 7 wanted"):
        shop.call("sp_update_order_item_quantity", item, 11)


@pytest.mark.parametrize("item, words", [(UNKNOWN, f"line {UNKNOWN}"), (None, "line NULL")])
def test_a_line_that_does_not_exist_is_refused(shop, item, words):
    with shop.refused("45013", f"{words} does not exist"):
        shop.call("sp_update_order_item_quantity", item, 1)


def test_a_line_that_is_archived_is_refused(shop):
    _, order, item = ordered(shop, "delivered")
    shop.sql("UPDATE Orders SET order_date = '2020-01-01' WHERE order_id = %s", order)
    shop.sql("CALL sp_archive_old_orders('2020-02-01')")
    with shop.refused("45013"):
        shop.call("sp_update_order_item_quantity", item, 1)


@pytest.mark.parametrize("state", STATES[1:])
def test_a_line_of_an_order_that_is_not_pending_is_refused(shop, state):
    product, order, item = ordered(shop, state)
    before = shop.stock(product), shop.total(order), shop.events(order)
    for quantity in (1, 9):
        with shop.refused("45010", f"order {order} is {state} and cannot change its lines"):
            shop.call("sp_update_order_item_quantity", item, quantity)
    assert (shop.stock(product), shop.total(order), shop.events(order)) == before


def test_a_quantity_waits_for_whoever_holds_the_order(shop):
    """Who holds it may go on to its lines: neither meets a deadlock."""
    product, order, item = ordered(shop, "pending")
    holder = shop.client(autocommit=False)
    holder.sql("SELECT 1 FROM Orders WHERE order_id = %s FOR UPDATE", order)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(shop.client().call, "sp_update_order_item_quantity", item, 5)
        shop.wait_for_locks(1)
        holder.sql("UPDATE Order_Items SET price = 3 WHERE order_item_id = %s", item)
        holder.link.commit()
        answer.result()
    assert shop.lines(order, "quantity, price") == [(5, 3)]
    assert (shop.stock(product), shop.total(order)) == (5, 15)


def test_a_quantity_that_waits_until_the_order_is_paid_is_refused(shop):
    _, order, item = ordered(shop, "pending")
    holder = shop.client(autocommit=False)
    holder.sql("UPDATE Orders SET order_status = 'paid' WHERE order_id = %s", order)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(shop.client().call, "sp_update_order_item_quantity", item, 5)
        shop.wait_for_locks(1)
        holder.link.commit()
        with pytest.raises(pymysql.Error, match="is paid"):
            answer.result()
    assert shop.total(order) == 10
