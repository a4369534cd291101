"""What `up` says is true: of a worker that dies, stands by or has another configuration, and of what
is in the database that the configuration names now."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import termios

import pytest
import yaml

import processes
import web
from named import DATABASE, DOCUMENTS
from stack import BINARY, environment
from waiting import until


def insert_customer(stack, name):
    number = stack.insert("Customers", first_name="A", last_name=name,
                          registration_date="2026-01-01")
    stack.wait_synced()
    return number


def test_a_worker_that_ends_is_an_error_with_its_last_words(named):
    named.up("--no-shop")
    named.down()
    password = named.root / "wrong.password"
    password.write_text("wrong\n")
    named.write_config(mariadb={"user": "nobody_here", "password_file": str(password),
                                "admin_user": "root"})
    done = named.run("up", "--yes", "--no-shop", check=False)
    assert done.returncode == 5, done
    assert "Live" not in done.stdout and "keeps both" not in done.stderr
    assert "ended while it started" in done.stderr and "nobody_here" in done.stderr, done.stderr
    assert "serve.log" in done.stderr


@pytest.fixture
def elsewhere(named):
    """All is installed, and a worker of another folder holds the lease."""
    named.up("--no-shop")
    second = named.root / "second.yaml"
    second.write_text(yaml.safe_dump({**named.config, "stack": {"dir": "var2"}}))
    named.kill("worker")
    other = named.start("serve", config=second)
    until(lambda: "lease taken" in other.log.read_text(), 20, 0.1, "the other one has the lease")
    return named


def test_a_worker_that_ends_while_up_waits_is_an_error(elsewhere):
    up = elsewhere.start("up", "--yes", "--no-shop")
    until(lambda: elsewhere.json("status")["worker"], 20, 0.1, "the worker answers")
    elsewhere.kill("worker")
    assert up.wait(20) == 5, up.log.read_text()
    text = up.log.read_text()
    assert "the worker ended" in text and "its log ends with" in text and "Live" not in text, text


@pytest.mark.limit(180)
def test_a_worker_that_stands_by_is_said_to(elsewhere):
    done = elsewhere.up("--no-shop")
    assert "stands by: another process" in done.stderr, done.stderr
    assert "Standing by after" in done.stdout and "Live" not in done.stdout, done.stdout
    insert_customer(elsewhere, "B")


def ends_of_socket(path):
    """The one that listens, and another for each client, also for one that is not answered yet."""
    lines = pathlib.Path("/proc/net/unix").read_text().splitlines()
    return sum(line.endswith(f" {path}") for line in lines)


def waits_for_a_process(pid):
    """It polls a pidfd."""
    return any(os.readlink(entry.path) == "anon_inode:[pidfd]"
               for entry in os.scandir(f"/proc/{pid}/fd"))


@pytest.fixture
def ending(named):
    """A worker that was told to end, and is halted on its way out. Its lease could not be given
    back before."""
    named.up("--no-shop")
    address = web.address_of(named)
    with named.servers.open_sql(database=DATABASE, autocommit=False) as link:
        with link.cursor() as cursor:
            cursor.execute("SELECT * FROM sync_lease FOR UPDATE")
            named.signal("worker", signal.SIGTERM)
            until(lambda: web.ask(address, "/readyz").status == 503, what="it is not ready")
            named.stop("worker")
    return named


@pytest.mark.parametrize("has_socket", [True, False])
def test_a_worker_that_is_ending_is_waited_for_and_replaced(ending, has_socket):
    first = ending.worker_pid()
    socket = next(ending.var.rglob("serve.sock"))
    if not has_socket:
        socket.unlink()
    up = ending.start("up", "--yes", "--no-shop")
    until(lambda: "all collections live" in up.log.read_text() and
          (ends_of_socket(socket) > 1 if has_socket else waits_for_a_process(up.pid)), 30,
          what="up has found the worker")
    ending.cont("worker")
    assert up.wait(30) == 0, up.log.read_text()
    text = up.log.read_text()
    assert "was ending" in text and "Live" in text, text
    assert ending.worker_pid() != first and not processes.is_alive(first)
    insert_customer(ending, "B")


def test_what_changed_meanwhile_is_no_difference(stack):
    stack.pause()
    stack.sql("UPDATE Reviews SET rating = IF(rating = 1, 2, 1) LIMIT 3")
    done = stack.run("verify", "--wait", 1, "--json", check=False)
    assert done.returncode == 10, done
    assert json.loads(done.stdout)["equal"] is False
    assert re.search(r"\d documents changed while they were compared", done.stderr), done.stderr
    assert "do not agree" not in done.stderr
    stack.docs("reviews").delete_one({})  # a true difference beside it
    done = stack.run("verify", "--wait", 1, check=False)
    assert done.returncode in (10, 14), done
    stack.run("sync", "resume")
    stack.run("verify", "--repair")


@pytest.mark.limit(240)
def test_up_tells_what_changed_meanwhile_as_a_fact(stack):
    stack.run("sync", "pause", "--collection", "reviews")
    stack.sql("UPDATE Reviews SET rating = IF(rating = 1, 2, 1) LIMIT 3")
    stack.sql("UPDATE sync_collection SET state = 'reproject' WHERE collection = 'product_catalog'")
    done = stack.up()
    assert "all that stood still agrees; " in done.stderr, done.stderr
    assert "Live after" in done.stdout
    stack.run("sync", "resume")
    stack.assert_in_step()


def test_a_worker_of_another_configuration_is_started_anew(named):
    named.up("--no-shop")
    first = named.worker_pid()
    assert "configuration has changed" not in named.up("--no-shop").stderr
    assert named.worker_pid() == first
    named.write_config(mariadb={"database": "other_db"}, mongodb={"database": "other_profiles"})
    done = named.up("--no-shop")
    assert "configuration has changed" in done.stderr, done.stderr
    assert named.worker_pid() != first
    number = insert_customer(named, "B")
    assert named.doc("customer_profiles", number)["full_name"] == "A B"
    assert {DATABASE, "other_db"} <= {row[0] for row in named.sql("SHOW DATABASES")}
    assert named.mongo().client[DOCUMENTS]["customer_profiles"].count_documents({}) == 0


@pytest.mark.limit(240)
def test_the_shop_is_loaded_once_into_each_database(named):
    done = named.up("--with-shop")
    assert "already loaded" not in done.stderr
    rows = named.value("SELECT COUNT(*) FROM Products")
    assert rows > 0
    assert "already loaded" in named.up("--with-shop").stderr
    named.write_config(mariadb={"database": "other_db"}, mongodb={"database": "other_profiles"})
    done = named.up("--with-shop")
    assert "already loaded" not in done.stderr
    assert named.value("SELECT COUNT(*) FROM Products") == rows
    named.assert_in_step()


@pytest.mark.limit(240)
def test_live_data_is_never_loaded_over(stack):
    marker = stack.var / "shop.loaded"
    stack.sql("UPDATE Products SET price = 4711 WHERE product_id = 15")
    stack.sql("UPDATE Customers SET email = 'mine@example.com' WHERE customer_id = 1")

    def stays(said):
        done = stack.up()
        assert re.search(rf"^shop +{said}", done.stderr, re.M), done.stderr
        assert stack.value("SELECT price FROM Products WHERE product_id = 15") == 4711
        assert stack.value("SELECT email FROM Customers WHERE customer_id = 1") == "mine@example.com"

    stack.write_config(retention={"quality": "1s"})  # Load_Runs, too
    stack.run("retention", "purge", "--yes")
    stays("already loaded")
    marker.write_text("2026-11-23T03:09:24.123Z")  # of an older program
    stays("already loaded")
    marker.write_text("9 at 2026-11-23 03:09:24.123")  # of a run that is gone
    stays('database "aethermart_db" has rows; nothing loaded')
    # An `up` that was killed at its end, and a load of somebody's that was cut off since.
    past = (BINARY.parent.parent / "src" / "shop" / "sql" / "load_past.sql").read_text()
    place = next(text for text in stack.sql(past)[0] if isinstance(text, str))
    (stack.var / "shop.loading").write_text(place)
    (stack.var / "generated").mkdir()
    (stack.var / "generated" / "customers.csv").write_text("of people")
    stack.sql("INSERT INTO Load_Runs (run_status) VALUES ('failed')")
    stays("already loaded")
    assert not (stack.var / "shop.loading").exists() and not (stack.var / "generated").exists()
    stays("already loaded")


def test_another_database_on_an_embedded_server(stack):
    stack.write_config(mariadb={"database": "second_db"})
    stack.up("--no-shop")
    assert stack.value("SELECT COUNT(*) FROM Products") == 0
    number = insert_customer(stack, "B")
    assert stack.doc("customer_profiles", number)["full_name"] == "A B"
    stack.assert_in_step()


def on_terminal(stack, *words, columns=80):
    """What a person sees at a terminal of that width."""
    person, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([str(BINARY), "--config", str(stack.config_path), *words], stdin=terminal,
                             stdout=terminal, stderr=subprocess.DEVNULL, env=environment(), cwd=stack.root)
    os.close(terminal)
    text = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while piece := os.read(person, 65536):
            text += piece
    os.close(person)
    child.wait()
    return text.decode().replace("\r\n", "\n")


def test_a_terminal_is_wide_enough_and_a_missing_column_is_told(stack):
    stack.run("quality", "run", check=False)
    stack.sql("ALTER TABLE Reviews RENAME COLUMN review_text TO text_was")
    try:
        status = stack.json("status")
        assert "review_text" in status["sync"]["mappings_error"], status
        seen = {" ".join(words): on_terminal(stack, *words) for words in
                (["doctor"], ["retention", "show"], ["quality", "report"], ["status"])}
    finally:
        stack.sql("ALTER TABLE Reviews RENAME COLUMN text_was TO review_text")
    for verb, text in seen.items():
        assert len(text.splitlines()) > 8, (verb, text)
        assert [line for line in text.splitlines() if len(line) > 80] == [], verb
    assert "review_text" in " ".join(seen["status"].split()), seen["status"]
    assert "`aethermart mapping check`" in " ".join(seen["status"].split())
    assert stack.json("status")["sync"]["mappings_error"] is None


def test_json_is_all_that_is_printed(named):
    done = named.run("up", "--yes", "--no-shop", "--json")
    assert done.stderr == "" and json.loads(done.stdout)["servers"], done
    done = named.run("down", "--json")
    assert done.stderr == "" and json.loads(done.stdout) == {"stopped": 1}, done
    named.sql("DROP TABLE schema_migrations")  # now our tables are in the way
    done = named.run("up", "--yes", "--no-shop", "--json", check=False)
    error = json.loads(done.stderr)["error"]  # nothing beside it
    assert done.stdout == "" and (done.returncode, error["code"]) == (4, "CONFLICT"), done
    assert "schema apply" in error["message"] and '"Categories"' in error["message"], error


def test_up_fills_another_mongodb_than_the_one_it_knew(named):
    named.up("--no-shop")
    insert_customer(named, "B")
    named.down()
    named.write_config(mongodb={"database": "another_place"})
    assert "no worker has written to this MongoDB yet" in named.run("doctor", check=False).stdout
    named.up("--no-shop")
    named.wait_synced()
    assert named.verify()["equal"]
    client = named.servers.mongo_client()
    assert client["another_place"]["customer_profiles"].count_documents({}) == 1
    client.close()
