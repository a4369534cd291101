"""Orders, services and carts as the schema keeps them, on a MariaDB server alone: by its
procedures and by plain SQL. Fixture `shop` proves at the end of each test what must always hold."""
import concurrent.futures
import datetime
import decimal
import json
import time

import pymysql
import pytest

from ordering import STATES, amount, line

ALLOWED = {("pending", "paid"), ("pending", "cancelled"), ("paid", "shipped"),
           ("paid", "cancelled"), ("shipped", "delivered"), ("shipped", "returned"),
           ("delivered", "returned")}
ZERO = decimal.Decimal(0)


def placed(shop, customer, *lines, key="first"):
    """The number of a new order."""
    return shop.place(customer, list(lines), key).order


def in_state(shop, state, *lines):
    """An order that came by the procedures to one of the states that come before an end."""
    order = placed(shop, shop.customer(), *lines)
    for step in STATES[1:STATES.index(state) + 1]:
        shop.call("sp_SetOrderStatus", order, step)
    return order


# --- placing ---------------------------------------------------------------------------------


def test_an_order_answers_with_its_number_total_currency_and_time(shop, customer, product):
    other = shop.product("0.99")
    before = shop.value("SELECT UTC_TIMESTAMP(3)")
    answer = shop.place(customer, [line(product, 2), line(other, 3)], "k")
    assert answer.total == amount("22.97") and answer.currency == "USD"
    assert before <= answer.placed_at <= shop.value("SELECT UTC_TIMESTAMP(3)")
    assert shop.sql("SELECT customer_id, order_status, payment_status, sales_channel,"
                    " refunded_amount FROM Orders WHERE order_id = %s", answer.order) == [
        (customer, "pending", "open", "direct", ZERO)]
    assert (shop.stock(product), shop.stock(other)) == (98, 97)
    assert shop.movements(product)[1:] == [(-2, "order", answer.order)]
    assert shop.events(answer.order) == [("placed", None, "pending")]


def test_the_channel_of_an_order_is_kept(shop, customer, product):
    order = shop.place_from(customer, [line(product)], "k", channel="web").order
    assert shop.value("SELECT sales_channel FROM Orders WHERE order_id = %s", order) == "web"


def test_an_order_keeps_the_price_of_its_day(shop, customer, product):
    order = placed(shop, customer, line(product, 3))
    shop.call("sp_ChangePrice", product, "99.00")
    assert shop.lines(order, "price") == [(amount("10.00"),)]
    assert shop.total(order) == amount("30.00")
    assert shop.total(placed(shop, customer, line(product), key="next")) == amount("99.00")


def test_lines_of_a_product_become_one_and_stand_in_the_order_of_their_numbers(shop, customer):
    low, high = shop.product(), shop.product()
    order = placed(shop, customer, line(high, 1), line(low, 2), line(high, 3))
    assert shop.lines(order) == [(low, 2), (high, 4)]


def address_of(shop, order):
    return shop.sql("SELECT address_id, ship_street, ship_city, ship_state, ship_zip, ship_country"
                    " FROM Orders WHERE order_id = %s", order)[0]


def test_an_order_keeps_its_address_as_it_was(shop, customer, product):
    address = shop.address(customer)
    order = shop.place(customer, [line(product)], "k", address=address).order
    as_it_was = (address, "1 Main St", "Springfield", "IL", "62701", "US")
    assert address_of(shop, order) == as_it_was
    shop.sql("UPDATE Customer_Addresses SET street = 'elsewhere', country = 'CA'"
             " WHERE address_id = %s", address)
    assert address_of(shop, order) == as_it_was


def test_without_an_address_the_first_default_one_is_taken(shop, customer, product):
    shop.address(customer, street="no default")
    default = shop.address(customer, street="default", is_default=1)
    shop.address(customer, street="default, too", is_default=1)
    assert address_of(shop, placed(shop, customer, line(product)))[:2] == (default, "default")


def test_an_order_of_a_customer_without_a_default_address_has_none(shop, customer, product):
    shop.address(customer)
    shop.address(shop.customer(), is_default=1)
    assert address_of(shop, placed(shop, customer, line(product))) == (None,) * 6


def test_prices_that_were_quoted_rightly_are_accepted(shop, customer, product):
    free = shop.product("0.00")
    by_line = shop.place(customer, [line(product, price="10.00"), line(free, price=0)], "by line")
    apart = shop.place(customer, [line(product), line(free)], "apart", quoted={str(product): 10.0})
    assert by_line.total == apart.total == amount("10.00")


def test_what_the_caller_has_open_is_committed_first(shop, customer, product):
    caller = shop.client(autocommit=False)
    caller.sql("UPDATE Customers SET first_name = 'Open' WHERE customer_id = %s", customer)
    with pytest.raises(pymysql.Error):
        caller.place(customer, [line(product, 1000)], "k")
    caller.link.rollback()
    assert shop.value("SELECT first_name FROM Customers WHERE customer_id = %s", customer) == "Open"


# --- keys ------------------------------------------------------------------------------------


def test_a_repeated_key_gives_the_first_answer_and_orders_nothing(shop, customer, product):
    first = shop.place(customer, [line(product, 60)], "k")
    shop.call("sp_ChangePrice", product, "11.00")
    shop.sql("UPDATE Products SET product_status = 'retired' WHERE product_id = %s", product)
    before = shop.snapshot()
    assert shop.place(customer, [line(product, 60)], "k") == first
    assert shop.snapshot() == before
    shop.call("sp_CancelOrder", first.order)
    assert shop.place(customer, [line(product, 60)], "k") == first


def test_the_order_of_lines_does_not_matter_for_the_key(shop, customer, product):
    other = shop.product()
    first = shop.place(customer, [line(product, 3, price=10), line(other)], "k")
    again = [line(other), line(product, 1, price="10.00"), line(product, 2)]
    assert shop.place(customer, again, "k") == first
    assert shop.stock(product) == 97


