"""`up` makes everything from nothing, changes nothing when all is there, and mends what a crash
left; `down` leaves nothing behind."""
import contextlib
import os
import re
import shutil
import stat
import subprocess
import time

import pymongo
import pytest

import processes
from waiting import until
from workload import writers


def row_counts(stack):
    return {table: stack.value(f"SELECT COUNT(*) FROM `{table}`") for table in
            ("Categories", "Suppliers", "Products", "Customers", "Orders", "Order_Items",
             "Reviews")}


def document_counts(stack):
    return {name: stack.docs(name).count_documents({}) for name in
            ("customer_profiles", "product_catalog", "reviews")}


@pytest.mark.fresh
@pytest.mark.limit(240)
def test_from_nothing_to_live_and_verified(stack):
    rows = row_counts(stack)
    assert rows["Customers"] >= 45 and rows["Orders"] >= 180 and rows["Reviews"] >= 130, rows
    assert rows["Products"] > 100 and rows["Categories"] > 4 and rows["Suppliers"] > 10, rows
    assert set(stack.pids()) == {"worker", "mariadb", "mongodb"}
    stack.assert_in_step()
    assert document_counts(stack) == {
        "customer_profiles": rows["Customers"], "product_catalog": rows["Products"],
        "reviews": rows["Reviews"]}


def test_up_again_changes_nothing(stack):
    before = (stack.pids(), row_counts(stack), document_counts(stack), stack.connection())
    marks = {d["_id"]: d["_sync"] for d in stack.docs("product_catalog").find({}, {"_sync": 1})}
    started = time.monotonic()
    stack.run("up")  # asks nothing: there is nothing to do
    assert time.monotonic() - started < 10
    stack.forget_clients()
    assert (stack.pids(), row_counts(stack), document_counts(stack), stack.connection()) == before
    after = {d["_id"]: d["_sync"] for d in stack.docs("product_catalog").find({}, {"_sync": 1})}
    assert after == marks


def test_up_ends_with_a_status_and_commands_to_try(stack):
    text = stack.run("up").stdout
    for word in ("customer_profiles", "product_catalog", "reviews", "aethermart "):
        assert word in text, text


def test_down_leaves_no_process_and_up_finds_the_data_again(stack):
    rows, pids = row_counts(stack), stack.pids()
    stack.down()
    assert [p for p in pids.values() if processes.is_alive(p)] == []
    assert processes.mentioning(stack.root) == {}
    assert stack.pids() == {}
    stack.run("down")  # once more is no error
    stack.up()
    assert row_counts(stack) == rows
    stack.assert_in_step()


def test_up_mends_what_a_crash_of_the_machine_left(stack):
    with writers(stack, 2):
        time.sleep(1)
        for which in ("worker", "mongodb", "mariadb"):
            stack.kill(which)
    assert stack.pids() == {}
    stack.up()
    stack.assert_in_step()


def test_a_pid_file_that_names_a_strangers_process_is_stale(stack):
    files = {path: path.read_text() for path in (stack.var / "run").glob("*.pid")}
    assert len(files) >= 3
    stack.down()
    for path, text in files.items():
        path.write_text(" ".join([str(os.getpid()), *text.split()[1:]]) + "\n")
    stack.up()  # neither trusts it nor harms it
    stack.assert_in_step()
    stack.down()


def test_a_stopped_worker_alone_is_started_by_up(stack):
    stack.kill("worker")
    before = stack.pids()
    stack.sql("UPDATE Products SET price = price + 1")
    stack.up()
    assert {k: v for k, v in stack.pids().items() if k != "worker"} == before
    stack.assert_in_step()


def test_up_starts_a_server_anew_whose_options_have_changed(stack):
    before = stack.pids()
    stack.write_config(stack={"mariadb_memory": "72M"})
    done = stack.up()
    assert "restarted, its options changed: MariaDB" in done.stderr, done.stderr
    assert stack.value("SELECT @@innodb_buffer_pool_size") == 72 << 20
    assert stack.pids()["mariadb"] != before["mariadb"]
    assert {k: v for k, v in stack.pids().items() if k != "mariadb"} == {
        k: v for k, v in before.items() if k != "mariadb"}
    stack.write_config(stack={"mongodb_memory": "300M"})
    done = stack.up()
    assert re.search("^mariadb +runs: MariaDB", done.stderr, re.M), done.stderr
    assert re.search("^mongodb +restarted, its options changed: ", done.stderr, re.M), done.stderr
    stack.assert_in_step()


