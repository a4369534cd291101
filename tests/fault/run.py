#!/usr/bin/python3
"""Kills clients and servers of a shop at random while many order, and proves that nothing was lost.

Usage: tests/fault/run.py [--seconds 60] [--seed N]

Prints a line for each kill and a table of what was proved. The exit status is 1 when something is
wrong, with what it is.
"""
import argparse
import contextlib
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent)]
sys.dont_write_bytecode = True

import client  # noqa: E402
import conftest  # noqa: E402
import proof  # noqa: E402
import stack as stack_module  # noqa: E402
import waiting  # noqa: E402

CLIENTS = 32  # that are processes here; as many more are threads of `order stress`
PRODUCTS, STOCK = 12, 40  # hot, and few
STRESS_STOCK = 2000
END_SECONDS = 75  # for clients to be answered
SERVERS = ["worker", "mongodb", "mariadb"]
KINDS = {"client": 10, "mariadb": 3, "worker": 2, "mongodb": 2, "all servers": 1}
SHOWN = 10  # of what is wrong with one check


class Run:
    def __init__(self, folder, seconds, seed):
        self.folder, self.seconds, self.seed = folder, seconds, seed
        self.choice = random.Random(seed)
        self.killed = dict.fromkeys(KINDS, 0)
        self.processes, self.lives = {}, {}
        catalogue = folder / "catalogue"
        conftest.small_catalogue(catalogue)
        self.stack = stack_module.Stack(folder, conftest.shop_config(catalogue))
        self.is_over = False
        self.since = None  # when something was killed that `up` has to bring back
        self.up = None  # while it runs
        self.keeper = threading.Thread(target=self.keep_up)

    # --- the shop ----------------------------------------------------------------------------

    def set_up(self):
        stack = self.stack
        stack.up()
        stack.assert_in_step(60)
        category = stack.insert("Categories", category_name="Hot", category_slug="hot")
        supplier = stack.insert("Suppliers", supplier_name="Hot things")
        self.products = [stack.insert(
            "Products", supplier_id=supplier, category_id=category, product_name=f"Hot {n}",
            price=f"{n + 1}.99", stock_quantity=STOCK) for n in range(PRODUCTS)]
        self.customers = [stack.insert("Customers", first_name="Ada", last_name=f"No. {n}",
                                       registration_date="2026-01-01") for n in range(CLIENTS)]

    def journal(self, number):
        return self.folder / f"journal-{number}"

    def start_client(self, number):
        self.lives[number] = self.lives.get(number, 0) + 1
        self.stack.connection()  # asked for here, once: the servers may be away when it begins
        process = multiprocessing.get_context("fork").Process(target=client.run, args=(
            self.stack, self.journal(number), self.customers[number], self.products,
            f"{self.seed}/{number}/{self.lives[number]}", self.until))
        process.start()
        self.processes[number] = process

    def orders(self):
        return sum(path.read_bytes().count(b'["got"') for path in self.folder.glob("journal-*"))

    def start(self):
        self.began = time.monotonic()
        self.until = self.began + self.seconds
        self.stress = self.stack.start(
            "order", "stress", "--clients", CLIENTS, "--seconds", self.seconds, "--stock",
            STRESS_STOCK, "--json", "--quiet")
        for number in range(CLIENTS):
            self.start_client(number)
        waiting.until(self.orders, 30, what="orders are placed")
        self.keeper.start()

    # --- what is killed ----------------------------------------------------------------------

    def kinds(self):
        """Each kind once, in any order, then by chance."""
        first = list(KINDS)
        self.choice.shuffle(first)
        yield from first
        while True:
            yield self.choice.choices(list(KINDS), list(KINDS.values()))[0]

    def kill_clients(self):
        numbers = self.choice.sample(range(CLIENTS), self.choice.randint(1, 6))
        for number in numbers:
            self.processes[number].kill()
        for number in numbers:
            self.processes[number].join()
            self.start_client(number)
        return f"{len(numbers)} killed"

    def kill_servers(self, names):
        for name in self.choice.sample(names, len(names)):
            self.stack.kill(name)
        self.since = self.since or time.monotonic()
        up = self.up
        if up:
            up.kill()  # it would wait for what is gone
        return "killed"

    def keep_up(self):
        """`up` until it succeeds, whenever something was killed."""
        while not self.is_over:
            since, self.since = self.since, None
            if since is None:
                time.sleep(0.05)
                continue
            self.up = self.stack.start("up", "--yes")
            if self.up.wait(180) == 0:
                self.tell("all", f"back after {time.monotonic() - since:.1f} s")
            else:
                self.since = since
            self.up = None

    def tell(self, kind, what):
        print(f"{time.monotonic() - self.began:6.1f} s  {kind:<12} {what:<22}"
              f" {self.orders():>7} orders", flush=True)

    def kill(self, kind):
        names = SERVERS if kind == "all servers" else [kind]
        if not set(names) <= set(self.stack.pids()):  # it has not come back yet
            kind = "client"
        told = self.kill_clients() if kind == "client" else self.kill_servers(names)
        self.killed[kind] += 1
        self.tell(kind, told)

    def go_on(self):
        for kind in self.kinds():
            time.sleep(self.choice.uniform(0.2, 2))
            if time.monotonic() > self.until - 2:
                break
            self.kill(kind)

    # --- the end -----------------------------------------------------------------------------

    def finish(self):
        deadline = self.until + END_SECONDS
        for process in self.processes.values():
            process.join(max(0, deadline - time.monotonic()))
        self.stress_status = self.stress.wait(max(1, deadline - time.monotonic()))
        self.is_over = True
        self.keeper.join()
        self.stack.up()

    def prove(self):
        journals = {self.customers[n]: client.Journal(self.journal(n)) for n in range(CLIENTS)}
        self.lost = sum(journal.lost for journal in journals.values())
        yield from proof.of_tables(self.stack, self.products, self.customers)
        yield proof.of_answers(self.stack, journals)
        yield proof.of_keys(self.stack, journals)
        yield proof.of_clients(journals)
        yield proof.of_stress(self.stress_status, self.stress.log.read_text())
        yield proof.of_documents(self.stack)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.join()
        self.is_over = True
        if self.keeper.is_alive():
            self.keeper.join()
        self.stack.close()


