"""The outside witness: what people do by SQL stands in rbac_audit, as the server itself saw it, once
each and without what they typed as a value."""

import contextlib
import os
import pathlib
import signal
import time

import pymysql
import pytest

import processes
from waiting import until

SECRET = "ann.rbac@example.com"


class Person:
    """Somebody with an account of rules/access.yaml."""

    def __init__(self, stack, name):
        self.stack = stack
        self.name = name

    def open(self):
        password = self.stack.secret(f"mariadb-{self.name}").read_text().strip()
        where = self.stack.connection()["mariadb"]
        return pymysql.connect(unix_socket=where["socket"], user=self.name, password=password,
                               database=where["database"], autocommit=True)

    def says(self, *statements):
        with contextlib.closing(self.open()) as link, link.cursor() as cursor:
            for statement in statements:
                with contextlib.suppress(pymysql.Error):
                    cursor.execute(statement)


def files(stack):
    """The server's audit files, the oldest first."""
    folder = stack.var / "mariadb" / "audit"
    return sorted(folder.glob("server_audit.log*"),
                  key=lambda p: -int(p.suffix[1:]) if p.suffix[1:].isdigit() else 0)


def lines(stack):
    return [line for path in files(stack) for line in
            path.read_text("utf-8", "replace").splitlines()]


def rows(stack, where, *args):
    return stack.sql("SELECT user_and_host, role_name, action_name, object_name, query_text, outcome,"
                     f" times FROM v_rbac_audit WHERE {where} ORDER BY rbac_id", args or None)


def rotate(stack):
    stack.sql("SET GLOBAL server_audit_file_rotate_now = ON")


def follow(stack):
    return stack.json("audit", "follow")["rows"]


def scrub(stack, *needles, scan=False):
    return stack.json("audit", "scrub", *(["--scan"] if scan else ["--yes"]),
                      input="".join(f"{n}\n" for n in needles))


def test_what_a_person_does_is_seen_without_what_they_typed(stack):
    maria = Person(stack, "maria")
    maria.says(f"SELECT order_id FROM v_orders_masked WHERE 5 = 5 OR '{SECRET}' = 'x' /* {SECRET} */",
               f"SELECT email FROM Customers WHERE email = '{SECRET}'",
               f"SELECT {SECRET} FROM")
    mine = until(lambda: [row for row in rows(stack, "user_and_host LIKE 'maria@%%'")
                          if row[2] == "DISCONNECT"] and
                 rows(stack, "user_and_host LIKE 'maria@%%'"), what="the worker takes it")
    assert {row[1] for row in mine} == {"marketing_analyst"}
    assert ("maria@localhost", "marketing_analyst", "QUERY", "aethermart_db",
            "SELECT email FROM Customers WHERE email = ?", "denied", 1) in mine
    assert [row[4:] for row in mine if row[5] == "failed 1064"] == [("SELECT", "failed 1064", 1)]
    assert {"CONNECT", "QUERY", "DISCONNECT"} <= {row[2] for row in mine}
    assert not any(SECRET in str(row) or "example" in str(row) for row in mine)


def test_passwords_are_in_no_row(stack):
    stack.sql("CREATE USER witness_test IDENTIFIED BY 'geheim-1'")
    stack.sql("ALTER USER witness_test IDENTIFIED VIA mysql_native_password USING PASSWORD('geheim-2')")
    stack.sql("SET PASSWORD FOR witness_test = PASSWORD('geheim-3')")
    Person(stack, "sarah").says("SET PASSWORD FOR root@localhost = PASSWORD('geheim-4')",
                                "ALTER USER root@localhost IDENTIFIED BY 'geheim-5'",
                                "CHANGE MASTER TO MASTER_HOST = 'h', MASTER_PASSWORD = 'geheim-6'",
                                "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (PASSWORD 'geheim-7')",
                                "EXECUTE IMMEDIATE \"SET PASSWORD = PASSWORD('geheim-8')\"")
    stack.sql("DROP USER witness_test")
    follow(stack)
    seen = rows(stack, "query_text LIKE '%%witness%%' OR query_text LIKE 'CREATE USER%%'")
    assert any(row[4].startswith("CREATE USER witness_test IDENTIFIED") for row in seen)
    assert stack.value("SELECT COUNT(*) FROM rbac_audit WHERE CONCAT(query_text, object_name)"
                       " LIKE '%%geheim%%'") == 0


