"""One run of the benchmark: a fresh stack at the default scale, measured through its command line
and with the servers' own clients. See docs/benchmarks/README.md for what each figure means."""
import multiprocessing
import pathlib
import statistics
import subprocess
import time

import bson

import indexed
import stack as stack_module
from waiting import until

COLLECTIONS = ("customer_profiles", "product_catalog", "reviews")
PROBE_PAUSE_SECONDS = 0.05
POLL_SECONDS = 0.0003

servers_seen = {}  # versions, filled by measure()


def version():
    done = subprocess.run([stack_module.BINARY, "version"], stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None


def timed(function, *args, **options):
    started = time.perf_counter()
    function(*args, **options)
    return time.perf_counter() - started


def resident_mib(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return 0.0


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


# --- the parts -------------------------------------------------------------------------------


def bring_up(stack, found):
    found["bring-up (s)"] = timed(stack.up, timeout=600)
    started = time.perf_counter()
    stack.wait_synced(300)
    found["bring-up until in step (s)"] = found["bring-up (s)"] + time.perf_counter() - started
    indexed.wait_for_meaning(stack, 900)
    found["bring-up until found by meaning (s)"] = (
        found["bring-up (s)"] + time.perf_counter() - started)
    servers_seen["mariadb"] = stack.value("SELECT VERSION()")
    servers_seen["mongodb"] = stack.mongo().client.server_info()["version"]


def load(stack, found):
    """Rows that the shop does not have yet, with the sync paused and then drained."""
    feed = stack.root / "feed"
    stack.run("generate", "--customers", 4000, "--orders", 20000, "--reviews", 16000, "--seed", 77,
              "--defects", "0.02", "--out", feed, timeout=300)
    stack.pause()
    seconds = timed(stack.run, "load", feed, timeout=600)
    rows = stack.value("SELECT rows_read FROM Load_Runs ORDER BY load_id DESC LIMIT 1")
    found["load (rows/s)"] = float(rows) / seconds
    stack.run("sync", "resume")
    stack.wait_synced(600)


def migrate(stack, found):
    """The first migration into empty collections, by the worker."""
    stack.run("sync", "uninstall", "--yes")
    for name in COLLECTIONS:
        stack.docs(name).drop()
    stack.run("sync", "install")
    seconds = timed(stack.run, "migrate", timeout=600)
    documents = sum(stack.docs(name).count_documents({}) for name in COLLECTIONS)
    found["migrate (documents/s)"] = documents / seconds
    stack.up()
    stack.wait_migrated(60)


def drain(stack, found, changes):
    """Changes of as many rows, made while paused, one document each."""
    stack.pause()
    made = stack.sql("UPDATE Reviews SET review_title = CONCAT('x', LEFT(review_title, 100))"
                     " WHERE review_title IS NOT NULL ORDER BY review_id LIMIT %s", (changes,))
    queued = stack.value("SELECT COUNT(*) FROM review_sync_queue")
    stack.run("sync", "resume")
    started = time.perf_counter()
    # Counting the rows would cost the server as much as carrying them.
    until(lambda: not stack.value("SELECT EXISTS (SELECT 1 FROM review_sync_queue)"), 600, 0.05)
    seconds = time.perf_counter() - started
    found["drain (changes/s)"] = made / seconds
    found["drain (queue rows/s)"] = queued / seconds


def write_steadily(stack, rate, seconds, ready, result):
    """A process of its own: `rate` committed changes a second, each of another product."""
    connection = stack.open_sql()
    cursor = connection.cursor()
    cursor.execute("SELECT product_id FROM Products ORDER BY product_id LIMIT 1000, 18000")
    keys = [row[0] for row in cursor.fetchall()]
    ready.set()
    started = time.perf_counter()
    count = 0
    while time.perf_counter() - started < seconds:
        cursor.execute("UPDATE Products SET price = price + 0.01 WHERE product_id = %s",
                       (keys[count % len(keys)],))
        count += 1
        ahead = count / rate - (time.perf_counter() - started)
        if ahead > 0:
            time.sleep(ahead)
    result.put(count / (time.perf_counter() - started))


def probe(stack, seconds):
    """Lags in milliseconds: from the return of a commit until its document is visible."""
    keys = [row[0] for row in stack.sql("SELECT product_id FROM Products ORDER BY 1 LIMIT 500")]
    documents = stack.docs("product_catalog")
    lags = []
    until = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < until:
        key = keys[number % len(keys)]
        number += 1
        price = f"{1000 + number}.{number % 100:02d}"
        stack.sql("UPDATE Products SET price = %s WHERE product_id = %s", (price, key))
        committed = time.perf_counter()
        wanted = bson.decimal128.Decimal128(price)
        query = {"_id": bson.int64.Int64(key), "price": wanted}
        while documents.find_one(query, {"_id": 1}) is None:
            if time.perf_counter() - committed > 30:
                raise AssertionError(f"product {key} is not visible after 30 s")
            time.sleep(POLL_SECONDS)
        lags.append((time.perf_counter() - committed) * 1000)
        time.sleep(PROBE_PAUSE_SECONDS)
    return lags


def lag(stack, found, rate, seconds):
    stack.forget_clients()  # a child must not share their sockets
    stack.connection()
    context = multiprocessing.get_context("fork")
    ready, result = context.Event(), context.Queue()
    writer = context.Process(target=write_steadily, args=(stack, rate, seconds + 1, ready, result))
    writer.start()
    ready.wait(20)
    lags = probe(stack, seconds)
    reached = result.get(timeout=60)
    writer.join(20)
    stack.wait_synced(60)
    found[f"changes/s reached of {rate}"] = reached
    found[f"lag p50 at {rate}/s (ms)"] = statistics.median(lags)
    found[f"lag p99 at {rate}/s (ms)"] = percentile(lags, 0.99)
    found[f"lag max at {rate}/s (ms)"] = max(lags)


def orders(stack, found, clients, seconds):
    """Orders of two lines over twenty products that never run out, the sync running."""
    result = stack.json("order", "stress", "--clients", clients, "--seconds", seconds, "--stock",
                        1000000, "--quiet", timeout=seconds + 300)
    found[f"orders/s of {clients} clients"] = result["orders_per_second"]
    found[f"order p50 of {clients} clients (ms)"] = result["p50_ms"]
    found[f"order p99 of {clients} clients (ms)"] = result["p99_ms"]
    stack.wait_synced(300)


def memory(stack, found):
    for which in ("worker", "mariadb", "mongodb"):
        found[f"memory of {which} (MiB)"] = resident_mib(stack.pid(which), "VmRSS")
    found["memory of worker, most (MiB)"] = resident_mib(stack.pid("worker"), "VmHWM")


def verify(stack, found):
    found["verify (s)"] = timed(stack.run, "verify", timeout=300)


def measure(folder, seconds, changes, rates):
    """{figure: number} of one run."""
    stack = stack_module.Stack(folder, {"stack": {"dir": "var"}})
    found = {}
    try:
        bring_up(stack, found)
        for rate in rates:
            lag(stack, found, rate, seconds)
        verify(stack, found)
        memory(stack, found)
        drain(stack, found, changes)
        load(stack, found)
        migrate(stack, found)
        indexed.wait_for_meaning(stack, 900)  # of what was loaded; it takes both cores
        for clients in (8, 64):
            orders(stack, found, clients, seconds)
        found["memory of worker, most after all (MiB)"] = resident_mib(
            stack.pid("worker"), "VmHWM")
    except BaseException:
        print(stack.logs(20))
        raise
    finally:
        stack.close()
    return found
