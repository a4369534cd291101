"""What must hold after a fault run. Each check is a query of what is wrong. One that finds nothing
is shown a fault, in a transaction that is rolled back: if it does not find that, it proves nothing.

%(products)s and %(customers)s are those of the run, %(product)s and %(customer)s one of them;
%(order)s is one that holds stock.
"""
import concurrent.futures
import json
import typing

import ordering


class Check(typing.NamedTuple):
    name: str
    count: str  # how many are looked at
    wrong: str  # rows: what is wrong with which
    fault: str  # a statement that makes one of them wrong


MINE = "customer_id IN %(customers)s"
PRODUCTS = "SELECT COUNT(*) FROM Products WHERE product_id IN %(products)s"
ORDERS = "SELECT COUNT(*) FROM Orders WHERE customer_id IN %(customers)s"
REQUESTS = "SELECT COUNT(*) FROM Order_Requests WHERE customer_id IN %(customers)s"
SUMS = (" FROM Orders o LEFT JOIN (SELECT order_id, SUM(quantity * price) AS summed,"
        " SUM(returned_quantity * price) AS back, SUM(quantity - returned_quantity) AS held"
        f" FROM Order_Items WHERE order_id IN (SELECT order_id FROM Orders WHERE {MINE})"
        f" GROUP BY order_id) i ON i.order_id = o.order_id WHERE o.{MINE} AND ")
LINES = ("SELECT COUNT(*) FROM Order_Items i JOIN Orders o ON o.order_id = i.order_id"
         " WHERE o.customer_id IN %(customers)s")

CHECKS = [
    Check("stock and what lines hold are what there was", PRODUCTS,
          "SELECT CONCAT('product ', p.product_id, ': ', m.quantity, ' were there, ',"
          " p.stock_quantity, ' are left, ', COALESCE(i.held, 0), ' in orders')"
          " FROM Products p JOIN Stock_Movements m ON m.product_id = p.product_id"
          " AND m.movement_reason = 'initial'"
          " LEFT JOIN (SELECT product_id, SUM(quantity - returned_quantity) AS held"
          " FROM Order_Items WHERE product_id IN %(products)s GROUP BY product_id) i"
          " ON i.product_id = p.product_id WHERE p.product_id IN %(products)s"
          " AND NOT p.stock_quantity + COALESCE(i.held, 0) <=> m.quantity",
          "UPDATE Products SET stock_quantity = stock_quantity + 1 WHERE product_id = %(product)s"),
    Check("stock is the sum of its movements", PRODUCTS,
          "SELECT CONCAT('product ', p.product_id, ': ', p.stock_quantity, ' in stock, ',"
          " COALESCE(m.moved, 0), ' by movements') FROM Products p LEFT JOIN (SELECT product_id,"
          " SUM(quantity) AS moved FROM Stock_Movements WHERE product_id IN %(products)s"
          " GROUP BY product_id) m ON m.product_id = p.product_id"
          " WHERE p.product_id IN %(products)s AND NOT p.stock_quantity <=> m.moved",
          "INSERT INTO Stock_Movements (product_id, quantity, movement_reason)"
          " VALUES (%(product)s, 1, 'correction')"),
    Check("no stock is negative", PRODUCTS,
          "SELECT CONCAT('product ', product_id, ' has ', stock_quantity) FROM Products"
          " WHERE product_id IN %(products)s AND (stock_quantity < 0 OR reserved_quantity <> 0)",
          "UPDATE Products SET stock_quantity = -1 WHERE product_id = %(product)s"),
    Check("a line holds what is not back", LINES,
          "SELECT CONCAT('line ', order_item_id, ' holds ', stock_taken, ' of ', quantity, ', ',"
          " returned_quantity, ' are back') FROM Order_Items WHERE order_id IN"
          f" (SELECT order_id FROM Orders WHERE {MINE})"
          " AND stock_taken <> quantity - returned_quantity",
          "UPDATE Order_Items SET stock_taken = 0 WHERE order_id = %(order)s"
          " AND stock_taken > 0"),
    Check("a key has one order", REQUESTS,
          "SELECT CONCAT('key ', r.idempotency_key, ' of customer ', r.customer_id, ' has order ',"
          " COALESCE(r.order_id, 'NULL')) FROM Order_Requests r LEFT JOIN Orders o"
          " ON o.order_id = r.order_id AND o.customer_id = r.customer_id"
          " WHERE r.customer_id IN %(customers)s AND o.order_id IS NULL",
          "UPDATE Order_Requests SET order_id = NULL WHERE customer_id = %(customer)s LIMIT 1"),
    Check("an order has one key", ORDERS,
          "SELECT CONCAT('order ', o.order_id, ' has ', COUNT(r.order_id), ' keys') FROM Orders o"
          " LEFT JOIN Order_Requests r ON r.order_id = o.order_id"
          " AND r.customer_id = o.customer_id WHERE o.customer_id IN %(customers)s"
          " GROUP BY o.order_id HAVING COUNT(r.order_id) <> 1",
          "DELETE FROM Order_Requests WHERE customer_id = %(customer)s LIMIT 1"),
    Check("a total is that of its lines", ORDERS,
          "SELECT CONCAT('order ', o.order_id, ': ', o.total_amount, ', lines ',"
          f" COALESCE(i.summed, 'NULL')){SUMS} NOT o.total_amount <=> i.summed",
          "UPDATE Orders SET total_amount = total_amount + 0.01 WHERE customer_id = %(customer)s"
          " LIMIT 1"),
    # An order that was cancelled before it was paid is void, and nothing is given back.
    Check("what was given back is what came back", ORDERS,
          "SELECT CONCAT('order ', o.order_id, ' ', o.order_status, ' ', o.payment_status, ': ',"
          f" o.refunded_amount, ' given back, ', i.back, ' came back'){SUMS}"
          " NOT o.refunded_amount <=> IF(o.payment_status = 'void', 0, i.back)",
          "UPDATE Orders SET refunded_amount = refunded_amount + 1 WHERE customer_id ="
          " %(customer)s LIMIT 1"),
    Check("cancelled and returned is what holds nothing", ORDERS,
          "SELECT CONCAT('order ', o.order_id, ' is ', o.order_status, ', ', i.held,"
          f" ' are not back'){SUMS}"
          " NOT (o.order_status IN ('cancelled', 'returned')) <=> (i.held = 0)",
          "UPDATE Order_Items SET returned_quantity = quantity WHERE order_id = %(order)s"),
    Check("an order was placed once", ORDERS,
          "SELECT CONCAT('order ', o.order_id, ' was placed ', COUNT(e.order_id), ' times')"
          " FROM Orders o LEFT JOIN Order_Events e ON e.order_id = o.order_id"
          " AND e.event_kind = 'placed' WHERE o.customer_id IN %(customers)s"
          " GROUP BY o.order_id HAVING COUNT(e.order_id) <> 1",
          "INSERT INTO Order_Events (order_id, event_kind) SELECT MIN(order_id), 'placed'"
          " FROM Orders WHERE customer_id = %(customer)s"),
]


