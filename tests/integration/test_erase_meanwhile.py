"""What others do while somebody is erased: a hold, a second erasure, statements, tables that go. Each
is brought in at a known point, where the erasure waits for a lock of the test's own."""

import contextlib
import json

from test_erase import number, number_of, places
from test_erase import forgetful, person  # noqa: F401 (fixtures)
from test_erase_stays import Blocker, ended
from waiting import until

MAIL = "zenobia.q@example.org"
WAITING = ("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE"
           " 'Waiting for table metadata lock%%'")


@contextlib.contextmanager
def locked(stack, *tables):
    """Whoever searches these tables waits until this is over."""
    with stack.open_sql() as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES " + ", ".join(f"{table} WRITE" for table in tables))
        yield
        cursor.execute("UNLOCK TABLES")


def wait_for_searches(stack, n):
    until(lambda: stack.value(WAITING) >= n, 40, what=f"{n} erasures search")


def sneak_in(stack, customer, street):
    """An address of somebody who was erased, as by a restore, which no trigger sees."""
    trigger = stack.sql("SHOW CREATE TRIGGER tr_address_of_erased")[0][2]
    stack.sql("DROP TRIGGER tr_address_of_erased")
    stack.insert("Customer_Addresses", customer_id=customer, street=street, city="Town", country="US")
    stack.sql(trigger)


def sought(stack):
    return stack.value("SELECT sought FROM Erasures")


def state(stack):
    return stack.value("SELECT erasure_state FROM Erasures")


def certificate(text):
    return json.loads(json.loads(text)["certificate"])


def written(stack):
    """What the server wrote down of statements."""
    return "\n".join(path.read_text("latin1") for path in
                     (stack.var / "mariadb" / "audit").glob("server_audit.log*")).lower()


def test_a_hold_waits_for_an_erasure_that_runs(person):
    """Its transaction has begun, and waits for a row in the middle."""
    stack = person.stack
    blocker = Blocker(stack, number(stack, "EZ-2"))
    blocker.cursor.execute("SELECT * FROM Reviews WHERE review_id = %s FOR UPDATE", [person.review])
    erasure = stack.start("privacy", "erase", person.id, "--yes")
    blocker.wait_for(1)
    hold = stack.start("privacy", "hold", person.id, "--reason", "lawsuit 12/26")
    until(lambda: hold.poll() is not None or len(blocker.waiting()) == 2, 40, pause=0.3,
          what="the hold waits, too")
    blocker.commit()
    told = ended(hold)
    assert hold.returncode != 0 and "is erased: there is nothing to hold" in told
    assert ended(erasure) and erasure.returncode == 0
    assert stack.sql("SELECT * FROM Legal_Holds") == []
    assert "privacy.hold" not in [e["action"] for e in stack.json("audit", "list")]

    # The other way round: the hold came first, after the plan of the erasure.
    other = number(stack, "EZ-2")
    blocker = Blocker(stack, other)
    erasure = stack.start("privacy", "erase", other, "--yes")
    blocker.wait_for(1)
    blocker.cursor.execute("INSERT INTO Legal_Holds (subject, reason, held_by, held_at) VALUES"
                           " (%s, 'lawsuit 13/26', 'os:x', UTC_TIMESTAMP(3))", [str(other)])
    blocker.commit()
    assert "data is held" in ended(erasure) and erasure.returncode != 0
    assert number_of(stack, "ottoline.f@example.org") == 1


def test_an_end_closes_what_was_looked_for_and_nothing_more(person):
    """A second run finds more, and puts it into the record, while the first one still searches."""
    stack = person.stack
    person.erase()
    stack.sql("CREATE TABLE Slow (note TEXT)")
    stack.docs("newsletter").insert_one({"to": ["8 Another Road"]})

    def second(first, street):
        """Both search; the second one knows of more."""
        wait_for_searches(stack, 1)
        before = sought(stack)
        sneak_in(stack, person.id, street)
        run = stack.start("privacy", "erase", person.id, "--yes", "--wait", "1s")
        until(lambda: sought(stack) != before, 30, what="the second one has begun")
        wait_for_searches(stack, 2)
        return first, run

    sneak_in(stack, person.id, "9 Back Again Road")
    with locked(stack, "Slow"):
        first, run = second(stack.start("privacy", "erase", person.id, "--yes"), "8 Another Road")
    assert "has more to look for" in ended(first) and first.returncode != 0
    assert "newsletter" in ended(run) and state(stack) == "copies"

    # So it is with one that ends with what is left.
    with locked(stack, "Slow"):
        first, run = second(stack.start("privacy", "erase", person.id, "--yes", "--leave", "a ledger"),
                            "7 Third Road")
    assert "has more to look for" in ended(first) and first.returncode != 0
    assert "newsletter" in ended(run) and state(stack) == "copies"
    assert sought(stack) is not None
    stack.docs("newsletter").drop()
    person.erase()
    assert state(stack) == "done" and places(stack, ["8 Another Road", "7 Third Road"]) == []


