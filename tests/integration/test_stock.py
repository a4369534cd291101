"""Stock, prices, lines written by plain SQL, orders from feeds and ratings as the schema keeps
them, on a MariaDB server alone. Fixture `shop` proves at the end of each test what must always
hold."""
import decimal
import json
import threading

import pymysql
import pytest

from ordering import STATES, amount, line


# --- stock and prices ------------------------------------------------------------------------


def test_what_comes_into_stock_is_a_movement(shop, product):
    shop.call("sp_Restock", product, 7)
    assert shop.stock(product) == 107
    assert shop.movements(product) == [(100, "initial", None), (7, "restock", None)]
    shop.sql("UPDATE Products SET stock_quantity = 50 WHERE product_id = %s", product)
    shop.sql("UPDATE Products SET product_name = 'Other' WHERE product_id = %s", product)
    assert shop.movements(product)[2:] == [(-57, "correction", None)]


def test_stock_is_not_filled_up_with_nonsense(shop, product):
    for quantity in (None, 0, -1, 1000000001):
        with shop.refused("45007"):
            shop.call("sp_Restock", product, quantity)
    for number in (99999999, None, shop.service()):
        with shop.refused("45003", "does not exist or is not kept in stock"):
            shop.call("sp_Restock", number, 1)


def test_a_price_that_is_no_price_is_refused(shop, product):
    for price in (None, "-0.01"):
        with shop.refused("45007"):
            shop.call("sp_ChangePrice", product, price)
    for number in (99999999, None):
        with shop.refused("45003", "does not exist"):
            shop.call("sp_ChangePrice", number, 1)


def test_every_price_leaves_a_row(shop, product):
    def history():
        return shop.sql("SELECT old_price, new_price, currency FROM Product_Price_History WHERE"
                        " product_id = %s ORDER BY price_history_id", product)
    first = (None, amount("10.00"), "USD")
    assert history() == [first]
    shop.call("sp_ChangePrice", product, "12.50")
    shop.call("sp_ChangePrice", product, "12.50")
    shop.sql("UPDATE Products SET price = 12.5, product_name = 'x' WHERE product_id = %s", product)
    second = (amount("10.00"), amount("12.50"), "USD")
    assert history() == [first, second]
    shop.sql("UPDATE Products SET currency = 'EUR' WHERE product_id = %s", product)
    shop.sql("UPDATE Products SET price = 1 WHERE product_id = %s", product)
    assert history() == [first, second, (amount("12.50"), amount("12.50"), "EUR"),
                         (amount("12.50"), amount("1.00"), "EUR")]


def test_movements_cannot_be_changed_or_deleted(shop, product):
    where = "WHERE product_id = %s"
    for statement in (f"UPDATE Stock_Movements SET quantity = 1 {where}",
                      f"UPDATE Stock_Movements SET movement_reason = 'order' {where}",
                      f"DELETE FROM Stock_Movements {where}"):
        with shop.refused("45020"):
            shop.sql(statement, product)
    with shop.refused("45020"):
        shop.sql("REPLACE INTO Stock_Movements SELECT * FROM Stock_Movements WHERE product_id = %s",
                 product)


def test_movements_outlive_their_product(shop, product):
    shop.sql("UPDATE Products SET product_id = product_id + 1000000 WHERE product_id = %s", product)
    assert shop.movements(product) == [(100, "initial", None), (-100, "removed", None)]
    shop.sql("DELETE FROM Products WHERE product_id = %s", product + 1000000)
    assert shop.movements(product + 1000000) == [(100, "initial", None), (-100, "removed", None)]
    shop.products.remove(product)


# --- lines written by plain SQL --------------------------------------------------------------


def test_a_line_takes_its_pieces_and_gives_them_back(shop, product):
    order = shop.order()
    shop.line(order, product, 5, "3.00")
    assert (shop.stock(product), shop.total(order)) == (95, 15)
    assert shop.lines(order, "stock_taken") == [(5,)]
    shop.sql("UPDATE Order_Items SET quantity = 8 WHERE order_id = %s", order)
    assert (shop.stock(product), shop.total(order)) == (92, 24)
    shop.sql("UPDATE Order_Items SET quantity = 1, price = 4 WHERE order_id = %s", order)
    assert (shop.stock(product), shop.total(order)) == (99, 4)
    shop.sql("DELETE FROM Order_Items WHERE order_id = %s", order)
    assert (shop.stock(product), shop.total(order)) == (100, 0)
    assert shop.movements(product)[1:] == [(n, "order", order) for n in (-5, -3, 7, 1)]


