"""The audit: what was done stands there, and whatever else was done to it is found."""

import concurrent.futures
import datetime
import hashlib
import json
import os
import pathlib
import pwd
import subprocess

import pymysql
import pytest

import ordering
import stack as stack_module
import web
from ordering import DATABASE
from waiting import until

ROLE = "operations_manager"
TOMORROW = str(datetime.date.today() + datetime.timedelta(days=2))


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def purge_all():
    """The words of it, of all that was written until now."""
    began = now()
    return ("audit", "purge", "--before", until(lambda: now() > began and now()), "--young", "--yes")


CHANGED, OTHER = "event 3 of the audit was changed", "event 3 of the audit has other details"


class Audit:
    def __init__(self, root, servers):
        self.root = pathlib.Path(root)
        self.config = self.root / "aethermart.yaml"
        self.config.write_text(
            f"mariadb:\n  socket: {servers.socket}\n  user: root\n  database: {DATABASE}\n"
            f"stack:\n  dir: {self.root}/var\n")
        self.shop = ordering.Shop(servers)
        self.customer = self.shop.customer()

    def start(self, *args):
        return subprocess.run([str(stack_module.BINARY), *args, "--json", "--config",
                               str(self.config)], capture_output=True, text=True, timeout=300,
                              env=stack_module.environment())

    def run(self, *args, status=0):
        answer = self.start(*args)
        assert answer.returncode == status, answer.stderr
        return json.loads(answer.stdout if status == 0 else answer.stderr)

    def show(self, customer=None, *more):
        return self.run("privacy", "show", str(customer or self.customer), "--as", ROLE, *more)

    def verify(self):
        return self.run("audit", "verify")

    def complaint(self):
        return self.run("audit", "verify", status=6)["error"]["message"]

    def unguarded(self, *statements):
        """As somebody who may do anything in the database."""
        triggers = self.shop.sql("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE"
                                 " TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE LIKE 'Audit%'")
        for name, in triggers:
            self.shop.sql(f"DROP TRIGGER {name}")
        for statement in statements:
            self.shop.sql(statement)


@pytest.fixture
def audit(folder, shop_mariadb):
    with ordering.running(folder, shop_mariadb) as servers:
        made = Audit(folder, servers)
        try:
            yield made
        finally:
            made.shop.close()


def test_who_looked_at_a_customer_stands_in_the_audit(audit):
    other = audit.shop.customer()
    values = audit.show(None, "--purpose", "ticket 4711")
    audit.show(other)
    seen = audit.run("audit", "who-saw", str(audit.customer))
    assert len(seen) == 1
    event = seen[0]
    assert event["actor"] == f"os:{pwd.getpwuid(os.geteuid()).pw_name}"
    assert (event["role"], event["action"], event["object"], event["purpose"], event["outcome"]) == (
        ROLE, "privacy.show", "Customers", "ticket 4711", "done")
    assert event["rows"] == len({(v["table"], v["row"]) for v in values}) >= 1
    assert [e["subject"] for e in audit.run("audit", "list")] == [str(other), str(audit.customer)]
    assert audit.verify()["events"] == 2


def netstrings(*fields):
    told = b"".join(b"%d:%b," % (len(f), f) for f in
                    (f if isinstance(f, bytes) else str(f).encode() for f in fields))
    return hashlib.sha256(told).hexdigest()


def test_the_chain_is_what_its_description_says(audit):
    """By another implementation of src/govern/audit.h."""
    audit.show(None, "--purpose", "Größe 42 — €")
    audit.show()
    audit.run("audit", "erase", "0", "--yes")
    rows = audit.shop.sql("SELECT e.*, d.salt, d.subject, d.details FROM Audit_Events e"
                          " LEFT JOIN Audit_Details d USING (audit_id) ORDER BY audit_id")
    before = "0" * 64
    assert len(rows) == 2
    for row in rows:
        number, at, *texts, details_hash, previous, own = row[:12]
        assert details_hash == netstrings(*row[12:])
        assert own == netstrings(number, at.strftime("%Y-%m-%d %H:%M:%S.%f"), *texts, details_hash,
                                 previous)
        assert previous == before
        before = own


