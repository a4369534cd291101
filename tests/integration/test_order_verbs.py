"""Orders as people and programs place them: by `aethermart order` and over HTTP, and what becomes of
their documents."""
import concurrent.futures
import contextlib
import json
import signal
import time

import pymysql
import pytest

import waiting
import web

INTERRUPTED = 11  # exit status


@pytest.fixture
def goods(stack):
    """A customer with an address, and two products."""
    category = stack.insert("Categories", category_name="Lamps", category_slug="lamps-of-orders")
    supplier = stack.insert("Suppliers", supplier_name="Lamps of orders")
    products = [stack.insert("Products", supplier_id=supplier, category_id=category,
                             product_name=f"Lamp {n}", price=price, stock_quantity=10)
                for n, price in enumerate(("19.99", "5.00"))]
    customer = stack.insert("Customers", first_name="Ada", last_name="Orders",
                            registration_date="2026-01-02 03:04:05")
    stack.insert("Customer_Addresses", customer_id=customer, is_default=1, street="Main Street 1",
                 city="Springfield", country="US")
    return customer, *products


def stock(stack, product):
    return stack.value("SELECT stock_quantity FROM Products WHERE product_id = %s", product)


def test_an_order_goes_its_way_by_the_command_line(stack, goods):
    customer, lamp, bulb = goods
    placed = stack.json("order", "place", customer, f"{lamp}x2@19.99", bulb, "--channel", "shop")
    assert (placed["total_amount"], placed["currency"], placed["retries"]) == ("44.98", "USD", 0)
    order = placed["order_id"]
    shown = stack.json("order", "show", order)
    assert [(l["product_id"], l["quantity"], l["price"]) for l in shown["lines"]] == [
        (lamp, 2, 19.99), (bulb, 1, 5.0)]
    assert (shown["channel"], shown["status"], shown["ship_to"]["city"]) == (
        "shop", "pending", "Springfield")
    assert (stock(stack, lamp), stock(stack, bulb)) == (8, 9)
    for state in ("paid", "shipped"):
        assert stack.json("order", "status", order, state)["status"] == state
    back = stack.json("order", "return", order, f"{lamp}x1")
    assert (back["status"], back["payment"], back["refunded_amount"]) == (
        "shipped", "part_refunded", "19.99")
    assert stack.json("order", "return", order)["status"] == "returned"
    assert (stock(stack, lamp), stock(stack, bulb)) == (10, 10)
    text = stack.run("order", "show", order).stdout
    assert "Lamp 0" in text and "shipped -> returned" in text and "44.98 USD" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_cancelled_order_gives_back_what_it_took(stack, goods):
    customer, lamp, _ = goods
    order = stack.json("order", "place", customer, f"{lamp}x10")["order_id"]
    assert stock(stack, lamp) == 0
    assert stack.json("order", "cancel", order)["status"] == "cancelled"
    assert stock(stack, lamp) == 10


def test_a_key_places_one_order(stack, goods):
    customer, lamp, _ = goods
    first = stack.json("order", "place", customer, f"{lamp}x2", "--key", "basket")
    assert stack.json("order", "place", customer, f"{lamp}x2", "--key", "basket") == first
    assert stock(stack, lamp) == 8
    assert "was used for another order" in stack.fails("order", "place", customer, lamp, "--key",
                                                      "basket")


@pytest.mark.parametrize("words, status, text", [
    (("{customer}", "{lamp}x11"), 4, "has 10 left, 11 wanted"),
    (("{customer}", "{lamp}@19.98"), 4, "costs 19.99 USD, 19.98 was quoted"),
    (("{customer}", "999999"), 3, "product 999999 does not exist"),
    (("{customer}", "{lamp}y2"), 2, "is no line"),
    (("{customer}", "{lamp}x0"), 2, "quantity is 0"),
    (("{customer}", "{lamp}@\udcff19.99"), 2, "the price of product"),
    (("{customer}", "{lamp}", "--date", "2030-01-0\udcff"), 2, "the value of \"--date\" is no UTF-8"),
    (("999999", "{lamp}"), 4, "customer 999999 does not exist"),
    (("nobody", "{lamp}"), 2, "is not the number of a customer")])
def test_an_order_that_cannot_be_says_why(stack, goods, words, status, text):
    customer, lamp, _ = goods
    words = [word.format(customer=customer, lamp=lamp) for word in words]
    done = stack.run("order", "place", *words, check=False)
    assert (done.returncode, text in done.stderr) == (status, True), done.stderr
    assert stock(stack, lamp) == 10
    assert stack.value("SELECT COUNT(*) FROM Orders WHERE customer_id = %s", customer) == 0


