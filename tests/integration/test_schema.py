"""The schema: applied once, resumed after SIGKILL, drawn as docs/schema.md shows it."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

import stack as stack_module

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "```mermaid\n", "```\n<!-- end -->"


class Database:
    def __init__(self, servers, name):
        self.servers, self.name = servers, name
        self.config = servers.root / f"{name}.yaml"
        with servers.open_sql() as link, link.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        self.config.write_text(f"mariadb:\n  socket: {servers.socket}\n  user: root\n"
                               f"  database: {name}\n")

    def command(self, *args):
        return [str(stack_module.BINARY), "schema", *args, "--config", str(self.config)]

    def run(self, *args, check=True):
        return subprocess.run(self.command(*args), check=check, capture_output=True, text=True,
                              timeout=60, env=stack_module.environment())

    def rows(self, statement):
        with self.servers.open_sql() as link, link.cursor() as cursor:
            cursor.execute(f"USE {self.name}")
            cursor.execute(statement)
            link.commit()
            return [tuple(r) for r in cursor.fetchall()]

    def shape(self):
        where = f"'{self.name}'"
        return [self.rows(s) for s in (
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE FROM"
            f" information_schema.COLUMNS WHERE TABLE_SCHEMA = {where}"
            " AND TABLE_NAME <> 'schema_migrations' ORDER BY 1, 2",
            "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME FROM"
            f" information_schema.STATISTICS WHERE TABLE_SCHEMA = {where} ORDER BY 1, 2, 3",
            "SELECT TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS"
            f" WHERE TRIGGER_SCHEMA = {where} ORDER BY 1")]


@pytest.fixture
def database(bare_servers):
    return lambda name: Database(bare_servers, name)


def test_applying_twice_changes_nothing(database):
    db = database("once")
    first = json.loads(db.run("apply", "--json").stdout)
    second = json.loads(db.run("apply", "--json").stdout)
    assert first["applied"] == len(first["migrations"]) > 0
    assert second["applied"] == second["statements"] == second["pending"] == 0


def test_a_killed_migration_is_resumed(database):
    whole = database("whole")
    whole.run("apply")
    for number in range(8):
        db = database(f"killed_{number}")
        for _ in range(3):
            child = subprocess.Popen(db.command("apply"), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, env=stack_module.environment())
            time.sleep(random.Random(number).uniform(0.005, 0.08))
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        db.run("apply")
        assert db.shape() == whole.shape()


def test_a_changed_file_is_refused(database):
    db = database("changed")
    db.run("apply")
    db.rows("UPDATE schema_migrations SET checksum = 'x' WHERE migration_number = 20")
    done = db.run("apply", check=False)
    assert done.returncode == 4
    assert "020-customers.sql" in done.stderr and "new file" in done.stderr


def test_the_diagram_in_the_documents_is_this_schema(database):
    db = database("drawn")
    db.run("apply")
    text = (ROOT / "docs/schema.md").read_text()
    kept = text[text.index(BEGIN) + len(BEGIN):text.index(END)]
    assert db.run("graph").stdout == kept, "docs/schema.md: take over `aethermart schema graph`"


RAILS = "CREATE TABLE schema_migrations (version VARCHAR(255) NOT NULL PRIMARY KEY)"


def tables(db):
    return {row[0] for row in db.rows("SHOW TABLES")}


def test_the_migrations_of_another_program_are_left_alone(database):
    db = database("rails")
    db.rows(RAILS)
    done = db.run("apply", check=False)
    assert done.returncode == 4 and "schema_migrations" in done.stderr, done.stderr
    assert "another program" in done.stderr and "mariadb.database" in done.stderr
    assert tables(db) == {"schema_migrations"}
    db.rows("DROP TABLE schema_migrations")
    db.run("apply")


def test_a_table_of_our_name_that_is_not_ours_is_named_before_anything_is_made(database):
    db = database("taken")
    db.rows("CREATE TABLE Orders (number INT)")
    done = db.run("apply", check=False)
    assert done.returncode == 4 and '"Orders"' in done.stderr, done.stderr
    assert "030-orders.sql" in done.stderr and "rename" in done.stderr
    assert tables(db) == {"Orders"}
    db.rows("DROP TABLE Orders")
    db.run("apply")


def forget_reports(db):
    """The last file that replaces reports, which comes after those that the tests run again."""
    db.rows("DELETE FROM schema_migrations WHERE migration_number = 206")
    for function in ("f_Server_Time", "f_Shop_Database"):
        db.rows(f"DROP FUNCTION {function}")


def test_a_later_file_replaces_what_an_earlier_one_made(database):
    """As in a database that was made before the last file was written."""
    db = database("older")
    db.run("apply")
    shape = db.shape()
    forget_reports(db)
    db.rows("DELETE FROM schema_migrations WHERE migration_number = 105")
    for view in ("v_Live_Product_Sales", "v_Archived_Product_Sales", "v_Supplier_Products"):
        db.rows(f"DROP VIEW {view}")
    for table, key in (("Orders", "ix_order_state"), ("TR_Orders_Archive", "ix_archive_state"),
                       ("TR_Orders_Archive", "ix_archive_address"),
                       ("Customer_Addresses", "ix_address_state")):
        db.rows(f"ALTER TABLE {table} DROP KEY {key}")
    assert json.loads(db.run("apply", "--json").stdout)["applied"] == 2
    assert db.shape() == shape


def test_a_later_file_replaces_what_an_earlier_one_was_making(database):
    """Cut off between making a view and recording it; 105 replaces it."""
    db = database("begun")
    db.run("apply")
    shape = db.shape()
    made = [thing for name in ("100-reports", "105-report-plans", "110-order-rules",
                               "115-placed-totals")
            for thing in re.findall(r"^CREATE (VIEW|FUNCTION|PROCEDURE) (\w+)",
                                    (stack_module.ROOT / f"sql/{name}.sql").read_text(), re.M)]
    for kind, thing in made[made.index(("VIEW", "v_TopProducts")) + 1:]:
        db.rows(f"DROP {kind} {thing}")
    for table, key in (("Orders", "ix_order_state"), ("TR_Orders_Archive", "ix_archive_state"),
                       ("TR_Orders_Archive", "ix_archive_address"),
                       ("Customer_Addresses", "ix_address_state"),
                       ("TR_Orders_Archive", "ix_archive_date")):
        db.rows(f"ALTER TABLE {table} DROP KEY {key}")
    forget_reports(db)
    db.rows("DELETE FROM schema_migrations WHERE migration_number BETWEEN 101 AND 119")
    db.rows("UPDATE schema_migrations SET statements_done = 3, statement_begun = 4,"
            " finished_at = NULL WHERE migration_number = 100")
    assert json.loads(db.run("apply", "--json").stdout)["applied"] == 5
    assert db.shape() == shape


def test_what_feeds_had_paid_back_before_it_was_kept_is_filled_in(database):
    db = database("paid_back")
    db.run("apply")
    db.rows("INSERT INTO Customers (first_name, last_name, registration_date)"
            " VALUES ('A', 'B', '2026-01-01')")
    for name, status, year in (("a", "returned", 2020), ("b", "delivered", 2020),
                               ("c", "returned", 2026), ("d", "delivered", 2026)):
        db.rows("INSERT INTO Orders (external_id, customer_id, order_date, order_status,"
                f" total_amount) VALUES ('{name}', 1, '{year}-01-02', '{status}', 12.50)")
    db.rows("DROP TRIGGER tr_order_changes")
    db.rows("UPDATE Orders SET refunded_amount = 0")
    db.rows("CALL sp_archive_old_orders('2021-01-01')")
    db.rows("DELETE FROM schema_migrations WHERE migration_number = 110")
    db.rows("ALTER TABLE TR_Orders_Archive DROP KEY ix_archive_date")
    for procedure in ("sp_CheckQuotes", "sp_PriceLines"):
        db.rows(f"DROP PROCEDURE {procedure}")
    db.run("apply")
    for table in ("TR_Orders_Archive", "Orders"):
        refunded = db.rows(f"SELECT refunded_amount FROM {table} ORDER BY order_id")
        assert [float(row[0]) for row in refunded] == [12.5, 0]