def test_what_cannot_be_written_down_is_not_shown(audit):
    audit.shop.sql("RENAME TABLE Audit_Events TO Audit_Away")
    answer = audit.start("privacy", "show", str(audit.customer), "--as", ROLE)
    assert answer.returncode != 0 and answer.stdout == ""


def test_events_written_at_once_are_one_chain_without_gaps(audit):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: audit.show(), range(32)))
    assert head_of(audit.root / "var") == 32, "whoever was last"
    state = audit.verify()
    assert (state["first"], state["last"], state["events"], state["details"]) == (1, 32, 32, 32)


def test_the_database_refuses_changes_of_events(audit):
    audit.show()
    for statement in ("UPDATE Audit_Events SET actor = 'nobody'", "DELETE FROM Audit_Events",
                      "UPDATE Audit_Details SET subject = '5'"):
        with pytest.raises(pymysql.Error, match="audit"):
            audit.shop.sql(statement)
    audit.verify()


@pytest.mark.parametrize("done, told", [
    (["UPDATE Audit_Events SET actor = 'os:nobody' WHERE audit_id = 3"], CHANGED),
    (["UPDATE Audit_Events SET row_count = row_count + 1 WHERE audit_id = 3"], CHANGED),
    (["UPDATE Audit_Events SET purpose = 'x', role_name = '' WHERE audit_id = 3"], CHANGED),
    (["UPDATE Audit_Events SET happened_at = happened_at + INTERVAL 1 MICROSECOND"
      " WHERE audit_id = 3"], CHANGED),
    (["DELETE FROM Audit_Events WHERE audit_id = 3"], "event 3 of the audit is missing"),
    (["DELETE FROM Audit_Events WHERE audit_id = 1"], "event 1 of the audit is missing"),
    (["DELETE FROM Audit_Events WHERE audit_id = 5"], "ends with event 4"),
    (["DELETE FROM Audit_Details WHERE audit_id = 3"], "event 3 of the audit has lost its details"),
    (["UPDATE Audit_Details SET subject = '77' WHERE audit_id = 3"], OTHER),
    (["UPDATE Audit_Details SET details = '{}' WHERE audit_id = 3"], OTHER),
    (["UPDATE Audit_Events SET audit_id = 99 WHERE audit_id = 3",
      "UPDATE Audit_Events SET audit_id = 3 WHERE audit_id = 4",
      "UPDATE Audit_Events SET audit_id = 4 WHERE audit_id = 99"],
     "event 3 of the audit does not follow"),
    (["INSERT INTO Audit_Checkpoints SELECT audit_id, event_hash, UTC_TIMESTAMP(6), REPEAT('0', 128)"
      " FROM Audit_Events WHERE audit_id = 3", "DELETE FROM Audit_Events WHERE audit_id <= 3"],
     "the checkpoint at event 3 is not signed"),
    (["UPDATE Audit_Head SET audit_id = 9"], "its head says otherwise"),
])
def test_whatever_is_changed_is_found(audit, done, told):
    for _ in range(5):
        audit.show()
    audit.unguarded(*done)
    assert told in audit.complaint()


def test_an_end_that_was_cut_off_is_found_by_who_has_seen_it(audit):
    for _ in range(5):
        audit.show()
    audit.verify()
    audit.unguarded("DELETE FROM Audit_Events WHERE audit_id > 3",
                    "DELETE FROM Audit_Details WHERE audit_id > 3",
                    "UPDATE Audit_Head SET audit_id = 3, event_hash ="
                    " (SELECT event_hash FROM Audit_Events WHERE audit_id = 3)")
    assert "ends with event 3, and it had 5" in audit.complaint()
    for _ in range(2):  # made as long again
        audit.show()
    assert "event 5 of the audit is another one" in audit.complaint()