def post(stack, body, key="k", **options):
    return web.ask(web.address_of(stack), "/v1/orders", web.token_of(stack), method="POST",
                   headers={"Idempotency-Key": key}, body=json.dumps(body).encode(), **options)


def test_an_order_is_placed_over_http_once(stack, goods):
    customer, lamp, bulb = goods
    body = {"customer_id": customer, "channel": "app", "quoted_prices": {str(lamp): 19.99},
            "lines": [{"product_id": lamp, "quantity": 2}, {"product_id": bulb, "quantity": 1}]}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(stack, body), range(4)))
    assert [a.status for a in answers] == [201] * 4
    assert len({a.text for a in answers}) == 1
    placed = json.loads(answers[0].text)
    assert (placed["total_amount"], placed["currency"]) == (44.98, "USD")
    assert (stock(stack, lamp), stock(stack, bulb)) == (8, 9)
    problem = web.assert_problem(post(stack, {**body, "lines": body["lines"][:1]}), 409)
    assert "was used for another order" in problem["detail"]


@pytest.mark.parametrize("change, status, text", [
    ({"lines": [{"product_id": 1, "quantity": 0}]}, 400, "quantity is 0"),
    ({"lines": "all"}, 400, "an order needs lines"),
    ({"lines": []}, 400, "an order needs lines"),
    ({"customer_id": "x"}, 400, '"customer_id" is not a number above 0'),
    ({"customer_id": None}, 400, '"customer_id" is missing'),
    ({"quoted_prices": 19.99}, 400, "quoted prices are an object"),
    ({"channel": 7}, 400, '"channel" is not a text'),
    ({"line": []}, 400, 'an order has no "line"; did you mean "lines"?'),
    ({"lines": [{"product_id": 999999, "quantity": 1}]}, 404, "does not exist"),
    ({"cart_id": 999999}, 409, "cart 999999 is over")])
def test_http_says_why_an_order_cannot_be(stack, goods, change, status, text):
    customer, lamp, _ = goods
    body = {"customer_id": customer, "lines": [{"product_id": lamp, "quantity": 1}], **change}
    problem = web.assert_problem(post(stack, body), status)
    assert text in problem["detail"], problem
    for wrong in (b"", b"[1]", b"{", b'{"lines": [], "lines": []}', b"\xff"):
        web.assert_problem(web.ask(web.address_of(stack), "/v1/orders", web.token_of(stack),
                                   method="POST", headers={"Idempotency-Key": "w"}, body=wrong), 400)
    assert stock(stack, lamp) == 10


def test_an_order_that_waits_for_somebody_ends_and_may_be_asked_again(stack, goods):
    """Searches wait behind it: not for as long as the server lets a row be waited for."""
    customer, lamp, _ = goods
    body = {"customer_id": customer, "lines": [{"product_id": lamp, "quantity": 1}]}
    with contextlib.closing(stack.open_sql(autocommit=False)) as db, db.cursor() as cursor:
        cursor.execute("SELECT * FROM Products WHERE product_id = %s FOR UPDATE", (lamp,))
        answer = post(stack, body, key="slow")
        assert answer.status in (503, 504), answer.text
        assert "ask again with the same key" in json.loads(answer.text)["hint"]
        db.rollback()
    assert post(stack, body, key="slow").status == 201
    assert stock(stack, lamp) == 9


def test_a_server_that_lacks_the_procedure_is_at_fault_and_not_the_order(stack, goods):
    customer, lamp, _ = goods
    stack.sql("DROP PROCEDURE sp_PlaceOrderFrom")
    body = {"customer_id": customer, "lines": [{"product_id": lamp, "quantity": 1}]}
    web.assert_problem(post(stack, body), 503)
    assert "ask again with --key" in stack.fails("order", "place", customer, lamp)


def test_documents_follow_an_order(stack, goods):
    customer, lamp, _ = goods
    order = stack.json("order", "place", customer, f"{lamp}x3")["order_id"]
    stack.wait_synced()
    assert stack.doc("product_catalog", lamp)["stock_quantity"] == 7
    profile = stack.doc("customer_profiles", customer)
    assert [o["order_id"] for o in profile["recent_orders"]] == [order]
    assert str(profile["order_summary"]["total_spent"]) == "59.97"
    stack.run("order", "cancel", order)
    stack.wait_synced()
    assert stack.doc("product_catalog", lamp)["stock_quantity"] == 10
    assert stack.doc("customer_profiles", customer)["order_summary"]["order_count"] == 0
    stack.assert_in_step()


