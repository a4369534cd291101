"""The worker dies, stops, or is replaced: nothing is lost, nothing old overwrites something new."""
import os
import random
import signal
import time

import pytest

import processes
from waiting import until
from workload import writers


@pytest.mark.limit(180)
def test_sigkill_of_the_worker_under_load_then_clean(stack):
    rng = random.Random(7)
    with writers(stack, 3, rate=None):
        for _ in range(5):
            time.sleep(0.3 + rng.random())
            stack.kill("worker")
            stack.up()
    stack.assert_in_step(60)


def test_nobody_waits_for_the_lease_of_a_worker_that_was_killed_here(stack):
    """Longer than the test has time: its process is known to be gone."""
    stack.write_config(sync={"lease": "10m"})
    stack.up()
    stack.wait_synced(30)
    assert "standing by" not in stack.logs()
    standby = stack.start_second_worker()
    time.sleep(1)
    stack.kill("worker")  # the standby sees it
    stack.sql("UPDATE Products SET price = price + 1")
    stack.assert_in_step(30)
    standby.kill()
    standby.wait()
    stack.up()  # a new one does
    stack.sql("UPDATE Products SET price = price + 1")
    stack.assert_in_step(30)


def test_what_changed_while_no_worker_ran_arrives(stack):
    stack.kill("worker")
    with writers(stack, 2):
        time.sleep(1)
    assert stack.pending() > 0
    stack.up()
    stack.assert_in_step(60)


def test_sigterm_finishes_the_batch_and_releases_the_lease(stack):
    with writers(stack, 2):
        time.sleep(0.5)
        pid = stack.signal("worker", signal.SIGTERM)
        processes.wait_gone(pid, 15)
        started = time.monotonic()
        stack.up()
        assert time.monotonic() - started < 10, "the lease was not given back"
    stack.assert_in_step(60)


def terms(stack):
    """The terms in the documents' marks."""
    return set(stack.docs("product_catalog").distinct("_sync.term"))


@pytest.mark.limit(180)
def test_a_stopped_worker_is_replaced_and_refused_when_it_continues(stack):
    product = stack.value("SELECT MIN(product_id) FROM Products")
    first_term = stack.value("SELECT term FROM sync_lease")
    standby = stack.start_second_worker()
    time.sleep(1)
    assert standby.poll() is None, standby.log.read_text()
    with writers(stack, 3):
        time.sleep(1)
        stopped = stack.stop("worker")  # most likely in the middle of a batch
        until(lambda: max(terms(stack)) > first_term, 60, 0.1, "the standby writes")
        stack.sql("UPDATE Products SET price = 4321.10 WHERE product_id = %s", (product,))
        time.sleep(0.5)
        os.kill(stopped, signal.SIGCONT)
        time.sleep(2)
    stack.wait_synced(60)
    second_term = max(terms(stack))
    assert second_term > first_term
    stack.assert_in_step(60)
    stack.sql("UPDATE Products SET price = price + 1")
    stack.assert_in_step(60)
    assert min(terms(stack) - {first_term}, default=second_term) > first_term


@pytest.mark.limit(180)
def test_the_lease_changes_hands_again_and_again(stack):
    """Each of two workers is stopped in turn while the other takes over."""
    standby = stack.start_second_worker()
    time.sleep(1)
    pids = [stack.worker_pid(), standby.pid]
    with writers(stack, 2):
        for turn in range(2):
            # Of the lease: marks may still be behind it, and the holder's next write no take-over.
            before = stack.value("SELECT term FROM sync_lease")
            os.kill(pids[turn], signal.SIGSTOP)
            until(lambda: max(terms(stack)) > before, 60, 0.1, "the other one writes")
            os.kill(pids[turn], signal.SIGCONT)
            time.sleep(1)
    stack.assert_in_step(60)


def test_two_workers_do_not_write_at_a_time(stack):
    standby = stack.start_second_worker()
    with writers(stack, 2):
        time.sleep(3)
    assert standby.poll() is None, standby.log.read_text()
    stack.wait_synced(60)
    assert len(terms(stack)) <= 2
    stack.assert_in_step()


def test_a_standby_takes_over_when_the_worker_is_killed(stack):
    stack.start_second_worker()
    time.sleep(1)
    stack.kill("worker")
    stack.sql("UPDATE Products SET price = price + 1")
    stack.assert_in_step(60)
