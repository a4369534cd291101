"""A database of the shop's schema, filled by the test itself, and what must always hold in it."""
import contextlib
import decimal
import itertools
import json
import subprocess
import typing

import pymysql

import servers as servers_module
import stack as stack_module
from waiting import until

DATABASE = "shop"
STATES = ["pending", "paid", "shipped", "delivered", "cancelled", "returned"]
REFUSED = 1644  # a SIGNAL that nobody handled
# All that an order, a cart or a line may change, with what orders the rows.
TABLES = {
    "Orders": "order_id", "Order_Items": "order_item_id", "Order_Events": "order_event_id",
    "Order_Requests": "customer_id, idempotency_key", "Products": "product_id",
    "Product_Price_History": "price_history_id", "Stock_Movements": "movement_id",
    "Service_Days": "product_id, service_date", "Carts": "cart_id",
    "Cart_Items": "cart_id, product_id", "Reviews": "review_id",
    "Product_Rating_Summary": "product_id",
    "TR_Orders_Archive": "order_id", "TR_Order_Items_Archive": "order_item_id",
}


class Answer(typing.NamedTuple):
    """What placing an order answers."""
    order: int
    total: object
    currency: str
    placed_at: object


def make_template(folder, empty_mariadb):
    """A cleanly stopped data folder of MariaDB that has the schema, below `folder`."""
    both = servers_module.Servers(folder, empty_mariadb)
    both.start_mariadb()
    try:
        config = folder / "aethermart.yaml"
        config.write_text(f"mariadb:\n  socket: {both.socket}\n  user: root\n"
                          f"  database: {DATABASE}\n")
        with both.open_sql() as link, link.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        subprocess.run([str(stack_module.BINARY), "schema", "apply", "--config", str(config)],
                       check=True, capture_output=True, env=stack_module.environment())
    finally:
        both.close()
    return both.datadir


def amount(text):
    return decimal.Decimal(text)


def line(product, quantity=1, **more):
    return {"product_id": product, "quantity": quantity, **more}


def error_number(error):
    return error.args[0] if error.args else 0


class Client:
    """One connection."""

    def __init__(self, servers, **options):
        self.link = servers.open_sql(database=DATABASE, **options)

    def close(self):
        with contextlib.suppress(pymysql.Error):
            self.link.close()

    def sql(self, statement, *args):
        """Rows as a list of tuples, or the number of rows changed."""
        with self.link.cursor() as cursor:
            changed = cursor.execute(statement, args or None)
            return list(cursor.fetchall()) if cursor.description else changed

    def value(self, statement, *args):
        return self.sql(statement, *args)[0][0]

    def call(self, procedure, *args):
        marks = ", ".join(["%s"] * len(args))
        return self.sql(f"CALL {procedure}({marks})", *args)

    def insert(self, table, **columns):
        """Inserts a row and returns its AUTO_INCREMENT id."""
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        self.sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", *columns.values())
        return self.link.insert_id()

    def sqlstate(self):
        """Of the statement that failed just now: the driver does not tell."""
        self.sql("GET DIAGNOSTICS CONDITION 1 @state = RETURNED_SQLSTATE")
        return self.value("SELECT @state")

    def place(self, customer, lines, key, address=None, quoted=None):
        text = lines if lines is None or isinstance(lines, str) else json.dumps(lines)
        return Answer(*self.call("sp_PlaceOrder", customer, address, text, key,
                                 quoted and json.dumps(quoted))[0])

    def place_from(self, customer, lines, key, channel=None, cart=None):
        return Answer(*self.call("sp_PlaceOrderFrom", customer, None, json.dumps(lines), key, None,
                                 channel, cart)[0])

    def reserve(self, customer, lines, minutes=5):
        return self.call("sp_ReserveCart", customer, json.dumps(lines), minutes)[0][0]


