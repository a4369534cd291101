"""Migration beside live writers: no lock, no gap, and no old page over a newer document."""
import signal
import time

import pytest

import processes
from workload import writers


def empty_collections(stack):
    """What was never migrated: the collections are empty, and the sync installed anew."""
    stack.run("sync", "uninstall", "--yes")
    for name in ("customer_profiles", "product_catalog", "reviews"):
        stack.docs(name).delete_many({})


@pytest.mark.limit(180)
def test_hot_keys_change_in_every_way_while_migration_runs(stack):
    with writers(stack, 4, hot=3, rate=40):
        for _ in range(3):
            stack.run("migrate", timeout=100)
            time.sleep(0.2)
    stack.assert_in_step(60)


@pytest.mark.limit(180)
def test_first_migration_beside_writers(stack):
    """Triggers are installed, rows migrated and the queue drained while writers go on."""
    stack.kill("worker")
    empty_collections(stack)
    with writers(stack, 3, hot=3, rate=40):
        time.sleep(0.5)
        stack.up()
        stack.wait_migrated()
        time.sleep(0.5)
    stack.assert_in_step(60)


@pytest.mark.limit(180)
def test_a_killed_migration_resumes(stack):
    for pause in (0.2, 0.5, 1.0):
        child = stack.start("migrate")
        time.sleep(pause)
        stack.kill("worker")
        child.kill()
        child.wait()
        stack.up()
    stack.run("migrate", "--resume", timeout=100)
    stack.assert_in_step(60)


def test_migrate_without_a_worker_takes_the_lease(stack):
    pid = stack.signal("worker", signal.SIGTERM)
    processes.wait_gone(pid)
    stack.docs("reviews").delete_many({})
    stack.docs("product_catalog").update_many({}, {"$set": {"price": 0}},
                                              bypass_document_validation=True)
    stack.run("migrate", timeout=100)
    stack.up()
    stack.assert_in_step()


def test_migrate_again_repairs_and_removes(stack):
    """It ends with the collections as they should be, whatever they were."""
    reviews = stack.docs("reviews")
    victim = reviews.find_one()["_id"]
    reviews.delete_one({"_id": victim})
    wrong = reviews.find_one()["_id"]
    reviews.update_one({"_id": wrong}, {"$set": {"rating": "five"}},
                       bypass_document_validation=True)
    stack.run("migrate", timeout=100)
    stack.assert_in_step()


def test_migrate_json_reports(stack):
    report = stack.json("migrate", timeout=100)
    assert report["collections"] == 4
    assert report["documents"] == sum(stack.value(f"SELECT COUNT(*) FROM {table}") for table in
                                      ("Customers", "Products", "Reviews"))