def check_stress(result, clients):
    assert result["initial"] == result["sold"] + result["left"]
    assert result["orders"] > clients and result["sold"] == 2 * result["orders"]
    assert (result["failed"], result["wrong"]) == (0, 0)
    assert 0 < result["p50_ms"] <= result["p99_ms"]


COUNTS = ("SELECT (SELECT COUNT(*) FROM Products), (SELECT COUNT(*) FROM Orders),"
          " (SELECT COUNT(*) FROM Customers), (SELECT COUNT(*) FROM Order_Requests)")


def test_stress_sells_nothing_twice_and_leaves_nothing(stack):
    before = stack.sql(COUNTS)
    result = stack.json("order", "stress", "--clients", 16, "--seconds", 2, "--stock", 12,
                        "--products", 4)
    check_stress(result, 16)
    assert result["refused"] > 0, "all was sold, but for what is left of one product"
    assert stack.sql(COUNTS) == before
    stack.assert_in_step()


def begin_stress(stack):
    run = stack.start("order", "stress", "--clients", 8, "--seconds", 60, "--stock", 1000, "--json",
                      "--quiet")
    waiting.until(lambda: stack.value("SELECT COUNT(*) > 20 FROM Orders WHERE sales_channel ="
                                      " 'stress'"), timeout=20)
    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stress_that_is_stopped_proves_what_it_did_and_leaves_nothing(stack, number):
    before = stack.sql(COUNTS)
    run = begin_stress(stack)
    run.send_signal(number)
    assert run.wait(timeout=30) == INTERRUPTED
    result, end = json.JSONDecoder().raw_decode(run.log.read_text())
    assert result["sold"] > 40
    check_stress(result, 8)
    assert "stopped after" in run.log.read_text()[end:]
    assert stack.sql(COUNTS) == before


def test_what_a_killed_stress_leaves_is_deleted_when_it_is_asked_for(stack):
    stack.insert("Customers", first_name="Ada", last_name="One", external_id="stress-free",
                 registration_date="2026-01-01")
    before = stack.sql(COUNTS)
    run = begin_stress(stack)
    run.kill()
    run.wait()
    assert stack.sql(COUNTS) != before
    # Calls that the server was in the middle of when their client was killed.
    waiting.until(lambda: not stack.sql("SELECT ID FROM information_schema.PROCESSLIST"
                                        " WHERE INFO LIKE 'CALL sp_PlaceOrderFrom%%'"))
    stack.run("order", "stress", "--clean")
    assert stack.sql(COUNTS) == before
    stack.assert_in_step()


def test_stress_that_cannot_be_set_up_leaves_nothing(stack):
    before = stack.sql(COUNTS)
    stack.sql("CREATE TRIGGER no_third BEFORE INSERT ON Customers FOR EACH ROW IF NEW.external_id"
              " LIKE 'stress-%-2' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF")
    assert ": no (1644)" in stack.fails("order", "stress", "--seconds", 2)
    assert stack.sql(COUNTS) == before
    # And when nothing can be deleted either, it says what is left.
    stack.sql("CREATE TRIGGER no_end BEFORE DELETE ON Products FOR EACH ROW"
              " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'")
    told = stack.fails("order", "stress", "--seconds", 2)
    assert 'begins with "stress-' in told and "order stress --clean" in told
    stack.sql("DROP TRIGGER no_end")
    stack.run("order", "stress", "--clean")
    assert stack.sql(COUNTS) == before


def test_stress_survives_killed_connections_and_a_killed_server(stack):
    """Nothing that was acknowledged is lost, nothing is placed twice, nobody stays unanswered."""
    run = stack.start("order", "stress", "--clients", 16, "--seconds", 6, "--stock", 100000,
                      "--json", "--quiet")
    waiting.until(lambda: stack.value("SELECT COUNT(*) FROM Orders WHERE sales_channel = 'stress'"),
                  timeout=20)
    for _ in range(10):
        threads = stack.sql("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE"
                            " 'CALL sp_PlaceOrderFrom%%' ORDER BY RAND() LIMIT 3")
        for (thread,) in threads:
            with contextlib.suppress(pymysql.OperationalError):  # it has ended by itself
                stack.sql(f"KILL {thread}")
        time.sleep(0.1)
    stack.kill("mariadb")
    stack.forget_clients()
    stack.up()
    assert run.wait(timeout=120) == 0, run.log.read_text()
    result = json.loads(run.log.read_text())
    check_stress(result, 16)
    assert result["retries"] > 0
    stack.assert_in_step(60)