def test_nothing_hides_behind_what_is_dropped(stack):
    """What cannot be read to its end is not taken for a mere setting of one's own connection."""
    stack.wait_synced()
    sarah = Person(stack, "sarah")
    # The plugin cuts one of the long ones off right behind the text, so that it seems to be whole.
    hidden = ["SET @a = '\\'', @b = 1", "SET @a = 1 /*! , @b = 2 */", "SET timestamp = 1",
              *(f"SET @a = '{'x' * n}', @b = 3" for n in range(960, 1040))]
    sarah.says("SET @a = 1", "SET NAMES utf8mb4", "COMMIT")
    follow(stack)
    seen = "SELECT COALESCE(SUM(times), 0) FROM rbac_audit WHERE user_name = 'sarah' AND action_name = 'QUERY'"
    before = stack.value(seen)
    sarah.says(*hidden)
    follow(stack)
    assert stack.value(seen) - before == len(hidden)


def test_who_changes_rights_passwords_or_the_server_is_seen_refused_or_not(stack):
    sarah = Person(stack, "sarah")
    stack.sql("CREATE USER witness_test")
    done = ["ALTER USER witness_test ACCOUNT LOCK", "SHOW GRANTS FOR witness_test", "FLUSH PRIVILEGES",
            "SET GLOBAL max_connections = 299", "-- a remark\nDROP TABLE IF EXISTS none_of_ours",
            "SET SESSION sql_log_bin = 0", "SET @sum = (SELECT MAX(email) FROM Customers)",
            "BEGIN NOT ATOMIC DELETE FROM Categories WHERE 1 = 0; END",
            "SET PASSWORD FOR witness_test = ''", "DROP USER witness_test"]
    for statement in done:
        stack.sql(statement)
    sarah.says("SET GLOBAL max_connections = 1", "SHOW GRANTS FOR root@localhost", "FLUSH PRIVILEGES",
               "ALTER USER root@localhost ACCOUNT LOCK", "SET PASSWORD FOR root@localhost = ''",
               "KILL 1", "COMMIT", "SET NAMES utf8mb4", "SAVEPOINT here")
    follow(stack)
    seen = {(row[0].split("@")[0], row[4], row[5]) for row in rows(stack, "action_name = 'QUERY'")}
    owner = {row[1] for row in seen if row[0] == "aethermart_admin" and row[2] == "done"}
    assert {"ALTER USER witness_test ACCOUNT LOCK", "SHOW GRANTS FOR witness_test", "FLUSH PRIVILEGES",
            "SET GLOBAL max_connections = ?", "DROP TABLE IF EXISTS none_of_ours",
            "SET SESSION sql_log_bin = ?", "SET @sum = (SELECT MAX(email) FROM Customers)",
            "SET PASSWORD ?", "DROP USER witness_test"} <= owner
    assert any(text.startswith("BEGIN NOT ATOMIC") for text in owner)
    denied = {row[1] for row in seen if row[0] == "sarah" and row[2] == "denied"}
    assert {"SET GLOBAL max_connections = ?", "SHOW GRANTS FOR root@localhost", "FLUSH PRIVILEGES",
            "ALTER USER root@localhost ACCOUNT LOCK", "SET PASSWORD ?"} <= denied
    assert any(row[0] == "sarah" and row[1].startswith("KILL") for row in seen)
    assert not [row for row in seen if row[1].split(" ")[0] in ("COMMIT", "SAVEPOINT")
                or row[1].startswith("SET NAMES")]


def test_the_account_of_the_sync_is_left_out(stack):
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 5")
    stack.wait_synced()
    follow(stack)
    assert stack.value("SELECT COUNT(*) FROM rbac_audit WHERE user_name = 'mongo_sync_user'"
                       " AND action_name NOT LIKE '%%CONNECT'") == 0


def test_nothing_is_lost_or_taken_twice_across_rotations_and_crashes(stack):
    follow(stack)
    sarah = Person(stack, "sarah")
    stack.kill("worker")
    for n in range(6):
        sarah.says(*(f"SELECT {n} AS mark_{n}_{i} FROM Categories" for i in range(20)))
        rotate(stack)
    stack.up()
    for n in range(6, 9):
        sarah.says(*(f"SELECT {n} AS mark_{n}_{i} FROM Categories" for i in range(20)))
        rotate(stack)
        follow(stack)
    stack.kill("worker")
    follow(stack)
    seen = [row[4] for row in rows(stack, "query_text LIKE '%% AS mark\\_%%'")]
    assert sorted(seen) == sorted(f"SELECT ? AS mark_{n}_{i} FROM Categories"
                                  for n in range(9) for i in range(20))
    assert not rows(stack, "action_name IN ('GAP', 'UNREADABLE')")