def test_others_who_go_on_writing_are_told_and_stop_nothing(person):
    """The server's own audit follows last: what comes there while the rest is searched is scrubbed,
    and what comes again and again is told at the end."""
    stack, other = person.stack, number(person.stack, "EZ-2")
    stack.sql("CREATE TABLE Slow (note TEXT)")
    stack.docs("ledger").insert_one({"note": f"refund for {MAIL}"})
    row = ("INSERT INTO rbac_audit (happened_at, user_name, host_name, role_name, connection_id,"
           " query_id, action_name, database_name, object_name, query_text, outcome, times)"
           " VALUES (UTC_TIMESTAMP(), 'x', '', '', 1, 1, 'QUERY', '', '', %s, 'done', 1)")
    scrubs = "SELECT COUNT(*) FROM Audit_Events WHERE action_name = 'rbac.scrub'"

    # A row that comes again whenever it was scrubbed, until others stop.
    stack.sql(row, [f"SELECT {MAIL}"])
    stack.sql("CREATE TRIGGER others_write BEFORE UPDATE ON rbac_audit FOR EACH ROW"
              " SET NEW.query_text = OLD.query_text")
    erasure = stack.start("privacy", "erase", person.id, "--yes", "--wait", "1s")
    until(lambda: erasure.poll() is not None or stack.value(scrubs) >= 5, 60, what="it scrubs in vain")
    told = ended(erasure)
    assert "something of theirs is still in" in told and "rbac_audit" in told and "ledger" in told

    # So it ends with what is left, and says that there are lines that came meanwhile.
    left = certificate(stack.run("privacy", "erase", person.id, "--yes", "--json", "--leave",
                                 "a ledger").stdout)["left"]
    assert [f["what"] for f in left if f["where"] == "lines"] == ["written meanwhile"]
    assert {f["where"] for f in left} >= {"aethermart_profiles.ledger", "aethermart_db.rbac_audit"}
    stack.sql("DROP TRIGGER others_write")

    # What came between the scrub and such an end is scrubbed.
    stack.docs("ledger").insert_one({"note": "refund for ottoline.f@example.org"})
    assert "ledger" in stack.fails("privacy", "erase", other, "--yes", "--wait", "1s")
    with locked(stack, "Slow"):
        erasure = stack.start("privacy", "erase", other, "--yes", "--leave", "a ledger")
        wait_for_searches(stack, 1)
        stack.sql("SELECT 1 AS late FROM Customers WHERE email = 'ottoline.f@example.org'")
        assert "1 as late" in written(stack)
    assert ended(erasure) and erasure.returncode == 0
    assert "1 as late" not in written(stack)


def test_tables_of_others_that_go_or_are_damaged_stop_no_search(person):
    stack = person.stack
    stack.sql("CREATE DATABASE crm")
    for name in ("a_slow", "b_gone"):
        stack.sql(f"CREATE TABLE crm.{name} (note TEXT)")
    stack.sql("CREATE TABLE crm.damaged (note TEXT) ENGINE=MyISAM")
    stack.sql("FLUSH TABLES crm.damaged")
    (stack.var / "mariadb" / "data" / "crm" / "damaged.MYD").unlink()
    with locked(stack, "crm.a_slow"):
        erasure = stack.start("privacy", "erase", person.id, "--yes", "--json")
        wait_for_searches(stack, 1)
        stack.sql("DROP TABLE crm.b_gone")
    told = ended(erasure)
    assert erasure.returncode == 0, told
    remains = {r["where"]: r["until"] for r in certificate(told)["remains"]}
    assert "it was not searched" in remains["crm.damaged"] and "crm.b_gone" not in remains
    stack.sql("DROP DATABASE crm")