def show(run, verdicts):
    print(f"\n{'killed':<14}{'times':>6}")
    for kind, times in run.killed.items():
        print(f"{kind:<14}{times:>6}")
    print(f"{'connections lost by clients':<48}{run.lost:>10}\n")
    print(f"{'proved':<48}{'looked at':>10}{'wrong':>8}")
    for verdict in verdicts:
        print(f"{verdict.name:<48}{verdict.looked_at:>10}{len(verdict.wrong):>8}")
    for verdict in verdicts:
        if verdict.wrong:
            print(f"\nNOT TRUE: {verdict.name}")
            print("".join(f"  {text}\n" for text in verdict.wrong[:SHOWN]), end="")


@contextlib.contextmanager
def own_folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="am-f", dir=conftest.place_for_stacks()))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 9))
    return parser.parse_args()


def stop(*_):
    raise KeyboardInterrupt


def main():
    options = arguments()
    os.environ["MONGOC_DISABLE_SHM"] = "1"
    signal.signal(signal.SIGTERM, stop)
    conftest.check_binary()
    print(f"seed {options.seed}, {options.seconds} s, {2 * CLIENTS} clients", flush=True)
    with own_folder() as folder:
        run = Run(folder, options.seconds, options.seed)
        try:
            run.set_up()
            run.start()
            run.go_on()
            run.finish()
            verdicts = list(run.prove())
        except Exception:
            print(run.stack.logs(20), file=sys.stderr)
            raise
        finally:
            run.close()
    show(run, verdicts)
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    print(f"\n{len(verdicts) - len(wrong)} of {len(verdicts)} hold (seed {options.seed})")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing is left")