def marks(stack, *names):
    """How often each mark was taken."""
    return [stack.value("SELECT COALESCE(SUM(times), 0) FROM rbac_audit WHERE action_name = 'QUERY'"
                        f" AND query_text LIKE '%%mark\\_{name}'") for name in names]


def mark(stack, name):
    Person(stack, "sarah").says(f"SELECT 1 AS mark_{name}")


def wait_for_another_second(stack):
    """Files are known by the second in which they began, too."""
    began = files(stack)[-1].read_text("utf-8", "replace")[:17]
    until(lambda: time.strftime("%Y%m%d %H:%M:%S", time.gmtime()) > began, what="the next second")


def rotate_in_another_second(stack):
    wait_for_another_second(stack)
    rotate(stack)


def test_a_file_that_another_follower_began_meanwhile_is_no_gap(stack):
    stack.kill("worker")
    mark(stack, "before")
    rotate_in_another_second(stack)
    mark(stack, "between")
    follow(stack)
    with contextlib.closing(stack.open_sql(autocommit=False)) as other, other.cursor() as cursor:
        cursor.execute("SELECT * FROM rbac_audit_position FOR UPDATE")
        second = stack.start("audit", "follow")
        until(lambda: stack.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER ="
                                  " 'mongo_sync_user' AND INFO LIKE '%%rbac_audit_position%%FOR UPDATE'"),
              what="it waits for the position")
        rotate_in_another_second(stack)
        mark(stack, "behind")
        new = files(stack)[-1]
        cursor.execute("UPDATE rbac_audit_position SET file_inode = %s, file_began = %s, file_offset = 0",
                       (new.stat().st_ino, new.read_text("utf-8", "replace")[:17]))
        other.commit()
    assert second.wait(30) == 0
    assert not rows(stack, "action_name = 'GAP'")
    assert marks(stack, "before", "between", "behind") == [1, 1, 1]


def test_behind_a_gap_only_what_is_new_is_taken(stack):
    stack.kill("worker")
    for name in ("a", "b"):
        mark(stack, name)
        rotate_in_another_second(stack)
    mark(stack, "c")
    follow(stack)
    rotate_in_another_second(stack)
    mark(stack, "d")
    files(stack)[-2].unlink()  # in which the follower is
    follow(stack)
    assert len(rows(stack, "action_name = 'GAP'")) == 1
    assert marks(stack, "a", "b", "c", "d") == [1, 1, 1, 1]
    wait_for_another_second(stack)
    os.truncate(files(stack)[-1], 0)
    mark(stack, "e")
    follow(stack)
    assert len(rows(stack, "action_name = 'GAP'")) == 2
    assert marks(stack, "a", "b", "c", "d", "e") == [1, 1, 1, 1, 1]


def test_a_worker_ends_while_somebody_has_locked_its_tables(stack):
    with contextlib.closing(stack.open_sql()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES rbac_audit WRITE")
        mark(stack, "locked")
        until(lambda: stack.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER ="
                                  " 'mongo_sync_user' AND STATE LIKE '%%metadata lock%%'"),
              what="it waits for the table")
        begin = time.monotonic()
        processes.wait_gone(stack.signal("worker", signal.SIGTERM), 40)
        assert time.monotonic() - begin < 20
    follow(stack)
    assert marks(stack, "locked") == [1]