def head_of(var):
    try:
        return int((var / "audit.head").read_text().split()[0])
    except FileNotFoundError:
        return 0


def cut_newest(sql):
    """With a row that no key has signed, and that is there for the triggers only."""
    newest, = sql("SELECT audit_id FROM Audit_Head")[0]
    for statement in ("INSERT INTO Audit_Checkpoints SELECT audit_id, event_hash, UTC_TIMESTAMP(6), '' FROM"
                      " Audit_Head", f"DELETE FROM Audit_Details WHERE audit_id = {newest}",
                      f"DELETE FROM Audit_Events WHERE audit_id = {newest}",
                      f"DELETE FROM Audit_Checkpoints WHERE audit_id = {newest}",
                      "UPDATE Audit_Head h JOIN Audit_Events e ON e.audit_id = h.audit_id - 1"
                      " SET h.audit_id = e.audit_id, h.event_hash = e.event_hash"):
        sql(statement)
    return newest


@pytest.mark.parametrize("words", [
    ("privacy", "show", "{}", "--as", ROLE),
    ("audit", "erase", "{}", "--yes"), ("token", "create", "--role", ROLE)])
def test_what_a_command_wrote_last_cannot_be_cut_off_unseen(audit, words):
    audit.show()
    audit.run(*(word.format(audit.customer) for word in words))
    assert head_of(audit.root / "var") == 2
    assert cut_newest(audit.shop.sql) == 2
    assert "event 1" in audit.complaint()  # is the last, or has lost its details


def test_a_command_says_that_the_audit_does_not_go_on_from_where_it_was(audit):
    for _ in range(2):
        audit.show()
    cut_newest(audit.shop.sql)
    answer = audit.start("privacy", "show", str(audit.customer), "--as", ROLE)
    assert answer.returncode == 0 and "event 2 of the audit is another one" in answer.stderr
    assert "event 2" in (audit.root / "var" / "audit.head.wrong").read_text()


def test_what_serve_wrote_last_cannot_be_cut_off_unseen(stack):
    address = web.address_of(stack)
    stack.json("privacy", "show", "1", "--as", ROLE)
    assert web.ask(address, "/v1/status", "am_00000000_" + "0" * 43).status == 401
    newest = until(lambda: stack.value("SELECT MAX(audit_id) FROM Audit_Events WHERE action_name ="
                                       " 'http.token'"), 20)
    until(lambda: head_of(stack.var) >= newest, 20)
    assert cut_newest(stack.sql) == newest
    wrong = stack.var / "audit.head.wrong"
    until(wrong.exists, 20)
    assert f"it had {newest}" in wrong.read_text()
    assert f"it had {newest}" in (stack.var / "log" / "serve.log").read_text()
    assert "the audit is not as it was written" in stack.run("doctor", check=False).stdout
    assert f"it had {newest}" in stack.run("audit", "verify", check=False).stderr


def test_a_person_is_forgotten_and_the_chain_holds(audit):
    other = audit.shop.customer()
    for customer in (audit.customer, other, audit.customer):
        audit.show(customer)
    assert audit.run("audit", "erase", str(audit.customer), "--yes") == {"erased": 2}
    assert audit.run("audit", "who-saw", str(audit.customer)) == []
    assert len(audit.run("audit", "who-saw", str(other))) == 1
    state = audit.verify()
    assert (state["events"], state["erased"]) == (4, 2)
    assert audit.run("audit", "erase", str(audit.customer), "--yes") == {"erased": 0}
    audit.unguarded("DELETE FROM Audit_Details WHERE audit_id = 2")
    assert "event 2 of the audit has lost its details" in audit.complaint()


