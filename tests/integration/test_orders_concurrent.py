"""Many clients at once on few products: whatever they do, and whatever ends them, no piece is sold
twice or lost, no key makes two orders, and no deadlock reaches a client."""
import collections
import concurrent.futures
import contextlib
import random
import signal
import threading
import time

import pymysql
import pytest

import ordering
from ordering import REFUSED, line

SECONDS = 2.5  # of the tests that have no end of their own


def at_once(work, number):
    """work(0) to work(number - 1) in threads that begin together; what they return."""
    begin = threading.Barrier(number, timeout=30)

    def run(i):
        begin.wait()
        return work(i)
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        return [done.result() for done in [pool.submit(run, i) for i in range(number)]]


def refusal(action):
    """The text of a refusal, None when there was none. Any other error is the test's end."""
    try:
        action()
    except pymysql.Error as error:
        assert error.args[0] == REFUSED, error
        return error.args[1]
    return None


def check_orders(shop, answers):
    """`answers`: {(customer, key): Answer}. Each was made once, and nothing else was."""
    rows = shop.sql("SELECT customer_id, idempotency_key, order_id, total_amount"
                    " FROM Order_Requests WHERE customer_id IN %s", shop.customers)
    assert {row[:2]: row[2:] for row in rows} == {
        request: (answer.order, answer.total) for request, answer in answers.items()}
    orders = [row[0] for row in shop.sql("SELECT order_id FROM Orders WHERE customer_id IN %s",
                                         shop.customers)]
    assert sorted(orders) == sorted(answer.order for answer in answers.values())
    assert not shop.sql("SELECT order_id FROM Orders o WHERE customer_id IN %s AND (SELECT COUNT(*)"
                        " FROM Order_Events e WHERE e.order_id = o.order_id"
                        " AND event_kind = 'placed') <> 1", shop.customers)


# --- lines by plain SQL ----------------------------------------------------------------------


INSERT = "INTO Order_Items (order_id, product_id, quantity, price) VALUES (%s, %s, %s, 3)"


@pytest.mark.parametrize("has_line, is_short, statement", [
    (False, True, f"INSERT {INSERT}"),
    (True, False, f"INSERT IGNORE {INSERT}"),
    (True, True, f"INSERT {INSERT} ON DUPLICATE KEY UPDATE quantity = quantity + VALUE(quantity)"),
    (True, False, f"REPLACE {INSERT}"),
    (True, False, "UPDATE Order_Items SET quantity = 1 + quantity %% 5 WHERE order_id = %s"
           " AND product_id = %s AND %s > 0"),
], ids=["INSERT", "INSERT IGNORE", "ON DUPLICATE KEY UPDATE", "REPLACE", "UPDATE"])
def test_lines_of_one_product_written_by_many(shop, has_line, is_short, statement):
    clients, rounds, initial = 8, 25, 300
    product = shop.product(stock=initial)
    orders = [[shop.order() for _ in range(1 if has_line else rounds)] for _ in range(clients)]
    if has_line:
        for order, in orders:
            shop.line(order, product, 2, "3.00")

    def work(i):
        client, choice = shop.client(), random.Random(i)
        return [refusal(lambda n=n: client.sql(statement, orders[i][n % len(orders[i])], product,
                                               choice.randint(1, 3)))
                for n in range(rounds)]
    refusals = [text for texts in at_once(work, clients) for text in texts if text]
    assert all(f"product {product} has" in text for text in refusals), refusals
    assert bool(refusals) == is_short
    shop.check_nothing_lost({product: initial})


# --- orders by the procedures ----------------------------------------------------------------


