"""pause, resume, drain, install, uninstall, check, watch, audit."""
import os
import signal
import time

import pytest

from waiting import until


def test_pause_holds_changes_and_resume_lets_them_go(stack):
    number = stack.value("SELECT MIN(product_id) FROM Products")
    before = stack.doc("product_catalog", number)
    stack.pause()
    stack.sql("UPDATE Products SET price = price + 1 WHERE product_id = %s", (number,))
    time.sleep(1)
    assert stack.doc("product_catalog", number) == before
    assert stack.collection_status("product_catalog")["state"] == "paused"
    assert stack.collection_status("product_catalog")["pending"] > 0
    stack.run("sync", "resume")
    stack.wait_synced()
    assert stack.doc("product_catalog", number) != before
    stack.assert_in_step()


def test_pause_is_obeyed_when_it_returns(stack):
    for _ in range(5):
        stack.run("sync", "pause")
        stack.sql("UPDATE Products SET price = price + 1 LIMIT 3")
        time.sleep(0.5)
        assert stack.pending() > 0, "applied after the pause"
        stack.run("sync", "resume")
        stack.wait_synced()


def test_pause_outlives_the_worker(stack):
    stack.pause()
    stack.kill("worker")
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 1")
    stack.up()
    time.sleep(1)
    assert stack.pending() > 0
    stack.run("sync", "resume")
    stack.assert_in_step()


def test_drain_returns_when_everything_before_it_is_acknowledged(stack):
    stack.sql("UPDATE Products SET price = price + 1")
    stack.run("sync", "drain")
    assert stack.pending() == 0
    stack.assert_in_step()


def test_drain_of_a_paused_queue_does_not_pretend(stack):
    stack.pause()
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 1")
    message = stack.fails("sync", "drain", "--timeout", 3)
    assert "pause" in message
    stack.run("sync", "resume")


def test_install_again_changes_nothing(stack):
    def triggers():
        return stack.sql("SELECT TRIGGER_NAME, CREATED FROM information_schema.TRIGGERS"
                         " WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1")
    before = triggers()
    assert before
    stack.run("sync", "install")
    assert triggers() == before
    stack.run("sync", "check")


def test_check_finds_a_missing_and_a_changed_trigger(stack):
    names = [r[0] for r in stack.sql(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"
        " AND EVENT_OBJECT_TABLE = 'Reviews' AND EVENT_MANIPULATION = 'DELETE'"
        " AND ACTION_STATEMENT LIKE '%sync_queue%'")]
    stack.sql(f"DROP TRIGGER `{names[0]}`")
    done = stack.run("sync", "check", check=False)
    assert done.returncode != 0 and names[0] in done.stdout + done.stderr
    stack.sql(f"CREATE TRIGGER `{names[0]}` AFTER DELETE ON Reviews FOR EACH ROW SET @x = 1")
    done = stack.run("sync", "check", check=False)
    assert done.returncode != 0 and names[0] in done.stdout + done.stderr
    stack.run("sync", "install")
    stack.run("sync", "check")


def test_uninstall_leaves_rows_and_documents(stack):
    rows = stack.value("SELECT COUNT(*) FROM Reviews")
    stack.run("down")
    stack.forget_clients()
    stack.up()
    stack.kill("worker")
    stack.run("sync", "uninstall", "--yes")
    assert stack.queues() == []
    assert stack.sql("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
                     " WHERE TRIGGER_SCHEMA = DATABASE() AND ACTION_STATEMENT LIKE"
                     " '%sync_queue%'") == []
    assert stack.value("SELECT COUNT(*) FROM Reviews") == rows
    assert stack.docs("reviews").count_documents({}) == rows
    stack.up()
    stack.wait_migrated()
    stack.assert_in_step()


def test_watch_shows_a_line_for_each_change(stack):
    child = stack.start("watch")
    time.sleep(1)
    number = stack.value("SELECT MIN(product_id) FROM Products")

    def seen():
        stack.sql("UPDATE Products SET price = price + 1 WHERE product_id = %s", (number,))
        lines = [line for line in child.log.read_text().splitlines() if "product_catalog" in line]
        return any(str(number) in line for line in lines)

    until(seen, 10, 0.2, "watch shows the change")
    child.terminate()
    child.wait(10)


def test_watch_does_not_take_a_stopped_worker_for_rest(stack):
    child = stack.start("watch")
    time.sleep(1)
    os.kill(stack.pid("worker"), signal.SIGTERM)
    assert child.wait(30) == 5
    said = child.log.read_text()
    assert "the worker stopped" in said or "broke off" in said, said
    assert "start it: aethermart up" in said, said


def test_watch_without_a_worker_says_so(stack):
    stack.kill("worker")
    assert "aethermart" in stack.fails("watch")


def test_doc_watch_prints_again_when_it_changes(stack):
    number = stack.value("SELECT MIN(product_id) FROM Products")
    child = stack.start("doc", "product_catalog", number, "--watch")
    until(lambda: child.log.read_text().strip(), 10)
    stack.sql("UPDATE Products SET product_name = 'Seen twice' WHERE product_id = %s", (number,))
    until(lambda: "Seen twice" in child.log.read_text(), 10)
    child.terminate()
    child.wait(10)


def test_the_view_of_the_queues_counts(stack):
    rows = stack.sql("SELECT * FROM v_sync_status")
    assert len(rows) == 4
    stack.pause()
    stack.sql("UPDATE Reviews SET rating = IF(rating = 1, 2, 1)")
    assert stack.sql("SELECT * FROM v_sync_status") != rows
    stack.run("sync", "resume")


@pytest.mark.limit(150)
def test_the_audit_log_gets_a_row_a_minute(stack):
    stack.sql("UPDATE Products SET price = price + 1")
    until(lambda: stack.value("SELECT COUNT(*) FROM sync_audit_log") > 0, 75, 0.5)


def test_a_changed_mapping_stops_the_collection_until_install(stack):
    import shutil
    from stack import ROOT
    folder = stack.root / "mapping"
    shutil.copytree(ROOT / "mapping", folder)
    stack.write_config(mapping={"dir": str(folder)})
    path, text = next((p, p.read_text()) for p in folder.glob("*.yaml")
                      if "source" in p.read_text() and "shop" in p.read_text()
                      and "review_sync_queue" in p.read_text())
    stack.kill("worker")
    path.write_text(text.replace("shop", "store"))
    stack.up()
    review = stack.value("SELECT MIN(review_id) FROM Reviews")
    product = stack.value("SELECT MIN(product_id) FROM Products")
    stack.sql("UPDATE Reviews SET rating = IF(rating = 1, 2, 1) WHERE review_id = %s", (review,))
    stack.sql("UPDATE Products SET price = price + 1 WHERE product_id = %s", (product,))
    price = stack.value("SELECT price FROM Products WHERE product_id = %s", (product,))
    until(lambda: stack.doc("product_catalog", product)["price"].to_decimal() == price, 15)
    state = stack.collection_status("reviews")
    if state["state"] != "live":  # `up` did not install: then nothing of it may be written
        assert state["state"] == "mapping_changed"
        assert stack.docs("reviews").count_documents({"source": "store"}) == 0
        stack.run("sync", "install")
    stack.wait_migrated()
    stack.wait_synced()
    assert stack.docs("reviews").count_documents({"source": "shop"}) == 0
    assert stack.docs("reviews").count_documents({"source": "store"}) == stack.value(
        "SELECT COUNT(*) FROM Reviews")
    assert stack.verify()["equal"]