def test_a_line_that_changes_its_product_takes_from_the_other(shop, product):
    order, other = shop.order(), shop.product(stock=5)
    shop.line(order, product, 5)
    shop.sql("UPDATE Order_Items SET product_id = %s, quantity = 4 WHERE order_id = %s",
             other, order)
    assert (shop.stock(product), shop.stock(other), shop.total(order)) == (100, 1, 40)


def test_a_line_that_moves_to_another_order_takes_its_amount_along(shop, product):
    first, second = shop.order(), shop.order()
    for source, target in ((first, second), (second, first)):
        moved = shop.line(source, product, 2, "3.00")
        shop.sql("UPDATE Order_Items SET order_id = %s, quantity = 3 WHERE order_item_id = %s",
                 target, moved)
        assert (shop.total(source), shop.total(target)) == (0, 9)
        assert shop.stock(product) == 97
        shop.sql("DELETE FROM Order_Items WHERE order_id = %s", target)


def test_a_line_that_finds_too_little_changes_nothing(shop, product):
    order, other, scarce = shop.order(), shop.order(), shop.product(stock=3)
    shop.line(order, product, 2)
    kept = shop.line(order, scarce, 2)
    into = "INTO Order_Items (order_id, product_id, quantity, price)"
    for change in (
            f"INSERT {into} VALUES ({{2}}, {{0}}, 1, 1), ({{2}}, {{1}}, 2, 1)",
            f"INSERT IGNORE {into} VALUES ({{2}}, {{0}}, 1, 1), ({{2}}, {{1}}, 2, 1)",
            f"INSERT {into} VALUES ({{3}}, {{1}}, 1, 1) ON DUPLICATE KEY UPDATE quantity = 4",
            f"REPLACE {into} VALUES ({{3}}, {{1}}, 4, 1)",
            "UPDATE Order_Items SET quantity = quantity + 2 WHERE order_id = {3}",
            "UPDATE IGNORE Order_Items SET quantity = 4 WHERE order_item_id = {4}",
            "UPDATE Order_Items SET order_id = {2}, quantity = 4 WHERE order_item_id = {4}"):
        with shop.refused("45001", f"product {scarce} has"):
            shop.sql(change.format(product, scarce, other, order, kept))
    moved = shop.line(other, product, 2)
    with shop.refused("45001", f"product {scarce} has 1 left, 2 wanted"):
        shop.sql("UPDATE Order_Items SET product_id = %s WHERE order_item_id = %s", scarce, moved)


def test_a_line_that_the_server_refuses_changes_nothing(shop, product):
    order = shop.order()
    shop.line(order, product, 2)
    other = shop.product()
    with shop.refused("23000", "ck_item_quantity"):
        shop.line(order, other, 0)
    with shop.refused("23000", "Duplicate entry"):
        shop.line(order, product, 1)
    with shop.refused("23000", "foreign key"):
        shop.line(99999999, product, 1)
    with shop.refused("23000", "ck_item_returned"):
        shop.sql("UPDATE Order_Items SET returned_quantity = 3 WHERE order_id = %s", order)


def test_a_line_that_is_not_inserted_takes_nothing(shop, product):
    order = shop.order()
    shop.line(order, product, 2)
    before = shop.snapshot()
    shop.sql("INSERT IGNORE INTO Order_Items (order_id, product_id, quantity, price)"
             " VALUES (%s, %s, 5, 1)", order, product)
    assert shop.snapshot() == before
    shop.sql("INSERT INTO Order_Items (order_id, product_id, quantity, price) VALUES (%s, %s, 5, 1)"
             " ON DUPLICATE KEY UPDATE quantity = quantity + VALUE(quantity)", order, product)
    assert (shop.stock(product), shop.total(order)) == (93, 70)
    shop.sql("REPLACE INTO Order_Items (order_id, product_id, quantity, price)"
             " VALUES (%s, %s, 99, 1)", order, product)
    assert (shop.stock(product), shop.total(order)) == (1, 99)


def test_what_is_rolled_back_is_as_before(shop, product):
    order = shop.order()
    before = shop.snapshot()
    with_rollback = shop.client(autocommit=False)
    with_rollback.sql("INSERT INTO Order_Items (order_id, product_id, quantity, price)"
                      " VALUES (%s, %s, 5, 1)", order, product)
    with_rollback.link.rollback()
    assert shop.snapshot() == before


def test_two_who_want_the_last_piece_are_served_one_after_the_other(shop):
    last = shop.product(stock=1)
    first, second = shop.client(autocommit=False), shop.client()
    order = shop.order()
    first.sql("INSERT INTO Order_Items (order_id, product_id, quantity, price)"
              " VALUES (%s, %s, 1, 1)", order, last)
    customer, refusals = shop.customer(), []

    def buy():
        try:
            second.place(customer, [line(last)], "k")
        except pymysql.Error as error:
            refusals.append(error.args[1])
    buyer = threading.Thread(target=buy)
    buyer.start()
    shop.wait_for_locks()
    first.link.commit()
    buyer.join()
    assert refusals == [f"product {last} has 0 left, 1 wanted"]