def sell_out(shop, client, i, products, answers):
    """Places orders of two lines until nothing is left of any product."""
    choice, left = random.Random(i), list(products)
    customer, quantity = shop.customers[i], 2
    for number in range(10000):
        if not left:
            return
        key = f"{i}-{number}"
        lines = [line(product, choice.randint(1, quantity))
                 for product in choice.sample(left, min(2, len(left)))]

        def place():
            answers[customer, key] = client.place(customer, lines, key)
        text = refusal(place)
        if text is None:
            if number % 5 == 0:
                assert client.place(customer, lines[::-1], key) == answers[customer, key]
            continue
        left = [p for p in left if not text.startswith(f"product {p} has 0 left")]
        quantity = 1  # what is refused with pieces left was too much


def test_all_is_sold_and_nothing_twice(shop):
    initial = {shop.product(f"{n}.99", 60): 60 for n in range(6)}
    clients = 16
    for _ in range(clients):
        shop.customer()
    answers = {}
    at_once(lambda i: sell_out(shop, shop.client(), i, list(initial), answers), clients)
    assert [shop.stock(product) for product in initial] == [0] * 6
    shop.check_nothing_lost(initial)
    check_orders(shop, answers)


def busy(shop, client, i, products, answers, until):
    """Places, cancels, sends back, reserves and releases at random."""
    choice, number = random.Random(i), 0
    customer = shop.customers[i]
    orders, carts = [], []

    def place():
        key, cart = f"{i}-{number}", carts.pop() if carts and choice.random() < 0.7 else None
        lines = [line(p, choice.randint(1, 4)) for p in choice.sample(products, 2)]
        answers[customer, key] = client.place_from(customer, lines, key, cart=cart)
        orders.append(answers[customer, key].order)

    def cancel():
        client.call("sp_CancelOrder", orders.pop(choice.randrange(len(orders))))

    def send_back():
        order = orders.pop(choice.randrange(len(orders)))
        for status in ("paid", "shipped"):
            client.call("sp_SetOrderStatus", order, status)
        client.call("sp_ReturnItems", order, None)

    def reserve():
        carts.append(client.reserve(customer, [line(p, choice.randint(1, 4))
                                               for p in choice.sample(products, 2)]))
        client.sql("UPDATE Carts SET expires_at = UTC_TIMESTAMP(3) + INTERVAL %s MICROSECOND"
                   " WHERE cart_id = %s", choice.randint(1, 200000), carts[-1])

    def release():
        client.call("sp_ReleaseCart", carts.pop())

    def release_expired():
        client.call("sp_ReleaseExpiredCarts")

    while time.monotonic() < until:
        number += 1
        actions = [place, place, place, reserve, reserve, release_expired]
        actions += [cancel, cancel, send_back] if orders else []
        actions += [release] if carts else []
        refusal(choice.choice(actions))


def test_sold_cancelled_sent_back_and_held_by_carts_at_once(shop):
    initial = {shop.product(f"{n}.99", 25): 25 for n in range(6)}
    clients, answers = 16, {}
    for _ in range(clients):
        shop.customer()
    until = time.monotonic() + SECONDS
    at_once(lambda i: busy(shop, shop.client(), i, list(initial), answers, until), clients)
    shop.check()
    check_orders(shop, answers)
    shop.check_nothing_lost(initial)
    shop.sql("UPDATE Carts SET expires_at = '2026-01-01'")
    shop.call("sp_ReleaseExpiredCarts")
    assert [shop.reserved(product) for product in initial] == [0] * 6


def test_one_order_cancelled_and_sent_back_by_many(shop):
    """One of them does it, the others are told that it is done."""
    product, other = shop.product(), shop.product()
    customer, clients = shop.customer(), [shop.client() for _ in range(8)]
    for procedure, args in (("sp_CancelOrder", ()), ("sp_ReturnItems", (None,))):
        order = shop.place(customer, [line(product, 3), line(other, 2)], procedure).order
        if args:
            shop.call("sp_SetOrderStatus", order, "paid")
            shop.call("sp_SetOrderStatus", order, "shipped")
        texts = at_once(lambda i: refusal(lambda: clients[i].call(procedure, order, *args)), 8)
        assert texts.count(None) == 1 and (shop.stock(product), shop.stock(other)) == (100, 100)


# --- what ends clients and servers -----------------------------------------------------------


