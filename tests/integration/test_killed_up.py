"""`up` that is killed leaves nobody at work, and the next one goes on."""
import os
import signal

import pytest

import processes
from waiting import until


def child(stack, *words):
    """The pid of a process of this folder with these words on its command line."""
    return next((pid for pid, line in processes.mentioning(stack.root).items()
                 if all(word in line.split() for word in words)), None)


@pytest.mark.limit(240)
@pytest.mark.shop(customers=3000, orders=20000, reviews=3000)
def test_nothing_works_on_when_up_is_killed(new_stack):
    for words in (["--bootstrap"], ["generate"], ["load"]):
        up = new_stack.start("up", "--yes")
        pid = until(lambda: child(new_stack, *words), 60, 0.002, f"{words[0]} runs")
        os.kill(up.pid, signal.SIGKILL)
        up.wait()
        processes.wait_gone(pid, 5)
        servers = set(new_stack.pids().values())
        assert set(processes.mentioning(new_stack.root)) <= servers, words
    assert new_stack.value("SELECT COUNT(*) FROM Load_Runs WHERE run_status = 'done'") == 0
    new_stack.write_config(shop={"customers": 50, "orders": 100, "reviews": 50})
    assert "loaded" in new_stack.up().stderr
    assert new_stack.value("SELECT COUNT(*) FROM Load_Runs WHERE run_status = 'done'") == 1
    assert not (new_stack.var / "shop.loading").exists()
    new_stack.assert_in_step(60)