# --- orders from feeds -----------------------------------------------------------------------


def from_feed(shop, customer, product, total="100.00", **columns):
    order = shop.order(customer, external_id=f"feed-{customer}-{len(columns)}",
                       total_amount=total, **columns)
    shop.line(order, product, 10, stock_taken=0)
    return order


def test_an_order_from_a_feed_takes_no_stock_and_keeps_its_total(shop, customer, product):
    order = from_feed(shop, customer, product, "95.00", order_status="delivered")
    assert (shop.stock(product), shop.total(order)) == (100, 95)
    assert shop.sql("SELECT payment_status, sales_channel FROM Orders WHERE order_id = %s",
                    order) == [("paid", "import")]
    shop.sql("UPDATE Order_Items SET quantity = 20 WHERE order_id = %s", order)
    other = shop.product(stock=0)
    shop.sql("UPDATE Order_Items SET product_id = %s WHERE order_id = %s", other, order)
    shop.sql("DELETE FROM Order_Items WHERE order_id = %s", order)
    assert (shop.stock(product), shop.stock(other), shop.total(order)) == (100, 0, 95)
    assert shop.events(order) == []


def test_a_feed_that_corrects_an_order_tells_its_total_and_its_lines(shop, customer, product):
    """As a load does it: the order first, then its lines."""
    order = from_feed(shop, customer, product, "100.00")
    for total, quantity in (("10.00", 1), ("200.00", 20), ("0.00", 5)):
        shop.sql("UPDATE Orders SET total_amount = %s WHERE order_id = %s", total, order)
        shop.sql("UPDATE Order_Items SET quantity = %s WHERE order_id = %s", quantity, order)
        assert shop.total(order) == amount(total)


@pytest.mark.parametrize("before", STATES)
def test_an_order_from_a_feed_goes_from_any_state_to_any_other(shop, customer, product, before):
    payment = {"pending": "open", "cancelled": "void", "returned": "refunded"}
    order = from_feed(shop, customer, product, order_status=before)
    for after in STATES:
        shop.sql("UPDATE Orders SET order_status = %s WHERE order_id = %s", before, order)
        shop.sql("UPDATE Orders SET order_status = %s WHERE order_id = %s", after, order)
        assert shop.state(order) == (after, payment.get(after, "paid"),
                                     100 if after == "returned" else 0)
    assert shop.events(order) == [] and shop.stock(product) == 100


def test_what_a_feed_calls_returned_was_paid_back(shop, customer, product):
    order = from_feed(shop, customer, product, "100.00", order_status="returned")
    assert shop.state(order) == ("returned", "refunded", amount("100.00"))
    shop.sql("UPDATE Orders SET total_amount = 80 WHERE order_id = %s", order)
    assert shop.state(order) == ("returned", "refunded", amount("80.00"))
    shop.sql("UPDATE Orders SET order_status = 'delivered' WHERE order_id = %s", order)
    assert shop.state(order) == ("delivered", "paid", 0)


def test_what_was_sent_back_here_stays_whatever_the_feed_says(shop, customer, product):
    order = from_feed(shop, customer, product, "100.00", order_status="shipped")
    free = shop.product()
    shop.line(order, free, 1, "0.00", stock_taken=0)
    shop.call("sp_ReturnItems", order, json.dumps([line(product, 9)]))
    shop.sql("UPDATE Orders SET order_status = 'delivered' WHERE order_id = %s", order)
    assert shop.state(order) == ("delivered", "part_refunded", amount("90.00"))
    shop.call("sp_ReturnItems", order, json.dumps([line(product)]))
    shop.call("sp_ReturnItems", order, json.dumps([line(free)]))  # which pays nothing back
    assert shop.state(order) == ("returned", "refunded", amount("100.00"))
    for change, state in (("ship_city = 'X'", ("returned", "refunded")),
                          ("total_amount = 120", ("returned", "refunded")),
                          ("order_status = 'delivered'", ("delivered", "part_refunded")),
                          ("order_status = 'cancelled'", ("cancelled", "refunded"))):
        shop.sql(f"UPDATE Orders SET {change} WHERE order_id = %s", order)
        assert shop.state(order) == (*state, amount("100.00"))


def test_what_was_paid_back_by_hand_stays(shop, customer, product):
    order = from_feed(shop, customer, product, "100.00", order_status="returned")
    shop.sql("UPDATE Orders SET refunded_amount = 40 WHERE order_id = %s", order)
    shop.sql("UPDATE Orders SET ship_city = 'X' WHERE order_id = %s", order)
    assert shop.state(order) == ("returned", "refunded", amount("40.00"))