@pytest.mark.parametrize("number", [2, 8])
def test_a_key_used_by_many_at_once_makes_one_order(shop, customer, product, number):
    holder = shop.client(autocommit=False)
    holder.sql("SELECT 1 FROM Products WHERE product_id = %s FOR UPDATE", product)
    clients = [shop.client() for _ in range(number)]
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        answers = [pool.submit(c.place, customer, [line(product, 2)], "k") for c in clients]
        shop.wait_for_locks(number)
        holder.link.rollback()
        assert len({a.result() for a in answers}) == 1
    assert shop.stock(product) == 98
    assert shop.sql("SELECT COUNT(*) FROM Orders WHERE customer_id = %s", customer) == [(1,)]


def test_a_key_whose_first_use_is_refused_meanwhile_is_tried_again(shop, customer, product):
    holder = shop.client(autocommit=False)
    holder.sql("UPDATE Products SET stock_quantity = 1 WHERE product_id = %s", product)
    clients = [shop.client(), shop.client()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(c.place, customer, [line(product, 2)], "k") for c in clients]
        shop.wait_for_locks(2)
        holder.link.commit()
        for answer, client in zip(answers, clients):
            with pytest.raises(pymysql.Error, match="1 left, 2 wanted"):
                answer.result()
            assert client.sqlstate() == "45001"
    assert not shop.sql("SELECT 1 FROM Order_Requests WHERE customer_id = %s", customer)


def test_a_key_is_refused_for_any_other_order(shop, customer, product):
    other, address = shop.product(), shop.address(customer)
    shop.place(customer, [line(product, 2)], "k")
    cart = shop.reserve(customer, [line(product)])
    for different in ([line(product, 3)], [line(other, 2)], [line(product, 2), line(other)],
                      [line(product, 2, price="10.00")]):
        with shop.refused("45009", '"k"'):
            shop.place(customer, different, "k")
    with shop.refused("45009"):
        shop.place(customer, [line(product, 2)], "k", address=address)
    with shop.refused("45009"):
        shop.place_from(customer, [line(product, 2)], "k", cart=cart)


def test_a_key_is_the_customers_own(shop, product):
    first, second = shop.customer(), shop.customer()
    orders = {placed(shop, first, line(product), key="k"),
              placed(shop, second, line(product), key="k"),
              placed(shop, first, line(product), key="K")}
    assert len(orders) == 3


def test_the_key_of_a_refused_order_may_be_used_again(shop, customer, product):
    with shop.refused("45001"):
        shop.place(customer, [line(product, 101)], "k")
    shop.call("sp_Restock", product, 1)
    assert shop.place(customer, [line(product, 101)], "k").total == amount("1010.00")


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [None, "", "none", "[]", "{}", "7", '"[]"', '[{"product_id": 1'])
def test_an_order_without_lines_is_refused(shop, customer, lines):
    with shop.refused("45006"):
        shop.place(customer, lines, "k")


