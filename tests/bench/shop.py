"""A running stack of AetherMart, asked as anybody asks it: by its command line and its socket.

`running()` starts one of its own in a temporary folder and removes it afterwards; or takes one that
runs already, which it leaves as it is.
"""
import contextlib
import http.client
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import environment

DOCUMENTS_PER_SECOND = 100  # at least; embedding by one thread makes some 400
# The category's path is put together as the search rules read it.
PRODUCTS = """
WITH RECURSIVE paths AS (
  SELECT category_id, CAST(category_name AS CHAR(1000)) AS path
  FROM Categories WHERE parent_id IS NULL
  UNION ALL SELECT c.category_id, CONCAT(p.path, ' > ', c.category_name)
  FROM Categories c JOIN paths p ON c.parent_id = p.category_id)
SELECT JSON_OBJECT('id', external_id, 'name', product_name, 'brand', supplier_name,
                   'category', path, 'description', product_description,
                   'specifications', specifications)
FROM Products JOIN paths USING (category_id) JOIN Suppliers USING (supplier_id)
WHERE product_status = 'active' AND external_id IS NOT NULL ORDER BY product_id"""


def attributes(specifications):
    """"key words: value" of each specification; of what is true only the key."""
    parts = []
    for key, value in (specifications or {}).items():
        key = key.replace("_", " ")
        if value is True:
            parts.append(key)
        elif value not in (False, None, ""):
            parts.append(f"{key}: {value}")
    return ", ".join(parts)


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket; the connection stays open."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def is_live(part):
    """Whether a part of the index's status has all documents."""
    collections = (part or {}).get("collections") or []
    return bool(collections) and all(at["state"] == "live" and not at["waiting"]
                                     for at in collections)


class Shop:
    def __init__(self, folder, has_meaning=True):
        self.folder = pathlib.Path(folder)
        self.has_meaning = has_meaning
        self.options = []
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(
            ("AETHERMART_", "MARIA_", "MONGO_", "GEMINI_"))}

    def start(self, *words, **options):
        """A subprocess.run() of the program on this stack."""
        return subprocess.run(self.command(*words), check=False, text=True, env=self.environment,
                              **options)

    def command(self, *words):
        return [environment.BINARY, *self.options, "--stack.dir", self.folder, *map(str, words)]

    def run(self, *words):
        """What the program prints; BenchError when it fails."""
        done = self.start(*words, stdout=subprocess.PIPE)
        if done.returncode != 0:
            raise environment.BenchError(f"\"aethermart {' '.join(map(str, words))}\" ended with "
                                         f"{done.returncode}\nhint: what it says stands above")
        return done.stdout

    def json(self, *words):
        return json.loads(self.run(*words, "--json"))

    def products(self):
        """The active products with the fields that a search sees, in the shop's order, one by one:
        a million of them need not fit."""
        # One line a row, as it is: line ends within JSON are escaped by JSON itself.
        words = self.command("shell", "mariadb", "--", "--quick", "-N", "-B", "-r", "-e", PRODUCTS)
        with subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE) as process:
            for line in process.stdout:
                row = json.loads(line)
                row["attributes"] = attributes(row.pop("specifications"))
                yield {key: value or "" for key, value in row.items()}
        if process.returncode != 0:
            raise environment.BenchError(f"the products cannot be read: `aethermart shell` ended "
                                         f"with {process.returncode}\n"
                                         "hint: what it says stands above")

    def count(self):
        return int(self.run("shell", "mariadb", "--", "-N", "-B", "-e",
                            "SELECT COUNT(*) FROM Products WHERE product_status = 'active'"))

    def reach(self):
        return self.json("connection")["mariadb"]

    def http(self):
        path = self.folder / "serve.sock"
        if not path.exists():
            raise environment.BenchError(f"{path} is not there\nhint: is `aethermart serve` "
                                         "running, and is the folder's path short?")
        return Unix(path)

    def wait_synced(self, count):
        """Until MongoDB has all that MariaDB has, of which `count` may be new."""
        seconds = 600 + count / DOCUMENTS_PER_SECOND
        end = time.monotonic() + seconds
        while any(at["pending"] for at in self.json("status")["collections"]):
            if time.monotonic() > end:
                raise environment.BenchError(f"the stores are not in step after {seconds:.0f} s")
            time.sleep(1)

    def wait_indexed(self, count):
        """Until the index has all documents, by meaning too where there is a model: what is
        measured runs alone."""
        seconds = 600 + count / DOCUMENTS_PER_SECOND
        end = time.monotonic() + seconds
        while True:
            status = self.json("index", "status")
            if is_live(status.get("words")) and (
                    not self.has_meaning
                    or (is_live(status.get("serving")) and not status.get("building"))):
                return
            if time.monotonic() > end:
                raise environment.BenchError(f"the index is not complete after {seconds:.0f} s: "
                                             f"{json.dumps(status)}")
            time.sleep(1)


    def worker(self):
        """What `status` says of the worker: pid, memory_bytes."""
        servers = self.json("status")["servers"]
        return next(server for server in servers if server["name"] == "worker")

    def restart_seconds(self, answers, seconds=300):
        """From starting `serve`, with the index in its folder, until `answers()` is true. The
        worker of `up` is stopped for it, and started again at the end."""
        pid = self.worker()["pid"]
        ended = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        select.select([ended], [], [])
        os.close(ended)
        start = time.perf_counter()
        child = subprocess.Popen(self.command("serve"), env=self.environment,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not answers():
                if child.poll() is not None or time.perf_counter() - start > seconds:
                    raise environment.BenchError("`serve` did not come back with its index\n"
                                                 "hint: aethermart logs")
                time.sleep(0.005)
            return time.perf_counter() - start
        finally:
            child.terminate()
            child.wait()
            self.run("up", "--yes", "--no-shop")


# Each query is embedded, as often as it is asked.
NO_CACHE = """embed:
  query_cache: 0
"""
# A provider that nobody answers for: nothing is embedded, and the words do without.
NO_MODEL = """embed:
  provider: openai
  model: none
  dimension: 8
  endpoint: http://127.0.0.1:9
"""


@contextlib.contextmanager
def running(folder=None, words=(), has_meaning=True):
    """The stack in `folder`; without one a new one, made by `up --yes` and the words."""
    if folder:
        yield Shop(folder, has_meaning)
        return
    made = pathlib.Path(tempfile.mkdtemp(prefix="am-bench-", dir="/tmp"))
    made.chmod(0o755)  # the servers run as another user
    shop = Shop(made / "var", has_meaning)
    try:
        path = made / "aethermart.yaml"
        path.write_text(NO_CACHE if has_meaning else NO_MODEL, encoding="utf-8")
        shop.options = ["--config", path]
        print(f"starting a stack in {made}", file=sys.stderr, flush=True)
        shop.run("up", "--yes", *words)
        yield shop
    finally:
        shop.start("down", stdout=subprocess.DEVNULL)
        shutil.rmtree(made, ignore_errors=True)