class Shop(Client):
    """A connection with which a test makes rows of its own, which check() looks at."""

    numbers = itertools.count(1)

    def __init__(self, servers, **options):
        super().__init__(servers, **options)
        self.servers = servers
        self.products, self.customers, self.clients = [], [], []
        number = next(self.numbers)
        self.category = self.insert("Categories", category_name="All",
                                    category_slug=f"all-{number}")
        self.supplier = self.insert("Suppliers", supplier_name=f"Maker {number}")

    def close(self):
        for client in self.clients:
            client.close()
        super().close()

    def client(self, **options):
        """Another connection, closed with this one."""
        self.clients.append(Client(self.servers, **options))
        return self.clients[-1]

    # --- rows --------------------------------------------------------------------------------

    def product(self, price="10.00", stock=100, **columns):
        self.products.append(self.insert(
            "Products", supplier_id=self.supplier, category_id=self.category, product_name="Thing",
            price=price, stock_quantity=stock, **columns))
        return self.products[-1]

    def service(self, price="50.00", capacity=3, lead_days=0):
        product = self.product(price, None, product_kind="service")
        self.sql("INSERT INTO Service_Details (product_id, service_type, duration_minutes,"
                 " delivery_mode, lead_time_days, daily_capacity)"
                 " VALUES (%s, 'repair', 60, 'remote', %s, %s)", product, lead_days, capacity)
        return product

    def customer(self, **columns):
        self.customers.append(self.insert("Customers", **{
            "first_name": "Ada", "last_name": "One", "registration_date": "2026-01-01", **columns}))
        return self.customers[-1]

    def address(self, customer, **columns):
        return self.insert("Customer_Addresses", **{
            "customer_id": customer, "street": "1 Main St", "city": "Springfield", "state": "IL",
            "zip": "62701", "country": "US", **columns})

    def order(self, customer=None, **columns):
        """An order written by plain SQL."""
        return self.insert("Orders", customer_id=customer or self.customer(),
                           order_date="2026-01-02", **columns)

    def line(self, order, product, quantity=1, price="10.00", **columns):
        """A line written by plain SQL."""
        return self.insert("Order_Items", order_id=order, product_id=product, quantity=quantity,
                           price=price, **columns)

    # --- what is there -----------------------------------------------------------------------

    def stock(self, product):
        return self.value("SELECT stock_quantity FROM Products WHERE product_id = %s", product)

    def reserved(self, product):
        return self.value("SELECT reserved_quantity FROM Products WHERE product_id = %s", product)

    def booked(self, service, day):
        rows = self.sql("SELECT booked FROM Service_Days WHERE product_id = %s"
                        " AND service_date = %s", service, day)
        return rows[0][0] if rows else None

    def total(self, order):
        return self.value("SELECT total_amount FROM Orders WHERE order_id = %s", order)

    def lines(self, order, columns="product_id, quantity"):
        return self.sql(f"SELECT {columns} FROM Order_Items WHERE order_id = %s"
                        " ORDER BY order_item_id", order)

    def state(self, order):
        return self.sql("SELECT order_status, payment_status, refunded_amount FROM Orders"
                        " WHERE order_id = %s", order)[0]

    def events(self, order):
        return self.sql("SELECT event_kind, value_before, value_after FROM Order_Events"
                        " WHERE order_id = %s ORDER BY order_event_id", order)

    def movements(self, product):
        return self.sql("SELECT quantity, movement_reason, order_id FROM Stock_Movements"
                        " WHERE product_id = %s ORDER BY movement_id", product)

    def wait_for_locks(self, number=1):
        """Until so many transactions wait for a lock. The server renews what it tells of them when
        nobody asked for a tenth of a second."""
        until(lambda: self.value("SELECT COUNT(*) FROM information_schema.INNODB_TRX"
                                 " WHERE trx_state = 'LOCK WAIT'") == number,
              pause=0.15, what=f"{number} wait for locks")

    # --- what must hold ----------------------------------------------------------------------

    def snapshot(self):
        return {table: self.sql(f"SELECT * FROM {table} ORDER BY {key}")
                for table, key in TABLES.items()}

    @contextlib.contextmanager
    def refused(self, state, words=""):
        """What is done within fails with the SQLSTATE, says the words and changes nothing."""
        before = self.snapshot()
        try:
            yield
        except pymysql.Error as error:
            assert self.sqlstate() == state, error
            assert words in error.args[1]
        else:
            raise AssertionError(f"not refused with {state}")
        after = self.snapshot()
        for table in TABLES:
            assert after[table] == before[table], f"{table} changed"

    def differences(self, query, of):
        """Rows of (what, is, should be) where the two differ, among what this test made."""
        if not of:
            return []
        rows = self.sql(query, of)
        return [row for row in rows if row[-2] != row[-1]]

    def check(self):
        """Whatever was done, these agree."""
        assert not self.differences(
            "SELECT p.product_id, p.stock_quantity, (SELECT SUM(quantity) FROM Stock_Movements m"
            " WHERE m.product_id = p.product_id) FROM Products p"
            " WHERE p.product_id IN %s", self.products), "stock is the sum of its movements"
        assert not self.differences(
            "SELECT p.product_id, p.reserved_quantity, (SELECT COALESCE(SUM(quantity), 0)"
            " FROM Cart_Items i WHERE i.product_id = p.product_id) FROM Products p"
            " WHERE p.product_id IN %s", self.products), "reserved is what carts hold"
        assert not self.differences(
            "SELECT d.product_id, d.service_date, d.booked, (SELECT COALESCE(SUM(stock_taken), 0)"
            " FROM Order_Items i WHERE i.product_id = d.product_id"
            " AND i.service_date = d.service_date) + (SELECT COALESCE(SUM(quantity"
            " - returned_quantity), 0) FROM TR_Order_Items_Archive a"
            " WHERE a.product_id = d.product_id AND a.service_date = d.service_date)"
            " FROM Service_Days d"
            " WHERE d.product_id IN %s", self.products), "booked is what lines took, and kept"
        assert not self.differences(
            "SELECT o.order_id, o.total_amount, (SELECT COALESCE(SUM(quantity * price), 0)"
            " FROM Order_Items i WHERE i.order_id = o.order_id) FROM Orders o"
            " WHERE o.external_id IS NULL AND o.customer_id IN %s", self.customers), \
            "a total is the sum of its lines"
        assert not self.differences(
            "SELECT i.order_item_id, i.stock_taken, i.quantity - i.returned_quantity"
            " FROM Order_Items i WHERE i.stock_taken > 0 AND i.product_id IN %s", self.products), \
            "a line took what is not back"
        assert not self.products or not self.sql(
            "SELECT product_id FROM Products WHERE product_id IN %s"
            " AND (stock_quantity < 0 OR reserved_quantity < 0)", self.products)

    def check_nothing_lost(self, initial):
        """`initial`: {product: stock}. Each piece is in stock or was taken by a line."""
        rows = self.sql("SELECT p.product_id, p.stock_quantity + (SELECT COALESCE(SUM(stock_taken),"
                        " 0) FROM Order_Items i WHERE i.product_id = p.product_id)"
                        " FROM Products p WHERE p.product_id IN %s", list(initial))
        assert {product: int(pieces) for product, pieces in rows} == initial


@contextlib.contextmanager
def running(folder, template):
    """A MariaDB server on a copy of the template."""
    both = servers_module.Servers(folder, template)
    try:
        both.start_mariadb()
        yield both
    finally:
        both.close()