class Verdict(typing.NamedTuple):
    name: str
    looked_at: int
    wrong: list


def is_found(stack, check, values):
    """Whether the check sees the fault, which is then taken back."""
    with stack.open_sql(autocommit=False) as link, link.cursor() as cursor:
        cursor.execute("SET SESSION check_constraint_checks = 0")
        cursor.execute(check.fault, values)
        cursor.execute(check.wrong, values)
        found = cursor.fetchall()
        link.rollback()
    return bool(found)


def of_tables(stack, products, customers):
    values = {"products": products, "customers": customers, "product": products[0],
              "customer": customers[0]}
    values["order"] = stack.value("SELECT MAX(i.order_id) FROM Orders o JOIN Order_Items i"
                                  " ON i.order_id = o.order_id WHERE i.stock_taken > 0"
                                  " AND o.customer_id IN %(customers)s", values)
    for check in CHECKS:
        wrong = [row[0] for row in stack.sql(check.wrong, values)]
        if not wrong and not is_found(stack, check, values):
            wrong = ["a fault that was made for it was not found"]
        yield Verdict(check.name, stack.value(check.count, values), wrong)


def of_answers(stack, journals):
    """What was acknowledged is there, and nothing else: a refused key has no order."""
    rows = {(customer, key): (order, str(total)) for customer, key, order, total in stack.sql(
        "SELECT customer_id, idempotency_key, order_id, total_amount FROM Order_Requests"
        " WHERE customer_id IN %s", [list(journals)])}
    told = {(customer, key): tuple(answer) for customer, journal in journals.items()
            for key, answer in journal.answers.items()}
    wrong = [f"key {key[1]} of customer {key[0]}: answered {told.get(key)}, there is"
             f" {rows.get(key)}" for key in sorted(rows.keys() | told.keys())
             if rows.get(key) != told.get(key)]
    unanswered = [f"key {key} of customer {customer} was never answered"
                  for customer, journal in journals.items() for key in journal.open_keys()]
    return Verdict("what was answered is there, no more", len(told), wrong + unanswered)


def ask_again(stack, customer, journal, most):
    wrong = []
    keys = list(journal.answers)[-most:]
    with stack.open_sql() as link, link.cursor() as cursor:
        for key in keys:
            cursor.execute("CALL sp_PlaceOrder(%s, NULL, %s, %s, NULL)",
                           (customer, json.dumps(journal.asked[key]), key))
            order, total = cursor.fetchone()[:2]
            if (order, str(total)) != journal.answers[key]:
                wrong.append(f"key {key} of customer {customer} gives {order}, gave"
                             f" {journal.answers[key][0]}")
    return len(keys), wrong


def of_keys(stack, journals, most=100):
    """The newest keys of each client, asked again, give the order that they gave."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda item: ask_again(stack, *item, most), journals.items()))
    return Verdict("a key asked again gives its order", sum(n for n, _ in found),
                   [text for _, wrong in found for text in wrong])


def of_clients(journals):
    """No deadlock and no other error reached a client, but for lost connections."""
    return Verdict("calls of clients fail by lost connections alone",
                   sum(len(journal.asked) for journal in journals.values()),
                   [f"customer {customer}: {text}" for customer, journal in journals.items()
                    for text in journal.failures])


def of_stress(status, text):
    """`order stress` proved the same of its own products."""
    wrong, orders = [], 0
    try:
        result = json.loads(text)
        orders = result["orders"]
        if result["initial"] != result["sold"] + result["left"]:
            wrong.append("what there was is not what was sold and what is left")
        if result["failed"] or result["wrong"] or not orders:
            wrong.append(f"orders {orders}, failed {result['failed']}, wrong {result['wrong']}")
    except ValueError:
        wrong.append("no result")
    if status != 0 or wrong:
        wrong.append(f"exit status {status}: {text.strip()[-2000:]}")
    return Verdict("`order stress` lost nothing, met no deadlock", orders, wrong)


def of_documents(stack):
    import oracle
    stack.wait_synced(90)
    letters = stack.dead_letters()
    differences = oracle.compare(stack)
    report = stack.verify()
    wrong = [f"dead letter: {letter}" for letter in letters] + [str(d) for d in differences]
    if not report["equal"]:
        wrong.append(f"verify: {json.dumps(report)[:2000]}")
    return Verdict("`verify` and the oracle find documents equal",
                   sum(entry.get("source", entry.get("documents", 0)) or 0
                       for entry in report["collections"]), wrong)
