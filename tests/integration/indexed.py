"""What tests of the index share: its status, and waiting for it."""
import signal

from waiting import until

TABLES = {"product_catalog": ("Products", "product_id"), "reviews": ("Reviews", "review_id"),
          "customer_profiles": ("Customers", "customer_id")}


def status(stack):
    return stack.json("index", "status")


def words(stack, name):
    """The status of a collection's words; {} while it is not there."""
    list_ = (status(stack)["words"] or {}).get("collections", [])
    return next((c for c in list_ if c["collection"] == name), {})


def wait_for_words(stack, timeout=60, names=tuple(TABLES)):
    """Until all documents are found by their words, and none waits."""
    def is_there():
        now = status(stack)["words"]
        states = {c["collection"]: c["state"] for c in (now or {}).get("collections", [])}
        return now and now["ok"] and all(states.get(name) == "live" for name in names)
    until(is_there, timeout, pause=0.05, what="the words are live")


def wait_for_vectors(stack, timeout=60):
    """Until all documents have vectors, none waits, and no other model is being built."""
    def is_there():
        now = status(stack)
        return (now["serving"] and not now["building"] and now["serving"]["ok"]
                and now["serving"]["collections"]
                and all(c["state"] == "live" for c in now["serving"]["collections"]))
    until(is_there, timeout, pause=0.1, what="the vectors are live")


def wait_for_meaning(stack, timeout=60):
    """Until all are found by words and by meaning."""
    wait_for_words(stack, timeout)
    wait_for_vectors(stack, timeout)


def insert_product(stack, name, **columns):
    category, supplier = stack.sql("SELECT category_id, supplier_id FROM Products LIMIT 1")[0]
    values = {"price": 1, "stock_quantity": 1, "product_description": "", **columns}
    return stack.insert("Products", category_id=category, supplier_id=supplier, product_name=name,
                        **values)


def insert_found_product(stack, name, **columns):
    """A product that is found by the first word of its name when this returns: a status says what
    was so at its last look, and a row that was committed since may not be in it."""
    wait_for_words(stack)
    number = insert_product(stack, name, **columns)
    until(lambda: str(number) in find(stack, name.split()[0]), 20, what="the new product is found")
    return number


def search(stack, *words_, **options):
    """The answer of /v1/search by the command line."""
    return stack.json("search", *words_, *options.get("args", ()))


def find(stack, *words_, args=("--mode", "lexical", "--literal")):
    """Keys of the hits, by words alone."""
    return [str(hit["id"]) for hit in search(stack, *words_, args=args)["hits"]]


def counts(stack):
    return {name: stack.value(f"SELECT COUNT(*) FROM {table}") for name, (table, _) in TABLES.items()}


def total(stack, scope, *filters):
    """How many documents of a scope are found when nothing is asked for."""
    args = ["--in", scope, "--limit", "1", "--mode", "lexical"]
    for condition in filters:
        args += ["--filter", condition]
    return search(stack, "", args=args)["total"]


def assert_totals(stack):
    """What is found without words is what MariaDB counts."""
    rows = counts(stack)
    assert total(stack, "reviews") == rows["reviews"]
    assert total(stack, "customers") == rows["customer_profiles"]
    services = stack.value("SELECT COUNT(*) FROM Products WHERE product_kind = 'service'")
    assert total(stack, "services") == services
    assert total(stack, "products") == rows["product_catalog"], "services are products"


def change_behind_its_back(stack, change):
    """Changes that reach MongoDB and never the index: what was handed to it is removed."""
    stack.kill("worker")
    change()
    worker = stack.start("sync", "run")
    stack.wait_synced()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert stack.sql("DELETE FROM sync_handoff") > 0
    stack.up()