def test_a_worker_ends_though_the_server_hangs_in_the_middle_of_its_end(stack):
    """The sync has ended; threads beside it wait for an answer that does not come."""
    log = stack.var / "log" / "serve.log"
    stops = log.read_text().count('"stopped"')

    def waits_for(table):
        return stack.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE"
                           " '%%metadata lock%%' AND INFO LIKE %s AND TIME_MS < 500", [f"%{table}%"])
    with contextlib.closing(stack.open_sql()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES rbac_audit WRITE, Quality_Quarantine WRITE")
        until(lambda: waits_for("rbac_audit"), 30, what="the server's audit is followed")
        stack.sql("UPDATE Products SET price = 1000000 ORDER BY product_id LIMIT 1")
        until(lambda: waits_for("Quality_Quarantine"), 30, what="a finding is written")
        begin = time.monotonic()
        pid = stack.signal("worker", signal.SIGTERM)
        until(lambda: log.read_text().count('"stopped"') > stops, 30, pause=0.001, what="the sync has ended")
        stack.stop("mariadb")
        try:
            processes.wait_gone(pid, 90)
        finally:
            stack.cont("mariadb")
        assert time.monotonic() - begin < 30, "not the minute for which an answer is waited for"


def test_a_worker_that_is_stopped_leaves_the_rest_of_a_long_file_for_later(stack, tmp_path):
    stack.down()
    text = "".join(f"20261101 10:00:{n % 60:02d},db,sarah,localhost,7,{n},QUERY,shop,"
                   f"'SELECT column_{n:06d} FROM Categories /* {'-' * 60} */',0\n"
                   for n in range(40000))
    (tmp_path / "server_audit.log").write_text(text)
    stack.write_config(audit={"dir": str(tmp_path)})
    stack.up()
    done = "SELECT file_offset FROM rbac_audit_position"
    until(lambda: 0 < stack.value(done) <= len(text), 60, pause=0.01)
    processes.wait_gone(stack.signal("worker", signal.SIGTERM))
    assert stack.value(done) < len(text), "it did not read to the end first"
    follow(stack)
    assert stack.value(done) == len(text)
    assert stack.sql("SELECT COUNT(*), COUNT(DISTINCT query_text) FROM rbac_audit"
                     " WHERE query_text LIKE 'SELECT column%%'") == [(40000, 40000)]


def test_files_that_went_before_they_were_taken_are_a_row(stack):
    follow(stack)
    stack.kill("worker")
    stack.sql("SELECT 1")
    rotate(stack)
    for path in files(stack)[:-1]:
        path.unlink()
    follow(stack)
    assert len(rows(stack, "action_name = 'GAP'")) == 1
    follow(stack)
    assert len(rows(stack, "action_name = 'GAP'")) == 1


@pytest.mark.parametrize("user", ["a,b", "evil\nz", "x" * 80 + "\0", "é,'\\"])
def test_a_line_that_fits_no_form_is_told_and_not_guessed_at(stack, user):
    with contextlib.suppress(pymysql.Error):
        pymysql.connect(unix_socket=stack.connection()["mariadb"]["socket"], user=user, password="x")
    stack.sql("SELECT 1 AS behind_it")
    follow(stack)
    assert rows(stack, "action_name IN ('UNREADABLE', 'FAILED_CONNECT')")
    assert rows(stack, "query_text = 'SELECT ? AS behind_it'")


def test_a_line_that_somebody_made_up_dates_no_row(stack):
    socket = stack.connection()["mariadb"]["socket"]
    for year in ("2090", "1999"):
        with contextlib.suppress(pymysql.Error):
            pymysql.connect(unix_socket=socket, password="x",
                            user=f"x\n{year}0101 00:00:00,v,root,h,7,1,CONNECT,,,0\ny")
    stack.sql("SELECT 1 AS mark_genuine")
    follow(stack)
    assert sum(row[6] for row in rows(stack, "action_name = 'UNREADABLE'")) >= 4
    assert not rows(stack, "user_and_host LIKE '%%@h'")
    assert stack.value("SELECT COUNT(*) FROM rbac_audit WHERE happened_at NOT BETWEEN"
                       " UTC_TIMESTAMP() - INTERVAL 1 DAY AND UTC_TIMESTAMP() + INTERVAL 1 DAY") == 0
    assert marks(stack, "genuine") == [1]


def test_a_person_who_is_erased_is_in_no_line_and_no_row(stack):
    sarah = Person(stack, "sarah")
    texts = [SECRET, "O'Brien-Witness", "+49 170 5550199"]
    for _ in range(2):
        sarah.says(f"SELECT 1 FROM Customers WHERE email = '{SECRET.upper()}'",
                   "SELECT 1 FROM Customers WHERE last_name = 'O\\'Brien-Witness'",
                   "SELECT 1 FROM Customers WHERE last_name = 'O''Brien-Witness'",
                   "SELECT 1 FROM Customers WHERE phone_number = '+49 170 5550199'",
                   f"SELECT 1 FROM Customers WHERE email = x'{SECRET.encode().hex()}'",
                   "SELECT 1 AS kept_one FROM Customers")
        rotate(stack)
    with contextlib.suppress(pymysql.Error):  # a name that rows hold, too
        pymysql.connect(unix_socket=stack.connection()["mariadb"]["socket"], user=SECRET, password="x")
    follow(stack)
    before = {path.stat().st_ino: path.stat().st_size for path in files(stack)}
    found = scrub(stack, *texts, scan=True)["found"]
    done = scrub(stack, *texts)
    assert done["lines"] + done["rows"] == found and done["lines"] >= 11 and done["rows"] >= 1
    assert done["found"] == 0
    text = "\n".join(lines(stack)).lower()
    assert not any(t.lower() in text for t in [SECRET, "brien-witness", "5550199", SECRET.encode().hex()])
    assert text.count("kept_one") == 2
    for path in files(stack):  # the same files, for the server and the follower
        assert path.stat().st_size >= before[path.stat().st_ino]
    seen = stack.value("SELECT COUNT(*) FROM rbac_audit")
    follow(stack)
    assert not rows(stack, "action_name IN ('GAP', 'UNREADABLE')")
    assert stack.value("SELECT COUNT(*) FROM rbac_audit WHERE action_name = 'QUERY'"
                       " AND query_text LIKE '%%kept_one%%'") == 2
    assert stack.value("SELECT COUNT(*) FROM rbac_audit") >= seen
    event = stack.json("audit", "list")[0]
    assert (event["action"], event["rows"]) == ("rbac.scrub", done["lines"] + done["rows"])
    stack.run("audit", "verify")


def test_a_statement_that_was_cut_in_the_middle_of_a_text_is_scrubbed(stack):
    sarah = Person(stack, "sarah")
    begin = "SELECT 1 FROM Customers WHERE email = '"
    for kept in range(6, len(SECRET)):
        padding = "-" * (1024 - len(begin) - kept - len("/**/ "))
        sarah.says(f"/*{padding}*/ {begin}{SECRET}'")
    sarah.says("SELECT '" + "é" * 500 + f" {SECRET}'", "SELECT 2 AS kept_two FROM Customers")
    assert any(SECRET[:6] in line and SECRET not in line for line in lines(stack)), "it is cut"
    assert scrub(stack, SECRET)["found"] == 0
    text = "\n".join(lines(stack))
    assert SECRET[:6] not in text and "kept_two" in text


def test_a_text_that_is_in_every_line_is_refused(stack):
    assert "must have 3" in stack.fails("audit", "scrub", "--yes", input="an\n")
    assert "nothing to look for" in stack.fails("audit", "scrub", "--yes", input="\n")


def test_doctor_says_whether_the_witness_is_on(stack):
    def told():
        return [c for c in stack.json("doctor", check=False)["checks"] if "by SQL" in c["what"]]
    assert [c["ok"] for c in told()] == [True]
    stack.sql("SET GLOBAL server_audit_logging = OFF")
    assert [c["fix"] for c in told()] == ["SET GLOBAL server_audit_logging = ON"]
    stack.sql("SET GLOBAL server_audit_logging = ON")
    assert [c["ok"] for c in told()] == [True]


@pytest.mark.parametrize("name, value", [
    ("events", "CONNECT"), ("excl_users", "mongo_sync_user,replica_user,alex,root"),
    ("incl_users", "nobody"), ("query_log_limit", 8), ("file_path", "other.log"),
    ("output_type", "syslog"),
])
def test_doctor_finds_a_witness_that_was_blinded_and_says_how_it_sees_again(stack, name, value):
    def told():
        return [c for c in stack.json("doctor", check=False)["checks"] if "by SQL" in c["what"]]
    def current():
        return stack.value(f"SELECT COALESCE(@@server_audit_{name}, '')")

    was = current()
    stack.sql(f"SET GLOBAL server_audit_{name} = %s", [value])
    (check,) = told()
    assert not check["ok"] and f"server_audit_{name} is" in check["what"] and str(value) in check["what"]
    for statement in check["fix"].split("; "):
        stack.sql(statement)
    assert current() == was
    assert [c["ok"] for c in told()] == [True]


def test_the_files_are_private(stack):
    assert (pathlib.Path(stack.var) / "mariadb" / "audit").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o007 == 0 for path in files(stack))


def test_who_follows_does_not_follow_itself(stack):
    """Where the plugin leaves nobody out, each row that is written would make two lines."""
    stack.sql("SET GLOBAL server_audit_excl_users = ''")
    for _ in range(3):
        stack.sql("SELECT 1 AS not_of_the_sync")
        follow(stack)
    assert stack.value("SELECT COUNT(*) FROM rbac_audit WHERE user_name = 'mongo_sync_user'"
                       " AND action_name NOT LIKE '%CONNECT'") == 0
    assert stack.value("SELECT SUM(times) FROM v_rbac_audit WHERE query_text LIKE '%not_of_the_sync'") == 3
    assert any(",mongo_sync_user," in line and ",QUERY," in line for line in lines(stack))
