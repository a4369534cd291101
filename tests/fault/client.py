"""A client of the fault run: a process that orders, cancels, pays, ships and sends back, until its
time is over or it is killed.

What it asks for and what it was answered stands in a journal, a line each, written before and after
the call. Whoever comes after a killed client reads the journal, asks again for what was not
answered, with the same key, and goes on.
"""
import contextlib
import json
import os
import random
import signal
import time

import pymysql

import ordering

ANSWER_SECONDS = 60  # for an answer, while servers come back
# Lost, refused while the server starts or stops, or killed: the client comes back.
LOST = {0, 1053, 1152, 1184, 1317, 1927, 2002, 2003, 2006, 2013, 2055}


class Journal:
    """Lines of one client and of those that followed it."""

    def __init__(self, path):
        self.path = path
        self.asked = {}  # key: lines
        self.answers = {}  # key: (order, total)
        self.refused = set()
        self.lost = 0
        self.failures = []
        if path.exists():
            for text in path.read_text().splitlines():
                self.read(text)

    def read(self, text):
        try:
            kind, *what = json.loads(text)
        except ValueError:
            return  # cut off
        if kind == "ask":
            self.asked[what[0]] = what[1]
        elif kind == "got":
            self.answers[what[0]] = (what[1], what[2])
        elif kind == "refused":
            self.refused.add(what[0])
        elif kind == "lost":
            self.lost += 1
        else:
            self.failures.append(what[0])

    def open_keys(self):
        return [key for key in self.asked if key not in self.answers and key not in self.refused]

    def write(self, *what):
        text = json.dumps(what)
        self.read(text)
        with open(self.path, "ab", buffering=0) as file:
            file.write(f"{text}\n".encode())


class Client:
    def __init__(self, stack, journal, customer, products, choice):
        self.stack, self.journal, self.customer = stack, journal, customer
        self.products, self.choice = products, choice
        self.link = None

    def call(self, procedure, *args):
        """Its first row."""
        marks = ", ".join(["%s"] * len(args))
        if self.link is None:
            self.link = self.stack.open_sql()
        with self.link.cursor() as cursor:
            cursor.execute(f"CALL {procedure}({marks})", args)
            return cursor.fetchone()

    def has_lost(self, error):
        """False: what happened is no lost connection, and is noted."""
        number = ordering.error_number(error)
        if number not in LOST and not isinstance(error, OSError):
            self.journal.write("failed", f"{number}: {error.args[-1]}")
            return False
        self.journal.write("lost", number)
        if self.link is not None:
            with contextlib.suppress(pymysql.Error):
                self.link.close()
            self.link = None
        time.sleep(0.05)
        return True

    def place(self, key, lines):
        """Until there is an answer."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                row = self.call("sp_PlaceOrder", self.customer, None, json.dumps(lines), key, None)
                return self.journal.write("got", key, row[0], str(row[1]))
            except (pymysql.Error, OSError) as error:
                if ordering.error_number(error) == ordering.REFUSED:
                    return self.journal.write("refused", key)
                if not self.has_lost(error):
                    return self.journal.write("refused", key)
                if time.monotonic() > deadline:
                    return self.journal.write("failed", f"no answer for {ANSWER_SECONDS} s")

    def change(self, procedure, *args):
        """Once: it may have happened when the connection is lost."""
        try:
            self.call(procedure, *args)
        except (pymysql.Error, OSError) as error:
            if ordering.error_number(error) != ordering.REFUSED:
                self.has_lost(error)

    def lines(self):
        return [ordering.line(product, self.choice.randint(1, 3))
                for product in self.choice.sample(self.products, self.choice.randint(1, 3))]

    def order_anew(self):
        key = f"{len(self.journal.asked)}"
        self.journal.write("ask", key, self.lines())
        self.place(key, self.journal.asked[key])

    def change_some(self):
        key = self.choice.choice(list(self.journal.answers)[-12:])
        order = self.journal.answers[key][0]
        what = self.choice.choice(["cancel", "paid", "shipped", "delivered", "all", "one", "again"])
        if what == "cancel":
            self.change("sp_CancelOrder", order)
        elif what == "all":
            self.change("sp_ReturnItems", order, None)
        elif what == "one":
            product = self.choice.choice(self.journal.asked[key])["product_id"]
            self.change("sp_ReturnItems", order, json.dumps([ordering.line(product)]))
        elif what == "again":
            before = self.journal.answers[key]
            self.place(key, self.journal.asked[key])
            if self.journal.answers[key] != before:
                self.journal.write("failed", f"key {key} was answered {before}, then"
                                   f" {self.journal.answers[key]}")
        else:
            self.change("sp_SetOrderStatus", order, what)

    def work(self, until):
        parent = os.getppid()
        for key in self.journal.open_keys():
            self.place(key, self.journal.asked[key])
        while time.monotonic() < until and os.getppid() == parent and not self.journal.failures:
            if self.journal.answers and self.choice.random() < 0.6:
                self.change_some()
            else:
                self.order_anew()


def run(stack, path, customer, products, seed, until):
    """The process's main function. `until`: in time.monotonic()."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    stack._sql = stack._mongo = None  # the parent's
    Client(stack, Journal(path), customer, products, random.Random(seed)).work(until)
