#!/usr/bin/python3
"""How long after its commit in MariaDB a change is found by /v1/search, while others change.

Usage: tests/bench/search_live.py --stack DIR [--seconds 20] [--rate 100] [--output FILE]

One client writes prices of other products at a steady rate. Beside it a second one makes one change
at a time, commits it, and asks again and again until the answer shows it:

price    a price moves a product across a filter
delete   a product is found no more
words    a new product is found by a word of its name
meaning  a new product is found by its meaning alone

The stack is one that runs, with the default model; what is added is removed again.
"""
import argparse
import json
import pathlib
import statistics
import sys
import threading
import time
import urllib.parse

import pymysql

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
sys.dont_write_bytecode = True

import shop as shop_module  # noqa: E402

NAME = "livebench{}"
LATE_SECONDS = 10
ASK_SECONDS = 0.001  # who asks without a rest takes a core from what is measured


def connect(shop):
    where = shop.reach()
    reach = ({"unix_socket": where["socket"]} if where.get("socket") else
             {"host": where["host"], "port": int(where["port"])})
    password = where.get("password") or pathlib.Path(where["password_file"]).read_text().strip()
    return pymysql.connect(user=where["user"], password=password, database=where["database"],
                           autocommit=True, **reach)


class Writer(threading.Thread):
    """Prices of products that nobody looks for, one a commit."""

    def __init__(self, shop, rate):
        super().__init__(daemon=True)
        self.db, self.rate, self.done = connect(shop), rate, threading.Event()
        self.changes = 0

    def run(self):
        with self.db.cursor() as cursor:
            cursor.execute("SELECT product_id FROM Products WHERE product_name NOT LIKE 'livebench%'"
                           " LIMIT 500")
            products = [row[0] for row in cursor.fetchall()]
            since = time.monotonic()
            while not self.done.is_set():
                cursor.execute("UPDATE Products SET price = price + 0.01 WHERE product_id = %s",
                               (products[self.changes % len(products)],))
                self.changes += 1
                ahead = self.changes / self.rate - (time.monotonic() - since)
                if ahead > 0:
                    time.sleep(ahead)


class Prober:
    def __init__(self, shop):
        self.db, self.http = connect(shop), shop.http()
        with self.db.cursor() as cursor:
            cursor.execute("SELECT category_id, supplier_id, product_name FROM Products"
                           " WHERE product_name LIKE '%keyboard%' ORDER BY product_id LIMIT 1")
            self.category, self.supplier, self.keyboard = cursor.fetchone()
        self.n = 0

    def sql(self, statement, *values):
        with self.db.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.lastrowid

    def add(self, name, price=100):
        return self.sql("INSERT INTO Products (category_id, supplier_id, product_name, price,"
                        " stock_quantity) VALUES (%s, %s, %s, %s, 1)",
                        self.category, self.supplier, name, price)

    def search(self, q, **parameters):
        query = urllib.parse.urlencode({"q": q, "literal": "true", "limit": 10, **parameters})
        self.http.request("GET", f"/v1/search?{query}")
        answer = self.http.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"search: {answer.status} {body}")
        return [hit["id"] for hit in body["hits"]]

    def until(self, is_seen, since):
        """Milliseconds from the commit to the answer that shows it."""
        while not is_seen():
            if time.monotonic() > since + LATE_SECONDS:
                raise RuntimeError("a change was not seen in time")
            time.sleep(ASK_SECONDS)
        return (time.monotonic() - since) * 1000

    def word(self):
        self.n += 1
        return NAME.format(f"{self.n}x{time.time_ns() % 1000000}")

    def new_product(self):
        word = self.word()
        number = self.add(f"{word} lamp")
        took = self.until(lambda: number in self.search(word, mode="lexical"), time.monotonic())
        return word, number, took

    def words(self):
        _, number, took = self.new_product()
        self.sql("DELETE FROM Products WHERE product_id = %s", number)
        return took

    def price(self):
        word, number, _ = self.new_product()
        self.sql("UPDATE Products SET price = 5 WHERE product_id = %s", number)
        took = self.until(lambda: number in self.search(word, mode="lexical", filter="price<50"),
                          time.monotonic())
        self.sql("DELETE FROM Products WHERE product_id = %s", number)
        return took

    def delete(self):
        word, number, _ = self.new_product()
        self.sql("DELETE FROM Products WHERE product_id = %s", number)
        return self.until(lambda: number not in self.search(word, mode="lexical"), time.monotonic())

    def meaning(self):
        """One more of a kind that there is."""
        name = f"{self.keyboard} {self.word()}"
        number = self.add(name)
        took = self.until(lambda: number in self.search(name, mode="vector"), time.monotonic())
        self.sql("DELETE FROM Products WHERE product_id = %s", number)
        return took


def quantiles(took):
    took = sorted(took)
    return {"n": len(took), "p50_ms": round(statistics.median(took), 2),
            "p90_ms": round(took[int(len(took) * 0.9)], 2),
            "p99_ms": round(took[min(len(took) - 1, int(len(took) * 0.99))], 2),
            "max_ms": round(took[-1], 2)}


def measure(shop, seconds, rate):
    """{"price": {...}, ...}: milliseconds from commit to the answer that shows it."""
    writer, prober, report = Writer(shop, rate), Prober(shop), {}
    writer.start()
    started = time.monotonic()
    try:
        for kind in ("price", "delete", "words", "meaning"):
            took, until = [], time.monotonic() + seconds
            while time.monotonic() < until:
                took.append(getattr(prober, kind)())
            report[kind] = quantiles(took)
    finally:
        report["changes_per_second"] = round(writer.changes / (time.monotonic() - started), 1)
        writer.done.set()
        writer.join(10)
        prober.sql("DELETE FROM Products WHERE product_name LIKE '%%livebench%%'")
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--stack", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    text = json.dumps(measure(shop_module.Shop(options.stack), options.seconds, options.rate), indent=1)
    if options.output:
        options.output.write_text(f"{text}\n")
    print(text)


if __name__ == "__main__":
    main()