def test_history_in_an_order_of_the_shop_counts_for_its_total_alone(shop, customer, product):
    order = shop.order(customer)
    shop.line(order, product, 2, stock_taken=0)
    assert (shop.stock(product), shop.total(order)) == (100, 20)
    shop.sql("UPDATE Order_Items SET quantity = 3, stock_taken = NULL WHERE order_id = %s", order)
    assert (shop.stock(product), shop.total(order)) == (100, 30)
    shop.call("sp_CancelOrder", order)
    assert shop.stock(product) == 100


# --- ratings ---------------------------------------------------------------------------------


def check_ratings(shop, *products):
    """Against what this computes from the reviews by itself."""
    for product in products:
        stars = [row[0] for row in shop.sql("SELECT rating FROM Reviews WHERE product_id = %s",
                                            product)]
        expected = None
        if stars:
            expected = (decimal.Decimal(sum(stars)) / len(stars)).quantize(
                decimal.Decimal("0.01"), decimal.ROUND_HALF_UP)
        assert shop.value("SELECT current_rating FROM Products WHERE product_id = %s",
                          product) == expected
        counted = shop.sql("SELECT rating_count, rating_sum, stars_1, stars_2, stars_3, stars_4,"
                           " stars_5 FROM Product_Rating_Summary WHERE product_id = %s", product)
        zeros = (0,) * 7
        assert (counted or [zeros])[0] == (len(stars), sum(stars),
                                           *(stars.count(n) for n in range(1, 6)))


def test_ratings_follow_reviews(shop, customer, product):
    other = shop.product()

    def review(product, rating):
        number = shop.insert("Reviews", product_id=product, customer_id=customer, rating=rating,
                             review_date="2026-01-01")
        check_ratings(shop, product)
        return number
    numbers = [review(product, rating) for rating in (5, 4, 4, 1, 2, 3, 5)]
    shop.sql("UPDATE Reviews SET rating = 1 WHERE review_id = %s", numbers[0])
    check_ratings(shop, product)
    shop.sql("UPDATE Reviews SET review_text = 'same stars' WHERE review_id = %s", numbers[0])
    check_ratings(shop, product)
    shop.sql("UPDATE Reviews SET product_id = %s WHERE review_id = %s", other, numbers[1])
    check_ratings(shop, product, other)
    shop.sql("UPDATE Reviews SET product_id = %s, rating = 5 WHERE review_id = %s", product,
             numbers[1])
    check_ratings(shop, product, other)
    shop.sql("UPDATE Reviews SET product_id = %s, rating = 6 - rating WHERE product_id = %s"
             " AND rating < 3", other, product)
    check_ratings(shop, product, other)
    shop.sql("DELETE FROM Reviews WHERE product_id = %s AND rating = 4", product)
    check_ratings(shop, product, other)
    shop.sql("REPLACE INTO Reviews (review_id, product_id, customer_id, rating, review_date)"
             " VALUES (%s, %s, %s, 2, '2026-01-02')", numbers[5], other, customer)
    check_ratings(shop, product, other)
    shop.sql("DELETE FROM Reviews WHERE product_id IN (%s, %s)", product, other)
    check_ratings(shop, product, other)


def test_a_review_without_stars_gets_three(shop, customer, product):
    shop.sql("INSERT INTO Reviews (product_id, customer_id, review_date)"
             " VALUES (%s, %s, '2026-01-01')", product, customer)
    shop.sql("INSERT INTO Reviews (product_id, customer_id, rating, review_date)"
             " VALUES (%s, %s, NULL, '2026-01-01'), (%s, %s, 5, '2026-01-01')",
             product, customer, product, customer)
    assert shop.sql("SELECT rating FROM Reviews WHERE product_id = %s ORDER BY review_id",
                    product) == [(3,), (3,), (5,)]
    check_ratings(shop, product)


def test_a_review_that_is_refused_counts_for_nothing(shop, customer, product):
    values = ("INTO Reviews (product_id, customer_id, rating, review_date)"
              " VALUES (%s, %s, 5, '2026-01-01'), (%s, %s, 6, '2026-01-01')",
              product, customer, product, customer)
    with shop.refused("23000", "ck_review_rating"):
        shop.sql(f"INSERT {values[0]}", *values[1:])
    check_ratings(shop, product)
    shop.sql(f"INSERT IGNORE {values[0]}", *values[1:])
    assert shop.sql("SELECT rating FROM Reviews WHERE product_id = %s", product) == [(5,)]
    check_ratings(shop, product)