def test_a_purge_leaves_a_checkpoint_from_which_the_chain_goes_on(audit):
    for _ in range(6):
        audit.show()
    assert audit.run("audit", "purge", "--before", "2020-01-01", "--yes") == {"purged": 0}
    assert audit.run(*purge_all()) == {"purged": 6}
    state = audit.verify()  # the newest stays: that of the first purge
    assert (state["first"], state["events"]) == (7, 2)
    audit.show()
    assert audit.verify()["last"] == 9
    assert audit.shop.value("SELECT COUNT(*) FROM Audit_Details") == 1
    audit.unguarded("DELETE FROM Audit_Events WHERE audit_id = 7")
    assert "event 7 of the audit is missing" in audit.complaint()


def test_a_purge_that_was_cut_off_is_completed_by_the_next(audit):
    for _ in range(6):
        audit.show()
    kept = audit.shop.sql("SELECT * FROM Audit_Events WHERE audit_id IN (3, 4)")
    audit.run(*purge_all())
    for row in kept:
        marks = ", ".join(["%s"] * len(row))
        audit.shop.sql(f"INSERT INTO Audit_Events VALUES ({marks})", *row)
    assert audit.verify()["first"] == 6
    audit.run("audit", "purge", "--before", "2020-01-01", "--yes")
    assert audit.shop.value("SELECT MIN(audit_id) FROM Audit_Events") == 6
    audit.verify()


def test_several_purges_at_once_leave_a_sound_chain(audit):
    for _ in range(6):
        audit.show()
    words = purge_all()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: audit.start(*words), range(6)))
    assert [a.returncode for a in answers] == [0] * 6, [a.stderr for a in answers]
    audit.verify()


def test_what_is_no_day_purges_nothing(audit):
    audit.show()
    for text in ("garbage", "99", "2026-13-45", "2026-11-31", "2026-1-1", "2026-01-01 25:00:00", ""):
        error = audit.run("audit", "purge", "--before", text, "--yes", status=2)["error"]
        assert "2026-01" in error["message"], text
    assert [e["action"] for e in audit.run("audit", "list")] == ["privacy.show"]


def test_nobody_is_no_subject_to_be_forgotten(audit):
    audit.show()
    audit.run("audit", "erase", str(audit.customer), "--yes")
    assert "empty" in audit.run("audit", "erase", "", "--yes", status=2)["error"]["message"]
    assert audit.verify()["events"] == 2


def test_an_event_outside_the_chain_excuses_nothing(audit):
    for _ in range(3):
        audit.show()
    audit.unguarded("DELETE FROM Audit_Details WHERE audit_id = 2",
                    "INSERT INTO Audit_Events VALUES (0, '2026-01-01', '', '', 'audit.erase', '', '',"
                    " 0, '', '', '', '')",
                    "INSERT INTO Audit_Details VALUES (0, '', '{\"events\": [2]}', REPEAT(' ', 16))")
    assert "event 2" in audit.complaint()


def test_an_event_that_erased_excuses_nothing_that_came_later(audit):
    audit.show()
    audit.run("audit", "erase", str(audit.customer), "--yes")  # event 2
    for _ in range(2):
        audit.show()
    # Somebody who may do anything makes the chain anew, with an erasure that names what is to come.
    audit.unguarded()
    shop = audit.shop
    salt, details = b" " * 16, '{"events":[1,2,3]}'

    def netstrings(*texts):
        return b"".join(b"%d:%s," % (len(t), t) for t in (x if isinstance(x, bytes) else str(x).encode()
                                                           for x in texts))

    shop.sql("DELETE FROM Audit_Details WHERE audit_id IN (2, 3)")
    shop.sql("INSERT INTO Audit_Details VALUES (2, '', %s, %s)", details, salt)
    shop.sql("UPDATE Audit_Events SET details_hash = %s WHERE audit_id = 2",
             hashlib.sha256(netstrings(salt, "", details)).hexdigest())
    previous = "0" * 64
    for row in shop.sql("SELECT audit_id, happened_at, actor, role_name, action_name, object_name, purpose,"
                        " row_count, outcome, details_hash FROM Audit_Events ORDER BY audit_id"):
        happened = row[1].strftime("%Y-%m-%d %H:%M:%S.%f")
        event = hashlib.sha256(netstrings(row[0], happened, *row[2:], previous)).hexdigest()
        shop.sql("UPDATE Audit_Events SET previous_hash = %s, event_hash = %s WHERE audit_id = %s",
                 previous, event, row[0])
        previous = event
    shop.sql("UPDATE Audit_Head SET event_hash = %s", previous)
    assert "event 3 of the audit has lost its details" in audit.complaint()