@pytest.mark.parametrize("words, wrong", [
    ("product_id is missing", {"product_id": None}),
    ("product_id is 0", {"product_id": 0}),
    ("product_id is -1", {"product_id": -1}),
    ("product_id is 1.5", {"product_id": 1.5}),
    ("product_id is 1 OR 1", {"product_id": "1 OR 1"}),
    ("product_id is [7]", {"product_id": [7]}),
    ("quantity is missing", {"quantity": None}),
    ("quantity is {}", {"quantity": {}}),
    ("quantity is 0", {"quantity": 0}),
    ("quantity is -1", {"quantity": -1}),
    ("quantity is 1.5", {"quantity": 1.5}),
    ("quantity is many", {"quantity": "many"}),
    ("quantity is true", {"quantity": True}),
    ("quantity is 1000000", {"quantity": 1000000}),
    ("price is cheap", {"price": "cheap"}),
    ("price is -1", {"price": -1}),
    ("price is 10.001", {"price": 10.001}),
    ("price is [10.0]", {"price": [10.0]}),
    ('price is {"amount": 10}', {"price": {"amount": 10}}),
    ("price is true", {"price": True}),
    ("price is 1000", {"price": "1" + "0" * 70}),
    ("date is tomorrow", {"date": "tomorrow"}),
    ("date is 2030-02-29", {"date": "2030-02-29"}),
    ("date is 2030-13-01", {"date": "2030-13-01"}),
    ("date is 2030-1-1", {"date": "2030-1-1"}),
    ("date is 2030-01-01T10:00", {"date": "2030-01-01T10:00"}),
    ('date is ["2030-01-01"]', {"date": ["2030-01-01"]}),
    ("only product_id, quantity, price and date", {"Price": 10}),
    ("only product_id, quantity, price and date", {"colour": None}),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_line_that_is_wrong_is_refused(shop, customer, product, words, wrong):
    with shop.refused("45007", f"line 2: {words}"):
        shop.place(customer, [line(product), {**line(product), **wrong}], "k")


def test_a_member_of_a_line_that_stands_twice_is_refused(shop, customer, product):
    with shop.refused("45007", "line 1: only product_id, quantity, price and date are known"):
        shop.place(customer, f'[{{"product_id": {product}, "quantity": 1, "price": 10.00,'
                             ' "price": 9.00}]', "k")


def test_members_that_are_null_say_nothing(shop, customer, product):
    lines = [line(product, price=None, date=None)]
    assert shop.place(customer, lines, "k", quoted={product: None}).total == amount("10.00")


def test_a_line_that_is_no_object_is_refused(shop, customer):
    with shop.refused("45007", "line 1: product_id is missing"):
        shop.place(customer, "[7]", "k")


def test_an_order_has_500_lines_at_most(shop, customer, product):
    with shop.refused("45007", "500 lines"):
        shop.place(customer, [line(product)] * 501, "k")
    shop.call("sp_Restock", product, 400)
    assert shop.place(customer, [line(product)] * 500, "k").total == amount("5000.00")


@pytest.mark.parametrize("quoted", [[], "10.00", 10])
def test_quoted_prices_that_are_no_object_are_refused(shop, customer, product, quoted):
    with shop.refused("45007", "quoted prices"):
        shop.call("sp_PlaceOrder", customer, None, json.dumps([line(product)]), "k",
                  json.dumps(quoted))


@pytest.mark.parametrize("quoted", ["cheap", -10, 10.001, [10.0], {"price": 10}, True])
def test_a_quoted_price_that_is_no_amount_is_refused(shop, customer, product, quoted):
    words = quoted if isinstance(quoted, str) else json.dumps(quoted)
    with shop.refused("45007", f"quoted price of product {product} is {words}, not an amount"):
        shop.place(customer, [line(product)], "k", quoted={product: quoted})
    with shop.refused("45007", "quoted price of product 99999999 is"):
        shop.place(customer, [line(product)], "k", quoted={product: 10, 99999999: quoted})


@pytest.mark.parametrize("name", ["p7", "07", "", 'a"b', "7\n", "7" * 70])
def test_quoted_prices_of_what_is_no_product_are_refused(shop, customer, product, name):
    with shop.refused("45007", "quoted prices name"):
        shop.place(customer, [line(product)], "k", quoted={name: 10})


def test_quoted_prices_of_a_product_twice_are_refused(shop, customer, product):
    for other in (str(product), "".join(f"\\u003{digit}" for digit in str(product))):
        with shop.refused("45007", "quoted prices name "):
            shop.call("sp_PlaceOrder", customer, None, json.dumps([line(product)]), "k",
                      f'{{"{product}": 10.00, "{other}": 9.00}}')


def test_an_order_has_500_quoted_prices_at_most(shop, customer, product):
    quoted = {str(number): 10 for number in range(10 ** 6, 10 ** 6 + 500)}
    with shop.refused("45007", "500 quoted prices at most"):
        shop.place(customer, [line(product)], "k", quoted={**quoted, product: 10})
    shop.place(customer, [line(product)], "k", quoted=quoted)


def test_an_order_for_more_than_is_left_is_refused(shop, customer, product):
    scarce = shop.product(stock=2)
    with shop.refused("45001", f"product {scarce} has 2 left, 3 wanted"):
        shop.place(customer, [line(product), line(scarce, 3)], "k")
    placed(shop, customer, line(scarce, 2))
    with shop.refused("45001", f"product {scarce} has 0 left, 1 wanted"):
        shop.place(customer, [line(scarce)], "k")


def test_a_product_that_does_not_exist_is_refused(shop, customer, product):
    with shop.refused("45003", "product 99999999 does not exist"):
        shop.place(customer, [line(99999999), line(product)], "k")


def test_a_retired_product_is_refused(shop, customer, product):
    retired = shop.product(product_status="retired")
    with shop.refused("45004", f"product {retired} is retired"):
        shop.place(customer, [line(product), line(retired)], "k")


@pytest.mark.parametrize("number, words", [(99999999, "99999999"), (None, "NULL")])
def test_a_customer_who_does_not_exist_is_refused(shop, product, number, words):
    with shop.refused("45005", f"customer {words} does not exist"):
        shop.place(number, [line(product)], "k")


def test_an_inactive_customer_is_refused(shop, product):
    customer = shop.customer(customer_status="inactive")
    with shop.refused("45005", f"customer {customer} is inactive"):
        shop.place(customer, [line(product)], "k")


def test_another_price_than_was_quoted_is_refused(shop, customer, product):
    for lines, quoted in (([line(product, price="9.99")], None),
                          ([line(product)], {product: 10.01}),
                          ([line(product, price=10), line(product, price=11)], None),
                          ([line(product, price=10)], {product: 9}),
                          ([line(product, price=9), line(product)], {product: 10})):
        with shop.refused("45008", f"product {product} costs 10.00 USD"):
            shop.place(customer, lines, "k", quoted=quoted)


@pytest.mark.parametrize("key", [None, "", "x" * 65, "x" * 1000, "clé", "a\tb", "a\n", "\u212a"],
                         ids=["none", "empty", "65", "1000", "accent", "tab", "newline", "kelvin"])
def test_a_key_that_is_not_1_to_64_characters_of_ascii_is_refused(shop, customer, product, key):
    with shop.refused("45009", "1 to 64 ASCII characters"):
        shop.place(customer, [line(product)], key)


def test_a_key_of_64_characters_is_accepted(shop, customer, product):
    first = shop.place(customer, [line(product)], "x" * 64)
    assert shop.place(customer, [line(product)], "x" * 64) == first


def test_an_address_of_somebody_else_is_refused(shop, customer, product):
    shop.address(customer, is_default=1)
    for address in (shop.address(shop.customer(), is_default=1), 99999999):
        with shop.refused("45011", f"address {address} is not one of customer {customer}"):
            shop.place(customer, [line(product)], "k", address=address)


def test_an_order_in_two_currencies_is_refused(shop, customer, product):
    euros = shop.product(currency="EUR")
    with shop.refused("45012", "EUR"):
        shop.place(customer, [line(product), line(euros)], "k")
    assert shop.place(customer, [line(euros)], "k").currency == "EUR"


def test_an_amount_that_no_total_holds_leaves_nothing(shop, customer, product):
    dear = shop.product("9999999999.99", 1000000)
    with shop.refused("22003"):
        shop.place(customer, [line(product), line(dear, 999999)], "k")


def test_an_order_that_waits_too_long_for_a_lock_leaves_nothing(shop, customer, product):
    held = shop.product()
    holder = shop.client(autocommit=False)
    holder.sql("SELECT 1 FROM Products WHERE product_id = %s FOR UPDATE", held)
    shop.sql("SET innodb_lock_wait_timeout = 0")
    with shop.refused("HY000", "Lock wait timeout"):
        shop.place(customer, [line(product), line(held)], "k")
    holder.link.rollback()
    shop.place(customer, [line(product), line(held)], "k")
    shop.sql("UPDATE Products SET stock_quantity = 50 WHERE product_id IN (%s, %s)", product, held)
    assert [m[1:] for m in shop.movements(held)[2:]] == [("correction", None)]


def test_a_correction_after_a_lock_that_was_not_got_is_no_order(shop, customer, product):
    """What a line that failed had told the triggers of the session is forgotten."""
    order = shop.order(customer)
    holder, caller = shop.client(autocommit=False), shop.client()
    holder.sql("SELECT 1 FROM Products WHERE product_id = %s LOCK IN SHARE MODE", product)
    caller.sql("SET innodb_lock_wait_timeout = 0")
    for statement, args in (("CALL sp_Restock(%s, 5)", (product,)),
                            ("CALL sp_TakeStock(%s, 1, NULL, %s)", (product, order)),
                            ("CALL sp_GiveBackStock(%s, 1, NULL, %s, 'order')", (product, order))):
        with pytest.raises(pymysql.Error, match="Lock wait timeout"):
            caller.sql(statement, *args)
    holder.link.rollback()
    caller.sql("UPDATE Products SET stock_quantity = 50 WHERE product_id = %s", product)
    assert shop.movements(product)[1:] == [(-50, "correction", None)]


def test_lines_that_are_placed_hold_up_no_other_lines(shop, customer, product):
    """Also with the server's own innodb_autoinc_lock_mode, where INSERT … SELECT would."""
    assert shop.value("SELECT @@innodb_autoinc_lock_mode") == 1
    service = shop.service()
    placed(shop, customer, line(service, date="2030-05-01"))
    holder, other = shop.client(autocommit=False), shop.client()
    holder.sql("UPDATE Service_Days SET capacity = 9 WHERE product_id = %s", service)
    other.sql("SET innodb_lock_wait_timeout = 0")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        lines = [line(product), line(service, date="2030-05-01")]
        answer = pool.submit(shop.client().place, customer, lines, "waits")
        shop.wait_for_locks()
        other.place(shop.customer(), [line(shop.product()), line(shop.product())], "k")
        holder.link.rollback()
        answer.result()


def test_the_last_line_of_an_order_forgets_that_it_was_placed(shop, customer, product):
    """An interruption behind it must not leave anything to lines that come later by hand."""
    caller = shop.client()
    caller.sql("SET @placed_order = %s, @placed_lines = 1", order := shop.order(customer))
    caller.sql("UPDATE Orders SET total_amount = 10 WHERE order_id = %s", order)
    caller.sql("INSERT INTO Order_Items (order_id, product_id, quantity, price)"
               " VALUES (%s, %s, 1, 10)", order, product)
    assert caller.value("SELECT @placed_order") is None
    caller.sql("INSERT INTO Order_Items (order_id, product_id, quantity, price)"
               " VALUES (%s, %s, 1, 5)", order, shop.product())
    assert shop.total(order) == amount("15.00")


def test_an_order_that_is_placed_is_written_once(shop, customer, product):
    shop.sql("CREATE TRIGGER tr_no_change BEFORE UPDATE ON Orders FOR EACH ROW"
             " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'written twice'")
    try:
        order = placed(shop, customer, line(product, 3), line(shop.product(), 2))
    finally:
        shop.sql("DROP TRIGGER tr_no_change")
    assert shop.total(order) == shop.value(
        "SELECT SUM(quantity * price) FROM Order_Items WHERE order_id = %s", order) > 0


def test_an_order_by_hand_begins_without_a_total_also_after_one_that_was_placed(
        shop, customer, product):
    caller = shop.client()
    caller.place(customer, [line(product)], "k")
    assert caller.value("SELECT @placed_at") is not None
    caller.sql("INSERT INTO Orders (customer_id, order_date, total_amount, currency)"
               " VALUES (%s, UTC_TIMESTAMP(), 10, 'USD')", customer)
    assert shop.total(caller.value("SELECT LAST_INSERT_ID()")) == 0


def test_what_a_refused_order_had_told_the_triggers_is_forgotten(shop, customer, product):
    with pytest.raises(pymysql.Error, match="left"):
        shop.place(customer, [line(product), line(shop.product(stock=0))], "k")
    assert shop.value("SELECT @placed_order") is None
    placed(shop, customer, line(product))
    assert shop.value("SELECT @placed_order") is None
    order = shop.order(customer, total_amount="10.00")
    assert shop.total(order) == 0
    shop.line(order, product, 2)
    assert shop.total(order) == amount("20.00")


def test_an_order_that_is_interrupted_leaves_nothing(shop, customer, product):
    held = shop.product()
    holder, caller = shop.client(autocommit=False), shop.client()
    holder.sql("SELECT 1 FROM Products WHERE product_id = %s FOR UPDATE", held)
    before = shop.snapshot()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(caller.place, customer, [line(product), line(held)], "k")
        shop.wait_for_locks()
        time.sleep(0.2)  # one that comes in the moment in which the wait begins is lost by the server
        shop.sql("KILL QUERY %s", caller.link.thread_id())
        with pytest.raises(pymysql.Error, match="interrupted"):
            answer.result()
    holder.link.rollback()
    assert caller.value("SELECT @@in_transaction") == 0
    assert shop.snapshot() == before
    assert caller.place(customer, [line(product), line(held)], "k").total == amount("20.00")


def test_what_an_interrupted_order_left_open_is_not_committed_by_the_next_one(
        shop, customer, product):
    """A second interruption may keep a procedure from rolling back: half an order stays open."""
    half = shop.client()
    lines = '[{"p": %d, "q": 2, "low": null, "high": null, "d": null}]' % product
    half.sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    half.sql("START TRANSACTION")
    half.sql("SAVEPOINT order_begun")
    half.sql("CALL sp_TryOrder(%s, NULL, %s, 'k', REPEAT('x', 32), 'direct', NULL, @order)",
             customer, lines)
    half.sql("UPDATE Order_Requests SET order_id = NULL WHERE customer_id = %s", customer)
    half.place(customer, [line(product)], "k")
    assert shop.sql("SELECT total_amount FROM Orders WHERE customer_id = %s", customer) == [
        (amount("10.00"),)]
    assert shop.stock(product) == 99


# --- services --------------------------------------------------------------------------------


def test_a_service_books_places_of_the_day_that_was_asked_for(shop, customer):
    service = shop.service(capacity=3)
    order = placed(shop, customer, line(service, 2, date="2030-05-01"))
    assert shop.booked(service, "2030-05-01") == 2
    assert shop.lines(order, "service_date, stock_taken") == [(datetime.date(2030, 5, 1), 2)]
    assert shop.movements(service) == [] and shop.stock(service) is None
    with shop.refused("45002", f"service {service} has 1 places left on 2030-05-01, 2 wanted"):
        shop.place(customer, [line(service, 2, date="2030-05-01")], "k")
    placed(shop, customer, line(service, 1, date="2030-05-01"), key="last")
    placed(shop, customer, line(service, 3, date="2030-05-02"), key="other day")
    for day in ("2030-05-01", "2030-05-02"):
        with shop.refused("45002", "has 0 places left"):
            shop.place(customer, [line(service, date=day)], "k")


def test_a_service_without_a_day_is_booked_after_its_lead_time(shop, customer):
    service = shop.service(lead_days=4)
    order = placed(shop, customer, line(service))
    assert shop.lines(order, "service_date = UTC_DATE() + INTERVAL 4 DAY") == [(1,)]


def test_a_service_cannot_be_booked_before_its_lead_time(shop, customer):
    service = shop.service(lead_days=4)
    today = shop.value("SELECT UTC_DATE()")
    for days in (-365, -1, 0, 3):
        day = today + datetime.timedelta(days)
        with shop.refused("45002", f"service {service} can be booked from"
                                   f" {today + datetime.timedelta(4)} on, {day} was wanted"):
            shop.place(customer, [line(service, date=str(day))], "k")
    placed(shop, customer, line(service, date=str(today + datetime.timedelta(4))))


def test_a_service_that_was_booked_in_time_is_answered_later_too(shop, customer):
    service = shop.service(lead_days=0)
    lines = [line(service, date=str(shop.value("SELECT UTC_DATE()")))]
    first = shop.place(customer, lines, "k")
    shop.sql("UPDATE Service_Details SET lead_time_days = 9 WHERE product_id = %s", service)
    assert shop.place(customer, lines, "k") == first


def test_a_service_on_two_days_in_one_order_is_refused(shop, customer):
    service = shop.service()
    with shop.refused("45007", f"product {service} stands for two days"):
        shop.place(customer, [line(service, date="2030-05-01"), line(service, date="2030-05-02")],
                   "k")


def test_a_day_of_a_product_in_stock_says_nothing(shop, customer, product):
    order = placed(shop, customer, line(product, date="2030-05-01"))
    assert shop.lines(order, "service_date") == [(None,)] and shop.stock(product) == 99


def test_a_service_without_details_cannot_be_booked(shop, customer):
    service = shop.product(stock=None, product_kind="service")
    with shop.refused("45002", "has 0 places left"):
        shop.place(customer, [line(service)], "k")


def test_a_booked_day_keeps_its_capacity(shop, customer):
    service = shop.service(capacity=2)
    placed(shop, customer, line(service, date="2030-05-01"))
    shop.sql("UPDATE Service_Details SET daily_capacity = 9 WHERE product_id = %s", service)
    with shop.refused("45002"):
        shop.place(customer, [line(service, 2, date="2030-05-01")], "k")
    placed(shop, customer, line(service, 9, date="2030-05-02"), key="other day")


def test_a_line_of_a_service_that_moves_to_another_day_books_that_one(shop, customer):
    service = shop.service(capacity=2)
    order = placed(shop, customer, line(service, 2, date="2030-05-01"))
    shop.sql("UPDATE Order_Items SET service_date = '2030-05-02', quantity = 1"
             " WHERE order_id = %s", order)
    assert (shop.booked(service, "2030-05-01"), shop.booked(service, "2030-05-02")) == (0, 1)
    placed(shop, customer, line(service, 2, date="2030-05-03"), key="full")
    with shop.refused("45002"):
        shop.sql("UPDATE Order_Items SET service_date = '2030-05-03' WHERE order_id = %s", order)


def test_a_line_becomes_one_of_a_service_and_back(shop, product):
    service, order = shop.service(), shop.order()
    shop.line(order, product, 2)
    shop.sql("UPDATE Order_Items SET product_id = %s, service_date = '2030-05-01'"
             " WHERE order_id = %s", service, order)
    assert (shop.stock(product), shop.booked(service, "2030-05-01")) == (100, 2)
    shop.sql("UPDATE Order_Items SET product_id = %s WHERE order_id = %s", product, order)
    assert (shop.stock(product), shop.booked(service, "2030-05-01")) == (98, 0)
    assert shop.lines(order, "service_date") == [(None,)]


def test_a_service_that_is_cancelled_or_sent_back_frees_its_day(shop, customer):
    service = shop.service(capacity=3)
    order = placed(shop, customer, line(service, 3, date="2030-05-01"))
    shop.call("sp_CancelOrder", order)
    assert shop.booked(service, "2030-05-01") == 0
    order = in_state(shop, "delivered", line(service, 3, date="2030-05-01"))
    shop.call("sp_ReturnItems", order, json.dumps([line(service, 1)]))
    assert shop.booked(service, "2030-05-01") == 2


# --- carts -----------------------------------------------------------------------------------


def expire(shop, cart):
    shop.sql("UPDATE Carts SET expires_at = UTC_TIMESTAMP(3) WHERE cart_id = %s", cart)


def test_what_a_cart_holds_nobody_else_can_buy(shop, customer, product):
    before = shop.value("SELECT UTC_TIMESTAMP(3)")
    cart, expires = shop.call("sp_ReserveCart", customer, json.dumps(
        [line(product, 40), line(product, 30)]), 20)[0]
    assert datetime.timedelta(0) <= expires - before - datetime.timedelta(minutes=20) < \
        datetime.timedelta(minutes=1)
    assert (shop.stock(product), shop.reserved(product)) == (100, 70)
    other = shop.customer()
    with shop.refused("45001", "has 30 left, 31 wanted"):
        shop.place(other, [line(product, 31)], "k")
    with shop.refused("45001", "has 30 left, 31 wanted"):
        shop.reserve(other, [line(product, 31)])
    order = shop.order(other)
    with shop.refused("45001", "has 30 left, 31 wanted"):
        shop.line(order, product, 31)
    placed(shop, other, line(product, 30))
    assert shop.sql("SELECT product_id, quantity FROM Cart_Items WHERE cart_id = %s", cart) == [
        (product, 70)]


def test_the_owner_of_a_cart_can_buy_what_it_holds(shop, customer, product):
    cart = shop.reserve(customer, [line(product, 100)])
    with shop.refused("45001"):
        shop.place(customer, [line(product, 100)], "k")
    first = shop.place_from(customer, [line(product, 100)], "k", cart=cart)
    assert (shop.stock(product), shop.reserved(product)) == (0, 0)
    assert not shop.sql("SELECT 1 FROM Carts WHERE cart_id = %s", cart)
    assert shop.place_from(customer, [line(product, 100)], "k", cart=cart) == first
    with shop.refused("45015", f"cart {cart} is over"):
        shop.place_from(customer, [line(product)], "again", cart=cart)


def test_an_order_from_a_cart_may_differ_from_it(shop, customer, product):
    other = shop.product(stock=5)
    cart = shop.reserve(customer, [line(product, 100)])
    order = shop.place_from(customer, [line(product, 1), line(other, 5)], "k", cart=cart).order
    assert shop.lines(order) == [(product, 1), (other, 5)] and shop.reserved(product) == 0


def test_a_refused_order_keeps_the_cart(shop, customer, product):
    cart = shop.reserve(customer, [line(product, 10)])
    with shop.refused("45001"):
        shop.place_from(customer, [line(product, 101)], "k", cart=cart)
    assert shop.reserved(product) == 10
    shop.place_from(customer, [line(product, 10)], "k", cart=cart)


def test_the_cart_of_somebody_else_is_refused(shop, customer, product):
    cart = shop.reserve(shop.customer(), [line(product, 10)])
    for number in (cart, 99999999):
        with shop.refused("45015", f"cart {number} is over, or not one of customer {customer}"):
            shop.place_from(customer, [line(product)], "k", cart=number)


def test_a_released_cart_holds_nothing(shop, customer, product):
    other = shop.product()
    cart = shop.reserve(customer, [line(product, 10), line(other, 20)])
    kept = shop.reserve(customer, [line(product, 1)])
    shop.call("sp_ReleaseCart", cart)
    assert (shop.reserved(product), shop.reserved(other)) == (1, 0)
    assert shop.sql("SELECT cart_id FROM Carts WHERE customer_id = %s", customer) == [(kept,)]
    shop.call("sp_ReleaseCart", cart)
    shop.call("sp_ReleaseCart", None)
    assert shop.reserved(product) == 1


@pytest.mark.parametrize("who", ["an order", "a plain line", "a cart"])
def test_what_an_expired_cart_holds_is_free_when_it_is_needed(shop, customer, product, who):
    other = shop.product()
    expired = shop.reserve(customer, [line(product, 60), line(other, 5)])
    shop.reserve(customer, [line(product, 10)])
    expire(shop, expired)
    buyer = shop.customer()
    with shop.refused("45001", "has 90 left, 91 wanted"):
        shop.place(buyer, [line(product, 91)], "k")
    if who == "an order":
        placed(shop, buyer, line(product, 90))
    elif who == "a plain line":
        shop.line(shop.order(buyer), product, 90)
    else:
        shop.reserve(buyer, [line(product, 90)])
    assert shop.reserved(product) == (100 if who == "a cart" else 10)
    assert shop.reserved(other) == 5  # nobody needed it


def test_expired_carts_are_released_and_others_stay(shop, customer, product):
    expired = [shop.reserve(customer, [line(product, n)]) for n in (1, 2)]
    kept = shop.reserve(customer, [line(product, 4)])
    for cart in expired:
        expire(shop, cart)
    shop.call("sp_ReleaseExpiredCarts")
    assert shop.reserved(product) == 4
    assert shop.sql("SELECT cart_id FROM Carts WHERE customer_id = %s", customer) == [(kept,)]


def test_an_expired_cart_that_nobody_released_is_still_the_owners(shop, customer, product):
    cart = shop.reserve(customer, [line(product, 100)])
    expire(shop, cart)
    shop.place_from(customer, [line(product, 100)], "k", cart=cart)
    assert (shop.stock(product), shop.reserved(product)) == (0, 0)


def test_the_owner_of_a_cart_whose_things_were_sold_finds_too_little(shop, customer, product):
    cart = shop.reserve(customer, [line(product, 100)])
    expire(shop, cart)
    placed(shop, shop.customer(), line(product, 1))
    with shop.refused("45001", "has 99 left, 100 wanted"):
        shop.place_from(customer, [line(product, 100)], "k", cart=cart)


def test_carts_that_expire_while_they_are_counted_are_counted_or_stay(shop, customer):
    """Carts whose time is over one by one, within the time that it takes to look at them."""
    product = shop.product(stock=3000)
    for _ in range(6):
        shop.sql("INSERT INTO Carts (customer_id, expires_at) SELECT %s, UTC_TIMESTAMP(3) +"
                 " INTERVAL 100000 + 500 * seq MICROSECOND FROM seq_1_to_400", customer)
        shop.sql("INSERT INTO Cart_Items SELECT cart_id, %s, 1 FROM Carts WHERE customer_id = %s",
                 product, customer)
        shop.sql("UPDATE Products SET reserved_quantity = 400 WHERE product_id = %s", product)
        deadline = time.monotonic() + 0.4
        while time.monotonic() < deadline:
            shop.call("sp_ReleaseExpired", product)
        shop.call("sp_ReleaseExpired", product)
        shop.check()
        shop.sql("DELETE FROM Carts WHERE customer_id = %s", customer)


@pytest.mark.parametrize("minutes", [None, 0, -5, 1441])
def test_a_cart_holds_for_a_minute_to_a_day(shop, customer, product, minutes):
    with shop.refused("45007", "1 to 1440 minutes"):
        shop.reserve(customer, [line(product)], minutes)


def test_a_cart_that_is_refused_holds_nothing(shop, customer, product):
    scarce, service = shop.product(stock=1), shop.service()
    retired = shop.product(product_status="retired")
    inactive = shop.customer(customer_status="inactive")
    for state, who, wanted in (
            ("45001", customer, [line(product), line(scarce, 2)]),
            ("45001", customer, [line(product), line(service)]),
            ("45003", customer, [line(product), line(99999999)]),
            ("45004", customer, [line(product), line(retired)]),
            ("45005", inactive, [line(product)]),
            ("45005", 99999999, [line(product)]),
            ("45006", customer, []),
            ("45007", customer, [line(product, 0)]),
            ("45008", customer, [line(product, price=9)]),
            ("45012", customer, [line(product), line(shop.product(currency="EUR"))])):
        with shop.refused(state):
            shop.reserve(who, wanted)


# --- cancelling, returning, settling ---------------------------------------------------------


def test_a_cancelled_order_gives_everything_back(shop, customer, product):
    other = shop.product("5.00", 7)
    order = placed(shop, customer, line(product, 2), line(other, 7))
    assert shop.call("sp_CancelOrder", order) == [
        (order, "cancelled", "void", amount("55.00"), ZERO, "USD")]
    assert (shop.stock(product), shop.stock(other)) == (100, 7)
    assert shop.movements(other)[1:] == [(-7, "order", order), (7, "return", order)]
    assert shop.lines(order, "quantity, returned_quantity, stock_taken") == [(2, 2, 0), (7, 7, 0)]
    assert shop.total(order) == amount("55.00")


def test_a_paid_order_that_is_cancelled_is_paid_back(shop, product):
    order = in_state(shop, "paid", line(product, 3))
    shop.call("sp_CancelOrder", order)
    assert shop.state(order) == ("cancelled", "refunded", amount("30.00"))
    assert shop.events(order) == [
        ("placed", None, "pending"), ("status", "pending", "paid"),
        ("payment", "open", "paid"), ("status", "paid", "cancelled"),
        ("payment", "paid", "refunded 30.00")]


@pytest.mark.parametrize("state", ["shipped", "delivered", "cancelled", "returned"])
def test_an_order_that_is_on_its_way_or_over_cannot_be_cancelled(shop, product, state):
    order = shop.order(order_status=state)
    shop.line(order, product, stock_taken=0)
    with shop.refused("45010", f"order {order} is {state} and cannot be cancelled"):
        shop.call("sp_CancelOrder", order)


@pytest.mark.parametrize("state", ["shipped", "delivered"])
def test_what_is_sent_back_goes_into_stock_and_is_paid_back(shop, product, state):
    other = shop.product("5.00", 10)
    order = in_state(shop, state, line(product, 4), line(other, 2))
    first = shop.call("sp_ReturnItems", order, json.dumps([line(product), line(product, 2)]))
    assert first == [(order, state, "part_refunded", amount("50.00"), amount("30.00"), "USD")]
    assert (shop.stock(product), shop.stock(other)) == (99, 8)
    assert shop.lines(order, "returned_quantity, stock_taken") == [(3, 1), (0, 2)]
    assert shop.movements(product)[-1] == (3, "return", order)
    assert ("returned", None, "30.00") in shop.events(order)
    rest = shop.call("sp_ReturnItems", order, json.dumps([line(other, 2), line(product)]))
    assert rest == [(order, "returned", "refunded", amount("50.00"), amount("50.00"), "USD")]
    assert (shop.stock(product), shop.stock(other)) == (100, 10)


def test_without_lines_all_that_is_left_is_sent_back(shop, product):
    other = shop.product("5.00", 10)
    order = in_state(shop, "delivered", line(product, 4), line(other, 2))
    shop.call("sp_ReturnItems", order, json.dumps([line(other, 2), line(product)]))
    shop.call("sp_ReturnItems", order, None)
    assert shop.state(order) == ("returned", "refunded", amount("50.00"))
    assert (shop.stock(product), shop.stock(other)) == (100, 10)
    with shop.refused("45010", "is returned"):
        shop.call("sp_ReturnItems", order, None)


def test_more_than_is_left_cannot_be_sent_back(shop, product):
    other, never = shop.product(), shop.product()
    order = in_state(shop, "shipped", line(product, 2), line(other, 2))
    for wrong, words in ((line(other, 3), f"has 2 of product {other} that can be returned, not 3"),
                         (line(never), f"has 0 of product {never}")):
        with shop.refused("45014", words):
            shop.call("sp_ReturnItems", order, json.dumps([line(product), wrong]))
    shop.call("sp_ReturnItems", order, json.dumps([line(product)]))
    with shop.refused("45014", "has 1 of product"):
        shop.call("sp_ReturnItems", order, json.dumps([line(product, 2)]))


@pytest.mark.parametrize("state", ["pending", "paid", "cancelled", "returned"])
def test_only_what_was_shipped_can_be_sent_back(shop, product, state):
    order = shop.order(order_status=state)
    shop.line(order, product, 2, stock_taken=0)
    for lines in (None, json.dumps([line(product)])):
        with shop.refused("45010", f"order {order} is {state} and cannot be returned"):
            shop.call("sp_ReturnItems", order, lines)


def test_wrong_lines_cannot_be_sent_back(shop, product):
    order = in_state(shop, "shipped", line(product))
    with shop.refused("45006"):
        shop.call("sp_ReturnItems", order, "[]")
    with shop.refused("45007"):
        shop.call("sp_ReturnItems", order, json.dumps([line(product, -1)]))


@pytest.mark.parametrize("number, words", [(99999999, "99999999"), (None, "NULL")])
def test_an_order_that_does_not_exist_is_refused(shop, number, words):
    for procedure, args in (("sp_CancelOrder", ()), ("sp_ReturnItems", (None,)),
                            ("sp_ReturnItems", ('[{"product_id": 1, "quantity": 1}]',)),
                            ("sp_SetOrderStatus", ("paid",))):
        with shop.refused("45013", f"order {words} does not exist"):
            shop.call(procedure, number, *args)


def test_settled_lines_give_nothing_back(shop, product):
    order = in_state(shop, "delivered", line(product, 3))
    shop.sql("UPDATE Order_Items SET stock_taken = 0 WHERE order_id = %s", order)
    assert shop.stock(product) == 97
    shop.sql("UPDATE Order_Items SET quantity = 5, stock_taken = 5 WHERE order_id = %s", order)
    assert shop.lines(order, "quantity, stock_taken") == [(5, 0)] and shop.stock(product) == 97
    shop.sql("UPDATE Orders SET order_status = 'returned' WHERE order_id = %s", order)
    shop.sql("DELETE FROM Order_Items WHERE order_id = %s", order)
    assert shop.stock(product) == 97 and shop.total(order) == 0
    assert [m[0] for m in shop.movements(product)] == [100, -3]


def test_a_settled_line_that_is_sent_back_is_paid_back_alone(shop, product):
    order = in_state(shop, "delivered", line(product, 3))
    shop.sql("UPDATE Order_Items SET stock_taken = 0 WHERE order_id = %s", order)
    shop.call("sp_ReturnItems", order, json.dumps([line(product, 1)]))
    assert shop.state(order) == ("delivered", "part_refunded", amount("10.00"))
    shop.call("sp_ReturnItems", order, None)
    assert shop.state(order)[0] == "returned" and shop.stock(product) == 97


def test_what_a_line_took_cannot_be_written_by_hand(shop, product):
    order = shop.order()
    shop.line(order, product, 3, stock_taken=1, returned_quantity=2)
    assert shop.lines(order, "stock_taken, returned_quantity") == [(3, 0)]
    for written in (1, None, 3):
        shop.sql("UPDATE Order_Items SET stock_taken = %s WHERE order_id = %s", written, order)
        assert shop.lines(order, "stock_taken") == [(3,)] and shop.stock(product) == 97


# --- states ----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", STATES)
def test_an_order_goes_from_state_to_state_as_it_is_allowed(shop, customer, before):
    for after in STATES:
        order = shop.order(customer, order_status=before)
        change = ("UPDATE Orders SET order_status = %s WHERE order_id = %s", after, order)
        if before == after or (before, after) in ALLOWED:
            shop.sql(*change)
            assert shop.state(order)[0] == after
            logged = [e[1:] for e in shop.events(order) if e[0] == "status"]
            assert logged == ([] if before == after else [(before, after)])
        else:
            with shop.refused("45010", f"order {order} is {before} and cannot become {after}"):
                shop.sql(*change)


@pytest.mark.parametrize("before", STATES)
def test_the_procedure_allows_the_same_states(shop, customer, before):
    for after in ("paid", "shipped", "delivered"):
        order = shop.order(customer, order_status=before)
        if before == after or (before, after) in ALLOWED:
            answer = shop.call("sp_SetOrderStatus", order, after)
            assert answer[0][:3] == (order, after, shop.state(order)[1])
        else:
            with shop.refused("45010"):
                shop.call("sp_SetOrderStatus", order, after)


@pytest.mark.parametrize("status", [None, "", "pending", "cancelled", "returned", "lost"])
def test_other_states_are_refused_by_the_procedure(shop, customer, status):
    order = shop.order(customer)
    with shop.refused("45010", "not paid, shipped or delivered"):
        shop.call("sp_SetOrderStatus", order, status)


def test_an_order_whose_lines_hold_stock_cannot_be_called_cancelled_or_returned(shop, product):
    for state, after, remedy in (("pending", "cancelled", "sp_CancelOrder"),
                                 ("paid", "cancelled", "sp_CancelOrder"),
                                 ("delivered", "returned", "sp_ReturnItems")):
        order = in_state(shop, state, line(product, 2))
        with shop.refused("45010", f"order {order} holds stock: CALL {remedy}"):
            shop.sql("UPDATE Orders SET order_status = %s WHERE order_id = %s", after, order)
        shop.sql("DELETE FROM Order_Items WHERE order_id = %s", order)
        shop.sql("UPDATE Orders SET order_status = %s WHERE order_id = %s", after, order)
        assert shop.state(order)[0] == after


@pytest.mark.parametrize("state", ["cancelled", "returned"])
def test_an_order_that_is_over_takes_no_more_lines(shop, product, state):
    order = shop.order(order_status=state)
    with shop.refused("45010", f"order {order} is {state} and takes no more lines"):
        shop.line(order, product, 2)


def test_a_line_that_came_back_whole_takes_again_what_is_added(shop, product):
    order = in_state(shop, "shipped", line(product, 2), line(shop.product("1.00")))
    shop.call("sp_ReturnItems", order, json.dumps([line(product, 2)]))
    assert shop.stock(product) == 100
    shop.sql("UPDATE Order_Items SET quantity = 5 WHERE order_id = %s AND product_id = %s",
             order, product)
    assert shop.stock(product) == 97
    assert shop.lines(order, "quantity, returned_quantity, stock_taken")[0] == (5, 2, 3)
    with shop.refused("45001"):
        shop.sql("UPDATE Order_Items SET quantity = 103 WHERE order_id = %s AND product_id = %s",
                 order, product)
    order = placed(shop, shop.customer(), line(product, 2))
    shop.call("sp_CancelOrder", order)
    with shop.refused("45010", "takes no more lines"):
        shop.sql("UPDATE Order_Items SET quantity = 3 WHERE order_id = %s", order)


def test_payment_follows_the_state(shop, customer):
    order = shop.order(customer)
    assert shop.state(order)[1] == "open"
    shop.sql("UPDATE Orders SET order_status = 'paid' WHERE order_id = %s", order)
    assert shop.state(order)[1] == "paid"
    order = shop.order(customer)
    shop.sql("UPDATE Orders SET order_status = 'cancelled' WHERE order_id = %s", order)
    assert shop.state(order)[1] == "void"


@pytest.mark.parametrize("state, payment", [("pending", "open"), ("paid", "paid"),
                                            ("shipped", "paid"), ("delivered", "paid")])
def test_an_order_that_is_written_with_a_state_has_its_payment(shop, product, state, payment):
    order = shop.order(order_status=state)
    shop.line(order, product, 2)
    assert shop.state(order)[1] == payment
    if state == "paid":
        shop.call("sp_CancelOrder", order)
        assert shop.state(order) == ("cancelled", "refunded", amount("20.00"))


def test_changes_of_an_order_are_logged(shop, customer, product):
    order = in_state(shop, "paid", line(product, 2))
    known = len(shop.events(order))
    address = shop.address(customer)
    shop.sql("UPDATE Order_Items SET quantity = 3 WHERE order_id = %s", order)
    shop.sql("UPDATE Orders SET address_id = %s WHERE order_id = %s", address, order)
    shop.sql("UPDATE Orders SET ship_street = 'corrected' WHERE order_id = %s", order)
    assert shop.events(order)[known:] == [
        ("lines", "20.00", "30.00"), ("address", None, str(address)),
        ("address", str(address), str(address))]