class Stubborn:
    """A client that repeats an order with its key until it is answered, whatever happens to its
    connection. `interrupted` counts what happened."""

    def __init__(self, servers):
        self.servers, self.client = servers, None
        self.interrupted = collections.Counter()

    def thread_id(self):
        return self.client and self.client.link.thread_id()

    def connect(self):
        if self.client:
            self.client.close()
            self.client = None
        deadline = time.monotonic() + 20
        while not self.client:
            try:
                self.client = ordering.Client(self.servers)
            except pymysql.Error:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def place(self, customer, lines, key):
        """None when it was refused."""
        while True:
            try:
                if not self.client:
                    self.connect()
                return self.client.place(customer, lines, key)
            except (pymysql.Error, OSError) as error:
                number = ordering.error_number(error)
                if number == REFUSED:
                    return None
                assert number not in (1205, 1213, 1020), error
                self.interrupted[number] += 1
                if number != 1317:  # KILL QUERY leaves the connection
                    self.connect()

    def close(self):
        if self.client:
            self.client.close()


def place_all(shop, stubborn, i, products, orders, answers):
    choice, customer = random.Random(i), shop.customers[i]
    for number in range(orders):
        lines = [line(p, choice.randint(1, 3)) for p in choice.sample(products, 3)]
        answer = stubborn.place(customer, lines, str(number))
        if answer:
            answers[customer, str(number)] = answer


@contextlib.contextmanager
def placing(shop, servers, products, clients, orders, answers):
    """Stubborn clients that place so many orders each, while the block is run; then until they are
    done."""
    stubborn = [Stubborn(servers) for _ in range(clients)]
    for _ in range(clients):
        shop.customer()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        work = [pool.submit(place_all, shop, stubborn[i], i, products, orders, answers)
                for i in range(clients)]
        yield stubborn, lambda: not all(w.done() for w in work)
        for done in work:
            done.result()
    for client in stubborn:
        client.close()


def test_clients_whose_connections_are_killed_place_each_order_once(shop):
    initial = {shop.product(f"{n}.99", 400): 400 for n in range(6)}
    answers, choice = {}, random.Random(1)
    with placing(shop, shop.servers, list(initial), 8, 40, answers) as (clients, is_busy):
        while is_busy():
            time.sleep(choice.uniform(0, 0.01))
            number = choice.choice(clients).thread_id()
            if number:
                with contextlib.suppress(pymysql.err.OperationalError):  # it is gone already
                    shop.sql(choice.choice(["KILL %s", "KILL QUERY %s"]), number)
    killed = sum((client.interrupted for client in clients), collections.Counter())
    assert killed[1317] and sum(killed.values()) > killed[1317], "nobody was killed"
    assert answers
    check_orders(shop, answers)
    shop.check_nothing_lost(initial)


@pytest.fixture
def mortal(folder, shop_mariadb):
    """A server of its own, which the test may kill."""
    with ordering.running(folder, shop_mariadb) as both:
        yield both


def kill_while_placing(mortal, shop):
    initial = {shop.product(f"{n}.99", 2000): 2000 for n in range(6)}
    answers = {}
    with placing(shop, mortal, list(initial), 8, 60, answers) as (clients, is_busy):
        while len(answers) < 150:
            assert is_busy()
            time.sleep(0.01)
        server = mortal.processes.pop("mariadb")
        server.send_signal(signal.SIGKILL)
        server.wait()
        acknowledged = dict(answers)
        mortal.start_mariadb()
        assert is_busy()
    assert any(client.interrupted for client in clients)
    shop.link.connect()
    assert acknowledged.items() <= answers.items() and len(answers) == 8 * 60
    check_orders(shop, answers)
    shop.check_nothing_lost(initial)


def test_a_server_that_is_killed_forgets_no_order_that_it_acknowledged(mortal):
    with contextlib.closing(ordering.Shop(mortal)) as shop:
        kill_while_placing(mortal, shop)
        shop.check()