def test_a_day_is_read_before_anybody_is_asked(audit):
    answer = stack_module.run_binary("audit", "purge", "--before", "2026-02-30", "--config", str(audit.config),
                                     check=False, typed="n\n")
    assert answer.returncode == 2 and "2026-02-30" in answer.stderr and "Go on?" not in answer.stderr + answer.stdout


def test_which_events_erased_is_asked_by_an_index(audit):
    """Once a piece of the chain."""
    audit.unguarded("INSERT INTO Audit_Events SELECT seq, '2026-01-01', 'os:x', '', 'test', '', '', 1, 'done',"
                    " '', '', '' FROM seq_1_to_5000", "INSERT INTO Audit_Details SELECT seq, '', '{}', REPEAT(' ', 16) FROM seq_1_to_5000",
                    "ANALYZE TABLE Audit_Events, Audit_Details", "FLUSH STATUS")
    audit.shop.sql((stack_module.ROOT / "src/govern/sql/audit_erasures.sql").read_text().replace("?", "0"))
    read = audit.shop.sql("SHOW STATUS WHERE Variable_name IN ('Handler_read_next', 'Handler_read_rnd_next')")
    assert sum(int(n) for _, n in read) < 50


def redate(audit, days):
    """The chain made anew, as if its events were of these days."""
    rebuilt = "0" * 64
    audit.unguarded()
    for number, day in enumerate(days, 1):
        row = audit.shop.sql("SELECT actor, role_name, action_name, object_name, purpose, row_count,"
                             " outcome, details_hash FROM Audit_Events WHERE audit_id = %s", number)[0]
        at = f"{day} 00:00:00.000000"
        digest = netstrings(number, at, *row, rebuilt)
        audit.shop.sql("UPDATE Audit_Events SET happened_at = %s, previous_hash = %s, event_hash = %s"
                       " WHERE audit_id = %s", at, rebuilt, digest, number)
        rebuilt = digest
    audit.shop.sql("UPDATE Audit_Head SET event_hash = %s", rebuilt)
    (audit.root / "var" / "audit.head").unlink()  # which knows what they were
    assert audit.verify()["events"] == len(days)


@pytest.mark.parametrize("days, purged", [
    (["2026-03-01", "2026-08-01", "2026-03-02", "2026-09-01"], 1),
    # What is dated ahead says nothing of when the next ones came.
    (["2026-03-01", "2090-08-01", "2026-03-02", "2026-09-01"], 3),
])
def test_a_purge_stops_at_what_is_young_though_the_clock_went_back(audit, days, purged):
    for _ in range(4):
        audit.show()
    redate(audit, days)
    assert audit.run("audit", "purge", "--before", "2026-04-01", "--young", "--yes")["purged"] == purged


def test_a_purge_keeps_what_is_to_come_and_what_the_retention_keeps(audit):
    audit.show()
    refused = audit.run("audit", "purge", "--before", TOMORROW, "--young", "--yes", status=2)["error"]
    assert "is still to come" in refused["message"]
    refused = audit.run("audit", "purge", "--before", str(datetime.date.today()), "--yes", status=2)["error"]
    assert "retention.audit keeps events from" in refused["message"] and "--young" in refused["hint"]
    with audit.config.open("a") as file:
        file.write("retention: {audit: 0d}\n")
    refused = audit.run("audit", "purge", "--before", "2020-01-01", "--yes", status=2)["error"]
    assert "for ever" in refused["message"]
    assert [e["action"] for e in audit.run("audit", "list")] == ["privacy.show"]
