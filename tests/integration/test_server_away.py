"""A server that goes away for ten seconds: the rest waits, nothing is lost, nothing is dead."""
import time

import pytest

from waiting import until
from workload import writers

AWAY_SECONDS = 10


@pytest.mark.limit(180)
@pytest.mark.parametrize("which", ["mongodb", "mariadb"])
def test_a_frozen_server_comes_back(stack, which):
    with writers(stack, 2):
        time.sleep(1)
        stack.stop(which)
        time.sleep(AWAY_SECONDS)
        stack.cont(which)
        time.sleep(1)
    stack.assert_in_step(90)


@pytest.mark.limit(180)
@pytest.mark.parametrize("which", ["mongodb", "mariadb"])
def test_a_killed_server_is_started_again(stack, which):
    worker = stack.worker_pid()
    with writers(stack, 2):
        time.sleep(1)
        stack.kill(which)
        time.sleep(AWAY_SECONDS)
        assert stack.worker_pid() == worker, "the worker waits"
        stack.up()
        time.sleep(1)
    stack.assert_in_step(90)


def test_changes_made_while_mongodb_was_down_arrive(stack):
    product = stack.value("SELECT MIN(product_id) FROM Products")
    review = stack.value("SELECT MIN(review_id) FROM Reviews")
    stack.kill("mongodb")
    stack.sql("UPDATE Products SET price = 77.70 WHERE product_id = %s", (product,))
    stack.sql("DELETE FROM Reviews WHERE review_id = %s", (review,))
    customer = stack.insert("Customers", first_name="While", last_name="Away",
                            registration_date="2026-01-01")
    time.sleep(2)
    assert stack.pending() > 0
    stack.up()
    stack.wait_synced(60)
    assert str(stack.doc("product_catalog", product)["price"]) == "77.70"
    assert stack.doc("reviews", review) is None
    assert stack.doc("customer_profiles", customer)["full_name"] == "While Away"
    stack.assert_in_step()


@pytest.mark.limit(180)
def test_an_outage_leaves_no_dead_letter(stack):
    """However often a batch was tried, the outage counts no attempt against its rows."""
    stack.kill("mongodb")
    stack.sql("UPDATE Products SET price = price + 1")
    time.sleep(15)
    assert stack.value("SELECT COUNT(*) FROM sync_dead_letter") == 0
    stack.up()
    stack.wait_synced(60)
    assert stack.dead_letters() == []
    stack.assert_in_step()


def test_status_says_that_a_server_is_away(stack):
    stack.kill("mongodb")
    def state():
        return {s["name"]: s["state"] for s in stack.json("status")["servers"]}

    until(lambda: state()["mongodb"] != "answers", 20, 0.5, "status names the server that is away")
    assert state()["mariadb"] == "answers"
    stack.up()
    stack.run("status")


@pytest.mark.limit(180)
def test_all_connections_of_the_worker_are_killed_again_and_again(stack):
    with writers(stack, 2):
        for _ in range(20):
            time.sleep(0.15)
            for row in stack.sql("SELECT ID FROM information_schema.PROCESSLIST"
                                 " WHERE USER = 'mongo_sync_user'"):
                try:
                    stack.sql(f"KILL {row[0]}")
                except Exception as error:  # it went by itself
                    assert error.args[0] == 1094, error
    stack.assert_in_step(60)