@pytest.fixture
def small_disk(stack):
    """MongoDB's data are on a disk of which 40 MB are free."""
    data = (stack.var / "mongodb").resolve() / "data"
    stack.down()
    copy = data.with_name("data.copy")
    shutil.copytree(data, copy)
    owner = data.stat()
    used = sum(p.stat().st_size for p in copy.rglob("*") if p.is_file())
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used + (40 << 20)}", "none", data],
                      check=False, capture_output=True).returncode != 0:
        pytest.skip("no disk of its own can be mounted here")
    try:
        shutil.copytree(copy, data, dirs_exist_ok=True)
        for path in (data, *data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        stack.up()
        yield data
    finally:
        stack.down()
        subprocess.run(["umount", data], check=True)


def test_up_recovers_what_a_full_disk_has_broken(stack, small_disk):
    full = small_disk / "full"
    with contextlib.suppress(OSError), full.open("wb") as out:
        while True:
            out.write(bytes(1 << 20))
    before = stack.pid("mongodb")

    def is_broken():
        stack.sql("UPDATE Products SET price = price + 1")
        stack.forget_clients()
        with contextlib.suppress(pymongo.errors.PyMongoError):
            stack.docs("product_catalog").find_one()
            return False
        return True

    until(is_broken, 60, 0.5, "MongoDB has given up")
    remedies = stack.run("doctor", check=False).stdout
    assert "run `aethermart up`: a server of its own that does not let it log in" in remedies, remedies
    assert "userAdminAnyDatabase" not in remedies, remedies
    full.unlink()
    done = stack.up()
    assert before != stack.pid("mongodb"), done.stderr
    stack.assert_in_step(60)


def test_reset_wipes_and_rebuilds(stack):
    stack.insert("Customers", first_name="Not", last_name="Shipped", registration_date="2026-01-01")
    stack.wait_synced()
    stack.docs("customer_profiles").insert_one({"_id": "a stranger"})
    stack.fails("reset")  # nobody there to say yes
    assert stack.value("SELECT COUNT(*) FROM Customers WHERE last_name = 'Shipped'") == 1
    stack.run("reset", "--yes", timeout=180)
    stack.forget_clients()
    stack.note_processes()
    assert stack.value("SELECT COUNT(*) FROM Customers WHERE last_name = 'Shipped'") == 0
    stack.assert_in_step()


@pytest.fixture
def socket_folders():
    """Paths below /tmp that the stack has made, removed when it has ended."""
    folders = set()
    yield folders
    for folder in folders:
        if folder.startswith("/tmp/aethermart-"):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.fresh
@pytest.mark.limit(240)
def test_a_folder_with_a_path_that_no_socket_can_have(socket_folders, new_stack):
    """Sockets are elsewhere then; whoever looks for one finds it."""
    stack = new_stack
    stack.var = stack.root / ("long-" + "x" * 120)
    stack.write_config(stack={"dir": str(stack.var)})
    stack.up()
    servers = {server["name"]: server for server in stack.json("status")["servers"]}
    socket_folders.update(os.path.dirname(where) for where in (
        servers["worker"]["address"], stack.connection()["mariadb"]["socket"]))
    assert {server["state"] for server in servers.values()} == {"answers"}, servers
    assert len(servers["worker"]["address"]) < 108
    child = stack.start("watch")
    standby = stack.start("serve")

    def seen():
        stack.sql("UPDATE Products SET price = price + 1 LIMIT 1")
        return "product_catalog" in child.log.read_text()
    until(seen, 10, 0.2, "watch shows the change")
    stack.kill("worker")
    # The one that stood by answers at the same place, within a second or so.
    until(lambda: stack.json("status")["worker"], 20, 0.2, "the standby answers")
    assert standby.poll() is None, standby.log.read_text()
    standby.terminate()
    assert standby.wait(20) == 0
    os.rmdir(os.path.dirname(servers["worker"]["address"]))  # a worker by hand makes it
    again = stack.start("serve")
    until(lambda: stack.json("status")["worker"], 20, 0.2, "a worker of its own answers")
    assert again.poll() is None, again.log.read_text()


def test_connection_says_how_any_client_connects(stack):
    where = stack.connection()
    assert {"socket", "host", "port", "user", "password_file", "database"} <= set(where["mariadb"])
    assert {"uri", "database"} <= set(where["mongodb"])
    assert where["mariadb"]["database"] == "aethermart_db"
    assert where["mongodb"]["database"] == "aethermart_profiles"
    mode = os.stat(where["mariadb"]["password_file"]).st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert stack.value("SELECT 1") == 1
    assert stack.docs("reviews").find_one()
    done = stack.run("shell", "mariadb", "--", "-N", "-e", "SELECT COUNT(*) FROM Customers")
    assert int(done.stdout) == stack.value("SELECT COUNT(*) FROM Customers")


@pytest.mark.skipif(os.getuid() != 0, reason="only root changes accounts")
def test_servers_started_by_root_run_unprivileged(stack):
    for which in ("mariadb", "mongodb"):
        assert os.stat(f"/proc/{stack.pid(which)}").st_uid != 0, which


def test_servers_listen_on_loopback_only(stack):
    pids = stack.pids()
    listening = os.popen("ss -ltnpH").read().splitlines()
    mine = [line.split() for line in listening
            if any(f"pid={pid}," in line for pid in pids.values())]
    assert mine, "none of the servers listens anywhere"
    for words in mine:
        assert words[3].rpartition(":")[0] in ("127.0.0.1", "[::1]"), words


def test_status_counts_rows_documents_and_queues(stack):
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 5")
    stack.wait_synced()
    text = str(stack.json("status"))
    for name in ("customer_profiles", "product_catalog", "reviews"):
        assert name in text
    assert stack.run("status").stdout.strip()


def test_an_update_is_in_its_document_within_moments(stack):
    number = stack.value("SELECT MIN(product_id) FROM Products")
    slowest = 0
    for _ in range(20):
        stack.sql("UPDATE Products SET price = price + 1 WHERE product_id = %s", (number,))
        price = stack.value("SELECT price FROM Products WHERE product_id = %s", (number,))
        started = time.monotonic()
        until(lambda: stack.doc("product_catalog", number)["price"].to_decimal() == price, 5, 0.001)
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 1.0, slowest


def test_doc_prints_a_document(stack):
    number = stack.value("SELECT MIN(product_id) FROM Products")
    name = stack.value("SELECT product_name FROM Products WHERE product_id = %s", (number,))
    assert stack.json("doc", "product_catalog", number)["name"] == name
    assert name.split()[0] in stack.run("doc", "product_catalog", number).stdout
    message = stack.fails("doc", "product_catalog", 2**40)
    assert str(2**40) in message


def test_doctor_is_content_with_a_fresh_stack(stack):
    stack.run("doctor")
    stack.sql("GRANT SELECT ON Customers TO marketing_analyst")
    assert "access: MariaDB and the rules differ" in stack.run("doctor", check=False).stdout
    stack.run("access", "apply")
    assert "access: MariaDB grants what the rules say" in stack.run("doctor").stdout
    trigger = stack.value("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
                          " WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1 LIMIT 1")
    stack.sql(f"DROP TRIGGER `{trigger}`")
    done = stack.run("doctor", check=False)
    assert done.returncode != 0
    assert trigger in done.stdout + done.stderr
    assert "sync install" in done.stdout + done.stderr
    stack.run("sync", "install")
    stack.run("doctor")


def test_logs_are_shown(stack):
    assert stack.run("logs").stdout.strip()


def test_logs_follow_a_log_that_was_rotated(new_stack):
    """Also one that has grown beyond the old one's size before anybody looked."""
    folder = new_stack.var / "log"
    folder.mkdir(parents=True)
    log = folder / "serve.log"
    log.write_text("one\ntwo\n")
    child = new_stack.start("logs", "-f", "serve")
    until(lambda: "two\n" in child.log.read_text(), 10, what="the tail is shown")
    log.open("a").write("last\n")
    log.rename(folder / "serve.log.1")
    (folder / "new").write_text("a first line that is longer than all of the old log\nthree\n")
    (folder / "new").rename(log)
    until(lambda: "three\n" in child.log.read_text(), 10, what="the new log is shown")
    assert child.log.read_text().splitlines() == [
        "one", "two", "last", "a first line that is longer than all of the old log", "three"]
