"""Writers on the shop's tables: all that an application does to rows, on few hot keys, so that
changes to one document meet. Each writer is a thread with its own connection; it goes on across
lost connections and deadlocks, as an application would."""
import contextlib
import random
import threading
import time

import pymysql

# Lost connection, server away, read only while starting; deadlock, lock wait, record changed.
RETRY = {1053, 1077, 1152, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 1205, 1213, 1020}
# A row that another writer made or took first: duplicate, parent gone, child there, check failed; and
# what a rule of the shop refuses: too little in stock, a state that may not follow.
EXPECTED = {1062, 1451, 1452, 4025, 1644}


class Writer(threading.Thread):
    """Makes changes until stop(); `changes` counts the committed ones, `error` is what ended it
    early. `rate`: changes a second at most; None: as fast as it can."""

    def __init__(self, stack, seed, hot=4, rate=100, only=None):
        super().__init__(daemon=True)
        self.stack = stack
        self.random = random.Random(seed)
        self.seed = seed
        self.rate = rate
        self.changes = 0
        self.error = None
        self._done = threading.Event()
        self.connection = stack.open_sql(autocommit=False)
        self.customers = self.column("SELECT customer_id FROM Customers ORDER BY 1 LIMIT %s", hot)
        self.products = self.column(
            "SELECT product_id FROM Products WHERE product_kind = 'physical' ORDER BY 1 LIMIT %s",
            hot)
        self.categories = self.column("SELECT category_id FROM Categories ORDER BY 1 LIMIT 6")
        self.suppliers = self.column("SELECT supplier_id FROM Suppliers ORDER BY 1 LIMIT 6")
        self.connection.rollback()
        names = only or [n for n in dir(self) if n.startswith("do_")]
        self.actions = [getattr(self, n if n.startswith("do_") else f"do_{n}") for n in names]

    # --- running --------------------------------------------------------------------------------

    def run(self):
        started = time.monotonic()
        while not self._done.is_set():
            try:
                self.random.choice(self.actions)()
                self.connection.commit()
                self.changes += 1
            except pymysql.MySQLError as error:
                number = error.args[0] if error.args else 0
                if number in EXPECTED:
                    self.connection.rollback()
                elif number in RETRY or isinstance(error, pymysql.err.InterfaceError):
                    self.reconnect()
                else:
                    self.error = error
                    return
            if self.rate:
                ahead = self.changes / self.rate - (time.monotonic() - started)
                if ahead > 0:
                    self._done.wait(ahead)
        with contextlib.suppress(pymysql.MySQLError):
            self.connection.close()

    def reconnect(self):
        with contextlib.suppress(Exception):
            self.connection.close()
        while not self._done.is_set():
            try:
                self.connection = self.stack.open_sql(autocommit=False)
                return
            except (pymysql.MySQLError, OSError):
                self._done.wait(0.05)

    def stop(self):
        self._done.set()
        self.join(70)
        assert not self.is_alive(), "a writer does not end"
        if self.error:
            raise self.error

    # --- helpers --------------------------------------------------------------------------------

    def sql(self, statement, *args):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, args)
            return list(cursor.fetchall()) if cursor.description else cursor.lastrowid

    def column(self, statement, *args):
        return [row[0] for row in self.sql(statement, *args)]

    def pick(self, table, key, where="TRUE", *args):
        """The key of some row among the newest 20, or None."""
        found = self.column(f"SELECT {key} FROM {table} WHERE {where} ORDER BY {key} DESC LIMIT 20",
                            *args)
        return self.random.choice(found) if found else None

    def word(self):
        """Texts that a careless sync confuses: case, trailing spaces, empty, not ASCII."""
        return self.random.choice(
            ["Anna", "anna", "ANNA", "anna ", " anna", "ÄNNA", "änna", "Zoë 🙂", "", "o'Neill",
             "a\\b", "x" * 60]) + self.random.choice(["", "", " ", str(self.random.randint(0, 99))])

    def customer(self):
        return self.random.choice(self.customers)

    def product(self):
        return self.random.choice(self.products)

    # --- changes --------------------------------------------------------------------------------

    def do_product_field(self):
        column, value = self.random.choice([
            ("price", f"{self.random.randint(0, 99999)}.{self.random.randint(0, 99):02d}"),
            ("product_name", self.word()), ("stock_quantity", self.random.randint(0, 9)),
            ("product_description", self.random.choice([None, "", "text", "Text ", "ü" * 500])),
            ("current_rating", self.random.choice([None, "1.00", "4.50"])),
            ("model_name", self.random.choice([None, "m", "M", "M "])),
            ("category_id", self.random.choice(self.categories)),
            ("supplier_id", self.random.choice(self.suppliers)),
            ("specifications", self.random.choice([None, '{"a": 1}', '{"a": 1.0, "b": [1, {}]}'])),
        ])
        self.sql(f"UPDATE Products SET {column} = %s WHERE product_id = %s", value, self.product())

    def do_customer_field(self):
        column, value = self.random.choice([
            ("first_name", self.word()), ("last_name", self.word()),
            ("phone_number", self.random.choice([None, "", "1", "1 "])),
            ("locale", self.random.choice([None, "de-DE", "de-de"])),
            ("customer_status", self.random.choice(["active", "inactive"])),
            ("date_of_birth", self.random.choice([None, "1970-01-01", "2001-12-31"])),
            ("email", self.random.choice([None, f"{self.seed}.{self.changes}@example.org"])),
        ])
        self.sql(f"UPDATE Customers SET {column} = %s WHERE customer_id = %s", value,
                 self.customer())

    def do_review_new(self):
        self.sql("INSERT INTO Reviews (product_id, customer_id, rating, review_title, review_text,"
                 " review_date) VALUES (%s, %s, %s, %s, %s, NOW())", self.product(),
                 self.customer(), self.random.randint(1, 5), self.word(), self.word())

    def do_review_change(self):
        column, value = self.random.choice([
            ("product_id", self.product()), ("customer_id", self.customer()),
            ("rating", self.random.randint(1, 5)), ("review_text", self.word()),
            ("review_title", None), ("review_date", "2026-01-02 03:04:05"),
        ])
        self.sql(f"UPDATE Reviews SET {column} = %s WHERE review_id = %s", value,
                 self.pick("Reviews", "review_id"))

    def do_review_delete(self):
        self.sql("DELETE FROM Reviews WHERE review_id = %s", self.pick("Reviews", "review_id"))

    def do_review_delete_and_insert_again(self):
        number = self.pick("Reviews", "review_id")
        row = self.sql("SELECT product_id, customer_id, review_date FROM Reviews"
                       " WHERE review_id = %s FOR UPDATE", number)
        if not row:
            return
        self.sql("DELETE FROM Reviews WHERE review_id = %s", number)
        if self.random.random() < 0.5:
            self.connection.commit()
        self.sql("INSERT INTO Reviews (review_id, product_id, customer_id, rating, review_date)"
                 " VALUES (%s, %s, %s, 3, %s)", number, *row[0])

    def do_review_key(self):
        number = self.pick("Reviews", "review_id")
        if number is None:
            return
        beyond = 10_000_000_000
        self.sql("UPDATE Reviews SET review_id = %s WHERE review_id = %s",
                 number + beyond if number < beyond else number - beyond, number)

    def do_order_new(self):
        number = self.sql("INSERT INTO Orders (customer_id, order_date) VALUES (%s, %s)",
                          self.customer(), f"2026-01-{self.random.randint(1, 28):02d} 12:00:00")
        for product in self.random.sample(self.products, self.random.randint(0, 3)):
            self.sql("INSERT INTO Order_Items (order_id, product_id, quantity, price)"
                     " VALUES (%s, %s, 1, 9.99)", number, product)
        self.sql("UPDATE Orders SET total_amount = (SELECT COALESCE(SUM(price * quantity), 0)"
                 " FROM Order_Items WHERE order_id = %s) WHERE order_id = %s", number, number)

    def do_order_change(self):
        column, value = self.random.choice([
            ("customer_id", self.customer()), ("order_status", "cancelled"),
            ("order_status", "paid"), ("total_amount", f"{self.random.randint(0, 999)}.10"),
            ("order_date", f"2026-02-{self.random.randint(1, 28):02d} 00:00:00"),
        ])
        self.sql(f"UPDATE Orders SET {column} = %s WHERE order_id = %s", value,
                 self.pick("Orders", "order_id"))

    def do_order_delete(self):
        number = self.pick("Orders", "order_id")
        self.sql("DELETE FROM Order_Items WHERE order_id = %s", number)
        self.sql("DELETE FROM Orders WHERE order_id = %s", number)

    def do_item_change(self):
        column, value = self.random.choice([
            ("price", f"{self.random.randint(0, 99)}.50"), ("quantity", self.random.randint(1, 9)),
            ("order_id", self.pick("Orders", "order_id")), ("product_id", self.product()),
        ])
        self.sql(f"UPDATE Order_Items SET {column} = %s WHERE order_item_id = %s", value,
                 self.pick("Order_Items", "order_item_id"))

    def do_item_delete(self):
        self.sql("DELETE FROM Order_Items WHERE order_item_id = %s",
                 self.pick("Order_Items", "order_item_id"))

    def do_address(self):
        number = self.pick("Customer_Addresses", "address_id",
                           "address_id NOT IN (SELECT COALESCE(address_id, 0) FROM Orders)")
        choice = self.random.randrange(4)
        if choice == 0 or number is None:
            self.sql("INSERT INTO Customer_Addresses (customer_id, is_default, street, city, zip,"
                     " country) VALUES (%s, %s, 'Street', %s, '01', 'DE')", self.customer(),
                     self.random.randint(0, 1), self.word()[:40])
        elif choice == 1:
            self.sql("DELETE FROM Customer_Addresses WHERE address_id = %s", number)
        elif choice == 2:
            self.sql("UPDATE Customer_Addresses SET customer_id = %s WHERE address_id = %s",
                     self.customer(), number)
        else:
            self.sql("UPDATE Customer_Addresses SET is_default = 1 - is_default"
                     " WHERE address_id = %s", number)

    def do_names_around(self):
        table, column, key, among = self.random.choice([
            ("Categories", "category_name", "category_id", self.categories),
            ("Suppliers", "supplier_name", "supplier_id", self.suppliers),
        ])
        self.sql(f"UPDATE {table} SET {column} = %s WHERE {key} = %s",
                 f"{self.word()[:40]} {self.random.randint(0, 10**6)}", self.random.choice(among))

    def do_product_comes_and_goes(self):
        number = self.sql("INSERT INTO Products (supplier_id, category_id, product_name, price,"
                          " stock_quantity) VALUES (%s, %s, %s, 1, 1)",
                          self.random.choice(self.suppliers), self.random.choice(self.categories),
                          self.word())
        self.connection.commit()
        beyond = number + 5_000_000_000 + self.seed * 10**9
        self.sql("UPDATE Products SET product_id = %s WHERE product_id = %s", beyond, number)
        if self.random.random() < 0.7:
            self.connection.commit()
            self.sql("DELETE FROM Products WHERE product_id = %s", beyond)

    def do_customer_comes_and_goes(self):
        number = self.sql("INSERT INTO Customers (first_name, last_name, registration_date)"
                          " VALUES (%s, %s, NOW())", self.word(), self.word())
        if self.random.random() < 0.5:
            self.connection.commit()
        self.sql("DELETE FROM Customers WHERE customer_id = %s", number)


@contextlib.contextmanager
def writers(stack, count=3, **options):
    """Writers at work for the length of the block; yields them. They must have changed something,
    and none may have met an error that an application would not expect."""
    threads = [Writer(stack, seed, **options) for seed in range(1, count + 1)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.stop()
    assert sum(t.changes for t in threads) > 0, "the writers changed nothing"
